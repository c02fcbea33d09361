"""Direct standardization: one instrument's spectra as another instrument would have seen them."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from sklearn.base import OneToOneFeatureMixin
from sklearn.cross_decomposition import PLSRegression

from .._array._backend import to_numpy
from .._core._param_checks import check_integer, check_option, check_real, check_strength
from ._base_paired import BasePairedTransformer

METHODS = ("ds", "pds", "sst")
# Measured with 10 and 30 standards on three spectrometers: more follow the standards' noise.
_COMPONENTS = {"ds": 2, "pds": 1, "sst": 2}
_N_PENALTIES = 25
_ROUNDING = 1e-12  # of the largest singular value
# Penalties from rounding to the largest singular value: below, noise of the spectra is inverted.
_PENALTY_RANGE = (-8.0, 0.0)


class LinearMap(NamedTuple):
    """``x ↦ mean_to + (x - mean_from) left right``, `left` and `right` of low rank."""

    mean_from: np.ndarray
    mean_to: np.ndarray
    left: np.ndarray
    right: np.ndarray

    def __call__(self, X):
        return self.mean_to + ((X - self.mean_from) @ self.left) @ self.right


class BandedMap(NamedTuple):
    """Channel j is a linear function of the channels around j: `bands` is (d, 2 window + 1)."""

    mean_from: np.ndarray
    mean_to: np.ndarray
    bands: np.ndarray

    def __call__(self, X):
        windows = _windows(X - self.mean_from, self.bands.shape[1] // 2)
        return self.mean_to + np.einsum("njw,jw->nj", windows, self.bands)


def _windows(X, half):
    """Return the channels around each channel, (n, d, 2 half + 1); zeros beyond the ends."""
    padded = np.pad(X, ((0, 0), (half, half)))
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1, axis=1)


def ridge_penalty(s, projections, rest, n):
    """Return the ridge penalty of smallest generalized cross-validation error, by problem.

    Parameters
    ----------
    s : ndarray of shape (..., r)
        Singular values of the centered inputs.
    projections : ndarray of shape (..., r)
        Squared norms of the outputs' coordinates along the left singular vectors.
    rest : ndarray of shape (...)
        Squared norms of the outputs outside their span.
    n : int
        Number of rows.
    """
    best, least = np.zeros(s.shape[:-1]), np.full(s.shape[:-1], np.inf)
    for share in np.logspace(*_PENALTY_RANGE, _N_PENALTIES):
        penalty = share * s[..., 0] ** 2
        kept = s**2 / np.maximum(s**2 + penalty[..., None], np.finfo(float).tiny)
        # The mean takes one degree of freedom.
        free = np.maximum(n - 1 - kept.sum(axis=-1), 1e-9)
        error = (((1 - kept) ** 2 * projections).sum(axis=-1) + rest) / free**2
        best, least = np.where(error < least, penalty, best), np.minimum(error, least)
    return best


def ridge_factors(A, B, reg):
    """Return left, right with ``B ≈ A left right``, the ridge solution for centered A and B."""
    U, s, Vh = np.linalg.svd(A, full_matrices=False)
    # Centered rows have a singular value that is rounding.
    kept = s > s[:1].sum() * _ROUNDING
    U, s, Vh = U[:, kept], s[kept], Vh[kept]
    if not len(s):
        return np.zeros((A.shape[1], 1)), np.zeros((1, B.shape[1]))
    coordinates = U.T @ B
    if reg == "auto":
        squares = (coordinates**2).sum(axis=1)
        rest = max((B**2).sum() - squares.sum(), 0.0)
        penalty = ridge_penalty(s, squares, rest, len(A))
    else:
        penalty = reg * s[0] ** 2
    return Vh.T, (s / (s**2 + penalty))[:, None] * coordinates


def pls_coefficients(A, B, n_components):
    """Return the (d_in, d_out) coefficients of partial least squares of centered B on A."""
    most = min(n_components, A.shape[1], len(A) - 1, np.linalg.matrix_rank(A))
    if most < 1:
        return np.zeros((A.shape[1], B.shape[1]))
    return PLSRegression(most, scale=False).fit(A, B).coef_.T


def direct_map(A, B, *, regression, n_components, reg):
    """Direct standardization (Wang et al. 1991): regress all channels of B on all of A."""
    a, b = A.mean(axis=0), B.mean(axis=0)
    if regression == "ridge":
        return LinearMap(a, b, *ridge_factors(A - a, B - b, reg))
    coef = pls_coefficients(A - a, B - b, n_components)
    # Of rank n_components: kept as two thin factors.
    U, s, Vh = np.linalg.svd(coef, full_matrices=False)
    kept = s > s[:1].sum() * _ROUNDING
    return LinearMap(a, b, U[:, kept] * s[kept], Vh[kept])


def local_ridge(windows, outputs, reg):
    """Return the coefficients of one ridge regression per channel, (d, w).

    Parameters
    ----------
    windows : ndarray of shape (d, n, w)
        Centered inputs of each channel.
    outputs : ndarray of shape (d, n)
    reg : float or "auto"
    """
    U, s, Vh = np.linalg.svd(windows, full_matrices=False)
    coordinates = np.einsum("dnr,dn->dr", U, outputs)
    if reg == "auto":
        rest = np.maximum((outputs**2).sum(axis=1) - (coordinates**2).sum(axis=1), 0.0)
        penalty = ridge_penalty(s, coordinates**2, rest, windows.shape[1])
    else:
        penalty = reg * s[:, 0] ** 2
    shrunk = s * coordinates / np.maximum(s**2 + penalty[:, None], np.finfo(float).tiny)
    # Singular values that are rounding have no say, whatever the penalty.
    shrunk = np.where(s > s[:, :1] * _ROUNDING, shrunk, 0.0)
    return np.einsum("drw,dr->dw", Vh, shrunk)


def local_pls(windows, outputs, n_components):
    """Return the coefficients of partial least squares with one output, per channel, (d, w)."""
    X, y = windows.copy(), outputs.copy()
    n_components = min(n_components, X.shape[1] - 1, X.shape[2])
    weights, loadings, slopes = [], [], []
    for _ in range(n_components):
        w = np.einsum("dnw,dn->dw", X, y)
        w /= np.maximum(np.linalg.norm(w, axis=1, keepdims=True), np.finfo(float).tiny)
        t = np.einsum("dnw,dw->dn", X, w)
        # A channel whose inputs are used up gets no further component.
        size = np.where((t**2).sum(axis=1) > 0, (t**2).sum(axis=1), np.inf)[:, None]
        p, q = np.einsum("dnw,dn->dw", X, t) / size, (y * t).sum(axis=1, keepdims=True) / size
        X -= t[:, :, None] * p[:, None, :]
        y -= q * t
        weights.append(w)
        loadings.append(p)
        slopes.append(q[:, 0])
    W, P = np.stack(weights, axis=2), np.stack(loadings, axis=2)
    # Solved as least squares: components that were used up leave a singular matrix.
    inner = np.linalg.pinv(np.einsum("dwk,dwl->dkl", P, W))
    return np.einsum("dwk,dkl,dl->dw", W, inner, np.stack(slopes, axis=1))


def piecewise_map(A, B, *, window, regression, n_components, reg):
    """Piecewise direct standardization: each channel of B from the channels of A around it."""
    a, b = A.mean(axis=0), B.mean(axis=0)
    windows, outputs = _windows(A - a, window).transpose(1, 0, 2), (B - b).T
    if regression == "ridge":
        return BandedMap(a, b, local_ridge(windows, outputs, reg))
    return BandedMap(a, b, local_pls(windows, outputs, n_components))


def spectral_space_map(A, B, *, n_components):
    """Spectral space transformation (Du et al. 2011).

    The loadings P_A, P_B of one SVD of both instruments side by side say how a component looks
    on each: ``x ↦ x + x P_A⁺ (P_B - P_A)``, about the means.
    """
    a, b = A.mean(axis=0), B.mean(axis=0)
    _, s, Vh = np.linalg.svd(np.hstack([A - a, B - b]), full_matrices=False)
    rank = int((s > s[:1].sum() * _ROUNDING).sum())
    loadings = Vh[: min(n_components, rank)]
    P_A, P_B = loadings[:, : A.shape[1]], loadings[:, A.shape[1] :]
    return LinearMap(a, b, np.linalg.pinv(P_A), P_B - P_A)


class DirectStandardizationTransformer(OneToOneFeatureMixin, BasePairedTransformer):
    """Map the rows of one instrument to what the other instrument measures of the same sample.

    A few samples, the *standards*, are measured on both instruments. A regression between the two
    measurements of each gives a map for all other rows, so that a calibration of one instrument
    can be used on the other. Labels are not needed.

    Parameters
    ----------
    method : {"ds", "pds", "sst"}, default="pds"
        "ds": every channel from all channels. "pds": every channel from the channels around it,
        which few standards suffice for. "sst": by the loadings of both instruments' common
        components; channels that these do not describe stay as they are.
    window : int, default=5
        For "pds": how many channels on each side belong to the surroundings.
    regression : {"auto", "ridge", "pls"}, default="auto"
        What "ds" and "pds" regress with. "auto": ridge for "ds"; for "pds" partial least squares,
        which few standards do not lead astray.
    reg : float or "auto", default="auto"
        Ridge penalty, as a share of the largest squared singular value. "auto": by generalized
        cross-validation. Larger values move more channels to the mean.
    n_components : int or None, default=None
        Components of "sst" and of partial least squares; never more than the standards allow. None:
        1 for "pds", else 2. More components follow the standards more closely, and need more.
    direction : {"to_source", "to_target"}, default="to_source"
        Which rows are mapped. "to_source": target rows, so that a model of the source can be
        kept as it is. "to_target": source rows.
    pairing : {"id", "order"}, default="id"
        How pairs are found without ``pair_id``. "id": that is an error. "order": the k-th rows of
        both domains are the same sample.
    strength : float, default=1.0
        How far to go, in [0, 1]: every row moves this share of its way. 0 returns the rows.

    Attributes
    ----------
    maps_ : dict
        By the id of a domain that is mapped, its map, a function of rows.
    n_pairs_ : int
        Number of pairs found.
    source_domains_, target_domains_ : list of int
        Ids seen in ``fit``.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if they had names.

    Raises
    ------
    ValueError
        In ``fit``, if there are no pairs, or a name repeats within a domain. In ``transform``, for
        rows of a domain that has no map.

    See Also
    --------
    PairedCCATransformer : Common components of the pairs instead of one instrument's channels.
    DIPLSRegressor : Works without pairs.

    Notes
    -----
    With A the standards on the instrument to be mapped and B on the other, both about their
    means: "ds" is :math:`\\min_F ‖B - AF‖^2 + λ‖F‖^2` [1]_; "pds" the same with F a band matrix;
    "sst" is :math:`x + x P_A^+ (P_B - P_A)`, P being the loadings of the rows of [A B] [2]_.
    Several domains on the side that is not mapped count as one instrument; each mapped domain has
    its own map. Rows without a partner are mapped, and not learnt from.

    It helps when the instruments see the same samples, and the difference is linear in the
    channels. Standards should span the range of the samples that follow.

    Cost with p pairs and d channels: "ds" and "sst" :math:`O(p^2 d)`, "pds" d small regressions.
    Fitted without ``sample_domain`` it is the identity. Array level (b): computed in NumPy.

    References
    ----------
    .. [1] Y. Wang, D. J. Veltkamp, B. R. Kowalski, "Multivariate instrument standardization",
       Anal. Chem. 63, 1991. doi:10.1021/ac00023a016.
    .. [2] W. Du, Z.-P. Chen, L.-J. Zhong, S.-X. Wang, R.-Q. Yu, A. Nordon, D. Littlejohn,
       M. Holden, "Maintaining the predictive abilities of multivariate calibration models by
       spectral space transformation", Anal. Chim. Acta 690, 2011. doi:10.1016/j.aca.2011.02.014.

    Examples
    --------
    >>> import numpy as np
    >>> from skda import DirectStandardizationTransformer
    >>> rng = np.random.default_rng(0)
    >>> on_a = rng.normal(size=(30, 4)).cumsum(axis=1)
    >>> on_b = 1.3 * on_a + 0.5
    >>> standardizer = DirectStandardizationTransformer("ds").fit_pairs(on_a[:20], on_b[:20])
    >>> print(f"{np.abs(standardizer.transform(on_b[20:]) - on_a[20:]).max():.2f}")
    0.00
    """

    _array_level = "b"

    def __init__(
        self,
        method: Literal["ds", "pds", "sst"] = "pds",
        *,
        window: int = 5,
        regression: Literal["auto", "ridge", "pls"] = "auto",
        reg: float | Literal["auto"] = "auto",
        n_components: int | None = None,
        direction: Literal["to_source", "to_target"] = "to_source",
        pairing: Literal["id", "order"] = "id",
        strength: float = 1.0,
    ):
        self.method = method
        self.window = window
        self.regression = regression
        self.reg = reg
        self.n_components = n_components
        self.direction = direction
        self.pairing = pairing
        self.strength = strength

    @property
    def _per_target(self):
        return self.direction == "to_source"

    def _check_params(self):
        check_option("method", self.method, METHODS)
        check_option("regression", self.regression, ("auto", "ridge", "pls"))
        check_option("direction", self.direction, ("to_source", "to_target"))
        check_integer("window", self.window, low=0)
        check_integer("n_components", self.n_components, low=1, none=True)
        check_strength(self.strength)
        if not (isinstance(self.reg, str) and self.reg == "auto"):
            check_real("reg", self.reg, low=0, hint="Or pass 'auto'.")

    def _fit_pairs(self, data, pairs):
        self.maps_ = {}
        to_source = self.direction == "to_source"
        mapped_domains = data.target_domains if to_source else data.source_domains
        values = np.asarray(to_numpy(data.X), dtype=np.float64)
        for domain in mapped_domains if data.adapts else []:
            mapped, other = (pairs[:, 1], pairs[:, 0]) if to_source else pairs.T
            own = data.ids[mapped] == domain
            self._check_enough(pairs[own], f"of domain {domain} with the other side")
            self.maps_[domain] = self._map_between(values[mapped[own]], values[other[own]])

    def _map_between(self, A, B):
        n_components = self.n_components or _COMPONENTS[self.method]
        if self.method == "sst":
            return spectral_space_map(A, B, n_components=n_components)
        regression = self.regression
        if regression == "auto":
            regression = "ridge" if self.method == "ds" else "pls"
        how = {"regression": regression, "n_components": n_components, "reg": self.reg}
        if self.method == "ds":
            return direct_map(A, B, **how)
        # A window wider than the spectrum is the whole spectrum.
        return piecewise_map(A, B, window=min(self.window, A.shape[1] - 1), **how)

    def _map(self, X, domain, backend):
        if domain < 0 and domain not in self.maps_ and len(self.maps_) and self._per_target:
            domain = self.target_domains_[0]  # rows of no stated domain, of the only target
        if domain not in self.maps_ or self.strength == 0:
            return X
        given = np.asarray(to_numpy(X), dtype=np.float64)
        found = self.maps_[domain]
        moved = given + self._change(found, given) * float(self.strength)
        return backend.asarray(moved, X.dtype)

    def _change(self, found, given):
        if self.method != "sst":
            return found(given) - given
        # The map of "sst" is what is added to a row about its mean.
        return found(given) - found.mean_from
