"""What the methods share that combine the predictions of a source and of a target model."""

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.utils import check_array, check_random_state, get_tags

from .._array._rows import take_rows
from .._core._param_checks import check_option
from .._numerics._folds import dealt_folds
from ._base_source_model import BaseModelTransfer, check_is_estimator

METHODS = ("interpolation", "feature", "residual")


def best_source_weight(wanted, source, target):
    """Return the α in [0, 1] that minimizes ``‖wanted − α source − (1 − α) target‖²``.

    Where the two predict the same, it is 1: the source model is enough.
    """
    gap = source - target
    squares = np.sum(gap**2)
    if squares == 0:
        return 1.0
    return float(np.clip(np.sum((wanted - target) * gap) / squares, 0.0, 1.0))


class StackedTransfer(BaseModelTransfer):
    """Predictions of a source model and of a model of the labeled target rows, combined.

    A subclass writes ``_source_values(X)``, the predictions of the source model as numbers,
    ``_source_columns(X)``, the same as features, and ``_adapt(X, y)``.
    """

    _order_dependent = True  # rows are dealt out to folds

    def _check_params(self):
        check_option("method", self.method, METHODS)
        check_is_estimator("target_estimator", self.target_estimator)

    def _target(self):
        return self._default_target() if self.target_estimator is None else self.target_estimator

    def _keep_source(self, data):
        """Start as the source model alone."""
        self.target_estimator_ = None
        self.source_weight_ = 1.0

    def _with_source_column(self, X):
        """Return the rows with the predictions of the source model as further columns."""
        # Missing values are up to the target model.
        rows = check_array(X, accept_sparse="csr", dtype=np.float64, ensure_all_finite=False)
        added = self._source_columns(X)
        if sparse.issparse(rows):
            return sparse.hstack([rows, sparse.csr_array(added)], format="csr")
        return np.column_stack([rows, added])

    def _chosen_weight(self, X, codes, wanted, target_values):
        """Return the weight of the source model, from predictions of rows that were left out.

        Parameters
        ----------
        X : rows of any container
            Labeled target rows.
        codes : ndarray of shape (n,)
            Class of each row, which the folds are balanced by.
        wanted : ndarray of shape (n,) or (n, n_classes)
            What is to be predicted.
        target_values : callable
            Takes the indices of rows to fit on and the rows to predict.
        """
        folds = dealt_folds(codes, check_random_state(self.random_state))
        target = np.empty(wanted.shape)
        for fold in range(folds.max() + 1):
            held, kept = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
            target[held] = target_values(kept, take_rows(X, held))
        return best_source_weight(wanted, self._source_values(X), target)

    def _cloned_target(self):
        return clone(self._target())

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        taken = get_tags(self._target()).input_tags
        # The rows go to both models, so that both have to take them.
        tags.input_tags.allow_nan &= taken.allow_nan
        tags.input_tags.sparse &= taken.sparse
        return tags
