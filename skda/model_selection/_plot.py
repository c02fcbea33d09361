"""Draw the table that compare returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def plot_comparison(
    table: pd.DataFrame,
    *,
    scorers: str | Sequence[str] | None = None,
    ax: Sequence[Axes] | None = None,
) -> np.ndarray:
    """Draw what :func:`compare` returned: one panel per scorer, one line per candidate.

    A candidate whose point passes the dashed line, the source-only model, under every scorer is
    worth a closer look; one that does so under a single scorer is not.

    Parameters
    ----------
    table : pandas.DataFrame
        What :func:`compare` returned. Several targets are averaged; the line then spreads over
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
    skda.inspection.ComparisonDisplay : The same as a display, also of searches.

    Notes
    -----
    The dashed line is the source-only model; the winner under each scorer has a ring. Lines
    are one standard deviation over the parts (or the targets). The units are each scorer's
    own, so that panels do not compare.
    """
    # Here, because the subpackage is loaded for its searches as a rule.
    from ..inspection import ComparisonDisplay

    return np.array(ComparisonDisplay.from_table(table, scorers=scorers, ax=ax).axes_)
