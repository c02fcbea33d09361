"""What all weighters share: from raw importances to weights that can be used and inspected.

Raw importances are flattened (``w ** exponent``), clipped and brought to mean 1 over the source
rows; the constants are kept, so that weights of new rows are on the same scale.
"""

import math
from typing import Any, NamedTuple

from sklearn.base import BaseEstimator

from .._array._backend import namespace
from .._array._warnings import warn_user
from .._core._param_checks import check_real
from .._core._routing import DomainRouting
from .._core._sample_domain import DomainWarning
from .._core._validation import data_for_fit, data_for_predict


class WeightScale(NamedTuple):
    """The constants that bring raw importances to mean 1 on the rows they were learnt from."""

    reference: float
    exponent: float
    mean: float
    clip: float
    clipped_mean: float
    logs: bool

    def __call__(self, raw):
        """Return the weights of rows with these raw (log) importances."""
        xp = namespace(raw)
        weights = _flattened(raw, self.reference, self.exponent, logs=self.logs) / self.mean
        return xp.clip(weights, max=self.clip) / self.clipped_mean


def _flattened(raw, reference, exponent, *, logs):
    xp = namespace(raw)
    if logs:
        ceiling = 0.5 * math.log(float(xp.finfo(raw.dtype).max))
        relative = xp.clip(raw - reference, min=-1e30)  # times exponent=0 this is 0, unlike -inf
        return xp.exp(xp.clip(relative * exponent, max=ceiling))
    return (raw / reference) ** exponent


def scale_weights(raw, *, exponent=1.0, clip=None, logs=False):
    """Bring raw importances to mean 1.

    Parameters
    ----------
    raw : array of shape (n,)
        Importances, not negative; or their logarithms.
    exponent : float
        Exponent in [0, 1].
    clip : float or None
        Largest weight, as a multiple of the mean before clipping.
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
    mean = float(xp.mean(_flattened(raw, reference, exponent, logs=logs)))
    clip = math.inf if clip is None else float(clip)
    scale = WeightScale(reference, exponent, mean, clip, 1.0, logs)
    scale = scale._replace(clipped_mean=float(xp.mean(scale(raw))))
    return scale(raw), scale


def effective_sample_size(weights):
    """Kish's ``(sum w)² / sum w²``: as many equally weighted rows have the same variance."""
    xp = namespace(weights)
    return float(xp.sum(weights)) ** 2 / float(xp.sum(weights * weights))


def domains_apart(X_source, X_target, *, least=10):
    """Tell whether all source rows lie on one side of all target rows, between the two means.

    Each row is projected on the difference of the means, in units of the features' spread within
    domains, taken without that row: rows of one distribution do not come apart by their number of
    features. With fewer than `least` rows in a domain it is left open (False).
    """
    xp = namespace(X_source)
    n, m = X_source.shape[0], X_target.shape[0]
    if min(n, m) < least:
        return False
    mean_s, mean_t = xp.mean(X_source, axis=0), xp.mean(X_target, axis=0)
    Zs, Zt, gap = X_source - mean_s, X_target - mean_t, mean_t - mean_s
    squares = Zs * Zs, Zt * Zt
    spread = (xp.sum(squares[0], axis=0) + xp.sum(squares[1], axis=0)) / (n + m)
    rounding = (mean_s * mean_s + mean_t * mean_t) * (10.0 * float(xp.finfo(gap.dtype).eps)) ** 2
    # A feature that is constant in both domains counts in units of its difference, if it has one.
    differs = xp.where(gap * gap > rounding, gap * gap, xp.zeros_like(gap))
    unit = xp.where(spread > rounding, spread, differs)
    inverse = xp.where(unit > 0, 1.0 / xp.where(unit > 0, unit, xp.ones_like(unit)), unit)
    along = gap * inverse
    # Without row i the difference is gap + z_i / (n - 1), or gap - z_j / (m - 1); rows are taken
    # from the point half way between the means.
    half, source, target = 0.5 * xp.sum(gap * along), Zs @ along, Zt @ along
    left = source - half + (squares[0] @ inverse - 0.5 * source) / (n - 1)
    right = target + half - (squares[1] @ inverse + 0.5 * target) / (m - 1)
    return float(xp.max(left)) < float(xp.min(right))


class Importances(NamedTuple):
    """Raw importance of each source row, and what the method itself has to warn of, if anything."""

    raw: Any
    warning: str | None = None


