"""Fits on blocks are those in memory, whatever the blocks; or those of a sample, which says so."""

import pickle
import sys
import weakref

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.utils._testing import ignore_warnings

import skda.dask
from skda import (
    ComBatTransformer,
    CORALTransformer,
    DomainClassifierWeighter,
    DomainScaler,
    DomainWarning,
    GaussianWeighter,
    GFKTransformer,
    KMMWeighter,
    LabelShiftClassifier,
    LinearTransportTransformer,
    MIDATransformer,
    SubspaceAlignmentTransformer,
    TCATransformer,
    TrainOnSource,
    make_domain_pipeline,
)

# Blocks of equal, of odd and of single rows.
CHUNKS = [(150, 150), (7, 200, 1, 92)]

FROM_SUMS = [
    CORALTransformer(),
    CORALTransformer(reg="ledoit-wolf", strength=0.5),
    CORALTransformer(reg="oas", direction="to_source", match_mean=False),
    CORALTransformer(direction="to_common"),
    LinearTransportTransformer(),
    LinearTransportTransformer(direction="to_common", reg=0.1),
    DomainScaler(),
    ComBatTransformer(),
    ComBatTransformer(covariates=[1], reference="target"),
    SubspaceAlignmentTransformer(),
    SubspaceAlignmentTransformer(n_components=2, center=False),
    GFKTransformer(n_components=2),
    TCATransformer(n_components=2),
    MIDATransformer(n_components=2, kernel="linear"),
    MIDATransformer(kernel="linear", augment=False, reg=10.0),
]


@pytest.fixture(autouse=True)
def one_thread():
    """Run in this thread unless the test asks for the cluster."""
    with dask.config.set(scheduler="synchronous"):
        yield


def in_blocks(table, chunks=CHUNKS[1]):
    X, y, ids = table
    return (
        da.from_array(X, (chunks, -1)),
        da.from_array(y, (chunks,)),
        da.from_array(ids, (chunks,)),
    )


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
@pytest.mark.parametrize("estimator", FROM_SUMS, ids=str)
def test_a_fit_from_sums_is_that_in_memory(table, estimator, chunks):
    X, _, ids = table
    fitted = skda.dask.fit(estimator, *in_blocks(table, chunks))
    assert type(fitted) is type(estimator)
    assert fitted.dask_report_ == ("sums", len(X), len(X), "")
    expected = estimator.fit_transform(X, sample_domain=ids)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_allclose(again.transform(X, sample_domain=ids), expected, atol=1e-10)


@pytest.mark.parametrize("estimator", [FROM_SUMS[1], FROM_SUMS[8]], ids=str)
def test_blocks_on_a_cluster_give_the_same_fit(table, estimator, anywhere):
    X, _, ids = table
    blocks = in_blocks(table)
    fitted = skda.dask.fit(estimator, *blocks)
    moved = skda.dask.transform(fitted, blocks[0], blocks[2])
    assert moved.chunks[0] == blocks[0].chunks[0]
    expected = estimator.fit_transform(X, sample_domain=ids)
    np.testing.assert_allclose(moved.compute(), expected, atol=1e-10)


@pytest.mark.parametrize("reg", ["ledoit-wolf", 0.1])
def test_gaussian_weights_are_those_in_memory(table, reg):
    X, _, ids = table
    expected = GaussianWeighter(reg=reg, exponent=0.7).fit(X, sample_domain=ids)
    blocks = in_blocks(table)
    fitted = skda.dask.fit(GaussianWeighter(reg=reg, exponent=0.7), blocks[0], None, blocks[2])
    weights = skda.dask.predict_weights(fitted, blocks[0]).compute()
    np.testing.assert_allclose(weights[ids >= 0], expected.weights_, rtol=1e-10)
    assert fitted.effective_sample_size_ == pytest.approx(expected.effective_sample_size_)
    assert fitted.learnt_part_ == pytest.approx(expected.learnt_part_)


