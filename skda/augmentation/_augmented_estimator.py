"""Fit any estimator of scikit-learn on source rows and on changed copies of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from scipy import sparse
from sklearn.base import clone, is_regressor
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import check_random_state
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import has_fit_parameter

from .._array._backend import backend_of, is_foreign_array, namespace
from .._array._rows import concatenate_rows, n_rows, take_rows
from .._core._callbacks import begin_fit, fitted_inside
from .._core._encoded_mark import check_no_encoded_mark
from .._core._labels import as_labels, spread_labels, take_labels
from .._core._meta_estimator import (
    DelegatingEstimator,
    check_accepts_sample_weight,
    check_row_weights,
    routing_enabled,
    slice_params,
)
from .._core._param_checks import check_integer
from .._core._sample_domain import check_both_sides, check_no_masked_entries, domains_for_fit
from .._core._typing import ArrayLike, Augmenter, DomainIds, Estimator, RandomState
from .._core._validation import fresh_fit, one_class_explained
from ._copies import RowsToFit, mixed_labels
from ._table import is_frame, number_columns, put_numbers, take_numbers

# Weights that were computed as equal differ by so much at most, as a part of the largest.
_ROUNDING = 1e-9


def check_augmenters(augmenters):
    """Return the augmenters as a list, or raise unless each has ``fit`` and ``augment``."""
    listed = isinstance(augmenters, list | tuple)
    for augmenter in augmenters if listed else [augmenters]:
        complete = hasattr(augmenter, "fit") and hasattr(augmenter, "augment")
        if not listed or not complete or isinstance(augmenter, type):
            raise ValueError(
                "augmenters must be a list of augmenters, such as [GaussianNoiseAugmenter()]; got "
                f"{augmenter!r}. Pass objects with the methods fit and augment, in a list."
            )
    return list(augmenters)


def stacked(X, copies, places):
    """Return the rows at these places of a stack: rows as they are, then rounds of copies."""
    if not copies:
        return take_rows(X, places)
    if is_frame(X):
        # Integers among the rows would not join with the copies' floats in every library.
        numbers = number_columns(X)
        X = put_numbers(X, numbers, take_numbers(X, numbers))
    elif not sparse.issparse(X):
        X = namespace(X).astype(X, copies[0].dtype)
    return take_rows(concatenate_rows([X, *copies]), places)


def takes_sample_weight(estimator):
    """Return whether ``fit`` of the estimator accepts ``sample_weight`` as it is called here."""
    if has_fit_parameter(estimator, "sample_weight"):
        return True
    # A pipeline or a search passes it on where a step of it asks.
    asks = get_routing_for_object(estimator).consumes("fit", ["sample_weight"])
    return bool(asks) and routing_enabled()


def takes_groups(estimator):
    """Return whether ``fit`` of the estimator has a splitter that asks for ``groups``."""
    if routing_enabled():
        return bool(get_routing_for_object(estimator).consumes("fit", ["groups"]))
    # Without routing searches alone take them, and other splitters would warn.
    splitter = getattr(estimator, "cv", None)
    if not isinstance(estimator, BaseSearchCV) or not hasattr(splitter, "get_metadata_routing"):
        return False
    return bool(get_routing_for_object(splitter).consumes("split", ["groups"]))


class AugmentedEstimator(DelegatingEstimator):
    r"""Fit an estimator on the source rows and on randomly changed copies of them.

    The copies show the estimator, with the labels that are known, what the target may look like: in
    another state of the instrument, with a feature missing, between the classes. It then learns not
    to rely on what such changes alter. Nothing is changed when the model is used.

    Parameters
    ----------
    estimator : estimator
        Any classifier or regressor. One that takes ``sample_domain`` itself (a pipeline with an
        alignment, a deep estimator) also gets the target rows, as they are.
    augmenters : list of augmenters, default=()
        What changes a copy, one after the other, for example
        ``[DomainRandomizationAugmenter(), MixupAugmenter()]``. Any object with the methods ``fit``
        and ``augment`` of :class:`~skda.GaussianNoiseAugmenter` will do.
    n_copies : int, default=1
        Number of changed copies of each source row, beside the row itself. More copies show more
        changes, and cost as much as so many rows. 0 is the estimator without augmentation.
    random_state : int, RandomState instance or None, default=None
        Seeds the changes.

    Attributes
    ----------
    estimator_ : estimator
        The fitted clone. Its learnt attributes (``classes_``, ``coef_``, ``n_features_in_``, …)
        can be read from this object too.
    augmenters_ : list of augmenters
        The fitted clones, in their order; none where there are no copies.

    Raises
    ------
    ValueError
        In ``fit``, if labels are mixed or weights are given and the estimator takes none; if
        ``sample_domain`` is not one signed integer per row or has no source rows.

    See Also
    --------
    TrainOnSource : The same without copies.
    DomainRandomizationAugmenter : Gains and offsets as they vary between domains.
    MixupAugmenter : Mixtures of pairs of rows.

    Notes
    -----
    Minimizes :math:`\frac{1}{1 + k} \sum_i w_i [\ell(y_i, f(x_i)) + \sum_c \ell(y_i, f(a_c(x_i)))]`
    over the source rows, with k random changes :math:`a_c`: the weight of a row is divided among it
    and its copies, so that a penalty keeps its meaning and classes their proportions. An estimator
    that takes no weights gets none where all are equal. Augmenters learn from the rows of all
    domains and never from labels of target rows; target rows are changed nowhere.

    Where labels are mixed (:class:`~skda.MixupAugmenter`), a regressor learns the mixed value, and
    a classifier the copy once with each label, weighted.

    Metadata is routed to the estimator as in :class:`~skda.TrainOnSource`; copies have that of
    their row. An estimator that splits its rows by ``groups`` (a search with ``GroupKFold``) gets
    the number of the row that each copy was made from, unless you pass groups of your own: then a
    row and its copies are in one fold. A mixed copy counts to its own row, whichever fold its
    partner is in.

    Assumption: the changes leave the label as it is, and the target differs by changes of their
    kind. Without `sample_domain` all rows are source rows. The cost is that of the estimator with
    1 + k times the rows. Array level: that of the estimator inside.

    References
    ----------
    .. [1] Tobin et al. Domain randomization for transferring deep neural networks from simulation
       to the real world. IROS 2017. arXiv:1703.06907

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skda import AugmentedEstimator, DomainRandomizationAugmenter, stack_domains
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(0, 2, 400)
    >>> X = y[:, None] * [2.0, 1.0] + rng.normal(size=(400, 2)) * [0.3, 0.6]
    >>> X_target = X[200:] + [3.0, 0.0]  # the sensor of the first feature has another offset
    >>> X, labels, sample_domain = stack_domains(X[:200], y[:200], X_target)
    >>> plain = LogisticRegression().fit(X[:200], y[:200])
    >>> model = AugmentedEstimator(
    ...     LogisticRegression(), [DomainRandomizationAugmenter()], n_copies=10, random_state=0
    ... ).fit(X, labels, sample_domain=sample_domain)
    >>> [round(fitted.score(X_target, y[200:]), 2) for fitted in (plain, model)]
    [0.5, 0.7]
    """

    _source_only = True  # an estimator inside that adapts knows its domains itself
    _needs_target = False
    _order_dependent = True

    def __init__(
        self,
        estimator: Estimator,
        augmenters: Sequence[Augmenter] = (),
        *,
        n_copies: int = 1,
        random_state: RandomState = None,
    ):
        self.estimator = estimator
        self.augmenters = augmenters
        self.n_copies = n_copies
        self.random_state = random_state

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        sample_domain: DomainIds | None = None,
        **params: Any,
    ) -> Self:
        """Fit the augmenters, then a clone of the estimator on the source rows and their copies.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains, in any container that estimator and augmenters take.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Labels. Those of target rows are not learnt from, unless the estimator does.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row, which is divided among it and its copies.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target. None: all rows are source rows, with a
            warning.
        **params : dict
            Metadata for the inner ``fit``; copies get that of their row.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        check_no_masked_entries("X", X)
        augmenters = check_augmenters(self.augmenters)
        n_copies = check_integer("n_copies", self.n_copies, low=0)
        # Copies without a change would cost time for nothing, and augmenters without a copy, too.
        augmenters, n_copies = (augmenters, n_copies) if augmenters and n_copies else ([], 0)
        with fresh_fit(self):
            X, y = (v if hasattr(v, "shape") or v is None else np.asarray(v) for v in (X, y))
            ids = self._domains(X, y, sample_domain)
            begin_fit(self, X, y, ids, ids >= 0, n_tasks=1)
            weights = check_row_weights(sample_weight, len(ids))
            self.augmenters_ = self._fit_augmenters(augmenters, X, y, ids)
            source = np.flatnonzero(ids >= 0)
            copies, mixtures = self._copies(take_rows(X, source), ids[source], n_copies)
            # Target rows are of use only to an estimator that knows what they are.
            aware = sample_domain is not None and self._takes_domains()
            kept = np.arange(len(ids)) if aware else source
            rows = RowsToFit(
                kept, source, mixtures, len(ids), averages=is_regressor(self.estimator)
            )
            X_fit = stacked(take_rows(X, kept), copies, rows.places)
            labels = self._labels_to_fit(rows, y, weights, aware)
            params = self._metadata(rows, ids, sample_domain, params)
            given = weights if sample_weight is not None else None
            params |= self._weights_to_fit(rows, X, ids, given)
            with one_class_explained(self, take_labels(y, source)):
                self.estimator_ = clone(self.estimator)
                with fitted_inside(self, "estimator", self.estimator_):
                    self.estimator_.fit(X_fit, labels, **params)
        return self

    def _domains(self, X, y, sample_domain):
        """Return the checked domain of each row."""
        n_samples = n_rows(X)
        ids = domains_for_fit(sample_domain, n_samples, estimator=self, one_sided=True)
        if not (ids >= 0).any():
            check_both_sides(ids)
        if y is None:
            raise ValueError(
                "AugmentedEstimator requires y to be passed, but the target y is None. Pass the "
                "labels of the source rows."
            )
        if n_rows(y) != n_samples:
            raise ValueError(
                f"y must have one label per row of X; got {n_rows(y)} labels for {n_samples} rows."
            )
        check_no_encoded_mark(self, y, ids)
        return ids

    def _fit_augmenters(self, augmenters, X, y, ids):
        """Return fitted clones; no label of a target row comes to them."""
        source = np.flatnonzero(ids >= 0)
        labels = spread_labels(take_labels(y, source), source, len(ids))
        return [clone(augmenter).fit(X, labels, sample_domain=ids) for augmenter in augmenters]

    def _copies(self, X, ids, n_copies):
        """Return rounds of changed copies of the source rows, and whose labels they have."""
        rng = check_random_state(self.random_state)
        copies, mixtures = [], []
        for _ in range(n_copies):
            copy, mixture = X, mixed_labels(len(ids), ())
            for augmenter in self.augmenters_:
                new = augmenter.augment(copy, sample_domain=ids, random_state=rng)
                copy, own = (new[0], new[1:]) if isinstance(new, tuple) else (new, ())
                mixture = mixed_labels(len(ids), own, mixture)
            copies.append(copy)
            mixtures.append(mixture)
        return copies, mixtures

    def _labels_to_fit(self, rows, y, weights, aware):
        """Return the labels of the rows to fit on, in the library that y came in."""
        if rows.label_rows is None:
            labels = rows.mean_labels(as_labels(y), weights)
        else:
            # Missing marks of target rows stay beside the labels for an estimator that reads them.
            labels = as_labels(y)[rows.label_rows] if aware else take_labels(y, rows.label_rows)
        return backend_of(y).asarray(labels) if is_foreign_array(y) else labels

    def _metadata(self, rows, ids, sample_domain, params):
        """Return the user's metadata and groups for the rows to fit on."""
        if rows.has_copies and "groups" not in params and takes_groups(self.estimator):
            params = {**params, "groups": np.arange(len(ids))}
        params = slice_params(params, rows.origins, len(ids))
        domains = None if sample_domain is None else ids[rows.origins]
        return dict(self._params_for("fit", domains, params))

    def _weights_to_fit(self, rows, X, ids, sample_weight):
        """Return the weights of the rows to fit on as an argument, or none if none are needed."""
        weights = rows.weights(np.ones(len(ids)) if sample_weight is None else sample_weight)
        of_source = weights[ids[rows.origins] >= 0]
        equal = np.ptp(of_source) <= _ROUNDING * of_source.max()
        takes = takes_sample_weight(self.estimator)
        # Equal weights are of use, because penalties are compared with their sum; but an estimator
        # that takes none does without.
        if sample_weight is None and (not rows.has_copies or (equal and not takes)):
            return {}
        if not takes:
            check_accepts_sample_weight(self.estimator, self)
            # It would accept them, if they were passed on.
            raise ValueError(
                f"estimator={type(self.estimator).__name__} passes sample_weight on only with "
                "metadata routing: call sklearn.set_config(enable_metadata_routing=True)."
            )
        if is_foreign_array(X):
            # Estimators that take rows of a library want the weights in it as well.
            weights = backend_of(X).asarray(weights, X.dtype)
        return {"sample_weight": weights}

    def _takes_domains(self):
        """Return whether the estimator inside asks for ``sample_domain``."""
        asks = get_routing_for_object(self.estimator).consumes("fit", ["sample_domain"])
        by_hand = has_fit_parameter(self.estimator, "sample_domain")
        if asks and not routing_enabled() and not by_hand:
            raise ValueError(
                f"estimator={type(self.estimator).__name__} passes sample_domain on only with "
                "metadata routing: call sklearn.set_config(enable_metadata_routing=True)."
            )
        return bool(asks)

    def _params_for(self, method, sample_domain, params):
        params = super()._params_for(method, sample_domain, params)
        if sample_domain is None or routing_enabled():
            return params
        # Without routing an estimator that knows domains gets them by hand.
        inner = getattr(self, "estimator_", self.estimator)
        if get_routing_for_object(inner).consumes(method, ["sample_domain"]):
            return {**params, "sample_domain": sample_domain}
        return params

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False  # copies change all values, also those that are 0
        return tags
