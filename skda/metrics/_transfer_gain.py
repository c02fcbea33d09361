"""What a transferred model gains over the target labels alone, and whether that is chance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import t as student_t
from sklearn.base import clone, is_regressor
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils import check_random_state

from .._array._backend import to_numpy
from .._array._rows import n_rows, take_rows
from .._core._labels import as_labels, labeled_rows, missing_like, take_labels
from .._core._param_checks import check_integer, check_real
from .._core._sample_domain import check_both_sides, check_sample_domain
from .._core._typing import ArrayLike, DomainIds, Predictor, RandomState
from .._numerics._folds import N_FOLDS, dealt_folds
from .._numerics._paired_tests import gain_interval, sign_test
from ._base_scorer import call_with_domains


class TransferGain(NamedTuple):
    """What a transferred model gains, with the limits and the test of it."""

    gain: float
    low: float
    high: float
    pvalue: float
    transferred: float
    target_only: float


def transfer_gain(
    estimator: Predictor,
    X: ArrayLike,
    y: ArrayLike,
    *,
    sample_domain: DomainIds,
    baseline: Predictor | None = None,
    n_folds: int = N_FOLDS,
    confidence: float = 0.9,
    random_state: RandomState = None,
) -> TransferGain:
    r"""Return what a transferred model gains over a model of the labeled target rows alone.

    Transfer is worth its while only if it beats what the target labels give on their own. Both are
    compared on labeled target rows that neither learnt from: in each fold of a cross-validation
    some of those labels are hidden, the transferred model is fitted to all rows and the baseline
    to the labeled target rows that are left.

    Parameters
    ----------
    estimator : classifier or regressor
        The transferred model; a clone is fitted with ``sample_domain`` in each fold.
    X : array-like of shape (n_samples, n_features)
        Rows of all domains.
    y : array-like of shape (n_samples,)
        Labels; missing ones of target rows are NaN, None or NA or, among integers, -1.
    sample_domain : array-like of int of shape (n_samples,)
        Domain of each row: >= 0 a source, < 0 a target.
    baseline : classifier or regressor, default=None
        What learns from the target labels alone. None: ``LogisticRegression(max_iter=1000)`` or
        ``Ridge()``.
    n_folds : int, default=5
        Number of folds; as many as labeled target rows if there are fewer.
    confidence : float, default=0.9
        Probability with which the interval holds the gain.
    random_state : int, RandomState instance or None, default=None
        Deals the labeled target rows out to folds, class by class.

    Returns
    -------
    result : TransferGain
        ``gain``, the accuracy or R² of the transferred model less that of the baseline; ``low`` and
        ``high``, its limits; ``pvalue``, how often a gain as large arises when there is none (one
        side); and both scores, ``transferred`` and ``target_only``.

    See Also
    --------
    rank_sources : Which source suits, before anything is transferred.
    skda.model_selection.compare : Many candidates under many scorers.

    Notes
    -----
    For classes the test is the exact sign test of the rows on which one is right and the other
    wrong, and the limits are exact as well; for numbers both are Student's, of the differences of
    the squared errors over the variance of the labels. Rows count as independent, though the
    models of the folds share rows: for stable models that is right for many rows [1]_. The gain is
    that of the models that were fitted, to :math:`1 - 1/k` of the labels; how much it would differ
    with other rows to learn from is not in the limits. Costs two fits per fold. Array level
    (b): NumPy on the host.

    References
    ----------
    .. [1] P. Bayle, A. Bayle, L. Janson, L. Mackey (2020). Cross-validation confidence intervals
       for test error. NeurIPS. arXiv:2007.12671

    Examples
    --------
    >>> import numpy as np
    >>> from skda import RegularizedTransferRegressor, stack_domains
    >>> from skda.metrics import transfer_gain
    >>> rng = np.random.default_rng(0)
    >>> w = rng.normal(size=20)
    >>> X_source, X_target = rng.normal(size=(300, 20)), rng.normal(size=(200, 20))
    >>> y_target = X_target @ (w + 0.2 * rng.normal(size=20)) + rng.normal(size=200)
    >>> few = np.where(np.arange(200) < 20, y_target, np.nan)
    >>> X, y, sample_domain = stack_domains(X_source, X_source @ w, X_target, few)
    >>> found = transfer_gain(
    ...     RegularizedTransferRegressor(), X, y, sample_domain=sample_domain, random_state=0
    ... )
    >>> print(f"R² {found.target_only:.2f} -> {found.transferred:.2f}, p = {found.pvalue:.3f}")
    R² 0.69 -> 0.95, p = 0.041
    """
    check_integer("n_folds", n_folds, low=2)
    check_real("confidence", confidence, low=0, high=1, closed="neither")
    ids = check_sample_domain(sample_domain, n_rows(X))
    check_both_sides(ids)
    y = as_labels(y)
    rows = np.flatnonzero(labeled_rows(y, ids) & (ids < 0))
    if len(rows) < 2:
        raise ValueError(
            f"transfer_gain needs two labeled target rows or more; got {len(rows)}. Put the labels "
            "that you know into y there, as y_target of skda.stack_domains."
        )
    regression = is_regressor(estimator)
    if baseline is None:
        baseline = Ridge() if regression else LogisticRegression(max_iter=1000)
    truth = take_labels(y, rows)
    codes = np.zeros(len(rows)) if regression else np.unique(truth, return_inverse=True)[1]
    folds = dealt_folds(codes, check_random_state(random_state), n_folds)
    good, plain = np.empty((2, len(rows)))
    for fold in range(folds.max() + 1):
        held, kept = rows[folds == fold], rows[folds != fold]
        wanted = truth[folds == fold]
        predicted = _transferred(estimator, X, y, ids, held)
        good[folds == fold] = _score_of_rows(predicted, wanted, regression)
        predicted = _alone(baseline, X, take_labels(y, kept), kept, held, regression)
        plain[folds == fold] = _score_of_rows(predicted, wanted, regression)
    if regression:
        return _gain_in_r2(good, plain, np.asarray(truth, dtype=np.float64), confidence)
    return _gain_in_accuracy(good, plain, confidence)


def _transferred(estimator, X, y, ids, held):
    """Return the predictions of the transferred model for rows whose labels it did not get."""
    missing, hidden = missing_like(y, len(held))
    hidden = np.array(hidden)
    hidden[held] = missing
    model = clone(estimator).fit(X, hidden, sample_domain=ids)
    return call_with_domains(model, "predict", take_rows(X, held), ids[held])


def _alone(baseline, X, labels, kept, held, regression):
    """Return the predictions of a model of the labeled target rows alone."""
    if not regression and len(np.unique(labels)) < 2:
        baseline = DummyClassifier()
    model = clone(baseline).fit(take_rows(X, kept), labels)
    return model.predict(take_rows(X, held))


def _score_of_rows(predicted, wanted, regression):
    """Return the negative squared errors, or which rows are right."""
    if regression:
        return -((to_numpy(predicted).astype(np.float64) - wanted) ** 2)
    return as_labels(predicted) == wanted


def _gain_in_accuracy(good, plain, confidence):
    n = len(good)
    better, worse = int(np.sum(good > plain)), int(np.sum(good < plain))
    limits = gain_interval(better, worse, n - better - worse, confidence=confidence)
    return TransferGain(
        (better - worse) / n,
        *map(float, limits),
        float(sign_test(better, worse)),
        float(good.mean()),
        float(plain.mean()),
    )


def _gain_in_r2(good, plain, truth, confidence):
    n, variance = len(good), truth.var()
    if variance == 0:
        raise ValueError("y must differ among the labeled target rows; all are equal.")
    differences = (good - plain) / variance
    gain, error = differences.mean(), differences.std(ddof=1) / np.sqrt(n)
    half = student_t.ppf((1 + confidence) / 2, n - 1) * error
    # Two models that are equally wrong on every row do not differ.
    pvalue = student_t.sf(gain / error, n - 1) if error > 0 else float(gain <= 0)
    scores = (float(1 + of.mean() / variance) for of in (good, plain))
    return TransferGain(float(gain), float(gain - half), float(gain + half), float(pvalue), *scores)
