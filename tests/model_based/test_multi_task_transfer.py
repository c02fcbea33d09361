"""Multi-task ridge and logistic regression, beside the stacked features of the paper."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import r2_score

from skda import (
    MultiTaskTransferClassifier,
    MultiTaskTransferRegressor,
    config_context,
)
from skda.model_based._base_multi_task import SHARINGS

SIZES = (14, 9, 3, 20)  # one task has fewer rows than features


def sites(seed=0, sizes=SIZES, d=5, spread=0.5, noise=0.5):
    """Sites with coefficients around common ones, and a level each."""
    rng = np.random.default_rng(seed)
    ids = np.repeat(np.arange(len(sizes)) * 3, sizes)
    w = rng.normal(size=d) + spread * rng.normal(size=(len(sizes), d))
    X = rng.normal(size=(len(ids), d)) + 2.0
    place = ids // 3
    y = (X * w[place]).sum(axis=1) + 3.0 * place + noise * rng.normal(size=len(ids))
    return X, y, rng.permutation(len(ids)), ids


def stacked(X, ids, sharing, alpha, *, own_intercept):
    """The paper's feature map: a scaled copy for all domains and one for each, for one penalty."""
    domains = np.unique(ids)
    copies = [np.sqrt(sharing) * X]
    copies += [np.sqrt(1 - sharing) * X * (ids == i)[:, None] for i in domains]
    if own_intercept:
        scale = np.sqrt((1 - sharing) / sharing)
        copies += [scale * (ids == i)[:, None] for i in domains]
    return np.concatenate(copies, axis=1)


def ridge_of_sites(X, y, ids, sharing, alpha, intercept, weights=None):
    """Predictions of the naive solution, with all coefficients in one ridge regression."""
    center = np.average(X, axis=0, weights=weights)
    features = stacked(X - center, ids, sharing, alpha, own_intercept=intercept == "own")
    model = Ridge(alpha, fit_intercept=True).fit(features, y, sample_weight=weights)
    return model.predict(features)


@pytest.mark.parametrize("intercept", ["own", "shared"])
@pytest.mark.parametrize("sharing", [0.2, 0.9])
@pytest.mark.parametrize("d", [5, 80])
def test_the_closed_form_is_ridge_regression_on_stacked_features(sharing, intercept, d):
    X, y, _, ids = sites(d=d)
    model = MultiTaskTransferRegressor(sharing, alpha=3.0, intercept=intercept)
    found = model.fit(X, y, sample_domain=ids).predict(X, sample_domain=ids)
    np.testing.assert_allclose(found, ridge_of_sites(X, y, ids, sharing, 3.0, intercept), rtol=1e-8)


def test_weights_count_as_in_ridge_regression():
    X, y, _, ids = sites()
    weights = np.random.default_rng(1).uniform(0.2, 2.0, size=len(y))
    model = MultiTaskTransferRegressor(0.6, alpha=1.0).fit(X, y, weights, sample_domain=ids)
    wanted = ridge_of_sites(X, y, ids, 0.6, 1.0, "own", weights)
    np.testing.assert_allclose(model.predict(X, sample_domain=ids), wanted, rtol=1e-8)


def test_without_intercept_nothing_is_centered():
    X, y, _, ids = sites()
    model = MultiTaskTransferRegressor(0.6, alpha=1.0, intercept=None).fit(X, y, sample_domain=ids)
    features = stacked(X, ids, 0.6, 1.0, own_intercept=False)
    wanted = Ridge(fit_intercept=False).fit(features, y).predict(features)
    np.testing.assert_allclose(model.predict(X, sample_domain=ids), wanted, rtol=1e-8)
    assert not np.any(model.domain_intercept_)


@pytest.mark.parametrize("intercept", ["own", "shared"])
def test_all_shared_is_one_ridge_regression(intercept):
    X, y, _, ids = sites()
    model = MultiTaskTransferRegressor(1.0, alpha=1.0, intercept=intercept).fit(
        X, y, sample_domain=ids
    )
    wanted = Ridge().fit(X, y)
    np.testing.assert_allclose(model.domain_coef_, np.tile(wanted.coef_, (4, 1)), rtol=1e-9)
    np.testing.assert_allclose(model.predict(X, sample_domain=ids), wanted.predict(X), rtol=1e-9)


def test_nothing_shared_is_a_ridge_regression_of_each_domain():
    X, y, _, ids = sites()
    model = MultiTaskTransferRegressor(0.0, alpha=1.0).fit(X, y, sample_domain=ids)
    for i in np.unique(ids):
        wanted = Ridge().fit(X[ids == i], y[ids == i]).predict(X[ids == i])
        found = model.predict(X[ids == i], sample_domain=ids[ids == i])
        np.testing.assert_allclose(found, wanted, rtol=1e-9)


