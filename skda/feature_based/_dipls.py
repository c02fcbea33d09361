"""Domain-invariant partial least squares: latent variables whose variance the domains share."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator

from .._array._backend import as_like, namespace
from .._core._param_checks import check_integer, check_real
from .._core._routing import DomainRouting
from .._core._score import DomainRegressorMixin
from .._core._validation import data_for_fit, data_for_predict, fresh_fit


class LatentVariables(NamedTuple):
    """Weights W, regression on the scores c, loadings P of source and target, penalty weights."""

    weights: Any
    regression: Any
    source_loadings: Any
    target_loadings: Any
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


def invariant_components(Xs, y, Xt, n_components, *, reg):
    """NIPALS with domain-invariant weights; Xs, y and Xt centered, Xt None without a target."""
    xp = namespace(Xs)
    scale_x, scale_y = float(xp.linalg.vector_norm(Xs)), float(xp.linalg.vector_norm(y))
    eps = float(xp.finfo(Xs.dtype).eps)
    kept = {"w": [], "c": [], "s": [], "t": [], "penalties": []}
    for _ in range(n_components):
        covariance = float(xp.linalg.vector_norm(Xs.T @ y))
        if covariance <= 10 * eps * scale_x * scale_y:
            break  # nothing is left to explain
        if Xt is None:
            w, penalty = invariant_weights(Xs, y, None, 0.0)
        else:
            w, penalty = invariant_weights(Xs, y, covariance_gap(Xs, Xt), reg)
        t, p = _loadings(Xs, w)
        c = _dot(t, y) / _dot(t, t)
        # Deflation: the next latent variable explains what this one left.
        Xs, y = Xs - t @ p.T, y - t * c
        p_t = p
        if Xt is not None:
            t_t, p_t = _loadings(Xt, w)
            Xt = Xt - t_t @ p_t.T
        for name, value in zip(kept, (w, c, p, p_t, penalty), strict=True):
            kept[name].append(value)
    # Constant y or constant rows: a model that predicts the mean.
    if not kept["w"]:
        zero = xp.zeros_like(Xs[:1, :].T)
        kept = {"w": [zero], "c": [0.0], "s": [zero], "t": [zero], "penalties": [0.0]}
    joined = [xp.concat(kept[name], axis=1) for name in ("w", "s", "t")]
    return LatentVariables(
        joined[0],
        as_like(np.asarray(kept["c"])[:, None], Xs),
        joined[1],
        joined[2],
        kept["penalties"],
    )


def regression_vector(weights, loadings, regression):
    """``W (PᵀW)^{-1} c``, the coefficients on the features of the domain with these loadings."""
    xp = namespace(weights)
    # Deflation makes W refer to residuals; this brings the coefficients back to the features.
    inner = loadings.T @ weights
    # No latent variable was found, and there is nothing to solve.
    if not bool(xp.any(inner != 0)):
        return weights @ regression
    return weights @ xp.linalg.solve(inner, regression)


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

    Attributes
    ----------
    coef_ : array of shape (n_features,)
        Coefficients on the features of target rows, less their mean.
    source_coef_ : array of shape (n_features,)
        Coefficients on the features of source rows, less theirs.
    intercept_ : float
        Mean of the source targets.
    target_mean_, source_mean_ : array of shape (n_features,)
        Means of the target and of the source rows.
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
    CORALTransformer : Aligns whole covariances instead of avoiding what differs.

    Notes
    -----
    On centered rows, each weight vector w minimizes ``‖X_s - y wᵀ‖² + λ wᵀ|C_s - C_t|w``, so
    ``(yᵀy I + λ|C_s - C_t|) w = X_sᵀy``; the absolute value of the difference of the covariances
    keeps the problem convex [2]_. Source and target rows are then deflated each by their own
    loadings P, and the coefficients of a domain are ``W(PᵀW)^{-1}c``. Rows are taken relative to
    the mean of their own side, so the mean of y is assumed to be the same. Sources are pooled, and
    so are targets.

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

    def __init__(self, n_components=2, *, reg="auto"):
        self.n_components = n_components
        self.reg = reg

    def fit(self, X, y, *, sample_domain=None):
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
        check_integer("n_components", self.n_components, low=1)
        if not (isinstance(self.reg, str) and self.reg == "auto"):
            check_real("reg", self.reg, low=0, hint="Or pass 'auto'.")
        xp, d = data.xp, data.X.shape[1]
        y_source = np.asarray(data.y_source, dtype=float)
        y_mean = float(y_source.mean())
        mean_s = xp.mean(data.X_source, axis=0)
        mean_t = xp.mean(data.X_target, axis=0) if data.adapts else mean_s
        Xs, Xt = data.X_source - mean_s, data.X_target - mean_t if data.adapts else None
        Q = None
        if d > data.X.shape[0]:  # everything happens in the span of the rows
            both = Xs if Xt is None else xp.concat([Xs, Xt], axis=0)
            Q, _ = xp.linalg.qr(both.T, mode="reduced")
            Xs, Xt = Xs @ Q, None if Xt is None else Xt @ Q
        found = invariant_components(
            Xs,
            as_like((y_source - y_mean)[:, None], Xs),
            Xt,
            min(self.n_components, Xs.shape[1]),
            reg=self.reg,
        )
        W, c = found.weights, found.regression
        b_s = regression_vector(W, found.source_loadings, c)
        b_t = regression_vector(W, found.target_loadings, c)
        if Q is not None:
            # From coordinates in the span back to features.
            W, b_s, b_t = Q @ W, Q @ b_s, Q @ b_t
        self.x_weights_ = data.to_input(W)
        self.source_coef_, self.coef_ = data.to_input(b_s[:, 0]), data.to_input(b_t[:, 0])
        self.source_mean_, self.target_mean_ = data.to_input(mean_s), data.to_input(mean_t)
        self.intercept_, self.regs_ = y_mean, found.penalties
        self.n_components_ = W.shape[1]

    def predict(self, X, *, sample_domain=None):
        """Predict each row from its difference to the mean of its side.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. None: every row is a target row.

        Returns
        -------
        y : array of shape (n_samples,)
            Predicted values, in the array library of `X`.
        """
        data = data_for_predict(self, X, sample_domain, method="predict")
        source = data.ids >= 0
        predicted = self._of_side(data, self.target_mean_, self.coef_)
        if source.any():
            of_source = self._of_side(data, self.source_mean_, self.source_coef_)
            predicted = data.xp.where(data.backend.asarray(source), of_source, predicted)
        return data.input_backend.asarray(predicted + self.intercept_)

    @staticmethod
    def _of_side(data, mean, coef):
        dtype = data.X.dtype
        return (data.X - data.backend.asarray(mean, dtype)) @ data.backend.asarray(coef, dtype)
