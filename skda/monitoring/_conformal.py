"""Conformal p-values of a stream: the rank of each new row among all that came before it.

Every new row joins the bag that the next is compared with. That makes the p-values exactly
independent and uniform while reference and stream are exchangeable; against a fixed reference they
would not be, and evidence would grow from the sampling error of the reference alone.
"""

import numpy as np

# Rows that wait unsorted before they join the sorted bag. More make comparisons among them dear,
# fewer make the joins too many; the unsigned bytes that count them end at 255.
BLOCK = 192
# Cells of the comparisons among waiting rows that are held at a time.
_TILE_CELLS = 2**22
# From this many rows on, one search per feature is faster than one step per bit for all.
_FEW_ROWS = 16


def count_smaller(bag, rows, side):
    """Return how many values of each feature's sorted bag are smaller than those of rows.

    Parameters
    ----------
    bag : ndarray of shape (d, m)
        Sorted along the second axis.
    rows : ndarray of shape (n, d)
    side : {"left", "right"}
        Count smaller ones, or smaller and equal ones.
    """
    (d, m), n = bag.shape, len(rows)
    if n >= _FEW_ROWS:
        found = np.empty((n, d), dtype=np.int64)
        for j in range(d):
            found[:, j] = np.searchsorted(bag[j], rows[:, j], side=side)
        return found
    # A binary search for all features at once, by the bits of the result.
    before = np.less if side == "left" else np.less_equal
    flat, offsets = bag.ravel(), np.arange(d) * m - 1
    found = np.zeros((n, d), dtype=np.int64)
    for bit in reversed(range(m.bit_length())):
        tried = found + (1 << bit)
        inside = tried <= m
        smaller = before(flat[np.where(inside, tried, m) + offsets], rows)
        found = np.where(inside & smaller, tried, found)
    return found


