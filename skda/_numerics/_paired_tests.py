"""Is a model better than the source-only one? Tests on the labeled rows on which they differ.

Only rows on which two models disagree can tell them apart, so the tests read nothing else. Each
outcome is +1 where the candidate is right and the source-only model wrong, -1 the other way round
and 0 where both are wrong; for a regression it is the difference of the absolute errors over its
largest possible value, hence in [-1, 1].

Two ways to test that the mean outcome is above 0. The sign test has a p-value that is exact for a
number of labels fixed in advance. The e-value is a product of one factor per label, whose
expectation is at most 1 where the mean is at most 0; it may be looked at after every label, since
it ever exceeds 1 / alpha with probability alpha at most (Ville's inequality) [1]_, [2]_.

References
----------
.. [1] Waudby-Smith, I. & Ramdas, A. "Estimating means of bounded random variables by betting."
   J. R. Stat. Soc. B 86, 1-27 (2024). doi:10.1093/jrsssb/qkad009
.. [2] Vovk, V. & Wang, R. "E-values: calibration, combination and applications."
   Ann. Stat. 49, 1736-1754 (2021). doi:10.1214/20-AOS2020
"""

import numpy as np
from scipy.special import logsumexp
from scipy.stats import beta, binom

# Nodes of the mixture over step sizes: with 32 of them the integral of a product of up to 63
# factors is exact, and beyond that the weighted sum is still a valid mixture.
_N_STEPS = 32
_nodes, _node_weights = np.polynomial.legendre.leggauss(_N_STEPS)
_STEPS = (1 + _nodes) / 2  # in (0, 1), as parts of the largest step that keeps factors positive
_STEP_LOG_WEIGHTS = np.log(_node_weights / 2)  # of sum 1
_DIRECTION_PART = 0.8  # of a limit's error: which model is better; the rest: how often they tie
_HALVINGS = 40  # of an interval of length 2: limits are exact to 2e-12
_N_SIMULATED = 4000  # the level .1 is then met to half a percent
_MOST_LABELS = 1000  # a test that needs more of them is of no practical use


def sign_test(better, worse):
    """Return the exact one-sided p-value of ``better`` against ``worse`` rows.

    Parameters
    ----------
    better : int or array of int
        Rows on which the candidate is right and the source-only model wrong.
    worse : int or array of int
        Rows on which it is the other way round.

    Returns
    -------
    p_value : float or ndarray
        Probability of at least as many better rows, were better and worse ones equally likely. 1
        without any row.
    """
    better, worse = np.asarray(better), np.asarray(worse)
    return binom.sf(better - 1, better + worse, 0.5)


def adjusted_sign_tests(better, worse, n_rows, *, weights=None, can_tie=False):
    """Return p-values of several sign tests, corrected for the number of them.

    Parameters
    ----------
    better, worse : array of int of shape (n_candidates,)
        Counts of each candidate.
    n_rows : array of int of shape (n_candidates,)
        Labeled rows on which each candidate disagrees with the source-only model.
    weights : array of shape (n_candidates,) or None, default=None
        Positive weight of each, chosen without the labels; None: all equal.
    can_tie : bool, default=False
        Whether both models can be wrong in different ways, so that a row on which they disagree
        may count for neither: with more than two classes.

    Returns
    -------
    p_values : ndarray of shape (n_candidates,)
        Choosing among those of at most alpha chooses one that is no better with probability alpha
        at most, however the candidates depend on each other.

    Notes
    -----
    Bonferroni's correction, made sharp in two ways. A sign test of few rows has few possible
    p-values, so that a limit between two of them costs only the smaller one, and nothing if there
    is none below (Tarone). And candidates that were decided no longer count (Holm).
    """
    better, worse = np.asarray(better), np.asarray(worse)
    weights = np.ones(len(better)) if weights is None else np.asarray(weights, dtype=float)
    p_values = sign_test(better, worse)
    possible = [_possible_p_values(int(n), can_tie) for n in np.asarray(n_rows)]
    adjusted, largest = np.empty(len(better)), 0.0
    order = np.argsort(p_values / weights, kind="stable")
    for step, i in enumerate(order):
        limit = p_values[i] / weights[i]
        total = sum(_largest_at_most(possible[k], limit * weights[k]) for k in order[step:])
        largest = max(largest, min(1.0, total))
        adjusted[i] = largest
    return adjusted


