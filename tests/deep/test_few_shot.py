"""Prototypical and relation networks: their losses, episodes, supports and behavior."""

import pickle

import numpy as np
import pytest
from sklearn.datasets import make_blobs

torch = pytest.importorskip("torch")
skorch = pytest.importorskip("skorch")

from skda import (  # noqa: E402
    DomainWarning,
    PrototypicalNetworkClassifier,
    RelationNetworkClassifier,
    config_context,
    stack_domains,
)
from skda.deep._episodes import Episode, Episodes, class_means  # noqa: E402
from skda.deep._prototypical import PrototypeComparison  # noqa: E402
from skda.deep._relation_network import RelationComparison, ScoreError  # noqa: E402
from tests.deep.test_net import AnswersAsked  # noqa: E402

METHODS = [PrototypicalNetworkClassifier, RelationNetworkClassifier]
SMALL = {"module__hidden": 8, "n_shot": 2, "n_query": 3, "n_episodes": 60, "random_state": 0}
CENTERS = [[0, 0], [4, 0], [0, 4], [4, 4], [8, 0]]


def unseen_classes(seed=0, n_labeled=2, n=300):
    """Source classes 0, 1, 2; the target has 3 and 4, moved, with a few labels of each."""
    X, y = make_blobs(n, centers=CENTERS, cluster_std=0.5, random_state=seed)
    X_target, y_target = X[y > 2] + [1.0, -0.5], y[y > 2]
    few = np.full(len(y_target), -1)
    for label in (3, 4):
        few[np.flatnonzero(y_target == label)[:n_labeled]] = label
    return stack_domains(X[y <= 2], y[y <= 2], X_target, few), X_target, y_target


def softmax(z):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


# References


def test_prototypical_loss_and_prediction_are_those_of_a_loop_over_rows():
    rng = np.random.default_rng(0)
    features, y = rng.normal(size=(12, 3)), np.repeat([0, 1, 2], 4)
    queries, wanted = rng.normal(size=(5, 3)), np.array([0, 2, 1, 1, 0])
    prototypes = class_means(torch.from_numpy(features), torch.from_numpy(np.eye(3)[y]))
    losses = []
    for query, label in zip(queries, wanted, strict=True):
        d2 = [((query - features[y == c].mean(axis=0)) ** 2).sum() for c in range(3)]
        losses.append(d2[label] + np.log(np.sum(np.exp(-np.array(d2)))))
    scores = PrototypeComparison()(torch.from_numpy(queries), prototypes)
    loss = torch.nn.functional.cross_entropy(scores, torch.from_numpy(wanted))
    assert loss.item() == pytest.approx(np.mean(losses))


def test_relation_scores_are_those_of_a_perceptron_on_pairs():
    torch.manual_seed(0)
    compare = RelationComparison(3, (5, 4))
    untrained = compare(torch.eye(3), torch.eye(3)[:2])
    d2 = torch.tensor([[0.0, 2.0], [2.0, 0.0], [2.0, 2.0]])
    torch.testing.assert_close(untrained, compare.offset - compare.factor * d2)
    torch.nn.init.normal_(compare.rest[3].weight)
    queries, prototypes = torch.randn(6, 3), torch.randn(2, 3)
    first = np.hstack(
        [w.detach().numpy() for w in (compare.of_row.weight, compare.of_class.weight)]
    )
    second, last = compare.rest[1], compare.rest[3]
    wanted = np.empty((6, 2))
    for i, query in enumerate(queries.numpy()):
        for k, prototype in enumerate(prototypes.numpy()):
            pair = np.concatenate([query, prototype])
            h = np.maximum(first @ pair + compare.of_row.bias.detach().numpy(), 0)
            h = np.maximum(second.weight.detach().numpy() @ h + second.bias.detach().numpy(), 0)
            z = last.weight.detach().numpy() @ h + last.bias.detach().numpy()
            z = z[0] + compare.offset.item()
            z -= compare.factor.item() * ((query - prototype) ** 2).sum()
            wanted[i, k] = 1 / (1 + np.exp(-z))
    found = torch.sigmoid(compare(queries, prototypes)).detach().numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    y = np.array([0, 1, 1, 0, 0, 1])
    error = np.mean((wanted - np.eye(2)[y]) ** 2)
    loss = ScoreError()(torch.from_numpy(wanted).logit(), torch.from_numpy(y))
    assert loss.item() == pytest.approx(error)


