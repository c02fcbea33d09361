"""Which kind of shift lies between the domains of a table in blocks, from a sample of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils import check_random_state

from .._array._rows import concatenate_rows, n_rows, take_rows
from .._core._labels import as_labels, join_labels, labeled_rows
from .._core._param_checks import check_integer
from .._core._sample_domain import check_both_sides
from .._core._typing import ArrayLike, DaskRows, DomainIds, Predictor, RandomState
from ..inspection._diagnose import diagnosed
from ._engine import engine, is_frame, task
from ._feature_shift import feature_shift
from ._sample import block_ids, quotas_by_block
from ._table import Table

if TYPE_CHECKING:
    from ..inspection import ShiftReport


def diagnose(
    X: DaskRows,
    y: DaskRows | ArrayLike | None,
    sample_domain: DaskRows | DomainIds,
    *,
    estimator: Predictor | None = None,
    alpha: float = 0.05,
    max_rows: int = 2000,
    n_permutations: int = 199,
    ignore: Sequence[str] = (),
    random_state: RandomState = None,
) -> ShiftReport:
    """Report which kind of shift lies between the domains of a table in blocks, and what follows.

    The report of :func:`skda.inspection.diagnose`. Features are compared one by one over all rows,
    by :func:`skda.dask.feature_shift`; all other tests read a random sample, which is drawn where
    the blocks are. Its first finding says how many rows there are and how many were used.

    Parameters
    ----------
    X : dask array or data frame of shape (n_samples, n_features)
        Rows of all domains, as :func:`skda.inspection.diagnose` takes them.
    y : dask array or series, array-like or None
        Labels of the source rows, and of the target rows that have one.
    sample_domain : dask array or series, or array-like of int of shape (n_samples,)
        Domain of each row: >= 0 a source, < 0 a target. Several sources (targets) are pooled.
    estimator : classifier or None, default=None
        Model of the source, fitted on the sample. None: a forest.
    alpha : float, default=0.05
        Level of the tests: chance that a shift is reported where there is none.
    max_rows : int, default=2000
        Rows of each side in the sample, at least 20. Each domain of a side gives its part of them,
        whatever the classes of its rows, so that class proportions are those of the table. Labeled
        target rows come first. Raising it finds smaller shifts and takes longer.
    n_permutations : int, default=199
        Number of permutations in tests that permute.
    ignore : sequence of str, default=()
        Codes of findings to leave out of the report.
    random_state : int, RandomState instance or None, default=None
        Seed of the sample, of forests and of permutations.

    Returns
    -------
    report : ShiftReport
        With the attributes ``kind``, ``findings`` and ``features``.

    Raises
    ------
    ImportError
        If dask is not installed.
    ValueError
        As :func:`skda.inspection.diagnose` does.

    See Also
    --------
    skda.inspection.diagnose : In memory; its notes say how a kind is named.
    feature_shift : The table of features alone.

    Notes
    -----
    Three passes: one counts the rows of each domain and their labels, one draws, one compares the
    features, of which columns of text that the sample shows to be none are left out. Gaps, new
    categories and classes are those of the sample. With so many rows a feature is reported whose
    shift is real but small: read the sizes in ``report.features``.

    Examples
    --------
    >>> import dask.array
    >>> import skda.dask
    >>> from skda.datasets import make_label_shift
    >>> X, y, sample_domain = make_label_shift(3000, 3000, random_state=0)
    >>> blocks = dask.array.from_array(X, chunks=(1000, 2))
    >>> report = skda.dask.diagnose(blocks, y, sample_domain, max_rows=300, random_state=0)
    >>> report.kind
    'label'
    >>> report["SIZE"].evidence["source_rows"], report["SIZE"].evidence["used_source"]
    (3000, 300)
    """
    max_rows = check_integer("max_rows", max_rows, low=20)
    rng = check_random_state(random_state)
    table = Table(X, y, sample_domain)
    counts, rows, labels, ids = _sampled(table, max_rows, rng)
    return diagnosed(
        rows,
        labels,
        ids,
        estimator=estimator,
        alpha=alpha,
        max_rows=max_rows,
        n_permutations=n_permutations,
        ignore=ignore,
        random_state=rng,
        counts=counts,
        tabulate=partial(_tabulate, table, rng.randint(2**31)),
    )


def _sampled(table, size, rng):
    """Return the number of rows of each domain, and the rows, labels and ids of a sample."""
    blocks = table.blocks()
    found = [task(_count, None if ids is not None else x, y, ids) for x, y, ids in blocks]
    by_block = engine().compute(*found)
    counts, total = {}, {}
    for own in by_block:
        for key, n in own.items():
            counts[key[0]] = counts.get(key[0], 0) + n
            total[key] = total.get(key, 0) + n
    check_both_sides(np.array(sorted(counts)))
    shares = quotas_by_block(by_block, _side_quotas(total, size), rng)
    seed = int(rng.randint(2**31 - 1))
    parts = [
        task(partial(_draw, share, [seed, number]), *block)
        for number, (block, share) in enumerate(zip(blocks, shares, strict=True))
        if share
    ]
    rows, y, ids = zip(*engine().compute(*parts), strict=True)
    y = None if table.y is None else join_labels(list(y))
    return counts, concatenate_rows(list(rows)), y, np.concatenate(ids)


def _keys(y, ids):
    """Return the domain of each row, and whether it is a target row with a label."""
    if y is None:
        return np.column_stack([ids, np.zeros_like(ids)])
    return np.column_stack([ids, (ids < 0) & labeled_rows(y, ids)])


def _count(X, y, sample_domain):
    """Return the number of rows of a block by domain and by whether a target row has a label."""
    ids = block_ids(sample_domain, n_rows(X if sample_domain is None else sample_domain))
    keys, counts = np.unique(_keys(y, ids), axis=0, return_counts=True)
    return {(int(i), bool(known)): int(n) for (i, known), n in zip(keys, counts, strict=True)}


def _side_quotas(total, size):
    """Return how many rows each domain gives, labeled target rows before the others."""
    quota = {}
    for is_first in (lambda key: key[0] >= 0, lambda key: key[1], lambda key: key[0] < 0):
        left = size - sum(n for key, n in quota.items() if key[0] < 0)
        own = {key: n for key, n in total.items() if is_first(key) and key not in quota}
        quota |= in_proportion(own, left)
    return {key: n for key, n in quota.items() if n}


def in_proportion(counts, size):
    """Return whole numbers of rows that add up to a size, in proportion to these counts.

    What rounding down leaves goes to the largest remainders; no number is above its count.
    """
    everything = sum(counts.values())
    if everything <= size:
        return dict(counts)
    exact = {key: n * size / everything for key, n in counts.items()}
    whole = {key: int(n) for key, n in exact.items()}
    by_rest = sorted(exact, key=lambda key: whole[key] - exact[key])
    for key in by_rest[: size - sum(whole.values())]:
        whole[key] += 1
    return whole


def _draw(share, seed, X, y, sample_domain):
    """Return the rows, labels and ids of a block's part of the sample, in their order."""
    ids = block_ids(sample_domain, n_rows(X))
    keys, rng, chosen = _keys(y, ids), np.random.default_rng(seed), []
    for (domain, known), n in share.items():
        rows = np.flatnonzero((keys[:, 0] == domain) & (keys[:, 1] == known))
        chosen.append(rng.choice(rows, n, replace=False))
    rows = np.sort(np.concatenate(chosen))
    return take_rows(X, rows), None if y is None else as_labels(y)[rows], ids[rows]


def _tabulate(table, seed, columns):
    """Return the table of features of all rows, without the columns of text."""
    X = table.X
    if columns.left_out and is_frame(X):
        X = X[[name for name in X.columns if str(name) not in columns.left_out]]
    return feature_shift(X, table.sample_domain, random_state=seed)
