"""The training around the losses: statistics by side, input scale, rates, steps, priors, labels."""

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.datasets import make_blobs, make_moons
from sklearn.model_selection import GridSearchCV

torch = pytest.importorskip("torch")
skorch = pytest.importorskip("skorch")

import skda.deep  # noqa: E402
from skda import (  # noqa: E402
    AdaBNClassifier,
    CDANClassifier,
    DANClassifier,
    DANNClassifier,
    DANRegressor,
    DeepCORALClassifier,
    DeepSourceOnlyClassifier,
    DeepSourceOnlyRegressor,
    DomainWarning,
    FineTuningRegressor,
    MCCClassifier,
    SHOTClassifier,
    stack_domains,
)
from skda.deep import _priors  # noqa: E402
from skda.deep._dan import MMDLoss  # noqa: E402
from skda.deep._domain_norm import (  # noqa: E402
    DomainBatchNorm,
    has_domain_norms,
    renew_statistics,
    rows_of,
    with_domain_norms,
)
from skda.deep._input_scaling import center_and_spread, scaled  # noqa: E402
from skda.deep._priors import TargetPriors, followed_priors  # noqa: E402
from skda.deep._schedules import annealed, cosine  # noqa: E402
from skda.deep._training import DomainBatch  # noqa: E402
from skda.model_selection import DomainStratifiedKFold  # noqa: E402

# Small sets and few steps: what a net takes for the proportions is often off.
pytestmark = pytest.mark.filterwarnings("ignore:The class proportions that the network finds")

SMALL = {"module__hidden": 8, "max_epochs": 3, "random_state": 0}
CENTERS = [[0, 0], [4, 0], [0, 4]]


def blobs(seed=0, n=300, shift=(1.6, 1.2), target=None):
    """Three classes, the target moved; `target` are its numbers of rows by class."""
    X_source, y_source = make_blobs(n, centers=CENTERS, cluster_std=0.6, random_state=seed)
    n_samples = n if target is None else target
    centers = CENTERS
    X_target, y_target = make_blobs(
        n_samples, centers=centers, cluster_std=0.6, random_state=seed + 100
    )
    return X_source, y_source, X_target + np.array(shift), y_target


# Statistics by side


def test_each_side_is_normalized_on_its_own_with_one_affine_map():
    torch.manual_seed(0)
    plain = torch.nn.BatchNorm1d(3)
    torch.nn.init.normal_(plain.weight)
    torch.nn.init.normal_(plain.bias)
    layer = DomainBatchNorm(plain)
    x = torch.randn(9, 3) * 2 + 5
    with rows_of(4):
        out = layer(x)
    by_hand = [
        (part - part.mean(0)) / (part.var(0, unbiased=False) + plain.eps).sqrt()
        for part in (x[:4], x[4:])
    ]
    wanted = torch.cat(by_hand) * plain.weight + plain.bias
    torch.testing.assert_close(out, wanted)
    torch.testing.assert_close(layer.running_mean, 0.1 * x[:4].mean(0))
    torch.testing.assert_close(layer.target_running_mean, 0.1 * x[4:].mean(0))
    assert layer.weight is plain.weight

    layer.eval()
    for side, name in (("source", "running"), ("target", "target_running")):
        mean, var = (getattr(layer, f"{name}_{what}") for what in ("mean", "var"))
        wanted = (x - mean) / (var + plain.eps).sqrt() * plain.weight + plain.bias
        with rows_of(side):
            torch.testing.assert_close(layer(x), wanted)
    torch.testing.assert_close(layer(x), wanted)  # rows of no known side are the target's


def test_a_side_that_was_never_seen_has_the_statistics_of_the_source():
    layer = DomainBatchNorm(torch.nn.BatchNorm1d(2))
    with rows_of(5):
        layer(torch.randn(5, 2) + 3.0)
    layer.eval()
    x = torch.randn(4, 2)
    with rows_of("source"):
        wanted = layer(x)
    torch.testing.assert_close(layer(x), wanted)


