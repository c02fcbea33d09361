"""A consensus is better than its parts where they differ, and no worse where they do not."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skda import (
    ConsensusClassifier,
    CORALTransformer,
    DomainScaler,
    DomainWarning,
    EasyTLClassifier,
    LabelShiftClassifier,
    TrAdaBoostClassifier,
    make_domain_pipeline,
    stack_domains,
)
from skda.datasets import load_digits_scanners, make_label_shift, make_subspace_shift
from skda.metrics import SourceScorer
from skda.model_selection import DomainStratifiedKFold

pytestmark = pytest.mark.usefixtures("routing")


class Says(ClassifierMixin, BaseEstimator):
    """A classifier that says of each row what stands in a column of X."""

    def __init__(self, column=0, classes=(0, 1), probabilities=False, warns=False):
        self.column = column
        self.classes = classes
        self.probabilities = probabilities
        self.warns = warns

    def fit(self, X, y):
        self.classes_ = np.array(self.classes)
        return self

    def predict(self, X):
        return self.classes_[np.asarray(X)[:, self.column].astype(int)]

    def predict_proba(self, X):
        if not self.probabilities:
            raise NotImplementedError
        return np.eye(len(self.classes_))[np.asarray(X)[:, self.column].astype(int)]


class Silent(Says):
    """The same without probabilities."""

    predict_proba = property()


class Fails(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        raise RuntimeError("it cannot")


def spoken(accuracies, *, n=600, seed=0):
    """Rows whose columns are the votes of independent classifiers, and their labels."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    X = np.where(rng.random((n, len(accuracies))) < accuracies, y[:, None], 1 - y[:, None])
    d = np.repeat([1, -2], n // 2)
    return X.astype(float), y, d


def voters(n, kind=Silent):
    return {f"voter {i}": kind(i) for i in range(1, n)}


def target_score(model, X, y, d):
    return model.score(X[d < 0], y[d < 0])


def make(candidates="auto", **params):
    return ConsensusClassifier(candidates, estimator=Silent(0), check_need=False, **params)


@pytest.fixture(scope="module")
def digits():
    X, y, d = load_digits_scanners(random_state=0)
    kept = np.random.default_rng(0).permutation(len(y))[:500]
    return X[kept], y[kept], d[kept]


@pytest.fixture
def few():
    """Candidates that are fitted fast."""
    return {
        "scaler": make_domain_pipeline(DomainScaler(), LogisticRegression()),
        "coral": make_domain_pipeline(CORALTransformer(), LogisticRegression()),
        "label shift": LabelShiftClassifier(),
    }


# What is learnt


def test_the_consensus_beats_every_voter_and_the_vote():
    X, y, d = spoken([0.55, 0.9, 0.85, 0.6, 0.55, 0.55])
    hidden = np.where(d < 0, -1, y)
    scores = {
        combine: target_score(
            make(voters(6), combine=combine).fit(X, hidden, sample_domain=d), X, y, d
        )
        for combine in ("consensus", "vote")
    }
    assert scores["consensus"] > scores["vote"] + 0.03
    assert scores["consensus"] > 0.87


def test_confusion_priors_and_agreement_are_those_of_the_voters():
    X, y, d = spoken([0.8, 0.9, 0.85, 0.75, 0.7], n=4000)
    model = make(voters(5), damping=0.0).fit(X, y, sample_domain=d)
    assert model.confusion_.shape == (5, 2, 2)
    found = model.confusion_.diagonal(axis1=1, axis2=2).mean(axis=1)
    np.testing.assert_allclose(found, [0.8, 0.9, 0.85, 0.75, 0.7], atol=0.04)
    np.testing.assert_allclose(model.priors_, 0.5, atol=0.05)
    votes = X[d < 0]
    expected = [np.mean([(votes[:, [0]] == votes[:, 1:]).mean(axis=0)])]
    assert model.agreement_[0] == pytest.approx(expected[0])


def test_duplicates_count_as_one():
    X, y, d = spoken([0.6, 0.9, 0.9, 0.5])
    many = voters(3) | {f"copy {i}": Silent(3) for i in range(20)}
    model = make(many, combine="vote").fit(X, y, sample_domain=d)
    np.testing.assert_allclose(model.weights_[3:], 1 / 20)
    assert model.weights_[:3].tolist() == [1.0, 1.0, 1.0]
    assert target_score(model, X, y, d) > 0.7


def test_damping_makes_probabilities_less_sure():
    X, y, d = spoken([0.7, 0.75, 0.7, 0.7])
    sure = [
        make(voters(4), damping=damping).fit(X, y, sample_domain=d).predict_proba(X).max(axis=1)
        for damping in (0.0, 0.5, 1.0)
    ]
    assert sure[0].mean() > sure[1].mean() > sure[2].mean()


def test_caution_moves_towards_the_source_model():
    X, y, d = spoken([0.6, 0.7, 0.7, 0.7, 0.7])
    target = X[d < 0]
    departures = [
        (make(voters(5), caution=c).fit(X, y, sample_domain=d).predict(target) != target[:, 0])
        .mean()
        .item()
        for c in (0.0, 0.7, 0.99)
    ]
    assert departures[0] > departures[1] > departures[2] == 0.0


@pytest.mark.parametrize("combine", ["mean", "geometric"])
def test_means_are_those_of_the_probabilities(combine, few, digits):
    X, y, d = digits
    model = ConsensusClassifier(few, combine=combine, check_need=False).fit(X, y, sample_domain=d)
    proba = np.stack(
        [one.predict_proba(X[:20], sample_domain=d[:20]) for one in model.estimators_.values()]
    )
    mean = np.tensordot(model.weights_ / model.weights_.sum(), proba, axes=1)
    if combine == "geometric":
        logs = np.log(np.maximum(proba, 1e-3))
        mean = np.exp(np.tensordot(model.weights_ / model.weights_.sum(), logs, axes=1))
        mean /= mean.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(X[:20], sample_domain=d[:20]), mean)
    assert model.confusion_ is None


