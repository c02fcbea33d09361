"""Least-squares importance fitting: the density ratio as the solution of one linear system.

uLSIF fits the ratio p_t / p_s, RuLSIF the bounded ratio p_t / (α p_t + (1 - α) p_s). Bandwidth and
penalty are chosen by an exact leave-one-out criterion that needs no refitting.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from sklearn.utils import check_random_state

from .._array._backend import namespace
from .._array._rows import take_rows
from .._core._param_checks import check_integer, check_real
from .._core._typing import RandomState
from .._numerics._kernels import kernel_matrix
from ._base_weighter import FunctionWeighter
from ._ratio_kernels import candidates, draw_centers, gamma_candidates

_REGS = [10.0 ** (half / 2) for half in range(-6, 3)]


def ratio_coefficients(phi_source, phi_target, *, alpha, reg):
    """Coefficients ``max(0, (H + reg I)^{-1} h)`` of the α-relative ratio.

    ``H = α Φtᵀ Φt / n_t + (1 - α) Φsᵀ Φs / n_s`` and h is the mean of the rows of Φt.
    """
    xp = namespace(phi_source)
    H = _second_moment(phi_target) * alpha + _second_moment(phi_source) * (1.0 - alpha)
    h = xp.mean(phi_target, axis=0)
    identity = xp.eye(H.shape[0], dtype=H.dtype, device=H.device)
    theta = xp.linalg.solve(H + identity * reg, xp.reshape(h, (-1, 1)))[:, 0]
    return xp.clip(theta, min=0.0)


def _second_moment(phi):
    return (phi.T @ phi) / phi.shape[0]


def leave_one_out_scores(phi_source, phi_target, *, alpha, regs):
    """Criterion ``½ α E_t w² + ½ (1 - α) E_s w² - E_t w`` of each penalty, smaller is better.

    The term of each row uses the coefficients of a fit without that row. Leaving a row out changes
    H by rank one, so one eigendecomposition per domain serves all rows and all penalties.
    """
    xp = namespace(phi_source)
    n_s, n_t = phi_source.shape[0], phi_target.shape[0]
    H_s, H_t = _second_moment(phi_source), _second_moment(phi_target)
    h = xp.mean(phi_target, axis=0)
    less_s, less_t = 1.0 / max(n_s - 1, 1), 1.0 / max(n_t - 1, 1)
    without_source = _LeaveOneOut(
        phi_source, H_t * alpha + H_s * ((1 - alpha) * n_s * less_s), (1 - alpha) * less_s
    )
    without_target = _LeaveOneOut(
        phi_target, H_t * (alpha * n_t * less_t) + H_s * (1 - alpha), alpha * less_t
    )
    scores = []
    for reg in regs:
        w_s = without_source.weights(reg, h, 0.0)
        w_t = without_target.weights(reg, h * (n_t * less_t), less_t)
        score = 0.5 * alpha * xp.mean(w_t * w_t) + 0.5 * (1 - alpha) * xp.mean(w_s * w_s)
        scores.append(float(score - xp.mean(w_t)))
    return scores


class _LeaveOneOut:
    """Weights ``φᵢᵀ max(0, (M + reg I - a φᵢφᵢᵀ)^{-1} (h - b φᵢ))`` of all rows φᵢ at once."""

    def __init__(self, phi, M, a):
        self.phi, self.a = phi, a
        self.values, self.vectors = namespace(phi).linalg.eigh(M)
        self.rotated = phi @ self.vectors

    def weights(self, reg, h, b):
        xp = namespace(self.phi)
        inverse = 1.0 / (xp.clip(self.values, min=0.0) + reg)
        U = (self.rotated * inverse) @ self.vectors.T
        base = self.vectors @ (inverse * (self.vectors.T @ h))
        leverage = xp.sum(U * self.phi, axis=1)
        fitted = self.phi @ base - leverage * b
        # Sherman and Morrison, with the pull b φᵢ taken out of h
        factor = self.a * fitted / (1.0 - self.a * leverage) - b
        theta = base + U * xp.reshape(factor, (-1, 1))
        return xp.sum(self.phi * xp.clip(theta, min=0.0), axis=1)


class _LeastSquaresWeighter(FunctionWeighter):
    """The common part of uLSIF and RuLSIF; ``_relative`` is the α of the ratio."""

    _order_dependent = True  # centers
    _looks_for_overlap = True

    def _learn(self, data):
        alpha = self._relative()
        check_integer("n_basis", self.n_basis, low=1)
        rng = check_random_state(self.random_state)
        gammas = gamma_candidates(self.gamma, data.X, rng)
        regs = candidates("reg", self.reg, _REGS)
        centers = take_rows(data.X_target, draw_centers(len(data.target), self.n_basis, rng))
        chosen = (gammas[0], regs[0])
        if len(gammas) * len(regs) > 1:
            self.loo_scores_ = np.array(
                [
                    leave_one_out_scores(
                        kernel_matrix(data.X_source, centers, gamma=gamma),
                        kernel_matrix(data.X_target, centers, gamma=gamma),
                        alpha=alpha,
                        regs=regs,
                    )
                    for gamma in gammas
                ]
            )
            best = np.unravel_index(np.nanargmin(self.loo_scores_), self.loo_scores_.shape)
            chosen = (gammas[best[0]], regs[best[1]])
        self.gamma_, self.reg_ = chosen
        theta = ratio_coefficients(
            kernel_matrix(data.X_source, centers, gamma=self.gamma_),
            kernel_matrix(data.X_target, centers, gamma=self.gamma_),
            alpha=alpha,
            reg=self.reg_,
        )
        self.centers_, self.coef_ = data.to_input(centers), data.to_input(theta)

    def _importance(self, X, backend):
        centers = backend.asarray(self.centers_, X.dtype)
        return kernel_matrix(X, centers, gamma=self.gamma_) @ backend.asarray(self.coef_, X.dtype)


class RuLSIFWeighter(_LeastSquaresWeighter):
    r"""Weight source rows by the relative density ratio, fitted by least squares.

    The weight is a sum of bells around target rows, fitted by least squares to the ratio of the
    target's density to a mixture of both. The mixture in the denominator keeps the ratio bounded
    where there are few source rows.

    Parameters
    ----------
    alpha : float, default=0.1
        Share of the target density in the denominator, in [0, 1). The ratio is bounded by
        1/alpha; 0 is uLSIF, larger values give smoother weights of less variance.
    gamma : float, "cv", "median", "scale" or sequence of float, default="cv"
        Width of the kernels ``exp(-gamma ‖x - c‖²)``. "cv" chooses among nine values from 0.01 to
        100 times the "median" one (1/(2·median²) of the distances between all rows), a sequence
        among its own, by the leave-one-out criterion.
    reg : float, "cv" or sequence of float, default="cv"
        Ridge penalty on the coefficients. "cv" chooses among nine values from 0.001 to 10.
        Larger values give smoother weights.
    n_basis : int, default=100
        Number of kernel centers, drawn from the target rows; all of them if there are fewer.
    exponent : float, default=1.0
        Exponent in [0, 1] applied to the weights; 0 gives equal weights.
    clip : float or None, default=None
        Largest weight, as a multiple of the mean weight, applied after `exponent`. What is cut off
        goes to the other rows in proportion to their weights. None does not clip.
    min_effective_size : float, "auto" or None, default="auto"
        Smallest effective sample size of the weights, as a part of the source rows: weights that
        rest on fewer rows are mixed with equal ones until they have it. "auto" is thirty rows for
        each feature and for the intercept, at most all rows, which leaves equal weights. None,
        the paper's weights, mixes nothing in.
    random_state : int, RandomState instance or None, default=None
        Draws the centers, and the rows of the median heuristic if there are over 1,000.

    Attributes
    ----------
    weights_ : array of shape (n_source,)
        Weight of each source row in row order, mean 1.
    effective_sample_size_ : float
        ``(Σw)² / Σw²``.
    learnt_part_ : float
        Part of the weights that was learnt; the rest of them is equal, see `min_effective_size`.
    gamma_, reg_ : float
        The chosen width and penalty.
    centers_ : array of shape (n_basis, n_features)
        Kernel centers.
    coef_ : array of shape (n_basis,)
        Their coefficients, not negative.
    loo_scores_ : ndarray of shape (n_gammas, n_regs)
        Criterion of each candidate, smaller is better; only if there was more than one.
    n_features_in_ : int
        Number of features seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``, for parameters out of range.

    See Also
    --------
    ULSIFWeighter : The unbounded ratio.
    KLIEPWeighter : The ratio by maximum likelihood.

    Notes
    -----
    Fits :math:`w(x) = \sum_l \theta_l k(x, c_l) \approx p_t(x) / (\alpha p_t(x) +
    (1-\alpha) p_s(x))` in closed form [1]_, negative coefficients set to zero:

    .. math:: \theta = \max(0, (\hat H + \lambda I)^{-1} \hat h), \quad \hat H = \tfrac{\alpha}{n_t}
        \Phi_t^T \Phi_t + \tfrac{1-\alpha}{n_s} \Phi_s^T \Phi_s, \quad \hat h = \tfrac1{n_t}
        \Phi_t^T 1

    The leave-one-out criterion is exact; it leaves out one row of either domain at a time, instead
    of one pair as in [2]_, so that it does not depend on the order of the rows.

    It helps when features are shifted and labels given features are not (covariate shift). Without
    `sample_domain` all weights are 1. Cost: n × n_basis memory, and n · n_basis² operations for
    each pair of candidates. Array level (a): runs wholly where the data are.

    References
    ----------
    .. [1] Yamada, Suzuki, Kanamori, Hachiya, Sugiyama. Relative density-ratio estimation for robust
       distribution comparison. Neural Computation 25, 2013. doi:10.1162/NECO_a_00442
    .. [2] Kanamori, Hido, Sugiyama. A least-squares approach to direct importance estimation. JMLR
       10, 2009. https://www.jmlr.org/papers/v10/kanamori09a.html

    Examples
    --------
    >>> import numpy as np
    >>> from skda import RuLSIFWeighter, stack_domains
    >>> rng = np.random.default_rng(0)
    >>> X_source, X_target = rng.normal(size=(300, 1)), rng.normal(1.0, 0.5, size=(300, 1))
    >>> X, _, sample_domain = stack_domains(X_source, None, X_target)
    >>> weighter = RuLSIFWeighter(min_effective_size=None, random_state=0)
    >>> weighter = weighter.fit(X, sample_domain=sample_domain)
    >>> low, high = weighter.predict_weights(np.array([[-1.0], [1.0]]))
    >>> bool(high > 10 * low)
    True
    >>> round(float(weighter.weights_.mean()), 6)
    1.0
    """

    def __init__(
        self,
        *,
        alpha: float = 0.1,
        gamma: float | Literal["cv", "median", "scale"] | Sequence[float] = "cv",
        reg: float | Literal["cv"] | Sequence[float] = "cv",
        n_basis: int = 100,
        exponent: float = 1.0,
        clip: float | None = None,
        min_effective_size: float | Literal["auto"] | None = "auto",
        random_state: RandomState = None,
    ):
        self.alpha = alpha
        self.gamma = gamma
        self.reg = reg
        self.n_basis = n_basis
        self.exponent = exponent
        self.clip = clip
        self.min_effective_size = min_effective_size
        self.random_state = random_state

    def _relative(self):
        alpha = check_real("alpha", self.alpha, low=0, high=1, hint="The default is 0.1.")
        if alpha == 1:
            raise ValueError(
                "alpha must be below 1; got 1, for which every weight is the same. Use exponent=0 "
                "for equal weights."
            )
        return alpha


class ULSIFWeighter(_LeastSquaresWeighter):
    r"""Weight source rows by the density ratio, fitted by least squares.

    The weight is a sum of bells around target rows, fitted by least squares to the ratio of the
    target's density to the source's, in closed form and without either density.

    Parameters
    ----------
    gamma : float, "cv", "median", "scale" or sequence of float, default="cv"
        Width of the kernels ``exp(-gamma ‖x - c‖²)``. "cv" chooses among nine values from 0.01 to
        100 times the "median" one (1/(2·median²) of the distances between all rows), a sequence
        among its own, by the leave-one-out criterion.
    reg : float, "cv" or sequence of float, default="cv"
        Ridge penalty on the coefficients. "cv" chooses among nine values from 0.001 to 10.
        Larger values give smoother weights.
    n_basis : int, default=100
        Number of kernel centers, drawn from the target rows; all of them if there are fewer.
    exponent : float, default=1.0
        Exponent in [0, 1] applied to the weights; 0 gives equal weights.
    clip : float or None, default=None
        Largest weight, as a multiple of the mean weight, applied after `exponent`. What is cut off
        goes to the other rows in proportion to their weights. None does not clip.
    min_effective_size : float, "auto" or None, default="auto"
        Smallest effective sample size of the weights, as a part of the source rows: weights that
        rest on fewer rows are mixed with equal ones until they have it. "auto" is thirty rows for
        each feature and for the intercept, at most all rows, which leaves equal weights. None,
        the paper's weights, mixes nothing in.
    random_state : int, RandomState instance or None, default=None
        Draws the centers, and the rows of the median heuristic if there are over 1,000.

    Attributes
    ----------
    weights_ : array of shape (n_source,)
        Weight of each source row in row order, mean 1.
    effective_sample_size_ : float
        ``(Σw)² / Σw²``.
    learnt_part_ : float
        Part of the weights that was learnt; the rest of them is equal, see `min_effective_size`.
    gamma_, reg_ : float
        The chosen width and penalty.
    centers_ : array of shape (n_basis, n_features)
        Kernel centers.
    coef_ : array of shape (n_basis,)
        Their coefficients, not negative.
    loo_scores_ : ndarray of shape (n_gammas, n_regs)
        Criterion of each candidate, smaller is better; only if there was more than one.
    n_features_in_ : int
        Number of features seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``, for parameters out of range.

    See Also
    --------
    RuLSIFWeighter : A bounded ratio, whose weights vary less.

    Notes
    -----
    The case ``alpha=0`` of :class:`RuLSIFWeighter`: :math:`\theta = \max(0, (\hat H + \lambda
    I)^{-1} \hat h)` with :math:`\hat H = \Phi_s^T \Phi_s / n_s` and :math:`\hat h` the mean of the
    rows of :math:`\Phi_t` [1]_.

    It helps when features are shifted and labels given features are not (covariate shift), and the
    source covers the target. Without `sample_domain` all weights are 1. Cost: n × n_basis memory,
    and n · n_basis² operations for each pair of candidates. Array level (a): runs wholly where the
    data are.

    References
    ----------
    .. [1] Kanamori, Hido, Sugiyama. A least-squares approach to direct importance estimation. JMLR
       10, 2009. https://www.jmlr.org/papers/v10/kanamori09a.html

    Examples
    --------
    >>> import numpy as np
    >>> from skda import ULSIFWeighter, stack_domains
    >>> rng = np.random.default_rng(0)
    >>> X_source, X_target = rng.normal(size=(300, 1)), rng.normal(1.0, 0.5, size=(300, 1))
    >>> X, _, sample_domain = stack_domains(X_source, None, X_target)
    >>> weighter = ULSIFWeighter(min_effective_size=None, random_state=0)
    >>> weighter = weighter.fit(X, sample_domain=sample_domain)
    >>> round(float(np.average(X_source[:, 0], weights=weighter.weights_)), 1)
    1.0
    """

    def __init__(
        self,
        *,
        gamma: float | Literal["cv", "median", "scale"] | Sequence[float] = "cv",
        reg: float | Literal["cv"] | Sequence[float] = "cv",
        n_basis: int = 100,
        exponent: float = 1.0,
        clip: float | None = None,
        min_effective_size: float | Literal["auto"] | None = "auto",
        random_state: RandomState = None,
    ):
        self.gamma = gamma
        self.reg = reg
        self.n_basis = n_basis
        self.exponent = exponent
        self.clip = clip
        self.min_effective_size = min_effective_size
        self.random_state = random_state

    def _relative(self):
        return 0.0
