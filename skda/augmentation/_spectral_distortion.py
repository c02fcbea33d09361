"""Distortions of spectra: base line, scatter, and a shift along the channels."""

from __future__ import annotations

import numpy as np
from numpy.polynomial import legendre

from .._array._backend import as_like, backend_of, namespace
from .._core._param_checks import check_integer, check_real
from .._core._typing import ArrayLike
from ._base_augmenter import BaseAugmenter, as_floats


def shifted(x, shift):
    """Return rows moved along their columns, interpolated linearly; the ends stay constant.

    Parameters
    ----------
    x : array of shape (n, d)
        Rows.
    shift : ndarray of shape (n,)
        By how many columns each row moves to the right.
    """
    xp, backend = namespace(x), backend_of(x)
    n, d = x.shape
    place = np.clip(np.arange(d) - shift[:, None], 0.0, d - 1.0)
    left = np.minimum(np.floor(place), max(d - 2, 0)).astype(np.int64)
    weight = as_like(place - left, x)
    # Rows of indices into all values, since not every library takes along an axis.
    flat, first = xp.reshape(x, (-1,)), np.arange(n)[:, None] * d

    def at(columns):
        index = backend.asarray((first + np.minimum(columns, d - 1)).ravel())
        return xp.reshape(xp.take(flat, index), (n, d))

    return (1.0 - weight) * at(left) + weight * at(left + 1)


class SpectralDistortionAugmenter(BaseAugmenter):
    r"""Distort spectra as other instruments and samples do: base line, scatter, shift of channels.

    Spectra of one substance differ by the light that particles scatter, by the lamp and by the
    grating. Copies with random distortions of these kinds teach a calibration to rely on what none
    of them changes.

    Parameters
    ----------
    baseline : float, default=0.1
        Standard deviation of the coefficients of a polynomial that is added to each spectrum, in
        units of the signal (see `signal_`). 0: no base line.
    degree : int, default=2
        Degree of that polynomial: 0 is an offset, 1 adds a slope, 2 a curvature.
    scatter : float, default=0.1
        Standard deviation of the logarithm of a factor for the whole spectrum, as multiplicative
        scatter correction (MSC) would estimate it. 0: no factor.
    shift : float, default=0.5
        Standard deviation of a shift along the channels, in channels. 0: no shift.
    columns : array-like of int or str, default=None
        The channels, by position or by name, in the order of the table. None: all columns of
        numbers.

    Attributes
    ----------
    columns_ : list of int
        Positions of the channels.
    signal_ : float
        Standard deviation along the channels of a spectrum, root mean square over source rows.
    n_features_in_ : int
        Number of features of `X`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, if `X` has string names.

    See Also
    --------
    AugmentedEstimator : Fits an estimator on source rows and such copies of them.
    DirectStandardizationTransformer : Maps one instrument on another by paired samples.

    Notes
    -----
    :math:`x'(u) = e^{a}\, x(u - t) + \text{signal} \sum_k b_k P_k(u)` with normal a, t and
    :math:`b_k` for each spectrum, and Legendre polynomials :math:`P_k` on channels scaled to
    [-1, 1] [1]_. Shifted spectra are interpolated linearly and constant beyond their ends. Missing
    values stay missing, and a value that would need a missing one is not shifted. The cost is
    linear in the rows. Array level (b): distortions are simulated in NumPy on the host, rows are
    changed where they are.

    References
    ----------
    .. [1] Bjerrum, Glahder, Skov. Data augmentation of spectral data for convolutional neural
       network (CNN) based deep chemometrics. 2017. arXiv:1710.01927

    Examples
    --------
    >>> import numpy as np
    >>> from skda import SpectralDistortionAugmenter
    >>> X = np.sin(np.linspace(1, 3, 50))[None, :].repeat(200, axis=0)
    >>> augmenter = SpectralDistortionAugmenter(baseline=0.0, scatter=0.1, shift=0.0)
    >>> copies = augmenter.fit(X, sample_domain=np.ones(200)).augment(X, random_state=0)
    >>> (copies / X)[0].std().round(6), np.log((copies / X)[:, 1]).std().round(1)
    (np.float64(0.0), np.float64(0.1))
    """

    def __init__(
        self,
        baseline: float = 0.1,
        *,
        degree: int = 2,
        scatter: float = 0.1,
        shift: float = 0.5,
        columns: ArrayLike | None = None,
    ):
        self.baseline = baseline
        self.degree = degree
        self.scatter = scatter
        self.shift = shift
        self.columns = columns

    def _check_params(self):
        for name in ("baseline", "scatter", "shift"):
            check_real(name, getattr(self, name), low=0, hint="0 leaves the rows as they are.")
        check_integer("degree", self.degree, low=0)

    def _learn(self, values, ids):
        source = values[ids >= 0]
        known = ~np.isnan(source)
        count = np.maximum(known.sum(axis=1, keepdims=True), 1)
        mean = np.where(known, source, 0.0).sum(axis=1, keepdims=True) / count
        squares = np.where(known, (source - mean) ** 2, 0.0)
        self.signal_ = float(np.sqrt(squares.sum() / max(known.sum(), 1)))

    def _change(self, x, ids, rng):
        x, xp = as_floats(x), namespace(x)
        n, d = x.shape
        new = x
        if self.shift:
            moved = shifted(x, self.shift * rng.standard_normal(n))
            new = xp.where(xp.isnan(moved) | xp.isnan(x), x, moved)
        factor = np.exp(self.scatter * rng.standard_normal((n, 1)))
        coef = self.baseline * self.signal_ * rng.standard_normal((n, self.degree + 1))
        polynomials = legendre.legvander(np.linspace(-1.0, 1.0, d), self.degree)
        return as_like(factor, x) * new + as_like(coef @ polynomials.T, x)
