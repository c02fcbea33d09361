"""DANN: learn features from which an adversary cannot tell the domain (Ganin 2016)."""

import torch
from torch.nn.functional import softplus

from ._base import BaseDeep
from ._base_tasks import BaseDeepClassifier, BaseDeepRegressor
from ._modules import adversary, reverse_gradient
from ._training import AlignmentLoss


def domain_loss(source, target, source_weights=None, target_weights=None):
    """Return the logistic loss of telling source (positive) from target outputs, halves equal."""
    losses = softplus(-source.squeeze(1)), softplus(target.squeeze(1))
    if source_weights is not None:
        losses = losses[0] * source_weights, losses[1] * target_weights
    return 0.5 * (losses[0].mean() + losses[1].mean())


class AdversarialLoss(AlignmentLoss):
    """A discriminator of domains behind a reversal of the gradient.

    The weight scales the reversed gradient, not the loss, so that the discriminator always learns
    at full speed.
    """

    def __init__(self, n_in, hidden, *, bsp_weight=0.0):
        super().__init__()
        self.discriminator = adversary(n_in, hidden)
        self.bsp_weight = bsp_weight

    def judged(self, half):
        """Return what the discriminator sees of a half."""
        return half.features

    def row_weights(self, source, target):
        """Return the weights of the rows in the loss of the discriminator, or None."""
        return None, None

    def forward(self, source, target, weight=1.0):
        """Return the loss of the discriminator; its gradient reaches the features reversed."""
        both = torch.cat([self.judged(source), self.judged(target)])
        outputs = self.discriminator(reverse_gradient(both, weight))
        n = source.features.shape[0]
        return domain_loss(outputs[:n], outputs[n:], *self.row_weights(source, target))

    def weighted(self, source, target, weight):
        """Return the loss with the gradient reversed by this weight, plus the spectral penalty."""
        loss = self(source, target, weight)
        if self.bsp_weight:
            loss = loss + self.bsp_weight * spectral_penalty(source.features, target.features)
        return loss


class _DANN(BaseDeep):
    def __init__(
        self,
        module=None,
        *,
        alignment_weight=1.0,
        alignment_schedule="sigmoid",
        discriminator_hidden=64,
        bsp_weight=0.0,
        **training,
    ):
        super().__init__(module, **training)
        self.alignment_weight = alignment_weight
        self.alignment_schedule = alignment_schedule
        self.discriminator_hidden = discriminator_hidden
        self.bsp_weight = bsp_weight

    def _make_alignment(self, module, X):
        return AdversarialLoss(
            self._n_features_out, self.discriminator_hidden, bsp_weight=self.bsp_weight
        )


class DANNClassifier(BaseDeepClassifier, _DANN):
    """Train a network on the source while an adversary tries to tell its features' domain.

    Parameters
    ----------
    |module|
    |alignment|
    |adversary|
    |bsp|
    |training|

    Attributes
    ----------
    |fitted|

    See Also
    --------
    CDANClassifier : The adversary also sees the predictions.
    WDGRLClassifier : The adversary measures a Wasserstein distance.
    DANNRegressor : The regressor.

    Notes
    -----
    The features minimize cross-entropy(source) − w L_D, the discriminator D minimizes L_D, the
    logistic loss of telling source from target features, in one step by reversing the gradient
    between them. The weight scales the reversed gradient, so that D learns at full speed.
    ``history_[:, "alignment_loss"]`` is L_D: log 2 = 0.69 means that D is fooled.

    Assumption: there are features with the same distribution in both domains in which labels given
    features agree; in particular the shares of the classes differ little. Cost: a step adds a pass
    through the discriminator, linear in rows and features (the spectral penalty, a singular value
    decomposition of each half). Arrays: torch; NumPy, data frames, lists, CuPy come in and go out.

    References
    ----------
    .. [1] Y. Ganin et al. "Domain-Adversarial Training of Neural Networks". JMLR 17, 2016.
       arXiv:1505.07818
    .. [2] X. Chen, S. Wang, M. Long, J. Wang. "Transferability vs. Discriminability: Batch
       Spectral Penalization for Adversarial Domain Adaptation". ICML 2019.

    Examples
    --------
    >>> from skda import DANNClassifier, stack_domains
    >>> from sklearn.datasets import make_blobs
    >>> centers = [[0, 0], [4, 0], [0, 4]]
    >>> X_source, y_source = make_blobs(150, centers=centers, cluster_std=0.5, random_state=0)
    >>> X_target, y_target = X_source + [1.0, -0.5], y_source
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = DANNClassifier(max_epochs=30, lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """


class DANNRegressor(BaseDeepRegressor, _DANN):
    """Train a regression network while an adversary tries to tell its features' domain.

    Parameters
    ----------
    |module|
    |alignment|
    |adversary|
    |bsp|
    |training|

    Attributes
    ----------
    |fitted|

    See Also
    --------
    DANNClassifier : The classifier, with the formula.

    Notes
    -----
    The adversarial game of :class:`DANNClassifier` beside the squared error of the standardized
    values, under the same assumption and at the same cost. Arrays: torch; NumPy, data frames,
    lists, CuPy come in and go out.

    References
    ----------
    .. [1] Y. Ganin et al. "Domain-Adversarial Training of Neural Networks". JMLR 17, 2016.
       arXiv:1505.07818
    .. [2] X. Chen, S. Wang, M. Long, J. Wang. "Transferability vs. Discriminability: Batch
       Spectral Penalization for Adversarial Domain Adaptation". ICML 2019.

    Examples
    --------
    >>> from skda import DANNRegressor, stack_domains
    >>> from sklearn.datasets import make_regression
    >>> X_source, y_source = make_regression(200, 3, random_state=0)
    >>> X_target, y_target = 1.2 * X_source, 1.2 * y_source
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = DANNRegressor(alignment_weight=0.1, max_epochs=20, lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """


def spectral_penalty(source, target, n_values=1):
    """Return the sum of the squares of the largest singular values of both sets of features."""
    return sum(
        torch.linalg.svdvals(features)[:n_values].square().sum() for features in (source, target)
    )
