"""Models, and the labeled rows that each of them has not seen."""

import warnings
from typing import Any, NamedTuple

import numpy as np
import sklearn
from sklearn.base import clone
from sklearn.model_selection import check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from .._array._rows import take_rows
from .._core._labels import spread_labels, take_labels
from .._core._param_checks import check_integer
from .._core._sample_domain import DomainWarning
from .._core._validation import one_class_explained
from .._numerics._folds import dealt_folds
from ..metrics._base_scorer import call_with_domains
from ..pipeline import TrainOnSource
from ..pipeline._make_domain_pipeline import needs_wrapping


class HeldOut(NamedTuple):
    """Fitted models and the rows that are held out of each."""

    estimator: Any
    """The model that predicts: the only one, or one of all rows."""
    models: list
    """One model per fold."""
    rows: np.ndarray
    """Labeled rows that were held out, as indices of all rows."""
    folds: np.ndarray
    """Which model has not seen each of them."""


def fit_held_out(owner, data, codes):
    """Fit the models that ``owner.cv`` asks for.

    Parameters
    ----------
    owner : estimator
        Has ``estimator``, ``cv``, ``calibration_size`` and ``random_state``.
    data : DomainData
        Rows of all domains; those of which a label may be used are ``data.labeled``.
    codes : ndarray of int of shape (n_samples,)
        Class of each labeled row, by which rows are dealt out; equal for all in a regression.
    """
    if isinstance(owner.cv, str):
        check_is_fitted(owner.estimator)
        rows = np.flatnonzero(data.labeled)
        return HeldOut(owner.estimator, [owner.estimator], rows, np.zeros(len(rows), dtype=int))
    folds = _folds(owner, data, codes)
    held_out = folds >= 0
    numbers = np.unique(folds[held_out])
    model = owner._model()
    models = [_fit_without(owner, model, data, folds == number) for number in numbers]
    # One model predicts as well, if that is what it does; several serve for their folds only.
    if len(models) == 1 and model is owner.estimator:
        final = models[0]
    else:
        unseen = held_out if len(models) == 1 else np.zeros_like(held_out)
        final = _fit_without(owner, owner.estimator, data, unseen)
    return HeldOut(
        final, models, np.flatnonzero(held_out), np.searchsorted(numbers, folds[held_out])
    )


def _folds(owner, data, codes):
    """Return the fold out of which each row is held, -1 for those that are always fitted on."""
    folds = np.full(len(data.ids), -1)
    labeled = np.flatnonzero(data.labeled)
    strata = 2 * codes[labeled] + (data.ids[labeled] < 0)
    rng = check_random_state(owner.random_state)
    if owner.cv is None:
        folds[labeled] = np.where(_drawn(strata, owner.calibration_size, rng), 0, -1)
        # The model would have to be told which target labels it may learn; none is simplest.
        folds[data.labeled & (data.ids < 0)] = 0
    elif isinstance(owner.cv, int | np.integer):
        folds[labeled] = dealt_folds(strata, rng, owner.cv)
    else:
        splits = check_cv(owner.cv).split(take_rows(data.X, labeled), take_labels(data.y, labeled))
        for number, (_, test) in enumerate(splits):
            folds[labeled[test]] = number
    if not (folds >= 0).any() or not ((folds != folds.max()) & (data.ids >= 0)).any():
        raise ValueError(
            f"{type(owner).__name__} needs labeled rows to fit on and others to calibrate with; "
            f"got {len(labeled)} labeled sample{'' if len(labeled) == 1 else 's'} (n_samples = "
            f"{len(data.ids)}). Pass more, or cv='prefit' with a fitted estimator."
        )
    return folds


def _drawn(strata, size, rng):
    """Return a random choice of this part of the rows, the same part of each stratum."""
    order = rng.permutation(len(strata))
    order = order[np.argsort(strata[order], kind="stable")]
    # Every (1 / size)-th row in the order of the strata.
    steps = np.floor(np.arange(len(strata) + 1) * size + 0.5)
    drawn = np.empty(len(strata), dtype=bool)
    drawn[order] = np.diff(steps) > 0
    return drawn


def _fit_without(owner, model, data, held_out):
    """Return a clone fitted on all rows but held-out source rows, without the label of any of them.

    Target rows stay, as unlabeled ones.
    """
    kept = ~held_out | (data.ids < 0)
    rows = np.flatnonzero(kept)
    shown = data.labeled & ~held_out
    y = labels_shown(data, shown)
    domains = owner._fit_domains is not None
    params = {"sample_domain": data.ids[rows]} if domains else {}
    with one_class_explained(owner, take_labels(data.y, shown)):
        return fit_quietly(as_domain_model(model), take_rows(data.X, rows), y[rows], params)


def labels_shown(data, shown):
    """Return labels of these rows, and missing ones elsewhere."""
    known = take_labels(data.y, shown)
    return known if shown.all() else spread_labels(known, shown, len(data.ids))


def as_domain_model(estimator):
    """Return the estimator, wrapped if it would see labels of target rows."""
    return TrainOnSource(estimator) if needs_wrapping(estimator) else estimator


def fit_quietly(estimator, X, y, params):
    """Return a fitted clone; of a fit without domains the meta-estimator has warned already."""
    # A pipeline refuses metadata while routing is switched off.
    with sklearn.config_context(enable_metadata_routing=True), warnings.catch_warnings():
        if not params:
            warnings.simplefilter("ignore", DomainWarning)
        return clone(estimator).fit(X, y, **params)


def call_model(model, method, X, ids):
    """Call a method of a fitted model, with the domains of the rows where it asks for them."""
    with sklearn.config_context(enable_metadata_routing=True):
        return call_with_domains(model, method, X, ids)


def call_as_target(model, method, X, ids):
    """Call a method on source rows so that the outputs compare with those of target rows.

    Maps send each row by its own domain's map to where domains compare. A predictor that corrects
    target rows only, for their class priors, must take all rows for target rows.
    """
    last = model.steps[-1][1] if isinstance(model, Pipeline) else model
    if not getattr(last, "_corrects_target_rows", False):
        return call_model(model, method, X, ids)
    if last is not model and len(model.steps) > 1:
        X = call_model(model[:-1], "transform", X, ids)
    return call_model(last, method, X, None)


def check_cv_param(cv, estimator):
    """Raise unless `cv` is None, a number of folds, "prefit" or something that splits."""
    if isinstance(cv, str):
        if cv != "prefit":
            raise ValueError(
                "cv must be None, a number of folds, a splitter, an iterable of splits or "
                f"'prefit'; got {cv!r}."
            )
        return
    if cv is None or hasattr(cv, "split") or (np.iterable(cv) and not isinstance(cv, bool)):
        return
    check_integer("cv", cv, low=2, none=True, hint="None holds out a part of the rows once.")
