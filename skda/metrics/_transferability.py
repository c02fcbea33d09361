"""How well a source model's outputs suit the labels of a target, without training on it."""

from __future__ import annotations

import numpy as np
from scipy import linalg
from sklearn.covariance import ledoit_wolf
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from .._array._backend import to_numpy
from .._core._labels import as_labels
from .._core._param_checks import check_bool
from .._core._typing import ArrayLike

_MAX_ITER = 100
# Relative change of the ratio of the precisions at which the evidence stands still.
_TOL = 1e-6
# Where labels are explained without error the evidence grows without bound; this much of their
# variance, and the same of the coefficients', is always left.
_FLOOR = 1e-10


def _checked(features, y, *, regression=False):
    """Return features and labels (class indices unless these are numbers) of the same length."""
    features = check_array(to_numpy(features), dtype=np.float64, input_name="features")
    y = column_or_1d(as_labels(y), warn=True)
    check_consistent_length(features, y)
    if regression:
        return features, check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
    check_classification_targets(y)
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"y must have two classes or more; got {classes.tolist()}. Label rows of others."
        )
    return features, codes


def _evidence(features, wanted):
    """Return the largest log evidence per row of a Bayesian linear model without intercept."""
    n, d = features.shape
    U, s, _ = np.linalg.svd(features, full_matrices=False)
    s, along = s**2, (U.T @ wanted) ** 2
    outside = max(wanted @ wanted - along.sum(), 0.0)
    floor = _FLOOR * (wanted @ wanted or 1.0)
    ratio, alpha, beta = 1.0, 1.0, 1.0  # precision of coefficients over that of the noise
    for _ in range(_MAX_ITER):
        shrunk = s + ratio
        freedom = np.sum(s / shrunk)
        errors = max(np.sum(along * (ratio / shrunk) ** 2) + outside, floor)
        length = max(np.sum(along * s / shrunk**2), floor * _FLOOR)
        alpha, beta = max(freedom, _FLOOR) / length, max(n - freedom, _FLOOR) / errors
        before, ratio = ratio, alpha / beta
        if abs(ratio - before) <= _TOL * before:
            break
    shrunk = s + alpha / beta
    errors = np.sum(along * (alpha / beta / shrunk) ** 2) + outside
    length = np.sum(along * s / shrunk**2)
    # The directions that the rows do not have cancel against those of the prior.
    determinant = np.sum(np.log(alpha + beta * s)) + (d - len(s)) * np.log(alpha)
    return 0.5 * (
        d * np.log(alpha) / n
        + np.log(beta)
        - determinant / n
        - (beta * errors + alpha * length) / n
        - np.log(2 * np.pi)
    )


def logme(features: ArrayLike, y: ArrayLike, *, regression: bool = False) -> float:
    r"""Return how probable the target labels are under linear models of the features.

    A source model whose outputs, or inner features, explain the target labels linearly will be
    easy to adapt. LogME is the logarithm of the evidence of a Bayesian linear regression, averaged
    over the classes; unlike a fitted model's error it does not favor many features.

    Parameters
    ----------
    features : array-like of shape (n_samples, n_features)
        Outputs or features of a source model for labeled target rows.
    y : array-like of shape (n_samples,)
        Their labels.
    regression : bool, default=False
        Whether these are numbers instead of classes.

    Returns
    -------
    score : float
        Log evidence per row, larger for a source that suits better. It has a meaning only in
        comparison, for the same rows and labels.

    See Also
    --------
    rank_sources : Scores of several sources, best first.

    Notes
    -----
    With precisions α of the coefficients and β of the noise, the evidence is
    :math:`\log N(y; 0, I/\beta + F F^\top/\alpha)`, maximized over both by fixed-point iterations
    [1]_. Costs one singular value decomposition. Array level (b): NumPy on the host.

    References
    ----------
    .. [1] K. You, Y. Liu, J. Wang, M. Long (2021). LogME: practical assessment of pre-trained
       models for transfer learning. ICML. arXiv:2102.11005

    Examples
    --------
    >>> import numpy as np
    >>> from skda.metrics import logme
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(0, 2, 100)
    >>> good, noise = y + 0.5 * rng.normal(size=100), rng.normal(size=100)
    >>> print(f"{logme(good[:, None], y):.2f} > {logme(noise[:, None], y):.2f}")
    -0.78 > -1.07
    """
    check_bool("regression", regression)
    features, y = _checked(features, y, regression=regression)
    columns = y[:, None] if regression else np.eye(y.max() + 1)[y]
    return float(np.mean([_evidence(features, column) for column in columns.T]))


