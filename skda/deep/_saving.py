"""What was learnt as plain values and arrays, in which no code can hide."""

from __future__ import annotations

import copy
import copyreg
import inspect
from collections.abc import Callable
from typing import Self

import numpy as np
import torch
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from .._core._typing import PathOrFile
from .._core._validation import forget_fit
from ._domain_norm import with_domain_norms
from ._training import seeded

# Key of the networks in a state of plain values; a pickle holds the nets themselves instead.
_PLAIN_NET = "_plain_net"


def as_plain(value):
    """Return a fitted attribute as plain values: an array becomes its dtype and a list."""
    if isinstance(value, dict):
        return {key: as_plain(one) for key, one in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        # Lists lose the dtype, and with it the kind of the labels.
        return (value.dtype.str if value.dtype != object else "O", value.tolist())
    return value


def from_plain(value):
    """Return a fitted attribute from what `as_plain` made of it."""
    if isinstance(value, dict):
        return {key: from_plain(one) for key, one in value.items()}
    if isinstance(value, tuple):
        return np.asarray(value[1], dtype=value[0])[()]
    return value


def as_arrays(states):
    """Return the states of networks as NumPy arrays."""
    return {
        name: {key: tensor.cpu().numpy() for key, tensor in state.items()}
        for name, state in states.items()
    }


def as_tensors(states):
    """Return the states of networks with tensors in the place of arrays."""
    return {
        name: {key: torch.from_numpy(array) for key, array in state.items()}
        for name, state in states.items()
    }


def _default_optimizer(estimator):
    return inspect.signature(type(estimator)).parameters["optimizer"].default


class StoredAsPlainValues:
    """What a deep estimator needs to be stored: by torch, by pickle and copy, and by skops."""

    _torch_device: Callable[[], torch.device]

    def save_weights(self, f: PathOrFile) -> None:
        """Write what was learnt to a file that holds tensors and plain values only.

        Parameters
        ----------
        f : path or file object
            Where to write, with :func:`torch.save`.

        See Also
        --------
        load_weights : Read it back; unlike a pickle it cannot run code.
        """
        check_is_fitted(self)
        torch.save({"state": self._plain_state(), "modules": self._module_states()}, f)

    def load_weights(self, f: PathOrFile) -> Self:
        """Become fitted from a file of :meth:`save_weights`.

        Parameters
        ----------
        f : path or file object
            Where to read, with ``torch.load(weights_only=True)``: no code in it is run.

        Returns
        -------
        self : object
            The estimator, which must have the parameters (`module`, ``module__...``) of the
            one that was saved.
        """
        # weights_only: a file of unknown origin must not run code.
        saved = torch.load(f, map_location=self._torch_device(), weights_only=True)
        forget_fit(self)
        vars(self).update({name: from_plain(value) for name, value in saved["state"].items()})
        self._rebuild(saved["modules"])
        return self

    def __reduce_ex__(self, protocol):
        # pickle and copy take the net as it is, so that the training can go on after them.
        return copyreg.__newobj__, (type(self),), vars(self).copy()

    def __getstate__(self):
        """Return plain values and arrays, which skops stores without trusting torch or skorch.

        The optimizer's moments, the alignment loss and the state of callbacks are left out: what is
        loaded predicts alike, and a training that goes on restarts them.
        """
        if isinstance(self.module, torch.nn.Module):
            raise TypeError(
                f"{type(self).__name__} has a module instance, which cannot be stored as plain "
                "values. Pass its class and its arguments as module__..., or pickle the estimator."
            )
        state = vars(self).copy()
        if self.optimizer is _default_optimizer(self):
            del state["optimizer"]  # the default, so that its name need not be trusted
        if not hasattr(self, "net_"):
            return state
        for name in ("net_", "adapted_net_", "target_module_", "_rng"):
            state.pop(name, None)
        modules, history = as_arrays(self._module_states()), list(self.history_)
        return state | {_PLAIN_NET: {"modules": modules, "history": history}}

    def __setstate__(self, state):
        """Become what a pickle or a file of skops holds."""
        state = dict(state)
        saved = state.pop(_PLAIN_NET, None)
        state.setdefault("optimizer", _default_optimizer(self))
        super().__setstate__(state)
        if saved is not None:
            self._rebuild(as_tensors(saved["modules"]))
            self.net_.history.extend(saved["history"])

    def _module_states(self):
        """Return the state of the network, and of the target's if it has its own."""
        states = {"module": self.net_.module_.state_dict()}
        if hasattr(self, "target_module_"):
            states["target"] = self.target_module_.state_dict()
        return states

    def _blank_net(self, device):
        """Return a net of the right layers with any weights."""
        source = getattr(self._source_model(), "estimator", self._source_model())
        if hasattr(source, "net_"):  # whose network was taken over as it was, whatever its layers
            self._n_features_out = source._n_features_out
            return self._wrap(copy.deepcopy(source.net_.module_).to(device), None, device)
        X = torch.zeros(2, self.n_features_in_, dtype=torch.float32, device=device)
        # The alignment loss is not in the file; predictions do not need it.
        return self._make_net(X, adapts=False)

    def _plain_state(self):
        """Return the fitted attributes beside the networks, as plain values."""
        names = ["n_features_in_", "feature_names_in_", "n_iter_"]
        names += ["source_domains_", "target_domains_", "input_scaling_", "target_priors_"]
        names += ["target_weight_"]
        names += ["_categories", "_fit_domains"]
        names += self._task_class.attributes()
        return {name: as_plain(getattr(self, name)) for name in names if hasattr(self, name)}

    def _rebuild(self, modules):
        """Rebuild the networks from their states; the other fitted attributes are there."""
        device = self._torch_device()
        self._rng = check_random_state(self.random_state)
        with seeded(self._rng, device):
            self.net_ = self._blank_net(device)
        if any("target_running_mean" in key for key in modules["module"]):
            with_domain_norms(self.net_.module_)
        self.net_.module_.load_state_dict(modules["module"])
        self.net_.module_.eval()
        if "target" in modules:
            self.target_module_ = copy.deepcopy(self.net_.module_)
            self.target_module_.load_state_dict(modules["target"])
