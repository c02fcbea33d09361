"""A meta-estimator that leaves everything but ``fit`` to the estimator inside it."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    get_routing_for_object,
    process_routing,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from .._array._backend import to_numpy
from .._array._rows import n_rows, take_rows
from ._callbacks import CALLBACK_SUPPORT
from ._labels import as_labels
from ._routing import DomainRouting
from ._sample_domain import check_known_domains, check_sample_domain
from ._samplers import check_keeps_rows
from ._score import scored_part
from ._typing import Array, ArrayLike, DomainIds

_METHODS = (
    "fit",
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "transform",
    "inverse_transform",
    "score",
)


def routing_enabled():
    """Return whether scikit-learn's metadata routing is switched on."""
    return get_config()["enable_metadata_routing"]


def inner_has(method):
    """Return a check that the inner estimator (fitted, or else the parameter) has a method."""

    def check(self):
        # Raises AttributeError itself, which then names the inner estimator.
        getattr(getattr(self, "estimator_", self.estimator), method)
        return True

    return check


def slice_params(params, rows, n_samples):
    """Return metadata with the row-aligned ones cut to these rows."""
    if rows is None:
        return dict(params)

    def is_aligned(value):
        # Texts and dicts have a length, too, but no entry per row.
        sized = hasattr(value, "__len__") or hasattr(value, "shape")
        return sized and not isinstance(value, str | dict) and n_rows(value) == n_samples

    return {
        name: take_rows(value, rows) if is_aligned(value) else value
        for name, value in params.items()
    }


