"""Views go by names, positions, slices and masks; one is missing if all of its values are."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from skda._core._views import (
    check_every_row_has_a_view,
    check_views,
    rows_with_view,
    take_view,
    with_absent_views,
)

NAMES = ["age", "crp", "pain", "mood"]


def fitted(names=NAMES):
    """What `check_views` asks an estimator for."""
    known = {"n_features_in_": 4} | ({} if names is None else {"feature_names_in_": names})
    return SimpleNamespace(**known)


@pytest.mark.parametrize(
    ("columns", "wanted"),
    [
        (["pain", "age"], [2, 0]),
        ("mood", [3]),
        (1, [1]),
        ([1, -1], [1, 3]),
        (slice(1, 3), [1, 2]),
        (slice(-1, None), [3]),
        (np.array([True, False, True, False]), [0, 2]),
        ([False, False, True, True], [2, 3]),
        (pd.Index(["crp", "crp"]), [1]),
    ],
)
def test_columns_of_a_view_in_every_way_of_naming_them(columns, wanted):
    assert check_views({"v": columns}, fitted())["v"].tolist() == wanted


@pytest.mark.parametrize(
    ("views", "words"),
    [
        (None, "must be a dict"),
        ({}, "must be a dict"),
        ({1: [0]}, "texts without '__'"),
        ({"a__b": [0]}, "texts without '__'"),
        ({"v": ["weight"]}, r"views\['v'\] must be columns of X"),
        ({"v": [7]}, r"views\['v'\] must be columns of X"),
        ({"v": slice("age", "pain")}, "List the names"),
        ({"v": [True, False]}, "one entry per column"),
        ({"v": [[0, 1], [2]]}, r"views\['v'\] must be columns of X"),
        ({"v": []}, "at least one column"),
        ({"v": slice(4, None)}, "n_features = 4"),
    ],
)
def test_other_views_are_refused_by_name(views, words):
    with pytest.raises(ValueError, match=words):
        check_views(views, fitted())


def test_views_may_share_columns_unless_they_must_not():
    views = {"a": [0, 1], "b": [1, 2]}
    assert len(check_views(views, fitted())) == 2
    with pytest.raises(ValueError, match="column 1 in 'a' and in 'b'"):
        check_views(views, fitted(), disjoint=True)


def test_a_view_is_missing_in_every_container_if_all_of_its_values_are():
    X = np.array([[1.0, 2.0], [np.nan, 2.0], [np.nan, np.nan], [0.0, 0.0]])
    wanted = [True, True, False, True]
    texts = np.array([["a", "b"], [None, "b"], [None, np.nan], ["", "-1"]], dtype=object)
    mixed = pd.DataFrame({"text": ["a", "b", None, "d"], "count": pd.array([1, 2, None, 4])})
    containers = [X, pd.DataFrame(X), pl.DataFrame(X, nan_to_null=True), texts, mixed]
    containers += [pd.DataFrame(texts), pl.DataFrame(mixed), sparse.csr_array(X)]
    for rows in containers:
        assert rows_with_view(rows).tolist() == wanted, type(rows)
    # -1 marks a missing label, and is a value like any other among features.
    assert rows_with_view(np.full((2, 2), -1)).all()
    assert take_view(pl.DataFrame(X), np.array([1])).columns == ["column_1"]


def test_rows_without_any_view_are_named():
    present = np.array([[True, False], [False, False], [False, True]])
    with pytest.raises(ValueError, match=r"\['a', 'b'\].* in 1 rows .*\(row 1\)"):
        check_every_row_has_a_view(present, ["a", "b"])


@pytest.mark.parametrize("frame", [pd.DataFrame, lambda X, columns: pl.DataFrame(X, columns)])
def test_only_whole_views_may_be_absent(frame):
    estimator = fitted()
    estimator.views_ = {"lab": np.array([0, 1]), "form": np.array([2, 3])}
    filled = with_absent_views(frame(np.ones((2, 2)), columns=NAMES[2:]), estimator)
    assert list(filled.columns) == NAMES
    assert rows_with_view(take_view(filled, np.array([0, 1]))).tolist() == [False, False]
    for names in (NAMES[:3], NAMES[3:], NAMES[3:1:-1], ["pain", "weight"], NAMES):
        X = frame(np.ones((2, len(names))), columns=names)
        assert with_absent_views(X, estimator) is X
