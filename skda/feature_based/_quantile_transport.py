"""Transport feature by feature: the monotone map between one-dimensional distributions."""

from sklearn.base import OneToOneFeatureMixin

from .._array._arithmetic import safe_divide
from .._array._backend import device_of, namespace
from .._core._base_transformer import BaseDomainTransformer
from .._core._param_checks import check_strength


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

    Attributes
    ----------
    knots_ : dict
        By source id, the sorted values of each feature, array of shape (n_rows, n_features).
    images_ : dict
        By source id, where they go, of the same shape.
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
    sources have a map each; several targets are pooled.

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

    _per_source = True
    _array_level = "a"

    def __init__(self, *, strength=1.0):
        self.strength = strength

    def _fit(self, data):
        check_strength(self.strength)
        self.knots_, self.images_ = {}, {}
        if not data.adapts:
            return
        xp = data.xp
        # Sorted once for all sources; targets are pooled.
        target = xp.sort(data.X_target, axis=0)
        for domain in data.source_domains:
            knots = xp.sort(data.X_of(domain), axis=0)
            images = [
                quantile_images(knots[:, j] + 0.0, target[:, j] + 0.0)
                for j in range(knots.shape[1])
            ]
            self.knots_[domain] = data.to_input(knots)
            self.images_[domain] = data.to_input(xp.stack(images, axis=1))

    def _map(self, X, domain, backend):
        if domain not in self.knots_ or self.strength == 0:
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
