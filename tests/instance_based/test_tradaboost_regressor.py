"""TrAdaBoost.R2 in one and two stages: the papers' updates, and the shift they are for."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq
from sklearn.neighbors import KNeighborsRegressor
from sklearn.tree import DecisionTreeRegressor

from skda import TrAdaBoostRegressor, TwoStageTrAdaBoostRegressor, stack_domains
from skda.instance_based import (
    _base_boosting,
    _tradaboost_regressor,
    _two_stage_tradaboost_regressor,
)
from skda.instance_based._base_boosting import updated_weights, weighted_median
from skda.instance_based._tradaboost_regressor import adjusted_errors
from skda.instance_based._two_stage_tradaboost_regressor import r2_weights, share_weights
from tests.instance_based.scripted import BestColumnRegressor

BOTH = pytest.mark.parametrize("cls", [TrAdaBoostRegressor, TwoStageTrAdaBoostRegressor])


def make_partly_other(seed, n_labeled=20):
    """The source follows the target's law, but for rows above 0.4."""
    rng = np.random.default_rng(seed)
    Xs, Xt = rng.uniform(-1, 1, (400, 1)), rng.uniform(-1, 1, (300, 1))
    ys, yt = Xs[:, 0] ** 2, Xt[:, 0] ** 2
    ys[Xs[:, 0] > 0.4] = 0.0
    few = np.where(np.arange(300) < n_labeled, yt, np.nan)
    return (*stack_domains(Xs, ys, Xt, few), Xt, yt)


# Formulas


@pytest.mark.parametrize(
    ("loss", "wanted"),
    [
        ("linear", [0.0, 0.25, 1.0]),
        ("square", [0.0, 0.0625, 1.0]),
        ("exponential", [0.0, 1 - math.exp(-0.25), 1 - math.exp(-1)]),
    ],
)
def test_errors_are_relative_to_the_largest(loss, wanted):
    y, predictions = np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.5, 1.0])
    np.testing.assert_allclose(adjusted_errors(y, predictions, np.ones(3), loss), wanted)


def test_rows_without_weight_do_not_count_for_the_largest_error():
    found = adjusted_errors(np.zeros(3), np.array([1.0, 2.0, 50.0]), np.array([1.0, 1.0, 0.0]))
    np.testing.assert_allclose(found, [0.5, 1.0, 1.0])
    np.testing.assert_array_equal(adjusted_errors(np.ones(2), np.ones(2), np.ones(2)), [0, 0])


def test_update_without_source_weight_is_that_of_adaboost_r2():
    rng = np.random.default_rng(0)
    is_target = np.arange(10) >= 4
    weights, errors = np.where(is_target, rng.random(10), 0.0), rng.random(10)
    error = weights @ errors / weights.sum()
    beta = error / (1 - error)
    found = updated_weights(weights, errors, is_target, source_beta=0.7, target_beta=beta)
    drucker = weights * beta ** (1 - errors)  # AdaBoost.R2, step 7
    np.testing.assert_allclose(found / found.sum(), drucker / drucker.sum(), rtol=1e-12)


def test_frozen_update_moves_target_rows_only():
    weights, errors = np.array([2.0, 1.0, 1.0, 3.0]), np.array([0.3, 0.2, 1.0, 0.0])
    is_target = np.array([False, True, True, True])
    found = r2_weights(weights, errors, is_target, 0.5)
    raw = np.array([0.5**0.8, 1.0, 3 * 0.5])
    np.testing.assert_allclose(found, [2.0, *(raw * 5 / raw.sum())], rtol=1e-12)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9, 0.999])
def test_share_is_reached_by_one_beta(share):
    rng = np.random.default_rng(1)
    is_target = np.arange(40) >= 32
    weights, errors = rng.random(40), rng.uniform(0.01, 1, size=40)
    found = share_weights(weights, errors, is_target, share)
    assert found.sum() == pytest.approx(weights.sum(), rel=1e-12)
    assert found[is_target].sum() / found.sum() == pytest.approx(share, rel=1e-10)
    log_beta = np.log(found / weights * (weights[-1] / found[-1]))[~is_target] / errors[~is_target]
    np.testing.assert_allclose(log_beta, log_beta[0], rtol=1e-8)
    assert log_beta[0] < 0


