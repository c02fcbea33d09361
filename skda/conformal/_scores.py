"""Nonconformity scores of classes: how little a class suits a row, by its probabilities."""

import numpy as np


def least_ambiguous(proba):
    """Return ``1 - probability`` of each class (LAC)."""
    return 1.0 - proba


def adaptive(proba, random=None):
    """Return for each class the probability of the classes that are at least as likely (APS).

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_classes)
        Probabilities of the classes.
    random : ndarray of shape (n_samples,), default=None
        Uniform numbers: the part of the class's own probability that is taken off. None takes
        off nothing.

    Returns
    -------
    scores : ndarray of shape (n_samples, n_classes)
        In [0, 1], but for rounding.
    """
    order = np.argsort(-proba, axis=1, kind="stable")
    falling = np.take_along_axis(proba, order, axis=1)
    sums = np.cumsum(falling, axis=1)
    if random is not None:
        sums = sums - random[:, None] * falling
    scores = np.empty_like(sums)
    np.put_along_axis(scores, order, sums, axis=1)
    return scores
