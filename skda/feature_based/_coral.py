"""Correlation alignment: whiten the source, then recolor it with the target's covariance."""

from __future__ import annotations

from typing import Literal

from scipy import sparse

from ._base_moment_map import MomentMapTransformer
from ._coral_map import CenteredRows, LowRankMap, coral_map, low_rank_coral_map


class CORALTransformer(MomentMapTransformer):
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
    direction : {"to_target", "to_source", "to_common"}, default="to_target"
        Which rows move. "to_target" maps each source to the pooled target rows, as in the paper.
        "to_source" maps each target to the pooled source rows, which stay as they are, so that a
        model fitted once serves any number of later targets, see :func:`~skda.adapt_to`.
        "to_common" maps each domain to the mean of all rows and the mean
        covariance of a domain.
    n_prior_rows : float or "auto", default="auto"
        Number of rows that the reference's covariance counts for in that of each domain that is
        mapped, so that a domain of few rows is hardly bent: 0 for none. "auto" is the number of
        features, and 0 in the direction "to_target" or where `reg` is a name.
    forgetting_factor : float, default=1.0
        In (0, 1]: factor by which the weight of a domain's earlier rows is multiplied at each
        ``partial_fit`` with new ones; 1 keeps all history. ``fit`` does not use it.

    Attributes
    ----------
    maps_ : dict
        By the id of each domain that is mapped, an array of shape (n_features, n_features), or its
        factors when there are more features than rows. Empty if there is nothing to adapt to.
    means_ : dict
        By the same ids, the mean of the domain, array of shape (n_features,).
    reference_mean_ : array of shape (n_features,)
        Mean of the rows that the others are mapped to.
    moments_ : dict or None
        By the same ids, the count, mean and scatter matrix of the rows, which ``partial_fit`` goes
        on from; None with more features than rows, where no scatter matrix is formed.
    reference_moments_ : tuple or None
        The same of the rows that the others are mapped to.
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
    sources have a map each; several targets are pooled. The other directions put the domain that
    moves in place of s and what it moves to in place of t.

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

    def __init__(
        self,
        *,
        strength: float = 1.0,
        reg: float | Literal["ledoit-wolf", "oas"] = 1.0,
        match_mean: bool = True,
        direction: Literal["to_target", "to_source", "to_common"] = "to_target",
        n_prior_rows: float | Literal["auto"] = "auto",
        forgetting_factor: float = 1.0,
    ):
        self.strength = strength
        self.reg = reg
        self.match_mean = match_mean
        self.direction = direction
        self.n_prior_rows = n_prior_rows
        self.forgetting_factor = forgetting_factor

    def _map_of(self, own, reference):
        return coral_map(own, reference, strength=self.strength, reg=self.reg)

    def _map_of_rows(self, own, reference):
        return low_rank_coral_map(own, reference, strength=self.strength, reg=self.reg)

    def _map(self, X, domain, backend):
        found = self._map_and_means(domain)
        if found is None:
            return X
        A, mean = found[0], backend.asarray(found[1], X.dtype)
        shift = mean
        if self.match_mean:
            step = backend.asarray(self.reference_mean_, X.dtype) - mean
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
