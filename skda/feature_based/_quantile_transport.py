"""Transport feature by feature: the monotone map between one-dimensional distributions."""

from sklearn.base import OneToOneFeatureMixin

from .._array._arithmetic import safe_divide
from .._array._backend import device_of, namespace
from .._core._base_transformer import BaseDomainTransformer
from .._core._param_checks import check_strength
from ._direction import (
    TO_COMMON,
    TO_TARGET,
    add_domains,
    check_direction,
    has_reference,
    is_moved,
    moved_domain,
    rows_of_moved_domains,
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


def mean_quantiles(columns, weights):
    """Return values of the mean quantile function of sorted samples, as many as the largest has.

    Each value is the mean of that function over one of as many equal stretches of (0, 1).
    """
    xp = namespace(*columns)
    n = max(x.shape[0] for x in columns)
    ranks = xp.arange(n, dtype=columns[0].dtype, device=device_of(columns[0]))
    return sum(w * quantile_images(ranks, x) for w, x in zip(weights, columns, strict=True))


class QuantileTransportTransformer(OneToOneFeatureMixin, BaseDomainTransformer):
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

    Attributes
    ----------
    knots_ : dict
        By the id of each domain that is mapped, the sorted values of each feature, array of shape
        (n_rows, n_features).
    images_ : dict
        By the same ids, where they go, of the same shape.
    reference_values_ : array of shape (n_reference, n_features) or None
        Sorted values of each feature of the rows that the others are mapped to. None if there is
        nothing to adapt to.
    source_domains_, target_domains_ : list of int
        Ids seen in ``fit``.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if they had names.

    Raises
    ------
    ValueError
        In ``fit``, if `strength` is out of range.

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

    Cost: sorting, :math:`O(dn \\log n)`. Fitted without ``sample_domain`` it is the identity. Array
    level (a): runs on the device of its input.

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

    _array_level = "a"

    def __init__(self, *, strength=1.0, direction="to_target"):
        self.strength = strength
        self.direction = direction

    @property
    def _per_target(self):
        return self.direction != TO_TARGET

    @property
    def _needs_target(self):
        return self.direction == TO_TARGET

    def _fit(self, data):
        check_strength(self.strength)
        check_direction(self.direction)
        self.knots_, self.images_, self.reference_values_ = {}, {}, None
        if not has_reference(self, data):
            return
        moved = [i for i in data.domains if is_moved(i, self.direction)]
        knots = {i: data.xp.sort(data.X_of(i), axis=0) for i in moved}
        reference = self._reference_of(data, knots)
        for domain in moved:
            self._set_map(domain, knots[domain], reference, data.to_input)
        self.reference_values_ = data.to_input(reference)

    def _reference_of(self, data, knots):
        xp = data.xp
        if self.direction != TO_COMMON:
            # Sorted once for all domains that move there, whose rows are pooled.
            rows = data.X_target if self.direction == TO_TARGET else data.X_source
            return xp.sort(rows, axis=0)
        weights = [x.shape[0] / data.X.shape[0] for x in knots.values()]
        columns = [
            # Adding zero makes columns contiguous, which torch asks of searchsorted.
            mean_quantiles([x[:, j] + 0.0 for x in knots.values()], weights)
            for j in range(data.X.shape[1])
        ]
        return xp.stack(columns, axis=1)

    def _set_map(self, domain, knots, reference, keep):
        images = [
            quantile_images(knots[:, j] + 0.0, reference[:, j] + 0.0) for j in range(knots.shape[1])
        ]
        images = keep(namespace(knots).stack(images, axis=1))
        self.knots_[domain], self.images_[domain] = keep(knots), images

    def partial_fit(self, X, y=None, *, sample_domain=None):
        """Begin or refine the maps of domains from more rows of them, and change no other.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of domains that are mapped: of targets with ``direction="to_source"``, of sources
            with "to_target", of any with "to_common". What they are mapped to is that of ``fit``,
            which the first call is.
        y : Ignored
            Not used.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row, see :meth:`fit`.

        Returns
        -------
        self : object
            The transformer.
        """
        if not hasattr(self, "knots_"):
            return self.fit(X, y, sample_domain=sample_domain)
        data, rows = rows_of_moved_domains(self, X, sample_domain, "knots_")
        if not rows:
            return self
        reference = data.backend.asarray(self.reference_values_)
        for domain, values in rows.items():
            self._set_map(domain, data.xp.sort(values, axis=0), reference, data.to_input)
        add_domains(self, data)
        return self

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
