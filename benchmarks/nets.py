"""Measure the deep classifiers at their defaults, against the same network trained on the source.

    python -m benchmarks nets --json nets.json --markdown nets.md
    python -m benchmarks nets --methods DANClassifier,DANNClassifier --tasks moons,digits --seeds 1
    python -m benchmarks nets --params 'DANClassifier:{"alignment_weight": 3}'
    python -m benchmarks nets --tasks label-shifted --params '...:{"prior_correction": "..."}'
    python -m benchmarks nets --peers --seeds 1
    python -m benchmarks nets --read one.json two.json --json both.json

Gains are in points of target accuracy over two references: the network of the release before
(Adam at 1e-3, 50 epochs, no batch normalization, rows standardized over both domains), and
source-only under the present defaults. Means are over seeds, then over tasks.

Beside pairs of the shared data there are simulated ones: two moons rotated by 30 to 50 degrees, and
three blobs that move. Label-shifted tasks are pairs of the same data in which the target keeps
three quarters, or all but a tenth, of one class only; they have no part in the main table.
--peers runs the deep methods of skada instead, on the same draws.
"""

import argparse
import json
import sys
import time
import warnings
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import sklearn
from sklearn.datasets import make_blobs, make_moons
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import skda
from skda import stack_domains

from ._conditions import conditions
from ._data import DEFAULT
from ._markdown import signed, table
from ._pairs import CLASSIFICATION, Pair, draw, find_pairs
from ._skada_nets import NAMES as PEERS
from ._skada_nets import SkadaNet
from .defaults import Variant, parse_variant

METHODS = (
    "DANClassifier",
    "JANClassifier",
    "DeepCORALClassifier",
    "DANNClassifier",
    "CDANClassifier",
    "MCCClassifier",
    "MDDClassifier",
    "MCDClassifier",
    "AFNClassifier",
    "DeepJDOTClassifier",
    "WDGRLClassifier",
    "AdaBNClassifier",
    "ADDAClassifier",
    "SHOTClassifier",
    "AaDClassifier",
)
REFERENCE = "DeepSourceOnlyClassifier"
PEER = "SKADA "  # begins the name of a method of theirs
FORMER = {
    "lr": 1e-3,
    "lr_schedule": "constant",
    "max_epochs": 50,
    "batch_norm": False,
    "input_scaling": None,
}
N_SIMULATED = 1250  # rows of a domain, of which a draw takes four fifths
ANGLES = (30, -30, 40, -40, 50, -50)
SHARED = (
    ("digits", "U>M"),
    ("digits", "M>U"),
    ("music", "clean>"),
    ("mushrooms", "stalk-shape e>t"),
    ("heart", ""),
    ("office DeCAF", ""),
    ("reviews", "B>D"),
    ("students", "GP>MS"),
    ("students", "maths>"),
)
SHIFTED = (("moons", "+30"), ("blobs", "moved"), ("digits", "M>U"), ("mushrooms", "stalk"))
KEPT = 0.15  # of the rows of every second class of a label-shifted target


# Tasks


def _moons(degrees):
    def read(data):
        X_source, y_source = make_moons(N_SIMULATED, noise=0.1, random_state=0)
        X_target, y_target = make_moons(N_SIMULATED, noise=0.1, random_state=1)
        c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        middle = np.array([0.5, 0.25])
        X_target = (X_target - middle) @ np.array([[c, s], [-s, c]]) + middle
        return stack_domains(X_source, y_source, X_target, y_target)

    return read


def _blobs(data):
    centers = [[0, 0], [4, 0], [0, 4]]
    parts = [
        make_blobs(N_SIMULATED, centers=centers, cluster_std=0.6, random_state=i) for i in (0, 1)
    ]
    (X_source, y_source), (X_target, y_target) = parts
    return stack_domains(X_source, y_source, X_target + np.array([1.6, 1.2]), y_target)


def simulated():
    """Pairs that need no file."""
    for degrees in ANGLES:
        yield Pair("moons", f"{degrees:+d} degrees", CLASSIFICATION, None, _moons(degrees))
    yield Pair("blobs", "moved", CLASSIFICATION, None, _blobs)


def _fewer(pair, data):
    """Rows of a pair without most of the target's rows of every second class."""
    X, y, ids = pair.read(Path(data))
    codes = np.unique(y, return_inverse=True)[1]
    rare = (ids < 0) & (codes % 2 == 1)
    kept = ~rare | (np.random.default_rng(0).random(len(y)) < KEPT)
    return X[kept], y[kept], ids[kept]


def find_tasks(data):
    """The pairs of the main table, and the label-shifted ones after them."""
    there = [*simulated(), *(p for p in find_pairs(data) if p.kind == CLASSIFICATION)]
    tasks = [p for p in there if p.family in ("moons", "blobs")]
    for family, name in SHARED:
        tasks += [p for p in there if p.family == family and name in p.name][:1]
    for family, name in SHIFTED:
        for p in [p for p in there if p.family == family and name in p.name][:1]:
            read = partial(_fewer, p)
            tasks.append(Pair("label-shifted", p.key, CLASSIFICATION, p.folder, read))
    return tasks


# Figures


def build(variant, seed):
    """The estimator of a variant."""
    if variant.name.startswith(PEER):
        return SkadaNet(variant.estimator, seed)
    return getattr(skda, variant.estimator)(random_state=seed, **variant.params)


def former_network(seed):
    """Source-only as it was in the release before."""
    from torch.optim import Adam

    return skda.DeepSourceOnlyClassifier(optimizer=Adam, random_state=seed, **FORMER)


