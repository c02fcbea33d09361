"""OT label propagation: the plan carries labels, and a model of the target learns them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

from .._array._backend import to_numpy
from .._core._param_checks import check_option
from .._core._score import DomainClassifierMixin
from .._core._typing import ArrayLike, DomainIds, Predictor
from .._core._validation import class_labels
from .._numerics._sinkhorn import sinkhorn_plan
from .._numerics._transport import check_plan_sizes, cost_matrix, cost_unit, exact_plan
from ._base_joint_transport import check_plan_reg
from ._base_target_model import TargetClassifier, fit_on_soft_labels
from ._row_plans import plan_between_rows


def _blocks_of_plan(estimator, data):
    """Yield source rows, target rows and the coupling between them of each source's plan."""
    for domain in data.source_domains:
        yield data.rows(domain), data.target, estimator._plan(data, domain)


class OTLabelPropagationClassifier(TargetClassifier, DomainClassifierMixin, BaseEstimator):
    """Carry source labels to target rows by optimal transport, and fit a classifier there.

    A transport plan pairs source rows with target rows at the least total cost. Every target
    row gets the classes of the source rows that it is paired with, in proportion to the mass
    they send, and a classifier is fitted to the target rows with these labels.

    Parameters
    ----------
    estimator : classifier or None, default=None
        Fitted on target rows with the labels that they receive; None is
        ``LogisticRegression(max_iter=1000)``.
    reg : float or None, default=0.1
        None: the exact plan, in which a target row gets labels from few source rows, as in [1]_. A
        number: weight of the entropy, in units of the typical cost; a larger value spreads labels
        further.
    label_kind : {"soft", "hard"}, default="soft"
        Whether a target row counts for each class by its share, which asks the estimator for
        ``sample_weight``, or for its largest share alone.
    metric : {"sqeuclidean", "euclidean"} or callable, default="sqeuclidean"
        Cost of moving one row to another.
    cost_scale : {"median", "mean", "max"} or None, default="median"
        Statistic of the costs that counts as 1 in `reg`.

    Attributes
    ----------
    estimator_ : classifier
        The model of the target.
    classes_ : ndarray of shape (n_classes,)
        Classes of the source.
    label_distributions_ : ndarray of shape (n_target, n_classes)
        Proportion of each class in what each fitted target row received. Rows sum to one.
    transduction_ : ndarray of shape (n_target,)
        The class with the largest share.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if they had names.

    Raises
    ------
    ValueError
        In ``fit``, if a parameter is out of range, or `estimator` takes no ``sample_weight`` and
        the labels are soft.

    Warns
    -----
    ConvergenceWarning
        If `reg` is too small for Sinkhorn to converge; it names the misplaced share of the mass.

    See Also
    --------
    JDOTClassifier : Lets the classifier's opinion change the plan, in turns.
    OptimalTransportTransformer : Moves the rows instead.

    Notes
    -----
    With the plan P between source and target, target row j gets class c with share
    :math:`\\sum_{i: y_i = c} P_{ij} / \\sum_i P_{ij}` [1]_ [2]_. Of several sources each
    has a plan of its own, and their shares are averaged by their numbers of rows. Every plan is
    solved to its end and gives every target row its mass, so every row gets a label.

    It helps where transport of rows does, see :class:`OptimalTransportTransformer`; since the
    classifier sees target rows as they are, distortions of the map do no harm, but class
    proportions are carried over, so it harms where the class balance differs. Where several exact
    plans cost the same (duplicated rows, or features of few values), which one is found depends on
    the order of the rows.

    Cost: one plan, between :math:`n^2` and :math:`n^3`, and one fit. Fitted without
    ``sample_domain`` it is `estimator` on all rows. Array level (b): the fit, and exact plans,
    run in NumPy.

    References
    ----------
    .. [1] I. Redko, N. Courty, R. Flamary, D. Tuia, "Optimal Transport for Multi-source Domain
       Adaptation under Target Shift", AISTATS 2019. arXiv:1803.04899.
    .. [2] J. Solomon, R. Rustamov, L. Guibas, A. Butscher, "Wasserstein Propagation for
       Semi-Supervised Learning", ICML 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from skda import OTLabelPropagationClassifier, stack_domains
    >>> y = np.repeat([0, 1], 50)
    >>> X_source = np.random.default_rng(0).normal(size=(100, 2)) * 0.5 + y[:, None] * 2
    >>> X, labels, sample_domain = stack_domains(X_source, y, X_source + [-2.0, 1.5])
    >>> model = OTLabelPropagationClassifier().fit(X, labels, sample_domain=sample_domain)
    >>> print(f"{(model.transduction_ == y).mean():.2f}")
    1.00
    """

    def __init__(
        self,
        estimator: Predictor | None = None,
        *,
        reg: float | None = 0.1,
        label_kind: Literal["soft", "hard"] = "soft",
        metric: Literal["sqeuclidean", "euclidean"] | Callable[..., Any] = "sqeuclidean",
        cost_scale: Literal["median", "mean", "max"] | None = "median",
    ):
        self.estimator = estimator
        self.reg = reg
        self.label_kind = label_kind
        self.metric = metric
        self.cost_scale = cost_scale

    @staticmethod
    def _default():
        return LogisticRegression(max_iter=1000)

    def _fit(self, data):
        check_plan_reg(self.reg)
        check_option("label_kind", self.label_kind, ("soft", "hard"))
        self.classes_, codes = class_labels(self, data)
        if not data.adapts:
            self.estimator_ = self._inner().fit(to_numpy(data.X), data.y_source)
            return
        sizes = [(data.count(domain), len(data.target)) for domain in data.source_domains]
        check_plan_sizes(type(self).__name__, sizes, data.X, exact=self.reg is None)
        shares = np.zeros((len(data.target), len(self.classes_)))
        for domain in data.source_domains:
            rows = data.rows(domain)
            membership = np.eye(len(self.classes_))[codes[rows]]
            received = to_numpy(self._plan(data, domain)).T @ membership
            # A source counts by its rows.
            shares += len(rows) * received / received.sum(axis=1, keepdims=True)
        shares /= shares.sum(axis=1, keepdims=True)
        self.label_distributions_ = shares
        largest = shares.argmax(axis=1)
        self.transduction_ = self.classes_[largest]
        if self.label_kind == "hard":
            # One class of weight 1: the estimator need not accept sample_weight.
            shares = np.eye(len(self.classes_))[largest]
        self.estimator_ = fit_on_soft_labels(
            self._inner(), to_numpy(data.X_target), shares, self.classes_
        )

    def transport_plan(self, X: ArrayLike, y: ArrayLike, *, sample_domain: DomainIds) -> np.ndarray:
        """Return the transport plan between source rows and target rows.

        It is not kept after ``fit``, since it is as large as both sides multiplied, and is computed
        anew here: with the rows of ``fit``, it is the one that carried the labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : array-like of shape (n_samples,)
            Labels of the source rows.
        sample_domain : array-like of int of shape (n_samples,)
            Domain of each row: >= 0 a source, < 0 a target.

        Returns
        -------
        plan : ndarray of shape (n_source, n_target)
            Mass that goes from each source row to each target row, in row order. Of several sources
            each has its own plan, which counts as its rows.
        """
        return plan_between_rows(self, X, y, sample_domain, _blocks_of_plan)

    def _plan(self, data, domain):
        M = cost_matrix(data.X_of(domain), data.X_target, metric=self.metric)
        M /= cost_unit(M, self.cost_scale)
        if self.reg is None:
            return exact_plan(M).coupling
        return sinkhorn_plan(M, reg=float(self.reg), hint="Raise reg.").coupling
