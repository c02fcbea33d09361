"""Fit one estimator per view, and combine what those of a row's views predict."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
import sklearn
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.parallel import Parallel, delayed

from .._array._rows import n_rows, take_rows
from .._array._warnings import warn_user
from .._core._labels import take_labels
from .._core._param_checks import check_bool, check_integer, check_option
from .._core._routing import DomainRouting
from .._core._sample_domain import DomainWarning
from .._core._typing import ArrayLike, DomainIds, Predictor, RandomState, Splitter
from .._core._validation import data_for_inner_fit, data_for_inner_predict, fresh_fit
from .._core._views import (
    check_every_row_has_a_view,
    check_views,
    rows_with_view,
    take_view,
    with_absent_views,
)
from .._numerics._folds import N_FOLDS, dealt_folds
from .._numerics._simplex import convex_weights
from ..model_selection import DomainStratifiedKFold
from ..model_selection._source_only import fitted_on_source, hide_target_labels
from ._base_consensus import without_target_labels
from ._candidates import plain_estimator

# Rows with all views from which weights are learned. Fewer say little; and if most rows lack a
# view, those that have it have been chosen, as patients for an expensive scan are.
_LEAST_COMPLETE, _LEAST_PART = 10, 0.5

# Takes the place of a weight of 0, for rows that have no other view.
_LEAST_WEIGHT = 1e-12


class BaseViewFusion(DomainRouting, MetaEstimatorMixin, BaseEstimator):
    """Fits one estimator per view; a subclass says what its predictions are.

    A subclass writes ``_learn_labels``, ``_codes``, ``_reader`` and ``_errors``; what its reader
    returns of the views is averaged.
    """

    _array_level = "inner"
    # Rows are dealt out to folds, and estimators inside may be random.
    _order_dependent = True
    _task: str
    """"classifier" or "regressor"."""
    _fusions: tuple[str, ...] = ("mean", "learned")

    def __init__(
        self,
        views: Mapping[str, Any],
        estimators: Predictor | Mapping[str, Predictor] | None = None,
        *,
        fusion: Literal["mean", "learned", "product"] = "mean",
        cv: int | Splitter = 5,
        use_target_labels: bool = False,
        n_jobs: int | None = None,
        random_state: RandomState = None,
    ):
        self.views = views
        self.estimators = estimators
        self.fusion = fusion
        self.cv = cv
        self.use_target_labels = use_target_labels
        self.n_jobs = n_jobs
        self.random_state = random_state

    # Parameters

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, those of the views' estimators included.

        Parameters
        ----------
        deep : bool, default=True
            Whether to return the estimators of a dict under the names of their views, and their
            parameters as ``view__parameter``.

        Returns
        -------
        params : dict
            Name to value.
        """
        params = super().get_params(deep=deep)
        if deep and isinstance(self.estimators, dict):
            for view, estimator in self.estimators.items():
                params[view] = estimator
                if hasattr(estimator, "get_params"):
                    inner = estimator.get_params(deep=True)
                    params |= {f"{view}__{name}": value for name, value in inner.items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters, those of the views' estimators included.

        Parameters
        ----------
        **params : dict
            For example ``lab__coraltransformer__strength=0.5``, or ``lab=...`` for another
            estimator of the view "lab".

        Returns
        -------
        self : object
            This estimator.
        """
        if "estimators" in params:
            self.estimators = params.pop("estimators")
        if isinstance(self.estimators, dict):
            own = self._get_param_names()
            new = {
                name: params.pop(name) for name in self.estimators if name in params.keys() - own
            }
            if new:
                # A new dict: the user's own is left alone.
                self.estimators = self.estimators | new
        return super().set_params(**params)

    def _check_params(self):
        check_option("fusion", self.fusion, self._fusions)
        check_bool("use_target_labels", self.use_target_labels)
        if not is_splitter(self.cv):
            hint = "Or pass a splitter such as skda.model_selection.DomainStratifiedKFold."
            check_integer("cv", self.cv, low=2, hint=hint)
        if self.n_jobs is not None:
            check_integer("n_jobs", self.n_jobs, low=-64, hint="-1 is all processors.")
        if isinstance(self.estimators, dict):
            self._check_names()
        for name, estimator in self._named().items():
            if estimator is not None:
                check_is_predictor(name, estimator, self._task)

    def _check_names(self):
        """Raise unless the estimators are those of the views, whose names are free."""
        # What is no dict of views is refused by its own rule.
        views = self.views if isinstance(self.views, dict) else self.estimators
        if self.estimators.keys() != views.keys():
            raise ValueError(
                f"estimators must have one entry per view; got {list(self.estimators)} for the "
                f"views {list(views)}. Or pass one estimator for all views."
            )
        taken = sorted(set(self.estimators) & set(inspect.signature(type(self)).parameters))
        if taken:
            raise ValueError(
                f"views must not have the names of parameters; got {taken}. Rename these views."
            )

    def _named(self):
        """Return the estimators by what an error calls them."""
        if isinstance(self.estimators, dict):
            return {f"estimators[{view!r}]": one for view, one in self.estimators.items()}
        return {"estimators": self.estimators}

    def _estimator_of(self, view, data):
        """Return the unfitted estimator of a view, which sees no target label."""
        given = self.estimators[view] if isinstance(self.estimators, dict) else self.estimators
        if given is None:
            return fitted_on_source(plain_estimator(None, data.y_source, task=self._task))
        return hide_target_labels(given)

    # Fitting

    def fit(self, X: ArrayLike, y: ArrayLike, *, sample_domain: DomainIds | None = None) -> Self:
        """Fit the estimator of each view on the rows that have it.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            Rows of all domains, in any container that the estimators take. A view is missing in a
            row if all of its columns are.
        y : array-like of shape (n_samples,)
            Labels. Those of target rows are ignored unless `use_target_labels`.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target. None: the estimators are fitted on all
            rows without adaptation, with a :class:`~skda.DomainWarning`.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        with fresh_fit(self):
            self._check_params()
            labels = "all" if self.use_target_labels else "source"
            data = data_for_inner_fit(self, X, y, sample_domain, labels=labels)
            _check_some_numbers(data.X)
            self.views_ = check_views(self.views, self)
            self._learn_labels(data)
            self._fit_views(data)
        return self

    def _fit_views(self, data):
        """Fit the estimators, and learn their weights where that is asked for."""
        blocks = {view: take_view(data.X, columns) for view, columns in self.views_.items()}
        present = {view: rows_with_view(block) for view, block in blocks.items()}
        check_every_row_has_a_view(np.stack(list(present.values()), axis=1), present)
        # Where there is no target nothing is hidden, and no estimator is told of domains.
        y = data.y if self.use_target_labels or not data.adapts else without_target_labels(data)
        ids = data.ids if data.adapts else None
        used = self._usable(present, data)
        estimators = {view: self._estimator_of(view, data) for view in used}
        jobs = [(view, np.flatnonzero(present[view]), None) for view in used]
        folds = []
        if self.fusion == "learned" and len(used) > 1:
            complete = np.all([present[view] for view in used], axis=0)
            folds = self._folds(data, y, complete)
            jobs += [
                (view, kept[present[view][kept]], held) for kept, held in folds for view in used
            ]
        # Without routing a pipeline would refuse sample_domain; joblib takes the setting along.
        with sklearn.config_context(enable_metadata_routing=True):
            done = Parallel(n_jobs=self.n_jobs)(
                delayed(_fit_one)(
                    estimators[view], blocks[view], y, ids, fit_on, held, self._reader()
                )
                for view, fit_on, held in jobs
            )
        self.estimators_ = {view: fitted for view, (fitted, _) in zip(used, done, strict=False)}
        self.weights_ = np.full(len(used), 1.0 / len(used))
        if folds:
            self._learn_weights(data, folds, [values for _, values in done[len(used) :]])

    def _usable(self, present, data):
        """Return the views to learn from; one that a side lacks altogether cannot be adapted."""
        used = []
        for view, rows in present.items():
            lacks = [
                side
                for side, own in (("source", data.source), ("target", data.target))
                if len(own) and not rows[own].any()
            ]
            if lacks:
                warn_user(
                    f"The view {view!r} is left out, since all {lacks[0]} rows lack it.",
                    DomainWarning,
                )
            else:
                used.append(view)
        if not used:
            raise ValueError(
                f"None of the views {list(present)} has values on source rows and on target rows. "
                "Pass views that both sides have."
            )
        return used

    def _folds(self, data, y, complete):
        """Return pairs of rows to fit on and source rows to predict, those with all views."""
        judged = complete & (data.ids >= 0)
        n_judged, n_source = int(judged.sum()), len(data.source)
        if n_judged < max(_LEAST_COMPLETE, _LEAST_PART * n_source):
            warn_user(
                f"The weights of the views are equal: {n_judged} of {n_source} source rows have "
                f"all views, and it takes {_LEAST_COMPLETE}, and half of the rows, to learn "
                "weights. Leave out a view that most rows lack, or take fusion='mean'.",
                DomainWarning,
            )
            return []
        return [
            # Target rows have no labels that could leak, and adaptation needs them all.
            (np.union1d(kept, data.target), held[judged[held]])
            for kept, held in self._split(data, y)
            if judged[held].any()
        ]

    def _split(self, data, y):
        n = len(data.ids)
        if not data.adapts:
            codes = self._codes(data)
            # A splitter of domains cannot split rows without any.
            n_folds = N_FOLDS if is_splitter(self.cv) else self.cv
            folds = dealt_folds(codes, check_random_state(self.random_state), n_folds)
            return [
                (np.flatnonzero(folds != fold), np.flatnonzero(folds == fold))
                for fold in range(folds.max() + 1)
            ]
        splitter = self.cv
        if not is_splitter(splitter):
            splitter = DomainStratifiedKFold(
                self.cv, shuffle=True, random_state=check_random_state(self.random_state)
            )
        return list(splitter.split(np.zeros((n, 1)), y, sample_domain=data.ids))

    def _learn_weights(self, data, folds, values):
        """Learn the convex combination of the views from predictions of rows left out."""
        n_views = len(self.estimators_)
        rows = np.concatenate([held for _, held in folds])
        # Jobs are ordered by fold, and by view within a fold.
        errors = np.stack(
            [
                self._errors(data, rows, np.concatenate(values[view::n_views])).ravel()
                for view in range(n_views)
            ],
            axis=1,
        )
        self.weights_ = convex_weights(errors)
        # Sums over classes, means over rows: the Brier score, or the mean squared error.
        self.view_losses_ = np.sum(errors**2, axis=0) / len(rows)

    # Predicting

    def _fused(self, X, sample_domain):
        """Return the checked rows, and the mean of what the views of each row predict."""
        data, read = self._read_views(X, sample_domain)
        mass = np.zeros(n_rows(data.X))
        total = np.zeros((len(mass), *read[0][2].shape[1:]))
        for weight, rows, values in read:
            weight = max(weight, _LEAST_WEIGHT)
            total[rows] += weight * values
            mass[rows] += weight
        return data, total / (mass if total.ndim == 1 else mass[:, None])

    def _read_views(self, X, sample_domain):
        """Return the checked rows, and of each view its weight, the rows with it, and its values.

        Views that no row has are left out: few estimators predict no rows.
        """
        data = data_for_inner_predict(self, with_absent_views(X, self), sample_domain)
        blocks = [take_view(data.X, self.views_[view]) for view in self.estimators_]
        present = [rows_with_view(block) for block in blocks]
        check_every_row_has_a_view(np.stack(present, axis=1), self.estimators_)
        reader, read = self._reader(), []
        used = zip(self.weights_, self.estimators_.values(), blocks, present, strict=True)
        with sklearn.config_context(enable_metadata_routing=True):
            for weight, fitted, block, has in used:
                rows = np.flatnonzero(has)
                ids = None if sample_domain is None else data.ids[rows]
                if len(rows):
                    read.append((weight, rows, reader(fitted, take_rows(block, rows), ids)))
        return data, read

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        given = [one for one in self._named().values() if hasattr(one, "fit")]
        inner = [get_tags(one).input_tags for one in given]
        inner += [] if inner else [get_tags(plain_estimator(None, [], task=self._task)).input_tags]
        tags.input_tags.sparse = all(one.sparse for one in inner)
        tags.input_tags.string = any(one.string for one in inner)
        # A view that is missing as a whole is always fine; single values are up to these.
        tags.input_tags.allow_nan = all(one.allow_nan for one in inner)
        return tags


def _check_some_numbers(X):
    """Raise, in scikit-learn's words, for rows that no estimator of a view would get to see."""
    for axis, kind in enumerate(("sample(s)", "feature(s)")):
        if X.shape[axis] == 0:
            raise ValueError(
                f"Found array with 0 {kind} (shape={X.shape}) while a minimum of 1 is required."
            )
    if getattr(getattr(X, "dtype", None), "kind", "") == "c":
        raise ValueError("Complex data not supported: X must be real. Pass its parts as columns.")


def is_splitter(cv):
    """Return whether this has the methods of a cross-validator; texts have a ``split``, too."""
    return hasattr(cv, "split") and hasattr(cv, "get_n_splits")


def check_is_predictor(name, estimator, task):
    """Raise unless this is an estimator of the task."""
    if not hasattr(estimator, "fit") or isinstance(estimator, type):
        raise ValueError(
            f"{name} must be an estimator, or a dict of views to estimators; got {estimator!r}."
        )
    kind = get_tags(estimator).estimator_type
    if kind != task:
        raise ValueError(
            f"{name} must be a {task}, or a pipeline that ends in one; got "
            f"{type(estimator).__name__}, a {kind or 'transformer'}."
        )


def _fit_one(estimator, X, y, ids, fit_on, held, reader):
    """Fit an estimator on some rows, and read its predictions for those held out, if any."""
    fitted = clone(estimator)
    rows, labels = take_rows(X, fit_on), y[fit_on]
    if ids is not None:
        fitted.fit(rows, labels, sample_domain=ids[fit_on])
    else:
        with warnings.catch_warnings():
            # That there are no domains was said already.
            warnings.simplefilter("ignore", DomainWarning)
            fitted.fit(rows, take_labels(labels))
    if held is None:
        return fitted, None
    return None, reader(fitted, take_rows(X, held), None if ids is None else ids[held])
