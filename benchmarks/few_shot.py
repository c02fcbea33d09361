"""What are few target labels per class worth: prototypes and propagation against pooled training.

    python -m benchmarks few_shot --json few_shot.json
    python -m benchmarks few_shot --grid --families heart,adult --draws 3 --json grid.json

Every feature is standardized in each domain. 1, 3 or 5 target rows of each class have a label, the
other target rows are what is scored. Pooled training is logistic regression on the source rows and
the labeled target rows together, target-only is it on the latter alone, all means are over draws.

--grid measures many settings of each method instead of the defaults, and chooses for each data set
the setting that is best on the others.
"""

import argparse
import itertools
import json
import sys
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from skda import DomainScaler, GraphLabelPropagationClassifier, PrototypeClassifier

from ._conditions import conditions
from ._data import DEFAULT
from ._markdown import signed, table
from ._pairs import CLASSIFICATION, draw, find_pairs

SHOTS = (1, 3, 5)
POINT = 1.0  # a pair is harmed that loses more
CAP = 10.0  # most points, either way, that a data set counts in the choice of a setting
# Where the figures are taken; --families names others.
FAMILIES = ("digits", "office SURF", "office DeCAF")
POOLED, TARGET_ONLY, SOURCE_ONLY = "pooled", "target only", "source only"
STRENGTHS = (0.1, 0.25, 0.5, 0.75, 1.0)


def default_methods():
    """The methods as they come, and the variants that the guide names."""
    return {
        "prototypes": PrototypeClassifier(),
        "prototypes, cosine": PrototypeClassifier(metric="cosine"),
        "propagation": GraphLabelPropagationClassifier(),
        "propagation, cosine": GraphLabelPropagationClassifier(metric="cosine"),
        "propagation, priors": GraphLabelPropagationClassifier(target_priors="source"),
    }


def grid_methods():
    """Many settings of both methods."""
    found = {"prototypes auto": PrototypeClassifier()}
    found |= {f"prototypes {s:g}": PrototypeClassifier(strength=s) for s in STRENGTHS}
    for metric in ("cosine", "mahalanobis"):
        found[f"prototypes auto {metric}"] = PrototypeClassifier(metric=metric)
    for k, alpha, share, priors in itertools.product(
        (5, 10), (0.5, 0.8), (None, 0.2), (None, "source")
    ):
        name = f"propagation k={k} alpha={alpha:g} share={share} priors={priors}"
        found[name] = GraphLabelPropagationClassifier(
            k, alpha=alpha, target_share=share, target_priors=priors
        )
    return found