def _possible_p_values(n_rows, can_tie):
    """Return the sorted p-values that a sign test on so many rows can have."""
    # Which rows are tied is known from labels alone, so that each number of the others counts.
    decided = range(n_rows + 1) if can_tie else [n_rows]
    return np.sort(
        np.concatenate([sign_test(np.arange(n + 1), n - np.arange(n + 1)) for n in decided])
    )


def _largest_at_most(values, limit):
    at = np.searchsorted(values, limit * (1 + 1e-9), side="right")  # but rounding
    return values[at - 1] if at else 0.0


class JointNull:
    """The smallest p-value of several sign tests on the same rows when no candidate is better.

    Candidates that agree with each other stand and fall together, so that many of them need little
    more correction than one. How they do is known without labels, and is simulated: on each row the
    label is equally likely to be any class that one of the models predicts there, so that every
    candidate is as often better as worse.

    Parameters
    ----------
    n_candidates : int
        Number of candidates.

    Notes
    -----
    The smallest p-value under the null hypothesis, after Westfall and Young. On other distributions
    of the labels with the same mean the candidates are correlated as much, so that a level is held
    approximately there; :func:`adjusted_sign_tests` holds it exactly, with less power.
    """

    def __init__(self, n_candidates):
        self._rng = np.random.default_rng(0)
        self._better = np.zeros((_N_SIMULATED, n_candidates), dtype=np.int16)
        self._worse = np.zeros_like(self._better)

    def add(self, predicted, reference, counted):
        """Simulate labels of further rows, in an order of their own.

        Parameters
        ----------
        predicted : array of int of shape (n_candidates, n_labels)
            Class that each candidate predicts for each labeled row.
        reference : array of int of shape (n_labels,)
            Class that the source-only model predicts.
        counted : array of bool of shape (n_candidates, n_labels)
            Which rows count for which candidate: at most those on which it disagrees.
        """
        for row in np.lexsort([*predicted, *counted, reference]):
            count, own = counted[:, row], predicted[:, row]
            if count.any():
                classes = np.unique(np.r_[reference[row], own[count]])
                label = classes[self._rng.integers(len(classes), size=_N_SIMULATED)]
                self._better += count & (label[:, None] == own)
                self._worse += count & (label == reference[row])[:, None]

    def smallest(self):
        """Return the smallest p-value over the candidates, one of each simulation."""
        # All possible p-values first: there are far fewer of them than simulations.
        counts = np.arange(self._better.max(initial=0) + 1)
        table = sign_test(counts[:, None], np.arange(self._worse.max(initial=0) + 1))
        return table[self._better, self._worse].min(axis=1)


class SpentError:
    """Critical values for looks at growing evidence, which err together with a given probability.

    Each look may reject in as many simulations of the null hypothesis as have been allowed up to
    it and did not yet (Lan and DeMets' spending of the error).

    Parameters
    ----------
    error : float
        Probability of ever rejecting under the null hypothesis.
    """

    def __init__(self, error):
        self.error = error
        self._left = np.ones(_N_SIMULATED, dtype=bool)

    def critical(self, smallest, part):
        """Return the largest p-value that is rejected at this look, 0 if none is.

        Parameters
        ----------
        smallest : array of shape (4000,)
            What :meth:`JointNull.smallest` returns at this look.
        part : float in [0, 1]
            Part of the error that may be spent up to this look.
        """
        # One more than simulated: the evidence itself could be one of them.
        allowed = int(self.error * part * (_N_SIMULATED + 1)) - 1 - int((~self._left).sum())
        values = np.sort(smallest[self._left])
        if allowed <= 0 or not len(values):
            return 0.0
        beyond = values[allowed] if allowed < len(values) else np.inf
        # Equal values are rejected together or not at all.
        below = values[values < beyond * (1 - 1e-9)]
        limit = float(below[-1]) if len(below) else 0.0
        self._left &= smallest > limit
        return limit