@pytest.mark.parametrize("end", [0.0, 1.0])
def test_the_ends_are_limits(end):
    X, y, _, ids = sites()
    at, near = (
        MultiTaskTransferRegressor(s, alpha=1.0)
        .fit(X, y, sample_domain=ids)
        .predict(X, sample_domain=ids)
        for s in (end, abs(end - 1e-9))
    )
    np.testing.assert_allclose(near, at, rtol=1e-5)


def test_shifting_a_feature_changes_no_prediction():
    X, y, _, ids = sites()
    a = MultiTaskTransferRegressor(0.5).fit(X, y, sample_domain=ids)
    b = MultiTaskTransferRegressor(0.5).fit(X + 100.0, y, sample_domain=ids)
    found = b.predict(X + 100.0, sample_domain=ids)
    np.testing.assert_allclose(found, a.predict(X, sample_domain=ids), rtol=1e-7)


def left_out_by_refits(X, y, ids, sharing, alpha):
    """Mean over domains of the squared errors of rows that really were left out."""
    squares = np.zeros(len(y))
    center = X.mean(axis=0)  # as in the fit to all rows, whose centering is no parameter
    for i in range(len(y)):
        kept = np.arange(len(y)) != i
        features = stacked(X - center, ids, sharing, alpha, own_intercept=True)
        model = Ridge(alpha).fit(features[kept], y[kept])
        squares[i] = (model.predict(features[[i]])[0] - y[i]) ** 2
    return np.mean([squares[ids == k].mean() for k in np.unique(ids)])


@pytest.mark.parametrize("sharing", [0.3, 0.9])
def test_left_out_errors_are_those_of_refits(sharing):
    from skda.model_based._multi_task_transfer_regressor import left_out_error, reduced_task

    X, y, _, ids = sites()
    Z, z = X - X.mean(axis=0), y - y.mean()
    tasks = [
        reduced_task(Z[ids == i], z[ids == i], np.ones((ids == i).sum()), sharing=sharing,
                     intercept="own")
        for i in np.unique(ids)
    ]  # fmt: skip
    found = left_out_error(tasks, d=5, alpha=2.0)
    assert found == pytest.approx(left_out_by_refits(X, y, ids, sharing, 2.0))


def test_left_out_errors_of_separate_models_know_of_their_intercepts():
    from skda.model_based._multi_task_transfer_regressor import left_out_error, reduced_task

    X, y, _, _ = sites(sizes=(12,))
    task = reduced_task(X, y, np.ones(12), sharing=0.0, intercept="own")
    rows = [np.delete(np.arange(12), i) for i in range(12)]
    errors = [Ridge().fit(X[r], y[r]).predict(X[[i]])[0] - y[i] for i, r in enumerate(rows)]
    assert left_out_error([task], d=5, alpha=1.0) == pytest.approx(np.mean(np.square(errors)))


def test_a_domain_of_one_row_cannot_stand_alone():
    X, y, _, ids = sites(sizes=(10, 1, 10))
    assert MultiTaskTransferRegressor().fit(X, y, sample_domain=ids).sharing_ > 0


@pytest.mark.parametrize(("spread", "low", "high"), [(0.0, 0.9, 1.0), (3.0, 0.0, 0.3)])
def test_auto_shares_as_much_as_the_domains_have_in_common(spread, low, high):
    rng = np.random.default_rng(0)
    ids = np.repeat(np.arange(8), 20)
    w = rng.normal(size=4) + spread * rng.normal(size=(8, 4))
    X = rng.normal(size=(160, 4))
    outputs = (X * w[ids]).sum(axis=1)
    y = outputs + rng.normal(size=160)
    model = MultiTaskTransferRegressor(alpha=1.0).fit(X, y, sample_domain=ids)
    assert low <= model.sharing_ <= high
    labels = outputs > 0
    model = MultiTaskTransferClassifier(random_state=0).fit(X, labels, sample_domain=ids)
    assert low <= model.sharing_ <= high
    assert model.sharing_ in SHARINGS


def test_auto_alpha_follows_the_unit_of_the_features():
    X, y, _, ids = sites()
    b = MultiTaskTransferRegressor(alpha="auto", intercept="shared")
    b = b.fit(1e3 * X, y, sample_domain=ids)
    a = MultiTaskTransferRegressor(alpha="auto", intercept="shared").fit(X, y, sample_domain=ids)
    assert b.alpha_ == pytest.approx(1e6 * a.alpha_)
    np.testing.assert_allclose(
        b.predict(1e3 * X, sample_domain=ids), a.predict(X, sample_domain=ids), rtol=1e-6
    )


