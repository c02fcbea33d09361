"""Source-target pairs of the shared data, by family, for studies that run over all of them.

A family is one data set. Its pairs have much in common, so that means over families, and not over
pairs, say how a method does on data that nobody has seen.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd

from skda import datasets, stack_domains

from .tasks import (
    corn,
    heart_disease,
    mnist_usps,
    mushrooms,
    music,
    office_caltech,
    reuters,
    reviews,
    students,
    wine_quality,
)

CLASSIFICATION, REGRESSION = "classification", "regression"
# Thousands of words or net outputs would make cubic methods a matter of hours. Those that vary
# most are kept as they are: components of a PCA would be whitened by the scaler that follows.
MAX_FEATURES = 300
GOOD_WINE, PASSED = 6, 10  # marks from which a wine is called good and a student has passed
LARGEST_SCHOOLS = 6
DRAWN = 0.8  # of a small domain


@dataclass(frozen=True)
class Pair:
    """One source-target pair: what it is called and how its rows are read."""

    family: str
    """The data set."""
    name: str
    """Source and target."""
    kind: str
    """"classification" or "regression"."""
    folder: str | None
    """Folder of the shared data, None for rows that need no file."""
    read: Callable[[Path], tuple]
    """``read(data)`` returns ``(X, y, sample_domain)`` with all labels."""

    @property
    def key(self):
        """Name that no other pair has."""
        return f"{self.family} {self.kind[:5]}: {self.name}"


@lru_cache(maxsize=2)
def load(pair, data):
    """``(X, y, sample_domain)`` of a pair as dense rows, with labels 0, 1, ... for classes."""
    X, y, sample_domain = pair.read(Path(data))
    X = most_varying(X)
    if pair.kind == CLASSIFICATION:
        y = np.unique(y, return_inverse=True)[1]
    return np.asarray(X, dtype=float), y, sample_domain


def most_varying(X, n_features=MAX_FEATURES):
    """The features of the largest variance over all rows, dense and in their order."""
    X = X.toarray() if hasattr(X, "toarray") else np.asarray(X, dtype=float)
    if X.shape[1] <= n_features:
        return X
    return X[:, np.sort(np.argsort(-X.var(axis=0), kind="stable")[:n_features])]


def draw(pair, data, *, rows, seed):
    """Rows of a pair drawn without replacement: at most ``rows`` of all sources and of the target.

    Several sources have equal parts. Small domains give four fifths of their rows, so that draws
    differ.
    """
    X, y, sample_domain = load(pair, str(data))
    rng = np.random.default_rng(seed)
    sources = np.unique(sample_domain[sample_domain >= 0])
    kept = []
    for domain in np.unique(sample_domain):
        own = np.flatnonzero(sample_domain == domain)
        most = rows if domain < 0 else rows // len(sources)
        most = min(most, int(DRAWN * len(own)))
        kept.append(rng.permutation(own)[:most])
    kept = np.sort(np.concatenate(kept))
    return X[kept], y[kept], sample_domain[kept]


def find_pairs(data):
    """All pairs whose files are in the data folder."""
    return [p for p in PAIRS if p.folder is None or (Path(data) / p.folder).exists()]


# Readers


def _task(module, pair, number=0):
    """Rows of a pair of an accuracy task."""
    return lambda data: module.TASKS[number].load(data, pair)[:3]


def _heart(pair):
    def read(data):
        X, y, sample_domain = heart_disease.TASKS[0].load(data, pair)
        return heart_disease.prepared(X, sample_domain), y, sample_domain

    return read


def _logs(module, pair):
    """Word counts as logarithms, without the rows that no method sees."""

    def read(data):
        X, y, sample_domain = module.TASKS[0].load(data, pair)
        seen = sample_domain != reviews.TEST
        return (X.log1p() if module is reuters else X)[seen], y[seen], sample_domain[seen]

    return read


def _music(sources, target):
    """Recordings under some noises for those under another one; 0 is no noise."""

    def read(data):
        X, y, domain = music.read(data)
        kept = np.isin(domain, [*sources, target])
        return X[kept], y[kept], np.where(domain == target, -1, domain + 1)[kept]

    return read


def _scanners(swapped):
    def read(data):
        X, y, sample_domain = datasets.load_digits_scanners()
        return X, y, -sample_domain if swapped else sample_domain

    return read


def _as_classes(read, threshold):
    """The same rows with the question whether a mark is reached."""

    def classes(data):
        X, y, sample_domain = read(data)
        return X, (y >= threshold).astype(int), sample_domain

    return classes


def _school_of(source, target):
    """Students of the Portuguese course at one school for those at the other."""

    def read(data):
        X, y, school = students.by_school(data)
        return stack_domains(
            X[school == source], y[school == source], X[school == target], y[school == target]
        )

    return read


def _other_schools(rank):
    """One of the largest schools as the target of all others."""

    def read(data):
        X, y, school = students.TASKS[1].load(data, "all>one")
        target = np.argsort(-np.bincount(school), kind="stable")[rank]
        return X, y, np.where(school == target, -2, 1)

    return read


def _corn(source, target, column):
    """Half of the samples on one instrument for the other half on another one."""

    def read(data):
        X, y, sample_domain = corn.read(data, source, target, column)
        first = np.random.default_rng(0).permutation(len(y) // 2) < len(y) // 4
        kept = np.where(sample_domain >= 0, np.tile(first, 2), ~np.tile(first, 2))
        return X[kept], y[kept], sample_domain[kept]

    return read


NUMBERS = ["age", "education-num", "capital-gain", "capital-loss", "hours-per-week"]
WORDS = ["workclass", "marital-status", "occupation", "relationship", "race", "sex"]
US = "United-States"
# Which column splits the census, and who is on each side.
CENSUS = {
    "women|men": ("sex", lambda c: c == "Female", lambda c: c == "Male"),
    "under 30|over 45": ("age", lambda c: c < 30, lambda c: c > 45),
    "school|college": ("education-num", lambda c: c <= 9, lambda c: c >= 11),
    "black|white": ("race", lambda c: c == "Black", lambda c: c == "White"),
    "born abroad|in the US": ("native-country", lambda c: c.ne(US) & c.notna(), lambda c: c == US),
    "private|public": ("workclass", lambda c: c == "Private", lambda c: c.str.endswith("-gov")),
}


@lru_cache(maxsize=1)
def _census(data):
    return pd.read_csv(data / "adult" / "adult.data", skipinitialspace=True, na_values="?")


def _adult(split, swapped):
    """People on both sides of a split, without the column that splits them."""
    column, *sides = CENSUS[split]

    def read(data):
        table = _census(data)
        rows = [side(table[column]).fillna(False).to_numpy(dtype=bool) for side in sides]
        numbers = table[[c for c in NUMBERS if c != column]]
        words = pd.get_dummies(table[[c for c in WORDS if c != column]], dtype=float)
        X = np.hstack([numbers.to_numpy(dtype=float), words.to_numpy()])
        y = table["target"].str.startswith(">").to_numpy().astype(int)
        source, target = reversed(rows) if swapped else rows
        return stack_domains(X[source], y[source], X[target], y[target])

    return read


def _both_ways(first, second):
    return ((first, second), (second, first))


def _all_pairs():
    c, r = CLASSIFICATION, REGRESSION
    yield from (
        Pair("heart", name, c, "uci_heart_disease", _heart(name)) for name in heart_disease.PAIRS
    )
    for family, number, folder, names in (
        ("office SURF", 0, "office_caltech10_surf", ("C>A", "A>C")),
        ("office DeCAF", 1, "office_caltech10_decaf6", ("D>W", "W>D")),
    ):
        for name in names:
            yield Pair(family, name, c, folder, office_caltech.read_raw(number, name))
    for name in ("U>M", "M>U"):
        yield Pair("digits", name, c, "mnist_usps", _task(mnist_usps, name))
    for name, swapped in (("first>second", False), ("second>first", True)):
        yield Pair("scanners", name, c, None, _scanners(swapped))
    for name in ("B>D", "D>B"):
        yield Pair("reviews", name, c, reviews.FOLDER, _logs(reviews, name))
    for name in ("OrgsPeople", "OrgsPeople back"):
        yield Pair("reuters", name, c, reuters.FOLDER, _logs(reuters, name))
    for column, values in (("stalk-shape", "et"), ("bruises", "tf")):
        for source, target in _both_ways(*values):
            read = partial(mushrooms.split_by, column=column, source=source, target=target)
            yield Pair("mushrooms", f"{column} {source}>{target}", c, "mushrooms", read)
    for i, noise in enumerate(music.NOISES, start=1):
        others = [k for k in range(5) if k != i]
        yield Pair("music", f"clean>{noise}", c, music.FOLDER, _music([0], i))
        yield Pair("music", f"four>{noise}", c, music.FOLDER, _music(others, i))
    for split in CENSUS:
        one, two = split.split("|")
        yield Pair("adult", f"{one}>{two}", c, "adult", _adult(split, False))
        yield Pair("adult", f"{two}>{one}", c, "adult", _adult(split, True))
    for name in ("red>white", "white>red"):
        read = _task(wine_quality, name)
        yield Pair("wine", name, c, wine_quality.FOLDER, _as_classes(read, GOOD_WINE))
        yield Pair("wine", name, r, wine_quality.FOLDER, read)
    readers = {name: _task(students, name) for name in ("maths>Portuguese", "Portuguese>maths")}
    readers |= {f"{s}>{t}": _school_of(s, t) for s, t in _both_ways("GP", "MS")}
    for name, read in readers.items():
        yield Pair("students", name, c, "student_performance", _as_classes(read, PASSED))
        yield Pair("students", name, r, "student_performance", read)
    for source, target in permutations(("m5", "mp5", "mp6"), 2):
        for column in ("moisture", "protein"):
            name = f"{source}>{target}, {column}"
            yield Pair("corn", name, r, "corn_nir", _corn(source, target, column))
    for rank in range(LARGEST_SCHOOLS):
        name = f"others>school {rank + 1}"
        yield Pair("schools", name, r, "school_ilea", _other_schools(rank))


PAIRS = tuple(_all_pairs())
