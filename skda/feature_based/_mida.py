"""Maximum independence domain adaptation: kernel components that do not tell the domains apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from .._array._backend import as_like
from .._array._rows import take_columns
from .._core._param_checks import check_bool, check_real, column_positions
from .._core._sums import pooled
from .._core._typing import RandomState
from ._base_spectral import SpectralTransformer, count_components, solve
from ._tca import label_columns


def _with_constants(m, values):
    """Return the moments of rows to which columns of these constant values are added."""
    mean = np.concatenate([m.mean, values])
    scatter = np.pad(m.scatter, (0, len(values)))
    return m._replace(mean=mean, scatter=scatter)


class MIDATransformer(SpectralTransformer):
    """Map rows of any number of domains to components that depend least on the domain.

    Maximum independence domain adaptation keeps the directions of a kernel's feature space along
    which the rows vary much and whose dependence on the domain, by the Hilbert-Schmidt independence
    criterion, is small [1]_. All domains count alike, sources and targets, so it suits many domains
    such as devices, subjects or batches.

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
    reg : float, default=1.0
        Weight of the variance against the dependence on the domain. Larger adapts less.
    solver : {"exact", "nystroem", "fourier"}, default="exact"
        "exact" works on the n x n kernel matrix, or on the d x d scatter for a linear kernel with
        fewer features than rows, which needs no other solver. "nystroem" and "fourier" (for rbf and
        laplacian) replace another kernel by ``n_basis`` explicit features, for tens of thousands
        of rows and more.
    n_basis : int, default=200
        Landmark rows of "nystroem", or random features of "fourier". Which rows are landmarks, and
        so the components, depends on the order of the rows.
    label_weight : float, default=0.0
        Weight of the dependence on the labels of source rows (γ of the semi-supervised form); 0
        ignores the labels.
    augment : bool, default=True
        Whether the domain of a row (one column per domain, ``domain_scale_`` on its own rows)
        joins its features, so that a component can correct each domain by its own offset. Must be
        False with ``kernel="precomputed"``, which has no features.
    domain_columns : int, str, list of these, or None, default=None
        Columns of X (by position, or by name where X has names) that say in numbers where a row
        comes from, such as the time of a measurement, the age of a sensor or the temperature. They
        are taken out of the features and, scaled to mean 0 and variance 1, stand beside the
        domains: components are to be independent of both. ``sample_domain`` still says whose labels
        may be used.
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
        Variance less dependence of each component, descending.
    feature_columns_, domain_columns_ : list of int
        Positions of the features, and of the columns that describe the domain.
    domain_columns_mean_, domain_columns_scale_ : array of shape (n_domain_columns,)
        What the columns that describe the domain are standardized by; only if there are any.
    domain_scale_ : float
        What stands in the column of a row's domain: the root mean variance of the features, so that
        the unit of the features does not matter. Only if ``augment``.
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
    TCATransformer : Compares the mean of all sources with that of the target.

    Notes
    -----
    With K the kernel matrix over all rows, H the centering matrix and D the one-hot domains beside
    the ``domain_columns``, W maximizes ``tr(Wᵀ K H (μI - DDᵀ + γ YYᵀ) H K W)`` subject to
    ``WᵀW = I``: the leading eigenvectors of a matrix that is never formed. Those with a negative
    eigenvalue, which depend on the domain more than they vary, are left out. ``YYᵀ`` is the label
    kernel, zero on target rows. Rows without ``sample_domain`` get the average of the targets.

    Assumes that what the domains differ in is an offset in the feature space of the kernel, which
    with ``domain_columns`` may drift in proportion to them.

    Without ``sample_domain`` it is kernel PCA.

    Cost: O(n² (d + k)) time and one n x n matrix; O(n d²) for a linear kernel with d < n; with a
    basis of m, O(n m (d + m)). Array level (a): wholly on the device.

    References
    ----------
    .. [1] K. Yan, L. Kou and D. Zhang, "Learning domain-invariant subspace using domain features
       and independence maximization", IEEE Transactions on Cybernetics 48 (2018).
       :arxiv:`1603.04535`

    Examples
    --------
    >>> import numpy as np
    >>> from skda import MIDATransformer, stack_domains
    >>> rng = np.random.default_rng(0)
    >>> sources = [rng.normal(size=(40, 3)) + [i, 0, 0] for i in range(3)]
    >>> target = rng.normal(size=(40, 3)) + [5, 0, 0]
    >>> X, _, sample_domain = stack_domains(sources, None, target)
    >>> mida = MIDATransformer(n_components=2, kernel="linear")
    >>> Z = mida.fit_transform(X, sample_domain=sample_domain)
    >>> bool(abs(Z[120:].mean(axis=0) - Z[:40].mean(axis=0)).max() < 0.1 * Z.std())
    True
    """

    def __init__(
        self,
        n_components: int | None = None,
        *,
        kernel: Literal["rbf", "linear", "poly", "laplacian", "cosine", "sigmoid", "precomputed"]
        | Callable[..., Any] = "rbf",
        gamma: float | Literal["median", "scale"] = "median",
        degree: float = 3,
        coef0: float = 1.0,
        reg: float = 1.0,
        solver: Literal["exact", "nystroem", "fourier"] = "exact",
        n_basis: int = 200,
        label_weight: float = 0.0,
        augment: bool = True,
        domain_columns: int | str | Sequence[int | str] | None = None,
        random_state: RandomState = None,
    ):
        self.n_components = n_components
        self.kernel = kernel
        self.gamma = gamma
        self.degree = degree
        self.coef0 = coef0
        self.reg = reg
        self.solver = solver
        self.n_basis = n_basis
        self.label_weight = label_weight
        self.augment = augment
        self.domain_columns = domain_columns
        self.random_state = random_state

    _hint_for_size = "Take solver='nystroem' or 'fourier', or fit on a sample of the rows."

    @property
    def _labels(self):
        return "source" if self.label_weight else "ignored"

    def _fit(self, data):
        check_real("reg", self.reg, low=0, closed="neither")
        check_real("label_weight", self.label_weight, low=0)
        check_bool("augment", self.augment)
        # A kernel matrix has no columns to add to or take from.
        if self.kernel == "precomputed" and (self.augment or self.domain_columns is not None):
            raise ValueError(
                "augment=True adds columns to the rows, and domain_columns takes some away, which "
                "kernel='precomputed' does not have. Pass augment=False and domain_columns=None, "
                "and add the domains to the rows before the kernel is taken."
            )
        xp = data.xp
        self._find_columns(data)
        X, domain_features = self._split(data.X, data.backend)
        domains, which = np.unique(data.ids, return_inverse=True)
        codes = np.stack([self._domain_code(i) for i in domains.tolist()])[which]
        D = xp.concat([as_like(codes, X), domain_features], axis=1)
        if self.augment and data.adapts:
            variance = float(xp.mean(xp.var(X, axis=0)))
            # Codes of 0 and 1 are brought to the scale of the features; otherwise the kernel would
            # hardly see them, or nothing else.
            self.domain_scale_ = variance**0.5 if variance > 0 else 1.0
            X = xp.concat([X, D * self.domain_scale_], axis=1)
        problem = self._problem(data, X)
        # Without sample_domain there is nothing to be independent of.
        D = D - xp.mean(D, axis=0) if data.adapts else xp.zeros_like(D)
        terms = []
        if self.label_weight:
            Y = label_columns(data.ids, data.y_source)
            terms.append((self.label_weight, problem.columns(as_like(Y, problem.like))))
        self._solve(data, problem, problem.columns(D), terms)

    def _solve(self, data, problem, D, terms):
        """Find the components that depend least on the domain, and keep them."""
        values, W, _ = solve(
            problem,
            count_components(self.n_components, problem.size),
            D[:, :1] * 0.0,  # no constraint but orthonormal columns
            # The criterion is subtracted: it is the dependence on the domain.
            terms=[(-1.0, D), *terms],
            scatter_weight=self.reg,
        )
        self._store(data, problem, values, W)

    def _needs_rows(self, data):
        if self.domain_columns is not None:
            return "domain_columns differ from row to row"
        n_codes = len(data.domains) if self.augment and data.adapts else 0
        return self._features_need_rows(data, data.X.shape[1] + n_codes)

    def _fit_sums(self, data, table):
        check_real("reg", self.reg, low=0, closed="neither")
        check_bool("augment", self.augment)
        self._find_columns(data)
        problem = self._problem_of_sums(data, table)
        codes = np.stack([self._domain_code(i) for i in data.domains])
        counts = [data.count(i) for i in data.domains]
        D = (codes - np.average(codes, axis=0, weights=counts)) * float(data.adapts)
        self._solve(data, problem, problem.columns(as_like(D, problem.like)), [])

    def _linear_parts(self, data, table):
        parts = super()._linear_parts(data, table)
        if not (self.augment and data.adapts):
            return parts
        self._set_domain_scale(parts)
        codes = [self._domain_code(i) * self.domain_scale_ for i in data.domains]
        return [_with_constants(part, code) for part, code in zip(parts, codes, strict=True)]

    def _problem_of_features(self, data, table):
        if self.augment and data.adapts:
            self._set_domain_scale(super()._linear_parts(data, table))
        return super()._problem_of_features(data, table)

    def _set_domain_scale(self, parts):
        m = pooled(parts)
        variance = float(np.mean(np.diagonal(m.scatter))) / m.count
        self.domain_scale_ = variance**0.5 if variance > 0 else 1.0

    def _seen(self, X, domain, data):
        return self._augmented(X, X[:, :0], domain, data.backend)

    def _find_columns(self, data):
        """Note which columns describe the domain, and what scales them."""
        n_features = data.X.shape[1]
        described = column_positions("domain_columns", self.domain_columns, self, n_features)
        if len(described) == n_features:
            raise ValueError(
                f"domain_columns={self.domain_columns!r} leaves nothing of the {n_features} "
                "feature(s) of X. Name the columns that say where a row comes from, and no others."
            )
        kept = [column for column in range(n_features) if column not in described]
        self.feature_columns_, self.domain_columns_ = kept, described
        if not described:
            return
        domain_features = take_columns(data.X, described, data.backend)
        xp = data.xp
        mean, spread = xp.mean(domain_features, axis=0), xp.std(domain_features, axis=0)
        # Rounding in the mean must not turn a constant column into one of tiny spread.
        noise = xp.abs(mean) * (10.0 * float(xp.finfo(mean.dtype).eps))
        spread = xp.where(spread > noise, spread, xp.ones_like(spread))
        self.domain_columns_mean_ = data.to_input(mean)
        self.domain_columns_scale_ = data.to_input(spread)

    def _split(self, X, backend):
        """Return the features, and the columns that describe the domain, standardized."""
        if not self.domain_columns_:
            return X, X[:, :0]
        mean = backend.asarray(self.domain_columns_mean_, X.dtype)
        scale = backend.asarray(self.domain_columns_scale_, X.dtype)
        domain_features = (take_columns(X, self.domain_columns_, backend) - mean) / scale
        return take_columns(X, self.feature_columns_, backend), domain_features

    def _domain_code(self, domain):
        """One-hot code of a domain; the average of the targets for rows of no stated domain."""
        known = self.source_domains_ + self.target_domains_
        if domain in known:
            return np.eye(len(known))[known.index(domain)]
        side = [(i >= 0) == (domain >= 0) for i in known]
        return np.asarray(side, dtype=float) / max(sum(side), 1)

    def _map(self, X, domain, backend):
        X, domain_features = self._split(X, backend)
        return super()._map(self._augmented(X, domain_features, domain, backend), domain, backend)

    def _augmented(self, X, domain_features, domain, backend):
        """Return the features, and what says the domain beside them if it is to be there."""
        if not (self.augment and self.target_domains_):
            return X
        code = np.tile(self._domain_code(domain), (X.shape[0], 1))
        D = backend.xp.concat([as_like(code, X), domain_features], axis=1)
        return backend.xp.concat([X, D * self.domain_scale_], axis=1)
