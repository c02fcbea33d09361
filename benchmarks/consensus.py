"""What does it cost not to choose? Rules that combine candidates, on pairs of the shared data.

    python -m benchmarks consensus --json consensus.json
    python -m benchmarks consensus --families heart,music --seeds 1 --learner forest
    python -m benchmarks consensus --read consensus.json

On each draw of a pair the candidates of ``default_candidates`` are fitted once, as they come,
without target labels. Then each rule says what a row of the target is, by choosing a candidate or
by combining all. Printed are accuracy points over the source-only model: means over seeds per task,
over tasks, and over families, the worst task, and how many tasks lose or gain more than a point.

With labels: so many target rows are drawn, 200 times, and the consensus is kept only if the sign
test at 0.1 decides for it (AutoAdaptClassifier). Half of the labels may lie where both agree: they
are drawn from all rows, or, "where they differ", from those on which the two disagree.
"""

import argparse
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import sklearn
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skda import ConsensusClassifier, datasets
from skda._numerics._paired_tests import sign_test
from skda.metrics import ImportanceWeightedScorer, InformationMaximizationScorer

from ._conditions import conditions
from ._data import DEFAULT
from ._markdown import signed, table
from ._pairs import CLASSIFICATION, Pair, draw, find_pairs

ORACLE, SOURCE = "best candidate (oracle)", "source only"
DEFAULT_RULE = "consensus, check of need (default)"
N_DRAWS, ALPHA = 200, 0.1
LABELS = (5, 10, 25)
POINT = 1.0
SIMULATION = "simulated"

LEARNERS = {
    "linear": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    "forest": RandomForestClassifier(100, min_samples_leaf=2, random_state=0),
}


def simulated(name, make, **options):
    """A pair of one simulated shift; its draws are new rows."""

    def read(seed):
        return make(160, 160, task="binary", random_state=seed, **options)

    return Pair(f"{SIMULATION} {name}", name, CLASSIFICATION, None, read)


SIMULATED = (
    simulated("covariate shift", datasets.make_covariate_shift, noise=0.6),
    simulated("label shift", datasets.make_label_shift, noise=0.8),
    simulated("conditional shift", datasets.make_conditional_shift, noise=0.8),
    simulated("subspace shift", datasets.make_subspace_shift, noise=0.4),
)


def rows_of(pair, seed, options):
    """Rows of one draw."""
    # By name: in a worker the pair is a copy.
    if pair.family.startswith(SIMULATION):
        return pair.read(seed)
    return draw(pair, options.data, rows=options.rows, seed=seed)


