"""TrAdaBoost does what the papers write, and helps where part of the source can be trusted."""

import math

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from skda import (
    DomainWarning,
    MultiSourceTrAdaBoostClassifier,
    TrAdaBoostClassifier,
    stack_domains,
)
from skda.instance_based import _base_boosting, _tradaboost
from skda.instance_based._base_boosting import (
    finite_votes,
    first_vote,
    source_factor,
    target_factor,
    updated_weights,
)
from skda.metrics import LabeledTargetScorer
from skda.model_selection import DomainStratifiedKFold
from tests.instance_based.scripted import BestColumn, WeightlessClassifier

# Eight rows, four of them target rows, and two columns that say 0 or 1: column 0 is right on all of
# the source but for row 3, and on three of four target rows; column 1 is wrong on one source row
# and on another target row.
Y = np.array([0, 0, 1, 1, 0, 0, 1, 1])
COLUMNS = np.array([Y, Y]).T.copy()
COLUMNS[[3, 4], 0] = 1 - Y[[3, 4]]
COLUMNS[[0, 7], 1] = 1 - Y[[0, 7]]
DOMAIN = np.array([1, 1, 1, 1, -2, -2, -2, -2])


def make_partly_contrary(seed, n=400, n_labeled=30):
    """The source agrees with the target, but for the rows with a large first feature."""
    rng = np.random.default_rng(seed)
    Xs, Xt = rng.uniform(-1, 1, (n, 2)), rng.uniform(-1, 1, (n, 2))
    ys, yt = (Xs.sum(axis=1) > 0).astype(int), (Xt.sum(axis=1) > 0).astype(int)
    ys = np.where(Xs[:, 0] > 0.3, 1 - ys, ys)
    few = np.where(np.arange(n) < n_labeled, yt, -1)
    return (*stack_domains(Xs, ys, Xt, few), Xt, yt)


def make_noisy(seed=0, n=300, n_labeled=60):
    """Labels with noise on both sides, so that no learner is without error on the target."""
    rng = np.random.default_rng(seed)
    Xs, Xt = rng.normal(size=(n, 3)), rng.normal(size=(n, 3))
    ys = (Xs @ [1, 1, 0] + rng.normal(size=n) > 0).astype(int)
    yt = (Xt @ [1, -0.5, 0] + rng.normal(size=n) > 0).astype(int)
    few = np.where(np.arange(n) < n_labeled, yt, -1)
    return (*stack_domains(Xs, ys, Xt, few), Xt, yt)


# Rounds by hand


def test_beta_is_that_of_the_paper():
    # and not 1 / (1 + √(2 ln(n/N))), which is what a misplaced bracket gives
    assert source_factor(100, 10) == pytest.approx(1 / (1 + math.sqrt(2 * math.log(100) / 10)))
    assert source_factor(1, 10) == 1.0


def test_two_rounds_by_hand():
    model = TrAdaBoostClassifier(
        BestColumn(), n_estimators=2, initial_weights="uniform", stop_early=True
    )
    model.fit(COLUMNS, Y, sample_domain=DOMAIN)
    # round 1: all weights 1, both columns have 2 errors of 8, the first is taken; ε = 1/4
    first = np.ones(8)
    beta = 1 / (1 + math.sqrt(2 * math.log(4) / 2))
    second = np.array([1, 1, 1, beta, 3, 1, 1, 1])  # (ε/(1-ε))^-1 = 3 on row 4
    second = second * 8 / second.sum()
    # round 2: column 0 errs on rows 3 and 4, column 1 on rows 0 and 7; β + 3 > 2
    error = 1 / 6  # row 7 among target weights 3, 1, 1, 1
    np.testing.assert_array_equal([m.column_ for m in model.estimators_], [0, 1])
    np.testing.assert_allclose(model.estimators_[0].weights_seen_, first, rtol=1e-12)
    np.testing.assert_allclose(model.estimators_[1].weights_seen_, second, rtol=1e-12)
    np.testing.assert_allclose(model.estimator_errors_, [0.25, error], rtol=1e-12)
    np.testing.assert_allclose(model.estimator_weights_, np.log([3, 5]), rtol=1e-12)
    np.testing.assert_allclose(model.target_share_, [0.5, 6 / (9 + beta)], rtol=1e-12)
    wanted = np.array([1, 1, 1, beta]) * 4 / (3 + beta)
    np.testing.assert_allclose(model.weights_, wanted, rtol=1e-12)
    assert model.termination_condition_ == "n_estimators"
    # ⌈2/2⌉ = 1: both rounds vote
    np.testing.assert_array_equal(model.predict(COLUMNS), COLUMNS[:, 1])
    share = math.log(5) / math.log(15)
    np.testing.assert_allclose(model.predict_proba(COLUMNS[[7]]), [[share, 1 - share]], rtol=1e-12)


