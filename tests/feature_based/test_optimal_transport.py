"""OptimalTransportTransformer: images, new rows, class penalties, bad input."""

import warnings

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import KNeighborsClassifier

from skda import OptimalTransportTransformer
from skda._array._backend import to_numpy
from skda._numerics._class_transport import group_objective, l1l2_plan, lpl1_plan
from skda._numerics._sinkhorn import sinkhorn_plan
from skda.feature_based._optimal_transport import batch_pairs, find_rows, move_rows


def two_domains(n=40, m=40, d=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n + m, d))
    X[n:] = X[n:] * 1.5 + 1.0
    return X, np.repeat([1, -2], [n, m])


# Images.


def test_exact_images_are_the_assigned_target_rows():
    X, d = two_domains()
    M = ((X[:40, None] - X[40:]) ** 2).sum(2)
    _, partner = linear_sum_assignment(M)
    transformer = OptimalTransportTransformer(reg=None).fit(X, sample_domain=d)
    np.testing.assert_allclose(transformer.images_[1], X[40:][partner], atol=1e-12)
    assert transformer.costs_[1] == pytest.approx(
        M.min(axis=None) * 0 + M[range(40), partner].mean()
    )


@pytest.mark.parametrize("reg", [None, 0.1])
def test_images_are_those_of_pot(reg):
    ot = pytest.importorskip("ot")
    X, d = two_domains(m=30)
    peer = ot.da.EMDTransport(norm="median") if reg is None else ot.da.SinkhornTransport(
        reg_e=reg, norm="median", max_iter=10000, tol=1e-12
    )  # fmt: skip
    expected = peer.fit(Xs=X[d > 0], Xt=X[d < 0]).transform(Xs=X[d > 0])
    got = OptimalTransportTransformer(reg=reg, tol=1e-10, marginal_reg=None).fit_transform(
        X, sample_domain=d
    )
    # POT's median is the mean of the middle two costs, ours the lower of them
    np.testing.assert_allclose(got[d > 0], expected, rtol=1e-3, atol=1e-3)


def test_pots_own_use_of_200_pivots_is_not_ours():
    X, d = two_domains(n=150, m=120)
    M = ((X[d > 0][:, None] - X[d < 0]) ** 2).sum(2)
    ot = pytest.importorskip("ot")
    fitted = OptimalTransportTransformer(reg=None).fit(X, sample_domain=d)
    assert fitted.costs_[1] == pytest.approx(ot.emd2([], [], M, numItermax=10**7), rel=1e-9)


@pytest.mark.parametrize("reg", [None, 0.1])
def test_rotation_and_common_shift_of_all_rows_commute_with_the_map(reg):
    X, d = two_domains()
    Q, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    one = OptimalTransportTransformer(reg=reg, marginal_reg=None)
    np.testing.assert_allclose(
        one.fit_transform(X @ Q + 5.0, sample_domain=d),
        one.fit_transform(X, sample_domain=d) @ Q + 5.0,
        atol=1e-5,
    )


@pytest.mark.parametrize("scale", [1e-12, 1e12])
@pytest.mark.parametrize("params", [{}, {"reg": 0.1}, {"reg": 0.1, "marginal_reg": 1.0}])
def test_the_scale_of_the_features_does_not_matter(scale, params):
    X, d = two_domains()
    one = OptimalTransportTransformer(**params)
    expected = one.fit_transform(X, sample_domain=d) * scale
    got = one.fit_transform(X * scale, sample_domain=d)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5 * scale)


def test_each_source_has_its_own_plan_onto_the_whole_target():
    X, d = two_domains(n=60)
    d[:30] = 7
    together = OptimalTransportTransformer(reg=0.1, marginal_reg=None).fit_transform(
        X, sample_domain=d
    )
    rows = d != 1
    alone = OptimalTransportTransformer(reg=0.1, marginal_reg=None).fit_transform(
        X[rows], sample_domain=d[rows]
    )
    np.testing.assert_allclose(together[rows], alone, atol=1e-12)


# New rows.


