"""Alarms when the rows of a stream are no longer distributed like the reference."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from .._core._param_checks import check_integer, check_option, check_real
from .._core._typing import ArrayLike, RandomState
from .._core._validation import fresh_fit
from ._columns import Columns
from ._conformal_test import ConformalTest
from ._evidence import Trace
from ._pair_test import PairTest

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TESTS = ("conformal", "mmd", "classifier")
_GUARANTEES = ("rate", "ever")
# From fewer rows no change could be told: soon most of the rows to compare with would be new.
_LEAST_ROWS = 10


class DriftMonitor(BaseEstimator):
    """Watch a stream of rows and sound an alarm when its distribution has changed.

    The monitor reads rows in batches of any size. After each it holds the evidence that some
    feature has changed since some row, and sounds the alarm when the evidence reaches 1 / `alpha`.
    The evidence may be looked at after every row, for ever: looking often does not make false
    alarms more frequent, as it would with a p-value per batch.

    Parameters
    ----------
    test : {"conformal", "mmd", "classifier"}, default="conformal"
        What is compared. "conformal": each feature by itself, by the ranks of its new values among
        all earlier ones; fast to answer and to compute, and says which feature. "mmd" and
        "classifier": all features together, by a score that learns to tell new rows from reference
        rows (the witness of the mean discrepancy of a Gaussian kernel; a logistic regression on the
        features and their products), so that changes of correlation are seen, which no
        feature shows by itself. They need more rows: see Notes.
    alpha : float, default=1e-6
        The alarm sounds when the evidence reaches 1 / `alpha`. With ``guarantee="rate"``: false
        alarms per row; the chance of one within the first n rows is n `alpha` at most. With
        "ever": the chance of a false alarm in a stream without end. Raising it gives earlier alarms
        and more false ones.
    guarantee : {"rate", "ever"}, default="rate"
        What `alpha` bounds. "rate" is for streams that are watched for long, where a change should
        be found as soon in the second year as in the first. "ever" bounds the chance of a single
        false alarm; the later a change comes, the more rows it takes.
    max_rows : int, default=5000
        Number of earlier rows that new ones are compared with, at least 10. When there are more,
        random ones are dropped. More rows show smaller and slower changes, and take more memory:
        8 `max_rows` bytes per feature.
    random_state : int, RandomState instance or None, default=None
        Seed of the random numbers that break ties, drop rows and form pairs. Pass an integer for
        results that can be repeated.

    Attributes
    ----------
    alarm_ : bool
        Whether the alarm has sounded since `fit` or the last `reset`.
    alarm_row_ : int or None
        Row at which it sounded. Rows are counted from 0 at the first row after `fit`.
    since_ : int or None
        Row at which the change began, as estimated when the alarm sounded.
    evalue_ : float
        Present evidence of a change.
    pvalue_ : float
        Bound on the chance of as much evidence as the largest so far if nothing has changed: in as
        many rows ("rate"), or in a stream without end ("ever").
    features_ : dict
        Evidence against each feature by its name, the largest first, to be compared with
        `threshold_`. "name (missing)" is evidence that its values are missing more or less often
        than before. The tests of all features together have one entry.
    trace_ : tuple of two ndarrays
        Rows and evidence since `fit` or the last `reset`; of long streams the largest values over
        spans of rows.
    threshold_ : float
        1 / `alpha`.
    n_rows_seen_ : int
        Number of rows since `fit`.
    seed_ : int
        Seed in use: a monitor with ``random_state=seed_`` repeats this one.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if all of them are text.

    See Also
    --------
    StreamingAdapter : Aligns a model again when the alarm sounds.
    skda.inspection.feature_shift : What differs between two given sets of rows.
    skda.metrics.mmd_test : One test of two given sets of rows.

    Notes
    -----
    **Evidence.** An e-factor is a non-negative function of a row with mean 1 while nothing has
    changed. The detector of [1]_ and [2]_ is R_n = (R_{n-1} + 1) e_n, the sum over k of the
    products of e_k, …, e_n: the evidence of a change at row k. Without a change its mean after n
    rows is n, and R grows by itself to c with probability n / c at most (Doob). Several kinds of
    e-factors are averaged: for shifts up and down of three sizes, for more and less spread, and for
    extreme values. Each feature has its own detector and threshold m / `alpha`, with m the number
    of detectors, and `evalue_` is the largest divided by m, which holds whatever the
    dependence between features. With ``guarantee="ever"`` row k has the weight 1 / (k (k + 1)) in
    place of 1, and the mean stays below 1 for all n (Ville).

    **Conformal** [3]_. The p-value of row n is the proportion of earlier values below its own, ties
    broken at random, and row n then joins the values that row n + 1 is compared with. While
    reference and stream are exchangeable, these p-values are exactly independent and uniform. Ranks
    in a reference that stays as it is would not do: they are off by some 1 / sqrt(n_reference)
    for ever, and over a long stream any detector finds that out. The price is that new rows
    after a change count as earlier rows soon: a change that is not found within about as many rows
    as the reference has becomes the normal state. So take at least a hundred rows as reference, and
    some thousands where small changes matter. Columns of text in data frames and arrays of objects
    are categories: a row's p-value is the proportion of rows with a rarer category. A missing
    value is left out of its feature's detector and counted by a second one, "name (missing)".

    **"mmd" and "classifier".** Every second row of the stream is paired with a reference row
    that was not used before, and takes the e-factor 1 + λ tanh(score(new) − score(reference)),
    where the score was learnt from earlier pairs alone, in the manner of [4]_ and [5]_; the rows in
    between replace the used ones. Again this is exact with a reference of any size. A fifth of the
    reference sets scales. Features are not told apart.

    Features keep no order in time: rows must be exchangeable while nothing has changed. Rows that
    come in runs (sorted by class, or a trend within each day) sound the alarm, rightly.

    Cost per row O(n_features (log max_rows + max_rows / 192)) for "conformal". Computed on the
    host. Array level (b).

    References
    ----------
    .. [1] Shin, J., Ramdas, A., Rinaldo, A. (2023). E-detectors: a nonparametric framework for
       sequential change detection. https://arxiv.org/abs/2203.03532
    .. [2] Vovk, V., Petej, I., Nouretdinov, I., Ahlberg, E., Carlsson, L., Gammerman, A. (2021).
       Retrain or not retrain: conformal test martingales for change-point detection. COPA.
       https://arxiv.org/abs/2102.10439
    .. [3] Vovk, V., Nouretdinov, I., Gammerman, A. (2003). Testing exchangeability on-line. ICML.
    .. [4] Shekhar, S., Ramdas, A. (2023). Nonparametric two-sample testing by betting. IEEE
       Transactions on Information Theory. https://arxiv.org/abs/2112.09162
    .. [5] Pandeva, T., Bakker, T., Naesseth, C. A., Forré, P. (2024). E-valuating classifier
       two-sample tests. TMLR. https://arxiv.org/abs/2210.13027

    Examples
    --------
    >>> import numpy as np
    >>> from skda.monitoring import DriftMonitor
    >>> rng = np.random.default_rng(0)
    >>> monitor = DriftMonitor(random_state=0).fit(rng.normal(size=(500, 10)))
    >>> monitor.update(rng.normal(size=(1000, 10))).alarm_
    False
    >>> later = rng.normal(size=(200, 10))
    >>> later[:, 3] += 1.0
    >>> monitor.update(later).alarm_
    True
    >>> next(iter(monitor.features_))
    'x3'
    >>> bool(abs(monitor.since_ - 1000) < 30)
    True
    """

    _array_level = "b"

    def __init__(
        self,
        test: Literal["conformal", "mmd", "classifier"] = "conformal",
        *,
        alpha: float = 1e-6,
        guarantee: Literal["rate", "ever"] = "rate",
        max_rows: int = 5000,
        random_state: RandomState = None,
    ):
        self.test = test
        self.alpha = alpha
        self.guarantee = guarantee
        self.max_rows = max_rows
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Take rows as the reference and start with no evidence.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            At least 10 rows of the normal state. NaN where a value is missing.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The monitor.

        Raises
        ------
        ValueError
            If a parameter is out of range, or X is empty, infinite or has too few rows.
        """
        with fresh_fit(self):
            check_option("test", self.test, _TESTS)
            ever = check_option("guarantee", self.guarantee, _GUARANTEES) == "ever"
            alpha = check_real("alpha", self.alpha, low=0, high=1, closed="neither")
            max_rows = check_integer("max_rows", self.max_rows, low=_LEAST_ROWS)
            self.seed_ = self._seed()
            self._columns = Columns(self, X)
            reference = self._columns.read(self, X)
            if len(reference) < _LEAST_ROWS:
                n = len(reference)
                raise ValueError(
                    f"DriftMonitor needs at least {_LEAST_ROWS} reference rows, or no change can "
                    f"be told; got {n} sample{'' if n == 1 else 's'}. Some hundreds are better."
                )
            options = {"max_rows": max_rows, "seed": self.seed_, "ever": ever}
            if self.test == "conformal":
                self._test = ConformalTest(self._columns, reference, **options)
            else:
                self._test = PairTest(self._columns, reference, kind=self.test, **options)  # type: ignore[assignment]
            self.threshold_ = 1.0 / alpha
            self.n_rows_seen_ = 0
            self._begin()
        return self

    def _seed(self):
        random_state = check_random_state(self.random_state)
        if isinstance(self.random_state, Integral):
            return int(self.random_state)
        return int(random_state.randint(2**31 - 1))

    def _begin(self):
        self._trace, self._first_row, self._peak = Trace(), self.n_rows_seen_, 0.0
        self.alarm_, self.alarm_row_, self.since_ = False, None, None
        self.evalue_, self.pvalue_ = 0.0, 1.0

    def update(self, X: ArrayLike) -> Self:
        """Take the next rows of the stream.

        After an alarm rows are counted and no longer watched, until `reset` or `fit`; so the result
        is the same however the stream is cut into batches.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Any number of rows, one is enough, in the order in which they came.

        Returns
        -------
        self : object
            The monitor, with its attributes up to date.
        """
        check_is_fitted(self, "threshold_")
        table = self._columns.read(self, X)
        if not self.alarm_:
            self._watch(table)
        self.n_rows_seen_ += len(table)
        return self

    def _watch(self, table):
        test, first_row = self._test, self.n_rows_seen_
        peaks, alarm = test.update(table, first_row, self.threshold_ * test.n_units)
        peaks = peaks / test.n_units
        self._trace.extend(peaks)
        self._peak = max(self._peak, float(peaks.max()))
        self.evalue_ = float(peaks[-1])
        # Within n rows a detector of weights 1 reaches c with probability n / c at most.
        n = 1 if self.guarantee == "ever" else first_row + len(peaks) - self._first_row
        self.pvalue_ = min(1.0, n / self._peak) if self._peak > 0 else 1.0
        if alarm is not None:
            self.alarm_, self.alarm_row_ = True, first_row + alarm
            self.since_ = int(np.clip(np.rint(test.since()), self._first_row, self.alarm_row_))

    @property
    def features_(self) -> Any:
        """Evidence against each feature, the largest first."""
        check_is_fitted(self, "threshold_")
        values = self._test.evalues()
        order = np.argsort(-values, kind="stable")
        return {self._test.names[i]: float(values[i]) for i in order}

    @property
    def trace_(self) -> Any:
        """Rows and evidence since the start, in bounded memory."""
        check_is_fitted(self, "threshold_")
        ends, values = self._trace.series()
        return ends + self._first_row, values

    def reset(self) -> Self:
        """Forget the evidence, and watch on; all rows up to now belong to the normal state.

        For an alarm that was a false one, or a change that is there to stay. To compare with other
        rows, `fit` them.

        Returns
        -------
        self : object
            The monitor.
        """
        check_is_fitted(self, "threshold_")
        self._test.begin()
        self._begin()
        return self

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the evidence over time, with the alarm and the estimated start of the change.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default=None
            Axes to draw in. None makes a figure.

        Returns
        -------
        ax : matplotlib.axes.Axes
            The axes.
        """
        check_is_fitted(self, "threshold_")
        # Here, because most monitors draw nothing.
        from ..inspection import DriftDisplay

        return DriftDisplay.from_estimator(self, ax=ax).ax_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags
