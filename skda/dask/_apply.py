"""Apply a fitted estimator to a table in blocks, block by block, lazily."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import sklearn
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import check_is_fitted

from .._array._rows import n_rows
from .._core._typing import DaskRows, DomainIds, Estimator, Predictor, Transformer
from ._engine import engine, is_frame, task, whole
from ._sample import block_ids
from ._table import Table, along, as_rows


def transform(
    estimator: Transformer, X: DaskRows, sample_domain: DaskRows | DomainIds | None = None
) -> Any:
    """Map the rows of a dask array or data frame with a fitted transformer, block by block.

    Parameters
    ----------
    estimator : fitted transformer or Pipeline
        Fitted in memory or by :func:`~skda.dask.fit`.
    X : dask array or data frame of shape (n_samples, n_features)
        Rows to map.
    sample_domain : dask array or series, or array-like of int of shape (n_samples,), default=None
        Domain of each row, in blocks as X. None: every row is a target row.

    Returns
    -------
    X_new : dask array or data frame of shape (n_samples, n_features_out)
        What came in comes out: an array in the blocks of X, or a data frame with its index and the
        names of the outputs. Nothing is computed yet.

    Raises
    ------
    ImportError
        If dask is not installed.
    ValueError
        If X is no dask collection or the blocks do not match; when it is computed, what the
        estimator itself raises.

    See Also
    --------
    fit : Fit on such a table.

    Examples
    --------
    >>> import dask.array
    >>> import numpy as np
    >>> import skda.dask
    >>> from skda import DomainScaler
    >>> X = dask.array.from_array(np.array([[0.0], [2.0], [100.0], [300.0]]), chunks=(2, 1))
    >>> sample_domain = np.array([1, 1, -2, -2])
    >>> scaler = skda.dask.fit(DomainScaler(), X, sample_domain=sample_domain)
    >>> skda.dask.transform(scaler, X, sample_domain).compute().ravel()
    array([-1.,  1., -1.,  1.])
    """
    return _apply("transform", estimator, *_checked(X, sample_domain))


def predict(
    estimator: Predictor, X: DaskRows, sample_domain: DaskRows | DomainIds | None = None
) -> Any:
    """Predict for the rows of a dask array or data frame with a fitted model, block by block.

    Parameters
    ----------
    estimator : fitted predictor or Pipeline
        Fitted in memory or by :func:`~skda.dask.fit`.
    X : dask array or data frame of shape (n_samples, n_features)
        Rows to predict for.
    sample_domain : dask array or series, or array-like of int of shape (n_samples,), default=None
        Domain of each row, in blocks as X. None: every row is a target row.

    Returns
    -------
    y_pred : dask array or series of shape (n_samples,)
        Prediction for each row; a series for a data frame. Nothing is computed yet.

    Raises
    ------
    ImportError
        If dask is not installed.
    ValueError
        If X is no dask collection or the blocks do not match; when it is computed, what the
        estimator itself raises.

    See Also
    --------
    predict_proba : Probabilities of the classes.

    Examples
    --------
    >>> import dask.array
    >>> import numpy as np
    >>> import skda.dask
    >>> from skda import LabelShiftClassifier, stack_domains
    >>> Xs, ys = np.array([[0.0], [1.0], [2.0], [3.0]] * 10), np.array([0, 0, 1, 1] * 10)
    >>> X, y, sample_domain = stack_domains(Xs, ys, Xs + 0.1)
    >>> model = LabelShiftClassifier().fit(X, y, sample_domain=sample_domain)
    >>> blocks = dask.array.from_array(np.array([[0.5], [2.5]]), chunks=(1, 1))
    >>> skda.dask.predict(model, blocks).compute()
    array([0, 1])
    """
    return _apply("predict", estimator, *_checked(X, sample_domain))


def predict_proba(
    estimator: Predictor, X: DaskRows, sample_domain: DaskRows | DomainIds | None = None
) -> Any:
    """Return class probabilities for a dask array or data frame, block by block.

    Parameters
    ----------
    estimator : fitted classifier or Pipeline
        Fitted in memory or by :func:`~skda.dask.fit`.
    X : dask array or data frame of shape (n_samples, n_features)
        Rows to predict for.
    sample_domain : dask array or series, or array-like of int of shape (n_samples,), default=None
        Domain of each row, in blocks as X. None: every row is a target row.

    Returns
    -------
    proba : dask array or data frame of shape (n_samples, n_classes)
        Columns in the order of ``classes_``, whose names they are in a data frame. Nothing is
        computed yet.

    Raises
    ------
    ImportError
        If dask is not installed.
    ValueError
        If X is no dask collection or the blocks do not match; when it is computed, what the
        estimator itself raises.

    See Also
    --------
    predict : The most probable classes.

    Examples
    --------
    >>> import dask.array
    >>> import numpy as np
    >>> import skda.dask
    >>> from skda import LabelShiftClassifier, stack_domains
    >>> Xs, ys = np.array([[0.0], [1.0], [2.0], [3.0]] * 10), np.array([0, 0, 1, 1] * 10)
    >>> X, y, sample_domain = stack_domains(Xs, ys, Xs)
    >>> model = LabelShiftClassifier().fit(X, y, sample_domain=sample_domain)
    >>> blocks = dask.array.from_array(np.array([[1.5], [1.5]]), chunks=(1, 1))
    >>> skda.dask.predict_proba(model, blocks).compute().round(1)
    array([[0.5, 0.5],
           [0.5, 0.5]])
    """
    return _apply("predict_proba", estimator, *_checked(X, sample_domain))


def predict_weights(
    weighter: Estimator, X: DaskRows, sample_domain: DaskRows | DomainIds | None = None
) -> Any:
    """Return the weight that each row of a dask array or data frame has as a source row.

    Parameters
    ----------
    weighter : fitted weighter
        One whose weights are a function of the features, such as :class:`~skda.GaussianWeighter`,
        fitted in memory or by :func:`~skda.dask.fit`.
    X : dask array or data frame of shape (n_samples, n_features)
        Rows to weight.
    sample_domain : dask array or series, or array-like of int of shape (n_samples,), default=None
        Domain of each row, in blocks as X. Nothing else depends on it.

    Returns
    -------
    weights : dask array or series of shape (n_samples,)
        Weights of mean 1 over the source rows that were fitted on. Nothing is computed yet.

    Raises
    ------
    ImportError
        If dask is not installed.
    ValueError
        If X is no dask collection or the blocks do not match.

    See Also
    --------
    fit : Fit a weighter on such a table.

    Examples
    --------
    >>> import dask.array
    >>> import numpy as np
    >>> import skda.dask
    >>> from skda import GaussianWeighter
    >>> rows = np.random.default_rng(0).normal(size=(400, 2))
    >>> rows[200:] += 0.5
    >>> X, sample_domain = dask.array.from_array(rows, chunks=(100, 2)), np.repeat([1, -2], 200)
    >>> weighter = skda.dask.fit(GaussianWeighter(), X, sample_domain=sample_domain)
    >>> weights = skda.dask.predict_weights(weighter, X)
    >>> print(f"{weights[:200].mean().compute():.3f}")
    1.000
    """
    return _apply("predict_weights", weighter, *_checked(X, sample_domain))


def _checked(X, sample_domain):
    X = as_rows(X)
    return X, along(X, sample_domain, "sample_domain")


def transformed_rows(estimator, X, sample_domain):
    """Map rows to the container that the transformer returns in memory, as a Pipeline does."""
    return _apply("transform", estimator, X, sample_domain, framed=False)


def _apply(method, estimator, X, sample_domain, *, framed=True):
    check_is_fitted(estimator)
    if not _takes_domain(estimator, method):
        sample_domain = None
    call = partial(_on_rows, sklearn.get_config(), method)
    # Width and type of the output are found by a try, since few estimators state them.
    example = _example(call, estimator, X, named=sample_domain is not None)
    if not is_frame(X):
        return _on_array(call, estimator, X, sample_domain, example)
    blocks = Table(X, None, sample_domain).blocks()
    # A step behind this one must see what it will see in memory, where names may be gone.
    if not framed and not hasattr(example, "columns"):
        return _joined(call, estimator, blocks, example)
    names = _names(estimator, method, example)
    call, estimator = partial(_on_frame, call, names), whole(estimator)
    parts = [task(call, estimator, x, ids) for x, _, ids in blocks]
    meta = _framed(example[:0], names, X._meta.index[:0])
    frames = engine().dataframe
    return frames.from_delayed(parts, meta=meta, divisions=X.divisions, verify_meta=False)


def _joined(call, estimator, blocks, example):
    """Return the outputs for the blocks of a data frame as an array, whose sizes are unknown."""
    arrays, estimator = engine().array, whole(estimator)
    how = {"shape": (np.nan, *example.shape[1:]), "meta": example[:0]}
    parts = [arrays.from_delayed(task(call, estimator, x, ids), **how) for x, _, ids in blocks]
    return arrays.concatenate(parts, allow_unknown_chunksizes=True)


def _on_array(call, estimator, X, sample_domain, example):
    if sample_domain is not None and is_frame(sample_domain):  # a series, cut as X is
        sample_domain = sample_domain.to_dask_array()
    operands = [X, "ij"] + ([] if sample_domain is None else [sample_domain, "i"])
    wide = example.ndim == 2
    return engine().array.blockwise(
        partial(_on_blocks, call),
        "ik" if wide else "i",
        *operands,
        estimator=whole(estimator),
        new_axes={"k": example.shape[1]} if wide else None,
        # The columns of a row are in one block, which comes as a list of one otherwise.
        concatenate=True,
        align_arrays=False,
        meta=example[:0],
        dtype=example.dtype,
    )


def _on_blocks(call, X, sample_domain=None, *, estimator):
    return call(estimator, X, sample_domain)


def _on_frame(call, names, estimator, X, sample_domain):
    return _framed(call(estimator, X, sample_domain), names, X.index)


def _on_rows(config, method, estimator, X, sample_domain):
    """Return what a method of an estimator says of the rows of a block."""
    n = n_rows(X)
    params = {} if sample_domain is None else {"sample_domain": block_ids(sample_domain, n)}
    # Workers are other threads or processes, whose configuration is their own.
    with sklearn.config_context(**config):
        if n:
            return getattr(estimator, method)(X, **params)
        # Estimators refuse tables without rows, which a filter may leave of a block.
        X, params = _one_row(X), {name: [_known_domain(estimator)] for name in params}
        return getattr(estimator, method)(X, **params)[:0]


def _one_row(X):
    """Return a row of ones in the columns of X."""
    ones = np.ones((1, X.shape[1]))
    return type(X)(ones, columns=X.columns) if hasattr(X, "columns") else ones.astype(X.dtype)


def _example(call, estimator, X, *, named):
    """Return the output for one row, which shows the kind and width of all."""
    ids = [_known_domain(estimator)] if named else None
    row = X._meta_nonempty.iloc[:1] if is_frame(X) else np.ones((1, X.shape[1]), X.dtype)
    try:
        found = call(estimator, row, ids)
    except ValueError:  # made-up values may be none that it knows: take a row of the table
        row = X.head(1, npartitions=-1) if is_frame(X) else X[:1].compute()
        found = call(estimator, row, ids)
    return found


def _known_domain(estimator):
    """Return the id of a domain that an estimator, or one inside it, was fitted on."""
    if isinstance(estimator, Pipeline):
        inside = [step for _, step in estimator.steps]
    else:
        inside = [part for part in (getattr(estimator, "estimator_", None),) if part is not None]
    known = getattr(estimator, "_fit_domains", None)
    if known:
        return known[-1]
    return next((found for part in inside if (found := _known_domain(part)) != -1), -1)


def _takes_domain(estimator, method):
    if method == "predict_weights":  # a method of ours, which no router asks about
        return True
    routing = get_routing_for_object(estimator)
    return bool(routing.consumes(method, ["sample_domain"]))


def _names(estimator, method, example):
    """Return the names of the columns of the output, None of a series."""
    if example.ndim == 1:
        return None
    if method == "predict_proba":
        return list(estimator.classes_)
    if hasattr(example, "columns"):
        return list(example.columns)
    return list(estimator.get_feature_names_out())


def _framed(values, names, index):
    """Return the output for the rows of a data frame with their index."""
    import pandas

    if names is None:
        return pandas.Series(values, index=index)
    return pandas.DataFrame(np.asarray(values), columns=names, index=index)
