"""Networks for tables: what comes in, what the layers compute, and forms of `module`."""

import json
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

torch = pytest.importorskip("torch")
pytest.importorskip("skorch")
pd = pytest.importorskip("pandas")

from torch import nn  # noqa: E402

from benchmarks import backbones, report  # noqa: E402
from skda import (  # noqa: E402
    AdaBNClassifier,
    DANClassifier,
    DANRegressor,
    DeepSourceOnlyClassifier,
    DeepSourceOnlyRegressor,
    MCDClassifier,
    SHOTClassifier,
)
from skda.deep import MLP, RealMLP, ResNet  # noqa: E402
from skda.deep._columns import categorical_columns, encoded, learn_categories  # noqa: E402
from skda.deep._embeddings import (  # noqa: E402
    Categories,
    PiecewiseNumbers,
    RobustScaler,
    TableInput,
    column_quantiles,
)
from skda.deep._tabular import WidthFreeLinear  # noqa: E402
from tests.checks import EXPECTED_FAILURES  # noqa: E402
from tests.deep.test_net import AnswersAsked  # noqa: E402

SMALL = {"max_epochs": 2, "random_state": 0}
TABULAR = {
    "realmlp": {"module": "realmlp", "module__hidden": (8, 8)},
    "resnet": {"module": "resnet", "module__width": 8, "module__n_blocks": 1},
}


@pytest.fixture(params=list(TABULAR))
def tabular(request):
    return SMALL | TABULAR[request.param]


@pytest.fixture
def frame():
    """A data frame with text, categories, booleans and missing values; labels; domains."""
    rng = np.random.default_rng(0)
    n = 90
    X = pd.DataFrame(
        {
            "number": rng.normal(size=n),
            "text": rng.choice(["x", "y", "z"], n),
            "many": rng.choice([f"v{i:02}" for i in range(12)], n),
            "flag": rng.random(n) < 0.5,
        }
    )
    y = ((X["number"] > 0) | (X["text"] == "x")).to_numpy().astype(int)
    X["many"] = X["many"].astype("category")
    X.loc[::7, "number"] = np.nan
    X.loc[::5, "text"] = None
    X.loc[::9, "many"] = None
    return X, y, np.where(np.arange(n) < 60, 1, -2)


def same(a, b, X):
    np.testing.assert_array_equal(a.predict_proba(X), b.predict_proba(X))


# Which columns, which codes


def test_categorical_columns_are_those_of_text_and_categories():
    X = pd.DataFrame({"a": [1.0, 2.0], "b": ["u", "v"], "c": [True, False], "d": [1, 2]})
    X["e"] = X["d"].astype("category")
    X["f"] = pd.Series([1.5, None], dtype=object)
    X["g"] = pd.Series(["t", 3], dtype=object)
    assert categorical_columns(X, "from_dtype") == [1, 4, 6]
    assert categorical_columns(X.to_numpy(), "from_dtype") == []
    assert categorical_columns(X, None) == []
    assert categorical_columns(X, ["d", "a"]) == [0, 3]
    assert categorical_columns(X, np.array([2, 1, 2])) == [1, 2]
    assert categorical_columns(X, [True] + [False] * 6) == [0]


@pytest.mark.parametrize(
    "chosen, words",
    [
        ("dtype", "must be 'from_dtype', None, or an array"),
        ([7], "has the position 7, but X has 2 columns"),
        ([-1], "has the position -1"),
        (["c"], "names the column 'c'"),
        ([True], "one entry per column; got 1 for 2"),
        ([0.5], "must be 'from_dtype', None, or an array"),
        ([[0]], "must be 'from_dtype', None, or an array"),
    ],
)
def test_a_bad_choice_of_columns_is_named(chosen, words):
    X = pd.DataFrame({"a": [1.0, 2.0], "b": ["u", "v"]})
    net = DeepSourceOnlyClassifier(**SMALL, module="realmlp", module__categorical_features=chosen)
    with pytest.raises(ValueError, match=words):
        net.fit(X, [0, 1], sample_domain=[1, 1])


def test_codes_are_positions_among_the_sorted_categories_of_the_rows_learned_from():
    X = np.array([[3.0, 9.0], [1.0, 8.0], [np.nan, 7.0], [2.0, 6.0]])
    categories = learn_categories(X, [0], np.array([0, 1, 2]))
    assert categories == [[0, [1.0, 3.0]]]
    expected = np.array([[1.0, 9.0], [0.0, 8.0], [np.nan, 7.0], [np.nan, 6.0]])
    np.testing.assert_array_equal(encoded(X, categories), expected)
    back = encoded(torch.from_numpy(X), categories)
    assert isinstance(back, torch.Tensor)
    np.testing.assert_array_equal(back.numpy(), expected)
    assert X[0, 0] == 3.0  # the user's rows stay as they are


