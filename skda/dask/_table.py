"""A table in blocks of rows: what is summed over it, and samples of it."""

import copy
from functools import partial

import numpy as np
from sklearn.utils import check_random_state

from .._array._backend import to_numpy
from .._array._rows import concatenate_rows, n_rows
from .._core._labels import join_labels
from .._core._sums import merge_sums, summed_data
from .._core._validation import data_for_fit
from ._engine import (
    engine,
    has_known_rows,
    is_collection,
    is_frame,
    merge_in_tree,
    row_blocks,
    task,
    whole,
)
from ._sample import block_ids, count_strata, draw, quotas, quotas_by_block


class Table:
    """Rows, labels and domains in blocks, which stay where they are.

    Parameters
    ----------
    X : dask array or data frame
        Rows of all domains.
    y : dask array or series, array-like or None
        Label of each row.
    sample_domain : dask array or series, array-like or None
        Domain of each row.
    sample_size : int
        Number of rows of a sample.
    random_state : int, RandomState instance or None
        Seeds the samples.
    """

    def __init__(self, X, y=None, sample_domain=None, *, sample_size=0, random_state=None):
        self.X = as_rows(X)
        self.y = along(self.X, y, "y")
        self.sample_domain = along(self.X, sample_domain, "sample_domain")
        self.sample_size = sample_size
        self.rng = check_random_state(random_state)
        self._counts, self._has_missing = {}, False

    @property
    def named(self):
        """Whether ``sample_domain`` was given."""
        return self.sample_domain is not None

    def with_rows(self, X):
        """Return the same table with other columns, the image of its rows."""
        # With the counts of this one: the rows are the same.
        other = copy.copy(self)
        other.X = X
        return other

    @property
    def columns(self):
        """No rows of the kind of the blocks, which show the columns."""
        if is_frame(self.X):
            return self.X._meta
        return np.empty((0, self.X.shape[1]), dtype=self.X.dtype)

    def blocks(self):
        """Return the blocks as triples of delayed rows, labels and ids."""
        parts = []
        for part in (self.X, self.y, self.sample_domain):
            parts.append(None if part is None else row_blocks(part))
        n = len(parts[0])
        for name, part in zip(("y", "sample_domain"), parts[1:], strict=True):
            if part is not None and len(part) != n:
                raise ValueError(
                    f"{name} must be cut into the blocks that X is cut into; got {len(part)} "
                    f"blocks for {n}. Derive it from the same data frame, or compute the sizes of "
                    "the chunks of both (compute_chunk_sizes)."
                )
        return list(zip(*(part or [None] * n for part in parts), strict=True))

    def counts(self):
        """Return the number of rows of each domain; block by block the first time."""
        found = {}
        for (domain, _), n in self._all_strata(labels=False)[0].items():
            found[domain] = found.get(domain, 0) + n
        return found

    def classes(self):
        """Return the number of source rows of each label."""
        counts, _ = self._all_strata(labels=True)
        labels = {}
        for (domain, label), n in counts.items():
            if domain >= 0:
                labels[label] = labels.get(label, 0) + n
        return labels

    def _all_strata(self, labels, *, target_labels=False):
        """Return the rows of each stratum, together and by block."""
        how = (labels and self.y is not None, target_labels)
        if how not in self._counts:
            found = [
                # Rows are read only where nothing else shows how many they are.
                task(
                    partial(count_strata, target_labels=target_labels),
                    x if ids is None else None,
                    y if how[0] else None,
                    ids,
                )
                for x, y, ids in self.blocks()
            ]
            by_block, missing = zip(*engine().compute(*found), strict=True)
            self._has_missing |= any(missing)
            if any(counts is None for counts in by_block):  # labels on a scale are no strata
                return self._all_strata(labels=False)
            total = {}
            for counts in by_block:
                for key, n in counts.items():
                    total[key] = total.get(key, 0) + n
            if not total:
                raise ValueError("X has no rows in any block (0 samples). Pass a table with rows.")
            self._counts[how] = total, by_block
        return self._counts[how]

    def total(self, estimator, method, *args):
        """Merge what a method of an estimator, or a function, returns for every block.

        Returns
        -------
        sums : dict
            Of records in NumPy and float64.
        """
        estimator, call = whole(estimator), whole(partial(_call, method, args))
        parts = [task(_block_sums, estimator, call, x, ids) for x, _, ids in self.blocks()]
        (sums,) = engine().compute(merge_in_tree(parts, merge_sums))
        return sums

    def sample(self, size, *, labels=True, target_labels=False, sources_only=False):
        """Return rows, labels and ids of a stratified sample, in the order of the table."""
        counts, by_block = self._all_strata(labels, target_labels=target_labels)
        if sources_only:
            counts = {key: n for key, n in counts.items() if key[0] >= 0}
        shares = quotas_by_block(by_block, quotas(counts, size), self.rng)
        # One seed and the number of the block: draws do not depend on which worker makes them.
        seed = int(self.rng.randint(2**31 - 1))
        parts = [
            task(partial(draw, share, target_labels, [seed, number]), *block)
            for number, (block, share) in enumerate(zip(self.blocks(), shares, strict=True))
            if share
        ]
        rows, y, ids = zip(*engine().compute(*parts), strict=True)
        y = None if self.y is None else self._own_type(join_labels(list(y)))
        return concatenate_rows(list(rows)), y, np.concatenate(ids)

    def _own_type(self, y):
        """Return labels that had to be floats only beside missing ones as integers again."""
        if y.dtype.kind != "f" or not self._has_missing or np.isnan(y).any():
            return y
        return y.astype(np.int64) if (y == np.rint(y)).all() else y

    def data_for(self, estimator, *, one_sided):
        """Return the record of this table for an estimator, which notes columns and domains."""
        how = {"named": self.named, "one_sided": one_sided}
        return summed_data(estimator, self.columns, self.counts(), **how)