def test_domains_apart_are_warned_of_as_in_memory(table):
    X, _, ids = table
    X = X + 100.0 * (ids < 0)[:, None]
    blocks = in_blocks((X, X[:, 0], ids))
    for fit in (
        lambda: GaussianWeighter(min_effective_size=None).fit(X, sample_domain=ids),
        lambda: skda.dask.fit(
            GaussianWeighter(min_effective_size=None), blocks[0], None, blocks[2]
        ),
    ):
        with pytest.warns(DomainWarning, match="rest on few rows|do not overlap"):
            fit()


@pytest.mark.parametrize("method", ["em", "bbse", "rlls"])
@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("calibration", [None, "bcts"])
def test_priors_of_label_shift_are_those_in_memory(table, method, frozen, calibration):
    X, y, ids = table
    inner = LogisticRegression().fit(X[:150], y[:150])
    model = LabelShiftClassifier(
        FrozenEstimator(inner) if frozen else inner,
        method=method,
        check_fit=False,
        random_state=0,
        calibration=calibration,
    )
    expected = model.fit(X, y, sample_domain=ids).predict_proba(X)
    blocks = in_blocks(table)
    fitted = skda.dask.fit(model, *blocks)
    assert fitted.n_iter_ == model.n_iter_
    np.testing.assert_allclose(fitted.target_priors_, model.target_priors_, atol=1e-10)
    found = skda.dask.predict_proba(fitted, blocks[0])
    np.testing.assert_allclose(found.compute(), expected, atol=1e-10)
    assert found.shape == (len(X), 2)


def test_label_shift_judges_its_fit_by_histograms(table):
    X, y, ids = table
    inner = FrozenEstimator(LogisticRegression().fit(X, y))
    model = LabelShiftClassifier(inner).fit(X, y, sample_domain=ids)
    fitted = skda.dask.fit(LabelShiftClassifier(inner), *in_blocks(table))
    assert fitted.fit_gap_ == pytest.approx(model.fit_gap_, abs=0.02)
    assert fitted.fit_limit_ == pytest.approx(model.fit_limit_, rel=1e-6)
    X = X - 20.0 * (ids < 0)[:, None]
    with pytest.warns(DomainWarning, match="do not explain the target"):
        skda.dask.fit(LabelShiftClassifier(inner), *in_blocks((X, y, ids)))


@pytest.mark.parametrize("solver", ["nystroem", "fourier"])
@pytest.mark.parametrize("method", [TCATransformer, MIDATransformer])
def test_kernel_components_draw_their_basis_first(table, method, solver):
    X, _, ids = table
    spectral = method(n_components=2, kernel="rbf", solver=solver, n_basis=20, random_state=0)
    expected = spectral.fit_transform(X, sample_domain=ids)
    # All rows are in the sample that the basis is drawn from.
    fitted = skda.dask.fit(spectral, *in_blocks(table))
    assert fitted.dask_report_.method == "sums"
    np.testing.assert_allclose(fitted.transform(X, sample_domain=ids), expected, atol=1e-6)


