"""Data frames with text, dates and gaps, through skrub, in front of models that adapt."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler, TargetEncoder

from skda import (
    CORALTransformer,
    DomainClassifierWeighter,
    DomainScaler,
    ImportanceWeightedEstimator,
    TrainOnSource,
    make_domain_pipeline,
    stack_domains,
)

skrub = pytest.importorskip("skrub")

pytestmark = pytest.mark.usefixtures("routing")


def table(n_rows, in_target, seed):
    """Patients, with gaps, text and dates; the target measures in other units."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n_rows)
    X = pd.DataFrame(
        {
            "pressure": rng.normal(size=n_rows) + 2.5 * y,
            "city": rng.choice(["Bonn", "Lyon", "Turin"], n_rows),
            "admitted": pd.Timestamp("2024-01-01")
            + pd.to_timedelta(rng.integers(0, 9, n_rows), "D"),
            "note": [f"ward {i % 50}, bed {i % 40}" for i in range(n_rows)],
        }
    )
    if in_target:
        X["pressure"] = 0.2 * X["pressure"] + 3.0
    X.loc[::9, "pressure"] = np.nan
    X.loc[::11, "city"] = None
    return X, y


@pytest.fixture(scope="module")
def patients():
    X_source, y_source = table(80, False, 0)
    X_target, y_target = table(60, True, 1)
    return *stack_domains(X_source, y_source, X_target), X_target, y_target


def vectorizer():
    text = skrub.StringEncoder(n_components=2, random_state=0)
    return skrub.TableVectorizer(high_cardinality=text)


def test_a_vectorizer_stands_in_front_of_a_map(patients):
    X, y, d, X_target, y_target = patients
    accuracies = []
    for scaler in (StandardScaler(), DomainScaler()):
        model = make_domain_pipeline(vectorizer(), SimpleImputer(), scaler, LogisticRegression())
        # It learns nothing from labels and sees the rows of all domains.
        assert isinstance(model[0], skrub.TableVectorizer)
        model.fit(X, y, sample_domain=d)
        accuracies.append(model.score(X_target, y_target))
    assert accuracies[1] > accuracies[0] + 0.2


def test_labels_of_target_rows_do_not_reach_it(patients):
    X, y, d, X_target, y_target = patients
    X, X_target = X[["pressure"]].fillna(0.0), X_target[["pressure"]].fillna(0.0)
    known, wrong = y.copy(), y.copy()
    known[d < 0], wrong[d < 0] = y_target, 1 - y_target
    answers = []
    for labels in (y, known, wrong):
        # What it holds is supervised, which its own tags do not show.
        supervised = skrub.TableVectorizer(numeric=LinearDiscriminantAnalysis())
        model = make_domain_pipeline(supervised, CORALTransformer(), LogisticRegression())
        assert isinstance(model[0], TrainOnSource)
        answers.append(model.fit(X, labels, sample_domain=d).predict_proba(X_target))
    assert_array_equal(answers[0], answers[1])
    assert_array_equal(answers[0], answers[2])


def test_a_supervised_part_is_found_wherever_it_stands():
    city = skrub.ApplyToCols(TargetEncoder(), cols=["city"])
    specific = skrub.TableVectorizer(specific_transformers=[(TargetEncoder(), ["city"])])
    for step in (city, specific):
        assert isinstance(make_domain_pipeline(step)[0], TrainOnSource)
    for step in (skrub.ApplyToCols(PCA(1), cols=["a"]), IterativeImputer()):
        assert make_domain_pipeline(step)[0] is step


@pytest.mark.parametrize("inside", [True, False])
def test_their_pipeline_goes_inside_and_around(inside, patients):
    X, y, d, X_target, _ = patients
    model = TrainOnSource(LogisticRegression())
    if inside:
        model = TrainOnSource(skrub.tabular_pipeline("classifier"))
    else:
        model = skrub.tabular_pipeline(model)
        # It chooses preprocessing for a linear model, as it sees through the wrapper's tags.
        assert "simpleimputer" in model.named_steps
    model.fit(X, y, sample_domain=d)
    assert model.classes_.tolist() == [0, 1]
    assert np.isin(model.predict(X_target), [0, 1]).all()


def test_a_frame_is_weighted_by_a_classifier_of_its_domains(patients):
    X, y, d, *_ = patients
    X = X.drop(columns="note")  # its encoder draws at random
    domains = DomainClassifierWeighter(
        skrub.tabular_pipeline(LogisticRegression()), random_state=0, min_effective_size=None
    )
    last = LogisticRegression().set_fit_request(sample_weight=True)
    model = ImportanceWeightedEstimator(skrub.tabular_pipeline(last), domains)
    model.fit(X, y, sample_domain=d)
    assert model.weights_.std() > 0.1
    by_hand = skrub.tabular_pipeline(last)
    by_hand.fit(X[d > 0], y[d > 0].astype(int), sample_weight=model.weights_)
    assert_allclose(model.predict_proba(X), by_hand.predict_proba(X))


def test_names_of_columns_come_out(patients):
    X, _, d, *_ = patients
    maps = make_domain_pipeline(vectorizer(), SimpleImputer(), StandardScaler(), CORALTransformer())
    mapped = maps.set_output(transform="pandas").fit_transform(X, sample_domain=d)
    assert "pressure" in mapped.columns
    assert mapped.columns.tolist() == maps.get_feature_names_out().tolist()
    assert not mapped.isna().any(axis=None)


def test_polars_frames_give_the_same(patients):
    pl = pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    X, y, d, X_target, _ = patients
    answers = []
    for frame in (lambda X: X, pl.from_pandas):
        model = make_domain_pipeline(
            vectorizer(),
            SimpleImputer(),
            StandardScaler(),
            CORALTransformer(),
            LogisticRegression(),
        )
        model.fit(frame(X), y, sample_domain=d)
        answers.append(model.predict_proba(frame(X_target)))
    assert_allclose(*answers, rtol=1e-6)
