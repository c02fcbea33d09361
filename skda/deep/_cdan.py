"""CDAN: an adversary that sees features and predictions together (Long 2018)."""

import math

import torch

from ._base import BaseDeep
from ._base_tasks import BaseDeepClassifier
from ._dann import AdversarialLoss


def entropy(p):
    """Return the entropy of each row of probabilities."""
    return -torch.special.xlogy(p, p).sum(dim=1)


def multilinear_map(features, p):
    """Return the outer product of features and probabilities of each row, flattened."""
    return (p[:, :, None] * features[:, None, :]).flatten(start_dim=1)


class ConditionalAdversarialLoss(AdversarialLoss):
    """A discriminator of domains that sees the multilinear map of features and predictions."""

    def __init__(self, n_features, n_classes, hidden, *, entropy_weights, n_random, bsp_weight):
        randomized = n_features * n_classes > n_random
        n_in = n_random if randomized else n_features * n_classes
        super().__init__(n_in, hidden, bsp_weight=bsp_weight)
        self.entropy_weights = entropy_weights
        self.randomized = randomized
        if randomized:
            self.register_buffer("map_features", torch.randn(n_features, n_random))
            self.register_buffer("map_classes", torch.randn(n_classes, n_random))

    def judged(self, half):
        """Return the multilinear map, or its random approximation [Eq. 6]."""
        p = torch.softmax(half.logits, dim=1).detach()  # conditions, is not to be aligned itself
        if not self.randomized:
            return multilinear_map(half.features, p)
        product = (half.features @ self.map_features) * (p @ self.map_classes)
        return product / math.sqrt(product.shape[1])

    def row_weights(self, source, target):
        """Return 1 + exp(−entropy) of each row, of mean one in each half [Eq. 8]."""
        if not self.entropy_weights:
            return None, None
        weights = [
            1.0 + torch.exp(-entropy(torch.softmax(half.logits, dim=1).detach()))
            for half in (source, target)
        ]
        return tuple(w / w.mean() for w in weights)


class CDANClassifier(BaseDeepClassifier, BaseDeep):
    """Train a network against an adversary that sees features and predictions together.

    Parameters
    ----------
    |module|
    |alignment|
    |adversary|
    entropy_weights : bool, default=True
        Whether confident rows weigh more in the adversary's loss (CDAN+E).
    n_random : int, default=4096
        Width of the random map that stands for the product of features and classes where that
        product is wider.
    |bsp|
    |training|

    Attributes
    ----------
    |fitted|

    See Also
    --------
    DANNClassifier : The adversary sees the features alone.
    JANClassifier : Align both jointly by kernels.

    Notes
    -----
    DANN whose discriminator sees the outer product of the features with the class probabilities,
    so that the classes are aligned one by one. Rows are weighted by 1 + exp(−entropy) of their
    predictions. As in DANN the weight scales the reversed gradient.

    Assumption: labels given features agree after the alignment, and predictions on the target are
    right often enough to tell the classes apart. Cost: a step adds O(b d K h) for b rows, d
    features, K classes and h hidden units. Arrays: torch; NumPy, data frames, lists, CuPy come in
    and go out.

    References
    ----------
    .. [1] M. Long, Z. Cao, J. Wang, M. Jordan. "Conditional Adversarial Domain Adaptation".
       NeurIPS 2018. arXiv:1705.10667
    .. [2] X. Chen, S. Wang, M. Long, J. Wang. "Transferability vs. Discriminability: Batch
       Spectral Penalization for Adversarial Domain Adaptation". ICML 2019.

    Examples
    --------
    >>> from skda import CDANClassifier, stack_domains
    >>> from sklearn.datasets import make_blobs
    >>> centers = [[0, 0], [4, 0], [0, 4]]
    >>> X_source, y_source = make_blobs(150, centers=centers, cluster_std=0.5, random_state=0)
    >>> X_target, y_target = X_source + [1.0, -0.5], y_source
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = CDANClassifier(max_epochs=30, lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """

    def __init__(
        self,
        module=None,
        *,
        alignment_weight=1.0,
        alignment_schedule="sigmoid",
        discriminator_hidden=64,
        entropy_weights=True,
        n_random=4096,
        bsp_weight=0.0,
        **training,
    ):
        super().__init__(module, **training)
        self.alignment_weight = alignment_weight
        self.alignment_schedule = alignment_schedule
        self.discriminator_hidden = discriminator_hidden
        self.entropy_weights = entropy_weights
        self.n_random = n_random
        self.bsp_weight = bsp_weight

    def _make_alignment(self, module, X):
        return ConditionalAdversarialLoss(
            self._n_features_out,
            len(self.classes_),
            self.discriminator_hidden,
            entropy_weights=self.entropy_weights,
            n_random=self.n_random,
            bsp_weight=self.bsp_weight,
        )