def test_target_labels_enter_only_when_asked():
    X, y, d = spoken([0.6, 0.2, 0.2, 0.2])  # most are wrong, which labels alone can tell
    labeled = (d > 0) | (np.arange(len(y)) % 2 == 0)
    known = np.where(labeled, y, -1)
    blind = make(voters(4)).fit(X, known, sample_domain=d)
    told = make(voters(4), use_target_labels=True).fit(X, known, sample_domain=d)
    assert target_score(blind, X, y, d) < 0.5
    assert target_score(told, X, y, d) > 0.7


def test_candidates_made_for_target_labels_get_them_only_when_asked(digits):
    X, y, d = digits
    known = np.where((d > 0) | (np.arange(len(y)) % 3 == 0), y, -1)
    candidates = {"boosting": TrAdaBoostClassifier(n_estimators=3, random_state=0)}
    plain = LogisticRegression(max_iter=1000)
    told = ConsensusClassifier(candidates, estimator=plain, use_target_labels=True)
    assert "boosting" in told.fit(X, known, sample_domain=d).estimators_
    with pytest.warns(DomainWarning, match="boosting"):
        blind = ConsensusClassifier(candidates, estimator=plain).fit(X, known, sample_domain=d)
    assert list(blind.estimators_) == ["source only"]


# Whether it is needed


@pytest.mark.slow
def test_as_it_comes_it_helps_on_digits(digits):
    X, y, d = digits
    hidden = np.where(d < 0, -1, y)
    model = ConsensusClassifier().fit(X, hidden, sample_domain=d)
    assert not model.keeps_source_
    assert model.reverse_ratio_ < 0.5
    source_only = model.estimators_["source only"].score(X[d < 0], y[d < 0])
    assert target_score(model, X, y, d) > source_only + 0.3


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::skda.DomainWarning")
def test_as_it_comes_it_does_no_harm_under_label_shift():
    gains, unchecked = [], []
    for seed in range(3):
        X, y, d = make_label_shift(200, task="binary", noise=0.8, random_state=seed)
        hidden = np.where(d < 0, -1, y)
        model = ConsensusClassifier().fit(X, hidden, sample_domain=d)
        base = model.estimators_["source only"].score(X[d < 0], y[d < 0])
        gains.append(target_score(model, X, y, d) - base)
        model.keeps_source_ = False
        unchecked.append(target_score(model, X, y, d) - base)
    assert min(gains) >= -0.01
    assert min(unchecked) < -0.01, "there is nothing to be kept from"


def test_the_ratio_is_one_without_a_shift_and_near_zero_where_the_model_is_lost():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(800, 2))
    y = (X[:, 0] > 0).astype(int)
    d = np.repeat([1, -2], 400)
    same = ConsensusClassifier({"scaler": LogisticRegression()}).fit(X, y, sample_domain=d)
    assert same.reverse_ratio_ == pytest.approx(1.0, abs=0.05)
    assert same.keeps_source_
    moved = X.copy()
    moved[d < 0, 0] += 30.0  # one class is left
    lost = ConsensusClassifier({"scaler": LogisticRegression()}).fit(moved, y, sample_domain=d)
    assert lost.reverse_ratio_ == 0.0
    assert not lost.keeps_source_


def test_a_source_model_without_skill_is_kept_and_says_nan():
    rng = np.random.default_rng(0)
    X, y, d = rng.normal(size=(4000, 2)), rng.integers(0, 2, 4000), np.repeat([1, -2], 2000)
    model = ConsensusClassifier({"plain": LogisticRegression()}).fit(X, y, sample_domain=d)
    assert np.isnan(model.reverse_ratio_)
    assert model.keeps_source_


