"""Votes are put together as the formulas say."""

import numpy as np
import pytest
from scipy.stats import trim_mean

from skda._numerics._middle import (
    concordance,
    principal_weights,
    weighted_median,
    weighted_trimmed_mean,
)
from skda._numerics._signed_rank import signed_rank_interval
from skda._numerics._votes import (
    class_posterior,
    count_votes,
    dawid_skene,
    pairwise_agreement,
)


def simulated_votes(accuracies, *, n=3000, n_classes=3, seed=0):
    """Independent voters of known accuracy, and the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(n_classes, size=n, p=[0.5, 0.3, 0.2])
    wrong = (truth[:, None] + rng.integers(1, n_classes, (n, len(accuracies)))) % n_classes
    right = rng.random((n, len(accuracies))) < accuracies
    return np.where(right, truth[:, None], wrong), truth


def dawid_skene_by_loops(votes, n_classes, exponents, n_rounds):
    n, n_models = votes.shape
    posterior = np.zeros((n, n_classes))
    for i in range(n):
        for m in range(n_models):
            posterior[i, votes[i, m]] += exponents[m] / exponents.sum()
    for _ in range(n_rounds):
        confusion = np.ones((n_models, n_classes, n_classes))
        for i in range(n):
            for m in range(n_models):
                confusion[m, :, votes[i, m]] += posterior[i]
        confusion /= confusion.sum(axis=2, keepdims=True)
        priors = posterior.mean(axis=0)
        for i in range(n):
            joint = priors.copy()
            for m in range(n_models):
                joint *= confusion[m, :, votes[i, m]] ** exponents[m]
            posterior[i] = joint / joint.sum()
    return posterior, confusion, priors


def test_em_is_that_of_the_loops():
    votes, _ = simulated_votes([0.9, 0.7, 0.6, 0.5], n=60)
    exponents = np.array([1.0, 0.5, 0.5, 0.3])
    found = dawid_skene(votes, 3, exponents, n_rounds=5)
    expected = dawid_skene_by_loops(votes, 3, exponents, 5)
    for own, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-9)


def test_em_finds_the_confusion_of_independent_voters_and_beats_the_vote():
    accuracies = [0.9, 0.85, 0.5, 0.45, 0.4]
    votes, truth = simulated_votes(accuracies)
    found = dawid_skene(votes, 3, np.ones(5))
    diagonals = found.confusion.diagonal(axis1=1, axis2=2).mean(axis=1)
    np.testing.assert_allclose(diagonals, accuracies, atol=0.05)
    np.testing.assert_allclose(found.priors, [0.5, 0.3, 0.2], atol=0.05)
    majority = count_votes(votes, 3, np.ones(5)).argmax(axis=1)
    assert (found.posterior.argmax(axis=1) == truth).mean() > (majority == truth).mean() + 0.05


def test_known_classes_stay_and_help():
    # Two of three voters swap the classes, which only labels can tell.
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 400)
    flip = rng.random((400, 3)) < [0.1, 0.85, 0.85]
    votes = np.where(flip, 1 - truth[:, None], truth[:, None])
    known = np.where(np.arange(400) < 200, truth, -1)
    found = dawid_skene(votes, 2, np.ones(3), known=known)
    assert (found.posterior[:200].argmax(axis=1) == truth[:200]).all()
    assert (found.posterior[200:].argmax(axis=1) == truth[200:]).mean() > 0.85
    blind = dawid_skene(votes, 2, np.ones(3))
    assert (blind.posterior.argmax(axis=1) == truth).mean() < 0.5


def test_new_rows_get_what_the_same_votes_got():
    votes, _ = simulated_votes([0.8, 0.7, 0.6], n=200)
    found = dawid_skene(votes, 3, np.ones(3))
    again = class_posterior(votes[:50], found.confusion, found.priors, np.ones(3))
    np.testing.assert_allclose(again, found.posterior[:50], atol=1e-6)


def test_a_missing_vote_says_nothing():
    votes, _ = simulated_votes([0.8, 0.7], n=50)
    silent = np.column_stack([votes, np.full(50, -1)])
    exponents = np.ones(3)
    np.testing.assert_allclose(
        dawid_skene(silent, 3, exponents).posterior, dawid_skene(votes, 3, np.ones(2)).posterior
    )
    np.testing.assert_allclose(count_votes(np.full((4, 2), -1), 3, np.ones(2)), 1 / 3)


def test_agreement():
    votes = np.array([[0, 0, 1], [1, 1, 1], [2, 0, 2], [1, 1, 0]])
    expected = [[1, 0.75, 0.5], [0.75, 1, 0.25], [0.5, 0.25, 1]]
    np.testing.assert_allclose(pairwise_agreement(votes), expected)


# Regressors


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(size=(40, 6))


def test_weighted_median_and_trimmed_mean_are_those_of_numpy_and_scipy(values):
    for n_models in (5, 6):
        some, ones = values[:, :n_models], np.ones(n_models)
        np.testing.assert_allclose(weighted_median(some, ones), np.median(some, axis=1))
    np.testing.assert_allclose(
        weighted_trimmed_mean(values[:, :5], np.ones(5), 0.2), trim_mean(values[:, :5], 0.2, axis=1)
    )
    np.testing.assert_allclose(weighted_trimmed_mean(values, np.ones(6), 0.0), values.mean(axis=1))


def test_a_weight_of_two_is_a_second_copy(values):
    twice = values[:, [0, 1, 1, 2, 3]]
    weights = np.array([1.0, 2.0, 1.0, 1.0])
    for rule in (weighted_median, lambda v, w: weighted_trimmed_mean(v, w, 0.25)):
        np.testing.assert_allclose(rule(values[:, :4], weights), rule(twice, np.ones(5)))


def test_principal_weights_come_near_the_best_ones():
    rng = np.random.default_rng(0)
    noise = np.array([0.3, 0.5, 1.0, 1.5, 0.4, 3.0])
    truth = rng.normal(size=4000)
    values = truth[:, None] + rng.normal(size=(4000, 6)) * noise
    weights, intercept = principal_weights(values, 1.0)
    error = np.mean((values @ weights + intercept - truth) ** 2)
    least = 1 / (1 + (1 / noise**2).sum())
    assert error < 1.3 * least
    assert np.mean((np.median(values, axis=1) - truth) ** 2) > 2 * least


def test_covariances_with_the_truth_solve_the_equations_of_all_pairs():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(300, 1)) + rng.normal(size=(300, 4)) * 0.5
    weights, _ = principal_weights(values, 1.0)
    covariance = np.cov(values, rowvar=False, bias=True)
    i, j = np.triu_indices(4, k=1)
    equations = np.zeros((6, 4))
    equations[np.arange(6), i] += 1
    equations[np.arange(6), j] += 1
    with_truth = np.linalg.lstsq(equations, covariance[i, j] + 1.0, rcond=None)[0]
    np.testing.assert_allclose(covariance @ weights, with_truth, rtol=1e-8)


@pytest.mark.parametrize("values", [np.ones((5, 3)), np.arange(10.0).reshape(5, 2)])
def test_where_nothing_can_be_told_apart_all_count_the_same(values):
    weights, intercept = principal_weights(values, 1.0)
    np.testing.assert_allclose(weights, 1 / values.shape[1])
    assert intercept == 0.0


def test_concordance():
    x = np.random.default_rng(0).normal(size=2000)
    agreement = concordance(np.column_stack([x, x, x + 1.0, -x, np.zeros(2000)]))
    assert agreement[0, 1] == pytest.approx(1.0)
    assert agreement[0, 2] == pytest.approx(2 * x.var() / (2 * x.var() + 1))
    assert agreement[0, 3] == pytest.approx(-1.0, abs=0.01)
    assert agreement[0, 4] == pytest.approx(0.0, abs=1e-9)
    assert (concordance(np.ones((4, 2))) == 1.0).all()


def test_the_interval_of_the_signed_ranks_covers():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        low, high = signed_rank_interval(rng.normal(0.5, 1.0, 20), 0.9)
        covered += low <= 0.5 <= high
    assert 0.86 < covered / 400 < 0.96
    assert signed_rank_interval(np.array([2.0]), 0.9) == (2.0, 2.0)
