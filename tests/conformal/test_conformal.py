"""Sets and intervals: the formulas, the rules, and (slow) the guarantee."""

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, QuantileRegressor, Ridge
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

import skda
from skda import (
    ConformalClassifier,
    ConformalRegressor,
    CORALTransformer,
    DomainClassifierWeighter,
    DomainWarning,
    GaussianWeighter,
    KMMWeighter,
    LabelShiftClassifier,
    make_domain_pipeline,
    stack_domains,
)
from skda._numerics._weighted_quantile import upper_quantile
from skda.conformal._quantile_models import quantile_parameter
from skda.conformal._scores import adaptive
from skda.conformal._target_weights import _WEIGH_NEW_ROWS

ALPHA = 0.2


def quantile(values, weights, own):
    """What test_weighted_quantile.py compares with the definition."""
    return upper_quantile(values, weights, np.atleast_1d(own), ALPHA)


def regression(seed=0, n=60, m=40):
    rng = np.random.default_rng(seed)
    Xs, Xt = rng.normal(size=(n, 2)), rng.normal(0.7, 1.0, size=(2 * m, 2))

    def label(X):
        return X[:, 0] + np.exp(0.5 * X[:, 0]) * rng.normal(size=len(X))

    yt = label(Xt)
    return *stack_domains(Xs, label(Xs), Xt[:m], yt[:m]), Xt[m:], yt[m:]


def classes(seed=0, n=90, m=60, target=(0.1, 0.3, 0.6)):
    rng = np.random.default_rng(seed)

    def rows(size, priors):
        y = rng.choice(3, size=size, p=priors)
        return rng.normal(size=(size, 2)) + 1.5 * np.eye(3)[y, :2], y

    (Xs, ys), (Xt, yt) = rows(n, [0.6, 0.25, 0.15]), rows(2 * m, target)
    return *stack_domains(Xs, ys, Xt[:m], yt[:m]), Xt[m:], yt[m:]


# The formulas


def test_split_intervals_are_those_of_the_paper():
    X, y, d, X_new, _ = regression()
    fitted = LinearRegression().fit(*regression(seed=1)[:2])
    model = ConformalRegressor(fitted, GaussianWeighter(), alpha=ALPHA, cv="prefit")
    intervals = model.fit(X, y, sample_domain=d).predict_interval(X_new)
    source = d >= 0
    residuals = np.abs(y[source] - fitted.predict(X[source]))
    weights, own = model.weighter_.weights_, model.weighter_.predict_weights(X_new)
    reach, middle = quantile(residuals, weights, own), fitted.predict(X_new)
    np.testing.assert_allclose(intervals, np.c_[middle - reach, middle + reach])
    assert model.estimator_ is fitted and model.n_calibration_ == 60
    assert model.n_effective_ == pytest.approx(weights.sum() ** 2 / (weights**2).sum())
    assert model.n_effective_ < 59.99


def test_folds_are_compared_with_their_own_models():
    X, y, d, X_new, _ = regression(n=150)
    cv = KFold(3)
    model = ConformalRegressor(Ridge(), GaussianWeighter(), alpha=ALPHA, cv=cv)
    low, high = model.fit(X, y, sample_domain=d).predict_interval(X_new).T
    X, y = X[d >= 0], y[d >= 0]
    weights, own = model.weighter_.weights_, model.weighter_.predict_weights(X_new)
    lows, highs = np.empty((2, len(X_new), len(y)))
    for fit, held in cv.split(X):
        fold = Ridge().fit(X[fit], y[fit])
        residuals = np.abs(y[held] - fold.predict(X[held]))
        lows[:, held] = fold.predict(X_new)[:, None] - residuals
        highs[:, held] = fold.predict(X_new)[:, None] + residuals
    for i in range(len(X_new)):
        assert high[i] == pytest.approx(quantile(highs[i], weights, own[i])[0])
        assert low[i] == pytest.approx(-quantile(-lows[i], weights, own[i])[0])
    np.testing.assert_allclose(model.predict(X_new), Ridge().fit(X, y).predict(X_new))


