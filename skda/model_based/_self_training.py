"""Self-training: a source model labels the target rows that it is sure of, and learns from them.

It begins with the rows that it is surest of, in each class, and takes more in each round.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression
from sklearn.utils import get_tags

from .._array._rows import concatenate_rows, take_rows
from .._core._meta_estimator import aligned_columns, class_columns
from .._core._param_checks import check_bool, check_integer, check_real
from .._core._routing import DomainRouting
from .._core._score import DomainClassifierMixin
from .._core._typing import Array, ArrayLike, DomainIds, Predictor
from .._core._validation import (
    class_labels,
    data_for_inner_fit,
    data_for_inner_predict,
    fresh_fit,
    one_class_explained,
)
from ._base_source_model import check_is_estimator, on_host


def surest_by_class(codes, certainty, fraction):
    """Return the rows of each class that are surest, this fraction of them, rounded up.

    Parameters
    ----------
    codes : ndarray of int of shape (n,)
        Class of each row.
    certainty : ndarray of shape (n,)
        How sure the class is.
    fraction : float
        Part of the rows of each class, in [0, 1].
    """
    picked = []
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        order = np.argsort(-certainty[rows], kind="stable")
        # Without this, 0.1 · 30 would round up to 4.
        n_picked = int(np.ceil(fraction * len(rows) - 1e-9))
        picked.append(rows[order[:n_picked]])
    return np.sort(np.concatenate(picked))


class SelfTrainingTransferClassifier(DomainClassifierMixin, DomainRouting, BaseEstimator):
    r"""Let a source model label target rows, the surest first, and learn from them.

    A model of the source is often right on those target rows that it is sure of. They get the
    labels that it predicts; a model that has learnt from them as well is surer of others. In this
    way the model moves from the source to the target, round by round. No target label is needed.

    Parameters
    ----------
    estimator : classifier with ``predict_proba``, default=None
        Fitted anew in each round. None: ``LogisticRegression(max_iter=1000)``.
    n_rounds : int, default=10
        Number of rounds after the fit to the source. Raising it makes the steps smaller.
    max_fraction : float, default=0.8
        Part of the target rows of each predicted class that has a label in the last round, in
        (0, 1]. In round r it is r / n_rounds of that.
    keep_source : bool, default=True
        Whether all source rows stay. False takes those that the model is least sure of out, as
        many in each round, until none is left: for a target far from the source.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes of the source rows.
    estimator_ : classifier
        The model of the last round.
    n_pseudo_labels_ : ndarray of int of shape (n_rounds,)
        How many target rows had a label in each round. Fewer rounds than asked for were done if
        the model came to know one class only; its round is dropped.
    n_features_in_ : int
        Number of features.

    Raises
    ------
    ValueError
        In ``fit``, if the estimator has no ``predict_proba``.

    See Also
    --------
    StackedTransferClassifier : Learns from true labels of a few target rows.

    Notes
    -----
    Taking the surest rows of each class, instead of the surest of all, keeps an easy class from
    taking over. With ``keep_source=False`` source rows are swapped for target rows as in [1]_, with
    any classifier instead of a support vector machine. It helps where the domains overlap or shift
    gradually, so that sure predictions are right; where they are not, errors are learnt.

    Several sources, and several targets, are pooled. One model predicts rows of all domains.
    Without ``sample_domain`` this is the plain estimator. Costs n_rounds + 1 fits. Array level
    (b): the estimator gets the rows on the host; rows of other libraries are moved to it.

    References
    ----------
    .. [1] L. Bruzzone, M. Marconcini (2010). Domain adaptation problems: a DASVM classification
       technique and a circular validation strategy. IEEE TPAMI 32. doi:10.1109/TPAMI.2009.57

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skda import SelfTrainingTransferClassifier, stack_domains
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(0, 2, 600)
    >>> X = rng.normal(size=(600, 2)) + 4.0 * np.outer(y, [1.0, 0.0])
    >>> turn = np.pi / 4
    >>> rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    >>> X_target = (X[300:] - [2.0, 0.0]) @ rotation + [2.5, 1.0]
    >>> stacked, labels, sample_domain = stack_domains(X[:300], y[:300], X_target)
    >>> plain = LogisticRegression().fit(X[:300], y[:300])
    >>> model = SelfTrainingTransferClassifier(keep_source=False)
    >>> model = model.fit(stacked, labels, sample_domain=sample_domain)
    >>> print(f"{plain.score(X_target, y[300:]):.2f} -> {model.score(X_target, y[300:]):.2f}")
    0.91 -> 0.97
    """

    def __init__(
        self,
        estimator: Predictor | None = None,
        *,
        n_rounds: int = 10,
        max_fraction: float = 0.8,
        keep_source: bool = True,
    ):
        self.estimator = estimator
        self.n_rounds = n_rounds
        self.max_fraction = max_fraction
        self.keep_source = keep_source

    def fit(self, X: ArrayLike, y: ArrayLike, *, sample_domain: DomainIds | None = None) -> Self:
        """Fit to the source rows, then go over to the target rows.

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
            self.classes_, codes = class_labels(self, data)
            with one_class_explained(self, data.y_source):
                self.estimator_ = clone(self._inner()).fit(data.X_source, data.y_source)
            self._train(data, codes[data.source])
        return self

    def _check_params(self):
        check_is_estimator("estimator", self.estimator)
        check_integer("n_rounds", self.n_rounds, low=1)
        check_real("max_fraction", self.max_fraction, low=0, high=1, closed="right")
        check_bool("keep_source", self.keep_source)
        if not hasattr(self._inner(), "predict_proba"):
            raise ValueError(
                "estimator must have predict_proba, which says how sure it is; "
                f"{type(self._inner()).__name__} has none. Put CalibratedClassifierCV around it."
            )

    def _inner(self):
        return LogisticRegression(max_iter=1000) if self.estimator is None else self.estimator

    def _train(self, data, source_codes):
        """Do the rounds, from the model of the source on."""
        counts = []
        for i in range(self.n_rounds if data.adapts else 0):
            part = (i + 1) / self.n_rounds
            proba = class_columns(self.estimator_, data.X_target, self.classes_)
            found = proba.argmax(axis=1)
            new = surest_by_class(found, proba.max(axis=1), part * self.max_fraction)
            old = self._source_rows(data.X_source, source_codes, 1.0 - part)
            codes = np.concatenate([source_codes[old], found[new]])
            # The next model would know nothing else, and give it to every row.
            if len(np.unique(codes)) < 2:
                break
            pieces = [take_rows(data.X_source, old), take_rows(data.X_target, new)]
            rows = concatenate_rows([piece for piece in pieces if piece.shape[0]])
            self.estimator_ = clone(self._inner()).fit(rows, self.classes_[codes])
            counts.append(len(new))
        self.n_pseudo_labels_ = np.array(counts, dtype=np.int64)

    def _source_rows(self, X, codes, part):
        """Return the source rows that stay: all, or those that the model is surest of."""
        if self.keep_source:
            return np.arange(len(codes))
        proba = class_columns(self.estimator_, X, self.classes_)
        return surest_by_class(codes, proba[np.arange(len(codes)), codes], part)

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
        return tags
