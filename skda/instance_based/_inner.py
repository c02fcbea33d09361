"""What is asked of an inner estimator, and how its classes are read."""

import numpy as np
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import has_fit_parameter

from .._backend import to_numpy
from .._domains import as_labels


def class_columns(estimator, X, classes):
    """Return ``predict_proba`` with one column per class; 0 for those it did not see."""
    proba = as_labels(estimator.predict_proba(X))
    columns = np.searchsorted(classes, estimator.classes_)
    aligned = np.zeros((proba.shape[0], len(classes)))
    aligned[:, columns] = proba
    return aligned


def predicted_codes(estimator, X, classes):
    """Return the index of each predicted label in the sorted classes."""
    return np.searchsorted(classes, as_labels(estimator.predict(X)))


def check_takes_weights(estimator, owner):
    """Raise unless ``fit`` of the estimator takes ``sample_weight``; say how to mend it."""
    if has_fit_parameter(estimator, "sample_weight"):
        return
    if get_routing_for_object(estimator).consumes("fit", ["sample_weight"]):
        return  # a composite, with metadata routing switched on
    name = type(estimator).__name__
    if hasattr(estimator, "steps") and has_fit_parameter(estimator.steps[-1][1], "sample_weight"):
        last = type(estimator.steps[-1][1]).__name__
        mend = (
            "A Pipeline hands it on with sklearn.set_config(enable_metadata_routing=True) and "
            f"{last}(...).set_fit_request(sample_weight=True) as its last step; or put the "
            f"preprocessing in front: make_pipeline(..., {type(owner).__name__}({last}()))."
        )
    else:
        mend = "Choose one that takes it, for example a tree, an SVM or a linear model."
    raise ValueError(
        f"estimator={name} must take sample_weight in fit, because {type(owner).__name__} "
        f"works by weighting rows; it does not. {mend}"
    )


def check_row_weights(sample_weight, n_samples):
    """Return the user's weights as a new array, ones if there are none."""
    if sample_weight is None:
        return np.ones(n_samples)
    weights = np.array(to_numpy(sample_weight), dtype=np.float64)
    if weights.ndim == 0:
        return np.full(n_samples, float(weights))
    if weights.shape != (n_samples,):
        raise ValueError(
            f"sample_weight must have one value per row of X; got shape {weights.shape} for "
            f"{n_samples} rows."
        )
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError(
            "sample_weight must be finite and not negative; got "
            f"{weights[~np.isfinite(weights) | (weights < 0)][0]}."
        )
    return weights
