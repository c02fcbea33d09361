"""Show the features that shifted most, source beside target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .._array._rows import n_rows
from .._core._param_checks import check_integer
from .._core._sample_domain import check_both_sides, check_sample_domain
from .._core._typing import ArrayLike, DomainIds
from ._base_display import BaseDisplay
from ._feature_shift import feature_shift
from ._pictures import feature_values, paired_histogram
from ._plot_axes import TEXT_SIZE, draw_histogram

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


class FeatureShiftDisplay(BaseDisplay):
    """Paired histograms of the features that shifted most.

    Made by :meth:`from_rows` or :func:`plot_feature_shift`, as scikit-learn's displays are.

    Parameters
    ----------
    table : pandas.DataFrame
        Table of :func:`feature_shift`.
    histograms : dict
        By name of the feature: edges of the bins (or categories), and the proportions of source and
        target rows in them.

    Attributes
    ----------
    table : pandas.DataFrame
        As passed.
    histograms : dict
        As passed.
    ax_ : matplotlib.axes.Axes
        After ``plot``: the first of the axes.
    axes_ : list of matplotlib.axes.Axes
        After ``plot``: one for each feature.
    figure_ : matplotlib.figure.Figure
        After ``plot``: the figure.

    See Also
    --------
    plot_feature_shift : Computes and plots in one call.

    Examples
    --------
    >>> from skda.datasets import make_covariate_shift
    >>> from skda.inspection import FeatureShiftDisplay
    >>> X, _, sample_domain = make_covariate_shift(100, 100, random_state=0)
    >>> display = FeatureShiftDisplay.from_rows(X, sample_domain, plot=False)
    >>> list(display.histograms)
    ['x0', 'x1']
    """

    def __init__(self, table: pd.DataFrame, histograms: dict[str, Any]):
        index = getattr(table, "index", ())
        unknown = [name for name in histograms if name not in index]
        if unknown or not len(histograms):
            raise ValueError(
                "histograms must be a dict of at least one feature of the table, whose index has "
                f"their names; got {list(histograms)} with {unknown} not among them."
            )
        self.table = table
        self.histograms = histograms

    @classmethod
    def from_rows(
        cls,
        X: ArrayLike,
        sample_domain: DomainIds,
        *,
        n_features: int = 6,
        n_bins: int = 20,
        ax: Sequence[Axes] | None = None,
        plot: bool = True,
    ) -> FeatureShiftDisplay:
        """Compute the display from rows.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Rows of all domains.
        sample_domain : array-like of int of shape (n_samples,)
            Domain of each row: >= 0 a source, < 0 a target.
        n_features : int, default=6
            Number of features to show, those that shifted most first.
        n_bins : int, default=20
            Bins of a feature of numbers, at least 2.
        ax : sequence of matplotlib.axes.Axes, default=None
            Axes to draw in, one for each feature. None makes a figure.
        plot : bool, default=True
            Whether to draw.

        Returns
        -------
        display : FeatureShiftDisplay
            The display.
        """
        check_integer("n_features", n_features)
        check_integer("n_bins", n_bins, low=2)
        ids = check_sample_domain(sample_domain, n_rows(X))
        check_both_sides(ids)
        table = feature_shift(X, ids)
        values = feature_values(X, list(table.index[:n_features]))
        histograms = {
            name: paired_histogram(column, ids, n_bins) for name, column in values.items()
        }
        display = cls(table, histograms)
        return display.plot(ax) if plot else display

    def plot(self, ax: Sequence[Axes] | None = None) -> FeatureShiftDisplay:
        """Draw the histograms.

        Parameters
        ----------
        ax : sequence of matplotlib.axes.Axes, default=None
            Axes to draw in, one for each feature. None makes a figure.

        Returns
        -------
        display : FeatureShiftDisplay
            The display, with ``ax_``, ``axes_`` and ``figure_``.
        """
        axes = self._begin(ax, len(self.histograms), size=(2.3, 2.0))
        for one, (name, histogram) in zip(axes, self.histograms.items(), strict=True):
            draw_histogram(one, histogram)
            row = self.table.loc[name]
            one.set_title(f"{name}: KS {row['ks']:.2f}", fontsize=9)
            one.tick_params(labelsize=TEXT_SIZE)
        axes[0].legend(frameon=False, fontsize=TEXT_SIZE)
        return self


def plot_feature_shift(
    X: ArrayLike,
    sample_domain: DomainIds,
    *,
    n_features: int = 6,
    n_bins: int = 20,
    ax: Sequence[Axes] | None = None,
) -> FeatureShiftDisplay:
    """Plot the features that shifted most, source beside target.

    A glance at what the table of :func:`feature_shift` says in numbers: whether a feature moved,
    spread, changed its scale or lost its values.

    Parameters
    ----------
    X : array-like or data frame of shape (n_samples, n_features)
        Rows of all domains.
    sample_domain : array-like of int of shape (n_samples,)
        Domain of each row: >= 0 a source, < 0 a target.
    n_features : int, default=6
        Number of features to show, those that shifted most first.
    n_bins : int, default=20
        Bins of a feature of numbers, at least 2.
    ax : sequence of matplotlib.axes.Axes, default=None
        Axes to draw in, one for each feature. None makes a figure.

    Returns
    -------
    display : FeatureShiftDisplay
        The display, drawn.

    See Also
    --------
    feature_shift : The table.
    plot_domains : Both domains in two dimensions.

    Examples
    --------
    >>> from skda.datasets import make_covariate_shift
    >>> from skda.inspection import plot_feature_shift
    >>> X, _, sample_domain = make_covariate_shift(100, 100, random_state=0)
    >>> plot_feature_shift(X, sample_domain).figure_.axes[0].get_title()
    'x0: KS 0.52'
    """
    return FeatureShiftDisplay.from_rows(
        X, sample_domain, n_features=n_features, n_bins=n_bins, ax=ax
    )
