"""Input validation: the arguments of ``fit`` and ``predict`` as one checked record."""

from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse
from sklearn import get_config
from sklearn.base import is_classifier
from sklearn.utils import get_tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from .._array._backend import Backend, backend_of, check_foreign_array, is_foreign_array, to_numpy
from .._array._config import working_backend
from .._array._rows import check_has_rows, n_rows, take_rows
from ._callbacks import callbacks_of_fit
from ._encoded_mark import check_no_encoded_mark
from ._labels import as_labels, labeled_rows, take_labels
from ._sample_domain import check_no_masked_entries, domains_for_fit, domains_for_predict


def check_rows(estimator, X, *, reset, accept_sparse=False, min_samples=1):
    """Check X as scikit-learn does, leaving arrays of other libraries where they are.

    Parameters
    ----------
    estimator : estimator
        Gets ``n_features_in_`` and ``feature_names_in_`` when `reset`, else is compared with. Its
        tag says whether missing values may pass.
    X : array-like, data frame, sparse matrix, torch tensor or CuPy array
        Rows to check.
    reset : bool
        Whether this is ``fit``.
    accept_sparse : bool, default=False
        Whether CSR matrices may pass.
    min_samples : int, default=1
        Smallest number of rows.

    Returns
    -------
    X : array of float32 or float64, or CSR matrix
        The rows; NumPy for whatever came from the host.
    """
    check_no_masked_entries("X", X)
    check_has_rows("X", X)
    allow_nan = get_tags(estimator).input_tags.allow_nan
    if is_foreign_array(X):
        # check_array would move the rows to the host.
        X = check_foreign_array(X, min_samples=min_samples, allow_nan=allow_nan)
        validate_data(estimator, X, reset=reset, skip_check_array=True)
        return X
    return validate_data(
        estimator,
        X,
        reset=reset,
        accept_sparse="csr" if accept_sparse else False,
        # float32 stays as it is; everything else becomes the first of the two.
        dtype=[np.float64, np.float32],
        ensure_all_finite="allow-nan" if allow_nan else True,
        ensure_min_samples=min_samples,
    )


def validate_for_inner(estimator, X, *, reset):
    """Note width and names of X on the estimator; an inner estimator checks the values.

    Parameters
    ----------
    estimator : estimator
        Gets ``n_features_in_`` and ``feature_names_in_`` when `reset`, else is compared with.
    X : array-like, data frame, sparse matrix, torch tensor or CuPy array
        Rows of anything that the inner estimator takes.
    reset : bool
        Whether this is ``fit``.

    Returns
    -------
    X : ndarray, data frame or CSR matrix
        The rows on the host, in a container that can be sliced by row.
    """
    check_no_masked_entries("X", X)
    check_has_rows("X", X)
    if is_foreign_array(X):
        X = to_numpy(X)
    elif sparse.issparse(X):
        # Not every sparse format can be sliced by row.
        X = X.tocsr()
    elif not hasattr(X, "shape"):
        X = np.asarray(X)
    # In scikit-learn's words, because check_array, which would raise this, is not called.
    if len(X.shape) != 2:
        raise ValueError(
            f"Expected 2D array, got {len(X.shape)}D array instead (X has shape {X.shape}). "
            "Reshape your data with .reshape(-1, 1) for one feature, .reshape(1, -1) for one row."
        )
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    return X


@contextmanager
def fresh_fit(estimator):
    """Forget what an earlier fit learnt; and what this one did, if it does not come to its end.

    So the learnt attributes are those of the last fit only, and an estimator whose fit failed or
    was interrupted is not a fitted one.
    """
    forget_fit(estimator)
    with unfitted_on_failure(estimator), callbacks_of_fit(estimator):
        yield


def begun_or_going_on(estimator, *, started):
    """Return the context of a ``partial_fit``: the first call is a fresh fit.

    A later one stores nothing before all is computed, so that a batch that fails counts as not
    seen, and what was learnt before stays.
    """
    return nullcontext() if started else fresh_fit(estimator)


@contextmanager
def unfitted_on_failure(estimator):
    """Forget all that was learnt if a fit, or one that goes on, does not come to its end."""
    try:
        yield
    except BaseException:  # KeyboardInterrupt is none of Exception
        forget_fit(estimator)
        raise


def forget_fit(estimator):
    """Remove the learnt attributes: those that end in an underscore and do not begin with one."""
    for name in list(vars(estimator)):
        if name.endswith("_") and not name.startswith("_"):
            delattr(estimator, name)


