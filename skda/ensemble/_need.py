"""Does the source-only classifier hold in the target? Evidence without target labels."""

import warnings

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline

from .._array._rows import take_rows
from .._core._labels import as_labels
from ..pipeline import TrainOnSource

_N_FOLDS = 3
# A classifier this close to chance in its own domain proves nothing about another one.
_LEAST_SKILL = 0.05


def reverse_ratio(source_only, data, classes):
    r"""Return how well the source-only labels of the target lead back to those of the source.

    A second classifier is fitted on the target rows with the labels that the source-only model
    gives them, and predicts the source rows. Where both domains agree on the labels, it is as good
    there as the source's own held-out classifier; where the source-only model is lost in the
    target, it learns something else.

    Parameters
    ----------
    source_only : estimator
        The fitted source-only model. The steps in front of a classifier stay as they are fitted,
        so that both classifiers see features of one scale.
    data : DomainData
        The rows.
    classes : ndarray of shape (n_classes,)
        Classes of the source rows.

    Returns
    -------
    ratio : float
        :math:`(a_\text{back} - 1/K) / (a_\text{in} - 1/K)` with a the balanced accuracy on source
        rows, on the way back and cross-validated: 1 where nothing is lost, 0 at chance. NaN where
        the source-only model is no better than chance in its own domain.
    """
    before, last = _split(source_only)
    y = as_labels(data.y_source)
    chance = 1.0 / len(classes)
    with warnings.catch_warnings():
        # Solvers that stop early, small classes, steps without domains: the figure says enough.
        warnings.simplefilter("ignore")
        source, target = before(data.X_source), before(data.X_target)
        in_domain = _balanced(y, _held_out(last, source, y), classes) - chance
        if not in_domain > _LEAST_SKILL:
            return float("nan")
        labels = as_labels(last.predict(target))
        if len(np.unique(labels)) == 1:
            return 0.0
        returned = as_labels(clone(last).fit(target, labels).predict(source))
    return float((_balanced(y, returned, classes) - chance) / in_domain)


def _split(fitted):
    """Return the map of the steps in front of a classifier, and the classifier, both fitted."""
    if isinstance(fitted, TrainOnSource):
        return _split(fitted.estimator_)
    if isinstance(fitted, Pipeline):
        before, last = _split(fitted.steps[-1][1])
        if len(fitted.steps) == 1:
            return before, last
        return lambda X: before(fitted[:-1].transform(X)), last
    return lambda X: X, fitted


def _held_out(estimator, X, y):
    """Return cross-validated predictions, in the type of the labels."""
    predicted = np.array(y, copy=True)
    counts = np.unique(y, return_counts=True)[1]
    if counts.max() < _N_FOLDS:
        return as_labels(clone(estimator).fit(X, y).predict(X))
    for fit, test in StratifiedKFold(_N_FOLDS).split(np.zeros(len(y)), y):
        model = clone(estimator).fit(take_rows(X, fit), y[fit])
        predicted[test] = as_labels(model.predict(take_rows(X, test)))
    return predicted


def _balanced(y, predicted, classes):
    """Return the mean over classes of the proportion of their rows that are predicted right."""
    return float(np.mean([np.mean(predicted[y == label] == label) for label in classes]))
