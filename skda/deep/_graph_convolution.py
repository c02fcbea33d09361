"""Graph convolution on the nearest neighbors across domains (Kipf & Welling 2017)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import torch
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from .._core._param_checks import check_bool, check_integer, check_option, check_real
from .._core._typing import RandomState
from ._base_tasks import DeepClassifier
from ._dan import MMDLoss
from ._dann import AdversarialLoss
from ._graph_network import STEPS, GraphBatch, GraphBatches, GraphNet, GraphNetwork
from ._inference import as_tensor
from ._neighbor_graph import as_torch, attached, neighbor_graph, normalized
from ._params import check_alignment_params, check_widths
from ._training import train_batches

_DISCRIMINATOR_HIDDEN = (64,)  # as in DANNClassifier

# New rows of a pass: each pass takes the rows of the graph along.
_PREDICT_ROWS = 8192


class GraphConvolutionClassifier(DeepClassifier):
    """Train a network in which each row takes from its nearest source and target rows.

    The neighbors come from all rows, so that the values of the target rows, without a label, say
    how far the classes reach. New rows are attached to their neighbors among the rows of ``fit``.

    Parameters
    ----------
    propagation : {"gcn", "sgc", "appnp"}, default="gcn"
        Where rows take from their neighbors: "gcn" before each layer of a network [1]_; "sgc"
        `n_steps` times before a single linear layer [2]_; "appnp" `n_steps` times after a
        perceptron, each time with a part `teleport` of its own outputs [3]_.
    n_neighbors : int, default=5
        Number of the nearest source rows, and of the nearest target rows, with which each row is
        joined. Raising it makes predictions of near rows more alike.
    hidden : int or tuple of int, default=64
        Widths of the hidden layers; "sgc" has none.
    dropout : float, default=0.5
        Fraction of the hidden units that are dropped at each step of the training.
    n_steps : int, default=None
        Propagation steps of "sgc" and "appnp"; None takes 2 and 10. "gcn" has one in each layer.
    teleport : float, default=0.1
        Part of a row's own outputs after each step of "appnp"; raising it, up to 1, gives the
        neighbors less weight.
    alignment : {"mmd", "adversarial"} or None, default=None
        Loss between the domains that is added: the kernel discrepancy of
        :class:`~skda.DANClassifier`, or the adversary of :class:`~skda.DANNClassifier`, each on 512
        rows of each side that are chosen anew at each step.
    alignment_weight : float, default=1.0
        Weight of the alignment loss in a unit that suits it; raising it makes the features of both
        domains more alike. Without `alignment` it is ignored.
    alignment_schedule : {"constant", "sigmoid"} or callable, default="sigmoid"
        Factor of the weight in the course of the training. "sigmoid" grows from 0 to 1 as
        2/(1 + exp(-10 p)) - 1, where p is the progress from 0 to 1; a callable gets p.
    use_target_labels : bool, default=False
        Whether the labels of target rows that have one are learnt from, too: their mean loss is
        added to that of the source rows. Rows without a label have a missing value in `y`.
    max_iter : int, default=200
        Steps of the training, each on all rows.
    lr : float, default=0.01
        Learning rate. None takes 0.03 with SGD, which then has a momentum of 0.9 unless
        ``optimizer__momentum`` is set, and 1e-3 with other optimizers.
    lr_schedule : {"anneal", "cosine", "constant"}, default="constant"
        Course of the learning rate with the progress p of the training from 0 to 1: "anneal" falls
        as (1 + 10 p)^-0.75, to a sixth; "cosine" falls to 0. A schedule of skorch among the
        `callbacks` takes its place. A second stage has a constant rate.
    optimizer : type, default=torch.optim.Adam
        Optimizer class of torch. Its arguments are set as ``optimizer__weight_decay=...``.
    input_scaling : {"domain", "source"} or None, default="domain"
        Whether rows are scaled before the network: "domain" by mean and spread of the features on
        their own side, "source" by those of the source. The spread is that of the middle 98 %;
        values farther out than three spreads are drawn in. None takes rows as they are.
    callbacks : list of skorch callbacks, default=None
        Learning-rate schedules, checkpoints, progress bars, gradient clipping… as in skorch. An
        argument of a named one is set as ``callbacks__name__argument=...``.
    device : str or torch.device, default=None
        Where to train and predict. None takes the device of :func:`skda.config_context`, else that
        of `X` if it is a torch tensor, else the CPU.
    random_state : int, RandomState instance or None, default=None
        Seeds initial weights, dropout and the rows to align. With an int, a fit on the CPU is
        reproducible bit for bit, in any thread.
    verbose : int, default=0
        1 prints a line per epoch, as skorch does.
    **net_params : dict
        ``optimizer__...``; ``callbacks__...``; ``criterion`` (a loss class) and ``criterion__...``.
        They are parameters like all others for ``get_params``, ``set_params``, ``clone`` and grid
        searches.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes of the source, in their own type.
    graph_ : csr_matrix of shape (n_samples, n_samples)
        1 where two rows are joined. Source rows come first, each side in the order of ``fit``.
    edge_columns_, edge_starts_ : ndarray of int
        The same as the ``indices`` and ``indptr`` of that matrix.
    graph_rows_ : ndarray of shape (n_samples, n_features)
        The scaled rows of the graph in that order.
    net_ : skorch.NeuralNet
        The trained net: ``net_.module_``, ``net_.optimizer_``, ``net_.callbacks_``.
    history_ : skorch.history.History
        One entry per 10 steps: ``history_[:, "train_loss"]``, ``"source_loss"``,
        ``"alignment_loss"``, ``"dur"``.
    n_iter_ : int
        Number of steps trained.
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
    DANNClassifier : A network on the rows alone, with an adversary.
    DeepSourceOnlyClassifier : The reference for every deep method.

    Notes
    -----
    S = D^-1/2 (W + I) D^-1/2, with W the 0/1 matrix of the graph and D the row sums of W + I.
    "gcn" has the layers H <- relu(S H A + b), the last one without relu; "sgc" the logits
    S^K X A + b; "appnp" iterates Z <- (1 - a) S Z + a H from Z = H, the outputs of a perceptron.
    A new row takes from its neighbors and itself, and gives nothing to other rows, so that a
    prediction depends on the graph of ``fit`` and on the row alone.

    Assumption: near rows, after scaling, have the same class, across domains too. Cost: the
    search for neighbors is quadratic in the rows in high dimension; a step is linear in the
    edges. The source's own rows are in the graph, so that a prediction needs them. Array level
    (c): torch; NumPy, data frames, lists, CuPy come in and go out.

    References
    ----------
    .. [1] T. N. Kipf, M. Welling. "Semi-Supervised Classification with Graph Convolutional
       Networks". ICLR 2017. arXiv:1609.02907
    .. [2] F. Wu, T. Zhang, A. H. de Souza Jr., C. Fifty, T. Yu, K. Q. Weinberger. "Simplifying
       Graph Convolutional Networks". ICML 2019. arXiv:1902.07153
    .. [3] J. Klicpera, A. Bojchevski, S. Günnemann. "Predict then Propagate: Graph Neural
       Networks meet Personalized PageRank". ICLR 2019. arXiv:1810.05997

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from skda import GraphConvolutionClassifier, stack_domains
    >>> X_source, y_source = make_moons(300, noise=0.08, random_state=0)
    >>> X_target, y_target = make_moons(300, noise=0.08, random_state=1)
    >>> X_target = X_target @ [[0.9, 0.4], [-0.4, 0.9]]  # rotated by 24 degrees
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    >>> net = GraphConvolutionClassifier(random_state=0)
    >>> net = net.fit(X, y, sample_domain=sample_domain)
    >>> net.score(X_target, y_target) > 0.9
    True
    """

    _net_class = GraphNet
    _takes_chunks = False
    _trains_on = "a graph of all rows"

    def __init__(
        self,
        *,
        propagation: Literal["gcn", "sgc", "appnp"] = "gcn",
        n_neighbors: int = 5,
        hidden: int | tuple[int, ...] = 64,
        dropout: float = 0.5,
        n_steps: int | None = None,
        teleport: float = 0.1,
        alignment: Literal["mmd", "adversarial"] | None = None,
        alignment_weight: float = 1.0,
        alignment_schedule: Literal["constant", "sigmoid"] | Callable[..., Any] = "sigmoid",
        use_target_labels: bool = False,
        max_iter: int = 200,
        lr: float = 0.01,
        lr_schedule: Literal["anneal", "cosine", "constant"] = "constant",
        optimizer: type = torch.optim.Adam,
        input_scaling: Literal["domain", "source"] | None = "domain",
        callbacks: Sequence[Any] | None = None,
        device: str | torch.device | None = None,
        random_state: RandomState = None,
        verbose: int = 0,
        **net_params: Any,
    ):
        super().__init__(
            lr=lr,
            lr_schedule=lr_schedule,
            optimizer=optimizer,
            batch_norm=False,
            input_scaling=input_scaling,
            callbacks=callbacks,
            device=device,
            random_state=random_state,
            verbose=verbose,
            **net_params,
        )
        self.propagation = propagation
        self.n_neighbors = n_neighbors
        self.hidden = hidden
        self.dropout = dropout
        self.n_steps = n_steps
        self.teleport = teleport
        self.alignment = alignment
        self.alignment_weight = alignment_weight
        self.alignment_schedule = alignment_schedule
        self.use_target_labels = use_target_labels
        self.max_iter = max_iter

    @property
    def _alignment(self):
        losses = {"mmd": MMDLoss, "adversarial": AdversarialLoss}
        return losses.get(self.alignment) if isinstance(self.alignment, str) else None

    def _check_params(self):
        """Check every parameter by name before anything is trained."""
        check_option("alignment", self.alignment, [None, "mmd", "adversarial"])
        super()._check_params()
        own = sorted(name for name in self._net_params if name.startswith("module__"))
        if own:
            raise TypeError(
                f"{type(self).__name__} got unexpected arguments {own}: its network is its "
                "own. Set hidden and dropout."
            )
        check_alignment_params(self.get_params(deep=False))
        check_bool("use_target_labels", self.use_target_labels)
        check_option("propagation", self.propagation, list(STEPS))
        for name in ("n_neighbors", "max_iter"):
            check_integer(name, getattr(self, name))
        check_integer("n_steps", self.n_steps, none=True)
        check_widths("hidden", self.hidden)
        check_real("dropout", self.dropout, low=0, high=1, closed="left")
        check_real("teleport", self.teleport, low=0, high=1)

    def _alignment_params(self):
        """Return the parameters of the alignment loss: the defaults of its own method."""
        return {"hidden": _DISCRIMINATOR_HIDDEN} if self._alignment is AdversarialLoss else {}

    def _reads_target_labels(self):
        """Return whether labels of target rows are learnt from, with an alignment or without."""
        return self.use_target_labels

    def _learns_from_target(self):
        """Return that target rows have a part in what is learnt: they are in the graph."""
        return True

    def _make_module(self, X):
        """Return a fresh network, after noting the width of its features."""
        module = GraphNetwork(
            X.shape[1],
            self._n_outputs(),
            propagation=self.propagation,
            hidden=check_widths("hidden", self.hidden),
            dropout=float(self.dropout),
            n_steps=self.n_steps or STEPS[self.propagation],
            teleport=float(self.teleport),
        )
        self._n_features_out = module.n_features_out
        return module

    def _train(self, net, rows, *, max_epochs, chunk=False, stop_early=True):
        """Build the graph of all rows and train a net on it."""
        order = np.concatenate([rows.source, rows.target])
        index = torch.as_tensor(order, device=rows.X.device)
        X, n_source = rows.X[index], len(rows.source)
        self.graph_rows_ = X.cpu().numpy()
        self._n_source = n_source
        W = neighbor_graph(self.graph_rows_, n_source, self.n_neighbors)
        # As plain arrays, which skops can store; a sparse matrix is none of its types.
        self.edge_columns_, self.edge_starts_ = W.indices, W.indptr
        S = as_torch(normalized(W), X.device, X.dtype)
        labeled = np.flatnonzero(np.isin(order, rows.labeled))
        batch = GraphBatch(
            X=net.module_.start(X, S),
            y=rows.y[index],
            domain=None,
            rows=index,
            n_source=n_source,
            S=S,
            labeled=torch.as_tensor(labeled, device=X.device) if len(labeled) else None,
            weights=None if rows.weights is None else rows.weights[index],
        )
        batches = GraphBatches(batch, n_steps=self.max_iter, rng=self._rng)
        train_batches(net, batches, max_epochs=batches.n_portions)
        self.n_iter_ = self.max_iter

    @property
    def graph_(self) -> Any:
        """Edges between the rows of ``fit``."""
        check_is_fitted(self)
        columns, starts = self.edge_columns_, self.edge_starts_
        n = len(starts) - 1
        return sparse.csr_matrix((np.ones(len(columns)), columns, starts), shape=(n, n))

    def _outputs(self, X, sample_domain, method):
        """Return logits and features of all rows, and the rows as they were checked."""
        data = self._data_for_predict(X, sample_domain, method)
        device = self._torch_device(data)
        rows = self._scaled(as_tensor(data.X, device), data)
        parts = [self._attached_outputs(part) for part in torch.split(rows, _PREDICT_ROWS)]
        return tuple(torch.cat(part) for part in zip(*parts, strict=True)), data

    def _attached_outputs(self, rows):
        """Return logits and features of new rows, joined with their neighbors in the graph."""
        module = self.net_.module_.to(rows.device).eval()
        new = attached(self.graph_rows_, self._n_source, rows.cpu().numpy(), self.n_neighbors)
        S = as_torch(normalized(self.graph_, new), rows.device, rows.dtype)
        X = torch.cat([torch.as_tensor(self.graph_rows_, device=rows.device), rows])
        with torch.no_grad():
            outputs = module(module.start(X, S), S)
        return tuple(part[len(self.graph_rows_) :] for part in outputs)

    def _plain_state(self):
        """Return the fitted attributes beside the networks, the graph as tensors."""
        columns, starts = self.edge_columns_, self.edge_starts_
        graph = {"rows": self.graph_rows_, "columns": columns, "starts": starts}
        graph = {name: torch.from_numpy(array) for name, array in graph.items()}
        return super()._plain_state() | {"_saved_graph": graph | {"n_source": self._n_source}}

    def _rebuild(self, modules):
        """Rebuild the network, and the graph where it comes as tensors."""
        saved = vars(self).pop("_saved_graph", None)
        if saved is not None:
            self.edge_columns_ = saved["columns"].numpy()
            self.edge_starts_ = saved["starts"].numpy()
            self.graph_rows_, self._n_source = saved["rows"].numpy(), saved["n_source"]
        super()._rebuild(modules)
