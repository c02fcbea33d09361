"""Plain scikit-learn pipelines in which no supervised step sees a target label.

:class:`TrainOnSource` fits any scikit-learn estimator on source rows and applies it to all;
:class:`PerDomain` fits one clone of a transformer per domain; :func:`make_domain_pipeline` builds a
plain :class:`sklearn.pipeline.Pipeline` and wraps the steps that need it.
"""

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.feature_selection import SelectorMixin, VarianceThreshold
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    get_routing_for_object,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ._array._backend import is_foreign_array
from ._array._rows import join_rows, n_rows, take_rows
from ._core._labels import labeled_rows, take_labels
from ._core._meta_estimator import DelegatingEstimator, inner_has, slice_params
from ._core._param_checks import check_bool
from ._core._routing import DomainRouting
from ._core._sample_domain import domains_for_fit, domains_for_predict

__all__ = ["PerDomain", "TrainOnSource", "make_domain_pipeline"]


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
        In ``fit``, if ``sample_domain`` is not one signed integer per row or names one side only.

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

    def __init__(self, estimator, *, use_target_labels=False):
        self.estimator = estimator
        self.use_target_labels = use_target_labels

    def fit(self, X, y=None, *, sample_domain=None, **params):
        """Fit a clone of the estimator on the source rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains, in any container that the estimator takes.
        y : array-like of shape (n_samples,), default=None
            Labels. What stands on target rows does not matter unless `use_target_labels`.
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
        self.estimator_ = clone(self.estimator)
        X, y, params, _ = self._inputs(X, y, sample_domain, params)
        self.estimator_.fit(X, y, **params)
        return self

    @available_if(inner_has("transform"))
    def fit_transform(self, X, y=None, *, sample_domain=None, **params):
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
        if not hasattr(self.estimator, "fit_transform"):
            fitted = self.fit(X, y, sample_domain=sample_domain, **params)
            return fitted.transform(X, sample_domain=sample_domain)
        self.estimator_ = clone(self.estimator)
        X_fit, y_fit, params, rows = self._inputs(X, y, sample_domain, params)
        fitted_part = self.estimator_.fit_transform(X_fit, y_fit, **params)
        if rows is None:
            return fitted_part
        others = np.setdiff1d(np.arange(n_rows(X)), rows)
        other_part = self.estimator_.transform(take_rows(X, others))
        return join_rows([fitted_part, other_part], [rows, others])

    @available_if(inner_has("transform"))
    def transform(self, X, *, sample_domain=None, **params):
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
    def set_output(self, *, transform=None):
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
        self.estimator.set_output(transform=transform)
        if hasattr(self, "estimator_"):
            self.estimator_.set_output(transform=transform)
        return self

    def _inputs(self, X, y, sample_domain, params):
        """Return what the inner ``fit`` gets, and the rows that it is (None: all)."""
        if sample_domain is None:
            domains_for_fit(None, 0, estimator=self)  # warns
            return X, y, self._params_for("fit", None, params), None
        n_samples = n_rows(X)
        ids = domains_for_fit(sample_domain, n_samples, estimator=self)
        learns = ids >= 0
        use_target_labels = check_bool("use_target_labels", self.use_target_labels)
        if use_target_labels and y is not None:
            learns = labeled_rows(y, ids)
        rows = np.flatnonzero(learns)
        params = slice_params(params, rows, n_samples)
        if y is not None and n_rows(y) != n_samples:
            raise ValueError(
                f"y must have one label per row of X; got {n_rows(y)} labels for {n_samples} rows."
            )
        # Labels in torch stay there: the estimator inside may want them so.
        y = take_rows(y, rows) if is_foreign_array(y) else take_labels(y, rows)
        return take_rows(X, rows), y, self._params_for("fit", ids[rows], params), rows


class PerDomain(DomainRouting, MetaEstimatorMixin, BaseEstimator):
    """Fit one clone of a transformer on the rows of each domain.

    Parameters
    ----------
    transformer : transformer
        A transformer that does not learn from labels, such as ``StandardScaler()``.

    Attributes
    ----------
    transformers_ : dict
        Fitted clone of each domain, by its signed id.

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

    def __init__(self, transformer):
        self.transformer = transformer

    def fit(self, X, y=None, *, sample_domain=None):
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
        if sample_domain is None:
            domains_for_fit(None, 0, estimator=self)  # warns
            self.transformers_ = {None: clone(self.transformer).fit(X)}
            return self
        ids = domains_for_fit(sample_domain, n_rows(X), estimator=self)
        self.transformers_ = {
            domain: clone(self.transformer).fit(take_rows(X, np.flatnonzero(ids == domain)))
            for domain in np.unique(ids).tolist()
        }
        return self

    def transform(self, X, *, sample_domain=None):
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
        if None in self.transformers_:
            return self.transformers_[None].transform(X)
        targets = [domain for domain in self.transformers_ if domain < 0]
        if sample_domain is None and len(targets) > 1:
            raise ValueError(
                f"PerDomain has a transformer for each target {targets}, so sample_domain must "
                "say which one each row belongs to. Pass sample_domain."
            )
        ids = domains_for_predict(sample_domain, n_rows(X))
        if sample_domain is None:
            ids = np.full_like(ids, targets[0])
        present = np.unique(ids).tolist()
        unknown = [domain for domain in present if domain not in self.transformers_]
        if unknown:
            raise ValueError(
                f"sample_domain has domains that PerDomain was not fitted on: {unknown}. It knows "
                f"{sorted(self.transformers_)}; fit again with rows of the new domain."
            )
        index = [np.flatnonzero(ids == domain) for domain in present]
        pieces = [
            self.transformers_[domain].transform(take_rows(X, rows))
            for domain, rows in zip(present, index, strict=True)
        ]
        return join_rows(pieces, index)

    def fit_transform(self, X, y=None, *, sample_domain=None):
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

    def set_output(self, *, transform=None):
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
    def n_features_in_(self):
        """Number of features seen in ``fit``."""
        return self._any_fitted().n_features_in_

    @property
    def feature_names_in_(self):
        """Names of the features seen in ``fit``, if they had names."""
        return self._any_fitted().feature_names_in_

    def get_feature_names_out(self, input_features=None):
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

    def get_metadata_routing(self):
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


