"""Quantiles of rows that come in batches."""

import math

import numpy as np
import pytest

from skda._array._backend import to_numpy
from skda._numerics._quantile_sketch import QuantileSketch


def in_chunks(X, size, rng, n_chunks=20, **merge):
    cuts = np.sort(rng.integers(1, len(X), n_chunks))
    parts = [part for part in np.split(X, cuts) if len(part)]
    sketch = QuantileSketch.of(parts[0], size=size)
    for part in parts[1:]:
        sketch = sketch.merge(QuantileSketch.of(part, size=size), **merge)
    return sketch, [len(part) for part in parts]


def largest_error(knots, X, weights=None):
    """Return the largest error of the distribution function, at the rows themselves."""
    weights = np.ones(len(X)) if weights is None else weights
    errors = []
    for x, k in zip(X.T, knots.T, strict=True):
        order = np.argsort(x, kind="stable")
        found = np.searchsorted(k, x[order], side="right") / len(k)
        errors.append(np.abs(found - np.cumsum(weights[order]) / weights.sum()).max())
    return max(errors)


@pytest.mark.parametrize("seed", range(3))
def test_few_rows_are_kept_as_they_are(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(200, 3))
    sketch, _ = in_chunks(X, 200, rng)
    np.testing.assert_array_equal(sketch.knots(), np.sort(X, axis=0))
    assert sketch.count == 200 and not sketch.summaries


@pytest.mark.parametrize("order", ["random", "ascending", "descending", "alternating"])
@pytest.mark.parametrize("size", [8, 50])
def test_the_error_is_within_its_bound_in_any_order(size, order):
    rng = np.random.default_rng(0)
    X = rng.lognormal(size=(4000, 2))
    if order != "random":
        X = np.sort(X, axis=0)[:: 1 if order != "descending" else -1]
    if order == "alternating":
        X = np.concatenate([X[::2], X[::-2]])
    for n_chunks in (3, 100, 2000):
        sketch, _ = in_chunks(X, size, rng, n_chunks)
        bound = (2 + math.log2(len(X) / size)) / (2 * size)
        assert largest_error(sketch.knots(), X) <= bound + 1e-12
        assert sketch.count == pytest.approx(len(X))
        assert len(sketch.summaries) <= 1 + math.log2(len(X) / size)
        assert sketch.knots().shape == (size, 2)


def test_one_batch_has_half_a_part_of_error():
    X = np.random.default_rng(0).normal(size=(5000, 2))
    assert largest_error(QuantileSketch.of(X, size=20).knots(), X) <= 2 * 0.5 / 20 + 1e-12
    whole = QuantileSketch.of(X[:100], size=20).knots()
    np.testing.assert_array_equal(whole, np.sort(X[:100], axis=0)[2::5])


def test_merging_sketches_in_a_tree_is_within_the_bound():
    X = np.random.default_rng(0).normal(size=(6400, 1))
    level = [QuantileSketch.of(part, size=64) for part in np.split(X, 64)]
    while len(level) > 1:
        level = [a.merge(b) for a, b in zip(level[::2], level[1::2], strict=True)]
    assert largest_error(level[0].knots(), X) <= (2 + math.log2(100)) / 128
    assert level[0].count == pytest.approx(6400)


@pytest.mark.parametrize("factor", [0.5, 0.8])
def test_forgetting_gives_the_quantiles_of_weighted_rows(factor):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 2)) + np.linspace(0.0, 5.0, 3000)[:, None]
    sketch, sizes = in_chunks(X, 100, rng, forgetting_factor=factor)
    weights = np.repeat(factor ** np.arange(len(sizes))[::-1], sizes)
    bound = (2 + math.log2(len(X) / 100)) / 200
    assert largest_error(sketch.knots(), X, weights) <= bound + 1e-12
    assert largest_error(sketch.knots(), X) > 5 * bound  # equal weights are another matter
    assert sketch.count == pytest.approx(weights.sum())


def test_sketches_are_the_same_on_every_backend(xp):
    X = np.random.default_rng(0).normal(size=(60, 2))

    def knots(move):
        sketch = QuantileSketch.of(move(X[:25]), size=10)
        for part in (X[25:30], X[30:]):
            sketch = sketch.merge(QuantileSketch.of(move(part), size=10), forgetting_factor=0.9)
        return sketch.knots()

    np.testing.assert_allclose(to_numpy(knots(xp.asarray)), knots(np.asarray), rtol=1e-6)
