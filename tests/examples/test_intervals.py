"""The lesson runs, and its numbers are what its text says."""

import runpy
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

# Whole lessons: `make test-slow`.
pytestmark = pytest.mark.slow


def test_intervals_and_sets_hold_where_the_model_goes(tmp_path, monkeypatch, public_data):
    pytest.importorskip("matplotlib").use("Agg")
    pytest.importorskip("pandas")
    monkeypatch.chdir(tmp_path)
    lesson = runpy.run_path(str(EXAMPLES / "plot_18_intervals.py"))
    lesson["plt"].close("all")

    def means(results):
        return {n: np.mean([result[n] for result in results], axis=0) for n in results[0]}

    mean = means(lesson["results"])
    assert mean["no weights"][0] < 0.86, "85 of 100"
    assert abs(mean["weights"][0] - 0.9) < 0.03 and abs(mean["50 labels"][0] - 0.9) < 0.03
    assert 50 < mean["weights"][2] < 70, "60 of 800 rows"
    assert mean["weights"][1] > 1.2 * mean["no weights"][1], "longer"
    mean = means(lesson["set_results"])
    assert mean["no weights"][0] < 0.86 and abs(mean["estimated priors"][0] - 0.9) < 0.03
