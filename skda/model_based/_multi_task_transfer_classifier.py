"""Logistic regression of many domains at once: a shared part and a part of each domain."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from .._array._backend import as_like, to_numpy
from .._array._warnings import warn_user
from .._core._param_checks import check_integer, check_real
from .._core._score import DomainClassifierMixin
from .._core._typing import Array, ArrayLike, DomainIds, RandomState
from .._core._validation import class_labels
from .._numerics._folds import dealt_folds
from ._base_multi_task import BaseMultiTask, intercept_penalty
from ._regularized_transfer_classifier import class_scores


class MultiTaskLogistic:
    r"""The penalized log loss of all domains, in parameters that are all penalized about alike.

    Parameters
    ----------
    tasks : list of ndarray of int
        Rows of each domain.
    X : ndarray of shape (n, d)
        Centered rows.
    onehot : ndarray of shape (n, n_classes)
        Weight of each row at its class.
    alpha, sharing : float
    intercept : {"own", "shared", None}

    Notes
    -----
    With :math:`w_0 = \sqrt{s}\, q` and :math:`v_t = \sqrt{1 - s}\, u_t` both cost α/2 times their
    squares, and the ends s = 0 and s = 1 need no rule of their own.
    """

    def __init__(self, X, onehot, tasks, *, alpha, sharing, intercept):
        # Side by side, so that the rows of a domain are a slice.
        order = np.concatenate(tasks)
        ends = np.cumsum([len(rows) for rows in tasks])
        self.tasks = [slice(end - len(rows), end) for rows, end in zip(tasks, ends, strict=True)]
        self.X, self.onehot = X[order], onehot[order]
        self.weights = self.onehot.sum(axis=1, keepdims=True)
        n_classes, d = onehot.shape[1], X.shape[1]
        self.n_outputs = 1 if n_classes == 2 else n_classes
        # Of the shared block and of each domain's: d coefficients, then the intercept.
        self.shape = (1 + len(tasks), self.n_outputs, d + 1)
        ratio = intercept_penalty(alpha, sharing, intercept)
        self.scale = np.empty((1 + len(tasks), 1, d + 1))
        self.scale[0], self.scale[1:] = sharing**0.5, (1.0 - sharing) ** 0.5
        self.scale[0, :, d] = intercept is not None
        # A large penalty would be another unit than that of the others; the scale takes it.
        self.scale[1:, :, d] = (1.0 + ratio) ** -0.5 if intercept == "own" else 0.0
        self.penalty = np.full(self.scale.shape, float(alpha))
        self.penalty[0, :, d] = 0.0
        self.penalty[1:, :, d] = ratio / (1.0 + ratio) if np.isfinite(ratio) else 0.0

    def coefficients(self, theta):
        """Return coefficients and intercepts of each domain, (n_tasks, n_outputs, d + 1)."""
        blocks = theta.reshape(self.shape) * self.scale
        return blocks[0] + blocks[1:]

    def loss(self, theta):
        """Return the loss and its gradient."""
        W = self.coefficients(theta)
        theta = theta.reshape(self.shape)
        outputs = np.empty((len(self.X), self.n_outputs))
        for w, rows in zip(W, self.tasks, strict=True):
            outputs[rows] = self.X[rows] @ w[:, :-1].T + w[:, -1]
        log_proba = log_softmax(class_scores(outputs), axis=1)
        total = 0.5 * np.sum(self.penalty * theta**2) - np.sum(self.onehot * log_proba)
        rest = np.exp(log_proba) * self.weights - self.onehot
        rest = rest[:, -self.n_outputs :]
        slopes = self.penalty * theta
        for t, rows in enumerate(self.tasks):
            slope = np.column_stack([rest[rows].T @ self.X[rows], rest[rows].sum(axis=0)])
            slopes[0] += slope * self.scale[0]
            slopes[1 + t] += slope * self.scale[1 + t]
        return total, slopes.ravel()

    def minimize(self, start=None, *, max_iter, tol):
        """Return the parameters with the smallest loss, and the iterations of L-BFGS."""
        start = np.zeros(np.prod(self.shape)) if start is None else start
        options = {"maxiter": max_iter, "gtol": tol, "ftol": 0.0, "maxls": 50}
        found = minimize(self.loss, start, jac=True, method="L-BFGS-B", options=options)
        return found.x, found.nit


class MultiTaskTransferClassifier(DomainClassifierMixin, BaseMultiTask):
    r"""Logistic regression for many domains at once, with shared coefficients and own ones.

    Hospitals and machines follow nearly the same rule, each with its own deviations, and each has
    few rows. One model for all rows misses the deviations; a model for each has too few rows. Here
    the coefficients of a domain are a shared part plus a part of its own, and both are penalized:
    what all domains agree on goes into the shared part, and a domain departs from it as far as its
    rows give evidence. Every domain with labels is a task, source or target.

    Parameters
    ----------
    sharing : float in [0, 1] or "auto", default="auto"
        How much the domains share: the correlation of the coefficients of two domains before
        any row is seen. 1 is one logistic regression of all rows, 0 one of each domain alone.
        "auto" takes the value with the smallest log loss in a five-fold cross-validation, every
        domain counted alike.
    alpha : float, default=1.0
        Penalty of the coefficients of a domain, shared and own parts together: 1/C of
        scikit-learn's LogisticRegression.
    intercept : {"own", "shared", None}, default="own"
        "own": one for each domain, drawn together as `sharing` says: they are free with 0 and
        equal with 1. "shared": one for all domains, free. None: no intercept.
    max_iter : int, default=1000
        Most iterations of L-BFGS.
    tol : float, default=1e-5
        Largest entry of the gradient at which it stops.
    random_state : int, RandomState instance or None, default=None
        Deals the labeled rows out to folds, with ``sharing="auto"``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes of all labeled rows.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Mean of the coefficients of the domains: the shared ones.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Mean of the intercepts of the domains.
    domain_coef_ : ndarray of shape (n_domains, 1 or n_classes, n_features)
        Coefficients of each domain with labels, shared and own part together.
    domain_intercept_ : ndarray of shape (n_domains, 1 or n_classes)
        Intercepts of these domains.
    domains_ : list of int
        Their ids, in this order.
    sharing_ : float
        The sharing that was used; 1 where there is one domain or none is stated.
    n_iter_ : int
        Iterations of L-BFGS.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had names.

    See Also
    --------
    MultiTaskTransferRegressor : The same for numbers, in closed form.
    RegularizedTransferClassifier : From one source model to one target.
    MultiTaskNetClassifier : A network with one head for each domain.

    Notes
    -----
    Minimizes :math:`-\sum_t \sum_i \log p(y_{ti} | x_{ti}; w_0 + v_t, b_t) + \frac{\alpha}{2s}
    \|w_0\|^2 + \frac{\alpha}{2(1 - s)} \sum_t \|v_t\|^2` for the sharing s [1]_, with a softmax
    for three classes and more. The distances of the own intercepts from the shared one cost
    :math:`\alpha s / (2 (1 - s))` times their squares at the mean row of all domains. The terms of
    the paper, and what is kept as the shared part, are those of
    :class:`~skda.MultiTaskTransferRegressor`.

    Rows of a domain without labels are predicted with the shared part. So are rows without
    ``sample_domain``, unless there is a single target domain: then they are its rows. Fitted
    without ``sample_domain`` it is a logistic regression of all rows. With a sharing of 0 a domain
    that has rows of one class only predicts that class.

    A target row is labeled unless its y is NaN, None or NA or, among integers, -1; unlabeled
    ones are not used. Sources alone are enough, since each is a task.

    It assumes that the coefficients of the domains scatter around common ones, with the same
    spread for all features: scale the features.

    Cost: an iteration is linear in the rows, the features and the classes; some tens of fits with
    ``sharing="auto"``, else one. Array level (b): NumPy on the host; rows of other libraries are
    moved to the host to be learnt from.

    References
    ----------
    .. [1] T. Evgeniou, M. Pontil (2004). Regularized multi-task learning. KDD.
       doi:10.1145/1014052.1014067

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skda import MultiTaskTransferClassifier
    >>> rng = np.random.default_rng(0)
    >>> site = np.repeat(np.arange(10), 60)
    >>> w = rng.normal(size=5) + rng.normal(size=(10, 5))
    >>> X = rng.normal(size=(600, 5))
    >>> y = (X * w[site]).sum(axis=1) > 0
    >>> known = np.arange(600) % 2 == 0
    >>> model = MultiTaskTransferClassifier(random_state=0)
    >>> model = model.fit(X[known], y[known], sample_domain=site[known])
    >>> pooled = LogisticRegression().fit(X[known], y[known]).score(X[~known], y[~known])
    >>> ours = model.score(X[~known], y[~known], sample_domain=site[~known])
    >>> print(f"{pooled:.2f} -> {ours:.2f}, sharing {model.sharing_}")
    0.60 -> 0.93, sharing 0.1
    """

    _order_dependent = True  # rows are dealt out to folds

    def __init__(
        self,
        sharing: float | Literal["auto"] = "auto",
        *,
        alpha: float = 1.0,
        intercept: Literal["own", "shared"] | None = "own",
        max_iter: int = 1000,
        tol: float = 1e-5,
        random_state: RandomState = None,
    ):
        self.sharing = sharing
        self.alpha = alpha
        self.intercept = intercept
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    def _check_params(self):
        super()._check_params()
        check_real("alpha", self.alpha, low=0, closed="neither")
        check_integer("max_iter", self.max_iter)
        check_real("tol", self.tol, low=0, closed="neither")

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
            Labels; missing ones of target rows are NaN, None or NA or, among integers, -1.
        sample_weight : array-like of shape (n_samples,), default=None
            How much the label of each row counts; 0 leaves a row out.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target. Sources alone are fine. None: one
            model is fitted to all rows, and a :class:`~skda.DomainWarning` says so.

        Returns
        -------
        self : object
            The fitted classifier.
        """
        return self._fit(X, y, sample_weight, sample_domain)

    def _learnt_labels(self, data, rows):
        self.classes_, codes = class_labels(self, data)
        used = np.unique(codes[rows])
        if len(used) < len(self.classes_):
            # A class of rows without weight is not learnt.
            self.classes_ = self.classes_[used]
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs two classes or more among the labels that it learns "
                f"from; the labeled rows have one class only, {self.classes_.tolist()}. Pass rows "
                "of other classes, and check that y holds the labels, not the domains."
            )
        return np.searchsorted(used, codes[rows])

    def _solve(self, X, codes, tasks, weights):
        like, X = X, np.asarray(to_numpy(X), dtype=np.float64)
        center = np.zeros(X.shape[1])
        if self.intercept is not None:
            center = np.average(X, axis=0, weights=weights)
        X = X - center
        onehot = np.zeros((len(X), len(self.classes_)))
        onehot[np.arange(len(X)), codes] = weights
        sharings = self._chosen_sharings(tasks)
        self.sharing_ = sharings[0]
        if len(sharings) > 1:
            losses = self._left_out_losses(X, codes, onehot, tasks, sharings)
            self.sharing_ = sharings[int(np.argmin(losses))]
        model = MultiTaskLogistic(X, onehot, tasks, **self._options(self.sharing_))
        theta, n_iter = model.minimize(max_iter=self.max_iter, tol=self.tol)
        self.n_iter_ = max(1, n_iter)
        if n_iter >= self.max_iter:
            warn_user(
                f"L-BFGS stopped after max_iter={self.max_iter} iterations before it converged. "
                "Scale the features, or raise max_iter or tol.",
                ConvergenceWarning,
            )
        W = model.coefficients(theta)
        shift = W[:, :, -1] - W[:, :, :-1] @ center
        return as_like(W[:, :, :-1], like), as_like(shift, like)

    def _options(self, sharing):
        return {"alpha": float(self.alpha), "sharing": sharing, "intercept": self.intercept}

    def _left_out_losses(self, X, codes, onehot, tasks, sharings):
        """Return the log loss of rows left out for each sharing, a mean over the domains."""
        place = np.empty(len(X), dtype=np.int64)
        for t, rows in enumerate(tasks):
            place[rows] = t
        # Each fold has rows of every class of every domain, as far as there are some.
        cells = np.unique(place * onehot.shape[1] + codes, return_inverse=True)[1]
        folds = dealt_folds(cells, check_random_state(self.random_state))
        losses = np.zeros((len(sharings), len(X)))
        for fold in np.unique(folds):
            kept = [rows[folds[rows] != fold] for rows in tasks]
            held = folds == fold
            theta = None
            for i, sharing in enumerate(sharings):
                model = MultiTaskLogistic(X, onehot, kept, **self._options(sharing))
                # The last solution is a good start for the next, which shares a little less.
                theta, _ = model.minimize(theta, max_iter=self.max_iter, tol=self.tol)
                W = model.coefficients(theta)[place[held]]
                scores = np.einsum("nkd,nd->nk", W[:, :, :-1], X[held]) + W[:, :, -1]
                log_proba = log_softmax(class_scores(scores), axis=1)
                losses[i, held] = -np.sum(onehot[held] * log_proba, axis=1)
        return [np.mean([loss[rows].mean() for rows in tasks]) for loss in losses]

    def _scores(self, X, sample_domain, method):
        outputs, data = self._linear_outputs(X, sample_domain, method)
        return class_scores(to_numpy(outputs)), data.input_backend

    def decision_function(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Return the linear outputs: the log-odds of two classes, or a score of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to score.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row, as in :meth:`predict`.

        Returns
        -------
        scores : array of shape (n_samples,) or (n_samples, n_classes)
            Positive for the second of two classes.
        """
        scores, backend = self._scores(X, sample_domain, "decision_function")
        return backend.asarray(scores[:, 1] if len(self.classes_) == 2 else scores)

    def predict(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> np.ndarray:
        """Predict the class of each row with the coefficients of its domain.

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
        y_pred : ndarray of shape (n_samples,)
            Predicted labels.
        """
        scores, _ = self._scores(X, sample_domain, "predict")
        return self.classes_[np.argmax(scores, axis=1)]

    def predict_proba(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Return class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row, as in :meth:`predict`.

        Returns
        -------
        proba : array of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        scores, backend = self._scores(X, sample_domain, "predict_proba")
        return backend.asarray(softmax(scores, axis=1))

    def predict_log_proba(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Return logarithms of the class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row, as in :meth:`predict`.

        Returns
        -------
        log_proba : array of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        scores, backend = self._scores(X, sample_domain, "predict_log_proba")
        return backend.asarray(log_softmax(scores, axis=1))
