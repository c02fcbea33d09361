"""Manifold embedded distribution alignment: a kernel classifier on geodesic-flow features."""

from __future__ import annotations

from functools import partial
from typing import Literal, Self

import numpy as np

from .._array._arithmetic import safe_divide
from .._array._backend import as_like, device_of, namespace, to_numpy
from .._core._callbacks import CALLBACK_SUPPORT, at_most, begin_fit, learnt_by, subtask
from .._core._class_scores import ClassScoresClassifier
from .._core._param_checks import check_integer, check_option, check_real
from .._core._typing import Array, ArrayLike, DomainIds, RandomState
from .._core._validation import class_labels, data_for_fit, fresh_fit
from .._numerics._budget import check_cost
from .._numerics._graph import knn_affinity, knn_laplacian, normalized_affinity
from .._numerics._kernels import kernel_apply, kernel_matrix, nystroem_map, subsample, unit_rows
from ._base_spectral import ROWS_TO_JUDGE, joint_differences, nearest_codes, warn_if_degenerate
from ._gfk import geodesic_flow_factor
from ._subspace_alignment import principal_axes, resolve_n_components

_MATRICES = 4  # of size n x n that are held at once
_CUBE_SECONDS = 3e-11  # measured: a solve of n x n equations takes this times n³
# For the estimate of the time only.
_USUAL_ROUNDS = 4


def proxy_distance(A, B):
    """Proxy A-distance ``2 (1 - 2 err)`` of two sets of rows, at least 0.

    err is the leave-one-out error of a balanced ridge classifier of the set, in closed form.
    """
    # A row that is left out would leave an empty set.
    if min(len(A), len(B)) < 2:
        return 0.0
    X = np.vstack([A, B])
    # Centered, with a column for the intercept.
    X = np.hstack([X - X.mean(axis=0), np.ones((len(X), 1))])
    is_a = np.arange(len(X)) < len(A)
    # Each set has half of the weight, so that guessing errs on half, whatever their sizes.
    weight = np.where(is_a, 0.5 / len(A), 0.5 / len(B))[:, None]
    side = np.where(is_a, 1.0, -1.0)[:, None]
    gram = X.T @ (weight * X)
    # A ridge relative to the features' scale, so that there is a solution with more features than
    # rows.
    gram += np.eye(len(gram)) * (1e-3 * np.trace(gram) / len(gram) + 1e-300)
    hat = np.linalg.solve(gram, (weight * X).T)
    leverage = (X * hat.T).sum(axis=1, keepdims=True)
    fitted = X @ (hat @ side)
    # Leave-one-out predictions of a linear smoother, without a fit per row.
    left_out = (fitted - leverage * side) / np.maximum(1.0 - leverage, 1e-12)
    error = float((weight * (np.sign(left_out) != side)).sum())
    return max(0.0, 2.0 * (1.0 - 2.0 * error))


def estimate_balance(Z, ids, codes, pseudo):
    """Weight of the class-wise differences: their mean proxy distance over the sum with the whole.

    ``Z`` is on the host.
    """
    source, target = ids >= 0, ids < 0
    whole = proxy_distance(Z[source], Z[target])
    classes = [
        proxy_distance(Z[source & (codes == c)], Z[target & (pseudo == c)])
        for c in np.unique(codes[source])
    ]
    share = float(np.mean(classes))
    # Where no classifier separates the domains, neither part has more to align.
    return share / (share + whole) if share + whole > 0 else 0.5


def structural_risk(K, is_source, *, reg, manifold=None):
    """The part ``(A + ρL) K + ηI`` of the equations that does not change with the pseudo-labels.

    A marks the source rows; ``manifold`` is ``ρL`` or None.
    """
    left = is_source * K + as_like(np.eye(K.shape[0]), K) * reg
    return left if manifold is None else left + manifold @ K


def aligned_coefficients(risk, K, Y, E, is_source, *, alignment_weight):
    """Coefficients B of ``f = K B``: ``((A + λ E Eᵀ + ρL) K + ηI) B = A Y``."""
    left = risk + E @ ((E.T @ K) * alignment_weight)
    return namespace(K).linalg.solve(left, is_source * Y)


class KernelEquations:
    """The classifier ``f = K B`` with one coefficient for each row."""

    def __init__(self, Z, *, gamma, reg, is_source, manifold_weight, n_neighbors):
        self.K, self.is_source, self.basis = kernel_matrix(Z, gamma=gamma), is_source, Z
        manifold = None
        if manifold_weight and Z.shape[0] > 1:
            L = knn_laplacian(Z, n_neighbors=n_neighbors, metric="cosine", normalized=True)
            manifold = as_like(L * manifold_weight, Z)
        self.risk = structural_risk(self.K, is_source, reg=reg, manifold=manifold)

    def solve(self, Y, E, alignment_weight):
        """Return the coefficients of kernel rows, and the scores of the fitted rows."""
        coef = aligned_coefficients(
            self.risk, self.K, Y, E, self.is_source, alignment_weight=alignment_weight
        )
        return coef, self.K @ coef


