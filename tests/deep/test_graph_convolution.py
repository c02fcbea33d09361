"""Graph convolution: the graph, one forward pass of each kind, and what it is for."""

import pickle

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression

torch = pytest.importorskip("torch")
skorch = pytest.importorskip("skorch")

from skda import (  # noqa: E402
    DeepSourceOnlyClassifier,
    GraphConvolutionClassifier,
    stack_domains,
)
from skda.datasets import load_digits_scanners  # noqa: E402
from skda.deep._graph_network import GraphNetwork, _Propagate  # noqa: E402
from skda.deep._neighbor_graph import as_torch, attached, neighbor_graph, normalized  # noqa: E402
from tests.deep.test_net import AnswersAsked  # noqa: E402

SMALL = {"hidden": 8, "n_neighbors": 3, "max_iter": 20, "random_state": 0}
KINDS = ["gcn", "sgc", "appnp"]


def blobs(seed=0, n=90):
    centers = [[0, 0], [4, 0], [0, 4]]
    X_source, y_source = make_blobs(n, centers=centers, cluster_std=0.6, random_state=seed)
    X_target, y_target = make_blobs(n, centers=centers, cluster_std=0.6, random_state=seed + 100)
    return X_source, y_source, X_target + np.array([1.0, -0.5]), y_target


def dense(W):
    """S = D^-1/2 (W + I) D^-1/2 as a dense matrix."""
    A = W + np.eye(len(W))
    root = 1 / np.sqrt(A.sum(axis=1))
    return root[:, None] * A * root


# The graph


def test_each_row_is_joined_with_its_nearest_rows_of_both_sides():
    rng = np.random.default_rng(0)
    X, n_source, k = rng.normal(size=(20, 2)), 12, 3
    wanted = np.zeros((20, 20))
    for i in range(20):
        for side in (range(12), range(12, 20)):
            others = sorted((np.linalg.norm(X[i] - X[j]), j) for j in side if j != i)
            wanted[i, [j for _, j in others[:k]]] = 1
    W = neighbor_graph(X, n_source, k).toarray()
    np.testing.assert_array_equal(W, np.maximum(wanted, wanted.T))
    new = rng.normal(size=(5, 2))
    found = attached(X, n_source, new, k).toarray()
    for row, entries in zip(new, found, strict=True):
        d = np.linalg.norm(X - row, axis=1)
        near = {*np.argsort(d[:12])[:3], *(12 + np.argsort(d[12:])[:3])}
        assert set(np.flatnonzero(entries)) == near


@pytest.mark.parametrize("n_source, n_target", [(1, 1), (4, 0), (3, 2)])
def test_few_rows_and_duplicates_make_a_graph(n_source, n_target):
    X = np.ones((n_source + n_target, 2))
    W = neighbor_graph(X, n_source, 10).toarray()
    np.testing.assert_array_equal(np.diag(W), 0)
    np.testing.assert_array_equal(W, W.T)
    assert np.isfinite(normalized(neighbor_graph(X, n_source, 10)).toarray()).all()


def test_new_rows_take_from_the_graph_and_give_nothing():
    rng = np.random.default_rng(0)
    X, new = rng.normal(size=(15, 2)), rng.normal(size=(4, 2))
    W, B = neighbor_graph(X, 8, 2), attached(X, 8, new, 2)
    S = normalized(W, B).toarray()
    np.testing.assert_allclose(S[:15, :15], dense(W.toarray()))
    np.testing.assert_array_equal(S[:15, 15:], 0)
    degree = W.toarray().sum(axis=1) + 1
    own = B.toarray().sum(axis=1) + 1
    np.testing.assert_allclose(S[15:, :15], B.toarray() / np.sqrt(np.outer(own, degree)))
    np.testing.assert_allclose(S[15:, 15:], np.diag(1 / own))


# References


def forward(network, X, S, kind, n_steps=3, teleport=0.2):
    """Return the logits by dense NumPy."""
    layers = [[p.detach().numpy() for p in layer.parameters()] for layer in network.layers]
    (A, a), (B, b) = layers[0], layers[-1]
    if kind == "sgc":
        return np.linalg.matrix_power(S, n_steps) @ X @ A.T + a
    if kind == "gcn":
        return S @ np.maximum(S @ X @ A.T + a, 0) @ B.T + b
    H = np.maximum(X @ A.T + a, 0) @ B.T + b
    Z = H
    for _ in range(n_steps):
        Z = (1 - teleport) * S @ Z + teleport * H
    return Z


