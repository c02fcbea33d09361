"""Comparing candidates under several scorers at once, the source-only model always among them."""

from collections.abc import Iterable
from inspect import signature

import numpy as np
import sklearn
from sklearn.base import clone, is_classifier
from sklearn.model_selection import cross_validate
from sklearn.pipeline import Pipeline

from .._array._rows import n_rows
from .._core._labels import as_labels, labeled_rows
from .._core._sample_domain import check_both_sides, check_sample_domain
from ..metrics import (
    CircularValidationScorer,
    DEVScorer,
    ImportanceWeightedScorer,
    InformationMaximizationScorer,
    LabeledTargetScorer,
    MixValScorer,
    SourceScorer,
)
from ..pipeline import TrainOnSource
from ..pipeline._make_domain_pipeline import asks_for_domain, needs_wrapping
from ._split import DomainStratifiedKFold

SOURCE_ONLY = "source only"


def hide_target_labels(estimator):
    """Return the estimator with TrainOnSource around whatever would see target labels."""
    if isinstance(estimator, Pipeline):
        steps = [
            (name, TrainOnSource(step) if needs_wrapping(step) else step)
            for name, step in estimator.steps
        ]
        return clone(estimator).set_params(steps=steps)
    return TrainOnSource(estimator) if needs_wrapping(estimator) else estimator


def source_only_of(estimator):
    """Return the estimator without its adapting parts, or None where what is left is unknown.

    Steps of a pipeline that ask for ``sample_domain`` are left out; a predictor that wraps
    another gives way to that one, trained on the source rows.
    """
    if isinstance(estimator, Pipeline):
        *first, (name, last) = estimator.steps
        last = source_only_of(last)
        if last is None:
            return None
        kept = [s for s in first if isinstance(s[1], TrainOnSource) or not asks_for_domain(s[1])]
        return clone(estimator).set_params(steps=[*kept, (name, last)])
    if isinstance(estimator, TrainOnSource):
        return TrainOnSource(estimator.estimator)
    if not asks_for_domain(estimator):
        return hide_target_labels(estimator)
    inner = getattr(estimator, "estimator", None)
    return None if inner is None or asks_for_domain(inner) else TrainOnSource(inner)


def default_scoring(estimators, y, sample_domain):
    """Return scorers that all candidates can be given, the truth last if there are labels."""
    scoring = {"source": SourceScorer(), "importance weighted": ImportanceWeightedScorer()}
    if all(is_classifier(e) for e in estimators):
        if all(hasattr(e, "predict_proba") for e in estimators):
            scoring["information"] = InformationMaximizationScorer()
        scoring["mixval"] = MixValScorer()
    else:
        scoring["dev"] = DEVScorer()
    scoring["circular"] = CircularValidationScorer()
    if ((sample_domain < 0) & labeled_rows(as_labels(y), sample_domain)).any():
        scoring["target"] = LabeledTargetScorer()
    return scoring


