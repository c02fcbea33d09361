"""Inputs centered and of about unit spread, which is what the learning rates are made for."""

import torch

INPUT_SCALINGS = ("domain", "source")

# The spread is the range of the middle rows, in units of a normal distribution's standard
# deviation. The standard deviation itself is next to nothing for a feature that hardly ever varies
# (a pixel at the border), and rare values, or those of the other domain, would be blown up.
_MIDDLE = (0.01, 0.99)
_NORMAL_RANGE = 4.65
_FAR = 3.0  # spreads to which values are drawn in, however far away they are
_QUANTILE_ROWS = 10_000  # enough for one percent; sorting all rows would take long

# A spread below so many rounding errors of the mean is one of constant values.
_ROUNDING = 10.0


def center_and_spread(X):
    """Return mean and spread of each column as a tensor (2, n_features).

    Columns without spread have one of 1.
    """
    mean = X.mean(dim=0)
    some = X[:: -(-len(X) // _QUANTILE_ROWS)]
    low, high = torch.quantile(some, torch.tensor(_MIDDLE, dtype=X.dtype, device=X.device), dim=0)
    middle, whole = high - low, X.amax(dim=0) - X.amin(dim=0)
    least = _ROUNDING * torch.finfo(X.dtype).eps * mean.abs()
    # Features that are constant but for a few rows have the range of all rows.
    spread = torch.where(middle > least, middle, whole) / _NORMAL_RANGE
    return torch.stack([mean, torch.where(whole > least, spread, torch.ones_like(spread))])


def learn_scaling(X, source, target, *, sides, learn=center_and_spread):
    """Return center and spread of the columns by side, as arrays of shape (2, n_features).

    Parameters
    ----------
    X : tensor of shape (n_samples, n_features)
        Rows of both sides.
    source, target : ndarray of int
        Which rows are of which side.
    sides : iterable of {"source", "target"}
        Sides that get statistics of their own; two rows at least are needed.
    learn : callable, default=center_and_spread
        Statistics of the rows of a side.
    """
    rows = {"source": source, "target": target}
    found = {}
    for side in sides:
        if len(rows[side]) >= 2:
            own = X[torch.as_tensor(rows[side], device=X.device)]
            found[side] = learn(own).cpu().numpy()
    return found


def drawn_in(z):
    """Return values that grow like z around 0 and stay within `_FAR` (Holzmüller 2024)."""
    return z / (1.0 + (z / _FAR).square()).sqrt()


def scaled(X, source, target, scaling, *, bound=drawn_in):
    """Return the rows scaled, each by its side; those of an unknown side by the other one."""
    if not scaling:
        return X
    X = X.clone()
    first = next(iter(scaling.values()))
    for side, rows in (("source", source), ("target", target)):
        if len(rows):
            # Without statistics of its own the target has the source's, and the other way round.
            both = torch.as_tensor(scaling.get(side, first), dtype=X.dtype, device=X.device)
            i = torch.as_tensor(rows, device=X.device)
            X[i] = bound((X[i] - both[0]) / both[1])
    return X
