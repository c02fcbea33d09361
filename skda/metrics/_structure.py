"""Scorers that use the structure of the target rows: neighbors, rank, clusters."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.special import logsumexp
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_mutual_info_score, silhouette_score

from .._array._backend import to_numpy
from .._array._rows import row_tiles
from .._core._param_checks import check_option, check_real
from .._core._typing import RandomState
from ._base_scorer import BaseDomainScorer

# Of one tile of similarities: large enough for a fast matrix product, small beside the data.
_TILE_BYTES = 32 * 2**20


def soft_neighborhood_density(P, temperature):
    """Return the mean entropy of the soft neighborhoods of the rows of P.

    Row i's neighborhood is softmax over j ≠ i of cos(pᵢ, pⱼ)/temperature. In tiles of memory.
    """
    # Rows of class probabilities are never all 0, but those of other models could be.
    unit = P / np.maximum(np.linalg.norm(P, axis=1, keepdims=True), np.finfo(P.dtype).tiny)
    n, total = len(P), 0.0
    for tile in row_tiles(n, 8 * n, tile_bytes=_TILE_BYTES, least=1):
        S = unit[tile] @ unit.T / temperature
        S[np.arange(len(S)), np.arange(tile.start, tile.stop)] = -np.inf  # no neighbor of itself
        log_q = S - logsumexp(S, axis=1, keepdims=True)
        q = np.exp(log_q)
        # −Σ q log q, with 0 log 0 = 0 on the diagonal
        total -= float((q * np.where(q > 0, log_q, 0.0)).sum())
    return total / n


class SoftNeighborhoodDensityScorer(BaseDomainScorer):
    """Score how many target rows are predicted alike, row by row.

    Rows of one class should be predicted alike. For every target row this score measures how many
    others get nearly the same probabilities: many where the boundary runs between dense clusters,
    few where it cuts through one. In nats.

    Parameters
    ----------
    temperature : float, default=0.05
        Smoothing of the neighborhoods, > 0. Smaller counts only nearly equal predictions as
        neighbors.

    See Also
    --------
    InformationMaximizationScorer : Also requires varied predictions.
    ClassClusterScorer : Looks for clusters among the features instead.

    Notes
    -----
    The mean over target rows of the entropy of softmax over j ≠ i of cos(pᵢ, pⱼ)/T. High where
    each row has many others with the same prediction: dense clusters that the boundary does not
    cut. A model that predicts one class for all gets the best score, so it cannot tell whether a
    method collapsed. The value grows with the logarithm of the number of target rows: compare
    folds of one size. Labels are ignored. Cost O(n² C) in tiles. Computed on the host.

    References
    ----------
    .. [1] Saito, K., Kim, D., Teterwak, P., Sclaroff, S., Darrell, T., Saenko, K. (2021). Tune it
       the right way: unsupervised validation of domain adaptation via soft neighborhood density.
       ICCV. arXiv:2108.10860.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skda.metrics import SoftNeighborhoodDensityScorer
    >>> X, y = np.array([[-1.0], [1.0], [-0.5], [0.6], [0.5]]), np.array([0, 1, -1, -1, -1])
    >>> sample_domain = np.array([1, 1, -2, -2, -2])
    >>> model = LogisticRegression().fit(X[:2], y[:2])
    >>> round(SoftNeighborhoodDensityScorer()(model, X, sample_domain=sample_domain), 3)
    0.592
    """

    _classification_only = True

    def __init__(self, temperature: float = 0.05):
        self.temperature = temperature

    def _check_params(self):
        check_real("temperature", self.temperature, low=0, closed="neither")

    def _score(self, data):
        if len(data.target_rows) < 2:
            raise ValueError(
                "SoftNeighborhoodDensityScorer compares target rows with each other and needs at "
                "least 2; got 1. Use fewer folds."
            )
        return soft_neighborhood_density(data.predict_proba(data.target_rows), self.temperature)


def relative_nuclear_norm(P):
    """Return ‖P‖_* divided by the largest value it can have for a matrix of probabilities."""
    n, c = P.shape
    # Rows have norm at most 1, so ‖P‖_F ≤ √n, and ‖P‖_* ≤ √rank · ‖P‖_F.
    return float(np.linalg.norm(P, "nuc") / np.sqrt(n * min(n, c)))


class BatchNuclearNormScorer(BaseDomainScorer):
    """Score how confident and how varied the predictions on target rows are, by their rank.

    The matrix of target probabilities has a large nuclear norm (the sum of its singular values)
    when its rows are near to certain predictions and these span all classes. One number thus
    rewards confidence and variety together.

    See Also
    --------
    InformationMaximizationScorer : The same two criteria, as entropies.
    PredictionEntropyScorer : Confidence alone.

    Notes
    -----
    ‖P‖_* / √(n min(n, C)) for the matrix P of target probabilities: the sum of its singular
    values over its largest possible value, so that 1 means certain predictions spread evenly over
    the classes, and folds of different sizes compare. (The literature does not divide, or divides
    by n.) Like the entropies it misleads when the target's classes differ much in size. Labels
    are ignored. Cost O(n C²). Computed on the host.

    References
    ----------
    .. [1] Musgrave, K., Belongie, S., Lim, S.-N. (2022). Three new validators and a large-scale
       benchmark ranking for unsupervised domain adaptation. arXiv:2208.07360.
    .. [2] Cui, S., Wang, S., Zhuo, J., Li, L., Huang, Q., Tian, Q. (2020). Towards discriminability
       and diversity: batch nuclear-norm maximization under label insufficient situations. CVPR.
       arXiv:2003.12237.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skda.metrics import BatchNuclearNormScorer
    >>> X, y = np.array([[-1.0], [1.0], [-0.5], [0.6]]), np.array([0, 1, -1, -1])
    >>> sample_domain = np.array([1, 1, -2, -2])
    >>> model = LogisticRegression().fit(X[:2], y[:2])
    >>> round(BatchNuclearNormScorer()(model, X, sample_domain=sample_domain), 3)
    0.6
    """

    _classification_only = True

    def _score(self, data):
        return relative_nuclear_norm(data.predict_proba(data.target_rows))


class ClassClusterScorer(BaseDomainScorer):
    """Score how well predicted classes and clusters of target rows agree.

    Where classes form clusters in the features that the predictor sees, a right model gives every
    cluster one class. The score compares the predicted classes with those clusters.

    Parameters
    ----------
    measure : {"ami", "silhouette"}, default="ami"
        "ami": adjusted mutual information between the predictions and a k-means clustering of
        the target features into as many clusters as there are classes. "silhouette": the mean
        silhouette of the target features with the predictions as clusters.
    random_state : int, RandomState instance or None, default=0
        Seed of k-means.

    See Also
    --------
    SoftNeighborhoodDensityScorer : Compares the predictions only.
    MixValScorer : Also needs no probabilities.

    Notes
    -----
    Features are those of the predictor's own ``transform`` if it has one (as nets have), else what
    the last step of a Pipeline sees of the target rows, else X. Assumes that classes are clusters
    there. In 1 (agreement) to about 0 (none) for "ami"; in [−1, 1] for "silhouette", −1 if one
    class only is predicted. Needs predictions, not probabilities; labels are ignored. Cost:
    one k-means (O(n C d)), or O(n² d) for "silhouette". Computed on the host.

    References
    ----------
    .. [1] Musgrave, K., Belongie, S., Lim, S.-N. (2022). Three new validators and a large-scale
       benchmark ranking for unsupervised domain adaptation. arXiv:2208.07360.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skda.metrics import ClassClusterScorer
    >>> X, y = np.array([[-1.0], [1.0], [-0.5], [0.6], [0.5]]), np.array([0, 1, -1, -1, -1])
    >>> sample_domain = np.array([1, 1, -2, -2, -2])
    >>> model = LogisticRegression().fit(X[:2], y[:2])
    >>> ClassClusterScorer()(model, X, sample_domain=sample_domain)
    1.0
    """

    _classification_only = True

    def __init__(
        self, measure: Literal["ami", "silhouette"] = "ami", random_state: RandomState = 0
    ):
        self.measure = measure
        self.random_state = random_state

    def _check_params(self):
        check_option("measure", self.measure, ("ami", "silhouette"))

    def _score(self, data):
        predicted = data.predict(data.target_rows)
        features = to_numpy(data.features(data.target_rows))
        n_predicted = len(np.unique(predicted))
        if self.measure == "silhouette":
            # undefined for one cluster, and for clusters of one row each
            if not 1 < n_predicted < len(predicted):
                return -1.0
            return silhouette_score(features, predicted)
        if n_predicted == 1:  # two clusterings of one cluster agree, and that is no merit
            return 0.0
        # As many clusters as the model knows classes: one that predicts fewer must not gain by it.
        n_classes = len(getattr(data.estimator, "classes_", ())) or n_predicted
        k = min(n_classes, len(np.unique(features, axis=0)))  # k-means needs distinct rows
        clusters = KMeans(k, n_init=10, random_state=self.random_state).fit_predict(features)
        return adjusted_mutual_info_score(predicted, clusters)
