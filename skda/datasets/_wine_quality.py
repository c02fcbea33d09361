"""Quality of red and of white wine."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from ._bundle import Options, bundle
from ._download import Cache, Layout, RemoteFile, pinned

if TYPE_CHECKING:
    from sklearn.utils import Bunch

_DESCR = """\
Wine quality, red and white
===========================

Portuguese Vinho Verde wines: eleven chemical measurements, and the grade that tasters gave.

Domains: red (1599 rows) and white (4898).

Features: fixed acidity, volatile acidity, citric acid, residual sugar, chlorides, free and total
sulfur dioxide, density, pH, sulphates, alcohol.

Target: the median grade of at least three tasters, from 3 to 9 (0 is very bad, 10 excellent).

Source and license: UCI Machine Learning Repository, data set 186, which gives CC BY 4.0
(https://doi.org/10.24432/C56S3T).

Cortez, P., Cerdeira, A., Almeida, F., Matos, T., Reis, J. (2009). Modeling wine preferences by data
mining from physicochemical properties. Decision Support Systems, 47(4), 547-553.
"""

_LAYOUT = Layout(n_columns=12, header="fixed")
_UCI = "https://archive.ics.uci.edu/ml/machine-learning-databases/wine-quality/"
_COPY = ("jbrownlee/Datasets", "91d19aca5be094c329211e0ce0912c607d6eb114")


def _file(name, sha256):
    """Return a file of the repository, with a copy of it that cannot change."""
    return RemoteFile(name, (pinned(*_COPY, name), _UCI + name), sha256, layout=_LAYOUT)


_FILES = {
    "red": _file(
        "winequality-red.csv",
        "c9614512e980f1cbd221c796daa97f00c4898c3cd1716863abac60f6cd1a522e",
    ),
    "white": _file(
        "winequality-white.csv",
        "659d419fff887f225bf977d20520bb64a64cae203e460087f809721d4430ba27",
    ),
}
_NAMES = (
    *("fixed_acidity", "volatile_acidity", "citric_acid", "residual_sugar", "chlorides"),
    *("free_sulfur_dioxide", "total_sulfur_dioxide", "density", "pH", "sulphates", "alcohol"),
)


def fetch_wine_quality(
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
    """Fetch the UCI wine quality data: red and white wine.

    Eleven chemical measurements of wines and the grade that tasters gave. A regression in which
    the two kinds of wine are the domains: they differ in nearly every measurement, and in how these
    are liked.

    =================   ==========================================================
    Domains             "red" (1599 rows), "white" (4898)
    Features            11 numbers
    Target              grade, 3 to 9
    =================   ==========================================================

    Parameters
    ----------
    source : str or list of str, default=None
        Domains whose rows are source rows. None: all that `target` does not name.
    target : str or list of str, default=None
        Domains whose rows are target rows, with negative ids. None: none of them.
    data_home : str or path-like, default=None
        Folder of scikit-learn's data sets. None: what
        :func:`sklearn.datasets.get_data_home` gives. Files lie in ``skda/wine_quality`` there.
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

        - data: ndarray of shape (n_samples, 11), or DataFrame
        - target: ndarray of shape (n_samples,) of floats, or Series
        - sample_domain: ndarray of shape (n_samples,), positive for sources, negative for
          targets; the number of a kind of wine is the same in every call
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
    fetch_corn : Spectra of corn on three instruments, another regression.

    Examples
    --------
    >>> from skda.datasets import fetch_wine_quality
    >>> X, y, sample_domain = fetch_wine_quality(  # doctest: +SKIP
    ...     source="red", target="white", return_X_y=True
    ... )
    >>> X.shape  # doctest: +SKIP
    (6497, 11)
    """
    options = Options(source, target, return_X_y, as_frame)
    cache = Cache(
        "wine_quality",
        data_home=data_home,
        download_if_missing=download_if_missing,
        n_retries=n_retries,
        delay=delay,
    )
    ids = options.ids(_FILES)
    parts = {}
    for name in ids:
        table = np.array(cache.read(_FILES[name]), dtype=float)
        parts[name] = table[:, :-1], table[:, -1]
    return bundle(parts, ids, options, feature_names=_NAMES, target_name="quality", DESCR=_DESCR)
