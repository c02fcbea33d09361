"""Splitting, searching and comparing when target rows have no labels."""

from ._compare import compare
from ._guarded_search import GuardedSearchCV
from ._plot import plot_comparison
from ._query import query_rows
from ._split import DomainShuffleSplit, DomainStratifiedKFold, iter_target_domains

__all__ = [
    "DomainShuffleSplit",
    "DomainStratifiedKFold",
    "GuardedSearchCV",
    "compare",
    "iter_target_domains",
    "plot_comparison",
    "query_rows",
]
