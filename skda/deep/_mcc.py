"""MCC: predictions on the target that do not confuse pairs of classes (Jin 2020)."""

import torch

from .._core._param_checks import check_real
from ._base_tasks import DeepClassifier
from ._cdan import entropy
from ._training import AlignmentLoss


def class_confusion(logits, temperature):
    """Return the mean confusion between different classes [Eq. 2-6]."""
    p = torch.softmax(logits / temperature, dim=1)
    # Confident rows count more; the weights themselves are not trained.
    weights = 1.0 + torch.exp(-entropy(p.detach()))
    confusion = p.T @ (p * (weights / weights.mean())[:, None])
    # By row, so that frequent classes do not decide alone.
    confusion = confusion / confusion.sum(dim=1, keepdim=True)
    return (confusion.sum() - confusion.diagonal().sum()) / logits.shape[1]


class ClassConfusionLoss(AlignmentLoss):
    """Confusion between classes in the predictions on the target."""

    def __init__(self, temperature):
        super().__init__()
        self.temperature = temperature

    @staticmethod
    def check_params(params):
        """Return the temperature."""
        temperature = check_real("temperature", params["temperature"], low=0, closed="neither")
        return {"temperature": temperature}

    def forward(self, source, target):
        """Return the loss of a batch; its source rows are ignored."""
        return class_confusion(target.logits, self.temperature)


class MCCClassifier(DeepClassifier):
    """Train a network whose predictions on the target do not confuse classes.

    Parameters
    ----------
    module : torch.nn.Module class or instance, default=None
        Network whose forward returns ``(logits, features)`` for a batch of rows. A class is built
        for the data: it gets ``n_features`` and ``n_outputs`` where its constructor takes them, and
        whatever is set as ``module__...``. An instance is copied. None is
        :class:`~skda.deep.MLP`: two hidden layers sized from the data.
    alignment_weight : float, default=1.0
        Weight of the alignment loss. 0 is the source-only network, which ignores target rows;
        raising it makes the features of both domains more alike, at the price of the fit to the
        source.
    alignment_schedule : {"constant", "sigmoid"} or callable, default="constant"
        Factor of the weight in the course of the training. "sigmoid" grows from 0 to 1 as
        2/(1 + exp(-10 p)) - 1, where p is the progress from 0 to 1; a callable gets p.
    temperature : float, default=2.5
        Divides the logits before the confusion is measured; raising it looks at more than the
        two likeliest classes.
    lr : float, default=1e-3
        Learning rate.
    max_epochs : int, default=50
        Passes through the larger domain; through the source where no target row is trained on.
    batch_size : int, default=128
        Rows of a step: half of them source rows, half target rows. The smaller domain is reshuffled
        and cycled.
    optimizer : type, default=torch.optim.Adam
        Optimizer class of torch. Its arguments are set as ``optimizer__weight_decay=...``.
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
        ``compile`` and ``compile__...``. They are parameters like all others for ``get_params``,
        ``set_params``, ``clone`` and grid searches.

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
    n_features_in_ : int
        Number of features of `X`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `X` has string names.
    source_domains_, target_domains_ : list of int
        Ids of the domains seen in ``fit``.

    See Also
    --------
    CDANClassifier : Align features given predictions.
    SHOTClassifier : Confident and diverse predictions without source rows.

    Notes
    -----
    Minimizes cross-entropy(source) + w Σ_{j≠k} C_jk / K, where C is the correlation between the
    class probabilities of the K classes over the target rows of a batch, rows weighted by
    1 + exp(−entropy), each row of C divided by its sum. There is no alignment of features.

    Assumption: the target has clusters, and the source model is right on most of each. Cost: a step
    adds O(b K²) for b rows. Array level (c): torch; NumPy, data frames, lists, CuPy come in and go
    out.

    References
    ----------
    .. [1] Y. Jin, X. Wang, M. Long, J. Wang. "Minimum Class Confusion for Versatile Domain
       Adaptation". ECCV 2020. arXiv:1912.03699

    Examples
    --------
    >>> from skda import MCCClassifier, stack_domains
    >>> from sklearn.datasets import make_blobs
    >>> centers = [[0, 0], [4, 0], [0, 4]]
    >>> X_source, y_source = make_blobs(150, centers=centers, cluster_std=0.5, random_state=0)
    >>> X_target, y_target = X_source + [1.0, -0.5], y_source
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = MCCClassifier(max_epochs=30, lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """

    _alignment = ClassConfusionLoss

    def __init__(
        self,
        module=None,
        *,
        alignment_weight=1.0,
        alignment_schedule="constant",
        temperature=2.5,
        lr=1e-3,
        max_epochs=50,
        batch_size=128,
        optimizer=torch.optim.Adam,
        early_stopping=None,
        validation_fraction=0.1,
        patience=10,
        callbacks=None,
        device=None,
        warm_start=False,
        random_state=None,
        verbose=0,
        **net_params,
    ):
        super().__init__(
            module,
            lr=lr,
            max_epochs=max_epochs,
            batch_size=batch_size,
            optimizer=optimizer,
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
        self.temperature = temperature
