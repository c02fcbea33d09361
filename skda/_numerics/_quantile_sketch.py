"""A sketch of the quantiles of rows that come in batches: bounded in size, and mergeable.

Rows are kept as they are until there are more than ``size`` of them. Then they are summed up by
``size`` values of each feature, those in the middle of as many parts of equal weight. Two summaries
of about as many rows become one in the same way, as a binary counter carries; so a row goes through
few summaries, and each adds little error.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from .._array._backend import backend_of, namespace, to_numpy


class Summary(NamedTuple):
    """Values of each feature that stand for many rows, all of one weight.

    At least ``size * 2 ** (level - 1)`` rows have gone into it, through `level` summaries at most.
    """

    level: int
    values: Any
    weight: float


class QuantileSketch(NamedTuple):
    """Rows of which the quantiles of each feature are known, within a stated error.

    The part of the rows (by weight) that is not above a value is known to within
    ``(2 + log2(n / size)) / (2 * size)`` after n rows, and exactly up to ``size`` rows of one
    weight. Nothing is random, and the bound holds for any order of the rows and of the merges.

    Attributes
    ----------
    size : int
        Number of rows that are kept as they are, and of values in a summary.
    rows : array of shape (n_kept, n_features)
        Rows that no summary stands for yet.
    weights : ndarray of shape (n_kept,)
        Weight of each of them, on the host.
    summaries : tuple of Summary
        No two of one level, so that there are at most ``1 + log2(n / size)``.
    """

    size: int
    rows: Any
    weights: np.ndarray
    summaries: tuple

    @classmethod
    def of(cls, X, *, size):
        """Return the sketch of a batch of rows, each of weight 1."""
        return cls._reduced(size, X, np.ones(X.shape[0]), ())

    @classmethod
    def _reduced(cls, size, rows, weights, summaries):
        n = rows.shape[0]
        if n > size:
            new = _summary(1 + int(math.log2(n / size)), [(rows, weights)], size)
            summaries = _carried(summaries, new, size)
            rows, weights = rows[:0, :], weights[:0]
        return cls(size, rows, weights, summaries)

    @property
    def count(self):
        """Weight of all rows; their number if none was forgotten."""
        return float(self.weights.sum() + sum(s.weight * s.values.shape[0] for s in self.summaries))

    def merge(self, new, *, forgetting_factor=1.0):
        """Return the sketch of the rows of both.

        Parameters
        ----------
        new : QuantileSketch
            Of rows with the same features, and of the same size.
        forgetting_factor : float, default=1.0
            In (0, 1]: factor of the weight of every row of this sketch; 1 forgets nothing.

        Returns
        -------
        sketch : QuantileSketch
        """
        summaries = tuple(s._replace(weight=s.weight * forgetting_factor) for s in self.summaries)
        for summary in new.summaries:
            summaries = _carried(summaries, summary, self.size)
        xp = namespace(self.rows, new.rows)
        rows = xp.concat([self.rows, new.rows])
        weights = np.concatenate([self.weights * forgetting_factor, new.weights])
        return self._reduced(self.size, rows, weights, summaries)

    def knots(self):
        """Return values of each feature in ascending order, each of the same weight.

        Returns
        -------
        knots : array of shape (n_knots, n_features)
            The sorted rows themselves while they are all there and of one weight, else `size`
            values.
        """
        if not self.summaries and _alike(self.weights):
            return _sorted(self.rows)
        return _summary(0, self._pieces(), self.size).values

    def _pieces(self):
        kept = [(self.rows, self.weights)] if len(self.weights) else []
        summed = [(s.values, np.full(s.values.shape[0], s.weight)) for s in self.summaries]
        return kept + summed

    def at(self, move):
        """Return this sketch with its arrays passed through ``move``."""
        summaries = tuple(s._replace(values=move(s.values)) for s in self.summaries)
        return self._replace(rows=move(self.rows), summaries=summaries)


def _sorted(X):
    # Equal values cannot be told apart, and a stable sort takes ten times as long.
    return namespace(X).sort(X, axis=0, stable=False)


def _alike(weights):
    return not len(weights) or bool((weights == weights[0]).all())


def _carried(summaries, new, size):
    """Return the summaries and a new one; two of a level become one of the next level."""
    kept = {s.level: s for s in summaries}
    while new.level in kept:
        both = [kept.pop(new.level), new]
        pieces = [(s.values, np.full(s.values.shape[0], s.weight)) for s in both]
        new = _summary(new.level + 1, pieces, size)
    kept[new.level] = new
    return tuple(kept[level] for level in sorted(kept))


def _summary(level, pieces, size):
    """Return `size` values of each feature for weighted rows: the middle of parts of equal weight.

    Value i is the smallest one at or below which there are ``(i + 1/2) / size`` of the weight, so
    that counts of rows are off by half a part at most.
    """
    xp = namespace(pieces[0][0])
    values = xp.concat([rows for rows, _ in pieces]) if len(pieces) > 1 else pieces[0][0]
    weights = np.concatenate([w for _, w in pieces])
    total = float(weights.sum())
    backend = backend_of(values)
    if _alike(weights):
        n, middle = len(weights), 2 * np.arange(size) + 1
        # In integers, without rounding: ceil(middle n / (2 size)) - 1.
        index = backend.asarray(-(-middle * n // (2 * size)) - 1)
        return Summary(level, xp.take(_sorted(values), index, axis=0), total / size)
    columns = [_middle_values(values[:, j] + 0.0, weights, size) for j in range(values.shape[1])]
    return Summary(level, xp.stack(columns, axis=1), total / size)


def _middle_values(x, weights, size):
    xp = namespace(x)
    # Summed on the host, in float64: in float32 the sums would be less precise than the values.
    order = to_numpy(xp.argsort(x, stable=False))
    sums = np.cumsum(weights[order])
    # The last sum may be rounded to less than what is wanted of it.
    at = np.minimum(np.searchsorted(sums, (np.arange(size) + 0.5) / size * sums[-1]), len(sums) - 1)
    return xp.take(x, backend_of(x).asarray(order[at]))
