"""Correlation alignment: whiten the source, then recolor it with the target's covariance."""

import math
from numbers import Real

from scipy import sparse
from sklearn.base import OneToOneFeatureMixin
from sklearn.exceptions import NotFittedError

from .._core._base_transformer import BaseDomainTransformer
from .._core._validation import data_for_fit
from .._numerics._covariance import SHRINKAGE_RULES, merge_moments, moments
from ._coral_map import CentredRows, LowRankMap, coral_map, low_rank_coral_map, sparse_moments


class CORALTransformer(OneToOneFeatureMixin, BaseDomainTransformer):
    """Give source rows the covariance of the target rows (correlation alignment).

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
    match_mean : bool, default=False
        Whether source rows also move towards the target's mean, by `strength` times the
        difference. The paper moves no mean. Helps when features are shifted, harms when
        the balance of classes is; worth a place in a grid search.
    forgetting_factor : float, default=1.0
        In (0, 1]: what is left of the weight of earlier rows of a domain with each call of
        ``partial_fit`` that brings new ones. 1 forgets nothing. ``fit`` does not use it.

    Attributes
    ----------
    maps_ : dict
        By source id, the map: an array of shape (n_features, n_features), or its factors when
        there are more features than rows. Empty if there is nothing to adapt to.
    source_means_ : dict
        By source id, the mean of the source, array of shape (n_features,).
    target_mean_ : array of shape (n_features,)
        Mean of all target rows.
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

    def __init__(self, *, strength=1.0, reg=1.0, match_mean=False, forgetting_factor=1.0):
        self.strength = strength
        self.reg = reg
        self.match_mean = match_mean
        self.forgetting_factor = forgetting_factor

    def _fit(self, data):
        self._check_params()
        self._moments, self._started, self.maps_, self.source_means_ = {}, True, {}, {}
        if not data.adapts:
            return
        for name, count in [
            *((f"source {i}", len(data.rows(i))) for i in data.source_domains),
            ("the target", len(data.target)),
        ]:
            if count < 2:
                raise ValueError(
                    f"CORALTransformer needs at least 2 rows in each domain to see a covariance; "
                    f"{name} has 1 sample. Add rows or leave that domain out."
                )
        if data.X.shape[1] > data.X.shape[0]:
            self._moments = None  # not for partial_fit
            target = CentredRows.of(data.X_target)
            for domain in data.source_domains:
                source = CentredRows.of(data.X_of(domain))
                self.source_means_[domain] = data.to_input(source.mean)
                if self.strength > 0:
                    self.maps_[domain] = low_rank_coral_map(
                        source, target, strength=self.strength, reg=self.reg
                    ).at(data.to_input)
            self.target_mean_ = data.to_input(target.mean)
            return
        for domain, X in self._batches(data):
            self._moments[domain] = self._moments_of(X)
        self._set_maps(data.to_input)
        self._moments = {
            domain: self._kept(m, data.to_input) for domain, m in self._moments.items()
        }

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
        started = hasattr(self, "_started")
        data = data_for_fit(
            self, X, None, sample_domain, accept_sparse=True, one_sided=True, reset=not started
        )
        if not started:
            self._moments, self._started = {}, True
            self.source_domains_, self.target_domains_ = [], []
        if self._moments is None:
            raise ValueError(
                "partial_fit cannot go on from a fit with more features than rows, which keeps no "
                "d x d scatter matrix. Call partial_fit on a fresh CORALTransformer."
            )
        self.source_domains_ = sorted({*self.source_domains_, *data.source_domains})
        self.target_domains_ = sorted({*self.target_domains_, *data.target_domains})
        for domain, batch in self._batches(data):
            new = self._moments_of(batch)
            if domain in self._moments:
                old = self._kept(self._moments[domain], data.backend.asarray)
                new = merge_moments(old, new, forgetting_factor=self.forgetting_factor)
            self._moments[domain] = self._kept(new, data.to_input)
        self.maps_, self.source_means_ = {}, {}
        self._waits = sample_domain is not None and not (
            self.source_domains_ and self.target_domains_
        )
        if self.source_domains_ and self.target_domains_:
            self._set_maps(data.to_input)
        return self

    def _batches(self, data):
        """Yield each source and the pooled target (None) with its rows."""
        for domain in data.source_domains:
            yield domain, data.X_of(domain)
        if len(data.target):
            yield None, data.X_target

    def _moments_of(self, X):
        quartic = self.reg == "ledoit-wolf"
        if sparse.issparse(X):
            return sparse_moments(X, quartic=quartic)
        return moments(X, quartic=quartic)

    @staticmethod
    def _kept(m, move):
        return m._replace(mean=move(m.mean), scatter=move(m.scatter))

    def _set_maps(self, keep):
        target = self._moments[None]
        self.target_mean_ = keep(target.mean)
        for domain in self.source_domains_:
            source = self._moments[domain]
            self.source_means_[domain] = keep(source.mean)
            if self.strength > 0:
                A = coral_map(source, target, strength=self.strength, reg=self.reg)
                self.maps_[domain] = keep(A)

    def _map(self, X, domain, backend):
        if getattr(self, "_waits", False):
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
            rows = X if sparse.issparse(X) else X - mean
            A = A.at(lambda x: backend.asarray(x, X.dtype))
            return A.apply(CentredRows(rows, mean, 1.0)) + shift
        A = backend.asarray(A, X.dtype)
        if sparse.issparse(X):
            return X @ A + (shift - mean @ A)
        return (X - mean) @ A + shift

    def _check_params(self):
        if not isinstance(self.strength, Real) or not 0 <= self.strength <= 1:
            raise ValueError(
                f"strength must be a number in [0, 1]; got {self.strength!r}. 0 leaves the rows "
                "as they are, 1 aligns fully."
            )
        if isinstance(self.reg, str):
            if self.reg not in SHRINKAGE_RULES:
                raise ValueError(
                    f"reg must be a non-negative number or one of {sorted(SHRINKAGE_RULES)}; got "
                    f"{self.reg!r}."
                )
        elif not isinstance(self.reg, Real) or not 0 <= self.reg < math.inf:
            raise ValueError(
                f"reg must be a non-negative number or one of {sorted(SHRINKAGE_RULES)}; got "
                f"{self.reg!r}. It is added to the diagonal of the covariances."
            )
        if not isinstance(self.forgetting_factor, Real) or not 0 < self.forgetting_factor <= 1:
            raise ValueError(
                f"forgetting_factor must be a number in (0, 1]; got "
                f"{self.forgetting_factor!r}. 1 keeps the full weight of earlier rows."
            )
