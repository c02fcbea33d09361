"""What holds for every estimator that learns from batches."""

import copy

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
    if "random_state" in estimator.get_params():
        estimator.set_params(random_state=0)
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


def random_chunks(d, seed):
    """Return parts of the rows in a random order, each of one domain or of all at random."""
    rng = np.random.default_rng(seed)
    cuts = np.sort(rng.integers(2, len(d) - 1, 5))
    for part in np.split(rng.permutation(len(d)), cuts):
        sides = [part[d[part] == i] for i in np.unique(d)] if rng.random() < 0.5 else [part]
        yield from (rows for rows in sides if len(rows))


EXACT = [
    skda.DomainScaler(),
    skda.CORALTransformer(),
    skda.CORALTransformer(direction="to_source", reg="ledoit-wolf"),
    skda.LinearTransportTransformer(),
    skda.LinearTransportTransformer(direction="to_source"),
    skda.QuantileTransportTransformer(direction="to_source"),
]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("method", EXACT, ids=by_name)
def test_batches_give_what_all_rows_give(method, seed):
    X, _, d = rows(40)
    X, d = np.concatenate([X, X[d < 0] * 2.0 - 1.0]), np.concatenate([d, np.full(40, -5)])
    wanted = clone(method).fit(X, sample_domain=d).transform(X, sample_domain=d)
    stream = clone(method)
    for part in random_chunks(d, seed):
        stream.partial_fit(X[part], sample_domain=d[part])
    np.testing.assert_allclose(stream.transform(X, sample_domain=d), wanted, atol=1e-10)


def test_sites_in_batches_have_the_effects_of_all_their_rows():
    X, _, d = rows(40)
    begun_with = skda.ComBatTransformer().fit(X, sample_domain=d)
    X_new, d_new = X * 2.0 - 1.0, np.where(d < 0, -5, 6)
    once = copy.deepcopy(begun_with).partial_fit(X_new, sample_domain=d_new)
    stream = copy.deepcopy(begun_with)
    for part in np.array_split(np.random.default_rng(0).permutation(len(d)), 4):
        stream.partial_fit(X_new[part], sample_domain=d_new[part])
    wanted = once.transform(X_new, sample_domain=d_new)
    np.testing.assert_allclose(stream.transform(X_new, sample_domain=d_new), wanted, atol=1e-10)


@pytest.mark.parametrize("kind", ["DomainScaler", "LinearTransportTransformer", "ComBat"])
def test_forgetting_is_the_moments_of_weighted_rows(kind):
    X, _, d = rows(40)
    factor = 0.6
    if kind == "ComBat":
        method = skda.ComBatTransformer(forgetting_factor=factor)
    else:
        method = getattr(skda, kind)(forgetting_factor=factor)
    if kind == "LinearTransportTransformer":
        method.set_params(direction="to_source")
    method.fit(X, sample_domain=d)
    batches = [X[d < 0] + shift for shift in (0.0, 1.0, 3.0)]
    for batch in batches[1:]:
        # Rows of the source alone make no row of the target older.
        method.partial_fit(batch, sample_domain=d[d < 0])
        if kind == "DomainScaler":
            method.partial_fit(X[d > 0], sample_domain=d[d > 0])
    weights = np.repeat([factor**2, factor, 1.0], 40)
    values = np.concatenate(batches)
    moments = getattr(method, "moments_", None) or method.site_moments_
    if kind == "ComBat":
        values = (values - method.grand_mean_) / method.scale_
    mean = np.average(values, axis=0, weights=weights)
    assert moments[-2].count == pytest.approx(weights.sum())
    np.testing.assert_allclose(moments[-2].mean, mean, rtol=1e-10)
    squares = (values - mean).T * weights @ (values - mean)
    if kind == "LinearTransportTransformer":
        np.testing.assert_allclose(moments[-2].scatter, squares, rtol=1e-10)
    else:
        np.testing.assert_allclose(moments[-2].variance, np.diag(squares) / weights.sum())
