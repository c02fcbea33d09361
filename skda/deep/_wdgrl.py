"""WDGRL: features at a small Wasserstein distance, which a critic estimates (Shen 2018)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch

from .._core._param_checks import check_integer, check_real
from .._core._typing import ArrayLike, RandomState
from ._base_tasks import DeepClassifier, DeepRegressor
from ._modules import can_fuse, frozen_call, mlp
from ._params import check_widths
from ._training import AlignmentLoss
from ._typing import Backbone


def gradient_penalty(critic, source, target, mix):
    """Return the mean of (‖gradient of the critic‖ − 1)² over rows and between them [Alg. 1].

    It is taken at the source rows, at the target rows and at a random point between each pair.
    """
    # The domains may differ in size in a step: pairs are as many as rows of the smaller one.
    n = mix.shape[0]
    between = mix * source[:n] + (1.0 - mix) * target[:n]
    points = torch.cat([source, target, between]).requires_grad_()
    # Rows do not influence each other, so the gradient of the sum has that of each row; the graph
    # is kept because the penalty is differentiated again.
    (gradient,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    norm = (gradient.square().sum(dim=1) + 1e-12).sqrt()  # its own gradient exists at 0
    return (norm - 1.0).square().mean()


class WassersteinLoss(AlignmentLoss):
    """The gap of a critic between the domains, the critic trained by its own optimizer."""

    def __init__(self, n_features, hidden, *, n_critic, critic_lr, penalty):
        super().__init__()
        self.critic = mlp(n_features, hidden)
        self.n_critic, self.critic_lr, self.penalty = n_critic, critic_lr, penalty
        # Made at the first step: the module is moved to its device after it is built.
        self.optimizer = None

    @staticmethod
    def check_params(params):
        """Return the parameters of the critic and of its training."""
        return {
            "hidden": check_widths("critic_hidden", params["critic_hidden"]),
            "n_critic": check_integer("n_critic", params["n_critic"]),
            "critic_lr": check_real("critic_lr", params["critic_lr"], low=0),
            "penalty": check_real("penalty", params["penalty"], low=0),
        }

    @classmethod
    def for_network(cls, module, n_features, n_outputs, **params):
        """Return the loss with a critic of the features."""
        return cls(n_features, **params)

    def before_step(self, source, target):
        """Train the critic on these features."""
        if self.optimizer is None:  # now that the critic is on its device
            self.optimizer = torch.optim.Adam(
                self.critic.parameters(), lr=self.critic_lr, fused=can_fuse(self.critic) or None
            )
        # The critic learns on fixed features; the network must not see these gradients.
        s, t = source.features.detach(), target.features.detach()
        for _ in range(self.n_critic):
            mix = torch.rand(min(len(s), len(t)), 1, dtype=s.dtype, device=s.device)
            gap = self.critic(s).mean() - self.critic(t).mean()
            # The critic maximizes the gap, hence its sign.
            loss = self.penalty * gradient_penalty(self.critic, s, t, mix) - gap
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        self.optimizer.zero_grad()  # leaves no gradient to the optimizer of the net

    def forward(self, source, target):
        """Return the critic's mean on the source minus that on the target, the critic fixed."""
        # The net's optimizer also holds the critic, which is to be moved by its own optimizer only.
        s, t = (frozen_call(self.critic, batch.features).mean() for batch in (source, target))
        return s - t


