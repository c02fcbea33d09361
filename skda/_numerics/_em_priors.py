"""Class priors of unlabeled rows by expectation maximization, and posteriors under other priors."""

import numpy as np


def em_priors(proba, source_priors, *, weights=None, past=None, max_iter=1000, tol=1e-6):
    """Return the class priors that maximize the likelihood of the rows (Saerens et al. 2002).

    Of rows that came before, their classes as they were judged then are kept, and no more: each
    step averages these with the classes of the new rows (incremental EM, Neal and Hinton 1998).

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_classes)
        Posterior probabilities of target rows under the source's class priors.
    source_priors : ndarray of shape (n_classes,)
        Class priors of the source.
    weights : ndarray of shape (n_samples,), default=None
        Weight of each row. None: all equal.
    past : tuple of float and ndarray of shape (n_classes,), default=None
        Weight of all earlier rows, in rows, and their class proportions. The steps begin there.
    max_iter : int, default=1000
        Largest number of steps of expectation maximization.
    tol : float, default=1e-6
        Largest change of a prior at which to stop.

    Returns
    -------
    priors : ndarray of shape (n_classes,)
        Class priors of the target.
    n_iter : int
        Number of steps; ``max_iter + 1`` if they did not suffice.
    """
    past_weight, past_priors = (0.0, source_priors) if past is None else past
    weight = len(proba) if weights is None else weights.sum()

    def mean_corrected(ratio):
        new = np.average(corrected_proba(proba, ratio), 0, weights)
        if past is None:
            return new
        return (past_weight * past_priors + weight * new) / (past_weight + weight)

    how = {"start": past_priors, "max_iter": max_iter, "tol": tol}
    return fixed_priors(mean_corrected, source_priors, **how)


def fixed_priors(mean_corrected, source_priors, *, start, max_iter, tol):
    """Return :func:`em_priors` from the mean of the corrected probabilities, given the ratio."""
    priors = start
    for n_iter in range(1, max_iter + 1):
        new = mean_corrected(priors / source_priors)
        change = np.abs(new - priors).max()
        priors = new
        if change <= tol:
            return priors, n_iter
    return priors, max_iter + 1


def corrected_proba(proba, ratio):
    """Return ``proba * ratio`` with rows of sum 1: the posterior under other class priors.

    A row all of whose likely classes have the ratio 0 keeps its probabilities.
    """
    product = proba * ratio
    total = product.sum(axis=1, keepdims=True)
    possible = total > 0
    return np.where(possible, product / np.where(possible, total, 1.0), proba)
