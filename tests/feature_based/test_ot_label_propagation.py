"""OTLabelPropagationClassifier: class proportions by hand, plans that are solved to their end."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from skda import OTLabelPropagationClassifier
from skda._numerics._sinkhorn import sinkhorn_plan
from skda._numerics._transport import cost_matrix, cost_unit


def classes_that_move(seed=0, n=60):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat([0, 1, 2], 2 * n // 3))
    X = rng.normal(size=(2 * n, 2)) * 0.4 + np.stack([2.0 * y, (y == 1) * 2.0], axis=1)
    X[n:] = X[n:] @ np.array([[0.8, 0.6], [-0.6, 0.8]]) + [1.5, 0.5]
    return X, y, np.repeat([1, -2], n)


def test_exact_labels_are_those_of_the_assigned_source_rows():
    X, y, d = classes_that_move()
    rows, columns = linear_sum_assignment(((X[:60, None] - X[60:]) ** 2).sum(2))
    fitted = OTLabelPropagationClassifier(reg=None).fit(X, y, sample_domain=d)
    np.testing.assert_array_equal(fitted.transduction_[columns], y[:60][rows])


def test_entropic_shares_are_class_sums_of_the_plan():
    X, y, d = classes_that_move()
    M = cost_matrix(X[:60], X[60:])
    P = sinkhorn_plan(M / cost_unit(M, "median"), reg=0.1).coupling
    expected = np.stack([P[y[:60] == c].sum(0) for c in range(3)], axis=1) * 60
    fitted = OTLabelPropagationClassifier(reg=0.1).fit(X, y, sample_domain=d)
    np.testing.assert_allclose(fitted.label_distributions_, expected, atol=1e-5)


def test_hundreds_of_rows_are_labeled_as_well_as_by_the_assignment():
    # A peer stops after 200 pivots here and gives class 0 to rows without mass.
    X, y, d = classes_that_move(n=450)
    rows, columns = linear_sum_assignment(((X[:450, None] - X[450:]) ** 2).sum(2))
    fitted = OTLabelPropagationClassifier(reg=None).fit(X, y, sample_domain=d)
    np.testing.assert_allclose(fitted.label_distributions_.sum(1), 1.0)
    agreement = (fitted.transduction_[columns] == y[:450][rows]).mean()
    assert agreement > 0.99
    np.testing.assert_allclose(np.bincount(fitted.transduction_), np.bincount(y[:450]), atol=2)


def test_sources_vote_by_their_numbers_of_rows():
    X, y, d = classes_that_move()
    d[:20] = 5
    one = OTLabelPropagationClassifier(reg=0.1)
    both = one.fit(X, y, sample_domain=d).label_distributions_
    alone = [
        one.fit(X[d != other], y[d != other], sample_domain=d[d != other]).label_distributions_
        for other in (1, 5)
    ]
    full = np.zeros_like(both)
    for shares, weight, labels in zip(alone, (20, 40), (y[d == 5], y[d == 1]), strict=True):
        full[:, np.unique(labels)] += weight / 60 * shares
    np.testing.assert_allclose(both, full, atol=1e-6)


def test_hard_labels_ask_for_no_sample_weight():
    X, y, d = classes_that_move()
    model = KNeighborsClassifier(3)
    with pytest.raises(ValueError, match="must accept sample_weight"):
        OTLabelPropagationClassifier(model, reg=0.1).fit(X, y, sample_domain=d)
    hard = OTLabelPropagationClassifier(model, reg=0.1, label_kind="hard")
    assert hard.fit(X, y, sample_domain=d).score(X[60:], y[60:]) > 0.7


@pytest.mark.parametrize(
    "params, match",
    [({"reg": 0}, "reg must be a positive"), ({"label_kind": "fuzzy"}, "label_kind must be one")],
)
def test_bad_parameters_are_named(params, match):
    X, y, d = classes_that_move()
    with pytest.raises(ValueError, match=match):
        OTLabelPropagationClassifier(**params).fit(X, y, sample_domain=d)


def gain(model):
    gains = []
    for seed in range(4):
        X, y, d = classes_that_move(seed)
        plain = LogisticRegression().fit(X[:60], y[:60]).score(X[60:], y[60:])
        gains.append(model.fit(X, y, sample_domain=d).score(X[60:], y[60:]) - plain)
    return np.mean(gains)


@pytest.mark.parametrize("reg", [None, 0.02])
def test_classes_that_move_are_followed(reg):
    assert gain(OTLabelPropagationClassifier(reg=reg)) > 0.2


def test_sabotage_a_plan_that_pairs_all_with_all_gains_nothing(monkeypatch):
    monkeypatch.setattr(
        OTLabelPropagationClassifier, "_plan",
        lambda self, data, domain: np.full((60, 60), 1 / 3600),
    )  # fmt: skip
    assert gain(OTLabelPropagationClassifier(reg=None)) < 0.0
