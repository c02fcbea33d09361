"""Prototypical networks: the class of the nearest mean of learnt features (Snell 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch

from .._core._typing import RandomState
from ._dan import squared_distances
from ._few_shot import FewShotClassifier
from ._typing import Backbone


class PrototypeComparison(torch.nn.Module):
    """Minus the squared distance of each row to each prototype [Snell 2017, Eq. 2]."""

    def forward(self, features, prototypes):
        """Return the scores, logits of the classes."""
        return -squared_distances(features, prototypes)


class PrototypicalNetworkClassifier(FewShotClassifier):
    """Learn features in which few rows of a class, by their mean, tell it from other classes.

    Parameters
    ----------
    module : {"mlp", "resnet", "realmlp"} or torch.nn.Module class or instance, default=None
        Network whose forward returns ``(logits, features)`` for a batch of rows. A class is built
        for the data: it gets ``n_features`` and ``n_outputs`` where its constructor takes them, and
        whatever is set as ``module__...``. An instance is copied; the features of a plain
        ``nn.Sequential`` are the input of its last linear layer. "resnet" and "realmlp" are for
        tables: they take missing values and categorical columns, which are those of text and
        categories in a data frame, or ``module__categorical_features=[0, 3]``. None
        is for few classes: the rows themselves plus a perceptron of 256 hidden units
        (``module__hidden``) that starts at zero, so that training begins at the nearest class mean.
        "mlp" is :class:`~skda.deep.MLP`.
    n_way : int, default=None
        Classes of an episode. None takes all classes of the source, 20 at most.
    n_shot : int, default=5
        Rows of each class that describe it in an episode; about as many as the support will have.
    n_query : int, default=10
        Rows of each class that are to be classified in an episode.
    n_episodes : int, default=50
        Episodes of the training, one step each. They are chosen at random, by `random_state`. With
        few classes on the source more would forget what these classes do not need; with dozens of
        classes, or with a network of your own, take hundreds and a larger `lr`.
    mix_classes : bool, default=True
        Whether each class of an episode is put together from two of the source: for some columns,
        chosen anew each time, the values are those of rows of the other. A source of few classes
        has few different episodes without it. Not for columns of categories.
    n_refinements : int, default=1
        Steps in which target rows without a label move the prototypes of the support: each
        belongs to the classes by its predicted probabilities [2]_. 0 takes the labeled rows alone.
        They must be of the classes of the support. Prototypes of the source are not refined.
    lr : float, default=0.0003
        Learning rate. None takes 0.03 with SGD, which then has a momentum of 0.9 unless
        ``optimizer__momentum`` is set, and 1e-3 with other optimizers.
    lr_schedule : {"anneal", "cosine", "constant"}, default="constant"
        Course of the learning rate with the progress p of the training from 0 to 1: "anneal" falls
        as (1 + 10 p)^-0.75, to a sixth; "cosine" falls to 0. A schedule of skorch among the
        `callbacks` takes its place. A second stage has a constant rate.
    optimizer : type, default=torch.optim.Adam
        Optimizer class of torch. Its arguments are set as ``optimizer__weight_decay=...``.
    batch_norm : {"domain", "joint", False}, default="domain"
        How layers of batch normalization take means and variances. "domain": for target rows, from
        the target rows in ``fit``, labeled or not. "joint": from the source for all rows. False:
        the default network has no such layers; those of other modules are "joint".
    input_scaling : {"domain", "source"} or None, default="domain"
        Whether rows are scaled before the network: "domain" by mean and spread of the features on
        their own side, "source" by those of the source. The spread is that of the middle 98 %;
        values farther out than three spreads are drawn in. None takes rows as they are.
    precision : {"float32", "bf16"}, default="float32"
        Precision of the network's arithmetic. "bf16" halves it, which is faster on recent GPUs;
        weights and losses stay in single precision.
    callbacks : list of skorch callbacks, default=None
        Learning-rate schedules, checkpoints, progress bars, gradient clipping… as in skorch. An
        argument of a named one is set as ``callbacks__name__argument=...``.
    device : str or torch.device, default=None
        Where to train and predict. None takes the device of :func:`skda.config_context`, else that
        of `X` if it is a torch tensor, else the CPU.
    random_state : int, RandomState instance or None, default=None
        Seeds initial weights, episodes and dropout. With an int, a fit on the CPU is reproducible
        bit for bit, in any thread.
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
        Classes of the support in their own type, those of the source if there is no support.
    source_classes_ : ndarray of shape (n_source_classes,)
        Classes of the source, of which the episodes are made.
    prototypes_ : ndarray of shape (n_classes, n_features_out)
        Mean feature of each class of ``classes_``, refined as `n_refinements` says.
    net_ : skorch.NeuralNet
        The trained net: ``net_.module_``, ``net_.optimizer_``, ``net_.callbacks_``.
    history_ : skorch.history.History
        One entry per 50 episodes: ``history_[:, "train_loss"]``, ``"source_accuracy"`` on the
        queries, ``"dur"``.
    n_iter_ : int
        Number of episodes trained.
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
        The network with the target's statistics of batch normalization, where it has them.

    See Also
    --------
    RelationNetworkClassifier : Learns the comparison, too.
    FineTuningClassifier : Trains the network itself on the labeled target rows.

    Notes
    -----
    In an episode of n_way classes, p(y = k | x) is the softmax over ``-‖f(x) - c_k‖²``, where c_k
    is the mean feature of the n_shot rows of class k; the loss is the cross-entropy of the queries.
    Nothing is trained on the target: the labeled target rows of ``fit`` or
    :meth:`set_support` give the prototypes, and so the classes, which the source need not have.
    Without any the prototypes are those of the source rows. The logits of the module are ignored.

    Assumption: what tells the classes of the source apart also tells those of the target apart.
    Cost: a step takes n_way (n_shot + n_query) rows; a prediction is linear in rows and classes.
    Array level (c): torch; NumPy, data frames, lists, CuPy come in and go out.

    References
    ----------
    .. [1] J. Snell, K. Swersky, R. Zemel. "Prototypical Networks for Few-shot Learning". NeurIPS
       2017. arXiv:1703.05175
    .. [2] M. Ren, E. Triantafillou, S. Ravi, J. Snell, K. Swersky, J. B. Tenenbaum, H.
       Larochelle, R. S. Zemel. "Meta-Learning for Semi-Supervised Few-Shot Classification". ICLR
       2018. arXiv:1803.00676

    Examples
    --------
    The source has the classes 0, 1, 2; the target, moved, has 3 and 4, with two labels each:

    >>> import numpy as np
    >>> from sklearn.datasets import make_blobs
    >>> from skda import PrototypicalNetworkClassifier, stack_domains
    >>> centers = [[0, 0], [4, 0], [0, 4], [4, 4], [8, 0]]
    >>> X, y = make_blobs(500, centers=centers, cluster_std=0.5, random_state=0)
    >>> X_source, y_source = X[y <= 2], y[y <= 2]
    >>> X_target, y_target = X[y > 2] + [1.0, -0.5], y[y > 2]
    >>> few = np.full(len(y_target), -1)
    >>> for label in (3, 4):
    ...     few[np.flatnonzero(y_target == label)[:2]] = label
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target, few)
    >>> net = PrototypicalNetworkClassifier(n_shot=2, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.classes_
    array([3, 4])
    >>> net.score(X_target, y_target)
    1.0
    """

    def __init__(
        self,
        module: Backbone | None = None,
        *,
        n_way: int | None = None,
        n_shot: int = 5,
        n_query: int = 10,
        n_episodes: int = 50,
        mix_classes: bool = True,
        n_refinements: int = 1,
        lr: float = 3e-4,
        lr_schedule: Literal["anneal", "cosine", "constant"] = "constant",
        optimizer: type = torch.optim.Adam,
        batch_norm: Literal["domain", "joint", False] = "domain",
        input_scaling: Literal["domain", "source"] | None = "domain",
        precision: Literal["float32", "bf16"] = "float32",
        callbacks: Sequence[Any] | None = None,
        device: str | torch.device | None = None,
        random_state: RandomState = None,
        verbose: int = 0,
        **net_params: Any,
    ):
        super().__init__(
            module,
            lr=lr,
            lr_schedule=lr_schedule,
            optimizer=optimizer,
            batch_norm=batch_norm,
            input_scaling=input_scaling,
            precision=precision,
            callbacks=callbacks,
            device=device,
            random_state=random_state,
            verbose=verbose,
            **net_params,
        )
        self.n_way = n_way
        self.n_shot = n_shot
        self.n_query = n_query
        self.n_episodes = n_episodes
        self.mix_classes = mix_classes
        self.n_refinements = n_refinements

    def _make_comparison(self, n_features):
        return PrototypeComparison()
