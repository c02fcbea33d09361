"""A search that leaves the source-only model only where labels show that it should."""

import pickle
import re

import numpy as np
import pytest
import sklearn
from joblib import parallel_config
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import cross_validate
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skda import (
    DomainScaler,
    DomainWarning,
    GaussianWeighter,
    ImportanceWeightedEstimator,
    TrAdaBoostClassifier,
    TrainOnSource,
    make_domain_pipeline,
    stack_domains,
)
from skda.metrics import PredictionEntropyScorer, SourceScorer
from skda.model_selection import DomainStratifiedKFold, GuardedSearchCV, query_rows
from skda.model_selection._guarded_search import learns_from_target_labels

pytestmark = pytest.mark.usefixtures("routing")


def moved(n=150, seed=0):
    """Two classes; the target is moved so far that a source classifier is right by chance."""
    rng = np.random.default_rng(seed)
    y, d = rng.integers(0, 2, 2 * n), np.repeat([1, -2], n)
    X = rng.normal(size=(2 * n, 2))
    X[:, 0] += 4.0 * y
    X[d < 0, 0] += 3.5
    return X, y, d


def with_labels(y, d, n, seed=0):
    """Return y with n labels on target rows, chosen at random."""
    target = np.random.default_rng(seed).permutation(np.flatnonzero(d < 0))
    seen = y.astype(float)
    seen[target[n:]] = np.nan
    return seen


def scaled(last=None):
    return make_domain_pipeline(DomainScaler(), last or LogisticRegression())


def candidates():
    return {"scaler": scaled(), "C=.1": scaled(LogisticRegression(C=0.1))}


def search_of(n_labels=20, **options):
    X, y, d = moved()
    search = GuardedSearchCV(candidates(), **options)
    return search.fit(X, with_labels(y, d, n_labels), sample_domain=d), X, y, d


def test_it_adapts_where_labels_show_the_gain():
    search, X, y, d = search_of()
    target = d < 0
    assert search.best_name_ in candidates() and search.best_index_ > 0
    gain = search.score(X[target], y[target]) - search.estimators_["source only"].score(
        X[target], y[target]
    )
    assert gain > 0.3
    low, high = search.gain_interval_
    assert 0 < low < 100 * gain < high
    assert search.gain_ == pytest.approx(100 * gain, abs=15)
    assert re.fullmatch(
        rf"adapt: {re.escape(search.best_name_)}, tested on 20 labels, "
        rf"gain {low:.1f} to {high:.1f} points at 90 %",
        search.verdict_,
    )
    assert search.n_labels_needed_ == 0 and search.n_labels_ == 20
    assert search.best_estimator_ is search.estimators_[search.best_name_]


def test_without_labels_it_keeps_the_source_model_and_says_how_many_would_do():
    search, X, y, d = search_of(0)
    assert search.best_name_ == "source only" and search.best_index_ == 0
    assert search.gain_interval_ == (0.0, 0.0) and search.gain_ == 0
    n = search.n_labels_needed_
    assert 3 <= n <= 30
    assert search.verdict_ == (
        f"keep the source model: no target row has a label; about {n} more labels on rows where "
        "the candidates disagree with it may show one"
    )
    rows = query_rows(search, X, n=n, sample_domain=d, random_state=0).indices
    assert search.update(X[rows], y[rows]).best_name_ != "source only"
    assert search.n_labels_ == n


def test_labels_that_come_one_by_one():
    search, X, y, d = search_of(0)
    verdicts = []
    for row in query_rows(search, X, n=25, sample_domain=d, random_state=1).indices:
        search.update(X[[row]], y[[row]])
        verdicts.append(search.verdict_)
    assert verdicts[0].startswith("keep the source model: 1 label does not show")
    assert verdicts[-1].startswith("adapt: ")
    assert search.n_labels_ == 25


def test_where_nothing_moved_it_keeps_the_source_model():
    X, y, d = moved()
    X[d < 0, 0] -= 3.5
    search = GuardedSearchCV(candidates()).fit(X, with_labels(y, d, 40), sample_domain=d)
    assert search.best_name_ == "source only"
    assert search.verdict_.startswith("keep the source model: 40 labels do not show")


