"""Class proportions are found without labels, by three methods, and used to correct outputs."""

import warnings

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import softmax
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from skda import DomainWarning, LabelShiftClassifier, stack_domains
from skda._numerics._calibration import fit_scaling, scaled_proba
from skda._numerics._em_priors import corrected_proba, em_priors
from skda.instance_based._class_priors import (
    bbse_ratio,
    joint_confusion,
    ks_limit,
    rlls_radius,
    rlls_ratio,
    weighted_ks,
)
from skda.instance_based._label_shift import stratified_folds

METHODS = ("em", "bbse", "rlls")


def make_label_shift(priors_source, priors_target, *, n=2000, distance=2.0, seed=0):
    """Gaussian classes on the corners of a simplex; only their proportions differ."""
    rng = np.random.default_rng(seed)
    centers = distance * np.eye(len(priors_source))
    rows = []
    for priors in (priors_source, priors_target):
        y = rng.choice(len(priors), size=n, p=priors)
        rows += [centers[y] + rng.normal(size=(n, len(priors))), y]
    return rows


# Formulas


def test_corrected_posterior_is_the_posterior_under_the_new_shares():
    rng = np.random.default_rng(0)
    likelihood = rng.random((50, 3))
    source, target = np.array([0.2, 0.3, 0.5]), np.array([0.7, 0.2, 0.1])
    posterior = likelihood * source
    posterior /= posterior.sum(axis=1, keepdims=True)
    wanted = likelihood * target
    wanted /= wanted.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(corrected_proba(posterior, target / source), wanted, rtol=1e-12)


def test_a_row_whose_every_class_is_absent_keeps_its_probabilities():
    proba = np.array([[1.0, 0.0], [0.5, 0.5]])
    found = corrected_proba(proba, np.array([0.0, 2.0]))
    np.testing.assert_array_equal(found, [[1.0, 0.0], [0.0, 1.0]])


def test_em_reaches_the_largest_likelihood():
    rng = np.random.default_rng(1)
    proba = rng.dirichlet([1.0, 1.0, 2.0], size=300)
    source = np.array([0.3, 0.3, 0.4])

    def loss(z):
        priors = np.exp(z) / np.exp(z).sum()
        return -np.log((proba * priors / source).sum(axis=1)).mean()

    best = minimize(loss, np.zeros(3), tol=1e-14)
    found, n_iter = em_priors(proba, source, max_iter=10_000, tol=1e-10)
    assert n_iter < 10_000
    np.testing.assert_allclose(found, np.exp(best.x) / np.exp(best.x).sum(), atol=1e-5)


def test_em_weights_are_repetitions():
    proba = np.random.default_rng(2).dirichlet([1.0, 2.0], size=40)
    times = np.random.default_rng(3).integers(0, 4, size=40)
    source = np.array([0.4, 0.6])
    weighted, _ = em_priors(proba, source, weights=times)
    repeated, _ = em_priors(np.repeat(proba, times, axis=0), source)
    np.testing.assert_allclose(weighted, repeated, rtol=1e-9)


def test_bbse_solves_the_linear_system():
    joint = np.array([[0.30, 0.05], [0.10, 0.55]])
    ratio = np.array([0.5, 1.6])  # 0.4·0.5 + 0.6·4/3 … any positive ratio
    np.testing.assert_allclose(bbse_ratio(joint, joint @ ratio), ratio, rtol=1e-12)


