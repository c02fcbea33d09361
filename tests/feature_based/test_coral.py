"""CORAL: its invariants, its two forms, and the shift that it is for."""

import numpy as np
import pytest
import torch
from scipy import linalg, sparse
from sklearn.covariance import ledoit_wolf, oas
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from skda import CORALTransformer, DomainWarning, make_domain_pipeline, stack_domains
from skda.feature_based._coral_map import CenteredRows, LowRankMap, sparse_moments

DENSE, WIDE = (80, 70, 5), (12, 15, 40)  # rows of source and target, features


def two_domains(n_source=80, n_target=70, d=5, seed=0):
    """Source and target rows with unrelated covariances and means, stacked."""
    rng = np.random.default_rng(seed)
    X_source = rng.normal(size=(n_source, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d)
    X_target = rng.normal(size=(n_target, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d)
    X, _, sample_domain = stack_domains(X_source, None, X_target)
    return X, sample_domain


def fitted(X, sample_domain, **params):
    return CORALTransformer(**params).fit(X, sample_domain=sample_domain)


def as_matrix(A):
    """The d x d matrix of a map in either form."""
    if isinstance(A, LowRankMap):
        d = A.source.mean.shape[0]
        return A.apply(CenteredRows(np.eye(d), np.zeros(d), 1.0))
    return A


def regularized(C, reg):
    return C + reg * np.eye(len(C))


# What always holds.


@pytest.mark.parametrize("shape", [DENSE, WIDE], ids=["n > d", "d > n"])
@pytest.mark.parametrize("reg", [1.0, 1e-2])
@pytest.mark.parametrize("seed", range(3))
def test_map_turns_the_regularized_source_covariance_into_the_targets(shape, reg, seed):
    X, d = two_domains(*shape, seed=seed)
    A = as_matrix(fitted(X, d, reg=reg).maps_[1])
    C_s, C_t = (regularized(np.cov(X[rows].T), reg) for rows in (d > 0, d < 0))
    np.testing.assert_allclose(A.T @ C_s @ A, C_t, atol=1e-8 * abs(C_t).max())


@pytest.mark.parametrize("strength", [0.3, 1.0])
@pytest.mark.parametrize("shape", [DENSE, WIDE], ids=["n > d", "d > n"])
def test_map_is_the_product_of_matrix_roots(shape, strength):
    X, d = two_domains(*shape)
    A = as_matrix(fitted(X, d, reg=0.5, strength=strength).maps_[1])
    C_s, C_t = (regularized(np.cov(X[rows].T), 0.5) for rows in (d > 0, d < 0))
    C = (1 - strength) * C_s + strength * C_t
    np.testing.assert_allclose(A, linalg.inv(linalg.sqrtm(C_s)) @ linalg.sqrtm(C), atol=1e-8)


def test_source_covariance_becomes_the_targets_as_reg_vanishes():
    X, d = two_domains()
    aligned = fitted(X, d, reg=0.0).transform(X, sample_domain=d)
    np.testing.assert_allclose(np.cov(aligned[d > 0].T), np.cov(X[d < 0].T), atol=1e-10)


@pytest.mark.parametrize("name, estimate", [("ledoit-wolf", ledoit_wolf), ("oas", oas)])
@pytest.mark.parametrize("shape", [DENSE, WIDE], ids=["n > d", "d > n"])
def test_named_shrinkage_is_scikit_learns(shape, name, estimate):
    X, d = two_domains(*shape)
    A = as_matrix(fitted(X, d, reg=name).maps_[1])
    covariances = []
    for rows in (d > 0, d < 0):
        _, shrinkage = estimate(X[rows])
        C = np.cov(X[rows].T)
        C = (1 - shrinkage) * C + shrinkage * np.trace(C) / len(C) * np.eye(len(C))
        covariances.append(C)
    np.testing.assert_allclose(A.T @ covariances[0] @ A, covariances[1], atol=1e-8)


@pytest.mark.parametrize("strength", [0.4, 1.0])
@pytest.mark.parametrize("match_mean", [False, True])
@pytest.mark.parametrize("shape", [DENSE, WIDE], ids=["n > d", "d > n"])
def test_mean_of_the_source_moves_only_with_match_mean(shape, strength, match_mean):
    X, d = two_domains(*shape)
    aligned = fitted(X, d, strength=strength, match_mean=match_mean).transform(X, sample_domain=d)
    share = strength if match_mean else 0.0
    wanted = (1 - share) * X[d > 0].mean(axis=0) + share * X[d < 0].mean(axis=0)
    np.testing.assert_allclose(aligned[d > 0].mean(axis=0), wanted, atol=1e-10)


@pytest.mark.parametrize("shape", [DENSE, WIDE], ids=["n > d", "d > n"])
def test_target_rows_stay_bit_for_bit(shape):
    X, d = two_domains(*shape)
    coral = fitted(X, d, match_mean=True)
    assert (coral.transform(X, sample_domain=d)[d < 0] == X[d < 0]).all()
    assert (coral.transform(X[d < 0]) == X[d < 0]).all()


@pytest.mark.parametrize("shape", [DENSE, WIDE], ids=["n > d", "d > n"])
def test_strength_zero_is_the_identity_bit_for_bit(shape):
    X, d = two_domains(*shape)
    aligned = fitted(X, d, strength=0, match_mean=True).transform(X, sample_domain=d)
    assert (aligned == X).all()


def test_sources_have_a_map_each_and_targets_are_pooled():
    X, d = two_domains(n_source=60, n_target=60)
    sources = np.where(d > 0, 1 + (np.arange(len(d)) >= 30), np.where(np.arange(120) < 90, -3, -4))
    together = fitted(X, sources, reg=0.1)
    for source in (1, 2):
        rows = (sources == source) | (sources < 0)
        alone = fitted(X[rows], np.where(sources[rows] < 0, -1, 1), reg=0.1)
        np.testing.assert_allclose(together.maps_[source], alone.maps_[1], atol=1e-9)


def test_a_source_that_was_not_there_in_fit_is_refused():
    X, d = two_domains()
    with pytest.raises(ValueError, match=r"was not fitted on: \[7\].*sources \[1\]"):
        fitted(X, d).transform(X, sample_domain=np.where(d > 0, 7, d))


def test_a_target_that_was_not_there_in_fit_is_refused():
    X, d = two_domains()
    new = np.where(d < 0, -9, d)
    with pytest.raises(ValueError, match=r"CORALTransformer was not fitted on: \[-9\]"):
        fitted(X, d).transform(X, sample_domain=new)


def test_without_domains_it_is_the_identity():
    X, d = two_domains()
    with pytest.warns(DomainWarning):
        coral = CORALTransformer().fit(X)
    assert (coral.transform(X, sample_domain=d) == X).all()


# The two forms and sparse rows.


@pytest.mark.parametrize("strength", [0.4, 1.0])
@pytest.mark.parametrize("reg", [1.0, "oas", "ledoit-wolf"])
def test_sparse_rows_give_what_dense_rows_give(strength, reg):
    for n_source, n_target, d in (DENSE, WIDE):
        rng = np.random.default_rng(0)
        X = sparse.random(n_source + n_target, d, density=0.2, format="csr", random_state=rng)
        X.data += 1.0
        ids = np.repeat([1, -2], [n_source, n_target])
        coral = CORALTransformer(reg=reg, strength=strength, match_mean=True)
        dense = coral.fit_transform(X.toarray(), sample_domain=ids)
        found = coral.fit_transform(X, sample_domain=ids)
        assert isinstance(found, np.ndarray)
        np.testing.assert_allclose(found, dense, atol=1e-10)
        assert sparse.issparse(coral.transform(X[ids < 0]))
        assert (coral.transform(X[ids < 0]) != X[ids < 0]).nnz == 0


def test_sparse_moments_are_the_dense_ones():
    X = sparse.random(50, 6, density=0.3, format="csr", random_state=0)
    m = sparse_moments(X, quartic=True)
    centered = X.toarray() - X.toarray().mean(axis=0)
    np.testing.assert_allclose(m.scatter, centered.T @ centered, atol=1e-12)
    assert m.quartic == pytest.approx(((centered**2).sum(axis=1) ** 2).sum())


def test_many_columns_need_no_square_matrix():
    X = sparse.random(60, 20_000, density=0.005, format="csr", random_state=0)
    ids = np.repeat([1, -2], 30)
    coral = CORALTransformer().fit(X, sample_domain=ids)
    assert coral.maps_[1].from_source.shape == (30, 60)
    assert coral.maps_[1].from_target.shape == (30, 30)
    assert coral.transform(X, sample_domain=ids).shape == X.shape


def test_wide_form_agrees_on_every_backend(xp):
    X, d = two_domains(*WIDE)
    wanted = CORALTransformer(strength=0.7).fit_transform(X, sample_domain=d)
    found = CORALTransformer(strength=0.7).fit_transform(xp.asarray(X), sample_domain=d)
    np.testing.assert_allclose(xp.to_numpy(found), wanted, rtol=xp.rtol, atol=10 * xp.rtol)


# Precision.


def test_single_precision_agrees_with_double():
    X, d = two_domains(400, 400, 20)
    wanted = CORALTransformer().fit_transform(X, sample_domain=d)
    found = CORALTransformer().fit_transform(X.astype(np.float32), sample_domain=d)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, atol=1e-3 * abs(wanted).max())


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_units_do_not_matter_when_reg_is_in_the_same_units(scale):
    X, d = two_domains()
    wanted = CORALTransformer(reg=0.1).fit_transform(X, sample_domain=d)
    found = CORALTransformer(reg=0.1 * scale**2).fit_transform(X * scale, sample_domain=d)
    np.testing.assert_allclose(found / scale, wanted, rtol=1e-8, atol=1e-10)


def test_far_from_the_origin_nothing_is_lost():
    X, d = two_domains()
    wanted = CORALTransformer().fit_transform(X, sample_domain=d)
    found = CORALTransformer().fit_transform(X + 1e6, sample_domain=d)
    np.testing.assert_allclose(found - 1e6, wanted, atol=1e-7)


# partial_fit.


@pytest.mark.parametrize("reg", [1.0, "oas"])
def test_batches_give_what_all_rows_give(reg):
    X, d = two_domains(n_source=100, n_target=90)
    order = np.random.default_rng(0).permutation(len(X))
    whole = fitted(X, d, reg=reg)
    coral = CORALTransformer(reg=reg)
    for rows in np.array_split(order, 7):
        coral.partial_fit(X[rows], sample_domain=d[rows])
    np.testing.assert_allclose(coral.maps_[1], whole.maps_[1], atol=1e-10)
    np.testing.assert_allclose(coral.means_[1], whole.means_[1], atol=1e-12)


def test_partial_fit_goes_on_from_fit():
    X, d = two_domains()
    first = np.arange(len(X)) % 2 == 0
    coral = fitted(X[first], d[first]).partial_fit(X[~first], sample_domain=d[~first])
    np.testing.assert_allclose(coral.maps_[1], fitted(X, d).maps_[1], atol=1e-10)


def test_one_sided_batches_are_fine_and_half_a_fit_says_so():
    X, d = two_domains()
    coral = CORALTransformer().partial_fit(X[d > 0], sample_domain=d[d > 0])
    with pytest.raises(NotFittedError, match="rows of one side only"):
        coral.transform(X, sample_domain=d)
    coral.partial_fit(X[d < 0], sample_domain=d[d < 0])
    np.testing.assert_allclose(coral.maps_[1], fitted(X, d).maps_[1], atol=1e-10)


def test_forgetting_follows_a_target_that_drifts():
    X, d = two_domains()
    drifted = X[d < 0] @ np.diag([5.0, 1, 1, 1, 1])
    covariance = np.cov(drifted.T)

    def gap(forgetting_factor):
        coral = CORALTransformer(reg=1e-9, forgetting_factor=forgetting_factor).fit(
            X, sample_domain=d
        )
        for _ in range(8):
            coral.partial_fit(drifted, sample_domain=np.full(len(drifted), -2))
        return abs(np.cov(coral.transform(X[d > 0], sample_domain=d[d > 0]).T) - covariance).max()

    assert gap(0.3) < 0.01 * abs(covariance).max()
    assert gap(0.3) < 0.1 * gap(1.0)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_a_shrinkage_rule_gives_the_same_in_batches(kind):
    X, d = two_domains()
    for reg in ("ledoit-wolf", "oas"):
        once = CORALTransformer(reg=reg).fit(kind(X), sample_domain=d)
        batches = CORALTransformer(reg=reg)
        for rows in np.array_split(np.random.default_rng(0).permutation(len(X)), 4):
            batches.partial_fit(kind(X[rows]), sample_domain=d[rows])
        np.testing.assert_allclose(batches.maps_[1], once.maps_[1], atol=1e-10)


def test_partial_fit_refuses_what_it_cannot_stream():
    X, d = two_domains(*WIDE)
    with pytest.raises(ValueError, match="cannot go on from a fit with more features than rows"):
        fitted(X, d).partial_fit(X, sample_domain=d)


# Bad input.


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"strength": -0.1}, r"strength must be a number in \[0, 1\]; got -0.1"),
        ({"strength": 1.5}, r"strength must be a number in \[0, 1\]; got 1.5"),
        ({"strength": "full"}, r"strength must be a number"),
        ({"strength": float("nan")}, r"strength must be a number"),
        ({"reg": -1.0}, r"reg must be a non-negative number; got -1.0.*'ledoit-wolf'"),
        ({"reg": "lasso"}, r"got 'lasso'"),
        ({"reg": float("inf")}, r"reg must be"),
        ({"forgetting_factor": 0}, r"forgetting_factor must be a number in \(0, 1\]; got 0"),
    ],
)
def test_parameters_out_of_range_are_named(params, words):
    X, d = two_domains()
    with pytest.raises(ValueError, match=words):
        fitted(X, d, **params)


