"""Tests on rows where two models disagree: exact against enumeration, valid in simulations."""

from itertools import combinations, product

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.stats import binom, binomtest

from skda._numerics._paired_tests import (
    JointNull,
    SpentError,
    adapt_sentence,
    adjusted_sign_tests,
    anytime_gain_interval,
    closed_log_e,
    gain_interval,
    keep_sentence,
    labels_needed,
    log_e_from_counts,
    log_e_from_outcomes,
    sign_test,
)

ALPHA = 0.1


@pytest.mark.parametrize("counts", [(5, 0), (4, 1), (0, 3), (20, 11)])
def test_sign_test_is_the_binomial_test(counts):
    wanted = binomtest(counts[0], sum(counts), alternative="greater").pvalue
    assert sign_test(*counts) == pytest.approx(wanted)


def test_sign_test_without_rows_shows_nothing():
    assert sign_test(0, 0) == 1


# E-values


@pytest.mark.parametrize("mean", [-0.5, 0.0, 0.3])
@pytest.mark.parametrize("counts", [(5, 0, 0), (4, 2, 3), (0, 3, 1), (12, 9, 20)])
def test_e_value_is_the_integral_over_all_steps(counts, mean):
    def products(step):
        outcomes = np.repeat([1.0, -1.0, 0.0], counts)
        return np.prod(1 - step + step * (1 + outcomes) / (1 + mean))

    assert np.exp(log_e_from_counts(*counts, mean=mean)) == pytest.approx(quad(products, 0, 1)[0])


def test_e_value_of_counts_is_that_of_the_outcomes():
    outcomes = np.repeat([1.0, -1.0, 0.0], (7, 2, 4))
    assert log_e_from_outcomes(outcomes, mean=0.1) == pytest.approx(
        float(log_e_from_counts(7, 2, 4, mean=0.1))
    )


@pytest.mark.parametrize("n", [1, 4, 30, 200])
def test_expectation_of_the_e_value_is_one_under_the_null(n):
    better = np.arange(n + 1)
    assert _binomial(n) @ np.exp(log_e_from_counts(better, n - better)) == pytest.approx(1)


def _binomial(n):
    return binom.pmf(np.arange(n + 1), n, 0.5)


def test_the_e_value_may_be_looked_at_after_each_label():
    rng = np.random.default_rng(0)
    signs = rng.integers(0, 2, (4000, 120)).cumsum(axis=1)
    n = np.arange(1, 121)
    log_e = log_e_from_counts(signs, n - signs)
    assert (log_e.max(axis=1) >= np.log(1 / ALPHA)).mean() <= ALPHA


def test_labels_of_a_finite_target_without_replacement_are_no_problem():
    rng = np.random.default_rng(1)
    pool = np.repeat([0, 1], 30)
    wins = rng.permuted(np.tile(pool, (3000, 1)), axis=1).cumsum(axis=1)
    log_e = log_e_from_counts(wins, np.arange(1, 61) - wins)
    assert (log_e.max(axis=1) >= np.log(1 / ALPHA)).mean() <= ALPHA


