"""Distances between two samples: energy, Wasserstein and its slices, covariances."""

from __future__ import annotations

import numpy as np
from sklearn.utils import check_random_state

from .._array._backend import as_like, backend_of, itemsize, namespace, to_numpy
from .._array._rows import row_tiles
from .._array._warnings import warn_user
from .._core._param_checks import check_integer, check_real
from .._core._typing import ArrayLike, RandomState
from .._numerics._covariance import covariance
from .._numerics._kernels import pairwise_sq_dists
from ._samples import two_samples, two_samples_on_host

# Of one tile of distances: in the cache of most processors, and large beside its overhead.
_TILE_BYTES = 8 * 2**20

# Memory of an exact plan above which a warning is issued: about 8,000 rows a sample.
_WARN_BYTES = 2**30


def mean_distance(X, Y=None):
    """Return the mean Euclidean distance over all pairs of rows, in tiles."""
    xp, symmetric = namespace(X), Y is None
    Y = X if symmetric else Y
    side = int((_TILE_BYTES / itemsize(X)) ** 0.5)
    total = 0.0
    for across in row_tiles(X.shape[0], 1, tile_bytes=side, least=1):
        for down in row_tiles(Y.shape[0], 1, tile_bytes=side, least=1):
            if symmetric and down.start < across.start:
                continue  # counted with its mirror image
            same = symmetric and down.start == across.start
            D = pairwise_sq_dists(X[across, :], None if same else Y[down, :])
            if same:  # the squared distance of a row to itself is rounding, its root is not
                n = D.shape[0]
                D = xp.where(xp.eye(n, dtype=xp.bool, device=D.device), xp.zeros_like(D), D)
            total += float(xp.sum(xp.sqrt(D))) * (2 if symmetric and not same else 1)
    return total / (X.shape[0] * Y.shape[0])


def energy_distance(X: ArrayLike, Y: ArrayLike) -> float:
    """Measure the energy distance between two samples.

    Rows of different samples lie further apart on average than rows of the same sample, unless
    both come from one distribution. The distance compares these averages.

    Parameters
    ----------
    X : array-like of shape (n_samples_X, n_features)
        First sample.
    Y : array-like of shape (n_samples_Y, n_features)
        Second sample.

    Returns
    -------
    distance : float
        In the square root of the units of the features; 0 for equal samples.

    See Also
    --------
    mmd : The same idea with a kernel; this one has no bandwidth to choose.
    sliced_wasserstein_distance : Cheaper for many rows.

    Notes
    -----
    D = (2 E‖x − y‖ − E‖x − x′‖ − E‖y − y′‖)^{1/2} over all pairs of rows, as
    :func:`scipy.stats.energy_distance` for one feature. It is 0 only for equal distributions.
    Features of larger scale count more: standardize first. Cost O((n_X + n_Y)² d), in tiles.
    Runs wholly in the Python array API, on the device of X.

    References
    ----------
    .. [1] Székely, G., Rizzo, M. (2013). Energy statistics: a class of statistics based on
       distances. JSPI 143(8). https://doi.org/10.1016/j.jspi.2013.03.018

    Examples
    --------
    >>> import numpy as np
    >>> from skda.metrics import energy_distance
    >>> X = np.array([[0.0], [1.0], [2.0]])
    >>> round(energy_distance(X, X + 1.0), 4)
    0.8165
    """
    X, Y = two_samples(X, Y)
    squared = 2 * mean_distance(X, Y) - mean_distance(X) - mean_distance(Y)
    return float(max(squared, 0.0) ** 0.5)  # rounding can make the difference negative


