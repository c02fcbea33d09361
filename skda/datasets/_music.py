"""Genres of music under four kinds of noise."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from ._bundle import Options, bundle
from ._download import Cache, RemoteFile, pinned

if TYPE_CHECKING:
    from sklearn.utils import Bunch

_DESCR = """\
Genres of music under four kinds of noise
=========================================

Features of the sound of 1000 pieces of music of ten genres, without noise and with four kinds of
noise laid over them: a set for several sources.

Domains: noiseless and, by the names of the recordings of noise, buccaneer2, destroyerengine, f16
and factory2 (1000 rows each).

Features: 57 numbers that describe the spectrum and its course in time. The file does not name them.
A column that is 0 in all rows is left out.

Target: the genre, 0 to 9, 500 rows each. The file does not name the genres.

Source and license: MGR.npy of the repository eddardd/WBTransport, whose code is GPL-3; for the
pieces of music behind it (GTZAN) no license is stated.

Montesuma, E. F., Mboula, F. M. N. (2021). Wasserstein barycenter for multi-source domain
adaptation. CVPR, 16785-16793.
Tzanetakis, G., Cook, P. (2002). Musical genre classification of audio signals. IEEE Transactions on
Speech and Audio Processing, 10(5), 293-302.
"""

_FILE = RemoteFile(
    "MGR.npy",
    (pinned("eddardd/WBTransport", "eaee19420d53c784e268cd081aa14f9d29b8af6e", "data/MGR.npy"),),
    "76e5295a22b4efe0a336d4858fa772aeee6f4a0034dc20726abcf69f687a8be9",
)
_DOMAINS = ("noiseless", "buccaneer2", "destroyerengine", "f16", "factory2")
_CONSTANT = 17  # a column of zeros
_N_FEATURES = 57


def fetch_music(
    *,
    source: str | Sequence[str] | None = None,
    target: str | Sequence[str] | None = None,
    data_home: str | PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
) -> Bunch | tuple[Any, ...]:
    """Fetch the music genre data: pieces of music under four kinds of noise.

    Features of 1000 pieces of music of ten genres. The domains are the same kinds of music without
    noise and under each of four noises, so that a noise can be the target and the others its
    sources.

    =================   ==========================================================
    Domains             "noiseless", "buccaneer2", "destroyerengine", "f16",
                        "factory2" (1000 rows each)
    Features            57 numbers
    Target              10 genres, 0 to 9
    =================   ==========================================================

    Parameters
    ----------
    source : str or list of str, default=None
        Domains whose rows are source rows. None: all that `target` does not name.
    target : str or list of str, default=None
        Domains whose rows are target rows, with negative ids. None: none of them.
    data_home : str or path-like, default=None
        Folder of scikit-learn's data sets. None: what
        :func:`sklearn.datasets.get_data_home` gives. Files lie in ``skda/music`` there.
    download_if_missing : bool, default=True
        Whether to download files that are not there. If False, their absence is an error.
    return_X_y : bool, default=False
        Whether to return ``(data, target, sample_domain)`` instead of a Bunch.
    as_frame : bool, default=False
        Whether data are a pandas DataFrame and the target a Series, instead of arrays.
    n_retries : int, default=3
        How often a download is tried again.
    delay : float, default=1.0
        Seconds between two attempts.

    Returns
    -------
    data : Bunch or tuple
        A dictionary with attributes:

        - data: ndarray of shape (n_samples, 57) of floats, or DataFrame
        - target: ndarray of shape (n_samples,), or Series
        - sample_domain: ndarray of shape (n_samples,), positive for sources, negative for
          targets; the number of a noise is the same in every call
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
    fetch_schools : Another set of many sources, a regression.

    Notes
    -----
    Features differ in scale by many powers of ten; published figures are of features that
    were scaled.

    Examples
    --------
    >>> from skda.datasets import fetch_music
    >>> X, y, sample_domain = fetch_music(target="f16", return_X_y=True)  # doctest: +SKIP
    >>> X.shape  # doctest: +SKIP
    (5000, 57)
    """
    options = Options(source, target, return_X_y, as_frame)
    cache = Cache(
        "music",
        data_home=data_home,
        download_if_missing=download_if_missing,
        n_retries=n_retries,
        delay=delay,
    )
    ids = options.ids(_DOMAINS)
    table = np.load(BytesIO(cache.read(_FILE)))
    X, y, noise = np.delete(table[:, :-2], _CONSTANT, axis=1), table[:, -2], table[:, -1]
    rows = {name: noise == _DOMAINS.index(name) for name in ids}
    return bundle(
        {name: (X[rows[name]], y[rows[name]].astype(np.int64)) for name in ids},
        ids,
        options,
        feature_names=[f"sound_{i}" for i in range(_N_FEATURES)],
        target_name="genre",
        DESCR=_DESCR,
    )
