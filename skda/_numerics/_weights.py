"""What the weights of rows are worth."""

from .._array._backend import namespace


def effective_sample_size(weights):
    """Kish's ``(sum w)² / sum w²``: as many equally weighted rows have the same variance.

    0 where all weights are.
    """
    xp = namespace(weights)
    squares = float(xp.sum(weights * weights))
    return float(xp.sum(weights)) ** 2 / squares if squares > 0 else 0.0
