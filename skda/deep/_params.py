"""Rules for the parameters that all deep estimators share, one function per rule."""

import inspect
from numbers import Integral

import torch
from skorch.callbacks import Callback

from .._core._param_checks import check_bool, check_integer, check_option, check_real
from ._input_scaling import INPUT_SCALINGS
from ._schedules import LR_SCHEDULES

# What the network, torch and skorch get, beside the parameters of each estimator.
NET_PARAMS = ("criterion", "compile", "augmenters", "pretrain")
NET_PREFIXES = (
    "module__",
    "optimizer__",
    "criterion__",
    "callbacks__",
    "compile__",
    "pretrain__",
)

# Of these, what skorch does not know: the module is built before the net, and rows are changed and
# the module is pre-trained by the estimator.
_NOT_OF_SKORCH = ("module__", "augmenters", "pretrain")

SCHEDULES = ("constant", "sigmoid")
PRECISIONS = {"float32": None, "bf16": torch.bfloat16}

# By kind of optimizer. Adam divides each gradient by its size, so that its steps need no more.
_SGD_LR, _OTHER_LR = 0.03, 1e-3
_SGD_MOMENTUM = 0.9


def is_net_param(name):
    """Return whether a parameter is one of the network, the optimizer or the training loop."""
    return name in NET_PARAMS or name.startswith(NET_PREFIXES)


def skorch_params(net_params):
    """Return those parameters of the network that skorch's net takes."""
    return {n: v for n, v in net_params.items() if not n.startswith(_NOT_OF_SKORCH)}


def check_net_params(estimator_name, net_params):
    """Raise if there is a parameter that neither the estimator nor its network takes."""
    # TypeError, as Python raises for a misspelled argument.
    unknown = sorted(name for name in net_params if not is_net_param(name))
    if unknown:
        raise TypeError(
            f"{estimator_name} got unexpected arguments {unknown}. Beside the parameters in its "
            f"docstring it takes {list(NET_PARAMS)} and what begins with {list(NET_PREFIXES)}."
        )


def check_training_params(params, criteria):
    """Raise unless the parameters of the training follow their rules.

    Parameters
    ----------
    params : dict
        Parameters of the estimator by name.
    criteria : list of str
        What ``early_stopping`` may name.
    """
    hint = "None takes 0.03 with SGD and 1e-3 with other optimizers."
    check_real("lr", params["lr"], low=0, none=True, hint=hint)
    check_option("lr_schedule", params["lr_schedule"], list(LR_SCHEDULES))
    check_integer("max_epochs", params["max_epochs"], none=True)
    check_integer("min_steps", params["min_steps"], low=0)
    for name in ("batch_size", "patience"):
        check_integer(name, params[name])
    check_batch_norm(params["batch_norm"])
    check_option("input_scaling", params["input_scaling"], [None, *INPUT_SCALINGS])
    check_option("precision", params["precision"], list(PRECISIONS))
    check_optimizer(params["optimizer"])
    check_option("early_stopping", params["early_stopping"], [None, *criteria])
    check_real(
        "validation_fraction", params["validation_fraction"], low=0, high=1, closed="neither"
    )
    check_callbacks(params["callbacks"])
    check_bool("warm_start", params["warm_start"])
    if not isinstance(params["verbose"], bool):  # skorch users write verbose=True
        check_integer("verbose", params["verbose"], low=0)


def check_batch_norm(batch_norm):
    """Raise unless this says how batch normalization takes its statistics."""
    # By identity: 0 is equal to False.
    if batch_norm is not False and not (
        isinstance(batch_norm, str) and batch_norm in ("domain", "joint")
    ):
        raise ValueError(f"batch_norm must be 'domain', 'joint' or False; got {batch_norm!r}.")


def check_alignment_params(params):
    """Raise unless weight and schedule of the alignment follow their rules."""
    check_real(
        "alignment_weight", params["alignment_weight"], low=0, hint="0 is the source-only network."
    )
    schedule = params["alignment_schedule"]
    if not callable(schedule) and not (isinstance(schedule, str) and schedule in SCHEDULES):
        raise ValueError(
            f"alignment_schedule must be one of {list(SCHEDULES)} or a callable; got {schedule!r}. "
            "A callable gets the progress of the training, from 0 to 1."
        )


def check_adaptation_params(params):
    """Raise unless epochs and learning rate of a second stage follow their rules."""
    check_integer(
        "adaptation_epochs",
        params["adaptation_epochs"],
        low=0,
        hint="0 leaves the source network as it is.",
    )
    check_real("adaptation_lr", params["adaptation_lr"], low=0)


def check_optimizer(optimizer):
    """Raise unless this is an optimizer class, or a callable that makes an optimizer."""
    # Functions that make an optimizer pass, for example a partial of a class.
    is_other_class = inspect.isclass(optimizer) and not issubclass(optimizer, torch.optim.Optimizer)
    if is_other_class or not callable(optimizer):
        raise ValueError(
            f"optimizer must be an optimizer class of torch; got {optimizer!r}. Pass the class, "
            "for example optimizer=torch.optim.Adam, and its arguments as optimizer__..."
        )


def optimizer_settings(optimizer, lr):
    """Return learning rate and momentum: of SGD as in the papers, of others as is usual."""
    is_sgd = optimizer is torch.optim.SGD
    rate = lr if lr is not None else _SGD_LR if is_sgd else _OTHER_LR
    return {"lr": rate} | ({"optimizer__momentum": _SGD_MOMENTUM} if is_sgd else {})


def check_callbacks(callbacks):
    """Raise unless this is None or a list of skorch callbacks, each with or without a name."""
    listed = [] if callbacks is None else callbacks
    good = isinstance(listed, list | tuple)
    if not good or not all(_is_callback(callback) for callback in listed):
        raise ValueError(
            "callbacks must be a list of skorch callbacks, or of pairs (name, callback), or None; "
            f"got {callbacks!r}. For example callbacks=[skorch.callbacks.ProgressBar()]."
        )


def _is_callback(callback):
    if isinstance(callback, tuple) and len(callback) == 2 and isinstance(callback[0], str):
        callback = callback[1]
    if inspect.isclass(callback):
        return issubclass(callback, Callback)
    return isinstance(callback, Callback)


def check_widths(name, widths, *, hint=""):
    """Return widths of hidden layers as a tuple: one positive integer, or several or none."""
    values = widths.tolist() if hasattr(widths, "tolist") else widths  # NumPy's own types
    listed = values if isinstance(values, list | tuple) else (values,)
    for width in listed:
        if not isinstance(width, Integral) or isinstance(width, bool) or width < 1:
            raise ValueError(
                f"{name} must be an integer of at least 1 or a tuple of such integers; got "
                f"{widths!r}.{hint and ' ' + hint}"
            )
    return tuple(int(width) for width in listed)
