"""Networks with a head for each domain."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("skorch")

from skda import (  # noqa: E402
    DeepSourceOnlyClassifier,
    MultiTaskNetClassifier,
    MultiTaskNetRegressor,
)
from skda.deep._task_heads import head_outputs, weighted_task_loss  # noqa: E402

SMALL = {"module__hidden": 8, "max_epochs": 3, "random_state": 0}
# One step of all rows an epoch, so that a bare loop can do the same.
WHOLE = {"batch_size": 1000, "batch_norm": False, "input_scaling": None, "lr_schedule": "constant"}


def tasks(n=20, n_tasks=3, seed=0):
    """Sites with the same feature |x| that counts differently in each."""
    rng = np.random.default_rng(seed)
    site = np.repeat(np.arange(n_tasks), n)
    X = rng.normal(size=(len(site), 2))
    y = np.abs(X[:, 0]) * np.array([2.0, -2.0, 1.0])[site] + site + 0.1 * X[:, 1]
    return X, y, site


def test_heads_are_a_shared_block_plus_the_own_one():
    outputs = torch.arange(24.0).reshape(2, 12)  # four blocks of three
    found = head_outputs(outputs, torch.tensor([2, -1]), 3)
    assert found[0].tolist() == (outputs[0, :3] + outputs[0, 9:]).tolist()
    own = outputs[1, 3:].reshape(3, 3).mean(dim=0)
    assert found[1].tolist() == (outputs[1, :3] + own).tolist()
    alone = head_outputs(outputs[:, :3], torch.tensor([0, 0]), 3)
    assert alone.tolist() == outputs[:, :3].tolist()


def test_the_weighted_loss_is_twice_the_negative_log_density():
    rng = np.random.default_rng(0)
    error, s = torch.tensor(rng.normal(size=7)), torch.tensor(rng.normal(size=7))
    found = weighted_task_loss(error**2, error > -9, None, s, halved=False)
    normal = torch.distributions.Normal(torch.zeros(7, dtype=torch.double), torch.exp(s / 2))
    wanted = -2 * normal.log_prob(error).mean() - np.log(2 * np.pi)
    assert float(found) == pytest.approx(float(wanted))


def test_missing_labels_and_weights_in_the_loss():
    losses = torch.tensor([[1.0, 2.0], [4.0, 8.0]])
    known = torch.tensor([[True, False], [True, True]])
    assert float(weighted_task_loss(losses, known, None, halved=False)) == pytest.approx(13 / 3)
    weights = torch.tensor([0.0, 2.0])
    assert float(weighted_task_loss(losses, known, weights, halved=False)) == pytest.approx(24 / 3)


def bare_loop(net, X, y, site, *, classifies, n_epochs, lr):
    """Train a copy of a fresh net's module by hand; return outputs and log variances."""
    import copy

    module = copy.deepcopy(net)
    optimizer = torch.optim.SGD(module.parameters(), lr=lr, momentum=0.9)
    rows, place = torch.tensor(X).float(), torch.tensor(site)
    module.train()
    for _ in range(n_epochs):
        optimizer.zero_grad()
        blocks = module(rows)[0].reshape(len(X), 1 + site.max() + 1, -1)
        outputs = blocks[:, 0] + blocks[torch.arange(len(X)), 1 + place]
        s = module.task_log_variance
        total = 0.0
        for t in range(site.max() + 1):
            own = place == t
            if classifies:
                each = torch.nn.functional.cross_entropy(outputs[own], y[own], reduction="sum")
                total = total + torch.exp(-s[t]) * each + own.sum() * s[t] / 2
            else:
                each = (outputs[own, 0] - y[own]).square().sum()
                total = total + torch.exp(-s[t]) * each + own.sum() * s[t]
        (total / len(X)).backward()
        optimizer.step()
    return module


