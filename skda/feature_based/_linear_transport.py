"""Linear optimal transport: the affine map of least displacement between two Gaussians."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from .._array._backend import namespace
from .._numerics._covariance import Moments, covariance, covariance_from_moments
from .._numerics._linalg import plus_ridge, spd_eigen
from ._base_moment_map import MomentMapTransformer

# The fixed point is reached in about ten steps where covariances are well conditioned.
_BARYCENTER_STEPS = 100


def gaussian_transport_map(C_source, C_target):
    """Return ``A = C_s^{-1/2} (C_s^{1/2} C_t C_s^{1/2})^{1/2} C_s^{-1/2}``, so that A C_s A = C_t.

    Parameters
    ----------
    C_source, C_target : array of shape (d, d)
        Symmetric positive semi-definite. Where the source does not vary (to working precision)
        there is nothing to transport, and A is the identity.

    Returns
    -------
    A : array of shape (d, d)
        Symmetric positive semi-definite.
    """
    xp = namespace(C_source)
    source = spd_eigen(C_source)
    # The root comes from the singular values of C_t^{1/2} C_s^{1/2}: the eigenvalues of the triple
    # product are their squares and lose features of small scale to rounding.
    _, s, Vh = xp.linalg.svd(spd_eigen(C_target).power(0.5) @ source.power(0.5))
    half = source.power(-0.5) @ Vh.T
    A = (half * s) @ half.T
    # Directions in which the source does not vary are left as they are.
    rest = source.vectors * xp.astype(source.values == 0, A.dtype)
    # Symmetric by its formula, but for rounding.
    return (A + A.T) * 0.5 + rest @ rest.T


def gaussian_barycenter(covariances, weights, *, tol=1e-10):
    """Return the covariance at the least mean squared Wasserstein distance to those given.

    The fixed point of ``C = C^{-1/2} (Σ w_k (C^{1/2} C_k C^{1/2})^{1/2})² C^{-1/2}``
    (Álvarez-Esteban et al. 2016), started at the mean covariance. As ``C^{-1/2} (...) C^{-1/2}``
    is the mean of the maps from C to each ``C_k``, each step sends C by the mean of the maps.
    """
    xp = namespace(*covariances)
    C = sum(w * C_k for w, C_k in zip(weights, covariances, strict=True))
    for _ in range(_BARYCENTER_STEPS):
        maps = (gaussian_transport_map(C, C_k) for C_k in covariances)
        A = sum(w * A_k for w, A_k in zip(weights, maps, strict=True))
        new = A @ C @ A
        new = (new + new.T) * 0.5
        change = float(xp.max(xp.abs(new - C)))
        C = new
        if change <= tol * float(xp.max(xp.abs(C))):
            break
    return C


class SpanMap(NamedTuple):
    """``A = I + V (core - I) Vᵀ`` with orthonormal columns V: a map that acts in a subspace."""

    V: Any
    core: Any

    def apply(self, X):
        """Return ``X A``."""
        inside = X @ self.V
        return X + (inside @ self.core - inside) @ self.V.T

    def at(self, move):
        """Return this map with its arrays passed through ``move``."""
        return SpanMap(move(self.V), move(self.core))


def low_rank_transport_map(X_source, X_target, *, reg=0.0):
    """Return :func:`gaussian_transport_map` of centered rows that are fewer than their features.

    Outside the span of all rows both covariances are ``reg I``, and the map is the identity.
    """
    xp = namespace(X_source)
    # An orthonormal basis of the span of all rows.
    V, _ = xp.linalg.qr(xp.concat([X_source, X_target]).T)
    return SpanMap(V, gaussian_transport_map(*(ridged(X @ V, reg) for X in (X_source, X_target))))


def ridged(X, reg):
    """Return the covariance of the rows plus ``reg I``."""
    return plus_ridge(covariance(X), reg)


class LinearTransportTransformer(MomentMapTransformer):
    """Give source rows the mean and covariance of the target by the shortest linear map.

    Many linear maps give the source the mean and covariance of the target. This is the one that
    moves the rows least, the optimal transport between two normal distributions, so that rows
    keep their places among each other as far as they can.

    Parameters
    ----------
    strength : float, default=1.0
        How far to go, in [0, 1]: every row moves this share of its way (displacement
        interpolation). 0 returns the rows themselves.
    reg : float or {"ledoit-wolf", "oas"}, default=0.0
        Regularization of both covariances, in squared units of the features: a float is added
        to their diagonals, a name shrinks each by the intensity of that estimator. A larger
        value bends less. With 0, directions in which the source does not vary are left alone.
    match_mean : bool, default=True
        Whether source rows also move towards the target's mean. Without it their own mean stays,
        which is safer where the class balance differs.
    direction : {"to_target", "to_source", "to_common"}, default="to_target"
        Which rows move. "to_target" maps each source to the pooled target rows, as in the paper.
        "to_source" maps each target to the pooled source rows, which stay as they are, so that a
        model fitted once serves any number of later targets, see :func:`~skda.adapt_to`.
        "to_common" maps each domain to the barycenter of all, the
        Gaussian at the least mean squared transport distance to them.
    n_prior_rows : float or "auto", default="auto"
        Number of rows that the reference's covariance counts for in that of each domain that is
        mapped, so that a domain of few rows is hardly bent: 0 for none. "auto" is the number of
        features, and 0 in the direction "to_target" or where `reg` is a name.
    forgetting_factor : float, default=1.0
        In (0, 1]: factor by which the weight of a domain's earlier rows is multiplied at each
        ``partial_fit`` with new ones; 1 keeps all history. ``fit`` does not use it.

    Attributes
    ----------
    maps_ : dict
        By the id of each domain that is mapped, the symmetric matrix A of shape
        (n_features, n_features), or its factors when there are more features than rows. Empty if
        there is nothing to adapt to.
    means_ : dict
        By the same ids, the mean of the domain, array of shape (n_features,).
    reference_mean_ : array of shape (n_features,)
        Mean of the rows that the others are mapped to.
    moments_ : dict or None
        By the same ids, the count, mean and scatter matrix of the rows, which ``partial_fit`` goes
        on from; None with more features than rows, where no scatter matrix is formed.
    reference_moments_ : tuple or None
        The same of the rows that the others are mapped to.
    waits_for_ : {"source", "target"} or None
        The side of which ``partial_fit`` has seen no row yet.
    source_domains_, target_domains_ : list of int
        Ids seen in ``fit``.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if they had names.

    Raises
    ------
    ValueError
        In ``fit``, if a parameter is out of range or a domain has a single row.

    See Also
    --------
    CORALTransformer : Matches the covariance by another square root.
    OptimalTransportTransformer : Transport without the Gaussian assumption.

    Notes
    -----
    A source row x becomes :math:`x + σ(m + A(x - μ_s) - x)` with
    :math:`A = C_s^{-1/2}(C_s^{1/2} C_t C_s^{1/2})^{1/2} C_s^{-1/2}` and m the target's mean (the
    source's without `match_mean`), the Monge map between the Gaussians of these moments [1]_ [2]_.
    Of all maps that give the source the target's mean and covariance it displaces rows least, so
    classes keep their places where they can. Target rows stay as they are. Several sources have a
    map each; several targets are pooled. The other directions put the domain that moves in place
    of s and what it moves to in place of t; the common barycenter [3]_ weights domains by rows.

    It helps when the shift is (nearly) affine with labels carried along: other units, another
    instrument, a drift of level and spread. It moves the mean, so it harms when the balance
    of classes differs, less so without `match_mean`.

    Cost: two covariances, two eigendecompositions and a singular value decomposition,
    :math:`O(nd^2 + d^3)`; with more features than rows (and `reg` a number)
    :math:`O(n^2 d + n^3)` and no d x d matrix. Fitted without ``sample_domain`` it is the
    identity. Array level (a): runs on the device of its input.

    References
    ----------
    .. [1] R. Flamary, K. Lounici, A. Ferrari, "Concentration bounds for linear Monge mapping
       estimation and optimal transport domain adaptation", 2019. arXiv:1905.10155.
    .. [2] M. Knott, C. S. Smith, "On the optimal mapping of distributions", J. Optim. Theory
       Appl. 43, 1984. doi:10.1007/BF00934745.
    .. [3] P. C. Álvarez-Esteban, E. del Barrio, J. A. Cuesta-Albertos, C. Matrán, "A fixed-point
       approach to barycenters in Wasserstein space", J. Math. Anal. Appl. 441, 2016.
       doi:10.1016/j.jmaa.2016.04.045.

    Examples
    --------
    >>> import numpy as np
    >>> from skda import LinearTransportTransformer
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 2))
    >>> sample_domain = np.repeat([1, -2], 200)
    >>> X[200:] = X[200:] * [3.0, 0.5] + 1.0
    >>> moved = LinearTransportTransformer().fit_transform(X, sample_domain=sample_domain)
    >>> print(np.round(np.cov(moved[:200].T) / np.cov(X[200:].T), 6))
    [[1. 1.]
     [1. 1.]]
    """

    def __init__(
        self,
        *,
        strength: float = 1.0,
        reg: float | Literal["ledoit-wolf", "oas"] = 0.0,
        match_mean: bool = True,
        direction: Literal["to_target", "to_source", "to_common"] = "to_target",
        n_prior_rows: float | Literal["auto"] = "auto",
        forgetting_factor: float = 1.0,
    ):
        self.strength = strength
        self.reg = reg
        self.match_mean = match_mean
        self.direction = direction
        self.n_prior_rows = n_prior_rows
        self.forgetting_factor = forgetting_factor

    def _is_low_rank(self, X):
        # With a rule both sides are shrunk by different amounts, so that outside of the span of the
        # rows the map is not the identity.
        return not isinstance(self.reg, str) and super()._is_low_rank(X)

    def _covariance_of(self, m):
        if isinstance(self.reg, str):
            return covariance_from_moments(m, shrinkage=self.reg)
        return plus_ridge(covariance_from_moments(m), self.reg)

    def _map_of(self, own, reference):
        return gaussian_transport_map(self._covariance_of(own), self._covariance_of(reference))

    def _map_of_rows(self, own, reference):
        return low_rank_transport_map(own.rows, reference.rows, reg=self.reg)

    def _common(self, parts):
        parts = list(parts)
        count = sum(m.count for m in parts)
        weights = [m.count / count for m in parts]
        C = gaussian_barycenter([covariance_from_moments(m) for m in parts], weights)
        mean = sum(w * m.mean for w, m in zip(weights, parts, strict=True))
        return Moments(count, mean, C * max(count - 1.0, 1.0), None)

    def _map(self, X, domain, backend):
        found = self._map_and_means(domain)
        if found is None:
            return X

        def here(x):
            return backend.asarray(x, X.dtype)

        A, mean = found
        centered = X - here(mean)
        moved = A.at(here).apply(centered) if isinstance(A, SpanMap) else centered @ here(A)
        moved = moved + here(self.reference_mean_ if self.match_mean else mean)
        return moved if self.strength == 1 else X + (moved - X) * float(self.strength)