def test_categories_may_be_mixed_or_intervals():
    values = pd.Series(["b", 2, None, 1, "a"], dtype=object)
    bins = pd.cut(pd.Series([0.5, 1.5, 2.5, 0.1, np.nan]), [0, 1, 2, 3])
    X = pd.DataFrame({"mixed": values, "bins": bins})
    found = learn_categories(X, [0, 1], np.arange(5))
    assert found[0] == [0, [1, 2, "a", "b"]]
    assert found[1] == [1, ["(0.0, 1.0]", "(1.0, 2.0]", "(2.0, 3.0]"]]
    codes = encoded(X, found)
    np.testing.assert_array_equal(codes["bins"], [0, 1, 2, 0, np.nan])


# Layers


def test_quantiles_are_those_of_numpy_without_missing_values():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3))
    X[::3, 1] = np.nan
    X[:, 2] = np.nan
    q = [0.0, 0.25, 0.5, 0.9, 1.0]
    found = column_quantiles(torch.from_numpy(X), torch.tensor(q, dtype=torch.float64)).numpy()
    np.testing.assert_allclose(found[:, :2], np.nanquantile(X[:, :2], q, axis=0))
    np.testing.assert_array_equal(found[:, 2], 0.0)


def test_scaled_numbers_are_robust_bounded_and_free_of_missing_values():
    x = torch.tensor([[0.0, 5.0, 0.0], [1.0, 5.0, 0.0], [2.0, 5.0, 0.0], [3.0, 5.0, 0.0]])
    x = torch.cat([x, torch.tensor([[1e30, 5.0, 8.0]]), torch.full((1, 3), torch.nan)])
    scaler = RobustScaler(3)
    scaler.learn(x)
    z = scaler(x)
    # Constants are 0; where most values are alike half of the range is the unit.
    assert z[:, 1].tolist() == [0.0] * 6 and scaler.factor[2] == 0.25
    assert z[5].tolist() == [0.0] * 3
    assert z.abs().max() <= 3.0
    assert scaler(torch.full((1, 3), 3e38)).isfinite().all()
    # The slope at the median is that of plain scaling.
    near = scaler(scaler.center[None] + 1e-3 / scaler.factor.clamp_min(1e-30))[0, 2]
    assert near == pytest.approx(1e-3, rel=1e-3)


def test_piecewise_values_count_the_bins_below():
    numbers = PiecewiseNumbers(1)
    z = torch.linspace(0, 1, 101)[:, None]
    numbers.learn(z)
    functions = numbers.functions(torch.tensor([[0.5], [-9.0], [9.0]]))[:, 0]
    assert functions[0].sum() == pytest.approx(8.0)  # half of sixteen bins
    assert functions[1].sum() == 0.0 and functions[2].sum() == 16.0
    numbers.learn(torch.ones(5, 1))  # no bin has a width
    assert numbers.functions(torch.ones(2, 1)).abs().sum() == 0.0


def test_few_categories_are_indicators_and_many_are_vectors():
    layer = Categories([3, 20])
    out = layer(torch.tensor([[2.0, 19.0], [torch.nan, torch.nan]]))
    assert out.shape == (2, 3 + 8) and layer.width == 11
    assert out[0, :3].tolist() == [0.0, 0.0, 1.0]
    assert torch.equal(out[0, 3:], layer.vectors.weight[19])
    # What was missing, or not there, says nothing until some row has taught it.
    assert out[1].abs().sum() == 0.0


@pytest.mark.parametrize("embedding", [None, "periodic", "piecewise"])
def test_a_missing_number_is_the_median_until_it_is_learned(embedding):
    torch.manual_seed(0)
    layer = TableInput(2, (0, 3), embedding)
    X = torch.tensor([[1.0, 0.0], [2.0, 1.0], [7.0, 2.0]])
    layer.learn(X)
    median, missing = layer(torch.tensor([[2.0, 0.0], [torch.nan, 0.0]]))
    assert torch.equal(median, missing)
    layer(torch.tensor([[torch.nan, 0.0]])).sum().backward()
    assert layer.numbers.missing.grad.abs().sum() > 0


