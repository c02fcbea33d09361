"""Domain randomization: gains and offsets of the features, of the size in which domains differ."""

from __future__ import annotations

from typing import Literal

import numpy as np

from .._array._backend import as_like
from .._array._warnings import warn_user
from .._core._param_checks import check_integer, check_option, check_real
from .._core._sample_domain import DomainWarning
from .._core._typing import ArrayLike
from ._base_augmenter import BaseAugmenter, SourceMoments, as_floats, column_moments

CENTERS = ("mean", "zero")


def between_domains(values, ids):
    """Return how far means and logarithms of spreads of domains vary, as standard deviations.

    What samples of these sizes would differ by within one distribution is subtracted, as in an
    analysis of variance with random effects.

    Parameters
    ----------
    values : ndarray of shape (n, d)
        Rows of all domains, NaN where a value is missing.
    ids : ndarray of int of shape (n,)
        Their domains.

    Returns
    -------
    of_means, of_log_spreads : ndarray of shape (d,)
        0 where fewer than two domains have two different values.
    """
    moments = [column_moments(values[ids == i]) for i in np.unique(ids)]
    count, mean, spread = (np.array(part, dtype=np.float64) for part in zip(*moments, strict=True))
    known = (count >= 2) & (spread > 0)
    freedom = np.maximum(count - 1.0, 1.0)
    of_means = _variance(mean, known) - _mean(spread**2 / freedom, known)
    logs = np.log(np.where(known, spread, 1.0))
    # The variance of the logarithm of a normal sample's spread.
    of_logs = _variance(logs, known) - _mean(0.5 / freedom, known)
    enough = known.sum(axis=0) >= 2
    return tuple(np.sqrt(np.where(enough, np.maximum(v, 0.0), 0.0)) for v in (of_means, of_logs))


def _mean(x, known):
    return np.where(known, x, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)


def _variance(x, known):
    squares = np.where(known, (x - _mean(x, known)) ** 2, 0.0).sum(axis=0)
    return squares / np.maximum(known.sum(axis=0) - 1, 1)


