"""Office-Caltech10: objects in web shop (A), Caltech (C), webcam (W) and camera (D) pictures.

Published figures: J. Wang's table of shallow methods for SURF and DeCAF6 features, and the re-run
of TCA and JDA with rows of unit length.
"""

import numpy as np
from scipy.io import loadmat
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import Normalizer

from skda import (
    CORALTransformer,
    EasyTLClassifier,
    GFKTransformer,
    JDATransformer,
    MEDAClassifier,
    SubspaceAlignmentTransformer,
    TCATransformer,
    TJMTransformer,
    make_domain_pipeline,
    stack_domains,
)

from .._data import origin
from .._task import Task, target_accuracy

SURF = {
    "C": "Caltech10_SURF_L10.mat",
    "A": "amazon_SURF_L10.mat",
    "W": "webcam_SURF_L10.mat",
    "D": "dslr_SURF_L10.mat",
}
DECAF = {"C": "caltech.mat", "A": "amazon.mat", "W": "webcam.mat", "D": "dslr.mat"}
PAIRS = ["C>A", "C>W", "C>D", "A>C", "A>W", "A>D", "W>C", "W>A", "W>D", "D>C", "D>A", "D>W"]
SETS = (  # folder, files, and the name of the rows in a file
    ("office_caltech10_surf", SURF, "fts"),
    ("office_caltech10_decaf6", DECAF, "feas"),
)


def _table(text):
    return {
        name: dict(zip(PAIRS, map(float, row.split()), strict=True)) for name, row in text.items()
    }


PUBLISHED_SURF = _table(
    {
        "1NN": "23.7 25.8 25.5 26.0 29.8 25.5 19.9 23.0 59.2 26.3 28.5 63.4",
        "TCA": "45.6 39.3 45.9 42.0 40.0 35.7 31.5 30.5 91.1 33.0 32.8 87.5",
        "GFK": "46.0 37.0 40.8 40.7 37.0 40.1 24.8 27.6 85.4 29.3 28.7 80.3",
        "JDA": "43.1 39.3 49.0 40.9 38.0 42.0 33.0 29.8 92.4 31.2 33.4 89.2",
        "TJM": "46.8 39.0 44.6 39.5 42.0 45.2 30.2 30.0 89.2 31.4 32.8 85.4",
        "MEDA": "56.5 53.9 50.3 43.9 53.2 45.9 34.0 42.7 88.5 34.9 41.2 87.5",
        "EasyTL": "50.1 49.5 48.4 43.0 40.7 38.9 29.7 35.2 77.1 31.2 31.9 69.5",
        "EasyTL, CORAL": "52.6 53.9 51.6 42.3 43.1 48.4 35.4 38.2 79.6 36.1 38.3 86.1",
        "TCA, unit rows": "45.0 39.0 45.2 40.7 39.0 32.5 31.3 31.9 89.2 32.7 31.1 87.8",
        "JDA, unit rows": "44.9 41.7 42.7 39.5 37.6 41.4 30.5 33.0 89.8 32.0 32.5 90.8",
    }
)
PUBLISHED_DECAF = {
    "1NN": {"D>W": 91.5, "W>D": 98.1},
    "TCA": {"D>W": 99.7, "W>D": 100.0},
    "GFK": {"D>W": 99.3, "W>D": 100.0},
    "JDA": {"D>W": 99.7, "W>D": 100.0},
    "MEDA": {"D>W": 97.6, "W>D": 99.4},
}


def standardized(rows):
    """Rows divided by their sum, then each feature standardized within the domain."""
    rows = np.asarray(rows, dtype=float)
    rows = rows / rows.sum(axis=1, keepdims=True)
    spread = rows.std(axis=0, ddof=1)
    return (rows - rows.mean(axis=0)) / np.where(spread > 0, spread, 1.0)


def _pairs(folder, files):
    def pairs(data):
        there = [name for name, file in files.items() if (data / folder / file).exists()]
        return [p for p in PAIRS if set(p.split(">")) <= set(there)]

    return pairs


def _load(folder, files, rows_key):
    def load(data, pair):
        domains = []
        for name in pair.split(">"):
            content = loadmat(data / folder / files[name])
            domains.append((standardized(content[rows_key]), content["labels"].ravel().astype(int)))
        (Xs, ys), (Xt, yt) = domains
        return stack_domains(Xs, ys, Xt, yt)

    return load


def read_raw(number, pair):
    """Reader of a pair whose rows have unit sum, without standardization of each domain.

    That would be an adaptation of its own.
    """
    folder, files, key = SETS[number]

    def read(data):
        domains = []
        for name in pair.split(">"):
            content = loadmat(data / folder / files[name])
            rows = np.asarray(content[key], dtype=float)
            domains += [rows / rows.sum(axis=1, keepdims=True), content["labels"].ravel()]
        return stack_domains(*domains)

    return read


def nearest(*steps):
    """Steps, then the nearest neighbor of source rows."""
    return target_accuracy(lambda: make_domain_pipeline(*steps, KNeighborsClassifier(1)))


def components(transformer, n_components=100, **params):
    """Unit rows, linear components, unit rows again, nearest neighbor."""
    return nearest(Normalizer(), transformer(n_components, kernel="linear", **params), Normalizer())


def tca(X, y, sample_domain):
    """TCA with the discrepancy scaled to unit Frobenius norm, as the first round of JDA has it."""
    n_target = (sample_domain < 0).sum()
    mu = 1.0 / n_target + 1.0 / (len(X) - n_target)
    return components(TCATransformer, reg=mu)(X, y, sample_domain)


METHODS = {
    "1NN": nearest(),
    "SA": nearest(SubspaceAlignmentTransformer(80)),
    "GFK": nearest(Normalizer(), GFKTransformer(20, center=False), Normalizer()),
    "TCA, unit rows": tca,
    "JDA, unit rows": components(JDATransformer, reg=1.0),
    "TJM": components(TJMTransformer, 20),  # as many as in its paper
    "EasyTL": target_accuracy(EasyTLClassifier),
    "EasyTL, CORAL": target_accuracy(
        lambda: make_domain_pipeline(CORALTransformer(match_mean=False), EasyTLClassifier())
    ),
    "MEDA": target_accuracy(lambda: MEDAClassifier(20)),
}
PROTOCOL = """\
Rows divided by their sum, features standardized per domain. Fitted on labeled source and
unlabeled target rows; accuracy (%) on the target rows by the nearest source row. "unit rows": rows
of unit length before and after, linear kernel, 100 components, weight 1. GFK: unit rows before and
after, 20 axes. TJM: as TCA, 20 components. MEDA: 20 axes."""

TASKS = [
    Task(
        name="office-caltech-surf",
        protocol=PROTOCOL,
        pairs=_pairs("office_caltech10_surf", SURF),
        load=_load("office_caltech10_surf", SURF, "fts"),
        methods=METHODS,
        published=PUBLISHED_SURF,
        origin=origin("office_caltech10_surf"),
    ),
    Task(
        name="office-caltech-decaf",
        protocol=PROTOCOL,
        pairs=_pairs("office_caltech10_decaf6", DECAF),
        load=_load("office_caltech10_decaf6", DECAF, "feas"),
        methods=METHODS,
        published=PUBLISHED_DECAF
        | {f"{name}, unit rows": PUBLISHED_DECAF[name] for name in ("TCA", "JDA")},
        origin=origin("office_caltech10_decaf6"),
    ),
]
