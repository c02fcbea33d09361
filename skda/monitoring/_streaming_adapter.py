"""A deployed model that watches its stream, and learns the new state when an alarm sounds."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import sklearn
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .._array._rows import concatenate_rows, n_rows, take_rows
from .._core._param_checks import check_bool, check_integer
from .._core._typing import ArrayLike, Estimator
from .._core._validation import fresh_fit
from ..pipeline import adapt_to
from ._drift_monitor import DriftMonitor

if TYPE_CHECKING:
    import pandas as pd

# Features that a record of an alarm names.
_NAMED = 5


def _model_has(method):
    def check(self):
        return hasattr(getattr(self, "model_", self.model), method)

    return check


class StreamingAdapter(BaseEstimator):
    """Predict on a stream, watch it, and align the model again when an alarm sounds.

    The fitted model stays as it is but for its maps: when the monitor sounds the alarm,
    :func:`~skda.adapt_to` teaches a copy of the model a new domain from the rows of the new
    state, without labels. Later rows are predicted as rows of that domain, and
    the monitor starts again with those rows as its reference. The log names every decision, and
    can be replayed.

    Parameters
    ----------
    model : fitted estimator
        With ``predict``; to be aligned, a pipeline that :func:`~skda.adapt_to` takes, for example
        one of :func:`~skda.make_domain_pipeline` with
        ``LinearTransportTransformer(direction="to_source")``. It is copied, never changed.
    monitor : DriftMonitor or None, default=None
        Unfitted. None is ``DriftMonitor()``.
    align : bool, default=True
        False: only note alarms. After each the monitor starts again with the rows of the new state.
    refine : bool, default=True
        Whether a map goes on learning after the alarm: when the rows of the new state are twice,
        four times, … as many, up to `max_rows`. False keeps the map of the first rows.
    min_rows : int, default=100
        Number of rows of the new state that alignment waits for, at least 10: rows from the middle
        between the estimated change and the alarm on, so that few of the old state are among them.
        More make better maps and keep the old map for longer.
    max_rows : int, default=2000
        Latest rows kept, and used for one alignment, at most; at least `min_rows`.

    Attributes
    ----------
    model_ : estimator
        Copy of the model, aligned.
    monitor_ : DriftMonitor
        The monitor at work, which counts rows from its own start.
    domain_ : int or None
        Domain as which rows are predicted now. None: without ``sample_domain``.
    n_rows_seen_ : int
        Number of rows since `fit`.
    log_ : list of dict
        One record per decision, of plain Python values. ``event``: "fit", "alarm", "align",
        "refine" or "restart" (the monitor, with ``align=False``); ``row``: number of rows
        before it; ``domain``: as which rows are predicted from then on; ``since``: estimated row
        of the change; ``n_rows``: rows used; ``evalue`` and ``features``: evidence of an alarm,
        and where it is strongest; ``seed``: of the monitor.

    See Also
    --------
    DriftMonitor : Watches without a model.
    skda.adapt_to : Teaches a fitted model a new domain, by hand.

    Notes
    -----
    Decisions depend on the order of the rows alone, never on how they come in batches. Labels are
    never used, so whether the new state is one that the map can undo remains to be seen: it is,
    where gains, offsets or mixtures of the features have changed, and is not where the labels mean
    something else; changed proportions of classes are partly taken out too. Memory: that of the
    monitor and `max_rows` rows. Array level: that of the model.

    Examples
    --------
    >>> import numpy as np
    >>> import sklearn
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skda import LinearTransportTransformer, make_domain_pipeline
    >>> from skda.monitoring import DriftMonitor, StreamingAdapter
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=1500)
    >>> X = rng.normal(size=(1500, 2)) + 3.0 * y[:, None]
    >>> X[1000:] = 2.0 * X[1000:] - 4.0
    >>> with sklearn.config_context(enable_metadata_routing=True):
    ...     to_source = LinearTransportTransformer(direction="to_source")
    ...     model = make_domain_pipeline(to_source, LogisticRegression())
    ...     model = model.fit(X[:500], y[:500], sample_domain=np.ones(500))
    >>> adapter = StreamingAdapter(model, DriftMonitor(random_state=0))
    >>> adapter = adapter.fit(X[:500], sample_domain=1).update(X[500:1200])
    >>> [record["event"] for record in adapter.log_]
    ['fit', 'alarm', 'align']
    >>> bool(np.mean(adapter.predict(X[1200:]) == y[1200:]) > 0.95)
    True
    """

    _array_level = "inner"

    def __init__(
        self,
        model: Estimator,
        monitor: DriftMonitor | None = None,
        *,
        align: bool = True,
        refine: bool = True,
        min_rows: int = 100,
        max_rows: int = 2000,
    ):
        self.model = model
        self.monitor = monitor
        self.align = align
        self.refine = refine
        self.min_rows = min_rows
        self.max_rows = max_rows

    def fit(self, X: ArrayLike, y: object = None, sample_domain: int | None = None) -> Self:
        """Take rows on which the model is known to work as the reference of the monitor.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Rows without labels, as the model takes them.
        y : None
            Ignored.
        sample_domain : int or None, default=None
            Domain, known to the model, as which rows are predicted until the first alarm: that of
            X. None leaves ``sample_domain`` out.

        Returns
        -------
        self : object
            The adapter.

        Raises
        ------
        ValueError
            If a parameter is out of range, or the model cannot learn a new domain without labels
            (and `align` is true).
        """
        with fresh_fit(self):
            check_bool("align", self.align)
            check_bool("refine", self.refine)
            check_integer("min_rows", self.min_rows, low=10)
            check_integer("max_rows", self.max_rows, low=self.min_rows)
            check_is_fitted(self.model)
            if sample_domain is not None:
                sample_domain = check_integer("sample_domain", sample_domain, low=-(2**62))
            X = _with_shape(X)
            self.domain_ = sample_domain
            self.model_ = copy.deepcopy(self.model)
            self._check_model(X)
            monitor = DriftMonitor() if self.monitor is None else self.monitor
            if not isinstance(monitor, DriftMonitor):
                raise ValueError(f"monitor must be a DriftMonitor or None; got {monitor!r}.")
            self.monitor_ = clone(monitor).fit(X)
            self._seed = self.monitor_.seed_
            self.log_: list[dict[str, Any]] = []
            self._recent: list[Any] = []
            self.n_rows_seen_, self._offset = 0, 0
            self._due, self._n_aligned, self._refine_at = None, 0, None
            self._note("fit", n_rows=n_rows(X), seed=self._seed)
        return self

    def _check_model(self, X):
        """Raise now if the model cannot predict these rows, or later learn a new domain."""
        first = take_rows(X, np.arange(1))
        self.predict(first)
        if not self.align:
            return
        trial, domain = copy.deepcopy(self.model_), self._new_domain()
        try:
            _predict(adapt_to(trial, X, domain), first, domain)
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"StreamingAdapter cannot align this {type(self.model).__name__} without labels: "
                f"{error} Or pass align=False, which only notes alarms."
            ) from error

    def _new_domain(self):
        """Return a target id that the model does not know."""
        steps = (
            [step for _, step in self.model_.steps]
            if isinstance(self.model_, Pipeline)
            else [self.model_]
        )
        known = {i for step in steps for i in getattr(step, "_fit_domains", None) or ()}
        return min({-1, *known} | ({self.domain_} - {None})) - 1

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Predict rows as rows of the present state; nothing is learnt.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Rows of the stream.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Predictions of the model.
        """
        return self._call("predict", X)

    @available_if(_model_has("predict_proba"))
    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Return class probabilities of rows as rows of the present state; nothing is learnt.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Rows of the stream.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Those of the model.
        """
        return self._call("predict_proba", X)

    def _call(self, method, X):
        check_is_fitted(self, "model_")
        return _predict(self.model_, X, self.domain_, method)

    def update(self, X: ArrayLike) -> Self:
        """Take the next rows of the stream: watch them, and align the model if it is time.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Any number of rows, in the order in which they came. Predict them before, as in
            deployment.

        Returns
        -------
        self : object
            The adapter.
        """
        check_is_fitted(self, "log_")
        X = _with_shape(X)
        start, n = 0, n_rows(X)
        while start < n:
            stop = n
            # A batch is cut where the model changes, so that batches make no difference.
            for row in (self._due, self._refine_at):
                if row is not None:
                    stop = min(stop, start + row - self.n_rows_seen_)
            rows = take_rows(X, np.arange(start, stop))
            if self._due is None:
                rows = self._watch(rows)
            self._keep(rows)
            start += n_rows(rows)
            if self._due is not None and self.n_rows_seen_ >= self._due:
                self._start_again()
            elif self._due is None and self.n_rows_seen_ == self._refine_at:
                self._learn_more()
        return self

    def _watch(self, rows):
        """Show rows to the monitor; return them, up to the row at which an alarm sounds."""
        self.monitor_.update(rows)
        if not self.monitor_.alarm_:
            return rows
        alarm_row = self._offset + self.monitor_.alarm_row_
        self._since = self._offset + self.monitor_.since_
        # The estimate may be early by a few rows, and rows of the old state must not belong to the
        # new one, so the first half of the rows before the alarm is left out.
        self._first = (self._since + alarm_row + 1) // 2
        self._due = max(alarm_row + 1, self._first + self.min_rows)
        self._refine_at = None
        rows = take_rows(rows, np.arange(alarm_row + 1 - self.n_rows_seen_))
        named = list(self.monitor_.features_.items())[:_NAMED]
        self._note(
            "alarm",
            row=alarm_row + 1,
            since=self._since,
            evalue=self.monitor_.evalue_,
            features=[name for name, evalue in named if evalue >= 1.0],
        )
        return rows

    def _keep(self, rows):
        """Count rows, and keep the latest."""
        self.n_rows_seen_ += n_rows(rows)
        self._recent.append(rows)
        kept = sum(n_rows(piece) for piece in self._recent)
        while kept - n_rows(self._recent[0]) >= self.max_rows:
            kept -= n_rows(self._recent.pop(0))

    def _latest(self, n):
        """Return the latest n rows, or as many as are kept."""
        n = min(n, self.max_rows)
        joined = self._recent[0] if len(self._recent) == 1 else concatenate_rows(self._recent)
        self._recent = [joined]
        return take_rows(joined, np.arange(max(n_rows(joined) - n, 0), n_rows(joined)))

    def _start_again(self):
        """Let the model learn the state since the change, and the monitor watch that state."""
        rows = self._latest(self.n_rows_seen_ - self._first)
        n = n_rows(rows)
        if self.align:
            domain = self._new_domain()
            adapt_to(self.model_, rows, domain)
            self.domain_ = domain
            if self.refine and 2 * n <= self.max_rows:
                self._refine_at = self.n_rows_seen_ + n
        self._n_aligned += 1
        # Each start has a seed of its own, and all of them follow from the first.
        seed = (self._seed + self._n_aligned) % 2**31
        self.monitor_ = clone(self.monitor_).set_params(random_state=seed).fit(rows)
        self._offset, self._due = self.n_rows_seen_, None
        event = "align" if self.align else "restart"
        self._note(event, since=self._since, n_rows=n, seed=seed)

    def _learn_more(self):
        """Let the present map learn the rows since it learnt last."""
        n = self.n_rows_seen_ - self._last_learnt()
        rows = self._latest(n)
        adapt_to(self.model_, rows, self.domain_)
        total = self.n_rows_seen_ - self._first
        self._refine_at = self.n_rows_seen_ + total if 2 * total <= self.max_rows else None
        self._note("refine", since=self._since, n_rows=n_rows(rows))

    def _last_learnt(self):
        return next(r["row"] for r in reversed(self.log_) if r["event"] in ("align", "refine"))

    def _note(self, event, **values):
        record = {"event": event, "row": self.n_rows_seen_, "domain": self.domain_}
        self.log_.append({**record, **values})

    def log_frame(self) -> pd.DataFrame:
        """Return the log as a data frame, one row per record.

        Returns
        -------
        log : pandas.DataFrame
            With a column per key of the records.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        check_is_fitted(self, "log_")
        try:
            import pandas
        except ImportError as error:
            raise ImportError("log_frame needs pandas: pip install pandas") from error
        return pandas.DataFrame.from_records(self.log_)

    def replay(
        self, log: Sequence[Mapping[str, Any]], X_reference: ArrayLike, X: ArrayLike
    ) -> StreamingAdapter:
        """Go through a stream again, and check that all decisions are those of a log.

        Parameters
        ----------
        log : list of dict
            The ``log_`` of an adapter with the same model and parameters.
        X_reference : array-like or data frame of shape (n_reference, n_features)
            The rows that it was fitted on.
        X : array-like or data frame of shape (n_samples, n_features)
            All rows of the stream that it has seen.

        Returns
        -------
        adapter : StreamingAdapter
            A new one after these rows, with a log of its own.

        Raises
        ------
        ValueError
            If the decisions are others: the rows, the model or the parameters are not the same.
        """
        if not log or log[0].get("event") != "fit":
            raise ValueError("log must be the log_ of a StreamingAdapter, a list of records.")
        monitor = DriftMonitor() if self.monitor is None else clone(self.monitor)
        monitor.set_params(random_state=log[0]["seed"])
        adapter = clone(self).set_params(monitor=monitor)
        adapter.fit(X_reference, sample_domain=log[0]["domain"]).update(X)
        for i, (found, noted) in enumerate(zip(adapter.log_, log, strict=False)):
            if _decision(found) != _decision(noted):
                raise ValueError(f"log differs at record {i}: got {found}, but it notes {noted}.")
        if len(adapter.log_) != len(log):
            raise ValueError(
                f"log has {len(log)} records, and these rows give {len(adapter.log_)}. Pass all "
                "rows that it covers, and no others."
            )
        return adapter

    def __sklearn_clone__(self):
        # The model is learnt, not a setting: a clone without it would be of no use.
        params = {**self.get_params(deep=False), "monitor": clone(self.monitor, safe=False)}
        return type(self)(**params)


def _predict(model, X, domain, method="predict"):
    call = getattr(model, method)
    if domain is None:
        return call(X)
    # Pipelines pass the domain on under this switch alone.
    with sklearn.config_context(enable_metadata_routing=True):
        return call(X, sample_domain=np.full(n_rows(X), domain))


def _with_shape(X):
    """Return rows as something with a shape; lists become arrays."""
    return X if hasattr(X, "shape") else np.asarray(X)


def _decision(record):
    """Return what two runs must have in common; sums may be rounded in another order."""
    return {key: value for key, value in record.items() if key != "evalue"}
