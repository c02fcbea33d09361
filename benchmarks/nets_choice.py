"""How well do scores without target labels choose a net and its weight?

    python -m benchmarks nets_choice --json choice.json
    python -m benchmarks nets_choice --tasks moons,digits --seeds 1
    python -m benchmarks nets_choice --read one.json two.json --json both.json

The candidates are the deep classifiers at three weights of their alignment, all else at its
defaults, and the source-only net. Each is fitted on three quarters of the source's rows and on the
target's without labels. Every scorer sees the target's rows and the source's held-out quarter,
since scores that weight source rows say nothing on rows that the net was trained on. Target labels
are read last.

Printed are the accuracy of what each scorer chooses of all candidates; and for each method the
accuracy at its default weight, at the weight of the least entropy, and at the best one.
"""

import argparse
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import sklearn
from threadpoolctl import threadpool_limits

import skda
from skda import metrics

from ._conditions import conditions
from ._data import DEFAULT
from ._markdown import signed, table
from ._pairs import draw
from .nets import REFERENCE, find_tasks

METHODS = ("DAN", "DeepCORAL", "DANN", "CDAN", "MCC", "MDD", "DeepJDOT")
WEIGHTS = (0.3, 1.0, 3.0)
DEFAULT_WEIGHT = 1.0
SOURCE_ONLY = "source only"
HELD_OUT = 4  # one source row in so many
SCORERS = {
    "entropy": metrics.PredictionEntropyScorer(),
    "information": metrics.InformationMaximizationScorer(),
    "nuclear norm": metrics.BatchNuclearNormScorer(),
    "clusters, AMI": metrics.ClassClusterScorer(),
    "circular": metrics.CircularValidationScorer(),
    "importance weighted": metrics.ImportanceWeightedScorer(),
    "DEV": metrics.DEVScorer(),
    "source": metrics.SourceScorer(),
}
# Of the moons and the label-shifted tasks one each: the others are like them.
LEFT_OUT = ("moons: -30", "moons: +40", "moons: -40", "moons: -50", "label-shifted: blobs")


# Figures


def candidates(seed):
    """Nets by name: the source-only net, and each method at each weight."""
    yield SOURCE_ONLY, getattr(skda, REFERENCE)(random_state=seed)
    for name in METHODS:
        for weight in WEIGHTS:
            net = getattr(skda, f"{name}Classifier")(alignment_weight=weight, random_state=seed)
            yield f"{name} {weight:g}", net


