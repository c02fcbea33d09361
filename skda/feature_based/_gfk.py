"""Geodesic flow kernel: inner products over all subspaces between the source's and the target's."""

from __future__ import annotations

from numbers import Integral
from typing import Literal

from sklearn.base import ClassNamePrefixFeaturesOutMixin

from .._array._arithmetic import safe_divide
from .._array._backend import namespace
from .._core._base_transformer import BaseDomainTransformer
from .._core._param_checks import check_bool
from .._core._sums import pooled
from ._subspace_alignment import (
    axes_of_products,
    moments_by_domain,
    principal_axes,
    resolve_n_components,
    scatter_needs_rows,
)


def _one_minus_sinc(x):
    """``1 - sin(x)/x`` for x in [0, π], by its series where that cancels."""
    xp = namespace(x)
    small = x < 0.5
    # 0 where the series is not used, which converges fast for small x only.
    z = xp.where(small, x, xp.zeros_like(x)) ** 2
    series = z / 6 * (1 - z / 20 * (1 - z / 42 * (1 - z / 72 * (1 - z / 110 * (1 - z / 156)))))
    return xp.where(small, series, 1.0 - safe_divide(xp.sin(x), x, fill=1.0))


def geodesic_flow_factor(P_source, P_target):
    """Factor L (d x 2k) of the geodesic flow kernel, ``G = L Lᵀ = ∫ Φ(t)Φ(t)ᵀ dt``, t in [0, 1].

    ``Φ(t) = A cos tθ + B sin tθ`` leads from the source's basis to the target's along the principal
    angles θ: ``P_sᵀP_t = U cos θ Vᵀ``, ``A = P_s U``, ``B = (P_t V - A cos θ)/sin θ``. Each angle
    contributes a 2 x 2 block ``[[½(1+s), b], [b, ½(1-s)]]``, with ``s = sin 2θ/2θ`` and
    ``b = (1 - cos 2θ)/4θ``, whose symmetric root has a closed form.
    """
    xp = namespace(P_source)
    U, cosine, Vt = xp.linalg.svd(P_source.T @ P_target, full_matrices=False)
    A = P_source @ U
    rest = P_target @ Vt.T - A * cosine
    # Where θ is small its cosine says nothing about it; its sine is the length of the rest.
    sine = xp.linalg.vector_norm(rest, axis=0)
    theta = xp.atan2(sine, cosine)
    # Below, the direction of the rest is rounding; the angle counts as 0.
    moves = sine > 10.0 * float(xp.finfo(sine.dtype).eps)
    zero = xp.zeros_like(sine)
    theta, sine = xp.where(moves, theta, zero), xp.where(moves, sine, zero)
    B = rest * safe_divide(xp.ones_like(sine), sine)

    low = 0.5 * _one_minus_sinc(2.0 * theta)
    high = 1.0 - low
    b = safe_divide(0.5 * xp.sin(theta) ** 2, theta)
    # det = (1 - sinc²θ)/4, and √M = (M + √det I)/√(tr M + 2√det) with tr M = 1.
    gap = _one_minus_sinc(theta)
    root_det = 0.5 * xp.sqrt(gap * (2.0 - gap))
    norm = (1.0 + 2.0 * root_det) ** -0.5
    left = A * ((high + root_det) * norm) + B * (b * norm)
    right = A * (b * norm) + B * ((low + root_det) * norm)
    return xp.concat([left, right], axis=1)


