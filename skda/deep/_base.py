"""What the deep estimators share: scikit-learn outside, a skorch net inside.

The net is built in ``fit`` and not inherited from: skorch's own estimators build and check
things in ``__init__``, need float32, and know one domain only, which scikit-learn's contract and
ours forbid. Its parameters are ours under the same names (``module__hidden``, ``optimizer__...``).
"""

import copy

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from skorch.callbacks import EarlyStopping

from .._core._routing import DomainRouting
from .._core._validation import data_for_fit
from ._docstrings import PREFIXES, WHOLE, join_doc, join_signature
from ._inference import FittedNet, seeded
from ._modules import build_module, can_fuse, check_module, has_batch_norm
from ._training import SCHEDULES, Batch, PairedBatches, PairedNet

_LOOPS = ("fused", "foreach", "differentiable")  # arguments that say how weights are updated


class BaseDeep(DomainRouting, FittedNet, BaseEstimator):
    """A scikit-learn estimator that trains a `PairedNet`.

    A method gives `_make_alignment` and has ``alignment_weight`` and ``alignment_schedule``
    among its parameters.
    """

    _labels = "source"
    _order_dependent = True  # batches are drawn over the rows
    _one_sided = False

    def __init__(
        self,
        module=None,
        *,
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
        self.module = module
        self.lr = lr
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.callbacks = callbacks
        self.device = device
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self._net_params = net_params

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            join_signature(cls, super(cls, cls))
        join_doc(cls)

    # -----------------------------------------------------------------------------------------
    # Parameters
    # -----------------------------------------------------------------------------------------

    def get_params(self, deep=True):
        """Return the parameters, those of the net included.

        Parameters
        ----------
        deep : bool, default=True
            As in scikit-learn; there are no nested estimators here.

        Returns
        -------
        params : dict
            Name to value; ``module__...`` and the like are there where they have been set.
        """
        return super().get_params(deep=deep) | self._net_params

    def set_params(self, **params):
        """Set parameters, those of the net included.

        Parameters
        ----------
        **params : dict
            For example ``alignment_weight=10`` or ``module__hidden=(32,)``.

        Returns
        -------
        self : object
            This estimator.
        """
        own = set(self._get_param_names())
        for name in list(params):
            if _is_net_param(name) or (name in self._net_params and name not in own):
                self._net_params = self._net_params | {name: params.pop(name)}
        return super().set_params(**params)

    # -----------------------------------------------------------------------------------------
    # Training
    # -----------------------------------------------------------------------------------------

    def fit(self, X, y, *, sample_domain=None):
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : array-like of shape (n_samples,)
            Labels. Those of target rows are not looked at unless the class says so.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target. None: all rows are source, the
            network is trained without alignment, and a :class:`~skda.DomainWarning` says so.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        data = data_for_fit(
            self, X, y, sample_domain, labels=self._labels, one_sided=self._one_sided
        )
        again = self.warm_start and hasattr(self, "net_")
        y = self._encode(data, known=again)
        self._check_params()
        if not again:
            self._rng = check_random_state(self.random_state)
            self.n_iter_ = 0
        self._fit(data, y, fresh=not again)
        return self

    def fit_transform(self, X, y, *, sample_domain=None):
        """Train the network and return the learnt features: ``fit`` and then ``transform``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : array-like of shape (n_samples,)
            Labels, see :meth:`fit`.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row, see :meth:`fit`.

        Returns
        -------
        X_new : array of shape (n_samples, n_features_out)
            Features of each row, in the same order.
        """
        fitted = self.fit(X, y, sample_domain=sample_domain)
        return fitted.transform(X, sample_domain=sample_domain)

    def _check_params(self):
        unknown = sorted(name for name in self._net_params if not _is_net_param(name))
        if unknown:
            raise TypeError(
                f"{type(self).__name__} got unexpected arguments {unknown}. Beside the parameters "
                f"in its docstring it takes {list(WHOLE)} and what begins with {list(PREFIXES)}."
            )
        for name in ("max_epochs", "batch_size", "patience"):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or value < 1:
                raise ValueError(f"{name} must be an integer of at least 1; got {value!r}.")
        if not self.lr >= 0:
            raise ValueError(f"lr must be a number of at least 0; got {self.lr!r}.")
        if not getattr(self, "alignment_weight", 0.0) >= 0:
            raise ValueError(
                f"alignment_weight must be a number of at least 0; got {self.alignment_weight!r}."
            )
        if not 0 < self.validation_fraction < 1:
            raise ValueError(
                "validation_fraction must lie between 0 and 1, both excluded; got "
                f"{self.validation_fraction!r}."
            )
        criteria = (None, *self._validation_criteria())
        if self.early_stopping not in criteria:
            raise ValueError(
                f"early_stopping must be one of {list(criteria)}; got {self.early_stopping!r}."
            )

    def _fit(self, data, y, *, fresh, epochs=None):
        """Build the net and train it on both domains."""
        device = self._place(data)
        X = self._rows(data)
        y = torch.as_tensor(y, device=device)
        domain = torch.as_tensor(domain_codes(data.ids), device=device)
        with seeded(self._rng, device):
            if fresh:
                may_adapt = data.adapts or epochs is not None  # target rows may come later
                self.net_ = self._make_net(X, device, adapts=may_adapt)
                self.source_domains_ = data.source_domains
                self.target_domains_ = data.target_domains
            elif data.adapts and self.net_.alignment is None and self._weight() > 0:
                raise ValueError(
                    "The net was built without target rows and cannot align them now. Fit once "
                    "with sample_domain, or set warm_start=False."
                )
            planned = {} if epochs is None else {"of_epochs": self.max_epochs}
            rows = data.source, data.target
            n_epochs = self.max_epochs if epochs is None else epochs
            self._train(self.net_, X, y, domain, *rows, n_epochs=n_epochs, **planned)

    def _train(
        self, net, X, y, domain, source, target, *, n_epochs, of_epochs=None, stop_early=True
    ):
        """Train a net for a number of epochs, of so many planned, and count them."""
        held_out = None
        if stop_early and self.early_stopping is not None:
            source, target, held_out = self._hold_out(X, y, domain, source, target)
        batches = PairedBatches(
            X,
            y,
            domain,
            source,
            target,
            batch_size=self.batch_size,
            rng=self._rng,
            source_only=net.alignment is None,
        )
        if sum(batches.sizes) == 1 and has_batch_norm(net.module_):
            raise ValueError(
                "Batch normalization needs at least 2 rows a step to learn from; got 1 sample. "
                "Raise batch_size, pass more rows, or use a module without it."
            )
        done = net.n_steps_ if of_epochs is None else 0
        net.n_steps_planned_ = done + len(batches) * (of_epochs or n_epochs)
        net.max_epochs = n_epochs
        before = len(net.history)
        net.partial_fit(batches, held_out)
        self.n_iter_ += len(net.history) - before
        net.module_.eval()

    def _hold_out(self, X, y, domain, source, target):
        """Split off the held-out rows; early stopping looks at one side of them."""
        kept, held = {}, {}
        for side, rows in (("source", source), ("target", target)):
            shuffled = self._rng.permutation(rows)
            n_held = int(np.ceil(self.validation_fraction * len(rows)))
            if len(rows) - n_held < 1:
                n_held = 0
            held[side], kept[side] = shuffled[:n_held], shuffled[n_held:]
        if not len(held[self.early_stopping]):
            raise ValueError(
                f"early_stopping={self.early_stopping!r} needs at least two rows of that side "
                "(without sample_domain there are no target rows). Use early_stopping=None or "
                "'source'."
            )
        rows = torch.as_tensor(held[self.early_stopping], device=X.device)
        batch = Batch(X[rows], y[rows], domain[rows], rows, len(rows))
        return kept["source"], kept["target"], [batch]

    def _weight(self):
        return float(getattr(self, "alignment_weight", 0.0))

    def _make_module(self, X, **options):
        """Return a fresh module for these rows, with `options` where the user set nothing."""
        given = {
            name.removeprefix("module__"): value
            for name, value in self._net_params.items()
            if name.startswith("module__")
        }
        module = self.module
        return build_module(
            copy.deepcopy(module) if isinstance(module, torch.nn.Module) else module,
            n_features=X.shape[1],
            n_outputs=self._n_outputs(),
            options=options | given,
        )

    def _make_net(self, X, device, *, adapts):
        module = self._make_module(X).to(device)
        self._n_features_out = check_module(module, X, self._n_outputs())
        alignment = None
        if adapts and self._weight() > 0:
            alignment = self._make_alignment(module, X)
        return self._wrap(module, alignment, device)

    def _wrap(self, module, alignment, device, *, net_class=PairedNet, stop_early=True, **options):
        """Return the skorch net around a module."""
        schedule = getattr(self, "alignment_schedule", "constant")
        if not callable(schedule) and schedule not in SCHEDULES:
            raise ValueError(
                f"alignment_schedule must be one of {list(SCHEDULES)} or a callable; got "
                f"{schedule!r}."
            )
        callbacks = list(self.callbacks or [])
        if stop_early and self.early_stopping is not None:
            stopping = EarlyStopping(
                patience=self.patience, threshold=1e-4, threshold_mode="abs", load_best=True
            )
            callbacks.append(("skda_early_stopping", stopping))
        settings = {
            "criterion": self._criterion,
            "alignment": alignment,
            "alignment_weight": self._weight(),
            "alignment_schedule": schedule if callable(schedule) else SCHEDULES[schedule],
            "validation_criterion": self._validation_criteria().get(self.early_stopping),
            "optimizer": self.optimizer,
            "lr": self.lr,
            "batch_size": self.batch_size,
            "callbacks": callbacks,
            "device": str(device),
            "verbose": self.verbose,
            "train_split": None,
            "warm_start": True,
        }
        given = {n: v for n, v in self._net_params.items() if not n.startswith("module__")}
        if not any(name.startswith("optimizer__") and name[11:] in _LOOPS for name in given):
            settings |= _fused(self.optimizer, module)
        return net_class(module, **(settings | given | options)).initialize()

    def _make_alignment(self, module, X):
        """Return the alignment loss, or None."""
        return None

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _fused(optimizer, module):
    """Return the setting that updates all weights in one kernel, for optimizers that have one.

    One kernel instead of some seven per tensor is a sixth of a step of a small network.
    """
    known = optimizer in (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)
    return {"optimizer__fused": True} if known and can_fuse(module) else {}


def _is_net_param(name):
    return name in WHOLE or name.startswith(PREFIXES)


def domain_codes(ids):
    """Return the position of each id among the sorted ids of its side."""
    codes = np.zeros(len(ids), dtype=np.int64)
    for side in (ids >= 0, ids < 0):
        codes[side] = np.unique(ids[side], return_inverse=True)[1]
    return codes
