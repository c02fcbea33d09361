"""ImportanceWeightedEstimator: what reaches the inner estimator, and what it is good for."""

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.svm import SVC

from skda import (
    DomainClassifierWeighter,
    GaussianWeighter,
    ImportanceWeightedEstimator,
    KLIEPWeighter,
    KMMWeighter,
    RuLSIFWeighter,
    ULSIFWeighter,
    stack_domains,
)
from skda.model_selection import DomainStratifiedKFold


def bent(seed, n=300):
    """Covariate shift under a bent truth: a straight line must choose where to be right."""
    rng = np.random.default_rng(seed)
    X_source, X_target = rng.normal(0.0, 1.0, (n, 1)), rng.normal(1.5, 0.3, (n, 1))

    def truth(X):
        return X[:, 0] ** 2 + 0.1 * rng.normal(size=len(X))

    X, y, d = stack_domains(X_source, truth(X_source), X_target)
    return X, y, d, X_target, truth(X_target)


def crossing(seed, n=300):
    """Two classes whose border turns with x; a straight border suits one region only."""
    rng = np.random.default_rng(seed)

    def draw(center, spread):
        X = np.column_stack([rng.normal(center, spread, n), rng.normal(0.0, 1.0, n)])
        return X, (X[:, 1] > np.sin(2.0 * X[:, 0])).astype(int)

    X_source, y_source = draw(0.0, 1.2)
    X_target, y_target = draw(1.6, 0.35)
    X, y, d = stack_domains(X_source, y_source, X_target)
    return X, y, d, X_target, y_target


WEIGHTERS = [
    KMMWeighter(min_effective_size=None),
    KMMWeighter(min_effective_size=None, reg=0.0),
    KLIEPWeighter(min_effective_size=None, random_state=0),
    ULSIFWeighter(min_effective_size=None, random_state=0),
    RuLSIFWeighter(min_effective_size=None, random_state=0),
    GaussianWeighter(min_effective_size=None),
    DomainClassifierWeighter(
        make_pipeline(PolynomialFeatures(2), LogisticRegression()),
        clip=20.0,
        min_effective_size=None,
        random_state=0,
    ),
]


def gain_of(weighter, seeds=range(4)):
    """Mean drop of the target's squared error and of its error rate, against no weights."""
    gains = []
    for seed in seeds:
        X, y, d, X_target, y_target = bent(seed)
        errors = [
            np.mean(
                (
                    ImportanceWeightedEstimator(LinearRegression(), w)
                    .fit(X, y, sample_domain=d)
                    .predict(X_target)
                    - y_target
                )
                ** 2
            )
            for w in (None, weighter)
        ]
        X, y, d, X_target, y_target = crossing(seed)
        rates = [
            ImportanceWeightedEstimator(LogisticRegression(), w)
            .fit(X, y, sample_domain=d)
            .score(X_target, y_target)
            for w in (None, weighter)
        ]
        gains.append((1 - errors[1] / errors[0], rates[1] - rates[0]))
    return np.mean(gains, axis=0)


@pytest.mark.parametrize("weighter", WEIGHTERS, ids=repr)
def test_weights_help_a_simple_model_under_covariate_shift(weighter):
    regression, classification = gain_of(weighter)
    assert regression > 0.5  # at least half of the squared error is gone
    assert classification > 0.03


def test_without_weights_there_is_no_gain():
    # sabotage: equal weights must fail the test above
    regression, classification = gain_of(
        KMMWeighter(min_effective_size=None, exponent=0.0), seeds=range(2)
    )
    assert abs(regression) < 1e-9 and abs(classification) < 1e-9


class Recorder(LinearRegression):
    """Keeps what it was fitted with."""

    def fit(self, X, y, sample_weight=None):
        self.seen_ = (X, y, sample_weight)
        return super().fit(X, y, sample_weight)


