"""Spectra of corn on three instruments."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.io import loadmat

from .._core._param_checks import check_option
from ._bundle import Options, bundle
from ._download import Cache, RemoteFile, pinned

if TYPE_CHECKING:
    from sklearn.utils import Bunch

_DESCR = """\
Corn on three spectrometers
===========================

Near-infrared spectra of 80 samples of corn, each measured on three instruments, and four properties
of the samples. The standard set of calibration transfer.

Domains: the instruments m5, mp5 and mp6 (80 rows each). Row i of each is the same sample.

Features: absorbance at 700 wavelengths, 1100 to 2498 nm in steps of 2 nm.

Target: moisture, oil, protein or starch, in percent.

Source and license: measured at Cargill, made public by Eigenvector Research
(https://eigenvector.com/resources/data-sets/), here from a copy in the repository
B-Analytics/di-PLS. No license is stated for the data; the file thanks Mike Blackburn for letting it
be distributed.
"""

_FILE = RemoteFile(
    "corn.mat",
    (pinned("B-Analytics/di-PLS", "92659d0f3db0d661231f7bbc3e721fbb99c85e77", "data/corn.mat"),),
    "e28fd4be274a54ca57b1f2c67ef5a8bf4981f8314bcc73e4c64836fe658c46b5",
)
_INSTRUMENTS = ("m5", "mp5", "mp6")
_RESPONSES = ("moisture", "oil", "protein", "starch")
_WAVELENGTHS = range(1100, 2500, 2)


def fetch_corn(
    *,
    source: str | Sequence[str] | None = None,
    target: str | Sequence[str] | None = None,
    data_home: str | PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
    response: Literal["moisture", "oil", "protein", "starch"] = "moisture",
) -> Bunch | tuple[Any, ...]:
    """Fetch the corn data: spectra of the same samples on three instruments.

    Near-infrared spectra of 80 samples of corn and what they hold of water, oil, protein and
    starch. Each sample was measured on three instruments, the domains, so that it is known what a
    transfer of a calibration from one to another can reach.

    =================   ==========================================================
    Domains             instruments "m5", "mp5" and "mp6" (80 rows each)
    Features            absorbance at 700 wavelengths
    Target              moisture, oil, protein or starch (%)
    =================   ==========================================================

    Parameters
    ----------
    source : str or list of str, default=None
        Domains whose rows are source rows. None: all that `target` does not name.
    target : str or list of str, default=None
        Domains whose rows are target rows, with negative ids. None: none of them.
    data_home : str or path-like, default=None
        Folder of scikit-learn's data sets. None: what
        :func:`sklearn.datasets.get_data_home` gives. Files lie in ``skda/corn`` there.
    download_if_missing : bool, default=True
        Whether to download files that are not there. If False, their absence is an error.
    return_X_y : bool, default=False
        Whether to return ``(data, target, sample_domain)`` instead of a Bunch.
    as_frame : bool, default=False
        Whether data are a pandas DataFrame, with wavelengths in nm as names, and the target a
        Series.
    n_retries : int, default=3
        How often a download is tried again.
    delay : float, default=1.0
        Seconds between two attempts.
    response : {"moisture", "oil", "protein", "starch"}, default="moisture"
        Which property of the samples is the target.

    Returns
    -------
    data : Bunch or tuple
        A dictionary with attributes:

        - data: ndarray of shape (n_samples, 700) of floats, or DataFrame
        - target: ndarray of shape (n_samples,) of floats, or Series
        - sample_domain: ndarray of shape (n_samples,), positive for sources, negative for
          targets; the number of an instrument is the same in every call
        - domain_names: dict from the ids in sample_domain to names
        - feature_names: list of str
        - frame: DataFrame of data and target, if `as_frame`
        - DESCR: str with the columns, the license and whom to cite

        With ``return_X_y=True`` the tuple (data, target, sample_domain).

    Raises
    ------
    OSError
        If a file is neither there nor to be downloaded, or is not the one that is expected.

    See Also
    --------
    skda.DirectStandardizationTransformer : Map an instrument's spectra onto another's.
    skda.DIPLSRegressor : A calibration that serves a second instrument, too.

    Notes
    -----
    Row i of each instrument is the same sample, as `fit_pairs` of our transformers wants.

    Examples
    --------
    >>> from skda.datasets import fetch_corn
    >>> X, y, sample_domain = fetch_corn(  # doctest: +SKIP
    ...     source="m5", target="mp6", return_X_y=True
    ... )
    >>> X.shape  # doctest: +SKIP
    (160, 700)
    """
    options = Options(source, target, return_X_y, as_frame)
    check_option("response", response, _RESPONSES)
    cache = Cache(
        "corn",
        data_home=data_home,
        download_if_missing=download_if_missing,
        n_retries=n_retries,
        delay=delay,
    )
    ids = options.ids(_INSTRUMENTS)
    content = loadmat(BytesIO(cache.read(_FILE)))
    values = content["propvals"][0, 0]["data"][:, _RESPONSES.index(response)].astype(float)
    return bundle(
        {name: (np.array(content[f"{name}spec"][0, 0]["data"], float), values) for name in ids},
        ids,
        options,
        feature_names=[str(wavelength) for wavelength in _WAVELENGTHS],
        target_name=response,
        DESCR=_DESCR,
    )
