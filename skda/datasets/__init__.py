"""Data of several domains: simulated with a known shift, and public sets that are fetched."""

from ._digits import load_digits_scanners
from ._heart_disease import fetch_heart_disease
from ._shifts import (
    make_conditional_shift,
    make_covariate_shift,
    make_label_shift,
    make_subspace_shift,
)

__all__ = [
    "fetch_heart_disease",
    "load_digits_scanners",
    "make_conditional_shift",
    "make_covariate_shift",
    "make_label_shift",
    "make_subspace_shift",
]
