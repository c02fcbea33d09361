"""The lesson runs, and what its text says about the scorers is so."""

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

# Whole lessons: `make test-slow`.
pytestmark = pytest.mark.slow


def test_scorers_choose_as_the_text_says(tmp_path, monkeypatch):
    for package in ("matplotlib", "pandas"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    lesson = runpy.run_path(str(EXAMPLES / "plot_05_choosing_without_labels.py"))
    lesson["plt"].close("all")

    results, truth, unadapted = (lesson[name] for name in ("results", "truth", "unadapted"))
    gain = {
        name: truth[results[f"mean_test_{name}"].argmax()] - unadapted for name in lesson["scoring"]
    }
    good = ("information", "nuclear norm", "circular")
    assert all(gain[name] > 0.2 for name in good), "20 points more"
    assert all(0.1 < gain[name] < 0.25 for name in ("importance weighted", "DEV")), "the middle"
    assert gain["MixVal"] < 0.05
    source = results["mean_test_source"]
    assert source.max() - source.min() < 0.05, "nearly flat"
