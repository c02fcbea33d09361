"""Domain-invariant partial least squares in the feature space of a kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from .._array._backend import as_like, namespace
from .._array._rows import take_rows
from .._core._param_checks import check_option, check_real
from .._numerics._budget import check_cost
from .._numerics._kernels import check_kernel, kernel_matrix, resolve_gamma
from .._numerics._linalg import spd_eigen
from ._dipls import Coefficients, DIPLSRegressor, invariant_coefficients, regression_vector

# Measured: matrices of the size of the kernel that are held at once; seconds by n³ with "variance",
# and by the entries of the kernel with "mean".
_MATRICES = {"variance": 10, "mean": 5}
_CUBE_SECONDS, _PAIR_SECONDS = 8e-10, 1.3e-7


def kernel_coordinates(K):
    """Return T such that the rows of ``K T`` have the inner products K, (n, rank of K)."""
    xp = namespace(K)
    values, vectors = spd_eigen((K + K.T) * 0.5)
    # They ascend, and those of directions that no row has are zero.
    rank = int(xp.sum(xp.astype(values > 0, xp.int64)))
    first = values.shape[0] - rank
    return vectors[:, first:] / xp.sqrt(values[first:])


def adaptive_direction(K, y, sums, reg):
    """Unit w of largest ``(wᵀKᵀy)² - λ Σ_k (s_kᵀw)²``, and λ.

    Parameters
    ----------
    K : array of shape (n, m)
    y : array of shape (n, 1)
    sums : array of shape (m, k)
        Sum of the rows of each domain, s_k.
    reg : float or "auto"
        "auto" takes the λ that gives both terms the same size at ``Kᵀy``.
    """
    xp = namespace(K)
    covariance = K.T @ y
    if isinstance(reg, str):
        size = float(xp.linalg.vector_norm(covariance))
        spread = float(xp.linalg.vector_norm(sums.T @ covariance)) / size
        reg = (size / spread) ** 2 if spread > 0 else 0.0
    # All that the objective sees lies in the span of these few columns.
    Q, _ = xp.linalg.qr(xp.concat([covariance, sums], axis=1), mode="reduced")
    a, s = Q.T @ covariance, Q.T @ sums
    _, vectors = xp.linalg.eigh(a @ a.T - (s @ s.T) * reg)
    return Q @ vectors[:, -1:], float(reg)


def adaptive_coefficients(K, y, pooled, groups, n_components, *, reg):
    """Return the coefficients of domain-adaptive partial least squares (Huang et al. 2020).

    Parameters
    ----------
    K : array of shape (n, n)
        Kernel between the source rows.
    y : array of shape (n, 1)
        Centered.
    pooled : array of shape (n + m, n)
        Kernel between rows of all domains and the source rows.
    groups : list of ndarray of int
        Rows of each domain within `pooled`.
    n_components : int
    reg : float or "auto"

    Returns
    -------
    found : Coefficients
        Of the kernel against the source rows. All targets have the same.
    """
    xp = namespace(K)
    eps = float(xp.finfo(K.dtype).eps)
    means = [xp.mean(rows, axis=0) for rows in (K, pooled)]
    # About the mean of the rows, and of the functions that the columns are.
    E, F = (centered_columns(rows - mean) for rows, mean in zip((K, pooled), means, strict=True))
    smallest = 10 * eps * float(xp.linalg.vector_norm(E)) * float(xp.linalg.vector_norm(y))
    weights, loadings, regression, penalties = [], ([], []), [], []
    for _ in range(min(n_components, K.shape[0])):
        if float(xp.linalg.vector_norm(E.T @ y)) <= smallest:
            break  # nothing is left to explain
        sums = xp.stack([xp.sum(take_rows(F, rows), axis=0) for rows in groups], axis=1)
        w, penalty = adaptive_direction(E, y, sums, reg)
        t = E @ w
        c = float(xp.sum(t * y)) / float(xp.sum(t * t))
        y = y - t * c
        rests = []
        for rest, kept in zip((E, F), loadings, strict=True):
            t = rest @ w
            p = (rest.T @ t) / xp.sum(t * t)
            kept.append(p)
            rests.append(rest - t @ p.T)
        E, F = rests
        weights.append(w)
        regression.append(c)
        penalties.append(penalty)
    # Constant y or constant rows: a model that predicts the mean.
    if not weights:
        zero = xp.zeros_like(K[:, :1])
        return Coefficients(zero, (means[0], zero[:, 0]), [(means[1], zero[:, 0])], [0.0])
    W, c = xp.concat(weights, axis=1), as_like(np.asarray(regression)[:, None], K)
    source, target = (
        # The columns of new rows are not centered, so their coefficients are.
        centered_columns(regression_vector(W, xp.concat(kept, axis=1), c).T)[0, :]
        for kept in loadings
    )
    return Coefficients(W, (means[0], source), [(means[1], target)], penalties)


def centered_columns(K):
    """Return the matrix whose rows have the mean 0."""
    xp = namespace(K)
    return K - xp.mean(K, axis=1, keepdims=True)


class KernelDIPLSRegressor(DIPLSRegressor):
    """Partial least squares in the feature space of a kernel, on what the domains share.

    A kernel turns rows into features that are curved functions of the given ones, and each latent
    variable is a direction among these that explains the source targets and along which the
    domains agree. It is :class:`~skda.DIPLSRegressor` where y depends on the rows in a curve.

    Parameters
    ----------
    n_components : int, default=2
        Number of latent variables. More fit the source better and keep more of the shift.
    kernel : {"rbf", "linear", "poly", "laplacian", "cosine", "sigmoid"} or callable, default="rbf"
        Kernel between rows. A callable gets two arrays of rows and returns the matrix between
        them.
    gamma : float or {"median", "scale"}, default="median"
        Of the kernels rbf, laplacian, poly and sigmoid. "median" is ``1 / (2 m²)`` with m the
        median distance between two rows (of 1000 rows chosen with a fixed seed, if there are
        more). Larger means more local.
    degree : float, default=3
        Of the poly kernel.
    coef0 : float, default=1.0
        Of the kernels poly and sigmoid.
    reg : float or "auto", default="auto"
        Weight of the difference between the domains. Larger is more invariant, 0 is kernel partial
        least squares (with the means still moved). "auto" weighs, for each latent variable, the
        difference and the fit alike.
    criterion : {"variance", "mean"}, default="variance"
        Which difference: of the variances of the latent variables, as in
        :class:`~skda.DIPLSRegressor`; or of their means (domain-adaptive partial least squares
        [1]_).
    per_target : bool, default=False
        Whether several targets are kept apart: the differences of all of them are penalized, and
        with ``criterion="variance"`` each has its own mean and coefficients. Otherwise their rows
        are pooled.

    Attributes
    ----------
    X_fit_ : array of shape (n_fit, n_features)
        Rows that the kernel is taken against: of all domains, or of the source with
        ``criterion="mean"``.
    coef_ : array of shape (n_fit,) or (n_targets, n_fit)
        Coefficients on the kernel of target rows against `X_fit_`, less its mean; with several
        targets that are kept apart, one row for each of ``target_domains_``.
    source_coef_ : array of shape (n_fit,)
        Coefficients on the kernel of source rows, less its mean.
    intercept_ : float
        Mean of the source targets.
    target_mean_ : array of shape (n_fit,) or (n_targets, n_fit)
        Mean of the kernel of target rows; with ``criterion="mean"`` of rows of all domains.
    source_mean_ : array of shape (n_fit,)
        Mean of the kernel of source rows.
    target_domains_ : list of int
        Ids of the targets seen in ``fit``.
    x_weights_ : array of shape (n_fit, n_components_)
        Directions of the latent variables, as weights of the kernel.
    gamma_ : float
        The number that ``gamma`` stood for.
    regs_ : list of float
        λ of each latent variable.
    n_components_ : int
        Number of latent variables found.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had names.

    See Also
    --------
    DIPLSRegressor : Without a kernel, and without a matrix between rows.

    Notes
    -----
    With "variance" it is DIPLS on coordinates whose inner products are the kernel matrix of all
    rows; a linear kernel gives DIPLS itself. With "mean" each w maximizes
    ``(wᵀKᵀy)² - λ Σ_k (s_kᵀw)²``, K being the kernel between source rows and ``s_k`` the sum of the
    kernel between rows of domain k and source rows, both centered; rows of all domains together
    are then deflated by loadings of their own.

    Assumes what :class:`~skda.DIPLSRegressor` assumes, of the features of the kernel. "mean" takes
    rows of all domains relative to their common mean and so leaves a difference in y in place.

    Without ``sample_domain`` it is kernel partial least squares.

    Cost: O(n³) for the coordinates and O(n³) per latent variable, n rows of all domains; with
    "mean" O(n²) per latent variable. Array level (a): wholly on the device.

    References
    ----------
    .. [1] G. Huang, X. Chen, L. Li, X. Chen, L. Yuan and W. Shi, "Domain adaptive partial least
       squares regression", Chemometrics and Intelligent Laboratory Systems 201 (2020).
       :doi:`10.1016/j.chemolab.2020.103986`

    Examples
    --------
    >>> import numpy as np
    >>> from skda import KernelDIPLSRegressor, stack_domains
    >>> rng = np.random.default_rng(0)
    >>> amount = rng.uniform(-2, 2, size=160)
    >>> X = np.column_stack([amount, 0.3 * rng.normal(size=(160, 2))])
    >>> X[80:, 2] = 6 * X[80:, 2] + 1  # on the target instrument
    >>> y = amount**2
    >>> X, y_known, sample_domain = stack_domains(X[:80], y[:80], X[80:])
    >>> model = KernelDIPLSRegressor(n_components=4)
    >>> model = model.fit(X, y_known, sample_domain=sample_domain)
    >>> round(float(model.score(X[80:], y[80:])), 1)
    0.9
    """

    _array_level = "a"

    def __init__(
        self,
        n_components: int = 2,
        *,
        kernel: Literal["rbf", "linear", "poly", "laplacian", "cosine", "sigmoid"]
        | Callable[..., Any] = "rbf",
        gamma: float | Literal["median", "scale"] = "median",
        degree: float = 3,
        coef0: float = 1.0,
        reg: float | Literal["auto"] = "auto",
        criterion: Literal["variance", "mean"] = "variance",
        per_target: bool = False,
    ):
        super().__init__(n_components, reg=reg, per_target=per_target)
        self.kernel = kernel
        self.gamma = gamma
        self.degree = degree
        self.coef0 = coef0
        self.criterion = criterion

    def _fit(self, data):
        self._check_params()
        self.gamma_ = resolve_gamma(self.gamma, data.X, kernel=self.kernel, random_state=0)
        y, self.intercept_ = self._centered_target(data)
        targets = self._target_rows(data)
        X_fit = data.X if self.criterion == "variance" else data.X_source
        self.X_fit_ = data.to_input(X_fit)
        self._check_size(data.X, X_fit)
        K = self._kernel(data.X, X_fit)
        of_source = take_rows(K, data.source)
        if self.criterion == "variance":
            found = self._invariant(K, of_source, y, [take_rows(K, rows) for rows in targets])
        else:
            # Kept apart or not, each group of rows has a mean of its own.
            groups = [data.source, *targets]
            found = adaptive_coefficients(
                of_source, y, K, groups, self.n_components, reg=self.reg if targets else 0.0
            )
        self.x_weights_ = data.to_input(found.weights)
        self.n_components_ = found.weights.shape[1]
        self.regs_ = found.penalties
        self._keep(found.source, found.targets, data)

    def _check_size(self, X, X_fit):
        """Warn if the kernel matrix takes long; raise if it does not fit in memory."""
        n, m = X.shape[0], X_fit.shape[0]
        # With "mean" no coordinates are made, which need all eigenvectors.
        by_variance = self.criterion == "variance"
        seconds = _CUBE_SECONDS * m**3 if by_variance else _PAIR_SECONDS * n * m
        what, hint = f"the kernel matrix of {n} rows", "Fit on a sample of the rows."
        if by_variance:
            hint = "Take criterion='mean', or fit on a sample of the rows."
        entries = _MATRICES[self.criterion] * n * m
        check_cost(type(self).__name__, what, entries, seconds, X, hint=hint)

    def _invariant(self, K, of_source, y, targets):
        """Fit on coordinates; return means and coefficients of the kernel."""
        xp, T = namespace(K), kernel_coordinates(K)
        rows = [of_source, *targets]
        found = invariant_coefficients(
            of_source @ T, y, [k @ T for k in targets], self.n_components, reg=self.reg
        )
        source, *others = (
            (xp.mean(k, axis=0), T @ coef)
            for k, (_, coef) in zip(rows, (found.source, *found.targets), strict=True)
        )
        return found._replace(weights=T @ found.weights, source=source, targets=others)

    def _kernel(self, X, X_fit):
        return kernel_matrix(
            X,
            X_fit,
            kernel=self.kernel,
            gamma=self.gamma_,
            degree=self.degree,
            coef0=self.coef0,
        )

    def _rows_to_predict(self, data):
        return self._kernel(data.X, data.backend.asarray(self.X_fit_, data.X.dtype))

    def _check_params(self):
        super()._check_params()
        if self.kernel == "precomputed":
            raise ValueError(
                "kernel must be the name of a kernel or a function of two arrays of rows; got "
                "'precomputed'. Pass the rows, and a function that returns the kernel between them."
            )
        check_kernel(self.kernel)
        check_option("criterion", self.criterion, ("variance", "mean"))
        check_real("degree", self.degree, low=0)
        check_real("coef0", self.coef0)
