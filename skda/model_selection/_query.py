"""Which target rows to label next: to choose a model, to train one, or to measure one."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from sklearn.base import is_classifier
from sklearn.metrics import pairwise_distances_argmin_min
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state

from .._array._backend import is_foreign_array, to_numpy
from .._array._rows import n_rows, take_rows
from .._core._labels import as_labels, missing_labels
from .._core._param_checks import check_integer, check_option
from .._core._sample_domain import check_sample_domain
from .._core._typing import ArrayLike, DomainIds, RandomState
from ._guarded_search import GuardedSearchCV, call

GOALS = ("choose", "train", "measure")
# Of the draws of "measure": so no row has less than half the chance that it had among uniform ones,
# and no weight of an estimate is more than twice that of a plain mean.
_UNIFORM_PART = 0.5
_N_NEIGHBORS = 10  # whose distance says how dense the target is around a row
_POOL_PER_ROW = 5  # rows among which each of "train" is chosen: the most useful, not the outermost


class QueriedRows(NamedTuple):
    """Target rows to label, as :func:`query_rows` returns them."""

    indices: np.ndarray
    """Indices of the rows in X, the first to label first."""
    probabilities: np.ndarray | None
    """Probability with which each of them was drawn; None if they were not drawn at random."""
    scores: np.ndarray
    """How much each of them tells, by the measure of the goal."""
    n_pool: int
    """Number of rows that they were drawn from."""

    def mean(self, values):
        """Estimate the mean of a value over all rows of the pool, without bias.

        Parameters
        ----------
        values : array-like of shape (n,)
            Value of each queried row, for example whether a prediction is wrong. Values that are 0
            where models are good make the estimate more exact.

        Returns
        -------
        mean : float
            Sum of the values over their probabilities, divided by the number of rows of the pool
            (Horvitz and Thompson).
        """
        if self.probabilities is None:
            raise ValueError(
                "mean needs rows that were drawn at random; these were not. Query them with "
                "goal='measure'."
            )
        values = np.asarray(values, dtype=float)
        if values.shape != self.indices.shape:
            raise ValueError(
                f"values must have one entry per queried row, {len(self.indices)}; got shape "
                f"{values.shape}."
            )
        return float((values / self.probabilities).sum() / self.n_pool)


def query_rows(
    model: Any,
    X: ArrayLike,
    *,
    n: int,
    goal: Literal["choose", "train", "measure"] = "choose",
    y: ArrayLike | None = None,
    sample_domain: DomainIds | None = None,
    random_state: RandomState = None,
) -> QueriedRows:
    """Choose the target rows whose labels are worth most.

    To choose among models, label rows on which they disagree. To train one, label rows on which it
    is unsure, where the target is dense, and that differ from each other. To measure one, draw
    rows on which it may be wrong more often, with known probabilities, so that the estimate stays
    unbiased.

    Parameters
    ----------
    model : fitted estimator, or dict or list of fitted estimators
        For "choose" a :class:`GuardedSearchCV`, or several models: a dict or list of them, or an
        object whose ``estimators_`` is one, such as a voting ensemble.
    X : array-like of shape (n_samples, n_features)
        Rows that may be labeled. For "train" they must be numbers.
    n : int
        How many rows to label. Fewer come back if there are not so many that help.
    goal : {"choose", "train", "measure"}, default="choose"
        What the labels are for.
    y : array-like of shape (n_samples,) or None, default=None
        Labels so far: rows that have one are left out. Missing is NaN, None, or -1 among integers.
    sample_domain : array-like of int of shape (n_samples,), default=None
        Domain of each row; only target rows (< 0) come back. None: all are target rows.
    random_state : int, RandomState instance or None, default=None
        Draws the rows of "choose" and "measure".

    Returns
    -------
    rows : QueriedRows
        Named tuple of ``indices`` into X, ``probabilities`` with which they were drawn (None for
        "train"), ``scores`` and ``n_pool``, the number of rows that they come from; its method
        ``mean(values)`` estimates the mean of a value over that pool.

    Raises
    ------
    ValueError
        If a parameter is of no use, no target row is without a label, or "choose" has one model
        only.

    See Also
    --------
    GuardedSearchCV : Takes the labels, in ``update``.

    Notes
    -----
    "choose": uniform draws without replacement among the rows on which not all models predict the
    same (of a search, those that were not given up); scores are the proportion of models that
    differ from the first one (source-only in a search). Nothing but uniform draws keeps the tests
    of a search valid for every candidate.

    "train": scores are uncertainty (1 minus the largest class probability, or disagreement of the
    models) times density (inverse distance to the ten nearest target rows, relative to the
    largest); among the 5 n best, each next row has the largest score times distance from the rows
    chosen before and from those already labeled, in standardized features.

    "measure": inclusion probabilities are half uniform and half proportional to the square root
    of the probability of an error, 1 minus the largest class probability, or of the disagreement
    of the models; systematic sampling in random order draws exactly n rows with them. The estimate
    divides each value by its probability [1]_.

    References
    ----------
    .. [1] Horvitz & Thompson. A generalization of sampling without replacement from a finite
       universe. JASA 47, 1952. doi:10.1080/01621459.1952.10483446

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skda.model_selection import query_rows
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> models = [LogisticRegression().fit(X, X[:, 0] > at) for at in (0.0, 0.4)]
    >>> rows = query_rows(models, X, n=5, random_state=0)
    >>> X[rows.indices].min() > 0, X[rows.indices].max() < 0.5
    (np.True_, np.True_)
    """
    check_option("goal", goal, GOALS)
    n = check_integer("n", n)
    pool, labeled, ids = _pool(X, y, sample_domain)
    rows = take_rows(X, pool)
    # Without stated domains the models take all rows as target rows, whatever these are called.
    ids = None if sample_domain is None else ids[pool]
    models = _models_of(model)
    rng = check_random_state(random_state)
    if goal == "choose":
        scores = _disagreement(_to_choose_among(models, model), rows, ids)
        found, probabilities, n_pool = _draw_uniformly(scores, n, rng)
    else:
        doubt = _doubt(model, models, rows, ids)
        n_pool = len(pool)
        if goal == "measure":
            scores = np.sqrt(doubt)
            found, probabilities = _draw_by_score(scores, min(n, n_pool), rng)
        else:
            found, scores = _spread(rows, take_rows(X, labeled), doubt, min(n, n_pool))
            probabilities = None
    return QueriedRows(pool[found], probabilities, scores[found], n_pool)


def _pool(X, y, sample_domain):
    """Return target rows without a label, those with one, and all domains."""
    n_samples = n_rows(X)
    if sample_domain is None:
        ids = np.full(n_samples, -1)
    else:
        ids = check_sample_domain(sample_domain, n_samples)
    known = np.zeros(n_samples, dtype=bool)
    if y is not None:
        y = as_labels(y)
        if len(y) != n_samples:
            raise ValueError(
                f"y must have one label per row of X; got {len(y)} labels for {n_samples} rows."
            )
        known = ~missing_labels(y)
    pool = np.flatnonzero((ids < 0) & ~known)
    if not len(pool):
        raise ValueError(
            "X has no target row without a label, so that there is nothing to query. Pass rows "
            "with a negative sample_domain, and y with a missing value where a label is missing."
        )
    return pool, np.flatnonzero((ids < 0) & known), ids


def _models_of(model):
    """Return the models in a dict, a list or an ensemble; None for one model."""
    several = isinstance(model, dict | list | tuple)
    if several and not model:
        raise ValueError("model must be a fitted estimator or some of them; got none.")
    found = model if several else getattr(model, "estimators_", None)
    if isinstance(found, dict):
        found = list(found.values())
    return list(found) if isinstance(found, list | tuple) else None


def _to_choose_among(models, model):
    """Return the models whose disagreement counts."""
    if models is None or len(models) < 2:
        raise ValueError(
            "goal='choose' needs two fitted models or more: a GuardedSearchCV, a dict or a list; "
            f"got {model!r}. For one model ask with goal='train' or goal='measure'."
        )
    if not isinstance(model, GuardedSearchCV):
        return models
    # Labels that speak for or against what was given up would be wasted.
    given_up = model.results_["given_up"]
    return [one for one, gone in zip(models, given_up, strict=True) if not gone]


def _disagreement(models, X, ids):
    """Return the proportion of models that predict otherwise than the first, for each row."""
    first, *others = (as_labels(call(model, "predict", X, ids)) for model in models)
    if not others:
        return np.zeros(len(first))
    return np.mean([one != first for one in others], axis=0)


def _doubt(model, models, X, ids):
    """Return for each row how likely the prediction is wrong, in [0, 1]."""
    single = not isinstance(model, dict | list | tuple)
    able = [model] if single else models
    if all(hasattr(one, "predict_proba") for one in able):
        proba = np.mean([to_numpy(call(one, "predict_proba", X, ids)) for one in able], axis=0)
        return 1 - proba.max(axis=1)
    if models is not None and len(models) > 1:
        predicted = np.array([as_labels(call(one, "predict", X, ids)) for one in models])
        if all(is_classifier(one) for one in models):
            return _disagreement(models, X, ids)
        spread = predicted.astype(float).std(axis=0)
        return spread / max(spread.max(), np.finfo(float).tiny)
    # Nothing is known of the errors of such a model: all rows are alike.
    return np.ones(n_rows(X))


def _draw_uniformly(scores, n, rng):
    pool = np.flatnonzero(scores > 0)
    found = rng.permutation(pool)[:n]
    return found, np.full(len(found), len(found) / max(1, len(pool))), len(pool)


def _draw_by_score(scores, n, rng):
    """Draw n rows without replacement with inclusion probabilities that follow the scores."""
    probabilities = inclusion_probabilities(scores, n)
    # Systematic sampling: a comb of step 1 over the stacked probabilities, in random order.
    order = rng.permutation(len(scores))
    ends = np.cumsum(probabilities[order])
    ends[-1] = n  # but rounding
    comb = rng.uniform() + np.arange(n)
    found = order[np.searchsorted(ends, comb, side="right")]
    return found, probabilities[found]


def inclusion_probabilities(scores, n):
    """Return probabilities of sum n, none above 1, that mix uniform ones with scores.

    Parameters
    ----------
    scores : array of shape (n_rows,)
        Not negative.
    n : int
        Number of rows to draw, at most n_rows.

    Returns
    -------
    probabilities : ndarray of shape (n_rows,)
        Half of them (times n) uniform, half proportional to the scores.
    """
    n_pool = len(scores)
    total = scores.sum()
    mixed = np.full(n_pool, 1 / n_pool)
    if total > 0:
        mixed = _UNIFORM_PART / n_pool + (1 - _UNIFORM_PART) * scores / total
    certain = np.zeros(n_pool, dtype=bool)
    while True:
        left = n - certain.sum()
        probabilities = np.where(certain, 1.0, left * mixed / mixed[~certain].sum())
        # What is above 1 is drawn in any case, and the others share what is left.
        above = (probabilities > 1) & ~certain
        if not above.any():
            return probabilities
        certain |= above
        if certain.all():
            return np.ones(n_pool)


def _spread(X, labeled, doubt, n):
    """Return useful rows that lie apart, and the usefulness of all rows."""
    Z, Z_labeled = _standardized(X, labeled)
    k = min(_N_NEIGHBORS, len(Z) - 1)
    density = np.ones(len(Z))
    if k > 0:
        distance = NearestNeighbors(n_neighbors=k).fit(Z).kneighbors()[0].mean(axis=1)
        positive = distance[distance > 0]
        # Copies of rows would have a distance of 0.
        least = positive.min() if len(positive) else 1.0
        density = least / np.maximum(distance, least)
    scores = doubt * density
    pool = np.argsort(-scores, kind="stable")[: _POOL_PER_ROW * n]
    nearest = np.full(len(pool), np.inf)
    if len(Z_labeled):
        nearest = pairwise_distances_argmin_min(Z[pool], Z_labeled)[1]
    chosen = []
    for _ in range(n):
        # Before there is any other row, only the score counts.
        weight = np.where(np.isinf(nearest), 1.0, nearest)
        value = scores[pool] * weight
        value[chosen] = -1.0
        chosen.append(int(value.argmax()))
        nearest = np.minimum(nearest, np.linalg.norm(Z[pool] - Z[pool[chosen[-1]]], axis=1))
    return pool[chosen], scores


def _standardized(X, labeled):
    if is_foreign_array(X):
        X, labeled = to_numpy(X), to_numpy(labeled)
    try:
        scaler = StandardScaler().fit(X)
        return scaler.transform(X), scaler.transform(labeled) if n_rows(labeled) else np.empty(0)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "goal='train' measures distances, so that X must be a dense table of numbers without "
            f"missing values. Pass rows that are transformed so far. ({error})"
        ) from error
