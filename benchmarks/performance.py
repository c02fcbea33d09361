"""How far is the estimated performance from the true one, with and without target labels?

    python -m benchmarks performance --json performance.json
    python -m benchmarks performance --families heart,music --seeds 1
    python -m benchmarks performance --read performance.json

On each draw of a pair one source-only model is fitted (standardized rows and a logistic regression
or ridge). ``estimate_performance`` and each of its methods say what its accuracy (mean absolute
error over the spread of the values, in a regression) on the target is, with all target labels
hidden; then these are read. With labels: so many target rows are drawn 200 times, and the interval
is asked whether it holds the true figure. On simulated shifts with 1,000 rows of each domain the
assumption is known.
"""

import argparse
import itertools
import json
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import sklearn
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skda import ConsensusClassifier, datasets
from skda.metrics import _performance_values as values
from skda.metrics import estimate_performance
from skda.metrics._base_scorer import ScoringData
from skda.metrics._performance_ground import Ground
from skda.metrics._performance_outputs import outputs_of

from ._conditions import conditions
from ._data import DEFAULT
from ._markdown import table
from ._pairs import CLASSIFICATION, draw, find_pairs

METHODS = {
    CLASSIFICATION: ("source", "weighted", "cbpe", "pape", "atc", "label_shift"),
    "regression": ("source", "weighted", "dle"),
}
LABELS, N_DRAWS, LEVEL = (10, 25, 50), 200, 0.9
SIMULATED_ROWS = 1000
SHIFTS = ("no", "covariate", "label", "conditional", "subspace")
MODELS = {
    "linear": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    "forest": RandomForestClassifier(50, min_samples_leaf=3, random_state=0),
}


def simulated(shift, seed, noise):
    """Rows of one simulated shift."""
    rows = {"n_samples_source": SIMULATED_ROWS, "n_samples_target": SIMULATED_ROWS}
    options = {**rows, "noise": noise, "random_state": seed}
    if shift == "no":
        return datasets.make_covariate_shift(gamma=0, **options)
    return getattr(datasets, f"make_{shift}_shift")(**options)


def hidden_labels(y, sample_domain):
    """Labels without those of the target."""
    return np.where(sample_domain < 0, np.nan, y.astype(float))


