"""Smooth adversarial training, and attraction and dispersal among target rows, by brute force."""

import copy

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator

torch = pytest.importorskip("torch")
pytest.importorskip("skorch")

from skda import (  # noqa: E402
    AaDClassifier,
    CDANClassifier,
    DANNClassifier,
    DeepSourceOnlyClassifier,
    stack_domains,
)
from skda.deep._aad import NeighborhoodLoss, attracting_and_dispersing  # noqa: E402

from .test_recipe import blobs  # noqa: E402

SMALL = {"module__hidden": 8, "max_epochs": 3, "random_state": 0}


# Sharpness-aware steps


def after_one_step(domains, smoothing, **params):
    """Return the weights before and after a step of plain gradient descent, and the net."""
    X, y, d = domains
    options = {"batch_size": 1000, "max_epochs": 1, "lr": 1.0, "optimizer__momentum": 0.0}
    net = DANNClassifier(
        module__hidden=8,
        smoothing=smoothing,
        lr_schedule="constant",
        random_state=0,
        **options | params,
    )
    start = copy.deepcopy(net).set_params(lr=0.0).fit(X, y, sample_domain=d)
    net.fit(X, y, sample_domain=d)
    weights = [dict(n.net_.module_.named_parameters()) for n in (start, net)]
    return *weights, start


@pytest.mark.parametrize("batch_norm", [False, "domain"])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_smooth_step_has_the_gradient_of_the_worst_weights_nearby(batch_norm, weighted, domains):
    X, y, d = domains
    params = {"alignment_schedule": "sigmoid", "batch_norm": batch_norm}  # the weight begins at 0
    plain = after_one_step(domains, 0.0, **params)
    start, smooth, net = after_one_step(domains, 0.3, **params)
    module = net.net_.module_.train()
    source = torch.as_tensor(np.flatnonzero(d > 0))
    rows = net._scaled(torch.from_numpy(X), net._data(X, y, d, reset=False, chunk=False))[source]

    def gradient():
        from skda.deep._domain_norm import rows_of

        module.zero_grad()
        with rows_of("source"):
            logits, _ = module(rows.float())
        torch.nn.functional.cross_entropy(logits, torch.as_tensor(y)[source]).backward()
        return {name: p.grad.clone() for name, p in module.named_parameters()}

    here = gradient()
    for name in start:
        torch.testing.assert_close(start[name] - plain[1][name], here[name], rtol=1e-4, atol=1e-5)
    norm = torch.cat([g.flatten() for g in here.values()]).norm()
    with torch.no_grad():
        for name, p in module.named_parameters():
            p.add_(0.3 * here[name] / norm)
    there = gradient()
    with torch.no_grad():  # back
        for name, p in module.named_parameters():
            p.sub_(0.3 * here[name] / norm)
    for name in smooth:
        torch.testing.assert_close(start[name] - smooth[name], there[name], rtol=1e-3, atol=1e-5)
    assert max((here[n] - there[n]).abs().max() for n in here) > 1e-3


def test_a_smooth_step_leaves_the_running_statistics_of_a_plain_one(domains):
    X, y, d = domains
    nets = [
        DANNClassifier(smoothing=s, **SMALL | {"max_epochs": 1, "batch_size": 1000})
        for s in (0.0, 0.5)
    ]
    buffers = [dict(n.fit(X, y, sample_domain=d).net_.module_.named_buffers()) for n in nets]
    for name in buffers[0]:
        torch.testing.assert_close(buffers[0][name], buffers[1][name])


@pytest.mark.parametrize("method", [DANNClassifier, CDANClassifier])
def test_smoothing_goes_with_all_that_a_fit_takes(method, domains):
    X, y, d = domains
    w = 1.0 + np.arange(len(y)) % 3
    options = {"smoothing": 0.05, "use_target_labels": True, "early_stopping": "source"}
    for more in ({}, {"precision": "bf16"}, {"prior_correction": "resample"}, {"module": "resnet"}):
        small = {"max_epochs": 2, "random_state": 0}
        net = method(**small | options | more).fit(X, y, w, sample_domain=d)
        assert np.isfinite(net.predict_proba(X)).all()
    # Without target rows there is no adversary, and nothing to smooth.
    off = method(smoothing=0.5, alignment_weight=0.0, **SMALL).fit(X, y, sample_domain=d)
    plain = DeepSourceOnlyClassifier(**SMALL).fit(X, y, sample_domain=d)
    np.testing.assert_array_equal(off.predict_proba(X), plain.predict_proba(X))
    with pytest.raises(ValueError, match="smoothing must"):
        method(smoothing=-1.0, **SMALL).fit(X, y, sample_domain=d)


