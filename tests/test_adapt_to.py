"""A fitted model learns a new domain through its maps."""

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skda import (
    ComBatTransformer,
    CORALTransformer,
    DomainScaler,
    ImportanceWeightedEstimator,
    LinearTransportTransformer,
    PerDomain,
    RuLSIFWeighter,
    TCATransformer,
    adapt_to,
    make_domain_pipeline,
)
from skda.model_selection import DomainStratifiedKFold


@pytest.fixture(autouse=True)
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.fixture
def sites():
    rng = np.random.default_rng(0)
    y, d = rng.integers(2, size=600), np.repeat([1, -2, -7], 200)
    X = rng.normal(size=(600, 2)) + 3.0 * y[:, None]
    X[d == -2] = X[d == -2] * 2.0 + 5.0
    X[d == -7] = X[d == -7] * 0.5 - 4.0
    return X, y, d


def fitted(model, sites):
    X, y, d = sites
    return model.fit(X[d != -7], y[d != -7], sample_domain=d[d != -7])


def accuracy(model, sites, domain):
    X, y, d = sites
    found = model.predict(X[d == domain], sample_domain=d[d == domain])
    return np.mean(found == y[d == domain])


MODELS = {
    "to_source": lambda: make_domain_pipeline(
        StandardScaler(), CORALTransformer(direction="to_source"), LogisticRegression()
    ),
    "to_common": lambda: make_domain_pipeline(
        LinearTransportTransformer(direction="to_common"), LogisticRegression()
    ),
    "two maps": lambda: make_domain_pipeline(
        DomainScaler(), LinearTransportTransformer(direction="to_source"), LogisticRegression()
    ),
    "per domain": lambda: make_domain_pipeline(PerDomain(StandardScaler()), LogisticRegression()),
    "weighted": lambda: make_domain_pipeline(
        DomainScaler(), ImportanceWeightedEstimator(LogisticRegression(), RuLSIFWeighter())
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_new_site_is_learnt_and_the_others_stay(name, sites):
    X, _, d = sites
    model = fitted(MODELS[name](), sites)
    with pytest.raises(ValueError, match=r"not fitted on: \[-7\]"):
        accuracy(model, sites, -7)
    before = model.predict(X[d == -2], sample_domain=d[d == -2])
    assert adapt_to(model, X[d == -7], d[d == -7]) is model
    assert accuracy(model, sites, -7) > 0.9
    np.testing.assert_array_equal(model.predict(X[d == -2], sample_domain=d[d == -2]), before)


def test_one_number_stands_for_all_rows(sites):
    X, _, d = sites
    wanted = adapt_to(fitted(MODELS["to_source"](), sites), X[d == -7], d[d == -7])
    found = adapt_to(fitted(MODELS["to_source"](), sites), X[d == -7], -7)
    rows, ids = X[d == -7], d[d == -7]
    np.testing.assert_array_equal(
        found.predict_proba(rows, sample_domain=ids), wanted.predict_proba(rows, sample_domain=ids)
    )


def test_a_model_of_somebody_else_serves_any_number_of_sites(sites):
    X, y, d = sites
    frozen = FrozenEstimator(LogisticRegression().fit(X[d == 1], y[d == 1]))
    model = make_pipeline(LinearTransportTransformer(direction="to_source"), frozen)
    fitted(model, sites)
    adapt_to(model, X[d == -7], -7)
    assert min(accuracy(model, sites, domain) for domain in (-2, -7)) > 0.9


def test_a_transformer_alone_learns_too(sites):
    X, _, d = sites
    scaler = adapt_to(fitted(DomainScaler(), sites), X[d == -7], -7)
    moved = scaler.transform(X[d == -7], sample_domain=d[d == -7])
    np.testing.assert_allclose(moved.mean(0), 0.0, atol=1e-12)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([CORALTransformer()], r"CORALTransformer\(direction='to_target'\).*direction='to_source'"),
        ([TCATransformer()], "TCATransformer of Pipeline has no map of its own"),
        ([StandardScaler()], "needs a step that has a map for each target, and Pipeline has none"),
        ([DomainScaler(), TCATransformer()], "TCATransformer of Pipeline"),
        ([make_column_transformer((CORALTransformer(), [0, 1]))], "ColumnTransformer of Pipeline"),
    ],
)
def test_what_cannot_learn_is_named_and_nothing_is_changed(steps, words, sites):
    X, _, d = sites
    model = fitted(make_domain_pipeline(*map(clone, steps), LogisticRegression()), sites)
    with pytest.raises(ValueError, match=words):
        adapt_to(model, X[d == -7], -7)
    with pytest.raises(ValueError, match=r"needs a step|has no map"):
        adapt_to(model, X[d == -7], -7)
    if isinstance(steps[0], DomainScaler):
        assert model[0].target_domains_ == [-2]


