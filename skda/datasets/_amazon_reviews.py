"""Reviews of four kinds of products, good and bad."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy import sparse
from sklearn.datasets import load_svmlight_file

from .._core._param_checks import check_option
from ._bundle import Options, bundle
from ._download import Cache, RemoteFile, pinned

if TYPE_CHECKING:
    from sklearn.utils import Bunch

_DESCR = """\
Amazon reviews of four kinds of products
========================================

How often each of 5000 words and pairs of words occurs in a review, and whether the review is good.
The preparation of Chen et al. (2012) and Ganin et al. (2016).

Domains: books, dvd, electronics, kitchen. Each has 2000 reviews to train with, half of them good,
and 4465, 3586, 5681 and 5945 to test with.

Features: 5000 counts. The words are not in the files.

Target: 1 if the review is good (more than three stars), else 0.

Source and license: github.com/GRAAL-Research/domain_adversarial_neural_network; its code is BSD-2,
no license is stated for the reviews. The checksums of electronics and kitchen are not known to us:
of these files the size is compared.

Blitzer, J., Dredze, M., Pereira, F. (2007). Biographies, Bollywood, boom-boxes and blenders: domain
adaptation for sentiment classification. ACL, 440-447.
Ganin, Y. et al. (2016). Domain-adversarial training of neural networks. JMLR 17(59), 1-35.
"""

_COPY = (
    "GRAAL-Research/domain_adversarial_neural_network",
    "74eec5e0ae06bd6614bce048abba492c16a633e3",
)
# What the files are recognized by.
_KNOWN = {
    "books_train": {"sha256": "317f9a2ec34b81de770b63a84d8c5cc2dc16bd0be6e079d2ff5b5bad5213ea19"},
    "books_test": {"sha256": "fe4605c7dcf0e0a9410fd2a32f247caaf9abb352cc6e4c3e0f400853163ad9c4"},
    "dvd_train": {"sha256": "95f602aa08bf6b55758f7b0b18df3882fe30acb11987ee60b6b4bb3c44cba733"},
    "dvd_test": {"sha256": "4fe1b1a15010f78d8d0c49fe362d35fd4677463a45f1ac02a9f410ae1e638060"},
    "electronics_train": {"n_bytes": 872265},
    "electronics_test": {"n_bytes": 2461224},
    "kitchen_train": {"n_bytes": 771076},
    "kitchen_test": {"n_bytes": 2280620},
}
_DOMAINS = ("books", "dvd", "electronics", "kitchen")
_PARTS = {"train": ("train",), "test": ("test",), "all": ("train", "test")}
_N_FEATURES = 5000


def fetch_amazon_reviews(
    *,
    source: str | Sequence[str] | None = None,
    target: str | Sequence[str] | None = None,
    data_home: str | PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
    subset: Literal["train", "test", "all"] = "train",
) -> Bunch | tuple[Any, ...]:
    """Fetch Amazon reviews of four kinds of products as sparse counts.

    Counts of 5000 words and pairs of words in reviews of books, DVDs, electronics and kitchen ware,
    the domains, and whether the review is good.

    =================   ==========================================================
    Domains             "books", "dvd", "electronics", "kitchen" (2000 rows each
                        to train with, 3586 to 5945 to test with)
    Features            5000 counts, sparse
    Target              0 (bad) or 1 (good)
    =================   ==========================================================

    Parameters
    ----------
    source : str or list of str, default=None
        Domains whose rows are source rows. None: all that `target` does not name.
    target : str or list of str, default=None
        Domains whose rows are target rows, with negative ids. None: none of them.
    data_home : str or path-like, default=None
        Folder of scikit-learn's data sets. None: what
        :func:`sklearn.datasets.get_data_home` gives. Files lie in ``skda/amazon_reviews`` there.
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
    subset : {"train", "test", "all"}, default="train"
        Which reviews: those that published figures were trained with, those they were judged by,
        or both, the former first.

    Returns
    -------
    data : Bunch or tuple
        A dictionary with attributes:

        - data: CSR matrix of shape (n_samples, 5000) of floats, or DataFrame
        - target: ndarray of shape (n_samples,), or Series
        - sample_domain: ndarray of shape (n_samples,), positive for sources, negative for
          targets; the number of a kind of product is the same in every call
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
    fetch_office_caltech : Pictures of four origins.

    Notes
    -----
    In published figures a method sees the labeled reviews ``subset="train"`` of the source and the
    unlabeled ones of the target, and is judged by ``subset="test"`` of the target.

    Examples
    --------
    >>> from skda.datasets import fetch_amazon_reviews
    >>> X, y, sample_domain = fetch_amazon_reviews(  # doctest: +SKIP
    ...     source="books", target="dvd", return_X_y=True
    ... )
    >>> X.shape  # doctest: +SKIP
    (4000, 5000)
    """
    options = Options(source, target, return_X_y, as_frame)
    check_option("subset", subset, tuple(_PARTS))
    cache = Cache(
        "amazon_reviews",
        data_home=data_home,
        download_if_missing=download_if_missing,
        n_retries=n_retries,
        delay=delay,
    )
    ids = options.ids(_DOMAINS)
    return bundle(
        {name: _table(cache, name, _PARTS[subset]) for name in ids},
        ids,
        options,
        feature_names=[f"word_{i}" for i in range(_N_FEATURES)],
        target_name="good",
        target_names=["bad", "good"],
        DESCR=_DESCR,
    )


def _table(cache, name, parts):
    """Return counts and labels of the reviews of one kind of product."""
    counts, labels = [], []
    for part in parts:
        file = f"{name}_{part}.svmlight"
        remote = RemoteFile(file, (pinned(*_COPY, f"data/{file}"),), **_KNOWN[f"{name}_{part}"])
        X, y = load_svmlight_file(BytesIO(cache.read(remote)), n_features=_N_FEATURES)
        counts.append(X)
        labels.append(y)
    # The files have -1 for a bad review, which means "no label" in this package.
    return sparse.vstack(counts, "csr"), (np.concatenate(labels) > 0).astype(np.int64)
