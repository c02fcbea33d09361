"""Base of the maps between summaries of the domains: batches of rows refine them."""

from __future__ import annotations

from typing import Self

from sklearn.base import OneToOneFeatureMixin
from sklearn.exceptions import NotFittedError

from .._core._base_transformer import BaseDomainTransformer
from .._core._typing import ArrayLike, DomainIds
from .._core._validation import begun_or_going_on, data_for_fit
from ._direction import TO_COMMON, TO_TARGET, add_domains, is_moved


class ReferenceMapTransformer(OneToOneFeatureMixin, BaseDomainTransformer):
    """A map of each domain, made of a summary of its rows and one of a reference's.

    A method implements

    ``_start()``
        Sets the learnt attributes to those of no row.
    ``_summaries()``
        Returns the summaries by domain, and that of the reference or None.
    ``_merged(old, X, data)``
        Returns the summary of more rows, kept where the input is; `old` is one or None.
    ``_common(parts)``
        Returns the summary of the common reference of ``direction="to_common"``.
    ``_learn_maps(own, reference, keep, changed)``
        Computes the maps of these domains; then stores them and all summaries.
    """

    _array_level = "a"
    _kept_as: str
    """Name of the learnt attribute that any fit sets."""

    @property
    def _per_target(self):
        return self.direction != TO_TARGET

    @property
    def _needs_target(self):
        return self.direction == TO_TARGET

    def _moves(self, domain):
        return is_moved(domain, self.direction)

    def partial_fit(
        self, X: ArrayLike, y: object = None, *, sample_domain: DomainIds | None = None
    ) -> Self:
        """Learn from a batch of rows: more of known domains, or the first of new ones.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of any domains; a batch may have rows of one side only, without labels.
        y : Ignored
            Not used.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row, see :meth:`fit`.

        Returns
        -------
        self : object
            The transformer; it transforms as soon as it has seen a source and the target.

        Notes
        -----
        Rows of a domain that is mapped refine its map, or begin it, and change no other. Rows of
        the side that others are mapped to change where these go; the common reference of
        ``direction="to_common"`` alone stays what it was in ``fit`` (or in the first call).
        What is kept of the rows is merged in a stable way, and the maps that change are computed
        again. With ``forgetting_factor=1`` the result is that of ``fit`` on all rows, but for that
        common reference; quantiles of more rows than are kept have the error that the class states.
        """
        self._check_params()
        # A fit or an earlier batch; the widths must agree then.
        started = hasattr(self, self._kept_as)
        with begun_or_going_on(self, started=started):
            known = {"accept_sparse": self._accept_sparse, "one_sided": True, "reset": not started}
            data = data_for_fit(self, X, None, sample_domain, **known)
            if started and sample_domain is None and self._fit_domains is not None:
                return self  # rows of no known domain, which has been warned of
            if not started:
                self._start()
                self.source_domains_, self.target_domains_ = [], []
            self._learn_batch(data)
            self._note_batch(data, named=sample_domain is not None)
        return self

    def _learn_batch(self, data):
        summaries, reference = self._summaries()
        # New objects: the old ones stay valid if this batch fails.
        own = dict(summaries)
        batch = [i for i in data.domains if self._moves(i)]
        for domain in batch:
            own[domain] = self._merged(own.get(domain), data.X_of(domain), data)
        changed = set(batch)
        rows = data.X_target if self.direction == TO_TARGET else data.X_source
        if self.direction == TO_COMMON and reference is None:
            reference = self._common(own.values())
        elif self.direction != TO_COMMON and rows.shape[0]:
            reference = self._merged(reference, rows, data)
            changed = set(own)
        self._learn_maps(own, reference, data.to_input, changed)

    def _note_batch(self, data, *, named):
        add_domains(self, data, named=named)
        if self.source_domains_ and (self.target_domains_ or not self._needs_target):
            self.waits_for_ = None
        elif named:  # without ids there is nothing to adapt to, now or later
            self.waits_for_ = "target" if self.source_domains_ else "source"

    def _check_ready(self):
        if getattr(self, "waits_for_", None) is not None:
            raise NotFittedError(
                "partial_fit has seen rows of one side only, sources "
                f"{self.source_domains_} and targets {self.target_domains_}. Call it with rows of "
                "the other side first."
            )
