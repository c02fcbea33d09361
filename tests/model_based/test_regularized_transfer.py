"""Linear models held near a source model: formulas by hand, limits, and the shift they are for."""

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import check_grad, minimize
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, Ridge
from sklearn.model_selection import GridSearchCV, LeaveOneOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.svm import LinearSVC

from skda import (
    DomainWarning,
    RegularizedTransferClassifier,
    RegularizedTransferRegressor,
)
from skda._numerics._folds import dealt_folds
from skda.model_based._regularized_transfer_classifier import logistic_loss
from skda.model_based._regularized_transfer_regressor import (
    directions,
    generalized_cross_validation,
    negative_log_evidence,
    ridge_differences,
)
from tests.model_based.few_labels import FewLabels, few

BOTH = pytest.mark.parametrize(
    ("cls", "source"),
    [
        (RegularizedTransferRegressor, Ridge()),
        (RegularizedTransferClassifier, LogisticRegression()),
    ],
)


def near_coefficients(seed, change=0.4, d=15, classes=False):
    """The target's coefficients are the source's but for a small change; few labels."""
    rng = np.random.default_rng(seed)
    w, X = rng.normal(size=d), rng.normal(size=(600, d))
    d_ids = np.repeat([1, -2], 300)
    y = X @ w
    y[300:] = X[300:] @ (w + change * rng.normal(size=d))
    y = y + 0.1 * rng.normal(size=600)
    return X, ((y > 0).astype(int) if classes else y), d_ids


class TestRegularizedTransferRegressor(FewLabels):
    estimator = RegularizedTransferRegressor()
    off = {"reg": 1e12}
    model = Ridge()
    bad_params = {
        "reg": [-1.0, "much", np.nan, None],
        "penalty": ["l3", None],
        "source_estimator": ["ridge", Ridge],
        "penalize_intercept": ["no", 1],
    }

    def shift(self, seed):
        return near_coefficients(seed)


class TestRegularizedTransferClassifier(FewLabels):
    estimator = RegularizedTransferClassifier(random_state=0)
    off = {"reg": 1e9}
    gain = 0.02
    n_labeled = 60
    bad_params = {
        "reg": [-1.0, "much", np.nan, None],
        "penalty": ["l3"],
        "penalize_intercept": ["no"],
        "max_iter": [0, 1.5],
        "tol": [0, -1],
    }

    def shift(self, seed):
        return near_coefficients(seed, change=0.8, d=10, classes=True)


# Formulas


@pytest.mark.parametrize("n", [6, 40])
@pytest.mark.parametrize("penalize_intercept", [True, False])
def test_ridge_solves_the_normal_equations(n, penalize_intercept):
    X, y, d = near_coefficients(0)
    Xt, yt = X[d < 0][:n], y[d < 0][:n] + 3.0
    source = Ridge().fit(X[d > 0], y[d > 0] - 1.0)
    model = RegularizedTransferRegressor(
        source, reg=2.5, penalize_intercept=penalize_intercept
    ).fit(Xt, yt)
    ones = np.column_stack([Xt, np.ones(n)])
    center = np.r_[source.coef_, source.intercept_]
    penalty = 2.5 * np.eye(len(center))
    penalty[-1, -1] *= penalize_intercept
    wanted = np.linalg.solve(ones.T @ ones + penalty, ones.T @ yt + penalty @ center)
    np.testing.assert_allclose(np.r_[model.coef_, model.intercept_], wanted, rtol=1e-8)


def test_limits_of_the_penalty_are_least_squares_and_the_source():
    X, y, d = near_coefficients(1)
    Xt, yt = X[d < 0], y[d < 0]
    source = LinearRegression().fit(X[d > 0], y[d > 0])
    alone = RegularizedTransferRegressor(source, reg=0).fit(Xt, yt)
    np.testing.assert_allclose(alone.coef_, LinearRegression().fit(Xt, yt).coef_, rtol=1e-8)
    kept = RegularizedTransferRegressor(source, reg=1e12, penalize_intercept=True).fit(Xt, yt)
    np.testing.assert_allclose(kept.predict(Xt), source.predict(Xt), rtol=1e-6, atol=1e-6)


