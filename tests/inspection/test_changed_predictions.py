"""Changed predictions are counted, listed, and told from the others by their features."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from skda.inspection import changed_predictions

pd = pytest.importorskip("pandas")


@pytest.fixture
def rows():
    X = np.random.default_rng(0).normal(size=(80, 3))
    return X, X[:, 1] > 0, X[:, 1] > 0.6


def test_the_feature_that_decides_comes_first(rows):
    X, before, after = rows
    table = changed_predictions(before, after, X)
    assert table.index[0] == "x1"
    assert table["adjusted_pvalue"].iloc[0] < 0.01
    assert table.attrs["counts"] == {"True -> False": int((before & ~after).sum())}
    assert {"missing_kept", "missing_changed"} <= set(table.columns)


def test_rows_that_changed_are_listed_with_both_classes(rows):
    X, before, after = rows
    table = changed_predictions(before, after, X, by="rows")
    assert table.index.tolist() == np.flatnonzero(before & ~after).tolist()
    assert table["before"].all() and not table["after"].any()


def test_models_predict_for_themselves_and_frames_keep_their_names(rows):
    X, before, after = rows
    table = pd.DataFrame(X, columns=["a", "b", "c"])
    first, second = (LogisticRegression().fit(table, y) for y in (before, after))
    found = changed_predictions(first, second, table)
    assert found.index[0] == "b"
    assert found.attrs["counts"] == {
        "True -> False": int((first.predict(table) & ~second.predict(table)).sum())
    }


def test_parameters_are_passed_to_predict(rows):
    class Model:
        def predict(self, X, *, sample_domain):
            return np.asarray(sample_domain) < 0

    X = rows[0]
    found = changed_predictions(
        Model(), np.zeros(80, bool), X, by="rows", sample_domain=np.repeat([1, -2], 40)
    )
    assert found.index.tolist() == list(range(40, 80))


def test_nothing_changed_or_everything_gives_an_empty_table(rows):
    X, before, _ = rows
    assert changed_predictions(before, before, X).empty
    assert changed_predictions(before, before, X).attrs["counts"] == {}
    assert changed_predictions(before, ~before, X).empty
    assert changed_predictions(before, before, X, by="rows").empty


def test_errors_name_the_argument(rows):
    X, before, after = rows
    with pytest.raises(ValueError, match="after must be a fitted classifier or one label per row"):
        changed_predictions(before, after[:5], X)
    with pytest.raises(ValueError, match="by must be one of"):
        changed_predictions(before, after, X, by="classes")
