"""The reference of every comparison: the same network, trained on source rows alone."""

from ._base_tasks import DeepClassifier, DeepRegressor


class DeepSourceOnlyClassifier(DeepClassifier):
    """Train a network on the labeled source rows alone: the reference for every deep method.

    Target rows are ignored: neither their values nor their number changes anything, unless
    ``early_stopping="target"`` asks for them. The other deep classifiers of one stage are this
    network, bit for bit, at ``alignment_weight=0``.

    Parameters
    ----------
    module : torch.nn.Module class or instance, default=None
        Network whose forward returns ``(logits, features)`` for a batch of rows. A class is built
        for the data: it gets ``n_features`` and ``n_outputs`` where its constructor takes them, and
        whatever is set as ``module__...``. An instance is copied. None is
        :class:`~skda.deep.MLP`: two hidden layers sized from the data.
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
    module : torch.nn.Module class or instance, default=None
        Network whose forward returns ``(logits, features)`` for a batch of rows. A class is built
        for the data: it gets ``n_features`` and ``n_outputs`` where its constructor takes them, and
        whatever is set as ``module__...``. An instance is copied. None is
        :class:`~skda.deep.MLP`: two hidden layers sized from the data.
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
