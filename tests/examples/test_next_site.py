"""The lesson runs, and its numbers are what its text says."""

import runpy
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

# Whole lessons: `make test-slow`.
pytestmark = pytest.mark.slow


def test_a_model_that_is_never_refitted_is_good_in_each_clinic(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib").use("Agg")
    monkeypatch.chdir(tmp_path)
    lesson = runpy.run_path(str(EXAMPLES / "plot_13_next_site.py"))
    lesson["plt"].close("all")
    curves = np.array(list(lesson["curves"].values()))
    assert curves[:, 0].min() < 0.55 and curves[:, 0].max() > 0.95, "nobody knows"
    assert curves[:, 1:].min() > 0.92, "ten rows are enough"
    assert (curves[:, 1] - curves[:, 0]).min() > -0.04, "a point or two"