def test_dynamic_cost_by_hand():
    model = TrAdaBoostClassifier(
        BestColumn(), n_estimators=2, dynamic_cost=True, initial_weights="uniform", stop_early=True
    )
    model.fit(COLUMNS, Y, sample_domain=DOMAIN)
    beta, cost = 1 / (1 + math.sqrt(2 * math.log(4) / 2)), 2 * (1 - 0.25)
    second = np.array([cost, cost, cost, cost * beta, 3, 1, 1, 1])
    second = second * 8 / second.sum()
    np.testing.assert_allclose(model.estimators_[1].weights_seen_, second, rtol=1e-12)


def test_dynamic_cost_keeps_the_share_when_the_source_is_right():
    weights, errors = np.ones(6), np.array([0, 0, 0, 1, 0, 0.0])
    is_target = np.arange(6) >= 3
    new = updated_weights(
        weights, errors, is_target, source_beta=0.5, target_beta=0.5, source_gain=2 * (1 - 1 / 3)
    )
    np.testing.assert_allclose(new[is_target].sum(), 3.0, rtol=1e-12)


def test_soft_errors_by_hand():
    X, y, d, *_ = make_noisy()
    rows = np.flatnonzero((d > 0) | (y >= 0))
    target = d[rows] < 0
    inner = LogisticRegression()
    model = TrAdaBoostClassifier(
        inner, n_estimators=2, error="soft", initial_weights="uniform", stop_early=True
    )
    model.fit(X, y, sample_domain=d)
    pooled = LogisticRegression().fit(X[rows], y[rows])
    errors = np.abs(pooled.predict_proba(X[rows])[:, 1] - y[rows])
    error = errors[target].mean()
    assert model.estimator_errors_[0] == pytest.approx(error, rel=1e-12)
    beta = 1 / (1 + math.sqrt(2 * math.log(300) / 2))
    w = np.where(target, ((1 - error) / error) ** errors, beta**errors)
    second = LogisticRegression().fit(X[rows], y[rows], w * len(w) / w.sum())
    np.testing.assert_allclose(model.estimators_[1].coef_, second.coef_, rtol=1e-9)


def test_samme_factor_by_hand():
    y = np.array([0, 1, 2, 0, 1, 2])
    d = np.array([1, 1, 1, -2, -2, -2])
    X = np.array([y, y, y]).T.copy()
    X[5, 0] = X[4, 1] = 0  # one error on the target each
    X[[4, 5], 2] = 0  # two
    model = TrAdaBoostClassifier(
        BestColumn(), n_estimators=2, samme=True, initial_weights="uniform", stop_early=True
    )
    model.fit(X, y, sample_domain=d)
    assert model.estimator_errors_[0] == pytest.approx(1 / 3, rel=1e-12)
    assert model.estimator_weights_[0] == pytest.approx(math.log(2) + math.log(2), rel=1e-12)
    wrong_gain = model.estimators_[1].weights_seen_[5] / model.estimators_[1].weights_seen_[4]
    assert wrong_gain == pytest.approx(4.0, rel=1e-12)  # (1-ε)(K-1)/ε
    two_thirds = TrAdaBoostClassifier(
        BestColumn(), samme=True, initial_weights="uniform", stop_early=True
    )
    two_thirds.fit(X[:, 2:], y, sample_domain=d)
    assert two_thirds.termination_condition_ == "high_error"  # ε = 2/3 = 1 - 1/K


