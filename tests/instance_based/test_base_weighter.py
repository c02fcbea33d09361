"""What all weighters share: scales, and warnings where the domains do not overlap."""

import numpy as np
import pytest

from skda import (
    DomainClassifierWeighter,
    DomainWarning,
    GaussianWeighter,
    KernelDensityWeighter,
    KLIEPWeighter,
    KMMWeighter,
    NearestNeighborsWeighter,
    RuLSIFWeighter,
    ULSIFWeighter,
)
from skda.instance_based._base_weighter import domains_apart, scale_weights

EVERY = [
    KMMWeighter(),
    KLIEPWeighter(random_state=0),
    KLIEPWeighter(gamma="median"),
    ULSIFWeighter(random_state=0),
    ULSIFWeighter(gamma="median", reg=0.1),
    RuLSIFWeighter(random_state=0),
    DomainClassifierWeighter(random_state=0),
    GaussianWeighter(),
    KernelDensityWeighter(),
    NearestNeighborsWeighter(),
]


@pytest.mark.parametrize("distance", [7.0, 100.0, 1e4])
@pytest.mark.parametrize("weighter", EVERY, ids=repr)
def test_every_weighter_tells_that_the_domains_do_not_overlap(weighter, distance):
    rng = np.random.default_rng(0)
    X, d = rng.normal(size=(160, 2)), np.repeat([1, -2], 80)
    X[d < 0, 0] += distance
    with pytest.warns(DomainWarning, match="effective sample size") as told:
        weighter.fit(X, sample_domain=d)
    assert len(told) == 1
    assert np.isfinite(weighter.weights_).all()


@pytest.mark.parametrize("n_features", [1, 20, 2000])
def test_domains_come_apart_by_their_distance_not_by_their_number_of_features(xp, n_features):
    rng = np.random.default_rng(1)
    S, T = rng.normal(size=(2, 40, n_features))
    T = T * np.linspace(1, 1e3, n_features)  # units
    S = S * np.linspace(1, 1e3, n_features)
    assert not domains_apart(xp.asarray(S), xp.asarray(T))
    assert not domains_apart(xp.asarray(S), xp.asarray(S))
    assert domains_apart(xp.asarray(S), xp.asarray(T + np.eye(1, n_features) * 20.0))
    constant = np.zeros((40, n_features))
    assert domains_apart(xp.asarray(constant), xp.asarray(constant + 1.0))
    for value in (0.0, 0.1, 1e6 + 0.1):  # whose mean may round
        rows = xp.asarray(constant + value)
        assert not domains_apart(rows[:13, :], rows)


def test_a_target_that_is_one_repeated_row_draws_the_density_weights_to_it():
    rng = np.random.default_rng(0)
    S = rng.normal(size=(200, 3))
    X, d = np.vstack([S, np.tile(S[:1], (30, 1))]), np.repeat([1, -2], [200, 30])
    for scale in (1.0, 1e-9, 1e9):
        weights = KernelDensityWeighter().fit(X * scale, sample_domain=d).weights_
        near = np.linalg.norm(S - S[0], axis=1) < 1
        assert weights[near].mean() > 3 * weights[~near].mean()


def test_log_importances_may_all_be_minute():
    weights, _ = scale_weights(np.array([-3e32, -1e32, -1e32]), logs=True)
    np.testing.assert_array_equal(weights, [0.0, 1.5, 1.5])
