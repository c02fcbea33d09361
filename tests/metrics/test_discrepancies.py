"""Discrepancies between two samples: references, invariances, level and power of the tests."""

import sys
import types

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse, stats
from sklearn.metrics.pairwise import rbf_kernel

import skda
from skda import metrics
from skda._numerics import _kernels
from skda.metrics import _distances, _mmd

DISTANCES = {
    "mmd": metrics.mmd,
    "unbiased mmd": lambda X, Y: metrics.mmd(X, Y, unbiased=True),
    "laplacian mmd": lambda X, Y: metrics.mmd(X, Y, kernel="laplacian"),
    "energy": metrics.energy_distance,
    "coral": metrics.coral_distance,
    "sliced": lambda X, Y: metrics.sliced_wasserstein_distance(X, Y, random_state=0),
    "wasserstein_distance": metrics.wasserstein_distance,
}
every_distance = pytest.mark.parametrize("distance", DISTANCES.values(), ids=DISTANCES)
FUNCTIONS = [
    *(f for name, f in DISTANCES.items()),
    metrics.mmd_test,
    metrics.proxy_a_distance,
    metrics.classifier_two_sample_test,
]


@pytest.fixture
def samples():
    rng = np.random.default_rng(0)
    return rng.normal(size=(30, 3)), rng.normal(size=(23, 3)) * 1.5 + [0.5, 0, 0]


@pytest.mark.parametrize("unbiased", [False, True])
def test_mmd_is_the_sum_over_all_pairs(samples, unbiased):
    X, Y = samples
    k = lambda A, B: rbf_kernel(A, B, gamma=0.3)  # noqa: E731
    Kxx, Kyy, n, m = k(X, X), k(Y, Y), len(X), len(Y)
    if unbiased:
        expected = (Kxx.sum() - n) / (n * (n - 1)) + (Kyy.sum() - m) / (m * (m - 1))
    else:
        expected = Kxx.mean() + Kyy.mean()
    expected -= 2 * k(X, Y).mean()
    assert_allclose(metrics.mmd(X, Y, gamma=0.3, unbiased=unbiased), expected, rtol=1e-10)


@pytest.mark.parametrize("tile_bytes", [8, 8 * 9, 8 * 25**2])
def test_tiles_do_not_change_the_value(samples, monkeypatch, tile_bytes):
    X, Y = samples
    functions = (metrics.mmd, metrics.energy_distance)
    whole = [f(X, Y) for f in functions]
    monkeypatch.setattr(_kernels, "_TILE_BYTES", tile_bytes)
    monkeypatch.setattr(_distances, "_TILE_BYTES", tile_bytes)
    assert_allclose([f(X, Y) for f in functions], whole, rtol=1e-10)


def test_permutations_of_the_test_are_those_of_the_statistic(samples):
    X, Y = samples
    Z = np.concatenate([X, Y])
    groups = np.stack([np.random.default_rng(i).permutation(53) < 30 for i in range(5)], axis=1)
    for unbiased in (False, True):
        found = _mmd.squared_mmds(Z, groups, unbiased=unbiased, kernel="rbf", gamma=0.2)
        for value, group in zip(found, groups.T, strict=True):
            direct = metrics.mmd(Z[group], Z[~group], gamma=0.2, unbiased=unbiased)
            assert_allclose(value, direct, rtol=1e-9, atol=1e-12)


def test_linear_mmd_is_the_distance_of_the_means(samples):
    X, Y = samples
    expected = np.sum((X.mean(axis=0) - Y.mean(axis=0)) ** 2)
    assert_allclose(metrics.mmd(X, Y, kernel="linear"), expected, rtol=1e-10)


def test_energy_distance_equals_scipy_in_one_dimension(samples):
    X, Y = (Z[:, :1] for Z in samples)
    expected = stats.energy_distance(X[:, 0], Y[:, 0])
    assert_allclose(metrics.energy_distance(X, Y), expected, rtol=1e-10)


