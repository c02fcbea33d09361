"""Discrete optimal transport: cost matrices, exact plans, and the map that a plan stands for.

The exact plan is POT's network simplex on the host, imported on first use.
"""

import importlib
import math

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from .._array._arithmetic import safe_divide
from .._array._backend import backend_of, namespace, to_numpy
from .._array._warnings import warn_user
from ._budget import check_cost
from ._kernels import pairwise_sq_dists
from ._sinkhorn import Plan, sinkhorn_plan, uniform_mass

# Pairs from which the exact plan is priced in: below, the network simplex on all pairs is as fast.
_SPARSE_FROM = 250_000
_CANDIDATES = 20  # pairs per row to begin with; an optimal plan uses about two
_PRICING_ROUNDS = 20  # usually two to six; beyond, all pairs at once are cheaper
# The entropic plan only has to point at promising pairs: a fiftieth of the mean cost resolves them,
# and a hundredth of the mass may be misplaced.
_ROUGH_REG, _ROUGH_TOL, _ROUGH_ITER = 0.02, 1e-2, 300
# Measured: seconds of a plan, and the share of them that one from the last potentials takes.
_SIMPLEX_SECONDS, _SIMPLEX_POWER, _SINKHORN_SECONDS, _WARM = 5e-9, 1.25, 1e-7, 0.4
_PLAN_MATRICES = 3  # the costs, the plan and what it is made from are held at once
_ZERO_COST = 1e-10  # share of the largest cost up to which a negative reduced cost is rounding
_FEASIBLE = 1e-3  # missing share of a row's mass that is tolerance, not mass left out


def cost_matrix(X, Y, *, metric="sqeuclidean"):
    """Cost of moving each row of X to each row of Y.

    Parameters
    ----------
    X : array of shape (n, d)
    Y : array of shape (m, d)
    metric : {"sqeuclidean", "euclidean"} or callable, default="sqeuclidean"
        A callable gets X and Y and returns the matrix, in their array library.

    Returns
    -------
    M : array of shape (n, m)
    """
    if callable(metric):
        M = backend_of(X).asarray(metric(X, Y), X.dtype)
        if tuple(M.shape) != (X.shape[0], Y.shape[0]):
            raise ValueError(
                f"metric must return a matrix of shape {(X.shape[0], Y.shape[0])}, one cost for "
                f"each pair of rows; got shape {tuple(M.shape)}."
            )
        return M
    if metric == "sqeuclidean":
        return pairwise_sq_dists(X, Y)
    if metric == "euclidean":
        return namespace(X).sqrt(pairwise_sq_dists(X, Y))
    raise ValueError(f"metric must be 'sqeuclidean', 'euclidean' or a callable; got {metric!r}.")


def cost_unit(M, rule):
    """Return the number that counts as one unit of cost: the median, mean or maximum of M, or 1.

    Where that is zero (many duplicated rows) the next of median, mean and 1 is taken.
    """
    xp = namespace(M)
    if rule is None:
        return 1.0
    statistics = {"median": _median, "mean": xp.mean, "max": xp.max}
    if not isinstance(rule, str) or rule not in statistics:
        raise ValueError(f"cost_scale must be 'median', 'mean', 'max' or None; got {rule!r}.")
    scale = float(statistics[rule](M)) or float(xp.mean(M)) or 1.0
    if not math.isfinite(scale):
        raise ValueError(
            "The cost of moving source rows to target rows overflows. Scale the features first, "
            "for example with StandardScaler."
        )
    return scale


def _median(M):
    """Median of all entries, the lower one of the middle two."""
    xp = namespace(M)
    flat = xp.reshape(M, (-1,))
    middle = (flat.shape[0] - 1) // 2
    # Selection takes a fraction of the time of sorting; the array API has only the latter.
    if isinstance(M, np.ndarray):
        return np.partition(flat, middle)[middle]
    return xp.sort(flat)[middle]


