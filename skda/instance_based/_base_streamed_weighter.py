"""Weighters that go on learning from batches of rows of either side."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Self

import numpy as np

from .._array._rows import concatenate_rows, n_rows
from .._core._sample_domain import note_domains
from .._core._typing import ArrayLike, DomainIds
from .._core._validation import begun_or_going_on, data_for_fit
from ._base_weighter import FunctionWeighter, Importances


class StreamedWeighter(FunctionWeighter):
    """A weighter whose function of the features is refined by batches.

    A method implements ``_learn_batch(data)``, which sets what it learns of rows of one side or of
    both; it must set new objects and change no earlier one.
    """

    def partial_fit(
        self, X: ArrayLike, y: object = None, *, sample_domain: DomainIds | None = None
    ) -> Self:
        """Learn from a batch of rows, and weight all source rows seen so far.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of any domains; a batch may have rows of one side only.
        y : None
            Ignored.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row, see :meth:`fit`.

        Returns
        -------
        self : object
            The weighter. Until it has seen rows of both sides all weights are 1.

        Raises
        ------
        ValueError
            After :meth:`fit`, which keeps no rows: begin with ``partial_fit``.

        Notes
        -----
        The source rows of all batches are kept, in ``source_rows_``, because each of them gets a
        new weight; in a stream it is the target that keeps coming. New weights are those of
        ``weights_``, in the order in which the source rows came.
        """
        self._check_shape_params()
        started = hasattr(self, "source_rows_")
        # A fit without domains has learnt nothing that could be lost.
        if not started and hasattr(self, "learnt_part_") and self._fit_domains is not None:
            raise ValueError(
                f"partial_fit of {type(self).__name__} cannot go on from fit, which keeps no "
                "source rows to weight anew. Begin with partial_fit on the rows given to fit."
            )
        with begun_or_going_on(self, started=started):
            data = self._batch(X, sample_domain, started=started)
            if started and sample_domain is None and self._fit_domains is not None:
                return self  # rows of no known domain, which has been warned of
            # On a copy: a batch that fails or is interrupted counts as not seen.
            new = copy.copy(self)
            new._take_batch(data)
            vars(self).update(vars(new))  # type: ignore[attr-defined]
            if sample_domain is not None:
                note_domains(self, data.ids)
        return self

    def _batch(self, X, sample_domain, *, started):
        return data_for_fit(self, X, sample_domain=sample_domain, one_sided=True, reset=not started)

    def _take_batch(self, data):
        counts = getattr(self, "n_rows_seen_", {"source": 0, "target": 0})
        self.n_rows_seen_ = {
            "source": counts["source"] + len(data.source),
            "target": counts["target"] + len(data.target),
        }
        self._learn_batch(data)
        data = self._with_all_sources(data)
        raw = None
        # Rows of one side alone have nothing to be weighed against.
        if all(self.n_rows_seen_.values()):
            raw = self._importance(data.X_source, data.backend)
        self._weigh(data, None if raw is None else Importances(raw, self._warning_of(raw)))
        self.source_rows_ = self._moved(data.X_source, data.to_input)

    def _with_all_sources(self, data):
        """Return the batch with the source rows of all batches in place of its own."""
        pieces = [data.X_source, data.X_target]
        earlier = getattr(self, "source_rows_", None)
        if earlier is not None:
            # Kept where they came from, which may be another device than the arithmetic's.
            pieces.insert(0, self._moved(earlier, data.backend.asarray))
        sizes = [n_rows(piece) for piece in pieces]
        ids = np.repeat([0] * (len(pieces) - 1) + [-1], sizes)
        pieces = [piece for piece, size in zip(pieces, sizes, strict=True) if size]
        return replace(data, X=concatenate_rows(pieces), ids=ids)

    @staticmethod
    def _moved(rows, move):
        return move(rows)

    def _warning_of(self, raw):
        """Return what the method itself has to warn of, or None."""
        return None
