"""Methods that start from a source model, with few target labels, beside what needs no method.

    python -m benchmarks model_based --json model_based.json
    python -m benchmarks model_based --labels 100 --families wine,schools --draws 3
    python -m benchmarks model_based --read one.json two.json --json both.json

Mushrooms, heart disease, wine, students, schools and reviews. Of the target rows of a draw 5 % have
a label, or as many as --labels says, and the scores are those on the others: accuracy in points, or
R² x 100 not below -100. Rows are scaled without labels. Printed are the mean rank of each method
over the draws, its gain over the target labels alone by data set, and its worst loss.

All pairs are drawn once before any is drawn again; with --minutes the run ends with the round in
which the time is up, so that every pair counts the same.
"""

import argparse
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import sklearn
from scipy.stats import rankdata
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import skda

from ._conditions import conditions
from ._data import DEFAULT
from ._markdown import signed, table
from ._pairs import CLASSIFICATION, REGRESSION, draw, find_pairs
from .defaults import score_of

FAMILIES = ("mushrooms", "heart", "wine", "students", "schools", "reviews")
PART, LEAST = 0.05, 5  # of the target rows have a label, and at least so many
MOST = 1 / 2  # of the target rows have one: the others are for the score
TREES = 30
TARGET_ONLY, SOURCE_ONLY = "target only, linear", "source only, linear"

LINEAR = {CLASSIFICATION: LogisticRegression(max_iter=1000), REGRESSION: Ridge()}
FOREST = {
    CLASSIFICATION: RandomForestClassifier(TREES, min_samples_leaf=2, random_state=0),
    REGRESSION: RandomForestRegressor(TREES, min_samples_leaf=2, random_state=0),
}


def baselines(kind):
    """What needs no method: name, and the parts of the rows with the learner, or an estimator."""
    boosting = {CLASSIFICATION: skda.TrAdaBoostClassifier, REGRESSION: skda.TrAdaBoostRegressor}
    for name, learner in (("linear", LINEAR[kind]), ("forest", FOREST[kind])):
        for part in ("source", "target"):
            yield f"{part} only, {name}", (part, learner)
        yield f"pooled, {name}", ("pooled", learner)
    yield (
        "balanced, linear",
        skda.ImportanceWeightedEstimator(LINEAR[kind], use_target_labels=True, target_share=0.5),
    )
    yield "TrAdaBoost, linear", boosting[kind](LINEAR[kind], random_state=0)
    yield "TrAdaBoost", boosting[kind](random_state=0)


def methods(kind):
    """Name and estimator of what is compared."""
    suffix = "Classifier" if kind == CLASSIFICATION else "Regressor"

    def made(name, *args, **params):
        estimator = getattr(skda, name + suffix)(*args)
        if "random_state" in estimator.get_params():
            params["random_state"] = 0
        return estimator.set_params(**params)

    yield "RegularizedTransfer", made("RegularizedTransfer")
    for method in ("interpolation", "feature", "residual"):
        yield f"StackedTransfer, {method}", made("StackedTransfer", method=method)
    yield "StackedTransfer, forest", made("StackedTransfer", FOREST[kind], FOREST[kind])
    yield "ForestTransfer", made("ForestTransfer", FOREST[kind])
    yield "TransferGaussianProcess", made("TransferGaussianProcess")
    if kind == CLASSIFICATION:
        yield "TreeTransfer", made("TreeTransfer")
        yield "SelfTrainingTransfer", made("SelfTrainingTransfer")
        yield "GradualSelfTraining", made("GradualSelfTraining")


def labeled_rows(ids, n_labels, seed):
    """Indices of the target rows whose label is given; None if there are too few others."""
    target = np.random.default_rng(1000 + seed).permutation(np.flatnonzero(ids < 0))
    n = max(LEAST, round(PART * len(target))) if n_labels is None else n_labels
    return np.sort(target[:n]) if n <= MOST * len(target) else None


def run_draw(pair, seed, options):
    """Scores of all methods on one draw of a pair, or None where there are too few rows."""
    X, y, ids = draw(pair, options.data, rows=options.rows, seed=seed)
    few = labeled_rows(ids, options.labels, seed)
    if few is None:
        return None
    Z = StandardScaler().fit_transform(X)
    source, rest = np.flatnonzero(ids >= 0), np.setdiff1d(np.flatnonzero(ids < 0), few)
    seen = y.astype(float)
    seen[rest] = np.nan
    parts = {"source": source, "target": few, "pooled": np.r_[source, few]}
    scores, seconds = {}, {}
    for name, method in (*baselines(pair.kind), *methods(pair.kind)):
        start = time.process_time()
        if isinstance(method, tuple):
            rows = parts[method[0]]
            predicted = plain_prediction(method[1], Z[rows], y[rows], Z[rest])
        else:
            predicted = clone(method).fit(Z, seen, sample_domain=ids).predict(Z[rest])
        scores[name] = score_of(y[rest], predicted, pair.kind)
        seconds[name] = time.process_time() - start
    about = {"family": pair.family, "kind": pair.kind, "pair": pair.name, "seed": seed}
    return about | {"n_labels": len(few), "scores": scores, "seconds": seconds}


def plain_prediction(learner, X, y, X_new):
    """Predictions of a plain learner; rows of one class need none."""
    if len(np.unique(y)) == 1:
        return np.full(len(X_new), y[0])
    return clone(learner).fit(X, y).predict(X_new)


# Tables


