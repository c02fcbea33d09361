"""Draw the table that compare returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ._source_only import SOURCE_ONLY

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def plot_comparison(
    table: pd.DataFrame,
    *,
    scorers: str | Sequence[str] | None = None,
    ax: Sequence[Axes] | None = None,
) -> np.ndarray:
    """Draw what :func:`compare` returned: one panel per scorer, one bar per candidate.

    A candidate whose bar passes the dashed line, the source-only model, under every scorer is worth
    a closer look; one that does so under a single scorer is not.

    Parameters
    ----------
    table : pandas.DataFrame
        What :func:`compare` returned. Several targets are averaged; the bar then spreads over
        the targets.
    scorers : str, list of str or None, default=None
        Scorer or scorers to draw, in this order. None is all.
    ax : list of matplotlib.axes.Axes or None, default=None
        One axes per scorer. None makes a figure.

    Returns
    -------
    ax : ndarray of matplotlib.axes.Axes
        The axes, one per scorer.

    Raises
    ------
    ImportError
        If matplotlib is not installed: ``pip install 'skda[plot]'``.
    ValueError
        If the table is not one of :func:`compare`, a scorer is not in it, or `ax` does not hold one
        axes per scorer.

    See Also
    --------
    compare : Makes the table.

    Notes
    -----
    The dashed line is the source-only model; the winner under each scorer is dark. Lines on the
    bars are one standard deviation over the parts (or the targets). The units are each scorer's
    own, so that panels do not compare.
    """
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError("plot_comparison needs matplotlib: pip install 'skda[plot]'") from error
    scorers = _check_scorers(table, scorers)
    if table.index.nlevels > 1:  # several targets: what varies between them matters
        by_name = table.groupby(level=-1, sort=False)
        mean = by_name.mean()
        spread = by_name.std(ddof=0)
        spreads = {s: spread[s, "mean"] for s in scorers}
    else:
        mean, spreads = table, {s: table[s, "std"] for s in scorers}
    if ax is None:
        height = 1.2 + 0.3 * len(mean)
        _, ax = pyplot.subplots(
            1, len(scorers), figsize=(2.6 * len(scorers) + 1, height), sharey=True,
            squeeze=False, layout="constrained",
        )  # fmt: skip
        ax[0, 0].invert_yaxis()  # the first candidate on top, as in the table
    axes = np.ravel(np.asarray(ax, dtype=object))
    if len(axes) != len(scorers):
        raise ValueError(f"ax must hold one axes per scorer, {len(scorers)}; got {len(axes)}.")
    for panel, scorer in zip(axes, scorers, strict=True):
        values = mean[scorer, "mean"]
        colors = np.where(values == values.max(), "tab:blue", "lightsteelblue")
        panel.barh(list(mean.index), values, xerr=spreads[scorer], color=colors)
        if SOURCE_ONLY in mean.index:
            panel.axvline(values[SOURCE_ONLY], color="black", linestyle="--", linewidth=1)
        panel.set_title(scorer)
    return axes


def _check_scorers(table, scorers):
    """Return the scorers to draw as a list of names that are in the table."""
    columns = getattr(table, "columns", None)
    if getattr(columns, "nlevels", 1) != 2 or "mean" not in columns.get_level_values(1):
        raise ValueError(
            f"table must be what compare returned, a data frame; got {type(table).__name__}."
        )
    known = list(columns.get_level_values(0).unique())
    if scorers is None:
        return known
    scorers = [scorers] if isinstance(scorers, str) else list(scorers)
    unknown = [name for name in scorers if name not in known]
    if unknown or not scorers:
        raise ValueError(f"scorers must name some of {known}; got {unknown or scorers}.")
    return scorers
