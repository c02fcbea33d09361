"""Gradual self-training: a model follows the rows from domain to domain, on labels of its own.

From one domain to the next the rows change little, so that the model is right about most of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import euclidean_distances
from sklearn.utils import check_array, check_random_state, get_tags

from .._array._rows import n_rows, take_rows
from .._core._meta_estimator import aligned_columns, class_columns
from .._core._param_checks import check_integer, check_real
from .._core._routing import DomainRouting
from .._core._score import DomainClassifierMixin
from .._core._typing import Array, ArrayLike, DomainIds, Predictor, RandomState
from .._core._validation import (
    class_labels,
    data_for_inner_fit,
    data_for_inner_predict,
    fresh_fit,
    one_class_explained,
)
from .._numerics._transport import exact_plan
from ._base_source_model import check_is_estimator, on_host
from ._self_training import surest_by_class

# The plan between more rows than this takes long, and as many show the way as well.
_MOST_ROWS = 1000


def paired_rows(X, Y, random_state=None):
    """Return rows of X and rows of Y, each two of a line those that a transport plan pairs.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, d)
    Y : ndarray or CSR matrix of shape (m, d)
    random_state : RandomState, default=None
        Draws the rows that take part, if there are many.

    Returns
    -------
    start, end : ndarray or CSR matrix of shape (n_pairs, d)
        The pairs between which the optimal plan moves mass: n of them if n is m, else fewer than
        n + m.
    """
    X, Y = (
        part
        if n_rows(part) <= _MOST_ROWS
        else part[random_state.permutation(n_rows(part))[:_MOST_ROWS]]
        for part in (X, Y)
    )
    plan = exact_plan(euclidean_distances(X, Y, squared=True)).coupling
    # Less than this part of an even share of a row is rounding.
    i, j = np.nonzero(plan > 1e-9 * plan.max())
    return X[i], Y[j]


class GradualSelfTrainingClassifier(DomainClassifierMixin, DomainRouting, BaseEstimator):
    r"""Follow a shift step by step: learn each domain from the model of the one before.

    A sensor ages, and a model of the first month fails in the last. But from month to month little
    changes: the model of one month labels most rows of the next one right, and a model learnt from
    those labels goes on from there. In this way the model walks from the source to the target. No
    target label is needed.

    Parameters
    ----------
    estimator : classifier with ``predict_proba``, default=None
        Fitted anew to each domain. None: ``LogisticRegression(max_iter=1000)``.
    order : list of int, default=None
        Ids of the target domains in ``sample_domain``, in the order in which the shift goes; the
        last is the target to be predicted. None: all target rows are one domain, and the domains
        between it and the source are interpolated.
    n_intermediate : int, default=5
        Number of interpolated domains, without ``order``. Raising it makes the steps smaller; 0
        goes to the target at once.
    keep_fraction : float, default=0.9
        Part of the rows of each predicted class that is learnt from in each domain, the surest, in
        (0, 1].
    random_state : int, RandomState instance or None, default=None
        Draws the rows between which is interpolated, if a side has more than 1,000.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes of the source rows.
    estimator_ : classifier
        The model of the last domain.
    n_pseudo_labels_ : ndarray of int of shape (n_domains,)
        How many rows were learnt from in each domain after the source. There are fewer domains
        than asked for if the model came to know one class only; it then stays the one before.
    n_features_in_ : int
        Number of features.

    Raises
    ------
    ValueError
        In ``fit``, if the estimator has no ``predict_proba``, or ``order`` does not name the
        target domains, each once.

    See Also
    --------
    SelfTrainingTransferClassifier : Goes to one target, from the surest rows to the others.

    Notes
    -----
    Gradual self-training of [1]_, in which the bound on the error grows with the shift of each step
    and not with that from the source to the target. The surest rows are taken in each class, so
    that no class gets lost. It helps where the shift is gradual and the classes stay apart on the
    way; errors of one step are learnt by the next.

    Interpolated domains lie on the straight lines between source and target rows that an optimal
    transport plan pairs (squared distances; scale the features), at equal steps, as in [2]_. This
    is the shortest way from one distribution to the other, along which the sum of the steps, that
    the bound depends on, is least. It is a good guess if rows of a class are near to that
    class; labels take no part in it. Averages of rows must make sense, so the rows must be numbers.
    Real domains on the way are better evidence than interpolated ones.

    Where nothing shifts gradually, interpolation does harm: on pairs of five data sets, such as
    hospitals and red and white wine, accuracy falls 2 to 3 points below that of the source model,
    while SelfTrainingTransferClassifier gains 2.

    Several sources are pooled, and so are several targets without ``order``. One model predicts
    rows of all domains, as rows of the last one. Without ``sample_domain`` this is the plain
    estimator. Costs one fit per domain, and the plan. Array level (b): the estimator gets the rows
    on the host; rows of other libraries are moved to it.

    References
    ----------
    .. [1] A. Kumar, T. Ma, P. Liang (2020). Understanding self-training for gradual domain
       adaptation. ICML. arXiv:2002.11361
    .. [2] Y. He, H. Wang, B. Li, H. Zhao (2023). Gradual domain adaptation: theory and algorithms.
       arXiv:2310.13852

    Examples
    --------
    Clouds that turn by a third of a circle, in five months:

    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skda import GradualSelfTrainingClassifier, stack_domains
    >>> rng = np.random.default_rng(0)
    >>> def month(angle):
    ...     y = rng.integers(0, 2, 200)
    ...     X = rng.normal(size=(200, 2)) + 3.0 * np.outer(2 * y - 1, [1.0, 0.0])
    ...     turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    ...     return X @ turn, y
    >>> months = [month(angle) for angle in np.linspace(0, 2 * np.pi / 3, 6)]
    >>> X, y, sample_domain = stack_domains(*months[0], [rows for rows, _ in months[1:]])
    >>> ids = list(dict.fromkeys(sample_domain[sample_domain < 0].tolist()))
    >>> model = GradualSelfTrainingClassifier(order=ids).fit(X, y, sample_domain=sample_domain)
    >>> plain = LogisticRegression().fit(*months[0])
    >>> print(f"{plain.score(*months[-1]):.2f} -> {model.score(*months[-1]):.2f}")
    0.15 -> 0.99
    """

    _order_dependent = True  # rows are drawn where there are many

    def __init__(
        self,
        estimator: Predictor | None = None,
        *,
        order: Sequence[int] | None = None,
        n_intermediate: int = 5,
        keep_fraction: float = 0.9,
        random_state: RandomState = None,
    ):
        self.estimator = estimator
        self.order = order
        self.n_intermediate = n_intermediate
        self.keep_fraction = keep_fraction
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, *, sample_domain: DomainIds | None = None) -> Self:
        """Fit to the source rows, then follow the shift to the target.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : array-like of shape (n_samples,)
            Labels. Those of target rows are ignored.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target. None: all rows are source, there is
            nothing to adapt to, and a :class:`~skda.DomainWarning` says so.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        with fresh_fit(self):
            self._check_params()
            data = data_for_inner_fit(self, X, y, sample_domain, labels="source")
            self.classes_, _ = class_labels(self, data)
            domains = self._way(data) if data.adapts else []
            with one_class_explained(self, data.y_source):
                self.estimator_ = clone(self._inner()).fit(data.X_source, data.y_source)
            self.n_pseudo_labels_ = self._follow(domains)
        return self

    def _check_params(self):
        check_is_estimator("estimator", self.estimator)
        check_integer("n_intermediate", self.n_intermediate, low=0)
        check_real("keep_fraction", self.keep_fraction, low=0, high=1, closed="right")
        if not hasattr(self._inner(), "predict_proba"):
            raise ValueError(
                "estimator must have predict_proba, which says how sure it is; "
                f"{type(self._inner()).__name__} has none. Put CalibratedClassifierCV around it."
            )

    def _inner(self):
        return LogisticRegression(max_iter=1000) if self.estimator is None else self.estimator

    def _way(self, data):
        """Return the rows of the domains to go through, the target last."""
        if self.order is not None:
            return [data.X_of(i) for i in self._checked_order(data.target_domains)]
        if self.n_intermediate == 0:
            return [data.X_target]
        source, target = (
            check_array(X, accept_sparse="csr", dtype=np.float64)
            for X in (data.X_source, data.X_target)
        )
        start, end = paired_rows(source, target, check_random_state(self.random_state))
        parts = np.linspace(0.0, 1.0, self.n_intermediate + 2)[1:-1]
        between = [(1.0 - part) * start + part * end for part in parts]
        if hasattr(data.X, "columns"):  # the estimator knows the columns by their names
            between = [type(data.X)(dict(zip(data.X.columns, X.T, strict=True))) for X in between]
        return [*between, data.X_target]

    def _checked_order(self, there):
        order = np.asarray(self.order).tolist()
        if not isinstance(order, list) or sorted(order, key=str) != sorted(there, key=str):
            raise ValueError(
                f"order must name each target domain of sample_domain once, {there}, in the order "
                f"in which the shift goes; got {self.order!r}."
            )
        return order

    def _follow(self, domains):
        """Go from domain to domain, and return how many rows were learnt from in each."""
        counts = []
        for X in domains:
            proba = class_columns(self.estimator_, X, self.classes_)
            codes = proba.argmax(axis=1)
            rows = surest_by_class(codes, proba.max(axis=1), self.keep_fraction)
            # The next model would know nothing else, and give it to every row.
            if len(np.unique(codes[rows])) < 2:
                break
            labels = self.classes_[codes[rows]]
            self.estimator_ = clone(self._inner()).fit(take_rows(X, rows), labels)
            counts.append(len(rows))
        return np.array(counts, dtype=np.int64)

    def predict(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> np.ndarray:
        """Predict the class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Accepted, so that a pipeline can always pass it; there is one model for all rows.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,)
            Predicted labels.
        """
        data = data_for_inner_predict(self, X, sample_domain)
        return self.estimator_.predict(data.X)

    def predict_proba(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Return class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Accepted, so that a pipeline can always pass it; there is one model for all rows.

        Returns
        -------
        proba : array of shape (n_samples, n_classes)
            Columns in the order of ``classes_``; 0 for a class that the model came to forget.
        """
        data = data_for_inner_predict(self, X, sample_domain)
        proba = on_host(self.estimator_.predict_proba(data.X))
        known = self.estimator_.classes_
        return data.input_backend.asarray(aligned_columns(proba, known, self.classes_))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self._inner()).input_tags
        # Nothing lies between a missing value and another one.
        if self.order is None and self.n_intermediate > 0:
            tags.input_tags.allow_nan = False
        return tags