def test_two_multi_source_rounds_by_hand():
    y = np.array([0, 1, 0, 1, 0, 1, 0, 1])
    d = np.array([1, 1, 3, 3, -2, -2, -2, -2])
    X = np.array([y, y, y]).T.copy()
    for column, wrong in enumerate([[2, 4, 5, 6], [0, 1, 4], [0, 1, 2, 5]]):
        X[wrong, column] = 1 - y[wrong]
    model = MultiSourceTrAdaBoostClassifier(
        BestColumn(), n_estimators=2, initial_weights="uniform", stop_early=True
    )
    model.fit(X, y, sample_domain=d)
    # round 1: with source 1 column 0 (ε = 3/4), with source 3 column 1 (ε = 1/4)
    # round 2: with both column 2 (ε = 1/6), which fits source 3 better
    np.testing.assert_array_equal(model.selected_sources_, [3, 3])
    np.testing.assert_array_equal([m.column_ for m in model.estimators_], [1, 2])
    np.testing.assert_allclose(model.estimator_errors_, [1 / 4, 1 / 6], rtol=1e-12)
    alpha_source = 0.5 * math.log(1 + math.sqrt(2 * math.log(4) / 2))
    alpha = 0.5 * math.log(3)
    beta, gain = math.exp(-2 * alpha_source), math.exp(2 * alpha)  # |h - y| is 2 there
    second = np.array([beta, beta, 1, 1, gain, 1, 1, 1])
    second = second * 8 / second.sum()
    np.testing.assert_allclose(model.estimators_[1].weights_seen_, second[2:], rtol=1e-12)
    votes = np.log([3, 5])  # all rounds vote
    share = votes[1] / votes.sum()
    np.testing.assert_allclose(model.predict_proba(X[[5]])[0], [share, 1 - share], rtol=1e-12)


def test_multi_source_with_one_source_has_the_rounds_of_tradaboost():
    X, y, d, Xt, _ = make_noisy()
    one = TrAdaBoostClassifier(
        n_estimators=6, random_state=0, initial_weights="uniform", stop_early=True
    ).fit(X, y, sample_domain=d)
    many = MultiSourceTrAdaBoostClassifier(
        n_estimators=6, random_state=0, initial_weights="uniform", stop_early=True
    )
    many.fit(X, y, sample_domain=d)
    np.testing.assert_allclose(one.estimator_errors_, many.estimator_errors_, rtol=1e-12)
    shares = sum(
        w * np.eye(2)[m.predict(Xt)]
        for w, m in zip(many.estimator_weights_, many.estimators_, strict=True)
    )
    np.testing.assert_allclose(
        many.predict_proba(Xt), shares / many.estimator_weights_.sum(), rtol=1e-12
    )


@pytest.mark.parametrize(("n", "first"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (50, 25)])
def test_second_half_of_the_completed_rounds_votes(n, first):
    assert first_vote(n) == first - 1  # ⌈n/2⌉, counted from one


def test_votes_are_weighted_by_log_one_over_beta():
    X, y, d, Xt, _ = make_noisy(n_labeled=250)
    model = TrAdaBoostClassifier(
        n_estimators=7, random_state=0, initial_weights="uniform", stop_early=True
    ).fit(X, y, sample_domain=d)
    assert len(model.estimators_) == 7
    voting = range(3, 7)
    weights = np.log((1 - model.estimator_errors_) / model.estimator_errors_)
    votes = sum(weights[t] * np.eye(2)[model.estimators_[t].predict(Xt)] for t in voting)
    np.testing.assert_allclose(
        model.predict_proba(Xt), votes / weights[3:].sum(), rtol=1e-12, atol=1e-15
    )


