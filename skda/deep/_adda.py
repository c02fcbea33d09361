"""ADDA: adapt a copy of the source network until an adversary takes it for the source."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch.nn.functional import softplus

from .._core._param_checks import check_real
from .._core._typing import RandomState
from ._base_tasks import DeepClassifier
from ._base_two_stage import Adaptation
from ._dann import domain_loss
from ._domain_norm import rows_of
from ._modules import frozen_call, mlp
from ._params import check_widths
from ._training import AlignmentLoss
from ._typing import Backbone


class TargetAdversary(AlignmentLoss):
    """A discriminator of source features from those of the adapted copy."""

    def __init__(self, source_module, n_features, hidden):
        super().__init__()
        self.discriminator = mlp(n_features, hidden)
        self.fixed = (source_module.eval(),)  # in a tuple: not to be trained or registered

    def of_batch(self, module, batch):
        """Return the loss of the discriminator plus that of the copy, with inverted labels."""
        n = batch.n_source
        with torch.no_grad(), rows_of("source"):
            # Not trained, so no gradients are recorded.
            _, source = self.fixed[0](batch.X[:n])
        with rows_of("target"):
            _, target = module(batch.X[n:])
        separation = domain_loss(self.discriminator(source), self.discriminator(target.detach()))
        # Inverted labels instead of a reversed gradient, which vanishes while the discriminator is
        # right.
        fooled = softplus(-frozen_call(self.discriminator, target)).mean()
        return separation + fooled


def check_betas(betas):
    """Return the decay rates of Adam's two averages if they are two numbers in [0, 1)."""
    if betas is None:
        return None
    if not isinstance(betas, list | tuple) or len(betas) != 2:
        raise ValueError(
            f"adaptation_betas must be two numbers in [0, 1) or None; got {betas!r}. None takes "
            "those of the first stage."
        )
    return tuple(
        check_real("adaptation_betas", beta, low=0, high=1, closed="left") for beta in betas
    )


def _has_betas(optimizer):
    """Return whether an optimizer is one of Adam's kind."""
    return "betas" in inspect.signature(optimizer).parameters


class AdversarialAdaptation(Adaptation):
    """Train a copy against an adversary of the features' origin."""

    def __init__(self, hidden, betas):
        self.hidden, self.betas = hidden, betas

    @staticmethod
    def check_params(params):
        """Return the widths of the discriminator and the decay rates of Adam."""
        betas = check_betas(params["adaptation_betas"])
        return {
            "hidden": check_widths("discriminator_hidden", params["discriminator_hidden"]),
            # Other optimizers would refuse the argument.
            "betas": betas if _has_betas(params["optimizer"]) else None,
        }

    def adapt(self, module, n_features, rows, train):
        """Return the copy that the adversary takes for the source, and its net."""
        # A source model without source rows: the adversary has nothing to compare with.
        if not len(rows.source):
            return None, None
        loss = TargetAdversary(copy.deepcopy(module), n_features, self.hidden)
        return train(
            copy.deepcopy(module),
            loss.to(rows.X.device, rows.X.dtype),
            source=rows.source,
            target=rows.target,
            **({} if self.betas is None else {"optimizer__betas": self.betas}),
        )


class ADDAClassifier(DeepClassifier):
    """Train on the source, then adapt a copy against an adversary of the features' origin.

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
    adaptation_epochs : int, default=20
        Epochs of the second stage; 0 leaves the source network as it is.
    adaptation_lr : float, default=0.001
        Learning rate of the second stage.
    adaptation_betas : tuple of two float, default=(0.5, 0.999)
        Decay rates of Adam's averages in the second stage; None takes those of the first stage.
        Other kinds of optimizers ignore it.
    discriminator_hidden : int or tuple of int, default=64
        Widths of the hidden layers of the adversary.
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
    DANNClassifier : One network for both domains, in one stage.

    Notes
    -----
    A discriminator learns to tell the features of source rows, by the source network, from those
    of target rows, by a copy of it. The copy learns, with inverted labels, to be taken for the
    source; its head gets no gradient and stays the source's. With few epochs and a small learning
    rate the copy stays near the source network; nothing else keeps the classes in place.

    Adam's usual memory of past gradients (0.9) lets discriminator and copy overshoot each other, so
    that the domains move apart. With 0.5, which adversarial training commonly takes, they come
    closer: over ten draws of two half moons, one rotated by 30 degrees, MMD² of the features goes
    from 0.057 (source only) to 0.145 with 0.9 and to 0.038 with 0.5, and the target accuracy from
    0.81 to 0.85 and 0.87.

    Assumption: as for :class:`DANNClassifier`, and the source network is a good start. Cost: that
    of the source network, then a pass of both networks and the discriminator per step. Array level
    (c): torch; NumPy, data frames, lists, CuPy come in and go out.

    References
    ----------
    .. [1] E. Tzeng, J. Hoffman, K. Saenko, T. Darrell. "Adversarial Discriminative Domain
       Adaptation". CVPR 2017. arXiv:1702.05464

    Examples
    --------
    >>> from skda import ADDAClassifier, stack_domains
    >>> from sklearn.datasets import make_blobs
    >>> centers = [[0, 0], [4, 0], [0, 4]]
    >>> X_source, y_source = make_blobs(150, centers=centers, cluster_std=0.5, random_state=0)
    >>> X_target, y_target = X_source + [1.0, -0.5], y_source
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = ADDAClassifier(max_epochs=30, lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """

    _adaptation = AdversarialAdaptation

    def __init__(
        self,
        module: Backbone | None = None,
        *,
        adaptation_epochs: int = 20,
        adaptation_lr: float = 1e-3,
        adaptation_betas: tuple[float, float] = (0.5, 0.999),
        discriminator_hidden: int | tuple[int, ...] = 64,
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
        self.adaptation_epochs = adaptation_epochs
        self.adaptation_lr = adaptation_lr
        self.adaptation_betas = adaptation_betas
        self.discriminator_hidden = discriminator_hidden
