"""Effects of sites and of covariates on features: the formulas of ComBat."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.preprocessing import SplineTransformer

from .._array._arithmetic import safe_divide
from .._array._backend import backend_of, device_of, namespace
from .._numerics._linalg import spd_eigen
from ._domain_scaler import FeatureMoments, feature_moments

# Ten cubic B-splines a covariate, as other packages take; the penalty, and not the number of
# knots, decides how smooth the effect is.
_N_KNOTS, _DEGREE = 8, 3
# Weights of the penalty from that of a straight line to that of no penalty, in units that make
# both terms alike, four a decade. Smooth ones come first: where nothing tells them apart, a line.
_PENALTY_WEIGHTS = tuple(10.0 ** (6.0 - 0.25 * k) for k in range(41))
# Cross-validation that counts each parameter 1.4 times chooses too rough a curve less often
# (Kim and Gu 2004).
_PARAMETER_COST = 1.4
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


def covariate_effects(X, covariates, membership, penalty=None):
    """Return the effects of covariates on features by least squares, (q, d), sites aside.

    Parameters
    ----------
    X : array of shape (n, d)
    covariates : array of shape (n, q)
        Without the constant; q may be 0.
    membership : array of shape (n, n_sites)
        1 where a row is of a site, else 0.
    penalty : array of shape (q, q), default=None
        Penalty on the covariate effects of each feature, whose weight cross-validation chooses;
        None: least squares.
    """
    xp = namespace(X)
    if not covariates.shape[1]:
        return xp.zeros((0, X.shape[1]), dtype=X.dtype, device=device_of(X))
    column = xp.reshape(xp.sum(membership, axis=0), (-1, 1))
    # Within sites first (Frisch-Waugh): the effects follow from rows centered per site.
    Z = covariates - membership @ ((membership.T @ covariates) / column)
    Y = X - membership @ ((membership.T @ X) / column)
    if penalty is None:
        return least_squares_effects(Z, Y)
    return smooth_effects(Z, Y, penalty, n_means=membership.shape[1])


class CovariateSums(NamedTuple):
    """Count, means of covariates and columns, scatter of the covariates with both, column sizes."""

    count: float  # type: ignore[assignment]  # hides tuple.count
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


def covariate_effects_of_sums(parts):
    """Return the effects of least squares from the sums over each site, by the normal equations."""
    scatter = sum(part.scatter for part in parts)
    q = len(scatter)
    # The equations have the squares of the singular values, and rounding of the largest.
    return np.linalg.pinv(scatter[:, :q], rcond=_SINGULAR, hermitian=True) @ scatter[:, q:]


def site_moments(X, covariates, coef):
    """Return the moments of the rows of one site, covariate effects taken off.

    Their ``size`` is the largest absolute value before that: rounding is as large as it is there.
    """
    xp = namespace(X)
    return feature_moments(X - covariates @ coef)._replace(size=xp.max(xp.abs(X), axis=0))


def site_model(parts, coef):
    """Return the model of these sites from the :func:`site_moments` of each."""
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


def least_squares_effects(Z, Y):
    """Return the coefficients of least squares, (q, d); 0 where the rows leave them open."""
    xp = namespace(Z)
    U, s, Vh = xp.linalg.svd(Z, full_matrices=False)
    # Covariates that are constant within sites, or copies of others, have no effect of their
    # own that the rows determine.
    kept = s > float(xp.finfo(Z.dtype).eps) * Z.shape[0] * float(xp.max(s))
    inverse = safe_divide(xp.ones_like(s), xp.where(kept, s, xp.zeros_like(s)))
    return Vh.T @ (xp.reshape(inverse, (-1, 1)) * (U.T @ Y))


def spline_basis(columns, ranges):
    """Return the splines of scikit-learn's ``SplineTransformer`` on equal steps over given ranges.

    Parameters
    ----------
    columns : ndarray of shape (n, q)
        Covariates, on the host.
    ranges : ndarray of shape (2, q)
        Lowest and highest value of each in ``fit``. Beyond it a spline goes on in a straight line.

    Returns
    -------
    basis : ndarray of shape (n, 9 q)
    """
    low, high = ranges
    # A covariate that does not vary has no range; any will do, since its effect is none.
    high = np.where(high > low, high, low + 1.0)
    splines = SplineTransformer(
        knots=np.linspace(low, high, _N_KNOTS),
        degree=_DEGREE,
        extrapolation="linear",
        # All of them add up to 1, which the means of the sites are for.
        include_bias=False,
    )
    # It learns nothing but the knots. Kept as ranges, they can be stored in any format.
    return splines.fit(ranges).transform(columns)


def curvature_penalty(n_linear, n_smooth):
    """Return the matrix of squared second differences of the spline coefficients.

    ``n_linear`` covariates in front are free. The one spline that :func:`spline_basis` leaves out
    has the coefficient 0, which loses nothing: a difference does not see a constant.
    """
    n_splines = _N_KNOTS + _DEGREE - 1
    differences = np.diff(np.eye(n_splines), n=2, axis=0)[:, :-1]
    one, width = differences.T @ differences, n_splines - 1
    penalty = np.zeros((n_linear + n_smooth * width,) * 2)
    for k in range(n_smooth):
        part = slice(n_linear + k * width, n_linear + (k + 1) * width)
        penalty[part, part] = one
    return penalty


def smooth_effects(Z, Y, penalty, *, n_means):
    """Return the coefficients of penalized least squares, (q, d), each feature as smooth as fits.

    Parameters
    ----------
    Z, Y : array of shape (n, q), (n, d)
        Covariates and features, about the means of their sites.
    penalty : array of shape (q, q)
    n_means : int
        Number of means that were taken off, which count as parameters.

    Notes
    -----
    Each feature minimizes ``‖y - Zβ‖² + λ βᵀSβ`` with the λ of generalized cross-validation
    (Golub, Heath and Wahba 1979). In the directions that make both terms diagonal every λ costs
    O(qd).
    """
    xp, n = namespace(Z), Z.shape[0]
    # Free covariates in units of their spread, or one in the thousands would decide what rounding
    # is. Splines are of one unit already.
    spread = xp.sqrt(xp.mean(Z * Z, axis=0))
    spread = xp.where(xp.linalg.diagonal(penalty) > 0, xp.ones_like(spread), spread)
    unit = safe_divide(xp.ones_like(spread), spread)
    Z = Z * unit
    S = penalty * unit * xp.reshape(unit, (-1, 1))
    fit, size = Z.T @ Z, float(xp.linalg.trace(S))
    S = S * (float(xp.linalg.trace(fit)) / size if size > 0 else 0.0)
    B, a, rough = diagonalizing(fit, S)
    b = B.T @ (Z.T @ Y)
    total = xp.sum(Y * Y, axis=0)
    shares, scores = [], []
    for weight in _PENALTY_WEIGHTS:
        share = safe_divide(xp.ones_like(a), a + rough * weight)
        rest = total - xp.sum(b * b * xp.reshape(share * (2.0 - a * share), (-1, 1)), axis=0)
        free = n - n_means - _PARAMETER_COST * float(xp.sum(a * share))
        # As many parameters as rows would fit anything.
        scores.append(rest / free**2 if free > 0 else xp.full_like(rest, float("inf")))
        shares.append(share)
    best = xp.argmin(xp.stack(scores), axis=0)
    share = xp.take(xp.stack(shares), best, axis=0)
    return (B @ (share.T * b)) * xp.reshape(unit, (-1, 1))


def diagonalizing(A, S):
    """Return B, a and s such that ``BᵀAB`` is the diagonal a, ``BᵀSB`` the diagonal s = 1 - a."""
    xp = namespace(A)
    values, T = spd_eigen(A + S)
    T = T * safe_divide(xp.ones_like(values), xp.sqrt(values))
    inner = T.T @ A @ T
    a, turn = xp.linalg.eigh((inner + inner.T) * 0.5)
    a = xp.clip(a, min=0.0, max=1.0)
    # What S leaves free must stay free under any weight of S, which would make rounding large.
    rounding = 10.0 * a.shape[0] * float(xp.finfo(a.dtype).eps)
    return T @ turn, a, xp.where(1.0 - a > rounding, 1.0 - a, xp.zeros_like(a))


def site_effects(n, mean, squares, shrunken, *, max_iter, tol):
    """Return location and variance of each feature at one site, and the number of iterations.

    Parameters
    ----------
    n : float
    mean, squares : array of shape (d,)
        Of :func:`shrunken_site_effects`.
    shrunken : ndarray of int
        Features that are shrunk together; those without noise are only shifted.
    max_iter, tol
        Of :func:`shrunken_site_effects`.
    """
    xp, backend = namespace(mean), backend_of(mean)
    location, variance, n_iter = mean, squares / (n - 1.0), 1
    if len(shrunken):
        index = backend.asarray(shrunken)
        some = (xp.take(x, index) for x in (mean, squares))
        *shrunk, n_iter = shrunken_site_effects(n, *some, max_iter=max_iter, tol=tol)
        back = np.zeros(mean.shape[0], dtype=np.int64)
        back[shrunken] = np.arange(len(shrunken))
        mask = np.zeros(mean.shape[0], dtype=bool)
        mask[shrunken] = True
        back, mask = backend.asarray(back), backend.asarray(mask)
        location = xp.where(mask, xp.take(shrunk[0], back), location)
        variance = xp.where(mask, xp.take(shrunk[1], back), variance)
    # Between the variance of rounding in standardized values, about eps², and any real one.
    tiny = float(xp.finfo(location.dtype).eps) ** 1.5
    return location, xp.where(variance > tiny, variance, xp.ones_like(variance)), n_iter


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
