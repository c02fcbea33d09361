"""Weights by counting: each target row votes for the source rows nearest to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from sklearn.neighbors import NearestNeighbors

from .._array._backend import to_numpy
from .._core._param_checks import check_integer, check_real
from ._base_weighter import BaseWeighter, Importances


def count_votes(X_source, X_target, *, n_neighbors, metric="minkowski"):
    """Return how many target rows vote for each source row, each for its nearest ones.

    The search is among the distinct source rows, of which each stands for all rows like it. If
    only some of these are among the nearest, all of them share what these would get.
    """
    distinct, group, size = np.unique(
        X_source, axis=0, return_inverse=True, return_counts=True, equal_nan=False
    )
    index = NearestNeighbors(n_neighbors=min(n_neighbors, len(size)), metric=metric).fit(distinct)
    nearest = index.kneighbors(X_target, return_distance=False)
    reached = np.minimum(np.cumsum(size[nearest], axis=1), n_neighbors)
    votes = np.diff(reached, axis=1, prepend=0)
    votes = np.bincount(nearest.ravel(), weights=votes.ravel(), minlength=len(size))
    return (votes / size)[group.ravel()] / n_neighbors  # NumPy 2.0.0 returns it as a column


class NearestNeighborsWeighter(BaseWeighter):
    r"""Weight source rows by how many target rows they are nearest to.

    Each target row votes for the source rows nearest to it, and source rows count by their votes:
    those amid many target rows stand for many.

    Parameters
    ----------
    n_neighbors : int, default=5
        Number of source rows among which each target row divides its vote. 1 is the paper's
        choice; more make the weights smoother.
    smoothing : float, default=1.0
        Added to every count (Laplace's rule), so that no source row is lost. 0 adds nothing.
    metric : str or callable, default="minkowski"
        Distance, as in :class:`sklearn.neighbors.NearestNeighbors` (Euclidean by default).
    exponent : float, default=1.0
        Exponent in [0, 1] applied to the weights; 0 gives equal weights.
    clip : float or None, default=None
        Largest weight, as a multiple of the mean weight, applied after `exponent`. What is cut off
        goes to the other rows in proportion to their weights. None does not clip.
    min_effective_size : float, "auto" or None, default="auto"
        Smallest effective sample size of the weights, as a part of the source rows: weights that
        rest on fewer rows are mixed with equal ones until they have it. "auto" is thirty rows for
        each feature and for the intercept, at most all rows, which leaves equal weights. None,
        the paper's weights, mixes nothing in.

    Attributes
    ----------
    weights_ : array of shape (n_source,)
        Weight of each source row in row order, mean 1.
    effective_sample_size_ : float
        ``(Σw)² / Σw²``.
    learnt_part_ : float
        Part of the weights that was learnt; the rest of them is equal, see `min_effective_size`.
    n_features_in_ : int
        Number of features seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``, for parameters out of range, and for more neighbors than source rows.

    See Also
    --------
    KMMWeighter : Smooth weights for the same rows.

    Notes
    -----
    The weight of a source row is proportional to the number of target rows in its Voronoi cell
    plus `smoothing` [1]_; with `n_neighbors` > 1 each target row gives 1/n_neighbors to each of
    its neighbors. Rough, but without any density or bandwidth. Identical source rows share their
    votes equally; of different ones at the same distance, which get the vote is arbitrary.

    It helps when features are shifted and labels given features are not (covariate shift). Scale
    the features first. Without `sample_domain` all weights are 1. The method defines no function
    of the features for new rows. Cost: that of a tree search, about n_target · log n_source for
    few features. Array level (b): the search runs in NumPy on the host, the weights come back
    where the data are.

    References
    ----------
    .. [1] Loog. Nearest neighbor-based importance weighting. IEEE MLSP 2012.
       doi:10.1109/MLSP.2012.6349714

    Examples
    --------
    >>> import numpy as np
    >>> from skda import NearestNeighborsWeighter, stack_domains
    >>> X, _, sample_domain = stack_domains([[0.0], [1.0], [5.0]], None, [[0.9], [1.2], [5.1]])
    >>> weighter = NearestNeighborsWeighter(min_effective_size=None, n_neighbors=1, smoothing=0)
    >>> weighter.fit(X, sample_domain=sample_domain).weights_
    array([0., 2., 1.])
    """

    _array_level = "b"

    def __init__(
        self,
        *,
        n_neighbors: int = 5,
        smoothing: float = 1.0,
        metric: str | Callable[..., Any] = "minkowski",
        exponent: float = 1.0,
        clip: float | None = None,
        min_effective_size: float | Literal["auto"] | None = "auto",
    ):
        self.n_neighbors = n_neighbors
        self.smoothing = smoothing
        self.metric = metric
        self.exponent = exponent
        self.clip = clip
        self.min_effective_size = min_effective_size

    def _importances(self, data):
        n = len(data.source)
        hint = f"There are {n} source rows."
        n_neighbors = check_integer("n_neighbors", self.n_neighbors, low=1, high=n, hint=hint)
        smoothing = check_real("smoothing", self.smoothing, low=0, hint="The default is 1.")
        votes = count_votes(
            to_numpy(data.X_source),
            to_numpy(data.X_target),
            n_neighbors=n_neighbors,
            metric=self.metric,
        )
        return Importances(data.backend.asarray(votes + smoothing, data.X.dtype))
