"""What a speed case is: contenders that do the same work on the same rows, side by side."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# First words of the names of contenders that are other packages.
PEERS = {"skada", "adapt", "pot", "neuroHarmonize", "combatlearn", "diPLSlib"}


@dataclass(frozen=True)
class Case:
    """One piece of work. ``benchmarks/cases/*.py`` list theirs in ``CASES``."""

    group: str
    """First word on the command line, such as ``coral``."""
    name: str
    """What the work is."""
    sizes: tuple[dict[str, Any], ...]
    """Arguments of `contenders`, one run each."""
    contenders: Callable[..., dict[str, Callable[[], Any]]]
    """``contenders(**size)`` returns the work by name. The first is ours. A contender may return
    its objective value, which is printed, so that nobody wins by being wrong. Names of peers start
    with one of ``PEERS``; a name that starts with ``floor`` is bare arithmetic."""
    repeats: int = 5
    """How many times each contender is timed, in turns."""


def peer(name):
    """Return whether a contender is another package."""
    return name.split()[0] in PEERS
