"""CDAN: an adversary that sees features and predictions together (Long 2018)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch

from .._core._param_checks import check_bool, check_integer
from .._core._typing import ArrayLike, RandomState
from ._base_tasks import DeepClassifier
from ._dann import AdversarialLoss
from ._typing import Backbone


def entropy(p):
    """Return the entropy of each row of probabilities."""
    # xlogy is 0 at p = 0, where p log p would be NaN.
    return -torch.special.xlogy(p, p).sum(dim=1)


def multilinear_map(features, p):
    """Return the outer product of features and probabilities of each row, flattened."""
    return (p[:, :, None] * features[:, None, :]).flatten(start_dim=1)


class ConditionalAdversarialLoss(AdversarialLoss):
    """A discriminator of domains that sees the multilinear map of features and predictions."""

    unit = 1.0

    def __init__(self, n_features, n_classes, hidden, *, entropy_weights, n_random, **params):
        randomized = n_features * n_classes > n_random
        n_in = n_random if randomized else n_features * n_classes
        super().__init__(n_in, hidden, **params)
        self.entropy_weights = entropy_weights
        self.randomized = randomized
        if randomized:
            # Buffers, not parameters: the random map is never trained.
            self.register_buffer("map_features", torch.randn(n_features, n_random))
            self.register_buffer("map_classes", torch.randn(n_classes, n_random))

    @staticmethod
    def check_params(params):
        """Return the parameters of the discriminator and of its input."""
        return AdversarialLoss.check_params(params) | {
            "entropy_weights": check_bool("entropy_weights", params["entropy_weights"]),
            "n_random": check_integer("n_random", params["n_random"]),
        }

    @classmethod
    def for_network(cls, module, n_features, n_outputs, **params):
        """Return the loss with a discriminator of features and predictions."""
        return cls(n_features, n_outputs, **params)

    def discriminator_input(self, batch):
        """Return the multilinear map, or its random approximation [Eq. 6]."""
        p = torch.softmax(batch.logits, dim=1).detach()  # conditions, is not to be aligned itself
        if not self.randomized:
            return multilinear_map(batch.features, p)
        # Its size does not grow with the number of classes times that of features.
        product = (batch.features @ self.map_features) * (p @ self.map_classes)
        return product / math.sqrt(product.shape[1])

    def row_weights(self, source, target):
        """Return 1 + exp(−entropy) of each row, of mean one in each domain [Eq. 8]."""
        if not self.entropy_weights:
            return None, None
        weights = [
            1.0 + torch.exp(-entropy(torch.softmax(batch.logits, dim=1).detach()))
            for batch in (source, target)
        ]
        return tuple(w / w.mean() for w in weights)


class CDANClassifier(DeepClassifier):
    """Train a network against an adversary that sees features and predictions together.

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
    entropy_weights : bool, default=True
        Whether confident rows weigh more in the adversary's loss (CDAN+E).
    n_random : int, default=4096
        Width of the random map that stands for the product of features and classes where that
        product is wider.
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
    DANNClassifier : The adversary sees the features alone.
    JANClassifier : Align both jointly by kernels.

    Notes
    -----
    DANN whose discriminator sees the outer product of the features with the class probabilities,
    so that the classes are aligned one by one. Rows are weighted by 1 + exp(−entropy) of their
    predictions. As in DANN the weight scales the reversed gradient.

    Assumption: labels given features agree after the alignment, and predictions on the target are
    right often enough to tell the classes apart. Cost: a step adds O(b d K h) for b rows, d
    features, K classes and h hidden units. Array level (c): torch; NumPy, data frames, lists, CuPy
    come in and go out.

    The factor of the reversed gradient is `alignment_weight` itself, as in the paper.

    References
    ----------
    .. [1] M. Long, Z. Cao, J. Wang, M. Jordan. "Conditional Adversarial Domain Adaptation".
       NeurIPS 2018. arXiv:1705.10667
    .. [2] X. Chen, S. Wang, M. Long, J. Wang. "Transferability vs. Discriminability: Batch
       Spectral Penalization for Adversarial Domain Adaptation". ICML 2019.
    .. [3] H. Rangwani, S. K. Aithal, M. Mishra, A. Jain, R. V. Babu. "A Closer Look at Smoothness
       in Domain Adversarial Training". ICML 2022. arXiv:2206.08213

    Examples
    --------
    >>> from skda import CDANClassifier, stack_domains
    >>> from sklearn.datasets import make_blobs
    >>> centers = [[0, 0], [4, 0], [0, 4]]
    >>> X_source, y_source = make_blobs(150, centers=centers, cluster_std=0.5, random_state=0)
    >>> X_target, y_target = X_source + [1.0, -0.5], y_source
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = CDANClassifier(max_epochs=30, lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """

    _alignment = ConditionalAdversarialLoss

    def __init__(
        self,
        module: Backbone | None = None,
        *,
        alignment_weight: float = 1.0,
        alignment_schedule: Literal["constant", "sigmoid"] | Callable[..., Any] = "sigmoid",
        discriminator_hidden: int | tuple[int, ...] = 64,
        entropy_weights: bool = True,
        n_random: int = 4096,
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
        self.entropy_weights = entropy_weights
        self.n_random = n_random
        self.bsp_weight = bsp_weight
        self.smoothing = smoothing
