"""Easy transfer learning: target rows to the nearest source class mean, no class left empty."""

from __future__ import annotations

from typing import Self

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from .._array._backend import as_like, namespace, to_numpy
from .._core._class_scores import ClassScoresClassifier
from .._core._typing import ArrayLike, DomainIds
from .._core._validation import class_labels, data_for_fit, fresh_fit
from .._numerics._kernels import pairwise_sq_dists

# From about here on the solver takes numbers for infinite; old versions return a solution anyway.
_INFINITE = 1e20


def class_means(X, codes, n_classes):
    """Mean of the rows of each class (C x d); rows with code -1 belong to none."""
    # A product instead of a loop over classes, so that it runs on the device.
    member = (codes[:, None] == np.arange(n_classes)).astype(float)
    return as_like((member / member.sum(axis=0)).T, X) @ X


def class_bonuses(D):
    """Bonus u (C) such that every class wins a row where row j goes to ``argmin_c D_jc - u_c``.

    These are the multipliers of ``Σ_j M_jc >= 1`` in EasyTL's linear program ``min Σ D_jc M_jc``
    over ``M >= 0``, ``Σ_c M_jc = 1``, so that the rule gives the program's solution.
    """
    n, n_classes = D.shape
    won = np.bincount(D.argmin(axis=1), minlength=n_classes)
    # With fewer rows than classes some must stay empty; where none does, the constraint has no
    # price.
    if n < n_classes or won.all():
        return np.zeros(n_classes)
    one_class_each = sparse.kron(sparse.eye_array(n), np.ones((1, n_classes)), format="csr")
    a_row_each = -sparse.kron(np.ones((1, n)), sparse.eye_array(n_classes), format="csr")
    solution = linprog(
        D.ravel(),
        A_ub=a_row_each,
        b_ub=-np.ones(n_classes),
        A_eq=one_class_each,
        b_eq=np.ones(n),
        method="highs",
    )
    _check_solved(solution, D)
    return _widest_margin(D, solution.x.reshape(n, n_classes).argmax(axis=1))


def _widest_margin(D, winner):
    """Multipliers under which every row prefers its class by the widest margin.

    The multipliers that the solver returns lie on the edge of the optimal set, where rows are
    undecided. A class that got more than the one row it must have has multiplier 0.
    """
    n_classes = D.shape[1]
    row, rival = np.nonzero(winner[:, None] != np.arange(n_classes))
    line = np.arange(len(row))
    above = sparse.coo_array(
        (
            np.r_[np.ones(len(row)), -np.ones(len(row)), np.ones(len(row))],
            (np.tile(line, 3), np.r_[rival, winner[row], np.full(len(row), n_classes)]),
        ),
        shape=(len(row), n_classes + 1),
    ).tocsr()
    # Complementary slackness: only a constraint that is tight may have a multiplier.
    free = np.bincount(winner, minlength=n_classes) == 1
    solution = linprog(
        # The last variable is the margin, which is to be large.
        np.r_[np.zeros(n_classes), -1.0],
        A_ub=above,
        b_ub=D[row, rival] - D[row, winner[row]],
        # Multipliers of classes that must be helped, 0 for the others, and the margin last.
        bounds=[(0, None if f else 0) for f in free] + [(0, D.mean())],
        method="highs",
    )
    _check_solved(solution, D)
    return solution.x[:n_classes]


def _check_solved(solution, D):
    """Raise if the solver of the linear program gave up, or had to take a distance for infinite."""
    if solution.x is None or D.max() > _INFINITE * np.median(D):
        raise ValueError(
            "The assignment of target rows to classes could not be solved; distances to the class "
            f"means run from {D.min():.1e} to {D.max():.1e}. Scale the features, and drop rows "
            "that lie very far away."
        )


class EasyTLClassifier(ClassScoresClassifier):
    """Give target rows the class of the nearest source class mean, leaving no class empty.

    Easy transfer learning has no parameters [1]_: the distances of the target rows to the means of
    the source classes go into a linear program that assigns every row to a class at the least
    total distance, each class getting at least one row. It is a quick, strong baseline behind an
    alignment such as :class:`CORALTransformer`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes of the source.
    class_means_ : array of shape (n_classes, n_features)
        Mean of the source rows of each class.
    class_bonus_ : ndarray of shape (n_classes,)
        What is taken off the distance to each class so that none stays empty among the target rows
        of ``fit``; all 0 if none would. ``decision_function`` is this less the distance.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had names.

    See Also
    --------
    CORALTransformer : Aligns the source before, as the "intra-domain alignment" of [1]_.

    Notes
    -----
    With D the Euclidean distances, the program is ``min Σ_jc D_jc M_jc`` over ``M >= 0``,
    ``Σ_c M_jc = 1`` and ``Σ_j M_jc >= 1``. The paper solves it again for each set of target rows;
    here its multipliers ``u_c`` are kept, and a row goes to ``argmin_c D_jc - u_c``, which is the
    program's solution on the target rows of ``fit`` and maps new rows one by one.

    Assumes that target rows lie around the means of their source classes, and that every class
    occurs in the target.

    Without ``sample_domain`` it is the nearest-centroid classifier.

    Cost: O(n d C); the program only where a class would stay empty. Array level (a): but for the
    program, which is solved on the host.

    References
    ----------
    .. [1] J. Wang, Y. Chen, H. Yu, M. Huang and Q. Yang, "Easy transfer learning by exploiting
       intra-domain structures", ICME 2019. :arxiv:`1904.01376`

    Examples
    --------
    >>> import numpy as np
    >>> from skda import EasyTLClassifier, stack_domains
    >>> Xs, ys = np.array([[0.0], [1.0], [9.0]]), ["low", "low", "high"]
    >>> X, y, sample_domain = stack_domains(Xs, ys, np.array([[1.0], [8.0], [7.0]]))
    >>> model = EasyTLClassifier().fit(X, y, sample_domain=sample_domain)
    >>> model.predict([[1.0], [8.0]]).tolist()
    ['low', 'high']
    """

    _array_level = "a"

    def fit(self, X: ArrayLike, y: ArrayLike, *, sample_domain: DomainIds | None = None) -> Self:
        """Learn the class means, and what keeps every class from staying empty.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : array-like of shape (n_samples,)
            Labels. Those of target rows are ignored.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target.

        Returns
        -------
        self : object
            The fitted classifier.
        """
        with fresh_fit(self):
            self._fit(data_for_fit(self, X, y, sample_domain, labels="source"))
        return self

    def _fit(self, data):
        self.classes_, codes = class_labels(self, data)
        means = class_means(data.X, codes, len(self.classes_))
        self.class_bonus_ = np.zeros(len(self.classes_))
        if data.adapts:
            self.class_bonus_ = class_bonuses(to_numpy(self._distances(data.X_target, means)))
        self.class_means_ = data.to_input(means)

    @staticmethod
    def _distances(X, means):
        return namespace(X).sqrt(pairwise_sq_dists(X, means))

    def _class_scores(self, X, backend):
        bonus = backend.asarray(self.class_bonus_, X.dtype)
        return bonus - self._distances(X, backend.asarray(self.class_means_, X.dtype))
