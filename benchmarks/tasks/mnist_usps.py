"""MNIST and USPS digits as 16 x 16 gray values (Long et al. 2013): U>M and M>U."""

import numpy as np
from sklearn.preprocessing import Normalizer

from skda import GFKTransformer, JDATransformer, MEDAClassifier, TJMTransformer, stack_domains

from .._data import origin
from .._task import Task, target_accuracy
from .office_caltech import components, nearest, tca

PUBLISHED = {
    "1NN": (44.7, 65.9),
    "TCA": (51.2, 56.3),
    "GFK": (46.5, 61.2),
    "JDA": (59.7, 67.3),
    "TJM": (52.3, 63.3),
    "MEDA": (72.1, 89.5),
}


def _load(data, pair):
    content = np.load(data / "mnist_usps" / "mnist_usps.npz")
    rows = {name: content[f"X_{key}"] for name, key in (("M", "mnist"), ("U", "usps"))}
    labels = {name: content[f"y_{key}"] for name, key in (("M", "mnist"), ("U", "usps"))}
    source, target = pair.split(">")
    unit = Normalizer()
    return stack_domains(
        unit.transform(rows[source]),
        labels[source].ravel(),
        unit.transform(rows[target]),
        labels[target].ravel(),
    )


PROTOCOL = """\
Rows of unit length. Fitted on labeled source and unlabeled target rows; accuracy (%) on the
target rows by the nearest source row. TCA, JDA: linear kernel, 100 components, weight 1, unit rows
after. GFK, MEDA: 20 axes."""

TASKS = [
    Task(
        name="mnist-usps",
        protocol=PROTOCOL,
        pairs=lambda data: ["U>M", "M>U"] if (data / "mnist_usps").exists() else [],
        load=_load,
        methods={
            "1NN": nearest(),
            "GFK": nearest(GFKTransformer(20, center=False)),
            "TCA": tca,
            "JDA": components(JDATransformer, reg=1.0),
            "TJM": components(TJMTransformer),
            "MEDA": target_accuracy(lambda: MEDAClassifier(20)),
        },
        published={
            name: dict(zip(("U>M", "M>U"), scores, strict=True))
            for name, scores in PUBLISHED.items()
        },
        origin=origin("mnist_usps"),
    )
]