def measure(pair, seed, options):
    """Accuracy of each candidate and each rule on one draw, in points over source-only."""
    X, y, ids = rows_of(pair, seed, options)
    hidden = np.where(ids < 0, -1, y.astype(int))
    target = ids < 0
    start = time.perf_counter()
    with (
        sklearn.config_context(enable_metadata_routing=True),
        threadpool_limits(1),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        model = ConsensusClassifier(estimator=clone(LEARNERS[options.learner]))
        model.fit(X, hidden, sample_domain=ids)
        reader = model._reader()
        read = [reader(one, X[target], ids[target]) for one in model.estimators_.values()]
        chosen = chosen_by_scorers(model, X, hidden, ids)
    seconds = time.perf_counter() - start
    truth = y[target]
    labels = {
        name: model.classes_[p.argmax(axis=1)]
        for name, p in zip(model.estimators_, read, strict=True)
    }
    rules = {name: labels[choice] for name, choice in chosen.items()}
    rules |= combined(model, read)
    accuracy = {name: 100 * np.mean(of == truth) for name, of in (labels | rules).items()}
    gains = {name: accuracy[name] - accuracy[SOURCE] for name in accuracy}
    gains[ORACLE] = max(gains[name] for name in labels)
    free = rules["consensus"]
    tested = {
        f"{n} labels{where}": guarded(free, labels[SOURCE], truth, n, bool(where), seed)
        for n in LABELS
        for where in ("", " where they differ")
    }
    return {
        "family": pair.family,
        "task": pair.name,
        "seed": seed,
        "seconds": seconds,
        "reverse_ratio": model.reverse_ratio_,
        "disagreement": float(np.mean(free != labels[SOURCE])),
        "prior_shift": prior_shift(y[~target], truth),
        "candidates": {name: gains[name] for name in labels},
        "rules": {name: gains[name] for name in [ORACLE, *rules]},
        "tested": tested,
    }


def combined(model, read):
    """What each way of combining says, from one fit."""
    ways = {
        "vote": {"combine": "vote"},
        "mean of probabilities": {"combine": "mean"},
        "geometric mean": {"combine": "geometric"},
        "consensus": {},
        "consensus, caution 0.5": {"caution": 0.5},
        "consensus, caution 0.6": {"caution": 0.6},
        "consensus, caution 0.7": {"caution": 0.7},
    }
    found = {}
    for name, params in ways.items():
        model.set_params(combine="consensus", caution=0.0).set_params(**params)
        found[name] = model._predicted(model._by_rule(read))
    model.set_params(combine="consensus", caution=0.0)
    found[DEFAULT_RULE] = model._predicted(model._combined(read))
    return found


def chosen_by_scorers(model, X, y, ids):
    """The candidate that each scorer puts first, on the rows of the fit."""
    found = {}
    for name, scorer in (
        ("pick by information", InformationMaximizationScorer()),
        ("pick by importance-weighted score", ImportanceWeightedScorer()),
    ):
        scores = {}
        for candidate, fitted in model.estimators_.items():
            try:
                scores[candidate] = scorer(fitted, X, y, sample_domain=ids)
            except ValueError:  # a scorer that cannot be given this candidate does not choose it
                scores[candidate] = -np.inf
        found[name] = max(scores, key=scores.get)
    return found


def guarded(adapted, plain, truth, n_labels, where_they_differ, seed):
    """Mean gain, and how often it loses more than a point, over draws of labels."""
    rng = np.random.default_rng(seed)
    better, worse = (adapted == truth) & (plain != truth), (adapted != truth) & (plain == truth)
    gain = 100 * (better.mean() - worse.mean())
    rows = np.flatnonzero(adapted != plain) if where_they_differ else np.arange(len(truth))
    gains = []
    for _ in range(N_DRAWS):
        known = rng.permutation(rows)[:n_labels]
        pvalue = sign_test(int(better[known].sum()), int(worse[known].sum()))
        gains.append(gain if pvalue <= ALPHA else 0.0)
    return {"gain": float(np.mean(gains)), "harmed": float(np.mean(np.array(gains) < -POINT))}


def prior_shift(y_source, y_target):
    """Total variation between the proportions of the classes."""
    classes = np.unique(np.concatenate([y_source, y_target]))
    of = [np.array([np.mean(y == label) for label in classes]) for y in (y_source, y_target)]
    return float(np.abs(of[0] - of[1]).sum() / 2)


# Tables


def by_task(rows, part):
    """Mean over seeds of each entry of a part, by (family, task)."""
    found = {}
    for row in rows:
        found.setdefault((row["family"], row["task"]), []).append(row[part])
    return {
        task: {name: float(np.mean([of[name] for of in seeds])) for name in seeds[0]}
        for task, seeds in found.items()
    }


def over_families(values):
    """Mean over families of the means over their tasks, from values by (family, task)."""
    families = {}
    for (family, _), value in values.items():
        families.setdefault(family, []).append(value)
    return float(np.mean([np.mean(of) for of in families.values()]))


def rule_table(rows):
    """What each rule gains."""
    tasks = by_task(rows, "rules")
    body = []
    for name in next(iter(tasks.values())):
        values = {task: of[name] for task, of in tasks.items()}
        gains = np.array(list(values.values()))
        body.append(
            [
                name,
                signed(gains.mean()),
                signed(over_families(values)),
                signed(gains.min()),
                f"{(gains < -POINT).sum()} / {(gains > POINT).sum()}",
            ]
        )
    body[1:] = sorted(body[1:], key=lambda line: float(line[1].replace("−", "-")))
    header = ["rule", "mean gain", "by family", "worst task", "harmed / helped"]
    return table(header, body)


def label_table(rows):
    """What the consensus gains when it is kept only if a test on labels decides for it."""
    body = []
    for name in rows[0]["tested"]:
        gains = by_task([row | {"of": row["tested"][name]} for row in rows], "of")
        values = {task: of["gain"] for task, of in gains.items()}
        most = max(of["harmed"] for of in gains.values())
        body.append(
            [
                name,
                signed(np.mean(list(values.values()))),
                signed(over_families(values)),
                signed(min(values.values())),
                f"{100 * most:.0f} %",
            ]
        )
    header = ["labels", "mean gain", "by family", "worst task", "most draws harmed in a task"]
    return table(header, body)


def family_table(rows):
    """The default rule and the oracle, by family."""
    tasks = by_task(rows, "rules")
    facts = by_task(
        [{**row, "of": {k: row[k] for k in ("reverse_ratio", "prior_shift")}} for row in rows], "of"
    )
    families = {}
    for task in tasks:
        families.setdefault(task[0], []).append(task)
    body = []
    for family, of in families.items():
        mean = {name: np.mean([tasks[task][name] for task in of]) for name in tasks[of[0]]}
        body.append(
            [
                family,
                str(len(of)),
                signed(mean[ORACLE]),
                signed(mean["consensus"]),
                signed(mean[DEFAULT_RULE]),
                signed(min(tasks[task][DEFAULT_RULE] for task in of)),
                f"{np.mean([facts[task]['prior_shift'] for task in of]):.2f}",
            ]
        )
    header = ["family", "tasks", "oracle", "consensus", "default", "worst", "prior shift"]
    return table(header, body)


def harmed(rows):
    """The tasks that the default harms, in words."""
    found = [
        f"{family} {task} {signed(of[DEFAULT_RULE])}"
        for (family, task), of in by_task(rows, "rules").items()
        if of[DEFAULT_RULE] < -POINT
    ]
    return "Harmed by the default: " + (", ".join(found) or "none") + "."


def report(rows):
    """All tables in Markdown."""
    return "\n\n".join([rule_table(rows), label_table(rows), family_table(rows), harmed(rows)])


def main(argv=None):
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks consensus",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--families", help="only these data sets, A,B")
    parser.add_argument("--seeds", type=int, default=2, help="draws of each pair")
    parser.add_argument("--rows", type=int, default=400, help="most rows of source and of target")
    parser.add_argument("--learner", choices=LEARNERS, default="linear")
    parser.add_argument("--jobs", type=int, choices=[1, 2], default=2, help="processes")
    parser.add_argument("--data", type=Path, default=DEFAULT, help="folder of the data sets")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--read", nargs="+", type=Path, help="JSON of earlier runs; runs nothing")
    options = parser.parse_args(argv)
    if options.read:
        rows = [
            row for path in options.read for row in json.loads(path.read_text())["consensus_rows"]
        ]
    else:
        families = options.families.split(",") if options.families else None
        pairs = [p for p in find_pairs(options.data) if p.kind == CLASSIFICATION] + [*SIMULATED]
        pairs = [p for p in pairs if families is None or p.family in families]
        rows, jobs = [], [(pair, seed) for seed in range(options.seeds) for pair in pairs]
        done = Parallel(n_jobs=options.jobs, return_as="generator_unordered", batch_size=1)(
            delayed(measure)(pair, seed, options) for pair, seed in jobs
        )
        for row in done:
            rows.append(row)
            print(f"{len(rows)}/{len(jobs)} {row['family']} {row['task']}", file=sys.stderr)
            if options.json:
                figures = {
                    "conditions": conditions(),
                    "seeds": options.seeds,
                    "learner": options.learner,
                    "consensus_rows": rows,
                }
                options.json.write_text(json.dumps(figures, indent=1))
    print(report(rows))


if __name__ == "__main__":
    main()
