"""A kernel that knows of two domains: rows of different domains count as similar by a factor ρ."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from sklearn.gaussian_process.kernels import Hyperparameter, Kernel

from .._core._param_checks import check_integer, check_real
from .._core._typing import ArrayLike

# ρ is a hyperbolic tangent of what is optimized, so that it may be negative. There it is
# 1e-5 from an end of its bounds; further out the likelihood would be flat.
_FARTHEST = 6.0
# An optimum at an end is one like any other, and no reason to ask for wider bounds, as
# scikit-learn does where what is optimized lies at its own: so ρ is taken for a bit less.
_END = 5.999


def check_rho(rho, rho_bounds):
    """Return the bounds of ρ as floats, or None if it is fixed; raise if ρ is not within them."""
    if isinstance(rho_bounds, str):
        if rho_bounds != "fixed":
            raise ValueError(
                f"rho_bounds must be a pair of numbers or 'fixed'; got {rho_bounds!r}."
            )
        check_real("rho", rho, low=-1, high=1)
        return None
    if np.shape(rho_bounds) != (2,):
        raise ValueError(f"rho_bounds must be a pair of numbers or 'fixed'; got {rho_bounds!r}.")
    low = check_real("rho_bounds", rho_bounds[0], low=-1, high=1)
    hint = "Take rho_bounds='fixed' to leave rho as it is."
    high = check_real("rho_bounds", rho_bounds[1], low=low, high=1, closed="right", hint=hint)
    check_real("rho", rho, low=low, high=high, hint="Widen rho_bounds, or start elsewhere.")
    return low, high


class TransferKernel(Kernel):
    r"""A kernel for rows of two domains, with the correlation between the domains learnt.

    A Gaussian process takes rows for similar as its kernel says. This one says the same as the
    kernel inside for two rows of one domain, and ρ times as much for a source and a target row. At
    ρ = 1 the domains are one, at ρ = 0 they have nothing to do with each other but the parameters
    of the kernel, and below 0 what goes up in one goes down in the other. The Gaussian process
    learns ρ with the other parameters, where the labels are most probable.

    Parameters
    ----------
    kernel : Kernel
        The similarity of two rows of one domain; it gets the rows without the domain.
    rho : float, default=0.5
        Correlation ρ between the domains, in [-1, 1]: where the optimizer starts, or the value if
        fixed. Start well inside the bounds: near an end of them the gradient is next to zero, so
        that the optimizer may stay there.
    rho_bounds : pair of floats or "fixed", default=(-1, 1)
        Lower and upper bound of ρ; (0, 1) if the domains cannot contradict each other.
    domain_column : int, default=-1
        Column of X that holds the domain of a row: >= 0 the source, < 0 the target. Several
        sources, and several targets, count as one.

    See Also
    --------
    TransferGaussianProcessRegressor : Takes ``sample_domain`` instead of a column.

    Notes
    -----
    The kernel is :math:`k(x, x')` within a domain and :math:`\rho\,k(x, x')` across, as in [1]_,
    where ρ has a prior instead of bounds. It is positive semidefinite for every ρ in [-1, 1],
    since it is the product of two such matrices.

    What scikit-learn optimizes, ``theta``, is a φ with
    :math:`\rho = (a + b)/2 + (b - a)/2\,\tanh \varphi` for bounds (a, b), so that ρ may be negative
    and cannot leave the bounds. A WhiteKernel inside or outside makes no difference.

    In a Pipeline the domain must pass what stands in front of the process as it is; a scaler, for
    instance, stands in ``make_column_transformer((StandardScaler(), features),
    remainder="passthrough")``, which puts the other column last. Costs what the kernel inside
    costs. Rows are NumPy arrays.

    References
    ----------
    .. [1] B. Cao, S. J. Pan, Y. Zhang, D.-Y. Yeung, Q. Yang (2010). Adaptive transfer learning.
       AAAI. doi:10.1609/aaai.v24i1.7682

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.gaussian_process import GaussianProcessRegressor
    >>> from sklearn.gaussian_process.kernels import RBF, WhiteKernel
    >>> from skda import TransferKernel
    >>> rng = np.random.default_rng(0)
    >>> x, domain = rng.uniform(-3, 3, 60), np.repeat([1, -1], [50, 10])
    >>> y = np.where(domain > 0, np.sin(2 * x), -np.sin(2 * x)) + 0.1 * rng.normal(size=60)
    >>> kernel = TransferKernel(RBF()) + WhiteKernel()
    >>> model = GaussianProcessRegressor(kernel).fit(np.column_stack([x, domain]), y)
    >>> print(f"rho = {model.kernel_.k1.rho:.2f}")
    rho = -1.00
    >>> new = np.linspace(-3, 3, 50)
    >>> score = model.score(np.column_stack([new, np.full(50, -1)]), -np.sin(2 * new))
    >>> print(f"R² in the target: {score:.2f}")
    R² in the target: 1.00
    """

    def __init__(
        self,
        kernel: Kernel,
        rho: float = 0.5,
        rho_bounds: tuple[float, float] | Literal["fixed"] = (-1.0, 1.0),
        domain_column: int = -1,
    ):
        self.kernel = kernel
        self.rho = rho
        self.rho_bounds = rho_bounds
        self.domain_column = domain_column

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, those of the kernel inside with the prefix ``kernel__``.

        Parameters
        ----------
        deep : bool, default=True
            Whether those of the kernel inside are among them.

        Returns
        -------
        params : dict
            Values by name.
        """
        params = super().get_params(deep=False)
        if deep:
            inner = self.kernel.get_params().items()
            params.update((f"kernel__{name}", value) for name, value in inner)
        return params

    @property
    def hyperparameter_rho(self) -> Any:
        """Specification of ρ."""
        return Hyperparameter("rho", "numeric", self.rho_bounds)

    @property
    def hyperparameters(self) -> Any:
        """List of the specifications of the kernel inside and of ρ, in the order of ``theta``."""
        inner = [
            Hyperparameter(f"kernel__{h.name}", h.value_type, h.bounds, h.n_elements, h.fixed)
            for h in self.kernel.hyperparameters
        ]
        return [*inner, self.hyperparameter_rho]

    @property
    def theta(self) -> Any:
        """What is optimized: the logarithms of the kernel inside, and φ, which gives ρ."""
        limits = check_rho(self.rho, self.rho_bounds)
        if limits is None:
            return self.kernel.theta
        middle, half = sum(limits) / 2, (limits[1] - limits[0]) / 2
        end = np.tanh(_END)
        phi = np.arctanh(np.clip((self.rho - middle) / half, -end, end))
        return np.append(self.kernel.theta, phi)

    @theta.setter
    def theta(self, theta):
        limits = check_rho(self.rho, self.rho_bounds)
        n_inner = self.kernel.n_dims
        n_wanted = n_inner + (limits is not None)
        if len(theta) != n_wanted:
            raise ValueError(f"theta must have {n_wanted} entries; got {len(theta)}.")
        self.kernel.theta = theta[:n_inner]
        if limits is not None:
            rho = sum(limits) / 2 + (limits[1] - limits[0]) / 2 * np.tanh(theta[n_inner])
            self.rho = float(np.clip(rho, *limits))

    @property
    def bounds(self) -> Any:
        """Bounds of ``theta``, an array of shape (n_dims, 2)."""
        inner = self.kernel.bounds
        if check_rho(self.rho, self.rho_bounds) is None:
            return inner
        return np.vstack([*inner, (-_FARTHEST, _FARTHEST)])

    def __eq__(self, other):
        # The base class compares bounds that are arrays or tuples entry by entry.
        return type(self) is type(other) and self._identity() == other._identity()

    def _identity(self):
        limits = check_rho(self.rho, self.rho_bounds)
        return self.kernel, self.rho, limits, self.domain_column

    def __call__(self, X, Y=None, eval_gradient=False):
        """Return the kernel matrix, and on request its derivatives by ``theta``.

        Parameters
        ----------
        X : array-like of shape (n_samples_X, n_features + 1)
            Rows with the domain in ``domain_column``.
        Y : array-like of shape (n_samples_Y, n_features + 1), default=None
            Other rows. None: those of X.
        eval_gradient : bool, default=False
            Whether derivatives are returned; only without Y.

        Returns
        -------
        K : ndarray of shape (n_samples_X, n_samples_Y)
            The kernel matrix.
        K_gradient : ndarray of shape (n_samples_X, n_samples_X, n_dims)
            Its derivatives. Only with ``eval_gradient=True``.
        """
        limits = check_rho(self.rho, self.rho_bounds)
        features, is_source = self._split(X)
        if Y is None:
            other, other_source = None, is_source
        else:
            other, other_source = self._split(Y)
        across = is_source[:, None] != other_source
        factor = np.where(across, self.rho, 1.0)
        if not eval_gradient:
            return factor * self.kernel(features, other)
        if Y is not None:
            raise ValueError("Gradient can only be evaluated when Y is None.")
        K, gradient = self.kernel(features, eval_gradient=True)
        gradient = factor[:, :, None] * gradient
        if limits is not None:
            # dρ/dφ, as tanh' is 1 - tanh².
            slope = 2 * (self.rho - limits[0]) * (limits[1] - self.rho) / (limits[1] - limits[0])
            gradient = np.dstack([gradient, slope * across * K])
        return factor * K, gradient

    def diag(self, X: ArrayLike) -> np.ndarray:
        """Return the diagonal of the kernel matrix: that of the kernel inside.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features + 1)
            Rows with the domain in ``domain_column``.

        Returns
        -------
        diagonal : ndarray of shape (n_samples,)
            The kernel of each row with itself.
        """
        return self.kernel.diag(self._split(X)[0])

    def _split(self, X):
        """Return the features of the rows, and which of them are source rows."""
        X = np.asarray(X, dtype=np.float64)
        d = X.shape[1] if X.ndim == 2 else 0
        if d < 2:
            raise ValueError(
                "X must have a column of domains beside its features; got an array of shape "
                f"{X.shape}. Append one, for instance with np.column_stack([X, sample_domain])."
            )
        column = check_integer("domain_column", self.domain_column, low=-d, high=d - 1)
        return np.delete(X, column, axis=1), X[:, column] >= 0

    def is_stationary(self) -> bool:
        """Return False: the domain counts beside the difference of the features.

        Returns
        -------
        stationary : bool
            Always False.
        """
        return False

    @property
    def requires_vector_input(self) -> Any:
        """Whether the rows must be vectors: they hold the domain, so they must."""
        return True

    def __repr__(self):
        return f"TransferKernel({self.kernel}, rho={self.rho:.3g})"