class BaseWeighter(DomainRouting, BaseEstimator):
    """Weights source rows so that they stand for the target.

    A method implements ``_fit(data)``, which returns :class:`Importances` (logarithms of them where
    ``_logs`` is true). ``_array_level`` is "b" where it works in NumPy.
    """

    _labels = "ignored"
    _logs = False
    _array_level = "a"

    def fit(self, X, y=None, *, sample_domain=None):
        """Learn the weight of each source row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : None
            Not looked at.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target. Several sources are pooled, and so
            are several targets. None: all rows are source and get weight 1, and a
            :class:`~skda.DomainWarning` says so.

        Returns
        -------
        self : object
            The fitted weighter.
        """
        self._check_shape_params()
        data = self._data_for_fit(X, sample_domain)
        xp, backend = data.xp, data.backend
        if data.adapts:
            raw, warning = self._fit(data)
            weights, self._scale = scale_weights(
                raw, exponent=self.exponent, clip=self.clip, logs=self._logs
            )
            warning = warning or self._quality_warning(data, raw, weights)
            if warning:
                warn_user(warning, DomainWarning)
        else:
            self._scale = None
            dtype = getattr(data.X, "dtype", None) if hasattr(data.X, "device") else None
            weights = xp.ones(len(data.source), dtype=dtype, device=backend.device)
        self.effective_sample_size_ = effective_sample_size(weights)
        self.weights_ = data.to_input(weights)
        return self

    def _data_for_fit(self, X, sample_domain):
        return data_for_fit(self, X, sample_domain=sample_domain)

    def _check_shape_params(self):
        check_real(
            "exponent",
            self.exponent,
            low=0,
            high=1,
            hint="1 keeps the weights, 0 makes them equal.",
        )
        if self.clip is not None:
            check_real("clip", self.clip, low=1, hint="None does not clip.")

    def _quality_warning(self, data, raw, weights):
        """Return what is wrong with the weights, or None."""
        n, size = weights.shape[0], effective_sample_size(weights)
        if self._scale is None:
            return (
                f"{type(self).__name__} found no source row that resembles any target row, so all "
                f"{n} source rows get weight 1 (effective sample size {n}). Check that the "
                "features mean the same in both domains, scale them, or make the kernel wider."
            )
        if size < max(min(3.0, 0.5 * n), 0.01 * n):
            return (
                f"The weights of {type(self).__name__} rest on few rows: the effective sample size "
                f"is {size:.1f} of {n}. The domains hardly overlap. Lower exponent, set clip, or "
                "use fewer or better scaled features."
            )
        if self._without_overlap(data, raw):
            return (
                f"{type(self).__name__} found no source row in the region of the target rows: the "
                f"domains do not overlap, and its weights (effective sample size {size:.1f} of "
                f"{n}) cannot make up for that. Adapt the features first, or drop those that give "
                "the domain away."
            )
        return None

    def _without_overlap(self, data, raw):
        """Tell whether the rows show that the domains are apart, whatever the weights."""
        return domains_apart(data.X_source, data.X_target)


class FunctionWeighter(BaseWeighter):
    """A weighter whose weights are a function of the features, so that new rows have one too.

    A method implements ``_learn(data)`` and ``_importance(X, backend)``. Where
    ``_looks_for_overlap`` is true, it also warns if no source row is remotely as important as a
    target row is: equal weights are then no sign of equal domains.
    """

    _looks_for_overlap = False

    def _fit(self, data):
        self._learn(data)
        return Importances(self._importance(data.X_source, data.backend))

    def _without_overlap(self, data, raw):
        if super()._without_overlap(data, raw):
            return True
        if not self._looks_for_overlap:
            return False
        xp = namespace(raw)
        typical = float(xp.mean(self._importance(data.X_target, data.backend)))
        return float(xp.max(raw)) < 1e-2 * typical

    def predict_weights(self, X, *, sample_domain=None):
        """Return the weight that each of these rows has as a source row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of any domain.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Checked for its length only.

        Returns
        -------
        weights : array of shape (n_samples,)
            Weights on the scale of ``weights_``; all ones after a fit without target rows.
        """
        data = self._data_for_use(X, sample_domain)
        if self._scale is None:
            dtype = getattr(data.X, "dtype", None) if hasattr(data.X, "device") else None
            weights = data.xp.ones(len(data.ids), dtype=dtype, device=data.backend.device)
        else:
            weights = self._scale(self._importance(data.X, data.backend))
        return data.input_backend.asarray(weights)

    def _data_for_use(self, X, sample_domain):
        return data_for_predict(self, X, sample_domain)
