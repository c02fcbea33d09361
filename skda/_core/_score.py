"""The score of classifiers and regressors: which rows ``score`` may use."""

from __future__ import annotations

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import accuracy_score, r2_score

from .._array._rows import n_rows, take_rows
from ._labels import as_labels, missing_labels, take_labels
from ._sample_domain import rows_to_score
from ._typing import ArrayLike, DomainIds


class DomainClassifierMixin(ClassifierMixin):
    """A classifier whose ``score`` never uses target labels by accident."""

    def score(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        sample_domain: DomainIds | None = None,
    ) -> float:
        """Return the accuracy.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict.
        y : array-like of shape (n_samples,)
            Their true labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row.
        sample_domain : array-like of int of shape (n_samples,), default=None
            None: all rows are scored, as labeled target rows of yours. Given: source rows
            only, so that no target label chooses a model silently.

        Returns
        -------
        score : float
            Fraction of rows predicted right.
        """
        return _score(self, accuracy_score, X, y, sample_weight, sample_domain)


class DomainRegressorMixin(RegressorMixin):
    """A regressor whose ``score`` never uses target labels by accident."""

    def score(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        sample_domain: DomainIds | None = None,
    ) -> float:
        """Return the coefficient of determination R².

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict.
        y : array-like of shape (n_samples,)
            Their true values.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row.
        sample_domain : array-like of int of shape (n_samples,), default=None
            None: all rows are scored, as labeled target rows of yours. Given: source rows
            only, so that no target label chooses a model silently.

        Returns
        -------
        score : float
            R² of the predictions.
        """
        return _score(self, r2_score, X, y, sample_weight, sample_domain)


def _score(estimator, metric, X, y, sample_weight, sample_domain):
    X, y, sample_weight, ids = scored_part(estimator, X, y, sample_weight, sample_domain)
    # Predictions may be on a device; scikit-learn's metrics compare on the host.
    predicted = as_labels(estimator.predict(X, sample_domain=ids))
    return float(metric(y, predicted, sample_weight=sample_weight))


def scored_part(estimator, X, y, sample_weight=None, sample_domain=None):
    """Return the rows that ``score`` may use, with labels of their own type."""
    rows = rows_to_score(sample_domain, n_rows(X))
    if rows is None:
        y = take_labels(y)
        _check_all_labeled(y, getattr(estimator, "classes_", None))
        return X, y, sample_weight, None
    # In NumPy before rows are taken: lists and tensors would be indexed each in its own way.
    y, sample_weight = as_labels(y), as_labels(sample_weight)
    ids = take_rows(as_labels(sample_domain), rows)
    return take_rows(X, rows), take_labels(y, rows), take_rows(sample_weight, rows), ids


def _check_all_labeled(y, classes):
    """Raise if a score would count rows without a label as wrong ones."""
    if y is None or (classes is None and y.dtype.kind == "i"):
        return  # -1 is a number like any other to a regressor
    # Here -1 is a class of its own and marks nothing.
    if classes is not None and -1 in np.asarray(classes).tolist():
        return
    missing = int(missing_labels(y).sum())
    if missing:
        raise ValueError(
            f"score was given {missing} rows without a label and no sample_domain. Pass "
            "sample_domain to score the source rows, or labeled rows only."
        )
