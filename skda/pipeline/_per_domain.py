"""Fit one clone of a transformer on the rows of each domain."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import (
    MetadataRouter,
)
from sklearn.utils.validation import check_is_fitted

from .._array._rows import join_rows, n_rows, take_rows
from .._core._callbacks import CALLBACK_SUPPORT, begin_fit, fitted_inside
from .._core._routing import DomainRouting
from .._core._sample_domain import (
    check_both_sides,
    check_no_masked_entries,
    check_target_is_stated,
    domains_for_fit,
    domains_for_predict,
    note_domains,
)
from .._core._typing import Array, ArrayLike, DomainIds, Transformer
from .._core._validation import fresh_fit


class PerDomain(*CALLBACK_SUPPORT, DomainRouting, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """Fit one clone of a transformer on the rows of each domain.

    Parameters
    ----------
    transformer : transformer
        A transformer that does not learn from labels, such as ``StandardScaler()``.

    Attributes
    ----------
    transformers_ : dict
        Fitted clone of each domain, by its signed id; after a fit without ``sample_domain`` one
        clone, of source 0.
    source_domains_, target_domains_ : list of int
        Ids of the domains seen in ``fit``.

    Raises
    ------
    ValueError
        In ``transform``, for a domain that was not there in ``fit``.

    See Also
    --------
    TrainOnSource : Fit on source rows, apply to all.

    Notes
    -----
    Helps when every domain has its own location and scale (an instrument's gain, a site's unit)
    while what is left means the same everywhere. The clones get no labels at all. With several
    targets ``transform`` needs ``sample_domain``; with one, rows without it are target rows.
    Without ``sample_domain`` in ``fit`` one clone is fitted on all rows and maps all rows. The
    cost is that of one fit per domain. Array level: that of the estimator inside.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skda import PerDomain
    >>> X = np.array([[0.0], [2.0], [100.0], [300.0]])
    >>> PerDomain(StandardScaler()).fit_transform(X, sample_domain=[1, 1, -2, -2]).ravel()
    array([-1.,  1., -1.,  1.])
    """

    _array_level = "inner"
    _holds_estimators = True
    _per_target = True
    _needs_target = False

    def __init__(self, transformer: Transformer):
        self.transformer = transformer

    def fit(
        self, X: ArrayLike, y: object = None, *, sample_domain: DomainIds | None = None
    ) -> Self:
        """Fit one clone per domain.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : Ignored
            Not passed on.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target.

        Returns
        -------
        self : object
            The fitted transformer.
        """
        check_no_masked_entries("X", X)
        with fresh_fit(self):
            transformers = self._fitted_clones(X, sample_domain)
            self.transformers_ = transformers
            self.source_domains_ = [domain for domain in transformers if domain >= 0]
            self.target_domains_ = [domain for domain in transformers if domain < 0]
        return self

    def _fitted_clones(self, X, sample_domain):
        if sample_domain is None:
            domains_for_fit(None, 0, estimator=self)  # warns
            begin_fit(self, X, n_tasks=1)
            return {0: self._fitted_clone(X)}
        ids = domains_for_fit(sample_domain, n_rows(X), estimator=self, one_sided=True)
        if not (ids >= 0).any():
            check_both_sides(ids)
        domains = np.unique(ids).tolist()
        begin_fit(self, X, ids=ids, n_tasks=len(domains))
        return {
            domain: self._fitted_clone(take_rows(X, np.flatnonzero(ids == domain)))
            for domain in domains
        }

    def _fitted_clone(self, X):
        transformer = clone(self.transformer)
        with fitted_inside(self, "domain", transformer):
            return transformer.fit(X)

    def partial_fit(
        self, X: ArrayLike, y: object = None, *, sample_domain: DomainIds | None = None
    ) -> Self:
        """Fit a clone for each new domain; a known one goes on if the transformer can.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of known or new domains; rows of one side only are fine.
        y : Ignored
            Not passed on.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row, in all calls or in none. The first call is :meth:`fit`.

        Returns
        -------
        self : object
            The transformer.
        """
        if not hasattr(self, "transformers_"):
            return self.fit(X, sample_domain=sample_domain)
        check_no_masked_entries("X", X)
        fitted = dict(self.transformers_)
        if (sample_domain is None) != (self._fit_domains is None):
            raise ValueError(
                "partial_fit of PerDomain goes on as it began: sample_domain must be given in all "
                "calls or in none. Call fit to begin anew."
            )
        how = {"estimator": self, "one_sided": True, "goes_on": True}
        ids = domains_for_fit(sample_domain, n_rows(X), **how)
        again = [i for i in np.unique(ids).tolist() if i in fitted]
        if again and not hasattr(self.transformer, "partial_fit"):
            raise ValueError(
                f"partial_fit of PerDomain cannot go on with domains {again}, because "
                f"{type(self.transformer).__name__} has no partial_fit. Leave their rows out, or "
                "call fit on all rows."
            )
        for domain in np.unique(ids).tolist():
            rows = take_rows(X, np.flatnonzero(ids == domain))
            if domain in fitted:
                # A copy: an interrupted batch counts as not seen.
                fitted[domain] = deepcopy(fitted[domain]).partial_fit(rows)
            else:
                fitted[domain] = clone(self.transformer).fit(rows)
        self.transformers_ = dict(sorted(fitted.items()))
        if sample_domain is not None:
            note_domains(self, ids)
        self.source_domains_ = [domain for domain in self.transformers_ if domain >= 0]
        self.target_domains_ = [domain for domain in self.transformers_ if domain < 0]
        return self

    def transform(self, X: ArrayLike, *, sample_domain: DomainIds | None = None) -> Array:
        """Transform each row by the clone of its domain.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of the domains seen in ``fit``.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row. None: every row is of the target, if there was one only.

        Returns
        -------
        X_new : array or data frame of shape (n_samples, n_features_out)
            Transformed rows in the same order.
        """
        check_is_fitted(self, "transformers_")
        if self._fit_domains is None or n_rows(X) == 0:
            # One clone for all rows after a fit without domains; of no rows, the clone complains.
            return self._any_fitted().transform(X)
        ids = domains_for_predict(sample_domain, n_rows(X), estimator=self)
        check_target_is_stated(self, named=sample_domain is not None)
        if sample_domain is None:
            ids = np.full_like(ids, self.target_domains_[0])
        present = np.unique(ids).tolist()
        index = [np.flatnonzero(ids == domain) for domain in present]
        pieces = [
            self.transformers_[domain].transform(take_rows(X, rows))
            for domain, rows in zip(present, index, strict=True)
        ]
        return join_rows(pieces, index)

    def fit_transform(
        self, X: ArrayLike, y: object = None, *, sample_domain: DomainIds | None = None
    ) -> Array:
        """Fit one clone per domain and transform the same rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : Ignored
            Not passed on.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row.

        Returns
        -------
        X_new : array or data frame of shape (n_samples, n_features_out)
            Transformed rows in the same order.
        """
        return self.fit(X, sample_domain=sample_domain).transform(X, sample_domain=sample_domain)

    def set_output(
        self, *, transform: Literal["default", "pandas", "polars"] | None = None
    ) -> Self:
        """Set the container that ``transform`` and ``fit_transform`` return.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            Container; None leaves it as it is.

        Returns
        -------
        self : object
            This estimator.
        """
        for inner in [self.transformer, *getattr(self, "transformers_", {}).values()]:
            inner.set_output(transform=transform)
        return self

    @property
    def n_features_in_(self) -> Any:
        """Number of features seen in ``fit``."""
        return self._any_fitted().n_features_in_

    @property
    def feature_names_in_(self) -> Any:
        """Names of the features seen in ``fit``, if they had names."""
        return self._any_fitted().feature_names_in_

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Return the names of the output columns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the input columns.

        Returns
        -------
        names : ndarray of str
            Names of the output columns, the same for every domain.
        """
        check_is_fitted(self, "transformers_")
        return self._any_fitted().get_feature_names_out(input_features)

    def _any_fitted(self):
        fitted = list(vars(self).get("transformers_", {}).values())
        if not fitted:
            raise AttributeError("PerDomain is not fitted yet")
        return fitted[0]

    def get_metadata_routing(self) -> Any:
        """Return what this estimator consumes.

        Returns
        -------
        routing : MetadataRouter
            Requests of this object and of ``transformer``.
        """
        return MetadataRouter(owner=self).add_self_request(self)

    def __sklearn_tags__(self):
        inner = get_tags(self.transformer)
        tags = super().__sklearn_tags__()
        tags.input_tags = inner.input_tags
        tags.transformer_tags = inner.transformer_tags
        tags.non_deterministic = inner.non_deterministic
        return tags