def labeled_rows(y, sample_domain, shots, seed):
    """Indices of the target rows whose labels are given, at most a third of a class."""
    rng = np.random.default_rng([1000, seed])
    target = rng.permutation(np.flatnonzero(sample_domain < 0))
    own = [target[y[target] == label] for label in np.unique(y[target])]
    return np.sort(np.concatenate([rows[: min(shots, max(1, len(rows) // 3))] for rows in own]))


def accuracy(model, X, y):
    """Rows right, in points."""
    return 100.0 * float(np.mean(model.predict(X) == y))


def scores_of_draw(pair, data, methods, *, rows, shots, seed):
    """Accuracy on the target rows without a label, by method."""
    X, y, d = draw(pair, data, rows=rows, seed=seed)
    Z = DomainScaler().fit_transform(X, sample_domain=d)
    source, few = np.flatnonzero(d >= 0), labeled_rows(y, d, shots, seed)
    rest = np.setdiff1d(np.flatnonzero(d < 0), few)
    hidden = y.astype(int)
    hidden[rest] = -1
    parts = {SOURCE_ONLY: source, TARGET_ONLY: few, POOLED: np.r_[source, few]}
    linear = LogisticRegression(max_iter=1000)
    found = {
        name: accuracy(linear.fit(Z[part], y[part]), Z[rest], y[rest])
        for name, part in parts.items()
    }
    for name, model in methods.items():
        found[name] = accuracy(model.fit(Z, hidden, sample_domain=d), Z[rest], y[rest])
    return found


def study(options):
    """Mean accuracies, one row for each pair, number of labels and method."""
    methods = grid_methods() if options.grid else default_methods()
    found = []
    for pair in find_pairs(options.data):
        if pair.kind != CLASSIFICATION or pair.family not in options.families:
            continue
        for shots in SHOTS:
            scores = defaultdict(list)
            for seed in range(options.draws):
                with threadpool_limits(1), warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of rows that no label reaches
                    own = scores_of_draw(
                        pair, options.data, methods, rows=options.rows, shots=shots, seed=seed
                    )
                for name, value in own.items():
                    scores[name].append(value)
            about = {"family": pair.family, "pair": pair.name, "shots": shots}
            for name, values in scores.items():
                spread = float(np.std(values))
                found.append(
                    about | {"method": name, "score": float(np.mean(values)), "spread": spread}
                )
            print(pair.key, shots, file=sys.stderr, flush=True)
    return found


# Tables


def by_method(rows, shots):
    """Score by (family, pair) of each method, in the order of the run."""
    found = defaultdict(dict)
    for row in rows:
        if row["shots"] == shots:
            found[row["method"]][row["family"], row["pair"]] = row["score"]
    return found


def gains(own, against):
    """Points over another method, by (family, pair)."""
    return {place: score - against[place] for place, score in own.items()}


def over_families(found, cap=None):
    """Mean over pairs, then over families."""
    families = defaultdict(list)
    for (family, _), gain in found.items():
        families[family].append(gain)
    means = [np.mean(values) for values in families.values()]
    return float(np.mean(means if cap is None else np.clip(means, -cap, cap)))


def score_table(rows, shots):
    """Methods down, pairs across."""
    rows = [row for row in rows if row["shots"] == shots]
    places = list(dict.fromkeys((r["family"], r["pair"]) for r in rows))
    cells = {
        (r["method"], r["family"], r["pair"]): f"{r['score']:.1f} ± {r['spread']:.1f}" for r in rows
    }
    names = list(dict.fromkeys(r["method"] for r in rows))
    body = [[name, *(cells[(name, *place)] for place in places)] for name in names]
    return table(["", *(" ".join(place) for place in places)], body)


def gain_table(rows):
    """Gain of each method over pooled training: mean over families, worst pair, pairs harmed."""
    body = []
    for shots in SHOTS:
        scores = by_method(rows, shots)
        for name, own in scores.items():
            if name == POOLED:
                continue
            found = gains(own, scores[POOLED])
            worst = min(found, key=found.get)
            harmed = sum(gain < -POINT for gain in found.values())
            cells = [signed(over_families(found)), f"{signed(found[worst])} ({' '.join(worst)})"]
            body.append([f"{name}, {shots}", *cells, f"{harmed}/{len(found)}"])
    return table(["", "mean gain", "worst pair", "harmed"], body)


def gains_of_settings(rows):
    """Gain over pooled training by setting and (family, pair and number of labels)."""
    found = defaultdict(dict)
    for shots in SHOTS:
        scores = by_method(rows, shots)
        for name, own in scores.items():
            for (family, pair), gain in gains(own, scores[POOLED]).items():
                found[name][family, f"{pair}, {shots}"] = gain
    return found


def setting_table(rows):
    """Mean, worst and harmed of every setting, over all data sets and numbers of labels."""
    body = []
    for name, own in gains_of_settings(rows).items():
        if name in (POOLED, SOURCE_ONLY, TARGET_ONLY):
            continue
        harmed = sum(gain < -POINT for gain in own.values())
        means = signed(over_families(own)), signed(over_families(own, CAP))
        body.append([name, *means, signed(min(own.values())), f"{harmed}/{len(own)}"])
    return table(["", "mean gain", "capped", "worst", "harmed"], body)


def left_out_table(rows):
    """For each data set the setting of each method that is best on the others, and its gain."""
    found, body = gains_of_settings(rows), []
    families = list(dict.fromkeys(row["family"] for row in rows))
    # Of one data set there are no others to choose on.
    for family in families if len(families) > 1 else ():
        cells = [family]
        for method in ("prototypes", "propagation"):
            own = {name: gain for name, gain in found.items() if name.startswith(method)}
            others = {
                name: over_families({p: g for p, g in own[name].items() if p[0] != family}, CAP)
                for name in own
            }
            chosen = max(others, key=others.get)
            here = {p: g for p, g in own[chosen].items() if p[0] == family}
            cells += [chosen, signed(over_families(here))]
        body.append(cells)
    return table(["left out", "prototypes", "gain", "propagation", "gain"], body)


def report(rows, *, grid=False):
    """Headings and tables of a run, in Markdown."""
    if grid:
        parts = {
            "few-shot-settings": setting_table(rows),
            "few-shot-left-out": left_out_table(rows),
        }
    else:
        parts = {f"few-shot-{shots}": score_table(rows, shots) for shots in SHOTS}
        parts["few-shot-gains"] = gain_table(rows)
    return "\n\n".join(f"### {name}\n\n{text}" for name, text in parts.items())


def main(argv=None):
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks few_shot",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--families", default=",".join(FAMILIES), help="data sets, A,B, or all")
    parser.add_argument("--draws", type=int, default=10, help="draws of rows and labels")
    parser.add_argument("--rows", type=int, default=1000, help="most rows of source and of target")
    parser.add_argument("--grid", action="store_true", help="many settings of each method")
    parser.add_argument("--data", type=Path, default=DEFAULT, help="folder of the data sets")
    parser.add_argument("--read", type=Path, nargs="*", help="JSON of earlier runs, joined")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args(argv)
    if options.families == "all":
        options.families = ",".join({pair.family for pair in find_pairs(options.data)})
    options.families = options.families.split(",")
    if options.read:
        rows = [row for file in options.read for row in json.loads(file.read_text())["shot_rows"]]
    else:
        rows = study(options)
    print(report(rows, grid=options.grid))
    if options.json:
        how = {"draws": options.draws, "rows": options.rows, "grid": options.grid}
        figures = {"conditions": conditions()} | how | {"shot_rows": rows}
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
