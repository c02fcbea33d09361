"""The lesson runs, and its numbers are what its text says."""

import runpy
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

# Whole lessons: `make test-slow`.
pytestmark = pytest.mark.slow


def test_a_model_keeps_up_with_a_year_of_drifting_sensors(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib").use("Agg")
    monkeypatch.chdir(tmp_path)
    lesson = runpy.run_path(str(EXAMPLES / "plot_17_stream.py"))
    lesson["plt"].close("all")
    mean = {name: np.mean(values) for name, values in lesson["ways"].items()}
    assert mean["frozen"] < 0.7 and mean["aligned once"] < 0.75 and mean["kept up"] > 0.9
    # No alarm in the weeks without drift, one soon after it began and one after each jump.
    alarms = [5 + r["row"] / 100 for r in lesson["adapter"].log_ if r["event"] == "alarm"]
    assert 8 < alarms[0] < 11
    assert [int(week) for week in alarms[-2:]] == [26, 40]
    assert lesson["again"].log_ == lesson["adapter"].log_
