"""Scores of candidates beside each other, with the one that was chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .._core._typing import ArrayLike, Estimator
from ._base_display import BaseDisplay
from ._plot_axes import COLORS, TEXT_SIZE, TITLE_SIZE, open_frame

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_REFERENCE = "source only"  # the name that compare, the searches and the ensembles give this model
_SMALL = 7  # points, of the line that explains the marks
_LONGEST_NAME = 32  # characters of the settings of a search, above which the name is cut


class ComparisonDisplay(BaseDisplay):
    """Scores of candidates beside each other, with intervals and a mark on the chosen one.

    One panel for each score, one line for each candidate. The dashed line is the model that does
    not adapt: what does not pass it is not worth its trouble. Made by :meth:`from_table` from what
    :func:`~skda.model_selection.compare` returns, or by :meth:`from_estimator` from a fitted search
    or consensus.

    Parameters
    ----------
    names : sequence of str
        The candidates.
    scores : dict of str to array-like of shape (n_candidates,)
        By name of the score, one value for each candidate, larger ones better.
    intervals : dict of str to array-like of shape (n_candidates, 2), default=None
        Lower and upper limits by name of the score, NaN for those without.
    chosen : dict of str to int or None, or int, default=None
        Position of the candidate that is marked, for each score or for all. None marks none.
    reference : str or None, default="source only"
        Candidate at whose score the dashed line stands, if it is among the names.

    Attributes
    ----------
    names : list of str
        As passed.
    scores : dict of str to ndarray of shape (n_candidates,)
        As passed.
    intervals : dict of str to ndarray of shape (n_candidates, 2)
        As passed, NaN where there are none.
    chosen : dict of str to int or None
        By name of the score.
    reference : str or None
        As passed.
    ax_ : matplotlib.axes.Axes
        After ``plot``: the first of the axes.
    axes_ : list of matplotlib.axes.Axes
        After ``plot``: one for each score.
    figure_ : matplotlib.figure.Figure
        After ``plot``: the figure.

    See Also
    --------
    skda.model_selection.compare : Makes the table.
    skda.model_selection.plot_comparison : Draws the table in one call.

    Notes
    -----
    Of a table, intervals are one standard deviation over the parts (over the targets, if there are
    several) to either side, and the mark is on the best mean of each score. Of
    :class:`~skda.model_selection.GuardedSearchCV` the score is the estimated gain over the model
    that does not adapt, with the interval of the candidate that was chosen. Of
    :class:`~skda.ConsensusClassifier` and its kin, what is shown is the mean agreement of each
    candidate with the others, and the weight of its vote. The units are each score's own, so that
    panels do not compare.

    Examples
    --------
    >>> from skda.inspection import ComparisonDisplay
    >>> scores = {"accuracy": [0.7, 0.8]}
    >>> display = ComparisonDisplay(["source only", "coral"], scores, chosen=1)
    >>> display.chosen
    {'accuracy': 1}
    """

    def __init__(
        self,
        names: Sequence[str],
        scores: Mapping[str, ArrayLike],
        *,
        intervals: Mapping[str, ArrayLike] | None = None,
        chosen: Mapping[str, int | None] | int | None = None,
        reference: str | None = _REFERENCE,
    ):
        self.names = [str(name) for name in names]
        n = len(self.names)
        if not isinstance(scores, dict) or not scores or not n:
            raise ValueError(
                "scores must be a dict of at least one score to one value for each candidate; got "
                f"{scores!r} for {n} names."
            )
        self.scores = {title: _column(title, one, (n,)) for title, one in scores.items()}
        intervals = intervals or {}
        self.intervals = {
            title: _column(title, intervals.get(title, np.full((n, 2), np.nan)), (n, 2))
            for title in self.scores
        }
        if not isinstance(chosen, dict):
            chosen = dict.fromkeys(self.scores, chosen)
        self.chosen = {title: _position(chosen.get(title), n) for title in self.scores}
        self.reference = reference

    @classmethod
    def from_table(
        cls,
        table: pd.DataFrame,
        *,
        scorers: str | Sequence[str] | None = None,
        ax: Axes | Sequence[Axes] | None = None,
        plot: bool = True,
    ) -> ComparisonDisplay:
        """Take the scores of a table.

        Parameters
        ----------
        table : pandas.DataFrame
            What :func:`~skda.model_selection.compare` returned. Several targets are averaged; the
            interval is then of what varies between them.
        scorers : str, list of str or None, default=None
            Scorer or scorers to show, in this order. None is all.
        ax : sequence of matplotlib.axes.Axes, default=None
            Axes to draw in, one for each scorer. None makes a figure.
        plot : bool, default=True
            Whether to draw.

        Returns
        -------
        display : ComparisonDisplay
            The display.
        """
        scorers = _check_scorers(table, scorers)
        if table.index.nlevels > 1:  # several targets: what varies between them matters
            by_name = table.groupby(level=-1, sort=False)
            mean = by_name.mean()
            spread = by_name.std(ddof=0)
            spreads = {s: spread[s, "mean"].to_numpy() for s in scorers}
        else:
            mean, spreads = table, {s: table[s, "std"].to_numpy() for s in scorers}
        scores = {s: mean[s, "mean"].to_numpy() for s in scorers}
        intervals = {
            s: np.stack([scores[s] - spreads[s], scores[s] + spreads[s]], axis=1) for s in scorers
        }
        chosen = {s: _best(scores[s]) for s in scorers}
        display = cls(mean.index, scores, intervals=intervals, chosen=chosen)
        return display.plot(ax) if plot else display

    @classmethod
    def from_estimator(
        cls, search: Estimator, *, ax: Axes | Sequence[Axes] | None = None, plot: bool = True
    ) -> ComparisonDisplay:
        """Take the scores of a fitted search or consensus.

        Parameters
        ----------
        search : fitted estimator
            A :class:`~skda.model_selection.GuardedSearchCV`; a consensus or what decides by one
            (:class:`~skda.AutoAdaptClassifier`); or a search of scikit-learn, such as GridSearchCV,
            whose candidates are named by their settings.
        ax : sequence of matplotlib.axes.Axes, default=None
            Axes to draw in, one for each score. None makes a figure.
        plot : bool, default=True
            Whether to draw.

        Returns
        -------
        display : ComparisonDisplay
            The display.
        """
        consensus = getattr(search, "consensus_", search)
        if hasattr(search, "results_") and hasattr(search, "gain_interval_"):
            display = cls._from_guarded(search)
        elif hasattr(consensus, "agreement_") and hasattr(consensus, "estimators_"):
            display = cls._from_consensus(consensus)
        elif hasattr(search, "cv_results_"):
            display = cls._from_search(search)
        else:
            raise ValueError(
                "search must be a fitted search with results_ or cv_results_, or a fitted "
                f"consensus with agreement_; got {search!r}. Use from_table for what compare "
                "returned."
            )
        return display.plot(ax) if plot else display

    @classmethod
    def _from_guarded(cls, search):
        results, i = search.results_, int(search.best_index_)
        interval = np.full((len(results["name"]), 2), np.nan)
        if i:  # the gain of the source-only model over itself is known to be 0
            interval[i] = search.gain_interval_
        title = "gain over source only"
        return cls(results["name"], {title: results["gain"]}, intervals={title: interval}, chosen=i)

    @classmethod
    def _from_consensus(cls, consensus):
        scores = {"agreement with the others": consensus.agreement_, "weight": consensus.weights_}
        chosen = 0 if getattr(consensus, "keeps_source_", False) else None
        return cls(list(consensus.estimators_), scores, chosen=chosen)

    @classmethod
    def _from_search(cls, search):
        results = search.cv_results_
        titles = [k.removeprefix("mean_test_") for k in results if k.startswith("mean_test_")]
        scores = {title: results[f"mean_test_{title}"] for title in titles}
        spreads = {title: results[f"std_test_{title}"] for title in titles}
        intervals = {
            title: np.stack([scores[title] - spreads[title], scores[title] + spreads[title]], 1)
            for title in titles
        }
        names = [_settings(params) for params in results["params"]]
        # A search that is not to refit by one of several scores chooses none.
        return cls(names, scores, intervals=intervals, chosen=getattr(search, "best_index_", None))

    def plot(self, ax: Axes | Sequence[Axes] | None = None) -> ComparisonDisplay:
        """Draw one panel for each score.

        Parameters
        ----------
        ax : sequence of matplotlib.axes.Axes, default=None
            Axes to draw in, one for each score. None makes a figure.

        Returns
        -------
        display : ComparisonDisplay
            The display, with ``ax_``, ``axes_`` and ``figure_``.
        """
        # Three panels beside each other, with the names, on the width of a page.
        width = {1: 4.5, 2: 2.6}.get(len(self.scores), 2.3)
        size = (width, 1.0 + 0.25 * len(self.names))
        axes = self._begin(ax, len(self.scores), size=size, share_y=True)
        for one, title in zip(axes, self.scores, strict=True):
            self._draw(one, title)
        marks = ["ring: chosen"] if any(i is not None for i in self.chosen.values()) else []
        marks += [f"dashed: {self.reference}"] if self.reference in self.names else []
        axes[0].set_xlabel(", ".join(marks), fontsize=_SMALL)
        return self

    def _draw(self, ax, title):
        values, limits, best = self.scores[title], self.intervals[title], self.chosen[title]
        places = np.arange(len(self.names))
        color = np.where(places == (-1 if best is None else best), COLORS[1], COLORS[0])
        ax.hlines(places, limits[:, 0], limits[:, 1], color=color, linewidth=1.5)
        ax.scatter(values, places, color=color, s=22, zorder=3)
        if best is not None:
            # A ring as well, for those who do not see the color.
            ax.scatter(
                values[best], best, s=110, facecolors="none", edgecolors=COLORS[1], linewidths=1.5,
                zorder=4,
            )  # fmt: skip
        if self.reference in self.names:
            at = values[self.names.index(self.reference)]
            ax.axvline(at, color="black", linestyle="--", linewidth=0.8, zorder=0)
        ax.set_yticks(places, self.names, fontsize=TEXT_SIZE)
        ax.set_ylim(len(places) - 0.5, -0.5)  # the first candidate on top, as in the table
        ax.tick_params(axis="x", labelsize=TEXT_SIZE)
        ax.locator_params(axis="x", nbins=4)
        ax.set_title(title, fontsize=TITLE_SIZE)
        ax.grid(axis="y", linewidth=0.4, alpha=0.5)
        ax.margins(x=0.1)
        open_frame(ax)


def _column(title, values, shape):
    """Return the values of a score as floats of the right shape."""
    values = np.asarray(values, dtype=np.float64)
    if values.shape != shape:
        raise ValueError(
            f"scores and intervals must have shape {shape} for as many candidates; those of "
            f"{title!r} have shape {values.shape}."
        )
    return values


def _position(chosen, n):
    if chosen is None:
        return None
    if isinstance(chosen, bool) or not 0 <= chosen < n:
        raise ValueError(f"chosen must be a position from 0 to {n - 1}, or None; got {chosen!r}.")
    return int(chosen)


def _best(values):
    """Return the position of the largest value; None if all are missing."""
    return None if np.isnan(values).all() else int(np.nanargmax(values))


def _settings(params):
    """Return the parameters of a search as a short text, without the names of the steps."""
    texts = [f"{name.split('__')[-1]}={value}" for name, value in params.items()]
    text = ", ".join(texts) or "as it is"
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 3]}..."


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
