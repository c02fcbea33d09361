"""DeepJDOT: transport source features and labels onto the target by batches (Damodaran 2018)."""

import numpy as np
import torch

from .._numerics._sinkhorn import sinkhorn_plan
from ._base import BaseDeep
from ._base_tasks import BaseDeepClassifier
from ._dan import squared_distances
from ._training import AlignmentLoss

ENTROPY = 0.05  # weight of the plan's entropy where mass may stay, as a share of that of the mass


def transport_plan(cost, marginal_reg=None):
    """Return the plan between uniform weights, found on the host.

    The exact one; or with `marginal_reg`, the one of least ⟨P, cost⟩ + marginal_reg (KL(P1 | a) +
    KL(Pᵀ1 | b)) + `ENTROPY` marginal_reg KL(P | abᵀ), a and b being the uniform weights.
    """
    n, m = cost.shape
    host = cost.detach().double().cpu().numpy()
    if marginal_reg is None:
        from ot import emd

        plan = emd(np.full(n, 1.0 / n), np.full(m, 1.0 / m), host, numItermax=1_000_000)
    else:
        plan = sinkhorn_plan(
            host,
            reg=ENTROPY * marginal_reg,
            marginal_reg=marginal_reg,
            max_iter=200,
            tol=1e-3,
            warn=False,
        ).coupling
    return torch.as_tensor(plan, dtype=cost.dtype, device=cost.device)


def joint_cost(source, target, feature_cost):
    """Return feature_cost ‖f_s − f_t‖² + cross-entropy(y_s, prediction on t) of each pair."""
    log_p = torch.log_softmax(target.logits, dim=1)
    distances = squared_distances(source.features, target.features)
    return feature_cost * distances - log_p[:, source.y].T


class JointTransportLoss(AlignmentLoss):
    """Cost of the optimal plan between the halves, the plan held fixed."""

    def __init__(self, feature_cost, marginal_reg):
        super().__init__()
        if marginal_reg is not None and not marginal_reg > 0:
            raise ValueError(
                f"marginal_reg must be a positive number or None; got {marginal_reg!r}."
            )
        self.feature_cost, self.marginal_reg = feature_cost, marginal_reg

    def forward(self, source, target):
        """Return the loss of a batch."""
        cost = joint_cost(source, target, self.feature_cost)
        return (transport_plan(cost, self.marginal_reg) * cost).sum()


class DeepJDOTClassifier(BaseDeepClassifier, BaseDeep):
    """Train a network while transporting source features and labels onto the target.

    Parameters
    ----------
    |module|
    |alignment|
    feature_cost : float, default=0.1
        Cost of a unit of squared distance between features, against the cross-entropy of a
        source label under a target prediction; raising it trusts the features more.
    marginal_reg : float or None, default=1.0
        Weight of KL(P1 | a) + KL(Pᵀ1 | b), which lets rows without a counterpart in the batch
        keep their mass [2]_. It is compared with the cost: rows whose cost is well above it stay
        out. None transports all of the mass, as in [1]_.
    |training|

    Attributes
    ----------
    |fitted|

    See Also
    --------
    WDGRLClassifier : Wasserstein distance by a critic.
    JANClassifier : Joint alignment by kernels.

    Notes
    -----
    Minimizes cross-entropy(source) + w min_P Σ P_ij (α ‖f_i − f_j‖² + CE(y_i, f(x_j))) over the
    plans P between the two halves of a batch, `feature_cost` being α.

    A plan that moves all mass gives at least as many target rows a wrong label as the shares of
    the classes differ between the halves. By chance alone that is a fifth of them for 64 rows
    each of ten equal classes; the paper takes batches of 500 with equal shares. By default the
    marginals are therefore soft [2]_, with an entropy of 0.05 `marginal_reg` KL(P | abᵀ) for
    Sinkhorn's iterations. With None the plan is exact and found by POT.

    Assumption: nearby features have the same label; with ``marginal_reg=None`` also that the shares
    of the classes are the same. Cost: a step adds O(b²) times the iterations (at most 200) for b
    rows, or O(b³ log b) for the exact plan, on the host, so that a GPU waits for it at each step.
    Arrays: torch with a NumPy island (the plan); NumPy, data frames, lists, CuPy come in and go
    out.

    References
    ----------
    .. [1] B. Damodaran, B. Kellenberger, R. Flamary, D. Tuia, N. Courty. "DeepJDOT: Deep Joint
       Distribution Optimal Transport for Unsupervised Domain Adaptation". ECCV 2018.
       arXiv:1803.10081
    .. [2] K. Fatras, T. Séjourné, R. Flamary, N. Courty. "Unbalanced Minibatch Optimal Transport;
       Applications to Domain Adaptation". ICML 2021. arXiv:2103.03606

    Examples
    --------
    >>> from skda import DeepJDOTClassifier, stack_domains
    >>> from sklearn.datasets import make_blobs
    >>> centers = [[0, 0], [4, 0], [0, 4]]
    >>> X_source, y_source = make_blobs(150, centers=centers, cluster_std=0.5, random_state=0)
    >>> X_target, y_target = X_source + [1.0, -0.5], y_source
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = DeepJDOTClassifier(max_epochs=30, lr=0.01, random_state=0)
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
        feature_cost=0.1,
        marginal_reg=1.0,
        **training,
    ):
        super().__init__(module, **training)
        self.alignment_weight = alignment_weight
        self.alignment_schedule = alignment_schedule
        self.feature_cost = feature_cost
        self.marginal_reg = marginal_reg

    def _make_alignment(self, module, X):
        return JointTransportLoss(self.feature_cost, self.marginal_reg)