def test_bbse_leaves_a_class_that_is_never_predicted_as_it_is():
    joint = np.array([[0.4, 0.1, 0.1], [0.1, 0.2, 0.1], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(bbse_ratio(joint, joint.sum(axis=1)), np.ones(3), atol=1e-12)


@pytest.mark.parametrize("radius", [0.0, 1e-3, 0.01, 0.05, 0.3, 3.0])
def test_rlls_reaches_the_optimum_of_a_convex_solver(radius):
    cp = pytest.importorskip("cvxpy")
    for seed in range(3):
        rng = np.random.default_rng(seed)
        joint = rng.random((4, 4)) + 2 * np.eye(4)
        joint /= joint.sum()
        shares = rng.dirichlet(np.ones(4))
        b = shares - joint.sum(axis=1)
        theta = cp.Variable(4)
        cost = cp.norm(joint @ theta - b) + radius * cp.norm(theta)
        best = cp.Problem(cp.Minimize(cost), [theta >= -1]).solve(solver=cp.CLARABEL)
        found = rlls_ratio(joint, shares, radius) - 1.0
        value = np.linalg.norm(joint @ found - b) + radius * np.linalg.norm(found)
        assert found.min() >= -1.0
        assert value == pytest.approx(best, abs=1e-7)


def test_rlls_radius_is_the_bound_of_the_paper():
    n, k, delta = 500, 10, 0.05
    log = np.log(2 * k / delta)
    wanted = 3 * (2 * log / (3 * n) + np.sqrt(2 * log / n))
    assert rlls_radius(k, n) == pytest.approx(wanted, rel=1e-12)


def test_joint_confusion_counts_weights():
    joint = joint_confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), np.array([1.0, 2.0, 1.0]), 2)
    np.testing.assert_array_equal(joint, [[0.25, 0.5], [0.0, 0.25]])


def test_folds_share_out_every_class_and_hold_out_every_row_once():
    codes = np.repeat([0, 1, 2], [50, 7, 1])
    held_out = [test for _, test in stratified_folds(codes, 5, 0)]
    np.testing.assert_array_equal(np.sort(np.concatenate(held_out)), np.arange(58))
    for test in held_out:
        assert (codes[test] == 0).sum() == 10
        assert (codes[test] == 1).sum() in (1, 2)


# What it is for


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(3))
def test_shares_are_recovered_and_accuracy_gained(method, seed):
    Xs, ys, Xt, yt = make_label_shift([0.5, 0.5], [0.9, 0.1], seed=seed, distance=1.5)
    X, y, d = stack_domains(Xs, ys, Xt)
    model = LabelShiftClassifier(method=method, random_state=0).fit(X, y, sample_domain=d)
    assert abs(model.target_priors_[0] - (yt == 0).mean()) < 0.03
    gain = model.score(Xt, yt) - model.estimator_.score(Xt, yt)
    assert gain > 0.03
    still = LabelShiftClassifier(method=method, strength=0.0).fit(X, y, sample_domain=d)
    assert still.score(Xt, yt) == still.estimator_.score(Xt, yt)  # so the gain is the method's


@pytest.mark.parametrize("method", METHODS)
def test_shares_of_five_classes(method):
    target = np.array([0.4, 0.3, 0.15, 0.1, 0.05])
    Xs, ys, Xt, yt = make_label_shift(np.full(5, 0.2), target, n=3000, distance=3.0)
    names = np.array(["oak", "ash", "elm", "fir", "yew"])
    X, y, d = stack_domains(Xs, names[ys], Xt)
    model = LabelShiftClassifier(method=method, random_state=0).fit(X, y, sample_domain=d)
    wanted = [(names[yt] == name).mean() for name in model.classes_]
    np.testing.assert_allclose(model.target_priors_, wanted, atol=0.03)
    assert model.target_priors_.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(model.predict_proba(Xt).sum(axis=1), 1.0)
    assert set(model.predict(Xt)) <= set(names)


def test_em_needs_calibration_and_the_confusion_does_not():
    Xs, ys, Xt, yt = make_label_shift([0.5, 0.5], [0.9, 0.1], distance=1.0)
    X, y, d = stack_domains(np.hstack([Xs, Xs, Xs]), ys, np.hstack([Xt, Xt, Xt]))
    overconfident = GaussianNB()  # counts every feature three times
    errors = {}
    for method in METHODS:
        for calibration in (None, "temperature", "bcts"):
            model = LabelShiftClassifier(
                overconfident, method=method, calibration=calibration, random_state=0
            )
            model.fit(X, y, sample_domain=d)
            errors[method, calibration] = abs(model.target_priors_[0] - (yt == 0).mean())
    assert errors["em", None] > 0.03
    del errors["em", None]
    assert max(errors.values()) < 0.03
    assert 2 < model.temperature_ < 4, "each feature counts three times"


