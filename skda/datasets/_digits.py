"""Real handwritten digits, half of them seen a second time by a poorer, simulated scanner."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d
from sklearn.datasets import load_digits
from sklearn.utils import check_random_state

from .._core._stack import stack_domains
from .._core._typing import RandomState

WHITE = 16.0  # gray levels of the digits run from 0 to 16


def second_scanner(images, rng):
    """Degrade images of shape (n, 8, 8) as a cheap line scanner would.

    The sheet moves while a line is exposed (blur along the rows), the lamp is dimmer on the right,
    the contrast is low and black is gray; each line has an offset error of its own, and each pixel
    a little noise. The result is digitized again to the levels 0 to 16.
    """
    # The numbers are chosen, not measured: a source-only model loses about half of its accuracy,
    # and most of the degradation is an affine map, which some methods can undo.
    seen = gaussian_filter1d(images / WHITE, sigma=1.5, axis=2)
    lamp = np.linspace(1.0, 0.5, images.shape[2])
    seen = 0.15 + 0.7 * lamp * seen
    seen += rng.normal(scale=0.03, size=(*images.shape[:2], 1))
    seen += rng.normal(scale=0.02, size=images.shape)
    return np.round(WHITE * np.clip(seen, 0, 1))


def load_digits_scanners(
    *, random_state: RandomState = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Load scikit-learn's digits, half of the images seen by a second, simulated scanner.

    The images are real: 1797 handwritten digits of 8 by 8 pixels. **The second scanner is
    simulated.** Half of the images, chosen at random, keep their pixels and are the source. The
    others go through a documented degradation and are the target; no image is in both domains.

    Parameters
    ----------
    random_state : int, RandomState instance or None, default=0
        Seed of the choice of images and of the second scanner's noise.

    Returns
    -------
    X : ndarray of shape (1797, 64)
        Gray levels of the pixels, row by row, from 0 to 16: source images, then target images.
    y : ndarray of shape (1797,)
        The digits, 0 to 9, of all images, the target's included.
    sample_domain : ndarray of shape (1797,)
        1 for the 898 source images, -2 for the 899 target images.

    See Also
    --------
    make_covariate_shift : Simulated data in which P(X) differs.
    make_conditional_shift : Simulated data in which P(y | X) differs.
    sklearn.datasets.load_digits : The images without a second scanner.

    Notes
    -----
    With gray levels scaled to [0, 1], a target image is blurred along its rows by a Gaussian of
    1.5 pixels, dimmed linearly from 1 at the left edge to 0.5 at the right, and compressed to
    0.15 + 0.7 times itself. Every line of the image gets a random offset from N(0, 0.03²), every
    pixel one from N(0, 0.02²); the result is clipped and rounded to 17 gray levels. All but the
    noise, the clipping and the rounding is one affine map of the pixels, so that a map that matches
    means and covariances, such as :class:`~skda.CORALTransformer`, can undo a good part of it.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skda.datasets import load_digits_scanners
    >>> X, y, sample_domain = load_digits_scanners()
    >>> source, target = sample_domain > 0, sample_domain < 0
    >>> model = LogisticRegression(max_iter=1000).fit(X[source] / 16, y[source])
    >>> round(model.score(X[target] / 16, y[target]), 2)
    0.5
    """
    rng = check_random_state(random_state)
    images, digits = load_digits(return_X_y=True)
    order = rng.permutation(len(digits))
    source, target = order[: len(order) // 2], order[len(order) // 2 :]
    X_target = second_scanner(images[target].reshape(-1, 8, 8), rng).reshape(-1, 64)
    return stack_domains(images[source], digits[source], X_target, digits[target])  # type: ignore[return-value]
