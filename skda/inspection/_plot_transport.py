"""A transport plan: which rows it pairs, and whether it keeps classes together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from .._array._backend import to_numpy
from .._array._rows import n_rows
from .._core._labels import as_labels, missing_labels, take_labels
from .._core._param_checks import check_integer, check_option
from .._core._sample_domain import check_both_sides, check_sample_domain
from .._core._typing import ArrayLike, DomainIds, Estimator
from ._base_display import BaseDisplay
from ._pictures import check_points, project
from ._plot_axes import (
    SOURCE_COLOR,
    SOURCE_MARK,
    TARGET_COLOR,
    TARGET_MARK,
    TEXT_SIZE,
    TITLE_SIZE,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Cells of the image to a side: of more, single pairs would be too small to be seen.
_MOST_CELLS = 60
_MOST_CLASSES = 20  # labels of more kinds than these are numbers, and are sorted as such
_FAINTEST = 0.15  # opacity of a line without mass


class TransportPlanDisplay(BaseDisplay):
    """A transport plan as lines between the rows that it pairs, and as an image sorted by class.

    The lines show how far mass travels and whether it crosses. The image shows whether rows of a
    class go to rows of the same class: then its dark cells lie in blocks along the diagonal. Made
    by :meth:`from_estimator`, as scikit-learn's displays are.

    Parameters
    ----------
    plan : array-like of shape (n_source, n_target)
        Mass that goes from each source row to each target row, none negative.
    source, target : array-like of shape (n_source, 2) and (n_target, 2)
        Where the rows lie in the picture.
    y_source : array-like of shape (n_source,), default=None
        Labels of the source rows, by which the image is sorted. None: in the given order.
    y_target : array-like of shape (n_target,), default=None
        Labels of the target rows. None, or where labels are missing: sorted by the label that the
        plan carries there.

    Attributes
    ----------
    plan : ndarray of shape (n_source, n_target)
        As passed, divided by its sum.
    source, target : ndarray of shape (n_source, 2) and (n_target, 2)
        As passed.
    y_source : ndarray of shape (n_source,) or None
        As passed.
    y_target : ndarray of shape (n_target,) or None
        As passed, or the labels that the plan carries.
    within_classes : float or None
        Part of the mass that goes to target rows of the same class; None without labels of both
        sides.
    ax_ : matplotlib.axes.Axes
        After ``plot``: the first of the axes.
    axes_ : list of matplotlib.axes.Axes
        After ``plot``: lines, image, or both.
    figure_ : matplotlib.figure.Figure
        After ``plot``: the figure.

    See Also
    --------
    plot_domains : The rows before and after a map.
    skda.OptimalTransportTransformer : Moves rows along a plan.

    Notes
    -----
    Rows of more than two features are shown in the plane of the two largest variances. A plan
    between many rows is large: take some hundred rows of each side.

    Examples
    --------
    >>> from skda.inspection import TransportPlanDisplay
    >>> display = TransportPlanDisplay(
    ...     [[0.5, 0.0], [0.1, 0.4]], [[0, 0], [1, 0]], [[0, 1], [1, 1]],
    ...     y_source=["a", "b"], y_target=["a", "b"],
    ... )
    >>> display.within_classes
    0.9
    """

    def __init__(
        self,
        plan: ArrayLike,
        source: ArrayLike,
        target: ArrayLike,
        *,
        y_source: ArrayLike | None = None,
        y_target: ArrayLike | None = None,
    ):
        plan = np.asarray(to_numpy(plan), dtype=np.float64)
        good = plan.ndim == 2 and np.isfinite(plan).all() and (plan >= 0).all() and plan.any()
        if not good:
            raise ValueError(
                "plan must be a matrix of finite numbers, none negative and not all zero; got "
                f"shape {plan.shape}."
            )
        self.plan = plan / plan.sum()
        self.source = check_points("source", source, plan.shape[0])
        self.target = check_points("target", target, plan.shape[1])
        self.y_source = _labels("y_source", y_source, plan.shape[0])
        self.y_target = _labels("y_target", y_target, plan.shape[1])
        self.within_classes = None
        known = self.y_target is not None and not missing_labels(self.y_target).any()
        if self.y_source is None:
            return
        if not known:
            self.y_target = self._carried_labels()
        elif not _are_numbers(self.y_source):
            same = self.y_source[:, None] == self.y_target[None, :]
            self.within_classes = round(float(self.plan[same].sum()), 12)

    def _carried_labels(self):
        """Return the label that most mass carries to each target row, or their mean of numbers."""
        if _are_numbers(self.y_source):
            mass = np.maximum(self.plan.sum(axis=0), np.finfo(float).tiny)
            return self.plan.T @ self.y_source / mass
        classes, codes = np.unique(self.y_source, return_inverse=True)
        return classes[(self.plan.T @ np.eye(len(classes))[codes]).argmax(axis=1)]

    @classmethod
    def from_estimator(
        cls,
        estimator: Estimator,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        sample_domain: DomainIds,
        kind: Literal["both", "lines", "image"] = "both",
        ax: Axes | Sequence[Axes] | None = None,
        plot: bool = True,
    ) -> TransportPlanDisplay:
        """Compute the display from a fitted estimator and its rows.

        Parameters
        ----------
        estimator : fitted estimator
            With ``transport_plan``, as :class:`~skda.OptimalTransportTransformer`,
            :class:`~skda.JDOTClassifier`, :class:`~skda.JDOTRegressor` and
            :class:`~skda.OTLabelPropagationClassifier`.
        X : array-like of shape (n_samples, n_features)
            Rows of all domains, those that it was fitted on as a rule.
        y : array-like of shape (n_samples,), default=None
            Labels, by which the image is sorted. The plan uses those of source rows only, where its
            method does.
        sample_domain : array-like of int of shape (n_samples,)
            Domain of each row: >= 0 a source, < 0 a target.
        kind : {"both", "lines", "image"}, default="both"
            What to draw.
        ax : matplotlib.axes.Axes or sequence of them, default=None
            Axes to draw in, two for both. None makes a figure.
        plot : bool, default=True
            Whether to draw.

        Returns
        -------
        display : TransportPlanDisplay
            The display.
        """
        check_option("kind", kind, ("both", "lines", "image"))
        if not hasattr(estimator, "transport_plan"):
            raise ValueError(
                "estimator must be a fitted one with the method transport_plan, as "
                f"skda.OptimalTransportTransformer has; got {estimator!r}. Of a pipeline pass the "
                "step, and the rows that reach it."
            )
        ids = check_sample_domain(sample_domain, n_rows(X))
        check_both_sides(ids)
        plan = estimator.transport_plan(X, y, sample_domain=ids)
        # The seed of the reduction of wide rows: a figure should not change by itself.
        points = _in_the_plane(X, ids)
        labels = {}
        if y is not None:
            y = as_labels(y)
            labels["y_source"] = take_labels(y, ids >= 0)
            labels["y_target"] = take_labels(y, ids < 0)
        display = cls(plan, points[ids >= 0], points[ids < 0], **labels)
        return display.plot(ax, kind=kind) if plot else display

    def plot(
        self,
        ax: Axes | Sequence[Axes] | None = None,
        *,
        kind: Literal["both", "lines", "image"] = "both",
        max_lines: int = 300,
    ) -> TransportPlanDisplay:
        """Draw the plan.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or sequence of them, default=None
            Axes to draw in, two for both. None makes a figure.
        kind : {"both", "lines", "image"}, default="both"
            Lines between the rows, the image, or both.
        max_lines : int, default=300
            Most lines to draw, those of most mass.

        Returns
        -------
        display : TransportPlanDisplay
            The display, with ``ax_``, ``axes_`` and ``figure_``.
        """
        check_option("kind", kind, ("both", "lines", "image"))
        check_integer("max_lines", max_lines)
        axes = self._begin(ax, 2 if kind == "both" else 1, size=(3.5, 3.2))
        if kind != "image":
            self._draw_lines(axes[0], max_lines)
        if kind != "lines":
            self._draw_image(axes[-1])
        return self

    def _draw_lines(self, ax, max_lines):
        from matplotlib.collections import LineCollection

        heaviest = np.argsort(-self.plan, axis=None, kind="stable")[:max_lines]
        i, j = np.unravel_index(heaviest, self.plan.shape)
        mass = self.plan[i, j]
        i, j, mass = i[mass > 0], j[mass > 0], mass[mass > 0]
        opacity = _FAINTEST + (1.0 - _FAINTEST) * mass / mass.max()
        ends = np.stack([self.source[i], self.target[j]], axis=1)
        ax.add_collection(LineCollection(ends, colors="black", alpha=opacity, linewidths=0.5))
        for points, color, mark, label in (
            (self.source, SOURCE_COLOR, SOURCE_MARK, "source"),
            (self.target, TARGET_COLOR, TARGET_MARK, "target"),
        ):
            ax.scatter(*points.T, s=14, color=color, marker=mark, label=label, zorder=3)
        ax.set(xticks=[], yticks=[])
        ax.set_title(f"lines: {100 * mass.sum():.0f} % of the mass", fontsize=TITLE_SIZE)
        ax.legend(frameon=False, fontsize=TEXT_SIZE)

    def _draw_image(self, ax):
        rows = _order(self.y_source, len(self.source))
        columns = _order(self.y_target, len(self.target))
        cells = _in_cells(self.plan[np.ix_(rows, columns)])
        n, m = self.plan.shape
        ax.imshow(cells, cmap="Blues", aspect="auto", extent=(0, m, n, 0), vmin=0.0)
        title = "plan"
        if self.within_classes is not None:
            title = f"plan: {100 * self.within_classes:.0f} % within classes"
        ax.set_title(title, fontsize=TITLE_SIZE)
        ax.set(xlabel="target rows", ylabel="source rows", xticks=[], yticks=[])
        if self.y_source is None or _are_numbers(self.y_source):
            return
        _mark_classes(ax, self.y_target[columns], horizontal=True)
        _mark_classes(ax, self.y_source[rows], horizontal=False)


def _labels(name, y, n):
    if y is None:
        return None
    y = as_labels(y)
    if y.shape != (n,):
        raise ValueError(f"{name} must have one label for each of {n} rows; got shape {y.shape}.")
    return y


def _in_the_plane(X, ids):
    """Return two features as they are, and others in the plane of the two largest variances."""
    if hasattr(X, "shape") and X.shape[1] == 2 and not hasattr(X, "columns"):
        return np.asarray(to_numpy(X), dtype=np.float64)
    return project(X, ids, random_state=0)[0]


def _are_numbers(y):
    return y.dtype.kind == "f" and len(np.unique(y)) > _MOST_CLASSES


def _order(y, n):
    """Return the rows sorted by their labels, as they came where there are none."""
    return np.arange(n) if y is None else np.argsort(y, kind="stable")


def _in_cells(plan):
    """Return the sums of the plan over neighboring rows and columns, so that each can be seen."""
    for axis in (0, 1):
        n = plan.shape[axis]
        starts = np.unique(np.linspace(0, n, min(n, _MOST_CELLS), endpoint=False).astype(int))
        plan = np.add.reduceat(plan, starts, axis=axis)
    return plan


def _mark_classes(ax, y, *, horizontal):
    """Write the classes along a side, with a line between each two."""
    classes, first, count = np.unique(y, return_index=True, return_counts=True)
    for start in first[first > 0]:
        draw = ax.axvline if horizontal else ax.axhline
        draw(start, color="black", linewidth=0.6)
    names = [str(name) for name in classes]
    put = ax.set_xticks if horizontal else ax.set_yticks
    put(first + count / 2, names, fontsize=TEXT_SIZE)
    ax.tick_params(length=0)