@pytest.mark.parametrize("method", ["lac", "aps"])
def test_sets_under_label_shift_weigh_the_classes(method):
    X, y, d, X_new, _ = classes()
    fitted = LogisticRegression().fit(*classes(seed=1)[:2])
    weighter = LabelShiftClassifier(random_state=0)
    model = ConformalClassifier(fitted, weighter, alpha=ALPHA, method=method, cv="prefit")
    sets = model.fit(X, y, sample_domain=d).predict_set(X_new)
    X, y = X[d >= 0], y[d >= 0].astype(int)
    ratio = model.weighter_.target_priors_ / model.weighter_.source_priors_

    def scores(X):
        proba = fitted.predict_proba(X)
        if method == "lac":
            return 1 - proba
        return np.array([[row[row >= p].sum() for p in row] for row in proba])

    own = scores(X)[np.arange(len(y)), y]
    limits = quantile(own, ratio[y], ratio)
    np.testing.assert_array_equal(sets, scores(X_new) <= limits + 1e-12)
    assert sets.dtype == bool and 1 < sets.sum(axis=1).mean() < 3


def test_random_numbers_take_off_a_part_of_the_own_probability():
    proba = np.array([[0.5, 0.2, 0.3], [0.1, 0.6, 0.3]])
    np.testing.assert_allclose(adaptive(proba), [[0.5, 1.0, 0.8], [1.0, 0.6, 0.9]])
    with_random = adaptive(proba, np.array([0.0, 0.5]))
    np.testing.assert_allclose(with_random, [[0.5, 1.0, 0.8], [0.95, 0.3, 0.75]])
    X, y, d, X_new, _ = classes()
    model = ConformalClassifier(
        LogisticRegression(), method="aps", alpha=ALPHA, cv=2, random_state=0
    )
    sets = [
        model.set_params(randomized=randomized).fit(X, y, sample_domain=d).predict_set(X_new)
        for randomized in (False, True, True)
    ]
    assert sets[1].sum() < sets[0].sum()
    np.testing.assert_array_equal(sets[1], sets[2])


def test_labeled_target_rows_join_by_the_formula():
    X, y, d, X_new, _ = regression()
    y[np.flatnonzero(d < 0)[10:]] = np.nan
    fitted = LinearRegression().fit(*regression(seed=1)[:2])

    def upper(weighter, **params):
        model = ConformalRegressor(
            fitted, weighter, alpha=ALPHA, cv="prefit", use_target_labels=True, **params
        )
        model.fit(X, y, sample_domain=d)
        return model, model.predict_interval(X_new)[:, 1] - fitted.predict(X_new)

    known = ~np.isnan(y)
    residuals = np.abs(y[known] - fitted.predict(X[known]))
    # Without a weighter all densities are equal: plain conformal prediction with all labeled rows.
    _, found = upper(None, target_share=None)
    np.testing.assert_allclose(found, quantile(residuals, np.ones(70), 1.0)[0])
    # w / (n + m w) for rows of both domains, and for new rows.
    model, found = upper(GaussianWeighter(), target_share=None)
    raw = np.r_[model.weighter_.weights_, model.weighter_.predict_weights(X[known][60:])]
    weights, own = (w / (60 + 10 * w) for w in (raw, model.weighter_.predict_weights(X_new)))
    np.testing.assert_allclose(found, quantile(residuals, weights, own))
    # Target rows alone: the usual order statistic of their errors, whatever the weighter.
    alone = np.sort(residuals[-10:])[8]
    for share in (1.0, "auto"):
        np.testing.assert_allclose(upper(GaussianWeighter(), target_share=share)[1], alone)
    _, found = upper(None, target_share=0.5)
    weights = np.r_[np.full(60, 10 / 60), np.ones(10)]
    np.testing.assert_allclose(found, quantile(residuals, weights, 1.0)[0])
    # Of fewer than 1 / alpha labels no bound comes: they join the source rows.
    y[np.flatnonzero(d < 0)[4:]] = np.nan
    np.testing.assert_allclose(upper(None)[1], upper(None, target_share=None)[1])


def test_quantile_regression_follows_the_noise():
    X, y, d, X_new, _ = regression(n=200)
    model = ConformalRegressor(
        QuantileRegressor(alpha=0), method="quantile", cv=None, calibration_size=0.4, random_state=0
    )
    low, high = model.fit(X, y, sample_domain=d).predict_interval(X_new).T
    assert np.corrcoef(high - low, X_new[:, 0])[0, 1] > 0.8
    assert model.n_calibration_ == 80
    assert model.predict(X_new).shape == (40,)
    crossed = model.set_params(alpha=0.999, cv=2).fit(X, y, sample_domain=d)
    low, high = crossed.predict_interval(X_new).T
    assert (low <= high).all()