def test_a_domain_with_one_row_is_refused():
    X, d = two_domains()
    few = np.r_[np.flatnonzero(d > 0), np.flatnonzero(d < 0)[:1]]
    with pytest.raises(ValueError, match=r"at least 2 rows in each domain.*the target has 1"):
        fitted(X[few], d[few])
    with pytest.raises(ValueError, match="source 1 has 1 sample"):
        fitted(X[few][::-1][:2], [-2, 1])


@pytest.mark.parametrize("reg", [0.0, 1e-6, 1.0])
def test_constant_and_repeated_features_are_harmless(reg):
    X, d = two_domains()
    X = np.c_[X, np.ones(len(X)), X[:, :1]]
    aligned = fitted(X, d, reg=reg).transform(X, sample_domain=d)
    assert np.isfinite(aligned).all()
    np.testing.assert_allclose(aligned[:, 5], 1.0, atol=1e-6)


def test_a_feature_constant_in_the_source_alone_does_not_explode():
    X, d = two_domains()
    X[d > 0, 2] = 3.0
    aligned = fitted(X, d, reg=0.0).transform(X, sample_domain=d)
    assert abs(aligned).max() < 10 * abs(X).max()


def test_rows_that_do_not_look_like_those_of_fit_are_refused():
    X, d = two_domains()
    coral = fitted(X, d)
    with pytest.raises(ValueError, match="X has 4 features, but CORALTransformer is expecting 5"):
        coral.transform(X[:, :4])
    with pytest.raises(ValueError, match="X has 4 features, but CORALTransformer is expecting 5"):
        coral.transform(torch.from_numpy(X[:, :4].copy()))
    with pytest.raises(ValueError, match="could not convert string to float"):
        fitted(np.full((4, 2), "a", dtype=object), [1, 1, -2, -2])
    with pytest.raises(ValueError, match="0 sample"):
        fitted(np.empty((0, 3)), [])
    with pytest.raises(NotFittedError):
        CORALTransformer().transform(X)


