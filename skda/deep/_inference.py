"""Outputs of a trained network for rows."""

import numpy as np
import torch

from .._array._backend import to_numpy
from ._domain_norm import has_domain_norms, rows_of

_PREDICT_ROWS = 8192  # rows of a forward pass without gradients: bounds its memory


def as_tensor(X, device):
    """Return rows as a tensor on a device, in double precision where they came in it."""
    if not isinstance(X, torch.Tensor):
        X = np.array(to_numpy(X))  # a copy: torch warns about read-only memory
        # fmax leaves out missing values, which only some modules are given.
        if X.size and np.fmax.reduce(np.abs(X), axis=None) > np.finfo(np.float32).max:
            raise ValueError(
                "X has values too large for the net's single precision (dtype('float32')). "
                "Scale X, for example with StandardScaler in front."
            )
        X = torch.from_numpy(X)
    # Apple's devices have no double precision.
    exact = X.dtype if device.type != "mps" and X.is_floating_point() else torch.float32
    return X.to(device=device, dtype=exact)


def outputs(module, X, side="target"):
    """Return logits and features of all rows, which are of one side."""
    module.eval()
    with torch.no_grad(), rows_of(side):
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
    alike = source_module is target_module and not has_domain_norms(target_module)
    if alike or not len(source):
        return outputs(target_module, X)
    if not len(target):
        return outputs(source_module, X, "source")
    rows = [torch.as_tensor(rows, device=X.device) for rows in (source, target)]
    # Outputs come side by side; the rows may have been in any order.
    order = torch.argsort(torch.cat(rows))
    parts = [
        outputs(source_module, X[rows[0]], "source"),
        outputs(target_module, X[rows[1]], "target"),
    ]
    return tuple(torch.cat(part)[order] for part in zip(*parts, strict=True))
