"""The numerics of CORAL: the dense map and the map of low rank."""

import math
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from .._array._backend import namespace
from .._core._param_checks import check_option, check_real
from .._numerics._covariance import SHRINKAGE_RULES, Moments, gram_sums, scatter_sums
from .._numerics._linalg import low_rank_power, spd_eigen


def check_covariance_reg(reg):
    """Return ``reg`` if it is a non-negative number or the name of a shrinkage rule."""
    if isinstance(reg, str):
        return check_option("reg", reg, sorted(SHRINKAGE_RULES), hint="Or pass a number.")
    names = " or ".join(repr(name) for name in sorted(SHRINKAGE_RULES))
    return check_real(
        "reg", reg, low=0, hint=f"It is added to the diagonals of the covariances. Or pass {names}."
    )


def scale_and_ridge(sums, reg):
    """Return ``(a, λ)`` such that the regularized covariance is ``a · scatter + λ I``."""
    # A single row has scatter zero, whatever it is divided by.
    ddof = max(sums.count - 1.0, 1.0)
    if not isinstance(reg, str):
        return 1.0 / ddof, float(reg)
    shrinkage = SHRINKAGE_RULES[reg](sums)
    return (1.0 - shrinkage) / ddof, shrinkage * sums.trace / (ddof * sums.n_features)


def coral_map(source, target, *, strength=1.0, reg=1.0):
    """Return ``A = (C_s + λ_s I)^{-1/2} ((1-σ)(C_s + λ_s I) + σ(C_t + λ_t I))^{1/2}``.

    ``source`` and ``target`` are :class:`~skda._numerics._covariance.Moments`; σ is ``strength``.
    With ``reg=0``, directions in which the source does not vary (to working precision) are
    dropped, the limit of a vanishing regularization.
    """
    a_s, ridge_s = scale_and_ridge(scatter_sums(source), reg)
    a_t, ridge_t = scale_and_ridge(scatter_sums(target), reg)
    C_s, C_t = source.scatter * a_s, target.scatter * a_t
    whiten = spd_eigen(C_s).power(-0.5, reg=ridge_s)
    # At 1, the default, the source has no part in it: two d x d matrices are saved.
    mixed = C_t if strength == 1 else C_s * (1.0 - strength) + C_t * strength
    color = spd_eigen(mixed).power(0.5, reg=(1.0 - strength) * ridge_s + strength * ridge_t)
    return whiten @ color


def sparse_moments(X, *, quartic=False):
    """Return the moments of CSR rows; the scatter is a dense d x d matrix."""
    n = X.shape[0]
    mean = np.asarray(X.mean(axis=0)).ravel()
    # XᵀX - n m mᵀ keeps X sparse; it loses digits where the mean is large beside the spread, which
    # sparse rows seldom have.
    scatter = (X.T @ X).toarray() - n * np.outer(mean, mean)
    fourth = third = None
    if quartic:
        norms = np.asarray(X.multiply(X).sum(axis=1)).ravel() - 2 * (X @ mean) + mean @ mean
        fourth, third = float(norms @ norms), X.T @ norms - norms.sum() * mean
    return Moments(float(n), mean, scatter, fourth, third)


class CenteredRows(NamedTuple):
    """``factor · (rows - mean)``, where the rows may be a CSR matrix, which is never centered."""

    rows: Any
    mean: Any
    factor: float

    @classmethod
    def of(cls, X):
        """Return the rows of X less their mean."""
        if sparse.issparse(X):
            return cls(X, np.asarray(X.mean(axis=0)).ravel(), 1.0)
        mean = namespace(X).mean(X, axis=0)
        return cls(X - mean, mean, 1.0)

    def times_transpose(self, other):
        """Return the products of these rows (n) with other ones (m) as an n x m matrix."""
        product = self.rows @ other.rows.T
        if sparse.issparse(product):
            product = product.toarray()
            # The four terms of (x - m)ᵀ(y - m'), of which only the first is a product of rows.
            product -= (self.rows @ other.mean)[:, None]
            product -= (other.rows @ self.mean)[None, :] - self.mean @ other.mean
        return product * (self.factor * other.factor)

    def add_combination(self, total, weights):
        """Add ``weights`` (m x n) times these rows to ``total`` (m x d), and return it."""
        weights = weights * self.factor
        total += weights @ self.rows
        if sparse.issparse(self.rows):
            # What centering would have taken off each of the rows that are added.
            total -= np.outer(weights.sum(axis=1), self.mean)
        return total


