"""Nearest class prototype, with the source's prototypes moved toward few labeled target rows."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np

from .._array._backend import as_like, namespace, to_numpy
from .._array._rows import take_rows
from .._array._warnings import warn_user
from .._core._class_scores import ClassScoresClassifier
from .._core._meta_estimator import check_row_weights
from .._core._param_checks import check_option, check_real
from .._core._sample_domain import DomainWarning
from .._core._typing import Array, ArrayLike, DomainIds
from .._core._validation import class_labels, data_for_fit, fresh_fit
from .._numerics._covariance import covariance_from_moments, moments
from .._numerics._kernels import pairwise_sq_dists, unit_rows
from .._numerics._linalg import spd_power

METRICS = ("euclidean", "cosine", "mahalanobis")


def weighted_group_means(X, groups, weights, n_groups):
    """Weighted mean of the rows of each group; zeros for a group without any weight.

    Parameters
    ----------
    X : array of shape (n, d)
    groups : ndarray of int of shape (n,)
        Group of each row.
    weights : ndarray of shape (n,)
        Weight of each row.
    n_groups : int

    Returns
    -------
    means : array of shape (n_groups, d)
    counts : ndarray of shape (n_groups,)
        Sum of the weights of each group.
    """
    # A product instead of a loop over groups, so that it runs on the device.
    member = (groups[:, None] == np.arange(n_groups)) * weights[:, None]
    counts = member.sum(axis=0)
    member /= np.where(counts > 0, counts, 1.0)
    return as_like(member.T, X) @ X, counts


def target_parts(strength, n_source, n_target):
    """Part of each prototype that is the target's: ``s n / (s n + 1 - s)`` for n target rows.

    With ``m = (1 - s) / s`` this is ``n / (n + m)``: the source's mean counts as m target rows. A
    class that only one of the domains has is that domain's.

    Parameters
    ----------
    strength : float
        Part of the target if the class has one labeled target row.
    n_source, n_target : ndarray of shape (n_classes,)
        Number of labeled rows of each class, or the sum of their weights.

    Returns
    -------
    parts : ndarray of shape (n_classes,)
    """
    moved = strength * n_target
    both = moved + 1.0 - strength
    # 0 / 0 at strength 1 in a class without target rows, which stays the source's.
    parts = np.divide(moved, both, out=np.zeros_like(both), where=both > 0)
    return np.where(n_source > 0, parts, (n_target > 0).astype(float))


def estimated_strength(gaps, n_source, n_target, variance):
    """Strength under which the prototypes have the smallest expected squared error.

    The means of a class differ between the domains by a shift, and by the chance of the rows. What
    chance explains is ``variance * (1/n_source + 1/n_target)``; the rest is the shift.

    Parameters
    ----------
    gaps : ndarray of shape (n_classes,)
        Squared distance between the source's and the target's mean of each class.
    n_source, n_target : ndarray of shape (n_classes,)
        Number of rows of each class.
    variance : float
        Mean squared distance of a row to the mean of its class.

    Returns
    -------
    strength : float
        ``T / (T + variance)`` with T the mean squared shift, not below 0.
    """
    both = (n_source > 0) & (n_target > 0)
    if not both.any():
        return 0.0
    chance = variance * (1.0 / n_source[both] + 1.0 / n_target[both])
    shift = max(float(np.mean(gaps[both] - chance)), 0.0)
    return shift / (shift + variance) if shift > 0 else 0.0


def _check_automatic(name, value, automatic):
    """Raise unless the value is a number in [0, 1] or the word for an estimate."""
    if not (isinstance(value, str) and value == automatic):
        check_real(name, value, low=0, high=1, hint=f'"{automatic}" estimates it.')


class PrototypeClassifier(ClassScoresClassifier):
    r"""Give a row the class of the nearest prototype, moved toward few labeled target rows.

    The prototype of a class is the mean of its source rows. Where target rows of that class have a
    label, it moves toward their mean, the further the more there are. A class that the source lacks
    has the mean of its labeled target rows, so that new classes need a handful of rows and no
    training.

    Parameters
    ----------
    metric : {"euclidean", "cosine", "mahalanobis"}, default="euclidean"
        Distance to the prototypes: as it is, between rows of unit length, or after whitening by the
        covariance within the classes, which all classes share (linear discriminant analysis).
    strength : float or "auto", default="auto"
        Part of the target in the prototype of a class with one labeled target row, from 0 (labels
        of the target are used for new classes only) to 1 (its mean replaces the source's); with n
        rows it is ``s n / (s n + 1 - s)``. "auto" estimates how much of the distance between
        the means of the two domains is more than chance.
    shrinkage : float or "oas", default="oas"
        With "mahalanobis": part of the covariance that is replaced by a multiple of the identity,
        from 0 to 1, or the oracle-approximating value.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes of the source rows and of the labeled target rows.
    prototypes_ : array of shape (n_classes, n_features)
        Prototype of each class, in the features of X; of unit length with "cosine".
    target_parts_ : ndarray of shape (n_classes,)
        Part of each prototype that is the mean of the labeled target rows.
    strength_ : float
        The strength that was used.
    whitening_ : array of shape (n_features, n_features)
        With "mahalanobis": rows times this matrix have the identity for covariance within classes.
    variance_ : float
        Variance of the rows about the means of their classes, along the directions in which the
        prototypes differ. It scales the scores.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had names.

    Raises
    ------
    ValueError
        In ``fit``, if a parameter is out of range or a class has rows of weight zero only.

    Warns
    -----
    DomainWarning
        If no target row has a label: the prototypes are the source's.

    See Also
    --------
    EasyTLClassifier : Means of the source, and no class left empty, without target labels.
    GraphLabelPropagationClassifier : Uses the unlabeled target rows too.
    RegularizedTransferClassifier : A linear model held near the source's.

    Notes
    -----
    The prototype of class c is
    :math:`\mu_c = (1 - \kappa_c) \mu_c^s + \kappa_c \mu_c^t` with
    :math:`\kappa_c = n_c / (n_c + m)`, where :math:`n_c` target rows have the label c and the
    source's mean counts as :math:`m = (1 - s) / s` target rows; s is `strength`. This is the
    posterior mean if the shifts of the class means are normal with the variance 1/m of that within
    the classes; "auto" estimates the two variances from the rows.
    Scores are :math:`-\|x - \mu_c\|^2 / 2v`, with v the attribute ``variance_``; probabilities are
    their softmax, as in a prototypical network [2]_.

    It assumes that the rows of a class lie around one point, and that the shift moves that point.
    Where all features have moved, adapt them before, for example by :class:`DomainScaler`. Features
    should have like scales, unless the metric is "mahalanobis".

    A target row is labeled unless its y is NaN, None or NA or, among integers, -1. Several sources
    are pooled, and so are several targets. Without ``sample_domain`` it is the nearest-centroid
    classifier [1]_.

    Cost: O(n d C); with "mahalanobis" also O(n d²) and O(d³). Array level (a): wholly on the device
    of the rows.

    References
    ----------
    .. [1] R. Tibshirani, T. Hastie, B. Narasimhan, G. Chu, "Diagnosis of multiple cancer types by
       shrunken centroids of gene expression", PNAS 99, 2002. doi:10.1073/pnas.082099299
    .. [2] J. Snell, K. Swersky, R. Zemel, "Prototypical networks for few-shot learning",
       NeurIPS 2017. arXiv:1703.05175

    Examples
    --------
    >>> import numpy as np
    >>> from skda import PrototypeClassifier, stack_domains
    >>> X_source = np.array([[0.0, 0.0], [0.0, 1.0], [4.0, 0.0], [4.0, 1.0]])
    >>> X_target = np.array([[2.0, 0.0], [6.0, 0.0], [9.0, 9.0], [2.5, 0.5], [8.0, 8.0]])
    >>> few = ["left", "right", "new", None, None]
    >>> X, y, sample_domain = stack_domains(
    ...     X_source, ["left", "left", "right", "right"], X_target, few
    ... )
    >>> model = PrototypeClassifier(strength=0.5).fit(X, y, sample_domain=sample_domain)
    >>> model.predict(X_target[3:]).tolist()
    ['left', 'new']
    >>> model.prototypes_.tolist()
    [[1.0, 0.25], [9.0, 9.0], [5.0, 0.25]]
    """

    _array_level = "a"
    _labels = "all"

    def __init__(
        self,
        *,
        metric: Literal["euclidean", "cosine", "mahalanobis"] = "euclidean",
        strength: float | Literal["auto"] = "auto",
        shrinkage: float | Literal["oas"] = "oas",
    ):
        self.metric = metric
        self.strength = strength
        self.shrinkage = shrinkage

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        sample_domain: DomainIds | None = None,
    ) -> Self:
        """Learn the prototypes from source rows and labeled target rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : array-like of shape (n_samples,)
            Labels; missing ones of target rows are NaN, None or NA or, among integers, -1.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row: a row of weight 2 counts as two. None: all 1.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target. None: all rows are source, and a
            :class:`~skda.DomainWarning` says so.

        Returns
        -------
        self : object
            The fitted classifier.
        """
        with fresh_fit(self):
            self._check_params()
            data = data_for_fit(self, X, y, sample_domain, labels="all")
            self._fit(data, check_row_weights(sample_weight, len(data.ids)))
        return self

    def _check_params(self):
        check_option("metric", self.metric, METRICS)
        _check_automatic("strength", self.strength, "auto")
        _check_automatic("shrinkage", self.shrinkage, "oas")

    def _fit(self, data, weights):
        self.classes_, codes = class_labels(self, data)
        rows = np.flatnonzero(data.labeled)
        if data.adapts and not (data.ids[rows] < 0).any():
            self._warn_without_labels(len(data.target))
        n_classes = len(self.classes_)
        # The target's part of a class is a group of its own.
        groups = codes[rows] + n_classes * (data.ids[rows] < 0)
        weights = weights[rows]
        X = take_rows(data.X, rows)
        if self.metric == "mahalanobis":
            self.whitening_ = data.to_input(self._whitening(X, groups, weights))
        Z = self._in_metric(X, data.backend)
        means, counts = weighted_group_means(Z, groups, weights, 2 * n_classes)
        n_source, n_target = counts[:n_classes], counts[n_classes:]
        self._check_counts(n_source + n_target)
        centered = Z - take_rows(means, groups)
        self.strength_ = self._chosen_strength(centered, means, counts, weights)
        self.target_parts_ = target_parts(self.strength_, n_source, n_target)
        parts = as_like(self.target_parts_[:, None], Z)
        prototypes = (1.0 - parts) * means[:n_classes, :] + parts * means[n_classes:, :]
        if self.metric == "cosine":
            prototypes = unit_rows(prototypes)
        self.variance_ = self._variance_between(centered, prototypes, weights)
        self._store(data, X, groups, weights, prototypes)

    def _store(self, data, X, groups, weights, prototypes):
        """Keep the prototypes in the features of X, also those of whitened rows."""
        if self.metric == "mahalanobis":
            n_classes = len(self.classes_)
            means, _ = weighted_group_means(X, groups, weights, 2 * n_classes)
            parts = as_like(self.target_parts_[:, None], X)
            prototypes = (1.0 - parts) * means[:n_classes, :] + parts * means[n_classes:, :]
        self.prototypes_ = data.to_input(prototypes)

    def _whitening(self, X, groups, weights):
        """Return the inverse root of the covariance within the classes of each domain."""
        means, _ = weighted_group_means(X, groups, weights, 2 * len(self.classes_))
        roots = as_like(np.sqrt(weights)[:, None], X)
        centered = (X - take_rows(means, groups)) * roots
        xp = namespace(X)
        found = moments(centered, mean=xp.zeros_like(X[0, :]))
        covariance = covariance_from_moments(
            found._replace(count=float(weights.sum())), shrinkage=self.shrinkage, ddof=0
        )
        return spd_power(covariance, -0.5)

    def _in_metric(self, X, backend):
        """Return rows whose Euclidean distances are those of the metric."""
        if self.metric == "cosine":
            return unit_rows(X)
        if self.metric == "mahalanobis":
            return X @ backend.asarray(self.whitening_, X.dtype)
        return X

    def _chosen_strength(self, centered, means, counts, weights):
        if not isinstance(self.strength, str):
            return float(self.strength)
        xp = namespace(means)
        n_classes = len(self.classes_)
        steps = means[n_classes:, :] - means[:n_classes, :]
        gaps = to_numpy(xp.sum(steps * steps, axis=1))
        squares = to_numpy(xp.sum(centered * centered, axis=1))
        # Each mean takes a degree of freedom; of very few rows at least half are kept.
        total = weights.sum()
        freedom = max(total - (counts > 0).sum(), 0.5 * total)
        variance = float(weights @ squares) / freedom
        return estimated_strength(gaps, counts[:n_classes], counts[n_classes:], variance)

    def _variance_between(self, centered, prototypes, weights):
        """Return the variance within the classes along the differences of the prototypes."""
        xp = namespace(prototypes)
        steps = prototypes - xp.mean(prototypes, axis=0)
        squares = to_numpy(xp.sum((centered @ steps.T) ** 2, axis=1))
        length = float(xp.sum(steps * steps))
        found = float(weights @ squares / weights.sum()) / length if length > 0 else 0.0
        # Classes of one row each have no variance; any scale gives the same classes.
        return found if found > 0 else (length / len(self.classes_) or 1.0)

    def _check_counts(self, counts):
        if not counts.all():
            raise ValueError(
                "sample_weight must not be zero on all labeled rows of a class; it is for "
                f"{self.classes_[counts == 0].tolist()}. Leave those rows out."
            )

    def _warn_without_labels(self, n_target):
        warn_user(
            f"{type(self).__name__} found no label on {n_target} target rows: the prototypes are "
            "the source's. A target row counts as labeled when its y is not NaN, not None or NA "
            "and, among integers, not -1.",
            DomainWarning,
        )

    def _class_scores(self, X, backend):
        prototypes = backend.asarray(self.prototypes_, X.dtype)
        if self.metric == "mahalanobis":
            prototypes = self._in_metric(prototypes, backend)
        distances = pairwise_sq_dists(self._in_metric(X, backend), prototypes)
        return distances * (-0.5 / self.variance_)

    def predict_proba(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Return class probabilities: the softmax of the scores.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to predict.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Not used: rows of all domains are treated alike.

        Returns
        -------
        proba : array of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        scores, input_backend = self._scores(X, sample_domain, "predict_proba")
        xp = namespace(scores)
        likelihood = xp.exp(scores - xp.max(scores, axis=1, keepdims=True))
        return input_backend.asarray(likelihood / xp.sum(likelihood, axis=1, keepdims=True))