class Passes:
    """A table as the ``_fit_sums`` of an estimator meets it."""

    def __init__(self, table, estimator):
        self.table, self.estimator = table, estimator

    def total(self, method, *args):
        """Merge what a method of the estimator returns for every block."""
        return self.table.total(self.estimator, method, *args)

    def sample(self, size):
        """Return a sample of the rows, stratified by domain, and the domains."""
        rows, _, ids = self.table.sample(size, labels=False)
        return np.asarray(rows, dtype=np.result_type(*_dtypes(rows), np.float32)), ids


def _dtypes(rows):
    return list(rows.dtypes) if hasattr(rows, "dtypes") else [rows.dtype]


def as_rows(X):
    """Return a dask array or data frame whose blocks hold whole rows."""
    if not is_collection(X) or getattr(X, "ndim", 0) != 2:
        raise ValueError(
            f"X must be a dask array or data frame of rows; got {type(X).__name__}. Rows in memory "
            "go to the estimator's own methods, or through dask.array.from_array."
        )
    # A row cut in two cannot be mapped.
    if not is_frame(X) and X.numblocks[1] > 1:
        return X.rechunk({1: -1})
    return X


def along(X, values, name):
    """Return one value per row in the blocks of X; None if there are none."""
    if values is None:
        return None
    if is_collection(values):
        both_known = not is_frame(values) and has_known_rows(values) and has_known_rows(X)
        if both_known:
            _check_length(values.shape[0], X, name)
            return values.rechunk((X.chunks[0], *values.chunks[1:]))
        return values
    if not has_known_rows(X):
        raise ValueError(
            f"{name} must be a dask array or series, cut as X is: where the blocks of X begin is "
            f"not known; got {type(values).__name__}. Take it from the same data frame, or call "
            "X.compute_chunk_sizes() on an array."
        )
    values = np.asarray(to_numpy(values))
    _check_length(n_rows(values), X, name)
    return engine().array.from_array(values, chunks=(X.chunks[0], *values.shape[1:]))


def _check_length(n, X, name):
    if n != X.shape[0]:
        raise ValueError(
            f"{name} must have one value per row of X; got {n} values for {X.shape[0]} rows."
        )


def _call(method, args, estimator, data):
    if callable(method):
        return method(data, *args)
    return getattr(estimator, method)(data, *args)


def _block_sums(estimator, call, X, sample_domain):
    """Return the records of one block, in float64: merging must not lose what a block has."""
    if not n_rows(X):
        return {}
    # Threads of one process share the estimator, and validation writes to it.
    estimator = copy.copy(estimator)
    ids = block_ids(sample_domain, n_rows(X))
    how = {"one_sided": True, "accept_sparse": getattr(estimator, "_accept_sparse", False)}
    data = data_for_fit(estimator, X, None, ids, reset=False, **how)
    sums = call(estimator, data)
    return {key: _in_float64(record) for key, record in sums.items()}


def _in_float64(record):
    def moved(x):
        return np.asarray(to_numpy(x), dtype=np.float64) if getattr(x, "ndim", 0) else x

    return type(record)(*(moved(x) for x in record))
