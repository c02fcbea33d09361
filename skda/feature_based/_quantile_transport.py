"""Transport feature by feature: the monotone map between one-dimensional distributions."""

from __future__ import annotations

from typing import Literal

from .._array._arithmetic import safe_divide
from .._array._backend import device_of, namespace
from .._core._param_checks import check_forgetting_factor, check_integer, check_strength
from .._numerics._quantile_sketch import QuantileSketch
from ._base_reference_map import ReferenceMapTransformer
from ._direction import (
    TO_COMMON,
    TO_TARGET,
    check_direction,
    has_reference,
    moved_domain,
)


def quantile_images(x, t):
    """Return where one-dimensional optimal transport sends sorted values x, onto values t.

    Equal values share one image. With as many values on both sides and none equal, the images are
    the sorted t; otherwise each value gets the mean of the stretch of the target's quantile
    function that its mass covers (barycentric projection of the optimal plan).

    Parameters
    ----------
    x : array of shape (n,)
        Ascending.
    t : array of shape (m,)
        Ascending.

    Returns
    -------
    images : array of shape (n,)
        Ascending.
    """
    xp = namespace(x)
    n, m = x.shape[0], t.shape[0]
    # Equal values share their mass, so that they have one image.
    first = xp.searchsorted(x, x, side="left")
    last = xp.searchsorted(x, x, side="right")
    # As many values as images, all different: rank goes to rank, without rounding.
    if n == m and bool(xp.all(last - first == 1)):
        return t
    # Integral of the target's quantile function up to k/n, exact in integers where it matters:
    # k m / n = whole + part / n.
    # About the mean, so that the sums do not cancel.
    center = xp.mean(t)
    zero = xp.zeros((1,), dtype=t.dtype, device=device_of(t))
    sums = xp.concat([zero, xp.cumulative_sum(t - center)])
    padded = xp.concat([t - center, zero])

    def integral(k):
        whole = (k * m) // n
        part = xp.astype(k * m - whole * n, t.dtype) / n
        return xp.take(sums, whole) + part * xp.take(padded, whole)

    mass = xp.astype((last - first) * m, t.dtype) / n
    images = (integral(last) - integral(first)) / mass + center
    # Rounding of the sums must not carry an image out of the target's range.
    return xp.clip(images, t[0], t[-1])


def interpolate(x, knots, values):
    """Return values at x between ascending knots linearly, beyond them at the same displacement."""
    xp = namespace(x)
    last = knots.shape[0] - 1
    at = xp.searchsorted(knots, x)
    high = xp.clip(at, 0, last)
    low = xp.clip(at - 1, 0, last)
    left, right = xp.take(knots, low), xp.take(knots, high)
    gap = right - left
    # Equal knots have no gap and one image, so any proportion serves.
    share = safe_divide(right - x, gap)
    above, below = xp.take(values, high), xp.take(values, low)
    # Counted from the right knot, so that a fitted value goes exactly to its image.
    between = above - share * (above - below)
    beyond = (x < knots[0]) | (x > knots[last])
    edge = xp.where(x < knots[0], values[0] - knots[0], values[last] - knots[last])
    return xp.where(beyond, x + edge, between)


def _images(knots, reference):
    columns = [
        # Adding zero makes columns contiguous, which torch asks of searchsorted.
        quantile_images(knots[:, j] + 0.0, reference[:, j] + 0.0)
        for j in range(knots.shape[1])
    ]
    return namespace(knots).stack(columns, axis=1)


def mean_quantiles(columns, weights):
    """Return values of the mean quantile function of sorted samples, as many as the largest has.

    Each value is the mean of that function over one of as many equal stretches of (0, 1).
    """
    xp = namespace(*columns)
    n = max(x.shape[0] for x in columns)
    ranks = xp.arange(n, dtype=columns[0].dtype, device=device_of(columns[0]))
    return sum(w * quantile_images(ranks, x) for w, x in zip(weights, columns, strict=True))


