"""Models that see the target otherwise: where they contradict a model, it may be wrong there.

Each removes a difference between the domains that may be an artifact: of location and scale, of
order within each feature, of covariance. A difference that matters makes them no better than the
model; but then neither is to be believed where they disagree.
"""

import numpy as np
from scipy.stats import rankdata
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

_TREES, _LEAF = 60, 2
_LINEAR_C = 1.0
_SHRINKAGE = 0.1  # of a covariance towards the identity: domains may have fewer rows than features
# Above so many features a covariance would take most of the time.
_MOST_FEATURES = 300


def mean_probabilities(X_source, y_source, X_target, n_classes, rng):
    """Return the mean class probabilities of the target rows under such models."""
    fill = SimpleImputer(strategy="median", keep_empty_features=True).fit(
        np.concatenate([X_source, X_target])
    )
    own = [StandardScaler().fit_transform(fill.transform(X)) for X in (X_source, X_target)]
    forest = RandomForestClassifier(_TREES, min_samples_leaf=_LEAF, random_state=rng)
    linear = LogisticRegression(C=_LINEAR_C, max_iter=1000)
    views = [(linear, own), (forest, [_ranks(X) for X in own])]
    if X_source.shape[1] <= _MOST_FEATURES:
        views.append((linear, _same_covariance(*own)))
    total = np.zeros((len(X_target), n_classes))
    for model, (source, target) in views:
        model.fit(source, y_source)
        total[:, model.classes_] += model.predict_proba(target)
    return total / len(views)


def _ranks(X):
    """Return the rank of each value within its feature and domain, in (0, 1)."""
    return (rankdata(X, axis=0) - 0.5) / len(X)


def _same_covariance(source, target):
    """Return standardized source rows with the correlations of the target (CORAL)."""

    def root(X, power):
        covariance = np.cov(X, rowvar=False).reshape(X.shape[1], X.shape[1])
        values, vectors = np.linalg.eigh(covariance)
        values = (1 - _SHRINKAGE) * np.maximum(values, 0) + _SHRINKAGE
        return (vectors * values**power) @ vectors.T

    return source @ root(source, -0.5) @ root(target, 0.5), target
