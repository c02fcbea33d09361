"""Classify by several views of a row, each with an estimator and an adaptation of its own."""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy.special import softmax

from .._array._rows import n_rows
from .._core._labels import take_labels
from .._core._score import DomainClassifierMixin
from .._core._typing import Array, ArrayLike, DomainIds
from .._core._validation import class_labels
from ._base_view_fusion import BaseViewFusion
from ._consensus_classifier import _LEAST_PROBABILITY, read_probabilities


class ViewFusionClassifier(DomainClassifierMixin, BaseViewFusion):
    r"""Classify by several views: one classifier per block of columns, and the mean of them.

    Views are blocks of columns that are measured together: laboratory values, a questionnaire, the
    spectrum of one instrument. A shift mostly concerns one of them, and a view may be missing in a
    row. So each view has a pipeline of its own, with an adaptation as strong as that view needs,
    and the class probabilities of the views that a row has are combined (late fusion).

    Parameters
    ----------
    views : dict of str to columns
        The columns of each view: names in a data frame, positions, a slice of positions or a mask
        with one entry per column. Views may share columns; columns in no view are ignored.
    estimators : classifier, dict of str to classifier, or None, default=None
        One for all views, or one per view: anything from a plain classifier to an adapting
        pipeline. Whatever would see target labels is wrapped in :class:`~skda.TrainOnSource`. The
        parameters of a dict are ``view__parameter``, as in
        ``lab__coraltransformer__strength``. None is a LogisticRegression after a StandardScaler,
        fitted on source rows.
    fusion : {"mean", "learned", "product"}, default="mean"
        How the probabilities are combined. "mean" counts all views alike, "learned" takes the
        convex combination that is best on source rows that were left out, and "product" multiplies
        the evidence of the views, as if they were independent within each class; see the notes.
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
        Of "learned": Brier score of each view on source rows that were left out.
    views_ : dict of str to ndarray of int
        Positions of the columns of each view.
    classes_ : ndarray of shape (n_classes,)
        Classes of the source, in their own type.
    priors_ : ndarray of shape (n_classes,)
        Their proportions on the source.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had names.

    Raises
    ------
    ValueError
        If a row has no view at all, in ``fit`` or later: there is nothing to tell its class by.

    Warns
    -----
    DomainWarning
        If a view is left out, or if weights cannot be learned because too few source rows (less
        than half, or than ten) have all views.

    See Also
    --------
    ViewFusionRegressor : The regressor.
    TwoTowerClassifier : A network with one tower per view.
    ColumnBridgeTransformer : Predicts what is missing from the other columns.

    Notes
    -----
    With V(x) the views that a row has,

    .. math:: p(x) = \sum_{v \in V(x)} w_v \, p_v(x) \Big/ \sum_{v \in V(x)} w_v .

    A view is missing in a row if all of its columns are (NaN or None). A data frame may also lack
    the columns of a view altogether when the model is used. Single missing values inside a view are
    up to its estimator. In ``fit``, rows that lack a view are left out of the fit of that view.

    "learned" weights are the solution of

    .. math:: \min_w \sum_i \Big\| y_i - \sum_v w_v \, \hat p_v(x_i) \Big\|^2
        \quad \text{with} \quad w_v \ge 0, \; \sum_v w_v = 1,

    over source rows that have all views, where :math:`y_i` has a 1 for the class of the row and
    :math:`\hat p_v` are the probabilities of a classifier that was fitted without the row. They say
    which view is reliable on the *source*: a view that fails on the target alone keeps its weight,
    so adapt it, or leave it out.

    "product" is naive Bayes over views: with π the proportions of the classes on the source,

    .. math:: p(y \mid x) \propto \pi_y \prod_{v \in V(x)} \frac{p_v(y \mid x)}{\pi_y} .

    A mean of probabilities is drawn towards π: where one class is frequent and each view alone
    tells little, a mean gives that class to nearly every row. The product does not, and is too sure
    of itself where views repeat each other.

    Assumes that each view tells the classes on its own; what shows in the interplay of two views
    only is lost. Without `sample_domain` the classifiers are fitted without adaptation, with a
    warning. Cost: one fit per view, and `cv` more of each for "learned". Array level: that of the
    estimators inside; predictions are combined in NumPy.

    References
    ----------
    .. [1] Breiman, L. (1996). Stacked regressions. Machine Learning 24, 49-64.
       https://doi.org/10.1007/BF00117832

    Examples
    --------
    >>> import numpy as np
    >>> import sklearn
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skda import CORALTransformer, ViewFusionClassifier, make_domain_pipeline
    >>> sklearn.set_config(enable_metadata_routing=True)
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=400)
    >>> X = rng.normal(size=(400, 4)) + y[:, None]
    >>> sample_domain = np.repeat([1, -2], 200)
    >>> X[200:, :2] = 3 * X[200:, :2] + 5  # another instrument in the laboratory
    >>> X[300:, 2:] = np.nan  # no questionnaire
    >>> adapted = make_domain_pipeline(CORALTransformer(), LogisticRegression())
    >>> model = ViewFusionClassifier(
    ...     views={"lab": [0, 1], "form": [2, 3]},
    ...     estimators={"lab": adapted, "form": LogisticRegression()},
    ... ).fit(X, y, sample_domain=sample_domain)
    >>> print(f"{model.score(X[200:], y[200:]):.2f}")
    0.80
    """

    _task = "classifier"
    _fusions = ("mean", "learned", "product")

    def predict(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> np.ndarray:
        """Predict the class of each row from the views that it has.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            Rows of any domain; a data frame may lack the columns of whole views.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. None: every row is a target row.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            Predicted class.
        """
        _, proba = self._proba(X, sample_domain)
        return self.classes_[proba.argmax(axis=1)]

    def predict_proba(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Return the combined class probabilities of the views that a row has.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            Rows of any domain; a data frame may lack the columns of whole views.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. None: every row is a target row.

        Returns
        -------
        proba : array of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        data, proba = self._proba(X, sample_domain)
        return data.input_backend.asarray(proba)

    def _proba(self, X, sample_domain):
        if self.fusion != "product":
            return self._fused(X, sample_domain)
        data, read = self._read_views(X, sample_domain)
        log_proba = np.tile(np.log(self.priors_), (n_rows(data.X), 1))
        for _, rows, values in read:
            # Bounded, so that no view has a veto.
            log_proba[rows] += np.log(np.maximum(values, _LEAST_PROBABILITY) / self.priors_)
        return data, softmax(log_proba, axis=1)

    def _learn_labels(self, data):
        found, codes = class_labels(self, data)
        known, counts = np.unique(codes[data.source], return_counts=True)
        self.classes_, self.priors_ = found[known], counts / counts.sum()

    def _codes(self, data):
        return class_labels(self, data)[1]

    def _reader(self):
        return partial(read_probabilities, classes=self.classes_)

    def _errors(self, data, rows, values):
        """Return how far the probabilities of rows are from 1 for their class and 0 for others."""
        return values - (take_labels(data.y, rows)[:, None] == self.classes_)