def test_e_value_grows_with_a_difference():
    better = np.arange(10, 200, 10) * 4
    assert (np.diff(log_e_from_counts(better, better // 4)) > 0).all()


# Several candidates


def test_closed_e_values_are_the_smallest_mean_over_all_sets():
    rng = np.random.default_rng(2)
    for _ in range(20):
        log_e, weights = rng.normal(0, 3, 5), rng.uniform(0.1, 1, 5)
        e = np.exp(log_e)
        wanted = [
            min(
                np.average(e[list(s)], weights=weights[list(s)])
                for r in range(1, 6)
                for s in combinations(range(5), r)
                if i in s
            )
            for i in range(5)
        ]
        assert_allclose(np.exp(closed_log_e(log_e, weights)), wanted)


def test_closed_e_values_do_not_overflow():
    assert np.isfinite(closed_log_e([5000.0, 4999.0], [1, 1])).all()
    assert closed_log_e([], []).shape == (0,)


def test_one_candidate_needs_no_correction():
    assert adjusted_sign_tests([5], [1], [6])[0] == pytest.approx(sign_test(5, 1))
    assert closed_log_e([2.5], [0.3])[0] == pytest.approx(2.5)


def test_adjusted_p_values_control_the_error_of_independent_candidates_exactly():
    # Every outcome of three independent candidates without a difference, by enumeration.
    n_rows = np.array([3, 5, 6])
    weights = [3.0, 2.0, 1.0]
    error = 0.0
    chances = [_binomial(n) for n in n_rows]
    for better in product(*(range(n + 1) for n in n_rows)):
        adjusted = adjusted_sign_tests(better, n_rows - better, n_rows, weights=weights)
        if adjusted.min() <= ALPHA:
            error += np.prod([chance[b] for chance, b in zip(chances, better, strict=True)])
    assert 0.02 < error <= ALPHA


def test_adjusted_p_values_are_not_above_bonferroni():
    rng = np.random.default_rng(3)
    for can_tie in (False, True):
        n_rows = rng.integers(0, 12, 6)
        better = rng.binomial(n_rows, 0.7)
        adjusted = adjusted_sign_tests(better, n_rows - better, n_rows, can_tie=can_tie)
        assert (adjusted <= np.minimum(1, 6 * sign_test(better, n_rows - better)) + 1e-12).all()


def test_candidates_that_cannot_be_shown_cost_nothing():
    # Three rows cannot reach .02, so that seven such candidates do not weaken the eighth.
    n_rows = np.array([8] + 7 * [3])
    adjusted = adjusted_sign_tests([8] + 7 * [0], [0] + 7 * [3], n_rows)
    assert adjusted[0] == pytest.approx(sign_test(8, 0))


# Intervals


@pytest.mark.parametrize("p", [0.3, 0.5, 0.8])
@pytest.mark.parametrize("tie", [0.0, 0.3])
def test_exact_interval_covers(p, tie):
    rng = np.random.default_rng(4)
    mean, covered = (1 - tie) * (2 * p - 1), []
    for better, worse, ties in rng.multinomial(
        15, [(1 - tie) * p, (1 - tie) * (1 - p), tie], size=400
    ):
        low, high = gain_interval(better, worse, ties if tie else None, confidence=0.8)
        covered.append(low <= mean <= high)
    assert np.mean(covered) >= 0.8


def test_exact_interval_is_that_of_the_binomial():
    wanted = binomtest(9, 11).proportion_ci(0.9)
    assert_allclose(gain_interval(9, 2), 2 * np.array(wanted) - 1)


@pytest.mark.slow
def test_anytime_interval_covers_at_all_times():
    rng = np.random.default_rng(5)
    missed = 0
    for _ in range(100):
        outcomes = rng.choice([-1, 0, 1], p=[0.2, 0.2, 0.6], size=40)
        found = [anytime_gain_interval(outcomes[:n], confidence=0.8) for n in (5, 10, 20, 40)]
        missed += any(not low <= 0.4 <= high for low, high in found)
    assert missed <= 20


def test_anytime_interval_agrees_with_the_e_value():
    outcomes = np.repeat([1.0, -1.0], (12, 4))
    low, high = anytime_gain_interval(outcomes, confidence=0.9)
    assert log_e_from_outcomes(outcomes, mean=low) == pytest.approx(np.log(20), abs=1e-6)
    assert log_e_from_outcomes(-outcomes, mean=-high) == pytest.approx(np.log(20), abs=1e-6)
    assert anytime_gain_interval([]) == (-1, 1)
    assert anytime_gain_interval([-1.0] * 5)[0] == pytest.approx(-1)


# How many labels


def test_labels_needed_is_the_first_number_that_has_the_power():
    def rejects(better, worse):
        return sign_test(better, worse) <= ALPHA

    assert labels_needed(rejects) == 4
    assert labels_needed(rejects, better=2) == 2
    assert labels_needed(rejects, better=4) == 0
    n = labels_needed(rejects, win_rate=0.75, power=0.8)
    rng = np.random.default_rng(6)
    wins = rng.binomial(n, 0.75, 4000)
    assert rejects(wins, n - wins).mean() == pytest.approx(0.8, abs=0.06)


def test_labels_needed_gives_up_where_nothing_is_to_be_shown():
    assert labels_needed(lambda b, w: sign_test(b, w) <= ALPHA, win_rate=0.4) is None


# Sentences


def test_sentences():
    assert adapt_sentence("CORAL", 25, (4.1, 9.84), 0.9) == (
        "adapt: CORAL, tested on 25 labels, gain 4.1 to 9.8 points at 90 %"
    )
    assert keep_sentence("no label") == "keep the source model: no label"
    assert keep_sentence("no label", 1).endswith(
        "about 1 more label on rows where the candidates disagree with it may show one"
    )


# Candidates tested jointly, on the same rows, and at several looks


def outcomes_of(predicted, reference, labels):
    better = (predicted == labels) & (reference != labels)
    worse = (predicted != labels) & (reference == labels)
    return better, worse


def ever_wrong(predicted, reference, labels, rows, looks):
    """Whether a candidate that is no better is chosen at one of the looks (numbers of labels)."""
    better, worse = outcomes_of(predicted, reference, labels)
    no_better = (better.sum(axis=1) <= worse.sum(axis=1)).nonzero()[0]
    null, spent, wrong = JointNull(len(predicted)), SpentError(ALPHA), False
    for before, n in zip([0, *looks[:-1]], looks, strict=True):
        new, all_rows = rows[before:n], rows[:n]
        null.add(predicted[:, new], reference[new], (predicted != reference)[:, new])
        p_values = sign_test(better[:, all_rows].sum(axis=1), worse[:, all_rows].sum(axis=1))
        wrong |= (p_values[no_better] <= spent.critical(null.smallest(), n / looks[-1])).any()
    return wrong


def worlds(n_rows=240):
    """Candidates that are no better than the reference, in structures that differ much."""
    reference = np.zeros(n_rows, dtype=int)
    thirds = np.repeat([0, 1, 2], n_rows // 3)
    half = np.tile([0, 1], n_rows // 2)
    apart = np.array([thirds == i for i in range(3)]).astype(int)
    yield apart, reference, half  # each disagrees elsewhere
    # Two overlap in the middle, where both are wrong, and are right elsewhere.
    overlap = np.array([thirds != 2, thirds != 0]).astype(int)
    yield overlap, reference, (thirds != 1).astype(int)
    steps = [np.arange(n_rows) < k * n_rows // 6 for k in range(1, 7)]
    yield np.array(steps).astype(int), reference, half  # one within the next
    rng = np.random.default_rng(8)
    labels = rng.permutation(np.repeat([0, 1, 2, 3], n_rows // 4))
    yield rng.integers(1, 4, (8, n_rows)), reference, labels  # classes on which all are wrong
    harmful = np.where(thirds == 0, 1, 0)
    yield np.array([harmful, apart[1], apart[2]]), reference, np.where(thirds == 0, 0, half)


@pytest.mark.slow
@pytest.mark.parametrize("looks", [(25,), (4, 8, 12, 16, 20, 25)])
def test_joint_test_keeps_its_level_whatever_the_candidates_have_in_common(looks):
    rng, n_draws = np.random.default_rng(7), 60
    errors = []
    for world in worlds():
        draws = rng.integers(240, size=(n_draws, 25))
        errors.append(np.mean([ever_wrong(*world, rows, looks) for rows in draws]))
    # Each within chance, and their mean below the level.
    assert max(errors) <= ALPHA + 2.5 * np.sqrt(ALPHA * (1 - ALPHA) / n_draws), errors
    assert 0.01 < np.mean(errors) <= ALPHA + 0.01, errors


def critical(predicted, reference, error=ALPHA):
    null = JointNull(len(predicted))
    null.add(predicted, reference, predicted != reference)
    return SpentError(error).critical(null.smallest(), 1.0)


def test_like_candidates_need_hardly_a_correction_and_unlike_ones_do():
    reference = np.zeros(40, dtype=int)
    alike = np.ones((20, 40), dtype=int)
    alike[np.arange(20), np.arange(20)] = 0
    unlike = np.random.default_rng(9).integers(0, 2, (20, 40))
    assert critical(unlike, reference) < critical(alike, reference) / 3
    assert critical(alike[:1], reference) > 0.05


def test_critical_value_of_one_candidate_is_that_of_the_sign_test():
    # Of ten rows: 8 or more better have probability .055, 7 or more .17.
    found = critical(np.ones((1, 10), dtype=int), np.zeros(10, dtype=int))
    assert found == pytest.approx(sign_test(8, 2))


def test_the_order_of_rows_does_not_matter_to_one_look():
    rng = np.random.default_rng(10)
    predicted, reference = rng.integers(0, 3, (5, 30)), rng.integers(0, 3, 30)
    order = rng.permutation(30)
    assert critical(predicted, reference) == critical(predicted[:, order], reference[order])


def test_rows_that_do_not_count_change_nothing():
    rng = np.random.default_rng(11)
    predicted, reference = rng.integers(0, 2, (3, 30)), np.zeros(30, dtype=int)
    null = JointNull(3)
    null.add(predicted, reference, np.zeros(predicted.shape, dtype=bool))
    assert (null.smallest() == 1).all()


def test_looks_spend_no_more_than_there_is():
    rng = np.random.default_rng(12)
    smallest = rng.uniform(size=(6, 4000))
    spent = SpentError(0.1)
    limits = [
        spent.critical(p, part) for p, part in zip(smallest, np.arange(1, 7) / 6, strict=True)
    ]
    rejected = np.logical_or.reduce([p <= c for p, c in zip(smallest, limits, strict=True)])
    assert 0.09 < rejected.mean() <= 0.1
    assert spent.critical(smallest[0], 1.0) == 0.0
