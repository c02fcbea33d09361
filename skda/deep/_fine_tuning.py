"""Fine-tuning: go on training a source network on the few target rows that have a label."""

import copy

import numpy as np
import torch

from .._array._warnings import warn_user
from .._core._sample_domain import DomainWarning
from ._base_tasks import BaseNetClassifier, BaseNetRegressor
from ._base_two_stage import BaseStaged
from ._training import AlignmentLoss, PairedNet


def layers_of(module):
    """Return the names of the layers that have parameters, from the input to the output."""
    return list(dict.fromkeys(name.rpartition(".")[0] for name, _ in module.named_parameters()))


def frozen_layers(layers, freeze):
    """Return the layers that `freeze` stands for: a depth, or beginnings of names."""
    if freeze is None:
        return []
    if isinstance(freeze, int | np.integer):
        if abs(freeze) > len(layers):
            raise ValueError(
                f"freeze={freeze} is deeper than the network, whose layers are {layers}."
            )
        return layers[:freeze]
    names = [freeze] if isinstance(freeze, str) else list(freeze)
    unknown = [name for name in names if not any(layer.startswith(name) for layer in layers)]
    if unknown:
        raise ValueError(
            f"freeze must name layers of the network, or their beginnings; got {unknown}, and the "
            f"layers are {layers}."
        )
    return [layer for layer in layers if layer.startswith(tuple(names))]


class StartingPoint(AlignmentLoss):
    """Half the squared distance of the weights from those of the source, and gradual thawing."""

    def __init__(self, module, frozen, unfreeze_every):
        super().__init__()
        self.start = {name: p.detach().clone() for name, p in module.named_parameters()}
        self.frozen, self.unfreeze_every = list(frozen), unfreeze_every
        self.n_epochs = 0

    def on_epoch_begin(self, net, batches):
        """Thaw the deepest frozen layer when its time has come."""
        if self.unfreeze_every and self.n_epochs and self.n_epochs % self.unfreeze_every == 0:
            self.frozen = self.frozen[:-1]
        self.n_epochs += 1
        for name, parameter in net.module_.named_parameters():
            parameter.requires_grad_(name.rpartition(".")[0] not in self.frozen)

    def distance(self, module):
        """Return half the squared distance of the weights that are trained."""
        moved = [
            (p - self.start[name]).square().sum()
            for name, p in module.named_parameters()
            if p.requires_grad
        ]
        return 0.5 * torch.stack(moved).sum()


class TuningNet(PairedNet):
    """A net that is trained on labeled target rows, near its starting point."""

    def losses(self, batch):
        """Return the supervised loss and the weighted distance from the starting point."""
        rows, _ = batch.halves(*self.module_(batch.X))
        supervised = self.criterion_(rows.logits, rows.y)
        if not self.alignment_weight:
            return supervised, None
        return supervised, self.alignment_weight * self.alignment_.distance(self.module_)


class _FineTuning(BaseStaged):
    _labels = "all"

    def __init__(
        self,
        module=None,
        *,
        source_model=None,
        freeze=None,
        unfreeze_every=None,
        lr_decay=1.0,
        l2_sp=0.0,
        adaptation_epochs=50,
        adaptation_lr=1e-4,
        **training,
    ):
        super().__init__(module, **training)
        self.source_model = source_model
        self.freeze = freeze
        self.unfreeze_every = unfreeze_every
        self.lr_decay = lr_decay
        self.l2_sp = l2_sp
        self.adaptation_epochs = adaptation_epochs
        self.adaptation_lr = adaptation_lr

    def _validation_criteria(self):
        return {"source": None}  # the supervised loss, on held-out rows of each stage

    def _check_params(self):
        super()._check_params()
        if not self.l2_sp >= 0:
            raise ValueError(f"l2_sp must be a number of at least 0; got {self.l2_sp!r}.")
        if not 0 < self.lr_decay <= 1:
            raise ValueError(f"lr_decay must lie in (0, 1]; got {self.lr_decay!r}.")
        if self.unfreeze_every is not None and self.unfreeze_every < 1:
            raise ValueError(
                f"unfreeze_every must be at least 1 or None; got {self.unfreeze_every!r}."
            )

    def _adapt(self, data, X, y):
        rows = data.target[data.labeled[data.target]]
        if not len(rows):
            warn_user(
                f"{type(self).__name__} got no label on a target row, so the source network is "
                "used as it is. Put the labels you have into y, missing values on the other rows.",
                DomainWarning,
            )
            return
        module = copy.deepcopy(self.net_.module_)
        layers = layers_of(module)
        frozen = frozen_layers(layers, self.freeze)
        if len(frozen) == len(layers) and not self.unfreeze_every:
            raise ValueError(
                f"freeze={self.freeze!r} leaves no layer to train. Freeze fewer of {layers}."
            )
        groups = [
            (f"{layer}.*", {"lr": self.adaptation_lr * self.lr_decay**depth})
            for depth, layer in enumerate(reversed(layers))
        ]
        self._train_copy(
            module,
            StartingPoint(module, frozen, self.unfreeze_every),
            data,
            X,
            y,
            source=rows,
            target=rows[:0],
            net_class=TuningNet,
            alignment_weight=self.l2_sp,
            **({"optimizer__param_groups": groups} if self.lr_decay != 1 else {}),
        )


