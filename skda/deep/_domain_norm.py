"""Batch normalization with statistics for each side: source and target (Chang 2019, Li 2016).

One pass of the network takes the source rows and the target rows of a step together. The layers
here normalize each part by its own means and variances; the affine map after it is shared.
"""

import copy
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch.nn.functional import batch_norm
from torch.nn.modules.batchnorm import _BatchNorm

# Which rows a network is given now: "source", "target", or the number of source rows, after which
# the target rows come. A context variable and no attribute of the layers, because several threads
# may predict with one network. Rows of no known side are the target's, as in ``predict``.
_SIDE = ContextVar("side", default="target")

_ROWS = 8192  # rows of a pass that renews statistics; more rows are averaged over passes


@contextmanager
def rows_of(side):
    """Say for a block which rows the network is given: a side, or the number of source rows."""
    token = _SIDE.set(side)
    try:
        yield
    finally:
        _SIDE.reset(token)


class DomainBatchNorm(_BatchNorm):
    """A layer of batch normalization with statistics for each side and one affine map.

    The source's statistics have the names of the plain layer, so that weights of a network
    that was trained without target rows fit.
    """

    def __init__(self, layer):
        super().__init__(
            layer.num_features,
            layer.eps,
            layer.momentum,
            layer.affine,
            track_running_stats=layer.track_running_stats,
        )
        if layer.affine:
            self.weight, self.bias = layer.weight, layer.bias
        # Before any target row was seen they are the source's.
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            value = getattr(layer, name)
            setattr(self, name, value)
            self.register_buffer(f"target_{name}", None if value is None else value.clone())

    def reset_running_stats(self):
        """Forget the statistics of both sides."""
        super().reset_running_stats()
        if getattr(self, "target_running_mean", None) is not None:
            self.target_running_mean.zero_()
            self.target_running_var.fill_(1.0)
            self.target_num_batches_tracked.zero_()

    def _check_input_dim(self, input):
        """Accept what the layer in whose place this one stands accepts."""

    def _statistics(self, side):
        prefix = "target_" if side == "target" else ""
        names = ("running_mean", "running_var", "num_batches_tracked")
        return [getattr(self, prefix + name) for name in names]

    def _normalized(self, x, side):
        mean, var, n_batches = self._statistics(side)
        momentum = self.momentum
        if self.training and n_batches is not None:
            n_batches.add_(1)
            if momentum is None:  # a plain average over the batches
                momentum = 1.0 / float(n_batches)
        elif mean is not None and side == "target" and not n_batches:
            # A network that never saw a target row: see the class.
            mean, var, _ = self._statistics("source")
        by_batch = self.training or mean is None
        return batch_norm(x, mean, var, self.weight, self.bias, by_batch, momentum or 0.0, self.eps)

    def forward(self, x):
        """Return the rows, each side normalized on its own."""
        side = _SIDE.get()
        if isinstance(side, str):
            return self._normalized(x, side)
        n = side
        if n in (0, x.shape[0]):
            return self._normalized(x, "source" if n else "target")
        if self.training and min(n, x.shape[0] - n) < 2:
            # A single row has no variance, so both sides are normalized together.
            self._normalized(x.detach(), "target")
            return self._normalized(x, "source")
        parts = self._normalized(x[:n], "source"), self._normalized(x[n:], "target")
        return torch.cat(parts)


def with_domain_norms(module):
    """Return the module with each layer of batch normalization replaced, in place."""
    if type(module) is not DomainBatchNorm and isinstance(module, _BatchNorm):
        return DomainBatchNorm(module).train(module.training)
    for name, child in list(module.named_children()):
        new = with_domain_norms(child)
        if new is not child:
            setattr(module, name, new)
    return module


def renew_statistics(module, X):
    """Return a copy of a module whose batch normalization has the means and variances of X."""
    module = copy.deepcopy(module).eval()
    layers = [layer for layer in module.modules() if isinstance(layer, _BatchNorm)]
    if not layers:
        raise ValueError(
            f"AdaBN needs a module with batch normalization; {type(module).__name__} has none. "
            "Add BatchNorm layers, or use module=None."
        )
    if len(X) < 2:
        raise ValueError("AdaBN needs at least 2 target rows for their variance; got 1.")
    # Put back at the end: a training that goes on needs the user's own.
    momenta = [layer.momentum for layer in layers]
    for layer in layers:  # these alone in training mode: dropout stays off
        layer.reset_running_stats()
        layer.momentum = None  # plain average over the passes
        layer.train()
    with torch.no_grad():
        # Parts of near equal size: a last one of a single row would have no variance.
        for rows in torch.tensor_split(X, -(-len(X) // _ROWS)):
            module(rows)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    return module.eval()


def merged_statistics(old, new, *, n_old, n_new, forgetting_factor=1.0):
    """Return a copy of a module with the statistics of its rows and of those of another.

    Parameters
    ----------
    old, new : torch.nn.Module
        Of the same layers, each with the statistics of rows of its own.
    n_old, n_new : float
        Weights of these rows, in rows.
    forgetting_factor : float, default=1.0
        Factor of the weight of the old rows.
    """
    merged = copy.deepcopy(old)
    states = merged.state_dict(), new.state_dict()
    kept = forgetting_factor * n_old
    for name, mean in states[0].items():
        if not name.endswith("running_mean"):
            continue
        spread = name.removesuffix("mean") + "var"
        step = states[1][name] - mean
        # Variances are kept with one row less than there are, as torch has them.
        squares = states[0][spread] * (forgetting_factor * (n_old - 1))
        squares = squares + states[1][spread] * (n_new - 1)
        squares = squares + step**2 * (kept * n_new / (kept + n_new))
        mean.add_(step * (n_new / (kept + n_new)))
        states[0][spread].copy_(squares / (kept + n_new - 1))
    return merged


def has_domain_norms(module):
    """Return whether a module has layers with statistics for each side."""
    return any(isinstance(layer, DomainBatchNorm) for layer in module.modules())