# Around estimators and pipelines of ours


def test_a_pipeline_with_a_map_is_calibrated_with_mapped_rows():
    rng = np.random.default_rng(0)
    Xs = rng.normal(size=(80, 2))
    ys = Xs[:, 0] + 0.1 * rng.normal(size=80)
    Xt = 5.0 + 2.0 * rng.normal(size=(80, 2))
    X, y, d = stack_domains(Xs, ys, Xt)
    with skda_routing():
        pipe = make_domain_pipeline(CORALTransformer(), Ridge(alpha=0.01))
    model = ConformalRegressor(estimator=pipe, cv=2, random_state=0).fit(X, y, sample_domain=d)
    low, high = model.predict_interval(Xt).T
    # As target rows the source rows, which lie elsewhere, would give errors of 2 and more.
    assert np.median(high - low) < 1.0


def skda_routing():
    import sklearn

    return sklearn.config_context(enable_metadata_routing=True)


def test_source_rows_of_a_prior_correction_are_compared_as_target_rows():
    X, y, d, X_new, y_new = classes(n=300, m=300)
    priors = LabelShiftClassifier(random_state=0)
    model = ConformalClassifier(estimator=priors, weighter=priors, cv=2, random_state=0)
    model.fit(X, y, sample_domain=d)
    row, fold, source = model._calibration[0][0], model.estimators_[0], d >= 0
    uncorrected = 1 - fold.predict_proba(X[source], sample_domain=d[source])
    corrected = 1 - fold.predict_proba(X[source])
    assert np.isin(row.round(9), corrected.round(9)).all()
    assert not np.isin(row.round(9), uncorrected.round(9)).any()
    sets = model.predict_set(X_new)
    assert abs(sets[np.arange(300), y_new].mean() - 0.9) < 0.08


# Rules


def test_names_of_weighters_that_weigh_new_rows_are_all_of_them():
    from skda import instance_based

    able = [n for n in instance_based.__all__ if hasattr(getattr(skda, n), "predict_weights")]
    assert sorted(able) == sorted(_WEIGH_NEW_ROWS)


def test_weighters_that_cannot_weigh_new_rows_are_refused():
    X, y, d, *_ = regression()
    with pytest.raises(ValueError, match=r"KMMWeighter weighs .* GaussianWeighter"):
        ConformalRegressor(Ridge(), KMMWeighter()).fit(X, y, sample_domain=d)
    with pytest.raises(ValueError, match="LabelShiftClassifier weighs"):
        ConformalRegressor(Ridge(), LabelShiftClassifier()).fit(X, y, sample_domain=d)
    with pytest.raises(ValueError, match="with parentheses"):
        ConformalRegressor(Ridge(), GaussianWeighter).fit(X, y, sample_domain=d)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"alpha": 0.0}, "alpha must be"),
        ({"method": "median"}, "method must be"),
        ({"cv": "fitted"}, "cv must be"),
        ({"cv": 1}, "cv must be"),
        ({"calibration_size": 1.0}, "calibration_size must be"),
        ({"use_target_labels": "no"}, "use_target_labels must be"),
        ({"use_target_labels": True, "target_share": 0.0}, "target_share must be"),
        ({"target_share": 0.5}, "use_target_labels=True"),
        ({"method": "quantile"}, "Ridge has none"),
    ],
)
def test_wrong_parameters_are_named(params, words):
    X, y, d, *_ = regression()
    with pytest.raises(ValueError, match=words):
        ConformalRegressor(Ridge(), **params).fit(X, y, sample_domain=d)


def test_wrong_classifiers_are_named():
    X, y, d, *_ = classes()
    with pytest.raises(ValueError, match="predict_proba"):
        ConformalClassifier(LinearSVC()).fit(X, y, sample_domain=d)
    with pytest.raises(ValueError, match="randomized must be"):
        ConformalClassifier(LogisticRegression(), randomized=1).fit(X, y, sample_domain=d)
    few = LogisticRegression().fit(X[y < 2], y[y < 2])
    with pytest.raises(ValueError, match=r"does not know: \[2"):
        ConformalClassifier(few, cv="prefit").fit(X, y, sample_domain=d)


