"""Feature augmentation: every row in a shared copy and in a copy of its own domain."""

from __future__ import annotations

import numpy as np
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from .._core._base_transformer import BaseDomainTransformer
from .._core._typing import ArrayLike


class FeatureAugmentationTransformer(BaseDomainTransformer):
    """Give each row a shared copy of its features and one that only its domain has.

    A linear model on the result splits its coefficients into what holds everywhere and what is
    particular to a domain [1]_. "Frustratingly easy" adaptation for a target with some labels: fit
    the model on source rows and on the labeled target rows.

    Attributes
    ----------
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had names.
    source_domains_, target_domains_ : list of int
        Ids seen in ``fit``.

    See Also
    --------
    TrainOnSource : With ``use_target_labels=True`` fits the step after this one on labeled
        target rows too.

    Notes
    -----
    A source row x becomes ``[x, x, 0]`` and a target row ``[x, 0, x]``; with several sources each
    has a block of its own, and several targets share one, the last. Nothing is estimated from the
    rows.

    Assumes that a model common to the domains is nearly right in each and that a few target labels
    tell the difference. Without target labels the target's block is never fitted, and nothing is
    gained.

    Without ``sample_domain`` the output is ``[x, 0]`` with a shared block and an empty one.

    Cost: O(n d) per domain block. Array level (a): wholly on the device.

    References
    ----------
    .. [1] H. Daumé III, "Frustratingly easy domain adaptation", ACL 2007. :arxiv:`0907.1815`

    Examples
    --------
    >>> import numpy as np
    >>> from skda import FeatureAugmentationTransformer, stack_domains
    >>> X, _, sample_domain = stack_domains(np.array([[1.0, 2.0]]), None, np.array([[3.0, 4.0]]))
    >>> FeatureAugmentationTransformer().fit_transform(X, sample_domain=sample_domain)
    array([[1., 2., 1., 2., 0., 0.],
           [3., 4., 0., 0., 3., 4.]])
    """

    _array_level = "a"

    def _fit(self, data):
        pass

    def _map(self, X, domain, backend):
        xp = backend.xp
        if not self.target_domains_:
            return xp.concat([X, xp.zeros_like(X)], axis=1)
        # All targets share the last block, so that a target which is new in transform has one, too.
        own = self.source_domains_.index(domain) if domain >= 0 else len(self.source_domains_)
        blocks = [X if i == own else xp.zeros_like(X) for i in range(len(self.source_domains_) + 1)]
        return xp.concat([X, *blocks], axis=1)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Names of the output features: the shared ones, then one block per domain.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the input features; those seen in ``fit`` by default.

        Returns
        -------
        feature_names_out : ndarray of str objects
            For example ``x0_shared, x0_source1, x0_target``; sources are numbered by their ids in
            ascending order.
        """
        check_is_fitted(self, "source_domains_")
        names = _check_feature_names_in(self, input_features)
        sources = [f"source{i}" for i in range(1, len(self.source_domains_) + 1)]
        blocks = ["shared", *(sources if self.target_domains_ else []), "target"]
        return np.asarray([f"{name}_{block}" for block in blocks for name in names], dtype=object)
