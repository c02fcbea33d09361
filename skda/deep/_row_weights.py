"""Weights of rows in the supervised loss: what a user passes as ``sample_weight``.

A weight says how much the label of a row counts. The features of a row count in full wherever the
domains are compared or normalized, so that a row without weight is a source row without a label.
"""

import numpy as np


def scaled_weights(sample_weight, groups):
    """Return weights with a mean of one over each group of rows; None where all are one.

    Parameters
    ----------
    sample_weight : ndarray of shape (n_samples,)
        Finite weights, not negative.
    groups : dict of str to ndarray of int
        Rows whose labels are learnt from, by what an error calls them.
    """
    weights = np.ones(len(sample_weight))
    for name, rows in groups.items():
        if len(rows):
            weights[rows] = _of_mean_one(sample_weight[rows], name)
    # Without weights the steps are those of the plain criterion, bit for bit.
    return None if (weights == 1.0).all() else weights


def _of_mean_one(weights, name):
    largest = weights.max()
    if largest == 0:
        raise ValueError(
            f"sample_weight must not be zero on all {name}: there is no label to learn from. Give "
            "some of them a positive weight."
        )
    weights = weights / largest  # sums of very large ones would overflow
    return weights / weights.mean()


def losses_by_row(criterion, outputs, y):
    """Return the loss of each row under a criterion of torch that averages over rows."""
    losses = losses_by_value(criterion, outputs, y)
    # Several outputs of a row count as one loss.
    return losses.flatten(start_dim=1).mean(dim=1) if losses.ndim > 1 else losses


def losses_by_value(criterion, outputs, y):
    """Return the losses of all labels, of several in a row each its own."""
    averaged = getattr(criterion, "reduction", None)
    if averaged is None:
        raise ValueError(
            f"criterion {type(criterion).__name__} cannot weigh rows: sample_weight needs one with "
            "an attribute `reduction`, as the losses of torch have. Pass such a criterion, or no "
            "sample_weight."
        )
    criterion.reduction = "none"
    try:
        return criterion(outputs, y)
    finally:
        criterion.reduction = averaged
