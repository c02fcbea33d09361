"""Estimators stored as plain values by skops, and by pickle as they are."""

import pickle

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator

torch = pytest.importorskip("torch")
pytest.importorskip("skorch")
skops_io = pytest.importorskip("skops.io")

import skda.deep  # noqa: E402
from skda import DANClassifier, DeepSourceOnlyClassifier, SHOTClassifier  # noqa: E402
from skda.deep._base import BaseDeep  # noqa: E402

ESTIMATORS = [
    value
    for value in (getattr(skda.deep, name) for name in skda.deep.__all__)
    if issubclass(value, BaseDeep)
]
SMALL = {"module__hidden": (8, 4), "max_epochs": 2, "adaptation_epochs": 1, "random_state": 0}


def small(method, **params):
    options = SMALL | params
    if "adaptation_epochs" not in method._get_param_names():
        del options["adaptation_epochs"]
    # Graph convolution has a network of its own.
    if "hidden" in method._get_param_names():
        options["hidden"] = options.pop("module__hidden")
    return method(**options)


def there_and_back(net, also_trusted=()):
    stored = skops_io.dumps(net)
    types = skops_io.get_untrusted_types(data=stored)
    assert [t for t in types if not t.startswith("skda.")] == list(also_trusted)
    return skops_io.loads(stored, trusted=types)


@pytest.mark.parametrize("method", ESTIMATORS)
def test_skops_needs_trust_in_our_types_alone(method, domains):
    X, y, d = domains
    if method.__name__.endswith("Regressor"):
        y = X[:, 0]
    net = small(method).fit(X, y, sample_domain=d)
    loaded = there_and_back(net)
    for ids in (None, d):
        np.testing.assert_array_equal(
            loaded.predict(X, sample_domain=ids), net.predict(X, sample_domain=ids)
        )
        np.testing.assert_array_equal(
            loaded.transform(X, sample_domain=ids), net.transform(X, sample_domain=ids)
        )
    assert loaded.get_params() == net.get_params()
    assert loaded.n_iter_ == net.n_iter_
    assert loaded.history_[:, "train_loss"] == net.history_[:, "train_loss"]


@pytest.mark.parametrize("labels", [["no", "yes"], [-1, 1], [False, True]])
def test_skops_keeps_labels_of_any_kind(labels, domains):
    X, y, d = domains
    net = small(DANClassifier, module__batch_norm=True).fit(X, np.array(labels)[y], sample_domain=d)
    loaded = there_and_back(net)
    assert loaded.predict(X).dtype == net.predict(X).dtype
    np.testing.assert_array_equal(loaded.predict(X), net.predict(X))


def test_skops_stores_what_is_not_fitted_and_models_inside_models(domains):
    X, y, d = domains
    assert there_and_back(DANClassifier(lr=0.5)).get_params()["lr"] == 0.5
    source = small(DeepSourceOnlyClassifier).fit(X, y, sample_domain=d)
    net = small(SHOTClassifier, source_model=FrozenEstimator(source))
    net.fit(X[d < 0], sample_domain=d[d < 0])
    np.testing.assert_array_equal(there_and_back(net).predict(X), net.predict(X))


def test_other_optimizers_are_named_as_types_to_trust(domains):
    X, y, d = domains
    net = small(DANClassifier, optimizer=torch.optim.Adam).fit(X, y, sample_domain=d)
    assert there_and_back(net, ["torch.optim.adam.Adam"]).optimizer is torch.optim.Adam


def test_a_loaded_net_can_be_trained_further_and_again(domains):
    X, y, d = domains
    net = small(DANClassifier, warm_start=True, alignment_weight=0.0).fit(X, y, sample_domain=d)
    loaded = there_and_back(net)
    assert loaded.fit(X, y, sample_domain=d).n_iter_ == 4
    fresh = loaded.set_params(warm_start=False).fit(X, y, sample_domain=d)
    np.testing.assert_array_equal(fresh.predict_proba(X), net.predict_proba(X))


def test_a_module_instance_is_refused_with_the_way_out(domains):
    X, y, d = domains
    module = skda.deep.MLP(X.shape[1], 2)
    net = DANClassifier(module, max_epochs=1).fit(X, y, sample_domain=d)
    with pytest.raises(TypeError, match=r"module instance.*Pass its class"):
        skops_io.dumps(net)
    again = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(again.predict_proba(X), net.predict_proba(X))
