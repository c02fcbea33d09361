"""Rules for parameters, one function per rule; each returns the value that it has checked."""

import math
from numbers import Integral, Real

import numpy as np


def check_strength(strength):
    """Return strength if it is a number in [0, 1]."""
    return check_real(
        "strength", strength, low=0, high=1, hint="0 leaves the rows as they are, 1 aligns fully."
    )


def check_real(name, value, *, low=None, high=None, closed="both", none=False, hint=""):
    """Return a parameter as a float if it is a finite number in an interval; raise otherwise.

    Parameters
    ----------
    name : str
        Name of the parameter, as the user writes it.
    value : object
        What the user passed. Booleans are no numbers.
    low, high : float, default=None
        Ends of the interval; None: no bound on that side.
    closed : {"both", "left", "right", "neither"}, default="both"
        Which of the ends belong to the interval.
    none : bool, default=False
        Whether None may pass; it comes back as None.
    hint : str, default=""
        What to write instead: the last sentence of the message.
    """
    if value is None and none:
        return None
    # True is the number 1 to Python; where a number is due it is a slip.
    good = isinstance(value, Real) and not isinstance(value, bool | np.bool_)
    good = good and math.isfinite(value)
    if good and low is not None:
        good = value >= low if closed in ("both", "left") else value > low
    if good and high is not None:
        good = value <= high if closed in ("both", "right") else value < high
    if not good:
        rule = _interval(low, high, closed) + (" or None" if none else "")
        raise ValueError(f"{name} must be {rule}; got {value!r}.{hint and ' ' + hint}")
    return float(value)


def _interval(low, high, closed):
    """Return the words for a number in an interval."""
    if low is None and high is None:
        return "a finite number"
    if high is None:
        if low == 0:
            return "a non-negative number" if closed in ("both", "left") else "a positive number"
        return f"a number {'>=' if closed in ('both', 'left') else '>'} {low}"
    if low is None:
        return f"a number {'<=' if closed in ('both', 'right') else '<'} {high}"
    left = "[" if closed in ("both", "left") else "("
    right = "]" if closed in ("both", "right") else ")"
    return f"a number in {left}{low}, {high}{right}"


def check_integer(name, value, *, low=1, high=None, none=False, hint=""):
    """Return a parameter as an int if it is an integer from `low` to `high`."""
    if value is None and none:
        return None
    good = isinstance(value, Integral) and not isinstance(value, bool | np.bool_)
    if not good or value < low or (high is not None and value > high):
        rule = f"of at least {low}" if high is None else f"from {low} to {high}"
        rule += " or None" if none else ""
        raise ValueError(f"{name} must be an integer {rule}; got {value!r}.{hint and ' ' + hint}")
    return int(value)


def check_bool(name, value, *, hint=""):
    """Return a parameter as a bool if it is True or False.

    Anything else is refused: the text "no" from a configuration file would count as true.
    """
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be True or False; got {value!r}.{hint and ' ' + hint}")
    return bool(value)


def check_option(name, value, options, *, hint=""):
    """Return a parameter if it is one of the options, which are texts or None."""
    # The type first: an array compared with the options would raise an error of its own.
    if not isinstance(value, str | None) or value not in options:
        raise ValueError(
            f"{name} must be one of {list(options)}; got {value!r}.{hint and ' ' + hint}"
        )
    return value


def check_enough_rows(estimator, data, least, why):
    """Raise unless every source and the pooled target have at least `least` rows."""
    domains = [(f"source {i}", data.count(i)) for i in data.source_domains]
    # Targets are pooled by the methods that ask, so they count together; some take them later.
    n_target = sum(data.count(i) for i in data.target_domains)
    domains += [("the target", n_target)] if n_target else []
    for name, count in domains:
        if count < least:
            raise ValueError(
                f"{type(estimator).__name__} needs at least {least} rows in each domain {why}; "
                f"{name} has {count} sample{'' if count == 1 else 's'}. Add rows or leave that "
                "domain out."
            )


def column_positions(name, columns, estimator, n_features):
    """Return columns of X, given by position or by name, as sorted positions.

    Raises
    ------
    ValueError
        If one of them is no column of X.
    """
    names = [str(feature) for feature in getattr(estimator, "feature_names_in_", [])]
    found = set()
    if columns is None:
        return []
    if isinstance(columns, str) or not np.iterable(columns):
        columns = [columns]
    for column in columns:
        # True is the integer 1 to Python, but a switch in the wrong place to a reader.
        is_position = isinstance(column, Integral) and not isinstance(column, bool | np.bool_)
        if isinstance(column, str) and column in names:
            found.add(names.index(column))
        elif is_position and -n_features <= column < n_features:
            # Negative positions count from the last column, as in NumPy.
            found.add(int(column) % n_features)
        else:
            there = names or f"positions 0 to {n_features - 1}"
            raise ValueError(f"{name} must be columns of X ({there}); got {column!r}.")
    return sorted(found)


def check_forgetting_factor(factor):
    """Return ``forgetting_factor`` if it is in (0, 1]."""
    hint = "1 keeps the full weight of earlier rows."
    return check_real("forgetting_factor", factor, low=0, high=1, closed="right", hint=hint)