def test_a_tie_goes_to_the_last_class_as_in_the_paper():
    model = TrAdaBoostClassifier(initial_weights="uniform", stop_early=True)
    model.classes_ = np.array(["a", "b"])
    assert model._decide(np.array([[0.5, 0.5], [0.6, 0.4]])).tolist() == ["b", "a"]


def test_without_sample_domain_it_is_adaboost():
    X, y, *_ = make_noisy()
    X, y = X[:300], y[:300]
    stump = DecisionTreeClassifier(max_depth=1)
    with pytest.warns(UserWarning, match="without sample_domain"):
        model = TrAdaBoostClassifier(
            stump, n_estimators=5, initial_weights="uniform", stop_early=True
        ).fit(X, y)
    weights = np.full(300, 1 / 300)
    shares = np.zeros((300, 2))
    for _ in range(5):  # AdaBoost.M1 (Freund and Schapire 1997)
        learner = DecisionTreeClassifier(max_depth=1).fit(X, y, weights)
        wrong = learner.predict(X) != y
        beta = weights[wrong].sum() / weights[~wrong].sum()
        shares -= math.log(beta) * np.eye(2)[learner.predict(X)]
        weights = np.where(wrong, weights, weights * beta)
        weights /= weights.sum()
    np.testing.assert_allclose(model.predict_proba(X), shares / shares.sum(1)[:, None], rtol=1e-9)


# How it ends, and what it tells


def test_zero_error_keeps_that_learner_and_stops():
    X = np.column_stack([Y, Y])  # right everywhere
    model = TrAdaBoostClassifier(BestColumn(), initial_weights="uniform", stop_early=True).fit(
        X, Y, sample_domain=DOMAIN
    )
    assert model.termination_condition_ == "zero_error"
    assert len(model.estimators_) == 1
    assert model.estimator_weights_.tolist() == [np.inf]
    np.testing.assert_array_equal(model.predict(X), Y)


def test_a_learner_without_error_decides_alone():
    np.testing.assert_array_equal(finite_votes([2.0, 3.0, np.inf]), [0, 0, 1])
    np.testing.assert_array_equal(finite_votes([2.0, 3.0]), [2, 3])


def test_first_round_with_high_error_is_kept_and_stops():
    wrong = np.column_stack([np.where(DOMAIN < 0, 1 - Y, Y)])
    model = TrAdaBoostClassifier(BestColumn(), initial_weights="uniform", stop_early=True).fit(
        wrong, Y, sample_domain=DOMAIN
    )
    assert model.termination_condition_ == "high_error"
    assert model.estimator_errors_.tolist() == [1.0]
    np.testing.assert_array_equal(model.predict(wrong), wrong[:, 0])  # the pooled learner


def test_later_round_with_high_error_is_dropped():
    model = TrAdaBoostClassifier(
        BestColumn(), n_estimators=5, initial_weights="uniform", stop_early=True
    )
    model.fit(COLUMNS[:, :1], Y, sample_domain=DOMAIN)  # the same learner again has ε = ½
    assert model.termination_condition_ == "high_error"
    assert len(model.estimators_) == len(model.target_share_) == 1
    assert model.estimator_errors_.tolist() == [0.25]
    assert (model.weights_ == 1).all()  # of the completed round


def test_staged_prediction_ends_with_the_prediction():
    X, y, d, Xt, _ = make_noisy(n_labeled=250)
    model = TrAdaBoostClassifier(
        n_estimators=6, random_state=0, initial_weights="uniform", stop_early=True
    ).fit(X, y, sample_domain=d)
    stages = list(model.staged_predict(Xt))
    assert len(stages) == len(model.estimators_) == 6
    np.testing.assert_array_equal(stages[0], model.estimators_[0].predict(Xt))
    np.testing.assert_array_equal(stages[-1], model.predict(Xt))
    proba = list(model.staged_predict_proba(Xt))
    np.testing.assert_allclose(proba[-1], model.predict_proba(Xt))
    for stage in proba:
        np.testing.assert_allclose(stage.sum(axis=1), 1.0)


