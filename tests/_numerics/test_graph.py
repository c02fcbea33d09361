"""Neighbor graphs and the spread of labels: sums by brute force and limits."""

import numpy as np
import pytest
from scipy import sparse

from skda._numerics._graph import (
    conjugate_gradients,
    normalized_affinity,
    propagate_labels,
    row_scales,
    self_tuned_weights,
    symmetric_affinity,
)


def path_graph(n):
    """Rows in a line, each joined to the next."""
    ones = np.ones(n - 1)
    return sparse.csr_array(sparse.diags_array([ones, ones], offsets=[-1, 1]))


def test_all_columns_are_solved_at_once():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(30, 30))
    A = A @ A.T + np.eye(30)
    B = rng.normal(size=(30, 4))
    B[:, 2] = 0.0
    X, n_iter = conjugate_gradients(lambda V: A @ V, B, tol=1e-12, max_iter=500)
    np.testing.assert_allclose(X, np.linalg.solve(A, B), atol=1e-9)
    assert 1 <= n_iter < 500


def test_steps_end_at_the_limit():
    A = np.diag(np.arange(1.0, 101.0))
    _, n_iter = conjugate_gradients(lambda V: A @ V, np.ones((100, 1)), tol=1e-14, max_iter=3)
    assert n_iter == 3


@pytest.mark.parametrize("alpha", [0.01, 0.5, 0.99])
def test_a_label_is_right_however_far_it_has_come(alpha):
    n = 40
    W = path_graph(n)
    Y = np.zeros((n, 2))
    Y[0, 0] = Y[-1, 1] = 1.0
    F, _ = propagate_labels(W, Y, alpha=alpha)
    S = normalized_affinity(W).toarray()
    wanted = (1 - alpha) * np.linalg.solve(np.eye(n) - alpha * S, Y)
    # The middle gets 1e-40 of either label at the smallest alpha, and the share is still right.
    found, wanted = (M / M.sum(axis=1, keepdims=True) for M in (F, wanted))
    np.testing.assert_allclose(found[15:25], wanted[15:25], atol=1e-3)
    np.testing.assert_allclose(found[::-1, ::-1], found, atol=1e-3)


def test_rows_without_a_path_to_a_label_stay_empty():
    W = sparse.csr_array(sparse.block_diag([path_graph(5), path_graph(4)]))
    Y = np.zeros((9, 1))
    Y[0, 0] = 1.0
    F, _ = propagate_labels(W, Y, alpha=0.9)
    assert (F[:5] > 0).all() and (F[5:] == 0).all()


def test_weights_are_symmetric_and_not_below_the_limit():
    rng = np.random.default_rng(0)
    distances = np.sort(rng.exponential(size=(20, 4)), axis=1)
    neighbors = (np.arange(20)[:, None] + [1, 2, 3, 4]) % 20
    scales = row_scales(distances)
    weights = self_tuned_weights(distances, scales, scales[neighbors])
    assert weights.min() >= np.exp(-10.0)
    W = symmetric_affinity(neighbors, weights).toarray()
    np.testing.assert_array_equal(W, W.T)
    assert (W.diagonal() == 0).all()


def test_the_width_of_duplicates_is_that_of_the_others():
    distances = np.array([[0.0, 0.0], [1.0, 2.0], [1.0, 4.0]])
    np.testing.assert_array_equal(row_scales(distances), [3.0, 2.0, 4.0])
    np.testing.assert_array_equal(row_scales(distances, usual=7.0), [7.0, 2.0, 4.0])
    np.testing.assert_array_equal(row_scales(distances * 0.0), [1.0, 1.0, 1.0])
