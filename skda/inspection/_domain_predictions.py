"""Predictions of a fitted estimator for the labeled rows of each domain."""

import numpy as np
import sklearn

from .._array._rows import n_rows
from .._core._labels import as_labels, labeled_rows, missing_labels
from .._core._sample_domain import check_both_sides, check_sample_domain
from ..metrics._base_scorer import ScoringData, best_estimator_of


def labeled_by_domain(y, sample_domain, *, per_domain, who):
    """Return the indices of the labeled rows of both sides, or of each domain, by their name.

    Raises
    ------
    ValueError
        If y has another length than `sample_domain`, or a part has no labeled row.
    """
    y = as_labels(y)
    if y is None or y.ndim != 1:
        got = "None" if y is None else f"an array of shape {y.shape}"
        raise ValueError(f"y must be one-dimensional, one label per row; got {got}.")
    ids = check_sample_domain(sample_domain, len(y))
    check_both_sides(ids)
    known = labeled_rows(y, ids)
    # -1 among integers is a class on source rows; only target rows may use it as a mark.
    if y.dtype.kind != "i":
        known &= ~missing_labels(y)
    if per_domain:
        ordered = [*np.unique(ids[ids >= 0]), *np.unique(ids[ids < 0])[::-1]]
        parts = {f"{'source' if i >= 0 else 'target'} {i}": ids == i for i in ordered}
    else:
        parts = {"source": ids >= 0, "target": ids < 0}
    found = {name: np.flatnonzero(known & part) for name, part in parts.items()}
    for name, rows in found.items():
        if not len(rows):
            raise ValueError(
                f"{who} compares predictions with labels, and no row of {name} has one. Put the "
                "labels that you know into y there."
            )
    return found, ids


def predict_rows(estimator, method, X, ids, rows, who):
    """Return what a method predicts for some rows, each as a row of its own domain."""
    model = best_estimator_of(estimator)
    if not hasattr(model, method):
        raise ValueError(f"estimator must be a fitted classifier with {method}; got {estimator!r}.")
    # A pipeline refuses metadata while routing is switched off.
    with sklearn.config_context(enable_metadata_routing=True):
        data = ScoringData(model, X, None, ids, who)
        return data.predict_proba(rows) if method == "predict_proba" else data.predict(rows)


def check_row_count(X, y):
    """Raise unless there is one label per row."""
    if n_rows(X) != len(as_labels(y)):
        raise ValueError(
            f"X and y must have as many rows; got {n_rows(X)} rows and {len(as_labels(y))} labels."
        )


def check_row_weights(sample_weight, n):
    """Return the weights of rows as floats; ones if there are none."""
    if sample_weight is None:
        return np.ones(n)
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != (n,) or not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError(
            f"sample_weight must be {n} finite numbers, one for each row and none negative; got "
            f"{sample_weight!r}."
        )
    return weights
