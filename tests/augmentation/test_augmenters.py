"""What each augmenter changes, by how much, and what it leaves alone."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone

from skda import (
    BatchEffectAugmenter,
    DomainRandomizationAugmenter,
    DomainWarning,
    FeatureDropoutAugmenter,
    GaussianNoiseAugmenter,
    MixupAugmenter,
    SpectralDistortionAugmenter,
)
from skda.augmentation._domain_randomization import between_domains
from skda.augmentation._mixup import random_pairs
from skda.augmentation._spectral_distortion import shifted

AUGMENTERS = [
    GaussianNoiseAugmenter(),
    FeatureDropoutAugmenter(),
    FeatureDropoutAugmenter(fill="marginal"),
    FeatureDropoutAugmenter(fill=0),
    MixupAugmenter(),
    DomainRandomizationAugmenter(gain=(0.5, 2.0), offset=(-1, 1)),
    DomainRandomizationAugmenter(n_domains=3, center="zero"),
    BatchEffectAugmenter(),
    SpectralDistortionAugmenter(),
]
STILL = [
    GaussianNoiseAugmenter(0.0),
    FeatureDropoutAugmenter(0.0),
    FeatureDropoutAugmenter(0, fill="marginal"),
    MixupAugmenter(0),
    DomainRandomizationAugmenter(0.0, gain=(0.5, 2.0), offset=(-1, 1)),
    DomainRandomizationAugmenter(0.0),
    DomainRandomizationAugmenter(gain=None, offset=None),
    BatchEffectAugmenter(0.0, multiplicative=0.0),
    SpectralDistortionAugmenter(0, scatter=0, shift=0),
]


def table(seed=0, n=120, d=4, n_domains=3):
    """Rows of some domains with different means and spreads, one of them a target."""
    rng = np.random.default_rng(seed)
    ids = rng.permutation(np.resize([*range(1, n_domains), -n_domains], n))
    scale = 1.0 + 0.2 * np.abs(ids)[:, None]
    return scale * rng.normal(size=(n, d)) + np.abs(ids)[:, None], ids


def changed(augmenter, X, ids, seed=0):
    """Return the copies that a fresh fit makes, without what comes beside them."""
    new = clone(augmenter).fit(X, sample_domain=ids)
    new = new.augment(X, sample_domain=ids, random_state=seed)
    return new[0] if isinstance(new, tuple) else new


@pytest.mark.parametrize("augmenter", AUGMENTERS, ids=repr)
def test_missing_values_stay_missing_and_no_others_come(augmenter):
    X, ids = table()
    X[::7, 1], X[:, 2] = np.nan, np.nan  # one column without any value
    new = changed(augmenter, X, ids)
    np.testing.assert_array_equal(np.isnan(new), np.isnan(X))
    assert (new != X)[~np.isnan(X)].any()


@pytest.mark.parametrize("augmenter", AUGMENTERS, ids=repr)
def test_the_same_seed_gives_the_same_copies_on_every_backend(augmenter, xp):
    X, ids = table()
    wanted = changed(augmenter, X, ids)
    np.testing.assert_array_equal(changed(augmenter, X, ids), wanted)
    assert (changed(augmenter, X, ids, seed=1) != wanted).any()
    found = changed(augmenter, xp.asarray(X), ids)
    assert found.dtype == xp.asarray(X).dtype
    np.testing.assert_allclose(xp.to_numpy(found), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("augmenter", STILL, ids=repr)
def test_without_strength_rows_stay_as_they_are(augmenter):
    X, ids = table()
    np.testing.assert_allclose(changed(augmenter, X, ids), X, rtol=1e-12)


@pytest.mark.parametrize("augmenter", AUGMENTERS, ids=repr)
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_text_categories_and_bools_of_a_frame_are_left_alone(augmenter, library):
    X, ids = table()
    data = {
        "a": X[:, 0],
        "sex": np.where(X[:, 1] > 0, "f", "m"),
        "count": np.rint(10 * X[:, 2]).astype(int),
        "smokes": X[:, 3] > 0,
    }
    if library == "pandas":
        frame = pd.DataFrame(data, index=np.arange(len(X)) + 5)
        frame["site"] = pd.Categorical(np.abs(ids))
        frame.loc[7, "a"] = np.nan
    else:
        frame = pl.DataFrame(data).with_columns(site=pl.Series(np.abs(ids).astype(str)))
    kept = frame.clone() if library == "polars" else frame.copy()
    new = changed(augmenter, frame, ids)
    assert kept.equals(frame)
    for name in ("sex", "smokes", "site"):
        assert new[name].equals(frame[name])
    assert list(new.columns) == list(frame.columns)
    assert any(not new[name].equals(frame[name]) for name in ("a", "count"))
    if library == "pandas":
        assert new.index.equals(frame.index)
        assert np.isnan(new.loc[7, "a"])


@pytest.mark.parametrize("augmenter", AUGMENTERS, ids=repr)
def test_only_the_chosen_columns_change(augmenter):
    X, ids = table(d=5)
    frame = pd.DataFrame(X, columns=list("abcde"))
    by_name = changed(clone(augmenter).set_params(columns=["e", "b"]), frame, ids)
    by_place = changed(clone(augmenter).set_params(columns=[1, -1]), X, ids)
    np.testing.assert_array_equal(by_name.to_numpy(), by_place)
    np.testing.assert_array_equal(by_place[:, [0, 2, 3]], X[:, [0, 2, 3]])
    assert (by_place[:, [1, 4]] != X[:, [1, 4]]).any(axis=0).all()


def test_columns_must_be_columns_of_numbers():
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})
    with pytest.raises(ValueError, match=r"columns must be columns of numbers.*\[1\]"):
        GaussianNoiseAugmenter(columns=["b"]).fit(frame, sample_domain=[1, -2])
    with pytest.raises(ValueError, match="column of numbers"):
        GaussianNoiseAugmenter().fit(frame[["b"]], sample_domain=[1, -2])
    with pytest.raises(ValueError, match="columns must be columns of X"):
        GaussianNoiseAugmenter(columns=["c"]).fit(frame, sample_domain=[1, -2])


@pytest.mark.parametrize(
    ("augmenter", "bad"),
    [
        (GaussianNoiseAugmenter(), {"strength": [-0.1, "much", np.nan]}),
        (FeatureDropoutAugmenter(), {"rate": [-0.1, 1.1], "fill": ["zero", np.inf, None]}),
        (MixupAugmenter(), {"alpha": [-1.0, None], "partners": ["none", 3]}),
        (
            DomainRandomizationAugmenter(),
            {
                "strength": [-1],
                "gain": ["wide", (2.0, 0.5), (-1.0, 1.0), (1.0,), 0.5],
                "offset": [(1.0, -1.0), 1.0, "wide"],
                "center": ["median"],
                "n_domains": [0, 1.5],
            },
        ),
        (
            BatchEffectAugmenter(),
            {"additive": [-1.0], "multiplicative": [-1.0, None], "n_batches": [0]},
        ),
        (
            SpectralDistortionAugmenter(),
            {"baseline": [-1.0], "degree": [-1, 0.5], "scatter": [-1.0], "shift": [None]},
        ),
    ],
    ids=lambda part: type(part).__name__,
)
def test_bad_parameters_are_named(augmenter, bad):
    X, ids = table()
    for name, values in bad.items():
        for value in values:
            with pytest.raises(ValueError, match=name):
                clone(augmenter).set_params(**{name: value}).fit(X, sample_domain=ids)


def test_rows_of_another_width_are_refused(xp):
    X, ids = table()
    augmenter = GaussianNoiseAugmenter().fit(X, sample_domain=ids)
    with pytest.raises(ValueError, match="features"):
        augmenter.augment(xp.asarray(X[:, :2]))


# Simulated moments


def test_noise_has_the_stated_deviation_within_sources():
    X, ids = table(n=6000)
    within = np.sqrt(np.mean([X[ids == i].var(axis=0) for i in (1, 2)], axis=0))
    noise = changed(GaussianNoiseAugmenter(0.5), X, ids) - X
    np.testing.assert_allclose(noise.std(axis=0), 0.5 * within, rtol=0.05)
    np.testing.assert_allclose(noise.mean(axis=0), 0, atol=0.05)


def test_dropout_replaces_at_its_rate_by_the_mean_or_keeps_the_marginal():
    X, ids = table(n=6000)
    source = X[ids > 0]
    new = changed(FeatureDropoutAugmenter(0.3), X, ids)
    replaced = new != X
    np.testing.assert_allclose(replaced.mean(axis=0), 0.3, atol=0.03)
    means = np.broadcast_to(source.mean(axis=0), X.shape)
    np.testing.assert_allclose(new[replaced], means[replaced])
    new = changed(FeatureDropoutAugmenter(1.0, fill="marginal"), X, ids)
    np.testing.assert_allclose(new.std(axis=0), source.std(axis=0), rtol=0.05)
    # Each value comes from a row of its own: nothing is left of what columns have in common.
    assert np.abs(np.corrcoef(new.T) - np.eye(4)).max() < 0.06
    assert np.isnan(changed(FeatureDropoutAugmenter(1.0, fill=np.nan), X, ids)).all()


def test_pairs_are_mutual_and_of_the_domains_asked_for():
    ids = np.repeat([1, 2, 5], [20, 11, 6])
    for partners in ("any", "within", "across"):
        partner = random_pairs(ids, partners, np.random.RandomState(0))
        np.testing.assert_array_equal(partner[partner], np.arange(37))
        paired = partner != np.arange(37)
        if partners == "within":
            assert (ids == ids[partner]).all()
            assert paired.sum() == 36  # one of the eleven is left over
        elif partners == "across":
            assert (ids != ids[partner])[paired].all()
            assert paired.sum() == 34  # the largest domain has three rows more than all others
        else:
            assert paired.sum() == 36


def test_mixed_rows_keep_the_sum_and_have_the_expectation_of_mixup():
    X, ids = table(n=4000)
    augmenter = MixupAugmenter(0.7).fit(X, sample_domain=ids)
    new, partner, weight = augmenter.augment(X, sample_domain=ids, random_state=0)
    np.testing.assert_allclose(new, weight[:, None] * X + (1 - weight)[:, None] * X[partner])
    np.testing.assert_array_equal(weight, weight[partner])
    np.testing.assert_allclose(new.sum(axis=0), X.sum(axis=0))
    # Beta(a, a) has mean 1/2 and variance 1 / (4 (2a + 1)), so the variance of a mixture of two
    # independent rows is var(X) * E[w² + (1 - w)²] = var(X) * (1/2 + 1 / (2 (2a + 1))).
    ratio = new.var(axis=0) / X.var(axis=0)
    np.testing.assert_allclose(ratio, 0.5 + 0.5 / (2 * 0.7 + 1), atol=0.04)


def test_variation_between_domains_is_that_of_the_means_and_not_of_the_samples():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(40):
        ids = np.repeat(np.arange(12), 10)
        shift = np.outer(rng.normal(size=12), [2.0, 0.0])[ids]
        scale = np.exp(np.outer(rng.normal(size=12), [0.0, 0.5]))[ids]
        found.append(between_domains(shift + scale * rng.normal(size=(120, 2)), ids))
    of_means, of_logs = (
        np.sqrt(np.mean(np.square(part), axis=0)) for part in zip(*found, strict=True)
    )
    assert of_means[0] == pytest.approx(2.0, rel=0.15)
    assert of_logs[1] == pytest.approx(0.5, rel=0.15)
    assert of_means[1] < 0.25
    assert of_logs[0] < 0.15


def test_randomized_rows_have_the_gains_and_offsets_of_the_domains():
    X, ids = table(n=9000)
    augmenter = DomainRandomizationAugmenter(0.5).fit(X, sample_domain=ids)
    means = np.array([X[ids == i].mean(axis=0) for i in (1, 2, -3)])
    np.testing.assert_allclose(augmenter.offset_deviation_, means.std(axis=0, ddof=1), rtol=0.01)
    change = augmenter.augment(X, sample_domain=ids, random_state=0) - X
    at_mean = np.abs(X - X[ids == 1].mean(axis=0)) < 0.05
    some = at_mean & (ids == 1)[:, None]
    for j in range(4):
        assert change[some[:, j], j].std() == pytest.approx(
            0.5 * augmenter.offset_deviation_[j], rel=0.2
        )


def test_given_ranges_are_kept_and_zero_is_the_center_of_an_amplification():
    X, ids = table()
    augmenter = DomainRandomizationAugmenter(gain=(0.5, 2.0), offset=None, center="zero")
    gain = changed(augmenter, X, ids) / X
    assert 0.5 <= gain.min() < 0.6 and 1.9 < gain.max() <= 2.0
    spread = np.sqrt(np.mean([X[ids == i].var(axis=0) for i in (1, 2)], axis=0))
    offset = (changed(DomainRandomizationAugmenter(gain=None, offset=(1, 2)), X, ids) - X) / spread
    assert 1.0 - 1e-9 <= offset.min() < 1.1 and 1.9 < offset.max() <= 2.0 + 1e-9


def test_rows_of_a_simulated_domain_have_one_change():
    X, ids = table()
    augmenter = DomainRandomizationAugmenter(n_domains=2, gain=None, offset=(-1, 1))
    assert len(np.unique((changed(augmenter, X, ids) - X).round(9), axis=0)) == 2


def test_one_domain_has_no_variation_and_a_warning_says_so():
    X, _ = table()
    with pytest.warns(DomainWarning, match="found one domain only"):
        augmenter = DomainRandomizationAugmenter().fit(X, sample_domain=np.ones(len(X)))
    np.testing.assert_array_equal(augmenter.augment(X), X)


def test_batch_effects_have_the_moments_of_combats_priors():
    rng = np.random.default_rng(0)
    X, ids = rng.normal(size=(4000, 50)) * 3.0 + 7.0, np.ones(4000)
    augmenter = BatchEffectAugmenter(0.5, multiplicative=0.4, n_batches=20)
    new = changed(augmenter, X, ids)
    # The same batches, out of the differences of rows: x' = scale x + rest.
    labels = np.unique((new[:, 0] - X[:, 0]).round(12), return_inverse=True)[1]
    assert len(set(labels)) == 4000  # scales differ from row to row through x
    augmenter = augmenter.fit(X, sample_domain=ids)
    at_mean = np.tile(X.mean(axis=0), (4000, 1))
    at_one = at_mean + X.std(axis=0)
    effects = augmenter.augment(at_mean, random_state=3) - at_mean
    scales = augmenter.augment(at_one, random_state=3) - at_mean - effects
    effects, scales = (np.unique(part / X.std(axis=0), axis=0) for part in (effects, scales))
    assert len(effects) == 20
    assert effects.std() == pytest.approx(0.5, rel=0.1)
    assert (scales**2).mean() == pytest.approx(1.0, rel=0.1)
    assert (scales**2).std() == pytest.approx(0.4, rel=0.25)


def test_a_shift_moves_a_line_by_its_slope_and_stops_at_the_ends(xp):
    line = np.arange(10.0)[None, :].repeat(3, axis=0)
    moved = xp.to_numpy(shifted(xp.asarray(line), np.array([0.0, 1.5, -2.0])))
    np.testing.assert_allclose(moved[0], line[0])
    np.testing.assert_allclose(moved[1], np.maximum(line[0] - 1.5, 0.0), atol=1e-6)
    np.testing.assert_allclose(moved[2], np.minimum(line[0] + 2.0, 9.0), atol=1e-6)


def test_distortions_have_the_stated_sizes():
    channels = np.linspace(-1, 1, 40)
    X, ids = np.tile(2.0 + np.cos(5 * channels), (5000, 1)), np.ones(5000)
    new = changed(SpectralDistortionAugmenter(0.3, degree=1, scatter=0, shift=0), X, ids)
    coef = np.polynomial.polynomial.polyfit(channels, (new - X).T, 3)
    np.testing.assert_allclose(coef[:2].std(axis=1), 0.3 * X[0].std(), rtol=0.05)
    np.testing.assert_allclose(coef[2:], 0, atol=1e-9)
    new = changed(SpectralDistortionAugmenter(0, scatter=0.2, shift=0), X, ids)
    assert np.log(new / X).std() == pytest.approx(0.2, rel=0.05)
    new = changed(SpectralDistortionAugmenter(0, scatter=0, shift=2.0), X, ids)
    slope = np.gradient(X[0])[5]
    small = changed(SpectralDistortionAugmenter(0, scatter=0, shift=0.05), X, ids) - X
    assert small[:, 5].std() == pytest.approx(0.05 * abs(slope), rel=0.1)
    assert np.abs(new - X).max() > 0.2
