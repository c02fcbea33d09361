"""Two clones of a regressor that predict a lower and an upper quantile."""

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, clone

from .._core._labels import as_labels
from .._core._routing import DomainRouting
from ._held_out import as_domain_model, call_model, fit_quietly

# How estimators call the quantile, and by which other parameter they predict one at all.
_NAMES = (("quantile", "loss"), ("alpha", "loss"), ("alpha", "objective"))


def quantile_parameter(estimator):
    """Return the name of the parameter that says which quantile is predicted."""
    params = estimator.get_params(deep=True)
    found = set()
    for path in params:
        prefix, _, name = path.rpartition("__")
        prefix = prefix and prefix + "__"
        for known, kind in _NAMES:
            if name == known and params.get(prefix + kind) == "quantile":
                found.add(path)
        # QuantileRegressor, which predicts nothing else.
        if name == "quantile" and prefix + "loss" not in params:
            found.add(path)
    if len(found) != 1:
        name, what = type(estimator).__name__, sorted(found) or "none"
        raise ValueError(
            f"method='quantile' needs an estimator with one parameter that says which quantile is "
            f"predicted; {name} has {what}. Take for example QuantileRegressor(alpha=0), "
            "HistGradientBoostingRegressor(loss='quantile', quantile=0.5), or method='absolute'."
        )
    return found.pop()


class BothQuantiles(DomainRouting, RegressorMixin, BaseEstimator):
    """Predicts the quantiles alpha / 2 and 1 - alpha / 2, in two columns."""

    def __init__(self, estimator, alpha):
        self.estimator = estimator
        self.alpha = alpha

    def fit(self, X, y, *, sample_domain=None):
        name = quantile_parameter(self.estimator)
        params = {} if sample_domain is None else {"sample_domain": sample_domain}
        self.estimators_ = []
        for quantile in (0.5 * self.alpha, 1.0 - 0.5 * self.alpha):
            model = clone(self.estimator).set_params(**{name: quantile})
            self.estimators_.append(fit_quietly(as_domain_model(model), X, y, params))
        return self

    def predict(self, X, *, sample_domain=None):
        found = [call_model(model, "predict", X, sample_domain) for model in self.estimators_]
        return np.column_stack([as_labels(one) for one in found])
