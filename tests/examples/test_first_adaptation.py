"""The lesson runs, and its numbers are what its text says."""

import runpy
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

# Whole lessons: `make test-slow`.
pytestmark = pytest.mark.slow


def test_adaptation_wins_by_the_margins_in_the_text(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib").use("Agg")
    monkeypatch.chdir(tmp_path)
    lesson = runpy.run_path(str(EXAMPLES / "plot_01_first_adaptation.py"))

    source_only, full, searched, auto, ceiling = map(np.mean, lesson["table"].values())
    assert source_only < 0.5, "more than half of the new images are misread"
    assert full > source_only + 0.25, "25 points of accuracy and more"
    assert searched > full + 0.02, "the search adds to that"
    assert auto > searched - 0.08, "comes close to it"
    assert min(searched, auto) > ceiling - 0.15, "less than 15 points below the ceiling"
    assert (tmp_path / "demo_output" / "first_adaptation.png").stat().st_size > 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in lesson["table"])
    assert lesson["auto"].verdict_ in printed