def test_a_class_absent_from_the_target_gets_no_share():
    Xs, ys, Xt, _ = make_label_shift([0.3, 0.3, 0.4], [0.5, 0.5, 0.0], distance=4.0)
    X, y, d = stack_domains(Xs, ys, Xt)
    for method in METHODS:
        model = LabelShiftClassifier(method=method, random_state=0)
        with pytest.warns(DomainWarning, match=r"no rows of the classes \[2\]"):
            model.fit(X, y, sample_domain=d)
        assert model.target_priors_[2] < 1e-3


def test_equal_shares_stay_equal():
    Xs, ys, Xt, _ = make_label_shift([0.7, 0.3], [0.7, 0.3])
    X, y, d = stack_domains(Xs, ys, Xt)
    for method in METHODS:
        model = LabelShiftClassifier(method=method, random_state=0).fit(X, y, sample_domain=d)
        np.testing.assert_allclose(model.target_priors_, model.source_priors_, atol=0.04)


def test_source_rows_are_not_corrected():
    Xs, ys, Xt, _ = make_label_shift([0.5, 0.5], [0.9, 0.1], n=300)
    X, y, d = stack_domains(Xs, ys, Xt)
    model = LabelShiftClassifier().fit(X, y, sample_domain=d)
    proba = model.predict_proba(X, sample_domain=d)
    plain = model.estimator_.predict_proba(X)
    np.testing.assert_array_equal(proba[d >= 0], plain[d >= 0])
    assert (proba[d < 0, 0] > plain[d < 0, 0]).all()
    assert model.score(X, y, sample_domain=d) == model.estimator_.score(Xs, ys)


def test_strength_goes_from_the_source_shares_to_the_estimated_ones():
    Xs, ys, Xt, _ = make_label_shift([0.5, 0.5], [0.9, 0.1], n=500)
    X, y, d = stack_domains(Xs, ys, Xt)
    none, half, full = (
        LabelShiftClassifier(strength=s, random_state=0).fit(X, y, sample_domain=d).target_priors_
        for s in (0.0, 0.5, 1.0)
    )
    np.testing.assert_allclose(half, (none + full) / 2, rtol=1e-12)


def test_large_reg_keeps_the_source_shares():
    Xs, ys, Xt, _ = make_label_shift([0.5, 0.5], [0.9, 0.1], n=200)
    X, y, d = stack_domains(Xs, ys, Xt)
    model = LabelShiftClassifier(method="rlls", reg=100.0, check_fit=False).fit(
        X, y, sample_domain=d
    )
    np.testing.assert_allclose(model.target_priors_, model.source_priors_, rtol=1e-12)


def test_rows_pass_untouched_to_the_classifier():
    pd = pytest.importorskip("pandas")
    from sklearn.ensemble import HistGradientBoostingClassifier

    Xs, ys, Xt, _ = make_label_shift([0.5, 0.5], [0.8, 0.2], n=400)
    X, y, d = stack_domains(Xs, ys, Xt)
    frame = pd.DataFrame(X, columns=["a", "b"])
    frame["kind"] = pd.Categorical(np.where(X[:, 0] > 1, "high", "low"))
    frame.loc[::7, "b"] = np.nan
    inner = HistGradientBoostingClassifier(max_iter=20, categorical_features="from_dtype")
    model = LabelShiftClassifier(inner, method="bbse", random_state=0)
    model.fit(frame, y, sample_domain=d)
    assert abs(model.target_priors_[0] - 0.8) < 0.1
    assert model.predict(frame.iloc[:5]).shape == (5,)


