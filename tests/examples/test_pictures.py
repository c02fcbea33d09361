"""The lesson on pictures runs, and its pictures show what its text says."""

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

# Whole lessons: `make test-slow`.
pytestmark = pytest.mark.slow


def test_pictures_show_what_the_text_says(tmp_path, monkeypatch):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    for package in ("pandas", "torch", "skorch"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    # Figures stay open, so that their sizes can be looked at.
    lesson = runpy.run_path(str(EXAMPLES / "plot_22_pictures.py"))
    plt = lesson["plt"]
    figures = [plt.figure(number) for number in plt.get_fignums()]
    assert len(figures) == 11 and max(one.get_size_inches()[0] for one in figures) <= 7.0
    plt.close("all")

    source, target = lesson["confusion"].accuracies.values()
    assert source > 0.95 and target < 0.55
    errors = lesson["reliability"].expected_calibration_errors
    assert errors["target"] < 0.12, "it knows that it is unsure"
    display, adapted = lesson["display"], lesson["adapted"]
    assert display.expected_calibration_errors["target"] > 0.12, "and is too sure afterwards"
    rows = lesson["X"][lesson["target"]]
    assert adapted.score(rows, lesson["y"][lesson["target"]]) > target + 0.2
    assert lesson["weights"].effective_sample_size < 60
    assert lesson["plan"].within_classes > 0.8
    assert lesson["jdot"].n_iter_ < 20 and lesson["jda"].label_changes_[-1] > 100
    assert 200 <= lesson["monitor"].alarm_row_ < 220
