"""Dask itself, which is imported when it is first needed, and what it does for us."""

from functools import partial, reduce

import sklearn


def engine():
    """Return the package dask; raise an error that names the extra if it is not there."""
    try:
        import dask
        import dask.array
        import dask.dataframe
    except ImportError as error:
        raise ImportError(
            "skda.dask needs dask, which is not installed: pip install 'skda[dask]'"
        ) from error
    return dask


def whole(value):
    """Return a value as one node of a graph, sent once however many tasks use it."""
    return engine().delayed(value, pure=False, traverse=False)


def task(function, *args):
    """Return a task that calls a function under the scikit-learn configuration of this thread."""
    # Workers are other threads or processes, whose configuration is their own.
    call = partial(_configured, sklearn.get_config(), function)
    return engine().delayed(call, pure=False)(*args)


def _configured(config, function, *args):
    with sklearn.config_context(**config):
        return function(*args)


def row_blocks(X):
    """Return the blocks of rows of a dask array or data frame, as delayed objects."""
    if is_frame(X):
        return X.to_delayed()
    return X.to_delayed().ravel().tolist()


def is_collection(X):
    """Return whether X is a dask array, series or data frame."""
    return engine().is_dask_collection(X) and (hasattr(X, "to_delayed"))


def is_frame(X):
    """Return whether a dask collection is a data frame or series."""
    return hasattr(X, "map_partitions")


def has_known_rows(X):
    """Return whether the number of rows of every block is known without computing it."""
    return not is_frame(X) and not any(size != size for size in X.chunks[0])  # NaN if unknown


def merge_in_tree(parts, merge, *, width=8):
    """Return one task that merges the results of others, `width` at a time."""
    # In a tree, because one task that takes all parts would need all of them in its memory.
    while len(parts) > 1:
        groups = [parts[i : i + width] for i in range(0, len(parts), width)]
        parts = [task(partial(_merge_all, merge), *group) for group in groups]
    return parts[0]


def _merge_all(merge, *parts):
    return reduce(merge, parts)
