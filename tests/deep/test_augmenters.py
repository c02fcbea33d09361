"""Augmenters in the training of a network: source rows of each step, and nothing else."""

import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

torch = pytest.importorskip("torch")
pytest.importorskip("skorch")

from skda import (  # noqa: E402
    DANClassifier,
    DANRegressor,
    DeepSourceOnlyClassifier,
    DomainRandomizationAugmenter,
    FeatureDropoutAugmenter,
    GaussianNoiseAugmenter,
    GraphConvolutionClassifier,
    MCDClassifier,
    MixupAugmenter,
    PrototypicalNetworkClassifier,
    SHOTClassifier,
)
from skda.deep._augmentation import BatchAugmentation, mix_labels  # noqa: E402
from skda.deep._training import PairedNet  # noqa: E402

SMALL = {"module__hidden": 8, "max_epochs": 3, "random_state": 0}


@pytest.fixture
def two_sources():
    rng = np.random.default_rng(0)
    d = rng.permutation(np.repeat([1, 2, -3], [30, 20, 30]))
    X = rng.normal(size=(80, 4)) + np.abs(d)[:, None]
    return X, (X[:, 0] > 2).astype(int), d


def batches_of(monkeypatch, net, X, y, d):
    """Return the batches as they come and as the network sees them."""
    seen = []
    plain = BatchAugmentation.__call__

    def watched(self, batch):
        new = plain(self, batch)
        seen.append((batch, new, self))
        return new

    monkeypatch.setattr(BatchAugmentation, "__call__", watched)
    net.fit(X, y, sample_domain=d)
    return seen


def test_source_rows_of_each_step_change_and_target_rows_do_not(monkeypatch, two_sources):
    X, y, d = two_sources
    net = DANClassifier(augmenters=[GaussianNoiseAugmenter(0.5)], **SMALL)
    for batch, new, _ in batches_of(monkeypatch, net, X, y, d):
        n = batch.n_source
        assert 0 < n < len(batch)
        assert (batch.X[:n] != new.X[:n]).all()
        assert torch.equal(batch.X[n:], new.X[n:])
        assert torch.equal(batch.y, new.y)
    assert net.net_.augmentation is None
    assert len(pickle.dumps(net)) < 1.2 * len(
        pickle.dumps(DANClassifier(**SMALL).fit(X, y, sample_domain=d))
    )


def test_changes_are_in_the_units_of_the_user(monkeypatch, two_sources):
    X, y, d = two_sources
    X = X * [1.0, 10.0, 100.0, 1000.0]
    net = DANClassifier(augmenters=[lambda rows: rows + 5.0], **SMALL)
    for batch, new, how in batches_of(monkeypatch, net, X, y, d):
        rows = torch.as_tensor(X)[batch.rows[: batch.n_source]] + 5.0
        torch.testing.assert_close(new.X[: batch.n_source], how.scale(rows))


@pytest.mark.parametrize("method", [DANClassifier, MCDClassifier, DeepSourceOnlyClassifier])
def test_without_strength_it_is_the_plain_network_bit_for_bit(method, two_sources):
    X, y, d = two_sources
    plain = method(**SMALL).fit(X, y, sample_domain=d).predict_proba(X)
    still = [GaussianNoiseAugmenter(0.0), MixupAugmenter(0.0), lambda rows: rows]
    for augmenters in (None, [], still):
        net = method(augmenters=augmenters, **SMALL).fit(X, y, sample_domain=d)
        np.testing.assert_array_equal(net.predict_proba(X), plain)


