"""Division that zeros do not spoil."""

import numpy as np

from skda._array._arithmetic import safe_divide


def test_division_is_exact_where_it_is_defined_and_filled_elsewhere(xp):
    x, y = np.array([[1.0, 2.0], [3.0, 0.0]]), np.array([[2.0], [0.0]])
    quotient = xp.to_numpy(safe_divide(xp.asarray(x), xp.asarray(y), fill=-1.0))
    np.testing.assert_array_equal(quotient, [[0.5, 1.0], [-1.0, -1.0]])
