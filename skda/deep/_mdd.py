"""MDD: a second classifier that disagrees on the target but not on the source (Zhang 2019)."""

import torch
from torch.nn.functional import cross_entropy

from ._base import BaseDeep
from ._base_tasks import BaseDeepClassifier
from ._modules import adversary, reverse_gradient
from ._training import AlignmentLoss


def margin_disparity(source, target, source_class, target_class, margin):
    """Return γ·CE(f'(s), f(s)) − log(1 − p'_{f(t)}(t)), each a mean over rows [Eq. 28]."""
    p = torch.softmax(target, dim=1).gather(1, target_class[:, None])
    disagreement = -torch.log1p(-p.clamp(max=1.0 - 1e-6)).mean()
    return margin * cross_entropy(source, source_class) + disagreement


class MarginDisparityLoss(AlignmentLoss):
    """An adversarial classifier behind a reversal of the gradient."""

    def __init__(self, n_features, n_classes, hidden, margin):
        super().__init__()
        self.classifier = adversary(n_features, hidden, n_classes)
        self.margin = margin

    def forward(self, source, target, weight=1.0):
        """Return the loss of the adversarial classifier; features get its gradient reversed."""
        both = torch.cat([source.features, target.features])
        n = source.features.shape[0]
        outputs = self.classifier(reverse_gradient(both, weight))
        classes = (half.logits.detach().argmax(dim=1) for half in (source, target))
        return margin_disparity(outputs[:n], outputs[n:], *classes, self.margin)

    def weighted(self, source, target, weight):
        """Return the loss with the gradient reversed by this weight."""
        return self(source, target, weight)


class MDDClassifier(BaseDeepClassifier, BaseDeep):
    """Train a network whose features leave a second classifier no room to disagree on the target.

    Parameters
    ----------
    |module|
    |alignment|
    classifier_hidden : int or tuple of int, default=64
        Widths of the hidden layers of the adversarial classifier.
    margin : float, default=4.0
        Weight γ of the agreement on the source, the exponential of the margin; raising it ties
        the adversarial classifier more to the classifier on the source.
    |training|

    Attributes
    ----------
    |fitted|

    See Also
    --------
    MCDClassifier : Two classifiers that disagree on the target.
    DANNClassifier : An adversary of domains.

    Notes
    -----
    An adversarial classifier f' learns to predict what the classifier f predicts on the source
    and anything else on the target; the features learn, by the reversed gradient, to make that
    impossible. The weight scales the reversed gradient.

    Assumption: some classifier is good on both domains. Cost: a step adds a pass through f',
    linear in rows and features. Arrays: torch; NumPy, data frames, lists, CuPy come in and go
    out.

    References
    ----------
    .. [1] Y. Zhang, T. Liu, M. Long, M. Jordan. "Bridging Theory and Algorithm for Domain
       Adaptation". ICML 2019. arXiv:1904.05801

    Examples
    --------
    >>> from skda import MDDClassifier, stack_domains
    >>> from sklearn.datasets import make_blobs
    >>> centers = [[0, 0], [4, 0], [0, 4]]
    >>> X_source, y_source = make_blobs(150, centers=centers, cluster_std=0.5, random_state=0)
    >>> X_target, y_target = X_source + [1.0, -0.5], y_source
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = MDDClassifier(max_epochs=30, lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """

    def __init__(
        self,
        module=None,
        *,
        alignment_weight=0.1,
        alignment_schedule="sigmoid",
        classifier_hidden=64,
        margin=4.0,
        **training,
    ):
        super().__init__(module, **training)
        self.alignment_weight = alignment_weight
        self.alignment_schedule = alignment_schedule
        self.classifier_hidden = classifier_hidden
        self.margin = margin

    def _make_alignment(self, module, X):
        return MarginDisparityLoss(
            self._n_features_out, len(self.classes_), self.classifier_hidden, self.margin
        )
