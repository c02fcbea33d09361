"""Show both domains in two dimensions, before and after a map."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .._array._rows import n_rows
from .._core._sample_domain import check_both_sides, check_sample_domain
from .._core._typing import ArrayLike, DomainIds, Transformer
from ._base_display import BaseDisplay
from ._pictures import check_points, project
from ._plot_axes import TEXT_SIZE, TITLE_SIZE, draw_points

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class DomainsDisplay(BaseDisplay):
    """Rows of both domains in two dimensions, before and after a map.

    Made by :meth:`from_rows`, :meth:`from_estimator` or :func:`plot_domains`, as scikit-learn's
    displays are.

    Parameters
    ----------
    before : ndarray of shape (n_samples, 2)
        Projected rows.
    sample_domain : ndarray of int of shape (n_samples,)
        Domain of each row.
    after : ndarray of shape (n_samples, 2), default=None
        Projected rows after the map. None: there is no map.

    Attributes
    ----------
    before, after : ndarray of shape (n_samples, 2)
        As passed.
    sample_domain : ndarray of int of shape (n_samples,)
        As passed.
    ax_ : matplotlib.axes.Axes
        After ``plot``: the first of the axes.
    axes_ : list of matplotlib.axes.Axes
        After ``plot``: one or two.
    figure_ : matplotlib.figure.Figure
        After ``plot``: the figure.

    See Also
    --------
    plot_domains : Computes and plots in one call.

    Examples
    --------
    >>> from skda.datasets import make_covariate_shift
    >>> from skda.inspection import DomainsDisplay
    >>> X, _, sample_domain = make_covariate_shift(100, 100, random_state=0)
    >>> DomainsDisplay.from_rows(X, sample_domain, plot=False).before.shape
    (200, 2)
    """

    def __init__(
        self, before: np.ndarray, sample_domain: np.ndarray, after: np.ndarray | None = None
    ):
        n = len(np.atleast_1d(sample_domain))
        self.sample_domain = check_sample_domain(sample_domain, n)
        self.before = check_points("before", before, n)
        self.after = None if after is None else check_points("after", after, n)

    @classmethod
    def from_rows(
        cls,
        X: ArrayLike,
        sample_domain: DomainIds,
        *,
        map: Transformer | None = None,
        ax: Axes | Sequence[Axes] | None = None,
        plot: bool = True,
    ) -> DomainsDisplay:
        """Compute the display from rows.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            Rows of all domains.
        sample_domain : array-like of int of shape (n_samples,)
            Domain of each row: >= 0 a source, < 0 a target.
        map : fitted transformer, default=None
            Any transformer, or a pipeline of them. None shows the rows as they are.
        ax : matplotlib.axes.Axes or sequence of them, default=None
            Axes to draw in, two with a map. None makes a figure.
        plot : bool, default=True
            Whether to draw.

        Returns
        -------
        display : DomainsDisplay
            The display.
        """
        ids = check_sample_domain(sample_domain, n_rows(X))
        check_both_sides(ids)
        # The seed of the reduction of wide sparse rows: a figure should not change by itself.
        display = cls(*_projected(X, ids, map, random_state=0))
        return display.plot(ax) if plot else display

    @classmethod
    def from_estimator(
        cls,
        transformer: Transformer,
        X: ArrayLike,
        *,
        sample_domain: DomainIds,
        ax: Axes | Sequence[Axes] | None = None,
        plot: bool = True,
    ) -> DomainsDisplay:
        """Compute the display from a fitted transformer and rows, before and after it.

        Parameters
        ----------
        transformer : fitted transformer
            Any transformer, or a pipeline of them.
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            Rows of all domains.
        sample_domain : array-like of int of shape (n_samples,)
            Domain of each row: >= 0 a source, < 0 a target.
        ax : sequence of matplotlib.axes.Axes, default=None
            Two axes to draw in. None makes a figure.
        plot : bool, default=True
            Whether to draw.

        Returns
        -------
        display : DomainsDisplay
            The display.
        """
        if transformer is None:
            raise ValueError(
                "transformer must be a fitted transformer; got None. Use from_rows to show rows as "
                "they are."
            )
        return cls.from_rows(X, sample_domain, map=transformer, ax=ax, plot=plot)

    def plot(self, ax: Axes | Sequence[Axes] | None = None) -> DomainsDisplay:
        """Draw the rows.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or sequence of them, default=None
            Axes to draw in, two with a map. None makes a figure.

        Returns
        -------
        display : DomainsDisplay
            The display, with ``ax_``, ``axes_`` and ``figure_``.
        """
        panels = {"before": self.before}
        if self.after is not None:
            panels["after"] = self.after
        axes = self._begin(ax, len(panels), size=(3.4, 3.2))
        for one, (title, points) in zip(axes, panels.items(), strict=True):
            draw_points(one, points, self.sample_domain)
            if len(panels) > 1:
                one.set_title(title, fontsize=TITLE_SIZE)
        axes[0].legend(frameon=False, fontsize=TEXT_SIZE, markerscale=2)
        return self


def _projected(X, ids, map, random_state):
    moved = None if map is None else _mapped(map, X, ids)
    before, after = project(X, ids, moved, random_state)
    return before, ids, after


def _mapped(map, X, ids):
    """Return the rows after a fitted transformer, of ours or of scikit-learn's."""
    if not hasattr(map, "transform"):
        raise ValueError(f"map must be a fitted transformer or None; got {map!r}.")
    takes = inspect.signature(map.transform).parameters
    # A pipeline passes on whatever its steps asked for.
    if "sample_domain" in takes or any(p.kind is p.VAR_KEYWORD for p in takes.values()):
        return map.transform(X, sample_domain=ids)
    return map.transform(X)


def plot_domains(
    X: ArrayLike,
    sample_domain: DomainIds,
    *,
    map: Transformer | None = None,
    ax: Axes | Sequence[Axes] | None = None,
) -> DomainsDisplay:
    """Plot the rows of both domains in two dimensions, before and after a map.

    Shows whether the domains lie apart, and whether an alignment brings them together. The plane
    is that of the two largest variances (PCA of standardized features); a map that keeps the
    number of features is shown in the same plane.

    Parameters
    ----------
    X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
        Rows of all domains.
    sample_domain : array-like of int of shape (n_samples,)
        Domain of each row: >= 0 a source, < 0 a target.
    map : fitted transformer, default=None
        Any transformer, or a pipeline of them. None shows the rows as they are.
    ax : matplotlib.axes.Axes or sequence of them, default=None
        Axes to draw in, two with a map. None makes a figure.

    Returns
    -------
    display : DomainsDisplay
        The display, drawn.

    See Also
    --------
    plot_feature_shift : Feature by feature.
    diagnose : Tests what the picture suggests.

    Notes
    -----
    Domains that lie on each other in two dimensions may differ in a third.

    Examples
    --------
    >>> from skda import CORALTransformer
    >>> from skda.datasets import make_conditional_shift
    >>> from skda.inspection import plot_domains
    >>> X, y, sample_domain = make_conditional_shift(100, 100, random_state=0)
    >>> coral = CORALTransformer().fit(X, sample_domain=sample_domain)
    >>> [ax.get_title() for ax in plot_domains(X, sample_domain, map=coral).axes_]
    ['before', 'after']
    """
    return DomainsDisplay.from_rows(X, sample_domain, map=map, ax=ax)
