"""Regression on few target rows with the predictions of a source model as evidence."""

from __future__ import annotations

from typing import Literal

import numpy as np
from sklearn.linear_model import Ridge

from .._array._rows import take_rows
from .._core._score import DomainRegressorMixin
from .._core._typing import Array, ArrayLike, DomainIds, Predictor, RandomState
from ._base_source_model import on_host
from ._base_stacked import StackedTransfer


class StackedTransferRegressor(DomainRegressorMixin, StackedTransfer):
    r"""Combine a source model of any kind with a model of few labeled target rows.

    The source model is taken as it is, a black box that predicts. A second model learns from the
    target rows that have a label: on its own, with the two averaged; with the source's prediction
    as one more feature; or only what the source model gets wrong.

    Parameters
    ----------
    source_estimator : regressor, default=None
        Any regressor, or a Pipeline. A fitted one, or a FrozenEstimator, is used as it is and
        source rows are ignored; copies made by a search keep what they hold only inside a
        FrozenEstimator. Otherwise a clone is fitted on the source rows. None: ``Ridge()``.
    target_estimator : regressor, default=None
        Model of the labeled target rows. None: ``Ridge()``.
    method : {"interpolation", "feature", "residual"}, default="interpolation"
        How the two are combined: α · source + (1 − α) · target, where α in [0, 1] has the
        smallest squared error in a five-fold cross-validation on the labeled target rows; the
        source's prediction as one more feature of the target model, whose rows must then be
        numbers; or the target model fitted to the errors of the source model, and added to it.
    random_state : int, RandomState instance or None, default=None
        Deals the labeled target rows out to folds, with "interpolation".

    Attributes
    ----------
    source_estimator_ : regressor
        The source model: the one that was given, or the fitted clone.
    target_estimator_ : regressor or None
        The fitted target model; None if no target row has a label.
    source_weight_ : float
        The weight α of the source model with "interpolation"; else 1.
    n_features_in_ : int
        Number of features.

    Raises
    ------
    ValueError
        In ``fit``, if the source model was fitted on another number of features.

    See Also
    --------
    RegularizedTransferRegressor : Moves the coefficients of a linear source model.
    StackedTransferClassifier : The same for classes.

    Notes
    -----
    "feature" and "interpolation" are the baselines PRED and LININT of [1]_, which many methods do
    not beat. "interpolation" cannot be much worse than the better of the two models; "residual"
    assumes that the source's error is simpler than the function itself: with
    ``target_estimator=HistGradientBoostingRegressor()`` boosting goes on where the source model
    ends. For squared errors this is what ``base_margin`` of XGBoost and ``init_score`` of LightGBM
    do, so that ``XGBRegressor()`` and ``LGBMRegressor()`` go on as well.

    A target row is labeled unless its y is NaN, None or NA or, among integers, -1; unlabeled ones
    are not used. Without any labeled one the source model is used as it is, with a
    :class:`~skda.DomainWarning`; with a single one "interpolation" keeps the source model. Several
    sources, and several targets, are pooled. One model predicts rows of all domains.

    Costs the fits of both models, and of five more target models with "interpolation". Array level
    (b): both models get the rows on the host; rows of other libraries are moved to it.

    References
    ----------
    .. [1] H. Daumé III (2007). Frustratingly easy domain adaptation. ACL. arXiv:0907.1815

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> from skda import StackedTransferRegressor
    >>> rng = np.random.default_rng(0)
    >>> X_source, X_target = rng.uniform(-2, 2, (400, 3)), rng.uniform(-2, 2, (220, 3))
    >>> source_model = RandomForestRegressor(30, random_state=0)
    >>> source_model = source_model.fit(X_source, np.sin(2 * X_source[:, 0]))
    >>> y_target = np.sin(2 * X_target[:, 0]) + X_target[:, 1]  # another trend here
    >>> model = StackedTransferRegressor(source_model, method="residual")
    >>> model = model.fit(X_target[:20], y_target[:20])
    >>> new = X_target[20:], y_target[20:]
    >>> print(f"{source_model.score(*new):.2f} -> {model.score(*new):.2f}")
    0.24 -> 1.00
    """

    def __init__(
        self,
        source_estimator: Predictor | None = None,
        target_estimator: Predictor | None = None,
        *,
        method: Literal["interpolation", "feature", "residual"] = "interpolation",
        random_state: RandomState = None,
    ):
        self.source_estimator = source_estimator
        self.target_estimator = target_estimator
        self.method = method
        self.random_state = random_state

    def _default_source(self):
        return Ridge()

    def _default_target(self):
        return Ridge()

    def _source_values(self, X):
        return on_host(self.source_estimator_.predict(X)).astype(np.float64).ravel()

    def _source_columns(self, X):
        return self._source_values(X)[:, None]

    def _adapt(self, X, y):
        y = np.asarray(y, dtype=np.float64)
        if self.method == "interpolation":
            # One row cannot both be learnt from and be left out.
            if len(y) < 2:
                return

            def target_values(kept, X_new):
                model = self._cloned_target().fit(take_rows(X, kept), y[kept])
                return on_host(model.predict(X_new))

            self.source_weight_ = self._chosen_weight(X, np.zeros(len(y)), y, target_values)
            self.target_estimator_ = self._cloned_target().fit(X, y)
        elif self.method == "feature":
            self.target_estimator_ = self._cloned_target().fit(self._with_source_column(X), y)
        else:
            self.target_estimator_ = self._cloned_target().fit(X, y - self._source_values(X))

    def predict(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Predict with both models.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Accepted, so that a pipeline can always pass it; all rows are predicted alike.

        Returns
        -------
        y_pred : array of shape (n_samples,)
            Predictions, in the array library of `X`.
        """
        data = self._rows_to_predict(X, sample_domain)
        return data.input_backend.asarray(self._combined(data.X))

    def _combined(self, X):
        target = self.target_estimator_
        if target is None:
            return self._source_values(X)
        if self.method == "feature":
            return on_host(target.predict(self._with_source_column(X)))
        predicted = on_host(target.predict(X))
        if self.method == "residual":
            return self._source_values(X) + predicted
        weight = self.source_weight_
        return weight * self._source_values(X) + (1.0 - weight) * predicted
