"""Trees refined on the target: the array form, the three algorithms by hand, and their shifts."""

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.distance import jensenshannon
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier

from skda import (
    DomainWarning,
    ForestTransferClassifier,
    ForestTransferRegressor,
    TreeTransferClassifier,
)
from skda.model_based import _forest_transfer
from skda.model_based._base_tree_arrays import TreeArrays
from skda.model_based._base_tree_refinement import (
    class_differences,
    jensen_shannon,
    local_maxima,
    possible_cuts,
)
from tests.model_based.few_labels import FewLabels, few


def other_unit(seed, values=False):
    """The target's features are measured in another unit."""
    rng = np.random.default_rng(seed)
    X, d = rng.uniform(size=(700, 3)), np.repeat([1, -2], 350)
    y = (X[:, :2] > 0.5).all(axis=1).astype(int)
    if values:
        y = 3.0 * y + X[:, 0] + 0.05 * rng.normal(size=700)
    X[d < 0] = 0.5 * X[d < 0] + 0.4
    return X, y, d


class TestTreeTransferClassifier(FewLabels):
    estimator = TreeTransferClassifier(method="strut", random_state=0)
    model = DecisionTreeClassifier(max_depth=5, random_state=0)
    gain = 0.15
    bad_params = {
        "method": ["mix", "SER", None],
        "source_weight": [-1, "much"],
        "protected_classes": ["rare", [0, 5]],
    }

    def shift(self, seed):
        return other_unit(seed)

    def disabled(self, monkeypatch):
        monkeypatch.setattr(TreeTransferClassifier, "_adapt", lambda self, X, y: None)
        return self.estimator


class TestForestTransferClassifier(TestTreeTransferClassifier):
    estimator = ForestTransferClassifier(
        RandomForestClassifier(15, random_state=0), bootstrap=True, random_state=0
    )
    model = RandomForestClassifier(15, random_state=0)
    bad_params = {
        "method": ["SER", None],
        "source_weight": [-1, "much"],
        "protected_classes": ["rare"],
        "bootstrap": ["no", 1],
    }

    def disabled(self, monkeypatch):
        monkeypatch.setattr(ForestTransferClassifier, "_adapt", lambda self, X, y: None)
        return self.estimator


class TestForestTransferRegressor(FewLabels):
    estimator = ForestTransferRegressor(
        RandomForestRegressor(15, random_state=0), bootstrap=True, random_state=0
    )
    model = RandomForestRegressor(15, random_state=0)
    gain = 0.5
    bad_params = {"method": ["SER", None], "source_weight": [-1, "much"], "bootstrap": ["no", 1]}

    def shift(self, seed):
        return other_unit(seed, values=True)

    def disabled(self, monkeypatch):
        monkeypatch.setattr(ForestTransferRegressor, "_adapt", lambda self, X, y: None)
        return self.estimator


@pytest.mark.parametrize("method", ["mix", "ser", "strut", "relabel"])
@pytest.mark.parametrize("values", [False, True])
def test_each_method_gains_on_another_unit(method, values):
    gains = []
    for seed in range(3):
        X, y, d = other_unit(seed, values)
        cls = ForestTransferRegressor if values else ForestTransferClassifier
        forest = RandomForestRegressor if values else RandomForestClassifier
        model = cls(forest(10, random_state=0), method=method)
        model.fit(X, few(y, d, 40), sample_domain=d)
        rest = np.flatnonzero(d < 0)[40:]
        alone = model.source_estimator_.score(X[rest], y[rest])
        gains.append(model.score(X[rest], y[rest]) - alone)
    assert np.mean(gains) > 0.1, gains


# The array form


def with_missing(X, seed=0):
    X = X.copy()
    X[np.random.default_rng(seed).random(X.shape) < 0.1] = np.nan
    return X


