"""The menu: which methods suit the rows that are there, each around one plain estimator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import sklearn
from scipy import sparse
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from .._array._backend import is_foreign_array, to_numpy
from .._array._rows import n_rows, take_rows
from .._core._labels import take_labels
from .._core._param_checks import check_bool
from .._core._sample_domain import check_both_sides, check_sample_domain
from .._core._samplers import is_sampler
from .._core._typing import ArrayLike, DomainIds, Estimator
from ..feature_based import (
    CORALTransformer,
    DIPLSRegressor,
    DomainScaler,
    EasyTLClassifier,
    GFKTransformer,
    JDATransformer,
    JDOTClassifier,
    JDOTRegressor,
    LinearTransportTransformer,
    MEDAClassifier,
    MIDATransformer,
    OptimalTransportTransformer,
    OTLabelPropagationClassifier,
    QuantileTransportTransformer,
    SubspaceAlignmentTransformer,
    TCATransformer,
    TJMTransformer,
)
from ..instance_based import (
    DomainClassifierWeighter,
    ImportanceWeightedEstimator,
    KMMWeighter,
    LabelShiftClassifier,
)
from ..model_selection._source_only import SOURCE_ONLY
from ..pipeline import TrainOnSource, make_domain_pipeline

# Rows of both domains up to which a method whose time is cubic in them takes seconds.
_CUBIC_ROWS = 4_000
# The same for those that do it round by round.
_REPEATED_ROWS = 3_000
# The same for one that solves a transport problem, and fits the estimator, many times.
_ITERATED_ROWS = 1_000
# Rows of both domains up to which the plans and kernels between them take a few hundred MB.
_SQUARE_ROWS = 8_000
# Features up to which factors of their covariance take seconds.
_COVARIANCE_FEATURES = 1_500
# Rows that are looked at to see what arrives in front of the predictor.
_SAMPLE_ROWS = 2_000
# Values of a sparse matrix up to which it is made dense for methods that take no sparse rows.
_DENSE_VALUES = 20_000_000
# Standard deviations of the features that differ by more than this are unlike scales.
_UNLIKE_SCALES = 10.0


class Entry(NamedTuple):
    """A line of the menu."""

    name: str
    role: str
    """"map" in front of the predictor, "weights" of its rows, "around" it, or "instead" of it."""
    make: Callable
    """Returns the method, or the method around the estimator that it is given."""
    max_rows: float = np.inf
    max_features: float = np.inf
    reason: str = ""
    """What it is there for."""


_MAPS = (
    Entry("domain scaler", "map", DomainScaler, reason="means and scales of single features"),
    Entry(
        "CORAL",
        "map",
        CORALTransformer,
        max_features=_COVARIANCE_FEATURES,
        reason="correlations of the features",
    ),
    Entry(
        "linear transport",
        "map",
        LinearTransportTransformer,
        max_features=_COVARIANCE_FEATURES,
        reason="means and covariances, with the smallest move",
    ),
    Entry(
        "quantile transport",
        "map",
        QuantileTransportTransformer,
        reason="the shape of single features",
    ),
    Entry(
        "subspace alignment",
        "map",
        SubspaceAlignmentTransformer,
        max_features=_COVARIANCE_FEATURES,
        reason="rotated principal directions",
    ),
    Entry(
        "GFK",
        "map",
        GFKTransformer,
        max_features=_COVARIANCE_FEATURES,
        reason="directions between both subspaces",
    ),
    Entry(
        "TCA",
        "map",
        TCATransformer,
        max_features=_COVARIANCE_FEATURES,
        reason="components that hide the domain",
    ),
    Entry(
        "MIDA",
        "map",
        MIDATransformer,
        max_rows=_CUBIC_ROWS,
        reason="components independent of the domain",
    ),
    Entry(
        "optimal transport",
        "map",
        OptimalTransportTransformer,
        max_rows=_SQUARE_ROWS,
        reason="any deformation, row by row",
    ),
)
_CLASS_MAPS = (
    Entry(
        "JDA",
        "map",
        JDATransformer,
        max_rows=_REPEATED_ROWS,
        reason="components that hide the domain within each class",
    ),
    Entry(
        "TJM",
        "map",
        TJMTransformer,
        max_rows=_CUBIC_ROWS,
        reason="the same, with source rows unlike the target left out",
    ),
)


def _weighted(weighter):
    return lambda estimator: ImportanceWeightedEstimator(estimator, weighter())


_WEIGHTS = (
    Entry(
        "weights, domain classifier",
        "weights",
        _weighted(DomainClassifierWeighter),
        reason="where the target's rows lie",
    ),
    Entry(
        "weights, KMM",
        "weights",
        _weighted(KMMWeighter),
        max_rows=_SQUARE_ROWS,
        reason="the same by kernel means",
    ),
)
_CLASSIFIERS = (
    Entry("label shift", "around", LabelShiftClassifier, reason="proportions of the classes"),
    Entry(
        "OT label propagation",
        "instead",
        OTLabelPropagationClassifier,
        max_rows=_SQUARE_ROWS,
        reason="labels carried along a transport plan",
    ),
    Entry(
        "JDOT",
        "around",
        JDOTClassifier,
        max_rows=_ITERATED_ROWS,
        reason="features and predictions transported together",
    ),
    Entry("EasyTL", "instead", EasyTLClassifier, reason="class centers in the target"),
    Entry(
        "MEDA",
        "instead",
        MEDAClassifier,
        max_rows=_REPEATED_ROWS,
        reason="a classifier that is smooth over both domains",
    ),
)
_REGRESSORS = (
    Entry(
        "JDOT",
        "instead",
        JDOTRegressor,
        max_rows=_SQUARE_ROWS,
        reason="features and predictions transported together",
    ),
    Entry("DIPLS", "instead", DIPLSRegressor, reason="latent variables that hide the domain"),
)


class Facts(NamedTuple):
    """What the menu depends on."""

    n_rows: int
    n_features: int
    task: str
    numeric: bool
    """Whether all columns in front of the predictor hold numbers."""
    columns: list | None
    """Names of the columns of numbers, of a data frame that has others beside them."""
    others: list | None
    """Names of those others."""
    missing: bool
    sparse: bool
    """Too large a sparse matrix to be made dense."""
    densify: bool
    """A sparse matrix that is small enough."""
    unlike_scales: bool


def default_candidates(
    estimator: Estimator | None,
    X: ArrayLike,
    y: ArrayLike,
    sample_domain: DomainIds,
    *,
    return_reasons: bool = False,
) -> Any:
    """Return the methods that suit the data, each as it comes, around one plain estimator.

    The source-only model is the first. Methods are left out that take too long on so many rows or
    features, that cannot take such rows (text, missing or sparse ones), or that are not made for
    the task.

    Parameters
    ----------
    estimator : estimator or None
        Any classifier or regressor of scikit-learn, also at the end of a Pipeline, whose steps then
        stand in front of each method. None is a LogisticRegression, or for numbers with decimals
        a Ridge, after a StandardScaler.
    X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
        Rows of all domains.
    y : array-like of shape (n_samples,)
        Labels; only those of source rows are looked at.
    sample_domain : array-like of int of shape (n_samples,)
        Domain of each row: >= 0 a source, < 0 a target.
    return_reasons : bool, default=False
        Whether to return also why each method is in or left out.

    Returns
    -------
    candidates : dict of str to estimator
        Unfitted estimators by name, "source only" first.
    reasons : dict of str to str
        A line for each method of the menu, which begins with "in: " or "out: ". Only with
        `return_reasons`.

    Raises
    ------
    ValueError
        If `sample_domain` does not name rows of both sides, or `estimator` is no classifier or
        regressor.

    See Also
    --------
    ConsensusClassifier : Combines them.
    AutoAdaptClassifier : Also decides whether to adapt at all.
    skda.model_selection.compare : Shows them side by side.

    Notes
    -----
    Methods that compare all rows with all others are left out above some thousand rows, those that
    factor the covariance above 1,500 features. Sparse rows of up to twenty million values are made
    dense for the methods that need it. In front of the maps stands a StandardScaler where
    the scales of the features differ by more than a factor of ten, and a SimpleImputer where
    values are missing. Of data frames that hold text or categories beside numbers, the maps take
    the numbers and leave the other columns as they are, for estimators that can take them.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skda.datasets import make_subspace_shift
    >>> from skda.ensemble import default_candidates
    >>> X, y, sample_domain = make_subspace_shift(60, random_state=0)
    >>> candidates = default_candidates(LogisticRegression(), X, y, sample_domain)
    >>> list(candidates)[:3]
    ['source only', 'domain scaler', 'CORAL']
    """
    check_bool("return_reasons", return_reasons)
    ids = check_sample_domain(sample_domain, n_rows(X))
    check_both_sides(ids)
    source = np.flatnonzero(ids >= 0)
    estimator = plain_estimator(estimator, take_labels(y, source))
    before, last = _split(estimator)
    facts = _facts(before, last, X, y, source)
    candidates = {SOURCE_ONLY: TrainOnSource(estimator)}
    reasons = {SOURCE_ONLY: "in: the reference"}
    # Without routing a pipeline would warn that it cannot pass sample_domain on.
    with sklearn.config_context(enable_metadata_routing=True):
        for entry in _menu(facts.task):
            obstacle = _obstacle(entry, last, facts)
            if obstacle is None:
                candidates[entry.name] = _built(entry, before, last, facts)
            reasons[entry.name] = f"out: {obstacle}" if obstacle else f"in: {entry.reason}"
    return (candidates, reasons) if return_reasons else candidates


def plain_estimator(estimator, y_source, *, task=None):
    """Return the estimator, or the default one for the labels of the source rows."""
    if estimator is not None:
        if isinstance(estimator, type) or not (is_classifier(estimator) or is_regressor(estimator)):
            raise ValueError(
                "estimator must be a classifier or regressor of scikit-learn, or None; got "
                f"{estimator!r}. Pass an object, for example LogisticRegression()."
            )
        return estimator
    kind = np.asarray(y_source).dtype.kind
    whole = kind != "f" or (np.asarray(y_source) == np.rint(y_source)).all()
    if task == "classifier" or (task is None and whole):
        return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return make_pipeline(StandardScaler(), Ridge())


def _split(estimator):
    """Return the steps in front of a predictor, and the predictor."""
    if not isinstance(estimator, Pipeline):
        return [], estimator
    steps = [step for _, step in estimator.steps]
    # A sampler is fitted together with all that follows it, which is one predictor here.
    first = next((i for i, step in enumerate(steps) if is_sampler(step)), len(steps) - 1)
    last = steps[-1] if first == len(steps) - 1 else estimator[first:]
    return [s for s in steps[:first] if s not in (None, "passthrough")], last


def _facts(before, last, X, y, source):
    """Look at the rows as they arrive in front of the predictor."""
    rows = source[:: max(1, len(source) // _SAMPLE_ROWS)]
    seen = take_rows(X, rows)
    if before:
        seen = make_pipeline(*(clone(step) for step in before)).fit_transform(
            seen, take_labels(y, rows)
        )
    columns = others = None
    if hasattr(seen, "select_dtypes"):  # a pandas frame
        numbers = seen.select_dtypes("number")
        if numbers.shape[1] < seen.shape[1]:
            columns = list(numbers.columns)
            others = [name for name in seen.columns if name not in numbers.columns]
        values = numbers.to_numpy(dtype=float)
    else:
        values = _as_floats(seen)
    is_sparse = sparse.issparse(values)
    densify = is_sparse and n_rows(X) * values.shape[1] <= _DENSE_VALUES
    if densify:
        values = values.toarray()
    dense = values is not None and not sparse.issparse(values)
    return Facts(
        n_rows=n_rows(X),
        n_features=0 if values is None else values.shape[1],
        task="classifier" if is_classifier(last) else "regressor",
        numeric=values is not None and columns is None,
        columns=columns,
        others=others,
        missing=dense and bool(np.isnan(values).any()),
        sparse=is_sparse and not densify,
        densify=densify,
        unlike_scales=dense and _unlike_scales(values),
    )


def _as_floats(rows):
    """Return rows as floats or a sparse matrix, or None if they hold text."""
    if is_foreign_array(rows):
        rows = to_numpy(rows)
    if sparse.issparse(rows):
        return rows
    try:
        return np.asarray(rows, dtype=float)
    except (TypeError, ValueError):
        return None


def _unlike_scales(values):
    scales = np.nanstd(values, axis=0) if len(values) else np.zeros(0)
    scales = scales[scales > 0]
    return bool(len(scales) and scales.max() > _UNLIKE_SCALES * scales.min())


def _menu(task):
    if task == "classifier":
        return (*_MAPS, *_CLASS_MAPS, *_WEIGHTS, *_CLASSIFIERS)
    return (*_MAPS, *_WEIGHTS, *_REGRESSORS)


def _obstacle(entry, last, facts):
    """Return why a method cannot be used here, or None."""
    if entry.name == "label shift":  # sees predictions only
        return None if hasattr(last, "predict_proba") else "the estimator has no predict_proba"
    if entry.name == "JDOT" and facts.task == "classifier" and not _takes_weights(last):
        return "the estimator's fit takes no sample_weight"
    if entry.role == "weights" and not _takes_weights(last):
        return "the estimator's fit takes no sample_weight"
    if facts.columns is not None:
        if entry.role != "map":
            return "needs columns of numbers only"
        if not facts.columns:
            return "there is no column of numbers"
    elif not facts.numeric:
        return "needs columns of numbers only"
    if facts.sparse and not get_tags(_method(entry, last)).input_tags.sparse:
        return "takes no sparse rows"
    if facts.n_rows > entry.max_rows:
        return f"compares all rows with all others, and there are {facts.n_rows}"
    if facts.n_features > entry.max_features:
        return f"factors a covariance, and there are {facts.n_features} features"
    return None


def _takes_weights(last):
    return has_fit_parameter(last, "sample_weight")


def _method(entry, last):
    return entry.make(clone(last)) if entry.role in ("weights", "around") else entry.make()


def _built(entry, before, last, facts):
    """Return the pipeline of a candidate."""
    method = _method(entry, last)
    # Predictions alone are corrected: what the estimator sees stays as the user made it.
    prepare = [] if entry.name == "label shift" else _preparation(facts)
    if entry.role == "map":
        if facts.columns is not None:
            method = _on_columns([*prepare, method], facts.columns, facts.others)
            return make_domain_pipeline(*_cloned(before), method, clone(last))
        return make_domain_pipeline(*_cloned(before), *prepare, method, clone(last))
    return make_domain_pipeline(*_cloned(before), *prepare, method)


def _preparation(facts):
    steps = [FunctionTransformer(to_dense, accept_sparse=True)] if facts.densify else []
    if facts.missing:
        steps.append(SimpleImputer(strategy="median"))
    if facts.unlike_scales:
        steps.append(StandardScaler(with_mean=not facts.sparse))
    return steps


def to_dense(X):
    """Return the rows of a sparse matrix as an array."""
    return X.toarray() if sparse.issparse(X) else X


def _on_columns(steps, columns, others):
    """Return a transformer that maps the columns of numbers and leaves the others."""
    # Named, since scikit-learn 1.8 cannot route metadata beside a remainder.
    parts = [
        ("numbers", make_domain_pipeline(*steps), columns),
        ("others", "passthrough", others),
    ]
    return ColumnTransformer(parts, verbose_feature_names_out=False).set_output(transform="pandas")


def _cloned(steps):
    return [clone(step) for step in steps]
