"""Two-dimensional data in which exactly one thing differs between source and target.

The geometry is that of the field's simulated benchmark [1]_: a wide uniform ellipse of one class,
with four small clusters of the other class on its rim; for the subspace shift, one Gaussian between
two small clusters. With `shuffle` off random numbers are drawn in the benchmark's order, so that a
seed gives the benchmark's rows (in the subspace shift, after those that the benchmark discards).

References
----------
.. [1] Lalou, Y. et al. (2024). SKADA-Bench: benchmarking unsupervised domain adaptation methods
       with realistic validation. arXiv:2407.11676.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from sklearn.utils import check_random_state

from .._core._param_checks import check_bool, check_integer, check_option, check_real
from .._core._stack import stack_domains
from .._core._typing import ArrayLike, RandomState

# More than data of two features serve for, so that a larger number is a typing error.
_MAX_SAMPLES = 10**7
_GROUP_HINT = "Each group of the simulation needs a row."

# The target of a shift is chosen among so many times its rows. Weights are steep, and a class may
# be asked for up to all rows.
_CANDIDATES_COVARIATE, _CANDIDATES_LABEL = 100, 3

# Linear map and center of each group of rows, the weight of its size, and its class.
RIM = (
    ([[2.0, -0.5], [-0.5, 2.0]], [2.0, 2.0], 4, 0),
    ([[0.15, 0.0], [0.0, 0.3]], [-1.5, 3.0], 1, 1),
    ([[0.2, -0.1], [-0.1, 0.2]], [-0.5, 1.0], 1, 2),
    ([[0.17, -0.05], [-0.05, 0.17]], [1.0, -0.4], 1, 3),
    ([[0.3, 0.0], [0.0, 0.15]], [3.0, -1.0], 1, 4),
)
BETWEEN = (
    ([[0.5, 0.0], [0.0, 0.5]], [-1.0, 1.0], 2, 0),
    ([[0.1, 0.0], [0.0, 0.1]], [1.5, 0.5], 1, 1),
    ([[0.2, 0.0], [0.0, 0.2]], [-0.5, -1.5], 1, 1),
)
# A third class, further out along (1, 1) on both sides.
OUTSIDE = (
    ([[0.1, 0.0], [0.0, 0.1]], [3.5, 0.5], 1, 2),
    ([[0.2, 0.0], [0.0, 0.2]], [-0.5, -3.5], 1, 2),
)


def _check_options(task, shuffle, n_samples_source, n_samples_target, groups):
    """Raise unless the parameters that all generators share are of use."""
    check_option("task", task, ("binary", "multiclass", "regression"))
    check_bool("shuffle", shuffle)
    least = sum(weight for _, _, weight, _ in groups)
    for name, n_samples in (
        ("n_samples_source", n_samples_source),
        ("n_samples_target", n_samples_target),
    ):
        check_integer(name, n_samples, low=least, high=_MAX_SAMPLES, hint=_GROUP_HINT)


def _check_pair(name, value, *, low=None):
    """Return one number or two as an array of shape (2,), finite and at least `low`."""
    values = [value, value] if np.ndim(value) == 0 else list(value)
    if len(values) != 2:
        raise ValueError(f"{name} must be a number or two; got {value!r}.")
    return np.array([check_real(name, one, low=low) for one in values])


def _group_sizes(groups, n_samples):
    """Split `n_samples` by the groups' weights; what does not divide goes to the first."""
    weights = np.array([weight for _, _, weight, _ in groups])
    sizes = n_samples * weights // weights.sum()
    sizes[0] += n_samples - sizes.sum()  # the first group is the largest
    return sizes