@pytest.mark.parametrize(
    "tree",
    [
        DecisionTreeClassifier(random_state=0),
        DecisionTreeClassifier(max_depth=2, class_weight={0: 5.0}),
        ExtraTreeClassifier(random_state=0),
        DecisionTreeRegressor(max_leaf_nodes=20, random_state=0),
        DecisionTreeRegressor(max_depth=1, criterion="absolute_error"),
    ],
)
@pytest.mark.parametrize("missing", [False, True])
def test_arrays_predict_as_scikit_learn_does(tree, missing):
    X, y = load_iris(return_X_y=True)
    X = X + 1e-9 * np.arange(150)[:, None]  # float32 takes some for equal
    if missing:
        if isinstance(tree, ExtraTreeClassifier):
            pytest.skip("its support for missing values is not the same in all versions")
        X = with_missing(X)
    tree = clone(tree)
    if tree.get_params().get("criterion") == "absolute_error" and missing:
        tree.set_params(criterion="squared_error")
    tree.fit(X, y)
    arrays = TreeArrays.from_tree(tree)
    new = np.vstack([X, X[::-1] + 1e-7])
    np.testing.assert_array_equal(arrays.apply(new.astype(np.float32)), tree.apply(new))
    wanted = tree.predict_proba(new) if hasattr(tree, "predict_proba") else tree.predict(new)
    found = arrays.predict(new.astype(np.float32))
    np.testing.assert_allclose(found.reshape(wanted.shape), wanted, rtol=1e-12)


@pytest.mark.parametrize(
    ("cls", "source", "values"),
    [
        (TreeTransferClassifier, DecisionTreeClassifier(random_state=0), False),
        (ForestTransferClassifier, RandomForestClassifier(7, random_state=0), False),
        (ForestTransferRegressor, ExtraTreesRegressor(7, random_state=0), True),
    ],
)
def test_without_target_labels_the_source_model_is_used_with_a_warning(cls, source, values):
    X, y, d = other_unit(0, values)
    pipe = make_pipeline(StandardScaler(), source)
    with pytest.warns(DomainWarning, match="no label on 350 target rows"):
        model = cls(pipe).fit(X, few(y, d, 0), sample_domain=d)
    plain = clone(pipe).fit(X[d > 0], y[d > 0])
    method = "predict" if values else "predict_proba"
    np.testing.assert_allclose(getattr(model, method)(X), getattr(plain, method)(X), rtol=1e-9)
    given = cls(FrozenEstimator(plain), method="relabel").fit(X[d < 0][:9], y[d < 0][:9])
    learnt = cls(pipe, method="relabel").fit(X, few(y, d, 9), sample_domain=d)
    np.testing.assert_allclose(given.predict(X), learnt.predict(X))


def test_sparse_rows_give_the_same_trees():
    X, y, d = other_unit(0)
    source = DecisionTreeClassifier(random_state=0)
    for method in ("ser", "strut", "relabel"):
        model = TreeTransferClassifier(source, method=method)
        dense = model.fit(X, few(y, d, 30), sample_domain=d).predict_proba(X)
        rows = sparse.csr_array(X)
        found = model.fit(rows, few(y, d, 30), sample_domain=d).predict_proba(rows)
        np.testing.assert_allclose(found, dense)


@pytest.mark.parametrize(
    ("cls", "source"),
    [
        (TreeTransferClassifier, LogisticRegression()),
        (TreeTransferClassifier, RandomForestClassifier(2)),
        (ForestTransferClassifier, DecisionTreeClassifier()),
        (ForestTransferClassifier, BaggingClassifier(n_estimators=2, max_features=0.5)),
        (ForestTransferRegressor, GradientBoostingRegressor(n_estimators=2)),
    ],
)
def test_other_source_models_are_refused(cls, source):
    X, y, d = other_unit(0)
    with pytest.raises(ValueError, match="source_estimator must be a "):
        cls(source).fit(X, y, sample_domain=d)


# Relabeling


@pytest.mark.parametrize("weight", [0.0, 2.0])
def test_relabeled_leaves_hold_the_mean_of_their_target_rows(weight):
    X, y, d = other_unit(1)
    Xt, yt = X[d < 0][:40], y[d < 0][:40]
    tree = DecisionTreeClassifier(max_depth=4, random_state=0).fit(X[d > 0], y[d > 0])
    model = TreeTransferClassifier(tree, method="relabel", source_weight=weight).fit(Xt, yt)
    leaves, before, found = tree.apply(Xt), tree.predict_proba(X), model.predict_proba(X)
    for row, leaf in enumerate(tree.apply(X)):
        here = yt[leaves == leaf]
        if not len(here):
            wanted = before[row, 1]
        else:
            wanted = (here.sum() + weight * before[row, 1]) / (len(here) + weight)
        assert found[row, 1] == pytest.approx(wanted)


