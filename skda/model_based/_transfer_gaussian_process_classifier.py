"""Gaussian process classification of two domains, with the correlation between them learnt."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Kernel

from .._core._score import DomainClassifierMixin
from .._core._typing import Array, ArrayLike, DomainIds, RandomState
from ._base_transfer_gaussian_process import TransferGaussianProcess


class TransferGaussianProcessClassifier(DomainClassifierMixin, TransferGaussianProcess):
    r"""Gaussian process classification of a source and few target rows, as correlated domains.

    Each domain has a function of its own that says how probable a class is, and the functions of
    the two domains are correlated by ρ. Where the labels of the target rows agree with the source,
    ρ goes to 1 and the target borrows all source rows; where they do not, it goes to 0 and the
    target rows are on their own. ρ is learnt with the kernel, as what makes all labels most
    probable.

    Parameters
    ----------
    kernel : Kernel, default=None
        Similarity of two rows of one domain. None: ``ConstantKernel() * RBF()``
        from a length of √n_features on, for scaled features.
    rho : float, default=0.5
        Correlation ρ between the domains, in [-1, 1]: where the optimizer starts, or the value if
        fixed. 1 is one process of all labeled rows, 0 one per domain with common parameters.
    rho_bounds : pair of floats or "fixed", default=(-1, 1)
        Lower and upper bound of ρ.
    n_restarts_optimizer : int, default=0
        How often the optimizer starts again, from parameters simulated within their bounds.
    random_state : int, RandomState instance or None, default=None
        Simulates those parameters.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes of the source rows and of the labeled target rows.
    process_ : GaussianProcessClassifier
        The fitted process. Its rows have the domain as their last column, 1 or -1.
    rho_ : ndarray of shape (n_processes,)
        The correlations that were learnt: one for two classes, else one per class; 1 if no target
        row has a label.
    n_features_in_ : int
        Number of features.

    See Also
    --------
    TransferKernel : The kernel, for scikit-learn's own estimators.
    TransferGaussianProcessRegressor : The same for numbers.
    RegularizedTransferClassifier : For linear models, and without source rows.

    Notes
    -----
    The kernel is :math:`k(x, x')` within a domain and :math:`\rho\,k(x, x')` across [1]_, in
    scikit-learn's Laplace approximation, with one process per class against the others if there
    are three or more. The parameters maximize the likelihood of all labels; ρ has bounds instead of
    the prior of [1]_. It helps where the two functions are of one kind and correlated everywhere
    alike, also contrary ones.

    In ``python -m benchmarks model_based`` it has the best mean rank of all model-based methods.

    A target row is labeled unless its y is NaN, None or NA or, among integers, -1; unlabeled ones
    are not used. Without any labeled one the process of the source rows is used, with a
    :class:`~skda.DomainWarning`. Several sources, and several targets, are pooled. A row is
    predicted as one of its own domain.

    Costs O(n³) for n labeled rows of all domains, many times: about a thousand rows at most. Array
    level (b): NumPy on the host; rows of other libraries are moved to it.

    References
    ----------
    .. [1] B. Cao, S. J. Pan, Y. Zhang, D.-Y. Yeung, Q. Yang (2010). Adaptive transfer learning.
       AAAI. doi:10.1609/aaai.v24i1.7682

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.gaussian_process import GaussianProcessClassifier
    >>> from skda import TransferGaussianProcessClassifier, stack_domains
    >>> rng = np.random.default_rng(0)
    >>> X_source, X_target = rng.uniform(-2, 2, (150, 2)), rng.uniform(-2, 2, (170, 2))
    >>> y_source = (np.sin(2 * X_source[:, 0]) > X_source[:, 1]).astype(int)
    >>> y_target = (np.sin(2 * X_target[:, 0]) < X_target[:, 1]).astype(int)  # the contrary
    >>> few = np.where(np.arange(170) < 20, y_target, -1)
    >>> X, y, sample_domain = stack_domains(X_source, y_source, X_target, few)
    >>> model = TransferGaussianProcessClassifier().fit(X, y, sample_domain=sample_domain)
    >>> target_only = GaussianProcessClassifier().fit(X_target[:20], y_target[:20])
    >>> new = X_target[20:], y_target[20:]
    >>> print(f"{target_only.score(*new):.2f} -> {model.score(*new):.2f}, rho {model.rho_[0]:.1f}")
    0.82 -> 0.97, rho -1.0
    """

    def __init__(
        self,
        kernel: Kernel | None = None,
        *,
        rho: float = 0.5,
        rho_bounds: tuple[float, float] | Literal["fixed"] = (-1.0, 1.0),
        n_restarts_optimizer: int = 0,
        random_state: RandomState = None,
    ):
        self.kernel = kernel
        self.rho = rho
        self.rho_bounds = rho_bounds
        self.n_restarts_optimizer = n_restarts_optimizer
        self.random_state = random_state

    def _default_kernel(self):
        # Scaled rows lie about that far apart. From a start at 1, rows of many features look all
        # unlike, and the likelihood is flat.
        return ConstantKernel() * RBF(np.sqrt(self.n_features_in_))

    def _process(self, kernel):
        return GaussianProcessClassifier(
            kernel,
            n_restarts_optimizer=self.n_restarts_optimizer,
            random_state=self.random_state,
        )

    @property
    def classes_(self) -> Any:
        """Classes of the source rows and of the labeled target rows."""
        return self.process_.classes_

    @property
    def rho_(self) -> Any:
        """The correlations that were learnt."""
        kernel = self.process_.kernel_
        # With three classes or more it holds the kernels of all processes.
        return np.array([part.rho for part in getattr(kernel, "kernels", [kernel])])

    def predict(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> np.ndarray:
        """Predict the class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. None: all rows are target rows.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            Predicted labels.
        """
        rows, _ = self._rows_to_predict(X, sample_domain)
        return self.process_.predict(rows)

    def predict_proba(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Return class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. None: all rows are target rows.

        Returns
        -------
        proba : array of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        rows, backend = self._rows_to_predict(X, sample_domain)
        return backend.asarray(self.process_.predict_proba(rows))
