"""Final grades of pupils in two subjects."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from .._core._param_checks import check_bool
from ._bundle import Column, Options, bundle, numbers, texts
from ._download import Cache, Layout, RemoteFile, pinned

if TYPE_CHECKING:
    from sklearn.utils import Bunch

_DESCR = """\
Student performance in two subjects
===================================

Pupils of two Portuguese secondary schools: 30 answers on family, school and leisure, and the final
grade in a subject. Many pupils are in both files.

Domains: mathematics (395 rows) and portuguese (649).

Features: school, sex, age, address, famsize, Pstatus, Medu, Fedu (education of the parents, 0 to
4), Mjob, Fjob, reason, guardian, traveltime, studytime, failures, schoolsup, famsup, paid,
activities, nursery, higher, internet, romantic, famrel, freetime, goout, Dalc, Walc (alcohol on
workdays and at the weekend), health, absences; G1 and G2, the grades of the first two periods, on
demand.

Target: G3, the final grade, 0 to 20.

Source and license: UCI Machine Learning Repository, data set 320, which gives CC BY 4.0
(https://doi.org/10.24432/C5TG7T).

Cortez, P., Silva, A. (2008). Using data mining to predict secondary school student performance.
Proceedings of 5th Future Business Technology Conference, 5-12.
"""

_LAYOUT = Layout(n_columns=33, header="school")
_FILES = {
    "mathematics": RemoteFile(
        "student-mat.csv",
        (
            pinned(
                "lazyimtiaz/ML-datasets",
                "c8490d7c0cc500bde6ba947e3841d5ab4b11ee87",
                "student-mat.csv",
            ),
        ),
        "ec0ce0a3888810bbb6e75ddf7ce6dfba514d1a79987b7ea85863cfc85bae400a",
        layout=_LAYOUT,
    ),
    "portuguese": RemoteFile(
        "student-por.csv",
        (
            pinned(
                "aahmad4/Student-Performance-Visualizer-and-Predictor",
                "e7874ecf0457e69ca375993806ec64a197f1d928",
                "student-por.csv",
            ),
        ),
        "20561a68b1ac06249d2f5c0b162ab3c614d0276f00b752452d8594eeeab225eb",
        layout=_LAYOUT,
    ),
}
_NAMES = (
    *("school", "sex", "age", "address", "famsize", "Pstatus", "Medu", "Fedu", "Mjob", "Fjob"),
    *("reason", "guardian", "traveltime", "studytime", "failures", "schoolsup", "famsup", "paid"),
    *("activities", "nursery", "higher", "internet", "romantic", "famrel", "freetime", "goout"),
    *("Dalc", "Walc", "health", "absences", "G1", "G2"),
)
_JOBS = ("at_home", "health", "other", "services", "teacher")
_YES_NO = ("schoolsup", "famsup", "paid", "activities", "nursery", "higher", "internet", "romantic")
# Columns that are not here are numbers.
_CATEGORIES = {
    "school": ("GP", "MS"),
    "sex": ("F", "M"),
    "address": ("R", "U"),
    "famsize": ("GT3", "LE3"),
    "Pstatus": ("A", "T"),
    "Mjob": _JOBS,
    "Fjob": _JOBS,
    "reason": ("course", "home", "other", "reputation"),
    "guardian": ("father", "mother", "other"),
} | dict.fromkeys(_YES_NO, ("no", "yes"))


def fetch_student_performance(
    *,
    source: str | Sequence[str] | None = None,
    target: str | Sequence[str] | None = None,
    data_home: str | PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
    earlier_grades: bool = False,
) -> Bunch | tuple[Any, ...]:
    """Fetch the UCI student performance data: grades in two subjects.

    Thirty answers of pupils on family, school and leisure, and the final grade. A regression with
    mixed columns; the subjects are the domains.

    =================   ==========================================================
    Domains             "mathematics" (395 rows), "portuguese" (649)
    Features            30: 13 numbers and 17 categories
    Target              final grade, 0 to 20
    =================   ==========================================================

    Parameters
    ----------
    source : str or list of str, default=None
        Domains whose rows are source rows. None: all that `target` does not name.
    target : str or list of str, default=None
        Domains whose rows are target rows, with negative ids. None: none of them.
    data_home : str or path-like, default=None
        Folder of scikit-learn's data sets. None: what :func:`sklearn.datasets.get_data_home` gives.
        Files lie in ``skda/student_performance`` there.
    download_if_missing : bool, default=True
        Whether to download files that are not there. If False, their absence is an error.
    return_X_y : bool, default=False
        Whether to return ``(data, target, sample_domain)`` instead of a Bunch.
    as_frame : bool, default=False
        Whether data are a pandas DataFrame with categories and the target a Series. If False, data
        are an array of objects: floats and texts.
    n_retries : int, default=3
        How often a download is tried again.
    delay : float, default=1.0
        Seconds between two attempts.
    earlier_grades : bool, default=False
        Whether the grades of the first two periods are among the features (G1 and G2). They
        nearly give the final one away, so they are usually left out.

    Returns
    -------
    data : Bunch or tuple
        A dictionary with attributes:

        - data: ndarray of shape (n_samples, 30) of objects, or DataFrame
        - target: ndarray of shape (n_samples,) of floats, or Series
        - sample_domain: ndarray of shape (n_samples,), positive for sources, negative for
          targets; the number of a subject is the same in every call
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
    fetch_schools : Exam scores of pupils of 139 schools.

    Notes
    -----
    Many pupils are in both files, so the domains are not independent of each other.

    Examples
    --------
    >>> from skda.datasets import fetch_student_performance
    >>> students = fetch_student_performance(  # doctest: +SKIP
    ...     target="portuguese", as_frame=True
    ... )
    >>> students.data.shape  # doctest: +SKIP
    (1044, 30)
    """
    options = Options(source, target, return_X_y, as_frame)
    check_bool("earlier_grades", earlier_grades)
    cache = Cache(
        "student_performance",
        data_home=data_home,
        download_if_missing=download_if_missing,
        n_retries=n_retries,
        delay=delay,
    )
    ids = options.ids(_FILES)
    names = _NAMES if earlier_grades else _NAMES[:-2]
    return bundle(
        {name: _table(cache.read(_FILES[name]), names) for name in ids},
        ids,
        options,
        feature_names=names,
        target_name="G3",
        DESCR=_DESCR,
    )


def _table(cells, names):
    """Return the columns of one subject, and the final grades."""
    columns = {}
    for name, column in zip(names, zip(*cells, strict=True), strict=False):
        categories = _CATEGORIES.get(name)
        columns[name] = Column(texts(column) if categories else numbers(column), categories)
    return columns, np.array([float(row[-1]) for row in cells])