def test_outputs_do_not_grow_with_the_width():
    torch.manual_seed(0)
    for n_in in (4, 4096):
        out = WidthFreeLinear(n_in, 500)(torch.randn(200, n_in))
        assert float(out.detach().std()) == pytest.approx(1.0, rel=0.15)


@pytest.mark.parametrize("module", [RealMLP, ResNet])
def test_wide_tables_have_no_embeddings(module):
    net = module(20_000, 3)
    assert net.input.width == 20_000
    assert net(torch.zeros(2, 20_000))[0].shape == (2, 3)


# Estimators


def test_frames_with_text_and_missing_values(frame, tabular):
    X, y, d = frame
    net = DANClassifier(**tabular).fit(X, y, sample_domain=d)
    assert net.n_features_in_ == 4 and net.feature_names_in_.tolist() == list(X.columns)
    assert np.isfinite(net.predict_proba(X)).all()
    one = X.iloc[[0]]
    np.testing.assert_allclose(net.predict_proba(one), net.predict_proba(X)[:1], rtol=1e-4)
    assert X["text"].iloc[1] in ("x", "y", "z")  # the user's frame stays as it is
    with pytest.raises(ValueError, match="feature names"):
        net.predict(X.rename(columns={"text": "other"}))


def test_a_network_for_tables_learns_from_every_kind_of_column(frame):
    X, _, d = frame
    rng = np.random.default_rng(1)
    for column in ("text", "many"):
        X = X.assign(number=rng.normal(size=len(X)))
        label = X[column].isin(["x", "v01", "v03", "v05", "v07"]).to_numpy().astype(int)
        net = DeepSourceOnlyClassifier("realmlp", max_epochs=60, random_state=0)
        net.fit(X, label, sample_domain=d)
        assert net.score(X[d > 0], label[d > 0]) > 0.95
    missing = X["number"].mask(rng.random(len(X)) < 0.5)
    net.fit(X.assign(number=missing), missing.isna(), sample_domain=d)
    assert net.score(X.assign(number=missing), missing.isna()) > 0.85


def test_new_categories_are_missing_ones(frame, tabular):
    X, y, d = frame
    net = DANClassifier(**tabular).fit(X, y, sample_domain=d)
    new, missing = X.assign(text="unseen"), X.assign(text=None)
    np.testing.assert_array_equal(net.predict_proba(new), net.predict_proba(missing))


def test_polars_frames_agree_with_pandas(frame, tabular):
    pl = pytest.importorskip("polars")
    X, y, d = frame
    X = X.assign(many=X["many"].astype(object))
    columns = {name: [None if v != v else v for v in X[name].to_list()] for name in X}
    other = pl.DataFrame(columns)
    a = DANClassifier(**tabular).fit(X, y, sample_domain=d)
    b = DANClassifier(**tabular).fit(other, y, sample_domain=d)
    np.testing.assert_array_equal(a.predict_proba(X), b.predict_proba(other))


def test_arrays_take_categories_by_position(tabular):
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=60), rng.choice([10.0, 20.0, 30.0], 60)])
    X[::6] = np.nan
    y, d = (X[:, 1] == 20).astype(int), np.repeat([1, -2], 30)
    net = DANClassifier(**tabular, module__categorical_features=[1])
    from_numpy = clone(net).fit(X, y, sample_domain=d)
    assert from_numpy.net_.module_.cardinalities == (0, 3)
    tensor = torch.from_numpy(X)
    from_torch = clone(net).fit(tensor, y, sample_domain=d)
    np.testing.assert_allclose(
        from_torch.predict_proba(tensor).numpy(), from_numpy.predict_proba(X), rtol=1e-6
    )
    words = X.astype(object)
    words[:, 1] = [f"w{v:.0f}" if v == v else None for v in X[:, 1]]
    from_words = clone(net).fit(words, y, sample_domain=d)
    np.testing.assert_array_equal(from_words.predict_proba(words), from_numpy.predict_proba(X))
    listed = clone(net).fit(X.tolist(), y, sample_domain=d)
    np.testing.assert_array_equal(listed.predict_proba(X.tolist()), from_numpy.predict_proba(X))


def test_single_precision_comes_back_and_agrees(tabular):
    X = np.random.default_rng(0).normal(size=(40, 3))
    y, d = (X[:, 0] > 0).astype(int), np.repeat([1, -2], 20)
    double = DANClassifier(**tabular).fit(X, y, sample_domain=d)
    single = DANClassifier(**tabular).fit(X.astype(np.float32), y, sample_domain=d)
    out = single.transform(X.astype(np.float32))
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, double.transform(X), rtol=1e-2, atol=1e-3)


