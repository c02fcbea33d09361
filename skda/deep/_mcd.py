"""MCD: two classifiers that disagree on the target, features that stop them (Saito 2018)."""

import copy

import torch
from torch.nn.functional import cross_entropy

from ._base import BaseDeep
from ._base_tasks import BaseDeepClassifier
from ._modules import reverse_gradient
from ._training import AlignmentLoss


def discrepancy(logits, other):
    """Return the mean absolute difference of two sets of class probabilities [Eq. 1]."""
    return (torch.softmax(logits, dim=1) - torch.softmax(other, dim=1)).abs().mean()


class ClassifierDiscrepancyLoss(AlignmentLoss):
    """A second head beside the module's, and their disagreement on the target."""

    def __init__(self, head):
        super().__init__()
        self.head = head
        self.other = copy.deepcopy(head)
        for layer in self.other.modules():
            if hasattr(layer, "reset_parameters"):
                layer.reset_parameters()

    def forward(self, source, target, weight=1.0):
        """Return the second head's loss on the source minus the disagreement on the target."""
        features = reverse_gradient(target.features, weight)
        disagreement = discrepancy(self.head(features), self.other(features))
        return cross_entropy(self.other(source.features), source.y) - disagreement

    def weighted(self, source, target, weight):
        """Return the loss with the gradient reversed by this weight."""
        return self(source, target, weight)


class MCDClassifier(BaseDeepClassifier, BaseDeep):
    """Train two classifiers to disagree on the target, and features on which they cannot.

    Parameters
    ----------
    module : torch.nn.Module class or instance, default=None
        Network whose forward returns ``(logits, features)`` and whose attribute ``head`` maps the
        features to the logits; otherwise as in :class:`DANClassifier`.
    |alignment|
    |training|

    Attributes
    ----------
    |fitted|

    See Also
    --------
    MDDClassifier : The same idea with a margin, and a bound behind it.

    Notes
    -----
    Two heads F₁ (the module's) and F₂ minimize cross-entropy(source) − D, where D is the mean
    absolute difference of their class probabilities on the target; the features minimize
    cross-entropy(source) + w D. The paper alternates three kinds of steps; here both sides of
    the game move in one step by reversing the gradient between them, its variant with a reversal
    layer, at a quarter of the cost.

    Assumption: target rows on which two good source classifiers agree are classified rightly.
    Cost: a step adds three passes through a head. Arrays: torch; NumPy, data frames, lists, CuPy
    come in and go out.

    References
    ----------
    .. [1] K. Saito, K. Watanabe, Y. Ushiku, T. Harada. "Maximum Classifier Discrepancy for
       Unsupervised Domain Adaptation". CVPR 2018. arXiv:1712.02560

    Examples
    --------
    >>> from skda import MCDClassifier, stack_domains
    >>> from sklearn.datasets import make_blobs
    >>> centers = [[0, 0], [4, 0], [0, 4]]
    >>> X_source, y_source = make_blobs(150, centers=centers, cluster_std=0.5, random_state=0)
    >>> X_target, y_target = X_source + [1.0, -0.5], y_source
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = MCDClassifier(max_epochs=30, lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """

    def __init__(
        self, module=None, *, alignment_weight=1.0, alignment_schedule="sigmoid", **training
    ):
        super().__init__(module, **training)
        self.alignment_weight = alignment_weight
        self.alignment_schedule = alignment_schedule

    def _make_alignment(self, module, X):
        if not isinstance(getattr(module, "head", None), torch.nn.Module):
            raise ValueError(
                "MCDClassifier needs the head of the module by name; "
                f"{type(module).__name__} has no module `head`. Name its last layers `head`, so "
                "that forward returns (self.head(features), features)."
            )
        return ClassifierDiscrepancyLoss(module.head)