def test_tensors_go_in_and_probabilities_come_back_as_tensors():
    torch = pytest.importorskip("torch")
    Xs, ys, Xt, _ = make_label_shift([0.5, 0.5], [0.8, 0.2], n=100)
    X, y, d = stack_domains(Xs, ys, Xt)
    wanted = LabelShiftClassifier(random_state=0).fit(X, y, sample_domain=d).predict_proba(X)
    rows = torch.asarray(X)
    model = LabelShiftClassifier(random_state=0).fit(
        rows, torch.asarray(y), sample_domain=torch.asarray(d)
    )
    found = model.predict_proba(rows)
    assert isinstance(found, torch.Tensor)
    np.testing.assert_allclose(found.numpy(), wanted)


# Bad input


@pytest.fixture
def stacked():
    Xs, ys, Xt, _ = make_label_shift([0.5, 0.5], [0.8, 0.2], n=60)
    return stack_domains(Xs, ys, Xt)


def test_classifier_without_probabilities_is_refused_with_a_hint(stacked):
    X, y, d = stacked
    for method in METHODS:
        with pytest.raises(ValueError, match="CalibratedClassifierCV") as error:
            LabelShiftClassifier(LinearSVC(), method=method).fit(X, y, sample_domain=d)
        assert "predict_proba" in str(error.value)
    calibrated = LabelShiftClassifier(CalibratedClassifierCV(LinearSVC()))
    assert calibrated.fit(X, y, sample_domain=d).predict_proba(X).shape == (120, 2)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"method": "magic"}, "method must be one of"),
        ({"strength": 1.5}, "strength must be a number in .0, 1.; got 1.5"),
        ({"strength": "all"}, "strength must be a number"),
        ({"reg": -1.0}, "reg must be a non-negative number"),
        ({"tol": -1.0}, "tol must be a non-negative number"),
        ({"cv": 1}, "cv must be an integer of at least 2"),
        ({"max_iter": 0}, "max_iter must be an integer of at least 1"),
    ],
)
def test_wrong_parameters_are_named(stacked, params, words):
    X, y, d = stacked
    with pytest.raises(ValueError, match=words):
        LabelShiftClassifier(**params).fit(X, y, sample_domain=d)


def test_a_class_that_is_never_predicted_is_reported(stacked):
    X, y, d = stacked
    blind = DecisionTreeClassifier(min_samples_leaf=60)
    model = LabelShiftClassifier(blind, method="bbse", check_fit=False, random_state=0)
    with pytest.warns(DomainWarning, match="singular"):
        model.fit(X, y, sample_domain=d)
    np.testing.assert_allclose(model.target_priors_.sum(), 1.0)


def test_em_that_runs_out_of_steps_says_so(stacked):
    X, y, d = stacked
    with pytest.warns(UserWarning, match="max_iter=1"):
        LabelShiftClassifier(max_iter=1).fit(X, y, sample_domain=d)


@pytest.mark.filterwarnings("ignore:The confusion matrix:skda.DomainWarning")
@pytest.mark.filterwarnings("ignore:By method=:skda.DomainWarning")
@pytest.mark.parametrize("method", METHODS)
def test_rare_classes_and_duplicated_rows_are_fine(method):
    rng = np.random.default_rng(0)
    Xs = np.repeat(rng.normal(size=(10, 2)), 4, axis=0)
    ys = np.r_[np.zeros(19), np.ones(20), 2].astype(int)  # one row of the last class
    X, y, d = stack_domains(Xs, ys, Xs[::2])
    model = LabelShiftClassifier(RandomForestClassifier(10, random_state=0), method=method)
    model.set_params(random_state=0, tol=1e-3)
    model.fit(X, y, sample_domain=d)
    assert np.isfinite(model.predict_proba(X)).all()
    assert model.target_priors_.sum() == pytest.approx(1.0)


def test_sample_weight_counts_in_every_share(stacked):
    X, y, d = stacked
    weights = np.random.default_rng(0).integers(1, 4, size=len(y))
    rows = np.repeat(np.arange(len(y)), weights)
    model = LabelShiftClassifier(calibration=None)  # whose folds would be others
    weighted = clone(model).fit(X, y, weights, sample_domain=d)
    repeated = clone(model).fit(X[rows], y[rows], sample_domain=d[rows])
    np.testing.assert_allclose(weighted.source_priors_, repeated.source_priors_)
    np.testing.assert_allclose(weighted.target_priors_, repeated.target_priors_, atol=1e-3)
    with pytest.raises(ValueError, match="all target rows"):
        LabelShiftClassifier().fit(X, y, np.where(d < 0, 0, 1), sample_domain=d)
    with pytest.raises(ValueError, match="source rows of a class"):
        LabelShiftClassifier().fit(X, y, np.where(y == 1, 0, 1), sample_domain=d)


@pytest.mark.filterwarnings("ignore:By method=:skda.DomainWarning")
def test_splits_of_the_users_own_measure_the_confusion(stacked):
    X, y, d = stacked
    splits = [(np.arange(30), np.arange(30, 60))]  # of the source rows
    model = LabelShiftClassifier(method="bbse", cv=splits).fit(X, y, sample_domain=d)
    codes = y.astype(float)[:60].astype(int)  # floats beside NaN
    inner = LogisticRegression(max_iter=1000).fit(X[:30], codes[:30])
    wanted = joint_confusion(inner.predict(X[30:60]), codes[30:60], np.ones(30), 2)
    np.testing.assert_allclose(model.confusion_, wanted)


def test_class_weights_of_the_classifier_are_accounted_for():
    found = {"assumed": [], "counted": []}
    for seed in range(3):
        Xs, ys, Xt, yt = make_label_shift([0.6, 0.3, 0.1], [0.1, 0.3, 0.6], seed=seed)
        X, y, d = stack_domains(Xs, ys, Xt)
        balanced = LogisticRegression(class_weight="balanced")
        model = LabelShiftClassifier(balanced).fit(X, y, sample_domain=d)
        true = np.bincount(yt) / len(yt)
        proba = model.estimator_.predict_proba(Xt)
        counted, _ = em_priors(proba, model.source_priors_)
        wanted = corrected_proba(proba, counted / model.source_priors_).argmax(axis=1)
        assert model.score(Xt, yt) > (wanted == yt).mean()
        found["assumed"].append(np.abs(model.target_priors_ - true).sum())
        found["counted"].append(np.abs(counted - true).sum())
    assert np.mean(found["assumed"]) < 0.7 * np.mean(found["counted"])


def test_a_calibrated_classifier_assumes_the_proportions_of_the_source():
    Xs, ys, Xt, _ = make_label_shift([0.6, 0.3, 0.1], [0.1, 0.3, 0.6])
    X, y, d = stack_domains(Xs, ys, Xt)
    model = LabelShiftClassifier().fit(X, y, sample_domain=d)
    np.testing.assert_allclose(model.classifier_priors_, model.source_priors_, atol=1e-3)
    ratio = model.target_priors_ / model.classifier_priors_
    np.testing.assert_allclose(model.prior_ratio_, ratio, rtol=1e-12)


def test_an_estimate_that_does_not_explain_the_target_is_not_used():
    rng = np.random.default_rng(0)
    y, d = rng.integers(0, 2, 600), np.repeat([1, -2], 300)
    X = rng.normal(size=(600, 1)) + 2.0 * y[:, None]
    X[d < 0] = 1.5 + 0.2 * (X[d < 0] - 1.0)  # features have shifted, the proportions have not
    with pytest.warns(DomainWarning, match="do not explain the target"):
        model = LabelShiftClassifier(random_state=0).fit(X, y, sample_domain=d)
    np.testing.assert_array_equal(model.target_priors_, model.source_priors_)
    np.testing.assert_array_equal(model.predict(X), model.estimator_.predict(X))
    assert model.fit_gap_ > model.fit_limit_
    with pytest.warns(DomainWarning, match="has no rows of the classes"):
        used = LabelShiftClassifier(check_fit=False).fit(X, y, sample_domain=d)
    assert abs(used.target_priors_ - used.source_priors_).max() > 0.2, "it was far off"


def test_the_distance_of_weighted_samples_is_scipy_s():
    from scipy.stats import ks_2samp

    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 6, 40).astype(float), rng.integers(1, 9, 55).astype(float)
    counts = rng.integers(1, 4, 40)
    wanted = ks_2samp(np.repeat(x, counts), y).statistic
    assert weighted_ks(x, y, counts, np.ones(55)) == pytest.approx(wanted)
    assert ks_limit(np.ones(100), np.ones(100)) == pytest.approx(1.358 * np.sqrt(0.02))


def test_calibration_is_of_largest_likelihood():
    rng = np.random.default_rng(0)
    codes = rng.integers(3, size=300)
    truth = softmax(2.0 * np.eye(3)[codes] + rng.normal(size=(300, 3)), axis=1)
    weights = rng.random(300)
    beta, bias = fit_scaling(truth, codes, weights, with_bias=True)
    proba = scaled_proba(truth, beta, bias)
    # First-order conditions: the mean probability of each class is its proportion, but for the
    # small penalty, and the mean logarithm is that of the true classes.
    wanted = np.bincount(codes, weights) / weights.sum()
    np.testing.assert_allclose(np.average(proba, axis=0, weights=weights), wanted, atol=1e-4)
    logs = np.log(truth)
    found = np.average((proba * logs).sum(axis=1), weights=weights)
    assert found == pytest.approx(
        np.average(logs[np.arange(300), codes], weights=weights), abs=1e-4
    )
    beta, bias = fit_scaling(truth, codes, weights, with_bias=False)
    assert not bias.any() and 0 < beta < 10


@pytest.mark.parametrize("method", ["em", "bbse", "rlls"])
def test_intervals_hold_the_priors(method):
    Xs, ys, Xt, yt = make_label_shift([0.5, 0.5], [0.8, 0.2], n=300)
    X, y, d = stack_domains(Xs, ys, Xt)
    model = LabelShiftClassifier(method=method, random_state=0).fit(X, y, sample_domain=d)
    low, high = model.prior_interval(0.9, n_bootstrap=60, random_state=0)[1]
    assert low < model.target_priors_[1] < high < 0.5
    assert low < (yt == 1).mean() < high
    wider = model.prior_interval(0.99, n_bootstrap=60, random_state=0)[1]
    assert wider[0] <= low and high <= wider[1]


@pytest.mark.filterwarnings("ignore:.*fitted without sample_domain:skda.DomainWarning")
def test_intervals_need_a_target_and_a_level(stacked):
    X, y, d = stacked
    with pytest.raises(ValueError, match="sample_domain"):
        LabelShiftClassifier().fit(X[d >= 0], y[d >= 0]).prior_interval()
    model = LabelShiftClassifier().fit(X, y, sample_domain=d)
    with pytest.raises(ValueError, match="level"):
        model.prior_interval(1.0)
    with pytest.raises(ValueError, match="n_bootstrap"):
        model.prior_interval(n_bootstrap=1)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["em", "bbse"])
def test_intervals_hold_the_priors_as_often_as_they_say(method):
    held = []
    for seed in range(100):
        Xs, ys, Xt, _ = make_label_shift([0.5, 0.5], [0.8, 0.2], n=300, seed=seed)
        X, y, d = stack_domains(Xs, ys, Xt)
        model = LabelShiftClassifier(method=method, random_state=0).fit(X, y, sample_domain=d)
        low, high = model.prior_interval(0.9, n_bootstrap=100, random_state=0)[1]
        held.append(low <= 0.2 <= high)
    # Two standard errors of 100 draws, and the little that the classifier itself varies.
    assert np.mean(held) > 0.82


@pytest.mark.slow
def test_pure_label_shift_is_hardly_ever_refused():
    refused = 0
    for seed in range(100):
        target = np.random.default_rng(seed).dirichlet(np.ones(3))
        Xs, ys, Xt, _ = make_label_shift([0.3, 0.3, 0.4], target, n=200, seed=seed)
        X, y, d = stack_domains(Xs, ys, Xt)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            LabelShiftClassifier(random_state=0).fit(X, y, sample_domain=d)
        refused += any("do not explain" in str(warning.message) for warning in caught)
    assert refused <= 5