@pytest.mark.filterwarnings("ignore::skda.DomainWarning")  # the net is hardly trained
@pytest.mark.parametrize("embedding", [None, "periodic", "piecewise"])
def test_a_step_asks_nothing_of_the_device(embedding, tabular):
    counts = []
    for n in (32, 320):  # one step an epoch, then ten
        X = np.random.default_rng(0).normal(size=(2 * n, 3))
        X[:, 2] = np.arange(2 * n) % 10
        X[::5, 0] = np.nan
        options = {"module__embedding": embedding, "module__categorical_features": [2]}
        net = DANClassifier(batch_size=64, **tabular, **options)
        with AnswersAsked() as asked:
            net.fit(X, X[:, 1] > 0, sample_domain=np.repeat([1, -2], n))
        counts.append(asked.n)
    assert counts[0] == counts[1]


def test_one_column_and_one_that_is_missing_throughout(tabular):
    X = np.linspace(-1, 1, 40)[:, None]
    y, d = (X[:, 0] > 0).astype(int), np.tile([1, -2], 20)
    assert np.isfinite(DANClassifier(**tabular).fit(X, y, sample_domain=d).predict_proba(X)).all()
    X = np.hstack([X, np.full((40, 1), np.nan)])
    assert np.isfinite(DANClassifier(**tabular).fit(X, y, sample_domain=d).predict_proba(X)).all()
    only = pd.DataFrame({"c": np.where(y, "u", "v")})
    net = DANClassifier(**tabular).fit(only, y, sample_domain=d)
    assert np.isfinite(net.predict_proba(only)).all()


def test_missing_values_are_refused_where_the_module_cannot_take_them(frame):
    X, y, d = frame
    numbers = X[["number"]]
    for net in (DANClassifier(**SMALL), DANClassifier("mlp", **SMALL)):
        assert not get_tags(net).input_tags.allow_nan
        with pytest.raises(ValueError, match="contains NaN"):
            net.fit(numbers, y, sample_domain=d)
        with pytest.raises(ValueError, match="NaN"):
            net.fit(torch.tensor(numbers.to_numpy()), y, sample_domain=d)
    net = DANClassifier("realmlp", **SMALL)
    assert get_tags(net).input_tags.allow_nan and get_tags(net).input_tags.categorical
    for bad in (np.where(np.isnan(numbers), np.inf, numbers),):
        with pytest.raises(ValueError, match="infinity"):
            net.fit(bad, y, sample_domain=d)
        with pytest.raises(ValueError, match="infinity"):
            net.fit(torch.from_numpy(bad), y, sample_domain=d)


def test_without_alignment_target_rows_show_in_nothing(frame, tabular):
    X, y, d = frame
    other = X.copy()
    other.loc[d < 0, "number"] = 1e3
    other["many"] = other["many"].astype(object)
    other.loc[d < 0, ["text", "many"]] = "of the target only"
    plain = DeepSourceOnlyClassifier(**tabular).fit(X, y, sample_domain=d)
    same(plain, DeepSourceOnlyClassifier(**tabular).fit(other, y, sample_domain=d), X[d > 0])
    same(plain, DANClassifier(alignment_weight=0, **tabular).fit(other, y, sample_domain=d), X)
    # Aligned, the target's categories have vectors of their own.
    net = DANClassifier(**tabular).fit(other, y, sample_domain=d)
    assert net.net_.module_.cardinalities[1] == 4


@pytest.mark.parametrize("regressor", [DANRegressor, DeepSourceOnlyRegressor])
def test_regressors_take_tables(regressor, frame, tabular):
    X, y, d = frame
    net = regressor(**tabular).fit(X, y.astype(float), sample_domain=d)
    assert np.isfinite(net.predict(X)).all()


def test_methods_with_wishes_of_their_own_take_tables(frame):
    X, y, d = frame
    for module in TABULAR.values():
        for method in (MCDClassifier, AdaBNClassifier):
            net = method(**SMALL, **module).fit(X, y, sample_domain=d)
            assert np.isfinite(net.predict_proba(X)).all()


