"""What holds for every estimator that learns from batches."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler

import skda
from skda import PerDomain
from skda._core._sample_domain import domains_for_predict
from skda._core._validation import DomainData
from tests.checks import all_estimators

SMALL_NET = {"max_epochs": 1, "batch_size": 64, "module__hidden": (4,), "random_state": 0}


def is_net(estimator):
    return type(estimator).__module__.startswith("skda.deep")


def quick(estimator):
    estimator = clone(estimator)
    if "min_effective_size" in estimator.get_params():  # so few rows would have equal weights
        return estimator.set_params(min_effective_size=None)
    return estimator.set_params(**SMALL_NET) if is_net(estimator) else estimator


def begun(model, X, y, d):
    """Return the model after its first rows; weighters begin with partial_fit."""
    return (model.partial_fit if hasattr(model, "exponent") else model.fit)(X, y, sample_domain=d)


LEARNERS = [e for e in all_estimators() if hasattr(e, "partial_fit")]
LEARNERS = [e for e in LEARNERS if not isinstance(e, PerDomain)]
MAPS = [e for e in LEARNERS if not is_net(e)]


def rows(n=30, seed=0):
    rng = np.random.default_rng(seed)
    d = np.repeat([1, -2], n)
    y = np.tile([0, 1], n)
    return rng.normal(size=(2 * n, 3)) + 0.2 * d[:, None] + 2.0 * y[:, None], y, d


def interrupt(*_, **__):
    raise KeyboardInterrupt


def by_name(estimator):
    return type(estimator).__name__


@pytest.mark.parametrize("estimator", LEARNERS, ids=by_name)
def test_a_batch_with_bad_values_leaves_its_domain_unknown(estimator):
    X, y, d = rows()
    model = begun(quick(estimator), X, y, d)
    bad = np.full((4, 3), 1e300 if is_net(model) else np.inf)
    with pytest.raises(ValueError, match=r"infinity|too large|\d"):
        model.partial_fit(bad, np.tile([0, 1], 2), sample_domain=[1, 1, -7, -7])
    with pytest.raises(ValueError, match=r"\[-7\]"):
        domains_for_predict([-7], 1, estimator=model)
    # A net whose training failed is no fitted one.
    assert -7 not in getattr(model, "target_domains_", [])


def test_weighters_do_not_go_on_from_a_fit():
    X, _, d = rows()
    model = quick(skda.GaussianWeighter()).fit(X, sample_domain=d)
    with pytest.raises(ValueError, match=r"cannot go on from fit.*Begin with partial_fit"):
        model.partial_fit(X, sample_domain=d)


@pytest.mark.parametrize("estimator", MAPS, ids=by_name)
def test_a_batch_that_is_interrupted_counts_as_not_seen(estimator, monkeypatch):
    """Wherever an array is stored: nothing may be stored before all is computed."""
    X, y, d = rows()
    X_new, _, d_new = rows(10, seed=1)
    d_new = np.where(d_new < 0, -7, 1)
    store, calls = DomainData.to_input, []

    def stops_at(number):
        def to_input(self, x):
            calls.append(x)
            return interrupt() if len(calls) > number else store(self, x)

        return to_input

    new = d_new == -7
    model = quick(estimator)
    if "direction" in model.get_params():
        model.set_params(direction="to_source")
    begun(model, X, y, d)
    wanted = found_outputs(model, X, d)
    for number in range(100):
        calls.clear()
        with monkeypatch.context() as patch:
            patch.setattr(DomainData, "to_input", stops_at(number))
            try:
                model.partial_fit(X_new[new], sample_domain=d_new[new])
            except KeyboardInterrupt:
                pass
            else:
                break
        np.testing.assert_array_equal(found_outputs(model, X, d), wanted)
        with pytest.raises(ValueError, match=r"\[-7\]"):
            domains_for_predict([-7], 1, estimator=model)
    twin = begun(clone(model), X, y, d)
    twin.partial_fit(X_new[new], sample_domain=d_new[new])
    np.testing.assert_array_equal(found_outputs(model, X, d), found_outputs(twin, X, d))
    assert domains_for_predict([-7], 1, estimator=model).tolist() == [-7]


def found_outputs(model, X, d):
    for name in ("transform", "predict_proba", "predict_weights"):
        if hasattr(model, name):
            return getattr(model, name)(X, sample_domain=d)
    raise AssertionError("no output")


def test_an_interrupted_batch_of_clones_counts_as_not_seen(monkeypatch):
    X, _, d = rows()
    model = PerDomain(StandardScaler()).fit(X, sample_domain=d)
    wanted = model.transform(X, sample_domain=d)
    monkeypatch.setattr(StandardScaler, "fit", interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.partial_fit(X, sample_domain=np.where(d < 0, -2, 7))
    with pytest.raises(ValueError, match=r"\[7\]"):
        domains_for_predict([7], 1, estimator=model)
    np.testing.assert_array_equal(model.transform(X, sample_domain=d), wanted)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_net_that_goes_on_knows_new_domains_when_it_has_learnt_them(method, monkeypatch):
    X, y, d = rows()
    net = skda.DeepCORALClassifier(warm_start=True, **SMALL_NET).fit(X, y, sample_domain=d)
    later = np.where(d < 0, -7, 3)
    getattr(net, method)(X, y, sample_domain=later)
    assert (net.source_domains_, net.target_domains_) == ([1, 3], [-7, -2])
    with pytest.warns(skda.DomainWarning):
        getattr(net, method)(X, y)
    with pytest.raises(ValueError, match=r"not fitted on: \[-9\]"):
        net.predict(X, sample_domain=np.where(d < 0, -9, 1))


@pytest.mark.parametrize("estimator", MAPS, ids=by_name)
def test_a_first_batch_that_fails_is_no_fit(estimator, monkeypatch):
    X, y, d = rows()
    model = quick(estimator)
    monkeypatch.setattr(DomainData, "domains", property(interrupt))
    monkeypatch.setattr(DomainData, "X_source", property(interrupt))
    with pytest.raises(KeyboardInterrupt):
        model.partial_fit(X, y, sample_domain=d)
    assert not [name for name in vars(model) if name.endswith("_")]


def test_rows_without_a_domain_do_not_join_a_named_one():
    X, _, d = rows()
    d = np.where(d < 0, -2, 0)
    for model in (
        skda.DomainScaler(),
        skda.CORALTransformer(),
        skda.QuantileTransportTransformer(),
    ):
        wanted = model.fit(X, sample_domain=d).transform(X, sample_domain=d)
        with pytest.warns(skda.DomainWarning):
            model.partial_fit(X + 3.0)
        np.testing.assert_array_equal(model.transform(X, sample_domain=d), wanted)
