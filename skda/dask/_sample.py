"""A stratified sample of the rows of a table in blocks, drawn where the blocks are."""

import numpy as np

from .._array._rows import n_rows, take_rows
from .._core._labels import as_labels, missing_labels
from .._core._sample_domain import check_sample_domain

# Rows wanted of every stratum, however small beside the others: of fewer, neither a covariance nor
# a class can be learnt.
_LEAST_OF_A_STRATUM = 30


def block_ids(sample_domain, n):
    """Return the id of each row of a block; 0, a source, where there is no ``sample_domain``."""
    return np.zeros(n, np.int64) if sample_domain is None else check_sample_domain(sample_domain, n)


def strata(ids, y, *, target_labels=False):
    """Return the stratum of each row, a pair of its domain and, where it counts, its label.

    Returns
    -------
    keys : list of (int, label or None)
    inverse : ndarray of int of shape (n_samples,)
        Index of each row's stratum. Both are None where labels are numbers on a scale.
    """
    codes, labels = np.zeros(len(ids), np.int64), [None]
    if y is not None:
        y = as_labels(y)
        used = ~missing_labels(y)
        if not target_labels:  # so that no label of a target row decides on anything
            used &= ids >= 0
        known = y[used]
        if y.ndim > 1 or (known.dtype.kind == "f" and (known != np.rint(known)).any()):
            return None, None
        # Whole numbers are floats in a block where one is missing, and integers in another.
        found, of_known = _distinct(known.astype(np.int64) if known.dtype.kind == "f" else known)
        labels += found
        codes[used] = of_known + 1
    domains, of_domain = np.unique(ids, return_inverse=True)
    pairs, inverse = np.unique(of_domain * len(labels) + codes, return_inverse=True)
    keys = [(int(domains[pair // len(labels)]), labels[pair % len(labels)]) for pair in pairs]
    return keys, inverse


def _distinct(labels):
    """Return the distinct labels as Python objects, and the index of each row's among them."""
    if labels.dtype != object:
        found, inverse = np.unique(labels, return_inverse=True)
        return found.tolist(), inverse
    # Labels of several types cannot be sorted.
    number = {label: i for i, label in enumerate(dict.fromkeys(labels.tolist()))}
    return list(number), np.array([number[label] for label in labels], dtype=np.int64)


def count_strata(X, y, sample_domain, *, target_labels):
    """Return the number of rows of each stratum of a block, and whether a label is missing.

    None in the place of the numbers stands for labels on a scale.
    """
    n = n_rows(X if sample_domain is None else sample_domain)
    ids = block_ids(sample_domain, n)
    if y is not None and n_rows(y) != n:
        raise ValueError(
            f"y must have one label per row of X; a block has {n_rows(y)} labels for {n} rows."
        )
    keys, inverse = strata(ids, y, target_labels=target_labels)
    missing = y is not None and bool(missing_labels(y).any())
    if keys is None:
        return None, missing
    counts = np.bincount(inverse, minlength=len(keys)).tolist()
    return dict(zip(keys, counts, strict=True)), missing


def quotas(counts, size):
    """Return how many rows of each stratum make a sample of a size.

    In proportion to its rows, but for small strata, which get a few in any case.
    """
    total = sum(counts.values())
    if total <= size:
        return dict(counts)
    if len(counts) > size:
        raise ValueError(
            f"sample_size must be at least the number of domains and classes; got {size} for "
            f"{len(counts)}. Raise it."
        )
    least = min(_LEAST_OF_A_STRATUM, max(1, size // (2 * len(counts))))
    quota = {key: min(n, least) for key, n in counts.items()}
    large = [key for key, n in counts.items() if n * size > quota[key] * total]
    left = size - sum(n for key, n in quota.items() if key not in large)
    shared = sum(counts[key] for key in large)
    return quota | {key: counts[key] * left // shared for key in large}


def quotas_by_block(block_counts, quota, rng):
    """Return for each block how many rows of each stratum it gives: in proportion to its rows.

    By systematic sampling: with a random start, the expected numbers are rounded so that their
    running sums are, which keeps the total and asks no block for more than it has.
    """
    shares = [{} for _ in block_counts]
    for key, wanted in quota.items():
        counts = np.array([counts.get(key, 0) for counts in block_counts], dtype=float)
        running = np.cumsum(counts) * (wanted / counts.sum())
        running[-1] = wanted  # exactly
        ends = np.floor(running + rng.random())
        for share, n in zip(shares, np.diff(ends, prepend=0.0), strict=True):
            if n:
                share[key] = int(n)
    return shares


def draw(share, target_labels, seed, X, y, sample_domain):
    """Return the rows, labels and ids of a block's part of the sample, in their order."""
    ids = block_ids(sample_domain, n_rows(X))
    by_label = any(label is not None for _, label in share)
    keys, inverse = strata(ids, y if by_label else None, target_labels=target_labels)
    rng = np.random.default_rng(seed)
    chosen = []
    for number, key in enumerate(keys):
        rows = np.flatnonzero(inverse == number)
        n = share.get(key, 0)
        chosen.append(rows if n == len(rows) else rng.choice(rows, n, replace=False))
    rows = np.sort(np.concatenate(chosen))
    return take_rows(X, rows), None if y is None else as_labels(y)[rows], ids[rows]
