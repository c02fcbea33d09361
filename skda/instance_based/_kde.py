"""Weights from one kernel density estimate per domain, in logarithms."""

from __future__ import annotations

from typing import Literal

from sklearn import get_config

from .._array._backend import itemsize, namespace
from .._array._rows import row_tiles
from .._core._param_checks import check_option
from .._numerics._budget import check_cost
from .._numerics._kernels import pairwise_sq_dists, resolve_gamma
from ._base_weighter import FunctionWeighter, safe_unit, within_range

_NO_VARIANCE = 0.5  # where all rows coincide any width will do: gamma is then about 1
_PAIR_SECONDS = 2e-8  # for one pair of rows, measured with 50 features
_ROUNDING = 10.0  # times machine epsilon: what a mean of rows may be off


def log_kernel_density(X, rows, *, gamma):
    """Logarithm of the mean of ``exp(-gamma ‖x - r‖²)`` over the rows r, for each x.

    Computed in tiles, and relative to the nearest row, so that nothing underflows far away.
    """
    xp = namespace(X)
    # Distances, exponents and kernels of a tile are there at once.
    budget = get_config()["working_memory"] * 2**20 // 3
    pieces = []
    for tile in row_tiles(X.shape[0], rows.shape[0] * itemsize(X), tile_bytes=budget, least=1):
        D = pairwise_sq_dists(X[tile, :], rows)
        # Its kernel is then 1, so that the sum is never 0.
        nearest = xp.min(D, axis=1)
        kernels = xp.exp((D - xp.reshape(nearest, (-1, 1))) * -gamma)
        pieces.append(xp.log(xp.mean(kernels, axis=1)) - nearest * gamma)
    return xp.concat(pieces)


def scott_gamma(X, everything):
    """Width ``1 / (2 h²)`` of Scott's rule, h² the mean variance times ``n^(-2/(d+4))``.

    Where all rows of X coincide, the variance is that of everything; where that is 0, it is ½.
    """
    n, d = X.shape
    variance = mean_variance(X) or mean_variance(everything) or _NO_VARIANCE
    return 0.5 * n ** (2.0 / (d + 4)) / variance


def mean_variance(X):
    """Mean of the features' variances, 0 if it is no more than rounding."""
    xp = namespace(X)
    variance = float(xp.mean(xp.var(X, axis=0)))
    rounding = (_ROUNDING * float(xp.finfo(X.dtype).eps)) ** 2 * float(xp.mean(X * X))
    return variance if variance > rounding else 0.0


