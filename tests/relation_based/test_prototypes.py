"""Nearest prototypes: against brute force and scikit-learn, and on classes that have moved."""

import numpy as np
import pytest
from sklearn.covariance import oas
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import NearestCentroid

from skda import DomainWarning, PrototypeClassifier, stack_domains
from skda.model_selection import DomainStratifiedKFold
from skda.relation_based._prototypes import estimated_strength, target_parts
from tests.model_based.few_labels import FewLabels


def moved_classes(seed, n=120, n_classes=4, d=8):
    """Classes around centers, each of which moves a way of its own in the target."""
    rng = np.random.default_rng(seed)
    centers = 2.0 * rng.normal(size=(n_classes, d))
    moved = centers + 1.5 * rng.normal(size=(n_classes, d))
    y = np.arange(n) % n_classes
    X_source = centers[y] + rng.normal(size=(n, d))
    return stack_domains(X_source, y, moved[y] + rng.normal(size=(n, d)), y)


def with_labels(few=8, **options):
    """Rows of which the first target rows have a label, and all labels."""
    X, y, d = moved_classes(0, **options)
    hidden = y.astype(float)
    hidden[np.flatnonzero(d < 0)[few:]] = np.nan
    return X, hidden, d, y


class TestPrototypeClassifier(FewLabels):
    estimator = PrototypeClassifier()
    bad_params = {
        "metric": ["manhattan", None],
        "strength": [-0.1, 1.1, "much", None, np.nan],
    }
    off = {"strength": 0.0}
    n_labeled = 8

    def shift(self, seed):
        return moved_classes(seed)


def test_shrinkage_is_checked_by_name():
    X, y, d, _ = with_labels()
    for bad in (-0.1, 1.1, "ledoit-wolf", None):
        with pytest.raises(ValueError, match="shrinkage"):
            PrototypeClassifier(metric="mahalanobis", shrinkage=bad).fit(X, y, sample_domain=d)


# Reference


def brute_force(X, y, d, strength, metric):
    """Prototypes one class at a time."""
    if metric == "cosine":
        X = X / np.linalg.norm(X, axis=1, keepdims=True)
    prototypes = []
    for label in np.unique(y[~np.isnan(y)]):
        source, target = X[(y == label) & (d >= 0)], X[(y == label) & (d < 0)]
        n = len(target)
        m = (1.0 - strength) / strength
        part = n / (n + m) if len(source) else 1.0
        mean_s = source.mean(axis=0) if len(source) else 0.0
        mean_t = target.mean(axis=0) if n else 0.0
        prototype = (1.0 - part) * mean_s + part * mean_t
        prototypes.append(prototype / (np.linalg.norm(prototype) if metric == "cosine" else 1.0))
    return np.array(prototypes)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_prototypes_are_those_of_brute_force(metric):
    X, y, d, _ = with_labels(few=7)
    model = PrototypeClassifier(metric=metric, strength=0.3).fit(X, y, sample_domain=d)
    np.testing.assert_allclose(model.prototypes_, brute_force(X, y, d, 0.3, metric))
    Z = X / np.linalg.norm(X, axis=1, keepdims=True) if metric == "cosine" else X
    distances = ((Z[:, None] - model.prototypes_) ** 2).sum(axis=2)
    np.testing.assert_array_equal(model.predict(X), model.classes_[distances.argmin(axis=1)])


def test_without_labeled_target_rows_it_is_the_nearest_centroid():
    X, _, d, y = with_labels()
    source = d >= 0
    hidden = np.where(source, y, -1).astype(int)
    with pytest.warns(DomainWarning, match="found no label on 120 target rows"):
        model = PrototypeClassifier().fit(X, hidden, sample_domain=d)
    plain = NearestCentroid().fit(X[source], y[source])
    np.testing.assert_allclose(model.prototypes_, plain.centroids_)
    np.testing.assert_array_equal(model.predict(X), plain.predict(X))


def test_mahalanobis_is_linear_discriminant_analysis():
    X, _, d, y = with_labels()
    source = d >= 0
    with pytest.warns(DomainWarning):
        model = PrototypeClassifier(metric="mahalanobis", shrinkage=0.2).fit(
            X, np.where(source, y, -1).astype(int), sample_domain=d
        )
    # scikit-learn shrinks the covariance of standardized features; the identity makes both equal.
    X_source, labels = X[source], y[source]
    means = np.array([X_source[labels == c].mean(axis=0) for c in range(4)])
    centered = X_source - means[labels]
    within = centered.T @ centered / len(centered)
    shrunken = 0.8 * within + 0.2 * np.trace(within) / 8 * np.eye(8)
    wanted = [np.einsum("ij,jk,ik->i", X - m, np.linalg.inv(shrunken), X - m) for m in means]
    np.testing.assert_array_equal(model.predict(X), np.argmin(wanted, axis=0))
    unshrunken = PrototypeClassifier(metric="mahalanobis", shrinkage=0.0)
    with pytest.warns(DomainWarning):
        unshrunken.fit(X, np.where(source, y, -1).astype(int), sample_domain=d)
    lda = LinearDiscriminantAnalysis(priors=np.full(4, 0.25)).fit(X_source, labels)
    np.testing.assert_array_equal(unshrunken.predict(X), lda.predict(X))


