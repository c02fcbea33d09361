"""AaD: neighbors predicted alike, other rows unlike, without source rows (Yang 2022)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Literal, Self

import torch
from torch.nn.functional import normalize

from .._core._param_checks import check_integer, check_real
from .._core._typing import ArrayLike, DomainIds, Estimator, RandomState
from ._base_tasks import DeepClassifier
from ._base_two_stage import Adaptation
from ._domain_norm import renew_statistics, rows_of
from ._modules import has_batch_norm
from ._training import AlignmentLoss
from ._typing import Backbone


def attracting_and_dispersing(p, neighbors, dispersion):
    """Return the loss of a batch [Eq. 5]: agreement with all others minus that with neighbors.

    Parameters
    ----------
    p : tensor of shape (n, n_classes)
        Class probabilities of the rows of the batch.
    neighbors : tensor of shape (n, n_neighbors, n_classes)
        Those of the nearest rows of each, held fixed.
    dispersion : float
        Weight of the agreement with the other rows of the batch.
    """
    attraction = (p[:, None, :] * neighbors).sum(dim=(1, 2))
    agreement = p @ p.T
    dispersal = agreement.sum(dim=1) - agreement.diagonal()
    return (dispersion * dispersal - attraction).mean()


class NeighborhoodLoss(AlignmentLoss):
    """Predictions of all target rows, and the loss of a batch by the nearest of them."""

    def __init__(self, n_neighbors, dispersion_decay):
        super().__init__()
        self.n_neighbors, self.dispersion_decay = n_neighbors, dispersion_decay
        self.features = self.p = self.position = None
        self.dispersion = 1.0

    def on_epoch_begin(self, net, batches):
        """Note features and predictions of all target rows, and the weight of the dispersal."""
        self.dispersion = (1.0 + 10.0 * net.progress()) ** -self.dispersion_decay
        rows = torch.as_tensor(batches.sides[1], device=batches.X.device)
        self.position = torch.zeros(len(batches.X), dtype=torch.int64, device=rows.device)
        self.position[rows] = torch.arange(len(rows), device=rows.device)
        # Neighbors of the whole set, so without dropout.
        net._set_training(False)
        with torch.no_grad():
            logits, features = net.module_(batches.X[rows])
        self.features, self.p = normalize(features, dim=1), torch.softmax(logits, dim=1)

    def forget(self):
        """Drop what was noted, which a pickle of the net would hold."""
        self.features = self.p = self.position = None

    def of_batch(self, module, batch):
        """Return the loss of a batch of target rows."""
        with rows_of("target"):
            logits, features = module(batch.X)
        p, own = torch.softmax(logits, dim=1), self.position[batch.rows]
        with torch.no_grad():
            self.features[own], self.p[own] = normalize(features, dim=1), p
            similarity = self.features[own] @ self.features.T
            # No row is its own neighbor.
            similarity.scatter_(1, own[:, None], -torch.inf)
            n_neighbors = min(self.n_neighbors, len(self.p) - 1)
            nearest = similarity.topk(n_neighbors, dim=1).indices
        return attracting_and_dispersing(p, self.p[nearest], self.dispersion)


class NeighborhoodAdaptation(Adaptation):
    """Train a copy on target rows alone, by the predictions of their neighbors."""

    def __init__(self, n_neighbors, dispersion_decay, n_epochs):
        self.n_neighbors, self.dispersion_decay = n_neighbors, dispersion_decay
        self.n_epochs = n_epochs

    @staticmethod
    def check_params(params):
        """Return the number of neighbors, the decay of the dispersal and the number of epochs."""
        decay = check_real("dispersion_decay", params["dispersion_decay"], low=0)
        return {
            "n_neighbors": check_integer("n_neighbors", params["n_neighbors"]),
            "dispersion_decay": decay,
            "n_epochs": params["adaptation_epochs"],
        }

    def adapt(self, module, n_features, rows, train):
        """Return the copy whose predictions agree among neighbors, and its net."""
        module = copy.deepcopy(module)
        if self.n_epochs and has_batch_norm(module) and len(rows.target) > 1:
            # With the source's statistics the first neighbors would be those of another domain.
            own = torch.as_tensor(rows.target, device=rows.X.device)
            module = renew_statistics(module, rows.X[own])
        loss = NeighborhoodLoss(self.n_neighbors, self.dispersion_decay)
        adapted = train(module, loss, source=rows.source[:0], target=rows.target)
        loss.forget()
        return adapted


class AaDClassifier(DeepClassifier):
    """Adapt a source network to target rows alone: neighbors alike, other rows unlike.

    Source rows are needed for the source network only; with a fitted `source_model` none are
    needed at all.

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
    source_model : fitted deep estimator or FrozenEstimator, default=None
        Network to start from; it is copied. Then rows of the target alone are enough, and
        ``max_epochs`` and the network's own parameters are ignored. Inside tools that clone, pass
        ``FrozenEstimator(model)``. None trains one on the source rows first.
    adaptation_epochs : int, default=10
        Epochs of the second stage; 0 leaves the source network as it is.
    adaptation_lr : float, default=0.001
        Learning rate of the second stage.
    n_neighbors : int, default=5
        Target rows with the most similar features whose predictions a row is drawn to; raising it
        smooths the classes over wider neighborhoods.
    dispersion_decay : float, default=3.0
        How fast the weight of the dispersal falls with the progress p of the second stage:
        (1 + 10 p)^-dispersion_decay. 0 keeps it at 1, which suits many balanced classes; larger
        values leave more to the neighbors.
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
    adapted_net_ : skorch.NeuralNet
        The net of the second stage, with its history.

    See Also
    --------
    SHOTClassifier : Confident and diverse predictions, the head of the network fixed.

    Notes
    -----
    On a copy of the source network, minimizes the mean over the rows i of a batch of
    λ Σₘ pᵢ·pₘ − Σⱼ pᵢ·pⱼ, where p are class probabilities, m goes over the other rows of the batch
    and j over the nearest target rows by the cosine of their features, with the predictions of
    their last step. All weights are trained, the head included.

    It is here beside :class:`SHOTClassifier` because it needs neither pseudo-labels nor their
    centroids: where a class has several clusters, neighbors may be right and centroids are not. In
    its paper it gains over SHOT on three benchmarks of images.

    Assumption: target rows that are near in the source's features are of one class, and a batch
    holds rows of many classes in similar numbers. Cost: a step costs that of the network and a
    product of its rows with all n target rows, O(n d) each. Array level (c): torch; NumPy, data
    frames, lists, CuPy come in and go out.

    References
    ----------
    .. [1] S. Yang, Y. Wang, K. Wang, S. Jui, J. van de Weijer. "Attracting and Dispersing: A
       Simple Approach for Source-free Domain Adaptation". NeurIPS 2022. arXiv:2205.04183

    Examples
    --------
    >>> from skda import AaDClassifier, DeepSourceOnlyClassifier, stack_domains
    >>> from sklearn.datasets import make_blobs
    >>> centers = [[0, 0], [4, 0], [0, 4]]
    >>> X_source, y_source = make_blobs(150, centers=centers, cluster_std=0.5, random_state=0)
    >>> X_target, y_target = X_source + [1.0, -0.5], y_source
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> source = DeepSourceOnlyClassifier(max_epochs=30, lr=0.01, random_state=0)
    >>> source = source.fit(X, y, sample_domain=sample_domain)
    >>> net = AaDClassifier(source_model=source, random_state=0)
    >>> net = net.fit(X_target, sample_domain=[-2] * len(X_target))
    >>> net.score(X_target, y_target)
    1.0
    """

    _adaptation = NeighborhoodAdaptation

    def __init__(
        self,
        module: Backbone | None = None,
        *,
        source_model: Estimator | None = None,
        adaptation_epochs: int = 10,
        adaptation_lr: float = 1e-3,
        n_neighbors: int = 5,
        dispersion_decay: float = 3.0,
        lr: float | None = None,
        lr_schedule: Literal["anneal", "cosine", "constant"] = "constant",
        max_epochs: int | None = None,
        min_steps: int = 600,
        batch_size: int = 128,
        optimizer: type = torch.optim.Adam,
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
        self.source_model = source_model
        self.adaptation_epochs = adaptation_epochs
        self.adaptation_lr = adaptation_lr
        self.n_neighbors = n_neighbors
        self.dispersion_decay = dispersion_decay

    @property
    def _labels(self):
        # A trained source model makes all labels superfluous: the source-free case.
        return "source" if self.source_model is None else "ignored"

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        sample_domain: DomainIds | None = None,
    ) -> Self:
        """Train the source network, unless one is given, and adapt it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains; of the target alone if there is a `source_model`.
        y : array-like of shape (n_samples,), default=None
            Labels of the source rows; ignored if there is a `source_model`.
        sample_weight : array-like of shape (n_samples,), default=None
            How much the label of each source row counts in the training of the source network,
            scaled to a mean of one; ignored if there is a `source_model`.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target. None: all rows are source, nothing is
            adapted, and a :class:`~skda.DomainWarning` says so.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return super().fit(X, y, sample_weight, sample_domain=sample_domain)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.source_model is None
        return tags
