"""E-factors have mean 1, and detectors are the sums of products that they claim to be."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skda.monitoring import _evidence
from skda.monitoring._evidence import N_FACTORS, Detectors, Trace, e_factors


def test_e_factors_integrate_to_one_and_are_positive():
    # Squares crowd towards 0, and their mirror images towards 1, where two of the factors rise.
    t = (np.arange(200_000) + 0.5) / 200_000
    left = e_factors(t[:, None] ** 2)[..., 0] * 2 * t[:, None]
    assert_allclose(left.mean(axis=0)[:-1], 1.0, atol=1e-4)
    right = e_factors(1 - t[:, None] ** 2)[..., 0] * 2 * t[:, None]
    assert_allclose(right.mean(axis=0)[-1], 1.0, atol=1e-4)
    assert e_factors(t[:, None]).min() > 0
    assert np.isfinite(e_factors(np.array([[0.0], [1.0]]))).all()


def sum_of_products(e, weights):
    """Return Σ_k weight_k e_k ⋯ e_n for every n."""
    n = len(e)
    return [sum(weights[k] * np.prod(e[k : i + 1]) for k in range(i + 1)) for i in range(n)]


@pytest.mark.parametrize("ever", [False, True])
def test_a_detector_is_the_sum_over_all_starts(ever):
    p = np.random.default_rng(0).random((30, 2))
    e = e_factors(p)
    rows = np.arange(30)
    weights = 1 / ((rows + 1.0) * (rows + 2.0)) if ever else np.ones(30)
    detectors = Detectors(2, N_FACTORS, ever=ever)
    peaks, alarm = detectors.advance(lambda part: e[part], rows, np.inf)
    wanted = np.mean(
        [[sum_of_products(e[:, k, j], weights) for j in range(2)] for k in range(N_FACTORS)], axis=0
    )
    assert alarm is None
    assert_allclose(peaks, wanted.max(axis=0))
    assert_allclose(detectors.values(), wanted[:, -1])
    # The estimated start is the mean of the starts, by their parts of the sum.
    late = np.mean([sum_of_products(e[:, k, 1], weights * rows)[-1] for k in range(N_FACTORS)])
    assert_allclose(detectors.start(1), late / wanted[1, -1])


def test_an_alarm_stops_at_its_row_whatever_the_tiles(monkeypatch):
    e = e_factors(np.random.default_rng(0).random((200, 3)) ** 0.4)
    states = []
    for cells in (1, 500, 2**20):
        monkeypatch.setattr(_evidence, "_TILE_CELLS", cells)
        detectors = Detectors(3, N_FACTORS)
        peaks, alarm = detectors.advance(lambda part: e[part], np.arange(200), 1e4)
        assert len(peaks) == alarm + 1 and peaks[-1] >= 1e4 > peaks[:-1].max()
        states.append(detectors.state)
    assert_array_equal(states[0], states[1])
    assert_array_equal(states[0], states[2])


def test_rows_that_do_not_count_leave_a_detector_as_it_is():
    detectors = Detectors(2, 1)
    counts = np.array([[1.0, 0.0], [1.0, 0.0]])
    factors = np.ones((2, 1, 2))
    detectors.advance(lambda part: factors[part], np.arange(2), np.inf, counts=counts)
    assert_array_equal(detectors.values(), [2.0, 0.0])
    assert detectors.start(1) is None


def test_the_trace_is_bounded_and_keeps_the_largest_values():
    values = np.random.default_rng(0).random(20_000)
    at_once, in_parts = Trace(), Trace()
    at_once.extend(values)
    for part in np.split(values, [1, 8, 5000, 5003]):
        in_parts.extend(part)
    for trace in (at_once, in_parts):
        rows, points = trace.series()
        assert len(points) <= 4096 and rows[-1] == 19_999 and (np.diff(rows) > 0).all()
        assert points.max() == values.max()
    assert_array_equal(at_once.series(), in_parts.series())
