"""The adapter keeps a model good on a stream whose sensors change, and can account for it."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from skda import LinearTransportTransformer, QuantileTransportTransformer, make_domain_pipeline
from skda.monitoring import DriftMonitor, StreamingAdapter

CHANGES = (250, 650)


def rows_of(n, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n)
    return rng.normal(size=(n, 2)) + 3.0 * y[:, None], y


def drifting():
    """A stream of 1100 rows whose sensors change twice."""
    X, y = rows_of(1100, 1)
    X[CHANGES[0] :] = X[CHANGES[0] :] * [2.0, 0.5] + 4.0
    X[CHANGES[1] :] = X[CHANGES[1] :] - 9.0
    return X, y


def fitted_model(step=None):
    X, y = rows_of(300, 0)
    step = LinearTransportTransformer(direction="to_source") if step is None else step
    with sklearn.config_context(enable_metadata_routing=True):
        model = make_domain_pipeline(step, LogisticRegression())
        return model.fit(X, y, sample_domain=np.ones(300))


def run(adapter, sizes=(100,) * 11):
    """Predict each batch and then learn from it; return the predictions of all rows."""
    X, _ = drifting()
    predicted = []
    for part in np.split(X, np.cumsum(sizes)[:-1]):
        predicted.append(adapter.predict(part))
        adapter.update(part)
    return np.concatenate(predicted)


@pytest.fixture(scope="module")
def kept_up():
    adapter = StreamingAdapter(fitted_model(), DriftMonitor(random_state=0))
    adapter.fit(rows_of(300, 2)[0], sample_domain=1)
    return adapter, run(adapter)


def events(adapter):
    return [record["event"] for record in adapter.log_]


def test_the_model_is_aligned_after_each_change(kept_up):
    predicted = kept_up[1]
    y = drifting()[1]
    right = predicted == y
    assert right[:250].mean() > 0.95
    for change in CHANGES:
        assert right[change : change + 100].mean() < 0.9, "before the alarm it is wrong"
        assert right[change + 200 : change + 350].mean() > 0.95
    # Sabotage: without alignment it stays wrong.
    frozen = StreamingAdapter(fitted_model(), DriftMonitor(random_state=0), align=False)
    frozen_right = run(frozen.fit(rows_of(300, 2)[0], sample_domain=1)) == y
    assert frozen_right[450:650].mean() < 0.7
    assert [e for e in events(frozen) if e != "fit"] == ["alarm", "restart"] * 2


def test_the_log_says_what_was_done_in_plain_values(kept_up):
    adapter, _ = kept_up
    assert [e for e in events(adapter) if e != "refine"] == ["fit", *["alarm", "align"] * 2]
    assert json.loads(json.dumps(adapter.log_)) == adapter.log_
    alarms = [r for r in adapter.log_ if r["event"] == "alarm"]
    for alarm, change in zip(alarms, CHANGES, strict=True):
        assert abs(alarm["since"] - change) < 20 and change < alarm["row"] < change + 60
        assert set(alarm["features"]) <= {"x0", "x1"} and alarm["evalue"] >= 1e6
    aligned = [r for r in adapter.log_ if r["event"] == "align"]
    assert [r["domain"] for r in aligned] == [-2, -3] and adapter.domain_ == -3
    for alarm, align in zip(alarms, aligned, strict=True):
        # From the middle between the change and the alarm on, where none is of the old state.
        first = align["row"] - align["n_rows"]
        assert align["n_rows"] == 100 and first == (alarm["since"] + alarm["row"]) // 2
    assert adapter.n_rows_seen_ == 1100
    table = adapter.log_frame()
    assert isinstance(table, pd.DataFrame) and table["event"].tolist() == events(adapter)


def test_maps_are_refined_when_the_rows_double(kept_up):
    refined = [r for r in kept_up[0].log_ if r["event"] == "refine" and r["domain"] == -3]
    aligned = [r for r in kept_up[0].log_ if r["event"] == "align"][-1]
    assert [r["row"] - aligned["row"] for r in refined] == [100, 300]
    assert [r["n_rows"] for r in refined] == [100, 200]
    plain = StreamingAdapter(fitted_model(), DriftMonitor(random_state=0), refine=False)
    run(plain.fit(rows_of(300, 2)[0], sample_domain=1))
    assert "refine" not in events(plain)
    few = StreamingAdapter(fitted_model(), DriftMonitor(random_state=0), max_rows=120)
    run(few.fit(rows_of(300, 2)[0], sample_domain=1))
    assert "refine" not in events(few)


def test_batches_make_no_difference(kept_up):
    adapter, _ = kept_up
    for sizes in ([1] * 1100, [1100], [333, 7, 760]):
        other = clone(adapter).fit(rows_of(300, 2)[0], sample_domain=1)
        for part in np.split(drifting()[0], np.cumsum(sizes)[:-1]):
            other.update(part)
        for found, wanted in zip(other.log_, adapter.log_, strict=True):
            assert found == {**wanted, **({"evalue": found["evalue"]} if "evalue" in found else {})}
        X, _ = rows_of(50, 5)
        np.testing.assert_allclose(other.predict_proba(X), adapter.predict_proba(X))


def test_a_log_is_replayed_without_the_seed_that_it_was_made_with():
    X, _ = drifting()
    reference = rows_of(300, 2)[0]
    adapter = StreamingAdapter(fitted_model()).fit(reference, sample_domain=1).update(X[:500])
    again = StreamingAdapter(fitted_model()).replay(adapter.log_, reference, X[:500])
    assert again.log_ == adapter.log_ and len(again.log_) > 2
    assert_array_equal(again.predict(X[500:]), adapter.predict(X[500:]))
    with pytest.raises(ValueError, match="log differs at record 1"):
        adapter.replay(adapter.log_, reference, X[20:520])
    with pytest.raises(ValueError, match="log has 4 records, and these rows give 1"):
        adapter.replay(adapter.log_, reference, X[:200])
    with pytest.raises(ValueError, match="log must be the log_"):
        adapter.replay([], reference, X)


def test_the_given_model_and_monitor_stay_as_they_are(kept_up):
    adapter, _ = kept_up
    assert adapter.model is not adapter.model_
    assert -2 not in adapter.model[0]._fit_domains and -2 in adapter.model_[0]._fit_domains
    assert not hasattr(adapter.monitor, "threshold_")
    copy = clone(adapter)
    assert copy.model is adapter.model and copy.monitor is not adapter.monitor
    with pytest.raises(NotFittedError):
        copy.predict(drifting()[0])


def test_a_pickled_adapter_goes_on_alike():
    X, _ = drifting()
    adapter = StreamingAdapter(fitted_model(), DriftMonitor(random_state=0))
    adapter.fit(rows_of(300, 2)[0], sample_domain=1).update(X[:290])
    copy = pickle.loads(pickle.dumps(adapter))
    assert copy.update(X[290:600]).log_ == adapter.update(X[290:600]).log_
    assert_array_equal(copy.predict(X[600:]), adapter.predict(X[600:]))


def test_a_model_that_cannot_be_aligned_is_refused_or_only_watched():
    X, y = rows_of(300, 0)
    plain = LogisticRegression().fit(X, y)
    with pytest.raises(ValueError, match=r"cannot align this LogisticRegression.*align=False"):
        StreamingAdapter(plain).fit(X)
    adapter = StreamingAdapter(plain, DriftMonitor(random_state=0), align=False).fit(X)
    adapter.update(drifting()[0])
    assert events(adapter) == ["fit", *["alarm", "restart"] * 2] and adapter.domain_ is None
    assert_array_equal(adapter.predict(X), plain.predict(X))
    with pytest.raises(NotFittedError):
        StreamingAdapter(LogisticRegression()).fit(X)


def test_alignment_waits_for_enough_rows():
    X, _ = drifting()
    adapter = StreamingAdapter(fitted_model(), DriftMonitor(random_state=0), min_rows=300)
    adapter.fit(rows_of(300, 2)[0], sample_domain=1).update(X[:500])
    assert events(adapter) == ["fit", "alarm"]
    adapter.update(X[500:600])
    assert adapter.log_[2]["event"] == "align" and adapter.log_[2]["n_rows"] == 300


def test_frames_lists_and_other_maps():
    X, y = drifting()
    model = fitted_model(QuantileTransportTransformer(direction="to_source"))
    adapter = StreamingAdapter(model, DriftMonitor(random_state=0))
    adapter.fit(rows_of(300, 2)[0].tolist(), sample_domain=1)
    for part in np.split(X[:600], 12):
        adapter.update(part.tolist())
    assert np.mean(adapter.predict(X[450:600]) == y[450:600]) > 0.95
    names = ["a", "b"]
    with sklearn.config_context(enable_metadata_routing=True):
        framed = clone(model).fit(
            pd.DataFrame(rows_of(300, 0)[0], columns=names),
            rows_of(300, 0)[1],
            sample_domain=np.ones(300),
        )
    adapter = StreamingAdapter(framed, DriftMonitor(random_state=0))
    adapter.fit(pd.DataFrame(rows_of(300, 2)[0], columns=names), sample_domain=1)
    adapter.update(pd.DataFrame(X[:600], columns=names))
    assert adapter.log_[1]["features"][0] in names
    assert np.mean(adapter.predict(pd.DataFrame(X[450:600], columns=names)) == y[450:600]) > 0.95


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"align": "yes"}, "align must be True or False"),
        ({"refine": 1}, "refine must be True or False"),
        ({"min_rows": 9}, "min_rows must be an integer of at least 10"),
        ({"min_rows": 50, "max_rows": 49}, "max_rows must be an integer of at least 50"),
        ({"monitor": "conformal"}, "monitor must be a DriftMonitor or None"),
    ],
)
def test_bad_parameters_are_named(params, words):
    with pytest.raises(ValueError, match=words):
        StreamingAdapter(fitted_model(), **params).fit(rows_of(300, 0)[0], sample_domain=1)


def test_a_domain_that_the_model_does_not_know_is_refused_at_fit():
    with pytest.raises(ValueError, match=r"not fitted on: \[-9\]"):
        StreamingAdapter(fitted_model()).fit(rows_of(300, 0)[0], sample_domain=-9)
    with pytest.raises(ValueError, match="sample_domain must be an integer"):
        StreamingAdapter(fitted_model()).fit(rows_of(300, 0)[0], sample_domain="A")


def test_a_model_without_probabilities_has_none():
    assert hasattr(StreamingAdapter(fitted_model()), "predict_proba")
    assert not hasattr(StreamingAdapter(DriftMonitor()), "predict_proba")
