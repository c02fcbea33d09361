"""A consensus of adapted classifiers, learnt from their predictions for the target rows."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Literal

import numpy as np

from .._core._labels import as_labels
from .._core._meta_estimator import aligned_columns
from .._core._param_checks import check_bool, check_option, check_real
from .._core._score import DomainClassifierMixin
from .._core._typing import Array, ArrayLike, DomainIds, Estimator, Predictor
from .._core._validation import class_labels
from .._numerics._votes import class_posterior, count_votes, dawid_skene, pairwise_agreement
from ..metrics._base_scorer import call_with_domains
from ..model_selection._source_only import SOURCE_ONLY
from ._base_consensus import BaseConsensus, mean_of_others, weights_of_groups
from ._need import reverse_ratio

# Candidates that agree on so many target rows count as one.
_ALIKE = 0.98
# A probability below this is taken for it in a geometric mean, so that no candidate has a veto.
_LEAST_PROBABILITY = 1e-3
# Measured over 58 tasks of 16 families: from 0.85 to 0.95 one or two tasks are harmed.
_HOLDS = 0.85


class ConsensusClassifier(DomainClassifierMixin, BaseConsensus):
    r"""Combine adapted classifiers by what they agree on in the target, instead of choosing one.

    No score that needs no target labels can be trusted to choose a method. But where methods adapt
    in different ways, what most of them say about a row is right more often than what a single one
    says. The candidates are fitted once each; from their predictions for the target rows alone it
    is learnt how often each takes which class for which, and their votes count accordingly. Where
    the source-only model shows that it holds in the target, it is kept.

    Parameters
    ----------
    candidates : "auto" or dict of str to estimator, default="auto"
        Classifiers and pipelines by name. Whatever would see target labels is wrapped in
        :class:`~skda.TrainOnSource`. "auto" is :func:`default_candidates` around `estimator`. The
        source-only model is always among them: the candidate named "source only", else
        `estimator`, else what is left of a candidate without its adapting steps.
    estimator : classifier or None, default=None
        The plain classifier, also at the end of a Pipeline. None is a LogisticRegression after a
        StandardScaler (with a dict of candidates: what is left of one of them).
    combine : {"consensus", "mean", "geometric", "vote"}, default="consensus"
        "consensus" learns a confusion matrix per candidate from their votes; "mean" and
        "geometric" are means of their probabilities (0 and 1 for a candidate that has none);
        "vote" counts votes.
    damping : float, default=0.3
        Of "consensus", in [0, 1]: the log-likelihood of the votes is divided by the number of
        candidates to this power, since they are no independent witnesses. 0 takes them for such, 1
        takes all of them for one.
    check_need : bool, default=True
        Whether the source-only model is kept where its labels lead back from the target to the
        source, see Notes. False always combines.
    caution : float, default=0.0
        In [0, 1): the weighted proportion of candidates that must agree before the prediction of a
        row departs from that of the source-only model. Larger values gain less and harm less.
    use_target_labels : bool, default=False
        Whether target rows that have a label (not NaN, not None, not -1 among integers) enter the
        consensus with their class, and are shown to candidates that learn from them.
    n_jobs : int or None, default=None
        Number of processes over candidates, as in scikit-learn.
    verbose : bool, default=False
        Whether to print a line when a candidate is fitted.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes of the source rows.
    estimators_ : dict of str to estimator
        The fitted candidates, "source only" first. Those that failed are left out.
    weights_ : ndarray of shape (n_candidates,)
        How much the vote of each counts: 1, and less for candidates that predict alike.
    confusion_ : ndarray of shape (n_candidates, n_classes, n_classes) or None
        Estimated probability that a candidate predicts class l (last axis) for a target row of
        class k. None unless `combine` is "consensus".
    priors_ : ndarray of shape (n_classes,)
        Estimated proportions of the classes in the target, by the combined predictions.
    agreement_ : ndarray of shape (n_candidates,)
        Mean proportion of target rows on which a candidate agrees with another one.
    reverse_ratio_ : float
        How well the source-only labels lead back: 1 where nothing is lost on the way, 0 at
        chance. NaN if it is not checked or the source-only model is no better than chance in the
        source.
    keeps_source_ : bool
        Whether all rows are predicted by the source-only model.
    table_ : DataFrame
        One row per candidate, also for those that failed: weight, agreement, seconds, warnings,
        error. Needs pandas.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had names.

    Raises
    ------
    ValueError
        In ``fit``, if no candidate can be fitted, if one is no classifier, if no source-only model
        can be derived, or if a labeled target row that is used has a class that the source lacks.

    Warns
    -----
    DomainWarning
        If a candidate fails; it is left out.

    See Also
    --------
    AutoAdaptClassifier : Says what was decided, and tests it where there are target labels.
    default_candidates : The candidates of "auto".
    skda.model_selection.compare : Shows candidates side by side.

    Notes
    -----
    Dawid and Skene's model [1]_: given its class, a row gets its M votes v independently. With
    weights w and damping p,

    .. math::

        T_{ik} \propto \pi_k \prod_m C_m[k, v_{im}]^{w_m / (\sum_m w_m)^p}, \qquad
        C_m[k, l] \propto 1 + \sum_i T_{ik} [v_{im} = l], \qquad
        \pi = \frac1n \sum_i T_i

    for 30 rounds from the proportions of the votes on. As votes do not tell how sure a candidate
    is, ``predict_proba`` is the mean of T and of the geometric mean of the candidates'
    probabilities, where they have some (with `use_target_labels` T alone). Candidates that agree
    on 98 % of the target rows share one weight. New rows are predicted from what was learnt, row by
    row.

    The candidates err together where the proportions of the classes differ between the domains,
    since most maps make them equal. There, as a rule, the source-only model holds, and this can be
    seen without labels (`check_need`, the reverse validation of [2]_): a classifier is fitted on
    the target rows with the source-only labels and predicts the source rows. Where it reaches 85 %
    of the skill (balanced accuracy above chance) of the source's own cross-validated classifier,
    the source-only model is kept. Over 58 tasks of 16 families this raised the mean gain from 3.3
    to 4.8 points, and lowered the number of tasks that lose more than a point from 18 to 1 and the
    worst loss from 22 to 6 points; gains where the source-only model holds are forgone.

    Without `sample_domain` the plain classifier is fitted on all rows, with a warning. Cost: that
    of the candidates, and four more fits of the plain one. Array level: that of the estimators
    inside; votes are counted in NumPy.

    Callbacks (``set_callbacks``, with scikit-learn 1.9 or later) see the candidates.

    References
    ----------
    .. [1] Dawid, A., Skene, A. (1979). Maximum likelihood estimation of observer error-rates using
       the EM algorithm. JRSS C 28(1). https://doi.org/10.2307/2346806
    .. [2] Zhong, E., Fan, W., Yang, Q., Verscheure, O., Ren, J. (2010). Cross validation framework
       to choose amongst models and datasets for transfer learning. ECML PKDD.
       https://doi.org/10.1007/978-3-642-15939-8_35

    Examples
    --------
    >>> from skda.datasets import load_digits_scanners
    >>> from skda.ensemble import ConsensusClassifier
    >>> X, y, sample_domain = load_digits_scanners(random_state=0)
    >>> model = ConsensusClassifier().fit(X, y, sample_domain=sample_domain)
    >>> target = sample_domain < 0
    >>> source_only = model.estimators_["source only"]
    >>> model.score(X[target], y[target]) > source_only.score(X[target], y[target]) + 0.2
    True
    """

    _task = "classifier"

    def __init__(
        self,
        candidates: Literal["auto"] | Mapping[str, Estimator] = "auto",
        *,
        estimator: Predictor | None = None,
        combine: Literal["consensus", "mean", "geometric", "vote"] = "consensus",
        damping: float = 0.3,
        check_need: bool = True,
        caution: float = 0.0,
        use_target_labels: bool = False,
        n_jobs: int | None = None,
        verbose: bool = False,
    ):
        self.candidates = candidates
        self.estimator = estimator
        self.combine = combine
        self.damping = damping
        self.check_need = check_need
        self.caution = caution
        self.use_target_labels = use_target_labels
        self.n_jobs = n_jobs
        self.verbose = verbose

    def predict_proba(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Return the probability of each class by the consensus.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            Rows of any domain.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. None: every row is a target row.

        Returns
        -------
        proba : array of shape (n_samples, n_classes)
            Probabilities in the order of ``classes_``; rows sum to 1.
        """
        data, proba = self._proba(X, sample_domain)
        return data.input_backend.asarray(proba)

    def predict(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> np.ndarray:
        """Predict the class of each row by the consensus.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            Rows of any domain.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. None: every row is a target row.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            Predicted labels.
        """
        _, proba = self._proba(X, sample_domain)
        return self._predicted(proba)

    # Fitting

    def _check_params(self):
        super()._check_params()
        check_option("combine", self.combine, ("consensus", "mean", "geometric", "vote"))
        hint = "0 takes the candidates for independent witnesses, 1 all of them for one."
        check_real("damping", self.damping, low=0, high=1, hint=hint)
        check_bool("check_need", self.check_need)
        check_real("caution", self.caution, low=0, high=1, closed="left", hint="0 is no caution.")

    def _prepare(self, data):
        found, codes = class_labels(self, data)
        self.classes_ = found[np.unique(codes[data.source])]
        if data.adapts and len(self.classes_) == 1:
            raise ValueError(
                f"{type(self).__name__} needs two classes or more among the labels of the source "
                f"rows; they have one class only, {self.classes_[0]!r}. Pass source rows of other "
                "classes, and check that y holds the labels, not the domains."
            )
        if len(self.classes_) < len(found):
            unknown = np.setdiff1d(found, self.classes_).tolist()
            raise ValueError(
                f"y must have on target rows only classes that source rows have; {unknown} stand "
                "on target rows alone. Leave these labels out, or add source rows of the classes."
            )

    def _reader(self):
        return partial(read_probabilities, classes=self.classes_)

    def _learn(self, data, read):
        votes = np.stack(read).argmax(axis=2).T
        agreement = pairwise_agreement(votes)
        self.weights_ = weights_of_groups(agreement >= _ALIKE)
        self.agreement_ = mean_of_others(agreement)
        self.confusion_, self._vote_priors = None, None
        if self.combine == "consensus":
            known = self._known(data) if self.use_target_labels else None
            learnt = dawid_skene(votes, len(self.classes_), self._exponents(), known=known)
            self.confusion_, self._vote_priors = learnt.confusion, learnt.priors
        self.reverse_ratio_ = float("nan")
        has_reference = SOURCE_ONLY in self.estimators_
        if self.check_need and has_reference:
            source_only = self.estimators_[SOURCE_ONLY]
            self.reverse_ratio_ = reverse_ratio(source_only, data, self.classes_)
        # Without skill in its own domain the source-only model gives no reason to depart from it.
        lost = self.reverse_ratio_ < _HOLDS
        self.keeps_source_ = bool(self.check_need and has_reference and not lost)
        self.priors_ = self._combined(read).mean(axis=0)

    def _known(self, data):
        """Return the class index of labeled target rows, -1 for the others."""
        _, codes = class_labels(self, data)
        return codes[data.target]

    def _learn_nothing(self):
        self.weights_ = self.agreement_ = np.ones(1)
        self.confusion_ = None
        self.reverse_ratio_, self.keeps_source_ = float("nan"), True
        self.priors_ = np.full(len(self.classes_), 1.0 / len(self.classes_))

    def _exponents(self):
        return self.weights_ / self.weights_.sum() ** self.damping

    # Predicting

    def _proba(self, X, sample_domain):
        data, read = self._read_used(X, sample_domain)
        return data, self._combined(read)

    def _combined(self, read):
        """Return the probabilities of what is used, from those of the candidates."""
        return read[0] if self.keeps_source_ else self._by_rule(read)

    def _by_rule(self, read):
        """Return the probabilities of the combination."""
        read = np.stack(read)
        votes = read.argmax(axis=2).T
        proba = self._unchecked(read, votes)
        if self.caution == 0 or SOURCE_ONLY not in self.estimators_:
            return proba
        chosen = proba.argmax(axis=1)
        agree = (votes == chosen[:, None]) @ self.weights_ / self.weights_.sum()
        departs = (chosen == votes[:, 0]) | (agree >= self.caution)
        return np.where(departs[:, None], proba, read[0])

    def _unchecked(self, read, votes):
        shares = self.weights_ / self.weights_.sum()
        if self.combine == "vote":
            return count_votes(votes, len(self.classes_), self.weights_)
        if self.combine == "mean":
            return np.tensordot(shares, read, axes=1)
        if self.combine == "geometric":
            return _geometric_mean(read, shares)
        posterior = class_posterior(votes, self.confusion_, self._vote_priors, self._exponents())
        sure = [hasattr(fitted, "predict_proba") for fitted in self.estimators_.values()]
        # Known labels say more of a candidate than how sure it is.
        if self.use_target_labels or not any(sure):
            return posterior
        return (posterior + _geometric_mean(read[sure], shares[sure])) / 2

    def _predicted(self, proba):
        return self.classes_[proba.argmax(axis=1)]


def read_probabilities(fitted, X, ids, *, classes):
    """Return the probabilities of a candidate, or 0 and 1 for one that has none."""
    # Pipelines of SKADA do not show their classes; those that they know are the source rows'.
    own = np.asarray(getattr(fitted, "classes_", classes))
    if not np.isin(own, classes).all():
        raise ValueError(
            f"it answers with the classes {own.tolist()}, and the source rows have "
            f"{classes.tolist()}."
        )
    if hasattr(fitted, "predict_proba"):
        given = as_labels(call_with_domains(fitted, "predict_proba", X, ids))
        return aligned_columns(given, own, classes)
    predicted = as_labels(call_with_domains(fitted, "predict", X, ids))
    return (predicted[:, None] == classes).astype(float)


def _geometric_mean(read, shares):
    shares = shares / shares.sum()
    log_mean = np.tensordot(shares, np.log(np.maximum(read, _LEAST_PROBABILITY)), axes=1)
    proba = np.exp(log_mean - log_mean.max(axis=1, keepdims=True))
    return proba / proba.sum(axis=1, keepdims=True)
