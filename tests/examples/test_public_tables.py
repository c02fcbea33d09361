"""The lessons on incomes, reviews and schools run, and hold what their texts say."""

import runpy
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

# Whole lessons: `make test-slow`.
pytestmark = pytest.mark.slow


@pytest.fixture
def run_lesson(tmp_path, monkeypatch, public_data):
    pytest.importorskip("matplotlib").use("Agg")
    pytest.importorskip("pandas")
    monkeypatch.chdir(tmp_path)

    def run(name):
        lesson = runpy.run_path(str(EXAMPLES / name))
        lesson["plt"].close("all")
        return lesson

    return run


def test_incomes_of_a_new_group_need_labels_and_no_alignment(run_lesson):
    lesson = run_lesson("plot_23_credit_tables.py")
    brier = {way: np.mean(values, axis=0)[1] for way, values in lesson["figures"].items()}
    assert brier["CORAL"] > brier["no adaptation"] + 0.05
    assert min(brier.values()) > brier["no adaptation"] - 0.003, "none is better"
    slope = {way: np.polyfit(lesson["true"], p, 1)[0] for way, p in lesson["predicted"].items()}
    assert 0.5 < slope["no adaptation"] < 0.9 and slope["CORAL"] < 0.1
    assert lesson["warned"]["label shift"] >= 5
    near, alone = (np.array(curve) for curve in lesson["curves"].values())
    assert np.all(near < alone)
    assert np.all(near < lesson["brier"](lesson["source_model"]))


def test_of_reviews_only_word_weights_and_labels_help(run_lesson):
    lesson = run_lesson("plot_24_reviews.py")
    table, curves = lesson["table"], lesson["curves"]
    both = np.array(table["word weights of both"])
    assert both[1] > table["word weights of source"][1] + 0.02
    for name, values in table.items():
        if name.startswith("..."):
            assert np.mean(values) < both.mean() + 0.002, name
    assert lesson["weighter"].learnt_part_ == 0
    joint, alone = curves["source and these labels"], curves["these labels alone"]
    assert alone[4] < joint[0] < alone[5], "the source is worth 400 to 800 labels"
    assert np.all(np.array(joint[1:]) > alone[1:])


def test_true_differences_between_schools_must_stay(run_lesson):
    lesson = run_lesson("plot_25_schools.py")
    half, table, curves = lesson["half"], lesson["table"], lesson["curves"]
    assert half["multi-task"] < half["one model"] < half["139 models"]
    recorded, scaled = lesson["recordings"]
    for name in ("ComBat", "scaler per school", "CORAL"):
        assert table[recorded, name] > 1.08 * table[recorded, "one model"]
        assert table[scaled, name] < 0.92 * table[scaled, "one model"]
    level, coefficients = np.array(curves["and a level"]), np.array(curves["and coefficients"])
    assert np.all(np.diff(level) < 0)
    assert np.all(level[1:] < coefficients[1:])
