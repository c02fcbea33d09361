"""What methods share that move the coefficients of a linear source model."""

import numpy as np
from scipy import sparse
from sklearn.base import is_classifier
from sklearn.utils import check_array

from .._array._rows import n_rows, take_rows
from .._core._labels import as_labels
from .._core._param_checks import check_bool, check_option, check_real
from ._base_source_model import BaseModelTransfer, on_host, pipeline_parts

# A source model counts as linear if its outputs are those of its coefficients up to this part of
# the largest output; float32 models round to about 1e-6 of it.
_LINEAR_TOL = 1e-4
_ROWS_TO_COMPARE = 100


def linear_parts(estimator):
    """Return the fitted transformers in front of a linear model, and the model.

    Raises
    ------
    ValueError
        If the last step has no coefficients of its features.
    """
    maps, model = pipeline_parts(estimator)
    if not (hasattr(model, "coef_") and hasattr(model, "intercept_")):
        raise ValueError(
            "source_estimator must be a linear model, or a Pipeline that ends in one; "
            f"{type(model).__name__} has no coef_ and intercept_ after fit. For any other model "
            "take StackedTransferRegressor or StackedTransferClassifier."
        )
    return maps, model


def with_constant(X):
    """Return the rows with a column of ones, whose coefficient is the intercept."""
    return np.column_stack([X, np.ones(len(X))])


class LinearTransfer(BaseModelTransfer):
    """A linear source model with its coefficients moved to suit labeled target rows."""

    _automatic: tuple[str, ...] = ("auto",)  # how the penalty may be chosen

    def _check_params(self):
        if not isinstance(self.reg, str):
            check_real("reg", self.reg, low=0, hint='"auto" chooses it.')
        elif self.reg not in self._automatic:
            raise ValueError(
                f"reg must be a non-negative number or one of {list(self._automatic)}; got "
                f"{self.reg!r}."
            )
        check_option("penalty", self.penalty, ("l2", "l1"))
        check_bool("penalize_intercept", self.penalize_intercept)

    def _keep_source(self, data):
        """Start from the coefficients of the source model, one row per output."""
        self._maps, model = linear_parts(self.source_estimator_)
        rows = np.arange(min(n_rows(data.X), _ROWS_TO_COMPARE))
        features = self._features(take_rows(data.X, rows))
        coef = np.atleast_2d(on_host(model.coef_)).astype(np.float64)
        intercept = np.broadcast_to(
            np.atleast_1d(on_host(model.intercept_)).astype(np.float64), len(coef)
        )
        self._check_linear(features, coef, intercept, take_rows(data.X, rows))
        if is_classifier(self):
            known = as_labels(self.source_estimator_.classes_)
            coef, intercept = class_rows(coef, intercept, known, self.classes_)
        self._set_source(coef, intercept)
        self.reg_ = np.inf

    def _check_linear(self, features, coef, intercept, X):
        """Raise unless the outputs of the source model are those of its coefficients."""
        name = "decision_function" if is_classifier(self) else "predict"
        outputs = getattr(self.source_estimator_, name, None)
        if outputs is not None and coef.shape[1] == features.shape[1]:
            found = on_host(outputs(X))
            found = found.reshape(len(found), -1)
            wanted = features @ coef.T + intercept
            one_output = is_classifier(self) or len(coef) == 1
            close = _LINEAR_TOL * (1.0 + np.abs(wanted).max())
            if one_output and found.shape == wanted.shape and np.abs(found - wanted).max() <= close:
                return
        raise ValueError(
            f"source_estimator must be a linear model with one output; {name} of "
            f"{type(self.source_estimator_).__name__} is not coef_ · x + intercept_. For any other "
            "model take StackedTransferRegressor or StackedTransferClassifier."
        )

    def _features(self, X):
        """Return the rows as the linear model gets them, checked."""
        for step in self._maps:
            X = step.transform(X)
        return check_array(X, accept_sparse="csr", dtype=np.float64)

    def _dense_features(self, X):
        # The labeled target rows are few, so that they fit in memory.
        features = self._features(X)
        return features.toarray() if sparse.issparse(features) else features

    def _outputs(self, X):
        """Return the linear outputs, (n_samples, n_outputs)."""
        return self._features(X) @ np.atleast_2d(self.coef_).T + self.intercept_


def class_rows(coef, intercept, known, classes):
    """Return the coefficients of each class; a class that the source does not know gets zeros.

    Two classes have one row, the second's less the first's.
    """
    if len(known) == len(classes):
        return coef, np.array(intercept)
    if len(known) == 2:
        # The softmax of ±½ of the margin is the logistic function of the margin.
        coef, intercept = np.vstack([-coef, coef]) / 2, np.r_[-intercept, intercept] / 2
    full = np.zeros((len(classes), coef.shape[1]))
    shifts = np.zeros(len(classes))
    at = np.searchsorted(classes, known)
    full[at], shifts[at] = coef, intercept
    return full, shifts
