"""InfoNCE against a brute-force sum, and its limits."""

import math

import pytest
import torch

from skda.deep._contrastive import info_nce


def by_brute_force(a, b, temperature):
    """Return the loss, pair by pair."""

    def alike(u, v):
        return math.exp(float(u @ v) / (float(u.norm()) * float(v.norm())) / temperature)

    n = len(a)
    losses = []
    for i in range(n):
        right = alike(a[i], b[i])
        losses.append(-math.log(right / sum(alike(a[i], b[j]) for j in range(n))))
        losses.append(-math.log(right / sum(alike(a[j], b[i]) for j in range(n))))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_matches_the_sum_over_all_pairs(temperature):
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 7, 3, dtype=torch.float64, generator=generator)
    loss = float(info_nce(a, b, temperature))
    assert loss == pytest.approx(by_brute_force(a, b, temperature), rel=1e-10)


def test_the_scale_of_a_description_does_not_count_and_neither_does_the_side():
    generator = torch.Generator().manual_seed(1)
    a, b = torch.randn(2, 5, 4, dtype=torch.float64, generator=generator)
    loss = info_nce(a, b, 0.5)
    torch.testing.assert_close(info_nce(10 * a, b / 3, 0.5), loss)
    torch.testing.assert_close(info_nce(b, a, 0.5), loss)


def test_is_the_log_of_the_rows_where_all_are_alike_and_0_where_each_finds_its_partner():
    alike = torch.ones(6, 3)
    assert float(info_nce(alike, alike, 0.1)) == pytest.approx(math.log(6))
    apart = torch.eye(6)
    assert float(info_nce(apart, apart, 0.01)) == pytest.approx(0.0, abs=1e-6)


def test_rows_of_zeros_have_finite_gradients():
    a = torch.zeros(3, 2, requires_grad=True)
    info_nce(a, torch.randn(3, 2), 0.1).backward()
    assert torch.isfinite(a.grad).all()
