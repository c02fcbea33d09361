"""Base of the maps that are made of the means and covariances of the domains."""

from scipy import sparse
from sklearn.base import OneToOneFeatureMixin
from sklearn.exceptions import NotFittedError

from .._core._base_transformer import BaseDomainTransformer
from .._core._param_checks import check_bool, check_enough_rows, check_real, check_strength
from .._core._validation import data_for_fit
from .._numerics._covariance import Moments, merge_moments, moments
from ._coral_map import CenteredRows, check_covariance_reg, sparse_moments
from ._direction import (
    TO_COMMON,
    TO_TARGET,
    add_domains,
    check_direction,
    check_forgetting_factor,
    has_reference,
    is_moved,
    moved_domain,
)


def pooled_within(parts):
    """Return the moments of rows of several domains, each about the mean of its own domain.

    The mean is that of all rows; the covariance is the mean covariance of a domain, by its rows.
    """
    parts = list(parts)
    count = sum(m.count for m in parts)
    mean = sum(m.mean * (m.count / count) for m in parts)
    quartics = [m.quartic for m in parts]
    quartic = None if any(q is None for q in quartics) else sum(quartics)
    return Moments(count, mean, sum(m.scatter for m in parts), quartic)


def with_prior_rows(own, reference, n_prior_rows):
    """Return the moments of a domain with that many rows of the reference's covariance added.

    They are added about the mean of the domain, so that they shrink its covariance only: a mean
    needs few rows, a covariance many.
    """
    if not n_prior_rows:
        return own
    added = reference.scatter * (n_prior_rows / max(reference.count - 1.0, 1.0))
    return Moments(own.count + n_prior_rows, own.mean, own.scatter + added, None)


