"""Gaussian process regression of two domains, with the correlation between them learnt."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Kernel, WhiteKernel

from .._core._param_checks import check_bool, check_real
from .._core._score import DomainRegressorMixin
from .._core._typing import Array, ArrayLike, DomainIds, RandomState
from ._base_transfer_gaussian_process import TransferGaussianProcess


class TransferGaussianProcessRegressor(DomainRegressorMixin, TransferGaussianProcess):
    r"""Gaussian process regression on a source and few target rows, as correlated domains.

    Each domain has a function of its own, and the two functions are correlated by ρ. Where the
    labels of the target rows agree with the source, ρ goes to 1 and the target borrows all source
    rows; where they do not, it goes to 0 and the target rows are on their own. ρ is learnt with
    the kernel, as what makes all labels most probable.

    Parameters
    ----------
    kernel : Kernel, default=None
        Similarity of two rows of one domain. None: ``ConstantKernel() * RBF() + WhiteKernel()``
        from a length of √n_features on, for scaled features.
    rho : float, default=0.5
        Correlation ρ between the domains, in [-1, 1]: where the optimizer starts, or the value if
        fixed. 1 is one process of all labeled rows, 0 one per domain with common parameters.
    rho_bounds : pair of floats or "fixed", default=(-1, 1)
        Lower and upper bound of ρ.
    alpha : float, default=1e-10
        Added to the diagonal of the kernel matrix. Raising it makes the process smoother.
    normalize_y : bool, default=True
        Whether all labels together are brought to mean 0 and variance 1 before the fit.
    n_restarts_optimizer : int, default=0
        How often the optimizer starts again, from parameters simulated within their bounds.
    random_state : int, RandomState instance or None, default=None
        Simulates those parameters.

    Attributes
    ----------
    process_ : GaussianProcessRegressor
        The fitted process. Its rows have the domain as their last column, 1 or -1.
    rho_ : float
        The correlation that was learnt; 1 if no target row has a label.
    n_features_in_ : int
        Number of features.

    See Also
    --------
    TransferKernel : The kernel, for scikit-learn's own estimators.
    TransferGaussianProcessClassifier : The same for classes.
    RegularizedTransferRegressor : For linear models, and without source rows.

    Notes
    -----
    The kernel is :math:`k(x, x')` within a domain and :math:`\rho\,k(x, x')` across [1]_. There, ρ
    has a prior and the parameters maximize the likelihood of the target labels given the source's;
    here they maximize that of all labels. It helps where the two functions are of one kind and
    correlated everywhere alike, also contrary ones; a part of the rows in which they are unrelated
    lowers ρ for all.

    A target row is labeled unless its y is NaN, None or NA or, among integers, -1; unlabeled ones
    are not used. Without any labeled one the process of the source rows is used, with a
    :class:`~skda.DomainWarning`. Several sources, and several targets, are pooled. A row is
    predicted as one of its own domain.

    Costs O(n³) for n labeled rows of all domains, many times: a few thousand rows at most. Array
    level (b): NumPy on the host; rows of other libraries are moved to it.

    References
    ----------
    .. [1] B. Cao, S. J. Pan, Y. Zhang, D.-Y. Yeung, Q. Yang (2010). Adaptive transfer learning.
       AAAI. doi:10.1609/aaai.v24i1.7682

    Examples
    --------
    >>> import numpy as np
    >>> from skda import TransferGaussianProcessRegressor, stack_domains
    >>> rng = np.random.default_rng(0)
    >>> X_source, X_target = rng.uniform(-3, 3, (100, 1)), rng.uniform(-3, 3, (100, 1))
    >>> y_source = np.sin(2 * X_source[:, 0]) + 0.1 * rng.normal(size=100)
    >>> y_target = 0.7 * np.sin(2 * X_target[:, 0]) + 0.2 * X_target[:, 0]
    >>> few = np.where(np.arange(100) < 8, y_target, np.nan)
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target, few)
    >>> model = TransferGaussianProcessRegressor().fit(X, y, sample_domain=sample_domain)
    >>> pooled = TransferGaussianProcessRegressor(rho=1, rho_bounds="fixed")
    >>> pooled = pooled.fit(X, y, sample_domain=sample_domain)
    >>> new = X_target[8:], y_target[8:]
    >>> print(f"{pooled.score(*new):.2f} -> {model.score(*new):.2f}, rho {model.rho_:.2f}")
    -0.06 -> 0.87, rho 0.91
    """

    def __init__(
        self,
        kernel: Kernel | None = None,
        *,
        rho: float = 0.5,
        rho_bounds: tuple[float, float] | Literal["fixed"] = (-1.0, 1.0),
        alpha: float = 1e-10,
        normalize_y: bool = True,
        n_restarts_optimizer: int = 0,
        random_state: RandomState = None,
    ):
        self.kernel = kernel
        self.rho = rho
        self.rho_bounds = rho_bounds
        self.alpha = alpha
        self.normalize_y = normalize_y
        self.n_restarts_optimizer = n_restarts_optimizer
        self.random_state = random_state

    def _check_params(self):
        super()._check_params()
        check_real("alpha", self.alpha, low=0)
        check_bool("normalize_y", self.normalize_y)

    def _default_kernel(self):
        # Scaled rows lie about that far apart. From a start at 1, rows of many features look all
        # unlike, and the likelihood is flat.
        return ConstantKernel() * RBF(np.sqrt(self.n_features_in_)) + WhiteKernel()

    def _process(self, kernel):
        return GaussianProcessRegressor(
            kernel,
            alpha=self.alpha,
            normalize_y=self.normalize_y,
            n_restarts_optimizer=self.n_restarts_optimizer,
            random_state=self.random_state,
        )

    @property
    def rho_(self) -> Any:
        """The correlation that was learnt."""
        return self.process_.kernel_.rho

    def predict(
        self, X: ArrayLike, *, sample_domain: DomainIds | None = None, return_std: bool = False
    ) -> tuple[Array, Array]:
        """Predict the mean of the process, and on request its standard deviation.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. None: all rows are target rows.
        return_std : bool, default=False
            Whether standard deviations are returned as well.

        Returns
        -------
        y_pred : array of shape (n_samples,)
            Predictions, in the array library of `X`.
        y_std : array of shape (n_samples,)
            Standard deviations of the labels; only with ``return_std=True``.
        """
        rows, backend = self._rows_to_predict(X, sample_domain)
        found = self.process_.predict(rows, return_std=return_std)
        if return_std:
            return tuple(backend.asarray(values) for values in found)
        return backend.asarray(np.asarray(found))
