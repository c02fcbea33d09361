"""What the augmenters share: which columns they change, and what they learn of the domains."""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from .._array._backend import float_dtype, is_foreign_array, namespace, to_numpy
from .._array._rows import n_rows
from .._core._param_checks import column_positions
from .._core._routing import DomainRouting
from .._core._sample_domain import (
    check_both_sides,
    check_no_masked_entries,
    check_sample_domain,
    domains_for_fit,
)
from .._core._typing import Array, ArrayLike, DomainIds, RandomState
from .._core._validation import check_rows, fresh_fit
from ._table import is_frame, number_columns, put_numbers, take_numbers


class BaseAugmenter(DomainRouting, BaseEstimator):
    """Changes rows at random.

    A subclass writes ``_check_params()``, ``_learn(values, ids)``, which gets the columns to
    change as a NumPy array, and ``_change(x, ids, rng)``, which returns new values of rows in the
    array library of these rows, or these with partners and weights (:meth:`augment`).
    """

    _labels = "ignored"
    _order_dependent = True  # what is simulated goes to the rows one after the other
    _array_level = "b"
    _needs_target = False

    def fit(
        self, X: ArrayLike, y: object = None, *, sample_domain: DomainIds | None = None
    ) -> Self:
        """Learn what the changes are measured by, from the rows of all domains.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains. Of a data frame the columns of numbers are changed, and those of
            text, categories and bools are left as they are.
        y : None
            Ignored.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target. None: all rows are source, and a
            :class:`~skda.DomainWarning` says so.

        Returns
        -------
        self : object
            The fitted augmenter.
        """
        with fresh_fit(self):
            self._check_params()
            X = self._checked(X, reset=True)
            ids = domains_for_fit(sample_domain, n_rows(X), estimator=self, one_sided=True)
            # Without a target there is less to learn; without a source nothing to augment.
            if not (ids >= 0).any():
                check_both_sides(ids)
            self.columns_ = self._columns_to_change(X)
            values = to_numpy(take_numbers(X, self.columns_)).astype(np.float64)
            self._learn(values, ids)
        return self

    def augment(
        self,
        X: ArrayLike,
        *,
        sample_domain: DomainIds | None = None,
        random_state: RandomState = None,
    ) -> Array:
        """Return changed copies of rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to copy; they stay as they are.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. None: one source.
        random_state : int, RandomState instance or None, default=None
            Seeds what is simulated.

        Returns
        -------
        X_new : array or data frame of shape (n_samples, n_features)
            Copies of the rows in the same order. An augmenter that mixes rows returns the tuple
            ``(X_new, partner, weight)``: the other row of each mixture, and the weight of the row
            itself.
        """
        check_is_fitted(self)
        X = self._checked(X, reset=False)
        ids = np.zeros(n_rows(X), dtype=np.int64)
        if sample_domain is not None:
            ids = check_sample_domain(sample_domain, len(ids))
        x = take_numbers(X, self.columns_)
        new = self._change(x, ids, check_random_state(random_state))
        values, mixture = (new[0], new[1:]) if isinstance(new, tuple) else (new, ())
        X_new = put_numbers(X, self.columns_, values)
        return (X_new, *mixture) if mixture else X_new

    def _check_params(self):
        """Check every parameter by name."""

    def _learn(self, values, ids):
        """Learn from the values of the columns to change, of rows of these domains."""

    def _change(self, x, ids, rng):
        raise NotImplementedError

    def _checked(self, X, *, reset):
        """Return the rows, whose numbers are finite or missing."""
        check_no_masked_entries("X", X)
        if is_frame(X):
            validate_data(self, X, reset=reset, skip_check_array=True)
            columns = number_columns(X)
            if columns:
                check_array(take_numbers(X, columns), ensure_all_finite="allow-nan")
            return X
        if not reset and is_foreign_array(X):
            # Inside a network, at every step: a look at all values would wait for the device.
            self._check_width(X)
            return X
        return check_rows(self, X, reset=reset)

    def _check_width(self, X):
        if X.ndim != 2 or X.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X must have the {self.n_features_in_} features that {type(self).__name__} was "
                f"fitted on; got shape {tuple(X.shape)}."
            )

    def _columns_to_change(self, X):
        """Return the positions of the columns that the user chose, or of all numbers."""
        numbers = number_columns(X)
        if self.columns is None:
            if not numbers:
                raise ValueError(
                    "X must have a column of numbers to augment; it has text, categories and "
                    "bools only."
                )
            return numbers
        chosen = column_positions("columns", self.columns, self, X.shape[1])
        others = sorted(set(chosen) - set(numbers))
        if others:
            raise ValueError(
                f"columns must be columns of numbers; those at the positions {others} are not. "
                "Leave them out: they come out as they are."
            )
        return chosen

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def as_floats(x):
    """Return an array of floats: integers have no values between them."""
    xp = namespace(x)
    if xp.isdtype(x.dtype, "real floating"):
        return x
    return xp.astype(x, float_dtype(x, xp))


def column_moments(values):
    """Return the number of values, mean and standard deviation of each column, NaN left out.

    Columns without a value have mean and deviation 0.
    """
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    mean = np.where(known, values, 0.0).sum(axis=0) / np.maximum(count, 1)
    squares = np.where(known, values - mean, 0.0) ** 2
    return count, mean, np.sqrt(squares.sum(axis=0) / np.maximum(count, 1))


class SourceMoments:
    """Mean of each column by source domain, and its spread within source domains.

    Parameters
    ----------
    values : ndarray of shape (n, d)
        Rows of all domains.
    ids : ndarray of int of shape (n,)
        Their domains.
    """

    def __init__(self, values, ids):
        source = ids >= 0
        self.ids = np.unique(ids[source])
        found = [column_moments(values[ids == i]) for i in self.ids]
        self.means = np.array([mean for _, mean, _ in found])
        counts = np.array([count for count, _, _ in found])
        squares = sum(count * deviation**2 for count, _, deviation in found)
        self.spread = np.sqrt(squares / np.maximum(counts.sum(axis=0), 1))
        # Of rows of no known domain.
        self.grand = column_moments(values[source])[1]

    def mean_of(self, ids):
        """Return the mean of the domain of each row, that of all source rows for others."""
        place = np.searchsorted(self.ids, ids)
        known = self.ids[np.minimum(place, len(self.ids) - 1)] == ids
        return np.where(known[:, None], self.means[np.where(known, place, 0)], self.grand)
