"""Pairs are made of rows that nobody has seen before, and a score that knows neither."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skda.monitoring._columns import Table
from skda.monitoring._pair_test import (
    Encoder,
    PairTest,
    Products,
    logistic_coefficients,
    mean_difference,
)


def numbered(start, stop):
    """Rows that are told apart by their number."""
    return Table(np.arange(start, stop, dtype=float)[:, None], [])


@pytest.mark.parametrize("sizes", [[400], [1] * 400, [33, 1, 366]])
def test_no_row_is_used_twice(sizes, monkeypatch):
    test = PairTest(None, numbered(0, 50), kind="mmd", max_rows=1000, seed=0, ever=False)
    pool = test.pool.copy()
    pairs = []
    monkeypatch.setattr(test, "features", lambda rows: rows)
    monkeypatch.setattr(test, "_learn_from", lambda used, tested: pairs.append((used, tested)))
    # Numbers as they are, from within the range that is not cut.
    monkeypatch.setattr(test.encoder, "encode", lambda table: table.numbers)
    start = 50
    for size in sizes:
        test.update(numbered(start, start + size), start, np.inf)
        start += size
    used, tested = (np.concatenate(part).ravel() for part in zip(*pairs, strict=True))
    # Every second row of the stream is tested, and the others join the reference.
    assert tested.tolist() == list(range(51, 450, 2))
    assert len(set(used)) == len(used) == 200
    assert set(used) <= {*pool.ravel(), *range(50, 450, 2)}
    assert not set(used) & set(tested)
    # What is used later is newer: the reference is refilled.
    assert used[-50:].mean() > used[:50].mean()
    assert set(test.pool.ravel()) == ({*pool.ravel(), *range(50, 450, 2)} - set(used))


def test_swapped_rows_have_opposite_evidence():
    rng = np.random.default_rng(0)
    for kind in ("mmd", "classifier"):
        reference = Table(rng.normal(size=(60, 2)), [])
        test = PairTest(None, reference, kind=kind, max_rows=100, seed=0, ever=False)
        test.update(Table(rng.normal(size=(80, 2)) + 1.0, []), 0, np.inf)
        assert np.abs(test.score).max() > 0
        used, tested = rng.normal(size=(2, 30, len(test.score)))
        there = test._factors(used, tested)(slice(None))
        back = test._factors(tested, used)(slice(None))
        assert_allclose(there + back, 2.0)
        assert there.min() > 0 and np.abs(there - 1.0).max() > 0.05


def test_the_witness_has_unit_spread_and_points_to_the_new_rows():
    rng = np.random.default_rng(0)
    reference, new = rng.normal(size=(100, 3)), rng.normal([2.0, 0.0, 0.0], size=(50, 3))
    witness = mean_difference(reference, new, None)
    assert_allclose((np.concatenate([reference, new]) @ witness).std(), 1.0)
    assert (new @ witness).mean() > (reference @ witness).mean() + 1.0
    assert not mean_difference(reference, reference, None).any()


def test_the_classifier_is_a_ridge_logistic_regression():
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    reference, new = rng.normal(size=(80, 3)), rng.normal([1.0, 0.0, -0.5], size=(80, 3))
    found = None
    for _ in range(8):  # each call goes a few steps on
        found = logistic_coefficients(reference, new, found)
    X, y = np.concatenate([reference, new]), np.repeat([0, 1], 80)
    # The loss is a mean of 160 rows with a penalty of 2 / 80 on half the squares.
    wanted = LogisticRegression(C=1 / (160 * 2 / 80), tol=1e-8).fit(X, y).coef_[0]
    assert_allclose(2 * found, wanted, atol=1e-3)


def test_encoded_rows_are_standardized_marked_and_cut():
    numbers = np.array([[0.0, 5.0], [2.0, 5.0], [np.nan, 5.0], [4.0, 5.0]])
    table = Table(numbers, [np.array(["a", "b", "a", "a"], dtype=object)])
    encoder = Encoder(table)
    wild = Table(np.array([[1e9, 6.0], [np.nan, np.nan]]), [np.array(["b", "?"], dtype=object)])
    # Number, constant number (in its own unit), mark of missing values, and two categories.
    assert_allclose(encoder.encode(wild), [[4.0, 1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0, 0.0, 0.0]])
    assert_allclose(encoder.encode(table)[:, 0], [-np.sqrt(1.5), 0.0, 0.0, np.sqrt(1.5)])


def test_all_products_of_few_features_and_some_of_many():
    rng = np.random.default_rng(0)
    few, many = Products(rng.normal(size=(9, 3)), rng), Products(rng.normal(size=(9, 40)), rng)
    assert len(few.left) == 6 and len(many.left) == 300
    assert few(rng.normal(size=(2, 3))).shape == (2, 9)
    assert many(rng.normal(size=(2, 40))).shape == (2, 340)
