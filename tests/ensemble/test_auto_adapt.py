"""The verdict says what was done, and what was done is what the evidence says."""

import numpy as np
import pytest
from scipy.stats import binomtest, wilcoxon
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skda import (
    AutoAdaptClassifier,
    AutoAdaptRegressor,
    DomainScaler,
    DomainWarning,
    make_domain_pipeline,
    stack_domains,
)
from skda.datasets import load_digits_scanners

pytestmark = pytest.mark.usefixtures("routing")


class Says(ClassifierMixin, BaseEstimator):
    """A classifier that says of each row what stands in a column of X."""

    def __init__(self, column=0):
        self.column = column

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return self.classes_[np.asarray(X)[:, self.column].astype(int)]


def spoken(source, others, *, n=1000, seed=0):
    """Votes of a source model of some accuracy in the target, and of one other model."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    X = np.where(rng.random((n, 2)) < [source, others], y[:, None], 1 - y[:, None])
    return X.astype(float), y, np.repeat([1, -2], n // 2)


def labels_for(y, d, n_labels, seed=0):
    """Labels of which so many of the target are known, the others missing."""
    rng = np.random.default_rng(seed)
    known = y.astype(float)
    target = rng.permutation(np.flatnonzero(d < 0))
    known[target[n_labels:]] = np.nan
    return known


def auto(**params):
    return AutoAdaptClassifier(Says(0), candidates={"other": Says(1)}, **params)


@pytest.fixture(scope="module")
def digits():
    X, y, d = load_digits_scanners(random_state=0)
    kept = np.random.default_rng(0).permutation(len(y))[:400]
    return X[kept], y[kept], d[kept]


# Without labels


@pytest.mark.slow
def test_it_adapts_where_the_source_model_is_lost(digits):
    X, y, d = digits
    model = AutoAdaptClassifier().fit(X, labels_for(y, d, 0), sample_domain=d)
    assert model.adapts_
    assert model.verdict_.startswith("adapt: consensus of 1")
    assert "of its skill on the way back from the target" in model.verdict_
    assert (model.n_labels_, model.pvalue_, model.gain_interval_) == (0, None, None)
    plain = model.consensus_.estimators_["source only"]
    assert model.score(X[d < 0], y[d < 0]) > plain.score(X[d < 0], y[d < 0]) + 0.3
    assert list(model.table_.columns) == ["weight", "agreement", "seconds", "warnings", "error"]


@pytest.mark.filterwarnings("ignore::skda.DomainWarning")
def test_it_keeps_the_source_model_where_nothing_moved():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3))
    y = (X @ [1.0, 1.0, 0.0] > 0).astype(float)
    d = np.repeat([1, -2], 200)
    y[d < 0] = np.nan
    model = AutoAdaptClassifier(LogisticRegression()).fit(X, y, sample_domain=d)
    assert not model.adapts_
    assert model.verdict_.startswith("keep the source model: it has ")
    plain = LogisticRegression().fit(X[d > 0], y[d > 0])
    np.testing.assert_allclose(model.predict_proba(X), plain.predict_proba(X))


def test_four_labels_are_no_test():
    X, y, d = spoken(0.6, 0.9)
    model = auto().fit(X, labels_for(y, d, 4), sample_domain=d)
    assert model.n_labels_ == 0


# With labels


def test_the_test_is_the_sign_test_on_rows_where_they_differ():
    X, y, d = spoken(0.6, 0.9)
    known = labels_for(y, d, 40)
    model = auto().fit(X, known, sample_domain=d)
    rows = np.flatnonzero((d < 0) & ~np.isnan(known))
    adapted, plain = model.consensus_._both(X[rows], d[rows])
    wins = int(((adapted == y[rows]) & (plain != y[rows])).sum())
    losses = int(((adapted != y[rows]) & (plain == y[rows])).sum())
    expected = binomtest(wins, wins + losses, alternative="greater").pvalue if wins else 1.0
    assert model.pvalue_ == pytest.approx(expected)
    assert model.adapts_ == (model.pvalue_ <= 0.1)
    assert f"{model.n_labels_} labels" in model.verdict_


def decisions(source, others, n_labels, n_draws=200):
    """How often it adapts over draws of labels, and the limits of the gain."""
    adapts, intervals = [], []
    for seed in range(n_draws):
        X, y, d = spoken(source, others, n=400, seed=seed)
        model = auto(alpha=0.1).fit(X, labels_for(y, d, n_labels, seed), sample_domain=d)
        adapts.append(model.adapts_)
        intervals.append(model.gain_interval_)
    return np.mean(adapts), np.array(intervals)


@pytest.mark.slow
def test_it_adapts_without_a_reason_no_more_often_than_alpha():
    rate, _ = decisions(0.8, 0.8, 40)
    assert rate <= 0.1 + 2 * np.sqrt(0.1 * 0.9 / 200)


def strong(n_labels, seed):
    """A consensus of three good models beside a poor source model."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, 600)
    X = np.where(rng.random((600, 4)) < [0.6, 0.9, 0.9, 0.9], y[:, None], 1 - y[:, None])
    d = np.repeat([1, -2], 300)
    candidates = {f"good {i}": Says(i) for i in (1, 2, 3)}
    model = AutoAdaptClassifier(Says(0), candidates=candidates)
    return model.fit(X.astype(float), labels_for(y, d, n_labels, seed), sample_domain=d), X, y, d