class FineTuningClassifier(_FineTuning, BaseNetClassifier):
    """Train a network on the source, then go on with the labeled rows of the target.

    Labels of target rows are used where there is one: missing are NaN, None or, among integers,
    -1. Unlabeled target rows are not looked at.

    Parameters
    ----------
    |module|
    |source_model|
    |tuning|
    |adaptation|
    |training|

    Attributes
    ----------
    |fitted|
    |staged|

    See Also
    --------
    SHOTClassifier : Adapts to target rows without labels.
    FineTuningRegressor : The regressor.

    Notes
    -----
    The second stage minimizes cross-entropy(labeled target rows) + l2_sp/2 Σ (w − w_source)².
    With ``freeze=-1`` the extractor is frozen and the head alone is fine-tuned, which a handful
    of rows can bear. Early stopping, if asked for, holds out source rows in the first stage and
    labeled target rows in the second.

    Assumption: the source network's features are useful on the target. Cost: that of two plain
    trainings. Arrays: torch; NumPy, data frames, lists, CuPy come in and go out.

    References
    ----------
    .. [1] X. Li, Y. Grandvalet, F. Davoine. "Explicit Inductive Bias for Transfer Learning with
       Convolutional Networks". ICML 2018. arXiv:1802.01483
    .. [2] J. Howard, S. Ruder. "Universal Language Model Fine-tuning for Text Classification".
       ACL 2018. arXiv:1801.06146

    Examples
    --------
    >>> from skda import FineTuningClassifier, stack_domains
    >>> from sklearn.datasets import make_blobs
    >>> centers = [[0, 0], [4, 0], [0, 4]]
    >>> X_source, y_source = make_blobs(150, centers=centers, cluster_std=0.5, random_state=0)
    >>> X_target, y_target = X_source + [2.0, 2.0], y_source
    >>> few = y_target.copy()
    >>> few[15:] = -1  # the others have no label
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target, few)
    >>> net = FineTuningClassifier(max_epochs=30, lr=0.01, adaptation_lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """


class FineTuningRegressor(_FineTuning, BaseNetRegressor):
    """Train a network on the source, then go on with the target rows that have a value.

    Missing values of `y` on target rows are NaN. Target rows without a value are not looked at.

    Parameters
    ----------
    |module|
    |source_model|
    |tuning|
    |adaptation|
    |training|

    Attributes
    ----------
    |fitted|
    |staged|

    See Also
    --------
    FineTuningClassifier : The classifier, with the formula.

    Notes
    -----
    As :class:`FineTuningClassifier`, with the squared error of the values standardized by mean
    and scale of the source. Arrays: torch; NumPy, data frames, lists, CuPy come in and go out.

    References
    ----------
    .. [1] X. Li, Y. Grandvalet, F. Davoine. "Explicit Inductive Bias for Transfer Learning with
       Convolutional Networks". ICML 2018. arXiv:1802.01483
    .. [2] J. Howard, S. Ruder. "Universal Language Model Fine-tuning for Text Classification".
       ACL 2018. arXiv:1801.06146

    Examples
    --------
    >>> import numpy as np
    >>> from skda import FineTuningRegressor, stack_domains
    >>> from sklearn.datasets import make_regression
    >>> X_source, y_source = make_regression(200, 3, random_state=0)
    >>> X_target, y_target = X_source, y_source + 100.0
    >>> few = y_target.copy()
    >>> few[20:] = np.nan
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target, few)
    >>> net = FineTuningRegressor(max_epochs=30, lr=0.01, adaptation_lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """
