"""DAN: learn features whose kernel mean embeddings are the same in both domains (Long 2015).

The discrepancy is the squared maximum mean discrepancy of a sum of Gaussian kernels whose
bandwidths are powers of two around the median distance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch

from .._core._param_checks import check_integer, check_option, check_real
from .._core._typing import ArrayLike, RandomState
from ._base_tasks import DeepClassifier, DeepRegressor
from ._training import AlignmentLoss
from ._typing import Backbone

ESTIMATES = ("unbiased", "biased", "linear")


def squared_distances(x, y):
    """Return squared Euclidean distances between the rows of x and the rows of y."""
    # ‖x‖² + ‖y‖² - 2 xᵀy, clamped because rounding can make it negative.
    xx, yy = x.square().sum(dim=1), y.square().sum(dim=1)
    return torch.addmm(xx[:, None] + yy, x, y.T, alpha=-2.0).clamp_min(0.0)


def median_gamma(d2):
    """Return 1/(2 median²) of the distances between different rows, from their squares.

    Without sorting out the diagonal by a mask, which would wait for the device.
    """
    n = d2.shape[0]
    # A single row has no distance to another.
    if n < 2:
        return torch.ones((), dtype=d2.dtype, device=d2.device)
    # Without its last entry the matrix, read in rows of n + 1, has its diagonal in the first
    # column.
    others = d2.detach().flatten()[:-1].view(n - 1, n + 1)[:, 1:]
    median = others.median()
    # Rows that coincide but for rounding have no scale: any kernel finds them alike, and one as
    # narrow as their rounding would only make gradients of it.
    return torch.where(median > torch.finfo(d2.dtype).eps, 0.5 / median, torch.ones_like(median))


def gaussian_kernels(d2, gamma, n_kernels):
    """Return the mean of exp(-gamma 2^j d2) over j = -(n_kernels // 2), …, the widest first.

    Each kernel is the square of the former one, so that one exponential is enough.
    """
    # The smallest gamma first, since squaring doubles it.
    kernel = torch.exp(d2 * (-gamma * 2.0 ** -(n_kernels // 2)))
    total = kernel
    for _ in range(n_kernels - 1):
        kernel = kernel * kernel
        total = total + kernel
    return total / n_kernels


def mmd_weights(n_source, n_target, *, biased, like):
    """Return W with sum(W * K) the squared MMD, K the kernel matrix of all rows of a batch."""
    n = n_source + n_target
    # Both blocks between the domains together give the factor -2 of the cross term.
    weights = torch.full((n, n), -1.0 / (n_source * n_target), dtype=like.dtype, device=like.device)
    for rows, m in ((slice(0, n_source), n_source), (slice(n_source, n), n_target)):
        weights[rows, rows] = 1.0 / m**2 if biased else 1.0 / (m * max(m - 1, 1))
    if not biased:
        # The unbiased estimate leaves out the pairs of a row with itself.
        weights.fill_diagonal_(0.0)
    return weights


def linear_mmd(source, target, kernel):
    """Return the linear-time estimate over pairs of rows [Gretton 2012, Lemma 14].

    ``kernel(x, y)`` gives one value per row.
    """
    # Each row is in one quadruple only, which makes the cost linear.
    n = min(source.shape[0], target.shape[0]) // 2
    s1, s2, t1, t2 = source[:n], source[n : 2 * n], target[:n], target[n : 2 * n]
    h = kernel(s1, s2) + kernel(t1, t2) - kernel(s1, t2) - kernel(s2, t1)
    return h.sum() / max(n, 1)


class MMDLoss(AlignmentLoss):
    """Squared maximum mean discrepancy of the features under several Gaussian kernels."""

    unit = 3.0

    def __init__(self, n_kernels=5, gamma="median", estimate="unbiased"):
        super().__init__()
        self.n_kernels, self.gamma, self.estimate = n_kernels, gamma, estimate
        # The weights depend on the sizes of the batch alone, which hardly ever change.
        self._weights = {}

    @staticmethod
    def check_params(params):
        """Return number and width of the kernels and the kind of estimate."""
        gamma = params["gamma"]
        if not isinstance(gamma, str):
            hint = "Or take gamma='median'."
            gamma = check_real("gamma", gamma, low=0, closed="neither", hint=hint)
        elif gamma != "median":
            raise ValueError(f"gamma must be 'median' or a positive number; got {gamma!r}.")
        return {
            "n_kernels": check_integer("n_kernels", params["n_kernels"]),
            "gamma": gamma,
            "estimate": check_option("estimate", params["estimate"], ESTIMATES),
        }

    def embeddings(self, batch):
        """Return the sets of features on each of which a kernel acts; kernels are multiplied."""
        return [batch.features]

    def forward(self, source, target):
        """Return the loss of a batch."""
        pairs = list(zip(self.embeddings(source), self.embeddings(target), strict=True))
        if self.estimate == "linear":
            return self._linear(pairs)
        K = 1.0
        for s, t in pairs:
            both = torch.cat([s, t])
            d2 = squared_distances(both, both)
            gamma = median_gamma(d2) if self.gamma == "median" else self.gamma
            K = K * gaussian_kernels(d2, gamma, self.n_kernels)
        n_source, n_target = pairs[0][0].shape[0], pairs[0][1].shape[0]
        # One entry is kept: batches of a pass are equally long.
        key = n_source, n_target, K.dtype, K.device
        if key not in self._weights:
            self._weights = {
                key: mmd_weights(n_source, n_target, biased=self.estimate == "biased", like=K)
            }
        return (self._weights[key] * K).sum()

    def _linear(self, pairs):
        gammas = [self._linear_gamma(s, t) for s, t in pairs]
        widths = [s.shape[1] for s, _ in pairs]

        def kernel(x, y):
            K = 1.0
            parts = zip(x.split(widths, dim=1), y.split(widths, dim=1), gammas, strict=True)
            for a, b, gamma in parts:
                K = K * gaussian_kernels((a - b).square().sum(dim=1), gamma, self.n_kernels)
            return K

        # One tensor per side, since linear_mmd pairs whole rows; the kernel splits them again.
        source, target = (torch.cat(part, dim=1) for part in zip(*pairs, strict=True))
        return linear_mmd(source, target, kernel)

    def _linear_gamma(self, s, t):
        if self.gamma != "median":
            return self.gamma
        n = min(s.shape[0], t.shape[0])
        # Distances of as many pairs as rows, to stay linear in the rows.
        d2 = (s[:n] - t[:n]).detach().square().sum(dim=1)
        return 0.5 / d2.median().clamp_min(torch.finfo(d2.dtype).tiny ** 0.5)


class DANClassifier(DeepClassifier):
    """Train a network on the source while making the distributions of its features agree.

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
    n_kernels : int, default=5
        Number of Gaussian kernels that are averaged; their γ are powers of two around `gamma`.
    gamma : float or "median", default="median"
        γ of the middle kernel exp(-γ ‖f - f'‖²). "median" takes 1/(2 median²) of the distances
        between the rows of each batch, and so follows the features while they are learnt.
    estimate : {"unbiased", "biased", "linear"}, default="unbiased"
        Estimate of MMD². "linear" compares each row with one other only: cheaper for large batches,
        noisier.
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
    JANClassifier : Align the joint distribution of features and predictions.
    DANNClassifier : Align by an adversary instead of kernels.
    DANRegressor : The regressor.

    Notes
    -----
    Minimizes cross-entropy(source) + w MMD²(features of the source, features of the target), with
    the mean of `n_kernels` Gaussian kernels exp(−γ 2ʲ ‖f − f'‖²), γ = 1/(2 median²) over the rows
    of a batch. The paper takes several layers and learns the weights of the kernels; here the last
    hidden layer is aligned and the kernels weigh the same.

    Assumption: there are features with the same distribution in both domains in which labels given
    features agree; in particular the proportions of the classes differ little. Cost: a step adds
    O(b² d) for b rows and d features (O(b d) if "linear"). Array level (c): torch; NumPy, data
    frames, lists, CuPy come in and go out.

    The factor of the loss is 3 times `alignment_weight`; the weight of the paper is chosen between
    0.1 and 1.7.

    References
    ----------
    .. [1] M. Long, Y. Cao, J. Wang, M. Jordan. "Learning Transferable Features with Deep
       Adaptation Networks". ICML 2015. arXiv:1502.02791
    .. [2] A. Gretton et al. "A Kernel Two-Sample Test". JMLR 13, 2012.

    Examples
    --------
    >>> from skda import DANClassifier, stack_domains
    >>> from sklearn.datasets import make_blobs
    >>> centers = [[0, 0], [4, 0], [0, 4]]
    >>> X_source, y_source = make_blobs(150, centers=centers, cluster_std=0.5, random_state=0)
    >>> X_target, y_target = X_source + [1.0, -0.5], y_source
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = DANClassifier(max_epochs=30, lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """

    _alignment = MMDLoss

    def __init__(
        self,
        module: Backbone | None = None,
        *,
        alignment_weight: float = 1.0,
        alignment_schedule: Literal["constant", "sigmoid"] | Callable[..., Any] = "constant",
        n_kernels: int = 5,
        gamma: float | Literal["median"] = "median",
        estimate: Literal["unbiased", "biased", "linear"] = "unbiased",
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
        self.n_kernels = n_kernels
        self.gamma = gamma
        self.estimate = estimate


class DANRegressor(DeepRegressor):
    """Train a regression network while making the distributions of its features agree.

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
    n_kernels : int, default=5
        Number of Gaussian kernels that are averaged; their γ are powers of two around `gamma`.
    gamma : float or "median", default="median"
        γ of the middle kernel exp(-γ ‖f - f'‖²). "median" takes 1/(2 median²) of the distances
        between the rows of each batch, and so follows the features while they are learnt.
    estimate : {"unbiased", "biased", "linear"}, default="unbiased"
        Estimate of MMD². "linear" compares each row with one other only: cheaper for large batches,
        noisier.
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
    DANClassifier : The classifier, with the formula.

    Notes
    -----
    Minimizes the squared error of the standardized values plus the loss of
    :class:`DANClassifier`, under the same assumption and at the same cost. Array level (c): torch;
    NumPy, data frames, lists, CuPy come in and go out.

    The factor of the loss is 3 times `alignment_weight`; the weight of the paper is chosen between
    0.1 and 1.7.

    References
    ----------
    .. [1] M. Long, Y. Cao, J. Wang, M. Jordan. "Learning Transferable Features with Deep
       Adaptation Networks". ICML 2015. arXiv:1502.02791

    Examples
    --------
    >>> from skda import DANRegressor, stack_domains
    >>> from sklearn.datasets import make_regression
    >>> X_source, y_source = make_regression(200, 3, random_state=0)
    >>> X_target, y_target = 1.2 * X_source, 1.2 * y_source
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = DANRegressor(alignment_weight=0.1, max_epochs=20, lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """

    _alignment = MMDLoss

    def __init__(
        self,
        module: Backbone | None = None,
        *,
        alignment_weight: float = 1.0,
        alignment_schedule: Literal["constant", "sigmoid"] | Callable[..., Any] = "constant",
        n_kernels: int = 5,
        gamma: float | Literal["median"] = "median",
        estimate: Literal["unbiased", "biased", "linear"] = "unbiased",
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
        self.n_kernels = n_kernels
        self.gamma = gamma
        self.estimate = estimate
