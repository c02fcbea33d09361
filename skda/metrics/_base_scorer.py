"""What all scorers share: finding the rows they need and asking a fitted estimator about them.

A scorer sees the estimator through its public methods only, and tells it the domain of each row
where that is possible.
"""

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
from .._core._labels import as_labels, take_labels
from .._core._sample_domain import check_sample_domain

_ASKED = ("predict", "predict_proba", "decision_function", "transform")


def fitted_part(estimator):
    """Return what a search has found: itself for anything that is not a search."""
    while hasattr(estimator, "best_estimator_"):
        estimator = estimator.best_estimator_
    return estimator


def _predictor_name(estimator):
    """Return the class of the predictor at the end of pipelines and wrappers, for messages."""
    while True:
        if hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        elif _is_estimator(getattr(estimator, "estimator", None)):
            estimator = estimator.estimator
        else:
            return type(estimator).__name__


def _consumes(estimator, method):
    if not hasattr(estimator, "get_metadata_routing"):
        return False
    try:
        routing = get_routing_for_object(estimator)
    except NotImplementedError:  # scikit-learn's meta-estimators that do not route
        return False
    return bool(routing.consumes(method, ["sample_domain"]))


def can_be_told(estimator, method):
    """Tell whether ``estimator.method(X, sample_domain=...)`` reaches what needs it."""
    parameters = inspect.signature(getattr(estimator, method)).parameters
    if "sample_domain" in parameters:
        return True
    return sklearn.get_config()["enable_metadata_routing"] and _consumes(estimator, method)


def depends_on_domain(estimator):
    """Tell whether the estimator, or one inside it, asks for ``sample_domain`` when it is used."""
    parts = [estimator]
    if hasattr(estimator, "get_params"):
        parts += [part for part in estimator.get_params(deep=True).values() if _is_estimator(part)]
    return any(_consumes(part, method) for part in parts for method in _ASKED)


def _is_estimator(part):
    return hasattr(part, "fit") and not isinstance(part, type)


@dataclass(frozen=True)
class ScoredRows:
    """Rows to score on, with the fitted estimator that is asked about them."""

    estimator: Any
    X: Any
    y: np.ndarray | None
    ids: np.ndarray
    scorer: str
    """Name of the scorer, for messages."""

    @cached_property
    def source(self):
        """Indices of the source rows."""
        return np.flatnonzero(self.ids >= 0)

    @cached_property
    def target(self):
        """Indices of the target rows."""
        return np.flatnonzero(self.ids < 0)

    @cached_property
    def y_source(self):
        """Labels of the source rows, of their own type."""
        if self.y is None:
            raise ValueError(f"{self.scorer} needs the labels of the source rows; y is None.")
        labels = take_labels(self.y, self.source)
        missing = labels.dtype.kind == "f" and np.isnan(labels).any()
        if missing or (labels.dtype == object and any(v is None for v in labels.ravel())):
            raise ValueError(
                f"{self.scorer} needs the label of every source row; y has NaN or None there. "
                "Drop those rows or label them."
            )
        return labels

    @property
    def is_regression(self):
        """Whether the estimator is a regressor."""
        return is_regressor(self.estimator)

    def ask(self, method, rows):
        """Return what a method of the estimator says about these rows, on the host."""
        return to_numpy(self._ask(self.estimator, method, rows))

    def predict(self, rows):
        """Return predictions for these rows, one-dimensional where ``y`` is."""
        predicted = take_labels(self._ask(self.estimator, "predict", rows))
        if predicted.ndim == 2 and predicted.shape[1] == 1:
            predicted = predicted[:, 0]
        return predicted

    def predict_proba(self, rows):
        """Return class probabilities (rows, classes) in float64."""
        if getattr(self.estimator, "predict_proba", None) is None:
            raise ValueError(
                f"{self.scorer} needs class probabilities, and "
                f"{_predictor_name(self.estimator)} has no predict_proba. Use a probabilistic "
                "classifier (for example TrainOnSource(CalibratedClassifierCV(...)) as the last "
                "step), or CircularValidationScorer or MixValScorer, which need predictions only."
            )
        P = self.ask("predict_proba", rows).astype(np.float64, copy=False)
        if P.ndim != 2:
            raise ValueError(
                f"{self.scorer} needs predict_proba to return an array (rows, classes); got shape "
                f"{P.shape}."
            )
        if not np.isfinite(P).all():
            raise ValueError(
                f"{self.scorer} got NaN or infinity from predict_proba of "
                f"{type(self.estimator).__name__}."
            )
        return P

    def rows_of(self, rows):
        """Return these rows of X as they came."""
        return take_rows(self.X, rows)

    def features(self, rows):
        """Return the features that the predictor has learnt or sees; X itself if there are none.

        Those of its own ``transform`` (neural nets, discriminant analysis), else what the last
        step of a pipeline is given.
        """
        if hasattr(self.estimator, "transform"):
            return self._ask(self.estimator, "transform", rows)
        steps = getattr(self.estimator, "steps", None)
        if not steps or len(steps) < 2:
            return take_rows(self.X, rows)
        return self._ask(self.estimator[:-1], "transform", rows)

    def _ask(self, estimator, method, rows):
        X, ids = take_rows(self.X, rows), self.ids[rows]
        if can_be_told(estimator, method):
            return getattr(estimator, method)(X, sample_domain=ids)
        self._check_told(estimator, method, rows)
        return getattr(estimator, method)(X)

    def _check_told(self, estimator, method, rows):
        """Refuse source rows (or several targets) where the estimator would mistake them."""
        ids = self.ids[rows]
        if (ids < 0).all() or can_be_told(estimator, method) or not depends_on_domain(estimator):
            return
        name = type(estimator).__name__
        raise ValueError(
            f"{self.scorer} looks at source rows, and {name}.{method} cannot be told which rows "
            "those are: it would map them as target rows. "
            + (
                "Switch metadata routing on with sklearn.set_config(enable_metadata_routing=True)."
                if not sklearn.get_config()["enable_metadata_routing"]
                else f"{name} does not route sample_domain; put it inside the pipeline "
                "(skda.TrainOnSource) instead of around it, or use a scorer that looks at target "
                "rows only, such as InformationMaximizationScorer."
            )
        )


