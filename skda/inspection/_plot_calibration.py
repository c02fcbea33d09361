"""Reliability diagrams of the source and of the target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.base import is_classifier

from .._array._backend import to_numpy
from .._core._labels import take_labels
from .._core._param_checks import check_bool, check_integer, check_option
from .._core._typing import ArrayLike, DomainIds, Predictor
from ..metrics._base_scorer import best_estimator_of
from ._base_display import BaseDisplay
from ._domain_predictions import (
    check_row_count,
    check_row_weights,
    labeled_by_domain,
    predict_rows,
)
from ._plot_axes import SOURCE_COLOR, TARGET_COLOR, TEXT_SIZE, TITLE_SIZE, open_frame, style_of
from ._reliability import Reliability, reliability

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Area of a mark, in points², of a bin that holds all rows; the least one can still be seen.
_LARGEST_MARK, _LEAST_MARK = 160.0, 12.0
_SUM_TOLERANCE = 1e-3  # probabilities in single precision sum to 1 up to this


class DomainCalibrationDisplay(BaseDisplay):
    """Reliability diagrams of the source and of the target in one panel.

    Of the rows that get a probability of 0.8, eight in ten should be right. A model that is
    calibrated in the source is often too sure in the target, and then its curve lies below the
    diagonal there. Made by :meth:`from_estimator` or :meth:`from_predictions`, as scikit-learn's
    displays are.

    Parameters
    ----------
    curves : dict of str to tuple of array-like
        By name of the domain: predicted probability, observed frequency, lower and upper limit of
        the latter, and part of the rows, one entry for each bin.
    pos_label : label, default=None
        Class that the probabilities are those of. None: that the most probable class is right.

    Attributes
    ----------
    curves : dict of str to tuple of ndarray
        As passed, with the names ``predicted``, ``observed``, ``low``, ``high``, ``part``.
    expected_calibration_errors : dict of str to float
        By name of the domain: mean distance of predicted and observed, each bin counting as the
        rows in it.
    pos_label : label or None
        As passed.
    ax_ : matplotlib.axes.Axes
        After ``plot``: the axes.
    axes_ : list of matplotlib.axes.Axes
        After ``plot``: the same in a list.
    figure_ : matplotlib.figure.Figure
        After ``plot``: the figure.

    See Also
    --------
    DomainConfusionDisplay : Which classes are taken for which.
    skda.WeightedCalibratedClassifier : Calibrates for the target.
    sklearn.calibration.CalibrationDisplay : One curve of a binary classifier.

    Notes
    -----
    Of two classes, the event is the second of them (or `pos_label`). Of more, it is that the class
    of the largest probability is right (top-label reliability). Vertical lines are Wilson intervals
    at 90 %, with the effective sample size of the bin where rows have weights. A larger mark is a
    bin of more rows.

    With the importance weights of source rows as `sample_weight` (and 1 on target rows), the
    source's curve shows what is to be expected in the target under covariate shift.

    Examples
    --------
    >>> from skda.inspection import DomainCalibrationDisplay
    >>> y_true, y_prob = [0, 1, 1, 1, 0, 1], [0.1, 0.9, 0.9, 0.9, 0.9, 0.9]
    >>> display = DomainCalibrationDisplay.from_predictions(
    ...     y_true, y_prob, sample_domain=[1, 1, 1, -2, -2, -2], plot=False
    ... )
    >>> {name: round(error, 2) for name, error in display.expected_calibration_errors.items()}
    {'source': 0.1, 'target': 0.23}
    """

    def __init__(self, curves: Mapping[str, tuple[ArrayLike, ...]], *, pos_label: Any = None):
        if not isinstance(curves, dict) or not curves:
            raise ValueError(f"curves must be a dict of domains to curves; got {curves!r}.")
        self.curves = {name: _checked(name, curve) for name, curve in curves.items()}
        self.expected_calibration_errors = {n: curve.error for n, curve in self.curves.items()}
        self.pos_label = pos_label

    @classmethod
    def from_estimator(
        cls,
        estimator: Predictor,
        X: ArrayLike,
        y: ArrayLike,
        *,
        sample_domain: DomainIds,
        n_bins: int = 10,
        strategy: Literal["uniform", "quantile"] = "uniform",
        pos_label: Any = None,
        per_domain: bool = False,
        sample_weight: ArrayLike | None = None,
        ax: Axes | Sequence[Axes] | None = None,
        plot: bool = True,
    ) -> DomainCalibrationDisplay:
        """Compute the display from a fitted classifier and labeled rows.

        Parameters
        ----------
        estimator : fitted classifier
            With ``predict_proba``; a pipeline or a search as well. Each row is predicted as one of
            its own domain.
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            Rows of all domains.
        y : array-like of shape (n_samples,)
            True labels. Target rows without one are left out.
        sample_domain : array-like of int of shape (n_samples,)
            Domain of each row: >= 0 a source, < 0 a target.
        n_bins : int, default=10
            Number of bins, at least 2.
        strategy : {"uniform", "quantile"}, default="uniform"
            Bins of equal width, or of equal numbers of rows in each domain.
        pos_label : label, default=None
            Of two classes: the one whose probability is shown. None is the second. Of more
            classes, the one that is shown against all others; None is the most probable class.
        per_domain : bool, default=False
            Whether each domain has a curve. Otherwise all sources share one, and all targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw in. None makes a figure.
        plot : bool, default=True
            Whether to draw.

        Returns
        -------
        display : DomainCalibrationDisplay
            The display.
        """
        check_row_count(X, y)
        parts, ids = labeled_by_domain(y, sample_domain, per_domain=False, who=cls.__name__)
        if not is_classifier(best_estimator_of(estimator)):
            raise ValueError(
                f"estimator must be a fitted classifier with predict_proba; got {estimator!r}."
            )
        rows = np.sort(np.concatenate(list(parts.values())))
        found = predict_rows(estimator, "predict_proba", X, ids, rows, cls.__name__)
        # Rows without a label are not predicted; what stands there is not used.
        probabilities = np.full((len(ids), found.shape[1]), 1.0 / found.shape[1])
        probabilities[rows] = found
        return cls.from_predictions(
            y,
            probabilities,
            sample_domain=ids,
            classes=best_estimator_of(estimator).classes_,
            n_bins=n_bins,
            strategy=strategy,
            pos_label=pos_label,
            per_domain=per_domain,
            sample_weight=sample_weight,
            ax=ax,
            plot=plot,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_prob: ArrayLike,
        *,
        sample_domain: DomainIds,
        classes: ArrayLike | None = None,
        n_bins: int = 10,
        strategy: Literal["uniform", "quantile"] = "uniform",
        pos_label: Any = None,
        per_domain: bool = False,
        sample_weight: ArrayLike | None = None,
        ax: Axes | Sequence[Axes] | None = None,
        plot: bool = True,
    ) -> DomainCalibrationDisplay:
        """Compute the display from labels and probabilities.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            True labels. Target rows without one are left out.
        y_prob : array-like of shape (n_samples,) or (n_samples, n_classes)
            Probabilities of the second of two classes, or of all classes.
        sample_domain : array-like of int of shape (n_samples,)
            Domain of each row: >= 0 a source, < 0 a target.
        classes : array-like of shape (n_classes,), default=None
            Classes of the columns. None: the labels that occur, sorted.
        n_bins : int, default=10
            Number of bins, at least 2.
        strategy : {"uniform", "quantile"}, default="uniform"
            Bins of equal width, or of equal numbers of rows in each domain.
        pos_label : label, default=None
            Of two classes: the one whose probability is shown. None is the second. Of more
            classes, the one that is shown against all others; None is the most probable class.
        per_domain : bool, default=False
            Whether each domain has a curve. Otherwise all sources share one, and all targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw in. None makes a figure.
        plot : bool, default=True
            Whether to draw.

        Returns
        -------
        display : DomainCalibrationDisplay
            The display.
        """
        check_integer("n_bins", n_bins, low=2)
        check_option("strategy", strategy, ("uniform", "quantile"))
        check_bool("per_domain", per_domain)
        parts, ids = labeled_by_domain(
            y_true, sample_domain, per_domain=per_domain, who=cls.__name__
        )
        weights = check_row_weights(sample_weight, len(ids))
        labels = {name: take_labels(y_true, rows) for name, rows in parts.items()}
        if classes is None:
            classes = np.unique(np.concatenate(list(labels.values())))
        classes = np.asarray(classes)
        P = _check_probabilities(y_prob, len(ids), classes)
        column = _column_of(pos_label, classes)
        curves = {}
        for name, rows in parts.items():
            if not weights[rows].any():
                raise ValueError(f"sample_weight must not be zero on all labeled rows of {name}.")
            chosen, event = P[rows], labels[name]
            if column is None:
                best = chosen.argmax(axis=1)
                found = chosen[np.arange(len(rows)), best], event == classes[best]
            else:
                found = chosen[:, column], event == classes[column]
            curves[name] = reliability(*found, weights[rows], n_bins=n_bins, strategy=strategy)
        display = cls(curves, pos_label=None if column is None else classes[column])
        return display.plot(ax) if plot else display

    def plot(self, ax: Axes | Sequence[Axes] | None = None) -> DomainCalibrationDisplay:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw in. None makes a figure.

        Returns
        -------
        display : DomainCalibrationDisplay
            The display, with ``ax_``, ``axes_`` and ``figure_``.
        """
        (ax,) = self._begin(ax, 1, size=(4.2, 3.8))
        ax.plot([0, 1], [0, 1], color="gray", linewidth=0.8, linestyle=":", zorder=0)
        for i, (name, curve) in enumerate(self.curves.items()):
            style = style_of(i)
            if len(self.curves) == 2:
                style["color"] = (SOURCE_COLOR, TARGET_COLOR)[i]
            mark = style.pop("marker")
            error = self.expected_calibration_errors[name]
            label = f"{name}: error {error:.2f}"
            ax.plot(curve.predicted, curve.observed, linewidth=1.2, **style)
            ax.vlines(curve.predicted, curve.low, curve.high, color=style["color"], linewidth=0.8)
            area = np.maximum(_LARGEST_MARK * curve.part, _LEAST_MARK)
            ax.scatter(curve.predicted, curve.observed, s=area, color=style["color"], marker=mark)
            # Drawn without points, so that the legend has a mark of one size on the line.
            ax.plot([], [], marker=mark, markersize=5, label=label, **style)
        one = self.pos_label is not None
        ax.set(
            xlim=(-0.03, 1.03),
            ylim=(-0.03, 1.03),
            xlabel=f"probability of class {self.pos_label}" if one else "largest probability",
            ylabel=f"part that is of class {self.pos_label}" if one else "part that is right",
        )
        ax.set_title("predicted and observed", fontsize=TITLE_SIZE)
        ax.legend(frameon=False, fontsize=TEXT_SIZE, loc="best")
        open_frame(ax)
        return self


