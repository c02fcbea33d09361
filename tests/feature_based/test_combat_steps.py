"""ComBat with a reference site, smooth covariates, nested batches and covariances."""

import numpy as np
import pandas as pd
import pytest

from skda import ComBatTransformer, DomainWarning
from skda._array._backend import to_numpy
from skda.feature_based._combat_steps import count_components, count_told_apart
from skda.feature_based._site_effects import (
    _PARAMETER_COST,
    _PENALTY_WEIGHTS,
    curvature_penalty,
    smooth_effects,
    spline_basis,
)


def reference_rows():
    """Rows, age, sex, site and scanner of the tables below."""
    rng = np.random.default_rng(7)
    site, scanner = np.repeat([1, 4, -2], [14, 10, 16]), np.arange(40) % 2
    age, sex = rng.uniform(20.0, 80.0, 40), (np.arange(40) // 2) % 2
    X = rng.normal(size=(40, 4)) + np.outer(age / 20.0, [1.0, -1.0, 0.5, 0.0])
    X = X * rng.uniform(0.5, 2.0, (5, 4))[site] + rng.normal(size=(5, 4))[site]
    X = X + np.array([[0.0, 1.0, 2.0, -1.0]]) * scanner[:, None]
    return X, age, sex, site, scanner


# Rows 0, 13, 14, 30 and 39 of what harmonizationLearn of neuroHarmonize 2.5.2 returns for these
# rows with age and sex as covariates: as it comes, with ref_batch, with eb=False; and for nested
# batches run twice, by scanner and then by site. It stops iterating at a change of 1e-4.
REFERENCE = {
    "linear": (
        {},
        [
            [3.662412, -4.069367, 2.700862, -0.502315],
            [3.910502, -2.924814, 5.672118, -0.81764],
            [3.383795, -4.750441, 3.497634, -0.859479],
            [2.019531, -4.633857, 3.143449, 2.284959],
            [2.750731, -0.658551, 5.221184, -0.993331],
        ],
    ),
    "reference site": (
        {"reference": 4},
        [
            [0.961143, -4.534297, 2.212233, -1.076233],
            [0.916939, -3.401194, 4.687509, -1.360475],
            [0.75564, -5.390684, 2.83519, -1.357712],
            [-0.285113, -5.208172, 2.603204, 0.590581],
            [-0.173699, -1.332752, 4.236903, -1.41211],
        ],
    ),
    "no shrinkage": (
        {"shrinkage": False},
        [
            [3.5525, -3.985609, 2.700469, -0.629367],
            [3.717701, -2.855291, 5.510983, -0.98503],
            [3.639287, -4.641273, 3.409878, -1.124078],
            [2.070227, -4.842462, 3.255037, 1.962439],
            [2.871689, -0.64306, 5.38935, -1.016293],
        ],
    ),
    "nested": (
        {"nested_batches": [6]},
        [
            [3.67578, -3.591643, 3.178231, -1.225259],
            [3.836052, -3.359489, 5.019179, -0.186674],
            [3.27596, -4.355851, 4.024934, -1.34502],
            [2.013021, -4.105741, 3.704684, 1.768018],
            [2.723968, -1.228329, 4.968381, -0.566652],
        ],
    ),
}


@pytest.mark.parametrize("case", REFERENCE)
def test_rows_are_those_of_neuroharmonize(case):
    params, expected = REFERENCE[case]
    X, age, sex, site, scanner = reference_rows()
    columns = [X, age, sex, scanner] if case == "nested" else [X, age, sex]
    combat = ComBatTransformer(covariates=[4, 5], **params)
    moved = combat.fit_transform(np.column_stack(columns), sample_domain=site)
    np.testing.assert_allclose(moved[[0, 13, 14, 30, 39], :4], expected, atol=2e-5)
    np.testing.assert_array_equal(moved[:, 4:], np.column_stack(columns)[:, 4:])


def sites(n=40, d=5, seed=0):
    """Rows of four sites with an age and a scanner in the last two columns."""
    rng = np.random.default_rng(seed)
    site = np.repeat([1, 2, 5, -3], n)
    age, scanner = rng.uniform(20, 80, 4 * n), rng.integers(0, 3, 4 * n)
    X = rng.normal(size=(4 * n, d)) @ rng.normal(size=(d, d))
    for name in np.unique(site):
        rows = site == name
        X[rows] = X[rows] * rng.uniform(0.5, 2.0, d) + 3.0 * rng.normal(size=d)
    return np.column_stack([X + np.sin(age / 10.0)[:, None], age, scanner]), site


EVERYTHING = {
    "smooth_covariates": [5],
    "nested_batches": [6],
    "covariance_components": 0.9,
    "tol": 1e-10,
}


def test_every_backend_gives_the_rows_of_numpy(xp):
    X, site = sites()
    expected = ComBatTransformer(**EVERYTHING).fit_transform(X, sample_domain=site)
    got = ComBatTransformer(**EVERYTHING).fit_transform(xp.asarray(X), sample_domain=site)
    atol = 1e-6 if xp.dtype == "float64" else 1e-3
    np.testing.assert_allclose(to_numpy(got), expected, atol=atol)


@pytest.mark.parametrize("params", [EVERYTHING, {"reference": 2, "covariance_components": 3}])
def test_a_later_site_with_the_rows_of_a_known_one_gets_its_map(params):
    X, site = sites()
    combat = ComBatTransformer(**params).fit(X, sample_domain=site)
    before = combat.transform(X, sample_domain=site)
    again = X[site == 5]
    combat.partial_fit(again, sample_domain=np.full(len(again), -9))
    moved = combat.transform(again, sample_domain=np.full(len(again), -9))
    np.testing.assert_allclose(moved, before[site == 5], atol=1e-9)
    np.testing.assert_array_equal(combat.transform(X, sample_domain=site), before)


def test_columns_by_name_are_those_by_position():
    X, site = sites()
    frame = pd.DataFrame(X, columns=[*"abcde", "age", "scanner"])
    by_name = ComBatTransformer(smooth_covariates="age", nested_batches="scanner")
    by_position = ComBatTransformer(smooth_covariates=5, nested_batches=-1)
    np.testing.assert_array_equal(
        by_name.fit_transform(frame, sample_domain=site),
        by_position.fit_transform(X, sample_domain=site),
    )


def test_the_units_of_features_and_covariates_do_not_matter():
    X, site = sites()
    expected = ComBatTransformer(**EVERYTHING).fit_transform(X, sample_domain=site)
    X[:, :5] *= 1e6
    X[:, 5] = X[:, 5] * 1e-3 + 7.0
    moved = ComBatTransformer(**EVERYTHING).fit_transform(X, sample_domain=site)
    np.testing.assert_allclose(moved[:, :5] / 1e6, expected[:, :5], atol=1e-9)


# A reference site.


@pytest.mark.parametrize("extra", [{}, {"covariance_components": 0.95}, {"covariates": [5]}])
def test_the_rows_of_the_reference_site_stay_as_they_are(extra):
    X, site = sites()
    combat = ComBatTransformer(reference=2, shrinkage=False, **extra)
    moved = combat.fit_transform(X, sample_domain=site)
    np.testing.assert_array_equal(moved[site == 2], X[site == 2])
    if not extra:
        for name in (1, 5, -3):
            np.testing.assert_allclose(moved[site == name].mean(0), X[site == 2].mean(0))
    combat.partial_fit(X[site == 2] + 7.0, sample_domain=site[site == 2])
    np.testing.assert_array_equal(combat.transform(X, sample_domain=site), moved)


def test_a_reference_that_is_a_target_takes_rows_of_no_stated_domain():
    X, site = sites()
    combat = ComBatTransformer(reference=-3).fit(X, sample_domain=site)
    np.testing.assert_array_equal(combat.transform(X[site == -3]), X[site == -3])
    to_target = ComBatTransformer(reference="target").fit_transform(X, sample_domain=site)
    np.testing.assert_allclose(combat.transform(X, sample_domain=site), to_target)


@pytest.mark.parametrize("reference", ["pooled", "target", 2])
def test_a_fit_without_domains_has_nothing_that_partial_fit_could_go_on_from(reference):
    X, site = sites(10)
    combat = ComBatTransformer(reference=reference)
    with pytest.warns(DomainWarning):
        combat.fit(X)
    np.testing.assert_array_equal(combat.transform(X), X)
    with pytest.raises(ValueError, match="goes on from a fit with sample_domain"):
        combat.partial_fit(X, sample_domain=site)


# Smooth covariates.


def test_the_smoothness_is_that_of_cross_validation_by_the_hat_matrix():
    rng = np.random.default_rng(0)
    age, sex, site = rng.uniform(0, 10, 90), rng.integers(0, 2, 90), np.repeat([0, 1, 2], 30)
    Y = np.column_stack([np.sin(age), 2.0 * age, sex * 3.0]) + rng.normal(size=(90, 3)) * 0.3
    S = curvature_penalty(1, 1)
    Z = np.column_stack([sex, spline_basis(age[:, None], np.array([[age.min()], [age.max()]]))])

    def within(A):
        return A - np.array([A[site == k].mean(0) for k in range(3)])[site]

    Z, Y = within(Z), within(Y)
    unit = np.ones(len(S))
    unit[0] = 1.0 / np.sqrt(np.mean(Z[:, 0] ** 2))
    scaled = Z * unit
    size = np.trace(scaled.T @ scaled) / np.trace(S)
    best = np.full(3, np.inf)
    expected = np.zeros((len(S), 3))
    for weight in _PENALTY_WEIGHTS:
        solve = np.linalg.solve(scaled.T @ scaled + weight * size * S, scaled.T)
        hat = scaled @ solve
        free = len(Z) - 3 - _PARAMETER_COST * np.trace(hat)
        score = ((Y - hat @ Y) ** 2).sum(0) / free**2
        better = score < best
        expected[:, better] = (unit[:, None] * (solve @ Y))[:, better]
        best = np.minimum(best, score)
    found = smooth_effects(Z, Y, S, n_means=3)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


def curved_sites(seed, curve=np.sin):
    """Two sites of different ages; the effect of age is a curve. And rows without site effects."""
    rng = np.random.default_rng(seed)
    site = np.repeat([1, -2], 120)
    age = np.concatenate([rng.uniform(0, 7, 120), rng.uniform(3, 10, 120)])
    truth = np.outer(curve(age), rng.normal(size=6) + 2.0) + 0.3 * rng.normal(size=(240, 6))
    X = truth + np.where(site[:, None] > 0, rng.normal(size=6), 0.0)
    return np.column_stack([X, age]), site, truth


def gap_to_truth(moved, truth):
    """How far the differences between rows are from those without site effects."""
    off = moved[:, :6] - truth
    return np.sqrt(np.mean((off - off.mean(0)) ** 2))


def test_a_curved_effect_of_age_is_kept_by_splines_and_not_by_a_line():
    for seed in range(3):
        X, site, truth = curved_sites(seed)
        smooth = ComBatTransformer(smooth_covariates=[6]).fit_transform(X, sample_domain=site)
        straight = ComBatTransformer(covariates=[6]).fit_transform(X, sample_domain=site)
        assert gap_to_truth(smooth, truth) < 0.5 * gap_to_truth(straight, truth)
        np.testing.assert_array_equal(smooth[:, 6], X[:, 6])


def test_where_the_effect_is_a_line_splines_are_nearly_one():
    X, site, truth = curved_sites(0, curve=lambda age: 0.5 * age)
    smooth = ComBatTransformer(smooth_covariates=[6]).fit_transform(X, sample_domain=site)
    straight = ComBatTransformer(covariates=[6]).fit_transform(X, sample_domain=site)
    assert gap_to_truth(smooth, truth) < gap_to_truth(straight, truth) + 0.02


def test_beyond_the_ages_of_fit_an_effect_goes_on_in_a_straight_line():
    X, site, _ = curved_sites(0)
    combat = ComBatTransformer(smooth_covariates=[6]).fit(X, sample_domain=site)
    rows = np.column_stack([np.zeros((5, 6)), [10.0, 12.0, 14.0, 16.0, 18.0]])
    moved = combat.transform(rows, sample_domain=np.full(5, -2))[:, :6]
    np.testing.assert_allclose(np.diff(moved[1:], n=2, axis=0), 0.0, atol=1e-8)


def test_linear_and_smooth_covariates_stand_beside_each_other():
    X, site, truth = curved_sites(0)
    sex = np.arange(240) % 2
    X[:, :6] += 2.0 * sex[:, None]
    X = np.column_stack([sex, X])
    both = ComBatTransformer(covariates=[0, -1], smooth_covariates=[-1])
    moved = both.fit_transform(X, sample_domain=site)
    assert both.covariates_ == [0, 7]
    np.testing.assert_array_equal(moved[:, [0, 7]], X[:, [0, 7]])
    assert gap_to_truth(moved[:, 1:] - 2.0 * sex[:, None], truth) < 0.15


@pytest.mark.parametrize("name", ["covariates", "smooth_covariates"])
def test_a_covariate_that_does_not_vary_changes_nothing(name):
    X, site = sites()
    X[:, 5] = 3.0
    moved = ComBatTransformer(**{name: [5]}).fit_transform(X, sample_domain=site)
    plain = ComBatTransformer().fit_transform(np.delete(X, 5, axis=1), sample_domain=site)
    np.testing.assert_allclose(np.delete(moved, 5, axis=1), plain, atol=1e-9)


# Nested batches.


def effects_of(X, labels):
    """Largest difference of means between groups, in units of their spread."""
    groups = [X[labels == label] for label in np.unique(labels)]
    means = np.array([g.mean(0) for g in groups])
    return (np.ptp(means, axis=0) / groups[0].std(0)).max()


def with_scanners(seed=0):
    X, site = sites(60, seed=seed)
    scanner = X[:, 6]
    X[:, :5] += 4.0 * np.random.default_rng(seed).normal(size=(3, 5))[scanner.astype(int)]
    return X, site, scanner


def test_effects_of_scanners_are_removed_along_with_those_of_sites():
    X, site, scanner = with_scanners()
    nested = ComBatTransformer(covariates=[5], nested_batches=[6])
    moved = nested.fit_transform(X, sample_domain=site)
    alone = ComBatTransformer(covariates=[5]).fit_transform(X[:, :6], sample_domain=site)
    for labels in (site, scanner):
        assert effects_of(moved[:, :5], labels) < 0.6
    assert effects_of(alone[:, :5], scanner) > 1.0
    np.testing.assert_array_equal(moved[:, 6], scanner)


def test_batches_are_harmonised_in_the_order_given():
    X, site, _ = with_scanners()
    X = np.column_stack([X, np.arange(len(X)) % 2])
    one = ComBatTransformer(covariates=[5], nested_batches=[7, 6]).fit(X, sample_domain=site)
    assert one.batches_ == [7, 6]
    other = ComBatTransformer(covariates=[5], nested_batches=[6, 7]).fit(X, sample_domain=site)
    moved = [c.transform(X, sample_domain=site) for c in (one, other)]
    assert np.abs(moved[0] - moved[1]).max() > 1e-6


def test_the_best_order_leaves_the_fewest_features_that_tell_batches_apart():
    X, site, scanner = with_scanners(1)
    # Protocols that follow the scanners closely: what comes first decides what is left.
    protocol = np.where(np.arange(len(X)) % 3 == 0, 1.0, scanner > 0)
    X = np.column_stack([X, protocol])
    left = {}
    for order in ([6, 7], [7, 6]):
        combat = ComBatTransformer(nested_batches=order, covariates=[5])
        moved = combat.fit_transform(X, sample_domain=site)[:, :5]
        left[tuple(order)] = sum(count_told_apart(moved, b) for b in (site, scanner, protocol))
    assert len(set(left.values())) == 2
    for order in ([6, 7], [7, 6]):
        best = ComBatTransformer(nested_batches=order, covariates=[5], batch_order="best")
        best.fit(X, sample_domain=site)
        assert left[tuple(best.batches_)] == min(left.values())


def test_groups_are_told_apart_where_they_differ_and_nowhere_else():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 50)
    X = np.column_stack([rng.normal(size=100), rng.normal(size=100) + labels, np.ones(100), labels])
    assert count_told_apart(X, labels) == 2
    assert count_told_apart(X, np.zeros(100)) == 0


