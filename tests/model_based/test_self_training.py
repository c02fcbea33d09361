"""Self-training: which rows get a label, the rounds by hand, and a target that turned."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from skda import SelfTrainingTransferClassifier, stack_domains
from skda.model_based._self_training import surest_by_class
from tests.templates import PredictorTemplate


def turned(seed, n=300):
    """Two classes far apart; the target's cloud is turned by an eighth and moved."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, 2 * n)
    X = rng.normal(size=(2 * n, 2)) + 4.0 * np.outer(y, [1.0, 0.0]) - [2.0, 0.0]
    turn = np.pi / 4
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    X[n:] = X[n:] @ rotation + [0.5, 1.0]
    return X, y, np.repeat([1, -2], n)


class TestSelfTrainingTransferClassifier(PredictorTemplate):
    estimator = SelfTrainingTransferClassifier(keep_source=False)
    gain = 0.03
    bad_params = {
        "estimator": ["svm", LinearSVC()],
        "n_rounds": [0, 1.5],
        "max_fraction": [0, 1.1, "all"],
        "keep_source": ["no"],
    }

    def shift(self, seed):
        return turned(seed)

    def disabled(self, monkeypatch):
        monkeypatch.setattr(SelfTrainingTransferClassifier, "_train", lambda *args: None)
        return self.estimator


def test_the_surest_of_each_class_are_picked():
    codes = np.array([0, 0, 0, 1, 1, 1, 1, 2])
    certainty = np.array([0.9, 0.5, 0.7, 0.6, 0.9, 0.8, 0.7, 0.4])
    assert surest_by_class(codes, certainty, 0.5).tolist() == [0, 2, 4, 5, 7]
    assert surest_by_class(codes, certainty, 0.0).tolist() == []
    assert surest_by_class(codes, certainty, 1.0).tolist() == list(range(8))
    assert len(surest_by_class(np.zeros(30, int), np.ones(30), 0.1)) == 3


def test_one_round_by_hand():
    X, y, d = turned(0)
    Xs, ys, Xt = X[d > 0], y[d > 0], X[d < 0]
    model = SelfTrainingTransferClassifier(n_rounds=1, max_fraction=0.5)
    model.fit(X, y, sample_domain=d)
    first = LogisticRegression(max_iter=1000).fit(Xs, ys)
    proba, labels = first.predict_proba(Xt), first.predict(Xt)
    picked = np.zeros(len(Xt), dtype=bool)
    for label in (0, 1):
        # The median of the class separates the surer half.
        sure = proba[labels == label, label]
        n_picked = -(-len(sure) // 2)
        picked |= (labels == label) & (proba[:, label] >= np.sort(sure)[-n_picked])
    again = LogisticRegression(max_iter=1000).fit(
        np.vstack([Xs, Xt[picked]]), np.r_[ys, labels[picked]]
    )
    np.testing.assert_allclose(model.predict_proba(X), again.predict_proba(X), atol=1e-5)
    assert model.n_pseudo_labels_.tolist() == [picked.sum()]


def test_more_rows_get_a_label_in_each_round_and_no_source_row_is_left():
    X, y, d = turned(0)
    seen = []

    class Watching(LogisticRegression):
        def fit(self, X, y):
            seen.append(X)
            return super().fit(X, y)

    model = SelfTrainingTransferClassifier(
        Watching(), n_rounds=4, max_fraction=1.0, keep_source=False
    ).fit(X, y, sample_domain=d)
    assert (np.diff(model.n_pseudo_labels_) > 0).all()
    assert model.n_pseudo_labels_[-1] == 300
    source = X[d > 0, 0]
    n_source = [np.isin(rows[:, 0], source).sum() for rows in seen]
    assert n_source == sorted(n_source, reverse=True)
    assert n_source[0] == 300 and n_source[-1] == 0


def test_it_stops_where_one_class_is_left():
    X, y, d = turned(0)
    X[d < 0] = X[d > 0][y[d > 0] == 1][:1]  # all target rows look like one class
    model = SelfTrainingTransferClassifier(keep_source=False, n_rounds=3)
    model.fit(X, y, sample_domain=d)
    assert len(model.n_pseudo_labels_) == 2
    assert set(model.predict(X)) == {0, 1}


def test_a_class_that_no_target_row_has_stays_known_beside_the_source():
    X, y, d = turned(0)
    y = y + (X[:, 1] > 1.5)
    labels = np.array(["a", "b", "c"])[y]
    rows, labels, d = stack_domains(X[d > 0], labels[d > 0], X[d < 0])
    for keep_source in (True, False):
        model = SelfTrainingTransferClassifier(DecisionTreeClassifier(), keep_source=keep_source)
        proba = model.fit(rows, labels, sample_domain=d).predict_proba(rows)
        assert proba.shape[1] == 3
        np.testing.assert_allclose(proba.sum(axis=1), 1.0)
