"""Weights from a classifier that tells target rows from source rows: its odds are the ratio."""

from __future__ import annotations

from copy import deepcopy
from inspect import signature
from typing import Literal, Self

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from .._array._backend import Backend, is_foreign_array, to_numpy
from .._array._rows import concatenate_rows, n_rows, take_rows
from .._core._param_checks import check_forgetting_factor, check_integer
from .._core._sample_domain import domains_for_fit, domains_for_predict
from .._core._typing import ArrayLike, DomainIds, Predictor, RandomState
from .._core._validation import DomainData
from ._base_streamed_weighter import StreamedWeighter
from ._base_weighter import Importances

# Mean odds over the source, which should be 1, from which the domains count as separate.
_SEPARATE = 0.01
_LARGEST_LOG_ODDS = 100.0  # keeps the mean of the odds finite
# Weight below which a row of an earlier batch is forgotten, so that a stream needs bounded memory.
_LEAST_WEIGHT = 0.01


def _is_incremental(weighter):
    """Return whether the classifier learns from batches, or raise with the reason."""
    if hasattr(weighter.classifier, "partial_fit"):
        return True
    # AttributeError, because available_if hides the method by it.
    raise AttributeError(
        f"partial_fit of DomainClassifierWeighter needs a classifier that has partial_fit; got "
        f"{weighter.classifier!r}. Pass for example SGDClassifier(loss='log_loss')."
    )


def log_odds(classifier, X):
    """Logarithm of P(target | x) / P(source | x) under a fitted classifier of 1 against 0."""
    with np.errstate(divide="ignore"):  # a probability of 0 is floored below
        if hasattr(classifier, "predict_log_proba"):
            logs = np.asarray(classifier.predict_log_proba(X), dtype=np.float64)
        else:
            logs = np.log(np.asarray(classifier.predict_proba(X), dtype=np.float64))
    floor = np.log(np.finfo(np.float64).tiny)
    logs = np.maximum(logs, floor)
    return logs[:, 1] - logs[:, 0]


def _separate(odds, source_by_target):
    """Return a warning if these log odds of source rows say that the domains are separate."""
    # The true ratio has mean 1 over the source.
    if np.exp(np.minimum(odds, _LARGEST_LOG_ODDS)).mean() * source_by_target >= _SEPARATE:
        return None
    return (
        "The classifier tells the domains apart almost without error: hardly any source row "
        f"resembles a target row (an effective sample size near 0 of {len(odds)}, whatever the "
        "weights say). Drop the features that give the domain away, or lower exponent."
    )


def cross_fitted_log_odds(classifier, X, is_target, *, cv, random_state):
    """Log odds of each source row under a classifier that was not fitted on it.

    Returns
    -------
    odds : ndarray of shape (n_source,)
        In the order of the source rows.
    """
    odds = np.empty(len(is_target))
    folds = StratifiedKFold(cv, shuffle=True, random_state=random_state)
    for learnt, held_out in folds.split(np.zeros(len(is_target)), is_target):
        held_out = held_out[is_target[held_out] == 0]
        fitted = clone(classifier).fit(take_rows(X, learnt), is_target[learnt])
        odds[held_out] = log_odds(fitted, take_rows(X, held_out))
    return odds[is_target == 0]


def faded(kept, rows, factor):
    """Join the rows of a new batch of one side, of weight 1, to its earlier ones, which fade.

    Parameters
    ----------
    kept : tuple (rows, weights) or None
        What is left of earlier batches; None before the first.
    rows : array-like or data frame
        The new rows, at least one.
    factor : float
        What the earlier weights are multiplied by.

    Returns
    -------
    kept : tuple (rows, weights)
    """
    weights = np.ones(n_rows(rows))
    if kept is None:
        return rows, weights
    old_rows, old = kept[0], factor * kept[1]
    left = np.flatnonzero(old >= _LEAST_WEIGHT)
    if len(left):
        rows = concatenate_rows([take_rows(old_rows, left), rows])
        weights = np.concatenate([old[left], weights])
    return rows, weights