def barycentric_map(coupling, Y, X, mass=None):
    """Mean of the rows of Y that the mass of each row of X goes to; mass that is left out stays.

    With the masses a row has (uniform by default), a row of which the plan moves only a share goes
    that share of the way to the mean, and one that is left out stays where it is.
    """
    xp = namespace(coupling)
    moved = xp.reshape(xp.sum(coupling, axis=1), (-1, 1))
    # Centered, so that a mean over rows far from zero does not lose digits.
    center = xp.mean(Y, axis=0)
    images = safe_divide(coupling @ (Y - center), moved) + center
    mass = uniform_mass(X.shape[0], X) if mass is None else mass
    share = moved / xp.reshape(mass, (-1, 1))
    # The solver's tolerance must not leave rows a trace short of their images.
    whole = share > 1.0 - _FEASIBLE
    return xp.where(whole, images, X + (images - X) * share)


def check_plan_sizes(who, sizes, like, *, exact, rounds=1.0, hint="Fit on a sample of the rows."):
    """Warn beforehand if plans between so many rows take long; raise if they do not fit.

    Parameters
    ----------
    who : str
        The estimator.
    sizes : list of (int, int)
        Numbers of source and target rows of each plan; they are made one after another.
    like : array
        Gives the size of an entry and the device.
    exact : bool
        Whether plans are exact, or entropic.
    rounds : float
        How many times each is solved, from its last solution.
    hint : str
        What to do instead.
    """
    n_source, n_target = max(sizes, key=math.prod)
    what = f"plans between {n_source} source rows and {n_target} target rows"
    if len(sizes) > 1:
        what = f"{len(sizes)} {what} or fewer"
    hint += " A number for reg is faster." if exact else ""
    pairs = np.array([math.prod(size) for size in sizes], dtype=float)
    first = _SIMPLEX_SECONDS * pairs**_SIMPLEX_POWER if exact else _SINKHORN_SECONDS * pairs
    seconds = float(first.sum()) * (1.0 + (rounds - 1.0) * _WARM)
    check_cost(who, what, _PLAN_MATRICES * n_source * n_target, seconds, like, hint=hint)


def exact_plan(M, a=None, b=None, *, start=None):
    """Plan of least cost, by POT's network simplex run to its end.

    Parameters
    ----------
    M : array of shape (n, m)
        Cost of each pair.
    a, b : array of shape (n,), (m,), default=None
        Masses of equal sum; uniform by default.
    start : tuple of arrays, default=None
        Potentials of a similar problem, to start from.

    Returns
    -------
    plan : Plan

    Notes
    -----
    Large problems are solved on the few pairs that the potentials of a rough entropic plan (or of
    `start`) make promising, and pairs whose reduced cost turns out negative are added until
    there are none: that the plan is optimal among all pairs is then proved by its potentials.
    Where their number does not fall fast, all pairs are solved at once, which is then cheaper.
    Arithmetic on the host.
    """
    backend = backend_of(M)
    # What POT's network simplex works on: contiguous rows in double precision.
    host = np.ascontiguousarray(to_numpy(M), dtype=np.float64)
    n, m = host.shape
    a = np.full(n, 1.0 / n) if a is None else np.asarray(to_numpy(a), dtype=np.float64)
    b = np.full(m, 1.0 / m) if b is None else np.asarray(to_numpy(b), dtype=np.float64)
    solved = None
    # Rows without mass have no logarithm in the rough entropic plan; on a small side nearly all
    # pairs would be candidates.
    if n * m >= _SPARSE_FROM and min(n, m) > 2 * _CANDIDATES and a.min() > 0 and b.min() > 0:
        start = _rough_potentials(host, a, b) if start is None else start
        if start is not None:
            start = tuple(to_numpy(p).astype(float) for p in start)
            solved = _simplex_on_candidates(host, a, b, start)
    # Where candidates did not lead to a proof of optimality, all pairs at once.
    coupling, log = solved or _simplex(host, a, b)
    if log["warning"] is not None:
        warn_user(
            f"Exact transport did not finish: {log['warning']} Scale the features, or pass reg > 0 "
            "for the entropic plan.",
            ConvergenceWarning,
        )
    error = float(np.abs(coupling.sum(1) - a).sum() + np.abs(coupling.sum(0) - b).sum())
    coupling = backend.asarray(coupling, M.dtype)
    potentials = tuple(backend.asarray(log[side], M.dtype) for side in ("u", "v"))
    return Plan(coupling, float(log["cost"]), potentials, 0, error)