def test_it_adapts_where_the_consensus_is_better_and_bounds_the_gain():
    adapts, covered = [], []
    for seed in range(40):
        model, X, y, d = strong(30, seed)
        adapted, plain = model.consensus_._both(X[d < 0].astype(float), d[d < 0])
        gain = 100 * (np.mean(adapted == y[d < 0]) - np.mean(plain == y[d < 0]))
        low, high = model.gain_interval_
        adapts.append(model.adapts_)
        covered.append(low <= gain <= high)
    assert np.mean(adapts) > 0.8
    assert np.mean(covered) >= 0.85


def test_the_verdicts_of_a_test():
    model, *_ = strong(60, 0)
    assert model.verdict_.startswith("adapt: consensus of 4 candidates, tested on 60 labels, gain ")
    assert model.verdict_.endswith("points at 90%")
    X, y, d = spoken(0.9, 0.6)
    kept = auto().fit(X, labels_for(y, d, 30), sample_domain=d)
    assert kept.verdict_.startswith("keep the source model: of 30 labels ")
    np.testing.assert_array_equal(kept.predict(X), X[:, 0])
    unsure, *_ = strong(5, 3)
    if not unsure.adapts_:
        assert "speak for the consensus" in unsure.verdict_


def test_labels_decide_and_teach_nothing():
    model, X, y, d = strong(40, 1)
    known = labels_for(y, d, 40, 1)
    other = np.where((d < 0) & ~np.isnan(known), 1 - known, known)
    told = AutoAdaptClassifier(Says(0), candidates=model.candidates)
    told.fit(X.astype(float), other, sample_domain=d)
    np.testing.assert_array_equal(told.consensus_.confusion_, model.consensus_.confusion_)
    assert model.adapts_ and not told.adapts_


def test_a_source_model_that_fails():
    class Fails(Says):
        def fit(self, X, y):
            raise RuntimeError("it cannot")

    X, y, d = spoken(0.8, 0.8)
    with pytest.warns(DomainWarning, match="source only"):
        model = AutoAdaptClassifier(Fails(), candidates={"a": Says(0), "b": Says(1)}).fit(
            X, labels_for(y, d, 0), sample_domain=d
        )
    assert "the source model could not be fitted" in model.verdict_


def test_without_a_target_there_is_nothing_to_adapt_to(digits):
    X, y, _ = digits
    with pytest.warns(DomainWarning, match="without sample_domain"):
        model = AutoAdaptClassifier().fit(X, y)
    assert model.verdict_ == "keep the source model: there are no target rows to adapt to"


