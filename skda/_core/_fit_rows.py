"""The rows of a fit, for the callbacks that watch it and the metrics that these compute.

Apart from the callbacks, since helpers on domains are imported without scikit-learn.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .._array._rows import take_rows
from ._labels import as_labels, take_labels

LENT = "_rows_of_fit"  # attribute of the copies that callbacks get, and of these only


@dataclass(frozen=True)
class FitRows:
    """The rows of a fit as the user gave them.

    Hooks get those with a label that may be learnt from, as ``X`` and ``y``: any metric can be
    computed on them. What knows domains finds all rows through :func:`rows_of_fit`.
    """

    X: Any
    y: Any = None
    ids: Any = None
    """Domain of each row; None if the fit knows none."""
    labeled: Any = None
    """Which rows these are, as a mask; None for all."""

    @cached_property
    def used(self):
        """Indices of the labeled rows, None for all of them."""
        everything = self.labeled is None or self.labeled.all()
        return None if everything else np.flatnonzero(self.labeled)

    @cached_property
    def X_used(self):
        """The labeled rows."""
        return self.X if self.used is None else take_rows(self.X, self.used)

    @cached_property
    def y_used(self):
        """Their labels, of their own type."""
        return self.y if self.used is None else take_labels(as_labels(self.y), self.used)

    @cached_property
    def ids_used(self):
        """Their domains."""
        return self.ids if self.used is None else self.ids[self.used]

    def for_hooks(self):
        """Return what hooks get, as functions: only a callback that asks for rows has them cut."""
        # No metadata: scorers by name take no sample_domain, and would end the fit.
        return {"X": lambda: self.X_used, "y": lambda: self.y_used}


class LentRows:
    """Rows that a copy of an estimator knows while a hook is called, and not when it is kept.

    A copy that is kept is an estimator like any other: rows of no stated domain are target rows.
    """

    def __init__(self, rows):
        self.rows = rows


def rows_of_fit(estimator):
    """Return the rows of the fit that a hook is called in, None for any other estimator."""
    lent = vars(estimator).get(LENT) if hasattr(estimator, "__dict__") else None
    return None if lent is None else lent.rows


def domains_of_fit(estimator, n_samples):
    """Return the domains of the rows that a callback predicts, None for any other estimator."""
    rows = rows_of_fit(estimator)
    if rows is None or rows.ids is None or len(rows.ids_used) != n_samples:
        return None
    return rows.ids_used
