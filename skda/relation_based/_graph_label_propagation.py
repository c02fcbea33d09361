"""Labels spread over a nearest-neighbor graph of the rows of all domains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import normalize
from sklearn.utils.validation import check_is_fitted

from .._array._backend import to_numpy
from .._array._warnings import warn_user
from .._core._param_checks import check_integer, check_option, check_real
from .._core._routing import DomainRouting
from .._core._sample_domain import DomainWarning
from .._core._score import DomainClassifierMixin
from .._core._typing import Array, ArrayLike, DomainIds, RandomState
from .._core._validation import class_labels, data_for_fit, data_for_predict, fresh_fit
from .._numerics._graph import (
    neighbor_matrix,
    propagate_labels,
    row_scales,
    self_tuned_weights,
    symmetric_affinity,
)
from ._neighbors import find_search, neighbor_search


def label_matrix(codes, is_target, n_classes, target_share=None):
    """Return the labels to spread: at a labeled row the weight of its label, in its class's column.

    Parameters
    ----------
    codes : ndarray of int of shape (n,)
        Class of each row, -1 without a label.
    is_target : ndarray of bool of shape (n,)
        Which rows are target rows.
    n_classes : int
    target_share : float, default=None
        Share of all weight that the labels of target rows have together. None: each label
        has the weight 1.

    Returns
    -------
    Y : ndarray of shape (n, n_classes)
    """
    labeled = codes >= 0
    weights = labeled.astype(float)
    n_target = (labeled & is_target).sum()
    n_source = labeled.sum() - n_target
    if target_share is not None and n_target and n_source:
        weights[labeled & is_target] = target_share / (1.0 - target_share) * n_source / n_target
    return weights[:, None] * (codes[:, None] == np.arange(n_classes))


def class_distributions(F, priors=None, rows=None):
    """Return each row's distribution over the classes from the labels that reached it.

    Parameters
    ----------
    F : ndarray of shape (n, n_classes)
        What reached each row of each class. Rows of zeros have a distribution of zeros.
    priors : ndarray of shape (n_classes,), default=None
        Class mass normalization: classes are scaled such that their mass over `rows` is in these
        proportions (Zhu et al. 2003). None: classes are as they are.
    rows : ndarray of int, default=None
        Rows whose mass counts.

    Returns
    -------
    distributions : ndarray of shape (n, n_classes)
    """
    P = _rows_of_sum_one(F)
    if priors is None:
        return P
    mass = P[rows].sum(axis=0)
    # A class that reached none of these rows has nothing to be scaled.
    scale = np.divide(priors, mass, out=np.zeros_like(mass), where=mass > 0)
    scaled = _rows_of_sum_one(P * scale)
    # A row that only classes of prior 0 have reached keeps what it has.
    return np.where(scaled.any(axis=1, keepdims=True), scaled, P)


def _rows_of_sum_one(F):
    total = F.sum(axis=1, keepdims=True)
    return np.divide(F, total, out=np.zeros_like(F), where=total > 0)


def class_proportions(codes, is_target, n_classes):
    """Return the class proportions of the source; those of the target for classes that it lacks."""
    labeled = codes >= 0
    source = np.bincount(codes[labeled & ~is_target], minlength=n_classes).astype(float)
    target = np.bincount(codes[labeled & is_target], minlength=n_classes).astype(float)
    new = np.where(source == 0, target / max(target.sum(), 1.0), 0.0)
    return new + (1.0 - new.sum()) * source / source.sum()


def given_priors(target_priors, classes):
    """Return the priors that the user gave, in the order of the classes.

    Raises
    ------
    ValueError
        If they are not one number for each class, not negative and of sum 1.
    """
    hint = (
        "Pass a dict of class to proportion, or an array in the order of the sorted classes, "
        f"{np.asarray(classes).tolist()[:5]}."
    )
    if isinstance(target_priors, dict):
        names = np.asarray(classes).tolist()
        if set(target_priors) != set(names):
            raise ValueError(
                f"target_priors must have the classes {names[:5]} as keys; got "
                f"{list(target_priors)[:5]}. {hint}"
            )
        target_priors = [target_priors[name] for name in names]
    try:
        priors = np.asarray(target_priors, dtype=float)
    except (TypeError, ValueError):
        priors = np.empty(0)
    good = priors.shape == (len(classes),) and np.isfinite(priors).all() and (priors >= 0).all()
    # Proportions that were rounded for printing still pass.
    if not good or abs(priors.sum() - 1.0) > 1e-2:
        raise ValueError(
            f"target_priors must be {len(classes)} proportions, not negative and of sum 1; got "
            f"{target_priors!r}. {hint}"
        )
    return priors / priors.sum()


class GraphLabelPropagationClassifier(DomainRouting, DomainClassifierMixin, BaseEstimator):
    r"""Spread labels from row to near row, over a graph of the rows of all domains.

    Each row is joined to its nearest neighbors, whatever their domain. Labels of the source rows,
    and of target rows that have one, flow along the edges until they balance, so that a target row
    gets the class of the rows that it is connected with through many others. One labeled row
    can so label a whole cluster.

    Parameters
    ----------
    n_neighbors : int, default=10
        Neighbors that a row is joined to. Fewer follow the shape of clusters more closely; with
        too few, some rows cannot be reached by any label.
    alpha : float, default=0.5
        Part of a row's answer that comes from its neighbors, in (0, 1). The rest is clamped to its
        own label. A larger value lets labels flow further and overrule labels that were given.
    metric : {"euclidean", "cosine"}, default="euclidean"
        Distance of rows; "cosine" is the Euclidean distance of rows scaled to unit length.
    target_share : float or None, default=0.2
        Share of the weight of all labels that those of target rows have together, in (0, 1), where
        both domains have some. None: each label counts the same, and few ones of the target may be
        outvoted by the source's.
    target_priors : "source", dict or array-like of shape (n_classes,), default=None
        Class proportions that the target rows are to have (class mass normalization): "source" for
        those of the source, or numbers by class or in the order of the sorted classes. None: what
        the spread labels give, which favors classes with many labeled rows.
    neighbors : {"exact", "approximate", "auto"}, default="exact"
        How neighbors are searched: exactly, by scikit-learn; approximately, by pynndescent, in less
        than quadratic time; "auto" takes the latter for 20,000 rows or more if it is installed.
    tol : float, default=1e-10
        Relative residual at which conjugate gradients stop.
    max_iter : int, default=1000
        Most steps of conjugate gradients.
    random_state : int, RandomState instance or None, default=None
        Used by the approximate search.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes of the source rows and of the labeled target rows.
    label_distributions_ : ndarray of shape (n_samples, n_classes)
        Distribution over the classes of every row of ``fit``.
    transduction_ : ndarray of shape (n_samples,)
        Most probable class of every row of ``fit``, in their order.
    neighbors_ : ndarray of int of shape (n_samples, n_neighbors)
        Neighbors of each row of ``fit``.
    edge_weights_ : ndarray of shape (n_samples, n_neighbors)
        Weights of the edges to them.
    graph_ : csr_array of shape (n_samples, n_samples)
        All edges: two rows are joined if either is a neighbor of the other.
    scales_ : ndarray of shape (n_samples,)
        Distance of each row to the last of its neighbors.
    target_priors_ : ndarray of shape (n_classes,) or None
        The proportions that the classes were scaled to, None if they were not.
    n_iter_ : int
        Steps of conjugate gradients.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had names.

    Raises
    ------
    ValueError
        In ``fit``, if a parameter is out of range.
    ImportError
        In ``fit``, if ``neighbors="approximate"`` and pynndescent is not installed.

    Warns
    -----
    DomainWarning
        If no label can reach some rows; they get the class proportions.
    ConvergenceWarning
        If `max_iter` steps do not suffice.

    See Also
    --------
    PrototypeClassifier : One center per class instead of a graph.
    OTLabelPropagationClassifier : Carries labels by a transport plan.
    sklearn.semi_supervised.LabelSpreading : The same on one domain, with a dense solver.

    Notes
    -----
    Edges have the self-tuned weights :math:`W_{ij} = \exp(-d_{ij}^2 / \sigma_i \sigma_j)`, where
    :math:`\sigma_i` is the distance of row i to the last of its neighbors [2]_, and no weight is
    below exp(-10). With :math:`S = D^{-1/2} W D^{-1/2}` the labels Y become
    :math:`F = (1 - \alpha)(I - \alpha S)^{-1} Y` [1]_, solved by conjugate gradients for all
    classes at once. Rows of F are scaled to sum 1, and classes to `target_priors` [3]_; a class
    that the source lacks counts, in "source", by its part of the labeled target rows. A new row
    gets the weighted mean over its neighbors among the rows of ``fit``.

    It assumes that rows of one class are connected, also across the domains, and that those of
    different classes are not: where the domains lie apart, put a transformer in front
    (:class:`DomainScaler`, :class:`CORALTransformer`).

    A target row is labeled unless its y is NaN, None or NA or, among integers, -1; no label of a
    target row is needed. All domains share one graph. Without ``sample_domain`` it is
    scikit-learn's LabelSpreading with this graph.

    X may be a CSR matrix. Costs the search of neighbors, quadratic in the number of rows if exact,
    and some tens of products with the sparse graph; memory grows as n times `n_neighbors`. Array
    level (b): NumPy on the host.

    References
    ----------
    .. [1] D. Zhou, O. Bousquet, T. Lal, J. Weston, B. Schölkopf, "Learning with local and global
       consistency", NIPS 2003.
    .. [2] L. Zelnik-Manor, P. Perona, "Self-tuning spectral clustering", NIPS 2004.
    .. [3] X. Zhu, Z. Ghahramani, J. Lafferty, "Semi-supervised learning using Gaussian fields and
       harmonic functions", ICML 2003.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import make_moons
    >>> from sklearn.svm import SVC
    >>> from skda import GraphLabelPropagationClassifier, stack_domains
    >>> X_source, y_source = make_moons(300, noise=0.05, random_state=0)
    >>> X_target, y_target = make_moons(300, noise=0.05, random_state=1)
    >>> X_target = X_target @ [[0.8, 0.6], [-0.6, 0.8]]  # turned
    >>> few = np.where(np.arange(300) < 6, y_target, -1)
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target, few)
    >>> model = GraphLabelPropagationClassifier(10, alpha=0.95, target_priors="source")
    >>> model = model.fit(X, y, sample_domain=sample_domain)
    >>> svm = SVC().fit(X_source, y_source)
    >>> print(f"{svm.score(X_target, y_target):.2f} -> {model.score(X_target, y_target):.2f}")
    0.68 -> 1.00
    """

    _labels = "all"

    def __init__(
        self,
        n_neighbors: int = 10,
        *,
        alpha: float = 0.5,
        metric: Literal["euclidean", "cosine"] = "euclidean",
        target_share: float | None = 0.2,
        target_priors: Literal["source"] | Mapping[Any, float] | ArrayLike | None = None,
        neighbors: Literal["exact", "approximate", "auto"] = "exact",
        tol: float = 1e-10,
        max_iter: int = 1000,
        random_state: RandomState = None,
    ):
        self.n_neighbors = n_neighbors
        self.alpha = alpha
        self.metric = metric
        self.target_share = target_share
        self.target_priors = target_priors
        self.neighbors = neighbors
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, *, sample_domain: DomainIds | None = None) -> Self:
        """Build the graph and spread the labels over it.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
            Rows of all domains.
        y : array-like of shape (n_samples,)
            Labels; missing ones of target rows are NaN, None or NA or, among integers, -1.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target. None: all rows are source, and a
            :class:`~skda.DomainWarning` says so.

        Returns
        -------
        self : object
            The fitted classifier.
        """
        with fresh_fit(self):
            self._check_params()
            data = data_for_fit(self, X, y, sample_domain, labels="all", accept_sparse=True)
            self._fit(data)
        return self

    def _check_params(self):
        check_integer("n_neighbors", self.n_neighbors, low=1)
        check_real("alpha", self.alpha, low=0, high=1, closed="neither")
        check_option("metric", self.metric, ("euclidean", "cosine"))
        hint = "None counts each label the same."
        check_real(
            "target_share",
            self.target_share,
            low=0,
            high=1,
            closed="neither",
            none=True,
            hint=hint,
        )
        check_option("neighbors", self.neighbors, ("exact", "approximate", "auto"))
        check_real("tol", self.tol, low=0, closed="neither")
        check_integer("max_iter", self.max_iter, low=1)

    def _fit(self, data):
        self.classes_, codes = class_labels(self, data)
        is_target = data.ids < 0
        proportions = class_proportions(codes, is_target, len(self.classes_))
        self.target_priors_ = self._priors(proportions)
        self._join(self._rows(data))
        Y = label_matrix(codes, is_target, len(self.classes_), self.target_share)
        F = self._spread(Y)
        # Without a target the mass of all rows counts.
        rows = data.target if data.adapts else np.arange(len(F))
        P = class_distributions(F, self.target_priors_, rows)
        unreached = ~P.any(axis=1)
        if unreached.any():
            self._warn_of_unreached(int(unreached.sum()))
            P[unreached] = proportions if self.target_priors_ is None else self.target_priors_
        self.label_distributions_ = P
        self.transduction_ = self.classes_[P.argmax(axis=1)]

    def _rows(self, data):
        """Return the rows on the host, in the metric; sparse ones stay sparse."""
        X = data.X if sparse.issparse(data.X) else to_numpy(data.X)
        # Euclidean distances of unit rows order rows as cosines do.
        return normalize(X) if self.metric == "cosine" else X

    def _priors(self, proportions):
        if self.target_priors is None:
            return None
        if isinstance(self.target_priors, str) and self.target_priors == "source":
            return proportions
        return given_priors(self.target_priors, self.classes_)

    def _join(self, X):
        """Find the neighbors of all rows and weight the edges."""
        n_samples = X.shape[0]
        if n_samples < 2:
            raise ValueError(
                f"{type(self).__name__} needs two rows or more, to join them; got 1 sample."
            )
        # No row has more neighbors than there are other rows.
        n_neighbors = min(int(self.n_neighbors), n_samples - 1)
        search = find_search(self.neighbors, n_samples)
        self.index_ = neighbor_search(X, n_neighbors, search=search, random_state=self.random_state)
        distances, indices = self.index_.graph()
        self.scales_ = row_scales(distances)
        weights = self_tuned_weights(distances, self.scales_, self.scales_[indices])
        # As plain arrays, which skops can store; a sparse matrix is none of its types.
        self.neighbors_, self.edge_weights_ = indices, weights

    @property
    def graph_(self) -> Any:
        """Edges between the rows of ``fit``."""
        check_is_fitted(self)
        return symmetric_affinity(self.neighbors_, self.edge_weights_)

    def _spread(self, Y):
        F, self.n_iter_ = propagate_labels(
            symmetric_affinity(self.neighbors_, self.edge_weights_),
            Y,
            alpha=self.alpha,
            tol=self.tol,
            max_iter=self.max_iter,
        )
        if self.n_iter_ == self.max_iter:
            warn_user(
                f"Conjugate gradients took all max_iter={self.max_iter} steps. Raise max_iter or "
                "tol, or lower alpha.",
                ConvergenceWarning,
            )
        return F

    def _warn_of_unreached(self, count):
        warn_user(
            f"No label can reach {count} rows: no path of the graph joins them with a labeled "
            "row. They get the class proportions. Raise n_neighbors, or adapt the features first.",
            DomainWarning,
        )

    def predict_proba(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Return the weighted mean of the distributions of a row's neighbors.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
            Rows to predict.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Not used: rows of all domains are treated alike.

        Returns
        -------
        proba : array of shape (n_samples, n_classes)
            Columns in the order of ``classes_``, in the array library of `X`.
        """
        proba, backend = self._predicted(X, sample_domain, "predict_proba")
        return backend.asarray(proba)

    def predict(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> np.ndarray:
        """Return the most probable class of each row.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
            Rows to predict. What ``fit`` found for its own rows is in ``transduction_``.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Not used: rows of all domains are treated alike.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels, of the type given to ``fit``.
        """
        proba, _ = self._predicted(X, sample_domain, "predict")
        return self.classes_[proba.argmax(axis=1)]

    def _predicted(self, X, sample_domain, method):
        data = data_for_predict(self, X, sample_domain, accept_sparse=True, method=method)
        distances, indices = self.index_.query(self._rows(data))
        # Not the median of these rows: each row is predicted alone.
        scales = row_scales(distances, usual=np.median(self.scales_))
        weights = self_tuned_weights(distances, scales, self.scales_[indices])
        weights /= weights.sum(axis=1, keepdims=True)
        W = neighbor_matrix(indices, weights, len(self.scales_))
        return W @ self.label_distributions_, data.input_backend

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
