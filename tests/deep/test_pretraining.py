"""Self-supervised pre-training: what it learns from, what it changes, and that it helps."""

import numpy as np
import pytest
from sklearn.base import clone

torch = pytest.importorskip("torch")
pytest.importorskip("skorch")

from torch import nn  # noqa: E402

from skda import (  # noqa: E402
    ADDAClassifier,
    DANClassifier,
    DANRegressor,
    DeepSourceOnlyClassifier,
)
from skda.deep._contrastive import info_nce  # noqa: E402
from skda.deep._pretraining import (  # noqa: E402
    Contrastive,
    Denoising,
    Pretraining,
    corrupted,
)
from skda.deep._training import Batch, Rows  # noqa: E402

KINDS = ("contrastive", "denoising")
SMALL = {"module__hidden": 8, "max_epochs": 2, "random_state": 0, "pretrain__epochs": 4}


def trained(estimator, domains, **params):
    X, y, d = domains
    return clone(estimator).set_params(**params).fit(X, y, sample_domain=d)


def test_values_are_replaced_at_the_rate_by_those_of_the_same_side_and_column():
    torch.manual_seed(0)
    source = torch.arange(20.0).reshape(10, 2)
    target = -1.0 - torch.arange(10.0).reshape(5, 2)
    X = torch.cat([source.repeat(300, 1), target.repeat(400, 1)])
    new, changed = corrupted(X, [source, target], [3000, 2000], 0.4)
    for part, pool in ((new[:3000], source), (new[3000:], target)):
        for j in range(2):
            assert set(part[:, j].tolist()) == set(pool[:, j].tolist())
    assert torch.equal(changed, new != X)
    # A tenth, or a fifth, of the replacements is the value that was there.
    assert changed[:3000].float().mean().item() == pytest.approx(0.4 * 0.9, abs=0.02)
    assert changed[3000:].float().mean().item() == pytest.approx(0.4 * 0.8, abs=0.03)


def test_a_missing_value_in_the_place_of_another_is_no_change():
    X = torch.full((50, 1), torch.nan)
    pool = torch.tensor([[torch.nan], [1.0]])
    new, changed = corrupted(X, [pool, pool[:0]], [50, 0], 1.0)
    assert torch.equal(changed, ~new.isnan())
    assert 0 < changed.sum() < 50


def a_batch(n_source=4, n_target=3, d=2):
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(n_source + n_target, d, generator=generator)
    return Batch(X, None, None, None, n_source)


def test_contrast_is_within_each_side():
    batch = a_batch()
    task = Contrastive(None, 2, Pretraining("contrastive", 1, 0.5, 0.7, 1e-3), [0, 1])
    a, b = torch.randn(2, 7, 2)
    loss = task(lambda: a, lambda: b, batch, None, None)
    u, v = task.head(a), task.head(b)
    wanted = (4 * info_nce(u[:4], v[:4], 0.7) + 3 * info_nce(u[4:], v[4:], 0.7)) / 7
    torch.testing.assert_close(loss, wanted)


def test_denoising_is_0_for_restored_values_and_known_replacements():
    batch = a_batch()
    X = 5.0 * batch.X + 3.0
    X[2, 0] = torch.nan
    rows = Rows(X, None, None, None, None)
    task = Denoising(rows, 2, None, [0, 1])
    known = X[~X.isnan().any(dim=1)]
    changed = torch.rand(7, 2) < 0.5
    perfect = torch.cat([100.0 * (2.0 * changed - 1.0), (X - task.mean) / task.spread], dim=1)
    task.head = nn.Identity()
    loss = task(None, lambda: perfect, Batch(X, None, None, None, 4), None, changed)
    assert loss.item() == pytest.approx(0.0, abs=1e-6)
    wrong = perfect.clone()
    wrong[:, 2:] += 3.0  # an absolute error beyond 1 counts as itself less a half
    loss = task(None, lambda: wrong, Batch(X, None, None, None, 4), None, changed)
    assert loss.item() == pytest.approx(2.0 * 2.5, rel=1e-5)
    assert known[:, 1].numel() == 6


@pytest.mark.parametrize("kind", KINDS)
def test_losses_fall_and_no_label_has_a_part(kind, domains):
    X, y, d = domains
    net = DANClassifier(pretrain=kind, **SMALL | {"pretrain__epochs": 30})
    losses = trained(net, domains).pretrain_losses_
    assert len(losses) == 30
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
    other = trained(net, (X, np.random.default_rng(0).permutation(y), d))
    assert other.pretrain_losses_ == losses
    X = X.copy()
    X[d < 0] = np.sort(X[d < 0], axis=0)  # the same statistics of each column
    assert trained(net, (X, y, d)).pretrain_losses_ != losses


