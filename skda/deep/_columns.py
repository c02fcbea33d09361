"""Categorical columns of a table as numbers: which they are, their categories, their codes.

A network sees one array of floats. In it a category is its position among those learned in
``fit``; a missing value, and a category that was not there, is NaN.
"""

from numbers import Integral, Real

import numpy as np

from .._array._backend import backend_of, is_foreign_array, to_numpy
from .._core._labels import is_missing

# Beginnings of the names of the types of text and categories, in pandas and in polars.
_TEXT_DTYPES = ("category", "str", "Categorical", "Enum", "String")


def categorical_columns(X, chosen):
    """Return the positions of the categorical columns.

    Parameters
    ----------
    X : array-like or data frame of shape (n_samples, n_features)
        Rows as the user gave them.
    chosen : "from_dtype", None, or array-like of int, bool or str
        As in scikit-learn's histogram gradient boosting: by the types of a data frame, none, by
        position, by mask or by name. Unlike there, text in a data frame is categorical too.

    Returns
    -------
    columns : list of int
        Sorted positions.
    """
    n_features = np.shape(X)[1] if len(np.shape(X)) == 2 else 0
    if chosen is None:
        return []
    if isinstance(chosen, str):
        if chosen != "from_dtype":
            raise _bad_choice(chosen)
        names = getattr(X, "columns", None)
        return [] if names is None else [j for j in range(n_features) if _is_text(_column(X, j))]
    values = np.asarray(chosen)
    if values.ndim != 1 or (values.size and values.dtype.kind not in "biuUOT"):
        raise _bad_choice(chosen)
    if values.dtype.kind == "b":
        if len(values) != n_features:
            raise ValueError(
                "A mask in module__categorical_features must have one entry per column; got "
                f"{len(values)} for {n_features} columns."
            )
        return np.flatnonzero(values).tolist()
    return sorted({_position(X, one, n_features) for one in values.tolist()})


def _bad_choice(chosen):
    return ValueError(
        "module__categorical_features must be 'from_dtype', None, or an array of positions, names "
        f"or booleans; got {chosen!r}. For example module__categorical_features=[0, 3]."
    )


def _position(X, one, n_features):
    """Return the position of a column that is given by position or name."""
    if isinstance(one, str):
        names = list(getattr(X, "columns", []))
        if one not in names:
            raise ValueError(
                f"module__categorical_features names the column {one!r}, which X does not have. "
                "Pass a data frame with this column, or positions."
            )
        return names.index(one)
    if not isinstance(one, Integral):
        raise _bad_choice(one)
    if not 0 <= one < n_features:
        raise ValueError(
            f"module__categorical_features has the position {one}, but X has {n_features} columns, "
            f"0 to {n_features - 1}. Correct it."
        )
    return int(one)


def _column(X, j):
    """Return a column: a series of a data frame, or an array."""
    return X.iloc[:, j] if hasattr(X, "iloc") else X[:, j]


def _is_text(series):
    """Return whether a series of a data frame holds categories or text."""
    name = str(series.dtype)
    if name in ("object", "Object"):  # numbers beside None are numbers
        return any(isinstance(value, str) for value in series.to_list())
    return name.startswith(_TEXT_DTYPES)


def _values(X, j):
    """Return the values of a column as plain Python objects, None where one is missing."""
    column = _column(X, j)
    listed = column.to_list() if hasattr(column, "to_list") else to_numpy(column).tolist()
    return [None if is_missing(value) else _plain(value) for value in listed]


def _plain(value):
    """Return a value that a file of plain values can hold: a number or text."""
    # Intervals of pandas.cut and time stamps become their text.
    return value if isinstance(value, str | Real) else str(value)


def learn_categories(X, columns, used):
    """Return the sorted categories of each of these columns.

    Parameters
    ----------
    X : array-like or data frame of shape (n_samples, n_features)
        Rows as the user gave them.
    columns : list of int
        Positions of the categorical columns.
    used : ndarray of int
        Rows to learn from.

    Returns
    -------
    categories : list of [int, list]
        Position and categories of each; plain values, which every file format holds.
    """
    found = []
    for j in columns:
        values = _values(X, j)
        seen = {values[i] for i in used.tolist()} - {None}
        # Numbers before text, which do not compare.
        found.append([j, sorted(seen, key=lambda value: (isinstance(value, str), value))])
    return found


def with_codes(X, categories):
    """Return X with its categorical columns as positions among the categories, NaN for others.

    Rows of a container come back in a container of the same kind, with the names of the columns.
    """
    if not categories:
        return X
    X = _copy(X)
    for j, values in categories:
        position = {value: float(i) for i, value in enumerate(values)}
        codes = np.array([position.get(value, np.nan) for value in _values(X, j)])
        if hasattr(X, "isetitem"):  # pandas
            X.isetitem(j, codes)
        elif hasattr(X, "with_columns"):  # polars
            series = X[:, j]
            X = X.with_columns(type(series)(series.name, codes))
        else:
            X[:, j] = codes
    return X


def _copy(X):
    """Return a copy whose columns may be replaced; the user's stays as it is."""
    if hasattr(X, "isetitem"):
        return X.copy(deep=False)
    if hasattr(X, "with_columns"):
        return X
    X = np.array(X)
    # Codes have a missing value, which integers and text have not.
    return X if X.dtype.kind in "fO" else X.astype(object if X.dtype.kind in "UST" else float)


def encoded(X, categories):
    """Return `with_codes`, in the array library of X."""
    if not categories or not is_foreign_array(X):
        return with_codes(X, categories)
    backend = backend_of(X)
    return backend.asarray(with_codes(to_numpy(X), categories))
