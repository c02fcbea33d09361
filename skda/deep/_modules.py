"""The networks: a default for feature vectors, small perceptrons, the reversal of gradients."""

import copy
import inspect
import math

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from .._core._param_checks import check_bool, check_real
from ._params import check_widths

_FUSED_ON = ("cpu", "cuda")  # devices on which torch has optimizers of one kernel

# Widths of the default network: wide enough for few features, bounded for many.
_MIN_WIDTH, _MAX_WIDTH = 64, 512


class MLP(nn.Module):
    """Map feature vectors to ``(logits, features)`` by fully connected layers.

    Parameters
    ----------
    n_features : int
        Width of the input.
    n_outputs : int
        Number of classes, or 1 for regression.
    hidden : int or tuple of int, default=None
        Widths of the hidden layers; the last one gives the features that are aligned. None
        takes two layers: the power of two at or above `n_features`, kept within 64 and 512,
        and half of it.
    dropout : float, default=0.0
        Fraction of the hidden units that are dropped at each step of the training.
    batch_norm : bool, default=False
        Whether to normalize each hidden layer over the batch.

    Attributes
    ----------
    extractor : nn.Sequential
        From the input to the features.
    head : nn.Linear
        From the features to the logits.

    Examples
    --------
    >>> import torch
    >>> from skda.deep import MLP
    >>> logits, features = MLP(20, 3)(torch.zeros(5, 20))
    >>> logits.shape, features.shape
    (torch.Size([5, 3]), torch.Size([5, 32]))
    """

    def __init__(self, n_features, n_outputs, hidden=None, dropout=0.0, batch_norm=False):
        super().__init__()
        if hidden is None:
            power = 2 ** math.ceil(math.log2(n_features))
            width = min(max(power, _MIN_WIDTH), _MAX_WIDTH)
            hidden = (width, width // 2)
        hidden = check_widths("hidden", hidden, hint="For example module__hidden=(64, 32).")
        check_real("dropout", dropout, low=0, high=1, closed="left")
        check_bool("batch_norm", batch_norm)
        layers = []
        for n_in, n_out in zip((n_features, *hidden), hidden, strict=False):
            layers.append(nn.Linear(n_in, n_out))
            if batch_norm:
                layers.append(nn.BatchNorm1d(n_out))
            layers.append(nn.ReLU())
            if dropout:
                layers.append(nn.Dropout(dropout))
        self.extractor = nn.Sequential(*layers)
        self.head = nn.Linear(hidden[-1] if hidden else n_features, n_outputs)

    def forward(self, X):
        """Return the logits and the features of each row."""
        features = self.extractor(X)
        return self.head(features), features


def build_module(module, *, n_features, n_outputs, options):
    """Return a fresh module for these data.

    A class is built with `options` and, where it takes parameters of these names, with
    ``n_features`` and ``n_outputs``. An instance is copied.
    """
    if isinstance(module, nn.Module):
        if options:
            raise ValueError(
                f"module is an instance of {type(module).__name__}, so the parameters "
                f"{sorted('module__' + name for name in options)} cannot be set. Pass the class."
            )
        return copy.deepcopy(module)
    module = MLP if module is None else module
    if not inspect.isclass(module) and not callable(module):
        raise ValueError(
            "module must be a class of torch.nn.Module, an instance of one, or None; got "
            f"{module!r}. None takes skda.deep.MLP."
        )
    takes = inspect.signature(module).parameters
    sizes = {"n_features": n_features, "n_outputs": n_outputs}
    return module(**{name: size for name, size in sizes.items() if name in takes}, **options)


def check_module(module, X, n_outputs):
    """Return the width of the features, or raise if the module returns something else."""
    training = module.training
    module.eval()  # batch normalization refuses to train on a single row
    with torch.no_grad():
        returned = module(X[:2])
    module.train(training)
    want = f"(logits of shape (n, {n_outputs}), features of shape (n, n_features_out))"
    if not (
        isinstance(returned, tuple | list)
        and len(returned) == 2
        and all(isinstance(part, torch.Tensor) for part in returned)
    ):
        came = type(returned).__name__
        if isinstance(returned, tuple | list):
            came += " of " + ", ".join(type(part).__name__ for part in returned)
        raise ValueError(f"module must return {want}; got {came}. Return both from forward.")
    logits, features = returned
    n = X[:2].shape[0]
    if tuple(logits.shape) != (n, n_outputs) or features.ndim != 2 or features.shape[0] != n:
        raise ValueError(
            f"module must return {want}; got shapes {tuple(logits.shape)} and "
            f"{tuple(features.shape)} for {n} rows. Size its last layer with the constructor "
            "argument n_outputs, and flatten the features."
        )
    return features.shape[1]


def has_batch_norm(module):
    """Return whether a module has a layer of batch normalization."""
    return any(isinstance(layer, _BatchNorm) for layer in module.modules())


def can_fuse(module):
    """Return whether one kernel can update all weights: by their kind and their device."""
    return all(p.is_floating_point() and p.device.type in _FUSED_ON for p in module.parameters())


def head_parameters(module, X):
    """Return the names of the parameters on which the logits depend but the features do not."""
    # Only these have gradients to ask for.
    named = {name: p for name, p in module.named_parameters() if p.requires_grad}
    training = module.training
    module.eval()
    _, features = module(X[:2])
    module.train(training)
    # No gradient means no path from the parameter to the features.
    gradients = torch.autograd.grad(features.sum(), list(named.values()), allow_unused=True)
    return [name for name, g in zip(named, gradients, strict=True) if g is None]


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight):
        ctx.weight = weight
        # A view: autograd would skip a function that returns its input itself.
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        return gradient * -ctx.weight, None


def reverse_gradient(x, weight=1.0):
    """Return x; on the way back its gradient is multiplied by ``-weight`` (Ganin 2016)."""
    return _Reverse.apply(x, weight)


def mlp(n_in, hidden, n_out=1):
    """Return a multilayer perceptron with these widths between input and output."""
    layers = []
    for a, b in zip((n_in, *hidden), hidden, strict=False):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(hidden[-1] if hidden else n_in, n_out))


def frozen_call(module, *inputs):
    """Return ``module(*inputs)`` with gradients for the inputs but not for its parameters."""
    # Detached: the gradient passes through the module to its inputs and stops at the weights.
    parameters = {name: p.detach() for name, p in module.named_parameters()}
    return torch.func.functional_call(module, parameters, inputs)
