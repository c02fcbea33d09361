"""TrAdaBoost with several sources: each round learns from the one that helps the target most."""

from __future__ import annotations

from typing import Literal

import numpy as np

from .._array._rows import take_rows
from .._core._typing import Predictor, RandomState
from ._base_boosting import target_error
from ._tradaboost import TrAdaBoostClassifier


class MultiSourceTrAdaBoostClassifier(TrAdaBoostClassifier):
    """Boost on labeled target rows, in each round together with the best of several sources.

    In each round one learner per source is fitted to that source and the labeled target rows,
    and the one that is best on the target rows is kept. So a source that follows another
    concept is not chosen. Source rows that the learner gets wrong lose weight, target rows gain
    it, and all rounds vote.

    Parameters
    ----------
    estimator : classifier, default=None
        Base learner; must take ``sample_weight`` in ``fit``. Rows go on to it as they come. None:
        ``DecisionTreeClassifier(max_depth=3)``.
    n_estimators : int, default=50
        Largest number of rounds M. Raising it lowers the penalty of a wrong source row per
        round.
    initial_weights : {"uniform", "balanced"}, default="uniform"
        Weights of the first round: the same for all rows; or such that the labeled target rows
        together weigh as much as the source rows together, under which a flexible learner is
        without error on them beside any source. Either is multiplied by ``sample_weight``.
    error : {"hard", "soft"}, default="hard"
        What a learner's error on a row is: whether its prediction is wrong, or one minus the
        probability it gives to the right class; with "soft" the probabilities vote as well.
        "soft" needs ``predict_proba``.
    samme : bool, default=False
        Not in the paper, which has two classes. With K classes, allow an error up to 1 − 1/K
        instead of ½ and divide β_t by K − 1, as SAMME does for AdaBoost.
    dynamic_cost : bool, default=False
        Not in the paper. Multiply all source rows by 2(1 − ε_t) in each round, as
        :class:`TrAdaBoostClassifier` can, so that the target rows do not take all the weight.
    stop_early : bool, default=True
        True ends boosting, as in the paper, with the first learner that makes no error on the
        labeled target rows, or before the first with ε_t ≥ ½. False goes on: ε_t is kept between
        0.005 and just below ½ in the factors and votes. Once several sources are without error, the
        choice among them is then arbitrary.
    random_state : int, RandomState instance or None, default=None
        Seeds the base learners.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes of the source rows and the labeled target rows.
    selected_sources_ : ndarray of int of shape (n_rounds,)
        Id in ``sample_domain`` of the source that each round learnt from.
    estimators_ : list of classifiers
        The learner of each completed round.
    estimator_errors_ : ndarray of shape (n_rounds,)
        Weighted error ε_t on the labeled target rows.
    estimator_weights_ : ndarray of shape (n_rounds,)
        Weight of each learner's vote; infinite where ε_t = 0, which decides alone.
    target_share_ : ndarray of shape (n_rounds,)
        Share of the weight of all rows that lay on the labeled target rows.
    weights_ : ndarray of shape (n_source,)
        Weights of the source rows in the last completed round, with mean 1.
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
    TrAdaBoostClassifier : Pools the sources.

    Notes
    -----
    MultiSourceTrAdaBoost [1]_. Assumes that some of the sources follow the target's concept, and
    others do not: a source that would hurt is not chosen. In each round one candidate per source
    is fitted to that source and the labeled target rows; the one with the smallest weighted
    target error ε_t is kept (of equals, the one that fits its own rows best). Then wrong source
    rows of all sources lose weight by exp(−2α_S) with α_S = ½ ln(1 + √(2 ln n / M)), n counting
    the rows of all sources, and wrong target rows gain it by (1 − ε_t)/ε_t: the factors of
    TrAdaBoost. All rounds vote, with α_t ∝ ln((1 − ε_t)/ε_t). With one source it differs from
    TrAdaBoost in the vote only. Without ``sample_domain`` this is AdaBoost (M1) on all rows.

    Costs n_estimators fits of the base learner for each source. Array level (b): NumPy on the host;
    rows of other libraries are moved to the host.

    References
    ----------
    .. [1] Y. Yao, G. Doretto (2010). Boosting for transfer learning with multiple sources. CVPR.
       doi:10.1109/CVPR.2010.5539857

    Examples
    --------
    >>> import numpy as np
    >>> from skda import MultiSourceTrAdaBoostClassifier, stack_domains
    >>> rng = np.random.default_rng(0)
    >>> Xs, Xt = rng.normal(size=(2, 200, 2)), rng.normal(size=(300, 2))
    >>> ys = [(Xs[0] @ [1, 1] > 0).astype(int), (Xs[1] @ [1, -1] > 0).astype(int)]
    >>> yt = (Xt @ [1, -1] > 0).astype(int)  # the second source's concept
    >>> few = np.where(np.arange(300) < 20, yt, -1)  # 20 target labels, the rest missing
    >>> X, y, sample_domain = stack_domains(list(Xs), ys, Xt, few)
    >>> model = MultiSourceTrAdaBoostClassifier(random_state=0)
    >>> model = model.fit(X, y, sample_domain=sample_domain)
    >>> print(model.selected_sources_, f"{model.score(Xt, yt):.2f}")
    [2] 0.92
    """

    _all_rounds_vote = True

    def __init__(
        self,
        estimator: Predictor | None = None,
        *,
        n_estimators: int = 50,
        initial_weights: Literal["uniform", "balanced"] = "uniform",
        error: Literal["hard", "soft"] = "hard",
        samme: bool = False,
        dynamic_cost: bool = False,
        stop_early: bool = True,
        random_state: RandomState = None,
    ):
        super().__init__(
            estimator,
            n_estimators=n_estimators,
            initial_weights=initial_weights,
            error=error,
            stop_early=stop_early,
            samme=samme,
            dynamic_cost=dynamic_cost,
            random_state=random_state,
        )

    def _boost(self, X, y, codes, ids, weights, so_far):
        rounds = super()._boost(X, y, codes, ids, weights, so_far)
        self.selected_sources_ = np.array(rounds.sources)
        return rounds

    def _fit_round(self, X, y, codes, ids, weights, random_state):
        """Fit one candidate per source and keep the best on the target rows."""
        is_target = ids < 0
        candidates = []
        for source in np.unique(ids[~is_target]) if not is_target.all() else [0]:
            # A candidate learns from the target and one source, but is judged on rows of all.
            seen = np.flatnonzero(is_target | (ids == source))
            learner = self._fit_learner(take_rows(X, seen), y[seen], weights[seen], random_state)
            errors = self._row_errors(learner, X, codes)
            own_error = float(weights[seen] @ errors[seen] / weights[seen].sum())
            ranking = (target_error(weights, errors, is_target), own_error)
            candidates.append((ranking, learner, errors, int(source)))
        # By the ranking only: learners have no order, should two rankings be equal.
        _, learner, errors, source = min(candidates, key=lambda candidate: candidate[0])
        return learner, errors, source
