"""Kernel mean matching: weights under which the mean of the source in kernel space is the target's.

The weights solve one convex quadratic program over a box cut by a slab: on the kernel matrix of
all source rows, or on explicit features of the kernel for more rows than that can have.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

from sklearn.exceptions import ConvergenceWarning

from .._array._backend import namespace
from .._array._rows import take_rows
from .._array._warnings import warn_user
from .._array._watch import unwatched
from .._core._callbacks import at_most, rounds_of
from .._core._param_checks import check_integer, check_option, check_real
from .._core._typing import RandomState
from .._numerics._box_qp import BoxSlab, solve_box_qp, start_from_halves
from .._numerics._budget import check_cost
from .._numerics._kernels import (
    kernel_matrix,
    kernel_row_means,
    kernel_tiling,
    nystroem_map,
    resolve_gamma,
)
from .._numerics._low_rank_qp import solve_low_rank_box_qp
from .._numerics._threads import limit_blas_threads
from ._base_weighter import BaseWeighter, Importances

# Source rows from which a start pays: fewer are solved in less time than finding one would take,
# and their linear algebra runs faster on one thread.
_MIN_WARM_START_ROWS = 1024
_ENTRY_SECONDS = 7e-8  # measured: kernel and solution for n source rows take this times n²
# A larger ridge makes all weights equal to six digits, and its product with them loses the
# precision that `tol` asks for.
_MAX_REG = 1e8
# Largest sum of the kernel over the target rows below which no source row is in reach of them.
_LEAST_REACH = 1e-8


def kernel_mean_matching(
    X_source,
    X_target,
    *,
    upper,
    eps,
    reg=0.0,
    tol=1e-5,
    max_iter=100,
    round_task=unwatched,
    **kernel_params,
):
    """Weights of the source rows that bring the two kernel means together.

    Parameters
    ----------
    X_source, X_target : arrays of shape (n_source, n_features) and (n_target, n_features)
    upper : float
        Largest weight B.
    eps : float
        How far the mean weight may be from 1.
    reg : float
        Added to the diagonal of the kernel matrix.
    tol, max_iter, round_task
        Of :func:`~skda._numerics._box_qp.solve_box_qp`.
    **kernel_params
        Of :func:`~skda._numerics._kernels.kernel_matrix`, save "precomputed".

    Returns
    -------
    solution : BoxQPSolution
        Its ``x`` are the weights.
    reach : float
        Largest sum over the target rows of the kernel with one source row.
    """
    xp = namespace(X_source)
    n, m = X_source.shape[0], X_target.shape[0]
    kappa = kernel_row_means(X_source, X_target, **kernel_params) * float(n)
    feasible = _feasible(n, upper, eps)
    start = start_from_halves(  # whose matrices are gone before that of all rows is made
        lambda rows: kernel_matrix(take_rows(X_source, rows), **kernel_params),
        kappa,
        feasible,
        min_size=_MIN_WARM_START_ROWS,
        reg=reg,
    )
    if callable(kernel_params.get("kernel")):
        K, refill = kernel_matrix(X_source, **kernel_params), None
    else:
        refill = kernel_tiling(X_source, **kernel_params).matrix
        K = refill()
    with limit_blas_threads(n <= _MIN_WARM_START_ROWS):
        solution = solve_box_qp(
            K,
            kappa,
            feasible,
            reg=reg,
            start=start,
            tol=tol,
            polish=5,
            max_iter=max_iter,
            refill=refill,
            round_task=round_task,
        )
    return solution, float(xp.max(kappa)) * m / n


def approximate_mean_matching(
    X_source, X_target, features, *, upper, eps, reg, tol=1e-5, max_iter=100, round_task=unwatched
):
    """The weights of :func:`kernel_mean_matching` in the space of explicit features.

    Both kernel means are taken there, so that the program is the same with the inner product of
    the features for a kernel.
    """
    xp = namespace(X_source)
    n, m = X_source.shape[0], X_target.shape[0]
    factor = features(X_source)
    kappa = factor @ xp.mean(features(X_target), axis=0) * float(n)
    feasible, options = _feasible(n, upper, eps), {"tol": tol, "max_iter": max_iter}
    solution = solve_low_rank_box_qp(
        factor, kappa, feasible, reg=reg, round_task=round_task, **options
    )
    return solution, float(xp.max(kappa)) * m / n


def _feasible(n, upper, eps):
    return BoxSlab(float(upper), n * (1.0 - eps), n * (1.0 + eps))


class KMMWeighter(BaseWeighter):
    r"""Weight source rows so that their mean in kernel space matches the target's.

    In the space of a kernel, the mean of the rows stands for their whole distribution. The weights
    are those under which the weighted source has nearly the same mean there as the target, so that
    no density is ever estimated.

    Parameters
    ----------
    kernel : str or callable, default="rbf"
        "rbf", "laplacian", "linear", "poly", "cosine", "sigmoid", or a function of two arrays of
        rows that returns their kernel matrix. It must be positive semi-definite.
    gamma : float, "median" or "scale", default="median"
        Width of the kernel: ``exp(-gamma ‖x - y‖²)``. "median" is 1/(2·median²) of the distances
        between all rows (of 1,000, always the same, if there are more). Larger values match finer
        detail and leave fewer source rows with a large weight.
    upper_bound : float, default=1000.0
        Largest weight B before normalization. Smaller values bound the variance.
    eps : float or None, default=None
        How far the mean weight may be from 1 in the program. None is the paper's
        ``(sqrt(n_source) - 1) / sqrt(n_source)``.
    reg : float, default=1.0
        Added to the diagonal of the kernel matrix, which penalizes ``Σβ²``. 0 is the paper's
        program: the best match, often resting on few rows. Values up to 100 give smoother
        weights of less variance; at most 1e8, where all weights are equal.
    solver : {"exact", "nystroem"}, default="exact"
        "exact" works on the n_source x n_source kernel matrix. "nystroem" replaces the kernel by
        ``n_basis`` explicit features, for tens of thousands of rows and more; it needs `reg` above
        0.
    n_basis : int, default=500
        Landmark rows of "nystroem", drawn from all rows. More come closer to the kernel. Which
        rows are landmarks depends on the order of the rows.
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
    tol : float, default=1e-5
        KKT residual at which to stop: the largest entry of ``β - P(β - (Kβ + reg β - κ))``, where
        P projects on the constraints. In float32 it is limited by machine precision.
    max_iter : int, default=100
        Largest number of proximal steps (with "nystroem", of steps of Newton); more raises a
        ``ConvergenceWarning``.
    random_state : int, RandomState instance or None, default=None
        Draws the landmarks of "nystroem".

    Attributes
    ----------
    weights_ : array of shape (n_source,)
        Weight of each source row in row order, mean 1.
    effective_sample_size_ : float
        ``(Σw)² / Σw²``.
    learnt_part_ : float
        Part of the weights that was learnt; the rest of them is equal, see `min_effective_size`.
    beta_ : array of shape (n_source,)
        Solution of the program, before `exponent`, `clip` and normalization.
    gamma_ : float
        The number that `gamma` stood for.
    kkt_residual_ : float
        Residual at the solution.
    kkt_residuals_ : list of float
        Residual at the start and after each step.
    n_iter_ : int
        Steps taken.
    n_features_in_ : int
        Number of features seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``, for parameters out of range and for a `kernel` that is not known.

    See Also
    --------
    RuLSIFWeighter : Weights as a bounded function of the features, chosen by cross-validation.
    ImportanceWeightedEstimator : Fits any estimator with these weights.

    Notes
    -----
    Solves

    .. math:: \min_\beta \tfrac12 \beta^T K \beta - \kappa^T \beta \quad
        0 \le \beta_i \le B, \; |\textstyle\sum_i \beta_i - n_s| \le n_s \epsilon

    with :math:`\kappa = (n_s/n_t) K_{st} 1` [1]_ (and `reg` added to the diagonal of K). Up to a
    constant it is the squared MMD between the weighted source and the target, and the ridge adds
    ``reg Σβ²/n_source²``, the variance of the weighted mean of labels with noise of variance `reg`.
    Without it the optimum fits the two samples and not the distributions behind them: for 500 rows
    from normal distributions in two dimensions its rank correlation with the true ratio is below
    0.5, and with ``reg=1`` above 0.9.

    A proximal-point method with an active-set step on the free weights stops on the optimality
    conditions; rows are never solved in batches.

    It helps when features are shifted and labels given features are not (covariate shift), and the
    source covers the target. Without `sample_domain` all weights are 1. The method weights the
    rows it was fitted on and defines no function of the features.

    Cost: memory of one n_source × n_source matrix, and up to a half of another where products with
    it converge slowly, as they do without a ridge (up to a whole one where `kernel` is a function,
    and on arrays other than NumPy's); n_source² n_features operations for the kernel. The solution
    takes some dozens of products, or ten Cholesky factors or more of the part on the rows with a
    weight strictly between the bounds; with more than 1,024 source rows it is then warm-started
    from a solution on every other row. With a basis of m, memory of one n_source × m matrix and
    O((n_source + n_target) m (n_features + m)) operations, a dozen times the latter for the
    source. The order of the rows does not matter to "exact". Array level (a): runs wholly where
    the data are.

    Callbacks (``set_callbacks``, with scikit-learn 1.9 or later) see the steps of the solver.

    References
    ----------
    .. [1] Huang, Gretton, Borgwardt, Schölkopf, Smola. Correcting sample selection bias by
       unlabeled data. NIPS 2006. doi:10.7551/mitpress/7503.003.0080

    Examples
    --------
    >>> import numpy as np
    >>> from skda import KMMWeighter, stack_domains
    >>> rng = np.random.default_rng(0)
    >>> X_source, X_target = rng.normal(size=(200, 2)), rng.normal(1.0, 0.5, size=(100, 2))
    >>> X, _, sample_domain = stack_domains(X_source, None, X_target)
    >>> weighter = KMMWeighter(min_effective_size=None).fit(X, sample_domain=sample_domain)
    >>> bool(abs(np.average(X_source, axis=0, weights=weighter.weights_) - 1).max() < 0.1)
    True
    >>> weighter.weights_.mean().round(6).item()
    1.0
    """

    def __init__(
        self,
        *,
        kernel: str | Callable[..., Any] = "rbf",
        gamma: float | Literal["median", "scale"] = "median",
        upper_bound: float = 1000.0,
        eps: float | None = None,
        reg: float = 1.0,
        solver: Literal["exact", "nystroem"] = "exact",
        n_basis: int = 500,
        exponent: float = 1.0,
        clip: float | None = None,
        min_effective_size: float | Literal["auto"] | None = "auto",
        tol: float = 1e-5,
        max_iter: int = 100,
        random_state: RandomState = None,
    ):
        self.kernel = kernel
        self.gamma = gamma
        self.upper_bound = upper_bound
        self.eps = eps
        self.reg = reg
        self.solver = solver
        self.n_basis = n_basis
        self.exponent = exponent
        self.clip = clip
        self.min_effective_size = min_effective_size
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state

    @property
    def _order_dependent(self):
        return self.solver == "nystroem"  # its landmarks are rows chosen by their position

    def _n_tasks(self, data):
        return at_most(self.max_iter) if data.adapts else 0

    def _importances(self, data):
        n = len(data.source)
        upper, eps = self._check_bounds(n)
        reg = check_real("reg", self.reg, low=0, high=_MAX_REG, hint="0 is the paper's program.")
        check_integer("max_iter", self.max_iter, low=1, hint="The default is 100.")
        check_option("solver", self.solver, ("exact", "nystroem"))
        check_integer("n_basis", self.n_basis, low=1)
        if self.solver == "nystroem" and reg == 0:
            raise ValueError(
                "solver='nystroem' needs reg above 0, since its features are fewer than the rows; "
                "got reg=0. Take solver='exact' for the paper's program."
            )
        if isinstance(self.kernel, str) and self.kernel == "precomputed":
            raise ValueError(
                "kernel='precomputed' is not offered, since rows are split by domain inside. Pass "
                "a function of two arrays of rows."
            )
        self.gamma_ = resolve_gamma(self.gamma, data.X, kernel=self.kernel, random_state=0)
        program = {"upper": upper, "eps": eps, "reg": reg}
        program |= {"tol": self.tol, "max_iter": self.max_iter}
        program |= {"round_task": rounds_of(self, "step")}
        kernel = {"kernel": self.kernel, "gamma": self.gamma_}
        if self.solver == "nystroem":
            features = nystroem_map(data.X, self.n_basis, random_state=self.random_state, **kernel)
            solution, reach = approximate_mean_matching(
                data.X_source, data.X_target, features, **program
            )
        else:
            what, hint = f"the kernel matrix of {n} rows", "Take solver='nystroem'."
            seconds = _ENTRY_SECONDS * n * n
            check_cost(type(self).__name__, what, n * n, seconds, data.X, hint=hint)
            solution, reach = kernel_mean_matching(
                data.X_source, data.X_target, **program, **kernel
            )
        self.beta_ = data.to_input(solution.x)
        self.kkt_residual_ = solution.residual
        self.kkt_residuals_ = list(solution.residuals)
        self.n_iter_ = solution.n_iter
        if not solution.converged:
            warn_user(
                f"KMMWeighter stopped after max_iter={self.max_iter} steps at a KKT residual of "
                f"{solution.residual:.1e}, tol={self.tol:.1e}. Raise max_iter or tol.",
                ConvergenceWarning,
            )
        warning = None
        if 0 <= reach < _LEAST_REACH:
            warning = (
                f"No target row is within reach of any source row at gamma={self.gamma_:.3g}: the "
                f"weights say nothing (effective sample size {n} of {n}). Scale the features or "
                "lower gamma."
            )
        return Importances(solution.x, warning)

    def _check_bounds(self, n):
        upper = check_real(
            "upper_bound", self.upper_bound, low=0, closed="neither", hint="The default is 1000."
        )
        if self.eps is None:
            eps = (math.sqrt(n) - 1.0) / math.sqrt(n)
        else:
            eps = check_real("eps", self.eps, low=0, hint="None is the paper's rule.")
        check_real("tol", self.tol, low=0, closed="neither", hint="The default is 1e-5.")
        if upper < 1.0 - eps:
            raise ValueError(
                f"upper_bound={self.upper_bound!r} and eps={eps:.3g} leave no weights: a mean of "
                "at least 1 - eps is out of reach. Raise upper_bound to 1 or more."
            )
        return upper, eps
