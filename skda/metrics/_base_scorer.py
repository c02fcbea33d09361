"""What all scorers share: finding the rows they need and calling a fitted estimator on them.

A scorer uses the estimator through its public methods only, and passes ``sample_domain`` to each
of them that accepts it.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sklearn
from sklearn.base import BaseEstimator, is_regressor
from sklearn.utils.metadata_routing import MetadataRequest, get_routing_for_object

from .._array._backend import to_numpy
from .._array._rows import n_rows, take_rows
from .._core._fit_rows import rows_of_fit
from .._core._labels import as_labels, missing_labels, take_labels
from .._core._sample_domain import check_sample_domain

# Methods that a scorer calls and whose answer may depend on the domain of the rows.
_DOMAIN_METHODS = ("predict", "predict_proba", "decision_function", "transform")


def best_estimator_of(estimator):
    """Return the model that a search has found; anything that is not a search is returned."""
    while hasattr(estimator, "best_estimator_"):  # a search may hold another one
        estimator = estimator.best_estimator_
    return estimator


def _predictor_name(estimator):
    """Return the class of the predictor at the end of pipelines and wrappers, for messages."""
    # The user knows the classifier that lacks a method, not the wrapper that passes the lack on.
    while True:
        if hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        elif _is_estimator(getattr(estimator, "estimator", None)):
            estimator = estimator.estimator
        else:
            return type(estimator).__name__


def _consumes(estimator, method, param="sample_domain"):
    if not hasattr(estimator, "get_metadata_routing"):  # of other packages
        return False
    try:
        routing = get_routing_for_object(estimator)
    except NotImplementedError:  # scikit-learn's meta-estimators that do not route
        return False
    return bool(routing.consumes(method, [param]))


def accepts_sample_domain(estimator, method):
    """Return whether ``estimator.method(X, sample_domain=...)`` reaches what needs it."""
    parameters = inspect.signature(getattr(estimator, method)).parameters
    if "sample_domain" in parameters:
        return True
    # A pipeline has **params, which reach its steps only while routing is on.
    return sklearn.get_config()["enable_metadata_routing"] and _consumes(estimator, method)


def call_with_domains(estimator, method, X, ids):
    """Call a method with ``sample_domain`` where something in the estimator needs that."""
    if ids is not None and accepts_sample_domain(estimator, method):
        return getattr(estimator, method)(X, **_domain_params(estimator, method, ids))
    return getattr(estimator, method)(X)


def _domain_params(estimator, method, ids):
    """Return the metadata for rows of these domains."""
    params = {"sample_domain": ids}
    # Estimators of SKADA predict source rows only if they are told to.
    if (ids >= 0).any() and _consumes(estimator, method, "allow_source"):
        params["allow_source"] = True
    return params


def depends_on_domain(estimator):
    """Return whether the estimator, or one inside it, requests ``sample_domain`` to predict."""
    # Parts too: a meta-estimator that does not route hides that its inner estimator adapts.
    parts = [estimator]
    if hasattr(estimator, "get_params"):
        parts += [part for part in estimator.get_params(deep=True).values() if _is_estimator(part)]
    return any(_consumes(part, method) for part in parts for method in _DOMAIN_METHODS)


def _is_estimator(part):
    return hasattr(part, "fit") and not isinstance(part, type)


@dataclass(frozen=True)
class ScoringData:
    """A fitted estimator and the data to score it on.

    ``rows`` is an array of row indices in every method.
    """

    estimator: Any
    X: Any
    y: np.ndarray | None
    sample_domain: np.ndarray
    scorer_name: str
    """Class of the scorer, for messages."""

    @cached_property
    def source_rows(self):
        """Indices of the source rows."""
        return np.flatnonzero(self.sample_domain >= 0)

    @cached_property
    def target_rows(self):
        """Indices of the target rows."""
        return np.flatnonzero(self.sample_domain < 0)

    @cached_property
    def y_source(self):
        """Labels of the source rows, of their own type."""
        if self.y is None:
            raise ValueError(f"{self.scorer_name} needs the labels of the source rows; y is None.")
        labels = take_labels(self.y, self.source_rows)
        # -1 among integers is a class on source rows; only target rows may use it as a mark.
        if labels.dtype.kind != "i" and missing_labels(labels).any():
            raise ValueError(
                f"{self.scorer_name} needs the label of every source row; y has NaN or None "
                "there. Drop those rows or label them."
            )
        return labels

    @property
    def is_regression(self):
        """Whether the estimator is a regressor."""
        return is_regressor(self.estimator)

    def X_of(self, rows):
        """Return these rows of X, in the container of X."""
        return take_rows(self.X, rows)

    def predict(self, rows):
        """Return predictions for these rows, one-dimensional where ``y`` is."""
        predicted = take_labels(self.call("predict", rows))
        # Some regressors (partial least squares, nets) return a column for one output.
        if predicted.ndim == 2 and predicted.shape[1] == 1:
            predicted = predicted[:, 0]
        return predicted

    def predict_proba(self, rows):
        """Return class probabilities (rows, classes) in float64."""
        if getattr(self.estimator, "predict_proba", None) is None:
            raise ValueError(
                f"{self.scorer_name} needs class probabilities, and "
                f"{_predictor_name(self.estimator)} has no predict_proba. Use a probabilistic "
                "classifier (for example TrainOnSource(CalibratedClassifierCV(...)) as the last "
                "step), or CircularValidationScorer or MixValScorer, which need predictions only."
            )
        P = to_numpy(self.call("predict_proba", rows)).astype(np.float64, copy=False)
        if P.ndim != 2:
            raise ValueError(
                f"{self.scorer_name} needs predict_proba to return an array (rows, classes); got "
                f"shape {P.shape}."
            )
        # NaN would compare as neither better nor worse, and a search would rank it anywhere.
        if not np.isfinite(P).all():
            raise ValueError(
                f"{self.scorer_name} got NaN or infinity from predict_proba of "
                f"{type(self.estimator).__name__}."
            )
        return P

    def features(self, rows):
        """Return the features that the predictor has learnt or is given; X itself if neither.

        Those of its own ``transform`` (neural nets, discriminant analysis), else what the last
        step of a pipeline is given.
        """
        if hasattr(self.estimator, "transform"):
            return self.call("transform", rows)
        steps = getattr(self.estimator, "steps", None)
        if not steps or len(steps) < 2:
            return self.X_of(rows)
        # Slicing a pipeline keeps the fitted steps.
        return self._call_on(self.estimator[:-1], "transform", rows)

    def call(self, method, rows):
        """Return what a method of the estimator gives for these rows."""
        return self._call_on(self.estimator, method, rows)

    def _call_on(self, estimator, method, rows):
        if accepts_sample_domain(estimator, method):
            params = _domain_params(estimator, method, self.sample_domain[rows])
            return getattr(estimator, method)(self.X_of(rows), **params)
        # Without sample_domain every row is taken as a target row, which is right for those only.
        if (self.sample_domain[rows] >= 0).any() and depends_on_domain(estimator):
            self._require_sample_domain(estimator, method)
        return getattr(estimator, method)(self.X_of(rows))

    def _require_sample_domain(self, estimator, method):
        name = type(estimator).__name__
        raise ValueError(
            f"{self.scorer_name} uses source rows, and {name}.{method} does not accept "
            "sample_domain, so it would transform source rows as target rows. "
            + (
                "Switch metadata routing on with sklearn.set_config(enable_metadata_routing=True)."
                if not sklearn.get_config()["enable_metadata_routing"]
                else f"{name} does not route sample_domain; put it inside the pipeline "
                "(skda.TrainOnSource) instead of around it, or use a scorer that uses target "
                "rows only, such as InformationMaximizationScorer."
            )
        )


class BaseDomainScorer(BaseEstimator):
    """A scorer ``(estimator, X, y, *, sample_domain) -> float``, higher is better.

    A method implements ``_score(data)`` on :class:`ScoringData`, names in ``_needs`` the sides
    that must be present, and checks its parameters in ``_check_params``, which runs before any
    prediction.
    """

    _needs: tuple[str, ...] = ("target",)
    _classification_only = False

    def __call__(self, estimator, X, y=None, *, sample_domain=None):
        """Score a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted classifier, regressor, Pipeline or search.
        X : array-like of shape (n_samples, n_features)
            Rows of both domains; the scorer picks those it needs.
        y : array-like of shape (n_samples,), default=None
            Labels. Those of target rows are ignored unless the class says otherwise.
        sample_domain : array-like of int of shape (n_samples,)
            Domain of each row: >= 0 a source, < 0 a target.

        Returns
        -------
        score : float
            Higher is better.
        """
        # At the call and not in __init__, as scikit-learn asks of every estimator.
        self._check_params()
        # A callback cannot state domains: its copy of an estimator knows all rows of the fit.
        rows = rows_of_fit(estimator) if sample_domain is None else None
        if rows is not None:
            X, y, sample_domain = rows.X, rows.y, rows.ids
        data = self._validate(estimator, X, y, sample_domain)
        if self._classification_only and data.is_regression:
            raise ValueError(
                f"{type(self).__name__} is defined for classifiers; got the regressor "
                f"{type(data.estimator).__name__}. For regression use ImportanceWeightedScorer, "
                "DEVScorer or CircularValidationScorer."
            )
        return float(self._score(data))

    def _check_params(self):
        """Raise if a parameter of the scorer is out of range."""

    def _score(self, data):
        raise NotImplementedError

    def _validate(self, estimator, X, y, sample_domain):
        name = type(self).__name__
        if not hasattr(estimator, "predict"):
            raise ValueError(
                f"{name} scores a fitted classifier, regressor, Pipeline or search; got "
                f"{estimator!r}, which has no predict."
            )
        if X is None:
            raise ValueError(f"{name} needs rows to score on; X is None.")
        if sample_domain is None:
            raise ValueError(
                f"{name} needs sample_domain to know which rows are target rows; got None. By "
                "hand pass scorer(estimator, X, y, sample_domain=...); in a search switch on "
                "sklearn.set_config(enable_metadata_routing=True) and pass sample_domain to fit "
                "(to cross_validate: params={'sample_domain': ...})."
            )
        ids = check_sample_domain(sample_domain, n_rows(X))
        self._check_sides(ids)
        return ScoringData(best_estimator_of(estimator), X, _checked_labels(y, ids), ids, name)

    def _check_sides(self, ids):
        for side, there in (("source", (ids >= 0).any()), ("target", (ids < 0).any())):
            if side in self._needs and not there:
                raise ValueError(
                    f"{type(self).__name__} needs {side} rows, and sample_domain has none among "
                    f"these {len(ids)} rows; got only {np.unique(ids)[:5].tolist()}. In a "
                    "cross-validation, split with skda.model_selection.DomainStratifiedKFold, "
                    "which keeps both domains in every fold."
                )

    def get_metadata_routing(self) -> Any:
        """Return the request for ``sample_domain``.

        Returns
        -------
        routing : MetadataRequest
            Requests of this scorer.
        """
        # Written out: BaseEstimator's finds requests by method, and __call__ is not one of them.
        request = MetadataRequest(owner=type(self).__name__)
        request.score.add_request(param="sample_domain", alias=True)
        return request


def _checked_labels(y, ids):
    """Return y as an array with one real, textual or boolean label per row."""
    y = as_labels(y)
    if y is None:
        return None
    if y.shape[0] != len(ids):
        raise ValueError(
            f"y must have one label per row of X; got {y.shape[0]} labels for {len(ids)} rows."
        )
    if y.dtype.kind == "c":  # a metric would drop the imaginary part
        raise ValueError("y must not be complex. Score the real and imaginary parts apart.")
    return y