@pytest.mark.parametrize("n", [1, 6])
def test_a_single_row_of_a_side_is_normalized_with_the_others(n):
    layer = DomainBatchNorm(torch.nn.BatchNorm1d(2))
    x = torch.randn(7, 2)
    with rows_of(n):
        torch.testing.assert_close(layer(x), torch.nn.BatchNorm1d(2)(x))
    torch.testing.assert_close(layer.target_running_mean, 0.1 * x.mean(0))


def test_layers_without_affine_map_or_running_statistics_are_replaced_too():
    module = torch.nn.Sequential(
        torch.nn.BatchNorm1d(3, affine=False),
        torch.nn.Sequential(torch.nn.BatchNorm1d(3, track_running_stats=False)),
        torch.nn.BatchNorm1d(3, momentum=None),
    )
    module = with_domain_norms(module)
    assert has_domain_norms(module) and with_domain_norms(module) is module
    x = torch.randn(8, 3)
    with rows_of(4):
        assert torch.isfinite(module(x)).all()
    module.eval()
    assert torch.isfinite(module(x)).all()


def test_renewed_statistics_are_those_of_the_rows():
    torch.manual_seed(0)
    module = with_domain_norms(torch.nn.Sequential(torch.nn.BatchNorm1d(2)))
    with rows_of(3):
        module(torch.randn(8, 2))
    X = torch.randn(50, 2) * 3 + 1
    found = renew_statistics(module, X)[0]
    torch.testing.assert_close(found.target_running_mean, X.mean(0))
    torch.testing.assert_close(found.target_running_var, X.var(0))


@pytest.mark.parametrize("batch_norm", ["domain", "joint", False])
def test_batch_norm_says_which_layers_there_are(batch_norm, domains):
    X, y, d = domains
    net = DANClassifier(batch_norm=batch_norm, **SMALL).fit(X, y, sample_domain=d)
    layers = [m for m in net.net_.module_.modules() if isinstance(m, torch.nn.BatchNorm1d)]
    assert has_domain_norms(net.net_.module_) == (batch_norm == "domain")
    assert len(layers) == (batch_norm == "joint")
    by_side = net.predict_proba(X, sample_domain=d), net.predict_proba(X)
    np.testing.assert_allclose(by_side[0][d < 0], by_side[1][d < 0], rtol=1e-5)
    # Under input_scaling="domain" the source's rows are the source's in either case.
    assert not np.allclose(by_side[0][d > 0], by_side[1][d > 0])


@pytest.mark.slow
def test_the_recipe_alone_adapts_to_drifting_sensors_and_the_former_one_does_not():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 600)
    X = rng.normal(size=(600, 4))
    X[:, 0] += 2.5 * y
    X[300:] = X[300:] * [2.0, 0.5, 3.0, 1.0] + [-3.0, 2.0, 0.0, 1.0]
    X, seen, d = stack_domains(X[:300], y[:300], X[300:])
    options = {"max_epochs": 60, "random_state": 0, "alignment_weight": 1e-9}
    for params, good in (
        ({}, True),
        ({"input_scaling": "source"}, True),
        ({"batch_norm": "joint"}, True),
        ({"input_scaling": "source", "batch_norm": False}, False),
    ):
        net = DANClassifier(**options, **params).fit(X, seen, sample_domain=d)
        assert (net.score(X[d < 0], y[300:]) > 0.8) == good, params


def test_a_new_target_brings_its_own_statistics(domains):
    X_source, y_source, X_target, y_target = blobs()
    X, y, d = stack_domains(X_source, y_source, X_target)
    net = DANClassifier(max_epochs=40, random_state=0).fit(X, y, sample_domain=d)
    before = net.predict_proba(X_target)
    moved = X_target * [3.0, 0.2] - 5.0
    new = net.with_statistics_of(moved)
    assert net.score(moved, y_target) < 0.8 < 0.95 < new.score(moved, y_target)
    np.testing.assert_array_equal(net.predict_proba(X_target), before)
    np.testing.assert_array_equal(
        new.predict_proba(X_source, sample_domain=[1] * len(X_source)),
        net.predict_proba(X_source, sample_domain=[1] * len(X_source)),
    )
    plain = DANClassifier(batch_norm=False, input_scaling=None, **SMALL | {"max_epochs": 40})
    with pytest.raises(ValueError, match="has no statistics of its target"):
        plain.fit(X, y, sample_domain=d).with_statistics_of(moved)
    scaled_only = plain.set_params(input_scaling="domain").fit(X, y, sample_domain=d)
    np.testing.assert_allclose(
        scaled_only.with_statistics_of(moved).predict_proba(moved),
        scaled_only.predict_proba(X_target),
        rtol=1e-3,
        atol=1e-5,
    )