@pytest.mark.parametrize("kind", KINDS)
def test_the_head_is_left_alone_and_the_features_are_not(kind, domains):
    X, y, d = domains
    still = SMALL | {"lr": 0.0, "max_epochs": 1}
    plain = DANClassifier(**still).fit(X, y, sample_domain=d).net_.module_.state_dict()
    net = DANClassifier(pretrain=kind, **still).fit(X, y, sample_domain=d)
    moved = {n for n, v in net.net_.module_.state_dict().items() if not torch.equal(v, plain[n])}
    weights = {n for n in moved if n.endswith(("weight", "bias"))}
    assert weights == {n for n, _ in net.net_.module_.named_parameters() if "head" not in n}


def test_off_is_off_bit_for_bit_and_leaves_nothing(domains):
    X, y, d = domains
    plain = DANClassifier(module__hidden=8, max_epochs=2, random_state=0).fit(X, y, sample_domain=d)
    net = DANClassifier(pretrain=None, **SMALL).fit(X, y, sample_domain=d)
    np.testing.assert_array_equal(net.predict_proba(X), plain.predict_proba(X))
    assert not hasattr(net, "pretrain_losses_")


@pytest.mark.parametrize("kind", KINDS)
def test_it_goes_before_any_method_and_network(kind, domains):
    X, y, d = domains
    X = X.copy()
    options = SMALL | {"pretrain": kind, "pretrain__epochs": 2}
    assert np.isfinite(trained(ADDAClassifier(**options), domains).predict_proba(X)).all()
    assert np.isfinite(trained(DANRegressor(**options), (X, X[:, 0], d)).predict(X)).all()
    with pytest.warns(UserWarning, match="without sample_domain"):
        alone = DeepSourceOnlyClassifier(**options).fit(X, y)
    assert len(alone.pretrain_losses_) == 2
    # Tables with categories and gaps.
    X[::5, 0], X[:, 3] = np.nan, np.arange(len(X)) % 3
    net = DANClassifier("realmlp", module__categorical_features=[3], **options)
    assert np.isfinite(trained(net, (X, y, d)).predict_proba(X)).all()


def test_going_on_does_not_start_again_and_chunks_are_refused(domains):
    X, y, d = domains
    net = DANClassifier(pretrain="denoising", warm_start=True, **SMALL).fit(X, y, sample_domain=d)
    losses = net.pretrain_losses_
    assert net.fit(X, y, sample_domain=d).pretrain_losses_ is losses
    with pytest.raises(ValueError, match="partial_fit takes no pretrain"):
        net.partial_fit(X, y, sample_domain=d)


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("pretrain", ["scarf", True]),
        ("pretrain__epochs", [0, 1.5]),
        ("pretrain__corruption", [0.0, 1.0, "much"]),
        ("pretrain__temperature", [0.0, None]),
        ("pretrain__lr", [-1.0, 0]),
    ],
)
def test_bad_settings_are_named(name, bad, domains):
    for value in bad:
        with pytest.raises(ValueError, match=name):
            trained(DANClassifier(pretrain="contrastive", **SMALL), domains, **{name: value})


def test_unknown_settings_and_what_cannot_be_trained_are_refused(domains):
    with pytest.raises(TypeError, match="pretrain__rate"):
        trained(DANClassifier(pretrain__rate=0.5), domains)
    linear = nn.Sequential(nn.Linear(4, 2))  # its features are the rows themselves
    net = DeepSourceOnlyClassifier(linear, pretrain="contrastive", max_epochs=1)
    with pytest.raises(ValueError, match="pretrain has nothing to train"):
        trained(net, domains)
    X, y, d = domains
    net = DeepSourceOnlyClassifier(pretrain="contrastive", batch_norm=False, max_epochs=1)
    few = np.r_[np.flatnonzero(d > 0)[:1], np.flatnonzero(d < 0)[:1]]
    with pytest.raises(ValueError, match="pretrain needs at least 2 rows"):
        net.fit(X[few], y[few], sample_domain=d[few])


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_with_few_labels_it_beats_the_same_network_without(kind):
    """Many correlated columns tell groups apart; five labels of each do not show it."""
    gains = []
    for seed in range(2):
        rng = np.random.default_rng(seed)
        y = rng.integers(0, 4, 180)
        d = np.repeat([1, -2], [20, 160])
        X = rng.normal(size=(4, 30))[y] + 1.5 * rng.normal(size=(180, 30))
        X[d < 0] += 0.5 * rng.normal(size=30)
        # Disabled by steps of no length, so that everything else is the same.
        scores = [
            DANClassifier(
                module__hidden=(32, 16),
                max_epochs=10,
                random_state=0,
                pretrain=kind,
                pretrain__epochs=25,
                pretrain__lr=rate,
            )
            .fit(X, y, sample_domain=d)
            .score(X[d < 0], y[d < 0])
            for rate in (1e-12, 3e-3)
        ]
        gains.append(scores[1] - scores[0])
    assert np.mean(gains) > 0.03, gains