@pytest.mark.parametrize("method", METHODS)
def test_the_estimator_predicts_by_its_features_and_prototypes(method):
    (X, y, d), X_target, _ = unseen_classes()
    net = method(**SMALL, n_refinements=0).fit(X, y, sample_domain=d)
    features = net.transform(X_target)
    support = net.transform(X)[(d < 0) & (y >= 3)]
    labels = y[(d < 0) & (y >= 3)]
    prototypes = np.array([support[labels == c].mean(axis=0) for c in (3, 4)])
    np.testing.assert_allclose(net.prototypes_, prototypes, rtol=1e-5)
    if method is PrototypicalNetworkClassifier:
        d2 = ((features[:, None] - prototypes) ** 2).sum(axis=2)
        proba = softmax(-d2)
    else:
        as_tensor = [torch.from_numpy(x).float() for x in (features, prototypes)]
        scores = torch.sigmoid(net.net_.module_.comparison(*as_tensor)).detach().numpy()
        odds = scores / (1 - scores)
        proba = odds / odds.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(net.predict_proba(X_target), proba, rtol=1e-3, atol=1e-5)
    np.testing.assert_array_equal(net.predict(X_target), np.array([3, 4])[proba.argmax(axis=1)])


# Episodes


def test_an_episode_has_its_rows_class_by_class_and_none_twice():
    X = torch.arange(30.0)[:, None]
    codes, source = np.r_[np.repeat([0, 1, 2], 8), np.full(6, -1)], np.arange(24)
    options = {"n_way": 2, "n_shot": 3, "n_query": 4, "n_episodes": 70, "mix_classes": False}
    episodes = Episodes(X, codes, source, **options, rng=np.random.RandomState(0))
    portions = [list(episodes) for _ in range(episodes.n_portions)]
    assert [len(portion) for portion in portions] == [50, 20]
    seen = set()
    for episode in portions[0] + portions[1]:
        rows = episode.X[:, 0].long().numpy()
        assert len(set(rows)) == len(rows) == 2 * (3 + 4) and rows.max() < 24
        own = codes[rows]
        support, queries = own[:6].reshape(2, 3), own[6:].reshape(2, 4)
        assert (support == support[:, :1]).all() and (queries == support[:, :1]).all()
        assert support[0, 0] != support[1, 0]
        np.testing.assert_array_equal(episode.y.numpy(), np.repeat([0, 1], 4))
        seen |= set(own)
    assert seen == {0, 1, 2}


def test_mixed_classes_have_columns_of_two_classes():
    codes = np.repeat([0, 1, 2], 8)
    X = torch.from_numpy(np.repeat(codes[:, None], 40, axis=1)).float()
    options = {"n_way": 3, "n_shot": 2, "n_query": 3, "n_episodes": 20, "mix_classes": True}
    episodes = Episodes(X, codes, np.arange(24), **options, rng=np.random.RandomState(0))
    for episode in episodes:
        X = episode.X.numpy()
        support, queries = X[:6].reshape(3, 2, 40), X[6:].reshape(3, 3, 40)
        # All rows of a class of the episode have the same columns from the same classes.
        assert (support == support[:, :1]).all() and (queries == support[:, :1]).all()
        assert max(len(np.unique(row)) for row in support[:, 0]) <= 2
    assert len(np.unique(X[0])) == 2 or len(np.unique(X[2])) == 2


def test_an_episode_unpacks_to_its_queries():
    X, y = Episode(torch.arange(10)[:, None], torch.zeros(6), n_way=2, n_shot=2)
    assert X[:, 0].tolist() == [4, 5, 6, 7, 8, 9] and len(y) == 6


@pytest.mark.parametrize("method", METHODS)
def test_n_way_is_the_number_of_classes_of_an_episode(method):
    (X, y, d), *_ = unseen_classes()
    ways = set()

    class Spy(skorch.callbacks.Callback):
        def on_batch_begin(self, net, batch=None, **kwargs):
            ways.add(batch.n_way)

    net = method(n_way=2, callbacks=[Spy()], **SMALL).fit(X, y, sample_domain=d)
    assert ways == {2} and net.n_iter_ == 60 and len(net.history_) == 2


@pytest.mark.parametrize("method", METHODS)
def test_episodes_ask_nothing_of_the_device(method):
    (X, y, d), *_ = unseen_classes()
    counts = []
    for n_episodes in (5, 50):  # one entry of the history in both cases
        net = method(**SMALL | {"n_episodes": n_episodes})
        with AnswersAsked() as asked:
            net.fit(X, y, sample_domain=d)
        counts.append(asked.n)
    assert counts[0] == counts[1]


# Supports


