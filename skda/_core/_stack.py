"""Public helpers that build ``X, y, sample_domain``: stacking domains and naming them."""

from __future__ import annotations

from numbers import Number
from typing import Any, Literal

import numpy as np
from scipy import sparse

from .._array._rows import check_has_rows, concatenate_columns, concatenate_rows, n_rows
from ._labels import as_labels, is_missing, join_labels, missing_like, take_labels
from ._param_checks import check_option
from ._typing import Array, ArrayLike


def _is_several(X):
    """Return whether X is a list of domains, not one domain given as a list of rows."""
    # Arrays and frames are one domain, whatever their shape: a rule that needs no guess.
    if not isinstance(X, list | tuple) or not len(X):
        return False
    first = X[0]
    if hasattr(first, "shape"):
        return len(first.shape) == 2
    # Nested lists: one level more than a table of rows means several tables.
    return isinstance(first, list | tuple) and len(first) > 0 and np.ndim(first[0]) == 1


def _as_domains(X, y, name):
    """Return lists of X and y, one entry per domain."""
    if X is None or isinstance(X, str | bytes | dict | set):
        raise ValueError(
            f"X_{name} must be an array, data frame or sparse matrix of rows, or a list of such; "
            f"got {type(X).__name__}. Pass one table per domain."
        )
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
        check_has_rows(f"X_{where}", rows)
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


def _check_one_container(Xs):
    """Raise unless all domains are containers of one kind."""
    kinds = sorted({_container(X) for X in Xs})
    if len({kind.replace("matrix", "array") for kind in kinds}) > 1:
        raise ValueError(
            f"All domains must be of one kind of container; got {kinds}. Convert them first, for "
            "example with .to_numpy()."
        )


def _check_alike(Xs):
    """Raise unless all domains have the same columns."""
    if hasattr(Xs[0], "columns"):
        names = list(Xs[0].columns)
        for X in Xs[1:]:
            if list(X.columns) != names:
                odd = sorted(set(map(str, X.columns)) ^ set(map(str, names)))
                raise ValueError(
                    "All domains must have the same columns in the same order; "
                    + (f"not shared: {odd[:10]}." if odd else "the order differs.")
                    + " Select them first, for example X_target[X_source.columns], or pass "
                    "join='inner' (the shared columns) or join='outer' (all columns)."
                )
    widths = [X.shape[1] for X in Xs]
    if len(set(widths)) > 1:
        raise ValueError(
            f"All domains must have the same number of features; got {widths}. Features must mean "
            "the same in every domain."
        )