def test_probabilities_are_there_where_the_estimator_has_them(digits):
    X, y, d = digits
    assert not hasattr(AutoAdaptClassifier(LinearSVC()), "predict_proba")
    assert hasattr(AutoAdaptClassifier(), "predict_proba")
    candidates = {"scaler": make_domain_pipeline(DomainScaler(), LinearSVC())}
    pipe = make_domain_pipeline(
        StandardScaler(), AutoAdaptClassifier(LinearSVC(), candidates=candidates, n_jobs=1)
    )
    pipe.fit(X, labels_for(y, d, 0), sample_domain=d)
    plain = pipe[-1].consensus_.estimators_["source only"]
    rows = pipe[:-1].transform(X[d > 0])
    assert plain.score(rows, y[d > 0]) > 0.9
    assert 0.2 < pipe.score(X, y, sample_domain=d) <= 1.0
    assert pipe[-1].classes_.tolist() == list(range(10))


# Regression


def shifted(seed=0):
    rng = np.random.default_rng(seed)
    A, B = rng.normal(size=(80, 3)), rng.normal(size=(80, 3))
    weights = [1.0, 2.0, 3.0]
    return stack_domains(A, A @ weights, 2 * B + 5, B @ weights)


REGRESSORS = {"scaler": DomainScaler(), "other": StandardScaler()}


def regressor(**params):
    candidates = {
        name: make_domain_pipeline(scaler, Ridge()) for name, scaler in REGRESSORS.items()
    }
    candidates |= {"again": make_domain_pipeline(DomainScaler(robust=True), Ridge())}
    return AutoAdaptRegressor(Ridge(), candidates=candidates, **params)


def test_regression_without_labels_says_that_it_is_untested():
    X, y, d = shifted()
    model = regressor().fit(X, labels_for(y, d, 0), sample_domain=d)
    assert model.adapts_
    assert "untested" in model.verdict_


def test_regression_is_tested_by_signed_ranks():
    X, y, d = shifted()
    known = labels_for(y, d, 20)
    model = regressor(alpha=0.05).fit(X, known, sample_domain=d)
    rows = np.flatnonzero((d < 0) & ~np.isnan(known))
    adapted, plain = model.consensus_._both(X[rows], d[rows])
    gains = np.abs(plain - y[rows]) - np.abs(adapted - y[rows])
    assert model.pvalue_ == pytest.approx(wilcoxon(gains, alternative="greater").pvalue)
    assert model.adapts_
    low, high = model.gain_interval_
    assert 0 < low < np.median(gains) < high
    assert "tested on 20 labels" in model.verdict_


def test_regression_keeps_a_source_model_that_is_right():
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(80, 3)), rng.normal(size=(80, 3)) + 3.0
    weights = [1.0, 2.0, 3.0]
    X, y, d = stack_domains(A, A @ weights, B, B @ weights)
    model = regressor().fit(X, labels_for(y, d, 20), sample_domain=d)
    assert not model.adapts_
    assert model.verdict_.startswith("keep the source model: on 20 labels the median gain")
    np.testing.assert_allclose(
        model.predict(X), Ridge().fit(X[d > 0], y[d > 0]).predict(X), rtol=1e-6
    )


@pytest.mark.parametrize("alpha", [0.0, 0.5, "high", True])
def test_alpha_is_named(alpha):
    X, y, d = shifted()
    for model in (regressor(alpha=alpha), AutoAdaptClassifier(alpha=alpha)):
        with pytest.raises(ValueError, match="alpha"):
            model.fit(X, np.where(y > 0, 1, 0), sample_domain=d)


def test_verbose_prints_the_candidates(capsys):
    X, y, d = shifted()
    regressor(verbose=True).fit(X, labels_for(y, d, 0), sample_domain=d)
    assert "[4/4]" in capsys.readouterr().out
