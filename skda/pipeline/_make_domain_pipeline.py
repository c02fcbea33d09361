"""Build a pipeline in which every step that learns from labels is fitted on source rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn.feature_selection import SelectorMixin, VarianceThreshold
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import (
    get_routing_for_object,
)

from .._array._warnings import warn_user
from .._core._meta_estimator import routing_enabled
from .._core._sample_domain import DomainWarning
from .._core._samplers import is_sampler
from ._train_on_source import TrainOnSource

# A plain Pipeline is scikit-learn's own, so its error cannot name the hint: warn beforehand.
_ROUTING_IS_OFF = (
    "Metadata routing is off, so that scikit-learn will refuse pipeline.fit(X, y, "
    "sample_domain=...). Call sklearn.set_config(enable_metadata_routing=True) once, before the "
    "pipeline is built; or fit with <step>__sample_domain=... for each step that takes it and "
    "ignore this warning."
)


def make_domain_pipeline(
    *steps: Any,
    memory: Any = None,
    transform_input: Sequence[str] | None = None,
    verbose: bool = False,
) -> Pipeline:
    """Build a plain scikit-learn Pipeline in which no step sees a target label.

    Parameters
    ----------
    *steps : estimators
        Transformers and, last, a predictor. A step that learns from labels and does not ask for
        ``sample_domain`` itself is wrapped in :class:`TrainOnSource`: every classifier and
        regressor, every estimator whose tags require ``y``, feature selectors (except
        ``VarianceThreshold``), partial least squares and its kin, and a ColumnTransformer,
        FeatureUnion, Pipeline, search or other transformer that holds one. Samplers of
        imbalanced-learn go into a pipeline of that package with the model, as one step.
    memory : str or joblib.Memory, default=None
        As in :class:`sklearn.pipeline.Pipeline`.
    transform_input : list of str, default=None
        As in :class:`sklearn.pipeline.Pipeline`.
    verbose : bool, default=False
        As in :class:`sklearn.pipeline.Pipeline`.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline
        Steps are named after the estimators given, wrapped or not, so that the parameter ``C`` of
        a wrapped ``LogisticRegression`` is ``logisticregression__estimator__C``.

    Raises
    ------
    ValueError
        If one step holds both a part that asks for ``sample_domain`` and an unwrapped part that
        learns from labels; if a step is a sampler, which adds or drops rows.

    Warns
    -----
    DomainWarning
        If metadata routing is off: scikit-learn would refuse ``fit(..., sample_domain=...)``.

    See Also
    --------
    TrainOnSource : The wrapper.

    Examples
    --------
    >>> import sklearn
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skda import make_domain_pipeline
    >>> sklearn.set_config(enable_metadata_routing=True)
    >>> pipe = make_domain_pipeline(StandardScaler(), LogisticRegression())
    >>> [(name, type(step).__name__) for name, step in pipe.steps]
    [('standardscaler', 'StandardScaler'), ('logisticregression', 'TrainOnSource')]
    """
    if not routing_enabled():
        warn_user(_ROUTING_IS_OFF, DomainWarning)
    for step in steps:
        _check_no_sampler(step)
    wrapped = [TrainOnSource(step) if needs_wrapping(step) else step for step in steps]
    names = [step if isinstance(step, str) else type(step).__name__.lower() for step in steps]
    names = [
        f"{name}-{names[: i + 1].count(name)}" if names.count(name) > 1 else name
        for i, name in enumerate(names)
    ]
    return Pipeline(
        list(zip(names, wrapped, strict=True)),
        memory=memory,
        transform_input=transform_input,
        verbose=verbose,
    )


def _check_no_sampler(step):
    """Raise if a step adds or drops rows, so that sample_domain would not fit the next one."""
    if is_sampler(step):
        name = type(step).__name__
        raise ValueError(
            f"steps must keep the rows, one for each entry of sample_domain; got {name}, a sampler "
            "that adds or drops some. Put it with the model in a pipeline of its own, which is "
            f"then fitted on the source rows: imblearn.pipeline.make_pipeline({name}(...), model)."
        )


def needs_wrapping(estimator):
    """Return whether a pipeline step would see target labels if it were left as it is."""
    if not learns_from_labels(estimator):
        return False
    if not asks_for_domain(estimator):
        return True
    exposed = [part for part in _parts(estimator) or [] if needs_wrapping(part)]
    if exposed:
        raise ValueError(
            f"{type(estimator).__name__} holds estimators that ask for sample_domain and also "
            f"{exposed}, which would learn from target labels. Wrap the latter in "
            "skda.TrainOnSource."
        )
    return False


def learns_from_labels(estimator):
    """Return whether an estimator's ``fit`` uses ``y``."""
    if estimator is None or isinstance(estimator, str):
        return False
    parts = _parts(estimator)
    if parts is not None:
        return any(learns_from_labels(part) for part in parts)
    if any(learns_from_labels(part) for part in _inner_transformers(estimator)):
        return True
    tags = get_tags(estimator)
    if tags.estimator_type in ("classifier", "regressor") or tags.target_tags.required:
        return True
    if isinstance(estimator, SelectorMixin):  # their tags do not show it
        return not isinstance(estimator, VarianceThreshold)
    return type(estimator).__module__.startswith("sklearn.cross_decomposition")


def asks_for_domain(estimator):
    """Return whether an estimator, or a part of it, asks for ``sample_domain`` in ``fit``."""
    if estimator is None or isinstance(estimator, str):
        return False
    return bool(get_routing_for_object(estimator).consumes("fit", ["sample_domain"]))


def _parts(estimator):
    """Return the estimators inside a composite, or None for any other estimator."""
    from sklearn.compose import ColumnTransformer
    from sklearn.model_selection._search import BaseSearchCV
    from sklearn.pipeline import FeatureUnion

    if isinstance(estimator, Pipeline):
        return [step for _, step in estimator.steps]
    if isinstance(estimator, ColumnTransformer):
        return [part for _, part, _ in estimator.transformers]
    if isinstance(estimator, FeatureUnion):
        return [part for _, part in estimator.transformer_list]
    if isinstance(estimator, BaseSearchCV):
        return [estimator.estimator]
    return None


def _inner_transformers(estimator):
    """Return the transformers among the parameters of one, as TableVectorizer of skrub has them."""
    if not hasattr(estimator, "transform") or not hasattr(estimator, "get_params"):
        return []
    values = []
    for value in estimator.get_params(deep=False).values():
        # Lists of (transformer, columns), too.
        pairs = value if isinstance(value, list | tuple) else [(value,)]
        values += [pair[0] for pair in pairs if isinstance(pair, tuple) and pair]
    # Predictors inside, as that of IterativeImputer, are not fitted on y.
    return [v for v in values if hasattr(v, "transform") and not isinstance(v, type)]