def test_kept_means_the_source_model_to_the_bit(few):
    X, y, d = make_subspace_shift(60, random_state=0)
    same = np.where(d < 0, -2, 1)
    model = ConsensusClassifier(few).fit(X, y, sample_domain=same)
    model.keeps_source_ = True
    plain = model.estimators_["source only"]
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))


def test_a_class_of_two_rows_does_not_stop_the_check(few):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 2))
    y = (X[:, 0] > 0).astype(int)
    y[:2] = 2
    d = np.repeat([1, -2], 60)
    model = ConsensusClassifier({"coral": few["coral"]}).fit(X, y, sample_domain=d)
    assert np.isfinite(model.reverse_ratio_)


def test_reverse_ratio_by_hand(digits):
    X, y, d = digits
    plain = LogisticRegression(max_iter=1000)
    model = ConsensusClassifier({"plain": plain}, estimator=plain).fit(X, y, sample_domain=d)
    source, target = d > 0, d < 0
    labels = clone(plain).fit(X[source], y[source]).predict(X[target])
    back = clone(plain).fit(X[target], labels).predict(X[source])
    recalls = [np.mean(back[y[source] == k] == k) for k in range(10)]
    skill = (np.mean(recalls) - 0.1) / model.reverse_ratio_  # the cross-validated one
    held_out = clone(plain).fit(X[source][::2], y[source][::2])
    other = [
        np.mean(held_out.predict(X[source][1::2][y[source][1::2] == k]) == k) for k in range(10)
    ]
    assert skill == pytest.approx(np.mean(other) - 0.1, abs=0.08)


def test_the_way_back_keeps_the_steps_in_front_as_they_are_fitted():
    # In the target a column moves a thousand times as far; scaled anew it would look the same.
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 2))
    y = (X.sum(axis=1) > 0).astype(int)
    d = np.repeat([1, -2], 300)
    X[d < 0, 0] *= 1000.0
    plain = make_domain_pipeline(StandardScaler(), LogisticRegression())
    model = ConsensusClassifier({"scaler": plain}).fit(X, y, sample_domain=d)
    assert model.reverse_ratio_ < 0.8


# Candidates


def test_the_source_only_model_is_always_there(few):
    X, y, d = make_subspace_shift(60, random_state=0)
    for candidates, estimator in (
        (few, None),  # what is left of the first one
        ({"easy": EasyTLClassifier()}, LogisticRegression()),
        ({"source only": LogisticRegression(C=3.0), "easy": EasyTLClassifier()}, None),
    ):
        model = ConsensusClassifier(candidates, estimator=estimator).fit(X, y, sample_domain=d)
        assert next(iter(model.estimators_)) == "source only"
    assert model.estimators_["source only"].estimator_.C == 3.0
    with pytest.raises(ValueError, match="source-only model"):
        ConsensusClassifier({"easy": EasyTLClassifier()}).fit(X, y, sample_domain=d)


def test_a_candidate_that_fails_is_reported(few):
    X, y, d = make_subspace_shift(60, random_state=0)
    with pytest.warns(DomainWarning, match="broken.*RuntimeError: it cannot"):
        model = ConsensusClassifier(few | {"broken": Fails()}).fit(X, y, sample_domain=d)
    assert "broken" not in model.estimators_
    table = model.table_
    assert list(table.index) == ["source only", *few, "broken"]
    assert "it cannot" in table.loc["broken", "error"]
    assert np.isnan(table.loc["broken", "weight"])
    assert (table.loc["coral", ["weight", "agreement", "seconds"]] > 0).all()


def test_all_that_fail_are_an_error():
    X, y, d = make_subspace_shift(60, random_state=0)
    model = ConsensusClassifier({"broken": Fails()}, estimator=Fails())
    with pytest.raises(ValueError, match=r"None of the 2 candidates.*it cannot"):
        model.fit(X, y, sample_domain=d)
    assert not hasattr(model, "estimators_")
    assert not hasattr(model, "table_")


def test_a_source_model_that_fails_is_left_out():
    X, y, d = spoken([0.8, 0.8, 0.8])
    model = ConsensusClassifier(voters(3), estimator=Fails(), caution=0.5)
    with pytest.warns(DomainWarning, match="source only"):
        model.fit(X, y, sample_domain=d)
    assert not model.keeps_source_
    assert target_score(model, X, y, d) > 0.75


def test_a_candidate_that_answers_with_other_classes_is_left_out():
    X, y, d = spoken([0.8, 0.8])
    strange = {"strange": Says(1, classes=(0, 7), probabilities=True), "voter": Silent(1)}
    with pytest.warns(DomainWarning, match=r"strange.*\[0, 7\]"):
        model = make(strange).fit(X, y, sample_domain=d)
    assert list(model.estimators_) == ["source only", "voter"]


