"""The losses of the other methods against references of a few lines."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("skorch")

from skda.deep._afn import norm_loss  # noqa: E402
from skda.deep._base_tasks import information_loss  # noqa: E402
from skda.deep._cdan import ConditionalAdversarialLoss, multilinear_map  # noqa: E402
from skda.deep._dann import (  # noqa: E402
    AdversarialLoss,
    domain_loss,
    spectral_penalty,
)
from skda.deep._deep_jdot import JointTransportLoss, joint_cost, transport_plan  # noqa: E402
from skda.deep._jan import JointMMDLoss  # noqa: E402
from skda.deep._mcc import class_confusion  # noqa: E402
from skda.deep._mcd import ClassifierDiscrepancyLoss, discrepancy  # noqa: E402
from skda.deep._mdd import margin_disparity  # noqa: E402
from skda.deep._modules import MLP, frozen_call, head_parameters  # noqa: E402
from skda.deep._shot import centroid_labels  # noqa: E402
from skda.deep._wdgrl import WassersteinLoss, gradient_penalty  # noqa: E402

from .test_losses import domain_batches, gaussian_mixture  # noqa: E402


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def arrays(*tensors):
    return [t.detach().numpy() for t in tensors]


def test_jmmd_multiplies_the_kernels_of_features_and_predictions():
    source, target = domain_batches()
    found = JointMMDLoss(3, 0.4, "biased")(source, target).item()
    f = np.concatenate(arrays(source.features, target.features))
    p = softmax(np.concatenate(arrays(source.logits, target.logits)))
    n = len(source.features)

    def k(i, j):
        return gaussian_mixture(f[i], f[j], 0.4, 3) * gaussian_mixture(p[i], p[j], 0.4, 3)

    K = np.array([[k(i, j) for j in range(len(f))] for i in range(len(f))])
    wanted = K[:n, :n].mean() + K[n:, n:].mean() - 2 * K[:n, n:].mean()
    assert found == pytest.approx(wanted, abs=1e-10)


def test_joint_linear_mmd_multiplies_the_kernels_too():
    source, target = domain_batches(n=4, m=4)
    found = JointMMDLoss(1, 0.4, "linear")(source, target).item()
    fs, ft = arrays(source.features, target.features)
    ps, pt = (softmax(z) for z in arrays(source.logits, target.logits))

    def k(a, b, c, d):
        return np.exp(-0.4 * ((a - b) ** 2).sum()) * np.exp(-0.4 * ((c - d) ** 2).sum())

    terms = [
        k(fs[i], fs[i + 2], ps[i], ps[i + 2])
        + k(ft[i], ft[i + 2], pt[i], pt[i + 2])
        - k(fs[i], ft[i + 2], ps[i], pt[i + 2])
        - k(fs[i + 2], ft[i], ps[i + 2], pt[i])
        for i in range(2)
    ]
    assert found == pytest.approx(np.mean(terms), abs=1e-10)


def test_class_confusion_is_the_formula_of_the_paper():
    _, target = domain_batches(m=6)
    (z,) = arrays(target.logits)
    p = softmax(z / 2.5)
    w = 1 + np.exp((p * np.log(p)).sum(axis=1))
    w = len(w) * w / w.sum()
    n_classes = p.shape[1]
    C = np.zeros((n_classes, n_classes))
    for i in range(len(p)):
        C += w[i] * np.outer(p[i], p[i])
    C /= C.sum(axis=1, keepdims=True)
    wanted = (C.sum() - np.trace(C)) / n_classes
    assert class_confusion(target.logits, 2.5).item() == pytest.approx(wanted, abs=1e-12)


def test_class_confusion_vanishes_for_certain_predictions():
    logits = 100.0 * torch.eye(4).repeat(3, 1)
    assert class_confusion(logits, 1.0).item() == pytest.approx(0.0, abs=1e-6)


def test_margin_disparity_is_its_two_terms():
    source, target = domain_batches()
    zs, zt = arrays(source.logits, target.logits)
    cs, ct = np.array([0, 1, 2, 0, 1, 2, 0]), np.array([2, 1, 0, 2, 1])
    ps, pt = softmax(zs), softmax(zt)
    wanted = 4 * -np.log(ps[range(7), cs]).mean() - np.log(1 - pt[range(5), ct]).mean()
    found = margin_disparity(
        source.logits, target.logits, torch.as_tensor(cs), torch.as_tensor(ct), 4.0
    )
    assert found.item() == pytest.approx(wanted, abs=1e-10)


def test_margin_disparity_is_finite_where_both_classifiers_are_certain():
    logits = torch.tensor([[500.0, -500.0]], requires_grad=True)
    zero = torch.zeros(1, dtype=torch.int64)
    loss = margin_disparity(logits, logits, zero, zero, 4.0)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(logits.grad).all()


def test_multilinear_map_is_the_outer_product_of_each_row():
    source, _ = domain_batches()
    p = torch.softmax(source.logits, dim=1)
    f, q = arrays(source.features, p)
    wanted = np.stack([np.outer(b, a).ravel() for a, b in zip(f, q, strict=True)])
    np.testing.assert_allclose(multilinear_map(source.features, p).detach(), wanted)


def test_the_random_map_keeps_inner_products_on_average():
    torch.manual_seed(0)
    loss = ConditionalAdversarialLoss(
        6, 3, (8,), entropy_weights=False, n_random=17, bsp_weight=0.0
    )
    assert loss.randomized
    wide = ConditionalAdversarialLoss(
        40, 3, (8,), entropy_weights=True, n_random=60, bsp_weight=0.0
    ).double()
    source, _ = domain_batches(d=40)
    exact = multilinear_map(source.features, torch.softmax(source.logits, dim=1))
    draws = []
    for _ in range(400):
        wide.map_features.normal_()
        wide.map_classes.normal_()
        m = wide.discriminator_input(source)
        draws.append((m[0] @ m[1]).item())
    wanted = (exact[0] @ exact[1]).item()
    assert abs(np.mean(draws) - wanted) < 4 * np.std(draws) / np.sqrt(len(draws))


def test_entropy_weights_have_mean_one_and_prefer_certain_rows():
    source, target = domain_batches()
    loss = ConditionalAdversarialLoss(3, 3, (8,), entropy_weights=True, n_random=99, bsp_weight=0.0)
    for batch, w in zip((source, target), loss.row_weights(source, target), strict=True):
        p = softmax(batch.logits.detach().numpy())
        entropy = -(p * np.log(p)).sum(axis=1)
        assert w.mean().item() == pytest.approx(1.0)
        assert np.argmax(w.numpy()) == np.argmin(entropy)


def test_the_adversary_sends_features_the_reversed_gradient():
    source, target = domain_batches()
    loss = AdversarialLoss(3, (8,)).double()
    plain = domain_loss(*(loss.discriminator(batch.features) for batch in (source, target)))
    wanted = torch.autograd.grad(plain, (source.features, target.features))
    of_discriminator = torch.autograd.grad(
        domain_loss(*(loss.discriminator(batch.features) for batch in (source, target))),
        list(loss.discriminator.parameters()),
    )
    reversed_loss = loss.weighted(source, target, 0.3)
    assert reversed_loss.item() == pytest.approx(plain.item())
    reversed_loss.backward()
    for batch, gradient in zip((source, target), wanted, strict=True):
        torch.testing.assert_close(batch.features.grad, -0.3 * gradient)
    for p, gradient in zip(loss.discriminator.parameters(), of_discriminator, strict=True):
        torch.testing.assert_close(p.grad, gradient)


def test_domain_loss_is_the_logistic_loss_with_equal_domain_batches():
    s, t = torch.tensor([[1.0], [-2.0], [0.5]]), torch.tensor([[0.3]])
    sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    wanted = -0.5 * (
        np.mean(np.log(sigmoid(np.array([1.0, -2.0, 0.5])))) + np.log(1 - sigmoid(0.3))
    )
    assert domain_loss(s, t).item() == pytest.approx(wanted, abs=1e-6)


def test_spectral_penalty_is_the_square_of_the_spectral_norms():
    source, target = domain_batches()
    wanted = sum(np.linalg.norm(f, 2) ** 2 for f in arrays(source.features, target.features))
    assert spectral_penalty(source.features, target.features).item() == pytest.approx(wanted)


def test_joint_transport_plan_is_pots():
    ot = pytest.importorskip("ot")
    source, target = domain_batches()
    cost = joint_cost(source, target, 0.2)
    (fs, ft), (zt,) = arrays(source.features, target.features), arrays(target.logits)
    log_p = np.log(softmax(zt))
    wanted_cost = np.array(
        [
            [0.2 * ((a - b) ** 2).sum() - log_p[j, c] for j, b in enumerate(ft)]
            for a, c in zip(fs, source.y.tolist(), strict=True)
        ]
    )
    np.testing.assert_allclose(cost.detach(), wanted_cost, atol=1e-10)
    plan = ot.emd(np.full(7, 1 / 7), np.full(5, 1 / 5), wanted_cost)
    np.testing.assert_allclose(transport_plan(cost), plan, atol=1e-12)
    loss = JointTransportLoss(0.2, None)(source, target)
    assert loss.item() == pytest.approx((plan * wanted_cost).sum(), abs=1e-10)


def test_unbalanced_joint_transport_plan_is_pots():
    ot = pytest.importorskip("ot")
    cost = joint_cost(*domain_batches(), 0.2).detach()
    uniform = np.full(7, 1 / 7), np.full(5, 1 / 5)
    wanted = ot.unbalanced.sinkhorn_unbalanced(
        *uniform, cost.numpy(), reg=0.05 * 0.8, reg_m=0.8, reg_type="kl", stopThr=1e-12
    )
    assert wanted.sum() < 0.9  # mass stays where it is
    np.testing.assert_allclose(transport_plan(cost, 0.8), wanted, atol=1e-3)


def test_the_marginals_become_those_of_the_balanced_plan_as_their_weight_grows():
    cost = joint_cost(*domain_batches(), 0.2).detach()
    masses = [transport_plan(cost, weight).sum().item() for weight in (0.1, 1.0, 100.0)]
    assert masses[0] < masses[1] < masses[2] < 1.01 and masses[2] > 0.95


def test_the_penalty_vanishes_for_a_critic_of_slope_one():
    critic = torch.nn.Linear(3, 1)
    with torch.no_grad():
        critic.weight.copy_(torch.tensor([[0.6, 0.0, 0.8]]))
    s, t = torch.randn(5, 3), torch.randn(5, 3)
    assert gradient_penalty(critic, s, t, torch.rand(5, 1)).item() == pytest.approx(0, abs=1e-10)
    with torch.no_grad():
        critic.weight.mul_(3.0)
    assert gradient_penalty(critic, s, t, torch.rand(5, 1)).item() == pytest.approx(4, abs=1e-4)


def test_the_penalty_is_taken_at_both_domains_and_between_them():
    critic = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    critic = critic.double()
    rng = torch.Generator().manual_seed(0)
    s, t, mix = (
        torch.rand(n, d, generator=rng, dtype=torch.float64) for n, d in ((7, 2), (5, 2), (5, 1))
    )
    terms = []
    for x in (*s, *t, *(mix * s[:5] + (1 - mix) * t)):
        steps = 1e-6 * torch.eye(2, dtype=torch.float64)
        slopes = [(critic(x + e) - critic(x - e)).item() / 2e-6 for e in steps]
        terms.append((np.hypot(*slopes) - 1) ** 2)
    assert len(terms) == 17
    assert gradient_penalty(critic, s, t, mix).item() == pytest.approx(np.mean(terms), rel=1e-6)


def test_the_critic_finds_the_distance_of_shifted_clouds_and_leaves_no_gradient():
    torch.manual_seed(0)
    loss = WassersteinLoss(2, (16,), n_critic=300, critic_lr=1e-2, penalty=10.0)
    source, target = domain_batches(n=64, m=64, d=2)
    shifted = target._replace(features=source.features.detach() + torch.tensor([3.0, 4.0]))
    both = [batch._replace(features=batch.features.float()) for batch in (source, shifted)]
    loss.before_step(*both)
    assert all(p.grad is None for p in loss.critic.parameters())
    distance = loss(*both)
    assert distance.item() == pytest.approx(
        6.25, rel=0.05
    )  # slope 1 + 5/20 wins 5 · slope − 10 (slope − 1)²
    distance.backward()
    assert all(p.grad is None for p in loss.critic.parameters())
    assert source.features.grad.abs().sum() > 0


def test_classifier_discrepancy_moves_heads_and_features_against_each_other():
    torch.manual_seed(0)
    head = torch.nn.Linear(3, 3).double()
    loss = ClassifierDiscrepancyLoss(head)
    assert not torch.equal(loss.other.weight, head.weight)
    source, target = domain_batches()
    gap = discrepancy(head(target.features), loss.other(target.features))
    to_features, to_head = torch.autograd.grad(gap, (target.features, head.weight))
    found = loss(source, target, 0.3)
    wanted = torch.nn.functional.cross_entropy(loss.other(source.features), source.y) - gap
    assert found.item() == pytest.approx(wanted.item())
    found.backward()
    torch.testing.assert_close(target.features.grad, 0.3 * to_features)
    torch.testing.assert_close(head.weight.grad, -to_head)


def test_feature_norm_losses():
    f = torch.tensor([[3.0, 4.0], [0.0, 2.0]], requires_grad=True)
    stepwise = norm_loss(f, 0.5, None)
    assert stepwise.item() == pytest.approx(0.25)
    stepwise.backward()
    torch.testing.assert_close(f.grad[0], torch.tensor([-0.3, -0.4]))  # descent lengthens
    assert norm_loss(f, 0.5, 10.0).item() == pytest.approx((3.5 - 10) ** 2)


def test_information_loss_prefers_certain_and_diverse_predictions():
    certain, same = 50 * torch.eye(3), 50 * torch.eye(3)[[0, 0, 0]]
    assert information_loss(certain).item() == pytest.approx(-np.log(3), abs=1e-5)
    assert information_loss(same).item() == pytest.approx(0.0, abs=1e-5)
    assert information_loss(torch.zeros(4, 3)).item() == pytest.approx(0.0, abs=1e-5)


def test_centroid_labels_follow_the_clusters_and_skip_empty_classes():
    features = torch.tensor([[5.0, 0.1], [4.0, 0.0], [0.1, 3.0], [0.0, 5.0]])
    p = torch.tensor([[0.6, 0.4, 0.0], [0.9, 0.1, 0.0], [0.4, 0.6, 0.0], [0.55, 0.45, 0.0]])
    assert centroid_labels(features, p).tolist() == [0, 0, 1, 1]


def test_a_frozen_call_has_gradients_for_its_input_alone():
    layer = torch.nn.Linear(2, 1)
    x = torch.ones(1, 2, requires_grad=True)
    frozen_call(layer, x).sum().backward()
    assert layer.weight.grad is None
    torch.testing.assert_close(x.grad, layer.weight.detach())


def test_the_head_is_what_the_features_do_not_depend_on():
    assert head_parameters(MLP(3, 2, batch_norm=True), torch.ones(2, 3)) == [
        "head.weight",
        "head.bias",
    ]
