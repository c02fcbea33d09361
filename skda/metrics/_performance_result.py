"""What :func:`skda.metrics.estimate_performance` returns."""

from dataclasses import asdict, dataclass, field

import numpy as np


@dataclass(frozen=True)
class PerformanceVerdict:
    """What a performance estimate rests on."""

    known: bool
    """False if no assumption could be upheld: the value is a guess then."""
    assumption: str
    """"labels" (none is needed), "none" (no shift), "label" or "covariate" (that shift), or
    "unknown"."""
    text: str
    """The same in a sentence."""


@dataclass(frozen=True)
class PerformanceEstimate:
    """A metric on the target, as :func:`estimate_performance` returns it."""

    value: float
    """The estimate."""
    interval: tuple
    """Its limits; NaN where nothing is known."""
    verdict: PerformanceVerdict
    """Which assumption it stands on, or that it cannot be known."""
    evidence: dict = field(repr=False)
    """Numbers behind the verdict, and the other estimates."""
    method: str
    """How it was estimated."""
    metric: str
    """What was estimated."""
    level: float
    """Probability with which the interval holds the metric, if the assumption is right."""

    def __str__(self):
        low, high = self.interval
        limits = "no interval" if np.isnan(low) else f"{low:.3f} to {high:.3f}"
        return f"{self.metric} {self.value:.3f} ({limits}) by {self.method}: {self.verdict.text}"

    def to_dict(self):
        """Return everything as a dict of plain Python objects.

        Returns
        -------
        fields : dict
            One entry per attribute; the verdict is a dict as well.
        """
        return asdict(self)
