"""What the direct ratio estimators share: kernel centers among the target rows, and bandwidths."""

from numbers import Real

import numpy as np
from sklearn.utils import check_random_state

from .._numerics._kernels import resolve_gamma


def draw_centers(n_target, n_basis, rng):
    """Return the indices of the target rows that are centers: all, or `n_basis` at random."""
    if n_target <= n_basis:
        return np.arange(n_target)
    return np.sort(check_random_state(rng).choice(n_target, n_basis, replace=False))


def candidates(name, value, default):
    """Return the numbers that a parameter allows: one, those of a sequence, or the default ones."""
    if isinstance(value, str) and value == "cv":
        return default
    numbers = [value] if isinstance(value, Real) else value
    ok = not isinstance(numbers, str) and np.ndim(numbers) == 1 and len(numbers) > 0
    numbers = np.asarray(numbers, dtype=object) if ok else np.asarray([None])
    if not all(isinstance(v, Real) and not isinstance(v, bool) and 0 < v < np.inf for v in numbers):
        allowed = "'median', 'scale', " if name == "gamma" else ""
        raise ValueError(
            f"{name} must be a positive number, {allowed}'cv', or a sequence of positive numbers "
            f"to choose from; got {value!r}."
        )
    return [float(v) for v in numbers]


def gamma_candidates(gamma, X, rng):
    """Return the bandwidths to choose from on these rows of all domains."""
    if isinstance(gamma, str) and gamma in ("median", "scale"):
        return [resolve_gamma(gamma, X, random_state=rng)]
    if isinstance(gamma, str) and gamma == "cv":
        median = resolve_gamma("median", X, random_state=rng)
        return [median * 10.0 ** (half / 2) for half in range(-4, 5)]
    return candidates("gamma", gamma, None)
