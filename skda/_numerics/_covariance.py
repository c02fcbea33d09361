"""Moments and covariances: tiled, streamed, merged and shrunk."""

from typing import Any, NamedTuple

from .._array._backend import device_of, itemsize, namespace
from .._array._rows import row_tiles
from ._linalg import _trace


class Moments(NamedTuple):
    """Count, mean, scatter, and what the Ledoit-Wolf intensity needs beyond, or None.

    ``quartic`` is the sum of the fourth powers of the norms of the centered rows c, and ``cubic``
    the sum of ``‖c‖² c``, without which the former could not be carried to another mean.
    """

    count: float  # type: ignore[assignment]  # hides tuple.count
    mean: Any
    scatter: Any
    quartic: float | None
    cubic: Any = None

    def at(self, move):
        """Return these with their arrays passed through ``move``."""
        cubic = None if self.cubic is None else move(self.cubic)
        return self._replace(mean=move(self.mean), scatter=move(self.scatter), cubic=cubic)

    def merge(self, new):
        """Return the moments of these rows and other ones together."""
        return merge_moments(self, new)


def moments(X, *, mean=None, quartic=False) -> Moments:
    """Count, mean and scatter ``(X - mean)ᵀ(X - mean)`` of the rows, without a centered copy of X.

    Rows are centered a cache-sized tile at a time, so that the accuracy is the two-pass one at
    nearly the cost of a bare ``XᵀX``.
    """
    xp = namespace(X)
    n, d = X.shape
    if mean is None:
        mean = xp.mean(X, axis=0)
    # The d x d accumulator is touched once a tile, so tiles hold a few times d rows.
    tiles = row_tiles(n, d * itemsize(X), least=max(256, 4 * d))
    scatter, fourth, third = None, 0.0, None
    for rows in tiles:
        C = X[rows, :] - mean
        S = C.T @ C
        if scatter is None:
            scatter = S
        else:
            scatter += S
        if quartic:
            squares = xp.sum(C * C, axis=1)
            fourth = fourth + xp.sum(squares**2)
            third = squares @ C if third is None else third + squares @ C
    return Moments(float(n), mean, scatter, float(fourth) if quartic else None, third)


def merge_moments(old: Moments, new: Moments, *, forgetting_factor=1.0) -> Moments:
    """Moments of two batches of rows together (Chan, Golub and LeVeque 1983).

    ``forgetting_factor`` in (0, 1] multiplies the weight of every old row; 1 forgets nothing.
    """
    xp = namespace(old.mean, new.mean)
    weight = forgetting_factor * old.count
    count = weight + new.count
    step = new.mean - old.mean
    mean = old.mean + step * (new.count / count)
    column = xp.reshape(step, (-1, 1))
    # Old rows lose weight in the scatter as they do in the count.
    scatter = old.scatter * forgetting_factor + new.scatter
    # What the distance between the two means adds.
    scatter = scatter + (column * (weight * new.count / count)) @ column.T
    if old.cubic is None or new.cubic is None:
        return Moments(count, mean, scatter, None)
    quartics, cubics = zip(about_mean(old, mean), about_mean(new, mean), strict=True)
    quartic = quartics[0] * forgetting_factor + quartics[1]
    return Moments(count, mean, scatter, quartic, cubics[0] * forgetting_factor + cubics[1])


def about_mean(m: Moments, mean):
    """Return ``quartic`` and ``cubic`` of the rows about another mean.

    With ``c + δ`` in place of c, the sums of ``‖c‖⁴`` and ``‖c‖² c`` are multiplied out; that of c
    is zero.
    """
    xp = namespace(m.mean)
    step = m.mean - mean
    square, trace = xp.sum(step * step), _trace(m.scatter)
    along = m.scatter @ step
    quartic = m.quartic + 4.0 * float(xp.sum(step * along)) + m.count * float(square) ** 2  # type: ignore[operator]
    quartic += 4.0 * float(xp.sum(m.cubic * step)) + 2.0 * trace * float(square)
    return quartic, m.cubic + step * trace + 2.0 * along + step * (m.count * square)