def test_wasserstein_equals_scipy_in_one_dimension(samples):
    X, Y = (Z[:, :1] for Z in samples)
    expected = stats.wasserstein_distance(X[:, 0], Y[:, 0])
    assert_allclose(metrics.wasserstein_distance(X, Y, p=1), expected, rtol=1e-10)
    assert_allclose(
        metrics.sliced_wasserstein_distance(X, Y, p=1, n_projections=3), expected, rtol=1e-10
    )


def test_wasserstein_is_the_best_assignment(samples):
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    X, Y = samples[0][:23], samples[1]
    for p in (1, 2):
        cost = cdist(X, Y) ** p
        expected = cost[linear_sum_assignment(cost)].mean() ** (1 / p)
        assert_allclose(metrics.wasserstein_distance(X, Y, p=p), expected, rtol=1e-10)


def test_sliced_wasserstein_equals_pot(samples):
    ot = pytest.importorskip("ot")
    X, Y = samples
    directions = np.random.RandomState(0).normal(size=(3, 50))
    directions /= np.linalg.norm(directions, axis=0)
    for A, B in ((X, Y), (X[:23], Y)):
        expected = ot.sliced_wasserstein_distance(A, B, projections=directions)
        found = metrics.sliced_wasserstein_distance(A, B, n_projections=50, random_state=0)
        assert_allclose(found, expected, rtol=1e-8)


def test_coral_distance_is_the_frobenius_distance_of_the_covariances(samples):
    X, Y = samples
    expected = np.sum((np.cov(X.T) - np.cov(Y.T)) ** 2) / 36
    assert_allclose(metrics.coral_distance(X, Y), expected, rtol=1e-10)


@every_distance
def test_distance_is_symmetric(distance, samples):
    X, Y = samples
    assert_allclose(distance(X, Y), distance(Y, X), rtol=1e-9)


@every_distance
def test_distance_of_a_sample_to_itself_is_zero(distance, samples):
    X, _ = samples
    if distance is not DISTANCES["unbiased mmd"]:
        # the root of a rounding error stands where the distance of equal rows should
        assert abs(distance(X, X)) < (1e-4 if distance is metrics.energy_distance else 1e-7)


@every_distance
def test_order_of_the_rows_does_not_count(distance, samples):
    X, Y = samples
    assert_allclose(distance(X[::-1], Y[::-1]), distance(X, Y), rtol=1e-9)


@every_distance
def test_distance_grows_with_the_shift(distance, samples):
    X, _ = samples
    values = [distance(X, X * (1 + s) + s) for s in (0.1, 0.5, 1.0)]
    assert values == sorted(values)


@every_distance
def test_every_backend_gives_numpys_value(distance, samples, xp):
    X, Y = samples
    value = distance(xp.asarray(X), xp.asarray(Y))
    assert isinstance(value, float)
    assert_allclose(value, distance(X, Y), rtol=10 * xp.rtol, atol=1e-6 if xp.rtol > 1e-5 else 0)


def test_mmd_test_on_every_backend(samples, xp):
    X, Y = samples
    expected = metrics.mmd_test(X, Y, random_state=0)
    found = metrics.mmd_test(xp.asarray(X), xp.asarray(Y), random_state=0)
    assert_allclose(found, expected, rtol=10 * xp.rtol, atol=1e-6 if xp.rtol > 1e-5 else 0)


def test_configured_backend_is_used(samples):
    pytest.importorskip("torch")
    X, Y = samples
    with skda.config_context(backend="torch"):
        assert_allclose(metrics.mmd(X, Y), DISTANCES["mmd"](X, Y), rtol=1e-10)


@every_distance
def test_lists_frames_and_single_features(distance, samples):
    pd = pytest.importorskip("pandas")
    X, Y = samples
    assert_allclose(distance(X.tolist(), pd.DataFrame(Y)), distance(X, Y), rtol=1e-9)
    assert np.isfinite(distance(X[:, :1], Y[:, :1]))
    assert np.isfinite(distance(X[:2], Y[:2]))


@every_distance
def test_constant_features_and_duplicates_are_no_trouble(distance):
    X, Y = np.zeros((6, 2)), np.ones((5, 2))
    assert np.isfinite(distance(X, Y))
    assert abs(distance(X, X[:4])) < 1e-12


