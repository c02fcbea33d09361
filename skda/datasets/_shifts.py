"""Two-dimensional data in which exactly one thing differs between source and target.

The geometry is that of the field's simulated benchmark [1]_: a wide uniform ellipse of one class,
with four small clusters of the other class on its rim; for the subspace shift, one Gaussian between
two small clusters. With `shuffle` off the draws come in the benchmark's order, so that a seed gives
the benchmark's rows (in the subspace shift, after the draws that the benchmark throws away there).

References
----------
.. [1] Lalou, Y. et al. (2024). SKADA-Bench: benchmarking unsupervised domain adaptation methods
       with realistic validation. arXiv:2407.11676.
"""

import numpy as np
from sklearn.utils import check_random_state

from .._core._stack import stack_domains

# Linear map and center of each group of rows, the share of the rows it has, and its class.
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


def _check_task(task):
    tasks = ("binary", "multiclass", "regression")
    if task not in tasks:
        raise ValueError(f"task must be one of {tasks}; got {task!r}.")


def _noise_of_each(noise):
    """Standard deviations for source and target from one number or two."""
    scales = np.asarray(noise, dtype=float)
    if scales.shape not in {(), (2,)} or not np.all(scales >= 0):
        raise ValueError(
            "noise must be a standard deviation >= 0, or one for the source and one for the "
            f"target; got {noise!r}."
        )
    return np.broadcast_to(scales, 2)


def _group_sizes(groups, n_samples):
    """Split `n_samples` by the groups' shares; what does not divide goes to the first."""
    shares = np.array([share for _, _, share, _ in groups])
    sizes = n_samples * shares // shares.sum()
    if sizes.min() < 1:
        raise ValueError(
            f"n_samples_source and n_samples_target must be at least {shares.sum()}, one row for "
            f"each group of the drawing; got {n_samples}."
        )
    sizes[0] += n_samples - sizes.sum()
    return sizes


def _unit_disc(n_samples, rng):
    angle = 2 * np.pi * rng.uniform(size=n_samples)
    radius = np.sqrt(rng.uniform(size=n_samples))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _draw_groups(groups, n_samples, rng, *, disc_first=False):
    """Rows of all groups, and the class of each."""
    sizes = _group_sizes(groups, n_samples)
    rows = [
        (_unit_disc(size, rng) if disc_first and i == 0 else rng.normal(size=(size, 2)))
        @ np.array(groups[i][0])
        + np.array(groups[i][1])
        for i, size in enumerate(sizes)
    ]
    return np.concatenate(rows), np.repeat([group[3] for group in groups], sizes)


def _draw_rim(n_samples, task, rng):
    """Ellipse and rim; in regression, the height of a bump over the lower left of the plane."""
    X, classes = _draw_groups(RIM, n_samples, rng, disc_first=True)
    if task == "regression":
        return X, 10 * np.exp(-0.25 * np.sum(X**2, axis=1))
    return X, np.minimum(classes, 1) if task == "binary" else classes


def _draw_between(n_samples, task, rng):
    """Groups told apart by the distance from the line x₁ + x₂ = 0, whatever their sign."""
    X, classes = _draw_groups(BETWEEN + OUTSIDE * (task == "multiclass"), n_samples, rng)
    if task == "regression":
        return X, 10 * np.exp(-0.125 * np.sum(X, axis=1) ** 2)
    return X, classes


def _finish(source, target, noise, shuffle, rng):
    """Blur both domains, mix the rows within each, and stack them."""
    domains = []
    for (X, y), scale in zip((source, target), _noise_of_each(noise), strict=True):
        domains.append((X + rng.normal(scale=scale, size=X.shape) if scale else X, y))
    if shuffle:
        orders = [rng.permutation(len(y)) for _, y in domains]
        domains = [(X[order], y[order]) for (X, y), order in zip(domains, orders, strict=True)]
    (X_source, y_source), (X_target, y_target) = domains
    return stack_domains(X_source, y_source, X_target, y_target)