def names_of(rows):
    """Names of the methods, in the order of the run."""
    return list(dict.fromkeys(name for row in rows for name in row["scores"]))


def mean_ranks(rows):
    """Mean rank of each method over the draws of its kind, 1 the best, scaled to [0, 1] by kind.

    Kinds have different numbers of methods, so that the last rank of each is 1 and the first 0.
    """
    found = {}
    for row in rows:
        ranks = rankdata([-score for score in row["scores"].values()])
        for name, rank in zip(row["scores"], ranks, strict=True):
            found.setdefault(name, []).append((rank - 1) / (len(ranks) - 1))
    return {name: float(np.mean(values)) for name, values in found.items()}


def pair_gains(rows, name, against):
    """Mean gain of a method over another by (family, kind, pair)."""
    found = {}
    for row in rows:
        if name in row["scores"]:
            place = row["family"], row["kind"], row["pair"]
            found.setdefault(place, []).append(row["scores"][name] - row["scores"][against])
    return {place: float(np.mean(gains)) for place, gains in found.items()}


def family_means(gains):
    """Mean over pairs by (family, kind)."""
    found = {}
    for (family, kind, _), gain in gains.items():
        found.setdefault((family, kind), []).append(gain)
    return {place: float(np.mean(values)) for place, values in found.items()}


def gain_table(rows, against=TARGET_ONLY):
    """One line per method, the best mean rank first: rank, gains, worst pair and seconds."""
    places = list(dict.fromkeys((row["family"], row["kind"]) for row in rows))
    ranks = mean_ranks(rows)
    body = []
    for name in sorted(names_of(rows), key=ranks.get):
        gains = pair_gains(rows, name, against)
        families = family_means(gains)
        worst = min(gains, key=gains.get)
        spent = np.mean([row["seconds"][name] for row in rows if name in row["seconds"]])
        body.append(
            [
                name,
                f"{ranks[name]:.2f}",
                signed(np.mean(list(families.values()))),
                *(signed(families.get(place, np.nan)) for place in places),
                f"{signed(gains[worst])} {worst[0]} {worst[2]}",
                f"{spent:.2g}",
            ]
        )
    columns = [f"{family}, R²" if kind == REGRESSION else family for family, kind in places]
    return table(["method", "rank", "mean", *columns, "worst pair", "seconds"], body)


def joined(runs):
    """Rows of several runs by their number of labels; of a draw that stands twice the last."""
    found = {}
    for run in runs:
        for row in run["model_based_rows"]:
            place = row["family"], row["kind"], row["pair"], row["seed"]
            found.setdefault(run["labels"], {})[place] = row
    return {labels: list(rows.values()) for labels, rows in found.items()}


def title(labels):
    """Name of the table of a number of labels."""
    return "model-based-few" if labels is None else f"model-based-{labels}"


def report(rows, labels):
    """The table of one number of labels, and how many draws it stands on."""
    pairs = {(row["family"], row["kind"], row["pair"]) for row in rows}
    draws = len({row["seed"] for row in rows})
    few = [row["n_labels"] for row in rows]
    many = f"{min(few)} to {max(few)}" if min(few) < max(few) else f"{few[0]}"
    share = "5 % of the target rows have a label" if labels is None else "Labeled target rows"
    count = f"{draws} draws" if draws > 1 else "one draw"
    return f"{share} ({many}), {len(pairs)} pairs, {count} of each.\n\n{gain_table(rows)}"


def main(argv=None):
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks model_based",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--labels", type=int, help="labeled target rows, instead of 5 %%")
    parser.add_argument("--draws", type=int, default=10, help="draws of each pair")
    parser.add_argument("--first", type=int, default=0, help="number of the first draw")
    parser.add_argument("--minutes", type=float, help="begin no further round after so many")
    parser.add_argument("--rows", type=int, default=300, help="most rows of source and of target")
    parser.add_argument("--families", default=",".join(FAMILIES), help="only these data sets, A,B")
    parser.add_argument("--data", type=Path, default=DEFAULT, help="folder of the data sets")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--read", nargs="+", type=Path, help="JSON of earlier runs; runs nothing")
    options = parser.parse_args(argv)
    if options.read:
        runs = [json.loads(path.read_text()) for path in options.read]
        if options.json:
            if len({one["labels"] for one in runs}) > 1:
                raise SystemExit("runs with different numbers of labels have a file each")
            [rows] = joined(runs).values()
            options.json.write_text(json.dumps(runs[0] | {"model_based_rows": rows}, indent=1))
    else:
        runs = [run(options)]
    for labels, rows in joined(runs).items():
        print(report(rows, labels))


def run(options):
    """Do the draws, round by round, and write what is there after each."""
    pairs = [p for p in find_pairs(options.data) if p.family in options.families.split(",")]
    rows, start, figures = [], time.monotonic(), {}
    with sklearn.config_context(enable_metadata_routing=True), threadpool_limits(1):
        for seed in range(options.first, options.first + options.draws):
            if options.minutes and time.monotonic() - start > 60 * options.minutes:
                break
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = [run_draw(pair, seed, options) for pair in pairs]
            rows += [row for row in found if row is not None]
            spent = time.monotonic() - start
            print(f"draw {seed}: {spent:.0f} s", file=sys.stderr, flush=True)
            figures = {
                "conditions": conditions(),
                "labels": options.labels,
                "model_based_rows": rows,
            }
            if options.json:
                options.json.write_text(json.dumps(figures, indent=1))
    return figures


if __name__ == "__main__":
    main()