@pytest.mark.parametrize(
    "estimator, why",
    [
        (DomainScaler(robust=True), "medians"),
        (GaussianWeighter(clip=3.0), "order of all weights"),
        (TCATransformer(kernel="rbf"), "kernel matrix"),
        (TCATransformer(label_weight=0.1), "label"),
        (TCATransformer(manifold_weight=0.1), "neighbor graph"),
        (MIDATransformer(kernel="linear", domain_columns=[0]), "row to row"),
        (MIDATransformer(kernel="rbf"), "kernel matrix"),
        (KMMWeighter(), "no sum"),
        (DomainClassifierWeighter(cv=2, random_state=0), "no sum"),
    ],
    ids=lambda p: str(p),
)
@ignore_warnings(category=DomainWarning)
def test_what_cannot_be_merged_is_fitted_on_rows_in_memory(table, estimator, why):
    X, y, ids = table
    fitted = skda.dask.fit(estimator, *in_blocks(table))
    assert fitted.dask_report_[:3] == ("rows", len(X), len(X))
    assert why in fitted.dask_report_.reason
    expected = estimator.fit(X, y, sample_domain=ids)
    method = "predict_weights" if hasattr(fitted, "predict_weights") else "transform"
    if hasattr(fitted, method):
        given = {"sample_domain": ids}
        found, expected = (getattr(e, method)(X, **given) for e in (fitted, expected))
    else:
        found, expected = fitted.weights_, expected.weights_
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_a_sample_is_stratified_and_said_in_the_result(table, monkeypatch):
    X, y, ids = table

    class Keep(PCA):
        def fit(self, X, y=None):
            self.seen_ = X, y
            return super().fit(X)

    blocks = in_blocks((np.column_stack([X, ids]), y, ids))
    monkeypatch.setattr("skda.dask._fit._SAMPLE_SIZE", 100)
    with pytest.warns(DomainWarning, match=r"Keep was fitted on a sample of \d+ of 300 rows"):
        skda.dask.fit(Keep(), *blocks)
    fitted = skda.dask.fit(Keep(), *blocks, sample_size=100, random_state=0)
    method, n, n_fitted, _ = fitted.dask_report_
    rows, labels = fitted.seen_
    assert (method, n) == ("sample", 300) and 95 <= n_fitted == len(rows) <= 100
    for domain in np.unique(ids):
        here = rows[:, -1] == domain
        assert here.sum() == pytest.approx((ids == domain).sum() / 3, abs=3)
        if domain >= 0:
            share = y[ids == domain].mean()
            assert labels[here].mean() == pytest.approx(share, abs=0.1)
    again = skda.dask.fit(Keep(), *blocks, sample_size=100, random_state=0)
    np.testing.assert_array_equal(again.seen_[0], rows)


def test_labels_of_target_rows_do_not_decide_on_a_sample(table):
    X, y, ids = table
    fits = []
    for labels in (y, np.where(ids < 0, 1 - y, y), np.where(ids < 0, np.nan, y)):
        model = TrainOnSource(LogisticRegression())
        how = {"sample_size": 60, "random_state": 0}
        fits.append(skda.dask.fit(model, *in_blocks((X, labels, ids)), **how))
    assert fits[0].dask_report_.n_samples == (ids >= 0).sum()
    np.testing.assert_array_equal(fits[0].coef_, fits[1].coef_)
    np.testing.assert_array_equal(fits[0].coef_, fits[2].coef_)


def test_a_pipeline_is_fitted_step_by_step(table, routing, anywhere):
    X, y, ids = table
    labels = np.where(ids < 0, np.nan, y)
    pipe = make_domain_pipeline(
        StandardScaler(), CORALTransformer(), "passthrough", LogisticRegression()
    )
    blocks = in_blocks((X, labels, ids))
    fitted = skda.dask.fit(pipe, *blocks)
    expected = pipe.fit(X, labels, sample_domain=ids)
    assert {name: r.method for name, r in fitted.dask_report_.items()} == {
        "standardscaler": "sums",
        "coraltransformer": "sums",
        "logisticregression": "rows",
    }
    np.testing.assert_allclose(fitted[-1].coef_, expected[-1].coef_, atol=1e-6)
    np.testing.assert_array_equal(fitted.predict(X), expected.predict(X))
    found = skda.dask.predict(fitted, blocks[0], blocks[2])
    np.testing.assert_array_equal(found.compute(), expected.predict(X, sample_domain=ids))
    assert found.dtype == expected.predict(X).dtype


