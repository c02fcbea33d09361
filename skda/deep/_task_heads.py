"""One head for each domain on a shared trunk, and how the losses of the tasks are weighed."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from .._core._labels import as_labels
from .._core._meta_estimator import check_row_weights
from .._core._sample_domain import check_both_sides, tasks_of_rows
from ._base import BaseDeep
from ._base_tasks import RegressionTask, _real_values
from ._row_weights import losses_by_value, scaled_weights
from ._training import DomainBatch, PairedNet

TASK_WEIGHTINGS = ("uncertainty", "equal")
# Logarithm of the least variance of a task, in units of the variance of y: without a bound a task
# that is fitted exactly would get all the weight.
_LEAST_LOG_VARIANCE = -5.0


def head_outputs(outputs, places, n_outputs):
    """Return the outputs of each row by its own head.

    Parameters
    ----------
    outputs : tensor of shape (n, (1 + n_heads) * n_outputs)
        What the module returns: a block that all tasks share, then one for each.
    places : tensor of int of shape (n,)
        Task of each row; -1 takes the mean of all heads.
    n_outputs : int

    Returns
    -------
    outputs : tensor of shape (n, n_outputs)
    """
    blocks = outputs.unflatten(1, (-1, n_outputs))
    shared, own = blocks[:, 0], blocks[:, 1:]
    if not own.shape[1]:  # a single task has no head beside the shared one
        return shared
    at = places.clamp(min=0)[:, None, None].expand(-1, 1, n_outputs)
    chosen = own.gather(1, at)[:, 0]
    return shared + torch.where((places < 0)[:, None], own.mean(dim=1), chosen)


def weighted_task_loss(losses, known, weights, log_variance=None, *, halved):
    """Return the mean loss over known labels, by the weights of tasks and rows.

    Parameters
    ----------
    losses : tensor of shape (n,) or (n, n_columns)
        Loss of each label; anything finite where there is none.
    known : tensor of bool of the same shape
        Where there is a label.
    weights : tensor of shape (n,) or None
        How much the labels of each row count.
    log_variance : tensor of the shape of `losses`, default=None
        Logarithm of the variance of the task of each label. None: all tasks count alike.
    halved : bool
        Whether the logarithm counts half, as for classes (Kendall 2018).
    """
    if log_variance is not None:
        s = log_variance.clamp(min=_LEAST_LOG_VARIANCE)
        losses = torch.exp(-s) * losses + (0.5 * s if halved else s)
    losses = torch.where(known, losses, 0.0)
    if weights is not None:
        losses = losses * (weights if losses.ndim == 1 else weights[:, None])
    return losses.sum() / known.sum().clamp(min=1)


class MultiTaskNet(PairedNet):
    """A net in which each row is predicted by the head of its domain.

    Parameters
    ----------
    module, criterion, **kwargs
        As in `PairedNet`. With a parameter ``task_log_variance`` of the module tasks are weighed
        by it.
    n_outputs : int
        Outputs of a head.
    """

    def __init__(self, module, criterion, *, n_outputs=1, **kwargs):
        self.n_outputs = n_outputs
        super().__init__(module, criterion, **kwargs)

    def losses(self, batch):
        """Return the loss of the heads; there is no alignment."""
        outputs, features = self.module_outputs(batch)
        own = head_outputs(outputs, batch.domain, self.n_outputs)
        self.metrics_ = self.source_metrics(DomainBatch(features, own, batch.y))
        self.y_pred_ = own.detach()
        return self.task_loss(own, batch), None

    def task_loss(self, own, batch):
        """Return the loss of the labels of a batch."""
        y, classifies = batch.y, not batch.y.is_floating_point()
        known = torch.ones_like(y, dtype=torch.bool) if classifies else ~torch.isnan(y)
        if not classifies:
            # In place of what is missing something finite, since zero times NaN is NaN.
            y = torch.where(known, y, 0.0)
        losses = losses_by_value(self.criterion_, own, y)
        log_variance = getattr(self.module_, "task_log_variance", None)
        if log_variance is not None:
            log_variance = log_variance[batch.domain.clamp(min=0)]
        return weighted_task_loss(losses, known, batch.weights, log_variance, halved=classifies)

    def validation_step(self, batch, **fit_params):
        """Return the loss of held-out rows."""
        with torch.no_grad():
            outputs, _ = self.module_outputs(batch)
            self.y_pred_ = head_outputs(outputs, batch.domain, self.n_outputs)
            return {"loss": self.task_loss(self.y_pred_, batch)}


class MultiTaskRegressionTask(RegressionTask):
    """Values of all domains, standardized together; NaN where one of several is missing."""

    @classmethod
    def learn(cls, estimator, data, classes=None, weights=None):
        """Return the task for mean and scale of the known values, column by column."""
        y = _real_values(data.y[data.labeled])
        w = None if weights is None else weights[data.labeled]
        found = []
        for i, column in enumerate(y.reshape(len(y), -1).T):
            known = ~np.isnan(column)
            if not known.any():
                raise ValueError(
                    f"y has no value in column {i}: nothing can be learnt for it. Leave it out."
                )
            rows = SimpleNamespace(y=column[known], source=np.arange(known.sum()))
            own = None if w is None or not w[known].any() else w[known]
            found.append(RegressionTask.learn(estimator, rows, weights=own))
        mean, scale = ([getattr(one, n) for one in found] for n in ("y_mean_", "y_scale_"))
        if y.ndim == 1:
            return cls(mean[0], scale[0])
        return cls(np.array(mean), np.array(scale))

    def encode(self, estimator, data):
        """Return standardized values, NaN where one is missing."""
        y = np.full(data.y.shape, np.nan)
        y[data.labeled] = _real_values(data.y[data.labeled])
        missing = np.isnan(y)
        filled = np.where(missing, self.y_mean_, y)
        encoded = super().encode(estimator, SimpleNamespace(y=filled, labeled=data.labeled))
        encoded[missing] = np.nan
        return encoded


def columns_of(y):
    """Return a table of numbers as floats, and which are known; None if y is no table."""
    y = as_labels(y)
    if y is None or y.ndim != 2:
        return None
    # As floats: in a table of objects None is a missing number, too.
    values = y.astype(np.complex128 if y.dtype.kind == "c" else np.float64)
    return values, ~np.isnan(values)


# What a classifier and a regressor with one head for each domain do in the place of BaseDeep.


def labeled_data(self, X, y, sample_domain, *, reset, chunk):
    """Return the checked rows; sources alone are enough, and a table may have gaps in every row."""
    table = columns_of(y) if self._task_class is MultiTaskRegressionTask else None
    if table is not None:
        values, known = table
        y = np.where(known, values, 0.0)
    data = BaseDeep._data(self, X, y, sample_domain, reset=reset, chunk=chunk)
    if not len(data.source):
        check_both_sides(data.ids)
    if table is None:
        return data
    return replace(data, y=values, labeled=known.any(axis=1))


def encode_labels(self, data, *, known=False, classes=None, weights=None):
    """Return labels as the network's targets, after learning which domains have some."""
    y = BaseDeep._encode(self, data, known=known, classes=classes, weights=weights)
    used = data.labeled if weights is None else data.labeled & (weights > 0)
    domains = [] if self._fit_domains is None else np.unique(data.ids[used]).tolist()
    if not known:
        self.domains_ = domains
    elif set(domains) - set(self.domains_):
        raise ValueError(
            f"sample_domain has labeled rows of {sorted(set(domains) - set(self.domains_))}, for "
            f"which the net has no head; it has heads for {self.domains_}. Fit again with rows of "
            "all domains."
        )
    return y