def test_generalized_cross_validation_by_the_hat_matrix():
    rng = np.random.default_rng(0)
    for shape in ((12, 4), (4, 12)):
        X, r = rng.normal(size=shape), rng.normal(size=shape[0])
        regs = np.array([0.1, 1.0, 30.0])
        found = generalized_cross_validation(directions(X, r, regs.min()), regs, shape[0], n_free=1)
        for reg, error in zip(regs, found, strict=True):
            hat = X @ np.linalg.solve(X.T @ X + reg * np.eye(shape[1]), X.T)
            left = shape[0] - 1 - np.trace(hat)
            if left > 0:
                wanted = shape[0] * np.sum((r - hat @ r) ** 2) / left**2
                assert error == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("shape", [(12, 4), (4, 12)])
def test_evidence_is_that_of_a_normal_distribution(shape):
    rng = np.random.default_rng(0)
    X, r = rng.normal(size=shape), rng.normal(size=shape[0])
    regs = np.array([0.1, 1.0, 30.0])
    wanted = []
    for reg in regs:
        covariance = np.eye(shape[0]) + X @ X.T / reg
        variance = r @ np.linalg.solve(covariance, r) / shape[0]
        wanted.append(-2 * multivariate_normal.logpdf(r, cov=variance * covariance))
    found = negative_log_evidence(directions(X, r, regs.min()), regs, shape[0])
    np.testing.assert_allclose(np.diff(found), np.diff(wanted), rtol=1e-9)


@pytest.mark.parametrize("shape", [(40, 6), (6, 40), (10, 10)])
@pytest.mark.parametrize("rank", [3, 6])
def test_products_of_columns_give_what_a_singular_value_decomposition_does(shape, rank):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(shape[0], rank)) @ rng.normal(size=(rank, shape[1]))
    X = X * np.logspace(0, -3, shape[1])
    r = rng.normal(size=shape[0])
    regs = np.sum(X**2) * np.logspace(6, -7, 14)
    fast, exact = directions(X, r, regs.min()), directions(X, r, 0.0)
    for criterion in (generalized_cross_validation, negative_log_evidence):
        found, wanted = (criterion(parts, regs, shape[0], n_free=1) for parts in (fast, exact))
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
    for reg in regs:
        found, wanted = fast.differences(reg), exact.differences(reg)
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7 * np.abs(wanted).max())


def test_a_perfect_source_model_is_kept():
    X, y, _ = near_coefficients(0, change=0.0)
    source = LinearRegression().fit(X, y)
    for reg in ("auto", "gcv"):
        model = RegularizedTransferRegressor(source, reg=reg).fit(X[:9], source.predict(X[:9]))
        np.testing.assert_allclose(model.coef_, source.coef_)
        one = RegularizedTransferRegressor(source, reg=reg).fit(X[:1], y[:1])
        np.testing.assert_allclose(one.coef_, source.coef_)


def test_without_a_penalty_the_shortest_difference_is_taken():
    rng = np.random.default_rng(0)
    X, r = rng.normal(size=(3, 8)), rng.normal(size=3)
    np.testing.assert_allclose(ridge_differences(X, r, 0.0), np.linalg.pinv(X) @ r, rtol=1e-9)


def test_sparse_differences_meet_the_optimality_conditions():
    X, y, d = near_coefficients(2)
    Xt, yt = X[d < 0][:25], y[d < 0][:25]
    source, reg = Ridge().fit(X[d > 0], y[d > 0]), 6.0
    model = RegularizedTransferRegressor(source, reg=reg, penalty="l1").fit(Xt, yt)
    residual = yt - model.predict(Xt)
    gradient, differences = -2 * Xt.T @ residual, model.coef_ - source.coef_
    moved = differences != 0
    assert 0 < moved.sum() < len(moved)
    np.testing.assert_allclose(gradient[moved], -reg * np.sign(differences[moved]), rtol=1e-3)
    assert (np.abs(gradient[~moved]) <= reg * (1 + 1e-6)).all()
    assert residual.mean() == pytest.approx(0, abs=1e-9)


