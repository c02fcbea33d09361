"""Splitters keep both domains, and every source class, in every part."""

from copy import copy

import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    cross_validate,
    learning_curve,
)

from skda import CORALTransformer, TrAdaBoostClassifier, make_domain_pipeline, stack_domains
from skda.metrics import InformationMaximizationScorer, LabeledTargetScorer
from skda.model_selection import DomainShuffleSplit, DomainStratifiedKFold, iter_target_domains

SPLITTERS = [
    DomainStratifiedKFold(4, shuffle=True, random_state=0),
    DomainShuffleSplit(4, random_state=0),
]


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
    other = copy(cv)
    other.random_state = 1
    assert split(cv) != split(other)


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
        (DomainStratifiedKFold(True), "n_splits must be an integer"),
        (DomainStratifiedKFold(shuffle="no"), "shuffle must be True or False"),
        (DomainStratifiedKFold(random_state=0), "no effect without shuffling. Pass shuffle=True"),
        (DomainShuffleSplit(True), "n_splits must be an integer of at least 1"),
        (DomainShuffleSplit(0), "n_splits must be an integer of at least 1"),
        (DomainShuffleSplit(test_size=1.5), r"test_size must be a number in \(0, 1\).*proportion"),
        (DomainShuffleSplit(test_size=3), "test_size must be a number in"),
        (DomainShuffleSplit(train_size="a"), "train_size must be a number in"),
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


def test_iter_target_domains_makes_each_domain_the_only_target():
    names = ["Lyon", "Bonn", "Turin", "Lyon"]
    for name, sample_domain in iter_target_domains(names):
        np.testing.assert_array_equal(sample_domain < 0, np.array(names) == name)
        assert len(np.unique(sample_domain)) == 3
    assert [name for name, _ in iter_target_domains([3, 1, 2])] == [1, 2, 3]


def test_with_the_past_only_later_domains_are_left_out():
    years = np.array([2025, 2023, 2024, 2023, 2025])
    seen = list(iter_target_domains(years, past_only=True))
    assert [name for name, _, _ in seen] == [2024, 2025]
    for name, sample_domain, rows in seen:
        np.testing.assert_array_equal(rows, np.flatnonzero(years <= name))
        np.testing.assert_array_equal(sample_domain < 0, years[rows] == name)
        assert len(np.unique(sample_domain)) == len(np.unique(years[rows]))
    with pytest.raises(ValueError, match="past_only"):
        next(iter_target_domains(years, past_only="yes"))


def test_iter_target_domains_refuses_a_single_domain():
    with pytest.raises(ValueError, match="at least two domains"):
        next(iter_target_domains(["Bonn", "Bonn"]))
    for domains in (None, "Bonn"):
        with pytest.raises(ValueError, match="domains must hold the name"):
            next(iter_target_domains(domains))


def test_folds_without_shuffling_are_the_same_in_every_call(stacked):
    X, y, sample_domain = stacked
    options = {"cv": DomainStratifiedKFold(3), "params": {"sample_domain": sample_domain}}
    with sklearn.config_context(enable_metadata_routing=True):
        model = make_domain_pipeline(CORALTransformer(), LogisticRegression())
        once, again = (cross_validate(model, X, y, **options)["test_score"] for _ in range(2))
    np.testing.assert_array_equal(once, again)
    shuffled = DomainStratifiedKFold(3, shuffle=True)
    first, second = (
        [test.tolist() for _, test in shuffled.split(X, y, sample_domain=sample_domain)]
        for _ in range(2)
    )
    assert first != second


def test_a_generator_that_a_meta_estimator_put_in_is_no_mistake_of_the_user(stacked):
    """StackingClassifier sets random_state of every splitter to a generator of its own."""
    X, y, sample_domain = stacked
    given, plain = DomainStratifiedKFold(3), DomainStratifiedKFold(3)
    given.random_state = np.random.RandomState(0)
    for (_, test), (_, expected) in zip(
        given.split(X, y, sample_domain=sample_domain),
        plain.split(X, y, sample_domain=sample_domain),
        strict=True,
    ):
        np.testing.assert_array_equal(test, expected)


def test_halving_search_accepts_the_folds(stacked):
    X, y, sample_domain = stacked
    with sklearn.config_context(enable_metadata_routing=True):
        search = HalvingGridSearchCV(
            make_domain_pipeline(CORALTransformer(), LogisticRegression()),
            {"coraltransformer__strength": [0.0, 0.5, 1.0]},
            scoring=InformationMaximizationScorer(),
            cv=DomainStratifiedKFold(2),
            resource="logisticregression__estimator__max_iter",
            max_resources=90,
            min_resources=30,
            error_score="raise",
        ).fit(X, y, sample_domain=sample_domain)
    assert search.n_iterations_ >= 2


