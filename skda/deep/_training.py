"""The training loop: a skorch net whose batches pair source rows with target rows.

All rows live as whole tensors on the device; a batch is one ``index_select``. The loss of a step
is the criterion on its source rows plus, weighted, an alignment loss between both domains.
"""

import math
import os
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, EpochTimer, PrintLog

from ._domain_norm import rows_of
from ._epoch_tasks import NoTasks
from ._modules import has_batch_norm
from ._row_weights import losses_by_row
from ._smoothing import add_smoothed_gradient

_DIVERGED = (
    "training diverged. Lower lr, lower alignment_weight, or scale X, for example with "
    "StandardScaler in front."
)

_EPOCHS = 50  # for tables of a few thousand rows; smaller ones are trained by the number of steps

# torch draws initial weights and dropout from one generator of the whole process. Fits in several
# threads take turns, so that each draws what it would draw alone; a fit inside a callback of
# another one is of the same thread and must not wait.
_GENERATOR_LOCK = threading.RLock()


def _renew_lock():
    """Give a forked process its own lock: no thread of the parent would ever release it there."""
    global _GENERATOR_LOCK
    _GENERATOR_LOCK = threading.RLock()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_renew_lock)


class DomainBatch(NamedTuple):
    """The source rows or the target rows of a step, as the alignment losses see them."""

    features: Any
    """What the module learnt to extract, (n, n_features_out)."""
    logits: Any
    """Its outputs before any nonlinearity, (n, n_outputs)."""
    y: Any = None
    """Class indices or standardized values; None on target rows."""
    domain: Any = None
    """Position of each row's domain among the sorted ids of its side."""
    rows: Any = None
    """Indices of these rows among the rows given to ``fit``."""
    weights: Any = None
    """How much the label of each source row counts, one on average; None where all are alike."""


@dataclass(frozen=True)
class Batch:
    """Rows of one step: the source rows first, then the target rows.

    Callbacks of skorch that unpack a batch, as for its scores, get the labeled rows.
    """

    X: Any
    y: Any
    domain: Any
    rows: Any
    n_source: int
    n_labeled: int = 0
    """Target rows with a label, at the end of the batch; their labels are at the end of y."""
    weights: Any = None
    """How much each label in y counts; None where all are alike."""

    def __len__(self):
        return self.X.shape[0]

    def __iter__(self):
        n = self.n_source or len(self.y)  # held-out target rows have labels that nobody uses
        return iter((self.X[:n], self.y[:n]))

    def source_part(self):
        """Return the source rows alone."""
        n = self.n_source
        weights = None if self.weights is None else self.weights[:n]
        return Batch(self.X[:n], self.y[:n], self.domain[:n], self.rows[:n], n, weights=weights)

    def by_domain(self, logits, features):
        """Return the module's outputs as a source and a target batch, None where there is none."""
        n, weights = self.n_source, self.weights
        # Rows of one side need no split; the losses test for None.
        if n == 0:
            return None, DomainBatch(features, logits, None, self.domain, self.rows)
        if n == len(self):
            return DomainBatch(features, logits, self.y, self.domain, self.rows, weights), None
        end = len(self) - self.n_labeled
        sizes = [n, end - n, self.n_labeled]
        f, o = torch.split(features, sizes), torch.split(logits, sizes)
        weights = None if weights is None else weights[:n]
        source = DomainBatch(f[0], o[0], self.y[:n], self.domain[:n], self.rows[:n], weights)
        return source, DomainBatch(f[1], o[1], None, self.domain[n:end], self.rows[n:end])


class Rows(NamedTuple):
    """All rows of a fit, on the device, and which of them to train on."""

    X: Any
    y: Any
    domain: Any
    source: Any
    target: Any
    labeled: Any = ()
    """Target rows whose labels are learnt from, in methods of one stage."""
    weights: Any = None
    """How much the label of each row counts, or None."""


