"""Splitters keep both domains, and every source class, in every part."""

import numpy as np
import pytest
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate

from skda import stack_domains
from skda.model_selection import DomainShuffleSplit, DomainStratifiedKFold, iter_target_domains

SPLITTERS = [DomainStratifiedKFold(4, random_state=0), DomainShuffleSplit(4, random_state=0)]


@pytest.fixture
def stacked():
    rng = np.random.default_rng(0)
    sample_domain = np.repeat([0, 3, -2], [40, 20, 30])
    y = np.where(sample_domain < 0, -1, rng.choice(3, 90, p=[0.6, 0.3, 0.1]))
    return rng.normal(size=(90, 2)), y, sample_domain


def counts(values, like):
    return np.array([(values == v).sum() for v in np.unique(like)])


@pytest.mark.parametrize("cv", SPLITTERS, ids=lambda cv: type(cv).__name__)
def test_every_part_has_each_domain_in_its_share(cv, stacked):
    X, y, sample_domain = stacked
    for train, test in cv.split(X, y, sample_domain=sample_domain):
        assert not set(train) & set(test)
        assert len(train) + len(test) == len(X)
        share = counts(sample_domain[test], sample_domain) / counts(sample_domain, sample_domain)
        np.testing.assert_allclose(share, len(test) / len(X), atol=0.06)


@pytest.mark.parametrize("cv", SPLITTERS, ids=lambda cv: type(cv).__name__)
def test_source_classes_are_spread_to_within_one_row(cv, stacked):
    X, y, sample_domain = stacked
    source = sample_domain == 0
    for _, test in cv.split(X, y, sample_domain=sample_domain):
        part = test[source[test]]
        expected = counts(y[source], y[source]) * len(part) / source.sum()
        assert np.abs(counts(y[part], y[source]) - expected).max() <= 1


@pytest.mark.parametrize("cv", SPLITTERS, ids=lambda cv: type(cv).__name__)
def test_target_labels_do_not_change_the_split(cv, stacked):
    X, y, sample_domain = stacked
    known = np.where(sample_domain < 0, np.arange(90) % 3, y)
    for a, b in zip(
        cv.split(X, y, sample_domain=sample_domain),
        cv.split(X, known, sample_domain=sample_domain),
        strict=True,
    ):
        np.testing.assert_array_equal(a[1], b[1])


def test_folds_partition_the_rows(stacked):
    X, y, sample_domain = stacked
    folds = [t for _, t in SPLITTERS[0].split(X, y, sample_domain=sample_domain)]
    np.testing.assert_array_equal(np.sort(np.concatenate(folds)), np.arange(90))
    assert max(map(len, folds)) - min(map(len, folds)) <= 1


@pytest.mark.parametrize("cv", SPLITTERS, ids=lambda cv: type(cv).__name__)
def test_same_seed_same_split_and_another_seed_another(cv, stacked):
    X, y, sample_domain = stacked
    split = lambda cv: next(cv.split(X, y, sample_domain=sample_domain))[1].tolist()  # noqa: E731
    assert split(cv) == split(cv)
    assert split(cv) != split(type(cv)(4, random_state=1))


@pytest.mark.parametrize("cv", SPLITTERS, ids=lambda cv: type(cv).__name__)
def test_regression_targets_are_spread(cv):
    rng = np.random.default_rng(0)
    sample_domain = np.repeat([1, -2], [200, 40])
    y = np.where(sample_domain < 0, np.nan, rng.lognormal(size=240))
    for _, test in cv.split(np.zeros((240, 1)), y, sample_domain=sample_domain):
        part = np.nanmedian(y[test])
        assert abs((y[:200] < part).mean() - 0.5) < 0.06


@pytest.mark.parametrize("cv", SPLITTERS, ids=lambda cv: type(cv).__name__)
@pytest.mark.parametrize(
    "labels", [["a", "b"] * 5, [True, False] * 5, [1.0, 2.0] * 5, [-1, 1] * 5, ["a", 1] * 5]
)
def test_labels_of_any_kind(cv, labels):
    y_source = np.array(labels, dtype=object) if isinstance(labels[1], int) else labels
    X, y, sample_domain = stack_domains(np.zeros((10, 1)), y_source, np.ones((10, 1)))
    for _, test in cv.split(X, y, sample_domain=sample_domain):
        part = [y[i] for i in test if sample_domain[i] > 0]
        assert len(part) >= 2
        assert len(set(part)) == 2 or len(part) < 3


