"""The lesson on estimated performance runs, and its numbers are what it says."""

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

# Whole lessons: `make test-slow`.
pytestmark = pytest.mark.slow


def test_three_shifts_are_estimated_and_two_are_refused(tmp_path, monkeypatch, public_data):
    pytest.importorskip("matplotlib").use("Agg")
    monkeypatch.chdir(tmp_path)
    lesson = runpy.run_path(str(EXAMPLES / "plot_20_performance.py"))
    lesson["plt"].close("all")
    for shift, (found, _, truth) in lesson["results"].items():
        known = shift in ("none", "covariate", "label")
        assert found.verdict.known == known
        assert not known or abs(found.value - truth) < 0.03
    for found, truth in lesson["seen"].values():
        low, high = found.interval
        assert low <= truth <= high
    assert not lesson["blind"].verdict.known
