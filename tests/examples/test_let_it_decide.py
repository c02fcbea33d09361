"""The lesson runs, and its numbers are what its text says."""

import runpy
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

# Whole lessons: `make test-slow`.
pytestmark = pytest.mark.slow


def test_the_consensus_is_among_the_best_and_the_source_model_is_kept(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib").use("Agg")
    monkeypatch.chdir(tmp_path)
    lesson = runpy.run_path(str(EXAMPLES / "plot_04_let_it_decide.py"))

    found = lesson["accuracy"]
    consensus = found.pop("consensus")
    assert consensus > found["source only"] + 0.5, "the source model fails"
    assert consensus > np.quantile(list(found.values()), 0.75), "about as good as the best ones"
    assert consensus > max(found.values()) - 0.06
    unchanged = lesson["unchanged"]
    assert lesson["kept"].verdict_.startswith("keep the source model")
    assert unchanged["consensus"] == unchanged["source only"]
    assert (tmp_path / "demo_output" / "let_it_decide.png").stat().st_size > 0
