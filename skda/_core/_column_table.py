"""Data frames of numbers and text as frames of numbers, and back."""

import numpy as np

from .._array._rows import is_polars
from ._labels import as_labels, is_missing


def text_categories(X):
    """Return the sorted categories of each column that holds text, by its name.

    Empty for arrays and for frames of numbers.
    """
    if not hasattr(X, "columns"):
        return {}
    found = {}
    for name in list(X.columns):
        values = as_labels(X[name])
        if as_numbers(values) is None:
            found[name] = sorted({str(v) for v in values if not is_missing(v)})
    return found


def as_number_frame(X, categories):
    """Return a frame with text written as the number of its category.

    Missing and unknown values of text become NaN.
    """
    columns = {}
    for name in list(X.columns):
        values = as_labels(X[name])
        numbers = _codes(values, categories[name]) if name in categories else as_numbers(values)
        if numbers is None:
            raise ValueError(
                f"Column {name!r} held numbers in fit, so it must hold numbers; got text. Convert "
                "it, for example with pandas.to_numeric."
            )
        columns[name] = numbers
    return _frame_like(X, columns)


def fill_frame(X, filled, categories, names):
    """Return a frame in which columns of text take their new values from a matrix of numbers.

    Parameters
    ----------
    X : data frame
        As the user passed it.
    filled : ndarray of shape (n, d_out)
        New values; text as the number of its category.
    categories : dict
        Of the columns of text, by name.
    names : sequence of str
        Names of the columns of `filled`, those of X first.
    """
    columns = {}
    for j, name in enumerate(names):
        values = filled[:, j]
        if name in categories:
            known = np.array([*categories[name], None], dtype=object)
            codes = np.where(np.isnan(values), len(known) - 1, values).astype(int)
            texts = known[codes]
            # A category that is new to the table stays as it is.
            given = as_labels(X[name])
            new = [not is_missing(v) and str(v) not in categories[name] for v in given]
            texts[np.array(new, dtype=bool)] = given[np.array(new, dtype=bool)]
            values = texts.tolist()
        columns[name] = values
    return _frame_like(X, columns)


def _frame_like(X, columns):
    if is_polars(X):
        import polars

        return polars.DataFrame(columns)
    import pandas

    return pandas.DataFrame(columns, index=X.index)


def as_numbers(values, *, bools=True):
    """Return a column as floats, NaN where it is missing; None if it holds something else.

    ``bools`` says whether truth values count as numbers.
    """
    if values.dtype.kind in ("biuf" if bools else "iuf"):
        return values.astype(np.float64)
    if values.dtype == object:
        numbers = [np.nan if is_missing(v) else v for v in values]
        # Numbers beside missing values that are not NaN come as objects. An empty column may
        # become one of text, but there is nothing to be learnt of it.
        if all(_is_number(v, bools) for v in numbers):
            return np.array(numbers, dtype=np.float64)
    return None


def _is_number(value, bools):
    if isinstance(value, bool | np.bool_):
        return bools
    return isinstance(value, int | float | np.number)


def _codes(values, categories):
    codes = {text: float(number) for number, text in enumerate(categories)}
    return np.array([np.nan if is_missing(v) else codes.get(str(v), np.nan) for v in values])