def test_share_of_one_leaves_nothing_of_the_source():
    is_target = np.array([False, False, True])
    found = share_weights(np.ones(3), np.array([0.0, 1.0, 0.5]), is_target, 1.0)
    np.testing.assert_allclose(found, [0, 0, 3])


def test_source_rows_without_error_are_what_is_left_when_the_share_is_out_of_reach():
    is_target = np.array([False, False, True])
    found = share_weights(np.ones(3), np.array([0.0, 1.0, 0.5]), is_target, 0.9)
    np.testing.assert_allclose(found, [1.5, 0, 1.5])


def test_weighted_median_is_the_first_with_half_of_the_weight():
    predictions = np.array([[3.0, 1.0], [1.0, 1.0], [2.0, 5.0]])
    np.testing.assert_array_equal(weighted_median(predictions, np.array([1.0, 1.0, 1.0])), [2, 1])
    np.testing.assert_array_equal(weighted_median(predictions, np.array([5.0, 1.0, 1.0])), [3, 1])
    np.testing.assert_array_equal(weighted_median(predictions, np.array([1.0, 1, 2])), [2, 1])
    np.testing.assert_array_equal(weighted_median(predictions, np.array([1.0, 9, np.inf])), [2, 5])


# Rounds by hand

Y = np.array([0.0, 1, 2, 3, 0, 1, 2, 3])
DOMAIN = np.array([1, 1, 1, 1, -2, -2, -2, -2])
X = np.array([Y, Y]).T.copy()
X[:, 0] += [0, 0, 1, 0, 0, 0, 0, 2]  # column 0: errors 1 and 2, relative ½ and 1
X[:, 1] += [2, 0, 0, 1, 1, 0, 0, 0]


def test_two_rounds_by_hand():
    model = TrAdaBoostRegressor(
        BestColumnRegressor(), n_estimators=2, initial_weights="uniform", stop_early=True
    )
    model.fit(X, Y, sample_domain=DOMAIN)
    beta = 1 / (1 + math.sqrt(2 * math.log(4) / 2))
    second = np.array([1, 1, beta**0.5, 1, 1, 1, 1, 3.0])  # ε = 1/4 on the target, β_t^-1 = 3
    second = second * 8 / second.sum()
    np.testing.assert_array_equal([m.column_ for m in model.estimators_], [0, 1])
    np.testing.assert_allclose(model.estimators_[1].weights_seen_, second, rtol=1e-12)
    error = 0.5 / 6  # row 4 of the target has relative error ½ and weight 1 of 6
    np.testing.assert_allclose(model.estimator_errors_, [0.25, error], rtol=1e-12)
    np.testing.assert_allclose(
        model.estimator_weights_, [math.log(3), math.log((1 - error) / error)], rtol=1e-12
    )
    np.testing.assert_array_equal(model.predict(X), X[:, 1])


