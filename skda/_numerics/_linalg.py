"""Linear algebra that the methods share, in the Python array API.

Powers of symmetric positive semi-definite matrices (dense, and of low rank for more features than
rows), leading eigenpairs of a symmetric operator, and solves.
"""

import math
from typing import Any, NamedTuple

from scipy import linalg
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from .._array._arithmetic import safe_divide
from .._array._backend import _eps, as_like, backend_of, device_of, namespace
from .._array._warnings import warn_user

# Sizes up to which, and shares 1/x of all pairs from which, LAPACK finds all pairs sooner than
# block Lanczos finds some.
_DENSE_SIZE, _DENSE_SHARE = 256, 4
_MEDIUM_SIZE, _MEDIUM_SHARE = 1000, 10
_REACHABLE = 0.75  # power of eps down to which residuals fall reliably; rounding ends at about 1
_CACHED_SIZE = 1500  # up to which a matrix stays in the cache, where narrow blocks waste least
_SMALLEST_BLOCK, _CACHED_BLOCK, _LARGEST_BLOCK = 4, 8, 16  # columns that are multiplied at once
_BLOCKS_TO_RESTART = 12  # beyond the kept vectors
_CHECK_EVERY = 2  # products; a check costs about as much as a product of a small matrix
_LOST = 100.0  # times eps: the length below which what is left of a unit vector is rounding


def _trace(C) -> float:
    return float(namespace(C).linalg.trace(C))


class SPDEigen(NamedTuple):
    """Eigenpairs of a symmetric positive semi-definite matrix, from which any power follows.

    Eigenvalues ascend; those that are zero to working precision are exactly zero.
    """

    values: Any
    vectors: Any

    def power(self, p, *, reg=0.0):
        """``(C + reg I)^p``; with ``reg=0`` and ``p < 0`` the power on the range of C."""
        xp = namespace(self.values)
        # Half of the power twice: the product with its own transpose is symmetric by construction.
        half = self.vectors * _safe_power(xp, self.values + reg, p / 2)
        return half @ half.T


def _safe_power(xp, w, p):
    """w^p where w > 0, and 0 where w = 0 (for every p)."""
    positive = w > 0
    return xp.where(positive, xp.where(positive, w, xp.ones_like(w)) ** p, xp.zeros_like(w))


def _zero_noise(w):
    """Set to zero what is below ``eps · n · max``; refuse what is truly negative."""
    xp = namespace(w)
    top = float(xp.max(xp.abs(w)))
    lowest = float(xp.min(w))
    # Rounding leaves eigenvalues of about -eps n top; what is far below is not rounding.
    if lowest < -math.sqrt(_eps(w)) * top:
        raise ValueError(
            f"The matrix is not positive semi-definite: its eigenvalues run from {lowest:.3g} to "
            f"{float(xp.max(w)):.3g}."
        )
    return xp.where(w > _eps(w) * w.shape[0] * top, w, xp.zeros_like(w))


def spd_eigen(C) -> SPDEigen:
    """Eigenpairs of a symmetric positive semi-definite matrix."""
    xp = namespace(C)
    values, vectors = xp.linalg.eigh(C)
    return SPDEigen(_zero_noise(values), vectors)


def spd_power(C, p, *, reg=0.0):
    """``(C + reg I)^p`` of a positive semi-definite C; a pseudo-power if reg=0 and p<0."""
    return spd_eigen(C).power(p, reg=reg)


def whiten(X, mean, eigen: SPDEigen, *, reg=0.0):
    """Rows with the identity for covariance: ``(X - mean)(C + reg I)^{-1/2}``."""
    return (X - mean) @ eigen.power(-0.5, reg=reg)


class LowRankPower(NamedTuple):
    """``(FᵀF + reg I)^p = scale I + Fᵀ core F``, where F has fewer rows than columns."""

    scale: float
    core: Any

    def apply(self, X, F):
        """``X (FᵀF + reg I)^p`` without a d x d matrix."""
        return X * self.scale + ((X @ F.T) @ self.core) @ F


def low_rank_power(gram, p, *, reg=0.0) -> LowRankPower:
    r"""Power of ``FᵀF + reg I`` from the Gram matrix ``FFᵀ`` of the rows of F.

    With ``FFᵀ = U S Uᵀ``, ``(FᵀF + λI)^p = λ^p I + Fᵀ U g(S) Uᵀ F`` and
    ``g(s) = ((s+λ)^p - λ^p)/s``. For p = ±1/2 the difference is rewritten so that nothing cancels.
    With λ = 0 it is the pseudo-power on the span of the rows. Only the Gram matrix is needed, so F
    may be sparse.
    """
    if reg < 0:
        raise ValueError(f"reg must not be negative; got {reg!r}.")
    return low_rank_powers(gram, (p,), reg=reg)[0]