def accuracy(net, X, y, ids):
    """Target accuracy in points, and the seconds of the fit."""
    seen = np.where(ids < 0, -1, y)
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net.fit(X, seen, sample_domain=ids)
    spent = time.process_time() - start
    return 100.0 * float(np.mean(net.predict(X[ids < 0]) == y[ids < 0])), spent


def run_draw(pair, seed, variants, options):
    """Rows of figures of all variants on one draw of a task."""
    X, y, ids = draw(pair, options.data, rows=options.rows, seed=seed)
    about = {"task": f"{pair.family}: {pair.name}", "family": pair.family, "seed": seed}
    former, _ = accuracy(former_network(seed), StandardScaler().fit_transform(X), y, ids)
    present, _ = accuracy(build(Variant(REFERENCE, REFERENCE), seed), X, y, ids)
    for variant in variants:
        score, seconds = accuracy(build(variant, seed), X, y, ids)
        figures = {"score": score, "former": former, "present": present, "seconds": seconds}
        yield {"variant": variant.name} | about | figures


def parts_of(rows):
    """For each kind of task its name and two tables: gains over all tasks, accuracy by task."""
    variants = list(dict.fromkeys(row["variant"] for row in rows))
    for title, shifted in (("Tasks", False), ("Label-shifted tasks", True)):
        own = [row for row in rows if (row["family"] == "label-shifted") == shifted]
        if own:
            yield title, _tables(variants, own)


def report(rows):
    """Tables in Markdown: gains over all tasks, and accuracy by task."""
    return "\n\n".join("\n\n".join([title, *tables]) for title, tables in parts_of(rows))


def _tables(variants, rows):
    tasks = list(dict.fromkeys(row["task"] for row in rows))

    def mean(variant, task, value):
        found = [value(r) for r in rows if r["variant"] == variant and r["task"] == task]
        return float(np.mean(found)) if found else float("nan")

    by_task = {"former": lambda r: r["former"], "present": lambda r: r["present"]}
    lines = [
        [f"source-only, {name}", *(f"{mean(variants[0], t, value):.1f}" for t in tasks)]
        for name, value in by_task.items()
    ]
    lines += [[v, *(f"{mean(v, t, lambda r: r['score']):.1f}" for t in tasks)] for v in variants]
    head = ["gain over source-only", "former: mean", "worst", "present: mean", "worst", "seconds"]
    gains = []
    for v in variants:
        line = [v]
        for name in by_task:
            found = [mean(v, t, lambda r, n=name: r["score"] - r[n]) for t in tasks]
            line += [signed(float(np.nanmean(found))), signed(float(np.nanmin(found)))]
        seconds = [mean(v, t, lambda r: r["seconds"]) for t in tasks]
        gains.append([*line, f"{np.nanmean(seconds):.1f}"])
    return table(head, gains), table(["accuracy", *tasks], lines)


def write(path, rows, variants, options):
    """Write the figures, and how they were taken, as JSON."""
    figures = {
        "conditions": conditions(threads=1),
        "options": {name: getattr(options, name) for name in ("seeds", "rows")},
        "variants": [asdict(variant) for variant in variants],
        "net_rows": rows,
    }
    path.write_text(json.dumps(figures, indent=1))


def chosen(options):
    """The variants and the tasks that are asked for."""
    extra = [v for text in options.params or () for v in parse_variant(text)]
    names = options.methods.split(",") if options.methods else () if extra else METHODS
    variants = [*(Variant(name, name) for name in names), *extra]
    if options.peers:
        variants = [Variant(PEER + name, name) for name in PEERS]
    parts = options.tasks.split(",") if options.tasks else None
    tasks = find_tasks(options.data)
    tasks = [t for t in tasks if not parts or any(p in f"{t.family}: {t.name}" for p in parts)]
    return variants, tasks


def main(argv=None):
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks nets",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--methods", help="estimators to run, A,B; all by default")
    parser.add_argument("--params", action="append", help="a variant, or a JSON file of variants")
    parser.add_argument("--tasks", help="only tasks whose name has one of these in it, A,B")
    parser.add_argument("--peers", action="store_true", help="the deep methods of skada instead")
    parser.add_argument("--seeds", type=int, default=3, help="draws of each task")
    parser.add_argument("--rows", type=int, default=1000, help="most rows of source and of target")
    parser.add_argument("--data", type=Path, default=DEFAULT, help="folder of the data sets")
    parser.add_argument("--list", action="store_true", help="list the tasks")
    parser.add_argument("--read", nargs="+", type=Path, help="earlier JSON, joined; runs nothing")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file")
    options = parser.parse_args(argv)
    variants, tasks = chosen(options)
    if options.list:
        print("\n".join(f"{task.family}: {task.name}" for task in tasks))
        return
    rows = []
    if options.read:
        runs = [json.loads(path.read_text()) for path in options.read]
        rows = [row for run in runs for row in run["net_rows"]]
        if options.json:  # as the first of them
            options.json.write_text(json.dumps(runs[0] | {"net_rows": rows}, indent=1))
    else:
        import torch

        torch.set_num_threads(1)
        with sklearn.config_context(enable_metadata_routing=True), threadpool_limits(1):
            for seed in range(options.seeds):
                for task in tasks:
                    rows += run_draw(task, seed, variants, options)
                    print(f"{task.family}: {task.name}, seed {seed}", file=sys.stderr, flush=True)
                    if options.json:  # what is there stays when the run is ended
                        write(options.json, rows, variants, options)
    text = report(rows)
    print(text)
    if options.markdown:
        options.markdown.write_text(text)


if __name__ == "__main__":
    main()
