"""Which row is whose: stacking domains, naming them by signed integers, and checking both.

``sample_domain >= 0`` is a source, ``< 0`` a target; rows are of one domain when their ids are
equal. Nothing else about an id has a meaning.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from ._backend import Place, is_foreign_array, namespace, to_numpy
from ._warnings import warn_user

_HELPERS = "with skda.stack_domains or skda.encode_domains"


class DomainWarning(UserWarning):
    """There is something about the domains that the user should look at.

    Issued for example when an estimator is fitted without ``sample_domain``, so that there is
    nothing to adapt to.
    """


# ---------------------------------------------------------------------------------------------
# Rows of any container
# ---------------------------------------------------------------------------------------------


def n_rows(X):
    """Return the number of rows of an array, frame, sparse matrix or list."""
    return X.shape[0] if hasattr(X, "shape") else len(X)


def take_rows(X, rows):
    """Return the rows with these (host integer) indices from any row container.

    Consecutive rows of an array come back as a view.
    """
    if X is None:
        return None
    if hasattr(X, "iloc"):  # pandas
        return X.iloc[rows]
    if _is_polars(X):
        return X[rows.tolist()]
    if sparse.issparse(X):
        return X.tocsr()[rows]
    if not hasattr(X, "shape"):  # list, tuple
        return [X[i] for i in rows]
    rows = as_slice(rows)
    if isinstance(rows, slice) or isinstance(X, np.ndarray):
        return X[rows, ...]
    xp = namespace(X)
    return xp.take(X, Place(xp, X.device).asarray(rows), axis=0)


def join_rows(pieces, rows):
    """Put pieces back in place: piece i holds the rows with indices ``rows[i]``.

    The inverse of :func:`take_rows` over a partition of the rows. Array pieces come back as one
    array, sparse ones as CSR, data frames as a frame.
    """
    pieces = [piece for piece, index in zip(pieces, rows, strict=True) if len(index)]
    rows = [index for index in rows if len(index)]
    if len(pieces) == 1:
        return pieces[0]  # the partition has one part: all rows, in order
    joined = _concatenate(pieces)
    order = np.concatenate(rows)
    if (np.diff(order) == 1).all():
        return joined
    return take_rows(joined, np.argsort(order))


def as_slice(rows):
    """Return consecutive indices as a slice, which reads and writes without a copy."""
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all():
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


def _is_polars(X):
    return type(X).__module__.partition(".")[0] == "polars"


def _concatenate(pieces):
    """Stack row containers of one kind."""
    first = pieces[0]
    if hasattr(first, "iloc"):
        import pandas

        return pandas.concat(pieces)
    if _is_polars(first):
        import polars

        return polars.concat(pieces)
    if any(sparse.issparse(piece) for piece in pieces):
        return sparse.vstack(pieces, format="csr")
    xp = namespace(*pieces)
    return xp.concat(pieces, axis=0)


# ---------------------------------------------------------------------------------------------
# The rule for sample_domain
# ---------------------------------------------------------------------------------------------


def check_sample_domain(sample_domain, n_samples):
    """Return sample_domain as one signed integer per row, or say what is wrong with it."""
    ids = np.asarray(to_numpy(sample_domain))
    if ids.ndim != 1:
        raise ValueError(
            f"sample_domain must be one-dimensional, one integer per row; got shape {ids.shape}. "
            "Pass sample_domain.ravel() if it is a column."
        )
    if ids.shape[0] != n_samples:
        raise ValueError(
            f"sample_domain must have one value per row of X; got {ids.shape[0]} values for "
            f"{n_samples} rows. Build both together, for example {_HELPERS}."
        )
    if ids.dtype == object:
        ids = np.asarray(ids.tolist())
    if ids.dtype.kind == "b":
        raise ValueError(
            "sample_domain must be signed integers (source >= 0, target < 0); got booleans. "
            "Write np.where(is_target, -2, 1), or build it with skda.encode_domains."
        )
    if ids.dtype.kind not in "iuf":
        raise ValueError(
            f"sample_domain must be signed integers (source >= 0, target < 0); got values like "
            f"{ids.tolist()[0]!r}. Turn names into ids with skda.encode_domains(names, target=...)."
        )
    if ids.dtype.kind == "f":
        if not np.isfinite(ids).all():
            raise ValueError(
                "sample_domain must be signed integers (source >= 0, target < 0); got NaN or "
                f"infinity. Say for every row whose it is, for example {_HELPERS}."
            )
        if (ids != np.rint(ids)).any():
            raise ValueError(
                "sample_domain must be signed integers (source >= 0, target < 0); got the value "
                f"{ids[ids != np.rint(ids)][0]}. Build it {_HELPERS}."
            )
    return ids.astype(np.int64)


def check_both_sides(ids):
    """Raise if the rows are all source or all target."""
    for side, missing, mend in (
        ("source", not (ids >= 0).any(), "a non-negative"),
        ("target", not (ids < 0).any(), "a negative"),
    ):
        if missing:
            sign = ">= 0" if side == "source" else "< 0"
            raise ValueError(
                f"sample_domain has no {side} rows (values {sign}); got only "
                f"{np.unique(ids)[:5].tolist()}. Mark {side} rows with {mend} id, for example "
                "with skda.stack_domains. In a cross-validation, split with "
                "skda.model_selection.DomainStratifiedKFold, which keeps both domains in every "
                "fold."
            )


def domains_for_fit(sample_domain, n_samples, *, estimator, one_sided=False):
    """Return the id of each row to fit on; without any, every row is source, with a warning."""
    if sample_domain is None:
        warn_user(
            f"{type(estimator).__name__} was fitted without sample_domain: every row is taken as "
            "source and nothing is adapted. Pass sample_domain to fit (with "
            "sklearn.set_config(enable_metadata_routing=True) a Pipeline hands it on).",
            DomainWarning,
        )
        return np.zeros(n_samples, dtype=np.int64)
    ids = check_sample_domain(sample_domain, n_samples)
    if not one_sided:
        check_both_sides(ids)
    return ids


def domains_for_use(sample_domain, n_samples):
    """Return the id of each row to transform or predict; without any, every row is target."""
    if sample_domain is None:
        return np.full(n_samples, -1, dtype=np.int64)
    return check_sample_domain(sample_domain, n_samples)


def rows_to_score(sample_domain, n_samples):
    """Return the rows that ``score`` may look at, or None for all of them.

    With sample_domain these are the source rows: no target label chooses a model silently.
    """
    if sample_domain is None:
        return None
    rows = np.flatnonzero(check_sample_domain(sample_domain, n_samples) >= 0)
    if not len(rows):
        raise ValueError(
            "score with sample_domain looks at source rows only, and sample_domain has none "
            "(values >= 0). To score labelled target rows leave sample_domain out, or use "
            "skda.metrics.LabelledTargetScorer."
        )
    return rows


# ---------------------------------------------------------------------------------------------
# Labels
# ---------------------------------------------------------------------------------------------


def as_labels(y):
    """Return labels as a NumPy array that the caller may slice but not write to."""
    if y is None or isinstance(y, np.ndarray):
        return y
    if is_foreign_array(y):
        return to_numpy(y)
    if hasattr(y, "to_numpy"):  # pandas and polars, also their categorical and nullable types
        y = y.to_numpy()
        return y.astype(object) if y.dtype.kind not in "biufcOUSM" else y
    if hasattr(y, "__array__"):
        return np.asarray(y)
    if any(label is None for label in y):
        return np.asarray(y, dtype=object)
    if any(isinstance(label, str) for label in y) and not all(isinstance(v, str) for v in y):
        return np.asarray(y, dtype=object)  # keep numbers and text apart
    return np.asarray(y)


def missing_labels(y):
    """Return which labels are missing: NaN, None or NA, or -1 among integers."""
    y = as_labels(y)
    if y.ndim > 1:
        return np.asarray([missing_labels(column) for column in y.T]).any(axis=0)
    if y.dtype.kind == "i":
        return y == -1
    if y.dtype.kind == "f":
        return np.isnan(y)
    if y.dtype.kind == "O":
        return np.array([_is_missing(label) for label in y], dtype=bool)
    return np.zeros(y.shape[0], dtype=bool)


def _is_missing(label):
    if label is None:
        return True
    if isinstance(label, float | np.floating):
        return bool(np.isnan(label))
    return type(label).__name__ in ("NAType", "NaTType")


def labelled_rows(y, ids):
    """Return which rows have a label: every source row, and target rows where it is not missing.

    Raises
    ------
    ValueError
        If -1 is a class of the source and also stands on a target row, where it could mean both.
    """
    is_source = ids >= 0
    y = as_labels(y)
    if y.dtype.kind == "i" and y.ndim == 1:
        negative = y == -1
        if (negative & is_source).any() and (negative & ~is_source).any():
            raise ValueError(
                "y has the label -1 on source rows, where it is a class, and on target rows, "
                "where it may mean 'missing'. Recode the classes, for example to {0, 1}, or mark "
                "missing labels with None in an object array, as skda.stack_domains does."
            )
    return is_source | ~missing_labels(y)


def tidy_labels(y):
    """Return an object array of plain numbers, bools or strings as an array of their own type.

    ``stack_domains`` needs an object array to mark missing labels; scikit-learn refuses to
    guess the type of one.
    """
    if not isinstance(y, np.ndarray) or y.dtype != object or y.size == 0:
        return y
    kinds = {type(label) for label in y.ravel().tolist()}
    if len(kinds) == 1 and issubclass(kinds.pop(), str | bool | int | float | np.generic):
        return np.asarray(y.tolist())
    return y


# ---------------------------------------------------------------------------------------------
# The record that estimators work with
# ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DomainData:
    """Checked rows with their domains, ready to compute on."""

    X: Any
    """Rows of all domains, (n, d), at the place where the arithmetic runs (or a CSR matrix)."""
    y: np.ndarray | None
    """Labels as given, on the host; None if there are none."""
    ids: np.ndarray
    """Signed id of the domain of each row."""
    labelled: np.ndarray | None
    """Which rows have a label that may be used; None if the method looks at no label."""
    place: Place
    """Where the arithmetic runs."""
    home: Place
    """Where X came from, and where fitted arrays are kept."""

    @cached_property
    def xp(self):
        """Namespace of X."""
        return self.place.xp

    @cached_property
    def source(self):
        """Indices of the source rows."""
        return np.flatnonzero(self.ids >= 0)

    @cached_property
    def target(self):
        """Indices of the target rows."""
        return np.flatnonzero(self.ids < 0)

    @cached_property
    def domains(self):
        """Sorted ids of all domains."""
        return np.unique(self.ids).tolist()

    @property
    def source_domains(self):
        """Sorted ids of the sources."""
        return [i for i in self.domains if i >= 0]

    @property
    def target_domains(self):
        """Sorted ids of the targets."""
        return [i for i in self.domains if i < 0]

    @property
    def adapts(self):
        """Whether there are both source and target rows."""
        return len(self.source) > 0 and len(self.target) > 0

    @cached_property
    def X_source(self):
        """Source rows, in their order."""
        return take_rows(self.X, self.source)

    @cached_property
    def X_target(self):
        """Target rows, in their order."""
        return take_rows(self.X, self.target)

    @cached_property
    def y_source(self):
        """Labels of the source rows, of their own type."""
        return tidy_labels(take_rows(self.y, self.source))

    def rows(self, domain):
        """Return indices of the rows of one domain."""
        return np.flatnonzero(self.ids == domain)

    def X_of(self, domain):
        """Return the rows of one domain."""
        return take_rows(self.X, self.rows(domain))

    def keep(self, x):
        """Return a computed array as it is to be stored: where X came from."""
        return self.home.asarray(x)


# ---------------------------------------------------------------------------------------------
# Public helpers
# ---------------------------------------------------------------------------------------------


def _is_several(X):
    """Tell a list of domains from one domain given as a list of rows."""
    if not isinstance(X, list | tuple) or not len(X):
        return False
    first = X[0]
    if hasattr(first, "shape"):
        return len(first.shape) == 2
    return isinstance(first, list | tuple) and len(first) > 0 and np.ndim(first[0]) == 1


def _as_domains(X, y, name):
    """Return lists of X and y, one entry per domain."""
    if not _is_several(X):
        X, y = [X], [y]
    elif y is None:
        X, y = list(X), [None] * len(X)
    else:
        X, y = list(X), list(y)
        if len(y) != len(X):
            raise ValueError(
                f"X_{name} is a list of {len(X)} domains, so y_{name} must be a list of as many "
                f"label arrays; got {len(y)}."
            )
    X = [np.asarray(rows) if isinstance(rows, list | tuple) else rows for rows in X]
    for number, (rows, labels) in enumerate(zip(X, y, strict=True)):
        where = f"{name}[{number}]" if len(X) > 1 else name
        if len(np.shape(rows) if not hasattr(rows, "shape") else rows.shape) != 2:
            raise ValueError(
                f"X_{where} must be two-dimensional (rows, features); got shape "
                f"{tuple(rows.shape)}. Reshape one feature with .reshape(-1, 1)."
            )
        if n_rows(rows) == 0:
            raise ValueError(f"X_{where} has no rows. Leave that domain out.")
        if labels is not None and n_rows(labels) != n_rows(rows):
            raise ValueError(
                f"y_{where} must have one label per row of X_{where}; got {n_rows(labels)} labels "
                f"for {n_rows(rows)} rows."
            )
    return X, y


def _container(X):
    if sparse.issparse(X):
        return "sparse matrix"
    root = type(X).__module__.partition(".")[0]
    return f"{root} {type(X).__name__}"


def _check_alike(Xs):
    """Raise unless all domains are containers of one kind with the same columns."""
    kinds = sorted({_container(X) for X in Xs})
    if len({kind.replace("matrix", "array") for kind in kinds}) > 1:
        raise ValueError(
            f"All domains must be of one kind of container; got {kinds}. Convert them first, for "
            "example with .to_numpy()."
        )
    if hasattr(Xs[0], "columns"):
        names = list(Xs[0].columns)
        for X in Xs[1:]:
            if list(X.columns) != names:
                odd = sorted(set(map(str, X.columns)) ^ set(map(str, names)))
                raise ValueError(
                    "All domains must have the same columns in the same order; "
                    + (f"not shared: {odd[:10]}." if odd else "the order differs.")
                    + " Select them first, for example X_target[X_source.columns]."
                )
    widths = [X.shape[1] for X in Xs]
    if len(set(widths)) > 1:
        raise ValueError(
            f"All domains must have the same number of features; got {widths}. Features must mean "
            "the same in every domain."
        )


def _missing_like(labels, shape):
    """Return missing labels of this shape, and the labels in a type that can hold them."""
    if labels.dtype.kind == "u":
        labels = labels.astype(np.int64)
    if labels.dtype.kind == "i" and not (labels == -1).any():
        return np.full(shape, -1, dtype=labels.dtype), labels
    if labels.dtype.kind == "f":
        return np.full(shape, np.nan, dtype=labels.dtype), labels
    return np.full(shape, None, dtype=object), labels.astype(object)


def _join_labels(known):
    """Concatenate label arrays of different domains without turning numbers into text."""
    kinds = {"number" if y.dtype.kind in "iuf" else y.dtype.kind for y in known}
    if len(kinds) > 1:
        known = [y.astype(object) for y in known]
    return np.concatenate(known)


def stack_domains(X_source, y_source, X_target, y_target=None):
    """Stack source and target rows into one `X`, one `y` and one `sample_domain`.

    Parameters
    ----------
    X_source : array-like, data frame or sparse matrix of shape (n_source, n_features), or list
        Source rows; or a list of such, one per source domain.
    y_source : array-like of shape (n_source,) or (n_source, n_outputs), list of such, or None
        Labels of any kind: integers, strings, bools, floats. A list if `X_source` is a list.
        None if there are no labels at all.
    X_target : like X_source
        Target rows; or a list of such, one per target domain.
    y_target : like y_source, default=None
        Labels of the target rows where they are known, for scorers and for methods that use a
        few of them. An unsupervised method never looks at them. Without it target rows get a
        missing value: -1 for integer labels (unsigned ones become int64), NaN for floats, and
        None in an object array for strings, bools, objects and integers that contain -1.

    Returns
    -------
    X : array, data frame or sparse matrix of shape (n_source + n_target, n_features)
        Rows of all domains, sources first, in the kind of container that came in.
    y : ndarray of shape (n_source + n_target,) or (n_source + n_target, n_outputs), or None
        Labels, missing on target rows unless given.
    sample_domain : ndarray of int64 of shape (n_source + n_target,)
        Sources are numbered 1, 2, … and targets on from there with a minus sign: one source and
        one target are 1 and -2.

    Raises
    ------
    ValueError
        If the domains differ in their columns or in their kind of container, or if there are
        not as many labels as rows.

    See Also
    --------
    encode_domains : Turn a column of domain names into `sample_domain`.

    Examples
    --------
    >>> import numpy as np
    >>> from skda import stack_domains
    >>> X, y, sample_domain = stack_domains(np.zeros((2, 3)), ["no", "yes"], np.ones((1, 3)))
    >>> X.shape
    (3, 3)
    >>> y
    array(['no', 'yes', None], dtype=object)
    >>> sample_domain
    array([ 1,  1, -2])
    """
    sources, y_sources = _as_domains(X_source, y_source, "source")
    targets, y_targets = _as_domains(X_target, y_target, "target")
    Xs, ys = sources + targets, y_sources + y_targets
    _check_alike(Xs)
    X = _concatenate(Xs)
    if hasattr(X, "iloc"):
        X = X.reset_index(drop=True)

    if y_source is None and y_target is not None:
        raise ValueError("y_target was given without y_source. Pass the labels of the source too.")
    sides = [1] * len(sources) + [-1] * len(targets)
    sample_domain = np.repeat(
        [side * number for number, side in enumerate(sides, start=1)], [n_rows(X) for X in Xs]
    )
    y = None if y_source is None else _stack_labels(ys, [n_rows(X) for X in Xs])
    return X, y, sample_domain.astype(np.int64)


def _stack_labels(ys, sizes):
    known = [as_labels(y) for y in ys if y is not None]
    joined = _join_labels(known)
    n_missing = sum(n for y, n in zip(ys, sizes, strict=True) if y is None)
    if not n_missing:
        return joined
    missing, joined = _missing_like(joined, (n_missing, *joined.shape[1:]))
    # Only trailing targets and unlabelled sources of a list can be missing: fill block by block.
    blocks, at_known, at_missing = [], 0, 0
    for y, n in zip(ys, sizes, strict=True):
        if y is None:
            blocks.append(missing[at_missing : at_missing + n])
            at_missing += n
        else:
            blocks.append(joined[at_known : at_known + n])
            at_known += n
    return np.concatenate(blocks)


def encode_domains(labels, target):
    """Turn a column of domain names into `sample_domain`.

    Parameters
    ----------
    labels : array-like of shape (n_samples,)
        Name of the domain of each row: sites, years, instruments. Text or numbers.
    target : label or list of labels
        Name or names of the target domains. All others are sources.

    Returns
    -------
    sample_domain : ndarray of int64 of shape (n_samples,)
        Sources are numbered 1, 2, … in the sorted order of their names and targets on from there
        with a minus sign.

    Raises
    ------
    ValueError
        If a target is not among the labels, if nothing is left as source, or if a name is
        missing.

    See Also
    --------
    stack_domains : Stack separate arrays and number them.

    Examples
    --------
    >>> from skda import encode_domains
    >>> encode_domains(["Bonn", "Lyon", "Bonn", "Turin"], target="Bonn")
    array([-3,  1, -3,  2])
    """
    names = as_labels(labels)
    if names.ndim != 1:
        raise ValueError(f"labels must be one-dimensional; got shape {names.shape}.")
    missing = (
        np.isnan(names)
        if names.dtype.kind == "f"
        else np.array([_is_missing(name) for name in names], dtype=bool)
    )
    if missing.any():
        raise ValueError(
            f"labels must name a domain for every row; {int(missing.sum())} are missing, the "
            f"first in row {int(np.flatnonzero(missing)[0])}. Drop those rows or name them."
        )
    try:
        present = np.unique(tidy_labels(names)).tolist()
    except TypeError as error:
        raise ValueError("labels mixes text and numbers. Use one of them, e.g. str.") from error
    targets = list(target) if isinstance(target, list | tuple | set | np.ndarray) else [target]
    unknown = [name for name in targets if name not in present]
    if unknown or not targets:
        raise ValueError(f"target must be among the labels {present}; got {target!r}.")
    sources = [name for name in present if name not in targets]
    if not sources:
        raise ValueError(f"target={target!r} leaves no source. The labels are {present}.")
    ids = {name: number for number, name in enumerate(sources, start=1)}
    first = len(sources) + 1
    ids |= {
        name: -number
        for number, name in enumerate([n for n in present if n in targets], start=first)
    }
    return np.array([ids[name] for name in names.tolist()], dtype=np.int64)
