"""Which assumption on the shift the rows allow: do weighted source rows look like the target?

Weights for one kind of shift make the source rows look like the target rows if that is the kind. A
classifier that still tells them apart refutes it. Label shift has one weight per class; covariate
shift has a smooth function of the features here, the exponential of a quadratic one: weights of any
shape would make any two overlapping domains alike, and nothing could be refuted.
"""

from typing import NamedTuple

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from .._numerics._weights import effective_sample_size

# exp(30) is 1e13: domains that separate perfectly give weights of any size, which then overflow.
_MAX_LOG_ODDS = 30.0
# More features than these are summed up by as many principal components: squares and products of
# them are some two hundred, and each tree of the check looks at all of them.
_MOST_FEATURES = 20
_SQUARES_C = 10.0
_CHECK_TREES, _CHECK_LEAF, _CHECK_FOLDS = 40, 5, 3
# An area that the check may reach where the assumption holds: by chance (2.33 standard errors are
# exceeded once in a hundred times), and since weights are estimated.
_STANDARD_ERRORS, _TOLERATED = 2.33, 0.03
# Effective source rows without which a weighted mean says nothing.
_LEAST_EFFECTIVE = 20


class Balance(NamedTuple):
    """How far weighted source rows look like target rows."""

    auc: float
    """Area under the curve of a classifier that tells them apart; 0.5 if nothing does."""
    limit: float
    """Largest area at which they count as alike."""
    effective_size: float
    """Number of equally weighted rows that are worth as much as the weighted source rows."""

    @property
    def holds(self):
        """Whether the weights make the domains alike, and enough source rows are left."""
        return self.auc <= self.limit and self.effective_size >= _LEAST_EFFECTIVE


def comparable_features(X_source, X_target):
    """Return the features of both domains standardized together, without gaps, at most twenty."""
    n_source = len(X_source)
    # A column without a single value keeps its place, so that none is left to a name.
    fill = SimpleImputer(strategy="median", keep_empty_features=True)
    X = StandardScaler().fit_transform(fill.fit_transform(np.concatenate([X_source, X_target])))
    if min(X.shape) > _MOST_FEATURES and X.shape[1] > _MOST_FEATURES:
        X = StandardScaler().fit_transform(PCA(_MOST_FEATURES, random_state=0).fit_transform(X))
    return X[:n_source], X[n_source:]


def smooth_weights(X_source, X_target, rng):
    """Return target over source density at the source rows, the exponential of a quadratic."""
    n_source, n_target = len(X_source), len(X_target)
    is_target = np.repeat([0, 1], [n_source, n_target])
    model = make_pipeline(
        PolynomialFeatures(2, include_bias=False),
        StandardScaler(),
        LogisticRegression(C=_SQUARES_C, max_iter=1000),
    )
    # Cross-fitted: a classifier that has seen a row is too sure of its domain.
    folds = StratifiedKFold(min(5, n_source, n_target), shuffle=True, random_state=rng)
    X = np.concatenate([X_source, X_target])
    log_odds = cross_val_predict(model, X, is_target, cv=folds, method="decision_function")
    log_odds = np.clip(log_odds[:n_source], -_MAX_LOG_ODDS, _MAX_LOG_ODDS)
    return np.exp(log_odds) * n_source / n_target


def balance_of(X_source, X_target, weights, rng):
    """Return how well a cross-fitted forest tells weighted source rows from target rows."""
    n_source, n_target = len(X_source), len(X_target)
    X = np.concatenate([X_source, X_target])
    is_target = np.repeat([0, 1], [n_source, n_target])
    # Both domains weigh as much, so that a forest that knows nothing has the area 0.5.
    own = np.concatenate([weights / weights.sum(), np.full(n_target, 1 / n_target)]) * len(X) / 2
    said = np.empty(len(X))
    folds = StratifiedKFold(min(_CHECK_FOLDS, n_source, n_target), shuffle=True, random_state=rng)
    for train, test in folds.split(X, is_target):
        forest = RandomForestClassifier(
            _CHECK_TREES, min_samples_leaf=_CHECK_LEAF, max_features=None, random_state=rng
        )
        forest.fit(X[train], is_target[train], sample_weight=own[train])
        said[test] = forest.predict_proba(X[test])[:, 1]
    auc = float(roc_auc_score(is_target, said, sample_weight=own))
    size = effective_sample_size(weights)
    error = np.sqrt((1 / size + 1 / n_target) / 12)  # of an area of 0.5
    return Balance(auc, 0.5 + max(_TOLERATED, _STANDARD_ERRORS * error), size)
