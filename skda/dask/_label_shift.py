"""Class priors of the target from counts and mean probabilities, merged block by block."""

import copy
from functools import partial
from operator import add

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from .._array._rows import n_rows, take_rows
from .._core._labels import as_labels, take_labels
from .._core._meta_estimator import class_columns, predicted_codes
from .._core._sample_domain import domains_for_fit
from .._core._sums import Added, merge_sums
from .._core._validation import one_class_explained
from .._numerics._em_priors import corrected_proba, fixed_priors
from ..instance_based._class_priors import (
    joint_confusion,
    ks_limit_of_sizes,
)
from ..instance_based._label_shift import never_zero
from ._engine import engine, merge_in_tree, task, whole
from ._report import FitReport
from ._sample import block_ids

# Of a class's probability, in the distribution functions that are compared: fine beside what
# differs by chance at a million rows.
_N_BINS = 1000


def fit_label_shift(model, table):
    """Fit a LabelShiftClassifier on a table, and return the report."""
    model._check_params(None)
    validate_data(model, table.columns, skip_check_array=True)
    counts = table.counts()
    ids = np.array(sorted(counts), dtype=np.int64)
    domains_for_fit(ids if table.named else None, len(ids), estimator=model)
    X, y, class_rows = _labeled_sample(model, table)
    with one_class_explained(model, y):
        model.estimator_ = model._fit_inner(X, y, None)
    n_source = class_rows.sum()
    model.source_priors_ = model.target_priors_ = class_rows / n_source
    # Without a target nothing is corrected.
    model.prior_ratio_, model.n_iter_ = np.ones(len(class_rows)), 1
    model.target_weight_, model.target_statistic_ = 0.0, model.source_priors_
    model._scaling, model._evidence = None, None
    frozen, held_out = isinstance(model._inner(), FrozenEstimator), None
    if (ids < 0).any() and model._order_dependent:
        held_out = _held_out(model, X, y, frozen)
    blocks = _Blocks(model, table)
    sums = blocks.total(_evidence)
    _assume_priors(model, sums, n_source, frozen)
    if "target" in sums:
        uncalibrated = never_zero(sums["source"].value / n_source)
        _correct(model, blocks, sums, class_rows, None if frozen else held_out, uncalibrated)
    method = "rows" if len(y) == n_source else "sample"
    reason = "its classifier is fitted in memory; all rows count in the priors"
    return FitReport(method, int(n_source), len(y), reason)


def _labeled_sample(model, table):
    """Set the classes; return a sample of the source with labels, and the rows of each class."""
    if table.y is None:
        raise ValueError(
            "LabelShiftClassifier requires y to be passed, but the target y is None. Pass labels; "
            "on target rows without one put a missing value, as skda.stack_domains does."
        )
    by_label = table.classes()
    X, y, _ = table.sample(table.sample_size, sources_only=True)
    y = take_labels(y)
    check_classification_targets(y)
    if None in by_label:
        raise ValueError(
            "Input y contains NaN or None on source rows, whose label is needed. Drop those rows "
            "or label them."
        )
    model.classes_ = np.unique(y)
    return X, y, np.array([by_label[c] for c in model.classes_.tolist()], dtype=float)


def _assume_priors(model, sums, n_source, frozen):
    """Set the priors that the classifier's probabilities, calibrated or not, go with."""
    if model._scaling is None:
        model.classifier_priors_ = never_zero(sums["source"].value / n_source)
    elif frozen:
        # Calibrated on a sample, which has no other rows than those that count here.
        model.classifier_priors_ = never_zero(sums["scaled"].value / n_source)


def _correct(model, blocks, sums, class_rows, held_out, uncalibrated):
    """Estimate the target's priors, and use them if they explain the target.

    ``held_out`` is what :func:`_held_out` found, None if no row of the table was fitted on;
    ``uncalibrated`` are the priors that the classifier assumes as it is.
    """
    model.target_weight_ = n_target = sums["target"].value
    # A classifier from elsewhere has seen no row of the table, so all source rows are held out.
    if held_out is None:
        joint, by_class, known = sums["joint"].value, sums["by_class"].value, class_rows
    else:
        joint, by_class, known = held_out
    if model.method == "em":
        how = {"max_iter": model.max_iter, "tol": model.tol}
        how["start"] = model.classifier_priors_
        corrected = blocks.mean_corrected(n_target)
        priors = model._converged(*fixed_priors(corrected, model.classifier_priors_, **how))
        model.target_statistic_ = priors
    else:
        model.target_statistic_ = proportions = sums["predicted"].value / n_target
        model.confusion_, model.n_held_out_ = joint / known.sum(), int(known.sum())
        priors = model._from_confusion(proportions)
    if model.check_fit:
        weights = priors / model.source_priors_
        size = (known @ weights) ** 2 / (known @ weights**2)
        gap = _largest_gap(np.tensordot(weights, by_class, 1), sums["on_target"].value)
        if not model._explains_the_target(gap, ks_limit_of_sizes(size, n_target)):
            # As in memory: how far a calibration holds on this target nobody knows.
            model._scaling, model.classifier_priors_ = None, uncalibrated
            return
    model._warn_of_absent_classes(priors, n_target)
    model._use(priors)


