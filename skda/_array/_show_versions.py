"""Print what a report of a fault needs: versions, devices, threads."""

from __future__ import annotations

import os
import platform
import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from threadpoolctl import threadpool_info

import skda

from ._config import get_config
from ._devices import visible_devices

# By the names under which they are installed; `test_show_versions.py` compares with pyproject.toml.
_REQUIRED = [
    "numpy",
    "scipy",
    "scikit-learn",
    "threadpoolctl",
    "array-api-compat",
    "array-api-extra",
    "POT",
]
_OPTIONAL = [
    "torch",
    "skorch",
    "cupy",
    "cupy-cuda12x",
    "cupy-cuda13x",
    "array-api-strict",
    "dask",
    "distributed",
    "matplotlib",
    "pandas",
    "polars",
    "pyarrow",
    "pynndescent",
    "skops",
]
# Modules whose import loads the BLAS and OpenMP libraries that threadpoolctl is to find.
_LOADERS = ["numpy.linalg", "scipy.linalg", "sklearn.utils._openmp_helpers"]


def _versions(names):
    """Return the installed version of each distribution, None where it is not installed."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def _system():
    return {
        "python": sys.version.replace("\n", " "),
        "executable": sys.executable,
        "machine": platform.platform(),
        "processors": os.cpu_count(),
    }


def _devices():
    found = {}
    for library, devices in visible_devices().items():
        names = ", ".join(devices) or "none" if isinstance(devices, list) else devices
        found[library] = names or "not installed"
    return found


def _settings():
    # Here, because helpers on domains are imported without scikit-learn.
    import sklearn

    return {
        **get_config(),
        "metadata routing": sklearn.get_config()["enable_metadata_routing"],
        # SciPy reads it when it is imported, and scikit-learn's dispatch asks for it.
        "SCIPY_ARRAY_API": os.environ.get("SCIPY_ARRAY_API"),
    }


def _print_table(title, rows):
    width = max(len(name) for name in rows)
    print(f"\n{title}:")
    for name, value in rows.items():
        print(f"{name:>{width}}: {value}")


def show_versions() -> None:
    """Print the versions, devices and libraries of threads that a report of a fault needs.

    They are those of Python and the system, of skda and the packages that it needs, of the optional
    packages, the devices that torch and CuPy see, the settings, and the BLAS and OpenMP libraries
    with their numbers of threads. A package that is not installed reads None; the optional packages
    are not imported, but for torch and CuPy where they are installed.

    See Also
    --------
    get_config : The settings as a dict.
    sklearn.show_versions : The same of scikit-learn.

    Notes
    -----
    ``python -m skda`` prints the same, and ``python -m skda --version`` the version alone.

    Examples
    --------
    >>> import skda
    >>> skda.show_versions()  # doctest: +ELLIPSIS
    <BLANKLINE>
    System:
        python: ...
    """
    for name in _LOADERS:
        import_module(name)
    _print_table("System", _system())
    _print_table("Required packages", {"skda": skda.__version__, **_versions(_REQUIRED)})
    _print_table("Optional packages", _versions(_OPTIONAL))
    _print_table("Devices", _devices())
    _print_table("Settings", _settings())
    for library in threadpool_info():
        _print_table("Library of threads", library)
