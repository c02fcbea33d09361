"""The lesson on views runs, and its numbers are what it says."""

import runpy
from pathlib import Path

import pytest
import sklearn

LESSON = Path(__file__).resolve().parents[2] / "examples" / "plot_14_views.py"


# A whole lesson: `make test-slow`.
@pytest.mark.slow
def test_each_view_stands_alone_and_the_towers_find_the_other_half(tmp_path, monkeypatch):
    matplotlib = pytest.importorskip("matplotlib")
    pytest.importorskip("torch")
    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    with sklearn.config_context():
        lesson = runpy.run_path(str(LESSON))
    lesson["plt"].close("all")
    both, left_off, right_off = zip(*lesson["accuracy"].values(), strict=True)
    columns, coral, fusion, adapted, learned, towers = range(6)
    assert both[coral] > both[adapted] > both[fusion] + 0.04 and both[learned] >= both[adapted]
    assert left_off[adapted] > left_off[fusion] + 0.3
    assert (
        left_off[adapted] > left_off[coral] + 0.1 and right_off[fusion] > right_off[columns] + 0.1
    )
    assert left_off[towers] > 0.85 and right_off[towers] > 0.85
    assert lesson["hits"]["its own half among five"] > 0.8
