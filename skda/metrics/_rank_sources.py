"""Which of several sources suits a target, before anything is adapted."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from sklearn.base import clone, is_regressor

from .._array._backend import to_numpy
from .._array._rows import n_rows, take_rows
from .._core._labels import as_labels, labeled_rows, take_labels
from .._core._param_checks import check_option
from .._core._sample_domain import check_both_sides, check_sample_domain
from .._core._typing import ArrayLike, DomainIds, Predictor
from ._transferability import h_score, leep, logme

MEASURES = ("logme", "h_score", "leep")


class SourceRank(NamedTuple):
    """A source's id, and how well its model suits the target."""

    source: int
    score: float


def rank_sources(
    estimator: Predictor,
    X: ArrayLike,
    y: ArrayLike,
    *,
    sample_domain: DomainIds,
    measure: Literal["logme", "h_score", "leep"] = "logme",
) -> list[SourceRank]:
    """Rank sources by how well a model of each suits the labeled target rows.

    One model is fitted on each source. Its outputs for the target rows that have a label are
    scored by a measure of transferability; the target labels are not fitted to.

    Parameters
    ----------
    estimator : classifier with ``predict_proba``, or regressor
        A clone is fitted on the rows of each source.
    X : array-like of shape (n_samples, n_features)
        Rows of all domains.
    y : array-like of shape (n_samples,)
        Labels; missing ones of target rows are NaN, None or NA or, among integers, -1.
    sample_domain : array-like of int of shape (n_samples,)
        Domain of each row: >= 0 a source, < 0 a target.
    measure : {"logme", "h_score", "leep"}, default="logme"
        :func:`logme` or :func:`h_score` of the logarithms of the class probabilities (of the
        predictions of a regressor, and "logme" only), or :func:`leep` of the probabilities.

    Returns
    -------
    ranking : list of SourceRank
        Pairs of a source's id and its score, best first.

    See Also
    --------
    skda.DomainExpertsClassifier : Combines models of several sources.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skda import stack_domains
    >>> from skda.metrics import rank_sources
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(3, 100, 4))
    >>> unlike, like, target = X[0, :, 0] > 0, X[1, :, 1] > 0, X[2, :, 1] > 0
    >>> rows, y, sample_domain = stack_domains([X[0], X[1]], [unlike, like], X[2], target)
    >>> ranking = rank_sources(LogisticRegression(), rows, y, sample_domain=sample_domain)
    >>> [rank.source for rank in ranking]
    [2, 1]
    """
    check_option("measure", measure, MEASURES)
    regression = is_regressor(estimator)
    if regression and measure != "logme":
        raise ValueError(f"measure must be 'logme' for a regressor; got {measure!r}.")
    ids = check_sample_domain(sample_domain, n_rows(X))
    check_both_sides(ids)
    y = as_labels(y)
    target = np.flatnonzero(labeled_rows(y, ids) & (ids < 0))
    if not len(target):
        raise ValueError(
            "rank_sources needs labeled target rows; none of the target rows has a label. Put the "
            "labels that you know into y there, as y_target of skda.stack_domains."
        )
    ranking = []
    for source in np.unique(ids[ids >= 0]):
        rows = np.flatnonzero(ids == source)
        model = clone(estimator).fit(take_rows(X, rows), take_labels(y, rows))
        score = _score(model, take_rows(X, target), take_labels(y, target), measure, regression)
        ranking.append(SourceRank(int(source), score))
    return sorted(ranking, key=lambda rank: -rank.score)


def _score(model, X, y, measure, regression):
    """Return the measure of the outputs of a source model."""
    if regression:
        predicted = to_numpy(model.predict(X)).astype(np.float64)
        # A model of the mean alone is worth nothing, so that the mean takes no part.
        return logme((predicted - predicted.mean())[:, None], y - np.mean(y), regression=True)
    proba = np.asarray(to_numpy(model.predict_proba(X)), dtype=np.float64)
    if measure == "leep":
        return leep(proba, y)
    # Trees give probabilities of 0.
    features = np.log(np.clip(proba, 1e-6, None))
    return logme(features, y) if measure == "logme" else h_score(features, y)
