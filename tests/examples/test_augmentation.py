"""The lesson on augmentation runs, and its numbers are what it says."""

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

# Whole lessons: `make test-slow`.
pytestmark = pytest.mark.slow


def test_distortions_of_the_right_kind_make_a_calibration_robust(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib").use("Agg")
    monkeypatch.chdir(tmp_path)
    lesson = runpy.run_path(str(EXAMPLES / "plot_16_augmentation.py"))
    lesson["plt"].close("all")
    mean = {name: errors.mean() for name, errors in lesson["results"].items()}
    assert mean["all distortions"] < 0.3 * mean["as it is"]
    assert mean["base line"] < 0.3 * mean["as it is"]
    assert mean["noise"] > 0.9 * mean["as it is"]
    for found in lesson["sweep"].values():
        assert max(found[1:4]) < 0.3 * found[0]
        assert found[4] > 1.5 * found[3]
