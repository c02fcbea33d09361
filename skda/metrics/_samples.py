"""Validate two samples and move them to one array library."""

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

from .._array._backend import check_foreign_array, is_foreign_array, to_numpy
from .._array._config import working_backend


def two_samples(X, Y, *, min_samples=1):
    """Return X and Y as floating arrays in the backend in which the arithmetic runs."""
    X, Y = _checked(X, Y, min_samples)
    backend = working_backend(X)
    X, Y = backend.asarray(X), backend.asarray(Y)
    if X.dtype != Y.dtype:  # float32 and float64
        X, Y = (backend.asarray(Z, backend.xp.float64) for Z in (X, Y))
    return X, Y


def two_samples_on_host(X, Y, *, min_samples=1):
    """Return X and Y as NumPy arrays, for the methods that are an island of NumPy."""
    return tuple(to_numpy(Z) for Z in _checked(X, Y, min_samples))


def _checked(X, Y, min_samples):
    X, Y = _rows(X, "X", min_samples), _rows(Y, "Y", min_samples)
    if X.shape[1] != Y.shape[1]:
        raise ValueError(
            f"X and Y must have the same number of features; got {X.shape[1]} and {Y.shape[1]}. "
            "Features must mean the same in both samples."
        )
    return X, Y


def _rows(X, name, min_samples):
    if is_foreign_array(X):
        return check_foreign_array(X, name=name, min_samples=min_samples)
    if sparse.issparse(X):
        raise TypeError(f"{name} is sparse, which distances are not. Pass {name}.toarray().")
    return check_array(
        X, dtype=[np.float64, np.float32], ensure_min_samples=min_samples, input_name=name
    )