def test_the_automatic_shrinkage_is_that_of_scikit_learn():
    X, y, d, _ = with_labels()
    model = PrototypeClassifier(metric="mahalanobis").fit(X, y, sample_domain=d)
    rows = ~np.isnan(y)
    centered = X[rows].copy()
    groups = y[rows] + 10 * (d[rows] < 0)
    for group in np.unique(groups):
        centered[groups == group] -= centered[groups == group].mean(axis=0)
    wanted, _ = oas(centered, assume_centered=True)
    inverse = model.whitening_ @ model.whitening_.T
    np.testing.assert_allclose(inverse, np.linalg.inv(wanted), rtol=1e-6)


# Mathematics


def test_a_mean_of_m_rows_counts_as_much_as_m_target_rows():
    m = np.array([0.5, 1.0, 3.0])
    n = np.array([1.0, 3.0, 5.0])
    for prior in m:
        parts = target_parts(1.0 / (1.0 + prior), np.ones(3), n)
        np.testing.assert_allclose(parts, n / (n + prior))


def test_a_class_of_one_domain_is_that_domains():
    for strength in (0.0, 0.4, 1.0):
        parts = target_parts(strength, np.array([5.0, 0.0]), np.array([0.0, 2.0]))
        np.testing.assert_array_equal(parts, [0.0, 1.0])


def test_strength_is_that_of_the_variances_that_made_the_rows():
    rng = np.random.default_rng(0)
    n_classes, d, shift, n_target = 400, 50, 0.5, 2
    steps = shift * rng.normal(size=(n_classes, d))
    steps += rng.normal(size=steps.shape) * np.sqrt(1 / n_target + 1 / 20)
    counts = np.full(n_classes, 20.0), np.full(n_classes, float(n_target))
    found = estimated_strength((steps**2).sum(axis=1), *counts, variance=float(d))
    assert found == pytest.approx(shift**2 / (shift**2 + 1), abs=0.02)


def test_no_more_than_chance_moves_nothing_and_no_chance_moves_all():
    ones = np.ones(3)
    assert estimated_strength(0.5 * ones, ones, ones, variance=1.0) == 0.0
    assert estimated_strength(2.0 * ones, ones, ones, variance=0.0) == 1.0
    assert estimated_strength(ones, ones, 0 * ones, variance=1.0) == 0.0


def test_probabilities_of_two_normal_classes_are_right():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 2000)
    X = 3.0 * rng.normal(size=(4000, 5)) + 2.0 * y[:, None]
    with pytest.warns(DomainWarning):
        model = PrototypeClassifier().fit(X, y)
    wanted = 1.0 / (1.0 + np.exp(-(X @ np.full(5, 2.0) - 10.0) / 9.0))
    assert np.abs(model.predict_proba(X)[:, 1] - wanted).max() < 0.05
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0)


def test_a_weight_of_two_is_a_row_twice():
    X, y, d, _ = with_labels(few=20)
    weights = np.random.default_rng(0).integers(0, 3, size=len(X))
    rows = np.repeat(np.arange(len(X)), weights)
    for metric in ("euclidean", "cosine", "mahalanobis"):
        model = PrototypeClassifier(metric=metric)
        weighted = model.fit(X, y, sample_weight=weights, sample_domain=d).predict_proba(X)
        repeated = model.fit(X[rows], y[rows], sample_domain=d[rows]).predict_proba(X)
        np.testing.assert_allclose(weighted, repeated, atol=1e-10)


# Behavior


def test_new_classes_come_from_their_few_rows_alone():
    X, y, d, y_true = with_labels(few=20)
    known = (d < 0) | (y_true < 3)  # the source lacks the last class
    model = PrototypeClassifier().fit(X[known], y[known], sample_domain=d[known])
    assert model.classes_.tolist() == [0, 1, 2, 3]
    assert model.target_parts_[3] == 1.0
    new = (d < 0) & (y_true == 3) & np.isnan(y)
    assert model.score(X[new], y_true[new]) > 0.9


def test_more_labels_move_a_prototype_further():
    parts = []
    for few in (4, 20, 60):
        X, y, d, _ = with_labels(few=few)
        parts.append(PrototypeClassifier(strength=0.3).fit(X, y, sample_domain=d).target_parts_[0])
    np.testing.assert_allclose(parts, [0.3, 5 / (5 + 7 / 3), 15 / (15 + 7 / 3)])


@pytest.mark.usefixtures("routing")
def test_strength_can_be_searched():
    X, y, d, _ = with_labels(few=40)
    grid = {"strength": [0.0, 0.5, 1.0]}
    cv = DomainStratifiedKFold(2, shuffle=True, random_state=0)
    search = GridSearchCV(PrototypeClassifier(), grid, cv=cv).fit(X, y, sample_domain=d)
    assert search.best_params_["strength"] in grid["strength"]


# Bad input


def test_a_class_of_weight_zero_is_named():
    X, y, d, _ = with_labels()
    weights = np.where(y == 2, 0.0, 1.0)
    with pytest.raises(ValueError, match=r"sample_weight must not be zero .* it is for \[2\]"):
        PrototypeClassifier().fit(X, y, sample_weight=weights, sample_domain=d)


def test_one_row_per_class_is_enough():
    X, y, d = stack_domains(np.array([[0.0], [2.0]]), [0, 1], np.array([[1.0], [3.0]]), [0, None])
    model = PrototypeClassifier().fit(X, y, sample_domain=d)
    assert model.predict([[0.2], [3.0]]).tolist() == [0, 1]
    assert np.isfinite(model.predict_proba(X)).all()
