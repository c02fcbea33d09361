"""Interrupts, failures, threads and extreme values: what a fit leaves behind."""

import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV

torch = pytest.importorskip("torch")
skorch = pytest.importorskip("skorch")

import sklearn  # noqa: E402

import skda  # noqa: E402
from skda import (  # noqa: E402
    CDANClassifier,
    DANClassifier,
    DANNClassifier,
    DeepSourceOnlyClassifier,
    DeepSourceOnlyRegressor,
    FineTuningRegressor,
    MCDClassifier,
    MDDClassifier,
)
from skda.model_selection import DomainStratifiedKFold  # noqa: E402

SMALL = {"module__hidden": 8, "max_epochs": 3, "lr": 0.01, "random_state": 0}


@pytest.fixture(autouse=True)
def heard():
    """A process that a shell started in the background ignores Ctrl-C, and so would the tests."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class CtrlC(skorch.callbacks.Callback):
    """Sends this process what the terminal sends it, in the middle of an epoch."""

    def __init__(self, epoch=2):
        self.epoch = epoch

    def on_batch_end(self, net, **kwargs):
        if len(net.history) == self.epoch:
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(
    "name",
    [
        "DeepSourceOnlyClassifier",
        "DANNClassifier",
        "ADDAClassifier",
        "SHOTClassifier",
        "FineTuningClassifier",
        "AdaBNClassifier",
    ],
)
def test_an_interrupt_reaches_the_user_and_leaves_nothing_fitted(name, domains):
    X, y, d = domains
    net = getattr(skda, name)(**SMALL).fit(X, y, sample_domain=d)
    wanted = net.predict_proba(X)
    net.set_params(callbacks=[CtrlC()])
    with pytest.raises(KeyboardInterrupt):
        net.fit(X, y, sample_domain=d)
    for method in (net.predict, net.transform, net.predict_proba):
        with pytest.raises(NotFittedError):
            method(X)
    assert not [attribute for attribute in vars(net) if attribute.endswith("_")]
    net.set_params(callbacks=None)
    np.testing.assert_array_equal(net.fit(X, y, sample_domain=d).predict_proba(X), wanted)


def test_an_interrupt_of_the_second_stage_leaves_nothing_fitted(domains):
    X, y, d = domains
    net = skda.ADDAClassifier(**SMALL | {"max_epochs": 1}, callbacks=[CtrlC()])
    with pytest.raises(KeyboardInterrupt):
        net.fit(X, y, sample_domain=d)
    with pytest.raises(NotFittedError):
        net.predict(X)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_an_interrupt_of_a_training_that_goes_on_ends_it(method, domains):
    X, y, d = domains
    net = DANClassifier(warm_start=True, callbacks=[CtrlC(4)], **SMALL)
    net.fit(X, y, sample_domain=d)
    with pytest.raises(KeyboardInterrupt):
        getattr(net, method)(X, y, sample_domain=d)
    with pytest.raises(NotFittedError):
        net.predict(X)
    assert net.set_params(callbacks=None).fit(X, y, sample_domain=d).n_iter_ == 3


def test_an_interrupt_ends_a_search(domains):
    X, y, d = domains
    search = GridSearchCV(
        DANClassifier(callbacks=[CtrlC()], **SMALL),
        {"alignment_weight": [0.0, 1.0]},
        cv=DomainStratifiedKFold(2),
    )
    with sklearn.config_context(enable_metadata_routing=True), pytest.raises(KeyboardInterrupt):
        search.fit(X, y, sample_domain=d)


def test_early_stopping_of_skorch_is_no_interrupt(domains):
    X, y, d = domains
    stopping = skorch.callbacks.EarlyStopping(monitor="train_loss", patience=2, sink=str)
    net = DeepSourceOnlyClassifier(callbacks=[stopping], **SMALL | {"max_epochs": 30, "lr": 0.0})
    assert net.fit(X, y, sample_domain=d).n_iter_ == 3


def test_a_failed_fit_is_not_a_fit(domains):
    X, y, d = domains
    net = DANClassifier(**SMALL).fit(X, y, sample_domain=d)
    with pytest.raises(ValueError, match="lr must be"):
        net.set_params(lr=-1.0).fit(X, y, sample_domain=d)
    with pytest.raises(NotFittedError):
        net.predict(X)
    with pytest.raises(NotFittedError):
        net.save_weights("nowhere")


@pytest.mark.parametrize("method", [DeepSourceOnlyClassifier, DANClassifier, CDANClassifier])
def test_fits_in_threads_are_those_of_one_thread(method):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 4))
    y, d = (X[:, 0] > 0).astype(int), np.repeat([1, -2], 200)
    net = method(**SMALL | {"max_epochs": 2, "module__dropout": 0.3})

    def fitted(_):
        return clone(net).fit(X, y, sample_domain=d).predict_proba(X)

    wanted = fitted(None)
    before = torch.random.get_rng_state()
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(fitted, range(16)):
            np.testing.assert_array_equal(found, wanted)
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_fit_inside_a_callback_does_not_wait_for_itself(domains):
    X, y, d = domains

    class Nested(skorch.callbacks.Callback):
        def on_train_end(self, net, **kwargs):
            self.inner = DANClassifier(**SMALL).fit(X, y, sample_domain=d)

    outer = DANClassifier(callbacks=[Nested()], **SMALL).fit(X, y, sample_domain=d)
    plain = DANClassifier(**SMALL).fit(X, y, sample_domain=d)
    np.testing.assert_array_equal(outer.predict_proba(X), plain.predict_proba(X))


@pytest.mark.parametrize("early_stopping", [None, "source"])
@pytest.mark.parametrize(
    "name", ["DeepSourceOnlyClassifier", "DANClassifier", "DANNClassifier", "AFNClassifier"]
)
def test_the_source_only_network_ignores_target_rows(name, early_stopping, domains):
    X, y, d = domains
    source, target = np.flatnonzero(d > 0), np.flatnonzero(d < 0)
    more = np.r_[source, np.tile(target, 6), target[:7]]
    options = SMALL | {"early_stopping": early_stopping, "patience": 1}
    if name != "DeepSourceOnlyClassifier":
        options["alignment_weight"] = 0.0
    reference = DeepSourceOnlyClassifier(**SMALL, early_stopping=early_stopping, patience=1).fit(
        X, y, sample_domain=d
    )
    for rows in (np.r_[source, target], more):
        net = getattr(skda, name)(**options).fit(X[rows], y[rows], sample_domain=d[rows])
        np.testing.assert_array_equal(net.predict_proba(X), reference.predict_proba(X))


@pytest.mark.parametrize(
    "method", [CDANClassifier, DANNClassifier, MCDClassifier, MDDClassifier, skda.DANNRegressor]
)
def test_a_huge_weight_diverges_aloud(method, domains):
    X, y, d = domains
    for schedule in ("constant", "sigmoid"):
        net = method(alignment_weight=1e300, alignment_schedule=schedule, **SMALL)
        with pytest.raises(ValueError, match="training diverged"):
            net.fit(X, y, sample_domain=d)
        assert not hasattr(net, "net_")


def test_values_that_no_network_can_predict_are_refused(domains):
    X, _, d = domains
    y = X[:, 0]
    net = DeepSourceOnlyRegressor(**SMALL)
    for factor in (1e200, 1e300):
        with pytest.raises(ValueError, match="y has values too large"):
            net.fit(X, factor * y, sample_domain=d)
    assert np.isfinite(net.fit(X, 1e150 * y, sample_domain=d).predict(X)).all()
    with pytest.raises(ValueError, match="Complex data not supported: y must be real"):
        net.fit(X, y + 1j, sample_domain=d)
    far = np.where(d < 0, 1e200, y)
    with pytest.raises(ValueError, match="too large for the net's single precision"):
        FineTuningRegressor(**SMALL).fit(X, far, sample_domain=d)
