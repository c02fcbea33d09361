"""Predictions of a source model as evidence: combinations by hand, and the shift they are for."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skda import DomainWarning, StackedTransferClassifier, StackedTransferRegressor
from skda._numerics._folds import dealt_folds
from skda.model_based._base_boosting_margins import (
    as_margins,
    continued_booster,
    margin_argument,
)
from skda.model_based._base_stacked import best_source_weight
from skda.model_based._stacked_transfer_classifier import boosted_steps
from tests.model_based.few_labels import FewLabels, few


def other_trend(seed, classes=False):
    """The target follows the source's curve and a trend of its own."""
    rng = np.random.default_rng(seed)
    X, d = rng.uniform(-2, 2, size=(600, 3)), np.repeat([1, -2], 300)
    y = np.sin(2 * X[:, 0]) + np.where(d < 0, X[:, 1], 0.0)
    y = y + 0.1 * rng.normal(size=600)
    return X, ((y > 0).astype(int) if classes else y), d


class TestStackedTransferRegressor(FewLabels):
    estimator = StackedTransferRegressor(
        RandomForestRegressor(20, random_state=0), method="residual"
    )
    model = RandomForestRegressor(20, random_state=0)
    gain = 0.3
    bad_params = {"method": ["boosting", None, 1], "target_estimator": ["ridge", Ridge]}

    def shift(self, seed):
        return other_trend(seed)

    def disabled(self, monkeypatch):
        # The source model alone.
        monkeypatch.setattr(StackedTransferRegressor, "_adapt", lambda self, X, y: None)
        return self.estimator


class TestStackedTransferClassifier(FewLabels):
    estimator = StackedTransferClassifier(
        DecisionTreeClassifier(max_depth=6, random_state=0), method="residual", random_state=0
    )
    model = DecisionTreeClassifier(max_depth=6, random_state=0)
    n_labeled = 40
    bad_params = {
        "method": ["boosting", None],
        "n_estimators": [0, 1.5],
        "learning_rate": [0, -1, "x"],
    }

    def shift(self, seed):
        return other_trend(seed, classes=True)

    def disabled(self, monkeypatch):
        monkeypatch.setattr(StackedTransferClassifier, "_adapt", lambda self, X, y: None)
        return self.estimator


@pytest.mark.parametrize("method", ["interpolation", "feature", "residual"])
@pytest.mark.parametrize("classes", [False, True])
def test_each_method_gains_on_another_trend(method, classes):
    cls = StackedTransferClassifier if classes else StackedTransferRegressor
    gains = []
    for seed in range(3):
        X, y, d = other_trend(seed, classes)
        model = cls(method=method, random_state=0)
        model.fit(X, few(y, d, 40), sample_domain=d)
        rest = np.flatnonzero(d < 0)[40:]
        alone = model.source_estimator_.score(X[rest], y[rest])
        gains.append(model.score(X[rest], y[rest]) - alone)
    assert np.mean(gains) > 0.03, gains


# Combinations by hand


def test_the_weight_is_the_best_of_all():
    rng = np.random.default_rng(0)
    y, source, target = rng.normal(size=(3, 50))
    for wanted in (y, 0.3 * source + 0.7 * target + 0.01 * y, 2 * source - target, target):
        found = best_source_weight(wanted, source, target)
        grid = np.linspace(0, 1, 1001)
        errors = [np.sum((wanted - a * source - (1 - a) * target) ** 2) for a in grid]
        assert found == pytest.approx(grid[np.argmin(errors)], abs=1e-3)
    assert best_source_weight(y, source, source) == 1.0


def test_interpolation_by_hand():
    X, y, d = other_trend(0)
    Xt, yt = X[d < 0][:30], y[d < 0][:30]
    source = RandomForestRegressor(5, random_state=0).fit(X[d > 0], y[d > 0])
    model = StackedTransferRegressor(source, random_state=3).fit(Xt, yt)
    folds = PredefinedSplit(dealt_folds(np.zeros(30), np.random.RandomState(3)))
    target = cross_val_predict(Ridge(), Xt, yt, cv=folds)
    weight = best_source_weight(yt, source.predict(Xt), target)
    assert 0 < weight < 1
    wanted = weight * source.predict(X) + (1 - weight) * Ridge().fit(Xt, yt).predict(X)
    np.testing.assert_allclose(model.predict(X), wanted)
    assert model.source_weight_ == pytest.approx(weight)


