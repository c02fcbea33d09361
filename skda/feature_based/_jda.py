"""Joint distribution adaptation: transfer components that also bring class means together."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np

from .._array._backend import as_like
from .._core._callbacks import at_most, learnt_by, subtask
from .._core._param_checks import check_integer, check_real
from .._core._typing import Predictor, RandomState
from .._core._validation import class_labels
from ._base_spectral import (
    SpectralTransformer,
    count_components,
    joint_differences,
    pseudo_labels,
    solve,
)


class JDATransformer(SpectralTransformer):
    """Map rows of all domains to components in which domains and classes have near means.

    Joint distribution adaptation alternates between transfer components and pseudo-labels of the
    target rows: the means of the domains, and of each class in the two domains, are brought
    together [1]_. ``balance`` weighs the one against the other (balanced distribution adaptation
    [2]_).

    Parameters
    ----------
    n_components : int or None, default=None
        Number of components. More keep more detail and more of the shift. None takes up to 30.
    kernel : {"rbf", "linear", "poly", "laplacian", "cosine", "sigmoid", "precomputed"} or \
callable, default="rbf"
        Kernel between rows. With "precomputed", X is the square kernel matrix in ``fit`` and the
        rows of the kernel against the rows of ``fit`` in ``transform``. A callable gets two arrays
        of rows and returns the matrix between them.
    gamma : float or {"median", "scale"}, default="median"
        Of the kernels rbf, laplacian, poly and sigmoid. "median" is ``1 / (2 m²)`` with m the
        median distance between two rows (of 1000 rows chosen with a fixed seed, if there are
        more). Larger means more local.
    degree : float, default=3
        Of the poly kernel.
    coef0 : float, default=1.0
        Of the kernels poly and sigmoid.
    reg : float, default=0.1
        Weight of the norm of the components against the differences (λ in [1]_, which takes 1 on
        images with a linear kernel). Larger adapts less. It is on the scale of ``‖KMK‖``, so with
        an unbounded kernel scale the rows, or search it over powers of ten: too small, it removes
        what classes differ in by chance.
    balance : float, default=0.5
        In [0, 1]: 0 brings only the domains together (TCA), 1 only the classes. 0.5 is JDA.
    solver : {"exact", "nystroem", "fourier"}, default="exact"
        "exact" works on the n x n kernel matrix, or on the d x d scatter for a linear kernel with
        fewer features than rows, which needs no other solver. "nystroem" and "fourier" (for rbf and
        laplacian) replace another kernel by ``n_basis`` explicit features, for tens of thousands
        of rows and more.
    n_basis : int, default=200
        Landmark rows of "nystroem", or random features of "fourier". Which rows are landmarks, and
        so the components, depends on the order of the rows.
    max_iter : int, default=10
        Rounds of components and pseudo-labels. It stops when no pseudo-label changes.
    estimator : classifier or None, default=None
        Gives the pseudo-labels, from the mapped source rows and their labels. None is the nearest
        source row, found on the device.
    random_state : int, RandomState instance or None, default=None
        Draws the basis of "nystroem" and "fourier".

    Attributes
    ----------
    coef_ : array of shape (n_rows or n_features or n_basis, n_components_)
        What kernel rows or features are multiplied with.
    basis_ : array or None
        Rows that the kernel is taken against, frequencies of "fourier", or None where ``X @ coef_``
        is the map.
    center_ : array of shape (n_features,) or None
        Mean of all rows, which a linear kernel is taken relative to where the offset of the rows
        would hide their spread; else None.
    eigenvalues_ : array of shape (n_components_,)
        Variance of each component under the constraint, descending.
    classes_ : ndarray of shape (n_classes,)
        Classes of the source.
    pseudo_labels_ : ndarray of shape (n_target,)
        Labels of the target rows of ``fit`` that the last round used, in row order; None without
        target rows.
    label_changes_ : list of int
        How many pseudo-labels each round changed; all of them count in the first. 0 in the last
        one where it stopped by itself.
    n_iter_ : int
        Rounds done.
    n_components_ : int
        Number of components found.
    gamma_ : float
        The number that ``gamma`` stood for.
    source_domains_, target_domains_ : list of int
        Ids seen in ``fit``.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had names.

    See Also
    --------
    TCATransformer : Needs no labels.
    MEDAClassifier : The same differences inside a classifier.

    Notes
    -----
    W maximizes ``tr(WᵀKHKW)`` subject to ``Wᵀ(KMK + λI)W = I``, with ``M ∝ (1-b) C M_0 + b Σ_c
    M_c`` of unit Frobenius norm, b = ``balance`` and C classes; ``M_c`` is the outer product of
    the column with ``1/n_s(c)`` on source rows of class c and ``-1/n_t(c)`` on target rows with
    that pseudo-label. A class without pseudo-labeled rows contributes nothing. M has rank C + 1
    at most, so no matrix but K is formed. The weight C and the norm are those of the authors'
    code. The first round uses ``M_0`` only, as TCA does.

    Assumes that classes lie near their own counterpart once the domains are roughly aligned; where
    they do not, wrong pseudo-labels reinforce themselves. Where a target row is equally near to
    source rows of several classes (duplicated rows with unlike labels), its first pseudo-label is
    that of the first of them, so that the result may depend on the order of the rows.

    Without ``sample_domain`` it is kernel PCA with scaled components.

    Cost: per round, O(n² k) time for one n x n matrix, O(d³ + n d²) for a linear kernel with d < n,
    O(n m (d + m)) with a basis of m; the nearest source rows take O(n² k) more, in tiles.
    Array level (a): wholly on the device, except a given ``estimator``.

    Callbacks (``set_callbacks``, with scikit-learn 1.9 or later) see the rounds.

    References
    ----------
    .. [1] M. Long, J. Wang, G. Ding, J. Sun and P. S. Yu, "Transfer feature learning with joint
       distribution adaptation", ICCV 2013. :doi:`10.1109/ICCV.2013.274`
    .. [2] J. Wang, Y. Chen, S. Hao, W. Feng and Z. Shen, "Balanced distribution adaptation for
       transfer learning", ICDM 2017. :arxiv:`1807.00516`

    Examples
    --------
    >>> import numpy as np
    >>> from skda import JDATransformer, stack_domains
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1], 40)
    >>> Xs = rng.normal(size=(80, 3)) + 3 * y[:, None]
    >>> X, y, sample_domain = stack_domains(Xs, y, Xs + [0, 2, 0])
    >>> jda = JDATransformer(n_components=2, kernel="linear").fit(X, y, sample_domain=sample_domain)
    >>> float(np.mean(jda.pseudo_labels_ == np.repeat([0, 1], 40)))
    1.0
    """

    _labels = "source"
    _array_level = "a"

    def __init__(
        self,
        n_components: int | None = None,
        *,
        kernel: Literal["rbf", "linear", "poly", "laplacian", "cosine", "sigmoid", "precomputed"]
        | Callable[..., Any] = "rbf",
        gamma: float | Literal["median", "scale"] = "median",
        degree: float = 3,
        coef0: float = 1.0,
        reg: float = 0.1,
        balance: float = 0.5,
        solver: Literal["exact", "nystroem", "fourier"] = "exact",
        n_basis: int = 200,
        max_iter: int = 10,
        estimator: Predictor | None = None,
        random_state: RandomState = None,
    ):
        self.n_components = n_components
        self.kernel = kernel
        self.gamma = gamma
        self.degree = degree
        self.coef0 = coef0
        self.reg = reg
        self.balance = balance
        self.solver = solver
        self.n_basis = n_basis
        self.max_iter = max_iter
        self.estimator = estimator
        self.random_state = random_state

    _hint_for_size = "Take solver='nystroem' or 'fourier', or fit on a sample of the rows."

    def _fit(self, data):
        check_real("reg", self.reg, low=0, closed="neither")
        check_real("balance", self.balance, low=0, high=1)
        check_integer("max_iter", self.max_iter, low=1)
        self.classes_, codes = class_labels(self, data)
        # A round that starts from the last one's components takes about a third of the first.
        problem = self._problem(data, data.X, rounds=1 + self.max_iter / 3)
        k = count_components(self.n_components, problem.size)
        pseudo, V, changes = None, None, []
        # Pseudo-labels need no exact components, so only the last round's are.
        n_iter, last = 1, self.max_iter if data.adapts else 1
        while n_iter < last:
            with subtask(self, "round") as task:
                F = self._columns(problem, data.ids, codes, pseudo)
                # Spare vectors, since components may change places between rounds.
                values, W, V = solve(problem, k, F, self.reg, start=V, spare=k, tol=1e-6)
                found = data, problem, values[:k], W, pseudo, n_iter, list(changes)
                task.offer(partial(learnt_by, self, "_keep", *found))
                new = pseudo_labels(self.estimator, problem.embed(W), data.ids, codes)
            changed = len(data.target) if pseudo is None else np.sum((new != pseudo)[data.target])
            changes.append(int(changed))
            # The next round would be the same.
            if pseudo is not None and np.array_equal(new, pseudo):
                break
            pseudo = new
            n_iter += 1
            if task.stops:
                break
        F = self._columns(problem, data.ids, codes, pseudo)
        values, W, _ = solve(problem, k, F, self.reg)
        self._keep(data, problem, values, W, pseudo, n_iter, changes)

    def _keep(self, data, problem, values, W, pseudo, n_iter, changes):
        self.n_iter_, self.label_changes_ = n_iter, changes
        self.pseudo_labels_ = None if pseudo is None else self.classes_[pseudo[data.target]]
        self._store(data, problem, values, W)

    def _n_tasks(self, data):
        return at_most(self.max_iter)

    def _columns(self, problem, ids, codes, pseudo):
        # Without pseudo-labels there is only the marginal term, whatever its weight.
        balance = 0.0 if pseudo is None else self.balance
        E = joint_differences(ids, codes, pseudo, len(self.classes_), balance=balance)
        return problem.columns(as_like(E, problem.like))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.array_api_support = (
            False  # scikit-learn 1.8 wants classes_ there too; labels stay here
        )
        return tags
