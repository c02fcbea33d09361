"""ComBat: harmonise sites by location and scale, with empirical-Bayes shrinkage over features."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.base import OneToOneFeatureMixin

from .._array._arithmetic import safe_divide
from .._array._backend import as_like, backend_of, device_of, namespace, to_numpy
from .._array._rows import take_columns, take_rows
from .._core._base_transformer import BaseDomainTransformer
from .._core._param_checks import (
    check_bool,
    check_forgetting_factor,
    check_integer,
    check_option,
    check_real,
    check_strength,
    column_positions,
)
from .._core._sums import pooled
from .._core._validation import data_for_fit
from ._direction import add_domains, check_knows_reference, has_reference
from ._domain_scaler import FeatureMoments, feature_moments, merge_feature_moments

# Of the squares of singular values: below, a covariate depends on the others to rounding.
_SINGULAR = 1e-12


class SiteModel(NamedTuple):
    """The linear model of all sites: ``x = grand + covariates · coef + site shift + noise``."""

    grand: Any
    """Mean over rows of all sites, (d,)."""
    coef: Any
    """Effects of the covariates that are to be preserved, (q, d)."""
    scale: Any
    """Pooled standard deviation of the noise, (d,); 1 where there is none."""
    varies: Any
    """Which features have noise, (d,)."""


class CovariateSums(NamedTuple):
    """Count, means of covariates and columns, scatter of the covariates with both, column sizes."""

    count: float
    mean: Any
    scatter: Any
    size: Any

    def merge(self, new):
        """Return the sums over these rows and other ones together."""
        count = self.count + new.count
        step = new.mean - self.mean
        between = (self.count * new.count / count) * step
        scatter = self.scatter + new.scatter + np.outer(step[: len(self.scatter)], between)
        mean = self.mean + step * (new.count / count)
        return CovariateSums(count, mean, scatter, np.maximum(self.size, new.size))


def covariate_sums(X, covariates):
    """Return the sums over rows of one site."""
    xp = namespace(X)
    both = xp.concat([covariates, X], axis=1)
    mean = xp.mean(both, axis=0)
    q = covariates.shape[1]
    centered = both - mean
    size = xp.max(xp.abs(X), axis=0)
    return CovariateSums(float(X.shape[0]), mean, centered[:, :q].T @ centered, size)


def covariate_effects(X, covariates, membership):
    """Return the effects of covariates on columns by least squares, (q, d), sites aside.

    ``membership``, of shape (n, n_sites), is 1 where a row is of a site, else 0.
    """
    xp = namespace(X)
    if not covariates.shape[1]:
        return xp.zeros((0, X.shape[1]), dtype=X.dtype, device=device_of(X))
    column = xp.reshape(xp.sum(membership, axis=0), (-1, 1))
    # Within sites first (Frisch-Waugh): the effects follow from rows centered per site.
    Z = covariates - membership @ ((membership.T @ covariates) / column)
    Y = X - membership @ ((membership.T @ X) / column)
    U, s, Vh = xp.linalg.svd(Z, full_matrices=False)
    # Covariates that are constant within sites, or copies of others, have no effect of their
    # own that the rows determine.
    kept = s > float(xp.finfo(X.dtype).eps) * X.shape[0] * float(xp.max(s))
    inverse = safe_divide(xp.ones_like(s), xp.where(kept, s, xp.zeros_like(s)))
    return Vh.T @ (xp.reshape(inverse, (-1, 1)) * (U.T @ Y))


def covariate_effects_of_sums(parts):
    """Return the same from the sums over the rows of each site, by the normal equations."""
    scatter = sum(part.scatter for part in parts)
    q = len(scatter)
    # The equations have the squares of the singular values, and rounding of the largest.
    return np.linalg.pinv(scatter[:, :q], rcond=_SINGULAR, hermitian=True) @ scatter[:, q:]


def site_model(parts, coef):
    """Return the model of all sites from the moments of each, covariate effects taken off.

    ``size`` of these moments is the largest absolute value before that: rounding is as large as it
    is there.
    """
    xp, n = namespace(parts[0].mean), sum(m.count for m in parts)
    grand = sum(m.mean * m.count for m in parts) / n
    # Pooled over sites: about the mean of each site, not about the grand mean.
    scale = xp.sqrt(sum(m.variance * m.count for m in parts) / n)
    # Rounding must not turn a constant feature into one of tiny spread.
    size = xp.max(xp.stack([m.size for m in parts]), axis=0)
    varies = scale > size * (10.0 * float(xp.finfo(scale.dtype).eps))
    return SiteModel(grand, coef, xp.where(varies, scale, xp.ones_like(scale)), varies)


def standardized_moments(m, model):
    """Return the moments of rows in units of the noise, about the grand mean."""
    size = (m.size + namespace(m.size).abs(model.grand)) / model.scale
    return FeatureMoments(
        m.count, (m.mean - model.grand) / model.scale, m.variance / model.scale**2, size
    )


def shrunken_site_effects(n, mean, squares, *, max_iter=500, tol=1e-6):
    """Return the empirical-Bayes location and variance of each feature at one site.

    Parameters
    ----------
    n : float
        Number of rows of the site.
    mean, squares : array of shape (d,)
        Mean of its standardized rows, and sum of squares about it.
    max_iter : int, default=500
        Largest number of iterations.
    tol : float, default=1e-6
        Stop when no estimate changes by more than this share of itself.

    Returns
    -------
    location, variance : array of shape (d,)
    n_iter : int

    Notes
    -----
    Priors by the method of moments over the features: the locations are normal, the variances
    inverse gamma. Posterior means in turns (Johnson et al. 2007, Section 3.3)::

        location = (n τ² γ̂ + δ γ̄) / (n τ² + δ)
        variance = (θ + ½ Σ (z - location)²) / (n/2 + λ - 1)
    """
    xp = namespace(mean)
    spread = squares / (n - 1)
    if mean.shape[0] < 2:  # nothing to borrow strength from
        return mean, spread, 1
    center, tau2 = float(xp.mean(mean)), float(xp.var(mean, correction=1))
    level, v = float(xp.mean(spread)), float(xp.var(spread, correction=1))
    if v <= 1e-12 * level**2:  # all features vary alike: the prior is a point
        variance = xp.ones_like(spread) * level
        return (mean * (n * tau2) + variance * center) / (variance + n * tau2), variance, 1
    # The inverse gamma distribution whose mean is `level` and whose variance is v.
    shape, rate = 2.0 + level**2 / v, level + level**3 / v
    location, variance = mean, spread
    for n_iter in range(1, max_iter + 1):  # noqa: B007
        former = location, variance
        location = (mean * (n * tau2) + variance * center) / (variance + n * tau2)
        # Σ (z - location)² from the sums about the mean
        around = squares + (mean - location) ** 2 * n
        # Mean of an inverse gamma distribution.
        variance = (around * 0.5 + rate) / (n / 2 + shape - 1.0)
        change = max(
            # `tol` in the denominator: a location of 0 has no relative change.
            float(xp.max(xp.abs(new - old) / (xp.abs(old) + tol)))
            for new, old in zip((location, variance), former, strict=True)
        )
        if change <= tol:
            break
    return location, variance, n_iter


class ComBatTransformer(OneToOneFeatureMixin, BaseDomainTransformer):
    """Remove what is peculiar to a site: location and scale of each feature, shrunk together.

    Every site shifts and scales each feature in its own way. Both effects are estimated by site
    and feature, shrunk towards their average over the features of the site, because few rows
    give poor estimates, and taken out of the rows.

    Parameters
    ----------
    strength : float, default=1.0
        How far to go, in [0, 1]: every row moves this share of its way. 0 returns the rows
        themselves.
    covariates : int, str, list of these, or None, default=None
        Columns of X (by position, or by name where X has names) whose effect on the other columns
        is real and to be preserved: age, sex, anything that differs between sites for a reason.
        They pass through unchanged.
    reference : {"pooled", "target"}, default="pooled"
        Where rows go: to the mean and noise of all sites together, as in the paper; or to those of
        the pooled target rows, which then stay as they are.
    shrinkage : bool, default=True
        Whether a site's effects are shrunk towards its average over features (empirical Bayes),
        which matters when a site has few rows. Without it every feature stands alone.
    forgetting_factor : float, default=1.0
        In (0, 1]: factor by which the weight of a site's earlier rows is multiplied at each
        ``partial_fit`` with new ones; 1 keeps all history. ``fit`` does not use it.
    max_iter : int, default=500
        Largest number of iterations of the shrinkage.
    tol : float, default=1e-6
        The shrinkage stops when no estimate changes by more than this share of itself.

    Attributes
    ----------
    adjusted_, covariates_ : list of int
        Positions of the columns that are adjusted, and of the covariates.
    covariate_means_ : array of shape (n_covariates,)
        Mean of each covariate over the rows of all sites.
    grand_mean_ : array of shape (n_adjusted,)
        Mean of each adjusted column, without covariate effects.
    coef_ : array of shape (n_covariates, n_adjusted)
        Effects of the covariates.
    scale_ : array of shape (n_adjusted,)
        Pooled standard deviation of the noise.
    site_locations_, site_variances_ : dict
        By domain id, location and variance of the standardized columns, array of shape
        (n_adjusted,).
    site_moments_ : dict
        By domain id, count, mean and variance of the standardized columns, which ``partial_fit``
        goes on from.
    varies_ : ndarray of int
        Which of the adjusted columns have noise.
    n_iter_ : int
        Iterations of the shrinkage, of the slowest site.
    source_domains_, target_domains_ : list of int
        Ids seen in ``fit``.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if they had names.

    Raises
    ------
    ValueError
        In ``fit``, if a parameter is out of range, a covariate is not a column of X, or a domain
        has a single row. In ``transform``, for rows of a domain that was not fitted.

    See Also
    --------
    DomainScaler : Standardizes each domain without shrinkage or covariates.

    Notes
    -----
    With :math:`x = α + cβ + γ_k + δ_k ε` for rows of site k with covariates c, an adjusted row is
    :math:`α + cβ + (σ / δ^*_k)(z - γ^*_k)`, z being the standardized row [1]_. The starred effects
    are posterior means under priors that all features of a site share.

    It helps when sites differ in offset and gain, feature by feature, and some sites have few
    rows. It does not use labels: where the class balance differs between sites, part of that
    difference is removed, unless covariates account for it.

    Cost: :math:`O(nd)` and a few tens of cheap iterations, with q covariates :math:`O(nq(q + d))`.
    Fitted without ``sample_domain`` it is the identity: there is one site. Array level (a): runs
    on the device of its input.

    References
    ----------
    .. [1] W. E. Johnson, C. Li, A. Rabinovic, "Adjusting batch effects in microarray expression
       data using empirical Bayes methods", Biostatistics 8, 2007.
       doi:10.1093/biostatistics/kxj037.

    Examples
    --------
    >>> import numpy as np
    >>> from skda import ComBatTransformer
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(300, 5))
    >>> site = np.repeat([1, 2, -3], 100)
    >>> X[:100] = X[:100] * 3 + 5
    >>> harmonised = ComBatTransformer().fit_transform(X, sample_domain=site)
    >>> for rows in (X, harmonised):
    ...     gap = np.abs(rows[:100].mean(axis=0) - rows[200:].mean(axis=0)).max()
    ...     print(f"{gap:.1f}")
    5.4
    0.3
    """

    _array_level = "a"

    def __init__(
        self,
        *,
        strength=1.0,
        covariates=None,
        reference="pooled",
        shrinkage=True,
        forgetting_factor=1.0,
        max_iter=500,
        tol=1e-6,
    ):
        self.strength = strength
        self.covariates = covariates
        self.reference = reference
        self.shrinkage = shrinkage
        self.forgetting_factor = forgetting_factor
        self.max_iter = max_iter
        self.tol = tol

    @property
    def _per_target(self):
        # Pooled target rows stay as they are, so new targets need no map.
        return self.reference != "target"

    @property
    def _needs_target(self):
        return self.reference == "target"

    def _fit(self, data):
        if not self._start(data):
            return
        xp = data.xp
        site = self._sites_of(data.ids)
        sites, which = np.unique(site, return_inverse=True)
        X, C = self._split(data.X, data.backend)
        means = xp.mean(C, axis=0)
        # Centered, so that the grand mean is that of an average row.
        C = C - means
        coef = covariate_effects(X, C, as_like(np.eye(len(sites))[which], data.X))
        rest = X - C @ coef
        parts = {}
        for name in sites.tolist():
            rows = np.flatnonzero(site == name)
            size = xp.max(xp.abs(take_rows(X, rows)), axis=0)
            parts[name] = feature_moments(take_rows(rest, rows))._replace(size=size)
        self._learn(parts, coef, means, data.to_input)

    def _start(self, data):
        """Check the parameters, find the columns, and return whether there is more to learn."""
        self._check_params()
        covariates = column_positions("covariates", self.covariates, self, data.X.shape[1])
        adjusted = [j for j in range(data.X.shape[1]) if j not in covariates]
        self.covariates_, self.adjusted_ = covariates, adjusted
        self.site_locations_, self.site_variances_, self.n_iter_ = {}, {}, 1
        self.site_moments_ = {}
        if not has_reference(self, data) or not adjusted:
            return False
        counts = {}
        for domain in data.domains:
            (site,) = self._sites_of(np.array([domain])).tolist()
            counts[site] = counts.get(site, 0) + data.count(domain)
        for name, count in counts.items():
            if count < 2:
                raise ValueError(
                    f"ComBatTransformer needs at least 2 rows in each domain to see a variance; "
                    f"domain {name} has 1 sample. Add rows or leave that domain out."
                )
        return True

    def _sites_of(self, ids):
        """Return the site of each row: with a target as the reference all targets are one."""
        return np.where(ids < 0, -1, ids) if self.reference == "target" else ids

    def _learn(self, parts, coef, means, keep):
        """Keep the model of all sites and the effects of each, from moments by site."""
        pooled_target = self.reference == "target"
        # With a target as the reference it has neither shift nor scale of its own.
        model = site_model([parts[-1]] if pooled_target else list(parts.values()), coef)
        varies = np.flatnonzero(np.asarray(to_numpy(model.varies)))
        for name, m in parts.items():
            # The reference is not mapped; -1 would be mistaken for the id of a domain.
            if not (pooled_target and name == -1):
                self._set_site(name, standardized_moments(m, model), varies, keep)
        self.covariate_means_ = keep(means)
        self.grand_mean_ = keep(model.grand)
        self.coef_ = keep(model.coef)
        self.scale_ = keep(model.scale)
        self.varies_ = varies

    def _needs_rows(self, data):
        return None

    def _fit_sums(self, data, table):
        if not self._start(data):
            return
        self.covariate_means_ = np.empty(0)
        self.coef_ = np.empty((0, len(self.adjusted_)))
        if self.covariates_:
            sums = table.total("_covariate_sums_of")
            self.coef_ = covariate_effects_of_sums(sums.values())
            self.covariate_means_ = pooled(sums.values()).mean[: len(self.covariates_)]
        parts = dict(sorted(table.total("_sums_of").items()))
        self._learn(parts, self.coef_, self.covariate_means_, data.to_input)

    def _covariate_sums_of(self, data):
        site = self._sites_of(data.ids)
        split = self._split(data.X, data.backend)
        return {
            name: covariate_sums(*(take_rows(x, np.flatnonzero(site == name)) for x in split))
            for name in np.unique(site).tolist()
        }

    def _sums_of(self, data):
        """Return the moments of each site's rows, covariate effects taken off."""
        sums = {}
        site = self._sites_of(data.ids)
        for name in np.unique(site).tolist():
            X, C = self._split(take_rows(data.X, np.flatnonzero(site == name)), data.backend)
            means, coef = (
                data.backend.asarray(x, X.dtype) for x in (self.covariate_means_, self.coef_)
            )
            size = data.xp.max(data.xp.abs(X), axis=0)
            sums[name] = feature_moments(X - (C - means) @ coef)._replace(size=size)
        return sums

    def partial_fit(self, X, y=None, *, sample_domain=None):
        """Begin or refine the effects of sites from more rows of them, and change no other.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of known or new sites; rows of one side only are fine.
        y : Ignored
            Not used.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row, see :meth:`fit`.

        Returns
        -------
        self : object
            The transformer.

        Notes
        -----
        What all sites share, the grand mean, the effects of the covariates and the noise, is that
        of ``fit``, which the first call is.
        """
        if not hasattr(self, "site_moments_"):
            return self.fit(X, sample_domain=sample_domain)
        self._check_params()
        name = type(self).__name__
        if sample_domain is not None:
            check_knows_reference(self, self.site_moments_ or self.reference == "target")
        data = data_for_fit(self, X, None, sample_domain, one_sided=True, reset=False)
        if sample_domain is None:
            return self  # nothing to adapt to, which has been warned of
        new = {}
        for domain in data.domains:
            if domain < 0 and self.reference == "target":
                continue  # target rows stay as they are
            m = feature_moments(self._standardized(data.X_of(domain), data.backend))
            if domain in self.site_moments_:
                old = self.site_moments_[domain].at(data.backend.asarray)
                m = merge_feature_moments(old, m, forgetting_factor=self.forgetting_factor)
            if m.count < 2:
                raise ValueError(
                    f"{name} needs at least 2 rows in each domain to see a variance; domain "
                    f"{domain} has 1 sample. Add rows or leave that domain out."
                )
            new[domain] = m
        keep = data.to_input
        effects = {i: [keep(x) for x in self._effects(m, self.varies_)] for i, m in new.items()}
        found = {i: m.at(keep) for i, m in new.items()}
        # New objects, when all are found: the old ones stay valid if this batch fails.
        self.site_moments_ = self.site_moments_ | found
        self.site_locations_ = self.site_locations_ | {i: e[0] for i, e in effects.items()}
        self.site_variances_ = self.site_variances_ | {i: e[1] for i, e in effects.items()}
        add_domains(self, data)
        return self

    def _standardized(self, X, backend):
        """Return rows as noise in units of its spread, plus the effects of their site."""
        given, C = self._split(X, backend)
        base, scale = self._base(C, backend)
        return (given - base) / scale

    def _base(self, C, backend):
        """Return what a row of these covariates is without a site, and the spread of the noise."""
        grand, coef, scale, means = (
            backend.asarray(getattr(self, name), C.dtype)
            for name in ("grand_mean_", "coef_", "scale_", "covariate_means_")
        )
        return grand + (C - means) @ coef, scale

    def _set_site(self, name, m, varies, keep):
        self.site_moments_[name] = m.at(keep)
        self.site_locations_[name], self.site_variances_[name] = (
            keep(x) for x in self._effects(m, varies)
        )

    def _effects(self, m, varies):
        """Return location and variance of one site; features without noise are only shifted."""
        xp = namespace(m.mean)
        squares = m.variance * m.count
        location, variance = m.mean, squares / (m.count - 1.0)
        if self.shrinkage and len(varies):
            index = backend_of(location).asarray(varies)
            mean, squares = (xp.take(x, index) for x in (location, squares))
            shrunk = shrunken_site_effects(
                m.count, mean, squares, max_iter=self.max_iter, tol=self.tol
            )
            self.n_iter_ = max(self.n_iter_, shrunk[2])
            back = np.zeros(location.shape[0], dtype=np.int64)
            back[varies] = np.arange(len(varies))
            mask = np.zeros(location.shape[0], dtype=bool)
            mask[varies] = True
            back, mask = backend_of(location).asarray(back), backend_of(location).asarray(mask)
            location = xp.where(mask, xp.take(shrunk[0], back), location)
            variance = xp.where(mask, xp.take(shrunk[1], back), variance)
        # Between the variance of rounding in standardized values, about eps², and any real one.
        tiny = float(xp.finfo(location.dtype).eps) ** 1.5
        return location, xp.where(variance > tiny, variance, xp.ones_like(variance))

    def _map(self, X, domain, backend):
        if self.strength == 0 or not self.site_locations_:
            return X
        if domain not in self.site_locations_:
            if domain < 0 and self.reference == "target":
                return X
            domain = self.target_domains_[0]  # rows of no stated domain, of the only target
        xp = backend.xp
        location = backend.asarray(self.site_locations_[domain], X.dtype)
        variance = backend.asarray(self.site_variances_[domain], X.dtype)
        given, C = self._split(X, backend)
        base, scale = self._base(C, backend)
        moved = base + (given - base - location * scale) / xp.sqrt(variance)
        if self.strength != 1:
            moved = given + (moved - given) * float(self.strength)
        both = xp.concat([moved, C], axis=1)
        # Back to the order of the user's columns.
        order = np.argsort([*self.adjusted_, *self.covariates_])
        return xp.take(both, backend.asarray(order), axis=1)

    def _split(self, X, backend):
        """Return the adjusted columns and the covariates."""
        return take_columns(X, self.adjusted_, backend), take_columns(X, self.covariates_, backend)

    def _check_params(self):
        check_strength(self.strength)
        check_bool("shrinkage", self.shrinkage)
        check_option("reference", self.reference, ("pooled", "target"))
        check_forgetting_factor(self.forgetting_factor)
        check_integer("max_iter", self.max_iter, low=1)
        check_real("tol", self.tol, low=0, closed="neither")
