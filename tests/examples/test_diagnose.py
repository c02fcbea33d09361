"""The lesson on the diagnosis runs, and its reports name what was done to the data."""

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

# Whole lessons: `make test-slow`.
pytestmark = pytest.mark.slow


def test_each_second_place_is_diagnosed_and_the_advice_pays(tmp_path, monkeypatch, public_data):
    pytest.importorskip("matplotlib").use("Agg")
    monkeypatch.chdir(tmp_path)
    lesson = runpy.run_path(str(EXAMPLES / "plot_19_diagnose.py"))
    lesson["plt"].close("all")
    kinds = {name: report.kind for name, report in lesson["reports"].items()}
    assert kinds == {
        "random half": "none",
        "mostly healthy": "label",
        "large cells": "covariate",
        "other microscope": "conditional",
    }
    hospitals = {name: report.kind for name, report in lesson["hospitals"].items()}
    assert hospitals == {"hungary": "covariate", "switzerland": "conditional", "va": "covariate"}
    assert lesson["without_labels"].kind == "covariate or conditional"
    found = {name: scores for name, (scores, _) in lesson["results"].items()}
    healthy, microscope = found["mostly healthy"], found["other microscope"]
    assert healthy["proportions"] > healthy["plain"] > healthy["aligned"] + 0.1
    assert microscope["aligned"] > microscope["plain"] + 0.05
    assert microscope["plain"] > microscope["proportions"]
    assert set(lesson["table"].attrs["counts"]) == {"ill -> well"}
