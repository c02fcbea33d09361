"""What a benchmark task is: pairs of domains, a protocol, methods, and published figures."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Task:
    """One data set under one protocol. ``benchmarks/tasks/*.py`` list theirs in ``TASKS``."""

    name: str
    """Name on the command line."""
    protocol: str
    """What is done to the rows, what is fitted on what, and what the score is."""
    pairs: Callable[[Path], list[str]]
    """Names of the source-target pairs whose files are in a data folder."""
    load: Callable[[Path, str], tuple]
    """``(X, y, sample_domain)`` of a pair, with the true labels on target rows."""
    methods: dict[str, Callable]
    """``method(X, y, sample_domain)`` returns the score of one pair. A method that draws takes
    ``seed`` too and is run once per seed; one that chooses parameters for the pair leaves them in
    an attribute ``chosen``."""
    published: dict[str, dict[str, float]] = field(default_factory=dict)
    """Published score by method and pair."""
    digits: int = 1
    """Decimals to print."""
    tolerance: float = 3.0
    """How much worse than the published score is flagged with an exclamation mark."""
    higher_is_better: bool = True
    """False for errors."""
    origin: str = ""
    """Which files the task wants and where they come from, for the error if they are missing."""


def target_accuracy(make_model):
    """Score of a model fitted on labeled source and unlabeled target rows: % right on the target.

    The target rows are those of the fit, as in most publications on adaptation.
    """

    def score(X, y, sample_domain):
        target = sample_domain < 0
        model = make_model().fit(X, y, sample_domain=sample_domain)
        return 100.0 * float((model.predict(X[target]) == y[target]).mean())

    return score
