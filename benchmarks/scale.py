"""Measure time and memory of every estimator as the rows grow, each fit in a process of its own.

    python -m benchmarks scale --json scale.json
    python -m benchmarks scale --methods CORALTransformer,JDATransformer --rows 2000 50000

Two domains of as many rows each, 50 features, two classes (or a straight line for regressors), in
single precision if asked for. What is timed is the fit of the method alone with its default
parameters and its use on all rows (a weighter is used at its fit). Processor seconds of one thread
are printed, since they do not depend on what else the machine does: seconds on the clock are fewer
with more threads. Memory is the peak of the process above what it held once the rows were there.

A process may take ``--memory`` GB and ``--limit`` processor seconds. What a method says before it
gives up is printed: a clear error names the way out, anything else is a fault.
"""

import argparse
import json
import math
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np

from ._conditions import conditions
from ._markdown import table
from .defaults import REGRESSION, TIME_LIMIT, find_estimators, reads_target_labels, role

ROWS = (2_000, 10_000, 100_000)
COLUMNS = 50
FEW = 40  # labeled target rows of the methods that learn from them
# Methods whose cost is that of moments, measured on a million rows a domain too.
MANY_ROWS = 1_000_000
MOMENTS = (
    "CORALTransformer",
    "ComBatTransformer",
    "DomainScaler",
    "GFKTransformer",
    "GaussianWeighter",
    "LabelShiftClassifier",
    "LinearTransportTransformer",
    "QuantileTransportTransformer",
    "SubspaceAlignmentTransformer",
)
_GB = 10**9
_WALL = 10  # times the limit, after which a process that waits for others is ended too


def make_rows(n, regression, dtype=np.float64, seed=0):
    """Rows of two domains that differ by a rotation, a scale and an offset."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, 2 * n)
    X = rng.standard_normal((2 * n, COLUMNS), dtype=np.float32).astype(dtype, copy=False)
    X[:, :5] += 1.5 * labels[:, None].astype(dtype)
    turn = np.linalg.qr(rng.normal(size=(COLUMNS, COLUMNS)))[0]
    mix = 0.8 * np.eye(COLUMNS) + 0.2 * turn
    X[n:] = X[n:] @ mix.astype(dtype) + dtype(0.5)
    y = labels.astype(float) if regression else labels
    if regression:
        y = y + 0.1 * rng.normal(size=2 * n)
    ids = np.repeat([1, -2], n)
    return X, y, ids


def _use(method, X, y, ids):
    """Fit a method and use it, as a pipeline would."""
    if role(method) == "weighter":
        method.fit(X, y, sample_domain=ids)
        return method.weights_
    if role(method) == "transformer":
        return method.fit(X, y, sample_domain=ids).transform(X, sample_domain=ids)
    return method.fit(X, y, sample_domain=ids).predict(X[ids < 0])


def _high_water(word="VmHWM"):
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(word)).split()[1])


def run_one(name, n, dtype, memory):
    """Measure one fit in this process, which may take so many GB from here on."""
    import resource

    import sklearn
    from threadpoolctl import threadpool_limits

    method = find_estimators(deep=True)[name]()
    if "random_state" in method.get_params():
        method.set_params(random_state=0)
    if "pairing" in method.get_params():
        method.set_params(pairing="order")  # row k of either side is the same sample
    labeled = reads_target_labels(method)
    regression = role(method) == REGRESSION

    def rows(n):
        X, y, ids = make_rows(n, regression, np.dtype(dtype).type)
        if labeled:
            target = np.flatnonzero(ids < 0)
            y[target[FEW:]] = np.nan if regression else -1
        return X, y, ids

    row = {"method": name, "rows": n, "dtype": dtype}
    with sklearn.config_context(enable_metadata_routing=True), threadpool_limits(1):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                _use(sklearn.base.clone(method), *rows(200))  # what it imports does not count
                X, y, ids = rows(n)
                limit = _high_water("VmSize") + int(memory * _GB)
                resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
                Path("/proc/self/clear_refs").write_text("5")
                held, start, clock = _high_water(), time.process_time(), time.perf_counter()
                _use(method, X, y, ids)
                row["seconds"] = time.process_time() - start
                row["clock"] = time.perf_counter() - clock
                row["gb"] = (_high_water() - held) / _GB
            except Exception as error:
                row["error"] = f"{type(error).__name__}: {error}"
        row["warnings"] = sorted({str(one.message)[:200] for one in caught})
    return row


def measure(name, n, *, dtype, memory, limit):
    """Measure one fit in a process of its own; a process that dies leaves an error in the row."""
    command = [sys.executable, "-m", "benchmarks", "scale", "--one", name, str(n)]
    command += ["--dtype", dtype, "--memory", str(memory)]
    command = ["bash", "-c", f'ulimit -t {math.ceil(limit)} && exec "$@"', "bash", *command]
    row = {"method": name, "rows": n, "dtype": dtype}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_WALL * limit)
    except subprocess.TimeoutExpired:
        return {**row, "error": f"over {limit:g} s"}
    if done.returncode in (-9, -24, 137, 152):
        return {**row, "error": f"over {limit:g} s"}
    if done.returncode:
        return {**row, "error": f"crash ({done.returncode}): {done.stderr[-200:]}"}
    return json.loads(done.stdout.splitlines()[-1])


def is_refused(row):
    """Return whether a method said clearly that it cannot: what it needs, and the way out."""
    return row.get("error", "").startswith("MemoryError: ") and "needs at least" in row["error"]


def exponent(rows):
    """Exponent of the time between the two largest sizes, NaN with fewer than two."""
    timed = sorted((row["rows"], row["seconds"]) for row in rows if "seconds" in row)
    if len(timed) < 2 or min(timed[-1][1], timed[-2][1]) <= 0:
        return math.nan
    (few, short), (many, long) = timed[-2:]
    return math.log(long / short) / math.log(many / few)


def _cell(row):
    if row is None:
        return ""
    if "seconds" in row:
        return f"{row['seconds']:.3g} s, {row['gb']:.2g} GB"
    if is_refused(row):
        return "refused"
    return row["error"] if row["error"].startswith("over") else "**error**"


def tables(run):
    """Estimators down, rows a domain across."""
    sizes = sorted({row["rows"] for row in run["scale_rows"]})
    names = sorted({row["method"] for row in run["scale_rows"]}, key=str.lower)
    body = []
    for name in names:
        own = {row["rows"]: row for row in run["scale_rows"] if row["method"] == name}
        power = exponent(own.values())
        power = "" if math.isnan(power) else f"{power:.1f}"
        body.append([name, *(_cell(own.get(n)) for n in sizes), power])
    return table(["", *(f"2 × {n:,}" for n in sizes), "exponent"], body)


def scale_part(run):
    """The page's words and table."""
    how = run["options"]
    words = f"""\
Processor seconds of one thread, and memory above that of the rows, of one fit with default
parameters and its use on all rows: two domains of so many rows each, {COLUMNS} features,
{how["dtype"]}. A process may take {how["memory"]:g} GB and {how["limit"]:g} s. *Refused*: the
method raises a MemoryError, before it starts, that says what it needs and what to use instead.
The exponent is that of the time between the two largest sizes."""
    return f"{words}\n\n{tables(run)}"


