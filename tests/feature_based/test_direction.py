"""Maps to the target, to the source and to a common reference, and domains that come later."""

import numpy as np
import ot
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from skda import (
    ComBatTransformer,
    CORALTransformer,
    DomainScaler,
    DomainWarning,
    LinearTransportTransformer,
    OptimalTransportTransformer,
    QuantileTransportTransformer,
)
from skda.feature_based._linear_transport import gaussian_barycenter
from skda.feature_based._quantile_transport import mean_quantiles

MOMENT_MAPS = [CORALTransformer(reg=0.0), LinearTransportTransformer()]
EXACT = [*MOMENT_MAPS, QuantileTransportTransformer()]
ALL = [*EXACT, OptimalTransportTransformer()]
FROZEN = [  # what is learnt of a domain changes nothing for the others
    *(method.__class__(**method.get_params()).set_params(direction="to_source") for method in ALL),
    *(
        method.__class__(**method.get_params()).set_params(direction="to_common")
        for method in EXACT
    ),
    DomainScaler(),
    ComBatTransformer(),
]
NAMES = [f"{type(m).__name__}-{getattr(m, 'direction', '')}" for m in FROZEN]


def four_domains(n=60):
    rng = np.random.default_rng(0)
    X, d = rng.normal(size=(4 * n, 3)), np.repeat([1, 2, -2, -3], n)
    X[d == -2] = X[d == -2] @ np.array([[2.0, 0.3, 0.0], [0.0, 1.0, 0.0], [0.2, 0.0, 0.5]]) + 1.0
    X[d == -3] = X[d == -3] * 0.5 - 2.0
    X[d == 2] += 1.0
    return X, d


def new_domain(n=80):
    return np.random.default_rng(1).normal(size=(n, 3)) * [3.0, 0.4, 1.0] + 5.0, np.full(n, -7)


@pytest.mark.parametrize("method", ALL, ids=lambda m: type(m).__name__)
def test_to_source_is_to_target_with_the_sides_swapped(method):
    X, d = four_domains()
    prior = {"n_prior_rows": 0} if "n_prior_rows" in method.get_params() else {}
    back = method.__class__(**method.get_params()).set_params(direction="to_source", **prior)
    moved = back.fit_transform(X, sample_domain=d)
    np.testing.assert_array_equal(moved[d > 0], X[d > 0])
    swapped = method.fit_transform(X, sample_domain=-d)
    # Sinkhorn stops at its tolerance, on another side here than there.
    atol = 1e-6 if isinstance(method, OptimalTransportTransformer) else 1e-9
    np.testing.assert_allclose(moved[d < 0], swapped[d < 0], atol=atol)


@pytest.mark.parametrize("method", MOMENT_MAPS, ids=lambda m: type(m).__name__)
def test_to_common_gives_all_domains_the_same_moments(method):
    X, d = four_domains()
    common = method.__class__(**method.get_params())
    common.set_params(direction="to_common", n_prior_rows=0)
    moved = common.fit_transform(X, sample_domain=d)
    for domain in (2, -2, -3):
        np.testing.assert_allclose(moved[d == domain].mean(0), moved[d == 1].mean(0), atol=1e-9)
        np.testing.assert_allclose(np.cov(moved[d == domain].T), np.cov(moved[d == 1].T), atol=1e-6)


def test_the_common_reference_of_coral_is_the_mean_covariance_of_a_domain():
    X, d = four_domains()
    moved = CORALTransformer(reg=0.0, direction="to_common", n_prior_rows=0)
    moved = moved.fit_transform(X, sample_domain=d)
    within = sum((np.sum(d == i) - 1) * np.cov(X[d == i].T) for i in (1, 2, -2, -3)) / (len(X) - 1)
    np.testing.assert_allclose(np.cov(moved[d == -3].T), within, atol=1e-9)


def test_the_gaussian_barycenter_is_that_of_pot():
    rng = np.random.default_rng(0)
    covariances = np.array([np.cov(rng.normal(size=(50, 4)).T * (k + 1.0)) for k in range(3)])
    weights = np.array([0.5, 0.3, 0.2])
    _, expected = ot.gaussian.bures_wasserstein_barycenter(
        np.zeros((3, 4)), covariances, weights, num_iter=1000, eps=1e-12
    )
    found = gaussian_barycenter(list(covariances), weights)
    np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_mean_quantiles_of_equal_samples_are_means_of_sorted_values():
    rng = np.random.default_rng(0)
    a, b = np.sort(rng.normal(size=20)), np.sort(rng.normal(size=20))
    np.testing.assert_allclose(mean_quantiles([a, b], [0.25, 0.75]), 0.25 * a + 0.75 * b)
    # A sample of half as many: each of its values covers two of the larger one's.
    short = np.sort(rng.normal(size=10))
    found = mean_quantiles([a, short], [0.5, 0.5])
    np.testing.assert_allclose(found, 0.5 * a + 0.5 * np.repeat(short, 2))


def test_quantiles_to_common_give_every_domain_the_same_values():
    X, d = four_domains()
    moved = QuantileTransportTransformer(direction="to_common").fit_transform(X, sample_domain=d)
    for domain in (2, -2, -3):
        np.testing.assert_allclose(np.sort(moved[d == domain], 0), np.sort(moved[d == 1], 0))


