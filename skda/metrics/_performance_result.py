"""What :func:`skda.metrics.estimate_performance` returns."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class PerformanceVerdict:
    """What a performance estimate stands on.

    Part of what :func:`estimate_performance` returns.

    Parameters
    ----------
    known : bool
        False if every assumption was refuted: the value is a guess then.
    assumption : str
        "labels" (none is needed), "none" (no shift), "label" or "covariate" (that shift), or
        "unknown".
    text : str
        The same in a sentence.

    See Also
    --------
    PerformanceEstimate : Holds it.

    Examples
    --------
    >>> from skda.metrics import PerformanceVerdict
    >>> PerformanceVerdict(True, "labels", "stands on 20 labeled target rows.").known
    True
    """

    known: bool
    assumption: str
    text: str


@dataclass(frozen=True)
class PerformanceEstimate:
    """A metric on the target, with an interval and what both stand on.

    What :func:`estimate_performance` returns. Printed, it is a sentence.

    Parameters
    ----------
    value : float
        The estimate.
    interval : tuple of float
        Its limits; NaN where nothing is known.
    verdict : PerformanceVerdict
        Which assumption it stands on, or that it cannot be known.
    evidence : dict
        Numbers behind the verdict, and the other estimates.
    method : str
        How it was estimated.
    metric : str
        What was estimated.
    level : float
        Probability with which the interval holds the metric, if the assumption is right.

    See Also
    --------
    estimate_performance : Makes it.

    Examples
    --------
    >>> from skda.metrics import PerformanceEstimate, PerformanceVerdict
    >>> verdict = PerformanceVerdict(True, "labels", "stands on 20 labeled target rows.")
    >>> print(PerformanceEstimate(0.75, (0.54, 0.9), verdict, {}, "labels", "accuracy", 0.9))
    accuracy 0.750 (0.540 to 0.900) by labels: stands on 20 labeled target rows.
    """

    value: float
    interval: tuple
    verdict: PerformanceVerdict
    evidence: dict = field(repr=False)
    method: str
    metric: str
    level: float

    def __str__(self):
        low, high = self.interval
        limits = "no interval" if np.isnan(low) else f"{low:.3f} to {high:.3f}"
        return f"{self.metric} {self.value:.3f} ({limits}) by {self.method}: {self.verdict.text}"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as a dict of plain Python objects.

        Returns
        -------
        fields : dict
            One entry per attribute; the verdict is a dict as well.
        """
        return asdict(self)
