"""MCD: two classifiers that disagree on the target, features that stop them (Saito 2018)."""

import copy

import torch
from torch.nn.functional import cross_entropy

from ._base_tasks import DeepClassifier
from ._modules import reverse_gradient
from ._training import AlignmentLoss


def discrepancy(logits, other):
    """Return the mean absolute difference of two sets of class probabilities [Eq. 1]."""
    return (torch.softmax(logits, dim=1) - torch.softmax(other, dim=1)).abs().mean()


class ClassifierDiscrepancyLoss(AlignmentLoss):
    """A second head beside the module's, and their disagreement on the target."""

    def __init__(self, head):
        super().__init__()
        self.head = head
        self.other = copy.deepcopy(head)
        for layer in self.other.modules():
            if hasattr(layer, "reset_parameters"):
                # Two heads that begin alike would never disagree.
                layer.reset_parameters()

    @classmethod
    def for_network(cls, module, n_features, n_outputs, **params):
        """Return the loss with a second head of the same kind."""
        if not isinstance(getattr(module, "head", None), torch.nn.Module):
            raise ValueError(
                "MCDClassifier needs the head of the module by name; "
                f"{type(module).__name__} has no module `head`. Name its last layers `head`, so "
                "that forward returns (self.head(features), features)."
            )
        return cls(module.head)

    def forward(self, source, target, weight=1.0):
        """Return the second head's loss on the source minus the disagreement on the target."""
        features = reverse_gradient(target.features, weight)
        # One step in place of the paper's three: behind the reversal the heads raise the
        # disagreement and the features lower it.
        disagreement = discrepancy(self.head(features), self.other(features))
        return cross_entropy(self.other(source.features), source.y) - disagreement

    def weighted(self, source, target, weight):
        """Return the loss with the gradient reversed by this weight."""
        return self(source, target, weight)


class MCDClassifier(DeepClassifier):
    """Train two classifiers to disagree on the target, and features on which they cannot.

    Parameters
    ----------
    module : torch.nn.Module class or instance, default=None
        Network whose forward returns ``(logits, features)`` for a batch of rows and whose attribute
        ``head`` maps the features to the logits. A class is built for the data: it gets
        ``n_features`` and ``n_outputs`` where its constructor takes them, and whatever is set as
        ``module__...``. An instance is copied. None is :class:`~skda.deep.MLP`: two hidden layers
        sized from the data.
    alignment_weight : float, default=1.0
        Weight of the alignment loss. 0 is the source-only network, which ignores target rows;
        raising it makes the features of both domains more alike, at the price of the fit to the
        source.
    alignment_schedule : {"constant", "sigmoid"} or callable, default="sigmoid"
        Factor of the weight in the course of the training. "sigmoid" grows from 0 to 1 as
        2/(1 + exp(-10 p)) - 1, where p is the progress from 0 to 1; a callable gets p.
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
    MDDClassifier : The same idea with a margin, and a bound behind it.

    Notes
    -----
    Two heads F₁ (the module's) and F₂ minimize cross-entropy(source) − D, where D is the mean
    absolute difference of their class probabilities on the target; the features minimize
    cross-entropy(source) + w D. The paper alternates three kinds of steps; here both sides of
    the game move in one step by reversing the gradient between them, its variant with a reversal
    layer, at a quarter of the cost.

    Assumption: target rows on which two good source classifiers agree are classified rightly. Cost:
    a step adds three passes through a head. Array level (c): torch; NumPy, data frames, lists, CuPy
    come in and go out.

    References
    ----------
    .. [1] K. Saito, K. Watanabe, Y. Ushiku, T. Harada. "Maximum Classifier Discrepancy for
       Unsupervised Domain Adaptation". CVPR 2018. arXiv:1712.02560

    Examples
    --------
    >>> from skda import MCDClassifier, stack_domains
    >>> from sklearn.datasets import make_blobs
    >>> centers = [[0, 0], [4, 0], [0, 4]]
    >>> X_source, y_source = make_blobs(150, centers=centers, cluster_std=0.5, random_state=0)
    >>> X_target, y_target = X_source + [1.0, -0.5], y_source
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = MCDClassifier(max_epochs=30, lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """

    _alignment = ClassifierDiscrepancyLoss

    def __init__(
        self,
        module=None,
        *,
        alignment_weight=1.0,
        alignment_schedule="sigmoid",
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