def test_without_domains_it_is_plain_ridge_regression():
    X, y, _, _ = sites()
    with pytest.warns(UserWarning, match="without sample_domain"):
        model = MultiTaskTransferRegressor().fit(X, y)
    np.testing.assert_allclose(model.predict(X), Ridge().fit(X, y).predict(X))
    assert model.alpha_ == 1.0 and model.domains_ == []
    # The domain of a row has no meaning then.
    np.testing.assert_array_equal(
        model.predict(X, sample_domain=np.full(len(X), 4)), model.predict(X)
    )


def test_rows_of_other_domains_get_the_shared_part():
    X, y, _, ids = sites()
    unlabeled = np.r_[y, np.full(5, np.nan)]
    rows, domain = np.r_[X, X[:5]], np.r_[ids, np.full(5, -2)]
    model = MultiTaskTransferRegressor(0.5).fit(rows, unlabeled, sample_domain=domain)
    assert model.domains_ == np.unique(ids).tolist()
    shared = X[:5] @ model.domain_coef_.mean(axis=0) + model.domain_intercept_.mean()
    np.testing.assert_allclose(model.predict(X[:5], sample_domain=domain[-5:]), shared)
    np.testing.assert_allclose(model.predict(X[:5]), shared)
    np.testing.assert_allclose(X[:5] @ model.coef_ + model.intercept_, shared)
    with pytest.raises(ValueError, match="not fitted on"):
        model.predict(X[:5], sample_domain=np.full(5, 77))


def test_rows_without_domain_are_of_the_target_if_there_is_one():
    X, y, _, ids = sites()
    one = np.where(ids == 3, -2, ids)
    model = MultiTaskTransferRegressor(0.5).fit(X, y, sample_domain=one)
    np.testing.assert_array_equal(model.predict(X), model.predict(X, sample_domain=0 * ids - 2))
    two = np.where(ids == 6, -5, one)
    model = MultiTaskTransferRegressor(0.5).fit(X, y, sample_domain=two)
    np.testing.assert_allclose(model.predict(X), X @ model.coef_ + model.intercept_)


def logistic_by_stacking(X, y, ids, sharing, alpha, intercept):
    """Probabilities of scikit-learn's logistic regression on the stacked features."""
    features = stacked(X - X.mean(axis=0), ids, sharing, alpha, own_intercept=intercept == "own")
    model = LogisticRegression(C=1 / alpha, tol=1e-9, max_iter=10_000).fit(features, y)
    return model.predict_proba(features)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(("sharing", "intercept"), [(0.3, "own"), (0.9, "shared")])
def test_the_classifier_is_logistic_regression_on_stacked_features(sharing, intercept, n_classes):
    X, y, _, ids = sites(noise=3.0)
    y = np.digitize(y, np.quantile(y, np.arange(1, n_classes) / n_classes))
    model = MultiTaskTransferClassifier(sharing, alpha=2.0, intercept=intercept, tol=1e-8)
    found = model.fit(X, y, sample_domain=ids).predict_proba(X, sample_domain=ids)
    wanted = logistic_by_stacking(X, y, ids, sharing, 2.0, intercept)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_the_ends_of_the_classifier_are_pooled_and_separate():
    X, y, _, ids = sites(sizes=(30, 25))
    y = (y > np.median(y)) ^ (np.random.default_rng(0).random(len(y)) < 0.3)
    both = [LogisticRegression(tol=1e-9).fit(X[ids == i], y[ids == i]) for i in (0, 3)]
    for intercept in ("own", "shared"):
        model = MultiTaskTransferClassifier(1.0, intercept=intercept, tol=1e-8)
        model = model.fit(X, y, sample_domain=ids)
        wanted = LogisticRegression(tol=1e-9).fit(X, y)
        np.testing.assert_allclose(model.coef_, wanted.coef_, atol=1e-5)
        np.testing.assert_allclose(model.intercept_, wanted.intercept_, atol=1e-5)
    model = MultiTaskTransferClassifier(0.0, tol=1e-8).fit(X, y, sample_domain=ids)
    np.testing.assert_allclose(model.domain_coef_, [m.coef_ for m in both], atol=1e-5)
    np.testing.assert_allclose(model.domain_intercept_, [m.intercept_ for m in both], atol=1e-5)


