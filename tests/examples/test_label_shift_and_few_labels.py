"""The lessons run, and their numbers are what their texts say."""

import runpy
from pathlib import Path

import numpy as np
import pytest

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
        lesson = runpy.run_path(str(EXAMPLES / name))
        lesson["plt"].close("all")
        return lesson

    return run


def test_corrected_probabilities_are_right_in_nine_of_ten(run):
    pytest.importorskip("pandas")
    results = run("plot_07_label_shift.py")["results"]
    mean = {name: np.mean([result[name] for result in results], axis=0) for name in results[0]}
    accuracy, loss, alarms = mean["clinic's model"]
    assert alarms > 60, "a third of the screened"
    assert mean["em"][0] > 0.88 > 0.75 > accuracy
    assert mean["em"][1] < 0.6 * loss
    assert mean["bbse"][1] > mean["em"][1], "noisier"


def test_tradaboost_finds_out_where_the_guides_differ(run):
    lesson = run("plot_08_few_target_labels.py")
    mean = {
        name: np.mean([result[name] for result in lesson["results"]])
        for name in lesson["results"][0]
    }
    others = [score for name, score in mean.items() if name != "TrAdaBoost"]
    assert mean["TrAdaBoost"] > max(others) + 0.02
    assert mean["pooled"] < mean["balanced"] - 0.05
    weights, differs = np.mean(lesson["by_digit"], axis=0), np.array(lesson["differs"])
    assert weights[differs].max() < 0.7 < 0.9 < weights[~differs].min()


def test_relations_make_more_of_few_labels_than_a_linear_model(run):
    lesson = run("plot_10_three_labels_a_class.py")
    mean, found = lesson["mean"], lesson["found"]
    assert mean["target labels only"][0] < mean["pooled"][0] < mean["prototypes"][0] + 0.005
    assert all(np.subtract(mean["propagation"], mean["pooled"]) > 0.05)
    assert mean["propagation"][0] > mean["pooled"][0] + 0.08, "some ten points"
    assert found["pooled"] + 0.05 < found["prototypes"] < found["propagation"] < 0.5
    parts = lesson["model"].target_parts_
    assert (parts[8:] == 1.0).all() and (parts[:8] < 0.6).all()
