"""Fit several candidates on the same rows, and combine what they predict for the target rows."""

from __future__ import annotations

import time
import warnings
from typing import Any, NamedTuple, Self

import numpy as np
import sklearn
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.parallel import Parallel, delayed

from .._array._rows import take_rows
from .._array._warnings import warn_user
from .._core._callbacks import CALLBACK_SUPPORT, begin_fit, fitted_inside, fitting, inner_tasks
from .._core._labels import spread_labels, take_labels
from .._core._param_checks import check_bool, check_integer, check_option
from .._core._routing import DomainRouting
from .._core._sample_domain import DomainWarning
from .._core._typing import ArrayLike, DomainIds
from .._core._validation import data_for_inner_fit, data_for_inner_predict, fresh_fit
from ..model_selection._source_only import SOURCE_ONLY, with_source_only
from ._candidates import default_candidates, plain_estimator


class Outcome(NamedTuple):
    """What came of one candidate."""

    name: str
    estimator: object
    """The fitted clone, None if something failed."""
    predictions: object
    """Of the target rows."""
    seconds: float
    warnings: str
    error: str


class BaseConsensus(*CALLBACK_SUPPORT, DomainRouting, MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """Fits the candidates; a subclass combines their predictions.

    It has the parameters ``candidates``, ``estimator``, ``use_target_labels``, ``n_jobs`` and
    ``verbose``, and writes ``_prepare``, ``_reader``, ``_learn`` and ``_learn_nothing``.
    """

    _array_level = "inner"
    _holds_estimators = True
    # Candidates may draw at random, and the check of the source-only model has folds.
    _order_dependent = True
    _task: str
    """"classifier" or "regressor"."""

    def fit(self, X: ArrayLike, y: ArrayLike, *, sample_domain: DomainIds | None = None) -> Self:
        """Fit all candidates, and learn from their predictions for the target rows.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n_samples, n_features)
            Rows of all domains, in any container that the candidates take.
        y : array-like of shape (n_samples,)
            Labels. Those of target rows are ignored unless `use_target_labels`.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row: >= 0 a source, < 0 a target. None: the plain estimator on all rows,
            with a :class:`~skda.DomainWarning`.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        with fresh_fit(self):
            self._check_params()
            labels = "all" if self.use_target_labels else "source"
            data = data_for_inner_fit(self, X, y, sample_domain, labels=labels)
            self._prepare(data)
            # Without routing a pipeline would refuse sample_domain; joblib takes the setting along.
            with sklearn.config_context(enable_metadata_routing=True):
                if data.adapts:
                    self._fit_candidates(data)
                else:
                    self._fit_plain(data)
        return self

    def _check_params(self):
        check_bool("use_target_labels", self.use_target_labels)
        check_bool("verbose", self.verbose)
        if self.n_jobs is not None:
            check_integer("n_jobs", self.n_jobs, low=-64, hint="-1 is all processors.")
        if isinstance(self.candidates, dict) and self.candidates:
            _check_estimators(self.candidates, self._task)
        else:
            hint = "Or pass a dict of names to estimators, with at least one."
            check_option("candidates", self.candidates, ("auto",), hint=hint)
        if self.estimator is not None:
            _check_estimators({"estimator": self.estimator}, self._task)

    # Fitting

    def _fit_plain(self, data):
        """Fit the source-only model on all rows: there is no target to adapt to."""
        begin_fit(self, data.X, data.y, n_tasks=1)
        with warnings.catch_warnings():
            # That there are no domains was said already.
            warnings.simplefilter("ignore", DomainWarning)
            fitted = clone(self._source_only(data))
            with fitted_inside(self, "candidate", fitted):
                fitted.fit(data.X, take_labels(data.y))
        self.estimators_ = {SOURCE_ONLY: fitted}
        self._outcomes = [Outcome(SOURCE_ONLY, None, None, 0.0, "", "")]
        self._learn_nothing()

    def _source_only(self, data):
        if isinstance(self.candidates, dict):
            return _with_source_only(self.candidates, self.estimator)[SOURCE_ONLY]
        return plain_estimator(self.estimator, data.y_source, task=self._task)

    def _fit_candidates(self, data):
        y = data.y if self.use_target_labels else without_target_labels(data)
        if isinstance(self.candidates, dict):
            candidates = _with_source_only(self.candidates, self.estimator)
        else:
            plain = plain_estimator(self.estimator, data.y_source, task=self._task)
            candidates = default_candidates(plain, data.X, y, data.ids)
        target = take_rows(data.X, data.target)
        reader = self._reader()
        how = {"n_tasks": len(candidates), "in_turn": False}
        begin_fit(self, data.X, data.y, data.ids, data.labeled, **how)
        tasks = inner_tasks(self, "candidate", len(candidates))
        outcomes = Parallel(n_jobs=self.n_jobs, return_as="generator")(
            delayed(_fit_one)(
                name,
                candidate,
                (data.X, y, data.ids),
                (target, data.ids[data.target]),
                reader,
                task,
            )
            for (name, candidate), task in zip(candidates.items(), tasks, strict=True)
        )
        done = self._report(outcomes, len(candidates))
        read = [one.predictions for one in done if not one.error]
        self._learn(data, read)

    def _report(self, outcomes, n_candidates):
        """Keep what was fitted, print and warn on the way, and return the outcomes as a list."""
        done = []
        for one in outcomes:
            done.append(one)
            if self.verbose:
                state = "failed" if one.error else "fitted"
                print(f"[{len(done)}/{n_candidates}] {one.name}: {state} in {one.seconds:.1f} s")
        failed = [one for one in done if one.error]
        if len(failed) == len(done):
            raise ValueError(
                f"None of the {len(done)} candidates could be fitted; {failed[0].name!r} failed "
                f"with {failed[0].error}"
            )
        for one in failed:
            warn_user(
                f"Candidate {one.name!r} is left out, since it failed with {one.error}",
                DomainWarning,
            )
        self.estimators_ = {one.name: one.estimator for one in done if not one.error}
        # Predictions and estimators are elsewhere; the table needs neither.
        self._outcomes = [one._replace(estimator=None, predictions=None) for one in done]
        return done

    # Predicting

    def _read_used(self, X, sample_domain):
        """Return the checked rows, and the predictions for them of the candidates that count."""
        data = data_for_inner_predict(self, X, sample_domain)
        ids = None if sample_domain is None else data.ids
        used = list(self.estimators_.values())
        if self.keeps_source_:
            used = used[:1]
        reader = self._reader()
        with sklearn.config_context(enable_metadata_routing=True):
            return data, [reader(fitted, data.X, ids) for fitted in used]

    def _both(self, X, ids):
        """Return what the combination and the source-only model predict, whichever is kept."""
        reader = self._reader()
        with sklearn.config_context(enable_metadata_routing=True):
            read = [reader(fitted, X, ids) for fitted in self.estimators_.values()]
        return self._predicted(self._by_rule(read)), self._predicted(read[0])

    @property
    def table_(self) -> Any:
        """Data frame with one row per candidate."""
        if "estimators_" not in vars(self):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute 'table_'")
        try:
            import pandas
        except ImportError as error:
            raise ImportError(
                "table_ is a data frame and needs pandas: pip install pandas"
            ) from error
        of = {
            name: [self.weights_[i], self.agreement_[i]] for i, name in enumerate(self.estimators_)
        }
        nothing = [np.nan, np.nan]
        return pandas.DataFrame(
            [[*of.get(o.name, nothing), o.seconds, o.warnings, o.error] for o in self._outcomes],
            index=pandas.Index([o.name for o in self._outcomes], name="candidate"),
            columns=["weight", "agreement", "seconds", "warnings", "error"],
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = plain_estimator(self.estimator, np.zeros(0), task=self._task)
        tags.input_tags = get_tags(inner).input_tags
        return tags


def _fit_one(name, candidate, rows, target, reader, task):
    """Fit one candidate and predict the target rows; an error comes back as text."""
    start = time.perf_counter()
    fitted, predictions, error = None, None, ""
    X, y, ids = rows
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model = clone(candidate)
            with fitting(task, model):
                fitted = model.fit(X, y, sample_domain=ids)
            predictions = reader(fitted, *target)
        except Exception as reason:  # not KeyboardInterrupt, which ends the fit
            error = f"{type(reason).__name__}: {reason}"
    texts = dict.fromkeys(str(warning.message) for warning in caught)
    return Outcome(name, fitted, predictions, time.perf_counter() - start, "; ".join(texts), error)


def weights_of_groups(alike):
    """Return a weight per candidate such that those that are alike count as one.

    Parameters
    ----------
    alike : ndarray of bool of shape (M, M)
        Which candidates predict alike.

    Returns
    -------
    weights : ndarray of shape (M,)
        One over the number of candidates that are like it.
    """
    return 1.0 / alike.sum(axis=1)


def mean_of_others(agreement):
    """Return the mean agreement of each candidate with the others; 1 if there are none."""
    n = len(agreement)
    if n == 1:
        return np.ones(1)
    return (agreement.sum(axis=1) - np.diag(agreement)) / (n - 1)


def _check_estimators(candidates, task):
    """Raise unless all values are estimators of the task."""
    for name, estimator in candidates.items():
        where = name if name == "estimator" else f"candidates[{name!r}]"
        if not hasattr(estimator, "fit") or isinstance(estimator, type):
            raise ValueError(f"{where} must be an estimator; got {estimator!r}.")
        kind = get_tags(estimator).estimator_type
        # Estimators of other packages, SKADA's for one, do not always say what they are.
        unsaid = kind is None and hasattr(estimator, "predict")
        if kind != task and not unsaid:
            raise ValueError(
                f"{where} must be a {task}; got {type(estimator).__name__}, a "
                f"{kind or 'transformer or another estimator that predicts nothing'}."
            )


def _with_source_only(candidates, estimator):
    """Return the user's candidates by name with the source-only model in front of them."""
    models = with_source_only(candidates, estimator)
    if models is None:
        raise ValueError(
            f"The source-only model is always among the candidates, and none of {list(candidates)} "
            "shows which one that is. Pass it as estimator=, for example the model that the "
            f"others are to improve on, or name it {SOURCE_ONLY!r} in candidates."
        )
    return models


def without_target_labels(data):
    """Return the labels with those of target rows missing, so that no candidate can see them."""
    return spread_labels(np.asarray(data.y_source), data.source, len(data.ids))