@pytest.mark.parametrize("function", FUNCTIONS)
def test_bad_samples_are_refused_in_words(function, samples):
    X, Y = samples
    with pytest.raises(ValueError, match="same number of features; got 3 and 2"):
        function(X, Y[:, :2])
    holes = X.copy()
    holes[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        function(holes, Y)
    with pytest.raises(ValueError, match="2D array"):
        function(X[:, 0], Y)
    with pytest.raises(TypeError, match="X is sparse"):
        function(sparse.csr_array(X), Y)


def test_too_few_rows_for_the_unbiased_estimate_are_refused(samples):
    X, Y = samples
    with pytest.raises(ValueError, match="minimum of 2"):
        metrics.mmd(X[:1], Y, unbiased=True)
    assert metrics.mmd(X[:1], Y) > 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda X, Y: metrics.mmd(X, Y, gamma=-1), "gamma must be"),
        (lambda X, Y: metrics.mmd(X, Y, kernel="precomputed"), "precomputed"),
        (lambda X, Y: metrics.mmd_test(X, Y, n_permutations=0), "n_permutations"),
        (lambda X, Y: metrics.wasserstein_distance(X, Y, p=0.5), "p must be"),
        (lambda X, Y: metrics.sliced_wasserstein_distance(X, Y, n_projections=0), "n_projections"),
        (lambda X, Y: metrics.proxy_a_distance(X, Y, cv=1), "cv must be"),
        (lambda X, Y: metrics.proxy_a_distance(X, Y, cv=2.5), "cv must be"),
        (lambda X, Y: metrics.proxy_a_distance(X, Y, estimator="x"), "estimator must be a class"),
        (
            lambda X, Y: metrics.classifier_two_sample_test(X, Y, estimator=3),
            "estimator must be a classifier",
        ),
        (lambda X, Y: metrics.classifier_two_sample_test(X, Y, test_size=0), "test_size must be"),
        (lambda X, Y: metrics.classifier_two_sample_test(X, Y, test_size="a"), "test_size must"),
        (lambda X, Y: metrics.mmd_test(X, Y, n_permutations=9.5), "n_permutations"),
        (lambda X, Y: metrics.mmd(X, Y, unbiased="no"), "unbiased must be True or False"),
        (lambda X, Y: metrics.mmd(X, Y, kernel="poly", degree=0), "degree must be"),
        (lambda X, Y: metrics.mmd(X, Y, kernel="poly", coef0=np.nan), "coef0 must be"),
        (lambda X, Y: metrics.wasserstein_distance(X, Y, p="one"), "p must be"),
        (lambda X, Y: metrics.sliced_wasserstein_distance(X, Y, p=np.inf), "p must be"),
        (lambda X, Y: metrics.sliced_wasserstein_distance(X, Y, n_projections=2.5), "n_proj"),
    ],
)
def test_bad_parameters_are_refused_in_words(call, message, samples):
    with pytest.raises(ValueError, match=message):
        call(*samples)


@pytest.mark.parametrize("function", [*DISTANCES.values(), metrics.mmd_test])
@pytest.mark.parametrize("scale", [1e200, 1e160, 1e-200])
def test_values_whose_squares_leave_the_range_are_refused(function, scale, samples):
    """A permutation test of NaN called these significant, or shifted samples equal."""
    X, Y = samples
    size = "large" if scale > 1 else "small"
    with pytest.raises(ValueError, match=rf"too {size} for sums of its power.*Scale the features"):
        function(X * scale, (Y + 1.0) * scale)


def test_values_just_inside_the_range_are_measured(samples):
    X, Y = samples
    for distance, factor in (
        (metrics.energy_distance, 1e70),
        (metrics.wasserstein_distance, 1e140),
    ):
        assert_allclose(distance(X * 1e140, Y * 1e140), factor * distance(X, Y), rtol=1e-6)
    assert metrics.mmd_test(X * 1e140, (Y + 5) * 1e140, random_state=0).pvalue == 0.005
    assert metrics.mmd_test(X * 1e140, X * 1e140, random_state=0).pvalue > 0.5