def main(arguments=None):
    """Run the tool."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks scale", description=__doc__)
    parser.add_argument("--methods", help="names with commas; default: all, with the nets")
    parser.add_argument("--rows", type=int, nargs="+", default=list(ROWS), help="rows a domain")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float64")
    parser.add_argument("--memory", type=float, default=12.0, help="GB a process may take")
    parser.add_argument("--limit", type=float, default=2 * TIME_LIMIT, help="processor seconds")
    parser.add_argument("--json", type=Path, help="write rows and conditions there")
    parser.add_argument("--one", nargs=2, metavar=("NAME", "ROWS"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        name, n = options.one
        print(json.dumps(run_one(name, int(n), options.dtype, options.memory)))
        return
    known = find_estimators(deep=True)
    names = options.methods.split(",") if options.methods else sorted(known, key=str.lower)
    if unknown := sorted(set(names) - set(known)):
        raise SystemExit(f"--methods: no estimator {', '.join(unknown)}")
    rows = []
    for name in names:
        sizes = options.rows
        if options.rows == list(ROWS) and name in MOMENTS:
            sizes = [*sizes, MANY_ROWS]
        for n in sorted(sizes):
            row = measure(name, n, dtype=options.dtype, memory=options.memory, limit=options.limit)
            rows.append(row)
            print(f"{name:<36}{n:>9,}  {_cell(row)}  {row.get('error', '')[:300]}", flush=True)
            if "error" in row:  # more rows do not help
                break
        if options.json:  # a long run that is stopped keeps what it has
            options.json.write_text(json.dumps(_run(rows, options), indent=1))
    print("\n" + tables(_run(rows, options)))


def _run(rows, options):
    """What is written: rows, how they were measured and where."""
    return {
        "scale_rows": rows,
        "options": {"dtype": options.dtype, "memory": options.memory, "limit": options.limit},
        "conditions": conditions(threads=1),
    }


if __name__ == "__main__":
    main()
