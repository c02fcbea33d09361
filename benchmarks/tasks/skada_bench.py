"""SKADA-Bench: four simulated shifts, and mushrooms split by the shape of their stalk.

Published figures: Lalou et al. 2024, arXiv:2407.11676. Simulated: release 1.0.0. Mushrooms: the
June 2024 release, which has them per direction.
"""

import csv
import warnings

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import ParameterGrid
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from skda import (
    CORALTransformer,
    DomainScaler,
    JDOTClassifier,
    LinearTransportTransformer,
    OptimalTransportTransformer,
    OTLabelPropagationClassifier,
    QuantileTransportTransformer,
    SubspaceAlignmentTransformer,
    TCATransformer,
    make_pipeline,
    stack_domains,
)
from skda.datasets import (
    make_conditional_shift,
    make_covariate_shift,
    make_label_shift,
    make_subspace_shift,
)
from skda.model_selection import DomainShuffleSplit

from .._data import origin
from .._task import Task

SHIFTS = {
    "covariate": lambda seed: make_covariate_shift(
        center=(-0.4, 3.0), noise=0.6, random_state=seed
    ),
    "label": lambda seed: make_label_shift(noise=0.8, random_state=seed),
    "conditional": lambda seed: make_conditional_shift(noise=0.8, random_state=seed),
    "subspace": lambda seed: make_subspace_shift(noise=0.4, random_state=seed),
}
DIRECTIONS = {"enl>tap": "e", "tap>enl": "t"}

PUBLISHED_SIMULATED = {
    "source only": (0.881, 0.851, 0.662, 0.190),
    "CORAL": (0.742, 0.839, 0.815, 0.187),
    "LinOT": (0.893, 0.810, 0.814, 0.191),
    "MapOT": (0.869, 0.634, 0.815, 0.143),
    "EntOT": (0.893, 0.612, 0.816, 0.474),
    "ClassRegOT": (0.913, 0.594, 0.815, 0.152),
    "SA": (0.742, 0.812, 0.801, 0.134),
    "TCA": (0.402, 0.462, 0.495, 0.583),
    "OTLabelProp": (0.904, 0.760, 0.814, 0.142),
    "JDOT": (0.721, 0.574, 0.818, 0.133),
}
PUBLISHED_MUSHROOMS = {
    "source only": (0.673, 0.772),
    "CORAL": (0.662, 0.771),
    "LinOT": (0.786, 0.832),
    "MapOT": (0.649, 0.619),
    "EntOT": (0.903, 0.725),
    "ClassRegOT": (0.940, 0.835),
    "SA": (0.951, 0.863),
    "OTLabelProp": (0.713, 0.674),
}


def target_score(model, X, y, sample_domain, train, test):
    """Share of target rows of the test part that a model of the train part gets right."""
    hidden = np.where(sample_domain < 0, -1, y)
    rows = test[sample_domain[test] < 0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X[train], hidden[train], sample_domain=sample_domain[train])
    return float((model.predict(X[rows]) == y[rows]).mean())


def best_by_oracle(make_model, grid, *, n_inner=5):
    """Score of the candidate that target labels would choose, the upper limit of any scorer.

    Five outer splits; candidates are compared on inner splits of the train part.
    """
    candidates = list(ParameterGrid(grid))

    def one(X, y, sample_domain):
        scores = []
        outer = DomainShuffleSplit(5, test_size=0.2, random_state=0)
        for train, test in outer.split(X, y, sample_domain=sample_domain):
            chosen = candidates[0]
            if len(candidates) > 1:
                inner = DomainShuffleSplit(n_inner, test_size=0.2, random_state=0)
                parts = list(inner.split(X[train], y[train], sample_domain=sample_domain[train]))
                means = [
                    np.mean(
                        [
                            target_score(
                                make_model(**params), X, y, sample_domain, train[i], train[j]
                            )
                            for i, j in parts
                        ]
                    )
                    for params in candidates
                ]
                chosen = candidates[int(np.argmax(means))]
            scores.append(target_score(make_model(**chosen), X, y, sample_domain, train, test))
        return np.mean(scores)

    return lambda data_sets: np.mean([one(*rows) for rows in data_sets])


def aligned(transformer, final, *, scale):
    """Return a function that makes the pipeline with these parameters of the transformer."""

    def make(**params):
        steps = [StandardScaler()] if scale else []
        return make_pipeline(*steps, transformer(**params), final())

    return make


def model_of_target(classifier, final, *, scale):
    """Return a function that makes the pipeline whose last step is a classifier of ours."""

    def make(**params):
        steps = [StandardScaler()] if scale else []
        return make_pipeline(*steps, classifier(final(), **params))

    return make


def source_only(final, *, scale):
    """Return a function that makes the pipeline without adaptation."""
    return lambda: make_pipeline(*([StandardScaler()] if scale else []), final())


STRENGTHS = [0.0, 0.25, 0.5, 0.75, 1.0]  # 0 is the model without adaptation
REGS = [0.01, 0.1, 1.0, 10.0]


def joint(estimator, **params):
    """Return JDOT with the loss that the estimator lowers, content with 0.1 % of the objective."""
    loss = "log_loss" if isinstance(estimator, LogisticRegression) else "hinge"
    return JDOTClassifier(estimator, loss=loss, tol=1e-3, max_iter=20, **params)


