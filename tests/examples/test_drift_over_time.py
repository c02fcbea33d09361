"""The lesson on drift over time runs, and holds what its text says."""

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

# Whole lessons: `make test-slow`.
pytestmark = pytest.mark.slow


def test_alignment_helps_between_like_seasons_and_harms_between_unlike_ones(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib").use("Agg")
    pytest.importorskip("pandas")
    monkeypatch.chdir(tmp_path)
    lesson = runpy.run_path(str(EXAMPLES / "plot_26_drift_over_time.py"))
    lesson["plt"].close("all")
    before = {name: score.loc[4:15] for name, score in lesson["scores"].items()}
    after = {name: score.loc[16:] for name, score in lesson["scores"].items()}
    median = {name: score.median() for name, score in before.items()}
    season, everything = before["same season"], before["all quarters"]
    assert lesson["mixed"] > median["all quarters"]["source only"] + 0.05
    assert median["same season"]["CORAL"] > median["last four"]["source only"] + 0.03
    assert season["CORAL"].min() > everything["source only"].min() + 0.4
    assert everything["CORAL"].min() < -1
    # Of new modules only labels tell.
    forgets, aligned = after["last four"]["source only"], after["same season"]["CORAL"]
    assert forgets.median() > aligned.median() + 0.1
