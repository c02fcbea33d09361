"""Splitters that keep both domains in every part, and leaving one domain out."""

import numbers

import numpy as np
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import type_of_target

from .._array._rows import n_rows
from .._core._labels import as_labels
from .._core._sample_domain import check_both_sides, check_sample_domain
from .._core._stack import encode_domains

_N_BINS = 10  # of regression targets


def strata(y, ids, *, min_size=2):
    """Return an integer per row: its domain and, on source rows, its class.

    Continuous `y` is cut into quantile bins of at least `min_size` source rows. Labels of target
    rows are not looked at.
    """
    classes = np.zeros(len(ids), dtype=np.int64)
    source = ids >= 0
    if y is not None:
        classes[source] = _classes(as_labels(y)[source], min_size)
    return np.unique(np.stack([ids, classes]), axis=1, return_inverse=True)[1].ravel()


def _classes(y, min_size):
    if y.ndim > 1:
        y = y[:, 0] if y.shape[1] == 1 else np.unique(y, axis=0, return_inverse=True)[1].ravel()
    known = y[np.isfinite(y)] if y.dtype.kind == "f" else y
    if y.dtype.kind == "f" and len(known) and type_of_target(known) == "continuous":
        n_bins = max(1, min(_N_BINS, len(y) // min_size))
        edges = np.nanquantile(y, np.linspace(0, 1, n_bins + 1)[1:-1])
        return np.searchsorted(edges, y, side="right")
    if y.dtype == object:  # may mix types that do not sort
        y = np.array([f"{type(label).__name__} {label}" for label in y])
    return np.unique(y, return_inverse=True)[1]


class _DomainSplitter(BaseCrossValidator):
    """Splitter that asks for ``sample_domain``."""

    __metadata_request__split = {"sample_domain": True}

    def _ids(self, X, sample_domain):
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

    def get_n_splits(self, X=None, y=None, groups=None, *, sample_domain=None):
        """Return the number of splits.

        Parameters
        ----------
        X, y, groups, sample_domain : object, default=None
            Not looked at.

        Returns
        -------
        n_splits : int
            Number of splits.
        """
        return self.n_splits


class DomainStratifiedKFold(_DomainSplitter):
    """Cut the rows into folds that hold every domain, and every source class, in its share.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    random_state : int, RandomState instance or None, default=None
        Seed of the shuffling. Rows are always shuffled within their domain and class.

    See Also
    --------
    DomainShuffleSplit : Random parts of a given size.
    iter_target_domains : Each domain in turn as the target.

    Notes
    -----
    Strata are the domains and, within source domains, the classes of `y` (quantile bins of
    continuous `y`). Each stratum is spread over the folds to within one row, and so are the rows
    as a whole. Labels of target rows are not looked at. ``sample_domain`` is requested by default,
    so that with metadata routing on ``GridSearchCV(...).fit(X, y, sample_domain=...)`` hands it
    over. A plain K-fold on stacked rows would put the domains into different folds.

    Examples
    --------
    >>> import numpy as np
    >>> from skda.model_selection import DomainStratifiedKFold
    >>> sample_domain = np.repeat([1, -2], [8, 4])
    >>> y = np.array([0, 1] * 4 + [-1] * 4)
    >>> cv = DomainStratifiedKFold(n_splits=2, random_state=0)
    >>> for train, test in cv.split(np.zeros((12, 1)), y, sample_domain=sample_domain):
    ...     print(np.unique(sample_domain[test], return_counts=True)[1])
    [2 4]
    [2 4]
    """

    def __init__(self, n_splits=5, *, random_state=None):
        self.n_splits = n_splits
        self.random_state = random_state

    def split(self, X, y=None, groups=None, *, sample_domain=None):
        """Yield the rows of each train and test part.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : array-like of shape (n_samples,), default=None
            Labels or values; those of target rows are not looked at.
        groups : object, default=None
            Not looked at.
        sample_domain : array-like of int of shape (n_samples,)
            Domain of each row.

        Yields
        ------
        train : ndarray of int
            Sorted indices of the rows to fit on.
        test : ndarray of int
            Sorted indices of the rows to score on.
        """
        ids = self._ids(X, sample_domain)
        k = self.n_splits
        if not isinstance(k, numbers.Integral) or k < 2:
            raise ValueError(f"n_splits must be an integer of at least 2; got {k!r}.")
        for side, size in (("source", int((ids >= 0).sum())), ("target", int((ids < 0).sum()))):
            if size < k:
                raise ValueError(
                    f"n_splits={k} needs at least {k} {side} rows, one for each fold; got {size}. "
                    "Lower n_splits."
                )
        rng = check_random_state(self.random_state)
        # Dealing out the rows stratum by stratum spreads each one, and the whole, evenly.
        order = np.lexsort((rng.permutation(len(ids)), strata(y, ids, min_size=k)))
        fold = np.empty(len(ids), dtype=np.int64)
        fold[order] = np.arange(len(ids)) % k
        for i in range(k):
            yield np.flatnonzero(fold != i), np.flatnonzero(fold == i)


class DomainShuffleSplit(_DomainSplitter):
    """Draw random parts that hold every domain, and every source class, in its share.

    Parameters
    ----------
    n_splits : int, default=10
        Number of draws.
    test_size : float, default=0.2
        Share of the rows of each domain to score on, in (0, 1).
    train_size : float or None, default=None
        Share of the rows of each domain to fit on. None is all that are not in the test part.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    See Also
    --------
    DomainStratifiedKFold : Each row is in one test part exactly.

    Notes
    -----
    Every domain of two rows or more has at least one row in each part; a domain of one row is in
    the train part. Within a source domain each class (quantile bin of continuous `y`) has its
    share to within one row. Labels of target rows are not looked at. ``sample_domain`` is
    requested by default.

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

    def __init__(self, n_splits=10, *, test_size=0.2, train_size=None, random_state=None):
        self.n_splits = n_splits
        self.test_size = test_size
        self.train_size = train_size
        self.random_state = random_state

    def split(self, X, y=None, groups=None, *, sample_domain=None):
        """Yield the rows of each train and test part.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of all domains.
        y : array-like of shape (n_samples,), default=None
            Labels or values; those of target rows are not looked at.
        groups : object, default=None
            Not looked at.
        sample_domain : array-like of int of shape (n_samples,)
            Domain of each row.

        Yields
        ------
        train : ndarray of int
            Sorted indices of the rows to fit on.
        test : ndarray of int
            Sorted indices of the rows to score on.
        """
        ids = self._ids(X, sample_domain)
        self._check_sizes()
        for side, size in (("source", int((ids >= 0).sum())), ("target", int((ids < 0).sum()))):
            if size < 2:
                raise ValueError(
                    f"DomainShuffleSplit needs at least 2 {side} rows, one for each part; got 1."
                )
        train_size = 1 - self.test_size if self.train_size is None else self.train_size
        stratum = strata(y, ids)
        rng = check_random_state(self.random_state)
        for _ in range(self.n_splits):
            parts = [
                _two_parts(np.flatnonzero(ids == domain), stratum, self.test_size, train_size, rng)
                for domain in np.unique(ids)
            ]
            train, test = (np.sort(np.concatenate(part)) for part in zip(*parts, strict=True))
            for side, mask in (("source", ids[test] >= 0), ("target", ids[test] < 0)):
                if not mask.any():
                    raise ValueError(
                        f"No {side} row can be held out: every {side} domain has a single row. "
                        "Give rows of one kind one id."
                    )
            yield train, test

    def _check_sizes(self):
        if not isinstance(self.n_splits, numbers.Integral) or self.n_splits < 1:
            raise ValueError(f"n_splits must be an integer of at least 1; got {self.n_splits!r}.")
        for name in ("test_size", "train_size"):
            size = getattr(self, name)
            if size is None and name == "train_size":
                continue
            if not isinstance(size, numbers.Real) or not 0 < size < 1:
                raise ValueError(
                    f"{name} must be a share of the rows, in (0, 1); got {size!r}. For a number "
                    "of rows divide it by the size of the domain."
                )
        if self.train_size is not None and self.train_size + self.test_size > 1:
            raise ValueError(
                "train_size + test_size must not be more than 1; got "
                f"{self.train_size} + {self.test_size}."
            )


def _two_parts(rows, stratum, test_size, train_size, rng):
    """Return train and test rows of one domain, each stratum in its share."""
    n = len(rows)
    if n == 1:
        return rows, rows[:0]
    n_test = min(max(1, round(test_size * n)), n - 1)
    n_train = min(max(1, round(train_size * n)), n - n_test)
    order = rows[np.lexsort((rng.permutation(n), stratum[rows]))]
    test = _spread(n, n_test, rng)
    rest = np.delete(order, test)
    return rest[_spread(n - n_test, n_train, rng)], order[test]


def _spread(n, k, rng):
    """Return k of n positions, evenly spaced from a random start."""
    return np.floor((np.arange(k) + rng.uniform()) * n / k).astype(np.int64)


def iter_target_domains(domains):
    """Take each domain in turn as the target, all others as sources.

    A splitter cannot do this: it chooses rows, and what makes a row a target is its id.

    Parameters
    ----------
    domains : array-like of shape (n_samples,)
        Name or number of the domain of each row: sites, years, instruments.

    Yields
    ------
    name : object
        Name of the domain that is the target.
    sample_domain : ndarray of int64 of shape (n_samples,)
        Signed ids with that domain as the only target.

    Raises
    ------
    ValueError
        If there are fewer than two domains, or a name is missing.

    See Also
    --------
    skda.encode_domains : The same for one chosen target.

    Examples
    --------
    >>> from skda.model_selection import iter_target_domains
    >>> for name, sample_domain in iter_target_domains(["Bonn", "Lyon", "Bonn"]):
    ...     print(name, sample_domain)
    Bonn [-2  1 -2]
    Lyon [ 1 -2  1]
    """
    names = as_labels(domains)
    if names.ndim != 1:
        raise ValueError(f"domains must be one-dimensional; got shape {names.shape}.")
    present = list(dict.fromkeys(names.tolist()))
    if len(present) < 2:
        raise ValueError(f"domains must name at least two domains; got only {present}.")
    encode_domains(names, present[0])  # missing or mixed names fail before the first fit
    for name in sorted(present):
        yield name, encode_domains(names, name)
