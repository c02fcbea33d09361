"""The shift table finds what moved, says nothing where nothing did, and takes any column."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse, stats

from skda.inspection import feature_shift
from skda.inspection._feature_shift import adjust_pvalues, population_stability_index

pd = pytest.importorskip("pandas")


@pytest.fixture
def shifted():
    rng = np.random.default_rng(0)
    sample_domain = rng.permutation(np.repeat([1, 2, -3], [150, 150, 200]))
    X = rng.normal(size=(500, 4))
    X[sample_domain < 0, 2] += 1.0
    X[sample_domain < 0, 0] *= 2.0
    return X, sample_domain


def test_measures_are_scipys(shifted):
    X, sample_domain = shifted
    table = feature_shift(X, sample_domain, correction=None)
    for j in range(4):
        s, t = X[sample_domain > 0, j], X[sample_domain < 0, j]
        row, ks = table.loc[f"x{j}"], stats.ks_2samp(s, t)
        assert_allclose([row["ks"], row["pvalue"]], ks)
        assert_allclose(row["wasserstein"], stats.wasserstein_distance(s, t) / s.std())
        assert row["adjusted_pvalue"] == row["pvalue"]


def test_what_moved_comes_first_and_is_significant(shifted):
    X, sample_domain = shifted
    table = feature_shift(X, sample_domain)
    assert table.index[:2].tolist() == ["x2", "x0"]
    assert (table["adjusted_pvalue"][:2] < 0.01).all()
    assert (table["adjusted_pvalue"][2:] > 0.05).all()
    assert (table["psi"][:2] > 0.2).all() and (table["psi"][2:] < 0.15).all()


def test_psi_is_zero_for_equal_proportions_and_finite_for_empty_bins():
    assert population_stability_index([10, 30], [10, 30]) == 0
    p, q = np.array([10.5, 0.5]) / 11, np.array([0.5, 10.5]) / 11
    assert_allclose(population_stability_index([10, 0], [0, 10]), np.sum((q - p) * np.log(q / p)))


def test_holm_and_fdr_by_hand():
    p = [0.01, 0.04, 0.03, 0.5]
    assert_allclose(adjust_pvalues(p, "holm"), [0.04, 0.09, 0.09, 0.5])
    assert_allclose(adjust_pvalues(p, "fdr"), stats.false_discovery_control(p))
    assert_allclose(adjust_pvalues(p, None), p)


def test_holm_keeps_the_level_over_many_features():
    rng = np.random.default_rng(0)
    sample_domain = np.repeat([1, -2], 30)
    alarms = [
        (feature_shift(rng.normal(size=(60, 8)), sample_domain)["adjusted_pvalue"] < 0.05).any()
        for _ in range(60)
    ]
    assert np.mean(alarms) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 60)


def test_frames_with_categories_and_missing_values():
    rng = np.random.default_rng(0)
    n = 200
    frame = pd.DataFrame(
        {
            "age": rng.normal(50, 10, 2 * n),
            "site": pd.Categorical(rng.choice(["a", "b"], 2 * n)),
            "sex": rng.choice(["f", "m"], 2 * n),
            "smokes": rng.choice([True, False], 2 * n),
            "count": pd.array(rng.integers(0, 9, 2 * n), dtype="Int64"),
        }
    )
    sample_domain = np.repeat([1, -2], n)
    frame.loc[n:, "sex"] = rng.choice(["f", "m", None], n, p=[0.7, 0.2, 0.1])
    frame.loc[: n // 4, "age"] = np.nan
    table = feature_shift(frame, sample_domain)
    assert set(table.index) == set(frame.columns)
    sex = table.loc["sex"]
    assert sex["adjusted_pvalue"] < 1e-3 and np.isnan(sex["wasserstein"])
    assert 0.03 < sex["missing_target"] < 0.2 and sex["missing_source"] == 0
    assert table.loc["age", "missing_source"] == (n // 4 + 1) / n
    assert table.loc["age", "psi"] > 0.25  # that values are missing is a shift
    assert table.loc["smokes", "adjusted_pvalue"] > 0.05


def test_constant_and_empty_features():
    X = np.ones((20, 3))
    X[10:, 1] = 2.0
    X[:10, 2] = np.nan
    table = feature_shift(X, np.repeat([1, -2], 10))
    assert table.loc["x0", "wasserstein"] == 0 and table.loc["x0", "pvalue"] == 1
    assert np.isinf(table.loc["x1", "wasserstein"])
    assert np.isnan(table.loc["x2", "ks"]) and table.loc["x2", "missing_source"] == 1


def test_torch_and_two_rows_a_domain():
    torch = pytest.importorskip("torch")
    table = feature_shift(torch.arange(8.0).reshape(4, 2), [1, 1, -2, -2])
    assert table["ks"].tolist() == [1.0, 1.0]


def test_bad_input_is_refused_in_words(shifted):
    X, sample_domain = shifted
    with pytest.raises(ValueError, match="has no target rows"):
        feature_shift(X, np.ones(500))
    with pytest.raises(ValueError, match="correction must be one of"):
        feature_shift(X, sample_domain, correction="bonferroni")
    with pytest.raises(ValueError, match="correction must be one of"):
        feature_shift(X, sample_domain, correction=True)
    for n_bins in (1, 2.5, True, None):
        with pytest.raises(ValueError, match="n_bins must be an integer"):
            feature_shift(X, sample_domain, n_bins=n_bins)
    for no_table in (None, "data"):
        with pytest.raises(ValueError, match="two-dimensional"):
            feature_shift(no_table, sample_domain)
    with pytest.raises(ValueError, match="two-dimensional"):
        feature_shift(X[:, 0], sample_domain)
    with pytest.raises(ValueError, match="X must not be complex"):
        feature_shift(X * 1j, sample_domain)
    with pytest.raises(TypeError, match="sparse"):
        feature_shift(sparse.csr_array(X), sample_domain)
