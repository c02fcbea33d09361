"""Fine-tuning: go on training a source network on the few target rows that have a label."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch

from .._array._warnings import warn_user
from .._core._param_checks import check_integer, check_real
from .._core._sample_domain import DomainWarning
from .._core._typing import Estimator, RandomState
from ._base_tasks import DeepClassifier, DeepRegressor
from ._base_two_stage import Adaptation
from ._training import AlignmentLoss, PairedNet
from ._typing import Backbone


def layers_of(module):
    """Return the names of the layers that have parameters, from the input to the output."""
    # A dict keeps the order, and each layer once (weight and bias).
    return list(dict.fromkeys(name.rpartition(".")[0] for name, _ in module.named_parameters()))


def check_freeze(freeze):
    """Return `freeze` if it can stand for layers; which ones there are is known later."""
    names = freeze if isinstance(freeze, list | tuple) else [freeze]
    # True would stand for one layer.
    is_depth = isinstance(freeze, int | np.integer) and not isinstance(freeze, bool)
    if freeze is not None and not is_depth and not all(isinstance(n, str) for n in names):
        raise ValueError(
            "freeze must be a number of layers, the beginning of a layer's name, a list of such, "
            f"or None; got {freeze!r}."
        )
    return freeze


def frozen_layers(layers, freeze):
    """Return the layers that `freeze` stands for: a depth, or beginnings of names."""
    if freeze is None:
        return []
    if isinstance(freeze, int | np.integer):
        if abs(freeze) > len(layers):
            raise ValueError(
                f"freeze={freeze} is deeper than the network, whose layers are {layers}."
            )
        # A negative number leaves so many layers at the end free.
        return layers[:freeze]
    names = [freeze] if isinstance(freeze, str) else list(freeze)
    # A misspelled name would freeze nothing, and nobody would notice.
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
            # The frozen layer that is nearest to the output.
            self.frozen = self.frozen[:-1]
        self.n_epochs += 1
        for name, parameter in net.module_.named_parameters():
            # Set for all, since what was frozen before has to learn again.
            parameter.requires_grad_(name.rpartition(".")[0] not in self.frozen)

    def distance(self, module):
        """Return half the squared distance of the weights that are trained."""
        moved = [
            (p - self.start[name]).square().sum()
            for name, p in module.named_parameters()
            # Frozen weights have not moved, and need no term.
            if p.requires_grad
        ]
        return 0.5 * torch.stack(moved).sum()


class TuningNet(PairedNet):
    """A net that is trained on labeled target rows, near its starting point."""

    def losses(self, batch):
        """Return the supervised loss and the weighted distance from the starting point."""
        # The labeled target rows stand in the place of the source rows, see `adapt`.
        rows, _ = batch.by_domain(*self.module_outputs(batch, "target"))
        supervised = self.supervised_loss(rows.logits, rows.y, rows.weights)
        # Without the penalty its arithmetic is saved.
        if not self.alignment_weight:
            return supervised, None
        return supervised, self.alignment_weight * self.alignment_.distance(self.module_)


class FineTuning(Adaptation):
    """Train a copy on labeled target rows, some of its layers kept as they are."""

    def __init__(self, freeze, unfreeze_every, lr_decay, l2_sp, lr):
        self.freeze, self.unfreeze_every = freeze, unfreeze_every
        self.lr_decay, self.l2_sp, self.lr = lr_decay, l2_sp, lr

    @staticmethod
    def check_params(params):
        """Return what is frozen, the learning rates and the weight of the starting point."""
        return {
            "freeze": check_freeze(params["freeze"]),
            "unfreeze_every": check_integer("unfreeze_every", params["unfreeze_every"], none=True),
            "lr_decay": check_real("lr_decay", params["lr_decay"], low=0, high=1, closed="right"),
            "l2_sp": check_real("l2_sp", params["l2_sp"], low=0),
            "lr": params["adaptation_lr"],
        }

    def adapt(self, module, n_features, rows, train):
        """Return the copy trained on the labeled target rows, and its net."""
        if not len(rows.target):
            warn_user(
                "Fine-tuning got no label on a target row, so the source network is used as it is. "
                "Put the labels you have into y, missing values on the other rows.",
                DomainWarning,
            )
            return None, None
        # The first network stays as it is: it maps the source rows.
        module = copy.deepcopy(module)
        layers = layers_of(module)
        frozen = frozen_layers(layers, self.freeze)
        # With gradual unfreezing too: the first epochs would have nothing to train.
        if len(frozen) == len(layers):
            # With unfreeze_every too: the first epochs would have nothing to learn with.
            raise ValueError(
                f"freeze={self.freeze!r} leaves no layer to train. Freeze fewer of {layers}."
            )
        return train(
            module,
            StartingPoint(module, frozen, self.unfreeze_every),
            source=rows.target,  # they have labels, as source rows have in the first stage
            target=rows.target[:0],
            net_class=TuningNet,
            stop_early=True,
            alignment_weight=self.l2_sp,
            **self._rates(layers),
        )

    def _rates(self, layers):
        """Return the setting of a learning rate per layer, where they differ."""
        # One rate for all is the optimizer's own.
        if self.lr_decay == 1:
            return {}
        groups = [
            (f"{layer}.*", {"lr": self.lr * self.lr_decay**depth})
            # The layer next to the output has the full rate.
            for depth, layer in enumerate(reversed(layers))
        ]
        return {"optimizer__param_groups": groups}


class FineTuningClassifier(DeepClassifier):
    """Train a network on the source, then go on with the labeled rows of the target.

    Labels of target rows are used where there is one: missing are NaN, None or, among integers,
    -1. Unlabeled target rows are ignored.

    Parameters
    ----------
    module : {"mlp", "resnet", "realmlp"} or torch.nn.Module class or instance, default=None
        Network whose forward returns ``(logits, features)`` for a batch of rows. A class is built
        for the data: it gets ``n_features`` and ``n_outputs`` where its constructor takes them, and
        whatever is set as ``module__...``. An instance is copied; the features of a plain
        ``nn.Sequential`` are the input of its last linear layer. "resnet" and "realmlp" are for
        tables: they take missing values and categorical columns, which are those of text and
        categories in a data frame, or ``module__categorical_features=[0, 3]``. None and "mlp" are
        :class:`~skda.deep.MLP`: two hidden layers sized from the data, with batch normalization if
        `batch_norm` says so.
    source_model : fitted deep estimator or FrozenEstimator, default=None
        Network to start from; it is copied. Then rows of the target alone are enough, and
        ``max_epochs`` and the network's own parameters are ignored. Inside tools that clone, pass
        ``FrozenEstimator(model)``. None trains one on the source rows first.
    freeze : int, str or list of str, default=None
        Layers that the second stage leaves as they are: their number counted from the input, all
        but so many if negative, or beginnings of their names (``"extractor"``).
    unfreeze_every : int, default=None
        Thaw the deepest frozen layer each time so many epochs have passed.
    lr_decay : float, default=1.0
        Factor of the learning rate from each layer to the one below it; below 1, layers near the
        input move less.
    l2_sp : float, default=0.0
        Weight of half the squared distance from the source weights; raising it keeps the network
        nearer to the source.
    adaptation_epochs : int, default=50
        Epochs of the second stage; 0 leaves the source network as it is.
    adaptation_lr : float, default=0.0001
        Learning rate of the second stage.
    lr : float, default=None
        Learning rate. None takes 0.03 with SGD, which then has a momentum of 0.9 unless
        ``optimizer__momentum`` is set, and 1e-3 with other optimizers.
    lr_schedule : {"anneal", "cosine", "constant"}, default="constant"
        Course of the learning rate with the progress p of the training from 0 to 1: "anneal" falls
        as (1 + 10 p)^-0.75, to a sixth; "cosine" falls to 0. A schedule of skorch among the
        `callbacks` takes its place. A second stage has a constant rate.
    max_epochs : int, default=None
        Passes through the larger domain; through the source where no target row is trained on. None
        takes 50, and more where that is less than `min_steps`.
    min_steps : int, default=600
        Least number of steps if `max_epochs` is None, which small tables need.
    batch_size : int, default=128
        Rows of a step: half of them source rows, half target rows. The smaller domain is reshuffled
        and cycled.
    optimizer : type, default=torch.optim.Adam
        Optimizer class of torch. Its arguments are set as ``optimizer__weight_decay=...``.
    batch_norm : {"domain", "joint", False}, default=False
        How layers of batch normalization take means and variances. "domain": source and target, all
        domains of a side together, each have their own and share weights and biases, so that a
        shift or scale of a hidden unit does not count as a difference. "joint": one for all rows of
        a step. False: the default network has no such layers; those of other modules are "joint".
    input_scaling : {"domain", "source"} or None, default="source"
        Whether rows are scaled before the network: "domain" by mean and spread of the features on
        their own side, "source" by those of the source. The spread is that of the middle 98 %;
        values farther out than three spreads are drawn in. None takes rows as they are.
    precision : {"float32", "bf16"}, default="float32"
        Precision of the network's arithmetic. "bf16" halves it, which is faster on recent GPUs;
        weights and losses stay in single precision.
    early_stopping : {None, "source", "target"}, default=None
        Criterion on held-out rows after which training stops and the best epoch is restored.
        "source": the supervised loss on source rows. "target" (classifiers): confident and diverse
        predictions on target rows, that is the mean entropy of the predictions minus the entropy
        of the mean prediction. It needs no label.
    validation_fraction : float, default=0.1
        Fraction of the rows of each domain that early stopping holds out.
    patience : int, default=10
        Epochs without improvement before training stops early.
    callbacks : list of skorch callbacks, default=None
        Learning-rate schedules, checkpoints, progress bars, gradient clipping… as in skorch. An
        argument of a named one is set as ``callbacks__name__argument=...``.
    device : str or torch.device, default=None
        Where to train and predict. None takes the device of :func:`skda.config_context`, else that
        of `X` if it is a torch tensor, else the CPU.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the weights of the last fit.
    random_state : int, RandomState instance or None, default=None
        Seeds initial weights, batches, dropout and held-out rows. With an int, a fit on the CPU is
        reproducible bit for bit, in any thread.
    verbose : int, default=0
        1 prints a line per epoch, as skorch does.
    **net_params : dict
        ``module__hidden=(64,)``, ``module__dropout=0.5`` and any other argument of `module`;
        ``optimizer__...``; ``callbacks__...``; ``criterion`` (a loss class) and ``criterion__...``;
        ``compile`` and ``compile__...``; ``augmenters``, a list of augmenters or functions of a
        tensor that change the source rows of each step; ``pretrain``, "contrastive" or "denoising",
        which first trains the features on the unlabeled rows of all domains, for
        ``pretrain__epochs`` and with ``pretrain__corruption``, ``pretrain__temperature`` and
        ``pretrain__lr``. They are parameters like all others for ``get_params``, ``set_params``,
        ``clone`` and grid searches.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes of the source, in their own type.
    net_ : skorch.NeuralNet
        The trained net: ``net_.module_``, ``net_.optimizer_``, ``net_.callbacks_``.
    history_ : skorch.history.History
        One entry per epoch: ``history_[:, "train_loss"]``, ``"source_loss"``,
        ``"alignment_loss"``, ``"valid_loss"``, ``"dur"``.
    n_iter_ : int
        Number of epochs trained.
    input_scaling_ : dict
        Mean and spread of the features by side, "source" and "target", each of shape
        (2, n_features); empty without `input_scaling`.
    n_features_in_ : int
        Number of features of `X`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `X` has string names.
    source_domains_, target_domains_ : list of int
        Ids of the domains seen in ``fit``.
    target_module_ : torch.nn.Module
        The adapted network, which maps target rows; source rows are mapped by ``net_.module_``.
    adapted_net_ : skorch.NeuralNet
        The net of the second stage, with its history.

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
    trainings. Array level (c): torch; NumPy, data frames, lists, CuPy come in and go out.

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

    _labels = "all"
    _adaptation = FineTuning

    def __init__(
        self,
        module: Backbone | None = None,
        *,
        source_model: Estimator | None = None,
        freeze: int | str | Sequence[str] | None = None,
        unfreeze_every: int | None = None,
        lr_decay: float = 1.0,
        l2_sp: float = 0.0,
        adaptation_epochs: int = 50,
        adaptation_lr: float = 1e-4,
        lr: float | None = None,
        lr_schedule: Literal["anneal", "cosine", "constant"] = "constant",
        max_epochs: int | None = None,
        min_steps: int = 600,
        batch_size: int = 128,
        optimizer: type = torch.optim.Adam,
        batch_norm: Literal["domain", "joint", False] = False,
        input_scaling: Literal["domain", "source"] | None = "source",
        precision: Literal["float32", "bf16"] = "float32",
        early_stopping: Literal["source", "target"] | None = None,
        validation_fraction: float = 0.1,
        patience: int = 10,
        callbacks: Sequence[Any] | None = None,
        device: str | torch.device | None = None,
        warm_start: bool = False,
        random_state: RandomState = None,
        verbose: int = 0,
        **net_params: Any,
    ):
        super().__init__(
            module,
            lr=lr,
            lr_schedule=lr_schedule,
            max_epochs=max_epochs,
            min_steps=min_steps,
            batch_size=batch_size,
            optimizer=optimizer,
            batch_norm=batch_norm,
            input_scaling=input_scaling,
            precision=precision,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            patience=patience,
            callbacks=callbacks,
            device=device,
            warm_start=warm_start,
            random_state=random_state,
            verbose=verbose,
            **net_params,
        )
        self.source_model = source_model
        self.freeze = freeze
        self.unfreeze_every = unfreeze_every
        self.lr_decay = lr_decay
        self.l2_sp = l2_sp
        self.adaptation_epochs = adaptation_epochs
        self.adaptation_lr = adaptation_lr


