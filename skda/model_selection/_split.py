"""Splitters that keep both domains in every part, and leaving one domain out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import type_of_target

from .._array._rows import n_rows
from .._core._labels import as_labels, missing_labels
from .._core._param_checks import check_bool, check_integer, check_real
from .._core._sample_domain import check_both_sides, check_sample_domain
from .._core._stack import encode_domains
from .._core._typing import ArrayLike, DomainIds, RandomState

# Of regression targets: deciles balance a fold well, and hold enough rows to be spread over folds.
_N_BINS = 10


def strata(y, ids, *, min_size=2):
    """Return an integer per row: its domain, its class (source) or whether it is labeled (target).

    Continuous `y` is cut into quantile bins of at least `min_size` source rows. Of target rows it
    counts whether they have a label, so that the few that have one do not all fall into one fold;
    which label that is has no influence.
    """
    classes, source = np.zeros(len(ids), dtype=np.int64), ids >= 0
    if y is not None:
        y = as_labels(y)
        classes[source] = _classes(y[source], min_size)
        classes[~source] = _has_label(y, source)[~source]
    # The labeled rows of all targets follow each other, to be dealt out together: there are few.
    keys = np.stack([source, np.where(source, 0, classes), ids, classes])
    return np.unique(keys, axis=1, return_inverse=True)[1].ravel()


def _has_label(y, source):
    missing = missing_labels(y)
    # Where -1 is a class of the source it cannot mark missing labels on target rows.
    if y.dtype.kind == "i" and missing[source].any():
        return np.ones(len(y), dtype=bool)
    return ~missing


def _classes(y, min_size):
    """Return a code per source row for its class, or for its bin of continuous values."""
    # Several outputs are one stratum per combination of values.
    if y.ndim > 1:
        y = y[:, 0] if y.shape[1] == 1 else np.unique(y, axis=0, return_inverse=True)[1].ravel()
    known = y[np.isfinite(y)] if y.dtype.kind == "f" else y
    if y.dtype.kind == "f" and len(known) and type_of_target(known) == "continuous":
        # A bin with fewer rows than folds could not be in all of them.
        n_bins = max(1, min(_N_BINS, len(y) // min_size))
        edges = np.nanquantile(y, np.linspace(0, 1, n_bins + 1)[1:-1])
        return np.searchsorted(edges, y, side="right")
    if y.dtype == object:  # may mix types that do not sort
        y = np.array([f"{type(label).__name__} {label}" for label in y])
    return np.unique(y, return_inverse=True)[1]


def interleaved(rows, stratum, rng):
    """Return rows in an order in which every stratum is spread evenly from first to last.

    :func:`sklearn.model_selection.learning_curve` fits on the first rows of a train part; in
    sorted order these would be of one domain. `rng` is None to keep the order within a stratum.
    """
    rows = np.sort(rows) if rng is None else rng.permutation(rows)
    _, codes, sizes = np.unique(stratum[rows], return_inverse=True, return_counts=True)
    by_stratum = np.argsort(codes, kind="stable")
    # The k-th of n rows of a stratum goes to the place (k + ½)/n of the whole.
    rank = np.empty(len(rows))
    rank[by_stratum] = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return rows[np.lexsort((codes, (rank + 0.5) / sizes[codes]))]


class _DomainSplitter(BaseCrossValidator):
    """Splitter that requests ``sample_domain``."""

    __metadata_request__split = {"sample_domain": True}

    def _check_domains(self, X, sample_domain):
        name = type(self).__name__
        if sample_domain is None:
            raise ValueError(
                f"{name} needs sample_domain to keep both domains in every part; got None. Switch "
                "on sklearn.set_config(enable_metadata_routing=True) and pass sample_domain to "
                "the search's fit (to cross_validate: params={'sample_domain': ...}), or pass "
                "cv=list(splitter.split(X, y, sample_domain=sample_domain))."
            )
        ids = check_sample_domain(sample_domain, n_rows(X))
        check_both_sides(ids)
        return ids

    def get_n_splits(
        self,
        X: object = None,
        y: object = None,
        groups: object = None,
        *,
        sample_domain: object = None,
    ) -> int:
        """Return the number of splits.

        Parameters
        ----------
        X, y, groups, sample_domain : object, default=None
            Ignored.

        Returns
        -------
        n_splits : int
            Number of splits.
        """
        return self.n_splits


class DomainStratifiedKFold(_DomainSplitter):
    """Cut the rows into folds that hold every domain, and every source class, in proportion.

    The domain-aware counterpart of :class:`sklearn.model_selection.StratifiedKFold`. A plain K-fold
    on stacked rows would put the domains into different folds, so that a fold could neither be
    adapted nor scored.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2. More folds leave more rows to fit on and cost more fits.
    shuffle : bool, default=False
        Whether to shuffle rows within their domain and class first. Without it they are assigned
        to the folds in turn, in the order of the data, and every call gives the same folds.
    random_state : int, RandomState instance or None, default=None
        Seed of the shuffling; only with ``shuffle=True``. With None every call gives other folds.

    Raises
    ------
    ValueError
        In ``split``, if a domain is missing, a side has fewer rows than folds, or an integer
        `random_state` is given without `shuffle`.

    See Also
    --------
    DomainShuffleSplit : Random parts of a given size.
    iter_target_domains : Each domain in turn as the target.
    compare : Puts several candidates through the same folds.

    Notes
    -----
    Strata are the domains; within source domains, the classes of `y` (quantile bins of continuous
    `y`); within target domains, the rows with and those without a label. Each stratum is spread
    over the folds to within one row, and so are the labeled rows of all targets together, and the
    rows as a whole. What the labels of target rows are is ignored. ``sample_domain`` is requested
    by default, so that with metadata routing on ``GridSearchCV(...).fit(X, y, sample_domain=...)``
    passes it on.

    Rows of the train part come in an order that interleaves the strata, so that the first rows that
    :func:`sklearn.model_selection.learning_curve` fits on are of both domains and of all
    classes. Cost O(n log n).

    Examples
    --------
    >>> import numpy as np
    >>> from skda.model_selection import DomainStratifiedKFold
    >>> sample_domain = np.repeat([1, -2], [8, 4])
    >>> y = np.array([0, 1] * 4 + [-1] * 4)
    >>> cv = DomainStratifiedKFold(n_splits=2)
    >>> for train, test in cv.split(np.zeros((12, 1)), y, sample_domain=sample_domain):
    ...     print(np.unique(sample_domain[test], return_counts=True)[1])
    [2 4]
    [2 4]
    """

    def __init__(
        self, n_splits: int = 5, *, shuffle: bool = False, random_state: RandomState = None
    ):
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.random_state = random_state

    def split(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        groups: object = None,
        *,
        sample_domain: DomainIds | None = None,
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the rows of each train and test part.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : array-like of shape (n_samples,), default=None
            Labels or values; of target rows it counts only whether they have one.
        groups : object, default=None
            Ignored.
        sample_domain : array-like of int of shape (n_samples,)
            Domain of each row.

        Yields
        ------
        train : ndarray of int
            Indices of the rows to fit on, domains and classes interleaved.
        test : ndarray of int
            Sorted indices of the rows to score on.
        """
        self._check_params()
        ids, k = self._check_domains(X, sample_domain), self.n_splits
        for side, size in (("source", int((ids >= 0).sum())), ("target", int((ids < 0).sum()))):
            if size < k:
                raise ValueError(
                    f"n_splits={k} needs at least {k} {side} rows, one for each fold; got {size}. "
                    "Lower n_splits."
                )
        stratum = strata(y, ids, min_size=k)
        rng = check_random_state(self.random_state) if self.shuffle else None
        within = np.arange(len(ids)) if rng is None else rng.permutation(len(ids))
        # Dealing out the rows stratum by stratum spreads each one, and the whole, evenly.
        order = np.lexsort((within, stratum))
        fold = np.empty(len(ids), dtype=np.int64)
        fold[order] = np.arange(len(ids)) % k
        for i in range(k):
            yield interleaved(np.flatnonzero(fold != i), stratum, rng), np.flatnonzero(fold == i)

    def _check_params(self):
        check_integer("n_splits", self.n_splits, low=2)
        # A generator may be none of the user's: StackingClassifier puts one into every splitter.
        seeded = self.random_state is not None and not isinstance(
            self.random_state, np.random.RandomState
        )
        if not check_bool("shuffle", self.shuffle) and seeded:
            raise ValueError(
                f"random_state={self.random_state!r} has no effect without shuffling. Pass "
                "shuffle=True as well, or leave random_state out: the folds are then the same in "
                "every call."
            )