def log_e_from_counts(better, worse, ties=0, *, mean=0.0):
    """Return the logarithm of the e-value against "the mean outcome is at most ``mean``".

    Parameters
    ----------
    better, worse, ties : int or array of int
        Numbers of outcomes +1, -1 and 0.
    mean : float or array of float in (-1, 1], default=0.0
        The largest mean of the null hypothesis.

    Returns
    -------
    log_e : float or ndarray
        It is above ``log(1 / alpha)`` with probability alpha at most if the hypothesis holds.

    Notes
    -----
    An outcome x has the factor ``1 - s + s (1 + x) / (1 + mean)``, of expectation at most 1. The
    step s is not known in advance, so the product is averaged over all s in (0, 1).
    """
    counts = [np.asarray(count, dtype=float)[..., None] for count in (better, worse, ties)]
    mean = np.asarray(mean, dtype=float)[..., None]
    log_product = sum(
        count * _log_factor(value, mean)
        for count, value in zip(counts, (1.0, -1.0, 0.0), strict=True)
    )
    return logsumexp(log_product + _STEP_LOG_WEIGHTS, axis=-1)


def log_e_from_outcomes(outcomes, *, mean=0.0):
    """Return the logarithm of the e-value against "the mean outcome is at most ``mean``".

    Parameters
    ----------
    outcomes : array of shape (n_labels,)
        Values in [-1, 1], for example differences of errors over their largest possible value.
    mean : float in (-1, 1], default=0.0
        The largest mean of the null hypothesis.

    Returns
    -------
    log_e : float
        As :func:`log_e_from_counts` does, of which this is the general form.
    """
    outcomes = np.asarray(outcomes, dtype=float)
    log_product = _log_factor(outcomes[:, None], mean).sum(axis=0)
    return float(logsumexp(log_product + _STEP_LOG_WEIGHTS))


def _log_factor(outcome, mean):
    return np.log1p(_STEPS * ((1 + outcome) / (1 + mean) - 1))


def closed_log_e(log_e, weights):
    """Correct e-values of several candidates for the number of them.

    Parameters
    ----------
    log_e : array of shape (n_candidates,)
        Logarithm of the e-value of each.
    weights : array of shape (n_candidates,)
        Positive weight of each, chosen without the labels.

    Returns
    -------
    log_e : ndarray of shape (n_candidates,)
        Corrected ones: any of those that are no better exceeds ``log(1 / alpha)`` with probability
        alpha at most. At least as large as with Bonferroni's correction.

    Notes
    -----
    Closed testing: a candidate counts as better if the weighted mean of the e-values over every set
    that it belongs to is large. The smallest mean is reached by adding the others from the smallest
    e-value on.
    """
    log_e, weights = np.asarray(log_e, dtype=float), np.asarray(weights, dtype=float)
    if not len(log_e):
        return log_e
    top = log_e.max()
    e = np.exp(log_e - top)
    order = np.argsort(e, kind="stable")
    corrected = np.empty_like(e)
    for i in range(len(e)):
        others = order[order != i]
        sums = weights[i] * e[i] + np.r_[0.0, np.cumsum(weights[others] * e[others])]
        corrected[i] = (sums / (weights[i] + np.r_[0.0, np.cumsum(weights[others])])).min()
    with np.errstate(divide="ignore"):  # beside a very large e-value a tiny one rounds to 0
        return np.log(corrected) + top


def gain_interval(better, worse, ties=None, *, confidence=0.9, errors=None):
    """Return exact limits of the mean outcome for a number of labels fixed in advance.

    Parameters
    ----------
    better, worse : int
        Numbers of outcomes +1 and -1.
    ties : int or None, default=None
        Number of outcomes 0. None: there can be none, as with two classes.
    confidence : float in (0, 1), default=0.9
        Probability with which the interval holds the mean, at least.
    errors : tuple of float or None, default=None
        Probability with which the mean may lie below and above the interval; None: half of
        ``1 - confidence`` each.

    Returns
    -------
    low, high : float
        Limits in [-1, 1]. Times the proportion of target rows on which the models disagree, they
        are limits of the gain in accuracy.

    Notes
    -----
    The mean is ``t (2 p - 1)``, with t the probability of an outcome that is not 0 and p that of +1
    among these. Each has its Clopper-Pearson limit, and they share the error between them.
    """
    below, above = errors or ((1 - confidence) / 2, (1 - confidence) / 2)
    return _low(better, worse, ties, below), -_low(worse, better, ties, above)


