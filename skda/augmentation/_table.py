"""The numbers in an array or a data frame, and the same rows with other numbers in their place."""

import numpy as np

from .._array._backend import Backend, device_of, namespace
from .._array._rows import is_polars
from .._core._column_table import as_numbers
from .._core._labels import as_labels


def is_frame(X):
    """Return whether rows come in a data frame, whose columns may hold more than numbers."""
    return hasattr(X, "columns")


def number_columns(X):
    """Return the positions of the columns of numbers: all those of an array."""
    if not is_frame(X):
        return list(range(X.shape[1]))
    return [j for j in range(X.shape[1]) if _numbers(_column(X, j)) is not None]


def take_numbers(X, columns):
    """Return the values of these columns as an array (n, n_columns), NaN where one is missing."""
    if is_frame(X):
        values = [_numbers(_column(X, j)) for j in columns]
        return np.column_stack(values) if values else np.empty((X.shape[0], 0))
    if len(columns) == X.shape[1]:
        return X
    xp = namespace(X)
    places = Backend(xp, device_of(X)).asarray(np.asarray(columns, dtype=np.int64))
    return xp.take(X, places, axis=1)


def put_numbers(X, columns, values):
    """Return the same rows with these values in these columns; X stays as it is."""
    if is_polars(X):
        return X.with_columns([_polars_column(X, j, values[:, k]) for k, j in enumerate(columns)])
    if is_frame(X):
        X = X.copy()
        for k, j in enumerate(columns):
            # By position, since names may come twice.
            X.isetitem(j, values[:, k])
        return X
    if len(columns) == X.shape[1]:
        return values
    xp = namespace(X)
    backend = Backend(xp, device_of(X))
    others = np.setdiff1d(np.arange(X.shape[1]), columns)
    order = np.argsort(np.concatenate([columns, others]))
    parts = [values, xp.astype(take_numbers(X, others), values.dtype)]
    return xp.take(xp.concat(parts, axis=1), backend.asarray(order), axis=1)


def _column(X, j):
    return X.to_series(j) if is_polars(X) else X.iloc[:, j]


def _polars_column(X, j, values):
    import polars

    column = X.to_series(j)
    # Missing values were null, and are to be null again.
    return polars.Series(column.name, values, nan_to_null=column.null_count() > 0)


def _numbers(column):
    """Return a column as floats, or None where it holds text, categories or bools."""
    # Categories may be named by numbers, which still are names.
    if str(column.dtype) == "category":
        return None
    return as_numbers(as_labels(column), bools=False)
