"""Validate two samples and move them to one array library."""

import math

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

from .._array._backend import check_foreign_array, is_foreign_array, namespace, to_numpy
from .._array._config import working_backend


def two_samples(X, Y, *, min_samples=1, power=2):
    """Return X and Y as floating arrays in the backend in which the arithmetic runs.

    `power` is the highest power of a value that the caller computes.
    """
    X, Y = _check_samples(X, Y, min_samples)
    backend = working_backend(X)
    X, Y = backend.asarray(X), backend.asarray(Y)
    if X.dtype != Y.dtype:  # float32 and float64
        X, Y = (backend.asarray(Z, backend.xp.float64) for Z in (X, Y))
    _check_magnitude(X, Y, power)
    return X, Y


def two_samples_on_host(X, Y, *, min_samples=1, power=2):
    """Return X and Y as NumPy arrays, for the methods that run in NumPy only."""
    X, Y = (to_numpy(Z) for Z in _check_samples(X, Y, min_samples))
    _check_magnitude(X, Y, power)
    return X, Y


def _check_samples(X, Y, min_samples):
    X, Y = _check_sample(X, "X", min_samples), _check_sample(Y, "Y", min_samples)
    if X.shape[1] != Y.shape[1]:
        raise ValueError(
            f"X and Y must have the same number of features; got {X.shape[1]} and {Y.shape[1]}. "
            "Features must mean the same in both samples."
        )
    return X, Y


def _check_sample(X, name, min_samples):
    if is_foreign_array(X):
        return check_foreign_array(X, name=name, min_samples=min_samples)
    if sparse.issparse(X):
        raise TypeError(f"{name} is sparse, which distances are not. Pass {name}.toarray().")
    return check_array(
        X, dtype=[np.float64, np.float32], ensure_min_samples=min_samples, input_name=name
    )


def _check_magnitude(X, Y, power):
    """Raise if powers of the values, summed over pairs of rows and features, leave the range.

    They would become infinity or 0, and with them the distance; a permutation test would compare
    NaN with NaN and call the result significant.
    """
    xp = namespace(X)
    largest = max(float(xp.max(xp.abs(Z))) for Z in (X, Y))
    if largest == 0:
        return
    info = xp.finfo(X.dtype)
    log_terms = 2 * math.log2((X.shape[0] + Y.shape[0]) * X.shape[1])
    too_large = power * math.log2(2 * largest) + log_terms > math.log2(float(info.max))
    too_small = power * math.log2(largest) < math.log2(float(info.smallest_normal))
    if too_large or too_small:
        raise ValueError(
            f"The largest value of X and Y is {largest:.3g}, "
            f"{'too large' if too_large else 'too small'} for sums of its power {power:g} in "
            f"{X.dtype}. Scale the features of both samples alike first, for example with a "
            "StandardScaler fitted on both."
        )
