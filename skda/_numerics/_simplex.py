"""Weights that are not negative and sum to one."""

import numpy as np
from scipy.optimize import nnls

# Of the mean squared residual: makes the weights unique, equal for columns that are the same.
_RIDGE = 1e-6


def convex_weights(residuals):
    """Return the weights of the convex combination of columns that is nearest to zero.

    Minimizes ``‖R w‖²`` over w >= 0 with sum 1. If the columns of R are the errors of models, R w
    are those of the same combination of the models.

    Parameters
    ----------
    residuals : ndarray of shape (n, m)
        Errors of m models.

    Returns
    -------
    weights : ndarray of shape (m,)
        Sum to 1.

    Notes
    -----
    The conditions of the optimum, G w = c 1 + μ with G = RᵀR, μ >= 0 and μᵀw = 0, do not change
    when w is scaled. So w is proportional to the non-negative least-squares solution of R z = 0
    and 1ᵀz = 1.
    """
    n_models = residuals.shape[1]
    # A triangle of the same products, so that the solver sees few rows.
    R = np.linalg.qr(residuals, mode="r")
    scale = np.sqrt(np.mean(np.sum(R**2, axis=0)))
    # All models are right everywhere, and none is to be preferred.
    if scale == 0:
        return np.full(n_models, 1.0 / n_models)
    rows = [R / scale, np.sqrt(_RIDGE) * np.eye(n_models), np.ones((1, n_models))]
    wanted = np.zeros(len(R) + n_models + 1)
    wanted[-1] = 1.0
    z = nnls(np.concatenate(rows), wanted)[0]
    return z / z.sum()
