"""Distances and tests by a classifier that tries to tell two samples apart."""

from __future__ import annotations

import numpy as np
from scipy.stats import hypergeom
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from .._core._param_checks import check_integer, check_real
from .._core._typing import ArrayLike, Predictor, RandomState
from ._mmd import TwoSampleTestResult
from ._samples import two_samples_on_host


def _labeled(X, Y):
    X, Y = two_samples_on_host(X, Y, min_samples=2)
    return np.concatenate([X, Y]), np.repeat([0, 1], [len(X), len(Y)])


def _classifier(estimator):
    """Return an unfitted classifier of samples."""
    if estimator is not None:
        if not (hasattr(estimator, "fit") and hasattr(estimator, "predict")):
            raise ValueError(
                "estimator must be a classifier with fit and predict, or None for a logistic "
                f"regression; got {estimator!r}."
            )
        return clone(estimator)
    # Balanced, so that samples of different sizes do not look different.
    return make_pipeline(
        StandardScaler(), LogisticRegression(max_iter=1000, class_weight="balanced")
    )


def proxy_a_distance(
    X: ArrayLike,
    Y: ArrayLike,
    *,
    estimator: Predictor | None = None,
    cv: int = 5,
    random_state: RandomState = None,
) -> float:
    """Measure how well a classifier tells two samples apart.

    If a classifier finds out which sample a held-out row is from, the samples differ; if it can
    only guess, they do not differ in anything that it can see.

    Parameters
    ----------
    X : array-like of shape (n_samples_X, n_features)
        First sample, at least two rows.
    Y : array-like of shape (n_samples_Y, n_features)
        Second sample, at least two rows.
    estimator : classifier or None, default=None
        Classifier that sees labels 0 (X) and 1 (Y). None is a balanced logistic regression on
        standardized features, which sees differences of the means; pass a forest or an SVM for
        others.
    cv : int, default=5
        Number of folds, at most the size of the smaller sample.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds.

    Returns
    -------
    distance : float
        Between 0 (no better than a guess) and 2 (separated without an error).

    See Also
    --------
    classifier_two_sample_test : With a p-value.
    mmd : Without a classifier.

    Notes
    -----
    max(0, 2 (1 − 2ε)) with ε the balanced error on held-out rows, so that samples of different
    sizes do not look different. It bounds, up to terms that no sample without labels can
    show, how much the error of a classifier may grow from one domain to the other. Cost: `cv`
    fits. Computed on the host.

    References
    ----------
    .. [1] Ben-David, S., Blitzer, J., Crammer, K., Pereira, F. (2007). Analysis of representations
       for domain adaptation. NeurIPS.
       https://papers.nips.cc/paper/2983-analysis-of-representations-for-domain-adaptation

    Examples
    --------
    >>> import numpy as np
    >>> from skda.metrics import proxy_a_distance
    >>> X = np.arange(20.0).reshape(-1, 1)
    >>> proxy_a_distance(X, X + 100.0, random_state=0)
    2.0
    """
    check_integer("cv", cv, low=2)
    model = _classifier(estimator)
    Z, labels = _labeled(X, Y)
    folds = StratifiedKFold(
        min(cv, int(np.bincount(labels).min())), shuffle=True, random_state=random_state
    )
    predicted = cross_val_predict(model, Z, labels, cv=folds)
    # Balanced for the same reason: a guess has error 1/2 whatever the sizes.
    error = 1.0 - balanced_accuracy_score(labels, predicted)
    return float(max(0.0, 2.0 * (1.0 - 2.0 * error)))  # worse than a guess is a guess


def classifier_two_sample_test(
    X: ArrayLike,
    Y: ArrayLike,
    *,
    estimator: Predictor | None = None,
    test_size: float = 0.5,
    random_state: RandomState = None,
) -> tuple[float, float]:
    """Test whether two samples come from one distribution, by telling held-out rows apart.

    A classifier is fitted to separate a part of the rows by sample. If the samples do not differ,
    it is right on the other rows as often as a guess.

    Parameters
    ----------
    X : array-like of shape (n_samples_X, n_features)
        First sample, at least two rows.
    Y : array-like of shape (n_samples_Y, n_features)
        Second sample, at least two rows.
    estimator : classifier or None, default=None
        As in :func:`proxy_a_distance`.
    test_size : float, default=0.5
        Proportion of the rows of each sample that is held out, in (0, 1). Raising it leaves fewer
        rows to fit the classifier on and makes its accuracy more certain.
    random_state : int, RandomState instance or None, default=None
        Seed of the split.

    Returns
    -------
    statistic : float
        Balanced accuracy on the held-out rows; 0.5 is chance.
    pvalue : float
        Probability of an accuracy as high if both samples came from one distribution.

    See Also
    --------
    mmd_test : Uses all rows; no classifier to choose.
    proxy_a_distance : A distance in place of a test.
    skda.inspection.feature_shift : Feature by feature.

    Notes
    -----
    Given the predictions for the held-out rows, every assignment of their labels is as likely if
    nothing differs. The number of Y rows found is then hypergeometric, and the p-value is exact
    (one-sided Fisher). It takes few values when few rows are held out, so that the test rejects
    less often than its level allows. Cost: one fit. Computed on the host.

    References
    ----------
    .. [1] Lopez-Paz, D., Oquab, M. (2017). Revisiting classifier two-sample tests. ICLR.
       arXiv:1610.06545.

    Examples
    --------
    >>> import numpy as np
    >>> from skda.metrics import classifier_two_sample_test
    >>> X = np.arange(20.0).reshape(-1, 1)
    >>> result = classifier_two_sample_test(X, X + 100.0, random_state=0)
    >>> result.statistic, round(result.pvalue, 6)
    (1.0, 5e-06)
    """
    check_real("test_size", test_size, low=0, high=1, closed="neither")
    model = _classifier(estimator)
    Z, labels = _labeled(X, Y)
    Z_fit, Z_test, y_fit, y_test = train_test_split(
        Z, labels, test_size=test_size, stratify=labels, random_state=random_state
    )
    predicted = model.fit(Z_fit, y_fit).predict(Z_test)
    # Y rows found among those predicted as Y, given both totals: Fisher's exact test.
    found = int(((predicted == 1) & (y_test == 1)).sum())
    null = hypergeom(len(y_test), int((y_test == 1).sum()), int((predicted == 1).sum()))
    return TwoSampleTestResult(
        float(balanced_accuracy_score(y_test, predicted)), float(null.sf(found - 1))
    )