def test_the_parameter_of_the_quantile_is_found():
    assert quantile_parameter(QuantileRegressor()) == "quantile"
    boosting = make_pipeline(StandardScaler(), GradientBoostingRegressor(loss="quantile"))
    assert quantile_parameter(boosting) == "gradientboostingregressor__alpha"
    assert quantile_parameter(HistGradientBoostingRegressor(loss="quantile")) == "quantile"
    for other in (GradientBoostingRegressor(), HistGradientBoostingRegressor()):
        with pytest.raises(ValueError, match="has none"):
            quantile_parameter(other)


def test_what_has_no_bound_is_counted_once():
    X, y, d, X_new, _ = regression(n=8, m=20)
    model = ConformalRegressor(Ridge(), alpha=0.1, cv=2, random_state=0)
    model.fit(X, y, sample_domain=d)
    with pytest.warns(DomainWarning, match="20 of 20 intervals are infinite") as caught:
        intervals = model.predict_interval(X_new)
    assert len(caught) == 1 and np.isinf(intervals).all()
    X, y, d, X_new, _ = classes()
    model = ConformalClassifier(LogisticRegression(), alpha=0.005, cv=2, random_state=0)
    model.fit(X, y, sample_domain=d)
    with pytest.warns(DomainWarning, match="60 of 60 sets hold all classes") as caught:
        assert model.predict_set(X_new).all()
    assert len(caught) == 1


def test_weights_that_rest_on_few_rows_are_reported():
    rng = np.random.default_rng(0)
    X, y, d = stack_domains(
        rng.normal(size=(200, 1)), rng.normal(size=200), rng.normal(3.0, 0.3, size=(50, 1))
    )
    model = ConformalRegressor(Ridge(), GaussianWeighter(min_effective_size=None), random_state=0)
    with pytest.warns(DomainWarning) as caught:
        model.fit(X, y, sample_domain=d)
    assert any("too few to calibrate" in str(warning.message) for warning in caught)


# The guarantee: over many draws as many sets and intervals hold the truth as are asked for


def coverage(model, draw, seeds=60):
    found = []
    for seed in range(seeds):
        X, y, d, X_new, y_new = draw(seed)
        model.fit(X, y, sample_domain=d)
        if hasattr(model, "predict_set"):
            found.append(model.predict_set(X_new)[np.arange(len(y_new)), y_new].mean())
        else:
            low, high = model.predict_interval(X_new).T
            found.append(np.mean((low <= y_new) & (y_new <= high)))
    return np.mean(found)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::skda.DomainWarning")
@pytest.mark.parametrize("cv", [None, 5])
@pytest.mark.parametrize("weighter", [GaussianWeighter(), DomainClassifierWeighter(random_state=0)])
def test_intervals_hold_under_covariate_shift(weighter, cv):
    def draw(seed):
        return regression(seed, n=400, m=400)

    plain = ConformalRegressor(Ridge(), cv=cv, random_state=0)
    assert coverage(plain, draw) < 0.87
    model = ConformalRegressor(Ridge(), weighter, cv=cv, random_state=0)
    assert abs(coverage(model, draw) - 0.9) < 0.02


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::skda.DomainWarning")
@pytest.mark.parametrize("cv", [None, 5])
def test_sets_hold_under_label_shift(cv):
    def draw(seed):
        return classes(seed, n=500, m=500)

    plain = ConformalClassifier(LogisticRegression(), cv=cv, random_state=0)
    assert coverage(plain, draw) < 0.85
    priors = LabelShiftClassifier(random_state=0)
    model = ConformalClassifier(LogisticRegression(), priors, cv=cv, random_state=0)
    assert abs(coverage(model, draw) - 0.9) < 0.02


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::skda.DomainWarning")
def test_intervals_of_few_target_labels_hold_whatever_differs():
    def draw(seed):
        X, y, d, X_new, y_new = regression(seed, n=200, m=200)
        y[d < 0] *= 3.0
        y[np.flatnonzero(d < 0)[50:]] = np.nan
        return X, y, d, X_new, 3.0 * y_new

    model = ConformalRegressor(Ridge(), use_target_labels=True, random_state=0)
    assert abs(coverage(model, draw) - 0.9) < 0.02
    assert coverage(model.set_params(target_share=None), draw) < 0.8
