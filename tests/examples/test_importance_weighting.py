"""The lesson runs, and the weights win by what its text says."""

import runpy
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

# Whole lessons: `make test-slow`.
pytestmark = pytest.mark.slow


def test_weights_win_on_the_other_clinic(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib").use("Agg")
    monkeypatch.chdir(tmp_path)
    lesson = runpy.run_path(str(EXAMPLES / "plot_02_importance_weighting.py"))
    lesson["plt"].close("all")
    means = {name: np.mean(values) for name, values in lesson["scores"].items()}
    assert means["kernel mean matching"] > means["source only"] + 0.02
    assert means["relative density ratio"] > means["source only"] + 0.01
    assert means["trained on the target"] > max(means[n] for n in lesson["WEIGHTERS"])
