"""Plain scikit-learn pipelines in which no step sees a target label."""

import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    TransformerMixin,
    clone,
    is_classifier,
    is_regressor,
)
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.cross_decomposition import PLSRegression
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.feature_selection import SelectKBest, VarianceThreshold, f_classif
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_validate,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler, TargetEncoder
from sklearn.utils import all_estimators, get_tags
from sklearn.utils._test_common.instance_generator import _construct_instances

from skda import (
    CORALTransformer,
    DomainWarning,
    PerDomain,
    TrainOnSource,
    make_domain_pipeline,
    stack_domains,
)
from skda.model_selection import DomainStratifiedKFold
from skda.pipeline._make_domain_pipeline import learns_from_labels


class Recorder(ClassifierMixin, BaseEstimator):
    """Remembers what it was fitted on."""

    def fit(self, X, y, sample_weight=None):
        self.X_, self.y_, self.sample_weight_ = X, y, sample_weight
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


# TrainOnSource.


def test_only_source_rows_reach_the_estimator(domains):
    X, y, d = domains
    model = TrainOnSource(Recorder()).fit(X, y, sample_domain=d)
    np.testing.assert_array_equal(model.estimator_.X_, X[d >= 0])
    np.testing.assert_array_equal(model.estimator_.y_, y[d >= 0])


def test_it_is_the_estimator_fitted_on_the_source(domains):
    X, y, d = domains
    model = TrainOnSource(LogisticRegression()).fit(X, y, sample_domain=d)
    alone = LogisticRegression().fit(X[d >= 0], y[d >= 0])
    np.testing.assert_array_equal(model.predict_proba(X), alone.predict_proba(X))
    np.testing.assert_array_equal(model.decision_function(X), alone.decision_function(X))
    np.testing.assert_array_equal(model.coef_, alone.coef_)
    assert model.classes_.tolist() == [0, 1]
    assert model.n_features_in_ == 4
    assert is_classifier(model) and not is_regressor(model)


def test_labeled_target_rows_are_used_when_asked_for(domains):
    X, y, d = domains
    y = y.copy()
    y[np.flatnonzero(d < 0)[5:]] = -1
    model = TrainOnSource(Recorder(), use_target_labels=True).fit(X, y, sample_domain=d)
    assert len(model.estimator_.y_) == (d >= 0).sum() + 5
    assert set(model.estimator_.y_) == {0, 1}


def test_labels_from_stack_domains_reach_the_estimator_in_their_own_type():
    for labels in (["a", "b"], [-1, 1], [True, False], [0.5, 1.5]):
        X, y, d = stack_domains(np.eye(2), labels, np.ones((3, 2)))
        seen = TrainOnSource(Recorder()).fit(X, y, sample_domain=d).estimator_.y_
        assert seen.dtype == np.asarray(labels).dtype


def test_without_domains_it_is_the_estimator_alone(domains):
    X, y, _ = domains
    with pytest.warns(DomainWarning, match="TrainOnSource was fitted without sample_domain"):
        model = TrainOnSource(Recorder()).fit(X, y)
    assert model.estimator_.X_ is X


def test_sample_weight_is_sliced_to_the_rows_that_are_fitted(domains):
    X, y, d = domains
    weight = np.arange(len(X), dtype=float)
    model = TrainOnSource(Recorder()).fit(X, y, sample_domain=d, sample_weight=weight)
    np.testing.assert_array_equal(model.estimator_.sample_weight_, weight[d >= 0])


def test_sample_weight_is_routed_through_a_pipeline(domains, routing):
    X, y, d = domains
    weight = np.arange(len(X), dtype=float)
    inner = Recorder().set_fit_request(sample_weight=True)
    pipe = make_domain_pipeline(FunctionTransformer(), inner)
    pipe.fit(X, y, sample_domain=d, sample_weight=weight)
    np.testing.assert_array_equal(pipe[-1].estimator_.sample_weight_, weight[d >= 0])


