"""The monitor finds changes soon, is silent without, and takes the tables of real streams."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from skda.monitoring import DriftMonitor
from skda.monitoring._evidence import Detectors, e_factors

TESTS = ("conformal", "mmd", "classifier")


@parametrize_with_checks([DriftMonitor(), DriftMonitor("classifier")])
def test_scikit_learn_contract(estimator, check):
    check(estimator)


def normal(n, d=10, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def correlated(n, rho, seed):
    """Rows of four features with unit variances, the first two of them correlated."""
    X = normal(n, 4, seed)
    X[:, 1] = rho * X[:, 0] + np.sqrt(1 - rho**2) * X[:, 1]
    return X


def shifted(n_before, n_after, by, seed=0, feature=3):
    X = normal(n_before + n_after, seed=seed)
    X[n_before:, feature] += by
    return X


# What it finds


@pytest.mark.parametrize("n_reference", [500, 2000])
@pytest.mark.parametrize("n_before", [0, 1500])
def test_a_shift_in_one_of_ten_features_is_found_within_200_rows(n_reference, n_before):
    for seed in range(3):
        monitor = DriftMonitor(random_state=seed).fit(normal(n_reference, seed=100 + seed))
        monitor.update(shifted(n_before, 200, 1.0, seed))
        assert monitor.alarm_ and n_before < monitor.alarm_row_ < n_before + 100
        assert abs(monitor.since_ - n_before) < 40
        assert next(iter(monitor.features_)) == "x3"
        assert monitor.evalue_ >= monitor.threshold_ == 1e6
        assert 0 < monitor.pvalue_ <= (n_before + 100) * 1e-6


@pytest.mark.parametrize(
    "change",
    [lambda x: 3 * x, lambda x: x / 3, lambda x: x - 1, lambda x: x + 20, np.round, np.zeros_like],
    ids=["wider", "narrower", "down", "far", "rounded", "constant"],
)
def test_other_changes_of_one_feature_are_found(change):
    X = normal(900, seed=1)
    X[300:, 3] = change(X[300:, 3])
    monitor = DriftMonitor(random_state=0).fit(normal(1000)).update(X)
    if change is np.round:
        # Ranks of rounded values, ties broken at random, are as uniform as before.
        assert not monitor.alarm_
    else:
        assert monitor.alarm_ and monitor.alarm_row_ > 300
        assert next(iter(monitor.features_)) == "x3"


@pytest.mark.parametrize("test", ["mmd", "classifier"])
def test_a_change_of_correlation_is_seen_by_the_joint_tests(test):
    reference, before, after = (
        correlated(600, 0.8, 0),
        correlated(200, 0.8, 1),
        correlated(600, -0.8, 2),
    )
    stream = np.concatenate([before, after])
    monitor = DriftMonitor(test, random_state=0).fit(reference).update(stream)
    assert monitor.alarm_ and monitor.alarm_row_ > 200
    assert list(monitor.features_) == ["(all features together)"]
    by_feature = DriftMonitor(random_state=0).fit(reference).update(stream)
    assert not by_feature.alarm_ and by_feature.evalue_ < 1e3


# False alarms


def test_a_stream_that_does_not_change_is_silent():
    monitor = DriftMonitor(random_state=0).fit(normal(500)).update(normal(20_000, seed=1))
    assert not monitor.alarm_ and monitor.alarm_row_ is None and monitor.since_ is None
    assert monitor.n_rows_seen_ == 20_000 and monitor.pvalue_ > 0.05


@pytest.mark.parametrize(
    ("test", "guarantee", "alpha", "bound"),
    [
        ("conformal", "rate", 1e-3, 0.3),
        ("conformal", "ever", 0.2, 0.2),
        ("classifier", "rate", 1e-3, 0.15),
    ],
)
def test_false_alarms_keep_their_bound(test, guarantee, alpha, bound):
    n_draws, n_rows = 40, 150 if test == "classifier" else 300
    alarms = 0
    for seed in range(n_draws):
        X = np.random.default_rng(seed).exponential(size=(30 + n_rows, 2))
        monitor = DriftMonitor(
            test, alpha=alpha, guarantee=guarantee, max_rows=100, random_state=seed
        )
        alarms += monitor.fit(X[:30]).update(X[30:]).alarm_
    # Three standard deviations of the number that the bound allows.
    assert alarms <= n_draws * bound + 3 * np.sqrt(n_draws * bound * (1 - bound))


@pytest.mark.slow
def test_false_alarms_over_a_hundred_thousand_rows():
    alarms = 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        monitor = DriftMonitor(random_state=seed).fit(rng.normal(size=(200, 10)))
        alarms += monitor.update(rng.normal(size=(100_000, 10))).alarm_
    assert alarms <= 3, "one in ten is allowed"


@pytest.mark.slow
@pytest.mark.parametrize("test", TESTS)
def test_false_alarms_over_many_short_streams(test):
    alarms, n_draws = np.zeros(3), 400 if test == "conformal" else 120
    for seed in range(n_draws):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(1040, 3))
        monitor = DriftMonitor(test, alpha=1e-7, max_rows=40, random_state=seed)
        monitor.fit(X[:40]).update(X[40:])
        alarms += np.max(monitor.trace_[1]) >= np.array([2e3, 1e4, 1e5])
    bounds = 1000 / np.array([2e3, 1e4, 1e5])
    assert (alarms <= n_draws * bounds + 3 * np.sqrt(n_draws * bounds)).all()


def test_ranks_in_a_fixed_reference_would_give_false_alarms():
    rng = np.random.default_rng(0)
    reference, stream = np.sort(rng.normal(size=100)), rng.normal(size=20_000)
    p = (np.searchsorted(reference, stream) + rng.random(20_000)) / 101
    detectors = Detectors(1, e_factors(p[:1, None]).shape[1])
    _, alarm = detectors.advance(lambda rows: e_factors(p[rows, None]), np.arange(20_000), 2e6)
    assert alarm is not None
    monitor = DriftMonitor(random_state=0).fit(reference[:, None]).update(stream[:, None])
    assert not monitor.alarm_


# Batches, copies, going on


@pytest.mark.parametrize("test", TESTS)
def test_batches_make_no_difference(test):
    reference = correlated(400, 0.8, 0)
    stream = np.concatenate([correlated(150, 0.8, 1), correlated(400, -0.8, 2) + 0.7])
    stream[::17, 2] = np.nan
    found = []
    for sizes in ([550], [1] * 550, [100, 1, 200, 249]):
        monitor = DriftMonitor(test, random_state=0).fit(reference)
        for part in np.split(stream, np.cumsum(sizes)[:-1]):
            monitor.update(part)
        first = (monitor.alarm_row_, monitor.since_, monitor.evalue_, monitor.features_)
        # After an alarm in the middle of a batch too.
        monitor.reset().update(stream[:60])
        found.append((first, monitor.evalue_, monitor.pvalue_, monitor.n_rows_seen_))
        assert first[0] is not None
    assert found[0][0][:2] == found[1][0][:2] == found[2][0][:2]
    for other in found[1:]:
        assert other[0][2] == pytest.approx(found[0][0][2])
        assert other[1:] == pytest.approx(found[0][1:])


@pytest.mark.parametrize("test", TESTS)
def test_a_pickled_monitor_goes_on_alike_and_a_clone_starts_anew(test):
    monitor = DriftMonitor(test, random_state=0).fit(normal(100)).update(normal(77, seed=1))
    copy = pickle.loads(pickle.dumps(monitor))
    for each in (monitor, copy):
        each.update(normal(50, seed=2))
    assert copy.evalue_ == monitor.evalue_ and copy.features_ == monitor.features_
    with pytest.raises(NotFittedError):
        clone(monitor).update(normal(1))
    again = clone(monitor).set_params(random_state=monitor.seed_).fit(normal(100))
    assert again.update(normal(77, seed=1)).update(normal(50, seed=2)).evalue_ == monitor.evalue_


def test_skops_stores_a_monitor():
    io = pytest.importorskip("skops.io")
    monitor = DriftMonitor(random_state=0).fit(normal(100)).update(normal(77, seed=1))
    dumped = io.dumps(monitor)
    untrusted = io.get_untrusted_types(data=dumped)
    assert not [name for name in untrusted if not name.startswith("skda.")]
    loaded = io.loads(dumped, trusted=untrusted)
    assert loaded.update(normal(20, seed=2)).evalue_ == monitor.update(normal(20, seed=2)).evalue_


def test_random_state_none_and_objects_are_noted_as_a_seed():
    for random_state in (None, np.random.RandomState(3)):
        monitor = DriftMonitor(random_state=random_state).fit(normal(50))
        again = DriftMonitor(random_state=monitor.seed_).fit(normal(50))
        assert monitor.update(normal(9)).evalue_ == again.update(normal(9)).evalue_


def test_after_an_alarm_rows_are_counted_until_reset():
    monitor = DriftMonitor(random_state=0).fit(normal(300)).update(shifted(0, 200, 3.0))
    row, features = monitor.alarm_row_, monitor.features_
    monitor.update(normal(100, seed=5))
    assert (monitor.alarm_row_, monitor.features_) == (row, features)
    assert monitor.n_rows_seen_ == 300
    assert monitor.reset() is monitor and not monitor.alarm_ and monitor.evalue_ == 0.0
    monitor.update(shifted(0, 300, -4.0, seed=6))
    assert monitor.alarm_ and 300 < monitor.alarm_row_ < 400
    assert monitor.trace_[0][0] == 300


def test_random_numbers_are_new_after_reset():
    # Ties alone: the p-values are the random numbers that break them.
    ones = np.ones((50, 1))
    monitor = DriftMonitor(random_state=0).fit(ones)
    first = monitor.update(ones).evalue_
    assert monitor.reset().update(ones).evalue_ != pytest.approx(first)


def test_a_refit_forgets_all():
    monitor = DriftMonitor(random_state=0).fit(normal(300)).update(shifted(0, 200, 3.0))
    monitor.fit(normal(300))
    assert not monitor.alarm_ and monitor.n_rows_seen_ == 0
    fresh = DriftMonitor(random_state=0).fit(normal(300))
    assert monitor.update(normal(50, seed=1)).evalue_ == fresh.update(normal(50, seed=1)).evalue_


def test_a_stricter_alpha_and_the_guarantee_for_ever_take_more_rows():
    rows = []
    for options in ({"alpha": 1e-3}, {}, {"alpha": 1e-12}, {"guarantee": "ever"}):
        monitor = DriftMonitor(random_state=0, **options).fit(normal(1000))
        rows.append(monitor.update(shifted(500, 1000, 1.0)).alarm_row_)
    assert rows[0] < rows[1] < rows[2] and rows[1] < rows[3]


def test_a_larger_bag_sees_a_slower_change():
    found = {}
    for max_rows in (100, 3000):
        monitor = DriftMonitor(max_rows=max_rows, random_state=0).fit(normal(3000, 2))
        stream = normal(6000, 2, seed=1)
        stream[:, 0] += np.linspace(0, 1.0, 6000)
        found[max_rows] = monitor.update(stream).alarm_
    assert found == {100: False, 3000: True}


# Tables


def frame(n, seed, library=pd, proportions=(0.6, 0.3, 0.1)):
    rng = np.random.default_rng(seed)
    return library.DataFrame(
        {
            "age": rng.normal(size=n),
            "ward": rng.choice(["a", "b", "c"], p=proportions, size=n),
            "count": rng.poisson(2, size=n),
        }
    )


@pytest.mark.parametrize("library", [pd, pl])
@pytest.mark.parametrize("test", TESTS)
def test_frames_with_text_are_watched(library, test):
    monitor = DriftMonitor(test, random_state=0).fit(frame(500, 0, library))
    assert not monitor.update(frame(500, 1, library)).alarm_
    assert monitor.update(frame(600, 2, library, (0.05, 0.15, 0.8))).alarm_
    if test == "conformal":
        assert next(iter(monitor.features_)) == "ward"
        assert set(monitor.features_) == {
            *("age", "ward", "count", "age (missing)", "count (missing)")
        }


def test_a_new_category_and_arrays_of_objects():
    X = frame(400, 0).to_numpy(dtype=object)
    stream = frame(200, 1).to_numpy(dtype=object)
    stream[100:, 1] = "new"
    monitor = DriftMonitor(random_state=0).fit(X).update(stream)
    assert monitor.alarm_ and monitor.alarm_row_ < 140
    assert next(iter(monitor.features_)) == "x1"
    lists = DriftMonitor(random_state=0).fit(X.tolist()).update(stream.tolist())
    assert lists.features_ == monitor.features_


def test_missing_values_are_a_feature_of_their_own():
    X, stream = normal(400, 3), normal(300, 3, seed=1)
    X[::10, 0] = np.nan
    stream[::10, 0] = np.nan
    quiet = DriftMonitor(random_state=0).fit(X).update(stream)
    assert not quiet.alarm_
    for first_in_reference in (0, 1):
        holes = stream.copy()
        holes[100::2, first_in_reference] = np.nan
        monitor = DriftMonitor(random_state=0).fit(X).update(holes)
        assert (
            monitor.alarm_ and next(iter(monitor.features_)) == f"x{first_in_reference} (missing)"
        )
        assert abs(monitor.since_ - 100) < 30
    gone = np.full((300, 3), np.nan)
    assert not DriftMonitor(random_state=0).fit(gone).update(gone).alarm_


def test_missing_text_is_a_category():
    X, stream = frame(400, 0), frame(300, 1)
    stream.loc[100:, "ward"] = None
    monitor = DriftMonitor(random_state=0).fit(X).update(stream)
    assert monitor.alarm_ and next(iter(monitor.features_)) == "ward"


@pytest.mark.parametrize("test", TESTS)
def test_constant_and_tied_columns_give_no_alarm(test):
    X = np.column_stack([np.ones(800), np.arange(800) % 2, np.zeros(800)])
    X[:, 1] = np.random.default_rng(0).permutation(X[:, 1])
    monitor = DriftMonitor(test, random_state=0).fit(X[:300]).update(X[300:])
    assert not monitor.alarm_
    X[300:, 2] = 1.0
    if test == "conformal":
        monitor = DriftMonitor(random_state=0).fit(X[:300]).update(X[300:])
        assert monitor.alarm_ and monitor.alarm_row_ < 60


@pytest.mark.parametrize(
    ("test", "d"), [("conformal", 20_000), ("mmd", 2000), ("classifier", 2000)]
)
def test_very_many_columns(test, d):
    rng = np.random.default_rng(0)
    reference, stream = rng.normal(size=(40, d)), rng.normal(size=(20, d))
    stream[:, 7] += 30.0
    monitor = DriftMonitor(test, alpha=1e-2, random_state=0).fit(reference)
    monitor.update(stream[:1]).update(stream[1:])
    if test == "conformal":
        assert next(iter(monitor.features_)) == "x7" and len(monitor.features_) == 2 * d


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"test": "ks"}, "test must be one of"),
        ({"alpha": 0}, "alpha must be a number in"),
        ({"alpha": 1}, "alpha must be a number in"),
        ({"guarantee": "always"}, "guarantee must be one of"),
        ({"max_rows": 9}, "max_rows must be an integer of at least 10"),
    ],
)
def test_bad_parameters_are_named(params, words):
    with pytest.raises(ValueError, match=words):
        DriftMonitor(**params).fit(normal(50))


def test_rows_that_cannot_be_watched_are_named():
    with pytest.raises(ValueError, match=r"at least 10 reference rows.*got 3 samples"):
        DriftMonitor().fit(normal(3))
    with pytest.raises(TypeError, match="sparse"):
        DriftMonitor().fit(sparse.csr_array(normal(50)))
    with pytest.raises(ValueError, match="infinity"):
        DriftMonitor().fit(np.full((50, 2), np.inf))
    with pytest.raises(ValueError, match="datetime64"):
        DriftMonitor().fit(pd.DataFrame({"day": pd.date_range("2026-01-01", periods=50)}))
    monitor = DriftMonitor(random_state=0).fit(frame(50, 0))
    state = pickle.dumps(monitor)
    text = frame(5, 0).assign(age=["x"] * 5)
    with pytest.raises(ValueError, match="'age' held numbers in fit"):
        monitor.update(text)
    with pytest.raises(ValueError, match="feature names"):
        monitor.update(frame(5, 0).rename(columns={"age": "years"}))
    with pytest.raises(ValueError, match="0 rows"):
        monitor.update(frame(5, 0)[:0])
    assert pickle.dumps(monitor) == state, "a refused batch changes nothing"


def test_torch_rows_are_watched_as_numpy_rows():
    torch = pytest.importorskip("torch")
    X, stream = normal(100), normal(30, seed=1)
    wanted = DriftMonitor(random_state=0).fit(X).update(stream)
    found = DriftMonitor(random_state=0).fit(torch.asarray(X)).update(torch.asarray(stream))
    assert found.features_ == wanted.features_


def test_plot_draws_the_evidence_and_the_alarm():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    monitor = DriftMonitor(random_state=0).fit(normal(200))
    ax = monitor.update(shifted(100, 100, 2.0)).plot()
    assert ax.get_xlabel() == "row of the stream" and ax.get_yscale() == "log"
    labels = [line.get_label() for line in ax.lines]
    assert labels == ["evidence", "alarm at", "alarm: x3", "change estimated at"]
    assert_array_equal(ax.lines[2].get_xdata(), monitor.alarm_row_)
    other = pyplot.subplots()[1]
    assert monitor.reset().plot(other) is other and len(other.lines) == 2
    pyplot.close("all")
