"""Scorers that use labels: of source rows, or of those target rows that have one."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, get_scorer, r2_score

from .._array._rows import n_rows
from .._core._labels import labeled_rows, take_labels
from ._base_scorer import _DOMAIN_METHODS, BaseDomainScorer


class _WithDomains:
    """A fitted estimator whose methods get ``sample_domain`` of the rows that are scored.

    scikit-learn's scorers call ``estimator.predict(X)`` and the like without it.
    """

    def __init__(self, data, rows):
        self._data, self._rows = data, rows

    def __getattr__(self, name):
        value = getattr(self._data.estimator, name)
        return self._with_domains(name) if name in _DOMAIN_METHODS else value

    def __sklearn_tags__(self):
        return self._data.estimator.__sklearn_tags__()

    def _with_domains(self, method):
        def call(X):
            # A scorer that splits or repeats the rows would get the wrong domains.
            if n_rows(X) != len(self._rows):
                raise ValueError(f"{method} must be called on the rows that are scored.")
            return self._data.call(method, self._rows)

        call.__name__ = method  # scikit-learn reads it
        return call


def measure(metric, data, rows, y):
    """Return the value of a metric on these rows with their labels."""
    if metric is None:
        metric = r2_score if data.is_regression else accuracy_score
    elif isinstance(metric, str):
        metric = get_scorer(metric)
    if _is_metric(metric):
        return metric(y, data.predict(rows))
    return metric(_WithDomains(data, rows), data.X_of(rows), y)


def _check_metric(metric):
    if metric is not None and not isinstance(metric, str) and not callable(metric):
        raise TypeError(
            "metric must be the name of a scikit-learn scorer, a metric (y_true, y_pred), a "
            f"scorer (estimator, X, y) or None; got {metric!r}."
        )


def _is_metric(function):
    """Tell metric(y_true, y_pred) from scorer(estimator, X, y)."""
    try:
        parameters = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # functions of C extensions have no signature
        return False
    # By name, since both take two arguments or more; these are scikit-learn's names.
    return parameters[:1] in (["y_true"], ["y"], ["labels_true"])


class SourceScorer(BaseDomainScorer):
    """Score on the source rows, by their labels: the baseline that ignores the shift.

    The usual cross-validation score, in the units of `metric` (by default a proportion in [0, 1]
    or R²). It says how well the model does on rows like the labeled ones, not on the target.

    Parameters
    ----------
    metric : str, callable or None, default=None
        Name of a scikit-learn scorer such as "roc_auc", a metric ``(y_true, y_pred)`` of which
        more is better, or a scorer ``(estimator, X, y)``. None is accuracy for classifiers and
        R² for regressors.

    See Also
    --------
    ImportanceWeightedScorer : The same with weights that account for the shift.
    LabeledTargetScorer : On those target rows that have a label.

    Notes
    -----
    Source rows are predicted as source rows. Choosing by this score is blind to the target: a map
    that ruins the target rows goes unnoticed. Target rows and their labels are ignored.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skda.metrics import SourceScorer
    >>> X, y = np.array([[-1.0], [1.0], [-0.5], [0.6]]), np.array([0, 1, -1, -1])
    >>> sample_domain = np.array([1, 1, -2, -2])
    >>> model = LogisticRegression().fit(X[:2], y[:2])
    >>> SourceScorer("roc_auc")(model, X, y, sample_domain=sample_domain)
    1.0
    """

    _needs = ("source",)

    def __init__(self, metric: str | Callable[..., Any] | None = None):
        self.metric = metric

    def _check_params(self):
        _check_metric(self.metric)

    def _score(self, data):
        return measure(self.metric, data, data.source_rows, data.y_source)


class LabeledTargetScorer(BaseDomainScorer):
    """Score on those target rows that have a label.

    The one scorer that uses target labels, in the units of `metric`. With a few of them it is hard
    to beat; with all of them it is the oracle that a study compares the others with.

    Parameters
    ----------
    metric : str, callable or None, default=None
        As in :class:`SourceScorer`.

    Raises
    ------
    ValueError
        If no target row has a label. In a search scikit-learn turns this into NaN for the fold.

    See Also
    --------
    SourceScorer : On source rows.
    CircularValidationScorer : Needs no target label.

    Notes
    -----
    A missing label is NaN, None or NA, or -1 among integers. The standard error of an accuracy
    from m labels is about 0.5/√m. A search with this scorer has used the labels: keep other ones
    to report. :class:`~skda.model_selection.DomainStratifiedKFold` spreads the labeled target rows
    over the folds.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skda.metrics import LabeledTargetScorer
    >>> X, y = np.array([[-1.0], [1.0], [-0.5], [0.6]]), np.array([0, 1, 0, -1])
    >>> sample_domain = np.array([1, 1, -2, -2])
    >>> model = LogisticRegression().fit(X[:2], y[:2])
    >>> LabeledTargetScorer()(model, X, y, sample_domain=sample_domain)
    1.0
    """

    def __init__(self, metric: str | Callable[..., Any] | None = None):
        self.metric = metric

    def _check_params(self):
        _check_metric(self.metric)

    def _score(self, data):
        if data.y is None:
            raise ValueError("LabeledTargetScorer needs labels of target rows; y is None.")
        # labeled_rows counts every source row as labeled
        is_labeled = labeled_rows(data.y, data.sample_domain)
        rows = np.flatnonzero((data.sample_domain < 0) & is_labeled)
        if not len(rows):
            raise ValueError(
                "LabeledTargetScorer found no target row with a label: all are NaN, None or -1. "
                "Pass the labels that you have with stack_domains(..., y_target=...), in a "
                "cross-validation use no more folds than labels, or use a scorer that needs none, "
                "such as CircularValidationScorer."
            )
        return measure(self.metric, data, rows, take_labels(data.y, rows))
