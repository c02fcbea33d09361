"""KLIEP: the density ratio whose product with the source is nearest to the target in likelihood.

After scaling, the coefficients are the proportions of a mixture, so that EM steps never fail, and
the gradient itself certifies how far the optimum is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from sklearn.utils import check_random_state

from .._array._arithmetic import safe_divide
from .._array._backend import backend_of, namespace
from .._array._rows import take_rows
from .._array._watch import unwatched
from .._core._callbacks import rounds_of, subtask
from .._core._param_checks import check_integer, check_real
from .._core._typing import RandomState
from .._numerics._box_qp import BoxSlab, Start, solve_box_qp
from .._numerics._kernels import kernel_matrix, kernel_row_means
from .._numerics._weights import effective_sample_size
from ._base_weighter import FunctionWeighter
from ._ratio_kernels import draw_centers, gamma_candidates

# A center whose kernel has so small a mean over the source rows counts as out of their reach: its
# coefficient would pass 1e10. Not a matter of the precision, or float32 and float64 would disagree.
_LEAST_REACH = 1e-10
_LEAST_RATIO = 1e-30  # stands for a ratio of 0 in logarithms, within the range of float32
_CV_GAP = 1e-3  # accuracy of the log-likelihoods that are compared, and the least gain that counts
_CV_STEPS = 30  # Newton steps for that accuracy


def mixture_proportions(
    L, *, start=None, tol=1e-4, max_iter=100, n_em=5, gaps=None, round_task=unwatched
):
    """Maximize ``mean(log(L a))`` over the simplex.

    Parameters
    ----------
    L : array of shape (n, b)
        Likelihood of each row under each component, none negative.
    start : array of shape (b,), default=None
        Where to start; equal proportions by default.
    tol : float
        Stop when the objective is known to be within `tol` of the optimum: the largest entry of the
        gradient exceeds 1 by no less than that distance.
    max_iter : int
        Largest number of Newton steps.
    n_em : int
        EM steps before each Newton step.
    gaps : list, default=None
        Gets the gap before each EM step, if there is one.
    round_task : callable
        Opens the task of a Newton step, for callbacks.

    Returns
    -------
    a : array of shape (b,)
    gap : float
        Bound on the distance of the objective from the optimum.
    n_iter : int
        Newton steps taken.
    """
    xp = namespace(L)
    n, b = L.shape
    tiny = float(xp.finfo(L.dtype).smallest_normal)
    # A little of the uniform mixture, because an EM step never moves a coefficient of 0.
    a = xp.ones_like(L[0, :]) / b if start is None else (start + 1e-3 / b) / (1.0 + 1e-3)
    stops = False
    for n_iter in range(max_iter + 1):
        for _ in range(n_em):
            fitted = xp.clip(L @ a, min=tiny)
            gradient = L.T @ (1.0 / fitted) / n
            # By concavity the optimum is at most this much higher.
            gap = float(xp.max(gradient)) - 1.0
            if gaps is not None:
                gaps.append(gap)
            if gap <= tol or n_iter == max_iter or stops:
                return a, gap, n_iter
            a = a * gradient
        with round_task() as task:
            a = _newton_step(L, a, tiny)
        stops = task.stops
    return a, gap, n_iter


def _newton_step(L, a, tiny):
    """Minimize the quadratic model of ``sum(a) - mean(log(L a))`` over a >= 0, then backtrack.

    The minimum of that function over a >= 0 lies on the simplex (Kim et al. 2020).
    """
    xp = namespace(L)
    n = L.shape[0]
    fitted = xp.clip(L @ a, min=tiny)
    scaled = L / xp.reshape(fitted, (-1, 1))
    H = scaled.T @ scaled / n
    gradient = xp.mean(scaled, axis=0)
    goal = solve_box_qp(H, gradient * 2.0 - 1.0, BoxSlab(), start=Start(a), tol=1e-8).x
    step = goal - a
    old = float(xp.sum(a)) - float(xp.mean(xp.log(fitted)))
    t = 1.0
    while t > 1e-3:
        new = a + step * t
        value = float(xp.sum(new)) - float(xp.mean(xp.log(xp.clip(L @ new, min=tiny))))
        if value < old:
            return new / xp.sum(new)
        t *= 0.5
    return a


def over_source_means(K_target, means):
    """Likelihood of each target row under each center: kernels over their means at the source.

    Returns the likelihoods and the means. Centers that no source row reaches would have an infinite
    coefficient and are left out: both are 0 for them.
    """
    xp = namespace(K_target)
    means = xp.where(means > _LEAST_REACH, means, xp.zeros_like(means))
    return K_target * safe_divide(xp.ones_like(means), means), means


def held_out_likelihood(K_source, K_target, parts_source, parts_target, parts_centers):
    """Mean of ``log(w / mean of w over the source)`` of target rows, for fits without their part.

    Parameters
    ----------
    K_source, K_target : arrays of shape (n_source, b) and (n_target, b)
        Kernels between the rows and the centers.
    parts_source, parts_target, parts_centers : ndarrays of int
        Part of each row and of each center. Fits use neither rows nor centers of the part that is
        held out: a center would give a held-out row a likelihood of its own, and source rows on
        which w was scaled to mean 1 would hide that narrow kernels miss the others.

    Returns
    -------
    score : float
        -inf if no center is left in one of the fits.
    """
    total, source_sum = 0.0, 0.0
    for part in np.unique(parts_target):
        centers = np.flatnonzero(parts_centers != part)
        kept_source, out_source = _split(K_source, parts_source, part, centers)
        kept_target, out_target = _split(K_target, parts_target, part, centers)
        xp = namespace(kept_source)
        L, means = over_source_means(kept_target, xp.mean(kept_source, axis=0))
        # No center is within reach of the source: this width cannot be judged, and is the worst.
        if not bool(xp.any(means > 0)):
            return -math.inf
        a, _, _ = mixture_proportions(L, tol=_CV_GAP, max_iter=_CV_STEPS)
        coef = safe_divide(a, means)
        total += float(xp.sum(xp.log(xp.clip(out_target @ coef, min=_LEAST_RATIO))))
        source_sum += float(xp.sum(out_source @ coef))
    # One scale for all parts: the logarithm of the mean of a few rows would be too small.
    scale = math.log(max(source_sum / len(parts_source), _LEAST_RATIO))
    return total / len(parts_target) - scale


def _split(K, parts, part, columns):
    """Rows outside a part, and rows in it, of some columns."""
    K = namespace(K).take(K, backend_of(K).asarray(columns), axis=1)
    return (take_rows(K, np.flatnonzero(rows)) for rows in (parts != part, parts == part))


class KLIEPWeighter(FunctionWeighter):
    r"""Weight source rows by the density ratio, fitted by maximum likelihood on the target.

    The weight is a sum of bells around target rows. Their heights are chosen such that the source
    density times the weight, which then is a density itself, makes the target rows most likely. No
    density is estimated on its own.

    Parameters
    ----------
    gamma : float, "cv", "median", "scale" or sequence of float, default="cv"
        Width of the kernels ``exp(-gamma ‖x - c‖²)``. "cv" chooses among nine values from 0.01 to
        100 times the "median" one (1/(2·median²) of the distances between all rows), a sequence
        among its own, by the likelihood of held-out rows: from the widest kernel to narrower ones,
        until the likelihood no longer rises.
    n_basis : int, default=100
        Number of kernel centers, drawn from the target rows; all of them if there are fewer.
    cv : int, default=5
        Number of parts of the rows of each domain in the choice of `gamma`.
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
    tol : float, default=1e-4
        Stop when the mean log-weight of the target rows is within `tol` of the optimum.
    max_iter : int, default=100
        Largest number of Newton steps.
    random_state : int, RandomState instance or None, default=None
        Chooses the centers, the parts, and of over 1,000 rows those of the median heuristic.

    Attributes
    ----------
    weights_ : array of shape (n_source,)
        Weight of each source row in row order, mean 1.
    effective_sample_size_ : float
        ``(Σw)² / Σw²``.
    learnt_part_ : float
        Part of the weights that was learnt; the rest of them is equal, see `min_effective_size`.
    gamma_ : float
        The chosen width.
    centers_ : array of shape (n_basis, n_features)
        Kernel centers.
    coef_ : array of shape (n_basis,)
        Their coefficients, not negative.
    objective_ : float
        Mean log-weight of the target rows, before `exponent` and `clip`.
    gap_ : float
        Certified bound on how far `objective_` is from the optimum.
    gaps_ : list of float
        That bound before each EM step of the final fit, `gap_` being the last.
    cv_scores_ : ndarray of shape (n_gammas,)
        Mean log-weight of held-out target rows for each candidate, larger is better; NaN for those
        that were not reached, and for a single candidate.
    n_iter_ : int
        Newton steps of the final fit.
    n_features_in_ : int
        Number of features seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``, for parameters out of range.

    See Also
    --------
    RuLSIFWeighter : A bounded ratio in closed form.

    Notes
    -----
    With :math:`w(x) = \sum_l \alpha_l k(x, c_l)`, solves [1]_

    .. math:: \max_{\alpha \ge 0} \tfrac1{n_t} \textstyle\sum_{x \in T} \log w(x) \quad
        \text{s.t.} \quad \tfrac1{n_s} \sum_{x \in S} w(x) = 1.

    Scaled by the constraint, the coefficients are proportions of a mixture; EM steps and Newton
    steps [2]_ alternate until the gradient certifies the optimum.

    In the choice of `gamma` a part of the target rows is held out together with the kernel centers
    among them, and a part of the source rows as well: weights are divided by their mean over
    held-out source rows. In the paper centers and source rows are those of the fit, and the
    likelihood then rises to the narrowest kernels on samples of some hundred rows, even where
    nothing has shifted. A :class:`~skda.DomainWarning` says if the narrowest candidate was chosen.

    It helps when features are shifted and labels given features are not (covariate shift), and the
    source covers the target. Without `sample_domain` all weights are 1. Cost: n × n_basis memory,
    and about ten times n · n_basis² operations for each candidate and part. Array level (a): runs
    wholly where the data are.

    Callbacks (``set_callbacks``, with scikit-learn 1.9 or later) see kernels and steps.

    References
    ----------
    .. [1] Sugiyama, Suzuki, Nakajima, Kashima, von Bünau, Kawanabe. Direct importance estimation
       for covariate shift adaptation. AISM 60, 2008. doi:10.1007/s10463-008-0197-x
    .. [2] Kim, Carbonetto, Stephens, Anitescu. A fast algorithm for maximum likelihood estimation
       of mixture proportions using sequential quadratic programming. JCGS 29, 2020.
       doi:10.1080/10618600.2019.1689985

    Examples
    --------
    >>> import numpy as np
    >>> from skda import KLIEPWeighter, stack_domains
    >>> rng = np.random.default_rng(0)
    >>> X_source, X_target = rng.normal(size=(300, 1)), rng.normal(1.0, 0.5, size=(300, 1))
    >>> X, _, sample_domain = stack_domains(X_source, None, X_target)
    >>> weighter = KLIEPWeighter(min_effective_size=None, random_state=0)
    >>> weighter = weighter.fit(X, sample_domain=sample_domain)
    >>> round(float(np.average(X_source[:, 0], weights=weighter.weights_)), 1)
    1.0
    """

    _order_dependent = True  # centers, folds

    def __init__(
        self,
        *,
        gamma: float | Literal["cv", "median", "scale"] | Sequence[float] = "cv",
        n_basis: int = 100,
        cv: int = 5,
        exponent: float = 1.0,
        clip: float | None = None,
        min_effective_size: float | Literal["auto"] | None = "auto",
        tol: float = 1e-4,
        max_iter: int = 100,
        random_state: RandomState = None,
    ):
        self.gamma = gamma
        self.n_basis = n_basis
        self.cv = cv
        self.exponent = exponent
        self.clip = clip
        self.min_effective_size = min_effective_size
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state

    def _n_tasks(self, data):
        return 2 if data.adapts else 0  # the choice of gamma, and the coefficients

    def _learn(self, data):
        self._check_params()
        xp, rng = data.xp, check_random_state(self.random_state)
        gammas = gamma_candidates(self.gamma, data.X, rng)
        chosen = draw_centers(len(data.target), self.n_basis, rng)
        centers = take_rows(data.X_target, chosen)
        self.cv_scores_ = np.full(len(gammas), np.nan)
        self.gamma_, self._at_edge = gammas[0], False
        # A single row has no part to be held out.
        if len(gammas) > 1 and min(len(data.source), len(data.target)) > 1:
            with subtask(self, "choice of gamma", len(gammas)):
                self._choose_gamma(data, gammas, chosen, centers, rng)
        K = kernel_matrix(data.X_target, centers, gamma=self.gamma_)
        means = kernel_row_means(centers, data.X_source, gamma=self.gamma_)
        L, means = over_source_means(K, means)
        # Of plain numbers, so that it is the same on every backend.
        self.gaps_, options = [], {"tol": self.tol, "max_iter": self.max_iter}
        with subtask(self, "coefficients", int(self.max_iter)):
            a, self.gap_, self.n_iter_ = mixture_proportions(
                L, gaps=self.gaps_, round_task=rounds_of(self, "step"), **options
            )
        self.objective_ = float(xp.mean(xp.log(xp.clip(L @ a, min=_LEAST_RATIO))))
        self.centers_, self.coef_ = data.to_input(centers), data.to_input(safe_divide(a, means))

    def _choose_gamma(self, data, gammas, chosen, centers, rng):
        """Walk from the widest kernel to narrower ones, up to the first best held-out likelihood.

        Of a finite sample the likelihood may rise again at kernels so narrow that single rows
        decide; the walk does not get there.
        """
        n_parts = min(self.cv, len(data.source), len(data.target))
        parts_source, parts_target = (
            rng.permutation(np.arange(n) % n_parts) for n in (len(data.source), len(data.target))
        )
        best, best_score = None, -math.inf
        for i in np.argsort(gammas, kind="stable"):
            with subtask(self, "gamma"):
                score = self.cv_scores_[i] = held_out_likelihood(
                    kernel_matrix(data.X_source, centers, gamma=gammas[i]),
                    kernel_matrix(data.X_target, centers, gamma=gammas[i]),
                    parts_source,
                    parts_target,
                    parts_target[chosen],
                )
            if best is not None and score <= best_score + _CV_GAP:
                break
            best, best_score = i, score
        self.gamma_, self._at_edge = gammas[best], gammas[best] == max(gammas)

    def _quality_warning(self, data, raw, weights):
        warning = super()._quality_warning(data, raw, weights)
        if warning is None and self._at_edge:
            warning = (
                f"KLIEPWeighter chose the narrowest of its kernels, gamma={self.gamma_:.3g}, by "
                "cross-validation: single rows then decide (effective sample size "
                f"{effective_sample_size(weights):.1f} of {weights.shape[0]}). Scale the "
                "features, or pass gamma='median' or a sequence that goes further."
            )
        return warning

    def _check_params(self):
        for name, least in (("n_basis", 1), ("cv", 2), ("max_iter", 1)):
            check_integer(name, getattr(self, name), low=least)
        check_real("tol", self.tol, low=0, closed="neither", hint="The default is 1e-4.")

    def _importance(self, X, backend):
        centers = backend.asarray(self.centers_, X.dtype)
        return kernel_matrix(X, centers, gamma=self.gamma_) @ backend.asarray(self.coef_, X.dtype)
