"""Ridge regression of many domains at once: a shared part and a part of each domain.

The parts of the domains are eliminated one by one, so that what is left to solve has as many
unknowns as there are features, however many domains there are.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, Self

import numpy as np

from .._array._backend import as_like, namespace
from .._array._rows import take_rows
from .._core._labels import take_labels
from .._core._param_checks import check_real
from .._core._score import DomainRegressorMixin
from .._core._typing import Array, ArrayLike, DomainIds
from .._numerics._linalg import plus_ridge, spd_solve
from ._base_multi_task import BaseMultiTask, intercept_penalty

# Penalties to choose from, relative to the mean square of a feature: from a tenth of a row's
# worth of evidence to that of ten thousand rows.
_RELATIVE_ALPHAS = np.logspace(-1, 4, 11)
# Without domains the plain counterpart is scikit-learn's Ridge as it comes.
_PLAIN_ALPHA = 1.0
# Rounding errors of an entry of a matrix of correlations, for each of its rows.
_ROUNDINGS = 10.0
# Rounding leaves this much of a row that no other row says anything about.
_NO_EVIDENCE = 1e-9


class ReducedTask(NamedTuple):
    """The rows of a task, times the roots of their weights, with its own part decomposed."""

    U: Any
    """Left singular vectors of the columns Q of the own part, (n_t, k)."""
    singular: Any
    """Singular values of Q."""
    V: Any
    """Right singular vectors of Q, times the factors of its columns."""
    common: Any
    """Columns of the shared part along U: scaled features and, if one is shared, the intercept."""
    outside: Any
    """What of these columns is outside of the span of U, (n_t, d or d + 1)."""
    y: Any
    """Values along U."""
    y_outside: Any
    """What of them is outside of the span of U, (n_t,)."""
    mean: Any
    """Mean of the features and of y, where it was taken out: (d + 1,)."""
    used: Any
    """How much of each row an own mean has used up, (n_t,)."""


def reduced_task(X, y, root, *, sharing, intercept):
    """Decompose the own part of a task, for penalties that are multiples of one α.

    Parameters
    ----------
    X, y : array of shape (n_t, d) and (n_t,)
        Rows, centered by what is common to all domains.
    root : array of shape (n_t,)
        Roots of the weights.
    sharing : float
        Prior correlation of the coefficients of two domains.
    intercept : {"own", "shared", None}
        Whether there are intercepts, and whose.
    """
    xp, d = namespace(X), X.shape[1]
    ratio = intercept_penalty(1.0, sharing, intercept)
    mean, used = xp.zeros_like(y[:1]), xp.zeros_like(y)
    mean = xp.concat([xp.zeros_like(X[0, :]), mean])
    if intercept is not None and ratio == 0:
        # The intercept is free: the mean of the domain takes it out, and nothing is common.
        used = root**2 / xp.sum(root**2)
        mean = used @ xp.concat([X, y[:, None]], axis=1)
        X, y = X - mean[:d], y - mean[d]
    common_ones = intercept is not None and ratio > 0
    ones = root[:, None] if common_ones else root[:, None][:, :0]
    X, y = root[:, None] * X, root * y
    common = xp.concat([X * sharing**0.5, ones], axis=1)
    own_ones = common_ones and ratio < np.inf
    factors = np.full(d, (1.0 - sharing) ** 0.5)
    factors = np.append(factors, ratio**-0.5) if own_ones else factors
    factors = as_like(factors, X)
    own = (xp.concat([X, ones], axis=1) if own_ones else X) * factors
    if sharing == 1:  # nothing is the domain's own
        none = common[:0, :]
        V = X.T[:, :0]
        return ReducedTask(X[:, :0], factors[:0], V, none, common, y[:0], y, mean, used)
    U, singular, Vt = xp.linalg.svd(own, full_matrices=False)
    along, y_along = U.T @ common, U.T @ y
    # Columns that the own part has, too, are in the span of U, and rounding must not say otherwise:
    # where the penalty is small it would be larger than what is left of them.
    elsewhere = np.zeros(common.shape[1])
    elsewhere[d:] = not own_ones
    outside = (common - U @ along) * as_like(elsewhere, X)
    V = factors[:, None] * Vt.T
    return ReducedTask(U, singular, V, along, outside, y_along, y - U @ y_along, mean, used)


def left_by_own(task, alpha):
    """Return how much of each direction of U the penalty keeps from the own part of a task."""
    return alpha / (task.singular**2 + alpha)


def shared_system(tasks, d, alpha):
    """Return the matrix and the right side of the shared part, after each own part is out."""
    A, side = 0.0, 0.0
    for task in tasks:
        rest = left_by_own(task, alpha)[:, None] * task.common
        A = A + task.common.T @ rest + task.outside.T @ task.outside
        side = side + rest.T @ task.y + task.outside.T @ task.y_outside
    ridge = np.zeros(A.shape[0])
    ridge[:d] = alpha  # the intercept, last if there is one, is free
    return (A + A.T) / 2 + as_like(np.diag(ridge), A), side


def solve_scaled(A, B):
    """Solve ``A X = B`` for a positive definite A whose rows may be in very different units."""
    xp = namespace(A)
    unit = xp.sqrt(xp.linalg.diagonal(A))
    A = A / unit / unit[:, None]
    # Features that say the same leave eigenvalues of zero, and rounding ones below it.
    A = plus_ridge(A, _ROUNDINGS * A.shape[0] * float(xp.finfo(A.dtype).eps))
    return spd_solve(A, B / unit[:, None]) / unit[:, None]


def solve_tasks(tasks, *, d, alpha, sharing):
    """Return the coefficients and the intercept of each task.

    Parameters
    ----------
    tasks : list of ReducedTask
    d : int
        Number of features.
    alpha : float
        Penalty of a domain's coefficients altogether.
    sharing : float
        Prior correlation of the coefficients of two domains.

    Returns
    -------
    coef : array of shape (n_tasks, d)
    shift : array of shape (n_tasks,)
    """
    A, side = shared_system(tasks, d, alpha)
    xp = namespace(A)
    theta = solve_scaled(A, side[:, None])[:, 0]
    coef, shift = [], []
    for task in tasks:
        rest = task.y - task.common @ theta
        own = task.V @ (task.singular / (task.singular**2 + alpha) * rest)
        w = theta[:d] * sharing**0.5 + own[:d]
        coef.append(w)
        shift.append(xp.sum(theta[d:]) + xp.sum(own[d:]) + task.mean[d] - task.mean[:d] @ w)
    return xp.stack(coef), xp.stack(shift)


def left_out_error(tasks, *, d, alpha):
    """Return the squared error of rows that are left out one at a time, a mean over domains.

    Residuals and leverages of the fit to all rows give it exactly.
    """
    A, side = shared_system(tasks, d, alpha)
    xp = namespace(A)
    kept = [left_by_own(task, alpha) for task in tasks]
    left = [
        task.outside + task.U @ (rest[:, None] * task.common)
        for task, rest in zip(tasks, kept, strict=True)
    ]
    rows = xp.concat(left, axis=0)
    solved = solve_scaled(A, xp.concat([side[:, None], rows.T], axis=1))
    leverages = xp.sum(rows * solved[:, 1:].T, axis=1)
    errors, first = [], 0
    for task, rest, columns in zip(tasks, kept, left, strict=True):
        residual = task.y_outside + task.U @ (rest * task.y) - columns @ solved[:, 0]
        n = residual.shape[0]
        free = 1.0 - xp.sum(task.U**2 * (1.0 - rest), axis=1) - task.used
        free = free - leverages[first : first + n]
        first += n
        # A row that no other says anything about has no prediction when it is left out.
        if bool(xp.any(free < _NO_EVIDENCE)):
            return np.inf
        errors.append(float(xp.mean((residual / free) ** 2)))
    return float(np.mean(errors))


class MultiTaskTransferRegressor(DomainRegressorMixin, BaseMultiTask):
    r"""Ridge regression for many domains at once, with shared coefficients and own ones.

    Schools, hospitals and machines follow nearly the same rule, each with its own deviations, and
    each has few rows. One model for all rows misses the deviations; a model for each has too few
    rows. Here the coefficients of a domain are a shared part plus a part of its own, and both are
    penalized: what all domains agree on goes into the shared part, and a domain departs from it
    as far as its rows give evidence. Every domain with labels is a task, source or target.

    Parameters
    ----------
    sharing : float in [0, 1] or "auto", default="auto"
        How much the domains share: the correlation of the coefficients of two domains before
        any row is seen. 1 is one ridge regression of all rows, 0 a ridge regression of each domain
        alone. "auto" takes the value with the smallest error on rows that are left out one at a
        time, every domain counted alike.
    alpha : float or "auto", default="auto"
        Penalty of the coefficients of a domain, shared and own parts together, as in
        scikit-learn's Ridge. "auto" chooses it in the same way as `sharing`; where no domain is
        stated it is Ridge's 1.
    intercept : {"own", "shared", None}, default="own"
        "own": one for each domain, drawn together as `sharing` says: they are free with 0 and
        equal with 1. "shared": one for all domains, free. None: no intercept.

    Attributes
    ----------
    coef_ : array of shape (n_features,)
        Mean of the coefficients of the domains: the shared ones.
    intercept_ : array of shape ()
        Mean of the intercepts of the domains.
    domain_coef_ : array of shape (n_domains, n_features)
        Coefficients of each domain with labels, shared and own part together.
    domain_intercept_ : array of shape (n_domains,)
        Intercepts of these domains.
    domains_ : list of int
        Their ids, in this order.
    sharing_ : float
        The sharing that was used; 1 where there is one domain or none is stated.
    alpha_ : float
        The penalty that was used.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had names.

    See Also
    --------
    MultiTaskTransferClassifier : The same for classes.
    RegularizedTransferRegressor : From one source model to one target.
    MultiTaskNetRegressor : A network with one head for each domain.

    Notes
    -----
    Minimizes :math:`\sum_t \sum_i (y_{ti} - b_t - x_{ti}^T (w_0 + v_t))^2 + \frac{\alpha}{s}
    \|w_0\|^2 + \frac{\alpha}{1 - s} \sum_t \|v_t\|^2` for the sharing s [1]_. In the paper's terms
    :math:`\lambda_2 = \alpha / s` and :math:`\lambda_1 / T = \alpha / (1 - s)`, so that its
    :math:`\mu = T \lambda_2 / \lambda_1` is :math:`(1 - s) / s`. Equivalently the kernel of two
    rows is their product, times s if they are of different domains. The distances of the own
    intercepts from the shared one cost :math:`\alpha s / (1 - s)` at the mean row of all domains,
    so that shifting a feature changes nothing.

    The paper's :math:`w_0` is the mean of the :math:`w_t` times :math:`T s / (T s + 1 - s)`. The
    mean itself is kept as the shared part: it does not shrink where there are few domains.

    Rows of a domain without labels are predicted with the shared part. So are rows without
    ``sample_domain``, unless there is a single target domain: then they are its rows. Fitted
    without ``sample_domain`` it is a ridge regression of all rows.

    A target row is labeled unless its y is NaN, None or NA or, among integers, -1; unlabeled
    ones are not used. Sources alone are enough, since each is a task.

    It assumes that the coefficients of the domains scatter around common ones, with the same
    spread for all features: scale the features.

    Cost: a singular value decomposition of the rows of each domain, O(n d min(n, d)) in all, and
    one system of as many equations as features (or rows, if these are fewer); eight decompositions
    where `sharing` is chosen, and eleven systems for each where `alpha` is. Array level (a): wholly
    on the device of the rows.

    References
    ----------
    .. [1] T. Evgeniou, M. Pontil (2004). Regularized multi-task learning. KDD.
       doi:10.1145/1014052.1014067

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from skda import MultiTaskTransferRegressor
    >>> rng = np.random.default_rng(0)
    >>> site = np.repeat(np.arange(20), 30)
    >>> w = rng.normal(size=8) + 0.5 * rng.normal(size=(20, 8))
    >>> X = rng.normal(size=(600, 8))
    >>> y = (X * w[site]).sum(axis=1) + rng.normal(size=600)
    >>> known = np.arange(600) % 2 == 0
    >>> model = MultiTaskTransferRegressor()
    >>> model = model.fit(X[known], y[known], sample_domain=site[known])
    >>> pooled = Ridge().fit(X[known], y[known]).score(X[~known], y[~known])
    >>> ours = model.score(X[~known], y[~known], sample_domain=site[~known])
    >>> print(f"{pooled:.2f} -> {ours:.2f}")
    0.57 -> 0.71
    """

    _array_level = "a"

    def __init__(
        self,
        sharing: float | Literal["auto"] = "auto",
        *,
        alpha: float | Literal["auto"] = "auto",
        intercept: Literal["own", "shared"] | None = "own",
    ):
        self.sharing = sharing
        self.alpha = alpha
        self.intercept = intercept

    def _check_params(self):
        super()._check_params()
        if self.alpha != "auto" or not isinstance(self.alpha, str):
            check_real("alpha", self.alpha, low=0, closed="neither", hint='"auto" chooses it.')

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        sample_domain: DomainIds | None = None,
    ) -> Self:
        """Learn the coefficients of every domain with labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : array-like of shape (n_samples,)
            Values; missing ones of target rows are NaN, None or NA or, among integers, -1.
        sample_weight : array-like of shape (n_samples,), default=None
            How much the label of each row counts; 0 leaves a row out.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target. Sources alone are fine. None: one
            model is fitted to all rows, and a :class:`~skda.DomainWarning` says so.

        Returns
        -------
        self : object
            The fitted regressor.
        """
        return self._fit(X, y, sample_weight, sample_domain)

    def _learnt_labels(self, data, rows):
        return take_labels(data.y, rows).astype(np.float64)

    def _solve(self, X, y, tasks, weights):
        xp = namespace(X)
        roots, y = as_like(np.sqrt(weights), X), as_like(y, X)
        center, middle = xp.zeros_like(X[0, :]), 0.0
        if self.intercept is not None:
            share = roots**2 / xp.sum(roots**2)
            center, middle = share @ X, share @ y
        X, y = X - center, y - middle
        alphas = _alphas(X) if self.alpha == "auto" else [float(self.alpha)]
        if self.alpha == "auto" and not self.domains_:
            alphas = [_PLAIN_ALPHA]
        basis = None
        if X.shape[1] > X.shape[0]:
            # Coefficients outside of the span of the rows are zero.
            basis, X = _in_span(X)
        parts = [tuple(take_rows(part, rows) for part in (X, y, roots)) for rows in tasks]
        d = X.shape[1]
        reduced = self._choose(parts, d, alphas)
        coef, shift = solve_tasks(reduced, d=d, alpha=self.alpha_, sharing=self.sharing_)
        coef = coef if basis is None else coef @ basis.T
        return coef, shift + middle - coef @ center

    def _choose(self, parts, d, alphas):
        """Store sharing and penalty, chosen where there is a choice; return the tasks for them."""
        best, sharings = None, self._chosen_sharings(parts)
        for sharing in sharings:
            options = {"sharing": sharing, "intercept": self.intercept}
            tasks = [reduced_task(*part, **options) for part in parts]
            for alpha in alphas:
                alone = len(sharings) == len(alphas) == 1
                error = 0.0 if alone else left_out_error(tasks, d=d, alpha=alpha)
                if best is None or error < best[0]:
                    best = error, sharing, alpha, tasks
        _, self.sharing_, self.alpha_, tasks = best
        return tasks

    def predict(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Predict each row with the coefficients of its domain.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row; rows of domains without labels get the shared coefficients. None:
            every row is one of the target if there is a single one, else of no known domain, and
            gets the shared coefficients.

        Returns
        -------
        y_pred : array of shape (n_samples,)
            Predictions, in the array library of `X`.
        """
        outputs, data = self._linear_outputs(X, sample_domain, "predict")
        return data.to_input(outputs)


def _alphas(X):
    """Return the penalties to choose from, in the unit of centered features, largest first."""
    scale = float(namespace(X).mean(X**2)) or 1.0
    return (scale * _RELATIVE_ALPHAS[::-1]).tolist()


def _in_span(X):
    """Return a basis of the rows, (d, n), and the rows in it."""
    basis, R = namespace(X).linalg.qr(X.T, mode="reduced")
    return basis, R.T
