"""Gaussian noise on the features, relative to their spread."""

from __future__ import annotations

from .._array._backend import as_like
from .._core._param_checks import check_real
from .._core._typing import ArrayLike
from ._base_augmenter import BaseAugmenter, SourceMoments, as_floats


class GaussianNoiseAugmenter(BaseAugmenter):
    r"""Add Gaussian noise to each feature, relative to its spread.

    A model that was trained on noisy copies changes little between near rows, so that small
    differences of a domain, such as those of its sensors, do not turn a prediction over.

    Parameters
    ----------
    strength : float, default=0.1
        Standard deviation of the noise, in units of the feature's standard deviation within the
        source domains. 0 leaves the rows as they are.
    columns : array-like of int or str, default=None
        Columns to change, by position or by name. None: all columns of numbers.

    Attributes
    ----------
    columns_ : list of int
        Positions of the columns that are changed.
    spread_ : ndarray of shape (n_columns,)
        Standard deviation of each of them within the source domains.
    n_features_in_ : int
        Number of features of `X`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `X` has string names.

    See Also
    --------
    AugmentedEstimator : Fits an estimator on source rows and such copies of them.
    FeatureDropoutAugmenter : Replaces some values altogether.

    Notes
    -----
    :math:`x'_j = x_j + \text{strength}\, s_j\, \varepsilon_j` with standard normal
    :math:`\varepsilon`. For a linear regression the expected loss is that of a ridge penalty
    :math:`\text{strength}^2 \sum_j s_j^2 \beta_j^2` [1]_. Missing values stay missing. The cost is
    linear in the rows. Array level (b): the spread is learnt in NumPy on the host, rows are
    changed where they are.

    References
    ----------
    .. [1] Bishop. Training with noise is equivalent to Tikhonov regularization. Neural Computation
       7, 1995. doi:10.1162/neco.1995.7.1.108

    Examples
    --------
    >>> import numpy as np
    >>> from skda import GaussianNoiseAugmenter
    >>> X = np.random.default_rng(0).normal(scale=[1.0, 100.0], size=(1000, 2))
    >>> augmenter = GaussianNoiseAugmenter(0.5).fit(X, sample_domain=np.ones(1000))
    >>> (augmenter.augment(X, random_state=0) - X).std(axis=0).round(1)
    array([ 0.5, 48.1])
    """

    def __init__(self, strength: float = 0.1, *, columns: ArrayLike | None = None):
        self.strength = strength
        self.columns = columns

    def _check_params(self):
        check_real("strength", self.strength, low=0, hint="0 leaves the rows as they are.")

    def _learn(self, values, ids):
        self.spread_ = SourceMoments(values, ids).spread

    def _change(self, x, ids, rng):
        x = as_floats(x)
        noise = self.strength * self.spread_ * rng.standard_normal(tuple(x.shape))
        return x + as_like(noise, x)