def test_sparse_differences_find_the_few_that_differ():
    rng = np.random.default_rng(0)
    w, X = rng.normal(size=60), rng.normal(size=(530, 60))
    source = Ridge().fit(X[:300], X[:300] @ w)
    w[:3] += 2.0
    y = X @ w + 0.1 * rng.normal(size=530)
    rows, rest = slice(300, 330), slice(330, None)
    scores = {
        penalty: RegularizedTransferRegressor(source, penalty=penalty, random_state=0)
        .fit(X[rows], y[rows])
        .score(X[rest], y[rest])
        for penalty in ("l1", "l2")
    }
    assert scores["l1"] > scores["l2"] + 0.05 and scores["l1"] > 0.98, scores


@pytest.mark.parametrize("n_classes", [2, 3])
def test_gradient_of_the_logistic_loss_against_finite_differences(n_classes):
    rng = np.random.default_rng(n_classes)
    shape = (1 if n_classes == 2 else n_classes, 5)
    X, onehot = rng.normal(size=(20, 5)), np.eye(n_classes)[rng.integers(0, n_classes, 20)]
    center, penalty = rng.normal(size=shape), rng.random(shape)

    def part(i):
        return lambda t: np.ravel(logistic_loss(t.reshape(shape), X, onehot, center, penalty)[i])

    error = check_grad(lambda t: part(0)(t)[0], part(1), rng.normal(size=np.prod(shape)))
    assert error < 1e-5


@pytest.mark.parametrize("n_classes", [2, 3])
def test_around_zero_it_is_logistic_regression(n_classes):
    X, y = load_iris(return_X_y=True)
    X, y = X[y < n_classes], y[y < n_classes]
    source = LogisticRegression(C=1e-12, fit_intercept=False).fit(X, y)  # coefficients of zero
    model = RegularizedTransferClassifier(
        source, reg=2.0, penalize_intercept=False, tol=1e-8, max_iter=5000
    ).fit(X, y)
    plain = LogisticRegression(C=0.5, tol=1e-10, max_iter=5000).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), plain.predict_proba(X), atol=1e-5)
    np.testing.assert_allclose(model.coef_, plain.coef_, atol=1e-3)


def test_absolute_differences_of_a_classifier_are_those_of_a_general_solver():
    X, y, d = near_coefficients(0, d=3, classes=True)
    Xt, yt = X[d < 0][:40], y[d < 0][:40]
    source, reg = LogisticRegression().fit(X[d > 0], y[d > 0]), 1.5
    model = RegularizedTransferClassifier(source, reg=reg, penalty="l1", tol=1e-8).fit(Xt, yt)
    center, sign = np.r_[source.coef_[0], source.intercept_], 2 * yt - 1

    def objective(theta):
        margins = sign * (Xt @ theta[:-1] + theta[-1])
        return np.logaddexp(0, -margins).sum() + reg * np.abs(theta - center).sum()

    found = np.r_[model.coef_[0], model.intercept_]
    options = {"xatol": 1e-9, "fatol": 1e-12, "maxiter": 20000, "maxfev": 20000}
    wanted = minimize(objective, found, method="Nelder-Mead", options=options)
    assert objective(found) <= wanted.fun + 1e-7
    assert objective(found) < objective(center) - 1e-3


def test_folds_have_equal_sizes_and_every_class():
    codes = np.repeat([0, 1, 2], [10, 7, 6])
    folds = dealt_folds(codes, np.random.RandomState(0))
    assert np.ptp(np.bincount(folds)) <= 1
    for code in range(3):
        assert np.ptp(np.bincount(folds[codes == code], minlength=5)) <= 1
    assert dealt_folds(np.zeros(3), np.random.RandomState(0)).max() == 2


