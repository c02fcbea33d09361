"""Gromov-Wasserstein: rows of two tables matched by their distances within each table."""

from __future__ import annotations

import importlib
import warnings

import numpy as np
from scipy.spatial.distance import cdist

from .._core._param_checks import check_bool, check_integer, check_real
from ._base_other_space import BaseOtherSpaceTransformer

_ROUNDS_BETWEEN_CHECKS = 10  # of POT's entropic solver, which logs the error at each


class GromovWassersteinTransformer(BaseOtherSpaceTransformer):
    """Carry source rows into the target's columns by matching the distances between rows.

    Where two tables share no column their rows cannot be compared, but distances within one table
    can be compared with distances within the other. Gromov-Wasserstein looks for the plan between
    the rows that keeps near rows near and distant ones distant. A source row becomes the mean of
    the target rows that it is matched with.

    Parameters
    ----------
    reg : float or None, default=None
        Entropic regularization of the plan, in units of the squared mean distance. None: the exact
        program. Larger values blur.
    use_target_labels : bool, default=False
        Whether rows whose labels are known and differ are kept apart (fused Gromov-Wasserstein).
    class_reg : float, default=0.5
        Share of the labels in the cost, in [0, 1), if `use_target_labels`.
    max_iter : int, default=1000
        Largest number of iterations.
    tol : float, default=1e-9
        Iterations stop when the plan or its cost changes by less.

    Attributes
    ----------
    n_iter_ : int
        Iterations, of the slowest source; with `reg` to the next ten.
    rows_, images_ : dict
        By source id, its rows in its own columns, and where they go.
    source_columns_ : dict
        By source id, the positions of its columns.
    target_columns_ : list of int
        Positions of the target's columns, which are those of the output.
    source_domains_, target_domains_ : list of int
        Ids seen in ``fit``.
    n_features_in_ : int
        Number of columns seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had names.

    Raises
    ------
    ValueError
        In ``fit``, if a parameter is out of range, or a domain has gaps in its own columns.

    See Also
    --------
    CoOptimalTransportTransformer : Matches rows and columns, entry by entry.

    Notes
    -----
    X is stacked as for :class:`CoOptimalTransportTransformer`. With Euclidean distances C within
    the source and D within the target, each divided by its mean, the plan minimizes
    :math:`\\sum_{ijkl} (C_{ik} - D_{jl})^2 P_{ij} P_{kl}` [1]_, from the uniform plan on: a local
    minimum. A new source row gets the image of the nearest fitted one. Several targets are pooled.

    It helps where the clouds of rows have the same, lopsided shape. A symmetric shape can be
    matched the wrong way round, and nothing tells; a few target labels do.

    Cost: :math:`O(n^3)` an iteration for n rows a side. Fitted without ``sample_domain`` it is the
    identity. Array level (b): the plan is POT's, in NumPy.

    References
    ----------
    .. [1] F. Mémoli, "Gromov-Wasserstein distances and the metric approach to object matching",
       Found. Comput. Math. 11, 2011. doi:10.1007/s10208-011-9093-5.
    .. [2] T. Vayer, L. Chapel, R. Flamary, R. Tavenard, N. Courty, "Optimal transport for
       structured data with application on graphs", ICML 2019. arXiv:1805.09114.

    Examples
    --------
    >>> import numpy as np
    >>> from skda import GromovWassersteinTransformer
    >>> here = np.array([[0.0], [1.0], [3.0], [7.0]])
    >>> there = np.array([[0.0, 7.0], [0.0, 0.0], [0.0, 3.0], [0.0, 1.0]])
    >>> X = np.block([[here, np.full((4, 2), np.nan)], [np.full((4, 1), np.nan), there]])
    >>> gw = GromovWassersteinTransformer()
    >>> gw.fit_transform(X, sample_domain=[1] * 4 + [-2] * 4)[:4, 1]
    array([0., 1., 3., 7.])
    """

    _compares_within = True

    def __init__(
        self,
        *,
        reg: float | None = None,
        use_target_labels: bool = False,
        class_reg: float = 0.5,
        max_iter: int = 1000,
        tol: float = 1e-9,
    ):
        self.reg = reg
        self.use_target_labels = use_target_labels
        self.class_reg = class_reg
        self.max_iter = max_iter
        self.tol = tol

    def _check_params(self):
        self.n_iter_ = 1
        check_real("reg", self.reg, low=0, closed="neither", none=True)
        check_bool("use_target_labels", self.use_target_labels)
        check_real("class_reg", self.class_reg, low=0, high=1, closed="left")
        check_integer("max_iter", self.max_iter, low=1)
        check_real("tol", self.tol, low=0, closed="neither")

    def _plan(self, source, target, differs):
        C, D = (_relative_distances(rows) for rows in (source, target))
        if differs is None:
            # The fused program without a cost of its own is the plain one.
            differs, weight = np.zeros((len(C), len(D))), 1.0
        else:
            weight = 1.0 - float(self.class_reg)
        solvers = importlib.import_module("ot.gromov")
        p, q = (np.full(len(A), 1.0 / len(A)) for A in (C, D))
        with warnings.catch_warnings():
            # Reaching max_iter is no fault of a local search: the plan is one at any time.
            warnings.simplefilter("ignore")
            if self.reg is None:
                plan, log = solvers.fused_gromov_wasserstein(
                    differs,
                    C,
                    D,
                    p,
                    q,
                    alpha=weight,
                    max_iter=self.max_iter,
                    tol_rel=self.tol,
                    log=True,
                )
                rounds = len(log["loss"]) - 1
            else:
                plan, log = solvers.entropic_fused_gromov_wasserstein(
                    differs,
                    C,
                    D,
                    p,
                    q,
                    alpha=weight,
                    epsilon=float(self.reg),
                    max_iter=self.max_iter,
                    tol=self.tol,
                    log=True,
                )
                rounds = _ROUNDS_BETWEEN_CHECKS * len(log["err"])
        self.n_iter_ = max(self.n_iter_, rounds)
        return np.asarray(plan)


def _relative_distances(rows):
    """Return the Euclidean distances between rows, divided by their mean."""
    distances = cdist(rows, rows)
    return distances / (distances.mean() or 1.0)