def test_a_source_model_says_how_tables_are_read(frame, tabular):
    X, y, d = frame
    source = DeepSourceOnlyClassifier(**tabular).fit(X, y, sample_domain=d)
    for model in (source, FrozenEstimator(source)):
        net = SHOTClassifier(source_model=model, adaptation_epochs=1, random_state=0)
        assert get_tags(net).input_tags.allow_nan
        net.fit(X[d < 0], sample_domain=d[d < 0])
        assert np.isfinite(net.predict_proba(X[d < 0])).all()


def test_a_source_model_that_cannot_be_one_is_named(frame, tabular):
    X, y, d = frame
    numbers = X[["flag"]].astype(float)
    for model, error in (
        (LogisticRegression(), ValueError),
        (DeepSourceOnlyClassifier(**tabular), NotFittedError),
    ):
        with pytest.raises(error, match="source_model"):
            SHOTClassifier(source_model=model).fit(numbers, y, sample_domain=d)


def test_half_precision(frame, tabular):
    X, y, d = frame
    net = DANClassifier(precision="bf16", **tabular).fit(X, y, sample_domain=d)
    assert np.isfinite(net.predict_proba(X)).all()


def test_a_new_target_with_missing_values_has_statistics_of_its_own(frame, tabular):
    X, y, d = frame
    net = DANClassifier(**tabular).fit(X, y, sample_domain=d)
    shifted = X.assign(number=X["number"] * 100 + 7)
    new = net.with_statistics_of(shifted)
    np.testing.assert_allclose(
        new.predict_proba(shifted), net.with_statistics_of(X).predict_proba(X), atol=1e-5
    )


def test_training_that_goes_on_keeps_the_categories(frame, tabular):
    X, y, d = frame
    net = DANClassifier(warm_start=True, **tabular).fit(X, y, sample_domain=d)
    net.fit(X.assign(text="unseen"), y, sample_domain=d)
    assert net.n_iter_ == 4
    part = DANClassifier(**tabular)
    for _ in range(2):
        part.partial_fit(X, y, classes=[0, 1], sample_domain=d)
    assert np.isfinite(part.predict_proba(X)).all()


@pytest.mark.parametrize("embedding", [None, "periodic", "piecewise"])
def test_stored_networks_predict_the_same(embedding, frame, tabular, tmp_path):
    X, y, d = frame
    options = tabular | {"module__embedding": embedding}
    net = DANClassifier(**options).fit(X, y, sample_domain=d)
    same(pickle.loads(pickle.dumps(net)), net, X)
    net.save_weights(tmp_path / "weights.pt")
    same(DANClassifier(**options).load_weights(tmp_path / "weights.pt"), net, X)
    io = pytest.importorskip("skops.io")
    dumped = io.dumps(net)
    untrusted = io.get_untrusted_types(data=dumped)
    assert all(name.startswith(("skda.", "sklearn.")) for name in untrusted)
    same(io.loads(dumped, trusted=untrusted), net, X)


def test_parameters_of_a_network_for_tables_can_be_set_and_cloned(frame):
    X, y, d = frame
    net = clone(DANClassifier("realmlp", module__hidden=4, **SMALL))
    net.set_params(module__embedding="piecewise", module__dropout=0.0, module__hidden=6)
    net.fit(X, y, sample_domain=d)
    assert isinstance(net.net_.module_.input.numbers, PiecewiseNumbers)
    assert net.transform(X).shape == (len(X), 6)
    # The next fit is of rows without categories.
    net.set_params(module="mlp").set_params(module__hidden=3)
    del net._net_params["module__embedding"]
    net.fit(X[["flag"]].astype(float), y, sample_domain=d)
    assert isinstance(net.net_.module_, MLP)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"embedding": "cosine"}, "embedding must be one of"),
        ({"dropout": 1.0}, "dropout"),
        ({"hidden": (0,)}, r"hidden must be an integer .* module__hidden=\(64, 32\)"),
        ({"batch_norm": 1}, "batch_norm must be"),
        ({"width": 0}, "width must be"),
        ({"n_blocks": 0.5}, "n_blocks must be"),
    ],
)
def test_bad_options_are_named(options, words):
    module = ResNet if {"width", "n_blocks"} & set(options) else RealMLP
    with pytest.raises(ValueError, match=words):
        module(3, 2, **options)


# Forms of `module`


def test_modules_have_names(domains):
    X, y, d = domains
    for name, kind in {"mlp": MLP, "realmlp": RealMLP, "resnet": ResNet}.items():
        net = DANClassifier(name, max_epochs=1).fit(X, y, sample_domain=d)
        assert type(net.net_.module_) is kind
    same(
        DANClassifier("mlp", **SMALL).fit(X, y, sample_domain=d),
        DANClassifier(**SMALL).fit(X, y, sample_domain=d),
        X,
    )


