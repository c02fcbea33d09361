"""Which row is of which domain: every rule of sample_domain and of labels, with its text."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy import sparse
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from skda import (
    CORALTransformer,
    DomainWarning,
    ImportanceWeightedEstimator,
    PerDomain,
    TrainOnSource,
    config_context,
    encode_domains,
    stack_domains,
)
from skda._array._rows import join_rows, take_rows
from skda._core._labels import as_labels, labeled_rows, missing_labels, take_labels
from skda._core._sample_domain import (
    check_both_sides,
    check_sample_domain,
    domains_for_fit,
    domains_for_predict,
    note_domains,
    rows_to_score,
)

# check_sample_domain.


@pytest.mark.parametrize(
    "given",
    [
        [1, 0, -2],
        (1, 0, -2),
        np.array([1.0, 0.0, -2.0]),
        np.array([1, 0, -2], dtype=np.int8),
        np.array([1, 0, -2], dtype=object),
        pd.Series([1, 0, -2], index=[5, 6, 7]),
        pl.Series([1, 0, -2]),
        torch.tensor([1, 0, -2]),
    ],
    ids=lambda given: type(given).__name__,
)
def test_sample_domain_may_come_in_any_container(given):
    ids = check_sample_domain(given, 3)
    assert ids.tolist() == [1, 0, -2]
    assert ids.dtype == np.int64


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([[1], [-2], [1]], r"must be one-dimensional.*shape \(3, 1\).*ravel"),
        ([1, -2], r"one value per row of X; got 2 values for 3 rows.*skda.stack_domains"),
        ([True, False, True], r"got booleans.*np.where\(is_target, -2, 1\)"),
        (["a", "b", "a"], r"values like .*'a'.*skda.encode_domains"),
        (np.array(["a", "b", "a"], dtype=object), r"skda.encode_domains"),
        ([1.0, np.nan, -2.0], r"got NaN or infinity"),
        ([1.0, np.inf, -2.0], r"got NaN or infinity"),
        ([1.0, 0.5, -2.0], r"got the value 0.5"),
        ([1, None, -2], r"sample_domain must be signed integers"),
    ],
)
def test_wrong_sample_domain_is_named(given, words):
    with pytest.raises(ValueError, match=words) as error:
        check_sample_domain(given, 3)
    assert str(error.value).startswith("sample_domain")


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        ([1, 1, 2], r"has no target rows \(values < 0\); got only \[1, 2\].*a negative id"),
        ([-1, -2], r"has no source rows \(values >= 0\); got only \[-2, -1\].*non-negative id"),
    ],
)
def test_one_side_only_is_named_with_both_mends(ids, words):
    with pytest.raises(ValueError, match=words) as error:
        check_both_sides(np.array(ids))
    assert "skda.stack_domains" in str(error.value)
    assert "skda.model_selection.DomainStratifiedKFold" in str(error.value)


class Learner:
    """Something that can be fitted."""


def test_zero_is_a_source():
    check_both_sides(np.array([0, -1]))


def test_without_sample_domain_fit_is_all_source_and_warns():
    with pytest.warns(DomainWarning, match="Learner was fitted without sample_domain"):
        ids = domains_for_fit(None, 3, estimator=Learner())
    assert (ids >= 0).all()


def test_without_sample_domain_use_is_all_target():
    assert (domains_for_predict(None, 3, estimator=Learner()) < 0).all()


def test_domains_that_were_not_fitted_are_refused():
    learner = Learner()
    domains_for_fit([1, 1, -2], 3, estimator=learner)
    assert domains_for_predict([-2, 1], 2, estimator=learner).tolist() == [-2, 1]
    with pytest.raises(ValueError, match=r"Learner was not fitted on: \[-7, 3\]"):
        domains_for_predict([-2, -7, 3], 3, estimator=learner)


def test_later_batches_add_domains_and_a_new_fit_forgets_them():
    learner = Learner()
    domains_for_fit([1, -2], 2, estimator=learner)
    ids = domains_for_fit([-7], 1, estimator=learner, one_sided=True, goes_on=True)
    with pytest.raises(ValueError, match=r"not fitted on: \[-7\]"):  # it may still fail
        domains_for_predict([-7], 1, estimator=learner)
    note_domains(learner, ids)
    with pytest.warns(DomainWarning):
        domains_for_fit(None, 1, estimator=learner, goes_on=True)
    assert domains_for_predict([-7, -2], 2, estimator=learner).tolist() == [-7, -2]
    domains_for_fit([1, -2], 2, estimator=learner)
    with pytest.raises(ValueError, match=r"not fitted on: \[-7\]"):
        domains_for_predict([-7], 1, estimator=learner)


def test_after_a_fit_without_domains_all_are_alike():
    learner = Learner()
    with pytest.warns(DomainWarning):
        domains_for_fit(None, 3, estimator=learner)
    assert domains_for_predict([5, -9], 2, estimator=learner).tolist() == [5, -9]


def test_score_sees_source_rows_only_when_given_the_domains():
    assert rows_to_score(None, 3) is None
    assert rows_to_score([1, -2, 3], 3).tolist() == [0, 2]
    with pytest.raises(ValueError, match=r"source rows only.*skda.metrics.LabeledTargetScorer"):
        rows_to_score([-2, -2], 2)


# Labels.


@pytest.mark.parametrize(
    ("y", "missing"),
    [
        (np.array([0, 1, -1]), [False, False, True]),
        (np.array([0.0, 1.0, np.nan]), [False, False, True]),
        (np.array([0.0, 1.0, -1.0]), [False, False, False]),
        (np.array(["a", "b", None], dtype=object), [False, False, True]),
        (np.array([1, -1, None], dtype=object), [False, False, True]),
        (np.array([True, False, np.nan], dtype=object), [False, False, True]),
        (pd.Series([1, 2, pd.NA], dtype="Int64"), [False, False, True]),
        (pd.Series(["a", "b", None], dtype="category"), [False, False, True]),
        (pl.Series(["a", "b", None]), [False, False, True]),
        (np.array([3, 4, 255], dtype=np.uint8), [False, False, False]),
        (np.array([[1.0, 2.0], [1.0, np.nan], [0.0, 0.0]]), [False, True, False]),
    ],
)
def test_missing_label_is_nan_none_or_minus_one_among_integers(y, missing):
    assert missing_labels(y).tolist() == missing


def test_every_source_row_counts_as_labeled():
    ids = np.array([1, 1, -2, -2])
    assert labeled_rows(np.array([-1, 1, 0, 1]), ids).tolist() == [True, True, True, True]
    assert labeled_rows(np.array([0, 1, -1, 1]), ids).tolist() == [True, True, False, True]


def test_minus_one_as_class_and_as_missing_is_refused_with_the_way_out():
    with pytest.raises(ValueError, match=r"Recode the classes.*\{0, 1\}.*skda.stack_domains"):
        labeled_rows(np.array([-1, 1, -1, 1]), np.array([1, 1, -2, -2]))


@pytest.mark.parametrize(
    ("labels", "kind"), [([1, 2], "i"), ([True, False], "b"), (["a", "b"], "U"), ([0.5, 1.0], "f")]
)
def test_plain_objects_get_their_own_type_back(labels, kind):
    assert take_labels(np.array(labels, dtype=object)).dtype.kind == kind


def test_integers_that_were_floats_beside_a_missing_mark_are_integers_again():
    assert take_labels(np.array([1.0, 2.0, np.nan]), [0, 1]).dtype == np.int64
    assert take_labels(np.array([1.0, 2.5, np.nan]), [0, 1]).dtype == np.float64
    assert take_labels(np.array([1.0, 2.0, 3.0]), [0, 1]).dtype == np.float64, "the user's own"


def test_mixed_objects_stay_objects():
    assert take_labels(np.array([1, "a"], dtype=object)).dtype == object
    assert as_labels([1, "a"]).tolist() == [1, "a"]


# Rows.


def frames(X):
    """The same rows in every container."""
    return {
        "numpy": X,
        "list": X.tolist(),
        "pandas": pd.DataFrame(X),
        "polars": pl.DataFrame(X),
        "csr": sparse.csr_matrix(X),
        "csr_array": sparse.csr_array(X),
        "torch": torch.from_numpy(X.copy()),
    }


def dense(X):
    return X.toarray() if sparse.issparse(X) else np.asarray(X)


@pytest.mark.parametrize("kind", frames(np.eye(2)))
def test_rows_are_taken_and_joined_in_any_container(kind):
    X = frames(np.arange(12.0).reshape(6, 2))[kind]
    rows = [np.array([4, 0, 1]), np.array([2, 3, 5])]
    pieces = [take_rows(X, index) for index in rows]
    np.testing.assert_array_equal(dense(pieces[0]), dense(X)[rows[0]])
    if kind != "list":
        joined = join_rows(pieces, rows)
        np.testing.assert_array_equal(dense(joined), dense(X))
        assert isinstance(joined, type(X))


def test_rows_move_on_every_backend(xp):
    X = xp.asarray(np.arange(12.0).reshape(6, 2))
    rows = [np.array([0, 2, 4]), np.array([1, 3, 5])]
    joined = join_rows([take_rows(X, index) for index in rows], rows)
    np.testing.assert_array_equal(xp.to_numpy(joined), xp.to_numpy(X))


@pytest.mark.parametrize("ids", [np.array([2**63 + 7, 1], dtype=np.uint64), [1e300, 1.0]])
def test_ids_that_no_signed_integer_holds_are_refused(ids):
    with pytest.raises(ValueError, match=r"signed 64-bit integers.*encode_domains"):
        check_sample_domain(ids, 2)


@pytest.mark.parametrize("X", [None, "rows", {"a": [1]}])
def test_what_is_no_table_is_refused_by_name(X):
    with pytest.raises(ValueError, match="X_source must be an array"):
        stack_domains(X, [0], np.eye(2))
    with pytest.raises(ValueError, match="X_target must be an array"):
        stack_domains(np.eye(2), [0, 1], X)
    with pytest.raises(ValueError, match="labels must have the name of a domain"):
        encode_domains(None if X is None else X, target="a")


def test_masked_entries_are_refused():
    hidden = np.ma.array([1, -2, -2], mask=[False, False, True])
    with pytest.raises(ValueError, match="sample_domain must not have masked entries; got 1"):
        check_sample_domain(hidden, 3)
    rows = np.ma.array(np.eye(3), mask=np.eye(3, dtype=bool))
    passes_rows_on = (PerDomain(StandardScaler()), TrainOnSource(Ridge()))
    for estimator in (CORALTransformer(), *passes_rows_on, ImportanceWeightedEstimator(Ridge())):
        with pytest.raises(ValueError, match="X must not have masked entries; got 3"):
            estimator.fit(rows, [0.0, 1.0, 2.0], sample_domain=[1, 1, -2])


def test_rows_without_domains_come_back_in_the_container_they_came_in():
    X = np.random.default_rng(0).normal(size=(20, 2))
    with config_context(backend="torch"), pytest.warns(DomainWarning):
        assert isinstance(CORALTransformer().fit_transform(X), np.ndarray)


# stack_domains.


@pytest.mark.parametrize("kind", frames(np.eye(2)))
def test_stack_keeps_the_container(kind):
    source, target = frames(np.eye(3))[kind], frames(np.ones((2, 3)))[kind]
    X, y, sample_domain = stack_domains(source, [0, 1, 2], target)
    np.testing.assert_array_equal(dense(X), np.r_[np.eye(3), np.ones((2, 3))])
    assert isinstance(X, np.ndarray if kind == "list" else type(source))
    np.testing.assert_array_equal(y, [0, 1, 2, np.nan, np.nan])
    assert sample_domain.tolist() == [1, 1, 1, -2, -2]


@pytest.mark.parametrize(
    ("labels", "stacked", "dtype"),
    [
        (np.array([0, 1]), [0, 1, np.nan], "float64"),
        (np.array([0, 1], dtype=np.int8), [0, 1, np.nan], "float64"),
        (np.array([0, 255], dtype=np.uint8), [0, 255, np.nan], "float64"),
        (np.array([-1, 1]), [-1, 1, np.nan], "float64"),
        (np.array([0, 2**60 + 1]), [0, 2**60 + 1, None], "object"),
        (np.array([True, False]), [True, False, None], "object"),
        (np.array(["no", "yes"]), ["no", "yes", None], "object"),
        (["no", "yes"], ["no", "yes", None], "object"),
        (np.array(["a", 1], dtype=object), ["a", 1, None], "object"),
        (np.array([0.5, 1.5], dtype=np.float32), [0.5, 1.5, np.nan], "float32"),
        (pd.Series(["a", "b"], dtype="category"), ["a", "b", None], "object"),
        (pl.Series([1, 2]), [1, 2, np.nan], "float64"),
        (torch.tensor([0, 1]), [0, 1, np.nan], "float64"),
    ],
)
def test_stack_marks_missing_labels_as_the_type_allows(labels, stacked, dtype):
    y = stack_domains(np.eye(2), labels, np.ones((1, 2)))[1]
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, np.array(stacked, dtype=dtype))


def test_stack_numbers_sources_and_then_targets():
    blocks = [np.full((n, 1), float(n)) for n in (1, 2, 3, 4)]
    X, y, sample_domain = stack_domains(blocks[:2], [["a"], ["b", "b"]], blocks[2:])
    assert sample_domain.tolist() == [1, 2, 2, -3, -3, -3, -4, -4, -4, -4]
    assert y.tolist() == ["a", "b", "b"] + [None] * 7
    assert X.ravel().tolist() == [1, 2, 2, 3, 3, 3, 4, 4, 4, 4]


def test_stack_takes_lists_of_lists_as_one_domain_and_as_several():
    assert stack_domains([[1, 2], [3, 4]], [0, 1], [[5, 6]])[2].tolist() == [1, 1, -2]
    several = stack_domains([[[1, 2]], [[3, 4]]], [[0], [1]], [[[5, 6]], [[7, 8]]])
    assert several[2].tolist() == [1, 2, -3, -4]


def test_stack_keeps_known_target_labels_even_of_another_type():
    y = stack_domains(np.eye(2), [0, 1], np.eye(2), [1, 0])[1]
    assert y.tolist() == [0, 1, 1, 0]
    y = stack_domains(np.eye(2), [0, 1], np.eye(2), ["x", "y"])[1]
    assert y.tolist() == [0, 1, "x", "y"]
    y = stack_domains(np.eye(2), [0, 1], [np.eye(2), np.eye(2)], [[1, 1], None])[1]
    np.testing.assert_array_equal(y, [0, 1, 1, 1, np.nan, np.nan])


def test_stack_without_any_labels_and_with_several_outputs():
    assert stack_domains(np.eye(2), None, np.eye(2))[1] is None
    y = stack_domains(np.eye(2), np.eye(2), np.eye(2))[1]
    assert y.shape == (4, 2)
    assert np.isnan(y[2:]).all()


def test_stack_never_writes_to_its_input():
    X, y = np.eye(2), np.array([0, 1], dtype=np.uint8)
    X.setflags(write=False)
    y.setflags(write=False)
    stacked, labels, _ = stack_domains(X, y, X)
    stacked += 1
    labels += 1
    assert X[0, 0] == 1 and y[1] == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.eye(2), [0], np.eye(2)), r"y_source must have one label per row.*1 labels for 2"),
        ((np.eye(2), [0, 1], np.eye(3)), r"same number of features; got \[2, 3\]"),
        ((np.eye(2), [0, 1], np.ones(2)), r"X_target must be two-dimensional.*reshape\(-1, 1\)"),
        ((np.eye(2), [0, 1], np.ones((0, 2))), r"X_target has no rows"),
        ((np.eye(2), [0, 1], pd.DataFrame(np.eye(2))), r"one kind of container.*to_numpy"),
        (
            (pd.DataFrame({"a": [1]}), [0], pd.DataFrame({"b": [1]})),
            r"same columns.*not shared: \['a', 'b'\]",
        ),
        (
            (pd.DataFrame({"a": [1], "b": [1]}), [0], pd.DataFrame({"b": [1], "a": [1]})),
            r"the order differs",
        ),
        (([np.eye(2), np.eye(2)], [[0, 1]], np.eye(2)), r"list of 2 domains.*got 1"),
        (([np.eye(2), np.eye(2)], [[0, 1], [0]], np.eye(2)), r"y_source\[1\] must have one label"),
        ((np.eye(2), None, np.eye(2), [0, 1]), r"without y_source"),
    ],
)
def test_stack_names_what_does_not_fit(arguments, words):
    with pytest.raises(ValueError, match=words):
        stack_domains(*arguments)


# encode_domains.


def test_encode_numbers_sources_by_name_and_targets_after_them():
    names = ["c", "a", "b", "a", "d"]
    assert encode_domains(names, target="a").tolist() == [2, -4, 1, -4, 3]
    assert encode_domains(names, target=["a", "c"]).tolist() == [-4, -3, 1, -3, 2]
    assert encode_domains(pd.Series([2019, 2020, 2021]), target=2021).tolist() == [1, 2, -3]
    assert encode_domains(pl.Series(["x", "y"]), target="y").tolist() == [1, -2]


@pytest.mark.parametrize(
    ("names", "target", "words"),
    [
        (["a", "b"], "c", r"target must be among the labels \['a', 'b'\]; got 'c'"),
        (["a", "b"], [], r"target must be among"),
        (["a", "a"], "a", r"leaves no source"),
        (["a", None], "a", r"1 are missing, the first in row 1"),
        ([1.0, np.nan], 1.0, r"1 are missing"),
        ([["a"], ["b"]], "a", r"must be one-dimensional"),
        ([1, "b"], "b", r"mixes text and numbers"),
    ],
)
def test_encode_names_what_does_not_fit(names, target, words):
    with pytest.raises(ValueError, match=words):
        encode_domains(names, target=target)


def test_text_in_sample_domain_is_quoted_as_it_was_written():
    with pytest.raises(ValueError, match="got values like 'Bonn'"):
        CORALTransformer().fit(np.eye(2), sample_domain=np.array(["Bonn", "Lyon"]))


# Domains with other columns.


def frames_of(library):
    here = {"age": [61, 48], "sex": ["f", "m"], "ferritin": [80, 35]}
    there = {"lactate": [1.2], "age": [55.5]}
    return library.DataFrame(here), library.DataFrame(there)


@pytest.mark.parametrize("library", [pd, pl])
def test_outer_join_keeps_all_columns_and_leaves_missing_what_a_domain_lacks(library):
    X, y, d = stack_domains(*frames_of(library)[:1], [1, 0], frames_of(library)[1], join="outer")
    assert list(X.columns) == ["age", "sex", "ferritin", "lactate"]
    assert d.tolist() == [1, 1, -2] and np.isnan(y[2])
    np.testing.assert_array_equal(np.asarray(X["age"], dtype=float), [61, 48, 55.5])
    np.testing.assert_array_equal(np.asarray(X["ferritin"], dtype=float), [80, 35, np.nan])
    np.testing.assert_array_equal(np.asarray(X["lactate"], dtype=float), [np.nan, np.nan, 1.2])
    sex = X["sex"].to_list()
    assert sex[:2] == ["f", "m"] and (sex[2] is None or sex[2] != sex[2])


@pytest.mark.parametrize("library", [pd, pl])
def test_inner_join_keeps_the_shared_columns(library):
    here, there = frames_of(library)
    X, _, _ = stack_domains([here, here], None, there, join="inner")
    assert list(X.columns) == ["age"] and X.shape == (5, 1)


def test_joining_frames_of_equal_columns_is_stacking_them():
    here, _ = frames_of(pd)
    plain = stack_domains(here, [1, 0], here)[0]
    for join in ("inner", "outer"):
        pd.testing.assert_frame_equal(stack_domains(here, [1, 0], here, join=join)[0], plain)


@pytest.mark.parametrize(
    ("source", "target", "join", "words"),
    [
        (np.eye(2), np.eye(2), "outer", "needs data frames"),
        (*frames_of(pd), "left", r"join must be one of \[None, 'inner', 'outer'\]"),
        (*frames_of(pd), None, "join='outer'"),
        (frames_of(pd)[0], pd.DataFrame({"z": [1]}), "inner", "there are none"),
        (frames_of(pd)[0], pd.DataFrame({"age": ["old"]}), "outer", "'age' must be of one type"),
        (frames_of(pl)[0], pl.DataFrame({"age": ["old"]}), "outer", "'age' must be of one type"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), frames_of(pd)[1], "outer", "repeats"),
        (frames_of(pd)[0], frames_of(pl)[1], "outer", "one kind of container"),
    ],
)
def test_columns_that_cannot_be_joined_are_named(source, target, join, words):
    with pytest.raises(ValueError, match=words):
        stack_domains(source, None, target, join=join)
