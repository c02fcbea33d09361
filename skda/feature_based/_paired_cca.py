"""Canonical correlation of paired rows: what two instruments see in common."""

from __future__ import annotations

from typing import Literal

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin
from sklearn.metrics.pairwise import rbf_kernel

from .._array._backend import to_numpy
from .._core._param_checks import check_integer, check_option, check_real
from ._base_paired import BasePairedTransformer

# Of the largest singular value: smaller ones are rounding.
_RANK = 1e-10


def whitening(A, reg):
    """Return W with ``(A W)ᵀ(A W) / n`` nearly the identity, for centered rows A.

    `reg` is added to the covariance, as a share of its mean eigenvalue.
    """
    _, s, Vh = np.linalg.svd(A, full_matrices=False)
    kept = s > s[:1].sum() * _RANK
    variances = s[kept] ** 2 / len(A)
    if not len(variances):
        return np.zeros((A.shape[1], 1))
    return Vh[kept].T / np.sqrt(variances + reg * variances.mean())


def canonical_directions(A, B, n_components, *, reg):
    """Return the directions of A and of B whose scores correlate most, and the correlations.

    Parameters
    ----------
    A : ndarray of shape (n, p)
        Centered rows.
    B : ndarray of shape (n, q)
        The same samples, centered.
    n_components : int
        At most as many as the smaller rank.
    reg : float
        Ridge of both covariances, as a share of their mean eigenvalues.

    Returns
    -------
    U : ndarray of shape (p, k)
    V : ndarray of shape (q, k)
    correlations : ndarray of shape (k,)
        Regularized canonical correlations, descending.
    """
    Wa, Wb = whitening(A, reg), whitening(B, reg)
    left, s, right = np.linalg.svd((A @ Wa).T @ (B @ Wb) / len(A), full_matrices=False)
    k = min(n_components, len(s))
    U, V = Wa @ left[:, :k], Wb @ right[:k].T
    # The largest loading of a component is positive, on whatever machine.
    signs = np.sign(U[np.abs(U).argmax(axis=0), np.arange(k)])
    signs[signs == 0] = 1.0
    return U * signs, V * signs, np.minimum(s[:k], 1.0)


