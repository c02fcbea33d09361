"""Labels: their type, which of them are missing, and joining them."""

import numpy as np

from .._array._backend import is_foreign_array, to_numpy

_EXACT_IN_FLOAT64 = 2**53  # integers up to here are floats without loss


def as_labels(y):
    """Return labels as a NumPy array that the caller may slice but not write to."""
    if y is None or isinstance(y, np.ndarray):
        return y
    if is_foreign_array(y):
        return to_numpy(y)
    if hasattr(y, "to_numpy"):  # pandas and polars, also their categorical and nullable types
        y = y.to_numpy()
        # Any other kind, such as text of variable width, is worked on as objects.
        return y.astype(object) if y.dtype.kind not in "biufcOUSM" else y
    if hasattr(y, "__array__"):
        return np.asarray(y)
    if any(label is None for label in y):
        return np.asarray(y, dtype=object)
    if any(isinstance(label, str) for label in y) and not all(isinstance(v, str) for v in y):
        return np.asarray(y, dtype=object)  # keep numbers and text apart
    return np.asarray(y)


def take_labels(y, rows=slice(None)):
    """Return the labels of some rows as an array of a type of its own.

    ``stack_domains`` marks missing labels with NaN, which turns integers into floats, or with
    None in an object array. Among the rows that are taken (those with a label) the mark is gone,
    and the labels are integers, text or bools again. scikit-learn refuses to guess the type of
    an object array.
    """
    if y is None:
        return None
    y = as_labels(y)
    taken = y[rows]
    if y.dtype.kind == "f":
        # Floats beside a missing mark may have been integers; without one they are the user's own.
        were_integers = np.isnan(y).any() and (taken == np.rint(taken)).all()
        return taken.astype(np.int64) if were_integers and taken.size else taken
    if y.dtype != object or taken.size == 0:
        return taken
    # Labels of one plain type get an array of that type; others stay objects.
    kinds = {type(label) for label in taken.ravel().tolist()}
    if len(kinds) == 1 and issubclass(kinds.pop(), str | bool | int | float | np.generic):
        return np.asarray(taken.tolist())
    return taken


def missing_labels(y):
    """Return which labels are missing: NaN, None or NA, or -1 among integers."""
    y = as_labels(y)
    # With several outputs, a row that lacks one of them cannot be learnt from.
    if y.ndim > 1:
        return np.asarray([missing_labels(column) for column in y.T]).any(axis=0)
    if y.dtype.kind == "i":
        # The mark of scikit-learn's semi-supervised estimators.
        return y == -1
    if y.dtype.kind == "f":
        return np.isnan(y)
    if y.dtype.kind == "O":
        return np.array([is_missing(label) for label in y], dtype=bool)
    return np.zeros(y.shape[0], dtype=bool)


def is_missing(label):
    if label is None:
        return True
    if isinstance(label, float | np.floating):
        return bool(np.isnan(label))
    # By name, because pandas need not be installed.
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
        # Integers have no other mark, so -1 may not be a class as well.
        negative = y == -1
        if (negative & is_source).any() and (negative & ~is_source).any():
            raise ValueError(
                "y has the label -1 on source rows, where it is a class, and on target rows, "
                "where it may mean 'missing'. Recode the classes, for example to {0, 1}, or mark "
                "missing labels with NaN (None among text), as skda.stack_domains does."
            )
    return is_source | ~missing_labels(y)


def missing_like(labels, shape):
    """Return missing labels of this shape, and the labels in a type that can hold them."""
    if labels.dtype.kind in "iu" and labels.size and np.abs(labels).max() < _EXACT_IN_FLOAT64:
        labels = labels.astype(np.float64)
    if labels.dtype.kind == "f":
        return np.full(shape, np.nan, dtype=labels.dtype), labels
    return np.full(shape, None, dtype=object), labels.astype(object)


def spread_labels(known, rows, n_samples):
    """Return labels of all rows: the known ones at these rows, missing ones elsewhere."""
    y, known = missing_like(known, (n_samples, *known.shape[1:]))
    y[rows] = known
    return y


def join_labels(known):
    """Concatenate label arrays of different domains without turning numbers into text."""
    # concatenate would turn [1] and ['a'] into ['1', 'a']; objects keep what they are.
    kinds = {"number" if y.dtype.kind in "iuf" else y.dtype.kind for y in known}
    if len(kinds) > 1:
        known = [y.astype(object) for y in known]
    return np.concatenate(known)
