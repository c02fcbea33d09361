"""News about organizations and people."""

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
Reuters-21578, split by subtopic
================================

Counts of words in news, of two topics. Topics have subtopics, and the domains are of different
subtopics of the same two topics, so that the question is the same and the words differ.

Domains: "src" and "tar", as the files are called: 1237 and 1208 rows (orgs-people), 1016 and 1043
(orgs-places), 1077 and 1077 (people-places).

Features: counts of 4771, 4415 or 4562 words, which the files do not name.

Target: the topic, 0 or 1 (1 and 2 in the files, which do not say which is which).

Source and license: the repository cswhjiang/Transfer-Spectral-Clustering; no license is stated.
Only of the files of orgs-people the checksums are known to us; of the others the number of rows is
compared.

Dai, W., Xue, G.-R., Yang, Q., Yu, Y. (2007). Co-clustering based classification for out-of-domain
documents. KDD, 210-219.
"""

_COPY = ("cswhjiang/Transfer-Spectral-Clustering", "a89c9fbb400cbed5a9387e06cfc59b9ff5bc47d4")
_NAMES = {
    "orgs-people": "OrgsPeople",
    "orgs-places": "OrgsPlaces",
    "people-places": "PeoplePlaces",
}
_SHAPES = {
    "OrgsPeople": {"src": (1237, 4771), "tar": (1208, 4771)},
    "OrgsPlaces": {"src": (1016, 4415), "tar": (1043, 4415)},
    "PeoplePlaces": {"src": (1077, 4562), "tar": (1077, 4562)},
}
_SHA256 = {
    "OrgsPeople_src": "c8b9f746e1c264495e99ed4146860552a8ae34a09908b701136a41790f426f1f",
    "OrgsPeople_tar": "eaed1ba8c112bb52cfa1406c4566e72e85b65be932f7264014c9410753abc4ac",
}


def fetch_reuters(
    *,
    source: str | Sequence[str] | None = None,
    target: str | Sequence[str] | None = None,
    data_home: str | PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
    topics: Literal["orgs-people", "orgs-places", "people-places"] = "orgs-people",
) -> Bunch | tuple[Any, ...]:
    """Fetch Reuters news of two topics, split by subtopic, as sparse counts.

    Counts of words in news of two topics. The domains are of different subtopics of the same
    topics: the question stays and the words differ.

    =================   ==========================================================
    Domains             "src" and "tar" (1016 to 1237 rows)
    Features            4415 to 4771 counts, sparse
    Target              topic, 0 or 1
    =================   ==========================================================

    Parameters
    ----------
    source : str or list of str, default=None
        Domains whose rows are source rows. None: all that `target` does not name.
    target : str or list of str, default=None
        Domains whose rows are target rows, with negative ids. None: none of them.
    data_home : str or path-like, default=None
        Folder of scikit-learn's data sets. None: what
        :func:`sklearn.datasets.get_data_home` gives. Files lie in ``skda/reuters`` there.
    download_if_missing : bool, default=True
        Whether to download files that are not there. If False, their absence is an error.
    return_X_y : bool, default=False
        Whether to return ``(data, target, sample_domain)`` instead of a Bunch.
    as_frame : bool, default=False
        Whether data are a pandas DataFrame of sparse columns and the target a Series.
    n_retries : int, default=3
        How often a download is tried again.
    delay : float, default=1.0
        Seconds between two attempts.
    topics : {"orgs-people", "orgs-places", "people-places"}, default="orgs-people"
        Which two topics are told apart.

    Returns
    -------
    data : Bunch or tuple
        A dictionary with attributes:

        - data: CSR matrix of shape (n_samples, n_words) of floats, or DataFrame
        - target: ndarray of shape (n_samples,), or Series
        - sample_domain: ndarray of shape (n_samples,), positive for sources, negative for
          targets; the number of a file is the same in every call
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
    fetch_amazon_reviews : Reviews of four kinds of products.

    Notes
    -----
    Files of which no checksum is known to us are recognized by the number of rows and columns.

    Examples
    --------
    >>> from skda.datasets import fetch_reuters
    >>> X, y, sample_domain = fetch_reuters(  # doctest: +SKIP
    ...     source="src", target="tar", return_X_y=True
    ... )
    >>> X.shape  # doctest: +SKIP
    (2445, 4771)
    """
    options = Options(source, target, return_X_y, as_frame)
    check_option("topics", topics, tuple(_NAMES))
    cache = Cache(
        "reuters",
        data_home=data_home,
        download_if_missing=download_if_missing,
        n_retries=n_retries,
        delay=delay,
    )
    ids = options.ids(("src", "tar"))
    pair = _NAMES[topics]
    return bundle(
        {name: _table(cache, pair, name) for name in ids},
        ids,
        options,
        feature_names=[f"word_{i}" for i in range(_SHAPES[pair]["src"][1])],
        target_name="topic",
        DESCR=_DESCR,
    )


def _table(cache, pair, name):
    """Return counts and topics of the news of one domain."""
    key = f"{pair}_{name}"
    file = RemoteFile(f"{key}.mat", (pinned(*_COPY, f"{key}.mat"),), _SHA256.get(key))
    content = loadmat(BytesIO(cache.read(file)))
    X = content[f"{key}_data"].tocsr().astype(float)
    cache.check_shape(file, X.shape, _SHAPES[pair][name])
    return X, content[f"{key}_label"].ravel().astype(np.int64) - 1
