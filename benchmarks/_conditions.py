"""Where and with what figures were taken."""

import os
import platform
from datetime import date
from importlib.metadata import PackageNotFoundError, version

PACKAGES = [
    *("skda", "numpy", "scipy", "scikit-learn", "torch", "skorch", "POT"),
    *("skada", "adapt", "combatlearn", "neuroHarmonize", "diPLSlib"),
    *("mapie", "crepes", "puncc"),
]


def conditions(**more):
    """Date, machine and versions, and whatever the benchmark adds."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "versions": versions,
        **more,
    }


def in_words(where):
    """One sentence on these conditions, in italics."""
    versions = ", ".join(f"{name} {number}" for name, number in where["versions"].items())
    threads = f", {where['threads']} thread(s)" if "threads" in where else ""
    device = f", {where['device']}" if "device" in where else ""
    return (
        f"*{where['date']}, {where['machine']}{device}{threads}, Python {where['python']}; "
        f"{versions}.*"
    )
