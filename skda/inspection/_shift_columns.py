"""Rows of any container as standardized numbers, with notes on what is missing, new or left out."""

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.decomposition import TruncatedSVD

from ._feature_shift import MISSING, _check_table, columns_of

# More different texts than both of these (the second in parts of the rows) are names or free text.
_MOST_CATEGORIES, _MOST_CATEGORY_PART = 50, 0.2
_MOST_DUMMIES = 30  # categories of a column that get a feature of their own, the most frequent
_MOST_DENSE = 500  # columns of a sparse matrix from which it is reduced instead of filled up
_N_COMPONENTS = 50  # to which it is reduced


class Columns(NamedTuple):
    """What the tests read, and what was noticed on the way."""

    matrix: np.ndarray  # (n, d), standardized over all rows, without gaps
    table: Any  # what feature_shift takes: without the columns that were left out
    n_features: int
    left_out: list
    missing: dict  # name: proportion in the source and in the target
    new_categories: dict  # name: categories that only the target has
    reduced: bool


def read_columns(X, ids, random_state):
    """Return the rows as numbers: dummies for categories, medians and a mark for gaps."""
    if sparse.issparse(X):
        return _read_sparse(X.tocsr(), random_state)
    _check_table(X)
    parts, kept, left_out, missing, new = [], [], [], {}, {}
    for name, values in columns_of(X):
        if values.dtype.kind == "f":
            gaps, numbers = _numbers(name, values)
            parts.append(numbers)
        else:
            gaps = values == MISSING
            found = np.unique(values[~gaps])
            if len(found) > max(_MOST_CATEGORIES, _MOST_CATEGORY_PART * len(values)):
                left_out.append(name)
                continue
            only = sorted(set(values[(ids < 0) & ~gaps]) - set(values[ids >= 0]))
            if only:
                new[name] = [str(value) for value in only]
            parts.append(_dummies(values))
        kept.append(name)
        if gaps.any():
            missing[name] = (float(gaps[ids >= 0].mean()), float(gaps[ids < 0].mean()))
    if not kept:
        raise ValueError(
            f"X must have a column of numbers or categories; got text only: {left_out[:5]}. "
            "Turn the text into features first, for example with a TfidfVectorizer."
        )
    matrix = _standardized(np.column_stack(parts))
    table = X
    if left_out:  # only frames can have lost a column of text with a name of their own
        table = _without(X, left_out)
    return Columns(matrix, table, len(kept) + len(left_out), left_out, missing, new, False)


def _read_sparse(X, random_state):
    if not np.isfinite(X.data).all():
        raise ValueError("X must not hold NaN or infinity where it is sparse. Fill the gaps first.")
    reduced = X.shape[1] > _MOST_DENSE
    if reduced:
        n_components = min(_N_COMPONENTS, min(X.shape) - 1)
        values = TruncatedSVD(n_components, random_state=random_state).fit_transform(X)
    else:
        values = X.toarray()
    values = values.astype(np.float64)
    return Columns(_standardized(values), values, X.shape[1], [], {}, {}, reduced)


def _numbers(name, values):
    """Return which values are missing, and the feature with the median in their place."""
    gaps = np.isnan(values)
    if np.isinf(values).any():
        raise ValueError(f"X must not hold infinity; column {name!r} does. Replace it by NaN.")
    if not gaps.any():
        return gaps, values[:, None]
    middle = np.median(values[~gaps]) if not gaps.all() else 0.0
    # That a value is missing may be what differs.
    return gaps, np.column_stack([np.where(gaps, middle, values), gaps])


def _dummies(values):
    names, counts = np.unique(values, return_counts=True)
    often = names[np.argsort(-counts, kind="stable")[:_MOST_DUMMIES]]
    return (values[:, None] == often[None, :]).astype(np.float64)


def _standardized(values):
    spread = values.std(axis=0)
    return (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)


def _without(X, names):
    """Return a table without these columns, which were named by feature_shift's rule."""
    if hasattr(X, "columns"):
        return X[[name for name in X.columns if str(name) not in names]]
    kept = [i for i in range(np.shape(X)[1]) if f"x{i}" not in names]
    return np.asarray(X, dtype=object)[:, kept]