class WDGRLClassifier(DeepClassifier):
    """Train a network while making its features close in Wasserstein distance.

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
    alignment_weight : float, default=1.0
        Weight of the alignment loss in a unit that suits the method, see the notes. 0 is the
        source-only network, which ignores target rows; raising it makes the features of both
        domains more alike, at the price of the fit to the source.
    alignment_schedule : {"constant", "sigmoid"} or callable, default="constant"
        Factor of the weight in the course of the training. "sigmoid" grows from 0 to 1 as
        2/(1 + exp(-10 p)) - 1, where p is the progress from 0 to 1; a callable gets p.
    critic_hidden : int or tuple of int, default=64
        Widths of the hidden layers of the critic.
    n_critic : int, default=5
        Steps of the critic before each step of the network.
    critic_lr : float, default=1e-3
        Learning rate of the critic.
    penalty : float, default=10.0
        Weight of the penalty that keeps the slope of the critic near one.
    use_target_labels : bool, default=False
        Whether the labels of target rows that have one are learnt from, too: their mean loss is
        added to that of the source rows. Rows without a label have a missing value in `y`.
    prior_correction : {"resample", "select"} or array-like of shape (n_classes,), default=None
        What is done where the classes have other proportions on the target. "resample" estimates
        the target's proportions along the training, by expectation and maximization on the
        predictions, and draws the source rows of each step by them. An array holds the
        proportions where they are known, in the order of the sorted classes. "select" trains
        three times: by "resample", without alignment, and with the proportions that the network
        without alignment finds; and keeps the first or the last, whichever predicts the target
        with less entropy (`prior_correction_` says which). None takes rows as they come.
    lr : float, default=None
        Learning rate. None takes 0.03 with SGD, which then has a momentum of 0.9 unless
        ``optimizer__momentum`` is set, and 1e-3 with other optimizers.
    lr_schedule : {"anneal", "cosine", "constant"}, default="anneal"
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
    optimizer : type, default=torch.optim.SGD
        Optimizer class of torch. Its arguments are set as ``optimizer__weight_decay=...``.
    batch_norm : {"domain", "joint", False}, default="domain"
        How layers of batch normalization take means and variances. "domain": source and target, all
        domains of a side together, each have their own and share weights and biases, so that a
        shift or scale of a hidden unit does not count as a difference. "joint": one for all rows of
        a step. False: the default network has no such layers; those of other modules are "joint".
    input_scaling : {"domain", "source"} or None, default="domain"
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
    target_priors_ : ndarray of shape (n_classes,)
        Proportions of the classes on the target, estimated from the predictions on its rows.
    input_scaling_ : dict
        Mean and spread of the features by side, "source" and "target", each of shape
        (2, n_features); empty without `input_scaling`.
    n_features_in_ : int
        Number of features of `X`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `X` has string names.
    source_domains_, target_domains_ : list of int
        Ids of the domains seen in ``fit``.

    See Also
    --------
    DANNClassifier : The adversary tells domains instead.
    DeepJDOTClassifier : Transport of features and labels.
    WDGRLRegressor : The regressor.

    Notes
    -----
    Before each step a critic h is trained for `n_critic` steps to maximize
    mean h(source) − mean h(target) − penalty · mean (‖∇h‖ − 1)², an estimate of the Wasserstein-1
    distance of the features; the features then minimize cross-entropy(source) + w times it. The
    slope ∇h is taken at the rows of both domains and at a point between each pair, as in [1]_.

    Assumption: as for :class:`DANNClassifier`; the distance keeps a slope where the domains do not
    overlap. Cost: a step adds `n_critic` steps of the critic, with second derivatives; about six
    times the time of DANN. Array level (c): torch; NumPy, data frames, lists, CuPy come in and go
    out.

    The weight of the loss is `alignment_weight` itself.

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

    _alignment = WassersteinLoss

    def __init__(
        self,
        module: Backbone | None = None,
        *,
        alignment_weight: float = 1.0,
        alignment_schedule: Literal["constant", "sigmoid"] | Callable[..., Any] = "constant",
        critic_hidden: int | tuple[int, ...] = 64,
        n_critic: int = 5,
        critic_lr: float = 1e-3,
        penalty: float = 10.0,
        use_target_labels: bool = False,
        prior_correction: Literal["resample", "select"] | ArrayLike | None = None,
        lr: float | None = None,
        lr_schedule: Literal["anneal", "cosine", "constant"] = "anneal",
        max_epochs: int | None = None,
        min_steps: int = 600,
        batch_size: int = 128,
        optimizer: type = torch.optim.SGD,
        batch_norm: Literal["domain", "joint", False] = "domain",
        input_scaling: Literal["domain", "source"] | None = "domain",
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
        self.alignment_weight = alignment_weight
        self.alignment_schedule = alignment_schedule
        self.use_target_labels = use_target_labels
        self.prior_correction = prior_correction
        self.critic_hidden = critic_hidden
        self.n_critic = n_critic
        self.critic_lr = critic_lr
        self.penalty = penalty


class WDGRLRegressor(DeepRegressor):
    """Train a regression network while making its features close in Wasserstein distance.

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
    alignment_weight : float, default=1.0
        Weight of the alignment loss in a unit that suits the method, see the notes. 0 is the
        source-only network, which ignores target rows; raising it makes the features of both
        domains more alike, at the price of the fit to the source.
    alignment_schedule : {"constant", "sigmoid"} or callable, default="constant"
        Factor of the weight in the course of the training. "sigmoid" grows from 0 to 1 as
        2/(1 + exp(-10 p)) - 1, where p is the progress from 0 to 1; a callable gets p.
    critic_hidden : int or tuple of int, default=64
        Widths of the hidden layers of the critic.
    n_critic : int, default=5
        Steps of the critic before each step of the network.
    critic_lr : float, default=1e-3
        Learning rate of the critic.
    penalty : float, default=10.0
        Weight of the penalty that keeps the slope of the critic near one.
    use_target_labels : bool, default=False
        Whether the labels of target rows that have one are learnt from, too: their mean loss is
        added to that of the source rows. Rows without a label have a missing value in `y`.
    lr : float, default=None
        Learning rate. None takes 0.03 with SGD, which then has a momentum of 0.9 unless
        ``optimizer__momentum`` is set, and 1e-3 with other optimizers.
    lr_schedule : {"anneal", "cosine", "constant"}, default="anneal"
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
    optimizer : type, default=torch.optim.SGD
        Optimizer class of torch. Its arguments are set as ``optimizer__weight_decay=...``.
    batch_norm : {"domain", "joint", False}, default="domain"
        How layers of batch normalization take means and variances. "domain": source and target, all
        domains of a side together, each have their own and share weights and biases, so that a
        shift or scale of a hidden unit does not count as a difference. "joint": one for all rows of
        a step. False: the default network has no such layers; those of other modules are "joint".
    input_scaling : {"domain", "source"} or None, default="domain"
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

    See Also
    --------
    WDGRLClassifier : The classifier, with the formula.

    Notes
    -----
    The distance of :class:`WDGRLClassifier` beside the squared error of the
    standardized values, under the same assumption and at the same cost. Array level (c): torch;
    NumPy, data frames, lists, CuPy come in and go out.

    The weight of the loss is `alignment_weight` itself.

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

    _alignment = WassersteinLoss

    def __init__(
        self,
        module: Backbone | None = None,
        *,
        alignment_weight: float = 1.0,
        alignment_schedule: Literal["constant", "sigmoid"] | Callable[..., Any] = "constant",
        critic_hidden: int | tuple[int, ...] = 64,
        n_critic: int = 5,
        critic_lr: float = 1e-3,
        penalty: float = 10.0,
        use_target_labels: bool = False,
        lr: float | None = None,
        lr_schedule: Literal["anneal", "cosine", "constant"] = "anneal",
        max_epochs: int | None = None,
        min_steps: int = 600,
        batch_size: int = 128,
        optimizer: type = torch.optim.SGD,
        batch_norm: Literal["domain", "joint", False] = "domain",
        input_scaling: Literal["domain", "source"] | None = "domain",
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
        self.alignment_weight = alignment_weight
        self.alignment_schedule = alignment_schedule
        self.use_target_labels = use_target_labels
        self.critic_hidden = critic_hidden
        self.n_critic = n_critic
        self.critic_lr = critic_lr
        self.penalty = penalty
