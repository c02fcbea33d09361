"""Zero-shot by attributes: the normal equations by brute force, and classes without a row."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV

from skda import AttributeZeroShotClassifier, DomainWarning, stack_domains
from skda.model_selection import DomainStratifiedKFold
from skda.relation_based._attribute_zero_shot import (
    attribute_table,
    bilinear_map,
    ridge_solution,
)
from tests.templates import PredictorTemplate

# Four binary attributes; all sixteen combinations are classes.
ATTRIBUTES = np.array([[(c >> bit) & 1 for bit in range(4)] for c in range(16)]) * 2.0 - 1.0
UNSEEN = (5, 10, 12)


def described_classes(seed, n=30, d=12):
    """Features that are a linear map of the attributes; the target has the unseen classes too."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(4, d))
    y = np.repeat(np.arange(16), n)
    X = ATTRIBUTES[y] @ mixing + rng.normal(size=(len(y), d))
    X_target = ATTRIBUTES[y] @ mixing + rng.normal(size=(len(y), d)) + 0.1
    seen = ~np.isin(y, UNSEEN)
    new = np.isin(y, UNSEEN)
    return stack_domains(X[seen], y[seen], X_target[new], y[new])


class TestAttributeZeroShotClassifier(PredictorTemplate):
    estimator = AttributeZeroShotClassifier(ATTRIBUTES, calibration=0.3)
    bad_params = {
        "reg": [-1.0, 0.0, "much", np.nan],
        "attribute_reg": [-1.0, 0.0, None],
        "candidates": ["seen", None],
        "calibration": ["much", np.inf, None],
        "class_attributes": [np.ones(3), [[1.0, np.nan]] * 16, {0: [1, 2], 1: [1]}, ["a", "b"]],
    }
    off = {"class_attributes": None}  # then no class without rows is known
    gain = 0.5
    model = LogisticRegression(max_iter=1000)

    def shift(self, seed):
        return described_classes(seed)


def hidden(seed=0):
    X, y, d = described_classes(seed)
    return X, np.where(d < 0, -1, y).astype(int), d, y


# Reference


def objective(v, X, Y, S, reg, attribute_reg):
    """The objective of the paper, Eq. 4, with β = γλ."""
    V = v.reshape(X.shape[1], S.shape[1])
    fit = np.sum((X @ V @ S.T - Y) ** 2)
    ridge = reg * np.sum((V @ S.T) ** 2) + attribute_reg * np.sum((X @ V) ** 2)
    return fit + ridge + reg * attribute_reg * np.sum(V**2)


def small_problem():
    rng = np.random.default_rng(0)
    X, S = rng.normal(size=(30, 4)), rng.normal(size=(5, 3))
    Y = np.where(rng.integers(5, size=30)[:, None] == np.arange(5), 1.0, -1.0)
    return X, Y, S


def test_the_map_solves_the_normal_equations():
    X, Y, S = small_problem()
    reg, attribute_reg = 0.7, 2.0
    V = bilinear_map(X, Y, S, reg=reg, attribute_reg=attribute_reg)
    # (XᵀX + γI) V (SᵀS + λI) = XᵀYS, written out as one system of all entries of V.
    left, right = X.T @ X + reg * np.eye(4), S.T @ S + attribute_reg * np.eye(3)
    wanted = np.linalg.solve(np.kron(left, right), (X.T @ Y @ S).ravel()).reshape(4, 3)
    np.testing.assert_allclose(V, wanted)


@pytest.mark.parametrize("shape", [(30, 4), (4, 30), (5, 5)])
def test_both_forms_of_the_ridge_solution_agree(shape):
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=shape), rng.normal(size=(shape[0], 2))
    wanted = np.linalg.solve(A.T @ A + 0.3 * np.eye(shape[1]), A.T @ B)
    np.testing.assert_allclose(ridge_solution(A, B, 0.3), wanted, atol=1e-10)


def test_the_map_minimizes_the_objective():
    X, Y, S = small_problem()
    V = bilinear_map(X, Y, S, reg=0.7, attribute_reg=2.0)
    found = minimize(objective, np.zeros(12), args=(X, Y, S, 0.7, 2.0), tol=1e-12)
    np.testing.assert_allclose(V.ravel(), found.x, atol=1e-4)


def test_without_attributes_it_is_ridge_regression_on_the_classes():
    X, y, d, _ = hidden()
    model = AttributeZeroShotClassifier(reg=3.0).fit(X, y, sample_domain=d)
    source = d >= 0
    Y = np.where(y[source][:, None] == model.classes_, 1.0, -1.0)
    ridge = Ridge(alpha=3.0, fit_intercept=False).fit(X[source], Y)
    # Each class is an attribute of its own, whose ridge halves all scores alike.
    np.testing.assert_allclose(2.0 * model.decision_function(X), ridge.predict(X), atol=1e-8)