def test_alpha_decides_how_much_it_takes():
    names = [search_of(8, alpha=alpha)[0].best_name_ for alpha in (0.5, 0.001)]
    assert names[0] != "source only" and names[1] == "source only"


def test_confidence_widens_the_interval():
    narrow, wide = (search_of(confidence=c)[0].gain_interval_ for c in (0.5, 0.99))
    assert wide[0] < narrow[0] and narrow[1] <= wide[1]


def test_results_have_one_entry_per_model():
    pd = pytest.importorskip("pandas")
    search, *_ = search_of(20)
    table = pd.DataFrame(search.results_)
    assert table["name"].tolist() == ["source only", "scaler", "C=.1"]
    assert table["rank"].min() == 1
    assert table["disagreement"].iloc[0] == 0 and (table["disagreement"].iloc[1:] > 0.3).all()
    assert table["accepted"].tolist()[0] is False and table["accepted"].iloc[1:].all()
    assert table["n_labels"].iloc[1:].between(5, 20).all()
    assert (table["p_value"].iloc[1:] < 0.05).all()
    assert {"score_importance weighted", "score_information", "score_clusters"} <= {*table}


def test_scoring_and_cv_rank_without_labels():
    scoring = {"source": SourceScorer(), "entropy": PredictionEntropyScorer()}
    for cv in (None, 3):
        search, X, y, d = search_of(0, scoring=scoring, cv=cv)
        assert np.isfinite(search.results_["score_entropy"]).all()
        other = GuardedSearchCV(candidates(), scoring=scoring, cv=cv)
        other.fit(X, with_labels(y, d, 30), sample_domain=d)
        # Target labels do not enter the ranking.
        np.testing.assert_array_equal(other.results_["rank"], search.results_["rank"])


def test_n_jobs_changes_nothing():
    with parallel_config("threading"):
        one, two = (search_of(20, n_jobs=n)[0] for n in (None, 2))
    assert one.verdict_ == two.verdict_


def test_the_source_only_model_may_be_given():
    given = LogisticRegression(C=0.01)
    search, *_ = search_of(0, source_only=given)
    assert search.estimators_["source only"].estimator_.C == 0.01
    X, y, d = moved()
    named = GuardedSearchCV({**candidates(), "source only": given})
    named.fit(X, with_labels(y, d, 0), sample_domain=d)
    assert list(named.estimators_) == ["source only", "scaler", "C=.1"]


# Candidates that learn from target labels


def test_candidates_for_target_labels_are_tested_on_rows_they_have_not_seen():
    X, y, d = moved()
    boost = TrAdaBoostClassifier(LogisticRegression(), n_estimators=5)
    assert learns_from_target_labels(boost) and not learns_from_target_labels(scaled())
    assert learns_from_target_labels(
        make_domain_pipeline(
            StandardScaler(), TrainOnSource(LogisticRegression(), use_target_labels=True)
        )
    )
    search = GuardedSearchCV(
        {"scaler": scaled(), "boost": boost}, fit_share=0.75, random_state=0
    ).fit(X, with_labels(y, d, 40), sample_domain=d)
    numbers = dict(zip(search.results_["name"], search.results_["n_labels"], strict=True))
    assert numbers["boost"] <= 10 < numbers["scaler"]


def test_labels_of_the_test_do_not_reach_other_candidates():
    X, y, d = moved()
    seen = with_labels(y, d, 30)
    wrong = seen.copy()
    target = d < 0
    wrong[target] = 1 - wrong[target]
    fits = [
        GuardedSearchCV(candidates()).fit(X, labels, sample_domain=d) for labels in (seen, wrong)
    ]
    for name in candidates():
        np.testing.assert_allclose(
            *(fit.estimators_[name].predict_proba(X[target]) for fit in fits)
        )
    assert fits[1].best_name_ == "source only"


# As an estimator