def run_draw(pair, seed, options):
    """For each candidate its accuracy on the target and its score by every scorer."""
    X, y, ids = draw(pair, options.data, rows=options.rows, seed=seed)
    source = np.flatnonzero(ids > 0)
    held_out = np.random.default_rng(seed).permutation(source)[: len(source) // HELD_OUT]
    fitted = np.setdiff1d(np.arange(len(y)), held_out)
    judged = np.union1d(held_out, np.flatnonzero(ids < 0))
    seen = np.where(ids < 0, -1, y)
    for name, net in candidates(seed):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            net.fit(X[fitted], seen[fitted], sample_domain=ids[fitted])
            scores = {
                scorer: float(score(net, X[judged], seen[judged], sample_domain=ids[judged]))
                for scorer, score in SCORERS.items()
            }
        accuracy = 100.0 * float(np.mean(net.predict(X[ids < 0]) == y[ids < 0]))
        yield {
            "task": f"{pair.family}: {pair.name}",
            "family": pair.family,
            "seed": seed,
            "candidate": name,
            "accuracy": accuracy,
            "scores": scores,
        }


# Tables


def _draws(rows):
    """Candidates of each draw of each task."""
    found = {}
    for row in rows:
        found.setdefault((row["task"], row["seed"]), []).append(row)
    return found


def _best(rows, key):
    """Accuracy of the candidate with the highest key; the first of equal ones."""
    values = [key(row) for row in rows]
    finite = [-np.inf if np.isnan(value) else value for value in values]
    return rows[int(np.argmax(finite))]["accuracy"]


def _by_task(rows, value):
    """Mean of a figure over the draws of each task."""
    found = {}
    for (task, _), own in _draws(rows).items():
        found.setdefault(task, []).append(value(own))
    return {task: float(np.mean(figures)) for task, figures in found.items()}


def _accuracy_of(name):
    return lambda rows: next(row["accuracy"] for row in rows if row["candidate"] == name)


def _lines(rows, rules):
    """A line for each rule: mean accuracy, gains over the source-only net, and harmed tasks."""
    source_only = _by_task(rows, _accuracy_of(SOURCE_ONLY))
    for name, rule in rules.items():
        reached = _by_task(rows, rule)
        gains = np.array([reached[task] - source_only[task] for task in reached])
        mean = np.mean(list(reached.values()))
        harmed = f"{(gains < -0.5).sum()} of {len(gains)}"
        yield [name, f"{mean:.1f}", signed(gains.mean()), signed(gains.min()), harmed]


HEADER = ["", "accuracy", "mean gain", "worst", "harmed"]


def choice_table(rows):
    """What each scorer chooses of all candidates."""
    rules = {"best candidate (oracle)": lambda own: _best(own, lambda row: row["accuracy"])}
    for scorer in SCORERS:
        rules[scorer] = lambda own, name=scorer: _best(own, lambda row: row["scores"][name])
    rules["mean of the candidates"] = lambda own: np.mean([row["accuracy"] for row in own])
    rules["source-only net"] = _accuracy_of(SOURCE_ONLY)
    first, *others = _lines(rows, rules)
    return table(HEADER, [first, *sorted(others, key=lambda line: -float(line[1]))])


def method_table(rows):
    """Each method at its default weight, at the one of least entropy, and at the best one."""
    lines = []
    for method in METHODS:
        own = [row for row in rows if row["candidate"].split()[0] in (method, "source")]
        rules = {
            f"{method}, default": _accuracy_of(f"{method} {DEFAULT_WEIGHT:g}"),
            f"{method}, least entropy": lambda draw: _best(
                [row for row in draw if row["candidate"] != SOURCE_ONLY],
                lambda row: row["scores"]["entropy"],
            ),
            f"{method}, best weight": lambda draw: _best(
                [row for row in draw if row["candidate"] != SOURCE_ONLY],
                lambda row: row["accuracy"],
            ),
        }
        lines += _lines(own, rules)
    return table(HEADER, lines)


def report(rows):
    """Both tables in Markdown."""
    return f"{choice_table(rows)}\n\n{method_table(rows)}"


def main(argv=None):
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks nets_choice",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--tasks", help="only tasks whose name has one of these in it, A,B")
    parser.add_argument("--seeds", type=int, default=1, help="draws of each task")
    parser.add_argument("--rows", type=int, default=1000, help="most rows of source and of target")
    parser.add_argument("--data", type=Path, default=DEFAULT, help="folder of the data sets")
    parser.add_argument("--read", nargs="+", type=Path, help="earlier JSON, joined; runs nothing")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args(argv)
    if options.read:
        runs = [json.loads(path.read_text()) for path in options.read]
        figures = runs[0] | {"choice_rows": [row for run in runs for row in run["choice_rows"]]}
        if options.json:
            options.json.write_text(json.dumps(figures, indent=1))
        print(report(figures["choice_rows"]))
        return
    import torch

    torch.set_num_threads(1)
    parts = options.tasks.split(",") if options.tasks else [""]
    figures = {"conditions": conditions(threads=1), "choice_rows": []}
    with sklearn.config_context(enable_metadata_routing=True), threadpool_limits(1):
        for seed in range(options.seeds):
            for task in find_tasks(options.data):
                name = f"{task.family}: {task.name}"
                wanted = any(part in name for part in parts)
                if not wanted or (not options.tasks and name.startswith(LEFT_OUT)):
                    continue
                figures["choice_rows"] += run_draw(task, seed, options)
                print(f"{name}, seed {seed}", file=sys.stderr, flush=True)
                if options.json:  # what is there stays when the run is ended
                    options.json.write_text(json.dumps(figures, indent=1))
    print(report(figures["choice_rows"]))


if __name__ == "__main__":
    main()
