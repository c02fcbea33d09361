"""Optimal transport: move the source's rows onto the target's at least total cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import OneToOneFeatureMixin
from sklearn.utils import check_random_state

from .._array._backend import as_like, backend_of, namespace, to_numpy
from .._array._rows import take_rows
from .._core._base_transformer import BaseDomainTransformer
from .._core._callbacks import rounds_of, subtask
from .._core._param_checks import check_integer, check_option, check_real, check_strength
from .._core._typing import ArrayLike, DomainIds, RandomState
from .._core._validation import class_labels
from .._numerics._class_transport import CLASS_ROUNDS, LASSO_ROUNDS, l1l2_plan, lpl1_plan
from .._numerics._kernels import nearest_rows
from .._numerics._sinkhorn import sinkhorn_plan
from .._numerics._transport import (
    barycentric_map,
    check_plan_sizes,
    cost_matrix,
    cost_unit,
    exact_plan,
)
from ._base_joint_transport import check_plan_reg
from ._direction import (
    TO_SOURCE,
    TO_TARGET,
    add_domains,
    check_direction,
    has_reference,
    moved_domain,
    rows_of_moved_domains,
)
from ._row_plans import plan_between_rows

# In units of the typical cost: rows beyond it mostly stay where they are.
_MARGINAL_WEIGHT = 1.0
_CLASS_PLANS = {"lpl1": lpl1_plan, "l1l2": l1l2_plan}
_MOST_ROUNDS = {"lpl1": CLASS_ROUNDS, "l1l2": LASSO_ROUNDS}


def _row_keys(rows):
    """Return one opaque key per row of a host array, equal for equal rows."""
    rows = np.ascontiguousarray(rows + 0.0)  # -0.0 equals 0.0
    return rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()


def find_rows(rows, among):
    """Return for each row the index of the first identical row in `among`, or -1 (on the host)."""
    keys = _row_keys(np.concatenate([to_numpy(among), to_numpy(rows)]))
    # Sorting the bytes finds equal rows without comparing all pairs.
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    found = first[inverse[among.shape[0] :]]
    return np.where(found < among.shape[0], found, -1)


def share_among_duplicates(values, rows):
    """Give identical rows the mean of their values, so that the map is a function of the row."""
    _, group, size = np.unique(_row_keys(to_numpy(rows)), return_inverse=True, return_counts=True)
    if len(size) == rows.shape[0]:
        return values
    host = to_numpy(values)
    sums = np.zeros((len(size), host.shape[1]), dtype=host.dtype)
    # Unbuffered: several rows add to one sum.
    np.add.at(sums, group, host)
    return as_like((sums / size[:, None])[group].astype(host.dtype), values)


def batch_pairs(n, n_reference, batch_size, rng):
    """Yield rows and reference rows of each mini-batch: every row of both sides is in one or more.

    Batches of a side are a random partition into parts of nearly equal size; those of the side with
    fewer parts come again, newly drawn.
    """

    def parts(size):
        count = -(-size // batch_size)
        while True:
            yield from np.array_split(rng.permutation(size), count)

    own, others = parts(n), parts(n_reference)
    for _ in range(count_batches(n, n_reference, batch_size)):
        yield np.sort(next(own)), np.sort(next(others))


def count_batches(n, n_reference, batch_size):
    """Return the number of mini-batches until every row of both sides was in one."""
    return max(-(-n // batch_size), -(-n_reference // batch_size))


def move_rows(X, rows, images):
    """Move rows as the nearest fitted row was moved; fitted rows go exactly to their images."""
    xp = namespace(X)
    found = find_rows(X, rows)
    new = np.flatnonzero(found < 0)
    if len(new):
        found[new] = to_numpy(nearest_rows(take_rows(X, new), rows))
    index = backend_of(X).asarray(found)
    moved = xp.take(images, index, axis=0)
    if not len(new):
        return moved
    # The displacement is added to new rows only: x + (image - row) would round on fitted ones.
    is_new = np.zeros((len(found), 1), dtype=bool)
    is_new[new] = True
    shifted = X + (moved - xp.take(rows, index, axis=0))
    return xp.where(backend_of(X).asarray(is_new), shifted, moved)


def _blocks_of_plan(transformer, data):
    """Yield source rows, target rows and the coupling between them of each domain's plan."""
    if transformer.batch_size is not None:
        raise ValueError(
            "transport_plan shows one plan between all rows, and with batch_size="
            f"{transformer.batch_size!r} there are many small ones. Set batch_size=None and fit on "
            "a sample of the rows."
        )
    to_target = transformer.direction == TO_TARGET
    membership = None
    if transformer.class_reg:
        classes, codes = class_labels(transformer, data)
        membership = np.eye(len(classes))[codes]
    for domain in data.source_domains if to_target else data.target_domains:
        moved, kept = data.rows(domain), data.target if to_target else data.source
        source, target = (moved, kept) if to_target else (kept, moved)
        of_class = None if membership is None else membership[source]
        _, plan = transformer._images(take_rows(data.X, moved), take_rows(data.X, kept), of_class)
        yield source, target, plan.coupling