def _rough_potentials(M, a, b):
    """Potentials of a rough entropic plan, or None where the costs lie too far apart for one."""
    reg = _ROUGH_REG * (float(np.mean(M)) or 1.0)
    try:
        plan = sinkhorn_plan(M, a=a, b=b, reg=reg, tol=_ROUGH_TOL, warn=False, max_iter=_ROUGH_ITER)
    # Refused because it overflows, which the simplex does not.
    except ValueError:
        return None
    return plan.potentials


def _simplex(M, a, b):
    """POT's network simplex; it ends by itself, the limit is there for cycling only."""
    return importlib.import_module("ot.lp").emd(a, b, M, numItermax=10**15, log=True)


def _simplex_on_candidates(M, a, b, potentials):
    """Exact plan by pricing in pairs.

    None where POT cannot do it (before 0.9.7), or where a round leaves more than half of the
    missing pairs missing, because the potentials are far off.
    """
    n, m = M.shape
    # Optimal up to rounding, which grows with the costs.
    slack = _ZERO_COST * float(np.max(np.abs(M)))
    reduced = M - potentials[0][:, None]
    # The best column potentials for these row potentials, so that no reduced cost is negative.
    reduced -= reduced.min(axis=0)
    chosen = np.zeros(n * m, dtype=bool)
    near = np.argpartition(reduced, _CANDIDATES, axis=1)[:, :_CANDIDATES]
    chosen[(np.arange(n)[:, None] * m + near).ravel()] = True
    # Each column needs a cheap pair too, not only each row.
    chosen[reduced.argmin(axis=0) * m + np.arange(m)] = True
    # Without these the restricted problem may have no plan at all.
    chosen[_corner_pairs(a, b)] = True
    before = math.inf
    for _ in range(_PRICING_ROUNDS):
        rows, columns = np.divmod(np.flatnonzero(chosen), m)
        pairs = sparse.coo_matrix((M[rows, columns], (rows, columns)), (n, m))
        try:
            plan, log = _simplex(pairs, a, b)
        # How versions of POT without sparse costs fail.
        except (TypeError, ValueError, AttributeError, AssertionError):
            return None
        if log["warning"] is not None:
            return None
        np.subtract(M, log["u"][:, None], out=reduced)
        reduced -= log["v"]
        # Pairs that would lower the cost if they could be used.
        missing = np.flatnonzero(reduced.ravel() < -slack)
        # If there are none, the potentials prove that the plan is optimal among all pairs.
        if not len(missing):
            return plan.toarray(), log
        if len(missing) > _CANDIDATES * n:
            # Too slow a progress: the potentials are far off, and all pairs at once are cheaper.
            if len(missing) > before / 2:
                return None
            before = len(missing)
            # The most promising only, because each pair that is added slows the simplex.
            worst = np.argpartition(reduced.ravel()[missing], _CANDIDATES * n)[: _CANDIDATES * n]
            missing = missing[worst]
        chosen[missing] = True
    return None


def _corner_pairs(a, b):
    """Pairs of the north-west corner plan, which make a restricted problem feasible."""
    ends = [np.cumsum(mass) / mass.sum() for mass in (a, b)]
    cuts = np.unique(np.concatenate([[0.0], *ends]))
    # Between two cuts all mass goes from one row to one column; the middle identifies them.
    middles = (cuts[1:] + cuts[:-1]) / 2
    # Rounding of the cumulative masses may point beyond the last one.
    rows, columns = (np.minimum(np.searchsorted(end, middles), len(end) - 1) for end in ends)
    return rows * len(b) + columns