def test_a_step_that_fails_leaves_the_steps_before_it_as_they_were(sites):
    X, _, d = sites
    maps = LinearTransportTransformer(direction="to_source"), ComBatTransformer()
    model = fitted(make_domain_pipeline(*maps, LogisticRegression()), sites)
    before = model.predict_proba(X[d == -2], sample_domain=d[d == -2])
    with pytest.raises(ValueError, match="at least 2 rows"):
        adapt_to(model, X[d == -7][:1], -7)
    assert model[0].target_domains_ == [-2] == list(model[0].maps_)
    with pytest.raises(ValueError, match=r"not fitted on: \[-7\]"):
        model.predict(X[d == -7], sample_domain=d[d == -7])
    adapt_to(model, X[d == -7], -7)
    once = adapt_to(fitted(clone(model), sites), X[d == -7], -7)
    rows, ids = X[d == -7], d[d == -7]
    found = model.predict_proba(rows, sample_domain=ids)
    np.testing.assert_array_equal(found, once.predict_proba(rows, sample_domain=ids))
    after = model.predict_proba(X[d == -2], sample_domain=d[d == -2])
    np.testing.assert_array_equal(after, before)


def test_an_unfitted_model_and_rows_without_a_domain_are_refused(sites):
    X, _, d = sites
    with pytest.raises(sklearn.exceptions.NotFittedError):
        adapt_to(MODELS["to_source"](), X, -7)
    with pytest.raises(ValueError, match="one value per row"):
        adapt_to(fitted(MODELS["to_source"](), sites), X[d == -7], [-7])


def test_of_a_search_the_best_model_learns(sites):
    X, _, d = sites
    grid = {"coraltransformer__reg": [0.0, 0.1]}
    search = fitted(GridSearchCV(MODELS["to_source"](), grid, cv=DomainStratifiedKFold(2)), sites)
    with pytest.raises(ValueError, match="best_estimator_"):
        adapt_to(search, X[d == -7], -7)
    assert accuracy(adapt_to(search.best_estimator_, X[d == -7], -7), sites, -7) > 0.9


def test_clones_per_domain_go_on_where_they_can(sites):
    X, _, d = sites
    scaler = fitted(PerDomain(StandardScaler()), sites)
    rows, ids = X[d == -7], d[d == -7]
    for part in np.array_split(np.arange(len(rows)), 2):
        scaler.partial_fit(rows[part], sample_domain=ids[part])
    np.testing.assert_allclose(scaler.transformers_[-7].mean_, rows.mean(0))
    axes = fitted(PerDomain(PCA(1)), sites).partial_fit(rows, sample_domain=ids)
    with pytest.raises(ValueError, match="PCA has no partial_fit"):
        axes.partial_fit(rows, sample_domain=ids)
    with pytest.raises(ValueError, match="in all calls or in none"):
        axes.partial_fit(rows)
    begun = PerDomain(StandardScaler()).partial_fit(rows, sample_domain=np.where(ids < 0, 1, 1))
    np.testing.assert_allclose(begun.transformers_[1].mean_, rows.mean(0))