@pytest.mark.parametrize("make", [MultiTaskNetClassifier, MultiTaskNetRegressor])
def test_uncertainty_weighting_is_that_of_a_bare_loop(make):
    X, y, site = tasks()
    classifies = make is MultiTaskNetClassifier
    labels = y > 1 if classifies else y
    options = SMALL | WHOLE | {"lr": 0.05}
    fresh = make(**options | {"lr": 0.0, "max_epochs": 1}).fit(X, labels, sample_domain=site)
    net = make(**options | {"max_epochs": 12}).fit(X, labels, sample_domain=site)
    y = torch.tensor(labels).long() if classifies else torch.tensor((y - y.mean()) / y.std())
    options = {"classifies": classifies, "n_epochs": 12, "lr": 0.05}
    wanted = bare_loop(fresh.net_.module_, X, y.float() if not classifies else y, site, **options)
    for found, other in zip(net.net_.module_.parameters(), wanted.parameters(), strict=True):
        torch.testing.assert_close(found, other, rtol=1e-3, atol=1e-5)
    assert net.task_weights_.shape == (3,)
    assert np.ptp(net.task_weights_) > 0
    np.testing.assert_allclose(
        net.task_weights_, torch.exp(-wanted.task_log_variance).detach(), rtol=1e-3
    )


def test_a_noisy_task_gets_less_weight():
    X, y, site = tasks(n=60)
    y = y + 2.0 * np.random.default_rng(1).normal(size=len(y)) * (site == 1)
    net = MultiTaskNetRegressor(module__hidden=16, max_epochs=60, random_state=0)
    weights = net.fit(X, y, sample_domain=site).task_weights_
    assert weights.argmin() == 1 and weights[1] < 0.3 * np.delete(weights, 1).min()


def test_equal_weighting_learns_no_variance():
    X, y, site = tasks()
    net = MultiTaskNetRegressor(task_weighting="equal", **SMALL).fit(X, y, sample_domain=site)
    assert net.task_weights_.tolist() == [1.0, 1.0, 1.0]
    assert not hasattr(net.net_.module_, "task_log_variance")


def test_without_domains_it_is_the_plain_network():
    X, y, site = tasks()
    X_target = X[:15]
    ids = np.r_[0 * site + 1, np.full(15, -2)]
    plain = DeepSourceOnlyClassifier(**SMALL)
    plain.fit(np.r_[X, X_target], np.r_[y > 1, np.full(15, np.nan)], sample_domain=ids)
    with pytest.warns(UserWarning, match="without sample_domain"):
        net = MultiTaskNetClassifier(task_weighting="equal", **SMALL).fit(X, y > 1)
    np.testing.assert_array_equal(net.predict_proba(X), plain.predict_proba(X))
    assert net.domains_ == []


@pytest.mark.parametrize("make", [MultiTaskNetClassifier, MultiTaskNetRegressor])
def test_heads_tell_tasks_apart_that_one_network_cannot(make):
    X, y, site = tasks(n=100)
    y = y if make is MultiTaskNetRegressor else y > 1
    known = np.arange(len(y)) % 2 == 0
    scores = []
    for domain in (0 * site, site):  # one head for all is the sabotaged form
        net = make(module__hidden=16, max_epochs=40, random_state=0)
        net.fit(X[known], y[known], sample_domain=domain[known])
        scores.append(net.score(X[~known], y[~known], sample_domain=domain[~known]))
    assert scores[1] > scores[0] + 0.15


def test_rows_of_other_domains_get_the_mean_of_the_heads():
    X, y, site = tasks()
    rows, ids = np.r_[X, X[:4]], np.r_[site, np.full(4, -2)]
    net = MultiTaskNetRegressor(**SMALL).fit(rows, np.r_[y, np.full(4, np.nan)], sample_domain=ids)
    heads = [net.predict(X[:4], sample_domain=np.full(4, t)) for t in range(3)]
    np.testing.assert_allclose(net.predict(X[:4]), np.mean(heads, axis=0), rtol=1e-4)
    other = net.predict(X[:4], sample_domain=np.full(4, -2))
    np.testing.assert_array_equal(net.predict(X[:4]), other)
    assert net.domains_ == [0, 1, 2]
    with pytest.raises(ValueError, match="not fitted on"):
        net.predict(X[:4], sample_domain=np.full(4, 7))