def test_a_class_that_only_the_target_has_gets_a_column():
    X, y = load_iris(return_X_y=True)
    source = DecisionTreeClassifier(random_state=0).fit(X[y < 2], y[y < 2])
    for method in ("ser", "strut", "relabel"):
        model = TreeTransferClassifier(source, method=method, source_weight=0.0)
        model.fit(X[::2], y[::2])
        assert model.classes_.tolist() == [0, 1, 2]
        np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0)
        assert model.predict_proba(X[1::2])[:, 2].max() > 0.4


# Expansion and reduction


def refined_by_hand(tree, X, y, n_classes, node=0):
    """SER of one node in dicts, without the source's proportions: predictions as a function."""
    inner = tree.tree_
    counts = np.bincount(y, minlength=n_classes)
    if not len(y):
        if inner.children_left[node] < 0:
            return 0, lambda x: inner.value[node, 0].argmax()
        parts = [(X, y), (X, y)]
    elif inner.children_left[node] < 0:
        grown = clone(tree).fit(X, y)
        return 0, lambda x: int(grown.predict([x])[0])
    else:
        left = X[:, inner.feature[node]] <= inner.threshold[node]
        parts = [(X[left], y[left]), (X[~left], y[~left])]
    children = inner.children_left[node], inner.children_right[node]
    found = [
        refined_by_hand(tree, *part, n_classes, child)
        for part, child in zip(parts, children, strict=True)
    ]
    error = sum(e for e, _ in found)
    if len(y) and len(y) - counts.max() <= error:
        return len(y) - counts.max(), lambda x: counts.argmax()

    def predict(x):
        side = x[inner.feature[node]] > inner.threshold[node]
        return found[int(side)][1](x)

    return error, predict


@pytest.mark.parametrize("depth", [1, 3, 6])
def test_expansion_and_reduction_by_hand(depth):
    X, y = load_iris(return_X_y=True)
    X = X.astype(np.float32).astype(np.float64)
    rng = np.random.default_rng(depth)
    source = DecisionTreeClassifier(max_depth=depth, random_state=0).fit(X[::2], y[::2])
    shifted = X + 0.4 * rng.normal(size=X.shape).astype(np.float32)
    shifted = shifted.astype(np.float32).astype(np.float64)
    rows = rng.permutation(150)[:25]
    model = TreeTransferClassifier(source, method="ser", source_weight=0.0)
    model.fit(shifted[rows], y[rows])
    _, wanted = refined_by_hand(source, shifted[rows], y[rows], 3)
    found = model.predict(shifted)
    assert found.tolist() == [wanted(x) for x in shifted]
    assert (found != source.predict(shifted)).any()


def test_subtrees_on_rows_of_one_class_become_a_leaf():
    X, y, d = other_unit(0)
    source = DecisionTreeClassifier(random_state=0).fit(X[d > 0], y[d > 0])
    model = TreeTransferClassifier(source, source_weight=0.0).fit(X[:6], np.ones(6, dtype=int))
    assert (model.predict_proba(X)[:, 1] == 1.0).all()


# Structure transfer


def test_divergence_is_that_of_scipy():
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(3), size=8), np.array([0.5, 0.0, 0.5])
    p[0] = [0.0, 1.0, 0.0]
    wanted = [jensenshannon(row, q, base=2) ** 2 for row in p]
    np.testing.assert_allclose(jensen_shannon(p, q), wanted, atol=1e-12)
    found = class_differences(0.25 * np.ones(8), p, p, q, p[1])
    np.testing.assert_allclose(found, 0.25 * np.array(wanted) + 0.75 * jensen_shannon(p, p[1]))


