"""AFN: features of large norm transfer better, so let the norm grow (Xu 2019)."""

from ._base import BaseDeep
from ._base_tasks import BaseDeepClassifier
from ._training import AlignmentLoss


def norm_loss(features, step, radius):
    """Return the mean of (‖f‖ − ‖f‖ now − step)² [Eq. 6], or (mean ‖f‖ − radius)² [Eq. 4]."""
    norms = (features.square().sum(dim=1) + 1e-12).sqrt()
    if radius is None:
        return (norms - (norms.detach() + step)).square().mean()
    return (norms.mean() - radius).square()


class FeatureNormLoss(AlignmentLoss):
    """Distance of the norms of the features of both halves from larger ones."""

    def __init__(self, step, radius):
        super().__init__()
        self.step, self.radius = step, radius

    def forward(self, source, target):
        """Return the loss of a batch."""
        return sum(norm_loss(half.features, self.step, self.radius) for half in (source, target))


class AFNClassifier(BaseDeepClassifier, BaseDeep):
    """Train a network while the norms of its features grow alike in both domains.

    Parameters
    ----------
    module : torch.nn.Module class or instance, default=None
        As in :class:`DANClassifier`; None is :class:`~skda.deep.MLP` with batch normalization.
    |alignment|
    step : float, default=1.0
        By how much each norm is to grow at a step of the training (stepwise AFN).
    radius : float, default=None
        Common mean norm to reach instead (hard AFN).
    |training|

    Attributes
    ----------
    |fitted|

    See Also
    --------
    DeepCORALClassifier : Align covariances.

    Notes
    -----
    Minimizes cross-entropy(source) + w Σ_domains mean (‖f‖ − (‖f‖ now + step))², whose gradient
    lengthens every feature vector; or, with `radius`, w Σ_domains (mean ‖f‖ − radius)².

    Batch normalization before the features, as in the paper, belongs to the method: without it the
    shortest way to longer features is one common direction, and layers that multiply each other
    grow without bound while the classes are lost.

    Assumption: what goes wrong on the target are features of small norm. Cost: a step adds O(b d)
    for b rows and d features. Arrays: torch; NumPy, data frames, lists, CuPy come in and go
    out.

    References
    ----------
    .. [1] R. Xu, G. Li, J. Yang, L. Lin. "Larger Norm More Transferable: An Adaptive Feature Norm
       Approach for Unsupervised Domain Adaptation". ICCV 2019. arXiv:1811.07456

    Examples
    --------
    >>> from skda import AFNClassifier, stack_domains
    >>> from sklearn.datasets import make_blobs
    >>> centers = [[0, 0], [4, 0], [0, 4]]
    >>> X_source, y_source = make_blobs(150, centers=centers, cluster_std=0.5, random_state=0)
    >>> X_target, y_target = X_source + [1.0, -0.5], y_source
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = AFNClassifier(max_epochs=30, lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """

    def __init__(
        self,
        module=None,
        *,
        alignment_weight=0.05,
        alignment_schedule="constant",
        step=1.0,
        radius=None,
        **training,
    ):
        super().__init__(module, **training)
        self.alignment_weight = alignment_weight
        self.alignment_schedule = alignment_schedule
        self.step = step
        self.radius = radius

    def _make_module(self, X):
        if self.module is not None:
            return super()._make_module(X)
        return super()._make_module(X, batch_norm=True)

    def _make_alignment(self, module, X):
        return FeatureNormLoss(self.step, self.radius)