def test_metadata_that_nobody_asked_for_is_refused(domains, routing):
    X, y, d = domains
    with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError, match="sample_weight"):
        TrainOnSource(Recorder()).fit(X, y, sample_domain=d, sample_weight=np.ones(len(X)))


class CrossFitting(TransformerMixin, BaseEstimator):
    """Says which way a row went, as a target encoder treats the rows it was fitted on apart."""

    def fit(self, X, y):
        self.mean_ = np.mean(y)
        return self

    def fit_transform(self, X, y):
        self.fit(X, y)
        return np.c_[X[:, :1], np.full(len(X), -1.0)]

    def transform(self, X):
        return np.c_[X[:, :1], np.full(len(X), self.mean_)]


def test_a_supervised_transformer_cross_fits_on_the_source_and_transforms_the_rest(domains):
    X, y, d = domains
    out = TrainOnSource(CrossFitting()).fit_transform(X, y, sample_domain=d)
    np.testing.assert_array_equal(out[:, 0], X[:, 0])
    assert (out[d >= 0, 1] == -1).all()
    assert (out[d < 0, 1] == y[d >= 0].mean()).all()


def test_wrong_number_of_labels_is_named(domains):
    X, y, d = domains
    with pytest.raises(ValueError, match=r"one label per row of X; got 119 labels for 120 rows"):
        TrainOnSource(Recorder()).fit(X, y[:-1], sample_domain=d)


@pytest.mark.parametrize(
    "ensemble",
    [
        VotingClassifier(
            [("lr", LogisticRegression()), ("nn", KNeighborsClassifier())], voting="soft"
        ),
        StackingClassifier([("lr", LogisticRegression()), ("nn", KNeighborsClassifier())]),
        CalibratedClassifierCV(LogisticRegression()),
        BaggingClassifier(LogisticRegression(), random_state=0),
    ],
    ids=lambda e: type(e).__name__,
)
def test_ensembles_go_inside(ensemble, domains, routing):
    X, y, d = domains
    names = np.array(["no", "yes"])
    y_shown = names[y].astype(object)
    y_shown[d < 0] = None
    pipe = make_domain_pipeline(StandardScaler(), CORALTransformer(), ensemble)
    pipe.fit(X, y_shown, sample_domain=d)
    assert pipe.classes_.tolist() == ["no", "yes"]
    assert pipe.predict_proba(X).shape == (len(X), 2)
    assert pipe.score(X[d >= 0], names[y[d >= 0]], sample_domain=d[d >= 0]) > 0.8


def test_a_frozen_estimator_stays_as_it_is(domains):
    X, y, d = domains
    frozen = FrozenEstimator(LogisticRegression().fit(X, y))
    model = TrainOnSource(frozen).fit(X, 1 - y, sample_domain=d)
    np.testing.assert_array_equal(model.predict(X), frozen.predict(X))


def test_learnt_attributes_of_an_unfitted_wrapper_are_missing():
    with pytest.raises(AttributeError, match="'TrainOnSource' object has no attribute 'coef_'"):
        _ = TrainOnSource(LogisticRegression()).coef_
    assert not hasattr(TrainOnSource(LogisticRegression()), "transform")
    assert not hasattr(TrainOnSource(StandardScaler()), "predict")


# PerDomain.


def test_each_domain_gets_its_own_clone(domains):
    X, _, d = domains
    scaled = PerDomain(StandardScaler()).fit_transform(X, sample_domain=d)
    for domain in (1, -2):
        np.testing.assert_allclose(
            scaled[d == domain], StandardScaler().fit_transform(X[d == domain])
        )


def test_a_domain_without_a_clone_is_refused(domains):
    X, _, d = domains
    model = PerDomain(StandardScaler()).fit(X, sample_domain=d)
    with pytest.raises(ValueError, match=r"not fitted on: \[5\]. It knows the sources \[1\]"):
        model.transform(X, sample_domain=np.where(d > 0, 5, d))


