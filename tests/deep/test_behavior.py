"""Each method on a shift that it is for, over seeds; without its loss the margin is gone."""

from functools import cache

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_blobs, make_moons
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator

torch = pytest.importorskip("torch")
pytest.importorskip("skorch")

import skda  # noqa: E402
from skda import (  # noqa: E402
    AdaBNRegressor,
    AFNClassifier,
    DANNRegressor,
    DANRegressor,
    DeepCORALRegressor,
    DeepJDOTClassifier,
    DeepSourceOnlyClassifier,
    DeepSourceOnlyRegressor,
    FineTuningClassifier,
    FineTuningRegressor,
    WDGRLRegressor,
    stack_domains,
)
from skda.deep._training import AlignmentLoss  # noqa: E402

# Networks without what adapts beside the losses may see other proportions than there are.
pytestmark = pytest.mark.filterwarnings("ignore:The class proportions that the network finds")

SEEDS = range(5)
# Without what adapts beside the losses: statistics and scales of each side.
PLAIN = {"batch_norm": False, "input_scaling": None}
ADAM = {"optimizer": torch.optim.Adam, "lr": 0.005, "lr_schedule": "constant"}
NET = {"max_epochs": 40, "module__hidden": (32, 16)} | PLAIN | ADAM


def shifted_blobs(seed, n=150):
    """Three classes, the target moved: the means of the features differ, nothing else."""
    centers = [[0, 0], [4, 0], [0, 4]]
    X_source, y_source = make_blobs(n, centers=centers, cluster_std=0.6, random_state=seed)
    X_target, y_target = make_blobs(n, centers=centers, cluster_std=0.6, random_state=seed + 100)
    return X_source - 4 / 3, y_source, X_target - 4 / 3 + [1.6, 1.2], y_target


def rotated_moons(seed, n=150, degrees=30):
    """Two interleaved half moons, the target rotated."""
    X_source, y_source = make_moons(n, noise=0.08, random_state=seed)
    X_target, y_target = make_moons(n, noise=0.08, random_state=seed + 100)
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    middle = [0.5, 0.25]
    return (
        X_source - middle,
        y_source,
        (X_target - middle) @ np.array([[c, s], [-s, c]]),
        y_target,
    )


