"""Feature dropout: some values are replaced by the mean, a number, or values of other rows."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from .._array._backend import as_like, device_of, namespace
from .._core._param_checks import check_real
from .._core._typing import ArrayLike
from ._base_augmenter import BaseAugmenter, as_floats, column_moments

FILLS = ("mean", "marginal")


def dropped(x, rate, fill, rng):
    """Return rows in which values are replaced at a rate; missing values stay missing.

    Parameters
    ----------
    x : array of shape (n, d)
        Rows.
    rate : float
        Probability of each value to be replaced.
    fill : array that broadcasts to (n, d)
        What takes the place of the values; NaN among them leaves a missing value.
    rng : RandomState
        Chooses the values.
    """
    xp = namespace(x)
    chosen = rng.uniform(size=tuple(x.shape)) < rate
    mask = xp.asarray(chosen, device=device_of(x)) & ~xp.isnan(x)
    return xp.where(mask, as_like(fill, x), x)


class FeatureDropoutAugmenter(BaseAugmenter):
    """Replace single values, so that no feature is relied on alone.

    In another domain a feature may be useless: not measured, of another sensor, shifted. A model
    that was trained on copies without some of the values has learnt to do without any of them.

    Parameters
    ----------
    rate : float, default=0.1
        Probability with which each value of a copy is replaced. 0 leaves the rows as they are.
    fill : {"mean", "marginal"} or float, default="mean"
        What takes the place of a value: the mean of the feature over the source rows; the value of
        another source row, which keeps the feature's distribution; or a number. NaN makes values
        missing, for estimators that take them.
    columns : array-like of int or str, default=None
        Columns to change, by position or by name. None: all columns of numbers.

    Attributes
    ----------
    columns_ : list of int
        Positions of the columns that are changed.
    mean_ : ndarray of shape (n_columns,)
        Mean of each of them over the source rows. Only with ``fill="mean"``.
    marginals_ : ndarray of shape (n_source, n_columns)
        The source's values. Only with ``fill="marginal"``.
    n_features_in_ : int
        Number of features of `X`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `X` has string names.

    See Also
    --------
    AugmentedEstimator : Fits an estimator on source rows and such copies of them.
    GaussianNoiseAugmenter : Changes all values a little.

    Notes
    -----
    Replacing by the mean is dropout of the inputs [1]_; replacing by the marginal is the corruption
    of SCARF [2]_. Missing values stay missing. The cost is linear in the rows. Array level (b):
    means are learnt in NumPy on the host, rows are changed where they are.

    References
    ----------
    .. [1] Maaten, Chen, Tyree, Weinberger. Learning with marginalized corrupted features. ICML
       2013.
    .. [2] Bahri, Jiang, Tay, Metzler. SCARF: self-supervised contrastive learning using random
       feature corruption. ICLR 2022. arXiv:2106.15147

    Examples
    --------
    >>> import numpy as np
    >>> from skda import FeatureDropoutAugmenter
    >>> X = np.arange(6.0).reshape(3, 2)
    >>> augmenter = FeatureDropoutAugmenter(0.5, fill=-1.0).fit(X, sample_domain=[1, 1, 1])
    >>> augmenter.augment(X, random_state=0)
    array([[ 0.,  1.],
           [ 2.,  3.],
           [-1.,  5.]])
    """

    def __init__(
        self,
        rate: float = 0.1,
        *,
        fill: float | Literal["mean", "marginal"] = "mean",
        columns: ArrayLike | None = None,
    ):
        self.rate = rate
        self.fill = fill
        self.columns = columns

    def _check_params(self):
        check_real("rate", self.rate, low=0, high=1, hint="0 leaves the rows as they are.")
        if isinstance(self.fill, str) and self.fill in FILLS:
            return
        # NaN stands for a missing value here; infinity and everything else is refused.
        if not (isinstance(self.fill, float) and math.isnan(self.fill)):
            check_real("fill", self.fill, hint=f"Or one of {list(FILLS)}.")

    def _learn(self, values, ids):
        if self.fill == "mean":
            self.mean_ = column_moments(values[ids >= 0])[1]
        elif self.fill == "marginal":
            self.marginals_ = values[ids >= 0]

    def _change(self, x, ids, rng):
        x = as_floats(x)
        if self.fill == "mean":
            return dropped(x, self.rate, self.mean_, rng)
        if self.fill != "marginal":
            return dropped(x, self.rate, np.asarray(float(self.fill)), rng)
        rows = rng.randint(len(self.marginals_), size=tuple(x.shape))
        other = as_like(np.take_along_axis(self.marginals_, rows, axis=0), x)
        xp = namespace(x)
        # Where the other row's value is missing the row keeps its own.
        return dropped(x, self.rate, xp.where(xp.isnan(other), x, other), rng)
