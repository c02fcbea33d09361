"""Scorers that use labels: of source rows, or of those target rows that have one."""

import inspect

import numpy as np
from sklearn.metrics import accuracy_score, get_scorer, r2_score

from .._array._rows import n_rows
from .._core._labels import labeled_rows, take_labels
from ._base_scorer import _ASKED, BaseDomainScorer


class _Told:
    """A fitted estimator that is told the domains of the rows that it is asked about."""

    def __init__(self, rows, index):
        self._rows, self._index = rows, index

    def __getattr__(self, name):
        value = getattr(self._rows.estimator, name)
        return self._telling(name) if name in _ASKED else value

    def __sklearn_tags__(self):
        return self._rows.estimator.__sklearn_tags__()

    def _telling(self, method):
        def ask(X):
            if n_rows(X) != len(self._index):
                raise ValueError(f"{method} must be asked about the rows that are scored.")
            return self._rows._ask(self._rows.estimator, method, self._index)

        ask.__name__ = method  # scikit-learn reads it
        return ask


def measure(metric, rows, index, y):
    """Return the value of a metric on these rows with their labels."""
    if metric is None:
        metric = r2_score if rows.is_regression else accuracy_score
    elif isinstance(metric, str):
        metric = get_scorer(metric)
    elif not callable(metric):
        raise TypeError(
            "metric must be the name of a scikit-learn scorer, a metric (y_true, y_pred), a "
            f"scorer (estimator, X, y) or None; got {metric!r}."
        )
    if _is_metric(metric):
        return metric(y, rows.predict(index))
    return metric(_Told(rows, index), rows.rows_of(index), y)


def _is_metric(function):
    """Tell metric(y_true, y_pred) from scorer(estimator, X, y)."""
    try:
        parameters = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return False
    return parameters[:1] in (["y_true"], ["y"], ["labels_true"])


class SourceScorer(BaseDomainScorer):
    """Score on the source rows, by their labels: the baseline that ignores the shift.

    Parameters
    ----------
    metric : str, callable or None, default=None
        Name of a scikit-learn scorer such as "roc_auc", a metric ``(y_true, y_pred)`` of which
        more is better, or a scorer ``(estimator, X, y)``. None is accuracy for classifiers and
        R² for regressors.

    See Also
    --------
    ImportanceWeightedScorer : The same with weights that account for the shift.

    Notes
    -----
    Source rows are predicted as source rows. Choosing by this score is blind to the target: a map
    that ruins the target rows goes unnoticed. Target rows and their labels are not looked at.

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

    def __init__(self, metric=None):
        self.metric = metric

    def _score(self, rows):
        return measure(self.metric, rows, rows.source, rows.y_source)


class LabeledTargetScorer(BaseDomainScorer):
    """Score on those target rows that have a label.

    The one scorer that looks at target labels. With a few of them it is hard to beat; with all of
    them it is the truth that a study compares the others with.

    Parameters
    ----------
    metric : str, callable or None, default=None
        As in :class:`SourceScorer`.

    See Also
    --------
    SourceScorer : On source rows.

    Notes
    -----
    A missing label is NaN, None or NA, or -1 among integers, as `skda.stack_domains` writes it.
    The standard error of an accuracy from m labels is about 0.5/√m. Note that a search with
    this scorer has used the labels: keep other ones to report.

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

    def __init__(self, metric=None):
        self.metric = metric

    def _score(self, rows):
        if rows.y is None:
            raise ValueError("LabeledTargetScorer needs labels of target rows; y is None.")
        index = np.flatnonzero((rows.ids < 0) & labeled_rows(rows.y, rows.ids))
        if not len(index):
            raise ValueError(
                "LabeledTargetScorer found no target row with a label: all are NaN, None or -1. "
                "Pass the labels that you have with stack_domains(..., y_target=...), or use a "
                "scorer that needs none, such as CircularValidationScorer."
            )
        return measure(self.metric, rows, index, take_labels(rows.y, index))
