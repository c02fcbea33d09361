"""Scorers on skda's own estimators: pipelines, nets, searches, weighted and multi-source models."""

import numpy as np
import pytest
import sklearn
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import AdaBoostClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, cross_validate
from sklearn.preprocessing import StandardScaler

from skda import CORALTransformer, DomainScaler, TrainOnSource, make_domain_pipeline, metrics
from skda.datasets import make_subspace_shift
from skda.model_selection import DomainStratifiedKFold

from .conftest import Recite

SCORERS = {name: getattr(metrics, name)() for name in metrics.__all__ if name.endswith("Scorer")}


@pytest.fixture(autouse=True)
def routing():
    sklearn.set_config(enable_metadata_routing=True)


@pytest.fixture
def spread():
    """Three features, two classes, target rows of two domains stretched and moved."""
    rng = np.random.default_rng(0)
    n = 150
    y, sample_domain = rng.integers(0, 2, n), np.array([1, 2, -3, -4, 1])[np.arange(n) % 5]
    X = rng.normal(size=(n, 3)) + 2.5 * y[:, None]
    X[sample_domain == -3] += 2.0
    X[sample_domain == -4] *= 1.5
    return X, y, sample_domain


def models():
    plain = LogisticRegression()
    return {
        "coral": make_domain_pipeline(StandardScaler(), CORALTransformer(), plain),
        "a map per target": make_domain_pipeline(DomainScaler(), plain),
        "transforming classifier": make_domain_pipeline(
            StandardScaler(), LinearDiscriminantAnalysis()
        ),
        "ensemble inside": make_domain_pipeline(
            CORALTransformer(), VotingClassifier([("a", plain), ("b", plain)], voting="soft")
        ),
        "search": GridSearchCV(
            make_domain_pipeline(CORALTransformer(), plain),
            {"coraltransformer__strength": [0.0, 1.0]},
            scoring=metrics.InformationMaximizationScorer(),
            cv=DomainStratifiedKFold(2, shuffle=True, random_state=0),
        ),
        "search in search": RandomizedSearchCV(
            GridSearchCV(
                make_domain_pipeline(CORALTransformer(), plain),
                {"coraltransformer__strength": [1.0]},
                scoring=metrics.InformationMaximizationScorer(),
                cv=DomainStratifiedKFold(2, shuffle=True, random_state=0),
            ),
            {"estimator__coraltransformer__reg": [0.1, 1.0]},
            n_iter=2,
            scoring=metrics.SourceScorer(),
            cv=DomainStratifiedKFold(2, shuffle=True, random_state=0),
        ),
    }


with sklearn.config_context(enable_metadata_routing=True):
    MODELS = list(models())


@pytest.mark.parametrize("name", MODELS)
def test_all_scorers_at_once_in_cross_validate(name, spread):
    X, y, sample_domain = spread
    found = cross_validate(
        models()[name], X, y, scoring=SCORERS,
        cv=DomainStratifiedKFold(2, shuffle=True, random_state=0),
        params={"sample_domain": sample_domain}, error_score="raise",
    )  # fmt: skip
    for scorer in SCORERS:
        assert np.isfinite(found[f"test_{scorer}"]).all(), scorer


def test_nets_are_scored_on_their_learnt_features(spread):
    pytest.importorskip("skorch")
    from skda import DANClassifier

    X, y, sample_domain = spread
    X = X.astype(np.float32)
    text = np.array(["no", "yes"])[y]
    net = DANClassifier(module__hidden=8, max_epochs=2, random_state=0)
    net.fit(X, text, sample_domain=sample_domain)
    for name, scorer in SCORERS.items():
        assert np.isfinite(scorer(net, X, text, sample_domain=sample_domain)), name

    def weighter(features):
        assert features.shape == (int((sample_domain > 0).sum()), net.transform(X).shape[1])
        return np.ones(len(features))

    source = metrics.SourceScorer()(net, X, text, sample_domain=sample_domain)
    weighted = metrics.ImportanceWeightedScorer(weighter=weighter)
    assert weighted(net, X, text, sample_domain=sample_domain) == pytest.approx(source - 1)


@pytest.mark.slow
def test_all_scorers_at_once_in_a_search_with_two_processes(spread):
    X, y, sample_domain = spread
    search = GridSearchCV(
        make_domain_pipeline(CORALTransformer(), LogisticRegression()),
        {"coraltransformer__strength": [0.0, 1.0]},
        scoring=SCORERS, refit="DEVScorer", n_jobs=2, error_score="raise",
        cv=DomainStratifiedKFold(2, shuffle=True, random_state=0),
    ).fit(X, y, sample_domain=sample_domain)  # fmt: skip
    assert search.best_index_ == np.argmax(search.cv_results_["mean_test_DEVScorer"])