# Input scale


def test_center_and_spread_of_normal_rows_are_mean_and_deviation():
    X = torch.randn(9_000, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    center, spread = center_and_spread(3.0 * X + 7.0)
    assert center.item() == pytest.approx(7.0, abs=0.15)
    assert spread.item() == pytest.approx(3.0, rel=0.05)


def test_spread_of_what_hardly_varies():
    X = torch.zeros(1000, 3, dtype=torch.float64)
    X[0, 1] = 4.65  # one row only
    X[:, 2] = 1e9 + torch.arange(1000) % 2 * 1e-8  # rounding
    _, spread = center_and_spread(X)
    torch.testing.assert_close(spread, torch.ones(3, dtype=torch.float64))
    both = scaled(X, np.arange(1000), np.arange(0), {"source": center_and_spread(X).numpy()})
    assert both.abs().max() < 3.0


@pytest.mark.parametrize("method", [DANClassifier, DANNClassifier, AdaBNClassifier])
def test_units_of_each_side_change_nothing(method, domains):
    X, y, d = domains
    other = X * 2.0 ** np.array([-20, 3, 10, 0]) + np.array([0.0, 7.0, 0.0, 1.0])
    other[d < 0] = 8.0 * other[d < 0] + 100.0
    options = {"module__hidden": 8, "max_epochs": 20, "random_state": 0}
    usual = method(**options).fit(X, y, sample_domain=d)
    found = method(**options).fit(other, y, sample_domain=d)
    np.testing.assert_allclose(
        found.predict_proba(other, sample_domain=d),
        usual.predict_proba(X, sample_domain=d),
        atol=2e-3,
    )
    assert set(usual.input_scaling_) == {"source", "target"}


def test_rows_can_be_taken_as_they_are_or_by_the_source(domains):
    X, y, d = domains
    assert (
        DANClassifier(input_scaling=None, **SMALL).fit(X, y, sample_domain=d).input_scaling_ == {}
    )
    net = DANClassifier(input_scaling="source", **SMALL).fit(X, y, sample_domain=d)
    assert set(net.input_scaling_) == {"source"}
    wanted = center_and_spread(torch.from_numpy(X[d > 0])).numpy()
    np.testing.assert_allclose(net.input_scaling_["source"], wanted)


@pytest.mark.parametrize("input_scaling", ["domain", "source", None])
def test_a_source_model_is_adapted_in_its_own_scale(input_scaling):
    X_source, y_source, X_target, y_target = blobs(shift=(0.8, 0.6))
    X_source, X_target = 1000 * X_source, 1000 * X_target
    with pytest.warns(skda.DomainWarning):
        source = DeepSourceOnlyClassifier(max_epochs=40, random_state=0).fit(X_source, y_source)
    net = SHOTClassifier(source_model=source, input_scaling=input_scaling, random_state=0)
    net.fit(X_target, sample_domain=[-2] * len(X_target))
    assert set(net.input_scaling_) == {"source"} | (
        {"target"} & {input_scaling and "target"} if input_scaling == "domain" else set()
    )
    assert set(source.input_scaling_) == {"source"}
    assert net.score(X_target, y_target) > 0.95


# Rates and steps


class Rates(skorch.callbacks.Callback):
    """Notes the learning rate of each step."""

    def __init__(self):
        self.seen = []

    def on_batch_end(self, net, **kwargs):
        self.seen.append(net.optimizer_.param_groups[0]["lr"])


@pytest.mark.parametrize(
    "schedule, factor", [("anneal", annealed), ("cosine", cosine), ("constant", lambda p: 1.0)]
)
def test_the_rate_follows_its_schedule(schedule, factor, domains):
    X, y, d = domains
    rates = Rates()
    net = DANClassifier(lr_schedule=schedule, callbacks=[rates], **SMALL | {"max_epochs": 10})
    net.fit(X, y, sample_domain=d)
    wanted = [0.03 * factor(i / 10) for i in range(10)]
    (seen,) = [c.seen for _, c in net.net_.callbacks_ if isinstance(c, Rates)]
    np.testing.assert_allclose(seen, wanted)
    group = net.net_.optimizer_.param_groups[0]
    assert isinstance(net.net_.optimizer_, torch.optim.SGD) and group["momentum"] == 0.9


def test_schedules_begin_at_one_and_fall():
    for schedule in (annealed, cosine):
        values = [schedule(p) for p in np.linspace(0, 1, 11)]
        assert values[0] == 1.0 and (np.diff(values) < 0).all()
    assert annealed(1.0) == pytest.approx(11**-0.75) and cosine(1.0) == pytest.approx(0.0)


def test_optimizers_have_their_usual_rates_and_the_user_the_last_word(domains):
    X, y, d = domains

    def group(**params):
        net = DANClassifier(lr_schedule="constant", **SMALL, **params).fit(X, y, sample_domain=d)
        return net.net_.optimizer_.param_groups[0]

    assert group()["lr"] == 0.03
    assert group(optimizer=torch.optim.Adam)["lr"] == 1e-3
    assert group(lr=0.5)["lr"] == 0.5
    assert group(optimizer__momentum=0.5)["momentum"] == 0.5


def test_small_tables_get_enough_steps_unless_epochs_are_given(domains):
    X, y, d = domains  # one step an epoch
    net = DANClassifier(module__hidden=4, min_steps=70, random_state=0)
    assert net.fit(X, y, sample_domain=d).n_iter_ == 70
    assert net.set_params(min_steps=0).fit(X, y, sample_domain=d).n_iter_ == 50
    assert net.set_params(max_epochs=2).fit(X, y, sample_domain=d).n_iter_ == 2


def test_half_precision_is_near_the_full_one(domains):
    X, y, d = domains
    full = DANNClassifier(**SMALL).fit(X, y, sample_domain=d).predict_proba(X)
    half = DANNClassifier(precision="bf16", **SMALL).fit(X, y, sample_domain=d)
    found = half.predict_proba(X)
    assert 0 < abs(found - full).max() < 0.05
    assert next(half.net_.module_.parameters()).dtype == torch.float32


# What the history holds


def test_accuracies_are_in_the_history_and_in_the_plot(domains):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    X, y, d = domains
    net = CDANClassifier(**SMALL | {"max_epochs": 30}).fit(X, y, sample_domain=d)
    assert net.history_[-1, "source_accuracy"] > 0.9
    assert 0.0 <= net.history_[-1, "domain_accuracy"] <= 1.0
    losses, accuracies = net.plot_history()
    assert {line.get_label() for line in losses.lines} >= {"train_loss", "alignment_loss"}
    drawn = {line.get_label(): line.get_ydata() for line in accuracies.lines}
    np.testing.assert_array_equal(drawn["source_accuracy"], net.history_[:, "source_accuracy"])
    value = DeepSourceOnlyRegressor(**SMALL).fit(X, X[:, 0], sample_domain=d)
    assert value.plot_history(losses) == (losses, None)
    pyplot.close("all")


def test_a_discriminator_of_domains_apart_is_right():
    X_source, y_source, X_target, _ = blobs(shift=(20.0, 0.0))
    X, y, d = stack_domains(X_source, y_source, X_target)
    options = {"alignment_weight": 1e-6, "batch_norm": False, "input_scaling": "source"}
    net = DANNClassifier(max_epochs=60, random_state=0, **options).fit(X, y, sample_domain=d)
    assert net.history_[-1, "domain_accuracy"] > 0.9


@pytest.mark.parametrize("early_stopping", [None, "source", "target"])
def test_checkpoints_and_scores_of_skorch_work(early_stopping, domains, tmp_path):
    X, y, d = domains
    monitor = "train_loss_best" if early_stopping is None else "valid_loss_best"
    callbacks = [
        skorch.callbacks.Checkpoint(monitor=monitor, dirname=tmp_path),
        skorch.callbacks.EpochScoring(
            "accuracy", on_train=True, name="accuracy", lower_is_better=False
        ),
    ]
    net = DANClassifier(callbacks=callbacks, early_stopping=early_stopping, **SMALL)
    net.fit(X, y, sample_domain=d)
    np.testing.assert_allclose(
        net.history_[:, "accuracy"], net.history_[:, "source_accuracy"], atol=1e-6
    )
    assert (tmp_path / "params.pt").exists()


def test_scores_on_held_out_rows_and_of_values(domains):
    X, y, d = domains
    scoring = skorch.callbacks.EpochScoring("accuracy", name="held_out", lower_is_better=False)
    net = DANClassifier(callbacks=[scoring], early_stopping="source", **SMALL | {"max_epochs": 40})
    assert net.fit(X, y, sample_domain=d).history_[-1, "held_out"] > 0.8
    scoring = skorch.callbacks.EpochScoring("r2", on_train=True, name="r2", lower_is_better=False)
    net = DANRegressor(callbacks=[scoring], **SMALL | {"max_epochs": 60})
    assert net.fit(X, X[:, 0], sample_domain=d).history_[-1, "r2"] > 0.8


# Labels of target rows


def few_labels():
    """Blobs whose classes have other names on the target, and labels on some of its rows."""
    X_source, y_source, X_target, y_target = blobs()
    y_target = (y_target + 1) % 3
    few = np.where(np.arange(len(y_target)) < 30, y_target, -1)
    return *stack_domains(X_source, y_source, X_target, few), X_target, y_target


@pytest.mark.slow
@pytest.mark.parametrize("method", [DANClassifier, DeepCORALClassifier])
def test_labels_of_target_rows_are_learnt_from_where_asked(method):
    X, y, d, X_target, y_target = few_labels()
    net = method(max_epochs=60, random_state=0, alignment_weight=0.1)
    without = clone(net).fit(X, y, sample_domain=d)
    net.set_params(use_target_labels=True).fit(X, y, sample_domain=d)
    assert net.score(X_target, y_target) > without.score(X_target, y_target) + 0.2
    assert net.history_[-1, "target_loss"] < net.history_[0, "target_loss"]


def test_what_stands_on_unlabeled_target_rows_changes_nothing(domains):
    X, y, d = domains
    y = y.astype(float)
    y[(d < 0) & (np.arange(len(y)) % 2 == 0)] = np.nan
    net = DANClassifier(**SMALL)
    usual = clone(net).fit(X, y, sample_domain=d).predict_proba(X)
    other = np.where(d < 0, 1 - np.nan_to_num(y), y)
    np.testing.assert_array_equal(clone(net).fit(X, other, sample_domain=d).predict_proba(X), usual)
    used = clone(net).set_params(use_target_labels=True).fit(X, y, sample_domain=d)
    assert not np.array_equal(used.predict_proba(X), usual)
    none = np.where(d < 0, np.nan, y)
    unlabeled = clone(net).set_params(use_target_labels=True).fit(X, none, sample_domain=d)
    np.testing.assert_array_equal(unlabeled.predict_proba(X), usual)
    off = clone(net).set_params(use_target_labels=True, alignment_weight=0.0)
    plain = DeepSourceOnlyClassifier(**SMALL).fit(X, y, sample_domain=d)
    np.testing.assert_array_equal(
        off.fit(X, y, sample_domain=d).predict_proba(X), plain.predict_proba(X)
    )


@pytest.mark.slow
def test_values_of_target_rows_are_learnt_from():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3))
    y = X[:, 0].copy()
    y[200:] += 2.0
    d = np.repeat([1, -2], 200)
    seen = np.where(np.arange(400) < 260, y, np.nan)
    options = {"max_epochs": 100, "random_state": 0, "alignment_weight": 0.01}
    # Values of one row under two rules cannot both be learnt: the target's must be nearer.
    plain = DANRegressor(**options).fit(X, seen, sample_domain=d)
    net = DANRegressor(use_target_labels=True, **options).fit(X, seen, sample_domain=d)
    errors = [np.abs(m.predict(X[260:]) - y[260:]).mean() for m in (plain, net)]
    assert errors[1] < 0.7 * errors[0]


