"""Deep CORAL: learn features whose covariance is the same in both domains (Sun & Saenko 2016)."""

import torch

from ._base import BaseDeep
from ._base_tasks import BaseDeepClassifier, BaseDeepRegressor
from ._training import AlignmentLoss


class _CovarianceGap(torch.autograd.Function):
    """‖C_s − C_t‖²_F and its gradient in closed form, 4 Z_s (C_s − C_t) / (n_s − 1) for the source.

    Z is centered, so that the mean needs no gradient of its own. Small as the arithmetic is, half
    of the time would go into recording it step by step.
    """

    @staticmethod
    def forward(ctx, source, target):
        centered = [x - x.mean(dim=0) for x in (source, target)]
        shares = [1.0 / max(z.shape[0] - 1, 1) for z in centered]
        (s, t), (a, b) = centered, shares
        gap = torch.addmm(s.T @ s, t.T, t, beta=a, alpha=-b)
        ctx.save_for_backward(s, t, gap)
        ctx.shares = shares
        return gap.square().sum()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        s, t, gap = ctx.saved_tensors
        slope = gap * (4.0 * gradient)
        return s @ slope * ctx.shares[0], t @ slope * -ctx.shares[1]


def coral_loss(source, target):
    """Return ‖C_s − C_t‖²_F / (4 d²) between the covariances of two sets of d features [Eq. 1]."""
    return _CovarianceGap.apply(source, target) / (4 * source.shape[1] ** 2)


class CORALLoss(AlignmentLoss):
    """Squared distance of the covariances of the features."""

    def forward(self, source, target):
        """Return the loss of a batch."""
        return coral_loss(source.features, target.features)


class _DeepCORAL(BaseDeep):
    def __init__(
        self, module=None, *, alignment_weight=100.0, alignment_schedule="constant", **training
    ):
        super().__init__(module, **training)
        self.alignment_weight = alignment_weight
        self.alignment_schedule = alignment_schedule

    def _make_alignment(self, module, X):
        return CORALLoss()


class DeepCORALClassifier(BaseDeepClassifier, _DeepCORAL):
    """Train a network on the source while making the covariances of its features agree.

    Parameters
    ----------
    |module|
    |alignment|
    |training|

    Attributes
    ----------
    |fitted|

    See Also
    --------
    DANClassifier : Align whole distributions instead of covariances.
    DeepCORALRegressor : The regressor.

    Notes
    -----
    Minimizes cross-entropy(source) + w ‖C_s − C_t‖²_F / (4 d²), the C being covariances of the d
    features over the two halves of a batch. The division by d² makes the loss small, hence the
    large default weight.

    Assumption: there are features in which labels given features agree, and whose first moments
    need no alignment. Cost: a step adds O(b d²) for b rows and d features. Arrays: torch; NumPy,
    data frames, lists, CuPy come in and go out.

    References
    ----------
    .. [1] B. Sun and K. Saenko. "Deep CORAL: Correlation Alignment for Deep Domain Adaptation".
       ECCV Workshops 2016. arXiv:1607.01719

    Examples
    --------
    >>> from skda import DeepCORALClassifier, stack_domains
    >>> from sklearn.datasets import make_blobs
    >>> centers = [[0, 0], [4, 0], [0, 4]]
    >>> X_source, y_source = make_blobs(150, centers=centers, cluster_std=0.5, random_state=0)
    >>> X_target, y_target = X_source + [1.0, -0.5], y_source
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = DeepCORALClassifier(max_epochs=30, lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """


class DeepCORALRegressor(BaseDeepRegressor, _DeepCORAL):
    """Train a regression network while making the covariances of its features agree.

    Parameters
    ----------
    |module|
    |alignment|
    |training|

    Attributes
    ----------
    |fitted|

    See Also
    --------
    DeepCORALClassifier : The classifier, with the formula.

    Notes
    -----
    Minimizes the squared error of the standardized values plus the loss of
    :class:`DeepCORALClassifier`, under the same assumption and at the same cost. Arrays: torch;
    NumPy, data frames, lists, CuPy come in and go out.

    References
    ----------
    .. [1] B. Sun and K. Saenko. "Deep CORAL: Correlation Alignment for Deep Domain Adaptation".
       ECCV Workshops 2016. arXiv:1607.01719

    Examples
    --------
    >>> from skda import DeepCORALRegressor, stack_domains
    >>> from sklearn.datasets import make_regression
    >>> X_source, y_source = make_regression(200, 3, random_state=0)
    >>> X_target, y_target = 1.2 * X_source, 1.2 * y_source
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = DeepCORALRegressor(alignment_weight=1.0, max_epochs=20, lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """
