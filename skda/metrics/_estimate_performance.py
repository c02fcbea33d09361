"""How good a fitted model is on the target: an estimate, an interval, and what they rest on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from scipy.stats import norm
from sklearn.utils import check_random_state

from .._array._rows import n_rows
from .._array._warnings import warn_user
from .._core._param_checks import check_integer, check_option, check_real
from .._core._sample_domain import check_both_sides, check_sample_domain
from .._core._typing import ArrayLike, DomainIds, Estimator, Predictor, RandomState
from .._numerics._mean_intervals import betting_interval, prediction_powered_mean
from ._base_scorer import ScoringData, _checked_labels, best_estimator_of
from ._performance_ground import Ground
from ._performance_methods import expected_estimate
from ._performance_outputs import outputs_of, predictions_of
from ._performance_result import PerformanceEstimate, PerformanceVerdict
from ._performance_values import (
    CLASS_METRICS,
    NUMBER_METRICS,
    from_mean_loss,
    labeled_interval,
    largest_loss,
    row_losses,
    soft_rows,
    value_of,
)
from ._weighted import ImportanceWeightedScorer

_FREE_OF_CLASSES = ("weighted", "cbpe", "pape", "atc", "label_shift")
_FREE_OF_NUMBERS = ("weighted", "dle")
_WITH_LABELS = ("labels", "joined")
# What each way stands on; a shift that is absent harms none of them.
_STANDS_ON = {
    "weighted": "covariate",
    "pape": "covariate",
    "dle": "covariate",
    "cbpe": "none",
    "atc": "none",
    "label_shift": "label",
    "source": "none",
}
# What "auto" takes where an assumption holds, by the measurement of `benchmarks performance`.
_BEST_CLASSES = {"none": "source", "label": "label_shift", "covariate": "pape"}
_BEST_NUMBERS = {"none": "source", "covariate": "dle"}
_IN_WORDS = {
    "none": "that the domains do not differ, and that y given x is the same",
    "label": "that class priors differ and nothing else (label shift)",
    "covariate": "that features are distributed differently and y given x is the same "
    "(covariate shift)",
}
_MEANS = ("accuracy", "log_loss", *NUMBER_METRICS)


def estimate_performance(
    model: Predictor,
    X: ArrayLike,
    y: ArrayLike,
    sample_domain: DomainIds,
    *,
    metric: Literal["accuracy", "balanced_accuracy", "f1", "roc_auc", "log_loss", "mae", "rmse"]
    | None = None,
    method: Literal[
        "auto", "weighted", "cbpe", "pape", "atc", "label_shift", "dle", "labels", "joined"
    ] = "auto",
    level: float = 0.9,
    weighter: Estimator | Callable[..., Any] | None = None,
    candidates: Any = None,
    queried: Any = None,
    cv: int | None = 5,
    n_bootstrap: int = 100,
    random_state: RandomState = None,
) -> PerformanceEstimate:
    """Estimate how good a fitted model is on the target, without labels there or with a few.

    The score on held-out source rows says how good a model is on rows like those. This function
    says how good it is on the target rows: without their labels, under the simplest assumption on
    the shift that the features do not refute; with a few of them, without any assumption. If every
    assumption is refuted, it says that the figure cannot be known.

    Parameters
    ----------
    model : fitted classifier, regressor, Pipeline or search
        The model, of skda or not. It predicts the target rows; source rows that it learned from
        would flatter it, and are predicted by clones of it that are fitted without them.
    X : array-like of shape (n_samples, n_features)
        Rows of all domains.
    y : array-like of shape (n_samples,)
        Labels of all source rows, and of those target rows on which the model shall be judged; NaN,
        None or NA elsewhere or, among integers, -1. Leave out target labels that the model has
        learned from.
    sample_domain : array-like of int of shape (n_samples,)
        Domain of each row: >= 0 a source, < 0 a target.
    metric : {"accuracy", "balanced_accuracy", "f1", "roc_auc", "log_loss", "mae", "rmse"} or \
            None, default=None
        What to estimate: "mae" and "rmse" of regressors, the others of classifiers. Of several
        classes, "f1" and "roc_auc" are the mean over classes; of two, they are of the second one.
        None is "accuracy" or "mae".
    method : {"auto", "weighted", "cbpe", "pape", "atc", "label_shift", "dle", "labels", \
            "joined"}, default="auto"
        How. "auto" takes "labels" where there are some, else what suits the first assumption that
        holds; see Notes.
    level : float, default=0.9
        Probability with which the interval shall hold the metric. Raising it widens the interval.
    weighter : weighter, callable or None, default=None
        Where weights for covariate shift come from, as in :class:`ImportanceWeightedScorer`; None
        for a smooth function of the features.
    candidates : dict or list of fitted classifiers, or object with ``estimators_``, default=None
        Other models of the same task, such as a :class:`~skda.ConsensusClassifier`. The probability
        that they give on average to the predicted classes goes into the evidence, and into the
        value where nothing is known. None: three simple ones, on features that are standardized,
        ranked or decorrelated within each domain.
    queried : QueriedRows, default=None
        What :func:`~skda.model_selection.query_rows` returned with ``goal="measure"``, if the
        labeled target rows were drawn so: each counts by its probability. None: all rows were as
        likely to be labeled.
    cv : int or None, default=5
        Number of folds of source rows, and of fits. None: the source rows are such that the model
        did not learn from.
    n_bootstrap : int, default=100
        Number of samples from which an interval without labels is taken.
    random_state : int, RandomState instance or None, default=None
        Deals out the folds, and draws the samples.

    Returns
    -------
    estimate : PerformanceEstimate
        ``value``, ``interval``, ``verdict`` (``known``, ``assumption``, ``text``), ``evidence``,
        ``method``, ``metric`` and ``level``.

    Warns
    -----
    UserWarning
        If nothing supports the value: ``verdict.known`` is False then and the interval NaN.

    See Also
    --------
    ImportanceWeightedScorer : One of these estimates as a scorer, for a search.
    LabeledTargetScorer : The value on labeled target rows alone.
    skda.model_selection.query_rows : Which rows to label for it.

    Notes
    -----
    Assumptions are tried from the simplest on: no shift, label shift (weights of source rows by
    class), covariate shift (weights by a quadratic function of the features). One holds if a
    forest, fitted on other rows, hardly tells the source rows so weighted from the target rows.
    That refutes shifts of the features only: a change of y given x that leaves them alone is never
    seen without labels.

    Without labels: "weighted", the metric of weighted source rows; "cbpe", what calibrated
    probabilities lead to expect [1]_; "pape", the same with weighted calibration [2]_; "atc", the
    proportion of target rows of a confidence above a threshold learned on the source [3]_;
    "label_shift", source rows weighted by class, with priors by EM [4]_; "dle", losses predicted by
    a forest. Their limits, of the metric on these very target rows, come from the bootstrap, with
    the weights by features taken as they are.

    With labels of m rows drawn at random: Clopper-Pearson limits of proportions, betting limits of
    bounded losses [5]_, Newcombe's of the area under the ROC curve. "joined" corrects
    predicted losses by what they are off on the labeled rows [6]_: the interval is narrower the
    better they are, and holds however bad they are.

    Costs `cv` fits of the model, and of a forest per assumption on at most twenty features. Array
    level (b): NumPy on the host.

    References
    ----------
    .. [1] Kivimäki, J. et al. Confidence-based estimators for predictive performance in model
       monitoring. JAIR 82, 2025. arXiv:2407.08649
    .. [2] Białek, J. et al. Estimating model performance under covariate shift without labels.
       2024. arXiv:2401.08348
    .. [3] Garg, S. et al. Leveraging unlabeled data to predict out-of-distribution performance.
       ICLR 2022. arXiv:2201.04234
    .. [4] Saerens, M., Latinne, P., Decaestecker, C. Adjusting the outputs of a classifier to new a
       priori probabilities. Neural Computation 14, 2002. doi:10.1162/089976602753284446
    .. [5] Waudby-Smith, I., Ramdas, A. Estimating means of bounded random variables by betting.
       J. R. Stat. Soc. B 86, 2024. doi:10.1093/jrsssb/qkad009
    .. [6] Angelopoulos, A. et al. Prediction-powered inference. Science 382, 2023.
       arXiv:2301.09633

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skda.datasets import make_label_shift
    >>> from skda.metrics import estimate_performance
    >>> X, y, sample_domain = make_label_shift(400, 400, noise=0.8, random_state=0)
    >>> model = LogisticRegression().fit(X[sample_domain > 0], y[sample_domain > 0])
    >>> hidden = np.where(sample_domain < 0, -1, y)
    >>> found = estimate_performance(model, X, hidden, sample_domain, random_state=0)
    >>> print(found.verdict.assumption, found.method, found.verdict.known)
    label label_shift True
    """
    check_option("metric", metric, (None, *CLASS_METRICS, *NUMBER_METRICS))
    free = (*_FREE_OF_CLASSES, "dle")
    check_option("method", method, ("auto", *free, *_WITH_LABELS))
    check_real("level", level, low=0, high=1, closed="neither")
    check_integer("cv", cv, low=2, none=True)
    check_integer("n_bootstrap", n_bootstrap, low=10)
    rng = check_random_state(random_state)
    data = _scoring_data(model, X, y, sample_domain)
    metric = _metric_for(data, metric, method)
    outputs = outputs_of(data, cv=cv, random_state=rng)
    _check_probabilities(outputs, metric, data)
    members = _members(candidates, data, outputs)
    with_labels = method in _WITH_LABELS or (method == "auto" and len(outputs.labeled) > 0)
    weights = None
    if with_labels:
        _check_labels(outputs, method)
        weights = _draw_weights(queried, metric, data, outputs.labeled)
    ground = Ground(outputs, metric, _weighter_weights(weighter, data), rng)
    if with_labels:
        how = "joined" if method == "joined" else "labels"
        return _with_labels(ground, how, weights, level)
    if outputs.n_classes:
        if members is None:
            members = ground.own_candidates()
        ground.evidence["agreement"] = expected_estimate(outputs, metric, members)
    return _without_labels(ground, method, level, n_bootstrap, rng)


def _scoring_data(model, X, y, sample_domain):
    """Return the checked rows; target labels may be missing, source labels may not."""
    if not hasattr(model, "predict"):
        raise ValueError(
            f"model must be a fitted classifier, regressor, Pipeline or search; got {model!r}."
        )
    ids = check_sample_domain(sample_domain, n_rows(X))
    check_both_sides(ids)
    labels = _checked_labels(y, ids)
    return ScoringData(best_estimator_of(model), X, labels, ids, "estimate_performance")


def _metric_for(data, metric, method):
    """Return the metric, by default the usual one, if it and the method suit the model."""
    of_numbers = data.is_regression
    possible = NUMBER_METRICS if of_numbers else CLASS_METRICS
    metric = possible[0] if metric is None else metric
    kind = "regressors" if of_numbers else "classifiers"
    check_option("metric", metric, possible, hint=f"These are the metrics of {kind}.")
    ways = _FREE_OF_NUMBERS if of_numbers else _FREE_OF_CLASSES
    check_option("method", method, ("auto", *ways, *_WITH_LABELS), hint=f"These suit {kind}.")
    if method == "atc" and metric != "accuracy":
        raise ValueError(f"method='atc' estimates the accuracy only; got metric={metric!r}.")
    if method == "joined" and metric not in _MEANS:
        raise ValueError(
            f"method='joined' needs a metric that is a mean over rows, one of {list(_MEANS)}; got "
            f"{metric!r}. Use method='labels'."
        )
    return metric


def _check_probabilities(outputs, metric, data):
    if metric in ("roc_auc", "log_loss") and outputs.target.proba is None:
        raise ValueError(
            f"metric={metric!r} needs class probabilities, and {type(data.estimator).__name__} has "
            "no predict_proba. Use a probabilistic classifier, or another metric."
        )


def _check_labels(outputs, method):
    if not len(outputs.labeled):
        raise ValueError(
            f"method={method!r} needs labeled target rows; all labels of target rows are missing. "
            "Put those that you know into y, as y_target of skda.stack_domains."
        )


def _weighter_weights(weighter, data):
    """Return weights of the source rows from a weighter of the user, None without one."""
    if weighter is None:
        return None
    scorer = ImportanceWeightedScorer(weighter=weighter)
    scorer._check_params()
    return scorer._weights(data)


def _members(candidates, data, outputs):
    """Return the mean probabilities that fitted candidates give to the target rows' classes."""
    if candidates is None:
        return None
    if outputs.classes is None:
        raise ValueError("candidates are for classifiers; the model is a regressor.")
    found = getattr(candidates, "estimators_", candidates)
    found = list(found.values()) if isinstance(found, dict) else list(found)
    if not found:
        raise ValueError("candidates must hold fitted classifiers; got none.")
    rows = data.target_rows
    total = np.zeros((len(rows), outputs.n_classes))
    for one in found:
        part = ScoringData(one, data.X, data.y, data.sample_domain, data.scorer_name)
        predicted, proba = predictions_of(part, rows, outputs.classes)
        total += np.eye(outputs.n_classes)[predicted] if proba is None else proba
    return total / len(found)


# Without labels


def _without_labels(ground, method, level, n_bootstrap, rng):
    """Return the estimate that needs no label of the target."""
    held = _assumption_for(ground, method)
    if method == "auto" and held == "unknown":
        return _guess(ground, level)
    if method == "auto":
        method = (_BEST_CLASSES if ground.outputs.n_classes else _BEST_NUMBERS)[held]
        if method == "pape" and ground.outputs.target.proba is None:
            method = "weighted"
    value = ground.estimate(method)
    ground.evidence["estimates"] = {method: value}
    if held == "unknown":
        return _refusal(ground, value, method, level)
    interval = _bootstrap_interval(ground, method, value, level, n_bootstrap, rng)
    auc = ground.balance(held).auc
    text = (
        f"stands on the assumption {_IN_WORDS[held]}, which the features do not refute "
        f"(area under the curve {auc:.2f} between the domains so weighted)."
    )
    verdict = PerformanceVerdict(True, held, text)
    evidence = ground.evidence
    return PerformanceEstimate(value, interval, verdict, evidence, method, ground.metric, level)


def _assumption_for(ground, method):
    """Return the first assumption that holds, of those that the method can stand on."""
    if method == "auto":
        return ground.assumption()
    # Without a shift every method is right.
    kinds = dict.fromkeys(("none", _STANDS_ON[method]))
    return next((kind for kind in kinds if ground.balance(kind).holds), "unknown")


