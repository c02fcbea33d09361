"""Rows of any container: NumPy, torch, CuPy, pandas, polars, SciPy sparse, lists."""

import numpy as np
from scipy import sparse

from ._backend import Backend, namespace

# Rows of a tile stay in the cache between the steps that read them.
_TILE_BYTES = 2 * 2**20


def n_rows(X):
    """Return the number of rows of an array, frame, sparse matrix or list."""
    if hasattr(X, "shape"):
        return X.shape[0]
    check_has_rows("X", X)
    return len(X)


def check_has_rows(name, X):
    """Raise if X is a query of polars, of which nothing is known before it has run."""
    if type(X).__name__ == "LazyFrame" and is_polars(X):
        raise TypeError(
            f"{name} must be a table of rows; got a LazyFrame, which has none yet. Pass "
            f"{name}.collect()."
        )


def take_rows(X, rows):
    """Return the rows with these (host integer) indices from any row container.

    Consecutive rows of an array come back as a view.
    """
    if X is None:
        return None
    if hasattr(X, "iloc"):  # pandas
        return X.iloc[rows]
    if is_polars(X):
        return X[rows.tolist()]
    if sparse.issparse(X):
        # Some sparse formats cannot be indexed by row.
        return X.tocsr()[rows]
    if not hasattr(X, "shape"):  # list, tuple
        return [X[i] for i in rows]
    # Arrays from here on, of which consecutive rows are a view.
    rows = as_slice(rows)
    if isinstance(rows, slice) or isinstance(X, np.ndarray):
        return X[rows, ...]
    xp = namespace(X)
    return xp.take(X, Backend(xp, X.device).asarray(rows), axis=0)


def take_columns(X, columns, backend):
    """Return these columns of an array of a backend."""
    # take wants indices of the same library on the same device.
    return backend.xp.take(X, backend.asarray(np.asarray(columns, dtype=np.int64)), axis=1)


def join_rows(pieces, rows):
    """Put pieces back in place: piece i holds the rows with indices ``rows[i]``.

    The inverse of :func:`take_rows` over a partition of the rows. Array pieces come back as one
    array, sparse ones as CSR, data frames as a frame.
    """
    pieces = [piece for piece, index in zip(pieces, rows, strict=True) if len(index)]
    rows = [index for index in rows if len(index)]
    if len(pieces) == 1:
        return pieces[0]  # the partition has one part: all rows, in order
    joined = concatenate_rows(pieces)
    order = np.concatenate(rows)
    # The rows stood domain by domain, as stack_domains puts them: nothing to reorder.
    if (np.diff(order) == 1).all():
        return joined
    return take_rows(joined, np.argsort(order))


def as_slice(rows):
    """Return consecutive indices as a slice, which reads and writes without a copy."""
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all():
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


def is_polars(X):
    return type(X).__module__.partition(".")[0] == "polars"


def concatenate_rows(pieces):
    """Stack row containers of one kind."""
    first = pieces[0]
    if hasattr(first, "iloc"):
        import pandas

        return pandas.concat(pieces)
    if is_polars(first):
        import polars

        return polars.concat(pieces)
    if any(sparse.issparse(piece) for piece in pieces):
        return sparse.vstack(pieces, format="csr")
    xp = namespace(*pieces)
    return xp.concat(pieces, axis=0)


def concatenate_columns(frames, names):
    """Stack data frames under these columns; what a frame lacks is missing on its rows."""
    if is_polars(frames[0]):
        import polars

        frames = [frame.select([n for n in names if n in frame.columns]) for frame in frames]
        # Relaxed: integers in one frame and floats in another become floats.
        return polars.concat(frames, how="diagonal_relaxed").select(names)
    import pandas

    # Columns that a frame lacks are left to concat, so that the others decide on their type.
    frames = [frame[[n for n in names if n in frame.columns]] for frame in frames]
    return pandas.concat(frames, join="outer", sort=False)[names]


def row_tiles(n_rows, row_bytes, *, tile_bytes=_TILE_BYTES, least=256):
    """Slices that cut ``n_rows`` rows into tiles of about ``tile_bytes``."""
    # Of fewer rows than `least` the calls cost more than the cache saves.
    step = max(least, int(tile_bytes // max(row_bytes, 1)))
    return [slice(i, min(i + step, n_rows)) for i in range(0, n_rows, step)]
