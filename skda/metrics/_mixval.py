"""MixVal: is a mixture of two target rows predicted as its larger part is?"""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import sparse
from sklearn.utils import check_random_state

from .._array._backend import namespace
from .._core._param_checks import check_option, check_real
from .._core._typing import RandomState
from ._base_scorer import BaseDomainScorer, ScoringData


def partners(predicted, rng):
    """Return a partner of the same and one of another predicted class for each row, or −1.

    Rows are drawn without replacement within a class, so that each serves about equally often.
    """
    n = len(predicted)
    same, other = np.full(n, -1), np.full(n, -1)
    for label in np.unique(predicted):
        inside = rng.permutation(np.flatnonzero(predicted == label))
        outside = rng.permutation(np.flatnonzero(predicted != label))
        if len(inside) > 1:  # a shift by one of a random order pairs no row with itself
            same[inside] = np.roll(inside, 1)
        if len(outside):  # repeated where other classes have fewer rows
            other[inside] = np.resize(outside, len(inside))
    return same, other


def mix(X, Y, share):
    """Return share · X + (1 − share) · Y, in the container of X."""
    if hasattr(X, "columns"):  # the rows of Y have another index, which pandas would align
        columns = list(X.columns)
        values = share * X.to_numpy() + (1 - share) * Y.to_numpy()
        return type(X)(dict(zip(columns, np.asarray(values, dtype=np.float64).T, strict=True)))
    if not hasattr(X, "shape"):
        X, Y = np.asarray(X), np.asarray(Y)
    if not sparse.issparse(X):
        xp = namespace(X)
        if xp.isdtype(X.dtype, ("integral", "bool")):  # their mixtures have decimals
            X, Y = xp.astype(X, xp.float64), xp.astype(Y, xp.float64)
    return X * share + Y * (1 - share)


class MixValScorer(BaseDomainScorer):
    """Score by mixtures of target rows: each should be predicted as its larger part is.

    A boundary that runs between the classes leaves the mixtures of two rows of one class in that
    class, and those of two rows of different classes with the nearer row. A boundary that cuts
    through a class does not. The score is the proportion of mixtures predicted so, in [0, 1].

    Parameters
    ----------
    share : float, default=0.55
        Weight of the larger part of a mixture, in (0.5, 1). Nearer to 0.5 probes closer to the
        boundary.
    pairs : {"both", "intra", "inter"}, default="both"
        Which rows to mix: of the same predicted class ("intra", probes whether classes are
        connected), of different ones ("inter", probes the boundary), or the mean of both.
    random_state : int, RandomState instance or None, default=0
        Seed of the pairing.

    See Also
    --------
    ClassClusterScorer : Also needs predictions only.
    CircularValidationScorer : Also needs predictions only, at the cost of a fit.

    Notes
    -----
    For target rows x, x′ with predictions ŷ, ŷ′ the score is the proportion of pairs for which the
    prediction at share·x + (1 − share)·x′ is ŷ. (The paper then adds the ranks of "intra" and
    "inter" over the models compared; a scorer sees one model, so "both" is their mean.) A kind
    without pairs, such as "inter" when one class only is predicted, counts as 0: a collapsed model
    must not win. Features must be numbers for which a mixture makes sense. Linear models are
    consistent whatever they predict. Labels are ignored. Cost: two predictions of as many rows. The
    pairing depends on the order of the rows.

    References
    ----------
    .. [1] Hu, D., Liang, J., Liew, J. H., Xue, C., Bai, S., Wang, X. (2023). Mixed samples as
       probes for unsupervised model selection in domain adaptation. NeurIPS.
       https://openreview.net/forum?id=ackajXqei2

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skda.metrics import MixValScorer
    >>> X = np.array([[-1.0], [1.0], [-0.5], [-0.4], [0.6], [0.5]])
    >>> y, sample_domain = np.array([0, 1, -1, -1, -1, -1]), np.array([1, 1, -2, -2, -2, -2])
    >>> model = LogisticRegression().fit(X[:2], y[:2])
    >>> MixValScorer()(model, X, sample_domain=sample_domain)
    0.875
    """

    _classification_only = True

    def __init__(
        self,
        share: float = 0.55,
        pairs: Literal["both", "intra", "inter"] = "both",
        random_state: RandomState = 0,
    ):
        self.share = share
        self.pairs = pairs
        self.random_state = random_state

    def _check_params(self):
        check_real("share", self.share, low=0.5, high=1, closed="neither")
        check_option("pairs", self.pairs, ("both", "intra", "inter"))

    def _score(self, data):
        predicted = data.predict(data.target_rows)
        same, other = partners(predicted, check_random_state(self.random_state))
        kinds = {"both": (same, other), "intra": (same,), "inter": (other,)}[self.pairs]
        return np.mean([self._consistency(data, predicted, partner) for partner in kinds])

    def _consistency(self, data, predicted, partner):
        paired = np.flatnonzero(partner >= 0)
        if not len(paired):
            return 0.0  # a collapsed model, which has no "inter" pairs, must not win
        first, second = data.target_rows[paired], data.target_rows[partner[paired]]
        try:
            mixed = mix(data.X_of(first), data.X_of(second), self.share)
        except TypeError as error:
            raise ValueError(
                "MixValScorer mixes rows and needs numeric features; X has others. Encode them "
                "before the pipeline that is scored, or use ClassClusterScorer."
            ) from error
        # A mixture of rows of two targets is mapped as the larger part's.
        ids = data.sample_domain[first]
        probes = ScoringData(data.estimator, mixed, None, ids, data.scorer_name)
        return np.mean(probes.predict(np.arange(len(paired))) == predicted[paired])