class LowRankMap(NamedTuple):
    """``A = scale I + Bᵀ core B``, where B stacks centered source rows and target rows."""

    scale: float
    from_source: Any
    """Rows of the core that belong to the source, n_s x (n_s + n_t)."""
    from_target: Any
    """Rows that belong to the target; leading columns of zeros are left out."""
    source: CenteredRows
    target: CenteredRows

    def apply(self, Z):
        """Return ``Z A`` for centered rows Z, in O(m n d)."""
        weights = Z.times_transpose(self.source) @ self.from_source
        # Leading columns of zeros are not stored.
        start = weights.shape[1] - self.from_target.shape[1]
        weights[:, start:] += Z.times_transpose(self.target) @ self.from_target
        if sparse.issparse(Z.rows):
            mapped = (Z.rows * self.scale).toarray()
            mapped -= Z.mean * self.scale
        else:
            mapped = Z.rows * self.scale
        n_source = self.from_source.shape[0]
        mapped = self.source.add_combination(mapped, weights[:, :n_source])
        return self.target.add_combination(mapped, weights[:, n_source:])

    def at(self, move):
        """Return this map with its arrays passed through ``move`` (sparse rows stay)."""

        def moved(x):
            return x if sparse.issparse(x) else move(x)

        source, target = (
            CenteredRows(moved(rows), moved(mean), factor) for rows, mean, factor in self[3:]
        )
        return LowRankMap(
            self.scale, move(self.from_source), move(self.from_target), source, target
        )


def low_rank_coral_map(source, target, *, strength=1.0, reg=1.0):
    """Return the map of :func:`coral_map` in the span of the rows.

    With ``(C_s + λ_s I)^{-1/2} = a I + Sᵀ M S`` and ``C(σ)^{1/2} = b I + Bᵀ K B``, where B stacks
    the centered source rows S and target rows T, the product is ``ab I + Bᵀ core B``.
    """
    xp = namespace(source.mean)
    d = source.mean.shape[0]
    G_ss, G_tt = source.times_transpose(source), target.times_transpose(target)
    scale_s, ridge_s = scale_and_ridge(gram_sums(G_ss, d), reg)
    scale_t, ridge_t = scale_and_ridge(gram_sums(G_tt, d), reg)
    source = source._replace(factor=math.sqrt(scale_s))
    target = target._replace(factor=math.sqrt(scale_t))
    G_ss, G_tt = G_ss * scale_s, G_tt * scale_t
    G_st = source.times_transpose(target)
    ridge = (1.0 - strength) * ridge_s + strength * ridge_t

    a, M = low_rank_power(G_ss, -0.5, reg=ridge_s)
    if strength == 1:  # C(σ) is the target's: K lives on the target rows alone
        b, K = low_rank_power(G_tt, 0.5, reg=ridge)
        from_source = xp.concat([M * b, (M @ G_st) @ K], axis=1)
        return LowRankMap(a * b, from_source, K * a, source, target)
    n_source = G_ss.shape[0]
    G_s = xp.concat([G_ss, G_st], axis=1)
    G = xp.concat([G_s, xp.concat([G_st.T, G_tt], axis=1)])
    # Rows weighted by the roots of 1 - σ and σ have the mixed covariance as their scatter.
    w = xp.concat(
        [
            xp.ones_like(G_ss[:, 0]) * math.sqrt(1.0 - strength),
            xp.ones_like(G_tt[:, 0]) * math.sqrt(strength),
        ]
    )
    b, K = low_rank_power(G * w * w[:, None], 0.5, reg=ridge)
    K = K * w * w[:, None]
    from_source = K[:n_source, :] * a + (M @ G_s) @ K
    from_source[:, :n_source] += M * b
    return LowRankMap(a * b, from_source, K[n_source:, :] * a, source, target)
