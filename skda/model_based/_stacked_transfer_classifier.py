"""Classification of few target rows with the predictions of a source model as evidence."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.special import log_softmax, softmax
from sklearn.base import clone, is_regressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils import check_random_state

from .._array._rows import take_rows
from .._array._warnings import warn_user
from .._core._param_checks import check_integer, check_real
from .._core._sample_domain import DomainWarning
from .._core._score import DomainClassifierMixin
from .._core._typing import Array, ArrayLike, DomainIds, Estimator, Predictor, RandomState
from .._numerics._folds import dealt_folds
from ._base_boosting_margins import ContinuedBooster, continued_booster, margin_argument
from ._base_source_model import (
    class_codes,
    fitted_classifier,
    on_host,
    probabilities,
)
from ._base_stacked import StackedTransfer

# Probabilities of the source model are kept off 0, from where no residual could move them.
_LOWEST_PROBA = 1e-3


def log_loss(scores, codes):
    """Return the sum of −log p of the classes of the rows."""
    return -log_softmax(scores, axis=1)[np.arange(len(codes)), codes].sum()


def boosted_steps(model, X, codes, scores, *, n_estimators, learning_rate):
    """Yield the regressors of each round of gradient boosting of the log loss, and the scores.

    Parameters
    ----------
    model : regressor
        Cloned for each class and round (once for two classes).
    X : rows of any container
    codes : ndarray of shape (n,)
        Class of each row.
    scores : ndarray of shape (n, n_classes)
        Log-probabilities to go on from.
    n_estimators : int
    learning_rate : float
    """
    onehot = np.eye(scores.shape[1])[codes]
    for _ in range(n_estimators):
        # The negative gradient of the log loss; with two classes one is the other's negative.
        residual = onehot - softmax(scores, axis=1)
        wanted = residual[:, 1:] if residual.shape[1] == 2 else residual
        step = [clone(model).fit(X, column) for column in wanted.T]
        scores = scores + learning_rate * step_scores(step, X)
        yield step, scores


def step_scores(step, X):
    """Return what a round adds to the score of each class."""
    added = np.column_stack([on_host(model.predict(X)) for model in step])
    # With two classes half of the step goes to each side, as their residuals do.
    return np.column_stack([-added, added]) if len(step) == 1 else added


class StackedTransferClassifier(DomainClassifierMixin, StackedTransfer):
    r"""Combine a source model of any kind with a classifier of few labeled target rows.

    The source model is taken as it is, a black box that predicts. A second model learns from the
    target rows that have a label: on its own, with the two averaged; with the source's prediction
    as further features; or only what the source model gets wrong.

    Parameters
    ----------
    source_estimator : classifier, default=None
        Any classifier, or a Pipeline. A fitted one, or a FrozenEstimator, is used as it is and
        source rows are ignored; copies made by a search keep what they hold only inside a
        FrozenEstimator. Otherwise a clone is fitted on the source rows. Its predicted classes
        stand for probabilities if it has none. None: ``LogisticRegression(max_iter=1000)``.
    target_estimator : estimator, default=None
        Model of the labeled target rows: a classifier, or with ``method="residual"`` a regressor,
        or ``XGBClassifier`` or ``LGBMClassifier``, whose trees go on from the source model.
        None: ``LogisticRegression(max_iter=1000)``, or ``Ridge()``.
    method : {"interpolation", "feature", "residual"}, default="interpolation"
        How the two are combined: α · source + (1 − α) · target of the probabilities, where α in
        [0, 1] has the smallest squared error in a five-fold cross-validation on the labeled target
        rows; the source's log-odds as further features of the target model, whose rows must
        then be numbers; or gradient boosting of the log loss that goes on from the source's
        log-probabilities.
    n_estimators : int, default=50
        Most rounds of boosting with "residual"; the number with the smallest log loss in a
        five-fold cross-validation is used, also none.
    learning_rate : float, default=0.5
        Factor of each round's step with "residual"; XGBoost and LightGBM have their own.
    random_state : int, RandomState instance or None, default=None
        Deals the labeled target rows out to folds.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes of the source model and of the labeled target rows.
    source_estimator_ : classifier
        The source model: the one that was given, or the fitted clone.
    target_estimator_ : classifier, list of lists of regressors, tuple or None
        The fitted target model; with "residual" the regressors of each round, one per class (one
        for two classes), or a tuple of the fitted booster of another library and the classes that
        it knows. None if the source model is used alone.
    source_weight_ : float
        The weight α of the source model with "interpolation"; else 1.
    n_features_in_ : int
        Number of features.

    Raises
    ------
    ValueError
        In ``fit``, if the source model was fitted on another number of features, or knows none of
        the classes of the labeled target rows.

    See Also
    --------
    RegularizedTransferClassifier : Moves the coefficients of a linear source model.
    StackedTransferRegressor : The same for numbers.

    Notes
    -----
    "feature" and "interpolation" are the baselines PRED and LININT of [1]_, which many methods do
    not beat. "interpolation" cannot be much worse than the better of the two models; "residual"
    adds to the source's log-odds an offset that the target rows explain. XGBoost and LightGBM get
    the source's log-odds as ``base_margin`` and ``init_score``; classes that no labeled target row
    has keep the source's probability then. Give them small trees: LightGBM does not split fewer
    than 40 rows unless ``min_child_samples`` is lowered.

    A target row is labeled unless its y is NaN, None or NA or, among integers, -1; unlabeled ones
    are not used. If none has a label, or all labels are of one class, the source model is used as
    it is, with a :class:`~skda.DomainWarning`. Several sources, and several targets, are pooled.
    One model predicts rows of all domains.

    Costs the fits of both models, and of five more target models with "interpolation". Array level
    (b): both models get the rows on the host; rows of other libraries are moved to it.

    References
    ----------
    .. [1] H. Daumé III (2007). Frustratingly easy domain adaptation. ACL. arXiv:0907.1815

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from skda import StackedTransferClassifier
    >>> rng = np.random.default_rng(0)
    >>> X_source, X_target = rng.normal(size=(400, 3)), rng.normal(size=(440, 3))
    >>> source_model = RandomForestClassifier(30, random_state=0)
    >>> source_model = source_model.fit(X_source, X_source[:, 0] ** 2 > 0.5)
    >>> y_target = X_target[:, 0] ** 2 + X_target[:, 1] > 0.5  # another trend here
    >>> model = StackedTransferClassifier(source_model, method="feature", random_state=0)
    >>> model = model.fit(X_target[:40], y_target[:40])
    >>> new = X_target[40:], y_target[40:]
    >>> print(f"{source_model.score(*new):.2f} -> {model.score(*new):.2f}")
    0.68 -> 0.81
    """

    def __init__(
        self,
        source_estimator: Predictor | None = None,
        target_estimator: Estimator | None = None,
        *,
        method: Literal["interpolation", "feature", "residual"] = "interpolation",
        n_estimators: int = 50,
        learning_rate: float = 0.5,
        random_state: RandomState = None,
    ):
        self.source_estimator = source_estimator
        self.target_estimator = target_estimator
        self.method = method
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.random_state = random_state

    def _check_params(self):
        super()._check_params()
        check_integer("n_estimators", self.n_estimators, low=1)
        check_real("learning_rate", self.learning_rate, low=0, closed="neither")
        target = self._target()
        if self.method == "residual" and not (is_regressor(target) or margin_argument(target)):
            raise ValueError(
                "target_estimator must be a regressor with method='residual', because it learns "
                "what is missing from the log-odds, or a classifier of XGBoost or LightGBM, which "
                f"can go on from them; got {type(target).__name__}."
            )

    def _default_source(self):
        return LogisticRegression(max_iter=1000)

    def _default_target(self):
        return Ridge() if self.method == "residual" else LogisticRegression(max_iter=1000)

    def _source_values(self, X):
        return probabilities(self.source_estimator_, X, self.classes_)

    def _source_columns(self, X):
        # Log-odds against the first class: a linear target model adds them to its own.
        scores = self._source_scores(X)
        return scores[:, 1:] - scores[:, :1]

    def _source_scores(self, X):
        proba = np.clip(self._source_values(X), _LOWEST_PROBA, None)
        return np.log(proba / proba.sum(axis=1, keepdims=True))

    def _adapt(self, X, y):
        if len(np.unique(y)) < 2:
            warn_user(
                f"{type(self).__name__} found labels of one class only, {y.tolist()[0]!r}, on the "
                "target rows: the source model is used as it is. Label rows of another class.",
                DomainWarning,
            )
            return
        codes = class_codes(y, self.classes_)
        if self.method == "residual":
            self._boost(X, codes)
        elif self.method == "feature":
            self.target_estimator_ = self._cloned_target().fit(self._with_source_column(X), y)
        else:
            self._interpolate(X, y, codes)

    def _interpolate(self, X, y, codes):
        def target_values(kept, X_new):
            model = fitted_classifier(self._cloned_target(), take_rows(X, kept), y[kept])
            return probabilities(model, X_new, self.classes_)

        onehot = np.eye(len(self.classes_))[codes]
        self.source_weight_ = self._chosen_weight(X, codes, onehot, target_values)
        self.target_estimator_ = self._cloned_target().fit(X, y)

    def _boost(self, X, codes):
        """Boost from the source's log-probabilities, for the number of rounds that is best."""
        scores = self._source_scores(X)
        folds = dealt_folds(codes, check_random_state(self.random_state))
        losses = np.zeros(self.n_estimators + 1)
        for fold in range(folds.max() + 1):
            held, kept = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
            parts = take_rows(X, kept), codes[kept], scores[kept], take_rows(X, held), scores[held]
            for i, found in enumerate(self._held_scores(*parts)):
                losses[i] += log_loss(found, codes[held])
        self.target_estimator_ = self._boosted(X, codes, scores, int(np.argmin(losses)))

    def _held_scores(self, X, codes, scores, X_held, held_scores):
        """Yield the scores of rows that were left out, before the first round and after each."""
        if margin_argument(self._target()):
            booster = self._boosted(X, codes, scores, self.n_estimators)
            for i in range(self.n_estimators + 1):
                yield booster.scores(X_held, held_scores, i)
            return
        yield held_scores
        settings = {"n_estimators": self.n_estimators, "learning_rate": self.learning_rate}
        for step, _ in boosted_steps(self._target(), X, codes, scores, **settings):
            held_scores = held_scores + self.learning_rate * step_scores(step, X_held)
            yield held_scores

    def _boosted(self, X, codes, scores, n_rounds):
        """Return the fitted rounds; None if a booster of another library is to do none."""
        model = self._target()
        if margin_argument(model):
            model = clone(model).set_params(n_estimators=n_rounds)
            return continued_booster(model, X, codes, scores) if n_rounds else None
        settings = {"n_estimators": n_rounds, "learning_rate": self.learning_rate}
        return [step for step, _ in boosted_steps(model, X, codes, scores, **settings)]

    def predict(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> np.ndarray:
        """Predict the class of each row with both models.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Accepted, so that a pipeline can always pass it; all rows are predicted alike.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            Predicted labels.
        """
        data = self._rows_to_predict(X, sample_domain)
        return self.classes_[np.argmax(self._combined(data.X), axis=1)]

    def predict_proba(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Return class probabilities of both models.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Accepted, so that a pipeline can always pass it; all rows are predicted alike.

        Returns
        -------
        proba : array of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        data = self._rows_to_predict(X, sample_domain)
        return data.input_backend.asarray(self._combined(data.X))

    def _combined(self, X):
        """Return the probability of each class."""
        target = self.target_estimator_
        if target is None:
            return self._source_values(X)
        if self.method == "residual":
            return softmax(self._residual_scores(X), axis=1)
        if self.method == "feature":
            return probabilities(target, self._with_source_column(X), self.classes_)
        weight = self.source_weight_
        found = probabilities(target, X, self.classes_)
        return weight * self._source_values(X) + (1.0 - weight) * found

    def _residual_scores(self, X):
        """Return the source's log-probabilities with what the rounds add."""
        scores, target = self._source_scores(X), self.target_estimator_
        if isinstance(target, ContinuedBooster):
            return target.scores(X, scores)
        steps = sum((step_scores(step, X) for step in target), 0.0)
        return scores + self.learning_rate * steps