def test_columns_are_tasks_and_their_missing_values_are_left_out():
    X, y, site = tasks(n=30)
    table = np.column_stack([y, 3 * X[:, 0] + 5, X[:, 1]])
    gaps = np.random.default_rng(0).random(table.shape) < 0.4
    gaps[0] = True  # a row without any value
    net = MultiTaskNetRegressor(module__hidden=16, max_epochs=60, random_state=0)
    net.fit(X, np.where(gaps, np.nan, table), sample_domain=site)
    predicted = net.predict(X, sample_domain=site)
    assert predicted.shape == table.shape and net.task_weights_.shape == (3, 3)
    for j in range(3):
        error = predicted[gaps[:, j], j] - table[gaps[:, j], j]
        assert np.mean(error**2) < 0.3 * table[:, j].var()
    # None is missing, too, and what would stand in a gap changes nothing.
    objects = np.where(gaps, None, table)
    again = MultiTaskNetRegressor(module__hidden=16, max_epochs=60, random_state=0)
    again.fit(X, objects, sample_domain=site)
    np.testing.assert_array_equal(again.predict(X, sample_domain=site), predicted)


def test_a_column_without_any_value_is_refused():
    X, y, site = tasks()
    with pytest.raises(ValueError, match="no value in column 1"):
        MultiTaskNetRegressor(**SMALL).fit(
            X, np.column_stack([y, np.full(len(y), np.nan)]), sample_domain=site
        )


def test_labels_of_target_rows_are_learnt_from():
    X, y, site = tasks()
    ids = np.where(site == 2, -2, site)
    net = MultiTaskNetRegressor(**SMALL)
    found = net.fit(X, y, sample_domain=ids).predict(X)
    assert net.domains_ == [-2, 0, 1]
    np.testing.assert_array_equal(found, net.predict(X, sample_domain=np.full(len(X), -2)))
    other = net.fit(X, np.where(ids == -2, -y, y), sample_domain=ids).predict(X)
    assert abs(found - other).max() > 1e-3


def test_training_goes_on_with_the_same_heads_only():
    X, y, site = tasks()
    net = MultiTaskNetClassifier(warm_start=True, **SMALL).fit(X, y > 1, sample_domain=site)
    net.fit(X[20:], y[20:] > 1, sample_domain=site[20:])
    assert net.domains_ == [0, 1, 2]
    with pytest.raises(ValueError, match="has no head"):
        net.fit(X, y > 1, sample_domain=site + 1)
    net = MultiTaskNetClassifier(**SMALL)
    for _ in range(2):
        net.partial_fit(X, y > 1, sample_domain=site)
    assert len(net.history_) == 2


def test_early_stopping_looks_at_the_heads():
    X, y, site = tasks()
    net = MultiTaskNetRegressor(**SMALL | {"max_epochs": 5}, early_stopping="source")
    net.fit(X, y, sample_domain=site)
    assert np.isfinite(net.history_[:, "valid_loss"]).all()


def test_heads_are_stored_with_the_weights(tmp_path):
    X, y, site = tasks()
    net = MultiTaskNetRegressor(**SMALL).fit(X, np.column_stack([y, -y]), sample_domain=site)
    net.save_weights(tmp_path / "net.pt")
    loaded = MultiTaskNetRegressor(**SMALL).load_weights(tmp_path / "net.pt")
    wanted = net.predict(X, sample_domain=site)
    np.testing.assert_array_equal(loaded.predict(X, sample_domain=site), wanted)
    np.testing.assert_array_equal(loaded.task_weights_, net.task_weights_)


@pytest.mark.parametrize("asked", [{"augmenters": [torch.neg]}, {"pretrain": "denoising"}])
def test_augmentation_and_pre_training_are_refused(asked):
    X, y, site = tasks()
    with pytest.raises(ValueError, match="labeled rows of both sides together"):
        MultiTaskNetRegressor(**SMALL | asked).fit(X, y, sample_domain=site)


def test_targets_alone_are_refused():
    X, y, site = tasks()
    with pytest.raises(ValueError, match="no source rows"):
        MultiTaskNetRegressor(**SMALL).fit(X, y, sample_domain=-1 - site)


def test_weights_of_rows_are_scaled_over_all_tasks_together():
    X, y, site = tasks()
    ids = np.where(site == 2, -2, site)
    weights = np.where(ids < 0, 5.0, 1.0)
    a = MultiTaskNetRegressor(**SMALL).fit(X, y, weights, sample_domain=ids)
    b = MultiTaskNetRegressor(**SMALL).fit(X, y, sample_domain=ids)
    assert abs(a.predict(X) - b.predict(X)).max() > 1e-3