def data_for_fit(
    estimator,
    X,
    y=None,
    sample_domain=None,
    *,
    labels="ignored",
    accept_sparse=False,
    one_sided=False,
    reset=True,
):
    """Turn the arguments of ``fit`` into a checked :class:`~skda._core._validation.DomainData`.

    Parameters
    ----------
    estimator : estimator
        The estimator that is being fitted.
    X, y, sample_domain
        As given by the user.
    labels : {"ignored", "source", "all"}, default="ignored"
        Which labels the method uses: none; those of source rows (whatever stands on target
        rows is ignored); or also those of target rows that have one.
    accept_sparse : bool, default=False
        Whether CSR matrices may pass.
    one_sided : bool, default=False
        Whether rows of one side only are fine.
    reset : bool, default=True
        False in a later ``partial_fit``: X must look like the rows before it, and the learner
        notes their domains itself, by :func:`~skda._core._sample_domain.note_domains`.

    Returns
    -------
    data : DomainData
        The rows, in the backend in which the arithmetic runs.
    """
    input_backend = backend_of(X)
    X = check_rows(estimator, X, reset=reset, accept_sparse=accept_sparse)
    how = {"estimator": estimator, "one_sided": one_sided, "goes_on": not reset}
    ids = domains_for_fit(sample_domain, n_rows(X), **how)
    y, labeled = _labels_for_fit(estimator, y, ids, labels)
    # As text: a device object might not survive a pickle.
    estimator._fit_backend = str(input_backend)
    return _data(estimator, X, y, ids, labeled)


def data_for_inner_fit(
    estimator, X, y=None, sample_domain=None, *, labels="ignored", one_sided=False
):
    """Turn the arguments of ``fit`` into ``DomainData`` whose rows an inner estimator will check.

    Data frames, text, missing values and sparse matrices pass, on the host.

    Parameters
    ----------
    estimator : estimator
        The meta-estimator that is being fitted.
    X, y, sample_domain
        As given by the user.
    labels : {"ignored", "source", "all"}, default="ignored"
        As in :func:`data_for_fit`.
    one_sided : bool, default=False
        Whether rows of one side only are fine.

    Returns
    -------
    data : DomainData
        The rows, on the host.
    """
    input_backend = backend_of(X)
    # Values are not checked: text and missing values are up to the inner estimator.
    X = validate_for_inner(estimator, X, reset=True)
    ids = domains_for_fit(sample_domain, n_rows(X), estimator=estimator, one_sided=one_sided)
    y, labeled = _labels_for_fit(estimator, y, ids, labels)
    return DomainData(X, y, ids, labeled, Backend(), input_backend)


def data_for_predict(estimator, X, sample_domain=None, *, accept_sparse=False, method="transform"):
    """Turn the arguments of ``transform`` or ``predict`` into a checked ``DomainData``.

    ``method`` is the name of the calling method, for an error message.
    """
    check_is_fitted(estimator)
    _check_same_backend(estimator, X, method)
    X = check_rows(estimator, X, reset=False, accept_sparse=accept_sparse)
    ids = domains_for_predict(sample_domain, n_rows(X), estimator=estimator)
    return _data(estimator, X, None, ids, None)


def data_for_inner_predict(estimator, X, sample_domain=None):
    """Turn the arguments of ``predict`` into ``DomainData`` for an inner estimator."""
    check_is_fitted(estimator)
    input_backend = backend_of(X)
    X = validate_for_inner(estimator, X, reset=False)
    ids = domains_for_predict(sample_domain, n_rows(X), estimator=estimator)
    return DomainData(X, None, ids, None, Backend(), input_backend)


def _check_same_backend(estimator, X, method):
    """Enforce scikit-learn's rule on mixed array libraries when array_api_dispatch is on.

    With the switch off, fitted arrays are moved to where X is.
    """
    here, fitted_at = str(backend_of(X)), getattr(estimator, "_fit_backend", None)
    if get_config()["array_api_dispatch"] and fitted_at not in (None, here):
        raise ValueError(
            f"Inputs passed to {type(estimator).__name__}.{method}() must use the same namespace "
            f"and the same device as those passed to fit(); got {here} after {fitted_at}. Move X "
            "there, or leave scikit-learn's array_api_dispatch off and skda moves it."
        )


def _data(estimator, X, y, ids, labeled):
    backend = working_backend(X, estimator)
    # CSR matrices stay in SciPy; no array library here has them in common.
    rows = X if sparse.issparse(X) else backend.asarray(X)
    return DomainData(rows, y, ids, labeled, backend, input_backend=backend_of(X))


