"""Rows that are the same sample in two domains, and the base of what learns from them."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from .._array._rows import concatenate_rows, n_rows
from .._core._base_transformer import BaseDomainTransformer
from .._core._labels import as_labels, missing_labels
from .._core._param_checks import check_option
from .._core._typing import Array, ArrayLike, DomainIds

_LEAST_PAIRS = 2  # one pair has no direction


def pairs_by_id(pair_id, ids):
    """Return (source row, target row) of every sample that both sides have.

    Parameters
    ----------
    pair_id : array-like of shape (n,)
        Name of the sample of each row; a missing one is in no pair.
    ids : ndarray of shape (n,)
        Signed id of the domain of each row.

    Returns
    -------
    pairs : ndarray of int of shape (n_pairs, 2)
        With several domains on a side, one pair for each of its rows of the sample.
    """
    names = as_labels(pair_id)
    if names.ndim != 1 or len(names) != len(ids):
        raise ValueError(
            "pair_id must have one value per row of X, the name of the row's sample; got shape "
            f"{names.shape} for {len(ids)} rows."
        )
    named = np.flatnonzero(~missing_labels(names))
    rows_of = {}
    for row, name in zip(named.tolist(), names[named].tolist(), strict=True):
        rows = rows_of.setdefault(name, {})
        if ids[row] in rows:
            raise ValueError(
                f"pair_id must name a row once in each domain; {name!r} stands twice in domain "
                f"{ids[row]}. Average replicates first, or name them apart."
            )
        rows[ids[row]] = row
    found = [
        (rows[source], rows[target])
        for rows in rows_of.values()
        for source in sorted(d for d in rows if d >= 0)
        for target in sorted(d for d in rows if d < 0)
    ]
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def pairs_by_order(ids):
    """Return (source row, target row): the k-th row of each source with that of each target."""
    found = []
    for source in np.unique(ids[ids >= 0]):
        for target in np.unique(ids[ids < 0]):
            a, b = np.flatnonzero(ids == source), np.flatnonzero(ids == target)
            if len(a) != len(b):
                raise ValueError(
                    "pairing='order' needs as many rows in each source as in each target; domain "
                    f"{source} has {len(a)} and domain {target} has {len(b)}. Name the samples "
                    "with pair_id."
                )
            found.append(np.column_stack([a, b]))
    return np.concatenate(found)


class BasePairedTransformer(BaseDomainTransformer):
    """A transformer that learns from samples that were measured in two domains.

    A method implements ``_fit_pairs(data, pairs)`` instead of ``_fit(data)``, and has a parameter
    ``pairing``.
    """

    __metadata_request__fit = {"pair_id": True}

    def fit(
        self,
        X: ArrayLike,
        y: object = None,
        *,
        sample_domain: DomainIds | None = None,
        pair_id: ArrayLike | None = None,
    ) -> Self:
        """Learn from the rows that are the same sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : Ignored
            Labels are not looked at.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target. None: all rows are source, there is
            nothing to adapt to, and a :class:`~skda.DomainWarning` says so.
        pair_id : array-like of shape (n_samples,), default=None
            Name of the sample of each row, numbers or text: rows of a source and of a target with
            one name are a pair. NaN or None (-1 among integers): the row is in no pair.

        Returns
        -------
        self : object
            The fitted transformer.
        """
        self._fit_paired(X, y, sample_domain, pair_id)
        return self

    def fit_pairs(self, X_a: ArrayLike, X_b: ArrayLike) -> Self:
        """Learn from two tables of the same samples in the same order.

        Parameters
        ----------
        X_a : array-like of shape (n_pairs, n_features)
            The samples in the source domain, which gets the id 1.
        X_b : array-like of shape (n_pairs, n_features)
            The same samples in the target domain, which gets the id -2.

        Returns
        -------
        self : object
            The fitted transformer.
        """
        tables: list[Any] = [
            np.asarray(X) if isinstance(X, list | tuple) else X for X in (X_a, X_b)
        ]
        sizes = [n_rows(X) for X in tables]
        if sizes[0] != sizes[1]:
            raise ValueError(
                f"X_a and X_b must hold the same samples in the same order; got {sizes[0]} and "
                f"{sizes[1]} rows. Name the samples with pair_id in fit."
            )
        widths = [X.shape[1] for X in tables]
        if widths[0] != widths[1]:
            raise ValueError(
                f"X_a and X_b must have the same columns; got {widths[0]} and {widths[1]}. "
                "Interpolate spectra to one grid first."
            )
        samples = np.tile(np.arange(sizes[0]), 2)
        sample_domain = np.repeat([1, -2], sizes[0])
        return self.fit(concatenate_rows(tables), sample_domain=sample_domain, pair_id=samples)

    def fit_transform(
        self,
        X: ArrayLike,
        y: object = None,
        *,
        sample_domain: DomainIds | None = None,
        pair_id: ArrayLike | None = None,
    ) -> Array:
        """Learn from the pairs and map the same rows: ``fit`` and then ``transform``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : Ignored
            Labels are not looked at.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row, see :meth:`fit`.
        pair_id : array-like of shape (n_samples,), default=None
            Name of the sample of each row, see :meth:`fit`.

        Returns
        -------
        X_new : array of shape (n_samples, n_features_out)
            Mapped rows in the same order.
        """
        self._fit_paired(X, y, sample_domain, pair_id)
        return self.transform(X, sample_domain=sample_domain)

    def _fit_paired(self, X, y, sample_domain, pair_id):
        # The base class hands on the rows only; the names of the samples come along here.
        self._given_pair_id = pair_id
        try:
            self._fit_data(X, y, sample_domain)
        finally:
            del self._given_pair_id

    def _fit(self, data):
        check_option("pairing", self.pairing, ("id", "order"))
        self._check_params()
        self.n_pairs_ = 0
        pairs = np.empty((0, 2), dtype=np.int64)
        if data.adapts:
            pairs = self._pairs(data.ids)
            self.n_pairs_ = len(pairs)
        self._fit_pairs(data, pairs)

    def _pairs(self, ids):
        if self._given_pair_id is not None:
            return pairs_by_id(self._given_pair_id, ids)
        if self.pairing == "id":
            raise ValueError(
                f"{type(self).__name__} learns from samples that were measured in both domains, so "
                "it needs pair_id in fit: one name per row, the same for rows of the same sample. "
                "If row k of the source and row k of the target are the same sample, use "
                "pairing='order' or fit_pairs(X_a, X_b)."
            )
        return pairs_by_order(ids)

    def _check_enough(self, pairs, which):
        if len(pairs) < _LEAST_PAIRS:
            raise ValueError(
                f"{type(self).__name__} needs at least {_LEAST_PAIRS} pairs {which}; got "
                f"{len(pairs)} sample{'' if len(pairs) == 1 else 's'} that both have. Check that "
                "pair_id uses the same names in both domains."
            )

    @property
    def _order_dependent(self):
        return self.pairing == "order"