def coral_distance(X: ArrayLike, Y: ArrayLike) -> float:
    """Measure how far apart the covariances of two samples are.

    The loss that CORAL methods make small: it sees how features spread and go together, and
    ignores where they are centered.

    Parameters
    ----------
    X : array-like of shape (n_samples_X, n_features)
        First sample, at least two rows.
    Y : array-like of shape (n_samples_Y, n_features)
        Second sample, at least two rows.

    Returns
    -------
    distance : float
        0 for equal covariances, whatever else differs; in the fourth power of the units of X.

    See Also
    --------
    skda.CORALTransformer : Makes the covariances equal.

    Notes
    -----
    ‖C_X − C_Y‖_F² / (4 d²), the loss of deep CORAL. Means do not count. Cost O((n_X + n_Y) d²).
    Runs wholly in the Python array API, on the device of X.

    References
    ----------
    .. [1] Sun, B., Saenko, K. (2016). Deep CORAL: correlation alignment for deep domain
       adaptation. ECCV workshops. arXiv:1607.01719.

    Examples
    --------
    >>> import numpy as np
    >>> from skda.metrics import coral_distance
    >>> X = np.array([[0.0], [1.0], [2.0]])
    >>> coral_distance(X, 2.0 * X)
    2.25
    """
    X, Y = two_samples(X, Y, min_samples=2, power=4)
    difference = covariance(X) - covariance(Y)
    xp = namespace(X)
    return float(xp.sum(difference * difference)) / (4 * X.shape[1] ** 2)


