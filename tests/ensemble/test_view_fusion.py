"""Views are adapted one by one, weighted on rows left out, and left out where they are missing."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skda import (
    CORALTransformer,
    DomainWarning,
    TrAdaBoostClassifier,
    TrainOnSource,
    ViewFusionClassifier,
    ViewFusionRegressor,
    make_domain_pipeline,
)
from skda._numerics._simplex import convex_weights
from skda.metrics import LabeledTargetScorer
from skda.model_selection import DomainStratifiedKFold
from tests.templates import PredictorTemplate

pytestmark = pytest.mark.usefixtures("routing")

VIEWS = {"lab": [0, 1, 2], "form": slice(3, 5)}


def shift_in_the_laboratory(seed, n=60):
    """Two views that both tell the classes; the target's laboratory has other units and offsets."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, 2 * n)
    X = rng.normal(size=(2 * n, 5)) + y[:, None] * [1.5, 1.5, 1.5, 1.0, 1.0]
    d = np.repeat([1, -2], n)
    X[n:, :3] = X[n:, :3] @ (2 * np.eye(3) + 0.5 * rng.normal(size=(3, 3))) - 6.0
    return X, y, d


def adapted(strength=1.0):
    return make_domain_pipeline(CORALTransformer(strength=strength), LogisticRegression())


@pytest.fixture(autouse=True)
def fusion(routing):
    """A model that adapts the laboratory only; built while routing is on."""
    return ViewFusionClassifier(VIEWS, {"lab": adapted(), "form": LogisticRegression()})


@pytest.fixture
def data():
    return shift_in_the_laboratory(0)


class TestViewFusionClassifier(PredictorTemplate):
    bad_params = {
        "fusion": ["sum", None, 1],
        "cv": [1, "five", 2.5],
        "n_jobs": [0.5, "all"],
        "use_target_labels": ["no"],
        "views": [{"lab": [9], "form": [1]}, [0, 1], {}],
        "estimators": [
            Ridge(),
            LogisticRegression,
            {"lab": LogisticRegression()},
            {"lab": LogisticRegression(), "form": StandardScaler()},
        ],
    }
    gain = 0.1
    off = {"lab__coraltransformer__strength": 0.0}

    @pytest.fixture(autouse=True)
    def take(self, fusion):
        self.estimator = fusion

    def shift(self, seed):
        return shift_in_the_laboratory(seed)

    def unadapted_scores(self):
        return self.target_scores(clone(self.estimator).set_params(**self.off))


class TestViewFusionRegressor(PredictorTemplate):
    bad_params = {
        "fusion": ["median", "product"],
        "cv": [0],
        "estimators": [LogisticRegression()],
        "n_jobs": [""],
        "use_target_labels": [1],
    }
    gain = 0.3
    model = Ridge()
    off = {"lab__coraltransformer__strength": 0.0}

    @pytest.fixture(autouse=True)
    def take(self, routing):
        regress = make_domain_pipeline(CORALTransformer(), Ridge())
        self.estimator = ViewFusionRegressor(VIEWS, {"lab": regress, "form": Ridge()})

    def shift(self, seed):
        rng = np.random.default_rng(seed)
        y = rng.normal(size=120)
        X = 0.5 * rng.normal(size=(120, 5)) + y[:, None]
        X[60:, :3] = 3 * X[60:, :3] - 5.0
        return X, y, np.repeat([1, -2], 60)

    def unadapted_scores(self):
        return self.target_scores(clone(self.estimator).set_params(**self.off))


# Parameters


def test_parameters_of_a_view_are_nested_under_its_name(fusion, data):
    X, y, d = data
    assert fusion.get_params()["lab__coraltransformer__strength"] == 1.0
    assert "lab" not in fusion.get_params(deep=False)
    other = clone(fusion).set_params(form=LogisticRegression(C=2), form__C=3, fusion="learned")
    assert (other.estimators["form"].C, other.fusion) == (3, "learned")
    assert fusion.estimators["form"].C == 1.0
    one_for_all = ViewFusionClassifier(VIEWS, adapted())
    one_for_all.set_params(estimators__coraltransformer__strength=0.5)
    assert one_for_all.estimators[0].strength == 0.5
    with pytest.raises(ValueError, match="Invalid parameter 'lab'"):
        one_for_all.set_params(lab__coraltransformer__strength=0.5)
    with pytest.raises(ValueError, match=r"names of parameters; got \['cv'\]"):
        ViewFusionClassifier({"cv": [0]}, {"cv": adapted()}).fit(X, y, sample_domain=d)


def test_the_strength_of_one_view_can_be_searched(fusion, data):
    X, y, d = data
    search = GridSearchCV(
        fusion,
        {"lab__coraltransformer__strength": [0.0, 1.0]},
        cv=DomainStratifiedKFold(2),
        scoring=LabeledTargetScorer(),
    )
    search.fit(X, y, sample_domain=d)
    assert search.best_params_ == {"lab__coraltransformer__strength": 1.0}