def test_user_weights_multiply_and_are_left_alone():
    X, y, d, *_ = bent(0, n=50)
    own = np.random.default_rng(0).uniform(0.5, 2.0, len(X))
    kept = own.copy()
    model = ImportanceWeightedEstimator(Recorder(), GaussianWeighter(min_effective_size=None))
    model.fit(X, y, sample_weight=own, sample_domain=d)
    rows, labels, weights = model.seen_
    np.testing.assert_allclose(weights, own[d >= 0] * model.weights_)
    np.testing.assert_array_equal(rows, X[d >= 0])
    np.testing.assert_array_equal(labels, y[d >= 0])
    np.testing.assert_array_equal(own, kept)
    assert model.weights_.mean() == pytest.approx(1)
    assert model.weighter_.effective_sample_size_ == pytest.approx(model.effective_sample_size_)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_target_share_balances_the_domains(share):
    X, y, d, _, y_target = bent(0, n=60)
    y[d < 0] = np.where(np.arange(60) < 7, y_target, np.nan)
    model = ImportanceWeightedEstimator(
        Recorder(),
        RuLSIFWeighter(min_effective_size=None, random_state=0),
        use_target_labels=True,
        target_share=share,
    ).fit(X, y, sample_domain=d)
    weights = model.seen_[2]
    assert len(weights) == 67
    assert weights[60:].sum() / weights.sum() == pytest.approx(share)
    np.testing.assert_allclose(weights[:60], model.weights_)


def test_labeled_target_rows_have_weight_one_unless_shared():
    X, y, d, _, y_target = bent(0, n=60)
    y[d < 0] = np.where(np.arange(60) < 7, y_target, np.nan)
    model = ImportanceWeightedEstimator(Recorder(), None, use_target_labels=True)
    model.fit(X, y, sample_domain=d)
    np.testing.assert_array_equal(model.seen_[2], np.ones(67))


def test_any_learner_that_takes_weights():
    X, y, d, X_target, y_target = crossing(0)
    for estimator in (
        SVC(),
        HistGradientBoostingClassifier(max_iter=10),
        make_pipeline(StandardScaler(), SVC()),
        GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=3),
        make_pipeline(StandardScaler(), GridSearchCV(SVC(), {"C": [0.1, 1.0]}, cv=3)),
    ):
        model = ImportanceWeightedEstimator(
            estimator, GaussianWeighter(min_effective_size=None, clip=10.0)
        )
        model.fit(X, y, sample_domain=d)
        plain = clone(estimator).fit(X[d >= 0], y[d >= 0])
        assert model.classes_.tolist() == [0, 1]
        assert (model.predict(X_target) != plain.predict(X_target)).any()
        assert model.score(X_target, y_target) > 0.5
    X, y, d, X_target, _ = bent(0)
    for estimator in (
        RandomForestRegressor(5, random_state=0),
        TransformedTargetRegressor(Ridge(), func=np.arcsinh, inverse_func=np.sinh),
    ):
        model = ImportanceWeightedEstimator(estimator, GaussianWeighter(min_effective_size=None))
        assert model.fit(X, y, sample_domain=d).predict(X_target).shape == (len(X_target),)


@pytest.mark.parametrize("routing", [False, True])
def test_a_pipeline_gets_its_weights_to_the_last_step(routing):
    X, y, d, *_ = bent(0, n=50)
    with sklearn.config_context(enable_metadata_routing=routing):
        last = Recorder().set_fit_request(sample_weight=True) if routing else Recorder()
        first = (
            StandardScaler().set_fit_request(sample_weight=False) if routing else StandardScaler()
        )
        model = ImportanceWeightedEstimator(Pipeline([("a", first), ("b", last)]), None)
        own = np.arange(1.0, 101.0)
        model.fit(X, y, sample_weight=own, sample_domain=d)
        np.testing.assert_array_equal(model.estimator_["b"].seen_[2], own[:50])