def test_it_is_the_last_step_of_a_pipeline_and_in_cross_validation():
    X, y, d = moved()
    pipe = Pipeline([("scale", StandardScaler()), ("search", GuardedSearchCV(candidates()))])
    pipe.fit(X, with_labels(y, d, 25), sample_domain=d)
    assert pipe[-1].best_name_ != "source only"
    assert pipe.score(X[d < 0], y[d < 0]) > 0.9
    np.testing.assert_array_equal(pipe.classes_, [0, 1])
    cv = DomainStratifiedKFold(2, shuffle=True, random_state=0)
    scores = cross_validate(pipe, X, y, cv=cv, params={"sample_domain": d}, error_score="raise")
    assert np.isfinite(scores["test_score"]).all()


def test_it_delegates_to_the_best():
    search, X, _, d = search_of()
    best = search.best_estimator_
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        np.testing.assert_array_equal(getattr(search, method)(X), getattr(best, method)(X))
        named = getattr(search, method)(X, sample_domain=d)
        np.testing.assert_array_equal(named, getattr(best, method)(X, sample_domain=d))


def test_methods_are_those_that_all_candidates_have():
    assert not hasattr(GuardedSearchCV({"svc": scaled(LinearSVC())}), "predict_proba")
    assert hasattr(GuardedSearchCV({"svc": scaled(LinearSVC())}), "decision_function")
    X, y, d = moved()
    search = GuardedSearchCV({"svc": scaled(LinearSVC())})
    search.fit(X, with_labels(y, d, 20), sample_domain=d)
    assert search.best_name_ == "svc" and not hasattr(search, "predict_proba")


def test_it_works_with_routing_off():
    with sklearn.config_context(enable_metadata_routing=True):
        X, y, d = moved()
        search = GuardedSearchCV(candidates())
    with sklearn.config_context(enable_metadata_routing=False):
        search.fit(X, with_labels(y, d, 20), sample_domain=d)
        assert search.predict(X, sample_domain=d).shape == d.shape
        search.update(X[-5:], y[-5:])


def test_it_goes_on_after_pickling():
    search, X, y, d = search_of(5)
    copy = pickle.loads(pickle.dumps(search))
    rows = np.flatnonzero(d < 0)[:12]
    assert copy.update(X[rows], y[rows]).verdict_ == search.update(X[rows], y[rows]).verdict_
    assert not hasattr(clone(search), "best_estimator_")


def test_a_failed_fit_leaves_no_result():
    search, X, y, d = search_of()
    with pytest.raises(ValueError, match="alpha"):
        search.set_params(alpha=2).fit(X, y, sample_domain=d)
    search.set_params(alpha=0.1)
    with pytest.raises(ValueError, match="target rows"):
        search.fit(X, y, sample_domain=abs(d))
    with pytest.raises(NotFittedError):
        search.predict(X)


def test_text_labels():
    X, y, d = moved()
    names = np.array(["no", "yes"], dtype=object)[y]
    hidden = names.copy()
    hidden[np.isnan(with_labels(y, d, 20))] = None
    search = GuardedSearchCV(candidates()).fit(X, hidden, sample_domain=d)
    assert search.classes_.tolist() == ["no", "yes"] and search.best_name_ != "source only"
    rows = np.flatnonzero(d < 0)[:4]
    labels = names[rows].copy()
    labels[0] = None
    assert search.update(X[rows], labels).n_labels_ == 23


# Regressors


def test_regressors_are_compared_by_absolute_errors():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 1))
    y = 2 * X[:, 0] + 0.1 * rng.normal(size=300)
    d = np.repeat([1, -2], 150)
    X[d < 0] += 5  # what is measured has an offset
    models = {"scaler": scaled(LinearRegression()), "ridge": scaled(Ridge())}
    hidden = with_labels(y, d, 0)
    search = GuardedSearchCV(models).fit(X, hidden, sample_domain=d)
    assert search.n_labels_needed_ is None and search.best_name_ == "source only"
    rows = np.flatnonzero(d < 0)[:20]
    search.update(X[rows], y[rows])
    assert search.best_name_ == "scaler"
    target = d < 0
    errors = {
        name: abs(model.predict(X[target]) - y[target]).mean()
        for name, model in search.estimators_.items()
    }
    low, high = search.gain_interval_
    assert 0 < low < errors["source only"] - errors["scaler"] <= high * 1.01
    assert search.verdict_.endswith("in mean absolute error at 90 %")
    assert not hasattr(search, "classes_")
    assert search.score(X[target], y[target]) > 0.9
    # -1 is a number like any other, also among integers.
    counts = GuardedSearchCV(models).fit(X, hidden, sample_domain=d)
    assert counts.update(X[rows[:2]], np.array([-1, 3])).n_labels_ == 2