def compare(
    estimators,
    X,
    y,
    sample_domain,
    *,
    scoring=None,
    cv=None,
    source_only=None,
    n_jobs=None,
):
    """Cross-validate candidates under several scorers and rank them under each.

    Parameters
    ----------
    estimators : dict of str to estimator
        Candidates by name: pipelines, classifiers or regressors, searches. Whatever would see
        target labels is wrapped in :class:`~skda.TrainOnSource`, as
        :func:`~skda.make_domain_pipeline` does.
    X : array-like of shape (n_samples, n_features)
        Rows of all domains.
    y : array-like of shape (n_samples,)
        Labels. Those of target rows are seen by :class:`~skda.metrics.LabeledTargetScorer` only.
    sample_domain : array-like of int of shape (n_samples,), or iterable of (name, such an array)
        Domain of each row; or what :func:`iter_target_domains` yields, to take each domain in
        turn as the target.
    scoring : dict of str to scorer, or None, default=None
        Scorers by name. None is a choice of label-free ones that all candidates can be given, the
        source score, and "target" if some target rows have a label.
    cv : splitter, int or None, default=None
        How to split; every candidate gets the same parts. An integer k, or None for 5, is
        ``DomainStratifiedKFold(k, shuffle=True, random_state=0)``.
    source_only : estimator or None, default=None
        The model that does not adapt, the first row of the table. None takes the first candidate
        without the steps that ask for ``sample_domain``.
    n_jobs : int or None, default=None
        Number of processes, as in :func:`sklearn.model_selection.cross_validate`.

    Returns
    -------
    table : pandas.DataFrame
        One row per candidate, "source only" first (with several targets, one row per
        target and candidate). Columns (scorer, "mean"), (scorer, "std") over the parts and
        (scorer, "rank"), 1 being the best; higher scores are better.

    Raises
    ------
    ImportError
        If pandas is not installed.
    ValueError
        If no source-only model can be told from the candidates, or a scorer cannot apply; the
        message says why.

    See Also
    --------
    plot_comparison : Draws the table.

    Notes
    -----
    Metadata routing is switched on inside, whatever its setting outside. Choosing the winner under
    "target" has used those labels: report other ones. Cost: one cross-validation per
    candidate (and target).

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
    candidates = _candidates(estimators, source_only)
    if isinstance(cv, int) or cv is None:
        cv = DomainStratifiedKFold(5 if cv is None else cv, shuffle=True, random_state=0)
    told = {"scoring": scoring, "cv": cv, "n_jobs": n_jobs, "pandas": pandas}
    if not _is_several(sample_domain):
        return _table(candidates, X, y, sample_domain, **told)
    tables = {name: _table(candidates, X, y, ids, **told) for name, ids in sample_domain}
    return pandas.concat(tables, names=["target", "candidate"])


def _candidates(estimators, source_only):
    if not isinstance(estimators, dict) or not estimators:
        raise ValueError(
            "estimators must be a dict of names to estimators, with at least one; got "
            f"{estimators!r}."
        )
    given = {name: hide_target_labels(estimator) for name, estimator in estimators.items()}
    if SOURCE_ONLY in given:
        return {SOURCE_ONLY: given.pop(SOURCE_ONLY), **given}
    if source_only is None:
        plain = (source_only_of(estimator) for estimator in given.values())
        source_only = next((model for model in plain if model is not None), None)
    if source_only is None:
        raise ValueError(
            "compare shows a source-only model beside the candidates, and none of "
            f"{list(estimators)} says which one that is. Pass source_only=, for example the "
            "classifier that they should beat."
        )
    return {SOURCE_ONLY: hide_target_labels(source_only), **given}


def _is_several(sample_domain):
    if hasattr(sample_domain, "shape") or not isinstance(sample_domain, Iterable):
        return False
    return not isinstance(sample_domain, list | tuple) or (
        len(sample_domain) > 0 and isinstance(sample_domain[0], tuple)
    )


def _table(candidates, X, y, sample_domain, *, scoring, cv, n_jobs, pandas):
    ids = check_sample_domain(sample_domain, n_rows(X))
    check_both_sides(ids)
    scoring = scoring or default_scoring(candidates.values(), y, ids)
    told = {"params": {"sample_domain": ids}, "n_jobs": n_jobs, "error_score": "raise"}
    rows = {}
    with sklearn.config_context(enable_metadata_routing=True):
        parts = _parts(cv, X, y, ids)
        for name, estimator in candidates.items():
            found = cross_validate(clone(estimator), X, y, scoring=scoring, cv=parts, **told)
            scores = {scorer: found[f"test_{scorer}"] for scorer in scoring}
            rows[name] = {
                (scorer, of): float(value)
                for scorer, values in scores.items()
                for of, value in (("mean", values.mean()), ("std", values.std()))
            }
    table = pandas.DataFrame.from_dict(rows, orient="index")
    table.columns = pandas.MultiIndex.from_tuples(table.columns, names=["scorer", None])
    for scorer in scoring:
        ranks = table[scorer, "mean"].rank(ascending=False, method="min").astype(int)
        table[scorer, "rank"] = ranks
    return table[[(scorer, of) for scorer in scoring for of in ("mean", "std", "rank")]]


def _parts(cv, X, y, ids):
    """Return the parts as a list, so that all candidates get the same ones."""
    if not hasattr(cv, "split"):
        return list(cv)
    if "sample_domain" in signature(cv.split).parameters:
        return list(cv.split(X, y, sample_domain=ids))
    return list(cv.split(X, y))


def plot_comparison(table, *, scorers=None, ax=None):
    """Draw what :func:`compare` returned: one panel per scorer, one bar per candidate.

    Parameters
    ----------
    table : pandas.DataFrame
        What :func:`compare` returned. Several targets are averaged; the bar then spreads over
        the targets.
    scorers : list of str or None, default=None
        Scorers to draw, in this order. None is all.
    ax : list of matplotlib.axes.Axes or None, default=None
        One axes per scorer. None makes a figure.

    Returns
    -------
    ax : ndarray of matplotlib.axes.Axes
        The axes, one per scorer.

    Raises
    ------
    ImportError
        If matplotlib is not installed: ``pip install 'skda[plot]'``.

    See Also
    --------
    compare : Makes the table.

    Notes
    -----
    The dashed line is the source-only model; the winner under each scorer is dark.
    """
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError("plot_comparison needs matplotlib: pip install 'skda[plot]'") from error
    scorers = list(table.columns.get_level_values(0).unique()) if scorers is None else scorers
    if table.index.nlevels > 1:
        by_name = table.groupby(level=-1, sort=False)
        mean = by_name.mean()
        spread = by_name.std(ddof=0)
        spreads = {s: spread[s, "mean"] for s in scorers}
    else:
        mean, spreads = table, {s: table[s, "std"] for s in scorers}
    if ax is None:
        height = 1.2 + 0.3 * len(mean)
        _, ax = pyplot.subplots(
            1, len(scorers), figsize=(2.6 * len(scorers) + 1, height), sharey=True,
            squeeze=False, layout="constrained",
        )  # fmt: skip
        ax[0, 0].invert_yaxis()
    axes = np.ravel(np.asarray(ax, dtype=object))
    if len(axes) != len(scorers):
        raise ValueError(f"ax must hold one axes per scorer, {len(scorers)}; got {len(axes)}.")
    for panel, scorer in zip(axes, scorers, strict=True):
        values = mean[scorer, "mean"]
        colors = np.where(values == values.max(), "tab:blue", "lightsteelblue")
        panel.barh(list(mean.index), values, xerr=spreads[scorer], color=colors)
        if SOURCE_ONLY in mean.index:
            panel.axvline(values[SOURCE_ONLY], color="black", linestyle="--", linewidth=1)
        panel.set_title(scorer)
    return axes


def _pandas(function):
    try:
        import pandas
    except ImportError as error:
        raise ImportError(
            f"{function} returns a data frame and needs pandas: pip install pandas"
        ) from error
    return pandas
