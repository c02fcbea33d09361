"""Which features are distributed differently in the target, from counts that are merged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from scipy import stats

from .._core._param_checks import check_integer, check_option
from .._core._sample_domain import check_both_sides
from .._core._sums import merge_sums
from .._core._typing import DaskRows, DomainIds, RandomState
from ..inspection._feature_shift import (
    CORRECTIONS,
    MISSING,
    category_measures,
    columns_of,
    in_spreads,
    population_stability_index,
    shift_table,
)
from ._engine import engine, merge_in_tree, task, whole
from ._sample import block_ids
from ._table import Table

if TYPE_CHECKING:
    import pandas as pd

# Quantiles of each side whose places the counts are taken between: the distribution functions are
# compared at these, so that a difference may be missed by what lies between two.
_N_QUANTILES = 1000
_SIDES = ("source", "target")


class NumberCounts(NamedTuple):
    """Counts and sums of the values between edges, and the moments of all; missing ones apart."""

    counts: Any
    totals: Any
    missing: float
    count: float  # type: ignore[assignment]  # hides tuple.count
    mean: float
    squares: float

    @classmethod
    def of(cls, values, edges):
        """Return them for the values of one feature on one side."""
        known = values[~np.isnan(values)]
        bins, n = np.searchsorted(edges, known), len(edges) + 1
        mean = float(known.mean()) if len(known) else 0.0
        squares = float(((known - mean) ** 2).sum())
        counts = np.bincount(bins, minlength=n).astype(float)
        missing = float(len(values) - len(known))
        totals = np.bincount(bins, known, minlength=n)
        return cls(counts, totals, missing, float(len(known)), mean, squares)

    def merge(self, new):
        """Return those of these rows and other ones together."""
        count, step = self.count + new.count, new.mean - self.mean
        if not count:
            return self._replace(missing=self.missing + new.missing)
        return NumberCounts(
            self.counts + new.counts,
            self.totals + new.totals,
            self.missing + new.missing,
            count,
            self.mean + step * (new.count / count),
            self.squares + new.squares + step**2 * (self.count * new.count / count),
        )


class NameCounts(NamedTuple):
    """Number of rows by category."""

    counts: dict

    def merge(self, new):
        """Return those of these rows and other ones together."""
        names = {*self.counts, *new.counts}
        return NameCounts({n: self.counts.get(n, 0) + new.counts.get(n, 0) for n in names})


def feature_shift(
    X: DaskRows,
    sample_domain: DaskRows | DomainIds,
    *,
    correction: Literal["holm", "fdr"] | None = "holm",
    n_bins: int = 10,
    sample_size: int = 20_000,
    random_state: RandomState = None,
) -> pd.DataFrame:
    """Tabulate, feature by feature, how far the target is from the source, block by block.

    The table of :func:`skda.inspection.feature_shift` from counts between fixed edges, which are
    merged: the edges are quantiles of a sample of the rows, the counts those of all rows.

    Parameters
    ----------
    X : dask array or data frame of shape (n_samples, n_features)
        Rows of all domains. Columns of a frame that are not numbers are compared as categories;
        missing values may stand anywhere.
    sample_domain : dask array or series, or array-like of int of shape (n_samples,)
        Domain of each row: >= 0 a source, < 0 a target. Several sources (targets) are pooled.
    correction : {"holm", "fdr"} or None, default="holm"
        How p-values are adjusted for there being many features.
    n_bins : int, default=10
        Number of bins of equal source mass for the population stability index, at least 2.
    sample_size : int, default=20_000
        Number of rows of the sample, stratified by domain.
    random_state : int, RandomState instance or None, default=None
        Seeds the sample.

    Returns
    -------
    table : pandas.DataFrame
        One row per feature, those that shifted most first, with the columns of
        :func:`skda.inspection.feature_shift`.

    Raises
    ------
    ImportError
        If dask is not installed.
    ValueError
        If rows of one side are missing or a parameter is out of range.

    See Also
    --------
    skda.inspection.feature_shift : In memory, from every value.
    mmd : All features together.

    Notes
    -----
    "ks" is the largest difference at up to 2,000 edges, 1,000 quantiles of each side: it is exact
    for features of fewer values in the sample, and otherwise too small by a thousandth or two.
    "wasserstein" takes the values between two edges for their mean, "psi" the edges nearest to the
    quantiles. The p-value is asymptotic. Cost: a sample and one pass, O(n d log edges).

    Examples
    --------
    >>> import dask.array
    >>> import numpy as np
    >>> import skda.dask
    >>> X = np.random.default_rng(0).normal(size=(400, 2))
    >>> X[200:, 1] += 2.0
    >>> blocks, sample_domain = dask.array.from_array(X, chunks=(100, 2)), np.repeat([1, -2], 200)
    >>> table = skda.dask.feature_shift(blocks, sample_domain, random_state=0)
    >>> table.index[0], float(table["wasserstein"].iloc[0].round(1))
    ('x1', 2.0)
    """
    check_option("correction", correction, CORRECTIONS)
    check_integer("n_bins", n_bins, low=2)
    check_integer("sample_size", sample_size, low=2)
    table = Table(X, None, sample_domain, random_state=random_state)
    check_both_sides(np.array(sorted(table.counts())))
    rows, _, ids = table.sample(sample_size, labels=False)
    edges = {name: _edges(values, ids) for name, values in columns_of(rows)}
    known = whole(edges)
    parts = [task(_counts_of_block, known, x, i) for x, _, i in table.blocks()]
    (counts,) = engine().compute(merge_in_tree(parts, merge_sums))
    measured = {}
    for name in edges:
        sides = [counts[name, side] for side in _SIDES]
        measured[name] = (_categories if edges[name] is None else _numbers)(  # type: ignore[call-arg]
            *sides, edges[name], n_bins
        )
    return shift_table(measured, correction)


def _edges(values, ids):
    """Return the edges between which the values of a feature are counted; None for categories."""
    if values.dtype.kind != "f":
        return None
    edges = []
    for side in (values[ids >= 0], values[ids < 0]):
        known = side[~np.isnan(side)]
        if len(known):
            # Values that are there, so that each of a few distinct ones is an edge.
            places = np.linspace(0, 1, _N_QUANTILES + 1)
            edges.append(np.quantile(known, places, method="inverted_cdf"))
    return np.unique(np.concatenate(edges)) if edges else np.zeros(1)


def _counts_of_block(edges, X, sample_domain):
    ids, counts = block_ids(sample_domain, X.shape[0]), {}
    for name, values in columns_of(X):
        for side, rows in zip(_SIDES, (ids >= 0, ids < 0), strict=True):
            part = values[rows]
            if edges[name] is None:
                names, n = np.unique(_as_text(part), return_counts=True)
                counts[name, side] = NameCounts(dict(zip(names.tolist(), n.tolist(), strict=True)))
            else:
                counts[name, side] = NumberCounts.of(part.astype(np.float64), edges[name])
    return counts


def _as_text(values):
    """Return categories as text, as a block has them that holds other values than numbers."""
    if values.dtype.kind != "f":
        return values
    return np.array([MISSING if np.isnan(v) else str(v) for v in values], dtype=str)


def _numbers(source, target, edges, n_bins):
    """Return the measures of one numeric feature."""
    gone = {
        f"missing_{side}": part.missing / (part.missing + part.count)
        for side, part in zip(_SIDES, (source, target), strict=True)
    }
    if not source.count or not target.count:
        return {"ks": np.nan, "pvalue": np.nan, "wasserstein": np.nan, "psi": np.nan, **gone}
    below = [np.cumsum(part.counts[:-1]) / part.count for part in (source, target)]
    ks = float(np.abs(below[0] - below[1]).max())
    n = source.count * target.count / (source.count + target.count)
    # Half a row: what rounding of the sums may be off.
    places = np.linspace(0, 1, n_bins + 1)[1:-1] - 0.5 / source.count
    inner = np.unique(np.minimum(np.searchsorted(below[0], places), len(edges) - 1)) + 1
    binned = [np.add.reduceat(part.counts, [0, *inner]) for part in (source, target)]
    if source.missing or target.missing:
        binned = [
            np.append(b, part.missing) for b, part in zip(binned, (source, target), strict=True)
        ]
    values, weights = zip(*(_bin_means(part) for part in (source, target)), strict=True)
    moved = stats.wasserstein_distance(*values, *weights)
    return {
        "ks": ks,
        "pvalue": float(np.clip(stats.kstwo.sf(ks, max(np.round(n), 1.0)), 0.0, 1.0)),
        "wasserstein": in_spreads(moved, (source.squares / source.count) ** 0.5),
        "psi": population_stability_index(*binned),
        **gone,
    }


def _bin_means(part):
    filled = part.counts > 0
    return part.totals[filled] / part.counts[filled], part.counts[filled]


def _categories(source, target, edges, n_bins):
    """Return the measures of one categorical feature."""
    names = sorted({*source.counts, *target.counts})
    counts = np.array([[part.counts.get(n, 0) for n in names] for part in (source, target)])
    gone = {
        f"missing_{side}": part.counts.get(MISSING, 0) / max(sum(part.counts.values()), 1)
        for side, part in zip(_SIDES, (source, target), strict=True)
    }
    return {**category_measures(counts), **gone}
