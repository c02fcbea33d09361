"""Fit an estimator on a table in blocks: from sums over all rows, or on a sample of them."""

from __future__ import annotations

from typing import Any

from sklearn.base import clone, is_regressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.metadata_routing import get_routing_for_object

from .._array._warnings import warn_user
from .._core._base_transformer import BaseDomainTransformer
from .._core._param_checks import check_integer
from .._core._sample_domain import DomainWarning
from .._core._typing import ArrayLike, DaskRows, DomainIds, Estimator, RandomState
from .._core._validation import unfitted_on_failure
from ..instance_based import LabelShiftClassifier
from ._apply import transformed_rows
from ._label_shift import fit_label_shift
from ._report import FitReport
from ._standard_scaler import fit_standard_scaler
from ._table import Passes, Table

# Rows that most methods which cannot be fitted from sums still fit in seconds to minutes.
_SAMPLE_SIZE = 100_000


def fit(
    estimator: Estimator,
    X: DaskRows,
    y: DaskRows | ArrayLike | None = None,
    sample_domain: DaskRows | DomainIds | None = None,
    *,
    sample_size: int | None = None,
    random_state: RandomState = None,
) -> Any:
    """Fit an estimator on a dask array or data frame, whose blocks stay where they are.

    Methods that learn from means, covariances and counts get them from all rows: every block is
    summed up where it is, and the sums are merged in a tree. All others are fitted in memory on a
    sample of the rows, stratified by domain and by class.

    Parameters
    ----------
    estimator : estimator or Pipeline
        Unfitted; it is cloned. The steps of a Pipeline are fitted in turn, each on what those
        before it return.
    X : dask array or data frame of shape (n_samples, n_features)
        Rows of all domains.
    y : dask array or series, or array-like of shape (n_samples,), default=None
        Labels, where the estimator learns from them.
    sample_domain : dask array or series, or array-like of int of shape (n_samples,), default=None
        Domain of each row: >= 0 a source, < 0 a target. Dask collections must be cut into blocks
        as X is. Values in memory need blocks of known sizes.
    sample_size : int, default=None
        Number of rows of the sample. None: 100,000, with a :class:`~skda.DomainWarning` where
        fewer rows than there are were used; a number is taken without a warning.
    random_state : int, RandomState instance or None, default=None
        Seeds the sample.

    Returns
    -------
    fitted : estimator or Pipeline
        The class that came in, fitted: it transforms and predicts rows in memory and can be
        pickled. Its attribute ``dask_report_`` is the :class:`~skda.dask.FitReport`, and that of a
        Pipeline a dict of them by the name of the step.

    Raises
    ------
    ImportError
        If dask is not installed.
    ValueError
        If X is no dask collection, or the blocks of `y` or `sample_domain` do not match.

    Warns
    -----
    DomainWarning
        If an estimator was fitted on a sample, unless `sample_size` was given.

    See Also
    --------
    transform : Map the rows of such a table.
    predict : Predict for them.

    Notes
    -----
    From sums over all rows: CORAL, DomainScaler, LinearTransport, ComBat, SubspaceAlignment, GFK,
    TCA and MIDA with a linear kernel or with ``solver="nystroem"`` or ``"fourier"`` (the basis is
    drawn from a sample), GaussianWeighter (without ``weights_``, see
    :func:`~skda.dask.predict_weights`), scikit-learn's StandardScaler, and the class priors of
    LabelShiftClassifier by "em", "bbse" and "rlls" (its classifier is fitted on a sample of the
    source; wrap one that is fitted in ``FrozenEstimator``). The result is that of the in-memory fit
    to rounding, whatever the blocks. Options that need more than sums, such as the medians of
    ``DomainScaler(robust=True)``, are fitted on the sample; the report says why.

    Sums of float32 blocks are merged in float64. A sample has rows in proportion to each stratum,
    and 30 at least; labels of target rows do not decide on it unless the method learns from them.
    Tables of no more rows than `sample_size` are fitted whole. The cost is a pass over the rows,
    two for ComBat with covariates and GaussianWeighter; a step of a Pipeline computes those before
    it again. No step brings more rows than the sample to the client.

    Examples
    --------
    >>> import dask.array
    >>> import numpy as np
    >>> import skda.dask
    >>> from skda import CORALTransformer
    >>> X = dask.array.random.default_rng(0).normal(size=(1000, 3), chunks=(250, 3))
    >>> sample_domain = np.repeat([1, -2], 500)
    >>> coral = skda.dask.fit(CORALTransformer(), X, sample_domain=sample_domain)
    >>> coral.dask_report_.method, coral.dask_report_.n_fitted
    ('sums', 1000)
    """
    size = check_integer("sample_size", sample_size, none=True)
    how = {"sample_size": size or _SAMPLE_SIZE, "random_state": random_state}
    table = Table(X, y, sample_domain, **how)
    if isinstance(estimator, Pipeline):
        fitted = _fit_pipeline(estimator, table)
    else:
        fitted = _fit_one(estimator, table)
    if size is None:
        _warn_of_samples(fitted)
    return fitted


