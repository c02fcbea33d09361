"""ComBatTransformer: the published formulae by brute force, limits, the shift that it is for."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from skda import ComBatTransformer
from skda._array._backend import to_numpy
from skda.feature_based._site_effects import shrunken_site_effects


def sites(sizes=(20, 15, 30), d=6, seed=0):
    rng = np.random.default_rng(seed)
    ids = np.repeat([1, 4, -2][: len(sizes)], sizes)
    c = rng.normal(size=len(ids)) + 0.5 * (ids > 0)
    X = rng.normal(size=(len(ids), d)) + np.outer(c, rng.normal(size=d)) + rng.normal(size=d) * 3
    for name in np.unique(ids):
        rows = ids == name
        X[rows] = X[rows] * rng.uniform(0.5, 2.0, d) + rng.normal(size=d) + name
    order = rng.permutation(len(ids))
    return X[order], c[order], ids[order]


def brute_force_combat(X, covariate, ids):
    """Johnson et al. 2007, steps 1 to 3, with one least-squares fit and loops over sites."""
    names, n = np.unique(ids), len(ids)
    batch = (ids[:, None] == names).astype(float)
    design = np.column_stack([batch, covariate]) if covariate is not None else batch
    B, *_ = np.linalg.lstsq(design, X, rcond=None)
    k = len(names)
    grand = batch.mean(0) @ B[:k]
    sigma = np.sqrt(((X - design @ B) ** 2).sum(0) / n)
    center = grand + (np.outer(covariate, B[k]) if covariate is not None else 0.0)
    Z = (X - center) / sigma
    out = np.empty_like(X)
    for name in names:
        z = Z[ids == name]
        gamma, delta = z.mean(0), z.var(0, ddof=1)
        gbar, tau2 = gamma.mean(), gamma.var(ddof=1)
        m, s2 = delta.mean(), delta.var(ddof=1)
        lam, theta = (2 * s2 + m**2) / s2, (m * s2 + m**3) / s2
        g, v = gamma.copy(), delta.copy()
        for _ in range(1000):
            g = (tau2 * len(z) * gamma + v * gbar) / (tau2 * len(z) + v)
            v = (theta + 0.5 * ((z - g) ** 2).sum(0)) / (len(z) / 2 + lam - 1)
        rows = ids == name
        out[rows] = sigma / np.sqrt(v) * (z - g) + (center[rows] if center.ndim == 2 else center)
    return out


@pytest.mark.parametrize("with_covariate", [False, True])
@pytest.mark.parametrize("seed", range(2))
def test_rows_are_those_of_the_published_formulae(xp, with_covariate, seed):
    X, c, ids = sites(seed=seed)
    expected = brute_force_combat(X, c if with_covariate else None, ids)
    given = np.column_stack([c, X]) if with_covariate else X
    combat = ComBatTransformer(covariates=[0] if with_covariate else None, tol=1e-12)
    got = to_numpy(combat.fit_transform(xp.asarray(given), sample_domain=ids))
    atol = 1e-6 if xp.dtype == "float64" else 1e-3
    np.testing.assert_allclose(got[:, int(with_covariate) :], expected, atol=atol)


def test_without_shrinkage_every_site_gets_the_pooled_moments_exactly():
    X, _, ids = sites()
    moved = ComBatTransformer(shrinkage=False).fit_transform(X, sample_domain=ids)
    for name in np.unique(ids):
        np.testing.assert_allclose(moved[ids == name].mean(0), X.mean(0), rtol=1e-9)
    spread = [moved[ids == name].std(0, ddof=1) for name in np.unique(ids)]
    np.testing.assert_allclose(spread[0], spread[1])


def test_shrinkage_brings_small_sites_nearer_to_their_average_effect():
    rng = np.random.default_rng(0)
    small, large = rng.normal(size=(4, 50)) + 1.0, rng.normal(size=(400, 50)) + 1.0
    for rows, most in ((small, 0.75), (large, 1.0)):
        squares = ((rows - rows.mean(0)) ** 2).sum(0)
        location, variance, _ = shrunken_site_effects(len(rows), rows.mean(0), squares)
        assert location.std() < most * rows.mean(0).std()
        assert variance.std() < rows.var(0, ddof=1).std()
        # the truth is 1 for both
        assert ((location - 1) ** 2).mean() < ((rows.mean(0) - 1) ** 2).mean()
        assert ((variance - 1) ** 2).mean() < ((rows.var(0, ddof=1) - 1) ** 2).mean()


def test_the_effect_of_a_covariate_is_preserved():
    rng = np.random.default_rng(0)
    ids = np.repeat([1, -2], 300)
    age = rng.normal(size=600) + np.where(ids > 0, 2.0, 0.0)
    X = np.column_stack([age, 3.0 * age + rng.normal(size=600), rng.normal(size=(600, 4))])
    X[ids > 0, 1:] += 5.0
    kept = ComBatTransformer(covariates=[0]).fit_transform(X, sample_domain=ids)
    lost = ComBatTransformer().fit_transform(X, sample_domain=ids)
    np.testing.assert_array_equal(kept[:, 0], age)

    def gap(Z):
        return Z[ids > 0, 1].mean() - Z[ids < 0, 1].mean()

    assert gap(kept) == pytest.approx(6.0, abs=0.7)
    assert abs(gap(lost)) < 0.7


def test_covariates_by_name_are_those_by_position():
    X, c, ids = sites()
    frame = pd.DataFrame(np.column_stack([X, c]), columns=[*"abcdef", "age"])
    by_name = ComBatTransformer(covariates=["age"]).fit_transform(frame, sample_domain=ids)
    by_position = ComBatTransformer(covariates=[-1]).fit_transform(
        frame.to_numpy(), sample_domain=ids
    )
    np.testing.assert_allclose(by_name, by_position)


def test_a_single_covariate_needs_no_list():
    X, d = np.random.default_rng(0).normal(size=(40, 3)), np.repeat([1, -2], 20)
    alone, listed = (
        ComBatTransformer(covariates=given).fit_transform(X, sample_domain=d) for given in (1, [1])
    )
    np.testing.assert_array_equal(alone, listed)


def test_with_the_target_as_reference_its_rows_stay_and_sources_come():
    X, _, ids = sites()
    combat = ComBatTransformer(reference="target", shrinkage=False)
    moved = combat.fit_transform(X, sample_domain=ids)
    np.testing.assert_array_equal(moved[ids < 0], X[ids < 0])
    for name in (1, 4):
        np.testing.assert_allclose(moved[ids == name].mean(0), X[ids < 0].mean(0))


@pytest.mark.parametrize("reference", ["pooled", "target"])
def test_features_that_do_not_vary_stay_finite(reference):
    X, _, ids = sites()
    X[:, 0] = 7.0  # nowhere
    X[:, 1] = np.where(ids == 1, 3.0, 5.0)  # only between sites
    X[ids == 4, 2] = 1.0  # not at one site
    moved = ComBatTransformer(reference=reference).fit_transform(X, sample_domain=ids)
    assert np.isfinite(moved).all()
    np.testing.assert_allclose(moved[:, 0], 7.0)
    assert np.ptp(moved[:, 1]) < 1e-9


def test_a_single_feature_is_not_shrunk():
    X, _, ids = sites(d=1)
    shrunk, plain = (
        ComBatTransformer(shrinkage=s).fit_transform(X, sample_domain=ids) for s in (True, False)
    )
    np.testing.assert_allclose(shrunk, plain)


@pytest.mark.parametrize(
    "params, match",
    [
        ({"covariates": ["age"]}, "covariates must be columns of X"),
        ({"covariates": [17]}, "covariates must be columns of X"),
        ({"reference": "source"}, "reference must be one of"),
        ({"strength": 2.0}, "strength must be a number"),
    ],
)
def test_bad_parameters_are_named(params, match):
    X, _, ids = sites()
    with pytest.raises(ValueError, match=match):
        ComBatTransformer(**params).fit(X, sample_domain=ids)


def test_a_single_row_at_a_site_is_an_error_that_names_it():
    X, _, ids = sites()
    ids[np.flatnonzero(ids == 4)[1:]] = 1
    with pytest.raises(ValueError, match="domain 4 has 1 sample"):
        ComBatTransformer().fit(X, sample_domain=ids)


# The shift it is for.


def gain(transformer, n_site=6):
    """Mean gain in target accuracy; many small sites with offsets and gains, one target."""
    gains = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        ids = np.repeat([*range(1, 13), -20], [n_site] * 12 + [60])
        y = rng.integers(0, 2, len(ids))
        X = rng.normal(size=(len(ids), 20)) + 0.7 * y[:, None]
        for name in np.unique(ids):
            rows = ids == name
            X[rows] = X[rows] * rng.uniform(0.8, 1.25) + rng.normal(0, 2.0) + rng.normal(
                0, 0.1, 20
            )  # fmt: skip
        target = ids < 0

        def score(Z, y=y, target=target):
            model = LogisticRegression(max_iter=1000).fit(Z[~target], y[~target])
            return model.score(Z[target], y[target])

        gains.append(score(transformer.fit_transform(X, sample_domain=ids)) - score(X))
    return np.mean(gains)


def test_offsets_of_small_sites_are_removed():
    assert gain(ComBatTransformer()) > 0.1


def test_sabotage_without_site_effects_nothing_is_gained(monkeypatch):
    monkeypatch.setattr(ComBatTransformer, "_map", lambda self, X, domain, backend: X)
    assert gain(ComBatTransformer()) == 0.0
