"""The graph of nearest neighbors across domains, made on the host, and new rows attached to it."""

import numpy as np
import torch
from scipy import sparse
from sklearn.neighbors import NearestNeighbors


def _nearest(X, rows, n_neighbors, first=None):
    """Return the numbers of the nearest rows of X for each of the rows, (len(rows), k).

    The rows from number `first` on are those of X themselves, and none is its own neighbor.
    """
    k = min(n_neighbors, len(X))
    if first is None:
        return NearestNeighbors(n_neighbors=k).fit(X).kneighbors(rows, return_distance=False)
    # One more, because each of X finds itself; unless it has duplicates, which may hide it.
    k_own = min(n_neighbors + 1, len(X))
    found = NearestNeighbors(n_neighbors=k_own).fit(X).kneighbors(rows, return_distance=False)
    own = np.full(len(rows), -1)
    own[first : first + len(X)] = np.arange(len(X))
    # Stable: what is not the row itself stays in the order of the distances.
    order = np.argsort(found == own[:, None], axis=1, kind="stable")
    return np.take_along_axis(found, order, axis=1)[:, : max(k_own - 1, 0)]


def neighbor_graph(X, n_source, n_neighbors):
    """Return the symmetric 0/1 matrix of the graph of these rows, source rows first.

    Each row is joined with its nearest source rows and with as many nearest target rows: of all
    rows together the nearest would often be of its own domain alone.
    """
    parts = []
    for start, side in ((0, X[:n_source]), (n_source, X[n_source:])):
        if len(side):
            parts.append(_as_matrix(start + _nearest(side, X, n_neighbors, start), len(X)))
    W = sum(parts[1:], parts[0])
    return W.maximum(W.T).tocsr()


def attached(X, n_source, rows, n_neighbors):
    """Return the 0/1 matrix (len(rows), len(X)) of the neighbors of new rows in the graph."""
    parts = []
    for start, side in ((0, X[:n_source]), (n_source, X[n_source:])):
        if len(side):
            parts.append(_as_matrix(start + _nearest(side, rows, n_neighbors), len(X)))
    return sum(parts[1:], parts[0]).tocsr()


def _as_matrix(neighbors, n_columns):
    """Return a 0/1 matrix from the column numbers of each row."""
    n, k = neighbors.shape
    entries = np.ones(n * k), neighbors.ravel(), np.arange(n + 1) * k
    return sparse.csr_matrix(entries, shape=(n, n_columns))


def normalized(W, new=None):
    """Return S = D^-1/2 (W + I) D^-1/2, with new rows after those of W if there are any.

    New rows take from the rows of W and from themselves, and give nothing to them, so that no
    prediction depends on the rows beside it.
    """
    degree = np.asarray(W.sum(axis=1)).ravel() + 1.0
    A = W + sparse.eye(W.shape[0])
    if new is not None:
        degree = np.concatenate([degree, np.asarray(new.sum(axis=1)).ravel() + 1.0])
        A = sparse.bmat([[A, None], [new, sparse.eye(new.shape[0])]])
    root = sparse.diags(degree**-0.5)
    return (root @ A @ root).tocoo()


def as_torch(S, device, dtype):
    """Return a sparse matrix of SciPy as one of torch."""
    indices = torch.as_tensor(np.vstack([S.row, S.col]), device=device)
    values = torch.as_tensor(S.data, device=device, dtype=dtype)
    # Coalesced once here, so that no product has to sort the entries.
    return torch.sparse_coo_tensor(indices, values, S.shape, check_invariants=False).coalesce()
