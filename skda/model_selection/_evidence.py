"""What labeled target rows say of each candidate, and whether it is enough to leave source-only."""

import math
from dataclasses import dataclass

import numpy as np

from .._numerics._paired_tests import (
    JointNull,
    SpentError,
    anytime_gain_interval,
    closed_log_e,
    gain_interval,
    labels_needed,
    log_e_from_outcomes,
    sign_test,
)

# Of alpha, where fit is given labels: most people stop there, and may still go on with the rest.
_FIT_PART = 0.8
_HALF_SPENT = 15  # labels of updates after which half of what is left of alpha is spent
# Of an interval's error: the lower limit is the one that says whether there is a gain.
_LOWER_PART = 0.8
# A candidate that is worse at this level is given up, so that labels are spent on the others.
_GIVEN_UP = 0.05
_POWER = 0.8
_WIN_RATE = 0.8  # assumed before there are labels: of a candidate that is worth having
_PRIOR_LABELS = 5  # what that assumption counts for


@dataclass
class Evidence:
    """Outcomes of labeled target rows, and the decisions that they allow.

    The labels of ``fit`` are looked at once, all together; those of updates one after the other.
    """

    kind: str
    """"classification" or "regression"."""
    alpha: float
    """Probability with which a candidate may be chosen that is not better."""
    confidence: float
    """Of the intervals of the gain."""
    scale: np.ndarray
    """Gain of a mean outcome of 1, per candidate: how much it differs from source-only."""
    can_tie: bool
    """Whether both models may be wrong in different ways: with more than two classes."""
    prior: np.ndarray
    """Label-free rank of each candidate, higher is better: settles ties."""

    def __post_init__(self):
        n = len(self.scale)
        self.outcomes = np.empty((n, 0))
        """(n_candidates, n_labels), NaN where a label says nothing of a candidate."""
        self.accepted = np.zeros(n, dtype=bool)
        """Which candidates were shown to be better."""
        self.given_up = np.zeros(n, dtype=bool)
        """Which looked worse, and will not be accepted: rows are drawn without regard to them."""
        self.n_labels = self._n_labels_fit = 0
        self._null = JointNull(n)
        below = _LOWER_PART * (1 - self.confidence)
        self._test = SpentError(self.alpha)
        self._sides = SpentError(below), SpentError(1 - self.confidence - below)
        self._looks = []  # number of labels, and the errors of both limits

    # Labels come

    def add_fit(self, outcomes, predicted, reference):
        """Add the labels of ``fit``, which are tested once, all together.

        ``outcomes`` is (n_candidates, n_labels), NaN where a row says nothing of a candidate or the
        candidate has learnt from it. The other arrays are class indices, None for a regression.
        """
        if outcomes.shape[1]:
            self._n_labels_fit = outcomes.shape[1]
            self._add(outcomes, predicted, reference)

    def add_update(self, outcomes, predicted, reference):
        """Add labels that came later, each tested as it comes, whatever their number."""
        if self.kind == "regression":
            self._add(outcomes, None, None)
            return
        for i in range(outcomes.shape[1]):
            one = slice(i, i + 1)
            self._add(outcomes[:, one], predicted[:, one], reference[one])

    def _add(self, outcomes, predicted, reference):
        self.outcomes = np.hstack([self.outcomes, outcomes])
        self.n_labels = self.outcomes.shape[1]
        if self.kind == "regression":
            # E-values hold at all times, without a plan for the looks.
            self.accepted |= self._corrected_log_e() >= math.log(1 / self.alpha)
            return
        counted = ~np.isnan(outcomes) & ~self.given_up[:, None]
        self._null.add(predicted, reference, counted)
        smallest, part = self._null.smallest(), self._part_to_spend()
        errors = [side.critical(smallest, part) for side in self._sides]
        self._looks.append((self.n_labels, errors))
        better, worse, _ = self.counts()
        shown = sign_test(better, worse) <= self._test.critical(smallest, part)
        self.accepted |= shown & ~self.given_up
        self.given_up |= ~self.accepted & (sign_test(worse, better) <= _GIVEN_UP)

    def _part_to_spend(self):
        """Return which part of the error the looks up to this one may spend together."""
        at_fit = _FIT_PART if self._n_labels_fit else 0.0
        later = self.n_labels - self._n_labels_fit
        return at_fit + (1 - at_fit) * later / (later + _HALF_SPENT)

    # Decisions

    def counts(self, n_labels=None):
        """Return how often each candidate was better, worse, and neither, in the first labels."""
        outcomes = self.outcomes[:, :n_labels]
        return tuple((outcomes == value).sum(axis=1) for value in (1, -1, 0))

    @property
    def numbers(self):
        """Number of labels that say something of each candidate."""
        return (~np.isnan(self.outcomes)).sum(axis=1)

    @property
    def p_values(self):
        """P-value of each candidate, not corrected for their number; NaN without labels."""
        if self.kind == "regression":
            log_e = np.array([log_e_from_outcomes(row[~np.isnan(row)]) for row in self.outcomes])
            found = np.minimum(1.0, np.exp(-log_e))
        else:
            found = sign_test(*self.counts()[:2])
        return np.where(self.numbers > 0, found, np.nan)

    def _corrected_log_e(self):
        log_e = [log_e_from_outcomes(row[~np.isnan(row)]) for row in self.outcomes]
        return closed_log_e(log_e, np.ones(len(log_e)))

    @property
    def gains(self):
        """Estimated gain of each candidate, 0 without a label."""
        return self.scale * np.nansum(self.outcomes, axis=1) / np.maximum(self.numbers, 1)

    @property
    def best(self):
        """Index of the best candidate that was shown to be better; None for source-only."""
        # Later labels may speak against what earlier ones have shown.
        able = np.flatnonzero(self.accepted & (self.gains > 0))
        if not len(able):
            return None
        gains = self.gains[able]
        return int(able[np.lexsort([self.prior[able], gains])[-1]])

    def interval(self, candidate):
        """Return the limits of the gain of a candidate, valid also for the one that was chosen."""
        if self.kind == "regression":
            limits = self._regression_interval(candidate)
        else:
            found = [self._interval_at(candidate, *look) for look in self._looks]
            # All of them hold together, so that their intersection does.
            limits = max(low for low, _ in found), min(high for _, high in found)
        return tuple(float(limit * self.scale[candidate]) for limit in limits)

    def _interval_at(self, candidate, n_labels, errors):
        better, worse, ties = (int(count[candidate]) for count in self.counts(n_labels))
        return gain_interval(better, worse, ties if self.can_tie else None, errors=errors)

    def _regression_interval(self, candidate):
        row = self.outcomes[candidate]
        # The choice is among so many: each interval has a part of the error.
        each = (1 - self.confidence) / max(1, int((self.scale > 0).sum()))
        errors = _LOWER_PART * each, (1 - _LOWER_PART) * each
        return anytime_gain_interval(row[~np.isnan(row)], errors=errors)

    def labels_needed(self, differ):
        """Return how many more labels may be enough, of rows on which some candidate differs.

        ``differ`` is the proportion of target rows that are such. None: for a regression, or where
        a thousand would not do.
        """
        able = np.flatnonzero((self.scale > 0) & ~self.given_up)
        if self.kind == "regression" or not len(able):
            return None
        better, worse, _ = self.counts()
        # The one that looks best so far; before there are labels, by its rank.
        first = able[np.lexsort([self.prior[able], (better - worse)[able]])[-1]]
        better, worse = int(better[first]), int(worse[first])
        # As for candidates that have nothing in common, so that fewer may do.
        limit = self.alpha * (1 - _FIT_PART if self._n_labels_fit else _FIT_PART) / len(able)
        rate = (better + _PRIOR_LABELS * _WIN_RATE) / (better + worse + _PRIOR_LABELS)
        more = labels_needed(
            lambda b, w: sign_test(b, w) <= limit,
            win_rate=rate,
            power=_POWER,
            better=better,
            worse=worse,
        )
        return None if more is None else math.ceil(more * differ / self.scale[first])
