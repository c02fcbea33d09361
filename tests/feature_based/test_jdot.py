"""JDOTClassifier and JDOTRegressor: descent, a brute-force round, the shift that they are for."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

from skda import JDOTClassifier, JDOTRegressor
from skda.feature_based._jdot import held_out_predictions, hinge_losses, log_losses


def classes_that_move(seed=0, n=60, k=3):
    """Three classes whose places and boundary move in the target."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(k), 2 * n // k))
    X = rng.normal(size=(2 * n, 2)) * 0.4 + np.stack([2.0 * y, (y == 1) * 2.0], axis=1)
    X[n:] = X[n:] @ np.array([[0.8, 0.6], [-0.6, 0.8]]) + [1.5, 0.5]
    return X, y, np.repeat([1, -2], n)


def line_that_moves(seed=0, n=80):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2 * n, 2))
    y = X[:, 0] * 2 - X[:, 1] + 0.1 * rng.normal(size=2 * n)
    X[n:] = X[n:] @ np.array([[0.9, 0.4], [-0.4, 0.9]]) + [2.0, -1.0]
    return X, y, np.repeat([1, -2], n)


# The alternation.


def test_rounds_are_those_of_a_brute_force_alternation():
    X, y, d = classes_that_move()
    Xs, Xt, ys = X[:60], X[60:], y[:60]
    cost = ((Xs[:, None] - Xt) ** 2).sum(2)
    cost /= np.sort(cost.ravel())[(cost.size - 1) // 2]
    joint, model = cost, LogisticRegression()
    for _ in range(3):
        _, partner = linear_sum_assignment(joint)
        labels = np.empty(60, dtype=int)
        labels[partner] = ys
        model.fit(Xt, labels)
        loss = -np.log(model.predict_proba(Xt))[:, ys].T
        joint = 0.6 * cost + 0.4 * loss
        objective = joint[np.arange(60), partner].mean()
    with pytest.warns(ConvergenceWarning):
        fitted = JDOTClassifier(LogisticRegression(), alpha=0.4, max_iter=3, tol=0.0, reg=None).fit(
            X, y, sample_domain=d
        )
    assert fitted.objectives_[-1] == pytest.approx(objective, rel=1e-9)
    np.testing.assert_allclose(fitted.predict_proba(Xt), model.predict_proba(Xt), atol=1e-9)
    np.testing.assert_array_equal(fitted.label_distributions_.argmax(1), labels)


@pytest.mark.parametrize("reg", [None, 0.05])
@pytest.mark.parametrize("seed", range(3))
def test_the_objective_falls(reg, seed):
    X, y, d = classes_that_move(seed)
    # solved to its end: at scikit-learn's tolerance its own error moves the objective
    model = LogisticRegression(C=100.0, tol=1e-8, max_iter=1000)
    fitted = JDOTClassifier(model, reg=reg).fit(X, y, sample_domain=d)
    assert np.diff(fitted.objectives_).max() <= 1e-3 * fitted.objectives_[0]
    assert fitted.objectives_[-1] <= fitted.objectives_[0]


def test_regression_rounds_are_those_of_a_brute_force_alternation():
    X, y, d = line_that_moves()
    Xs, Xt, ys = X[:80], X[80:], y[:80]
    cost = ((Xs[:, None] - Xt) ** 2).sum(2)
    cost /= np.sort(cost.ravel())[(cost.size - 1) // 2]
    joint, model = cost, Ridge()
    for _ in range(3):
        _, partner = linear_sum_assignment(joint)
        carried = np.empty(80)
        carried[partner] = ys
        model.fit(Xt, carried)
        joint = 0.5 * cost + 0.5 * (ys[:, None] - model.predict(Xt)) ** 2 / (2 * ys.var())
    with pytest.warns(ConvergenceWarning):
        fitted = JDOTRegressor(paired_y="given", max_iter=3, tol=0.0, reg=None)
        fitted.fit(X, y, sample_domain=d)
    np.testing.assert_allclose(fitted.transported_y_, carried, atol=1e-9)
    np.testing.assert_allclose(fitted.predict(Xt), model.predict(Xt), atol=1e-9)


def noisy_line(seed=0, n=150):
    """Domains that do not differ, with a y that is mostly noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2 * n, 5))
    return X, X[:, 0] + 1.5 * rng.normal(size=2 * n), np.repeat([1, -2], n)


@pytest.mark.parametrize("seed", range(3))
def test_noise_in_y_does_not_spread_the_predictions(seed):
    X, y, d = noisy_line(seed)
    source_only = Ridge().fit(X[:150], y[:150]).score(X[150:], y[150:])
    expected = JDOTRegressor().fit(X, y, sample_domain=d)
    given = JDOTRegressor(paired_y="given").fit(X, y, sample_domain=d)
    assert expected.score(X[150:], y[150:]) > source_only - 0.1
    # As published the predictions end near the spread of y, most of which is noise.
    assert given.predict(X[150:]).std() > 1.7 * expected.predict(X[150:]).std()


def test_expected_values_are_those_of_a_cross_validation():
    X, y, _ = noisy_line()
    order = np.argsort(y)
    found = held_out_predictions(Ridge(), X[order], y[order])
    folds = [(np.arange(300) % 5 != k, np.arange(300) % 5 == k) for k in range(5)]
    wanted = cross_val_predict(
        Ridge(), X[order], y[order], cv=[(np.flatnonzero(a), np.flatnonzero(b)) for a, b in folds]
    )
    np.testing.assert_allclose(found, wanted)


def test_held_out_folds_do_not_depend_on_the_order_of_tied_rows():
    X, y, _ = noisy_line()
    y, order = np.round(y), np.random.default_rng(0).permutation(300)
    np.testing.assert_allclose(
        held_out_predictions(Ridge(), X[order], y[order]),
        held_out_predictions(Ridge(), X, y)[order],
    )


def test_a_source_of_one_row_pairs_by_its_own_value():
    np.testing.assert_array_equal(held_out_predictions(Ridge(), np.ones((1, 2)), np.ones(1)), [1.0])
    X, y, d = line_that_moves(n=4)
    d[0] = 5
    assert np.isfinite(JDOTRegressor().fit(X, y, sample_domain=d).predict(X)).all()


def test_an_unknown_paired_y_is_named():
    X, y, d = line_that_moves()
    with pytest.raises(ValueError, match="paired_y must be one of"):
        JDOTRegressor(paired_y="noisy").fit(X, y, sample_domain=d)


def test_losses_of_classes_are_those_of_their_definitions():
    X, y, _ = classes_that_move()
    model = LogisticRegression().fit(X, y)
    expected = -np.log(model.predict_proba(X).T)
    np.testing.assert_allclose(log_losses(model, X, model.classes_), expected)
    svm = LinearSVC().fit(X, y)
    values = svm.decision_function(X)
    for label in range(3):
        signs = np.where(np.arange(3) == label, 1.0, -1.0)
        np.testing.assert_allclose(
            hinge_losses(svm, X, svm.classes_)[label], np.maximum(0, 1 - signs * values).sum(1)
        )


def test_the_hinge_of_two_classes_knows_their_sides():
    # A peer gives both classes the same sign here.
    X, y, _ = classes_that_move(k=2)
    svm = LinearSVC().fit(X, y)
    loss = hinge_losses(svm, X, svm.classes_)
    right = loss[y, np.arange(len(y))]
    assert right.mean() < 0.2 * loss[1 - y, np.arange(len(y))].mean()


def test_a_class_without_any_share_keeps_its_column():
    X, y, d = classes_that_move()
    fitted = JDOTClassifier(reg=None).fit(X, y, sample_domain=d)
    fitted.estimator_ = LogisticRegression().fit(X[y > 0], y[y > 0])
    proba = fitted.predict_proba(X)
    assert proba.shape == (120, 3)
    np.testing.assert_array_equal(proba[:, 0], 0.0)


def test_alpha_zero_is_transport_of_features_and_ends_at_once():
    X, y, d = classes_that_move()
    fitted = JDOTClassifier(alpha=0.0, reg=None).fit(X, y, sample_domain=d)
    assert fitted.n_iter_ == 2
    assert fitted.objectives_[0] == pytest.approx(fitted.objectives_[1])


def test_each_source_carries_its_labels_over():
    X, y, d = classes_that_move(n=90)
    d[:30] = 5
    fitted = JDOTClassifier(reg=None).fit(X, y, sample_domain=d)
    np.testing.assert_allclose(fitted.label_distributions_.sum(1), 1.0)
    assert fitted.score(X[90:], y[90:]) > 0.9


# Bad input.


@pytest.mark.parametrize(
    "params, match",
    [
        ({"alpha": 1.2}, "alpha must be a number in"),
        ({"loss": "zero-one"}, "loss must be one of"),
        ({"reg": -1}, "reg must be a positive number"),
        ({"max_iter": 0}, "max_iter must be an integer"),
        ({"estimator": KNeighborsClassifier(), "reg": 1.0}, "must accept sample_weight"),
    ],
)
def test_bad_parameters_are_named(params, match):
    X, y, d = classes_that_move()
    with pytest.raises(ValueError, match=match):
        JDOTClassifier(**params).fit(X, y, sample_domain=d)


def test_too_few_rounds_warn_with_the_change_that_is_left():
    X, y, d = classes_that_move(1)
    with pytest.warns(ConvergenceWarning, match="still changing by"):
        JDOTClassifier(max_iter=2, tol=0.0, reg=None).fit(X, y, sample_domain=d)


@pytest.mark.parametrize("n, m", [(10, 2000), (2000, 10)])
def test_very_unequal_domains_work(n, m):
    rng = np.random.default_rng(0)
    y = np.arange(n + m) % 2
    X = rng.normal(size=(n + m, 2)) * 0.3 + 2.0 * y[:, None]
    d = np.repeat([1, -2], [n, m])
    fitted = JDOTClassifier(reg=None).fit(X, y, sample_domain=d)
    assert fitted.score(X[n:], y[n:]) > 0.95


def test_confident_models_do_not_break_the_plan():
    # log(0) * 0 is NaN in a peer, which then trains on no rows at all.
    X, y, d = classes_that_move()
    fitted = JDOTClassifier(LogisticRegression(C=1e6, max_iter=5000), reg=None).fit(
        X * 50, y, sample_domain=d
    )
    assert np.isfinite(fitted.objectives_).all()


# The shift that they are for.


def gain(model):
    gains = []
    for seed in range(4):
        X, y, d = classes_that_move(seed)
        plain = LogisticRegression().fit(X[:60], y[:60]).score(X[60:], y[60:])
        gains.append(model.fit(X, y, sample_domain=d).score(X[60:], y[60:]) - plain)
    return np.mean(gains)


def test_classes_that_move_are_followed():
    assert gain(JDOTClassifier(reg=None)) > 0.2
    assert gain(JDOTClassifier(LinearSVC(), loss="hinge", reg=None)) > 0.2


def test_sabotage_a_plan_that_pairs_at_random_gains_nothing(monkeypatch):
    import skda.feature_based._base_joint_transport as module

    def at_random(cost, start=None):
        shuffled = np.random.default_rng(0).permutation(cost.shape[0])
        return exact_plan(cost[shuffled])

    exact_plan = module.exact_plan
    monkeypatch.setattr(module, "exact_plan", at_random)
    assert gain(JDOTClassifier(max_iter=1, reg=None)) < 0.0


def regression_gain(model):
    gains = []
    for seed in range(4):
        X, y, d = line_that_moves(seed)
        plain = LinearRegression().fit(X[:80], y[:80]).score(X[80:], y[80:])
        gains.append(model.fit(X, y, sample_domain=d).score(X[80:], y[80:]) - plain)
    return np.mean(gains)


def test_a_line_that_moves_is_followed():
    assert regression_gain(JDOTRegressor(reg=None)) > 1.0


def test_sabotage_a_regressor_of_the_source_gains_nothing(monkeypatch):
    def plain(self, data):
        self.estimator_ = Ridge().fit(data.X_source, data.y_source)

    monkeypatch.setattr(JDOTRegressor, "_fit", plain)
    assert regression_gain(JDOTRegressor(reg=None)) < 0.5


@pytest.mark.filterwarnings("ignore:The alternation stopped")
def test_a_penalty_too_small_for_sinkhorn_is_reported_once_with_the_residual():
    X, y, d = classes_that_move()
    with pytest.warns(ConvergenceWarning, match=r"reg=1e-05 .* \d\.\de.\d\d of the mass") as caught:
        JDOTClassifier(reg=1e-5, max_iter=3).fit(X * 100, y, sample_domain=d)
    assert sum("too small" in str(warning.message) for warning in caught) == 1


@pytest.mark.parametrize(
    ("method", "names"),
    [
        (JDOTClassifier(reg=None), ["predict_proba", "predict_log_proba", "decision_function"]),
        (JDOTRegressor(reg=None), ["predict"]),
    ],
)
def test_numbers_come_back_in_the_library_of_the_rows(xp, method, names):
    X, y, d = classes_that_move()
    here = clone(method).fit(X, y, sample_domain=d)
    there = clone(method).fit(xp.asarray(X), y, sample_domain=d)
    for name in names:
        got = getattr(there, name)(xp.asarray(X))
        assert type(got) is type(xp.asarray(X)), name
        atol = 1e-2 if xp.dtype == "float32" else 1e-8
        np.testing.assert_allclose(xp.to_numpy(got), getattr(here, name)(X), atol=atol)