class BaseDomainScorer(BaseEstimator):
    """A scorer ``(estimator, X, y, *, sample_domain) -> float``, higher is better.

    A method implements ``_score(rows)`` on :class:`ScoredRows` and says in ``_needs`` which
    sides must be present.
    """

    _needs = ("target",)
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
            Labels. Those of target rows are not looked at unless the class says so.
        sample_domain : array-like of int of shape (n_samples,)
            Domain of each row: >= 0 a source, < 0 a target.

        Returns
        -------
        score : float
            Higher is better.
        """
        rows = self._rows(estimator, X, y, sample_domain)
        if self._classification_only and rows.is_regression:
            raise ValueError(
                f"{type(self).__name__} is defined for classifiers; got the regressor "
                f"{type(rows.estimator).__name__}. For regression use ImportanceWeightedScorer, "
                "DEVScorer or CircularValidationScorer."
            )
        return float(self._score(rows))

    def _rows(self, estimator, X, y, sample_domain):
        name = type(self).__name__
        if sample_domain is None:
            raise ValueError(
                f"{name} needs sample_domain to know which rows are target rows; got None. By "
                "hand pass scorer(estimator, X, y, sample_domain=...); in a search switch on "
                "sklearn.set_config(enable_metadata_routing=True) and pass sample_domain to fit "
                "(to cross_validate: params={'sample_domain': ...})."
            )
        ids = check_sample_domain(sample_domain, n_rows(X))
        for side, there in (("source", (ids >= 0).any()), ("target", (ids < 0).any())):
            if side in self._needs and not there:
                raise ValueError(
                    f"{name} needs {side} rows, and sample_domain has none among these "
                    f"{len(ids)} rows; got only {np.unique(ids)[:5].tolist()}. In a "
                    "cross-validation, split with skda.model_selection.DomainStratifiedKFold, "
                    "which keeps both domains in every fold."
                )
        y = as_labels(y)
        if y is not None and y.shape[0] != len(ids):
            raise ValueError(
                f"y must have one label per row of X; got {y.shape[0]} labels for {len(ids)} rows."
            )
        return ScoredRows(fitted_part(estimator), X, y, ids, name)

    def _score(self, rows):
        raise NotImplementedError

    def get_metadata_routing(self):
        """Say that ``sample_domain`` is wanted.

        Returns
        -------
        routing : MetadataRequest
            Requests of this scorer.
        """
        # Written out: BaseEstimator's finds requests by method, and __call__ is not one of them.
        request = MetadataRequest(owner=type(self).__name__)
        request.score.add_request(param="sample_domain", alias=True)
        return request
