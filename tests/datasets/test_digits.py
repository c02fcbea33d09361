"""The digits of the second scanner are a real task that matching moments makes easier."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from skda.datasets import load_digits_scanners
from skda.datasets._digits import second_scanner


def test_source_images_are_the_real_ones_and_none_is_in_both_domains():
    X, y, sample_domain = load_digits_scanners()
    images, digits = load_digits(return_X_y=True)
    assert X.shape == (1797, 64) and X.min() >= 0 and X.max() <= 16
    assert np.array_equal(np.unique(sample_domain, return_counts=True)[1], [899, 898])
    assert np.array_equal(np.bincount(y), np.bincount(digits))

    source = {(*image, digit) for image, digit in zip(X[:898], y[:898], strict=True)}
    seen_once = {(*image, digit) for image, digit in zip(images, digits, strict=True)}
    assert len(source) == 898 and source < seen_once
    order = np.random.RandomState(0).permutation(1797)
    np.testing.assert_array_equal(y, digits[order])


def test_same_seed_same_images():
    once, again, other = (load_digits_scanners(random_state=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(once[0], again[0])
    assert not np.array_equal(once[0], other[0])


def test_second_scanner_dims_the_right_and_keeps_the_mean_image_smooth():
    white = np.full((500, 8, 8), 16.0)
    seen = second_scanner(white, np.random.RandomState(0)).mean(axis=0)
    expected = 16 * (0.15 + 0.7 * np.linspace(1, 0.5, 8))
    np.testing.assert_allclose(seen, np.broadcast_to(expected, (8, 8)), atol=0.1)


def color(rows, power):
    values, vectors = np.linalg.eigh(np.cov(rows.T) + 1e-3 * np.eye(rows.shape[1]))
    return (vectors * values**power) @ vectors.T


@pytest.mark.parametrize("seed", range(3))
def test_matching_moments_wins_back_most_of_what_is_lost(seed):
    X, y, _ = load_digits_scanners(random_state=seed)
    X = X / 16
    Xs, ys, Xt, yt = X[:898], y[:898], X[898:], y[898:]
    model = LogisticRegression(max_iter=1000)
    mapped = (Xs - Xs.mean(axis=0)) @ color(Xs, -0.5) @ color(Xt, 0.5) + Xt.mean(axis=0)
    source_only = model.fit(Xs, ys).score(Xt, yt)
    adapted = model.fit(mapped, ys).score(Xt, yt)
    ceiling = model.fit(Xt[:450], yt[:450]).score(Xt[450:], yt[450:])
    assert source_only < 0.6
    assert adapted > source_only + 0.7 * (ceiling - source_only)
