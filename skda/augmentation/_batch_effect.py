"""Simulated batch effects: additive and multiplicative, as ComBat models them."""

from __future__ import annotations

import numpy as np

from .._array._backend import as_like
from .._core._param_checks import check_integer, check_real
from .._core._typing import ArrayLike
from ._base_augmenter import BaseAugmenter, SourceMoments, as_floats


def batch_effects(additive, multiplicative, size, rng):
    """Return additive effects and scales of batches, by ComBat's priors.

    Parameters
    ----------
    additive : float
        Standard deviation of the additive effects, which are normal.
    multiplicative : float
        Coefficient of variation of the noise variances, which are inverse gamma of mean 1.
    size : tuple of int
        Number of batches and of features.
    rng : RandomState
        Simulates them.

    Returns
    -------
    effects, scales : ndarray of shape `size`
        In units of the noise's standard deviation, and factors of it.
    """
    effects = additive * rng.standard_normal(size)
    if not multiplicative:
        return effects, np.ones(size)
    # Mean b / (a - 1) = 1 and squared coefficient of variation 1 / (a - 2).
    shape = 2.0 + 1.0 / multiplicative**2
    return effects, np.sqrt((shape - 1.0) / rng.gamma(shape, size=size))


class BatchEffectAugmenter(BaseAugmenter):
    r"""Simulate batch effects: shifts and scales of each feature that a batch has in common.

    Plates, reagents, sites and days leave their marks on whole batches of samples. Copies of the
    source rows in simulated batches show a model which differences are of that kind.

    Parameters
    ----------
    additive : float, default=0.5
        Standard deviation of the shift of a feature in a batch, in units of the feature's standard
        deviation within the source domains. 0: no shift.
    multiplicative : float, default=0.2
        Coefficient of variation of the variance of a feature between batches. 0: all alike.
    n_batches : int, default=4
        Number of simulated batches over which the rows of a copy are spread.
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
    DomainRandomizationAugmenter : Learns from the domains which features vary.
    ComBatTransformer : Removes the effects of batches that are there.

    Notes
    -----
    ComBat's model [1]_: :math:`x'_j = m_j + s_j \gamma_{bj} + \delta_{bj} (x_j - m_j)` for batch b,
    with the mean :math:`m_j` of the row's own domain, normal :math:`\gamma` and inverse gamma
    :math:`\delta^2` of mean 1. Missing values stay missing. The cost is linear in the rows. Array
    level (b): the spread is learnt in NumPy on the host, rows are changed where they are.

    References
    ----------
    .. [1] Johnson, Li, Rabinovic. Adjusting batch effects in microarray expression data using
       empirical Bayes methods. Biostatistics 8, 2007. doi:10.1093/biostatistics/kxj037

    Examples
    --------
    >>> import numpy as np
    >>> from skda import BatchEffectAugmenter
    >>> X = np.random.default_rng(0).normal(size=(100, 3))
    >>> augmenter = BatchEffectAugmenter(2.0, multiplicative=0.0, n_batches=1)
    >>> augmenter = augmenter.fit(X, sample_domain=np.ones(100))
    >>> (augmenter.augment(X, random_state=0) - X).std(axis=0).round(6)  # one shift for all rows
    array([0., 0., 0.])
    """

    def __init__(
        self,
        additive: float = 0.5,
        *,
        multiplicative: float = 0.2,
        n_batches: int = 4,
        columns: ArrayLike | None = None,
    ):
        self.additive = additive
        self.multiplicative = multiplicative
        self.n_batches = n_batches
        self.columns = columns

    def _check_params(self):
        check_real("additive", self.additive, low=0)
        check_real("multiplicative", self.multiplicative, low=0)
        check_integer("n_batches", self.n_batches)

    def _learn(self, values, ids):
        self._moments = SourceMoments(values, ids)
        self.spread_ = self._moments.spread

    def _change(self, x, ids, rng):
        x = as_floats(x)
        size = self.n_batches, x.shape[1]
        effects, scales = batch_effects(self.additive, self.multiplicative, size, rng)
        batch = rng.randint(self.n_batches, size=x.shape[0])
        scale = scales[batch]
        rest = (1.0 - scale) * self._moments.mean_of(ids) + self.spread_ * effects[batch]
        return as_like(scale, x) * x + as_like(rest, x)
