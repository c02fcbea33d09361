"""ComBat: harmonise sites by location and scale, with empirical-Bayes shrinkage over features."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Literal, Self

import numpy as np
from sklearn.base import OneToOneFeatureMixin

from .._array._backend import as_like, to_numpy
from .._array._rows import join_rows, take_columns, take_rows
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
from .._core._typing import ArrayLike, DomainIds
from .._core._validation import data_for_fit
from ._combat_steps import CovarianceStep, check_covariance_components, fit_batches
from ._direction import add_domains, check_knows_reference, has_reference
from ._domain_scaler import feature_moments, merge_feature_moments
from ._site_effects import (
    covariate_effects,
    covariate_effects_of_sums,
    covariate_sums,
    curvature_penalty,
    site_effects,
    site_model,
    site_moments,
    spline_basis,
    standardized_moments,
)


def check_two_rows(domain, count):
    """Raise if a domain has a single row."""
    if count < 2:
        raise ValueError(
            f"ComBatTransformer needs at least 2 rows in each domain to see a variance; domain "
            f"{domain} has 1 sample. Add rows or leave that domain out."
        )


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
    smooth_covariates : int, str, list of these, or None, default=None
        Covariates whose effect is a curve and not a line (ComBat-GAM [3]_): age over a whole life.
        They need not be listed in `covariates` too. Beyond the values of ``fit`` a curve goes on
        in a straight line.
    nested_batches : int, str, list of these, or None, default=None
        Columns of X that hold other batch variables as numbers: scanner, protocol, plate. Their
        effects are removed one after the other, and then those of the domains (nested ComBat
        [4]_). The columns pass through unchanged. Only with ``reference="pooled"``.
    batch_order : {"given", "best"}, default="given"
        In which order: as `nested_batches` lists them, or in the order after which the fewest
        features tell batches apart, of all orders of up to four columns. Domains come last, so
        that later ones can join.
    reference : {"pooled", "target"} or int, default="pooled"
        Where rows go: to the mean and noise of all sites together, as in the paper; to those of
        the pooled target rows; or to those of the domain with this id, a reference site. The rows
        of the reference stay as they are.
    shrinkage : bool, default=True
        Whether a site's effects are shrunk towards its average over features (empirical Bayes),
        which matters when a site has few rows. Without it every feature stands alone.
    covariance_components : float, int or None, default=None
        Whether sites get the same covariance too (CovBat [2]_): the scores of so many principal
        components of the residuals, or of as many as explain this proportion of their variance,
        are harmonised as well. The paper takes 0.95. None leaves covariances alone.
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
        Positions of the columns that are adjusted, and of all covariates, smooth ones last.
    smooth_covariates_ : list of int
        Positions of the smooth covariates.
    batches_ : list of int
        Positions of the columns of `nested_batches`, in the order in which they are harmonised.
    batch_steps_ : list
        For each of them the column, its known values and a fitted ComBat of its own.
    covariate_means_ : array of shape (n_effects,)
        Mean of each covariate over the rows of all sites; for each of `smooth_covariates`, which
        come last, those of its nine splines.
    grand_mean_ : array of shape (n_adjusted,)
        Mean of each adjusted column, without covariate effects.
    coef_ : array of shape (n_effects, n_adjusted)
        Effects of the covariates, and of the splines.
    spline_ranges_ : ndarray of shape (2, n_smooth_covariates) or None
        Lowest and highest value of each smooth covariate.
    scale_ : array of shape (n_adjusted,)
        Pooled standard deviation of the noise.
    site_locations_, site_variances_ : dict
        By domain id, location and variance of the standardized columns, array of shape
        (n_adjusted,).
    site_moments_ : dict
        By domain id, count, mean and variance of the standardized columns, which ``partial_fit``
        goes on from.
    covariance_step_ : object or None
        Mean, scale and loadings of the principal components of the residuals, and the ComBat of
        their scores.
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
        In ``fit``, if a parameter is out of range, a covariate is not a column of X, the reference
        is not a domain of the rows, or a domain or batch has a single row. In ``transform``, for
        rows of a domain or batch that was not fitted.

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

    A smooth effect is a sum of cubic B-splines on equal steps, with a penalty on second differences
    of their coefficients whose weight generalized cross-validation chooses for each feature. With
    ``covariance_components`` the adjusted rows, less :math:`α + cβ`, are brought to unit variance
    and turned to principal components; a site's scores then get the mean and variance of all
    sites' scores, without shrinkage, and are turned back. That takes more rows a site than
    locations and scales do.

    Cost: :math:`O(nd)` and a few tens of cheap iterations, with q covariates or splines
    :math:`O(nq(q + d))`, with ``covariance_components`` :math:`O(nd \\min(n, d))` more. Fitted
    without ``sample_domain`` it is the identity: there is one site. Array level (a): runs on the
    device of its input; splines are evaluated on the host, and so are the tests of
    ``batch_order="best"``.

    References
    ----------
    .. [1] W. E. Johnson, C. Li, A. Rabinovic, "Adjusting batch effects in microarray expression
       data using empirical Bayes methods", Biostatistics 8, 2007.
       doi:10.1093/biostatistics/kxj037.
    .. [2] A. A. Chen, J. C. Beer, N. J. Tustison, P. A. Cook, R. T. Shinohara, H. Shou,
       "Mitigating site effects in covariance for machine learning in neuroimaging data", Human
       Brain Mapping 43, 2022. doi:10.1002/hbm.25688.
    .. [3] R. Pomponio et al., "Harmonization of large MRI datasets for the analysis of brain
       imaging patterns throughout the lifespan", NeuroImage 208, 2020.
       doi:10.1016/j.neuroimage.2019.116450.
    .. [4] H. Horng et al., "Generalized ComBat harmonization methods for radiomic features with
       multi-modal distributions and multiple batch effects", Scientific Reports 12, 2022.
       doi:10.1038/s41598-022-08412-9.

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
        strength: float = 1.0,
        covariates: int | str | Sequence[int | str] | None = None,
        smooth_covariates: int | str | Sequence[int | str] | None = None,
        nested_batches: int | str | Sequence[int | str] | None = None,
        batch_order: Literal["given", "best"] = "given",
        reference: int | Literal["pooled", "target"] = "pooled",
        shrinkage: bool = True,
        covariance_components: float | None = None,
        forgetting_factor: float = 1.0,
        max_iter: int = 500,
        tol: float = 1e-6,
    ):
        self.strength = strength
        self.covariates = covariates
        self.smooth_covariates = smooth_covariates
        self.nested_batches = nested_batches
        self.batch_order = batch_order
        self.reference = reference
        self.shrinkage = shrinkage
        self.covariance_components = covariance_components
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

    @property
    def _n_linear(self):
        """How many of the covariates, the first ones, have a linear effect."""
        return len(self.covariates_) - len(self.smooth_covariates_)

    def _fit(self, data):
        if not self._start(data):
            return
        site = self._sites_of(data.ids)
        X, C = self._fit_batches(data)
        self._fit_sites(X, C, site, data)
        if self.covariance_components is not None:
            self.covariance_step_ = CovarianceStep.fit(
                self._residuals(X, C, data, self._effects_of),
                data.ids,
                self.covariance_components,
                self._inner(shrinkage=False, reference=self.reference),
                data,
            )

    def _start(self, data):
        """Check the parameters, find the columns, and return whether there is more to learn."""
        self._check_params()
        self._find_columns(data.X.shape[1])
        self.site_locations_, self.site_variances_, self.n_iter_ = {}, {}, 1
        self.site_moments_, self.batch_steps_, self.covariance_step_ = {}, [], None
        self.spline_ranges_ = None
        if not has_reference(self, data) or not self.adjusted_:
            return False
        self._check_reference(data)
        counts = {}
        for domain in data.domains:
            (site,) = self._sites_of(np.array([domain])).tolist()
            counts[site] = counts.get(site, 0) + data.count(domain)
        for name, count in counts.items():
            check_two_rows(name, count)
        return True

    def _sites_of(self, ids):
        """Return the site of each row: with a target as the reference all targets are one."""
        return np.where(ids < 0, -1, ids) if self.reference == "target" else ids

    def _reference_site(self):
        """Return the site that the others are brought to."""
        # -1 would be mistaken for the id of a domain: it is a name within a fit.
        return -1 if self.reference == "target" else int(self.reference)

    def _fit_sites(self, X, C, site, data):
        """Fit and keep the model that all sites share, and the effects of each."""
        xp = data.xp
        n_smooth = len(self.smooth_covariates_)
        if n_smooth:
            smooth = np.asarray(to_numpy(C[:, self._n_linear :]), dtype=np.float64)
            self.spline_ranges_ = np.stack([smooth.min(axis=0), smooth.max(axis=0)])
        design = self._design(C, data.backend)
        means = xp.mean(design, axis=0)
        # Centered, so that the grand mean is that of an average row.
        design = design - means
        sites, which = np.unique(site, return_inverse=True)
        membership = as_like(np.eye(len(sites))[which], data.X)
        penalty = None
        if n_smooth:
            penalty = as_like(curvature_penalty(self._n_linear, n_smooth), data.X)
        coef = covariate_effects(X, design, membership, penalty)
        parts = {}
        for name in sites.tolist():
            rows = np.flatnonzero(site == name)
            parts[name] = site_moments(take_rows(X, rows), take_rows(design, rows), coef)
        self._learn(parts, coef, means, data.to_input)

    def _learn(self, parts, coef, means, keep):
        """Keep the model of all sites and the effects of each, from moments by site."""
        pooled_sites = self.reference == "pooled"
        about = list(parts.values()) if pooled_sites else [parts[self._reference_site()]]
        model = site_model(about, coef)
        self.covariate_means_, self.grand_mean_ = keep(means), keep(model.grand)
        self.coef_, self.scale_ = keep(model.coef), keep(model.scale)
        self.varies_ = np.flatnonzero(np.asarray(to_numpy(model.varies)))
        for name, m in parts.items():
            # The reference is not mapped.
            if pooled_sites or name != self._reference_site():
                m = standardized_moments(m, model)
                self._set_site(name, m, self._effects(m), keep)

    def _needs_rows(self, data):
        for name in ("smooth_covariates", "nested_batches", "covariance_components"):
            if getattr(self, name) is not None:
                return f"{name} is not fitted from sums"
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
            sums[name] = site_moments(X, C - means, coef)
        return sums

    def _find_columns(self, n_features):
        """Keep the positions of the columns by what is done with them."""
        given = {
            name: column_positions(name, getattr(self, name), self, n_features)
            for name in ("covariates", "smooth_covariates", "nested_batches")
        }
        self.smooth_covariates_ = given["smooth_covariates"]
        linear = [j for j in given["covariates"] if j not in self.smooth_covariates_]
        # Smooth ones last, in front of which the linear ones are their own design.
        self.covariates_ = [*linear, *self.smooth_covariates_]
        both = set(self.covariates_) & set(given["nested_batches"])
        if both:
            raise ValueError(
                f"nested_batches and the covariates must be different columns; both have "
                f"{sorted(both)}. A covariate is kept, the effect of a batch is removed."
            )
        self.batches_ = self._in_given_order(given["nested_batches"], n_features)
        aside = {*self.covariates_, *self.batches_}
        self.adjusted_ = [j for j in range(n_features) if j not in aside]

    def _in_given_order(self, positions, n_features):
        """Return the columns of `nested_batches` as the user ordered them."""
        columns = self.nested_batches
        if len(positions) < 2:
            return positions
        found = [column_positions("nested_batches", c, self, n_features)[0] for c in columns]
        return list(dict.fromkeys(found))

    def _fit_batches(self, data):
        """Fit the steps of the batch columns; return columns without their effects, covariates."""
        X, C = self._split(data.X, data.backend)
        if not self.batches_:
            return X, C
        both = data.xp.concat([X, C], axis=1)
        given = self._batch_values(data.X, data.backend)
        self.batch_steps_, both = fit_batches(
            self.batches_, both, given, self._inner_with_covariates, data, order=self.batch_order
        )
        self.batches_ = [step.column for step in self.batch_steps_]
        return both[:, : X.shape[1]], C

    def _inner_with_covariates(self):
        """Return an unfitted ComBat for the adjusted columns, followed by the covariates."""
        positions = [len(self.adjusted_) + k for k in range(len(self.covariates_))]
        return self._inner(
            covariates=positions[: self._n_linear],
            smooth_covariates=positions[self._n_linear :],
            shrinkage=self.shrinkage,
        )

    def _inner(self, **params):
        """Return an unfitted ComBat for a step, which ends its iterations like this one."""
        return ComBatTransformer(
            max_iter=self.max_iter,
            tol=self.tol,
            forgetting_factor=self.forgetting_factor,
            **params,
        )

    def _batch_values(self, X, backend):
        """Return the values of each batch column, on the host."""
        return {
            j: np.asarray(to_numpy(take_columns(X, [j], backend))).ravel() for j in self.batches_
        }

    def partial_fit(
        self, X: ArrayLike, y: object = None, *, sample_domain: DomainIds | None = None
    ) -> Self:
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
        What all sites share, the grand mean, the effects of the covariates, the noise and the
        principal components, is that of ``fit``, which the first call is. Of `nested_batches`, new
        values are learnt, and known ones keep their effects, which other sites share. Scores of
        earlier rows of a site keep the values that they had under its effects of the time.
        """
        if not hasattr(self, "site_moments_"):
            return self.fit(X, sample_domain=sample_domain)
        self._check_params()
        if sample_domain is not None:
            check_knows_reference(self, hasattr(self, "scale_"))
        data = data_for_fit(self, X, None, sample_domain, one_sided=True, reset=False)
        if sample_domain is None:
            return self  # nothing to adapt to, which has been warned of
        steps, X, C = self._more_batches(data)
        new, effects = {}, {}
        for domain in data.domains:
            if self._stays(domain):
                continue
            rows = data.rows(domain)
            base, scale = self._base(take_rows(C, rows), data.backend)
            m = feature_moments((take_rows(X, rows) - base) / scale)
            if domain in self.site_moments_:
                old = self.site_moments_[domain].at(data.backend.asarray)
                m = merge_feature_moments(old, m, forgetting_factor=self.forgetting_factor)
            check_two_rows(domain, m.count)
            new[domain], effects[domain] = m, self._effects(m)
        covariance_step = self.covariance_step_
        if covariance_step is not None:
            residuals = self._residuals(X, C, data, effects.get)
            covariance_step = covariance_step.with_rows(residuals, data.ids, data)
        keep = data.to_input
        found = {i: m.at(keep) for i, m in new.items()}
        effects = {i: [keep(x) for x in e] for i, e in effects.items()}
        # New objects, when all are found: the old ones stay valid if this batch fails.
        self.site_moments_ = self.site_moments_ | found
        self.site_locations_ = self.site_locations_ | {i: e[0] for i, e in effects.items()}
        self.site_variances_ = self.site_variances_ | {i: e[1] for i, e in effects.items()}
        self.batch_steps_, self.covariance_step_ = steps, covariance_step
        add_domains(self, data)
        return self

    def _more_batches(self, data):
        """Return the steps with new batches learnt; columns without their effects; covariates."""
        X, C = self._split(data.X, data.backend)
        given = self._batch_values(data.X, data.backend)
        both, steps = data.xp.concat([X, C], axis=1), []
        for step in self.batch_steps_:
            steps.append(step.with_new_values(both, given[step.column], data))
            both = steps[-1].map(both, given[step.column], data.backend)
        return steps, both[:, : X.shape[1]], C

    def _residuals(self, X, C, data, effects_of):
        """Return harmonised rows, less what they are without a site."""
        pieces, index = [], [data.rows(domain) for domain in data.domains]
        for domain, rows in zip(data.domains, index, strict=True):
            base, scale = self._base(take_rows(C, rows), data.backend)
            rest = take_rows(X, rows) - base
            if not self._stays(domain):
                location, variance = (data.backend.asarray(x) for x in effects_of(domain))
                rest = (rest - location * scale) / data.xp.sqrt(variance)
            pieces.append(rest)
        return join_rows(pieces, index)

    def _base(self, C, backend):
        """Return what a row of these covariates is without a site, and the spread of the noise."""
        grand, coef, scale, means = (
            backend.asarray(getattr(self, name), C.dtype)
            for name in ("grand_mean_", "coef_", "scale_", "covariate_means_")
        )
        return grand + (self._design(C, backend) - means) @ coef, scale

    def _design(self, C, backend):
        """Return the covariates with the splines of the smooth ones in their place."""
        if not self.smooth_covariates_:
            return C
        smooth = np.asarray(to_numpy(C[:, self._n_linear :]), dtype=np.float64)
        splines = backend.asarray(spline_basis(smooth, self.spline_ranges_), C.dtype)
        return backend.xp.concat([C[:, : self._n_linear], splines], axis=1)

    def _set_site(self, name, m, effects, keep):
        self.site_moments_[name] = m.at(keep)
        self.site_locations_[name], self.site_variances_[name] = (keep(x) for x in effects)

    def _effects(self, m):
        """Return location and variance of one site."""
        location, variance, n_iter = site_effects(
            m.count,
            m.mean,
            m.variance * m.count,
            self.varies_ if self.shrinkage else np.empty(0, dtype=np.int64),
            max_iter=self.max_iter,
            tol=self.tol,
        )
        self.n_iter_ = max(self.n_iter_, n_iter)
        return location, variance

    def _stays(self, domain):
        """Return whether rows of a domain are those that the others are brought to."""
        if isinstance(self.reference, str):
            return self.reference == "target" and domain < 0
        return domain == self.reference

    def _effects_of(self, domain):
        return self.site_locations_[domain], self.site_variances_[domain]

    def _map(self, X, domain, backend):
        if self.strength == 0 or not self.site_locations_ or self._stays(domain):
            return X
        if domain not in self.site_locations_:
            domain = self.target_domains_[0]  # rows of no stated domain, of the only target
            if self._stays(domain):
                return X
        xp = backend.xp
        given, C = self._split(X, backend)
        moved = self._without_batches(given, C, X, backend)
        location, variance = (backend.asarray(x, X.dtype) for x in self._effects_of(domain))
        base, scale = self._base(C, backend)
        rest = (moved - base - location * scale) / xp.sqrt(variance)
        if self.covariance_step_ is not None:
            rest = rest + self.covariance_step_.change(rest, domain, backend)
        moved = base + rest
        if self.strength != 1:
            moved = given + (moved - given) * float(self.strength)
        kept = take_columns(X, [*self.covariates_, *self.batches_], backend)
        # Back to the order of the user's columns.
        order = np.argsort([*self.adjusted_, *self.covariates_, *self.batches_])
        return xp.take(xp.concat([moved, kept], axis=1), backend.asarray(order), axis=1)

    def _without_batches(self, given, C, X, backend):
        """Return the adjusted columns without the effects of the batch columns."""
        if not self.batch_steps_:
            return given
        both, values = backend.xp.concat([given, C], axis=1), self._batch_values(X, backend)
        for step in self.batch_steps_:
            both = step.map(both, values[step.column], backend)
        return both[:, : given.shape[1]]

    def _split(self, X, backend):
        """Return the adjusted columns and the covariates."""
        return take_columns(X, self.adjusted_, backend), take_columns(X, self.covariates_, backend)

    def _check_params(self):
        check_strength(self.strength)
        check_bool("shrinkage", self.shrinkage)
        check_option("batch_order", self.batch_order, ("given", "best"))
        if isinstance(self.reference, bool) or not isinstance(self.reference, Integral):
            hint = "Or pass the id of a domain, a reference site."
            check_option("reference", self.reference, ("pooled", "target"), hint=hint)
        if self.nested_batches is not None and self.reference != "pooled":
            raise ValueError(
                f"nested_batches needs reference='pooled'; got {self.reference!r}. The rows of a "
                "reference have batches of their own and could not stay as they are."
            )
        check_covariance_components(self.covariance_components)
        check_forgetting_factor(self.forgetting_factor)
        check_integer("max_iter", self.max_iter, low=1)
        check_real("tol", self.tol, low=0, closed="neither")

    def _check_reference(self, data):
        if not isinstance(self.reference, str) and self.reference not in data.domains:
            raise ValueError(
                f"reference must be 'pooled', 'target' or the id of a domain of the rows; got "
                f"{self.reference!r}, and sample_domain has {data.domains}. Name one of these."
            )
