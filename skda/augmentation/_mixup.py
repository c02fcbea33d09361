"""Mixup: convex combinations of pairs of rows, with the labels of both."""

from __future__ import annotations

from typing import Literal

import numpy as np

from .._array._backend import as_like, backend_of, namespace
from .._core._param_checks import check_option, check_real
from .._core._typing import ArrayLike
from ._base_augmenter import BaseAugmenter, as_floats

PARTNERS = ("any", "within", "across")


def random_pairs(ids, partners, rng):
    """Return the partner of each row: rows come in pairs, those that are left over stay alone.

    Parameters
    ----------
    ids : ndarray of int of shape (n,)
        Domain of each row.
    partners : {"any", "within", "across"}
        Whether a pair is of any domains, of one domain, or of two.
    rng : RandomState
        Chooses the pairs.

    Returns
    -------
    partner : ndarray of int of shape (n,)
        Index of the partner, the row's own where it is alone.
    """
    partner = np.arange(len(ids))
    shuffled = rng.permutation(len(ids))
    groups = [shuffled]
    if partners == "within":
        groups = [shuffled[ids[shuffled] == i] for i in np.unique(ids)]
    elif partners == "across":
        # Domain by domain: then the two halves meet in a domain only if it has more than half of
        # all rows, and no more often than it must.
        groups = [shuffled[np.argsort(ids[shuffled], kind="stable")]]
    for group in groups:
        half = len(group) // 2
        # The rows in the middle are the ones left over, one at most.
        first, second = group[:half], group[len(group) - half :]
        if partners == "across":
            apart = ids[first] != ids[second]
            first, second = first[apart], second[apart]
        partner[first], partner[second] = second, first
    return partner


class MixupAugmenter(BaseAugmenter):
    r"""Mix pairs of source rows, and their labels alike.

    Between the rows that were seen a model is then asked to change evenly. With several sources,
    mixtures across them fill the space between the domains.

    Parameters
    ----------
    alpha : float, default=0.2
        Parameter of the Beta distribution of the weights: small ones give copies that are nearly
        one of both rows, 1 gives all weights alike. 0 leaves the rows as they are.
    partners : {"any", "within", "across"}, default="any"
        Whether the two rows may be of any sources, are of one, or are of two different ones. With
        "across" and a single source nothing is mixed.
    columns : array-like of int or str, default=None
        Columns to mix, by position or by name. None: all columns of numbers. In the others, a copy
        has the values of the row that it is a copy of.

    Attributes
    ----------
    columns_ : list of int
        Positions of the columns that are changed.
    n_features_in_ : int
        Number of features of `X`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `X` has string names.

    See Also
    --------
    AugmentedEstimator : Fits an estimator on source rows and such copies of them.

    Notes
    -----
    The copy of row i is :math:`\lambda x_i + (1 - \lambda) x_j` [1]_ with
    :math:`\lambda \sim \text{Beta}(\alpha, \alpha)`, and that of its partner j is
    :math:`\lambda x_j + (1 - \lambda) x_i`: one weight for both, so that each label keeps its total
    weight and the proportions of the classes stay what they are. :meth:`augment` returns
    ``(X_new, partner, weight)``; :class:`~skda.AugmentedEstimator` gives a regressor the mixed
    values and a classifier each mixed row twice, with both labels and weights :math:`\lambda` and
    :math:`1 - \lambda`, which is the loss of mixed labels. A value that one of the rows lacks is
    that of the row itself. The cost is linear in the rows. Array level (b): partners are chosen in
    NumPy on the host, rows are changed where they are.

    References
    ----------
    .. [1] Zhang, Cisse, Dauphin, Lopez-Paz. mixup: beyond empirical risk minimization. ICLR 2018.
       arXiv:1710.09412

    Examples
    --------
    >>> import numpy as np
    >>> from skda import MixupAugmenter
    >>> X = np.array([[0.0], [1.0]])
    >>> augmenter = MixupAugmenter(1.0).fit(X, sample_domain=[1, 1])
    >>> X_new, partner, weight = augmenter.augment(X, random_state=0)
    >>> X_new.sum(), partner, bool(weight[0] == weight[1])
    (np.float64(1.0), array([1, 0]), True)
    """

    def __init__(
        self,
        alpha: float = 0.2,
        *,
        partners: Literal["any", "within", "across"] = "any",
        columns: ArrayLike | None = None,
    ):
        self.alpha = alpha
        self.partners = partners
        self.columns = columns

    def _check_params(self):
        check_real("alpha", self.alpha, low=0, hint="0 leaves the rows as they are.")
        check_option("partners", self.partners, list(PARTNERS))

    def _change(self, x, ids, rng):
        x, xp = as_floats(x), namespace(x)
        partner = random_pairs(ids, self.partners, rng)
        weight = np.ones(len(ids))
        if self.alpha:
            weight = rng.beta(self.alpha, self.alpha, size=len(ids))
        # That of the first row of the pair, for both.
        weight = weight[np.minimum(partner, np.arange(len(ids)))]
        weight[partner == np.arange(len(ids))] = 1.0
        w = as_like(weight[:, None], x)
        mixed = w * x + (1.0 - w) * xp.take(x, backend_of(x).asarray(partner), axis=0)
        return xp.where(xp.isnan(mixed), x, mixed), partner, weight