@pytest.mark.slow
@pytest.mark.parametrize("criterion", ["auto", "gcv"])
def test_the_choice_is_nearly_as_good_as_leaving_one_out(criterion):
    X, y, d = near_coefficients(3)
    Xt, yt = X[d < 0][:40], y[d < 0][:40]
    source = FrozenEstimator(Ridge().fit(X[d > 0], y[d > 0]))

    def error(reg):
        model = RegularizedTransferRegressor(source, reg=reg)
        return np.mean((cross_val_predict(model, Xt, yt, cv=LeaveOneOut()) - yt) ** 2)

    chosen = RegularizedTransferRegressor(source, reg=criterion).fit(Xt, yt).reg_
    assert error(chosen) <= 1.1 * min(error(reg) for reg in np.logspace(-3, 4, 15))


# The source model


@BOTH
def test_given_and_learnt_source_models_are_the_same(cls, source):
    X, y, d = near_coefficients(0, classes=cls is RegularizedTransferClassifier)
    hidden = few(y, d, 30)
    learnt = cls(source, random_state=0).fit(X, hidden, sample_domain=d)
    fitted = clone(source).fit(X[d > 0], y[d > 0])
    rows = np.flatnonzero(d < 0)[:30]
    for given in (fitted, FrozenEstimator(fitted)):
        model = cls(given, random_state=0).fit(X[rows], y[rows])
        np.testing.assert_allclose(model.coef_, learnt.coef_, rtol=1e-7)
        assert model.source_estimator_ is given
        with_source = cls(given, random_state=0).fit(X, hidden, sample_domain=d)
        np.testing.assert_allclose(with_source.coef_, learnt.coef_, rtol=1e-7)


@BOTH
def test_the_coefficients_are_those_of_the_features_of_a_pipeline(cls, source):
    X, y, d = near_coefficients(0, d=3, classes=cls is RegularizedTransferClassifier)
    pipe = make_pipeline(StandardScaler(), make_pipeline(PolynomialFeatures(2), source))
    search = GridSearchCV(pipe, {"pipeline__polynomialfeatures__degree": [2, 3]}, cv=2)
    for maker in (pipe, make_pipeline(Nystroem(n_components=20, random_state=0), source), search):
        fitted = clone(maker).fit(X[d > 0], y[d > 0])
        model = cls(FrozenEstimator(fitted), random_state=0)
        model.fit(X[d < 0][:40], y[d < 0][:40])
        assert model.score(X[d < 0], y[d < 0]) >= fitted.score(X[d < 0], y[d < 0])
        kept = cls(fitted, reg=1e10, penalize_intercept=True).fit(X[d < 0], y[d < 0])
        np.testing.assert_allclose(kept.predict(X), fitted.predict(X), atol=1e-5)


@BOTH
def test_without_target_labels_the_source_model_is_used_with_a_warning(cls, source):
    X, y, d = near_coefficients(0, classes=cls is RegularizedTransferClassifier)
    plain = clone(source).fit(X[d > 0], y[d > 0])
    with pytest.warns(DomainWarning, match="no label on 300 target rows"):
        model = cls(source).fit(X, few(y, d, 0), sample_domain=d)
    np.testing.assert_allclose(model.predict(X), plain.predict(X))
    assert model.reg_ == np.inf
    with pytest.warns(DomainWarning, match="no label on 1 target rows"):
        cls(plain).fit(X[:1], [np.nan])


@BOTH
def test_one_labeled_row_is_enough(cls, source):
    X, y, d = near_coefficients(0, classes=cls is RegularizedTransferClassifier)
    for penalty in ("l1", "l2"):
        model = cls(source, penalty=penalty).fit(X, few(y, d, 1), sample_domain=d)
        np.testing.assert_allclose(model.coef_, model.source_coef_, atol=1e-2)


@BOTH
def test_a_source_model_of_another_width_is_named(cls, source):
    X, y, _ = near_coefficients(0, classes=cls is RegularizedTransferClassifier)
    fitted = clone(source).fit(X[:, :4], y)
    with pytest.raises(ValueError, match="4 features that source_estimator was fitted on; got 15"):
        cls(fitted).fit(X, y)