class DomainRandomizationAugmenter(BaseAugmenter):
    r"""Give each feature a random gain and offset, as if the rows came from other domains.

    A model that has seen many simulated domains takes the next one for one more of them. How far
    gains and offsets vary is learnt from how far the domains differ, feature by feature, so that
    features that are the same everywhere stay as they are; or it is given.

    Parameters
    ----------
    strength : float, default=1.0
        Factor of the variation: of offsets, and of the deviation of gains from 1 (of their
        logarithm, if it is learnt). 0 leaves the rows as they are.
    gain : "domains", (float, float) or None, default="domains"
        Factor of each feature. "domains": log-normal, with the variation of the domains' spreads.
        Two numbers: uniform between them, for example (0.8, 1.2). None: no gain.
    offset : "domains", (float, float) or None, default="domains"
        What is added to each feature. "domains": normal, with the variation of the domains' means.
        Two numbers: uniform between them, in units of the feature's standard deviation within the
        source domains. None: no offset.
    center : {"mean", "zero"}, default="mean"
        What stays in place under a gain: the mean of the row's own domain, or the value 0, as for
        the amplification of an instrument.
    n_domains : int, default=None
        Number of simulated domains over which the rows of a copy are spread. None: each row is of
        a domain of its own, which a model of single rows learns most from.
    columns : array-like of int or str, default=None
        Columns to change, by position or by name. None: all columns of numbers.

    Attributes
    ----------
    columns_ : list of int
        Positions of the columns that are changed.
    gain_deviation_ : ndarray of shape (n_columns,)
        Standard deviation between domains of the logarithms of the spreads.
    offset_deviation_ : ndarray of shape (n_columns,)
        Standard deviation between domains of the means, in the feature's own unit.
    n_features_in_ : int
        Number of features of `X`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `X` has string names.

    See Also
    --------
    AugmentedEstimator : Fits an estimator on source rows and such copies of them.
    BatchEffectAugmenter : Simulates batches of one kind in all features.
    SpectralDistortionAugmenter : One gain for all channels of a spectrum.

    Notes
    -----
    :math:`x'_j = c_j + g_j (x_j - c_j) + o_j`. Where the ranges are wide enough the true target is
    one of the simulated domains [1]_. The variation is learnt from all domains, unlabeled target
    rows included: sampling variances are subtracted from the variances of means and log spreads,
    and 0 is the least. With two domains it is little more than a guess of the size. Other class
    proportions move the means of features that tell the classes apart, and are taken for a
    variation of these features: give ranges then. Missing values stay missing. The cost is linear
    in the rows. Array level (b): the variation is learnt in NumPy on the host, rows are changed
    where they are.

    References
    ----------
    .. [1] Tobin et al. Domain randomization for transferring deep neural networks from simulation
       to the real world. IROS 2017. arXiv:1703.06907

    Examples
    --------
    >>> import numpy as np
    >>> from skda import DomainRandomizationAugmenter
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(600, 2)) + np.repeat([[0, 0], [3, 0], [6, 0]], 200, axis=0)
    >>> sample_domain = np.repeat([1, 2, -3], 200)
    >>> augmenter = DomainRandomizationAugmenter().fit(X, sample_domain=sample_domain)
    >>> augmenter.offset_deviation_.round(1)  # the second feature is the same everywhere
    array([3., 0.])
    """

    def __init__(
        self,
        strength: float = 1.0,
        *,
        gain: Literal["domains"] | tuple[float, float] | None = "domains",
        offset: Literal["domains"] | tuple[float, float] | None = "domains",
        center: Literal["mean", "zero"] = "mean",
        n_domains: int | None = None,
        columns: ArrayLike | None = None,
    ):
        self.strength = strength
        self.gain = gain
        self.offset = offset
        self.center = center
        self.n_domains = n_domains
        self.columns = columns

    def _check_params(self):
        check_real("strength", self.strength, low=0, hint="0 leaves the rows as they are.")
        check_range("gain", self.gain, low=0)
        check_range("offset", self.offset)
        check_option("center", self.center, list(CENTERS))
        check_integer("n_domains", self.n_domains, none=True)

    def _learn(self, values, ids):
        self._moments = SourceMoments(values, ids)
        self.offset_deviation_, self.gain_deviation_ = between_domains(values, ids)
        learnt = "domains" in (self.gain, self.offset)
        # Without sample_domain there has been a warning already.
        if learnt and self._fit_domains is not None and len(self._fit_domains) < 2:
            warn_user(
                f"{type(self).__name__} found one domain only, and nothing that varies between "
                "domains, so it leaves the rows as they are. Give ranges, for example "
                "gain=(0.8, 1.2), offset=(-0.5, 0.5).",
                DomainWarning,
            )

    def _change(self, x, ids, rng):
        x = as_floats(x)
        n, d = x.shape
        size = (n if self.n_domains is None else self.n_domains, d)
        gain, offset = self._gains(size, rng), self._offsets(size, rng)
        if self.n_domains is not None:
            simulated = rng.randint(self.n_domains, size=n)
            gain, offset = gain[simulated], offset[simulated]
        center = self._moments.mean_of(ids) if self.center == "mean" else np.zeros((1, d))
        # One product and one sum of the rows: c + g (x - c) + o.
        return as_like(gain, x) * x + as_like((1.0 - gain) * center + offset, x)

    def _gains(self, size, rng):
        if self.gain is None:
            return np.ones(size)
        if isinstance(self.gain, str):
            return np.exp(self.strength * self.gain_deviation_ * rng.standard_normal(size))
        return 1.0 + self.strength * (rng.uniform(*self.gain, size=size) - 1.0)

    def _offsets(self, size, rng):
        if self.offset is None:
            return np.zeros(size)
        if isinstance(self.offset, str):
            return self.strength * self.offset_deviation_ * rng.standard_normal(size)
        return self.strength * self._moments.spread * rng.uniform(*self.offset, size=size)


def check_range(name, value, *, low=None):
    """Raise unless this is "domains", None or two numbers in ascending order."""
    if value is None or (isinstance(value, str) and value == "domains"):
        return
    hint = f"{name} is 'domains', None or a range (low, high)."
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ValueError(f"{name} must be 'domains', None or two numbers; got {value!r}.")
    first = check_real(name, value[0], low=low, hint=hint)
    check_real(name, value[1], low=first, hint=hint)
