"""What classifiers share that give each row the class with the highest score, on the device."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator

from .._array._backend import namespace, to_numpy
from ._routing import DomainRouting
from ._score import DomainClassifierMixin
from ._typing import Array, ArrayLike, DomainIds
from ._validation import data_for_predict


class ClassScoresClassifier(DomainRouting, DomainClassifierMixin, BaseEstimator):
    """A classifier by scores of the classes, the same for rows of all domains.

    A subclass writes ``fit`` and ``_class_scores(X, backend)``, which returns an array of shape
    (n_samples, n_classes) for rows that are already in the backend.
    """

    def _scores(self, X, sample_domain, method):
        data = data_for_predict(self, X, sample_domain, method=method)
        scores = self._class_scores(data.X, data.backend)
        # argmax of NaN would name a class in silence.
        if not bool(data.xp.all(data.xp.isfinite(scores))):
            raise ValueError(
                f"{type(self).__name__} cannot score all rows: features of up to "
                f"{float(data.xp.max(data.xp.abs(data.X))):.1e} overflow. Scale the features."
            )
        return scores, data.input_backend

    def decision_function(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Return the score of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to score.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Not used: rows of all domains are treated alike.

        Returns
        -------
        scores : array of shape (n_samples, n_classes) or (n_samples,)
            With two classes, the second's less the first's. In the array library of `X`.
        """
        scores, input_backend = self._scores(X, sample_domain, "decision_function")
        if len(self.classes_) == 2:
            # scikit-learn's form for two classes: positive for the second.
            scores = scores[:, 1] - scores[:, 0]
        return input_backend.asarray(scores)

    def predict(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> np.ndarray:
        """Return the class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Not used: rows of all domains are treated alike.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels, of the type given to ``fit``.
        """
        scores, _ = self._scores(X, sample_domain, "predict")
        # Labels may be text, which no device holds.
        return self.classes_[to_numpy(namespace(scores).argmax(scores, axis=1))]