# Class proportions


def test_em_finds_the_proportions_of_a_calibrated_classifier():
    rng = np.random.default_rng(0)
    y = rng.choice(2, size=40_000, p=[0.9, 0.1])
    x = rng.normal(size=len(y)) + 2.0 * y
    # Posterior of equal proportions.
    p = 1.0 / (1.0 + np.exp(-(2.0 * x - 2.0)))
    found = followed_priors(np.c_[1 - p, p], np.array([0.5, 0.5]))
    np.testing.assert_allclose(found, [0.9, 0.1], atol=0.01)


def test_chances_give_the_classes_their_proportions():
    priors = TargetPriors(np.array([0, 0, 0, 1, 3]), 4)
    priors.now = np.array([0.2, 0.5, 0.0, 0.3])
    np.testing.assert_allclose(priors.chances(), [0.2 / 3] * 3 + [0.5, 0.3])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The class proportions that the network finds")
@pytest.mark.parametrize("method", [DANClassifier, DANNClassifier, CDANClassifier])
def test_drawing_by_the_target_s_proportions_bears_a_label_shift(method):
    scores = []
    for seed in range(2):
        X_source, y_source, X_target, y_target = blobs(seed, target=[200, 15, 15])
        X, y, d = stack_domains(X_source, y_source, X_target)
        net = method(random_state=seed, max_epochs=100)
        corrected = clone(net).set_params(prior_correction="resample")
        nets = [n.fit(X, y, sample_domain=d) for n in (net, corrected)]
        scores.append([n.score(X_target, y_target) for n in nets])
        found = nets[1].target_priors_
        assert found.argmax() == 0 and found[0] > 0.6
    plain, ours = np.mean(scores, axis=0)
    assert ours > plain + 0.1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The class proportions that the network finds")