def found_in(model, X, y, ids, *, candidates=None, seed=0):
    """What the public function says of a fitted model without target labels."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hidden = hidden_labels(y, ids)
        return estimate_performance(
            model, X, hidden, ids, candidates=candidates, n_bootstrap=50, random_state=seed
        )


def simulated_row(shift, name, noise, seed):
    """Truth and estimate on one draw of a simulated shift."""
    X, y, ids = simulated(shift, seed, noise)
    source = ids >= 0
    model = clone(MODELS[name]).fit(X[source], y[source].astype(float))
    found = found_in(model, X, y, ids, seed=seed)
    truth = float((model.predict(X[~source]) == y[~source]).mean())
    low, high = found.interval
    return {
        "shift": shift,
        "model": name,
        "noise": noise,
        "truth": truth,
        "value": found.value,
        "known": found.verdict.known,
        "assumption": found.verdict.assumption,
        "covered": bool(low <= truth <= high),
    }


def pair_row(pair, options, seed):
    """Truth, all estimates and the coverage of intervals on one draw of a pair."""
    X, y, ids = draw(pair, options.data, rows=options.rows, seed=seed)
    y, classes = y.astype(float), pair.kind == CLASSIFICATION
    source = ids >= 0
    model = clone(MODELS["linear"]) if classes else make_pipeline(StandardScaler(), Ridge())
    model.fit(X[source], y[source])
    metric = "accuracy" if classes else "mae"
    found = found_in(model, X, y, ids, seed=seed)
    predicted = model.predict(X[~source])
    rows = values.Rows(y[~source], predicted, None, np.ones((~source).sum()))
    truth = values.value_of(metric, rows, 0)
    data = ScoringData(model, X, hidden_labels(y, ids), ids, "benchmark")
    rng = np.random.RandomState(seed)
    outputs = outputs_of(data, cv=5, random_state=rng)
    ground = Ground(outputs, metric, None, rng)
    estimates = {name: ground.estimate(name) for name in METHODS[pair.kind]}
    # An error of accuracy is a part of 1; one of a regression, of the spread of its values.
    scale = 1.0 if classes else float(y[~source].std())
    if classes:
        estimates["agreement"] = found.evidence["agreement"]
    if classes and options.consensus:
        given = found_in(model, X, y, ids, candidates=_consensus(X, y, ids), seed=seed)
        estimates["consensus"] = given.evidence["agreement"]
        estimates["auto, consensus"] = given.value
    estimates["auto"] = found.value
    covered = {m: _coverage(metric, rows, y, truth, m, seed) for m in LABELS}
    return {
        "family": pair.family,
        "kind": pair.kind,
        "pair": pair.name,
        "truth": truth / scale,
        "estimates": {name: value / scale for name, value in estimates.items()},
        "known": found.verdict.known,
        "assumption": found.verdict.assumption,
        "auc": found.evidence["balance"]["none"]["auc"],
        "covered": covered,
    }


def _consensus(X, y, ids):
    """A fitted consensus of the default candidates."""
    routing = sklearn.config_context(enable_metadata_routing=True)
    with routing, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = ConsensusClassifier(estimator=clone(MODELS["linear"]))
        return model.fit(X, hidden_labels(y, ids), sample_domain=ids)


def _coverage(metric, rows, y, truth, m, seed):
    """Proportion of draws of m labels whose interval holds the truth; None of too few rows."""
    n = len(rows.true)
    if m > n:
        return None
    rng = np.random.default_rng(seed)
    bound = values.largest_loss(metric, rows.predicted, None, y)
    held = 0
    for _ in range(N_DRAWS):
        some = rows.take(rng.permutation(n)[:m])
        low, high = values.labeled_interval(metric, some, 0, confidence=LEVEL, bound=bound)
        held += low <= truth <= high
    return held / N_DRAWS


def simulated_table(rows):
    """Mean errors and refusals by shift."""
    body = []
    for key, own in _grouped(rows, "shift", "noise", "model"):
        known = [row for row in own if row["known"]]
        errors = [abs(row["value"] - row["truth"]) for row in known]
        mean = f"{np.mean(errors):.3f}" if errors else "–"
        covered = f"{100 * np.mean([r['covered'] for r in known]):.0f}" if known else "–"
        refused = 100 * (1 - len(known) / len(own))
        name = f"{key[0]}, {key[1]:g}, {key[2]}"
        body.append([name, len(own), f"{refused:.0f}", mean, covered])
    header = ["shift, noise, model", "draws", "refused, %", "mean error", "held, %"]
    return table(header, body)


def family_tables(rows):
    """Mean errors of every method by family, and over the pairs and families of a kind."""
    parts = []
    for kind, names in METHODS.items():
        own = [row for row in rows if row["kind"] == kind]
        if not own:
            continue
        names = [*names, "auto"]
        if kind == CLASSIFICATION:
            names[-1:] = ["agreement", *_given(own), "auto"]
        errors = {
            family[0]: [np.mean([_error(row, name) for row in some]) for name in names]
            for family, some in _grouped(own, "family")
        }
        means = {
            "mean of pairs": [np.mean([_error(row, name) for row in own]) for name in names],
            "mean of families": np.mean(list(errors.values()), axis=0),
        }
        body = [[name, *(f"{e:.2f}" for e in of)] for name, of in (errors | means).items()]
        refused = 100 * np.mean([not row["known"] for row in own])
        parts.append(f"### performance-{kind}")
        parts.append(f"{len(own)} draws, {refused:.0f} % refused.")
        parts.append(table(["", *names], body))
    return "\n\n".join(parts)


def coverage_table(rows):
    """How often the interval with m labels holds the truth, on average and at worst."""
    # JSON turns numbers of labels into text.
    body = []
    for kind, own in _grouped(rows, "kind"):
        for m in LABELS:
            found = [row["covered"].get(m, row["covered"].get(str(m))) for row in own]
            held = [of for of in found if of is not None]
            body.append([f"{kind[0]}, {m}", f"{100 * np.mean(held):.1f}", f"{100 * min(held):.1f}"])
    return table(["kind, labels", "held, %", "worst pair"], body)


def _given(rows):
    """Estimates that a consensus takes part in, of runs with one."""
    return [name for name in ("consensus", "auto, consensus") if name in rows[0]["estimates"]]


def _error(row, name):
    return abs(row["estimates"][name] - row["truth"])


def _grouped(rows, *keys):
    def key(row):
        return tuple(row[k] for k in keys)

    groups = itertools.groupby(sorted(rows, key=key), key=key)
    return [(name, list(group)) for name, group in groups]


def left_out(rows, most=4):
    """Mean error of the best mean of several methods, chosen on the other families each time."""
    rows = [row for row in rows if row["kind"] == CLASSIFICATION]
    names = [*METHODS[CLASSIFICATION], "agreement", *_given(rows)]
    sets = [s for n in range(1, most + 1) for s in itertools.combinations(names, n)]
    families = sorted({row["family"] for row in rows})
    errors = np.array(
        [[abs(np.mean([r["estimates"][n] for n in s]) - r["truth"]) for r in rows] for s in sets]
    )
    of = np.array([row["family"] for row in rows])
    by_family = np.array([errors[:, of == family].mean(axis=1) for family in families])
    body = []
    for i, family in enumerate(families):
        best = np.delete(by_family, i, axis=0).mean(axis=0).argmin()
        body.append([family, " + ".join(sets[best]), f"{by_family[i, best]:.3f}"])
    body.append(["mean", "", f"{np.mean([float(line[2]) for line in body]):.3f}"])
    return table(["left out", "chosen on the others", "mean error"], body)


def report(run):
    """All tables."""
    parts = []
    if run["simulated_performance"]:
        parts += ["### performance-simulated", simulated_table(run["simulated_performance"])]
    if run["performance_rows"]:
        rows = run["performance_rows"]
        parts += [family_tables(rows)]
        parts += ["### performance-labels", coverage_table(rows)]
        parts += ["### performance-left-out", left_out(rows)]
    return "\n\n".join(parts)


def main(argv=None):
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks performance",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--families", help="only these data sets, A,B; 'simulated' for shifts")
    parser.add_argument("--seeds", type=int, default=1, help="draws of rows of each pair")
    parser.add_argument("--pairs", type=int, help="most pairs of each data set")
    parser.add_argument("--consensus", action="store_true", help="its candidates as well (slow)")
    parser.add_argument("--draws", type=int, default=10, help="draws of each simulated shift")
    parser.add_argument("--rows", type=int, default=300, help="most rows of source and of target")
    parser.add_argument("--data", type=Path, default=DEFAULT, help="folder of the data sets")
    parser.add_argument("--read", type=Path, help="print the tables of an earlier run")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args(argv)
    if options.read:
        print(report(json.loads(options.read.read_text())))
        return
    families = options.families.split(",") if options.families else None
    run = {"conditions": conditions(rows=options.rows, seeds=options.seeds)}
    with threadpool_limits(1):
        run["simulated_performance"] = [
            simulated_row(shift, name, noise, seed)
            for shift in SHIFTS
            for noise in (0.0, 0.3)
            for name in MODELS
            for seed in range(options.draws)
            if not families or "simulated" in families
        ]
        run["performance_rows"] = []
        seen = Counter()
        for pair in find_pairs(options.data):
            if families and pair.family not in families:
                continue
            seen[pair.family, pair.kind] += 1
            if options.pairs and seen[pair.family, pair.kind] > options.pairs:
                continue
            for seed in range(options.seeds):
                start = time.perf_counter()
                row = pair_row(pair, options, seed)
                run["performance_rows"].append(row)
                shown = {name: round(value, 2) for name, value in row["estimates"].items()}
                seconds = time.perf_counter() - start
                if options.json:
                    options.json.write_text(json.dumps(run, indent=1))
                print(pair.key, round(row["truth"], 2), shown, f"{seconds:.0f} s", file=sys.stderr)
    if options.json:
        options.json.write_text(json.dumps(run, indent=1))
    print(report(run))


if __name__ == "__main__":
    main()
