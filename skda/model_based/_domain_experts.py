"""One model per source domain, weighted by how much a row is like the rows of each source."""

from __future__ import annotations

from typing import Literal

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge

from .._core._score import DomainClassifierMixin, DomainRegressorMixin
from .._core._typing import Array, ArrayLike, DomainIds, Predictor
from ._base_domain_experts import DomainExperts
from ._base_source_model import class_codes, fitted_classifier, on_host, probabilities


class DomainExpertsClassifier(DomainClassifierMixin, DomainExperts):
    r"""Combine one classifier per source domain, weighted for the rows of the target.

    Several sources need not agree, and one model of all of them is right for none. Each source
    gets a model of its own, an expert; a row of the target listens most to the sources whose rows
    it resembles.

    Parameters
    ----------
    estimator : classifier, default=None
        A clone is fitted to each source. Its predicted classes stand for probabilities if it has
        none. None: ``LogisticRegression(max_iter=1000)``.
    weighting : {"similarity", "uniform", "labels", "mmd", "consensus"}, default="similarity"
        Weight of an expert: the probability that the row is one of its source, by a classifier
        that tells the sources apart; or constant weights: the same for all; those with which the
        experts together have the smallest squared error on the target rows that have a label
        (stacking); those with which a mixture of the sources is nearest to the target, by maximum
        mean discrepancy; or the larger, the nearer an expert's predictions for the target rows
        are to those of all experts together.
    domain_estimator : classifier, default=None
        Tells the sources apart, with "similarity"; needs ``predict_proba``. None: a standardized
        logistic regression in which all sources count alike.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes of the source rows (with "labels" also of the labeled target rows).
    sources_ : ndarray of shape (n_sources,)
        Ids of the sources, in the order of the experts.
    estimators_ : list of classifiers
        The expert of each source.
    expert_weights_ : ndarray of shape (n_sources,)
        Weights of the experts, of sum 1; with "similarity" their mean over the target rows.
    domain_estimator_ : classifier or None
        What tells the sources apart, with "similarity" and more than one source.
    n_features_in_ : int
        Number of features.

    See Also
    --------
    DomainExpertsRegressor : The same for numbers.
    MultiSourceTrAdaBoostClassifier : Boosts on one source in each round.
    skda.metrics.rank_sources : Which of the sources suits the target.

    Notes
    -----
    "similarity" is the distribution-weighted combination
    :math:`\sum_k \lambda_k p_k(x) h_k(x) / \sum_k \lambda_k p_k(x)` of [1]_: if the target is a
    mixture of the sources, and labels given features are those of each source where its rows lie,
    its error is no larger than that of the experts at home. The densities enter through their
    ratios only, which the classifier of the sources gives; all :math:`\lambda_k` are equal.

    "mmd" has a Gaussian kernel of the median width; scale the features. It tells which sources the
    target is made of, but not which of its rows are whose; rows must be dense numbers. "consensus"
    suits three experts or more, most of which are right: an expert that contradicts the others
    gets little weight :math:`-\log(d_k / \sum_j d_j)`, for squared distances to the weighted mean,
    in turns with it [2]_.

    With "labels" a target row is labeled unless its y is NaN, None or NA or, among integers, -1;
    without any labeled one all experts weigh the same, with a :class:`~skda.DomainWarning`.
    Several targets are pooled. One source, or rows without ``sample_domain``, make it the plain
    estimator. Costs the fit of one model per source and of the classifier of the sources. Array
    level (b): the models get the rows on the host; rows of other libraries are moved to it.

    References
    ----------
    .. [1] Y. Mansour, M. Mohri, A. Rostamizadeh (2009). Domain adaptation with multiple sources.
       NeurIPS 21.
    .. [2] Q. Li, Y. Li, J. Gao, B. Zhao, W. Fan, J. Han (2014). Resolving conflicts in
       heterogeneous data by truth discovery and source reliability estimation. SIGMOD.
       doi:10.1145/2588555.2610509

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skda import DomainExpertsClassifier, stack_domains
    >>> rng = np.random.default_rng(0)
    >>> X_left, X_right = rng.normal(-3, 1, (200, 2)), rng.normal(3, 1, (200, 2))
    >>> y_left, y_right = X_left[:, 1] > -3, X_right[:, 1] < 3  # the contrary
    >>> X_target = np.vstack([X_left[:50] + 0.1, X_right[:50] - 0.1])
    >>> y_target = np.r_[y_left[:50], y_right[:50]]
    >>> X, y, sample_domain = stack_domains([X_left, X_right], [y_left, y_right], X_target)
    >>> model = DomainExpertsClassifier().fit(X, y, sample_domain=sample_domain)
    >>> pooled = LogisticRegression().fit(X[:400], y[:400].astype(bool))
    >>> print(f"{pooled.score(X_target, y_target):.2f} -> {model.score(X_target, y_target):.2f}")
    0.53 -> 0.99
    """

    def __init__(
        self,
        estimator: Predictor | None = None,
        *,
        weighting: Literal["similarity", "uniform", "labels", "mmd", "consensus"] = "similarity",
        domain_estimator: Predictor | None = None,
    ):
        self.estimator = estimator
        self.weighting = weighting
        self.domain_estimator = domain_estimator

    def _default(self):
        return LogisticRegression(max_iter=1000)

    def _fitted_expert(self, X, y):
        # A source may have rows of one class only.
        return fitted_classifier(clone(self._inner()), X, y)

    def _expert_values(self, expert, X):
        return probabilities(expert, X, self.classes_)

    def _wanted(self, labels):
        return np.eye(len(self.classes_))[class_codes(labels, self.classes_)]

    def predict(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> np.ndarray:
        """Predict the class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Accepted, so that a pipeline can always pass it; all rows are predicted alike.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            Predicted labels.
        """
        proba, _ = self._combined(X, sample_domain)
        return self.classes_[np.argmax(proba, axis=1)]

    def predict_proba(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Return the weighted mean of the experts' class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Accepted, so that a pipeline can always pass it; all rows are predicted alike.

        Returns
        -------
        proba : array of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        proba, backend = self._combined(X, sample_domain)
        return backend.asarray(proba)


class DomainExpertsRegressor(DomainRegressorMixin, DomainExperts):
    r"""Combine one regressor per source domain, weighted for the rows of the target.

    Several sources need not agree, and one model of all of them is right for none. Each source
    gets a model of its own, an expert; a row of the target listens most to the sources whose rows
    it resembles.

    Parameters
    ----------
    estimator : regressor, default=None
        A clone is fitted to each source. None: ``Ridge()``.
    weighting : {"similarity", "uniform", "labels", "mmd", "consensus"}, default="similarity"
        Weight of an expert: the probability that the row is one of its source, by a classifier
        that tells the sources apart; or constant weights: the same for all; those with which the
        experts together have the smallest squared error on the target rows that have a label
        (stacking); those with which a mixture of the sources is nearest to the target, by maximum
        mean discrepancy; or the larger, the nearer an expert's predictions for the target rows
        are to those of all experts together.
    domain_estimator : classifier, default=None
        Tells the sources apart, with "similarity"; needs ``predict_proba``. None: a standardized
        logistic regression in which all sources count alike.

    Attributes
    ----------
    sources_ : ndarray of shape (n_sources,)
        Ids of the sources, in the order of the experts.
    estimators_ : list of regressors
        The expert of each source.
    expert_weights_ : ndarray of shape (n_sources,)
        Weights of the experts, of sum 1; with "similarity" their mean over the target rows.
    domain_estimator_ : classifier or None
        What tells the sources apart, with "similarity" and more than one source.
    n_features_in_ : int
        Number of features.

    See Also
    --------
    DomainExpertsClassifier : The same for classes.
    skda.metrics.rank_sources : Which of the sources suits the target.

    Notes
    -----
    "similarity" is the distribution-weighted combination
    :math:`\sum_k \lambda_k p_k(x) h_k(x) / \sum_k \lambda_k p_k(x)` of [1]_: if the target is a
    mixture of the sources, and labels given features are those of each source where its rows lie,
    its error is no larger than that of the experts at home. The densities enter through their
    ratios only, which the classifier of the sources gives; all :math:`\lambda_k` are equal.

    "mmd" has a Gaussian kernel of the median width; scale the features. It tells which sources the
    target is made of, but not which of its rows are whose; rows must be dense numbers. "consensus"
    suits three experts or more, most of which are right: an expert that contradicts the others
    gets little weight :math:`-\log(d_k / \sum_j d_j)`, for squared distances to the weighted mean,
    in turns with it [2]_.

    With "labels" a target row is labeled unless its y is NaN, None or NA or, among integers, -1;
    without any labeled one all experts weigh the same, with a :class:`~skda.DomainWarning`.
    Several targets are pooled. One source, or rows without ``sample_domain``, make it the plain
    estimator. Costs the fit of one model per source and of the classifier of the sources. Array
    level (b): the models get the rows on the host; rows of other libraries are moved to it.

    References
    ----------
    .. [1] Y. Mansour, M. Mohri, A. Rostamizadeh (2009). Domain adaptation with multiple sources.
       NeurIPS 21.
    .. [2] Q. Li, Y. Li, J. Gao, B. Zhao, W. Fan, J. Han (2014). Resolving conflicts in
       heterogeneous data by truth discovery and source reliability estimation. SIGMOD.
       doi:10.1145/2588555.2610509

    Examples
    --------
    >>> import numpy as np
    >>> from skda import DomainExpertsRegressor, stack_domains
    >>> rng = np.random.default_rng(0)
    >>> X_left, X_right = rng.normal(-3, 1, (200, 1)), rng.normal(3, 1, (200, 1))
    >>> X_target = rng.normal(0, 3, (100, 1))
    >>> X, y, sample_domain = stack_domains(
    ...     [X_left, X_right], [-X_left[:, 0], X_right[:, 0]], X_target
    ... )
    >>> model = DomainExpertsRegressor().fit(X, y, sample_domain=sample_domain)
    >>> print(f"R² {model.score(X_target, np.abs(X_target[:, 0])):.2f}")
    R² 0.99
    """

    def __init__(
        self,
        estimator: Predictor | None = None,
        *,
        weighting: Literal["similarity", "uniform", "labels", "mmd", "consensus"] = "similarity",
        domain_estimator: Predictor | None = None,
    ):
        self.estimator = estimator
        self.weighting = weighting
        self.domain_estimator = domain_estimator

    def _default(self):
        return Ridge()

    def _expert_values(self, expert, X):
        return on_host(expert.predict(X)).astype(np.float64)

    def _wanted(self, labels):
        return np.asarray(labels, dtype=np.float64)

    def predict(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Predict with the weighted mean of the experts.

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
        values, backend = self._combined(X, sample_domain)
        return backend.asarray(values)