def test_data_frames_keep_index_and_names(table, routing, anywhere):
    X, y, ids = table
    frame = pd.DataFrame(X, columns=list("abcd"), index=np.arange(300) * 2)
    frame["site"], frame["y"] = ids, np.where(y, "ill", "well")
    lazy = dd.from_pandas(frame, npartitions=3)
    rows, site = lazy[list("abcd")], lazy["site"]
    pipe = make_domain_pipeline(StandardScaler(), DomainScaler(), LogisticRegression())
    fitted = skda.dask.fit(pipe, rows, lazy["y"], site)
    given = frame[list("abcd")]
    expected = pipe.fit(given, frame["y"], sample_domain=ids)
    assert fitted[0].feature_names_in_.tolist() == list("abcd")
    found = skda.dask.predict(fitted, rows, site)
    pd.testing.assert_index_equal(found.compute().index, frame.index)
    assert (found.compute() == expected.predict(given, sample_domain=ids)).all()
    proba = skda.dask.predict_proba(fitted, rows, site)
    assert list(proba.columns) == ["ill", "well"]
    scaled = skda.dask.transform(fitted[0], rows)
    assert list(scaled.columns) == list("abcd")
    np.testing.assert_allclose(scaled.compute(), expected[0].transform(given), atol=1e-10)


def test_no_step_holds_more_than_a_few_blocks(table):
    X, _, ids = table
    alive, most = [0], []

    def release():
        alive[0] -= 1

    def load(block_info=None):
        start, stop = block_info[None]["array-location"][0]
        rows = X[start:stop].copy()
        weakref.finalize(rows, release)
        alive[0] += 1
        most.append(alive[0])
        return rows

    blocks = da.map_blocks(load, chunks=((10,) * 30, (4,)), dtype=float, meta=X[:0])
    lazy_ids = da.from_array(ids, 10)
    fitted = skda.dask.fit(CORALTransformer(), blocks, None, lazy_ids)
    skda.dask.transform(fitted, blocks, lazy_ids).sum().compute()
    assert len(most) == 60  # every block once for the fit and once for the transform
    assert max(most) <= 2


def test_without_domains_all_rows_are_source(table):
    X, _, _ = table
    blocks = in_blocks(table)[0]
    with pytest.warns(DomainWarning, match="without sample_domain"):
        fitted = skda.dask.fit(DomainScaler(), blocks)
    with pytest.warns(DomainWarning, match="without sample_domain"):
        expected = DomainScaler().fit(X)
    np.testing.assert_allclose(
        skda.dask.transform(fitted, blocks), expected.transform(X), atol=1e-10
    )


def test_blocks_without_rows_and_of_unknown_size_pass(table):
    X, y, ids = table
    X, y, ids = (x[np.asarray(ids < 100)] for x in in_blocks((X, y, ids), (100, 100, 100)))
    keep = X[:, 0] < np.inf
    keep[100:200] = False
    kept = slice(0, 100), slice(200, 300)
    X, ids = X[keep], ids[keep]
    assert np.isnan(X.shape[0])
    fitted = skda.dask.fit(CORALTransformer(), X, None, ids)
    rows, domains = (np.concatenate([part[s] for s in kept]) for part in (table[0], table[2]))
    expected = CORALTransformer().fit_transform(rows, sample_domain=domains)
    found = skda.dask.transform(fitted, X, ids).compute()
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_float32_blocks_are_merged_in_float64():
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(4000, 3)) + 50.0).astype(np.float32)
    ids = np.tile([1, -2], 2000)
    blocks = da.from_array(X, (100, 3))
    fitted = skda.dask.fit(LinearTransportTransformer(), blocks, None, ids)
    expected = LinearTransportTransformer().fit(X.astype(np.float64), sample_domain=ids)
    np.testing.assert_allclose(fitted.means_[1], expected.means_[1], rtol=1e-6)
    np.testing.assert_allclose(fitted.maps_[1], expected.maps_[1], atol=1e-5)
    assert skda.dask.transform(fitted, blocks, ids).dtype == np.float32


@pytest.mark.parametrize(
    "how, error",
    [
        ({"X": np.zeros((3, 2))}, "X must be a dask array or data frame"),
        ({"sample_domain": np.ones(5)}, "one value per row of X; got 5 values for 300 rows"),
        ({"sample_domain": np.ones(300)}, "no target rows"),
        ({"sample_domain": -np.ones(300)}, "no source rows"),
        ({"sample_size": 0}, "sample_size must be an integer"),
        ({"y": np.zeros(299)}, "y must have one value per row"),
    ],
    ids=str,
)
def test_bad_input_is_named(table, how, error):
    X, y, ids = in_blocks(table)
    given = {"X": X, "y": y, "sample_domain": ids} | how
    with pytest.raises(ValueError, match=error):
        skda.dask.fit(CORALTransformer(), **given)