def count_earlier(rows, n_waiting):
    """Return how many earlier rows are smaller, and how many are equal, for each new row.

    Parameters
    ----------
    rows : ndarray of shape (n_waiting + n, d)
        In the order in which they came; +inf where a value is missing.
    n_waiting : int
        How many of them are not new.
    """
    n, d = len(rows) - n_waiting, rows.shape[1]
    columns = np.ascontiguousarray(rows.T)
    earlier = np.arange(len(rows)) < np.arange(n_waiting, len(rows))[:, None]
    in_order = np.sort(columns, axis=1)
    tied = ((in_order[:, 1:] == in_order[:, :-1]) & np.isfinite(in_order[:, 1:])).any(axis=1)
    smaller, equal = np.zeros((d, n), dtype=np.int64), np.zeros((d, n), dtype=np.int64)
    step = max(1, _TILE_CELLS // max(earlier.size, 1))
    for start in range(0, d, step):
        part = columns[start : start + step]
        own, others = part[:, n_waiting:, None], part[:, None, :]
        smaller[start : start + step] = _count((others < own) & earlier)
        # Values of measurements are seldom equal, and those of counts nearly always.
        if tied[start : start + step].any():
            equal[start : start + step] = _count((others == own) & earlier)
    return smaller.T, equal.T


def _count(mask):
    return np.add.reduce(mask.view(np.uint8), axis=-1, dtype=np.uint8)


def merge_sorted(bag, rows, places):
    """Return each feature's sorted bag with the values of rows in it, still sorted.

    Parameters
    ----------
    bag : ndarray of shape (d, m)
    rows : ndarray of shape (n, d)
    places : ndarray of shape (n, d)
        How many values of the bag are smaller than each of the new ones.
    """
    (d, m), n = bag.shape, len(rows)
    # Smaller values have smaller places, so that both may be sorted on their own.
    new, places = np.sort(rows.T, axis=1), np.sort(places.T, axis=1)
    flat = (places + np.arange(n) + (np.arange(d) * (m + n))[:, None]).ravel()
    merged = np.empty(d * (m + n))
    is_old = np.ones(len(merged), dtype=bool)
    is_old[flat] = False
    merged[is_old] = bag.ravel()
    merged[flat] = new.ravel()
    return merged.reshape(d, m + n)


class NumberBag:
    """The values seen of each numeric feature, in bounded memory.

    Parameters
    ----------
    rows : ndarray of shape (n, d)
        Reference; NaN where a value is missing.
    max_rows : int
        Size of the bag. Beyond it random members leave: whichever of the members came last is as
        likely to leave as any other, so p-values stay exactly uniform and independent.
    """

    def __init__(self, rows, max_rows, rng):
        self.max_rows = max_rows
        # +inf sorts behind all that is there, so a missing value is smaller than none.
        bag = np.sort(np.where(np.isnan(rows), np.inf, rows).T, axis=1)
        self.bag = np.ascontiguousarray(_without_some(bag, max_rows, rng))
        self._note_missing()
        self.waiting = np.empty((0, rows.shape[1]))
        # How many values of the sorted bag are smaller, for the rows that wait and the latest.
        self.places = np.empty((0, rows.shape[1]), dtype=np.int64)

    @property
    def capacity(self):
        """How many rows can come before `settle`."""
        return BLOCK - len(self.waiting)

    def _note_missing(self):
        self.n_missing = np.zeros(len(self.bag), dtype=np.int64)
        # They stand last, so that most features need one look.
        some = np.flatnonzero(np.isinf(self.bag[:, -1]))
        self.n_missing[some] = np.isinf(self.bag[some]).sum(axis=1)

    def pvalues(self, rows, u_value, u_missing):
        """Return the p-values of the next rows, and of whether their values are missing.

        Parameters
        ----------
        rows : ndarray of shape (n, d)
            At most `capacity` rows; NaN where a value is missing.
        u_value, u_missing : ndarray of shape (n, d)
            Uniform in (0, 1), to break ties.

        Returns
        -------
        p_value, p_missing : ndarray of shape (n, d)
            The first is without meaning where a value is missing.
        """
        gone = np.isnan(rows)
        filled = np.where(gone, np.inf, rows)
        below = count_smaller(self.bag, filled, "left")
        self.places = np.concatenate([self.places[: len(self.waiting)], below])
        upto = below
        if self._has_ties(below, filled):
            upto = count_smaller(self.bag, filled, "right")
        smaller, equal = count_earlier(np.concatenate([self.waiting, filled]), len(self.waiting))
        waiting_gone = np.isinf(self.waiting).sum(axis=0)
        # Of the rows before each new one, those without a value and all of them.
        n_gone = self.n_missing + waiting_gone + np.cumsum(gone, axis=0) - gone
        n_all = (self.bag.shape[1] + len(self.waiting) + np.arange(len(rows)))[:, None]
        p_value = (below + smaller + u_value * (upto - below + equal + 1)) / (n_all - n_gone + 1)
        n_there = n_all - n_gone
        p_missing = np.where(gone, n_there + u_missing * (n_gone + 1), u_missing * (n_there + 1))
        return np.where(gone, 0.5, p_value), p_missing / (n_all + 1)

    def _has_ties(self, below, filled):
        d, m = self.bag.shape
        at = self.bag.ravel()[np.minimum(below, m - 1) + np.arange(d) * m]
        return ((at == filled) & np.isfinite(filled)).any()

    def add(self, rows):
        """Let the rows that `pvalues` was asked for, or the first of them, join those that wait."""
        self.waiting = np.concatenate([self.waiting, np.where(np.isnan(rows), np.inf, rows)])

    def settle(self, rng):
        """Let the waiting rows join the sorted bag; random members leave what is too full."""
        merged = merge_sorted(self.bag, self.waiting, self.places[: len(self.waiting)])
        self.bag = _without_some(merged, self.max_rows, rng)
        self._note_missing()
        self.waiting, self.places = self.waiting[:0], self.places[:0]


def _without_some(bag, max_rows, rng):
    """Return a bag without random members of each feature, so that it has max_rows at most."""
    # By their places in the sorted order, the same for all features: each feature has p-values
    # of its own, for which the others do not count.
    excess = bag.shape[1] - max_rows
    if excess <= 0:
        return bag
    stays = np.delete(np.arange(bag.shape[1]), rng.choice(bag.shape[1], excess, replace=False))
    return np.take(bag, stays, axis=1)


class CategoryBag:
    """How often each category of a feature was seen; rare ones are the strange ones.

    The p-value of a row is the proportion of rows whose category is rarer than its own, by the
    counts that include its own: a rule that treats all rows alike, as exactness demands. Categories
    that are new are rare ones; missing values are a category.
    """

    def __init__(self, values, max_rows, rng):
        self.max_rows = max_rows
        self.codes = {}
        self.counts = np.bincount(self._encode(values), minlength=len(self.codes))
        self.waiting = np.empty(0, dtype=np.int64)
        self.settle(rng)

    def _encode(self, values):
        """Return the number of each category; new ones get the next numbers."""
        return np.array([self.codes.setdefault(v, len(self.codes)) for v in values], dtype=np.int64)

    def pvalues(self, values, u):
        """Return the p-values of the next rows, given uniform numbers to break ties."""
        codes = self._encode(values)
        n_codes = len(self.codes)
        before = np.bincount(self.waiting, minlength=n_codes)
        before[: len(self.counts)] += self.counts
        rows = np.arange(len(codes))
        is_code = np.zeros((len(codes), n_codes), dtype=np.int64)
        is_code[rows, codes] = 1
        counts = before + np.cumsum(is_code, axis=0)
        own = counts[rows, codes][:, None]
        rarer = np.where(counts < own, counts, 0).sum(axis=1)
        as_rare = np.where(counts == own, counts, 0).sum(axis=1)
        return (rarer + u * as_rare) / counts.sum(axis=1)

    def add(self, values):
        """Let rows join those that wait."""
        self.waiting = np.concatenate([self.waiting, self._encode(values)])

    def settle(self, rng):
        """Count the waiting rows, and let random ones leave if there are too many."""
        counts = np.bincount(self.waiting, minlength=len(self.codes))
        counts[: len(self.counts)] += self.counts
        excess = int(counts.sum()) - self.max_rows
        if excess > 0:
            counts = counts - rng.multivariate_hypergeometric(counts, excess)
        # Categories that have left are forgotten, or names that never return would fill memory.
        names = [name for name, code in self.codes.items() if counts[code]]
        self.counts = counts[[self.codes[name] for name in names]]
        self.codes = {name: code for code, name in enumerate(names)}
        self.waiting = self.waiting[:0]
