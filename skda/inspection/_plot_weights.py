"""Show the weights of source rows: how unequal they are, and on how few rows they rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._array._backend import to_numpy
from .._core._typing import ArrayLike, Estimator
from .._numerics._weights import effective_sample_size
from ._base_display import BaseDisplay
from ._plot_axes import SOURCE_COLOR, TITLE_SIZE, open_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_N_BINS = 30
_HEAVY = 10.0  # weight, in units of the mean, from which numbers of rows are drawn as logarithms


class WeightsDisplay(BaseDisplay):
    """Histogram of the weights, and the part of their sum that the heaviest rows carry.

    Made by :meth:`from_estimator` or :func:`plot_weights`, as scikit-learn's displays are.

    Parameters
    ----------
    weights : array-like of shape (n_source,)
        Weights of source rows, none negative.

    Attributes
    ----------
    weights : ndarray of shape (n_source,)
        Divided by their mean.
    effective_sample_size : float
        (Σw)² / Σw².
    ax_ : matplotlib.axes.Axes
        After ``plot``: the first of the axes.
    axes_ : list of matplotlib.axes.Axes
        After ``plot``: histogram and curve.
    figure_ : matplotlib.figure.Figure
        After ``plot``: the figure.

    See Also
    --------
    plot_weights : Computes and plots in one call.

    Examples
    --------
    >>> from skda.inspection import WeightsDisplay
    >>> round(WeightsDisplay([1.0, 1.0, 2.0]).effective_sample_size, 2)
    2.67
    """

    def __init__(self, weights: ArrayLike):
        weights = np.asarray(to_numpy(weights), dtype=np.float64)
        if weights.ndim != 1 or not len(weights) or not np.isfinite(weights).all():
            raise ValueError("weights must be finite numbers, one for each source row.")
        if (weights < 0).any() or not weights.any():
            raise ValueError("weights must not be negative, nor all zero.")
        self.weights = weights / weights.mean()
        self.effective_sample_size = effective_sample_size(weights)

    @classmethod
    def from_estimator(
        cls, weighter: Estimator, *, ax: Sequence[Axes] | None = None, plot: bool = True
    ) -> WeightsDisplay:
        """Take the weights of a fitted estimator.

        Parameters
        ----------
        weighter : fitted estimator
            With ``weights_`` (a weighter), or with a ``weighter_`` that has them.
        ax : sequence of matplotlib.axes.Axes, default=None
            Two axes to draw in. None makes a figure.
        plot : bool, default=True
            Whether to draw.

        Returns
        -------
        display : WeightsDisplay
            The display.
        """
        inner: Any = getattr(weighter, "weighter_", weighter)
        if not hasattr(inner, "weights_"):
            raise ValueError(
                "weighter must be fitted and have the attribute weights_, as "
                f"skda.KMMWeighter has after fit; got {weighter!r}."
            )
        display = cls(inner.weights_)
        return display.plot(ax) if plot else display

    def plot(self, ax: Sequence[Axes] | None = None) -> WeightsDisplay:
        """Draw histogram and curve.

        Parameters
        ----------
        ax : sequence of matplotlib.axes.Axes, default=None
            Two axes to draw in. None makes a figure.

        Returns
        -------
        display : WeightsDisplay
            The display, with ``ax_``, ``axes_`` and ``figure_``.
        """
        left, right = self._begin(ax, 2)
        # A few heavy rows could not be seen beside hundreds of light ones.
        log = self.weights.max() > _HEAVY
        left.hist(self.weights, bins=_N_BINS, color=SOURCE_COLOR, log=log)
        left.axvline(1.0, color="gray", linewidth=0.8)
        left.set(xlabel="weight / mean weight", ylabel="source rows")
        n = len(self.weights)
        carried = np.cumsum(np.sort(self.weights)[::-1]) / n
        right.plot(np.arange(1, n + 1) / n, carried, color=SOURCE_COLOR)
        right.plot([0, 1], [0, 1], color="lightgray", zorder=0)
        right.set(
            xlabel="part of the rows, heaviest first",
            ylabel="part of the weight",
        )
        size = f"{self.effective_sample_size:.0f} of {n} rows"
        left.set_title(f"effective sample size: {size}", fontsize=TITLE_SIZE)
        open_frame(left, right)
        return self


def plot_weights(weighter: Estimator, *, ax: Sequence[Axes] | None = None) -> WeightsDisplay:
    """Plot the weights of a fitted weighter: how unequal they are.

    A few heavy rows make a model that rests on these rows alone. The histogram shows the weights,
    the curve which part of all weight the heaviest rows carry, and the title the effective sample
    size: the number of equally weighted rows that would be as informative.

    Parameters
    ----------
    weighter : fitted estimator
        With ``weights_`` (a weighter), or with a ``weighter_`` that has them, as
        :class:`~skda.ImportanceWeightedEstimator`.
    ax : sequence of matplotlib.axes.Axes, default=None
        Two axes to draw in. None makes a figure.

    Returns
    -------
    display : WeightsDisplay
        The display, drawn.

    See Also
    --------
    diagnose : Tells whether weights are what is called for.

    Examples
    --------
    >>> from skda import DomainClassifierWeighter
    >>> from skda.datasets import make_covariate_shift
    >>> from skda.inspection import plot_weights
    >>> X, _, sample_domain = make_covariate_shift(100, 100, random_state=0)
    >>> weighter = DomainClassifierWeighter(random_state=0).fit(X, sample_domain=sample_domain)
    >>> plot_weights(weighter).effective_sample_size < 100
    True
    """
    return WeightsDisplay.from_estimator(weighter, ax=ax)
