"""Income in the census of 1994, by group."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .._core._param_checks import check_option
from ._bundle import Column, Options, bundle, numbers, take_rows, texts
from ._download import Cache, Layout, RemoteFile, pinned

if TYPE_CHECKING:
    from sklearn.utils import Bunch

_DESCR = """\
Adult: income in the census of 1994
===================================

48842 persons of the census of the United States of 1994: what they learned and do, and whether they
earn more than 50000 dollars a year.

Domains: groups of persons, by sex (Female, Male), by race (Amer-Indian-Eskimo, Asian-Pac-Islander,
Black, Other, White) or by education (Preschool to Doctorate).

Features: age, workclass, fnlwgt (how many persons a row stands for), education, education-num,
marital-status, occupation, relationship, race, sex, capital-gain, capital-loss, hours-per-week,
native-country; without those that the domains are made of. Missing values in workclass, occupation
and native-country.

Target: 1 if the income is above 50000 dollars, else 0.

Source and license: UCI Machine Learning Repository, data set 2, which gives CC BY 4.0
(https://doi.org/10.24432/C5XW20).

Kohavi, R. (1996). Scaling up the accuracy of naive-Bayes classifiers: a decision-tree hybrid. KDD,
202-207.
"""

_LAYOUT = Layout(n_columns=15, header="age")
_UCI = "https://archive.ics.uci.edu/ml/machine-learning-databases/adult/"
_COPY = ("l-gonz/tfg-gitt-mlcost", "2ca2044c6b4b628f96ecb2b29c4d81857f9c9e76")


def _file(name, sha256):
    """Return a file of the repository, with a copy of it that cannot change."""
    urls = (pinned(*_COPY, f"data/adult/{name}"), _UCI + name)
    return RemoteFile(name, urls, sha256, layout=_LAYOUT)


_FILES = {
    "train": _file(
        "adult.data", "b43511ac80486a00e4f35d1c3d76a3cec2c89246510a76a4e455d7e45d4fb4b9"
    ),
    "test": _file("adult.test", "b4fb33eebc4e7132a442ff3696ca87564aa4b27c96b63cd346860e4c190f495f"),
}
_PARTS = {"train": ("train",), "test": ("test",), "all": ("train", "test")}
_NAMES = (
    *("age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation"),
    *("relationship", "race", "sex", "capital-gain", "capital-loss", "hours-per-week"),
    "native-country",
)
_NUMBERS = {"age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"}
_GROUPS = {
    "sex": ("Female", "Male"),
    "race": ("Amer-Indian-Eskimo", "Asian-Pac-Islander", "Black", "Other", "White"),
    "education": (
        *("Preschool", "1st-4th", "5th-6th", "7th-8th", "9th", "10th", "11th", "12th", "HS-grad"),
        *("Some-college", "Assoc-voc", "Assoc-acdm", "Bachelors", "Masters", "Prof-school"),
        "Doctorate",
    ),
}
# Columns that say the same as the domain.
_TWINS = {"sex": ("sex",), "race": ("race",), "education": ("education", "education-num")}


def fetch_adult(
    *,
    source: str | Sequence[str] | None = None,
    target: str | Sequence[str] | None = None,
    data_home: str | PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
    by: Literal["sex", "race", "education"] = "sex",
    subset: Literal["train", "test", "all"] = "all",
) -> Bunch | tuple[Any, ...]:
    """Fetch the UCI adult data: income in the census of 1994, by group.

    What persons learned and do, and whether they earn more than 50000 dollars a year: numbers and
    categories with gaps. The domains are the groups of one column, which is then no feature.

    =================   ==========================================================
    Domains             by sex (2), by race (5) or by education (16)
    Features            14, without those that the domains are made of
    Target              0 (up to 50000 dollars) or 1 (more)
    =================   ==========================================================

    Parameters
    ----------
    source : str or list of str, default=None
        Domains whose rows are source rows. None: all that `target` does not name.
    target : str or list of str, default=None
        Domains whose rows are target rows, with negative ids. None: none of them.
    data_home : str or path-like, default=None
        Folder of scikit-learn's data sets. None: what
        :func:`sklearn.datasets.get_data_home` gives. Files lie in ``skda/adult`` there.
    download_if_missing : bool, default=True
        Whether to download files that are not there. If False, their absence is an error.
    return_X_y : bool, default=False
        Whether to return ``(data, target, sample_domain)`` instead of a Bunch.
    as_frame : bool, default=False
        Whether data are a pandas DataFrame with categories, those of the rows that are read, and
        the target a Series. If False, data are an array of objects: floats and texts, NaN where
        missing.
    n_retries : int, default=3
        How often a download is tried again.
    delay : float, default=1.0
        Seconds between two attempts.
    by : {"sex", "race", "education"}, default="sex"
        The column whose groups are the domains, named as in the files: "Female", "White",
        "Bachelors".
    subset : {"train", "test", "all"}, default="all"
        Which rows: those of adult.data (32561), of adult.test (16281), or both.

    Returns
    -------
    data : Bunch or tuple
        A dictionary with attributes:

        - data: ndarray of shape (n_samples, n_features) of objects, or DataFrame
        - target: ndarray of shape (n_samples,), or Series
        - sample_domain: ndarray of shape (n_samples,), positive for sources, negative for
          targets; the number of a group is the same in every call
        - domain_names: dict from the ids in sample_domain to names
        - feature_names, target_names: lists of str
        - frame: DataFrame of data and target, if `as_frame`
        - DESCR: str with the columns, the license and whom to cite

        With ``return_X_y=True`` the tuple (data, target, sample_domain).

    Raises
    ------
    OSError
        If a file is neither there nor to be downloaded, or is not the one that is expected.

    See Also
    --------
    read_acs : The same question in the American Community Survey, by state and year.

    Examples
    --------
    >>> from skda.datasets import fetch_adult
    >>> adult = fetch_adult(by="race", target="Black", as_frame=True)  # doctest: +SKIP
    >>> adult.data.shape  # doctest: +SKIP
    (48842, 13)
    """
    options = Options(source, target, return_X_y, as_frame)
    check_option("by", by, tuple(_GROUPS))
    check_option("subset", subset, tuple(_PARTS))
    cache = Cache(
        "adult",
        data_home=data_home,
        download_if_missing=download_if_missing,
        n_retries=n_retries,
        delay=delay,
    )
    ids = options.ids(_GROUPS[by])
    cells = [row for part in _PARTS[subset] for row in cache.read(_FILES[part])]
    columns = dict(zip((*_NAMES, "income"), zip(*cells, strict=True), strict=True))
    group = np.array(columns[by])
    kept = [name for name in _NAMES if name not in _TWINS[by]]
    table = {name: _column(name, columns[name]) for name in kept}
    y = (np.array(columns["income"]) == ">50K").astype(np.int64)
    return bundle(
        {name: (take_rows(table, group == name), y[group == name]) for name in ids},
        ids,
        options,
        feature_names=kept,
        target_name="income",
        target_names=["<=50K", ">50K"],
        DESCR=_DESCR,
    )


def _column(name, cells):
    """Return one column as numbers or as categories."""
    if name in _NUMBERS:
        return Column(numbers(cells))
    return Column(texts(cells), tuple(sorted(set(cells) - {"?"})))
