"""What does a guarded search gain from a few target labels, and how often does it harm?

    python -m benchmarks guarded --cache guarded --markdown guarded.md
    python -m benchmarks guarded --families heart,adult --cache guarded --draws 50

On each pair, every method that needs no target label stands as it comes between StandardScaler and
logistic regression, and is fitted once. Then labels of target rows are drawn many times, among rows
on which some candidate and source-only disagree, and GuardedSearchCV's rule decides on them: all
at once (as in ``fit``), or one by one (as in ``update``). Gains are accuracy points over
source-only on all target rows of the pair; a draw is harmed that loses more than a point.
"""

import argparse
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import sklearn
from threadpoolctl import threadpool_limits

from skda import TrainOnSource, make_domain_pipeline
from skda.model_selection import GuardedSearchCV
from skda.model_selection._evidence import Evidence

from . import defaults
from ._conditions import conditions
from ._data import DEFAULT
from ._markdown import signed, table
from ._pairs import CLASSIFICATION, draw, find_pairs

SIZES = (5, 10, 25, 50)  # labels
HARM = 0.01
WAYS = ("at once", "one by one")
ONE_BY_ONE_EVERY = 4  # draws: fifty looks take some twenty times as long as one


def search_of(seed):
    """All methods that need no target label, behind a scaler, and source-only."""
    methods = defaults.find_estimators()
    learner = defaults.LEARNERS["linear"][CLASSIFICATION]
    candidates = {}
    for variant in defaults.default_variants(methods):
        method = methods[variant.estimator]()
        label_free = not variant.params and not defaults.reads_target_labels(method)
        if label_free and defaults.suits(method, CLASSIFICATION):
            model = defaults.build(variant, CLASSIFICATION, seed, learner)[1]
            if hasattr(model, "predict_proba"):  # for the label-free scores
                candidates[variant.name] = model
    scaler = TrainOnSource(sklearn.preprocessing.StandardScaler())
    plain = make_domain_pipeline(scaler, TrainOnSource(learner))
    return GuardedSearchCV(candidates, source_only=plain)


def predictions(pair, data, *, rows, seed):
    """Predicted and true classes of the target rows, source-only first, and label-free ranks."""
    X, y, sample_domain = draw(pair, data, rows=rows, seed=seed)
    target = sample_domain < 0
    hidden = np.where(target, np.nan, y)
    routing = sklearn.config_context(enable_metadata_routing=True)
    with routing, threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of solvers that stop early and of failed candidates
        search = search_of(seed).fit(X, hidden, sample_domain=sample_domain)
        ids = sample_domain[target]
        preds = [m.predict(X[target], sample_domain=ids) for m in search.estimators_.values()]
    names, rank = list(search.estimators_), search.results_["rank"]
    return {"names": names, "preds": np.array(preds), "y": y[target], "rank": rank}


def cached(pair, options, seed):
    """The predictions, from a file where an earlier run has left one."""
    if options.cache is None:
        return predictions(pair, options.data, rows=options.rows, seed=seed)
    options.cache.mkdir(parents=True, exist_ok=True)
    name = "".join(c if c.isalnum() else "_" for c in pair.key)
    path = options.cache / f"{name}_{seed}.npz"
    if not path.exists():
        np.savez(path, **predictions(pair, options.data, rows=options.rows, seed=seed))
    with np.load(path) as found:
        return {key: found[key] for key in found.files}


def new_evidence(preds, y, rank, alpha):
    """Evidence without labels."""
    return Evidence(
        CLASSIFICATION,
        alpha,
        1 - alpha,
        scale=(preds[1:] != preds[0]).mean(axis=1),
        can_tie=len(np.unique(y)) > 2,
        prior=-rank[1:],
    )


def outcomes_of(preds, y):
    """+1, 0 or -1 of each candidate (row) on each target row; NaN where it agrees."""
    right = preds == y
    outcomes = right[1:].astype(float) - right[0]
    outcomes[preds[1:] == preds[0]] = np.nan
    return outcomes