class DelegatingEstimator(*CALLBACK_SUPPORT, DomainRouting, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """Delegates to ``estimator_``; a subclass has an ``estimator`` parameter and writes ``fit``.

    It consumes ``sample_domain`` itself and routes all other metadata, and also
    ``sample_domain`` to an inner estimator that asks for it.
    """

    _array_level = "inner"
    _holds_estimators = True
    _source_only = False

    @available_if(inner_has("predict"))
    def predict(
        self, X: ArrayLike, *, sample_domain: DomainIds | None = None, **params: Any
    ) -> Array:
        """Predict with the fitted estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of any domain.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. One that was not there in ``fit`` is refused where the target was
            learnt from; nothing else depends on it.
        **params : dict
            Metadata for the inner ``predict``.

        Returns
        -------
        y_pred : array of shape (n_samples,)
            Prediction for each row.
        """
        return self._delegate("predict", X, sample_domain, params)

    @available_if(inner_has("predict_proba"))
    def predict_proba(
        self, X: ArrayLike, *, sample_domain: DomainIds | None = None, **params: Any
    ) -> Array:
        """Return class probabilities of the fitted estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of any domain.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. One that was not there in ``fit`` is refused where the target was
            learnt from; nothing else depends on it.
        **params : dict
            Metadata for the inner method.

        Returns
        -------
        proba : array of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        return self._delegate("predict_proba", X, sample_domain, params)

    @available_if(inner_has("predict_log_proba"))
    def predict_log_proba(
        self, X: ArrayLike, *, sample_domain: DomainIds | None = None, **params: Any
    ) -> Array:
        """Return logarithms of class probabilities of the fitted estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of any domain.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. One that was not there in ``fit`` is refused where the target was
            learnt from; nothing else depends on it.
        **params : dict
            Metadata for the inner method.

        Returns
        -------
        log_proba : array of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        return self._delegate("predict_log_proba", X, sample_domain, params)

    @available_if(inner_has("decision_function"))
    def decision_function(
        self, X: ArrayLike, *, sample_domain: DomainIds | None = None, **params: Any
    ) -> Array:
        """Return decision values of the fitted estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of any domain.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. One that was not there in ``fit`` is refused where the target was
            learnt from; nothing else depends on it.
        **params : dict
            Metadata for the inner method.

        Returns
        -------
        values : array of shape (n_samples,) or (n_samples, n_classes)
            Decision values.
        """
        return self._delegate("decision_function", X, sample_domain, params)

    @available_if(inner_has("score"))
    def score(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        sample_domain: DomainIds | None = None,
        **params: Any,
    ) -> float:
        """Return the score of the fitted estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to score.
        y : array-like of shape (n_samples,), default=None
            Their true labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row.
        sample_domain : array-like of int of shape (n_samples,), default=None
            None: all rows are scored, as labeled target rows of yours. Given: source rows
            only, so that no target label chooses a model silently.
        **params : dict
            Other metadata for the inner ``score``.

        Returns
        -------
        score : float
            The inner estimator's score, accuracy or R² as a rule.
        """
        check_is_fitted(self, "estimator_")
        n_samples = n_rows(X)
        X, y, sample_weight, ids = scored_part(self, X, y, sample_weight, sample_domain)
        if sample_domain is not None:
            # Only source rows are scored, so other metadata is cut to them.
            rows = check_sample_domain(sample_domain, n_samples) >= 0
            params = slice_params(params, rows.nonzero()[0], n_samples)
        if sample_weight is not None:
            params["sample_weight"] = sample_weight
        return self.estimator_.score(X, y, **self._params_for("score", ids, params))

    def _delegate(self, method, X, sample_domain, params):
        check_is_fitted(self, "estimator_")
        if sample_domain is not None:
            ids = check_sample_domain(sample_domain, n_rows(X))
            # What is fitted on source rows alone is the same model wherever it is used.
            if not self._source_only:
                check_known_domains(self, ids)
        params = self._params_for(method, sample_domain, params)
        return getattr(self.estimator_, method)(X, **params)

    def _params_for(self, method, sample_domain, params):
        """Return the metadata to hand to a method of the inner estimator."""
        # With routing off metadata goes on as it is, without asking who requests it.
        if not routing_enabled():
            return params
        if sample_domain is not None:
            params = {**params, "sample_domain": sample_domain}  # if it asks for it
        return process_routing(self, method, **params).estimator[method]

    def get_metadata_routing(self) -> Any:
        """Return what this estimator consumes itself and what it routes to the inner one.

        Returns
        -------
        routing : MetadataRouter
            Requests of this object and of ``estimator``.
        """
        mapping = MethodMapping()
        for method in _METHODS:
            mapping.add(caller=method, callee=method)
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(estimator=self.estimator, method_mapping=mapping)
        )

    def __getattr__(self, name):
        # Learnt attributes (classes_, coef_, best_params_, n_features_in_) are the inner ones.
        if name.endswith("_") and not name.startswith("_") and "estimator_" in vars(self):
            return getattr(self.estimator_, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @available_if(inner_has("get_feature_names_out"))
    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Return the names of the output columns of the inner transformer.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the input columns.

        Returns
        -------
        names : ndarray of str
            Names of the output columns.
        """
        check_is_fitted(self, "estimator_")
        return self.estimator_.get_feature_names_out(input_features)

    def __sklearn_tags__(self):
        tags = get_tags(self.estimator)
        tags.array_api_support = False  # depends on the estimator, whose own rules then hold
        return tags


def class_columns(estimator, X, classes):
    """Return ``predict_proba`` with one column per class; 0 for those it did not see."""
    # An estimator fitted on part of the rows may lack a class, and its column.
    return aligned_columns(as_labels(estimator.predict_proba(X)), estimator.classes_, classes)


def aligned_columns(values, known, classes, fill=0.0):
    """Return columns of the known classes at their places among all classes, `fill` elsewhere."""
    aligned = np.full((len(values), len(classes)), fill, dtype=np.float64)
    aligned[:, np.searchsorted(classes, known)] = values
    return aligned


def predicted_codes(estimator, X, classes):
    """Return the index of each predicted label in the sorted classes."""
    return np.searchsorted(classes, as_labels(estimator.predict(X)))


def check_accepts_sample_weight(estimator, owner):
    """Raise unless ``fit`` of the estimator accepts ``sample_weight``, with a hint what to do."""
    hint = "Take the sampler out: the weights balance the rows."
    check_keeps_rows(estimator, owner=type(owner).__name__, hint=hint)
    if has_fit_parameter(estimator, "sample_weight"):
        return
    if get_routing_for_object(estimator).consumes("fit", ["sample_weight"]):
        return  # a composite, with metadata routing switched on
    name = type(estimator).__name__
    if hasattr(estimator, "steps") and has_fit_parameter(estimator.steps[-1][1], "sample_weight"):
        last = type(estimator.steps[-1][1]).__name__
        hint = (
            "A Pipeline passes it on with sklearn.set_config(enable_metadata_routing=True) and "
            f"{last}(...).set_fit_request(sample_weight=True) as its last step; or put the "
            f"preprocessing in front: make_domain_pipeline(..., {type(owner).__name__}({last}()))."
        )
    else:
        hint = "Choose one that takes it, for example a tree, an SVM or a linear model."
    raise ValueError(
        f"estimator={name} must take sample_weight in fit, because {type(owner).__name__} "
        f"works by weighting rows; it does not. {hint}"
    )


def check_row_weights(sample_weight, n_samples):
    """Return the user's weights as a new array, ones if there are none."""
    if sample_weight is None:
        return np.ones(n_samples)
    # A copy: callers scale the weights in place, never those of the user.
    weights = np.array(to_numpy(sample_weight), dtype=np.float64)
    # One number for all rows, as scikit-learn allows.
    if weights.ndim == 0:
        return np.full(n_samples, float(weights))
    if weights.shape != (n_samples,):
        raise ValueError(
            f"sample_weight must have one value per row of X; got shape {weights.shape} for "
            f"{n_samples} rows."
        )
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError(
            "sample_weight must be finite and not negative; got "
            f"{weights[~np.isfinite(weights) | (weights < 0)][0]}."
        )
    return weights