def test_optimal_transport_to_source_reads_the_plan_by_its_columns():
    X, d = four_domains()
    exact = OptimalTransportTransformer(reg=None, direction="to_source")
    moved = exact.fit_transform(X, sample_domain=d)
    source, target = X[d > 0], X[d == -3]
    M = ot.dist(source, target)
    plan = ot.emd(ot.unif(len(source)), ot.unif(len(target)), M)
    expected = plan.T @ source / plan.sum(0)[:, None]
    np.testing.assert_allclose(moved[d == -3], expected, atol=1e-9)


def test_classes_of_the_source_matter_in_both_directions_and_there_is_no_common_one():
    X, d = four_domains()
    y = (X[:, 0] > X[:, 0].mean()).astype(int)
    plain = OptimalTransportTransformer(direction="to_source").fit_transform(X, y, sample_domain=d)
    apart = OptimalTransportTransformer(direction="to_source", class_reg=5.0)
    assert abs(apart.fit_transform(X, y, sample_domain=d) - plain).max() > 1e-3
    # Kept for later domains.
    X_new, d_new = new_domain()
    apart.partial_fit(X_new, sample_domain=d_new).transform(X_new, sample_domain=d_new)
    with pytest.raises(ValueError, match="direction must be one of"):
        OptimalTransportTransformer(direction="to_common").fit(X, y, sample_domain=d)


@pytest.mark.parametrize("method", FROZEN, ids=NAMES)
def test_a_later_domain_is_learnt_without_touching_the_others(method):
    X, d = four_domains()
    X_new, d_new = new_domain()
    method.fit(X, sample_domain=d)
    before = method.transform(X, sample_domain=d)
    with pytest.raises(ValueError, match=r"not fitted on: \[-7\].*partial_fit or skda.adapt_to"):
        method.transform(X_new, sample_domain=d_new)
    method.partial_fit(X_new, sample_domain=d_new)
    np.testing.assert_array_equal(method.transform(X, sample_domain=d), before)
    assert method.target_domains_ == [-7, -3, -2]
    moved = method.transform(X_new, sample_domain=d_new)
    # It lies where the others do: five standard deviations away before.
    assert abs(moved.mean(0) - before.mean(0)).max() < 0.5 * abs(X_new.mean(0) - X.mean(0)).max()


@pytest.mark.parametrize("method", FROZEN, ids=NAMES)
def test_a_later_domain_in_batches_is_that_of_all_its_rows(method):
    X, d = four_domains()
    X_new, d_new = new_domain()
    once = method.fit(X, sample_domain=d).partial_fit(X_new, sample_domain=d_new)
    expected = once.transform(X_new, sample_domain=d_new)
    batches = method.fit(X, sample_domain=d)
    for rows in np.array_split(np.arange(len(X_new)), 3):
        batches.partial_fit(X_new[rows], sample_domain=d_new[rows])
    found = batches.transform(X_new, sample_domain=d_new)
    np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize("method", [*MOMENT_MAPS, DomainScaler()], ids=lambda m: type(m).__name__)
def test_forgetting_follows_a_domain_that_drifts(method):
    X, d = four_domains()
    drifted, d_new = new_domain()
    options = {"direction": "to_source"} if "direction" in method.get_params() else {}

    def offset(forgetting_factor):
        method.set_params(forgetting_factor=forgetting_factor, **options)
        method.fit(X, sample_domain=d).partial_fit(drifted - 5.0, sample_domain=d_new)
        for _ in range(5):
            method.partial_fit(drifted, sample_domain=d_new)
        moved = method.transform(drifted, sample_domain=d_new).mean(0)
        return abs(moved - method.transform(X, sample_domain=d)[d > 0].mean(0)).max()

    assert offset(0.1) < 0.1 * offset(1.0)


@pytest.mark.parametrize("method", EXACT, ids=lambda m: type(m).__name__)
def test_rows_without_a_domain_are_of_the_only_target_or_refused(method):
    X, d = four_domains()
    back = method.__class__(**method.get_params()).set_params(direction="to_source")
    one = d != -3
    back.fit(X[one], sample_domain=d[one])
    target = X[d == -2]
    expected = back.transform(target, sample_domain=d[d == -2])
    np.testing.assert_array_equal(back.transform(target), expected)
    back.fit(X, sample_domain=d)
    with pytest.raises(ValueError, match="must say which one"):
        back.transform(target)


def test_rows_that_do_not_move_cannot_be_learnt_later_by_optimal_transport():
    method = OptimalTransportTransformer()
    X, d = four_domains()
    X_new, d_new = new_domain()
    method.fit(X, sample_domain=d)
    with pytest.raises(ValueError, match=r"rows of \[-7\] do not"):
        method.partial_fit(X_new, sample_domain=d_new)
    with pytest.raises(ValueError, match="not fitted on"):  # a failed batch counts as not seen
        method.transform(X_new, sample_domain=d_new)