class MomentMapTransformer(OneToOneFeatureMixin, BaseDomainTransformer):
    """A linear map of each domain, made of its moments and those of a reference.

    A method implements ``_map_of(own, reference)`` for :class:`Moments`, ``_map_of_rows(own,
    reference)`` for :class:`CenteredRows` of more features than rows, ``_common(parts)``, the
    moments of the common reference, and ``_map``.
    """

    _array_level = "a"

    def _fit(self, data):
        self._check_params()
        self._start()
        if not has_reference(self, data):
            return
        check_enough_rows(self, data, 2, "to see a covariance")
        if self._is_low_rank(data.X):
            self._fit_low_rank(data)
            return
        own = {i: self._moments_of(data.X_of(i)) for i in data.domains if self._moves(i)}
        reference = self._reference_of(data, own)
        self._set_maps(own, reference, data.to_input)
        self.moments_ = {i: self._kept(m, data.to_input) for i, m in own.items()}
        self.reference_moments_ = self._kept(reference, data.to_input)

    def _start(self):
        self.moments_, self.reference_moments_, self.waits_for_ = {}, None, None
        self.maps_, self.means_ = {}, {}

    def _moves(self, domain):
        return is_moved(domain, self.direction)

    def _is_low_rank(self, X):
        """Whether to work in the span of the rows, without a d x d matrix."""
        return X.shape[1] > X.shape[0]

    def _reference_of(self, data, own):
        if self.direction == TO_COMMON:
            return self._common(own.values())
        return self._moments_of(data.X_target if self.direction == TO_TARGET else data.X_source)

    def _fit_low_rank(self, data):
        self.moments_ = None  # a scatter matrix would be larger than the rows
        own = {i: CenteredRows.of(data.X_of(i)) for i in data.domains if self._moves(i)}
        if self.direction == TO_COMMON:
            reference = self._common_rows(data, own)
        else:
            reference = CenteredRows.of(
                data.X_target if self.direction == TO_TARGET else data.X_source
            )
        for domain, rows in own.items():
            self.means_[domain] = data.to_input(rows.mean)
            if self.strength > 0:
                self.maps_[domain] = self._map_of_rows(rows, reference).at(data.to_input)
        self.reference_mean_ = data.to_input(reference.mean)

    def _common_rows(self, data, own):
        """Return rows whose moments are those of :func:`pooled_within`."""
        if sparse.issparse(data.X):
            raise ValueError(
                "direction='to_common' with CSR matrices needs at least as many rows as features; "
                f"got {data.X.shape[0]} rows and {data.X.shape[1]} features. Take "
                "direction='to_source', or dense rows."
            )
        mean = data.xp.mean(data.X, axis=0)
        return CenteredRows(data.xp.concat([rows.rows for rows in own.values()]), mean, 1.0)

    def partial_fit(self, X, y=None, *, sample_domain=None):
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
        Means and scatter matrices (d x d) are merged in a stable way, and the maps that change
        are computed again, O(d³) each. With ``forgetting_factor=1`` the result is that of ``fit``
        on all rows, but for that common reference.
        """
        self._check_params()
        if self.reg == "ledoit-wolf":
            raise ValueError(
                "reg='ledoit-wolf' needs all rows at once and cannot be used with partial_fit. "
                "Use reg='oas' or a float."
            )
        # A fit or an earlier batch; the widths must agree then.
        started = hasattr(self, "moments_")
        earlier = getattr(self, "_fit_domains", None)
        known = {"accept_sparse": self._accept_sparse, "one_sided": True, "reset": not started}
        data = data_for_fit(self, X, None, sample_domain, **known)
        # Known only when their maps are.
        self._fit_domains = earlier
        if not started:
            self._start()
            self.source_domains_, self.target_domains_ = [], []
        # Set so by `_fit_low_rank`.
        if self.moments_ is None:
            raise ValueError(
                "partial_fit cannot go on from a fit with more features than rows, which keeps no "
                f"d x d scatter matrix. Call partial_fit on a fresh {type(self).__name__}."
            )
        # New objects: the old ones stay valid if this batch fails.
        own, reference = dict(self.moments_), self.reference_moments_
        batch = {i: data.X_of(i) for i in data.domains if self._moves(i)}
        for domain, rows in batch.items():
            own[domain] = self._merged(own.get(domain), rows, data)
        changed = set(batch)
        rows = data.X_target if self.direction == TO_TARGET else data.X_source
        if self.direction == TO_COMMON and reference is None:
            reference = self._common(own.values())
        elif self.direction != TO_COMMON and rows.shape[0]:
            reference = self._merged(reference, rows, data)
            changed = set(own)
        # Nothing is stored before all is computed: an interrupted batch counts as not seen.
        if own and reference is not None:
            self._set_maps(own, reference, data.to_input, changed)
        self.moments_ = own
        if reference is not None:
            self.reference_moments_ = self._kept(reference, data.to_input)
        add_domains(self, data, named=sample_domain is not None)
        if self.source_domains_ and (self.target_domains_ or not self._needs_target):
            self.waits_for_ = None
        elif sample_domain is not None:  # without ids there is nothing to adapt to, now or later
            self.waits_for_ = "target" if self.source_domains_ else "source"
        return self

    def _merged(self, old, X, data):
        new = self._moments_of(X)
        if old is not None:
            # Stored where the rows of fit came from, which may be another device than the
            # arithmetic's.
            old = self._kept(old, data.backend.asarray)
            new = merge_moments(old, new, forgetting_factor=self.forgetting_factor)
        return self._kept(new, data.to_input)

    def _moments_of(self, X):
        # The other rules need no fourth powers of the norms, which cost a pass.
        quartic = self.reg == "ledoit-wolf"
        if sparse.issparse(X):
            return sparse_moments(X, quartic=quartic)
        return moments(X, quartic=quartic)

    @staticmethod
    def _kept(m, move):
        return m._replace(mean=move(m.mean), scatter=move(m.scatter))

    def _set_maps(self, own, reference, keep, changed=None):
        changed = set(own) if changed is None else changed
        maps = {i: A for i, A in self.maps_.items() if i not in changed}
        if self.strength > 0:
            n_prior = self._count_prior_rows(reference.mean.shape[0])
            for domain in sorted(changed):
                known = with_prior_rows(own[domain], reference, n_prior)
                maps[domain] = keep(self._map_of(known, reference))
        self.means_ = {domain: keep(m.mean) for domain, m in own.items()}
        self.reference_mean_ = keep(reference.mean)
        self.maps_ = dict(sorted(maps.items()))

    def _count_prior_rows(self, n_features):
        if self.n_prior_rows != "auto":
            return float(self.n_prior_rows)
        # The map to the target is fitted on all there will be, and a rule shrinks by itself.
        if self.direction == TO_TARGET or isinstance(self.reg, str):
            return 0.0
        return float(n_features)

    @property
    def _per_target(self):
        return self.direction != TO_TARGET

    @property
    def _needs_target(self):
        return self.direction == TO_TARGET

    def _check_ready(self):
        if getattr(self, "waits_for_", None) is not None:
            raise NotFittedError(
                "partial_fit has seen rows of one side only, sources "
                f"{self.source_domains_} and targets {self.target_domains_}. Call it with rows of "
                "the other side first."
            )

    def _map_and_means(self, domain):
        """Return the map and the mean of a domain, or None for rows that stay as they are."""
        domain = moved_domain(domain, self.maps_, self.direction, self.target_domains_)
        return None if domain is None else (self.maps_[domain], self.means_[domain])

    def _common(self, parts):
        return pooled_within(parts)

    def _check_params(self):
        check_strength(self.strength)
        check_bool("match_mean", self.match_mean)
        check_covariance_reg(self.reg)
        check_direction(self.direction)
        if not (isinstance(self.n_prior_rows, str) and self.n_prior_rows == "auto"):
            hint = "'auto' takes as many as there are features where a domain may have few rows."
            check_real("n_prior_rows", self.n_prior_rows, low=0, hint=hint)
            if self.n_prior_rows and isinstance(self.reg, str):
                raise ValueError(
                    f"n_prior_rows={self.n_prior_rows!r} cannot be combined with reg="
                    f"{self.reg!r}, which shrinks by a rule of its own. Give reg a number, or "
                    "leave n_prior_rows at 'auto'."
                )
        check_forgetting_factor(self.forgetting_factor)