def _joined_columns(Xs, join):
    """Return the names of the columns to keep, in the order in which they are met."""
    if not hasattr(Xs[0], "columns"):
        raise ValueError(
            f"join={join!r} needs data frames, whose columns have names; got {_container(Xs[0])}. "
            "Name the columns, for example pandas.DataFrame(X, columns=[...])."
        )
    everywhere = [list(X.columns) for X in Xs]
    for number, names in enumerate(everywhere, start=1):
        repeated = sorted({str(name) for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(
                f"Columns must have names of their own to be joined; domain {number} repeats "
                f"{repeated[:10]}. Rename them."
            )
    names = list(dict.fromkeys(name for own in everywhere for name in own))
    if join == "inner":
        names = [name for name in names if all(name in own for own in everywhere)]
        if not names:
            raise ValueError(
                "join='inner' keeps the columns that all domains have, and there are none. Check "
                "the names, or pass join='outer'."
            )
    return names


def _check_same_types(Xs, names):
    """Raise if a column holds numbers in one domain and text in another."""
    for name in names:
        kinds = {_kind_of_column(X[name]) for X in Xs if name in X.columns} - {None}
        if len(kinds) > 1:
            raise ValueError(
                f"Column {name!r} must be of one type in all domains; got {sorted(kinds)}. Convert "
                "it, for example with .astype(str) in pandas or .cast(polars.String) in polars."
            )


def _kind_of_column(column):
    """Return whether a column of a frame holds numbers or something else; None if it is empty."""
    values = as_labels(column)
    if values.dtype.kind in "biuf":
        return None if values.dtype.kind == "f" and np.isnan(values).all() else "numbers"
    if values.dtype == object:
        values = np.array([v for v in values if not is_missing(v)], dtype=object)
        if all(isinstance(v, Number) for v in values):
            return "numbers" if len(values) else None
    return "text"


def stack_domains(
    X_source: ArrayLike,
    y_source: ArrayLike | None,
    X_target: ArrayLike,
    y_target: ArrayLike | None = None,
    *,
    join: Literal["inner", "outer"] | None = None,
) -> tuple[Array, np.ndarray | None, np.ndarray]:
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
        few of them. An unsupervised method ignores them. Without it target rows get a
        missing value that plain scikit-learn estimators refuse: NaN for numbers, so that integers
        become floats (estimators of skda that are fitted on them have integers in ``classes_``
        and predict integers), and None in an object array for strings, bools and objects.
    join : {None, "inner", "outer"}, default=None
        What happens when data frames (pandas, polars) have other columns. None: that is an error.
        "inner": the columns that all domains have are kept. "outer": all columns are kept, and
        what a domain lacks is missing on its rows: NaN or None in pandas, null in polars.
        Columns stand in the order in which they are met, those of the first source first.

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
        If the domains differ in their kind of container, in their columns (without `join`) or in
        the type of a column, or if there are not as many labels as rows.

    See Also
    --------
    encode_domains : Turn a column of domain names into `sample_domain`.
    ColumnBridgeTransformer : Predicts the columns that a domain lacks.

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

    Two hospitals that measure other things:

    >>> import pandas as pd
    >>> here = pd.DataFrame({"age": [61, 48], "ferritin": [80, 35]})
    >>> there = pd.DataFrame({"age": [55], "lactate": [1.2]})
    >>> X, y, sample_domain = stack_domains(here, [1, 0], there, join="outer")
    >>> print(X)
       age  ferritin  lactate
    0   61      80.0      NaN
    1   48      35.0      NaN
    2   55       NaN      1.2
    """
    sources, y_sources = _as_domains(X_source, y_source, "source")
    targets, y_targets = _as_domains(X_target, y_target, "target")
    Xs, ys = sources + targets, y_sources + y_targets
    check_option("join", join, (None, "inner", "outer"))
    _check_one_container(Xs)
    if join is None:
        _check_alike(Xs)
        X = concatenate_rows(Xs)
    else:
        names = _joined_columns(Xs, join)
        _check_same_types(Xs, names)
        X = concatenate_columns(Xs, names)
    if hasattr(X, "iloc"):
        # Each domain had its own index; together their labels would repeat.
        X = X.reset_index(drop=True)

    if y_source is None and y_target is not None:
        raise ValueError("y_target was given without y_source. Pass the labels of the source too.")
    sides = [1] * len(sources) + [-1] * len(targets)
    sample_domain = np.repeat(
        # From 1, because there is no -0 for a target.
        [side * number for number, side in enumerate(sides, start=1)],
        [n_rows(X) for X in Xs],
    )
    y = None if y_source is None else _stack_labels(ys, [n_rows(X) for X in Xs])
    return X, y, sample_domain.astype(np.int64)


def _stack_labels(ys, sizes):
    known = [as_labels(y) for y in ys if y is not None]
    joined = join_labels(known)
    n_missing = sum(n for y, n in zip(ys, sizes, strict=True) if y is None)
    if not n_missing:
        return joined
    missing, joined = missing_like(joined, (n_missing, *joined.shape[1:]))
    # Only trailing targets and unlabeled sources of a list can be missing: fill block by block.
    blocks, at_known, at_missing = [], 0, 0
    for y, n in zip(ys, sizes, strict=True):
        if y is None:
            blocks.append(missing[at_missing : at_missing + n])
            at_missing += n
        else:
            blocks.append(joined[at_known : at_known + n])
            at_known += n
    return np.concatenate(blocks)


def encode_domains(labels: ArrayLike, target: Any) -> np.ndarray:
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
    if labels is None or isinstance(labels, str | bytes | dict):
        raise ValueError(
            "labels must have the name of a domain for every row; got "
            f"{type(labels).__name__}. Pass a column, for example frame['site']."
        )
    names = as_labels(labels)
    if names.ndim != 1:
        raise ValueError(f"labels must be one-dimensional; got shape {names.shape}.")
    missing = (
        np.isnan(names)
        if names.dtype.kind == "f"
        else np.array([is_missing(name) for name in names], dtype=bool)
    )
    if missing.any():
        raise ValueError(
            f"labels must name a domain for every row; {int(missing.sum())} are missing, the "
            f"first in row {int(np.flatnonzero(missing)[0])}. Drop those rows or name them."
        )
    try:
        present = np.unique(take_labels(names)).tolist()
    # Sorting compares the names, which text and numbers do not allow.
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
    # Numbers are not used twice, so that an id is unique also without its sign.
    first = len(sources) + 1
    ids |= {
        name: -number
        for number, name in enumerate([n for n in present if n in targets], start=first)
    }
    return np.array([ids[name] for name in names.tolist()], dtype=np.int64)
