"""Scorers that weight the loss on source rows so that it stands for the loss on target rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

from .._array._backend import to_numpy
from .._array._rows import concatenate_rows
from .._core._param_checks import check_option
from .._core._typing import Estimator, RandomState
from ._base_scorer import BaseDomainScorer

# exp(30) is 1e13: domains that separate perfectly give weights of any size, which then overflow.
_MAX_LOG_ODDS = 30.0


def density_ratio(X_source, X_target, *, random_state=0):
    """Estimate p_target/p_source at the source rows by a cross-fitted logistic regression.

    The odds of a classifier of domains times n_source/n_target, not normalized; the odds of each
    row come from a classifier that was not fitted on it.
    """
    X = concatenate_rows([X_source, X_target])
    if not sparse.issparse(X) and not hasattr(X, "columns"):
        X = to_numpy(X)
    n_source, n_target = X_source.shape[0], X_target.shape[0]
    is_target = np.repeat([0, 1], [n_source, n_target])
    # Centering would make sparse rows dense.
    scaler = MaxAbsScaler() if sparse.issparse(X) else StandardScaler()
    model = make_pipeline(scaler, LogisticRegression(max_iter=1000))
    # Cross-fitted: a classifier that has seen a row is too sure of its domain.
    n_splits = min(5, n_source, n_target)
    if n_splits < 2:
        raise ValueError(
            "The weights of source rows need at least 2 rows of each domain; got "
            f"{n_source} source and {n_target} target rows."
        )
    cv = StratifiedKFold(n_splits, shuffle=True, random_state=random_state)
    log_odds = cross_val_predict(model, X, is_target, cv=cv, method="decision_function")[:n_source]
    return np.exp(np.clip(log_odds, -_MAX_LOG_ODDS, _MAX_LOG_ODDS)) * n_source / n_target


def importance_weighted_risk(loss, weights):
    """Return Σ w ℓ / Σ w."""
    return float(np.average(loss, weights=weights))


def deep_embedded_risk(loss, weights):
    """Return mean(wℓ) + η (mean(w) − 1) with η = −cov(wℓ, w)/var(w), which has least variance.

    The mean of true weights is 1, so what their sample mean is off by corrects the risk.
    """
    weighted = weights * loss
    centered = weights - weights.mean()
    variance = centered @ centered
    # equal weights: their mean has no error to correct
    eta = -(centered @ weighted) / variance if variance > 0 else 0.0
    return float(weighted.mean() + eta * (weights.mean() - 1.0))


def _zero_one(y, predicted):
    return (predicted != y).reshape(len(y), -1).any(axis=1).astype(np.float64)


def _squared_error(y, predicted):
    return ((y - predicted) ** 2).reshape(len(y), -1).mean(axis=1)


def _absolute_error(y, predicted):
    return np.abs(y - predicted).reshape(len(y), -1).mean(axis=1)


def _log_loss(y, P, classes):
    """Return −log p of the true class; a class that the model does not know has p = 0."""
    classes = np.asarray(classes)
    at = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
    p = np.where(classes[at] == y, P[np.arange(len(y)), at], 0.0)
    # As scikit-learn's log_loss: a certain mistake costs 36, not infinity.
    return -np.log(np.maximum(p, np.finfo(np.float64).eps))


_LOSSES = {
    "zero_one": _zero_one,
    "squared_error": _squared_error,
    "absolute_error": _absolute_error,
}


class _WeightedScorer(BaseDomainScorer):
    """Loss on source rows, weighted by how likely they are as target rows."""

    _needs = ("source", "target")

    def __init__(
        self,
        loss: Literal["zero_one", "log_loss", "squared_error", "absolute_error"]
        | Callable[..., Any]
        | None = None,
        weighter: Estimator | Callable[..., Any] | None = None,
        features: Literal["mapped", "input"] = "mapped",
        random_state: RandomState = 0,
    ):
        self.loss = loss
        self.weighter = weighter
        self.features = features
        self.random_state = random_state

    def _check_params(self):
        if self.loss is not None and not callable(self.loss):
            check_option(
                "loss",
                self.loss,
                [*sorted(_LOSSES), "log_loss"],
                hint="Or pass None, or a function (y_true, y_pred) that returns one loss per row.",
            )
        weighter = self.weighter
        if weighter is not None and not callable(weighter) and not hasattr(weighter, "fit"):
            raise ValueError(
                "weighter must be a weighter of skda, a function of the source rows that returns "
                f"their weights, or None; got {weighter!r}."
            )
        check_option("features", self.features, ("mapped", "input"))

    def _loss(self, data):
        loss = self.loss or ("squared_error" if data.is_regression else "zero_one")
        y = data.y_source
        if loss == "log_loss":
            return _log_loss(y, data.predict_proba(data.source_rows), data.estimator.classes_)
        if not callable(loss):
            loss = _LOSSES[loss]
        values = np.asarray(loss(y, data.predict(data.source_rows)), dtype=np.float64)
        if values.shape != (len(y),):
            raise ValueError(
                f"loss must return one number per row, shape {(len(y),)}; got {values.shape}."
            )
        return values

    def _weights(self, data):
        features_of = data.features if self.features == "mapped" else data.X_of
        source, target = features_of(data.source_rows), features_of(data.target_rows)
        if self.weighter is None:
            weights = density_ratio(source, target, random_state=self.random_state)
        elif hasattr(self.weighter, "fit"):
            weights = _fitted_weights(self.weighter, source, target)
        else:
            weights = self.weighter(source)
        weights = np.asarray(to_numpy(weights), dtype=np.float64)
        if weights.shape != (len(data.source_rows),):
            raise ValueError(
                f"weighter must give one weight per source row, shape {(len(data.source_rows),)}; "
                f"got {weights.shape}."
            )
        # NaN or negative weights would give a score, and a wrong one.
        if not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
            raise ValueError(
                "weighter must give finite weights >= 0 that are not all zero; got values between "
                f"{weights.min()} and {weights.max()}."
            )
        return weights


def _fitted_weights(weighter, source, target):
    X = concatenate_rows([source, target])
    ids = np.repeat([1, -2], [source.shape[0], target.shape[0]])
    return clone(weighter).fit(X, sample_domain=ids).weights_


class ImportanceWeightedScorer(_WeightedScorer):
    """Score by the loss on source rows, each weighted by how likely it is as a target row.

    Importance-weighted cross-validation (IWCV). Source rows that look like target rows count more,
    so that the weighted loss estimates the loss on the target. In the (negative) units of the loss;
    0 is perfect. Also for regression.

    Parameters
    ----------
    loss : {"zero_one", "log_loss", "squared_error", "absolute_error"}, callable or None, \
            default=None
        Loss of a row, or ``loss(y_true, y_pred)`` returning one number per row. None is
        "zero_one" for classifiers (the score is accuracy − 1) and "squared_error" for regressors.
    weighter : weighter, callable or None, default=None
        Where the weights come from: an object of `skda.instance_based` with
        ``fit(X, sample_domain=...)`` and ``weights_``; a callable that returns the weights of the
        source rows that it is given, for example the true density ratio; or None for a
        cross-fitted logistic regression that tells the domains apart.
    features : {"mapped", "input"}, default="mapped"
        What the weights are computed on. "mapped" accounts for what adaptation has left of the
        shift: the features that a predictor has learnt, if it has a ``transform`` (as nets have),
        else the rows as the last step of a Pipeline sees them. "input" is the rows as given.
    random_state : int, RandomState instance or None, default=0
        Seed of the folds of the default weighter.

    See Also
    --------
    DEVScorer : Less variance.
    SourceScorer : Equal weights, and any metric.
    CircularValidationScorer : Needs no weights.

    Notes
    -----
    The score is −Σ wᵢ ℓᵢ / Σ wᵢ over source rows, which are predicted as source rows. It
    converges to minus the target risk when labels given (mapped) features are the same in both
    domains and the source covers the target (covariate shift); its variance grows with that of
    the weights. Labels of target rows are ignored. Cost of the default weighter: five
    logistic regressions on the rows given. Computed on the host.

    References
    ----------
    .. [1] Sugiyama, M., Krauledat, M., Müller, K.-R. (2007). Covariate shift adaptation by
       importance weighted cross validation. JMLR 8.
       https://www.jmlr.org/papers/v8/sugiyama07a.html

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skda.metrics import ImportanceWeightedScorer
    >>> X, y = np.array([[-1.0], [0.1], [1.0], [0.6]]), np.array([0, 0, 1, -1])
    >>> sample_domain = np.array([1, 1, 1, -2])
    >>> model = LogisticRegression().fit(X[[0, 2]], y[[0, 2]])
    >>> scorer = ImportanceWeightedScorer(weighter=lambda X: np.exp(X[:, 0]))
    >>> round(scorer(model, X, y, sample_domain=sample_domain), 3)
    -0.264
    """

    def _score(self, data):
        return -importance_weighted_risk(self._loss(data), self._weights(data))


class DEVScorer(_WeightedScorer):
    """Score by the weighted loss on source rows with a control variate against its variance.

    Deep embedded validation (DEV). The weighted loss of :class:`ImportanceWeightedScorer` varies
    much when a few rows carry large weights; this score subtracts the part of it that comes from
    the sample mean of the weights being off its known value, 1. In the (negative) units of the
    loss. Also for regression, and for models that are not deep.

    Parameters
    ----------
    loss : {"zero_one", "log_loss", "squared_error", "absolute_error"}, callable or None, \
            default=None
        Loss of a row, as in :class:`ImportanceWeightedScorer`.
    weighter : weighter, callable or None, default=None
        Where the weights come from, as in :class:`ImportanceWeightedScorer`. Weights that are
        normalized to mean 1 on the very rows that are scored, as those of `skda.instance_based`
        are, leave the control variate nothing to correct.
    features : {"mapped", "input"}, default="mapped"
        What the weights are computed on, as in :class:`ImportanceWeightedScorer`.
    random_state : int, RandomState instance or None, default=0
        Seed of the folds of the default weighter.

    See Also
    --------
    ImportanceWeightedScorer : Without the control variate.
    SourceScorer : Equal weights, and any metric.

    Notes
    -----
    The score is −[mean(wℓ) + η (mean(w) − 1)] with η = −cov(wℓ, w)/var(w), over source rows,
    which are predicted as source rows. True weights have mean 1, so the second term has mean 0
    and the η chosen gives the sum its least variance; equal weights switch it off. Assumptions
    and cost as for :class:`ImportanceWeightedScorer`. With bad weights its values leave the range
    of the loss. Labels of target rows are ignored. Computed on the host.

    References
    ----------
    .. [1] You, K., Wang, X., Long, M., Jordan, M. (2019). Towards accurate model selection in deep
       unsupervised domain adaptation. ICML. https://proceedings.mlr.press/v97/you19a.html

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skda.metrics import DEVScorer
    >>> X, y = np.array([[-1.0], [0.1], [1.0], [0.6]]), np.array([0, 0, 1, -1])
    >>> sample_domain = np.array([1, 1, 1, -2])
    >>> model = LogisticRegression().fit(X[[0, 2]], y[[0, 2]])
    >>> scorer = DEVScorer(weighter=lambda X: np.exp(X[:, 0]))
    >>> round(scorer(model, X, y, sample_domain=sample_domain), 3)
    -0.413
    """

    def _score(self, data):
        return -deep_embedded_risk(self._loss(data), self._weights(data))