class FeatureEquations:
    """The classifier ``f = F W`` on explicit features F of the kernel, with as many coefficients.

    ``(FᵀAF + ηI + λ FᵀEEᵀF + ρ FᵀLF) W = FᵀAY``: the same least squares as
    :func:`aligned_coefficients` with ``FFᵀ`` for the kernel.
    """

    def __init__(
        self, Z, *, gamma, reg, is_source, manifold_weight, n_neighbors, n_basis, random_state
    ):
        xp = namespace(Z)
        phi = nystroem_map(Z, n_basis, random_state=random_state, gamma=gamma)
        self.F, self.is_source = phi(Z), is_source
        self.basis, self.normalizer = phi.landmarks, phi.normalizer
        size = self.F.shape[1]
        eye = xp.eye(size, dtype=Z.dtype, device=device_of(Z))
        self.risk = self.F.T @ (is_source * self.F) + eye * reg
        if manifold_weight and Z.shape[0] > 1:
            graph = normalized_affinity(knn_affinity(Z, n_neighbors=n_neighbors, metric="cosine"))
            host = to_numpy(self.F)
            rough = as_like(host.T @ (host - graph @ host), Z)
            self.risk = self.risk + (rough + rough.T) * (0.5 * manifold_weight)

    def solve(self, Y, E, alignment_weight):
        """Return the coefficients of kernel rows, and the scores of the fitted rows."""
        image = self.F.T @ E
        left = self.risk + (image * alignment_weight) @ image.T
        W = namespace(Y).linalg.solve(left, self.F.T @ (self.is_source * Y))
        return self.normalizer @ W, self.F @ W


