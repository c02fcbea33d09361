"""What a fitted net is asked: features, a place to work, and its weights to and from a file."""

import copy
from contextlib import contextmanager

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state

from .._array._backend import float_dtype, to_numpy
from .._array._config import config_for
from .._array._devices import find_backend
from .._core._validation import data_for_predict

_PREDICT_ROWS = 8192  # rows of a forward pass without gradients


class FittedNet(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """The half of a deep estimator that needs a trained ``net_`` and no training."""

    def _place(self, data=None):
        """Return the torch device on which to work."""
        if self.device is not None:
            return find_backend("torch", self.device).device
        config = config_for(self)
        if config["backend"] == "torch":
            return find_backend("torch", config["device"]).device
        if data is not None and isinstance(data.X, torch.Tensor):
            return data.X.device
        return torch.device("cpu")

    def _rows(self, data):
        return _as_tensor(data.X, self._place(data))

    @property
    def history_(self):
        """Losses and durations, one entry per epoch."""
        if not hasattr(self, "net_"):
            raise AttributeError(f"{type(self).__name__} is not fitted: it has no history_ yet.")
        return self.net_.history

    def _module_of(self, side):
        """Return the module that maps rows of this side; most methods have one for both."""
        if side == "target" and hasattr(self, "target_module_"):
            return self.target_module_
        return self.net_.module_

    def _forward(self, data):
        """Return logits and features of each row in its order, on the host."""
        device = self._place(data)
        X = self._rows(data)
        same = self._module_of("source") is self._module_of("target")
        sides = (
            [("target", np.arange(len(data.ids)))]
            if same
            else [("source", data.source), ("target", data.target)]
        )
        logits = features = None
        with torch.no_grad():
            for side, rows in sides:
                if not len(rows):
                    continue
                module = self._module_of(side).to(device).eval()
                part = X if len(rows) == len(X) else X[torch.as_tensor(rows, device=device)]
                o, f = _in_pieces(module, part)
                if logits is None:
                    logits, features = (
                        o.new_empty(len(X), o.shape[1]),
                        f.new_empty(len(X), f.shape[1]),
                    )
                index = torch.as_tensor(rows, device=device)
                logits[index], features[index] = o, f
        return logits, features

    def transform(self, X, *, sample_domain=None):
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
        data = data_for_predict(self, X, sample_domain)
        return self._give_back(self._forward(data)[1], data)

    def _give_back(self, x, data):
        """Return a tensor where X came from, in its precision."""
        xp = data.input_backend.xp
        return data.input_backend.asarray(x, dtype=float_dtype(data.X, xp))

    # -----------------------------------------------------------------------------------------
    # Saving
    # -----------------------------------------------------------------------------------------

    def save_weights(self, f):
        """Write what was learnt to a file that holds tensors and plain values only.

        Parameters
        ----------
        f : path or file object
            Where to write, with :func:`torch.save`.

        See Also
        --------
        load_weights : Read it back; unlike a pickle it cannot run code.
        """
        state = {name: getattr(self, name) for name in self._plain_state() if hasattr(self, name)}
        for name, value in state.items():
            if isinstance(value, np.ndarray | np.generic):
                state[name] = (value.dtype.str if value.dtype != object else "O", value.tolist())
        torch.save({"state": state, "modules": self._state_dicts()}, f)

    def load_weights(self, f):
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
        device = self._place()
        saved = torch.load(f, map_location=device, weights_only=True)
        for name, value in saved["state"].items():
            if isinstance(value, tuple):
                value = np.asarray(value[1], dtype=value[0])[()]
            setattr(self, name, value)
        X = torch.zeros(2, self.n_features_in_, device=device)
        self._rng = check_random_state(self.random_state)
        with seeded(self._rng, device):
            self.net_ = self._make_net(X, device, adapts=False)
        self._load_state_dicts(saved["modules"])
        return self

    def _plain_state(self):
        return (
            "n_features_in_",
            "feature_names_in_",
            "n_iter_",
            "source_domains_",
            "target_domains_",
            "classes_",
            "y_mean_",
            "y_scale_",
        )

    def _state_dicts(self):
        states = {"module": self.net_.module_.state_dict()}
        if hasattr(self, "target_module_"):
            states["target"] = self.target_module_.state_dict()
        return states

    def _load_state_dicts(self, states):
        self.net_.module_.load_state_dict(states["module"])
        self.net_.module_.eval()
        if "target" in states:
            self.target_module_ = copy.deepcopy(self.net_.module_)
            self.target_module_.load_state_dict(states["target"])


def _as_tensor(X, device):
    if not isinstance(X, torch.Tensor):
        X = np.array(to_numpy(X))  # a copy: torch warns about read-only memory
        if X.size and not np.abs(X).max() <= np.finfo(np.float32).max:
            raise ValueError(
                "X has values too large for the net's single precision (dtype('float32')). "
                "Scale X, for example with StandardScaler in front."
            )
        X = torch.from_numpy(X)
    return X.to(device=device, dtype=torch.float32)


def _in_pieces(module, X):
    pieces = [module(piece) for piece in torch.split(X, _PREDICT_ROWS)]
    if len(pieces) == 1:
        return pieces[0]
    return tuple(torch.cat(part) for part in zip(*pieces, strict=True))


@contextmanager
def seeded(rng, device):
    """Seed torch from a NumPy random state for a block; the global state comes back."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(int(rng.randint(2**31 - 1)))
        yield
