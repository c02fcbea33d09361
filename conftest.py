"""What every test and every doctest runs under, however pytest was started."""

import importlib.util
import os

# Read by scipy and by OpenMP when they are first imported, so set before anything else is.
os.environ.setdefault("SCIPY_ARRAY_API", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest
import sklearn

# Without torch there is no `deep` subpackage to look for doctests in.
if any(importlib.util.find_spec(name) is None for name in ("torch", "skorch")):
    collect_ignore_glob = ["skda/deep/*"]


@pytest.fixture(autouse=True)
def restore_sklearn_config():
    """Let a test switch metadata routing on, as users do, without touching the next test."""
    with sklearn.config_context():
        yield
