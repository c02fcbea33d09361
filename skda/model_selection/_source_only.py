"""The model that does not adapt: what is left of a candidate without its adapting parts."""

from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import RobustScaler, StandardScaler

from .._array._warnings import warn_user
from .._core._sample_domain import DomainWarning
from .._core._samplers import has_sampler_step
from ..pipeline import PerDomain, TrainOnSource
from ..pipeline._make_domain_pipeline import asks_for_domain, needs_wrapping

SOURCE_ONLY = "source only"


def with_source_only(candidates, source_only):
    """Return candidates by name, the source-only model first, or None where it is not known.

    It is the candidate of that name, else the model that is given, else what is left of a
    candidate.
    """
    given = {name: hide_target_labels(candidate) for name, candidate in candidates.items()}
    if SOURCE_ONLY in given:
        source_only = given.pop(SOURCE_ONLY)
    if source_only is None:
        plain = (source_only_of(candidate) for candidate in given.values())
        source_only = next((model for model in plain if model is not None), None)
    if source_only is None:
        return None
    return {SOURCE_ONLY: fitted_on_source(source_only), **given}


def hide_target_labels(estimator):
    """Return the estimator with TrainOnSource around whatever would see target labels."""
    # A sampler can only be fitted together with what follows it.
    if isinstance(estimator, Pipeline) and not has_sampler_step(estimator):
        steps = [
            (name, TrainOnSource(step) if needs_wrapping(step) else step)
            for name, step in estimator.steps
        ]
        return clone(estimator).set_params(steps=steps)
    return TrainOnSource(estimator) if needs_wrapping(estimator) else estimator


def fitted_on_source(estimator):
    """Return a source-only model as given, with TrainOnSource around all that knows no domains.

    A plain scaler among its steps would learn from target rows, too.
    """
    if estimator is None or isinstance(estimator, str):
        return estimator
    if isinstance(estimator, Pipeline) and not has_sampler_step(estimator):
        steps = [(name, fitted_on_source(step)) for name, step in estimator.steps]
        return clone(estimator).set_params(steps=steps)
    if asks_for_domain(estimator):
        return hide_target_labels(estimator)
    return TrainOnSource(estimator)


def source_only_of(estimator):
    """Return the estimator fitted on source rows alone, or None where what is left is unknown.

    Each step of a pipeline gives way to its counterpart that knows no domains, fitted on source
    rows; a predictor that wraps another gives way to that one, trained on the source rows.
    """
    if isinstance(estimator, Pipeline) and not has_sampler_step(estimator):
        *first, (name, last) = estimator.steps
        last = source_only_of(last)
        if last is None:
            return None
        # A plain scaler, too, would learn from target rows if it were fitted on all of them.
        plain = [(name, TrainOnSource(step)) for name, step in _without_adaptation_each(first)]
        return clone(estimator).set_params(steps=[*plain, (name, last)])
    if isinstance(estimator, TrainOnSource):
        return TrainOnSource(estimator.estimator)
    if not asks_for_domain(estimator):
        return hide_target_labels(estimator)
    inner = getattr(estimator, "estimator", None)
    return None if inner is None or asks_for_domain(inner) else TrainOnSource(inner)


def without_adaptation(step):
    """Return the counterpart of a transformer that knows no domains, or "passthrough"."""
    if step is None or isinstance(step, str):
        return step
    if isinstance(step, TrainOnSource):
        return step.estimator
    if isinstance(step, PerDomain):
        return step.transformer
    if not asks_for_domain(step):
        return step
    if isinstance(step, Pipeline):
        steps = _without_adaptation_each(step.steps)
        return clone(step).set_params(steps=steps) if steps else "passthrough"
    if isinstance(step, ColumnTransformer):
        parts = [(name, without_adaptation(part), at) for name, part, at in step.transformers]
        return clone(step).set_params(transformers=parts)
    if isinstance(step, FeatureUnion):
        parts = [(name, without_adaptation(part)) for name, part in step.transformer_list]
        return clone(step).set_params(transformer_list=parts)
    return _scaler_like(step) or _identity_like(step)


def _without_adaptation_each(steps):
    plain = [(name, without_adaptation(step)) for name, step in steps]
    return [(name, step) for name, step in plain if step is not None and step != "passthrough"]


def _scaler_like(step):
    """Return the scaler over all rows that a scaler per domain becomes, or None for others.

    Left out, it would leave the features in units that the predictor was not meant for.
    """
    params = step.get_params(deep=False)
    # Known by its parameters: public subpackages do not import each other.
    if not {"with_mean", "with_std", "robust"} <= params.keys():
        return None
    if params["robust"]:
        return RobustScaler(
            with_centering=params["with_mean"],
            with_scaling=params["with_std"],
            unit_variance=True,  # as skda.DomainScaler scales its quartile range
        )
    return StandardScaler(with_mean=params["with_mean"], with_std=params["with_std"])


def _identity_like(step):
    """Return "passthrough", with a warning if the step does more than move rows."""
    if "strength" not in step.get_params(deep=False):  # with one, strength 0 is the identity
        warn_user(
            f"The source-only row leaves out {type(step).__name__}, which makes features of its "
            "own, so that it differs from the candidate in more than adaptation. Pass "
            "source_only= to say which model the candidates should beat.",
            DomainWarning,
        )
    return "passthrough"