@pytest.mark.parametrize("function", [metrics.mmd, metrics.mmd_test])
def test_a_kernel_that_is_not_finite_is_refused(function, samples):
    X, Y = samples
    with pytest.raises(ValueError, match="not finite"):
        function(X, Y, kernel=lambda A, B: np.full((len(A), len(B)), np.inf))


def test_wasserstein_names_the_memory_that_it_needs(samples, monkeypatch):
    X, Y = samples
    monkeypatch.setattr(_distances, "_WARN_BYTES", 16 * 30 * 23 - 1)
    with pytest.warns(UserWarning, match=r"30 and 23 rows needs about 0\.0 GiB.*sliced_wasser"):
        metrics.wasserstein_distance(X, Y)
    monkeypatch.setattr(_distances, "_WARN_BYTES", 16 * 30 * 23)
    metrics.wasserstein_distance(X, Y)  # warnings are errors here

    def too_large(*arguments, **options):
        raise MemoryError

    monkeypatch.setitem(sys.modules, "ot", types.SimpleNamespace(emd2=too_large))
    with pytest.raises(MemoryError, match=r"needs about .* GiB of memory.*random part"):
        metrics.wasserstein_distance(X, Y)


def test_unbiased_mmd_has_mean_zero_and_the_test_its_level():
    """1,000 draws of one distribution, 8 + 12 rows: p ≤ 0.05 in at most 5 %, up to 3 sigma."""
    rng = np.random.default_rng(0)
    results = np.array(
        [
            metrics.mmd_test(
                rng.normal(size=(8, 2)),
                rng.normal(size=(12, 2)),
                n_permutations=39,
                random_state=rng.integers(2**31),
            )
            for _ in range(1000)
        ]
    )
    values, p = results.T
    assert abs(values.mean()) < 4 * values.std() / np.sqrt(1000)
    for level in (0.05, 0.2):
        assert abs((p <= level).mean() - level) < 3 * np.sqrt(level * (1 - level) / 1000)


def test_biased_mmd_is_biased():
    rng = np.random.default_rng(0)
    values = [metrics.mmd(rng.normal(size=(8, 2)), rng.normal(size=(12, 2))) for _ in range(50)]
    assert min(values) > 0


def test_mmd_test_has_power():
    """A shift of the mean by 0.8 in one of 3 features, 40 + 40 rows: found in 80 % of draws."""
    rng = np.random.default_rng(0)
    found = [
        metrics.mmd_test(
            rng.normal(size=(40, 3)),
            rng.normal(size=(40, 3)) + np.array([0.8, 0, 0]),
            n_permutations=99,
            random_state=i,
        ).pvalue
        <= 0.05
        for i in range(50)
    ]
    assert np.mean(found) >= 0.8


def test_classifier_test_keeps_its_level_and_has_power():
    rng = np.random.default_rng(0)
    draw = lambda n, move=0.0: rng.normal(size=(n, 2)) + np.array([move, 0])  # noqa: E731
    test = metrics.classifier_two_sample_test
    null = [test(draw(20), draw(30), random_state=i).pvalue for i in range(150)]
    assert np.mean(np.array(null) <= 0.1) <= 0.1 + 3 * np.sqrt(0.09 / 150)
    moved = [test(draw(60), draw(60, 1.2), random_state=i).pvalue for i in range(20)]
    assert np.mean(np.array(moved) <= 0.05) >= 0.9


def test_proxy_a_distance_does_not_count_the_sample_sizes():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(400, 2)), rng.normal(size=(40, 2))
    assert metrics.proxy_a_distance(X, Y, random_state=0) < 0.4
    assert metrics.proxy_a_distance(X, Y + 10, random_state=0) == pytest.approx(2.0, abs=0.02)


def test_float32_and_float64_samples_meet_in_float64(samples):
    X, Y = samples
    value = metrics.mmd(X.astype(np.float32), Y, gamma=0.3)
    assert_allclose(value, metrics.mmd(X.astype(np.float32).astype(float), Y, gamma=0.3))
