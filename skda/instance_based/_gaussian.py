"""Weights from one Gaussian per domain: the ratio of two normal densities, in logarithms."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

from .._array._backend import namespace
from .._array._rows import take_rows
from .._core._param_checks import check_forgetting_factor, check_option, check_real
from .._core._sums import pooled
from .._numerics._covariance import (
    SHRINKAGE_RULES,
    covariance_from_moments,
    gram_sums,
    merge_moments,
    moments,
)
from .._numerics._linalg import plus_ridge, spd_eigen
from ._base_streamed_weighter import StreamedWeighter
from ._base_weighter import safe_unit, within_range


class GaussianDensity(NamedTuple):
    """``log p(x) = constant - (precision ‖x - mean‖² + sign ‖(x - mean) W‖²) / 2``.

    The constant leaves out ``-d/2 log 2π``.
    """

    mean: Any
    W: Any
    constant: float
    precision: float
    sign: float

    def log(self, X):
        """Logarithm of the density at the rows of X."""
        xp = namespace(X)
        Z = X - self.mean
        ZW = Z @ self.W
        distance = self.sign * xp.sum(ZW * ZW, axis=1)
        if self.precision:
            distance = distance + self.precision * xp.sum(Z * Z, axis=1)
        return self.constant - 0.5 * distance


def fit_gaussian(X, *, reg):
    """Density with the mean of the rows and a regularized covariance.

    ``reg`` is a shrinkage rule or is added to the variances. With more columns than rows no
    d x d matrix is formed.
    """
    wide = X.shape[1] > X.shape[0]
    return _fit_wide(X, reg) if wide else _fit_tall(X, reg)


def _fit_tall(X, reg):
    return gaussian_of(_moments(X, reg), reg=reg)


def _moments(X, reg):
    # The other rules need no fourth powers, which cost a pass.
    return moments(X, quartic=reg == "ledoit-wolf")


def gaussian_of(m, *, reg):
    """Density with these moments, the covariance regularized."""
    xp = namespace(m.mean)
    by_rule = isinstance(reg, str)
    C = covariance_from_moments(m, shrinkage=reg if by_rule else None)
    if not by_rule:
        C = plus_ridge(C, reg)
    values, vectors = spd_eigen(C)
    # Without a regularization a direction of no variance has an infinite density.
    if not bool(xp.all(values > 0)):
        raise _singular(reg)
    constant = -0.5 * float(xp.sum(xp.log(values)))
    return GaussianDensity(m.mean, vectors / xp.sqrt(values), constant, 0.0, 1.0)


def _fit_wide(X, reg):
    """The covariance is ``floor I + V diag(values - floor) Vᵀ``, V in the span of the rows."""
    xp = namespace(X)
    n, d = X.shape
    mean = xp.mean(X, axis=0)
    Z = X - mean
    gram = Z @ Z.T
    rule = SHRINKAGE_RULES[reg](gram_sums(gram, d)) if isinstance(reg, str) else 0.0
    squares, U = spd_eigen(gram)
    floor = rule * float(xp.sum(squares)) / ((n - 1) * d) if isinstance(reg, str) else reg
    if not floor > 0:
        raise _singular(reg)
    n_null = int(xp.sum(xp.astype(squares == 0, xp.int64)))  # eigenvalues ascend
    squares, U = squares[n_null:], U[:, n_null:]
    # Within the span of the rows; outside all eigenvalues are the floor.
    values = floor + (1.0 - rule) * squares / (n - 1)
    off_span = (d - values.shape[0]) * math.log(floor)
    constant = -0.5 * (float(xp.sum(xp.log(values))) + off_span)
    # What the precision within the span lacks to that of the floor, hence the sign -1.
    W = (Z.T @ (U / xp.sqrt(squares))) * xp.sqrt(1.0 / floor - 1.0 / values)
    return GaussianDensity(mean, W, constant, 1.0 / floor, -1.0)


def _singular(reg):
    return ValueError(
        f"The covariance of a domain is singular at reg={reg!r}, so it has no density. Pass "
        "another rule or a positive number, such as reg=1e-3, or drop constant features."
    )


class GaussianWeighter(StreamedWeighter):
    r"""Weight source rows by the ratio of a target to a source normal density.

    A normal distribution is fitted to each domain. A source row counts by how much more likely it
    is under the target's than under the source's.

    Parameters
    ----------
    reg : float, "ledoit-wolf" or "oas", default="ledoit-wolf"
        Regularization of both covariances: a rule for shrinking them towards a multiple of the
        identity, or a number added to the variances. More of it brings the covariances together,
        so that only the means differ.
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
    forgetting_factor : float, default=1.0
        In (0, 1]: factor by which the weight of a side's earlier rows in its density is multiplied
        at each ``partial_fit`` with new ones; 1 keeps all history. ``fit`` does not use it.

    Attributes
    ----------
    weights_ : array of shape (n_source,)
        Weight of each source row in row order, mean 1.
    effective_sample_size_ : float
        ``(Σw)² / Σw²``.
    learnt_part_ : float
        Part of the weights that was learnt; the rest of them is equal, see `min_effective_size`.
    moments_ : dict
        After ``partial_fit``, by side ("source", "target"): count, mean and scatter matrix of its
        rows, which the next batch goes on from.
    source_rows_ : array of shape (n_source, n_features)
        After ``partial_fit``, the source rows that ``weights_`` are of.
    n_rows_seen_ : dict
        After ``partial_fit``, number of rows by side.
    n_features_in_ : int
        Number of features seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``, for parameters out of range and for a singular covariance.

    See Also
    --------
    KernelDensityWeighter : Without the assumption of a normal density.

    Notes
    -----
    :math:`w(x) = N(x; \mu_t, C_t) / N(x; \mu_s, C_s)` [1]_, computed and flattened in logarithms,
    so that many features neither underflow nor overflow.

    It helps when features are shifted and labels given features are not (covariate shift), and
    both domains are roughly normal. Without `sample_domain` all weights are 1. Cost: two
    covariances and two eigendecompositions, n · n_features² + n_features³ operations, or
    n² · n_features + n³ with more features than rows. Array level (a): runs wholly where the data
    are.

    References
    ----------
    .. [1] Shimodaira. Improving predictive inference under covariate shift by weighting the
       log-likelihood function. JSPI 90, 2000. doi:10.1016/S0378-3758(00)00115-4

    Examples
    --------
    >>> import numpy as np
    >>> from skda import GaussianWeighter, stack_domains
    >>> rng = np.random.default_rng(0)
    >>> X_source, X_target = rng.normal(size=(300, 1)), rng.normal(1.0, 0.5, size=(300, 1))
    >>> X, _, sample_domain = stack_domains(X_source, None, X_target)
    >>> weighter = GaussianWeighter(min_effective_size=None).fit(X, sample_domain=sample_domain)
    >>> round(float(np.average(X_source[:, 0], weights=weighter.weights_)), 1)
    1.0
    """

    _logs = True

    def __init__(
        self,
        *,
        reg: float | Literal["ledoit-wolf", "oas"] = "ledoit-wolf",
        exponent: float = 1.0,
        clip: float | None = None,
        min_effective_size: float | Literal["auto"] | None = "auto",
        forgetting_factor: float = 1.0,
    ):
        self.reg = reg
        self.exponent = exponent
        self.clip = clip
        self.min_effective_size = min_effective_size
        self.forgetting_factor = forgetting_factor

    def _learn(self, data):
        self._check_reg()
        sides = data.X_source, data.X_target
        for side, X in zip(("source", "target"), sides, strict=True):
            self._check_count(side, X.shape[0])
        self._unit = safe_unit(data.X)
        reg = self._reg_in_units()
        self._keep_densities([fit_gaussian(X / self._unit, reg=reg) for X in sides], data)

    def _learn_batch(self, data):
        if not hasattr(self, "moments_"):
            self.moments_ = {}
            # The first batch sets the unit: moments in several could not be merged.
            self._unit = safe_unit(data.X)
        merged = dict(self.moments_)
        for side, X in (("source", data.X_source), ("target", data.X_target)):
            if X.shape[0]:
                merged[side] = self._merged(merged.get(side), X / self._unit, data)
        self.moments_ = merged
        if len(merged) == 2:
            for side in merged:
                self._check_count(side, self.n_rows_seen_[side])
            reg = self._reg_in_units()
            moved = [merged[side].at(data.backend.asarray) for side in ("source", "target")]
            self._keep_densities([gaussian_of(m, reg=reg) for m in moved], data)

    def _needs_rows(self, data):
        if min(data.n_source, data.n_target or data.n_source) < data.X.shape[1]:
            return "with more features than rows no scatter matrix is formed"
        return super()._needs_rows(data)

    def _learn_sums(self, data, table):
        for side, n in (("source", data.n_source), ("target", data.n_target)):
            self._check_count(side, n)
        # Moments are merged in float64, whose fourth powers do not overflow.
        self._unit = 1.0
        sums = table.total("_sums_of")
        domains = data.source_domains, data.target_domains
        sides = [pooled(sums[i] for i in side) for side in domains]
        self._keep_densities([gaussian_of(m, reg=self._reg_in_units()) for m in sides], data)
        return sides

    def _sums_of(self, data):
        X = data.xp.astype(data.X, data.xp.float64)
        return {i: _moments(take_rows(X, data.rows(i)), self.reg) for i in data.domains}

    def _merged(self, old, X, data):
        new = _moments(X, self.reg)
        if old is not None:
            old = old.at(data.backend.asarray)
            new = merge_moments(old, new, forgetting_factor=self.forgetting_factor)
        return new.at(data.to_input)

    def _keep_densities(self, densities, data):
        keep = data.to_input
        self._densities = [p._replace(mean=keep(p.mean), W=keep(p.W)) for p in densities]

    @staticmethod
    def _check_count(side, n):
        if n < 2:
            raise ValueError(
                f"GaussianWeighter needs at least 2 rows in each domain for a covariance; the "
                f"{side} has {n}. Use KMMWeighter or add rows."
            )

    def _check_reg(self):
        if isinstance(self.reg, str):
            return check_option("reg", self.reg, sorted(SHRINKAGE_RULES), hint="Or pass a number.")
        return check_real("reg", self.reg, low=0, hint="The default is 'ledoit-wolf'.")

    def _reg_in_units(self):
        reg = self.reg
        # Twice, since the square may overflow.
        return reg if isinstance(reg, str) else reg / self._unit / self._unit

    def _check_shape_params(self):
        self._check_reg()
        check_forgetting_factor(self.forgetting_factor)
        return super()._check_shape_params()

    def _importance(self, X, backend):
        X = within_range(X / self._unit)
        source, target = (
            density._replace(
                mean=backend.asarray(density.mean, X.dtype), W=backend.asarray(density.W, X.dtype)
            ).log(X)
            for density in self._densities
        )
        return target - source
