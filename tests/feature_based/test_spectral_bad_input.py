"""Awkward data through every alignment by components or subspaces."""

import warnings
from functools import partial

import numpy as np
import pytest
from sklearn.base import clone

from skda import (
    DIPLSRegressor,
    EasyTLClassifier,
    GFKTransformer,
    JDATransformer,
    MEDAClassifier,
    MIDATransformer,
    SubspaceAlignmentTransformer,
    TCATransformer,
    TJMTransformer,
)

KERNEL = [TCATransformer, JDATransformer, TJMTransformer, MIDATransformer]
SUBSPACE = [SubspaceAlignmentTransformer, GFKTransformer]
LAST = [MEDAClassifier, EasyTLClassifier, DIPLSRegressor]
EVERY = [*KERNEL, *SUBSPACE, *LAST]


def data(n=40, m=40, d=5, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n + m)
    X = rng.normal(size=(n + m, d)) + 2.0 * y[:, None]
    ids = np.repeat([1, -2], [n, m])
    X[ids < 0] += 0.5
    return X, y, ids


def output(estimator, X, y, ids):
    estimator.fit(X, y, sample_domain=ids)
    if hasattr(estimator, "transform"):
        return estimator.transform(X, sample_domain=ids)
    return estimator.predict(X, sample_domain=ids)


@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize("sizes", [(3, 200), (200, 3), (1, 50), (50, 1)])
def test_lopsided_domains_give_finite_results(method, sizes):
    X, y, ids = data(*sizes)
    y[0] = 1 - y[min(1, sizes[0] - 1)] if sizes[0] > 1 else y[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # fewer components than asked for
        assert np.isfinite(output(method(), X, y, ids)).all()


@pytest.mark.parametrize("method", [*KERNEL, *SUBSPACE])
def test_more_components_than_rows_or_rank_warn_and_work(method):
    X, y, ids = data(8, 7, 3)
    with pytest.warns(UserWarning, match="n_components"):
        Z = output(method(1000), X, y, ids)
    assert np.isfinite(Z).all()


@pytest.mark.parametrize("method", EVERY)
def test_identical_domains_are_left_with_what_the_source_says(method):
    X, y, _ = data(60, 0)
    ids = np.repeat([1, -2], 60)
    # With the domain among the features its rows are not the same in both.
    estimator = method(augment=False) if method is MIDATransformer else method()
    result = output(estimator, np.vstack([X, X]), np.r_[y, y], ids)
    np.testing.assert_allclose(result[:60], result[60:], atol=1e-6 * np.abs(result).max())


@pytest.mark.parametrize("method", EVERY)
def test_duplicated_rows_and_a_constant_feature_are_no_trouble(method):
    X, y, ids = data()
    X, y, ids = np.repeat(X, 3, axis=0), np.repeat(y, 3), np.repeat(ids, 3)
    X[:, 1] = 7.0
    assert np.isfinite(output(method(), X, y, ids)).all()


@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_extreme_scales_give_finite_results(method, scale):
    X, y, ids = data()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert np.isfinite(output(method(), X * scale, y, ids)).all()


@pytest.mark.parametrize(
    "method",
    [partial(TCATransformer, kernel="rbf"), TJMTransformer, MIDATransformer, GFKTransformer],
)
@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_median_bandwidth_and_axes_do_not_depend_on_the_unit(method, scale):
    X, y, ids = data()
    Z = output(method(2), X, y, ids)
    if method is GFKTransformer:
        Z = Z * scale
    np.testing.assert_allclose(
        output(method(2), X * scale, y, ids), Z, rtol=1e-5, atol=1e-6 * np.abs(Z).max()
    )


@pytest.mark.parametrize("method", EVERY)
def test_more_features_than_rows_are_no_trouble(method):
    X, y, ids = data(12, 10, 200)
    assert np.isfinite(output(method(), X, y, ids)).all()


@pytest.mark.parametrize("method", [JDATransformer, MEDAClassifier, EasyTLClassifier])
def test_a_class_of_the_source_that_the_target_lacks_is_no_trouble(method):
    X, y, ids = data(60, 60)
    y[:10], X[:10] = 2, X[:10] + 50.0
    assert np.isfinite(output(method(), X, y, ids)).all()


@pytest.mark.parametrize("method", KERNEL)
@pytest.mark.parametrize("gamma", [0, -1.0, "auto"])
def test_bandwidths_that_mean_nothing_raise(method, gamma):
    X, y, ids = data()
    with pytest.raises(ValueError, match="gamma must be a positive number"):
        method(kernel="rbf", gamma=gamma).fit(X, y, sample_domain=ids)


BANDWIDTH = [
    TCATransformer(3, kernel="rbf"),
    TCATransformer(3, solver="nystroem", random_state=0, kernel="rbf"),
    TCATransformer(3, solver="fourier", random_state=0, kernel="rbf"),
    TCATransformer(3, kernel="laplacian"),
    JDATransformer(3),
    TJMTransformer(3),
    MIDATransformer(3),
    MEDAClassifier(),
]


@pytest.mark.parametrize("method", BANDWIDTH, ids=repr)
@pytest.mark.parametrize(
    ("gamma", "fault"), [(1e-18, "constant"), (1e9, "identity"), (1e20, "identity")]
)
def test_bandwidths_far_too_wide_or_narrow_warn_and_stay_finite(method, gamma, fault):
    X, y, ids = data()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = output(clone(method).set_params(gamma=gamma), X, y, ids)
    messages = [str(warning.message) for warning in caught]
    assert fault in messages[0]
    assert not any("encountered" in message for message in messages), messages  # NumPy's
    assert np.abs(result).max() < 100  # infinite for narrow ones, and for wide ones in TJM, once


@pytest.mark.parametrize(
    "method",
    [
        TCATransformer(3, kernel="linear"),
        JDATransformer(3, kernel="linear"),
        TJMTransformer(3, kernel="linear"),
        MIDATransformer(3, kernel="linear", augment=False),
    ],
)
@pytest.mark.parametrize("wide", [False, True])
def test_a_linear_kernel_keeps_its_components_in_float32_whatever_the_offset(method, wide):
    rng = np.random.default_rng(0)
    n, d = (10, 40) if wide else (40, 5)
    X, ids = rng.normal(size=(2 * n, d)) * np.linspace(3.0, 1.0, d), np.repeat([1, -2], n)
    X[n:] += 0.3
    y = np.tile([0, 1], n)
    expected = clone(method).fit_transform(X - X.mean(axis=0), y, sample_domain=ids)
    far = (X + 1000.0).astype(np.float32)
    found = clone(method).fit_transform(far, y, sample_domain=ids)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=2e-2 * np.abs(expected).max())
    assert clone(method).fit(X + 1.0, y, sample_domain=ids).center_ is None, "as in the paper"


def test_nystroem_signs_do_not_depend_on_unit_or_translation():
    rng = np.random.default_rng(0)
    X, ids = rng.normal(size=(80, 4)), np.repeat([1, -2], 40)
    X[40:] += 1.0
    tca = TCATransformer(6, solver="nystroem", n_basis=30, random_state=0, kernel="rbf")
    expected = tca.fit_transform(X, sample_domain=ids)
    for scale in (1e-3, 0.7, 37.0, 1e4):
        found = clone(tca).fit_transform(X * scale + 3.0 * scale, sample_domain=ids)
        np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


def test_only_landmarks_depend_on_the_order_of_the_rows():
    assert TCATransformer(solver="nystroem", kernel="rbf")._order_dependent
    assert not TCATransformer(kernel="rbf")._order_dependent
    assert not TCATransformer(solver="fourier", kernel="rbf")._order_dependent
