"""Maximum mean discrepancy of a table in blocks, by random features."""

from __future__ import annotations

from typing import Literal

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from .._core._param_checks import check_integer, check_option
from .._core._sample_domain import check_both_sides
from .._core._sums import Added
from .._core._typing import DaskRows, DomainIds, RandomState
from .._numerics._kernels import fourier_map, resolve_gamma
from ._table import Table

# As many as the in-memory measure takes for its bandwidth.
_ROWS_FOR_A_WIDTH = 1000


def mmd(
    X: DaskRows,
    sample_domain: DaskRows | DomainIds,
    *,
    kernel: Literal["rbf", "laplacian"] = "rbf",
    gamma: float | Literal["median", "scale"] = "median",
    n_features: int = 1000,
    random_state: RandomState = None,
) -> float:
    """Measure the squared maximum mean discrepancy between source and target, by random features.

    A kernel is replaced by random cosines and sines whose products have it as their mean. Then the
    discrepancy is the distance between the means of these features over the source and over the
    target, which are summed block by block.

    Parameters
    ----------
    X : dask array or data frame of shape (n_samples, n_features)
        Rows of all domains.
    sample_domain : dask array or series, or array-like of int of shape (n_samples,)
        Domain of each row: >= 0 a source, < 0 a target. Several sources (targets) are pooled.
    kernel : {"rbf", "laplacian"}, default="rbf"
        Kernel between rows.
    gamma : float, "median" or "scale", default="median"
        Inverse squared bandwidth, as in :func:`skda.metrics.mmd`; the named ones from a sample of
        1,000 rows.
    n_features : int, default=1000
        Number of random features. The error falls with its root, and the cost grows with it.
    random_state : int, RandomState instance or None, default=None
        Draws the features and the sample.

    Returns
    -------
    mmd2 : float
        Squared discrepancy.

    Raises
    ------
    ImportError
        If dask is not installed.
    ValueError
        If rows of one side are missing or a parameter is out of range.

    See Also
    --------
    skda.metrics.mmd : In memory, with the exact kernel.
    feature_shift : Feature by feature.

    Notes
    -----
    With features φ such that k(x, y) ≈ φ(x)·φ(y), MMD² ≈ ‖mean φ(x) − mean φ(y)‖². The pairs of a
    row with itself are counted. Cost: one pass, O(n n_features d).

    Examples
    --------
    >>> import dask.array
    >>> import numpy as np
    >>> import skda.dask
    >>> X = np.random.default_rng(0).normal(size=(400, 2))
    >>> X[200:] += 1.0
    >>> blocks = dask.array.from_array(X, chunks=(100, 2))
    >>> sample_domain = np.repeat([1, -2], 200)
    >>> print(f"{skda.dask.mmd(blocks, sample_domain, random_state=0):.1f}")
    0.3
    """
    check_option("kernel", kernel, ("rbf", "laplacian"))
    check_integer("n_features", n_features)
    table = Table(X, None, sample_domain, random_state=random_state)
    check_both_sides(np.array(sorted(table.counts())))
    rows = np.asarray(table.sample(_ROWS_FOR_A_WIDTH, labels=False)[0], dtype=np.float64)
    gamma = resolve_gamma(gamma, rows, kernel=kernel, random_state=0)
    phi = fourier_map(rows, n_features, kernel=kernel, gamma=gamma, random_state=table.rng)
    columns = BaseEstimator()
    validate_data(columns, table.columns, skip_check_array=True)
    sums = table.total(columns, _feature_sums, phi)
    source, target = (
        sums[side].value / sums[f"{side} rows"].value for side in ("source", "target")
    )
    return float((source - target) @ (source - target))


def _feature_sums(data, phi):
    sums = {}
    for side, X in (("source", data.X_source), ("target", data.X_target)):
        if X.shape[0]:
            sums[side] = Added(phi(X).sum(axis=0))
            sums[f"{side} rows"] = Added(float(X.shape[0]))
    return sums
