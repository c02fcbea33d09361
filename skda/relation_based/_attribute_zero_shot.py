"""Zero-shot classification: classes known by their attributes only, by a closed form (ESZSL)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
from sklearn.utils.multiclass import check_classification_targets

from .._array._backend import as_like, namespace, to_numpy
from .._array._rows import take_rows
from .._core._class_scores import ClassScoresClassifier
from .._core._labels import take_labels
from .._core._param_checks import check_option, check_real
from .._core._typing import ArrayLike, DomainIds
from .._core._validation import data_for_fit, fresh_fit
from .._numerics._linalg import plus_ridge, spd_solve


def bilinear_map(X, Y, S, *, reg, attribute_reg):
    """``V = (XᵀX + γI)⁻¹ Xᵀ Y S (SᵀS + λI)⁻¹``, which minimizes the objective of ESZSL.

    Parameters
    ----------
    X : array of shape (n, d)
        Rows.
    Y : array of shape (n, n_seen)
        1 at the class of a row, -1 elsewhere.
    S : array of shape (n_seen, n_attributes)
        Attributes of the classes that have rows.
    reg, attribute_reg : float
        γ and λ, positive.

    Returns
    -------
    V : array of shape (d, n_attributes)
        ``x V s`` is the score of a class with attributes s.
    """
    return ridge_solution(S, ridge_solution(X, Y, reg).T, attribute_reg).T


def ridge_solution(A, B, reg):
    """Return ``(AᵀA + reg I)⁻¹ Aᵀ B``, which is ``Aᵀ (AAᵀ + reg I)⁻¹ B``, by the smaller matrix."""
    if A.shape[1] > A.shape[0]:
        return A.T @ spd_solve(plus_ridge(A @ A.T, reg), B)
    return spd_solve(plus_ridge(A.T @ A, reg), A.T @ B)


def attribute_table(class_attributes):
    """Return the classes that have attributes, sorted, and a matrix with a row for each.

    Parameters
    ----------
    class_attributes : dict, DataFrame or array-like
        Attributes by class; rows of an array are those of the classes 0, 1, 2, ...

    Returns
    -------
    classes : ndarray of shape (n_classes,)
    attributes : ndarray of shape (n_classes, n_attributes)
    """
    if hasattr(class_attributes, "items") and not hasattr(class_attributes, "to_numpy"):
        names, rows = list(class_attributes), list(class_attributes.values())
    elif hasattr(class_attributes, "index") and hasattr(class_attributes, "to_numpy"):
        names, rows = class_attributes.index.tolist(), class_attributes.to_numpy()
    else:
        rows = to_numpy(class_attributes)
        names = list(range(len(rows))) if rows.ndim else []
    attributes = _as_matrix(rows)
    # As labels: names of one type get an array of that type, as the labels of y do.
    classes = take_labels(np.array([*names, None], dtype=object), slice(len(names)))
    known, order = np.unique(classes, return_index=True)
    if len(known) < len(classes):
        raise ValueError(
            f"class_attributes must describe each class once; got {len(classes)} rows for "
            f"{len(known)} classes. Keep one row per class."
        )
    return known, attributes[order]


def _as_matrix(rows):
    """Return the attributes as numbers, checked."""
    try:
        attributes = np.array([np.asarray(row, dtype=float) for row in rows])
    except (ValueError, TypeError) as error:
        raise ValueError(
            "class_attributes must have the same number of numeric attributes for every class; "
            f"got rows that are not: {error}. Encode words as numbers, for example 0 and 1."
        ) from error
    if attributes.ndim != 2 or 0 in attributes.shape:
        raise ValueError(
            "class_attributes must be a table with a row for each class and a column for each "
            f"attribute; got the shape {attributes.shape}. Pass a dict of class to vector, a "
            "data frame indexed by class, or an array of shape (n_classes, n_attributes)."
        )
    if not np.isfinite(attributes).all():
        raise ValueError(
            "class_attributes must not contain NaN or infinity. Fill in the missing attributes, or "
            "leave those columns out."
        )
    return attributes


class AttributeZeroShotClassifier(ClassScoresClassifier):
    r"""Predict classes without a labeled row, by attributes that describe every class.

    Somebody has described all classes by the same attributes: has stripes, lives in water. The rows
    of the labeled classes show how features go with attributes, a linear map; and a new row
    belongs to the class whose attributes fit it best, also if no row of that class has ever been
    labeled. The map has a closed form, known as ESZSL [1]_.

    Parameters
    ----------
    class_attributes : dict, DataFrame or array-like, default=None
        Attributes of every class that may be predicted, with or without rows: a dict of class to
        vector, a data frame with a row for each class and the classes as its index, or an array
        of shape (n_classes, n_attributes) whose rows are the classes 0, 1, 2 and so on. None: every
        labeled class is an attribute of its own; that is ridge regression on the classes, and knows
        no other class.
    reg : float, default=1.0
        Penalty of the map on the side of the features, γ. A larger value makes features with little
        variance count less.
    attribute_reg : float, default=1.0
        Penalty on the side of the attributes, λ. A larger value makes combinations of attributes
        in which the labeled classes hardly differ count less.
    candidates : {"all", "unseen"}, default="all"
        Which classes are predicted: all (the generalised setting), or those without a labeled row.
    calibration : float, default=0.0
        Taken off the scores of classes with labeled rows, which are otherwise preferred to the
        others (calibrated stacking [2]_). Scores of rows are between about -1 and 1.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        All classes that have attributes.
    seen_ : ndarray of bool of shape (n_classes,)
        Which of them have labeled rows.
    class_attributes_ : ndarray of shape (n_classes, n_attributes)
        Attributes in the order of ``classes_``.
    coef_ : array of shape (n_features, n_attributes)
        The map V: ``x V`` are the attributes that a row x seems to have.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had names.

    Raises
    ------
    ValueError
        In ``fit``, if a label has no attributes, `class_attributes` is no table of finite numbers,
        or no class is left to be predicted.

    See Also
    --------
    PrototypeClassifier : For new classes with a few labeled rows.

    Notes
    -----
    With the rows X, labels Y (1 for the class of a row, else -1) and attributes S of the labeled
    classes, :math:`V = (X^T X + \gamma I)^{-1} X^T Y S (S^T S + \lambda I)^{-1}` minimizes
    :math:`\|X V S^T - Y\|^2 + \gamma \|V S^T\|^2 + \lambda \|X V\|^2 + \gamma\lambda \|V\|^2`.
    The score of class c is :math:`x^T V s_c`, less `calibration` if c has labeled rows.

    It assumes that the map from features to attributes is the same for all classes and, across
    domains, that the features agree: put a transformer such as :class:`CORALTransformer` or
    :class:`DomainScaler` in front. The map has no intercept, so features should be centered.
    Attributes should have like scales, and classes vectors of like length, or long ones win.

    Labels of target rows are learnt from where they are known: a target row is labeled unless
    its y is NaN, None or NA or, among integers, -1. Several sources are pooled, and so are several
    targets. In a search the penalties, and `calibration`, are chosen by classes that are left out,
    since labeled classes say nothing about the others.

    Cost: O(n d min(n, d)) once. Array level (a): wholly on the device of the rows.

    References
    ----------
    .. [1] B. Romera-Paredes, P. Torr, "An embarrassingly simple approach to zero-shot learning",
       ICML 2015.
    .. [2] W.-L. Chao, S. Changpinyo, B. Gong, F. Sha, "An empirical study and analysis of
       generalized zero-shot learning for object recognition in the wild", ECCV 2016.
       arXiv:1605.04253

    Examples
    --------
    >>> import numpy as np
    >>> from skda import AttributeZeroShotClassifier, stack_domains
    >>> attributes = {  # large, striped
    ...     "cat": [-1, -1], "horse": [1, -1], "tabby": [-1, 1], "zebra": [1, 1]
    ... }
    >>> rng = np.random.default_rng(0)
    >>> animals = np.repeat(list(attributes), 50)
    >>> X = np.array([attributes[a] for a in animals]) + 0.4 * rng.normal(size=(200, 2))
    >>> known = animals != "zebra"
    >>> X, y, sample_domain = stack_domains(X[known], animals[known], X[~known] + 0.1)
    >>> model = AttributeZeroShotClassifier(attributes, calibration=0.5)
    >>> model = model.fit(X, y, sample_domain=sample_domain)
    >>> print(f"{(model.predict(X[sample_domain < 0]) == 'zebra').mean():.2f}")
    1.00
    """

    _array_level = "a"
    _labels = "all"

    def __init__(
        self,
        class_attributes: Mapping[Any, Any] | ArrayLike | None = None,
        *,
        reg: float = 1.0,
        attribute_reg: float = 1.0,
        candidates: Literal["all", "unseen"] = "all",
        calibration: float = 0.0,
    ):
        self.class_attributes = class_attributes
        self.reg = reg
        self.attribute_reg = attribute_reg
        self.candidates = candidates
        self.calibration = calibration

    def fit(self, X: ArrayLike, y: ArrayLike, *, sample_domain: DomainIds | None = None) -> Self:
        """Learn the map from features to attributes from the labeled rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : array-like of shape (n_samples,)
            Labels; missing ones of target rows are NaN, None or NA or, among integers, -1.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target. None: all rows are source, and a
            :class:`~skda.DomainWarning` says so.

        Returns
        -------
        self : object
            The fitted classifier.
        """
        with fresh_fit(self):
            check_real("reg", self.reg, low=0, closed="neither")
            check_real("attribute_reg", self.attribute_reg, low=0, closed="neither")
            check_option("candidates", self.candidates, ("all", "unseen"))
            check_real("calibration", self.calibration)
            self._fit(data_for_fit(self, X, y, sample_domain, labels="all"))
        return self

    def _fit(self, data):
        rows = np.flatnonzero(data.labeled)
        labels = take_labels(data.y, rows)
        check_classification_targets(labels)
        self._note_classes(labels)
        seen = np.flatnonzero(self.seen_)
        X = take_rows(data.X, rows)
        onehot = labels[:, None] == self.classes_[seen]
        V = bilinear_map(
            X,
            as_like(np.where(onehot, 1.0, -1.0), X),
            as_like(self.class_attributes_[seen], X),
            reg=float(self.reg),
            attribute_reg=float(self.attribute_reg),
        )
        self.coef_ = data.to_input(V)

    def _note_classes(self, labels):
        """Store the classes with their attributes, and which of them have labeled rows."""
        present = np.unique(labels)
        if self.class_attributes is None:
            self.classes_, self.class_attributes_ = present, np.eye(len(present))
        else:
            self.classes_, self.class_attributes_ = attribute_table(self.class_attributes)
        known = self.classes_.tolist()
        unknown = [label for label in present.tolist() if label not in known]
        if unknown:
            raise ValueError(
                f"class_attributes must describe every class in y; it lacks {unknown[:5]} and has "
                f"{known[:5]}. Add their attributes, and write classes as in y."
            )
        self.seen_ = np.isin(self.classes_, present)
        if self.candidates == "unseen" and self.seen_.all():
            raise ValueError(
                'candidates="unseen" needs a class without a labeled row in class_attributes; all '
                f'{len(known)} have some. Add the new classes, or take candidates="all".'
            )

    def _class_scores(self, X, backend):
        S = backend.asarray(self.class_attributes_, X.dtype)
        scores = (X @ backend.asarray(self.coef_, X.dtype)) @ S.T
        if self.candidates == "all":
            return scores - backend.asarray(self.calibration * self.seen_.astype(float), X.dtype)
        # Below every score of a candidate, and finite, so that scores can be checked and compared.
        lost = scores - namespace(scores).max(scores, axis=1, keepdims=True)
        lowest = namespace(scores).min(scores, axis=1, keepdims=True) + lost - 1.0
        return namespace(scores).where(backend.asarray(self.seen_), lowest, scores)