def test_a_target_of_half_of_the_classes_wants_joint_statistics():
    angles = np.arange(6) * np.pi / 3
    centers = 4.0 * np.c_[np.cos(angles), np.sin(angles)]
    parts = [make_blobs(300, centers=centers, cluster_std=0.6, random_state=i) for i in (0, 9)]
    (X_source, y_source), (X_target, y_target) = parts
    few = y_target < 3
    X_target, y_target = X_target[few] + [1.5, 1.3], y_target[few]
    X, y, d = stack_domains(X_source, y_source, X_target)
    joint = {"batch_norm": "joint", "input_scaling": "source", "min_steps": 300}
    source = DeepSourceOnlyClassifier(random_state=0, **joint).fit(X, y, sample_domain=d)
    corrected = DANNClassifier(prior_correction="resample", random_state=0, **joint)
    usual = DANNClassifier(random_state=0, min_steps=300).fit(X, y, sample_domain=d)
    found = corrected.fit(X, y, sample_domain=d).score(X_target, y_target)
    assert found > source.score(X_target, y_target) + 0.03
    assert found > usual.score(X_target, y_target) + 0.3
    assert corrected.target_priors_[3:].sum() < 0.1


def test_other_proportions_on_the_target_are_warned_of():
    X_source, y_source, X_target, _ = blobs(target=[200, 15, 15])
    X, y, d = stack_domains(X_source, y_source, X_target)
    joint = {"batch_norm": "joint", "input_scaling": "source"}
    net = MCCClassifier(random_state=0, min_steps=200, **joint)
    with pytest.warns(DomainWarning, match="differ by 0.*prior_correction='resample'"):
        net.fit(X, y, sample_domain=d)
    # Warnings are errors in these tests.
    clone(net).set_params(prior_correction="resample").fit(X, y, sample_domain=d)
    clone(net).set_params(max_epochs=1).partial_fit(X, y, sample_domain=d)
    clone(net).set_params(alignment_weight=0.0).fit(X, y, sample_domain=d)
    X_source, y_source, X_target, _ = blobs()
    X, y, d = stack_domains(X_source, y_source, X_target)
    clone(net).fit(X, y, sample_domain=d)


