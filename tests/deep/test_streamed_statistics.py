"""AdaBN whose target comes in batches."""

import copy

import numpy as np
import pytest
import torch

from skda import AdaBNClassifier, AdaBNRegressor
from skda.deep._domain_norm import renew_statistics

ONE_LAYER = {"max_epochs": 30, "module__hidden": (4,), "random_state": 0, "input_scaling": None}


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(260, 3)), rng.integers(2, size=260)
    X += 2.0 * y[:, None]
    d = np.repeat([1, -2], [60, 200])
    X[d < 0] = X[d < 0] * 1.5 + 1.0
    return X, y, d


@pytest.fixture(scope="module")
def begun(rows):
    X, y, d = (part[:100] for part in rows)
    return AdaBNClassifier(**ONE_LAYER).fit(X, y, sample_domain=d)


def statistics(module):
    state = module.state_dict()
    return np.concatenate([state[k].numpy() for k in sorted(state) if "running_" in k])


def copy_of(net, **params):
    """Return a fitted copy, so that one training serves all tests."""
    return copy.deepcopy(net).set_params(**params)


@pytest.mark.parametrize("seed", range(3))
def test_batches_of_one_layer_have_the_statistics_of_all_rows(seed, rows, begun):
    X, _, d = rows
    net = copy_of(begun)
    cuts = np.unique(np.random.default_rng(seed).integers(105, 255, 4))
    for part in np.split(X[100:], cuts - 100):
        if len(part) > 1:
            net.partial_fit(part, sample_domain=np.full(len(part), -2))
    seen = net.target_weight_
    assert seen > 190
    if seen == 200:
        target = torch.tensor(X[d < 0], dtype=torch.float32)
        wanted = statistics(renew_statistics(net.net_.module_, target))
        np.testing.assert_allclose(statistics(net.target_module_), wanted, rtol=2e-5, atol=1e-6)


def test_forgetting_weighs_batches_as_weighted_rows(rows, begun):
    X = rows[0]
    net = copy_of(begun, forgetting_factor=0.5)
    for part in (X[100:150], X[150:210] + 2.0):
        net.partial_fit(part)
    batches = [X[60:100], X[100:150], X[150:210] + 2.0]
    values = torch.tensor(np.concatenate(batches), dtype=torch.float32)
    first = next(m for m in net.net_.module_.modules() if isinstance(m, torch.nn.Linear))
    hidden = first(values).detach().numpy().astype(float)
    weights = np.repeat([0.25, 0.5, 1.0], [40, 50, 60])
    mean = np.average(hidden, axis=0, weights=weights)
    state = net.target_module_.state_dict()
    found = next(v for k, v in state.items() if k.endswith("running_mean"))
    np.testing.assert_allclose(found, mean, rtol=1e-4, atol=1e-5)
    assert net.target_weight_ == pytest.approx(weights.sum())
    spread = next(v for k, v in state.items() if k.endswith("running_var"))
    expected = np.average((hidden - mean) ** 2, axis=0, weights=weights)
    # A row less is counted for each batch.
    np.testing.assert_allclose(spread, expected, rtol=0.03)


def test_it_follows_a_target_that_drifts(rows, begun):
    X, y, _ = rows

    def accuracy(factor):
        net = copy_of(begun, forgetting_factor=factor)
        for _ in range(5):
            net.partial_fit(X[60:] + 8.0, sample_domain=np.full(200, -7))
        return np.mean(net.predict(X[60:] + 8.0, sample_domain=np.full(200, -7)) == y[60:])

    stays = np.mean(begun.predict(X[60:] + 8.0) == y[60:])
    assert accuracy(0.3) > stays + 0.2


def test_source_rows_and_single_rows_are_refused_and_leave_nothing(rows, begun):
    X, _, d = rows
    net = copy_of(begun)
    before = statistics(net.target_module_)
    with pytest.raises(ValueError, match=r"got rows of the sources \[1\]"):
        net.partial_fit(X, sample_domain=d)
    with pytest.raises(ValueError, match="at least 2 target rows"):
        net.partial_fit(X[:1], sample_domain=[-7])
    with pytest.raises(ValueError, match="forgetting_factor must be"):
        copy_of(begun, forgetting_factor=2.0).partial_fit(X)
    with pytest.raises(ValueError, match=r"not fitted on: \[-7\]"):
        net.predict(X[:1], sample_domain=[-7])
    np.testing.assert_array_equal(statistics(net.target_module_), before)


def test_a_target_may_come_after_a_plain_fit_and_the_first_call_is_fit(rows):
    X, y, d = rows
    with pytest.warns(UserWarning, match="without sample_domain"):
        net = AdaBNRegressor(**ONE_LAYER).partial_fit(X[d > 0], y[d > 0])
    assert net.target_weight_ == 0 and not hasattr(net, "target_module_")
    net.partial_fit(X[d < 0])
    assert net.target_weight_ == 200 and net.predict(X).shape == (260,)


def test_a_saved_net_goes_on(rows, begun, tmp_path):
    X = rows[0]
    begun.save_weights(tmp_path / "net.pt")
    loaded = AdaBNClassifier(**ONE_LAYER).load_weights(tmp_path / "net.pt")
    wanted = copy_of(begun).partial_fit(X[100:]).predict_proba(X)
    np.testing.assert_allclose(loaded.partial_fit(X[100:]).predict_proba(X), wanted, atol=1e-6)
