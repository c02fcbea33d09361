"""Domains without shared columns: which columns are whose, and rows carried over by a plan."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import pairwise_distances_argmin
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from .._array._backend import to_numpy
from .._core._base_transformer import BaseDomainTransformer
from .._core._labels import take_labels
from .._core._typing import ArrayLike
from .._numerics._budget import check_cost

_LEAST_ROWS = 2  # one row has no distance to another
# Measured: plans take this times the pairs, and comparisons within n and m rows this times
# n m (n + m).
_PAIR_SECONDS, _CUBE_SECONDS = 7e-8, 2e-9
_PLAN_MATRICES = 3  # the plan, its cost and a gradient are held at the same time


def own_columns(values, side):
    """Return the columns that a side has: those with values on its rows.

    Raises
    ------
    ValueError
        If a column has values on some of the rows only, or the side has no column.
    """
    there = ~np.isnan(values)
    some, whole = there.any(axis=0), there.all(axis=0)
    if (some & ~whole).any():
        raise ValueError(
            f"The {side} rows must have a value in each column that the {side} has; columns "
            f"{np.flatnonzero(some & ~whole)[:5].tolist()} have gaps. Fill them in first, for "
            "example with skda.PerDomain(SimpleImputer(keep_empty_features=True)) on that side."
        )
    if not whole.any():
        raise ValueError(
            f"The {side} rows have no value in any column. Stack the frames with "
            "skda.stack_domains(..., join='outer')."
        )
    return np.flatnonzero(whole)


class BaseOtherSpaceTransformer(BaseDomainTransformer):
    """Carries source rows into the columns of the target by a plan between the rows.

    A method implements ``_plan(X_source, X_target, differs)``, which returns the coupling.
    ``differs`` is 1 where two labels are known and differ, or None.
    """

    _array_level = "b"
    _compares_within = False  # whether the rows of a domain are compared with each other

    @property
    def _labels(self):
        return "all" if self.use_target_labels else "ignored"

    def _fit(self, data):
        self._check_params()
        values = np.asarray(to_numpy(data.X), dtype=np.float64)
        self.rows_, self.images_, self.source_columns_ = {}, {}, {}
        self.target_columns_ = list(range(values.shape[1]))
        if not data.adapts:
            return
        target = values[data.target]
        columns = own_columns(target, "target")
        self.target_columns_ = columns.tolist()
        target = target[:, columns]
        self._check_sizes(data, values)
        for domain in data.source_domains:
            rows = data.rows(domain)
            own = own_columns(values[rows], f"source {domain}")
            source = values[rows][:, own]
            self._check_rows(domain, len(rows), len(target))
            coupling = self._plan(source, target, self._differs(data, rows))
            mass = coupling.sum(axis=1, keepdims=True)
            # A row that an unbalanced plan leaves out has no place of its own: the mean.
            images = np.where(
                mass > 0, coupling @ target / np.where(mass > 0, mass, 1.0), target.mean(axis=0)
            )
            self.source_columns_[domain] = own.tolist()
            self.rows_[domain] = source
            self.images_[domain] = _mean_of_equals(source, images)

    def _check_sizes(self, data, values):
        """Warn if the plans of all sources take long; raise if one does not fit in memory."""
        m, seconds = len(data.target), 0.0
        for domain in data.source_domains:
            n = data.count(domain)
            seconds += _CUBE_SECONDS * n * m * (n + m) if self._compares_within else 0.0
            seconds += _PAIR_SECONDS * n * m
        n = max(data.count(domain) for domain in data.source_domains)
        what = f"plans between {n} source rows and {m} target rows"
        entries = _PLAN_MATRICES * n * m
        if self._compares_within:
            entries += n**2 + m**2
        hint = "Fit on a sample of the rows."
        check_cost(type(self).__name__, what, entries, seconds, values, hint=hint)

    def _check_rows(self, domain, n_source, n_target):
        for name, count in ((f"source {domain}", n_source), ("the target", n_target)):
            if count < _LEAST_ROWS:
                raise ValueError(
                    f"{type(self).__name__} needs at least {_LEAST_ROWS} rows in each domain; "
                    f"{name} has {count} sample. Add rows or leave that domain out."
                )

    def _differs(self, data, rows):
        if not self.use_target_labels:
            return None
        labeled = data.labeled[data.target]
        known = take_labels(data.y, data.target[labeled])
        own = take_labels(data.y, rows)
        differs = np.zeros((len(rows), len(data.target)))
        differs[:, labeled] = own[:, None] != known[None, :]
        return differs

    def _map(self, X, domain, backend):
        values = np.asarray(to_numpy(X), dtype=np.float64)
        if domain not in self.rows_:
            found = values[:, self.target_columns_]
        else:
            given = values[:, self.source_columns_[domain]]
            if np.isnan(given).any():
                raise ValueError(
                    f"Rows of source {domain} must have values in the columns "
                    f"{self.source_columns_[domain][:5]}…, as in fit; got NaN. Impute them."
                )
            nearest = pairwise_distances_argmin(given, self.rows_[domain])
            found = self.images_[domain][nearest]
        return backend.asarray(found, X.dtype)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Return the names of the output columns: those that the target has.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns of X; those seen in ``fit`` by default.

        Returns
        -------
        feature_names_out : ndarray of str objects
            Names of the columns of the target.
        """
        check_is_fitted(self)
        return np.asarray(_check_feature_names_in(self, input_features))[self.target_columns_]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _mean_of_equals(rows, images):
    """Return images in which equal rows have one: the mean of theirs."""
    _, which = np.unique(rows, axis=0, return_inverse=True)
    which = which.ravel()
    sums = np.zeros((which.max() + 1, images.shape[1]))
    np.add.at(sums, which, images)
    return (sums / np.bincount(which)[:, None])[which]
