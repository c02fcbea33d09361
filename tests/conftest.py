"""Fixtures for all tests: one array namespace at a time, and small data with two domains."""

import numpy as np
import pytest
import sklearn

from tests.backends import BACKENDS, TestedBackend


@pytest.fixture
def routing():
    """Metadata routing on, as users switch it on; the root conftest switches it back."""
    sklearn.set_config(enable_metadata_routing=True)


@pytest.fixture(params=BACKENDS, ids=lambda p: "-".join(map(str, filter(None, p))))
def xp(request):
    """Every backend that is present, one per run of the test."""
    name, device, dtype = request.param
    pytest.importorskip(name)
    return TestedBackend(name, device, dtype)


@pytest.fixture
def domains():
    """Two interleaved Gaussian domains with different means and covariances, two classes."""
    rng = np.random.default_rng(0)
    n, d = 60, 4
    y = rng.integers(0, 2, 2 * n)
    sample_domain = rng.permutation(np.repeat([1, -2], n))
    X = rng.normal(size=(2 * n, d)) + 2.0 * y[:, None]
    target = sample_domain < 0
    X[target] = X[target] @ rng.normal(size=(d, d)) + 1.0
    return X, y, sample_domain
