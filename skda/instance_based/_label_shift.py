"""Label shift: class proportions change, and the rows of each class look as they did.

The target's class priors are estimated from the classifier's own outputs on unlabeled target rows,
and its probabilities are corrected for them.
"""

from __future__ import annotations

import copy
from typing import Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import check_cv
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.validation import check_is_fitted

from .._array._rows import take_rows
from .._array._warnings import warn_user
from .._core._meta_estimator import (
    check_accepts_sample_weight,
    check_row_weights,
    class_columns,
    predicted_codes,
)
from .._core._param_checks import (
    check_bool,
    check_forgetting_factor,
    check_integer,
    check_option,
    check_real,
)
from .._core._routing import DomainRouting
from .._core._sample_domain import DomainWarning, check_sample_domain, note_domains
from .._core._score import DomainClassifierMixin
from .._core._typing import Array, ArrayLike, DomainIds, Predictor, RandomState, Splitting
from .._core._validation import (
    class_labels,
    data_for_inner_fit,
    data_for_inner_predict,
    fresh_fit,
    one_class_explained,
)
from .._numerics._calibration import fit_scaling, scaled_proba
from .._numerics._em_priors import corrected_proba, em_priors
from .._numerics._folds import dealt_folds
from ._class_priors import (
    SINGULAR,
    bbse_ratio,
    joint_confusion,
    ks_limit,
    rlls_radius,
    rlls_ratio,
    weighted_ks,
)

# Classifiers of folds, which see fewer rows, differ from that of all rows by about so much.
_FOLDS_DIFFER = 0.05
# Inverse temperature below which held-out probabilities say next to nothing of the classes: scaled
# by it they would all be the source's priors, and "em" would go nowhere, slowly.
_LEAST_BETA = 0.2
_LEAST_PRIOR = 1e-12  # of a class that the classifier never thinks possible, which divides
_ABSENT_ROWS, _ABSENT_RATIO = 1.0, 0.1  # a class is absent below one row, and a tenth of its prior


def stratified_folds(codes, n_folds, random_state):
    """Yield (fit, test) rows of shuffled folds that share out each class evenly.

    Unlike scikit-learn's, classes with fewer rows than folds are fine.
    """
    fold = dealt_folds(codes, check_random_state(random_state), n_folds)
    for number in range(n_folds):
        yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)


def never_zero(priors):
    """Return priors that can be divided by."""
    priors = np.maximum(priors, _LEAST_PRIOR)
    return priors / priors.sum()