def test_interpolation_of_probabilities_by_hand():
    X, y = load_iris(return_X_y=True)
    source = KNeighborsClassifier(3).fit(X[::2], np.where(y[::2] == 1, 2, y[::2]))
    Xt, yt = X[1::4], y[1::4]
    model = StackedTransferClassifier(source, random_state=3).fit(Xt, yt)
    folds = PredefinedSplit(dealt_folds(yt, np.random.RandomState(3)))
    plain = LogisticRegression(max_iter=1000)
    target = cross_val_predict(plain, Xt, yt, cv=folds, method="predict_proba")
    known = np.insert(source.predict_proba(X), 1, 0.0, axis=1)  # it does not know class 1
    weight = best_source_weight(np.eye(3)[yt], known[1::4], target)
    wanted = weight * known + (1 - weight) * plain.fit(Xt, yt).predict_proba(X)
    np.testing.assert_allclose(model.predict_proba(X), wanted)
    assert model.classes_.tolist() == [0, 1, 2]


def test_feature_and_residual_by_hand():
    X, y, d = other_trend(0)
    Xt, yt = X[d < 0][:30], y[d < 0][:30]
    source = RandomForestRegressor(5, random_state=0).fit(X[d > 0], y[d > 0])
    tree = DecisionTreeRegressor(max_depth=3, random_state=0)
    model = StackedTransferRegressor(source, tree, method="feature").fit(Xt, yt)
    wide = np.column_stack([X, source.predict(X)])
    wanted = clone(tree).fit(wide[d < 0][:30], yt).predict(wide)
    np.testing.assert_allclose(model.predict(X), wanted)
    model = StackedTransferRegressor(source, tree, method="residual").fit(Xt, yt)
    wanted = source.predict(X) + clone(tree).fit(Xt, yt - source.predict(Xt)).predict(X)
    np.testing.assert_allclose(model.predict(X), wanted)


def test_features_of_classes_are_log_odds():
    X, y = load_iris(return_X_y=True)
    source = LogisticRegression(max_iter=1000).fit(X[::2], y[::2])
    tree = DecisionTreeClassifier(max_depth=3, random_state=0)
    model = StackedTransferClassifier(source, tree, method="feature").fit(X[1::4], y[1::4])
    proba = np.clip(source.predict_proba(X), 1e-3, None)
    wide = np.column_stack([X, np.log(proba[:, 1:] / proba[:, :1])])
    wanted = clone(tree).fit(wide[1::4], y[1::4]).predict_proba(wide)
    np.testing.assert_allclose(model.predict_proba(X), wanted)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_boosting_of_lines_ends_at_logistic_regression_with_an_offset(n_classes):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 2))
    codes = np.digitize(X[:, 0] + rng.normal(size=150), [0.0, 1.0][: n_classes - 1])
    offset = rng.normal(size=(150, n_classes))
    ones = np.column_stack([X, np.ones(150)])

    def loss(theta):
        scores = offset + ones @ theta.reshape(3, n_classes)
        return (np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(150), codes]).sum()

    best = minimize(loss, np.zeros(3 * n_classes)).fun
    steps = boosted_steps(LinearRegression(), X, codes, offset, n_estimators=200, learning_rate=1.0)
    *_, (_, scores) = steps
    found = (np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(150), codes]).sum()
    assert found == pytest.approx(best, rel=1e-5)
    assert loss(np.zeros(3 * n_classes)) > best + 1


def test_residual_predictions_are_the_scores_of_boosting():
    X, y, d = other_trend(0, classes=True)
    Xt, yt = X[d < 0][:80], y[d < 0][:80]
    source = LogisticRegression().fit(X[d > 0], y[d > 0])
    model = StackedTransferClassifier(source, method="residual", random_state=0).fit(Xt, yt)
    n_rounds = len(model.target_estimator_)
    assert 0 < n_rounds <= 50
    scores = source.predict_log_proba(Xt)
    steps = boosted_steps(Ridge(), Xt, yt, scores, n_estimators=n_rounds, learning_rate=0.5)
    scores = [s for _, s in steps][-1]
    wanted = 1 / (1 + np.exp(scores[:, 0] - scores[:, 1]))
    np.testing.assert_allclose(model.predict_proba(Xt)[:, 1], wanted, rtol=1e-4)


def test_no_round_is_boosted_where_the_source_model_is_right():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 5))
    y = (X[:, 0] + 0.7 * rng.normal(size=500) > 0).astype(int)
    source = LogisticRegression().fit(X[:400], y[:400])
    model = StackedTransferClassifier(
        source, DecisionTreeRegressor(random_state=0), method="residual", random_state=0
    ).fit(X[400:440], y[400:440])
    assert model.target_estimator_ == []
    np.testing.assert_allclose(model.predict_proba(X), source.predict_proba(X), atol=2e-3)


def test_boosting_goes_on_from_the_source_model():
    X, y, d = other_trend(0)
    source = RandomForestRegressor(20, random_state=0)
    model = StackedTransferRegressor(
        source, HistGradientBoostingRegressor(max_iter=30), method="residual"
    ).fit(X, few(y, d, 200), sample_domain=d)
    rest = np.flatnonzero(d < 0)[200:]
    alone = HistGradientBoostingRegressor(max_iter=30).fit(X[d < 0][:200], y[d < 0][:200])
    assert model.score(X[rest], y[rest]) > alone.score(X[rest], y[rest])


