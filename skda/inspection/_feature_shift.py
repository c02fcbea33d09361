"""Which features are distributed differently in the target, one test per feature."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import sparse, stats

from .._array._backend import is_foreign_array, to_numpy
from .._array._rows import n_rows
from .._core._labels import is_missing
from .._core._param_checks import check_integer, check_option
from .._core._sample_domain import check_both_sides, check_sample_domain
from .._core._typing import ArrayLike, DomainIds

if TYPE_CHECKING:
    import pandas as pd

CORRECTIONS = ("holm", "fdr", None)


def adjust_pvalues(pvalues, correction):
    """Return p-values adjusted for being many.

    "holm" bounds the chance of any false alarm (Holm 1979), "fdr" the expected proportion of false
    alarms among the alarms (Benjamini & Hochberg 1995).
    """
    p, m = np.asarray(pvalues, dtype=np.float64), len(pvalues)
    if check_option("correction", correction, CORRECTIONS) is None:
        return p
    # Running extremes keep adjusted p-values in the order of the raw ones.
    order = np.argsort(p, kind="stable")
    if correction == "holm":
        adjusted = np.maximum.accumulate(p[order] * np.arange(m, 0, -1))
    else:
        scaled = p[order] * m / np.arange(1, m + 1)
        adjusted = np.minimum.accumulate(scaled[::-1])[::-1]
    result = np.empty(m)
    result[order] = np.minimum(adjusted, 1.0)
    return result


def population_stability_index(source, target):
    """Return Σ (p_t − p_s) log(p_t/p_s) over bins, given the counts in them.

    Half a row is added to every bin, so that an empty one gives a large value, not infinity.
    """
    p_s, p_t = (
        (counts + 0.5) / (counts.sum() + 0.5 * len(counts))
        for counts in (np.asarray(source, dtype=float), np.asarray(target, dtype=float))
    )
    return float(np.sum((p_t - p_s) * np.log(p_t / p_s)))


def _numbers(source, target, n_bins):
    """Return the measures of one numeric feature; NaN is a bin of its own."""
    s, t = source[~np.isnan(source)], target[~np.isnan(target)]
    missing = [len(source) - len(s), len(target) - len(t)]
    if not len(s) or not len(t):  # nothing to compare but that values are missing
        return {"ks": np.nan, "pvalue": np.nan, "wasserstein": np.nan, "psi": np.nan}
    with warnings.catch_warnings():  # the exact p-value may give way to the asymptotic one
        warnings.simplefilter("ignore", RuntimeWarning)
        ks = stats.ks_2samp(s, t)
    # Equal quantiles of a feature with many equal values make one edge.
    edges = np.unique(np.quantile(s, np.linspace(0, 1, n_bins + 1)[1:-1]))
    counts = [
        np.append(np.bincount(np.searchsorted(edges, v), minlength=len(edges) + 1), gone)
        for v, gone in zip((s, t), missing, strict=True)
    ]
    if not any(missing):  # an empty bin would count as half a row on both sides
        counts = [c[:-1] for c in counts]
    return {
        "ks": float(ks.statistic),
        "pvalue": float(ks.pvalue),
        "wasserstein": in_spreads(stats.wasserstein_distance(s, t), s.std()),
        "psi": population_stability_index(*counts),
    }


def in_spreads(moved, spread):
    """Return a distance in standard deviations; a constant feature has none."""
    return moved / spread if spread > 0 else (0.0 if moved == 0 else np.inf)


def _categories(source, target):
    """Return the measures of one categorical feature: total variation in place of KS."""
    names, codes = np.unique(np.concatenate([source, target]), return_inverse=True)
    counts = np.stack(
        [np.bincount(part, minlength=len(names)) for part in np.split(codes, [len(source)])]
    )
    return category_measures(counts)


def category_measures(counts):
    """Return the measures of one categorical feature from its counts, (2, n_categories)."""
    proportions = counts / counts.sum(axis=1, keepdims=True)
    many = counts.shape[1] > 1  # the test is undefined for a single category
    return {
        "ks": float(np.abs(proportions[0] - proportions[1]).sum() / 2),
        "pvalue": float(stats.chi2_contingency(counts).pvalue) if many else 1.0,
        "wasserstein": np.nan,
        "psi": population_stability_index(*counts),
    }


def feature_shift(
    X: ArrayLike,
    sample_domain: DomainIds,
    *,
    correction: Literal["holm", "fdr"] | None = "holm",
    n_bins: int = 10,
) -> pd.DataFrame:
    """Tabulate, feature by feature, how far the target is from the source.

    The first thing to check before adapting: which features are distributed differently, by how
    much, and which of the differences are more than chance.

    Parameters
    ----------
    X : array-like or data frame of shape (n_samples, n_features)
        Rows of all domains. Columns of a frame that are not numbers are compared as categories;
        missing values may stand anywhere.
    sample_domain : array-like of int of shape (n_samples,)
        Domain of each row: >= 0 a source, < 0 a target. Several sources (targets) are pooled.
    correction : {"holm", "fdr"} or None, default="holm"
        How p-values are adjusted for there being many features: so that the chance of any false
        alarm keeps the level ("holm"), or the expected proportion of false ones among the alarms
        ("fdr", Benjamini and Hochberg). None leaves them as they are.
    n_bins : int, default=10
        Number of bins of equal source mass for the population stability index, at least 2. More
        bins show finer changes and make the index noisier.

    Returns
    -------
    table : pandas.DataFrame
        One row per feature, those that shifted most first, with the columns

        ``ks`` : largest difference of the distribution functions, in [0, 1] (for categories:
        total variation);
        ``pvalue`` : of the Kolmogorov–Smirnov test (for categories: chi² test);
        ``adjusted_pvalue`` : corrected for the number of features;
        ``wasserstein`` : mean distance that a value moves, in standard deviations of the source;
        ``psi`` : population stability index (below 0.1 is called stable, above 0.25 shifted);
        ``missing_source``, ``missing_target`` : proportion of missing values.

    Raises
    ------
    ImportError
        If pandas is not installed.
    ValueError
        If rows of one side are missing, X is not two-dimensional or a parameter is out of range.
    TypeError
        If X is sparse.

    See Also
    --------
    skda.metrics.mmd_test : Sees shifts in several features together.
    skda.metrics.classifier_two_sample_test : Whether a classifier can tell the domains apart.
    skda.metrics.proxy_a_distance : How well it can.

    Notes
    -----
    Sees one feature at a time: a change of correlation alone shows nowhere. Missing values are a
    bin of their own in ``psi`` and a category of their own among categories, and are left out of
    the other measures. Cost O(n log n) per feature. Computed on the host.

    References
    ----------
    .. [1] Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian
       Journal of Statistics 6(2). https://www.jstor.org/stable/4615733
    .. [2] Benjamini, Y., Hochberg, Y. (1995). Controlling the false discovery rate. JRSS B 57(1).
       https://doi.org/10.1111/j.2517-6161.1995.tb02031.x

    Examples
    --------
    >>> import numpy as np
    >>> from skda.inspection import feature_shift
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> sample_domain = np.repeat([1, -2], 100)
    >>> X[100:, 1] += 2.0
    >>> table = feature_shift(X, sample_domain)
    >>> table.index[0], float(table["wasserstein"].iloc[0].round(1))
    ('x1', 2.0)
    """
    _pandas()  # before the work
    check_option("correction", correction, CORRECTIONS)
    check_integer("n_bins", n_bins, low=2)
    _check_table(X)
    ids = check_sample_domain(sample_domain, n_rows(X))
    check_both_sides(ids)
    measured = {}
    for name, column in columns_of(X):
        source, target = column[ids >= 0], column[ids < 0]
        if column.dtype.kind == "f":
            gone = [float(np.isnan(part).mean()) for part in (source, target)]
            measures = _numbers(source, target, n_bins)
        else:
            gone = [float((part == MISSING).mean()) for part in (source, target)]
            measures = _categories(source, target)
        measured[name] = {**measures, "missing_source": gone[0], "missing_target": gone[1]}
    return shift_table(measured, correction)


def _pandas():
    try:
        import pandas
    except ImportError as error:
        raise ImportError(
            "feature_shift returns a data frame and needs pandas: pip install pandas"
        ) from error
    return pandas


def shift_table(measured, correction):
    """Return the table of measures by feature, with p-values adjusted for being many."""
    table = _pandas().DataFrame.from_dict(measured, orient="index")
    # Features that could not be tested do not count among the many.
    tested = table["pvalue"].notna().to_numpy()
    adjusted = np.full(len(table), np.nan)
    adjusted[tested] = adjust_pvalues(table["pvalue"].to_numpy()[tested], correction)
    table.insert(2, "adjusted_pvalue", adjusted)
    return table.sort_values("ks", ascending=False, kind="stable")


MISSING = "(missing)"


def _check_table(X):
    if X is None or isinstance(X, str):
        raise ValueError(f"X must be two-dimensional (rows, features); got {X!r}.")
    if sparse.issparse(X):
        raise TypeError("X is sparse. Pass X.toarray(), or the columns that you want to see.")


def columns_of(X):
    """Yield the name and values of each feature, numbers as float64 and the rest as text."""
    if hasattr(X, "columns"):
        for name in X.columns:
            yield str(name), values_of(X[name].to_numpy())
        return
    X = to_numpy(X) if is_foreign_array(X) else np.asarray(X)
    if X.ndim != 2:
        raise ValueError(f"X must be two-dimensional (rows, features); got shape {X.shape}.")
    for i in range(X.shape[1]):
        yield f"x{i}", values_of(X[:, i])


def values_of(column):
    if column.dtype.kind == "c":  # neither a number on the line nor a category
        raise ValueError("X must not be complex. Pass real and imaginary parts as two features.")
    if column.dtype.kind in "biuf":
        return column.astype(np.float64)
    # Columns of objects may hold numbers with None or NA among them.
    try:
        return np.array([np.nan if is_missing(v) else v for v in column], dtype=np.float64)
    except (TypeError, ValueError):
        return np.array([MISSING if is_missing(v) else str(v) for v in column])
