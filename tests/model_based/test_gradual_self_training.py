"""Gradual self-training: the way by hand, real and interpolated domains, and a turning cloud."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.optimize import linear_sum_assignment
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from skda import GradualSelfTrainingClassifier, stack_domains
from skda.model_based import _gradual_self_training
from skda.model_based._gradual_self_training import paired_rows
from skda.model_based._self_training import surest_by_class
from tests.templates import PredictorTemplate


def turning(seed, n_steps=1, end=np.pi / 3, n=150):
    """Two clouds that turn; the ids of the targets say nothing about their order."""
    rng = np.random.default_rng(seed)
    ids = np.resize([-3, -9, -2, -7, -5, -4], n_steps)
    X, y = [], []
    for angle in np.linspace(0, end, n_steps + 1):
        y.append(rng.integers(0, 2, n))
        rows = rng.normal(size=(n, 2)) + 3.0 * np.outer(2 * y[-1] - 1, [1.0, 0.0])
        c, s = np.cos(angle), np.sin(angle)
        X.append(rows @ np.array([[c, s], [-s, c]]))
    return np.vstack(X), np.concatenate(y), np.repeat([1, *ids], n)


def moved(seed, n=150):
    """Two clouds that move together, by more than half of what is between them."""
    rng = np.random.default_rng(seed)
    y = np.resize([0, 1], 2 * n)
    X = rng.normal(size=(2 * n, 2)) + 4.0 * np.outer(y, [1.0, 0.0])
    X[n:] += [3.0, 1.0]
    return X, y, np.repeat([1, -2], n)


class TestGradualSelfTrainingClassifier(PredictorTemplate):
    estimator = GradualSelfTrainingClassifier()
    gain = 0.2
    bad_params = {
        "estimator": ["svm", LinearSVC()],
        "order": [[-5], "time", [-3, -3], [1], -3, [[-3]]],
        "n_intermediate": [-1, 1.5],
        "keep_fraction": [0, 1.1, "all"],
    }

    def shift(self, seed):
        return moved(seed)

    def disabled(self, monkeypatch):
        monkeypatch.setattr(GradualSelfTrainingClassifier, "_follow", lambda *args: None)
        return self.estimator


def test_it_follows_domains_in_their_order_where_self_training_at_once_fails():
    X, y, d = turning(0, n_steps=6, end=0.8 * np.pi)
    order = [-3, -9, -2, -7, -5, -4]
    last = d == order[-1]

    model = GradualSelfTrainingClassifier(order=order).fit(X, y, sample_domain=d)
    assert len(model.n_pseudo_labels_) == 6
    assert model.score(X[last], y[last]) > 0.98
    source_and_last = last | (d > 0)
    at_once = GradualSelfTrainingClassifier(n_intermediate=0).fit(
        X[source_and_last], y[source_and_last], sample_domain=d[source_and_last]
    )
    assert at_once.score(X[last], y[last]) < 0.5


def test_interpolated_steps_go_further_than_one():
    scores = {0: [], 5: []}
    for seed in range(3):
        X, y, d = moved(seed)
        for n, found in scores.items():
            model = GradualSelfTrainingClassifier(n_intermediate=n).fit(X, y, sample_domain=d)
            found.append(model.score(X[d < 0], y[d < 0]))
    assert np.mean(scores[5]) > np.mean(scores[0]) + 0.1, scores


def test_the_way_by_hand():
    X, y, d = turning(0, n_steps=2)
    model = GradualSelfTrainingClassifier(order=[-9, -3], keep_fraction=0.7)
    model.fit(X, y, sample_domain=d)
    now = LogisticRegression(max_iter=1000).fit(X[d > 0], y[d > 0])
    counts = []
    for i in (-9, -3):
        proba = now.predict_proba(X[d == i])
        rows = surest_by_class(proba.argmax(axis=1), proba.max(axis=1), 0.7)
        now = LogisticRegression(max_iter=1000).fit(X[d == i][rows], proba.argmax(axis=1)[rows])
        counts.append(len(rows))
    np.testing.assert_allclose(model.predict_proba(X), now.predict_proba(X))
    assert model.n_pseudo_labels_.tolist() == counts


def test_rows_are_paired_as_the_cheapest_assignment_does():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(30, 3)), rng.normal(size=(30, 3)) * [1, 5, 20] + 2
    start, end = paired_rows(X, Y)
    cost = ((X[:, None] - Y) ** 2).sum(axis=2)
    i, j = linear_sum_assignment(cost)
    np.testing.assert_allclose(start, X[i])
    np.testing.assert_allclose(end, Y[j])
    start, end = paired_rows(X, Y[:7])
    assert len(start) == len(end) < 37
    assert {tuple(row) for row in end} == {tuple(row) for row in Y[:7]}
    assert {tuple(row) for row in start} == {tuple(row) for row in X}


def test_interpolated_domains_lie_on_the_way():
    X, y, d = turning(0)
    seen = []

    class Watching(LogisticRegression):
        def fit(self, X, y):
            seen.append(X)
            return super().fit(X, y)

    model = GradualSelfTrainingClassifier(Watching(), n_intermediate=3, keep_fraction=1.0)
    model.fit(X, y, sample_domain=d)
    assert model.n_pseudo_labels_.tolist() == [150] * 4
    start, end = paired_rows(X[d > 0], X[d < 0])
    for part, rows in zip((0.25, 0.5, 0.75), seen[1:4], strict=True):
        np.testing.assert_allclose(rows, (1 - part) * start + part * end)
    np.testing.assert_array_equal(seen[-1], X[d < 0])


def test_few_of_many_rows_show_the_way(monkeypatch):
    monkeypatch.setattr(_gradual_self_training, "_MOST_ROWS", 40)
    X, y, d = turning(0)
    model = GradualSelfTrainingClassifier(random_state=0, keep_fraction=1.0, n_intermediate=1)
    first = model.fit(X, y, sample_domain=d).predict_proba(X)
    assert model.n_pseudo_labels_.tolist() == [40, 150]
    np.testing.assert_array_equal(model.fit(X, y, sample_domain=d).predict_proba(X), first)


def test_the_last_of_the_classes_is_kept():
    X, y, d = turning(0)
    X[d < 0] = X[d > 0][y[d > 0] == 1][:1]  # all target rows look like one class
    model = GradualSelfTrainingClassifier(n_intermediate=0).fit(X, y, sample_domain=d)
    assert len(model.n_pseudo_labels_) == 0
    assert set(model.predict(X)) == {0, 1}


def test_a_class_that_no_target_row_has_stays_known():
    X, y, d = turning(0)
    labels = np.array(["a", "b", "c"])[y + (X[:, 1] > 1.5)]
    rows, labels, d = stack_domains(X[d > 0], labels[d > 0], X[d < 0] - 1)
    model = GradualSelfTrainingClassifier(DecisionTreeClassifier()).fit(
        rows, labels, sample_domain=d
    )
    proba = model.predict_proba(rows)
    assert proba.shape[1] == 3
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)


def test_sparse_rows_and_data_frames_are_interpolated_alike():
    X, y, d = moved(0)
    wanted = GradualSelfTrainingClassifier().fit(X, y, sample_domain=d).predict_proba(X)
    for rows in (sparse.csr_array(X), pd.DataFrame(X, columns=["a", "b"])):
        model = GradualSelfTrainingClassifier().fit(rows, y, sample_domain=d)
        np.testing.assert_allclose(model.predict_proba(rows), wanted, rtol=1e-4)


def test_rows_that_cannot_be_averaged_need_an_order():
    X, y, d = turning(0)
    frame = pd.DataFrame({"a": X[:, 0], "b": np.where(X[:, 1] > 0, "up", "down")})
    with pytest.raises(ValueError, match="could not convert"):
        GradualSelfTrainingClassifier().fit(frame, y, sample_domain=d)