@pytest.mark.parametrize("kind", KINDS)
def test_a_forward_pass_is_that_of_dense_matrices(kind):
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 4))
    W = neighbor_graph(X, 12, 3)
    options = {"hidden": (5,), "dropout": 0.0, "n_steps": 3, "teleport": 0.2}
    network = GraphNetwork(4, 3, propagation=kind, **options).double()
    S = as_torch(normalized(W), torch.device("cpu"), torch.float64)
    logits, features = network(network.start(torch.from_numpy(X), S), S)
    wanted = forward(network, X, dense(W.toarray()), kind)
    np.testing.assert_allclose(logits.detach().numpy(), wanted, rtol=1e-10)
    assert features.shape == (20, network.n_features_out)


def test_the_gradient_of_a_propagation_is_that_of_the_matrix():
    W = neighbor_graph(np.random.default_rng(0).normal(size=(8, 2)), 5, 2)
    S = as_torch(normalized(W), torch.device("cpu"), torch.float64)
    H = torch.randn(8, 3, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(lambda H: _Propagate.apply(S, H), H)


def test_sgc_is_logistic_regression_on_propagated_rows():
    X_source, y_source, X_target, _ = blobs()
    X_source = X_source + np.random.default_rng(0).normal(size=X_source.shape) * 2
    X, y, d = stack_domains(X_source, y_source, X_target)
    net = GraphConvolutionClassifier(
        propagation="sgc", n_steps=3, n_neighbors=2, max_iter=1500, lr=0.1, random_state=0
    ).fit(X, y, sample_domain=d)
    S = dense(net.graph_.toarray())
    rows = np.linalg.matrix_power(S, 3) @ net.graph_rows_
    model = LogisticRegression(C=1e12, tol=1e-8, max_iter=5000).fit(rows[:90], y_source)
    layer = net.net_.module_.layers[0]
    logits = rows @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
    np.testing.assert_allclose(softmax(logits, axis=1), model.predict_proba(rows), atol=0.01)


def test_predictions_are_those_of_the_graph_with_each_row_attached():
    X_source, y_source, X_target, _ = blobs()
    X, y, d = stack_domains(X_source, y_source, X_target)
    net = GraphConvolutionClassifier(**SMALL).fit(X, y, sample_domain=d)
    center, spread = net.input_scaling_["target"]
    z = (X_target[:4] + 0.1 - center) / spread
    z = z / np.sqrt(1 + (z / 3) ** 2)
    B = attached(net.graph_rows_, 90, z, 3)
    S = normalized(net.graph_, B).toarray()
    logits = forward(net.net_.module_, np.r_[net.graph_rows_, z], S, "gcn")[-4:]
    found = net.predict_proba(X_target[:4] + 0.1)
    np.testing.assert_allclose(found, softmax(logits, axis=1), rtol=1e-4)


# Training


@pytest.mark.parametrize("alignment", [None, "mmd", "adversarial"])
def test_steps_ask_nothing_of_the_device(alignment):
    X, y, d = stack_domains(*blobs()[:3])
    counts = []
    for max_iter in (3, 10):  # one entry of the history in both cases
        net = GraphConvolutionClassifier(**SMALL | {"max_iter": max_iter}, alignment=alignment)
        with AnswersAsked() as asked:
            net.fit(X, y, sample_domain=d)
        counts.append(asked.n)
    assert counts[0] == counts[1]


def test_steps_are_counted_and_the_history_has_the_losses():
    X, y, d = stack_domains(*blobs()[:3])
    net = GraphConvolutionClassifier(**SMALL | {"max_iter": 25}, alignment="adversarial")
    net.fit(X, y, sample_domain=d)
    assert net.n_iter_ == 25 and len(net.history_) == 3
    assert {"source_loss", "alignment_loss", "domain_accuracy"} <= set(net.history_[-1])


def aligned(alignment, weight):
    X, y, d = stack_domains(*blobs(n=150)[:3])
    net = GraphConvolutionClassifier(
        hidden=8,
        dropout=0.0,
        input_scaling="source",
        alignment=alignment,
        alignment_weight=weight,
        alignment_schedule="sigmoid",
        random_state=0,
    )
    return net.fit(X, y, sample_domain=d), X, d


def test_mmd_brings_the_features_together():
    gaps = []
    for weight in (0.0, 3.0):
        net, X, d = aligned("mmd", weight)
        features = net.transform(X, sample_domain=d)
        gap = features[d < 0].mean(axis=0) - features[d > 0].mean(axis=0)
        gaps.append(np.linalg.norm(gap) / features.std())
    assert gaps[1] < 0.8 * gaps[0]


def test_the_adversary_finds_less_difference_between_the_features():
    # At a weight of next to nothing the adversary learns and the features do not.
    accuracies = [
        aligned("adversarial", weight)[0].history_[-1, "domain_accuracy"] for weight in (1e-9, 3.0)
    ]
    assert accuracies[1] < accuracies[0] - 0.05


def test_labels_of_target_rows_are_used_if_asked():
    X_source, y_source, X_target, y_target = blobs()
    renamed = (y_target + 1) % 3
    few = np.where(np.arange(90) < 30, renamed, -1)
    X, y, d = stack_domains(X_source, y_source, X_target, few)
    options = {"input_scaling": "source", "random_state": 0}
    plain = GraphConvolutionClassifier(**options).fit(X, y, sample_domain=d)
    hidden = GraphConvolutionClassifier(**options).fit(X, np.where(d < 0, -1, y), sample_domain=d)
    np.testing.assert_array_equal(plain.predict_proba(X), hidden.predict_proba(X))
    taught = GraphConvolutionClassifier(use_target_labels=True, **options)
    taught.fit(X, y, sample_domain=d)
    assert taught.score(X_target, renamed) > plain.score(X_target, renamed) + 0.1


def test_parameters_of_a_module_and_chunks_are_refused():
    X, y, d = stack_domains(*blobs()[:3])
    with pytest.raises(TypeError, match=r"module__hidden.*Set hidden and dropout"):
        GraphConvolutionClassifier(module__hidden=3).fit(X, y, sample_domain=d)
    with pytest.raises(AttributeError, match="no attribute 'partial_fit'"):
        _ = GraphConvolutionClassifier().partial_fit


def test_dropout_and_seeds():
    X, y, d = stack_domains(*blobs()[:3])
    found = [
        GraphConvolutionClassifier(**SMALL | params).fit(X, y, sample_domain=d).predict_proba(X)
        for params in ({}, {}, {"dropout": 0.1}, {"random_state": 1})
    ]
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2]) and not np.array_equal(found[0], found[3])