# Boosters of other libraries

SMALL_TREES = {"n_estimators": 20, "max_depth": 2, "learning_rate": 0.3, "n_jobs": 1}


def booster(library, kind="Classifier", **params):
    """A small booster; skip where the library is not installed."""
    params = SMALL_TREES | params
    if library == "xgboost":
        module = pytest.importorskip("xgboost")
        return getattr(module, "XGB" + kind)(min_child_weight=0, **params)
    module = pytest.importorskip("lightgbm")
    params |= {"min_child_samples": 3, "verbose": -1, "num_leaves": 4}
    return getattr(module, "LGBM" + kind)(**params)


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_boosters_gain_on_another_trend(library):
    X, y, d = other_trend(0, classes=True)
    Xt, yt = X[d < 0][:100], y[d < 0][:100]
    source = RandomForestClassifier(50, random_state=0).fit(X[d > 0], y[d > 0])
    model = StackedTransferClassifier(
        source, booster(library), method="residual", random_state=0
    ).fit(Xt, yt)
    alone = booster(library).fit(Xt, yt)
    rest = X[d < 0][100:], y[d < 0][100:]
    assert model.score(*rest) > max(source.score(*rest) + 0.1, alone.score(*rest) - 0.02)


def noisy_codes(n_classes):
    """Features, classes, and scores that do not know them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 2))
    codes = np.digitize(X[:, 0] + 0.5 * rng.normal(size=90), [0.0, 1.0][: n_classes - 1])
    return X, codes, log_softmax(rng.normal(size=(90, n_classes)), axis=1)


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_the_first_round_of_a_booster_is_a_newton_step_from_the_source(library):
    X, codes, scores = noisy_codes(2)
    model = booster(library, n_estimators=1, max_depth=1, reg_lambda=0.0)
    found = continued_booster(model, X, codes, scores).scores(X, scores)
    # One stump: what it adds is one value on each side, the sum of the gradients over that of the
    # curvatures there, times the learning rate.
    added, proba = as_margins(found) - as_margins(scores), np.exp(scores)
    assert len(np.unique(added.round(5))) == 2
    for value in np.unique(added.round(5)):
        side = np.isclose(added, value, atol=1e-4)
        residual = (codes == 1)[side] - proba[side, 1]
        curvature = (proba[:, 0] * proba[:, 1])[side]
        assert value == pytest.approx(0.3 * residual.sum() / curvature.sum(), rel=1e-3)


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_scores_of_three_classes_are_those_of_the_library(library):
    X, codes, scores = noisy_codes(3)
    found = continued_booster(booster(library), X, codes, scores)
    if library == "xgboost":
        plain = booster(library).fit(X, codes, base_margin=scores)
        wanted = plain.predict_proba(X, base_margin=scores)
    else:
        plain = booster(library).fit(X, codes, init_score=scores)
        wanted = np.exp(log_softmax(scores + plain.predict(X, raw_score=True), axis=1))
    np.testing.assert_allclose(np.exp(found.scores(X, scores)), wanted, rtol=1e-4)
    losses = [-found.scores(X, scores, n)[np.arange(90), codes].sum() for n in (0, 1, 5, 20)]
    assert losses == sorted(losses, reverse=True)
    np.testing.assert_array_equal(found.scores(X, scores, 0), scores)


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_a_booster_leaves_classes_alone_that_it_does_not_know(library):
    X, y = load_iris(return_X_y=True)
    source = LogisticRegression(max_iter=1000).fit(X, y)
    few = np.flatnonzero(y > 0)[::3]
    model = StackedTransferClassifier(
        source, booster(library), method="residual", random_state=0
    ).fit(X[few], np.where(X[few, 3] > 1.5, 2, 1))
    assert model.target_estimator_.present.tolist() == [1, 2]
    before, after = source.predict_proba(X), model.predict_proba(X)
    before = np.clip(before, 1e-3, None) / np.clip(before, 1e-3, None).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(after[:, 0], before[:, 0])
    assert np.abs(after - before).max() > 0.05


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_the_number_of_rounds_has_the_smallest_loss_in_cross_validation(library):
    X, y, d = other_trend(1, classes=True)
    Xt, yt = X[d < 0][:60], y[d < 0][:60]
    source = LogisticRegression().fit(X[d > 0], y[d > 0])
    target = booster(library)
    model = StackedTransferClassifier(
        source, target, method="residual", n_estimators=15, random_state=0
    ).fit(Xt, yt)
    folds, scores = dealt_folds(yt, np.random.RandomState(0)), source.predict_log_proba(Xt)
    losses = []
    for n_rounds in range(1, 16):
        losses.append(0.0)
        for fold in range(folds.max() + 1):
            kept, held = folds != fold, folds == fold
            fitted = continued_booster(
                clone(target).set_params(n_estimators=n_rounds), Xt[kept], yt[kept], scores[kept]
            )
            found = fitted.scores(Xt[held], scores[held])
            losses[-1] -= found[np.arange(held.sum()), yt[held]].sum()
    assert model.target_estimator_.model.n_estimators == 1 + np.argmin(losses)


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_no_round_of_a_booster_where_the_source_model_is_right(library):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 5))
    y = (X[:, 0] + 0.7 * rng.normal(size=500) > 0).astype(int)
    source = LogisticRegression().fit(X[:400], y[:400])
    model = StackedTransferClassifier(
        source, booster(library, learning_rate=2.0), method="residual", random_state=0
    ).fit(X[400:430], y[400:430])
    assert model.target_estimator_ is None
    np.testing.assert_allclose(model.predict_proba(X), source.predict_proba(X), atol=2e-3)


@pytest.mark.parametrize(
    ("library", "argument"), [("xgboost", "base_margin"), ("lightgbm", "init_score")]
)
def test_residuals_of_numbers_are_what_boosters_do_with_a_start(library, argument):
    X, y, d = other_trend(0)
    Xt, yt = X[d < 0][:60], y[d < 0][:60]
    source = RandomForestRegressor(20, random_state=0).fit(X[d > 0], y[d > 0])
    # What is estimated from the labels, the mean, is so from the residuals as well.
    target = booster(library, "Regressor")
    target.set_params(
        **({"base_score": 0.0} if library == "xgboost" else {"boost_from_average": False})
    )
    model = StackedTransferRegressor(source, target, method="residual").fit(Xt, yt)
    start = source.predict(Xt)
    assert margin_argument(target) == argument
    plain = clone(target).fit(Xt, yt, **{argument: start})
    new = X[d < 0][60:]
    if library == "xgboost":
        wanted = plain.predict(new, base_margin=source.predict(new))
    else:
        wanted = source.predict(new) + plain.predict(new)
    np.testing.assert_allclose(model.predict(new), wanted, rtol=1e-4, atol=1e-4)


# Bad and meager input


def test_a_source_model_without_probabilities_votes():
    X, y, d = other_trend(0, classes=True)
    source = LinearSVC().fit(X[d > 0], y[d > 0])
    model = StackedTransferClassifier(source, random_state=0).fit(X[d < 0][:30], y[d < 0][:30])
    alone = LogisticRegression(max_iter=1000).fit(X[d < 0][:30], y[d < 0][:30])
    weight = model.source_weight_
    wanted = weight * np.eye(2)[source.predict(X)] + (1 - weight) * alone.predict_proba(X)
    np.testing.assert_allclose(model.predict_proba(X), wanted)


@pytest.mark.parametrize("method", ["interpolation", "feature", "residual"])
def test_one_class_among_the_target_labels_leaves_the_source_model(method):
    X, y, d = other_trend(0, classes=True)
    source = LogisticRegression().fit(X[d > 0], y[d > 0])
    with pytest.warns(DomainWarning, match="one class only, 1"):
        model = StackedTransferClassifier(source, method=method).fit(X[:5], np.ones(5, int))
    np.testing.assert_allclose(model.predict_proba(X), source.predict_proba(X))


def test_one_class_in_a_fold_is_no_failure():
    X, y, d = other_trend(0, classes=True)
    source = LogisticRegression().fit(X[d > 0], y[d > 0])
    rows = np.r_[np.flatnonzero(y == 0)[:6], np.flatnonzero(y == 1)[:1]]
    model = StackedTransferClassifier(source, random_state=0).fit(X[rows], y[rows])
    assert 0 <= model.source_weight_ <= 1


@pytest.mark.parametrize("method", ["interpolation", "feature", "residual"])
def test_few_or_no_target_labels_leave_the_source_model(method):
    X, y, d = other_trend(0)
    source = Ridge().fit(X[d > 0], y[d > 0])
    with pytest.warns(DomainWarning, match="no label on 300 target rows"):
        model = StackedTransferRegressor(method=method).fit(X, few(y, d, 0), sample_domain=d)
    np.testing.assert_allclose(model.predict(X), source.predict(X))
    model = StackedTransferRegressor(source, method=method).fit(X[:1], y[:1])
    assert np.isfinite(model.predict(X)).all()
    if method == "interpolation":
        np.testing.assert_allclose(model.predict(X), source.predict(X))


def test_residuals_of_classes_need_a_regressor():
    X, y, d = other_trend(0, classes=True)
    with pytest.raises(ValueError, match="target_estimator must be a regressor"):
        StackedTransferClassifier(target_estimator=LogisticRegression(), method="residual").fit(
            X, y, sample_domain=d
        )