class DomainShuffleSplit(_DomainSplitter):
    """Choose random parts that hold every domain, and every source class, in proportion.

    The domain-aware counterpart of :class:`sklearn.model_selection.StratifiedShuffleSplit`: parts
    of any size, as many as wanted, which may overlap.

    Parameters
    ----------
    n_splits : int, default=10
        Number of random splits.
    test_size : float, default=0.2
        Proportion of the rows of each domain to score on, in (0, 1).
    train_size : float or None, default=None
        Proportion of the rows of each domain to fit on. None is all that are not in the test part.
    random_state : int, RandomState instance or None, default=None
        Seed of the splits. With None every call gives other ones.

    Raises
    ------
    ValueError
        In ``split``, if a domain is missing, a side has a single row, or a size is out of range.

    See Also
    --------
    DomainStratifiedKFold : Each row is in one test part exactly.
    iter_target_domains : Each domain in turn as the target.

    Notes
    -----
    Every domain of two rows or more has at least one row in each part; a domain of one row is in
    the train part. Within a domain each stratum has its proportion to within one row: of a source
    domain the classes (quantile bins of continuous `y`), of a target domain the rows with and
    those without a label. What the labels of target rows are is ignored. ``sample_domain`` is
    requested by default. Rows of the train part interleave the strata. Cost O(n log n) per split.

    Examples
    --------
    >>> import numpy as np
    >>> from skda.model_selection import DomainShuffleSplit
    >>> sample_domain = np.repeat([1, -2], [15, 5])
    >>> cv = DomainShuffleSplit(n_splits=1, test_size=0.2, random_state=0)
    >>> train, test = next(cv.split(np.zeros((20, 1)), sample_domain=sample_domain))
    >>> sample_domain[test]
    array([ 1,  1,  1, -2])
    """

    def __init__(
        self,
        n_splits: int = 10,
        *,
        test_size: float = 0.2,
        train_size: float | None = None,
        random_state: RandomState = None,
    ):
        self.n_splits = n_splits
        self.test_size = test_size
        self.train_size = train_size
        self.random_state = random_state

    def split(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        groups: object = None,
        *,
        sample_domain: DomainIds | None = None,
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the rows of each train and test part.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : array-like of shape (n_samples,), default=None
            Labels or values; of target rows it counts only whether they have one.
        groups : object, default=None
            Ignored.
        sample_domain : array-like of int of shape (n_samples,)
            Domain of each row.

        Yields
        ------
        train : ndarray of int
            Indices of the rows to fit on, domains and classes interleaved.
        test : ndarray of int
            Sorted indices of the rows to score on.
        """
        self._check_params()
        ids = self._check_domains(X, sample_domain)
        for side, size in (("source", int((ids >= 0).sum())), ("target", int((ids < 0).sum()))):
            if size < 2:
                raise ValueError(
                    f"DomainShuffleSplit needs at least 2 {side} rows, one for each part; got 1."
                )
        stratum = strata(y, ids)
        rng = check_random_state(self.random_state)
        # All parts come first: the order within a train part must not change the next one's rows.
        parts = [self._random_parts(ids, stratum, rng) for _ in range(self.n_splits)]
        for train, test in parts:
            for side, there in (("source", ids[test] >= 0), ("target", ids[test] < 0)):
                if not there.any():
                    raise ValueError(
                        f"No {side} row can be held out: every {side} domain has a single row. "
                        "Give rows of one kind one id."
                    )
            yield interleaved(train, stratum, rng), test

    def _random_parts(self, ids, stratum, rng):
        """Return train and test rows of all domains, sorted."""
        train_size = 1 - self.test_size if self.train_size is None else self.train_size
        parts = [
            _two_parts(np.flatnonzero(ids == domain), stratum, self.test_size, train_size, rng)
            for domain in np.unique(ids)
        ]
        return tuple(np.sort(np.concatenate(part)) for part in zip(*parts, strict=True))

    def _check_params(self):
        check_integer("n_splits", self.n_splits)
        hint = "It is a proportion: for a number of rows divide it by the size of the domain."
        bounds = {"low": 0, "high": 1, "closed": "neither", "hint": hint}
        test_size = check_real("test_size", self.test_size, **bounds)
        train_size = check_real("train_size", self.train_size, none=True, **bounds)
        if train_size is not None and train_size + test_size > 1:
            raise ValueError(
                "train_size + test_size must not be more than 1; got "
                f"{self.train_size} + {self.test_size}."
            )


def _two_parts(rows, stratum, test_size, train_size, rng):
    """Return train and test rows of one domain, each stratum in proportion."""
    n = len(rows)
    if n == 1:  # a model can be fitted on it; a score of one row says nothing
        return rows, rows[:0]
    n_test = min(max(1, round(test_size * n)), n - 1)
    n_train = min(max(1, round(train_size * n)), n - n_test)
    # Evenly spaced positions in rows sorted by stratum take each stratum in proportion.
    order = rows[np.lexsort((rng.permutation(n), stratum[rows]))]
    test = _evenly_spaced(n, n_test, rng)
    rest = np.delete(order, test)
    return rest[_evenly_spaced(n - n_test, n_train, rng)], order[test]


def _evenly_spaced(n, k, rng):
    """Return k of n positions, evenly spaced from a random start."""
    return np.floor((np.arange(k) + rng.uniform()) * n / k).astype(np.int64)


def iter_target_domains(
    domains: ArrayLike, *, past_only: bool = False
) -> Iterator[tuple[Any, ...]]:
    """Take each domain in turn as the target, all others (or all earlier ones) as sources.

    With labels in several domains this shows how a method does on a domain whose labels it has not
    seen. A splitter cannot do it: it chooses rows, and what makes a row a target is its id.

    Parameters
    ----------
    domains : array-like of shape (n_samples,)
        Name or number of the domain of each row: sites, years, instruments.
    past_only : bool, default=False
        Whether the sources are the domains before the target only, in the sorted order of their
        names, as they would have been known at that time (a rolling origin). The first domain is
        never the target then.

    Yields
    ------
    name : object
        Name of the domain that is the target.
    sample_domain : ndarray of int64 of shape (n_samples,)
        Signed ids with that domain as the only target. With `past_only`, those of `rows` alone.
    rows : ndarray of int64
        With `past_only` only: the rows of the target and of the domains before it.

    Raises
    ------
    ValueError
        If there are fewer than two domains, or a name is missing.

    See Also
    --------
    skda.encode_domains : The same for one chosen target.
    compare : Takes what this yields in place of `sample_domain`.
    DomainStratifiedKFold : Folds that hold all domains.

    Examples
    --------
    >>> from skda.model_selection import iter_target_domains
    >>> for name, sample_domain in iter_target_domains(["Bonn", "Lyon", "Bonn"]):
    ...     print(name, sample_domain)
    Bonn [-2  1 -2]
    Lyon [ 1 -2  1]
    >>> years = [2023, 2024, 2025, 2023]
    >>> for year, sample_domain, rows in iter_target_domains(years, past_only=True):
    ...     print(year, sample_domain, rows)
    2024 [ 1 -2  1] [0 1 3]
    2025 [ 1  2 -3  1] [0 1 2 3]
    """
    check_bool("past_only", past_only)
    if domains is None or isinstance(domains, str):
        raise ValueError(
            f"domains must hold the name or number of the domain of each row; got {domains!r}."
        )
    names = as_labels(domains)
    if names.ndim != 1:
        raise ValueError(f"domains must be one-dimensional; got shape {names.shape}.")
    present = list(dict.fromkeys(names.tolist()))
    if len(present) < 2:
        raise ValueError(f"domains must name at least two domains; got only {present}.")
    encode_domains(names, present[0])  # missing or mixed names fail before the first fit
    ordered = sorted(present)
    if not past_only:
        for name in ordered:
            yield name, encode_domains(names, name)
        return
    place = np.array([ordered.index(name) for name in names.tolist()])
    for i, name in enumerate(ordered[1:], start=1):
        rows = np.flatnonzero(place <= i)
        yield name, encode_domains(names[rows], name), rows