def test_a_seed_repeats_it_and_clones_and_searches_know_the_parameter(two_sources):
    X, y, d = two_sources
    net = DANClassifier(augmenters=[GaussianNoiseAugmenter(), MixupAugmenter(1.0)], **SMALL)
    first, second = (clone(net).fit(X, y, sample_domain=d).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert net.get_params()["augmenters"][1].alpha == 1.0
    plain = clone(net).set_params(augmenters=None).fit(X, y, sample_domain=d)
    assert (plain.predict_proba(X) != first).any()


def test_mixup_across_sources_knows_the_domain_of_each_row(monkeypatch, two_sources):
    X, y, d = two_sources
    asked = []

    class Watched(MixupAugmenter):
        def _change(self, x, ids, rng):
            asked.append(ids)
            return super()._change(x, ids, rng)

    net = DANClassifier(augmenters=[Watched(1.0, partners="across")], **SMALL)
    for (batch, _, _), ids in zip(batches_of(monkeypatch, net, X, y, d), asked, strict=True):
        np.testing.assert_array_equal(ids, d[batch.rows[: batch.n_source].numpy()])


def test_mixed_classes_have_the_expectation_of_the_mixture():
    y, partner = torch.tensor([0, 1, 2]), np.array([1, 0, 2])
    weights = torch.tensor([1.0, 3.0, 5.0])
    rng = np.random.RandomState(0)
    share = np.array([0.7, 0.7, 1.0])
    found = [mix_labels(y, weights, partner, share, rng) for _ in range(4000)]
    chosen = torch.stack([labels for labels, _ in found]).double()
    torch.testing.assert_close(
        chosen.mean(dim=0), torch.tensor([0.3, 0.7, 2.0]).double(), atol=0.03, rtol=0
    )
    assert all(torch.equal(w, weights[labels]) for labels, w in found)


def test_mixed_values_are_means_by_share_and_weight():
    y, partner, share = torch.tensor([0.0, 10.0]), np.array([1, 0]), np.array([0.75, 0.75])
    mixed, none = mix_labels(y, None, partner, share, None)
    assert none is None
    torch.testing.assert_close(mixed, torch.tensor([2.5, 7.5]))
    mixed, total = mix_labels(y, torch.tensor([1.0, 3.0]), partner, share, None)
    torch.testing.assert_close(total, torch.tensor([1.5, 2.5]))
    torch.testing.assert_close(mixed, torch.tensor([5.0, 9.0]))
    torch.testing.assert_close((mixed * total).sum(), torch.tensor(30.0))
    both = mix_labels(torch.stack([y, -y], dim=1), None, partner, share, None)[0]
    torch.testing.assert_close(both, torch.tensor([[2.5, -2.5], [7.5, -7.5]]))


def test_regressors_with_weights_learn_mixed_values(two_sources):
    X, _, d = two_sources
    weights = np.where(X[:, 1] > 1, 2.0, 0.0)
    net = DANRegressor(augmenters=[MixupAugmenter(1.0)], **SMALL)
    net.fit(X, X[:, 0], weights, sample_domain=d)
    assert np.isfinite(net.predict(X)).all()


def test_codes_of_categories_and_missing_values_stay(monkeypatch, two_sources):
    X, y, d = two_sources
    frame = pd.DataFrame(X[:, :2], columns=["a", "b"]).assign(
        site=pd.Categorical(np.where(X[:, 2] > 0, "u", "v"))
    )
    frame.loc[::4, "a"] = np.nan
    net = DANClassifier("realmlp", augmenters=[GaussianNoiseAugmenter(), lambda x: x + 1], **SMALL)
    for batch, new, _ in batches_of(monkeypatch, net, frame, y, d):
        assert torch.equal(batch.X[:, 2], new.X[:, 2])
        assert torch.equal(batch.X.isnan(), new.X.isnan())


@pytest.mark.parametrize(
    "bad", [GaussianNoiseAugmenter(), [GaussianNoiseAugmenter], "noise", [None]]
)
def test_augmenters_must_be_a_list_of_what_changes_rows(bad, two_sources):
    X, y, d = two_sources
    with pytest.raises(ValueError, match="augmenters must be a list of augmenters"):
        DANClassifier(augmenters=bad, **SMALL).fit(X, y, sample_domain=d)


def test_functions_must_return_rows_of_the_shape_that_they_get(two_sources):
    X, y, d = two_sources
    for bad in (lambda rows: rows[:, :2], lambda rows: rows.sum(), lambda rows: None):
        with pytest.raises(ValueError, match="tensor of the shape that they get"):
            DANClassifier(augmenters=[bad], **SMALL).fit(X, y, sample_domain=d)


@pytest.mark.parametrize("option", [{"augmenters": [MixupAugmenter()]}, {"pretrain": "denoising"}])
def test_methods_that_train_on_other_things_than_rows_refuse(option, two_sources):
    X, y, d = two_sources
    name = next(iter(option))
    for method in (GraphConvolutionClassifier, PrototypicalNetworkClassifier):
        with pytest.raises(ValueError, match=f"{method.__name__} takes no {name}: its network"):
            method(**option).fit(X, y, sample_domain=d)
    source = DeepSourceOnlyClassifier(**SMALL).fit(X, y, sample_domain=d)
    net = SHOTClassifier(source_model=source, **option)
    with pytest.raises(ValueError, match=f"takes no {name} with a source_model"):
        net.fit(X, y, sample_domain=d)


def test_a_network_that_saw_other_domains_is_right_on_the_next_one():
    rng = np.random.default_rng(0)
    d = np.repeat([1, -2], [150, 100])
    y = rng.integers(0, 2, 250)
    X = (2 * y[:, None] - 1) * np.array([1.5, 0.8, 0.8, 0.8])
    X = X + rng.normal(size=(250, 4)) * [0.5, 1.0, 1.0, 1.0]
    X[d < 0, 0] += 3.0
    net = partial(
        DeepSourceOnlyClassifier, module__hidden=16, max_epochs=15, input_scaling="source"
    )
    randomized = [DomainRandomizationAugmenter(), FeatureDropoutAugmenter(0.2)]
    scores = [
        net(random_state=0, augmenters=augmenters)
        .fit(X, y, sample_domain=d)
        .score(X[d < 0], y[d < 0])
        for augmenters in (None, randomized)
    ]
    assert scores[1] > scores[0] + 0.1


def test_the_hook_is_off_by_default():
    assert PairedNet(torch.nn.Linear(1, 1), torch.nn.MSELoss).augmentation is None