class PairedBatches:
    """Batches of half source and half target rows, reshuffled at each pass.

    Parameters
    ----------
    X, y, domain : tensor
        Rows of all domains, their labels (any value on target rows) and their domains.
    source, target : ndarray of int
        Rows to choose from. Either may be empty; the other then still fills its half only.
    labeled : ndarray of int
        Target rows with a label, which come once more at the end of each batch.
    weights : tensor or None
        How much the label of each row counts.
    batch_size : int
        Rows of a step, beside the labeled target rows.
    rng : RandomState
        Seeds the permutations of both sides, each on its own.
    source_only : bool, default=False
        Whether to ignore the target rows: they are in no batch and do not count for the number of
        steps.

    Notes
    -----
    A pass goes once through the larger side; the smaller one is reshuffled and cycled. Batches
    of a pass are equally long: the last ones are filled with rows of a further permutation, so
    that none is left with a row or two (batch normalization, covariances). A side with fewer rows
    than half a batch gives all its rows to each step.
    """

    def __init__(
        self,
        X,
        y,
        domain,
        source,
        target,
        labeled=(),
        weights=None,
        *,
        batch_size,
        rng,
        source_only=False,
    ):
        self.X, self.y, self.domain, self.weights = X, y, domain, weights
        self.sides = (source, target) + ((np.asarray(labeled),) if len(labeled) else ())
        self.source_chances = None  # of each source row, equal for all
        # A generator for each side, so that the order of source rows does not depend on the target.
        seeds = rng.randint(2**31 - 1, size=len(self.sides))
        self.rngs = [np.random.RandomState(seed) for seed in seeds]
        longest = max(len(source), 0 if source_only else len(target))
        half = max(int(batch_size) // 2, 1)
        self.n_steps = math.ceil(longest / half)
        even = math.ceil(longest / self.n_steps)  # at most half a batch, without a short rest
        self.sizes = [min(len(rows), even) for rows in self.sides]
        if source_only:
            self.sizes[1:] = [0] * (len(self.sides) - 1)

    def __len__(self):
        return self.n_steps

    def _choose(self, rows, size, rng):
        """Return (n_steps, size) rows: permutations of them, one after the other."""
        if not size:
            return np.empty((self.n_steps, 0), dtype=np.int64)
        # All rows in each step: another order each time, but no row twice in a batch.
        if size == len(rows):
            return np.stack([rng.permutation(rows) for _ in range(self.n_steps)])
        # Whole permutations, so that rows are seen equally often, up to one time.
        n_permutations = math.ceil(self.n_steps * size / len(rows))
        chosen = np.concatenate([rng.permutation(rows) for _ in range(n_permutations)])
        return chosen[: self.n_steps * size].reshape(self.n_steps, size)

    def __iter__(self):
        n_source, n_labeled = self.sizes[0], sum(self.sizes[2:])
        drawn = [
            self._choose(*side) for side in zip(self.sides, self.sizes, self.rngs, strict=True)
        ]
        if self.source_chances is not None:
            shape = self.n_steps, n_source
            drawn[0] = self.rngs[0].choice(self.sides[0], shape, p=self.source_chances)
        rows = torch.from_numpy(np.concatenate(drawn, axis=1)).to(self.X.device)
        # Labels and domains of the whole pass at once, so that a step indexes X only.
        with_label = rows[:, :n_source]
        if n_labeled:
            with_label = torch.cat([with_label, rows[:, -n_labeled:]], dim=1)
        y, domain = self.y[with_label], self.domain[rows]
        weights = [None] * len(rows) if self.weights is None else self.weights[with_label]
        for step_rows, step_y, step_domain, w in zip(rows, y, domain, weights, strict=True):
            X = self.X.index_select(0, step_rows)
            yield Batch(X, step_y, step_domain, step_rows, n_source, n_labeled, w)


class AlignmentLoss(torch.nn.Module):
    """How far apart the domains of a step are: ``forward(source, target)`` of two `DomainBatch`.

    A subclass with parameters writes `check_params`; its constructor takes what that returns. One
    with layers of its own also writes `for_network`, which knows their sizes.

    ``unit`` is the factor of the loss at ``alignment_weight=1``: losses have scales of their own,
    and 1 is to be a sensible weight of each. ``metrics`` are figures of the last step for the
    history. ``smoothing`` is the radius of a sharpness-aware step on the source risk.
    """

    unit = 1.0
    metrics: ClassVar[dict[str, Any]] = {}
    smoothing = 0.0

    @staticmethod
    def check_params(params):
        """Return the parameters of the loss, checked, out of those of the estimator."""
        return {}

    @classmethod
    def for_network(cls, module, n_features, n_outputs, **params):
        """Return the loss for a module with so many learnt features and outputs."""
        return cls(**params)

    def weighted(self, source, target, weight):
        """Return the loss times its weight; adversaries weigh the reversed gradient instead."""
        return weight * self(source, target)

    def on_epoch_begin(self, net, batches):
        """Look at the net and at all rows before an epoch."""

    def before_step(self, source, target):
        """Train what is trained by an optimizer of its own, before the step of the net."""


class StoppedEarly(Exception):
    """Early stopping has ended the training."""


def _has_stopped(named_callback):
    """Return whether this callback is an early stopping that has waited long enough."""
    callback = named_callback[1]
    return isinstance(callback, EarlyStopping) and callback.misses_ == callback.patience


class PairedNet(NeuralNet):
    """A skorch net that is trained on `PairedBatches`.

    Parameters
    ----------
    module, criterion, **kwargs
        As in :class:`skorch.NeuralNet`; the module returns ``(logits, features)``.
    alignment : AlignmentLoss or None
        Its parameters are trained beside those of the module.
    alignment_weight : float
        Weight of the alignment loss; 0 leaves it out.
    alignment_schedule : callable or None
        Factor of the weight as a function of the progress of the training, 0 to 1.
    lr_schedule : callable or None
        Factor of the learning rates as a function of the progress.
    autocast : torch.dtype or None
        Precision of the module's arithmetic; None is that of its weights.
    priors : TargetPriors or None
        The estimate of the target's class proportions that source rows are to follow.
    validation_criterion : callable or None
        Loss of ``(logits, y)`` on held-out rows.
    """

    def __init__(
        self,
        module,
        criterion,
        *,
        alignment=None,
        alignment_weight=0.0,
        alignment_schedule=None,
        lr_schedule=None,
        autocast=None,
        priors=None,
        validation_criterion=None,
        **kwargs,
    ):
        # Before the parent's: afterwards skorch takes any module for a fitted one.
        self.alignment = alignment
        self.alignment_weight = alignment_weight
        self.alignment_schedule = alignment_schedule
        self.lr_schedule = lr_schedule
        self.autocast = autocast
        self.priors = priors
        self.validation_criterion = validation_criterion
        # What changes the source rows of a batch before each step; set for a training.
        self.augmentation = None
        # The tasks of a training that callbacks of scikit-learn watch; set for a training.
        self.tasks = NoTasks()
        # Counted over all fits: a schedule continues in a warm start.
        self.n_steps_ = 0
        self.n_steps_planned_ = 0
        # Of the last step, for callbacks; a stage without labels has no predictions.
        self.metrics_, self.y_pred_ = {}, None
        super().__init__(module, criterion, **kwargs)

    @property
    def _default_callbacks(self):
        # Without skorch's scoring of batches: `_record` writes the losses of an epoch itself.
        return [("epoch_timer", EpochTimer()), ("print_log", PrintLog())]

    def initialize_module(self):
        """Take the module and the alignment loss, which are trained together."""
        super().initialize_module()
        if self.alignment is not None:
            self.alignment_ = self.alignment
        return self

    def get_split_datasets(self, X, y=None, **fit_params):
        """Return what `fit_loop` hands to `get_iterator`: the batches themselves."""
        return X, y

    def get_iterator(self, dataset, training=False):
        """Return the batches, which are their own iterator."""
        return dataset

    def partial_fit(self, X, y=None, classes=None, **fit_params):
        """Train; skorch's own takes an interrupt by the user for the end of the training."""
        self.notify("on_train_begin", X=X, y=y)
        with suppress(StoppedEarly):
            self.fit_loop(X, y, **fit_params)
        self.notify("on_train_end", X=X, y=y)
        return self

    def notify(self, method_name, **cb_kwargs):
        """Call the callbacks; tell skorch's early stopping, which raises too, from an interrupt."""
        if method_name == "on_epoch_begin":
            self.tasks.begin()
        # Before the others, one of which may end the training.
        stops = method_name == "on_epoch_end" and self.tasks.end(self)
        try:
            super().notify(method_name, **cb_kwargs)
        except KeyboardInterrupt:
            if method_name == "on_epoch_end" and any(map(_has_stopped, self.callbacks_)):
                raise StoppedEarly from None
            raise
        if stops:
            raise StoppedEarly

    def progress(self):
        """Return how much of the training is over, from 0 to 1."""
        # More partial fits than planned leave the schedules at their end.
        return min(self.n_steps_ / max(self.n_steps_planned_, 1), 1.0)

    def weight_now(self):
        """Return the factor of the alignment loss at this step."""
        weight = self.alignment_weight * self.alignment_.unit
        if self.alignment_schedule is None:
            return weight
        return weight * self.alignment_schedule(self.progress())

    def initialize_optimizer(self, *args, **kwargs):
        """Make the optimizer and note its learning rates, which the schedule multiplies."""
        super().initialize_optimizer(*args, **kwargs)
        self.first_rates_ = [group["lr"] for group in self.optimizer_.param_groups]
        return self

    def set_rates(self):
        """Set the learning rates of this step."""
        if self.lr_schedule is not None:
            factor = self.lr_schedule(self.progress())
            groups = self.optimizer_.param_groups
            for group, rate in zip(groups, self.first_rates_, strict=True):
                group["lr"] = rate * factor

    def module_outputs(self, batch, side=None, module=None):
        """Return logits and features of a batch; `side` if its rows are not split as it says."""
        module = self.module_ if module is None else module
        with rows_of(batch.n_source if side is None else side):
            if self.autocast is None:
                return module(batch.X)
            with torch.autocast(batch.X.device.type, self.autocast):
                outputs = module(batch.X)
        # Losses in full precision: logarithms and small differences do not bear less.
        return tuple(x.float() for x in outputs)

    def supervised_loss(self, outputs, y, weights):
        """Return the criterion of labeled rows, a mean over them by their weights."""
        if weights is None:
            return self.criterion_(outputs, y)
        # Divided by the number of rows, not by the weights of the batch: batches of heavy rows
        # are to count more than others.
        return (weights * losses_by_row(self.criterion_, outputs, y)).mean()

    def losses(self, batch):
        """Return the criterion on the source rows and the weighted alignment loss, or None."""
        logits, features = self.module_outputs(batch)
        source, target = batch.by_domain(logits, features)
        supervised = self.supervised_loss(source.logits, source.y, source.weights)
        self.metrics_ = self.source_metrics(source)
        self.y_pred_ = source.logits.detach()
        if target is None:
            return supervised, None
        if self.alignment_.smoothing:
            add_smoothed_gradient(self, supervised, batch.source_part(), self.alignment_.smoothing)
            supervised = supervised.detach()  # its gradient has been taken elsewhere
        if batch.n_labeled:
            n = batch.n_labeled
            weights = None if batch.weights is None else batch.weights[-n:]
            of_target = self.supervised_loss(logits[-n:], batch.y[-n:], weights)
            self.metrics_["target_loss"] = of_target.detach()
            supervised = supervised + of_target
        self.alignment_.before_step(source, target)
        return supervised, self.alignment_.weighted(source, target, self.weight_now())

    def source_metrics(self, source):
        """Return the accuracy on the source rows of a step, for classes."""
        self.classifies_ = not source.y.is_floating_point()
        if not self.classifies_:
            return {}
        right = source.logits.detach().argmax(dim=1) == source.y
        return {"source_accuracy": right.float().mean()}

    def train_step_single(self, batch, **fit_params):
        """Compute the gradients of one step. Nothing is read back from the device."""
        self.set_rates()
        self.metrics_ = {}
        if self.augmentation is not None:
            batch = self.augmentation(batch)
        supervised, alignment = self.losses(batch)
        # A second stage may have no labels, a fit without target rows has no alignment.
        if supervised is None or alignment is None:
            loss = supervised if alignment is None else alignment
        else:
            loss = supervised + alignment
        loss.backward()
        self.n_steps_ += 1
        return {
            # Tensors, not numbers: .item() would wait for the device in every step.
            "loss": loss.detach(),
            "source_loss": None if supervised is None else supervised.detach(),
            "alignment_loss": None if alignment is None else alignment.detach(),
            **self.metrics_,
            **({} if alignment is None else self.alignment_.metrics),
        }

    def validation_step(self, batch, **fit_params):
        """Return the label-free or held-out-source criterion of early stopping."""
        with torch.no_grad():
            logits, _ = self.module_outputs(batch)
            self.y_pred_ = logits
            if self.validation_criterion is None:
                return {"loss": self.supervised_loss(logits, batch.y, batch.weights)}
            return {"loss": self.validation_criterion(logits, batch.y)}

    def predict(self, X):
        """Return what a scorer of skorch compares with the labels of the batches."""
        outputs = self.predict_proba(X)
        if self.classifies_:
            return outputs.argmax(axis=1)
        return outputs.squeeze(1) if outputs.shape[1] == 1 else outputs

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """Go once through the batches; read the losses back once, at the end."""
        if iterator is None:
            return
        self._set_training(training)
        if training and self.alignment is not None:
            # It may run the module in evaluation mode, hence the mode is set again.
            self.alignment_.on_epoch_begin(self, iterator)
            self._set_training(training)
            if self.priors is not None:
                self.priors.update(self, iterator)
        listening = self._someone_listens_to_batches()
        steps = []
        for batch in iterator:
            if listening:
                self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch, **fit_params)
            steps.append(step)
            if listening:
                seen = {"batch": batch, "y_pred": self.y_pred_, "training": training}
                self.notify("on_batch_end", **seen, **step)
        self._record(steps, prefix)

    def _someone_listens_to_batches(self):
        return any(
            getattr(type(callback), hook) is not getattr(Callback, hook)
            for _, callback in self.callbacks_
            for hook in ("on_batch_begin", "on_batch_end")
        )

    def _record(self, steps, prefix):
        names = [name for name, value in steps[0].items() if value is not None]
        # One transfer from the device for all losses of the epoch.
        values = torch.stack([torch.stack([step[name] for name in names]) for step in steps])
        means = dict(zip(names, values.mean(dim=0).tolist(), strict=True))
        loss = means.pop("loss")
        # Checked once an epoch; NaN never becomes finite again, so nothing is missed.
        if not math.isfinite(loss):
            raise ValueError(
                f"The {prefix} loss became {loss} in epoch {len(self.history)}: {_DIVERGED}"
            )
        # The last entry of the history is the epoch that is being recorded.
        former = [epoch[f"{prefix}_loss"] for epoch in self.history[:-1]]
        if prefix == "train":
            self.history.new_batch()  # skorch's checkpoints want one to be there
        self.history.record(f"{prefix}_loss", loss)
        self.history.record(f"{prefix}_loss_best", loss < min(former, default=math.inf))
        self.history.record(f"{prefix}_batch_count", len(steps))
        # With one part only it would repeat the loss.
        parts = [name for name in means if name in ("source_loss", "alignment_loss")]
        for name, value in means.items():
            if name not in parts or len(parts) > 1:
                self.history.record(name, value)


