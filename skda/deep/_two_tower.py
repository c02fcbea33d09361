"""Two towers: a network per view, whose embeddings of paired views agree (van den Oord 2018)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.validation import check_is_fitted

from .._array._backend import to_numpy
from .._array._warnings import warn_user
from .._core._param_checks import check_bool, check_integer, check_option, check_real
from .._core._sample_domain import DomainWarning
from .._core._typing import ArrayLike, DomainIds, RandomState
from .._core._views import (
    check_every_row_has_a_view,
    check_views,
    missing_entries,
    with_absent_views,
)
from ._base_tasks import DeepClassifier
from ._input_scaling import learn_scaling
from ._modules import build_module, check_module, reads_tables
from ._saving import as_plain
from ._towers import PairedViewsLoss, TowerNet, Towers, center_and_spread_of_known


class TwoTowerClassifier(DeepClassifier):
    r"""Train one network per view, such that both views of a row have the same embedding.

    Views are blocks of columns that describe the same sample in different ways: an image and its
    text, a blood test and a questionnaire. Each has a network of its own, a tower. Rows with both
    views, labeled or not and of any domain, teach the towers to agree: the embedding of one view is
    to be nearer to the other view of the same row than to those of other rows. A classifier that
    all views share is trained on the source labels. So a view can stand in for another one that is
    missing, what is labeled in one view can be used in the other, and rows can be looked up
    across views.

    Parameters
    ----------
    views : dict of str to columns, default=None
        The columns of each view: names in a data frame, positions, a slice of positions or a mask
        with one entry per column; two views or more, which share no column. Columns in no view are
        ignored. None cuts the columns in two halves, "first" and "second".
    module : {"mlp"} or torch.nn.Module class or instance, default=None
        Network of each tower, whose forward returns ``(outputs, features)`` for a batch of rows;
        the outputs become the embedding. A class is built for each view: it gets ``n_features``
        and ``n_outputs`` where its constructor takes them, and whatever is set as ``module__...``.
        An instance is copied for each view. None and "mlp" are :class:`~skda.deep.MLP`.
    n_components : int, default=32
        Width of the embeddings.
    alignment_weight : float, default=1.0
        Weight of the contrastive loss of the pairs. 0 is the plain network, trained on the source
        labels alone, which ignores target rows; raising it makes the views of a row more alike.
    alignment_schedule : {"constant", "sigmoid"} or callable, default="constant"
        Factor of the weight in the course of the training. "sigmoid" grows from 0 to 1 as
        2/(1 + exp(-10 p)) - 1, where p is the progress from 0 to 1; a callable gets p.
    temperature : float, default=0.3
        Divides the cosines of the embeddings; lowering it looks more at the nearest wrong partners,
        which makes `kneighbors` more exact and may cost the classifier some accuracy.
    view_dropout : float, default=0.2
        Probability that a view of a row does not reach the classifier in a step of the training,
        so that it does not rely on having them all.
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
        and cycled. A row is told from the others of its domain in the step.
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
        predictions on target rows, that is the mean entropy of the predictions minus the entropy of
        the mean prediction. It needs no label.
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
    views_ : dict of str to ndarray of int
        Positions of the columns of each view.
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

    Raises
    ------
    ValueError
        If a row has no view at all, in ``fit`` or later.

    Warns
    -----
    DomainWarning
        If no row has two views.

    See Also
    --------
    ViewFusionClassifier : Any classifier per view, combined by their probabilities.
    PairedCCATransformer : Linear: the same samples on two instruments.

    Notes
    -----
    With z_iv the embedding of view v of row i, scaled to length one, the pairs of two views have
    the symmetric InfoNCE loss [1]_ [2]_

    .. math:: L = -\frac{1}{2n} \sum_i \Big( \log
        \frac{e^{z_{i1} \cdot z_{i2} / \tau}}{\sum_j e^{z_{i1} \cdot z_{j2} / \tau}} + \log
        \frac{e^{z_{i1} \cdot z_{i2} / \tau}}{\sum_j e^{z_{j1} \cdot z_{i2} / \tau}} \Big)

    at temperature τ over the n rows of a step that have both. More views: the mean over all pairs
    of views. Partners are looked for among rows of the same side, source or target, so that the
    towers gain nothing by telling the domains apart. The network minimizes
    cross-entropy(source) + w L; the classifier is linear in the joint embedding, the mean of z_iv
    over the views that the row has.

    A view is missing in a row if all of its columns are NaN. A data frame may also lack the columns
    of a view altogether when the model is used. Such a row is trained on and predicted by its other
    views, and is in no pair. Single missing values inside a view count as the mean of their
    column (0 without `input_scaling`).

    Assumption: what both views have in common is what the classes depend on, and a row is told from
    others by it. Rows of the same class are pushed apart like any others, so that with few classes
    a large weight may cost accuracy where all views are there. Without `sample_domain` the pairs of
    all rows are used, with a warning. Cost: a step adds O(b² d) for b rows and d components. Array
    level (c): torch; NumPy, data frames, lists, CuPy come in and go out.

    References
    ----------
    .. [1] A. van den Oord, Y. Li, O. Vinyals. "Representation Learning with Contrastive Predictive
       Coding". 2018. arXiv:1807.03748
    .. [2] A. Radford et al. "Learning Transferable Visual Models From Natural Language
       Supervision". ICML 2021. arXiv:2103.00020

    Examples
    --------
    >>> import numpy as np
    >>> from skda import TwoTowerClassifier
    >>> rng = np.random.default_rng(0)
    >>> latent = rng.normal(size=(300, 4))
    >>> y = (latent[:, 0] > 0).astype(int)
    >>> image, text = latent @ rng.normal(size=(4, 6)), np.tanh(latent @ rng.normal(size=(4, 6)))
    >>> X = np.hstack([image, text])
    >>> sample_domain = np.repeat([1, -2], [150, 150])
    >>> X[:150, 6:] = np.nan  # labels are known for images without a text
    >>> views = {"image": slice(6), "text": slice(6, None)}
    >>> net = TwoTowerClassifier(views, random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> only_text = X[150:].copy()
    >>> only_text[:, :6] = np.nan
    >>> net.score(only_text, y[150:]) > 0.8
    True
    >>> _, found = net.kneighbors(only_text, X[150:], view="text", n_neighbors=1)
    >>> bool((found[:, 0] == np.arange(150)).mean() > 0.8)  # the image of each text
    True
    """

    _alignment = PairedViewsLoss
    _net_class = TowerNet

    def __init__(
        self,
        views: Mapping[str, Any] | None = None,
        *,
        module: Literal["mlp"] | type[torch.nn.Module] | torch.nn.Module | None = None,
        n_components: int = 32,
        alignment_weight: float = 1.0,
        alignment_schedule: Literal["constant", "sigmoid"] | Callable[..., Any] = "constant",
        temperature: float = 0.3,
        view_dropout: float = 0.2,
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
        self.views = views
        self.n_components = n_components
        self.alignment_weight = alignment_weight
        self.alignment_schedule = alignment_schedule
        self.temperature = temperature
        self.view_dropout = view_dropout
        self.use_target_labels = use_target_labels

    def kneighbors(
        self,
        X: ArrayLike,
        among: ArrayLike,
        *,
        view: str,
        among_view: str | None = None,
        n_neighbors: int = 5,
        return_distance: bool = True,
        sample_domain: DomainIds | None = None,
        among_domain: ArrayLike | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find for one view of each row the nearest rows in another view.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
            Rows to find neighbors for. Only the columns of `view` are used: the others may be
            missing (NaN), and a data frame may lack them.
        among : array-like of shape (n_samples, n_features)
            Rows to search in, by their columns of `among_view`. Rows that lack that view are never
            found.
        view : str
            Name of the view of `X`.
        among_view : str, default=None
            Name of the view of `among`; None is the other one if there are two views.
        n_neighbors : int, default=5
            Number of neighbors of each row.
        return_distance : bool, default=True
            Whether to return the distances, too.
        sample_domain : array-like of int of shape (n_queries,), default=None
            Domain of each row of `X`. None: every row is a target row.
        among_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row of `among`. None: every row is a target row.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors)
            Cosine distances of the embeddings, from 0 to 2; only with `return_distance`.
        indices : ndarray of int of shape (n_queries, n_neighbors)
            Rows of `among`, the nearest first.

        Raises
        ------
        ValueError
            If a row of `X` lacks the view, or fewer than `n_neighbors` rows can be found.
        """
        check_is_fitted(self)
        check_integer("n_neighbors", n_neighbors)
        check_bool("return_distance", return_distance)
        names = list(self.views_)
        check_option("view", view, names)
        if among_view is None and len(names) == 2:
            among_view = names[1 - names.index(view)]
        check_option("among_view", among_view, names)
        queries, known = self._embed_view(X, view, sample_domain)
        if not known.all():
            raise ValueError(
                f"Each row of X must have the view {view!r}; {int((~known).sum())} rows lack it. "
                "Leave these out, or ask for the neighbors of another view of them."
            )
        found, there = self._embed_view(among, among_view, among_domain)
        if there.sum() < n_neighbors:
            raise ValueError(
                f"n_neighbors must be at most the number of rows of `among` with the view "
                f"{among_view!r}, which is {int(there.sum())}; got {n_neighbors}."
            )
        index = NearestNeighbors(n_neighbors=n_neighbors, metric="cosine").fit(found[there])
        distances, nearest = index.kneighbors(queries)
        rows = np.flatnonzero(there)[nearest]
        return (distances, rows) if return_distance else rows

    def _embed_view(self, X, view, sample_domain):
        """Return the embeddings of rows by one view alone, and which rows have it."""
        data = self._data_for_predict(X, sample_domain, "kneighbors")
        xp, own = data.xp, np.zeros(data.X.shape[1], dtype=bool)
        own[self.views_[view]] = True
        known = ~missing_entries(data.X)[:, own].all(axis=1)
        # The joint embedding of rows that have this view only.
        hidden = xp.where(data.backend.asarray(own)[None, :], data.X, float("nan"))
        _, joint = self._outputs_of(replace(data, X=hidden))
        return to_numpy(joint), known

    def _check_params(self):
        super()._check_params()
        check_integer("n_components", self.n_components)
        hint = "0 drops none."
        check_real("view_dropout", self.view_dropout, low=0, high=1, closed="left", hint=hint)
        if reads_tables(self.module):
            raise ValueError(
                "module must be a network of numbers, one per view, as skda.deep.MLP is; got "
                f"{self.module!r}, which reads missing values and categories itself. Encode them "
                "in front, and pass None."
            )

    def _data(self, X, y, sample_domain, *, reset, chunk):
        if not reset:
            X = with_absent_views(X, self)
        data = super()._data(X, y, sample_domain, reset=reset, chunk=chunk)
        if reset:
            self.views_ = self._checked_views()
        present = self._check_views_of(data)
        self._complete = present is None
        if not self._complete and self._weight() > 0 and present.sum(axis=1).max() < 2:
            warn_user(
                f"No row has two of the views {list(self.views_)}, so that nothing makes their "
                "embeddings agree. Pass rows, labeled or not, that have two views.",
                DomainWarning,
            )
        # A training that goes on may be with other gaps than before.
        if not reset:
            for part in (self.net_.module_, self.net_.alignment):
                if part is not None:
                    part.complete = self._complete
        return data

    def _data_for_predict(self, X, sample_domain, method):
        data = super()._data_for_predict(with_absent_views(X, self), sample_domain, method)
        self._check_views_of(data)
        return data

    def _checked_views(self):
        """Return the positions of the columns of each view; by default those of two halves."""
        n = self.n_features_in_
        if self.views is None:
            half = (n + 1) // 2
            return check_views({"first": slice(half), "second": slice(half, None)}, self)
        views = check_views(self.views, self, disjoint=True)
        if len(views) < 2:
            raise ValueError(
                f"views must have two views at least; got {list(views)} alone. With one block of "
                "columns use another network of skda.deep."
            )
        return views

    def _check_views_of(self, data):
        """Raise if a row has no view; return which views each has, None if no value is missing."""
        missing = missing_entries(data.X)
        if not missing.any():
            return None
        columns = self.views_.values()
        present = np.stack([~missing[:, own].all(axis=1) for own in columns], axis=1)
        check_every_row_has_a_view(present, self.views_)
        return present

    def _scaling_of(self, X, data, sides):
        """Return center and spread of what is known of the inputs of these sides."""
        learn = center_and_spread_of_known
        found = learn_scaling(X, data.source, data.target, sides=sides, learn=learn)
        both = self.input_scaling_ | found if hasattr(self, "input_scaling_") else found
        for side, own in found.items():
            # A column that one side lacks is scaled as on the other; without any value it is idle.
            other = both.get("target" if side == "source" else "source", own)
            filled = np.where(np.isnan(own), other, own)
            found[side] = np.where(np.isnan(filled), [[0.0], [1.0]], filled).astype(own.dtype)
        return found

    def _make_net(self, X, *, adapts):
        # The pairs are compared within a side, so that one side is enough.
        return super()._make_net(X, adapts=True)

    def _make_module(self, X):
        """Return fresh towers and their head, after noting the width of the embedding."""
        options = {
            name.removeprefix("module__"): value
            for name, value in self._net_params.items()
            if name.startswith("module__")
        }
        towers = [
            build_module(
                self.module,
                n_features=len(columns),
                n_outputs=self.n_components,
                options=options,
                usual=self._module_options() if isinstance(self.module, str | None) else None,
            )
            for columns in self.views_.values()
        ]
        for tower, columns in zip(towers, self.views_.values(), strict=True):
            tower.to(X.device, X.dtype)
            check_module(tower, X.new_zeros(2, len(columns)), self.n_components)
        self._n_features_out = self.n_components
        return Towers(
            towers,
            list(self.views_.values()),
            n_components=self.n_components,
            n_outputs=self._n_outputs(),
            view_dropout=self.view_dropout,
            # Of a file that was loaded nothing is known.
            complete=getattr(self, "_complete", False),
        )

    def _plain_state(self):
        return super()._plain_state() | {"views_": as_plain(self.views_)}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
