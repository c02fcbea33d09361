"""The lesson on spectra runs, and its numbers are what it says."""

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

# Whole lessons: `make test-slow`.
pytestmark = pytest.mark.slow


def test_a_calibration_is_transferred_without_and_with_standards(
    tmp_path, monkeypatch, public_data
):
    pytest.importorskip("matplotlib").use("Agg")
    monkeypatch.chdir(tmp_path)
    lesson = runpy.run_path(str(EXAMPLES / "plot_21_spectra.py"))
    lesson["plt"].close("all")
    mean, spread = lesson["mean"], lesson["moisture"].std()
    assert mean["as it is"] > 4 * spread
    assert mean["DIPLS"] < mean["mean moved"] < 0.75 * spread
    assert mean["DS, 30 standards"] < mean["DIPLS"] < mean["PDS, 30 standards"]
    assert mean["new calibration"] < 0.7 * mean["DIPLS"]
    assert mean["new calibration"] > 5 * mean["m5's own (on m5)"]
