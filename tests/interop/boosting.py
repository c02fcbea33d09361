"""Claims about gradient boosting inside our estimators, whichever library grows the trees."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from skda import (
    ConsensusClassifier,
    CORALTransformer,
    ImportanceWeightedEstimator,
    PerDomain,
    RuLSIFWeighter,
    TrAdaBoostClassifier,
    TrainOnSource,
    make_domain_pipeline,
    stack_domains,
)


def crossing_line(seed=0):
    """A line of slope 2 on the left and -2 on the right, where the target is."""
    rng = np.random.default_rng(seed)
    X_source, X_target = rng.uniform(-2, 2, (120, 1)), rng.uniform(0.6, 2, (60, 1))
    return stack_domains(X_source, -2 * np.abs(X_source[:, 0]), X_target)


def other_concept(seed=0):
    """Two classes whose rule is turned round on one side in the source; 20 target labels."""
    rng = np.random.default_rng(seed)
    Xs, Xt = rng.uniform(-1, 1, (150, 2)), rng.uniform(-1, 1, (120, 2))
    ys, yt = Xs.sum(axis=1) > 0, (Xt.sum(axis=1) > 0).astype(int)
    ys = np.where(Xs[:, 0] > 0.2, ~ys, ys).astype(int)
    few = np.where(np.arange(120) < 20, yt, np.nan)
    X, y, d = stack_domains(Xs, ys.astype(float), Xt, few)
    return X, y, d, Xt[20:], yt[20:]


def other_units(seed=0):
    """Two classes whose features are measured in other units in the target."""
    rng = np.random.default_rng(seed)
    ys, yt = rng.integers(0, 2, 100), rng.integers(0, 2, 100)
    Xs, Xt = (rng.normal(size=(100, 2)) + [[3.0, 0.0]] * y[:, None] for y in (ys, yt))
    Xt = Xt * [[0.4, 2.0]] + [[4.0, -3.0]]
    return *stack_domains(Xs, ys, Xt), Xt, yt


def check_weights_arrive(regressor, **fit_params):
    """The fit is the library's own with these weights, and its error on the target is smaller."""
    X, y, d = crossing_line()
    weighter = RuLSIFWeighter(alpha=0.0, min_effective_size=None, random_state=0)
    model = ImportanceWeightedEstimator(regressor, weighter).fit(X, y, sample_domain=d)
    own, plain = clone(regressor), clone(regressor)
    own.fit(X[d > 0], y[d > 0], sample_weight=model.weights_)
    plain.fit(X[d > 0], y[d > 0])
    assert_allclose(model.predict(X), own.predict(X))
    truth = -2 * np.abs(X[d < 0, 0])
    error, before = (np.mean((m.predict(X[d < 0]) - truth) ** 2) for m in (model, plain))
    assert error < 0.5 * before


def check_weights_of_the_user(regressor):
    """The user's weights are multiplied by the learnt ones."""
    X, y, d = crossing_line()
    ours = np.where(X[:, 0] > 0, 1.0, 0.01)
    weighter = RuLSIFWeighter(min_effective_size=None, random_state=0)
    model = ImportanceWeightedEstimator(regressor, weighter)
    model.fit(X, y, sample_weight=ours, sample_domain=d)
    own = clone(regressor).fit(X[d > 0], y[d > 0], sample_weight=ours[d > 0] * model.weights_)
    assert_allclose(model.predict(X), own.predict(X))
    without = clone(regressor).fit(X[d > 0], y[d > 0], sample_weight=model.weights_)
    assert np.abs(model.predict(X) - without.predict(X)).max() > 0.01


def check_boosting_of_boosters(classifier):
    """Weights of later rounds arrive: the learners differ, and predict the target better."""
    X, y, d, X_rest, y_rest = other_concept()
    model = TrAdaBoostClassifier(classifier, n_estimators=6, random_state=0)
    model.fit(X, y, sample_domain=d)
    assert model.classes_.tolist() == [0, 1]
    plain = clone(classifier).fit(X[d > 0], y[d > 0].astype(int))
    assert model.score(X_rest, y_rest) > plain.score(X_rest, y_rest) + 0.05
    first, last = model.estimators_[0], model.estimators_[-1]
    assert np.abs(first.predict_proba(X_rest) - last.predict_proba(X_rest)).max() > 0.05


def check_consensus(classifier):
    """Boosters are candidates by themselves, behind a map, and the source-only model."""
    X, y, d, X_target, y_target = other_units()
    model = ConsensusClassifier(
        {
            "source only": classifier,
            "coral": make_domain_pipeline(CORALTransformer(match_mean=True), clone(classifier)),
            "scaled": make_domain_pipeline(PerDomain(StandardScaler()), LogisticRegression()),
        },
        check_need=False,
        combine="vote",
    ).fit(X, y, sample_domain=d)
    assert list(model.estimators_) == ["source only", "coral", "scaled"]
    assert type(model.estimators_["source only"].estimator_) is type(classifier)
    plain = clone(classifier).fit(X[d > 0], y[d > 0].astype(int))
    assert_array_equal(model.estimators_["source only"].predict(X_target), plain.predict(X_target))
    assert model.score(X_target, y_target) > plain.score(X_target, y_target) + 0.05


def check_missing_values(classifier):
    """Gaps in the features go through to the booster, which has its own way with them."""
    X, y, d, X_rest, y_rest = other_concept()
    X, X_rest = X.copy(), X_rest.copy()
    X[::7, 0] = np.nan
    X_rest[::7, 0] = np.nan
    model = TrainOnSource(classifier, use_target_labels=True).fit(X, y, sample_domain=d)
    assert model.score(X_rest, y_rest) > 0.5
    boosted = TrAdaBoostClassifier(classifier, n_estimators=2, random_state=0)
    assert boosted.fit(X, y, sample_domain=d).predict_proba(X_rest).shape == (len(X_rest), 2)