def train_on(net, rows, *, batch_size, rng, max_epochs, min_steps, chunk=False, held_out=None):
    """Train a net on rows; a chunk is one epoch of those planned.

    With `max_epochs` None there are `_EPOCHS`, or as many as `min_steps` take if that is more.
    """
    batches = PairedBatches(
        *rows, batch_size=batch_size, rng=rng, source_only=net.alignment is None
    )
    if sum(batches.sizes) == 1 and has_batch_norm(net.module_):
        raise ValueError(
            "Batch normalization needs at least 2 rows a step to learn from; got 1 sample. "
            "Raise batch_size, pass more rows, or use a module without it."
        )
    if max_epochs is None:
        max_epochs = max(_EPOCHS, math.ceil(min_steps / len(batches)))
    train_batches(net, batches, max_epochs=max_epochs, chunk=chunk, held_out=held_out)


def train_batches(net, batches, *, max_epochs, chunk=False, held_out=None):
    """Go through the batches `max_epochs` times, or once if they are a chunk of those planned."""
    # A schedule goes on where the last fit ended, but runs once over all planned partial fits.
    done = 0 if chunk else net.n_steps_
    net.n_steps_planned_ = done + len(batches) * max_epochs
    net.max_epochs = 1 if chunk else max_epochs
    with net.tasks.training(net.max_epochs):
        net.partial_fit(batches, held_out)
    # Dropout and batch statistics must not act in predictions.
    net.module_.eval()
    # An adversary's loss stays finite while its reversed gradient, times the weight, does not.
    if not all(value.isfinite().all() for value in net.module_.state_dict().values()):
        raise ValueError(f"The weights of the network became infinite or NaN: {_DIVERGED}")