# Behavior


def test_calibration_gives_new_classes_their_rows():
    X, y, d, y_true = hidden()
    shares, target = [], d < 0
    for calibration in (-1.0, 0.0, 10.0):
        model = AttributeZeroShotClassifier(ATTRIBUTES, calibration=calibration)
        said = model.fit(X, y, sample_domain=d).predict(X[target])
        shares.append(np.isin(said, UNSEEN).mean())
    assert shares[0] < shares[1] <= shares[2] == 1.0
    unseen = AttributeZeroShotClassifier(ATTRIBUTES, candidates="unseen")
    unseen.fit(X, y, sample_domain=d)
    np.testing.assert_array_equal(unseen.predict(X[target]), said)
    assert (said == y_true[target]).mean() > 0.95


def test_classes_with_rows_are_marked_and_labels_of_target_rows_count():
    X, y, d, y_true = hidden()
    first = np.flatnonzero(y_true == UNSEEN[0])[:5]
    model = AttributeZeroShotClassifier(ATTRIBUTES).fit(X, y, sample_domain=d)
    assert model.classes_[~model.seen_].tolist() == list(UNSEEN)
    y[first] = UNSEEN[0]
    model.fit(X, y, sample_domain=d)
    assert model.classes_[~model.seen_].tolist() == list(UNSEEN[1:])


@pytest.mark.parametrize("kind", ["dict", "frame", "text"])
def test_attributes_of_any_container_are_the_same(kind):
    X, y, d, _ = hidden()
    wanted = AttributeZeroShotClassifier(ATTRIBUTES).fit(X, y, sample_domain=d).predict(X)
    order = np.random.default_rng(0).permutation(16)
    table = {
        "dict": {int(c): ATTRIBUTES[c].tolist() for c in order},
        "frame": pd.DataFrame(ATTRIBUTES[order], index=order),
        "text": {f"{c:02}": ATTRIBUTES[c] for c in order},
    }[kind]
    if kind == "text":
        y = np.array([f"{c:02}" if c >= 0 else None for c in y], dtype=object)
        wanted = [f"{c:02}" for c in wanted]
    model = AttributeZeroShotClassifier(table).fit(X, y, sample_domain=d)
    np.testing.assert_array_equal(model.predict(X), wanted)


@pytest.mark.usefixtures("routing")
def test_penalties_can_be_searched():
    X, y, d, _ = hidden()
    grid = {"reg": [0.1, 10.0], "attribute_reg": [0.1, 10.0], "calibration": [0.0, 0.2]}
    cv = DomainStratifiedKFold(2, shuffle=True, random_state=0)
    search = GridSearchCV(AttributeZeroShotClassifier(ATTRIBUTES), grid, cv=cv)
    assert search.fit(X, y, sample_domain=d).best_score_ > 0.8


# Bad input


def test_a_label_without_attributes_is_named():
    X, y, d, _ = hidden()
    with pytest.raises(ValueError, match=r"class_attributes must describe .* lacks \[13, 14, 15\]"):
        AttributeZeroShotClassifier(ATTRIBUTES[:13]).fit(X, y, sample_domain=d)
    names = {f"class {c}": ATTRIBUTES[c] for c in range(16)}
    with pytest.raises(ValueError, match="write classes as in y"):
        AttributeZeroShotClassifier(names).fit(X, y, sample_domain=d)


def test_no_class_left_to_predict_is_an_error():
    X, y, d = described_classes(0)
    with pytest.raises(ValueError, match='candidates="unseen" needs a class'):
        AttributeZeroShotClassifier(ATTRIBUTES, candidates="unseen").fit(X, y, sample_domain=d)


def test_a_class_described_twice_is_an_error():
    table = pd.DataFrame([[0.0], [1.0], [2.0]], index=["a", "b", "a"])
    with pytest.raises(ValueError, match="describe each class once; got 3 rows for 2 classes"):
        attribute_table(table)


def test_without_sample_domain_all_rows_are_learnt_from():
    X, y, d, _ = hidden()
    source = d >= 0
    with pytest.warns(DomainWarning, match="without sample_domain"):
        alone = AttributeZeroShotClassifier(ATTRIBUTES).fit(X[source], y[source])
    both = AttributeZeroShotClassifier(ATTRIBUTES).fit(X, y, sample_domain=d)
    np.testing.assert_allclose(alone.coef_, both.coef_)
