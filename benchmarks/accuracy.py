"""Score methods on public tasks, next to the published figures.

    python -m benchmarks accuracy --list
    python -m benchmarks accuracy office-caltech-surf --methods TCA JDA
    python -m benchmarks accuracy office-caltech-surf --data FOLDER --pairs "C>A" "C>W"
    python -m benchmarks accuracy --seeds 5 --json accuracy.json

Each cell is our score and, in brackets, the published one. An exclamation mark flags a score that
is worse than the published one by more than the task's tolerance.
"""

import argparse
import importlib
import inspect
import json
import pkgutil
import sys
import time
from pathlib import Path

import numpy as np
import sklearn

from . import tasks
from ._conditions import conditions
from ._data import DEFAULT


def find_tasks():
    """All tasks of ``benchmarks/tasks``, by name."""
    modules = (
        importlib.import_module(f"{tasks.__name__}.{info.name}")
        for info in pkgutil.iter_modules(tasks.__path__)
    )
    known = {}
    for task in (task for module in modules for task in module.TASKS):
        if task.name in known:
            raise ValueError(f"two tasks are called {task.name!r}")
        known[task.name] = task
    return known


def scores_of(method, rows, seeds):
    """Score one pair, once, or once per seed where the method draws."""
    if "seed" in inspect.signature(method).parameters:
        return [float(method(*rows, seed=seed)) for seed in range(seeds)]
    return [float(method(*rows))]


def falls_short(task, ours, published):
    """Return whether a score is worse than the published one by more than the tolerance."""
    loss = published - ours if task.higher_is_better else ours - published
    return bool(loss > task.tolerance)  # False where nothing is published


def cell(task, ours, published, spread=0.0):
    """One score with its spread over seeds, the published one in brackets, and the flag."""
    text = f"{ours:.{task.digits}f}"
    if spread:
        text += f" ± {spread:.{task.digits}f}"
    if np.isfinite(published):
        text += f" ({published:.{task.digits}f})"
    return text + ("!" if falls_short(task, ours, published) else " ")


def run(task, data, *, methods=None, pairs=None, seeds=1):
    """Print one line per method, pairs and their mean, and the seconds; return rows of figures."""
    available = task.pairs(data)
    pairs = [pair for pair in pairs or available if pair in available]
    print(f"\n{task.name}\n{task.protocol}")
    if not pairs:
        print(f"  No files for this task in {data}. {task.origin}".rstrip())
        return []
    names = [name for name in task.methods if not methods or name in methods]
    width = max(map(len, names), default=0)
    print(" " * width + "".join(f"{pair:>20}" for pair in [*pairs, "mean"]) + "       s")
    loaded = {pair: task.load(data, pair) for pair in pairs}
    rows = []
    for name in names:
        start, line = time.perf_counter(), []
        for pair in pairs:
            progress(f"{task.name}: {name}, {pair}")
            scores = scores_of(task.methods[name], loaded[pair], seeds)
            line.append(
                {
                    "task": task.name,
                    "method": name,
                    "pair": pair,
                    "score": float(np.mean(scores)),
                    "spread": float(np.std(scores)),
                    "seeds": len(scores),
                    "published": task.published.get(name, {}).get(pair),
                    "digits": task.digits,
                    "chosen": getattr(task.methods[name], "chosen", None),
                }
            )
        seconds = time.perf_counter() - start
        progress("")
        ours = np.array([row["score"] for row in line])
        published = np.array([row["published"] for row in line], dtype=float)
        spread = [row["spread"] for row in line]
        cells = [cell(task, *figures) for figures in zip(ours, published, spread, strict=True)]
        cells.append(cell(task, ours.mean(), published.mean()))
        print(
            f"{name:<{width}}" + "".join(f"{c:>20}" for c in cells) + f"{seconds:8.1f}", flush=True
        )
        rows += [row | {"falls_short": "!" in c} for row, c in zip(line, cells, strict=False)]
    return rows


def progress(text):
    """Show what is being run, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def main(argv=None):
    """Run the command."""
    known = find_tasks()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks accuracy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("tasks", nargs="*", metavar="task", help="names of tasks; all by default")
    parser.add_argument("--list", action="store_true", help="list the tasks and their methods")
    parser.add_argument("--data", type=Path, default=DEFAULT, help="folder of the data sets")
    parser.add_argument("--methods", nargs="+", help="only these methods")
    parser.add_argument("--pairs", nargs="+", help='only these pairs, such as "C>A"')
    parser.add_argument("--seeds", type=int, default=1, help="runs of each method that draws")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args(argv)
    unknown = sorted(set(options.tasks) - set(known))
    if unknown:
        parser.error(f"no task {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    chosen = [known[name] for name in options.tasks or sorted(known)]
    unknown = set(options.methods or []) - {name for task in chosen for name in task.methods}
    if unknown:
        parser.error(f"no method {', '.join(sorted(unknown))} in these tasks; --list names them")
    if options.list:
        for task in chosen:
            print(f"{task.name}: {' | '.join(task.methods)}")
        return
    rows = []
    with sklearn.config_context(enable_metadata_routing=True):
        for task in chosen:
            rows += run(
                task,
                options.data,
                methods=options.methods,
                pairs=options.pairs,
                seeds=options.seeds,
            )
    if options.json:
        protocols = {task.name: task.protocol for task in chosen}
        figures = {"conditions": conditions(), "protocols": protocols, "rows": rows}
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
