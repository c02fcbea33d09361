"""Class probabilities that are calibrated for the target."""

from __future__ import annotations

from typing import Literal

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV

from .._core._labels import as_labels
from .._core._param_checks import check_option
from .._core._score import DomainClassifierMixin
from .._core._typing import (
    Array,
    ArrayLike,
    DomainIds,
    Estimator,
    Predictor,
    RandomState,
    Splitting,
)
from .._numerics._calibration import LEAST_PROBA
from ._base_calibrated import BaseCalibrated
from ._held_out import call_model


class WeightedCalibratedClassifier(DomainClassifierMixin, BaseCalibrated):
    """Calibrate a classifier's probabilities for the target.

    Of the rows to which a calibrated classifier gives a probability of 0.7, seven in ten are of
    that class. What holds on the source need not hold on the target. Labeled rows that the
    classifier has not seen show how often it is right at each probability, and each of them counts
    as often as its like occurs in the target.

    Parameters
    ----------
    estimator : classifier
        Classifier with ``predict_proba`` or ``decision_function``, or a pipeline. What would see
        target labels is wrapped in :class:`~skda.TrainOnSource`.
    weighter : weighter, LabelShiftClassifier or None, default=None
        How the target differs: a weighter that weighs new rows, for covariate shift; or a
        :class:`~skda.LabelShiftClassifier`, whose priors weigh the classes, for label shift.
        None: all rows count alike.
    method : {"sigmoid", "isotonic", "temperature"}, default="sigmoid"
        What the probabilities are passed through, as in
        :class:`sklearn.calibration.CalibratedClassifierCV`: a sigmoid of two parameters for each
        class, any increasing function (for a thousand effective rows or more), or one temperature
        for all classes, which changes no prediction.
    cv : int, splitter, iterable, "prefit" or None, default=5
        How labeled rows are held out: a number of random folds that are stratified by class and
        domain, a splitter of scikit-learn or splits of the labeled rows, once (None), or not at
        all: "prefit" takes a fitted estimator, which must not have seen them.
    calibration_size : float, default=0.5
        With ``cv=None``: part of the source rows to hold out.
    use_target_labels : bool, default=False
        Whether target rows that have a label (not NaN, not None, not -1 among integers) are
        calibrated with as well.
    target_share : float or None, default=None
        With `use_target_labels`: part of the weight that target rows have. None: what follows from
        the weights, see :class:`ConformalClassifier`. 1: target rows alone.
    random_state : int, RandomState instance or None, default=None
        Deals out the folds.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes of the labels.
    estimator_ : classifier
        The fitted classifier, of all rows, or with ``cv=None`` of those that are not held out.
    estimators_ : list of classifiers
        One for each fold, fitted without it.
    calibrator_ : CalibratedClassifierCV
        What the outputs are passed through.
    weighter_ : weighter or None
        The fitted weighter.
    n_calibration_ : int
        Number of rows that are calibrated with.
    n_effective_ : float
        Their effective number ``(Σw)² / Σw²``.
    n_features_in_ : int
        Number of features.

    Raises
    ------
    ValueError
        In ``fit``, if the weighter cannot weigh new rows, the classifier has neither output, or
        there are too few rows.

    See Also
    --------
    ConformalClassifier : Sets of classes.
    skda.LabelShiftClassifier : Corrects probabilities for other class priors.

    Notes
    -----
    The calibrator maximizes the weighted likelihood (isotonic: least squares) of the labels of
    held-out rows given the classifier's log-odds, which are those of its probabilities, or its
    decision values if it has none. All rows pass through it, source rows too. With weights of the
    classes it also shifts the priors, except for "temperature", which cannot: put a
    :class:`~skda.LabelShiftClassifier` inside instead.

    Without ``sample_domain`` all rows count alike, with a :class:`~skda.DomainWarning`. Costs
    cv + 1 fits of the estimator and one of the weighter. Array level (b): NumPy on the host.

    Examples
    --------
    >>> from sklearn.metrics import log_loss
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skda import GaussianWeighter
    >>> from skda.conformal import WeightedCalibratedClassifier
    >>> from skda.datasets import make_covariate_shift
    >>> X, y, sample_domain = make_covariate_shift(noise=0.3, random_state=0)
    >>> target = sample_domain < 0
    >>> for weighter in (None, GaussianWeighter()):
    ...     model = WeightedCalibratedClassifier(GaussianNB(), weighter, random_state=0)
    ...     model = model.fit(X, y, sample_domain=sample_domain)
    ...     print(f"{log_loss(y[target], model.predict_proba(X[target])):.2f}")
    0.11
    0.09
    """

    def __init__(
        self,
        estimator: Predictor,
        weighter: Estimator | None = None,
        *,
        method: Literal["sigmoid", "isotonic", "temperature"] = "sigmoid",
        cv: Splitting | Literal["prefit"] | None = 5,
        calibration_size: float = 0.5,
        use_target_labels: bool = False,
        target_share: float | None = None,
        random_state: RandomState = None,
    ):
        self.estimator = estimator
        self.weighter = weighter
        self.method = method
        self.cv = cv
        self.calibration_size = calibration_size
        self.use_target_labels = use_target_labels
        self.target_share = target_share
        self.random_state = random_state

    def _calibrate(self, data, codes, held_out, weights):
        if hasattr(self.estimator, "predict_proba"):
            logits = log_odds_of(self._held_out_proba(data, held_out))
        else:
            logits = self._held_out_decisions(data, held_out)
        codes = codes[held_out.rows]
        missing = self.classes_[np.bincount(codes, minlength=len(self.classes_)) == 0].tolist()
        if missing:
            raise ValueError(
                f"No calibration row is of the classes {missing}, so that their probabilities "
                "cannot be calibrated. Pass more rows of them, or hold out more (cv=5)."
            )
        # scikit-learn's own calibrators, which take weights. The outputs are there already, so the
        # classifier gives back its rows, and a single split that holds out all rows changes
        # nothing. Codes for labels: "temperature" takes integers for codes (scikit-learn 1.9).
        given, rows = _GivenOutputs(len(self.classes_)), np.arange(len(codes))
        self.calibrator_ = CalibratedClassifierCV(
            given, method=self.method, ensemble=False, cv=[(rows, rows)]
        )
        self.calibrator_.fit(logits, codes, sample_weight=weights)

    def _held_out_decisions(self, data, held_out):
        width = () if len(self.classes_) == 2 else (len(self.classes_),)
        values = np.zeros((len(held_out.rows), *width))
        for model, places, found in self._by_fold("decision_function", data, held_out):
            if len(model.classes_) < len(self.classes_):
                raise ValueError(
                    f"A fold without rows of some class gives {type(self.estimator).__name__} "
                    f"other decision values; classes have {np.bincount(held_out.folds)} rows in "
                    "the folds. Pass more rows of each class, or fewer folds."
                )
            values[places] = as_labels(found)
        return values if values.ndim == 2 else values[:, None]

    def predict_proba(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Return calibrated class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of the target.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. None: every row is a target row.

        Returns
        -------
        proba : array of shape (n_samples, n_classes)
            Probabilities in the order of ``classes_``.
        """
        data, ids = self._new_rows(X, sample_domain)
        return data.input_backend.asarray(self._calibrated(data.X, ids))

    def predict(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> np.ndarray:
        """Predict the class of the largest calibrated probability.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of any domain.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. None: every row is a target row.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            Predicted labels.
        """
        data, ids = self._new_rows(X, sample_domain)
        return self.classes_[np.argmax(self._calibrated(data.X, ids), axis=1)]

    def _calibrated(self, X, ids):
        if hasattr(self.estimator, "predict_proba"):
            logits = log_odds_of(self._proba_of(self.estimator_, X, ids))
        else:
            logits = as_labels(call_model(self.estimator_, "decision_function", X, ids))
            logits = logits if logits.ndim == 2 else logits[:, None]
        return self.calibrator_.predict_proba(logits)

    def _check_params(self):
        super()._check_params()
        check_option("method", self.method, ("sigmoid", "isotonic", "temperature"))
        if not hasattr(self.estimator, "predict_proba") and not hasattr(
            self.estimator, "decision_function"
        ):
            raise ValueError(
                "estimator must be a classifier with predict_proba or decision_function, which are "
                f"calibrated; {type(self.estimator).__name__} has neither."
            )


def log_odds_of(proba):
    """Return what softmax turns into these probabilities; of two classes the log-odds."""
    logs = np.log(np.maximum(proba, LEAST_PROBA))
    return logs[:, 1:] - logs[:, :1] if proba.shape[1] == 2 else logs


class _GivenOutputs(ClassifierMixin, BaseEstimator):
    """A classifier whose rows are its decision values."""

    __metadata_request__fit = {"sample_weight": True}

    def __init__(self, n_classes):
        self.n_classes = n_classes

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.arange(self.n_classes)
        return self

    def decision_function(self, X):
        return X[:, 0] if X.shape[1] == 1 else X

    def predict(self, X):
        values = self.decision_function(X)
        return (values > 0).astype(int) if values.ndim == 1 else np.argmax(values, axis=1)
