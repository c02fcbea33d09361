"""KLIEP: the density ratio whose product with the source is nearest to the target in likelihood.

After scaling, the coefficients are the proportions of a mixture, so that EM steps never fail, and
the gradient itself certifies how far the optimum is.
"""

import math

import numpy as np
from sklearn.utils import check_random_state

from .._array._backend import namespace
from .._array._rows import take_rows
from .._core._param_checks import check_integer, check_real
from .._numerics._box_qp import BoxSlab, Start, solve_box_qp
from .._numerics._kernels import kernel_matrix, kernel_row_means
from ._base_weighter import FunctionWeighter
from ._ratio_kernels import draw_centers, gamma_candidates


def mixture_proportions(L, *, start=None, tol=1e-4, max_iter=100, n_em=5):
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
    a = xp.ones_like(L[0, :]) / b if start is None else (start + 1e-3 / b) / (1.0 + 1e-3)
    for n_iter in range(max_iter + 1):
        for _ in range(n_em):
            fitted = xp.clip(L @ a, min=tiny)
            gradient = L.T @ (1.0 / fitted) / n
            gap = float(xp.max(gradient)) - 1.0
            if gap <= tol or n_iter == max_iter:
                return a, gap, n_iter
            a = a * gradient
        a = _newton_step(L, a, tiny)
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


class KLIEPWeighter(FunctionWeighter):
    r"""Weight source rows by the density ratio, fitted by maximum likelihood on the target.

    Parameters
    ----------
    gamma : float, "cv", "median", "scale" or sequence of float, default="cv"
        Width of the kernels ``exp(-gamma ‖x - c‖²)``. "cv" chooses among nine values from 0.01 to
        100 times the "median" one (1/(2·median²) of the distances between all rows), a sequence
        among its own, by the likelihood of held-out target rows.
    n_basis : int, default=100
        Number of kernel centers, drawn from the target rows; all of them if there are fewer.
    cv : int, default=5
        Number of parts of the target rows in the choice of `gamma`.
    exponent : float, default=1.0
        Exponent in [0, 1] applied to the weights; 0 gives equal weights.
    clip : float or None, default=None
        Largest weight, as a multiple of the mean weight, applied after `exponent`.
    tol : float, default=1e-4
        Stop when the mean log-weight of the target rows is within `tol` of the optimum.
    max_iter : int, default=100
        Largest number of Newton steps.
    random_state : int, RandomState instance or None, default=None
        Draws the centers, the parts, and the rows of the median heuristic if there are over 1,000.

    Attributes
    ----------
    weights_ : array of shape (n_source,)
        Weight of each source row in row order, mean 1.
    effective_sample_size_ : float
        ``(Σw)² / Σw²``.
    gamma_ : float
        The chosen width.
    centers_ : array of shape (n_basis, n_features)
        Kernel centers.
    coef_ : array of shape (n_basis,)
        Their coefficients, not negative.
    objective_ : float
        Mean log-weight of the target rows, before flattening and clipping.
    gap_ : float
        Certified bound on how far `objective_` is from the optimum.
    cv_scores_ : ndarray of shape (n_gammas,)
        Mean log-weight of held-out target rows for each candidate, larger is better; only if there
        was more than one.
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

    It helps when features are shifted and labels given features are not (covariate shift), and the
    source covers the target. Without `sample_domain` all weights are 1. Cost: n × n_basis memory,
    and about ten times n · n_basis² operations for each candidate and part. Array level (a): runs
    wholly where the data are.

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
    >>> weighter = KLIEPWeighter(random_state=0).fit(X, sample_domain=sample_domain)
    >>> round(float(np.average(X_source[:, 0], weights=weighter.weights_)), 1)
    1.0
    """

    _order_dependent = True  # centers, folds

    def __init__(
        self,
        *,
        gamma="cv",
        n_basis=100,
        cv=5,
        exponent=1.0,
        clip=None,
        tol=1e-4,
        max_iter=100,
        random_state=None,
    ):
        self.gamma = gamma
        self.n_basis = n_basis
        self.cv = cv
        self.exponent = exponent
        self.clip = clip
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state

    def _learn(self, data):
        self._check_params()
        rng = check_random_state(self.random_state)
        gammas = gamma_candidates(self.gamma, data.X, rng)
        centers = draw_centers(data.X_target, self.n_basis, rng)
        parts = np.arange(len(data.target)) % min(self.cv, len(data.target))
        rng.shuffle(parts)
        if len(gammas) == 1 or len(data.target) < 2:
            self.gamma_ = gammas[0]
        else:
            self.cv_scores_ = np.array(
                [
                    held_out_likelihood(*self._likelihoods(data, centers, gamma), parts)
                    for gamma in gammas
                ]
            )
            self.gamma_ = gammas[int(np.argmax(self.cv_scores_))]
        L, means = self._likelihoods(data, centers, self.gamma_)
        a, self.gap_, self.n_iter_ = mixture_proportions(L, tol=self.tol, max_iter=self.max_iter)
        xp = data.xp
        tiny = float(xp.finfo(L.dtype).smallest_normal)
        self.objective_ = float(xp.mean(xp.log(xp.clip(L @ a, min=tiny))))
        reached = means > 0
        coef = xp.where(reached, a / xp.where(reached, means, xp.ones_like(means)), 0.0 * a)
        self.centers_, self.coef_ = data.to_input(centers), data.to_input(coef)

    def _likelihoods(self, data, centers, gamma):
        """Kernels at the target rows over their means at the source rows, and those means.

        Centers that no source row reaches would have an infinite coefficient and are left out.
        """
        xp = data.xp
        means = kernel_row_means(centers, data.X_source, gamma=gamma)
        floor = float(xp.finfo(means.dtype).eps) ** 4
        means = xp.where(means > floor, means, xp.zeros_like(means))
        reached = means > 0
        inverse = xp.where(reached, 1.0 / xp.where(reached, means, xp.ones_like(means)), means)
        return kernel_matrix(data.X_target, centers, gamma=gamma) * inverse, means

    def _check_params(self):
        for name, least in (("n_basis", 1), ("cv", 2), ("max_iter", 1)):
            check_integer(name, getattr(self, name), low=least)
        check_real("tol", self.tol, low=0, closed="neither", hint="The default is 1e-4.")

    def _importance(self, X, backend):
        centers = backend.asarray(self.centers_, X.dtype)
        return kernel_matrix(X, centers, gamma=self.gamma_) @ backend.asarray(self.coef_, X.dtype)


def held_out_likelihood(L, means, parts):
    """Mean log-weight of target rows under fits without their part; -inf where nothing reaches."""
    xp = namespace(L)
    tiny = float(xp.finfo(L.dtype).smallest_normal)
    if not bool(xp.any(means > 0)):
        return -math.inf
    start, _, _ = mixture_proportions(L, tol=1e-3, max_iter=30)
    total = 0.0
    for part in np.unique(parts):
        kept = take_rows(L, np.flatnonzero(parts != part))
        a, _, _ = mixture_proportions(kept, start=start, tol=1e-3, max_iter=30)
        held_out = take_rows(L, np.flatnonzero(parts == part))
        total += float(xp.sum(xp.log(xp.clip(held_out @ a, min=tiny))))
    return total / len(parts)