def hold_out(rows, side, sides, fraction, rng):
    """Split off the rows of one side that early stopping monitors, as one batch.

    All `sides` give up the same fraction, so that their ratio in the training stays.
    """
    kept, held = {}, {}
    for name in sides:
        members = getattr(rows, name)
        shuffled = rng.permutation(members)
        # Rounded up, so that a small fraction of few rows holds out one.
        n_held = int(np.ceil(fraction * len(members)))
        if len(members) - n_held < 1:
            n_held = 0  # a single row is trained on
        held[name], kept[name] = shuffled[:n_held], shuffled[n_held:]
    if not len(held[side]):
        raise ValueError(
            f"early_stopping={side!r} needs at least two rows of that side "
            "(without sample_domain there are no target rows). Use early_stopping=None or "
            "'source'."
        )
    i = torch.as_tensor(held[side], device=rows.X.device)
    n_source = len(i) if side == "source" else 0
    weights = None if rows.weights is None else rows.weights[i]
    batch = Batch(rows.X[i], rows.y[i], rows.domain[i], i, n_source, weights=weights)
    return rows._replace(**kept), batch


def domain_codes(ids):
    """Return the position of each id among the sorted ids of its side."""
    codes = np.zeros(len(ids), dtype=np.int64)
    for side in (ids >= 0, ids < 0):
        codes[side] = np.unique(ids[side], return_inverse=True)[1]
    return codes


@contextmanager
def seeded(rng, device):
    """Seed torch from a NumPy random state for a block; the global state comes back at its end.

    One block runs at a time: the generator is that of the whole process.
    """
    # Listed, since fork_rng would save the generators of all GPUs.
    devices = [device] if device.type == "cuda" else []
    with _GENERATOR_LOCK, torch.random.fork_rng(devices=devices):
        torch.manual_seed(int(rng.randint(2**31 - 1)))
        yield
