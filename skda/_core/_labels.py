"""Labels: their type, which of them are missing, and joining them."""

import numpy as np

from .._array._backend import is_foreign_array, to_numpy


def as_labels(y):
    """Return labels as a NumPy array that the caller may slice but not write to."""
    if y is None or isinstance(y, np.ndarray):
        return y
    if is_foreign_array(y):
        return to_numpy(y)
    if hasattr(y, "to_numpy"):  # pandas and polars, also their categorical and nullable types
        y = y.to_numpy()
        return y.astype(object) if y.dtype.kind not in "biufcOUSM" else y
    if hasattr(y, "__array__"):
        return np.asarray(y)
    if any(label is None for label in y):
        return np.asarray(y, dtype=object)
    if any(isinstance(label, str) for label in y) and not all(isinstance(v, str) for v in y):
        return np.asarray(y, dtype=object)  # keep numbers and text apart
    return np.asarray(y)


def missing_labels(y):
    """Return which labels are missing: NaN, None or NA, or -1 among integers."""
    y = as_labels(y)
    if y.ndim > 1:
        return np.asarray([missing_labels(column) for column in y.T]).any(axis=0)
    if y.dtype.kind == "i":
        return y == -1
    if y.dtype.kind == "f":
        return np.isnan(y)
    if y.dtype.kind == "O":
        return np.array([_is_missing(label) for label in y], dtype=bool)
    return np.zeros(y.shape[0], dtype=bool)


def _is_missing(label):
    if label is None:
        return True
    if isinstance(label, float | np.floating):
        return bool(np.isnan(label))
    return type(label).__name__ in ("NAType", "NaTType")


def labeled_rows(y, ids):
    """Return which rows have a label: every source row, and target rows where it is not missing.

    Raises
    ------
    ValueError
        If -1 is a class of the source and also stands on a target row, where it could mean both.
    """
    is_source = ids >= 0
    y = as_labels(y)
    if y.dtype.kind == "i" and y.ndim == 1:
        negative = y == -1
        if (negative & is_source).any() and (negative & ~is_source).any():
            raise ValueError(
                "y has the label -1 on source rows, where it is a class, and on target rows, "
                "where it may mean 'missing'. Recode the classes, for example to {0, 1}, or mark "
                "missing labels with None in an object array, as skda.stack_domains does."
            )
    return is_source | ~missing_labels(y)


def tidy_labels(y):
    """Return an object array of plain numbers, bools or strings as an array of their own type.

    ``stack_domains`` needs an object array to mark missing labels; scikit-learn refuses to
    guess the type of one.
    """
    if not isinstance(y, np.ndarray) or y.dtype != object or y.size == 0:
        return y
    kinds = {type(label) for label in y.ravel().tolist()}
    if len(kinds) == 1 and issubclass(kinds.pop(), str | bool | int | float | np.generic):
        return np.asarray(y.tolist())
    return y


def _missing_like(labels, shape):
    """Return missing labels of this shape, and the labels in a type that can hold them."""
    if labels.dtype.kind == "u":
        labels = labels.astype(np.int64)
    if labels.dtype.kind == "i" and not (labels == -1).any():
        return np.full(shape, -1, dtype=labels.dtype), labels
    if labels.dtype.kind == "f":
        return np.full(shape, np.nan, dtype=labels.dtype), labels
    return np.full(shape, None, dtype=object), labels.astype(object)


def _join_labels(known):
    """Concatenate label arrays of different domains without turning numbers into text."""
    kinds = {"number" if y.dtype.kind in "iuf" else y.dtype.kind for y in known}
    if len(kinds) > 1:
        known = [y.astype(object) for y in known]
    return np.concatenate(known)