def test_cuts_by_brute_force():
    rng = np.random.default_rng(0)
    x, wanted = rng.integers(0, 6, 30).astype(np.float32), np.eye(3)[rng.integers(0, 3, 30)]
    thresholds, n_below, below, above = possible_cuts(x, wanted)
    np.testing.assert_array_equal(thresholds, np.arange(5) + 0.5)
    for i, threshold in enumerate(thresholds):
        left = x <= threshold
        assert n_below[i] == left.sum()
        np.testing.assert_allclose(below[i], wanted[left].mean(axis=0))
        np.testing.assert_allclose(above[i], wanted[~left].mean(axis=0))
    assert not len(possible_cuts(np.ones(4), wanted[:4])[0])
    assert local_maxima(np.array([1.0, 3.0, 2.0, 2.0, 0.0, 5.0])).tolist() == [1, 3, 5]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_threshold_moves_with_the_unit_and_turns_with_the_sign(sign):
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(200, 1))
    y = (x[:, 0] > 0.5).astype(int)
    source = DecisionTreeClassifier().fit(x, y)
    model = TreeTransferClassifier(source, method="strut").fit(sign * 10 * x[:40], y[:40])
    assert model.trees_[0].threshold[0] == pytest.approx(sign * 5.0, abs=0.3)
    assert model.score(sign * 10 * x, y) > 0.97
    assert len(model.trees_[0].left) == 3


def test_a_branch_without_target_rows_is_cut():
    X, y, d = other_unit(0)
    source = DecisionTreeClassifier(random_state=0).fit(X[d > 0], y[d > 0])
    same = np.tile(X[:1], (6, 1))  # no threshold separates them
    labels = np.array([0, 1, 1, 1, 1, 1])
    model = TreeTransferClassifier(source, method="strut", source_weight=0.0).fit(same, labels)
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], 5 / 6)


# Options


@pytest.mark.parametrize("method", ["ser", "strut", "relabel"])
def test_protected_classes_keep_their_leaves(method):
    X, y = load_iris(return_X_y=True)
    source = DecisionTreeClassifier(random_state=0).fit(X, y)
    rows = np.flatnonzero(y < 2)[::5]  # no example of class 2
    plain = TreeTransferClassifier(source, method=method).fit(X[rows], y[rows])
    kept = TreeTransferClassifier(source, method=method, protected_classes=[2])
    kept.fit(X[rows], y[rows])
    of_two = y == 2
    assert (kept.predict(X[of_two]) == 2).mean() >= (plain.predict(X[of_two]) == 2).mean()
    assert (kept.predict(X[of_two]) == 2).mean() > 0.8


def test_mix_has_the_trees_of_both():
    X, y, d = other_unit(0)
    hidden = few(y, d, 40)
    forest = RandomForestClassifier(5, random_state=0)

    def fitted(method):
        model = ForestTransferClassifier(forest, method=method)
        return model.fit(X, hidden, sample_domain=d)

    wanted = (fitted("ser").predict_proba(X) + fitted("strut").predict_proba(X)) / 2
    np.testing.assert_allclose(fitted("mix").predict_proba(X), wanted)
    assert len(fitted("mix").trees_) == 10


def test_missing_values_pass_where_the_source_tree_takes_them():
    X, y, d = other_unit(0)
    X = with_missing(X)
    for method in ("ser", "strut", "relabel"):
        model = TreeTransferClassifier(DecisionTreeClassifier(random_state=0), method=method)
        model.fit(X, few(y, d, 60), sample_domain=d)
        assert model.score(X[d < 0], y[d < 0]) > 0.6


def test_trees_of_the_default_forest_of_many_rows_are_drawn_from_some(monkeypatch):
    rng = np.random.default_rng(0)
    X, ids = rng.uniform(size=(90, 2)), np.repeat([1, -2], [60, 30])
    y = X[:, 0] + X[:, 1]
    limits = {}
    for most in (60, 59, 20):
        monkeypatch.setattr(_forest_transfer, "_MOST_ROWS_OF_A_TREE", most)
        model = ForestTransferRegressor(random_state=0).fit(X, y, sample_domain=ids)
        limits[most] = model.source_estimator_.max_samples
    assert limits == {60: None, 59: 59, 20: 20}
    given = ForestTransferRegressor(RandomForestRegressor(5, random_state=0))
    given.fit(X, y, sample_domain=ids)
    assert given.source_estimator_.max_samples is None