# Attraction and dispersal


def test_attraction_and_dispersal_are_the_sums_of_the_paper():
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 3, generator=rng, dtype=torch.float64, requires_grad=True)
    neighbors = torch.rand(5, 2, 3, generator=rng, dtype=torch.float64)
    p = torch.softmax(logits, dim=1).detach().numpy()
    q = neighbors.numpy()
    terms = [
        0.4 * sum(p[i] @ p[m] for m in range(5) if m != i) - sum(p[i] @ q[i, j] for j in range(2))
        for i in range(5)
    ]
    found = attracting_and_dispersing(torch.softmax(logits, dim=1), neighbors, 0.4)
    assert found.item() == pytest.approx(np.mean(terms), abs=1e-12)

    def loss(z):
        return attracting_and_dispersing(torch.softmax(z, dim=1), neighbors, 0.4)

    assert torch.autograd.gradcheck(loss, (logits,))


class Given(torch.nn.Module):
    """Rows are features, their first columns logits."""

    def forward(self, X):
        return X[:, :2], X


class Batch:
    def __init__(self, X, rows):
        self.X, self.rows = X, rows


class Net:
    """What the loss asks of a net before an epoch."""

    module_ = Given()

    def progress(self):
        return 0.5

    def _set_training(self, training):
        pass


def test_neighbors_are_the_nearest_other_target_rows_by_cosine():
    rng = torch.Generator().manual_seed(1)
    X = torch.randn(12, 4, generator=rng)
    target = np.array([1, 3, 4, 6, 7, 9, 10, 11])
    loss = NeighborhoodLoss(n_neighbors=3, dispersion_decay=2.0)
    batches = Batch(X, None)
    batches.sides = (np.array([0, 2]), target)
    loss.on_epoch_begin(Net(), batches)
    rows = torch.tensor([4, 11])
    moved = X[rows] + 0.5  # training has moved them: what is remembered of them is the newest
    found = loss.of_batch(Given(), Batch(moved, rows)).item()
    now = X.clone()
    now[rows] = moved
    p = torch.softmax(now[:, :2], dim=1).numpy()
    f = (now / now.norm(dim=1, keepdim=True)).numpy()
    terms = []
    for i, other in ((4, 11), (11, 4)):
        nearest = sorted((j for j in target if j != i), key=lambda j: -(f[i] @ f[j]))[:3]
        terms.append((1 + 10 * 0.5) ** -2.0 * p[i] @ p[other] - sum(p[i] @ p[j] for j in nearest))
    assert found == pytest.approx(np.mean(terms), abs=1e-6)
    loss.forget()
    assert loss.features is None


def test_attraction_needs_no_source_rows_and_forgets_what_it_noted():
    X_source, y_source, X_target, y_target = blobs()
    X, y, d = stack_domains(X_source, y_source, X_target)
    options = {"max_epochs": 40, "random_state": 0, "input_scaling": "source"}
    source = DeepSourceOnlyClassifier(**options).fit(X, y, sample_domain=d)
    before = source.predict_proba(X_target)
    net = AaDClassifier(source_model=FrozenEstimator(source), random_state=0)
    net.fit(X_target, sample_domain=[-2] * len(X_target))
    assert net.score(X_target, y_target) > source.score(X_target, y_target) + 0.03
    assert net.adapted_net_.alignment_.features is None
    np.testing.assert_array_equal(source.predict_proba(X_target), before)


@pytest.mark.parametrize("n_target", [2, 3])
def test_fewer_rows_than_neighbors_are_enough(n_target, domains):
    X, y, d = domains
    kept = np.r_[np.flatnonzero(d > 0), np.flatnonzero(d < 0)[:n_target]]
    net = AaDClassifier(**SMALL).fit(X[kept], y[kept], sample_domain=d[kept])
    assert np.isfinite(net.predict_proba(X)).all()
    for name, value in (("n_neighbors", 0), ("dispersion_decay", -1.0)):
        with pytest.raises(ValueError, match=f"{name} must"):
            AaDClassifier(**SMALL, **{name: value}).fit(X, y, sample_domain=d)