def test_classifiers_without_probabilities_vote(digits):
    X, y, d = digits
    candidates = {"svm": make_domain_pipeline(DomainScaler(), LinearSVC())}
    model = ConsensusClassifier(candidates, combine="mean", check_need=False)
    proba = model.fit(X, y, sample_domain=d).predict_proba(X[:30])
    assert set(np.unique(proba)) <= {0.0, 0.5, 1.0}


def test_frames_with_gaps_categories_and_text_labels():
    rng = np.random.default_rng(0)
    n = 160
    table = pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n)})
    table["site"] = pd.Categorical(rng.choice(["x", "y"], n))
    y = np.where(table["a"] + (table["site"] == "x") > 0.5, "yes", "no").astype(object)
    table.loc[::7, "b"] = np.nan
    d = np.repeat([1, -2], n // 2)
    table.loc[d < 0, "a"] += 3.0
    boosting = HistGradientBoostingClassifier(max_iter=20, categorical_features="from_dtype")
    model = ConsensusClassifier(estimator=boosting, check_need=False)
    model.fit(table, np.where(d < 0, None, y), sample_domain=d)
    assert set(model.predict(table[d < 0])) <= {"yes", "no"}
    assert target_score(model, table, y, d) > target_score(
        model.estimators_["source only"], table, y, d
    )


@pytest.mark.slow
def test_it_runs_in_a_pipeline_a_search_and_in_processes(few, digits):
    X, y, d = digits
    hidden = np.where(d < 0, np.nan, y)
    pipe = make_domain_pipeline(StandardScaler(), ConsensusClassifier(few, n_jobs=2))
    search = GridSearchCV(
        pipe,
        {"consensusclassifier__caution": [0.0, 0.6]},
        scoring=SourceScorer(),
        cv=DomainStratifiedKFold(2),
        error_score="raise",
    )
    search.fit(X, hidden, sample_domain=d)
    assert search.predict(X[d < 0]).shape == (int((d < 0).sum()),)
    assert pipe.fit(X, hidden, sample_domain=d).predict(X[:3]).dtype.kind == "i"


def test_progress_is_printed(few, capsys):
    X, y, d = make_subspace_shift(60, random_state=0)
    ConsensusClassifier(few, verbose=True).fit(X, y, sample_domain=d)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["[1/4]", "[2/4]", "[3/4]", "[4/4]"]


def test_without_domains_it_is_the_plain_classifier():
    X, y, _ = make_subspace_shift(60, random_state=0)
    with pytest.warns(DomainWarning, match="without sample_domain"):
        model = ConsensusClassifier(estimator=LogisticRegression()).fit(X, y)
    plain = LogisticRegression().fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), plain.predict_proba(X))
    assert list(model.table_.index) == ["source only"]


# Bad input


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"candidates": "all"}, "candidates must be one of"),
        ({"candidates": {}}, "candidates must be one of"),
        ({"candidates": {"a": Ridge()}}, r"candidates\['a'\] must be a classifier; got Ridge"),
        ({"candidates": {"a": LogisticRegression}}, "must be an estimator"),
        ({"candidates": {"a": StandardScaler()}}, "must be a classifier"),
        ({"estimator": Ridge()}, "estimator must be a classifier"),
        ({"combine": "sum"}, "combine"),
        ({"damping": 2.0}, "damping"),
        ({"caution": 1.0}, "caution"),
        ({"check_need": "yes"}, "check_need"),
        ({"use_target_labels": 1}, "use_target_labels"),
        ({"verbose": 2}, "verbose"),
        ({"n_jobs": "all"}, "n_jobs"),
    ],
)
def test_bad_parameters_are_named(params, text):
    X, y, d = make_subspace_shift(40, random_state=0)
    with pytest.raises(ValueError, match=text):
        ConsensusClassifier(**params).fit(X, y, sample_domain=d)


def test_labels_of_classes_that_the_source_lacks():
    X, y, d = make_subspace_shift(40, random_state=0)
    y = y.astype(int)
    y[np.flatnonzero(d < 0)[:5]] = 9
    model = ConsensusClassifier({"plain": LogisticRegression()})
    assert 9 not in model.fit(X, y, sample_domain=d).classes_
    with pytest.raises(ValueError, match=r"\[9\] stand on target rows alone"):
        model.set_params(use_target_labels=True).fit(X, y, sample_domain=d)


def test_one_class_is_explained():
    X, y, d = stack_domains(np.zeros((9, 2)), np.ones(9, dtype=int), np.ones((9, 2)))
    with pytest.raises(ValueError, match="one class only"):
        ConsensusClassifier().fit(X, y, sample_domain=d)
