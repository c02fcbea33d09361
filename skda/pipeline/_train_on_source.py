"""Fit any scikit-learn estimator on the source rows and apply it to the rows of all domains."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from sklearn.base import clone
from sklearn.utils.metaestimators import available_if

from .._array._backend import is_foreign_array
from .._array._rows import join_rows, n_rows, take_rows
from .._core._callbacks import begin_fit, fitted_inside
from .._core._encoded_mark import check_no_encoded_mark
from .._core._labels import labeled_rows, take_labels
from .._core._meta_estimator import DelegatingEstimator, inner_has, slice_params
from .._core._param_checks import check_bool
from .._core._sample_domain import check_both_sides, check_no_masked_entries, domains_for_fit
from .._core._typing import Array, ArrayLike, DomainIds, Estimator
from .._core._validation import fresh_fit, one_class_explained


class TrainOnSource(DelegatingEstimator):
    """Fit an estimator on source rows only and apply it to the rows of all domains.

    Parameters
    ----------
    estimator : estimator
        Any scikit-learn predictor or transformer that learns from labels. Ensembles go inside:
        ``TrainOnSource(VotingClassifier(...))``.
    use_target_labels : bool, default=False
        Whether target rows that have a label (not NaN, not None, not -1 among integers) are fit
        on as well.

    Attributes
    ----------
    estimator_ : estimator
        The fitted clone. Its learnt attributes (``classes_``, ``coef_``, ``n_features_in_``,
        …) can be read from this object too.

    Raises
    ------
    ValueError
        In ``fit``, if ``sample_domain`` is not one signed integer per row or names one side only;
        and of a classifier, if all target rows have one class that no source row has, which is a
        mark of missing labels that an ensemble around it has re-encoded.

    See Also
    --------
    make_domain_pipeline : Wraps the steps that need it.
    PerDomain : One clone of a transformer per domain.

    Notes
    -----
    Without ``sample_domain`` the estimator is fitted on all rows, as if it were not wrapped, with
    a :class:`~skda.DomainWarning`. Labels of target rows are sliced off before the inner
    estimator can see them, whatever they are. Metadata such as ``sample_weight`` is routed
    to the inner estimator, sliced to the rows that it fits on; with metadata routing enabled ask
    for it inside: ``TrainOnSource(LogisticRegression().set_fit_request(sample_weight=True))``.
    The cost is that of the inner estimator; arrays are handed to it as they come. Array level:
    that of the estimator inside.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skda import TrainOnSource, stack_domains
    >>> X, y, sample_domain = stack_domains(
    ...     np.array([[0.0], [1.0], [2.0], [3.0]]), ["a", "a", "b", "b"], np.array([[2.5]])
    ... )
    >>> model = TrainOnSource(LogisticRegression()).fit(X, y, sample_domain=sample_domain)
    >>> model.predict(X)[-1].item()
    'b'
    """

    _source_only = True
    _needs_target = False

    def __init__(self, estimator: Estimator, *, use_target_labels: bool = False):
        self.estimator = estimator
        self.use_target_labels = use_target_labels

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        sample_domain: DomainIds | None = None,
        **params: Any,
    ) -> Self:
        """Fit a clone of the estimator on the source rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains, in any container that the estimator takes.
        y : array-like of shape (n_samples,), default=None
            Labels. Those of target rows are not learnt from unless `use_target_labels`.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target. None: fit on all rows, with a
            warning.
        **params : dict
            Metadata for the inner ``fit``; row-aligned values are sliced with the rows.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        with fresh_fit(self):
            X, y, params, _ = self._inputs(X, y, sample_domain, params)
            with one_class_explained(self, y):
                self.estimator_ = clone(self.estimator)
                with fitted_inside(self, "estimator", self.estimator_):
                    self.estimator_.fit(X, y, **params)
        return self

    @available_if(inner_has("transform"))
    def fit_transform(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        sample_domain: DomainIds | None = None,
        **params: Any,
    ) -> Array:
        """Fit on the source rows and transform the rows of all domains.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : array-like of shape (n_samples,), default=None
            Labels, see :meth:`fit`.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row, see :meth:`fit`.
        **params : dict
            Metadata for the inner ``fit``.

        Returns
        -------
        X_new : array or data frame of shape (n_samples, n_features_out)
            Rows that were fitted on go through the estimator's own ``fit_transform`` where it
            has one (a target encoder cross-fits there), the others through ``transform``.
        """
        # Without one of its own, fit and then transform come to the same.
        if not hasattr(self.estimator, "fit_transform"):
            fitted = self.fit(X, y, sample_domain=sample_domain, **params)
            return fitted.transform(X, sample_domain=sample_domain)
        with fresh_fit(self):
            X_fit, y_fit, params, rows = self._inputs(X, y, sample_domain, params)
            self.estimator_ = clone(self.estimator)
            with fitted_inside(self, "estimator", self.estimator_):
                fitted_part = self.estimator_.fit_transform(X_fit, y_fit, **params)
        # Fitted without domains: there are no other rows.
        if rows is None:
            return fitted_part
        # fit_transform may differ from fit and transform (cross-fitting encoders), so it is called,
        # on the rows that it may learn from.
        others = np.setdiff1d(np.arange(n_rows(X)), rows)
        other_part = self.estimator_.transform(take_rows(X, others))
        return join_rows([fitted_part, other_part], [rows, others])

    @available_if(inner_has("transform"))
    def transform(
        self, X: ArrayLike, *, sample_domain: DomainIds | None = None, **params: Any
    ) -> Array:
        """Transform rows of any domain with the fitted estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of any domain.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Accepted, so that a pipeline can always pass it; checked for its length.
        **params : dict
            Metadata for the inner ``transform``.

        Returns
        -------
        X_new : array or data frame of shape (n_samples, n_features_out)
            Transformed rows in the same order.
        """
        return self._delegate("transform", X, sample_domain, params)

    @available_if(inner_has("set_output"))
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
        self.estimator.set_output(transform=transform)  # type: ignore[attr-defined]
        if hasattr(self, "estimator_"):
            self.estimator_.set_output(transform=transform)
        return self

    def _inputs(self, X, y, sample_domain, params):
        """Return what the inner ``fit`` gets, and the rows that it is (None: all)."""
        check_no_masked_entries("X", X)
        if sample_domain is None:
            domains_for_fit(None, 0, estimator=self)  # warns
            begin_fit(self, X, y, n_tasks=1)
            return X, y, self._params_for("fit", None, params), None
        n_samples = n_rows(X)
        ids = domains_for_fit(sample_domain, n_samples, estimator=self, one_sided=True)
        # Targets may come later: nothing is learnt of them.
        if not (ids >= 0).any():
            check_both_sides(ids)
        learns = ids >= 0
        use_target_labels = check_bool("use_target_labels", self.use_target_labels)
        if use_target_labels and y is not None:
            learns = labeled_rows(y, ids)
        rows = np.flatnonzero(learns)
        params = slice_params(params, rows, n_samples)
        if y is not None:
            if n_rows(y) != n_samples:
                raise ValueError(
                    f"y must have one label per row of X; got {n_rows(y)} labels for {n_samples} "
                    "rows."
                )
            check_no_encoded_mark(self, y, ids)
        begin_fit(self, X, y, ids, learns, n_tasks=1)
        # Labels in torch stay there: the estimator inside may want them so.
        y = take_rows(y, rows) if is_foreign_array(y) else take_labels(y, rows)
        return take_rows(X, rows), y, self._params_for("fit", ids[rows], params), rows
