"""What all weighters share: from raw importances to weights that can be used and inspected.

Raw importances are flattened (``w ** exponent``), clipped and brought to mean 1 over the source
rows; the constants are kept, so that weights of new rows are on the same scale.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.base import BaseEstimator

from .._array._arithmetic import safe_divide
from .._array._backend import namespace, to_numpy
from .._array._warnings import warn_user
from .._core._callbacks import CALLBACK_SUPPORT, begin_fit
from .._core._param_checks import check_real
from .._core._routing import DomainRouting
from .._core._sample_domain import DomainWarning
from .._core._typing import Array, ArrayLike, DomainIds
from .._core._validation import data_for_fit, data_for_predict, fresh_fit
from .._numerics._weights import effective_sample_size

_LEAST_LOG = -1e30  # stands for log(0): times exponent=0 this is 0, where -inf would give NaN
# Effective sample sizes below which a warning says that the weights rest on few rows: three rows,
# or a hundredth of them.
_FEW_ROWS, _FEW_OF_ALL = 3.0, 0.01
# Effective source rows wanted for each feature and for the intercept of a model. Of 5, 10, 20, 30
# and 50 in `python -m benchmarks defaults`, 30 is the smallest that harms next to no pair (wine
# alone, where labels given features differ), and it keeps most of the gain of a covariate shift.
_ROWS_PER_FEATURE = 30
_ALMOST_NO_SHARE = 1e-2  # importance of the best source row relative to that of a target row
_FEW_TO_JUDGE = 10  # rows of a domain below which its place is left open
_ROUNDING = 10.0  # times machine epsilon: what sums of rows may be off


class WeightScale(NamedTuple):
    """The constants that bring raw importances to mean 1 on the rows they were learnt from.

    Weights are ``min((raw / reference) ** exponent, cap) / mean``, of which `learnt_part` is
    taken; the rest is equal weights. `learnt_size` is the effective sample size, as a part of the
    rows, that they had before any floor.
    """

    reference: float
    exponent: float
    cap: float
    mean: float
    learnt_part: float
    learnt_size: float
    logs: bool

    def __call__(self, raw):
        """Return the weights of rows with these raw (log) importances."""
        flat = _flattened(raw, self.reference, self.exponent, logs=self.logs)
        weights = namespace(raw).clip(flat, max=self.cap) / self.mean
        if self.learnt_part < 1.0:
            weights = weights * self.learnt_part + (1.0 - self.learnt_part)
        return weights


def _flattened(raw, reference, exponent, *, logs):
    xp = namespace(raw)
    if logs:
        # Half of the range, so that sums and products of the weights of new rows do not overflow.
        ceiling = 0.5 * math.log(float(xp.finfo(raw.dtype).max))
        relative = xp.clip(raw - reference, min=_LEAST_LOG)
        return xp.exp(xp.clip(relative * exponent, max=ceiling))
    return (raw / reference) ** exponent


def scale_weights(raw, *, exponent=1.0, clip=None, min_effective_size=None, logs=False):
    """Bring raw importances to mean 1.

    Parameters
    ----------
    raw : array of shape (n,)
        Importances, not negative; or their logarithms.
    exponent : float
        Exponent in [0, 1].
    clip : float or None
        Largest weight, as a multiple of the mean weight.
    min_effective_size : float or None
        Smallest effective sample size, as a part of n; weights of a smaller one are mixed with
        equal ones until they have it.
    logs : bool
        Whether `raw` holds logarithms.

    Returns
    -------
    weights : array of shape (n,)
        Mean 1; all ones if nothing can be made of the importances.
    scale : WeightScale or None
        Function for other rows; None in that last case.
    """
    xp = namespace(raw)
    reference = float(xp.max(raw))
    if not math.isfinite(reference) or (not logs and reference <= 0):
        return xp.ones_like(raw), None
    # The constants take many passes over one vector: on the host, and in float64.
    values = to_numpy(raw).astype(np.float64)

    clip = math.inf if clip is None else float(clip)
    with np.errstate(divide="ignore"):
        log_raw = values - reference if logs else np.log(values / reference)
    log_flat = np.maximum(log_raw, _LEAST_LOG) * exponent
    if exponent > 0:
        log_flat[log_raw <= _LEAST_LOG] = _LEAST_LOG  # zeros stay zeros, of whatever exponent
    log_cap = clipping_level(log_flat, clip)
    cap = math.exp(log_cap) if log_cap < 0 else math.inf
    if logs and log_cap < 0:
        # What is cut off may exceed the others beyond the range of floats: start at the level.
        reference, cap = reference + log_cap / exponent, 1.0
    capped = np.minimum(_flattened(values, reference, exponent, logs=logs), cap)
    mean = float(capped.mean())
    size, largest = effective_sample_size(capped) / len(capped), float(capped.max()) / mean
    part = 1.0
    if largest > clip * (1.0 + _ROUNDING * np.finfo(np.float64).eps):
        part = (clip - 1.0) / (largest - 1.0)  # zeros leave no level that would do
        size = 1.0 / (1.0 + part**2 * (1.0 / size - 1.0))
    part *= part_to_use(size, min_effective_size)
    scale = WeightScale(reference, float(exponent), cap, mean, part, size, logs)
    return scale(raw), scale


class ImportanceSums(NamedTuple):
    """What scales logarithmic importances: their largest, and sums of what they are relative to it.

    ``total`` and ``squares`` sum ``exp(exponent (raw - peak))`` and its square over the rows.
    """

    count: float  # type: ignore[assignment]  # hides tuple.count
    peak: float
    total: float
    squares: float
    exponent: float

    @classmethod
    def of(cls, raw, exponent):
        """Return the sums over rows of these logarithmic importances."""
        values = to_numpy(raw).astype(np.float64)
        peak = float(values.max())
        flat = _flattened(values, peak, exponent, logs=True)
        return cls(float(len(flat)), peak, float(flat.sum()), float(flat @ flat), exponent)

    def merge(self, new):
        """Return the sums over these rows and other ones together."""
        peak = max(self.peak, new.peak)
        first, second = (math.exp(self.exponent * (s.peak - peak)) for s in (self, new))
        total = self.total * first + new.total * second
        squares = self.squares * first**2 + new.squares * second**2
        return ImportanceSums(self.count + new.count, peak, total, squares, self.exponent)

    def scale(self, least):
        """Return the :class:`WeightScale` of :func:`scale_weights` without clipping."""
        if not math.isfinite(self.peak):
            return None
        size = self.total**2 / self.squares / self.count
        part = part_to_use(size, least)
        mean = self.total / self.count
        return WeightScale(self.peak, self.exponent, math.inf, mean, part, size, True)


def part_to_use(size, least):
    """Part of the weights to use, so that their effective sample size is at least `least`.

    With weights ``1 + p (w - 1)`` the variance, which is ``1 / size - 1``, falls by p². Weights
    that rest on few rows are evidence of nothing but domains that hardly overlap.

    Parameters
    ----------
    size, least : float or None
        Effective sample sizes, as parts of the rows: of the weights, and the smallest wanted.
    """
    if least is None or size >= least:
        return 1.0
    return math.sqrt((1.0 / least - 1.0) / (1.0 / size - 1.0))


def clipping_level(logs, clip):
    """Return the level c, with ``min(values, c)`` of largest value ``clip * mean``; in logarithms.

    Clipping lowers the mean, so that the level falls below ``clip`` times the mean before. If the k
    largest of n values are cut, ``c = clip * (k c + sum of the others) / n``; the right k is the
    first whose c is not below the next value. Where so many values are zero that no level will do,
    it is the smallest positive value.

    Parameters
    ----------
    logs : ndarray of shape (n,)
        Logarithms of the values; that of 0 is ``_LEAST_LOG``.
    clip : float
        At least 1.
    """
    n = len(logs)
    falling = np.sort(logs)[::-1]
    sums = np.logaddexp.accumulate(falling[::-1])[::-1]  # of all but the k largest
    if not falling[0] > math.log(clip) + sums[0] - math.log(n):
        return math.inf
    left = n - clip * np.arange(n)
    last = np.flatnonzero(left > 0)[-1]
    levels = math.log(clip) + sums[: last + 1] - np.log(left[: last + 1])
    enough = np.flatnonzero(levels >= falling[: last + 1])
    positive = falling[falling > 0.5 * _LEAST_LOG]
    level = float(levels[enough[0]]) if len(enough) else float(falling[last])
    return max(level, float(positive[-1]))


def safe_unit(X):
    """Return a power of two in whose units the fourth powers of the rows are finite; mostly 1.

    Dividing by a power of two is exact, and the ratio of two densities has no unit.
    """
    xp = namespace(X)
    largest = float(xp.max(xp.abs(X)))
    limit = float(xp.finfo(X.dtype).max) ** 0.2
    return 1.0 if largest == 0 or 1.0 / limit < largest < limit else 2.0 ** math.frexp(largest)[1]


def within_range(X):
    """Return rows with finite squared distances: those that are too far away are moved closer."""
    xp = namespace(X)
    limit = float(xp.finfo(X.dtype).max) ** 0.4
    return xp.clip(X, min=-limit, max=limit)


def domains_apart(X_source, X_target, *, least=_FEW_TO_JUDGE):
    """Return whether all source rows lie on one side of all target rows, between the two means.

    Each row is projected on the difference of the means, in units of the features' spread within
    domains, taken without that row: rows of one distribution do not come apart by their number of
    features. With fewer than `least` rows in a domain it is left open (False).
    """
    xp = namespace(X_source)
    n, m = X_source.shape[0], X_target.shape[0]
    if min(n, m) < least:
        return False
    unit = max(safe_unit(X_source), safe_unit(X_target))
    X_source, X_target = X_source / unit, X_target / unit
    between = Between.of(*(_mean_and_squares(X) for X in (X_source, X_target)))
    left, right = between.source(X_source), between.target(X_target)
    return float(xp.max(left)) < float(xp.min(right))


def _mean_and_squares(X):
    mean = namespace(X).mean(X, axis=0)
    return X.shape[0], mean, namespace(X).sum((X - mean) ** 2, axis=0)


class Between(NamedTuple):
    """The line from the mean of the source to the mean of the target, in units of the spread."""

    n: float
    m: float
    mean_s: Any
    mean_t: Any
    inverse: Any
    along: Any
    half: Any

    @classmethod
    def of(cls, source, target):
        """Return it for the count, mean and sums of squares about the mean of both sides."""
        (n, mean_s, squares_s), (m, mean_t, squares_t) = source, target
        xp = namespace(mean_s)
        gap = mean_t - mean_s
        spread = (squares_s + squares_t) / (n + m)
        precision = _ROUNDING * float(xp.finfo(gap.dtype).eps)
        rounding = (mean_s * mean_s + mean_t * mean_t) * precision**2
        # A feature that is constant in both domains counts in units of its difference, if it has
        # one.
        differs = xp.where(gap * gap > rounding, gap * gap, xp.zeros_like(gap))
        unit = xp.where(spread > rounding, spread, differs)
        inverse = safe_divide(xp.ones_like(unit), unit)
        along = gap * inverse
        return cls(n, m, mean_s, mean_t, inverse, along, 0.5 * xp.sum(gap * along))

    # Without row i the difference is gap + z_i / (n - 1), or gap - z_j / (m - 1); rows are taken
    # from the point half way between the means.
    def source(self, X):
        """Return where source rows lie on the line, below 0 on their own side."""
        Z = X - self.mean_s
        along = Z @ self.along
        return along - self.half + ((Z * Z) @ self.inverse - 0.5 * along) / (self.n - 1)

    def target(self, X):
        """Return where target rows lie on the line, above 0 on their own side."""
        Z = X - self.mean_t
        along = Z @ self.along
        return along + self.half - ((Z * Z) @ self.inverse + 0.5 * along) / (self.m - 1)


class Extremes(NamedTuple):
    """Smallest and largest of some numbers."""

    least: float
    most: float

    def merge(self, new):
        """Return those of these numbers and other ones together."""
        return Extremes(min(self.least, new.least), max(self.most, new.most))


class Importances(NamedTuple):
    """Raw importance of each source row, and what the method itself has to warn of, if anything."""

    raw: Any
    warning: str | None = None


class BaseWeighter(*CALLBACK_SUPPORT, DomainRouting, BaseEstimator):  # type: ignore[misc]
    """Weights source rows so that they stand for the target.

    A method implements ``_importances(data)``, which returns :class:`Importances` (logarithms of
    them where ``_logs`` is true). ``_array_level`` is "b" where it works in NumPy.
    """

    _labels = "ignored"
    _logs = False
    _array_level = "a"

    def fit(
        self, X: ArrayLike, y: object = None, *, sample_domain: DomainIds | None = None
    ) -> Self:
        """Learn the weight of each source row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : None
            Ignored.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target. Several sources are pooled, and so
            are several targets. None: all rows are source and get weight 1, and a
            :class:`~skda.DomainWarning` says so.

        Returns
        -------
        self : object
            The fitted weighter.
        """
        with fresh_fit(self):
            self._check_shape_params()
            data = self._data_for_fit(X, sample_domain)
            self._least_effective_size(len(data.source))
            begin_fit(self, X, y, data.ids, data.labeled, n_tasks=self._n_tasks(data))
            self._weigh(data, self._importances(data) if data.adapts else None)
        return self

    def _n_tasks(self, data):
        """Return how many tasks a fit has at most, for callbacks; None if that is not known."""
        return 0

    def _weigh(self, data, importances):
        """Store the weights of the source rows; all are 1 without importances."""
        n = len(data.source)
        if importances is None:
            self._scale = None
            weights = self._ones(n, data)
        else:
            exponent, clip = self._check_shape_params()
            raw, warning = importances
            weights, self._scale = scale_weights(
                raw,
                exponent=exponent,
                clip=clip,
                min_effective_size=self._least_effective_size(n),
                logs=self._logs,
            )
            warning = warning or self._quality_warning(data, raw, weights)
            if warning:
                warn_user(warning, DomainWarning)
        self.effective_sample_size_ = effective_sample_size(weights) if n else 0.0
        self.learnt_part_ = 1.0 if self._scale is None else self._scale.learnt_part
        self.weights_ = data.to_input(weights)

    @staticmethod
    def _ones(n, data):
        dtype = getattr(data.X, "dtype", None) if hasattr(data.X, "device") else None
        return data.xp.ones(n, dtype=dtype, device=data.backend.device)

    def _data_for_fit(self, X, sample_domain):
        return data_for_fit(self, X, sample_domain=sample_domain)

    def _check_shape_params(self):
        hint = "1 keeps the weights, 0 makes them equal."
        exponent = check_real("exponent", self.exponent, low=0, high=1, hint=hint)
        clip = check_real("clip", self.clip, low=1, none=True, hint="None does not clip.")
        return exponent, clip

    def _least_effective_size(self, n_rows):
        """Return the smallest effective sample size wanted, as a part of the source rows."""
        if isinstance(self.min_effective_size, str) and self.min_effective_size == "auto":
            return min(1.0, _ROWS_PER_FEATURE * (self.n_features_in_ + 1) / n_rows)
        return check_real(
            "min_effective_size",
            self.min_effective_size,
            low=0,
            high=1,
            none=True,
            hint="It is a part of the source rows. 'auto' goes by the number of features, None "
            "uses the weights as they are learnt.",
        )

    def _quality_warning(self, data, raw, weights):
        """Return what is wrong with the weights, or None."""
        n, size = weights.shape[0], effective_sample_size(weights)
        return self._words_on_quality(n, size, lambda: self._without_overlap(data, raw))

    def _words_on_quality(self, n, size, without_overlap):
        if self._scale is None:
            return (
                f"{type(self).__name__} found no source row that resembles any target row, so all "
                f"{n} source rows get weight 1 (effective sample size {n}). Check that the "
                "features mean the same in both domains, scale them, or make the kernel wider."
            )
        # What the evidence says is judged without the floor, which would hide it.
        learnt_size = self._scale.learnt_size * n
        if learnt_size < max(min(_FEW_ROWS, 0.5 * n), _FEW_OF_ALL * n):
            used = self._scale.learnt_part
            done = f" So {1 - used:.0%} of them is replaced by equal weights." if used < 1 else ""
            return (
                f"The weights of {type(self).__name__} rest on few rows: the effective sample size "
                f"is {learnt_size:.1f} of {n}. The domains hardly overlap.{done} Lower exponent, "
                "set clip, or use fewer or better scaled features."
            )
        if without_overlap():
            return (
                f"{type(self).__name__} found no source row in the region of the target rows: the "
                f"domains do not overlap, and its weights (effective sample size {size:.1f} of "
                f"{n}) cannot make up for that. Adapt the features first, or drop those that give "
                "the domain away."
            )
        return None

    def _without_overlap(self, data, raw):
        """Return whether the rows show that the domains are apart, whatever the weights."""
        return domains_apart(data.X_source, data.X_target)


class FunctionWeighter(BaseWeighter):
    """A weighter whose weights are a function of the features, so that new rows have one too.

    A method implements ``_learn(data)`` and ``_importance(X, backend)``. Where
    ``_looks_for_overlap`` is true, it also warns if no source row is remotely as important as a
    target row is: equal weights are then no sign of equal domains.
    """

    _looks_for_overlap = False

    def _importances(self, data):
        self._learn(data)
        return Importances(self._importance(data.X_source, data.backend))

    def _without_overlap(self, data, raw):
        if super()._without_overlap(data, raw):
            return True
        if not self._looks_for_overlap:
            return False
        xp = namespace(raw)
        typical = float(xp.mean(self._importance(data.X_target, data.backend)))
        return float(xp.max(raw)) < _ALMOST_NO_SHARE * typical

    def _needs_rows(self, data):
        if not hasattr(self, "_learn_sums"):
            return "what it learns is no sum over the rows"
        return None if self.clip is None else "clip= needs the order of all weights"

    def _fit_sums(self, data, table):
        """Fit as ``fit`` does, without ``weights_``: there is one for each source row."""
        exponent, _ = self._check_shape_params()
        least = self._least_effective_size(data.n_source)
        self._scale, self.learnt_part_ = None, 1.0
        self.effective_sample_size_ = n = float(data.n_source)
        if not data.adapts:
            return
        sides = self._learn_sums(data, table)
        between = Between.of(*((m.count, m.mean, m.scatter.diagonal()) for m in sides))
        sums = table.total("_importance_sums_of", exponent, between)
        self._scale = sums["raw"].scale(least)
        if self._scale is not None:
            self.learnt_part_ = part = self._scale.learnt_part
            # With 1 + p (w - 1) the variance of the weights falls by p².
            self.effective_sample_size_ = n / (
                1.0 + part**2 * (1.0 / self._scale.learnt_size - 1.0)
            )
        few = min(data.n_source, data.n_target) < _FEW_TO_JUDGE
        apart = not few and sums["source"].most < sums["target"].least
        warning = self._words_on_quality(data.n_source, self.effective_sample_size_, lambda: apart)
        if warning:
            warn_user(warning, DomainWarning)

    def _importance_sums_of(self, data, exponent, between):
        sums, xp = {}, data.xp
        if len(data.source):
            raw = self._importance(data.X_source, data.backend)
            sums["raw"] = ImportanceSums.of(raw, exponent)
        for name, X in (("source", data.X_source), ("target", data.X_target)):
            if X.shape[0]:
                line = getattr(between, name)(X)
                sums[name] = Extremes(float(xp.min(line)), float(xp.max(line)))
        return sums

    def predict_weights(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Return the weight that each of these rows has as a source row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of any domain.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row, one of those seen in ``fit``. Nothing else depends on it.

        Returns
        -------
        weights : array of shape (n_samples,)
            Weights on the scale of ``weights_``: divided by the same number, mixed with equal
            weights in the same proportion, and never above `clip`. All ones after a fit without
            target rows.
        """
        data = self._data_for_use(X, sample_domain)
        if self._scale is None:
            weights = self._ones(len(data.ids), data)
        else:
            weights = self._scale(self._importance(data.X, data.backend))
        return data.input_backend.asarray(weights)

    def _data_for_use(self, X, sample_domain):
        return data_for_predict(self, X, sample_domain)
