"""The lessons on other columns and on paired rows run, and their numbers are what they say."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import sklearn

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

# Whole lessons: `make test-slow`.
pytestmark = pytest.mark.slow


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a lesson by its name, without showing its figure."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)

    def run(name):
        with sklearn.config_context():
            lesson = runpy.run_path(str(EXAMPLES / name))
        lesson["plt"].close("all")
        return lesson

    return run


def test_the_bridge_is_worth_most_of_the_measurements(run):
    pytest.importorskip("pandas")
    results = run("plot_11_other_columns.py")["results"]
    mean = {name: np.mean([result[name] for result in results]) for name in results[0]}
    assert mean["means"] == pytest.approx(mean["shared columns"], abs=0.002)
    gap = mean["all measured"] - mean["shared columns"]
    assert gap > 0.03
    assert mean["bridge"] - mean["shared columns"] > 0.5 * gap


def test_ten_standards_are_enough_for_a_local_map_and_few_for_a_calibration(run):
    mean = run("plot_12_paired_instruments.py")["mean"]
    at_ten = {name: errors[0] for name, errors in mean.items()}
    assert at_ten["PDS"] < 0.5 * at_ten["as it is"] < at_ten["standards alone"]
    assert at_ten["PDS"] == min(at_ten.values())
    assert mean["DS"][-1] < mean["PDS"][-1]