class FineTuningRegressor(DeepRegressor):
    """Train a network on the source, then go on with the target rows that have a value.

    Missing values of `y` on target rows are NaN. Target rows without a value are
    ignored.

    Parameters
    ----------
    module : {"mlp", "resnet", "realmlp"} or torch.nn.Module class or instance, default=None
        Network whose forward returns ``(logits, features)`` for a batch of rows. A class is built
        for the data: it gets ``n_features`` and ``n_outputs`` where its constructor takes them, and
        whatever is set as ``module__...``. An instance is copied; the features of a plain
        ``nn.Sequential`` are the input of its last linear layer. "resnet" and "realmlp" are for
        tables: they take missing values and categorical columns, which are those of text and
        categories in a data frame, or ``module__categorical_features=[0, 3]``. None and "mlp" are
        :class:`~skda.deep.MLP`: two hidden layers sized from the data, with batch normalization if
        `batch_norm` says so.
    source_model : fitted deep estimator or FrozenEstimator, default=None
        Network to start from; it is copied. Then rows of the target alone are enough, and
        ``max_epochs`` and the network's own parameters are ignored. Inside tools that clone, pass
        ``FrozenEstimator(model)``. None trains one on the source rows first.
    freeze : int, str or list of str, default=None
        Layers that the second stage leaves as they are: their number counted from the input, all
        but so many if negative, or beginnings of their names (``"extractor"``).
    unfreeze_every : int, default=None
        Thaw the deepest frozen layer each time so many epochs have passed.
    lr_decay : float, default=1.0
        Factor of the learning rate from each layer to the one below it; below 1, layers near the
        input move less.
    l2_sp : float, default=0.0
        Weight of half the squared distance from the source weights; raising it keeps the network
        nearer to the source.
    adaptation_epochs : int, default=50
        Epochs of the second stage; 0 leaves the source network as it is.
    adaptation_lr : float, default=0.0001
        Learning rate of the second stage.
    lr : float, default=None
        Learning rate. None takes 0.03 with SGD, which then has a momentum of 0.9 unless
        ``optimizer__momentum`` is set, and 1e-3 with other optimizers.
    lr_schedule : {"anneal", "cosine", "constant"}, default="constant"
        Course of the learning rate with the progress p of the training from 0 to 1: "anneal" falls
        as (1 + 10 p)^-0.75, to a sixth; "cosine" falls to 0. A schedule of skorch among the
        `callbacks` takes its place. A second stage has a constant rate.
    max_epochs : int, default=None
        Passes through the larger domain; through the source where no target row is trained on. None
        takes 50, and more where that is less than `min_steps`.
    min_steps : int, default=600
        Least number of steps if `max_epochs` is None, which small tables need.
    batch_size : int, default=128
        Rows of a step: half of them source rows, half target rows. The smaller domain is reshuffled
        and cycled.
    optimizer : type, default=torch.optim.Adam
        Optimizer class of torch. Its arguments are set as ``optimizer__weight_decay=...``.
    batch_norm : {"domain", "joint", False}, default=False
        How layers of batch normalization take means and variances. "domain": source and target, all
        domains of a side together, each have their own and share weights and biases, so that a
        shift or scale of a hidden unit does not count as a difference. "joint": one for all rows of
        a step. False: the default network has no such layers; those of other modules are "joint".
    input_scaling : {"domain", "source"} or None, default="source"
        Whether rows are scaled before the network: "domain" by mean and spread of the features on
        their own side, "source" by those of the source. The spread is that of the middle 98 %;
        values farther out than three spreads are drawn in. None takes rows as they are.
    precision : {"float32", "bf16"}, default="float32"
        Precision of the network's arithmetic. "bf16" halves it, which is faster on recent GPUs;
        weights and losses stay in single precision.
    early_stopping : {None, "source", "target"}, default=None
        Criterion on held-out rows after which training stops and the best epoch is restored.
        "source": the supervised loss on source rows. "target" (classifiers): confident and diverse
        predictions on target rows, that is the mean entropy of the predictions minus the entropy
        of the mean prediction. It needs no label.
    validation_fraction : float, default=0.1
        Fraction of the rows of each domain that early stopping holds out.
    patience : int, default=10
        Epochs without improvement before training stops early.
    callbacks : list of skorch callbacks, default=None
        Learning-rate schedules, checkpoints, progress bars, gradient clipping… as in skorch. An
        argument of a named one is set as ``callbacks__name__argument=...``.
    device : str or torch.device, default=None
        Where to train and predict. None takes the device of :func:`skda.config_context`, else that
        of `X` if it is a torch tensor, else the CPU.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the weights of the last fit.
    random_state : int, RandomState instance or None, default=None
        Seeds initial weights, batches, dropout and held-out rows. With an int, a fit on the CPU is
        reproducible bit for bit, in any thread.
    verbose : int, default=0
        1 prints a line per epoch, as skorch does.
    **net_params : dict
        ``module__hidden=(64,)``, ``module__dropout=0.5`` and any other argument of `module`;
        ``optimizer__...``; ``callbacks__...``; ``criterion`` (a loss class) and ``criterion__...``;
        ``compile`` and ``compile__...``; ``augmenters``, a list of augmenters or functions of a
        tensor that change the source rows of each step; ``pretrain``, "contrastive" or "denoising",
        which first trains the features on the unlabeled rows of all domains, for
        ``pretrain__epochs`` and with ``pretrain__corruption``, ``pretrain__temperature`` and
        ``pretrain__lr``. They are parameters like all others for ``get_params``, ``set_params``,
        ``clone`` and grid searches.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained net: ``net_.module_``, ``net_.optimizer_``, ``net_.callbacks_``.
    history_ : skorch.history.History
        One entry per epoch: ``history_[:, "train_loss"]``, ``"source_loss"``,
        ``"alignment_loss"``, ``"valid_loss"``, ``"dur"``.
    n_iter_ : int
        Number of epochs trained.
    input_scaling_ : dict
        Mean and spread of the features by side, "source" and "target", each of shape
        (2, n_features); empty without `input_scaling`.
    n_features_in_ : int
        Number of features of `X`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `X` has string names.
    source_domains_, target_domains_ : list of int
        Ids of the domains seen in ``fit``.
    target_module_ : torch.nn.Module
        The adapted network, which maps target rows; source rows are mapped by ``net_.module_``.
    adapted_net_ : skorch.NeuralNet
        The net of the second stage, with its history.

    See Also
    --------
    FineTuningClassifier : The classifier, with the formula.

    Notes
    -----
    As :class:`FineTuningClassifier`, with the squared error of the values standardized
    by mean and scale of the source. Array level (c): torch; NumPy, data frames, lists, CuPy come in
    and go out.

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

    _labels = "all"
    _adaptation = FineTuning

    def __init__(
        self,
        module: Backbone | None = None,
        *,
        source_model: Estimator | None = None,
        freeze: int | str | Sequence[str] | None = None,
        unfreeze_every: int | None = None,
        lr_decay: float = 1.0,
        l2_sp: float = 0.0,
        adaptation_epochs: int = 50,
        adaptation_lr: float = 1e-4,
        lr: float | None = None,
        lr_schedule: Literal["anneal", "cosine", "constant"] = "constant",
        max_epochs: int | None = None,
        min_steps: int = 600,
        batch_size: int = 128,
        optimizer: type = torch.optim.Adam,
        batch_norm: Literal["domain", "joint", False] = False,
        input_scaling: Literal["domain", "source"] | None = "source",
        precision: Literal["float32", "bf16"] = "float32",
        early_stopping: Literal["source", "target"] | None = None,
        validation_fraction: float = 0.1,
        patience: int = 10,
        callbacks: Sequence[Any] | None = None,
        device: str | torch.device | None = None,
        warm_start: bool = False,
        random_state: RandomState = None,
        verbose: int = 0,
        **net_params: Any,
    ):
        super().__init__(
            module,
            lr=lr,
            lr_schedule=lr_schedule,
            max_epochs=max_epochs,
            min_steps=min_steps,
            batch_size=batch_size,
            optimizer=optimizer,
            batch_norm=batch_norm,
            input_scaling=input_scaling,
            precision=precision,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            patience=patience,
            callbacks=callbacks,
            device=device,
            warm_start=warm_start,
            random_state=random_state,
            verbose=verbose,
            **net_params,
        )
        self.source_model = source_model
        self.freeze = freeze
        self.unfreeze_every = unfreeze_every
        self.lr_decay = lr_decay
        self.l2_sp = l2_sp
        self.adaptation_epochs = adaptation_epochs
        self.adaptation_lr = adaptation_lr
