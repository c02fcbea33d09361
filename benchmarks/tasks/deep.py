"""Networks on feature vectors: digits, reviews, pictures and music, source-only beside the others.

Nothing is chosen by target labels. Per pair of domains, on seed 0, and then kept for all seeds:

1. Fixed for all tasks: `TRAINING`, `STEPS` and the scaling of the rows. Momentum SGD is what the
   papers of these methods use. Adam divides each weight's gradient by its size; once the source is
   fitted its gradients vanish, and the alignment's set the step however small its weight.
2. The common net: `NETS`, by the accuracy of the source-only network on a quarter of the source
   rows, held out.
3. Each method's weight: 0, which is the source-only network, and its `WEIGHTS` times
   `FACTORS` (with each of its `OTHERS`), by circular validation (Zhong 2010; Ganin 2016 chose
   DANN so): the labels that the net gives to the target train a net of the same kind the way
   back, which is judged by the labels of the source. It is the one label-free criterion here that
   no method minimizes itself: MCC minimizes a kind of entropy, DAN and DeepCORAL distances, and
   the adversaries take away what a domain classifier sees, on which weighted risks rest.

Of the candidates within a standard error of the best the first is taken: most dropout and lowest
rate, smallest weight. So a method adapts where there is evidence that it pays.

Run with ``--seeds 5``.
"""

from functools import cache

import joblib
import numpy as np
from scipy.io import loadmat
from sklearn.datasets import load_svmlight_file
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import Normalizer, StandardScaler

import skda
from skda import stack_domains
from skda.metrics import CircularValidationScorer

from .._data import origin
from .._task import Task
from .mnist_usps import _load as load_digits

METHODS = ("DeepSourceOnly", "DAN", "DeepCORAL", "DANN", "CDAN", "MCC", "MDD", "DeepJDOT")
TEST = -99  # target rows that no method sees

TRAINING = {
    "optimizer__momentum": 0.9,
    "optimizer__nesterov": True,
    "optimizer__weight_decay": 1e-3,
    "batch_size": 128,
    # What the losses do by themselves: `python -m benchmarks nets` has the defaults around them.
    "lr_schedule": "constant",
    "batch_norm": False,
    "input_scaling": None,
}
STEPS = 500
# Factor of each loss that `FACTORS` multiply, and what else is as in the papers.
WEIGHTS = {"DAN": 1, "DeepCORAL": 100, "DANN": 1, "CDAN": 1, "MCC": 1, "MDD": 0.1, "DeepJDOT": 1}
AS_PUBLISHED = {"MCC": {"temperature": 2.5}}
NETS = [
    {"module__dropout": dropout, "lr": lr} for dropout in (0.5, 0.0) for lr in (0.003, 0.01, 0.03)
]
FACTORS = (0.1, 1.0, 10.0)
# The cost of a distance in units of a cross-entropy: it depends on how long the features are.
OTHERS = {"DeepJDOT": [{"feature_cost": 0.01}, {"feature_cost": 0.1}]}

# The choice


