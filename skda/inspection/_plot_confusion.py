"""Confusion matrices of the source and of the target, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from sklearn.metrics import confusion_matrix

from .._core._labels import as_labels, join_labels, take_labels
from .._core._param_checks import check_bool, check_option
from .._core._typing import ArrayLike, DomainIds, Predictor
from ._base_display import BaseDisplay
from ._domain_predictions import (
    check_row_count,
    check_row_weights,
    labeled_by_domain,
    predict_rows,
)
from ._plot_axes import TEXT_SIZE, TITLE_SIZE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_WITH_DECIMALS = 6  # classes: cells of more have room for two digits, and show percent
_DARK = 0.6  # part of the largest value from which a cell's text is white


class DomainConfusionDisplay(BaseDisplay):
    """Confusion matrices of the source and of the target, side by side.

    A model that a shift harms does not fail alike in all classes. The two matrices show which
    classes it takes for which in either domain, on one scale of colors. Made by
    :meth:`from_estimator` or :meth:`from_predictions`, as scikit-learn's displays are.

    Parameters
    ----------
    counts : dict of str to array-like of shape (n_classes, n_classes)
        By name of the domain: the number (or weight) of rows of each true class (rows) that were
        predicted as each class (columns).
    labels : array-like of shape (n_classes,)
        Names of the classes, in that order.
    normalize : {"true", "pred", "all", None}, default="true"
        What the numbers are parts of: the rows of the true class, those of the predicted class, or
        all rows. None shows counts.

    Attributes
    ----------
    confusion_matrices : dict of str to ndarray of shape (n_classes, n_classes)
        What is shown, by name of the domain.
    accuracies : dict of str to float
        Part of the rows that are predicted rightly.
    counts : dict of str to ndarray
        As passed.
    labels : ndarray of shape (n_classes,)
        As passed.
    normalize : str or None
        As passed.
    ax_ : matplotlib.axes.Axes
        After ``plot``: the first of the axes.
    axes_ : list of matplotlib.axes.Axes
        After ``plot``: one for each domain.
    figure_ : matplotlib.figure.Figure
        After ``plot``: the figure.

    See Also
    --------
    DomainCalibrationDisplay : Whether the probabilities can be believed.
    sklearn.metrics.ConfusionMatrixDisplay : One matrix.

    Examples
    --------
    >>> from skda.inspection import DomainConfusionDisplay
    >>> y_true, y_pred = ["a", "b", "a", "b"], ["a", "b", "b", "b"]
    >>> display = DomainConfusionDisplay.from_predictions(
    ...     y_true, y_pred, sample_domain=[1, 1, -2, -2], plot=False
    ... )
    >>> display.accuracies
    {'source': 1.0, 'target': 0.5}
    """

    def __init__(
        self,
        counts: Mapping[str, ArrayLike],
        *,
        labels: ArrayLike,
        normalize: Literal["true", "pred", "all"] | None = "true",
    ):
        check_option("normalize", normalize, ("true", "pred", "all", None))
        self.labels = np.asarray(labels)
        size = (len(self.labels), len(self.labels))
        if not isinstance(counts, dict) or not counts:
            raise ValueError(f"counts must be a dict of domains to matrices; got {counts!r}.")
        self.counts = {name: np.asarray(one, dtype=np.float64) for name, one in counts.items()}
        for name, one in self.counts.items():
            if one.shape != size or not np.isfinite(one).all() or (one < 0).any():
                raise ValueError(
                    f"counts[{name!r}] must be a matrix of shape {size}, for as many labels, of "
                    f"finite numbers that are not negative; got shape {one.shape}."
                )
        self.normalize = normalize
        self.confusion_matrices = {
            name: _normalized(one, normalize) for name, one in self.counts.items()
        }
        self.accuracies = {
            name: float(np.trace(one) / (one.sum() or 1.0)) for name, one in self.counts.items()
        }

    @classmethod
    def from_estimator(
        cls,
        estimator: Predictor,
        X: ArrayLike,
        y: ArrayLike,
        *,
        sample_domain: DomainIds,
        labels: ArrayLike | None = None,
        normalize: Literal["true", "pred", "all"] | None = "true",
        per_domain: bool = False,
        sample_weight: ArrayLike | None = None,
        ax: Axes | Sequence[Axes] | None = None,
        plot: bool = True,
    ) -> DomainConfusionDisplay:
        """Compute the display from a fitted classifier and labeled rows.

        Parameters
        ----------
        estimator : fitted classifier
            With ``predict``; a pipeline or a search as well. Each row is predicted as one of its
            own domain.
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            Rows of all domains.
        y : array-like of shape (n_samples,)
            True labels. Target rows without one are left out.
        sample_domain : array-like of int of shape (n_samples,)
            Domain of each row: >= 0 a source, < 0 a target.
        labels : array-like of shape (n_classes,), default=None
            Classes to show, in this order. None shows all that occur, sorted.
        normalize : {"true", "pred", "all", None}, default="true"
            What the numbers are parts of. None shows counts.
        per_domain : bool, default=False
            Whether each domain has a matrix. Otherwise all sources share one, and all targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row.
        ax : sequence of matplotlib.axes.Axes, default=None
            Axes to draw in, one for each matrix. None makes a figure.
        plot : bool, default=True
            Whether to draw.

        Returns
        -------
        display : DomainConfusionDisplay
            The display.
        """
        check_row_count(X, y)
        parts, ids = labeled_by_domain(y, sample_domain, per_domain=False, who=cls.__name__)
        rows = np.sort(np.concatenate(list(parts.values())))
        found = as_labels(predict_rows(estimator, "predict", X, ids, rows, cls.__name__))
        # Rows without a label are not predicted, and have no place in the matrix.
        predicted = np.empty(len(ids), dtype=object)
        predicted[rows] = found.tolist()
        return cls.from_predictions(
            y,
            predicted,
            sample_domain=ids,
            labels=labels,
            normalize=normalize,
            per_domain=per_domain,
            sample_weight=sample_weight,
            ax=ax,
            plot=plot,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        sample_domain: DomainIds,
        labels: ArrayLike | None = None,
        normalize: Literal["true", "pred", "all"] | None = "true",
        per_domain: bool = False,
        sample_weight: ArrayLike | None = None,
        ax: Axes | Sequence[Axes] | None = None,
        plot: bool = True,
    ) -> DomainConfusionDisplay:
        """Compute the display from labels and predictions.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            True labels. Target rows without one are left out.
        y_pred : array-like of shape (n_samples,)
            Predicted labels.
        sample_domain : array-like of int of shape (n_samples,)
            Domain of each row: >= 0 a source, < 0 a target.
        labels : array-like of shape (n_classes,), default=None
            Classes to show, in this order. None shows all that occur, sorted.
        normalize : {"true", "pred", "all", None}, default="true"
            What the numbers are parts of. None shows counts.
        per_domain : bool, default=False
            Whether each domain has a matrix. Otherwise all sources share one, and all targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row.
        ax : sequence of matplotlib.axes.Axes, default=None
            Axes to draw in, one for each matrix. None makes a figure.
        plot : bool, default=True
            Whether to draw.

        Returns
        -------
        display : DomainConfusionDisplay
            The display.
        """
        check_bool("per_domain", per_domain)
        parts, ids = labeled_by_domain(
            y_true, sample_domain, per_domain=per_domain, who=cls.__name__
        )
        y_pred = as_labels(y_pred)
        if y_pred.shape != ids.shape:
            raise ValueError(
                "y_pred must have one label per row of y_true; got shape "
                f"{y_pred.shape} for {len(ids)} rows."
            )
        weights = check_row_weights(sample_weight, len(ids))
        pairs = {
            name: (take_labels(y_true, rows), take_labels(y_pred, rows))
            for name, rows in parts.items()
        }
        if labels is None:
            labels = np.unique(join_labels([side for pair in pairs.values() for side in pair]))
            # Integers that were floats for the sake of a missing mark are named as integers.
            if labels.dtype.kind == "f" and (labels == np.rint(labels)).all():
                labels = labels.astype(np.int64)
        counts = {
            name: confusion_matrix(*pair, labels=labels, sample_weight=weights[parts[name]])
            for name, pair in pairs.items()
        }
        display = cls(counts, labels=labels, normalize=normalize)
        return display.plot(ax) if plot else display

    def plot(self, ax: Axes | Sequence[Axes] | None = None) -> DomainConfusionDisplay:
        """Draw the matrices.

        Parameters
        ----------
        ax : sequence of matplotlib.axes.Axes, default=None
            Axes to draw in, one for each matrix. None makes a figure.

        Returns
        -------
        display : DomainConfusionDisplay
            The display, with ``ax_``, ``axes_`` and ``figure_``.
        """
        axes = self._begin(ax, len(self.counts), size=(3.3, 3.3), n_columns=2)
        top = max(float(one.max()) for one in self.confusion_matrices.values()) or 1.0
        for one, (name, matrix) in zip(axes, self.confusion_matrices.items(), strict=True):
            self._draw(one, name, matrix, 1.0 if self.normalize else top)
        axes[0].set_ylabel("true class")
        return self

    def _draw(self, ax, name, matrix, top):
        ax.imshow(matrix, cmap="Blues", vmin=0.0, vmax=top)
        many = len(self.labels) > _MOST_WITH_DECIMALS
        for (i, j), value in np.ndenumerate(matrix):
            # Zeros of many classes would hide the few numbers that say something.
            if not (many and round(value, 2) == 0.0):
                color = "white" if value > _DARK * top else "black"
                text = self._text(value, many)
                size = 7 if many else 9
                ax.text(j, i, text, ha="center", va="center", color=color, fontsize=size)
        names, places = [str(label) for label in self.labels], np.arange(len(self.labels))
        long = max(map(len, names)) > 3 and len(names) > 2
        ax.set_xticks(
            places,
            names,
            rotation=45 if long else 0,
            ha="right" if long else "center",
            fontsize=TEXT_SIZE,
        )
        ax.set_yticks(places, names, fontsize=TEXT_SIZE)
        ax.set_xlabel("predicted class")
        unit = " (cells in %)" if many and self.normalize else ""
        title = f"{name}: accuracy {self.accuracies[name]:.2f}{unit}"
        ax.set_title(title, fontsize=TITLE_SIZE)

    def _text(self, value, many):
        if not self.normalize:
            return f"{value:.3g}"
        return f"{100 * value:.0f}" if many else f"{value:.2f}"


def _normalized(counts, normalize):
    """Return the counts as parts; a class without rows has zeros."""
    if normalize is None:
        return counts
    axis = {"true": 1, "pred": 0, "all": None}[normalize]
    total = counts.sum(axis=axis, keepdims=True)
    return np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