class QuantileTransportTransformer(ReferenceMapTransformer):
    """Give every feature of the source rows the distribution that it has in the target.

    Features are treated one at a time: a value that is the median of its feature in the source
    becomes the median of that feature in the target, and likewise for every other quantile. The
    order of the values stays.

    Parameters
    ----------
    strength : float, default=1.0
        How far to go, in [0, 1]: every value moves this share of its way. 0 returns the rows
        themselves.
    direction : {"to_target", "to_source", "to_common"}, default="to_target"
        Which rows move. "to_target" maps each source to the pooled target rows. "to_source" maps
        each target to the pooled source rows, which stay as they are, so that a model fitted
        once serves any number of later targets, see :func:`~skda.adapt_to`. "to_common" maps each
        domain to the barycenter of all: the mean of their quantile functions, weighted by rows.
    n_quantiles : int, default=10_000
        Number of values of each feature that a distribution is described by, where there are more
        rows; up to it every row counts as it is. Lowering it takes less memory and time and gives
        coarser maps.
    forgetting_factor : float, default=1.0
        In (0, 1]: factor by which the weight of a domain's earlier rows is multiplied at each
        ``partial_fit`` with new ones; 1 keeps all history. ``fit`` does not use it.

    Attributes
    ----------
    knots_ : dict
        By the id of each domain that is mapped, the sorted values of each feature, or
        `n_quantiles` of them, array of shape (n_knots, n_features).
    images_ : dict
        By the same ids, where they go, of the same shape.
    reference_values_ : array of shape (n_reference, n_features) or None
        Sorted values of each feature of the rows that the others are mapped to, or `n_quantiles`
        of them. None if there is nothing to adapt to.
    sketches_ : dict
        By the id of each domain that is mapped, what is kept of its rows, which ``partial_fit``
        goes on from.
    reference_sketch_ : object or None
        The same of the rows that the others are mapped to.
    waits_for_ : {"source", "target"} or None
        The side of which ``partial_fit`` has seen no row yet.
    source_domains_, target_domains_ : list of int
        Ids seen in ``fit``.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if they had names.

    Raises
    ------
    ValueError
        In ``fit``, if a parameter is out of range.

    See Also
    --------
    OptimalTransportTransformer : Transport of all features together.
    DomainScaler : Matches location and spread of each feature only.

    Notes
    -----
    A value x of a feature becomes :math:`x + σ(Q_t(F_s(x)) - x)`, F_s being the distribution
    function of the feature in the source and Q_t the quantile function in the target: in one
    dimension that is optimal transport for every convex cost [1]_. Fitted values go exactly where
    the optimal plan sends their mass on average, equal ones to one image; between them the map is
    linear, and beyond them it moves as at the last one. Target rows stay as they are. Several
    sources have a map each; several targets are pooled. The other directions put the domain that
    moves in place of s and what it moves to in place of t.

    It helps when features are measured on another scale, non-linearly if need be (a recalibrated
    instrument, a saturating sensor), one by one. It neither sees nor changes how features depend
    on each other beyond that, and it harms when the class balance differs.

    Cost: sorting, :math:`O(dn \\log n)`. With more than k = `n_quantiles` rows the map is one of k
    quantiles: the part of a distribution at or below a value is then known to within 1/(2k), and
    in batches, whose quantiles are merged, to within (2 + log2(n/k)) / (2k).
    Fitted without ``sample_domain`` it is the identity. Array level (a): runs on the device of its
    input.

    References
    ----------
    .. [1] G. Peyré, M. Cuturi, "Computational Optimal Transport", Found. Trends Mach. Learn. 11,
       2019, Section 2.6. arXiv:1803.00567.

    Examples
    --------
    >>> import numpy as np
    >>> from skda import QuantileTransportTransformer
    >>> X = np.array([[1.0], [3.0], [2.0], [100.0], [10.0], [1000.0]])
    >>> sample_domain = [1, 1, 1, -2, -2, -2]
    >>> QuantileTransportTransformer().fit_transform(X, sample_domain=sample_domain).ravel()
    array([  10., 1000.,  100.,  100.,   10., 1000.])
    """

    _kept_as = "sketches_"

    def __init__(
        self,
        *,
        strength: float = 1.0,
        direction: Literal["to_target", "to_source", "to_common"] = "to_target",
        n_quantiles: int = 10_000,
        forgetting_factor: float = 1.0,
    ):
        self.strength = strength
        self.direction = direction
        self.n_quantiles = n_quantiles
        self.forgetting_factor = forgetting_factor

    def _fit(self, data):
        self._check_params()
        self._start()
        if not has_reference(self, data):
            return
        own = {i: self._sketch_of(data.X_of(i)) for i in data.domains if self._moves(i)}
        if self.direction == TO_COMMON:
            reference = self._common(own.values())
        else:
            # Sketched once for all domains that move there, whose rows are pooled.
            to_target = self.direction == TO_TARGET
            reference = self._sketch_of(data.X_target if to_target else data.X_source)
        self._learn_maps(own, reference, data.to_input, set(own))

    def _start(self):
        self.sketches_, self.reference_sketch_, self.waits_for_ = {}, None, None
        self.knots_, self.images_, self.reference_values_ = {}, {}, None

    def _sketch_of(self, X):
        return QuantileSketch.of(X, size=self.n_quantiles)

    def _summaries(self):
        return self.sketches_, self.reference_sketch_

    def _merged(self, old, X, data):
        if old is None:
            return self._sketch_of(X).at(data.to_input)
        # Stored where the rows of fit came from, which may be another device than the arithmetic's.
        old = old.at(data.backend.asarray)
        new = QuantileSketch.of(X, size=old.size)
        return old.merge(new, forgetting_factor=self.forgetting_factor).at(data.to_input)

    def _common(self, parts):
        parts = list(parts)
        knots, total = [sketch.knots() for sketch in parts], sum(sketch.count for sketch in parts)
        weights = [sketch.count / total for sketch in parts]
        columns = [
            # Adding zero makes columns contiguous, which torch asks of searchsorted.
            mean_quantiles([x[:, j] + 0.0 for x in knots], weights)
            for j in range(knots[0].shape[1])
        ]
        return self._sketch_of(namespace(knots[0]).stack(columns, axis=1))

    def _learn_maps(self, own, reference, keep, changed):
        knots = {i: x for i, x in self.knots_.items() if i not in changed}
        images = {i: x for i, x in self.images_.items() if i not in changed}
        # Sorted anew only where rows have come to it.
        known = reference is self.reference_sketch_
        values = self.reference_values_ if known else reference.knots()
        for domain in changed if reference is not None else ():
            x = own[domain].knots()
            knots[domain], images[domain] = keep(x), keep(_images(x, values))
        own = {domain: sketch.at(keep) for domain, sketch in own.items()}
        kept = None if reference is None else (reference.at(keep), keep(values))
        # Stored when all are found: the old ones stay valid if this batch fails.
        self.knots_, self.images_ = dict(sorted(knots.items())), dict(sorted(images.items()))
        self.sketches_ = own
        if kept is not None:
            self.reference_sketch_, self.reference_values_ = kept

    def _map(self, X, domain, backend):
        domain = moved_domain(domain, self.knots_, self.direction, self.target_domains_)
        if domain is None or self.strength == 0:
            return X
        xp = backend.xp
        knots, images = (backend.asarray(x[domain], X.dtype) for x in (self.knots_, self.images_))
        columns = [
            # Adding zero makes columns contiguous, which torch asks of searchsorted.
            interpolate(*(x[:, j] + 0.0 for x in (X, knots, images)))
            for j in range(X.shape[1])
        ]
        moved = xp.stack(columns, axis=1)
        return moved if self.strength == 1 else X + (moved - X) * float(self.strength)

    def _check_params(self):
        check_strength(self.strength)
        check_direction(self.direction)
        check_integer("n_quantiles", self.n_quantiles, low=2)
        check_forgetting_factor(self.forgetting_factor)
