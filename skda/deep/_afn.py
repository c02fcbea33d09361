"""AFN: features of large norm transfer better, so let the norm grow (Xu 2019)."""

import torch

from .._core._param_checks import check_real
from ._base_tasks import DeepClassifier
from ._training import AlignmentLoss


def norm_loss(features, step, radius):
    """Return the mean of (‖f‖ − ‖f‖ now − step)² [Eq. 6], or (mean ‖f‖ − radius)² [Eq. 4]."""
    # A root of 0 has no gradient.
    norms = (features.square().sum(dim=1) + 1e-12).sqrt()
    if radius is None:
        return (norms - (norms.detach() + step)).square().mean()
    return (norms.mean() - radius).square()


class FeatureNormLoss(AlignmentLoss):
    """Distance of the norms of the features of both domains from larger ones."""

    def __init__(self, step, radius):
        super().__init__()
        self.step, self.radius = step, radius

    @staticmethod
    def check_params(params):
        """Return the growth of the norms at a step, or the norm to reach."""
        return {
            "step": check_real("step", params["step"], low=0),
            "radius": check_real("radius", params["radius"], low=0, closed="neither", none=True),
        }

    def forward(self, source, target):
        """Return the loss of a batch."""
        return sum(norm_loss(batch.features, self.step, self.radius) for batch in (source, target))


class AFNClassifier(DeepClassifier):
    """Train a network while the norms of its features grow alike in both domains.

    Parameters
    ----------
    module : torch.nn.Module class or instance, default=None
        Network whose forward returns ``(logits, features)`` for a batch of rows. A class is built
        for the data: it gets ``n_features`` and ``n_outputs`` where its constructor takes them, and
        whatever is set as ``module__...``. An instance is copied. None is
        :class:`~skda.deep.MLP`: two hidden layers sized from the data, with batch normalization
        where `alignment_weight` is above 0.
    alignment_weight : float, default=0.05
        Weight of the alignment loss. 0 is the source-only network, which ignores target rows;
        raising it makes the features of both domains more alike, at the price of the fit to the
        source.
    alignment_schedule : {"constant", "sigmoid"} or callable, default="constant"
        Factor of the weight in the course of the training. "sigmoid" grows from 0 to 1 as
        2/(1 + exp(-10 p)) - 1, where p is the progress from 0 to 1; a callable gets p.
    step : float, default=1.0
        By how much each norm is to grow at a step of the training (stepwise AFN).
    radius : float, default=None
        Common mean norm to reach instead (hard AFN).
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
    DeepCORALClassifier : Align covariances.

    Notes
    -----
    Minimizes cross-entropy(source) + w Σ_domains mean (‖f‖ − (‖f‖ now + step))², whose gradient
    lengthens every feature vector; or, with `radius`, w Σ_domains (mean ‖f‖ − radius)².

    Batch normalization before the features, as in the paper, belongs to the method: without it the
    shortest way to longer features is one common direction, and layers that multiply each other
    grow without bound while the classes are lost.

    Assumption: what goes wrong on the target are features of small norm. Cost: a step adds O(b d)
    for b rows and d features. Array level (c): torch; NumPy, data frames, lists, CuPy come in and
    go out.

    References
    ----------
    .. [1] R. Xu, G. Li, J. Yang, L. Lin. "Larger Norm More Transferable: An Adaptive Feature Norm
       Approach for Unsupervised Domain Adaptation". ICCV 2019. arXiv:1811.07456

    Examples
    --------
    >>> from skda import AFNClassifier, stack_domains
    >>> from sklearn.datasets import make_blobs
    >>> centers = [[0, 0], [4, 0], [0, 4]]
    >>> X_source, y_source = make_blobs(150, centers=centers, cluster_std=0.5, random_state=0)
    >>> X_target, y_target = X_source + [1.0, -0.5], y_source
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = AFNClassifier(max_epochs=30, lr=0.01, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target)
    1.0
    """

    _alignment = FeatureNormLoss

    def __init__(
        self,
        module=None,
        *,
        alignment_weight=0.05,
        alignment_schedule="constant",
        step=1.0,
        radius=None,
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
        self.step = step
        self.radius = radius

    def _module_options(self):
        # Weight 0 is the source-only network, which has no batch normalization.
        return {"batch_norm": self._weight() > 0}