@pytest.mark.parametrize("module", ["MLP", 3, ["mlp"]])
def test_an_unknown_module_is_named(module, domains):
    X, y, d = domains
    with pytest.raises(ValueError, match=r"module must be one of \['mlp', 'resnet', 'realmlp'\]"):
        DANClassifier(module).fit(X, y, sample_domain=d)


def sequence():
    return nn.Sequential(nn.Sequential(nn.Linear(4, 5), nn.Tanh()), nn.Linear(5, 2))


@pytest.mark.parametrize("module", [sequence(), sequence], ids=["instance", "function"])
def test_features_of_a_sequence_are_the_input_of_its_last_linear_layer(module, domains):
    X, y, d = domains
    for method in (DANClassifier, MCDClassifier):
        net = method(module, **SMALL).fit(X[:, [0, 1, 0, 1]], y, sample_domain=d)
        features = net.transform(X[:, [0, 1, 0, 1]])
        assert features.shape == (len(X), 5) and np.abs(features).max() <= 1.0
        head = net.net_.module_.head[0]
        logits = features @ head.weight.detach().numpy().T + head.bias.detach().numpy()
        np.testing.assert_array_equal(net.predict(X[:, [0, 1, 0, 1]]), logits.argmax(1))


def test_a_sequence_that_does_not_fit_is_named(domains):
    X, y, d = domains
    wide = np.ones((len(X), 7))
    with pytest.raises(ValueError, match="cannot take rows of 7 features"):
        DANClassifier(sequence(), **SMALL).fit(wide, y, sample_domain=d)
    with pytest.raises(ValueError, match="without a Linear layer"):
        DANClassifier(nn.Sequential(nn.Tanh()), **SMALL).fit(X, y, sample_domain=d)
    three = nn.Sequential(nn.Linear(X.shape[1], 3))
    with pytest.raises(ValueError, match="module must return"):
        DANClassifier(three, **SMALL).fit(X, y, sample_domain=d)


def test_an_instance_for_other_categories_is_named(frame):
    X, y, d = frame
    fitting = RealMLP(4, 2, (0, 3, 12, 0), hidden=4)
    DANClassifier(fitting, **SMALL).fit(X, y, sample_domain=d)
    with pytest.raises(ValueError, match="Pass the class"):
        DANClassifier(RealMLP(4, 2, hidden=4), **SMALL).fit(X, y, sample_domain=d)


# Outputs of a row in single precision differ in the last bit with the number of rows beside it, as
# in the check's tolerance for double precision they may not.
ROUNDED = {"check_methods_subset_invariance": "single precision"}
FAILURES = ROUNDED | EXPECTED_FAILURES["skda.deep"]
NETS = [
    DANClassifier("realmlp", module__hidden=8, max_epochs=8, lr=0.01, random_state=0),
    DeepSourceOnlyRegressor("resnet", module__width=8, max_epochs=8, random_state=0),
]


@pytest.mark.filterwarnings("ignore:.*fitted without sample_domain")
@parametrize_with_checks(
    NETS, expected_failed_checks=lambda estimator: FAILURES, xfail_strict=False
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("net", NETS, ids=["classifier", "regressor"])
def test_outputs_do_not_depend_on_the_rows_beside_a_row(net, domains):
    X, y, d = domains
    net = clone(net).fit(X, y, sample_domain=d)
    single = np.concatenate([net.transform(row[None]) for row in X])
    np.testing.assert_allclose(single, net.transform(X), rtol=1e-4, atol=1e-5)


def test_the_benchmark_prints_and_writes_what_it_measured(monkeypatch, capsys, tmp_path):
    models = {name: DummyClassifier(strategy="prior") for name in ("one", "two")}
    monkeypatch.setattr(backbones, "contenders", lambda seed: models)
    file = tmp_path / "backbones.json"
    backbones.main(["--tables", "breast cancer", "--seeds", "2", "--json", str(file)])
    printed = capsys.readouterr().out
    assert "| two | 62.9 ± 0.0 | 62.9 |" in printed
    run = json.loads(file.read_text())
    assert len(run["backbone_rows"]) == 4
    assert "### backbones" in report.page([run])
    with pytest.raises(SystemExit):
        backbones.main(["--contenders", "three"])