def test_dynamic_cost_keeps_the_target_from_taking_all_the_weight():
    X, y, d, *_ = make_noisy(n_labeled=20)
    shares = {}
    for dynamic in (False, True):
        model = TrAdaBoostClassifier(
            LogisticRegression(),
            n_estimators=100,
            error="soft",
            dynamic_cost=dynamic,
            initial_weights="uniform",
            stop_early=True,
        ).fit(X, y, sample_domain=d)
        shares[dynamic] = model.target_share_
    assert len(shares[False]) == 100 and shares[False][-1] > 0.9
    assert shares[True].max() < 0.5


def test_balanced_start_gives_both_domains_the_same_weight():
    X, y, d, *_ = make_partly_contrary(0)
    model = TrAdaBoostClassifier(initial_weights="balanced", stop_early=True).fit(
        X, y, sample_domain=d
    )
    assert model.target_share_[0] == pytest.approx(0.5, rel=1e-12)


# What it is for


def gain(**params):
    """Mean gain in target accuracy over the pooled learner, over seeds."""
    gains = []
    for seed in range(6):
        X, y, d, Xt, yt = make_partly_contrary(seed)
        rows = (d > 0) | (y >= 0)
        pooled = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X[rows], y[rows])
        params = {"initial_weights": "uniform", "stop_early": True} | params
        model = TrAdaBoostClassifier(n_estimators=20, random_state=0, **params)
        gains.append(model.fit(X, y, sample_domain=d).score(Xt, yt) - pooled.score(Xt, yt))
    return np.mean(gains)


@pytest.mark.parametrize("params", [{"error": "soft"}, {"initial_weights": "balanced"}], ids=str)
def test_target_accuracy_beats_pooling_and_not_without_the_method(params, monkeypatch):
    assert gain(**params) > 0.15
    monkeypatch.setattr(_tradaboost, "updated_weights", lambda weights, *_, **__: weights)
    monkeypatch.setattr(_base_boosting, "balanced_weights", lambda weights, _: weights)
    assert gain(**params) < 0.05


@pytest.mark.parametrize("base", [DecisionTreeClassifier(max_depth=3), LogisticRegression()])
def test_going_on_beats_a_stop_in_the_first_round(base):
    gains = []
    for seed in range(3):
        X, y, d, Xt, yt = make_partly_contrary(seed)
        scores = []
        for stop in (True, False):
            model = TrAdaBoostClassifier(
                base, n_estimators=20, initial_weights="uniform", stop_early=stop, random_state=0
            ).fit(X, y, sample_domain=d)
            scores.append(model.score(Xt, yt))
        assert model.termination_condition_ == "n_estimators"
        assert len(model.estimators_) == 20
        gains.append(scores[1] - scores[0])
    assert np.mean(gains) > 0.04


def test_errors_are_kept_off_chance_and_zero_where_boosting_goes_on():
    rounds = _base_boosting.Rounds(10, stop_early=False)
    is_target = np.array([True, False])
    for error, used in ((0.7, 0.495), (0.5, 0.495), (0.3, 0.3), (0.0, 0.005)):
        assert rounds.capped(error) == pytest.approx(used)
        assert rounds.add(None, error, np.ones(2), is_target)
        assert rounds.votes[-1] == pytest.approx(math.log((1 - used) / used))
        assert rounds.errors[-1] == error


def test_without_a_source_boosting_ends_as_adaboost_does():
    X, y, d, *_ = make_partly_contrary(0)
    with pytest.warns(DomainWarning):
        model = TrAdaBoostClassifier(DecisionTreeClassifier(), random_state=0).fit(
            X[d > 0], y[d > 0]
        )
    assert model.termination_condition_ == "zero_error"


def test_source_rows_that_contradict_the_target_lose_weight():
    X, y, d, *_ = make_partly_contrary(1)
    model = TrAdaBoostClassifier(
        error="soft", random_state=0, initial_weights="uniform", stop_early=True
    ).fit(X, y, sample_domain=d)
    contrary = X[d > 0, 0] > 0.3
    assert model.weights_.mean() == pytest.approx(1.0)
    assert model.weights_[contrary].mean() < 0.6 * model.weights_[~contrary].mean()


