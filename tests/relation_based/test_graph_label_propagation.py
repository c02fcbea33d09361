"""Label propagation: against scikit-learn and the dense inverse, and on turned moons."""

import sys
import types

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import NearestNeighbors
from sklearn.semi_supervised import LabelSpreading

from skda import (
    DomainScaler,
    DomainWarning,
    GraphLabelPropagationClassifier,
    make_domain_pipeline,
    stack_domains,
)
from skda._numerics._graph import normalized_affinity
from skda.relation_based._graph_label_propagation import (
    class_distributions,
    class_proportions,
    label_matrix,
)
from skda.relation_based._neighbors import find_search
from tests.model_based.few_labels import FewLabels, few


def turned_moons(seed, n=200, degrees=37):
    """Two moons, turned in the target."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    X_source, y_source = make_moons(n, noise=0.05, random_state=2 * seed)
    X_target, y_target = make_moons(n, noise=0.05, random_state=2 * seed + 1)
    return stack_domains(X_source, y_source, X_target @ turn, y_target)


@pytest.mark.filterwarnings("ignore:No label can reach")
class TestGraphLabelPropagationClassifier(FewLabels):
    estimator = GraphLabelPropagationClassifier(10, alpha=0.95)
    bad_params = {
        "n_neighbors": [0, 2.5, "all"],
        "alpha": [0.0, 1.0, -0.1, None, "high"],
        "metric": ["manhattan", None],
        "target_share": [0.0, 1.0, "half"],
        "target_priors": [[0.5, 0.6], [1.0], [-0.5, 1.5], {0: 1.0}, "equal", [np.nan, 1.0]],
        "neighbors": ["fast", None],
        "tol": [0.0, -1.0],
        "max_iter": [0, 1.5],
    }
    n_labeled = 6

    def shift(self, seed):
        return turned_moons(seed)

    def disabled(self, monkeypatch):
        # Labels stay where they are; new rows get those of their neighbors.
        module = "skda.relation_based._graph_label_propagation"
        monkeypatch.setattr(f"{module}.propagate_labels", lambda W, Y, **_: (Y, 1))
        return self.estimator


def fitted(few_labels=6, **params):
    X, y, d = turned_moons(0)
    return GraphLabelPropagationClassifier(**params).fit(X, few(y, d, few_labels), sample_domain=d)


# Reference


def test_on_one_domain_it_is_label_spreading_of_scikit_learn():
    X, y = make_moons(150, noise=0.1, random_state=0)
    X, labels, d = stack_domains(X[:40], y[:40], X[40:])
    model = GraphLabelPropagationClassifier(7, alpha=0.9, tol=1e-12).fit(X, labels, sample_domain=d)
    W = model.graph_.toarray()
    spreading = LabelSpreading(kernel=lambda *_: W, alpha=0.9, max_iter=100_000, tol=1e-12)
    spreading.fit(X, np.where(d >= 0, y, -1))
    np.testing.assert_allclose(
        model.label_distributions_, spreading.label_distributions_, atol=1e-8
    )
    np.testing.assert_array_equal(model.transduction_, spreading.transduction_)


@pytest.mark.parametrize("alpha", [0.1, 0.8, 0.99])
def test_the_labels_are_those_of_the_dense_inverse(alpha):
    _, y, d = turned_moons(0)
    model = fitted(alpha=alpha, tol=1e-12, target_share=0.4)
    hidden = few(y, d, 6)
    codes = np.where(np.isnan(hidden), -1, hidden).astype(int)
    W = model.graph_.toarray()
    root = np.diag(W.sum(axis=1) ** -0.5)
    Y = label_matrix(codes, d < 0, 2, 0.4)
    F = (1 - alpha) * np.linalg.inv(np.eye(len(W)) - alpha * root @ W @ root) @ Y
    wanted = F / F.sum(axis=1, keepdims=True)
    # Rows that little has reached have four digits or more, the others as many as the solver.
    np.testing.assert_allclose(model.label_distributions_, wanted, atol=1e-5)


def test_the_weights_are_those_of_brute_force():
    X, _, _ = turned_moons(0, n=40)
    k = 4
    distances = np.linalg.norm(X[:, None] - X, axis=2)
    order = np.argsort(distances, axis=1)[:, 1 : k + 1]
    scales = distances[np.arange(80), order[:, -1]]
    near = np.zeros((80, 80), dtype=bool)
    near[np.arange(80)[:, None], order] = True
    weights = np.exp(-np.minimum(distances**2 / np.outer(scales, scales), 10))
    X, y, d = turned_moons(0, n=40)
    model = GraphLabelPropagationClassifier(k).fit(X, few(y, d, 6), sample_domain=d)
    np.testing.assert_allclose(model.graph_.toarray(), np.where(near | near.T, weights, 0.0))


def test_a_new_row_gets_the_weighted_mean_over_its_neighbors():
    X, _, _ = turned_moons(0)
    model = fitted(n_neighbors=5)
    new = np.array([0.3, 0.4])
    distances = np.linalg.norm(X - new, axis=1)
    near = np.argsort(distances)[:5]
    weights = np.exp(-(distances[near] ** 2) / (distances[near[-1]] * model.scales_[near]))
    wanted = weights @ model.label_distributions_[near] / weights.sum()
    np.testing.assert_allclose(model.predict_proba([new])[0], wanted)


# Mathematics


def test_the_normalized_graph_has_eigenvalues_up_to_one():
    values = np.linalg.eigvalsh(normalized_affinity(fitted().graph_).toarray())
    assert values.max() == pytest.approx(1.0)
    assert values.min() > -1.0 - 1e-12


def test_class_mass_normalization_gives_the_classes_their_mass():
    rng = np.random.default_rng(0)
    F = rng.random(size=(50, 3)) * [1.0, 5.0, 0.1]
    priors = np.array([0.2, 0.3, 0.5])
    P = F / F.sum(axis=1, keepdims=True)
    scaled = P * priors / P[10:].sum(axis=0)
    np.testing.assert_allclose(scaled[10:].sum(axis=0), priors)
    found = class_distributions(F, priors, np.arange(10, 50))
    np.testing.assert_allclose(found, scaled / scaled.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(class_distributions(F), P)


def test_a_row_that_only_a_class_of_prior_zero_reached_keeps_it():
    F = np.array([[1.0, 0.0], [0.0, 1.0]])
    found = class_distributions(F, np.array([1.0, 0.0]), np.array([0, 1]))
    np.testing.assert_array_equal(found, F)


def test_labels_of_the_target_have_their_share_of_all_weight():
    codes = np.r_[np.zeros(90, dtype=int), np.ones(10, dtype=int), [0, 1, -1, -1]]
    is_target = np.arange(104) >= 100
    Y = label_matrix(codes, is_target, 2, 0.2)
    assert Y[is_target].sum() / Y.sum() == pytest.approx(0.2)
    assert label_matrix(codes, is_target, 2)[is_target].sum() == 2.0
    assert Y[102:].sum() == 0.0


def test_a_class_that_the_source_lacks_has_the_proportion_of_its_labels():
    codes = np.array([0, 0, 0, 1, 2, 0, 2, 2, -1])
    found = class_proportions(codes, np.arange(9) >= 4, 3)
    np.testing.assert_allclose(found, [0.75 * 0.25, 0.25 * 0.25, 0.75])


# Behavior


def test_one_label_per_class_names_whole_clusters():
    rng = np.random.default_rng(0)
    centers = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]])
    y = np.arange(150) % 3
    X_source = centers[y][y < 2] + rng.normal(size=((y < 2).sum(), 2))
    X_target = centers[y] + rng.normal(size=(150, 2))
    labels = np.full(150, -1)
    labels[:3] = y[:3]  # also of a class that the source lacks
    X, seen, d = stack_domains(X_source, y[y < 2], X_target, labels)
    model = GraphLabelPropagationClassifier().fit(X, seen, sample_domain=d)
    assert model.classes_.tolist() == [0, 1, 2]
    assert (model.transduction_[d < 0] == y).mean() > 0.95
    assert model.score(X_target + 0.1, y) > 0.95


def test_priors_move_the_border():
    X, y, d = turned_moons(0, degrees=0)
    said = []
    for priors in ({0: 0.1, 1: 0.9}, "source", [0.9, 0.1]):
        model = GraphLabelPropagationClassifier(n_neighbors=40, alpha=0.95, target_priors=priors)
        model.fit(X, few(y, d, 0), sample_domain=d)
        said.append(model.label_distributions_[d < 0].mean(axis=0)[0])
    assert said[0] < said[1] < said[2]
    np.testing.assert_allclose(model.target_priors_, [0.9, 0.1])


@pytest.mark.usefixtures("routing")
def test_a_map_in_front_joins_the_domains():
    X, y, d = turned_moons(0, degrees=0)
    X = X + np.where(d < 0, 5.0, 0.0)[:, None]
    hidden, target = few(y, d, 0), d < 0
    with pytest.warns(DomainWarning, match="No label can reach 200 rows"):
        alone = GraphLabelPropagationClassifier().fit(X, hidden, sample_domain=d)
    pipe = make_domain_pipeline(DomainScaler(), GraphLabelPropagationClassifier())
    pipe.fit(X, hidden, sample_domain=d)
    assert alone.score(X[target], y[target]) < 0.6
    assert pipe.score(X[target], y[target]) > 0.95


def test_sparse_rows_give_the_same():
    X, y, d = turned_moons(0)
    hidden = few(y, d, 6)
    for metric in ("euclidean", "cosine"):
        model = GraphLabelPropagationClassifier(metric=metric)
        dense = model.fit(X, hidden, sample_domain=d).predict_proba(X)
        rows = sparse.csr_array(X)
        found = model.fit(rows, hidden, sample_domain=d).predict_proba(rows)
        np.testing.assert_allclose(found, dense, atol=1e-7)


def test_the_cosine_does_not_see_lengths():
    X, y, d = turned_moons(0)
    hidden = few(y, d, 6)
    lengths = np.random.default_rng(0).uniform(0.5, 2.0, size=(len(X), 1))
    model = GraphLabelPropagationClassifier(metric="cosine")
    wanted = model.fit(X, hidden, sample_domain=d).label_distributions_
    found = model.fit(X * lengths, hidden, sample_domain=d).label_distributions_
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_duplicates_and_far_rows_are_labeled():
    X = np.r_[np.zeros((20, 2)), np.full((20, 2), 3.0), [[1e6, 0.0]], np.full((5, 2), 0.1)]
    y = np.repeat([0, 1, 0], [20, 20, 1])
    d = np.repeat([1, -2], [40, 6])
    labels = np.r_[y[:40], np.full(6, -1)]
    model = GraphLabelPropagationClassifier(5).fit(X, labels, sample_domain=d)
    assert np.isfinite(model.label_distributions_).all()
    assert (model.transduction_[41:] == 0).all()
    assert np.isfinite(model.predict_proba([[1e12, 0.0], [0.0, 0.0]])).all()


# Approximate neighbors


class FakeDescent:
    """What is used of pynndescent, which takes minutes to compile, with exact neighbors."""

    def __init__(self, X, *, n_neighbors, random_state):
        self.search = NearestNeighbors(n_neighbors=n_neighbors).fit(X)
        distances, indices = self.search.kneighbors(X)
        indices[1, -1], distances[1, -1] = -1, 0.0  # a place that was not filled
        self.neighbor_graph = indices, distances.astype(np.float32)

    def query(self, X, *, k):
        distances, indices = self.search.kneighbors(X, n_neighbors=k)
        return indices, distances


@pytest.fixture
def fake_pynndescent(monkeypatch):
    module = types.ModuleType("pynndescent")
    module.NNDescent = FakeDescent
    monkeypatch.setitem(sys.modules, "pynndescent", module)


@pytest.mark.usefixtures("fake_pynndescent")
def test_approximate_neighbors_that_are_exact_give_the_same():
    X, _, _ = turned_moons(0)
    exact, near = (fitted(neighbors=how, random_state=0) for how in ("exact", "approximate"))
    np.testing.assert_allclose(near.graph_.toarray(), exact.graph_.toarray(), atol=1e-5)
    np.testing.assert_allclose(near.predict_proba(X), exact.predict_proba(X), atol=1e-3)


@pytest.mark.usefixtures("fake_pynndescent")
def test_auto_is_approximate_for_many_rows():
    assert find_search("auto", 1000) == "exact"
    assert find_search("auto", 100_000) == "approximate"


def test_without_pynndescent_auto_is_exact_and_approximate_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynndescent", None)
    monkeypatch.setattr("skda.relation_based._neighbors._LARGE", 10)
    np.testing.assert_array_equal(
        fitted(neighbors="auto").label_distributions_, fitted().label_distributions_
    )
    with pytest.raises(ImportError, match=r"pip install 'skda\[neighbors\]'"):
        fitted(neighbors="approximate")


# Bad input and limits


def test_too_few_steps_give_a_warning():
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        model = fitted(max_iter=2)
    assert model.n_iter_ == 2


def test_memory_grows_with_the_rows_and_not_with_their_square():
    graph = fitted().graph_
    assert sparse.issparse(graph)
    assert graph.nnz <= 2 * 10 * graph.shape[0]
