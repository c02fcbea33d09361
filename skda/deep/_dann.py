"""DANN: learn features from which an adversary cannot tell the domain (Ganin 2016)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch.nn.functional import softplus

from .._core._param_checks import check_real
from .._core._typing import ArrayLike, RandomState
from ._base_tasks import DeepClassifier, DeepRegressor
from ._modules import mlp, reverse_gradient
from ._params import check_widths
from ._training import AlignmentLoss
from ._typing import Backbone


def domain_loss(source, target, source_weights=None, target_weights=None):
    """Return the logistic loss of source (positive) against target outputs, equal in weight."""
    # softplus(-x) is -log sigmoid(x) without overflow.
    losses = softplus(-source.squeeze(1)), softplus(target.squeeze(1))
    if source_weights is not None:
        losses = losses[0] * source_weights, losses[1] * target_weights
    # A mean per side, so that neither wins by its number of rows.
    return 0.5 * (losses[0].mean() + losses[1].mean())


def domain_accuracy(outputs, n_source):
    """Return the accuracy of a discriminator, both sides equal in weight: 0.5 is chance."""
    source, target = outputs[:n_source] > 0, outputs[n_source:] < 0
    return 0.5 * (source.float().mean() + target.float().mean())


def spectral_penalty(source, target, n_values=1):
    """Return the sum of the squares of the largest singular values of both sets of features."""
    return sum(
        torch.linalg.svdvals(features)[:n_values].square().sum() for features in (source, target)
    )


class AdversarialLoss(AlignmentLoss):
    """A discriminator of domains behind a reversal of the gradient.

    The weight scales the reversed gradient, not the loss, so that the discriminator always learns
    at full speed.
    """

    unit = 0.3

    def __init__(self, n_in, hidden, *, bsp_weight=0.0, smoothing=0.0):
        super().__init__()
        self.discriminator = mlp(n_in, hidden)
        self.bsp_weight, self.smoothing = bsp_weight, smoothing

    @staticmethod
    def check_params(params):
        """Return the widths of the discriminator, the weight of the penalty and the smoothing."""
        return {
            "hidden": check_widths("discriminator_hidden", params["discriminator_hidden"]),
            "bsp_weight": check_real("bsp_weight", params["bsp_weight"], low=0),
            "smoothing": check_real("smoothing", params["smoothing"], low=0),
        }

    @classmethod
    def for_network(cls, module, n_features, n_outputs, **params):
        """Return the loss with a discriminator of the features."""
        return cls(n_features, **params)

    def discriminator_input(self, batch):
        """Return what the discriminator sees of one domain's rows."""
        return batch.features

    def row_weights(self, source, target):
        """Return the weights of the rows in the loss of the discriminator, or None."""
        return None, None

    def forward(self, source, target, weight=1.0):
        """Return the loss of the discriminator; its gradient reaches the features reversed."""
        # One pass for both sides, since calls of small layers cost more than their arithmetic.
        both = torch.cat([self.discriminator_input(source), self.discriminator_input(target)])
        outputs = self.discriminator(reverse_gradient(both, weight))
        n = source.features.shape[0]
        self.metrics = {"domain_accuracy": domain_accuracy(outputs.detach(), n)}
        return domain_loss(outputs[:n], outputs[n:], *self.row_weights(source, target))

    def weighted(self, source, target, weight):
        """Return the loss with the gradient reversed by this weight, plus the spectral penalty."""
        loss = self(source, target, weight)
        # A singular value decomposition in each step, only where it counts.
        if self.bsp_weight:
            loss = loss + self.bsp_weight * spectral_penalty(source.features, target.features)
        return loss