class DomainClassifierWeighter(StreamedWeighter):
    r"""Weight source rows by the odds of being target rows, under a domain classifier.

    A classifier learns to tell target rows from source rows. A source row that it takes for a
    target row lies where the target is dense, and counts more; its odds are the density ratio.

    Parameters
    ----------
    classifier : classifier or None, default=None
        Any classifier with ``predict_proba``. It gets the rows as they come, so that missing
        values, categories and data frames are its own matter; a calibrated one gives better
        weights. None is a logistic regression on standardized features.
    cv : int or None, default=5
        Number of folds in which the weights are cross-fitted: each source row is judged by a
        classifier that was not fitted on it. None fits once and judges the fitted rows, which
        is right only for a classifier that cannot overfit. At most the rows of the smaller domain
        are used.
    exponent : float, default=1.0
        Exponent in [0, 1] applied to the weights; 0 gives equal weights.
    clip : float or None, default=None
        Largest weight, as a multiple of the mean weight, applied after `exponent`. What is cut off
        goes to the other rows in proportion to their weights. None does not clip.
    min_effective_size : float, "auto" or None, default="auto"
        Smallest effective sample size of the weights, as a part of the source rows: weights that
        rest on fewer rows are mixed with equal ones until they have it. "auto" is thirty rows for
        each feature and for the intercept, at most all rows, which leaves equal weights. None,
        the paper's weights, mixes nothing in.
    forgetting_factor : float, default=1.0
        In (0, 1]: factor by which the weight of a side's earlier rows is multiplied at each
        ``partial_fit`` with new ones, for a target that drifts. 1 hands each batch to the
        classifier and keeps none. Below 1 a classifier cannot unlearn rows, so that a fresh one
        learns from all kept rows with these weights, see Notes. ``fit`` does not use it.
    random_state : int, RandomState instance or None, default=None
        Shuffles the folds. The classifier has its own.

    Attributes
    ----------
    weights_ : array of shape (n_source,)
        Weight of each source row in row order, mean 1; cross-fitted.
    effective_sample_size_ : float
        ``(Σw)² / Σw²``.
    learnt_part_ : float
        Part of the weights that was learnt; the rest of them is equal, see `min_effective_size`.
    classifier_ : classifier
        Fitted on all rows, with classes 0 (source) and 1 (target); used by
        ``predict_weights``.
    source_rows_ : array-like of shape (n_source, n_features)
        After ``partial_fit``, the source rows that ``weights_`` are of.
    n_rows_seen_ : dict
        After ``partial_fit``, number of rows by side ("source", "target").
    n_features_in_ : int
        Number of features seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``, for parameters out of range and for a classifier without ``predict_proba``.

    See Also
    --------
    KMMWeighter : Without any model of the domains.

    Notes
    -----
    By Bayes' rule :math:`p_t(x) / p_s(x) = c \, P(t \mid x) / P(s \mid x)`; the factor c, from the
    numbers of rows or from ``class_weight="balanced"``, is absorbed by the normalization [1]_.

    It helps when features are shifted and labels given features are not (covariate shift), in any
    number of features, as far as the classifier can tell the domains apart. Without
    `sample_domain` all weights are 1. Cost: `cv` + 1 fits of the classifier. Array level (b):
    the classifier runs on the host, unless it can take the arrays as they come.

    With `forgetting_factor` below 1 the rows of a side weigh ``forgetting_factor ** k`` where k
    later batches have brought rows of the same side, and rows below a weight of 0.01 are dropped:
    with 0.9 the last 44 batches are kept, with 0.5 the last seven. Each batch costs one
    ``partial_fit`` of a fresh classifier on them with these as ``sample_weight``, after which the
    classifier is what it would be had the rows come with such weights at once.

    References
    ----------
    .. [1] Bickel, Brückner, Scheffer. Discriminative learning for differing training and test
       distributions. ICML 2007. doi:10.1145/1273496.1273507

    Examples
    --------
    >>> import numpy as np
    >>> from skda import DomainClassifierWeighter, stack_domains
    >>> rng = np.random.default_rng(0)
    >>> X_source, X_target = rng.normal(size=(300, 2)), rng.normal(0.5, size=(300, 2))
    >>> X, _, sample_domain = stack_domains(X_source, None, X_target)
    >>> weighter = DomainClassifierWeighter(min_effective_size=None, random_state=0)
    >>> weighter = weighter.fit(X, sample_domain=sample_domain)
    >>> np.average(X_source, axis=0, weights=weighter.weights_).round(1)
    array([0.5, 0.5])
    """

    _logs = True
    _array_level = "b"
    _order_dependent = True  # folds

    def __init__(
        self,
        classifier: Predictor | None = None,
        *,
        cv: int | None = 5,
        exponent: float = 1.0,
        clip: float | None = None,
        min_effective_size: float | Literal["auto"] | None = "auto",
        forgetting_factor: float = 1.0,
        random_state: RandomState = None,
    ):
        self.classifier = classifier
        self.cv = cv
        self.exponent = exponent
        self.clip = clip
        self.min_effective_size = min_effective_size
        self.forgetting_factor = forgetting_factor
        self.random_state = random_state

    @available_if(_is_incremental)
    def partial_fit(
        self, X: ArrayLike, y: object = None, *, sample_domain: DomainIds | None = None
    ) -> Self:
        """Let the classifier learn from a batch, and weight all source rows seen so far.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of any domains; a batch may have rows of one side only.
        y : None
            Ignored.
        sample_domain : array-like of int of shape (n_samples,), default=None
            Domain of each row, see :meth:`fit`.

        Returns
        -------
        self : object
            The weighter. Until it has seen rows of both sides all weights are 1.

        Raises
        ------
        ValueError
            After :meth:`fit`, which keeps no rows: begin with ``partial_fit``. With
            `forgetting_factor` below 1, if ``partial_fit`` of the classifier takes no
            ``sample_weight``.

        Notes
        -----
        There is no cross-fitting. With `forgetting_factor` 1, how fast earlier rows are forgotten
        is the classifier's matter: for example
        ``SGDClassifier(loss="log_loss", learning_rate="constant", eta0=0.01)``.
        The source rows of all batches are kept, in ``source_rows_``, because each of them gets a
        new weight.
        """
        return super().partial_fit(X, sample_domain=sample_domain)

    def _batch(self, X, sample_domain, *, started):
        X = to_numpy(X) if is_foreign_array(X) else X
        self._classifier()
        validate_data(self, X, reset=not started, skip_check_array=True)
        how = {"one_sided": True, "goes_on": started}
        ids = domains_for_fit(sample_domain, n_rows(X), estimator=self, **how)
        return DomainData(X, None, ids, None, Backend(), Backend())

    @staticmethod
    def _moved(rows, move):
        return rows  # of any kind, on the host

    def _learn_batch(self, data):
        if self.forgetting_factor < 1:
            return self._learn_with_forgetting(data)
        earlier = getattr(self, "classifier_", None)
        # A copy: the old one stays as it is if this batch fails.
        classifier = clone(self._classifier()) if earlier is None else deepcopy(earlier)
        is_target = (data.ids < 0).astype(np.int64)
        self.classifier_ = classifier.partial_fit(data.X, is_target, classes=[0, 1])

    def _learn_with_forgetting(self, data):
        classifier = clone(self._classifier())
        if "sample_weight" not in signature(classifier.partial_fit).parameters:
            raise ValueError(
                "forgetting_factor below 1 needs a classifier whose partial_fit takes "
                f"sample_weight; got {self.classifier!r}. Use for example "
                "SGDClassifier(loss='log_loss'), or forgetting_factor=1."
            )
        kept = dict(getattr(self, "_kept", {}))
        for side, rows in (("source", data.X_source), ("target", data.X_target)):
            if n_rows(rows):
                kept[side] = faded(kept.get(side), rows, self.forgetting_factor)
        self._kept = kept
        rows, weights = zip(*kept.values(), strict=True)
        is_target = np.repeat([side == "target" for side in kept], [len(own) for own in weights])
        self.classifier_ = classifier.partial_fit(
            concatenate_rows(list(rows)),
            is_target.astype(np.int64),
            classes=[0, 1],
            sample_weight=np.concatenate(weights),
        )

    def _data_for_fit(self, X, sample_domain):
        if self.classifier is None:
            return super()._data_for_fit(X, sample_domain)
        validate_data(self, X, reset=True, skip_check_array=True)
        ids = domains_for_fit(sample_domain, n_rows(X), estimator=self)
        return DomainData(X, None, ids, None, Backend(), Backend())

    def _data_for_use(self, X, sample_domain):
        if self.classifier is None:
            return super()._data_for_use(X, sample_domain)
        check_is_fitted(self)
        validate_data(self, X, reset=False, skip_check_array=True)
        ids = domains_for_predict(sample_domain, n_rows(X), estimator=self)
        return DomainData(X, None, ids, None, Backend(), Backend())

    def _importances(self, data):
        classifier = self._classifier()
        cv = self._n_folds(data)
        is_target = (data.ids < 0).astype(np.int64)
        X = to_numpy(data.X) if is_foreign_array(data.X) else data.X
        self.classifier_ = clone(classifier).fit(X, is_target)
        if cv is None:
            odds = to_numpy(self._importance(data.X_source, data.backend))
        else:
            odds = cross_fitted_log_odds(
                classifier, X, is_target, cv=cv, random_state=self.random_state
            )
        warning = _separate(odds, len(data.source) / len(data.target))
        return Importances(data.backend.asarray(odds), warning)

    def _warning_of(self, raw):
        seen = self.n_rows_seen_
        if self.forgetting_factor < 1:
            seen = {side: weights.sum() for side, (_, weights) in self._kept.items()}
        return _separate(to_numpy(raw), seen["source"] / seen["target"])

    def _check_shape_params(self):
        check_forgetting_factor(self.forgetting_factor)
        return super()._check_shape_params()

    def _without_overlap(self, data, raw):
        if self.classifier is not None:  # rows of any kind, which only it can tell apart
            return False
        return super()._without_overlap(data, raw)

    def _importance(self, X, backend):
        X = to_numpy(X) if is_foreign_array(X) else X
        return backend.asarray(log_odds(self.classifier_, X))

    def _classifier(self):
        if self.classifier is None:
            return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        is_class = isinstance(self.classifier, type)
        if is_class or not hasattr(self.classifier, "predict_proba"):
            raise ValueError(
                f"classifier must be None or a classifier with predict_proba, whose odds are the "
                f"weights; got {self.classifier!r}. Wrap one without it, for example with "
                "sklearn.calibration.CalibratedClassifierCV."
            )
        return self.classifier

    def _n_folds(self, data):
        cv = check_integer("cv", self.cv, low=2, none=True, hint="None does not cross-fit.")
        if cv is None:
            return None
        folds = min(cv, len(data.source), len(data.target))
        return folds if folds > 1 else None

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if self.classifier is not None:
            # What is no estimator is refused by fit, in its own words: tags are read before it.
            known = hasattr(self.classifier, "__sklearn_tags__")
            tags.input_tags = get_tags(self.classifier).input_tags if known else tags.input_tags
        return tags