def test_a_scanner_that_was_not_fitted_is_refused_until_partial_fit_has_seen_it():
    X, site, _ = with_scanners()
    combat = ComBatTransformer(nested_batches=[6]).fit(X, sample_domain=site)
    before = combat.transform(X, sample_domain=site)
    later, ids = X[site == -3][:20].copy(), np.full(20, -8)
    later[:, 6] = 9.0
    with pytest.raises(ValueError, match=r"column 6 of nested_batches|Column 6 of nested_batches"):
        combat.transform(later, sample_domain=np.full(20, -3))
    combat.partial_fit(later, sample_domain=ids)
    assert np.isfinite(combat.transform(later, sample_domain=ids)).all()
    np.testing.assert_array_equal(combat.transform(X, sample_domain=site), before)


def test_a_batch_that_is_refused_leaves_no_trace():
    X, site, _ = with_scanners()
    combat = ComBatTransformer(nested_batches=[6]).fit(X, sample_domain=site)
    later, ids = X[:3].copy(), np.array([-8, -8, -9])  # one row of -9
    later[:, 6] = 9.0
    with pytest.raises(ValueError, match="domain -9 has 1 sample"):
        combat.partial_fit(later, sample_domain=ids)
    assert combat.batch_steps_[0].values == (0.0, 1.0, 2.0)
    assert combat.target_domains_ == [-3]


# Covariances.


def brute_force_covbat(X, ids, proportion):
    """ComBat without covariates, then the scores of its residuals standardized by site."""
    moved = ComBatTransformer(tol=1e-12).fit_transform(X, sample_domain=ids)
    grand = sum((ids == i).mean() * X[ids == i].mean(0) for i in np.unique(ids))
    rest = moved - grand
    center, scale = rest.mean(0), rest.std(0, ddof=1)
    U, s, Vt = np.linalg.svd((rest - center) / scale, full_matrices=False)
    k = np.searchsorted(np.cumsum(s**2) / np.sum(s**2), proportion) + 1
    scores = U * s
    for j in range(k):
        t = scores[:, j].copy()
        within = sum(((t[ids == i] - t[ids == i].mean()) ** 2).sum() for i in np.unique(ids))
        pooled = np.sqrt(within / len(t))
        for i in np.unique(ids):
            rows = ids == i
            z = (t[rows] - t[rows].mean()) / t[rows].std(ddof=1)
            scores[rows, j] = t.mean() + pooled * z
    return (scores @ Vt) * scale + center + grand


@pytest.mark.parametrize("proportion", [0.6, 0.95, 1.0])
def test_covariances_are_harmonised_as_in_the_paper(proportion):
    X, site = sites()
    combat = ComBatTransformer(covariance_components=proportion, tol=1e-12)
    moved = combat.fit_transform(X[:, :5], sample_domain=site)
    expected = brute_force_covbat(X[:, :5], site, proportion)
    np.testing.assert_allclose(moved, expected, atol=1e-7)


def tilted_sites(seed):
    """Two sites whose features have the same spread and opposite correlations."""
    rng = np.random.default_rng(seed)
    site = np.repeat([1, -2], 150)
    shared = rng.normal(size=(300, 1)) * np.where(site > 0, 2.0, 0.3)[:, None]
    X = shared * np.ones(6) + rng.normal(size=(300, 6))
    X[site < 0] *= 2.0
    return X, site


def test_sites_come_to_the_same_covariance():
    for seed in range(3):
        X, site = tilted_sites(seed)

        def gap(combat, X=X, site=site):
            moved = combat.fit_transform(X, sample_domain=site)
            return np.abs(np.corrcoef(moved[site > 0].T) - np.corrcoef(moved[site < 0].T)).max()

        assert gap(ComBatTransformer()) > 0.5
        assert gap(ComBatTransformer(covariance_components=0.95)) < 0.25


def test_sabotage_without_the_scores_covariances_stay(monkeypatch):
    monkeypatch.setattr(
        "skda.feature_based._combat_steps.CovarianceStep.change", lambda self, rest, *_: rest * 0.0
    )
    X, site = tilted_sites(0)
    moved = ComBatTransformer(covariance_components=0.95).fit_transform(X, sample_domain=site)
    np.testing.assert_allclose(moved, ComBatTransformer().fit_transform(X, sample_domain=site))


def test_components_are_counted_by_number_or_by_proportion():
    s = np.sqrt([50.0, 30.0, 15.0, 5.0, 0.0])
    assert [count_components(s, k) for k in (1, 3, 9)] == [1, 3, 4]
    assert [count_components(s, p) for p in (0.4, 0.8, 0.81, 1.0)] == [1, 2, 3, 4]
    assert count_components(np.zeros(3), 0.9) == 1


def test_more_features_than_rows_and_features_that_do_not_vary_are_fine():
    rng = np.random.default_rng(0)
    X, site = rng.normal(size=(12, 20)), np.repeat([1, -2], 6)
    X[:, 3] = 1.0
    combat = ComBatTransformer(covariance_components=0.95)
    moved = combat.fit_transform(X, sample_domain=site)
    assert np.isfinite(moved).all()
    np.testing.assert_allclose(moved[:, 3], 1.0)


# Bad input.


@pytest.mark.parametrize(
    "params, match",
    [
        ({"reference": 9}, r"reference must be .* the id of a domain of the rows; got 9"),
        ({"reference": True}, "reference must be one of"),
        ({"reference": 1.5}, "reference must be one of"),
        ({"smooth_covariates": [17]}, "smooth_covariates must be columns of X"),
        ({"nested_batches": ["scanner"]}, "nested_batches must be columns of X"),
        ({"nested_batches": [6], "covariates": [6]}, "must be different columns"),
        ({"nested_batches": [6], "reference": 1}, "nested_batches needs reference='pooled'"),
        ({"nested_batches": [0]}, "column 0 has 1 sample with the value"),
        ({"batch_order": "first"}, "batch_order must be one of"),
        ({"nested_batches": [6], "batch_order": None}, "batch_order must be one of"),
        ({"covariance_components": 0}, "covariance_components must be an integer"),
        ({"covariance_components": 1.5}, "covariance_components must be a number"),
        ({"covariance_components": True}, "covariance_components must be a number"),
    ],
)
def test_bad_parameters_are_named(params, match):
    X, site = sites(10)
    with pytest.raises(ValueError, match=match):
        ComBatTransformer(**params).fit(X, sample_domain=site)


def test_too_many_columns_to_try_all_orders_are_an_error():
    X, site = sites(10)
    X = np.column_stack([X, *[np.arange(len(X)) % 2] * 4])
    combat = ComBatTransformer(nested_batches=[6, 7, 8, 9, 10], batch_order="best")
    with pytest.raises(ValueError, match="tries all orders of at most 4 columns"):
        combat.fit(X, sample_domain=site)


def test_missing_values_and_single_rows_are_errors():
    X, site = sites(10)
    combat = ComBatTransformer(smooth_covariates=[5], covariance_components=0.9)
    alone = np.r_[site[:-1], 8]
    with pytest.raises(ValueError, match="domain 8 has 1 sample"):
        combat.fit(X, sample_domain=alone)
    X[3, 5] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        combat.fit(X, sample_domain=site)