def test_rows_are_found_bit_by_bit():
    among = np.array([[0.0, 1.0], [2.0, 3.0], [0.0, 1.0]])
    rows = np.array([[2.0, 3.0], [-0.0, 1.0], [2.0, 3.0 + 1e-15]])
    assert find_rows(rows, among).tolist() == [1, 0, -1]


def test_new_rows_move_as_the_nearest_fitted_row(xp):
    rows = xp.asarray(np.array([[0.0, 0.0], [10.0, 0.0]]))
    images = xp.asarray(np.array([[1.0, 1.0], [10.0, 5.0]]))
    new = xp.asarray(np.array([[0.5, 0.0], [10.0, 0.0], [9.0, 1.0]]))
    expected = [[1.5, 1.0], [10.0, 5.0], [9.0, 6.0]]
    np.testing.assert_allclose(to_numpy(move_rows(new, rows, images)), expected)


@pytest.mark.parametrize("reg", [None, 0.05])
def test_fitted_rows_keep_their_images_among_near_duplicates_and_new_rows(reg):
    # Rows 1e-9 apart far from zero: distances cannot tell them from each other, bits can.
    X, d = two_domains()
    X += 1e3
    X[1] = X[0] + 1e-9
    transformer = OptimalTransportTransformer(reg=reg, marginal_reg=None).fit(X, sample_domain=d)
    mixed = np.concatenate([X[:40], X[:40] + 0.01])
    moved = transformer.transform(mixed, sample_domain=np.ones(80))
    np.testing.assert_array_equal(moved[:40], transformer.images_[1])


def test_duplicated_rows_share_one_image():
    X, d = two_domains(n=6, m=6)
    X[1] = X[0]
    moved = OptimalTransportTransformer(reg=None).fit_transform(X, sample_domain=d)
    np.testing.assert_array_equal(moved[0], moved[1])


# Class penalties.


def class_problem(seed=0, n=30, m=25):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    M = ((rng.normal(size=(n, 1, 2)) + y[:, None, None] - rng.normal(size=(1, m, 2)) - 1) ** 2).sum(
        2
    )
    return M / np.median(M), np.eye(3)[y], y


def test_lpl1_plan_is_that_of_pot_in_units_of_shares():
    ot = pytest.importorskip("ot")
    M, membership, y = class_problem()
    n, m = M.shape
    a, b = np.full(n, 1 / n), np.full(m, 1 / m)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = ot.da.sinkhorn_lpl1_mm(
            a, y, b, M, reg=0.1, eta=0.1, numItermax=10, numInnerItermax=10000, stopInnerThr=1e-12
        )
    # POT penalizes masses s/m, not shares s: sqrt(s/m + e) = sqrt(s + m e) / sqrt(m); a share
    # counts for 1/m here, and the slope of the penalty falls by class_reg from s = 0 to s = 1.
    eps = m * 1e-3
    fall = 0.5 * (eps**-0.5 - (1 + eps) ** -0.5)
    options = {"eps": eps, "class_reg": 0.1 * np.sqrt(m) * fall, "tol": 1e-11}
    plan = lpl1_plan(M, membership, reg=0.1, **options)
    np.testing.assert_allclose(plan.coupling, expected, atol=2e-3 * expected.max())


def test_l1l2_plan_reaches_the_objective_of_pot():
    ot = pytest.importorskip("ot")
    M, membership, y = class_problem()
    n, m = M.shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = ot.da.sinkhorn_l1l2_gl(np.full(n, 1 / n), y, np.full(m, 1 / m), M, reg=0.1, eta=1.0)
    plan = l1l2_plan(M, membership, reg=0.1, class_reg=1.0)
    ours, theirs = (
        group_objective(P, M, membership, reg=0.1, class_reg=1.0) for P in (plan.coupling, peer)
    )
    plain = group_objective(
        sinkhorn_plan(M, reg=0.1).coupling, M, membership, reg=0.1, class_reg=1.0
    )
    assert ours <= theirs + 1e-6
    assert ours < plain
    np.testing.assert_allclose(plan.coupling.sum(0), 1 / m, rtol=1e-4)


