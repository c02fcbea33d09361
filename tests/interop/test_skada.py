"""SKADA's arrays, scorers and estimators beside ours; `sample_domain` means the same in both."""

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.preprocessing import StandardScaler

from skda import (
    ConsensusClassifier,
    CORALTransformer,
    TrainOnSource,
    make_domain_pipeline,
)
from skda.metrics import (
    CircularValidationScorer,
    DEVScorer,
    ImportanceWeightedScorer,
    InformationMaximizationScorer,
    LabeledTargetScorer,
    MixValScorer,
    PredictionEntropyScorer,
    SoftNeighborhoodDensityScorer,
    SourceScorer,
)
from skda.model_selection import DomainStratifiedKFold, compare

# It imports torch, and takes seconds.
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("routing")]


@pytest.fixture(scope="module")
def skada():
    # The import switches metadata routing on, which must not reach other tests.
    with sklearn.config_context():
        return pytest.importorskip("skada")


@pytest.fixture(scope="module")
def data(skada):
    """X, masked y, sample_domain as their `pack` gives them, and the true labels."""
    del skada
    from skada.datasets import make_shifted_datasets

    made = {"n_samples_source": 8, "n_samples_target": 8, "shift": "covariate_shift"}
    both = make_shifted_datasets(**made, noise=0.3, random_state=0, return_dataset=True)
    X, y, d = both.pack(as_sources=["s"], as_targets=["t"], mask_target_labels=True)
    _, truth, _ = both.pack(as_sources=["s"], as_targets=["t"], mask_target_labels=False)
    return X, y, d, truth


def ours():
    return make_domain_pipeline(
        StandardScaler(), CORALTransformer(match_mean=True), LogisticRegression()
    )


def folds():
    return DomainStratifiedKFold(2, shuffle=True, random_state=0)


# Their arrays.


def test_their_mask_of_classes_is_no_class(data):
    X, y, d, truth = data
    assert set(y[d < 0]) == {-1}
    model = ours().fit(X, y, sample_domain=d)
    assert model.classes_.tolist() == [0, 1]
    again = ours().fit(X, truth, sample_domain=d)
    assert_array_equal(model.predict_proba(X), again.predict_proba(X))


def test_their_mask_of_numbers_is_ignored(skada):
    from skada.datasets import make_shifted_datasets

    both = make_shifted_datasets(8, 8, label="regression", random_state=0, return_dataset=True)
    X, y, d = both.pack(as_sources=["s"], as_targets=["t"], mask_target_labels=True)
    assert np.isnan(y[d < 0]).all()
    model = make_domain_pipeline(CORALTransformer(), Ridge()).fit(X, y, sample_domain=d)
    assert np.isfinite(model.predict(X, sample_domain=d)).all()


# Their scorers and splitters around our estimators.


@pytest.mark.parametrize(
    "name",
    ["PredictionEntropyScorer", "SoftNeighborhoodDensity", "MaNoScorer", "CircularValidation"],
)
def test_their_scorers_choose_among_our_estimators(name, skada, data):
    from skada import metrics, model_selection

    X, y, d, _ = data
    search = GridSearchCV(
        ours(),
        {"coraltransformer__strength": [0.0, 1.0]},
        scoring=getattr(metrics, name)(),
        cv=model_selection.SourceTargetShuffleSplit(n_splits=2, random_state=0),
        error_score="raise",
    ).fit(X, y, sample_domain=d)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert np.ptp(search.cv_results_["mean_test_score"]) > 0


def test_their_entropy_is_a_mean_over_classes_where_ours_is_a_sum(skada, data):
    from skada import metrics

    X, y, d, _ = data
    model = ours().fit(X, y, sample_domain=d)
    theirs = metrics.PredictionEntropyScorer()(model, X, y, sample_domain=d)
    assert_allclose(2 * theirs, PredictionEntropyScorer()(model, X, y, sample_domain=d), rtol=1e-3)