def test_a_gap_of_few_rows_or_steps_may_be_chance():
    priors = TargetPriors(np.repeat([0, 1], 50), 2)
    priors.warn_if_far(np.array([0.7, 0.3]), 40, 600)
    priors.warn_if_far(np.array([0.7, 0.3]), 400, 20)
    for n_rows, found in ((400, [0.75, 0.25]), (40, [0.8, 0.2])):
        with pytest.warns(DomainWarning, match="class proportions"):
            priors.warn_if_far(np.array(found), n_rows, 600)
    # A classifier trained by weights believes in the weighted proportions.
    weighted = TargetPriors(np.repeat([0, 1], 50), 2, np.repeat([1.5, 0.5], 50))
    weighted.warn_if_far(np.array([0.75, 0.25]), 400, 600)


def test_proportions_are_left_alone_where_nothing_is_estimated(domains, monkeypatch):
    X, y, d = domains
    usual = MCCClassifier(**SMALL).fit(X, y, sample_domain=d)
    monkeypatch.setattr(TargetPriors, "update", lambda *args: None)
    off = MCCClassifier(prior_correction="resample", **SMALL).fit(X, y, sample_domain=d)
    np.testing.assert_array_equal(usual.predict_proba(X), off.predict_proba(X))


def test_rows_are_drawn_by_proportions_that_are_known(domains):
    X, y, d = domains
    n_classes = len(np.unique(y[d >= 0]))
    drawn = []

    class Watched(DANClassifier):
        def _train(self, net, rows, **options):
            super()._train(net, rows, **options)
            drawn.append(net.priors.now)

    proportions = np.arange(1.0, n_classes + 1.0)
    Watched(prior_correction=proportions, **SMALL).fit(X, y, sample_domain=d)
    np.testing.assert_allclose(drawn[0], proportions / proportions.sum())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([0.5], "for each class.*got 1 numbers"),
        ([0.5, np.nan], "none below 0"),
        ([[0.5, 0.5]], "one proportion for each class"),
        ([0.0, 0.0], "not all 0"),
    ],
)
def test_proportions_that_cannot_be_are_refused(domains, given, message):
    X, y, d = domains
    with pytest.raises(ValueError, match=message):
        DANClassifier(prior_correction=given, **SMALL).fit(X, y, sample_domain=d)


