"""What the deep estimators share: scikit-learn outside, a skorch net inside.

The net is built in ``fit`` and not inherited from: skorch's own estimators build and check
things in ``__init__``, need float32, and know one domain only, which scikit-learn's contract and
ours forbid. Its parameters are ours under the same names (``module__hidden``, ``optimizer__...``).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from skorch.callbacks import EarlyStopping, LRScheduler

from .._array._backend import float_dtype, to_numpy
from .._array._config import config_for
from .._array._devices import find_backend
from .._core._callbacks import CALLBACK_SUPPORT, begin_fit, callbacks_of_fit, subtask
from .._core._meta_estimator import check_row_weights
from .._core._param_checks import check_bool
from .._core._routing import DomainRouting
from .._core._sample_domain import check_sample_domain, note_domains
from .._core._typing import Array, ArrayLike, DomainIds, RandomState
from .._core._validation import (
    data_for_fit,
    data_for_predict,
    fresh_fit,
    unfitted_on_failure,
)
from ._augmentation import BatchAugmentation, check_augmenters
from ._base_two_stage import AdaptingNet, fitted_source_model, plain_model
from ._columns import categorical_columns, encoded, learn_categories
from ._domain_norm import renew_statistics, with_domain_norms
from ._embeddings import center_and_range
from ._epoch_tasks import EpochTasks, NoTasks, frozen_copy, net_with_copy
from ._inference import as_tensor, outputs_by_domain
from ._input_scaling import center_and_spread, drawn_in, learn_scaling, scaled
from ._modules import build_module, can_fuse, check_module, has_batch_norm, reads_tables
from ._params import (
    PRECISIONS,
    check_adaptation_params,
    check_alignment_params,
    check_net_params,
    check_training_params,
    is_net_param,
    optimizer_settings,
    skorch_params,
)
from ._pretraining import check_pretraining, pretrain
from ._priors import SELECTED_FITS, TargetPriors, check_prior_correction, fit_selected
from ._row_weights import scaled_weights
from ._saving import StoredAsPlainValues
from ._schedules import LR_SCHEDULES, schedule_of
from ._training import PairedNet, Rows, domain_codes, hold_out, seeded, train_on
from ._typing import Backbone

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LOOPS = ("fused", "foreach", "differentiable")  # arguments that say how weights are updated

# Smallest gain of a validation loss that counts, in its own unit: nats or squared deviations.
_LEAST_GAIN = 1e-4


class BaseDeep(
    StoredAsPlainValues,
    *CALLBACK_SUPPORT,  # type: ignore[misc]
    DomainRouting,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
):
    """A scikit-learn estimator that trains a `PairedNet`.

    A method is put together from three parts, which are classes: a task (classification or
    regression), an alignment loss for one stage, or an adaptation for a second stage. The last two
    take parameters of the estimator by their names.
    """

    _task_class: Any = None
    _alignment: Any = None
    _adaptation: Any = None
    _net_class = PairedNet
    _default_module: Any = None  # what module=None stands for; None is the MLP
    _takes_chunks = True
    _trains_on = "batches of rows"  # only these can be augmented and pre-trained on
    _predicts_early = True  # whether a copy can predict before the end of a fit
    _needs_target = True  # whether fit takes rows of both sides only
    _labels = "source"
    _order_dependent = True  # batches are chosen among the rows
    _array_level = "c"

    def __init__(
        self,
        module: Backbone | None = None,
        *,
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
        self.module = module
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.max_epochs = max_epochs
        self.min_steps = min_steps
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.batch_norm = batch_norm
        self.input_scaling = input_scaling
        self.precision = precision
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.callbacks = callbacks
        self.device = device
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        # Kept as given: scikit-learn's clone compares, and checks wait for fit.
        self._net_params = net_params

    def get_params(self, deep: bool = True) -> dict[str, Any]:
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

    def set_params(self, **params: Any) -> Self:
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
            # Names of the net are not in the signature, where the inherited method would look for
            # them.
            if is_net_param(name) or (name in self._net_params and name not in own):
                self._net_params = self._net_params | {name: params.pop(name)}
        return super().set_params(**params)

    def _check_params(self):
        """Check every parameter by name before anything is trained."""
        # Some estimators lack some of the shared parameters and keep their defaults.
        shared = {name: getattr(self, name) for name in BaseDeep._get_param_names()}
        params = shared | self.get_params(deep=False)
        check_net_params(type(self).__name__, self._net_params)
        check_training_params(params, list(self._validation_criteria()))
        self._check_before_training()
        if self._alignment is not None:
            check_alignment_params(params)
            check_bool("use_target_labels", params["use_target_labels"])
            if "prior_correction" in params:  # of classifiers
                check_prior_correction(params["prior_correction"])
            self._alignment_params()
        if self._adaptation is not None:
            if "adaptation_epochs" in params:  # renewed statistics take no training
                check_adaptation_params(params)
            self._adaptation.check_params(params)

    def _check_before_training(self):
        """Check what is done to the rows and to the network before they meet."""
        augmenters = check_augmenters(self._net_params.get("augmenters"))
        asked = "augmenters" if augmenters else ""
        if check_pretraining(self._net_params) is not None:
            asked = "pretrain"
        if asked and self._trains_on != "batches of rows":
            raise ValueError(
                f"{type(self).__name__} takes no {asked}: its network is trained on "
                f"{self._trains_on}. Leave it out, or use another method."
            )
        if asked and self._source_model() is not None:
            raise ValueError(
                f"{type(self).__name__} takes no {asked} with a source_model, whose network is "
                f"trained already. Set {asked} in source_model before its fit."
            )

    def _validation_criteria(self):
        """Return the losses on held-out rows that early stopping may use."""
        criteria = self._task_class.validation_criteria
        if self._labels == "all":  # the second stage holds out labeled target rows
            return {"source": criteria["source"]}
        return criteria

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None,
        sample_weight: ArrayLike | None = None,
        *,
        sample_domain: DomainIds | None = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : array-like of shape (n_samples,), or (n_samples, n_targets) in regression
            Labels. Those of target rows are ignored unless the class says so.
        sample_weight : array-like of shape (n_samples,), default=None
            How much the label of each row counts in the supervised loss, scaled to a mean of one
            over the source rows and over the labeled target rows that are learnt from. A label of
            weight 0 is ignored. The features of all rows count alike in scaling, normalization and
            alignment: leave a row out to keep it from these, too.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target. None: all rows are source, the
            network is trained without alignment, and a :class:`~skda.DomainWarning` says so.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        # The first fit with warm_start builds the net like any other.
        if self.warm_start and hasattr(self, "net_"):
            return self._go_on(X, y, sample_weight, sample_domain)
        if self._selects_priors(sample_domain):
            return self._fit_selected(X, y, sample_weight, sample_domain)
        return self._fit_afresh(X, y, sample_weight, sample_domain)

    def _selects_priors(self, sample_domain):
        """Return whether this fit chooses between estimates of the target's proportions."""
        asked = isinstance(getattr(self, "prior_correction", None), str)
        if not asked or self.prior_correction != "select" or sample_domain is None:
            return False
        return self._aligns() and bool((to_numpy(sample_domain) < 0).any())

    def _fit_selected(self, X, y, sample_weight, sample_domain):
        """Become the surer one of two fits with different proportions of the target."""
        with fresh_fit(self):
            self._check_params()
            ids = to_numpy(sample_domain)
            begin_fit(self, X, y, ids, ids >= 0, n_tasks=SELECTED_FITS)
            net, chosen = fit_selected(self, X, y, sample_weight, sample_domain)
            own = vars(clone(self))
            vars(self).update({k: v for k, v in vars(net).items() if k not in own})
            self.prior_correction_ = chosen
        return self

    def _given_priors(self):
        """Return the target's proportions that the user or the first fit has settled, or None."""
        given = getattr(self, "prior_correction_", self.prior_correction)
        return None if isinstance(given, str) else given

    def fit_transform(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        sample_domain: DomainIds | None = None,
    ) -> Array:
        """Train the network and return the learnt features: ``fit`` and then ``transform``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : array-like of shape (n_samples,)
            Labels, see :meth:`fit`.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row, see :meth:`fit`.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row, see :meth:`fit`.

        Returns
        -------
        X_new : array of shape (n_samples, n_features_out)
            Features of each row, in the same order.
        """
        fitted = self.fit(X, y, sample_weight, sample_domain=sample_domain)
        return fitted.transform(X, sample_domain=sample_domain)

    def _fit_chunk(self, X, y, sample_weight, sample_domain, classes=None):
        """Train one epoch; the first call builds the net, ready for target rows to come."""
        if self._net_params.get("pretrain") is not None:
            raise ValueError(
                f"{type(self).__name__}.partial_fit takes no pretrain, which needs the rows of all "
                "chunks first. Use fit, then partial_fit after set_params(pretrain=None)."
            )
        if hasattr(self, "net_"):
            # The labels' meaning and the schedule are those of the first chunk.
            return self._go_on(X, y, sample_weight, sample_domain, epochs=1)
        return self._fit_afresh(X, y, sample_weight, sample_domain, classes=classes, epochs=1)

    def _fit_afresh(self, X, y, sample_weight, sample_domain, *, classes=None, epochs=None):
        """Train a new net, for `epochs` only if this is the first chunk of many."""
        with fresh_fit(self):
            self._check_params()
            data = self._data(X, y, sample_domain, reset=True, chunk=epochs is not None)
            weights = self._row_weights(sample_weight, data)
            if epochs is None:  # a chunk is no fit of its own
                begin_fit(self, X, y, data.ids, data.labeled, n_tasks=self._n_tasks(data))
            y = self._encode(data, known=False, classes=classes, weights=weights)
            self._rng = check_random_state(self.random_state)
            self.n_iter_ = 0
            self._train_stages(data, y, weights, fresh=True, chunk=epochs is not None)
        return self

    def _go_on(self, X, y, sample_weight, sample_domain, *, epochs=None):
        """Train the net of the last fit further."""
        self._check_params()
        # Before the checks of the rows, whose error does not mention warm_start.
        self._check_width(X)
        data = self._data(X, y, sample_domain, reset=False, chunk=epochs is not None)
        self._check_can_align(data)
        weights = self._row_weights(sample_weight, data)
        # The outputs of the net stand for the classes of the first fit.
        codes = self._encode(data, known=True)
        # Weights of an interrupted step are neither the old nor the new ones.
        with unfitted_on_failure(self), callbacks_of_fit(self):
            if epochs is None:
                begin_fit(self, X, y, data.ids, data.labeled, n_tasks=self._n_tasks(data))
            self._train_stages(data, codes, weights, fresh=False, chunk=epochs is not None)
        if sample_domain is not None:
            note_domains(self, data.ids)
            self.source_domains_ = sorted({*self.source_domains_, *data.source_domains})
            self.target_domains_ = sorted({*self.target_domains_, *data.target_domains})
        return self

    def _row_weights(self, sample_weight, data):
        """Return how much the label of each row counts, or None where all count alike."""
        weights = check_row_weights(sample_weight, len(data.ids))
        if sample_weight is None:
            return None
        groups = {} if self._source_model() is not None else {"source rows": data.source}
        if self._labels == "all" or self._reads_target_labels():
            groups["labeled target rows"] = data.target[data.labeled[data.target]]
        return scaled_weights(weights, groups)

    def _data(self, X, y, sample_domain, *, reset, chunk):
        """Return the checked rows; a chunk may lack target rows."""
        # A source model has been trained already, so target rows alone are enough to adapt it.
        one_sided = chunk or self._source_model() is not None or not self._needs_target
        labels = "all" if self._reads_target_labels() else self._labels
        if self._reads_tables():
            X = self._learn_codes(X, sample_domain) if reset else encoded(X, self._categories)
        data = data_for_fit(
            self, X, y, sample_domain, labels=labels, one_sided=one_sided, reset=reset
        )
        if chunk and not len(data.source):
            raise ValueError(
                f"{type(self).__name__}.partial_fit got target rows only, and without labeled "
                "source rows there is nothing to train on. Pass rows of both domains at each call."
            )
        return data

    def _reads_target_labels(self):
        """Return whether a method of one stage learns from labeled target rows."""
        return getattr(self, "use_target_labels", False) and self._weight() > 0

    def _learns_from_target(self):
        """Return whether the values of target rows have a part in what is learnt."""
        pretrains = self._net_params.get("pretrain") is not None
        return self._weight() > 0 or self._adaptation is not None or pretrains

    def _reads_tables(self):
        """Return whether the module takes missing values and categories."""
        # What is no deep estimator is refused later, where the error says so.
        return reads_tables(getattr(plain_model(self._source_model() or self), "module", None))

    def _learn_codes(self, X, sample_domain):
        """Return X with codes in its categorical columns, after learning their categories."""
        source = plain_model(self._source_model())
        if source is not None:
            self._categories = getattr(source, "_categories", [])  # none before it is fitted
            return encoded(X, self._categories)
        chosen = self._net_params.get("module__categorical_features", "from_dtype")
        X = X if hasattr(X, "shape") else np.asarray(X)
        columns = [] if issparse(X) else categorical_columns(X, chosen)
        used = np.arange(X.shape[0] if X.shape else 0)
        # Where target rows are ignored, their categories are those of new rows: missing.
        if columns and sample_domain is not None and not self._aligns():
            used = np.flatnonzero(check_sample_domain(sample_domain, len(used)) >= 0)
        self._categories = learn_categories(X, columns, used)
        return encoded(X, self._categories)

    def _aligns(self):
        """Return whether target rows are aligned while the network is trained."""
        return self._alignment is not None and self._weight() > 0

    def _cardinalities(self, n_features):
        """Return the number of categories of each column, 0 for numbers."""
        sizes = [0] * n_features
        if self._reads_tables():
            for column, values in self._categories:
                sizes[column] = len(values)
        return tuple(sizes)

    def _check_can_align(self, data):
        """Raise if target rows come to a net that was built without an alignment loss."""
        if data.adapts and self.net_.alignment is None and self._weight() > 0:
            raise ValueError(
                "The net was built without target rows, or loaded from a file, and cannot align "
                "target rows now. Fit once with sample_domain, or set warm_start=False."
            )

    def _check_width(self, X):
        """Raise if a trained net cannot go on with rows of this width."""
        shape = X.shape if hasattr(X, "shape") else np.shape(X)
        if len(shape) == 2 and shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {shape[1]} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input, those of the fit that goes on. Pass the "
                "same columns, or start again with warm_start=False."
            )

    @property
    def _task(self):
        """The task for the labels of the last fit."""
        return self._task_class(*(getattr(self, name) for name in self._task_class.attributes()))

    def _encode(self, data, *, known=False, classes=None, weights=None):
        """Return labels as the network's targets, after learning what they mean if it is new."""
        if self._source_model() is not None:
            self._start_from(self._source_model())
            known = True
        if self._labels == "ignored":
            return np.full(len(data.ids), -1, dtype=np.int64)
        if not known:
            task = self._task_class.learn(self, data, classes, weights)
            vars(self).update(task.as_attributes())
        return self._task.encode(self, data)

    def _source_model(self):
        """Return the estimator to start from; methods of one stage take none."""
        return getattr(self, "source_model", None)

    def _start_from(self, source_model):
        """Take over what a fitted source model has learnt, as a copy."""
        source = fitted_source_model(type(self).__name__, source_model, BaseDeep)
        if self.n_features_in_ != source.n_features_in_:
            raise ValueError(
                f"X has {self.n_features_in_} features, but source_model was fitted on "
                f"{source.n_features_in_}. Pass the same columns."
            )
        for name in (*self._task_class.attributes(), "_n_features_out", "input_scaling_"):
            if hasattr(source, name):
                # Copies: what this estimator learns must not reach the user's source model.
                setattr(self, name, copy.copy(getattr(source, name)))
        if self.input_scaling == "domain":
            # Its target may have been another one.
            self.input_scaling_.pop("target", None)
        self.net_ = copy.deepcopy(source.net_)

    def _train_stages(self, data, y, weights, *, fresh, chunk=False):
        """Train the net on the source and the alignment, then adapt it where the method does."""
        device = self._torch_device(data)
        X = as_tensor(data.X, device)
        self._learn_scaling(X, data)
        rows = Rows(
            self._scaled(X, data),
            torch.as_tensor(y, device=device),
            torch.as_tensor(domain_codes(data.ids), device=device),
            data.source,
            data.target,
            data.target[data.labeled[data.target]] if self._reads_target_labels() else (),
            None if weights is None else torch.as_tensor(weights, device=device).float(),
        )
        # Otherwise the first stage is over: its net was taken over as it is.
        if self._source_model() is None:
            with seeded(self._rng, device):
                augmentation = self._batch_augmentation(X, y, data)
                self._train_net(data, rows, augmentation, fresh=fresh, chunk=chunk)
        if self._adaptation is not None:
            self._adapt_net(data, rows)

    def _learn_scaling(self, X, data):
        """Learn mean and scale of the inputs of each side, unless an earlier fit has."""
        known = getattr(self, "input_scaling_", {})
        sides = [] if self.input_scaling is None else ["source"]
        # Where no target row is learnt from, none may change a prediction.
        if self.input_scaling == "domain" and self._learns_from_target():
            sides.append("target")
        new = [side for side in sides if side not in known]
        self.input_scaling_ = known | self._scaling_of(X, data, new)

    def _scaling_of(self, X, data, sides):
        """Return center and spread of the inputs of these sides."""
        learn = center_and_spread
        if self._reads_tables():
            learn = partial(center_and_range, categorical=[j for j, _ in self._categories])
        return learn_scaling(X, data.source, data.target, sides=sides, learn=learn)

    def _scaled(self, X, data):
        """Return the rows as the network takes them."""
        return self._scaled_by_side(X, data.source, data.target)

    def _scaled_by_side(self, X, source, target):
        """Return rows as the network takes them, those at these places each by its side."""
        # Networks for tables bound numbers themselves; codes of categories stay as they are.
        options = {"bound": lambda z: z} if self._reads_tables() else {"bound": drawn_in}
        return scaled(X, source, target, self.input_scaling_, **options).float()

    def _batch_augmentation(self, X, y, data):
        """Return what changes the source rows of each batch, or None."""
        augmenters = check_augmenters(self._net_params.get("augmenters"))
        if not augmenters:
            return None
        return BatchAugmentation(
            augmenters,
            data,
            X,
            y,
            scale=lambda rows: self._scaled_by_side(rows, np.arange(len(rows)), ()),
            kept=self._code_columns(),
            rng=self._rng,
        )

    def _code_columns(self):
        """Return the columns that hold codes of categories."""
        return [j for j, _ in self._categories] if self._reads_tables() else []

    def _pretrain(self, rows):
        """Pre-train the network on the rows of all domains, where it is asked for."""
        settings = check_pretraining(self._net_params)
        if settings is None:
            return
        codes = self._code_columns()
        with subtask(self, "pre-training"):
            self.pretrain_losses_ = pretrain(
                self.net_.module_,
                rows,
                self._n_features_out,
                settings,
                numbers=[j for j in range(rows.X.shape[1]) if j not in codes],
                batch_size=self.batch_size,
                min_steps=self.min_steps,
                rng=self._rng,
            )

    def _train_net(self, data, rows, augmentation, *, fresh, chunk):
        """Build the net if it is new, and train it."""
        if fresh:
            may_adapt = data.adapts or chunk  # target rows may come in later chunks
            self.net_ = self._make_net(rows.X, adapts=may_adapt)
            if hasattr(self.net_.module_, "learn_inputs"):
                # Rows that are not trained on must not show in the network.
                both = self._aligns() or self._net_params.get("pretrain") is not None
                sides = [rows.source, rows.target] if both else [rows.source]
                self.net_.module_.learn_inputs(rows.X[np.concatenate(sides)])
            self.source_domains_ = data.source_domains
            self.target_domains_ = data.target_domains
            self._pretrain(rows)
        self.net_.augmentation = augmentation
        # A schedule runs over all the chunks that max_epochs allows for, not over each.
        with self._watching(self.net_, "training", self._learnt_by_training):
            self._train(self.net_, rows, max_epochs=self.max_epochs, chunk=chunk)
        self.net_.augmentation = None  # it holds all rows, which a pickle must not

    def _adapt_net(self, data, rows):
        """Adapt a copy of the trained network to the target rows."""
        self.source_domains_ = data.source_domains
        self.target_domains_ = data.target_domains
        # Those of a former adaptation: this one begins at the source network.
        for name in ("target_module_", "adapted_net_"):
            vars(self).pop(name, None)
        # Fitted without sample_domain: there is nothing to adapt to.
        if not len(data.target):
            return
        if self._labels == "all":
            # Supervised methods adapt to labeled target rows only.
            rows = rows._replace(target=data.target[data.labeled[data.target]])
        # A stage has a seed of its own, so that it does not depend on how long the first one took.
        with seeded(self._rng, rows.X.device):
            source = self.net_.module_.to(rows.X.device)
            params = self._adaptation.check_params(self.get_params(deep=False))
            module, net = self._adaptation(**params).adapt(
                source, self._n_features_out, rows, partial(self._train_copy, rows)
            )
        if module is not None:
            self.target_module_ = module
        if net is not None:
            self.adapted_net_ = net

    def _train_copy(self, rows, module, alignment, *, net_class=AdaptingNet, **options):
        """Train a module for `adaptation_epochs` at `adaptation_lr`; return it and its net.

        Among the options `source` and `target` are the rows to train on; `stop_early` says whether
        early stopping holds for the second stage, too. The others go on to the net.
        """
        rows = rows._replace(source=options.pop("source"), target=options.pop("target"))
        stop_early = options.pop("stop_early", False)
        # The copy is returned untrained, which is the source network itself.
        if not self.adaptation_epochs:
            return module.eval(), None
        options = {"lr": self.adaptation_lr, "lr_schedule": None} | options
        net = self._wrap(
            module, alignment, rows.X.device, net_class=net_class, stop_early=stop_early, **options
        )
        with self._watching(net, "adaptation", self._learnt_by_adaptation):
            self._train(net, rows, max_epochs=self.adaptation_epochs, stop_early=stop_early)
        return net.module_, net

    @contextmanager
    def _watching(self, net, name, learnt):
        """Let callbacks watch the epochs of a training."""
        net.tasks = EpochTasks(self, name, learnt if self._predicts_early else None)
        try:
            yield
        finally:
            net.tasks = NoTasks()  # those of a fit are none to keep

    def _learnt_by_training(self, net):
        """Return the attributes with which a copy predicts as if the training ended now."""
        return {"net_": net_with_copy(net)}

    def _learnt_by_adaptation(self, net):
        return {"target_module_": frozen_copy(net.module_)}

    def _n_tasks(self, data):
        """Return the number of stages: of pre-training, training and adaptation those it has."""
        stages = [self._source_model() is None, self._adaptation is not None]
        return sum(stages) + (stages[0] and self._net_params.get("pretrain") is not None)

    def _train(self, net, rows, *, max_epochs, chunk=False, stop_early=True):
        """Train a net and count its epochs."""
        held_out = None
        if stop_early and self.early_stopping is not None:
            # Where nobody asks for target rows they must not move the seed of what follows.
            alone = net.alignment is None and self.early_stopping == "source"
            sides = ["source"] if alone else ["source", "target"]
            rows, batch = hold_out(
                rows, self.early_stopping, sides, self.validation_fraction, self._rng
            )
            held_out = [batch]
        # Early stopping may end the training before max_epochs.
        before = len(net.history)
        corrects = hasattr(self, "prior_correction") and net.alignment is not None
        if corrects:
            priors = TargetPriors.of_source(rows, self._task.n_outputs, self._given_priors())
            net.priors = priors if self.prior_correction is not None else None
        train_on(
            net,
            rows,
            batch_size=self.batch_size,
            rng=self._rng,
            max_epochs=max_epochs,
            min_steps=self.min_steps,
            chunk=chunk,
            held_out=held_out,
        )
        self.n_iter_ += len(net.history) - before
        if corrects and len(rows.target):
            self._note_priors(priors, net, rows, done=not chunk)

    def _note_priors(self, priors, net, rows, *, done):
        """Estimate the target's class proportions, and warn if they are far from the source's."""
        self.target_priors_ = priors.estimate(net, rows.X, rows.target)
        # After a chunk the network is not done, and with a correction they may be far.
        if done and self.prior_correction is None:
            priors.warn_if_far(self.target_priors_, len(rows.target), net.n_steps_)

    def _weight(self):
        """Return the weight of the alignment; methods without one have 0."""
        return float(getattr(self, "alignment_weight", 0.0))

    def _module_options(self):
        """Return what the default module is built with where the user set nothing."""
        return {"batch_norm": self.batch_norm is not False}

    def _make_net(self, X, *, adapts):
        """Return the skorch net around a fresh module and its alignment loss."""
        # In the precision of the rows, whatever torch.get_default_dtype() is.
        module = self._make_module(X).to(X.device, X.dtype)
        # Only where it has a weight: adversaries and critics have layers that would cost time for
        # nothing.
        alignment = self._make_alignment(module) if adapts and self._aligns() else None
        if alignment is not None:
            alignment = alignment.to(X.device, X.dtype)
        return self._wrap(module, alignment, X.device, net_class=self._net_class)

    def _make_module(self, X):
        """Return a fresh module for these rows, after noting the width of its features."""
        given = {
            name.removeprefix("module__"): value
            for name, value in self._net_params.items()
            if name.startswith("module__")
        }
        if self._reads_tables():
            given.pop("categorical_features", None)  # turned into cardinalities
        n_outputs = self._n_outputs()
        module = build_module(
            self._default_module if self.module is None else self.module,
            n_features=X.shape[1],
            n_outputs=n_outputs,
            options=given,
            # A class of the user's own is not changed by what suits a method.
            usual=self._module_options() if isinstance(self.module, str | None) else None,
            cardinalities=self._cardinalities(X.shape[1]),
        ).to(X.device, X.dtype)
        self._n_features_out = check_module(module, X, n_outputs)
        return module

    def _n_outputs(self):
        """Return the number of outputs of the module."""
        return self._task.n_outputs

    def _make_alignment(self, module):
        """Return the alignment loss of a module, whose batch normalization it may change."""
        if self.batch_norm == "domain":
            with_domain_norms(module)
        return self._alignment.for_network(
            module, self._n_features_out, self._n_outputs(), **self._alignment_params()
        )

    def _alignment_params(self):
        """Return the parameters of the alignment loss, checked."""
        return self._alignment.check_params(self.get_params(deep=False))

    def _wrap(self, module, alignment, device, *, net_class=PairedNet, stop_early=True, **options):
        """Return the skorch net around a module and an alignment loss."""
        settings = {
            "criterion": self._task_class.criterion,
            "alignment": alignment,
            "alignment_weight": self._weight(),
            "alignment_schedule": schedule_of(getattr(self, "alignment_schedule", "constant")),
            "validation_criterion": self._validation_criteria().get(self.early_stopping),
            "lr_schedule": self._lr_schedule(),
            "autocast": PRECISIONS[self.precision],
            "optimizer": self.optimizer,
            **optimizer_settings(self.optimizer, self.lr),
            "batch_size": self.batch_size,
            "callbacks": self._callbacks(stop_early),
            "device": str(device),
            "verbose": self.verbose,
            # Held-out rows are split off by `hold_out`, which knows the domains.
            "train_split": None,
            "warm_start": True,
        }
        given = skorch_params(self._net_params)
        # torch accepts only one of these at a time, and the user's choice comes first.
        if not any(name.startswith("optimizer__") and name[11:] in _LOOPS for name in given):
            settings |= _fused(self.optimizer, module)
        return net_class(module, **(settings | given | options)).initialize()

    def _lr_schedule(self):
        """Return the factor of the learning rates; a schedule among the callbacks comes first."""
        for callback in self.callbacks or ():
            callback = callback[1] if isinstance(callback, tuple) else callback
            if callback is LRScheduler or isinstance(callback, LRScheduler):
                return None
        return LR_SCHEDULES[self.lr_schedule]

    def _callbacks(self, stop_early):
        """Return the user's callbacks, and early stopping after them."""
        callbacks = list(self.callbacks or [])
        if stop_early and self.early_stopping is not None:
            stopping = EarlyStopping(
                patience=self.patience, threshold=_LEAST_GAIN, threshold_mode="abs", load_best=True
            )
            # Last, so that the user's callbacks see every epoch; named, so that the user's own may
            # be of the same class.
            callbacks.append(("skda_early_stopping", stopping))
        return callbacks

    def _torch_device(self, data=None):
        """Return the device to work on: the parameter's, the configuration's, or that of X."""
        if self.device is not None:
            return find_backend("torch", self.device).device
        config = config_for(self)
        # Another backend says nothing about the device of a network.
        if config["backend"] == "torch":
            return find_backend("torch", config["device"]).device
        if data is not None and isinstance(data.X, torch.Tensor):
            return data.X.device
        return torch.device("cpu")

    @property
    def history_(self) -> Any:
        """Losses and durations, one entry per epoch."""
        if not hasattr(self, "net_"):
            raise AttributeError(f"{type(self).__name__} is not fitted: it has no history_ yet.")
        return self.net_.history

    def with_statistics_of(self, X: ArrayLike) -> Self:
        """Return a copy for a new target, with mean and spread of its rows; nothing is trained.

        What the statistics stand for is replaced: those of batch normalization, as in
        :class:`~skda.AdaBNClassifier`, and with ``input_scaling="domain"`` those of the inputs.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of the new target, two at least.

        Returns
        -------
        estimator : object
            A fitted copy of this estimator, which stays as it is.

        Raises
        ------
        ValueError
            If the network has no statistics.
        """
        data = self._data_for_predict(X, None, "with_statistics_of")
        device = self._torch_device(data)
        new = copy.deepcopy(self)
        # Whatever the new target is called, its rows are those of the target side now.
        new._fit_domains = None
        rows = as_tensor(data.X, device)
        if self.input_scaling == "domain":
            new.input_scaling_ |= self._scaling_of(rows, data, ["target"])
        module = getattr(new, "target_module_", new.net_.module_).to(device)
        rows = new._scaled(rows, data)
        if has_batch_norm(module):
            new.target_module_ = renew_statistics(module, rows)
        elif self.input_scaling != "domain":
            raise ValueError(
                "The network has no statistics of its target: it needs batch_norm='domain' or "
                f"'joint', or input_scaling='domain'; got {self.batch_norm!r} and "
                f"{self.input_scaling!r}. Fit it with one of these."
            )
        return new

    def plot_history(self, ax: Axes | None = None) -> tuple[Axes, Axes | None]:
        """Draw losses and accuracies of the training by epoch.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        ax : tuple of matplotlib.axes.Axes
            The axes of the losses and those of the accuracies, None without any:
            ``source_accuracy`` on the batches' source rows and, with an adversary, its
            ``domain_accuracy``, which is 0.5 where it cannot tell the domains apart.

        Raises
        ------
        ImportError
            If matplotlib is not installed: ``pip install 'skda[plot]'``.
        """
        check_is_fitted(self)
        # Here, because a picture is asked for after few fits.
        from ..inspection import TrainingCurveDisplay

        axes: list[Any] = TrainingCurveDisplay.from_estimator(self, ax=ax).axes_
        return axes[0], axes[1] if len(axes) > 1 else None

    def _data_for_predict(self, X, sample_domain, method):
        """Return the checked rows, with codes in the categorical columns."""
        check_is_fitted(self)
        if self._reads_tables():
            X = encoded(X, self._categories)
        return data_for_predict(self, X, sample_domain, method=method)

    def _outputs(self, X, sample_domain, method):
        """Return logits and features of all rows, and the rows as they were checked."""
        data = self._data_for_predict(X, sample_domain, method)
        return self._outputs_of(data), data

    def _outputs_of(self, data):
        """Return logits and features of rows that have been checked."""
        device = self._torch_device(data)
        # Data and network may have been moved since fit: the rows decide.
        source = self.net_.module_.to(device)
        target = getattr(self, "target_module_", source).to(device)
        rows = self._scaled(as_tensor(data.X, device), data)
        return outputs_by_domain(source, target, rows, data.source, data.target)

    def transform(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Return the learnt features, those that are aligned.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to map, in any order.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. None: every row is a target row.

        Returns
        -------
        X_new : array of shape (n_samples, n_features_out)
            Features of each row in the same order, in the array library that `X` came in.
        """
        (_, features), data = self._outputs(X, sample_domain, "transform")
        return self._to_input(features, data)

    def _to_input(self, x, data):
        """Return a tensor as an array of the library of X, in its precision."""
        xp = data.input_backend.xp
        return data.input_backend.asarray(x, dtype=float_dtype(data.X, xp))

    def __sklearn_is_fitted__(self):
        return hasattr(self, "net_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.allow_nan = tags.input_tags.categorical = self._reads_tables()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _fused(optimizer, module):
    """Return the setting that updates all weights in one kernel, for optimizers that have one.

    One kernel instead of some seven per tensor is a sixth of a step of a small network.
    """
    # Other optimizers may not take the argument at all.
    known = optimizer in (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)
    return {"optimizer__fused": True} if known and can_fuse(module) else {}