def _checked(name, curve):
    """Return a curve as arrays of one length, all between 0 and 1."""
    arrays = [np.atleast_1d(np.asarray(one, dtype=np.float64)) for one in curve]
    good = len(arrays) == len(Reliability._fields) and len({one.shape for one in arrays}) == 1
    if not good or not all(((one >= 0) & (one <= 1)).all() for one in arrays):
        raise ValueError(
            f"curves[{name!r}] must be five arrays of one length with values in [0, 1]: predicted, "
            "observed, low, high, part."
        )
    return Reliability(*arrays)


def _check_probabilities(y_prob, n, classes):
    """Return the probabilities of all classes (rows, classes)."""
    P = np.asarray(to_numpy(y_prob), dtype=np.float64)
    if P.ndim == 1:
        P = np.stack([1.0 - P, P], axis=1)
    if P.shape != (n, len(classes)):
        raise ValueError(
            f"y_prob must have shape {(n, len(classes))}, one column for each class of "
            f"{classes.tolist()}, or ({n},) for two; got shape {np.shape(y_prob)}. Pass classes= "
            "if not all of them occur among the labels."
        )
    if not (np.isfinite(P).all() and (P >= 0).all()) or np.abs(P.sum(1) - 1).max() > _SUM_TOLERANCE:
        raise ValueError("y_prob must be probabilities: from 0 to 1, and of sum 1 in each row.")
    return np.clip(P, 0.0, 1.0)


def _column_of(pos_label, classes):
    """Return the column of the class to show, None for the most probable class of several."""
    if pos_label is None:
        return 1 if len(classes) == 2 else None
    found = np.flatnonzero(classes == pos_label)
    if not len(found):
        raise ValueError(f"pos_label must be one of {classes.tolist()}; got {pos_label!r}.")
    return int(found[0])
