"""The lesson on a patient table runs, and its numbers are what it says."""

import runpy
from pathlib import Path

import pytest
import sklearn

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

# Whole lessons: `make test-slow`.
pytestmark = pytest.mark.slow


def test_maps_cost_accuracy_and_thirty_labels_help(tmp_path, monkeypatch, public_data):
    for package in ("matplotlib", "pandas"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    with sklearn.config_context():
        lesson = runpy.run_path(str(EXAMPLES / "plot_06_patient_table.py"))
    lesson["plt"].close("all")
    for target, found in lesson["mean"].items():
        accuracy = {name: scores[0] for name, scores in found.items()}
        assert accuracy["30 labels"] == max(accuracy.values())
        assert accuracy["weighted"] == accuracy["plain"], "weights of one"
        lost = accuracy["plain"] - min(accuracy["aligned (CORAL)"], accuracy["scaled by hospital"])
        assert lost > (0.01 if target == "hungary" else 0.1)
