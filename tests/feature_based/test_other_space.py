"""Domains without shared columns: plans of rows and columns against POT and brute force."""

from itertools import permutations

import numpy as np
import ot
import pandas as pd
import pytest
from ot.coot import co_optimal_transport, co_optimal_transport2
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from skda import CoOptimalTransportTransformer, GromovWassersteinTransformer, stack_domains

BOTH = [CoOptimalTransportTransformer(), GromovWassersteinTransformer()]


def blocks(source, target):
    """One X of both tables, and sample_domain."""
    width = source.shape[1] + target.shape[1]
    X = np.full((len(source) + len(target), width), np.nan)
    X[: len(source), : source.shape[1]] = source
    X[len(source) :, source.shape[1] :] = target
    return X, np.repeat([1, -2], [len(source), len(target)])


def lopsided(n, d, seed=0):
    """Rows of columns that differ in skew and level, so that no two can be taken for each other."""
    rng = np.random.default_rng(seed)
    return rng.exponential(size=(n, d)) ** np.linspace(0.5, 2.0, d) * np.arange(1, d + 1)


def test_the_plans_are_those_of_pot():
    rng = np.random.default_rng(0)
    source, target = rng.exponential(size=(12, 4)), rng.exponential(size=(15, 3))
    center = 0.5 * (source.mean() + target.mean())
    unit = np.sqrt(((source - center) ** 2).mean() + ((target - center) ** 2).mean())
    for reg in (None, 0.1):
        X, d = blocks(source, target)
        coot = CoOptimalTransportTransformer(reg=reg).fit(X, sample_domain=d)
        rows, columns = co_optimal_transport(
            (source - center) / unit, (target - center) / unit, epsilon=reg or 0
        )
        np.testing.assert_allclose(coot.column_plans_[1], columns, atol=1e-9)
        wanted = rows @ target / rows.sum(1, keepdims=True)
        np.testing.assert_allclose(coot.images_[1], wanted, atol=1e-8)


def test_a_table_in_another_order_is_put_back_in_order():
    source = lopsided(30, 4)
    rng = np.random.default_rng(1)
    columns = rng.permutation(4)
    X, d = blocks(source, source[rng.permutation(30)][:, columns])
    coot = CoOptimalTransportTransformer()
    out = coot.fit_transform(X, sample_domain=d)
    np.testing.assert_allclose(out[:30], source[:, columns], atol=1e-9)
    np.testing.assert_allclose(coot.column_plans_[1][columns], np.eye(4) / 4, atol=1e-9)


def test_on_small_tables_no_pair_of_permutations_is_better():
    source, target = lopsided(4, 3), lopsided(4, 3, seed=3)

    def cost(rows, columns):
        return ((source[list(rows)][:, list(columns)] - target) ** 2).mean()

    best = min(cost(r, c) for r in permutations(range(4)) for c in permutations(range(3)))
    found = co_optimal_transport2(source, target)
    assert found == pytest.approx(best)
    X, d = blocks(source, target)
    plans = CoOptimalTransportTransformer().fit(X, sample_domain=d)
    assert ((plans.column_plans_[1] > 1e-9).sum(0) == 1).all()


def test_an_unbalanced_plan_leaves_out_what_has_no_partner():
    source = lopsided(20, 3)
    target = np.vstack([source, source[:2] + 500.0])
    X, d = blocks(source, target)
    whole = CoOptimalTransportTransformer(reg=0.01).fit(X, sample_domain=d).images_[1]
    part = CoOptimalTransportTransformer(reg=0.01, marginal_reg=0.1).fit(X, sample_domain=d)
    assert np.abs(part.images_[1] - source).mean() < 0.5 * np.abs(whole - source).mean()


def test_gromov_wasserstein_is_that_of_pot():
    source, target = lopsided(15, 3), lopsided(15, 2, seed=2)
    X, d = blocks(source, target)
    C, D = (ot.dist(rows, rows, metric="euclidean") for rows in (source, target))
    plan = ot.gromov.gromov_wasserstein(C / C.mean(), D / D.mean(), max_iter=1000)
    gw = GromovWassersteinTransformer().fit(X, sample_domain=d)
    np.testing.assert_allclose(gw.images_[1], plan @ target * 15, atol=1e-8)


def test_a_rotated_cloud_is_matched_row_by_row():
    source = lopsided(40, 3)
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    X, d = blocks(source, source @ rotation + 9.0)
    out = GromovWassersteinTransformer().fit_transform(X, sample_domain=d)
    assert (np.abs(out[:40] - (source @ rotation + 9.0)).max(axis=1) < 1e-6).mean() > 0.8


