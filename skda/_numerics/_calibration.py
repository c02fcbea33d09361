"""Temperature scaling of class probabilities, with a bias of each class if wanted."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

LEAST_PROBA = 1e-12  # its logarithm stands for that of 0
# Inverse temperatures that are sought. Where the classes are separated without error, the best
# one is infinite, and probabilities of 0 or 1 could not be corrected for other priors.
_BETAS = (0.01, 10.0)
# Of a penalty on the biases, which are free up to a constant and, where a class hardly has a row,
# without limit. Small against a sum of losses over rows.
_BIAS_PENALTY = 1e-3


def scaled_proba(proba, beta, bias):
    """Return ``softmax(beta * log(proba) + bias)``."""
    return softmax(beta * np.log(np.maximum(proba, LEAST_PROBA)) + bias, axis=1)


def fit_scaling(proba, codes, weights, *, with_bias):
    """Return the inverse temperature, and the bias of each class, of largest likelihood.

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_classes)
        Probabilities of rows that the classifier has not seen.
    codes : ndarray of int of shape (n_samples,)
        Their true classes.
    weights : ndarray of shape (n_samples,)
        Their weights.
    with_bias : bool
        Whether classes have biases (bias-corrected temperature scaling, Alexandari et al. 2020)
        or only the temperature is fitted (Guo et al. 2017).

    Returns
    -------
    beta : float
        Inverse temperature.
    bias : ndarray of shape (n_classes,)
        Biases, of sum 0; zeros without them.
    """
    logs = np.log(np.maximum(proba, LEAST_PROBA))
    n_classes = logs.shape[1]
    truth = np.eye(n_classes)[codes]

    def loss(params):
        beta, bias = params[0], np.append(params[1:], 0.0) if with_bias else np.zeros(n_classes)
        log_proba = log_softmax(beta * logs + bias, axis=1)
        error = (np.exp(log_proba) - truth) * weights[:, None]
        value = -float((log_proba * truth).sum(axis=1) @ weights)
        slope = np.array([float((error * logs).sum())])
        if with_bias:
            value += 0.5 * _BIAS_PENALTY * float(params[1:] @ params[1:])
            slope = np.append(slope, error.sum(axis=0)[:-1] + _BIAS_PENALTY * params[1:])
        return value, slope

    start = np.zeros(n_classes if with_bias else 1)
    start[0] = 1.0
    bounds = [_BETAS] + [(None, None)] * (len(start) - 1)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    bias = np.append(found[1:], 0.0) if with_bias else np.zeros(n_classes)
    return float(found[0]), bias - bias.mean()
