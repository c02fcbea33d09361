"""Heart disease in four hospitals."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from ._bundle import Column, Options, bundle, numbers
from ._download import Cache, Layout, RemoteFile, pinned

if TYPE_CHECKING:
    from sklearn.utils import Bunch

_DESCR = """\
Heart disease in four hospitals
===============================

920 patients who were sent to a coronary angiography at one of four hospitals, with findings that
were taken before it. The question is whether the angiography then showed a narrowed vessel.

Domains: cleveland (303 rows), hungary (294), switzerland (123), va (200, Veterans Affairs Long
Beach). Class proportions differ (46, 36, 93 and 74 % ill), and so does what was measured: slope, ca
and thal are mostly missing outside Cleveland.

Features: age (years), sex, cp (type of chest pain), trestbps (resting blood pressure, mm Hg), chol
(serum cholesterol, mg/dl), fbs (fasting blood sugar over 120 mg/dl), restecg (resting
electrocardiogram), thalach (highest heart rate), exang (angina in exercise), oldpeak (ST depression
in exercise), slope (of the ST segment at peak exercise), ca (number of major vessels seen in
fluoroscopy), thal (thallium scan).

Target: 1 if a vessel was narrowed by more than half (`num` from 1 to 4 in the files), else 0.

A cholesterol or a blood pressure of 0, which the files have where none was measured, is missing
here.

