"""Base of the maps that are made of the means and covariances of the domains."""

from scipy import sparse

from .._core._param_checks import (
    check_bool,
    check_enough_rows,
    check_forgetting_factor,
    check_real,
    check_strength,
)
from .._core._sums import pooled
from .._numerics._covariance import Moments, merge_moments, moments
from ._base_reference_map import ReferenceMapTransformer
from ._coral_map import CenteredRows, check_covariance_reg, sparse_moments
from ._direction import (
    TO_COMMON,
    TO_TARGET,
    check_direction,
    has_reference,
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


class MomentMapTransformer(ReferenceMapTransformer):
    """A linear map of each domain, made of its moments and those of a reference.

    A method implements ``_map_of(own, reference)`` for :class:`Moments`, ``_map_of_rows(own,
    reference)`` for :class:`CenteredRows` of more features than rows, ``_common(parts)``, the
    moments of the common reference, and ``_map``.
    """

    _kept_as = "moments_"

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
        self._learn(own, self._reference_of(data, own), data.to_input)

    def _learn(self, own, reference, keep):
        self._set_maps(own, reference, keep)
        self.moments_ = {i: m.at(keep) for i, m in own.items()}
        self.reference_moments_ = reference.at(keep)

    def _needs_rows(self, data):
        if data.n_rows < data.X.shape[1]:
            return "with more features than rows no scatter matrix is formed"
        return None

    def _fit_sums(self, data, table):
        self._check_params()
        self._start()
        if not has_reference(self, data):
            return
        check_enough_rows(self, data, 2, "to see a covariance")
        sums = table.total("_sums_of")
        own = {i: sums[i] for i in data.domains if self._moves(i)}
        if self.direction == TO_COMMON:
            reference = self._common(own.values())
        else:
            side = data.target_domains if self.direction == TO_TARGET else data.source_domains
            reference = pooled(sums[i] for i in side)
        self._learn(own, reference, data.to_input)

    def _sums_of(self, data):
        return {i: self._moments_of(data.X_of(i)) for i in data.domains}

    def _start(self):
        self.moments_, self.reference_moments_, self.waits_for_ = {}, None, None
        self.maps_, self.means_ = {}, {}

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

    def _summaries(self):
        # Set so by `_fit_low_rank`.
        if self.moments_ is None:
            raise ValueError(
                "partial_fit cannot go on from a fit with more features than rows, which keeps no "
                f"d x d scatter matrix. Call partial_fit on a fresh {type(self).__name__}."
            )
        return self.moments_, self.reference_moments_

    def _learn_maps(self, own, reference, keep, changed):
        kept = None if reference is None else reference.at(keep)
        if own and reference is not None:
            self._set_maps(own, reference, keep, changed)
        self.moments_, self.reference_moments_ = own, kept

    def _merged(self, old, X, data):
        new = self._moments_of(X)
        if old is not None:
            # Stored where the rows of fit came from, which may be another device than the
            # arithmetic's.
            old = old.at(data.backend.asarray)
            new = merge_moments(old, new, forgetting_factor=self.forgetting_factor)
        return new.at(data.to_input)

    def _moments_of(self, X):
        # The other rules need no fourth powers of the norms, which cost a pass.
        quartic = self.reg == "ledoit-wolf"
        if sparse.issparse(X):
            return sparse_moments(X, quartic=quartic)
        return moments(X, quartic=quartic)

    def _set_maps(self, own, reference, keep, changed=None):
        changed = set(own) if changed is None else changed
        maps = {i: A for i, A in self.maps_.items() if i not in changed}
        if self.strength > 0:
            n_prior = self._count_prior_rows(reference.mean.shape[0])
            for domain in sorted(changed):
                known = with_prior_rows(own[domain], reference, n_prior)
                maps[domain] = keep(self._map_of(known, reference))
        means, reference_mean = {i: keep(m.mean) for i, m in own.items()}, keep(reference.mean)
        # Stored when all are found: the old ones stay valid if this batch fails.
        self.means_, self.reference_mean_ = means, reference_mean
        self.maps_ = dict(sorted(maps.items()))

    def _count_prior_rows(self, n_features):
        if self.n_prior_rows != "auto":
            return float(self.n_prior_rows)
        # The map to the target is fitted on all there will be, and a rule shrinks by itself.
        if self.direction == TO_TARGET or isinstance(self.reg, str):
            return 0.0
        return float(n_features)

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