class KernelDensityWeighter(FunctionWeighter):
    r"""Weight source rows by the ratio of a target to a source kernel density estimate.

    Each domain gets a smooth histogram: every row spreads a small bell around itself. Where the
    target's is higher than the source's, source rows count more, and less where it is lower.

    Parameters
    ----------
    gamma : float, "scott", "median" or "scale", default="scott"
        Width of the kernels ``exp(-gamma ‖x - r‖²)``. "scott" is Scott's rule for each domain,
        ``1/(2h²)`` with h² = mean variance · n^(-2/(d+4)); "median", 1/(2·median²) of the distances
        between all rows, is much wider and smooths both densities heavily. Larger values
        follow finer detail.
    exponent : float, default=1.0
        Exponent in [0, 1] applied to the weights; 0 gives equal weights. The more features, the
        smaller it should be.
    clip : float or None, default=None
        Largest weight, as a multiple of the mean weight, applied after `exponent`. What is cut off
        goes to the other rows in proportion to their weights. None does not clip.
    min_effective_size : float, "auto" or None, default="auto"
        Smallest effective sample size of the weights, as a part of the source rows: weights that
        rest on fewer rows are mixed with equal ones until they have it. "auto" is thirty rows for
        each feature and for the intercept, at most all rows, which leaves equal weights. None,
        the paper's weights, mixes nothing in.

    Attributes
    ----------
    weights_ : array of shape (n_source,)
        Weight of each source row in row order, mean 1.
    effective_sample_size_ : float
        ``(Σw)² / Σw²``.
    learnt_part_ : float
        Part of the weights that was learnt; the rest of them is equal, see `min_effective_size`.
    gammas_ : tuple of two floats
        Width in the source and in the target.
    n_features_in_ : int
        Number of features seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``, for parameters out of range.

    See Also
    --------
    RuLSIFWeighter : Fits the ratio itself, which is easier than two densities.

    Notes
    -----
    :math:`w(x) = \hat p_t(x) / \hat p_s(x)` with :math:`\hat p_d(x) \propto \tfrac1{n_d} \sum_r
    \exp(-\gamma_d \|x - r\|^2)` [1]_, in logarithms. A source row is among the rows of its own
    density, which makes the weights of isolated rows too small; density estimates are reliable
    for few features only.

    It helps when features are shifted and labels given features are not (covariate shift). Scale
    the features first. Without `sample_domain` all weights are 1. Cost: n_source · n · n_features
    operations, in tiles of memory. Array level (a): runs wholly where the data are.

    References
    ----------
    .. [1] Shimodaira. Improving predictive inference under covariate shift by weighting the
       log-likelihood function. JSPI 90, 2000. doi:10.1016/S0378-3758(00)00115-4

    Examples
    --------
    >>> import numpy as np
    >>> from skda import KernelDensityWeighter, stack_domains
    >>> rng = np.random.default_rng(0)
    >>> X_source, X_target = rng.normal(size=(300, 1)), rng.normal(1.0, 0.5, size=(300, 1))
    >>> X, _, sample_domain = stack_domains(X_source, None, X_target)
    >>> weighter = KernelDensityWeighter(min_effective_size=None)
    >>> weighter = weighter.fit(X, sample_domain=sample_domain)
    >>> round(float(np.average(X_source[:, 0], weights=weighter.weights_)), 1)
    1.0
    """

    _logs = True

    def __init__(
        self,
        *,
        gamma: float | Literal["scott", "median", "scale"] = "scott",
        exponent: float = 1.0,
        clip: float | None = None,
        min_effective_size: float | Literal["auto"] | None = "auto",
    ):
        self.gamma = gamma
        self.exponent = exponent
        self.clip = clip
        self.min_effective_size = min_effective_size

    def _learn(self, data):
        self._unit = safe_unit(data.X)
        X, *sides = (rows / self._unit for rows in (data.X, data.X_source, data.X_target))
        n, pairs = len(data.source), len(data.source) * len(data.ids)
        what, hint = f"the kernels of {n} source rows with all rows", "Fit on a sample of the rows."
        # Only a tile of the pairs is held at a time.
        entries = n + len(data.ids)
        check_cost(type(self).__name__, what, entries, _PAIR_SECONDS * pairs, X, hint=hint)
        if isinstance(self.gamma, str) and self.gamma == "scott":
            self._unit_gammas = tuple(scott_gamma(side, X) for side in sides)
        else:
            self._unit_gammas = (self._one_gamma(X),) * 2
        # Divided twice, since the square of the unit may overflow.
        self.gammas_ = tuple(gamma / self._unit / self._unit for gamma in self._unit_gammas)
        self._rows = tuple(data.to_input(side) for side in sides)

    def _one_gamma(self, X):
        """Return the width for both domains, of rows in units of `_unit`."""
        if isinstance(self.gamma, str):
            check_option("gamma", self.gamma, ("scott", "median", "scale"), hint="Or a number.")
            return resolve_gamma(self.gamma, X, random_state=0)
        gamma = resolve_gamma(self.gamma, X) * self._unit * self._unit
        return min(gamma, float(namespace(X).finfo(X.dtype).max) ** 0.5)

    def _importance(self, X, backend):
        X = within_range(X / self._unit)
        source, target = (
            log_kernel_density(X, backend.asarray(rows, X.dtype), gamma=gamma)
            for rows, gamma in zip(self._rows, self._unit_gammas, strict=True)
        )
        return target - source
