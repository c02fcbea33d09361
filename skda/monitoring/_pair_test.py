"""Tests on all features together: can a learnt score tell new rows from reference rows?

Every second row of the stream is put beside a row of the reference that has not been used before,
and a score, learnt from earlier pairs alone, says which of the two is the new one. While nothing
has changed the two could be swapped, so that no score is right more often than wrong. The other
rows of the stream take the places of the used rows: the reference never runs out, and no row
is used twice, which keeps the evidence exact for a reference of any size.
"""

import numpy as np
from scipy.optimize import minimize
from scipy.spatial.distance import pdist
from scipy.special import expit

from ._evidence import Detectors

# Strengths of 1 + strength tanh(difference of scores): weak ones survive a poor score.
_STRENGTHS = {"mmd": (0.15, 0.4, 0.8), "classifier": (0.3, 0.6, 0.95)}
# Part of the reference that is known from the start, to scale and to learn from; the rest waits to
# be half of a pair.
_KNOWN = 0.2
# Pairs after which the score is learnt again.
_PAIRS = 16
# Latest new rows that it learns from: enough for a score, few enough to forget an older state.
_NEW_ROWS = 100
# Latest used reference rows that it learns from.
_REFERENCE_ROWS = 1000
# Random frequencies of the kernel, in three widths.
_FREQUENCIES = 150
# Rows whose distances give the width of the kernel.
_ROWS_FOR_WIDTH = 200
# Products of features that the classifier is given, all of them up to 23 features.
_PRODUCTS = 300
# Categories of a column that have a column of their own.
_CATEGORIES = 20
# Standardized values beyond it are cut: one wild value would decide every product.
_CLIP = 4.0
# Penalty of the classifier's coefficients, in rows.
_RIDGE = 2.0


class Encoder:
    """Standardized numbers, marks of missing values and of categories, as one matrix."""

    def __init__(self, table):
        numbers = table.numbers
        there = ~np.isnan(numbers)
        count = np.maximum(there.sum(axis=0), 1)
        self.mean = np.where(there, numbers, 0.0).sum(axis=0) / count
        spread = np.sqrt((np.where(there, numbers - self.mean, 0.0) ** 2).sum(axis=0) / count)
        # A constant feature has no unit; its first other value counts as it stands.
        self.scale = np.where(spread > 0, spread, 1.0)
        self.marked = np.flatnonzero(~there.all(axis=0))
        self.categories = []
        for values in table.texts:
            names, counts = np.unique(values.astype(str), return_counts=True)
            self.categories.append(names[np.argsort(-counts, kind="stable")][:_CATEGORIES])

    def encode(self, table):
        """Return rows as a matrix without missing values."""
        gone = np.isnan(table.numbers)
        numbers = np.where(gone, 0.0, (table.numbers - self.mean) / self.scale)
        marks = [
            values.astype(str)[:, None] == names
            for values, names in zip(table.texts, self.categories, strict=True)
        ]
        parts = [np.clip(numbers, -_CLIP, _CLIP), gone[:, self.marked], *marks]
        return np.concatenate([part.astype(np.float64) for part in parts], axis=1)


class RandomWaves:
    """Random Fourier features of Gaussian kernels of three widths around the median distance."""

    def __init__(self, rows, rng):
        d = rows.shape[1]
        distances = pdist(rows[:_ROWS_FOR_WIDTH])
        distances = distances[distances > 0]
        # Rows that are all alike have no distance; of d standardized features it is about this.
        width = np.median(distances) if len(distances) else np.sqrt(2.0 * d)
        widths = np.repeat(width * np.array([0.5, 1.0, 2.0]), _FREQUENCIES // 3)
        self.frequencies = rng.normal(size=(d, _FREQUENCIES)) / widths

    def __call__(self, rows):
        phase = rows @ self.frequencies
        return np.concatenate([np.cos(phase), np.sin(phase)], axis=1) / np.sqrt(_FREQUENCIES)


class Products:
    """The features themselves, and products of two of them."""

    def __init__(self, rows, rng):
        d = rows.shape[1]
        if d * (d + 1) // 2 <= _PRODUCTS:
            self.left, self.right = np.triu_indices(d)
        else:
            self.left, self.right = rng.integers(d, size=(2, _PRODUCTS))
        self.mean, self.scale = 0.0, 1.0
        own = self(rows)
        self.mean, spread = own.mean(axis=0), own.std(axis=0)
        self.scale = np.where(spread > 0, spread, 1.0)

    def __call__(self, rows):
        columns = np.concatenate([rows, rows[:, self.left] * rows[:, self.right]], axis=1)
        return (columns - self.mean) / self.scale


def mean_difference(reference, new, _):
    """Return the witness of the mean discrepancy, so that its spread over rows is 1."""
    witness = new.mean(axis=0) - reference.mean(axis=0)
    spread = (np.concatenate([reference, new]) @ witness).std()
    return witness / spread if spread > 0 else witness


def logistic_coefficients(reference, new, start):
    """Return half the coefficients of a ridge logistic regression, new rows against reference.

    Both sides count alike. Half, because tanh(u / 2) is the surplus of a logistic probability.
    """
    rows = np.concatenate([reference, new])
    sign = np.repeat([-1.0, 1.0], [len(reference), len(new)])
    weight = np.repeat([0.5 / len(reference), 0.5 / len(new)], [len(reference), len(new)])
    penalty = _RIDGE / len(new)
    # The last coefficient is the intercept, which no difference of scores contains.
    rows = np.concatenate([rows, np.ones((len(rows), 1))], axis=1)

    def loss(w):
        margin = sign * (rows @ w)
        slope = -weight * sign * expit(-margin)
        value = weight @ np.logaddexp(0.0, -margin) + 0.5 * penalty * w[:-1] @ w[:-1]
        return value, rows.T @ slope + penalty * np.append(w[:-1], 0.0)

    start = np.zeros(rows.shape[1]) if start is None else np.append(2.0 * start, 0.0)
    # A few steps from the last solution, which the next one is near to.
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 8})
    return 0.5 * found.x[:-1]


