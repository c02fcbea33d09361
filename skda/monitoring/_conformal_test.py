"""The default test: one detector per feature, on conformal p-values of its own."""

import numpy as np

from ._conformal import BLOCK, CategoryBag, NumberBag
from ._evidence import N_FACTORS, Detectors, e_factors


class ConformalTest:
    """Watches each feature by its ranks, and whether its value is missing by another detector.

    Parameters
    ----------
    columns : Columns
    reference : Table
    max_rows : int
    seed : int
    ever : bool
    """

    def __init__(self, columns, reference, *, max_rows, seed, ever):
        self.ever, self.seed, self.n_restarts = ever, seed, 0
        rng = np.random.default_rng([seed, 0])
        self.numbers = NumberBag(reference.numbers, max_rows, rng)
        self.texts = [CategoryBag(values, max_rows, rng) for values in reference.texts]
        self.n_numbers, self.n_texts = reference.numbers.shape[1], len(self.texts)
        self.names = [*columns.number_names, *columns.text_names]
        self.names += [f"{name} (missing)" for name in columns.number_names]
        # Before its first missing value a feature has no evidence that values begin to lack.
        # The detector that starts then is a part of one that runs always, and counts as one.
        self.missing_starts = np.isnan(reference.numbers).any(axis=0)
        self.begin()

    @property
    def n_units(self):
        return len(self.names)

    def begin(self):
        """Start with no evidence; the rows seen so far stay in the bags."""
        self.detectors = Detectors(self.n_units, N_FACTORS, ever=self.ever)
        # Of their own for each start, so that random numbers drawn for rows that followed an alarm
        # in its batch make no difference.
        self.n_restarts += 1
        self.rng = np.random.default_rng([self.seed, self.n_restarts, 0])
        self.settle_rng = np.random.default_rng([self.seed, self.n_restarts, 1])

    def update(self, table, first_row, threshold):
        """Take rows; return the largest detector after each, and the index of an alarm or None."""
        peaks, start = [], 0
        while start < len(table):
            part = table[start : start + self.numbers.capacity]
            rows = np.arange(first_row + start, first_row + start + len(part))
            p, units, counts = self._pvalues(part)
            best, alarm = self.detectors.advance(
                lambda tile, p=p: e_factors(p[tile]), rows, threshold, units, counts
            )
            self._add(part[: len(best)])
            peaks.append(best)
            if alarm is not None:
                return np.concatenate(peaks), start + alarm
            start += len(part)
        return np.concatenate(peaks), None

    def _pvalues(self, part):
        """Return p-values of rows, the units that they are of, and which rows these count."""
        # One row of random numbers per row of the stream, so that batches make no difference.
        u = self.rng.random((len(part), self.n_units)) + 2.0**-54
        n, stop = self.n_numbers, self.n_numbers + self.n_texts
        p_value, p_missing = self.numbers.pvalues(part.numbers, u[:, :n], u[:, stop:])
        p_text = [
            bag.pvalues(values, u[:, n + i])
            for i, (bag, values) in enumerate(zip(self.texts, part.texts, strict=True))
        ]
        p = np.column_stack([p_value, *p_text])
        gone = np.isnan(part.numbers)
        active = np.flatnonzero(self.missing_starts | gone.any(axis=0))
        if not len(active):
            return p, slice(0, stop), None
        counts = np.ones((len(part), stop + len(active)))
        counts[:, :n] = ~gone
        seen = np.maximum.accumulate(gone[:, active], axis=0)
        counts[:, stop:] = self.missing_starts[active] | seen
        units = np.r_[0:stop, stop + active]
        return np.concatenate([p, p_missing[:, active]], axis=1), units, counts

    def _add(self, part):
        """Let rows join the bags."""
        self.missing_starts |= np.isnan(part.numbers).any(axis=0)
        self.numbers.add(part.numbers)
        for bag, values in zip(self.texts, part.texts, strict=True):
            bag.add(values)
        if len(self.numbers.waiting) == BLOCK:
            self.numbers.settle(self.settle_rng)
            for bag in self.texts:
                bag.settle(self.settle_rng)

    def evalues(self):
        """Return the evidence of each unit, divided by their number because all are looked at."""
        return self.detectors.values() / self.n_units

    def since(self):
        """Return the row at which the change began, by the unit with the most evidence."""
        return self.detectors.start(int(self.detectors.values().argmax()))