def test_their_supervised_scorer_gets_the_labels_as_metadata(skada, data):
    from skada import metrics

    X, y, d, truth = data

    def scores(labels, scorer, **params):
        params["sample_domain"] = d
        found = cross_validate(ours(), X, labels, cv=folds(), scoring=scorer, params=params)
        return found["test_score"]

    found = scores(y, metrics.SupervisedScorer(), target_labels=truth)
    assert_allclose(found, scores(truth, LabeledTargetScorer("accuracy")))


# Our scorers and splitters around their estimators.

OURS = [
    CircularValidationScorer(),
    DEVScorer(),
    ImportanceWeightedScorer(),
    InformationMaximizationScorer(),
    LabeledTargetScorer("accuracy"),
    MixValScorer(),
    PredictionEntropyScorer(),
    SoftNeighborhoodDensityScorer(),
    SourceScorer("accuracy"),
]


def their_pipeline(skada):
    return skada.make_da_pipeline(StandardScaler(), skada.CORALAdapter(), LogisticRegression())


@pytest.mark.parametrize("scorer", OURS, ids=lambda s: type(s).__name__)
def test_our_scorers_judge_their_estimators(scorer, skada, data):
    X, y, d, truth = data
    labels = truth if isinstance(scorer, LabeledTargetScorer) else y
    scores = cross_validate(
        their_pipeline(skada),
        X,
        labels,
        cv=folds(),
        scoring=scorer,
        params={"sample_domain": d},
        error_score="raise",
    )["test_score"]
    assert np.isfinite(scores).all()


def test_source_rows_are_predicted_as_theirs_says(skada, data):
    X, y, d, _ = data
    model = their_pipeline(skada).fit(X, y, sample_domain=d)
    predicted = model.predict(X[d > 0], sample_domain=d[d > 0], allow_source=True)
    wanted = (predicted == y[d > 0]).mean()
    assert SourceScorer("accuracy")(model, X, y, sample_domain=d) == wanted


def test_compare_sets_their_estimators_beside_ours(skada, data):
    X, _, d, truth = data
    candidates = {"theirs": their_pipeline(skada), "ours": ours()}
    table = compare(
        candidates,
        X,
        truth,
        sample_domain=d,
        cv=folds(),
        scoring={"source": SourceScorer("accuracy"), "dev": DEVScorer()},
        error_score="raise",
    )
    assert table.index.tolist() == ["source only", "theirs", "ours"]
    assert np.isfinite(table.to_numpy()).all()


# Their estimators inside ours, and ours inside theirs.


def test_their_map_stands_in_our_pipeline(skada, data):
    X, y, d, truth = data
    model = make_domain_pipeline(StandardScaler(), skada.CORALAdapter(), LogisticRegression())
    assert isinstance(model[-1], TrainOnSource)
    model.fit(X, y, sample_domain=d)
    mapped = model[:-1].transform(X[d < 0], sample_domain=d[d < 0])
    assert_array_equal(model.predict(X[d < 0]), model[-1].estimator_.predict(mapped))
    assert model.score(X[d < 0], truth[d < 0]) > 0.6


def test_their_classifier_stands_in_our_pipeline_and_consensus(skada, data):
    X, y, d, truth = data
    theirs = make_domain_pipeline(StandardScaler(), skada.JDOTClassifier(LogisticRegression()))
    candidates = {
        "source only": LogisticRegression(),
        "theirs": theirs,
        "their pipeline": their_pipeline(skada),
        "ours": ours(),
    }
    model = ConsensusClassifier(candidates, check_need=False, combine="vote")
    model.fit(X, y, sample_domain=d)
    assert set(model.estimators_) == set(candidates)
    assert model.score(X[d < 0], truth[d < 0]) > 0.6


def test_our_map_stands_in_their_pipeline(skada, data):
    X, y, d, _ = data
    model = skada.make_da_pipeline(
        StandardScaler(), CORALTransformer(match_mean=True), LogisticRegression()
    ).fit(X, y, sample_domain=d)
    by_hand = ours().fit(X, y, sample_domain=d)
    assert_array_equal(model.predict(X[d < 0]), by_hand.predict(X[d < 0]))
