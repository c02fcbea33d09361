"""Edible and poisonous mushrooms of two shapes of stalk."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from ._bundle import Column, Options, bundle
from ._download import Cache, Layout, RemoteFile, pinned

if TYPE_CHECKING:
    from sklearn.utils import Bunch

_DESCR = """\
Mushrooms with an enlarging or a tapering stalk
===============================================

Samples of 23 species of gilled mushrooms, made up from descriptions in a field guide: 22 properties
to be seen or smelled, and whether the mushroom may be eaten.

Domains: the shape of the stalk, enlarging (3516 rows) or tapering (4608), the split of ADAPT's and
SKADA's benchmarks.

Features: the 21 other properties, all categories. A stalk root that is not known is a category of
its own ("missing").

Target: 1 if the mushroom is poisonous (or not known to be edible), else 0.

Source and license: UCI Machine Learning Repository, data set 73, which gives CC BY 4.0
(https://doi.org/10.24432/C5959T). Donated by J. Schlimmer (1987).

Lincoff, G. H. (1981). The Audubon Society Field Guide to North American Mushrooms. New York: Alfred
A. Knopf.
"""

_FILE = RemoteFile(
    "agaricus-lepiota.data",
    (
        pinned(
            "liyorkl/mushroom-classification-decision-tree",
            "20882fb347a5c749f53c41097ce586c55e691dc1",
            "data/agaricus-lepiota.data",
        ),
        "https://archive.ics.uci.edu/ml/machine-learning-databases/mushroom/agaricus-lepiota.data",
    ),
    "5f337a91aba07bec5caaad73decfce48dcc34b265e8fe864652699ef39a5178e",
    layout=Layout(n_columns=23, header="class"),
)

# The letters of the file, behind the words that they stand for.
_PROPERTIES = {
    "cap-shape": "bell=b conical=c convex=x flat=f knobbed=k sunken=s",
    "cap-surface": "fibrous=f grooves=g scaly=y smooth=s",
    "cap-color": "brown=n buff=b cinnamon=c gray=g green=r pink=p purple=u red=e white=w yellow=y",
    "bruises": "bruises=t no=f",
    "odor": "almond=a anise=l creosote=c fishy=y foul=f musty=m none=n pungent=p spicy=s",
    "gill-attachment": "attached=a descending=d free=f notched=n",
    "gill-spacing": "close=c crowded=w distant=d",
    "gill-size": "broad=b narrow=n",
    "gill-color": "black=k brown=n buff=b chocolate=h gray=g green=r "
    "orange=o pink=p purple=u red=e white=w yellow=y",
    "stalk-shape": "enlarging=e tapering=t",
    "stalk-root": "bulbous=b club=c cup=u equal=e rhizomorphs=z rooted=r missing=?",
    "stalk-surface-above-ring": "fibrous=f scaly=y silky=k smooth=s",
    "stalk-surface-below-ring": "fibrous=f scaly=y silky=k smooth=s",
    "stalk-color-above-ring": "brown=n buff=b cinnamon=c gray=g "
    "orange=o pink=p red=e white=w yellow=y",
    "stalk-color-below-ring": "brown=n buff=b cinnamon=c gray=g "
    "orange=o pink=p red=e white=w yellow=y",
    "veil-type": "partial=p universal=u",
    "veil-color": "brown=n orange=o white=w yellow=y",
    "ring-number": "none=n one=o two=t",
    "ring-type": "cobwebby=c evanescent=e flaring=f large=l none=n pendant=p sheathing=s zone=z",
    "spore-print-color": "black=k brown=n buff=b chocolate=h "
    "green=r orange=o purple=u white=w yellow=y",
    "population": "abundant=a clustered=c numerous=n scattered=s several=v solitary=y",
    "habitat": "grasses=g leaves=l meadows=m paths=p urban=u waste=w woods=d",
}
_DOMAIN = "stalk-shape"
_NAMES = tuple(name for name in _PROPERTIES if name != _DOMAIN)


def fetch_mushrooms(
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
    """Fetch the UCI mushroom data, split by the shape of the stalk.

    Properties of mushrooms, all categories, and whether the mushroom is poisonous. Mushrooms with
    an enlarging stalk and with a tapering one are the domains.

    =================   ==========================================================
    Domains             "enlarging" (3516 rows), "tapering" (4608)
    Features            21 categories
    Target              0 (edible) or 1 (poisonous)
    =================   ==========================================================

    Parameters
    ----------
    source : str or list of str, default=None
        Domains whose rows are source rows. None: all that `target` does not name.
    target : str or list of str, default=None
        Domains whose rows are target rows, with negative ids. None: none of them.
    data_home : str or path-like, default=None
        Folder of scikit-learn's data sets. None: what
        :func:`sklearn.datasets.get_data_home` gives. Files lie in ``skda/mushrooms`` there.
    download_if_missing : bool, default=True
        Whether to download files that are not there. If False, their absence is an error.
    return_X_y : bool, default=False
        Whether to return ``(data, target, sample_domain)`` instead of a Bunch.
    as_frame : bool, default=False
        Whether data are a pandas DataFrame of categories and the target a Series. If False, data
        are an array of objects, which are texts.
    n_retries : int, default=3
        How often a download is tried again.
    delay : float, default=1.0
        Seconds between two attempts.

    Returns
    -------
    data : Bunch or tuple
        A dictionary with attributes:

        - data: ndarray of shape (n_samples, 21) of texts as objects, or DataFrame
        - target: ndarray of shape (n_samples,), or Series
        - sample_domain: ndarray of shape (n_samples,), positive for sources, negative for
          targets; the number of a shape of stalk is the same in every call
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
    fetch_adult : Census data, with categories and numbers.

    Notes
    -----
    The domain itself, stalk-shape, is not among the features. Benchmarks that keep it (SKADA-Bench)
    get other figures.

    Examples
    --------
    >>> from skda.datasets import fetch_mushrooms
    >>> mushrooms = fetch_mushrooms(target="tapering")  # doctest: +SKIP
    >>> mushrooms.data.shape  # doctest: +SKIP
    (8124, 21)
    """
    options = Options(source, target, return_X_y, as_frame)
    cache = Cache(
        "mushrooms",
        data_home=data_home,
        download_if_missing=download_if_missing,
        n_retries=n_retries,
        delay=delay,
    )
    ids = options.ids(("enlarging", "tapering"))
    cells = np.array(cache.read(_FILE), dtype=object)
    shape = cells[:, 1 + list(_PROPERTIES).index(_DOMAIN)]
    return bundle(
        {name: _table(cells[shape == name[0]]) for name in ids},
        ids,
        options,
        feature_names=_NAMES,
        target_name="poisonous",
        target_names=["edible", "poisonous"],
        DESCR=_DESCR,
    )


def _table(cells):
    """Return the columns of one domain in words, and which mushrooms are poisonous."""
    columns = {}
    for name, letters in zip(_PROPERTIES, cells[:, 1:].T, strict=True):
        words = {word[-1]: word[:-2] for word in _PROPERTIES[name].split()}
        values = np.array([words[letter] for letter in letters], dtype=object)
        columns[name] = Column(values, tuple(words.values()))
    del columns[_DOMAIN]
    return columns, (cells[:, 0] == "p").astype(np.int64)