@pytest.mark.parametrize("method", FROZEN, ids=NAMES)
def test_all_targets_may_come_later(method):
    X, d = four_domains()
    source, first = d > 0, d == -2
    method.fit(X[source], sample_domain=d[source])
    with pytest.raises(ValueError, match=r"not fitted on: \[-2\]"):
        method.transform(X[first], sample_domain=d[first])
    before = method.transform(X[source], sample_domain=d[source])
    method.partial_fit(X[first], sample_domain=d[first])
    np.testing.assert_array_equal(method.transform(X[source], sample_domain=d[source]), before)
    moved = method.transform(X[first], sample_domain=d[first])
    assert (
        abs(moved.mean(0) - before.mean(0)).max() < abs(X[first].mean(0) - X[source].mean(0)).max()
    )
    with pytest.raises(ValueError, match="has no source rows"):
        method.fit(X[~source], sample_domain=d[~source])
    with pytest.raises(ValueError, match="no target yet"):
        clone(method).fit(X[source], sample_domain=d[source]).transform(X[first])
    if not hasattr(method, "direction"):
        return
    paper = clone(method).set_params(direction="to_target")
    with pytest.raises(ValueError, match="has no target rows"):
        paper.fit(X[source], sample_domain=d[source])


def test_few_rows_bend_a_domain_less_with_prior_rows():
    X, d = four_domains()
    X_new, d_new = (part[:4] for part in new_domain())

    def bend(n_prior_rows):
        to_source = LinearTransportTransformer(direction="to_source", n_prior_rows=n_prior_rows)
        to_source.fit(X, sample_domain=d).partial_fit(X_new, sample_domain=d_new)
        return abs(to_source.maps_[-7] - np.eye(3)).max()

    assert bend(1e9) < 1e-6 < 0.5 * bend(3) < 0.5 * bend(0)
    assert bend("auto") == bend(3)


def test_prior_rows_and_a_rule_exclude_each_other():
    X, d = four_domains()
    with pytest.raises(ValueError, match="n_prior_rows=5 cannot be combined with reg='oas'"):
        CORALTransformer(n_prior_rows=5, reg="oas").fit(X, sample_domain=d)


def test_more_features_than_rows_to_source():
    rng = np.random.default_rng(0)
    X, d = rng.normal(size=(40, 60)), np.repeat([1, -2], 20)
    X[d < 0] = X[d < 0] * 2.0 + 1.0
    for method in (CORALTransformer(), LinearTransportTransformer()):
        moved = method.set_params(direction="to_source").fit_transform(X, sample_domain=d)
        swapped = method.set_params(direction="to_target").fit_transform(X, sample_domain=-d)
        np.testing.assert_allclose(moved[d < 0], swapped[d < 0], atol=1e-8)
        common = method.set_params(direction="to_common").fit_transform(X, sample_domain=d)
        np.testing.assert_allclose(common[d > 0].mean(0), common[d < 0].mean(0), atol=1e-8)


@pytest.mark.parametrize("method", FROZEN, ids=NAMES)
def test_a_model_that_is_never_refitted_serves_later_sites(method):
    rng = np.random.default_rng(0)
    y, d = rng.integers(2, size=600), np.repeat([1, -2, -7], 200)
    X = rng.normal(size=(600, 2)) + 3.0 * y[:, None]
    X[d == -2] = X[d == -2] * 2.0 + 5.0
    X[d == -7] = X[d == -7] * 0.5 - 4.0
    old, new = d != -7, d == -7
    method.fit(X[old], sample_domain=d[old])
    mapped = method.transform(X[old], sample_domain=d[old])
    model = LogisticRegression().fit(mapped[d[old] > 0], y[d == 1])
    method.partial_fit(X[new], sample_domain=d[new])
    gain = model.score(method.transform(X[new], sample_domain=d[new]), y[new])
    gain -= LogisticRegression().fit(X[d == 1], y[d == 1]).score(X[new], y[new])
    # A plan that leaves out mass that travels far moves these rows part of the way only.
    least = 0.02 if isinstance(method, OptimalTransportTransformer) else 0.3
    assert gain > least


@pytest.mark.parametrize("method", FROZEN, ids=NAMES)
def test_the_first_batch_is_a_fit(method):
    X, d = four_domains()
    wanted = clone(method).fit(X, sample_domain=d).transform(X, sample_domain=d)
    found = clone(method).partial_fit(X, sample_domain=d).transform(X, sample_domain=d)
    np.testing.assert_allclose(found, wanted, atol=1e-9)
    with pytest.warns(DomainWarning):
        plain = clone(method).partial_fit(X)
    if isinstance(method, OptimalTransportTransformer | ComBatTransformer):
        with pytest.raises(ValueError, match="goes on from a fit with sample_domain"):
            plain.partial_fit(X, sample_domain=d)


def test_with_robust_statistics_the_last_batch_counts():
    X, d = four_domains()
    X_new, d_new = new_domain()
    robust = DomainScaler(robust=True).fit(X, sample_domain=d)
    robust.partial_fit(X_new + 9.0, sample_domain=d_new).partial_fit(X_new, sample_domain=d_new)
    np.testing.assert_allclose(robust.locations_[-7], np.median(X_new, axis=0))
