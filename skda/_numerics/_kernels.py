"""Kernels in the Python array API: matrices, bandwidths, tiled sums, Nyström and Fourier features.

Matrices are filled a cache-sized tile at a time, so that one n x m buffer is all that is held.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn import get_config
from sklearn.utils import check_random_state

from .._array._arithmetic import safe_divide
from .._array._backend import as_like, backend_of, device_of, itemsize, namespace
from .._array._rows import row_tiles, take_rows
from ._linalg import spd_eigen
from ._threads import run_parallel

KERNELS = ("rbf", "linear", "poly", "laplacian", "cosine", "sigmoid")
_TILE_BYTES = 2**19  # of a tile: it and its exponential stay in the cache, mapped once
_GPU_TILE_BYTES = 2**27  # large enough to hide the launch of a kernel
_EXPONENTIAL = 50  # products of numbers that take as long as one exponential


def pairwise_sq_dists(X, Y=None):
    """Squared Euclidean distances between the rows of X and of Y, none negative."""
    left, right = _centred(X, Y)
    # The expanded square leaves rounding on the diagonal, whose square root would be far from 0.
    return _Tiling(left, right, _sq_dist_tile, symmetric=Y is None, diagonal=0.0).matrix()


def nearest_rows(X, Y):
    """Return for each row of X the index of the nearest row of Y, of equal ones the first."""
    xp = namespace(X)
    (X, _), (Y, squares) = _centred(X, Y)
    # ‖x-y‖² without ‖x‖², which is the same for all rows of Y: a product and one sum a pair.
    slopes = -2.0 * Y.T
    memory = get_config()["working_memory"] * 2**20
    # On the host a tile stays in the cache between the product, the sum and the search.
    on_host = isinstance(X, np.ndarray)
    row_bytes = Y.shape[0] * itemsize(X)
    tiles = row_tiles(X.shape[0], row_bytes, **({} if on_host else {"tile_bytes": memory / 3}))
    found = []
    for tile in tiles:
        scores = X[tile, :] @ slopes
        scores += squares
        found.append(xp.argmin(scores, axis=1))
    return xp.concat(found)


def kernel_matrix(X, Y=None, *, kernel="rbf", gamma=1.0, degree=3, coef0=1.0):
    """Kernel matrix between the rows of X and of Y (of X itself by default).

    Parameters
    ----------
    X : array of shape (n, d)
    Y : array of shape (m, d), default=None
    kernel : str or callable, default="rbf"
        One of ``KERNELS``, "precomputed" (X is the matrix, returned as it is), or a function of two
        arrays of rows that returns their kernel matrix.
    gamma : float, default=1.0
        Of rbf ``exp(-gamma ‖x-y‖²)``, laplacian ``exp(-gamma ‖x-y‖₁)``, poly
        ``(gamma xᵀy + coef0)^degree`` and sigmoid ``tanh(gamma xᵀy + coef0)``; see
        :func:`resolve_gamma`.
    degree, coef0 : float
        Of the poly and sigmoid kernels.

    Returns
    -------
    K : array of shape (n, m)
    """
    if callable(kernel):
        return _checked_callable(kernel, X, X if Y is None else Y)
    check_kernel(kernel)
    if kernel == "precomputed":
        return X
    # A single matrix product, which BLAS cuts into tiles and threads itself.
    if kernel in ("linear", "cosine"):
        if kernel == "cosine":
            X, Y = unit_rows(X), None if Y is None else unit_rows(Y)
        return X @ (X if Y is None else Y).T
    return kernel_tiling(X, Y, kernel=kernel, gamma=gamma, degree=degree, coef0=coef0).matrix()


def check_kernel(kernel):
    """Raise unless this is the name of a kernel or a function."""
    if not callable(kernel) and kernel not in (*KERNELS, "precomputed"):
        raise ValueError(
            f"kernel must be a function of two arrays or one of {[*KERNELS, 'precomputed']}; "
            f"got {kernel!r}."
        )


def _checked_callable(kernel, X, Y):
    K = kernel(X, Y)
    expected = (X.shape[0], Y.shape[0])
    shape = getattr(K, "shape", None)
    if shape is None or tuple(shape) != expected:
        got = f"a {type(K).__name__}" if shape is None else f"shape {tuple(shape)}"
        raise ValueError(
            f"kernel must return the matrix between all rows, of shape {expected}; got {got}. "
            "A function of two single rows can be wrapped with "
            "sklearn.metrics.pairwise_distances(X, Y, metric=function)."
        )
    # A user's function may return an array of another library or precision.
    return backend_of(X).asarray(K, X.dtype)


class _Tiling(NamedTuple):
    """A matrix between rows, made a tile at a time; of rows to themselves where symmetric.

    A side is a tuple of row-aligned arrays: the rows and, for distances, their norms.
    """

    left: tuple
    right: tuple
    function: Callable  # of a part of the left and a part of the right side
    symmetric: bool
    diagonal: float | None = None  # what a row is to itself, where rounding would miss it
    parallel: bool = True  # whether the function may run in several threads

    def tile(self, rows, columns):
        """Entries in these rows and columns, two slices."""
        T = self.function(_part(self.left, rows), _part(self.right, columns))
        if not (self.symmetric and rows == columns):
            return T
        # The product of rows with themselves is symmetric only up to rounding; eigensolvers read
        # one half and would not see the other.
        T = (T + T.T) * 0.5
        if self.diagonal is None:
            return T
        xp = namespace(T)
        # By a mask: the array API cannot write to a diagonal.
        own = xp.eye(T.shape[0], dtype=T.dtype, device=device_of(T)) > 0
        return xp.where(own, xp.ones_like(T) * self.diagonal, T)

    def strips(self):
        """Slices of rows, each with the slices of columns: those from the diagonal if symmetric."""
        X, n, m = self.left[0], self.left[0].shape[0], self.right[0].shape[0]
        if not (self.parallel or self.symmetric):  # a call may be dear: few of them, of many rows
            # A sixteenth of what scikit-learn may use: the function needs memory for its own steps.
            budget = get_config()["working_memory"] * 2**20 // 16
            return [(s, [slice(0, m)]) for s in row_tiles(n, m * itemsize(X), tile_bytes=budget)]
        side = tile_side(X)
        rows, columns = (row_tiles(size, 1, tile_bytes=side, least=1) for size in (n, m))
        # Rows and columns of a symmetric matrix are cut alike, so that tile (i, i) is on the
        # diagonal.
        return [(strip, columns[i:] if self.symmetric else columns) for i, strip in enumerate(rows)]

    def share_out(self, work, tasks):
        """Call ``work(task)`` for every task, in threads where that helps."""
        if self.parallel:
            (n, width), m = self.left[0].shape, self.right[0].shape[0]
            # Half of a symmetric matrix is copied, not computed.
            operations = n * m * (width + _EXPONENTIAL) / (2 if self.symmetric else 1)
            run_parallel(work, tasks, like=self.left[0], operations=operations)
        else:
            # A user's function need not be safe in threads.
            for task in tasks:
                work(task)

    def matrix(self, out=None):
        """Return the whole matrix, in `out` if given; of two symmetric tiles one is computed."""
        X, K = self.left[0], out
        if K is None:
            shape = (X.shape[0], self.right[0].shape[0])
            K = namespace(X).empty(shape, dtype=X.dtype, device=device_of(X))

        def fill(strip):
            rows, parts = strip
            for columns in parts:
                T = self.tile(rows, columns)
                K[rows, columns] = T
                # Its mirror image is written by the same task, so that no entry is written by two
                # threads.
                if self.symmetric and rows != columns:
                    K[columns, rows] = T.T

        self.share_out(fill, self.strips())
        return K


def kernel_tiling(X, Y=None, *, kernel="rbf", gamma=1.0, degree=3, coef0=1.0):
    """Return what makes the matrix of :func:`kernel_matrix` in tiles; not for "precomputed"."""
    xp = namespace(X)
    symmetric = Y is None
    if kernel == "rbf":  # exp(2γ xᵀy − γ‖x‖² − γ‖y‖²) is the exponential of one product
        left, right, function = _gaussian_sides(X, Y, gamma=gamma)
        return _Tiling(left, right, function, symmetric, diagonal=1.0)
    if kernel == "cosine":
        X, Y = unit_rows(X), None if Y is None else unit_rows(Y)
    sides = (X,), (X if Y is None else Y,)
    if callable(kernel):
        return _Tiling(
            *sides, lambda A, B: _checked_callable(kernel, A[0], B[0]), symmetric, parallel=False
        )
    function = {
        "linear": lambda A, B: A[0] @ B[0].T,
        "cosine": lambda A, B: A[0] @ B[0].T,
        "laplacian": lambda A, B: xp.exp(_l1_tile(A[0], B[0]) * -gamma),
        "poly": lambda A, B: (A[0] @ B[0].T * gamma + coef0) ** degree,
        "sigmoid": lambda A, B: xp.tanh(A[0] @ B[0].T * gamma + coef0),
    }[kernel]
    return _Tiling(*sides, function, symmetric)


def _gaussian_sides(X, Y=None, *, gamma):
    """Two sides, and the function that makes ``exp(-gamma ‖x-y‖²)`` of a part of each.

    The exponents are products of their rows. Rounding can make one positive, by ``eps gamma ‖x‖²``
    at the most, so they are cut at 0 where that is more than a trifle.
    """
    xp = namespace(X)
    left, right = _gaussian_factors(X, Y, gamma=gamma)
    longest = -min(float(xp.min(left[:, -2])), float(xp.min(right[:, -1])))
    # Below, an entry exceeds 1 by a thousandth at most, and the cut would be one more pass.
    if longest * float(xp.finfo(X.dtype).eps) < 1e-3:
        return (left,), (right,), lambda A, B: xp.exp(A[0] @ B[0].T)
    return (left,), (right,), lambda A, B: xp.exp(xp.clip(A[0] @ B[0].T, max=0.0))


def _gaussian_factors(X, Y, *, gamma):
    """Left rows of X and right rows of Y whose products are the exponents ``-gamma ‖x-y‖²``."""
    xp = namespace(X)
    shift = xp.mean(X if Y is None else Y, axis=0)

    def sides(Z):
        Z = (Z - shift) * (2.0 * gamma) ** 0.5
        norms = xp.sum(Z * Z, axis=1, keepdims=True) * -0.5
        ones = xp.ones_like(norms)
        # Row times row is zᵀz' - ½‖z‖² - ½‖z'‖² = -½‖z - z'‖²: the exponent in one product.
        return xp.concat([Z, norms, ones], axis=1), xp.concat([Z, ones, norms], axis=1)

    # Distances do not depend on the origin; about the mean the norms are small and cancel less.
    left, right = sides(X)
    return left, right if Y is None else sides(Y)[1]


def _centred(X, Y):
    """Shift both by one mean: distances stay, and the expanded square does not cancel."""
    xp = namespace(X)
    shift = xp.mean(X if Y is None else Y, axis=0)
    left = _with_norms(X - shift)
    return left, left if Y is None else _with_norms(Y - shift)


def _with_norms(X):
    return X, namespace(X).sum(X * X, axis=1)


def _sq_dist_tile(A, B):
    xp = namespace(A[0])
    D = A[0] @ B[0].T
    # In place, so that a tile and nothing else stays in the cache.
    D *= -2.0
    D += xp.reshape(A[1], (-1, 1))
    D += xp.reshape(B[1], (1, -1))
    # Rounding can make the distance of near rows negative, and its root NaN.
    return xp.clip(D, min=0.0)


def _l1_tile(A, B):
    xp = namespace(A)
    # There is no product for city-block distances: the (rows, m, d) differences of a few rows at a
    # time.
    rows = row_tiles(A.shape[0], itemsize(A) * B.shape[0] * A.shape[1], least=1)
    parts = [
        xp.sum(xp.abs(xp.expand_dims(A[r, :], axis=1) - xp.expand_dims(B, axis=0)), axis=2)
        for r in rows
    ]
    return xp.concat(parts, axis=0)


def unit_rows(X):
    """Rows scaled to unit length; rows of zeros stay."""
    norms = namespace(X).linalg.vector_norm(X, axis=1, keepdims=True)
    return X * safe_divide(namespace(X).ones_like(norms), norms)


def _part(side, rows):
    return tuple(_rows(a, rows) for a in side)


def _rows(a, rows):
    return a[rows, :] if a.ndim == 2 else a[rows]


def tile_side(X):
    """Rows of a square tile that suits the device of X."""
    tile_bytes = _GPU_TILE_BYTES if "cuda" in str(device_of(X)).lower() else _TILE_BYTES
    return int((tile_bytes / itemsize(X)) ** 0.5)


def median_sq_dist(X, *, max_rows=1000, random_state=None):
    """Square of the median distance between two rows; of a draw if there are over ``max_rows``.

    Where more than half of the pairs coincide, the mean squared distance stands in; where all
    do, 1.
    """
    return _median_pair(subsample(X, max_rows, random_state), pairwise_sq_dists, square=True)


def _median_pair(X, distances, *, square):
    xp = namespace(X)
    n = X.shape[0]
    # A single row has no distances; any width serves.
    if n < 2:
        return 1.0
    D = distances(X)
    # Every pair stands twice in D and the diagonal, set to the least value, comes first.
    D = xp.where(xp.eye(n, dtype=xp.bool, device=device_of(D)), -xp.ones_like(D), D)
    flat = xp.reshape(D, (-1,))
    # Then n (n - 1) distances, an even number: the median is between the middle two.
    middle = n + n * (n - 1) // 2
    if isinstance(flat, np.ndarray):
        flat = np.partition(flat, [middle - 1, middle])  # a tenth of the time of sorting
    else:
        flat = xp.sort(flat)
    low, high = float(flat[middle - 1]), float(flat[middle])
    # The median of the distances is wanted, so roots are averaged, not squares.
    median = ((math.sqrt(low) + math.sqrt(high)) / 2) ** 2 if square else (low + high) / 2
    if median > 0:
        return median
    # The n entries of -1 on the diagonal are added back.
    mean = (float(xp.sum(flat)) + n) / (n * (n - 1))
    return mean if mean > 0 else 1.0


def subsample(X, max_rows, random_state):
    """Return X, or a draw of ``max_rows`` of its rows in their order."""
    n = X.shape[0]
    if n <= max_rows:
        return X
    rows = check_random_state(random_state).choice(n, max_rows, replace=False)
    # Sorted, so that memory is read in one direction.
    return take_rows(X, np.sort(rows))


def resolve_gamma(gamma, X, *, kernel="rbf", max_rows=1000, random_state=None) -> float:
    """The number that ``gamma`` stands for on these rows.

    "median" is ``1/(2 median²)`` of the distances (laplacian: ``1/median`` of the city-block
    ones); "scale" is ``1/(d var(X))``. For poly and sigmoid both are "scale".
    """
    check_kernel(kernel)
    # These have no width.
    if callable(kernel) or kernel in ("linear", "cosine", "precomputed"):
        return 1.0
    if isinstance(gamma, str):
        if gamma == "median" and kernel == "rbf":
            return 0.5 / median_sq_dist(X, max_rows=max_rows, random_state=random_state)
        if gamma == "median" and kernel == "laplacian":
            part = subsample(X, max_rows, random_state)
            return 1.0 / _median_pair(part, lambda Z: _l1_tile(Z, Z), square=False)
        if gamma in ("median", "scale"):
            variance = float(namespace(X).var(X))
            # Where all entries are equal there is no scale to take.
            return 1.0 / (X.shape[1] * variance) if variance > 0 else 1.0
    # True is an integer to Python, but no width.
    elif isinstance(gamma, int | float | np.number) and not isinstance(gamma, bool):
        gamma = float(gamma)
        if 0 < gamma < math.inf:
            return gamma
    raise ValueError(f"gamma must be a positive number, 'median' or 'scale'; got {gamma!r}.")


def kernel_row_means(X, Y, **kernel_params):
    """Mean of ``k(x, y)`` over the rows y of Y, for each row x: shape (n,), in tiles of memory."""
    return kernel_apply(X, Y, namespace(Y).ones_like(Y[:, 0]) / Y.shape[0], **kernel_params)


def kernel_apply(X, Y, coef, *, kernel="rbf", **kernel_params):
    """``k(X, Y) coef`` in tiles of memory, without the n x m matrix."""
    if kernel == "precomputed":
        return X @ coef
    check_kernel(kernel)
    tiling = kernel_tiling(X, Y, kernel=kernel, **kernel_params)
    strips = tiling.strips()
    parts = [None] * len(strips)

    def apply(i):
        rows, columns = strips[i]
        parts[i] = sum(tiling.tile(rows, part) @ _rows(coef, part) for part in columns)

    tiling.share_out(apply, range(len(strips)))
    return namespace(X).concat(parts, axis=0)


def kernel_mean(X, Y, **kernel_params) -> float:
    """Mean of ``k(x, y)`` over all pairs of rows, without the n x m matrix."""
    return float(namespace(X).mean(kernel_row_means(X, Y, **kernel_params)))


class NystroemMap(NamedTuple):
    """Features ``k(x, L) K_LL^{-1/2}`` on landmark rows L."""

    landmarks: Any
    normalizer: Any
    params: dict

    def __call__(self, X):
        return kernel_matrix(X, self.landmarks, **self.params) @ self.normalizer


def nystroem_map(X, n_landmarks, *, random_state=None, rows=None, **kernel_params) -> NystroemMap:
    """Nyström features (Williams and Seeger 2001) on rows of X drawn without replacement.

    ``rows`` gives the landmarks instead of a draw. Directions in which the landmarks' kernel matrix
    has less than ``√eps`` of its largest eigenvalue are left out, since rounding would be magnified
    by their inverse; so there may be fewer features than landmarks.
    """
    if rows is None:
        n = X.shape[0]
        rows = check_random_state(random_state).permutation(n)[: min(n_landmarks, n)]
    landmarks = take_rows(X, np.sort(rows))
    values, vectors = spd_eigen(kernel_matrix(landmarks, **kernel_params))
    xp = namespace(X)
    kept = values > values[-1] * math.sqrt(float(xp.finfo(X.dtype).eps))
    rank = int(xp.sum(xp.astype(kept, xp.int64)))
    # Eigenvalues ascend: those that are kept are the last.
    first = values.shape[0] - rank
    values, vectors = values[first:], vectors[:, first:]
    return NystroemMap(landmarks, vectors * values**-0.5, kernel_params)


class FourierMap(NamedTuple):
    """Features ``[cos Xω, sin Xω] / √D`` whose inner products approximate a kernel."""

    frequencies: Any

    def __call__(self, X):
        xp = namespace(X)
        angles = X @ self.frequencies
        scale = self.frequencies.shape[1] ** -0.5
        return xp.concat([xp.cos(angles), xp.sin(angles)], axis=1) * scale


def fourier_map(X, n_features, *, kernel="rbf", gamma=1.0, random_state=None) -> FourierMap:
    """Random Fourier features (Rahimi and Recht 2007) of the rbf or laplacian kernel."""
    rng = check_random_state(random_state)
    # Each frequency gives two features, a cosine and a sine.
    shape = (X.shape[1], max(1, n_features // 2))
    if kernel == "rbf":
        # Bochner's theorem: the spectral density of exp(-γ‖x‖²) is normal, of variance 2γ.
        frequencies = rng.standard_normal(shape) * math.sqrt(2.0 * gamma)
    elif kernel == "laplacian":
        # That of exp(-γ‖x‖₁) is a product of Cauchy densities of scale γ.
        frequencies = rng.standard_cauchy(shape) * gamma
    else:
        raise ValueError(
            f"Random Fourier features exist for kernel='rbf' and 'laplacian'; got {kernel!r}. Use "
            "the Nyström features for other kernels."
        )
    return FourierMap(as_like(frequencies, X))
