"""Where lessons find public data sets: a local folder, scikit-learn's data home, or the network."""

import os
from pathlib import Path

import pytest

from benchmarks._data import DEFAULT, fill_data_home, lessons_without_data

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="session")
def filled_home(tmp_path_factory):
    """A data home with the files of the local folder; None where there is no such folder."""
    home = tmp_path_factory.mktemp("data_home")
    return home if fill_data_home(home) else None


@pytest.fixture
def public_data(filled_home, monkeypatch):
    """Skip the test of a lesson whose data sets cannot be had."""
    if filled_home is not None:
        monkeypatch.setenv("SCIKIT_LEARN_DATA", os.fspath(filled_home))
    elif missing := lessons_without_data(EXAMPLES):
        pytest.skip(f"no data for {missing}: not in {DEFAULT}, not cached, and not to be fetched")
