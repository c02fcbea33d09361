"""The eigenproblem that TCA, JDA, TJM and MIDA share, in forms of low rank.

All of them want W (n x k) that makes ``tr(WᵀKHKW)`` large under a quadratic constraint. K is met
only through products, so it may be the kernel matrix itself or stand for explicit features F with
``K = FFᵀ``. In the second case ``W = F(FᵀF)^{-1/2}V`` and the problem shrinks to the number of
features: ``KHK`` becomes ``R(FᵀHF)R`` with ``R = (FᵀF)^{1/2}``.
"""

import math
from functools import partial
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.base import ClassNamePrefixFeaturesOutMixin, clone

from .._array._backend import device_of, itemsize, namespace, to_numpy
from .._array._rows import join_rows, row_tiles, take_rows
from .._array._warnings import warn_user
from .._core._base_transformer import BaseDomainTransformer
from .._core._param_checks import check_integer, check_option, check_real
from .._core._sums import pooled
from .._numerics._budget import check_cost
from .._numerics._covariance import merge_moments, moments
from .._numerics._kernels import (
    check_kernel,
    fourier_map,
    kernel_apply,
    kernel_matrix,
    nearest_rows,
    nystroem_map,
    resolve_gamma,
    subsample,
)
from .._numerics._linalg import _trace, fix_signs, spd_eigen, top_eigenpairs

SOLVERS = ("exact", "nystroem", "fourier")
_ROWS_FOR_A_WIDTH = 1000  # of a sample, as many as `resolve_gamma` takes of rows at hand
ROWS_TO_JUDGE = 200  # whose kernel matrix tells whether a bandwidth is of use
_LOST = 1e-3  # part of the spread that rounding may take before the rows are centered
_ENTRY_SECONDS = 1e-7  # measured: leading components of an n x n matrix take this times n²


class KernelProblem:
    """The problem on the n x n kernel matrix."""

    def __init__(self, K, basis):
        self.K, self.basis, self.xp = K, basis, namespace(K)
        self.size, self.like = K.shape[0], K

    def scatter_times(self, V):
        """``KHK V``."""
        # H is applied to the columns of KV as a subtraction of means, not as a matrix.
        KV = self.K @ V
        return self.K @ (KV - namespace(KV).mean(KV, axis=0))

    def columns(self, E):
        """``K E``."""
        return self.K @ E

    def embed(self, W):
        """``K W``, the fitted rows in the new coordinates."""
        return self.K @ W

    def coefficients(self, W):
        """What new kernel rows are multiplied with."""
        return W


class MomentProblem:
    """The problem on explicit features of which the moments are known, by domain.

    Columns ``E`` hold one row per domain here, which stands for each of its rows: what TCA and
    MIDA constrain does not depend on more.
    """

    def __init__(self, parts, fold, basis):
        """Take the moments of the raw features of each domain, and what folds the features."""
        self.fold, self.basis = fold, basis
        self.xp = namespace(parts[0].mean)
        self.sums = self.xp.stack([m.mean * m.count for m in parts])
        self._set(pooled(parts))

    def _set(self, m):
        xp, mean, scatter, fold = self.xp, m.mean, m.scatter, self.fold
        if fold is not None:
            # The fold is linear, so it is applied to the moments, not to every row.
            mean, scatter = mean @ fold, fold.T @ scatter @ fold
        column = xp.reshape(mean, (-1, 1))
        self.root = spd_eigen(scatter + (column * m.count) @ column.T).power(0.5)
        self.matrix = self.root @ scatter @ self.root
        # Rounding of the two products; the eigensolver needs symmetry.
        self.matrix = (self.matrix + self.matrix.T) * 0.5
        self.size, self.like = scatter.shape[0], scatter

    def scatter_times(self, V):
        """``R(FᵀHF)R V``, the image of ``KHK``."""
        return self.matrix @ V

    def columns(self, E):
        """``R FᵀE``, the image of ``K E``."""
        return self._columns(self.sums.T @ E)

    def _columns(self, total):
        return self.root @ (total if self.fold is None else self.fold.T @ total)

    def coefficients(self, W):
        """What new raw features are multiplied with."""
        coef = self.root @ W
        return coef if self.fold is None else self.fold @ coef


