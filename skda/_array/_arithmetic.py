"""Arithmetic that every backend needs and none has."""

import array_api_extra as xpx

from ._backend import namespace


def safe_divide(numerator, denominator, *, fill=0.0):
    """Return numerator / denominator, and `fill` where the denominator is zero.

    Parameters
    ----------
    numerator, denominator : arrays
        Of shapes that broadcast.
    fill : float, default=0.0
        Quotient where the denominator is zero, whatever the numerator is.
    """
    xp = namespace(numerator, denominator)
    numerator, denominator = xp.broadcast_arrays(numerator, denominator)
    # Not `where(d != 0, a / d, fill)`, which divides by zero first and warns.
    return xpx.apply_where(
        denominator != 0, (numerator, denominator), lambda a, b: a / b, fill_value=fill
    )