def test_with_several_targets_the_domain_must_be_said(domains):
    X, _, d = domains
    d = np.where(np.arange(len(d)) % 3 == 0, -7, d)
    model = PerDomain(StandardScaler()).fit(X, sample_domain=d)
    with pytest.raises(ValueError, match=r"for each target \[-7, -2\]"):
        model.transform(X)
    model.transform(X, sample_domain=d)


def test_clones_of_domains_never_get_labels(domains):
    X, y, d = domains
    with pytest.raises((TypeError, ValueError)):
        PerDomain(SelectKBest(k=1)).fit(X, y, sample_domain=d)


# make_domain_pipeline.


def test_supervised_steps_are_wrapped_and_keep_their_names(routing):
    pipe = make_domain_pipeline(
        StandardScaler(), SelectKBest(f_classif, k=2), PCA(), CORALTransformer(), Ridge()
    )
    assert type(pipe) is Pipeline
    assert [name for name, _ in pipe.steps] == [
        "standardscaler",
        "selectkbest",
        "pca",
        "coraltransformer",
        "ridge",
    ]
    wrapped = [isinstance(step, TrainOnSource) for _, step in pipe.steps]
    assert wrapped == [False, True, False, False, True]
    pipe.set_params(ridge__estimator__alpha=3.0)
    assert pipe[-1].estimator.alpha == 3.0


def test_names_are_numbered_when_they_repeat(routing):
    pipe = make_domain_pipeline(StandardScaler(), StandardScaler(), "passthrough", Ridge())
    names = [name for name, _ in pipe.steps]
    assert names == ["standardscaler-1", "standardscaler-2", "passthrough", "ridge"]


def test_what_asks_for_domains_itself_is_not_wrapped(routing):
    given = TrainOnSource(Ridge(), use_target_labels=True)
    assert make_domain_pipeline(given)[-1] is given


@pytest.mark.parametrize(
    "composite",
    [
        make_column_transformer((TargetEncoder(), [0]), remainder="passthrough"),
        FeatureUnion([("pca", PCA(2)), ("best", SelectKBest(k=1))]),
        Pipeline([("scale", StandardScaler()), ("lda", LinearDiscriminantAnalysis())]),
        GridSearchCV(LogisticRegression(), {"C": [1.0]}),
    ],
    ids=lambda c: type(c).__name__,
)
def test_composites_that_hold_a_supervised_step_are_wrapped_whole(composite, routing):
    assert isinstance(make_domain_pipeline(composite)[0], TrainOnSource)


@pytest.mark.parametrize(
    "composite",
    [
        make_column_transformer((OneHotEncoder(), [0]), remainder="passthrough"),
        FeatureUnion([("pca", PCA(2)), ("threshold", VarianceThreshold())]),
        Pipeline([("scale", StandardScaler()), ("pca", PCA())]),
    ],
    ids=lambda c: type(c).__name__,
)
def test_composites_that_do_not_learn_from_labels_are_left_alone(composite, routing):
    assert make_domain_pipeline(composite)[0] is composite


def test_a_composite_of_both_kinds_is_refused_with_a_hint(routing):
    both = FeatureUnion([("coral", CORALTransformer()), ("best", SelectKBest(k=1))])
    with pytest.raises(ValueError, match=r"SelectKBest\(k=1\)\], which would learn from target"):
        make_domain_pipeline(both)
    passing = FeatureUnion(
        [("coral", CORALTransformer()), ("best", TrainOnSource(SelectKBest(k=1)))]
    )
    assert make_domain_pipeline(passing)[0] is passing