def weights_of_labels(self, sample_weight, data):
    """Return how much the label of each row counts, or None where all count alike."""
    weights = check_row_weights(sample_weight, len(data.ids))
    if sample_weight is None:
        return None
    # Tasks are all of one kind: their rows are scaled together and not by side.
    return scaled_weights(weights, {"labeled rows": np.flatnonzero(data.labeled)})


def train_heads(self, data, rows, augmentation, *, fresh, chunk):
    """Train on the labeled rows of all domains, each by its head."""
    places = tasks_of_rows(self, data.ids, self.domains_, stated=True)
    rows = rows._replace(
        source=np.flatnonzero(data.labeled),
        target=np.empty(0, dtype=np.int64),
        domain=torch.as_tensor(places, device=rows.X.device),
    )
    BaseDeep._train_net(self, data, rows, augmentation, fresh=fresh, chunk=chunk)


def outputs_of_heads(self, X, sample_domain, method):
    """Return the outputs of each row by its head, the features, and the checked rows."""
    (outputs, features), data = BaseDeep._outputs(self, X, sample_domain, method)
    places = tasks_of_rows(self, data.ids, self.domains_, stated=sample_domain is not None)
    places = torch.as_tensor(places, device=outputs.device)
    return (head_outputs(outputs, places, self._task.n_outputs), features), data


def number_of_outputs(self):
    """Return the number of outputs of the module: of the shared head and of each domain's."""
    n_own = len(self.domains_) if len(self.domains_) > 1 else 0
    return (1 + n_own) * self._task.n_outputs


def module_with_variances(self, X):
    """Return a fresh module, with the logarithm of the variance of each task to be learnt."""
    module = BaseDeep._make_module(self, X)
    if self.task_weighting == "uncertainty":
        shape = [max(len(self.domains_), 1)]
        # The columns of a table are tasks, too.
        shape += [len(self.y_mean_)] if np.ndim(getattr(self, "y_mean_", 0.0)) else []
        zeros = torch.zeros(shape, device=X.device, dtype=X.dtype)
        module.register_parameter("task_log_variance", torch.nn.Parameter(zeros))
    return module


def net_with_heads(self, module, alignment, device, **options):
    """Return the skorch net around a module."""
    options = {"n_outputs": self._task.n_outputs} | options
    return BaseDeep._wrap(self, module, alignment, device, **options)


def plain_state(self):
    """Return the fitted attributes beside the networks, the domains with heads included."""
    return BaseDeep._plain_state(self) | {"domains_": self.domains_}


def task_weights(self: Any) -> Any:
    """Return the weights of the tasks."""
    log_variance = getattr(self.net_.module_, "task_log_variance", None)
    if log_variance is None:
        shape = [max(len(self.domains_), 1)]
        shape += [len(self.y_mean_)] if np.ndim(getattr(self, "y_mean_", 0.0)) else []
        return np.ones(shape)
    return np.exp(-np.maximum(log_variance.detach().cpu().numpy(), _LEAST_LOG_VARIANCE))