def methods(final, *, scale, n_components, coral_regs, linear_regs, strengths, n_inner):
    """Return the methods with their grids, for one base classifier.

    Candidates of the transport methods and of TCA are compared on `n_inner` splits. Linear
    transport is always given standardised rows.
    """

    def of(transformer, grid, n_inner=5, scale=scale):
        return best_by_oracle(aligned(transformer, final, scale=scale), grid, n_inner=n_inner)

    def model(classifier, grid):
        make = model_of_target(classifier, final, scale=scale)
        return best_by_oracle(make, grid, n_inner=n_inner)

    transport = OptimalTransportTransformer
    grids = {
        "EntOT": {"reg": REGS, "strength": strengths},
        "ClassRegOT": {"reg": [1.0], "class_reg": [5.0, 20.0], "strength": strengths},
        "TCA": {"n_components": n_components, "mu": [0.1, 1.0, 10.0]},
    }
    return {
        "source only": best_by_oracle(source_only(final, scale=scale), {}),
        "CORAL": of(CORALTransformer, {"reg": coral_regs, "match_mean": [False, True]}),
        "LinOT": of(
            LinearTransportTransformer, {"reg": linear_regs, "strength": STRENGTHS}, 5, True
        ),
        "MapOT": of(transport, {"strength": STRENGTHS}, n_inner),
        "EntOT": of(transport, grids["EntOT"], n_inner),
        "ClassRegOT": of(transport, grids["ClassRegOT"], n_inner),
        "SA": of(SubspaceAlignmentTransformer, {"n_components": n_components}),
        "TCA": of(TCATransformer, grids["TCA"], n_inner),
        "OTLabelProp": model(OTLabelPropagationClassifier, {"reg": [None, 0.1, 1.0]}),
        "JDOT": model(joint, {"alpha": [0.5]}),
    }


def as_it_comes():
    """Return the alignments with the parameters that they have by default, or a usual value."""
    transport = OptimalTransportTransformer
    transformers = {
        "DomainScaler": DomainScaler(),
        "QuantileTransport": QuantileTransportTransformer(),
        "CORAL": CORALTransformer(),
        "CORAL, match_mean": CORALTransformer(match_mean=True),
        "LinearTransport": LinearTransportTransformer(),
        "LinearTransport, strength 0.5": LinearTransportTransformer(strength=0.5),
        "OptimalTransport": transport(),
        "OptimalTransport, strength 0.5": transport(strength=0.5),
        "OptimalTransport, reg 0.1": transport(reg=0.1),
        "OptimalTransport, class_reg 5": transport(reg=0.1, class_reg=5.0),
        "OptimalTransport, unbalanced 1": transport(reg=0.1, unbalanced=1.0),
        "SubspaceAlignment": SubspaceAlignmentTransformer(1),
        "TCA": TCATransformer(n_components=2),
    }

    def fixed(*steps):
        return best_by_oracle(lambda: make_pipeline(StandardScaler(), *map(clone, steps)), {})

    fitted = {name: fixed(transformer, SVC()) for name, transformer in transformers.items()}
    return {
        "source only": fixed(SVC()),
        **fitted,
        "OTLabelPropagation": fixed(OTLabelPropagationClassifier(SVC(), label_kind="hard")),
        "JDOT": fixed(joint(SVC(), alpha=0.5)),
    }


def _load_simulated(data, pair):
    return ([SHIFTS[pair](seed) for seed in range(5)],)


def _load_mushrooms(data, pair):
    with open(data / "mushrooms" / "agaricus-lepiota.data", newline="") as file:
        table = np.array(list(csv.reader(file, skipinitialspace=True)), dtype=object)
    names, rows = table[0].tolist(), table[1:]
    y = (rows[:, 0] == "p").astype(int)
    shape = rows[:, names.index("stalk-shape")]
    X = OneHotEncoder(sparse_output=False).fit_transform(rows[:, 1:].astype(str))
    source = shape == DIRECTIONS[pair]
    return ([stack_domains(X[source], y[source], X[~source], y[~source])],)


def _published(table, pairs):
    return {name: dict(zip(pairs, scores, strict=True)) for name, scores in table.items()}


PROTOCOL = """\
Accuracy on held-out target rows, mean of 5 outer splits ({more}). Parameters by the oracle: those
with the best accuracy on target rows of inner splits. Base classifier: {final}."""

TASKS = [
    Task(
        name="skada-simulated",
        protocol=PROTOCOL.format(more="80 % to fit, 5 seeds", final="SVC() on standardised rows"),
        pairs=lambda data: list(SHIFTS),
        load=_load_simulated,
        methods=methods(
            SVC,
            scale=True,
            n_components=[1, 2],
            coral_regs=[1e-3, 0.1, 1.0],
            linear_regs=[0.0, 0.1],
            strengths=[0.0, 0.5, 1.0],
            n_inner=2,
        ),
        published=_published(PUBLISHED_SIMULATED, SHIFTS),
        digits=3,
        tolerance=0.02,
    ),
    Task(
        name="shifts",
        protocol="""\
Accuracy on held-out target rows, mean of 5 outer splits (80 % to fit, 5 seeds), with parameters as
they come. Base classifier: SVC() on standardised rows.""",
        pairs=lambda data: list(SHIFTS),
        load=_load_simulated,
        methods=as_it_comes(),
        digits=3,
    ),
    Task(
        name="skada-mushrooms",
        protocol=PROTOCOL.format(
            more="80 % to fit",
            final="LogisticRegression() on one-hot columns,\nfor LinOT standardised",
        ),
        pairs=lambda data: list(DIRECTIONS) if (data / "mushrooms").exists() else [],
        load=_load_mushrooms,
        methods=methods(
            lambda: LogisticRegression(max_iter=1000),
            scale=False,
            n_components=[2, 5, 10, 20, 50],
            coral_regs=[1e-3, 0.01, 0.1],
            linear_regs=[0.1, 1.0],
            strengths=[1.0],
            n_inner=1,
        ),
        published=_published(PUBLISHED_MUSHROOMS, DIRECTIONS),
        digits=3,
        tolerance=0.01,
        origin=origin("mushrooms"),
    ),
]
