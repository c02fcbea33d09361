"""EasyTL against its linear program."""

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestCentroid

from skda import CORALTransformer, DomainWarning, EasyTLClassifier, make_domain_pipeline
from skda.feature_based._easytl import class_bonuses


def brute_force(D):
    """The program of the paper with dense constraints."""
    n, C = D.shape
    rows = np.kron(np.eye(n), np.ones(C))
    classes = np.kron(np.ones(n), np.eye(C))
    solution = linprog(D.ravel(), A_ub=-classes, b_ub=-np.ones(C), A_eq=rows, b_eq=np.ones(n))
    return solution.x.reshape(n, C).argmax(axis=1)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("away", [0, 1, 3])
def test_rows_of_fit_get_the_programs_classes(seed, away):
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(5, 2))
    means[:away] += 20  # classes that no target row is near
    Xt = rng.normal(size=(30, 2))
    Xs, ys = np.repeat(means, 3, axis=0), np.repeat(np.arange(5), 3)
    X, y = np.vstack([Xs, Xt]), np.r_[ys, np.full(30, -1)]
    model = EasyTLClassifier().fit(X, y, sample_domain=np.repeat([1, -2], [15, 30]))
    expected = brute_force(cdist(Xt, means))
    np.testing.assert_array_equal(model.predict(Xt), expected)
    assert set(expected) == set(range(5))
    assert (model.class_bonus_[:away] > 0).all()


def test_without_an_empty_class_it_is_the_nearest_mean(xp):
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 20)
    Xs = rng.normal(size=(60, 3)) + 4 * np.eye(3)[y]
    X, ids = np.vstack([Xs, Xs + 0.3]), np.repeat([1, -2], 60)
    model = EasyTLClassifier().fit(xp.asarray(X), np.r_[y, y], sample_domain=ids)
    np.testing.assert_array_equal(model.class_bonus_, 0)
    np.testing.assert_array_equal(
        model.predict(xp.asarray(X)), NearestCentroid().fit(Xs, y).predict(X)
    )


def test_without_domains_it_is_the_nearest_centroid_classifier():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 3)), rng.integers(0, 4, 50)
    with pytest.warns(DomainWarning):
        model = EasyTLClassifier().fit(X, y)
    np.testing.assert_array_equal(model.predict(X), NearestCentroid().fit(X, y).predict(X))


def test_fewer_target_rows_than_classes_leave_classes_empty():
    assert (class_bonuses(np.array([[1.0, 2.0, 3.0]])) == 0).all()


def test_easytl_after_coral_beats_easytl_alone_on_sheared_features(routing):
    alone, aligned = [], []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        y = rng.integers(0, 2, 300)
        X = rng.normal(size=(300, 2)) + 1.5 * np.outer(2 * y - 1, [1, 0])
        ids = np.repeat([1, -2], 150)
        X[:150] = X[:150] @ [[1, 2], [2, 5]]
        last = EasyTLClassifier()
        alone.append(last.fit(X, y, sample_domain=ids).score(X[150:], y[150:]))
        rows = CORALTransformer(reg=1e-3).fit_transform(X, sample_domain=ids)
        aligned.append(last.fit(rows, y, sample_domain=ids).score(rows[150:], y[150:]))
    assert np.mean(aligned) > np.mean(alone) + 0.1
    assert (
        make_domain_pipeline(CORALTransformer(), EasyTLClassifier()).steps[-1][1].get_params() == {}
    )


def test_a_row_far_beyond_the_others_is_a_clear_error():
    X, y, ids = (
        np.array([[0.0], [1.0], [9.0], [1e100], [0.5], [0.1]]),
        [*"aab", None, None, None],
        [1] * 3 + [-2] * 3,
    )
    with pytest.raises(ValueError, match="Scale the features"):
        EasyTLClassifier().fit(X, y, sample_domain=ids)


def test_scores_that_overflow_are_an_error():
    X, y, ids = (
        np.array([[0.0], [1.0], [9.0], [1.0], [8.0]]),
        [*"aab", None, None],
        [1] * 3 + [-2] * 2,
    )
    model = EasyTLClassifier().fit(X, y, sample_domain=ids)
    overflow = np.errstate(over="ignore", invalid="ignore")
    with overflow, pytest.raises(ValueError, match="cannot score all rows"):
        model.decision_function([[1e300]])
