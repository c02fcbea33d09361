"""Kernel manifold alignment: domains with other columns in one space, by labels on each side."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.linalg import eigh
from sklearn.base import ClassNamePrefixFeaturesOutMixin
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.neighbors import kneighbors_graph

from .._array._backend import to_numpy
from .._core._base_transformer import BaseDomainTransformer
from .._core._param_checks import check_integer, check_option, check_real
from .._core._validation import class_labels
from .._numerics._budget import check_cost
from ._base_other_space import own_columns
from ._paired_cca import _median_gamma

# Kernel, geometry, two graphs of labels, and the two sides of the eigenproblem.
_MATRICES = 6
_CUBE_SECONDS = 3.6e-10  # measured: kernel, graphs and eigenvectors take this times n³

_RIDGE = 1e-6  # share of the mean diagonal: the penalty matrix alone may be singular


def laplacian(W):
    """Return the graph Laplacian ``diag(W 1) - W`` of symmetric weights."""
    return np.diag(W.sum(axis=1)) - W


def label_graphs(codes):
    """Return the weights of pairs of rows of one class, and of different classes.

    Rows without a label (code -1) have none.
    """
    known = codes >= 0
    both = known[:, None] & known[None, :]
    same = codes[:, None] == codes[None, :]
    return (both & same).astype(float), (both & ~same).astype(float)


def aligned_directions(K, geometry, similar, different, n_components, *, mu):
    """Return V (n x k) that makes ``tr(VᵀK L_d KV)`` large where ``VᵀK(L + μL_s)KV`` is one.

    Parameters
    ----------
    K : ndarray of shape (n, n)
        Kernel matrices of the domains, as blocks.
    geometry, similar, different : ndarray of shape (n, n)
        Weights of neighbors, of pairs of one class, and of pairs of different classes.
    n_components : int
    mu : float
        Weight of the pairs of one class against the neighbors.
    """
    # Each graph has the same say, whatever the number of its pairs.
    L, L_s, L_d = (laplacian(W / max(W.sum(), 1.0)) for W in (geometry, similar, different))
    kept = K @ (L + mu * L_s) @ K
    kept[np.diag_indices_from(kept)] += _RIDGE * max(np.trace(kept) / len(K), 1e-12)
    n = len(K)
    first = max(n - n_components, 0)
    _, V = eigh(K @ L_d @ K, kept, subset_by_index=[first, n - 1])
    V = V[:, ::-1]
    signs = np.sign(V[np.abs(V).argmax(axis=0), np.arange(V.shape[1])])
    return V * np.where(signs == 0, 1.0, signs)


class KernelManifoldAlignmentTransformer(ClassNamePrefixFeaturesOutMixin, BaseDomainTransformer):
    """Map domains with other columns into one space where classes meet, by few labels on each side.

    Each domain gets a projection of its own. Together they bring rows of one class close to each
    other, whatever domain they come from, push classes apart, and leave neighbors within a domain
    neighbors. The last part uses unlabeled rows, so that few labels are enough.

    Parameters
    ----------
    n_components : int or None, default=None
        Number of components. None: one less than there are classes, at least 1.
    kernel : {"linear", "rbf"}, default="linear"
        Similarity within each domain.
    gamma : float or None, default=None
        Width of the "rbf" kernel; None: one over twice the domain's median squared distance.
    mu : float, default=1.0
        Weight of bringing classes together against keeping neighbors together. Larger values
        trust the labels more.
    n_neighbors : int, default=10
        Neighbors that each row has within its domain.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes among the labels.
    projections_ : list of ndarray
        Of each source and, last, of the pooled target, coefficients of its fitted rows, of shape
        (n_rows, n_components).
    views_ : list of dict
        In the same order, what the kernel is computed from: the fitted rows, the positions of
        their columns, the mean or the kernel width, and what gaps are filled with.
    source_domains_, target_domains_ : list of int
        Ids seen in ``fit``.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had names.

    Raises
    ------
    ValueError
        In ``fit``, if a parameter is out of range, no target row has a label, there is one class
        only, or a domain has gaps in its own columns.

    See Also
    --------
    CoOptimalTransportTransformer : Needs no labels.
    PairedCCATransformer : For samples that were measured in both domains.

    Notes
    -----
    X is stacked as for :class:`CoOptimalTransportTransformer`; columns may also be shared. With K
    the kernel matrices of the domains as blocks and L, L_s, L_d the Laplacians of the graphs of
    neighbors, of equal and of different labels, each divided by its weight, the components are the
    leading generalized eigenvectors of :math:`K L_d K` against :math:`K (L + μ L_s) K` [1]_ [2]_.
    Several targets are pooled. Scale the columns first, each domain by itself.

    It helps when both sides have some labels of each class, and neighbors within a domain are
    mostly of one class.

    Cost: :math:`O(n^3)` for n rows in all. Array level (b): computed in NumPy.

    References
    ----------
    .. [1] C. Wang, S. Mahadevan, "Heterogeneous domain adaptation using manifold alignment",
       IJCAI 2011. doi:10.5591/978-1-57735-516-8/IJCAI11-259.
    .. [2] D. Tuia, G. Camps-Valls, "Kernel manifold alignment for domain adaptation", PLoS ONE 11,
       2016. doi:10.1371/journal.pone.0148655.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skda import KernelManifoldAlignmentTransformer
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(0, 2, 200)
    >>> latent = rng.normal(size=(200, 2)) + 3 * y[:, None]
    >>> X = np.full((200, 5), np.nan)
    >>> X[:100, :2] = latent[:100] @ rng.normal(size=(2, 2))
    >>> X[100:, 2:] = latent[100:] @ rng.normal(size=(2, 3))
    >>> known = np.where(np.arange(200) < 110, y, -1)  # ten labels in the target
    >>> aligner = KernelManifoldAlignmentTransformer()
    >>> Z = aligner.fit_transform(X, known, sample_domain=np.repeat([1, -2], 100))
    >>> model = KNeighborsClassifier().fit(Z[:100], y[:100])
    >>> print(f"{model.score(Z[110:], y[110:]):.1f}")
    1.0
    """

    _labels = "all"
    _array_level = "b"

    def __init__(
        self,
        n_components: int | None = None,
        *,
        kernel: Literal["linear", "rbf"] = "linear",
        gamma: float | None = None,
        mu: float = 1.0,
        n_neighbors: int = 10,
    ):
        self.n_components = n_components
        self.kernel = kernel
        self.gamma = gamma
        self.mu = mu
        self.n_neighbors = n_neighbors

    def _check_params(self):
        check_integer("n_components", self.n_components, low=1, none=True)
        check_option("kernel", self.kernel, ("linear", "rbf"))
        check_real("gamma", self.gamma, low=0, closed="neither", none=True)
        check_real("mu", self.mu, low=0)
        check_integer("n_neighbors", self.n_neighbors, low=1)

    def _fit(self, data):
        self._check_params()
        self.classes_, codes = class_labels(self, data)
        self._check_labels(data, codes)
        values = np.asarray(to_numpy(data.X), dtype=np.float64)
        # The pooled target is the last block.
        groups = [(i, data.rows(i), f"source {i}") for i in data.source_domains]
        if data.adapts:
            groups.append((-1, data.target, "target"))
        self.views_ = []
        n = len(values)
        what, hint = f"the kernel and the graphs of {n} rows", "Fit on a sample of the rows."
        seconds = _CUBE_SECONDS * n**3
        check_cost(type(self).__name__, what, _MATRICES * n * n, seconds, values, hint=hint)
        K, geometry = np.zeros((n, n)), np.zeros((n, n))
        for _, rows, name in groups:
            # One table without domains has no blocks: gaps there are gaps, and take the mean.
            fill = None if data.adapts else _means(values)
            columns = own_columns(values[rows], name) if data.adapts else np.arange(len(fill))
            own = _filled(values[rows][:, columns], fill)
            view = {**self._view_of(own), "columns": columns, "fill": fill}
            self.views_.append(view)
            block = np.ix_(rows, rows)
            K[block] = self._kernel(view, own)
            geometry[block] = _neighbors(own, self.n_neighbors)
        k = self.n_components or max(len(self.classes_) - 1, 1)
        similar, different = label_graphs(codes)
        V = aligned_directions(K, geometry, similar, different, min(k, n), mu=float(self.mu))
        # Unit spread over the fitted rows, so that components are of use to any model.
        spread = (K @ V).std(axis=0)
        V = V / np.where(spread > 0, spread, 1.0)
        self.projections_ = [V[rows] for _, rows, _ in groups]

    @property
    def _n_features_out(self):
        return self.projections_[0].shape[1]

    def _check_labels(self, data, codes):
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs labels of two classes or more; got one class only, "
                f"{self.classes_.tolist()}."
            )
        if data.adapts and not (codes[data.target] >= 0).any():
            raise ValueError(
                f"{type(self).__name__} needs labels on both sides, but no target row has one. "
                "Pass the labels that you have as y_target to skda.stack_domains; without any, see "
                "skda.CoOptimalTransportTransformer."
            )

    def _view_of(self, rows):
        """Return what the kernel of one domain is computed from."""
        if self.kernel == "linear":
            return {"rows": rows, "mean": rows.mean(axis=0), "gamma": None}
        return {"rows": rows, "mean": 0.0, "gamma": self.gamma or _median_gamma(rows)}

    @staticmethod
    def _kernel(view, X):
        if view["gamma"] is None:
            return (X - view["mean"]) @ (view["rows"] - view["mean"]).T
        return rbf_kernel(X, view["rows"], gamma=view["gamma"])

    def _map(self, X, domain, backend):
        # Rows of no stated domain are target rows; after a fit without domains, the only ones.
        which = self.source_domains_.index(domain) if domain >= 0 else len(self.views_) - 1
        view = self.views_[which]
        values = np.asarray(to_numpy(X), dtype=np.float64)[:, view["columns"]]
        values = _filled(values, view["fill"])
        if np.isnan(values).any():
            raise ValueError(
                "Rows must have values in the columns that their domain had in fit, "
                f"{view['columns'][:5].tolist()}…; got NaN. Impute them."
            )
        return backend.asarray(self._kernel(view, values) @ self.projections_[which], X.dtype)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _means(values):
    """Return the mean of each column over the values that are there, 0 where none is."""
    there = ~np.isnan(values)
    return np.where(there, values, 0.0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)


def _filled(values, fill):
    return values if fill is None else np.where(np.isnan(values), fill, values)


def _neighbors(rows, n_neighbors):
    """Return the symmetric weights of the nearest neighbors of each row."""
    if len(rows) < 2:
        return np.zeros((len(rows), len(rows)))
    W = kneighbors_graph(rows, min(n_neighbors, len(rows) - 1)).toarray()
    return np.maximum(W, W.T)