@pytest.mark.parametrize("estimator", BOTH)
def test_the_output_has_the_columns_of_the_target(estimator):
    rng = np.random.default_rng(0)
    here = pd.DataFrame(rng.exponential(size=(20, 2)), columns=["a", "b"])
    there = pd.DataFrame(rng.exponential(size=(25, 3)), columns=["u", "v", "w"])
    X, _, d = stack_domains(here, None, there, join="outer")
    out = estimator.set_output(transform="pandas").fit_transform(X, sample_domain=d)
    assert list(out.columns) == ["u", "v", "w"]
    np.testing.assert_array_equal(out[d < 0], there)
    new = X[d > 0].head(3) + 1e-9
    near = estimator.transform(new, sample_domain=[1, 1, 1])
    np.testing.assert_allclose(near, out.head(3))
    estimator.set_output(transform="default")


@pytest.mark.parametrize("estimator", BOTH)
def test_gaps_and_empty_sides_are_refused(estimator):
    X, d = blocks(lopsided(6, 2), lopsided(6, 2))
    gap = X.copy()
    gap[0, 0] = np.nan
    with pytest.raises(ValueError, match=r"source 1 rows must have a value in each column"):
        estimator.fit(gap, sample_domain=d)
    X[d < 0] = np.nan
    with pytest.raises(ValueError, match="target rows have no value in any column"):
        estimator.fit(X, sample_domain=d)
    X, d = blocks(lopsided(1, 2), lopsided(6, 2))
    with pytest.raises(ValueError, match="source 1 has 1 sample"):
        estimator.fit(X, sample_domain=d)
    X, d = blocks(lopsided(6, 2), lopsided(6, 2))
    fitted = estimator.fit(X, sample_domain=d)
    with pytest.raises(ValueError, match="Rows of source 1 must have values"):
        fitted.transform(gap[:1], sample_domain=[1])


@pytest.mark.parametrize(
    ("estimator", "words"),
    [
        (CoOptimalTransportTransformer(reg=0.0), "reg must be a positive number"),
        (CoOptimalTransportTransformer(reg=1.0, marginal_reg=-1), "marginal_reg must be"),
        (CoOptimalTransportTransformer(marginal_reg=1.0), "marginal_reg=1.0 needs entropic"),
        (CoOptimalTransportTransformer(use_target_labels="yes"), "use_target_labels must be True"),
        (CoOptimalTransportTransformer(class_reg=-1), "class_reg must be"),
        (CoOptimalTransportTransformer(max_iter=0), "max_iter must be"),
        (CoOptimalTransportTransformer(tol=0), "tol must be"),
        (GromovWassersteinTransformer(reg=-1), "reg must be a positive number"),
        (GromovWassersteinTransformer(class_reg=1.0), "class_reg must be"),
        (GromovWassersteinTransformer(use_target_labels=1), "use_target_labels must be True"),
        (GromovWassersteinTransformer(max_iter=0.5), "max_iter must be"),
        (GromovWassersteinTransformer(tol=-1), "tol must be"),
    ],
)
def test_bad_parameters_are_named(estimator, words):
    X, d = blocks(lopsided(6, 2), lopsided(6, 2))
    y = np.arange(12) % 2
    with pytest.raises(ValueError, match=words):
        estimator.fit(X, y, sample_domain=d)


# What it is for: a model of one table used on another, whose columns nobody has matched.


def accuracy(estimator, n_labeled=0, seeds=5):
    scores = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        y = rng.permutation(np.repeat([0, 1, 2], [20, 30, 50]))
        latent = np.array([[0.0, 0.0], [4.0, 1.0], [3.0, 7.0]])[y] + rng.normal(size=(100, 2))
        source = StandardScaler().fit_transform(latent[:60] @ rng.normal(size=(2, 4)))
        target = StandardScaler().fit_transform(latent[60:] @ rng.normal(size=(2, 3)))
        X, d = blocks(source, target)
        known = y.astype(float)
        known[60 + n_labeled :] = np.nan
        out = estimator.fit_transform(X, known, sample_domain=d)
        model = LogisticRegression(max_iter=1000).fit(out[:60], y[:60])
        later = slice(60 + n_labeled, None)
        scores.append(model.score(out[later], y[later]))
    return np.mean(scores)


@pytest.mark.parametrize(
    "estimator",
    [
        CoOptimalTransportTransformer(use_target_labels=True),
        GromovWassersteinTransformer(use_target_labels=True),
    ],
)
def test_a_few_target_labels_carry_the_classes_over(estimator):
    with_labels = accuracy(estimator, n_labeled=12)
    assert with_labels > 0.6  # half of the rows are of one class
    assert with_labels > accuracy(type(estimator)(), n_labeled=12) + 0.1


@pytest.mark.parametrize("method", [CoOptimalTransportTransformer, GromovWassersteinTransformer])
def test_plans_that_do_not_fit_are_refused_beforehand(method, monkeypatch):
    X = np.random.default_rng(0).normal(size=(40, 2))
    monkeypatch.setattr("skda._numerics._budget._free_bytes", lambda: 1000)
    with pytest.raises(MemoryError, match=r"plans between 20 source rows.*Fit on a sample"):
        method().fit(X, sample_domain=np.repeat([1, -2], 20))
