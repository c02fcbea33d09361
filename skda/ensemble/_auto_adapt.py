"""One call for users who do not know which method to take, or whether to adapt at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
from scipy.stats import wilcoxon
from sklearn.base import BaseEstimator, MetaEstimatorMixin, is_classifier
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if

from .._core._callbacks import CALLBACK_SUPPORT, begin_fit, fitted_inside
from .._core._labels import as_labels, labeled_rows, take_labels
from .._core._param_checks import check_real
from .._core._routing import DomainRouting
from .._core._score import DomainClassifierMixin, DomainRegressorMixin
from .._core._typing import Array, ArrayLike, DomainIds, Estimator, Predictor
from .._core._validation import data_for_inner_fit, data_for_inner_predict, fresh_fit
from .._numerics._paired_tests import gain_interval, labels_needed, sign_test
from .._numerics._signed_rank import signed_rank_interval
from ..model_selection._source_only import SOURCE_ONLY
from ._base_consensus import without_target_labels
from ._consensus_classifier import ConsensusClassifier
from ._consensus_regressor import ConsensusRegressor

# The smallest p-value of a sign test on four rows is 1/16: fewer than five decide next to nothing.
_LEAST_LABELS = 5
_CONFIDENCE = 0.9


class BaseAutoAdapt(*CALLBACK_SUPPORT, DomainRouting, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """Fits a consensus, and decides between it and the source-only model.

    A subclass writes ``_consensus``, ``_decide_by_labels`` and ``_decide_without_labels``.
    """

    _labels = "all"
    _array_level = "inner"
    _holds_estimators = True
    _order_dependent = True  # as its consensus

    def __init__(
        self,
        estimator: Predictor | None = None,
        *,
        candidates: Literal["auto"] | Mapping[str, Estimator] = "auto",
        alpha: float = 0.1,
        n_jobs: int | None = None,
        verbose: bool = False,
    ):
        self.estimator = estimator
        self.candidates = candidates
        self.alpha = alpha
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X: ArrayLike, y: ArrayLike, *, sample_domain: DomainIds | None = None) -> Self:
        """Fit the candidates, and decide whether their consensus or the source-only model is used.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            Rows of all domains, in any container that the estimator takes.
        y : array-like of shape (n_samples,)
            Labels. Those of target rows are used where there are five or more, for the test of the
            consensus and for nothing else.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target. None: the plain estimator on all rows,
            with a :class:`~skda.DomainWarning`.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        with fresh_fit(self):
            hint = "It is the probability of adapting where that does not help."
            check_real("alpha", self.alpha, low=0, high=0.5, closed="neither", hint=hint)
            data = data_for_inner_fit(self, X, y, sample_domain, labels="all")
            labels = without_target_labels(data) if data.adapts else data.y
            begin_fit(self, X, y, data.ids, data.ids >= 0, n_tasks=1)
            self.consensus_ = self._consensus()
            with fitted_inside(self, "consensus", self.consensus_):
                self.consensus_.fit(data.X, labels, sample_domain=sample_domain)
            if is_classifier(self):
                self.classes_ = self.consensus_.classes_
            self.gain_interval_, self.pvalue_, self.n_labels_ = None, None, 0
            self._decide(data)
            self.consensus_.keeps_source_ = not self.adapts_
        return self

    def _decide(self, data):
        if not data.adapts:
            return self._keep("there are no target rows to adapt to")
        if SOURCE_ONLY not in self.consensus_.estimators_:
            return self._adapt("the source model could not be fitted")
        labeled = labeled_rows(data.y, data.ids)[data.target]
        if labeled.sum() < _LEAST_LABELS:
            return self._decide_without_labels()
        self.n_labels_ = int(labeled.sum())
        y = take_labels(data.y, data.target[labeled])
        adapted, plain = self.consensus_._both(data.X_target, data.ids[data.target])
        disagreement = float(np.mean(adapted != plain))
        return self._decide_by_labels(y, adapted[labeled], plain[labeled], disagreement)

    def _keep(self, reason):
        self.adapts_ = False
        self.verdict_ = f"keep the source model: {reason}"

    def _adapt(self, reason):
        self.adapts_ = True
        n_candidates = len(self.consensus_.estimators_)
        self.verdict_ = f"adapt: consensus of {n_candidates} candidates, {reason}"

    def predict(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Predict with what was decided for.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            Rows of any domain.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. None: every row is a target row.

        Returns
        -------
        y_pred : array of shape (n_samples,)
            Predictions.
        """
        data = data_for_inner_predict(self, X, sample_domain)
        return self.consensus_.predict(data.X, sample_domain=sample_domain)

    @property
    def table_(self) -> Any:
        """Data frame with one row per candidate, of the consensus."""
        if "consensus_" not in vars(self):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute 'table_'")
        return self.consensus_.table_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self._consensus()).input_tags
        return tags


def _has_probabilities(self):
    if self.estimator is None or hasattr(self.estimator, "predict_proba"):
        return True
    raise AttributeError(f"{type(self.estimator).__name__} has no predict_proba.")


class AutoAdaptClassifier(DomainClassifierMixin, BaseAutoAdapt):
    """Adapt a classifier if that helps, by a consensus of many methods, and say why.

    No method is to be chosen, and no strength to be searched: some twenty methods are fitted around
    the classifier, and their consensus is used where there is evidence that the source-only model
    fails in the target. With five target labels or more the evidence is a test; without, it is
    whether the source-only labels lead back from the target to the source.

    Parameters
    ----------
    estimator : classifier or None, default=None
        The plain classifier, also at the end of a Pipeline. None is a LogisticRegression after a
        StandardScaler.
    candidates : "auto" or dict of str to estimator, default="auto"
        What is combined, as in :class:`ConsensusClassifier`.
    alpha : float, default=0.1
        In (0, 0.5): the probability with which the test adapts although the consensus is no better
        than the source-only model in the target.
    n_jobs : int or None, default=None
        Number of processes over candidates, as in scikit-learn.
    verbose : bool, default=False
        Whether to print a line when a candidate is fitted, and the verdict.

    Attributes
    ----------
    verdict_ : str
        What was decided, and on what evidence, in a sentence.
    adapts_ : bool
        Whether the consensus is used, and not the source-only model.
    consensus_ : ConsensusClassifier
        The fitted consensus, which holds all candidates.
    classes_ : ndarray of shape (n_classes,)
        Classes of the source rows.
    n_labels_ : int
        Number of target labels that the test used; 0 without a test.
    pvalue_ : float or None
        That of the sign test.
    gain_interval_ : tuple of float or None
        Limits of the gain in accuracy over the source-only model, in points, at 90 %. None without
        a test.
    table_ : DataFrame
        One row per candidate, as in :class:`ConsensusClassifier`.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had names.

    Raises
    ------
    ValueError
        As :class:`ConsensusClassifier` does.

    See Also
    --------
    ConsensusClassifier : The consensus itself, with its parameters.
    skda.model_selection.GuardedSearchCV : Chooses one of the candidates by a test.

    Notes
    -----
    The test is an exact one-sided sign test on the labeled target rows on which the consensus and
    the source-only model disagree. No candidate has seen these labels. Where the test does not
    decide for the consensus, the source-only model is kept, whatever other evidence there is. The
    interval holds the proportion of rows on which the two disagree fixed at that of all target
    rows, and assumes that the labeled rows among those were drawn at random.

    Cost: that of :class:`ConsensusClassifier`. Array level: that of the estimators inside.

    Examples
    --------
    >>> import numpy as np
    >>> from skda.datasets import load_digits_scanners
    >>> from skda.ensemble import AutoAdaptClassifier
    >>> X, y, sample_domain = load_digits_scanners(random_state=0)
    >>> labeled = (sample_domain > 0) | (np.arange(len(y)) % 30 == 0)  # 29 of the target
    >>> y_known = np.where(labeled, y, np.nan)
    >>> model = AutoAdaptClassifier().fit(X, y_known, sample_domain=sample_domain)
    >>> model.adapts_, model.n_labels_
    (True, 30)
    """

    @available_if(_has_probabilities)
    def predict_proba(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Return class probabilities of what was decided for.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            Rows of any domain.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. None: every row is a target row.

        Returns
        -------
        proba : array of shape (n_samples, n_classes)
            Probabilities in the order of ``classes_``; rows sum to 1.
        """
        data = data_for_inner_predict(self, X, sample_domain)
        return self.consensus_.predict_proba(data.X, sample_domain=sample_domain)

    def _consensus(self):
        return ConsensusClassifier(
            self.candidates, estimator=self.estimator, n_jobs=self.n_jobs, verbose=self.verbose
        )

    def _decide_without_labels(self):
        ratio = self.consensus_.reverse_ratio_
        if np.isnan(ratio):
            return self._keep("it is no better than chance in the source itself")
        kept = f"{max(ratio, 0.0):.0%} of its skill on the way back from the target"
        if self.consensus_.keeps_source_:
            return self._keep(f"it has {kept}")
        return self._adapt(f"since the source model has {kept}")

    def _decide_by_labels(self, y, adapted, plain, disagreement):
        differ = adapted != plain
        better = int((adapted == y)[differ].sum())
        worse = int((plain == y)[differ].sum())
        self.pvalue_ = float(sign_test(better, worse))
        ties = None if len(self.consensus_.classes_) == 2 else int(differ.sum()) - better - worse
        limits = gain_interval(better, worse, ties, confidence=_CONFIDENCE)
        self.gain_interval_ = tuple(float(100 * disagreement * limit) for limit in limits)
        if self.pvalue_ <= self.alpha:
            low, high = self.gain_interval_
            return self._adapt(
                f"tested on {self.n_labels_} labels, gain {low:.1f} to {high:.1f} points at "
                f"{_CONFIDENCE:.0%}"
            )
        if not differ.any() and not disagreement:
            return self._keep("the consensus predicts the same")
        return self._keep(
            f"of {self.n_labels_} labels {better} speak for the consensus and {worse} for it"
            f"{self._more_labels(better, worse)}"
        )

    def _more_labels(self, better, worse):
        """Return how many labels may decide for the consensus, if those so far speak for it."""
        if better <= worse:
            return ""
        needed = labels_needed(
            lambda b, w: sign_test(b, w) <= self.alpha,
            win_rate=better / (better + worse),
            better=better,
            worse=worse,
        )
        if needed is None:
            return ""
        return f"; some {needed} more on rows where they disagree may decide"


class AutoAdaptRegressor(DomainRegressorMixin, BaseAutoAdapt):
    """Adapt a regressor by a consensus of many methods, tested where there are target labels.

    No method is to be chosen, and no strength to be searched: the methods that suit the data are
    fitted around the regressor, and the middle of their predictions is used. With five target
    labels or more this is tested against the source-only model first.

    Parameters
    ----------
    estimator : regressor or None, default=None
        The plain regressor, also at the end of a Pipeline. None is a Ridge after a StandardScaler.
    candidates : "auto" or dict of str to estimator, default="auto"
        What is combined, as in :class:`ConsensusRegressor`.
    alpha : float, default=0.1
        In (0, 0.5): the probability with which the test adapts although the consensus is no better
        than the source-only model in the target.
    n_jobs : int or None, default=None
        Number of processes over candidates, as in scikit-learn.
    verbose : bool, default=False
        Whether to print a line when a candidate is fitted.

    Attributes
    ----------
    verdict_ : str
        What was decided, and on what evidence, in a sentence.
    adapts_ : bool
        Whether the consensus is used, and not the source-only model.
    consensus_ : ConsensusRegressor
        The fitted consensus, which holds all candidates.
    n_labels_ : int
        Number of target labels that the test used; 0 without a test.
    pvalue_ : float or None
        That of the signed-rank test.
    gain_interval_ : tuple of float or None
        Limits of the median by which absolute errors are smaller than those of the source-only
        model, in units of y, at 90 %. None without a test.
    table_ : DataFrame
        One row per candidate, as in :class:`ConsensusRegressor`.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had names.

    Raises
    ------
    ValueError
        As :class:`ConsensusRegressor` does.

    See Also
    --------
    ConsensusRegressor : The consensus itself, with its parameters.
    skda.model_selection.GuardedSearchCV : Chooses one of the candidates by a test.

    Notes
    -----
    The test is Wilcoxon's one-sided signed-rank test on the differences of the absolute errors on
    labeled target rows, which no candidate has seen; the interval is that of its Walsh averages.
    Where the test does not decide for the consensus, the source-only model is kept. Without labels
    there is no evidence whether a regressor holds in the target, and the verdict says so.

    Cost: that of :class:`ConsensusRegressor`. Array level: that of the estimators inside.

    Examples
    --------
    >>> import numpy as np
    >>> from skda import stack_domains
    >>> from skda.ensemble import AutoAdaptRegressor
    >>> rng = np.random.default_rng(0)
    >>> A, B = rng.normal(size=(80, 3)), rng.normal(size=(80, 3))
    >>> y_target = np.where(np.arange(80) < 20, B @ [1.0, 2.0, 3.0], np.nan)  # 20 labels
    >>> X, y, sample_domain = stack_domains(A, A @ [1.0, 2.0, 3.0], 2 * B + 5, y_target)
    >>> model = AutoAdaptRegressor().fit(X, y, sample_domain=sample_domain)
    >>> model.adapts_, model.n_labels_
    (True, 20)
    """

    def _consensus(self):
        return ConsensusRegressor(
            self.candidates, estimator=self.estimator, n_jobs=self.n_jobs, verbose=self.verbose
        )

    def _decide_without_labels(self):
        self._adapt("untested: five labeled target rows or more would test it")

    def _decide_by_labels(self, y, adapted, plain, disagreement):
        y = as_labels(y).astype(float)
        gains = np.abs(plain - y) - np.abs(adapted - y)
        self.pvalue_ = float(wilcoxon(gains, alternative="greater").pvalue) if gains.any() else 1.0
        self.gain_interval_ = signed_rank_interval(gains, _CONFIDENCE)
        low, high = self.gain_interval_
        words = f"the median gain in absolute error is {low:.3g} to {high:.3g} at {_CONFIDENCE:.0%}"
        if self.pvalue_ <= self.alpha:
            return self._adapt(f"tested on {self.n_labels_} labels, {words}")
        return self._keep(f"on {self.n_labels_} labels {words}")