@pytest.mark.parametrize("method", METHODS)
def test_classes_are_those_of_the_support(method):
    (X, y, d), X_target, y_target = unseen_classes()
    net = method(**SMALL, n_refinements=0).fit(X, y, sample_domain=d)
    assert net.classes_.tolist() == [3, 4] and net.source_classes_.tolist() == [0, 1, 2]
    unlabeled = np.where(d < 0, -1, y)
    other = method(**SMALL, n_refinements=0).fit(X, unlabeled, sample_domain=d)
    assert other.classes_.tolist() == [0, 1, 2]
    assert set(other.predict(X_target)) <= {0, 1, 2}
    # The same network: labels of the target have no part in the training.
    np.testing.assert_array_equal(net.transform(X_target), other.transform(X_target))
    few = (d < 0) & (y >= 3)
    assert other.set_support(X[few], y[few]) is other
    np.testing.assert_array_equal(other.predict_proba(X_target), net.predict_proba(X_target))
    names = np.array(["x", "three", "three", "four", "four"])
    other.set_support(X_target[:40], np.array(["three", "four"])[y_target[:40] - 3])
    assert other.classes_.tolist() == ["four", "three"] and names[1] in other.predict(X_target)


@pytest.mark.parametrize("method", METHODS)
def test_rows_without_a_label_refine_the_prototypes(method):
    (X, y, d), X_target, y_target = unseen_classes(n_labeled=1)
    net = method(**SMALL, n_refinements=0).fit(X, y, sample_domain=d)
    plain, proba = net.prototypes_, net.predict_proba(X_target)
    few = y[d < 0]
    guessed = np.where(few[:, None] >= 3, 0.0, proba)
    # All guesses of a class count as five labeled rows together.
    weights = (few[:, None] == [3, 4]) + 5 * guessed / guessed.sum(axis=0)
    wanted = weights.T @ net.transform(X_target) / weights.sum(axis=0)[:, None]
    refined = method(**SMALL, n_refinements=1).fit(X, y, sample_domain=d)
    np.testing.assert_allclose(refined.prototypes_, wanted, rtol=1e-4, atol=1e-5)
    true = np.array([net.transform(X_target)[y_target == c].mean(axis=0) for c in (3, 4)])
    gaps = [np.linalg.norm(found - true) for found in (refined.prototypes_, plain)]
    assert gaps[0] < 0.5 * gaps[1]
    net.set_params(n_refinements=1).set_support(X_target, few)
    np.testing.assert_allclose(net.prototypes_, refined.prototypes_, rtol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_bad_supports_are_named(method):
    (X, y, d), X_target, y_target = unseen_classes()
    net = method(**SMALL).fit(X, y, sample_domain=d)
    before = net.predict_proba(X_target)
    with pytest.raises(ValueError, match="set_support needs y"):
        net.set_support(X_target, None)
    with pytest.raises(ValueError, match="one label per row"):
        net.set_support(X_target, y_target[:-1])
    with pytest.raises(ValueError, match="a label on one row at least"):
        net.set_support(X_target, np.full(len(X_target), -1))
    with pytest.raises(ValueError, match="Unknown label type"):
        net.set_support(X_target, X_target[:, 0])
    with pytest.raises(ValueError, match="features"):
        net.set_support(X_target[:, :1], y_target)
    np.testing.assert_array_equal(net.predict_proba(X_target), before)
    partly = np.where(np.arange(len(y_target)) < 20, y_target, -1)
    net.set_params(n_refinements=0).set_support(X_target, partly)
    wanted = net.predict_proba(X_target)
    net.set_support(X_target[:20], y_target[:20])
    np.testing.assert_allclose(net.predict_proba(X_target), wanted, rtol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_without_target_rows_the_source_is_the_support(method):
    X, y = make_blobs(90, centers=CENTERS[:3], cluster_std=0.5, random_state=0)
    with pytest.warns(DomainWarning):
        net = method(**SMALL).fit(X, y)
    assert net.score(X, y) > 0.9


# Bad input


@pytest.mark.parametrize("method", METHODS)
def test_episodes_that_the_source_cannot_give_are_named(method):
    (X, y, d), *_ = unseen_classes()
    for params, words in (
        ({"n_way": 4}, r"n_way must be at most the number of classes of the source, 3; got 4"),
        ({"n_shot": 50, "n_query": 11}, r"n_shot \+ n_query must be .* 50 \+ 11, and the class 0"),
    ):
        net = method(**SMALL | params)
        with pytest.raises(ValueError, match=words):
            net.fit(X, y, sample_domain=d)
        assert not hasattr(net, "classes_")


def test_no_partial_fit_and_no_warm_start():
    for method in METHODS:
        assert not hasattr(method, "partial_fit") and "warm_start" not in method().get_params()


# Behavior


@pytest.mark.parametrize("method", METHODS)
def test_the_untrained_default_is_the_nearest_class_mean_of_scaled_rows(method):
    (X, y, d), X_target, _ = unseen_classes(n_labeled=5)
    net = method(**SMALL | {"lr": 0.0}).fit(X, y, sample_domain=d)
    # Squared distances of features are 16/2 times those of rows scaled as the network has them.
    scaled = net.transform(X_target)
    few = y[d < 0] >= 3
    means = [scaled[few & (y[d < 0] == c)].mean(axis=0) for c in (3, 4)]
    nearest = ((scaled[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    np.testing.assert_array_equal(net.predict(X_target), np.array([3, 4])[nearest])
    center, spread = net.input_scaling_["target"]
    z = (X_target - center) / spread
    np.testing.assert_allclose(scaled, 8**0.5 * z / np.sqrt(1 + (z / 3) ** 2), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_two_labels_are_enough_for_classes_that_the_source_lacks(method):
    scores = []
    for seed in range(3):
        (X, y, d), X_target, y_target = unseen_classes(seed)
        net = method(n_shot=2, n_episodes=100, module__hidden=32, random_state=seed)
        scores.append(net.fit(X, y, sample_domain=d).score(X_target, y_target))
    assert np.mean(scores) > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_training_beats_the_fresh_network(method):
    """Ten features of noise, large, hide the two that tell classes apart."""

    def score(seed, n_episodes, lr):
        rng = np.random.default_rng(seed)
        centers = rng.normal(size=(16, 2)) * 3
        y = rng.integers(0, 16, 1600)
        X = np.c_[centers[y] + 0.4 * rng.normal(size=(1600, 2)), 3 * rng.normal(size=(1600, 10))]
        X_source, y_source = X[y < 11], y[y < 11]
        X_target, y_target = X[y >= 11] + 0.3, y[y >= 11]
        few = np.full(len(y_target), -1)
        for c in range(11, 16):
            few[np.flatnonzero(y_target == c)[:2]] = c
        X, y, d = stack_domains(X_source, y_source, X_target, few)
        options = {"n_shot": 2, "n_episodes": n_episodes, "lr": lr, "random_state": seed}
        net = method("mlp", module__hidden=32, mix_classes=False, **options)
        return net.fit(X, y, sample_domain=d).score(X_target, y_target)

    trained = [score(seed, 400, 0.005) for seed in range(3)]
    fresh = [score(seed, 1, 0.0) for seed in range(3)]
    assert np.mean(trained) > np.mean(fresh) + 0.1


@pytest.mark.parametrize("method", METHODS)
def test_statistics_of_the_target_are_those_of_its_rows(method):
    (X, y, d), *_ = unseen_classes()
    for batch_norm, own in (("domain", True), ("joint", False), (False, False)):
        net = method("mlp", **SMALL, batch_norm=batch_norm).fit(X, y, sample_domain=d)
        assert hasattr(net, "target_module_") == own


@pytest.mark.parametrize("method", METHODS)
def test_an_interrupted_fit_leaves_nothing(method):
    (X, y, d), *_ = unseen_classes()
    net = method(**SMALL).fit(X, y, sample_domain=d)

    class Interrupt(skorch.callbacks.Callback):
        def on_epoch_end(self, net, **kwargs):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        net.set_params(callbacks=[Interrupt()]).fit(X, y, sample_domain=d)
    assert not hasattr(net, "net_") and not hasattr(net, "prototypes_")


@pytest.mark.parametrize("method", METHODS)
def test_saved_weights_come_with_prototypes_and_comparison(method, tmp_path):
    (X, y, d), X_target, _ = unseen_classes()
    net = method(**SMALL).fit(X, y, sample_domain=d)
    net.save_weights(tmp_path / "net.pt")
    loaded = method(**SMALL).load_weights(tmp_path / "net.pt")
    again = pickle.loads(pickle.dumps(net))
    for other in (loaded, again):
        np.testing.assert_array_equal(other.predict_proba(X_target), net.predict_proba(X_target))
        few = (d < 0) & (y >= 3)
        other.set_support(X[few][:3], y[few][:3])


@pytest.mark.parametrize("method", METHODS)
def test_seeds_decide_and_torch_is_left_alone(method):
    (X, y, d), X_target, _ = unseen_classes()
    before = torch.random.get_rng_state()
    proba = [
        method(**SMALL | {"random_state": seed}).fit(X, y, sample_domain=d).predict_proba(X_target)
        for seed in (0, 0, 1)
    ]
    assert torch.equal(before, torch.random.get_rng_state())
    np.testing.assert_array_equal(proba[0], proba[1])
    assert not np.array_equal(proba[0], proba[2])
    with config_context(backend="torch", device="cpu"):
        net = method(**SMALL).fit(X, y, sample_domain=d)
        np.testing.assert_array_equal(net.predict_proba(X_target), proba[0])


@pytest.mark.parametrize("method", METHODS)
def test_networks_for_tables_learn_from_episodes(method):
    (X, y, d), *_ = unseen_classes()
    X = X.copy()
    X[::7, 1] = np.nan
    net = method("resnet", n_shot=2, n_query=3, n_episodes=20, mix_classes=False)
    assert np.isfinite(net.fit(X, y, sample_domain=d).predict_proba(X)).all()
