"""Conformal p-values of a stream are exact: against brute force, and against their distribution."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from skda.monitoring import _conformal
from skda.monitoring._conformal import BLOCK, CategoryBag, NumberBag, count_smaller


def brute_force(earlier, value, u):
    """Return the rank of a value among the earlier ones and itself, ties broken by u."""
    return (np.sum(earlier < value) + u * (np.sum(earlier == value) + 1)) / (len(earlier) + 1)


def in_batches(bag, rows, u_value, u_missing, sizes, rng=None):
    """Return the p-values of all rows, taken in batches of these sizes."""
    rng, start, found = rng or np.random.default_rng(0), 0, []
    for size in sizes:
        stop = start + size
        while start < stop:
            part = slice(start, min(stop, start + bag.capacity))
            found.append(bag.pvalues(rows[part], u_value[part], u_missing[part]))
            bag.add(rows[part])
            if bag.capacity == 0:
                bag.settle(rng)
            start = part.stop
    return (np.concatenate(p) for p in zip(*found, strict=True))


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("sizes", [[1] * 300, [7] * 42 + [6], [200, 100]])
def test_pvalues_are_ranks_among_all_earlier_rows(tied, sizes):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(330, 3))
    X = np.round(2 * X) if tied else X
    X[rng.random(X.shape) < 0.1] = np.nan
    reference, stream = X[:30], X[30:]
    u, v = rng.random((2, 300, 3))
    found, missing = in_batches(NumberBag(reference, 10**6, rng), stream, u, v, sizes)
    for i in range(0, 300, 11):
        for j in range(3):
            earlier, gone = X[: 30 + i, j], np.isnan(X[: 31 + i, j]).astype(float)
            assert_allclose(missing[i, j], brute_force(gone[:-1], gone[-1], v[i, j]))
            if not gone[-1]:
                there = earlier[~np.isnan(earlier)]
                assert_allclose(found[i, j], brute_force(there, stream[i, j], u[i, j]))


def test_counts_of_few_rows_and_of_many_are_the_same(monkeypatch):
    rng = np.random.default_rng(0)
    for m in (1, 2, 7, 8, 100):
        bag = np.sort(np.round(rng.normal(size=(4, m)), 1), axis=1)
        rows = np.round(rng.normal(size=(20, 4)), 1)
        for side in ("left", "right"):
            monkeypatch.setattr(_conformal, "_FEW_ROWS", 1)
            many = count_smaller(bag, rows, side)
            monkeypatch.setattr(_conformal, "_FEW_ROWS", 1000)
            assert_array_equal(count_smaller(bag, rows, side), many)
            compare = np.less if side == "left" else np.less_equal
            assert_array_equal(many, compare(bag.T[:, None], rows[None]).sum(axis=0))


def test_a_full_bag_keeps_its_size_and_its_order():
    rng = np.random.default_rng(0)
    bag = NumberBag(rng.normal(size=(300, 2)), 250, rng)
    assert bag.bag.shape == (2, 250)
    rows = rng.normal(size=(BLOCK, 2))
    bag.pvalues(rows, rows, rows)
    bag.add(rows)
    bag.settle(rng)
    assert bag.bag.shape == (2, 250) and (np.diff(bag.bag, axis=1) >= 0).all()
    assert np.isin(rows, bag.bag.T).mean() == pytest.approx(250 / 378, abs=0.15)


def test_pvalues_are_uniform_and_independent_also_when_rows_leave():
    rng = np.random.default_rng(0)
    # A small reference and a small bag, over many blocks: what a fixed reference gets wrong.
    streams = rng.exponential(size=(3 * BLOCK + 20, 200))
    u = rng.random((3 * BLOCK, 200))
    p = np.empty_like(u)
    for i in range(200):
        stream, rng = streams[:, i : i + 1], np.random.default_rng(i)
        bag, own_u = NumberBag(stream[:20], 20, rng), u[:, i : i + 1]
        p[:, i : i + 1], _ = in_batches(bag, stream[20:], own_u, own_u, [BLOCK] * 3, rng)
    assert stats.kstest(p.ravel(), "uniform").pvalue > 0.001
    # The mean of independent p-values of one stream spreads by 1 / sqrt(12 n), and not by more.
    z = (p.mean(axis=0) - 0.5) * np.sqrt(12 * len(p))
    assert stats.kstest(z, "norm").pvalue > 0.001
    fixed = (streams[:20, None, :] < streams[None, 20:, :]).mean(axis=0)
    assert np.std(fixed.mean(axis=0)) * np.sqrt(12 * len(p)) > 3, "the fault that this avoids"


def test_pvalues_of_categories_are_proportions_of_rarer_rows():
    rng = np.random.default_rng(0)
    values = rng.choice(["a", "b", "c", "d"], p=[0.5, 0.3, 0.15, 0.05], size=150).astype(object)
    values[100] = "new"
    u = rng.random(110)
    bag = CategoryBag(values[:40], 10**6, rng)
    found = []
    for start in range(0, 110, 11):
        part = values[40 + start : 51 + start]
        found.append(bag.pvalues(part, u[start : start + 11]))
        bag.add(part)
    for i, p in enumerate(np.concatenate(found)):
        rows = values[: 41 + i]
        counts = np.array([np.sum(rows == v) for v in rows])
        wanted = (np.sum(counts < counts[-1]) + u[i] * np.sum(counts == counts[-1])) / len(rows)
        assert_allclose(p, wanted)


def test_categories_that_have_left_are_forgotten():
    rng = np.random.default_rng(0)
    bag = CategoryBag(np.array([f"id{i}" for i in range(50)], dtype=object), 50, rng)
    for block in range(20):
        bag.add(np.array([f"{block} {i}" for i in range(BLOCK)], dtype=object))
        bag.settle(rng)
        assert bag.counts.sum() == 50 and len(bag.codes) <= 50
