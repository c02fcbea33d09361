"""SHOT: adapt a source network to target rows alone, its head kept fixed (Liang 2020)."""

import copy

import numpy as np
import torch
from torch.nn.functional import cross_entropy, normalize

from ._base_tasks import BaseNetClassifier, information_loss
from ._base_two_stage import BaseStaged
from ._modules import head_parameters
from ._training import AlignmentLoss


def centroid_labels(features, p, n_rounds=2):
    """Return the class of the nearest centroid of each row, by cosine.

    The centroids are first those of the soft predictions, then those of the labels found
    [Eq. 5-6]. A class without rows takes no part any more.
    """
    directions = normalize(features, dim=1)
    shares = p
    for _ in range(n_rounds):
        weights = shares / shares.sum(dim=0).clamp_min(1e-8)
        similarity = directions @ normalize(weights.T @ directions, dim=1).T
        similarity = similarity.masked_fill(shares.sum(dim=0) < 1e-8, -torch.inf)
        labels = similarity.argmax(dim=1)
        shares = torch.nn.functional.one_hot(labels, p.shape[1]).to(p.dtype)
    return labels


class InformationLoss(AlignmentLoss):
    """Confident and diverse predictions, and agreement with the nearest centroid."""

    def __init__(self, pseudo_label_weight):
        super().__init__()
        self.pseudo_label_weight = pseudo_label_weight
        self.pseudo_labels = None

    def on_epoch_begin(self, net, batches):
        """Label all target rows anew."""
        if not self.pseudo_label_weight:
            return
        rows = torch.as_tensor(batches.sides[1], device=batches.X.device)
        net._set_training(False)
        with torch.no_grad():
            logits, features = net.module_(batches.X[rows])
        self.pseudo_labels = torch.zeros(len(batches.X), dtype=torch.int64, device=rows.device)
        self.pseudo_labels[rows] = centroid_labels(features, torch.softmax(logits, dim=1))

    def of_batch(self, module, batch):
        """Return the loss of a batch of target rows."""
        logits, _ = module(batch.X)
        loss = information_loss(logits)
        if self.pseudo_label_weight:
            pseudo = cross_entropy(logits, self.pseudo_labels[batch.rows])
            loss = loss + self.pseudo_label_weight * pseudo
        return loss


class SHOTClassifier(BaseStaged, BaseNetClassifier):
    """Adapt a source network to target rows alone: confident, diverse, near the class centroids.

    Source rows are needed for the source network only; with a fitted `source_model` none are
    needed at all.

    Parameters
    ----------
    |module|
    |source_model|
    |adaptation|
    pseudo_label_weight : float, default=0.3
        Weight of the agreement with the nearest class centroid.
    |training|

    Attributes
    ----------
    |fitted|
    |staged|

    See Also
    --------
    MCCClassifier : Unwavering predictions on the target, with source rows.
    AdaBNClassifier : Renew the statistics of batch normalization alone.

    Notes
    -----
    On a copy of the source network with its head fixed, minimizes H(p) averaged over the target
    rows of a batch, minus the entropy of the mean prediction, plus the cross-entropy with the
    class of the nearest centroid of features, found anew at each epoch.

    Assumption: the target has clusters, about balanced, and the source model is right on most of
    each. Cost: a step costs that of the network; an epoch adds O(n d K) for n rows, d features
    and K classes. Arrays: torch; NumPy, data frames, lists, CuPy come in and go out.

    References
    ----------
    .. [1] J. Liang, D. Hu, J. Feng. "Do We Really Need to Access the Source Data? Source
       Hypothesis Transfer for Unsupervised Domain Adaptation". ICML 2020. arXiv:2002.08546

    Examples
    --------
    >>> from skda import SHOTClassifier, DeepSourceOnlyClassifier, stack_domains
    >>> from sklearn.datasets import make_blobs
    >>> centers = [[0, 0], [4, 0], [0, 4]]
    >>> X_source, y_source = make_blobs(150, centers=centers, cluster_std=0.5, random_state=0)
    >>> X_target, y_target = X_source + [1.0, -0.5], y_source
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> source = DeepSourceOnlyClassifier(max_epochs=30, lr=0.01, random_state=0)
    >>> source = source.fit(X, y, sample_domain=sample_domain)
    >>> net = SHOTClassifier(source_model=source, random_state=0)
    >>> net = net.fit(X_target, sample_domain=[-2] * len(X_target))
    >>> net.score(X_target, y_target)
    1.0
    """

    def __init__(
        self,
        module=None,
        *,
        source_model=None,
        adaptation_epochs=10,
        adaptation_lr=1e-3,
        pseudo_label_weight=0.3,
        **training,
    ):
        super().__init__(module, **training)
        self.source_model = source_model
        self.adaptation_epochs = adaptation_epochs
        self.adaptation_lr = adaptation_lr
        self.pseudo_label_weight = pseudo_label_weight

    @property
    def _labels(self):
        return "source" if self.source_model is None else "ignored"

    def fit(self, X, y=None, *, sample_domain=None):
        """Train the source network, unless one is given, and adapt it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains; of the target alone if there is a `source_model`.
        y : array-like of shape (n_samples,), default=None
            Labels of the source rows; not looked at if there is a `source_model`.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target. None: all rows are source, nothing is
            adapted, and a :class:`~skda.DomainWarning` says so.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return super().fit(X, y, sample_domain=sample_domain)

    def _encode(self, data, *, known=False, classes=None):
        if self.source_model is None:
            return super()._encode(data, known=known)
        self._take_over()
        return np.full(len(data.ids), -1, dtype=np.int64)

    def _adapt(self, data, X, y):
        module = copy.deepcopy(self.net_.module_)
        fixed = head_parameters(module, X)
        for name, parameter in module.named_parameters():
            parameter.requires_grad_(name not in fixed)
        self._train_copy(
            module,
            InformationLoss(self.pseudo_label_weight),
            data,
            X,
            y,
            source=data.source[:0],
            target=data.target,
            stop_early=False,
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.source_model is None
        return tags