def low_rank_powers(gram, powers, *, reg=0.0) -> list[LowRankPower]:
    """Several powers from one eigendecomposition, see :func:`low_rank_power`."""
    s, U = spd_eigen(gram)
    xp = namespace(s)
    out = []
    for p in powers:
        # Outside the span of the rows the matrix is zero, and so is its pseudo-power.
        if reg == 0:
            g, scale = _safe_power(xp, s, p - 1.0), 0.0
        # (√(s+λ) - √λ)/s multiplied out, and likewise below: no difference of near numbers is left.
        elif p == 0.5:
            g, scale = 1.0 / (xp.sqrt(s + reg) + math.sqrt(reg)), math.sqrt(reg)
        elif p == -0.5:
            root, base = xp.sqrt(s + reg), math.sqrt(reg)
            g, scale = -1.0 / (base * root * (base + root)), 1.0 / base
        else:
            # expm1 and log1p keep the difference accurate for s far below reg.
            scale = reg**p
            difference = xp.expm1(xp.log1p(s / reg) * p) * scale
            g = safe_divide(difference, s, fill=p * reg ** (p - 1.0))  # its limit at s = 0
        out.append(LowRankPower(scale, (U * g) @ U.T))
    return out


def fix_signs(V):
    """Flip columns so that the entry of largest magnitude of each is positive."""
    xp = namespace(V)
    where = xp.argmax(xp.abs(V), axis=0)
    # Entry (where[j], j) of each column j.
    peaks = xp.linalg.diagonal(xp.take(V, where, axis=0))
    return V * xp.where(peaks < 0, -xp.ones_like(peaks), xp.ones_like(peaks))


def top_eigenpairs(
    operator,
    k,
    *,
    n=None,
    like=None,
    which="largest",
    start=None,
    spare=0,
    tol=None,
    block=None,
    max_iter=300,
    random_state=0,
):
    """The k algebraically largest (or smallest) eigenpairs of a symmetric operator, best first.

    Parameters
    ----------
    operator : array of shape (n, n) or callable
        A symmetric matrix, or a function that multiplies an n x b block by it.
    k : int
        How many pairs.
    n : int, default=None
        Size of the operator; needed if it is a function.
    like : array, default=None
        Gives namespace, device and dtype; needed if ``operator`` is a function.
    which : {"largest", "smallest"}, default="largest"
        Which end of the spectrum.
    start : array of shape (n, m), default=None
        Vectors near the wanted ones, for a warm start.
    spare : int, default=0
        Further vectors to return, such as they are, for a warm start of a similar problem.
    tol : float, default=None
        Largest residual ``‖Av - λv‖`` relative to the largest ``|λ|``; ``eps^0.75`` by default, and
        at least.
    block : int, default=None
        Columns multiplied at once; at most 16 by default.
    max_iter : int, default=300
        Largest number of products with a block; beyond it a ConvergenceWarning is given.
    random_state : int, RandomState or None, default=0
        Draws the first block.

    Returns
    -------
    values : array of shape (k,)
    vectors : array of shape (n, k + spare)
        Orthonormal, the largest entry of each positive.

    Notes
    -----
    Block Lanczos with full reorthogonalization and thick restarts; a dense eigendecomposition when
    n is small or k a good part of n, where it is the faster one.
    """
    if not callable(operator):
        matrix, n, like = operator, operator.shape[0], operator
        apply = matrix.__matmul__
    else:
        matrix, apply = None, operator
    if not 1 <= k <= n:
        raise ValueError(f"k must be between 1 and the size of the operator, {n}; got {k!r}.")
    xp = namespace(like)
    sign = -1.0 if which == "smallest" else 1.0
    few = n <= _DENSE_SIZE or _DENSE_SHARE * k >= n
    if few or (n <= _MEDIUM_SIZE and _MEDIUM_SHARE * k >= n):
        if matrix is None:
            # So small that the matrix of the operator costs less than the iteration.
            matrix = apply(xp.eye(n, dtype=like.dtype, device=device_of(like)))
            matrix = (matrix + matrix.T) * 0.5
        values, vectors = xp.linalg.eigh(matrix)
        if sign > 0:
            values, vectors = xp.flip(values), xp.flip(vectors, axis=1)
        return values[:k], fix_signs(vectors[:, : k + spare])

    def signed(V):
        return apply(V) if sign > 0 else -apply(V)

    values, vectors = _block_lanczos(
        signed,
        k,
        n=n,
        like=like,
        start=start,
        tol=max(_eps(like) ** _REACHABLE, tol or 0.0),
        block=_block_width(n, k) if block is None else block,
        max_iter=max_iter,
        rng=check_random_state(random_state),
    )
    return values * sign, fix_signs(vectors[:, : k + spare])


def _block_width(n, k):
    """Columns to multiply at once: more where the matrix comes from memory, not from the cache."""
    widest = _CACHED_BLOCK if n < _CACHED_SIZE else _LARGEST_BLOCK
    return min(widest, max(_SMALLEST_BLOCK, 2 * k))


