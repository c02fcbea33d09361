"""AdaBN: renew the statistics of batch normalization on the target (Li 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
import torch

from .._core._param_checks import check_forgetting_factor
from .._core._sample_domain import check_sample_domain, note_domains
from .._core._typing import ArrayLike, DomainIds, RandomState
from ._base_tasks import DeepClassifier, DeepRegressor
from ._base_two_stage import Adaptation
from ._domain_norm import merged_statistics, renew_statistics
from ._inference import as_tensor
from ._typing import Backbone


class StatisticsAdaptation(Adaptation):
    """Give a copy the statistics of the target rows; nothing is trained."""

    @staticmethod
    def check_params(params):
        """Return no parameter: the factor is of ``partial_fit`` only."""
        check_forgetting_factor(params["forgetting_factor"])
        return {}

    def adapt(self, module, n_features, rows, train):
        """Return the copy with the target's statistics."""
        target = torch.as_tensor(rows.target, device=rows.X.device)
        return renew_statistics(module, rows.X[target]), None


def renew_by_batch(estimator, X, sample_domain):
    """Renew the statistics of a fitted AdaBN estimator with more rows of the target."""
    estimator._check_params()
    data = estimator._data_for_predict(X, None, "partial_fit")
    n = len(data.ids)
    ids = data.ids if sample_domain is None else check_sample_domain(sample_domain, n)
    if (ids >= 0).any():
        raise ValueError(
            f"partial_fit of {type(estimator).__name__} learns from target rows (sample_domain < "
            f"0); got rows of the sources {np.unique(ids[ids >= 0]).tolist()}. Leave them out, or "
            "call fit on all rows."
        )
    device = estimator._torch_device(data)
    rows = estimator._scaled(as_tensor(data.X, device), data)
    target = renew_statistics(estimator.net_.module_.to(device), rows)
    kept = estimator.forgetting_factor * estimator.target_weight_
    if kept:
        old = estimator.target_module_.to(device)
        how = {"n_new": n, "forgetting_factor": estimator.forgetting_factor}
        target = merged_statistics(old, target, n_old=estimator.target_weight_, **how)
    # Stored when all is computed: a batch that fails counts as not seen.
    estimator.target_module_, estimator.target_weight_ = target, kept + n
    if sample_domain is not None:
        note_domains(estimator, ids)
        targets = {*estimator.target_domains_, *np.unique(ids).tolist()}
        estimator.target_domains_ = sorted(targets)


class AdaBNClassifier(DeepClassifier):
    """Train on the source, then give batch normalization the statistics of the target.

    Parameters
    ----------
    module : {"mlp", "resnet", "realmlp"} or torch.nn.Module class or instance, default=None
        Network whose forward returns ``(logits, features)`` for a batch of rows. A class is built
        for the data: it gets ``n_features`` and ``n_outputs`` where its constructor takes them, and
        whatever is set as ``module__...``. An instance is copied; the features of a plain
        ``nn.Sequential`` are the input of its last linear layer. "resnet" and "realmlp" are for
        tables: they take missing values and categorical columns, which are those of text and
        categories in a data frame, or ``module__categorical_features=[0, 3]``. None and "mlp" are
        :class:`~skda.deep.MLP` with batch normalization: two hidden layers sized from the data.
    forgetting_factor : float, default=1.0
        In (0, 1]: factor by which the weight of earlier target rows is multiplied at each
        ``partial_fit`` with new ones; 1 keeps all history. ``fit`` does not use it.
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
    target_module_ : torch.nn.Module
        The adapted network, which maps target rows; source rows are mapped by ``net_.module_``.
    target_weight_ : float
        Weight of the target rows that its statistics are of, in rows.

    See Also
    --------
    DeepCORALClassifier : Align covariances while training.
    AdaBNRegressor : The regressor.

    Notes
    -----
    Each normalized unit is centered and scaled by mean and variance of the target rows instead of
    the source's; no weight changes. The default module has batch normalization here.

    Assumption: each hidden unit differs between the domains by shift and scale; the proportions of
    the classes agree. Cost: one pass through the target rows. Array level (c): torch; NumPy, data
    frames, lists, CuPy come in and go out.

    References
    ----------
    .. [1] Y. Li, N. Wang, J. Shi, J. Liu, X. Hou. "Revisiting Batch Normalization For Practical
       Domain Adaptation". 2016. arXiv:1603.04779

    Examples
    --------
    >>> from skda import AdaBNClassifier, stack_domains
    >>> from sklearn.datasets import make_blobs
    >>> centers = [[0, 0], [4, 0], [0, 4]]
    >>> X_source, y_source = make_blobs(150, centers=centers, cluster_std=0.5, random_state=0)
    >>> X_target, y_target = X_source + [1.0, -0.5], y_source
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = AdaBNClassifier(max_epochs=30, lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """

    _adaptation = StatisticsAdaptation

    def __init__(
        self,
        module: Backbone | None = None,
        *,
        forgetting_factor: float = 1.0,
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
        self.forgetting_factor = forgetting_factor
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

    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        classes: ArrayLike | None = None,
        *,
        sample_domain: DomainIds | None = None,
    ) -> Self:
        """Renew the statistics of the target with more rows of it; no weight is trained.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Two or more rows of known or new targets, which are pooled.
        y : array-like of shape (n_samples,), default=None
            Used in the first call only, which is :meth:`fit`.
        classes : array-like of shape (n_classes,), default=None
            Ignored: the classes are those of the first call.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row, all < 0. None: every row is a target row.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            If there are source rows among these, which need a fit, or a single row.

        Notes
        -----
        Means and variances of each layer are merged by the numbers of rows. Those of the first
        normalized layer are then the same as of all rows at once; what reaches later layers has
        been normalized batch by batch. The scaling of the inputs stays that of ``fit``.
        """
        if not hasattr(self, "net_"):
            return self.fit(X, y, sample_domain=sample_domain)
        renew_by_batch(self, X, sample_domain)
        return self

    def _adapt_net(self, data, rows):
        super()._adapt_net(data, rows)
        self.target_weight_ = float(len(rows.target))


