"""The two tasks of a network, classification and regression, and the estimators for each."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Self

import numpy as np
import torch
from sklearn.utils.metaestimators import available_if

from .._array._backend import to_numpy
from .._core._score import DomainClassifierMixin, DomainRegressorMixin
from .._core._typing import Array, ArrayLike, DomainIds
from .._core._validation import class_labels
from ._base import BaseDeep


def information_loss(logits, y=None):
    """Return mean entropy of the predictions minus entropy of their mean (lower is better)."""
    p = torch.softmax(logits, dim=1)
    entropy = -(p * torch.log_softmax(logits, dim=1)).sum(dim=1).mean()
    mean = p.mean(dim=0)
    # xlogy is 0 at 0, where x log x would be NaN.
    return entropy + torch.special.xlogy(mean, mean).sum()


class SquaredError(torch.nn.MSELoss):
    """Mean squared error of a column of outputs, or of several."""

    def forward(self, output, y):
        """Return the loss of a batch."""
        return super().forward(output.squeeze(1) if y.ndim == 1 else output, y)


class Task:
    """What labels mean to a network. The fields of a task are fitted attributes of the estimator.

    A task says by which loss a network learns (``criterion``), on which losses of held-out rows it
    may stop early (``validation_criteria``, None being the criterion), how many outputs it has, and
    how labels become numbers and outputs become predictions.
    """

    @classmethod
    def attributes(cls):
        """Return the names of the fitted attributes that make the task."""
        return [field.name for field in fields(cls)]

    def as_attributes(self):
        """Return the fitted attributes that make the task, by name."""
        return asdict(self)


@dataclass(frozen=True)
class ClassificationTask(Task):
    """Classes become indices; outputs are logits of the classes."""

    classes_: np.ndarray

    criterion = torch.nn.CrossEntropyLoss
    validation_criteria = {"source": None, "target": information_loss}

    @classmethod
    def learn(cls, estimator, data, classes=None, weights=None):
        """Return the task for the classes of the labeled rows, or for all those named."""
        found, _ = class_labels(estimator, data)
        return cls(found if classes is None else np.unique(classes))

    @property
    def n_outputs(self):
        """Number of outputs of the network."""
        return len(self.classes_)

    def encode(self, estimator, data):
        """Return class indices, -1 on rows without a label that may be used."""
        found, codes = class_labels(estimator, data)
        # The number of outputs is fixed when the net is built.
        unknown = np.setdiff1d(found, self.classes_)
        if len(unknown):
            raise ValueError(
                f"y has the classes {unknown.tolist()}, which the net does not know; it knows "
                f"{self.classes_.tolist()}. Name all classes at the first partial_fit, or fit "
                "with warm_start=False."
            )
        # A chunk may lack classes, so its own indices are not those of the outputs.
        position = np.searchsorted(self.classes_, found)
        return np.where(codes >= 0, position[codes], -1)

    def decode(self, logits):
        """Return the likeliest class of each row."""
        return self.classes_[to_numpy(log_proba(logits).argmax(dim=1))]


@dataclass(frozen=True)
class RegressionTask(Task):
    """Values are standardized by mean and scale of the source, so that no unit matters."""

    y_mean_: float | np.ndarray
    y_scale_: float | np.ndarray

    criterion = SquaredError
    validation_criteria = {"source": None}

    @property
    def n_outputs(self):
        """Number of outputs of the network."""
        return np.size(self.y_mean_)

    @classmethod
    def learn(cls, estimator, data, classes=None, weights=None):
        """Return the task for mean and scale of the source's values."""
        source = _real_values(data.y[data.source])
        # What overflows is refused below, with an error that says what to do.
        with np.errstate(over="ignore", invalid="ignore"):
            if weights is None:
                mean, scale = source.mean(axis=0), source.std(axis=0)
            else:
                # Values without weight must not show in what is learnt.
                w = weights[data.source]
                mean = np.average(source, axis=0, weights=w)
                scale = np.sqrt(np.average((source - mean) ** 2, axis=0, weights=w))
        if not (np.isfinite(mean).all() and np.isfinite(scale).all()):
            raise ValueError(
                f"y has values too large to be standardized, up to {np.abs(source).max():.3g}: "
                "their squares overflow. Divide y by a constant."
            )
        scale = np.where(scale > 0, scale, 1.0)  # constant values have no scale
        if source.ndim == 1:
            return cls(float(mean), float(scale))
        return cls(mean, scale)

    def encode(self, estimator, data):
        """Return standardized values, 0 on rows without one."""
        y = np.zeros(data.y.shape, dtype=np.float32)
        values = (_real_values(data.y[data.labeled]) - self.y_mean_) / self.y_scale_
        if len(values) and not np.abs(values).max() <= np.finfo(np.float32).max:
            raise ValueError(
                f"y has values up to {np.abs(values).max():.3g} standard deviations of the source "
                "away from its mean, too large for the net's single precision. Correct them."
            )
        y[data.labeled] = values
        return y

    def decode(self, outputs):
        """Return values in the unit of y."""
        values = to_numpy(outputs.double()) * self.y_scale_ + self.y_mean_
        return values[:, 0] if np.ndim(self.y_mean_) == 0 else values