def test_lists_of_lists_and_numeric_objects_are_fine():
    X, d = two_domains()
    wanted = fitted(X, d).transform(X, sample_domain=d)
    for given in (X.tolist(), X.astype(object)):
        found = fitted(given, d.tolist()).transform(given, sample_domain=d.tolist())
        np.testing.assert_allclose(found, wanted)


def test_fitted_in_torch_it_serves_numpy_rows():
    X, d = two_domains()
    coral = fitted(torch.from_numpy(X), d)
    assert isinstance(coral.maps_[1], torch.Tensor)
    np.testing.assert_allclose(
        coral.transform(X, sample_domain=d), fitted(X, d).transform(X, sample_domain=d)
    )


# The shift that it is for.


def gain(transformer, seed):
    """Target accuracy with the transformer less that without; the target's features are mixed."""
    rng = np.random.default_rng(seed)
    n, d = 300, 6
    y = rng.integers(0, 2, 2 * n)
    X = rng.normal(size=(2 * n, d))
    X[:, 0] = (y * 2 - 1) * 0.95 + 0.3 * X[:, 0]  # unit variance, like the other features
    sample_domain = np.repeat([1, -2], n)
    axes, _ = np.linalg.qr(rng.normal(size=(d, d)))
    X[n:] = X[n:] @ (axes * np.geomspace(0.1, 3, d)) @ axes.T
    accuracy = []
    for steps in ((transformer,), ()):
        model = make_domain_pipeline(*steps, LogisticRegression())
        model.fit(X, y, sample_domain=sample_domain)
        accuracy.append(model.score(X[n:], y[n:]))
    return accuracy[0] - accuracy[1]


