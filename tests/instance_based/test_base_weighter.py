"""What all weighters share: scales, and warnings where the domains do not overlap."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone

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
from skda.instance_based._base_weighter import clipping_level, domains_apart, scale_weights

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

PLAIN_KDE = KernelDensityWeighter(min_effective_size=None)


@pytest.mark.parametrize("distance", [7.0, 100.0, 1e4])
@pytest.mark.parametrize("weighter", EVERY, ids=repr)
def test_every_weighter_tells_that_the_domains_do_not_overlap(weighter, distance):
    rng = np.random.default_rng(0)
    X, d = rng.normal(size=(160, 2)), np.repeat([1, -2], 80)
    X[d < 0, 0] += distance
    with pytest.warns(DomainWarning, match="effective sample size") as caught:
        weighter.fit(X, sample_domain=d)
    assert len(caught) == 1
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
        weights = PLAIN_KDE.fit(X * scale, sample_domain=d).weights_
        near = np.linalg.norm(S - S[0], axis=1) < 1
        assert weights[near].mean() > 3 * weights[~near].mean()


def test_log_importances_may_all_be_minute():
    weights, _ = scale_weights(np.array([-3e32, -1e32, -1e32]), logs=True)
    np.testing.assert_array_equal(weights, [0.0, 1.5, 1.5])


@pytest.mark.parametrize("clip", [1.0, 1.5, 3.0])
@pytest.mark.parametrize("weighter", EVERY, ids=repr)
def test_no_weight_passes_clip_times_the_mean(weighter, clip):
    rng = np.random.default_rng(0)
    X, d = rng.normal(size=(120, 2)), np.repeat([1, -2], 60)
    X[d < 0] = 0.8 + 0.5 * X[d < 0]
    weighter = clone(weighter).set_params(clip=clip, min_effective_size=None)
    weights = weighter.fit(X, sample_domain=d).weights_
    assert weights.mean() == pytest.approx(1.0)
    assert weights.max() <= clip * (1 + 1e-9)
    if hasattr(weighter, "predict_weights"):
        assert weighter.predict_weights(3.0 * X).max() <= clip * (1 + 1e-9)


@pytest.mark.parametrize("clip", [1.0, 1.2, 2.0, 5.0])
def test_clipping_takes_no_more_than_it_must(clip):
    for seed in range(5):
        values = np.random.default_rng(seed).exponential(size=40) ** 2
        level = np.exp(clipping_level(np.log(values), clip))
        low, high = 0.0, values.max()
        for _ in range(100):  # the largest level at which the largest weight is clip times the mean
            middle = (low + high) / 2
            meets = middle <= clip * np.minimum(values, middle).mean() * (1 + 1e-12)
            low, high = (middle, high) if meets else (low, middle)
        if clip > 1:
            assert min(level, values.max()) == pytest.approx(low, rel=1e-6)
        else:
            assert level == pytest.approx(values.min())


def test_clip_holds_where_most_weights_are_zero():
    weights, scale = scale_weights(np.array([4.0, 1.0, 0.0, 0.0, 0.0, 0.0]), clip=2.0)
    np.testing.assert_allclose(weights, [2.0, 2.0, 0.5, 0.5, 0.5, 0.5])
    np.testing.assert_allclose(scale(np.array([9.0, 0.0])), [2.0, 0.5])


def test_weights_that_rest_on_few_rows_give_way_to_equal_ones():
    raw = np.array([1.0] * 5 + [0.0] * 5)  # effective sample size: a half
    plain, _ = scale_weights(raw)
    for least in (None, 0.0, 0.1, 0.5, 0.7, 0.9, 1.0):
        weights, scale = scale_weights(raw, min_effective_size=least)
        part = scale.learnt_part
        np.testing.assert_allclose(weights, part * plain + 1 - part, atol=1e-12)
        size = weights.sum() ** 2 / (weights**2).sum() / 10
        assert size == pytest.approx(max(0.5, least or 0.0)), "the floor is met, and no more"
    equal, scale = scale_weights(np.ones(7), min_effective_size=0.1)
    assert scale.learnt_part == 1.0 and (equal == 1.0).all()


@pytest.mark.parametrize("weighter", [GaussianWeighter(), PLAIN_KDE], ids=repr)
def test_densities_have_no_unit_and_no_row_is_too_far(weighter):
    rng = np.random.default_rng(0)
    X, d = rng.normal(size=(120, 3)), np.repeat([1, -2], 60)
    X[d < 0] *= 0.8
    wanted = clone(weighter).fit(X, sample_domain=d)
    for scale in (1e-200, 1e80, 1e300):
        found = clone(weighter).fit(X * scale, sample_domain=d)
        np.testing.assert_allclose(found.weights_, wanted.weights_, rtol=1e-6)
    assert np.isfinite(wanted.predict_weights(np.full((2, 3), [[1e300], [-1e300]]))).all()


@pytest.mark.parametrize(
    ("weighter", "params"),
    [
        (KMMWeighter(), {"max_iter": [-1, np.nan, np.inf, None, "bogus"], "reg": [1e300, 10**30]}),
        (NearestNeighborsWeighter(), {"n_neighbors": [0, 1.5, True, "bogus"]}),
        (DomainClassifierWeighter(), {"classifier": ["bogus", PLAIN_KDE], "cv": [1, True, "5"]}),
        (GaussianWeighter(), {"reg": ["bogus", -1, True], "clip": [0.5, "1"], "exponent": [None]}),
        (KernelDensityWeighter(), {"gamma": ["cv", 0], "min_effective_size": [-0.1, 2, "all"]}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_wrong_parameter_is_named(weighter, params):
    X, d = np.random.default_rng(0).normal(size=(30, 2)), np.repeat([1, -2], 15)
    for name, values in params.items():
        for value in values:
            with pytest.raises(ValueError, match=f"{name} must be"):
                clone(weighter).set_params(**{name: value}).fit(X, sample_domain=d)


def test_the_automatic_floor_asks_for_rows_by_the_number_of_features():
    rng = np.random.default_rng(0)
    for n_features, least in ((1, 60), (4, 150), (40, 400)):
        X, d = rng.normal(size=(800, n_features)), np.repeat([1, -2], 400)
        X[d < 0] = 0.3 * X[d < 0] + 2.0
        plain = GaussianWeighter(min_effective_size=None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DomainWarning)  # the domains hardly overlap
            assert plain.fit(X, sample_domain=d).effective_sample_size_ < least
            weighter = GaussianWeighter().fit(X, sample_domain=d)
        assert weighter.effective_sample_size_ == pytest.approx(least)
