"""Correlation alignment: whiten the source, then recolor it with the target's covariance."""

from scipy import sparse
from sklearn.base import OneToOneFeatureMixin
from sklearn.exceptions import NotFittedError

from .._core._base_transformer import BaseDomainTransformer
from .._core._param_checks import (
    check_bool,
    check_enough_rows,
    check_real,
    check_strength,
)
from .._core._validation import data_for_fit
from .._numerics._covariance import merge_moments, moments
from ._coral_map import (
    CenteredRows,
    LowRankMap,
    check_covariance_reg,
    coral_map,
    low_rank_coral_map,
    sparse_moments,
)


class CORALTransformer(OneToOneFeatureMixin, BaseDomainTransformer):
    """Give source rows the covariance of the target rows (correlation alignment).

    Source rows are first whitened, which removes the scale and correlation of their features,
    and then given those of the target by a second linear map. A model that is fitted to the
    result has seen features that vary together as they do in the target.

    Parameters
    ----------
    strength : float, default=1.0
        How far to go, in [0, 1]: 0 returns the rows themselves, 1 aligns fully, between them the
        source gets the covariance ``(1-σ) C_s + σ C_t``.
    reg : float or {"ledoit-wolf", "oas"}, default=1.0
        Regularization of both covariances, in squared units of the features: a float is added to
        their diagonals (the paper adds 1, to standardized features), a name shrinks each by
        the intensity of that estimator. A larger value moves less. 0 maps within the span
        of the data.
    match_mean : bool, default=True
        Whether source rows also move towards the target's mean, by `strength` times the
        difference. It helps when features are shifted, more often than it harms where the class
        proportions differ; False is the paper's setting, which moves no mean.
    forgetting_factor : float, default=1.0
        In (0, 1]: factor by which the weight of a domain's earlier rows is multiplied at each
        ``partial_fit`` with new ones; 1 keeps all history. ``fit`` does not use it.

    Attributes
    ----------
    maps_ : dict
        By source id, the map: an array of shape (n_features, n_features), or its factors when
        there are more features than rows. Empty if there is nothing to adapt to.
    source_means_ : dict
        By source id, the mean of the source, array of shape (n_features,).
    target_mean_ : array of shape (n_features,)
        Mean of all target rows.
    source_moments_ : dict or None
        By source id, the count, mean and scatter matrix of its rows, which ``partial_fit`` goes on
        from; None with more features than rows, where no scatter matrix is formed.
    target_moments_ : tuple or None
        The same of all target rows.
    waits_for_ : {"source", "target"} or None
        The side of which ``partial_fit`` has seen no row yet.
    source_domains_, target_domains_ : list of int
        Ids seen in ``fit``.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if they had names.

    Raises
    ------
    ValueError
        In ``fit``, if a parameter is out of range or a domain has a single row.

    See Also
    --------
    TrainOnSource : Fits the classifier after it on source rows.

    Notes
    -----
    A source row x becomes :math:`(x - μ_s)(C_s + λI)^{-1/2}(C(σ) + λI)^{1/2} + m`, with
    :math:`C(σ) = (1-σ)C_s + σC_t` and m the source's mean, or
    :math:`(1-σ)μ_s + σμ_t` with `match_mean`. Target rows stay as they are, bit for bit. Several
    sources have a map each; several targets are pooled.

    It helps when the domains differ in scale and correlation of the features while labels given
    the (aligned) features do not: another instrument, another population of the same
    process. It does not know labels, so it can align the wrong classes when their balance differs.

    Cost: two covariances, two eigendecompositions and one product, :math:`O(nd^2 + d^3)`; with
    more features than rows :math:`O(n^2 d + n^3)` and no d x d matrix. CSR matrices are accepted;
    then only a result of target rows alone is sparse. Fitted without ``sample_domain`` it is the
    identity. Array level (a): runs on the device of its input; CSR matrices in NumPy.

    References
    ----------
    .. [1] B. Sun, J. Feng, K. Saenko, "Return of Frustratingly Easy Domain Adaptation",
       AAAI 2016. arXiv:1511.05547.

    Examples
    --------
    >>> import numpy as np
    >>> from skda import CORALTransformer
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(400, 2))
    >>> sample_domain = np.repeat([1, -2], 200)
    >>> X[200:] *= [3.0, 0.5]
    >>> coral = CORALTransformer(reg=1e-6)
    >>> aligned = coral.fit_transform(X, sample_domain=sample_domain)
    >>> aligned[:200].std(axis=0) / aligned[200:].std(axis=0)
    array([1.00, 1.00])
    """

    _accept_sparse = True
    _per_source = True
    _array_level = "a"

    def __init__(self, *, strength=1.0, reg=1.0, match_mean=True, forgetting_factor=1.0):
        self.strength = strength
        self.reg = reg
        self.match_mean = match_mean
        self.forgetting_factor = forgetting_factor

    def _fit(self, data):
        self._check_params()
        self._start()
        if not data.adapts:
            return
        check_enough_rows(self, data, 2, "to see a covariance")
        # More features than rows: everything is done in the span of the rows.
        if data.X.shape[1] > data.X.shape[0]:
            self._fit_low_rank(data)
            return
        source = {i: self._moments_of(data.X_of(i)) for i in data.source_domains}
        target = self._moments_of(data.X_target)
        self._set_maps(source, target, data.to_input)
        self.source_moments_ = {i: self._kept(m, data.to_input) for i, m in source.items()}
        self.target_moments_ = self._kept(target, data.to_input)

    def _start(self):
        self.source_moments_, self.target_moments_, self.waits_for_ = {}, None, None
        self.maps_, self.source_means_ = {}, {}

    def _fit_low_rank(self, data):
        self.source_moments_ = None  # a scatter matrix would be larger than the rows
        target = CenteredRows.of(data.X_target)
        for domain in data.source_domains:
            source = CenteredRows.of(data.X_of(domain))
            self.source_means_[domain] = data.to_input(source.mean)
            if self.strength > 0:
                self.maps_[domain] = low_rank_coral_map(
                    source, target, strength=self.strength, reg=self.reg
                ).at(data.to_input)
        self.target_mean_ = data.to_input(target.mean)

    def partial_fit(self, X, y=None, *, sample_domain=None):
        """Update the maps with a batch of rows, for data that do not fit in memory or that drift.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of any domains; a batch may have rows of one side only.
        y : Ignored
            Not used.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row, see :meth:`fit`.

        Returns
        -------
        self : object
            The transformer; it transforms as soon as it has seen a source and the target.

        Notes
        -----
        Means and scatter matrices (d x d) are merged in a stable way; each call also computes the
        maps, O(d³). With ``forgetting_factor=1`` the result is that of ``fit`` on all rows.
        """
        self._check_params()
        if self.reg == "ledoit-wolf":
            raise ValueError(
                "reg='ledoit-wolf' needs all rows at once and cannot be used with partial_fit. "
                "Use reg='oas' or a float."
            )
        # A fit or an earlier batch; the widths must agree then.
        started = hasattr(self, "source_moments_")
        data = data_for_fit(
            self, X, None, sample_domain, accept_sparse=True, one_sided=True, reset=not started
        )
        if not started:
            self._start()
            self.source_domains_, self.target_domains_ = [], []
        # Set so by `_fit_low_rank`.
        if self.source_moments_ is None:
            raise ValueError(
                "partial_fit cannot go on from a fit with more features than rows, which keeps no "
                "d x d scatter matrix. Call partial_fit on a fresh CORALTransformer."
            )
        # A new dict: the old one stays valid if this batch fails.
        sources, target = dict(self.source_moments_), self.target_moments_
        for domain in data.source_domains:
            sources[domain] = self._merged(sources.get(domain), data.X_of(domain), data)
        if len(data.target):
            target = self._merged(target, data.X_target, data)
        # Nothing is stored before all is computed: an interrupted batch counts as not seen.
        if sources and target is not None:
            self._set_maps(sources, target, data.to_input)
        self.source_moments_, self.target_moments_ = sources, target
        self.source_domains_ = sorted({*self.source_domains_, *data.source_domains})
        self.target_domains_ = sorted({*self.target_domains_, *data.target_domains})
        if self.source_domains_ and self.target_domains_:
            self.waits_for_ = None
        elif sample_domain is not None:  # without ids there is nothing to adapt to, now or later
            self.waits_for_ = "target" if self.source_domains_ else "source"
        return self

    def _merged(self, old, X, data):
        new = self._moments_of(X)
        if old is not None:
            # Stored where the rows of fit came from, which may be another device than the
            # arithmetic's.
            old = self._kept(old, data.backend.asarray)
            new = merge_moments(old, new, forgetting_factor=self.forgetting_factor)
        return self._kept(new, data.to_input)

    def _moments_of(self, X):
        # The other rules need no fourth powers of the norms, which cost a pass.
        quartic = self.reg == "ledoit-wolf"
        if sparse.issparse(X):
            return sparse_moments(X, quartic=quartic)
        return moments(X, quartic=quartic)

    @staticmethod
    def _kept(m, move):
        return m._replace(mean=move(m.mean), scatter=move(m.scatter))

    def _set_maps(self, sources, target, keep):
        maps = {}
        if self.strength > 0:
            for domain, source in sources.items():
                A = coral_map(source, target, strength=self.strength, reg=self.reg)
                maps[domain] = keep(A)
        self.source_means_ = {domain: keep(source.mean) for domain, source in sources.items()}
        self.target_mean_, self.maps_ = keep(target.mean), maps

    def _map(self, X, domain, backend):
        if self.waits_for_ is not None:
            raise NotFittedError(
                "partial_fit has seen rows of one side only, sources "
                f"{self.source_domains_} and targets {self.target_domains_}. Call it with rows of "
                "the other side first."
            )
        if domain not in self.maps_:  # a target, strength 0, or nothing to adapt to
            return X
        A, mean = self.maps_[domain], backend.asarray(self.source_means_[domain], X.dtype)
        shift = mean
        if self.match_mean:
            step = backend.asarray(self.target_mean_, X.dtype) - mean
            shift = mean + step * self.strength
        if isinstance(A, LowRankMap):
            # Sparse rows are never centered, because that would fill them; the mean is taken off
            # their products.
            rows = X if sparse.issparse(X) else X - mean
            A = A.at(lambda x: backend.asarray(x, X.dtype))
            return A.apply(CenteredRows(rows, mean, 1.0)) + shift
        A = backend.asarray(A, X.dtype)
        if sparse.issparse(X):
            # (x - mean) A + shift with the constant part collected, since sparse rows are not
            # centered.
            return X @ A + (shift - mean @ A)
        return (X - mean) @ A + shift

    def _check_params(self):
        check_strength(self.strength)
        check_bool("match_mean", self.match_mean)
        check_covariance_reg(self.reg)
        check_real(
            "forgetting_factor",
            self.forgetting_factor,
            low=0,
            high=1,
            closed="right",
            hint="1 keeps the full weight of earlier rows.",
        )