# Bad input


class Fails(ClassifierMixin, BaseEstimator):
    """A classifier whose fit fails."""

    def fit(self, X, y):
        raise ValueError("out of order")


class Foreign(ClassifierMixin, BaseEstimator):
    """A classifier that answers with classes of its own."""

    def fit(self, X, y):
        self.classes_ = np.array([7, 8])
        return self

    def predict(self, X):
        return np.full(len(X), 7)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"candidates": {}}, "candidates must be a dict"),
        ({"candidates": [LogisticRegression()]}, "candidates must be a dict"),
        ({"candidates": {"a": LogisticRegression}}, r"candidates\['a'\] must be an estimator"),
        ({"candidates": {1: LogisticRegression()}}, "texts as names; got 1"),
        ({"candidates": {"source only": LogisticRegression()}}, "beside 'source only'"),
        ({"candidates": {"a": LogisticRegression(), "b": Ridge()}}, "'b': 'regressor'"),
        (
            {
                "candidates": {"source only": LogisticRegression(), "a": LogisticRegression()},
                "source_only": LogisticRegression(),
            },
            "must beat once",
        ),
        ({"alpha": 0}, "alpha"),
        ({"alpha": 1.0}, "alpha"),
        ({"confidence": "high"}, "confidence"),
        ({"fit_share": 1.5}, "fit_share"),
        ({"scoring": "accuracy"}, "scoring"),
        ({"scoring": {"a": "accuracy"}}, "target rows"),
        ({"cv": "five"}, "cv"),
        ({"error_score": 0}, "error_score"),
    ],
)
def test_bad_parameters_are_named(params, words):
    X, y, d = moved()
    search = GuardedSearchCV(**{"candidates": candidates(), **params})
    with pytest.raises(ValueError, match=words):
        search.fit(X, with_labels(y, d, 5), sample_domain=d)


def test_a_candidate_that_fails_is_left_out_with_a_warning():
    X, y, d = moved()
    search = GuardedSearchCV({"bad": Fails(), **candidates()}, source_only=LogisticRegression())
    with pytest.warns(FitFailedWarning, match=r"'bad' is left out.*out of order"):
        search.fit(X, with_labels(y, d, 20), sample_domain=d)
    assert "bad" not in search.estimators_ and search.best_index_ > 0
    with pytest.raises(ValueError, match="out of order"):
        search.set_params(error_score="raise").fit(X, with_labels(y, d, 20), sample_domain=d)


def test_all_candidates_or_source_only_failing_is_an_error():
    X, y, d = moved()
    with pytest.raises(ValueError, match=r"Every candidate failed.*'bad'.*out of order"):
        GuardedSearchCV({"bad": Fails()}, source_only=LogisticRegression()).fit(
            X, y, sample_domain=d
        )
    with pytest.raises(ValueError, match="out of order"):
        GuardedSearchCV(candidates(), source_only=Fails()).fit(X, y, sample_domain=d)


def test_a_candidate_that_answers_with_other_classes_is_explained():
    X, y, d = moved()
    search = GuardedSearchCV({"foreign": Foreign()}, source_only=LogisticRegression())
    with pytest.raises(ValueError, match=r"predicts \['7'\], which no label is; the classes are"):
        search.fit(X, y, sample_domain=d)


def test_one_source_class_is_explained():
    X, y, d = moved()
    with pytest.raises(ValueError, match="one class only"):
        GuardedSearchCV(candidates()).fit(X, np.where(d > 0, 1, y), sample_domain=d)


def test_a_class_that_only_the_target_has_speaks_for_nobody():
    X, y, d = moved()
    seen = with_labels(y, d, 20)
    labeled = (d < 0) & ~np.isnan(seen)
    seen[labeled] = 9
    search = GuardedSearchCV(candidates()).fit(X, seen, sample_domain=d)
    assert search.best_name_ == "source only" and search.n_labels_ == 20
    assert search.classes_.tolist() == [0, 1]
    assert (search.results_["gain"] == 0).all()


