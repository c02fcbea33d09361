"""Transfer joint matching: transfer components that also leave out unhelpful source rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np

from .._array._arithmetic import safe_divide
from .._array._backend import as_like
from .._array._rows import take_rows
from .._core._callbacks import at_most, learnt_by, subtask
from .._core._param_checks import check_integer, check_real
from ._base_spectral import SpectralTransformer, count_components, mean_difference, solve


class TJMTransformer(SpectralTransformer):
    """Map rows to components in which domain means agree, built from few source rows.

    Transfer joint matching brings the domain means together as TCA does, and penalizes the rows of
    the component matrix that belong to source rows by their length, not its square: source rows
    that do not help are given no part in any component [1]_.

    Parameters
    ----------
    n_components : int or None, default=None
        Number of components. More keep more detail and more of the shift. None takes up to 30.
    kernel : {"rbf", "linear", "poly", "laplacian", "cosine", "sigmoid", "precomputed"} or \
callable, default="rbf"
        Kernel between rows. With "precomputed", X is the square kernel matrix in ``fit`` and the
        rows of the kernel against the rows of ``fit`` in ``transform``. A callable gets two arrays
        of rows and returns the matrix between them.
    gamma : float or {"median", "scale"}, default="median"
        Of the kernels rbf, laplacian, poly and sigmoid. "median" is ``1 / (2 m²)`` with m the
        median distance between two rows (of 1000 rows chosen with a fixed seed, if there are
        more). Larger means more local.
    degree : float, default=3
        Of the poly kernel.
    coef0 : float, default=1.0
        Of the kernels poly and sigmoid.
    reg : float, default=1.0
        Weight of the row penalty against the domain difference (λ in [1]_). Larger adapts the means
        less and leaves out more source rows.
    max_iter : int, default=10
        Rounds of components and row weights.
    tol : float, default=1e-3
        It stops when no row length changes by more than this share of the longest.

    Attributes
    ----------
    coef_ : array of shape (n_rows, n_components_)
        What kernel rows are multiplied with.
    basis_ : array or None
        Rows that the kernel is taken against; None for a precomputed kernel.
    source_norms_ : ndarray of shape (n_source,)
        Length of each source row's coefficients, in row order and with the components scaled to
        unit variance sum (``AᵀKHKA = I``): near zero for rows that are left out.
    center_ : array of shape (n_features,) or None
        Mean of all rows, which a linear kernel is taken relative to where the offset of the rows
        would hide their spread; else None.
    eigenvalues_ : array of shape (n_components_,)
        Variance of each component under the constraint, descending.
    changes_ : list of float
        Largest change of a row's coefficients in each round, relative to the largest coefficients;
        1 in the first.
    n_iter_ : int
        Rounds done.
    n_components_ : int
        Number of components found.
    gamma_ : float
        The number that ``gamma`` stood for.
    source_domains_, target_domains_ : list of int
        Ids seen in ``fit``.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had names.

    See Also
    --------
    TCATransformer : Without the choice of rows.

    Notes
    -----
    ``A`` minimizes ``tr(AᵀKMKA) + λ(Σ_i ‖a_i‖ over source rows + ‖A_t‖²_F)`` subject to
    ``AᵀKHKA = I``, with M the outer product of the column with ``1/n_s`` on source rows and
    ``-1/n_t`` on target rows, scaled to unit norm. Each round solves it with ``‖a_i‖`` replaced by
    ``g_i ‖a_i‖²``, ``g_i = 1/(2‖a_i‖)``. The columns that map rows are scaled to
    ``Wᵀ(KMK + λG)W ∝ I`` instead, so that a component counts the more the less it costs, and as a
    whole so that the first has unit variance.

    Assumes a shift of the mean, and source rows that are of no use for the target.

    Without ``sample_domain`` it is sparse kernel PCA.

    Cost: per round O(n² k) time; one n x n matrix, for a linear kernel too. Array level (a):
    wholly on the device.

    Callbacks (``set_callbacks``, with scikit-learn 1.9 or later) see the rounds.

    References
    ----------
    .. [1] M. Long, J. Wang, G. Ding, J. Sun and P. S. Yu, "Transfer joint matching for unsupervised
       domain adaptation", CVPR 2014. :doi:`10.1109/CVPR.2014.183`

    Examples
    --------
    >>> import numpy as np
    >>> from skda import TJMTransformer, stack_domains
    >>> rng = np.random.default_rng(0)
    >>> Xs, Xt = rng.normal(size=(50, 3)), rng.normal(size=(50, 3)) + [1, 0, 0]
    >>> X, _, sample_domain = stack_domains(Xs, None, Xt)
    >>> tjm = TJMTransformer(n_components=2).fit(X, sample_domain=sample_domain)
    >>> tjm.transform(X).shape
    (100, 2)
    """

    def __init__(
        self,
        n_components: int | None = None,
        *,
        kernel: Literal["rbf", "linear", "poly", "laplacian", "cosine", "sigmoid", "precomputed"]
        | Callable[..., Any] = "rbf",
        gamma: float | Literal["median", "scale"] = "median",
        degree: float = 3,
        coef0: float = 1.0,
        reg: float = 1.0,
        max_iter: int = 10,
        tol: float = 1e-3,
    ):
        self.n_components = n_components
        self.kernel = kernel
        self.gamma = gamma
        self.degree = degree
        self.coef0 = coef0
        self.reg = reg
        self.max_iter = max_iter
        self.tol = tol

    _hint_for_size = "Fit on a sample of the rows."

    def _fit(self, data):
        check_real("reg", self.reg, low=0, closed="neither")
        check_real("tol", self.tol, low=0)
        check_integer("max_iter", self.max_iter, low=1)
        xp = data.xp
        # Dual, because the penalty is on coefficients of rows, which features do not have.
        problem = self._problem(data, data.X, dual=True, rounds=1 + self.max_iter)
        k = count_components(self.n_components, problem.size)
        # Zero without a target; its norm below is kept from being 0.
        e = mean_difference(data.ids)[:, None]
        F = problem.columns(as_like(e / max(np.linalg.norm(e), 1e-300), problem.like))
        is_source = as_like((data.ids >= 0)[:, None].astype(float), problem.like) > 0
        ones = as_like(np.ones((problem.size, 1)), problem.like)

        row_scale, norms, changes = ones, None, []
        for n_iter in range(1, self.max_iter + 1):
            self.n_iter_ = n_iter
            with subtask(self, "round") as task:
                values, W, _ = solve(problem, k, F, self.reg, row_scale=row_scale, tol=1e-6)
                task.offer(partial(learnt_by, self, "_keep", data, problem, values, W))
                old, norms = norms, row_norms(problem, W)
            # Reweighting of an l2,1 norm: the weight of a row is 1/(2 ‖w‖), and its root scales the
            # row. Target rows have the weight 1.
            row_scale = xp.where(is_source, xp.sqrt(2.0 * norms), ones)
            change = 1.0 if old is None else float(xp.max(xp.abs(norms - old)) / xp.max(norms))
            changes.append(change)
            if change <= self.tol or task.stops:
                break
        self.changes_ = changes
        values, W, _ = solve(problem, k, F, self.reg, row_scale=row_scale)
        self._keep(data, problem, values, W)

    def _keep(self, data, problem, values, W):
        xp = data.xp
        self.source_norms_ = data.to_input(take_rows(row_norms(problem, W)[:, 0], data.source))
        # The row weights inflate the scale: as a whole it is set by the first component.
        first = problem.embed(W[:, :1])
        square = float(xp.sum(first * first))
        variance, n = float(values[0]), len(data.ids)
        if not variance > float(xp.finfo(W.dtype).eps) * n * square:
            variance = square or n  # all rows are alike
        unit = (variance / n) ** -0.5
        self._store(data, problem, values, W * unit)

    def _n_tasks(self, data):
        return at_most(self.max_iter)


def row_norms(problem, W):
    """Lengths (n x 1) of the rows of W with its columns scaled to ``WᵀKHKW = I``.

    Columns whose variance is rounding, which the scaling would blow up, do not count.
    """
    xp = problem.xp
    variance = xp.sum(W * problem.scatter_times(W), axis=0)
    floor = float(xp.finfo(W.dtype).eps) * W.shape[0] * xp.max(variance)
    varies = variance > floor
    if bool(xp.any(varies)):
        root = xp.sqrt(xp.where(varies, variance, xp.zeros_like(variance)))
        W = W * safe_divide(xp.ones_like(root), root)
    return xp.linalg.vector_norm(W, axis=1, keepdims=True)