def line_wasserstein(X, Y, p):
    """Return W_p^p of each column of X and Y, (n_columns,): exact, for any two sample sizes."""
    xp, n, m = namespace(X), X.shape[0], Y.shape[0]
    X, Y = xp.sort(X, axis=0), xp.sort(Y, axis=0)
    if n == m:
        return xp.mean(xp.abs(X - Y) ** p, axis=0)
    # Both quantile functions are constant between the merged steps i/n and j/m, which are
    # compared as integers.
    # Fractions would differ by rounding where they should be equal.
    steps = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)
    widths = np.diff(steps, prepend=0) / (n * m)
    left = steps - 1
    backend = backend_of(X)
    at_x, at_y = (backend.asarray(left // size) for size in (m, n))
    gaps = xp.abs(xp.take(X, at_x, axis=0) - xp.take(Y, at_y, axis=0)) ** p
    return as_like(widths, X) @ gaps


def sliced_wasserstein_distance(
    X: ArrayLike,
    Y: ArrayLike,
    *,
    p: float = 2,
    n_projections: int = 100,
    random_state: RandomState = None,
) -> float:
    """Measure the Wasserstein distance between random one-dimensional views of two samples.

    Moving one sample onto the other is a sort in one dimension and expensive in many. This distance
    projects both samples on random directions and averages over those.

    Parameters
    ----------
    X : array-like of shape (n_samples_X, n_features)
        First sample.
    Y : array-like of shape (n_samples_Y, n_features)
        Second sample.
    p : float, default=2
        Order of the distance, at least 1. Raising it gives more weight to rows that move far.
    n_projections : int, default=100
        Number of random directions. More of them make the estimate vary less.
    random_state : int, RandomState instance or None, default=None
        Seed of the directions.

    Returns
    -------
    distance : float
        In the units of the features.

    See Also
    --------
    wasserstein_distance : The distance itself, for samples of a few thousand rows.
    energy_distance : Without random directions.

    Notes
    -----
    (mean over directions θ of W_p^p(Xθ, Yθ))^{1/p}, each exact by sorting, for any two sample
    sizes. Cost O(n d L + n L log n) for L directions. Runs wholly in the Python array API, on the
    device of X; directions come from NumPy's generator, so that a seed means the same
    everywhere.

    References
    ----------
    .. [1] Bonneel, N., Rabin, J., Peyré, G., Pfister, H. (2015). Sliced and Radon Wasserstein
       barycenters of measures. JMIV 51. https://doi.org/10.1007/s10851-014-0506-3

    Examples
    --------
    >>> import numpy as np
    >>> from skda.metrics import sliced_wasserstein_distance
    >>> X = np.array([[0.0], [1.0], [2.0]])
    >>> sliced_wasserstein_distance(X, X + 1.0, random_state=0)
    1.0
    """
    p = check_real("p", p, low=1)
    check_integer("n_projections", n_projections)
    X, Y = two_samples(X, Y, power=p)
    directions = check_random_state(random_state).normal(size=(X.shape[1], n_projections))
    directions /= np.linalg.norm(directions, axis=0)
    directions = as_like(directions, X)  # NumPy's generator: the same directions on every device
    values = line_wasserstein(X @ directions, Y @ directions, p)
    return float(namespace(X).mean(values)) ** (1 / p)


def wasserstein_distance(X: ArrayLike, Y: ArrayLike, *, p: float = 2) -> float:
    """Measure the Wasserstein distance: the least cost of moving one sample onto the other.

    Each row of one sample is moved to rows of the other; the distance is the mean way that rows
    move under the best such assignment. It grows in proportion to a shift, however far.

    Parameters
    ----------
    X : array-like of shape (n_samples_X, n_features)
        First sample.
    Y : array-like of shape (n_samples_Y, n_features)
        Second sample.
    p : float, default=2
        Order of the distance, at least 1. Raising it gives more weight to rows that move far.

    Returns
    -------
    distance : float
        In the units of the features; 0 for equal samples.

    Raises
    ------
    MemoryError
        If the memory does not suffice; the message names the amount.

    See Also
    --------
    sliced_wasserstein_distance : For large samples.
    energy_distance : In O(n) memory.

    Notes
    -----
    (min over couplings π of Σ π_ij ‖x_i − y_j‖^p)^{1/p}, all rows of a sample weighing the same.
    Exact by the network simplex of POT, in NumPy on the host, with about 16 n_X n_Y bytes of memory
    and a time that grows between quadratically and cubically: meant for a few thousand rows, and a
    warning names the memory when it exceeds 1 GiB. One feature is sorted instead. In high dimension
    it is biased upwards by the sample size.

    References
    ----------
    .. [1] Peyré, G., Cuturi, M. (2019). Computational optimal transport. Foundations and Trends
       in Machine Learning 11. arXiv:1803.00567.

    Examples
    --------
    >>> import numpy as np
    >>> from skda.metrics import wasserstein_distance
    >>> X = np.array([[0.0, 0.0], [1.0, 0.0]])
    >>> round(wasserstein_distance(X, X + 1.0), 4)
    1.4142
    """
    p = check_real("p", p, low=1)
    X, Y = two_samples_on_host(X, Y, power=max(p, 2))
    if X.shape[1] == 1:  # sorting solves it exactly, without the costs of all pairs
        return float(line_wasserstein(X, Y, p)[0]) ** (1 / p)
    memory = 2 * 8 * X.shape[0] * Y.shape[0]  # the costs and the plan, in float64
    advice = (
        f"wasserstein_distance of {X.shape[0]} and {Y.shape[0]} rows needs about "
        f"{memory / 2**30:.1f} GiB of memory. Use sliced_wasserstein_distance, or a random part "
        "of the rows."
    )
    if memory > _WARN_BYTES:
        warn_user(advice)
    try:
        return _transport_cost(X, Y, p) ** (1 / p)
    except MemoryError as error:
        raise MemoryError(advice) from error


# The network simplex ends at the optimum; POT's default of 100,000 steps is too few for it.
_MAX_SIMPLEX_STEPS = 10_000_000


def _transport_cost(X, Y, p):
    """Return the least mean of ‖x − y‖^p over couplings of the rows of X and Y."""
    from ot import emd2  # here: the other distances do without POT

    cost = np.asarray(to_numpy(pairwise_sq_dists(X, Y)), dtype=np.float64)
    if p != 2:  # in place: one matrix of costs at a time
        cost **= p / 2
    weights = [np.full(Z.shape[0], 1 / Z.shape[0]) for Z in (X, Y)]
    return float(max(emd2(*weights, cost, numItermax=_MAX_SIMPLEX_STEPS), 0.0))
