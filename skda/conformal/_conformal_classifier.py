"""Sets of classes that hold the true one with a given probability on the target."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from sklearn.utils import check_random_state

from .._array._warnings import warn_user
from .._core._param_checks import check_bool, check_option, check_real
from .._core._sample_domain import DomainWarning
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
from .._numerics._weighted_quantile import is_conforming, is_unbounded, tail_weights
from ._base_calibrated import BaseCalibrated, check_has_proba
from ._scores import adaptive, least_ambiguous


class ConformalClassifier(DomainClassifierMixin, BaseCalibrated):
    """Predict sets of classes that hold the true one with probability ``1 - alpha`` on the target.

    Labeled rows that a classifier has not seen show how little it may believe in a class that is
    the true one. Where the target's rows are others than the source's, each of these rows counts
    as often as its like occurs in the target. A set holds all classes that are not less believed
    in than all but a part alpha of the weighted rows.

    Parameters
    ----------
    estimator : classifier
        Classifier with ``predict_proba``, or a pipeline. What would see target labels is wrapped
        in :class:`~skda.TrainOnSource`.
    weighter : weighter, LabelShiftClassifier or None, default=None
        How the target differs: a weighter that weighs new rows, for covariate shift [1]_; or a
        :class:`~skda.LabelShiftClassifier`, whose priors weigh the classes, for label shift [2]_.
        None: all rows count alike, which is right if the source's scores are those of the
        target.
    alpha : float, default=0.1
        Largest probability that a set misses the true class. Smaller: larger sets.
    method : {"lac", "aps"}, default="lac"
        Nonconformity of a class: one minus its probability, of which the sets are smallest; or the
        probability of all classes that are at least as likely, of which difficult rows get larger
        sets.
    randomized : bool, default=False
        For "aps": whether a random part of the class's own probability is taken off, which makes
        sets smaller, and different for the same row in different positions. Without it sets hold
        the true class more often than asked for.
    cv : int, splitter, iterable, "prefit" or None, default=5
        How labeled rows are held out: a number of random folds that are stratified by class and
        domain, a splitter of scikit-learn or splits of the labeled rows (cross-conformal), once
        (None), or not at all: "prefit" takes a fitted estimator, which must not have seen them.
    calibration_size : float, default=0.5
        With ``cv=None``: part of the source rows to hold out.
    use_target_labels : bool, default=False
        Whether target rows that have a label (not NaN, not None, not -1 among integers) are
        calibrated with as well.
    target_share : float, "auto" or None, default="auto"
        With `use_target_labels`: part of the weight that target rows have. 1: target rows alone,
        for which nothing need be assumed. None: what follows from the weights, see Notes. "auto":
        1 if there are 1 / alpha labeled target rows, the least for which it gives bounds, else
        None.
    random_state : int, RandomState instance or None, default=None
        Deals out the folds, and randomizes the sets.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes of the labels.
    estimator_ : classifier
        The fitted classifier that predicts; of all rows, or with ``cv=None`` of those that are not
        held out.
    estimators_ : list of classifiers
        One for each fold, fitted without it.
    weighter_ : weighter or None
        The fitted weighter.
    n_calibration_ : int
        Number of rows that are calibrated with.
    n_effective_ : float
        Their effective number ``(Σw)² / Σw²``. The coverage of a single fit varies about
        ``1 - alpha`` as that of so many rows without weights would.
    n_features_in_ : int
        Number of features.

    Raises
    ------
    ValueError
        In ``fit``, if the weighter cannot weigh new rows, the classifier has no ``predict_proba``,
        or there are too few rows.

    See Also
    --------
    ConformalRegressor : Intervals.
    WeightedCalibratedClassifier : Probabilities.

    Notes
    -----
    With scores :math:`s_i` and weights :math:`w_i` of the calibration rows and the own weight w of
    the new row, y is in the set if
    :math:`\\sum_i w_i 1\\{s_i \\ge s(x, y)\\} + w > \\alpha (\\sum_i w_i + w)`, where :math:`s_i`
    is compared with the score by the model that has not seen row i. Under covariate shift w is the
    weight of x, under label shift that of y. With the true weights and a model that has not seen
    the rows the coverage is at least ``1 - alpha``, whatever the classifier; with folds at least
    ``1 - 2 alpha``, and in practice ``1 - alpha``; with estimated weights as much less as they are
    wrong. It is an average over rows of the target and over fits. Sets may be empty, where no
    class is believed in. A row whose own weight exceeds what the others can outweigh gets all
    classes; a :class:`~skda.DomainWarning` counts them.

    With ``target_share=None`` and m labeled target rows among n source rows a row counts
    ``w / (n + m w)``, the ratio of the target's density to that of all calibration rows: about
    1 / m where the source has no rows, and w / n where it has many. That is right as far as the
    weights are. On real data labels given features differ as well, so that the target rows alone,
    50 of them, hold what is promised, and both together do not (docs, "Sets and intervals"); a
    number in between shares the weight as asked for, a target row and a new row counting 1.

    Without ``sample_domain`` this is plain conformal prediction, with a
    :class:`~skda.DomainWarning`. Source rows are predicted as the fitted estimator predicts
    them, so that each is mapped by its own domain's map; if it is, or ends in, a
    :class:`~skda.LabelShiftClassifier`, as target rows. ``predict_set`` is meant for target rows.
    Costs cv + 1 fits of the estimator and one of the weighter. Array level (b): NumPy on the host.

    References
    ----------
    .. [1] R. Tibshirani, R. Foygel Barber, E. Candès, A. Ramdas (2019). Conformal prediction under
       covariate shift. NeurIPS. arXiv:1904.06019
    .. [2] A. Podkopaev, A. Ramdas (2021). Distribution-free uncertainty quantification for
       classification under label shift. UAI. arXiv:2103.03323

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skda import LabelShiftClassifier, stack_domains
    >>> from skda.conformal import ConformalClassifier
    >>> rng = np.random.default_rng(0)
    >>> ys = rng.choice(2, 800, p=[0.85, 0.15])  # few are ill
    >>> yt = rng.choice(2, 800, p=[0.4, 0.6])  # most are ill
    >>> Xs, Xt = (rng.normal(size=(800, 1)) + 2 * y[:, None] for y in (ys, yt))
    >>> X, y, sample_domain = stack_domains(Xs, ys, Xt)
    >>> for weighter in (None, LabelShiftClassifier(random_state=0)):
    ...     model = ConformalClassifier(LogisticRegression(), weighter, random_state=0)
    ...     sets = model.fit(X, y, sample_domain=sample_domain).predict_set(Xt)
    ...     print(f"{sets[range(800), yt].mean():.2f}")
    0.74
    0.92
    """

    def __init__(
        self,
        estimator: Predictor,
        weighter: Estimator | None = None,
        *,
        alpha: float = 0.1,
        method: Literal["lac", "aps"] = "lac",
        randomized: bool = False,
        cv: Splitting | Literal["prefit"] | None = 5,
        calibration_size: float = 0.5,
        use_target_labels: bool = False,
        target_share: float | Literal["auto"] | None = "auto",
        random_state: RandomState = None,
    ):
        self.estimator = estimator
        self.weighter = weighter
        self.alpha = alpha
        self.method = method
        self.randomized = randomized
        self.cv = cv
        self.calibration_size = calibration_size
        self.use_target_labels = use_target_labels
        self.target_share = target_share
        self.random_state = random_state

    def _calibrate(self, data, codes, held_out, weights):
        proba = self._held_out_proba(data, held_out)
        scores = self._scores(proba, salt=0)
        own = scores[np.arange(len(scores)), codes[held_out.rows]]
        self._calibration = [
            (own[held_out.folds == number], weights[held_out.folds == number])
            for number in range(len(held_out.models))
        ]

    def predict_set(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> np.ndarray:
        """Return which classes are in the set of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of the target.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. None: every row is a target row.

        Returns
        -------
        sets : ndarray of bool of shape (n_samples, n_classes)
            Columns in the order of ``classes_``. Rows may hold no class, or all of them.
        """
        data, ids = self._new_rows(X, sample_domain)
        total = sum(weights.sum() for _, weights in self._calibration)
        tails: Any = 0.0
        for model, (scores, weights) in zip(self.estimators_, self._calibration, strict=True):
            new = self._scores(self._proba_of(model, data.X, ids), salt=1)
            tails = tails + tail_weights(scores, weights, new)
        own = self._weights.of_new(data.X, ids)
        unbounded = np.broadcast_to(is_unbounded(own, total, self.alpha), tails.shape).all(axis=1)
        if unbounded.any():
            warn_user(
                f"{int(unbounded.sum())} of {len(tails)} sets hold all classes, because too little "
                "weight lies on the calibration rows beside the rows' own: too few labeled rows "
                f"resemble them. Label target rows, or raise alpha (now {self.alpha:g}).",
                DomainWarning,
            )
        return is_conforming(tails, own, total, self.alpha)

    def predict(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> np.ndarray:
        """Predict the class of each row with the fitted classifier.

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
        return self._labels_of(data.X, ids)

    def predict_proba(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Return class probabilities of the fitted classifier, as they are.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of any domain.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. None: every row is a target row.

        Returns
        -------
        proba : array of shape (n_samples, n_classes)
            Probabilities in the order of ``classes_``.
        """
        data, ids = self._new_rows(X, sample_domain)
        return data.input_backend.asarray(self._proba_of(self.estimator_, data.X, ids))

    def _scores(self, proba, *, salt):
        if self.method == "lac":
            return least_ambiguous(proba)
        if not self.randomized:
            return adaptive(proba)
        # The numbers of calibration rows and those of new ones must not be the same.
        seed = check_random_state(self.random_state).randint(2**31 - 1, size=2)[salt]
        return adaptive(proba, np.random.default_rng(seed).random(len(proba)))

    def _check_params(self):
        super()._check_params()
        hint = "It is the largest part of sets without the true class."
        check_real("alpha", self.alpha, low=0, high=1, closed="neither", hint=hint)
        check_option("method", self.method, ("lac", "aps"))
        check_bool("randomized", self.randomized)
        check_has_proba(self.estimator)