class MEDAClassifier(*CALLBACK_SUPPORT, ClassScoresClassifier):  # type: ignore[misc]
    """Classify on geodesic-flow features, bringing domains and classes together in the classifier.

    Rows are mapped by the geodesic flow kernel and scaled to unit length. A kernel least-squares
    classifier is fitted there to the source labels, with penalties on the difference of the domain
    means of its output, on the differences of its class means, and on its roughness over the
    nearest-neighbor graph of all rows; pseudo-labels of the target rows are refined in turn [1]_.

    Parameters
    ----------
    n_components : int, float, "auto" or None, default=None
        Dimension of the subspaces of the geodesic flow kernel, see :class:`GFKTransformer`. None is
        20, or fewer if the data have no more.
    gamma : float, default=0.5
        Of the rbf kernel ``exp(-gamma ‖x-y‖²)`` on the mapped rows, which have unit length. Larger
        means more local.
    reg : float, default=0.1
        Weight of the norm of the classifier (η in [1]_).
    alignment_weight : float, default=10.0
        Weight of the differences between the domains (λ in [1]_). 0 leaves them alone.
    manifold_weight : float, default=1.0
        Weight of the roughness over the neighbor graph (ρ in [1]_). 0 makes no graph.
    n_neighbors : int, default=10
        Neighbors of a row in the graph, by cosine.
    balance : float or "auto", default="auto"
        In [0, 1]: 0 brings only the domains together, 1 only the classes. "auto" estimates it in
        each round from how well a linear classifier tells the domains apart, as a whole and within
        each class.
    solver : {"exact", "nystroem"}, default="exact"
        "exact" works on the n x n kernel matrix. "nystroem" replaces the kernel by ``n_basis``
        explicit features, for tens of thousands of rows and more.
    n_basis : int, default=500
        Landmark rows of "nystroem". Which rows are landmarks depends on the order of the rows.
    max_iter : int, default=10
        Rounds of fitting and pseudo-labels. It stops when no pseudo-label changes.
    random_state : int, RandomState instance or None, default=None
        Draws the landmarks of "nystroem".

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes of the source.
    factor_ : array of shape (n_features, 2 * n_components_)
        Map to the geodesic-flow features.
    basis_ : array of shape (n_rows or n_basis, 2 * n_components_)
        Mapped rows of ``fit``, of unit length, or those of them that are landmarks.
    dual_coef_ : array of shape (n_rows or n_basis, n_classes)
        Coefficients of the kernel classifier, whose scores (``decision_function``) are near 1 for
        the right class and near 0 for the others.
    balance_ : float
        Balance used in the last round.
    pseudo_labels_ : ndarray of shape (n_target,)
        Final labels of the target rows of ``fit``, in row order.
    label_changes_ : list of int
        How many pseudo-labels each round changed; 0 in the last one where it stopped by itself.
    n_components_ : int
        Dimension of the subspaces.
    n_iter_ : int
        Rounds done.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had names.

    Raises
    ------
    ValueError
        In ``fit``, if a parameter is out of range or there is a single feature.

    See Also
    --------
    GFKTransformer : The features alone.
    JDATransformer : The same differences in a transformer.

    Notes
    -----
    ``f(x) = k(x, X) B`` with ``((A + λM + ρL) K + ηI) B = A Y``: A marks source rows, Y holds their
    one-hot labels, L is the normalized Laplacian of the neighbor graph, and
    ``M ∝ (1-b) C M_0 + b Σ_c M_c`` as in :class:`JDATransformer`. Standardize the features before,
    per domain if their means differ. The authors' estimate of b takes the error on the rows that
    the classifier was fitted on, and compares every class with the first; here the errors are
    leave-one-out and each class is compared with itself.

    Assumes that classes lie near their own counterpart on a common manifold.

    Without ``sample_domain`` it is a manifold-regularized kernel classifier.

    Cost: O(n³) per round, usually two to five rounds, and three n x n matrices; with a basis of m,
    O(n m²) and m³ per round, and one n x m matrix. The nearest neighbors take O(n²) in both. Array
    level (a): except the neighbor graph and the balance, which are estimated on the host.

    Callbacks (``set_callbacks``, with scikit-learn 1.9 or later) see the rounds.

    References
    ----------
    .. [1] J. Wang, W. Feng, Y. Chen, H. Yu, M. Huang and P. S. Yu, "Visual domain adaptation with
       manifold embedded distribution alignment", ACM Multimedia 2018. :arxiv:`1807.07258`

    Examples
    --------
    >>> import numpy as np
    >>> from skda import MEDAClassifier, stack_domains
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 30)
    >>> Xs = rng.normal(size=(60, 4)) + 3 * np.outer(2 * y - 1, [1, 1, 0, 0])
    >>> X, y, sample_domain = stack_domains(Xs, y, Xs + 0.5)
    >>> model = MEDAClassifier(n_components=2).fit(X, y, sample_domain=sample_domain)
    >>> model.score(X[60:], np.repeat([0, 1], 30))
    1.0
    """

    _array_level = "a"

    def __init__(
        self,
        n_components: float | Literal["auto"] | None = None,
        *,
        gamma: float = 0.5,
        reg: float = 0.1,
        alignment_weight: float = 10.0,
        manifold_weight: float = 1.0,
        n_neighbors: int = 10,
        balance: float | Literal["auto"] = "auto",
        solver: Literal["exact", "nystroem"] = "exact",
        n_basis: int = 500,
        max_iter: int = 10,
        random_state: RandomState = None,
    ):
        self.n_components = n_components
        self.gamma = gamma
        self.reg = reg
        self.alignment_weight = alignment_weight
        self.manifold_weight = manifold_weight
        self.n_neighbors = n_neighbors
        self.balance = balance
        self.solver = solver
        self.n_basis = n_basis
        self.max_iter = max_iter
        self.random_state = random_state

    @property
    def _order_dependent(self):
        return self.solver == "nystroem"  # its landmarks are rows chosen by their position

    def fit(self, X: ArrayLike, y: ArrayLike, *, sample_domain: DomainIds | None = None) -> Self:
        """Fit the classifier to source labels and to the rows of all domains.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : array-like of shape (n_samples,)
            Labels. Those of target rows are ignored.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target.

        Returns
        -------
        self : object
            The fitted classifier.
        """
        with fresh_fit(self):
            data = data_for_fit(self, X, y, sample_domain, labels="source")
            begin_fit(self, X, y, data.ids, data.labeled, n_tasks=at_most(self.max_iter))
            self._fit(data)
        return self

    def _fit(self, data):
        self._check_params()
        if data.X.shape[1] < 2:
            raise ValueError(
                "MEDAClassifier needs at least 2 features, because it scales rows to unit length, "
                f"where a single one keeps its sign only; got {data.X.shape[1]} feature(s). Use "
                "another method, for example JDATransformer."
            )
        self.classes_, codes = class_labels(self, data)
        factor = self._geodesic_factor(data)
        Z = unit_rows(data.X @ factor)
        self.factor_ = data.to_input(factor)
        self._fit_rows(data, Z, codes)

    def _keep(self, data, basis, coef, pseudo, changes):
        self.label_changes_ = changes
        self.pseudo_labels_ = self.classes_[pseudo[data.target]]
        self.basis_, self.dual_coef_ = data.to_input(basis), data.to_input(coef)

    def _check_params(self):
        check_real("gamma", self.gamma, low=0, closed="neither")
        check_real("reg", self.reg, low=0, closed="neither")
        check_real("alignment_weight", self.alignment_weight, low=0)
        check_real("manifold_weight", self.manifold_weight, low=0)
        check_integer("n_neighbors", self.n_neighbors, low=1)
        check_integer("max_iter", self.max_iter, low=1)
        check_option("solver", self.solver, ("exact", "nystroem"))
        check_integer("n_basis", self.n_basis, low=1)
        if not (isinstance(self.balance, str) and self.balance == "auto"):
            check_real("balance", self.balance, low=0, high=1)

    def _geodesic_factor(self, data):
        sides = [data.X_source, data.X_target] if data.adapts else [data.X]
        axes = [principal_axes(X, data.xp.mean(X, axis=0), self.n_components) for X in sides]
        k = resolve_n_components(
            self.n_components,
            [side.variances for side in axes],
            data.X.shape[1],
            most=20 if self.n_components is None else data.X.shape[1],
            name=type(self).__name__,
        )
        self.n_components_ = k
        return geodesic_flow_factor(axes[0].first(k), axes[-1].first(k))

    def _check_size(self, Z):
        """Warn if the kernel matrix will take long; raise if it does not fit in memory."""
        n, what = Z.shape[0], f"the kernel matrices of {Z.shape[0]} rows"
        who, hint = type(self).__name__, "Take solver='nystroem', or fit on a sample of the rows."
        seconds = _CUBE_SECONDS * n**3 * (2 + min(self.max_iter, _USUAL_ROUNDS))
        check_cost(who, what, _MATRICES * n * n, seconds, Z, hint=hint)

    def _fit_rows(self, data, Z, codes):
        ids, source, target = data.ids, data.source, data.target
        n_classes, adapts = len(self.classes_), data.adapts
        Y = as_like((codes[:, None] == np.arange(n_classes)).astype(float), Z)
        # A is diagonal: a column that is multiplied with row by row.
        is_source = as_like((ids >= 0).astype(float)[:, None], Z)
        equations = self._equations(Z, is_source)
        pseudo = np.full(ids.shape, -1)
        if adapts:
            pseudo[target] = nearest_codes(Z, source, codes, target)
        host = to_numpy(Z)
        self.balance_ = 0.0 if self.balance == "auto" else float(self.balance)
        changes = []
        for n_iter in range(1, self.max_iter + 1):
            self.n_iter_ = n_iter
            with subtask(self, "round") as task:
                if adapts and self.balance == "auto":
                    self.balance_ = estimate_balance(host, ids, codes, pseudo)
                E = joint_differences(ids, codes, pseudo, n_classes, balance=self.balance_)
                E = as_like(E, Z)
                coef, scores = equations.solve(Y, E, self.alignment_weight)
                old, pseudo = pseudo, pseudo.copy()
                pseudo[target] = to_numpy(scores).argmax(axis=1)[target]
                changes.append(int(np.sum(old != pseudo)))
                found = data, equations.basis, coef, pseudo, list(changes)
                task.offer(partial(learnt_by, self, "_keep", *found))
            if not changes[-1] or task.stops:
                break
        self._keep(*found)

    def _equations(self, Z, is_source):
        params = {"gamma": self.gamma, "reg": self.reg, "is_source": is_source}
        params |= {"manifold_weight": self.manifold_weight, "n_neighbors": self.n_neighbors}
        # A part of the kernel is enough to see that all rows, or none, are alike.
        warn_if_degenerate(
            kernel_matrix(subsample(Z, ROWS_TO_JUDGE, 0), gamma=self.gamma), gamma=self.gamma
        )
        if self.solver == "nystroem":
            basis = {"n_basis": self.n_basis, "random_state": self.random_state}
            return FeatureEquations(Z, **params, **basis)
        self._check_size(Z)
        return KernelEquations(Z, **params)

    def _class_scores(self, X, backend):
        Z = unit_rows(X @ backend.asarray(self.factor_, X.dtype))
        basis, coef = (
            backend.asarray(self.basis_, X.dtype),
            backend.asarray(self.dual_coef_, X.dtype),
        )
        return kernel_apply(Z, basis, coef, gamma=self.gamma)

    def predict_proba(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Return the scores of the classes, those below 0 set to 0, divided by their sum.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Not used: rows of all domains are treated alike.

        Returns
        -------
        probabilities : array of shape (n_samples, n_classes)
            Estimates, not calibrated. In the array library of `X`.
        """
        scores, input_backend = self._scores(X, sample_domain, "predict_proba")
        xp = namespace(scores)
        scores = xp.clip(scores, min=0.0)
        total = xp.sum(scores, axis=1, keepdims=True)
        # A row all of whose scores are below 0 says nothing about its class.
        return input_backend.asarray(safe_divide(scores, total, fill=1.0 / scores.shape[1]))
