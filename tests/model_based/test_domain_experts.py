"""One model per source: weights by hand, and targets between sources that contradict each other."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import norm
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.svm import LinearSVC

from skda import DomainExpertsClassifier, DomainExpertsRegressor, DomainWarning, stack_domains
from skda.model_based._base_domain_experts import (
    WEIGHTINGS,
    consensus_weights,
    mixture_weights,
    stacking_weights,
)
from tests.templates import PredictorTemplate


def two_sides(seed, classes=False):
    """Two sources far apart with contrary laws; the target is a mixture of both."""
    rng = np.random.default_rng(seed)
    X = [rng.normal(c, 1.0, size=(150, 2)) for c in (-3.0, 3.0)]
    y = [X[0] @ [1.0, -2.0], X[1] @ [-1.0, 2.0]]
    Xt = np.vstack([rng.normal(c, 1.0, size=(60, 2)) for c in (-3.0, 3.0)])
    yt = np.r_[Xt[:60] @ [1.0, -2.0], Xt[60:] @ [-1.0, 2.0]]
    rows, labels, d = stack_domains(X, y, Xt, yt)
    if classes:
        labels = (labels > 3.0).astype(int)  # the median on each side
    return rows, labels, d


class TestDomainExpertsRegressor(PredictorTemplate):
    estimator = DomainExpertsRegressor()
    off = {"weighting": "uniform"}
    model = Ridge()
    gain = 0.3
    bad_params = {
        "weighting": ["MMD", None, 1],
        "domain_estimator": ["classifier"],
        "estimator": [Ridge],
    }

    def shift(self, seed):
        return two_sides(seed)


class TestDomainExpertsClassifier(TestDomainExpertsRegressor):
    estimator = DomainExpertsClassifier()
    model = LogisticRegression()
    gain = 0.1

    def shift(self, seed):
        return two_sides(seed, classes=True)


def test_similarity_is_the_distribution_weighted_combination():
    rng = np.random.default_rng(0)
    X = [rng.normal(c, 1.0, size=(2000, 1)) for c in (-1.0, 1.0)]
    rows, y, d = stack_domains(X, [X[0][:, 0], -X[1][:, 0]], rng.normal(size=(50, 1)))
    model = DomainExpertsRegressor(
        LinearRegression(), domain_estimator=LinearDiscriminantAnalysis()
    ).fit(rows, y, sample_domain=d)
    new = np.linspace(-2, 2, 9)
    p, q = norm.pdf(new, -1.0), norm.pdf(new, 1.0)
    wanted = (p * new + q * -new) / (p + q)
    np.testing.assert_allclose(model.predict(new[:, None]), wanted, atol=0.1)
    found = model.domain_estimator_.predict_proba(rows[d < 0]).mean(axis=0)
    np.testing.assert_allclose(model.expert_weights_, found)


def test_uniform_is_the_mean_of_the_experts():
    X, y, d = two_sides(0, classes=True)
    model = DomainExpertsClassifier(weighting="uniform").fit(X, y, sample_domain=d)
    experts = [LogisticRegression(max_iter=1000).fit(X[d == i], y[d == i]) for i in (1, 2)]
    wanted = np.mean([e.predict_proba(X) for e in experts], axis=0)
    np.testing.assert_allclose(model.predict_proba(X), wanted)
    assert model.sources_.tolist() == [1, 2]


def test_stacking_weights_are_those_of_a_general_solver():
    rng = np.random.default_rng(0)
    for seed in range(5):
        predictions = np.random.default_rng(seed).normal(size=(4, 30))
        wanted = 0.6 * predictions[0] + 0.4 * predictions[1] + 0.5 * rng.normal(size=30)
        found = stacking_weights(predictions, wanted)
        assert found.sum() == pytest.approx(1.0) and (found >= 0).all()

        def error(w, predictions=predictions, wanted=wanted):
            return np.sum((wanted - w @ predictions) ** 2)

        best = minimize(
            error,
            np.full(4, 0.25),
            bounds=[(0, 1)] * 4,
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
            options={"ftol": 1e-14},
        )
        np.testing.assert_allclose(found, best.x, atol=1e-4)


def discrepancy(w, X, Xt, gamma):
    """Squared maximum mean discrepancy of a mixture, from all pairs of rows."""
    rows = np.vstack([*X, Xt])
    signed = np.concatenate([*(np.full(len(x), v / len(x)) for x, v in zip(X, w, strict=True))])
    signed = np.r_[signed, np.full(len(Xt), -1 / len(Xt))]
    K = np.exp(-gamma * ((rows[:, None] - rows) ** 2).sum(axis=2))
    return signed @ K @ signed


def test_mixture_weights_minimize_the_discrepancy():
    rng = np.random.default_rng(0)
    X = [rng.normal(c, 1.0, size=(40, 2)) for c in (-2.0, 0.0, 3.0)]
    Xt = np.vstack([rng.normal(-2.0, 1.0, size=(45, 2)), rng.normal(3.0, 1.0, size=(15, 2))])
    found = mixture_weights(X, Xt)
    rows = np.vstack([*X, Xt])
    distances = np.sqrt(((rows[:, None] - rows) ** 2).sum(axis=2))
    gamma = 0.5 / np.median(distances[~np.eye(len(rows), dtype=bool)]) ** 2
    best = minimize(
        discrepancy,
        np.full(3, 1 / 3),
        args=(X, Xt, gamma),
        bounds=[(0, 1)] * 3,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-14},
    )
    assert discrepancy(found, X, Xt, gamma) <= best.fun + 1e-7
    np.testing.assert_allclose(found, [0.75, 0.0, 0.25], atol=0.1)


def test_sources_that_are_one_share_the_weight_of_a_mixture():
    rng = np.random.default_rng(0)
    X, Xt = rng.normal(size=(40, 2)), rng.normal(size=(30, 2))
    found = mixture_weights([X, X, X + 5.0], Xt)
    assert found.sum() == pytest.approx(1.0) and (found >= 0).all() and found[2] < 0.1


def test_consensus_weights_are_a_fixed_point_that_an_outsider_has_little_part_in():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=200)
    predictions = truth + rng.normal(size=(4, 200)) * np.array([[0.1], [0.2], [0.2], [2.0]])
    found = consensus_weights(predictions)
    apart = ((predictions - found @ predictions) ** 2).mean(axis=1)
    wanted = -np.log(apart / apart.sum())
    np.testing.assert_allclose(found, wanted / wanted.sum(), atol=1e-6)
    assert found[3] < 0.02 and found[0] == found.max()
    assert consensus_weights(np.ones((3, 5))).tolist() == [1 / 3] * 3


@pytest.mark.parametrize("classes", [False, True])
@pytest.mark.parametrize("weighting", ["mmd", "consensus"])
def test_constant_weights_without_labels_find_the_sources_that_suit(weighting, classes):
    gains = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        # Two sources are like the target; the third lies elsewhere and follows another law.
        X = [rng.normal(c, 1.0, size=(150, 3)) for c in (0.0, 0.3, 2.0)]
        Xt = rng.normal(0.1, 1.0, size=(150, 3))
        y = [X[0] @ [1, 1, 0], X[1] @ [1, 1, 0], X[2] @ [-3, 1, 0] + 4.0, Xt @ [1, 1, 0]]
        y = [part + 0.3 * rng.normal(size=150) for part in y]
        if classes:
            y = [(part > 0).astype(int) for part in y]
        rows, labels, d = stack_domains(X, y[:3], Xt)
        cls = DomainExpertsClassifier if classes else DomainExpertsRegressor
        scores = {}
        for name in (weighting, "uniform"):
            model = cls(weighting=name).fit(rows, labels, sample_domain=d)
            scores[name] = model.score(Xt, y[3])
        gains.append(scores[weighting] - scores["uniform"])
        assert cls(weighting=weighting).fit(rows, labels, sample_domain=d).expert_weights_[2] < 0.2
    assert np.mean(gains) > (0.02 if classes else 0.3), gains


@pytest.mark.parametrize("classes", [False, True])
def test_labels_find_the_source_that_suits(classes):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3, 200, 3))
    y = [X[0] @ [1, 0, 0], X[1] @ [0, 1, 0], X[2] @ [0, 1, 0]]
    if classes:
        y = [(part > 0).astype(int) for part in y]
    few = y[2].astype(float)
    few[20:] = np.nan
    rows, labels, d = stack_domains([X[0], X[1]], y[:2], X[2], few)
    cls = DomainExpertsClassifier if classes else DomainExpertsRegressor
    model = cls(weighting="labels").fit(rows, labels, sample_domain=d)
    assert model.expert_weights_[1] > 0.9
    assert model.score(X[2], y[2]) > 0.9
    labels[d < 0] = np.nan
    with pytest.warns(DomainWarning, match="no label on 200 target rows"):
        model = cls(weighting="labels").fit(rows, labels, sample_domain=d)
    np.testing.assert_allclose(model.expert_weights_, 0.5)


def test_target_labels_are_ignored_unless_asked_for():
    X, y, d = two_sides(0)
    for weighting in ("similarity", "uniform", "mmd", "consensus"):
        model = DomainExpertsRegressor(weighting=weighting)
        wanted = model.fit(X, y, sample_domain=d).predict(X)
        other = np.where(d < 0, -100.0, y)
        np.testing.assert_array_equal(model.fit(X, other, sample_domain=d).predict(X), wanted)


def test_one_source_is_the_plain_estimator():
    X, y, d = two_sides(0)
    plain = Ridge().fit(X[d > 0], y[d > 0])
    for weighting in WEIGHTINGS:
        model = DomainExpertsRegressor(weighting=weighting)
        model.fit(X, y, sample_domain=np.where(d > 0, 1, d))
        np.testing.assert_allclose(model.predict(X), plain.predict(X))
        assert model.domain_estimator_ is None


def test_a_source_with_one_class_and_experts_without_probabilities():
    X, y, d = two_sides(0, classes=True)
    y = np.where(d == 1, 1, y)
    model = DomainExpertsClassifier(LinearSVC(), weighting="uniform").fit(X, y, sample_domain=d)
    vote = np.eye(2)[LinearSVC().fit(X[d == 2], y[d == 2]).predict(X)]
    np.testing.assert_allclose(model.predict_proba(X), np.array([0.0, 0.5]) + vote / 2)
