"""Intervals that hold the true value with a given probability on the target."""

from __future__ import annotations

from typing import Literal

import numpy as np

from .._array._warnings import warn_user
from .._core._labels import as_labels, take_labels
from .._core._param_checks import check_option, check_real
from .._core._sample_domain import DomainWarning
from .._core._score import DomainRegressorMixin
from .._core._typing import (
    Array,
    ArrayLike,
    DomainIds,
    Estimator,
    Predictor,
    RandomState,
    Splitting,
)
from .._numerics._weighted_quantile import upper_quantile
from ._base_calibrated import BaseCalibrated
from ._held_out import call_model
from ._quantile_models import BothQuantiles, quantile_parameter


class ConformalRegressor(DomainRegressorMixin, BaseCalibrated):
    """Predict intervals that hold the true value with probability ``1 - alpha`` on the target.

    Labeled rows that a model has not seen show how far off it is. Where the target's rows are
    others than the source's, each of these rows counts as often as its like occurs in the target.
    An interval reaches as far from the prediction as all but a part alpha of the weighted rows
    are off.

    Parameters
    ----------
    estimator : regressor
        Any regressor, or a pipeline. What would see target labels is wrapped in
        :class:`~skda.TrainOnSource`.
    weighter : weighter or None, default=None
        How the target differs: a weighter that weighs new rows, for covariate shift [1]_. None:
        all rows count alike, which is right if the source's errors are those of the target.
    alpha : float, default=0.1
        Largest probability that an interval misses the true value. Smaller: longer intervals.
    method : {"absolute", "quantile"}, default="absolute"
        What is calibrated: absolute errors, so that intervals are of about one length; or the
        quantiles alpha / 2 and 1 - alpha / 2 that two clones of the estimator predict [2]_, so
        that they are longer where labels vary more. "quantile" needs an estimator that predicts
        quantiles: ``QuantileRegressor``, ``HistGradientBoostingRegressor(loss="quantile",
        quantile=0.5)``, ``GradientBoostingRegressor(loss="quantile")`` or a pipeline with one.
    cv : int, splitter, iterable, "prefit" or None, default=5
        How labeled rows are held out: a number of random folds with equal parts of the domains, a
        splitter of scikit-learn or splits of the labeled rows (CV+ [3]_), once (None), or not at
        all: "prefit" takes a fitted estimator, which must not have seen them.
    calibration_size : float, default=0.5
        With ``cv=None``: part of the source rows to hold out.
    use_target_labels : bool, default=False
        Whether target rows that have a label (not NaN) are calibrated with as well.
    target_share : float, "auto" or None, default="auto"
        With `use_target_labels`: part of the weight that target rows have. 1: target rows alone,
        for which nothing need be assumed. None: what follows from the weights, see Notes. "auto":
        1 if there are 1 / alpha labeled target rows, the least for which it gives bounds, else
        None.
    random_state : int, RandomState instance or None, default=None
        Deals out the folds.

    Attributes
    ----------
    estimator_ : regressor
        The fitted regressor that predicts; of all rows, or with ``cv=None`` of those that are not
        held out.
    estimators_ : list of regressors
        One for each fold, fitted without it; with "quantile" of two regressors each.
    weighter_ : weighter or None
        The fitted weighter.
    n_calibration_ : int
        Number of rows that are calibrated with.
    n_effective_ : float
        Their effective number ``(Σw)² / Σw²``. The coverage of a single fit varies about
        ``1 - alpha`` as that of so many rows without weights would.
    n_features_in_ : int
        Number of features.

    Raises
    ------
    ValueError
        In ``fit``, if the weighter cannot weigh new rows, the estimator has no parameter for the
        quantile, or there are too few rows.

    See Also
    --------
    ConformalClassifier : Sets of classes.

    Notes
    -----
    With errors :math:`r_i = |y_i - f_i(x_i)|` by the model :math:`f_i` that has not seen row i,
    weights :math:`w_i` and the own weight w of the new row, the upper end is the weighted
    quantile ``1 - alpha`` of the values :math:`f_i(x) + r_i` and of infinity, which has the weight
    w; the lower end likewise. With "quantile" :math:`r_i` is how far the label lies outside of
    the predicted quantiles, negative inside. With the true weights and a model that has not seen
    the rows the coverage is at least ``1 - alpha``, whatever the model; with folds at least
    ``1 - 2 alpha``, and in practice ``1 - alpha``; with estimated weights as much less as they are
    wrong. It is an average over rows of the target and over fits. Where the own weight exceeds
    what the others can outweigh the interval is infinite; a :class:`~skda.DomainWarning` counts
    them.

    With ``target_share=None`` and m labeled target rows among n source rows a row counts
    ``w / (n + m w)``, the ratio of the target's density to that of all calibration rows: about
    1 / m where the source has no rows, and w / n where it has many. That is right as far as the
    weights are. On real data labels given features differ as well, so that the target rows alone,
    50 of them, hold what is promised, and both together do not (docs, "Sets and intervals"); a
    number in between shares the weight as asked for, a target row and a new row counting 1.

    Without ``sample_domain`` this is plain conformal prediction, with a
    :class:`~skda.DomainWarning`. Each source row is mapped by its own domain's map.
    ``predict_interval`` is meant for target rows. Costs cv + 1 fits of the estimator (2 cv + 1 for
    "quantile") and one of the weighter. Array level (b): NumPy on the host.

    References
    ----------
    .. [1] R. Tibshirani, R. Foygel Barber, E. Candès, A. Ramdas (2019). Conformal prediction under
       covariate shift. NeurIPS. arXiv:1904.06019
    .. [2] Y. Romano, E. Patterson, E. Candès (2019). Conformalized quantile regression. NeurIPS.
       arXiv:1905.03222
    .. [3] R. Foygel Barber, E. Candès, A. Ramdas, R. Tibshirani (2021). Predictive inference with
       the jackknife+. Annals of Statistics. doi:10.1214/20-AOS1965

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from skda import GaussianWeighter, stack_domains
    >>> from skda.conformal import ConformalRegressor
    >>> rng = np.random.default_rng(0)
    >>> X_source, X_target = rng.normal(size=(400, 1)), rng.normal(1.0, 0.5, size=(400, 1))
    >>> def measured(X):  # the less exactly, the larger
    ...     return X[:, 0] + np.exp(X[:, 0] - 1) * rng.normal(size=len(X))
    >>> X, y, sample_domain = stack_domains(X_source, measured(X_source), X_target)
    >>> y_target = measured(X_target)
    >>> for weighter in (None, GaussianWeighter()):
    ...     model = ConformalRegressor(LinearRegression(), weighter, random_state=0)
    ...     model = model.fit(X, y, sample_domain=sample_domain)
    ...     low, high = model.predict_interval(X_target).T
    ...     print(f"{np.mean((low <= y_target) & (y_target <= high)):.2f}")
    0.69
    0.90
    """

    def __init__(
        self,
        estimator: Predictor,
        weighter: Estimator | None = None,
        *,
        alpha: float = 0.1,
        method: Literal["absolute", "quantile"] = "absolute",
        cv: Splitting | Literal["prefit"] | None = 5,
        calibration_size: float = 0.5,
        use_target_labels: bool = False,
        target_share: float | Literal["auto"] | None = "auto",
        random_state: RandomState = None,
    ):
        self.estimator = estimator
        self.weighter = weighter
        self.alpha = alpha
        self.method = method
        self.cv = cv
        self.calibration_size = calibration_size
        self.use_target_labels = use_target_labels
        self.target_share = target_share
        self.random_state = random_state

    def _calibrate(self, data, codes, held_out, weights):
        truth = take_labels(data.y, held_out.rows).astype(np.float64)
        outside = np.empty(len(held_out.rows))
        for _, places, predicted in self._by_fold("predict", data, held_out):
            low, high = _both_ends(predicted)
            outside[places] = np.maximum(low - truth[places], truth[places] - high)
        self._calibration = outside, held_out.folds, weights

    def predict_interval(
        self, X: ArrayLike, *, sample_domain: DomainIds | None = None
    ) -> np.ndarray:
        """Return the interval of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of the target.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. None: every row is a target row.

        Returns
        -------
        intervals : ndarray of shape (n_samples, 2)
            Lower and upper ends; infinite where too few calibration rows resemble the row.
        """
        data, ids = self._new_rows(X, sample_domain)
        ends = [_both_ends(call_model(m, "predict", data.X, ids)) for m in self.estimators_]
        low, high = np.array(ends).transpose(1, 2, 0)
        outside, folds, weights = self._calibration
        own = self._weights.of_new(data.X, ids)[:, 0]
        if len(self.estimators_) == 1:
            reach = upper_quantile(outside, weights, own, self.alpha)
            low, high = low[:, 0] - reach, high[:, 0] + reach
        else:
            low = -upper_quantile(outside - low[:, folds], weights, own, self.alpha)
            high = upper_quantile(outside + high[:, folds], weights, own, self.alpha)
        # Quantiles that were predicted too far apart may be moved past each other: an empty
        # interval, of which the middle is left.
        crossed = low > high
        low[crossed] = high[crossed] = 0.5 * (low[crossed] + high[crossed])
        self._warn_of_infinite(np.isinf(high))
        return np.column_stack([low, high])

    def _warn_of_infinite(self, infinite):
        if infinite.any():
            warn_user(
                f"{int(infinite.sum())} of {len(infinite)} intervals are infinite, because too "
                "little weight lies on the calibration rows beside the rows' own: too few labeled "
                f"rows resemble them. Label target rows, or raise alpha (now {self.alpha:g}).",
                DomainWarning,
            )

    def predict(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Predict the value of each row with the fitted regressor.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of any domain.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. None: every row is a target row.

        Returns
        -------
        y_pred : array of shape (n_samples,)
            Predicted values, not always the middle of the interval.
        """
        data, ids = self._new_rows(X, sample_domain)
        predicted = as_labels(call_model(self.estimator_, "predict", data.X, ids))
        return data.input_backend.asarray(predicted.astype(np.float64))

    def _model(self):
        if self.method == "absolute":
            return self.estimator
        return BothQuantiles(self.estimator, self.alpha)

    def _check_params(self):
        super()._check_params()
        hint = "It is the largest part of intervals without the true value."
        check_real("alpha", self.alpha, low=0, high=1, closed="neither", hint=hint)
        check_option("method", self.method, ("absolute", "quantile"))
        if self.method == "quantile":
            quantile_parameter(self.estimator)
            if isinstance(self.cv, str):
                raise ValueError(
                    "cv='prefit' works with method='absolute' only: for method='quantile' two "
                    "clones of the estimator are fitted. Pass cv=None or a number of folds."
                )


def _both_ends(predicted):
    """Return lower and upper ends; of a single prediction it is both."""
    predicted = as_labels(predicted).astype(np.float64)
    if predicted.ndim == 1:
        return predicted, predicted
    return predicted[:, 0], predicted[:, 1]