def _held_out(model, X, y, frozen):
    """Return what `_evidence` does of source rows, for classifiers that did not see them.

    The classifier is calibrated on them, if it is to be.
    """
    codes = np.searchsorted(model.classes_, y)
    if frozen:  # it has seen none of them
        predicted = predicted_codes(model.estimator_, X, model.classes_)
        proba = class_columns(model.estimator_, X, model.classes_)
    else:
        predicted, proba = model._held_out(X, y, codes, None)
    if model.calibration is not None and model.strength > 0:
        model._calibrate(proba, codes, np.ones(len(codes)))
    known = predicted >= 0  # splits of the user's own need not hold out every row
    codes, n_classes = codes[known], len(model.classes_)
    joint = joint_confusion(predicted[known], codes, np.ones(len(codes)), n_classes) * len(codes)
    by_class = _histograms_by_class(proba[known], codes)
    return joint, by_class, np.bincount(codes, minlength=n_classes).astype(float)


def _evidence(model, X, y, sample_domain):
    """Return counts and sums of what the classifier says of the rows of a block."""
    ids = block_ids(sample_domain, n_rows(X))
    classes, sums = model.classes_, {}
    n_classes = len(classes)
    proba = class_columns(model.estimator_, X, classes)
    scaled = model._class_proba(X)
    predicted = predicted_codes(model.estimator_, X, classes)
    source, target = ids >= 0, ids < 0
    if source.any():
        codes = np.searchsorted(classes, as_labels(y)[source].astype(classes.dtype))
        ones = np.ones(len(codes))
        joint = joint_confusion(predicted[source], codes, ones, n_classes) * len(codes)
        sums["source"] = Added(proba[source].sum(axis=0))
        sums["joint"] = Added(joint)
        sums["scaled"] = Added(scaled[source].sum(axis=0))
        sums["by_class"] = Added(_histograms_by_class(scaled[source], codes))
    if target.any():
        sums["target"] = Added(float(target.sum()))
        counts = np.bincount(predicted[target], minlength=n_classes)
        sums["predicted"] = Added(counts.astype(float))
        sums["on_target"] = Added(_histograms(scaled[target]))
    return sums


def _histograms_by_class(proba, codes):
    """Return the histograms of the rows of each class, (n_classes, n_classes, n_bins)."""
    return np.stack([_histograms(proba[codes == c]) for c in range(proba.shape[1])])


def _histograms(proba):
    """Return the histogram of each column over [0, 1], (n_classes, n_bins)."""
    bins = np.minimum((proba * _N_BINS).astype(np.int64), _N_BINS - 1)
    return np.stack([np.bincount(b, minlength=_N_BINS).astype(float) for b in bins.T])


def _largest_gap(first, second):
    """Return the largest distance between the distribution functions of two rows of histograms."""
    steps = first / first.sum(axis=1, keepdims=True) - second / second.sum(axis=1, keepdims=True)
    return float(np.abs(np.cumsum(steps, axis=1)).max())


class _Blocks:
    """The blocks of a table as a fitted classifier sees them."""

    def __init__(self, model, table):
        self.model, self.blocks = whole(copy.copy(model)), table.blocks()

    def total(self, function):
        """Merge what a function of model, rows, labels and ids returns for every block."""
        parts = [task(_nothing_of_nothing, function, self.model, *block) for block in self.blocks]
        (sums,) = engine().compute(merge_in_tree(parts, merge_sums))
        return sums

    def mean_corrected(self, n_target):
        """Return the function that gives the mean corrected probabilities of the target rows.

        The probabilities are computed once and stay with the workers.
        """
        parts = [task(_on_target, self.model, x, ids) for x, _, ids in self.blocks]
        parts = engine().persist(*parts)

        def mean(ratio):
            sums = [task(partial(_sum_corrected, ratio), part) for part in parts]
            return engine().compute(merge_in_tree(sums, add))[0] / n_target

        return mean


def _nothing_of_nothing(function, model, X, y, sample_domain):
    return function(model, X, y, sample_domain) if n_rows(X) else {}


def _on_target(model, X, sample_domain):
    rows = np.flatnonzero(block_ids(sample_domain, n_rows(X)) < 0)
    if not len(rows):
        return np.zeros((0, len(model.classes_)))
    return model._class_proba(take_rows(X, rows))


def _sum_corrected(ratio, proba):
    return corrected_proba(proba, ratio).sum(axis=0)
