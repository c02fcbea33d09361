"""Classifiers and regressors among the deep estimators: how labels go in and predictions out."""

import numpy as np
import torch
from sklearn.utils import check_random_state

from .._array._backend import to_numpy
from .._core._score import DomainClassifierMixin, DomainRegressorMixin
from .._core._validation import check_rows, class_labels, data_for_fit, data_for_predict
from ._base import BaseDeep


def information_loss(logits, y=None):
    """Return mean entropy of the predictions minus entropy of their mean (lower is better)."""
    p = torch.softmax(logits, dim=1)
    entropy = -(p * torch.log_softmax(logits, dim=1)).sum(dim=1).mean()
    mean = p.mean(dim=0)
    return entropy + torch.special.xlogy(mean, mean).sum()


class BaseNetClassifier(DomainClassifierMixin, BaseDeep):
    """The classifiers among them."""

    _criterion = torch.nn.CrossEntropyLoss

    def _encode(self, data, *, known=False, classes=None):
        """Return class indices and set the classes, or compare with those known."""
        found, codes = class_labels(self, data)
        if classes is None and not known:
            self.classes_ = found
            return codes
        if not known:
            self.classes_ = np.unique(classes)
        unknown = np.setdiff1d(found, self.classes_)
        if len(unknown):
            raise ValueError(
                f"y has the classes {unknown.tolist()}, which the net does not know; it knows "
                f"{self.classes_.tolist()}. Name all classes at the first partial_fit, or fit "
                "with warm_start=False."
            )
        position = np.searchsorted(self.classes_, found)
        return np.where(codes >= 0, position[codes], -1)

    def _n_outputs(self):
        return len(self.classes_)

    def _validation_criteria(self):
        return {"source": None, "target": information_loss}

    def _log_proba(self, X, sample_domain):
        data = data_for_predict(self, X, sample_domain)
        logits, _ = self._forward(data)
        return torch.log_softmax(logits.double(), dim=1), data

    def predict(self, X, *, sample_domain=None):
        """Predict the class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict, in any order.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. None: every row is a target row.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Classes in the type of the labels given to ``fit``.
        """
        log_proba, _ = self._log_proba(X, sample_domain)
        return self.classes_[to_numpy(log_proba.argmax(dim=1))]

    def predict_proba(self, X, *, sample_domain=None):
        """Predict the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict, in any order.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. None: every row is a target row.

        Returns
        -------
        proba : array of shape (n_samples, n_classes)
            Softmax of the logits, columns in the order of ``classes_``.
        """
        log_proba, data = self._log_proba(X, sample_domain)
        return self._give_back(log_proba.exp(), data)

    def predict_log_proba(self, X, *, sample_domain=None):
        """Predict the logarithm of the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict, in any order.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. None: every row is a target row.

        Returns
        -------
        log_proba : array of shape (n_samples, n_classes)
            Log-softmax of the logits, columns in the order of ``classes_``.
        """
        log_proba, data = self._log_proba(X, sample_domain)
        return self._give_back(log_proba, data)


class BaseDeepClassifier(BaseNetClassifier):
    """Classifiers that are trained in one stage, and so can be trained chunk by chunk."""

    def partial_fit(self, X, y, classes=None, *, sample_domain=None):
        """Train one epoch on these rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains, or of sources only.
        y : array-like of shape (n_samples,)
            Labels, see :meth:`fit`.
        classes : array-like of shape (n_classes,), default=None
            All classes that will come; needed at the first call unless all are in `y`.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row, see :meth:`fit`.

        Returns
        -------
        self : object
            The estimator.
        """
        return _partial_fit(self, X, y, sample_domain, classes)


class _SquaredError(torch.nn.Module):
    """Mean squared error of a column of outputs."""

    def forward(self, output, y):
        return torch.nn.functional.mse_loss(output.squeeze(1), y)


class BaseNetRegressor(DomainRegressorMixin, BaseDeep):
    """The regressors among them. Values are standardized by mean and scale of the source."""

    _criterion = _SquaredError

    def _encode(self, data, *, known=False, classes=None):
        """Return standardized values, 0 on rows without one."""
        labeled = data.labeled
        y = np.zeros(len(data.ids), dtype=np.float32)
        values = np.asarray(data.y[labeled], dtype=np.float64)
        if not known:
            source = np.asarray(data.y[data.source], dtype=np.float64)
            self.y_mean_ = float(source.mean())
            self.y_scale_ = float(source.std()) or 1.0
        y[labeled] = (values - self.y_mean_) / self.y_scale_
        return y

    def _n_outputs(self):
        return 1

    def _validation_criteria(self):
        return {"source": None}

    def predict(self, X, *, sample_domain=None):
        """Predict the value of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict, in any order.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. None: every row is a target row.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Predicted values, in the unit of those given to ``fit``.
        """
        data = data_for_predict(self, X, sample_domain)
        logits, _ = self._forward(data)
        return to_numpy(logits.double().squeeze(1)) * self.y_scale_ + self.y_mean_


class BaseDeepRegressor(BaseNetRegressor):
    """Regressors that are trained in one stage, and so can be trained chunk by chunk."""

    def partial_fit(self, X, y, *, sample_domain=None):
        """Train one epoch on these rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains, or of sources only.
        y : array-like of shape (n_samples,)
            Values, see :meth:`fit`. The first call sets their mean and scale.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row, see :meth:`fit`.

        Returns
        -------
        self : object
            The estimator.
        """
        return _partial_fit(self, X, y, sample_domain)


def _partial_fit(estimator, X, y, sample_domain, classes=None):
    """Train one epoch; the first call builds the net, ready for target rows to come."""
    known = hasattr(estimator, "net_")
    if known:
        check_rows(estimator, X, reset=False)
    data = data_for_fit(estimator, X, y, sample_domain, labels=estimator._labels, one_sided=True)
    if not len(data.source):
        raise ValueError(
            f"{type(estimator).__name__}.partial_fit got target rows only, and without labeled "
            "source rows there is nothing to train on. Pass rows of both domains at each call."
        )
    y = estimator._encode(data, known=known, classes=classes)
    estimator._check_params()
    if not known:
        estimator._rng = check_random_state(estimator.random_state)
        estimator.n_iter_ = 0
    estimator._fit(data, y, fresh=not known, epochs=1)
    return estimator
