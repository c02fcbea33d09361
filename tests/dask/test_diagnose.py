"""A diagnosis of a table in blocks, from a sample and from counts of all rows."""

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

import skda.dask
from skda.dask._diagnose import in_proportion
from skda.datasets import make_covariate_shift, make_label_shift
from skda.inspection import diagnose

QUICK = {"n_permutations": 49, "random_state": 0}


@pytest.fixture
def one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def blocks(X, size=700):
    return da.from_array(X, (size, X.shape[1]))


def label_shift(n, n_labels=30):
    """Rows of a label shift, of which some target rows far back have labels."""
    X, y, ids = make_label_shift(n, n, noise=0.8, random_state=0)
    y = y.astype(float)
    y[np.flatnonzero(ids < 0)[:-n_labels]] = np.nan
    return X, y, ids


def test_kind_and_sizes_of_a_large_table(anywhere):
    X, y, ids = label_shift(900)
    y = da.from_array(y, 700)
    report = skda.dask.diagnose(blocks(X), y, ids, max_rows=200, **QUICK)
    assert report.kind == "label"
    sizes = report["SIZE"].evidence
    assert (sizes["source_rows"], sizes["target_rows"]) == (900, 900)
    assert (sizes["used_source"], sizes["used_target"]) == (200, 200)
    assert sizes["labeled_target_rows"] == 30  # none of the few is lost
    assert "200 and 200 were used" in report["SIZE"].text
    # Features are compared over all rows.
    expected = skda.dask.feature_shift(blocks(X), ids, random_state=0)
    np.testing.assert_allclose(report.features["ks"], expected["ks"])


def test_a_small_table_is_diagnosed_as_in_memory(one_thread):
    X, y, ids = make_covariate_shift(120, 120, random_state=0)
    y = y.astype(float)
    y[np.flatnonzero(ids < 0)[20:]] = np.nan
    found = skda.dask.diagnose(blocks(X, 50), y, ids, **QUICK)
    expected = diagnose(X, y, ids, **QUICK)
    assert found.kind == expected.kind == "covariate"
    assert found["SIZE"].evidence == expected["SIZE"].evidence
    for code in ("OVERLAP", "PRIORS"):
        assert found[code].severity == expected[code].severity
    assert found["LOSS"].evidence["target"] == pytest.approx(
        expected["LOSS"].evidence["target"], abs=0.15
    )


def test_rare_classes_and_small_domains_keep_their_proportions(one_thread):
    rng = np.random.default_rng(0)
    n = 6000
    ids = rng.choice([1, 2, -3], n, p=[0.01, 0.59, 0.4])
    y = (rng.random(n) < 0.02).astype(int)
    X = rng.normal(size=(n, 2)) + 2.0 * y[:, None]
    report = skda.dask.diagnose(blocks(X), np.where(ids < 0, -1, y), ids, max_rows=1000, **QUICK)
    assert report["SOURCES"].evidence["sources"] == 2
    own = report.curves["ids"]
    assert (own >= 0).sum() == (own < 0).sum() == 1000
    part = (ids == 1).sum() / (ids >= 0).sum()
    assert (own == 1).sum() == pytest.approx(1000 * part, abs=1)
    # A sample stratified by class would hold as many as thirty of the rare one in any case.
    source = report["PRIORS"].evidence["1"]["source"]
    assert 0.008 < source < 0.029


def test_frames_with_categories_and_text(one_thread):
    X, y, ids = label_shift(300)
    frame = pd.DataFrame(X, columns=["a", "b"])
    frame["group"] = np.where(ids < 0, "north", "south")
    frame["name"] = [f"patient {i}" for i in range(len(X))]
    lazy = dd.from_pandas(frame.assign(y=y, site=ids), npartitions=4)
    report = skda.dask.diagnose(lazy[list(frame)], lazy["y"], lazy["site"], max_rows=150, **QUICK)
    assert report["TEXT"].evidence["columns"] == ["name"]
    assert report["NEWCAT"].evidence == {"group": ["north"]}
    assert sorted(report.features.index) == ["a", "b", "group"]


def test_rows_alone_and_bad_arguments(one_thread):
    X, y, ids = label_shift(100)
    assert skda.dask.diagnose(blocks(X, 60), None, ids, **QUICK).kind == "unknown"
    with pytest.raises(ValueError, match="max_rows must be"):
        skda.dask.diagnose(blocks(X), y, ids, max_rows=5)
    with pytest.raises(ValueError, match="no target rows"):
        skda.dask.diagnose(blocks(X), y, np.ones(len(X), int))


def test_parts_add_up():
    assert in_proportion({"a": 1, "b": 3, "c": 3}, 4) in (
        {"a": 0, "b": 2, "c": 2},
        {"a": 1, "b": 2, "c": 1},
        {"a": 1, "b": 1, "c": 2},
    )
    assert in_proportion({"a": 2, "b": 1}, 10) == {"a": 2, "b": 1}