@pytest.mark.parametrize(
    ("cls", "model"),
    [
        (RegularizedTransferRegressor, RandomForestRegressor(3)),
        (RegularizedTransferRegressor, PoissonRegressor()),
        (RegularizedTransferClassifier, RandomForestClassifier(3)),
    ],
)
def test_a_source_model_that_is_not_linear_is_refused(cls, model):
    X, y, d = near_coefficients(0, classes=cls is RegularizedTransferClassifier)
    with pytest.raises(ValueError, match="source_estimator must be a linear model"):
        cls(model).fit(X, np.abs(y), sample_domain=d)


def test_a_regressor_is_no_source_model_of_a_classifier():
    X, y, d = near_coefficients(0, classes=True)
    with pytest.raises(ValueError, match="source_estimator must be a classifier"):
        RegularizedTransferClassifier(Ridge()).fit(X, y, sample_domain=d)
    two_outputs = Ridge().fit(X, np.column_stack([y, y]))
    with pytest.raises(ValueError, match="one output"):
        RegularizedTransferRegressor(two_outputs).fit(X, y)


def test_sparse_rows_give_the_same_coefficients():
    X, y, d = near_coefficients(0)
    wanted = RegularizedTransferRegressor().fit(X, y, sample_domain=d)
    found = RegularizedTransferRegressor().fit(sparse.csr_array(X), y, sample_domain=d)
    np.testing.assert_allclose(found.coef_, wanted.coef_, rtol=1e-3)
    np.testing.assert_allclose(found.predict(sparse.csr_array(X)), wanted.predict(X), rtol=1e-2)


# Classes


def test_a_class_that_only_the_target_has_is_learnt():
    X, y = load_iris(return_X_y=True)
    source = LogisticRegression(max_iter=1000).fit(X[y < 2], y[y < 2])
    model = RegularizedTransferClassifier(source, random_state=0).fit(X[::3], y[::3])
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.score(X, y) > 0.9
    # The softmax over the classes that the source knows is the source's.
    kept = RegularizedTransferClassifier(source, reg=1e10).fit(X[::3], y[::3])
    proba = kept.predict_proba(X)[:, :2]
    found = proba / proba.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, source.predict_proba(X), atol=1e-5)


def test_a_class_without_labeled_target_rows_stays_possible():
    X, y = load_iris(return_X_y=True)
    source = LogisticRegression(max_iter=1000).fit(X, y)
    for labels, reg in (([0, 1], 1.0), ([1], "auto")):
        rows = np.flatnonzero(np.isin(y, labels))[::10]
        model = RegularizedTransferClassifier(source, reg=reg, penalize_intercept=False)
        model.fit(X[rows], y[rows])
        assert set(model.predict(X)) == {0, 1, 2}
    np.testing.assert_allclose(model.predict_proba(X), source.predict_proba(X), atol=1e-2)


def test_classes_that_the_source_does_not_know_are_refused():
    X, y, _ = near_coefficients(0, classes=True)
    source = LogisticRegression().fit(X, np.where(y, "yes", "no"))
    with pytest.raises(ValueError, match="must know a class of the labeled target rows"):
        RegularizedTransferClassifier(source).fit(X, y)


def test_margins_of_an_svm_count_as_log_odds():
    X, y, d = near_coefficients(0, classes=True)
    source = LinearSVC().fit(X[d > 0], y[d > 0])
    model = RegularizedTransferClassifier(source, reg=1e10).fit(X[d < 0], y[d < 0])
    np.testing.assert_allclose(model.decision_function(X), source.decision_function(X), atol=1e-5)


def test_a_search_that_stops_too_early_warns():
    X, y, d = near_coefficients(0, classes=True)
    with pytest.warns(ConvergenceWarning, match="max_iter=1 "):
        RegularizedTransferClassifier(max_iter=1, reg=1e-3).fit(X, y, sample_domain=d)


def test_generalized_cross_validation_is_not_for_absolute_differences():
    X, y, d = near_coefficients(0)
    with pytest.raises(ValueError, match="reg='gcv' needs penalty='l2'"):
        RegularizedTransferRegressor(reg="gcv", penalty="l1").fit(X, y, sample_domain=d)
    with pytest.raises(ValueError, match="reg must be"):
        RegularizedTransferClassifier(reg="gcv").fit(X, y > 0, sample_domain=d)
