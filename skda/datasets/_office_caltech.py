"""Objects in pictures from four origins."""

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
Office-Caltech10
================

Pictures of ten kinds of objects, as vectors of features, from four origins. The set that most
methods of domain adaptation of before 2016 were compared on.

Domains: amazon (958 pictures of an online shop), caltech (1123, of Caltech-256), dslr (157 of a
camera of high resolution in an office) and webcam (295, the same objects of a poor camera).

Features: "surf": histograms of 800 visual words (SURF descriptors). "decaf6": 4096 activations of
the sixth layer of a network that was trained on ImageNet.

Target: backpack, touring bike, calculator, headphones, keyboard, laptop, monitor, mouse, mug or
projector.

Source and license: copies in the repository jindongwang/transferlearning; no license is stated for
the data. The checksums of dslr and webcam (surf) and of amazon and caltech (decaf6) are not
known to us: of these the number of pictures and of features is compared.

Gong, B., Shi, Y., Sha, F., Grauman, K. (2012). Geodesic flow kernel for unsupervised domain
adaptation. CVPR, 2066-2073 (surf).
Donahue, J. et al. (2014). DeCAF: a deep convolutional activation feature for generic visual
recognition. ICML, 647-655 (decaf6).
"""

_REPOSITORY = "jindongwang/transferlearning"


def _surf(name, sha256=None):
    file = f"{name}_SURF_L10.mat"
    commit = "73cb050b7e8b969b9d0ebb04a9377aa033043eb2"
    return RemoteFile(file, (pinned(_REPOSITORY, commit, f"code/BDA/data/{file}"),), sha256)


def _decaf(name, commit, folder, sha256=None):
    file = f"{name}.mat"
    path = f"code/traditional/{folder}/{file}"
    return RemoteFile(file, (pinned(_REPOSITORY, commit, path),), sha256)


# Amazon and Caltech are in another commit than the files whose checksums are known.
_LATER = ("dd79a248af95060150254b0d0d339169e59ade35", "data")
_EARLIER = ("de0cd293cd4cc0e2f027a1cc58493ba4df07d6a8", "TCA/data")
_FILES = {
    "surf": {
        "amazon": _surf(
            "amazon", "df32548b994e18d364c99e1f317e1fae100597259f0423a41b90f4f68187bb1f"
        ),
        "caltech": _surf(
            "Caltech10", "4f9334c8ced489d5054de97a5fd51a61f017f3bcd1f38c9a85c6d78cb9d7bda5"
        ),
        "dslr": _surf("dslr"),
        "webcam": _surf("webcam"),
    },
    "decaf6": {
        "amazon": _decaf("amazon", *_LATER),
        "caltech": _decaf("caltech", *_LATER),
        "dslr": _decaf(
            "dslr", *_EARLIER, "42443f5e82e98cbe6304cacdba905e24c8430ed977b3d6b7b279f088b76e108f"
        ),
        "webcam": _decaf(
            "webcam", *_EARLIER, "e42207580fb1fadd3adba2504e1d8cff9620f464fca7536f9d7093f84c1459a3"
        ),
    },
}
_N_PICTURES = {"amazon": 958, "caltech": 1123, "dslr": 157, "webcam": 295}
_N_FEATURES = {"surf": 800, "decaf6": 4096}
# The files differ in what they call the features.
_KEYS = ("fts", "feas")
_CLASSES = (
    *("backpack", "touring bike", "calculator", "headphones", "keyboard", "laptop", "monitor"),
    *("mouse", "mug", "projector"),
)


def fetch_office_caltech(
    *,
    source: str | Sequence[str] | None = None,
    target: str | Sequence[str] | None = None,
    data_home: str | PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
    features: Literal["surf", "decaf6"] = "surf",
) -> Bunch | tuple[Any, ...]:
    """Fetch Office-Caltech10: features of pictures from four origins.

    Ten kinds of objects, photographed for a shop, taken from the web, and by two cameras in an
    office. The four origins are the domains, and their twelve pairs the tasks on which most methods
    of the field were compared.

    =================   ==========================================================
    Domains             "amazon" (958 rows), "caltech" (1123), "dslr" (157),
                        "webcam" (295)
    Features            800 counts of visual words, or 4096 activations of a
                        network
    Target              10 classes, 0 to 9
    =================   ==========================================================

    Parameters
    ----------
    source : str or list of str, default=None
        Domains whose rows are source rows. None: all that `target` does not name.
    target : str or list of str, default=None
        Domains whose rows are target rows, with negative ids. None: none of them.
    data_home : str or path-like, default=None
        Folder of scikit-learn's data sets. None: what :func:`sklearn.datasets.get_data_home` gives.
        Files lie in ``skda/office_caltech_surf`` there.
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
    features : {"surf", "decaf6"}, default="surf"
        Which features of the pictures: histograms of 800 visual words, or 4096 activations of a
        network trained on ImageNet (those lie in ``skda/office_caltech_decaf6``).

    Returns
    -------
    data : Bunch or tuple
        A dictionary with attributes:

        - data: ndarray of shape (n_samples, 800 or 4096) of floats, or DataFrame
        - target: ndarray of shape (n_samples,), or Series
        - sample_domain: ndarray of shape (n_samples,), positive for sources, negative for
          targets; the number of an origin is the same in every call
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
    fetch_amazon_reviews : Reviews of four kinds of products, as sparse counts.

    Notes
    -----
    Published figures are of features that were scaled first: for "surf" each row divided by
    its sum, and for both each column standardized within its domain
    (``PerDomain(StandardScaler())`` in a pipeline of ours).

    Files of which no checksum is known to us are recognized by the number of rows and columns.

    Examples
    --------
    >>> from skda.datasets import fetch_office_caltech
    >>> X, y, sample_domain = fetch_office_caltech(  # doctest: +SKIP
    ...     source="amazon", target="caltech", return_X_y=True
    ... )
    >>> X.shape  # doctest: +SKIP
    (2081, 800)
    """
    options = Options(source, target, return_X_y, as_frame)
    check_option("features", features, tuple(_FILES))
    cache = Cache(
        f"office_caltech_{features}",
        data_home=data_home,
        download_if_missing=download_if_missing,
        n_retries=n_retries,
        delay=delay,
    )
    ids = options.ids(_N_PICTURES)
    return bundle(
        {name: _table(cache, features, name) for name in ids},
        ids,
        options,
        feature_names=[f"{features}_{i}" for i in range(_N_FEATURES[features])],
        target_name="object",
        target_names=list(_CLASSES),
        DESCR=_DESCR,
    )


def _table(cache, features, name):
    """Return features and classes of the pictures of one origin."""
    file = _FILES[features][name]
    content = loadmat(BytesIO(cache.read(file)))
    X = np.asarray(next(content[key] for key in _KEYS if key in content), dtype=float)
    cache.check_shape(file, X.shape, (_N_PICTURES[name], _N_FEATURES[features]))
    return X, content["labels"].ravel().astype(np.int64) - 1
