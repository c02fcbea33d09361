"""The lesson runs, and its numbers are what its text says."""

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

# Whole lessons: `make test-slow`.
pytestmark = pytest.mark.slow


def test_alignments_win_when_classes_are_balanced_and_lose_when_not(monkeypatch):
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("Agg")
    lesson = runpy.run_path(str(EXAMPLES / "plot_03_what_each_alignment_does.py"))
    plt.close("all")
    balanced, unbalanced = lesson["balanced"], lesson["unbalanced"]

    linear = balanced["LinearTransport"]
    assert linear > 0.95, "the linear map undoes it"
    assert balanced["OptimalTransport, exact"] > linear - 0.05, "transport comes as near"
    assert balanced["CORAL"] < balanced["nothing"] + 0.1, "no help against a shift of the mean"
    matched = [name for name in balanced if name not in ("nothing", "CORAL")]
    assert all(unbalanced[name] < balanced[name] - 0.1 for name in matched), "all of them lose"
    assert all(unbalanced[name] > unbalanced["nothing"] for name in matched), "better than nothing"
