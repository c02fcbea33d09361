"""Gradient boosting of other libraries that goes on from the scores of a source model.

XGBoost calls such scores ``base_margin``, LightGBM ``init_score``. Neither is imported here: the
argument of ``fit`` says which it is.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

from ._base_source_model import on_host

MARGIN_ARGUMENTS = ("base_margin", "init_score")


def margin_argument(estimator):
    """Return the argument of ``fit`` that takes scores to go on from, None if there is none."""
    return next((name for name in MARGIN_ARGUMENTS if has_fit_parameter(estimator, name)), None)


def as_margins(scores):
    """Return scores as boosters want them: for two classes the log-odds of the second."""
    return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores


class ContinuedBooster(NamedTuple):
    """A fitted booster, and the classes among which it moves probability."""

    model: Any
    """The fitted booster, or None where there was one class only."""
    present: np.ndarray
    """Codes of the classes that it was fitted on."""

    def scores(self, X, scores, n_rounds=None):
        """Return the log-probabilities after so many rounds; None: all of them.

        The classes that the booster does not know keep their probability.
        """
        if self.model is None or n_rounds == 0:
            return scores
        old = scores[:, self.present]
        new = _margins_after(self.model, X, as_margins(old), n_rounds)
        if new.ndim == 1:
            new = np.column_stack([np.zeros(len(new)), new])
        mass = logsumexp(old, axis=1, keepdims=True)
        changed = np.array(scores)
        changed[:, self.present] = new - logsumexp(new, axis=1, keepdims=True) + mass
        return changed


def continued_booster(model, X, codes, scores):
    """Fit a clone of a booster that goes on from scores.

    Parameters
    ----------
    model : classifier of XGBoost or LightGBM
    X : rows of any container
    codes : ndarray of shape (n,)
        Class of each row.
    scores : ndarray of shape (n, n_classes)
        Log-probabilities to go on from.
    """
    # XGBoost wants the codes without gaps.
    present, labels = np.unique(codes, return_inverse=True)
    if len(present) < 2:
        return ContinuedBooster(None, present)
    margins = {margin_argument(model): as_margins(scores[:, present])}
    return ContinuedBooster(clone(model).fit(X, labels, **margins), present)


def _margins_after(model, X, margins, n_rounds):
    """Return the scores of a booster after so many rounds."""
    if margin_argument(model) == "base_margin":
        rounds = None if n_rounds is None else (0, n_rounds)
        found = model.predict(X, output_margin=True, base_margin=margins, iteration_range=rounds)
        return on_host(found).astype(np.float64)
    # LightGBM leaves out of its predictions what it started from.
    added = on_host(model.predict(X, raw_score=True, num_iteration=n_rounds))
    return margins + added
