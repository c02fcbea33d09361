"""What all fetchers share: which domains are source or target, and the form of what they return."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from sklearn.utils import Bunch

from .._core._param_checks import check_bool


@dataclass(frozen=True)
class Options:
    """Which domains are wanted, as what, and in which form."""

    source: object = None
    target: object = None
    return_X_y: bool = False
    as_frame: bool = False

    def __post_init__(self):
        check_bool("return_X_y", self.return_X_y)
        check_bool("as_frame", self.as_frame)

    def ids(self, names):
        """Return the signed id of each wanted domain by its name: sources, then targets.

        The number of a domain is its place among all names, so that it is the same in every call.
        """
        names = list(names)
        source = _listed("source", self.source, names)
        target = _listed("target", self.target, names)
        if both := [name for name in source or () if name in (target or ())]:
            raise ValueError(
                f"source and target must name different domains; got {both[0]!r} in both."
            )
        if source is None:
            source = [name for name in names if name not in (target or ())]
        if not source and not target:
            raise ValueError(f"source and target name no domain. Choose among {names}.")
        ids = {name: names.index(name) + 1 for name in names if name in source}
        return ids | {name: -names.index(name) - 1 for name in names if name in (target or ())}


def _listed(argument, wanted, names):
    """Return a domain's name or several as a list, None as None."""
    if wanted is None:
        return None
    wanted = [wanted] if isinstance(wanted, str) else wanted
    if not np.iterable(wanted) or not all(isinstance(name, str) for name in wanted):
        raise ValueError(
            f"{argument} must be the name of a domain or a list of names; got {wanted!r}."
        )
    wanted = list(wanted)
    if unknown := [name for name in wanted if name not in names]:
        shown = names if len(names) < 20 else [*names[:2], "...", names[-1]]
        raise ValueError(f"{argument} must be among the domains {shown}; got {unknown[0]!r}.")
    return wanted


@dataclass(frozen=True)
class Column:
    """A column of a mixed table: numbers, or texts of some categories, NaN where missing.

    `words` says what the texts mean; as numbers they stay in `values`.
    """

    values: np.ndarray
    categories: tuple | None = None
    words: dict | None = None

    def as_series(self):
        """Return the column for a data frame: numbers as they are, the rest as a category."""
        import pandas as pd

        if self.words is not None:
            texts = [self.words.get(value) for value in self.values]
            return pd.Categorical(texts, categories=list(self.words.values()))
        if self.categories is not None:
            return pd.Categorical(self.values, categories=list(self.categories))
        return self.values


def numbers(cells, missing="?"):
    """Return texts as floats, the missing ones as NaN."""
    return np.array([np.nan if cell in (missing, "") else float(cell) for cell in cells])


def texts(cells, missing="?"):
    """Return texts as an object array, the missing ones as NaN, which scikit-learn fills."""
    return np.array([np.nan if cell == missing else cell for cell in cells], dtype=object)


def join_columns(tables):
    """Stack tables of columns by name."""
    return {
        name: Column(
            np.concatenate([table[name].values for table in tables]),
            column.categories,
            column.words,
        )
        for name, column in tables[0].items()
    }


def take_rows(table, rows):
    """Return some rows of a table of columns."""
    return {
        name: Column(column.values[rows], column.categories, column.words)
        for name, column in table.items()
    }


def stack_rows(tables):
    """Stack the rows of several domains, of arrays, sparse matrices or tables of columns."""
    if isinstance(tables[0], dict):
        return join_columns(tables)
    return sparse.vstack(tables, "csr") if sparse.issparse(tables[0]) else np.concatenate(tables)


def as_array(table):
    """Return a table of columns as an array: of floats if all are numbers, else of objects."""
    columns = [column.values for column in table.values()]
    mixed = any(values.dtype == object for values in columns)
    return np.stack([values.astype(object if mixed else float) for values in columns], axis=1)


def bundle(parts, ids, options, *, feature_names, target_name, DESCR, **others):
    """Return rows, target and domain of each row in the form that was asked for.

    Parameters
    ----------
    parts : dict
        Rows and target of each domain by its name.
    ids : dict
        Signed id of each domain by its name; rows come in this order.
    options : Options
        Whether to return a tuple, and whether data frames.
    feature_names : list of str
        Names of the columns.
    target_name : str
        Name of the target in a data frame.
    DESCR : str
        Description of the data set.
    **others : object
        What else the Bunch has.
    """
    X = stack_rows([parts[name][0] for name in ids])
    y = np.concatenate([parts[name][1] for name in ids])
    sizes = [len(parts[name][1]) for name in ids]
    sample_domain = np.repeat(np.array(list(ids.values()), dtype=np.int64), sizes)
    frame = None
    if options.as_frame:
        X, y, frame = _as_frames(X, y, feature_names, target_name)
    elif isinstance(X, dict):
        X = as_array(X)
    if options.return_X_y:
        return X, y, sample_domain
    result = Bunch(
        data=X,
        target=y,
        sample_domain=sample_domain,
        domain_names={number: name for name, number in ids.items()},
        feature_names=list(feature_names),
        DESCR=DESCR,
        **others,
    )
    if frame is not None:
        result.frame = frame
    return result


def _as_frames(X, y, feature_names, target_name):
    """Return data and target as pandas objects, and both in one frame."""
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(
            "as_frame=True needs pandas. Install it, or pass as_frame=False."
        ) from error
    if isinstance(X, dict):
        data = pd.DataFrame({name: column.as_series() for name, column in X.items()})
    elif sparse.issparse(X):
        data = pd.DataFrame.sparse.from_spmatrix(X, columns=feature_names)
    else:
        data = pd.DataFrame(X, columns=feature_names)
    target = pd.Series(y, name=target_name)
    return data, target, pd.concat([data, target], axis=1)
