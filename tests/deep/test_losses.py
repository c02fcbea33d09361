"""The alignment losses against brute force, and their gradients against finite differences."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("skorch")

from skda.deep._dan import MMDLoss, mmd_weights  # noqa: E402
from skda.deep._deep_coral import CORALLoss, coral_loss  # noqa: E402
from skda.deep._modules import reverse_gradient  # noqa: E402
from skda.deep._training import DomainBatch  # noqa: E402


def domain_batches(n=7, m=5, d=3, n_classes=3, seed=0):
    """A source and a target batch in double precision, with gradients."""
    rng = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=rng, dtype=torch.float64).requires_grad_()

    y = torch.randint(n_classes, (n,), generator=rng)
    return DomainBatch(draw(n, d), draw(n, n_classes), y), DomainBatch(
        draw(m, d), draw(m, n_classes)
    )


def gaussian_mixture(x, y, gamma, n_kernels):
    d2 = sum((a - b) ** 2 for a, b in zip(x, y, strict=True))
    exponents = range(-(n_kernels // 2), n_kernels - n_kernels // 2)
    return np.mean([np.exp(-gamma * 2.0**j * d2) for j in exponents])


def brute_force_mmd(s, t, gamma, n_kernels, estimate):
    def k(x, y):
        return gaussian_mixture(x, y, gamma, n_kernels)

    n, m = len(s), len(t)
    if estimate == "linear":
        h = min(n, m) // 2
        terms = [
            k(s[i], s[h + i]) + k(t[i], t[h + i]) - k(s[i], t[h + i]) - k(s[h + i], t[i])
            for i in range(h)
        ]
        return np.mean(terms)
    same = [(s, n), (t, m)]
    total = -2 * np.mean([k(x, y) for x in s for y in t])
    for rows, size in same:
        pairs = [
            k(rows[i], rows[j])
            for i in range(size)
            for j in range(size)
            if estimate == "biased" or i != j
        ]
        total += np.mean(pairs)
    return total


@pytest.mark.parametrize("estimate", ["unbiased", "biased", "linear"])
@pytest.mark.parametrize("n_kernels", [1, 5])
def test_mmd_is_the_brute_force_sum_over_pairs(estimate, n_kernels):
    source, target = domain_batches()
    found = MMDLoss(n_kernels, 0.3, estimate)(source, target).item()
    s, t = (batch.features.detach().numpy() for batch in (source, target))
    wanted = brute_force_mmd(s, t, 0.3, n_kernels, estimate)
    assert found == pytest.approx(wanted, abs=1e-10)


def test_mmd_takes_the_median_distance_for_the_bandwidth():
    source, target = domain_batches(n=6, m=4)
    z = torch.cat([source.features, target.features]).detach().numpy()
    d2 = np.array([np.sum((a - b) ** 2) for i, a in enumerate(z) for b in z[i + 1 :]])
    d2 = np.sort(np.r_[d2, d2])
    median2 = d2[(len(d2) - 1) // 2]  # torch takes the lower of the two middle values
    found = MMDLoss(gamma="median")(source, target).item()
    assert found == pytest.approx(MMDLoss(gamma=0.5 / median2)(source, target).item(), abs=1e-10)


@pytest.mark.parametrize("estimate", ["unbiased", "biased", "linear"])
def test_mmd_gradient_agrees_with_finite_differences(estimate):
    source, target = domain_batches()
    loss = MMDLoss(3, 0.3, estimate)

    def value(s, t):
        return loss(DomainBatch(s, None), DomainBatch(t, None))

    assert torch.autograd.gradcheck(value, (source.features, target.features))


def test_unbiased_mmd_is_zero_on_average_where_the_domains_agree():
    rng = torch.Generator().manual_seed(0)
    loss = MMDLoss(5, 0.2)
    draws = [
        loss(*(DomainBatch(torch.randn(20, 2, generator=rng), None) for _ in range(2))).item()
        for _ in range(300)
    ]
    assert abs(np.mean(draws)) < 3 * np.std(draws) / np.sqrt(300)


@pytest.mark.parametrize("n, m", [(1, 1), (1, 4), (3, 1)])
def test_losses_of_a_row_or_two_are_finite(n, m):
    source, target = domain_batches(n, m)
    for loss in (MMDLoss(), MMDLoss(estimate="biased"), MMDLoss(estimate="linear"), CORALLoss()):
        assert torch.isfinite(loss(source, target))


def test_losses_of_equal_rows_have_finite_gradients():
    for loss in (MMDLoss(), MMDLoss(estimate="linear"), CORALLoss()):
        ones = torch.ones(4, 3).requires_grad_()
        loss(DomainBatch(ones, None), DomainBatch(torch.ones(4, 3), None)).backward()
        assert torch.isfinite(ones.grad).all()


def test_mmd_weights_sum_to_nothing():
    for biased in (True, False):
        weights = mmd_weights(5, 3, biased=biased, like=torch.zeros(1, dtype=torch.float64))
        assert weights.sum().item() == pytest.approx(0.0, abs=1e-12)


def test_coral_loss_compares_covariances_of_features_not_of_rows():
    source, target = domain_batches(n=9, m=6, d=4)
    s, t = (batch.features.detach().numpy() for batch in (source, target))
    difference = np.cov(s, rowvar=False) - np.cov(t, rowvar=False)
    wanted = (difference**2).sum() / (4 * 4**2)
    assert coral_loss(source.features, target.features).item() == pytest.approx(wanted, abs=1e-12)
    assert torch.autograd.gradcheck(coral_loss, (source.features, target.features))


def test_reversal_keeps_values_and_flips_and_scales_gradients():
    x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    y = reverse_gradient(x, 0.7)
    assert torch.equal(x, y)
    (y**3).sum().backward()
    assert torch.equal(x.grad, -0.7 * (3 * x.detach() ** 2))
