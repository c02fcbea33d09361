"""What a model says of target rows, and of source rows that it did not learn from."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import clone

from .._array._backend import to_numpy
from .._array._rows import take_rows
from .._core._labels import as_labels, labeled_rows, missing_like, take_labels
from .._numerics._folds import dealt_folds
from ._base_scorer import ScoringData, accepts_sample_domain
from ._performance_values import Rows


@dataclass(frozen=True)
class Outputs:
    """Predictions of one model for the rows of both domains."""

    source: Rows
    """Source rows, each predicted by a model that did not learn from it."""
    target: Rows
    """Target rows; their true class or value is 0 where it is not known."""
    labeled: np.ndarray
    """Positions of the labeled rows among the target rows."""
    classes: np.ndarray | None
    """None in a regression."""
    X_source: Any
    """What the last step of the model sees of the source rows."""
    X_target: Any

    @property
    def n_classes(self):
        """Number of classes, 0 in a regression."""
        return 0 if self.classes is None else len(self.classes)

    def take(self, source, target):
        """Return the predictions of some source and target rows, none of them labeled."""
        return Outputs(
            self.source.take(source),
            self.target.take(target),
            np.empty(0, dtype=int),
            self.classes,
            None,
            None,
        )


def outputs_of(data, *, cv, random_state):
    """Return the predictions of a fitted model, from a `ScoringData`.

    Source rows are predicted by clones that were fitted without them, `cv` of them, or with
    ``cv=None`` by the model itself.
    """
    ids, regression = data.sample_domain, data.is_regression
    y_source = data.y_source
    labeled = np.flatnonzero(labeled_rows(data.y, ids)[data.target_rows])
    known = take_labels(data.y, data.target_rows[labeled])
    classes = None if regression else _classes(data.estimator, y_source, known)
    true = np.zeros(len(data.target_rows), dtype=float if regression else int)
    true[labeled] = _coded(known, classes)
    predicted, proba = predictions_of(data, data.target_rows, classes)
    target = Rows(true, predicted, proba, np.ones(len(true)))
    codes = _coded(y_source, classes)
    predicted, proba = _held_out(data, codes, classes, cv, random_state)
    source = Rows(codes, predicted, proba, np.ones(len(codes)))
    X_source, X_target = (_numbers(data, rows) for rows in (data.source_rows, data.target_rows))
    return Outputs(source, target, labeled, classes, X_source, X_target)


def _classes(model, y_source, known):
    found = [np.unique(of) for of in (y_source, known) if len(of)]
    if getattr(model, "classes_", None) is not None:
        found.append(as_labels(model.classes_))
    kinds = {"number" if of.dtype.kind in "biuf" else "text" for of in found}
    if len(kinds) > 1:
        raise ValueError(
            "y must hold labels of the kind that the model was fitted on; it has numbers on one "
            "side and text on the other. Pass the labels that it was fitted on."
        )
    return np.unique(np.concatenate(found))


def _coded(labels, classes):
    """Return the position of each label among the classes; values of a regression as they are."""
    if classes is None:
        return to_numpy(labels).astype(float)
    return np.searchsorted(classes, labels)


def predictions_of(data, rows, classes):
    """Return the coded predictions and the probabilities of all classes, None without any."""
    predicted = _coded(data.predict(rows), classes)
    if classes is None or not hasattr(data.estimator, "predict_proba"):
        return predicted, None
    given = data.predict_proba(rows)
    proba = np.zeros((len(rows), len(classes)))
    proba[:, _coded(as_labels(data.estimator.classes_), classes)] = given
    return predicted, proba


def _held_out(data, codes, classes, cv, random_state):
    rows = data.source_rows
    if cv is None:
        return predictions_of(data, rows, classes)
    predicted = np.zeros_like(codes)
    proba = None if classes is None else np.zeros((len(codes), len(classes)))
    folds = dealt_folds(np.zeros(len(codes)) if classes is None else codes, random_state, cv)
    for fold in range(folds.max() + 1):
        held = np.flatnonzero(folds == fold)
        model = _fitted_without(data, rows[held])
        part = ScoringData(model, data.X, data.y, data.sample_domain, data.scorer_name)
        predicted[held], found = predictions_of(part, rows[held], classes)
        if found is None:
            proba = None
        elif proba is not None:
            proba[held] = found
    return predicted, proba


def _fitted_without(data, held):
    """Fit a clone of the model without these source rows and without target labels."""
    model = clone(data.estimator)
    if not accepts_sample_domain(model, "fit"):
        # Of another package: what it can learn from are the rows with labels.
        rows = np.setdiff1d(data.source_rows, held)
        return model.fit(data.X_of(rows), take_labels(data.y, rows))
    rows = np.setdiff1d(np.arange(len(data.sample_domain)), held)
    ids = data.sample_domain[rows]
    missing, y = missing_like(take_labels(data.y, rows), int((ids < 0).sum()))
    y = np.array(y)
    y[ids < 0] = missing
    return model.fit(take_rows(data.X, rows), y, sample_domain=ids)


def _numbers(data, rows):
    """Return rows as the last step of the model sees them, as a matrix of numbers."""
    X = data.features(rows)
    if sparse.issparse(X):
        return X.toarray()
    try:
        return np.asarray(to_numpy(X), dtype=float)
    except (TypeError, ValueError):
        return None  # texts, which only the model can read
