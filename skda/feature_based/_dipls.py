"""Domain-invariant partial least squares: latent variables whose variance the domains share."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, Self

import numpy as np
from sklearn.base import BaseEstimator

from .._array._backend import as_like, namespace
from .._array._rows import join_rows, take_rows
from .._core._param_checks import check_bool, check_integer, check_real
from .._core._routing import DomainRouting
from .._core._sample_domain import check_target_is_stated
from .._core._score import DomainRegressorMixin
from .._core._typing import Array, ArrayLike, DomainIds
from .._core._validation import data_for_fit, data_for_predict, fresh_fit


class LatentVariables(NamedTuple):
    """Weights W, regression on the scores c, loadings P of source and targets, penalty weights."""

    weights: Any
    regression: Any
    source_loadings: Any
    target_loadings: list
    penalties: list


def covariance_gap(Xs, Xt):
    """``|C_s - C_t|``, the matrix absolute value of the difference of the covariances (1/n)."""
    xp = namespace(Xs)
    gap = (Xs.T @ Xs) / Xs.shape[0] - (Xt.T @ Xt) / Xt.shape[0]
    values, vectors = xp.linalg.eigh((gap + gap.T) * 0.5)
    return (vectors * xp.abs(values)) @ vectors.T


def _dot(a, b):
    return float(namespace(a).sum(a * b))


def invariant_weights(X, y, D, reg):
    """Unit minimizer of ``‖X - y wᵀ‖² + λ wᵀDw``, that is ``(yᵀy I + λD) w = Xᵀy``, and λ.

    ``reg="auto"`` takes the λ that gives both terms the same size at the plain PLS weights.
    """
    xp = namespace(X)
    yy = _dot(y, y)
    w = (X.T @ y) / yy
    if isinstance(reg, str):
        # At w itself, not at its unit vector, which would add the units of X to those of y.
        spread = _dot(w, D @ w)
        misfit = float(xp.linalg.vector_norm(X - y @ w.T)) ** 2
        reg = misfit / spread if spread > 0 else 0.0
    # Without a penalty the solution is w itself.
    if reg > 0:
        identity = as_like(np.eye(D.shape[0]), D)
        w = xp.linalg.solve(identity + D * (reg / yy), w)
    # Scores of unit weights; their scale goes into the regression on them.
    return w / xp.linalg.vector_norm(w), float(reg)


def _loadings(X, w):
    """Scores t = Xw and loadings Xᵀt/tᵀt; zero loadings for zero scores."""
    xp = namespace(X)
    t = X @ w
    tt = _dot(t, t)
    return t, (X.T @ t) / tt if tt > 0 else xp.zeros_like(w)


def invariant_components(Xs, y, targets, n_components, *, reg):
    """NIPALS with domain-invariant weights; Xs, y and each of the `targets` centered."""
    xp = namespace(Xs)
    scale_x, scale_y = float(xp.linalg.vector_norm(Xs)), float(xp.linalg.vector_norm(y))
    eps = float(xp.finfo(Xs.dtype).eps)
    weights, regression, penalties = [], [], []
    targets, loadings = list(targets), [[] for _ in (Xs, *targets)]
    for _ in range(n_components):
        covariance = float(xp.linalg.vector_norm(Xs.T @ y))
        if covariance <= 10 * eps * scale_x * scale_y:
            break  # nothing is left to explain
        gap = None
        for Xt in targets:
            own = covariance_gap(Xs, Xt)
            gap = own if gap is None else gap + own
        w, penalty = invariant_weights(Xs, y, gap, 0.0 if gap is None else reg)
        t, p = _loadings(Xs, w)
        c = _dot(t, y) / _dot(t, t)
        # Deflation: the next latent variable explains what this one left.
        Xs, y = Xs - t @ p.T, y - t * c
        loadings[0].append(p)
        for k, Xt in enumerate(targets):
            t, p = _loadings(Xt, w)
            targets[k] = Xt - t @ p.T
            loadings[k + 1].append(p)
        weights.append(w)
        regression.append(c)
        penalties.append(penalty)
    # Constant y or constant rows: a model that predicts the mean.
    if not weights:
        zero = xp.zeros_like(Xs[:1, :].T)
        weights, regression, penalties = [zero], [0.0], [0.0]
        loadings = [[zero] for _ in loadings]
    source, *others = (xp.concat(columns, axis=1) for columns in loadings)
    c = as_like(np.asarray(regression)[:, None], Xs)
    return LatentVariables(xp.concat(weights, axis=1), c, source, others, penalties)


def regression_vector(weights, loadings, regression):
    """``W (PᵀW)^{-1} c``, the coefficients on the features of the domain with these loadings."""
    xp = namespace(weights)
    # Deflation makes W refer to residuals; this brings the coefficients back to the features.
    inner = loadings.T @ weights
    # No latent variable was found, and there is nothing to solve.
    if not bool(xp.any(inner != 0)):
        return weights @ regression
    return weights @ xp.linalg.solve(inner, regression)


class Coefficients(NamedTuple):
    """Of source rows and of each target: mean of the features and coefficients about it."""

    weights: Any
    source: tuple
    targets: list
    penalties: list


def invariant_coefficients(Xs, y, targets, n_components, *, reg):
    """Return the weights of the latent variables, and means and coefficients by domain.

    Parameters
    ----------
    Xs : array of shape (n, d)
    y : array of shape (n, 1)
        Centered.
    targets : list of array of shape (m, d)
        None or more.
    n_components : int
    reg : float or "auto"

    Returns
    -------
    found : Coefficients
    """
    xp, d = namespace(Xs), Xs.shape[1]
    means = [xp.mean(rows, axis=0) for rows in (Xs, *targets)]
    parts = [rows - mean for rows, mean in zip((Xs, *targets), means, strict=True)]
    Q = None
    if d > sum(rows.shape[0] for rows in parts):  # everything happens in the span of the rows
        Q, _ = xp.linalg.qr(xp.concat(parts, axis=0).T, mode="reduced")
        parts = [rows @ Q for rows in parts]
    n_components = min(n_components, parts[0].shape[1])
    found = invariant_components(parts[0], y, parts[1:], n_components, reg=reg)
    W = found.weights
    coefs = [
        regression_vector(W, loadings, found.regression)
        for loadings in (found.source_loadings, *found.target_loadings)
    ]
    if Q is not None:
        # From coordinates in the span back to features.
        W, coefs = Q @ W, [Q @ b for b in coefs]
    source, *others = zip(means, (b[:, 0] for b in coefs), strict=True)
    return Coefficients(W, source, others, found.penalties)


class DIPLSRegressor(DomainRouting, DomainRegressorMixin, BaseEstimator):
    """Partial least squares on latent variables along which the domains vary alike.

    Each latent variable is the direction that explains the source targets, as in partial least
    squares, bent away from directions in which source and target rows have a different variance
    [1]_. Made for spectroscopy, where a calibration is carried to another instrument or matrix.

    Parameters
    ----------
    n_components : int, default=2
        Number of latent variables. More fit the source better and keep more of the shift.
    reg : float or "auto", default="auto"
        Weight of the difference in variance (λ in [1]_), on the scale of ``yᵀy`` over the
        covariances. Larger is more invariant, 0 is partial least squares (with the means still
        moved). "auto" weighs, for each latent variable, the difference and the fit alike [2]_.
    per_target : bool, default=False
        Whether several targets are kept apart (multi-domain DIPLS [3]_): the differences of all of
        them from the source are penalized, and each has its own mean and coefficients. Otherwise
        their rows are pooled.

    Attributes
    ----------
    coef_ : array of shape (n_features,) or (n_targets, n_features)
        Coefficients on the features of target rows, less their mean; with `per_target` and several
        targets, one row for each of ``target_domains_``.
    source_coef_ : array of shape (n_features,)
        Coefficients on the features of source rows, less theirs.
    intercept_ : float
        Mean of the source targets.
    target_mean_ : array of shape (n_features,) or (n_targets, n_features)
        Mean of the target rows, or of each target.
    source_mean_ : array of shape (n_features,)
        Mean of the source rows.
    target_domains_ : list of int
        Ids of the targets seen in ``fit``.
    x_weights_ : array of shape (n_features, n_components_)
        Directions of the latent variables.
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
    KernelDIPLSRegressor : The same in the feature space of a kernel.
    CORALTransformer : Aligns whole covariances instead of avoiding what differs.

    Notes
    -----
    On centered rows, each weight vector w minimizes ``‖X_s - y wᵀ‖² + λ wᵀ|C_s - C_t|w``, so
    ``(yᵀy I + λ|C_s - C_t|) w = X_sᵀy``; the absolute value of the difference of the covariances
    keeps the problem convex [2]_. Source and target rows are then deflated each by their own
    loadings P, and the coefficients of a domain are ``W(PᵀW)^{-1}c``. Rows are taken relative to
    the mean of their own side, so the mean of y is assumed to be the same. Sources are pooled, and
    so are targets, unless `per_target`; then ``Σ_k |C_s - C_k|`` over the targets k takes the place
    of the single difference, and rows of the fitted targets need their ``sample_domain`` in
    ``predict``.

    Assumes that what y depends on varies alike in both domains, and that the instruments differ in
    their mean spectrum and in directions that y does not need.

    Without ``sample_domain`` it is partial least squares.

    Cost: O(r³) per latent variable, r = min(n, d), after O(n d r): nothing of size d x d is formed
    when d > n. Array level (a): wholly on the device.

    References
    ----------
    .. [1] R. Nikzad-Langerodi, W. Zellinger, E. Lughofer and S. Saminger-Platz, "Domain-invariant
       partial-least-squares regression", Analytical Chemistry 90 (2018).
       :doi:`10.1021/acs.analchem.8b00498`
    .. [2] R. Nikzad-Langerodi, W. Zellinger, S. Saminger-Platz and B. A. Moser, "Domain adaptation
       for regression under Beer-Lambert's law", Knowledge-Based Systems 210 (2020).
       :doi:`10.1016/j.knosys.2020.106447`
    .. [3] B. Mikulasek, V. Fonseca Diaz, D. Gabauer, C. Herwig and R. Nikzad-Langerodi, "Partial
       least squares regression with multiple domains", Journal of Chemometrics 37 (2023).
       :doi:`10.1002/cem.3477`

    Examples
    --------
    >>> import numpy as np
    >>> from skda import DIPLSRegressor, stack_domains
    >>> rng = np.random.default_rng(0)
    >>> Xs = rng.normal(size=(60, 5))
    >>> ys = Xs[:, 0] + Xs[:, 1]
    >>> Xt = rng.normal(size=(60, 5)) * [1, 1, 9, 1, 1] + 4
    >>> X, y, sample_domain = stack_domains(Xs, ys, Xt)
    >>> model = DIPLSRegressor(n_components=2).fit(X, y, sample_domain=sample_domain)
    >>> round(float(model.score(Xt, (Xt - 4) @ [1, 1, 0, 0, 0])), 1)
    1.0
    """

    _array_level = "a"

    def __init__(
        self,
        n_components: int = 2,
        *,
        reg: float | Literal["auto"] = "auto",
        per_target: bool = False,
    ):
        self.n_components = n_components
        self.reg = reg
        self.per_target = per_target

    def fit(self, X: ArrayLike, y: ArrayLike, *, sample_domain: DomainIds | None = None) -> Self:
        """Find the latent variables and regress the source targets on them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : array-like of shape (n_samples,)
            Targets. Those of target rows are ignored.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target.

        Returns
        -------
        self : object
            The fitted regressor.
        """
        with fresh_fit(self):
            self._fit(data_for_fit(self, X, y, sample_domain, labels="source"))
        return self

    def _fit(self, data):
        self._check_params()
        y, self.intercept_ = self._centered_target(data)
        targets = [take_rows(data.X, rows) for rows in self._target_rows(data)]
        found = invariant_coefficients(data.X_source, y, targets, self.n_components, reg=self.reg)
        self.x_weights_ = data.to_input(found.weights)
        self.n_components_ = found.weights.shape[1]
        self.regs_ = found.penalties
        self._keep(found.source, found.targets, data)

    @staticmethod
    def _centered_target(data):
        """Return the source targets about their mean, as a column of the backend, and the mean."""
        y = np.asarray(data.y_source, dtype=float)
        mean = float(y.mean())
        return as_like((y - mean)[:, None], data.X), mean

    def _target_rows(self, data):
        """Return the row indices of each target that is kept apart; none without adaptation."""
        self.target_domains_ = data.target_domains
        if not data.adapts:
            return []
        return [data.rows(i) for i in data.target_domains] if self.per_target else [data.target]

    def _keep(self, source, targets, data):
        """Keep mean and coefficients of the source and of the targets, each a pair of arrays."""
        self.source_mean_, self.source_coef_ = (data.to_input(x) for x in source)
        if len(targets) > 1:
            stacked = (data.xp.stack(arrays) for arrays in zip(*targets, strict=True))
            self.target_mean_, self.coef_ = (data.to_input(x) for x in stacked)
            return
        # Without a target rows are predicted like those of the source.
        mean, coef = targets[0] if targets else source
        self.target_mean_, self.coef_ = data.to_input(mean), data.to_input(coef)

    def _check_params(self):
        check_integer("n_components", self.n_components, low=1)
        check_bool("per_target", self.per_target)
        if not (isinstance(self.reg, str) and self.reg == "auto"):
            check_real("reg", self.reg, low=0, hint="Or pass 'auto'.")

    def predict(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Predict each row from its difference to the mean of its side.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. None: every row is a target row, which says too little where
            several targets are kept apart.

        Returns
        -------
        y : array of shape (n_samples,)
            Predicted values, in the array library of `X`.
        """
        data = data_for_predict(self, X, sample_domain, method="predict")
        if self.coef_.ndim == 2:
            check_target_is_stated(self, named=sample_domain is not None)
        rows, index, pieces = self._rows_to_predict(data), [], []
        for domain in data.domains:
            index.append(data.rows(domain))
            pieces.append(self._of_domain(take_rows(rows, index[-1]), domain, data.backend))
        return data.input_backend.asarray(join_rows(pieces, index) + self.intercept_)

    def _rows_to_predict(self, data):
        """Return the features that the coefficients are of."""
        return data.X

    def _of_domain(self, X, domain, backend):
        """Return predictions of rows of one domain, less the intercept."""
        if domain >= 0:
            mean, coef = self.source_mean_, self.source_coef_
        else:
            mean, coef = self.target_mean_, self.coef_
            if coef.ndim == 2:
                k = self.target_domains_.index(domain)
                mean, coef = mean[k, :], coef[k, :]
        return (X - backend.asarray(mean, X.dtype)) @ backend.asarray(coef, X.dtype)
