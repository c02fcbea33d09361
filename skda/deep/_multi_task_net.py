"""A network for many domains: a shared trunk, a head for each, weights of the tasks learnt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch

from .._core._param_checks import check_option
from .._core._typing import RandomState
from ._base_tasks import DeepClassifier, DeepRegressor
from ._task_heads import (
    TASK_WEIGHTINGS,
    MultiTaskNet,
    MultiTaskRegressionTask,
    encode_labels,
    labeled_data,
    module_with_variances,
    net_with_heads,
    number_of_outputs,
    outputs_of_heads,
    plain_state,
    task_weights,
    train_heads,
    weights_of_labels,
)
from ._typing import Backbone


class MultiTaskNetClassifier(DeepClassifier):
    r"""Train one network for many domains, with a shared trunk and a head for each domain.

    Hospitals, machines and schools have tasks that look alike and are not the same. One trunk is
    learnt from the rows of all of them, and each domain has a head of its own on its features: what
    a head shares with the others plus what is particular. A task that is hard, or noisy,
    has less weight, if the weights are learnt.
    Every domain with labels is a task, source or target.

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
    task_weighting : {"uncertainty", "equal"}, default="uncertainty"
        How the losses of the tasks are weighed. "uncertainty": by the inverse of a variance of each
        task, which is learnt along, so that a task with much noise counts less [2]_. "equal": every
        label counts alike.
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
        ``compile`` and ``compile__...``. They are parameters like all others for ``get_params``,
        ``set_params``, ``clone`` and grid searches.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes of the source, in their own type.
    domains_ : list of int
        Ids of the domains with labels; each has a head, in this order, if there are two or more.
    task_weights_ : ndarray of shape (n_domains,) or (n_domains, n_targets)
        Weights of the tasks, the inverse of their variances; ones if all count alike.
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
    MultiTaskTransferClassifier : Linear models with shared and own coefficients.
    DeepSourceOnlyClassifier : One head for all rows.

    Notes
    -----
    The trunk and the heads are the module: its last layer has a block of outputs that all domains
    share and a block for each, and the head of a domain is the sum of the two [1]_. This is the
    network's form of :class:`~skda.MultiTaskTransferClassifier`, where both parts are penalized.
    Rows of a domain without labels get the mean of all heads. So do rows without
    ``sample_domain``, unless there is a single target domain: then they are its rows. Fitted
    without ``sample_domain``, or with one domain, it is a plain network with one head.

    With ``task_weighting="uncertainty"`` the loss of a label of task t is
    :math:`\ell / \sigma_t^2 + \log \sigma_t` for its cross-entropy :math:`\ell` [2]_, with
    :math:`\sigma_t` a weight of the network.

    A target row is labeled unless its y is NaN, None or NA or, among integers, -1; unlabeled
    ones are not used. Sources alone are enough, since each is a task. Batches are made of
    labeled rows of all domains together, half of `batch_size` at a time; inputs are scaled by the
    statistics of the sources, and ``early_stopping="source"`` holds out labeled rows of all tasks.

    Assumption: features that serve one domain serve the others, too. Cost: an epoch is linear in
    the rows and in the size of the network, whose last layer grows with the domains. Array level
    (c): torch; NumPy, data frames, lists, CuPy come in and go out.

    References
    ----------
    .. [1] R. Caruana (1997). Multitask learning. Machine Learning 28. doi:10.1023/A:1007379606734
    .. [2] A. Kendall, Y. Gal, R. Cipolla (2018). Multi-task learning using uncertainty to weigh
       losses for scene geometry and semantics. CVPR. arXiv:1705.07115

    Examples
    --------
    >>> import numpy as np
    >>> from skda import MultiTaskNetClassifier
    >>> rng = np.random.default_rng(0)
    >>> site = np.repeat(np.arange(4), 150)
    >>> w = rng.normal(size=3) + rng.normal(size=(4, 3))
    >>> X = rng.normal(size=(600, 3))
    >>> y = np.abs(X @ w.T)[np.arange(600), site] > 1
    >>> known = np.arange(600) % 2 == 0
    >>> for domain in (0 * site, site):  # one network for all rows, then one with four heads
    ...     net = MultiTaskNetClassifier(max_epochs=60, random_state=0)
    ...     net = net.fit(X[known], y[known], sample_domain=domain[known])
    ...     print(f"{net.score(X[~known], y[~known], sample_domain=domain[~known]):.2f}")
    0.67
    0.87
    """

    _net_class = MultiTaskNet
    _labels = "all"
    _needs_target = False  # sources alone are tasks, too
    _trains_on = "labeled rows of both sides together"
    # The same for classes and values.
    _data = labeled_data
    _encode = encode_labels
    _row_weights = weights_of_labels
    _train_net = train_heads
    _n_outputs = number_of_outputs
    _make_module = module_with_variances
    _wrap = net_with_heads
    _outputs = outputs_of_heads
    _plain_state = plain_state
    task_weights_ = property(task_weights, doc="Weights of the tasks.")

    def __init__(
        self,
        module: Backbone | None = None,
        *,
        task_weighting: Literal["uncertainty", "equal"] = "uncertainty",
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
        self.task_weighting = task_weighting

    def _check_params(self):
        """Check every parameter by name before anything is trained."""
        super()._check_params()
        check_option("task_weighting", self.task_weighting, TASK_WEIGHTINGS)


class MultiTaskNetRegressor(DeepRegressor):
    r"""Train one network for many domains, with a shared trunk and a head for each domain.

    Hospitals, machines and schools have tasks that look alike and are not the same. One trunk is
    learnt from the rows of all of them, and each domain has a head of its own on its features: what
    a head shares with the others plus what is particular. Several values of a row are tasks as
    well, and those that are missing are left out.
    Every domain with labels is a task, source or target.

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
    task_weighting : {"uncertainty", "equal"}, default="uncertainty"
        How the losses of the tasks are weighed. "uncertainty": by the inverse of a variance of each
        task, which is learnt along, so that a task with much noise counts less [2]_. "equal": every
        label counts alike.
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
        ``compile`` and ``compile__...``. They are parameters like all others for ``get_params``,
        ``set_params``, ``clone`` and grid searches.

    Attributes
    ----------
    domains_ : list of int
        Ids of the domains with labels; each has a head, in this order, if there are two or more.
    task_weights_ : ndarray of shape (n_domains,) or (n_domains, n_targets)
        Weights of the tasks, the inverse of their variances; ones if all count alike.
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
    MultiTaskTransferRegressor : Linear models with shared and own coefficients.
    DeepSourceOnlyRegressor : One head for all rows.

    Notes
    -----
    The trunk and the heads are the module: its last layer has a block of outputs that all domains
    share and a block for each, and the head of a domain is the sum of the two [1]_. This is the
    network's form of :class:`~skda.MultiTaskTransferRegressor`, where both parts are penalized.
    Rows of a domain without labels get the mean of all heads. So do rows without
    ``sample_domain``, unless there is a single target domain: then they are its rows. Fitted
    without ``sample_domain``, or with one domain, it is a plain network with one head.

    With ``task_weighting="uncertainty"`` the loss of a value of task t is
    :math:`(y - f)^2 / \sigma_t^2 + 2 \log \sigma_t`, twice the negative logarithm of a normal
    density [2]_, with :math:`\sigma_t` a weight of the network. Values are standardized by mean and
    scale over all domains.

    A target row is labeled unless its y is NaN, None or NA or, among integers, -1; unlabeled
    ones are not used. Sources alone are enough, since each is a task. In a table of
    several values NaN or None is missing, on source rows, too, and every pair of a domain and a
    column is a task. Batches are made of labeled rows of all domains together, half of `batch_size`
    at a time; inputs are scaled by the statistics of the sources, and ``early_stopping="source"``
    holds out labeled rows of all tasks.

    Assumption: features that serve one domain serve the others, too. Cost: an epoch is linear in
    the rows and in the size of the network, whose last layer grows with the domains. Array level
    (c): torch; NumPy, data frames, lists, CuPy come in and go out.

    References
    ----------
    .. [1] R. Caruana (1997). Multitask learning. Machine Learning 28. doi:10.1023/A:1007379606734
    .. [2] A. Kendall, Y. Gal, R. Cipolla (2018). Multi-task learning using uncertainty to weigh
       losses for scene geometry and semantics. CVPR. arXiv:1705.07115

    Examples
    --------
    >>> import numpy as np
    >>> from skda import MultiTaskNetRegressor
    >>> rng = np.random.default_rng(0)
    >>> site = np.repeat(np.arange(4), 150)
    >>> X = rng.normal(size=(600, 3))
    >>> y = np.abs(X[:, 0]) * (1 + site) + X[:, 1] + site
    >>> known = np.arange(600) % 2 == 0
    >>> net = MultiTaskNetRegressor(max_epochs=60, random_state=0)
    >>> net = net.fit(X[known], y[known], sample_domain=site[known])
    >>> print(f"{net.score(X[~known], y[~known], sample_domain=site[~known]):.2f}")
    0.99
    """

    _task_class = MultiTaskRegressionTask
    _net_class = MultiTaskNet
    _labels = "all"
    _needs_target = False  # sources alone are tasks, too
    _trains_on = "labeled rows of both sides together"
    # The same for classes and values.
    _data = labeled_data
    _encode = encode_labels
    _row_weights = weights_of_labels
    _train_net = train_heads
    _n_outputs = number_of_outputs
    _make_module = module_with_variances
    _wrap = net_with_heads
    _outputs = outputs_of_heads
    _plain_state = plain_state
    task_weights_ = property(task_weights, doc="Weights of the tasks.")

    def __init__(
        self,
        module: Backbone | None = None,
        *,
        task_weighting: Literal["uncertainty", "equal"] = "uncertainty",
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
        self.task_weighting = task_weighting

    def _check_params(self):
        """Check every parameter by name before anything is trained."""
        super()._check_params()
        check_option("task_weighting", self.task_weighting, TASK_WEIGHTINGS)