def test_a_class_without_source_rows_cannot_be_drawn():
    with pytest.raises(ValueError, match="class number 1, of which there is no source row"):
        TargetPriors(np.array([0, 0, 2]), 3, given=[0.5, 0.3, 0.2])


@pytest.mark.parametrize("surer", ["resample", "given"])
def test_the_surer_of_two_estimates_is_kept(domains, monkeypatch, surer):
    X, y, d = domains
    entropies = iter([0.1, 0.2] if surer == "resample" else [0.2, 0.1])
    monkeypatch.setattr(_priors, "_entropy", lambda p: next(entropies))
    net = DANClassifier(prior_correction="select", **SMALL).fit(X, y, sample_domain=d)
    if surer == "resample":
        assert net.prior_correction_ == "resample"
    else:
        np.testing.assert_allclose(net.prior_correction_.sum(), 1.0)
    same = clone(net).set_params(prior_correction=net.prior_correction_)
    same.fit(X, y, sample_domain=d)
    np.testing.assert_array_equal(net.predict_proba(X), same.predict_proba(X))
    assert net.get_params()["prior_correction"] == "select"
    # Without target rows there is nothing to select.
    with pytest.warns(DomainWarning, match="fitted without sample_domain"):
        alone = clone(net).fit(X[d >= 0], y[d >= 0])
    assert not hasattr(alone, "prior_correction_")


