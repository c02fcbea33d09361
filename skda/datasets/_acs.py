"""Tasks of the American Community Survey, from its files of persons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .._core._param_checks import check_option
from ._bundle import Column, Options, bundle

if TYPE_CHECKING:
    from sklearn.utils import Bunch

_DESCR = """\
American Community Survey: prediction tasks by state and year
==============================================================

Answers of persons to the American Community Survey (public use microdata sample), with the
columns, filters and targets of the folktables paper. States and years are the domains: the
standard set of natural shifts in tables.

Source and license: United States Census Bureau,
https://www2.census.gov/programs-surveys/acs/data/pums/. The files may be used freely under the
Bureau's terms of service, which forbid to identify persons.

Ding, F., Hardt, M., Miller, J., Schmidt, L. (2021). Retiring Adult: new datasets for fair machine
learning. NeurIPS 34. arXiv:2108.04884.
"""

# Names that columns got in later years.
_LATER = {"RELP": "RELSHIPP", "JWTR": "JWTRNS", "ST": "STATE"}

_NUMBERS = {"AGEP", "WKHP", "PINCP", "POVPIP", "JWMNP"}

# The census's number of each state, and its letters.
_STATES = """
01 AL 02 AK 04 AZ 05 AR 06 CA 08 CO 09 CT 10 DE 11 DC 12 FL 13 GA 15 HI 16 ID 17 IL 18 IN
19 IA 20 KS 21 KY 22 LA 23 ME 24 MD 25 MA 26 MI 27 MN 28 MS 29 MO 30 MT 31 NE 32 NV 33 NH
34 NJ 35 NM 36 NY 37 NC 38 ND 39 OH 40 OK 41 OR 42 PA 44 RI 45 SC 46 SD 47 TN 48 TX 49 UT
50 VT 51 VA 53 WA 54 WV 55 WI 56 WY 72 PR
"""
_NUMBERS_AND_LETTERS = _STATES.split()
_LETTERS = dict(zip(_NUMBERS_AND_LETTERS[::2], _NUMBERS_AND_LETTERS[1::2], strict=True))


@dataclass(frozen=True)
class Task:
    """Features, target and rows of one task of the folktables paper.

    Parameters
    ----------
    features : str
        Columns, separated by spaces.
    target : str
        The column that is predicted.
    positive : callable
        From the values of the target column to who is of class 1.
    needs : str
        Columns that `keep` reads and that are neither features nor the target.
    keep : callable
        From the frame of a file to the rows that belong to the task.
    classes : tuple of str
        Names of the classes 0 and 1.
    """

    features: str
    target: str
    positive: object
    needs: str
    keep: object
    classes: tuple


def _all_rows(frame):
    return np.ones(len(frame), dtype=bool)


def _earners(frame):
    """Return the rows that the extraction of the Adult data would have kept."""
    adult = (frame["AGEP"] > 16) & (frame["PINCP"] > 100)
    return adult & (frame["WKHP"] > 0) & (frame["PWGTP"] >= 1)


def _poor_and_not_old(frame):
    """Return who has a low income and is too young for Medicare."""
    return (frame["AGEP"] < 65) & (frame["PINCP"] <= 30000)


def _young(frame):
    return (frame["AGEP"] > 18) & (frame["AGEP"] < 35)


def _employed(frame):
    return (frame["AGEP"] > 16) & (frame["PWGTP"] >= 1) & (frame["ESR"] == 1)


_TASKS = {
    "income": Task(
        "AGEP COW SCHL MAR OCCP POBP RELP WKHP SEX RAC1P",
        "PINCP",
        lambda income: income > 50000,
        "PWGTP",
        _earners,
        ("up to 50000 dollars", "more"),
    ),
    "employment": Task(
        "AGEP SCHL MAR RELP DIS ESP CIT MIG MIL ANC NATIVITY DEAR DEYE DREM SEX RAC1P",
        "ESR",
        lambda status: status == 1,
        "",
        _all_rows,
        ("not employed", "employed"),
    ),
    "public_coverage": Task(
        "AGEP SCHL MAR SEX DIS ESP CIT MIG MIL ANC NATIVITY DEAR DEYE DREM PINCP ESR ST FER RAC1P",
        "PUBCOV",
        lambda coverage: coverage == 1,
        "",
        _poor_and_not_old,
        ("no public health insurance", "public health insurance"),
    ),
    "mobility": Task(
        "AGEP SCHL MAR SEX DIS ESP CIT MIL ANC NATIVITY RELP DEAR DEYE DREM RAC1P GCL COW ESR "
        "WKHP JWMNP PINCP",
        "MIG",
        lambda moved: moved == 1,
        "",
        _young,
        ("moved within a year", "same address"),
    ),
    "travel_time": Task(
        "AGEP SCHL MAR SEX DIS ESP MIG RELP RAC1P PUMA ST CIT OCCP JWTR POWPUMA POVPIP",
        "JWMNP",
        lambda minutes: minutes > 20,
        "PWGTP ESR",
        _employed,
        ("up to 20 minutes", "more"),
    ),
}


def read_acs(
    files: str | PathLike[str] | Sequence[str | PathLike[str]] | Mapping[str, Any],
    task: Literal["income", "employment", "public_coverage", "mobility", "travel_time"] = "income",
    *,
    source: str | Sequence[str] | None = None,
    target: str | Sequence[str] | None = None,
    return_X_y: bool = False,
    as_frame: bool = False,
) -> Bunch | tuple[Any, ...]:
    """Read a folktables task from files of the American Community Survey, by state and year.

    The files ``psam_pXX.csv`` of the census have a row for each person of a state. A task chooses
    columns, rows and a target as the folktables paper does. Each file, or each list of files, is a
    domain.

    Parameters
    ----------
    files : str, path-like, list of such, or dict
        A folder with files ``psam_pXX.csv``, a file, or several. Each is a domain, which is named
        by the letters of the state ("CA"). A dict from names of your own to files, or to lists of
        files, tells years apart: ``{"CA 2014": ..., "CA 2018": ...}``.
    task : {"income", "employment", "public_coverage", "mobility", "travel_time"}, default="income"
        What is predicted: an income above 50000 dollars; employment; public health insurance
        among people of low income; living at the same address as a year ago; more than 20
        minutes to work.
    source : str or list of str, default=None
        Domains whose rows are source rows. None: all that `target` does not name.
    target : str or list of str, default=None
        Domains whose rows are target rows, with negative ids. None: none of them.
    return_X_y : bool, default=False
        Whether to return ``(data, target, sample_domain)`` instead of a Bunch.
    as_frame : bool, default=False
        Whether data are a pandas DataFrame, with categories for what the census codes, and the
        target a Series. If False, data are an array of floats.

    Returns
    -------
    data : Bunch or tuple
        A dictionary with attributes:

        - data: ndarray of shape (n_samples, n_features) of floats, or DataFrame; NaN where the
          census has no value, which mostly means that the question does not apply (folktables
          writes 0 or -1 there)
        - target: ndarray of shape (n_samples,) of 0 and 1, or Series
        - sample_domain: ndarray of shape (n_samples,), positive for sources, negative for
          targets, numbered in the order of the files
        - domain_names: dict from the ids in sample_domain to names
        - feature_names, target_names: lists of str
        - frame: DataFrame of data and target, if `as_frame`
        - DESCR: str with the license and whom to cite

        With ``return_X_y=True`` the tuple (data, target, sample_domain).

    Raises
    ------
    ImportError
        If pandas is not installed.
    ValueError
        If a file lacks a column of the task, or two files have the same name of a domain.

    See Also
    --------
    fetch_adult : The census data of 1994 that these tasks replace.

    Notes
    -----
    Files: https://www2.census.gov/programs-surveys/acs/data/pums/, for example
    ``2018/1-Year/csv_pca.zip`` for California. From 2019 on RELP is called RELSHIPP (with other
    codes) and JWTR is called JWTRNS, from 2023 on ST is called STATE; these are read under the
    old names, so do not mix years across such a change.

    Examples
    --------
    >>> from skda.datasets import read_acs
    >>> acs = read_acs(["psam_p06.csv", "psam_p48.csv"], target="TX")  # doctest: +SKIP
    >>> acs.domain_names  # doctest: +SKIP
    {1: 'CA', -2: 'TX'}
    """
    options = Options(source, target, return_X_y, as_frame)
    task = _TASKS[check_option("task", task, tuple(_TASKS))]
    files = _named(files)
    ids = options.ids(files)
    features = task.features.split()
    return bundle(
        _with_categories({name: _rows(files[name], task) for name in ids}, features),
        ids,
        options,
        feature_names=features,
        target_name=task.target,
        target_names=list(task.classes),
        DESCR=_DESCR,
    )


def _named(files):
    """Return lists of files by the name of their domain."""
    if isinstance(files, dict):
        return {
            name: one if isinstance(one, list | tuple) else [one] for name, one in files.items()
        }
    if not isinstance(files, list | tuple):
        folder = Path(files)
        files = sorted(folder.glob("psam_p*.csv")) if folder.is_dir() else [folder]
        if not files:
            raise ValueError(f"files has no psam_pXX.csv; got the folder {folder}.")
    named = {}
    for file in files:
        name = _state(Path(file))
        if name in named:
            raise ValueError(
                f"files must be of different states; got two of {name}. Name them yourself, "
                f'for example {{"{name} 2014": ..., "{name} 2018": ...}}.'
            )
        named[name] = [file]
    return named


def _state(file):
    """Return the letters of the state whose number is in the name of a file."""
    code = file.stem.removeprefix("psam_p")
    if code not in _LETTERS:
        raise ValueError(
            f"files must be called psam_pXX.csv with the number of a state; got {file.name}. Pass "
            "a dict of names and files for other files."
        )
    return _LETTERS[code]


def _with_categories(parts, names):
    """Return tables of columns, in which every domain knows the codes of all of them."""
    codes = {}
    for i, name in enumerate(names):
        if name not in _NUMBERS:
            found = np.concatenate([X[:, i] for X, _ in parts.values()])
            codes[name] = tuple(np.unique(found[~np.isnan(found)]))
    return {
        domain: (
            {name: Column(X[:, i], codes.get(name)) for i, name in enumerate(names)},
            y,
        )
        for domain, (X, y) in parts.items()
    }


def _rows(files, task):
    """Return features and classes of the persons in the files of one domain."""
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("read_acs needs pandas. Install it.") from error
    frame = pd.concat([_read(file, task) for file in files], ignore_index=True)
    frame = frame[np.asarray(task.keep(frame))]
    y = np.asarray(task.positive(frame[task.target])).astype(np.int64)
    X = frame[task.features.split()].to_numpy(dtype=float)
    return X, y


def _read(file, task):
    """Return the columns of a task, under the names of the folktables paper."""
    import pandas as pd

    wanted = {*task.features.split(), *task.needs.split(), task.target}
    there = set(pd.read_csv(file, nrows=0).columns)
    taken = {name if name in there else _LATER.get(name, name): name for name in sorted(wanted)}
    if missing := sorted(taken.keys() - there):
        raise ValueError(
            f"{file} lacks the columns {missing}, which the task needs. Use a file of persons "
            "(psam_p), of a year that has them."
        )
    return pd.read_csv(file, usecols=list(taken)).rename(columns=taken)
