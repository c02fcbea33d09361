"""TrAdaBoost: AdaBoost on a few labeled target rows, helped by the source rows that agree.

In each round wrong target rows gain weight and wrong source rows lose it, so that the source
rows which follow another concept fade out.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Literal, Self

import numpy as np
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import check_random_state

from .._core._callbacks import begin_fit, subtask
from .._core._meta_estimator import check_accepts_sample_weight, class_columns, predicted_codes
from .._core._param_checks import check_bool, check_integer, check_option
from .._core._score import DomainClassifierMixin
from .._core._typing import Array, ArrayLike, DomainIds, Predictor, RandomState
from .._core._validation import class_labels, data_for_inner_fit, data_for_inner_predict, fresh_fit
from ._base_boosting import (
    BaseTransferBoosting,
    Rounds,
    finite_votes,
    labeled_part,
    source_factor,
    target_error,
    target_factor,
    updated_weights,
)


class TrAdaBoostClassifier(DomainClassifierMixin, BaseTransferBoosting):
    """Boost on labeled target rows, with the source rows that agree with them.

    A few target labels are too few to learn from alone. Learners are fitted one after another to
    them and to the source; in each round the source rows that a learner gets wrong lose weight,
    since they may follow another concept, and the target rows that it gets wrong gain weight,
    since they are hard. The learners of the later rounds vote.

    Parameters
    ----------
    estimator : classifier, default=None
        Base learner; must take ``sample_weight`` in ``fit``. Rows go on to it as they come, so it
        may be a Pipeline that takes data frames, text or missing values. None:
        ``DecisionTreeClassifier(max_depth=3)``. The weaker it is, the more rounds pass before
        the few target rows are without error.
    n_estimators : int, default=50
        Largest number of rounds N. Raising it lowers the penalty of a wrong source row per
        round.
    initial_weights : {"balanced", "uniform"}, default="balanced"
        Weights of the first round: such that the labeled target rows together weigh as much as the
        source rows together; or the same for all rows, as in the paper, where a few target rows
        weigh too little to matter. Either is multiplied by ``sample_weight``.
    error : {"hard", "soft"}, default="hard"
        What a learner's error on a row is: whether its prediction is wrong, or one minus the
        probability it gives to the right class; with "soft" the probabilities vote as well.
        "soft" needs ``predict_proba``.
    samme : bool, default=False
        Not in the paper, which has two classes. With K classes, allow an error up to 1 − 1/K
        instead of ½ and divide β_t by K − 1, as SAMME does for AdaBoost.
    dynamic_cost : bool, default=False
        Multiply all source rows by 2(1 − ε_t) in each round [2]_ (by K(1 − ε_t) with
        `samme`). Without it the target rows take all the weight within some tens
        of rounds, see ``target_share_``.
    stop_early : bool, default=False
        True ends boosting, as in the paper, with the first learner that makes no error on the
        labeled target rows, or before the first with ε_t ≥ ½. False goes on: ε_t is kept between
        0.005 and just below ½ in the factors and votes, target rows keep their weights, and source
        rows that contradict them go on losing theirs.
    random_state : int, RandomState instance or None, default=None
        Seeds the base learners.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes of the source rows and the labeled target rows.
    estimators_ : list of classifiers
        The learner of each completed round.
    estimator_errors_ : ndarray of shape (n_rounds,)
        Weighted error ε_t on the labeled target rows.
    estimator_weights_ : ndarray of shape (n_rounds,)
        Weight ln(1/β_t) of each learner's vote; infinite where ε_t = 0, which decides alone.
    target_share_ : ndarray of shape (n_rounds,)
        Share of the weight that lay on the labeled target rows when a learner was fitted.
    weights_ : ndarray of shape (n_source,)
        Weights of the source rows in the last completed round, with mean 1: which of them
        the target rows agree with.
    termination_condition_ : {"n_estimators", "zero_error", "high_error"}
        Why boosting ended: all rounds were done; with `stop_early`, a learner made no error on the
        target rows (it is kept), or ε_t ≥ ½ (that round is dropped, unless it is the first).
    n_features_in_ : int
        Number of features.

    Raises
    ------
    ValueError
        In ``fit``, if no target row has a label, or if the base learner takes no
        ``sample_weight``.

    See Also
    --------
    MultiSourceTrAdaBoostClassifier : Chooses among several sources in each round.
    ImportanceWeightedEstimator : Without target labels, or with balanced weighting of both.

    Notes
    -----
    Assumes that the concept differs between the domains, but that part of the source follows the
    target's: p(y|x) differs for some rows only. With n source rows and initial weights of the
    user's choice (as in the paper), round t fits a learner to the weights w, measures
    ``ε_t = Σ w|h − y| / Σ w`` over the labeled target rows and multiplies source rows by
    ``β^{|h−y|}``, target rows by ``β_t^{−|h−y|}``, where β = 1/(1 + √(2 ln n / N)) and
    β_t = ε_t/(1 − ε_t). Of T completed rounds, ⌈T/2⌉ … T vote with ln(1/β_t) [1]_. A tie goes to
    the last class, as in the paper.

    A target row is labeled unless its y is NaN, None or NA or, among integers, -1; unlabeled
    ones are not used. The paper starts with uniform weights and stops early. With a few target rows
    that is often in the first round, and the model is then that of the pooled rows: over 30
    simulated settings (``python -m benchmarks.tradaboost``) it is right on 65 % of the target rows,
    with these defaults on 83 %, and the target labels alone give 83 %.
    Without ``sample_domain`` this is AdaBoost (M1) on all rows,
    where all rounds vote. Estimators that re-encode y before they fit (VotingClassifier,
    BaggingClassifier) hide which target rows are labeled: put them inside.

    Costs n_estimators fits of the base learner. Array level (b): NumPy on the host; rows of other
    libraries are moved to the host.

    Callbacks (``set_callbacks``, with scikit-learn 1.9 or later) see the rounds.

    References
    ----------
    .. [1] W. Dai, Q. Yang, G.-R. Xue, Y. Yu (2007). Boosting for transfer learning. ICML.
       doi:10.1145/1273496.1273521
    .. [2] S. Al-Stouhi, C. K. Reddy (2011). Adaptive boosting for transfer learning using dynamic
       updates. ECML PKDD. doi:10.1007/978-3-642-23780-5_14

    Examples
    --------
    >>> import numpy as np
    >>> from skda import TrAdaBoostClassifier, stack_domains
    >>> rng = np.random.default_rng(0)
    >>> Xs, Xt = rng.uniform(-1, 1, (400, 2)), rng.uniform(-1, 1, (400, 2))
    >>> ys, yt = (Xs.sum(axis=1) > 0).astype(int), (Xt.sum(axis=1) > 0).astype(int)
    >>> ys = np.where(Xs[:, 0] > 0.3, 1 - ys, ys)  # part of the source says the contrary
    >>> few = np.where(np.arange(400) < 30, yt, -1)  # 30 target labels, the rest missing
    >>> X, y, sample_domain = stack_domains(Xs, ys, Xt, few)
    >>> model = TrAdaBoostClassifier(error="soft", random_state=0)
    >>> model = model.fit(X, y, sample_domain=sample_domain)
    >>> first = model.estimators_[0]  # source and target rows weigh the same
    >>> print(f"{first.score(Xt, yt):.2f} -> {model.score(Xt, yt):.2f}")
    0.76 -> 0.83
    """

    def __init__(
        self,
        estimator: Predictor | None = None,
        *,
        n_estimators: int = 50,
        initial_weights: Literal["uniform", "balanced"] = "balanced",
        error: Literal["hard", "soft"] = "hard",
        samme: bool = False,
        dynamic_cost: bool = False,
        stop_early: bool = False,
        random_state: RandomState = None,
    ):
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.initial_weights = initial_weights
        self.error = error
        self.stop_early = stop_early
        self.samme = samme
        self.dynamic_cost = dynamic_cost
        self.random_state = random_state

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        sample_domain: DomainIds | None = None,
    ) -> Self:
        """Boost on the source rows and the labeled target rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : array-like of shape (n_samples,)
            Labels; missing ones of target rows are NaN, None or NA or, among integers, -1.
        sample_weight : array-like of shape (n_samples,), default=None
            Multiplies the weights of the rows in the first round. None: ones.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target. None: AdaBoost on all rows, with a
            :class:`~skda.DomainWarning`.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        with fresh_fit(self):
            self._check_params()
            data = data_for_inner_fit(self, X, y, sample_domain, labels="all")
            self.classes_, codes = class_labels(self, data)
            rows, is_target, weights = self._training_rows(data, sample_weight)
            ids = np.where(is_target, -1, data.ids[rows])  # all targets are one
            begin_fit(self, X, y, data.ids, data.labeled, n_tasks=self._n_tasks(data))
            so_far = self._kept_by_callbacks(data, rows)
            rounds = self._boost(*labeled_part(data, rows), codes[rows], ids, weights, so_far)  # type: ignore[call-arg]
            self._keep(rounds, data, rows)
        return self

    def _boost(self, X, y, codes, ids, weights, so_far):
        """Run the rounds, starting from these weights."""
        random_state = check_random_state(self.random_state)
        is_target = ids < 0
        n_way = max(2, len(self.classes_)) if self.samme else 2
        # Rows without weight take no part, so they do not count in the bound behind β.
        n_source = np.count_nonzero(weights[~is_target])
        beta = source_factor(max(n_source, 1), self.n_estimators)
        # Without source rows this is AdaBoost, which ends where a learner is perfect or at chance.
        rounds = Rounds(
            self.n_estimators,
            n_way=n_way,
            stop_early=self.stop_early or is_target.all(),
        )
        while True:
            with subtask(self, "round") as task:
                learner, errors, source = self._fit_round(X, y, codes, ids, weights, random_state)
                error = target_error(weights, errors, is_target)
                goes_on = rounds.add(learner, error, weights, is_target, source=source)
                task.offer(partial(so_far, rounds))
            if not goes_on or task.stops:
                return rounds
            # Kept off the ends, where the factor would be 0 or infinite.
            error = rounds.capped(error)
            weights = updated_weights(
                weights,
                errors,
                is_target,
                source_beta=beta,
                target_beta=target_factor(error, n_way),
                source_gain=n_way * (1.0 - error) if self.dynamic_cost else 1.0,
            )

    def _fit_round(self, X, y, codes, ids, weights, random_state):
        """Return the learner of one round, its error on each row, and the source it saw."""
        learner = self._fit_learner(X, y, weights, random_state)
        return learner, self._row_errors(learner, X, codes), None

    def _row_errors(self, learner, X, codes):
        votes = self._learner_votes(learner, X)
        return 1.0 - votes[np.arange(len(codes)), codes]

    def _learner_votes(self, learner, X):
        """Return the vote of one learner for each class, (n_samples, n_classes)."""
        if self.error == "soft":
            return class_columns(learner, X, self.classes_)
        return np.eye(len(self.classes_))[predicted_codes(learner, X, self.classes_)]

    def predict(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> np.ndarray:
        """Predict the class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of any domain.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Accepted, so that a pipeline can always pass it; checked for its length.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            Predicted labels.
        """
        data = data_for_inner_predict(self, X, sample_domain)
        return self._decide(self._vote_shares(data.X, len(self.estimators_)))

    def predict_proba(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Return the share of the votes for each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of any domain.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Accepted, so that a pipeline can always pass it; checked for its length.

        Returns
        -------
        proba : array of shape (n_samples, n_classes)
            Shares of the voting rounds' weight, in the order of ``classes_``; rows sum to 1.
        """
        data = data_for_inner_predict(self, X, sample_domain)
        return data.input_backend.asarray(self._vote_shares(data.X, len(self.estimators_)))

    def staged_predict(
        self, X: ArrayLike, *, sample_domain: DomainIds | None = None
    ) -> Iterator[np.ndarray]:
        """Predict as if boosting had ended after round 1, 2, ….

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of any domain.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Accepted, so that a pipeline can always pass it; checked for its length.

        Yields
        ------
        y_pred : ndarray of shape (n_samples,)
            Predicted labels after each round.
        """
        for shares in self.staged_predict_proba(X, sample_domain=sample_domain):
            yield self._decide(shares)

    def staged_predict_proba(
        self, X: ArrayLike, *, sample_domain: DomainIds | None = None
    ) -> Iterator[np.ndarray]:
        """Return the shares of the votes as if boosting had ended after round 1, 2, ….

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of any domain.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Accepted, so that a pipeline can always pass it; checked for its length.

        Yields
        ------
        proba : ndarray of shape (n_samples, n_classes)
            Shares of the votes after each round.
        """
        data = data_for_inner_predict(self, X, sample_domain)
        # Once for all stages; each of them only weighs other learners.
        votes = [self._learner_votes(learner, data.X) for learner in self.estimators_]
        for n_rounds in range(1, len(votes) + 1):
            yield self._weigh(votes[self._voting(n_rounds)], n_rounds)

    def _vote_shares(self, X, n_rounds):
        """Return the share of the votes for each class when n rounds were completed."""
        voters = self.estimators_[self._voting(n_rounds)]
        return self._weigh([self._learner_votes(voter, X) for voter in voters], n_rounds)

    def _weigh(self, votes, n_rounds):
        weights = finite_votes(self.estimator_weights_[self._voting(n_rounds)])
        shares = sum(weight * vote for weight, vote in zip(weights, votes, strict=True))
        return shares / shares.sum(axis=1, keepdims=True)

    def _decide(self, shares):
        """Return the label with the largest share; the last one of a tie (the paper's >=)."""
        last = shares.shape[1] - 1
        return self.classes_[last - np.argmax(shares[:, ::-1], axis=1)]

    def _learner(self):
        return DecisionTreeClassifier(max_depth=3) if self.estimator is None else self.estimator

    def _check_params(self):
        check_integer("n_estimators", self.n_estimators, low=1)
        check_option("initial_weights", self.initial_weights, ("uniform", "balanced"))
        check_option("error", self.error, ("hard", "soft"))
        check_bool("stop_early", self.stop_early)
        check_bool("samme", self.samme)
        check_bool("dynamic_cost", self.dynamic_cost)
        check_accepts_sample_weight(self._learner(), self)
        if self.error == "soft" and not hasattr(self._learner(), "predict_proba"):
            raise ValueError(
                "error='soft' needs a base learner with predict_proba; got "
                f"{type(self._learner()).__name__}. Choose error='hard' or another learner."
            )