# ---------------------------------------------------------------------------------------------
# make_domain_pipeline
# ---------------------------------------------------------------------------------------------


def make_domain_pipeline(*steps, memory=None, transform_input=None, verbose=False):
    """Build a plain scikit-learn Pipeline in which no step sees a target label.

    Parameters
    ----------
    *steps : estimators
        Transformers and, last, a predictor. A step that learns from labels and does not ask for
        ``sample_domain`` itself is wrapped in :class:`TrainOnSource`: every classifier and
        regressor, every estimator whose tags require ``y``, feature selectors (except
        ``VarianceThreshold``), partial least squares and its kin, and a ColumnTransformer,
        FeatureUnion, Pipeline or search that holds one.
    memory : str or joblib.Memory, default=None
        As in :class:`sklearn.pipeline.Pipeline`.
    transform_input : list of str, default=None
        As in :class:`sklearn.pipeline.Pipeline`.
    verbose : bool, default=False
        As in :class:`sklearn.pipeline.Pipeline`.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline
        Steps are named after the estimators given, wrapped or not, so that the parameter ``C`` of
        a wrapped ``LogisticRegression`` is ``logisticregression__estimator__C``.

    Raises
    ------
    ValueError
        If one step holds both a part that asks for ``sample_domain`` and an unwrapped part that
        learns from labels.

    See Also
    --------
    TrainOnSource : The wrapper.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skda import make_domain_pipeline
    >>> pipe = make_domain_pipeline(StandardScaler(), LogisticRegression())
    >>> [(name, type(step).__name__) for name, step in pipe.steps]
    [('standardscaler', 'StandardScaler'), ('logisticregression', 'TrainOnSource')]
    """
    wrapped = [TrainOnSource(step) if needs_wrapping(step) else step for step in steps]
    names = [step if isinstance(step, str) else type(step).__name__.lower() for step in steps]
    names = [
        f"{name}-{names[: i + 1].count(name)}" if names.count(name) > 1 else name
        for i, name in enumerate(names)
    ]
    return Pipeline(
        list(zip(names, wrapped, strict=True)),
        memory=memory,
        transform_input=transform_input,
        verbose=verbose,
    )


def needs_wrapping(estimator):
    """Tell whether a pipeline step would see target labels if it were left as it is."""
    if not learns_from_labels(estimator):
        return False
    if not asks_for_domain(estimator):
        return True
    exposed = [part for part in _parts(estimator) or [] if needs_wrapping(part)]
    if exposed:
        raise ValueError(
            f"{type(estimator).__name__} holds estimators that ask for sample_domain and also "
            f"{exposed}, which would learn from target labels. Wrap the latter in "
            "skda.TrainOnSource."
        )
    return False


def learns_from_labels(estimator):
    """Tell whether an estimator's ``fit`` looks at ``y``."""
    if estimator is None or isinstance(estimator, str):
        return False
    parts = _parts(estimator)
    if parts is not None:
        return any(learns_from_labels(part) for part in parts)
    tags = get_tags(estimator)
    if tags.estimator_type in ("classifier", "regressor") or tags.target_tags.required:
        return True
    if isinstance(estimator, SelectorMixin):  # their tags do not say so
        return not isinstance(estimator, VarianceThreshold)
    return type(estimator).__module__.startswith("sklearn.cross_decomposition")


def asks_for_domain(estimator):
    """Tell whether an estimator, or a part of it, asks for ``sample_domain`` in ``fit``."""
    if estimator is None or isinstance(estimator, str):
        return False
    return bool(get_routing_for_object(estimator).consumes("fit", ["sample_domain"]))


def _parts(estimator):
    """Return the estimators inside a composite, or None for any other estimator."""
    from sklearn.compose import ColumnTransformer
    from sklearn.model_selection._search import BaseSearchCV
    from sklearn.pipeline import FeatureUnion

    if isinstance(estimator, Pipeline):
        return [step for _, step in estimator.steps]
    if isinstance(estimator, ColumnTransformer):
        return [part for _, part, _ in estimator.transformers]
    if isinstance(estimator, FeatureUnion):
        return [part for _, part in estimator.transformer_list]
    if isinstance(estimator, BaseSearchCV):
        return [estimator.estimator]
    return None
