"""Comparing candidates under several scorers at once, the source-only model always among them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from inspect import signature
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import sklearn
from sklearn.base import clone, is_classifier
from sklearn.exceptions import FitFailedWarning
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.parallel import Parallel, delayed

from .._array._rows import n_rows, take_rows
from .._array._warnings import warn_user
from .._core._callbacks import CALLBACK_SUPPORT, begin_fit, callbacks_of_fit, fitting, inner_tasks
from .._core._labels import as_labels, labeled_rows
from .._core._param_checks import check_integer
from .._core._sample_domain import DomainWarning, check_both_sides, check_sample_domain
from .._core._typing import ArrayLike, DomainIds, Estimator, Splitting
from ..metrics import (
    CircularValidationScorer,
    DEVScorer,
    ImportanceWeightedScorer,
    InformationMaximizationScorer,
    LabeledTargetScorer,
    MixValScorer,
    SourceScorer,
)
from ..pipeline._make_domain_pipeline import asks_for_domain
from ._source_only import with_source_only
from ._split import DomainStratifiedKFold

if TYPE_CHECKING:
    import pandas as pd


def default_scoring(estimators, y, sample_domain):
    """Return scorers that all candidates can be given, target labels last if there are any."""
    scoring = {"source": SourceScorer(), "importance weighted": ImportanceWeightedScorer()}
    # A scorer that one candidate cannot be given would leave a hole in its column.
    if all(is_classifier(e) for e in estimators):
        if all(hasattr(e, "predict_proba") for e in estimators):
            scoring["information"] = InformationMaximizationScorer()
        scoring["mixval"] = MixValScorer()
    else:
        scoring["dev"] = DEVScorer()
    if not any(_needs_target_labels(e) for e in estimators):
        scoring["circular"] = CircularValidationScorer()
    if ((sample_domain < 0) & labeled_rows(as_labels(y), sample_domain)).any():
        scoring["target"] = LabeledTargetScorer()
    return scoring


def _needs_target_labels(estimator):
    """Tell supervised transfer, which cannot be fitted from the target back to the source."""
    while hasattr(estimator, "steps"):
        estimator = estimator.steps[-1][1]
    return getattr(estimator, "_labels", None) == "all"


def compare(
    estimators: Mapping[str, Estimator],
    X: ArrayLike,
    y: ArrayLike,
    sample_domain: DomainIds | Iterable[tuple[Any, ...]],
    *,
    scoring: Mapping[str, Any] | None = None,
    cv: Splitting | None = None,
    source_only: Estimator | None = None,
    n_jobs: int | None = None,
    error_score: float | Literal["raise"] = np.nan,
    callbacks: Sequence[Any] = (),
) -> pd.DataFrame:
    """Cross-validate candidates under several scorers and rank them under each.

    Every candidate is fitted on the same folds and scored by the same scorers, next to the model
    that does not adapt. One row per candidate shows whether adapting pays, and whether scorers
    that need no target labels agree on it.

    Parameters
    ----------
    estimators : dict of str to estimator
        Candidates by name: pipelines, classifiers or regressors, searches. Whatever would see
        target labels is wrapped in :class:`~skda.TrainOnSource`, as
        :func:`~skda.make_domain_pipeline` does.
    X : array-like of shape (n_samples, n_features)
        Rows of all domains.
    y : array-like of shape (n_samples,)
        Labels. Those of target rows are used by :class:`~skda.metrics.LabeledTargetScorer`, and by
        candidates that are made for it or ask for it by name, such as
        :class:`~skda.TrAdaBoostClassifier` or ``TrainOnSource(..., use_target_labels=True)``. All
        other scorers and candidates ignore them.
    sample_domain : array-like of int of shape (n_samples,), or iterable of (name, such an array)
        Domain of each row; or what :func:`iter_target_domains` yields, to take each domain in
        turn as the target, with all others or with all earlier ones as sources.
    scoring : dict of str to scorer, or None, default=None
        Scorers by name, those of :mod:`skda.metrics` or functions ``(estimator, X, y) -> float``.
        None is a choice of label-free ones that all candidates can be given, the source score, and
        "target" if some target rows have a label. Names of scikit-learn scorers such as "accuracy"
        are refused, since these would use the labels of target rows: write
        ``SourceScorer("accuracy")`` or ``LabeledTargetScorer("accuracy")``.
    cv : splitter, int, iterable of (train, test) or None, default=None
        How to split; every candidate gets the same parts. An integer k, or None for 5, is
        ``DomainStratifiedKFold(k, shuffle=True, random_state=0)``.
    source_only : estimator or None, default=None
        The model that does not adapt, the first row of the table; a candidate that is named
        "source only" is the same. Its steps that do not ask for ``sample_domain`` are fitted on
        source rows. None derives it from the first candidate for which that is possible: adapting
        steps are left out, scalers and other transformers are fitted on source rows, and the
        predictor is trained on source rows.
    n_jobs : int or None, default=None
        Number of processes over candidates and parts, as in
        :func:`sklearn.model_selection.cross_validate`.
    error_score : "raise" or numpy.nan, default=numpy.nan
        What a candidate gets in a part in which its fit or a scorer fails: NaN, with a warning that
        carries the error, or the error itself.
    callbacks : sequence of callbacks, default=()
        Callbacks of scikit-learn 1.9 or later that watch the fits, such as
        ``[sklearn.callback.ProgressBar()]``. A ``ScoringMonitor`` is set on a candidate instead.

    Returns
    -------
    table : pandas.DataFrame
        One row per candidate, "source only" first (with several targets, one row per
        target and candidate). Columns (scorer, "mean"), (scorer, "std") over the parts and
        (scorer, "rank"), 1 being the best; higher scores are better. Means are in the units of the
        scorer. A candidate that failed has NaN.

    Raises
    ------
    ImportError
        If pandas is not installed.
    ValueError
        If no source-only model can be derived from the candidates, a parameter is of no use, or
        every candidate fails in every part; the message says why.

    See Also
    --------
    plot_comparison : Draws the table.
    DomainStratifiedKFold : The folds.
    skda.metrics.LabeledTargetScorer : The scorer named "target".

    Notes
    -----
    The source-only row replaces ``PerDomain(T)`` by T and ``DomainScaler`` by a StandardScaler (or
    RobustScaler), both fitted on source rows. Where a step that is left out makes features of its
    own, such as components, a :class:`~skda.DomainWarning` says so.

    A part in which a scorer is undefined for every candidate, such as one without a labeled target
    row, is left out of that scorer's means, with a warning. Metadata routing is switched on inside,
    whatever its setting outside. Choosing the winner under "target" has used those labels: report
    other ones. Cost: one fit per candidate and part (and target), and those of the scorers.

    Examples
    --------
    >>> import sklearn
    >>> from sklearn.linear_model import LogisticRegression
    >>> sklearn.set_config(enable_metadata_routing=True)
    >>> from skda import CORALTransformer, make_domain_pipeline, stack_domains
    >>> from skda.datasets import make_subspace_shift
    >>> from skda.model_selection import compare
    >>> X, y, sample_domain = make_subspace_shift(60, random_state=0)
    >>> candidates = {"coral": make_domain_pipeline(CORALTransformer(), LogisticRegression())}
    >>> table = compare(candidates, X, y, sample_domain, cv=3)
    >>> table.index.tolist()
    ['source only', 'coral']
    """
    pandas = _pandas("compare")
    _check_scoring(scoring)
    _check_error_score(error_score)
    comparison = Comparison(callbacks)
    options = {
        "scoring": scoring,
        "cv": _check_cv(cv),
        "n_jobs": n_jobs,
        "error_score": error_score,
        "pandas": pandas,
    }
    candidates = _candidates(estimators, source_only)
    if not _names_targets(sample_domain):
        return comparison.fit(candidates, X, y, sample_domain, **options)
    tables = {}
    targets: Any = sample_domain
    for name, ids, *rows in targets:
        # With earlier domains only, ids are those of some rows, which come along.
        part: tuple[Any, Any] = (
            (take_rows(X, rows[0]), take_rows(as_labels(y), rows[0])) if rows else (X, y)
        )
        tables[name] = comparison.fit(candidates, *part, ids, **options)
    return pandas.concat(tables, names=["target", "candidate"])


def _uses_all_labels(scorer):
    """Return whether a scorer is one of scikit-learn: these compare all rows with their labels."""
    return isinstance(scorer, str) or type(scorer).__module__.startswith("sklearn.metrics")


def _check_scoring(scoring):
    if scoring is None:
        return
    if not isinstance(scoring, dict) or not scoring:
        raise ValueError(
            "scoring must be a dict of names to scorers, with at least one, or None; got "
            f"{scoring!r}. {_SCORER_HINT}"
        )
    for name, scorer in scoring.items():
        if _uses_all_labels(scorer) or not callable(scorer):
            raise ValueError(
                f"scoring[{name!r}] must be a scorer of skda.metrics or a function (estimator, X, "
                f"y); got {scorer!r}, which would use the labels of target rows. {_SCORER_HINT}"
            )


_SCORER_HINT = (
    "Write for example {'source': SourceScorer('accuracy')}, or "
    "{'target': LabeledTargetScorer('accuracy')} to score labeled target rows."
)


def _warn_of_searches(name, estimator):
    """Warn if a search in a candidate chooses by the labels of target rows.

    A search of plain estimators does not: TrainOnSource gives it source rows alone.
    """
    for part in [estimator, *estimator.get_params().values()]:
        inner, scoring = getattr(part, "estimator", None), getattr(part, "scoring", None)
        if scoring is None or inner is None or not asks_for_domain(inner):
            continue
        scorers = list(scoring.values()) if isinstance(scoring, dict) else scoring
        scorers = scorers if isinstance(scorers, list | tuple | set) else [scorers]
        if any(_uses_all_labels(scorer) for scorer in scorers):
            warn_user(
                f"{type(part).__name__} in candidate {name!r} has scoring={scoring!r}, which "
                "compares all rows with their labels, those of target rows too, and predicts "
                "source rows as target rows. Write for example scoring=SourceScorer('accuracy').",
                DomainWarning,
            )


def _check_error_score(error_score):
    is_nan = isinstance(error_score, Real) and np.isnan(error_score)
    if not is_nan and not (isinstance(error_score, str) and error_score == "raise"):
        raise ValueError(f"error_score must be 'raise' or numpy.nan; got {error_score!r}.")


def _check_cv(cv):
    """Return a splitter, or a list of parts."""
    if cv is None or isinstance(cv, Integral):
        k = 5 if cv is None else check_integer("cv", cv, low=2)
        return DomainStratifiedKFold(k, shuffle=True, random_state=0)
    if hasattr(cv, "split") and not isinstance(cv, str):  # text has a split of another kind
        return cv
    parts = list(cv) if isinstance(cv, Iterable) and not isinstance(cv, str) else []
    if not parts or not all(isinstance(part, tuple | list) and len(part) == 2 for part in parts):
        raise ValueError(
            "cv must be a splitter, a number of folds, an iterable of (train, test) indices or "
            f"None; got {cv!r}."
        )
    return parts


def _candidates(estimators, source_only, argument="estimators"):
    """Return all models by name, the source-only one first; ``argument`` is named in errors."""
    if not isinstance(estimators, dict) or not estimators:
        raise ValueError(
            f"{argument} must be a dict of names to estimators, with at least one; got "
            f"{estimators!r}."
        )
    for name, estimator in estimators.items():
        if not hasattr(estimator, "fit") or isinstance(estimator, type):
            raise ValueError(f"{argument}[{name!r}] must be an estimator; got {estimator!r}.")
        _warn_of_searches(name, estimator)
    models = with_source_only(estimators, source_only)
    if models is None:
        raise ValueError(
            "A source-only model always stands beside the candidates, and none of "
            f"{list(estimators)} shows which one that is. Pass source_only=, for example the "
            "classifier that they should beat."
        )
    return models


def _names_targets(sample_domain):
    """Tell pairs (name, sample_domain), as iter_target_domains yields, from one sample_domain."""
    # A list of pairs, or a generator; a list of numbers is one sample_domain.
    if hasattr(sample_domain, "shape") or not isinstance(sample_domain, Iterable):
        return False
    return not isinstance(sample_domain, list | tuple) or (
        len(sample_domain) > 0 and isinstance(sample_domain[0], tuple)
    )


class Comparison(*CALLBACK_SUPPORT):  # type: ignore[misc]
    """The fits of a comparison as callbacks see them: one task for each candidate and part."""

    _holds_estimators = True

    def __init__(self, callbacks):
        if not isinstance(callbacks, list | tuple):
            raise ValueError(
                f"callbacks must be a list or tuple of callbacks; got {callbacks!r}. Write for "
                "example callbacks=[ProgressBar()]."
            )
        if not callbacks:
            return
        if not hasattr(self, "set_callbacks"):
            raise ImportError("callbacks needs scikit-learn 1.9 or later; leave it out.")
        self.set_callbacks(*callbacks)

    def fit(self, candidates, X, y, sample_domain, **options):
        """Return the table of the candidates."""
        with callbacks_of_fit(self):
            return _table(candidates, X, y, sample_domain, comparison=self, **options)


def _table(
    candidates, X, y, sample_domain, *, scoring, cv, n_jobs, error_score, pandas, comparison
):
    ids = check_sample_domain(sample_domain, n_rows(X))
    check_both_sides(ids)
    y = as_labels(y)
    if y is None or len(y) != len(ids):
        raise ValueError(
            "y must have one label per row of X, missing ones on target rows; got "
            f"{'None' if y is None else len(y)} for {len(ids)} rows."
        )
    scoring = scoring or default_scoring(candidates.values(), y, ids)
    # Without routing a pipeline would refuse sample_domain; joblib takes the setting along.
    with sklearn.config_context(enable_metadata_routing=True):
        parts = _parts(cv, X, y, ids)
        n_fits = len(candidates) * len(parts)
        begin_fit(comparison, X, y, ids, n_tasks=n_fits, in_turn=False)
        pairs = itertools.product(candidates.values(), parts)
        tasks = inner_tasks(comparison, "candidate and part", n_fits)
        done = Parallel(n_jobs=n_jobs)(
            delayed(_score_part)(estimator, X, y, ids, part, scoring, error_score, task)
            for (estimator, part), task in zip(pairs, tasks, strict=True)
        )
    n = len(parts)
    results = {name: done[i * n : (i + 1) * n] for i, name in enumerate(candidates)}
    scores = {
        scorer: np.array([[part.scores[scorer] for part in of] for of in results.values()])
        for scorer in scoring
    }
    undefined = {scorer: _undefined(values, results) for scorer, values in scores.items()}
    _report_fits(results)
    for scorer in scoring:
        _report_scorer(scorer, undefined[scorer], results)
    return _summary(scores, undefined, list(candidates), pandas)


def _undefined(values, results):
    """Return in which parts a scorer has no value for any fitted model (for example, no labels)."""
    fitted = np.array([[part.fit_error is None for part in of] for of in results.values()])
    return np.isnan(values).all(axis=0) & fitted.any(axis=0)


def _summary(scores, undefined, names, pandas):
    """Return the table from arrays (candidates, parts) by scorer."""
    table = pandas.DataFrame(index=names)
    for scorer, values in scores.items():
        defined = values[:, ~undefined[scorer]]
        for of, summary in (("mean", np.mean), ("std", np.std)):
            table[scorer, of] = summary(defined, axis=1) if defined.size else np.nan
        # Equal means share the better rank; a candidate without a mean has no rank.
        ranks = table[scorer, "mean"].rank(ascending=False, method="min")
        table[scorer, "rank"] = ranks.astype(int) if ranks.notna().all() else ranks
    table.columns = pandas.MultiIndex.from_tuples(table.columns, names=["scorer", None])
    return table


def _parts(cv, X, y, ids):
    """Return the parts as a list of row indices, so that all candidates get the same ones."""
    if not hasattr(cv, "split"):
        parts = cv
    elif "sample_domain" in signature(cv.split).parameters:
        parts = cv.split(X, y, sample_domain=ids)
    else:
        parts = cv.split(X, y)
    every = np.arange(len(ids))  # turns masks into indices, and refuses those out of range
    return [(every[train], every[test]) for train, test in parts]


class PartResult(NamedTuple):
    """Scores of one candidate in one part, and the texts of what failed."""

    scores: dict
    scorer_errors: dict
    fit_error: str | None = None


def _score_part(estimator, X, y, ids, part, scoring, error_score, task=None):
    """Fit a candidate on one train part and score it on the test part.

    An error of one scorer leaves the others their values. Errors come back as texts, since a
    warning in another process would be lost.
    """
    train, test = part
    result = PartResult(dict.fromkeys(scoring, np.nan), {})
    model = clone(estimator)
    try:
        with fitting(task, model):
            model.fit(take_rows(X, train), take_rows(y, train), sample_domain=ids[train])
    except Exception as error:  # not KeyboardInterrupt, which ends the comparison
        if error_score == "raise":
            raise
        return result._replace(fit_error=f"{type(error).__name__}: {error}")
    X_test, y_test = take_rows(X, test), take_rows(y, test)
    for name, scorer in scoring.items():
        try:
            result.scores[name] = float(_call_scorer(scorer, model, X_test, y_test, ids[test]))
        except Exception as error:
            if error_score == "raise":
                raise
            result.scorer_errors[name] = f"{type(error).__name__}: {error}"
    return result


def _call_scorer(scorer, model, X, y, ids):
    # A plain function has no routing, and no parameter for the domains.
    if get_routing_for_object(scorer).consumes("score", ["sample_domain"]):
        return scorer(model, X, y, sample_domain=ids)
    return scorer(model, X, y)


def _report_fits(results):
    """Warn once for each candidate that could not be fitted in some part."""
    n_parts = len(next(iter(results.values())))
    errors = {
        name: [part.fit_error for part in parts if part.fit_error]
        for name, parts in results.items()
    }
    if all(len(texts) == n_parts for texts in errors.values()):
        # A table of NaN would hide a mistake in the data or in a parameter.
        first = next(iter(errors.values()))[0]
        raise ValueError(f"Every candidate failed in every part; the first error: {first}")
    for name, texts in errors.items():
        _warn_failed(f"The fit of candidate {name!r}", texts, n_parts, FitFailedWarning)


def _report_scorer(scorer, undefined, results):
    """Warn of parts in which a scorer is undefined, and of candidates on which it fails."""
    errors = {
        name: {
            i: part.scorer_errors[scorer]
            for i, part in enumerate(parts)
            if scorer in part.scorer_errors
        }
        for name, parts in results.items()
    }
    if undefined.any():
        first = [text for texts in errors.values() for i, text in texts.items() if undefined[i]]
        warn_user(
            f"Scorer {scorer!r} has no value for any candidate in {undefined.sum()} of "
            f"{len(undefined)} parts, which are left out of its mean. {' '.join(first[:1])}",
            DomainWarning,
        )
    for name, texts in errors.items():
        # Where no candidate has a value, the warning above was already given.
        others = [text for i, text in texts.items() if not undefined[i]]
        _warn_failed(f"Scorer {scorer!r} on candidate {name!r}", others, len(undefined))


def _warn_failed(what, texts, n_parts, category=UserWarning):
    if texts:
        warn_user(
            f"{what} failed in {len(texts)} of {n_parts} parts, so that its mean is NaN; pass "
            f"error_score='raise' to stop instead. {texts[0]}",
            category,
        )


def _pandas(function):
    try:
        import pandas
    except ImportError as error:
        raise ImportError(
            f"{function} returns a data frame and needs pandas: pip install pandas"
        ) from error
    return pandas
