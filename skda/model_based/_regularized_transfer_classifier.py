"""Logistic regression on a few target rows, held near the coefficients of a source model.

The penalty is a Gaussian prior around the source's coefficients instead of around zero.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.utils import check_random_state

from .._array._warnings import warn_user
from .._core._param_checks import check_integer, check_real
from .._core._score import DomainClassifierMixin
from .._core._typing import Array, ArrayLike, DomainIds, Predictor, RandomState
from .._numerics._folds import dealt_folds
from ._base_linear_transfer import LinearTransfer, with_constant
from ._base_source_model import class_codes

# Penalties to choose from, strongest first: from one that leaves the source's coefficients as
# they are to next to none.
_REGS = np.logspace(5, -3, 9)


def class_scores(outputs):
    """Return a score for each class; two classes have one output, and zero for the first."""
    if outputs.shape[1] > 1:
        return outputs
    return np.column_stack([np.zeros(len(outputs)), outputs])


def logistic_loss(theta, X, onehot, center, penalty):
    r"""Return :math:`\sum_i -\log p(y_i|x_i) + \frac12 \sum \lambda_{kj} (\theta - c)_{kj}^2`.

    Parameters
    ----------
    theta : ndarray of shape (n_outputs, d)
        Coefficients; one row for two classes, else one per class.
    X : ndarray of shape (n, d)
        Rows, with a column of ones for the intercept.
    onehot : ndarray of shape (n, n_classes)
        1 at the class of each row.
    center : ndarray of shape (n_outputs, d)
        What the coefficients are held near.
    penalty : ndarray of shape (n_outputs, d)
        Strength λ for each coefficient.

    Returns
    -------
    loss : float
    gradient : ndarray of shape (n_outputs, d)
    """
    scores = class_scores(X @ theta.T)
    log_proba = log_softmax(scores, axis=1)
    slopes = np.exp(log_proba) - onehot
    gap = theta - center
    loss = -np.sum(onehot * log_proba) + 0.5 * np.sum(penalty * gap**2)
    return loss, slopes[:, -len(theta) :].T @ X + penalty * gap


def fit_near(X, onehot, center, penalty, *, start=None, absolute=False, max_iter=1000, tol=1e-6):
    """Minimize the logistic loss with a penalty on the distance to `center`.

    Parameters
    ----------
    X, onehot, center, penalty
        As in :func:`logistic_loss`.
    start : ndarray of shape (n_outputs, d), default=None
        Where to begin. None: at `center`.
    absolute : bool, default=False
        Whether differences are penalized by ``λ|θ − c|`` instead of by their squares.
    max_iter : int, default=1000
        Most iterations of L-BFGS.
    tol : float, default=1e-6
        Largest entry of the projected gradient at which it stops.

    Returns
    -------
    theta : ndarray of shape (n_outputs, d)
    n_iter : int
        Iterations that it took; `max_iter` if it did not converge.
    """
    shape, start = center.shape, center if start is None else start
    options = {"maxiter": max_iter, "gtol": tol, "ftol": 0.0}

    def squared(theta):
        loss, gradient = logistic_loss(theta.reshape(shape), X, onehot, center, penalty)
        return loss, gradient.ravel()

    def split(parts):
        # θ − c = up − down with both non-negative makes |θ − c| smooth: up + down.
        up, down = parts.reshape(2, *shape)
        loss, gradient = logistic_loss(center + up - down, X, onehot, center, np.zeros(shape))
        loss += np.sum(penalty * (up + down))
        return loss, np.r_[(penalty + gradient).ravel(), (penalty - gradient).ravel()]

    if not absolute:
        found = minimize(squared, start.ravel(), jac=True, method="L-BFGS-B", options=options)
        return found.x.reshape(shape), found.nit
    gap = start - center
    parts = np.r_[np.maximum(gap, 0).ravel(), np.maximum(-gap, 0).ravel()]
    bounds = [(0.0, None)] * parts.size
    found = minimize(split, parts, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    up, down = found.x.reshape(2, *shape)
    return center + up - down, found.nit


class RegularizedTransferClassifier(DomainClassifierMixin, LinearTransfer):
    r"""Logistic regression on few target rows, toward the coefficients of a source model.

    A linear classifier of the source is mostly right for the target, but some coefficients
    differ. The target rows that have a label move the coefficients away from the source's, and a
    penalty on the difference keeps them where the rows give no evidence. The source model may be
    handed over fitted; then no source row is needed.

    Parameters
    ----------
    source_estimator : classifier, default=None
        A linear model whose ``decision_function`` counts as log-odds, or a Pipeline that ends in
        one: the coefficients are then those of the pipeline's features, so that
        ``make_pipeline(Nystroem(), LogisticRegression())`` is the kernel form. A fitted one, or a
        FrozenEstimator, is used as it is and source rows are ignored; copies made by a
        search keep what they hold only inside a FrozenEstimator. Otherwise a clone is fitted on
        the source rows. None: ``LogisticRegression(max_iter=1000)``.
    reg : float or "auto", default="auto"
        Penalty λ of the differences, 1/C of LogisticRegression. With a large value the source's
        coefficients are kept. "auto" takes the one with the smallest log loss in a five-fold
        cross-validation on the labeled target rows, and keeps the source's coefficients if
        these have one class only.
    penalty : {"l2", "l1"}, default="l2"
        Squared differences, a Gaussian prior; or absolute ones, with which most coefficients stay
        exactly the source's.
    penalize_intercept : bool, default=True
        Whether the intercepts are held near the source's as well. They are in any case if some
        class has no labeled target row, which would otherwise become impossible.
    max_iter : int, default=1000
        Most iterations of L-BFGS.
    tol : float, default=1e-5
        Largest entry of the gradient at which it stops.
    random_state : int, RandomState instance or None, default=None
        Deals the labeled target rows out to folds, with ``reg="auto"``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes of the source model and of the labeled target rows.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Coefficients for the target, of the features of the source pipeline if it is one.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Intercepts for the target.
    source_coef_ : ndarray of the shape of ``coef_``
        Coefficients of the source model; zeros for a class that it does not know.
    source_intercept_ : ndarray of the shape of ``intercept_``
        Intercepts of the source model.
    source_estimator_ : classifier
        The source model: the one that was given, or the fitted clone.
    reg_ : float
        Penalty that was used; infinite if no target row has a label.
    n_iter_ : int
        Iterations of L-BFGS, at least 1.
    n_features_in_ : int
        Number of features.

    Raises
    ------
    ValueError
        In ``fit``, if the source model is not linear, was fitted on another number of features, or
        knows none of the classes of the labeled target rows.

    See Also
    --------
    RegularizedTransferRegressor : The same for numbers.
    StackedTransferClassifier : For a source model of any kind.
    TrAdaBoostClassifier : Weights source rows instead.

    Notes
    -----
    Minimizes :math:`-\sum_i \log p(y_i|x_i; W) + \frac{\lambda}{2} \|W - W_s\|^2` over the labeled
    target rows [1]_; with :math:`W_s = 0` this is scikit-learn's LogisticRegression. It helps when
    the coefficients of the domains are near each other. Scale the features: the penalty treats
    all alike.

    A target row is labeled unless its y is NaN, None or NA or, among integers, -1; unlabeled ones
    are not used. Without any labeled one the source model is used as it is, with a
    :class:`~skda.DomainWarning`. Several sources, and several targets, are pooled. One model
    predicts rows of all domains.

    Costs some tens of fits of a logistic regression on the labeled target rows with
    ``reg="auto"``, else one. Array level (b): NumPy on the host; rows of other libraries are moved
    to the host.

    References
    ----------
    .. [1] C. Chelba, A. Acero (2006). Adaptation of maximum entropy capitalizer: little data can
       help a lot. Computer Speech & Language 20. doi:10.1016/j.csl.2005.05.005

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skda import RegularizedTransferClassifier
    >>> rng = np.random.default_rng(0)
    >>> w = rng.normal(size=10)
    >>> X_source, X_target = rng.normal(size=(500, 10)), rng.normal(size=(540, 10))
    >>> source_model = LogisticRegression().fit(X_source, X_source @ w > 0)
    >>> y_target = X_target @ (w + 0.8 * rng.normal(size=10)) > 0
    >>> model = RegularizedTransferClassifier(source_model, random_state=0)
    >>> model = model.fit(X_target[:40], y_target[:40])
    >>> new = X_target[40:], y_target[40:]
    >>> print(f"{source_model.score(*new):.2f} -> {model.score(*new):.2f}")
    0.75 -> 0.91
    """

    _order_dependent = True  # rows are dealt out to folds

    def __init__(
        self,
        source_estimator: Predictor | None = None,
        *,
        reg: float | Literal["auto"] = "auto",
        penalty: Literal["l2", "l1"] = "l2",
        penalize_intercept: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-5,
        random_state: RandomState = None,
    ):
        self.source_estimator = source_estimator
        self.reg = reg
        self.penalty = penalty
        self.penalize_intercept = penalize_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def _default_source(self):
        return LogisticRegression(max_iter=1000)

    def _set_source(self, coef, intercept):
        self.source_coef_, self.source_intercept_ = coef, intercept
        self.coef_, self.intercept_ = coef, intercept
        self.n_iter_ = 1

    def _check_params(self):
        super()._check_params()
        check_integer("max_iter", self.max_iter, low=1)
        check_real("tol", self.tol, low=0, closed="neither")

    def _adapt(self, X, y):
        X = with_constant(self._dense_features(X))
        codes = class_codes(y, self.classes_)
        center = np.column_stack([self.source_coef_, self.source_intercept_])
        self.reg_ = float(self._chosen_reg(X, codes, center) if self.reg == "auto" else self.reg)
        ((theta, n_iter),) = self._path(X, codes, center, [self.reg_])
        self.n_iter_ = max(1, n_iter)
        if n_iter >= self.max_iter:
            warn_user(
                f"L-BFGS stopped after max_iter={self.max_iter} iterations before it converged. "
                "Scale the features, or raise max_iter or tol.",
                ConvergenceWarning,
            )
        self.coef_, self.intercept_ = theta[:, :-1], theta[:, -1]

    def _path(self, X, codes, center, regs):
        """Yield the coefficients under each penalty, and the iterations of each search.

        A search begins where the last one ended.
        """
        n_classes = len(self.classes_)
        onehot = np.eye(n_classes)[codes]
        # A class without a row would be made impossible by an intercept that is free.
        held = self.penalize_intercept or len(np.unique(codes)) < n_classes
        which = np.ones(center.shape)
        which[:, -1] = held
        theta = center
        for reg in regs:
            theta, n_iter = fit_near(
                X,
                onehot,
                center,
                reg * which,
                start=theta,
                absolute=self.penalty == "l1",
                max_iter=self.max_iter,
                tol=self.tol,
            )
            yield theta, n_iter

    def _chosen_reg(self, X, codes, center):
        """Return the penalty with the smallest log loss on the rows left out."""
        # One class says nothing about how to tell it from the others, and the log loss would be
        # lowest for a model that knows no other.
        if len(np.unique(codes)) < 2:
            return _REGS[0]
        folds = dealt_folds(codes, check_random_state(self.random_state))
        losses = np.zeros(len(_REGS))
        for fold in range(folds.max() + 1):
            held, kept = folds == fold, folds != fold
            path = self._path(X[kept], codes[kept], center, _REGS)
            for i, (theta, _) in enumerate(path):
                log_proba = log_softmax(class_scores(X[held] @ theta.T), axis=1)
                losses[i] -= log_proba[np.arange(held.sum()), codes[held]].sum()
        return _REGS[np.argmin(losses)]

    def _scores(self, X, sample_domain):
        data = self._rows_to_predict(X, sample_domain)
        return class_scores(self._outputs(data.X)), data.input_backend

    def decision_function(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Return the linear outputs: the log-odds of two classes, or a score of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to score.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Accepted, so that a pipeline can always pass it; there is one model for all rows.

        Returns
        -------
        scores : array of shape (n_samples,) or (n_samples, n_classes)
            Positive for the second of two classes.
        """
        scores, backend = self._scores(X, sample_domain)
        return backend.asarray(scores[:, 1] if len(self.classes_) == 2 else scores)

    def predict(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> np.ndarray:
        """Predict the class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Accepted, so that a pipeline can always pass it; there is one model for all rows.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            Predicted labels.
        """
        scores, _ = self._scores(X, sample_domain)
        return self.classes_[np.argmax(scores, axis=1)]

    def predict_proba(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Return class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Accepted, so that a pipeline can always pass it; there is one model for all rows.

        Returns
        -------
        proba : array of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        scores, backend = self._scores(X, sample_domain)
        return backend.asarray(softmax(scores, axis=1))

    def predict_log_proba(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Return logarithms of the class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Accepted, so that a pipeline can always pass it; there is one model for all rows.

        Returns
        -------
        log_proba : array of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        scores, backend = self._scores(X, sample_domain)
        return backend.asarray(log_softmax(scores, axis=1))
