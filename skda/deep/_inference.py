"""Outputs of a trained network for rows."""

import numpy as np
import torch

from .._array._backend import to_numpy

_PREDICT_ROWS = 8192  # rows of a forward pass without gradients: bounds its memory


def as_float32(X, device):
    """Return rows as a tensor of single precision on a device."""
    if not isinstance(X, torch.Tensor):
        X = np.array(to_numpy(X))  # a copy: torch warns about read-only memory
        if X.size and not np.abs(X).max() <= np.finfo(np.float32).max:
            raise ValueError(
                "X has values too large for the net's single precision (dtype('float32')). "
                "Scale X, for example with StandardScaler in front."
            )
        X = torch.from_numpy(X)
    return X.to(device=device, dtype=torch.float32)


def outputs(module, X):
    """Return logits and features of all rows."""
    module.eval()
    with torch.no_grad():
        pieces = [module(piece) for piece in torch.split(X, _PREDICT_ROWS)]
    if len(pieces) == 1:
        return pieces[0]
    return tuple(torch.cat(part) for part in zip(*pieces, strict=True))


def outputs_by_domain(source_module, target_module, X, source, target):
    """Return logits and features of all rows in their order, each from its domain's module.

    Parameters
    ----------
    source_module, target_module : torch.nn.Module
        Most methods have one module for both.
    X : tensor of shape (n_samples, n_features)
        Rows of both domains.
    source, target : ndarray of int
        Which rows are of which side.
    """
    if source_module is target_module or not len(source):
        return outputs(target_module, X)
    if not len(target):
        return outputs(source_module, X)
    sides = [torch.as_tensor(rows, device=X.device) for rows in (source, target)]
    # Outputs come side by side; the rows may have been in any order.
    order = torch.argsort(torch.cat(sides))
    parts = [
        outputs(module, X[rows])
        for module, rows in zip((source_module, target_module), sides, strict=True)
    ]
    return tuple(torch.cat(part)[order] for part in zip(*parts, strict=True))
