"""Quantiles of weighted values when one more value, of a weight of its own, may be anywhere.

This is the arithmetic of weighted conformal prediction: the score of a new row is one more value,
as if at infinity.
"""

import numpy as np

from .._array._rows import row_tiles

# Sums of weights that should be equal differ by rounding; a tie must not be decided by it.
_ROUNDING = 1e-10


def upper_quantile(values, weights, own, alpha):
    """Return the (1 - alpha) quantile of weighted values and a point of weight `own` at infinity.

    It is the smallest value v with ``sum of weights of values <= v`` at least ``(1 - alpha) (sum
    of weights + own)``, and infinity where no value will do.

    Parameters
    ----------
    values : ndarray of shape (n_values,) or (n, n_values)
        The values, the same for all n or of each its own.
    weights : ndarray of shape (n_values,)
        Their weights, not negative.
    own : ndarray of shape (n,)
        Weight of the point at infinity.
    alpha : float
        In (0, 1).

    Returns
    -------
    quantiles : ndarray of shape (n,)
        One for each `own`.
    """
    if values.ndim == 1:
        order = np.argsort(values, kind="stable")
        sums = np.cumsum(weights[order])
        needed = _needed(sums[-1], own, alpha)
        return np.append(values[order], np.inf)[np.searchsorted(sums, needed)]
    found = np.empty(len(own))
    for tile in row_tiles(len(own), 24 * len(weights)):
        order = np.argsort(values[tile], axis=1, kind="stable")
        sums = np.cumsum(weights[order], axis=1)
        place = (sums < _needed(sums[:, -1], own[tile], alpha)[:, None]).sum(axis=1)
        with_last = np.column_stack(
            [np.take_along_axis(values[tile], order, axis=1), np.full(len(order), np.inf)]
        )
        found[tile] = with_last[np.arange(len(order)), place]
    return found


def _needed(total, own, alpha):
    return (1.0 - alpha) * (total + own) * (1.0 - _ROUNDING)


def tail_weights(scores, weights, new):
    """Return for each new score the weight of the scores that are not below it.

    Parameters
    ----------
    scores, weights : ndarray of shape (n_scores,)
        Scores and their weights.
    new : ndarray of any shape
        Scores to compare.

    Returns
    -------
    tails : ndarray of the shape of `new`
        Sums of weights.
    """
    order = np.argsort(scores, kind="stable")
    # From the end, so that the tail of the largest score is its weight to the last digit.
    tails = np.append(np.cumsum(weights[order][::-1])[::-1], 0.0)
    return tails[np.searchsorted(scores[order], new, side="left")]


def is_conforming(tails, own, total, alpha):
    """Return where the p-value ``(tails + own) / (total + own)`` exceeds alpha.

    The same as a score not above :func:`upper_quantile`, for scores of which each has an own
    weight.
    """
    return tails + own > alpha * (total + own) * (1.0 + _ROUNDING)


def is_unbounded(own, total, alpha):
    """Return where the own weight alone exceeds alpha, so that every value is conforming."""
    return is_conforming(0.0, own, total, alpha)