def gains_of_draws(found, options):
    """Gain of each way (by label count) in each draw of labels, and the oracle's."""
    preds, y, rank = (np.asarray(found[name]) for name in ("preds", "y", "rank"))
    y = y.astype(preds.dtype)
    accuracy = (preds == y).mean(axis=1)
    outcomes = outcomes_of(preds, y)
    differ = np.flatnonzero(~np.isnan(outcomes).all(axis=0))
    rng = np.random.default_rng(0)
    gains = {(way, n): [] for way in WAYS for n in SIZES}
    for i in range(options.draws):
        order = rng.permutation(differ)
        for n in SIZES:
            evidence = new_evidence(preds, y, rank, options.alpha)
            at = order[:n]
            evidence.add_fit(outcomes[:, at], preds[1:, at], preds[0, at])
            gains["at once", n].append(gain_of(evidence, accuracy))
        if i % ONE_BY_ONE_EVERY:
            continue
        for n, evidence in one_by_one(
            new_evidence(preds, y, rank, options.alpha), outcomes, preds, order
        ):
            gains["one by one", n].append(gain_of(evidence, accuracy))
    return {key: np.array(values) for key, values in gains.items()}, accuracy.max() - accuracy[0]


def one_by_one(evidence, outcomes, preds, order):
    """Add labels one at a time, of rows on which a candidate that was not given up disagrees."""
    left = list(order)
    for n in range(1, max(SIZES) + 1):
        tells = ~np.isnan(outcomes[~evidence.given_up]).all(axis=0)
        at = next((i for i, row in enumerate(left) if tells[row]), None)
        if at is not None:
            rows = [left.pop(at)]
            evidence.add_update(outcomes[:, rows], preds[1:, rows], preds[0, rows])
        if n in SIZES:
            yield n, evidence


def gain_of(evidence, accuracy):
    """True gain of what the evidence chooses."""
    return 0.0 if evidence.best is None else accuracy[evidence.best + 1] - accuracy[0]


def report(rows):
    """Tables in Markdown: each pair, means over pairs and over families, harm."""
    keys = [(way, n) for way in WAYS for n in SIZES]
    head = ["pair", "best", *(f"{n} {way}" for way, n in keys), "most harmed, %"]
    body = [
        [row["pair"], signed(row["best"]), *(signed(g) for g in row["gains"]), f"{row['harm']:.1f}"]
        for row in rows
    ]
    values = np.array([[row["best"], *row["gains"]] for row in rows])
    families = np.array([row["family"] for row in rows])
    by_family = np.array([values[families == f].mean(axis=0) for f in np.unique(families)])
    worst = max(row["harm"] for row in rows)
    for name, means in (("mean of pairs", values), ("mean of families", by_family)):
        means = means.mean(axis=0)
        body.append([name, *(signed(v) for v in means), f"{worst:.1f}"])
        body.append(
            [f"{name}, % of best", "", *(f"{100 * v / means[0]:.0f}" for v in means[1:]), ""]
        )
    return table(head, body)


def main(argv=None):
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks guarded",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--families", help="only these data sets, A,B")
    parser.add_argument("--seeds", type=int, default=1, help="draws of rows of each pair")
    parser.add_argument("--draws", type=int, default=200, help="draws of labels of each of them")
    parser.add_argument("--rows", type=int, default=400, help="most rows of source and of target")
    parser.add_argument("--alpha", type=float, default=0.1)
    parser.add_argument("--data", type=Path, default=DEFAULT, help="folder of the data sets")
    parser.add_argument("--cache", type=Path, help="folder that keeps the predictions")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--markdown", type=Path, help="write the table to this file")
    options = parser.parse_args(argv)
    families = options.families.split(",") if options.families else None
    rows = []
    for pair in find_pairs(options.data):
        if pair.kind != CLASSIFICATION or (families and pair.family not in families):
            continue
        for seed in range(options.seeds):
            gains, best = gains_of_draws(cached(pair, options, seed), options)
            harm = max((100 * (values < -HARM).mean() for values in gains.values()), default=0.0)
            name = pair.key if options.seeds == 1 else f"{pair.key}, draw {seed}"
            means = [100 * float(values.mean()) for values in gains.values()]
            rows.append(
                {
                    "pair": name,
                    "family": pair.family,
                    "best": 100 * float(best),
                    "gains": means,
                    "harm": float(harm),
                }
            )
            print(name, f"{100 * best:.1f}", np.round(means, 1), file=sys.stderr, flush=True)
    if not rows:
        raise SystemExit("no pair has all of these")
    text = report(rows)
    print(text)
    if options.markdown:
        options.markdown.write_text(text)
    if options.json:
        figures = {"conditions": conditions(), "draws": options.draws, "guarded_rows": rows}
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
