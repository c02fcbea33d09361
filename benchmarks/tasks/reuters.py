"""Reuters-21578: newswire of two topics, the subtopics of training other than those of use."""

import numpy as np
from scipy.io import loadmat
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression

from skda import (
    CORALTransformer,
    DomainClassifierWeighter,
    ImportanceWeightedEstimator,
    SubspaceAlignmentTransformer,
    make_domain_pipeline,
    stack_domains,
)

from .._data import origin
from .._task import Task, target_accuracy

FOLDER = "reuters21578_da"
TASK_NAMES = ["OrgsPeople", "OrgsPlaces", "PeoplePlaces"]


def _pairs(data):
    there = [n for n in TASK_NAMES if (data / FOLDER / f"{n}_src.mat").exists()]
    return [f"{name}{back}" for name in there for back in ("", " back")]


def _load(data, pair):
    name, _, back = pair.partition(" ")
    domains = []
    for side in ("src", "tar"):
        content = loadmat(data / FOLDER / f"{name}_{side}.mat")
        rows = content[f"{name}_{side}_data"].astype(float).tocsr()
        domains.append((rows, content[f"{name}_{side}_label"].ravel().astype(int)))
    if back:
        domains.reverse()
    (X_source, y_source), (X_target, y_target) = domains
    return stack_domains(X_source, y_source, X_target, y_target)


def dense(*steps):
    """The same steps on dense rows, for methods that take no sparse ones."""

    def score(X, y, sample_domain):
        return target_accuracy(lambda: make_domain_pipeline(*steps))(X.toarray(), y, sample_domain)

    return score


LR = LogisticRegression(max_iter=2000)
METHODS = {
    "source only, counts": target_accuracy(lambda: make_domain_pipeline(LR)),
    "source only, tf-idf": target_accuracy(lambda: make_domain_pipeline(TfidfTransformer(), LR)),
    "CORAL, tf-idf": target_accuracy(
        lambda: make_domain_pipeline(
            TfidfTransformer(), CORALTransformer(reg=1e-3, match_mean=False), LR
        )
    ),
    "domain classifier, counts": dense(
        ImportanceWeightedEstimator(
            LR, DomainClassifierWeighter(LR, random_state=0, min_effective_size=None)
        )
    ),
    "SA, counts": dense(SubspaceAlignmentTransformer(100), LR),
}
PUBLISHED = {
    "source only, counts": dict(
        zip(
            [f"{name}{back}" for name in TASK_NAMES for back in ("", " back")],
            np.array([69.5, 73.7, 69.2, 64.4, 51.3, 57.4]),
            strict=True,
        )
    )
}

TASKS = [
    Task(
        name="reuters",
        protocol="""\
Word counts of news on two topics; training and use see other subtopics. Logistic regression on
the mapped rows, fitted on all source and unlabeled target rows; accuracy (%) on the target rows.
"back" swaps the domains. In brackets: the data set's own check, logistic regression on counts.""",
        pairs=_pairs,
        load=_load,
        methods=METHODS,
        published=PUBLISHED,
        origin=origin(FOLDER),
    )
]
