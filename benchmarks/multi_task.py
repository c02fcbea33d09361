"""Several tasks: exam scores of 139 schools, each a task, beside published figures.

    python -m benchmarks multi_task --json multi_task.json
    python -m benchmarks multi_task --splits 3 --methods "pooled;multi-task ridge"
    python -m benchmarks multi_task --read one.json two.json --json both.json

The protocol of Evgeniou & Pontil (2004): random splits with three quarters of the pupils of every
school to learn from, the percentage of explained variance on the others. Printed are the variance
explained over all pupils that were left out, and the mean over schools of that explained within
each, where knowing the school's level is worth nothing. Inputs are standardized by the rows to
learn from; penalties are chosen among these rows only.
"""

import argparse
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skda import MultiTaskNetRegressor, MultiTaskTransferRegressor

from ._conditions import conditions
from ._data import DEFAULT
from ._markdown import table
from .tasks import students

LEARNT = 0.75  # of the pupils of a school
# 1,800 steps of 64 pupils; fifty epochs, the default, take minutes a split.
NET = {"max_epochs": 10, "random_state": 0}
PENALTIES = np.logspace(-1, 5, 25)

# Explained variance (%) of the paper's Table 3 at C = 0.1, and of Bakker & Heskes (2003) as it is
# quoted there.
PUBLISHED = {
    "Evgeniou & Pontil 2004, μ = 0.5": "34.3 ± 0.3",
    "Evgeniou & Pontil 2004, μ = 2": "34.3 ± 0.4",
    "Evgeniou & Pontil 2004, μ = 10": "34.3 ± 0.3",
    "Evgeniou & Pontil 2004, each school alone (μ = 1000)": "11.9 ± 0.5",
    "Bakker & Heskes 2003": "29.5 ± 0.4",
}


class _EachSchool:
    """A ridge regression of each school, with a penalty of its own."""

    def fit(self, X, y, sample_domain):
        """Fit the models."""
        schools = np.unique(sample_domain)
        own = {s: sample_domain == s for s in schools}
        self.models = {s: RidgeCV(PENALTIES).fit(X[own[s]], y[own[s]]) for s in schools}
        return self

    def predict(self, X, sample_domain):
        """Predict with the model of the school."""
        y = np.empty(len(X))
        for s, model in self.models.items():
            y[sample_domain == s] = model.predict(X[sample_domain == s])
        return y


class _Pooled:
    """One ridge regression of all schools."""

    def fit(self, X, y, sample_domain):
        """Fit the model."""
        self.model = RidgeCV(PENALTIES).fit(X, y)
        return self

    def predict(self, X, sample_domain):
        """Predict whatever the school."""
        return self.model.predict(X)


class _Levels(_Pooled):
    """The mean score of a school."""

    def fit(self, X, y, sample_domain):
        """Take the means."""
        self.mean = {s: y[sample_domain == s].mean() for s in np.unique(sample_domain)}
        return self

    def predict(self, X, sample_domain):
        """Predict the mean."""
        return np.array([self.mean[s] for s in sample_domain])


class _OneHead:
    """The network with one head for all schools."""

    def fit(self, X, y, sample_domain):
        """Train the network."""
        self.net = MultiTaskNetRegressor(**NET)
        self.net.fit(X, y, sample_domain=np.zeros(len(X), dtype=int))
        return self

    def predict(self, X, sample_domain):
        """Predict whatever the school."""
        return self.net.predict(X)


METHODS = {
    "mean of the school": _Levels,
    "pooled ridge": _Pooled,
    "ridge of each school": _EachSchool,
    "multi-task ridge": MultiTaskTransferRegressor,
    'multi-task ridge, intercept="shared"': lambda: MultiTaskTransferRegressor(intercept="shared"),
    "multi-task ridge, alpha=1": lambda: MultiTaskTransferRegressor(alpha=1.0),
    "net, one head": _OneHead,
    "multi-task net": lambda: MultiTaskNetRegressor(**NET),
    'multi-task net, task_weighting="equal"': lambda: MultiTaskNetRegressor(
        task_weighting="equal", **NET
    ),
}