def test_no_estimator_sees_target_labels_unless_that_is_asked_for(data):
    X, y, d = data
    some = np.where((d > 0) | (np.arange(len(y)) % 3 == 0), y, -1)
    views = {"all": slice(None)}
    boosted = ViewFusionClassifier(views, TrAdaBoostClassifier(n_estimators=3))
    with pytest.raises(ValueError, match="label"):
        boosted.fit(X, some, sample_domain=d)
    boosted.set_params(use_target_labels=True).fit(X, some, sample_domain=d)
    alone = TrAdaBoostClassifier(n_estimators=3).fit(X, some, sample_domain=d)
    np.testing.assert_array_equal(boosted.predict_proba(X), alone.predict_proba(X))
    fitted = ViewFusionClassifier(VIEWS, LogisticRegression()).fit(X, y, sample_domain=d)
    assert isinstance(fitted.estimators_["lab"], TrainOnSource)


# Fusion


def test_the_fusion_is_the_mean_of_the_views_that_a_row_has(fusion, data):
    X, y, d = data
    X[3:6, :3], X[90:100, 3:] = np.nan, np.nan
    model = fusion.fit(X, y, sample_domain=d)
    kept = ~np.isnan(X[:, 0])
    lab = clone(fusion.estimators["lab"]).fit(X[kept, :3], y[kept], sample_domain=d[kept])
    kept_form = ~np.isnan(X[:, 3])
    on = kept_form & (d > 0)
    form = LogisticRegression().fit(X[on, 3:], y[on])
    said = np.full((2, len(X), 2), np.nan)
    said[0, kept] = lab.predict_proba(X[kept, :3], sample_domain=d[kept])
    said[1, kept_form] = form.predict_proba(X[kept_form, 3:])
    wanted = np.nanmean(said, axis=0)
    np.testing.assert_allclose(model.predict_proba(X, sample_domain=d), wanted, rtol=1e-9)
    np.testing.assert_array_equal(model.weights_, [0.5, 0.5])
    X[7] = np.nan
    for call in (lambda: model.predict(X), lambda: clone(model).fit(X, y, sample_domain=d)):
        with pytest.raises(ValueError, match=r"in 1 rows all values are missing \(row 7\)"):
            call()


def test_the_product_is_the_posterior_of_views_that_are_independent_within_each_class():
    rng = np.random.default_rng(0)
    y = (rng.random(4000) < 0.8).astype(int)
    X = rng.normal(size=(4000, 3)) + y[:, None]
    d = np.repeat([1, -2], 2000)
    views = {name: [j] for j, name in enumerate("abc")}
    model = ViewFusionClassifier(views, LogisticRegression(C=1e6), fusion="product")
    model.fit(X, y, sample_domain=d)
    np.testing.assert_allclose(model.priors_, [np.mean(y[:2000] == 0), np.mean(y[:2000])])
    X[1:3, 0] = np.nan
    evidence = np.nansum(X - 0.5, axis=1)  # the logarithm of the densities' ratio
    wanted = 1 / (1 + np.exp(-evidence) * 0.2 / 0.8)
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], wanted, atol=0.07)
    # The mean of three cautious views hardly ever names the rare class.
    rare = clone(model).set_params(fusion="mean").fit(X, y, sample_domain=d).predict(X) == 0
    assert rare.sum() < 0.7 * (model.predict(X) == 0).sum()
    model.estimators_["b"].predict_proba = lambda X: np.tile([1.0, 0.0], (len(X), 1))
    assert model.predict_proba(X)[:, 1].min() > 0  # no veto


def test_learned_weights_are_those_of_predictions_of_rows_left_out(data):
    X, y, d = data
    d[:10] = 5  # a second source
    X[12:15, :3] = np.nan
    cv = DomainStratifiedKFold(3, shuffle=True, random_state=4)
    model = ViewFusionClassifier(VIEWS, LogisticRegression(), fusion="learned", cv=cv)
    model.fit(X, y, sample_domain=d)
    errors = {"lab": [], "form": []}
    for kept, held in cv.split(X, y, sample_domain=d):
        for view, columns in (("lab", [0, 1, 2]), ("form", [3, 4])):
            kept_view = [i for i in kept if d[i] > 0 and not np.isnan(X[i, columns[0]])]
            own = LogisticRegression().fit(X[kept_view][:, columns], y[kept_view])
            rows = [i for i in held if d[i] > 0 and not np.isnan(X[i, 0])]
            errors[view] += [own.predict_proba(X[rows][:, columns]) - np.eye(2)[y[rows]]]
    R = np.stack([np.concatenate(errors[view]).ravel() for view in errors], axis=1)
    np.testing.assert_allclose(model.weights_, convex_weights(R), atol=1e-8)
    assert len(R) == 2 * 57
    brier = np.sum(R**2, axis=0) / 57
    np.testing.assert_allclose(model.view_losses_, brier)
    # A seed for the folds is all that is random.
    twice = [
        ViewFusionClassifier(VIEWS, fusion="learned", random_state=1)
        .fit(X, y, sample_domain=d)
        .weights_
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*twice)


