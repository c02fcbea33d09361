"""What an iterative method lowers, by iteration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .._core._typing import ArrayLike, Estimator
from ._base_display import BaseDisplay
from ._plot_axes import TITLE_SIZE, open_frame, style_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Fitted attributes that hold one value for each iteration, with what they are, and whether they
# fall over many powers of ten.
_TRACES = {
    "objectives_": ("objective", False),
    "label_changes_": ("pseudo-labels that change", False),
    "changes_": ("largest relative change", True),
    "kkt_residuals_": ("KKT residual", True),
    "gaps_": ("distance from the optimum", True),
    "estimator_errors_": ("error on labeled target rows", False),
    "target_share_": ("target rows' part of the weight", False),
}


class ConvergenceDisplay(BaseDisplay):
    """What an iterative method lowers, by iteration.

    Shows whether a method came to rest or was stopped: its objective, its residual, or how many
    pseudo-labels changed in each round. Made by :meth:`from_estimator`, as scikit-learn's displays
    are.

    Parameters
    ----------
    traces : dict of str to array-like of shape (n_iterations,)
        By what they are, one value for each iteration.
    logarithmic : sequence of str, default=()
        Which of them are drawn on a logarithmic scale.
    first : int, default=1
        Number of the first iteration.

    Attributes
    ----------
    traces : dict of str to ndarray of shape (n_iterations,)
        As passed.
    logarithmic : tuple of str
        As passed.
    first : int
        As passed.
    ax_ : matplotlib.axes.Axes
        After ``plot``: the first of the axes.
    axes_ : list of matplotlib.axes.Axes
        After ``plot``: one for each trace.
    figure_ : matplotlib.figure.Figure
        After ``plot``: the figure.

    See Also
    --------
    TrainingCurveDisplay : Losses of a neural network.

    Notes
    -----
    Of which estimators it takes what:

    - ``objectives_`` of :class:`~skda.JDOTClassifier` and :class:`~skda.JDOTRegressor`;
    - ``label_changes_`` of :class:`~skda.JDATransformer` and :class:`~skda.MEDAClassifier`;
    - ``changes_`` of :class:`~skda.TJMTransformer`;
    - ``kkt_residuals_`` of :class:`~skda.KMMWeighter`;
    - ``gaps_`` of :class:`~skda.KLIEPWeighter`;
    - ``estimator_errors_`` and ``target_share_`` of :class:`~skda.TrAdaBoostClassifier` and the
      others of its kind.

    Examples
    --------
    >>> from skda.inspection import ConvergenceDisplay
    >>> ConvergenceDisplay({"objective": [3.0, 1.0, 0.9]}).traces["objective"].shape
    (3,)
    """

    def __init__(
        self, traces: Mapping[str, ArrayLike], *, logarithmic: Sequence[str] = (), first: int = 1
    ):
        if not isinstance(traces, dict) or not traces:
            raise ValueError(f"traces must be a dict of names to values; got {traces!r}.")
        self.traces = {name: np.asarray(one, dtype=np.float64) for name, one in traces.items()}
        for name, one in self.traces.items():
            if one.ndim != 1 or not len(one):
                raise ValueError(
                    f"traces[{name!r}] must have one value for each iteration, at least one; got "
                    f"shape {one.shape}."
                )
        self.logarithmic = tuple(logarithmic)
        self.first = first

    @classmethod
    def from_estimator(
        cls, estimator: Estimator, *, ax: Axes | Sequence[Axes] | None = None, plot: bool = True
    ) -> ConvergenceDisplay:
        """Take what a fitted estimator has recorded.

        Parameters
        ----------
        estimator : fitted estimator
            One of those in the Notes, or an estimator that holds one as ``weighter_``. Of a
            pipeline, pass the step.
        ax : matplotlib.axes.Axes or sequence of them, default=None
            Axes to draw in, one for each trace. None makes a figure.
        plot : bool, default=True
            Whether to draw.

        Returns
        -------
        display : ConvergenceDisplay
            The display.
        """
        inner = getattr(estimator, "weighter_", estimator)
        found = {name: getattr(inner, name) for name in _TRACES if hasattr(inner, name)}
        found = {name: values for name, values in found.items() if len(values)}
        if not found:
            raise ValueError(
                f"estimator must be fitted and have one of the attributes {list(_TRACES)} with at "
                f"least one iteration; got {estimator!r}. Of a pipeline pass the step, for example "
                "pipeline[-1]."
            )
        traces = {_TRACES[name][0]: values for name, values in found.items()}
        logarithmic = [_TRACES[name][0] for name in found if _TRACES[name][1]]
        display = cls(traces, logarithmic=logarithmic)
        return display.plot(ax) if plot else display

    def plot(self, ax: Axes | Sequence[Axes] | None = None) -> ConvergenceDisplay:
        """Draw the traces.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or sequence of them, default=None
            Axes to draw in, one for each trace. None makes a figure.

        Returns
        -------
        display : ConvergenceDisplay
            The display, with ``ax_``, ``axes_`` and ``figure_``.
        """
        axes = self._begin(ax, len(self.traces))
        for i, (one, (name, values)) in enumerate(zip(axes, self.traces.items(), strict=True)):
            steps = np.arange(self.first, self.first + len(values))
            every = max(1, len(values) // 20)
            one.plot(steps, values, markersize=4, markevery=every, **style_of(i))
            # A residual of 0 has no logarithm.
            if name in self.logarithmic and (values > 0).any():
                one.set_yscale("log", nonpositive="clip")
            one.set_xlabel("iteration")
            one.set_title(name, fontsize=TITLE_SIZE)
            one.xaxis.get_major_locator().set_params(integer=True)
            open_frame(one)
        return self