class LabelShiftClassifier(DomainClassifierMixin, DomainRouting, MetaEstimatorMixin, BaseEstimator):
    """Estimate the target's class priors without labels and correct the probabilities for them.

    A classifier learns how common each class is along with what it looks like. Where the classes
    are rarer or more common in the target, its outputs on unlabeled target rows show how much, and
    its probabilities are multiplied by the change.

    Parameters
    ----------
    estimator : classifier, default=None
        Classifier with ``predict_proba``; fitted on the source rows as they come. "em" and the
        correction rely on its probabilities, see `calibration`. With
        ``class_weight="balanced"`` it assumes other priors than the source's, which
        ``classifier_priors_`` accounts for. None: ``LogisticRegression(max_iter=1000)``.
    method : {"em", "bbse", "rlls"}, default="em"
        How the priors are estimated: maximum likelihood by expectation maximization [1]_, the
        most precise where the probabilities are calibrated; inverting the confusion matrix [2]_,
        which works for any classifier; or the same with a penalty on the size of the shift
        [3]_, for many classes or few rows.
    strength : float, default=1.0
        How far to go from the source's priors (0) to the estimated ones (1).
    reg : float, default=0.01
        For "rlls": weight of the penalty, in units of the paper's bound 3Δ_C. Raising it trusts
        the source's priors more.
    calibration : {"bcts", "temperature"} or None, default="bcts"
        How the classifier's probabilities are calibrated on held-out source rows before they are
        corrected: bias-corrected temperature scaling [5]_, one temperature for all classes, or not
        at all. Not done where `check_fit` refuses the estimate, with `strength` 0, or without
        target rows in ``fit``.
    check_fit : bool, default=True
        Whether the estimate must explain the target: if the classifier's probabilities of target
        rows are distributed otherwise than those of held-out source rows in the estimated
        proportions, more than the proportions has shifted, the source's priors are kept and a
        :class:`~skda.DomainWarning` says so. False, as in the papers, uses the estimate anyway.
    cv : int, splitter or iterable, default=5
        How the source rows are split to see predictions of held-out rows, for `check_fit` and for
        the confusion matrix of "bbse" and "rlls"; a number of shuffled stratified folds, or splits
        of the source rows.
    max_iter : int, default=1000
        For "em": largest number of steps.
    tol : float, default=1e-6
        For "em": largest change of a prior at which to stop.
    random_state : int, RandomState instance or None, default=None
        Seeds the folds.
    forgetting_factor : float, default=1.0
        In (0, 1]: factor by which the weight of earlier target rows is multiplied at each
        ``partial_fit`` with new ones; 1 keeps all history. ``fit`` does not use it.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes of the source.
    target_priors_ : ndarray of shape (n_classes,)
        Estimated class priors of the target (with `strength` applied).
    source_priors_ : ndarray of shape (n_classes,)
        Class proportions of the source.
    classifier_priors_ : ndarray of shape (n_classes,)
        Priors that the classifier assumes: the mean of its probabilities over the source rows.
        Those of a calibrated classifier are ``source_priors_``.
    prior_ratio_ : ndarray of shape (n_classes,)
        Factor of each class's probability on target rows: estimated over assumed priors, or 1
        where `strength` is 0.
    estimator_ : classifier
        The classifier fitted on the source.
    temperature_ : float
        With `calibration`: what the logarithms of the probabilities are divided by; above 1 the
        classifier was too sure of itself.
    class_bias_ : ndarray of shape (n_classes,)
        With `calibration`: what is added to them then; zeros for "temperature".
    confusion_ : ndarray of shape (n_classes, n_classes)
        For "bbse" and "rlls": proportions of the source rows by predicted (row) and true class.
    n_held_out_ : int
        For "bbse" and "rlls": number of rows that `confusion_` is of.
    fit_gap_, fit_limit_ : float
        With `check_fit`: largest distance between the distribution functions of a class's
        probability over the target rows and over held-out source rows in the estimated
        proportions (Kolmogorov-Smirnov), and the largest that is put down to chance (at the level
        of 5 %) and to the smaller training sets of the folds (0.05).
    target_weight_ : float
        Weight of the target rows that `target_priors_` rests on, in rows.
    target_statistic_ : ndarray of shape (n_classes,)
        What ``partial_fit`` goes on from: for "em" the mean probability of each class over these
        rows, each corrected when it came [4]_; else the proportions of the predicted classes.
    n_iter_ : int
        For "em": number of steps; 1 where nothing is iterated.
    n_features_in_ : int
        Number of features.

    Raises
    ------
    ValueError
        In ``fit``, if the classifier has no ``predict_proba``, or takes no ``sample_weight`` when
        one is given.

    See Also
    --------
    ImportanceWeightedEstimator : When features have shifted, rather than classes.

    Notes
    -----
    Assumes label shift: p(y) differs between the domains and p(x|y) does not, and no class of the
    target is missing from the source. Then p_t(y|x) ∝ p_s(y|x)·p_t(y)/p_s(y): target rows (rows
    without ``sample_domain`` are target rows) get this, source rows the probabilities of
    ``estimator_``. Labels of target rows are ignored; several targets are pooled. Where features
    shift too, the estimated priors absorb part of it and can do harm, down to classes that are
    never predicted any more; a :class:`~skda.DomainWarning` says when a prior comes to less than
    one row. Compare ``target_priors_`` with what is known. `check_fit` finds what no proportions
    explain, and nothing else: where the target's rows of one class look like the source's of the
    other, other proportions do explain them. In the heart data, from VA to Switzerland, a class of
    proportion 0.93 is put at 0.3 (0.73 in the source), and accuracy falls by 0.56. Neither the fit
    nor the standard error of the estimate tells this from the estimates from Switzerland to the
    other hospitals, which are about right and gain up to 0.36.

    For p_s(y) the papers count the classes of the source. Here "em" and the correction take
    ``classifier_priors_``, which for a classifier with class weights is what its probabilities go
    with. On three simulated classes of 200 rows the error of the priors (sum of the absolute
    differences) of a logistic regression with balanced weights falls from 0.36 to 0.18, beside
    0.15 without weights; other classifiers change by 0.03 at most.

    Without ``sample_domain`` this is the plain classifier, with equal priors in both.
    The order of the rows matters to the random folds only. Costs one fit, or cv + 1 for "bbse"
    and "rlls". Array level (b): NumPy on the host; rows of other libraries are moved to the host.

    References
    ----------
    .. [1] M. Saerens, P. Latinne, C. Decaestecker (2002). Adjusting the outputs of a classifier to
       new a priori probabilities. Neural Computation. doi:10.1162/089976602753284446
    .. [2] Z. Lipton, Y.-X. Wang, A. Smola (2018). Detecting and correcting for label shift with
       black box predictors. ICML. arXiv:1802.03916
    .. [3] K. Azizzadenesheli, A. Liu, F. Yang, A. Anandkumar (2019). Regularized learning for
       domain adaptation under label shifts. ICLR. arXiv:1903.09734
    .. [4] R. Neal, G. Hinton (1998). A view of the EM algorithm that justifies incremental, sparse,
       and other variants. Learning in Graphical Models. doi:10.1007/978-94-011-5014-9_12
    .. [5] A. Alexandari, A. Kundaje, A. Shrikumar (2020). Maximum likelihood with bias-corrected
       calibration is hard-to-beat at label shift adaptation. ICML. arXiv:1901.06852

    Examples
    --------
    >>> import numpy as np
    >>> from skda import LabelShiftClassifier, stack_domains
    >>> rng = np.random.default_rng(0)
    >>> ys = rng.random(1000) < 0.5  # as many ill as well
    >>> yt = rng.random(1000) < 0.1  # one in ten ill
    >>> Xs, Xt = rng.normal(size=(1000, 1)) + 2 * ys[:, None], rng.normal(size=(1000, 1))
    >>> Xt += 2 * yt[:, None]
    >>> X, y, sample_domain = stack_domains(Xs, ys, Xt)
    >>> model = LabelShiftClassifier().fit(X, y, sample_domain=sample_domain)
    >>> model.target_priors_.round(2)
    array([0.9, 0.1])
    >>> print(f"{model.estimator_.score(Xt, yt):.2f} -> {model.score(Xt, yt):.2f}")
    0.81 -> 0.90
    """

    # Outputs for source rows are the classifier's own, and cannot be compared with those for target
    # rows.
    _corrects_target_rows = True
    # Until a fit learns them; skda.dask learns neither.
    _scaling = _evidence = None

    def __init__(
        self,
        estimator: Predictor | None = None,
        *,
        method: Literal["em", "bbse", "rlls"] = "em",
        strength: float = 1.0,
        reg: float = 0.01,
        calibration: Literal["bcts", "temperature"] | None = "bcts",
        check_fit: bool = True,
        cv: Splitting = 5,
        max_iter: int = 1000,
        tol: float = 1e-6,
        random_state: RandomState = None,
        forgetting_factor: float = 1.0,
    ):
        self.estimator = estimator
        self.method = method
        self.strength = strength
        self.reg = reg
        self.calibration = calibration
        self.check_fit = check_fit
        self.cv = cv
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.forgetting_factor = forgetting_factor

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        sample_domain: DomainIds | None = None,
    ) -> Self:
        """Fit the classifier on source rows and estimate the class priors of the target rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : array-like of shape (n_samples,)
            Labels; those of target rows are ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row, in the fit and in all proportions. None: all equal, and nothing is
            passed to the classifier.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target. None: the plain classifier on all
            rows, with a :class:`~skda.DomainWarning`.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        with fresh_fit(self):
            self._check_params(sample_weight)
            data = data_for_inner_fit(self, X, y, sample_domain, labels="source")
            self.classes_, codes = class_labels(self, data)
            weights = check_row_weights(sample_weight, len(data.ids))
            source = data.source
            given = None if sample_weight is None else weights[source]
            with one_class_explained(self, data.y_source):
                self.estimator_ = self._fit_inner(data.X_source, data.y_source, given)
            codes, weights_source = codes[source], weights[source]
            counts = np.bincount(codes, weights_source, minlength=len(self.classes_))
            if not counts.all():
                raise ValueError(
                    "sample_weight must not be zero on all source rows of a class; it is for "
                    f"{self.classes_[counts == 0].tolist()}. Leave those rows out."
                )
            self.source_priors_ = self.target_priors_ = counts / counts.sum()
            self._scaling = None
            self.classifier_priors_ = self._assumed_priors(data.X_source, weights_source)
            # Without a target nothing is corrected.
            self.prior_ratio_ = np.ones(len(self.classes_))
            self.n_iter_ = 1
            self._evidence = None
            self.target_weight_, self.target_statistic_ = 0.0, self.source_priors_
            if data.adapts:
                self.target_weight_ = float(weights[data.target].sum())
            elif self.method != "em":
                # Target rows may come in partial_fit, when the source's are gone.
                predicted, _ = self._held_out(data.X_source, data.y_source, codes, given)
                self._learn_confusion(codes, weights_source, predicted)
            if data.adapts:
                self._correct(data, codes, given, weights)
        return self

    def _correct(self, data, codes, given, weights):
        """Estimate the target's priors, and use them if they explain the target."""
        if weights[data.target].sum() == 0:
            raise ValueError("sample_weight must not be zero on all target rows.")
        held_out = None
        if self.check_fit or self.method != "em" or self.calibration is not None:
            held_out = self._held_out(data.X_source, data.y_source, codes, given)
        uncalibrated = self.classifier_priors_
        if self.calibration is not None and self.strength > 0:  # at 0 the classifier as it is
            self._calibrate(held_out[1], codes, weights[data.source])
        on_target = self._class_proba(data.X_target)
        if self.method != "em":
            self._learn_confusion(codes, weights[data.source], held_out[0])
        priors = self._estimate(data.X_target, on_target, weights[data.target])
        self._keep_evidence(data, codes, weights, held_out, on_target)
        if self.check_fit:
            source = (held_out[1], codes, weights[data.source])
            gap, limit = self._gap(priors, *source, on_target, weights[data.target])
            if not self._explains_the_target(gap, limit):
                # What is left is the classifier as it is: how far its probabilities hold on this
                # target nobody knows.
                self._scaling, self.classifier_priors_ = None, uncalibrated
                return
        self._warn_of_absent_classes(priors, len(data.target))
        self._use(priors)

    def _estimate(self, X, proba, weights, past=None):
        """Return the target's class priors, from its rows and what is kept of earlier ones."""
        if self.method == "em":
            self.target_statistic_ = self._em(proba, weights, past)
            return self.target_statistic_
        predicted = predicted_codes(self.estimator_, X, self.classes_)
        proportions = np.bincount(predicted, weights, minlength=len(self.classes_))
        proportions = proportions / proportions.sum()
        if past is not None:
            proportions = past[0] * past[1] + weights.sum() * proportions
            proportions = proportions / proportions.sum()
        self.target_statistic_ = proportions
        return self._from_confusion(proportions)

    def _use(self, priors):
        kept = 1.0 - self.strength
        self.target_priors_ = kept * self.source_priors_ + self.strength * priors
        self.prior_ratio_ = kept + self.strength * priors / self.classifier_priors_

    def _calibrate(self, proba, codes, weights):
        """Fit the calibration on held-out rows, whose probabilities are calibrated in place."""
        known = np.isfinite(proba[:, 0])  # splits of the user's own need not hold out every row
        with_bias = self.calibration == "bcts"
        beta, self.class_bias_ = fit_scaling(
            proba[known], codes[known], weights[known], with_bias=with_bias
        )
        self.temperature_ = 1.0 / beta
        if beta < _LEAST_BETA:
            return
        self._scaling = beta, self.class_bias_
        proba[known] = scaled_proba(proba[known], *self._scaling)
        # The calibration holds for rows that the classifier has not seen.
        self.classifier_priors_ = never_zero(
            np.average(proba[known], axis=0, weights=weights[known])
        )

    def _class_proba(self, X):
        """Return the classifier's probabilities, calibrated if that was asked for."""
        proba = class_columns(self.estimator_, X, self.classes_)
        return proba if self._scaling is None else scaled_proba(proba, *self._scaling)

    def _assumed_priors(self, X, weights):
        proba = class_columns(self.estimator_, X, self.classes_)
        return never_zero(np.average(proba, axis=0, weights=weights))

    def _fit_inner(self, X, y, weights):
        params = {} if weights is None else {"sample_weight": weights}
        return clone(self._inner()).fit(X, y, **params)

    def _em(self, proba, weights, past):
        """Return the target's class priors by maximum likelihood, from its rows' probabilities."""
        how = {"weights": weights, "past": past, "max_iter": self.max_iter, "tol": self.tol}
        return self._converged(*em_priors(proba, self.classifier_priors_, **how))

    def _converged(self, priors, n_iter):
        """Return the priors of EM, with a warning if the steps did not suffice."""
        self.n_iter_ = n_iter
        if self.n_iter_ > self.max_iter:
            self.n_iter_ = self.max_iter
            warn_user(
                f"Expectation maximization did not converge in max_iter={self.max_iter} steps. "
                "Raise max_iter or tol.",
                ConvergenceWarning,
            )
        return priors

    def _gap(self, priors, proba, codes, source_weights, on_target, target_weights):
        """Return how far probabilities of target and weighted source differ, and by chance.

        If only the proportions differ, the classifier's probabilities of the target rows have the
        distribution of those of source rows that it has not seen, weighted by class.
        """
        known = np.isfinite(proba[:, 0])  # splits of the user's own need not hold out every row
        source_weights = source_weights[known] * (priors / self.source_priors_)[codes[known]]
        gap = max(
            weighted_ks(proba[known, k], on_target[:, k], source_weights, target_weights)
            for k in range(len(self.classes_))
        )
        return gap, ks_limit(source_weights, target_weights)

    def _explains_the_target(self, gap, limit):
        """Tell whether the source in the estimated proportions looks like the target; else warn."""
        self.fit_gap_, self.fit_limit_ = gap, limit + _FOLDS_DIFFER
        if self.fit_gap_ <= self.fit_limit_:
            return True
        warn_user(
            "Other class proportions do not explain the target: the classifier's probabilities "
            f"differ by {self.fit_gap_:.2f} from those of the source in the estimated proportions "
            f"(chance: {self.fit_limit_:.2f}). The source's priors are kept. Adapt the features "
            "first, or pass check_fit=False to use the estimate anyway.",
            DomainWarning,
        )
        return False

    def _learn_confusion(self, codes, weights, predicted):
        """Store the confusion matrix of held-out source rows, and their number."""
        known = predicted >= 0  # splits of the user's own need not hold out every row
        self.confusion_ = joint_confusion(
            predicted[known], codes[known], weights[known], len(self.classes_)
        )
        self.n_held_out_ = int(np.count_nonzero(known))

    def _from_confusion(self, proportions):
        """Return the target's class priors by inverting the confusion matrix of held-out rows."""
        n_classes, found = len(self.classes_), (self.confusion_, self.source_priors_)
        priors = self._priors_from(*found, proportions, self.n_held_out_)
        if np.linalg.matrix_rank(self.confusion_, tol=SINGULAR) < n_classes:
            never = self.classes_[self.confusion_.sum(axis=1) == 0].tolist()
            warn_user(
                "The confusion matrix on held-out source rows is singular"
                + (f" (never predicted: {never})" if never else "")
                + ": the priors of some classes cannot be separated and stay near the source's. "
                "Use a classifier that separates the classes better, or method='em'.",
                DomainWarning,
            )
        return priors

    def _priors_from(self, joint, source_priors, proportions, n_source):
        """Return class priors from a confusion matrix and the proportions of predicted classes."""
        if self.method == "rlls":
            radius = self.reg * rlls_radius(len(proportions), n_source)
            ratio = rlls_ratio(joint, proportions, radius)
        else:
            ratio = bbse_ratio(joint, proportions)
        priors = ratio * source_priors
        return priors / priors.sum()

    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        classes: ArrayLike | None = None,
        *,
        sample_domain: DomainIds | None = None,
    ) -> Self:
        """Estimate the target's class priors anew, with more rows of it and no labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of known or new targets, which are pooled.
        y : array-like of shape (n_samples,), default=None
            Used in the first call only, which is :meth:`fit`: the classifier stays as it is.
        classes : array-like of shape (n_classes,), default=None
            Ignored: the classes are those of the source rows in the first call.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row, all < 0. None: every row is a target row.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If there are source rows among these, which need a fit, or if ``fit`` found that other
            proportions do not explain the target.

        Notes
        -----
        "em" is then an incremental EM (reference 4 of the class): earlier rows count as they were
        judged when they came, and only the new ones are judged by the new priors. With "bbse" and
        "rlls" proportions are averaged, so that batches give what all rows at once give.
        `check_fit` is not repeated.
        """
        if not hasattr(self, "estimator_"):
            return self.fit(X, y, sample_domain=sample_domain)  # type: ignore[arg-type]
        self._check_params(None)
        if getattr(self, "fit_gap_", 0.0) > getattr(self, "fit_limit_", 1.0):
            raise ValueError(
                "partial_fit of LabelShiftClassifier cannot go on: fit found that other class "
                "proportions do not explain the target, and kept the source's. Adapt the features "
                "first, or fit with check_fit=False to use every estimate."
            )
        data = data_for_inner_predict(self, X)
        ids = np.full(len(data.ids), -1)
        if sample_domain is not None:
            ids = check_sample_domain(sample_domain, len(data.ids))
        if (ids >= 0).any():
            raise ValueError(
                f"partial_fit of LabelShiftClassifier learns from target rows (sample_domain < 0); "
                f"got rows of the sources {np.unique(ids[ids >= 0]).tolist()}. Leave them out, or "
                "call fit on all rows."
            )
        # On a copy: a batch that fails or is interrupted counts as not seen.
        new = copy.copy(self)
        new._take_batch(data.X)
        vars(self).update(vars(new))  # type: ignore[attr-defined]
        if sample_domain is not None:
            note_domains(self, ids)
        return self

    def _take_batch(self, X):
        self._evidence = None  # of all rows, which are not kept
        proba = self._class_proba(X)
        kept = self.forgetting_factor * self.target_weight_
        past = (kept, self.target_statistic_) if kept else None
        self.target_weight_ = kept + len(proba)
        priors = self._estimate(X, proba, np.ones(len(proba)), past)
        self._warn_of_absent_classes(priors, self.target_weight_)
        self._use(priors)

    def _warn_of_absent_classes(self, priors, n_target):
        # Both: less than a row of the target, and far less than in the source.
        absent = priors * n_target < _ABSENT_ROWS
        absent &= priors < _ABSENT_RATIO * self.source_priors_
        if absent.any():
            warn_user(
                f"By method={self.method!r} the target has no rows of the classes "
                f"{self.classes_[absent].tolist()}. If they are known to occur there, more than "
                "the class proportions has shifted: compare the predictions with estimator_'s, "
                "lower strength, or adapt the features first.",
                DomainWarning,
            )

    def _held_out(self, X, y, codes, given):
        """Return class and probabilities of each source row by a classifier that did not see it."""
        predicted = np.full(len(codes), -1)
        proba = np.full((len(codes), len(self.classes_)), np.nan)
        cv = self.cv
        if isinstance(cv, int | np.integer):
            splits = stratified_folds(codes, min(cv, len(codes)), self.random_state)
        else:
            splits = check_cv(cv).split(codes, codes)
        for fit, test in splits:
            weights = None if given is None else given[fit]
            inner, rows = self._fit_inner(take_rows(X, fit), y[fit], weights), take_rows(X, test)
            predicted[test] = predicted_codes(inner, rows, self.classes_)
            proba[test] = class_columns(inner, rows, self.classes_)
        return predicted, proba

    def _keep_evidence(self, data, codes, weights, held_out, on_target):
        """Keep what the priors were estimated from, for their intervals."""
        predicted = predicted_codes(self.estimator_, data.X_target, self.classes_)
        source = None
        if held_out is not None:
            known = np.isfinite(held_out[1][:, 0])
            source = (
                held_out[0][known],
                held_out[1][known],
                codes[known],
                weights[data.source][known],
            )
        self._evidence = source, (predicted, on_target, weights[data.target])

    def prior_interval(
        self, level: float = 0.95, *, n_bootstrap: int = 200, random_state: RandomState = None
    ) -> np.ndarray:
        """Return intervals of the target's class priors, by resampling the rows.

        Target rows, and the held-out source rows where they are used, are drawn anew with
        replacement, and the priors are estimated from each draw. What the intervals say holds
        under label shift only, and leaves out that another classifier would be learnt from other
        source rows.

        Parameters
        ----------
        level : float, default=0.95
            Probability of an interval to hold the prior.
        n_bootstrap : int, default=200
            Number of draws. More: ends that vary less from call to call.
        random_state : int, RandomState instance or None, default=None
            Draws the rows.

        Returns
        -------
        intervals : ndarray of shape (n_classes, 2)
            Lower and upper end for each class: of the estimate before `strength` is applied, and
            also where `check_fit` has not accepted it.

        Raises
        ------
        ValueError
            After a fit without target rows, and after ``partial_fit``, which keeps none.
        """
        check_is_fitted(self, "target_priors_")
        level = check_real("level", level, low=0, high=1, closed="neither", hint="Write 0.95.")
        n_bootstrap = check_integer("n_bootstrap", n_bootstrap, low=2)
        if self._evidence is None:
            raise ValueError(
                "prior_interval needs the target rows of a fit, which are drawn anew; there are "
                "none after a fit without sample_domain, or after partial_fit. Fit with all rows, "
                "and pass sample_domain."
            )
        rng = check_random_state(random_state)
        draws = [self._priors_of_draw(rng) for _ in range(n_bootstrap)]
        tail = 0.5 * (1.0 - level)
        return np.quantile(draws, [tail, 1.0 - tail], axis=0).T

    def _priors_of_draw(self, rng):
        source, (predicted, proba, weights) = self._evidence
        # Multiplicities for weights: the rows are drawn, and keep their own weights.
        weights = weights * rng.multinomial(len(weights), np.full(len(weights), 1 / len(weights)))
        if self.method == "em":
            priors, _ = em_priors(
                proba,
                self.classifier_priors_,
                weights=weights,
                max_iter=self.max_iter,
                tol=self.tol,
            )
            return priors
        guessed, _, codes, given = source
        given = given * rng.multinomial(len(given), np.full(len(given), 1 / len(given)))
        joint = joint_confusion(guessed, codes, given, len(self.classes_))
        n_classes = len(self.classes_)
        counts, seen = (
            np.bincount(found, drawn, minlength=n_classes)
            for found, drawn in ((codes, given), (predicted, weights))
        )
        return self._priors_from(joint, counts, seen / seen.sum(), len(codes))

    def predict_proba(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Return class probabilities, corrected for the target's class priors on target rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of any domain.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row; source rows are not corrected. None: every row is a target row.

        Returns
        -------
        proba : array of shape (n_samples, n_classes)
            Probabilities in the order of ``classes_``; rows sum to 1.
        """
        data = data_for_inner_predict(self, X, sample_domain)
        return data.input_backend.asarray(self._proba(data))

    def predict(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> np.ndarray:
        """Predict the most probable class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of any domain.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row; source rows are not corrected. None: every row is a target row.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            Predicted labels.
        """
        data = data_for_inner_predict(self, X, sample_domain)
        return self.classes_[np.argmax(self._proba(data), axis=1)]

    def _proba(self, data):
        proba = class_columns(self.estimator_, data.X, self.classes_)
        calibrated = proba if self._scaling is None else scaled_proba(proba, *self._scaling)
        corrected = corrected_proba(calibrated, self.prior_ratio_)
        return np.where(data.ids[:, None] < 0, corrected, proba)

    @property
    def _order_dependent(self):
        # Random folds.
        return self.check_fit or self.method != "em" or self.calibration is not None

    def _inner(self):
        return LogisticRegression(max_iter=1000) if self.estimator is None else self.estimator

    def _check_params(self, sample_weight):
        check_option("method", self.method, ("em", "bbse", "rlls"))
        check_option("calibration", self.calibration, ("bcts", "temperature", None))
        check_bool("check_fit", self.check_fit, hint="False uses every estimate.")
        check_integer("max_iter", self.max_iter, low=1)
        hint = "0 leaves the source's priors, 1 takes the estimated ones."
        check_forgetting_factor(self.forgetting_factor)
        check_real("strength", self.strength, low=0, high=1, hint=hint)
        check_real("reg", self.reg, low=0, hint="The default is 0.01.")
        check_real("tol", self.tol, low=0, hint="The default is 1e-6.")
        if isinstance(self.cv, int | np.integer):
            check_integer("cv", self.cv, low=2)
        if not hasattr(self._inner(), "predict_proba"):
            name = type(self._inner()).__name__
            raise ValueError(
                f"estimator must have predict_proba, whose values are corrected; {name} has none. "
                f"Write CalibratedClassifierCV({name}(...))."
            )
        if sample_weight is not None:
            check_accepts_sample_weight(self._inner(), self)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self._inner()).input_tags
        return tags
