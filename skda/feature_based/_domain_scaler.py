"""Scale every domain by its own location and spread."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

from sklearn.base import OneToOneFeatureMixin

from .._array._backend import namespace
from .._core._base_transformer import BaseDomainTransformer
from .._core._param_checks import check_bool, check_forgetting_factor, check_strength
from .._core._typing import ArrayLike, DomainIds
from .._core._validation import begun_or_going_on, data_for_fit
from ._direction import add_domains


class FeatureMoments(NamedTuple):
    """Count of rows, and per feature the mean, the variance and the largest absolute value."""

    count: float  # type: ignore[assignment]  # hides tuple.count
    mean: Any
    variance: Any
    size: Any

    def at(self, move):
        """Return these with their arrays passed through ``move``."""
        return FeatureMoments(self.count, *(move(x) for x in self[1:]))

    def merge(self, new):
        """Return the moments of these rows and other ones together."""
        return merge_feature_moments(self, new)


def feature_moments(X):
    """Return the moments of each feature, the variance by two passes."""
    xp = namespace(X)
    mean = xp.mean(X, axis=0)
    centered = X - mean
    variance = xp.mean(centered * centered, axis=0)
    return FeatureMoments(float(X.shape[0]), mean, variance, xp.max(xp.abs(X), axis=0))


def merge_feature_moments(old, new, *, forgetting_factor=1.0):
    """Return the moments of two batches together (Chan, Golub and LeVeque 1983).

    ``forgetting_factor`` in (0, 1] multiplies the weight of every old row; 1 forgets nothing.
    """
    weight = forgetting_factor * old.count
    count = weight + new.count
    step = new.mean - old.mean
    squares = old.variance * weight + new.variance * new.count
    squares = squares + step * step * (weight * new.count / count)
    size = namespace(old.size).maximum(old.size, new.size)
    return FeatureMoments(count, old.mean + step * (new.count / count), squares / count, size)


def spread_of(m):
    """Return the standard deviation of each feature, 1 where it does not vary."""
    xp = namespace(m.mean)
    return _or_one(xp.sqrt(m.variance), m.size)


def _or_one(spread, size):
    # Rounding in the mean must not turn a constant feature into one of tiny spread.
    xp = namespace(spread)
    noise = size * (10.0 * float(xp.finfo(spread.dtype).eps))
    return xp.where(spread > noise, spread, xp.ones_like(spread))


def robust_location_and_spread(X):
    """Return per feature the median and the quartile range, 1 where it does not vary.

    The range is divided by that of a standard normal variable, 1.349, so that it agrees with the
    standard deviation on normal data.
    """
    xp = namespace(X)
    ordered = xp.sort(X, axis=0)
    spread = (_quantile(ordered, 0.75) - _quantile(ordered, 0.25)) / 1.3489795003921634
    return _quantile(ordered, 0.5), _or_one(spread, xp.max(xp.abs(X), axis=0))


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
    forgetting_factor : float, default=1.0
        In (0, 1]: factor by which the weight of a domain's earlier rows is multiplied at each
        ``partial_fit`` with new ones; 1 keeps all history. ``fit`` does not use it.

    Attributes
    ----------
    locations_ : dict
        By domain id, the mean (median) of each feature, array of shape (n_features,).
    spreads_ : dict
        By domain id, the spread of each feature, 1 where it does not vary.
    moments_ : dict or None
        By domain id, the count of rows and, per feature, mean, variance and largest absolute value,
        which ``partial_fit`` goes on from. None with `robust`.
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

    _per_target = True
    _needs_target = False
    _array_level = "a"

    def __init__(
        self,
        *,
        strength: float = 1.0,
        robust: bool = False,
        with_mean: bool = True,
        with_std: bool = True,
        forgetting_factor: float = 1.0,
    ):
        self.strength = strength
        self.robust = robust
        self.with_mean = with_mean
        self.with_std = with_std
        self.forgetting_factor = forgetting_factor

    def _fit(self, data):
        self._check_params()
        self._start()
        self._learn(data)

    def _start(self):
        self.locations_, self.spreads_ = {}, {}
        self.moments_ = None if self.robust else {}

    def _learn(self, data):
        # New objects: the old ones stay valid if this batch fails.
        locations, spreads = dict(self.locations_), dict(self.spreads_)
        kept = None if self.robust else dict(self.moments_)
        for domain in data.domains:
            X = data.X_of(domain)
            if self.robust:
                location, spread = robust_location_and_spread(X)
            else:
                moments = self._merged(kept.get(domain), feature_moments(X), data)
                kept[domain] = moments.at(data.to_input)
                location, spread = moments.mean, spread_of(moments)
            locations[domain], spreads[domain] = data.to_input(location), data.to_input(spread)
        self.locations_, self.spreads_, self.moments_ = locations, spreads, kept

    def _merged(self, old, new, data):
        if old is None:
            return new
        old = old.at(data.backend.asarray)
        return merge_feature_moments(old, new, forgetting_factor=self.forgetting_factor)

    def _needs_rows(self, data):
        return "robust=True takes medians" if self.robust else None

    def _fit_sums(self, data, table):
        self._check_params()
        self.moments_ = dict(sorted(table.total("_sums_of").items()))
        self.locations_ = {i: m.mean for i, m in self.moments_.items()}
        self.spreads_ = {i: spread_of(m) for i, m in self.moments_.items()}

    def _sums_of(self, data):
        return {i: feature_moments(data.X_of(i)) for i in data.domains}

    def partial_fit(
        self, X: ArrayLike, y: object = None, *, sample_domain: DomainIds | None = None
    ) -> Self:
        """Begin or refine the statistics of domains from more rows of them, and change no other.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of known or new domains; rows of one side only are fine.
        y : Ignored
            Not used.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row, see :meth:`fit`.

        Returns
        -------
        self : object
            The transformer.

        Notes
        -----
        With ``forgetting_factor=1`` the statistics are those of ``fit`` on all rows. Medians
        cannot be merged: with `robust` those of the last batch take the place of the domain's.
        """
        self._check_params()
        started = hasattr(self, "locations_")
        with begun_or_going_on(self, started=started):
            data = data_for_fit(self, X, None, sample_domain, one_sided=True, reset=not started)
            if started and sample_domain is None and self._fit_domains is not None:
                return self  # rows of no known domain, which has been warned of
            if not started:
                self._start()
                self.source_domains_, self.target_domains_ = [], []
            self._learn(data)
            add_domains(self, data, named=sample_domain is not None)
        return self

    def _check_params(self):
        check_strength(self.strength)
        for name in ("robust", "with_mean", "with_std"):
            check_bool(name, getattr(self, name))
        check_forgetting_factor(self.forgetting_factor)

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