def _low(better, worse, ties, error):
    """Return the lower limit of the mean outcome; with the outcomes turned round, minus the upper.

    The sign of the limit is that of ``2 p - 1``, which therefore has most of the error.
    """
    if ties is None:
        return 2 * _lower_probability(better, worse, error) - 1
    low = 2 * _lower_probability(better, worse, _DIRECTION_PART * error) - 1
    rest = (1 - _DIRECTION_PART) * error
    decided = better + worse
    if low > 0:
        return low * _lower_probability(decided, ties, rest)
    return low * (1 - _lower_probability(ties, decided, rest))


def _lower_probability(successes, failures, error):
    """Return the lower Clopper-Pearson limit of a probability."""
    return float(beta.ppf(error, successes, failures + 1)) if successes else 0.0


def anytime_gain_interval(outcomes, *, confidence=0.9, errors=None):
    """Return limits of the mean outcome that hold at every number of labels.

    Parameters
    ----------
    outcomes : array of shape (n_labels,)
        Values in [-1, 1].
    confidence : float in (0, 1), default=0.9
        Probability with which all intervals, after each label, hold the mean.
    errors : tuple of float or None, default=None
        As in :func:`gain_interval`.

    Returns
    -------
    low, high : float
        Limits in [-1, 1]: all means that the e-values on both sides do not reject.
    """
    outcomes = np.asarray(outcomes, dtype=float)
    if not len(outcomes):
        return -1.0, 1.0
    below, above = errors or ((1 - confidence) / 2, (1 - confidence) / 2)
    return (
        _lower_limit(outcomes, np.log(1 / below)),
        -_lower_limit(-outcomes, np.log(1 / above)),
    )


def _lower_limit(outcomes, threshold):
    """Return the smallest mean that is not rejected; the e-value falls as the mean rises."""
    low, high = -1.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if log_e_from_outcomes(outcomes, mean=middle) >= threshold:
            low = middle
        else:
            high = middle
    return low


def labels_needed(rejects, *, win_rate=1.0, power=0.8, better=0, worse=0):
    """Return how many further labels a test needs.

    Parameters
    ----------
    rejects : callable
        ``rejects(better, worse)`` tells for arrays of counts whether the test decides for the
        candidate.
    win_rate : float in [0, 1], default=1.0
        Assumed probability that a label speaks for the candidate and not against it.
    power : float in (0, 1], default=0.8
        Probability with which the test shall decide.
    better, worse : int, default=0
        Counts so far.

    Returns
    -------
    n_labels : int or None
        The smallest number that is enough, of rows on which the models disagree. None if 1,000
        are not.
    """
    for n_labels in range(_MOST_LABELS + 1):
        more = np.arange(n_labels + 1)
        decided = rejects(better + more, worse + n_labels - more)
        if binom.pmf(more, n_labels, win_rate)[decided].sum() >= power - 1e-12:  # but rounding
            return n_labels
    return None


def adapt_sentence(name, n_labels, interval, confidence, unit="points"):
    """Return the verdict for a candidate whose gain was shown.

    Parameters
    ----------
    name : str
        What was chosen.
    n_labels : int
        Labeled target rows of the test.
    interval : tuple of float
        Limits of the gain.
    confidence : float
        Confidence of the interval.
    unit : str, default="points"
        What the gain is measured in.

    Returns
    -------
    verdict : str
        One sentence.
    """
    low, high = (f"{limit:.1f}" if unit == "points" else f"{limit:.3g}" for limit in interval)
    return (
        f"adapt: {name}, tested on {n_labels} labels, gain {low} to {high} {unit} at "
        f"{100 * confidence:.0f} %"
    )


def keep_sentence(reason, n_needed=None):
    """Return the verdict for the source-only model.

    Parameters
    ----------
    reason : str
        Why nothing else was chosen.
    n_needed : int or None, default=None
        Number of labels that may settle it, on rows where the models disagree.

    Returns
    -------
    verdict : str
        One sentence.
    """
    verdict = f"keep the source model: {reason}"
    if n_needed is None:
        return verdict
    words = "1 more label" if n_needed == 1 else f"{n_needed} more labels"
    return f"{verdict}; about {words} on rows where the candidates disagree with it may show one"