def mixed_features(seed, n=240, d=10):
    """Two classes along one of ten features, which the target mixes and moves a little."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, 2 * n)
    X = rng.normal(size=(2 * n, d))
    X[:, 0] += 3 * y - 1.5
    mixing = np.eye(d) + 0.25 * rng.normal(size=(d, d))
    return X[:n], y[:n], X[n:] @ mixing + 0.5 * rng.normal(size=d), y[n:]


SHIFTS = {
    "blobs": shifted_blobs,
    "moons": rotated_moons,
    "mixed": mixed_features,
    "mixed more": lambda seed: mixed_features(seed, n=500),
}


def in_units(method, params):
    """Return the parameters with the weight of the loss itself as one in units of the method."""
    weight = params.get("alignment_weight")
    if weight is None:
        return params
    return params | {"alignment_weight": weight / method._alignment.unit}


def accuracies(method, shift, seeds=SEEDS, **params):
    """Target accuracy of each seed."""
    found = []
    params = in_units(method, params)
    for seed in seeds:
        X_source, y_source, X_target, y_target = SHIFTS[shift](seed)
        X, y, d = stack_domains(X_source, y_source, X_target)
        net = method(**NET | {"random_state": seed} | params).fit(X, y, sample_domain=d)
        found.append(net.score(X_target, y_target))
    return np.array(found)


@cache
def source_only(shift, **params):
    return accuracies(DeepSourceOnlyClassifier, shift, **params).mean()


JOINT = {"batch_norm": "joint"}

# What the default network of a method has beside that of the others while it adapts. Where there is
# something the reference is the better one of both networks.
OWN_NETWORK = {
    "AdaBNClassifier": JOINT,
    "AFNClassifier": JOINT,
}


ONE = {"alignment_weight": 1.0}
MDD = {"alignment_weight": 1.0, "margin": 2.0}
CASES = [
    ("DANClassifier", "blobs", 0.05, ONE),
    ("JANClassifier", "blobs", 0.05, ONE),
    ("DeepCORALClassifier", "blobs", 0.04, {"alignment_weight": 100.0}),
    ("DANNClassifier", "moons", 0.05, {"max_epochs": 60, "lr": 0.01} | ONE),
    ("DANNClassifier", "moons", 0.05, {"max_epochs": 60, "lr": 0.01, "bsp_weight": 1e-4} | ONE),
    ("CDANClassifier", "blobs", 0.05, ONE),
    ("CDANClassifier", "blobs", 0.05, {"smoothing": 0.05} | ONE),
    ("MCCClassifier", "blobs", 0.05, ONE),
    ("MDDClassifier", "moons", 0.04, {"max_epochs": 60, "lr": 0.01} | MDD),
    ("MCDClassifier", "mixed more", 0.02, ONE),
    ("WDGRLClassifier", "blobs", 0.05, ONE),
    ("DeepJDOTClassifier", "blobs", 0.05, ONE),
    ("SHOTClassifier", "blobs", 0.03, {"adaptation_epochs": 20}),
    ("AaDClassifier", "blobs", 0.05, {"adaptation_epochs": 20}),
    ("ADDAClassifier", "blobs", 0.04, {}),
    ("AdaBNClassifier", "blobs", 0.05, JOINT),
    ("AFNClassifier", "moons", 0.04, {"alignment_weight": 0.3} | JOINT),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, shift, margin, params", CASES, ids=[f"{c[0]}-{len(c[3])}" for c in CASES]
)
def test_adaptation_beats_the_source_only_network(name, shift, margin, params):
    adapted = accuracies(getattr(skda, name), shift, **params).mean()
    plain = max(source_only(shift), source_only(shift, **OWN_NETWORK.get(name, {})))
    assert adapted > plain + margin


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, shift, margin, params", CASES, ids=[f"{c[0]}-{len(c[3])}" for c in CASES]
)
def test_without_its_loss_it_is_the_source_only_network(name, shift, margin, params, monkeypatch):
    method = getattr(skda, name)
    if "adaptation_epochs" in method().get_params():
        params = params | {"adaptation_epochs": 0}
    elif name == "AFNClassifier":  # target rows stay in the batches and in their statistics
        no_growth = accuracies(method, shift, **params | {"step": 0.0}).mean()
        assert no_growth < source_only(shift, **OWN_NETWORK[name]) + margin
        params = params | {"alignment_weight": 0.0}
    elif name == "AdaBNClassifier":
        monkeypatch.setattr("skda.deep._adabn.renew_statistics", lambda module, X: module)
    else:

        class Nothing(AlignmentLoss):
            def forward(self, source, target):
                return 0.0 * target.features.sum()

        monkeypatch.setattr(method, "_alignment", Nothing)
    short = {"max_epochs": 10, "lr": 0.01}
    plain = short | OWN_NETWORK.get(name, {})
    wanted = accuracies(DeepSourceOnlyClassifier, shift, (0, 1), **plain)
    found = accuracies(method, shift, (0, 1), **params | short)
    np.testing.assert_allclose(found, wanted, atol=0.005)  # sums over other rows round differently


@pytest.mark.slow
def test_soft_marginals_bear_other_shares_of_the_classes():
    """The target has five of its eight rows in a class that is a third of the source."""
    found = []
    for seed in range(3):
        X_source, y_source, X_target, y_target = shifted_blobs(seed, 300)
        parts = zip(range(3), (100, 30, 30), strict=True)
        rows = np.concatenate([np.flatnonzero(y_target == c)[:n] for c, n in parts])
        X, y, d = stack_domains(X_source, y_source, X_target[rows])
        nets = [
            DeepJDOTClassifier(**NET, marginal_reg=weight, random_state=seed).fit(
                X, y, sample_domain=d
            )
            for weight in (1.0, None)
        ]
        found.append([net.score(X_target[rows], y_target[rows]) for net in nets])
    soft, hard = np.mean(found, axis=0)
    assert soft > hard + 0.15


def test_feature_norms_of_both_domains_grow():
    X_source, y_source, X_target, _ = shifted_blobs(0)
    X, y, d = stack_domains(X_source, y_source, X_target)

    def norms(net):
        features = net.fit(X, y, sample_domain=d).transform(X, sample_domain=d)
        return np.array([np.linalg.norm(features[side], axis=1).mean() for side in (d > 0, d < 0)])

    net = NET | JOINT
    plain = norms(DeepSourceOnlyClassifier(**net, random_state=0))
    grown = norms(AFNClassifier(**net, random_state=0))
    steered = norms(AFNClassifier(**net, random_state=0, radius=5.0, alignment_weight=20.0))
    assert (grown > 1.2 * plain).all()
    np.testing.assert_allclose(steered, 5.0, rtol=0.1)


def regression(seed, n=200, d=5):
    """A nuisance direction moves with the domain and is correlated with y on the source only."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2 * n, d))
    y = np.sin(X[:, 0]) + 0.5 * X[:, 1] + 0.05 * rng.normal(size=2 * n)
    X[:n, 2] = y[:n] + 0.3 * rng.normal(size=n)
    X[n:, 2] = 2.0 + rng.normal(size=n)
    return X[:n], y[:n], X[n:], y[n:]


