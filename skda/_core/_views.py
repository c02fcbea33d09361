"""Views: named blocks of columns, such as one per instrument, and which of them each row has."""

import numpy as np
from scipy import sparse

from .._array._backend import namespace, to_numpy
from .._array._rows import is_polars, n_rows
from ._labels import as_labels, missing_labels
from ._param_checks import column_positions

_SHOWN = 5  # rows that an error names


def check_views(views, estimator, *, disjoint=False):
    """Return the positions of the columns of each view, by its name.

    Parameters
    ----------
    views : dict of str to columns
        Columns by name or position, alone or in a list, as a slice of positions or as a mask.
    estimator : estimator
        Has ``n_features_in_``, and ``feature_names_in_`` if the columns have names.
    disjoint : bool, default=False
        Whether a column may be in one view only.

    Returns
    -------
    positions : dict of str to ndarray of int
        In the order in which the user wrote views and columns.
    """
    if not isinstance(views, dict) or not views:
        raise ValueError(
            "views must be a dict of names to columns of X, with at least one view; got "
            f"{views!r}. For example views={{'lab': [0, 1, 2], 'text': slice(3, None)}}."
        )
    found = {}
    for name, columns in views.items():
        # Two underscores separate the name of a view from a parameter of its estimator.
        if not isinstance(name, str) or not name or "__" in name:
            raise ValueError(
                f"views must have texts without '__' as names; got {name!r}. Rename that view."
            )
        found[name] = _positions(name, columns, estimator)
    if disjoint:
        _check_disjoint(found)
    return found


def _positions(name, columns, estimator):
    """Return the positions of the columns of one view."""
    n_features = estimator.n_features_in_
    where = f"views[{name!r}]"
    if isinstance(columns, slice):
        try:
            found = np.arange(n_features)[columns]
        except TypeError:
            raise ValueError(
                f"{where} must be columns of X, and a slice is one of positions; got {columns!r}. "
                "List the names."
            ) from None
    elif _is_mask(columns):
        if len(columns) != n_features:
            raise ValueError(
                f"{where} must have one entry per column of X if it is a mask; got {len(columns)} "
                f"for n_features = {n_features}."
            )
        found = np.flatnonzero(columns)
    else:
        listed = columns if np.iterable(columns) and not isinstance(columns, str) else [columns]
        # One by one, since together they would come back sorted.
        found = [column_positions(where, [c], estimator, n_features)[0] for c in listed]
    if not len(found):
        raise ValueError(
            f"{where} must have at least one column of X (n_features = {n_features}); got "
            f"{columns!r}. Leave that view out, or pass its columns."
        )
    return np.array(list(dict.fromkeys(int(j) for j in found)), dtype=np.int64)


def _is_mask(columns):
    """Return whether these are booleans alone, one per column."""
    sized = np.iterable(columns) and not isinstance(columns, str) and len(columns)
    return bool(sized) and all(isinstance(column, bool | np.bool_) for column in columns)


def _check_disjoint(views):
    seen = {}
    for name, columns in views.items():
        for column in columns.tolist():
            if column in seen:
                raise ValueError(
                    f"views must not share columns; got column {column} in {seen[column]!r} and in "
                    f"{name!r}. Leave it out of one of them."
                )
            seen[column] = name


def take_view(X, columns):
    """Return some columns of any container of rows."""
    if hasattr(X, "iloc"):  # pandas
        return X.iloc[:, columns]
    if is_polars(X):
        return X[:, columns.tolist()]
    return X[:, columns]


def missing_entries(X):
    """Return which entries of an array or a data frame are missing, on the host."""
    if hasattr(X, "columns"):  # column by column: their types differ
        columns = [_missing_in_column(as_labels(X[name])) for name in X.columns]
        return np.stack(columns, axis=1)
    if str(X.dtype) == "object":
        return np.stack([_missing_in_column(column) for column in X.T], axis=1)
    xp = namespace(X)
    if xp is namespace() and X.dtype.kind not in "fc":
        return np.zeros(X.shape, dtype=bool)
    return to_numpy(xp.isnan(X))


def _missing_in_column(values):
    # Not the rule for integers, among which -1 would mark a missing label.
    return missing_labels(values) if values.dtype.kind in "fO" else np.zeros(len(values), bool)


def rows_with_view(X):
    """Return which rows have a view, given its columns alone: those with any value in them."""
    if sparse.issparse(X):
        # Entries that are not stored are zeros, which are values.
        X = X.tocsr()
        rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
        n_missing = np.bincount(rows[np.isnan(X.data)], minlength=X.shape[0])
        return n_missing < X.shape[1]
    if not n_rows(X):
        return np.zeros(0, dtype=bool)
    return ~missing_entries(X).all(axis=1)


def check_every_row_has_a_view(present, names):
    """Raise if a row has no view at all, given which views each row has."""
    without = np.flatnonzero(~present.any(axis=1))
    if len(without):
        shown = ", ".join(map(str, without[:_SHOWN].tolist()))
        raise ValueError(
            f"Each row of X must have one of the views {list(names)} at least; in {len(without)} "
            f"rows all values are missing (row {shown}{', ...' if len(without) > _SHOWN else ''}). "
            "Leave these rows out."
        )


def with_absent_views(X, estimator):
    """Return a data frame with the columns of views that it lacks as a whole, all missing.

    Anything else comes back as it is: the checks of column names then say what is wrong.
    """
    names = getattr(estimator, "feature_names_in_", None)
    if names is None or not hasattr(X, "columns"):
        return X
    given, names = list(X.columns), list(names)
    absent = {
        names[j]
        for columns in estimator.views_.values()
        if not any(names[j] in given for j in columns)
        for j in columns
    }
    if not absent or [name for name in names if name not in absent] != given:
        return X
    if is_polars(X):
        import polars

        empty = [polars.lit(None, dtype=polars.Float64).alias(name) for name in sorted(absent)]
        return X.with_columns(empty).select(names)
    return X.reindex(columns=names)
