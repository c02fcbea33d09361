"""Exam scores of pupils of 139 schools."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.io import loadmat

from ._bundle import Options, bundle
from ._download import Cache, RemoteFile, pinned

if TYPE_CHECKING:
    from sklearn.utils import Bunch

_DESCR = """\
Exam scores in 139 London schools
=================================

15362 pupils of secondary schools of the Inner London Education Authority in 1985, 1986 and 1987,
and their exam scores. A standard set of multi-task and multi-source regression.

Domains: the schools, "school_1" to "school_139", of 22 to 251 pupils.

Features, all but two of them 0 or 1: year of the exam (3 columns), percentage of the school's
pupils with free meals, percentage in the first band of verbal reasoning, gender (2), band of verbal
reasoning (3), ethnic group (11), gender of the school's pupils (3), denomination of the school (3).
The files do not name the columns; the names here follow the description of the data.

Target: the exam score, 1 to 70.

Source and license: school.mat of the repository jiayuzhou/MALSAR; no license is stated for the
data.

Goldstein, H. (1991). Multilevel modelling of survey data. The Statistician, 40, 235-244.
Argyriou, A., Evgeniou, T., Pontil, M. (2008). Convex multi-task feature learning. Machine Learning,
73, 243-272.
"""

_FILE = RemoteFile(
    "school.mat",
    (pinned("jiayuzhou/MALSAR", "fb9751594983df020ddc4f7e4a40520ee7c37989", "data/school.mat"),),
    "57fb3238fdd03a9aa17276e2ce18d9bbb5d128c3261e794fe6233b58b6909068",
)
_DOMAINS = tuple(f"school_{i}" for i in range(1, 140))
_NAMES = (
    *(f"year_{i}" for i in (1, 2, 3)),
    *("free_meals_percent", "verbal_band_1_percent"),
    *(f"gender_{i}" for i in (1, 2)),
    *(f"verbal_band_{i}" for i in (1, 2, 3)),
    *(f"ethnic_group_{i}" for i in range(1, 12)),
    *(f"school_gender_{i}" for i in (1, 2, 3)),
    *(f"denomination_{i}" for i in (1, 2, 3)),
)


def fetch_schools(
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
    """Fetch the ILEA school data: exam scores of pupils of 139 schools.

    What is known of 15362 pupils and of their schools, and the score in an exam. Each school is a
    domain, so this is a set for several sources, for several tasks, and for leaving one school out.

    =================   ==========================================================
    Domains             "school_1" to "school_139" (22 to 251 rows)
    Features            27 numbers, 25 of them 0 or 1
    Target              exam score, 1 to 70
    =================   ==========================================================

    Parameters
    ----------
    source : str or list of str, default=None
        Domains whose rows are source rows. None: all that `target` does not name.
    target : str or list of str, default=None
        Domains whose rows are target rows, with negative ids. None: none of them.
    data_home : str or path-like, default=None
        Folder of scikit-learn's data sets. None: what
        :func:`sklearn.datasets.get_data_home` gives. Files lie in ``skda/schools`` there.
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

        - data: ndarray of shape (n_samples, 27) of floats, or DataFrame
        - target: ndarray of shape (n_samples,) of floats, or Series
        - sample_domain: ndarray of shape (n_samples,), positive for sources, negative for
          targets; the number of a school is the same in every call
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
    skda.model_selection.iter_target_domains : Leave out one domain after the other.

    Notes
    -----
    A column of ones that the file has for the intercept is left out.

    Examples
    --------
    >>> from skda.datasets import fetch_schools
    >>> schools = fetch_schools(target="school_139")  # doctest: +SKIP
    >>> schools.data.shape  # doctest: +SKIP
    (15362, 27)
    """
    options = Options(source, target, return_X_y, as_frame)
    cache = Cache(
        "schools",
        data_home=data_home,
        download_if_missing=download_if_missing,
        n_retries=n_retries,
        delay=delay,
    )
    ids = options.ids(_DOMAINS)
    content = loadmat(BytesIO(cache.read(_FILE)))
    parts = {}
    for name in ids:
        school = _DOMAINS.index(name)
        X, y = content["X"][0, school], content["Y"][0, school]
        # The last column is the constant 1.
        parts[name] = X[:, :-1].astype(float), np.ravel(y).astype(float)
    return bundle(parts, ids, options, feature_names=_NAMES, target_name="score", DESCR=_DESCR)