def test_two_stage_steps_by_hand():
    rows = (Y + np.array([1, 2, 1, 2, 0, 0, 0, 2]))[
        :, None
    ]  # relative errors ½, 1, ½, 1 | 0, 0, 0, 1
    model = TwoStageTrAdaBoostRegressor(BestColumnRegressor(), n_steps=3, n_estimators=1, cv=2)
    model.fit(rows, Y, sample_domain=DOMAIN)
    np.testing.assert_allclose(model.step_shares_, [0.5, 0.75, 1.0], rtol=1e-12)
    np.testing.assert_allclose(model.cv_errors_, [1.0, 1.0, 1.0], rtol=1e-12)  # 2² on one of four
    assert model.best_step_ == 0
    # share ¾: 2√β + 2β = 4/3 for target weights 4
    root = (math.sqrt(1 + 8 / 3) - 1) / 2
    found = share_weights(np.ones(8), np.array([0.5, 1, 0.5, 1, 0, 0, 0, 1]), DOMAIN < 0, 0.75)
    wanted = np.array([root, root**2, root, root**2, 1, 1, 1, 1]) * 8 / (16 / 3)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_two_stage_reaches_its_shares_and_picks_the_smallest_error():
    X, y, d, *_ = make_partly_other(0)
    y = y + 0.05 * np.random.default_rng(0).normal(size=len(y))
    model = TwoStageTrAdaBoostRegressor(n_steps=5, n_estimators=3, random_state=0)
    model.fit(X, y, sample_domain=d)
    start = 20 / 420
    wanted = start + np.arange(5) / 4 * (1 - start)
    np.testing.assert_allclose(model.step_shares_, wanted, rtol=1e-8)
    assert model.best_step_ == np.argmin(model.cv_errors_)
    np.testing.assert_allclose(model.target_share_, wanted[model.best_step_], rtol=1e-8)


def test_one_step_is_the_pooled_adaboost_r2():
    X, y, d, *_ = make_partly_other(0)
    model = TwoStageTrAdaBoostRegressor(n_steps=1, n_estimators=3, cv=2, random_state=0)
    model.fit(X, y, sample_domain=d)
    assert model.best_step_ == 0
    assert model.step_shares_ == pytest.approx([20 / 420])
    np.testing.assert_allclose(model.weights_, 1.0)  # frozen


@BOTH
def test_without_sample_domain_it_is_adaboost_r2(cls):
    X, y, *_ = make_partly_other(0)
    X, y = X[:400], y[:400]
    with pytest.warns(UserWarning, match="without sample_domain"):
        model = cls(DecisionTreeRegressor(max_depth=1), n_estimators=5).fit(X, y)
    weights, learners, votes = np.full(400, 1 / 400), [], []
    for _ in range(len(model.estimators_)):  # Drucker (1997), weights instead of resampling
        learner = DecisionTreeRegressor(max_depth=1).fit(X, y, weights)
        errors = np.abs(learner.predict(X) - y)
        errors /= errors.max()
        beta = (weights @ errors) / (1 - weights @ errors)
        learners.append(learner.predict(X))
        votes.append(-math.log(beta))
        weights = weights * beta ** (1 - errors)
        weights /= weights.sum()
    np.testing.assert_allclose(
        model.predict(X), weighted_median(np.array(learners), np.array(votes)), rtol=1e-9
    )


@BOTH
def test_staged_prediction_ends_with_the_prediction(cls):
    X, y, d, Xt, _ = make_partly_other(1)
    model = cls(n_estimators=6, random_state=0).fit(X, y, sample_domain=d)
    stages = list(model.staged_predict(Xt))
    assert len(stages) == len(model.estimators_) > 1
    np.testing.assert_array_equal(stages[0], model.estimators_[0].predict(Xt))
    np.testing.assert_array_equal(stages[-1], model.predict(Xt))
    assert model.predict(Xt[:1]).shape == (1,)


# What they are for


def gain(cls, **params):
    """Mean gain in R² over the pooled learner, over seeds."""
    gains = []
    for seed in range(6):
        X, y, d, Xt, yt = make_partly_other(seed)
        rows = (d > 0) | ~np.isnan(y)
        pooled = DecisionTreeRegressor(max_depth=3, random_state=0).fit(X[rows], y[rows])
        model = cls(random_state=0, **params).fit(X, y, sample_domain=d)
        gains.append(model.score(Xt, yt) - pooled.score(Xt, yt))
    return np.mean(gains)


