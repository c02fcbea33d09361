"""How the estimators are put together, described and checked."""

import ast
import inspect
import re

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("skorch")

import skda.deep  # noqa: E402
from skda import DANClassifier, DANRegressor, DeepSourceOnlyClassifier, FineTuningClassifier  # noqa: E402
from skda.deep._base import BaseDeep  # noqa: E402

ESTIMATORS = [
    value
    for value in (getattr(skda.deep, name) for name in skda.deep.__all__)
    if issubclass(value, BaseDeep)
]
SMALL = {"module__hidden": 4, "max_epochs": 1, "random_state": 0}
FEW_SHOT = {"module__hidden": 4, "n_shot": 1, "n_query": 1, "n_episodes": 2, "random_state": 0}
# Those that do not train on passes through the domains, or on a module.
OWN_SMALL = {
    "PrototypicalNetworkClassifier": FEW_SHOT,
    "RelationNetworkClassifier": FEW_SHOT,
    "GraphConvolutionClassifier": {"hidden": 4, "max_iter": 2, "random_state": 0},
}


def small(estimator):
    """Return the parameters of a quick fit."""
    return OWN_SMALL.get(estimator.__name__, SMALL)


def rows(n=12, d=3):
    rng = np.random.default_rng(0)
    return rng.normal(size=(2 * n, d)), np.arange(2 * n) % 2, np.repeat([1, -2], n)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_an_estimator_has_at_most_six_classes_of_ours(estimator):
    own = [parent for parent in estimator.__mro__ if parent.__module__.startswith("skda")]
    assert len(own) <= 6


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_signature_names_every_parameter_in_the_source(estimator):
    source = inspect.getsource(next(c for c in estimator.__mro__ if "__init__" in vars(c)).__init__)
    written = set(re.findall(r"^ {8}(\w+): .* = .*,$", source.split("):")[0], flags=re.M))
    assert written == set(estimator._get_param_names())


def sections(estimator):
    """Parameters and attributes of the docstring: name to (type without default, words)."""
    found = {}
    for title in ("Parameters", "Attributes"):
        text = inspect.cleandoc(estimator.__doc__).split(f"{title}\n{'-' * len(title)}\n")[1]
        text = re.split(r"\n\n\w[\w ]*\n-+\n", text)[0]
        for entry in re.split(r"\n(?=\S)", text):
            head, _, words = entry.partition("\n")
            name, _, kind = head.partition(" : ")
            found[name] = re.sub(r", default=.*", "", kind), " ".join(words.split())
    return found


# Networks that need batch normalization or a head of that name say so; and what is trained on
# episodes or on a graph is trained in another way.
EPISODES = {"PrototypicalNetworkClassifier", "RelationNetworkClassifier"}
OTHER_TRAINING = EPISODES | {"GraphConvolutionClassifier"}
TOWERS = {"TwoTowerClassifier"}  # several networks, and a loss of pairs of views
OWN_WORDS = {
    "module": {"AdaBNClassifier", "AdaBNRegressor", "MCDClassifier"} | EPISODES | TOWERS,
    "batch_size": TOWERS,
    "temperature": TOWERS,
    "batch_norm": EPISODES,
    "target_module_": EPISODES,
    "classes_": EPISODES,
    "random_state": OTHER_TRAINING,
    "history_": OTHER_TRAINING,
    "n_iter_": OTHER_TRAINING,
    "alignment_weight": {"GraphConvolutionClassifier"} | TOWERS,
    "**net_params": OTHER_TRAINING | {"MultiTaskNetClassifier", "MultiTaskNetRegressor"},
    "n_neighbors": {"GraphConvolutionClassifier"},
}


