"""Predictions of several regressors put together: columns of an array (n, M), in NumPy."""

import numpy as np

# A principal component with less than this share of the variance is noise that would be blown up.
_LEAST_SHARE = 0.01
_LEAST_MODELS = 3


def concordance(values):
    r"""Return Lin's concordance of each two columns, (M, M): 1 for equal ones.

    :math:`2 s_{ij} / (s_{ii} + s_{jj} + (m_i - m_j)^2)` with covariances s and means m.
    """
    means = values.mean(axis=0)
    centered = values - means
    covariance = centered.T @ centered / len(values)
    variances = np.diag(covariance)
    spread = variances[:, None] + variances + (means[:, None] - means) ** 2
    # Two columns that are the same constant are equal.
    return np.where(spread > 0, 2 * covariance / np.where(spread > 0, spread, 1.0), 1.0)


def weighted_median(values, weights):
    """Return the weighted median of each row, between the values around half of the weight.

    Parameters
    ----------
    values : ndarray of shape (n, M)
        One column per model.
    weights : ndarray of shape (M,)
        Positive weights.

    Returns
    -------
    median : ndarray of shape (n,)
        For equal weights that of NumPy.
    """
    order = np.argsort(values, axis=1, kind="stable")
    ranked = np.take_along_axis(values, order, axis=1)
    below = np.cumsum(weights[order], axis=1) / weights.sum()
    # Rounding must not decide whether exactly half of the weight is reached.
    low = np.argmax(below >= 0.5 - 1e-12, axis=1)
    high = np.argmax(below > 0.5 + 1e-12, axis=1)
    rows = np.arange(len(values))
    return (ranked[rows, low] + ranked[rows, high]) / 2


def weighted_trimmed_mean(values, weights, trim):
    """Return the weighted mean of each row without a share of the weight at both ends.

    Parameters
    ----------
    values : ndarray of shape (n, M)
        One column per model.
    weights : ndarray of shape (M,)
        Positive weights.
    trim : float in [0, 0.5)
        Share of the weight that is left out on each side.

    Returns
    -------
    mean : ndarray of shape (n,)
        Values at the border count with the part of their weight that lies inside.
    """
    order = np.argsort(values, axis=1, kind="stable")
    ranked = np.take_along_axis(values, order, axis=1)
    shares = weights[order] / weights.sum()
    above = np.cumsum(shares, axis=1)
    kept = np.minimum(above, 1 - trim) - np.maximum(above - shares, trim)
    kept = np.maximum(kept, 0.0)
    return (ranked * kept).sum(axis=1) / kept.sum(axis=1)


def principal_weights(values, variance):
    r"""Return weights and intercept of an unsupervised principal-components regression.

    If errors of different models are uncorrelated, the covariances of the models with the truth,
    ρ, satisfy :math:`\rho_i + \rho_j = C_{ij} + \sigma^2`; the weights are :math:`C^+ \rho` over
    the principal components of the predictions that stand out.

    Parameters
    ----------
    values : ndarray of shape (n, M)
        One column per model.
    variance : float
        Assumed variance σ² of the truth.

    Returns
    -------
    weights : ndarray of shape (M,)
        What predictions are multiplied with.
    intercept : float
        What is added, so that the mean is that of all predictions.
    """
    n_models = values.shape[1]
    means = values.mean(axis=0)
    covariance = np.cov(values, rowvar=False, bias=True).reshape(n_models, n_models)
    eigenvalues, vectors = np.linalg.eigh(covariance)
    kept = eigenvalues > _LEAST_SHARE * max(eigenvalues.sum(), 0.0)
    # Two models cannot tell which of them is closer to the truth.
    if n_models < _LEAST_MODELS or not kept.any():
        return np.full(n_models, 1.0 / n_models), 0.0
    # The least-squares solution of one equation per pair, from its normal equations.
    sums = covariance.sum(axis=1) - np.diag(covariance) + (n_models - 1) * variance
    total = sums.sum() / (2 * n_models - 2)
    with_truth = (sums - total) / (n_models - 2)
    basis = vectors[:, kept]
    weights = basis @ ((basis.T @ with_truth) / eigenvalues[kept])
    return weights, float(means.mean() - weights @ means)