def test_an_estimator_that_cannot_take_weights_is_refused_with_a_hint():
    X, y, d, *_ = crossing(0, n=20)
    cannot = ImportanceWeightedEstimator(
        KNeighborsClassifier(), GaussianWeighter(min_effective_size=None)
    )
    with pytest.raises(ValueError, match=r"KNeighborsClassifier.fit takes no sample_weight"):
        cannot.fit(X, y, sample_domain=d)
    pipe = make_pipeline(StandardScaler(), KNeighborsClassifier())
    with pytest.raises(ValueError, match=r"its last step KNeighborsClassifier.fit takes no"):
        ImportanceWeightedEstimator(pipe, GaussianWeighter(min_effective_size=None)).fit(
            X, y, sample_domain=d
        )
    with sklearn.config_context(enable_metadata_routing=True):
        pipe = make_pipeline(StandardScaler(), LogisticRegression())
        silent = ImportanceWeightedEstimator(pipe, GaussianWeighter(min_effective_size=None))
        with pytest.raises(ValueError, match=r"set_fit_request\(sample_weight=True\)"):
            silent.fit(X, y, sample_domain=d)
        search = GridSearchCV(LogisticRegression(), {"C": [1.0]})
        with pytest.raises(ValueError, match=r"LogisticRegression.*set_fit_request"):
            ImportanceWeightedEstimator(search, None).fit(X, y, sample_domain=d)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"target_share": 0.5}, "use_target_labels=True"),
        ({"target_share": 0.5, "use_target_labels": True}, "counts as labeled"),
        ({"target_share": 1, "use_target_labels": True}, "below 1"),
        ({"target_share": 0, "use_target_labels": True}, "target_share must be"),
    ],
)
def test_bad_parameters_are_named(params, words):
    X, y, d, *_ = crossing(0, n=20)
    model = ImportanceWeightedEstimator(LogisticRegression(), None, **params)
    with pytest.raises(ValueError, match=words):
        model.fit(X, y, sample_domain=d)


def test_grid_search_over_parameters_and_over_whole_weighters():
    X, y, d, X_target, y_target = crossing(0, n=80)
    pipe = Pipeline(
        [
            ("scale", StandardScaler()),
            (
                "model",
                ImportanceWeightedEstimator(
                    LogisticRegression(), KMMWeighter(min_effective_size=None)
                ),
            ),
        ]
    )
    grid = [
        {"model__weighter__gamma": [0.1, 1.0], "model__estimator__C": [0.1, 1.0]},
        {
            "model__weighter": [
                None,
                GaussianWeighter(min_effective_size=None),
                RuLSIFWeighter(min_effective_size=None, gamma=1.0, reg=0.1),
            ]
        },
    ]
    with sklearn.config_context(enable_metadata_routing=True):
        search = GridSearchCV(pipe, grid, cv=DomainStratifiedKFold(2, shuffle=True, random_state=0))
        search.fit(X, y, sample_domain=d)
    assert len(search.cv_results_["params"]) == 7
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict(X_target).shape == y_target.shape


def test_missing_values_and_categories_pass_through():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"age": rng.normal(size=120), "ward": pd.Categorical(rng.choice(["a", "b"], 120))}
    )
    frame.loc[::9, "age"] = np.nan
    y, d = rng.integers(0, 2, 120), np.repeat([1, -2], 60)
    booster = HistGradientBoostingClassifier(max_iter=5, categorical_features="from_dtype")
    model = ImportanceWeightedEstimator(booster, DomainClassifierWeighter(booster, cv=2))
    assert model.fit(frame, y, sample_domain=d).predict(frame).shape == (120,)


@pytest.mark.parametrize("weighter", ["kmm", KMMWeighter, 3])
def test_what_is_no_weighter_is_named(weighter):
    X, y, d, *_ = crossing(0, n=20)
    with pytest.raises(ValueError, match="weighter must be a weighter, such as KMMWeighter"):
        ImportanceWeightedEstimator(LogisticRegression(), weighter).fit(X, y, sample_domain=d)