class AdaBNRegressor(DeepRegressor):
    """Train on the source, then give batch normalization the statistics of the target.

    Parameters
    ----------
    module : {"mlp", "resnet", "realmlp"} or torch.nn.Module class or instance, default=None
        Network whose forward returns ``(logits, features)`` for a batch of rows. A class is built
        for the data: it gets ``n_features`` and ``n_outputs`` where its constructor takes them, and
        whatever is set as ``module__...``. An instance is copied; the features of a plain
        ``nn.Sequential`` are the input of its last linear layer. "resnet" and "realmlp" are for
        tables: they take missing values and categorical columns, which are those of text and
        categories in a data frame, or ``module__categorical_features=[0, 3]``. None and "mlp" are
        :class:`~skda.deep.MLP` with batch normalization: two hidden layers sized from the data.
    forgetting_factor : float, default=1.0
        In (0, 1]: factor by which the weight of earlier target rows is multiplied at each
        ``partial_fit`` with new ones; 1 keeps all history. ``fit`` does not use it.
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
    target_module_ : torch.nn.Module
        The adapted network, which maps target rows; source rows are mapped by ``net_.module_``.
    target_weight_ : float
        Weight of the target rows that its statistics are of, in rows.

    See Also
    --------
    AdaBNClassifier : The classifier, with the assumption.

    Notes
    -----
    As :class:`AdaBNClassifier`, with the squared error of the standardized values. It
    takes a shift of the values themselves away, too. Array level (c): torch; NumPy, data frames,
    lists, CuPy come in and go out.

    References
    ----------
    .. [1] Y. Li, N. Wang, J. Shi, J. Liu, X. Hou. "Revisiting Batch Normalization For Practical
       Domain Adaptation". 2016. arXiv:1603.04779

    Examples
    --------
    >>> from skda import AdaBNRegressor, stack_domains
    >>> from sklearn.datasets import make_regression
    >>> X_source, y_source = make_regression(200, 3, random_state=0)
    >>> X_target, y_target = X_source + 2.0, y_source
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = AdaBNRegressor(max_epochs=30, lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """

    _adaptation = StatisticsAdaptation

    def __init__(
        self,
        module: Backbone | None = None,
        *,
        forgetting_factor: float = 1.0,
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
        self.forgetting_factor = forgetting_factor
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

    def partial_fit(
        self, X: ArrayLike, y: ArrayLike | None = None, *, sample_domain: DomainIds | None = None
    ) -> Self:
        """Renew the statistics of the target with more rows of it; no weight is trained.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Two or more rows of known or new targets, which are pooled.
        y : array-like of shape (n_samples,), default=None
            Used in the first call only, which is :meth:`fit`.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row, all < 0. None: every row is a target row.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            If there are source rows among these, which need a fit, or a single row.

        Notes
        -----
        Means and variances of each layer are merged by the numbers of rows. Those of the first
        normalized layer are then the same as of all rows at once; what reaches later layers has
        been normalized batch by batch. The scaling of the inputs stays that of ``fit``.
        """
        if not hasattr(self, "net_"):
            return self.fit(X, y, sample_domain=sample_domain)
        renew_by_batch(self, X, sample_domain)
        return self

    def _adapt_net(self, data, rows):
        super()._adapt_net(data, rows)
        self.target_weight_ = float(len(rows.target))