def test_multi_source_avoids_the_source_that_would_hurt():
    scores = {TrAdaBoostClassifier: [], MultiSourceTrAdaBoostClassifier: []}
    for seed in range(4):
        rng = np.random.default_rng(seed)
        Xs, Xt = rng.normal(size=(3, 150, 2)), rng.normal(size=(300, 2))
        concepts = np.array([[1, 1], [-1, 1], [1, -1]])
        ys = [(X @ c > 0).astype(int) for X, c in zip(Xs, concepts, strict=True)]
        yt = (Xt @ [1, -1] > 0).astype(int)
        few = np.where(np.arange(300) < 15, yt, -1)
        X, y, d = stack_domains(list(Xs), ys, Xt, few)
        for cls, found in scores.items():
            model = cls(random_state=0).fit(X, y, sample_domain=d)
            found.append(model.score(Xt, yt))
        assert (model.selected_sources_ == 3).all()
    assert np.mean(scores[MultiSourceTrAdaBoostClassifier]) > 0.85
    assert np.mean(scores[MultiSourceTrAdaBoostClassifier]) > 0.1 + np.mean(
        scores[TrAdaBoostClassifier]
    )


# Bad and unusual input

BOTH = pytest.mark.parametrize("cls", [TrAdaBoostClassifier, MultiSourceTrAdaBoostClassifier])


@BOTH
def test_no_labeled_target_row_is_an_error_that_says_which_would_count(cls):
    X, y, d, *_ = make_partly_contrary(0)
    for missing in (-1, np.nan, None):
        y = np.where(d < 0, missing, y)
        with pytest.raises(ValueError, match="needs labeled target rows") as error:
            cls().fit(X, y, sample_domain=d)
        for words in ("none of the 400", "NaN", "None", "-1", "ImportanceWeightedEstimator"):
            assert words in str(error.value)


@BOTH
def test_minus_one_as_a_class_on_both_sides_is_refused(cls):
    X, y, d, *_ = make_partly_contrary(0)
    y = np.where(y == 0, -1, 1)
    with pytest.raises(ValueError, match="Recode the classes"):
        cls().fit(X, y, sample_domain=d)


@BOTH
def test_one_labeled_target_row_is_enough(cls):
    X, y, d, Xt, _ = make_partly_contrary(0, n_labeled=1)
    model = cls().fit(X, y, sample_domain=d)
    np.testing.assert_allclose(model.predict_proba(Xt).sum(axis=1), 1.0)


@BOTH
@pytest.mark.parametrize("error", ["hard", "soft"])
def test_classes_missing_on_one_side(cls, error):
    X, y, d, Xt, _ = make_partly_contrary(0)
    names = np.array(["a", "b"], dtype=object)
    labels = np.where(y < 0, None, names[y])
    labels[np.flatnonzero((d < 0) & (y == 1))] = "b"
    only_target = np.where((d > 0) & (y == 1), "a", labels)  # the source has no "b"
    few_a = np.where((d < 0) & (y == 1), None, labels)  # the few target labels have no "b"
    third = labels.copy()
    third[np.flatnonzero((d < 0) & (y >= 0))[0]] = "c"  # the source has no "c"
    for other, classes in ((only_target, "ab"), (few_a, "ab"), (third, "abc")):
        model = cls(error=error, random_state=0).fit(X, other, sample_domain=d)
        assert "".join(model.classes_) == classes
        proba = model.predict_proba(Xt)
        assert proba.shape == (400, len(classes))
        np.testing.assert_allclose(proba.sum(axis=1), 1.0)


