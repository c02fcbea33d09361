"""WDGRL: features at a small Wasserstein distance, which a critic estimates (Shen 2018)."""

import torch

from ._base import BaseDeep
from ._base_tasks import BaseDeepClassifier, BaseDeepRegressor
from ._modules import adversary, can_fuse, frozen_call
from ._training import AlignmentLoss


def gradient_penalty(critic, source, target, mix):
    """Return the mean of (‖gradient of the critic‖ − 1)² between pairs of rows [Eq. 4]."""
    n = mix.shape[0]
    between = (mix * source[:n] + (1.0 - mix) * target[:n]).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    norm = (gradient.square().sum(dim=1) + 1e-12).sqrt()  # its own gradient exists at 0
    return (norm - 1.0).square().mean()


class WassersteinLoss(AlignmentLoss):
    """The gap of a critic between the domains, the critic trained by its own optimizer."""

    def __init__(self, n_features, hidden, *, n_critic, critic_lr, penalty):
        super().__init__()
        if n_critic < 1:
            raise ValueError(f"n_critic must be at least 1; got {n_critic!r}.")
        self.critic = adversary(n_features, hidden)
        self.n_critic, self.critic_lr, self.penalty = n_critic, critic_lr, penalty
        self.optimizer = None

    def before_step(self, source, target):
        """Train the critic on these features."""
        if self.optimizer is None:  # now that the critic is on its device
            self.optimizer = torch.optim.Adam(
                self.critic.parameters(), lr=self.critic_lr, fused=can_fuse(self.critic) or None
            )
        s, t = source.features.detach(), target.features.detach()
        for _ in range(self.n_critic):
            mix = torch.rand(min(len(s), len(t)), 1, dtype=s.dtype, device=s.device)
            gap = self.critic(s).mean() - self.critic(t).mean()
            loss = self.penalty * gradient_penalty(self.critic, s, t, mix) - gap
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        self.optimizer.zero_grad()  # leaves no gradient to the optimizer of the net

    def forward(self, source, target):
        """Return the critic's mean on the source minus that on the target, the critic fixed."""
        s, t = (frozen_call(self.critic, half.features).mean() for half in (source, target))
        return s - t


class _WDGRL(BaseDeep):
    def __init__(
        self,
        module=None,
        *,
        alignment_weight=1.0,
        alignment_schedule="constant",
        critic_hidden=64,
        n_critic=5,
        critic_lr=1e-3,
        penalty=10.0,
        **training,
    ):
        super().__init__(module, **training)
        self.alignment_weight = alignment_weight
        self.alignment_schedule = alignment_schedule
        self.critic_hidden = critic_hidden
        self.n_critic = n_critic
        self.critic_lr = critic_lr
        self.penalty = penalty

    def _make_alignment(self, module, X):
        return WassersteinLoss(
            self._n_features_out,
            self.critic_hidden,
            n_critic=self.n_critic,
            critic_lr=self.critic_lr,
            penalty=self.penalty,
        )


class WDGRLClassifier(BaseDeepClassifier, _WDGRL):
    """Train a network while making its features close in Wasserstein distance.

    Parameters
    ----------
    |module|
    |alignment|
    |critic|
    |training|

    Attributes
    ----------
    |fitted|

    See Also
    --------
    DANNClassifier : The adversary tells domains instead.
    DeepJDOTClassifier : Transport of features and labels.
    WDGRLRegressor : The regressor.

    Notes
    -----
    Before each step a critic h is trained for `n_critic` steps to maximize
    mean h(source) − mean h(target) − penalty · mean (‖∇h‖ − 1)², an estimate of the Wasserstein-1
    distance of the features; the features then minimize cross-entropy(source) + w times it.

    Assumption: as for :class:`DANNClassifier`; the distance keeps a slope where the domains do not
    overlap. Cost: a step adds `n_critic` steps of the critic, with second derivatives; about five
    times the time of DANN. Arrays: torch; NumPy, data frames, lists, CuPy come in and go out.

    References
    ----------
    .. [1] J. Shen, Y. Qu, W. Zhang, Y. Yu. "Wasserstein Distance Guided Representation Learning
       for Domain Adaptation". AAAI 2018. arXiv:1707.01217

    Examples
    --------
    >>> from skda import WDGRLClassifier, stack_domains
    >>> from sklearn.datasets import make_blobs
    >>> centers = [[0, 0], [4, 0], [0, 4]]
    >>> X_source, y_source = make_blobs(150, centers=centers, cluster_std=0.5, random_state=0)
    >>> X_target, y_target = X_source + [1.0, -0.5], y_source
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = WDGRLClassifier(max_epochs=30, lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """


class WDGRLRegressor(BaseDeepRegressor, _WDGRL):
    """Train a regression network while making its features close in Wasserstein distance.

    Parameters
    ----------
    |module|
    |alignment|
    |critic|
    |training|

    Attributes
    ----------
    |fitted|

    See Also
    --------
    WDGRLClassifier : The classifier, with the formula.

    Notes
    -----
    The distance of :class:`WDGRLClassifier` beside the squared error of the standardized values,
    under the same assumption and at the same cost. Arrays: torch; NumPy, data frames, lists, CuPy
    come in and go out.

    References
    ----------
    .. [1] J. Shen, Y. Qu, W. Zhang, Y. Yu. "Wasserstein Distance Guided Representation Learning
       for Domain Adaptation". AAAI 2018. arXiv:1707.01217

    Examples
    --------
    >>> from skda import WDGRLRegressor, stack_domains
    >>> from sklearn.datasets import make_regression
    >>> X_source, y_source = make_regression(200, 3, random_state=0)
    >>> X_target, y_target = 1.2 * X_source, 1.2 * y_source
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = WDGRLRegressor(alignment_weight=0.1, max_epochs=20, lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """
