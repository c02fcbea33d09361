"""Class priors of a target that comes in batches."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from skda import DomainWarning, LabelShiftClassifier
from skda._numerics._em_priors import corrected_proba, em_priors

OPTIONS = {"calibration": None, "check_fit": False, "random_state": 0}


def rows(proportion, n, seed):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < proportion).astype(int)
    return rng.normal(size=(n, 2)) + 2.0 * y[:, None], y


@pytest.fixture(scope="module")
def source_and_target():
    (X, y), (X_target, _) = rows(0.5, 300, 0), rows(0.2, 200, 1)
    d = np.repeat([1, -2], [300, 200])
    return np.concatenate([X, X_target]), np.concatenate([y, np.zeros(200)]), d


def fitted(source_and_target, rows_of_target=200, **options):
    X, y, d = (part[: 300 + rows_of_target] for part in source_and_target)
    return LabelShiftClassifier(**(OPTIONS | options)).fit(X, y, sample_domain=d)


@pytest.mark.parametrize("method", ["bbse", "rlls"])
def test_averaged_proportions_are_those_of_all_rows(method, source_and_target):
    once = fitted(source_and_target, method=method)
    X, _, d = source_and_target
    for seed in range(3):
        stream = fitted(source_and_target, 40, method=method)
        cuts = np.unique(np.random.default_rng(seed).integers(341, 500, 4))
        for part in np.split(np.arange(340, 500), cuts - 340):
            stream.partial_fit(X[part], sample_domain=d[part])
        np.testing.assert_allclose(stream.target_priors_, once.target_priors_, atol=1e-10)
        np.testing.assert_allclose(stream.predict_proba(X), once.predict_proba(X), atol=1e-10)
        assert stream.target_weight_ == 200


@pytest.mark.parametrize("method", ["em", "bbse"])
def test_forgetting_weighs_batches_as_a_computation_by_hand(method, source_and_target):
    stream = fitted(source_and_target, method=method, forgetting_factor=0.5, strength=0.8)
    weight, kept = stream.target_weight_, stream.target_statistic_
    assumed = stream.classifier_priors_
    for seed in (5, 6):
        X_new, _ = rows(0.7, 60, seed)
        stream.partial_fit(X_new)
        weight *= 0.5
        proba = stream.estimator_.predict_proba(X_new)
        if method == "em":
            priors = kept
            for _ in range(2000):  # the new rows are judged by the priors that they lead to
                mean = corrected_proba(proba, priors / assumed).mean(0)
                priors = (weight * kept + 60 * mean) / (weight + 60)
            kept = priors
        else:
            kept = weight * kept + 60 * np.bincount(proba.argmax(1), minlength=2) / 60.0
            kept = kept / kept.sum()
            priors = np.linalg.solve(stream.confusion_, kept) * stream.source_priors_
            priors = priors / priors.sum()
        weight += 60
        expected = 0.2 * stream.source_priors_ + 0.8 * priors
        np.testing.assert_allclose(stream.target_priors_, expected, atol=1e-5)
        assert stream.target_weight_ == pytest.approx(weight)


def test_online_em_finds_the_priors_and_follows_them(source_and_target):
    def stream(factor):
        model = fitted(source_and_target, 20, forgetting_factor=factor)
        for seed in range(40):
            model.partial_fit(rows(0.2, 25, 10 + seed)[0])
        settled = model.target_priors_[1]
        for seed in range(20):
            model.partial_fit(rows(0.8, 25, 100 + seed)[0])
        return settled, model.target_priors_[1]

    settled, later = stream(1.0)
    assert abs(settled - 0.2) < 0.05 and later < 0.6
    assert abs(stream(0.8)[1] - 0.8) < 0.1


def test_one_batch_after_a_plain_fit_is_the_em_of_its_rows(source_and_target):
    X, y, d = source_and_target
    with pytest.warns(DomainWarning, match="without sample_domain"):
        model = LabelShiftClassifier(calibration=None).fit(X[d > 0], y[d > 0])
    model.partial_fit(X[d < 0])
    np.testing.assert_allclose(
        model.target_priors_, fitted(source_and_target).target_priors_, atol=1e-10
    )
    with pytest.warns(DomainWarning):
        other = LabelShiftClassifier(method="bbse", random_state=0).fit(X[d > 0], y[d > 0])
    other.partial_fit(X[d < 0])
    wanted = fitted(source_and_target, method="bbse").target_priors_
    np.testing.assert_allclose(other.target_priors_, wanted, atol=1e-10)


def test_no_row_counts_twice():
    proba = np.random.default_rng(0).dirichlet([1.0, 2.0], size=50)
    first, _ = em_priors(proba[:30], np.array([0.5, 0.5]))
    both, _ = em_priors(proba[30:], np.array([0.5, 0.5]), past=(30.0, first))
    alone, _ = em_priors(proba[30:], np.array([0.5, 0.5]))
    assert min(first[0], alone[0]) <= both[0] <= max(first[0], alone[0])


def test_new_targets_are_known_afterwards_and_the_first_call_is_fit(source_and_target):
    X, y, d = source_and_target
    model = LabelShiftClassifier(**OPTIONS).partial_fit(X, y, sample_domain=d)
    wanted = fitted(source_and_target).predict_proba(X)
    np.testing.assert_array_equal(model.predict_proba(X), wanted)
    with pytest.raises(ValueError, match=r"not fitted on: \[-7\]"):
        model.predict(X, sample_domain=np.full(len(X), -7))
    model.partial_fit(X[d < 0], sample_domain=np.full(200, -7))
    model.predict(X, sample_domain=np.full(len(X), -7))


def test_what_cannot_be_learnt_from_batches_is_named(source_and_target):
    X, y, d = source_and_target
    model = fitted(source_and_target)
    with pytest.raises(ValueError, match=r"got rows of the sources \[1\]"):
        model.partial_fit(X, sample_domain=d)
    assert model.target_weight_ == 200
    with pytest.raises(ValueError, match="forgetting_factor must be"):
        model.set_params(forgetting_factor=0).partial_fit(X[d < 0])
    away = np.where(d[:, None] < 0, X + 9.0, X)
    with pytest.warns(DomainWarning, match="do not explain"):
        checked = LabelShiftClassifier(LogisticRegression(), random_state=0)
        checked.fit(away * [1, -1], y, sample_domain=d)
    with pytest.raises(ValueError, match="do not explain the target"):
        checked.partial_fit(away[d < 0])


def test_an_unfitted_one_needs_labels():
    X, _ = rows(0.5, 10, 0)
    with pytest.raises(ValueError, match="requires y"):
        LabelShiftClassifier().partial_fit(X, sample_domain=np.repeat([1, -2], 5))
