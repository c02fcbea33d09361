"""The nearest-neighbor graph of rows and its Laplacian, made on the host."""

import numpy as np
from sklearn.neighbors import kneighbors_graph

from .._array._backend import to_numpy


def knn_affinity(X, *, n_neighbors, metric="euclidean"):
    """Symmetric sparse weights between near rows: cosines, or ``exp(-d²/2σ²)`` with σ their median.

    Two rows are joined if either is among the other's neighbors.
    """
    X = to_numpy(X)
    # No row has more neighbors than there are other rows.
    n_neighbors = max(1, min(n_neighbors, X.shape[0] - 1))
    W = kneighbors_graph(X, n_neighbors, mode="distance", metric=metric)
    if metric == "cosine":
        # Rows at obtuse angles are not joined: a Laplacian needs weights that are not negative.
        W.data = np.clip(1.0 - W.data, 0.0, None)
    else:
        scale = np.median(W.data) ** 2
        # The median is 0 where most neighbors are duplicates; any width gives those the weight 1.
        W.data = np.exp(-0.5 * W.data**2 / (scale if scale > 0 else 1.0))
    return W.maximum(W.T)


def knn_laplacian(X, *, n_neighbors, metric="euclidean", normalized=False):
    """Dense graph Laplacian ``D - W``, or ``I - D^{-1/2} W D^{-1/2}``."""
    # Dense, because it is multiplied with dense kernel matrices of the same size.
    W = knn_affinity(X, n_neighbors=n_neighbors, metric=metric).toarray()
    degree = W.sum(axis=1)
    if not normalized:
        return np.diag(degree) - W
    # A row without any weight has nothing to be normalized by.
    root = np.where(degree > 0, degree, 1.0) ** -0.5
    return np.eye(len(W)) - root[:, None] * W * root[None, :]
