"""Fits that need nothing of the rows but sums, which can be taken block by block and merged.

An estimator that can be fitted so has two methods:

``_needs_rows(data)``
    Return None, or why its parameters need the rows themselves, in words.
``_fit_sums(data, table)``
    Fit, as ``_fit`` does. ``data`` is a :class:`SummedData`; ``table.total(name, *args)`` calls
    the method of that name on the :class:`DomainData` of every block and merges what it returns, a
    dict of records with ``merge``; ``table.sample(size)`` brings that many rows and their domains.
"""

from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import validate_data

from .._array._backend import Backend
from ._sample_domain import check_both_sides, domains_for_fit
from ._validation import DomainData


@dataclass(frozen=True)
class SummedData(DomainData):
    """What is known of a table that is not at hand: its columns, its domains and their rows.

    ``X`` has the columns and no row; ``ids`` has every domain once.
    """

    counts: dict | None = None
    """Number of rows by domain."""

    def count(self, domain):
        """Return the number of rows of one domain."""
        return self.counts[domain]

    @property
    def n_rows(self):
        """Number of rows of all domains."""
        return sum(self.counts.values())

    @property
    def n_source(self):
        """Number of source rows."""
        return sum(self.counts[i] for i in self.source_domains)

    @property
    def n_target(self):
        """Number of target rows."""
        return sum(self.counts[i] for i in self.target_domains)


class Added(NamedTuple):
    """Counts or sums that are merged by adding them."""

    value: Any

    def merge(self, new):
        """Return the sums over these rows and other ones together."""
        return Added(self.value + new.value)


def summed_data(estimator, columns, counts, *, named, one_sided):
    """Return the record of a table, and note its columns and domains on the estimator.

    Parameters
    ----------
    estimator : estimator
        The estimator that is being fitted.
    columns : array or data frame of shape (n, n_features)
        Of the kind of the table's blocks; its rows are ignored.
    counts : dict
        Number of rows by domain.
    named : bool
        Whether ``sample_domain`` was given.
    one_sided : bool
        Whether target rows may be missing.
    """
    validate_data(estimator, columns, reset=True, skip_check_array=True)
    ids = np.array(sorted(counts), dtype=np.int64)
    ids = domains_for_fit(
        ids if named else None, len(ids), estimator=estimator, one_sided=one_sided
    )
    if named and not (ids >= 0).any():
        check_both_sides(ids)
    estimator._fit_backend = str(Backend())
    X = np.empty((0, estimator.n_features_in_))
    return SummedData(X, None, ids, None, Backend(), Backend(), counts)


def merge_sums(first, second):
    """Return the records of two parts of a table together, both dicts by domain or by name."""
    merged = dict(first)
    for name, record in second.items():
        merged[name] = merged[name].merge(record) if name in merged else record
    return merged


def pooled(records):
    """Return the record of several domains together."""
    return reduce(lambda first, second: first.merge(second), records)
