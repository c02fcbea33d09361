"""Base class of the transformers that map the rows of each domain by that domain's map."""

from __future__ import annotations

from dataclasses import replace
from typing import Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin

from .._array._backend import namespace
from .._array._rows import as_slice, join_rows, row_tiles, take_rows
from ._callbacks import CALLBACK_SUPPORT, begin_fit
from ._routing import DomainRouting
from ._sample_domain import check_both_sides, check_target_is_stated
from ._typing import Array, ArrayLike, DomainIds
from ._validation import data_for_fit, data_for_predict, fresh_fit

_TILE_BYTES = 4 * 2**20  # of rows to map at once


class BaseDomainTransformer(*CALLBACK_SUPPORT, DomainRouting, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A transformer that maps the rows of each domain by that domain's map.

    A method implements ``_fit(data)``, which stores what it learns with ``data.to_input``, and
    ``_map(X, domain, backend)``, which maps rows of one domain in a backend. Class attributes say
    what it can take:

    ``_accept_sparse`` : bool
        Whether CSR matrices may pass.
    ``_per_target`` : bool
        Whether each target has a map of its own, so that rows of no stated domain have none if
        there are several.
    ``_needs_target`` : bool
        Whether there must be target rows in ``fit``; if not, targets may come later.
    """

    _labels = "ignored"
    _accept_sparse = False
    _per_target = False
    _needs_target = True

    def fit(
        self, X: ArrayLike, y: ArrayLike | None = None, *, sample_domain: DomainIds | None = None
    ) -> Self:
        """Learn the map of each domain.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : array-like of shape (n_samples,), default=None
            Labels. Those of target rows are ignored unless the class says otherwise.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target. None: all rows are source, there is
            nothing to adapt to, and a :class:`~skda.DomainWarning` says so.

        Returns
        -------
        self : object
            The fitted transformer.
        """
        self._fit_data(X, y, sample_domain)
        return self

    def transform(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Map each row by the map of its domain.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to map, in any order.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. None: every row is a target row.

        Returns
        -------
        X_new : array of shape (n_samples, n_features_out)
            Mapped rows in the same order, in the array library that `X` came in.
        """
        self._check_ready()
        data = data_for_predict(self, X, sample_domain, accept_sparse=self._accept_sparse)
        if self._per_target:
            check_target_is_stated(self, named=sample_domain is not None)
        return self._map_all(data)

    def fit_transform(
        self, X: ArrayLike, y: ArrayLike | None = None, *, sample_domain: DomainIds | None = None
    ) -> Array:
        """Learn the maps and map the same rows: ``fit`` and then ``transform``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : array-like of shape (n_samples,), default=None
            Labels, see :meth:`fit`.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row, see :meth:`fit`. Without it all rows are learnt from as source
            and, as in :meth:`transform`, mapped as target.

        Returns
        -------
        X_new : array of shape (n_samples, n_features_out)
            Mapped rows in the same order, in the array library that `X` came in.
        """
        # Written out: the inherited one drops the metadata that transform consumes.
        data = self._fit_data(X, y, sample_domain)
        if sample_domain is None:
            # transform takes rows without ids for target rows, and both have to agree.
            data = replace(data, ids=np.full_like(data.ids, -1))
        return self._map_all(data)

    def _check_ready(self):
        """Raise if the transformer has learnt something, but not yet enough to map rows."""

    def _fit_data(self, X, y, sample_domain):
        with fresh_fit(self):
            data = data_for_fit(
                self,
                X,
                y,
                sample_domain,
                labels=self._labels,
                accept_sparse=self._accept_sparse,
                one_sided=not self._needs_target,
            )
            if sample_domain is not None and not len(data.source):
                check_both_sides(data.ids)
            self._note_domains(data)
            begin_fit(self, X, y, data.ids, data.labeled, n_tasks=self._n_tasks(data))
            self._fit(data)
        return data

    def _n_tasks(self, data):
        """Return how many tasks a fit has at most, for callbacks; None if that is not known."""
        return 0

    def _note_domains(self, data):
        self.source_domains_ = data.source_domains
        self.target_domains_ = data.target_domains

    def _map_all(self, data):
        # Methods that take CSR rows leave target rows as they are, so these can stay sparse.
        stays_sparse = sparse.issparse(data.X) and not len(data.source)
        if data.backend.is_numpy and not stays_sparse:
            return data.input_backend.asarray(self._map_tiles(data))
        index, pieces = [], []
        for domain in data.domains:
            rows = data.rows(domain)
            given = take_rows(data.X, rows)
            mapped = self._map(given, domain, data.backend)
            index.append(rows)
            # A map may return the rows it was given, which may be the user's own memory.
            pieces.append(copy_of(mapped) if mapped is given else mapped)
        mapped = join_rows(pieces, index)
        return mapped if sparse.issparse(mapped) else data.input_backend.asarray(mapped)

    def _map_tiles(self, data):
        """Map NumPy rows a cache-sized tile at a time, straight into the output.

        Rows are mapped alone, so tiles change nothing but the traffic to memory.
        """
        row_bytes = data.X.dtype.itemsize * data.X.shape[1]
        mapped = None
        for domain in data.domains:
            rows = data.rows(domain)
            for tile in row_tiles(len(rows), row_bytes, tile_bytes=_TILE_BYTES):
                part = rows[tile]
                piece = self._map(take_rows(data.X, part), domain, data.backend)
                # Target rows beside source rows, whose images are dense.
                if sparse.issparse(piece):
                    piece = piece.toarray()
                # Only the first piece shows how wide the output is, and of what precision.
                if mapped is None:
                    mapped = np.empty((len(data.ids), *piece.shape[1:]), dtype=piece.dtype)
                mapped[as_slice(part)] = piece
        return mapped

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self._accept_sparse
        tags.target_tags.required = self._labels != "ignored"
        return tags


def copy_of(X):
    """Return a copy of an array, so that no output shares memory with a user's input."""
    return X.copy() if sparse.issparse(X) else namespace(X).asarray(X, copy=True)
