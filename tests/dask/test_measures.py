"""Measures of shift on blocks against those in memory, and searches on a cluster."""

import dask
import dask.array as da
import dask.dataframe as dd
import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

import skda.dask
from skda import CORALTransformer, make_domain_pipeline
from skda.inspection import feature_shift
from skda.metrics import mmd
from skda.model_selection import DomainStratifiedKFold


@pytest.fixture(autouse=True)
def one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def test_features_shift_as_in_memory(table):
    X, y, ids = table
    frame = pd.DataFrame(X, columns=list("abcd"))
    frame["few"] = np.where(ids < 0, y, 2 * y).astype(float)
    frame.loc[::7, "a"] = np.nan
    frame["name"] = np.where(y, "x", "z")
    expected = feature_shift(frame, ids)
    lazy = dd.from_pandas(frame.assign(site=ids), npartitions=4)
    found = skda.dask.feature_shift(lazy[list(frame)], lazy["site"])
    found = found.loc[expected.index]
    # All rows are in the sample, whose values are the edges then.
    for name in ("ks", "missing_source", "missing_target"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-10)
    np.testing.assert_allclose(found["wasserstein"], expected["wasserstein"], atol=1e-8)
    np.testing.assert_allclose(found["psi"], expected["psi"], rtol=0.2, atol=0.02)
    np.testing.assert_allclose(found["pvalue"], expected["pvalue"], atol=0.03)


def test_a_sketch_of_many_values_misses_little():
    rng = np.random.default_rng(0)
    X = rng.lognormal(size=(20_000, 1))
    ids = np.repeat([1, -2], 10_000)
    X[ids < 0] *= 1.2
    expected = feature_shift(X, ids)
    how = {"sample_size": 2000, "random_state": 0}
    found = skda.dask.feature_shift(da.from_array(X, (3000, 1)), ids, **how)
    assert found["ks"].iloc[0] == pytest.approx(expected["ks"].iloc[0], abs=3e-3)
    assert found["wasserstein"].iloc[0] == pytest.approx(expected["wasserstein"].iloc[0], rel=0.02)
    assert found["psi"].iloc[0] == pytest.approx(expected["psi"].iloc[0], rel=0.05)


@pytest.mark.parametrize("kernel", ["rbf", "laplacian"])
def test_mmd_by_random_features_is_near_the_exact_one(table, kernel):
    X, _, ids = table
    exact = mmd(X[ids >= 0], X[ids < 0], kernel=kernel)
    blocks = da.from_array(X, (77, 4))
    how = {"kernel": kernel, "n_features": 4000, "random_state": 0}
    assert skda.dask.mmd(blocks, ids, **how) == pytest.approx(exact, rel=0.1)


def test_mmd_does_not_depend_on_the_blocks(table):
    X, _, ids = table
    how = {"gamma": 0.1, "n_features": 50, "random_state": 0}
    one, many = (skda.dask.mmd(da.from_array(X, (n, 4)), ids, **how) for n in (300, 11))
    assert one == pytest.approx(many, rel=1e-10)
    assert skda.dask.mmd(da.from_array(X, (300, 4)), ids, **how | {"random_state": 1}) != one


def test_a_search_runs_on_the_cluster(table, routing, cluster):
    X, y, ids = table
    pipe = make_domain_pipeline(CORALTransformer(), LogisticRegression())
    search = GridSearchCV(
        pipe, {"coraltransformer__strength": [0.0, 1.0]}, cv=DomainStratifiedKFold(2)
    )
    expected = search.fit(X, y, sample_domain=ids).cv_results_["mean_test_score"]
    with cluster.as_current(), joblib.parallel_config(backend="dask"):
        found = search.fit(X, y, sample_domain=ids).cv_results_["mean_test_score"]
    np.testing.assert_allclose(found, expected)
