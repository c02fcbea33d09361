"""Linear optimal transport: the affine map of least displacement between two Gaussians."""

from typing import Any, NamedTuple

from sklearn.base import OneToOneFeatureMixin

from .._array._backend import device_of, namespace
from .._core._base_transformer import BaseDomainTransformer
from .._core._param_checks import check_bool, check_enough_rows, check_strength
from .._numerics._covariance import covariance
from .._numerics._linalg import spd_eigen
from ._coral_map import check_covariance_reg


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
    C = covariance(X)
    return C + namespace(C).eye(C.shape[0], dtype=C.dtype, device=device_of(C)) * float(reg)


class LinearTransportTransformer(OneToOneFeatureMixin, BaseDomainTransformer):
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

    Attributes
    ----------
    maps_ : dict
        By source id, the symmetric matrix A of shape (n_features, n_features), or its factors
        when there are more features than rows. Empty if there is nothing to adapt to.
    source_means_ : dict
        By source id, the mean of the source, array of shape (n_features,).
    target_mean_ : array of shape (n_features,)
        Mean of all target rows.
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
    map each; several targets are pooled.

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

    _per_source = True
    _array_level = "a"

    def __init__(self, *, strength=1.0, reg=0.0, match_mean=True):
        self.strength = strength
        self.reg = reg
        self.match_mean = match_mean

    def _fit(self, data):
        check_strength(self.strength)
        check_bool("match_mean", self.match_mean)
        check_covariance_reg(self.reg)
        self.maps_, self.source_means_ = {}, {}
        if not data.adapts:
            return
        check_enough_rows(self, data, 2, "to see a covariance")
        xp = data.xp
        mean_t = xp.mean(data.X_target, axis=0)
        self.target_mean_ = data.to_input(mean_t)
        for domain in data.source_domains:
            X = data.X_of(domain)
            mean_s = xp.mean(X, axis=0)
            self.source_means_[domain] = data.to_input(mean_s)
            A = self._map_between(X - mean_s, data.X_target - mean_t)
            self.maps_[domain] = A.at(data.to_input) if isinstance(A, SpanMap) else data.to_input(A)

    def _map_between(self, X_source, X_target):
        both = X_source, X_target
        # Source and target are shrunk by different amounts, so that outside of the span of the rows
        # the map is not the identity.
        if isinstance(self.reg, str):
            return gaussian_transport_map(*(covariance(X, shrinkage=self.reg) for X in both))
        if X_source.shape[1] > X_source.shape[0] + X_target.shape[0]:
            return low_rank_transport_map(*both, reg=self.reg)
        return gaussian_transport_map(*(ridged(X, self.reg) for X in both))

    def _map(self, X, domain, backend):
        if domain not in self.maps_ or self.strength == 0:
            return X

        def here(x):
            return backend.asarray(x, X.dtype)

        A = self.maps_[domain]
        centered = X - here(self.source_means_[domain])
        moved = A.at(here).apply(centered) if isinstance(A, SpanMap) else centered @ here(A)
        moved = moved + here(self.target_mean_ if self.match_mean else self.source_means_[domain])
        return moved if self.strength == 1 else X + (moved - X) * float(self.strength)
