"""Weights of rows in the supervised loss of nets."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import has_fit_parameter

torch = pytest.importorskip("torch")
pytest.importorskip("skorch")

import skda  # noqa: E402
import skda.deep  # noqa: E402
from skda import (  # noqa: E402
    DANClassifier,
    DeepSourceOnlyClassifier,
    DeepSourceOnlyRegressor,
    FineTuningClassifier,
    GaussianWeighter,
    ImportanceWeightedEstimator,
)
from skda.deep._deep_jdot import JointTransportLoss, joint_cost  # noqa: E402
from skda.deep._priors import TargetPriors  # noqa: E402
from skda.deep._row_weights import scaled_weights  # noqa: E402

from .test_losses import domain_batches  # noqa: E402

SMALL = {"module__hidden": 8, "max_epochs": 3, "random_state": 0}
# Episodes take so many rows of each class, and no weights.
NETS = [
    name
    for name in sorted(skda.deep.__all__)
    if has_fit_parameter(getattr(skda, name), "sample_weight")
]
# One step of all rows an epoch, and nothing that is learnt from rows beside their labels.
WHOLE = {"batch_size": 1000, "batch_norm": False, "input_scaling": None, "lr": 0.1}


@pytest.fixture
def weighted(domains):
    """Rows of two domains with integer weights, a third of them zero."""
    X, y, d = domains
    return X, y, d, np.random.default_rng(1).integers(0, 3, len(y)).astype(float)


def predicted(net, X, d):
    method = net.predict_proba if hasattr(net, "predict_proba") else net.predict
    return method(X, sample_domain=d)


@pytest.mark.parametrize("name", NETS)
def test_labels_without_weight_change_nothing(name, weighted):
    X, y, d, w = weighted
    y = y.astype(float)
    other = np.where(w == 0, 1 - y, y)
    options = SMALL
    if name == "GraphConvolutionClassifier":  # which has a network of its own
        options = {"hidden": 8, "max_iter": 10, "random_state": 0}
    net = getattr(skda, name)(**options)
    found = [predicted(net.fit(X, labels, w, sample_domain=d), X, d) for labels in (y, other)]
    np.testing.assert_array_equal(*found)
    plain = predicted(net.fit(X, y, sample_domain=d), X, d)
    assert abs(found[0] - plain).max() > 1e-6
    constant = predicted(net.fit(X, y, np.full(len(y), 7.0), sample_domain=d), X, d)
    np.testing.assert_array_equal(constant, plain)


@pytest.mark.parametrize("method", [DeepSourceOnlyClassifier, DeepSourceOnlyRegressor])
def test_a_weight_is_a_number_of_copies_where_a_step_takes_all_rows(method, weighted):
    X, y, d, w = weighted
    X = X.astype(np.float64)
    y = X @ np.arange(4.0) if method is DeepSourceOnlyRegressor else y
    kept = d > 0
    net = method(**SMALL | WHOLE | {"max_epochs": 20})
    found = predicted(net.fit(X, y, w, sample_domain=d), X, d)
    copies = np.repeat(np.arange(len(y)), np.where(kept, w, 1).astype(int))
    wanted = predicted(net.fit(X[copies], y[copies], sample_domain=d[copies]), X, d)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("use_target_labels", [False, True])
def test_weights_of_target_rows_count_where_their_labels_do(use_target_labels, weighted):
    X, y, d, w = weighted
    net = DANClassifier(use_target_labels=use_target_labels, **SMALL)
    other = np.where(d < 0, w + 1.0 + (np.arange(len(y)) % 2), w)
    found = [net.fit(X, y, v, sample_domain=d).predict_proba(X) for v in (w, other)]
    assert np.array_equal(*found) is not use_target_labels
    # Only ratios on a side count.
    scaled = net.fit(X, y, np.where(d < 0, 5.0 * w, w), sample_domain=d).predict_proba(X)
    np.testing.assert_allclose(scaled, found[0], rtol=1e-4)


def test_fine_tuning_weighs_the_labels_of_target_rows(weighted):
    X, y, d, w = weighted
    net = FineTuningClassifier(**SMALL, adaptation_epochs=3, adaptation_lr=0.01)
    source = np.where(d > 0, 1.0, w)
    tuned = net.fit(X, y, source, sample_domain=d)
    plain = FineTuningClassifier(**SMALL, adaptation_epochs=3, adaptation_lr=0.01)
    plain.fit(X, y, sample_domain=d)
    same = [predicted(m, X[d > 0], d[d > 0]) for m in (tuned, plain)]
    np.testing.assert_array_equal(*same)  # the first stage had no weights
    assert abs(tuned.predict_proba(X) - plain.predict_proba(X)).max() > 1e-6


def test_rows_without_weight_are_still_aligned(weighted):
    X, y, d, w = weighted
    net = DANClassifier(**SMALL)
    moved = X + np.where((w == 0) & (d > 0), 3.0, 0.0)[:, None]
    found = [net.fit(rows, y, w, sample_domain=d).predict_proba(X) for rows in (X, moved)]
    assert abs(found[0] - found[1]).max() > 1e-4


@pytest.mark.parametrize("early_stopping", ["source", "target"])
def test_held_out_labels_without_weight_change_nothing(early_stopping, weighted):
    X, y, d, w = weighted
    net = DANClassifier(early_stopping=early_stopping, **SMALL | {"max_epochs": 10})
    other = np.where(w == 0, 1 - y, y)
    histories = [net.fit(X, v, w, sample_domain=d).history_[:, "valid_loss"] for v in (y, other)]
    np.testing.assert_array_equal(*histories)


def test_weights_of_one_row_are_those_of_the_loss(domains):
    X, y, d = domains
    w = np.where(d > 0, 1.0 + np.arange(len(y)) % 3, 1.0)
    net = DeepSourceOnlyClassifier(**SMALL | WHOLE | {"max_epochs": 1, "lr": 0.0})
    net.fit(X, y, w, sample_domain=d)
    source = d > 0
    losses = -np.log(net.predict_proba(X[source])[np.arange(source.sum()), y[source]])
    wanted = np.average(losses, weights=w[source])
    assert net.history_[-1, "train_loss"] == pytest.approx(wanted, rel=1e-5)


def test_all_ways_to_fit_take_weights(weighted):
    X, y, d, w = weighted
    net = DANClassifier(**SMALL)
    wanted = net.fit(X, y, sample_weight=w, sample_domain=d).transform(X, sample_domain=d)
    found = net.fit_transform(X, y, sample_weight=w, sample_domain=d)
    np.testing.assert_array_equal(found, wanted)
    chunk = DANClassifier(**SMALL).partial_fit(X, y, sample_weight=w, sample_domain=d)
    other = DANClassifier(**SMALL).partial_fit(
        X, np.where(w == 0, 1 - y, y), None, w, sample_domain=d
    )
    plain = DANClassifier(**SMALL).partial_fit(X, y, sample_domain=d)
    np.testing.assert_array_equal(chunk.predict_proba(X), other.predict_proba(X))
    assert not np.array_equal(chunk.predict_proba(X), plain.predict_proba(X))
    value = skda.DANRegressor(**SMALL).partial_fit(X, X[:, 0], w, sample_domain=d)
    assert np.isfinite(value.predict(X)).all()
    two = DeepSourceOnlyRegressor(**SMALL | WHOLE).fit(X, X[:, :2], w, sample_domain=d)
    np.testing.assert_allclose(two.y_mean_, np.average(X[d > 0, :2], axis=0, weights=w[d > 0]))


def test_weights_are_routed(weighted, routing):
    X, y, d, w = weighted
    net = DANClassifier(**SMALL).set_fit_request(sample_weight=True)
    pipe = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), net)
    pipe.fit(X, y, sample_weight=w, sample_domain=d)
    wanted = DANClassifier(**SMALL).fit(pipe[0].transform(X), y, w, sample_domain=d)
    np.testing.assert_array_equal(
        pipe[-1].predict_proba(pipe[0].transform(X)), wanted.predict_proba(pipe[0].transform(X))
    )


@pytest.mark.filterwarnings("ignore:.*fitted without sample_domain:skda.DomainWarning")
def test_a_weighter_finds_its_weights_in_the_net(domains):
    X, y, d = domains
    net = DeepSourceOnlyClassifier(**SMALL)
    model = ImportanceWeightedEstimator(net, GaussianWeighter()).fit(X, y, sample_domain=d)
    source = d > 0
    wanted = net.fit(X[source], y[source], model.weights_)
    np.testing.assert_array_equal(model.predict_proba(X), wanted.predict_proba(X))


def test_wrong_weights_are_named(weighted):
    X, y, d, w = weighted
    net = DANClassifier(use_target_labels=True, **SMALL)
    for side, words in ((d > 0, "source rows"), (d < 0, "labeled target rows")):
        with pytest.raises(ValueError, match=f"sample_weight must not be zero on all {words}"):
            net.fit(X, y, np.where(side, 0.0, 1.0), sample_domain=d)
        assert not hasattr(net, "net_")
    for bad, words in ((w[:-1], "one value per row"), (-w, "not negative"), (w * np.nan, "finite")):
        with pytest.raises(ValueError, match=f"sample_weight must.*{words}"):
            net.fit(X, y, bad, sample_domain=d)

    class Whole(torch.nn.Module):
        def forward(self, outputs, y):
            return torch.nn.functional.cross_entropy(outputs, y)

    own = DANClassifier(criterion=Whole, **SMALL)
    with pytest.raises(ValueError, match="criterion Whole cannot weigh rows"):
        own.fit(X, y, w, sample_domain=d)
    assert own.fit(X, y, sample_domain=d).predict(X).shape == y.shape


def test_weights_have_mean_one_in_each_group():
    w = np.array([1e308, 1e308, 0.0, 3.0, 5.0, 7.0])
    found = scaled_weights(w, {"source rows": np.array([0, 1, 2]), "others": np.array([3, 4])})
    np.testing.assert_allclose(found, [1.5, 1.5, 0.0, 0.75, 1.25, 1.0])
    assert (
        scaled_weights(np.full(4, 3.0), {"rows": np.arange(4), "none": np.array([], int)}) is None
    )


# Where labels are used beside the criterion


def test_priors_know_for_which_proportions_the_weights_train():
    codes, w = np.array([0, 0, 0, 1, 1, 2]), np.array([1.0, 1.0, 1.0, 3.0, 3.0, 0.0])
    priors = TargetPriors(codes, 3, w)
    np.testing.assert_array_equal(priors.present, [True, True, False])
    np.testing.assert_allclose(priors.now * priors.weight, [0.5, 1.0, 0.0])
    np.testing.assert_allclose(TargetPriors(codes, 3).weight, 1.0)


def test_resampling_bears_weights(weighted):
    X, y, d, w = weighted
    net = DANClassifier(prior_correction="resample", **SMALL | {"max_epochs": 12})
    found = net.fit(X, y, np.where(y == 1, w, 1.0), sample_domain=d).target_priors_
    assert found.sum() == pytest.approx(1.0)
    none = net.fit(X, y, np.where(y == 1, 0.0, 1.0), sample_domain=d)
    assert none.target_priors_.tolist() == [1.0, 0.0]


@pytest.mark.parametrize("marginal_reg", [None, 0.8])
def test_labels_are_transported_by_their_weights(marginal_reg):
    ot = pytest.importorskip("ot")
    source, target = domain_batches()
    w = torch.tensor([0.0, 2.0, 1.0, 0.5, 0.0, 2.5, 1.0], dtype=torch.float64)
    loss = JointTransportLoss(0.2, marginal_reg)
    found = loss(source._replace(weights=w), target).item()
    kept = w > 0
    cost = joint_cost(source, target, 0.2).detach().numpy()[kept.numpy()]
    a, b = (w[kept] / w.sum()).numpy(), np.full(5, 1 / 5)
    if marginal_reg is None:
        plan, accuracy = ot.emd(a, b, cost), 1e-10
    else:
        settings = {"reg": 0.05 * 0.8, "reg_m": 0.8, "reg_type": "kl", "stopThr": 1e-12}
        plan, accuracy = ot.unbalanced.sinkhorn_unbalanced(a, b, cost, **settings), 5e-3
    assert found == pytest.approx((plan * cost).sum(), abs=accuracy)
    nothing = loss(source._replace(weights=torch.zeros(7)), target)
    assert nothing.item() == 0.0