def _guess(ground, level):
    """Return what was measured to be closest where no assumption holds.

    Halfway between what other models of the task lead to expect and the worst of all estimates.
    """
    metric = ground.metric
    if not ground.outputs.n_classes:
        # Weights for a shift that was refuted made it worse in every regression measured.
        return _refusal(ground, ground.estimate("source"), "source", level)
    values = {"agreement": ground.evidence["agreement"], "cbpe": ground.estimate("cbpe")}
    if metric == "accuracy":
        values["atc"] = ground.estimate("atc")
    ground.evidence["estimates"] = values
    worst = max(values.values()) if metric == "log_loss" else min(values.values())
    return _refusal(ground, (values["agreement"] + worst) / 2, "guess", level)


def _refusal(ground, value, method, level):
    """Return a value that nothing supports, without an interval and with a warning."""
    text = (
        "cannot be known without labels of the target: weighted for label or covariate shift or "
        "not, the source rows still look different from the target rows. The value is a guess; "
        "label some target rows."
    )
    warn_user(f"The {ground.metric} on the target {text}")
    verdict = PerformanceVerdict(False, "unknown", text)
    interval, evidence = (np.nan, np.nan), ground.evidence
    return PerformanceEstimate(value, interval, verdict, evidence, method, ground.metric, level)