def test_shared_parameters_and_attributes_are_described_alike():
    described = {}
    for estimator in ESTIMATORS:
        for name, words in sections(estimator).items():
            if estimator.__name__ not in OWN_WORDS.get(name, ()):
                described.setdefault(name, {}).setdefault(words, []).append(estimator.__name__)
    assert {name: found for name, found in described.items() if len(found) > 1} == {}
    assert len(described["lr"]) == 1 and len(described["net_"]) == 1


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_docstring_is_the_one_in_the_source(estimator):
    written = ast.get_docstring(ast.parse(inspect.getsource(estimator)).body[0])
    assert written == inspect.getdoc(estimator)


BAD = [
    ("lr", ["0.1", -1.0, np.nan, np.inf, True]),
    ("lr_schedule", ["step", None, 1.0]),
    ("max_epochs", [0, 1.5, "3", True]),
    ("min_steps", [-1, 1.5, None]),
    ("batch_size", [0, None]),
    ("patience", [0, "5"]),
    ("forgetting_factor", [0, 1.5, "1"]),
    ("batch_norm", [True, None, 0, "source"]),
    ("input_scaling", ["target", True, False]),
    ("precision", ["fp16", None, 16]),
    ("use_target_labels", ["yes", None]),
    ("prior_correction", ["weights", True, [0.5, -1.0]]),
    ("optimizer", ["adam", None, torch.nn.Linear]),
    ("early_stopping", ["both", 1, []]),
    ("validation_fraction", ["0.1", None, 0, 1, np.nan]),
    ("callbacks", ["x", [1], [("a", 2)], {"a": 1}]),
    ("warm_start", ["no", np.nan]),
    ("verbose", [-1, "yes"]),
    ("alignment_weight", [None, "bogus", -1, np.nan, np.inf]),
    ("alignment_schedule", [[], None, "linear"]),
    ("n_kernels", [0, 2.5]),
    ("gamma", [0, -1, "mean", np.nan, None]),
    ("estimate", ["quick", None, []]),
    ("discriminator_hidden", [0, -1, (0,), "8", 2.5]),
    ("bsp_weight", [-1, np.nan, None]),
    ("smoothing", [-1, np.nan, None]),
    ("n_neighbors", [0, 2.5, None]),
    ("dispersion_decay", [-1, np.nan, None]),
    ("entropy_weights", ["no", None]),
    ("n_random", [0, np.nan, 1.5]),
    ("critic_hidden", [0, (8, -1)]),
    ("n_critic", [0, None]),
    ("critic_lr", [-1, "fast"]),
    ("penalty", [-1, np.inf]),
    ("feature_cost", [-1, np.nan]),
    ("marginal_reg", [0, -1.0, np.inf]),
    ("temperature", [0, np.inf, None]),
    ("margin", [-1, np.nan, None]),
    ("classifier_hidden", [(0,), None]),
    ("step", [-1, np.nan, None]),
    ("radius", [-1, 0, np.inf]),
    ("pseudo_label_weight", [-1, np.nan, None]),
    ("adaptation_epochs", [-1, 1.5, None]),
    ("adaptation_lr", [-1, None, "0.1"]),
    ("adaptation_betas", [0.5, (0.5,), (0.5, 1.0), (-0.1, 0.9), "ab", (None, 0.9)]),
    ("freeze", [1.5, True, [1]]),
    ("unfreeze_every", [0, 2.5]),
    ("lr_decay", [0, 1.5, None]),
    ("l2_sp", [-1, np.nan]),
    ("n_way", [1, 2.5, "2"]),
    ("n_shot", [0, None, 1.5]),
    ("n_query", [0, None]),
    ("n_episodes", [0, "many"]),
    ("n_refinements", [-1, None, 1.5]),
    ("mix_classes", ["no", None]),
    ("relation_hidden", [0, (8, -1), None]),
    ("propagation", ["gat", None]),
    ("n_neighbors", [0, None, 2.5]),
    ("hidden", [0, (8, -1), None]),
    ("dropout", [-0.1, 1.0, None]),
    ("n_steps", [0, 1.5]),
    ("teleport", [-0.1, 1.5, None]),
    ("alignment", ["coral", True, []]),
    ("max_iter", [0, None, 1.5]),
    ("task_weighting", ["noise", None]),
    ("n_components", [0, 2.5, "8"]),
    ("view_dropout", [-0.1, 1.0, None]),
]
NOT_HERE = {
    "module",
    "source_model",
    "device",
    "random_state",
    "views",
}  # checked where they are used