@pytest.mark.parametrize("solve", [lpl1_plan, l1l2_plan])
def test_a_larger_class_penalty_mixes_classes_less(solve):
    M, membership, _ = class_problem()

    def mixing(class_reg):
        P = solve(M, membership, reg=0.1, class_reg=class_reg).coupling
        shares = membership.T @ P * M.shape[1]
        return 1 - (shares**2).sum(0).mean()

    mixed = [mixing(class_reg) for class_reg in (1e-6, 0.3, 3.0)]
    assert mixed[0] > mixed[1] + 0.01 > mixed[2] + 0.02


def test_labels_are_looked_at_only_with_a_class_penalty():
    X, d = two_domains()
    with pytest.raises(ValueError, match="requires y"):
        OptimalTransportTransformer(reg=0.1, class_reg=0.1, marginal_reg=None).fit(
            X, sample_domain=d
        )
    OptimalTransportTransformer(reg=0.1, marginal_reg=None).fit(X, sample_domain=d)


# Bad input.


def test_identical_domains_stay_where_they_are():
    X, _ = two_domains()
    both, d = np.concatenate([X, X]), np.repeat([1, -2], len(X))
    moved = OptimalTransportTransformer(reg=None).fit_transform(both, sample_domain=d)
    np.testing.assert_allclose(moved, both, atol=1e-12)


@pytest.mark.parametrize("n, m", [(1, 1), (1, 20), (20, 1), (10, 10_000), (10_000, 10)])
@pytest.mark.parametrize("reg", [None, 0.1])
def test_very_small_and_very_unequal_domains_work(n, m, reg):
    X, d = two_domains(n=n, m=m)
    moved = OptimalTransportTransformer(reg=reg, marginal_reg=None).fit_transform(
        X, sample_domain=d
    )
    assert np.isfinite(moved).all()
    np.testing.assert_allclose(moved[d > 0].mean(0), X[d < 0].mean(0), atol=1e-4)


def test_all_rows_equal_is_no_reason_for_nan():
    X, d = np.ones((8, 2)), np.repeat([1, -2], 4)
    for reg in (None, 0.1):
        moved = OptimalTransportTransformer(reg=reg, marginal_reg=None).fit_transform(
            X, sample_domain=d
        )
        np.testing.assert_allclose(moved, 1.0)


@pytest.mark.parametrize("cost_scale", [None, "median", "mean", "max"])
def test_unscaled_features_never_give_nan(cost_scale):
    # A peer's Sinkhorn returns NaN rows here.
    X, d = two_domains()
    X[:, 0] *= 1e5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        moved = OptimalTransportTransformer(
            reg=0.01, cost_scale=cost_scale, max_iter=100, marginal_reg=None
        ).fit_transform(X, sample_domain=d)
    assert np.isfinite(moved).all()


def test_sinkhorn_that_does_not_converge_warns_with_the_residual():
    X, d = two_domains()
    with pytest.warns(ConvergenceWarning, match=r"with \d\.\de.\d\d of the mass misplaced"):
        OptimalTransportTransformer(reg=0.005, max_iter=2, marginal_reg=None).fit(
            X, sample_domain=d
        )


@pytest.mark.parametrize(
    "params, match",
    [
        ({"strength": -0.1}, "strength must be a number in"),
        ({"reg": 0.0}, "reg must be a positive number or None; got 0.0. None asks"),
        ({"reg": np.inf}, "reg must be a positive number or None"),
        ({"reg": None, "class_reg": 0.1}, "class_reg=0.1 needs an entropic plan"),
        ({"reg": None, "marginal_reg": 1.0}, "marginal_reg=1.0 needs an entropic plan"),
        ({"marginal_reg": "none"}, "marginal_reg must be a positive number"),
        ({"marginal_reg": -1.0}, "marginal_reg must be a positive number"),
        ({"reg": 1.0, "class_penalty": "l2"}, "class_penalty must be one of"),
        ({"metric": "cosine"}, "metric must be 'sqeuclidean'"),
        ({"cost_scale": "min"}, "cost_scale must be"),
        ({"max_iter": 0}, "max_iter must be an integer"),
    ],
)
def test_bad_parameters_are_named(params, match):
    X, d = two_domains()
    with pytest.raises(ValueError, match=match):
        OptimalTransportTransformer(**params).fit(X, np.zeros(80, dtype=int), sample_domain=d)


