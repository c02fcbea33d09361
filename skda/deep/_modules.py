"""The networks: a default for feature vectors, small perceptrons, the reversal of gradients."""

import copy
import inspect
import math

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from .._core._param_checks import check_bool, check_real
from ._params import check_widths
from ._tabular import RealMLP, ResNet

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


NAMED = {"mlp": MLP, "resnet": ResNet, "realmlp": RealMLP}


class FeaturesOfSequential(nn.Module):
    """A plain sequence of layers, whose features are the input of its last linear layer."""

    def __init__(self, sequence):
        super().__init__()
        layers = list(_layers(sequence))
        linear = [i for i, layer in enumerate(layers) if isinstance(layer, nn.Linear)]
        if not linear:
            raise ValueError(
                "module is a Sequential without a Linear layer, whose input would be the features; "
                f"got {sequence!r}. End it with nn.Linear(width, n_outputs)."
            )
        self.body = nn.Sequential(*layers[: linear[-1]])
        self.head = nn.Sequential(*layers[linear[-1] :])

    def forward(self, X):
        """Return the logits and the features of each row."""
        features = self.body(X)
        return self.head(features), features


def _layers(sequence):
    """Yield the layers of a sequence, those of sequences inside it one by one."""
    for layer in sequence:
        if type(layer) is nn.Sequential:
            yield from _layers(layer)
        else:
            yield layer


def find_module(module):
    """Return the class, callable or instance that the parameter `module` stands for."""
    if module is None:
        return MLP
    if isinstance(module, str) and module in NAMED:
        return NAMED[module]
    if not isinstance(module, nn.Module) and not callable(module):
        raise ValueError(
            f"module must be one of {list(NAMED)}, a class of torch.nn.Module, an instance of one, "
            f"or None; got {module!r}. None takes skda.deep.MLP."
        )
    return module


def reads_tables(module):
    """Return whether a module takes missing values and codes of categories.

    It is one whose constructor asks for the number of categories of each column.
    """
    if isinstance(module, str | None):
        module = NAMED.get(module, MLP)
    kind = type(module) if isinstance(module, nn.Module) else module
    return callable(kind) and "cardinalities" in _arguments(kind)


def _arguments(module):
    """Return the arguments of a class or callable, none where Python cannot say."""
    try:
        return inspect.signature(module).parameters
    except (TypeError, ValueError):
        return {}


def build_module(module, *, n_features, n_outputs, options, usual=None, cardinalities=None):
    """Return a fresh module for these data.

    A class is built with `options` and, where it takes parameters of these names, with
    ``n_features``, ``n_outputs``, ``cardinalities`` and what is `usual` for a method. An instance
    is copied.
    """
    module = find_module(module)
    if isinstance(module, nn.Module):
        if options:
            raise ValueError(
                f"module is an instance of {type(module).__name__}, so the parameters "
                f"{sorted('module__' + name for name in options)} cannot be set. Pass the class."
            )
        built = copy.deepcopy(module)
        _check_cardinalities(built, cardinalities)
    else:
        takes = _arguments(module)
        given = {"n_features": n_features, "n_outputs": n_outputs, "cardinalities": cardinalities}
        given |= usual or {}
        built = module(**{k: v for k, v in given.items() if k in takes} | options)
    return FeaturesOfSequential(built) if isinstance(built, nn.Sequential) else built


def _check_cardinalities(module, cardinalities):
    """Raise if an instance was built for other categorical columns than those of the data."""
    if not reads_tables(module):
        return
    built_for = tuple(getattr(module, "cardinalities", None) or (0,) * len(cardinalities))
    if built_for != tuple(cardinalities):
        raise ValueError(
            f"module is an instance of {type(module).__name__} for columns of {built_for} "
            f"categories (0: numbers); X has {tuple(cardinalities)}. Pass the class, which is "
            "built for the data."
        )


def check_module(module, X, n_outputs):
    """Return the width of the features, or raise if the module returns something else."""
    training = module.training
    module.eval()  # batch normalization refuses to train on a single row
    try:
        with torch.no_grad():
            returned = module(X[:2])
    except RuntimeError as error:
        if "shapes cannot be multiplied" not in str(error):
            raise
        raise ValueError(
            f"module cannot take rows of {X.shape[1]} features: {error}. Size its first layer with "
            "the constructor argument n_features."
        ) from error
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
