"""Which fold each row is in."""

import numpy as np

N_FOLDS = 5


def dealt_folds(codes, random_state, n_folds=N_FOLDS):
    """Return the fold of each row, dealt out class by class in random order.

    Parameters
    ----------
    codes : ndarray of shape (n,)
        Class of each row; equal for all in a regression.
    random_state : RandomState
        Shuffles the rows of each class.
    n_folds : int, default=5
        Most folds; as many as rows if there are fewer.

    Returns
    -------
    folds : ndarray of int of shape (n,)
        Fold of each row. Sizes differ by one at most, and so do those of each class.
    """
    order = random_state.permutation(len(codes))
    order = order[np.argsort(codes[order], kind="stable")]
    folds = np.empty(len(codes), dtype=np.int64)
    folds[order] = np.arange(len(codes)) % min(n_folds, len(codes))
    return folds