def test_candidates_that_are_the_source_only_model_need_no_labels():
    X, y, d = moved()
    same = ImportanceWeightedEstimator(LogisticRegression())
    search = GuardedSearchCV({"same": same}, source_only=LogisticRegression())
    search.fit(X, with_labels(y, d, 5), sample_domain=d)
    assert search.verdict_ == (
        "keep the source model: no candidate predicts otherwise on the target rows"
    )
    assert search.n_labels_needed_ is None


def test_regressors_with_several_outputs_are_refused():
    X, y, d = moved()
    with pytest.raises(ValueError, match="1d array"):
        GuardedSearchCV({"ridge": scaled(Ridge())}).fit(X, np.c_[y, y], sample_domain=d)


def test_labels_of_another_kind_speak_for_nobody():
    search, X, _, d = search_of(5)
    rows = np.flatnonzero(d < 0)[:3]
    gains = search.results_["gain"].copy()
    search.update(X[rows], ["a", "b", "c"])
    assert search.n_labels_ == 8 and (abs(search.results_["gain"]) <= abs(gains)).all()


def test_updates_that_cannot_be():
    search, X, y, d = search_of(5)
    with pytest.raises(ValueError, match="source rows"):
        search.update(X, y, sample_domain=d)
    with pytest.raises(ValueError, match="one label per row"):
        search.update(X[:3], y[:2])
    with pytest.raises(ValueError, match="one label per row"):
        search.update(X[:3], None)
    assert search.n_labels_ == 5
    before = search.verdict_
    assert search.update(X[d < 0][:3], [np.nan] * 3).verdict_ == before
    with pytest.raises(NotFittedError):
        GuardedSearchCV(candidates()).update(X, y)
    with pytest.warns(DomainWarning, match="without sample_domain"):
        plain = GuardedSearchCV(candidates()).fit(X[d > 0], y[d > 0])
    assert plain.verdict_ == "keep the source model: there are no target rows to adapt to"
    with pytest.raises(ValueError, match="fitted with sample_domain"):
        plain.update(X[:3], y[:3])


def test_data_without_numbers_and_several_targets():
    pd = pytest.importorskip("pandas")
    X, y, d = moved()
    frame = pd.DataFrame(X, columns=["a", "b"], index=np.arange(len(X))[::-1])
    d = np.where((d < 0) & (np.arange(len(d)) % 2 == 0), -3, d)
    search = GuardedSearchCV(candidates())
    search.fit(frame, with_labels(y, d, 24), sample_domain=d)
    assert search.feature_names_in_.tolist() == ["a", "b"]
    assert search.score(frame[d > 0], y[d > 0], sample_domain=d[d > 0]) > 0.9
    rows = np.flatnonzero(d == -3)[:4]
    search.update(frame.iloc[rows], y[rows], sample_domain=d[rows])


def test_sparse_rows_are_taken_where_a_candidate_takes_them():
    X, y, d = moved()
    seen = with_labels(y, d, 20)
    dense_only = ImportanceWeightedEstimator(LogisticRegression(), GaussianWeighter())
    with pytest.raises(ValueError, match=r"X is sparse.*\['dense'\]"):
        GuardedSearchCV({"dense": dense_only}).fit(csr_array(X), seen, sample_domain=d)
    models = {"dense": dense_only, "plain": LogisticRegression(C=0.1)}
    with pytest.warns(FitFailedWarning, match="'dense' is left out"):
        search = GuardedSearchCV(models).fit(csr_array(X), seen, sample_domain=d)
    assert list(search.estimators_) == ["source only", "plain"]


def test_stacked_labels():
    X, y, d = moved()
    stacked = stack_domains(X[d > 0], y[d > 0], X[d < 0])
    search = GuardedSearchCV(candidates()).fit(*stacked[:2], sample_domain=stacked[2])
    assert search.n_labels_ == 0 and search.classes_.dtype.kind == "i"
