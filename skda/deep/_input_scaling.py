"""Inputs of zero mean and unit variance, which is what the learning rates are made for."""

import torch

INPUT_SCALINGS = ("domain", "source")

# A spread below so many rounding errors of the mean is one of constant values.
_ROUNDING = 10.0


def mean_and_scale(X):
    """Return mean and standard deviation of each column as a tensor (2, n_features).

    Columns without spread have a scale of 1.
    """
    mean = X.mean(dim=0)
    scale = (X - mean).square().mean(dim=0).sqrt()
    least = _ROUNDING * torch.finfo(X.dtype).eps * mean.abs()
    return torch.stack([mean, torch.where(scale > least, scale, torch.ones_like(scale))])


def learn_scaling(X, source, target, *, sides):
    """Return mean and scale of the columns by side, as arrays of shape (2, n_features).

    Parameters
    ----------
    X : tensor of shape (n_samples, n_features)
        Rows of both sides.
    source, target : ndarray of int
        Which rows are of which side.
    sides : iterable of {"source", "target"}
        Sides that get statistics of their own; two rows at least are needed.
    """
    rows = {"source": source, "target": target}
    found = {}
    for side in sides:
        if len(rows[side]) >= 2:
            own = X[torch.as_tensor(rows[side], device=X.device)]
            found[side] = mean_and_scale(own).cpu().numpy()
    return found


def scaled(X, source, target, scaling):
    """Return the rows standardized, each by its side; those of an unknown side by the other one."""
    if not scaling:
        return X
    X = X.clone()
    first = next(iter(scaling.values()))
    for side, rows in (("source", source), ("target", target)):
        if len(rows):
            # Without statistics of its own the target has the source's, and the other way round.
            mean, scale = torch.as_tensor(scaling.get(side, first), dtype=X.dtype, device=X.device)
            i = torch.as_tensor(rows, device=X.device)
            X[i] = (X[i] - mean) / scale
    return X
