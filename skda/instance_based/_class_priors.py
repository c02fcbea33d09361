"""Class priors of the target from the outputs of a classifier on its rows: BBSE, RLLS."""

import math

import numpy as np
from scipy.optimize import brentq, nnls

from .._numerics._weights import effective_sample_size

# Root of 2 Σ (-1)^(k-1) exp(-2 k² c²) = 0.05, the limit of Smirnov's distribution.
_SMIRNOV_5_PERCENT = 1.358
SINGULAR = 1e-10  # singular values of a confusion matrix below it are rounding
# Penalties between which the root of RLLS is sought: outside, the solution is one of the ends to
# within rounding. The root is found to that accuracy of its logarithm.
_LEAST_PENALTY, _LARGEST_PENALTY, _PENALTY_TOL = 1e-14, 1e8, 1e-12


def joint_confusion(predicted, true, weights, n_classes):
    """Return C with C[i, j] the weighted proportion of rows predicted i that are j."""
    joint = np.zeros((n_classes, n_classes))
    np.add.at(joint, (predicted, true), weights)
    return joint / weights.sum()


def bbse_ratio(joint, target_proportions):
    """Return target over source class priors, w with C w = μ_t (Lipton et al. 2018).

    Solved for θ = w − 1, of smallest norm where C is singular, so that a class about which the
    predictions carry no information is left as it is in the source. Negative ratios become 0.
    """
    theta = np.linalg.lstsq(joint, target_proportions - joint.sum(axis=1), rcond=SINGULAR)[0]
    return np.maximum(1.0 + theta, 0.0)


def rlls_ratio(joint, target_proportions, radius):
    """Return w = 1 + θ with the θ ≥ −1 that minimizes ‖Cθ − b‖ + radius·‖θ‖.

    Here b = μ_t − C1 (Azizzadenesheli et al. 2019). At the minimum θ solves the ridge problem of
    penalty λ = radius·‖Cθ − b‖/‖θ‖; that λ is found as a root.

    Parameters
    ----------
    joint : ndarray of shape (n_classes, n_classes)
        Joint proportions of predicted and true classes in the source.
    target_proportions : ndarray of shape (n_classes,)
        Proportions of the predicted classes in the target.
    radius : float
        Weight of the norm; 0 gives the constrained least squares.

    Returns
    -------
    ratio : ndarray of shape (n_classes,)
        Target over source class priors.
    """
    n_classes = len(joint)
    b = target_proportions - joint.sum(axis=1)

    def ridge(penalty):  # in w = 1 + θ ≥ 0
        root = math.sqrt(penalty)
        rows = np.vstack([joint, root * np.eye(n_classes)])
        return nnls(rows, np.concatenate([target_proportions, np.full(n_classes, root)]))[0] - 1.0

    def excess(log_penalty):
        theta = ridge(math.exp(log_penalty))
        residual, norm = np.linalg.norm(joint @ theta - b), np.linalg.norm(theta)
        return math.exp(log_penalty) * norm - radius * residual

    low, high = math.log(_LEAST_PENALTY), math.log(_LARGEST_PENALTY)
    if radius == 0 or not b.any() or excess(low) >= 0:
        return 1.0 + ridge(0.0)  # C can fit b, or nothing is to be fitted
    if excess(high) <= 0:
        return np.ones(n_classes)  # the penalty outweighs the fit
    return 1.0 + ridge(math.exp(brentq(excess, low, high, xtol=_PENALTY_TOL)))


def rlls_radius(n_classes, n_samples, confidence=0.05):
    """Return the bound 3Δ_C on the error of an estimated confusion matrix (Lemma 1 there)."""
    x = math.log(2 * n_classes / confidence) / n_samples
    return 3.0 * (2.0 / 3.0 * x + math.sqrt(2.0 * x))


def weighted_ks(x, y, x_weights, y_weights):
    """Largest distance between the distribution functions of two weighted samples."""
    values = np.concatenate([x, y])
    order = np.argsort(values, kind="stable")
    steps = np.concatenate([x_weights / x_weights.sum(), -y_weights / y_weights.sum()])[order]
    values = values[order]
    # Ties are one step: the functions are compared behind the last of equal values.
    last = np.append(values[1:] != values[:-1], True)
    return float(np.abs(np.cumsum(steps)[last]).max())


def ks_limit(x_weights, y_weights):
    """Distance that chance exceeds in 5 % of samples of these weights (Smirnov's asymptotics)."""
    return ks_limit_of_sizes(*map(effective_sample_size, (x_weights, y_weights)))


def ks_limit_of_sizes(n, m):
    """Return the same for samples of these effective sizes."""
    return _SMIRNOV_5_PERCENT * math.sqrt(1.0 / n + 1.0 / m)
