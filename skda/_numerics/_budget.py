"""Checks before large problems: memory that is not there, and long work without a sign of life."""

import sys
from pathlib import Path

from .._array._backend import device_of, itemsize
from .._array._warnings import DomainWarning, warn_user

_LONG = 1.0  # seconds up to which an answer seems to come at once
_MINUTES = 120.0  # seconds from which minutes are easier to read
_CGROUP = Path("/sys/fs/cgroup")


def check_memory(who, what, n_entries, like, *, hint):
    """Raise a MemoryError if matrices of so many entries do not fit in the free memory.

    A system that promises more memory than it has would end the process instead, without a word.

    Parameters
    ----------
    who, what : str
        The estimator, and what the memory is for.
    n_entries : int
        Entries that are held at the same time, at least.
    like : array
        Gives the size of an entry and the device. The memory of a GPU is left to its library, whose
        error names the numbers.
    hint : str
        What needs less memory: the last sentence of the message.
    """
    free = _free_bytes() if _is_host(like) else None
    needed = n_entries * itemsize(like)
    if free is not None and needed > free:
        raise MemoryError(
            f"{who} needs at least {_gib(needed)} for {what}; {_gib(free)} are free. {hint}"
        )


def check_cost(who, what, n_entries, seconds, like, *, hint):
    """Raise if a step does not fit in memory; warn before it starts if it takes long.

    Parameters
    ----------
    who, what, n_entries, like, hint
        See :func:`check_memory`; `what` says of how many rows.
    seconds : float
        What the step takes on one core of 2020 or so.
    """
    check_memory(who, what, n_entries, like, hint=hint)
    # On a GPU the estimate says nothing.
    if seconds > _LONG and _is_host(like):
        size = n_entries * itemsize(like)
        warn_user(
            f"{who} needs about {size / 1e9:.2g} GB and {_duration(seconds)} for {what} (rough "
            f"estimates, for one core). {hint}",
            DomainWarning,
        )


def _duration(seconds):
    return f"{seconds:.0f} s" if seconds < _MINUTES else f"{seconds / 60:.0f} min"


def _is_host(like):
    return "cuda" not in str(device_of(like)).lower()


def _gib(n_bytes):
    return f"{n_bytes / 2**30:.1f} GiB"


def _free_bytes():
    """Bytes that this process may still take, or None where the system does not report it."""
    limits = [limit() for limit in (_free_of_system, _free_of_container, _free_of_process)]
    return min((limit for limit in limits if limit is not None), default=None)


def _free_of_system():
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        kib = {line.split(":")[0]: int(line.split()[1]) for line in lines}
        return (kib["MemAvailable"] + kib.get("SwapFree", 0)) * 1024
    except (OSError, KeyError, ValueError, IndexError):
        return None


def _free_of_container():
    try:
        most = (_CGROUP / "memory.max").read_text().strip()
        used = int((_CGROUP / "memory.current").read_text())
        # Of what is in use, the files kept in memory would be given up.
        lines = (_CGROUP / "memory.stat").read_text().splitlines()
        files = next((int(line.split()[1]) for line in lines if line.startswith("file ")), 0)
    except (OSError, ValueError):
        return None
    return None if most == "max" else int(most) - used + files


def _free_of_process():
    """What ``ulimit -v`` leaves, which only Unix has."""
    if sys.platform == "win32":
        return None
    import resource

    most = resource.getrlimit(resource.RLIMIT_AS)[0]
    if most == resource.RLIM_INFINITY:
        return None
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return most - pages * resource.getpagesize()
