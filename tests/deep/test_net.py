"""The machinery that all deep estimators share."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

torch = pytest.importorskip("torch")
skorch = pytest.importorskip("skorch")

import sklearn  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

import skda.deep  # noqa: E402
from skda import (  # noqa: E402
    DANClassifier,
    DANNClassifier,
    DANRegressor,
    DeepCORALClassifier,
    DeepSourceOnlyClassifier,
    DomainWarning,
    config_context,
    stack_domains,
)
from skda.deep import MLP  # noqa: E402
from skda.deep._schedules import sigmoid_schedule  # noqa: E402
from skda.deep._training import PairedBatches  # noqa: E402
from skda.model_selection import DomainStratifiedKFold  # noqa: E402

SMALL = {"module__hidden": 8, "max_epochs": 3, "lr": 0.01, "random_state": 0}


def weights(net):
    return [p.detach().numpy() for p in net.net_.module_.parameters()]


def same_weights(a, b):
    return all(np.array_equal(x, y) for x, y in zip(weights(a), weights(b), strict=True))


def batches(n_source, n_target, batch_size=8, **options):
    n = n_source + n_target
    X = torch.arange(n, dtype=torch.float32)[:, None]
    rows = np.arange(n)
    return PairedBatches(
        X,
        torch.arange(n),
        torch.zeros(n, dtype=torch.int64),
        rows[:n_source],
        rows[n_source:],
        batch_size=batch_size,
        rng=np.random.RandomState(0),
        **options,
    )


@pytest.mark.parametrize(
    "n_source, n_target", [(20, 7), (7, 20), (16, 16), (3, 2), (1, 1), (50, 1)]
)
def test_every_row_of_the_longer_domain_is_seen_in_an_epoch(n_source, n_target):
    drawn = list(batches(n_source, n_target))
    assert len(drawn) == -(-max(n_source, n_target) // 4)
    source = np.concatenate([b.rows[: b.n_source].numpy() for b in drawn])
    target = np.concatenate([b.rows[b.n_source :].numpy() for b in drawn])
    assert source.max() < n_source <= target.min()
    longer, n = (source, n_source) if n_source >= n_target else (target, n_target)
    counts = np.unique(longer, return_counts=True)[1]
    assert len(counts) == n and counts.max() - counts.min() <= 1


def test_batches_have_equal_sizes_and_carry_labels_of_their_rows():
    for batch in batches(21, 9):
        assert (batch.n_source, len(batch)) == (4, 8)
        assert torch.equal(batch.y, batch.rows[: batch.n_source])
        assert torch.equal(batch.X[:, 0].long(), batch.rows)


def test_batches_of_source_rows_alone_do_not_depend_on_target_rows():
    few, many = batches(21, 4, source_only=True), batches(21, 400, source_only=True)
    assert len(few) == len(many) == 6
    for a, b in zip(few, many, strict=True):
        assert torch.equal(a.rows, b.rows) and len(a) == a.n_source


@pytest.mark.parametrize("method", [DANClassifier, DeepCORALClassifier, DANNClassifier])
def test_weight_zero_is_the_source_only_network_bit_for_bit(method, domains):
    X, y, d = domains
    plain = DeepSourceOnlyClassifier(**SMALL).fit(X, y, sample_domain=d)
    unaligned = method(alignment_weight=0, **SMALL).fit(X, y, sample_domain=d)
    aligned = method(**SMALL).fit(X, y, sample_domain=d)
    assert same_weights(plain, unaligned)
    assert not same_weights(plain, aligned)


@pytest.mark.parametrize("options", [{}, {"module__dropout": 0.5, "module__batch_norm": True}])
def test_a_seeded_fit_is_reproducible_and_leaves_torch_alone(options, domains):
    X, y, d = domains
    net = DANNClassifier(**SMALL, **options)
    before = torch.random.get_rng_state()
    first = clone(net).fit(X, y, sample_domain=d)
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(7)
    assert same_weights(first, clone(net).fit(X, y, sample_domain=d))
    other = clone(net).set_params(random_state=1).fit(X, y, sample_domain=d)
    assert not same_weights(first, other)


@pytest.mark.parametrize("n_source, n_target", [(3, 40), (40, 1), (2, 2)])
def test_fewer_rows_than_a_batch_still_train(n_source, n_target):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_source + n_target, 3))
    d = np.repeat([1, -2], [n_source, n_target])
    y = np.arange(len(X)) % 2
    net = DANClassifier(**SMALL).fit(X, y, sample_domain=d)
    start = DANClassifier(**SMALL | {"lr": 0.0}).fit(X, y, sample_domain=d)
    assert not same_weights(net, start)
    assert np.isfinite(net.predict_proba(X)).all()


def test_alike_features_and_lone_classes_train():
    X = np.ones((12, 2))
    y = np.r_[0, np.ones(11, dtype=int)]
    d = np.repeat([1, -2], 6)
    for method in (DANClassifier, DeepCORALClassifier, DANNClassifier):
        assert np.isfinite(method(**SMALL).fit(X, y, sample_domain=d).predict_proba(X)).all()


def test_divergence_is_an_error_with_a_hint(domains):
    X, y, d = domains
    with pytest.raises(ValueError, match=r"training diverged\. Lower lr"):
        DeepCORALClassifier(**SMALL | {"lr": 1e12, "max_epochs": 20}).fit(X, y, sample_domain=d)
    with pytest.raises(ValueError, match="single precision"):
        DeepCORALClassifier(**SMALL).fit(X * 1e300, y, sample_domain=d)


def test_the_schedule_of_dann_grows_from_zero_to_one():
    assert sigmoid_schedule(0.0) == 0.0
    assert sigmoid_schedule(0.1) == pytest.approx(2 / (1 + np.exp(-1.0)) - 1)
    assert sigmoid_schedule(1.0) == pytest.approx(1.0, abs=1e-4)


def test_a_schedule_of_ones_own_gets_the_progress(domains):
    X, y, d = domains
    seen = []
    net = DANClassifier(alignment_schedule=lambda p: seen.append(p) or 1.0, **SMALL)
    net.fit(X, y, sample_domain=d)
    assert seen[0] == 0.0 and 0.5 < seen[-1] < 1.0 and seen == sorted(seen)
    with pytest.raises(ValueError, match="alignment_schedule must be one of"):
        DANClassifier(alignment_schedule="linear", **SMALL).fit(X, y, sample_domain=d)


def test_warm_start_and_partial_fit_go_on(domains):
    X, y, d = domains
    net = DANClassifier(warm_start=True, **SMALL).fit(X, y, sample_domain=d)
    former = [w.copy() for w in weights(net)]
    net.set_params(lr=0.0)  # of the next net, not of this one's optimizer
    net.fit(X, y, sample_domain=d)
    assert net.n_iter_ == 6 == len(net.history_)
    assert any((a != b).any() for a, b in zip(former, weights(net), strict=True))
    with pytest.raises(ValueError, match="does not know"):
        net.fit(X, y + 5, sample_domain=d)

    part = DANClassifier(**SMALL)
    for _ in range(2):
        part.partial_fit(X, y, classes=[0, 1, 2], sample_domain=d)
    assert part.n_iter_ == 2 and part.classes_.tolist() == [0, 1, 2]
    part.partial_fit(X[d > 0], y[d > 0], sample_domain=d[d > 0])
    with pytest.raises(ValueError, match="target rows only"):
        part.partial_fit(X[d < 0], y[d < 0], sample_domain=d[d < 0])


@pytest.mark.parametrize("criterion", ["source", "target"])
def test_early_stopping_restores_the_best_epoch(criterion, domains):
    X, y, d = domains
    settings = SMALL | {"max_epochs": 40, "lr": 0.3}
    net = DANClassifier(early_stopping=criterion, patience=3, **settings)
    net.fit(X, y, sample_domain=d)
    losses = net.history_[:, "valid_loss"]
    assert net.n_iter_ < 40
    assert np.argmin(losses) <= net.n_iter_ - 3
    flipped = y.copy()
    flipped[d < 0] = 1 - y[d < 0]
    again = clone(net).fit(X, flipped, sample_domain=d)
    assert same_weights(net, again)  # no target label in the criterion


def test_early_stopping_says_what_it_cannot_do(domains):
    X, y, d = domains
    with pytest.raises(ValueError, match="early_stopping must be one of"):
        DANRegressor(early_stopping="target", **SMALL).fit(X, y, sample_domain=d)
    net = DeepSourceOnlyClassifier(early_stopping="target", **SMALL)
    with pytest.raises(ValueError, match="without sample_domain"), pytest.warns(DomainWarning):
        net.fit(X, y)


def test_parameters_of_the_net_are_parameters():
    net = DANClassifier(module__hidden=(4,), optimizer__weight_decay=0.1, n_kernels=3)
    params = net.get_params()
    assert params["module__hidden"] == (4,) and params["n_kernels"] == 3 and params["lr"] is None
    net.set_params(module__hidden=(5,), module__dropout=0.2)
    assert clone(net).get_params()["module__dropout"] == 0.2
    assert "module__hidden=(5,)" in repr(net)
    with pytest.raises(ValueError, match="Invalid parameter"):
        net.set_params(hiden=3)


def test_unknown_parameters_are_named_in_fit(domains):
    X, y, d = domains
    with pytest.raises(TypeError, match="n_kernel"):
        DANClassifier(n_kernel=3).fit(X, y, sample_domain=d)


def test_parameters_reach_torch_and_skorch(domains):
    X, y, d = domains
    net = DANClassifier(
        optimizer=torch.optim.SGD,
        optimizer__momentum=0.9,
        callbacks=[("schedule", skorch.callbacks.LRScheduler(policy="StepLR", step_size=1))],
        callbacks__schedule__step_size=2,
        module__dropout=0.3,
        **SMALL,
    ).fit(X, y, sample_domain=d)
    assert isinstance(net.net_.optimizer_, torch.optim.SGD)
    assert net.net_.optimizer_.defaults["momentum"] == 0.9
    assert net.net_.optimizer_.param_groups[0]["lr"] == pytest.approx(0.001)
    assert any(isinstance(m, torch.nn.Dropout) for m in net.net_.module_.modules())


def test_grid_over_the_alignment_weight_in_a_pipeline(domains):
    X, y, d = domains
    pipe = make_pipeline(StandardScaler(), DANClassifier(**SMALL))
    grid = {
        "danclassifier__alignment_weight": [0.0, 1.0],
        "danclassifier__module__hidden": [(4,), (8,)],
    }
    with sklearn.config_context(enable_metadata_routing=True):
        search = GridSearchCV(pipe, grid, cv=DomainStratifiedKFold(2), error_score="raise")
        search.fit(X, y, sample_domain=d)
    assert len(search.cv_results_["params"]) == 4
    assert len(search.predict(X)) == len(X)


class Tiny(torch.nn.Module):
    def __init__(self, n_features, n_outputs, width=4):
        super().__init__()
        self.first = torch.nn.Linear(n_features, width)
        self.last = torch.nn.Linear(width, n_outputs)

    def forward(self, X):
        features = torch.tanh(self.first(X))
        return self.last(features), features


class Forgetful(Tiny):
    def forward(self, X):
        return super().forward(X)[0]


def test_modules_of_ones_own(domains):
    X, y, d = domains
    settings = {name: value for name, value in SMALL.items() if name != "module__hidden"}
    net = DANClassifier(Tiny, module__width=6, **settings).fit(X, y, sample_domain=d)
    assert net.transform(X).shape == (len(X), 6)
    assert net.get_feature_names_out()[0] == "danclassifier0"

    given = Tiny(4, 2)
    before = [p.detach().clone() for p in given.parameters()]
    net = DANClassifier(given, **settings).fit(X, y, sample_domain=d)
    assert all(torch.equal(a, b) for a, b in zip(before, given.parameters(), strict=True))
    with pytest.raises(ValueError, match="Pass the class"):
        DANClassifier(given, module__width=3, **settings).fit(X, y, sample_domain=d)


@pytest.mark.parametrize(
    "module, words", [(Forgetful(4, 2), "got Tensor"), (Tiny(4, 3), r"\(2, 3\)")]
)
def test_a_module_that_returns_something_else_is_named(module, words, domains):
    X, y, d = domains
    with pytest.raises(ValueError, match=words):
        DANClassifier(module, max_epochs=1).fit(X, y, sample_domain=d)


def test_the_default_network_is_sized_from_the_data():
    assert [p.shape[0] for p in MLP(256, 10).parameters()][::2] == [256, 128, 10]
    assert [p.shape[0] for p in MLP(3, 2).parameters()][::2] == [64, 32, 2]


def test_torch_comes_back_as_torch_and_agrees_with_numpy(domains):
    X, y, d = domains
    net = DANClassifier(**SMALL)
    from_numpy = clone(net).fit(X, y, sample_domain=d)
    tensor = torch.from_numpy(X)
    from_torch = clone(net).fit(tensor, y, sample_domain=d)
    out = from_torch.transform(tensor)
    assert isinstance(out, torch.Tensor) and out.dtype == torch.float64
    np.testing.assert_allclose(out.numpy(), from_numpy.transform(X), rtol=1e-6)
    assert from_torch.transform(tensor.float()).dtype == torch.float32
    with config_context(backend="torch", device="cpu"):
        assert isinstance(from_numpy.predict_proba(X), np.ndarray)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_named(domains):
    X, y, d = domains
    with pytest.raises(ValueError, match="device='cuda' is not there"):
        DANClassifier(device="cuda").fit(X, y, sample_domain=d)


def test_regression_does_not_depend_on_the_unit_of_y(domains):
    X, _, d = domains
    y = X[:, 0]
    metres = DANRegressor(**SMALL).fit(X, y, sample_domain=d).predict(X)
    nanometres = DANRegressor(**SMALL).fit(X, y * 1e9 + 1e10, sample_domain=d).predict(X)
    np.testing.assert_allclose((nanometres - 1e10) / 1e9, metres, atol=1e-4)


@pytest.mark.parametrize("labels", [np.array(["no", "yes"]), np.array([-1, 1]), None])
def test_weights_are_saved_without_code(labels, domains, tmp_path):
    X, y, d = domains
    y = y if labels is None else labels[y]
    net = DANNClassifier(**SMALL).fit(X, y, sample_domain=d)
    net.save_weights(tmp_path / "weights.pt")
    torch.load(tmp_path / "weights.pt", weights_only=True)
    loaded = DANNClassifier(**SMALL).load_weights(tmp_path / "weights.pt")
    np.testing.assert_array_equal(loaded.predict(X), net.predict(X))
    np.testing.assert_array_equal(loaded.predict_proba(X), net.predict_proba(X))
    assert loaded.classes_.dtype == net.classes_.dtype
    assert loaded.get_feature_names_out().tolist() == net.get_feature_names_out().tolist()


def test_a_pickled_net_goes_on_training(domains):
    X, y, d = domains
    net = DANNClassifier(warm_start=True, **SMALL).fit(X, y, sample_domain=d)
    again = pickle.loads(pickle.dumps(net))
    again.fit(X, y, sample_domain=d)
    net.fit(X, y, sample_domain=d)
    assert same_weights(net, again)


def test_verbose_prints_a_line_per_epoch_and_silence_is_the_default(domains, capsys):
    X, y, d = domains
    DANClassifier(**SMALL).fit(X, y, sample_domain=d)
    assert capsys.readouterr().out == ""
    DANClassifier(verbose=1, **SMALL).fit(X, y, sample_domain=d)
    assert len(capsys.readouterr().out.splitlines()) == 2 + 3


def test_history_is_asked_for_in_vain_before_fit():
    with pytest.raises(AttributeError, match="not fitted"):
        _ = DANClassifier().history_
    with pytest.raises(NotFittedError):
        DANClassifier().predict(np.ones((2, 2)))


def test_several_sources_reach_the_losses_by_position(domains):
    X, y, d = domains
    d = np.where((d > 0) & (np.arange(len(d)) % 2 == 0), 7, d)
    seen = set()

    class Spy(skorch.callbacks.Callback):
        def on_batch_begin(self, net, batch=None, **kwargs):
            seen.update(batch.domain[: batch.n_source].tolist())

    net = DANClassifier(callbacks=[Spy()], **SMALL).fit(X, y, sample_domain=d)
    assert seen == {0, 1}
    assert net.source_domains_ == [1, 7] and net.target_domains_ == [-2]


def test_weights_are_updated_in_one_kernel_unless_the_user_says_how():
    X, y, d = stack_domains([[0.0, 1.0], [1.0, 0.0]], [0, 1], [[0.5, 0.5]])

    def fused(**params):
        net = DANClassifier(**SMALL, **params).fit(X, y, sample_domain=d)
        return net.net_.optimizer_.param_groups[0].get("fused")

    assert fused() and fused(optimizer=torch.optim.SGD)
    assert fused(optimizer__fused=False) is False
    assert not fused(optimizer__foreach=True)
    assert not fused(optimizer=torch.optim.RMSprop)


def test_data_of_one_call_can_be_lists():
    X, y, d = stack_domains([[0.0, 1.0], [1.0, 0.0]], ["a", "b"], [[0.5, 0.5]])
    net = DANClassifier(**SMALL).fit(X.tolist(), y.tolist(), sample_domain=d.tolist())
    assert net.predict([[0.0, 1.0]]).shape == (1,)


@pytest.mark.parametrize(
    "statement, name, missing",
    [
        ("import skda; skda.DANClassifier", "skda.DANClassifier", "torch"),
        ("from skda import DANClassifier", "skda.DANClassifier", "skorch"),
        ("import skda.deep", "skda.deep", "torch"),
        ("from skda.deep import DANClassifier", "skda.deep", "torch"),
    ],
)
def test_without_the_extra_the_error_names_it(statement, name, missing):
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "import skda; skda.stack_domains\n"
        f"try: {statement}\n"
        "except ImportError as error: print(error, error.name)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"{name} needs {missing}, which is not installed" in done.stdout
    assert f"pip install 'skda[deep]' {missing}" in done.stdout


class AnswersAsked(TorchDispatchMode):
    """Counts the operations that make the host wait for the device."""

    WAITS = {"_local_scalar_dense", "nonzero", "masked_select", "equal", "_unique2"}

    def __init__(self):
        super().__init__()
        self.n = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.n += func.overloadpacket.__name__ in self.WAITS
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in skda.deep.__all__
        if name.endswith(("Classifier", "Regressor"))
        and not name.startswith(("SHOT", "FineTuning"))
        # Those with another training are counted where they are tested.
        and "max_epochs" in getattr(skda.deep, name)().get_params()
    ],
)
def test_a_step_asks_nothing_of_the_device(name):
    counts = []
    for n in (32, 320):  # one step an epoch, then ten
        X = np.random.default_rng(0).normal(size=(2 * n, 3)).astype(np.float32)
        y = X[:, 0] if name.endswith("Regressor") else (X[:, 0] > 0).astype(int)
        net = getattr(skda, name)(max_epochs=2, batch_size=64, random_state=0)
        with AnswersAsked() as asked:
            net.fit(X, y, sample_domain=np.repeat([1, -2], n))
        counts.append(asked.n)
    assert counts[0] == counts[1]