def test_classes_that_a_source_lacks_are_put_in_their_columns():
    rng = np.random.default_rng(0)
    Xs, Xt = rng.normal(size=(2, 60, 2)), rng.normal(size=(60, 2))
    sort = lambda X: np.digitize(X[:, 0], [-0.5, 0.5])  # noqa: E731
    ys = [np.minimum(sort(Xs[0]), 1), np.maximum(sort(Xs[1]), 1)]  # {0, 1} and {1, 2}
    few = np.where(np.arange(60) < 6, sort(Xt), -1)
    X, y, d = stack_domains(list(Xs), ys, Xt, few)
    for error in ("hard", "soft"):
        model = MultiSourceTrAdaBoostClassifier(
            error=error, random_state=0, initial_weights="uniform", stop_early=True
        )
        proba = model.fit(X, y, sample_domain=d).predict_proba(Xt)
        assert proba.shape == (60, 3)
        np.testing.assert_allclose(proba.sum(axis=1), 1.0)


@BOTH
def test_learner_without_weights_is_refused_with_a_hint(cls):
    X, y, d, *_ = make_partly_contrary(0)
    with pytest.raises(ValueError, match="must take sample_weight"):
        cls(KNeighborsClassifier()).fit(X, y, sample_domain=d)
    with pytest.raises(ValueError, match="must take sample_weight"):
        cls(WeightlessClassifier()).fit(X, y, sample_domain=d)
    pipe = make_pipeline(StandardScaler(), LogisticRegression())
    with pytest.raises(ValueError, match=r"LogisticRegression\(\.\.\.\)\.set_fit_request"):
        cls(pipe).fit(X, y, sample_domain=d)


def test_pipeline_that_asks_for_weights_is_taken():
    X, y, d, Xt, _ = make_partly_contrary(0)
    inner = LogisticRegression()
    alone = TrAdaBoostClassifier(
        inner, n_estimators=5, initial_weights="uniform", stop_early=True
    ).fit(X, y, sample_domain=d)
    with sklearn.config_context(enable_metadata_routing=True):
        pipe = make_pipeline(
            StandardScaler(with_mean=False, with_std=False).set_fit_request(sample_weight=False),
            LogisticRegression().set_fit_request(sample_weight=True),
        )
        piped = TrAdaBoostClassifier(
            pipe, n_estimators=5, initial_weights="uniform", stop_early=True
        ).fit(X, y, sample_domain=d)
    np.testing.assert_allclose(alone.predict_proba(Xt), piped.predict_proba(Xt), rtol=1e-6)


def test_soft_errors_need_probabilities():
    X, y, d, *_ = make_partly_contrary(0)
    with pytest.raises(ValueError, match="predict_proba"):
        TrAdaBoostClassifier(
            LinearSVC(), error="soft", initial_weights="uniform", stop_early=True
        ).fit(X, y, sample_domain=d)


@BOTH
@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"n_estimators": 0}, "n_estimators must be an integer of at least 1"),
        ({"n_estimators": 2.5}, "n_estimators must be an integer"),
        ({"error": "medium"}, "error must be one of"),
        ({"initial_weights": None}, "initial_weights must be one of"),
    ],
)
def test_wrong_parameters_are_named(cls, params, words):
    X, y, d, *_ = make_partly_contrary(0)
    with pytest.raises(ValueError, match=words):
        cls(**params).fit(X, y, sample_domain=d)


@BOTH
def test_sample_weight_is_repetition_of_rows(cls):
    X, y, d, Xt, _ = make_noisy()
    weights = np.where(d < 0, np.random.default_rng(0).integers(1, 4, size=len(y)), 1)
    rows = np.repeat(np.arange(len(y)), weights)  # target rows only: β counts source rows
    weighted = cls(n_estimators=5, random_state=0).fit(X, y, weights, sample_domain=d)
    repeated = cls(n_estimators=5, random_state=0).fit(X[rows], y[rows], sample_domain=d[rows])
    np.testing.assert_allclose(weighted.predict_proba(Xt), repeated.predict_proba(Xt), rtol=1e-9)
    assert (weights >= 1).all()  # the user's array is as it was


