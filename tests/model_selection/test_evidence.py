"""How often a candidate is chosen that is not better, and how often one that is."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skda.model_selection._evidence import Evidence

ALPHA = 0.1


def evidence_of(predicted, reference, labels, **options):
    """Return evidence without labels, all outcomes, and the true gains."""
    right = predicted == labels
    outcomes = right.astype(float) - (reference == labels)
    outcomes[predicted == reference] = np.nan
    evidence = Evidence(
        "classification",
        options.pop("alpha", ALPHA),
        options.pop("confidence", 0.9),
        scale=(predicted != reference).mean(axis=1),
        can_tie=len(np.unique(labels)) > 2,
        prior=-np.arange(len(predicted)),
    )
    return evidence, outcomes, right.mean(axis=1) - (reference == labels).mean()


def add(evidence, outcomes, predicted, reference, rows, *, n_fit):
    """Give the first rows to fit and the others, one by one, to updates."""
    for part, method in ((rows[:n_fit], evidence.add_fit), (rows[n_fit:], evidence.add_update)):
        if len(part):
            method(outcomes[:, part], predicted[:, part], reference[part])


def no_gain(seed, n_rows=300, n_candidates=6):
    """Candidates that differ in different ways, none of them better."""
    rng = np.random.default_rng(seed)
    labels, reference = np.tile([0, 1], n_rows // 2), np.zeros(n_rows, dtype=int)
    predicted = (rng.uniform(size=(n_candidates, n_rows)) < 0.6).astype(int)
    predicted[1] = predicted[0]  # two that are alike
    # Where a candidate is lucky, the luck is taken back.
    for own in predicted:
        while (own == labels).sum() > (reference == labels).sum():
            own[rng.choice(np.flatnonzero((own == 1) & (labels == 1)))] = 0
    return predicted, reference, labels


@pytest.mark.slow
@pytest.mark.parametrize("n_fit", [0, 12, 25])
def test_nothing_that_is_not_better_is_chosen_more_often_than_alpha(n_fit):
    wrong = []
    for draw in range(60):
        predicted, reference, labels = no_gain(draw)
        evidence, outcomes, gains = evidence_of(predicted, reference, labels)
        rng = np.random.default_rng(draw)
        rows, chosen = rng.permutation(len(labels))[:25], False
        for at in (n_fit, 18, 25):  # stop at the first success: the worst that a user can do
            if at >= n_fit and not chosen:
                part = slice(evidence.n_labels, max(at, n_fit))
                new = rows[part]
                how = evidence.add_fit if part.start < n_fit else evidence.add_update
                how(outcomes[:, new], predicted[:, new], reference[new])
                chosen = evidence.best is not None
        assert (gains <= 1e-12).all()
        wrong.append(chosen)
    assert np.mean(wrong) <= ALPHA + 2 * np.sqrt(ALPHA * (1 - ALPHA) / len(wrong))


@pytest.mark.parametrize(("n_fit", "power"), [(25, 0.9), (0, 0.75)])
def test_a_clear_gain_is_found_with_25_labels(n_fit, power):
    found = []
    for draw in range(25):
        rng = np.random.default_rng(100 + draw)
        labels, reference = rng.integers(0, 2, 300), np.zeros(300, dtype=int)
        predicted = rng.integers(0, 2, (6, 300))
        predicted[2] = np.where(rng.uniform(size=300) < 0.95, labels, 1 - labels)
        evidence, outcomes, gains = evidence_of(predicted, reference, labels)
        rows = rng.permutation(np.flatnonzero((predicted != reference).any(axis=0)))[:25]
        add(evidence, outcomes, predicted, reference, rows, n_fit=n_fit)
        found.append(evidence.best is not None and gains[evidence.best] > 0.1)
    assert np.mean(found) >= power


@pytest.mark.parametrize("n_fit", [0, 30])
def test_the_interval_of_the_chosen_one_covers_its_gain(n_fit):
    covered = []
    for draw in range(40):
        rng = np.random.default_rng(200 + draw)
        labels, reference = rng.integers(0, 3, 240), rng.integers(0, 3, 240)
        predicted = np.array([np.where(rng.uniform(size=240) < 0.6, labels, reference)] * 3)
        predicted[:, :60] = rng.integers(0, 3, (3, 60))
        evidence, outcomes, gains = evidence_of(predicted, reference, labels)
        rows = rng.permutation(240)[:30]
        add(evidence, outcomes, predicted, reference, rows, n_fit=n_fit)
        if evidence.best is not None:
            low, high = evidence.interval(evidence.best)
            covered.append(low - 1e-12 <= gains[evidence.best] <= high + 1e-12)
    assert len(covered) > 10
    assert np.mean(covered) >= 0.9 - 2 * np.sqrt(0.09 / len(covered))


def test_labels_in_one_update_are_as_good_as_one_by_one():
    predicted, reference, labels = no_gain(0)
    found = []
    for steps in ([range(20)], [[i] for i in range(20)], [range(7), range(7, 20)]):
        evidence, outcomes, _ = evidence_of(predicted, reference, labels)
        for step in steps:
            rows = np.array(list(step))
            evidence.add_update(outcomes[:, rows], predicted[:, rows], reference[rows])
        found.append((evidence.p_values, evidence.interval(0), evidence.labels_needed(1.0)))
    for other in found[1:]:
        assert_allclose(other[0], found[0][0])
        assert other[1:] == found[0][1:]


def test_later_labels_may_take_a_choice_back():
    labels, reference = np.r_[np.ones(12, int), np.zeros(40, int)], np.zeros(52, dtype=int)
    predicted = np.ones((1, 52), dtype=int)
    evidence, outcomes, _ = evidence_of(predicted, reference, labels)
    evidence.add_fit(outcomes[:, :12], predicted[:, :12], reference[:12])
    assert evidence.best == 0
    evidence.add_update(outcomes[:, 12:], predicted[:, 12:], reference[12:])
    assert evidence.best is None


def test_fewer_labels_are_needed_once_some_speak_for_a_candidate():
    labels = np.tile([1, 1, 1, 0], 20)
    predicted, reference = np.ones((2, 80), dtype=int), np.zeros(80, dtype=int)
    predicted[1] = labels[::-1]
    needed = []
    for n in (0, 4):
        evidence, outcomes, _ = evidence_of(predicted, reference, labels)
        add(evidence, outcomes, predicted, reference, np.arange(n), n_fit=0)
        needed.append(evidence.labels_needed(1.0))
    assert needed[0] > needed[1] > 0
    assert evidence_of(predicted, reference, labels, alpha=0.01)[0].labels_needed(1.0) > needed[0]


def test_a_candidate_that_was_given_up_is_not_chosen_any_more():
    labels = np.r_[np.zeros(6, int), np.ones(60, int)]
    predicted, reference = np.ones((1, 66), dtype=int), np.zeros(66, dtype=int)
    evidence, outcomes, _ = evidence_of(predicted, reference, labels)
    add(evidence, outcomes, predicted, reference, np.arange(6), n_fit=0)
    assert evidence.given_up.all() and evidence.labels_needed(1.0) is None
    evidence.add_update(outcomes[:, 6:], predicted[:, 6:], reference[6:])
    assert evidence.best is None and evidence.gains[0] > 0


# Regression


def regression(outcomes, alpha=ALPHA):
    evidence = Evidence(
        "regression",
        alpha,
        0.9,
        scale=np.full(len(outcomes), 2.0),
        can_tie=True,
        prior=np.zeros(len(outcomes)),
    )
    evidence.add_update(outcomes, None, None)
    return evidence


def test_errors_of_regressors_that_are_no_better_are_not_called_better():
    rng = np.random.default_rng(3)
    wrong = 0
    for _ in range(200):
        # Skewed: rarely much better, often a little worse; the mean is 0.
        outcomes = rng.choice([0.9, -0.1], p=[0.1, 0.9], size=(4, 40))
        wrong += any(regression(outcomes[:, :n]).best is not None for n in (10, 20, 40))
    assert wrong <= 200 * ALPHA


def test_a_regressor_with_smaller_errors_is_found():
    rng = np.random.default_rng(4)
    outcomes = np.clip(rng.normal([[0.0], [0.4]], 0.3, size=(2, 30)), -1, 1)
    evidence = regression(outcomes)
    assert evidence.best == 1
    low, high = evidence.interval(1)
    assert 0 < low < 0.8 < high <= 2.0  # a mean of .4 of a scale of 2
    assert evidence.gains[1] == pytest.approx(2 * outcomes[1].mean())
    assert evidence.labels_needed(1.0) is None
