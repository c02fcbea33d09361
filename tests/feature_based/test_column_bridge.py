"""ColumnBridgeTransformer: what it fills in, what cross-fitting keeps out, and what it reports."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skda import ColumnBridgeTransformer, stack_domains
from skda.feature_based._column_bridge import content_folds, explained


def table(n=300, seed=0, noise=0.5):
    """Columns 0 and 1 are shared, 2 hangs on them, 3 hangs on nothing; domains 1 and -2."""
    rng = np.random.default_rng(seed)
    X = rng.normal([0.0, 5.0, 0.0, -3.0], size=(2 * n, 4))
    X[:, 2] = 2.0 * X[:, 0] - X[:, 1] + noise * rng.normal(size=2 * n)
    d = np.repeat([1, -2], n)
    return X, d


def test_a_missing_column_is_what_a_model_of_the_shared_ones_predicts():
    X, d = table()
    given = X.copy()
    given[d < 0, 2] = np.nan
    bridge = ColumnBridgeTransformer(LinearRegression(), cross_fit=False)
    out = bridge.fit_transform(given, sample_domain=d)
    model = LinearRegression().fit(X[d > 0][:, [0, 1, 3]], X[d > 0, 2])
    np.testing.assert_allclose(out[d < 0, 2], model.predict(X[d < 0][:, [0, 1, 3]]), rtol=1e-9)
    np.testing.assert_array_equal(out[d > 0], X[d > 0])
    np.testing.assert_array_equal(out[d < 0][:, [0, 1, 3]], X[d < 0][:, [0, 1, 3]])


def test_source_rows_get_predictions_of_models_that_have_not_seen_them():
    X, d = table(n=60)
    given = X.copy()
    given[d < 0, 2] = np.nan
    out = ColumnBridgeTransformer(LinearRegression(), n_folds=4).fit_transform(
        given, sample_domain=d
    )
    folds = content_folds(given, 4)
    shared = [0, 1, 3]
    for row in np.flatnonzero(d > 0)[:20]:
        others = (d > 0) & (folds != folds[row])
        model = LinearRegression().fit(X[others][:, shared], X[others, 2])
        assert out[row, 2] == pytest.approx(model.predict(X[[row]][:, shared])[0])


def test_source_rows_are_not_flattered_by_a_model_that_can_remember_them():
    X, d = table(noise=3.0)
    given = X.copy()
    given[d < 0, 2] = np.nan
    forest = RandomForestRegressor(20, random_state=0)
    out = ColumnBridgeTransformer(forest).fit_transform(given, sample_domain=d)
    inputs = X[d > 0][:, [0, 1, 3]]
    remembered = forest.fit(inputs, X[d > 0, 2]).predict(inputs)

    def error(values, rows):
        return np.mean((values - X[rows, 2]) ** 2)

    at_use = error(out[d < 0, 2], d < 0)
    assert error(remembered, d > 0) < 0.4 * at_use
    assert error(out[d > 0, 2], d > 0) == pytest.approx(at_use, rel=0.3)


def test_the_score_is_that_of_cross_validation():
    X, d = table()
    given = X.copy()
    given[d < 0, 2:] = np.nan
    bridge = ColumnBridgeTransformer(LinearRegression()).fit(given, sample_domain=d)
    # 2 is a function of 0 and 1, which have unit variance, beside noise of variance 1/4.
    assert bridge.bridge_scores_[-2][2] == pytest.approx(5 / 5.25, abs=0.03)
    assert abs(bridge.bridge_scores_[-2][3]) < 0.05
    assert bridge.bridge_scores_[1].keys() == bridge.bridge_scores_[-2].keys() == {2, 3}


def test_a_column_that_nothing_predicts_is_its_mean():
    X, d = table()
    given = X.copy()
    given[d < 0, 3] = np.nan
    bridge = ColumnBridgeTransformer(min_score=0.1).fit(given, sample_domain=d)
    assert bridge.bridge_scores_[-2][3] < 0.1
    out = bridge.transform(given, sample_domain=d)
    np.testing.assert_allclose(out[:, 3], X[d > 0, 3].mean())


def test_min_score_and_strength_decide_how_far_to_go():
    X, d = table()
    given = X.copy()
    given[d < 0, 2] = np.nan
    mean = X[d > 0, 2].mean()

    def filled(**params):
        return ColumnBridgeTransformer(**params).fit_transform(given, sample_domain=d)[:, 2]

    np.testing.assert_allclose(filled(strength=0.0), mean)
    np.testing.assert_allclose(filled(min_score=1.0), mean)
    half, full = filled(strength=0.5), filled()
    np.testing.assert_allclose(half - mean, 0.5 * (full - mean), atol=1e-12)


def test_target_measurements_that_a_source_lacks_are_pulled_to_their_predictions():
    X, d = table(noise=2.0)
    given = X.copy()
    given[d > 0, 2] = np.nan
    free = ColumnBridgeTransformer(uncertainty=None).fit_transform(given, sample_domain=d)
    np.testing.assert_allclose(free[d < 0, 2], X[d < 0, 2])
    bridge = ColumnBridgeTransformer().fit(given, sample_domain=d)
    score = bridge.bridge_scores_[-2][2]
    assert 0.3 < score < 0.8
    out = bridge.transform(given, sample_domain=d)
    none = [b._replace(trust=0.0) for b in bridge.bridges_[-2]]
    bridge.bridges_[-2] = none
    predicted = bridge.transform(given, sample_domain=d)[d < 0, 2]
    np.testing.assert_allclose(
        out[d < 0, 2], predicted + score * (X[d < 0, 2] - predicted), atol=1e-9
    )


def test_few_values_of_a_column_that_a_domain_lacks_are_replaced_too():
    X, d = table()
    given = X.copy()
    target = np.flatnonzero(d < 0)
    given[target[30:], 2] = np.nan
    given[target[:30], 2] += 50.0  # measured for a reason
    out = ColumnBridgeTransformer().fit_transform(given, sample_domain=d)
    assert abs(out[target[:30], 2] - given[target[:30], 2]).min() > 10


def test_indicators_say_which_values_are_predicted():
    X, d = table()
    given = X.copy()
    given[d < 0, 2] = np.nan
    given[5, 0] = np.nan
    bridge = ColumnBridgeTransformer(uncertainty="indicator", cross_fit=False)
    out = bridge.fit_transform(given, sample_domain=d)
    assert bridge.indicated_ == [0, 2]
    assert bridge.get_feature_names_out()[4:].tolist() == ["x0_missing", "x2_missing"]
    np.testing.assert_array_equal(out[:, 4:], np.isnan(given)[:, [0, 2]])


def test_several_domains_with_gaps_of_their_own():
    X, d = table(n=200)
    d = np.concatenate([np.repeat([1, 2], 100), np.full(200, -3)])
    given = X.copy()
    given[d == 1, 2] = np.nan
    given[d == 2, 1] = np.nan
    bridge = ColumnBridgeTransformer().fit(given, sample_domain=d)
    assert bridge.bridge_scores_[1][2] > 0.9
    learnt = {b.column: b.predictors for b in bridge.bridges_[2]}
    assert 1 not in learnt[1] and 2 in learnt[1]
    assert np.isfinite(bridge.transform(given, sample_domain=d)).all()


def test_a_column_without_any_value_is_zero():
    X, d = table()
    X[:, 1] = np.nan
    bridge = ColumnBridgeTransformer().fit(X, sample_domain=d)
    assert (bridge.transform(X, sample_domain=d)[:, 1] == 0).all()
    assert bridge.bridge_scores_[-2][1] == 0.0


def frames(library):
    rng = np.random.default_rng(0)
    age = rng.normal(60, 10, 400)
    stage = np.where(age > 62, "late", "early")
    here = library.DataFrame({"age": age[:200], "stage": stage[:200].tolist()})
    there = library.DataFrame({"age": age[200:], "ward": ["a", "b"] * 100})
    return here, there, stage[200:]


@pytest.mark.parametrize("library", [pd, pl])
def test_text_is_predicted_as_categories(library):
    here, there, truth = frames(library)
    X, _, d = stack_domains(here, None, there, join="outer")
    bridge = ColumnBridgeTransformer().fit(X, sample_domain=d)
    out = bridge.transform(X, sample_domain=d)
    assert type(out) is type(X) and list(out.columns) == ["age", "stage", "ward"]
    stage = np.array(out["stage"].to_list())
    assert (stage[200:] == truth).mean() > 0.95
    # scikit-learn 1.8 does not see the names of newer polars frames.
    named = hasattr(bridge, "feature_names_in_")
    assert named or library is pl
    assert bridge.bridge_scores_[-2]["stage" if named else 1] > 0.9
    # Nothing predicts the ward: all are of the most frequent one, or of the first.
    assert set(out["ward"].to_list()[:200]) == {"a"}
    if named:
        assert set(out.columns) == set(bridge.get_feature_names_out())


def test_a_category_that_is_new_stays_as_it_is():
    here, there, _ = frames(pd)
    X, _, d = stack_domains(here, None, there, join="outer")
    bridge = ColumnBridgeTransformer(cross_fit=False).fit(X, sample_domain=d)
    new = X[d > 0].head(3).assign(stage="unheard of")
    out = bridge.transform(new, sample_domain=[1, 1, 1])
    assert out["stage"].tolist() == ["unheard of"] * 3


def test_codes_are_categories_where_they_are_said_to_be():
    X, d = table()
    codes = np.where(X[:, 0] > 0, 7.0, 3.5)
    given = np.column_stack([X[:, :2], codes])
    given[d < 0, 2] = np.nan
    bridge = ColumnBridgeTransformer(categorical=[2], category_estimator=GaussianNB())
    out = bridge.fit_transform(given, sample_domain=d)
    assert set(out[:, 2]) == {3.5, 7.0}
    assert (out[d < 0, 2] == codes[d < 0]).mean() > 0.9
    assert set(ColumnBridgeTransformer().fit_transform(given, sample_domain=d)[:, 2]) != {3.5, 7.0}


def test_folds_follow_from_the_row_alone_and_are_of_like_size():
    X = np.random.default_rng(0).normal(size=(5000, 3))
    folds = content_folds(X, 5)
    np.testing.assert_array_equal(content_folds(X[::-1], 5)[::-1], folds)
    assert np.bincount(folds).min() > 850
    counts = np.random.default_rng(0).integers(0, 5, size=(5000, 6)).astype(float)
    assert np.bincount(content_folds(counts, 5)).min() > 800
    zeros = np.array([[0.0, 1.0], [-0.0, 1.0]])
    assert len(set(content_folds(zeros, 5))) == 1


def test_what_is_explained_of_categories_is_counted_in_errors():
    y = np.array([0.0, 0, 0, 1, 1])
    guess = np.array([0.0, 0, 0, 1, 0])
    assert explained(y, guess, is_category=True, center=0.0) == pytest.approx(0.5)
    assert explained(np.ones(3), np.ones(3), is_category=False, center=1.0) == 0.0


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"strength": 2.0}, "strength must be a number"),
        ({"uncertainty": "guess"}, "uncertainty must be one of"),
        ({"cross_fit": "no"}, "cross_fit must be True or False"),
        ({"min_score": "low"}, "min_score must be a number"),
        ({"n_folds": 1}, "n_folds must be an integer of at least 2"),
        ({"categorical": ["ward"]}, "categorical must be columns of X"),
        ({"estimator": LogisticRegression()}, "estimator must be a regressor"),
        ({"category_estimator": RidgeCV()}, "category_estimator must be a classifier"),
    ],
)
def test_bad_parameters_are_named(params, words):
    X, d = table(n=20)
    with pytest.raises(ValueError, match=words):
        ColumnBridgeTransformer(**params).fit(X, sample_domain=d)


def test_infinity_and_text_in_a_column_of_numbers_are_refused():
    X, d = table(n=20)
    X[3, 1] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        ColumnBridgeTransformer().fit(X, sample_domain=d)
    here, there, _ = frames(pd)
    X, _, d = stack_domains(here, None, there, join="outer")
    bridge = ColumnBridgeTransformer().fit(X, sample_domain=d)
    with pytest.raises(ValueError, match="'age' held numbers in fit"):
        bridge.transform(X.assign(age="old"), sample_domain=d)


# The shift it is for: the source lacks what the target measures.


def gain(transformer):
    gains = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        latent = rng.normal(size=600)
        X = latent[:, None] + rng.normal(size=(600, 4)) * [1.5, 1.5, 0.4, 1.5]
        y = (latent > 0).astype(int)
        d = np.repeat([1, -2], 300)
        given = X.copy()
        given[d > 0, 2] = np.nan
        out = transformer.fit_transform(given, sample_domain=d)

        def score(Z, y=y, d=d):
            model = make_pipeline(StandardScaler(), LogisticRegression()).fit(Z[d > 0], y[d > 0])
            return model.score(Z[d < 0], y[d < 0])

        gains.append(score(out) - score(np.delete(X, 2, axis=1)))
    return np.mean(gains)


def test_measurements_of_the_target_alone_are_of_use():
    assert gain(ColumnBridgeTransformer()) > 0.02


def test_sabotage_with_means_instead_of_predictions_nothing_is_gained():
    assert gain(ColumnBridgeTransformer(strength=0.0)) < 0.005
