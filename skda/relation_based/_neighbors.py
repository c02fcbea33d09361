"""Nearest rows among many: exact by scikit-learn, or approximate by pynndescent."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

# With fewer rows the exact search takes seconds; the approximate one must be compiled first.
_LARGE = 20_000
# Neighbors that the approximate index looks for at least; with fewer its search loses its way.
_LEAST_INDEXED = 15


def find_search(neighbors, n_samples):
    """Return "exact" or "approximate" for these rows.

    Raises
    ------
    ImportError
        If "approximate" is asked for, and pynndescent is not installed.
    """
    if neighbors == "exact" or (neighbors == "auto" and n_samples < _LARGE):
        return "exact"
    try:
        import pynndescent  # noqa: F401
    except ImportError as error:
        if neighbors == "auto":
            return "exact"
        raise ImportError(
            'neighbors="approximate" needs pynndescent, which is not installed: '
            "pip install 'skda[neighbors]'. Or pass neighbors=\"exact\"."
        ) from error
    return "approximate"


class ExactNeighbors:
    """scikit-learn's search.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, d)
    n_neighbors : int
    """

    def __init__(self, X, n_neighbors):
        self.index = NearestNeighbors(n_neighbors=n_neighbors).fit(X)

    def graph(self):
        """Return distances and indices of the neighbors of each row, itself left out."""
        return self.index.kneighbors()

    def query(self, X):
        """Return distances and indices of the fitted neighbors of new rows."""
        return self.index.kneighbors(X)


class ApproximateNeighbors:
    """Nearest-neighbor descent: some of the neighbors may be others, nearly as near.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, d)
    n_neighbors : int
    random_state : int, RandomState instance or None
    """

    def __init__(self, X, n_neighbors, random_state):
        from pynndescent import NNDescent

        self.n_neighbors = n_neighbors
        # One more, since a row is its own nearest one.
        indexed = min(max(n_neighbors + 1, _LEAST_INDEXED), X.shape[0])
        self.index = NNDescent(X, n_neighbors=indexed, random_state=random_state)

    def graph(self):
        """Return distances and indices of the neighbors of each row, itself left out."""
        indices, distances = self.index.neighbor_graph
        # Not always first, and not always there, among duplicates. A place that was not filled
        # has the index -1 and goes to the end as well.
        lost = (indices == np.arange(len(indices))[:, None]) | (indices < 0)
        order = np.argsort(np.where(lost, np.inf, distances), axis=1, kind="stable")
        kept = order[:, : self.n_neighbors]
        distances, indices = (np.take_along_axis(a, kept, axis=1) for a in (distances, indices))
        return distances.astype(float), indices

    def query(self, X):
        """Return distances and indices of the fitted neighbors of new rows."""
        indices, distances = self.index.query(X, k=self.n_neighbors)
        return distances.astype(float), indices


def neighbor_search(X, n_neighbors, *, search, random_state=None):
    """Return an index of these rows with ``graph()`` and ``query(X)``."""
    if search == "exact":
        return ExactNeighbors(X, n_neighbors)
    return ApproximateNeighbors(X, n_neighbors, random_state)