def _uses_labels(transformer):
    """Whether other labels change what a scikit-learn transformer does."""
    rng = np.random.default_rng(0)
    X = rng.uniform(0.1, 1, size=(60, 5))
    X[:, 0] = rng.integers(0, 2, 60)
    y = rng.integers(0, 2, 60)
    outs = []
    for labels in (y, 1 - y[::-1]):
        model = clone(transformer)
        if "random_state" in model.get_params():
            model.set_params(random_state=0)
        out = model.fit(X, labels).transform(X)
        outs.append(out.toarray() if hasattr(out, "toarray") else np.asarray(out))
    return outs[0].shape != outs[1].shape or not np.allclose(outs[0], outs[1], equal_nan=True)


def test_every_transformer_of_scikit_learn_that_learns_from_labels_is_found():
    tried = {}
    for name, cls in all_estimators(type_filter="transformer"):
        for transformer in _construct_instances(cls):
            tags = get_tags(transformer)
            if not tags.input_tags.two_d_array or tags.input_tags.pairwise:
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    uses = _uses_labels(transformer)
                except (ValueError, TypeError, AttributeError):
                    continue  # wants other rows than these
            tried[name] = tried.get(name, False) or uses
            if uses:
                assert learns_from_labels(transformer), transformer
    assert len(tried) > 50
    assert {"TargetEncoder", "SelectKBest", "PLSRegression"} <= {n for n, u in tried.items() if u}


@pytest.mark.parametrize(
    "estimator",
    [PLSRegression(), LinearDiscriminantAnalysis(), SelectKBest(), TargetEncoder(), Ridge()],
    ids=lambda e: type(e).__name__,
)
def test_labels_are_seen_to_be_used(estimator):
    assert learns_from_labels(estimator)


# Whole pipelines.


def mixed_frame(n=200, seed=0):
    """Customers of two years: numbers and a category, labels as text, none in the second year."""
    rng = np.random.default_rng(seed)
    year = rng.permutation(np.repeat([1, -2], n // 2))
    age = rng.normal(40 + 10 * (year < 0), 5, n)
    income = age * 2 + rng.normal(0, 5, n) * (1 + (year < 0))
    frame = pd.DataFrame(
        {"age": age, "income": income, "city": rng.choice(["Bonn", "Lyon", "Turin"], n)}
    )
    y = np.where(income - 2 * age > 0, "buys", "leaves").astype(object)
    y[year < 0] = None
    return frame, y, year


def mixed_pipeline():
    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), ["age", "income"]),
            ("city", OneHotEncoder(sparse_output=False), ["city"]),
        ]
    )
    return make_domain_pipeline(columns, CORALTransformer(reg=0.1), LogisticRegression())


@pytest.mark.parametrize("n_jobs", [None, pytest.param(2, marks=pytest.mark.slow)])
def test_grid_search_tunes_the_alignment(n_jobs, routing):
    frame, y, d = mixed_frame()
    search = GridSearchCV(
        mixed_pipeline(),
        {
            "coraltransformer__strength": [0.0, 1.0],
            "logisticregression__estimator__C": [0.1, 1.0],
        },
        cv=DomainStratifiedKFold(3, shuffle=True, random_state=0),
        n_jobs=n_jobs,
        error_score="raise",
    )
    search.fit(frame, y, sample_domain=d)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert set(search.predict(frame[d < 0])) <= {"buys", "leaves"}


def test_other_tools_around_a_pipeline(routing):
    frame, y, d = mixed_frame()
    cv = DomainStratifiedKFold(3, shuffle=True, random_state=0)
    pipe = mixed_pipeline()
    search = RandomizedSearchCV(
        pipe, {"coraltransformer__reg": [0.1, 1.0, 10.0]}, n_iter=2, cv=cv, random_state=0
    ).fit(frame, y, sample_domain=d)
    assert np.isfinite(search.best_score_)
    scores = cross_validate(pipe, frame, y, cv=cv, params={"sample_domain": d})
    assert (scores["test_score"] > 0.7).all()
    predicted = cross_val_predict(pipe, frame, y, cv=cv, params={"sample_domain": d})
    assert predicted.shape == y.shape
    assert set(predicted) <= {"buys", "leaves"}


