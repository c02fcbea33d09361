"""Samplers, which add and drop rows: none may come between ``sample_domain`` and its rows.

They are those of imbalanced-learn, or whatever has its method ``fit_resample``. Nothing in
scikit-learn changes the number of rows, and metadata does not follow them there.
"""

from sklearn.pipeline import Pipeline


def is_sampler(step):
    """Return whether a step of a pipeline adds or drops rows."""
    return hasattr(step, "fit_resample")


def has_sampler_step(pipeline):
    """Return whether a step of a pipeline is a sampler, so that its steps belong together."""
    return any(is_sampler(step) for _, step in pipeline.steps)


def sampler_in(estimator):
    """Return the name of the first sampler that an estimator is, or has inside; None without one.

    Looks into pipelines, and into what searches and wrappers hold.
    """
    if isinstance(estimator, Pipeline):
        names = (sampler_in(step) for _, step in estimator.steps)
        return next((name for name in names if name is not None), None)
    # Their pipeline has the method, too, if its last step is a sampler.
    if is_sampler(estimator):
        return type(estimator).__name__
    inner = getattr(estimator, "estimator", None)
    return None if inner is None else sampler_in(inner)


def check_keeps_rows(estimator, *, owner, hint):
    """Raise if weights of rows would have to pass a sampler, which makes other rows of them."""
    name = sampler_in(estimator)
    if name is not None:
        raise ValueError(
            f"estimator must keep the rows that {owner} weights; got {name} inside, a sampler "
            f"that adds or drops rows, and weights do not follow them. {hint}"
        )
