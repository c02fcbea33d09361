"""Samplers of imbalanced-learn with models that adapt."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

from skda import (
    ConsensusClassifier,
    CORALTransformer,
    GaussianWeighter,
    ImportanceWeightedEstimator,
    PerDomain,
    TrAdaBoostClassifier,
    TrainOnSource,
    make_domain_pipeline,
    stack_domains,
)
from skda.ensemble import default_candidates
from skda.metrics import SourceScorer
from skda.model_selection import DomainStratifiedKFold, compare

imblearn = pytest.importorskip("imblearn")

from imblearn.ensemble import BalancedRandomForestClassifier  # noqa: E402
from imblearn.over_sampling import SMOTE, RandomOverSampler  # noqa: E402
from imblearn.pipeline import make_pipeline  # noqa: E402
from imblearn.under_sampling import RandomUnderSampler  # noqa: E402

pytestmark = pytest.mark.usefixtures("routing")


@pytest.fixture(scope="module")
def rare_class():
    """A class that is rare in the source, and features in other units in the target."""
    rng = np.random.default_rng(0)
    ys, yt = (rng.random(120) < 0.15).astype(int), (rng.random(80) < 0.5).astype(int)
    Xs, Xt = (rng.normal(size=(len(y), 2)) + 2.0 * y[:, None] for y in (ys, yt))
    Xt = Xt * [[1.5, 0.5]] + [[2.0, -1.0]]
    return *stack_domains(Xs, ys, Xt), Xt, yt


def resampled():
    return make_pipeline(SMOTE(random_state=0), LogisticRegression())


def test_a_sampler_goes_with_the_model_and_gets_source_rows_only(rare_class):
    X, y, d, X_target, _ = rare_class
    model = make_domain_pipeline(StandardScaler(), CORALTransformer(match_mean=True), resampled())
    assert isinstance(model[-1], TrainOnSource)
    model.fit(X, y, sample_domain=d)
    mapped = model[:-1].transform(X, sample_domain=d)[d > 0]
    X_made, y_made = SMOTE(random_state=0).fit_resample(mapped, y[d > 0].astype(int))
    assert len(X_made) > 120
    by_hand = LogisticRegression().fit(X_made, y_made)
    assert_allclose(
        model.predict_proba(X_target), by_hand.predict_proba(model[:-1].transform(X_target))
    )
    # With labels of target rows in y: none is resampled.
    known = np.where(d < 0, 1.0, y)
    again = clone(model).fit(X, known, sample_domain=d)
    assert_array_equal(again.predict_proba(X_target), model.predict_proba(X_target))


def test_a_search_reaches_the_sampler(rare_class):
    X, y, d, *_ = rare_class
    model = make_domain_pipeline(StandardScaler(), CORALTransformer(), resampled())
    grid = {"pipeline__estimator__smote__k_neighbors": [2, 3], "coraltransformer__strength": [0, 1]}
    cv = DomainStratifiedKFold(2, shuffle=True, random_state=0)
    search = GridSearchCV(model, grid, cv=cv, error_score="raise").fit(X, y, sample_domain=d)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("sampler", [SMOTE(), RandomOverSampler(), RandomUnderSampler()])
def test_a_sampler_is_no_step_of_a_domain_pipeline(sampler):
    name = type(sampler).__name__
    with pytest.raises(ValueError, match=rf"got {name}, a sampler.*make_pipeline\({name}"):
        make_domain_pipeline(StandardScaler(), sampler, LogisticRegression())


def test_a_sampler_in_front_of_domains_is_refused_not_wrong(rare_class):
    X, y, d, _, y_target = rare_class
    model = make_pipeline(RandomUnderSampler(random_state=0), CORALTransformer())
    # Target labels are missing: the sampler itself refuses them.
    with pytest.raises(ValueError, match="NaN"), np.errstate(invalid="ignore"):
        model.fit(X, y, sample_domain=d)
    # They are known: sample_domain no longer fits the rows.
    known = y.copy()
    known[d < 0] = y_target
    with pytest.raises(ValueError, match=r"200 values for \d+ rows.*sampler.*TrainOnSource"):
        model.fit(X, known, sample_domain=d)


@pytest.mark.parametrize(
    "weighted", [ImportanceWeightedEstimator, TrAdaBoostClassifier], ids=lambda c: c.__name__
)
def test_weights_cannot_pass_a_sampler(weighted, rare_class):
    X, y, d, *_ = rare_class
    inner = make_pipeline(
        SMOTE(random_state=0), LogisticRegression().set_fit_request(sample_weight=True)
    )
    with pytest.raises(ValueError, match=r"got SMOTE inside, a sampler.*weights do not follow"):
        weighted(inner).fit(X, y, sample_domain=d)


def test_rows_that_are_repeated_by_weight_can(rare_class):
    X, y, d, X_target, y_target = rare_class
    model = ImportanceWeightedEstimator(
        resampled(), GaussianWeighter(), resample=True, random_state=0
    ).fit(X, y, sample_domain=d)
    assert model.score(X_target, y_target) > 0.6


def test_their_ensembles_take_weights(rare_class):
    X, y, d, X_target, _ = rare_class
    forest = BalancedRandomForestClassifier(5, random_state=0)
    ours = (X[:, 0] > 0).astype(float)
    model = ImportanceWeightedEstimator(forest).fit(X, y, sample_weight=ours, sample_domain=d)
    alone = clone(forest).fit(X[d > 0], y[d > 0].astype(int), sample_weight=ours[d > 0])
    assert_array_equal(model.predict_proba(X_target), alone.predict_proba(X_target))


def test_a_pipeline_with_a_sampler_is_a_candidate(rare_class):
    X, y, d, X_target, y_target = rare_class
    candidates = {
        "resampled": resampled(),
        "coral": make_domain_pipeline(CORALTransformer(match_mean=True), resampled()),
        "scaled": make_domain_pipeline(PerDomain(StandardScaler()), resampled()),
    }
    model = ConsensusClassifier(candidates, check_need=False, combine="vote")
    model.fit(X, y, sample_domain=d)
    source_only = model.estimators_["source only"]
    assert [name for name, _ in source_only.estimator_.steps] == ["smote", "logisticregression"]
    assert model.score(X_target, y_target) > source_only.score(X_target, y_target)
    table = compare(
        candidates,
        X,
        y,
        sample_domain=d,
        cv=DomainStratifiedKFold(2, shuffle=True, random_state=0),
        scoring={"source": SourceScorer("accuracy")},
        error_score="raise",
    )
    assert np.isfinite(table["source", "mean"]).all()


def test_default_candidates_keep_the_sampler_with_the_model(rare_class):
    X, y, d, X_target, y_target = rare_class
    plain = make_pipeline(StandardScaler(), SMOTE(random_state=0), LogisticRegression())
    candidates = default_candidates(plain, X, y, d)
    assert len(candidates) > 3
    model = ConsensusClassifier(estimator=plain, check_need=False).fit(X, y, sample_domain=d)
    assert len(model.estimators_) == len(candidates)
    assert model.score(X_target, y_target) > 0.7