class GFKTransformer(ClassNamePrefixFeaturesOutMixin, BaseDomainTransformer):
    """Map rows so that inner products average over all subspaces from source to target.

    The geodesic flow kernel joins the principal subspace of the source with that of the target by
    the shortest path between them and integrates the inner product of two rows over all subspaces
    on the way [1]_. The rows that come out are a factor of this kernel, so whatever uses inner
    products or distances (nearest neighbors, linear models) uses the kernel.

    Parameters
    ----------
    n_components : int, float, "auto" or None, default="auto"
        Dimension k of the subspaces; a float in (0, 1) takes as many axes as hold that share of the
        variance in both domains; "auto" is 0.95; None takes as many as possible. Other than by an
        integer, at most half the number of features is taken, beyond which the subspaces must
        share directions.
    center : bool, default=True
        Whether each domain's rows are taken relative to its own mean, so that a shift of the mean
        is removed too. False multiplies the rows as they are, as in [1]_, where the features of
        each domain are standardized before.

    Attributes
    ----------
    factor_ : array of shape (n_features, 2 * n_components_)
        What rows are multiplied with; ``factor_ @ factor_.T`` is the kernel G.
    source_means_ : dict of int to array of shape (n_features,)
        Mean of each source.
    target_mean_ : array of shape (n_features,)
        Mean of the target rows.
    n_components_ : int
        Dimension of the subspaces.
    source_domains_, target_domains_ : list of int
        Ids seen in ``fit``.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had names.

    See Also
    --------
    SubspaceAlignmentTransformer : Uses the two end points only.
    MEDAClassifier : Classifies on these features.

    Notes
    -----
    ``G = ∫₀¹ Φ(t)Φ(t)ᵀ dt``, where ``Φ(0)`` spans the leading k principal axes of the source and
    ``Φ(1)`` those of the target; rows become ``X L`` with ``G = L Lᵀ``, in closed form. All rows,
    less the mean of their domain, are mapped alike. The subspace is that of all sources pooled, or
    of all targets; each source has a mean of its own, and the targets share one.

    Assumes that the directions in which rows vary differ between the domains and change gradually.

    Without ``sample_domain`` the two subspaces coincide and the rows are projected on it.

    Cost: O(n d min(n, d)). Array level (a): wholly on the device.

    References
    ----------
    .. [1] B. Gong, Y. Shi, F. Sha and K. Grauman, "Geodesic flow kernel for unsupervised domain
       adaptation", CVPR 2012. :doi:`10.1109/CVPR.2012.6247911`

    Examples
    --------
    >>> import numpy as np
    >>> from skda import GFKTransformer, stack_domains
    >>> rng = np.random.default_rng(0)
    >>> Xs = rng.normal(size=(50, 4)) * [3, 2, 0.1, 0.1]
    >>> X, _, sample_domain = stack_domains(Xs, None, Xs[:, [2, 1, 0, 3]])
    >>> gfk = GFKTransformer(n_components=2).fit(X, sample_domain=sample_domain)
    >>> gfk.transform(X, sample_domain=sample_domain).shape
    (100, 4)
    """

    _array_level = "a"

    def __init__(
        self, n_components: float | Literal["auto"] | None = "auto", *, center: bool = True
    ):
        self.n_components = n_components
        self.center = center

    def _fit(self, data):
        check_bool("center", self.center)
        sides = [data.X_source, data.X_target] if data.adapts else [data.X]
        axes = [principal_axes(X, data.xp.mean(X, axis=0), self.n_components) for X in sides]
        means = {i: data.xp.mean(data.X_of(i), axis=0) for i in data.source_domains}
        self._learn(axes, means, data.xp.mean(sides[-1], axis=0), data)

    def _needs_rows(self, data):
        return scatter_needs_rows(data)

    def _fit_sums(self, data, table):
        check_bool("center", self.center)
        sums = table.total("_sums_of")
        sides = [data.source_domains, data.target_domains] if data.adapts else [data.domains]
        sides = [pooled(sums[i] for i in side) for side in sides]
        axes = [axes_of_products(m.scatter, m.count, self.n_components) for m in sides]
        means = {i: sums[i].mean for i in data.source_domains}
        self._learn(axes, means, sides[-1].mean, data)

    def _sums_of(self, data):
        return moments_by_domain(data)

    def _learn(self, axes, means, mean_t, data):
        """Join the subspaces of both sides, and note what rows are relative to."""
        d = data.X.shape[1]
        k = resolve_n_components(
            self.n_components,
            [side.variances for side in axes],
            d,
            # Principal angles between subspaces of more than d/2 axes are partly 0: only a number
            # that was asked for goes beyond.
            most=d if isinstance(self.n_components, Integral) else max(1, d // 2),
            name=type(self).__name__,
        )
        self.n_components_ = k
        self.source_means_ = {i: data.to_input(m) for i, m in means.items()} if data.adapts else {}
        self.target_mean_ = data.to_input(mean_t)
        self.factor_ = data.to_input(geodesic_flow_factor(axes[0].first(k), axes[-1].first(k)))

    def _map(self, X, domain, backend):
        if self.center:
            # Target rows, whichever their domain, are relative to the pooled mean.
            mean = self.source_means_.get(domain, self.target_mean_)
            X = X - backend.asarray(mean, X.dtype)
        return X @ backend.asarray(self.factor_, X.dtype)

    @property
    def _n_features_out(self):
        return 2 * self.n_components_
