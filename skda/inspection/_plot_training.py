"""Losses and accuracies of a training, by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .._core._typing import ArrayLike, Predictor
from ._base_display import BaseDisplay
from ._plot_axes import TEXT_SIZE, open_frame, style_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEGEND_SIZE = 7  # of some five names beside the curves


class TrainingCurveDisplay(BaseDisplay):
    """Losses and accuracies of a training, by epoch.

    Shows whether the training has come to rest, whether the alignment lowers its loss beside the
    classifier's, and, with an adversary, whether it can still tell the domains apart: its accuracy
    is 0.5 where it cannot. Made by :meth:`from_estimator`, as scikit-learn's displays are.

    Parameters
    ----------
    epochs : array-like of shape (n_epochs,)
        Numbers of the epochs.
    losses : dict of str to array-like of shape (n_epochs,)
        By name.
    accuracies : dict of str to array-like of shape (n_epochs,), default=None
        By name. None: there are none.

    Attributes
    ----------
    epochs : ndarray of shape (n_epochs,)
        As passed.
    losses, accuracies : dict of str to ndarray of shape (n_epochs,)
        As passed.
    ax_ : matplotlib.axes.Axes
        After ``plot``: the axes of the losses.
    axes_ : list of matplotlib.axes.Axes
        After ``plot``: those of the losses and, if there are any, those of the accuracies.
    figure_ : matplotlib.figure.Figure
        After ``plot``: the figure.

    See Also
    --------
    ConvergenceDisplay : The iterations of methods without epochs.

    Examples
    --------
    >>> from skda.inspection import TrainingCurveDisplay
    >>> display = TrainingCurveDisplay([1, 2], {"train_loss": [1.0, 0.5]})
    >>> display.losses["train_loss"].tolist()
    [1.0, 0.5]
    """

    def __init__(
        self,
        epochs: ArrayLike,
        losses: Mapping[str, ArrayLike],
        accuracies: Mapping[str, ArrayLike] | None = None,
    ):
        self.epochs = np.asarray(epochs, dtype=np.float64)
        if self.epochs.ndim != 1 or not len(self.epochs):
            raise ValueError(f"epochs must be a list of numbers, at least one; got {epochs!r}.")
        if not isinstance(losses, dict) or not losses:
            raise ValueError(f"losses must be a dict of names to values; got {losses!r}.")
        self.losses = {name: self._curve(name, one) for name, one in losses.items()}
        self.accuracies = {name: self._curve(name, one) for name, one in (accuracies or {}).items()}

    def _curve(self, name, values):
        values = np.asarray(values, dtype=np.float64)
        if values.shape != self.epochs.shape:
            raise ValueError(
                f"{name} must have one value for each of {len(self.epochs)} epochs; got shape "
                f"{values.shape}."
            )
        return values

    @classmethod
    def from_estimator(
        cls, net: Predictor, *, ax: Axes | Sequence[Axes] | None = None, plot: bool = True
    ) -> TrainingCurveDisplay:
        """Take what a fitted net has recorded.

        Parameters
        ----------
        net : fitted estimator
            With ``history_``, as all nets of skda and of skorch have: one entry for each epoch.
        ax : matplotlib.axes.Axes or sequence of them, default=None
            Axes of the losses, and those of the accuracies. One for both gets a second scale at
            the right. None makes a figure.
        plot : bool, default=True
            Whether to draw.

        Returns
        -------
        display : TrainingCurveDisplay
            The display.
        """
        # skorch's own nets keep it without the underscore.
        history = getattr(net, "history_", None) or getattr(net, "history", None)
        if not history or not isinstance(history[0], dict) or "epoch" not in history[0]:
            raise ValueError(
                "net must be a fitted net with the attribute history_, as skda.DANNClassifier has "
                f"after fit; got {net!r}."
            )
        names = [name for name in history[0] if name.endswith(("_loss", "_accuracy"))]
        # An entry of a later stage may lack what an earlier one has recorded.
        curves = {name: [row.get(name, np.nan) for row in history] for name in names}
        losses = {name: one for name, one in curves.items() if name.endswith("_loss")}
        accuracies = {name: one for name, one in curves.items() if name.endswith("_accuracy")}
        display = cls([row["epoch"] for row in history], losses, accuracies)
        return display.plot(ax) if plot else display

    def plot(self, ax: Axes | Sequence[Axes] | None = None) -> TrainingCurveDisplay:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or sequence of them, default=None
            Axes of the losses, and those of the accuracies. One for both gets a second scale at
            the right. None makes a figure.

        Returns
        -------
        display : TrainingCurveDisplay
            The display, with ``ax_``, ``axes_`` and ``figure_``.
        """
        one_given = ax is not None and np.ndim(np.asarray(ax, dtype=object)) == 0
        twins = one_given and bool(self.accuracies)
        self._begin(ax, 2 if self.accuracies and not twins else 1)
        if twins:
            self.axes_.append(self.ax_.twinx())
        left, right = self.axes_[0], self.axes_[1:]
        for i, (name, values) in enumerate(self.losses.items()):
            self._draw(left, i, name, values)
        left.set(xlabel="epoch", ylabel="loss")
        for i, (name, values) in enumerate(self.accuracies.items(), start=len(self.losses)):
            self._draw(right[0], i, name, values)
        if "domain_accuracy" in self.accuracies:
            # Of an adversary that guesses.
            right[0].axhline(0.5, color="gray", linewidth=0.8, linestyle=":", zorder=0)
        if right:
            right[0].set(xlabel="" if twins else "epoch", ylabel="accuracy", ylim=(0.0, 1.05))
        open_frame(*([] if twins else self.axes_))
        self._legends(left, right, twins)
        return self

    def _draw(self, ax, i, name, values):
        # One mark in ten epochs: more would hide the line.
        every = max(1, len(self.epochs) // 10)
        ax.plot(
            self.epochs, values, label=name, markevery=every, markersize=4, linewidth=1.2,
            **style_of(i),
        )  # fmt: skip

    @staticmethod
    def _legends(left, right, twins):
        if twins:
            drawn = [*left.get_legend_handles_labels()[0], *right[0].get_legend_handles_labels()[0]]
            right[0].legend(drawn, [line.get_label() for line in drawn], fontsize=TEXT_SIZE)
            return
        for one in (left, *right):
            one.legend(fontsize=_LEGEND_SIZE)