class PairTest:
    """Watches all features together by pairs of a new row and a reference row.

    Parameters
    ----------
    columns : Columns
    reference : Table
    kind : {"mmd", "classifier"}
    max_rows : int
    seed : int
    ever : bool
    """

    names = ("(all features together)",)
    n_units = 1

    def __init__(self, _, reference, *, kind, max_rows, seed, ever):
        self.kind, self.seed, self.ever, self.n_restarts = kind, seed, ever, 0
        rng = np.random.default_rng([seed, 0])
        order = rng.permutation(len(reference))
        n_known = max(2, int(len(order) * _KNOWN))
        known = reference[order[:n_known]]
        self.encoder = Encoder(known)
        known = self.encoder.encode(known)
        self.features = (RandomWaves if kind == "mmd" else Products)(known, rng)
        self.learn = mean_difference if kind == "mmd" else logistic_coefficients
        self.pool = self.encoder.encode(reference[order[n_known:][:max_rows]])
        self.used = self.features(known[:_REFERENCE_ROWS])
        self.begin()

    def begin(self):
        """Start with no evidence and no score; rows of the stream stay in the reference."""
        self.detectors = Detectors(1, len(_STRENGTHS[self.kind]), ever=self.ever)
        self.n_restarts += 1
        self.rng = np.random.default_rng([self.seed, self.n_restarts])
        self.pending = np.empty((0, self.pool.shape[1]))
        self.new = np.empty((0, self.used.shape[1]))
        self.score = None
        # Pairs since the score was learnt.
        self.recent = [np.empty((0, self.used.shape[1]))] * 2

    def update(self, table, first_row, threshold):
        """Take rows; return the detector after each, and the index of an alarm or None."""
        rows = np.concatenate([self.pending, self.encoder.encode(table)])
        # Of each two rows of the stream the second is tested; a last single one waits.
        n_pairs = len(rows) // 2
        tested_at = 2 * np.arange(n_pairs) + 1 - len(self.pending)
        self.pending = rows[2 * n_pairs :]
        values, alarm = [self.detectors.values()], None
        done = 0
        while done < n_pairs and alarm is None:
            n = min(n_pairs - done, _PAIRS - len(self.recent[0]))
            part = rows[2 * done : 2 * (done + n)]
            places = (self.rng.random(n) * len(self.pool)).astype(np.int64)
            used, tested = self._pairs(part, places)
            at = tested_at[done : done + n]
            best, alarm = self.detectors.advance(
                self._factors(used, tested), first_row + at, threshold
            )
            values.append(best)
            # Rows after an alarm are not watched, so they leave no trace either.
            n = len(best)
            self._join_pool(part[: 2 * n : 2], places[:n])
            self._learn_from(used[:n], tested[:n])
            done += n
        # A row that is not tested leaves the evidence as it was.
        n_watched = len(table) if alarm is None else int(at[alarm]) + 1
        tests_before = np.searchsorted(tested_at, np.arange(n_watched), side="right")
        return np.concatenate(values)[tests_before], None if alarm is None else n_watched - 1

    def _pairs(self, rows, places):
        """Return features of used reference rows, at these places, and of tested rows."""
        used, latest = self.pool[places], {}
        for i, place in enumerate(places.tolist()):
            # The row at a place may have joined only a few pairs before.
            if place in latest:
                used[i] = rows[2 * latest[place]]
            latest[place] = i
        return self.features(used), self.features(rows[1::2])

    def _join_pool(self, rows, places):
        """Put untested rows in the places of used ones."""
        # With repeated places the last row counts.
        self.pool[places] = rows

    def _factors(self, used, tested):
        """Return the function that gives the e-factors of a slice of the pairs."""
        if self.score is None:
            scores = np.zeros(len(used))
        else:
            scores = np.tanh((tested - used) @ self.score)
        strengths = np.array(_STRENGTHS[self.kind])
        # tanh is odd: swapped rows give the opposite value, so that the mean is 1.
        factors = 1.0 + strengths[None, :, None] * scores[:, None, None]
        return lambda rows: factors[rows]

    def _learn_from(self, used, tested):
        """Keep pairs whose test is over, and learn the score again after every few of them."""
        used, tested = (
            np.concatenate([kept, rows])
            for kept, rows in zip(self.recent, (used, tested), strict=True)
        )
        self.recent = [used, tested]
        if len(used) == _PAIRS:
            self.used = np.concatenate([self.used, used])[-_REFERENCE_ROWS:]
            self.new = np.concatenate([self.new, tested])[-_NEW_ROWS:]
            self.score = self.learn(self.used, self.new, self.score)
            self.recent = [used[:0], tested[:0]]

    def evalues(self):
        """Return the evidence."""
        return self.detectors.values()

    def since(self):
        """Return the row at which the change began."""
        return self.detectors.start(0)