def drifting_sensors(seed, n=200, d=5):
    """Each feature of the target has an offset and a gain of its own."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2 * n, d))
    y = np.sin(X[:, 0]) + 0.5 * X[:, 1] + 0.05 * rng.normal(size=2 * n)
    X[n:] = X[n:] * rng.uniform(0.5, 2.0, d) + rng.normal(size=d)
    return X[:n], y[:n], X[n:], y[n:]


def error_ratio(method, shift, plain=None, **params):
    """Target error over that of the source-only network, mean over seeds."""
    ratios = []
    for seed in SEEDS:
        X_source, y_source, X_target, y_target = shift(seed)
        X, y, d = stack_domains(X_source, y_source, X_target)
        nets = (
            method(**NET | {"random_state": seed} | params),
            DeepSourceOnlyRegressor(**NET | {"random_state": seed} | (plain or {})),
        )
        ours, source = (
            np.mean((net.fit(X, y, sample_domain=d).predict(X_target) - y_target) ** 2)
            for net in nets
        )
        ratios.append(ours / source)
    return np.mean(ratios)


REGRESSORS = [
    (DANRegressor, 1.0),
    (DeepCORALRegressor, 100.0),
    (DANNRegressor, 0.1),
    (WDGRLRegressor, 0.3),
]


@pytest.mark.slow
@pytest.mark.parametrize("method, weight", REGRESSORS)
def test_regression_survives_a_nuisance_that_moves(method, weight):
    assert error_ratio(method, regression, **in_units(method, {"alignment_weight": weight})) < 0.7


@pytest.mark.slow
@pytest.mark.parametrize("method, weight", REGRESSORS)
def test_regression_without_the_loss_is_the_source_only_network(method, weight):
    X_source, y_source, X_target, _ = regression(0)
    X, y, d = stack_domains(X_source, y_source, X_target)
    short = NET | {"max_epochs": 5, "random_state": 0}
    nets = [method(**short, alignment_weight=0.0), DeepSourceOnlyRegressor(**short)]
    predicted = [net.fit(X, y, sample_domain=d).predict(X_target) for net in nets]
    np.testing.assert_array_equal(*predicted)
    adapting = method(**short, alignment_weight=weight).fit(X, y, sample_domain=d)
    assert not np.array_equal(adapting.predict(X_target), predicted[0])


@pytest.mark.slow
def test_regression_is_adapted_to_drifting_sensors_by_batch_statistics(monkeypatch):
    assert error_ratio(AdaBNRegressor, drifting_sensors, JOINT, **JOINT) < 0.4
    monkeypatch.setattr("skda.deep._adabn.renew_statistics", lambda module, X: module)
    assert error_ratio(AdaBNRegressor, drifting_sensors, JOINT, **JOINT) == 1.0


def few_labels(seed, n_labeled=15):
    """Classes named in another order on the target, and a label on few of its rows."""
    X_source, y_source, X_target, y_target = shifted_blobs(seed)
    y_target = (y_target + 1) % 3
    few = np.where(np.arange(len(y_target)) < n_labeled, y_target, -1)
    return stack_domains(X_source, y_source, X_target, few), X_target, y_target


@pytest.mark.parametrize("options", [{}, {"freeze": -1}, {"lr_decay": 0.5}, {"unfreeze_every": 5}])
def test_fine_tuning_learns_from_a_few_labels(options):
    options = {"freeze": -1} | options if "unfreeze_every" in options else options
    for seed in range(3):
        (X, y, d), X_target, y_target = few_labels(seed)
        net = FineTuningClassifier(
            **NET, **options, random_state=seed, adaptation_lr=0.02, adaptation_epochs=100
        ).fit(X, y, sample_domain=d)
        assert net.score(X_target, y_target) > 0.9
        assert net.score(X, y, sample_domain=d) > 0.95  # source rows keep the source network


def layers(net):
    source = dict(net.net_.module_.named_parameters())
    return {
        name: not torch.equal(p, source[name]) for name, p in net.target_module_.named_parameters()
    }


def test_freezing_by_depth_and_by_name():
    (X, y, d), *_ = few_labels(0)
    # With other seeds all four units of a layer may be 0 for all rows, and nothing moves.
    base = FineTuningClassifier(
        max_epochs=2, adaptation_epochs=2, module__hidden=(4, 4), random_state=0
    )
    for freeze in (2, -1, "extractor", ["extractor.0", "extractor.2"]):
        moved = layers(base.set_params(freeze=freeze).fit(X, y, sample_domain=d))
        assert [name for name, yes in moved.items() if yes] == ["head.weight", "head.bias"]
    moved = layers(base.set_params(freeze=2, unfreeze_every=1).fit(X, y, sample_domain=d))
    assert moved["extractor.2.weight"] and not moved["extractor.0.weight"]
    for freeze, words in ((9, "deeper"), ("body", "must name layers"), (3, "no layer to train")):
        with pytest.raises(ValueError, match=words):
            base.set_params(freeze=freeze, unfreeze_every=None).fit(X, y, sample_domain=d)


def test_l2_sp_keeps_the_weights_near_the_source():
    (X, y, d), *_ = few_labels(0)
    distances = []
    for l2_sp in (0.0, 1.0, 100.0):
        net = FineTuningClassifier(
            max_epochs=5, adaptation_lr=0.01, module__hidden=4, l2_sp=l2_sp, random_state=0
        ).fit(X, y, sample_domain=d)
        source = net.net_.module_.parameters()
        target = net.target_module_.parameters()
        distances.append(
            sum((p - q).square().sum().item() for p, q in zip(source, target, strict=True))
        )
    assert distances[0] > distances[1] > distances[2]
    assert distances[2] < 0.05 * distances[0]


def test_fine_tuning_a_fitted_model_needs_target_rows_alone():
    X_source, y_source, X_target, y_target = shifted_blobs(0)
    source = DeepSourceOnlyClassifier(**NET, random_state=0)
    with pytest.warns(skda.DomainWarning):
        source.fit(X_source, y_source)
    net = FineTuningClassifier(source_model=source, adaptation_lr=0.02, random_state=0)
    with pytest.raises(NotFittedError, match="FrozenEstimator"):
        net.set_params(source_model=DeepSourceOnlyClassifier()).fit(
            X_target, y_target, sample_domain=[-2] * len(X_target)
        )
    net.set_params(source_model=source)
    net.fit(X_target[:20], y_target[:20], sample_domain=[-2] * 20)
    assert net.score(X_target, y_target) > source.score(X_target, y_target) + 0.05
    wider = np.c_[X_target, X_target]
    with pytest.raises(ValueError, match="4 features"):
        net.fit(wider, y_target, sample_domain=[-2] * len(wider))


def test_regression_is_fine_tuned():
    X_source, y_source, X_target, y_target = regression(0)
    few = np.where(np.arange(len(y_target)) < 40, y_target, np.nan)
    X, y, d = stack_domains(X_source, y_source, X_target, few)
    net = FineTuningRegressor(**NET, adaptation_lr=0.01, random_state=0).fit(X, y, sample_domain=d)
    plain = DeepSourceOnlyRegressor(**NET, random_state=0).fit(X, y, sample_domain=d)
    assert net.score(X_target, y_target) > max(plain.score(X_target, y_target), 0) + 0.3


def test_fine_tuning_without_any_target_label_warns():
    X_source, y_source, X_target, _ = shifted_blobs(0)
    X, y, d = stack_domains(X_source, y_source, X_target)
    with pytest.warns(skda.DomainWarning, match="no label on a target row"):
        net = FineTuningClassifier(max_epochs=2).fit(X, y, sample_domain=d)
    assert len(net.predict(X_target)) == len(X_target)


def test_shot_adapts_a_frozen_source_model_in_a_search():
    X_source, y_source, X_target, y_target = shifted_blobs(0)
    X, y, d = stack_domains(X_source, y_source, X_target)
    source = DeepSourceOnlyClassifier(**NET, random_state=0).fit(X, y, sample_domain=d)
    shot = skda.SHOTClassifier(source_model=FrozenEstimator(source), random_state=0)
    net = clone(shot).fit(X_target, sample_domain=[-2] * len(X_target))
    assert net.score(X_target, y_target) > source.score(X_target, y_target)
    head = [
        dict(m.named_parameters())["head.weight"] for m in (net.target_module_, source.net_.module_)
    ]
    assert torch.equal(*head)


def test_adabn_gives_hidden_units_the_moments_of_the_target():
    X_source, y_source, X_target, _ = shifted_blobs(0)
    X, y, d = stack_domains(X_source, y_source, X_target)
    net = skda.AdaBNClassifier(**NET | JOINT, random_state=0).fit(X, y, sample_domain=d)
    first, norm = list(net.target_module_.extractor)[:2]
    hidden = first(torch.as_tensor(X_target, dtype=torch.float32)).detach()
    torch.testing.assert_close(norm.running_mean, hidden.mean(dim=0), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(norm.running_var, hidden.var(dim=0), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="at least 2 target rows"):
        net.fit(X[:151], y[:151], sample_domain=d[:151])
    with pytest.raises(ValueError, match="has none"):
        net.set_params(batch_norm=False).fit(X, y, sample_domain=d)


def test_two_stage_nets_are_saved_with_both_networks(tmp_path):
    X_source, y_source, X_target, _ = shifted_blobs(0)
    X, y, d = stack_domains(X_source, y_source, X_target)
    settings = NET | {"max_epochs": 2}
    net = skda.ADDAClassifier(**settings, random_state=0).fit(X, y, sample_domain=d)
    net.save_weights(tmp_path / "weights.pt")
    loaded = skda.ADDAClassifier(**settings).load_weights(tmp_path / "weights.pt")
    for ids in (None, d):
        np.testing.assert_array_equal(
            loaded.predict_proba(X, sample_domain=ids), net.predict_proba(X, sample_domain=ids)
        )
