"""A pipeline whose source map matters, and fixed predictions to score."""

import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from skda._core._base_transformer import BaseDomainTransformer
from skda._core._routing import DomainRouting


class MoveSource(BaseDomainTransformer):
    """Moves source rows by the difference of the means; target rows stay."""

    def __init__(self, strength=1.0):
        self.strength = strength

    def _fit(self, data):
        self.step_ = self.strength * (data.X_target.mean(axis=0) - data.X_source.mean(axis=0))

    def _map(self, X, domain, backend):
        return X + (self.step_ if domain >= 0 else 0.0)


class OnSource(DomainRouting, ClassifierMixin, BaseEstimator):
    """Fits a classifier on the source rows."""

    def __init__(self, estimator=None):
        self.estimator = estimator

    def fit(self, X, y, *, sample_domain=None):
        source = np.asarray(sample_domain) >= 0
        labels = np.asarray(np.asarray(y)[source].tolist())
        self.estimator_ = clone(self.estimator).fit(X[source], labels)
        self.classes_ = self.estimator_.classes_
        return self

    def predict(self, X, *, sample_domain=None):
        return self.estimator_.predict(X)

    def predict_proba(self, X, *, sample_domain=None):
        return self.estimator_.predict_proba(X)


class Recite(ClassifierMixin, BaseEstimator):
    """Returns the probabilities of each row that X holds."""

    def __init__(self, classes=(0, 1, 2)):
        self.classes = classes

    def fit(self, X=None, y=None):
        self.classes_ = np.asarray(self.classes)
        return self

    def predict_proba(self, X):
        return np.asarray(X)

    def predict(self, X):
        return self.classes_[np.asarray(X).argmax(axis=1)]


class ReciteValue(RegressorMixin, BaseEstimator):
    """Predicts the first column of X."""

    def fit(self, X=None, y=None):
        self.is_fitted_ = True
        return self

    def predict(self, X):
        return np.asarray(X)[:, 0]


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.fixture
def moved():
    """Two classes in two dimensions; the target is moved; rows of the domains alternate."""
    rng = np.random.default_rng(0)
    n = 120
    y = rng.integers(0, 2, n)
    sample_domain = np.tile([1, -2], n // 2)
    X = rng.normal(size=(n, 2)) + 3.0 * y[:, None]
    X[sample_domain < 0] += 2.5
    return X, y, sample_domain


@pytest.fixture
def pipeline():
    """Unfitted pipeline that moves the source rows and classifies."""
    return Pipeline([("move", MoveSource()), ("classify", OnSource(LogisticRegression()))])


@pytest.fixture
def probabilities():
    """Fixed probabilities of 30 rows over 3 classes, some exactly 0 and 1, with their labels."""
    rng = np.random.default_rng(1)
    P = rng.dirichlet([0.5, 0.7, 1.0], size=30)
    P[3], P[4] = [1.0, 0.0, 0.0], [0.0, 0.5, 0.5]
    y = rng.integers(0, 3, 30)
    sample_domain = np.repeat([1, -2], [14, 16])
    return P, y, sample_domain