@pytest.mark.parametrize("cv", SPLITTERS, ids=lambda cv: type(cv).__name__)
@pytest.mark.parametrize("fill", [np.nan, 1.0])
def test_labels_that_say_nothing_are_no_trouble(cv, fill):
    sample_domain = np.repeat([1, -2], 10)
    y = np.full(20, fill)
    y[10:] = np.nan
    for _, test in cv.split(np.zeros((20, 1)), y, sample_domain=sample_domain):
        assert len(np.unique(sample_domain[test])) == 2


@pytest.mark.parametrize("cv", SPLITTERS, ids=lambda cv: type(cv).__name__)
def test_search_hands_the_domains_over(cv, stacked):
    X, y, sample_domain = stacked
    with sklearn.config_context(enable_metadata_routing=True):
        search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=cv)
        search.fit(X, y, sample_domain=sample_domain)
        assert search.n_splits_ == 4
        result = cross_validate(
            LogisticRegression(), X, y, cv=cv, params={"sample_domain": sample_domain}
        )
    assert len(result["test_score"]) == 4


@pytest.mark.parametrize("cv", SPLITTERS, ids=lambda cv: type(cv).__name__)
def test_bad_domains_are_refused_in_words(cv):
    X = np.zeros((10, 1))
    with pytest.raises(ValueError, match="needs sample_domain to keep both domains"):
        next(cv.split(X))
    with pytest.raises(ValueError, match="has no target rows"):
        next(cv.split(X, sample_domain=np.ones(10)))
    with pytest.raises(ValueError, match="one value per row"):
        next(cv.split(X, sample_domain=np.ones(9)))


def test_too_small_a_domain_is_refused():
    X, sample_domain = np.zeros((12, 1)), np.repeat([1, -2], [10, 2])
    with pytest.raises(ValueError, match=r"needs at least 3 target rows.*got 2\. Lower n_splits"):
        next(DomainStratifiedKFold(3).split(X, sample_domain=sample_domain))
    assert len(list(DomainStratifiedKFold(2).split(X, sample_domain=sample_domain))) == 2
    with pytest.raises(ValueError, match="at least 2 target rows"):
        next(DomainShuffleSplit().split(X[:11], sample_domain=sample_domain[:11]))


def test_a_domain_of_one_row_stays_in_the_train_part():
    sample_domain = np.array([1] * 6 + [2] + [-3] * 4)
    for train, test in DomainShuffleSplit(20, random_state=0).split(
        np.zeros((11, 1)), sample_domain=sample_domain
    ):
        assert 6 in train and 6 not in test


@pytest.mark.parametrize(
    ("cv", "message"),
    [
        (DomainStratifiedKFold(1), "n_splits must be an integer of at least 2"),
        (DomainStratifiedKFold(2.5), "n_splits must be an integer"),
        (DomainShuffleSplit(0), "n_splits must be an integer of at least 1"),
        (DomainShuffleSplit(test_size=1.5), "test_size must be a share"),
        (DomainShuffleSplit(test_size=3), "test_size must be a share"),
        (DomainShuffleSplit(test_size=0.5, train_size=0.6), "must not be more than 1"),
    ],
)
def test_bad_parameters_are_refused_in_words(cv, message, stacked):
    X, y, sample_domain = stacked
    with pytest.raises(ValueError, match=message):
        next(cv.split(X, y, sample_domain=sample_domain))


def test_train_size_leaves_rows_out(stacked):
    X, y, sample_domain = stacked
    cv = DomainShuffleSplit(1, test_size=0.2, train_size=0.5, random_state=0)
    train, test = next(cv.split(X, y, sample_domain=sample_domain))
    assert (len(train), len(test)) == (45, 18)


def test_leave_one_domain_out_makes_each_domain_the_only_target():
    names = ["Lyon", "Bonn", "Turin", "Lyon"]
    for name, sample_domain in iter_target_domains(names):
        np.testing.assert_array_equal(sample_domain < 0, np.array(names) == name)
        assert len(np.unique(sample_domain)) == 3
    assert [name for name, _ in iter_target_domains([3, 1, 2])] == [1, 2, 3]


def test_leave_one_domain_out_refuses_a_single_domain():
    with pytest.raises(ValueError, match="at least two domains"):
        next(iter_target_domains(["Bonn", "Bonn"]))
