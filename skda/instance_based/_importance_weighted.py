"""Fit any estimator of scikit-learn on weighted source rows."""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import has_fit_parameter

from .._array._backend import backend_of, is_foreign_array, to_numpy
from .._array._rows import n_rows, take_rows
from .._core._callbacks import begin_fit, fitted_inside
from .._core._encoded_mark import check_no_encoded_mark
from .._core._labels import labeled_rows, take_labels
from .._core._meta_estimator import (
    DelegatingEstimator,
    check_row_weights,
    routing_enabled,
    slice_params,
)
from .._core._param_checks import check_bool, check_integer, check_real
from .._core._sample_domain import DomainWarning, check_no_masked_entries, domains_for_fit
from .._core._samplers import check_keeps_rows
from .._core._typing import ArrayLike, DomainIds, Estimator, RandomState
from .._core._validation import fresh_fit, one_class_explained
from .._numerics._weights import effective_sample_size


def find_weights_keyword(estimator):
    """Return the name under which ``fit`` takes the weights of the rows, or None if it does not."""
    # Its fit takes anything; what counts is the last step, and how routing passes weights on.
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        inner = find_weights_keyword(last) if last not in (None, "passthrough") else None
        if inner is None or not routing_enabled():
            return inner and f"{name}__{inner}"
        return inner if _requests_weights(last) else None
    if has_fit_parameter(estimator, "sample_weight"):
        return "sample_weight"
    for part in ("estimator", "regressor"):  # searches, TransformedTargetRegressor
        if hasattr(estimator, part) and getattr(estimator, part) is not None:
            inner = getattr(estimator, part)
            keyword = find_weights_keyword(inner)
            if keyword is None or not routing_enabled():
                return keyword
            return keyword if _requests_weights(inner) else None
    return None


def _requests_weights(estimator):
    return "sample_weight" in get_routing_for_object(estimator).consumes("fit", ["sample_weight"])


def weights_keyword(estimator):
    """Return the keyword of the weights, or raise and show what to write instead."""
    check_keeps_rows(
        estimator,
        owner="ImportanceWeightedEstimator",
        hint="Pass resample=True: rows are then repeated by weight before the sampler gets them.",
    )
    keyword = find_weights_keyword(estimator)
    if keyword is not None:
        return keyword
    name = type(estimator).__name__
    is_pipeline = isinstance(estimator, Pipeline)
    if is_pipeline and has_fit_parameter(estimator.steps[-1][1], "sample_weight"):
        last = type(estimator.steps[-1][1]).__name__
        hint = (
            "Weight its last step: make_domain_pipeline(..., "
            f"ImportanceWeightedEstimator({last}(...), weighter)); or, with metadata routing "
            "enabled, let that step ask for the weights: "
            f"{last}(...).set_fit_request(sample_weight=True)."
        )
    elif hasattr(estimator, "estimator"):
        inner = type(estimator.estimator).__name__
        hint = (
            f"With metadata routing enabled, let the inner one ask for the weights: "
            f"{inner}(...).set_fit_request(sample_weight=True), if it takes them."
        )
    else:
        if is_pipeline:
            name = f"its last step {type(estimator.steps[-1][1]).__name__}"
        hint = (
            "Use an estimator whose fit has the parameter sample_weight, for example "
            "LogisticRegression, SVC, RandomForestClassifier, HistGradientBoostingClassifier or "
            "Ridge; or pass resample=True, which repeats rows instead."
        )
    raise ValueError(f"estimator cannot be weighted: {name}.fit takes no sample_weight. {hint}")


def check_weighter(weighter):
    """Raise unless this is None or an object with ``fit``, which is to learn ``weights_``."""
    if weighter is None or (hasattr(weighter, "fit") and not isinstance(weighter, type)):
        return
    raise ValueError(
        f"weighter must be a weighter, such as KMMWeighter(), or None; got {weighter!r}. Pass an "
        "object, not its class or its name."
    )


