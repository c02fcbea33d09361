"""The menu is what suits the rows."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from skda import default_candidates, stack_domains
from skda.datasets import make_covariate_shift

# What single methods warn of is not asked here.
pytestmark = pytest.mark.filterwarnings("ignore::skda.DomainWarning")


@pytest.fixture
def data():
    return make_covariate_shift(40, random_state=0, task="binary")


def reasons_of(estimator, X, y, d):
    return default_candidates(estimator, X, y, d, return_reasons=True)


def test_every_method_is_in_or_out_with_a_reason(data):
    candidates, reasons = reasons_of(LogisticRegression(), *data)
    assert next(iter(candidates)) == "source only"
    assert all(text.startswith(("in: ", "out: ")) for text in reasons.values())
    assert {name for name, text in reasons.items() if text.startswith("in")} == set(candidates)
    assert len(candidates) > 15


def test_every_candidate_can_be_fitted_and_predicts(data, routing):
    X, y, d = data
    for estimator, labels in ((LogisticRegression(), y), (Ridge(), y * 1.5)):
        for name, candidate in default_candidates(estimator, X, labels, d).items():
            model = candidate.fit(X, np.where(d < 0, np.nan, labels), sample_domain=d)
            assert len(model.predict(X[d < 0])) == (d < 0).sum(), name


def test_target_labels_change_nothing(data):
    X, y, d = data
    flipped = np.where(d < 0, 1 - y, y)
    assert repr(default_candidates(None, X, y, d)) == repr(default_candidates(None, X, flipped, d))


@pytest.mark.filterwarnings("error::skda.DomainWarning")
def test_routing_may_be_off(data):
    sklearn.set_config(enable_metadata_routing=False)
    assert len(default_candidates(LogisticRegression(), *data)) > 15


def test_large_tables_get_no_method_that_compares_all_rows():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(12_000, 3)), rng.integers(0, 2, 12_000)
    d = np.repeat([1, -2], 6_000)
    candidates, reasons = reasons_of(LogisticRegression(), X, y, d)
    assert {"CORAL", "quantile transport", "label shift"} <= candidates.keys()
    for name in ("MIDA", "JDA", "optimal transport", "MEDA", "weights, KMM"):
        assert "12000" in reasons[name], name


def test_wide_tables_get_no_covariance():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 2_000)), rng.integers(0, 2, 40)
    _, reasons = reasons_of(LogisticRegression(), X, y, np.repeat([1, -2], 20))
    assert "2000 features" in reasons["CORAL"]
    assert reasons["domain scaler"].startswith("in")


def test_sparse_rows(data, routing):
    X, y, d = data
    X = sparse.csr_matrix(np.where(np.abs(X) > 1, X, 0.0))
    candidates, reasons = reasons_of(LogisticRegression(), X, y, d)
    assert reasons["TCA"].startswith("in")
    wide = sparse.hstack([X, sparse.csr_matrix((len(y), 300_000))]).tocsr()
    few, reasons = reasons_of(LogisticRegression(), wide, y, d)
    assert "sparse" in reasons["TCA"]
    few["label shift"].fit(wide, np.where(d < 0, np.nan, y), sample_domain=d).predict(wide[:3])
    for candidate in candidates.values():
        candidate.fit(X, np.where(d < 0, np.nan, y), sample_domain=d).predict(X[:3])


@pytest.fixture
def frame(data):
    """Numbers, one of them with gaps, text and a category."""
    X, y, d = data
    rng = np.random.default_rng(0)
    table = pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])
    table["gaps"] = np.where(rng.random(len(X)) < 0.2, np.nan, rng.normal(size=len(X)))
    table["site"] = pd.Categorical(rng.choice(["a", "b"], len(X)))
    return table, np.where(y > 0, "yes", "no"), d


def test_frames_with_categories_and_gaps(frame, routing):
    table, y, d = frame
    known = np.where(d < 0, None, y.astype(object))
    boosting = HistGradientBoostingClassifier(max_iter=5, categorical_features="from_dtype")
    candidates, reasons = reasons_of(boosting, table, y, d)
    assert reasons["CORAL"].startswith("in")
    assert "numbers only" in reasons["EasyTL"]
    for name, candidate in candidates.items():
        model = candidate.fit(table, known, sample_domain=d)
        assert set(model.predict(table[d < 0])) <= {"yes", "no"}, name


def test_steps_of_a_pipeline_stand_in_front(frame, routing):
    table, y, d = frame
    encode = ColumnTransformer([("site", OneHotEncoder(), ["site"])], remainder="passthrough")
    plain = make_pipeline(encode, StandardScaler(), LogisticRegression())
    candidates, reasons = reasons_of(plain, table.drop(columns="gaps"), y, d)
    assert reasons["EasyTL"].startswith("in")
    steps = [type(step).__name__ for _, step in candidates["CORAL"].steps]
    assert steps == ["ColumnTransformer", "StandardScaler", "CORALTransformer", "TrainOnSource"]


def test_text_without_numbers(routing):
    X = np.array([["a"], ["b"]] * 10, dtype=object)
    y, d = np.tile([0, 1], 10), np.repeat([1, -2], 10)
    plain = make_pipeline(OneHotEncoder(), LogisticRegression())
    assert len(default_candidates(plain, X, y, d)) > 5
    candidates, reasons = reasons_of(LogisticRegression(), X, y, d)
    assert list(candidates) == ["source only", "label shift"]
    assert "numbers" in reasons["CORAL"]


def test_what_the_estimator_lacks_leaves_methods_out(data):
    _, reasons = reasons_of(KNeighborsClassifier(), *data)
    assert "sample_weight" in reasons["weights, KMM"]
    _, reasons = reasons_of(LinearSVC(), *data)
    assert "predict_proba" in reasons["label shift"]


def test_unlike_scales_are_scaled_in_front(data):
    X, y, d = data
    plain, _ = reasons_of(LogisticRegression(), X, y, d)
    assert len(plain["CORAL"].steps) == 2
    unlike, _ = reasons_of(LogisticRegression(), X * np.array([1.0, 1000.0]), y, d)
    assert type(unlike["CORAL"].steps[0][1]).__name__ == "StandardScaler"


def test_the_default_estimator_follows_the_labels(data):
    X, y, d = data
    plain = default_candidates(None, X, y, d)["source only"].estimator
    assert isinstance(plain[-1], LogisticRegression)
    plain = default_candidates(None, X, y + 0.5, d)["source only"].estimator
    assert isinstance(plain[-1], Ridge)


@pytest.mark.parametrize(
    ("estimator", "text"),
    [(StandardScaler(), "classifier or regressor"), (LogisticRegression, "Pass an object")],
)
def test_other_estimators_are_refused(data, estimator, text):
    with pytest.raises(ValueError, match=text):
        default_candidates(estimator, *data)


def test_both_sides_are_needed(data):
    X, y, d = data
    with pytest.raises(ValueError, match="sample_domain"):
        default_candidates(None, X, y, np.abs(d))
    with pytest.raises(ValueError, match="return_reasons"):
        default_candidates(None, X, y, d, return_reasons="no")


def test_several_sources(routing):
    rng = np.random.default_rng(0)
    parts = [(rng.normal(i, 1, (30, 2)), rng.integers(0, 2, 30)) for i in range(3)]
    X, y, d = stack_domains([p[0] for p in parts[:2]], [p[1] for p in parts[:2]], parts[2][0])
    for candidate in default_candidates(None, X, y, d).values():
        candidate.fit(X, y, sample_domain=d).predict(X[d < 0])
