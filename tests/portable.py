"""Run the tests that compare printed figures as if on other machines.

``python tests/portable.py`` goes through the kinds of CPU, precision paths and numbers of threads
that this machine can take on; ``--only NAME`` runs one of them, ``--all`` the whole suite under
each. A figure in the docs that differs between them has too many digits.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# What prints figures: README and user guide, docstrings, the lessons, the benchmarks' own tests.
PRINTED = ["tests/test_docs.py", "tests/examples", "tests/test_benchmarks.py", "skda"]

# Kernels of OpenBLAS (NumPy, SciPy), of torch, and the instructions that NumPy itself may use.
# NumPy's switch takes only features that the CPU has, so it stands with those that need none.
MACHINES = {
    "nehalem": {"OPENBLAS_CORETYPE": "Nehalem", "ATEN_CPU_CAPABILITY": "default"},
    "haswell": {"OPENBLAS_CORETYPE": "Haswell", "ATEN_CPU_CAPABILITY": "avx2"},
    "zen": {"OPENBLAS_CORETYPE": "Zen"},
    "skylakex": {"OPENBLAS_CORETYPE": "SkylakeX", "ATEN_CPU_CAPABILITY": "avx512"},
    "two threads": {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"},
    "four threads": {"OMP_NUM_THREADS": "4", "OPENBLAS_NUM_THREADS": "4"},
}
NEEDS = {"haswell": "avx2", "zen": "avx2", "skylakex": "avx512f"}


def cpu_features():
    """Return what this CPU can do, or nothing where the system does not say."""
    info = Path("/proc/cpuinfo")
    return set(info.read_text().split()) if info.exists() else set()


def run(name, targets, workers):
    """Run pytest as on one machine; return its exit status."""
    print(f"--- {name}: {' '.join(f'{k}={v}' for k, v in MACHINES[name].items())}", flush=True)
    command = [sys.executable, "-m", "pytest", "-q", "-n", str(workers), *targets]
    environment = {"MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"} | dict(os.environ)
    return subprocess.run(command, cwd=ROOT, env=environment | MACHINES[name]).returncode


def main():
    """Run the chosen machines and exit with 1 if a test failed on one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=MACHINES, action="append", help="this one (repeatable)")
    parser.add_argument("--all", action="store_true", help="the whole suite under each")
    parser.add_argument("--workers", type=int, default=2, help="processes of pytest")
    options = parser.parse_args()
    features, failed = cpu_features(), []
    for name in options.only or MACHINES:
        if name in NEEDS and NEEDS[name] not in features:
            print(f"--- {name}: left out, this CPU has no {NEEDS[name]}", flush=True)
        elif run(name, [] if options.all else PRINTED, options.workers):
            failed.append(name)
    if failed:
        sys.exit(f"failed as on: {', '.join(failed)}")


if __name__ == "__main__":
    main()