def systematic_resample(weights, n_samples, random_state):
    """Return sorted indices, each about ``n_samples · weight / sum of weights`` times.

    An index comes that often, rounded up or down; on average over the seeds exactly so. This
    varies less than independent picks (Kitagawa 1996).

    Parameters
    ----------
    weights : ndarray of shape (n,)
        Non-negative.
    n_samples : int
        Number of indices to return.
    random_state : RandomState
        Gives the one random number that is needed.
    """
    total = weights.sum()
    if total == 0:
        raise ValueError("resample needs a row of positive weight; all weights are zero.")
    ends = np.cumsum(weights) * (n_samples / total)
    # Rounding may leave the last end just below n_samples.
    ends[-1] = n_samples
    points = np.arange(n_samples) + random_state.uniform()
    # A point that lies on an end belongs to the row behind it: rows of weight 0 are never picked.
    picked = np.searchsorted(ends, points, side="right")
    return np.minimum(picked, np.flatnonzero(weights)[-1])


def _num_rows(X):
    return X.shape[0] if hasattr(X, "shape") else len(np.asarray(X))


class ImportanceWeightedEstimator(DelegatingEstimator):
    r"""Fit an estimator on source rows that are weighted to stand for the target.

    Source rows in regions where the target is dense count more in the fit, so that the model is
    right where it will be used. The weights are learnt by a weighter, from the rows alone.

    Parameters
    ----------
    estimator : estimator
        Any classifier or regressor whose ``fit`` takes ``sample_weight``, or a Pipeline that ends
        in one (with metadata routing enabled its last step must ask for it). With `resample` any
        estimator.
    weighter : weighter or None, default=None
        Learns the weights from the rows of all domains, for example ``KMMWeighter()``. None gives
        every source row weight 1, which is the unweighted reference and, with `target_share`, the
        balanced-weighting baseline.
    use_target_labels : bool, default=False
        Whether target rows that have a label (not NaN, not None, not -1 among integers) are fitted
        on as well, with weight 1.
    target_share : float or None, default=None
        Share of the total weight that the labeled target rows get, in (0, 1): 0.5 is balanced
        weighting, in which source and target count the same however many rows they have. None
        leaves the weights as they are. Needs ``use_target_labels=True``.
    resample : bool, default=False
        True repeats each row as often as its weight says, and leaves out rows of little weight,
        instead of passing the weights to ``fit``. The estimator then need not take
        ``sample_weight``: nearest neighbors, for example.
    n_samples : int or None, default=None
        Number of rows after `resample`. None: as many as there are to fit on. More of them follow
        the weights more closely, and cost more.
    random_state : int, RandomState instance or None, default=None
        Seeds `resample`.

    Attributes
    ----------
    estimator_ : estimator
        The fitted clone. Its learnt attributes (``classes_``, ``coef_``, ``n_features_in_``, …)
        can be read from this object too.
    weighter_ : weighter or None
        The fitted clone of `weighter`.
    weights_ : ndarray of shape (n_source,)
        Weight of each source row in row order, mean 1, before it is multiplied by the user's
        ``sample_weight``.
    effective_sample_size_ : float
        ``(Σw)² / Σw²`` of these weights.

    Raises
    ------
    ValueError
        In ``fit``, if the estimator cannot take weights, if ``sample_weight`` has a negative one,
        if ``sample_domain`` is not one signed
        integer per row or names one side only, and if `target_share` finds no labeled target row.

    See Also
    --------
    KMMWeighter : Weights by kernel mean matching.
    DomainClassifierWeighter : Weights by the odds of a classifier.
    TrainOnSource : The same without weights.

    Notes
    -----
    Minimizes :math:`\sum_i w(x_i) v_i \, \ell(y_i, f(x_i))` over the source rows, where v is the
    user's ``sample_weight`` and w approximates :math:`p_t(x) / p_s(x)` [1]_. It helps when features
    are shifted, labels given features are not (covariate shift), and the model is too simple to be
    right everywhere; a flexible model gains less. Several sources, and several targets, are
    pooled.

    Without `sample_domain` the estimator is fitted on all rows, unweighted but for the user's
    ``sample_weight``. The cost is that of the weighter and of the estimator. Arrays are handed to
    the estimator as they come; the weights are made where the rows are. Array level: that of the
    estimator inside.

    References
    ----------
    .. [1] Shimodaira. Improving predictive inference under covariate shift by weighting the
       log-likelihood function. JSPI 90, 2000. doi:10.1016/S0378-3758(00)00115-4

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from skda import GaussianWeighter, ImportanceWeightedEstimator, stack_domains
    >>> rng = np.random.default_rng(0)
    >>> X_source, X_target = rng.normal(size=(300, 1)), rng.normal(2.0, 0.3, size=(300, 1))
    >>> X, y, sample_domain = stack_domains(X_source, X_source[:, 0] ** 2, X_target)
    >>> weighter = GaussianWeighter(reg=0.0, min_effective_size=None)
    >>> model = ImportanceWeightedEstimator(LinearRegression(), weighter)
    >>> model.fit(X, y, sample_domain=sample_domain).coef_.round()  # the slope at 2
    array([4.])
    """

    def __init__(
        self,
        estimator: Estimator,
        weighter: Estimator | None = None,
        *,
        use_target_labels: bool = False,
        target_share: float | None = None,
        resample: bool = False,
        n_samples: int | None = None,
        random_state: RandomState = None,
    ):
        self.estimator = estimator
        self.weighter = weighter
        self.use_target_labels = use_target_labels
        self.target_share = target_share
        self.resample = resample
        self.n_samples = n_samples
        self.random_state = random_state

    @property
    def _order_dependent(self):
        return self.resample

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        sample_domain: DomainIds | None = None,
        **params: Any,
    ) -> Self:
        """Learn the weights, then fit a clone of the estimator with them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains, in any container that the estimator and the weighter take.
        y : array-like of shape (n_samples,)
            Labels. Those of target rows are not learnt from unless `use_target_labels`.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of your own, multiplied by the learnt ones. Those of target rows count only
            with `use_target_labels`.
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
        check_no_masked_entries("X", X)
        check_bool("resample", self.resample)
        check_integer("n_samples", self.n_samples, low=1, none=True)
        keyword = None if self.resample else weights_keyword(self.estimator)
        check_weighter(self.weighter)
        check_bool("use_target_labels", self.use_target_labels)
        with fresh_fit(self):
            if sample_domain is None:
                self._fit_unweighted(X, y, sample_weight, keyword, params)
            else:
                self._fit_weighted(X, y, sample_weight, sample_domain, keyword, params)
        return self

    def _fit_unweighted(self, X, y, sample_weight, keyword, params):
        """Fit on all rows with no weights but the user's."""
        domains_for_fit(None, 0, estimator=self)  # warns
        params = self._params_for("fit", None, params)
        if sample_weight is not None:
            weights = check_row_weights(sample_weight, _num_rows(X))
            if self.resample:
                # What is no array yet cannot be indexed.
                X, y = (rows if hasattr(rows, "shape") else np.asarray(rows) for rows in (X, y))
                rows = self._resampled(weights)
                params = slice_params(params, rows, len(weights))
                X, y = take_rows(X, rows), take_rows(y, rows)
            else:
                params[keyword] = sample_weight
        begin_fit(self, X, y, n_tasks=2)
        self.estimator_ = clone(self.estimator)
        with fitted_inside(self, "estimator", self.estimator_):
            self.estimator_.fit(X, y, **params)
        self._learn_weights(X, None)

    def _fit_weighted(self, X, y, sample_weight, sample_domain, keyword, params):
        """Learn the weights, then fit with them on the rows that are learnt from."""
        n_samples = n_rows(X)
        ids = domains_for_fit(sample_domain, n_samples, estimator=self)
        if y is None or n_rows(y) != n_samples:
            given = "None" if y is None else f"{n_rows(y)} labels"
            raise ValueError(
                f"y must have one label per row of X; got {given} for {n_samples} rows."
            )
        check_no_encoded_mark(self, y, ids)
        learns = labeled_rows(y, ids) if self.use_target_labels else ids >= 0
        begin_fit(self, X, y, ids, learns, n_tasks=2)
        weights = check_row_weights(sample_weight, n_samples)
        self._learn_weights(X, ids)
        weights[ids >= 0] *= self.weights_
        rows = self._rows_to_fit(y, ids)
        weights = self._balanced(weights, ids, rows)[rows]
        if self.resample:
            rows, weights = rows[self._resampled(weights)], None
        params = self._params_for("fit", ids[rows], slice_params(params, rows, n_samples))
        if is_foreign_array(X) and weights is not None:
            # Estimators that take rows of a library want the weights in it as well.
            weights = backend_of(X).asarray(weights, X.dtype)
        labels = take_rows(y, rows) if is_foreign_array(y) else take_labels(y, rows)
        if weights is not None:
            params = {**params, keyword: weights}
        with one_class_explained(self, labels):
            self.estimator_ = clone(self.estimator)
            with fitted_inside(self, "estimator", self.estimator_):
                self.estimator_.fit(take_rows(X, rows), labels, **params)

    def _resampled(self, weights):
        """Return indices of rows, each as often as its weight says."""
        n_samples = len(weights) if self.n_samples is None else self.n_samples
        return systematic_resample(weights, n_samples, check_random_state(self.random_state))

    def _learn_weights(self, X, ids):
        if self.weighter is None:
            n_source = _num_rows(X) if ids is None else int((ids >= 0).sum())
            self.weighter_, self.weights_ = None, np.ones(n_source)
        else:
            with warnings.catch_warnings():
                # Warned once, not by each part.
                if ids is None:  # this estimator has already warned
                    warnings.simplefilter("ignore", DomainWarning)
                self.weighter_ = clone(self.weighter)
                with fitted_inside(self, "weights", self.weighter_):
                    self.weighter_.fit(X, sample_domain=ids)
            self.weights_ = to_numpy(self.weighter_.weights_).astype(np.float64)
        self.effective_sample_size_ = effective_sample_size(self.weights_)

    def _rows_to_fit(self, y, ids):
        if self.target_share is not None and not self.use_target_labels:
            raise ValueError(
                f"target_share={self.target_share!r} needs labeled target rows to share with. "
                "Pass use_target_labels=True, or target_share=None."
            )
        learns = labeled_rows(y, ids) if self.use_target_labels else ids >= 0
        return np.flatnonzero(learns)

    def _balanced(self, weights, ids, rows):
        """Scale the weights of target rows to their share of the total."""
        if self.target_share is None:
            return weights
        share = check_real(
            "target_share",
            self.target_share,
            low=0,
            high=1,
            closed="right",
            hint="0.5 balances the domains.",
        )
        if share == 1:
            raise ValueError("target_share must be below 1; got 1. Fit on the target rows alone.")
        is_target = ids < 0
        labeled = rows[is_target[rows]]
        if not len(labeled):
            raise ValueError(
                f"target_share={self.target_share!r} needs labeled target rows; there are none. "
                "A target row counts as labeled if its y is not NaN, not None, and not -1 among "
                "integers. Pass their labels, for example as y_target of skda.stack_domains."
            )
        source_mass, target_mass = weights[~is_target].sum(), weights[labeled].sum()
        # Source weights stay; target weights are scaled until the proportion is right.
        factor = share / (1.0 - share) * source_mass / target_mass
        return np.where(is_target, weights * factor, weights)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if self.weighter is not None:
            taken = get_tags(self.weighter).input_tags
            # The rows go to both, so that both have to take them.
            tags.input_tags.allow_nan &= taken.allow_nan
            tags.input_tags.sparse &= taken.sparse
        return tags
