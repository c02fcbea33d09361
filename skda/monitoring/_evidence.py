"""E-detectors: evidence against "nothing has changed" that may be read after every row.

An e-factor is a non-negative function of a new row whose mean is at most 1 while nothing has
changed. The product of the e-factors since row k is the evidence that the change came at row k;
the detector is the sum of these products over all k, in the manner of Shiryaev and Roberts. After
n rows its mean is at most n, whatever the rows are, so that it passes a high threshold c within n
rows with a probability of at most n / c.
"""

import numpy as np

# Slopes of 1 + slope (2p - 1), for shifts: small ones last longest, large ones answer fastest.
_LINEAR = (0.15, 0.4, 0.85, -0.15, -0.4, -0.85)
# Weights of the second Legendre polynomial of 2p - 1, for changes of spread; all keep e > 0.
_QUADRATIC = (0.4, 1.5, -0.3, -0.8)
# Two more, 1 / (2 sqrt p) at either end: values beyond all others count without a bound.
N_FACTORS = len(_LINEAR) + len(_QUADRATIC) + 2
# No p-value of fewer than 10^12 rows is smaller; rounding alone makes them 0.
_LEAST = 1e-12

# The trace of a stream without end has at most this many points.
_MAX_POINTS = 4096
# Cells of an array that are worked on at a time, so that it stays in the cache.
_TILE_CELLS = 2**14


def e_factors(p):
    """Return e-factors of p-values of shape (n, n_units), as an array (n, N_FACTORS, n_units).

    Each integrates to 1 over p in (0, 1), so that its mean is 1 for a uniform p.
    """
    factors = np.empty((len(p), N_FACTORS, p.shape[1]))
    x = 2.0 * p - 1.0
    for i, slope in enumerate(_LINEAR):
        np.multiply(x, slope, out=factors[:, i])
    x *= x
    x *= 1.5
    x -= 0.5
    for i, weight in enumerate(_QUADRATIC, len(_LINEAR)):
        np.multiply(x, weight, out=factors[:, i])
    factors[:, :-2] += 1.0
    factors[:, -2] = 0.5 / np.sqrt(np.maximum(p, _LEAST))
    factors[:, -1] = 0.5 / np.sqrt(np.maximum(1.0 - p, _LEAST))
    return factors


def _flat(array, shape):
    """Return an array repeated to a shape, with the cells of each of its rows side by side."""
    return np.broadcast_to(array, shape).reshape(shape[0], -1)


class Detectors:
    """One e-detector per unit (a feature, or all of them together), with its estimate of the start.

    R_n = (R_{n-1} + w_n) e_n for each kind of e-factor, and their mean over kinds. Beside R runs
    S_n = (S_{n-1} + w_n n) e_n: S / R is the mean starting row under the evidence.

    Parameters
    ----------
    n_units, n_factors : int
        Number of detectors, and of kinds of e-factors of each.
    ever : bool
        False: w_n = 1. True: w_n = 1 / (n (n + 1)), which sums to 1, so that the mean never
        exceeds 1 and a threshold c is passed at any time with a probability of at most 1 / c.
    """

    def __init__(self, n_units, n_factors, *, ever=False):
        self.ever = ever
        self.state = np.zeros((2, n_factors, n_units))
        self.n_seen = 0

    def advance(self, factors, rows, threshold, units=slice(None), counts=None):
        """Take e-factors of consecutive rows, up to the first row that reaches the threshold.

        Parameters
        ----------
        factors : callable
            Given a slice of the rows, returns their e-factors, (n, n_factors, n_units).
        rows : ndarray of int
            Their numbers in the stream.
        threshold : float
            Of one unit.
        units : slice or ndarray of int
            The units that the e-factors are of; the others keep their state.
        counts : ndarray of shape (n, n_units) or None
            0 where a unit does not count a row (its value is missing), 1 elsewhere.

        Returns
        -------
        peaks : ndarray
            Largest detector after each row, those after an alarm left out.
        alarm : int or None
            Index of the row at which the threshold was reached.
        """
        shape = self.state[:, :, units].shape
        state = self.state[:, :, units].ravel()
        tile = max(1, _TILE_CELLS // max(state.size, 1))
        peaks = [np.empty(0)]
        for start in range(0, len(rows), tile):
            part = slice(start, start + tile)
            e, added = factors(part)[:, None], self._weights(rows[part])[:, :, None, None]
            if counts is not None:
                added = added * counts[part][:, None, None, :]
            history = np.empty((len(e), *shape))
            # The one loop over rows: two operations on all units and factors at once, so that
            # the result does not depend on how the rows came in batches. On flat arrays, whose
            # operations start in half the time.
            news = history.reshape(len(e), -1)
            factors_of, weights_of = (_flat(array, history.shape) for array in (e, added))
            for new, weight, factor in zip(news, weights_of, factors_of, strict=True):
                np.add(state, weight, out=new)
                np.multiply(new, factor, out=new)
                state = new
            best = history[:, 0].mean(axis=1).max(axis=1, initial=0.0)
            over = np.flatnonzero(best >= threshold)
            n = int(over[0]) + 1 if len(over) else len(best)
            peaks.append(best[:n])
            self.state[:, :, units] = history[n - 1]
            state = history[n - 1].ravel()
            self.n_seen += n
            if len(over):
                return np.concatenate(peaks), start + n - 1
        return np.concatenate(peaks), None

    def _weights(self, rows):
        """Return the two weights that are added before each of these rows."""
        weight = np.ones(len(rows))
        if self.ever:
            age = self.n_seen + 1.0 + np.arange(len(rows))
            weight = 1.0 / (age * (age + 1.0))
        return np.stack([weight, weight * rows], axis=1)

    def values(self):
        """Return the present value of each detector."""
        return self.state[0].mean(axis=0)

    def start(self, unit):
        """Return the row at which the change of a unit began, by its evidence."""
        total = self.state[0, :, unit].sum()
        return float(self.state[1, :, unit].sum() / total) if total > 0 else None


class Trace:
    """The evidence over time in bounded memory: maxima over ever longer spans of rows."""

    def __init__(self):
        self.span = 1
        self.n_rows = 0
        self.points = np.empty(0)

    def extend(self, values):
        """Append one value per row; the points are the same however the rows were cut."""
        spans = (self.n_rows + np.arange(len(values))) // self.span
        points = np.concatenate([self.points, np.zeros(max(spans[-1] + 1 - len(self.points), 0))])
        np.maximum.at(points, spans, values)
        self.n_rows += len(values)
        while len(points) > _MAX_POINTS:
            points = np.append(points, np.zeros(len(points) % 2))
            points = points.reshape(-1, 2).max(axis=1)
            self.span *= 2
        self.points = points

    def series(self):
        """Return the last row of each span and the largest value in it."""
        ends = np.minimum((np.arange(len(self.points)) + 1) * self.span, self.n_rows) - 1
        return ends, self.points