def _block_lanczos(apply, k, *, n, like, start, tol, block, max_iter, rng):
    xp = namespace(like)
    # A restart keeps the wanted vectors and a block of the next ones, which converge with them.
    kept = min(k + block, n // 3)
    # The more vectors between restarts the fewer products, but each is orthogonalized to all.
    most = min(max(2 * k + 2 * block, kept + _BLOCKS_TO_RESTART * block), n - block)

    def draw(columns):
        return as_like(rng.standard_normal((n, columns)), like)

    warm = start is not None
    Q = _orthonormal(start if warm else draw(block), None, draw)
    AQ = apply(Q)
    AV = AQ
    for products in range(1, max_iter + 1):
        full = Q.shape[1] + block > most
        check_now = products % _CHECK_EVERY == 0 and Q.shape[1] > k
        # Vectors of a warm start may be good enough already: they are checked at once.
        if full or check_now or products == max_iter or (warm and products == 1):
            if not warm:
                V = _orthonormal(AV, Q, draw)  # leaves the basis before that is compressed
            # The basis is compressed only when it is full (thick restart).
            theta, Q, AQ = _rayleigh_ritz(Q, AQ, max(kept, k) if full else Q.shape[1])
            residual = AQ - Q * theta
            worst = float(xp.max(xp.linalg.vector_norm(residual[:, :k], axis=0)))
            # The zero matrix has converged, too, and must not divide by 0.
            scale = max(float(xp.max(xp.abs(theta))), float(xp.finfo(like.dtype).smallest_normal))
            if worst <= tol * scale:
                break
            if products == max_iter:
                warn_user(
                    f"The leading {k} eigenvectors did not converge in {max_iter} products: "
                    f"relative residual {worst / scale:.2g}, wanted {tol:.2g}.",
                    ConvergenceWarning,
                )
                break
            if warm:
                V = _orthonormal(_leading_directions(residual[:, :k], block), Q, draw)
        else:
            V = _orthonormal(AV, Q, draw)
        AV = apply(V)
        Q, AQ = xp.concat([Q, V], axis=1), xp.concat([AQ, AV], axis=1)
    return theta[:k], Q


def _rayleigh_ritz(Q, AQ, keep):
    """Best approximations within the span of Q, the largest first: values, vectors, images."""
    xp = namespace(Q)
    H = Q.T @ AQ
    theta, Z = xp.linalg.eigh((H + H.T) * 0.5)
    theta, Z = xp.flip(theta)[:keep], xp.flip(Z, axis=1)[:, :keep]
    return theta, Q @ Z, AQ @ Z


def _leading_directions(R, count):
    """The ``count`` directions in which the columns of R are largest.

    After a warm start the residuals do not lie in one new block, as they do in a Krylov space.
    """
    xp = namespace(R)
    _, Z = xp.linalg.eigh(R.T @ R)
    return R @ xp.flip(Z, axis=1)[:, :count]


def _orthonormal(V, Q, draw):
    """Orthonormal basis of V orthogonal to Q; directions that vanish are replaced by random ones.

    Projected twice: what rounding leaves of Q after the first time is taken away by the second.
    """
    xp = namespace(V)
    scale = xp.linalg.vector_norm(V, axis=0)
    V = V * safe_divide(xp.ones_like(scale), scale)
    if Q is not None:
        V = V - Q @ (Q.T @ V)
    V, R = xp.linalg.qr(V, mode="reduced")
    # A column that depends on the ones before leaves rounding only, in an arbitrary direction.
    lost = xp.abs(xp.linalg.diagonal(R)) < _LOST * _eps(V)
    if bool(xp.any(lost)):
        V = xp.where(xp.reshape(lost, (1, -1)), draw(V.shape[1]), V)
        if Q is not None:
            V = V - Q @ (Q.T @ V)
        V, _ = xp.linalg.qr(V, mode="reduced")
    if Q is not None:
        V, _ = xp.linalg.qr(V - Q @ (Q.T @ V), mode="reduced")
    return V


def plus_ridge(C, reg):
    """Return ``C + reg I``."""
    return C + namespace(C).eye(C.shape[0], dtype=C.dtype, device=device_of(C)) * float(reg)


def spd_solve(A, B):
    """Solve ``A X = B`` for a positive definite A, which may be overwritten, and a matrix B.

    By Cholesky in NumPy; the array API has no triangular solve, so other backends use their general
    solver.
    """
    if backend_of(A).is_numpy:
        try:
            # The transpose is the same matrix in the order that LAPACK can work on in place.
            factor = linalg.cho_factor(A.T, lower=True, overwrite_a=True, check_finite=False)
        except linalg.LinAlgError as error:
            raise ValueError("The matrix is not positive definite to working precision.") from error
        return linalg.cho_solve(factor, B, check_finite=False)
    return namespace(A, B).linalg.solve(A, B)


def symmetric_times(A, x):
    """Multiply a symmetric matrix and a vector.

    On NumPy by the routine of SciPy that reads half the matrix. It shares its threads with
    :func:`spd_solve`; those of NumPy, which has its own, would wait in their way.
    """
    if backend_of(A).is_numpy and A.flags.c_contiguous:
        # The transpose is in Fortran order, which BLAS reads without a copy; so its lower half is
        # the upper half of A.
        symv = linalg.get_blas_funcs("symv", (A, x))
        return symv(1.0, A.T, x, lower=1)
    return A @ x
