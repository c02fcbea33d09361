"""Rules for the parameters that estimators share, one function per rule."""

import math
from numbers import Integral, Real


def check_strength(strength):
    """Raise unless strength is a number in [0, 1]."""
    check_share("strength", strength, hint="0 leaves the rows as they are, 1 aligns fully.")


def check_positive(name, value, *, zero=False, none=False, hint=""):
    """Raise unless a parameter is a finite number > 0 (or >= 0, or None, where that is allowed)."""
    if value is None and none:
        return
    good = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if not good or value < 0 or (value == 0 and not zero):
        rule = f"a {'non-negative' if zero else 'positive'} number{' or None' if none else ''}"
        raise ValueError(f"{name} must be {rule}; got {value!r}.{' ' + hint if hint else ''}")


def check_number(name, value, *, least=None, above=None, most=None, mend):
    """Return value as a float if it is a number in the range, or say what is wrong with it."""
    ok = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    ok = ok and (least is None or value >= least) and (above is None or value > above)
    ok = ok and (most is None or value <= most)
    if not ok:
        low = f">= {least}" if least is not None else f"> {above}"
        rule = low if most is None else f"{low} and <= {most}"
        raise ValueError(f"{name} must be a number {rule}; got {value!r}. {mend}")
    return float(value)


def check_share(name, value, *, hint=""):
    """Raise unless a parameter is a number in [0, 1]."""
    if not isinstance(value, Real) or isinstance(value, bool) or not 0 <= value <= 1:
        raise ValueError(
            f"{name} must be a number in [0, 1]; got {value!r}.{' ' + hint if hint else ''}"
        )


def check_count(name, value, *, least=1):
    """Raise unless a parameter is an integer of at least `least`."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}; got {value!r}.")


def check_option(name, value, options):
    """Raise unless a parameter is one of the options."""
    if not isinstance(value, str | None) or value not in options:
        raise ValueError(f"{name} must be one of {list(options)}; got {value!r}.")


def check_enough_rows(estimator, data, least, why):
    """Raise unless every source and the pooled target have at least `least` rows."""
    domains = [(f"source {i}", len(data.rows(i))) for i in data.source_domains]
    domains += [("the target", len(data.target))]
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
    if isinstance(columns, str | Integral):
        columns = [columns]
    for column in [] if columns is None else columns:
        if isinstance(column, str) and column in names:
            found.add(names.index(column))
        elif isinstance(column, Integral) and -n_features <= column < n_features:
            found.add(int(column) % n_features)
        else:
            there = names or f"positions 0 to {n_features - 1}"
            raise ValueError(f"{name} must be columns of X ({there}); got {column!r}.")
    return sorted(found)