def test_noise_gets_no_weight_and_speaks_only_where_it_is_alone():
    rng = np.random.default_rng(0)
    y = rng.normal(size=80)
    X = np.column_stack([y + 0.1 * rng.normal(size=80), rng.normal(size=80)])
    d = np.repeat([1, -2], 40)
    views = {"good": [0], "noise": [1]}
    for ids in (d, None):
        model = ViewFusionRegressor(views, fusion="learned", cv=4, random_state=0, n_jobs=1)
        if ids is None:  # folds without domains
            with pytest.warns(DomainWarning, match="without sample_domain"):
                model.fit(X, y)
        else:
            model.fit(X, y, sample_domain=ids)
        assert model.weights_[0] > 0.95
        assert model.view_losses_[0] < 0.05 < model.view_losses_[1]
        X_noise = np.where([True, False], np.nan, X)
        assert np.isfinite(model.predict(X_noise)).all()
        assert abs(np.mean(model.predict(X_noise)) - y.mean()) < 0.5


def test_too_few_complete_rows_leave_equal_weights(data):
    X, y, d = data
    X[:31, :3] = np.nan  # more than half of the source rows
    fusion = ViewFusionClassifier(VIEWS, fusion="learned", random_state=0)
    with pytest.warns(DomainWarning, match="29 of 60 source rows have all views"):
        model = fusion.fit(X, y, sample_domain=d)
    np.testing.assert_array_equal(model.weights_, [0.5, 0.5])
    X[30] = 1.0
    assert fusion.fit(X, y, sample_domain=d).weights_[0] != 0.5
    with pytest.warns(DomainWarning, match="9 of 9 source rows"):
        fusion.fit(X[51:], y[51:], sample_domain=d[51:])


# Missing views, and containers


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_view_that_a_side_lacks_is_left_out(fusion, data, side):
    X, y, d = data
    X[(d > 0) == (side == "source"), :3] = np.nan
    with pytest.warns(DomainWarning, match=f"'lab' is left out, since all {side} rows lack it"):
        model = fusion.fit(X, y, sample_domain=d)
    assert list(model.estimators_) == ["form"]
    X[0, 3:], X[0, :3] = np.nan, 1.0
    with pytest.raises(ValueError, match=r"views \['form'\]"):
        model.predict(X)
    X[d > 0, 3:], X[d < 0, :3] = np.nan, np.nan
    X[d > 0, :3] = 0.0
    with pytest.warns(DomainWarning), pytest.raises(ValueError, match="None of the views"):
        fusion.fit(X, y, sample_domain=d)


def test_frames_may_lack_a_view_and_sparse_rows_are_taken(fusion, data):
    X, y, d = data
    names = ["a", "b", "c", "e", "f"]
    views = {"lab": names[:3], "form": names[3:]}
    model = (
        clone(fusion)
        .set_params(views=views)
        .fit(pd.DataFrame(X, columns=names), y, sample_domain=d)
    )
    only_form = X.copy()
    only_form[:, :3] = np.nan
    wanted = model.predict_proba(pd.DataFrame(only_form, columns=names))
    for frame in (pd.DataFrame(X[:, 3:], columns=names[3:]), pl.DataFrame(X[:, 3:], names[3:])):
        np.testing.assert_array_equal(model.predict_proba(frame), wanted)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(pd.DataFrame(X[:, 1:], columns=names[1:]))
    plain = ViewFusionClassifier(VIEWS, LogisticRegression())
    dense = plain.fit(X, y, sample_domain=d).predict_proba(X)
    rows = sparse.csc_array(X)
    found = clone(plain).fit(rows, y, sample_domain=d).predict_proba(rows)
    np.testing.assert_allclose(found, dense, rtol=1e-3)


def test_single_missing_values_are_up_to_the_estimator_of_the_view(data):
    X, y, d = data
    X[5, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        ViewFusionClassifier(VIEWS).fit(X, y, sample_domain=d)
    filled = make_pipeline(SimpleImputer(), LogisticRegression())
    model = ViewFusionClassifier(VIEWS, filled).fit(X, y, sample_domain=d)
    assert np.isfinite(model.predict_proba(X)).all()


def test_classifiers_without_probabilities_vote(data):
    X, y, d = data
    proba = ViewFusionClassifier(VIEWS, LinearSVC()).fit(X, y, sample_domain=d).predict_proba(X)
    assert set(np.unique(proba)) <= {0.0, 0.5, 1.0}


def test_a_splitter_that_takes_no_domains_is_refused(data):
    X, y, d = data
    model = ViewFusionClassifier(VIEWS, fusion="learned", cv=KFold(3))
    with pytest.raises(TypeError, match="sample_domain"):
        model.fit(X, y, sample_domain=d)