def _bootstrap_interval(ground, method, value, level, n_bootstrap, rng):
    """Return limits from rows drawn again in both domains; weights by features stay.

    The limits are of the metric on the target rows at hand, so that what labels these happen to
    have is drawn as well, from the probabilities of their classes.
    """
    if not ground.outputs.n_classes:
        return _loss_interval(ground, method, value, level)
    outputs = ground.outputs
    n_source, n_target = len(outputs.source.true), len(outputs.target.true)
    posterior = ground.target_posterior(method)
    expected = expected_estimate(outputs, ground.metric, posterior)
    values = np.empty(n_bootstrap)
    for i in range(n_bootstrap):
        rows = rng.randint(n_source, size=n_source)
        drawn = outputs.take(rows, rng.randint(n_target, size=n_target))
        labels = (rng.uniform(size=(n_target, 1)) > posterior.cumsum(axis=1)[:, :-1]).sum(axis=1)
        happens = value_of(ground.metric, outputs.target._replace(true=labels), outputs.n_classes)
        values[i] = ground.estimate(method, drawn, rows) + happens - expected
    error = (1 - level) / 2
    low, high = np.nanquantile(values, [error, 1 - error])
    # Few samples may all lie on one side of the value itself.
    low, high = max(0.0, min(low, value)), max(high, value)
    return float(low), float(high if ground.metric == "log_loss" else min(high, 1.0))


def _loss_interval(ground, method, value, level):
    """Return Gaussian limits of a mean loss, from the spread of predicted losses and their errors.

    What predictions are off is uncertain for the source rows that they were learned from, and
    happens once more on the target rows.
    """
    source, target = ground.losses
    weights = np.ones(len(source)) if method == "source" else ground.weights["covariate"]
    weights = weights / weights.sum()
    off = row_losses(ground.metric, ground.outputs.source) - source
    spread = np.sum(weights * off**2) / len(target) + np.sum((weights * off) ** 2)
    half = norm.isf((1 - level) / 2) * np.sqrt(spread + target.var() / len(target))
    mean = value**2 if ground.metric == "rmse" else value
    return from_mean_loss(ground.metric, mean - half, mean + half)


