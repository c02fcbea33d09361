"""The nearest-neighbor graph of rows, its Laplacian and the spread of labels, on the host."""

import numpy as np
from scipy import sparse
from sklearn.neighbors import kneighbors_graph

from .._array._arithmetic import safe_divide
from .._array._backend import to_numpy

# Weights stop falling here: a row that is far from all others would else have weights of zero, and
# no label would reach it.
_LARGEST_EXPONENT = 10.0
# Sums below this multiple of the solver's tolerance may be rounding; above it four digits are good.
_TRUSTED = 1e4


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


def self_tuned_weights(distances, scales, neighbor_scales):
    """``exp(-d_ij² / (σ_i σ_j))``, where σ is the distance of a row to its last neighbor.

    Parameters
    ----------
    distances : ndarray of shape (n, k)
        From each row to its neighbors.
    scales : ndarray of shape (n,)
        Width σ_i of each row.
    neighbor_scales : ndarray of shape (n, k)
        Width σ_j of each of its neighbors.

    Returns
    -------
    weights : ndarray of shape (n, k)
        None below ``exp(-10)``.
    """
    exponent = distances**2 / (scales[:, None] * neighbor_scales)
    return np.exp(-np.minimum(exponent, _LARGEST_EXPONENT))


def row_scales(distances, usual=None):
    """Width of each row for :func:`self_tuned_weights`: the distance to its last neighbor.

    Where that is 0, among duplicates, it is `usual`, or the median of the others.
    """
    last = distances[:, -1]
    positive = last[last > 0]
    if usual is None:
        usual = np.median(positive) if len(positive) else 1.0
    return np.where(last > 0, last, usual)


def neighbor_matrix(neighbors, weights, n_columns):
    """Sparse matrix with the weights of each row's neighbors.

    Parameters
    ----------
    neighbors : ndarray of int of shape (n, k)
        Columns of the entries of each row.
    weights : ndarray of shape (n, k)
        The entries.
    n_columns : int

    Returns
    -------
    W : csr_array of shape (n, n_columns)
    """
    n, k = neighbors.shape
    start = np.arange(0, n * k + 1, k)
    return sparse.csr_array((weights.ravel(), neighbors.ravel(), start), shape=(n, n_columns))


def symmetric_affinity(neighbors, weights):
    """Sparse symmetric weights: two rows are joined if either is a neighbor of the other.

    Parameters
    ----------
    neighbors : ndarray of int of shape (n, k)
        Indices of the neighbors of each row.
    weights : ndarray of shape (n, k)
        Symmetric in the two rows where both are neighbors of each other.

    Returns
    -------
    W : csr_array of shape (n, n)
    """
    W = neighbor_matrix(neighbors, weights, len(neighbors))
    return sparse.csr_array(W.maximum(W.T))


def normalized_affinity(W):
    """``D^{-1/2} W D^{-1/2}``, where D holds the row sums; rows without any weight stay zero."""
    degree = np.asarray(W.sum(axis=1)).ravel()
    root = np.where(degree > 0, degree, 1.0) ** -0.5
    return sparse.csr_array(sparse.diags_array(root) @ W @ sparse.diags_array(root))


def propagate_labels(W, Y, *, alpha, tol=1e-10, max_iter=1000):
    """Solve ``(I - αS) F = (1 - α) Y`` with ``S = D^{-1/2} W D^{-1/2}`` (Zhou et al. 2004).

    What reaches a row may be smaller than what the solver leaves of the residual. Such rows are
    solved again, with the others as they are, so that they too are right relative to their sum.

    Parameters
    ----------
    W : csr_array of shape (n, n)
        Symmetric weights that are not negative.
    Y : ndarray of shape (n, n_classes)
        Weight of the label in its class's column; rows of zeros have no label.
    alpha : float
        In (0, 1).
    tol : float, default=1e-10
        Largest norm of the residual of a class, relative to its right-hand side.
    max_iter : int, default=1000
        Largest number of steps of one solution.

    Returns
    -------
    F : ndarray of shape (n, n_classes)
        Not negative. Zeros in rows that no path joins with a labeled one.
    n_iter : int
        Steps of conjugate gradients in the longest solution; ``max_iter`` if they did not suffice.
    """
    S = normalized_affinity(W)
    F, n_iter = np.zeros_like(Y, dtype=float), 0
    rows, part, B = np.arange(len(Y)), S, (1.0 - alpha) * Y
    while B.any():
        found, steps = conjugate_gradients(
            lambda V, part=part: V - alpha * (part @ V), B, tol=tol, max_iter=max_iter
        )
        n_iter = max(n_iter, steps)
        # The solution is a sum of products of numbers >= 0; below zero is what rounding leaves.
        F[rows] = np.maximum(found, 0.0)
        sums = F[rows].sum(axis=1)
        rows = rows[sums <= _TRUSTED * tol * sums.max()]
        # Every round leaves out the row of the largest sum, so that this ends.
        F[rows] = 0.0
        between = S[rows]
        part, B = between[:, rows], alpha * (between @ F)
    return F, n_iter


def conjugate_gradients(apply, B, *, tol, max_iter):
    """Solve ``A X = B`` for a positive definite A, for all columns at once.

    Every column takes steps of its own, but one product with A serves all of them.

    Parameters
    ----------
    apply : callable
        Multiplies a block of columns by A.
    B : ndarray of shape (n, m)
    tol : float
        Largest norm of the residual of a column, relative to that of B.
    max_iter : int
        Largest number of products.

    Returns
    -------
    X : ndarray of shape (n, m)
    n_iter : int
        Number of products; ``max_iter`` if they did not suffice, at least 1.
    """
    X, R = np.zeros_like(B), B.copy()
    P, squared = R.copy(), (R * R).sum(axis=0)
    wanted = tol**2 * squared
    n_iter, solved = 0, False
    while not solved and n_iter < max_iter:
        n_iter += 1
        AP = apply(P)
        # A column that is solved has a direction of zeros, and stays.
        step = safe_divide(squared, (P * AP).sum(axis=0))
        X += step * P
        R -= step * AP
        former, squared = squared, (R * R).sum(axis=0)
        solved = bool((squared <= wanted).all())
        P = R + safe_divide(squared, former) * P
    return X, n_iter
