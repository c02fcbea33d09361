"""JAN: align the joint distribution of features and predictions by kernels (Long 2017)."""

import torch

from ._base_tasks import BaseDeepClassifier
from ._dan import _DAN, MMDLoss


class JointMMDLoss(MMDLoss):
    """Squared MMD under the product of a kernel of features and a kernel of predictions."""

    def embeddings(self, half):
        """Return the features and the class probabilities."""
        return [half.features, torch.softmax(half.logits, dim=1)]


class JANClassifier(BaseDeepClassifier, _DAN):
    """Train a network while making features and predictions agree jointly between the domains.

    Parameters
    ----------
    |module|
    |alignment|
    |kernels|
    |training|

    Attributes
    ----------
    |fitted|

    See Also
    --------
    DANClassifier : Align the features alone.
    CDANClassifier : Align both jointly by an adversary.

    Notes
    -----
    Minimizes cross-entropy(source) + w JMMD², the squared maximum mean discrepancy of the pairs
    (features, class probabilities) under the product of their kernels, each a mean of
    `n_kernels` Gaussians around its own median distance.

    Assumption: the joint distribution of features and labels can be made to agree, and predictions
    on the target are right often enough to stand for labels. Cost: a step adds O(b² (d + K)) for
    b rows, d features and K classes. Arrays: torch; NumPy, data frames, lists, CuPy come in and
    go out.

    References
    ----------
    .. [1] M. Long, H. Zhu, J. Wang, M. Jordan. "Deep Transfer Learning with Joint Adaptation
       Networks". ICML 2017. arXiv:1605.06636

    Examples
    --------
    >>> from skda import JANClassifier, stack_domains
    >>> from sklearn.datasets import make_blobs
    >>> centers = [[0, 0], [4, 0], [0, 4]]
    >>> X_source, y_source = make_blobs(150, centers=centers, cluster_std=0.5, random_state=0)
    >>> X_target, y_target = X_source + [1.0, -0.5], y_source
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = JANClassifier(max_epochs=30, lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """

    def _make_alignment(self, module, X):
        return JointMMDLoss(self.n_kernels, self.gamma, self.estimate)
