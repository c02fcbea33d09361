"""Intervals of a mean, a proportion or an area under a curve from few values.

References
----------
.. [1] Clopper, C. & Pearson, E. "The use of confidence or fiducial limits illustrated in the case
   of the binomial." Biometrika 26, 1934. doi:10.1093/biomet/26.4.404
.. [2] Waudby-Smith, I. & Ramdas, A. "Estimating means of bounded random variables by betting."
   J. R. Stat. Soc. B 86, 2024. doi:10.1093/jrsssb/qkad009
.. [3] Newcombe, R. "Confidence intervals for an effect size measure based on the Mann-Whitney
   statistic. Part 2." Statistics in Medicine 25, 2006. doi:10.1002/sim.2324
.. [4] Hoeffding, W. "Probability inequalities for sums of bounded random variables." JASA 58, 1963.
   Section 5. doi:10.1080/01621459.1963.10500830
"""

import numpy as np
from scipy.optimize import brentq
from scipy.special import rel_entr
from scipy.stats import beta, norm

# Means that are tried: limits are exact to a thousandth of the range, and rounded outwards.
_N_MEANS = 1001
# Largest part of what could be lost in one step that a step risks ([2]_ recommends 1/2 or 3/4).
_LARGEST_STEP = 0.5
# Of a class, below which limits of an area by its standard error hold too seldom: at 2 rows against
# 8 in 75 % of draws, where 90 % were asked for.
_FEW_ROWS = 10
_TINY = 1e-12  # from the ends, where a divergence is infinite
# What the running mean and variance of [2]_ begin with, as if one such value had been seen.
_FIRST_MEAN, _FIRST_VARIANCE = 0.5, 0.25


def clopper_pearson(successes, n, *, confidence):
    """Return the exact limits of a proportion [1]_.

    Parameters
    ----------
    successes, n : int
        How many of how many rows; without a row the limits are 0 and 1.
    confidence : float
        Probability with which the limits hold the proportion, at least.

    Returns
    -------
    low, high : float
        Limits in [0, 1].
    """
    error = (1 - confidence) / 2
    low = float(beta.ppf(error, successes, n - successes + 1)) if successes else 0.0
    high = float(beta.isf(error, successes + 1, n - successes)) if successes < n else 1.0
    return low, high


def betting_interval(values, *, confidence, low=0.0, high=1.0):
    r"""Return limits of the mean of bounded values that hold for any number of them [2]_.

    For each mean m that is tried, :math:`K^\pm = \prod_i (1 \pm \lambda_i^\pm (x_i - m))` is a
    martingale if m is right, so that :math:`(K^+ + K^-) / 2` ever exceeds 1/alpha with probability
    alpha at most. The limits hold all means that were not refuted so. Steps follow the variance so
    far and the number of values, and never risk more than half.

    Parameters
    ----------
    values : array of shape (n,)
        Independent values, in an order that does not depend on them.
    confidence : float
        Probability with which the limits hold the mean, at least.
    low, high : float
        Smallest and largest value that is possible.

    Returns
    -------
    low, high : float
        Limits of the mean.
    """
    x = (np.asarray(values, dtype=float) - low) / (high - low)
    if not len(x):
        return float(low), float(high)
    alpha, count = 1 - confidence, np.arange(1, len(x) + 1)
    mean = (_FIRST_MEAN + np.cumsum(x)) / (count + 1)
    variance = (_FIRST_VARIANCE + np.cumsum((x - mean) ** 2)) / (count + 1)
    # Each step may use the values before it only.
    before = np.r_[_FIRST_VARIANCE, variance[:-1]]
    step = np.sqrt(2 * np.log(2 / alpha) / (len(x) * before))[:, None]
    means = np.linspace(0, 1, _N_MEANS)
    with np.errstate(divide="ignore"):  # 0 and 1 can be refuted with any step
        up = np.minimum(step, _LARGEST_STEP / means)
        down = np.minimum(step, _LARGEST_STEP / (1 - means))
    difference = x[:, None] - means
    log_up = np.cumsum(np.log1p(up * difference), axis=0)
    log_down = np.cumsum(np.log1p(-down * difference), axis=0)
    refuted = (np.logaddexp(log_up, log_down) - np.log(2)).max(axis=0) >= np.log(1 / alpha)
    kept = np.flatnonzero(~refuted)
    if not len(kept):
        # So it is with probability alpha at most, as of values that are sorted.
        return (float(low + (high - low) * x.mean()),) * 2
    # Between the last mean that is refuted and the first that is not: one step further out.
    first, last = max(kept[0] - 1, 0), min(kept[-1] + 1, _N_MEANS - 1)
    return tuple(float(low + (high - low) * means[i]) for i in (first, last))


def auc_interval(auc, n_positive, n_negative, *, confidence):
    """Return limits of an area under the ROC curve.

    With ten rows of each class, the areas whose own standard error, by Hanley and McNeil's formula,
    puts them just so far from the one that was found (method 5 of [3]_), which hold near 1 too.
    With fewer, Chernoff's bound for as many independent pairs as the rarer class has rows, which
    holds for every U-statistic [4]_.

    Parameters
    ----------
    auc : float
        Area that was found.
    n_positive, n_negative : int
        Number of rows of each class.
    confidence : float
        Probability with which the limits hold the area, approximately.

    Returns
    -------
    low, high : float
        Limits in [0, 1].
    """
    if min(n_positive, n_negative) < _FEW_ROWS:
        return _chernoff_interval(auc, min(n_positive, n_negative), confidence)
    z = norm.isf((1 - confidence) / 2)
    middle = (n_positive + n_negative) / 2 - 1

    def error(area):
        spread = 1 + middle * ((1 - area) / (2 - area) + area / (1 + area))
        return np.sqrt(area * (1 - area) * spread / (n_positive * n_negative))

    low = brentq(lambda area: area + z * error(area) - auc, 0, auc) if auc > 0 else 0.0
    high = brentq(lambda area: area - z * error(area) - auc, auc, 1) if auc < 1 else 1.0
    return float(low), float(high)


def _chernoff_interval(mean, n_pairs, confidence):
    """Return the means that n independent values in [0, 1] of this mean do not refute."""
    largest = np.log(2 / (1 - confidence)) / n_pairs

    def excess(other):
        divergence = rel_entr(mean, other) + rel_entr(1 - mean, 1 - other)
        return divergence - largest

    # Of few pairs and an area near an end, not even the end itself may be refuted.
    low = brentq(excess, _TINY, mean) if mean > _TINY and excess(_TINY) > 0 else 0.0
    end = 1 - _TINY
    high = brentq(excess, mean, end) if mean < end and excess(end) > 0 else 1.0
    return float(low), float(high)


def prediction_powered_mean(values, predicted, predicted_all, *, factor=1.0):
    r"""Return the mean of values known on few rows, and predicted on all of them.

    :math:`\lambda \bar f + \frac1m \sum_i (v_i - \lambda f_i)`: what the predictions say of all
    rows, corrected by what they are off on those that are known.

    Parameters
    ----------
    values, predicted : array of shape (m,)
        Values and predictions of the rows that are known.
    predicted_all : array of shape (n,)
        Predictions of all rows.
    factor : float
        Weight of the predictions; 0 is the plain mean of the values.

    Returns
    -------
    mean : float
        The estimate. It has no bias, whatever the predictions are.
    """
    return float(factor * np.mean(predicted_all) + np.mean(values - factor * predicted))
