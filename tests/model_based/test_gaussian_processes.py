"""Gaussian processes of two domains: the kernel, its limits, and a target contrary to it."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import (
    RBF,
    CompoundKernel,
    ConstantKernel,
    DotProduct,
    Matern,
    WhiteKernel,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skda import (
    DomainWarning,
    TransferGaussianProcessClassifier,
    TransferGaussianProcessRegressor,
    TransferKernel,
)
from tests.model_based.few_labels import FewLabels, few


def contrary(seed, classes=False):
    """The target falls where the source rises."""
    rng = np.random.default_rng(seed)
    X, d = rng.uniform(-2, 2, size=(160, 2)), np.repeat([1, -2], 80)
    y = np.sin(2 * X[:, 0]) - 0.5 * X[:, 1] + 0.1 * rng.normal(size=160)
    y = np.where(d < 0, -y, y)
    return X, ((y > 0).astype(int) if classes else y), d


def rows_with_domain(n=12, d=2, seed=0):
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.normal(size=(n, d)), rng.permutation(np.resize([1, -2, 0, -1], n))])


class TestTransferGaussianProcessRegressor(FewLabels):
    estimator = TransferGaussianProcessRegressor()
    off = {"rho": 1.0, "rho_bounds": "fixed"}
    model = Ridge()
    gain = 1.0
    n_labeled = 15
    bad_params = {
        "kernel": ["rbf", RBF],
        "rho": [2, "much", None],
        "rho_bounds": [(-2, 1), (0.6, 1), (1, 1), "free", 1.0, (0, 1, 1)],
        "alpha": [-1, "x"],
        "normalize_y": ["no", 1],
        "n_restarts_optimizer": [-1, 0.5],
    }

    def shift(self, seed):
        return contrary(seed)


class TestTransferGaussianProcessClassifier(FewLabels):
    estimator = TransferGaussianProcessClassifier()
    off = {"rho": 1.0, "rho_bounds": "fixed"}
    model = LogisticRegression()
    gain = 0.5
    n_labeled = 20
    bad_params = {"kernel": ["rbf"], "rho": [2], "n_restarts_optimizer": [-1]}

    def shift(self, seed):
        return contrary(seed, classes=True)


# The kernel


def test_the_kernel_by_hand():
    X = rows_with_domain()
    inner = RBF(0.7)
    K = TransferKernel(inner, rho=-0.3)(X)
    for i, one in enumerate(X):
        for j, other in enumerate(X):
            factor = 1.0 if (one[2] >= 0) == (other[2] >= 0) else -0.3
            assert K[i, j] == pytest.approx(factor * inner(one[None, :2], other[None, :2])[0, 0])
    np.testing.assert_allclose(TransferKernel(inner, rho=-0.3)(X[:5], X[5:]), K[:5, 5:])


def test_the_column_of_the_domain_may_be_any():
    X = rows_with_domain()
    first = np.column_stack([X[:, 2], X[:, :2]])
    wanted = TransferKernel(RBF())(X)
    for column in (0, -3):
        np.testing.assert_array_equal(TransferKernel(RBF(), domain_column=column)(first), wanted)
    for column in (3, -4, 0.5, None):
        with pytest.raises(ValueError, match="domain_column must be"):
            TransferKernel(RBF(), domain_column=column)(first)
    with pytest.raises(ValueError, match="a column of domains"):
        TransferKernel(RBF())(X[:, :1])


@pytest.mark.parametrize("rho", [-1.0, -0.4, 0.0, 0.7, 1.0])
def test_it_is_positive_semidefinite_and_its_diagonal_is_the_inner_one(rho):
    X = rows_with_domain(30)
    for inner in (RBF(), Matern() + WhiteKernel(0.1), DotProduct()):
        kernel = TransferKernel(inner, rho=rho)
        K = kernel(X)
        np.testing.assert_array_equal(K, K.T)
        assert np.linalg.eigvalsh(K)[0] > -1e-9
        np.testing.assert_allclose(kernel.diag(X), np.diag(K))


@pytest.mark.parametrize("bounds", [(-1, 1), (0, 1), (-0.5, 0.9)])
def test_gradients_are_finite_differences(bounds):
    kernel = TransferKernel(2.0 * RBF([1.0, 2.0]) + WhiteKernel(0.5), rho=0.3, rho_bounds=bounds)
    X, theta = rows_with_domain(), kernel.theta
    K, gradient = kernel(X, eval_gradient=True)
    np.testing.assert_array_equal(K, kernel(X))
    assert gradient.shape == (12, 12, 5) and kernel.bounds.shape == (5, 2)
    for i in range(len(theta)):
        step = 1e-6 * np.eye(len(theta))[i]
        above, below = (kernel.clone_with_theta(theta + s)(X) for s in (step, -step))
        np.testing.assert_allclose(gradient[:, :, i], (above - below) / 2e-6, atol=1e-8)


def test_theta_and_rho_are_each_other_and_stay_within_the_bounds():
    kernel = TransferKernel(RBF(), rho_bounds=(-0.5, 0.9))
    for rho in (-0.49, 0.0, 0.2, 0.85):
        kernel.rho = rho
        again = kernel.clone_with_theta(kernel.theta)
        assert again.rho == pytest.approx(rho, abs=1e-12) and again.kernel == kernel.kernel
    for phi, rho in ((-6, -0.5), (6, 0.9), (-1e3, -0.5), (1e3, 0.9)):
        found = kernel.clone_with_theta([0.0, phi])
        assert found.rho == pytest.approx(rho, abs=1e-4) and -0.5 <= found.rho <= 0.9
        assert found.clone_with_theta(found.theta).rho == pytest.approx(found.rho, abs=1e-4)
    with pytest.raises(ValueError, match="theta must have 2 entries; got 1"):
        kernel.theta = [0.0]


def test_a_fixed_rho_is_no_hyperparameter():
    kernel = TransferKernel(RBF(), rho=1.0, rho_bounds="fixed")
    assert kernel.theta.tolist() == [0.0] and kernel.bounds.shape == (1, 2)
    assert [h.fixed for h in kernel.hyperparameters] == [False, True]
    assert kernel(rows_with_domain(), eval_gradient=True)[1].shape == (12, 12, 1)
    assert kernel.clone_with_theta([1.0]).rho == 1.0
    constant = TransferKernel(ConstantKernel(1.0, "fixed"))
    assert constant.theta.shape == (1,) and constant.bounds.shape == (1, 2)
    assert constant(rows_with_domain(), eval_gradient=True)[1].shape == (12, 12, 1)


def test_parameters_of_the_kernel_inside_and_clones():
    kernel = TransferKernel(2.0 * RBF(), rho=0.2, domain_column=0)
    params = kernel.get_params()
    assert params["kernel__k2__length_scale"] == 1.0 and params["rho"] == 0.2
    names = [h.name for h in kernel.hyperparameters]
    assert names == ["kernel__k1__constant_value", "kernel__k2__length_scale", "rho"]
    assert all(name in params for name in names)
    copy = clone(kernel)
    assert copy == kernel and copy.kernel is not kernel.kernel
    copy.set_params(kernel__k2__length_scale=3.0, rho=-0.1)
    assert copy != kernel and kernel.rho == 0.2
    for other in ({"rho": 0.3}, {"domain_column": 1}, {"rho_bounds": (0, 1)}):
        assert clone(kernel).set_params(**other) != kernel
    assert kernel != RBF()
    assert repr(copy) == "TransferKernel(1.41**2 * RBF(length_scale=3), rho=-0.1)"
    assert kernel.requires_vector_input and not kernel.is_stationary()
    total = kernel + WhiteKernel()
    assert total == clone(total) and "k1__rho" in total.get_params()


def test_gradients_are_of_one_set_of_rows():
    X = rows_with_domain()
    with pytest.raises(ValueError, match="Y is None"):
        TransferKernel(RBF())(X, X, eval_gradient=True)


def test_an_optimum_at_an_end_asks_for_no_wider_bounds():
    # Warnings are errors here; both domains follow one function, so that rho goes to its end.
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.uniform(-3, 3, 60), np.repeat([1, -1], 30)])
    kernel = TransferKernel(RBF()) + WhiteKernel()
    model = GaussianProcessRegressor(kernel).fit(X, np.sin(X[:, 0]) + 0.1 * rng.normal(size=60))
    assert model.kernel_.k1.rho == pytest.approx(1.0, abs=0.01)


def test_it_works_in_a_plain_pipeline_with_the_domain_in_a_column():
    X, y, d = contrary(0)
    seen = np.r_[: 80 + 20]
    front = make_column_transformer((StandardScaler(), [0, 1]), remainder="passthrough")
    model = make_pipeline(
        front, GaussianProcessRegressor(TransferKernel(RBF()) + WhiteKernel(), normalize_y=True)
    )
    rows = np.column_stack([100 * X, d])
    model.fit(rows[seen], y[seen])
    assert model.score(rows[100:], y[100:]) > 0.9
    assert model[-1].kernel_.k1.rho < -0.9


# The estimators around it

KERNEL = ConstantKernel(1.3, "fixed") * RBF(0.8, "fixed") + WhiteKernel(0.05, "fixed")


def test_rho_one_is_the_pooled_process_and_rho_zero_one_per_domain():
    X, y, d = contrary(0)
    labels = few(y, d, 10)
    known = np.isfinite(labels)
    settings = {"rho_bounds": "fixed", "normalize_y": False, "alpha": 1e-8}
    fixed = {"kernel": KERNEL, "alpha": 1e-8, "optimizer": None}
    pooled = GaussianProcessRegressor(**fixed).fit(X[known], y[known])
    model = TransferGaussianProcessRegressor(KERNEL, rho=1, **settings)
    model.fit(X, labels, sample_domain=d)
    for found, wanted in zip(
        model.predict(X, sample_domain=d, return_std=True),
        pooled.predict(X, return_std=True),
        strict=True,
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
    model = TransferGaussianProcessRegressor(KERNEL, rho=0, **settings)
    model.fit(X, labels, sample_domain=d)
    for side in (d > 0, d < 0):
        alone = GaussianProcessRegressor(**fixed).fit(X[known & side], y[known & side])
        found = model.predict(X[side], sample_domain=d[side])
        np.testing.assert_allclose(found, alone.predict(X[side]), rtol=1e-6)


def test_predictions_are_the_conditional_mean_by_hand():
    X, y, d = contrary(0)
    labels = few(y, d, 10)
    known = np.flatnonzero(np.isfinite(labels))
    model = TransferGaussianProcessRegressor(
        KERNEL, rho=-0.6, rho_bounds="fixed", normalize_y=False
    ).fit(X, labels, sample_domain=d)
    factor = np.where((d[:, None] > 0) == (d > 0), 1.0, -0.6)
    K = factor * 1.3 * np.exp(-0.5 * ((X[:, None] - X) ** 2).sum(axis=2) / 0.8**2)
    inverse = np.linalg.inv(K[np.ix_(known, known)] + 0.05 * np.eye(len(known)))
    wanted = K[:, known] @ inverse @ y[known]
    np.testing.assert_allclose(model.predict(X, sample_domain=d), wanted, rtol=1e-6)
    np.testing.assert_allclose(model.predict(X[:3]), model.predict(X[:3], sample_domain=[-2] * 3))


def test_rho_is_where_the_likelihood_is_largest():
    X, y, d = contrary(1)
    y = np.where(d < 0, 0.5 * y + 0.4 * np.cos(3 * X[:, 1]), y)
    labels = few(y, d, 30)
    model = TransferGaussianProcessRegressor(KERNEL).fit(X, labels, sample_domain=d)
    rhos = np.linspace(-0.99, 0.99, 199)
    likelihoods = [model.process_.log_marginal_likelihood([np.arctanh(rho)]) for rho in rhos]
    assert model.rho_ == pytest.approx(rhos[np.argmax(likelihoods)], abs=0.01)
    assert -0.99 < model.rho_ < -0.1


def test_restarts_find_a_contrary_target_from_a_bad_start():
    X, y, d = contrary(0)
    model = TransferGaussianProcessRegressor(rho=0.999, n_restarts_optimizer=3, random_state=0).fit(
        X, few(y, d, 20), sample_domain=d
    )
    assert model.rho_ < -0.9


def test_bounds_hold_the_correlation():
    X, y, d = contrary(0)
    labels = few(y, d, 20)
    model = TransferGaussianProcessRegressor(rho_bounds=(0, 1)).fit(X, labels, sample_domain=d)
    assert 0 <= model.rho_ < 0.01


def test_classes_agree_with_the_plain_process_on_pooled_rows():
    X, y, d = contrary(0, classes=True)
    y = y + (X[:, 1] > 1)
    kernel = 2.0 * RBF(0.8)
    labels = few(y, d, 20)
    known = np.isfinite(labels)
    model = TransferGaussianProcessClassifier(kernel, rho=1.0, rho_bounds="fixed")
    model.fit(X, labels, sample_domain=d)
    pooled = GaussianProcessClassifier(kernel).fit(X[known], y[known])
    assert isinstance(pooled.kernel_, CompoundKernel)
    np.testing.assert_allclose(model.predict_proba(X), pooled.predict_proba(X), atol=1e-3)
    assert model.rho_.tolist() == [1.0] * 3 and model.classes_.tolist() == [0, 1, 2]


@pytest.mark.parametrize("classes", [False, True])
def test_without_target_labels_it_is_the_process_of_the_source(classes):
    X, y, d = contrary(0, classes)
    model, plain = (
        (TransferGaussianProcessClassifier(), GaussianProcessClassifier(1.0 * RBF()))
        if classes
        else (
            TransferGaussianProcessRegressor(),
            GaussianProcessRegressor(1.0 * RBF() + WhiteKernel(), normalize_y=True),
        )
    )
    with pytest.warns(DomainWarning, match="no label on 80 target rows"):
        model.fit(X, few(y, d, 0), sample_domain=d)
    plain.fit(X[d > 0], y[d > 0])
    np.testing.assert_allclose(model.predict(X), plain.predict(X), rtol=1e-5)
    assert np.all(model.rho_ == 1.0)


def test_one_class_on_the_source_is_explained():
    X, y, d = contrary(0, classes=True)
    with pytest.raises(ValueError, match="one class only"):
        TransferGaussianProcessClassifier().fit(X, np.where(d > 0, 1, y), sample_domain=d)


def test_only_bounds_of_your_own_kernel_are_complained_of():
    X, _, d = contrary(0)
    y = X[:, 0] + X[:, 1]  # without noise
    TransferGaussianProcessRegressor().fit(X, y, sample_domain=d)
    kernel = RBF(1.0, (0.5, 1.5)) + WhiteKernel()
    with pytest.warns(ConvergenceWarning, match="close to the specified"):
        TransferGaussianProcessRegressor(kernel).fit(X, y, sample_domain=d)


def test_missing_values_are_named():
    X, y, d = contrary(0)
    X[-1, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        TransferGaussianProcessRegressor().fit(X, few(y, d, 10), sample_domain=d)


def test_kernels_that_do_not_fit_are_refused_beforehand(monkeypatch):
    X, y = np.random.default_rng(0).normal(size=(40, 2)), np.zeros(40)
    monkeypatch.setattr("skda._numerics._budget._free_bytes", lambda: 1000)
    with pytest.raises(MemoryError, match=r"kernel matrices of 40 labeled rows.*sample"):
        TransferGaussianProcessRegressor().fit(X, y, sample_domain=np.repeat([1, -2], 20))
