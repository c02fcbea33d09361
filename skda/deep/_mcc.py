"""MCC: predictions on the target that do not confuse pairs of classes (Jin 2020)."""

import torch

from ._base import BaseDeep
from ._base_tasks import BaseDeepClassifier
from ._cdan import entropy
from ._training import AlignmentLoss


def class_confusion(logits, temperature):
    """Return the mean confusion between different classes [Eq. 2-6]."""
    p = torch.softmax(logits / temperature, dim=1)
    weights = 1.0 + torch.exp(-entropy(p.detach()))
    confusion = p.T @ (p * (weights / weights.mean())[:, None])
    confusion = confusion / confusion.sum(dim=1, keepdim=True)
    return (confusion.sum() - confusion.diagonal().sum()) / logits.shape[1]


class ClassConfusionLoss(AlignmentLoss):
    """Confusion between classes in the predictions on the target."""

    def __init__(self, temperature):
        super().__init__()
        if not temperature > 0:
            raise ValueError(f"temperature must be positive; got {temperature!r}.")
        self.temperature = temperature

    def forward(self, source, target):
        """Return the loss of a batch; the source half is not looked at."""
        return class_confusion(target.logits, self.temperature)


class MCCClassifier(BaseDeepClassifier, BaseDeep):
    """Train a network whose predictions on the target do not waver between classes.

    Parameters
    ----------
    |module|
    |alignment|
    temperature : float, default=2.5
        Divides the logits before the confusion is measured; raising it looks at more than the
        two likeliest classes.
    |training|

    Attributes
    ----------
    |fitted|

    See Also
    --------
    CDANClassifier : Align features given predictions.
    SHOTClassifier : Confident and diverse predictions without source rows.

    Notes
    -----
    Minimizes cross-entropy(source) + w Σ_{j≠k} C_jk / K, where C is the correlation between the
    class probabilities of the K classes over the target half of a batch, rows weighted by
    1 + exp(−entropy), each row of C divided by its sum. There is no alignment of features.

    Assumption: the target has clusters, and the source model is right on most of each. Cost: a step
    adds O(b K²) for b rows. Arrays: torch; NumPy, data frames, lists, CuPy come in and go out.

    References
    ----------
    .. [1] Y. Jin, X. Wang, M. Long, J. Wang. "Minimum Class Confusion for Versatile Domain
       Adaptation". ECCV 2020. arXiv:1912.03699

    Examples
    --------
    >>> from skda import MCCClassifier, stack_domains
    >>> from sklearn.datasets import make_blobs
    >>> centers = [[0, 0], [4, 0], [0, 4]]
    >>> X_source, y_source = make_blobs(150, centers=centers, cluster_std=0.5, random_state=0)
    >>> X_target, y_target = X_source + [1.0, -0.5], y_source
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = MCCClassifier(max_epochs=30, lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """

    def __init__(
        self,
        module=None,
        *,
        alignment_weight=1.0,
        alignment_schedule="constant",
        temperature=2.5,
        **training,
    ):
        super().__init__(module, **training)
        self.alignment_weight = alignment_weight
        self.alignment_schedule = alignment_schedule
        self.temperature = temperature

    def _make_alignment(self, module, X):
        return ClassConfusionLoss(self.temperature)
