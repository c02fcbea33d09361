"""ADDA: adapt a copy of the source network until an adversary takes it for the source."""

import copy

import torch
from torch.nn.functional import softplus

from ._base_tasks import BaseNetClassifier
from ._base_two_stage import BaseStaged
from ._dann import domain_loss
from ._modules import adversary, frozen_call
from ._training import AlignmentLoss


class TargetAdversary(AlignmentLoss):
    """A discriminator of source features from those of the adapted copy."""

    def __init__(self, source_module, n_features, hidden):
        super().__init__()
        self.discriminator = adversary(n_features, hidden)
        self.fixed = (source_module.eval(),)  # in a tuple: not to be trained or registered

    def of_batch(self, module, batch):
        """Return the loss of the discriminator plus that of the copy, with inverted labels."""
        n = batch.n_source
        with torch.no_grad():
            _, source = self.fixed[0](batch.X[:n])
        _, target = module(batch.X[n:])
        told_apart = domain_loss(self.discriminator(source), self.discriminator(target.detach()))
        fooled = softplus(-frozen_call(self.discriminator, target)).mean()
        return told_apart + fooled


class ADDAClassifier(BaseStaged, BaseNetClassifier):
    """Train on the source, then adapt a copy against an adversary of the features' origin.

    Parameters
    ----------
    |module|
    |adaptation|
    |adversary|
    |training|

    Attributes
    ----------
    |fitted|
    |staged|

    See Also
    --------
    DANNClassifier : One network for both domains, in one stage.

    Notes
    -----
    A discriminator learns to tell the features of source rows, by the source network, from those
    of target rows, by a copy of it. The copy learns, with inverted labels, to be taken for the
    source; its head gets no gradient and stays the source's. With few epochs and a small learning
    rate the copy stays near the source network; nothing else keeps the classes in place.

    Assumption: as for :class:`DANNClassifier`, and the source network is a good start. Cost: that
    of the source network, then a pass of both networks and the discriminator per step. Arrays:
    torch; NumPy, data frames, lists, CuPy come in and go out.

    References
    ----------
    .. [1] E. Tzeng, J. Hoffman, K. Saenko, T. Darrell. "Adversarial Discriminative Domain
       Adaptation". CVPR 2017. arXiv:1702.05464

    Examples
    --------
    >>> from skda import ADDAClassifier, stack_domains
    >>> from sklearn.datasets import make_blobs
    >>> centers = [[0, 0], [4, 0], [0, 4]]
    >>> X_source, y_source = make_blobs(150, centers=centers, cluster_std=0.5, random_state=0)
    >>> X_target, y_target = X_source + [1.0, -0.5], y_source
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = ADDAClassifier(max_epochs=30, lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """

    def __init__(
        self,
        module=None,
        *,
        adaptation_epochs=20,
        adaptation_lr=1e-3,
        discriminator_hidden=64,
        **training,
    ):
        super().__init__(module, **training)
        self.adaptation_epochs = adaptation_epochs
        self.adaptation_lr = adaptation_lr
        self.discriminator_hidden = discriminator_hidden

    def _adapt(self, data, X, y):
        if not len(data.source):
            return
        loss = TargetAdversary(
            copy.deepcopy(self.net_.module_), self._n_features_out, self.discriminator_hidden
        )
        self._train_copy(
            copy.deepcopy(self.net_.module_),
            loss.to(X.device),
            data,
            X,
            y,
            source=data.source,
            target=data.target,
            stop_early=False,
        )