class OptimalTransportTransformer(OneToOneFeatureMixin, BaseDomainTransformer):
    """Move each source row to the mean of the target rows that optimal transport pairs it with.

    A transport plan spreads the rows of the source over the rows of the target so that the
    total cost is least. Rows move with the part of the target that they are paired with, so
    that the map may bend, unlike a linear one.

    Parameters
    ----------
    strength : float, default=1.0
        How far to go, in [0, 1]: every row moves this share of its way (displacement
        interpolation). 0 returns the rows themselves.
    reg : float or None, default=0.1
        None: the exact plan, in which a row goes to few target rows. A number: weight of the
        entropy, in units of the typical cost (see `cost_scale`). A larger value smooths more
        and is faster, down to where every source row goes to the target's mean; 0.01 to 1 is
        usual. The papers search it.
    class_reg : float, default=0.0
        Weight of a penalty that keeps source rows of different classes from going to the same
        target row, in the same units: with "lpl1", what it costs more to go where one's class
        is absent than where there is no other; 1 to 20 is usual. Needs `reg` and labels.
    class_penalty : {"lpl1", "l1l2"}, default="lpl1"
        Form of the penalty: concave in the proportion of each class (sharper, to a local optimum),
        or the group lasso (convex).
    marginal_reg : float, "auto" or None, default="auto"
        None moves all mass, as in [1]_. A number: weight of the marginals, in the same units; mass
        that would have to travel further than a few times this value is left out, and a row of
        which only a share is moved goes that share of the way. Needs `reg`. "auto" is 1 with
        `reg`, and None for the exact plan.
    metric : {"sqeuclidean", "euclidean"} or callable, default="sqeuclidean"
        Cost of moving one row to another. A callable gets the rows of the source and of the
        target and returns the matrix of costs, in their array library.
    cost_scale : {"median", "mean", "max"} or None, default="median"
        Statistic of the costs that counts as 1 in `reg`, `class_reg` and `marginal_reg`. None: they
        are in units of the cost itself.
    direction : {"to_target", "to_source"}, default="to_target"
        Which rows move. "to_target" maps each source to the pooled target rows, as in the papers.
        "to_source" maps each target to the pooled source rows, which stay as they are, so that a
        model fitted once serves any number of later targets, see :func:`~skda.adapt_to`.
    batch_size : int or None, default=None
        None: one plan between all rows. A number: plans between random batches of at most so many
        rows of either side [3]_, for tens of thousands of rows and more. 1,000 to 5,000 is usual;
        smaller batches smooth the map more.
    max_iter : int, default=2000
        Largest number of Sinkhorn iterations for a plan.
    tol : float, default=1e-6
        Sinkhorn stops when this share of the mass is misplaced.
    random_state : int, RandomState instance or None, default=None
        Draws the batches.

    Attributes
    ----------
    rows_ : dict
        By the id of each domain that is mapped, its fitted rows, array of shape
        (n_rows, n_features).
    images_ : dict
        By the same ids, where the plan sends them (at strength 1), of the same shape.
    reference_rows_ : array of shape (n_reference, n_features) or None
        The rows that the others are mapped to. None if there is nothing to adapt to.
    reference_classes_ : ndarray of shape (n_reference, n_classes) or None
        Which class they are of, 1 or 0, where `class_reg` needs it in the direction "to_source".
    costs_ : dict
        By the same ids, the cost of the plan (the mean of the batches), in units of `metric`.
    marginal_errors_ : dict
        By the same ids, the share of the mass that is misplaced (with `marginal_reg`, the last
        change of the scalings), in the worst batch.
    n_iter_ : int
        Sinkhorn iterations taken for the slowest plan; 1 for exact plans.
    source_domains_, target_domains_ : list of int
        Ids seen in ``fit``.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if they had names.

    Raises
    ------
    ValueError
        In ``fit``, if a parameter is out of range, if `class_reg` or `marginal_reg` comes without
        `reg`, or if costs overflow.

    Warns
    -----
    ConvergenceWarning
        If Sinkhorn stopped at `max_iter`; it names the misplaced share.

    See Also
    --------
    LinearTransportTransformer : The Gaussian case in closed form.
    JDOTClassifier : Transports features and labels together.
    OTLabelPropagationClassifier : Transports the labels, not the rows.

    Notes
    -----
    With the plan P between the rows of a source and the target, a source row goes to
    :math:`\\sum_j P_{ij} x^t_j / \\sum_j P_{ij}` [1]_. A new source row moves as the nearest fitted
    one does [2]_; fitted rows are recognized and go exactly to their images, duplicates to the mean
    of theirs. Target rows stay as they are. Each source has its own plan onto all target
    rows. In the direction "to_source" there is a plan from all source rows onto each target, and
    a target row goes to the mean of the source rows whose mass it receives. Features are compared
    as they are: scale them first.

    It helps when the shift carries rows along without tearing classes apart, non-linearly if
    need be. Where all mass is moved and the class proportions differ, rows end in the wrong class;
    `marginal_reg` leaves some of it out, and `class_reg` keeps classes apart. Where several exact
    plans cost the same (duplicated rows, or features of few values), which one is found depends on
    the order of the rows.

    Cost: :math:`O(n_s n_t d)` time and a few :math:`n_s n_t` of memory; then for the exact plan
    between :math:`n^2` and :math:`n^3`, with `reg` :math:`O(n_s n_t)` an iteration. With batches
    of b rows it is that of max(n_s, n_t)/b plans of b × b. A transform of n rows is
    :math:`O(n n_s d)`. Fitted without ``sample_domain`` it is the identity.
    Array level (a) with `reg`; the exact plan is a NumPy island (b). Rows are recognized on the
    host.

    Callbacks (``set_callbacks``, with scikit-learn 1.9 or later) see the plan of each domain.

    References
    ----------
    .. [1] N. Courty, R. Flamary, D. Tuia, A. Rakotomamonjy, "Optimal Transport for Domain
       Adaptation", IEEE TPAMI 39, 2017. arXiv:1507.00504.
    .. [2] S. Ferradans, N. Papadakis, G. Peyré, J.-F. Aujol, "Regularized Discrete Optimal
       Transport", SIAM J. Imaging Sci. 7, 2014. arXiv:1307.5551.
    .. [3] K. Fatras, Y. Zine, R. Flamary, R. Gribonval, N. Courty, "Learning with minibatch
       Wasserstein: asymptotic and gradient properties", AISTATS 2020. arXiv:1910.04091.

    Examples
    --------
    >>> import numpy as np
    >>> from skda import OptimalTransportTransformer
    >>> X = np.array([[0.0], [1.0], [2.0], [12.0], [10.0], [14.0]])
    >>> sample_domain = [1, 1, 1, -2, -2, -2]
    >>> exact = OptimalTransportTransformer(reg=None)
    >>> exact.fit_transform(X, sample_domain=sample_domain).ravel()
    array([10., 12., 14., 12., 10., 14.])
    """

    _array_level = "a"

    def __init__(
        self,
        *,
        strength: float = 1.0,
        reg: float | None = 0.1,
        class_reg: float = 0.0,
        class_penalty: Literal["lpl1", "l1l2"] = "lpl1",
        marginal_reg: float | Literal["auto"] | None = "auto",
        metric: Literal["sqeuclidean", "euclidean"] | Callable[..., Any] = "sqeuclidean",
        cost_scale: Literal["median", "mean", "max"] | None = "median",
        direction: Literal["to_target", "to_source"] = "to_target",
        batch_size: int | None = None,
        max_iter: int = 2000,
        tol: float = 1e-6,
        random_state: RandomState = None,
    ):
        self.strength = strength
        self.reg = reg
        self.class_reg = class_reg
        self.class_penalty = class_penalty
        self.marginal_reg = marginal_reg
        self.metric = metric
        self.cost_scale = cost_scale
        self.direction = direction
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    @property
    def _labels(self):
        return "source" if self.class_reg else "ignored"

    @property
    def _order_dependent(self):
        return self.batch_size is not None

    @property
    def _per_target(self):
        return self.direction != TO_TARGET

    @property
    def _needs_target(self):
        return self.direction == TO_TARGET

    def _fit(self, data):
        self._check_params()
        self.rows_, self.images_ = {}, {}
        self.costs_, self.marginal_errors_, self.n_iter_ = {}, {}, 1
        self.reference_rows_ = self.reference_classes_ = None
        if not has_reference(self, data):
            return
        classes, codes = class_labels(self, data) if self.class_reg else (None, None)
        membership = None if classes is None else np.eye(len(classes))[codes]
        to_target = self.direction == TO_TARGET
        reference = data.X_target if to_target else data.X_source
        if not (to_target or membership is None):
            self.reference_classes_ = membership[data.source]
        domains = data.source_domains if to_target else data.target_domains
        if domains:  # targets may come later
            self._check_sizes([data.count(domain) for domain in domains], reference)
        for domain in domains:
            of_class = membership[data.rows(domain)] if to_target and self.class_reg else None
            X = data.X_of(domain)
            with subtask(self, "map of a domain", self._n_parts(X, reference)):
                learnt = self._learnt_map(X, reference, of_class, data.to_input)
            self._set_map(domain, learnt)
        self.reference_rows_ = data.to_input(reference)

    def _n_tasks(self, data):
        """Return the number of domains that are mapped."""
        if not has_reference(self, data):
            return 0
        moved = data.source_domains if self.direction == TO_TARGET else data.target_domains
        return len(moved)

    def _n_parts(self, X, reference):
        """Return of how many batches, or else rounds, the map of a domain is made."""
        if self.batch_size is None:
            return self._n_rounds()
        return count_batches(X.shape[0], reference.shape[0], self.batch_size)

    def _n_rounds(self):
        return _MOST_ROUNDS[self.class_penalty] if self.class_reg else 0

    def _check_sizes(self, numbers, reference):
        """Warn if the plans of domains of so many rows take long; raise if one does not fit."""
        n_reference, sizes = reference.shape[0], []
        for n in numbers:
            if self.batch_size is None:
                sizes.append((n, n_reference))
            else:
                parts = count_batches(n, n_reference, self.batch_size)
                sizes += [(min(n, self.batch_size), min(n_reference, self.batch_size))] * parts
        if self.direction != TO_TARGET:
            sizes = [size[::-1] for size in sizes]
        check_plan_sizes(
            type(self).__name__,
            sizes,
            reference,
            exact=self.reg is None,
            rounds=CLASS_ROUNDS if self.class_reg else 1.0,
            hint="Set batch_size, for example 2000, or fit on a sample of the rows.",
        )

    def _learnt_map(self, X, reference, of_class, keep):
        """Return rows of a domain, their images, and cost, marginal error and steps of the plan."""
        to_target = self.direction == TO_TARGET
        of_class = of_class if to_target else self.reference_classes_
        if self.batch_size is None:
            images, plan = self._images(X, reference, of_class)
            plans = [plan]
        else:
            images, plans = self._images_of_batches(X, reference, of_class)
        cost = float(np.mean([plan.cost for plan in plans]))
        error, n_iter = (max(getattr(p, k) for p in plans) for k in ("marginal_error", "n_iter"))
        return keep(X), keep(share_among_duplicates(images, X)), cost, error, n_iter

    def _set_map(self, domain, learnt):
        self.rows_[domain], self.images_[domain], self.costs_[domain], error, n_iter = learnt
        self.marginal_errors_[domain] = error
        self.n_iter_ = max(self.n_iter_, n_iter)

    def _images(self, X, reference, of_class):
        """Return where the plan between these rows sends those of X, and the plan.

        The plan always goes from the source to the target, so that classes are those of its rows;
        read by its columns it maps target rows.
        """
        to_target = self.direction == TO_TARGET
        source, target = (X, reference) if to_target else (reference, X)
        membership = None if of_class is None else as_like(of_class, X)
        plan = self._plan(cost_matrix(source, target, metric=self.metric), membership)
        coupling = plan.coupling if to_target else plan.coupling.T
        return barycentric_map(coupling, reference, X), plan

    def _images_of_batches(self, X, reference, of_class):
        """Return the mean image of each row of X over the batches that it is in, and the plans."""
        sums, counts, plans = np.zeros(X.shape), np.zeros((X.shape[0], 1)), []
        rng = check_random_state(self.random_state)
        to_target = self.direction == TO_TARGET
        for own, others in batch_pairs(X.shape[0], reference.shape[0], self.batch_size, rng):
            classes = None if of_class is None else of_class[own if to_target else others]
            rows = take_rows(X, own), take_rows(reference, others)
            with subtask(self, "batch", self._n_rounds()):
                images, plan = self._images(*rows, classes)
            sums[own] += to_numpy(images)
            counts[own] += 1
            plans.append(plan._replace(coupling=None))  # whose sum would be as large as one plan
        return as_like(sums / counts, X), plans

    def partial_fit(
        self, X: ArrayLike, y: ArrayLike | None = None, *, sample_domain: DomainIds | None = None
    ) -> Self:
        """Begin or refine the maps of domains from more rows of them, and change no other.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of targets with ``direction="to_source"``. With "to_target" of sources, which the
            penalty of classes cannot take, because labels are not learnt here.
        y : array-like of shape (n_samples,), default=None
            Used in the first call only, which is :meth:`fit`.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row, see :meth:`fit`.

        Returns
        -------
        self : object
            The transformer.

        Notes
        -----
        Earlier rows of a domain are kept and join the new ones in a new plan.
        """
        if not hasattr(self, "rows_"):
            return self.fit(X, y, sample_domain=sample_domain)
        data, rows = rows_of_moved_domains(self, X, sample_domain, "rows_")
        if not rows:
            return self
        if self.class_reg and self.direction == TO_TARGET:
            raise ValueError(
                f"partial_fit cannot learn the class of new source rows, which class_reg="
                f"{self.class_reg!r} needs. Call fit on all rows, or set class_reg=0."
            )
        reference = data.backend.asarray(self.reference_rows_)
        self._check_sizes([X.shape[0] for X in rows.values()], reference)
        maps = {i: self._learnt_map(X, reference, None, data.to_input) for i, X in rows.items()}
        # New objects, when all are found: the old ones stay valid if this batch fails.
        self.rows_, self.images_ = dict(self.rows_), dict(self.images_)
        self.costs_, self.marginal_errors_ = dict(self.costs_), dict(self.marginal_errors_)
        for domain, learnt in maps.items():
            self._set_map(domain, learnt)
        add_domains(self, data)
        return self

    def transport_plan(
        self, X: ArrayLike, y: ArrayLike | None = None, *, sample_domain: DomainIds
    ) -> np.ndarray:
        """Return the transport plan between source rows and target rows.

        It is not kept after ``fit``, since it is as large as both sides multiplied, and is computed
        anew here: with the rows of ``fit``, it is the plan that moved them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : array-like of shape (n_samples,), default=None
            Labels of the source rows, which `class_reg` needs.
        sample_domain : array-like of int of shape (n_samples,)
            Domain of each row: >= 0 a source, < 0 a target.

        Returns
        -------
        plan : ndarray of shape (n_source, n_target)
            Mass that goes from each source row to each target row, in row order. Where several
            domains are mapped, each has its own plan, and counts as its rows.
        """
        return plan_between_rows(self, X, y, sample_domain, _blocks_of_plan)

    def _plan(self, M, membership):
        unit = cost_unit(M, self.cost_scale)
        # In units of a typical cost, so that reg means the same for all features and scales.
        M /= unit
        if self.reg is None:
            plan = exact_plan(M)
        else:
            options = {"reg": float(self.reg), "marginal_reg": self._marginal_weight()}
            options |= {"max_iter": self.max_iter, "tol": self.tol}
            if self.class_reg:
                solve = _CLASS_PLANS[self.class_penalty]
                options["round_task"] = rounds_of(self, "round")
                plan = solve(M, membership, class_reg=float(self.class_reg), **options)
            else:
                plan = sinkhorn_plan(M, **options)
        # Back in the user's units.
        return plan._replace(cost=plan.cost * unit)

    def _marginal_weight(self):
        if isinstance(self.marginal_reg, str):
            # The exact plan keeps its marginals.
            return None if self.reg is None else _MARGINAL_WEIGHT
        return self.marginal_reg

    def _map(self, X, domain, backend):
        domain = moved_domain(domain, self.rows_, self.direction, self.target_domains_)
        if domain is None or self.strength == 0:
            return X
        rows, images = (backend.asarray(x[domain], X.dtype) for x in (self.rows_, self.images_))
        moved = move_rows(X, rows, images)
        return moved if self.strength == 1 else X + (moved - X) * float(self.strength)

    def _check_params(self):
        check_strength(self.strength)
        check_plan_reg(self.reg)
        check_real("class_reg", self.class_reg, low=0)
        if not (isinstance(self.marginal_reg, str) and self.marginal_reg == "auto"):
            check_real(
                "marginal_reg",
                self.marginal_reg,
                low=0,
                closed="neither",
                none=True,
                hint="None moves all mass, 'auto' leaves out what travels far.",
            )
        hint = "There is no common one: a barycenter of rows is not unique."
        check_direction(self.direction, (TO_TARGET, TO_SOURCE), hint)
        check_option("class_penalty", self.class_penalty, tuple(_CLASS_PLANS))
        check_integer(
            "batch_size", self.batch_size, low=2, none=True, hint="None makes one plan of all rows."
        )
        check_integer("max_iter", self.max_iter, low=1)
        check_real("tol", self.tol, low=0, closed="neither")
        for name in ("class_reg", "marginal_reg"):
            asked = getattr(self, name) and getattr(self, name) != "auto"
            if asked and self.reg is None:
                raise ValueError(
                    f"{name}={getattr(self, name)!r} needs an entropic plan, but reg is None. "
                    "Set reg as well, for example reg=0.1."
                )
