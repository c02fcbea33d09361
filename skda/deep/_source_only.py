"""The reference of every comparison: the same network, trained on source rows alone."""

from ._base_tasks import DeepClassifier, DeepRegressor


class DeepSourceOnlyClassifier(DeepClassifier):
    """Train a network on the labeled source rows alone: the reference for every deep method.

    Target rows are ignored: neither their values nor their number changes anything, unless
    ``early_stopping="target"`` asks for them. The other deep classifiers of one stage are this
    network, bit for bit, at ``alignment_weight=0``.

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
    DANClassifier : Align the features by their kernel mean embeddings.
    DANNClassifier : Align them by an adversary.

    Notes
    -----
    Assumption: the domains do not differ. Cost: an epoch is linear in the rows and in the size of
    the network. Array level (c): torch; NumPy, data frames, lists, CuPy come in and go out.

    Examples
    --------
    >>> import numpy as np
    >>> from skda import DeepSourceOnlyClassifier, stack_domains
    >>> rng = np.random.default_rng(0)
    >>> X_source, X_target = rng.normal(size=(100, 2)), rng.normal(size=(80, 2)) + 0.5
    >>> y_source, y_target = X_source[:, 0] > 0, X_target[:, 0] > 0
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = DeepSourceOnlyClassifier(max_epochs=20, lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """


class DeepSourceOnlyRegressor(DeepRegressor):
    """Train a regression network on the source rows alone: the reference for every deep method.

    Target rows are ignored: neither their values nor their number changes anything. The other deep
    regressors of one stage are this network, bit for bit, at ``alignment_weight=0``.

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
    DANRegressor : Align the features by their kernel mean embeddings.

    Notes
    -----
    Assumption: the domains do not differ. Cost: an epoch is linear in the rows and in the size of
    the network. Array level (c): torch; NumPy, data frames, lists, CuPy come in and go out.

    Examples
    --------
    >>> import numpy as np
    >>> from skda import DeepSourceOnlyRegressor, stack_domains
    >>> rng = np.random.default_rng(0)
    >>> X_source, X_target = rng.normal(size=(100, 2)), rng.normal(size=(80, 2)) + 0.5
    >>> y_source, y_target = X_source.sum(axis=1), X_target.sum(axis=1)
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = DeepSourceOnlyRegressor(max_epochs=20, lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """
