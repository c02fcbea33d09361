"""Data with a known shift: simulated, or real and seen through a simulated second instrument."""

from ._digits import load_digits_scanners
from ._shifts import (
    make_conditional_shift,
    make_covariate_shift,
    make_label_shift,
    make_subspace_shift,
)

__all__ = [
    "load_digits_scanners",
    "make_conditional_shift",
    "make_covariate_shift",
    "make_label_shift",
    "make_subspace_shift",
]