class ScatterSums(NamedTuple):
    """What the shrinkage intensities need to know of a scatter matrix."""

    count: float  # type: ignore[assignment]  # hides tuple.count
    n_features: int
    trace: float
    squared_norm: float
    quartic: float | None


def scatter_sums(m: Moments) -> ScatterSums:
    """Sums over a scatter matrix."""
    squared_norm = float(namespace(m.scatter).sum(m.scatter * m.scatter))
    return ScatterSums(m.count, m.scatter.shape[0], _trace(m.scatter), squared_norm, m.quartic)


def gram_sums(gram, n_features) -> ScatterSums:
    """Sums over the scatter matrix of centered rows, from their Gram matrix."""
    xp = namespace(gram)
    lengths = xp.linalg.diagonal(gram)
    # ‖XᵀX‖ and ‖XXᵀ‖ are equal in the Frobenius norm, so that no d x d matrix is needed.
    squared_norm, quartic = float(xp.sum(gram * gram)), float(xp.sum(lengths * lengths))
    return ScatterSums(gram.shape[0], n_features, float(xp.sum(lengths)), squared_norm, quartic)


def ledoit_wolf_intensity(sums: ScatterSums) -> float:
    """Shrinkage intensity of Ledoit and Wolf (2004) from the moments of one batch of rows."""
    n, d, trace, squared_norm, quartic = sums
    if quartic is None:
        raise ValueError(
            "shrinkage='ledoit-wolf' needs moments(..., quartic=True) of all rows; these are "
            "without. Use 'oas' or a float between 0 and 1."
        )
    squared_norm, mu = squared_norm / n**2, trace / (n * d)
    spread = (quartic / n - squared_norm) / (d * n)
    distance = squared_norm / d - mu**2
    # By definition not more than the distance; the estimate may be.
    spread = min(spread, distance)
    # 0 / 0 where the covariance is a multiple of the identity: nothing to shrink.
    return 0.0 if spread <= 0 else spread / distance


def oas_intensity(sums: ScatterSums) -> float:
    """Oracle-approximating shrinkage intensity of Chen et al. (2010), in scikit-learn's form."""
    n, d, trace, squared_norm, _ = sums
    mu2 = (trace / (n * d)) ** 2
    alpha = squared_norm / (d * n) ** 2
    denominator = (n + 1.0) * (alpha - mu2 / d)
    # Already a multiple of the identity, which full shrinkage does not change.
    return 1.0 if denominator <= 0 else min((alpha + mu2) / denominator, 1.0)


SHRINKAGE_RULES = {"ledoit-wolf": ledoit_wolf_intensity, "oas": oas_intensity}


def _identity_times(C, value):
    xp = namespace(C)
    return xp.eye(C.shape[0], dtype=C.dtype, device=device_of(C)) * value


def covariance_from_moments(m: Moments, *, shrinkage=None, ddof=1):
    """Covariance ``scatter / (count - ddof)``, shrunk towards its mean variance times the identity.

    ``shrinkage`` is None, a float in [0, 1], ``"ledoit-wolf"`` or ``"oas"``.
    """
    # A single row has scatter zero, and the same covariance.
    C = m.scatter / max(m.count - ddof, 1.0)
    if shrinkage is None:
        return C
    if isinstance(shrinkage, str):
        if shrinkage not in SHRINKAGE_RULES:
            raise ValueError(
                "shrinkage must be None, a float in [0, 1] or one of "
                f"{sorted(SHRINKAGE_RULES)}; got {shrinkage!r}."
            )
        shrinkage = SHRINKAGE_RULES[shrinkage](scatter_sums(m))
    if not 0 <= shrinkage <= 1:
        raise ValueError(f"shrinkage must be between 0 and 1; got {shrinkage!r}.")
    target = _trace(C) / C.shape[0]
    return C * (1.0 - shrinkage) + _identity_times(C, shrinkage * target)


def covariance(X, *, mean=None, shrinkage=None, ddof=1):
    """Covariance of the rows of X, see :func:`covariance_from_moments`."""
    # The fourth powers are one more pass over the rows, for one rule only.
    m = moments(X, mean=mean, quartic=shrinkage == "ledoit-wolf")
    return covariance_from_moments(m, shrinkage=shrinkage, ddof=ddof)