def test_weights_of_the_classifier_are_repeated_rows():
    X, y, _, ids = sites()
    y = y > np.median(y)
    times = np.random.default_rng(0).integers(0, 3, size=len(y))
    a = MultiTaskTransferClassifier(0.5, tol=1e-8).fit(X, y, times, sample_domain=ids)
    again = np.repeat(np.arange(len(y)), times)
    b = MultiTaskTransferClassifier(0.5, tol=1e-8)
    b = b.fit(X[again], y[again], sample_domain=ids[again])
    np.testing.assert_allclose(a.coef_, b.coef_, atol=1e-5)


def test_a_domain_with_one_class_is_held_near_the_others():
    X, y, _, ids = sites(sizes=(30, 30, 5))
    y = (y > np.median(y)).astype(int)
    y[ids == 6] = 1
    model = MultiTaskTransferClassifier(0.9).fit(X, y, sample_domain=ids)
    proba = model.predict_proba(X[ids == 6], sample_domain=ids[ids == 6])
    assert 0.5 < proba[:, 1].mean() < 0.999
    alone = MultiTaskTransferClassifier(0.0).fit(X, y, sample_domain=ids)
    assert (alone.predict(X, sample_domain=np.full(len(X), 6)) == 1).all()


@pytest.mark.parametrize("kind", ["regressor", "classifier"])
def test_sharing_beats_pooled_and_separate_models(kind):
    make = MultiTaskTransferRegressor if kind == "regressor" else MultiTaskTransferClassifier
    scores = {0.0: [], "auto": [], 1.0: []}
    for seed in range(2):
        rng = np.random.default_rng(seed)
        ids = np.repeat(np.arange(8), 80)
        w = rng.normal(size=8) + 0.4 * rng.normal(size=(8, 8))
        X = rng.normal(size=(640, 8))
        y = (X * w[ids]).sum(axis=1) + 0.5 * rng.normal(size=640)
        y = y if kind == "regressor" else y > 0
        known = np.arange(640) % 5 == 0  # sixteen rows of each domain
        for sharing, found in scores.items():
            model = make(sharing).fit(X[known], y[known], sample_domain=ids[known])
            found.append(model.score(X[~known], y[~known], sample_domain=ids[~known]))
    means = {sharing: np.mean(found) for sharing, found in scores.items()}
    assert means["auto"] > max(means[0.0], means[1.0]) + 0.02, means


def test_the_classifier_says_when_it_did_not_converge():
    from sklearn.exceptions import ConvergenceWarning

    X, y, _, ids = sites()
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        MultiTaskTransferClassifier(0.5, max_iter=2).fit(X, y > 5, sample_domain=ids)


def test_the_classifier_computes_the_same_under_another_backend():
    X, y, _, ids = sites()
    a = MultiTaskTransferClassifier(0.5).fit(X, y > 5, sample_domain=ids)
    with config_context(backend="torch"):
        b = MultiTaskTransferClassifier(0.5).fit(X, y > 5, sample_domain=ids)
    np.testing.assert_allclose(a.coef_, b.coef_)


@pytest.mark.parametrize(
    ("make", "bad"),
    [
        (MultiTaskTransferRegressor, {"sharing": [-0.1, 1.5, "much", True, None]}),
        (MultiTaskTransferRegressor, {"alpha": [0, -1.0, "much", None], "intercept": ["no", True]}),
        (MultiTaskTransferClassifier, {"sharing": ["much"], "alpha": [0, "auto"]}),
        (MultiTaskTransferClassifier, {"max_iter": [0, 1.5], "tol": [0], "intercept": [1]}),
    ],
)
def test_bad_parameters_are_named(make, bad):
    X, y, _, ids = sites()
    for name, values in bad.items():
        for value in values:
            with pytest.raises(ValueError, match=name):
                make(**{name: value}).fit(X, y > 5, sample_domain=ids)


@pytest.mark.parametrize("unit", [1e-12, 1e12])
@pytest.mark.parametrize("params", [{}, {"sharing": 0.5, "alpha": 1.0}])
def test_extreme_units_and_features_that_say_the_same_are_solved(unit, params):
    X, y, _, ids = sites()
    rows = np.column_stack([X, X[:, 0], np.ones(len(X))])
    model = MultiTaskTransferRegressor(**params).fit(unit * rows, y, sample_domain=ids)
    found = model.predict(unit * rows, sample_domain=ids)
    assert np.isfinite(found).all()
    if not params:  # the penalty follows the unit
        wanted = MultiTaskTransferRegressor().fit(rows, y, sample_domain=ids)
        assert r2_score(y, found) > r2_score(y, wanted.predict(rows, sample_domain=ids)) - 0.05


def test_weights_of_zero_everywhere_are_refused():
    X, y, _, ids = sites()
    with pytest.raises(ValueError, match="sample_weight"):
        MultiTaskTransferRegressor().fit(X, y, np.zeros(len(y)), sample_domain=ids)