class PairedCCATransformer(ClassNamePrefixFeaturesOutMixin, BasePairedTransformer):
    """Map both domains to the components that correlate most between the rows of a pair.

    Some samples were measured in both domains. Canonical correlation finds, in each domain, the
    directions whose scores agree best on these samples: what both see, and neither instrument's
    own noise. All rows of a domain are then described by these scores.

    Parameters
    ----------
    n_components : int, default=5
        Number of components; fewer if the pairs do not allow for as many.
    reg : float, default=0.1
        Ridge of both covariances, as a share of their mean eigenvalues. 0 is the classical
        analysis, which fits noise unless there are many more pairs than features.
    kernel : {"linear", "rbf"}, default="linear"
        "rbf" finds nonlinear components, by kernel canonical correlation.
    gamma : float or None, default=None
        Width of the "rbf" kernel; None: one over twice the median squared distance of the
        domain's paired rows.
    pairing : {"id", "order"}, default="id"
        How pairs are found without ``pair_id``. "id": that is an error. "order": the k-th rows of
        both domains are the same sample.

    Attributes
    ----------
    correlations_ : ndarray of shape (n_components,)
        Correlation of the pairs' scores, by component.
    source_coef_, target_coef_ : ndarray of shape (n_features or n_pairs, n_components)
        Directions of each side; with a kernel, coefficients of its paired rows.
    views_ : list of dict
        Of source and target, what the inputs of the directions are computed from: the mean of the
        paired rows; with a kernel these rows, its width, and its means for centering.
    n_pairs_ : int
        Number of pairs found.
    source_domains_, target_domains_ : list of int
        Ids seen in ``fit``.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if they had names.

    Raises
    ------
    ValueError
        In ``fit``, if there are no pairs, a name repeats within a domain, or a parameter is out
        of range.

    See Also
    --------
    DirectStandardizationTransformer : Keeps the channels of one instrument.

    Notes
    -----
    With A and B the paired rows about their means, the directions maximize
    :math:`u^T A^T B v` subject to :math:`u^T (A^T A / n + λ_A I) u = 1` and likewise for v [1]_.
    Scores have unit variance over the pairs, up to the ridge. The kernel form does the same in the
    coordinates of the centered kernel matrices [2]_. Several sources are pooled, and so are several
    targets.

    It helps when much of what an instrument measures is its own, and the common part predicts the
    label. A label that hangs on what only one domain sees is lost.

    Cost with n pairs and d features: :math:`O(nd \\min(n, d))`, with a kernel :math:`O(n^3)`.
    Fitted without ``sample_domain`` it gives the whitened principal components of the rows. Array
    level (b): computed in NumPy.

    References
    ----------
    .. [1] H. D. Vinod, "Canonical ridge and econometrics of joint production", J. Econometrics 4,
       1976. doi:10.1016/0304-4076(76)90010-5.
    .. [2] D. R. Hardoon, S. Szedmak, J. Shawe-Taylor, "Canonical correlation analysis: an overview
       with application to learning methods", Neural Computation 16, 2004.
       doi:10.1162/0899766042321814.

    Examples
    --------
    >>> import numpy as np
    >>> from skda import PairedCCATransformer
    >>> rng = np.random.default_rng(0)
    >>> common = rng.normal(size=(200, 1))
    >>> on_a, on_b = (
    ...     common @ rng.normal(size=(1, 4)) + 0.3 * rng.normal(size=(200, 4)) for _ in range(2)
    ... )
    >>> cca = PairedCCATransformer(1).fit_pairs(on_a[:100], on_b[:100])
    >>> a = cca.transform(on_a[100:], sample_domain=np.ones(100))
    >>> b = cca.transform(on_b[100:])
    >>> print(f"{np.corrcoef(a[:, 0], b[:, 0])[0, 1]:.2f}")
    0.97
    """

    _array_level = "b"

    def __init__(
        self,
        n_components: int = 5,
        *,
        reg: float = 0.1,
        kernel: Literal["linear", "rbf"] = "linear",
        gamma: float | None = None,
        pairing: Literal["id", "order"] = "id",
    ):
        self.n_components = n_components
        self.reg = reg
        self.kernel = kernel
        self.gamma = gamma
        self.pairing = pairing

    def _check_params(self):
        check_integer("n_components", self.n_components, low=1)
        check_real("reg", self.reg, low=0)
        check_option("kernel", self.kernel, ("linear", "rbf"))
        check_real("gamma", self.gamma, low=0, closed="neither", none=True)

    def _fit_pairs(self, data, pairs):
        values = np.asarray(to_numpy(data.X), dtype=np.float64)
        if data.adapts:
            self._check_enough(pairs, "between source and target")
            A, B = values[pairs[:, 0]], values[pairs[:, 1]]
        else:
            A = B = values  # the components of the rows themselves
        self.views_ = [self._view_of(A), self._view_of(B)]
        inputs = [self._inputs(view, rows) for view, rows in zip(self.views_, (A, B), strict=True)]
        self.source_coef_, self.target_coef_, self.correlations_ = canonical_directions(
            *inputs, self.n_components, reg=self.reg
        )

    @property
    def _n_features_out(self):
        return self.source_coef_.shape[1]

    def _view_of(self, rows):
        """Return what the inputs of one side are computed from."""
        if self.kernel == "linear":
            return {"mean": rows.mean(axis=0)}
        gamma = self.gamma or _median_gamma(rows)
        K = rbf_kernel(rows, gamma=gamma)
        return {"rows": rows, "gamma": gamma, "columns": K.mean(axis=0), "all": K.mean()}

    @staticmethod
    def _inputs(view, X):
        """Return rows about the mean, or their centered kernel with the paired rows."""
        if "mean" in view:
            return X - view["mean"]
        K = rbf_kernel(X, view["rows"], gamma=view["gamma"])
        return K - K.mean(axis=1, keepdims=True) - view["columns"] + view["all"]

    def _map(self, X, domain, backend):
        side = int(domain < 0)
        coef = (self.source_coef_, self.target_coef_)[side]
        values = np.asarray(to_numpy(X), dtype=np.float64)
        return backend.asarray(self._inputs(self.views_[side], values) @ coef, X.dtype)


def _median_gamma(rows):
    """Return one over twice the median squared distance; 1 where all rows are equal."""
    squares = (rows**2).sum(axis=1)
    distances = squares[:, None] + squares - 2.0 * rows @ rows.T
    middle = float(np.median(distances[np.triu_indices(len(rows), 1)])) if len(rows) > 1 else 0.0
    return 0.5 / middle if middle > 0 else 1.0
