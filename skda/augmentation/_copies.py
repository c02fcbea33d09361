"""Which rows are fitted on, with which labels and weights: rows as they are, and their copies."""

import numpy as np
from scipy import sparse


def mixed_labels(n, mixture, before=None):
    """Return how much each row's label counts in each copy, as a sparse matrix (n, n).

    Parameters
    ----------
    n : int
        Number of rows and of copies.
    mixture : tuple of (ndarray of int, ndarray of float), or ()
        Partner of each copy and weight of the copy itself; nothing where rows are not mixed.
    before : sparse matrix of shape (n, n), default=None
        The matrix of the copies that are mixed. None: each copy has its row's label.
    """
    before = sparse.csr_matrix(sparse.identity(n)) if before is None else before
    if not mixture:
        return before
    partner, weight = (np.asarray(part) for part in mixture)
    mixed = sparse.diags(weight) @ before + sparse.diags(1.0 - weight) @ before[partner]
    mixed.eliminate_zeros()
    return mixed


class RowsToFit:
    """Rows as they are, then rounds of copies of the source rows, one below the other: a stack.

    Parameters
    ----------
    kept : ndarray of int
        Rows that are fitted on as they are, the source rows among them.
    source : ndarray of int
        Rows that have copies.
    mixtures : list of sparse matrices of shape (n_source, n_source)
        Of each round of copies, how much the label of each source row counts in each copy.
    n_samples : int
        Number of all rows.
    averages : bool
        Whether mixed labels are averaged. Otherwise a copy comes once with each of its labels.

    Attributes
    ----------
    places : ndarray of int
        Place in the stack of each row to fit on.
    origins : ndarray of int
        The row that each of them is or was made from.
    has_copies : bool
        Whether there are more than the rows as they are.
    label_rows : ndarray of int or None
        The row whose label each of them has. None where labels are averaged, see `mean_labels`.
    """

    def __init__(self, kept, source, mixtures, n_samples, *, averages):
        eye = sparse.csr_matrix(sparse.identity(n_samples))
        stack = sparse.vstack([eye[kept], *(m @ eye[source] for m in mixtures)], format="coo")
        origins = np.concatenate([kept, *[source] * len(mixtures)])
        self.has_copies = len(mixtures) > 0
        # Each copy shares the weight of its row with the row and the other copies.
        self._part = np.ones(n_samples)
        self._part[source] /= 1 + len(mixtures)
        mixes = stack.nnz > stack.shape[0]
        self._mean = stack.tocsr() if mixes and averages else None
        self.places = np.arange(len(origins)) if self._mean is not None else stack.row
        self.label_rows = None if self._mean is not None else stack.col
        self._share = stack.data
        self.origins = origins[self.places]

    def weights(self, weights):
        """Return the weight of each row to fit on, by those of all rows."""
        parts = weights * self._part
        if self._mean is not None:
            return self._mean @ parts
        return self._share * parts[self.label_rows]

    def mean_labels(self, y, weights):
        """Return the mean label of each row to fit on; weighted, so that the mean of all stays.

        Parameters
        ----------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Values of all rows.
        weights : ndarray of shape (n_samples,)
            Their weights.
        """
        y = np.asarray(y, dtype=np.float64)
        # A pair of rows without any weight has a plain mean.
        some = np.where(weights > 0, weights, np.finfo(np.float64).tiny)
        columns = y.reshape(len(y), -1) * some[:, None]
        means = (self._mean @ columns) / (self._mean @ some)[:, None]
        return means.reshape(-1, *y.shape[1:])