def _real_values(y):
    """Return values of y in double precision, or refuse those with an imaginary part."""
    if np.iscomplexobj(y):
        raise ValueError("Complex data not supported: y must be real. Pass its parts one by one.")
    return np.asarray(y, dtype=np.float64)


def log_proba(logits):
    """Return the logarithms of the class probabilities, in double precision."""
    # In double precision, in which scikit-learn works on probabilities.
    return torch.log_softmax(logits.double(), dim=1)


def _has_one_stage(estimator):
    """Return whether a method can be trained chunk by chunk, or raise with the reason."""
    # AttributeError below, because available_if hides the method by it.
    if estimator._adaptation is None and estimator._takes_chunks:
        return True
    reason = (
        "its second stage begins when the first is done"
        if estimator._takes_chunks
        else "its graph is that of all rows"
    )
    raise AttributeError(f"{type(estimator).__name__} has no partial_fit: {reason}. Use fit.")


class DeepClassifier(DomainClassifierMixin, BaseDeep):
    """Base class of the deep classifiers."""

    _task_class = ClassificationTask

    @available_if(_has_one_stage)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        sample_domain: DomainIds | None = None,
    ) -> Self:
        """Train one epoch on these rows (methods of one stage).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains, or of sources only.
        y : array-like of shape (n_samples,)
            Labels, see :meth:`fit`.
        classes : array-like of shape (n_classes,), default=None
            All classes that will come; needed at the first call unless all are in `y`.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row, see :meth:`fit`; scaled for these rows alone.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row, see :meth:`fit`.

        Returns
        -------
        self : object
            The estimator.
        """
        return self._fit_chunk(X, y, sample_weight, sample_domain, classes)

    def predict(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> np.ndarray:
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
        (logits, _), _ = self._outputs(X, sample_domain, "predict")
        return self._task.decode(logits)

    def predict_proba(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
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
        (logits, _), data = self._outputs(X, sample_domain, "predict_proba")
        return self._to_input(log_proba(logits).exp(), data)

    def predict_log_proba(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
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
        (logits, _), data = self._outputs(X, sample_domain, "predict_log_proba")
        return self._to_input(log_proba(logits), data)


class DeepRegressor(DomainRegressorMixin, BaseDeep):
    """Base class of the deep regressors."""

    _task_class = RegressionTask

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    @available_if(_has_one_stage)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        sample_domain: DomainIds | None = None,
    ) -> Self:
        """Train one epoch on these rows (methods of one stage).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains, or of sources only.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Values, see :meth:`fit`. The first call sets their mean and scale.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row, see :meth:`fit`; scaled for these rows alone.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row, see :meth:`fit`.

        Returns
        -------
        self : object
            The estimator.
        """
        return self._fit_chunk(X, y, sample_weight, sample_domain)

    def predict(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> np.ndarray:
        """Predict the value of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict, in any order.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. None: every row is a target row.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Predicted values, in the unit and the form of those given to ``fit``.
        """
        (values, _), _ = self._outputs(X, sample_domain, "predict")
        return self._task.decode(values)
