"""The lesson on many sites runs, and its numbers are what its text says."""

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

# Whole lessons: `make test-slow`.
pytestmark = pytest.mark.slow


def test_sharing_beats_one_model_and_thirty(tmp_path, monkeypatch):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    lesson = runpy.run_path(str(EXAMPLES / "plot_15_many_sites.py"))
    lesson["plt"].close("all")

    curve, few, errors = lesson["curve"], lesson["few"], lesson["errors"]
    assert lesson["found"] > max(curve[0], curve[-1]) + 0.03
    assert lesson["found"] > max(curve) - 0.02, "the choice is near the best"
    gain = errors["alone"] - errors["multi-task"]
    assert gain[few].mean() > 0.5 > gain[~few].mean() > 0, "most where there are few patients"
    assert lesson["off"] < 0.3
    assert lesson["after"] > max(lesson["shared"], lesson["few_alone"]) + 0.05
