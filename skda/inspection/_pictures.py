"""What the figures show, as arrays: paired histograms, and projections to two dimensions."""

import numpy as np
from sklearn.decomposition import PCA

from .._array._backend import to_numpy
from ._feature_shift import columns_of
from ._shift_columns import read_columns

_MOST_BARS = 12  # categories of a histogram, the most frequent
_QUANTILES = (0.005, 0.995)  # between which a histogram lies: a far value would hide all others


def paired_histogram(values, ids, n_bins):
    """Return the proportions of source and of target rows in common bins.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Floats, or text for categories.
    ids : ndarray of int of shape (n,)
    n_bins : int

    Returns
    -------
    edges : ndarray of shape (n_bins + 1,), or list of categories
    source, target : ndarray of shape (n_bins,)
    """
    sides = values[ids >= 0], values[ids < 0]
    if values.dtype.kind != "f":
        names, counts = np.unique(values, return_counts=True)
        edges = [str(name) for name in names[np.argsort(-counts, kind="stable")[:_MOST_BARS]]]
        return edges, *(np.array([(side == name).mean() for name in edges]) for side in sides)
    known = [side[~np.isnan(side)] for side in sides]
    together = np.concatenate(known)
    low, high = np.quantile(together, _QUANTILES) if len(together) else (0.0, 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, n_bins + 1)
    # What lies beyond counts in the outermost bins.
    counts = [np.histogram(np.clip(side, low, high), edges)[0] for side in known]
    return edges, *(count / max(len(side), 1) for count, side in zip(counts, sides, strict=True))


def feature_values(X, names):
    """Return the values of these features, by the names that feature_shift gives them."""
    found = dict(columns_of(X))
    return {name: found[name] for name in names}


def check_points(name, points, n):
    """Return points in the plane as floats, one for each of n rows."""
    points = np.asarray(to_numpy(points), dtype=np.float64)
    if points.shape != (n, 2) or not np.isfinite(points).all():
        raise ValueError(
            f"{name} must be finite numbers of shape {(n, 2)}, a point for each row; got shape "
            f"{points.shape}."
        )
    return points


def project(X, ids, moved=None, random_state=None):
    """Return all rows in the two directions of largest variance, and moved rows likewise.

    Moved rows with as many features as before are shown along the same directions, so that one
    sees where they went; others along directions of their own.
    """
    before, same = _numbers(X, ids, random_state)
    scale = _scale(before)
    n_components = min(2, before.shape[1])
    pca = PCA(n_components, svd_solver="full").fit(_scaled(before, scale))
    first = _two(pca.transform(_scaled(before, scale)))
    if moved is None:
        return first, None
    after, plain = _numbers(moved, ids, random_state)
    if not (same and plain and after.shape[1] == before.shape[1]):
        scale = _scale(after)
        n_components = min(2, after.shape[1])
        pca = PCA(n_components, svd_solver="full").fit(_scaled(after, scale))
    return first, _two(pca.transform(_scaled(after, scale)))


def _numbers(X, ids, random_state):
    """Return rows as numbers, and whether these are the features as they came."""
    columns = None if hasattr(X, "tocsr") else dict(columns_of(X))
    plain = columns is not None and all(
        values.dtype.kind == "f" and np.isfinite(values).all() for values in columns.values()
    )
    if plain:
        return np.column_stack(list(columns.values())), True
    return read_columns(X, ids, random_state).matrix, False


def _scale(values):
    spread = values.std(axis=0)
    return values.mean(axis=0), np.where(spread > 0, spread, 1.0)


def _scaled(values, scale):
    return (values - scale[0]) / scale[1]


def _two(values):
    """Return two columns: a single feature is shown along a line."""
    if values.shape[1] == 2:
        return values
    return np.column_stack([values, np.zeros(len(values))])