Source and license: UCI Machine Learning Repository, data set 45, which gives CC BY 4.0
(https://doi.org/10.24432/C52P4X). Collected by A. Janosi (Hungarian Institute of Cardiology),
W. Steinbrunn (University Hospital, Zurich), M. Pfisterer (University Hospital, Basel) and
R. Detrano (V.A. Medical Center, Long Beach, and Cleveland Clinic Foundation), who ask to be named
in publications.

Detrano, R. et al. (1989). International application of a new probability algorithm for the
diagnosis of coronary artery disease. American Journal of Cardiology, 64, 304-310.
"""

_LAYOUT = Layout(n_columns=14, header="age")
_UCI = "https://archive.ics.uci.edu/ml/machine-learning-databases/heart-disease/"


def _file(name, sha256, *mirror):
    """Return a file of the repository, with a copy of it that cannot change."""
    return RemoteFile(name, (pinned(*mirror), _UCI + name), sha256, layout=_LAYOUT)


_COPY = ("cdavietei/DataScienceFinalProj", "b2c75cd700e001e41110acb76b761e3853190cfb")
_FILES = {
    "cleveland": _file(
        "processed.cleveland.data",
        "511ffcd8893a233084ebd79e950be9b1b07b1357bdde77bd0ab39d1064082641",
        *_COPY,
        "data/processed.cleveland.data",
    ),
    "hungary": _file(
        "processed.hungarian.data",
        "ca73b739efd8e29273aff13c1516a68e946be1786bda13a82f6f82173cd0dc6f",
        "rsbaher/udemy-heart-disease-2023",
        "227d59192c6da3fb8574597d59eaaeadc7051d0a",
        "data/processed.hungarian.data",
    ),
    "switzerland": _file(
        "processed.switzerland.data",
        "488a83b28d84a00b202549bff5e8a418f91837e43775c3407f80d1d006353013",
        *_COPY,
        "data/processed.switzerland.data",
    ),
    "va": _file(
        "processed.va.data",
        "67db47894e2c5ca6eebfb592eccd94374a314932ff0dc45b3e1302e108f97b65",
        *_COPY,
        "data/processed.va.data",
    ),
}

# What the codes of the files mean; columns that are not here are numbers.
_WORDS = {
    "sex": {0.0: "female", 1.0: "male"},
    "cp": {1.0: "typical", 2.0: "atypical", 3.0: "non-anginal", 4.0: "asymptomatic"},
    "fbs": {0.0: "no", 1.0: "yes"},
    "restecg": {0.0: "normal", 1.0: "ST-T abnormality", 2.0: "hypertrophy"},
    "exang": {0.0: "no", 1.0: "yes"},
    "slope": {1.0: "up", 2.0: "flat", 3.0: "down"},
    "thal": {3.0: "normal", 6.0: "fixed defect", 7.0: "reversible defect"},
}
_NAMES = (
    *("age", "sex", "cp", "trestbps", "chol", "fbs", "restecg", "thalach", "exang", "oldpeak"),
    *("slope", "ca", "thal"),
)
# Nobody has a cholesterol or a blood pressure of 0.
_NEVER_ZERO = ("trestbps", "chol")


def fetch_heart_disease(
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
    """Fetch the UCI heart disease data: patients of four hospitals.

    The same thirteen findings of 920 patients, with gaps, and whether the heart's vessels were
    narrowed. The hospitals are the domains: other proportions of the ill, and other measurements
    missing, in each.

    =================   ==========================================================
    Domains             "cleveland" (303 rows), "hungary" (294), "switzerland"
                        (123), "va" (200)
    Features            13: 6 numbers and 7 categories, with gaps
    Target              0 (vessels open) or 1 (narrowed)
    =================   ==========================================================

    Parameters
    ----------
    source : str or list of str, default=None
        Domains whose rows are source rows. None: all that `target` does not name.
    target : str or list of str, default=None
        Domains whose rows are target rows, with negative ids. None: none of them.
    data_home : str or path-like, default=None
        Folder of scikit-learn's data sets. None: what
        :func:`sklearn.datasets.get_data_home` gives. Files lie in ``skda/heart_disease`` there.
    download_if_missing : bool, default=True
        Whether to download files that are not there. If False, their absence is an error.
    return_X_y : bool, default=False
        Whether to return ``(data, target, sample_domain)`` instead of a Bunch.
    as_frame : bool, default=False
        Whether data are a pandas DataFrame, with words for the categories, and the target a
        Series. If False, data are an array of floats with the codes of the files.
    n_retries : int, default=3
        How often a download is tried again.
    delay : float, default=1.0
        Seconds between two attempts.

    Returns
    -------
    data : Bunch or tuple
        A dictionary with attributes:

        - data: ndarray of shape (n_samples, 13), or DataFrame; NaN where missing
        - target: ndarray of shape (n_samples,), or Series
        - sample_domain: ndarray of shape (n_samples,), positive for sources, negative for targets;
          the number of a hospital is the same in every call
        - domain_names: dict from the ids in sample_domain to names of hospitals
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
    skda.encode_domains : Make a sample_domain from a column of names of one's own.

    Notes
    -----
    A cholesterol or a blood pressure of 0, which stands for a missing value in the files, is NaN.

    Examples
    --------
    >>> from skda.datasets import fetch_heart_disease
    >>> heart = fetch_heart_disease(target="va", as_frame=True)  # doctest: +SKIP
    >>> heart.domain_names  # doctest: +SKIP
    {1: 'cleveland', 2: 'hungary', 3: 'switzerland', -4: 'va'}
    """
    options = Options(source, target, return_X_y, as_frame)
    cache = Cache(
        "heart_disease",
        data_home=data_home,
        download_if_missing=download_if_missing,
        n_retries=n_retries,
        delay=delay,
    )
    ids = options.ids(_FILES)
    return bundle(
        {name: _table(cache.read(_FILES[name])) for name in ids},
        ids,
        options,
        feature_names=_NAMES,
        target_name="disease",
        target_names=["absent", "present"],
        DESCR=_DESCR,
    )


def _table(cells):
    """Return the columns of one hospital, and who is ill."""
    columns = {}
    for name, column in zip(_NAMES, zip(*cells, strict=True), strict=False):
        values = numbers(column)
        if name in _NEVER_ZERO:
            values[values == 0] = np.nan
        columns[name] = Column(values, words=_WORDS.get(name))
    degree = numbers([row[-1] for row in cells])
    return columns, (degree > 0).astype(np.int64)
