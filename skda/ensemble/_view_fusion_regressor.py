"""Predict a value by several views of a row, each with an estimator and a map of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from .._core._labels import take_labels
from .._core._score import DomainRegressorMixin
from .._core._typing import Array, ArrayLike, DomainIds, Predictor, RandomState, Splitter
from ._base_view_fusion import BaseViewFusion
from ._consensus_regressor import read_values


class ViewFusionRegressor(DomainRegressorMixin, BaseViewFusion):
    r"""Predict a value by several views: one regressor per block of columns, and the mean of them.

    Views are blocks of columns that are measured together: laboratory values, a questionnaire, the
    spectrum of one instrument. A shift mostly concerns one of them, and a view may be missing in a
    row. So each view has a pipeline of its own, with an adaptation as strong as that view needs,
    and the predictions of the views that a row has are combined (late fusion).

    Parameters
    ----------
    views : dict of str to columns
        The columns of each view: names in a data frame, positions, a slice of positions or a mask
        with one entry per column. Views may share columns; columns in no view are ignored.
    estimators : regressor, dict of str to regressor, or None, default=None
        One for all views, or one per view: anything from a plain regressor to an adapting pipeline.
        Whatever would see target labels is wrapped in :class:`~skda.TrainOnSource`. The parameters
        of a dict are ``view__parameter``, as in ``lab__coraltransformer__strength``. None is a
        Ridge after a StandardScaler, fitted on source rows.
    fusion : {"mean", "learned"}, default="mean"
        How much each view counts: "mean" all alike, "learned" by the convex combination that is
        best on source rows that were left out, see the notes.
    cv : int or splitter, default=5
        Of "learned": the number of folds of a :class:`~skda.model_selection.DomainStratifiedKFold`,
        or a splitter whose ``split`` takes ``sample_domain``.
    use_target_labels : bool, default=False
        Whether labels of target rows are passed on to estimators that learn from them.
    n_jobs : int or None, default=None
        Number of processes over views and folds, as in scikit-learn.
    random_state : int, RandomState instance or None, default=None
        Seeds the folds.

    Attributes
    ----------
    estimators_ : dict of str to estimator
        The fitted estimator of each view. A view that all source rows or all target rows lack is
        left out, with a warning.
    weights_ : ndarray of shape (n_views,)
        Weight of each of them; they sum to 1.
    view_losses_ : ndarray of shape (n_views,)
        Of "learned": mean squared error of each view on source rows that were left out.
    views_ : dict of str to ndarray of int
        Positions of the columns of each view.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had names.

    Raises
    ------
    ValueError
        If a row has no view at all, in ``fit`` or later: there is nothing to predict from.

    Warns
    -----
    DomainWarning
        If a view is left out, or if weights cannot be learned because too few source rows (less
        than half, or than ten) have all views.

    See Also
    --------
    ViewFusionClassifier : The classifier.
    ColumnBridgeTransformer : Predicts what is missing from the other columns.

    Notes
    -----
    With V(x) the views that a row has,

    .. math:: f(x) = \sum_{v \in V(x)} w_v \, f_v(x) \Big/ \sum_{v \in V(x)} w_v .

    A view is missing in a row if all of its columns are (NaN or None). A data frame may also lack
    the columns of a view altogether when the model is used. Single missing values inside a view are
    up to its estimator. In ``fit``, rows that lack a view are left out of the fit of that view.

    "learned" weights are the solution of

    .. math:: \min_w \sum_i \Big( y_i - \sum_v w_v \, \hat f_v(x_i) \Big)^2
        \quad \text{with} \quad w_v \ge 0, \; \sum_v w_v = 1,

    over source rows that have all views, where :math:`\hat f_v` is a regressor that was fitted
    without the row. They say which view is reliable on the *source*: a view that fails on the
    target alone keeps its weight, so adapt it, or leave it out.

    Assumes that each view predicts the value on its own. If the value is a sum of parts of which
    each view sees one, a mean of predictions is too flat, and one regressor on all columns is
    better. Without `sample_domain` the regressors are fitted without adaptation, with a warning.
    Cost: one fit per view, and `cv` more of each for "learned". Array level: that of the estimators
    inside; predictions are combined in NumPy.

    References
    ----------
    .. [1] Breiman, L. (1996). Stacked regressions. Machine Learning 24, 49-64.
       https://doi.org/10.1007/BF00117832

    Examples
    --------
    >>> import numpy as np
    >>> from skda import ViewFusionRegressor
    >>> rng = np.random.default_rng(0)
    >>> y = rng.normal(size=300)
    >>> X = y[:, None] + rng.normal(size=(300, 4)) * [0.2, 0.2, 1.0, 1.0]
    >>> sample_domain = np.repeat([1, -2], 150)
    >>> views = {"good": [0, 1], "poor": slice(2, None)}
    >>> model = ViewFusionRegressor(views, fusion="learned", random_state=0)
    >>> model.fit(X, y, sample_domain=sample_domain).weights_.round(1)
    array([1., 0.])
    >>> X[:, :2] = np.nan  # the poor one is all that is left
    >>> model.predict(X).shape
    (300,)
    """

    _task = "regressor"

    def __init__(
        self,
        views: Mapping[str, Any],
        estimators: Predictor | Mapping[str, Predictor] | None = None,
        *,
        fusion: Literal["mean", "learned"] = "mean",
        cv: int | Splitter = 5,
        use_target_labels: bool = False,
        n_jobs: int | None = None,
        random_state: RandomState = None,
    ):
        super().__init__(
            views,
            estimators,
            fusion=fusion,
            cv=cv,
            use_target_labels=use_target_labels,
            n_jobs=n_jobs,
            random_state=random_state,
        )

    def predict(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Predict the value of each row from the views that it has.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            Rows of any domain; a data frame may lack the columns of whole views.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. None: every row is a target row.

        Returns
        -------
        y_pred : array of shape (n_samples,)
            Weighted mean of the predictions of the views that the row has.
        """
        data, values = self._fused(X, sample_domain)
        return data.input_backend.asarray(values)

    def _learn_labels(self, data):
        pass  # values need no preparation, unlike classes

    def _codes(self, data):
        return np.zeros(len(data.ids), dtype=np.int64)

    def _reader(self):
        return read_values

    def _errors(self, data, rows, values):
        """Return how far the predictions of rows are from their values."""
        return values - np.asarray(take_labels(data.y, rows), dtype=float)
