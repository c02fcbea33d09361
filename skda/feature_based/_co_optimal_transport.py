"""CO-optimal transport: rows and columns of two tables matched at the same time."""

from __future__ import annotations

import importlib
import warnings

import numpy as np

from .._core._param_checks import check_bool, check_integer, check_real
from ._base_other_space import BaseOtherSpaceTransformer


class CoOptimalTransportTransformer(BaseOtherSpaceTransformer):
    """Carry source rows into the target's columns, where no column is shared.

    Two tables have other rows and other columns. CO-optimal transport looks for a plan between the
    rows and a plan between the columns such that matched entries agree: it finds out which column
    plays which part while it finds out which row is like which. A source row becomes the mean of
    the target rows that it is matched with.

    Parameters
    ----------
    reg : float or None, default=None
        Entropic regularization of both plans, in units of the mean cost. None: exact plans, which
        match few rows with each other. Larger values blur.
    marginal_reg : float or None, default=None
        Weight of the marginals in an unbalanced plan, which leaves out rows and columns without a
        partner; needs `reg`. None: all mass is moved.
    use_target_labels : bool, default=False
        Whether rows whose labels are known and differ are kept apart. Target rows without a label
        are matched with any class.
    class_reg : float, default=10.0
        Cost of matching rows of other classes, in units of the mean cost, if `use_target_labels`.
    max_iter : int, default=100
        Largest number of rounds, each of which solves for both plans.
    tol : float, default=1e-7
        Rounds stop when the plans change by less.

    Attributes
    ----------
    column_plans_ : dict
        By source id, the plan between its columns and the target's, array of shape
        (n_source_columns, n_target_columns): which column plays which part.
    n_iter_ : int
        Rounds, of the slowest source.
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
    GromovWassersteinTransformer : Matches the distances between rows instead of the entries.
    ColumnBridgeTransformer : For domains that share some columns.
    stack_domains : With ``join="outer"`` stacks frames that have other columns.

    Notes
    -----
    All domains stand in one X with all columns; a domain's own columns are those in which its rows
    have values, the others are NaN there. The plans minimize
    :math:`\\sum_{ijkl} (x_{ik} - z_{jl})^2 P_{ij} Q_{kl}` in turns, from uniform plans on [1]_: a
    local minimum. Entries are compared as they are, so scale the columns first, each domain by
    itself. A new source row gets the image of the nearest fitted one. Several targets are pooled.

    It helps only as far as the tables have a structure that tells columns apart, such as skewed
    distributions; a symmetric one can be matched the wrong way round. A few target labels help
    much.

    Cost of a round with n rows and d columns a side: :math:`O(n^2 d + n d^2)` and a plan. Fitted
    without ``sample_domain`` it is the identity. Array level (b): the plans are POT's, in NumPy.

    References
    ----------
    .. [1] I. Redko, T. Vayer, R. Flamary, N. Courty, "CO-Optimal Transport", NeurIPS 2020.
       arXiv:2002.03731.
    .. [2] Q. H. Tran, H. Janati, N. Courty, R. Flamary, I. Redko, P. Demetci, R. Singh, "Unbalanced
       CO-Optimal Transport", AAAI 2023. arXiv:2205.14923.

    Examples
    --------
    >>> import numpy as np
    >>> from skda import CoOptimalTransportTransformer
    >>> here = np.array([[0.0, 1.0], [0.0, 2.0], [0.0, 9.0]])
    >>> there = here[[2, 0, 1]][:, [1, 0]]  # the same table in another order
    >>> X = np.block([[here, np.full((3, 2), np.nan)], [np.full((3, 2), np.nan), there]])
    >>> coot = CoOptimalTransportTransformer()
    >>> coot.fit_transform(X, sample_domain=[1, 1, 1, -2, -2, -2])[:3]
    array([[1., 0.],
           [2., 0.],
           [9., 0.]])
    """

    def __init__(
        self,
        *,
        reg: float | None = None,
        marginal_reg: float | None = None,
        use_target_labels: bool = False,
        class_reg: float = 10.0,
        max_iter: int = 100,
        tol: float = 1e-7,
    ):
        self.reg = reg
        self.marginal_reg = marginal_reg
        self.use_target_labels = use_target_labels
        self.class_reg = class_reg
        self.max_iter = max_iter
        self.tol = tol

    def _check_params(self):
        self.column_plans_, self.n_iter_ = {}, 1
        check_real("reg", self.reg, low=0, closed="neither", none=True)
        check_real("marginal_reg", self.marginal_reg, low=0, closed="neither", none=True)
        check_bool("use_target_labels", self.use_target_labels)
        check_real("class_reg", self.class_reg, low=0)
        check_integer("max_iter", self.max_iter, low=1)
        check_real("tol", self.tol, low=0, closed="neither")
        if self.marginal_reg is not None and self.reg is None:
            raise ValueError(
                f"marginal_reg={self.marginal_reg!r} needs entropic plans, but reg is None. Set "
                "reg as well, for example reg=0.05."
            )

    def _plan(self, source, target, differs):
        # In units of the mean cost, so that reg means the same at all scales.
        center = 0.5 * (source.mean() + target.mean())
        unit = np.sqrt(((source - center) ** 2).mean() + ((target - center) ** 2).mean()) or 1.0
        source, target = (source - center) / unit, (target - center) / unit
        classes = {} if differs is None else {"M_samp": differs, "alpha": (self.class_reg, 0.0)}
        with warnings.catch_warnings():
            # A plan that is not yet exact in the first rounds is no news.
            warnings.simplefilter("ignore")
            if self.marginal_reg is None:
                coupling, columns, log = importlib.import_module("ot.coot").co_optimal_transport(
                    source,
                    target,
                    epsilon=self.reg or 0.0,
                    nits_bcd=self.max_iter,
                    tol_bcd=self.tol,
                    log=True,
                    **classes,
                )
            else:
                solve = importlib.import_module("ot.gromov").unbalanced_co_optimal_transport
                coupling, columns, log = solve(
                    source,
                    target,
                    reg_marginals=self.marginal_reg,
                    epsilon=self.reg,
                    max_iter=self.max_iter,
                    tol=self.tol,
                    log=True,
                    **classes,
                )
        rounds = len(log["distances" if self.marginal_reg is None else "error"])
        self.n_iter_ = max(self.n_iter_, rounds)
        self.column_plans_[len(self.column_plans_)] = np.asarray(columns)
        return np.asarray(coupling)

    def _fit(self, data):
        super()._fit(data)
        # Filled in the order of the sources.
        self.column_plans_ = dict(
            zip(data.source_domains, self.column_plans_.values(), strict=False)
        )