def make_covariate_shift(
    n_samples_source=800,
    n_samples_target=800,
    *,
    task="binary",
    center=(0.0, 2.0),
    gamma=2.0,
    noise=0.0,
    shuffle=True,
    random_state=None,
):
    """Draw target rows from one corner of the source: P(X) differs, P(y | X) does not.

    Source rows lie in an ellipse of one class with four clusters of the other on its rim. Target
    rows come from the same drawing, seen through a Gaussian window.

    Parameters
    ----------
    n_samples_source, n_samples_target : int, default=800
        Number of rows of each domain, at least 8.
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
        Seed of the drawing.

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
        If `task` is unknown, `noise` is negative, a domain has fewer rows than groups, or the
        window is so far out or so narrow that it holds too few rows.

    See Also
    --------
    make_label_shift : P(y) differs.
    make_conditional_shift : P(y | X) differs.
    make_subspace_shift : Only one direction keeps its meaning.

    Notes
    -----
    The settings of the published benchmark [1]_ are ``noise=0.6``, ``center=(-0.4, 3)``, seeds 0
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
    _check_task(task)
    rng = check_random_state(random_state)
    source = _draw_rim(n_samples_source, task, rng)
    X, y = _draw_rim(100 * n_samples_target, task, rng)
    weights = np.exp(-gamma * np.sum((X - np.asarray(center)) ** 2, axis=1))
    if np.count_nonzero(weights) < n_samples_target:
        raise ValueError(
            f"gamma={gamma!r} and center={center!r} leave fewer than n_samples_target="
            f"{n_samples_target} rows to choose from. Lower gamma, or move center to where source "
            "rows are."
        )
    chosen = rng.choice(len(y), size=n_samples_target, replace=False, p=weights / weights.sum())
    return _finish(source, (X[chosen], y[chosen]), noise, shuffle, rng)


def make_label_shift(
    n_samples_source=800,
    n_samples_target=800,
    *,
    task="binary",
    ratio=0.9,
    noise=0.0,
    shuffle=True,
    random_state=None,
):
    """Change how common the first class is: P(y) differs, P(X | y) does not.

    Half of the source rows are of class 0, the ellipse. In the target it is a share `ratio`.

    Parameters
    ----------
    n_samples_source, n_samples_target : int, default=800
        Number of rows of each domain, at least 8.
    task : {"binary", "multiclass", "regression"}, default="binary"
        Ellipse against clusters; ellipse and each cluster a class of its own (0 to 4); or a smooth
        function of the features.
    ratio : float, default=0.9
        Share of class 0 among the target rows, in [0, 1]; 0.5 leaves no shift. In regression, the
        share of rows with a label below the median.
    noise : float or pair of floats, default=0.0
        Standard deviation of Gaussian noise on the features, after the labels are fixed; a pair
        is for source and target.
    shuffle : bool, default=True
        Whether to mix the rows within each domain. They are in the order of the groups otherwise.
    random_state : int, RandomState instance or None, default=None
        Seed of the drawing.

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
        If `task` is unknown, `ratio` is outside [0, 1], `noise` is negative or a domain has fewer
        rows than groups.

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
    _check_task(task)
    if not 0 <= ratio <= 1:
        raise ValueError(f"ratio must lie in [0, 1]; got {ratio!r}.")
    rng = check_random_state(random_state)
    source = _draw_rim(n_samples_source, task, rng)
    X, y = _draw_rim(3 * n_samples_target, task, rng)
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
    n_samples_source=800,
    n_samples_target=800,
    *,
    task="binary",
    scale=0.7,
    offset=1.0,
    noise=0.0,
    shuffle=True,
    random_state=None,
):
    """Shrink and move the target's rows, labels and all: P(y | X) differs.

    A target row is ``scale * x + offset`` of a row x drawn as the source's are, with x's label.

    Parameters
    ----------
    n_samples_source, n_samples_target : int, default=800
        Number of rows of each domain, at least 8.
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
        Seed of the drawing.

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
        If `task` is unknown, `noise` is negative or a domain has fewer rows than groups.

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
    _check_task(task)
    rng = check_random_state(random_state)
    source = _draw_rim(n_samples_source, task, rng)
    X, y = _draw_rim(n_samples_target, task, rng)
    return _finish(source, (X * scale + offset, y), noise, shuffle, rng)


def make_subspace_shift(
    n_samples_source=1200,
    n_samples_target=1200,
    *,
    task="binary",
    noise=0.0,
    shuffle=True,
    random_state=None,
):
    """Turn the target by half a turn: only distances along one direction keep their meaning.

    The classes differ in the size of ``x[0] + x[1]``, whose sign means nothing. A target row is
    ``-x`` of a row x drawn as the source's are, with x's label: a model of ``abs(x[0] + x[1])``
    holds in both domains, and one that learnt the groups' places does worse than chance.

    Parameters
    ----------
    n_samples_source, n_samples_target : int, default=1200
        Number of rows of each domain, at least 4, with three classes 6.
    task : {"binary", "multiclass", "regression"}, default="binary"
        Two classes, three, or a smooth function of ``x[0] + x[1]``.
    noise : float or pair of floats, default=0.0
        Standard deviation of Gaussian noise on the features, after the labels are fixed; a pair
        is for source and target.
    shuffle : bool, default=True
        Whether to mix the rows within each domain. They are in the order of the groups otherwise.
    random_state : int, RandomState instance or None, default=None
        Seed of the drawing.

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
        If `task` is unknown, `noise` is negative or a domain has fewer rows than groups.

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
    _check_task(task)
    rng = check_random_state(random_state)
    source = _draw_between(n_samples_source, task, rng)
    X, y = _draw_between(n_samples_target, task, rng)
    return _finish(source, (-X, y), noise, shuffle, rng)
