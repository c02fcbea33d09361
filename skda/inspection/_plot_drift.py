"""The evidence that a monitor has seen, with its alarm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._core._param_checks import check_real
from .._core._typing import ArrayLike
from ._base_display import BaseDisplay
from ._plot_axes import COLORS, TEXT_SIZE, open_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class DriftDisplay(BaseDisplay):
    """The evidence of drift over the rows of a stream, with threshold and alarm.

    Made by :meth:`from_estimator`, as scikit-learn's displays are.

    Parameters
    ----------
    rows : array-like of shape (n,)
        Rows of the stream at which the evidence was taken.
    evidence : array-like of shape (n,)
        E-value at each of them.
    threshold : float
        Evidence at which the alarm sounds.
    alarm_row : int, default=None
        Row of the alarm. None: there was none.
    since : int, default=None
        Row at which the change is estimated to have begun.
    feature : str, default=None
        Feature that speaks most for the change.

    Attributes
    ----------
    rows, evidence : ndarray of shape (n,)
        As passed.
    threshold : float
        As passed.
    alarm_row, since : int or None
        As passed.
    feature : str or None
        As passed.
    ax_ : matplotlib.axes.Axes
        After ``plot``: the axes.
    axes_ : list of matplotlib.axes.Axes
        After ``plot``: the same in a list.
    figure_ : matplotlib.figure.Figure
        After ``plot``: the figure.

    See Also
    --------
    skda.monitoring.DriftMonitor : Watches the stream.

    Examples
    --------
    >>> from skda.inspection import DriftDisplay
    >>> DriftDisplay([1, 2, 3], [1.0, 4.0, 30.0], 20.0, alarm_row=3).alarm_row
    3
    """

    def __init__(
        self,
        rows: ArrayLike,
        evidence: ArrayLike,
        threshold: float,
        *,
        alarm_row: int | None = None,
        since: int | None = None,
        feature: str | None = None,
    ):
        self.rows = np.asarray(rows, dtype=np.float64)
        self.evidence = np.asarray(evidence, dtype=np.float64)
        if self.rows.ndim != 1 or self.rows.shape != self.evidence.shape:
            raise ValueError(
                "rows and evidence must be lists of one length; got shapes "
                f"{self.rows.shape} and {self.evidence.shape}."
            )
        self.threshold = check_real("threshold", threshold, low=0, closed="neither")
        self.alarm_row = alarm_row
        self.since = since
        self.feature = feature

    @classmethod
    def from_estimator(
        cls, monitor: Any, *, ax: Axes | Sequence[Axes] | None = None, plot: bool = True
    ) -> DriftDisplay:
        """Take what a fitted monitor has seen.

        Parameters
        ----------
        monitor : fitted DriftMonitor
            With ``trace_`` and ``threshold_``, as :class:`~skda.monitoring.DriftMonitor` has.
        ax : matplotlib.axes.Axes, default=None
            Axes to draw in. None makes a figure.
        plot : bool, default=True
            Whether to draw.

        Returns
        -------
        display : DriftDisplay
            The display.
        """
        if not hasattr(monitor, "trace_") or not hasattr(monitor, "threshold_"):
            raise ValueError(
                "monitor must be fitted and have the attributes trace_ and threshold_, as "
                f"skda.monitoring.DriftMonitor has after fit; got {monitor!r}."
            )
        alarm = {}
        if monitor.alarm_:
            feature = next(iter(monitor.features_))
            alarm = {"alarm_row": monitor.alarm_row_, "since": monitor.since_, "feature": feature}
        rows, evidence = monitor.trace_
        display = cls(rows, evidence, monitor.threshold_, **alarm)
        return display.plot(ax) if plot else display

    def plot(self, ax: Axes | Sequence[Axes] | None = None) -> DriftDisplay:
        """Draw the evidence.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, default=None
            Axes to draw in. None makes a figure.

        Returns
        -------
        display : DriftDisplay
            The display, with ``ax_``, ``axes_`` and ``figure_``.
        """
        (ax,) = self._begin(ax, 1, size=(5.0, 3.2))
        # Evidence below 1 says nothing, and the logarithm of 0 cannot be drawn.
        ax.plot(self.rows, np.maximum(self.evidence, 1.0), color=COLORS[0], label="evidence")
        ax.axhline(self.threshold, color="black", linestyle="--", label="alarm at")
        if self.alarm_row is not None:
            label = "alarm" if self.feature is None else f"alarm: {self.feature}"
            ax.axvline(self.alarm_row, color=COLORS[1], label=label)
        if self.since is not None:
            ax.axvline(self.since, color=COLORS[1], linestyle=":", label="change estimated at")
        ax.set(yscale="log", xlabel="row of the stream", ylabel="e-value")
        ax.legend(fontsize=TEXT_SIZE)
        open_frame(ax)
        return self
