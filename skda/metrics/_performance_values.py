"""Values of a metric on weighted rows, and limits of it on rows whose labels are known."""

from typing import NamedTuple

import numpy as np
from sklearn.metrics import roc_auc_score

from .._numerics._mean_intervals import auc_interval, betting_interval, clopper_pearson

CLASS_METRICS = ("accuracy", "balanced_accuracy", "f1", "roc_auc", "log_loss")
NUMBER_METRICS = ("mae", "rmse")
# As in scikit-learn's log_loss: a certain mistake costs 36, not infinity.
_LEAST_PROBABILITY = np.finfo(np.float64).eps


class Rows(NamedTuple):
    """What is true of some rows, what a model says of them, and how much each of them counts."""

    true: np.ndarray
    """Number of the class, or the value."""
    predicted: np.ndarray
    """The same of the prediction."""
    proba: np.ndarray | None
    """Probabilities of the classes, if the model has any."""
    weights: np.ndarray

    def take(self, rows):
        """Return some of the rows."""
        proba = None if self.proba is None else self.proba[rows]
        return Rows(self.true[rows], self.predicted[rows], proba, self.weights[rows])


def soft_rows(predicted, proba, posterior):
    """Return each row once per class, weighted by the probability that it is of that class.

    Any metric of these rows is what is to be expected of it (in confidence-based estimation, for
    accuracy the mean probability of the predicted class).
    """
    n, n_classes = posterior.shape
    return Rows(
        np.tile(np.arange(n_classes), n),
        np.repeat(predicted, n_classes),
        None if proba is None else np.repeat(proba, n_classes, axis=0),
        posterior.ravel(),
    )


def value_of(metric, rows, n_classes):
    """Return the metric of weighted rows; NaN where it is not defined, as without a true class."""
    if metric in NUMBER_METRICS:
        mean = np.average(row_losses(metric, rows), weights=rows.weights)
        return float(np.sqrt(mean) if metric == "rmse" else mean)
    if metric in ("accuracy", "log_loss"):
        mean = np.average(row_losses(metric, rows), weights=rows.weights)
        return float(1 - mean if metric == "accuracy" else mean)
    if metric == "roc_auc":
        return _area(rows, n_classes)
    confusion = np.zeros((n_classes, n_classes))
    np.add.at(confusion, (rows.true, rows.predicted), rows.weights)
    right, true, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    present = true > 0
    if metric == "balanced_accuracy":
        return float(np.mean(right[present] / true[present])) if present.any() else np.nan
    total = true + predicted
    # A class that is neither there nor predicted has no error: scikit-learn leaves it out.
    scores = np.divide(2 * right, total, out=np.full(n_classes, np.nan), where=total > 0)
    found = scores[1] if n_classes == 2 else np.nanmean(scores)
    return float(np.nan_to_num(found))


def _area(rows, n_classes):
    """Return the area under the ROC curve: of the second of two classes, else the mean of each."""
    areas = []
    for k in [1] if n_classes == 2 else range(n_classes):
        is_k = rows.true == k
        # Both sides need some weight: an area of nothing is no number.
        if min(rows.weights[is_k].sum(), rows.weights[~is_k].sum()) > 0:
            areas.append(roc_auc_score(is_k, rows.proba[:, k], sample_weight=rows.weights))
    return float(np.mean(areas)) if areas else np.nan


def row_losses(metric, rows):
    """Return the loss of each row of a metric that is a mean (of squares, for rmse)."""
    if metric == "mae":
        return np.abs(rows.true - rows.predicted)
    if metric == "rmse":
        return (rows.true - rows.predicted) ** 2
    if metric == "log_loss":
        p = rows.proba[np.arange(len(rows.true)), rows.true]
        return -np.log(np.maximum(p, _LEAST_PROBABILITY))
    return (rows.true != rows.predicted).astype(float)


def largest_loss(metric, predicted, proba, y_source):
    """Return the largest loss that any label could give these rows.

    In a regression the true value is taken to lie in the range that it has in the source.
    """
    if metric == "accuracy":
        return 1.0
    if metric == "log_loss":
        return float(-np.log(max(proba.min(), _LEAST_PROBABILITY)))
    farthest = np.maximum(np.abs(predicted - y_source.min()), np.abs(predicted - y_source.max()))
    return float(farthest.max() ** (2 if metric == "rmse" else 1))


def from_mean_loss(metric, low, high):
    """Return limits of the metric from limits of its mean loss."""
    if metric == "accuracy":
        return 1 - high, 1 - low
    if metric == "rmse":
        return float(np.sqrt(max(low, 0.0))), float(np.sqrt(max(high, 0.0)))
    return max(low, 0.0), high


def labeled_interval(metric, rows, n_classes, *, confidence, bound):
    """Return limits of the metric from labeled rows of equal weight.

    Exact: proportions by Clopper and Pearson, means of bounded losses by betting. What is not a
    mean is taken apart into proportions; the area under the ROC curve has Newcombe's limits.
    """
    if metric == "accuracy":
        right = int((rows.true == rows.predicted).sum())
        return clopper_pearson(right, len(rows.true), confidence=confidence)
    if metric in ("log_loss", *NUMBER_METRICS):
        losses = row_losses(metric, rows)
        # A true value outside the source's range may have cost more than was thought possible.
        high = max(bound, float(losses.max(initial=0.0)))
        limits = betting_interval(losses, confidence=confidence, high=high)
        return from_mean_loss(metric, *limits)
    classes = [1] if n_classes == 2 and metric != "balanced_accuracy" else range(n_classes)
    # Each class may err with an equal part of the probability.
    each = 1 - (1 - confidence) / len(classes)
    limits = np.array([_class_interval(metric, rows, k, each) for k in classes]).mean(axis=0)
    return float(limits[0]), float(limits[1])


def _class_interval(metric, rows, k, confidence):
    is_k, said_k = rows.true == k, rows.predicted == k
    right = int((is_k & said_k).sum())
    if metric == "balanced_accuracy":
        return clopper_pearson(right, int(is_k.sum()), confidence=confidence)
    if metric == "f1":
        # F1 = 2 J / (1 + J) with J the proportion of right ones among rows in which k occurs.
        limits = clopper_pearson(right, int((is_k | said_k).sum()), confidence=confidence)
        return tuple(2 * limit / (1 + limit) for limit in limits)
    n_positive = int(is_k.sum())
    if n_positive in (0, len(is_k)):
        return 0.0, 1.0
    area = roc_auc_score(is_k, rows.proba[:, k])
    return auc_interval(area, n_positive, len(is_k) - n_positive, confidence=confidence)