class Disabled(CORALTransformer):
    """The map replaced by the identity."""

    def _map(self, X, domain, backend):
        return X


def test_coral_wins_where_covariances_differ_and_sabotage_does_not(routing):
    gains = [gain(CORALTransformer(reg=1e-3), seed) for seed in range(6)]
    assert min(gains) > 0.02 and np.mean(gains) > 0.08
    assert np.mean([gain(Disabled(), seed) for seed in range(6)]) == 0


def test_a_fit_after_a_one_sided_batch_starts_afresh():
    X, d = two_domains()
    coral = CORALTransformer().partial_fit(X[d > 0], sample_domain=d[d > 0])
    assert coral.waits_for_ == "target"
    with pytest.raises(NotFittedError):
        coral.transform(X, sample_domain=d)
    coral.fit(X, sample_domain=d)
    expected = CORALTransformer().fit_transform(X, sample_domain=d)
    np.testing.assert_array_equal(coral.transform(X, sample_domain=d), expected)


def test_an_interrupted_batch_counts_as_not_seen(monkeypatch):
    X, d = two_domains()
    coral = CORALTransformer().partial_fit(X, sample_domain=d)
    before = coral.transform(X, sample_domain=d)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):

        def interrupt(*args, **kwargs):
            raise KeyboardInterrupt

        patch.setattr("skda.feature_based._coral.coral_map", interrupt)
        coral.partial_fit(X * 3.0, sample_domain=d)
    np.testing.assert_array_equal(coral.transform(X, sample_domain=d), before)
    np.testing.assert_array_equal(coral.fit_transform(X, sample_domain=d), before)


def test_by_default_the_mean_is_the_targets_too_and_in_the_papers_setting_it_is_not():
    X, d = two_domains()
    X[d < 0] += 2.0
    moved = CORALTransformer().fit_transform(X, sample_domain=d)
    np.testing.assert_allclose(moved[d > 0].mean(axis=0), X[d < 0].mean(axis=0), atol=1e-10)
    paper = CORALTransformer(match_mean=False).fit_transform(X, sample_domain=d)
    np.testing.assert_allclose(paper[d > 0].mean(axis=0), X[d > 0].mean(axis=0), atol=1e-10)
