"""The lessons on frozen networks and on devices run, and hold what their texts say."""

import runpy
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

# Whole lessons: `make test-slow`.
pytestmark = pytest.mark.slow


@pytest.fixture
def run_lesson(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib").use("Agg")
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)

    def run(name):
        lesson = runpy.run_path(str(EXAMPLES / name))
        lesson["plt"].close("all")
        return lesson

    return run


def test_adapted_features_of_an_early_layer_beat_the_pixels(run_lesson):
    table = run_lesson("plot_27_frozen_features.py")["table"]
    mean = {
        way: {kind: np.mean(values) for kind, values in row.items()} for way, row in table.items()
    }
    plain, mapped = mean["no adaptation"], mean["linear transport"]
    assert plain["last layer"] < plain["early layer"] < plain["pixels"] - 0.1
    assert mapped["early layer"] > mapped["pixels"] + 0.02
    assert mean["scaler per domain"]["early layer"] > plain["early layer"] + 0.25
    assert all(row["last layer"] < 0.8 for row in mean.values())
    assert np.ptp(table["linear transport"]["early layer"]) < 0.05


def test_a_pipeline_stays_on_tensors_and_agrees_with_numpy(run_lesson):
    torch = pytest.importorskip("torch")
    lesson = run_lesson("plot_28_gpu_pipeline.py")
    assert isinstance(lesson["labels"], torch.Tensor)
    assert lesson["classifier"].coef_.dtype == torch.float32
    assert lesson["right"] > 0.75
    assert lesson["search"].best_params_ == {"coraltransformer__strength": 1.0}
    assert lesson["error"] < 1e-4