class FeatureProblem(MomentProblem):
    """The problem on explicit features ``F = raw(X) fold``, computed in tiles of rows.

    The raw features are kept as long as they take at most half of scikit-learn's
    ``working_memory``, and recomputed for each use otherwise.
    """

    def __init__(self, X, raw, fold, basis, n_features):
        self.X, self.raw, self.fold, self.basis = X, raw, fold, basis
        self.xp = namespace(X)
        # In tiles, because the features of all rows may not fit in memory.
        row_bytes, memory = n_features * itemsize(X), get_config()["working_memory"] * 2**20
        self.tiles = row_tiles(X.shape[0], row_bytes, tile_bytes=memory // 16)
        self.kept = None
        if X.shape[0] * row_bytes <= memory // 2:
            self.kept = [raw(X[rows, :]) for rows in self.tiles]
        m = None
        for part in self._parts():
            # Moments are merged about their means: a sum of FᵀF would cancel where features have an
            # offset.
            new = moments(part)
            m = new if m is None else merge_moments(m, new)
        self._set(m)

    def _parts(self):
        if self.kept is not None:
            return self.kept
        return (self.raw(self.X[rows, :]) for rows in self.tiles)

    def columns(self, E):
        """``R FᵀE``, the image of ``K E``."""
        total = 0.0
        for rows, part in zip(self.tiles, self._parts(), strict=True):
            total = total + part.T @ E[rows, :]
        return self._columns(total)

    def embed(self, W):
        """The fitted rows in the new coordinates."""
        coef = self.coefficients(W)
        return namespace(coef).concat([part @ coef for part in self._parts()], axis=0)


def build_problem(
    X, *, kernel, gamma, degree, coef0, solver="exact", n_basis=200, random_state=None, dual=False
):
    """The problem for these rows, and the kernel's parameters with gamma resolved.

    ``dual=True`` asks for the n x n form whatever the kernel.
    """
    check_kernel(kernel)
    check_option("solver", solver, SOLVERS)
    n, d = X.shape
    # A fixed seed: the width is no part of what random_state varies.
    gamma = resolve_gamma(gamma, X, kernel=kernel, random_state=0)
    params = {"kernel": kernel, "gamma": gamma, "degree": degree, "coef0": coef0}
    if kernel == "precomputed":
        check_precomputed(X, solver)
        # A user's matrix may be symmetric only up to rounding.
        return KernelProblem((X + X.T) * 0.5, None), params
    # The rows themselves are the features: d x d in the place of n x n.
    if kernel == "linear" and d < n and not dual:
        return FeatureProblem(X, lambda rows: rows, None, None, d), params
    if solver != "exact":
        # These solvers never see the kernel matrix, so a part of it is made for the warning.
        sample = subsample(X, ROWS_TO_JUDGE, 0)
        warn_if_degenerate(kernel_matrix(sample, **params), **params)
        features = explicit_features(X, params, solver, n_basis, random_state)
        return FeatureProblem(X, *features), params
    K = kernel_matrix(X, **params)
    warn_if_degenerate(K, **params)
    return KernelProblem(K, X), params


def explicit_features(X, params, solver, n_basis, random_state):
    """Return the raw features of rows as a function, what folds them, their basis and number.

    The basis is drawn from the rows of X (their kernel's width, for "fourier").
    """
    if solver == "nystroem":
        phi = nystroem_map(X, n_basis, random_state=random_state, **params)
        L = phi.landmarks
        return partial(kernel_matrix, Y=L, **params), phi.normalizer, L, L.shape[0]
    how = {"kernel": params["kernel"], "gamma": params["gamma"], "random_state": random_state}
    phi = fourier_map(X, n_basis, **how)
    return phi, None, phi.frequencies, n_basis


def check_precomputed(K, solver):
    """Raise unless K is the square matrix between the rows of fit."""
    if solver != "exact":
        raise ValueError(
            f"kernel='precomputed' needs solver='exact'; got {solver!r}. The other solvers need "
            "the rows themselves."
        )
    if K.shape[0] != K.shape[1]:
        raise ValueError(
            "With kernel='precomputed' X must be the square kernel matrix between the rows of fit; "
            f"got shape {tuple(K.shape)}."
        )


def warn_if_degenerate(K, *, gamma, kernel="rbf", **_):
    """Warn where the bandwidth makes all rows alike, or each row like no other."""
    if kernel not in ("rbf", "laplacian") or K.shape[0] < 2:
        return
    xp = namespace(K)
    n, eps = K.shape[0], float(xp.finfo(K.dtype).eps)
    # The diagonal of these kernels is 1.
    off_diagonal = (float(xp.sum(K)) - n) / (n * (n - 1))
    if off_diagonal < eps:
        fault, hint = "the kernel matrix is the identity: no row is near another", "smaller"
    elif float(xp.min(K)) > 1 - 100 * eps:
        fault, hint = "the kernel matrix is constant: all rows are alike", "larger"
    else:
        return
    warn_user(
        f"With gamma={gamma:.3g} {fault}, and nothing can be learnt from it. Choose a {hint} "
        "gamma; 1 / (2 m²) is usual, m being the median distance between two rows.",
        UserWarning,
    )


def map_rows(X, coef, basis, params, *, fourier=False):
    """New coordinates of rows of X: raw features (or kernel rows) times the coefficients."""
    if basis is None:
        return X @ coef
    if fourier:
        xp = namespace(X)
        angles = X @ basis
        # cos and sin times their coefficients apart, without the joined features of twice the
        # width.
        half = basis.shape[1]
        both = xp.cos(angles) @ coef[:half, :] + xp.sin(angles) @ coef[half:, :]
        return both * half**-0.5
    return kernel_apply(X, basis, coef, **params)


def mean_difference(ids):
    """Column with ``1/n_s`` on source rows and ``-1/n_t`` on target rows (zero if one-sided)."""
    return group_difference(ids >= 0, ids < 0)


def group_difference(first, second):
    """Column of the difference between the means of two groups of rows; zero if one is empty."""
    e = np.zeros(first.shape[0])
    if first.any() and second.any():
        e[first] = 1.0 / first.sum()
        e[second] = -1.0 / second.sum()
    return e


def joint_differences(ids, codes, pseudo, n_classes, *, balance=0.5):
    """Columns E with ``E Eᵀ = M``, the joint MMD matrix of JDA scaled to unit Frobenius norm.

    ``M ∝ (1 - balance) C M_0 + balance Σ_c M_c``. Classes without rows in one of the domains
    contribute nothing. The weight C of the marginal term and the norm are the authors' code's.
    """
    source, target = ids >= 0, ids < 0
    # Columns enter as E Eᵀ, hence the roots of the weights.
    columns = [mean_difference(ids) * math.sqrt((1.0 - balance) * n_classes)]
    if pseudo is not None:
        for c in range(n_classes):
            e = group_difference(source & (codes == c), target & (pseudo == c))
            columns.append(e * math.sqrt(balance))
    E = np.stack(columns, axis=1)
    norm = np.linalg.norm(E.T @ E)  # of EEᵀ too
    return E / math.sqrt(norm) if norm > 0 else E


def low_rank_inverse_root(F, reg):
    """Function that multiplies by ``(reg I + FFᵀ)^{-1/2}``, F with few columns."""
    xp = namespace(F)
    Q, R = xp.linalg.qr(F, mode="reduced")  # Householder: F may be rank-deficient
    # On the complement of Q the factor is reg^(-1/2); within Q it is corrected by a small matrix.
    base = reg**-0.5
    core = spd_eigen(R @ R.T).power(-0.5, reg=reg)
    core = core - xp.eye(core.shape[0], dtype=core.dtype, device=device_of(core)) * base
    return lambda V: V * base + Q @ (core @ (Q.T @ V))


def solve(
    problem, k, F=None, reg=1.0, *, B=None, terms=(), scatter_weight=1.0, row_scale=None, **options
):
    """Leading k solutions of ``A w = φ B w`` with ``B = reg D + FFᵀ``, scaled to ``WᵀBW = I``.

    ``A = scatter_weight KHK + Σ weight C Cᵀ`` over ``terms`` of (weight, C), and
    ``D = diag(1/row_scale²)``, the identity by default. A dense B may be given instead.
    """
    if B is not None:
        # With B = LLᵀ and V = LᵀW the problem becomes an ordinary symmetric one.
        lower = namespace(B).linalg.cholesky(B)
        backward = inverse_of_triangular(lower)
        root, adjoint = (lambda V: backward.T @ V), (lambda V: backward @ V)
    elif row_scale is None:
        root = adjoint = low_rank_inverse_root(F, reg)
    else:
        # D^(-1/2) is taken out on both sides, which leaves reg I plus a matrix of low rank.
        half = low_rank_inverse_root(row_scale * F, reg)
        root, adjoint = (lambda V: row_scale * half(V)), (lambda V: half(row_scale * V))

    def operator(V):
        V = root(V)
        out = problem.scatter_times(V) * scatter_weight
        for weight, C in terms:
            out = out + C @ ((C.T @ V) * weight)
        return adjoint(out)

    values, V = top_eigenpairs(operator, k, n=problem.size, like=problem.like, **options)
    return values, root(V[:, :k]), V


def inverse_of_triangular(lower):
    """Inverse of a lower triangular matrix."""
    xp = namespace(lower)
    # The array API has no triangular solve, so the inverse is formed once and multiplied with.
    return xp.linalg.solve(
        lower, xp.eye(lower.shape[0], dtype=lower.dtype, device=device_of(lower))
    )


def count_components(n_components, available, default=30):
    """How many components to look for."""
    if n_components is None:
        return min(default, available)
    check_integer("n_components", n_components, low=1)
    return min(int(n_components), available)


def drop_empty(values, W, n_components, *, name):
    """Leave out components without variance; warn if the user had asked for them."""
    xp = namespace(values)
    # On the host: how many components are kept decides the shape of the output.
    host = np.asarray([float(v) for v in values])
    floor = float(xp.finfo(values.dtype).eps) * W.shape[0] * np.abs(host).max()
    # One at least, so that transform returns a column whatever the rows are.
    kept = max(1, int((host > floor).sum()))
    # With the default number nobody asked for more, and nobody is warned.
    if n_components is not None and kept < n_components:
        warn_user(
            f"{name} found only {kept} components with any variance, n_components={n_components} "
            f"were asked for; n_components_ is {kept}.",
            UserWarning,
        )
    return values[:kept], W[:, :kept]


def nearest_codes(Z, source, codes, target):
    """Class of the nearest source row for each target row; ties go to the first."""
    nearest = nearest_rows(take_rows(Z, target), take_rows(Z, source))
    return codes[source][to_numpy(nearest)]


def classifier_codes(estimator, Z, source, codes, target):
    """Class of each target row that a classifier fitted on the source rows predicts."""
    Z = to_numpy(Z)
    # A clone, because each round must begin without what the last one learnt.
    return clone(estimator).fit(Z[source], codes[source]).predict(Z[target])


def pseudo_labels(estimator, Z, ids, codes):
    """Codes of all rows' classes: -1 on source rows, pseudo-labels on target rows."""
    source, target = np.flatnonzero(ids >= 0), np.flatnonzero(ids < 0)
    rule = nearest_codes if estimator is None else partial(classifier_codes, estimator)
    pseudo = np.full(ids.shape, -1, dtype=np.int64)
    pseudo[target] = rule(Z, source, codes, target)
    return pseudo


def hiding_offset(X):
    """Return the mean of the rows if rounding of its squares would hide their spread, else None."""
    xp = namespace(X)
    center = xp.mean(X, axis=0)
    return center if offset_hides(center, float(xp.sum(xp.var(X, axis=0)))) else None


def offset_hides(center, spread):
    """Whether rounding of the squares of a mean would hide a sum of variances."""
    xp = namespace(center)
    offset, eps = float(xp.sum(center * center)), float(xp.finfo(center.dtype).eps)
    return offset * eps > _LOST * spread


class SpectralTransformer(ClassNamePrefixFeaturesOutMixin, BaseDomainTransformer):
    """A transformer with one map for all domains, kernel rows (or features) times ``coef_``.

    With a linear kernel, rows with a large offset are taken relative to the mean of all: their Gram
    matrix is nearly constant, and what varies would be lost to rounding.
    """

    _array_level = "a"

    # Of the methods that have no such parameters.
    solver, n_basis = "exact", 1
    random_state: Any = None

    @property
    def _order_dependent(self):
        return self.solver == "nystroem"  # its landmarks are rows chosen by their position

    def _problem(self, data, X, *, dual=False, rounds=1.0):
        """Return the problem for these rows.

        `rounds` is how many times its leading components are computed, for an estimate of the time.
        """
        check_real("degree", self.degree, low=0)
        check_real("coef0", self.coef0)
        self.center_ = None
        if self._is_linear():
            center = hiding_offset(X)
            if center is not None:
                self.center_, X = data.to_input(center), X - center
        check_integer("n_basis", self.n_basis, low=1)
        if self.solver == "exact":  # the others keep n x n_basis at most
            self._check_size(X, rounds, n_features=None if dual else X.shape[1])
        problem, params = build_problem(
            X,
            kernel=self.kernel,
            gamma=self.gamma,
            degree=self.degree,
            coef0=self.coef0,
            solver=self.solver,
            n_basis=self.n_basis,
            random_state=self.random_state,
            dual=dual,
        )
        self.gamma_ = params["gamma"]
        return problem

    def _features_need_rows(self, data, n_features):
        """Return why a fit needs the kernel between rows, or labels; None where sums will do."""
        if self._is_linear():
            if data.n_rows <= n_features:
                return "with more features than rows the kernel matrix is smaller than the scatter"
        elif self.solver == "exact" or self.kernel == "precomputed":
            return f"kernel={self.kernel!r} needs the kernel matrix between rows"
        return "label_weight above 0 looks at the label of each row" if self.label_weight else None

    def _is_linear(self):
        return isinstance(self.kernel, str) and self.kernel == "linear"

    def _problem_of_sums(self, data, table):
        """Return the problem for the moments of each domain, of a table in blocks."""
        check_kernel(self.kernel)
        check_option("solver", self.solver, SOLVERS)
        check_integer("n_basis", self.n_basis, low=1)
        check_real("degree", self.degree, low=0)
        check_real("coef0", self.coef0)
        self.center_ = None
        if not self._is_linear():
            return self._problem_of_features(data, table)
        self.gamma_ = 1.0  # as `resolve_gamma`: no width
        parts = self._linear_parts(data, table)
        m = pooled(parts)
        if offset_hides(m.mean, _trace(m.scatter) / m.count):
            self.center_ = m.mean
            parts = [part._replace(mean=part.mean - m.mean) for part in parts]
        return MomentProblem(parts, None, None)

    def _linear_parts(self, data, table):
        """Return the moments of each domain's rows as a linear kernel sees them."""
        sums = table.total("_sums_of")
        return [sums[i] for i in data.domains]

    def _problem_of_features(self, data, table):
        """Return the problem on features whose basis is drawn from a sample of the rows."""
        X, ids = table.sample(max(_ROWS_FOR_A_WIDTH, self.n_basis))
        rows = [np.flatnonzero(ids == i) for i in data.domains]
        pieces = [self._seen(X[r], i, data) for r, i in zip(rows, data.domains, strict=True)]
        X = join_rows(pieces, rows)
        self.gamma_ = resolve_gamma(self.gamma, X, kernel=self.kernel, random_state=0)
        params = {"kernel": self.kernel, "gamma": self.gamma_}
        params |= {"degree": self.degree, "coef0": self.coef0}
        warn_if_degenerate(kernel_matrix(subsample(X, ROWS_TO_JUDGE, 0), **params), **params)
        how = (params, self.solver, self.n_basis, self.random_state)
        raw, fold, basis, _ = explicit_features(X, *how)
        sums = table.total("_feature_sums_of", raw)
        return MomentProblem([sums[i] for i in data.domains], fold, basis)

    def _seen(self, X, domain, data):
        """Return rows of a domain as the kernel sees them."""
        return X

    def _sums_of(self, data):
        return {i: moments(data.X_of(i)) for i in data.domains}

    def _feature_sums_of(self, data, raw):
        return {i: moments(raw(self._seen(data.X_of(i), i, data))) for i in data.domains}

    def _check_size(self, X, rounds, n_features):
        """Warn if the kernel matrix will take long; raise if it does not fit in memory."""
        who, n = type(self).__name__, X.shape[0]
        if self._is_linear() and n_features is not None and n_features < n:
            return  # explicit features: nothing of size n x n
        what = f"the kernel matrix of {n} rows"
        seconds = _ENTRY_SECONDS * n * n * rounds
        check_cost(who, what, n * n, seconds, X, hint=self._hint_for_size)

    _hint_for_size = "Fit on a sample of the rows, or take kernel='linear'."

    def _store(self, data, problem, values, W):
        values, W = drop_empty(values, W, self.n_components, name=type(self).__name__)
        self.n_components_ = W.shape[1]
        self.eigenvalues_ = data.to_input(values)
        # Signs are fixed here, where the axes are rows or features: those of the inner problem are
        # eigenvectors, whose own signs differ between libraries.
        self.coef_ = data.to_input(fix_signs(problem.coefficients(W)))
        self.basis_ = None if problem.basis is None else data.to_input(problem.basis)

    def _map(self, X, domain, backend):
        if self.center_ is not None:
            X = X - backend.asarray(self.center_, X.dtype)
        # Without a basis the rows are the features, or rows of a precomputed kernel.
        basis = None if self.basis_ is None else backend.asarray(self.basis_, X.dtype)
        return map_rows(
            X,
            backend.asarray(self.coef_, X.dtype),
            basis,
            {"kernel": self.kernel, "gamma": self.gamma_}
            | {"degree": self.degree, "coef0": self.coef0},
            fourier=self.solver == "fourier",
        )

    @property
    def _n_features_out(self):
        return self.n_components_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = self.kernel == "precomputed"
        tags.non_deterministic = self.solver != "exact"
        return tags