def test_wrong_sizes_are_named():
    X, y, d, *_ = crossing(0, n=20)
    model = ImportanceWeightedEstimator(
        LogisticRegression(), GaussianWeighter(min_effective_size=None, exponent=0.1)
    )
    with pytest.raises(ValueError, match="one label per row"):
        model.fit(X, y[:-1], sample_domain=d)
    with pytest.raises(ValueError, match="sample_weight must have one value per row"):
        model.fit(X, y, sample_weight=np.ones(3), sample_domain=d)


@pytest.mark.filterwarnings("ignore:.*fitted without sample_domain:skda.DomainWarning")
@pytest.mark.parametrize("wrong", [-1.0, np.nan, np.inf])
def test_negative_and_missing_weights_are_refused(wrong):
    X, y, d, *_ = crossing(0, n=20)
    own = np.ones(len(X))
    own[3] = wrong
    for ids in (d, None):
        with pytest.raises(ValueError, match=f"finite and not negative; got {wrong}"):
            ImportanceWeightedEstimator(
                LogisticRegression(), GaussianWeighter(min_effective_size=None)
            ).fit(X, y, sample_weight=own, sample_domain=ids)


def test_behind_a_scaler_the_weights_are_those_of_scaled_rows():
    # a peer takes the target rows in its constructor, where no scaler reaches them
    X, y, d, *_ = crossing(0, n=60)
    X = X * [1.0, 1000.0]
    model = ImportanceWeightedEstimator(LogisticRegression(), KMMWeighter(min_effective_size=None))
    pipe = Pipeline([("scale", StandardScaler()), ("model", model)])
    with sklearn.config_context(enable_metadata_routing=True):
        pipe.fit(X, y, sample_domain=d)
    scaled = StandardScaler().fit_transform(X)
    wanted = KMMWeighter(min_effective_size=None).fit(scaled, sample_domain=d).weights_
    np.testing.assert_allclose(pipe["model"].weights_, wanted)
    unscaled = KMMWeighter(min_effective_size=None).fit(X, sample_domain=d).weights_
    assert np.corrcoef(unscaled, wanted)[0, 1] < 0.9


def test_torch_rows_reach_the_estimator_with_weights():
    torch = pytest.importorskip("torch")
    X, y, d, X_target, _ = crossing(0, n=60)
    model = ImportanceWeightedEstimator(LogisticRegression(), KMMWeighter(min_effective_size=None))
    wanted = model.fit(X, y, sample_domain=d).predict_proba(X_target)
    model.fit(torch.asarray(X), y, sample_domain=d)
    np.testing.assert_allclose(model.predict_proba(X_target), wanted, atol=1e-6)


def test_refitting_starts_afresh_and_the_weighter_given_stays_unfitted():
    X, y, d, *_ = crossing(0, n=40)
    weighter = GaussianWeighter(min_effective_size=None, exponent=0.5)
    model = ImportanceWeightedEstimator(LogisticRegression(), weighter)
    first = model.fit(X, y, sample_domain=d).coef_.copy()
    model.fit(X[::-1], 1 - y[::-1], sample_domain=d[::-1])
    np.testing.assert_allclose(model.coef_, -first, atol=1e-3)
    assert not hasattr(weighter, "weights_")


@pytest.mark.parametrize("value", ["no", np.nan, 1, [0]])
def test_use_target_labels_is_true_or_false(value):
    X, d = np.zeros((6, 1)), np.repeat([1, -2], 3)
    model = ImportanceWeightedEstimator(LogisticRegression(), use_target_labels=value)
    with pytest.raises(ValueError, match="use_target_labels must be True or False"):
        model.fit(X, np.array([0, 1, 0, 1, 0, 1]), sample_domain=d)
