"""Which rows changed class through adaptation, and what sets them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .._array._rows import n_rows
from .._core._labels import as_labels
from .._core._param_checks import check_option
from .._core._typing import ArrayLike, Predictor
from ._feature_shift import _check_table, feature_shift

if TYPE_CHECKING:
    import pandas as pd

_BY = ("features", "rows")


def changed_predictions(
    before: Predictor | ArrayLike,
    after: Predictor | ArrayLike,
    X: ArrayLike,
    *,
    by: Literal["features", "rows"] = "features",
    **predict_params: Any,
) -> pd.DataFrame:
    """Tabulate which rows change class from one model to another, and how these rows differ.

    An adapted model is judged by what it decides otherwise than the plain one. The changed rows can
    be read one by one, or compared with the rows that kept their class, feature by feature.

    Parameters
    ----------
    before, after : fitted classifier or array-like of shape (n_samples,)
        Models with ``predict``, for example without and with adaptation; or their predictions.
    X : array-like or data frame of shape (n_samples, n_features)
        Rows to predict, usually target rows.
    by : {"features", "rows"}, default="features"
        What to tabulate: features that set the changed rows apart, or the changed rows.
    **predict_params : dict
        Passed to ``predict`` of models that take them, for example ``sample_domain``.

    Returns
    -------
    table : pandas.DataFrame
        With ``by="features"`` one row per feature, the most different first, with the columns of
        :func:`feature_shift` (source: rows that kept their class; target: changed rows); empty
        if no row changed or all did. With ``by="rows"`` one row per changed row, indexed by its
        position in `X`, with the columns ``before`` and ``after``. ``table.attrs["counts"]`` holds
        how many rows went from which class to which.

    Raises
    ------
    ImportError
        If pandas is not installed.
    ValueError
        If predictions do not have one value per row of `X`, or a parameter is out of range.

    See Also
    --------
    feature_shift : Compares domains in the same way.
    diagnose : What shifted between the domains.

    Notes
    -----
    P-values take the changed rows as chosen at random, which they are not: they rank features, and
    prove nothing.

    Examples
    --------
    >>> import numpy as np
    >>> from skda.inspection import changed_predictions
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> before, after = X[:, 0] > 0, X[:, 0] > 0.5
    >>> table = changed_predictions(before, after, X)
    >>> table.index[0], table.attrs["counts"]
    ('x0', {'True -> False': 20})
    """
    try:
        import pandas
    except ImportError as error:
        raise ImportError(
            "changed_predictions returns a data frame and needs pandas: pip install pandas"
        ) from error
    check_option("by", by, _BY)
    _check_table(X)
    first = _predictions("before", before, X, predict_params)
    second = _predictions("after", after, X, predict_params)
    changed = np.asarray(first != second, dtype=bool)
    pairs = [f"{a} -> {b}" for a, b in zip(first[changed], second[changed], strict=True)]
    names, counts = np.unique(np.array(pairs, dtype=str), return_counts=True)
    if by == "rows":
        rows = np.flatnonzero(changed)
        table = pandas.DataFrame({"before": first[rows], "after": second[rows]}, index=rows)
    elif changed.any() and not changed.all():
        table = feature_shift(X, np.where(changed, -1, 1))
        table = table.rename(
            columns={"missing_source": "missing_kept", "missing_target": "missing_changed"}
        )
    else:
        table = pandas.DataFrame()
    order = np.argsort(-counts, kind="stable")
    table.attrs["counts"] = {str(names[i]): int(counts[i]) for i in order}
    return table


def _predictions(name, model, X, params):
    """Return one label per row, of a model or as passed."""
    found = model
    if hasattr(model, "predict"):
        found = model.predict(X, **params) if params else model.predict(X)
    found = as_labels(found)
    if found is None or found.ndim != 1 or len(found) != n_rows(X):
        shape = None if found is None else found.shape
        raise ValueError(
            f"{name} must be a fitted classifier or one label per row of X ({n_rows(X)}); got "
            f"predictions of shape {shape}."
        )
    return found
