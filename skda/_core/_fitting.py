"""A fit starts from nothing, and what does not end leaves nothing behind."""

from functools import wraps


def starts_afresh(fit):
    """Decorate ``fit``: forget the former fit first, and this one if it does not end.

    What a former fit learnt under other parameters must not be read as learnt by this one, and an
    estimator whose fit raised or was interrupted (Ctrl-C) is not a fitted one.
    """

    @wraps(fit)
    def fit_from_nothing(self, *args, **kwargs):
        forget(self)
        try:
            return fit(self, *args, **kwargs)
        except BaseException:
            forget(self)
            raise

    return fit_from_nothing


def forget(estimator):
    """Delete what an estimator has learnt: the attributes whose names end in an underscore."""
    for name in [name for name in vars(estimator) if name.endswith("_")]:
        if not name.startswith("_"):
            delattr(estimator, name)
