"""Choosing a candidate only where labeled target rows show that it beats the source-only model."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import contextmanager
from typing import Any, Literal, Self

import numpy as np
import sklearn
from scipy.sparse import issparse
from scipy.stats import rankdata
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone, is_classifier, is_regressor
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from .._array._rows import take_rows
from .._array._warnings import warn_user
from .._core._callbacks import CALLBACK_SUPPORT, begin_fit, fitted_inside, fitting, inner_tasks
from .._core._labels import as_labels, missing_labels, missing_like, take_labels
from .._core._param_checks import check_bool, check_real
from .._core._routing import DomainRouting
from .._core._sample_domain import DomainWarning
from .._core._score import scored_part
from .._core._typing import Array, ArrayLike, DomainIds, Estimator, RandomState, Splitting
from .._core._validation import (
    data_for_inner_fit,
    data_for_inner_predict,
    fresh_fit,
    one_class_explained,
)
from .._numerics._paired_tests import adapt_sentence, keep_sentence
from ..metrics import (
    ClassClusterScorer,
    DEVScorer,
    ImportanceWeightedScorer,
    InformationMaximizationScorer,
)
from ..metrics._base_scorer import call_with_domains
from ._compare import (
    _call_scorer,
    _candidates,
    _check_cv,
    _check_error_score,
    _check_scoring,
    _parts,
    _score_part,
)
from ._evidence import Evidence
from ._source_only import SOURCE_ONLY

_POINTS = 100  # accuracies are reported in points


def _best_has(method):
    """Return a check that the best estimator, or each candidate before fit, has a method."""

    def check(self):
        if "best_estimator_" in vars(self):
            getattr(self.best_estimator_, method)
            return True
        # Any of them may become the best.
        return isinstance(self.candidates, dict) and all(
            hasattr(estimator, method) for estimator in self.candidates.values()
        )

    return check


def _label_free_scoring(models):
    """Return scorers that need no target label, no further fit, and suit all models."""
    scoring = {"importance weighted": ImportanceWeightedScorer()}
    if not all(is_classifier(model) for model in models):
        return scoring | {"dev": DEVScorer()}
    if all(hasattr(model, "predict_proba") for model in models):
        scoring["information"] = InformationMaximizationScorer()
        scoring["clusters"] = ClassClusterScorer()
    return scoring


def learns_from_target_labels(estimator):
    """Return whether an estimator, or one inside it, learns from labels of target rows."""
    parts = [estimator, *estimator.get_params(deep=True).values()]
    return any(
        getattr(part, "_labels", None) == "all" or getattr(part, "use_target_labels", False) is True
        for part in parts
        if hasattr(part, "get_params") and not isinstance(part, type)
    )


def call(model, method, X, ids):
    """Call a prediction method of a fitted model, with the domains where it asks for them."""
    # A pipeline refuses metadata while routing is switched off.
    with sklearn.config_context(enable_metadata_routing=True):
        return call_with_domains(model, method, X, ids)


@contextmanager
def _domain_warnings_hidden():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DomainWarning)
        yield


def _codes(labels, known):
    """Return the index of each label among the known ones, -1 for others."""
    return np.array([known.get(label, -1) for label in labels.tolist()], dtype=int)


def _labels_to_fit(data, learnt):
    """Return labels of source rows, and these with those of the target rows to learn from."""
    missing, known = missing_like(take_labels(data.y, data.labeled), data.y.shape)
    every = missing.copy()
    every[data.labeled] = known
    hidden = np.where(data.ids >= 0, every, missing)
    shown = hidden.copy()
    shown[learnt] = every[learnt]
    return hidden, shown


def _fit_one(model, data, y, hidden, scoring, parts, classes, task):
    """Return a fitted clone, its predictions on target rows and label-free scores, or the error."""
    target = data.target
    try:
        model = clone(model)
        with fitting(task, model):
            model.fit(data.X, y, sample_domain=data.ids)
        predicted = call(model, "predict", take_rows(data.X, target), data.ids[target])
        predicted = as_labels(predicted)
        strange = set(predicted.tolist()) - set(classes or predicted.tolist())
        if strange:
            raise ValueError(
                f"It predicts {sorted(map(repr, strange))}, which no label is; the classes are "
                f"{list(classes)}. Give it labels of the same kind."
            )
    except Exception as error:  # not KeyboardInterrupt, which ends the search
        return error
    if parts is None:
        scores = {name: _score(scorer, model, data, hidden) for name, scorer in scoring.items()}
    else:
        found = [
            _score_part(model, data.X, hidden, data.ids, part, scoring, np.nan) for part in parts
        ]
        scores = {name: np.mean([part.scores[name] for part in found]) for name in scoring}
    return model, predicted, scores


def _score(scorer, model, data, hidden):
    try:
        return float(_call_scorer(scorer, model, data.X, hidden, data.ids))
    except Exception:  # a scorer that does not suit a candidate ranks it last, no more
        return np.nan


class GuardedSearchCV(*CALLBACK_SUPPORT, DomainRouting, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    r"""Choose a candidate only if labeled target rows show that it beats the source-only model.

    No score that does without target labels tells reliably which method helps, and a wrong choice
    costs more than a right one gains. A few labels can tell: where a candidate and the source-only
    model predict the same, a label is wasted; where they disagree, it speaks for one of them. A
    sign test on such rows decides, corrected for the number of candidates. Where the labels
    do not suffice, the source-only model stays.

    Parameters
    ----------
    candidates : dict of str to estimator
        Classifiers, or regressors, by name, pipelines as a rule. What would see target labels is
        wrapped in :class:`~skda.TrainOnSource`, as :func:`~skda.make_domain_pipeline` does.
        A candidate named "source only" is the model that the others must beat.
    alpha : float, default=0.1
        Largest probability of choosing a candidate that is not better than source-only on the
        target, over all labels of ``fit`` and of all updates together. Smaller: more labels are
        needed for a choice.
    source_only : estimator or None, default=None
        The model that the candidates must beat. None derives it from the first candidate for which
        that is possible, as :func:`compare` does.
    scoring : dict of str to scorer, or None, default=None
        Label-free scorers of :mod:`skda.metrics` or functions ``(estimator, X, y) -> float``.
        Their mean rank settles which candidate is tested first and which of two equals is chosen;
        the guarantee does not depend on it. They see no target label. None: importance weighted
        score, and for classifiers with ``predict_proba`` information maximization and the agreement
        of predictions with clusters; for regressors deep embedded validation.
    cv : splitter, int, iterable of (train, test) or None, default=None
        How to split for the label-free scores. None: each candidate is fitted once, and its scores
        are those on the rows it was fitted on.
    fit_share : float in (0, 1), default=0.5
        Proportion of the labeled target rows of ``fit`` that candidates made for target labels
        learn from; they are tested on the others only. All other candidates learn from none, and
        are tested on all.
    confidence : float in (0, 1), default=0.9
        Of ``gain_interval_``.
    n_jobs : int or None, default=None
        Number of processes over candidates.
    error_score : "raise" or numpy.nan, default=numpy.nan
        Whether a candidate that cannot be fitted is left out with a warning (NaN), or its error
        raised.
    random_state : int, RandomState instance or None, default=None
        Chooses the rows of `fit_share`.
    verbose : bool, default=False
        Whether to print a line when a candidate is fitted.

    Attributes
    ----------
    verdict_ : str
        What was decided and on what evidence, in one sentence.
    best_name_ : str
        Name of the chosen candidate, "source only" where none was shown to be better.
    best_index_ : int
        Its place in `results_`.
    best_estimator_ : estimator
        The chosen fitted model, to which ``predict`` and the others are delegated.
    estimators_ : dict of str to estimator
        Fitted models by name, the source-only one first; without those that failed.
    gain_ : float
        Estimated gain over source-only of the chosen one: accuracy points, or for regressors the
        decrease of the mean absolute error. 0 for source-only.
    gain_interval_ : tuple of float
        Limits of this gain, which hold with probability `confidence`, the choice among the
        candidates included.
    n_labels_ : int
        Labeled target rows so far.
    n_labels_needed_ : int or None
        About how many more labels, of rows on which some candidate and the source-only model
        disagree, show the gain of the most promising one with probability 0.8, if it is as good as
        it looks; 0 if a candidate was chosen, None if a thousand would not do, and for regressors.
    results_ : dict of str to ndarray
        One entry per fitted model, source-only first; for ``pandas.DataFrame(results_)``. "name",
        "rank" (label-free, 1 is the best), "score_<scorer>", "disagreement" (proportion of target
        rows on which it predicts otherwise than source-only; for regressors, the largest distance
        between both predictions), "n_labels" (that tell both apart), "gain" (estimated from
        them), "p_value" (of its sign test alone, not corrected for the number of candidates; for
        regressors the inverse of its e-value), "accepted" (shown to be better), "given_up"
        (so much worse that it will not be chosen any more, and that rows to label are drawn without
        regard to it).
    classes_ : ndarray of shape (n_classes,)
        Classes, of classifiers.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, where X has some.

    Raises
    ------
    ValueError
        In ``fit``, if a parameter is of no use, classifiers and regressors are mixed, a candidate
        predicts classes that no label has, or the source-only model or every candidate fails.

    See Also
    --------
    query_rows : Which rows to label next.
    compare : A table of candidates under several scorers.

    Notes
    -----
    An outcome is +1 where the candidate is right and the source-only model wrong, -1 the other way
    round, else 0; their mean is the gain in accuracy. For regressors it is the difference of the
    absolute errors over its largest possible value, which is known without labels: the errors of
    two models on a row differ by no more than their predictions.

    Labeled target rows must be chosen at random, among all target rows or, better, among those on
    which some candidate and the source-only model disagree (:func:`query_rows` does it), not picked
    by eye. Those of ``fit`` are tested at once; those of :meth:`update` may come one by one, and
    each may be the last: after each label the smallest p-value of the sign tests is compared with
    its distribution under the null hypothesis, which is simulated for these candidates and rows
    [1]_, so that candidates that are alike cost little. All looks together err with probability
    `alpha` [2]_: if ``fit`` has labels, its look has 0.8 of `alpha`, and n labels of updates have
    n / (n + 15) of the rest. The simulation has every label on a row where models disagree equally
    likely to speak for each of them; where the target is another mixture in which no candidate is
    better, the level is held approximately.

    For regressors the tests are e-values: products of one factor per label, of expectation at most
    1 while a candidate is not better, combined by closed testing [3]_. They hold without any
    assumption, and need more labels.

    Without `sample_domain` only the source-only model is fitted, on all rows. The cost is one fit
    for each candidate, with `cv` one for each part more. Array level: that of the estimators
    inside.

    Callbacks (``set_callbacks``, with scikit-learn 1.9 or later) see the candidates.

    References
    ----------
    .. [1] Westfall & Young. Resampling-based multiple testing. Wiley, 1993. ISBN 978-0471557616
    .. [2] Lan & DeMets. Discrete sequential boundaries for clinical trials. Biometrika 70, 1983.
       doi:10.1093/biomet/70.3.659
    .. [3] Vovk & Wang. E-values: calibration, combination and applications. Annals of Statistics
       49, 2021. doi:10.1214/20-AOS2020

    Examples
    --------
    >>> import numpy as np
    >>> import sklearn
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skda import CORALTransformer, DomainScaler, make_domain_pipeline
    >>> from skda.datasets import make_conditional_shift
    >>> from skda.model_selection import GuardedSearchCV
    >>> sklearn.set_config(enable_metadata_routing=True)
    >>> X, y, sample_domain = make_conditional_shift(200, task="binary", random_state=0)
    >>> target = np.flatnonzero(sample_domain < 0)
    >>> seen = y.astype(float)
    >>> seen[target[25:]] = np.nan  # 25 labels
    >>> search = GuardedSearchCV({
    ...     "coral": make_domain_pipeline(CORALTransformer(), LogisticRegression()),
    ...     "scaler": make_domain_pipeline(DomainScaler(), LogisticRegression()),
    ... }).fit(X, seen, sample_domain=sample_domain)
    >>> search.best_name_, search.n_labels_
    ('scaler', 25)
    """

    _labels = "all"
    _array_level = "inner"
    _holds_estimators = True

    def __init__(
        self,
        candidates: Mapping[str, Estimator],
        *,
        alpha: float = 0.1,
        source_only: Estimator | None = None,
        scoring: Mapping[str, Any] | None = None,
        cv: Splitting | None = None,
        fit_share: float = 0.5,
        confidence: float = 0.9,
        n_jobs: int | None = None,
        error_score: float | Literal["raise"] = np.nan,
        random_state: RandomState = None,
        verbose: int = False,
    ):
        self.candidates = candidates
        self.alpha = alpha
        self.source_only = source_only
        self.scoring = scoring
        self.cv = cv
        self.fit_share = fit_share
        self.confidence = confidence
        self.n_jobs = n_jobs
        self.error_score = error_score
        self.random_state = random_state
        self.verbose = verbose

    # Fitting

    def fit(self, X: ArrayLike, y: ArrayLike, *, sample_domain: DomainIds | None = None) -> Self:
        """Fit all candidates, and test them on the labeled target rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains, in any container that the candidates take.
        y : array-like of shape (n_samples,)
            Labels; missing ones on target rows are NaN, None, or -1 among integers. The target rows
            that have one must be chosen at random.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target; several targets are pooled. None: only
            the source-only model is fitted, on all rows, with a warning.

        Returns
        -------
        self : object
            The fitted search.
        """
        self._check_params()
        models = self._checked_candidates()
        if issparse(X) and not get_tags(self).input_tags.sparse:
            raise ValueError(
                f"X is sparse, which none of the candidates {list(self.candidates)} takes. Pass "
                "X.toarray(), or candidates that take sparse rows."
            )
        with fresh_fit(self):
            data = data_for_inner_fit(self, X, y, sample_domain, labels="all")
            how = {"n_tasks": len(models), "in_turn": False}
            begin_fit(self, X, y, data.ids, data.labeled, **how)
            if data.adapts:
                self._fit_and_test(models, data)
            else:
                self._fit_source_only(models[SOURCE_ONLY], data)
            self._conclude()
        return self

    def _check_params(self):
        check_real("alpha", self.alpha, low=0, high=1, closed="neither")
        check_real("confidence", self.confidence, low=0, high=1, closed="neither")
        check_real("fit_share", self.fit_share, low=0, high=1, closed="neither")
        check_bool("verbose", self.verbose)
        _check_scoring(self.scoring)
        _check_error_score(self.error_score)

    def _checked_candidates(self):
        """Return the unfitted models by name, source-only first, all of one kind."""
        models = _candidates(self.candidates, self.source_only, "candidates")
        for name in models:
            if not isinstance(name, str):
                raise ValueError(f"candidates must have texts as names; got {name!r}.")
        if SOURCE_ONLY in self.candidates and self.source_only is not None:
            raise ValueError(
                f"candidates has an entry {SOURCE_ONLY!r}, and source_only= is another one. Pass "
                "the model that the candidates must beat once."
            )
        if len(models) == 1:
            raise ValueError(
                f"candidates must have an entry beside {SOURCE_ONLY!r}; got only that."
            )
        kinds = {name: (is_classifier(m), is_regressor(m)) for name, m in models.items()}
        if len(set(kinds.values())) > 1 or (False, False) in kinds.values():
            words = {(True, False): "classifier", (False, True): "regressor"}
            found = {name: words.get(kind, "neither") for name, kind in kinds.items()}
            raise ValueError(
                f"candidates must be all classifiers or all regressors; got {found}. Leave the "
                "others out."
            )
        return models

    def _fit_source_only(self, model, data):
        """Without domains there is nothing to choose."""
        model = clone(model)
        # This estimator has warned already.
        routing = sklearn.config_context(enable_metadata_routing=True)
        with _domain_warnings_hidden(), routing, fitted_inside(self, "candidate", model):
            model.fit(data.X, take_labels(data.y))
        self.estimators_ = {SOURCE_ONLY: model}
        self._evidence = None
        self._label_free = {"rank": np.ones(1, dtype=int)}

    def _fit_and_test(self, models, data):
        labeled = np.flatnonzero((data.ids < 0) & data.labeled)
        learnt = self._rows_to_learn_from(models, labeled)
        fitted = self._fit_all(models, data, learnt)
        self.estimators_ = {name: model for name, (model, _, _) in fitted.items()}
        predicted = np.array([as_labels(found) for _, found, _ in fitted.values()])
        self._label_free = self._ranks(fitted)
        self._start_evidence(predicted, data)
        at = np.searchsorted(data.target, labeled)
        outcomes, *codes = self._outcomes(predicted[:, at], data.y[labeled])
        for i, name in enumerate(list(fitted)[1:]):
            # A model says nothing of rows whose label it has learnt.
            if learns_from_target_labels(models[name]):
                outcomes[i, np.isin(labeled, learnt)] = np.nan
        self._evidence.add_fit(outcomes, *codes)

    def _rows_to_learn_from(self, models, labeled):
        """Return the labeled target rows that candidates made for them learn from."""
        if not any(learns_from_target_labels(model) for model in models.values()):
            return labeled[:0]
        shuffled = check_random_state(self.random_state).permutation(labeled)
        return np.sort(shuffled[: round(self.fit_share * len(labeled))])

    def _fit_all(self, models, data, learnt):
        """Return (model, predictions, scores) of each candidate that could be fitted, by name."""
        hidden, shown = _labels_to_fit(data, learnt)
        known = None
        if is_classifier(self):
            labels = take_labels(data.y, data.labeled).tolist()
            known = {label: code for code, label in enumerate(dict.fromkeys(labels))}
        self._known_classes = known
        scoring = self.scoring or _label_free_scoring(models.values())
        with sklearn.config_context(enable_metadata_routing=True):
            cv = None if self.cv is None else _check_cv(self.cv)
            parts = None if cv is None else _parts(cv, data.X, hidden, data.ids)
            tasks = inner_tasks(self, "candidate", len(models))
            found = Parallel(n_jobs=self.n_jobs, return_as="generator")(
                delayed(_fit_one)(
                    model,
                    data,
                    shown if learns_from_target_labels(model) else hidden,
                    hidden,
                    scoring,
                    parts,
                    known,
                    task,
                )
                for model, task in zip(models.values(), tasks, strict=True)
            )
            found = self._report(zip(models, found, strict=True), len(models))
        return self._without_failed(found, data.y[data.source])

    def _report(self, found, n_models):
        """Return what came of each model by name, and print it on the way if that is asked for."""
        done = {}
        for name, one in found:
            done[name] = one
            if self.verbose:
                state = "failed" if isinstance(one, Exception) else "fitted"
                print(f"[{len(done)}/{n_models}] {name}: {state}")
        return done

    def _without_failed(self, found, labels):
        errors = {name: one for name, one in found.items() if isinstance(one, Exception)}
        if SOURCE_ONLY in errors:
            with one_class_explained(self, labels):
                raise errors[SOURCE_ONLY]
        if len(errors) == len(found) - 1:
            name, error = next(iter(errors.items()))
            raise ValueError(
                f"Every candidate failed; the first error, of {name!r}: {error}"
            ) from error
        for name, error in errors.items():
            if isinstance(self.error_score, str):
                raise error
            warn_user(
                f"Candidate {name!r} is left out, since its fit failed; pass error_score='raise' "
                f"to stop instead. {type(error).__name__}: {error}",
                FitFailedWarning,
            )
        return {name: one for name, one in found.items() if name not in errors}

    def _ranks(self, fitted):
        """Return the label-free scores and the mean rank of each model, 1 the best."""
        table = [scores for _, _, scores in fitted.values()]
        columns = {name: np.array([scores[name] for scores in table]) for name in table[0]}
        # A score that is undefined ranks last.
        ranks = [rankdata(-np.nan_to_num(column, nan=-np.inf)) for column in columns.values()]
        rank = rankdata(np.mean(ranks, axis=0), method="min").astype(int)
        return {"rank": rank, **{f"score_{name}": column for name, column in columns.items()}}

    def _start_evidence(self, predicted, data):
        if is_classifier(self):
            scale = (predicted[1:] != predicted[0]).mean(axis=1)
            can_tie = len(np.unique(take_labels(data.y, data.labeled))) > 2
        else:
            scale = abs(predicted[1:] - predicted[0]).max(axis=1)
            can_tie = True
        self._differ = float((predicted[1:] != predicted[0]).any(axis=0).mean())
        self._evidence = Evidence(
            "classification" if is_classifier(self) else "regression",
            self.alpha,
            self.confidence,
            scale=scale,
            can_tie=can_tie,
            prior=-self._label_free["rank"][1:],
        )

    def _outcomes(self, predicted, labels):
        """Return what labels say of each candidate (rows), NaN where it predicts as source-only.

        And, of classifiers, the predicted classes as indices: of the candidates, of source-only.
        """
        if is_classifier(self):
            # Indices compare labels of any kind; -1 is a class that no model predicts.
            codes = np.array([_codes(row, self._known_classes) for row in predicted])
            right = codes == _codes(labels, self._known_classes)
            outcomes = right[1:].astype(float) - right[0]
            outcomes[codes[1:] == codes[0]] = np.nan
            return outcomes, codes[1:], codes[0]
        errors = abs(predicted.astype(float) - labels.astype(float))
        # New rows may lie farther apart than those of fit; their own distance bounds them then.
        distance = abs(predicted[1:] - predicted[0])
        bound = np.maximum(distance, self._evidence.scale[:, None])
        outcomes = np.full(distance.shape, np.nan)
        np.divide(errors[0] - errors[1:], bound, out=outcomes, where=bound > 0)
        return outcomes, None, None

    # Labels that come later

    def update(self, X: ArrayLike, y: ArrayLike, *, sample_domain: DomainIds | None = None) -> Self:
        """Add labels of further target rows, one or many, and decide again.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Target rows, each labeled for the first time: chosen at random, or by
            :func:`query_rows` with ``goal="choose"``.
        y : array-like of shape (n_samples,)
            Their labels; rows without one are left out.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Accepted for targets that the candidates tell apart; all < 0.

        Returns
        -------
        self : object
            The search. No candidate is fitted again.
        """
        data = data_for_inner_predict(self, X, sample_domain)
        if (data.ids >= 0).any():
            raise ValueError(
                "update takes labeled target rows; sample_domain marks some as source rows (values "
                ">= 0). Leave those out."
            )
        labels = as_labels(y)
        if labels is None or len(labels) != len(data.ids):
            given = "None" if labels is None else f"{len(labels)} labels"
            raise ValueError(f"y must have one label per row of X; got {given}.")
        if self._evidence is None:
            raise ValueError(
                "update needs a search that was fitted with sample_domain; without it there are no "
                "candidates to choose from."
            )
        labels = np.asarray(labels)
        # -1 is a missing label only where it is no class, and no value of a regression.
        counts = labels.dtype.kind == "i" and (not is_classifier(self) or -1 in self.classes_)
        rows = np.arange(len(labels)) if counts else np.flatnonzero(~missing_labels(labels))
        if not len(rows):
            return self
        X = take_rows(data.X, rows)
        # Only domains that the user named: those of no stated domain are target rows to all.
        ids = None if sample_domain is None else data.ids[rows]
        models = self.estimators_.values()
        predicted = np.array([as_labels(call(model, "predict", X, ids)) for model in models])
        self._evidence.add_update(*self._outcomes(predicted, labels[rows]))
        self._conclude()
        return self

    # The decision

    def _conclude(self):
        """Set what follows from the evidence so far."""
        names, evidence = list(self.estimators_), self._evidence
        best = None if evidence is None else evidence.best
        self.best_index_ = 0 if best is None else best + 1
        self.best_name_ = names[self.best_index_]
        self.best_estimator_ = self.estimators_[self.best_name_]
        unit = _POINTS if is_classifier(self) else 1
        self.n_labels_ = 0 if evidence is None else evidence.n_labels
        self.results_ = self._results(names, unit)
        if best is None:
            self.gain_, self.gain_interval_ = 0.0, (0.0, 0.0)
            self.n_labels_needed_ = (
                None if evidence is None else evidence.labels_needed(self._differ)
            )
            self.verdict_ = keep_sentence(self._reason_to_keep(), self.n_labels_needed_)
            return
        self.gain_ = float(unit * evidence.gains[best])
        low, high = evidence.interval(best)
        self.gain_interval_ = (unit * low, unit * high)
        self.n_labels_needed_ = 0
        self.verdict_ = adapt_sentence(
            self.best_name_,
            self.n_labels_,
            self.gain_interval_,
            self.confidence,
            "points" if is_classifier(self) else "in mean absolute error",
        )

    def _reason_to_keep(self):
        if self._evidence is None:
            return "there are no target rows to adapt to"
        if not self._differ:
            return "no candidate predicts otherwise on the target rows"
        if not self.n_labels_:
            return "no target row has a label"
        rows = "1 label does" if self.n_labels_ == 1 else f"{self.n_labels_} labels do"
        return f"{rows} not show that a candidate is better"

    def _results(self, names, unit):
        evidence = self._evidence
        empty = np.zeros(0)

        def column(first, rest):
            return np.r_[np.array([first]), empty if evidence is None else rest(evidence)]

        return {
            "name": np.array(names, dtype=object),
            **self._label_free,
            "disagreement": column(0.0, lambda e: e.scale),
            "n_labels": column(0, lambda e: e.numbers).astype(int),
            "gain": column(0.0, lambda e: unit * e.gains),
            "p_value": column(np.nan, lambda e: e.p_values),
            "accepted": column(0, lambda e: e.accepted).astype(bool),
            "given_up": column(0, lambda e: e.given_up).astype(bool),
        }

    # Using the best

    @available_if(_best_has("predict"))
    def predict(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Predict with the chosen model.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of any domain.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row; None: all are target rows.

        Returns
        -------
        y_pred : array of shape (n_samples,)
            Prediction for each row.
        """
        return self._delegate("predict", X, sample_domain)

    @available_if(_best_has("predict_proba"))
    def predict_proba(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Return class probabilities of the chosen model.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of any domain.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row; None: all are target rows.

        Returns
        -------
        proba : array of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        return self._delegate("predict_proba", X, sample_domain)

    @available_if(_best_has("predict_log_proba"))
    def predict_log_proba(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Return logarithms of class probabilities of the chosen model.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of any domain.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row; None: all are target rows.

        Returns
        -------
        log_proba : array of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        return self._delegate("predict_log_proba", X, sample_domain)

    @available_if(_best_has("decision_function"))
    def decision_function(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Return decision values of the chosen model.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of any domain.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row; None: all are target rows.

        Returns
        -------
        values : array of shape (n_samples,) or (n_samples, n_classes)
            Decision values.
        """
        return self._delegate("decision_function", X, sample_domain)

    def score(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        sample_domain: DomainIds | None = None,
    ) -> float:
        """Return accuracy, or R² of regressors.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict.
        y : array-like of shape (n_samples,)
            Their true labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row.
        sample_domain : array-like of int of shape (n_samples,), default=None
            None: all rows are scored, as labeled target rows of yours. Given: source rows
            only, so that no target label chooses a model silently.

        Returns
        -------
        score : float
            Score of the chosen model.
        """
        check_is_fitted(self)
        X, y, sample_weight, ids = scored_part(self, X, y, sample_weight, sample_domain)
        metric = accuracy_score if is_classifier(self) else r2_score
        predicted = as_labels(self.predict(X, sample_domain=ids))
        return float(metric(y, predicted, sample_weight=sample_weight))

    def _delegate(self, method, X, sample_domain):
        data = data_for_inner_predict(self, X, sample_domain)
        ids = None if sample_domain is None else data.ids
        return call(self.best_estimator_, method, data.X, ids)

    @property
    def classes_(self) -> Any:
        """Classes of the chosen classifier."""
        check_is_fitted(self)
        return self.best_estimator_.classes_

    def __sklearn_is_fitted__(self):
        return "best_estimator_" in vars(self)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        models = list(self.candidates.values()) if isinstance(self.candidates, dict) else []
        given = [get_tags(model) for model in models if hasattr(model, "fit")]
        if not given:
            return tags
        first = given[0]
        tags.estimator_type = first.estimator_type
        tags.classifier_tags, tags.regressor_tags = first.classifier_tags, first.regressor_tags
        tags.target_tags = first.target_tags
        # A candidate that does not take sparse rows is left out; on missing values all agree.
        tags.input_tags.allow_nan = all(tag.input_tags.allow_nan for tag in given)
        tags.input_tags.sparse = any(tag.input_tags.sparse for tag in given)
        tags.input_tags.positive_only = any(tag.input_tags.positive_only for tag in given)
        tags.target_tags.required = True
        tags.target_tags.multi_output = False  # a row is better or worse as a whole
        return tags