# With labels


def _with_labels(ground, method, weights, level):
    """Return the estimate from labeled target rows, alone or joined with predicted losses."""
    outputs, metric = ground.outputs, ground.metric
    at = outputs.labeled
    rows = outputs.target.take(at)
    text = f"stands on {len(at)} labeled target rows and on no assumption on the shift."
    if method == "labels" and weights is None:
        value = value_of(metric, rows, outputs.n_classes)
        bound = _bound(outputs, metric)
        limits = labeled_interval(metric, rows, outputs.n_classes, confidence=level, bound=bound)
    else:
        value, limits = _mean_with_labels(ground, method, weights, level)
    verdict = PerformanceVerdict(True, "labels", text)
    evidence = ground.evidence
    return PerformanceEstimate(value, limits, verdict, evidence, method, metric, level)


def _bound(outputs, metric):
    if metric not in _MEANS:
        return None
    target = outputs.target
    return largest_loss(metric, target.predicted, target.proba, outputs.source.true)


def _mean_with_labels(ground, method, weights, level):
    """Return value and limits of a mean of losses, by betting on what predictions are off."""
    outputs, metric = ground.outputs, ground.metric
    at = outputs.labeled
    losses = row_losses(metric, outputs.target.take(at))
    predicted, factor = np.zeros(len(outputs.target.true)), 0.0
    if method == "joined":
        predicted, factor = _predicted_target_losses(ground)
    weights = np.ones(len(at)) if weights is None else weights
    bound = max(_bound(outputs, metric), losses.max())
    differences = weights * (losses - factor * predicted[at])
    shift, largest = factor * predicted.mean(), weights.max()
    mean = prediction_powered_mean(
        weights * losses, weights * predicted[at], predicted, factor=factor
    )
    limits = betting_interval(
        differences,
        confidence=level,
        low=-largest * factor * predicted.max(),
        high=largest * bound,
    )
    value = from_mean_loss(metric, mean, mean)[0]
    low, high = (min(max(limit + shift, 0.0), bound) for limit in limits)
    return float(value), tuple(map(float, from_mean_loss(metric, low, high)))


def _predicted_target_losses(ground):
    """Return predicted losses of the target rows, and how much they are worth in the source."""
    outputs, metric = ground.outputs, ground.metric
    losses = row_losses(metric, outputs.source)
    if outputs.n_classes:
        source, target = (
            _expected_losses(metric, rows, posterior)
            for rows, posterior in zip(
                (outputs.source, outputs.target), ground.posteriors, strict=True
            )
        )
    else:
        source, target = ground.losses
    # The slope with the least variance, in the source: chosen with target labels, the limits
    # would not hold.
    spread = source.var()
    slope = np.cov(source, losses, ddof=0)[0, 1] / spread if spread > 0 else 0.0
    return target, float(np.clip(slope, 0.0, 1.0))


def _expected_losses(metric, rows, posterior):
    n, n_classes = posterior.shape
    soft = soft_rows(rows.predicted, rows.proba, posterior)
    return (row_losses(metric, soft) * soft.weights).reshape(n, n_classes).sum(axis=1)


def _draw_weights(queried, metric, data, labeled):
    """Return the weight of each labeled row from the probability with which it was queried."""
    if queried is None:
        return None
    if metric not in _MEANS:
        raise ValueError(
            f"queried needs a metric that is a mean over rows, one of {list(_MEANS)}; got "
            f"{metric!r}."
        )
    probabilities = getattr(queried, "probabilities", None)
    if probabilities is None:
        raise ValueError(
            "queried must be what skda.model_selection.query_rows returned with goal='measure', "
            f"which has probabilities; got {type(queried).__name__} without them."
        )
    known = dict(zip(np.asarray(queried.indices).tolist(), probabilities, strict=True))
    rows = data.target_rows[labeled].tolist()
    if set(rows) != set(known):
        raise ValueError(
            "queried must name the labeled target rows, no more and no fewer; got "
            f"{len(known)} queried and {len(rows)} labeled rows, {len(set(rows) & set(known))} "
            "of them in both. Leave other labels of target rows out of y."
        )
    return np.array([len(rows) / (queried.n_pool * known[row]) for row in rows])
