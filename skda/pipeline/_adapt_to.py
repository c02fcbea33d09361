"""Teach a fitted model a new domain: its maps learn it, and the predictor stays as it is."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import check_is_fitted

from .._array._rows import n_rows
from .._core._sample_domain import check_sample_domain, note_domains
from .._core._typing import ArrayLike, DomainIds, Transformer


def adapt_to(model: Transformer, X: ArrayLike, sample_domain: int | DomainIds) -> Any:
    """Let a fitted model learn new domains from their rows, without labels and without a refit.

    Every step that has a map of its own for each target learns that of the new domains, from what
    the steps before it return, by its ``partial_fit``. All else stays as it is, the predictor too;
    so steps must map new rows to where the predictor was fitted: with
    ``direction="to_source"`` or ``"to_common"``, or by the statistics of each domain.

    Parameters
    ----------
    model : fitted Pipeline or transformer
        Changed in place; of a search the ``best_estimator_``. Steps that learn:
        :class:`~skda.CORALTransformer`, :class:`~skda.LinearTransportTransformer`,
        :class:`~skda.QuantileTransportTransformer` and
        :class:`~skda.OptimalTransportTransformer` in the directions named above,
        :class:`~skda.DomainScaler`, :class:`~skda.ComBatTransformer` and
        :class:`~skda.PerDomain`.
    X : array-like of shape (n_samples, n_features)
        Rows of the new domains, or more rows of known ones.
    sample_domain : array-like of int of shape (n_samples,), or int
        Domain of each row; one number for all rows is enough. Use ids that the model has not seen,
        negative ones for new targets.

    Returns
    -------
    model : object
        The model itself.

    Raises
    ------
    ValueError
        If a step depends on the domain and cannot learn a new one, or no step depends on it.
        Whatever fails, the model is then what it was before.

    See Also
    --------
    CORALTransformer : Has ``direction`` and ``partial_fit``.
    make_domain_pipeline : Builds such a model.

    Notes
    -----
    ``predict(X, sample_domain=...)`` with the new ids then uses the new maps. Each map stays a
    function of a single row: ``predict`` never estimates anything. It helps where the new domain
    differs from the old ones as these differ from each other, by what the maps can undo; it
    assumes that labels mean the same there. The cost is that of the maps.

    Examples
    --------
    >>> import numpy as np
    >>> import sklearn
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skda import LinearTransportTransformer, adapt_to, make_domain_pipeline
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=300)
    >>> X = rng.normal(size=(300, 2)) + 3.0 * y[:, None]
    >>> sample_domain = np.repeat([1, -2, -7], 100)
    >>> X[100:200] = X[100:200] * 2.0 + 5.0
    >>> X[200:] = X[200:] * 0.5 - 4.0
    >>> known, new = slice(200), slice(200, 300)
    >>> with sklearn.config_context(enable_metadata_routing=True):
    ...     to_source = LinearTransportTransformer(direction="to_source")
    ...     model = make_domain_pipeline(to_source, LogisticRegression())
    ...     model = model.fit(X[known], y[known], sample_domain=sample_domain[known])
    ...     model = adapt_to(model, X[new], -7)
    ...     correct = model.predict(X[new], sample_domain=sample_domain[new]) == y[new]
    >>> float(correct.mean())
    0.97
    """
    check_is_fitted(model)
    ids = np.asarray(sample_domain)
    # One site at a time is the usual case.
    ids = np.full(n_rows(X), ids) if ids.ndim == 0 else sample_domain
    ids = check_sample_domain(ids, n_rows(X))
    if hasattr(model, "best_estimator_"):
        raise ValueError(
            f"adapt_to needs a model whose predict takes sample_domain, and that of "
            f"{type(model).__name__} does not. Pass its best_estimator_, and predict with that."
        )
    steps = model.steps if isinstance(model, Pipeline) else [("", model)]
    steps = [(name, step) for name, step in steps if step not in (None, "passthrough")]
    _check_steps(model, steps)
    with _unchanged_on_failure([step for _, step in steps]):
        _learn(steps, X, ids)
    return model


def _learn(steps, X, ids):
    for name, step in steps:
        if _learns(step):
            step.partial_fit(X, sample_domain=ids)
        elif getattr(step, "_fit_domains", None) is not None:
            # The predictor works on rows that have been mapped to where it was fitted.
            note_domains(step, ids)
        if name != steps[-1][0]:
            depends = _depends_on_domain(step, "transform")
            X = step.transform(X, sample_domain=ids) if depends else step.transform(X)


@contextmanager
def _unchanged_on_failure(steps):
    """Give all steps back what they knew if one of them fails, for they learn one after another.

    A ``partial_fit`` stores new objects, so that it is enough to keep the old ones.
    """
    before = [dict(vars(step)) for step in steps]
    try:
        yield
    except BaseException:  # KeyboardInterrupt is none of Exception
        for step, state in zip(steps, before, strict=True):
            vars(step).clear()
            vars(step).update(state)
        raise


def _learns(step):
    """Whether a step has a map for each target, which partial_fit can add to."""
    per_target = getattr(step, "_per_target", False)
    return per_target and hasattr(step, "partial_fit")


def _depends_on_domain(step, method):
    return get_routing_for_object(step).consumes(method, ["sample_domain"]) == {"sample_domain"}


def _check_steps(model, steps):
    """Raise unless each step that depends on the domain can learn a new one, and one does."""
    owner = type(model).__name__
    for _, step in steps:
        # What does not ask for the domain, or was fitted on source rows alone, maps all alike.
        asks = hasattr(step, "transform") and _depends_on_domain(step, "transform")
        if not asks or getattr(step, "_source_only", False) or _learns(step):
            continue
        raise ValueError(
            f"adapt_to needs steps that learn a new domain by partial_fit; {_described(step)} of "
            f"{owner} has no map of its own for each target. {_hint(step)}"
        )
    if not any(_learns(step) for _, step in steps):
        raise ValueError(
            f"adapt_to needs a step that has a map for each target, and {owner} has none. Add one "
            "that does, for example skda.CORALTransformer(direction='to_source'), in front of the "
            "predictor, and fit it once."
        )


def _described(step):
    direction = getattr(step, "direction", None)
    name = type(step).__name__
    return name if direction is None else f"{name}(direction={direction!r})"


def _hint(step):
    if hasattr(step, "direction"):
        return "Fit it with direction='to_source', which leaves source rows as they are."
    return (
        "Fit the model again with rows of the new domain, or take a map such as "
        "skda.CORALTransformer(direction='to_source') in its place."
    )
