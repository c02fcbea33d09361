"""What was learnt as plain values and arrays, in which no code can hide."""

import numpy as np
import torch


def as_plain(value):
    """Return a fitted attribute as plain values: an array becomes its dtype and a list."""
    if isinstance(value, np.ndarray | np.generic):
        # Lists lose the dtype, and with it the kind of the labels.
        return (value.dtype.str if value.dtype != object else "O", value.tolist())
    return value


def from_plain(value):
    """Return a fitted attribute from what `as_plain` made of it."""
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