@pytest.mark.parametrize(
    "cv", [DomainStratifiedKFold(3), *SPLITTERS], ids=["in order", "folds", "parts"]
)
def test_every_size_of_a_learning_curve_has_both_domains_and_all_classes(cv, stacked):
    X, y, sample_domain = stacked
    seen = []

    class Watching(BaseEstimator):
        __metadata_request__fit = {"sample_domain": True}

        def fit(self, X, y, *, sample_domain=None):
            seen.append((len(y), set(sample_domain.tolist()), set(y[sample_domain >= 0].tolist())))
            return self

        def score(self, X, y):
            return 0.0

    with sklearn.config_context(enable_metadata_routing=True):
        learning_curve(
            Watching(), X, y, cv=cv, train_sizes=[0.3, 0.6, 1.0], error_score="raise",
            params={"sample_domain": sample_domain},
        )  # fmt: skip
    assert len({size for size, _, _ in seen}) == 3
    assert all(ids == {0, 3, -2} and classes == {0, 1, 2} for _, ids, classes in seen)


@pytest.mark.parametrize("cv", SPLITTERS, ids=lambda cv: type(cv).__name__)
def test_train_parts_spread_every_domain_evenly(cv, stacked):
    X, y, sample_domain = stacked
    for train, _ in cv.split(X, y, sample_domain=sample_domain):
        for domain in (0, 3, -2):
            counted = np.cumsum(sample_domain[train] == domain)
            expected = np.arange(1, len(train) + 1) * counted[-1] / len(train)
            assert np.abs(counted - expected).max() <= 2


@pytest.mark.parametrize("mark", [np.nan, -1, None])
@pytest.mark.parametrize("cv", SPLITTERS, ids=lambda cv: type(cv).__name__)
def test_few_labeled_target_rows_are_spread_over_the_parts(cv, mark):
    """8 of 200 target rows have a label, whichever way the others are marked."""
    rng = np.random.default_rng(0)
    sample_domain, y = np.repeat([1, -2], [100, 200]), rng.integers(0, 2, 300)
    labeled = 100 + rng.choice(200, 8, replace=False)
    hide = (sample_domain < 0) & ~np.isin(np.arange(300), labeled)
    marked = y.astype(object if mark is None else type(mark))
    marked[hide] = mark
    parts = list(cv.split(np.zeros((300, 1)), marked, sample_domain=sample_domain))
    assert all(np.isin(test, labeled).sum() in (1, 2, 3) for _, test in parts)
    assert all(np.isin(train, labeled).sum() >= 5 for train, _ in parts)

    other = marked.copy()  # what the labels are does not count
    other[labeled] = 1 - other[labeled]
    again = cv.split(np.zeros((300, 1)), other, sample_domain=sample_domain)
    for (_, test), (_, test_again) in zip(parts, again, strict=True):
        np.testing.assert_array_equal(test, test_again)


def test_labels_in_several_targets_are_spread_together():
    """One label in each of five targets: none of five folds is without a label."""
    rng = np.random.default_rng(0)
    for _ in range(5):
        sample_domain = np.repeat([1, -2, -3, -4, -5, -6], [30, 12, 14, 11, 17, 13])
        y = np.where(sample_domain < 0, np.nan, rng.integers(0, 2, len(sample_domain)))
        labeled = [rng.choice(np.flatnonzero(sample_domain == domain)) for domain in range(-6, -1)]
        y[labeled] = 1
        X = np.zeros((len(y), 1))
        for train, test in DomainStratifiedKFold().split(X, y, sample_domain=sample_domain):
            assert np.isin(test, labeled).sum() == 1
            assert len(set(sample_domain[test])) == len(set(sample_domain[train])) == 6


@pytest.mark.parametrize("boosted", [False, True], ids=["unsupervised", "transfer"])
def test_every_fold_can_be_fitted_and_scored_with_few_labeled_target_rows(boosted):
    predictor = LogisticRegression()
    if boosted:
        predictor = TrAdaBoostClassifier(predictor, n_estimators=2)
    rng = np.random.default_rng(0)
    for _ in range(10):
        y = np.concatenate([rng.integers(0, 2, 100), rng.permutation([0, 1] * 3 + [-1] * 194)])
        sample_domain = np.repeat([1, -2], [100, 200])
        with sklearn.config_context(enable_metadata_routing=True):
            found = cross_validate(
                make_domain_pipeline(predictor), rng.normal(size=(300, 2)), y,
                cv=DomainStratifiedKFold(), scoring=LabeledTargetScorer(),
                params={"sample_domain": sample_domain}, error_score="raise",
            )  # fmt: skip
        assert np.isfinite(found["test_score"]).all()
