"""Maximum mean discrepancy: how far apart two samples are in the feature space of a kernel.

The kernel matrix over both samples is visited once, a tile at a time, and never held.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
from sklearn.utils import check_random_state

from .._array._backend import as_like, device_of, namespace, to_numpy
from .._core._param_checks import check_bool, check_integer, check_real
from .._core._typing import ArrayLike, RandomState
from .._numerics._kernels import kernel_tiling, resolve_gamma
from ._samples import two_samples


class TwoSampleTestResult(NamedTuple):
    """Statistic of a test, and how often one as large arises when nothing differs."""

    statistic: float
    pvalue: float


def group_sums(Z, A, **kernel_params):
    """Return aᵀKa, aᵀK1 and aᵀ diag(K) for each column a of A, and for the column 1, on the host.

    K is symmetric, so a tile off the diagonal is computed once and counted twice. Float64 on the
    host takes over what a strip of tiles sums.
    """
    xp = namespace(Z)
    ones = xp.ones((Z.shape[0], 1), dtype=Z.dtype, device=device_of(Z))
    A = xp.concat([A, ones], axis=1)  # the last column sums K over whole rows
    tiling = kernel_tiling(Z, **kernel_params)
    strips = tiling.strips()
    sums = np.zeros((len(strips), 3, A.shape[1]))

    def add(i):
        across, tiles = strips[i]
        left = A[across, :]
        strip = xp.zeros((3, A.shape[1]), dtype=Z.dtype, device=device_of(Z))
        for down in tiles:
            K = tiling.tile(across, down)
            KA = K @ A[down, :]
            inside, touching = xp.sum(left * KA, axis=0), left.T @ KA[:, -1]
            if across == down:
                own = xp.linalg.diagonal(K) @ left
            else:  # the tile's mirror image is not computed
                inside, touching = 2.0 * inside, touching + xp.sum(KA, axis=0)
                own = xp.zeros_like(inside)
            strip = strip + xp.stack([inside, touching, own])
        sums[i] = to_numpy(strip)  # by strip, so that the order of threads does not change the sum

    def add_quietly(i):  # values that overflow are reported by the caller, in words
        with np.errstate(over="ignore", invalid="ignore"):
            add(i)

    tiling.share_out(add_quietly, range(len(strips)))
    return np.sum(sums, axis=0)


def squared_mmds(Z, groups, *, unbiased=False, **kernel_params):
    """Return MMD² between each group of rows and the rest, (n_groups,), from one pass over K.

    Parameters
    ----------
    Z : array of shape (n, d)
    groups : ndarray of bool of shape (n, n_groups)
        On the host.
    unbiased : bool, default=False
        Whether pairs of a row with itself are left out.
    """
    sums = group_sums(Z, as_like(groups.astype(np.float64), Z), **kernel_params)
    (inside, touching, own), (total, _, trace) = sums[:, :-1], sums[:, -1]
    between = touching - inside
    outside, others = total - touching - between, trace - own
    k = groups.sum(axis=0).astype(np.float64)
    m = Z.shape[0] - k
    if not unbiased:  # with the pairs of a row with itself
        return inside / k**2 + outside / m**2 - 2 * between / (k * m)
    within = (inside - own) / (k * (k - 1)) + (outside - others) / (m * (m - 1))
    return within - 2 * between / (k * m)


def _stacked(X, Y, kernel, gamma, degree, coef0, unbiased):
    """Return both samples as one array, which rows are X's, and the kernel's parameters."""
    if kernel == "precomputed":
        raise ValueError(
            "kernel='precomputed' is not supported: pass X and Y as feature rows, and as kernel "
            "a function of two arrays of rows that returns their kernel matrix."
        )
    check_real("degree", degree, low=0, closed="neither")
    check_real("coef0", coef0)
    check_bool("unbiased", unbiased)
    X, Y = two_samples(X, Y, min_samples=2 if unbiased else 1)
    Z = namespace(X, Y).concat([X, Y], axis=0)
    # The same seed for everyone: the bandwidth is part of the definition, not of a random draw.
    gamma = resolve_gamma(gamma, Z, kernel=kernel, random_state=0)
    in_X = np.arange(Z.shape[0]) < X.shape[0]
    return Z, in_X, {"kernel": kernel, "gamma": gamma, "degree": degree, "coef0": coef0}


def mmd(
    X: ArrayLike,
    Y: ArrayLike,
    *,
    kernel: str | Callable[..., Any] = "rbf",
    gamma: float | Literal["median", "scale"] = "median",
    degree: float = 3,
    coef0: float = 1.0,
    unbiased: bool = False,
) -> float:
    """Measure the squared maximum mean discrepancy between two samples.

    How far apart the means of the two samples are after a kernel has mapped their rows to a space
    of many features. There any difference between two distributions becomes a difference of means,
    so that the value is 0 only for equal distributions. It has no unit; with the rbf kernel it
    lies in [0, 2].

    Parameters
    ----------
    X : array-like of shape (n_samples_X, n_features)
        First sample, for example source rows.
    Y : array-like of shape (n_samples_Y, n_features)
        Second sample, for example target rows.
    kernel : str or callable, default="rbf"
        "rbf", "laplacian", "linear", "poly", "cosine", "sigmoid", or a function of two arrays of
        rows that returns their kernel matrix.
    gamma : float, "median" or "scale", default="median"
        Inverse squared bandwidth of the kernel, in 1/(unit of X)²; raising it reveals finer detail.
        "median" is 1/(2 median²) of the distances in both samples together (in a fixed random
        subset of 1,000 rows).
    degree, coef0 : float, default=3, 1.0
        Of the poly and sigmoid kernels.
    unbiased : bool, default=False
        Whether to leave out the pairs of a row with itself. The mean is then 0 for samples of one
        distribution, and single values may be negative.

    Returns
    -------
    mmd2 : float
        Squared discrepancy; 0 for equal samples.

    Raises
    ------
    ValueError
        If the numbers of features differ, a sample has fewer than 2 rows and `unbiased`, a
        parameter is out of range, or the values of X and Y overflow when squared.

    See Also
    --------
    mmd_test : Tells whether the value could be chance.
    energy_distance : The same idea without a bandwidth.
    proxy_a_distance : By how well a classifier separates the samples.

    Notes
    -----
    MMD² = mean k(x, x′) + mean k(y, y′) − 2 mean k(x, y). With a characteristic kernel (rbf,
    laplacian) it is 0 only for equal distributions. Cost O((n_X + n_Y)² d) time; tiles
    keep the memory at O((n_X + n_Y) d). Runs wholly in the Python array API, on the device
    of X.

    References
    ----------
    .. [1] Gretton, A., Borgwardt, K., Rasch, M., Schölkopf, B., Smola, A. (2012). A kernel
       two-sample test. JMLR 13. https://www.jmlr.org/papers/v13/gretton12a.html

    Examples
    --------
    >>> import numpy as np
    >>> from skda.metrics import mmd
    >>> X = np.array([[0.0], [1.0], [2.0]])
    >>> round(mmd(X, X + 1.0, gamma=0.5), 4)
    0.2198
    """
    Z, in_X, kernel_params = _stacked(X, Y, kernel, gamma, degree, coef0, unbiased)
    values = squared_mmds(Z, in_X[:, None], unbiased=unbiased, **kernel_params)
    return float(_finite(values, kernel_params)[0])


def _finite(values, kernel_params):
    """Return the discrepancies if they are finite; otherwise raise, naming the kernel."""
    if not np.isfinite(values).all():
        raise ValueError(
            f"The kernel {kernel_params['kernel']!r} has values that are not finite or overflow "
            "on these rows. Lower gamma or degree, or scale the features first."
        )
    return values


def mmd_test(
    X: ArrayLike,
    Y: ArrayLike,
    *,
    kernel: str | Callable[..., Any] = "rbf",
    gamma: float | Literal["median", "scale"] = "median",
    degree: float = 3,
    coef0: float = 1.0,
    unbiased: bool = True,
    n_permutations: int = 199,
    random_state: RandomState = None,
) -> tuple[float, float]:
    """Test whether two samples come from one distribution, by permuting the MMD.

    If nothing differs, the rows could as well have been assigned to the samples at random. The test
    repeats that many times and counts how often the discrepancy becomes as large as the given one.

    Parameters
    ----------
    X : array-like of shape (n_samples_X, n_features)
        First sample.
    Y : array-like of shape (n_samples_Y, n_features)
        Second sample.
    kernel, gamma, degree, coef0 : object
        As in :func:`mmd`.
    unbiased : bool, default=True
        As in :func:`mmd`.
    n_permutations : int, default=199
        Number of random reassignments of the rows. The least p-value is
        1/(``n_permutations`` + 1).
    random_state : int, RandomState instance or None, default=None
        Seed of the reassignments.

    Returns
    -------
    statistic : float
        Squared discrepancy.
    pvalue : float
        Proportion of assignments, the given one included, whose discrepancy is as large. Small
        values are evidence against one distribution.

    Raises
    ------
    ValueError
        If the numbers of features differ, a sample is too small, a parameter is out of range, or
        the values of X and Y overflow when squared.

    See Also
    --------
    mmd : The statistic alone.
    classifier_two_sample_test : By whether a classifier can tell the samples apart.
    skda.inspection.feature_shift : Feature by feature.

    Notes
    -----
    The level is exact for any sample size, since rows of one distribution are exchangeable. The
    kernel matrix K is visited once for all permutations: aᵀKa for the columns of one indicator
    matrix. Cost O((n_X + n_Y)² (d + B)) time and O((n_X + n_Y)(d + B)) memory for B
    permutations. Runs wholly in the Python array API, on the device of X.

    References
    ----------
    .. [1] Gretton, A., Borgwardt, K., Rasch, M., Schölkopf, B., Smola, A. (2012). A kernel
       two-sample test. JMLR 13. https://www.jmlr.org/papers/v13/gretton12a.html

    Examples
    --------
    >>> import numpy as np
    >>> from skda.metrics import mmd_test
    >>> rng = np.random.default_rng(0)
    >>> X, Y = rng.normal(size=(40, 2)), rng.normal(size=(40, 2)) + 1.0
    >>> mmd_test(X, Y, random_state=0).pvalue
    0.005
    """
    check_integer("n_permutations", n_permutations)
    Z, in_X, kernel_params = _stacked(X, Y, kernel, gamma, degree, coef0, unbiased)
    rng = check_random_state(random_state)
    # One pass over the kernel matrix serves all permutations: it costs more than they do.
    groups = np.stack([in_X, *(rng.permutation(in_X) for _ in range(n_permutations))], axis=1)
    values = _finite(squared_mmds(Z, groups, unbiased=unbiased, **kernel_params), kernel_params)
    # Rounding must not decide between an assignment and its equal.
    slack = 8 * float(namespace(Z).finfo(Z.dtype).eps)
    as_large = int((values[1:] >= values[0] - slack).sum())
    return TwoSampleTestResult(float(values[0]), (1 + as_large) / (n_permutations + 1))
