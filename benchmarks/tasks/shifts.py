"""The alignments as they come, on the four simulated shifts of SKADA-Bench."""

from sklearn.base import clone
from sklearn.preprocessing import StandardScaler
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
    make_domain_pipeline,
)

from .._oracle import oracle
from .._task import Task
from .skada_bench import SHIFTS, load_simulated

ALIGNMENTS = {
    "DomainScaler": DomainScaler(),
    "QuantileTransport": QuantileTransportTransformer(),
    "CORAL": CORALTransformer(match_mean=False),
    "CORAL, match_mean": CORALTransformer(match_mean=True),
    "LinearTransport": LinearTransportTransformer(),
    "LinearTransport, strength 0.5": LinearTransportTransformer(strength=0.5),
    "OptimalTransport": OptimalTransportTransformer(reg=None),
    "OptimalTransport, strength 0.5": OptimalTransportTransformer(strength=0.5, reg=None),
    "OptimalTransport, reg 0.1": OptimalTransportTransformer(reg=0.1, marginal_reg=None),
    "OptimalTransport, class_reg 5": OptimalTransportTransformer(
        reg=0.1, class_reg=5.0, marginal_reg=None
    ),
    "OptimalTransport, unbalanced 1": OptimalTransportTransformer(reg=0.1, marginal_reg=1.0),
    "SubspaceAlignment": SubspaceAlignmentTransformer(1),
    "TCA": TCATransformer(n_components=2, reg=1.0, kernel="rbf"),
}


def scaled(*steps):
    """Score of a pipeline of these steps on standardized rows, without a search."""
    return oracle(lambda: make_domain_pipeline(StandardScaler(), *map(clone, steps)))


JOINT = JDOTClassifier(SVC(), loss="hinge", tol=1e-3, max_iter=20, reg=None)

TASKS = [
    Task(
        name="shifts",
        protocol="""\
Accuracy on held-out target rows, mean of 5 drawings and of 5 outer splits of each (80 % to fit),
with parameters as they come. Base classifier: SVC() on standardized rows.""",
        pairs=lambda data: list(SHIFTS),
        load=load_simulated,
        methods={
            "source only": scaled(SVC()),
            **{name: scaled(alignment, SVC()) for name, alignment in ALIGNMENTS.items()},
            "OTLabelPropagation": scaled(
                OTLabelPropagationClassifier(SVC(), reg=None, label_kind="hard")
            ),
            "JDOT": scaled(JOINT),
        },
        digits=3,
    )
]