def test_costs_that_overflow_are_an_error():
    X, d = two_domains()
    with pytest.raises(ValueError, match="overflows"), np.errstate(over="ignore", invalid="ignore"):
        OptimalTransportTransformer(reg=0.1, marginal_reg=None).fit(X * 1e160, sample_domain=d)


# The shift it is for.


def bent(seed):
    """Two classes; in the target every feature is bent by a monotone function of its own."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat([0, 1], 120))
    X = rng.normal(size=(240, 2)) * 0.5 + np.where(y[:, None], [1.2, 0.8], [-1.2, -0.8])
    X[120:] = np.stack([np.exp(X[120:, 0]), X[120:, 1] ** 3 + 3.0], axis=1)
    return X, y, np.repeat([1, -2], 120)


def gain(transformer):
    """Mean gain in target accuracy over source-only, over seeds."""
    gains = []
    for seed in range(4):
        X, y, d = bent(seed)
        moved = transformer.fit_transform(X, y, sample_domain=d)
        model = KNeighborsClassifier(5)
        scores = [model.fit(Z[d > 0], y[d > 0]).score(X[d < 0], y[d < 0]) for Z in (X, moved)]
        gains.append(scores[1] - scores[0])
    return np.mean(gains)


@pytest.mark.parametrize(
    "params",
    [
        {"reg": None},
        {"reg": 0.02},
        {"reg": 0.02, "class_reg": 2.0},
        {"reg": 0.05, "class_reg": 0.3, "class_penalty": "l1l2"},
    ],
)
def test_a_bent_target_is_met(params):
    assert gain(OptimalTransportTransformer(marginal_reg=None, **params)) > 0.2


def test_sabotage_without_the_map_nothing_is_gained(monkeypatch):
    monkeypatch.setattr(OptimalTransportTransformer, "_map", lambda self, X, domain, backend: X)
    assert gain(OptimalTransportTransformer(reg=None)) == 0.0


def test_unbalanced_transport_leaves_alone_a_class_that_is_missing_in_the_target():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 50)
    X_source = rng.normal(size=(100, 2)) * 0.3 + np.where(y[:, None], [10.0, 0.0], 0.0)
    X_target = rng.normal(size=(60, 2)) * 0.3 + [0.0, 1.0]
    X, d = np.concatenate([X_source, X_target]), np.repeat([1, -2], [100, 60])
    moved = OptimalTransportTransformer(reg=0.02, marginal_reg=1.0).fit_transform(
        X, sample_domain=d
    )
    forced = OptimalTransportTransformer(reg=0.02, marginal_reg=None).fit_transform(
        X, sample_domain=d
    )
    np.testing.assert_allclose(moved[50:100], X[50:100], atol=0.05)
    assert np.abs(moved[:50].mean(0) - [0.0, 1.0]).max() < 0.2
    assert forced[50:100, 0].max() < 1.5


@pytest.mark.parametrize("row", [0, -1])
@pytest.mark.parametrize("params", [{}, {"class_reg": 1e6}, {"metric": "euclidean"}])
@pytest.mark.parametrize("value", [100.0, 1e6])
def test_unbalanced_transport_survives_the_outlier_it_is_for(row, params, value):
    rng = np.random.default_rng(0)
    X, d, y = rng.normal(size=(200, 4)), np.repeat([1, -2], 100), np.tile([0, 1], 100)
    clean = OptimalTransportTransformer(reg=0.1, marginal_reg=1.0, **params)
    X[row] = value
    moved = clean.fit_transform(X, y, sample_domain=d)
    assert np.isfinite(moved).all()
    assert np.abs(np.delete(moved, row % 200, axis=0)).max() < 5.0
    if row == 0:  # the outlying source row stays where it is
        np.testing.assert_allclose(moved[0], X[0])


def test_heavy_tails_give_no_nan():
    for seed in range(10):
        X = np.random.default_rng(seed).standard_t(1.5, size=(200, 4))
        ot = OptimalTransportTransformer(reg=0.1, marginal_reg=1.0)
        assert np.isfinite(ot.fit_transform(X, sample_domain=np.repeat([1, -2], 100))).all()


def test_the_automatic_weight_of_the_marginals_is_that_of_the_docs():
    X, d = two_domains()
    moved = OptimalTransportTransformer().fit_transform(X, sample_domain=d)
    named = OptimalTransportTransformer(reg=0.1, marginal_reg=1.0)
    np.testing.assert_array_equal(moved, named.fit_transform(X, sample_domain=d))
    exact = OptimalTransportTransformer(reg=None).fit_transform(X, sample_domain=d)
    named = OptimalTransportTransformer(reg=None, marginal_reg=None)
    np.testing.assert_array_equal(exact, named.fit_transform(X, sample_domain=d))


# Mini-batches.


@pytest.mark.parametrize("params", [{"reg": None}, {"reg": 0.1}, {"direction": "to_source"}])
def test_one_batch_of_all_rows_is_the_whole_plan(params):
    X, d = two_domains(m=30)
    whole = OptimalTransportTransformer(**params).fit(X, sample_domain=d)
    one = OptimalTransportTransformer(batch_size=40, random_state=0, **params)
    one.fit(X, sample_domain=d)
    for domain, images in whole.images_.items():
        np.testing.assert_allclose(one.images_[domain], images, atol=1e-12)
        assert one.costs_[domain] == pytest.approx(whole.costs_[domain])
    assert one._order_dependent and not whole._order_dependent


@pytest.mark.parametrize("sizes", [(50, 7), (7, 50), (33, 31), (8, 8), (3, 100)])
def test_every_row_of_both_sides_is_in_a_batch(sizes):
    pairs = list(batch_pairs(*sizes, 8, np.random.RandomState(0)))
    assert len(pairs) == -(-max(sizes) // 8)
    for side, n in enumerate(sizes):
        parts = [pair[side] for pair in pairs]
        assert set(np.concatenate(parts)) == set(range(n)) and max(map(len, parts)) <= 8


@pytest.mark.parametrize("params", [{"reg": None}, {"reg": 0.05}, {"class_reg": 2.0}])
def test_batches_undo_the_bend_nearly_as_well(params):
    whole = gain(OptimalTransportTransformer(**params))
    batches = gain(OptimalTransportTransformer(batch_size=50, random_state=0, **params))
    assert batches > 0.5 * whole > 0


def test_batches_are_those_of_the_seed_and_follow_each_domain():
    X, d = two_domains(n=90, m=60)
    d[:30] = 5
    model = OptimalTransportTransformer(batch_size=20, random_state=1)
    first = model.fit_transform(X, sample_domain=d)
    np.testing.assert_array_equal(model.fit_transform(X, sample_domain=d), first)
    np.testing.assert_allclose(model.transform(X, sample_domain=d), first)
    other = OptimalTransportTransformer(batch_size=20, random_state=2)
    assert not np.allclose(other.fit_transform(X, sample_domain=d), first)
    assert sorted(model.images_) == [1, 5]


def test_too_many_rows_for_one_plan_are_told_of_batches(monkeypatch):
    X, d = two_domains()
    monkeypatch.setattr("skda._numerics._budget._free_bytes", lambda: 1000)
    with pytest.raises(MemoryError, match="Set batch_size"):
        OptimalTransportTransformer().fit(X, sample_domain=d)
    with pytest.raises(ValueError, match="batch_size must be an integer of at least 2 or None"):
        OptimalTransportTransformer(batch_size=1).fit(X, sample_domain=d)