def _unit_disc(n_samples, rng):
    angle = 2 * np.pi * rng.uniform(size=n_samples)
    radius = np.sqrt(rng.uniform(size=n_samples))  # the area within a radius grows as its square
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _simulate_groups(groups, n_samples, rng, *, disc_first=False):
    """Return the rows of all groups, and the class of each."""
    sizes = _group_sizes(groups, n_samples)
    rows = [
        (_unit_disc(size, rng) if disc_first and i == 0 else rng.normal(size=(size, 2)))
        @ np.array(groups[i][0])
        + np.array(groups[i][1])
        for i, size in enumerate(sizes)
    ]
    return np.concatenate(rows), np.repeat([group[3] for group in groups], sizes)


def _simulate_rim(n_samples, task, rng):
    """Return ellipse and rim; in regression, the height of a bump over the plane's lower left."""
    X, classes = _simulate_groups(RIM, n_samples, rng, disc_first=True)
    if task == "regression":
        return X, 10 * np.exp(-0.25 * np.sum(X**2, axis=1))
    return X, np.minimum(classes, 1) if task == "binary" else classes


def _simulate_between(n_samples, task, rng):
    """Return groups separated by the distance from the line x₁ + x₂ = 0, whatever its sign."""
    X, classes = _simulate_groups(BETWEEN + OUTSIDE * (task == "multiclass"), n_samples, rng)
    if task == "regression":
        return X, 10 * np.exp(-0.125 * np.sum(X, axis=1) ** 2)
    return X, classes


def _finish(source, target, noise, shuffle, rng):
    """Add noise to both domains, mix the rows within each, and stack them."""
    domains = []
    for (X, y), scale in zip((source, target), noise, strict=True):
        # Random numbers that are not needed are not drawn: a seed gives the benchmark's rows.
        domains.append((X + rng.normal(scale=scale, size=X.shape) if scale else X, y))
    if shuffle:
        orders = [rng.permutation(len(y)) for _, y in domains]
        domains = [(X[order], y[order]) for (X, y), order in zip(domains, orders, strict=True)]
    (X_source, y_source), (X_target, y_target) = domains
    return stack_domains(X_source, y_source, X_target, y_target)