def test_every_parameter_has_bad_values_here():
    names = {name for estimator in ESTIMATORS for name in estimator._get_param_names()}
    assert names - NOT_HERE == {name for name, _ in BAD}


@pytest.mark.parametrize("name, values", BAD, ids=[name for name, _ in BAD])
def test_a_bad_parameter_is_named_before_anything_is_trained(name, values):
    X, y, d = rows()
    takers = [e for e in ESTIMATORS if name in e._get_param_names()]
    for estimator in takers:
        for value in values:
            net = estimator(**small(estimator) | {name: value})
            with pytest.raises(ValueError, match=f"^{name} must be .*; got "):
                net.fit(X, y, sample_domain=d)
            assert not hasattr(net, "net_")


@pytest.mark.parametrize("hidden", [-1, 0, (0,), (8, 2.5), "8", True])
def test_bad_widths_of_the_default_network_are_named(hidden):
    X, y, d = rows()
    with pytest.raises(ValueError, match=r"hidden must be an integer .* module__hidden=\(64, 32\)"):
        DANClassifier(module__hidden=hidden).fit(X, y, sample_domain=d)


def test_widths_may_be_an_array():
    X, y, d = rows()
    net = DANClassifier(module__hidden=np.array([5, 4]), max_epochs=1).fit(X, y, sample_domain=d)
    assert net.transform(X).shape == (len(X), 4)


def test_a_module_that_is_none_is_named():
    X, y, d = rows()
    with pytest.raises(ValueError, match=r"module must be one of .*, a class of torch\.nn"):
        DANClassifier("MLP").fit(X, y, sample_domain=d)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_going_on_with_other_columns_is_refused_and_changes_nothing(method):
    X, y, d = rows()
    net = DANClassifier(warm_start=True, **SMALL).fit(X, y, sample_domain=d)
    before = net.predict_proba(X)
    with pytest.raises(ValueError, match=r"X has 2 features, but .* warm_start=False"):
        getattr(net, method)(X[:, :2], y, sample_domain=d)
    np.testing.assert_array_equal(net.predict_proba(X), before)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_default_dtype_of_torch_changes_no_fit(estimator):
    X, y, d = rows()
    y = X[:, 0] if estimator.__name__.endswith("Regressor") else y
    wanted = estimator(**small(estimator)).fit(X, y, sample_domain=d).transform(X)
    torch.set_default_dtype(torch.float64)
    try:
        found = estimator(**small(estimator)).fit(X, y, sample_domain=d).transform(X)
    finally:
        torch.set_default_dtype(torch.float32)
    assert found.dtype == wanted.dtype
    assert np.isfinite(found).all()


def test_partial_fit_is_there_for_methods_of_one_stage():
    assert hasattr(DANClassifier(), "partial_fit") and hasattr(DANRegressor(), "partial_fit")
    assert hasattr(DeepSourceOnlyClassifier(), "partial_fit")
    assert not hasattr(FineTuningClassifier(), "partial_fit")
    with pytest.raises(AttributeError, match="has no attribute 'partial_fit'"):
        FineTuningClassifier().partial_fit(*rows()[:2])


def test_target_rows_that_come_late_are_refused_and_change_nothing():
    X, y, d = rows()
    net = DANClassifier(warm_start=True, **SMALL)
    with pytest.warns(skda.DomainWarning):
        net.fit(X, y)
    before = net.predict_proba(X)
    with pytest.raises(ValueError, match="cannot align target rows now"):
        net.fit(X, y, sample_domain=d)
    np.testing.assert_array_equal(net.predict_proba(X), before)