def test_regressors_in_a_pipeline(spread):
    X, _, sample_domain = spread
    y = np.where(sample_domain < 0, np.nan, X @ [1.0, 2.0, 0.0])
    model = make_domain_pipeline(StandardScaler(), CORALTransformer(), Ridge())
    names = ("ImportanceWeightedScorer", "DEVScorer", "CircularValidationScorer", "SourceScorer")
    found = cross_validate(
        model, X, y, scoring={name: SCORERS[name] for name in names},
        cv=DomainStratifiedKFold(2, shuffle=True, random_state=0),
        params={"sample_domain": sample_domain}, error_score="raise",
    )  # fmt: skip
    assert all(np.isfinite(found[f"test_{name}"]).all() for name in names)


def test_weights_of_skda_can_be_used(spread):
    from skda import KMMWeighter

    X, y, sample_domain = spread
    model = TrainOnSource(LogisticRegression()).fit(X, y, sample_domain=sample_domain)
    source = sample_domain > 0
    weights = KMMWeighter().fit(X, sample_domain=np.where(source, 1, -2)).weights_
    wrong = model.predict(X[source]) != y[source]
    scorer = metrics.ImportanceWeightedScorer(weighter=KMMWeighter())
    found = scorer(model, X, y, sample_domain=sample_domain)
    # source rows come first where the weighter is fitted: the order of rows must not matter
    assert found == pytest.approx(-np.average(wrong, weights=weights), rel=1e-3)


def test_an_ensemble_that_does_not_route_is_scored_where_that_is_right(spread):
    """AdaBoost does not route; plain trees inside it need no domains."""
    X, y, sample_domain = spread
    source = sample_domain > 0
    model = AdaBoostClassifier(n_estimators=5, random_state=0).fit(X[source], y[source])
    for name, scorer in SCORERS.items():
        assert np.isfinite(scorer(model, X, y, sample_domain=sample_domain)), name


def test_search_without_a_target_label_finds_the_strength_that_the_shift_needs():
    """They gain 50 points in each of three draws; the source score, blind, does not."""
    rng = np.random.default_rng(0)
    label_free = ("InformationMaximizationScorer", "CircularValidationScorer")
    gains = {name: [] for name in (*label_free, "SourceScorer")}
    for _ in range(3):
        n = 200
        y, sample_domain = rng.integers(0, 3, 2 * n), np.repeat([1, -2], n)
        X = 0.5 * rng.normal(size=(2 * n, 4))
        X[:, 0] += np.array([0.0, 2.0, 4.0])[y]
        X[n:, 0] = 2.0 * X[n:, 0] + 3.0
        model = make_domain_pipeline(
            CORALTransformer(reg=0.01, match_mean=True), LogisticRegression()
        )
        grid = {"coraltransformer__strength": [0.0, 0.5, 1.0]}
        plain = make_domain_pipeline(LogisticRegression()).fit(X, y, sample_domain=sample_domain)
        unadapted = np.mean(plain.predict(X[n:]) == y[n:])
        for name, found in gains.items():
            search = GridSearchCV(
                model,
                grid,
                scoring=SCORERS[name],
                cv=DomainStratifiedKFold(3, shuffle=True, random_state=0),
            ).fit(X, np.where(sample_domain < 0, -1, y), sample_domain=sample_domain)  # fmt: skip
            found.append(np.mean(search.predict(X[n:]) == y[n:]) - unadapted)
    assert all(min(gains[name]) > 0.5 for name in label_free)
    assert np.mean(gains["SourceScorer"]) < 0.4, "any choice would do: the test shows nothing"


def prefers_the_better_model(scorer):
    """Return whether a scorer puts a model of the classes above one that learnt nothing."""
    X, y, sample_domain = make_subspace_shift(200, 200, random_state=0)
    X[:, :] = np.random.default_rng(0).normal(size=X.shape) + 3.0 * y[:, None]
    shuffled = np.where(sample_domain > 0, np.random.default_rng(1).permutation(y), y)
    good, bad = (
        make_domain_pipeline(LogisticRegression()).fit(X, labels, sample_domain=sample_domain)
        for labels in (y, shuffled)
    )
    options = {"sample_domain": sample_domain}
    if isinstance(scorer, metrics.SoftNeighborhoodDensityScorer):
        # Predictions that are all nearly equal, as those of the bad model, are its best case. It
        # can tell predictions in two dense clusters from scattered ones.
        dense, scattered = good.predict_proba(X), np.random.default_rng(0).dirichlet([1, 1], len(X))
        recite = Recite((0, 1)).fit()
        return scorer(recite, dense, y, **options) > scorer(recite, scattered, y, **options)
    return scorer(good, X, y, **options) > scorer(bad, X, y, **options)


every_scorer = pytest.mark.parametrize("name", SCORERS)


@every_scorer
def test_scorer_prefers_the_better_model(name):
    assert prefers_the_better_model(SCORERS[name])


@every_scorer
def test_a_constant_in_place_of_the_scorer_would_be_noticed(name, monkeypatch):
    monkeypatch.setattr(type(SCORERS[name]), "_score", lambda self, data: 0.5)
    assert not prefers_the_better_model(SCORERS[name])