def h_score(features: ArrayLike, y: ArrayLike, *, shrinkage: bool = True) -> float:
    r"""Return how far apart the classes of the target lie in the features of a source model.

    The larger the part of the features' variance that lies between the classes, the easier the
    source model is to adapt.

    Parameters
    ----------
    features : array-like of shape (n_samples, n_features)
        Outputs or features of a source model for labeled target rows.
    y : array-like of shape (n_samples,)
        Their classes.
    shrinkage : bool, default=True
        Whether the covariance is shrunk toward a multiple of the identity (Ledoit and Wolf), which
        few rows need [2]_. Without it the score is the one of [1]_.

    Returns
    -------
    score : float
        Between 0 and the number of classes less one; larger for a source that suits better.

    See Also
    --------
    logme : Evidence of linear models; also for numbers.

    Notes
    -----
    The score is :math:`\mathrm{tr}(\Sigma^{-1} \Sigma_B)` with the covariance of the rows and of
    the means of their classes [1]_; with shrinkage of strength α the latter is multiplied by
    1 − α [2]_. Costs O(n d² + d³). Array level (b): NumPy on the host.

    References
    ----------
    .. [1] Y. Bao et al. (2019). An information-theoretic approach to transferability in task
       transfer learning. ICIP. doi:10.1109/ICIP.2019.8803726
    .. [2] S. Ibrahim, N. Ponomareva, R. Mazumder (2021). Newer is not always better: rethinking
       transferability metrics, their peculiarities, stability and performance. arXiv:2110.06893

    Examples
    --------
    >>> import numpy as np
    >>> from skda.metrics import h_score
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(0, 2, 100)
    >>> good, noise = y + 0.5 * rng.normal(size=100), rng.normal(size=100)
    >>> print(f"{h_score(good[:, None], y):.2f} > {h_score(noise[:, None], y):.2f}")
    0.51 > 0.00
    """
    check_bool("shrinkage", shrinkage)
    features, codes = _checked(features, y)
    features = features - features.mean(axis=0)
    means = np.stack([features[codes == code].mean(axis=0) for code in range(codes.max() + 1)])
    between = means[codes]
    between = between.T @ between / len(features)
    if shrinkage:
        covariance, strength = ledoit_wolf(features, assume_centered=True)
        between = (1.0 - strength) * between
    else:
        covariance = features.T @ features / len(features)
    # A direction without variance has none between the classes either.
    return float(np.trace(linalg.pinvh(covariance) @ between))


def leep(proba: ArrayLike, y: ArrayLike) -> float:
    r"""Return how well the classes of a source model predict the labels of the target.

    The source's classes need not be the target's: each of them stands for the mix of target
    classes that the source model gives it to, and LEEP is the mean log-probability of the target
    labels under this mix.

    Parameters
    ----------
    proba : array-like of shape (n_samples, n_source_classes)
        Class probabilities by a source model for labeled target rows.
    y : array-like of shape (n_samples,)
        Their classes.

    Returns
    -------
    score : float
        At most 0, larger for a source that suits better.

    See Also
    --------
    logme : From features instead of probabilities.

    Notes
    -----
    With θ(x) the probabilities by the source model, the joint distribution of target class y and
    source class z is :math:`\hat P(y, z) = \frac1n \sum_{i: y_i = y} \theta(x_i)_z`, and the score
    is :math:`\frac1n \sum_i \log \sum_z \hat P(y_i | z)\, \theta(x_i)_z` [1]_. Costs O(n z).
    Array level (b): NumPy on the host.

    References
    ----------
    .. [1] C. V. Nguyen, T. Hassner, M. Seeger, C. Archambeau (2020). LEEP: a new measure to
       evaluate transferability of learned representations. ICML. arXiv:2002.12462

    Examples
    --------
    >>> import numpy as np
    >>> from skda.metrics import leep
    >>> y = np.array([0, 0, 1, 1])
    >>> print(f"{leep([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.1, 0.9]], y):.2f}")
    -0.30
    """
    proba, codes = _checked(proba, y)
    if proba.min() < 0 or np.abs(proba.sum(axis=1) - 1.0).max() > 1e-3:
        raise ValueError(
            "proba must be class probabilities, non-negative rows that sum to 1; got values from "
            f"{proba.min():.3g} and sums up to {proba.sum(axis=1).max():.3g}. Pass predict_proba."
        )
    joint = np.eye(codes.max() + 1)[codes].T @ proba / len(proba)
    mass = joint.sum(axis=0)
    # A source class that no row is given to explains nothing.
    given = joint / np.where(mass > 0, mass, 1.0)
    return float(np.mean(np.log(np.sum(proba * given[codes], axis=1))))