def make_covariate_shift(
    n_samples_source: int = 800,
    n_samples_target: int = 800,
    *,
    task: Literal["binary", "multiclass", "regression"] = "binary",
    center: ArrayLike = (0.0, 2.0),
    gamma: float = 2.0,
    noise: float | tuple[float, float] = 0.0,
    shuffle: bool = True,
    random_state: RandomState = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Take target rows from one corner of the source: P(X) differs, P(y | X) does not.

    Covariate shift: rows lie elsewhere, and a row at a given place has the same label in both
    domains. Source rows lie in an ellipse of one class with four clusters of the other on its rim.
    Target rows are simulated likewise and chosen through a Gaussian window.

    Parameters
    ----------
    n_samples_source, n_samples_target : int, default=800
        Number of rows of each domain, from 8 to 10⁷.
    task : {"binary", "multiclass", "regression"}, default="binary"
        Ellipse against clusters; ellipse and each cluster a class of its own (0 to 4); or a smooth
        function of the features.
    center : array-like of shape (2,), default=(0.0, 2.0)
        Where the target's window lies.
    gamma : float, default=2.0
        A row at distance r from `center` enters the target with weight exp(-gamma r²). Larger
        values make a narrower target; 0 leaves no shift.
    noise : float or pair of floats, default=0.0
        Standard deviation of Gaussian noise on the features, after the labels are fixed; a pair
        is for source and target.
    shuffle : bool, default=True
        Whether to mix the rows within each domain. They are in the order of the groups otherwise.
    random_state : int, RandomState instance or None, default=None
        Seed of the simulation.

    Returns
    -------
    X : ndarray of shape (n_samples_source + n_samples_target, 2)
        Source rows, then target rows.
    y : ndarray of shape (n_samples_source + n_samples_target,)
        Labels of all rows, the target's included.
    sample_domain : ndarray of shape (n_samples_source + n_samples_target,)
        1 for source rows, -2 for target rows.

    Raises
    ------
    ValueError
        If a parameter is out of range, a domain has fewer rows than groups, or the window is so far
        out or so narrow that it holds too few rows.

    See Also
    --------
    make_label_shift : P(y) differs.
    make_conditional_shift : P(y | X) differs.
    make_subspace_shift : Only one direction keeps its meaning.

    Notes
    -----
    A hundred rows are simulated for each target row, to choose from. The settings of the published
    benchmark [1]_ are ``noise=0.6``, ``center=(-0.4, 3)``, seeds 0
    to 4.

    References
    ----------
    .. [1] Lalou, Y. et al. (2024). SKADA-Bench: benchmarking unsupervised domain adaptation
           methods with realistic validation. arXiv:2407.11676.

    Examples
    --------
    >>> from skda.datasets import make_covariate_shift
    >>> X, y, sample_domain = make_covariate_shift(random_state=0)
    >>> X[sample_domain > 0].mean(axis=0).round(1), X[sample_domain < 0].mean(axis=0).round(1)
    (array([1.3, 1.3]), array([0.2, 1.9]))
    """
    _check_options(task, shuffle, n_samples_source, n_samples_target, RIM)
    check_real("gamma", gamma, low=0)
    window, noise = _check_pair("center", center), _check_pair("noise", noise, low=0)
    rng = check_random_state(random_state)
    source = _simulate_rim(n_samples_source, task, rng)
    X, y = _simulate_rim(_CANDIDATES_COVARIATE * n_samples_target, task, rng)
    weights = np.exp(-gamma * np.sum((X - window) ** 2, axis=1))
    if np.count_nonzero(weights) < n_samples_target:  # weights underflow far from the center
        raise ValueError(
            f"gamma={gamma!r} and center={center!r} leave fewer than n_samples_target="
            f"{n_samples_target} rows to choose from. Lower gamma, or move center to where source "
            "rows are."
        )
    chosen = rng.choice(len(y), size=n_samples_target, replace=False, p=weights / weights.sum())
    return _finish(source, (X[chosen], y[chosen]), noise, shuffle, rng)


def make_label_shift(
    n_samples_source: int = 800,
    n_samples_target: int = 800,
    *,
    task: Literal["binary", "multiclass", "regression"] = "binary",
    ratio: float = 0.9,
    noise: float | tuple[float, float] = 0.0,
    shuffle: bool = True,
    random_state: RandomState = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Change how common the first class is: P(y) differs, P(X | y) does not.

    Label shift: class proportions change, and rows of a class look the same in both domains. Half
    of the source rows are of class 0, the ellipse; in the target its proportion is `ratio`.

    Parameters
    ----------
    n_samples_source, n_samples_target : int, default=800
        Number of rows of each domain, from 8 to 10⁷.
    task : {"binary", "multiclass", "regression"}, default="binary"
        Ellipse against clusters; ellipse and each cluster a class of its own (0 to 4); or a smooth
        function of the features.
    ratio : float, default=0.9
        Proportion of class 0 among the target rows, in [0, 1]; 0.5 leaves no shift. In regression,
        the proportion of rows with a label below the median.
    noise : float or pair of floats, default=0.0
        Standard deviation of Gaussian noise on the features, after the labels are fixed; a pair
        is for source and target.
    shuffle : bool, default=True
        Whether to mix the rows within each domain. They are in the order of the groups otherwise.
    random_state : int, RandomState instance or None, default=None
        Seed of the simulation.

    Returns
    -------
    X : ndarray of shape (n_samples_source + n_samples_target, 2)
        Source rows, then target rows.
    y : ndarray of shape (n_samples_source + n_samples_target,)
        Labels of all rows, the target's included.
    sample_domain : ndarray of shape (n_samples_source + n_samples_target,)
        1 for source rows, -2 for target rows.

    Raises
    ------
    ValueError
        If a parameter is out of range or a domain has fewer rows than groups.

    See Also
    --------
    make_covariate_shift : P(X) differs.
    make_conditional_shift : P(y | X) differs.
    make_subspace_shift : Only one direction keeps its meaning.

    Notes
    -----
    The setting of the published benchmark [1]_ is ``noise=0.8``, seeds 0 to 4.

    References
    ----------
    .. [1] Lalou, Y. et al. (2024). SKADA-Bench: benchmarking unsupervised domain adaptation
           methods with realistic validation. arXiv:2407.11676.

    Examples
    --------
    >>> from skda.datasets import make_label_shift
    >>> X, y, sample_domain = make_label_shift(random_state=0)
    >>> float((y[sample_domain > 0] == 0).mean()), float((y[sample_domain < 0] == 0).mean())
    (0.5, 0.9)
    """
    _check_options(task, shuffle, n_samples_source, n_samples_target, RIM)
    check_real("ratio", ratio, low=0, high=1)
    noise = _check_pair("noise", noise, low=0)
    rng = check_random_state(random_state)
    source = _simulate_rim(n_samples_source, task, rng)
    X, y = _simulate_rim(_CANDIDATES_LABEL * n_samples_target, task, rng)
    # A regression target has no classes; its lower half stands for the first one.
    first = y < np.median(y) if task == "regression" else y == 0
    n_first = int(n_samples_target * ratio)
    chosen = np.concatenate(
        [
            rng.choice(np.flatnonzero(first), size=n_first, replace=False),
            rng.choice(np.flatnonzero(~first), size=n_samples_target - n_first, replace=False),
        ]
    )
    return _finish(source, (X[chosen], y[chosen]), noise, shuffle, rng)


def make_conditional_shift(
    n_samples_source: int = 800,
    n_samples_target: int = 800,
    *,
    task: Literal["binary", "multiclass", "regression"] = "binary",
    scale: float | ArrayLike = 0.7,
    offset: float | ArrayLike = 1.0,
    noise: float | tuple[float, float] = 0.0,
    shuffle: bool = True,
    random_state: RandomState = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shrink and move the target's rows, labels and all: P(y | X) differs.

    Conditional (concept) shift: the label at a given place changes. A target row is
    ``scale * x + offset`` of a row x simulated as the source's are, with x's label.

    Parameters
    ----------
    n_samples_source, n_samples_target : int, default=800
        Number of rows of each domain, from 8 to 10⁷.
    task : {"binary", "multiclass", "regression"}, default="binary"
        Ellipse against clusters; ellipse and each cluster a class of its own (0 to 4); or a smooth
        function of the features.
    scale : float or array-like of shape (2,), default=0.7
        Factor on the target's features; 1 leaves them.
    offset : float or array-like of shape (2,), default=1.0
        Added to the target's features; 0 leaves them.
    noise : float or pair of floats, default=0.0
        Standard deviation of Gaussian noise on the features, after the labels are fixed; a pair
        is for source and target.
    shuffle : bool, default=True
        Whether to mix the rows within each domain. They are in the order of the groups otherwise.
    random_state : int, RandomState instance or None, default=None
        Seed of the simulation.

    Returns
    -------
    X : ndarray of shape (n_samples_source + n_samples_target, 2)
        Source rows, then target rows.
    y : ndarray of shape (n_samples_source + n_samples_target,)
        Labels of all rows, the target's included.
    sample_domain : ndarray of shape (n_samples_source + n_samples_target,)
        1 for source rows, -2 for target rows.

    Raises
    ------
    ValueError
        If a parameter is out of range or a domain has fewer rows than groups.

    See Also
    --------
    make_covariate_shift : P(X) differs.
    make_label_shift : P(y) differs.
    make_subspace_shift : Only one direction keeps its meaning.

    Notes
    -----
    The setting of the published benchmark [1]_, which calls this concept drift, is ``noise=0.8``,
    seeds 0 to 4.

    References
    ----------
    .. [1] Lalou, Y. et al. (2024). SKADA-Bench: benchmarking unsupervised domain adaptation
           methods with realistic validation. arXiv:2407.11676.

    Examples
    --------
    >>> from skda.datasets import make_conditional_shift
    >>> X, y, sample_domain = make_conditional_shift(scale=0.5, random_state=0)
    >>> (X[sample_domain < 0].std(axis=0) / X[sample_domain > 0].std(axis=0)).round(1)
    array([0.5, 0.5])
    """
    _check_options(task, shuffle, n_samples_source, n_samples_target, RIM)
    scale, offset = _check_pair("scale", scale), _check_pair("offset", offset)
    noise = _check_pair("noise", noise, low=0)
    rng = check_random_state(random_state)
    source = _simulate_rim(n_samples_source, task, rng)
    X, y = _simulate_rim(n_samples_target, task, rng)
    return _finish(source, (X * scale + offset, y), noise, shuffle, rng)


def make_subspace_shift(
    n_samples_source: int = 1200,
    n_samples_target: int = 1200,
    *,
    task: Literal["binary", "multiclass", "regression"] = "binary",
    noise: float | tuple[float, float] = 0.0,
    shuffle: bool = True,
    random_state: RandomState = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Turn the target by half a turn: only distances along one direction keep their meaning.

    The classes differ in the size of ``x[0] + x[1]``, whose sign means nothing. A target row is
    ``-x`` of a row x simulated as the source's are, with x's label: a model of
    ``abs(x[0] + x[1])`` holds in both domains, and one that learnt the groups' places does worse
    than chance.

    Parameters
    ----------
    n_samples_source, n_samples_target : int, default=1200
        Number of rows of each domain, from 4 (with three classes 6) to 10⁷.
    task : {"binary", "multiclass", "regression"}, default="binary"
        Two classes, three, or a smooth function of ``x[0] + x[1]``.
    noise : float or pair of floats, default=0.0
        Standard deviation of Gaussian noise on the features, after the labels are fixed; a pair
        is for source and target.
    shuffle : bool, default=True
        Whether to mix the rows within each domain. They are in the order of the groups otherwise.
    random_state : int, RandomState instance or None, default=None
        Seed of the simulation.

    Returns
    -------
    X : ndarray of shape (n_samples_source + n_samples_target, 2)
        Source rows, then target rows.
    y : ndarray of shape (n_samples_source + n_samples_target,)
        Labels of all rows, the target's included.
    sample_domain : ndarray of shape (n_samples_source + n_samples_target,)
        1 for source rows, -2 for target rows.

    Raises
    ------
    ValueError
        If a parameter is out of range or a domain has fewer rows than groups.

    See Also
    --------
    make_covariate_shift : P(X) differs.
    make_label_shift : P(y) differs.
    make_conditional_shift : P(y | X) differs.

    Notes
    -----
    The setting of the published benchmark [1]_ is ``noise=0.4``, seeds 0 to 4.

    References
    ----------
    .. [1] Lalou, Y. et al. (2024). SKADA-Bench: benchmarking unsupervised domain adaptation
           methods with realistic validation. arXiv:2407.11676.

    Examples
    --------
    >>> from sklearn.svm import SVC
    >>> from skda.datasets import make_subspace_shift
    >>> X, y, sample_domain = make_subspace_shift(random_state=0)
    >>> source, target = sample_domain > 0, sample_domain < 0
    >>> round(SVC().fit(X[source], y[source]).score(X[target], y[target]), 2)
    0.02
    >>> size = abs(X.sum(axis=1, keepdims=True))
    >>> round(SVC().fit(size[source], y[source]).score(size[target], y[target]), 2)
    0.97
    """
    groups = BETWEEN + OUTSIDE * (task == "multiclass")
    _check_options(task, shuffle, n_samples_source, n_samples_target, groups)
    noise = _check_pair("noise", noise, low=0)
    rng = check_random_state(random_state)
    source = _simulate_between(n_samples_source, task, rng)
    X, y = _simulate_between(n_samples_target, task, rng)
    return _finish(source, (-X, y), noise, shuffle, rng)
