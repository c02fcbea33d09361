"""Readmission of diabetes patients, by how they came to the hospital."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from .._core._param_checks import check_option
from ._bundle import Column, Options, bundle, take_rows

if TYPE_CHECKING:
    from sklearn.utils import Bunch

_DESCR = """\
Diabetes 130-US hospitals: readmission
======================================

101766 stays of diabetes patients in 130 hospitals of the United States, 1999 to 2008, and whether
the patient came back within 30 days.

Domains: groups of one column, by default how the patient was admitted.

Source and license: UCI Machine Learning Repository, data set 296 (diabetic_data.csv), which gives
CC BY 4.0 (https://doi.org/10.24432/C5230J).

Strack, B. et al. (2014). Impact of HbA1c measurement on hospital readmission rates: analysis of
70,000 clinical database patient records. BioMed Research International, 781670.
"""

_TARGET, _PATIENT = "readmitted", "patient_nbr"
_NO_FEATURES = {"encounter_id", _PATIENT, _TARGET}
_NUMBERS = {
    *("time_in_hospital", "num_lab_procedures", "num_procedures", "num_medications"),
    *("number_outpatient", "number_emergency", "number_inpatient", "number_diagnoses"),
}
_BY = {
    "admission_type": "admission_type_id",
    "admission_source": "admission_source_id",
    "race": "race",
    "gender": "gender",
    "age": "age",
    "payer_code": "payer_code",
    "medical_specialty": "medical_specialty",
}


def read_diabetes_readmission(
    path: str | PathLike[str],
    *,
    by: str = "admission_source",
    source: str | Sequence[str] | None = None,
    target: str | Sequence[str] | None = None,
    return_X_y: bool = False,
    as_frame: bool = False,
) -> Bunch | tuple[Any, ...]:
    """Read the diabetes readmission data of 130 hospitals, split by a column into domains.

    Stays of diabetes patients in hospitals of the United States, from the file
    ``diabetic_data.csv`` of the UCI repository: who the patient is, what was done, which drugs
    were given, and whether the patient came back within 30 days. The groups of one column are the
    domains, as in benchmarks of shifts in tables.

    Parameters
    ----------
    path : str or path-like
        The file ``diabetic_data.csv``.
    by : str, default="admission_source"
        The column whose groups are the domains: "admission_source", "admission_type", "race",
        "gender", "age", "payer_code" or "medical_specialty". It is then no feature.
    source : str or list of str, default=None
        Domains whose rows are source rows, by the value in the column, for example "7", the code
        of the emergency room in "admission_source". None: all that `target` does not name.
    target : str or list of str, default=None
        Domains whose rows are target rows, with negative ids. None: none of them.
    return_X_y : bool, default=False
        Whether to return ``(data, target, sample_domain)`` instead of a Bunch.
    as_frame : bool, default=False
        Whether data are a pandas DataFrame with categories and the target a Series. If False, data
        are an array of objects: floats and texts, NaN where missing.

    Returns
    -------
    data : Bunch or tuple
        A dictionary with attributes:

        - data: ndarray of shape (n_samples, n_features) of objects, or DataFrame
        - target: ndarray of shape (n_samples,), 1 if the patient came back within 30 days, or
          Series
        - sample_domain: ndarray of shape (n_samples,), positive for sources, negative for
          targets, numbered in the order of the sorted values of the column
        - domain_names: dict from the ids in sample_domain to values of the column
        - groups: ndarray of shape (n_samples,) of the numbers of patients, who may have several
          stays
        - feature_names, target_names: lists of str
        - frame: DataFrame of data and target, if `as_frame`
        - DESCR: str with the license and whom to cite

        With ``return_X_y=True`` the tuple (data, target, sample_domain).

    Raises
    ------
    ImportError
        If pandas is not installed.
    ValueError
        If the file lacks a column of the set.

    See Also
    --------
    fetch_heart_disease : A smaller table of patients.

    Notes
    -----
    Rows in which the column of the domains is missing are left out. Split by patient
    (``GroupKFold`` with `groups`), or rows of one patient stand on both sides.

    Examples
    --------
    >>> from skda.datasets import read_diabetes_readmission
    >>> stays = read_diabetes_readmission(  # doctest: +SKIP
    ...     "diabetic_data.csv", target="7"
    ... )
    >>> stays.data.shape  # doctest: +SKIP
    (101766, 46)
    """
    options = Options(source, target, return_X_y, as_frame)
    column = _BY[check_option("by", by, tuple(_BY))]
    frame = _read(path)
    groups = frame[column].to_numpy(dtype=object)
    names = sorted({name for name in groups if isinstance(name, str)}, key=_place)
    ids = options.ids(names)
    features = [name for name in frame.columns if name not in {*_NO_FEATURES, column}]
    table = {name: _column(name, frame[name]) for name in features}
    y = (frame[_TARGET].to_numpy(dtype=object) == "<30").astype(np.int64)
    rows = {name: groups == name for name in ids}
    patients = frame[_PATIENT].to_numpy(dtype=object)
    return bundle(
        {name: (take_rows(table, rows[name]), y[rows[name]]) for name in ids},
        ids,
        options,
        feature_names=features,
        target_name="readmitted",
        target_names=["not within 30 days", "within 30 days"],
        groups=np.concatenate([patients[rows[name]] for name in ids]).astype(np.int64),
        DESCR=_DESCR,
    )


def _read(path):
    """Return the file as texts, the missing ones as NaN."""
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("read_diabetes_readmission needs pandas. Install it.") from error
    # "None" is no missing value: it says that a laboratory test was not made.
    frame = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=["?"])
    needed = {*_NO_FEATURES, *_NUMBERS, *_BY.values()}
    if missing := sorted(needed - set(frame.columns)):
        raise ValueError(
            f"{path} lacks the columns {missing}. Pass the file diabetic_data.csv of the UCI data "
            "set 296."
        )
    return frame


def _column(name, values):
    """Return one column as numbers or as categories."""
    if name in _NUMBERS:
        return Column(values.to_numpy(dtype=float))
    cells = values.to_numpy(dtype=object)
    return Column(cells, tuple(sorted(set(values.dropna()), key=_place)))


def _place(text):
    """Return a key that sorts codes as numbers and words as words."""
    return (0, int(text), "") if text.isdigit() else (1, 0, text)
