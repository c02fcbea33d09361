"""Measure few-shot networks on classes that the source lacks, and graph convolution.

    python -m benchmarks episodes --json episodes.json
    python -m benchmarks episodes --part shots --draws 10
    python -m benchmarks episodes --part graphs --draws 3

Shots: digits 0 to 4 of one domain train the network, and 5 to 9 of the other domain are told apart
with 1 or 5 labels each. The reference is the nearest class mean of the raw features of the same
labeled rows. The rows without these labels are scored; without a label they are in ``fit``.
Graphs: target accuracy of :class:`skda.GraphConvolutionClassifier` against the perceptron trained
on the source alone, both with default parameters.
"""

import argparse
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import sklearn
from sklearn.neighbors import NearestCentroid
from threadpoolctl import threadpool_limits

import skda

from ._conditions import conditions
from ._data import DEFAULT
from ._markdown import table
from ._pairs import CLASSIFICATION, draw, find_pairs

DIGITS = ("U>M", "M>U")
SHOTS = (1, 5)
REFERENCE = "nearest class mean, raw features"
FEW_SHOT = ("PrototypicalNetworkClassifier", "RelationNetworkClassifier")
SOURCE_ONLY = "DeepSourceOnlyClassifier"
KINDS = ("gcn", "sgc", "appnp")
ROWS = 1000  # most rows of a domain in a draw


def digits(data):
    """The digit pairs by name."""
    found = {p.name: p for p in find_pairs(data) if p.family == "digits"}
    return {name: found[name] for name in DIGITS if name in found}


def seen_and_new(pair, data, seed):
    """Rows of a draw: digits 0 to 4 of the source and 5 to 9 of the target."""
    X, y, ids = draw(pair, data, rows=ROWS, seed=seed)
    kept = (ids >= 0) == (y < 5)
    return X[kept], y[kept], ids[kept]


def supports(y, ids, seed):
    """Rows with a label, by the number of labels of a class; fewer are a part of more."""
    rng = np.random.default_rng(seed)
    target = np.flatnonzero(ids < 0)
    order = [rng.permutation(target[y[target] == c]) for c in np.unique(y[target])]
    return {k: np.concatenate([rows[:k] for rows in order]) for k in SHOTS}


def shot_rows(pair, data, seed):
    """Accuracies of all contenders on one draw; a network is trained once for all supports."""
    X, y, ids = seen_and_new(pair, data, seed)
    target, chosen = ids < 0, supports(y, ids, seed)
    scored = np.setdiff1d(np.flatnonzero(target), chosen[max(SHOTS)])
    about = {"pair": pair.name, "seed": seed}

    def row(name, shots, model):
        right = model.predict(X[scored]) == y[scored]
        return about | {"contender": name, "shots": shots, "accuracy": 100 * float(right.mean())}

    for shots, rows in chosen.items():
        yield row(REFERENCE, shots, NearestCentroid().fit(X[rows], y[rows]))
    for name in FEW_SHOT:
        net = getattr(skda, name)(random_state=seed)
        net.fit(X, np.where(target, -1, y), sample_domain=ids)
        for shots, rows in chosen.items():
            few = np.full(len(y), -1)
            few[rows] = y[rows]
            for n_refinements in (0, 1):
                net.set_params(n_refinements=n_refinements).set_support(X[target], few[target])
                yield row(f"{name}, n_refinements={n_refinements}", shots, net)


def graph_rows(pair, data, seed):
    """Target accuracies of source-only and of the kinds of graph convolution on one draw."""
    X, y, ids = draw(pair, data, rows=ROWS, seed=seed)
    target = ids < 0
    models = {SOURCE_ONLY: skda.DeepSourceOnlyClassifier(random_state=seed)}
    for kind in KINDS:
        models[kind] = skda.GraphConvolutionClassifier(propagation=kind, random_state=seed)
    for name, model in models.items():
        model.fit(X, np.where(target, -1, y), sample_domain=ids)
        right = model.predict(X[target]) == y[target]
        about = {"pair": f"{pair.family} {pair.name}", "seed": seed, "contender": name}
        yield about | {"accuracy": 100 * float(right.mean())}


def _grid(rows, columns, column_of):
    """Contenders down, columns across: mean and standard deviation over the draws."""
    body = []
    for name in dict.fromkeys(row["contender"] for row in rows):
        cells = []
        for column in columns:
            own = [r for r in rows if r["contender"] == name and column_of(r) == column]
            found = [r["accuracy"] for r in own]
            cells.append(f"{np.mean(found):.1f} ± {np.std(found):.1f}" if found else "–")
        body.append([name, *cells])
    return table(["", *columns], body)


def report(shots, graphs):
    """Both tables in Markdown."""
    parts = []
    if shots:
        draws = len({row["seed"] for row in shots})

        def column(row):
            return f"{row['pair']}, {row['shots']}-shot"

        columns = sorted({column(row) for row in shots}, reverse=True)
        parts.append(
            "### few shots of unseen classes\n\nDigits: trained on 0 to 4 of the source, used on 5 "
            "to 9 of the target, 5-way; accuracy in percent on rows without a label, mean and "
            f"standard deviation over {draws} draws.\n\n{_grid(shots, columns, column)}"
        )
    if graphs:
        draws = len({row["seed"] for row in graphs})
        columns = list(dict.fromkeys(row["pair"] for row in graphs))
        parts.append(
            f"### graph convolution\n\nTarget accuracy in percent without target labels, at most "
            f"{ROWS} rows of a domain, mean and standard deviation over {draws} draw(s).\n\n"
            + _grid(graphs, columns, lambda row: row["pair"])
        )
    return "\n\n".join(parts)


def _graph_pairs(options):
    found = [p for p in find_pairs(options.data) if p.kind == CLASSIFICATION]
    wanted = [w.strip() for w in options.pairs.split(",")]
    return [p for w in wanted for p in [q for q in found if w in f"{q.family} {q.name}"][:1]]


def main(argv=None):
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks episodes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--part", choices=["shots", "graphs"], help="one table only")
    parser.add_argument("--draws", type=int, default=10, help="draws of each pair")
    parser.add_argument("--pairs", default="digits U>M,digits M>U", help="pairs of the graphs")
    parser.add_argument("--data", type=Path, default=DEFAULT, help="folder of the data sets")
    parser.add_argument("--read", nargs="+", type=Path, help="JSON of earlier runs; runs nothing")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args(argv)
    figures = {"conditions": conditions(threads=1), "episode_rows": {"shots": [], "graphs": []}}
    found = figures["episode_rows"]
    for path in options.read or ():
        for part, rows in json.loads(path.read_text())["episode_rows"].items():
            found[part] += rows
    if not options.read:
        _measure(options, figures)
    print(report(**found))


def _measure(options, figures):
    """Run all draws; what is there is written after each, so that it stays if the run is ended."""
    import torch

    torch.set_num_threads(1)
    work = {
        "shots": (shot_rows, list(digits(options.data).values())),
        "graphs": (graph_rows, _graph_pairs(options)),
    }
    with sklearn.config_context(enable_metadata_routing=True), threadpool_limits(1):
        for part, (measure, pairs) in work.items():
            for seed in range(options.draws if options.part in (None, part) else 0):
                for pair in pairs:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        figures["episode_rows"][part] += measure(pair, options.data, seed)
                    print(f"{part}: {pair.key}, draw {seed}", file=sys.stderr, flush=True)
                    if options.json:
                        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