def split(school, seed):
    """Rows to learn from: three quarters of every school."""
    rng = np.random.default_rng(seed)
    learnt = np.zeros(len(school), dtype=bool)
    for s in np.unique(school):
        rows = rng.permutation(np.flatnonzero(school == s))
        learnt[rows[: round(LEARNT * len(rows))]] = True
    return learnt


def explained(y, predicted, school):
    """Percentage of the variance explained over all rows, and the mean of that in each school."""
    within = [_part(y[school == s], predicted[school == s]) for s in np.unique(school)]
    return 100.0 * _part(y, predicted), 100.0 * float(np.mean(within))


def _part(y, predicted):
    return float(1.0 - np.sum((y - predicted) ** 2) / np.sum((y - y.mean()) ** 2))


def run_split(X, y, school, seed, methods):
    """Figures of all methods on one split."""
    learnt = split(school, seed)
    Z = StandardScaler().fit(X[learnt]).transform(X)
    rows = []
    for name, make in methods.items():
        start = time.process_time()
        model = make().fit(Z[learnt], y[learnt], sample_domain=school[learnt])
        predicted = model.predict(Z[~learnt], sample_domain=school[~learnt])
        over_all, within = explained(y[~learnt], predicted, school[~learnt])
        found = {"method": name, "split": seed, "over_all": over_all, "within": within}
        found["seconds"] = time.process_time() - start
        for key in ("sharing_", "alpha_"):
            if hasattr(model, key):
                found[key] = float(getattr(model, key))
        rows.append(found)
    return rows


def school_table(rows):
    """One line per method: means and spreads over the splits, then the published figures."""
    names, body = list(dict.fromkeys(row["method"] for row in rows)), []
    for name in names:
        own = [row for row in rows if row["method"] == name]
        cells = [_mean_and_spread([row[key] for row in own]) for key in ("over_all", "within")]
        chosen = ""
        if "sharing_" in own[0]:
            sharing, alpha = (np.median([row[k] for row in own]) for k in ("sharing_", "alpha_"))
            chosen = f"{sharing:g}, {alpha:.3g}"
        seconds = np.mean([row["seconds"] for row in own])
        body.append([name, *cells, chosen, len(own), f"{seconds:.2g}"])
    body += [[f"*{name}*", value, "", "", "", ""] for name, value in PUBLISHED.items()]
    header = ["method", "all pupils", "within a school", "sharing, alpha", "splits", "seconds"]
    return table(header, body)


def _mean_and_spread(values):
    return f"{np.mean(values):.1f} ± {np.std(values):.1f}"


def joined(runs):
    """Rows of several runs; of a method and a split that stand twice the last."""
    found = {}
    for one in runs:
        found |= {(row["method"], row["split"]): row for row in one["school_rows"]}
    order = {name: i for i, name in enumerate(METHODS)}
    return sorted(found.values(), key=lambda row: (order[row["method"]], row["split"]))


def main(argv=None):
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks multi_task",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--splits", type=int, default=10, help="random splits")
    parser.add_argument("--methods", help="only methods whose names begin so, A;B")
    parser.add_argument("--data", type=Path, default=DEFAULT, help="folder of the data sets")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--read", nargs="+", type=Path, help="JSON of earlier runs; runs nothing")
    options = parser.parse_args(argv)
    if options.read:
        runs = [json.loads(path.read_text()) for path in options.read]
        figures = runs[0] | {"school_rows": joined(runs)}
    else:
        figures = {"conditions": conditions(), "school_rows": run(options)}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    print(school_table(figures["school_rows"]))


def run(options):
    """Figures of all splits."""
    if not (options.data / "school_ilea" / "school.mat").exists():
        raise SystemExit(f"school_ilea/school.mat is not in {options.data}")
    begins = tuple(options.methods.split(";")) if options.methods else ("",)
    methods = {name: make for name, make in METHODS.items() if name.startswith(begins)}
    X, y, school = students._load_schools(options.data, None)
    rows = []
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in range(options.splits):
            rows += run_split(X, y, school, seed, methods)
            print(f"split {seed}", file=sys.stderr, flush=True)
    return rows


if __name__ == "__main__":
    main()
