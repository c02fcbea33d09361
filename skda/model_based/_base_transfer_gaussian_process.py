"""What the Gaussian processes of two domains share: rows with their domain, and the kernel."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process.kernels import Kernel
from sklearn.utils import check_array

from .._core._labels import take_labels
from .._core._param_checks import check_integer
from .._core._routing import DomainRouting
from .._core._typing import ArrayLike, DomainIds
from .._core._validation import (
    data_for_inner_fit,
    data_for_inner_predict,
    fresh_fit,
    one_class_explained,
)
from .._numerics._budget import check_cost
from ._base_source_model import warn_without_labels
from ._transfer_kernel import TransferKernel, check_rho

_MATRICES = 8  # of size n x n: the kernel, its derivatives and its factor
_CUBE_SECONDS = 5e-9  # measured: the search of the kernel's parameters takes this times n³


def with_domain(features, ids):
    """Return the rows with a last column: 1 for a source, -1 for a target."""
    return np.column_stack([features, np.where(ids >= 0, 1.0, -1.0)])


class TransferGaussianProcess(DomainRouting, BaseEstimator):
    """A Gaussian process of the source rows and the labeled target rows, with a transfer kernel.

    A subclass writes ``_process(kernel)``, the unfitted process of scikit-learn, and
    ``_default_kernel()`` for scaled features.
    """

    _labels = "all"

    def fit(self, X: ArrayLike, y: ArrayLike, *, sample_domain: DomainIds | None = None) -> Self:
        """Fit to the source rows and the labeled target rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : array-like of shape (n_samples,)
            Labels; missing ones of target rows are NaN, None or NA or, among integers, -1.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target. None: all rows are source, the
            process is the plain one, and a :class:`~skda.DomainWarning` says so.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        with fresh_fit(self):
            self._check_params()
            data = data_for_inner_fit(self, X, y, sample_domain, labels="all")
            rows = np.flatnonzero(data.labeled)
            learns = bool((data.ids[rows] < 0).any())
            if data.adapts and not learns:
                warn_without_labels(
                    self, len(data.target), "the process of the source rows is used, as with rho=1"
                )
            process = self._process(self._transfer_kernel(learns))
            features = check_array(data.X, dtype=np.float64)
            self._check_size(len(rows), features)
            with one_class_explained(self, data.y_source), self._own_bounds_in_silence():
                # It could be fitted with the target's classes, but there is nothing to transfer.
                if is_classifier(self) and len(np.unique(data.y_source)) < 2:
                    raise ValueError("one class")
                self.process_ = process.fit(
                    with_domain(features, data.ids)[rows], take_labels(data.y, rows)
                )
        return self

    def _check_size(self, n, features):
        """Warn if the kernel matrices will take long; raise if they do not fit in memory."""
        who, what = type(self).__name__, f"the kernel matrices of {n} labeled rows"
        hint = "Fit on a sample of the source rows, or take a method of linear models or trees."
        check_cost(who, what, _MATRICES * n * n, _CUBE_SECONDS * n**3, features, hint=hint)

    @contextmanager
    def _own_bounds_in_silence(self):
        """Keep warnings about the bounds of our own kernel from users, who did not choose it.

        Labels without noise, or that do not depend on the rows, lead to an end of its bounds.
        """
        with warnings.catch_warnings():
            if self.kernel is None:
                warnings.simplefilter("ignore", ConvergenceWarning)
            yield

    def _check_params(self):
        if self.kernel is not None and not isinstance(self.kernel, Kernel):
            raise ValueError(
                "kernel must be a kernel of sklearn.gaussian_process.kernels, such as RBF(), or "
                f"None; got {self.kernel!r}."
            )
        check_rho(self.rho, self.rho_bounds)
        check_integer("n_restarts_optimizer", self.n_restarts_optimizer, low=0)

    def _transfer_kernel(self, learns):
        """Return the kernel of both domains; without target labels they are one."""
        kernel = self._default_kernel() if self.kernel is None else clone(self.kernel)
        if not learns:
            return TransferKernel(kernel, 1.0, "fixed")
        return TransferKernel(kernel, self.rho, self.rho_bounds)

    def _rows_to_predict(self, X, sample_domain):
        """Return the rows with their domain, and where the predictions go."""
        data = data_for_inner_predict(self, X, sample_domain)
        features = check_array(data.X, dtype=np.float64)
        return with_domain(features, data.ids), data.input_backend