@pytest.mark.parametrize("kind", KINDS)
def test_saved_weights_come_with_the_graph(kind, tmp_path):
    X, y, d = stack_domains(*blobs()[:3])
    net = GraphConvolutionClassifier(propagation=kind, teleport=0.3, **SMALL)
    net.fit(X, y, sample_domain=d)
    net.save_weights(tmp_path / "net.pt")
    loaded = GraphConvolutionClassifier(propagation=kind, teleport=0.3, **SMALL)
    loaded.load_weights(tmp_path / "net.pt")
    for other in (loaded, pickle.loads(pickle.dumps(net))):
        np.testing.assert_array_equal(other.predict_proba(X), net.predict_proba(X))
        assert (other.graph_ != net.graph_).nnz == 0


def test_an_interrupted_fit_leaves_nothing():
    X, y, d = stack_domains(*blobs()[:3])

    class Interrupt(skorch.callbacks.Callback):
        def on_epoch_end(self, net, **kwargs):
            raise KeyboardInterrupt

    net = GraphConvolutionClassifier(callbacks=[Interrupt()], **SMALL)
    with pytest.raises(KeyboardInterrupt):
        net.fit(X, y, sample_domain=d)
    assert not hasattr(net, "net_") and not hasattr(net, "graph_")


# Behavior


def scanned_digits(seed):
    """Digits of one scanner, labeled, and of another one."""
    X, y, d = load_digits_scanners()
    rng = np.random.default_rng(seed)
    kept = [rng.permutation(np.flatnonzero(side))[:300] for side in (d >= 0, d < 0)]
    return X[kept[0]], y[kept[0]], X[kept[1]], y[kept[1]]


def scores(method, **params):
    found = []
    for seed in range(2):
        X_source, y_source, X_target, y_target = scanned_digits(seed)
        X, y, d = stack_domains(X_source, y_source, X_target)
        net = method(random_state=seed, **params).fit(X, y, sample_domain=d)
        found.append(net.score(X_target, y_target))
    return np.mean(found)


@pytest.mark.slow
def test_neighbors_in_both_domains_lead_to_the_classes_of_the_target(monkeypatch):
    plain = scores(DeepSourceOnlyClassifier, max_epochs=30)
    joined = scores(GraphConvolutionClassifier, max_iter=100)
    assert joined > plain + 0.1
    # Without edges it is a perceptron on each row alone, with an input scale for each domain.
    empty = {
        "neighbor_graph": lambda X, n, k: neighbor_graph(X, n, k) * 0,
        "attached": lambda X, n, rows, k: attached(X, n, rows, k) * 0,
    }
    for name, function in empty.items():
        monkeypatch.setattr(f"skda.deep._graph_convolution.{name}", function)
    assert scores(GraphConvolutionClassifier, max_iter=100) < joined - 0.05