@pytest.mark.slow
def test_selection_bears_a_label_shift_that_alignment_hides():
    """Rotated moons of which the target keeps 15 % of one class."""
    parts = [make_moons(800, noise=0.1, random_state=i) for i in (0, 1)]
    (X_source, y_source), (X_target, y_target) = parts
    c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    X_target = (X_target - [0.5, 0.25]) @ np.array([[c, s], [-s, c]]) + [0.5, 0.25]
    kept = (y_target == 0) | (np.random.default_rng(0).random(800) < 0.15)
    X_target, y_target = X_target[kept], y_target[kept]
    X, y, d = stack_domains(X_source, y_source, X_target)
    scores = {}
    for correction in (None, "select"):
        net = DANClassifier(prior_correction=correction, random_state=0)
        net.fit(X, y, sample_domain=d)
        scores[correction] = net.score(X_target, y_target)
    assert scores["select"] > scores[None] + 0.1


# Several outputs, several processes


def test_several_values_are_learnt_at_once():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    Y = np.c_[X[:, 0], 100.0 * X[:, 1] + 7.0]
    d = np.repeat([1, -2], 150)
    net = DANRegressor(max_epochs=100, random_state=0).fit(X, Y, sample_domain=d)
    assert net.predict(X).shape == Y.shape
    assert net.score(X[150:], Y[150:]) > 0.9
    one = DANRegressor(**SMALL).fit(X, Y[:, :1], sample_domain=d)
    assert one.predict(X).shape == (300, 1)
    few = np.where(np.arange(300)[:, None] < 200, Y, np.nan)
    tuned = FineTuningRegressor(max_epochs=100, random_state=0).fit(X, few, sample_domain=d)
    assert tuned.score(X[150:], Y[150:]) > 0.9


@pytest.mark.slow
def test_a_search_in_two_processes_is_that_of_one(domains):
    X, y, d = domains
    grid = {"alignment_weight": [0.0, 1.0]}
    found = []
    for n_jobs in (1, 2):
        search = GridSearchCV(
            DANClassifier(**SMALL), grid, cv=DomainStratifiedKFold(2), n_jobs=n_jobs
        )
        with sklearn.config_context(enable_metadata_routing=True):
            search.fit(X, y, sample_domain=d)
        found.append(search.cv_results_["mean_test_score"])
    np.testing.assert_array_equal(*found)


# What the losses reach under the recipe


def test_dan_lowers_the_discrepancy_that_it_minimizes():
    X_source, y_source, X_target, _ = blobs()
    X, y, d = stack_domains(X_source, y_source, X_target)

    plain = {"batch_norm": False, "input_scaling": "source"}  # which leave less to the loss

    def discrepancy(weight):
        net = DANClassifier(alignment_weight=weight, max_epochs=60, random_state=0, **plain)
        features = torch.from_numpy(net.fit(X, y, sample_domain=d).transform(X, sample_domain=d))
        source, target = (DomainBatch(features[side], None) for side in (d > 0, d < 0))
        return MMDLoss(gamma=1.0)(source, target).item()

    assert discrepancy(1.0) < 0.4 * discrepancy(1e-9)


@pytest.mark.parametrize("lr", [0.03, 0.1])
def test_the_discriminator_of_dann_stays_near_chance(lr):
    X_source, y_source, X_target, _ = blobs()
    X, y, d = stack_domains(X_source, y_source, X_target)
    net = DANNClassifier(lr=lr, max_epochs=60, random_state=0).fit(X, y, sample_domain=d)
    assert max(net.history_[:, "alignment_loss"]) < 1.0  # chance is log 2


def test_shot_begins_with_the_statistics_of_the_target():
    X_source, y_source, X_target, y_target = blobs()
    X, y, d = stack_domains(X_source, y_source, X_target)
    options = {"max_epochs": 40, "random_state": 0, "input_scaling": "source"}
    nets = [
        SHOTClassifier(adaptation_epochs=n, adaptation_lr=0.0, **options).fit(X, y, sample_domain=d)
        for n in (0, 1)
    ]
    untouched, renewed = (
        torch.cat([b for name, b in net.target_module_.named_buffers() if "mean" in name])
        for net in nets
    )
    source = nets[0].net_.module_.named_buffers()
    torch.testing.assert_close(untouched, torch.cat([b for name, b in source if "mean" in name]))
    assert (renewed - untouched).abs().max() > 0.1
    assert nets[1].score(X_target, y_target) > nets[0].score(X_target, y_target) + 0.03