def _fit_pipeline(pipeline, table):
    """Fit the steps in turn, each on the rows as those before it map them."""
    fitted, steps, reports = clone(pipeline), [], {}
    for number, (name, step) in enumerate(fitted.steps, start=1):
        if step is None or step == "passthrough":
            steps.append((name, step))
            continue
        step = _fit_one(step, table)
        steps.append((name, step))
        reports[name] = step.dask_report_
        # Lazily: each later pass maps the blocks anew, so that none of them has to be kept.
        if number < len(fitted.steps):
            table = table.with_rows(transformed_rows(step, table.X, table.sample_domain))
    fitted.steps = steps
    fitted.dask_report_ = reports
    return fitted


def _fit_one(estimator, table):
    fitted = clone(estimator)
    with unfitted_on_failure(fitted):
        if isinstance(fitted, LabelShiftClassifier):
            fitted.dask_report_ = fit_label_shift(fitted, table)
            return fitted
        reason = "what it learns is no sum over the rows"
        # Its subclasses may learn otherwise.
        if type(fitted) is StandardScaler:
            reason = fit_standard_scaler(fitted, table)
        elif hasattr(fitted, "_fit_sums"):
            reason = _fit_sums(fitted, table)
    if reason is None:
        n = sum(table.counts().values())
        fitted.dask_report_ = FitReport("sums", n, n, "")
        return fitted
    # A new clone: what was found out about sums is noted on the first.
    return _fit_sample(clone(estimator), table, reason)


def _fit_sums(fitted, table):
    """Fit from sums over all rows; return why that cannot be, or None."""
    data = table.data_for(fitted, one_sided=not getattr(fitted, "_needs_target", True))
    reason = fitted._needs_rows(data)
    if reason is None:
        if isinstance(fitted, BaseDomainTransformer):
            fitted._note_domains(data)
        fitted._fit_sums(data, Passes(table, fitted))
    return reason


def _fit_sample(fitted, table, reason):
    """Fit in memory on a sample; of the source rows where no others are learnt from."""
    sources_only = getattr(fitted, "_source_only", False)
    sources_only = sources_only and not getattr(fitted, "use_target_labels", False)
    X, y, ids = table.sample(
        table.sample_size,
        labels=not is_regressor(fitted),
        target_labels=getattr(fitted, "_labels", None) == "all",
        sources_only=sources_only,
    )
    params = {"sample_domain": ids} if table.named and _asks(fitted) else {}
    fitted = fitted.fit(X, y, **params)
    counts = table.counts()
    n = sum(count for domain, count in counts.items() if domain >= 0 or not sources_only)
    method = "rows" if len(ids) == n else "sample"
    fitted.dask_report_ = FitReport(method, n, len(ids), reason)
    return fitted


def _asks(estimator):
    routing = get_routing_for_object(estimator)
    return bool(routing.consumes("fit", ["sample_domain"]))


def _warn_of_samples(fitted):
    reports = fitted.dask_report_
    if isinstance(reports, FitReport):
        reports = {type(fitted).__name__: reports}
    for name, report in reports.items():
        if report.method == "sample":
            warn_user(
                f"{name} was fitted on a sample of {report.n_fitted} of {report.n_samples} rows: "
                f"{report.reason}. Pass sample_size to choose the number of rows, and to be "
                "warned no more.",
                DomainWarning,
            )
