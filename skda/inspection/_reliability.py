"""Reliability of predicted probabilities: what is predicted against what happens, in bins."""

from typing import NamedTuple

import numpy as np

from .._numerics._weights import effective_sample_size

_NORMAL_QUANTILE = 1.6449  # of intervals that hold in nine of ten bins


class Reliability(NamedTuple):
    """What is predicted and what happens, one entry for each bin that has rows."""

    predicted: np.ndarray
    observed: np.ndarray
    low: np.ndarray
    high: np.ndarray
    part: np.ndarray
    """Part of the weight of all rows."""

    @property
    def error(self):
        """Mean distance of both, the expected calibration error."""
        return float(np.sum(self.part * np.abs(self.predicted - self.observed)))


def reliability(probabilities, happened, weights, *, n_bins, strategy):
    """Return the reliability of probabilities of an event.

    Parameters
    ----------
    probabilities : ndarray of shape (n,)
    happened : ndarray of bool of shape (n,)
    weights : ndarray of shape (n,)
    n_bins : int
    strategy : {"uniform", "quantile"}
        Bins of equal width, or of equal numbers of rows.

    Returns
    -------
    found : Reliability
    """
    edges = np.linspace(0.0, 1.0, n_bins + 1)
    if strategy == "quantile":
        edges = np.quantile(probabilities, edges)
    bins = np.searchsorted(edges[1:-1], probabilities)
    rows = []
    for b in np.unique(bins):
        inside = bins == b
        w = weights[inside]
        if not w.any():
            continue
        predicted = np.average(probabilities[inside], weights=w)
        observed = np.average(happened[inside], weights=w)
        low, high = wilson_interval(observed, effective_sample_size(w))
        rows.append((predicted, observed, low, high, w.sum() / weights.sum()))
    # A mean of ones may be 1 and a rounding.
    return Reliability(*np.clip(np.array(rows).T, 0.0, 1.0))


def wilson_interval(proportion, n):
    """Return the limits of a proportion that was seen in n rows, Wilson's at 90 %."""
    square = _NORMAL_QUANTILE**2
    center = (proportion + square / (2 * n)) / (1 + square / n)
    variance = proportion * (1 - proportion) / n + square / (4 * n**2)
    half = _NORMAL_QUANTILE * np.sqrt(variance) / (1 + square / n)
    # Rounding must leave the proportion itself inside, and the limits between 0 and 1.
    return max(0.0, min(center - half, proportion)), min(1.0, max(center + half, proportion))
