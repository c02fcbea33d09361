"""The interval that belongs to Wilcoxon's signed-rank test."""

import numpy as np
from scipy.stats import norm


def signed_rank_interval(differences, confidence):
    """Return limits of the median of symmetric differences, from their Walsh averages.

    Parameters
    ----------
    differences : ndarray of shape (n,)
        Paired differences.
    confidence : float in (0, 1)
        Probability with which the interval holds the median.

    Returns
    -------
    low, high : float
        The k-th smallest and largest mean of two differences (also of one with itself), where k is
        the quantile of the signed-rank statistic in its normal approximation; the outermost ones
        where there are too few.
    """
    n = len(differences)
    i, j = np.triu_indices(n)
    averages = np.sort((differences[i] + differences[j]) / 2)
    mean, spread = n * (n + 1) / 4, np.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    k = int(np.floor(mean - norm.ppf((1 + confidence) / 2) * spread))
    k = min(max(k, 0), len(averages) - 1)
    return float(averages[k]), float(averages[-1 - k])