def make_net(name, seed, hidden, sample_domain, chosen):
    """A network that takes `STEPS` steps on these rows."""
    import torch

    longest = (sample_domain >= 0).sum()
    if name != "DeepSourceOnly" and chosen.get("alignment_weight") != 0:
        longest = max(longest, (sample_domain < 0).sum())  # an epoch covers the longer domain
    method = getattr(skda, f"{name}Classifier")
    if "alignment_weight" in chosen:
        weight = chosen["alignment_weight"] / method._alignment.unit
        chosen = AS_PUBLISHED.get(name, {}) | chosen | {"alignment_weight": weight}
    return method(
        optimizer=torch.optim.SGD,
        module__hidden=hidden,
        max_epochs=round(STEPS / np.ceil(longest / (TRAINING["batch_size"] // 2))),
        random_state=seed,
        **TRAINING,
        **chosen,
    )


def first_near_best(candidates, accuracy, n):
    """The first candidate within a standard error of the best accuracy on n rows.

    Two rows right and two wrong are added, so that an accuracy of one has an error too
    (Agresti & Coull 1998).
    """
    best = (max(accuracy) * n + 2) / (n + 4)
    error = np.sqrt(best * (1.0 - best) / (n + 4))
    near = (c for c, a in zip(candidates, accuracy, strict=True) if a >= max(accuracy) - error)
    return next(near)


class Choice:
    """The common net and each method's parameters for one pair of domains, seen without labels.

    Labels of target rows are taken away before anything is fitted.
    """

    def __init__(self, hidden, X, y, sample_domain):
        self.hidden, self.X, self.sample_domain = hidden, X, sample_domain
        self.y = np.where(sample_domain < 0, -1, y)
        self.net = self._common()
        self.score_of_nothing = self._circular("DeepSourceOnly", {})
        self.own = cache(self._own)

    def _common(self):
        source = np.flatnonzero(self.sample_domain >= 0)
        _, held_out = train_test_split(
            source, test_size=0.25, random_state=0, stratify=self.y[source]
        )
        kept = np.setdiff1d(np.arange(len(self.y)), held_out)
        accuracy = []
        for candidate in NETS:
            net = make_net("DeepSourceOnly", 0, self.hidden, self.sample_domain[kept], candidate)
            net.fit(self.X[kept], self.y[kept], sample_domain=self.sample_domain[kept])
            accuracy.append(np.mean(net.predict(self.X[held_out]) == self.y[held_out]))
        return first_near_best(NETS, accuracy, len(held_out))

    def _circular(self, name, own):
        net = make_net(name, 0, self.hidden, self.sample_domain, self.net | own)
        scorer = CircularValidationScorer()
        try:
            net.fit(self.X, self.y, sample_domain=self.sample_domain)
            return scorer(net, self.X, self.y, sample_domain=self.sample_domain)
        except ValueError as error:
            if "diverged" not in str(error):
                raise
            return -np.inf

    def _own(self, name):
        if name == "DeepSourceOnly":
            return {}
        candidates = [
            {"alignment_weight": factor * WEIGHTS[name]} | others
            for factor in FACTORS
            for others in OTHERS.get(name, [{}])
        ]
        scores = [self._circular(name, candidate) for candidate in candidates]
        return first_near_best(
            [{"alignment_weight": 0.0}, *candidates],
            [self.score_of_nothing, *scores],
            np.sum(self.sample_domain >= 0),
        )


class Net:
    """One method on one task: choose once per pair, then a fit per seed."""

    def __init__(self, name, hidden, choices):
        self.name, self.hidden, self.choices = name, hidden, choices
        self.chosen = None

    def __call__(self, X, y, sample_domain, *, seed):
        """Accuracy (%) on the test rows; on the target rows if there are none."""
        seen = sample_domain != TEST
        scored = ~seen if (~seen).any() else sample_domain < 0
        rows = X[seen], y[seen], sample_domain[seen]
        pair = joblib.hash(rows)
        if pair not in self.choices:
            self.choices[pair] = Choice(self.hidden, *rows)
        choice = self.choices[pair]
        self.chosen = choice.net | choice.own(self.name)
        net = make_net(self.name, seed, self.hidden, rows[2], self.chosen)
        net.fit(rows[0], choice.y, sample_domain=rows[2])
        return 100.0 * np.mean(net.predict(X[scored]) == y[scored])


# Rows


def of_unit_length(X):
    """Rows of one length, such that the mean square of a feature is one."""
    return (Normalizer().transform(X) * np.sqrt(X.shape[1])).astype(np.float32)


def digits(data, pair):
    X, y, sample_domain = load_digits(data, pair)
    return of_unit_length(X), y, sample_domain


def reviews(data, pair):
    folder = data / "amazon_reviews_5000"
    parts = []
    source, target = ({"B": "books", "D": "dvd"}[name] for name in pair.split(">"))
    for file in (f"{source}_train", f"{target}_train", f"{target}_test"):
        counts, labels = load_svmlight_file(folder / f"{file}.svmlight", n_features=5000)
        counts.data = np.log1p(counts.data)
        parts.append((of_unit_length(counts.toarray()), labels))
    sizes = [len(labels) for _, labels in parts]
    X, y = (np.concatenate(column) for column in zip(*parts, strict=True))
    return X, y, np.repeat([1, -2, TEST], sizes)


def pictures(data, pair):
    files = {"D": "dslr.mat", "W": "webcam.mat"}
    domains = []
    for name in pair.split(">"):
        content = loadmat(data / "office_caltech10_decaf6" / files[name])
        domains += [of_unit_length(content["feas"]), content["labels"].ravel()]
    return stack_domains(*domains)


MUSIC = {"b": 1, "d": 2, "f": 3, "F": 4}  # buccaneer2, destroyerengine, f16, factory2


def music(data, pair):
    table = np.load(data / "music_mgr_msd" / "MGR.npy")
    X = StandardScaler().fit_transform(np.delete(table[:, :-2], 17, axis=1))
    domain = table[:, -1].astype(int)
    sample_domain = np.where(domain == MUSIC[pair[-1]], -domain - 1, domain + 1)
    return X.astype(np.float32), table[:, -2].astype(int), sample_domain


PROTOCOL = (
    "Hidden layers {hidden}, {steps} steps of momentum SGD. Chosen without target labels, once per "
    "pair: rate and dropout by held-out source rows, the weight of each method by circular "
    "validation, 0 among the candidates. Without batch normalization and at a constant rate; a "
    "weight is the factor of the loss itself."
)


def pairs_if(folder, pairs):
    return lambda data: list(pairs) if (data / folder).exists() else []


def task(name, protocol, folder, pairs, load, hidden):
    choices = {}
    return Task(
        name=f"deep-{name}",
        protocol=f"{protocol} {PROTOCOL.format(hidden=hidden, steps=STEPS)}",
        pairs=pairs_if(folder, pairs),
        load=load,
        methods={name: Net(name, hidden, choices) for name in METHODS},
        origin=origin(folder),
    )


TASKS = [
    task(
        "digits",
        "Rows of equal length. Accuracy (%) on the target rows of the fit.",
        "mnist_usps",
        ("U>M", "M>U"),
        digits,
        hidden=(256, 128),
    ),
    task(
        "reviews",
        "log(1 + count), rows of equal length. Fitted on the source's and the target's "
        "training rows; accuracy (%) on the target's test rows.",
        "amazon_reviews_5000",
        ("B>D", "D>B"),
        reviews,
        hidden=(64,),
    ),
    task(
        "pictures",
        "DeCAF6, rows of equal length. Accuracy (%) on the target rows of the fit.",
        "office_caltech10_decaf6",
        ("D>W", "W>D"),
        pictures,
        hidden=(64,),
    ),
    task(
        "music",
        "Standardized features; one noise is the target, the four others are sources. "
        "Accuracy (%) on the target rows of the fit.",
        "music_mgr_msd",
        (">b", ">d", ">f", ">F"),
        music,
        hidden=(128, 64),
    ),
]
