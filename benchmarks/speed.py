"""Time methods beside the bare arithmetic and beside other packages, in one run.

    python -m benchmarks speed --list
    python -m benchmarks speed coral
    python -m benchmarks speed coral --peers --json coral.json
    python -m benchmarks speed coral --case dense --sizes n=5000,d=64 n=10000,d=64

Contenders are timed in turns after a warm-up, and medians are compared, since machines are noisy:
ratios mean something, seconds little. Memory is the peak of a separate process.
"""

import argparse
import importlib
import json
import math
import multiprocessing
import pkgutil
import statistics
import sys
import time
import warnings
from pathlib import Path

from threadpoolctl import threadpool_limits

from . import cases
from ._case import peer
from ._conditions import conditions

_PAUSE = 0.1  # seconds


def find_cases():
    """All cases of ``benchmarks/cases``."""
    modules = (
        importlib.import_module(f"{cases.__name__}.{info.name}")
        for info in pkgutil.iter_modules(cases.__path__)
    )
    return [case for module in modules for case in module.CASES]


def seconds_of(work):
    """Time one call; return seconds and what it returned.

    Threads of linear algebra keep waiting for more work for a while, and would hold up those of
    the next contender: they are let go to sleep first.
    """
    time.sleep(_PAUSE)
    start = time.perf_counter()
    value = work()
    return time.perf_counter() - start, value


def time_in_turns(contenders, repeats):
    """Median seconds of each contender, timed in turns after a warm-up, and its objective.

    A package to compare with that is not installed is named and left out.
    """
    times, values = {}, {}
    for name, work in contenders.items():
        try:
            _, values[name] = seconds_of(work)
        except ImportError as error:
            if not peer(name):
                raise
            print(f"  {name:<28}skipped: {error}", flush=True)
        else:
            times[name] = []
    for _ in range(repeats):
        for name, spent in times.items():
            spent.append(seconds_of(contenders[name])[0])
    medians = {name: statistics.median(spent) for name, spent in times.items()}
    return medians, values


def _high_water():
    """Highest resident memory of this process so far, in megabytes (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def _peak(queue, case, size, name, threads):
    with threadpool_limits(threads):
        work = case.contenders(**size)[name]
        if "n" in size:  # on few rows first, so that what it imports does not count
            case.contenders(**{**size, "n": min(size["n"], 300)})[name]()
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak of making the data
        before = _high_water()
        work()
        queue.put(_high_water() - before)


def peak_memory(case, size, name, threads):
    """Megabytes by which one run raises the peak of a process of its own (Linux)."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_peak, args=(queue, case, size, name, threads))
    process.start()
    process.join()
    return queue.get() if not process.exitcode else float("nan")


def given_sizes(texts, case):
    """Return the sizes of a case, with the values that ``--sizes n=1000,d=20`` replaces."""
    if not texts:
        return case.sizes
    sizes = []
    for text in texts:
        changes = {}
        for part in text.split(","):
            name, _, value = part.partition("=")
            if name not in case.sizes[0]:
                known = ", ".join(case.sizes[0])
                raise SystemExit(f"{case.group}: {case.name} has no size {name!r}, but {known}")
            changes[name] = type(case.sizes[0][name])(value)
        sizes.append({**case.sizes[0], **changes})
    return tuple(sizes)


def exponents(rows):
    """Yield contender, size, what is held fixed, and p such that seconds grow as size^p.

    What is held fixed is said only of sizes that vary.
    """
    varied = [n for n in rows[0]["size"] if len({row["size"].get(n) for row in rows}) > 1]
    counts = [n for n in varied if all(isinstance(row["size"][n], int) for row in rows)]
    for contender in dict.fromkeys(row["contender"] for row in rows):
        for name in counts:
            groups = {}
            for row in rows:
                if row["contender"] == contender:
                    fixed = tuple((k, v) for k, v in row["size"].items() if k != name)
                    groups.setdefault(fixed, []).append((row["size"][name], row["seconds"]))
            for fixed, points in groups.items():
                (first, before), (last, after) = min(points), max(points)
                if first == last:
                    continue
                power = math.log(after / before) / math.log(last / first)
                yield contender, name, {k: v for k, v in fixed if k in varied}, power


def label(size):
    """Sizes as text."""
    return ", ".join(f"{key}={value}" for key, value in size.items())


def run(case, sizes, *, peers, memory, repeats, threads):
    """Print one block per size, and how the time grows; return the rows."""
    rows = []
    for size in sizes:
        print(f"\n{case.group}: {case.name} ({label(size)})")
        contenders = case.contenders(**size)
        contenders = {n: work for n, work in contenders.items() if peers or not peer(n)}
        medians, values = time_in_turns(contenders, repeats or case.repeats)
        ours = medians[next(iter(medians))]
        for name, spent in medians.items():
            row = {
                "group": case.group,
                "case": case.name,
                "size": size,
                "contender": name,
                "seconds": spent,
                "ours_over_it": ours / spent,
                "objective": values[name] if isinstance(values[name], int | float) else None,
                "peak_mb": peak_memory(case, size, name, threads) if memory else None,
            }
            rows.append(row)
            extra = f"  objective {row['objective']:.6g}" if row["objective"] is not None else ""
            extra += f"  peak {row['peak_mb']:.0f} MB" if memory else ""
            ratio = row["ours_over_it"]
            print(f"  {name:<28}{spent:10.4f} s   ours/it {ratio:6.2f}{extra}", flush=True)
    for name, size, fixed, power in exponents(rows):
        print(f"  {name:<28}grows as {size}^{power:.1f}" + (f" ({label(fixed)})" if fixed else ""))
    return rows


def main(argv=None):
    """Run the command."""
    known = find_cases()
    groups = sorted({case.group for case in known})
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks speed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("groups", nargs="*", metavar="group", help=f"some of {groups}; all if none")
    parser.add_argument("--case", help="only cases whose name has this in it")
    parser.add_argument("--sizes", nargs="+", help="other sizes, such as n=1000,d=20 n=2000,d=20")
    parser.add_argument("--list", action="store_true", help="list the cases")
    parser.add_argument("--peers", action="store_true", help="time other packages too")
    parser.add_argument("--memory", action="store_true", help="measure peak memory as well")
    parser.add_argument("--threads", type=int, default=1, help="threads of the linear algebra")
    parser.add_argument("--repeats", type=int, help="timed runs of each contender")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args(argv)
    unknown = sorted(set(options.groups) - set(groups))
    if unknown:
        parser.error(f"no group {', '.join(unknown)}; there are {', '.join(groups)}")
    chosen = [c for c in known if not options.groups or c.group in options.groups]
    chosen = [c for c in chosen if not options.case or options.case in c.name]
    if options.list:
        for case in chosen:
            print(f"{case.group}: {case.name}, {len(case.sizes)} sizes")
        return
    where = conditions(threads=options.threads)
    print(json.dumps(where))
    rows = []
    with warnings.catch_warnings(), threadpool_limits(options.threads):
        warnings.simplefilter("ignore")
        for case in chosen:
            rows += run(
                case,
                given_sizes(options.sizes, case),
                peers=options.peers,
                memory=options.memory,
                repeats=options.repeats,
                threads=options.threads,
            )
    if options.json:
        options.json.write_text(json.dumps({"conditions": where, "rows": rows}, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