class DANNClassifier(DeepClassifier):
    """Train a network on the source while an adversary tries to tell its features' domain.

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
    alignment_schedule : {"constant", "sigmoid"} or callable, default="sigmoid"
        Factor of the weight in the course of the training. "sigmoid" grows from 0 to 1 as
        2/(1 + exp(-10 p)) - 1, where p is the progress from 0 to 1; a callable gets p.
    discriminator_hidden : int or tuple of int, default=64
        Widths of the hidden layers of the adversary.
    bsp_weight : float, default=0.0
        Weight of the batch spectral penalty [2]_, which shrinks the largest singular value of the
        features of each domain's rows so that the adversary cannot win by one direction; 1e-4 is
        the paper's.
    smoothing : float, default=0.0
        Radius of smooth domain adversarial training [3]_: the gradient of the loss on source rows
        is taken at the worst weights within this distance, that of the adversary where the weights
        are. Raising it prefers flat minima of the source risk, at half a step more.
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
    CDANClassifier : The adversary also sees the predictions.
    WDGRLClassifier : The adversary measures a Wasserstein distance.
    DANNRegressor : The regressor.

    Notes
    -----
    The features minimize cross-entropy(source) − w L_D, the discriminator D minimizes L_D, the
    logistic loss of telling source from target features, in one step by reversing the gradient
    between them. The weight scales the reversed gradient, so that D learns at full speed.
    ``history_[:, "alignment_loss"]`` is L_D: log 2 = 0.69 means that D is fooled.

    Assumption: there are features with the same distribution in both domains in which labels given
    features agree; in particular the proportions of the classes differ little. Cost: a step adds a
    pass through the discriminator, linear in rows and features (the spectral penalty, a singular
    value decomposition of each domain's rows). Array level (c): torch; NumPy, data frames, lists,
    CuPy come in and go out.

    The factor of the reversed gradient is 0.3 times `alignment_weight`; the
    paper's 1 is ``alignment_weight=3.3``.

    Callbacks (``set_callbacks``, with scikit-learn 1.9 or later) see the epochs.

    References
    ----------
    .. [1] Y. Ganin et al. "Domain-Adversarial Training of Neural Networks". JMLR 17, 2016.
       arXiv:1505.07818
    .. [2] X. Chen, S. Wang, M. Long, J. Wang. "Transferability vs. Discriminability: Batch
       Spectral Penalization for Adversarial Domain Adaptation". ICML 2019.
    .. [3] H. Rangwani, S. K. Aithal, M. Mishra, A. Jain, R. V. Babu. "A Closer Look at Smoothness
       in Domain Adversarial Training". ICML 2022. arXiv:2206.08213

    Examples
    --------
    >>> from skda import DANNClassifier, stack_domains
    >>> from sklearn.datasets import make_blobs
    >>> centers = [[0, 0], [4, 0], [0, 4]]
    >>> X_source, y_source = make_blobs(150, centers=centers, cluster_std=0.5, random_state=0)
    >>> X_target, y_target = X_source + [1.0, -0.5], y_source
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = DANNClassifier(max_epochs=30, lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """

    _alignment = AdversarialLoss

    def __init__(
        self,
        module: Backbone | None = None,
        *,
        alignment_weight: float = 1.0,
        alignment_schedule: Literal["constant", "sigmoid"] | Callable[..., Any] = "sigmoid",
        discriminator_hidden: int | tuple[int, ...] = 64,
        bsp_weight: float = 0.0,
        smoothing: float = 0.0,
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
        self.discriminator_hidden = discriminator_hidden
        self.bsp_weight = bsp_weight
        self.smoothing = smoothing


class DANNRegressor(DeepRegressor):
    """Train a regression network while an adversary tries to tell its features' domain.

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
    alignment_schedule : {"constant", "sigmoid"} or callable, default="sigmoid"
        Factor of the weight in the course of the training. "sigmoid" grows from 0 to 1 as
        2/(1 + exp(-10 p)) - 1, where p is the progress from 0 to 1; a callable gets p.
    discriminator_hidden : int or tuple of int, default=64
        Widths of the hidden layers of the adversary.
    bsp_weight : float, default=0.0
        Weight of the batch spectral penalty [2]_, which shrinks the largest singular value of the
        features of each domain's rows so that the adversary cannot win by one direction; 1e-4 is
        the paper's.
    smoothing : float, default=0.0
        Radius of smooth domain adversarial training [3]_: the gradient of the loss on source rows
        is taken at the worst weights within this distance, that of the adversary where the weights
        are. Raising it prefers flat minima of the source risk, at half a step more.
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
    DANNClassifier : The classifier, with the formula.

    Notes
    -----
    The adversarial game of :class:`DANNClassifier` beside the squared error of the
    standardized values, under the same assumption and at the same cost. Array level (c): torch;
    NumPy, data frames, lists, CuPy come in and go out.

    The factor of the reversed gradient is 0.3 times `alignment_weight`; the
    paper's 1 is ``alignment_weight=3.3``.

    References
    ----------
    .. [1] Y. Ganin et al. "Domain-Adversarial Training of Neural Networks". JMLR 17, 2016.
       arXiv:1505.07818
    .. [2] X. Chen, S. Wang, M. Long, J. Wang. "Transferability vs. Discriminability: Batch
       Spectral Penalization for Adversarial Domain Adaptation". ICML 2019.
    .. [3] H. Rangwani, S. K. Aithal, M. Mishra, A. Jain, R. V. Babu. "A Closer Look at Smoothness
       in Domain Adversarial Training". ICML 2022. arXiv:2206.08213

    Examples
    --------
    >>> from skda import DANNRegressor, stack_domains
    >>> from sklearn.datasets import make_regression
    >>> X_source, y_source = make_regression(200, 3, random_state=0)
    >>> X_target, y_target = 1.2 * X_source, 1.2 * y_source
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = DANNRegressor(alignment_weight=0.1, max_epochs=20, lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """

    _alignment = AdversarialLoss

    def __init__(
        self,
        module: Backbone | None = None,
        *,
        alignment_weight: float = 1.0,
        alignment_schedule: Literal["constant", "sigmoid"] | Callable[..., Any] = "sigmoid",
        discriminator_hidden: int | tuple[int, ...] = 64,
        bsp_weight: float = 0.0,
        smoothing: float = 0.0,
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
        self.discriminator_hidden = discriminator_hidden
        self.bsp_weight = bsp_weight
        self.smoothing = smoothing