@BOTH
def test_bad_sample_weight_is_named(cls):
    X, y, d, *_ = make_partly_contrary(0)
    for bad, words in (
        (np.ones(3), "one value per row"),
        (np.full(len(y), -1.0), "not negative"),
        (np.full(len(y), np.nan), "finite"),
        (np.where(d < 0, 0.0, 1.0), "all labeled target rows"),
    ):
        with pytest.raises(ValueError, match=words):
            cls().fit(X, y, bad, sample_domain=d)


def test_rows_without_weight_are_as_good_as_absent():
    X, y, d, Xt, _ = make_noisy()
    out = np.flatnonzero(d > 0)[::3]
    weights = np.ones(len(y))
    weights[out] = 0
    kept = np.setdiff1d(np.arange(len(y)), out)
    params = {"n_estimators": 5, "random_state": 0}
    weighted = TrAdaBoostClassifier(**params, initial_weights="uniform", stop_early=True).fit(
        X, y, weights, sample_domain=d
    )
    without = TrAdaBoostClassifier(**params, initial_weights="uniform", stop_early=True).fit(
        X[kept], y[kept], sample_domain=d[kept]
    )
    np.testing.assert_allclose(weighted.predict_proba(Xt), without.predict_proba(Xt), rtol=1e-9)


def test_frames_with_gaps_and_categories_and_sparse_matrices_pass():
    pd = pytest.importorskip("pandas")
    from scipy import sparse

    X, y, d, Xt, _ = make_partly_contrary(0)
    frame = pd.DataFrame(X, columns=["a", "b"])
    frame["kind"] = pd.Categorical(np.where(X[:, 0] > 0, "high", "low"))
    frame.loc[::9, "b"] = np.nan
    inner = HistGradientBoostingClassifier(max_iter=5, categorical_features="from_dtype")
    model = TrAdaBoostClassifier(
        inner, n_estimators=3, initial_weights="uniform", stop_early=True
    ).fit(frame, y, sample_domain=d)
    assert model.predict(frame.iloc[:3]).shape == (3,)
    dense = TrAdaBoostClassifier(
        n_estimators=3, random_state=0, initial_weights="uniform", stop_early=True
    ).fit(X, y, sample_domain=d)
    thin = TrAdaBoostClassifier(
        n_estimators=3, random_state=0, initial_weights="uniform", stop_early=True
    )
    thin.fit(sparse.coo_array(X), y, sample_domain=d)
    np.testing.assert_allclose(
        thin.predict_proba(sparse.csr_array(Xt)), dense.predict_proba(Xt), rtol=1e-9
    )


def test_target_factor_of_half_changes_nothing():
    assert target_factor(0.5) == 1.0
    assert target_factor(2 / 3, 3) == pytest.approx(1.0)


def test_weights_and_domains_reach_it_through_a_pipeline_and_a_search():
    X, y, d, *_ = make_partly_contrary(0, n=90, n_labeled=60)
    weights = np.random.default_rng(0).random(len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        boost = TrAdaBoostClassifier(
            DecisionTreeClassifier(),
            n_estimators=3,
            random_state=0,
            initial_weights="uniform",
            stop_early=True,
        )
        pipe = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=False),
            boost.set_fit_request(sample_weight=True),
        )
        search = GridSearchCV(
            pipe,
            {
                "tradaboostclassifier__estimator__max_depth": [1, 3],
                "tradaboostclassifier__error": ["hard", "soft"],
            },
            cv=DomainStratifiedKFold(2, shuffle=True, random_state=0),
            scoring=LabeledTargetScorer("accuracy"),
            error_score="raise",
        )
        search.fit(X, y, sample_domain=d, sample_weight=weights)
    alone = clone(boost).set_params(
        **{
            name.removeprefix("tradaboostclassifier__"): value
            for name, value in search.best_params_.items()
        }
    )
    scaled = StandardScaler().fit_transform(X)
    alone.fit(scaled, y, weights, sample_domain=d)
    np.testing.assert_allclose(search.predict_proba(X), alone.predict_proba(scaled))