@pytest.mark.parametrize(
    ("cls", "params"),
    [
        (TrAdaBoostRegressor, {"initial_weights": "balanced", "n_estimators": 30}),
        (TwoStageTrAdaBoostRegressor, {"n_steps": 4, "n_estimators": 3, "cv": 3}),
    ],
    ids=["one stage", "two stages"],
)
def test_error_is_lower_than_by_pooling_and_not_without_the_method(cls, params, monkeypatch):
    assert gain(cls, **params) > 0.5
    keep = lambda weights, *_, **__: weights  # noqa: E731
    monkeypatch.setattr(_tradaboost_regressor, "updated_weights", keep)
    for name in ("r2_weights", "share_weights"):
        monkeypatch.setattr(_two_stage_tradaboost_regressor, name, keep)
    monkeypatch.setattr(_base_boosting, "balanced_weights", lambda weights, _: weights)
    assert gain(cls, **params) < 0.1


# Bad and unusual input


@BOTH
def test_no_labeled_target_row_is_an_error_that_says_which_would_count(cls):
    X, y, d, *_ = make_partly_other(0, n_labeled=0)
    with pytest.raises(ValueError, match="A target row counts as labeled when") as error:
        cls().fit(X, y, sample_domain=d)
    assert "none of the 300 target rows" in str(error.value)


def test_one_labeled_target_row():
    X, y, d, Xt, _ = make_partly_other(0, n_labeled=1)
    assert np.isfinite(
        TrAdaBoostRegressor(initial_weights="uniform", stop_early=True)
        .fit(X, y, sample_domain=d)
        .predict(Xt)
    ).all()
    with pytest.raises(ValueError, match="at least 2 labeled target rows"):
        TwoStageTrAdaBoostRegressor().fit(X, y, sample_domain=d)


def test_fewer_labeled_rows_than_folds():
    X, y, d, Xt, _ = make_partly_other(0, n_labeled=3)
    model = TwoStageTrAdaBoostRegressor(n_steps=2, n_estimators=2, cv=10, random_state=0)
    assert np.isfinite(model.fit(X, y, sample_domain=d).predict(Xt)).all()


@BOTH
def test_learner_without_weights_is_refused(cls):
    X, y, d, *_ = make_partly_other(0)
    with pytest.raises(ValueError, match="must take sample_weight"):
        cls(KNeighborsRegressor()).fit(X, y, sample_domain=d)


@BOTH
@pytest.mark.parametrize(
    ("params", "words"),
    [({"n_estimators": 0}, "n_estimators must be"), ({"loss": "cubic"}, "loss must be one of")],
)
def test_wrong_parameters_are_named(cls, params, words):
    X, y, d, *_ = make_partly_other(0)
    with pytest.raises(ValueError, match=words):
        cls(**params).fit(X, y, sample_domain=d)


@pytest.mark.parametrize(
    ("params", "words"), [({"n_steps": 0}, "n_steps must be"), ({"cv": 1}, "cv must be")]
)
def test_wrong_parameters_of_two_stages_are_named(params, words):
    X, y, d, *_ = make_partly_other(0)
    with pytest.raises(ValueError, match=words):
        TwoStageTrAdaBoostRegressor(**params).fit(X, y, sample_domain=d)


@BOTH
def test_a_constant_target_is_learnt_without_error(cls):
    X, y, d, Xt, _ = make_partly_other(0)
    paper = {"initial_weights": "uniform"} if cls is TrAdaBoostRegressor else {}
    model = cls(stop_early=True, **paper).fit(
        X, np.where(np.isnan(y), np.nan, 7.0), sample_domain=d
    )
    assert model.termination_condition_ == "zero_error"
    np.testing.assert_array_equal(model.predict(Xt), 7.0)


def test_brentq_and_the_bracket_agree_on_tiny_errors():
    errors = np.r_[np.full(20, 1e-6), 0.5]
    is_target = np.arange(21) == 20
    found = share_weights(np.ones(21), errors, is_target, 0.5)
    rate = brentq(lambda r: 20 * math.exp(-r * 1e-6) - 1, 0, 1e8)
    np.testing.assert_allclose(found[0] / found[-1], math.exp(-rate * 1e-6), rtol=1e-6)
