"""Scale every domain by its own location and spread."""

from sklearn.base import OneToOneFeatureMixin

from .._array._backend import namespace
from .._core._base_transformer import BaseDomainTransformer
from .._core._param_checks import check_bool, check_strength


def location_and_spread(X, *, robust=False):
    """Return per feature the mean and standard deviation, or the median and quartile range.

    The quartile range is divided by that of a standard normal variable, 1.349, so that both
    agree on normal data. Where a feature does not vary the spread is 1.
    """
    xp = namespace(X)
    if robust:
        ordered = xp.sort(X, axis=0)
        location = _quantile(ordered, 0.5)
        spread = (_quantile(ordered, 0.75) - _quantile(ordered, 0.25)) / 1.3489795003921634
    else:
        location = xp.mean(X, axis=0)
        centered = X - location
        spread = xp.sqrt(xp.mean(centered * centered, axis=0))
    # Rounding in the mean must not turn a constant feature into one of tiny spread.
    noise = xp.max(xp.abs(X), axis=0) * (10.0 * float(xp.finfo(X.dtype).eps))
    return location, xp.where(spread > noise, spread, xp.ones_like(spread))


def _quantile(ordered, q):
    """Quantile of sorted columns, interpolated linearly."""
    position = q * (ordered.shape[0] - 1)
    low = int(position)
    high = min(low + 1, ordered.shape[0] - 1)
    # By hand, because the array API has no quantile.
    return ordered[low, :] * (1.0 - (position - low)) + ordered[high, :] * (position - low)


class DomainScaler(OneToOneFeatureMixin, BaseDomainTransformer):
    """Standardize the rows of each domain by the location and spread of that domain.

    Each feature of a domain loses its own location and spread, so that afterwards all domains
    have the same. A value then says how unusual a row is within its domain.

    Parameters
    ----------
    strength : float, default=1.0
        How far to go, in [0, 1]: every row moves this share of the way to its standardized
        image. 0 returns the rows themselves.
    robust : bool, default=False
        Whether median and quartile range take the place of mean and standard deviation, so that
        outliers do not count. The range is scaled to agree with the standard deviation on
        normal data.
    with_mean : bool, default=True
        Whether to move the location to 0.
    with_std : bool, default=True
        Whether to bring the spread to 1.

    Attributes
    ----------
    locations_ : dict
        By domain id, the mean (median) of each feature, array of shape (n_features,).
    spreads_ : dict
        By domain id, the spread of each feature, 1 where it does not vary.
    source_domains_, target_domains_ : list of int
        Ids seen in ``fit``.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if they had names.

    Raises
    ------
    ValueError
        In ``fit``, if `strength` is out of range. In ``transform``, for rows of a domain that
        was not fitted, or with several targets and no ``sample_domain``.

    See Also
    --------
    PerDomain : Fits a clone of any transformer per domain.
    ComBatTransformer : Shrinks the statistics of small domains.
    LinearTransportTransformer : Matches covariances too.

    Notes
    -----
    A row x of domain k becomes :math:`x + σ((x - μ_k)/s_k - x)`, feature by feature. Every source
    and every target has its own statistics.

    It helps when domains differ in the units, offset or gain of single features: sites,
    instruments, exchange rates. It takes away a difference in level that is real, so it harms
    when the class balance differs.

    Cost: :math:`O(nd)`, with `robust` :math:`O(nd \\log n)`. Fitted without ``sample_domain`` it
    is scikit-learn's ``StandardScaler`` over all rows. Array level (a): runs on the device of
    its input.

    Examples
    --------
    >>> import numpy as np
    >>> from skda import DomainScaler
    >>> X = np.array([[0.0], [2.0], [100.0], [300.0]])
    >>> DomainScaler().fit_transform(X, sample_domain=[1, 1, -2, -2]).ravel()
    array([-1.,  1., -1.,  1.])
    """

    _per_source = True
    _per_target = True
    _array_level = "a"

    def __init__(self, *, strength=1.0, robust=False, with_mean=True, with_std=True):
        self.strength = strength
        self.robust = robust
        self.with_mean = with_mean
        self.with_std = with_std

    def _fit(self, data):
        check_strength(self.strength)
        for name in ("robust", "with_mean", "with_std"):
            check_bool(name, getattr(self, name))
        self.locations_, self.spreads_ = {}, {}
        for domain in data.domains:
            location, spread = location_and_spread(data.X_of(domain), robust=self.robust)
            self.locations_[domain] = data.to_input(location)
            self.spreads_[domain] = data.to_input(spread)

    def _map(self, X, domain, backend):
        # The rows themselves, without a rounding.
        if self.strength == 0:
            return X
        if domain not in self.locations_:  # the only target, or all rows of a fit without domains
            domain = (self.target_domains_ or self.source_domains_)[0]
        scaled = X
        if self.with_mean:
            scaled = scaled - backend.asarray(self.locations_[domain], X.dtype)
        if self.with_std:
            scaled = scaled / backend.asarray(self.spreads_[domain], X.dtype)
        return scaled if self.strength == 1 else X + (scaled - X) * float(self.strength)
