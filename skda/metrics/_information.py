"""Scorers that read the class probabilities of target rows: are they confident and varied?"""

from __future__ import annotations

from scipy.special import xlogy

from .._core._param_checks import check_real
from ._base_scorer import BaseDomainScorer


def mean_entropy(P):
    """Return the mean entropy of the rows of P, −(1/n) Σ p log p, with 0 log 0 = 0."""
    return float(-xlogy(P, P).sum(axis=1).mean())  # xlogy(0, 0) is 0, where 0 · log 0 is NaN


class PredictionEntropyScorer(BaseDomainScorer):
    """Score the confidence on target rows: minus the mean entropy of their probabilities.

    A model that has found the classes of the target is sure of most of its rows; one whose
    boundary cuts through a cluster is unsure of many.

    See Also
    --------
    InformationMaximizationScorer : Also requires varied predictions.
    SoftNeighborhoodDensityScorer : Compares the predictions of a row with those of other rows.

    Notes
    -----
    The score is (1/n) Σᵢ Σ꜀ pᵢ꜀ log pᵢ꜀ over target rows, in [−log C, 0]. Assumes that target
    rows fall into separated clusters that adaptation puts on the right side; a model that is
    confidently wrong, or that predicts one class only, gets the best score. Labels are ignored.
    Cost O(nC). Computed on the host.

    References
    ----------
    .. [1] Morerio, P., Cavazza, J., Murino, V. (2018). Minimal-entropy correlation alignment for
       unsupervised deep domain adaptation. ICLR. arXiv:1711.10288.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skda.metrics import PredictionEntropyScorer
    >>> X, y = np.array([[-1.0], [1.0], [-0.5], [0.6]]), np.array([0, 1, -1, -1])
    >>> sample_domain = np.array([1, 1, -2, -2])
    >>> model = LogisticRegression().fit(X[:2], y[:2])
    >>> round(PredictionEntropyScorer()(model, X, sample_domain=sample_domain), 3)
    -0.676
    """

    _classification_only = True

    def _score(self, data):
        return -mean_entropy(data.predict_proba(data.target_rows))


class InformationMaximizationScorer(BaseDomainScorer):
    """Score how confident and how varied the predictions on target rows are.

    Confidence alone rewards a model that puts every row into one class. This score therefore adds
    the entropy of the mean prediction, which is large when all classes are predicted about equally
    often. In the units of nats.

    Parameters
    ----------
    diversity : float, default=1.0
        Weight of the entropy of the mean prediction. 0 is :class:`PredictionEntropyScorer`;
        raising it punishes models that predict few classes. Lower it when the target is known to
        be unbalanced.

    See Also
    --------
    PredictionEntropyScorer : Confidence alone.
    BatchNuclearNormScorer : The same two criteria in one matrix norm.

    Notes
    -----
    The score is ``diversity`` · H(p̄) − (1/n) Σᵢ H(pᵢ) over target rows, the mutual information
    between row and predicted class for ``diversity=1``, in [0, log C]. Assumes that target rows
    fall into separated clusters of about equal size, one per class, so it misleads under label
    shift. Labels are ignored. Cost O(nC). Computed on the host.

    References
    ----------
    .. [1] Musgrave, K., Belongie, S., Lim, S.-N. (2022). Three new validators and a large-scale
       benchmark ranking for unsupervised domain adaptation. arXiv:2208.07360.
    .. [2] Shi, Y., Sha, F. (2012). Information-theoretical learning of discriminative clusters
       for unsupervised domain adaptation. ICML. arXiv:1206.6438.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skda.metrics import InformationMaximizationScorer
    >>> X, y = np.array([[-1.0], [1.0], [-0.5], [0.6]]), np.array([0, 1, -1, -1])
    >>> sample_domain = np.array([1, 1, -2, -2])
    >>> model = LogisticRegression().fit(X[:2], y[:2])
    >>> round(InformationMaximizationScorer()(model, X, sample_domain=sample_domain), 3)
    0.017
    """

    _classification_only = True

    def __init__(self, diversity: float = 1.0):
        self.diversity = diversity

    def _check_params(self):
        check_real("diversity", self.diversity, low=0)

    def _score(self, data):
        P = data.predict_proba(data.target_rows)
        # The first entropy is of the mean prediction, the second the mean of the entropies.
        return self.diversity * mean_entropy(P.mean(axis=0, keepdims=True)) - mean_entropy(P)
