"""Weights for estimators that take none: rows repeated as often as their weights say."""

import pickle

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from skda import DomainWarning, GaussianWeighter, ImportanceWeightedEstimator
from skda.instance_based._importance_weighted import systematic_resample


def parabola(seed=0, n=400):
    """A line fits only a part of the curve; the target is where it is steep."""
    rng = np.random.default_rng(seed)
    x = np.r_[rng.normal(size=n), rng.normal(1.5, 0.3, size=n)]
    return x[:, None], x**2 + 0.05 * rng.normal(size=2 * n), np.repeat([1, -2], n)


def test_each_row_comes_as_often_as_its_weight_rounded():
    rng = np.random.default_rng(0)
    weights = rng.exponential(size=50) * (rng.random(50) > 0.2)
    for n_samples in (1, 37, 50, 1000):
        expected = n_samples * weights / weights.sum()
        for seed in range(20):
            rows = systematic_resample(weights, n_samples, np.random.RandomState(seed))
            counts = np.bincount(rows, minlength=50)
            assert counts.sum() == n_samples
            assert (np.abs(counts - expected) < 1).all()
            assert (counts[weights == 0] == 0).all()


def test_on_average_each_row_comes_exactly_as_often():
    weights, total = np.array([0.2, 1.0, 0.0, 2.5, 0.3]), np.zeros(5)
    for seed in range(4000):
        rows = systematic_resample(weights, 6, np.random.RandomState(seed))
        total += np.bincount(rows, minlength=5)
    np.testing.assert_allclose(total / 4000, 6 * weights / weights.sum(), atol=0.03)


def test_equal_weights_change_nothing():
    X, y, d = parabola()
    plain = KNeighborsRegressor().fit(X[d > 0], y[d > 0])
    model = ImportanceWeightedEstimator(KNeighborsRegressor(), resample=True)
    model.fit(X, y, sample_domain=d)
    np.testing.assert_allclose(model.predict(X), plain.predict(X))


def test_many_rows_come_to_the_weighted_fit():
    X, y, d = parabola()
    weighter = GaussianWeighter()
    wanted = ImportanceWeightedEstimator(LinearRegression(), weighter).fit(X, y, sample_domain=d)
    model = ImportanceWeightedEstimator(
        LinearRegression(), weighter, resample=True, n_samples=200_000, random_state=0
    ).fit(X, y, sample_domain=d)
    np.testing.assert_allclose(model.coef_, wanted.coef_, rtol=1e-2)
    assert model.n_features_in_ == 1


def test_an_estimator_without_weights_gains():
    X, y, d = parabola()

    class Line(LinearRegression):
        def fit(self, X, y):
            return super().fit(X, y)

    plain = Line().fit(X[d > 0], y[d > 0])
    model = ImportanceWeightedEstimator(Line(), GaussianWeighter(), resample=True, random_state=0)
    model.fit(X, y, sample_domain=d)
    assert model.score(X[d < 0], y[d < 0]) > plain.score(X[d < 0], y[d < 0]) + 0.5
    with pytest.raises(ValueError, match="resample=True"):
        ImportanceWeightedEstimator(Line(), GaussianWeighter()).fit(X, y, sample_domain=d)


def test_target_rows_get_their_share_of_the_rows():
    X, y, d = parabola(n=100)
    labels = np.where(y > 1, "high", "low").astype(object)
    labels[np.flatnonzero(d < 0)[10:]] = None

    class Counting(KNeighborsClassifier):
        def fit(self, X, y):
            self.n_target_ = np.isin(X[:, 0], target).sum()
            self.n_ = len(X)
            return super().fit(X, y)

    target = X[d < 0, 0]
    model = ImportanceWeightedEstimator(
        Counting(), use_target_labels=True, target_share=0.5, resample=True, n_samples=300
    ).fit(X, labels, sample_domain=d)
    assert model.n_ == 300
    assert abs(model.n_target_ - 150) <= 10
    assert set(model.predict(X)) <= {"high", "low"}


def test_a_seed_gives_the_same_model_and_it_pickles():
    X, y, d = parabola()
    model = ImportanceWeightedEstimator(
        KNeighborsRegressor(), GaussianWeighter(), resample=True, random_state=3
    )
    found = model.fit(X, y, sample_domain=d).predict(X)
    np.testing.assert_array_equal(model.fit(X, y, sample_domain=d).predict(X), found)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), found)


@pytest.mark.filterwarnings("ignore:.*without sample_domain:skda.DomainWarning")
def test_the_weights_of_the_user_are_resampled_too():
    X, y, d = parabola()
    keep = (X[:, 0] > 0).astype(float)
    plain = KNeighborsRegressor(1).fit(X[keep > 0], y[keep > 0])
    model = ImportanceWeightedEstimator(
        KNeighborsRegressor(1), resample=True, n_samples=5000, random_state=0
    )
    np.testing.assert_allclose(model.fit(X, y, keep).predict(X), plain.predict(X))
    on_source = keep * (d > 0) > 0
    plain = KNeighborsRegressor(1).fit(X[on_source], y[on_source])
    found = model.fit(X, y, keep, sample_domain=d).predict(X)
    np.testing.assert_allclose(found, plain.predict(X))


def test_bad_parameters_are_named():
    X, y, d = parabola()
    for name, value in (("resample", "yes"), ("n_samples", 0), ("n_samples", 2.5)):
        model = ImportanceWeightedEstimator(Ridge(), **{name: value})
        with pytest.raises(ValueError, match=name):
            model.fit(X, y, sample_domain=d)
    model = ImportanceWeightedEstimator(LogisticRegression(), resample=True)
    with pytest.raises(ValueError, match="positive weight"):
        model.fit(X, (y > 1).astype(int), np.zeros(len(X)), sample_domain=d)
    with pytest.warns(DomainWarning, match="without sample_domain"):
        model.fit(X, (y > 1).astype(int))
