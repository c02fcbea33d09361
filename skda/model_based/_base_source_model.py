"""What model-based methods share: a source model, given fitted or learnt, and the labels for it.

A source model that is already fitted replaces the source rows: then target rows are enough.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from .._array._backend import is_foreign_array, to_numpy
from .._array._rows import n_rows, take_rows
from .._array._warnings import warn_user
from .._core._labels import as_labels, join_labels, take_labels
from .._core._meta_estimator import aligned_columns
from .._core._routing import DomainRouting
from .._core._sample_domain import DomainWarning
from .._core._typing import ArrayLike, DomainIds
from .._core._validation import (
    class_labels,
    data_for_inner_fit,
    data_for_inner_predict,
    fresh_fit,
    one_class_explained,
)


def is_fitted(estimator):
    """Return whether an estimator has been fitted (a FrozenEstimator says so of what it holds)."""
    try:
        check_is_fitted(estimator)
    except (NotFittedError, TypeError):
        return False
    return True


def check_is_estimator(name, value):
    """Raise unless this is an object with ``fit``, or None."""
    if value is None or (hasattr(value, "fit") and not isinstance(value, type)):
        return
    raise ValueError(
        f"{name} must be an estimator, such as Ridge(), or None; got {value!r}. Pass an object, "
        "not its class or its name."
    )


def class_codes(labels, classes):
    """Return the index of each label in the sorted classes."""
    return np.searchsorted(classes, labels)


def probabilities(model, X, classes):
    """Return the probability of each class; 1 for the predicted one if the model has none."""
    if hasattr(model, "predict_proba"):
        return aligned_columns(on_host(model.predict_proba(X)), model.classes_, classes)
    codes = class_codes(as_labels(model.predict(X)), classes)
    return np.eye(len(classes))[codes]


def fitted_classifier(model, X, y):
    """Fit a classifier; rows of one class need none."""
    if len(np.unique(y)) < 2:
        model = DummyClassifier()
    return model.fit(X, y)


def all_classes(source_classes, labels):
    """Return the sorted classes of a source model and of target labels.

    Raises
    ------
    ValueError
        If the two have no class in common: the model then answers another question.
    """
    target_classes = np.unique(labels)
    if not np.isin(target_classes, source_classes).any():
        raise ValueError(
            "source_estimator must know a class of the labeled target rows; it knows "
            f"{np.asarray(source_classes).tolist()[:5]}, they have {target_classes.tolist()[:5]}. "
            "Write the labels of the target rows as those that the source model was fitted on."
        )
    return np.unique(join_labels([np.asarray(source_classes), target_classes]))


def warn_without_labels(estimator, n_target, consequence):
    """Warn that no target row has a label, and say what is done instead."""
    warn_user(
        f"{type(estimator).__name__} found no label on {n_target} target rows: {consequence}. A "
        "target row counts as labeled when its y is not NaN, not None or NA and, among integers, "
        "not -1.",
        DomainWarning,
    )


class BaseModelTransfer(DomainRouting, BaseEstimator):
    """A source model adapted to labeled target rows.

    A subclass has a ``source_estimator`` parameter, ``_default_source()`` that stands in for None,
    ``_check_params()``, ``_keep_source(data)`` for when there is nothing to adapt to and
    ``_adapt(X, y)`` that learns from labeled target rows.
    """

    _labels = "all"

    def fit(self, X: ArrayLike, y: ArrayLike, *, sample_domain: DomainIds | None = None) -> Self:
        """Take or learn the source model, then adapt it to the labeled target rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains; with a fitted source model, target rows are enough.
        y : array-like of shape (n_samples,)
            Labels; missing ones of target rows are NaN, None or NA or, among integers, -1.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target. None: all rows are target rows if
            the source model is given fitted; else all rows are source, the source model is
            fitted on them and a :class:`~skda.DomainWarning` says so.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        with fresh_fit(self):
            check_is_estimator("source_estimator", self.source_estimator)
            self._check_params()
            data = self._data(X, y, sample_domain)
            self.source_estimator_ = self._fitted_source(data)
            rows = np.flatnonzero(data.labeled & (data.ids < 0))
            labels = take_labels(data.y, rows)
            self._note_classes(data, labels)
            self._keep_source(data)
            if len(rows):
                self._adapt(take_rows(data.X, rows), labels)
            elif data.adapts or self._source_is_given():
                warn_without_labels(self, len(data.target), "the source model is used as it is")
        return self

    def _source(self):
        return self._default_source() if self.source_estimator is None else self.source_estimator

    def _new_source(self, n_rows):
        """Return an unfitted model for a number of source rows."""
        return clone(self._source())

    def _source_is_given(self):
        """Return whether the source model came fitted, so that no source row is needed."""
        return self.source_estimator is not None and is_fitted(self.source_estimator)

    def _data(self, X, y, sample_domain):
        given = self._source_is_given()
        if given and sample_domain is None:
            # The source model stands for the source rows, so these can only be target rows.
            sample_domain = np.full(n_rows(X), -1)
        return data_for_inner_fit(self, X, y, sample_domain, labels="all", one_sided=given)

    def _fitted_source(self, data):
        """Return the source model as given, or a clone fitted on the source rows."""
        if not self._source_is_given():
            with one_class_explained(self, data.y_source):
                # Some classifiers can be fitted so, but there is nothing in them to transfer.
                if is_classifier(self) and len(np.unique(data.y_source)) < 2:
                    raise ValueError("one class")
                return self._new_source(len(data.source)).fit(data.X_source, data.y_source)
        width = getattr(self.source_estimator, "n_features_in_", self.n_features_in_)
        if width != self.n_features_in_:
            raise ValueError(
                f"X must have the {width} features that source_estimator was fitted on; got "
                f"{self.n_features_in_}. Select the same columns."
            )
        return self.source_estimator

    def _note_classes(self, data, labels):
        """Store the classes of the source model and of the labeled target rows."""
        if not is_classifier(self):
            return
        if not hasattr(self.source_estimator_, "classes_"):
            raise ValueError(
                "source_estimator must be a classifier; "
                f"{type(self.source_estimator_).__name__} has no classes_."
            )
        known = as_labels(self.source_estimator_.classes_)
        if self._source_is_given():
            self.classes_ = all_classes(known, labels) if len(labels) else known
        else:
            self.classes_ = class_labels(self, data)[0]

    def _rows_to_predict(self, X, sample_domain):
        return data_for_inner_predict(self, X, sample_domain)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self._source()).input_tags
        return tags


def unwrapped(estimator):
    """Return the model inside a FrozenEstimator or a fitted search."""
    while True:
        if isinstance(estimator, FrozenEstimator):
            estimator = estimator.estimator
        elif hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        else:
            return estimator


def pipeline_parts(estimator):
    """Return the fitted transformers in front of a model, and the model itself."""
    model, maps = unwrapped(estimator), []
    while isinstance(model, Pipeline):
        maps += [step for _, step in model.steps[:-1] if step not in (None, "passthrough")]
        model = unwrapped(model.steps[-1][1])
    return maps, model


def on_host(values):
    """Return predictions in NumPy."""
    return to_numpy(values) if is_foreign_array(values) else np.asarray(values)