def test_what_sums_cannot_do_is_refused_as_in_memory(table):
    X, y, ids = in_blocks(table)
    with pytest.raises(ValueError, match=r"contains NaN"):
        skda.dask.fit(CORALTransformer(), da.where(X > 2.0, np.nan, X), None, ids)
    with pytest.raises(ValueError, match="at least 2 rows in each domain"):
        skda.dask.fit(CORALTransformer(), X[:3], None, np.array([1, 1, -2]))
    with pytest.raises(ValueError, match="sample_size must be at least the number of domains"):
        skda.dask.fit(KMMWeighter(), X, y, ids, sample_size=3)
    fitted = skda.dask.fit(DomainScaler(), X, y, ids)
    with pytest.raises(ValueError, match="not fitted on"):
        skda.dask.transform(fitted, X, np.full(300, 7)).compute()


def test_a_standard_scaler_is_that_of_all_rows(table):
    X, y, ids = table
    X = np.column_stack([X * 10.0 + 3.0, np.full(len(X), 7.0)])
    fitted = skda.dask.fit(StandardScaler(), *in_blocks((X, y, ids)))
    expected = StandardScaler().fit(X)
    assert fitted.dask_report_.method == "sums" and fitted.n_samples_seen_ == len(X)
    np.testing.assert_allclose(fitted.mean_, expected.mean_, rtol=1e-12)
    np.testing.assert_allclose(fitted.scale_, expected.scale_, rtol=1e-12)
    X[3, 0] = np.nan
    fitted = skda.dask.fit(StandardScaler(), *in_blocks((X, y, ids)))
    assert fitted.dask_report_.method == "rows" and "missing" in fitted.dask_report_.reason
    np.testing.assert_allclose(fitted.mean_, StandardScaler().fit(X).mean_, rtol=1e-12)


def test_without_dask_the_error_names_the_extra(table, monkeypatch):
    blocks = in_blocks(table)
    monkeypatch.setitem(sys.modules, "dask.array", None)
    with pytest.raises(ImportError, match=r"pip install 'skda\[dask\]'"):
        skda.dask.fit(CORALTransformer(), *blocks)


def test_a_later_site_is_learnt_by_what_was_fitted_from_sums(table):
    X, _, ids = table
    coral = CORALTransformer(direction="to_source")
    blocks = in_blocks(table)
    fitted = skda.dask.fit(coral, blocks[0], None, blocks[2])
    new, site = X[:80] * 2.0 - 1.0, np.full(80, -7)
    expected = coral.fit(X, sample_domain=ids).partial_fit(new, sample_domain=site)
    fitted.partial_fit(new, sample_domain=site)
    found, expected = (e.transform(new, sample_domain=site) for e in (fitted, expected))
    np.testing.assert_allclose(found, expected, atol=1e-10)
    weighter = skda.dask.fit(GaussianWeighter(), blocks[0], None, blocks[2])
    with pytest.raises(ValueError, match="cannot go on from fit"):
        weighter.partial_fit(new, sample_domain=site)


@pytest.mark.parametrize(
    "estimator", [CORALTransformer(), SubspaceAlignmentTransformer(), TCATransformer()], ids=str
)
def test_more_features_than_rows_are_fitted_on_rows(estimator):
    X = np.random.default_rng(0).normal(size=(12, 20))
    ids = np.tile([1, -2], 6)
    fitted = skda.dask.fit(estimator, da.from_array(X, (5, 20)), None, ids)
    assert fitted.dask_report_.method == "rows"
    assert "more features than rows" in fitted.dask_report_.reason
    expected = estimator.fit_transform(X, sample_domain=ids)
    np.testing.assert_allclose(fitted.transform(X, sample_domain=ids), expected, atol=1e-10)