def _labels_for_fit(estimator, y, ids, labels):
    """Return y on the host with the rows whose label may be used, checked there."""
    if labels == "ignored":
        return None, None
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None. Pass "
            "labels; on target rows without one put a missing value, as skda.stack_domains does."
        )
    y = as_labels(y)
    if y.shape[0] != ids.shape[0]:
        raise ValueError(
            f"y must have one label per row of X; got {y.shape[0]} labels for {ids.shape[0]} rows "
            "(inconsistent numbers of samples)."
        )
    # Some estimators pass y with several outputs on; the others accept a column at most.
    multi_output = get_tags(estimator).target_tags.multi_output
    if y.ndim > 1 and not multi_output:
        # A column passes with a warning, as in scikit-learn.
        y = column_or_1d(y, warn=True)
    check_no_encoded_mark(estimator, y, ids)
    # Unless the method asks for all labels, those of target rows count as missing, so that none is
    # used by mistake.
    labeled = labeled_rows(y, ids) if labels == "all" else ids >= 0
    used = take_labels(y, labeled)
    if used.dtype.kind == "f" and not np.isfinite(used).all():
        raise ValueError(
            "Input y contains NaN or infinity on rows whose label is needed (source rows). Drop "
            "those rows or label them."
        )
    if used.dtype == object and any(label is None for label in used.ravel()):
        raise ValueError(
            "Input y contains NaN or None on source rows, whose label is needed. Drop those rows "
            "or label them."
        )
    return y, labeled


def class_labels(estimator, data):
    """Return the sorted classes and the class index of each labeled row (-1 elsewhere).

    Parameters
    ----------
    estimator : classifier
        Named in errors.
    data : DomainData
        Made with ``labels="source"`` or ``"all"``.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        Classes in the labels' own type.
    codes : ndarray of int64 of shape (n_samples,)
        Index into `classes`, -1 on rows without a label that may be used.
    """
    used = take_labels(data.y, data.labeled)
    check_classification_targets(used)
    classes, found = np.unique(used, return_inverse=True)
    # -1 is no index of a class, whatever the classes are.
    codes = np.full(data.ids.shape, -1, dtype=np.int64)
    codes[data.labeled] = found
    return classes, codes


@contextmanager
def one_class_explained(estimator, labels):
    """Say in terms of domains why a classifier inside could not be fitted on one class.

    Some classifiers can be, and give that class to every row; so only a failure is explained.
    """
    try:
        yield
    except ValueError as error:
        known = labels is not None and is_classifier(estimator)
        classes = np.unique(labels).tolist() if known else []
        if len(classes) != 1:
            raise
        raise ValueError(
            f"{type(estimator).__name__} needs two classes or more among the labels that it "
            f"learns from; the source rows have one class only, {classes[0]!r}. Pass source rows "
            "of other classes, and check that y holds the labels, not the domains."
        ) from error


@dataclass(frozen=True)
class DomainData:
    """Checked rows with their domains, ready to compute on."""

    X: Any
    """Rows of all domains, (n, d), in the backend that computes (or a CSR matrix)."""
    y: np.ndarray | None
    """Labels as given, on the host; None if there are none."""
    ids: np.ndarray
    """Signed id of the domain of each row."""
    labeled: np.ndarray | None
    """Which rows have a label that may be used; None if the method ignores labels."""
    backend: Backend
    """Where the arithmetic runs."""
    input_backend: Backend
    """Where X came from, and where fitted arrays are kept."""

    @cached_property
    def xp(self):
        """Namespace of X."""
        return self.backend.xp

    @cached_property
    def source(self):
        """Indices of the source rows."""
        return np.flatnonzero(self.ids >= 0)

    @cached_property
    def target(self):
        """Indices of the target rows."""
        return np.flatnonzero(self.ids < 0)

    @cached_property
    def domains(self):
        """Sorted ids of all domains."""
        return np.unique(self.ids).tolist()

    @property
    def source_domains(self):
        """Sorted ids of the sources."""
        return [i for i in self.domains if i >= 0]

    @property
    def target_domains(self):
        """Sorted ids of the targets."""
        return [i for i in self.domains if i < 0]

    @property
    def adapts(self):
        """Whether there are both source and target rows."""
        return len(self.source) > 0 and len(self.target) > 0

    @cached_property
    def X_source(self):
        """Source rows, in their order."""
        return take_rows(self.X, self.source)

    @cached_property
    def X_target(self):
        """Target rows, in their order."""
        return take_rows(self.X, self.target)

    @cached_property
    def y_source(self):
        """Labels of the source rows, of their own type."""
        return take_labels(self.y, self.source)

    def rows(self, domain):
        """Return indices of the rows of one domain."""
        return np.flatnonzero(self.ids == domain)

    def count(self, domain):
        """Return the number of rows of one domain."""
        return len(self.rows(domain))

    def X_of(self, domain):
        """Return the rows of one domain."""
        return take_rows(self.X, self.rows(domain))

    def to_input(self, x):
        """Return a computed array as it is to be stored: where X came from."""
        return self.input_backend.asarray(x)