def test_with_routing_off_a_warning_hints_before_scikit_learn_refuses():
    frame, y, d = mixed_frame()
    with pytest.warns(DomainWarning, match=r"set_config\(enable_metadata_routing=True\)"):
        pipe = mixed_pipeline()
    with pytest.raises(ValueError, match="does not accept the sample_domain parameter"):
        pipe.fit(frame, y, sample_domain=d)


@pytest.mark.filterwarnings("ignore:Metadata routing is off:skda.DomainWarning")
def test_with_routing_off_steps_are_addressed_by_name():
    frame, y, d = mixed_frame()
    pipe = mixed_pipeline().fit(
        frame, y, coraltransformer__sample_domain=d, logisticregression__sample_domain=d
    )
    with sklearn.config_context(enable_metadata_routing=True):
        routed = mixed_pipeline().fit(frame, y, sample_domain=d)
    np.testing.assert_array_equal(
        pipe.predict_proba(frame[d < 0]), routed.predict_proba(frame[d < 0])
    )


def test_score_of_a_pipeline_is_the_sources_when_domains_are_given(routing):
    frame, y, d = mixed_frame()
    pipe = mixed_pipeline().fit(frame, y, sample_domain=d)
    predicted = pipe.predict(frame, sample_domain=d)
    wanted = (predicted[d >= 0] == y[d >= 0]).mean()
    assert pipe.score(frame, y, sample_domain=d) == pytest.approx(wanted)


def test_names_of_features_come_out(routing):
    frame, y, d = mixed_frame()
    pipe = mixed_pipeline()[:2].set_output(transform="pandas")
    out = pipe.fit_transform(frame, y, sample_domain=d)
    names = ["numbers__age", "numbers__income", "city__city_Bonn", "city__city_Lyon"]
    assert out.columns[:4].tolist() == names
    assert pipe.get_feature_names_out().tolist() == out.columns.tolist()
    selected = make_domain_pipeline(StandardScaler(), SelectKBest(k=1)).set_output(
        transform="pandas"
    )
    two = frame[["age", "income"]]
    out = selected.fit_transform(two, (y == "buys").astype(int), sample_domain=d)
    assert out.columns.tolist() == ["income"]
    assert out.index.tolist() == two.index.tolist()


def test_a_pipeline_is_saved_shown_and_cloned(tmp_path, routing):
    frame, y, d = mixed_frame()
    pipe = mixed_pipeline().fit(frame, y, sample_domain=d)
    joblib.dump(pipe, tmp_path / "model.joblib")
    for copy in (pickle.loads(pickle.dumps(pipe)), joblib.load(tmp_path / "model.joblib")):
        np.testing.assert_array_equal(copy.predict(frame), pipe.predict(frame))
    assert "CORALTransformer" in pipe._repr_html_()
    assert "LogisticRegression" in TrainOnSource(LogisticRegression())._repr_html_()
    clone(pipe).fit(frame, y, sample_domain=d)


def test_voting_around_a_pipeline_is_refused_not_wrong(domains, routing):
    X, y, d = domains
    y = np.array(["no", "yes"])[y].astype(object)
    y[d < 0] = None
    voting = VotingClassifier(
        [("a", make_domain_pipeline(CORALTransformer(), LogisticRegression()))]
    )
    with pytest.raises((TypeError, ValueError)):
        voting.fit(X, y, sample_domain=d)


def test_a_score_never_counts_missing_labels_as_mistakes(domains):
    X, y, d = domains
    for labels in (np.where(d < 0, -1, y), np.where(d < 0, None, y.astype(object))):
        model = TrainOnSource(LogisticRegression()).fit(X, labels, sample_domain=d)
        with pytest.raises(ValueError, match="60 rows without a label and no sample_domain"):
            model.score(X, labels)
        assert model.score(X, labels, sample_domain=d) > 0.8
