"""Tables of numbers, text and missing values, read column by column."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from .._array._backend import is_foreign_array, to_numpy
from .._array._rows import is_polars
from .._core._labels import as_labels, is_missing

_MISSING = "(missing)"


@dataclass(frozen=True)
class Table:
    """Rows as a matrix of the numeric columns and one list of texts per other column."""

    numbers: np.ndarray
    texts: list

    def __len__(self):
        return len(self.numbers)

    def __getitem__(self, rows):
        return Table(self.numbers[rows], [values[rows] for values in self.texts])


class Columns:
    """What the columns of the reference are: numbers, or categories."""

    def __init__(self, estimator, X):
        self.names, columns = _columns(estimator, X, reset=True)
        self.is_text = np.array([_as_numbers(column) is None for column in columns], dtype=bool)

    def read(self, estimator, X):
        """Return rows as a :class:`Table`.

        Raises
        ------
        ValueError
            If a column of numbers now holds text, or a value is infinite.
        """
        _, columns = _columns(estimator, X, reset=False)
        n = len(columns[0]) if len(columns) else 0
        numbers = np.empty((n, int((~self.is_text).sum())))
        texts, at = [], 0
        for name, column, is_text in zip(self.names, columns, self.is_text, strict=True):
            if is_text:
                texts.append(
                    np.array([_MISSING if is_missing(v) else str(v) for v in column], dtype=object)
                )
                continue
            values = _as_numbers(column)
            if values is None:
                raise ValueError(
                    f"Column {name!r} held numbers in fit, so it must hold numbers; got text. "
                    "Convert it, for example with pandas.to_numeric."
                )
            numbers[:, at] = values
            at += 1
        if np.isinf(numbers).any():
            raise ValueError(
                "X must hold finite numbers or NaN; got infinity. Replace it, by NaN if the value "
                "is not known."
            )
        return Table(numbers, texts)

    @property
    def number_names(self):
        return [name for name, text in zip(self.names, self.is_text, strict=True) if not text]

    @property
    def text_names(self):
        return [name for name, text in zip(self.names, self.is_text, strict=True) if text]


def _columns(estimator, X, reset):
    """Return names and values of the columns, after the checks that all estimators make."""
    if sparse.issparse(X):
        raise TypeError(
            f"{type(estimator).__name__} does not take sparse X. Pass X.toarray(), or the columns "
            "that you want to watch."
        )
    if is_foreign_array(X):
        X = to_numpy(X)
    if not hasattr(X, "columns"):
        if not hasattr(X, "dtype") and np.asarray(X).dtype.kind in "US":
            # Numbers beside text in lists stay numbers.
            X = np.array(X, dtype=object)
        kind = getattr(X, "dtype", np.dtype(float)).kind
        dtype = None if kind in "OUS" else np.float64
        X = check_array(X, dtype=dtype, ensure_all_finite=False, estimator=estimator)
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    if hasattr(X, "columns"):
        if not len(X):
            raise ValueError("X has 0 rows (samples), and a minimum of 1 is required.")
        if is_polars(X):
            return [str(name) for name in X.columns], [as_labels(X[name]) for name in X.columns]
        # By position, since names of pandas may repeat.
        values = [as_labels(X.iloc[:, j]) for j in range(X.shape[1])]
        return [str(name) for name in X.columns], values
    return [f"x{j}" for j in range(X.shape[1])], list(X.T)


def _as_numbers(column):
    """Return a column as floats, NaN where it is missing; None if it holds text."""
    if column.dtype.kind in "biuf":
        return column.astype(np.float64)
    if column.dtype.kind == "O":
        values = [np.nan if is_missing(v) else v for v in column]
        if any(isinstance(v, str) for v in values):
            return None
        return np.array([float(v) for v in values])
    if column.dtype.kind in "US":
        return None
    raise ValueError(
        f"X must hold numbers or text; got a column of type {column.dtype}. Convert it, for "
        "example a date to the number of its day in the week."
    )
