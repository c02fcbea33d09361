"""Does a diagnosis name the right kind of shift, and none where there is none?

    python -m benchmarks diagnose --draws 100 --json diagnose.json
    python -m benchmarks diagnose --settings "label; no shift, split" --draws 20
    python -m benchmarks diagnose --settings "" --time
    python -m benchmarks diagnose --advice --json advice.json

Draws of the simulated shifts of ``skda.datasets``, at 2 x 500 rows with 30 labels of random target
rows: as they come, and with the noise of the published benchmark. "No shift" is the same without a
shift, and one domain split in two at random. Printed are the draws of each setting that were given
each kind. --time times one diagnosis of 2 x 10,000 rows with 50 features.

--advice follows the advice on the tasks of ``benchmarks selection``: the first estimator that it
names, with defaults, against the best candidate there, which all target labels choose. Once no
target row has a label, once 30 random ones have, for the diagnosis and for the methods that learn
from them. Scores are on the other target rows.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

from skda.datasets import (
    make_conditional_shift,
    make_covariate_shift,
    make_label_shift,
    make_subspace_shift,
)
from skda.inspection import diagnose

from . import _advice
from ._conditions import conditions
from ._data import DEFAULT
from ._markdown import table

N_ROWS, N_LABELS = 500, 30
SIZES = {"n_samples_source": N_ROWS, "n_samples_target": N_ROWS}


def _split_in_two(random_state):
    """The source of a conditional shift, taken twice."""
    X, y, ids = make_conditional_shift(2 * N_ROWS, 8, noise=0.8, random_state=random_state)
    half = np.random.default_rng(random_state).permutation(np.repeat([1, -2], N_ROWS))
    return X[ids > 0], y[ids > 0], half


# What makes the data, with which options, and the kind that is right.
SETTINGS = {
    "covariate": (make_covariate_shift, {}, "covariate"),
    "covariate, noise": (
        make_covariate_shift,
        {"noise": 0.6, "center": (-0.4, 3.0)},
        "covariate",
    ),
    "label": (make_label_shift, {}, "label"),
    "label, noise": (make_label_shift, {"noise": 0.8}, "label"),
    "conditional": (make_conditional_shift, {}, "conditional"),
    "conditional, noise": (make_conditional_shift, {"noise": 0.8}, "conditional"),
    "subspace": (make_subspace_shift, {}, "subspace"),
    "subspace, noise": (make_subspace_shift, {"noise": 0.4}, "subspace"),
    "no shift, gamma=0": (make_covariate_shift, {"gamma": 0.0}, "none"),
    "no shift, ratio=0.5": (make_label_shift, {"ratio": 0.5, "noise": 0.8}, "none"),
    "no shift, split": (None, {}, "none"),
}


def draw(setting, seed, *, n_labels=N_LABELS):
    """One draw of a setting; all but some target labels are missing."""
    make, options, _ = SETTINGS[setting]
    if make is None:
        X, y, ids = _split_in_two(seed)
    else:
        X, y, ids = make(**SIZES, **options, random_state=seed)
    y = y.astype(float)
    target = np.flatnonzero(ids < 0)
    y[np.random.default_rng(seed).permutation(target)[n_labels:]] = np.nan
    return X, y, ids


def kinds_of(setting, draws, *, n_labels=N_LABELS, first_seed=0):
    """How often each kind was named, and the mean seconds of one diagnosis."""
    counts, start = {}, time.perf_counter()
    for seed in range(first_seed, first_seed + draws):
        X, y, ids = draw(setting, seed, n_labels=n_labels)
        kind = diagnose(X, y, ids, random_state=seed).kind
        counts[kind] = counts.get(kind, 0) + 1
    return {
        "setting": setting,
        "right": SETTINGS[setting][2],
        "draws": draws,
        "kinds": counts,
        "seconds": (time.perf_counter() - start) / max(draws, 1),
    }


def seconds_of_large(n_rows=10_000, n_features=50):
    """Seconds of one diagnosis of two large domains, the target displaced a little."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2 * n_rows, n_features))
    X[n_rows:, :5] += 0.5
    y = (X[:, 0] + rng.normal(size=2 * n_rows) > 0).astype(float)
    ids = np.repeat([1, -2], n_rows)
    y[n_rows + 100 :] = np.nan
    start = time.perf_counter()
    diagnose(X, y, ids, random_state=0)
    return time.perf_counter() - start


def kind_table(rows):
    """By setting the draws that were named rightly, and what the others were taken for."""
    body = []
    for row in rows:
        right = row["kinds"].get(row["right"], 0)
        others = sorted(
            ((n, kind) for kind, n in row["kinds"].items() if kind != row["right"]), reverse=True
        )
        body.append(
            [
                row["setting"],
                f"{right} of {row['draws']}",
                ", ".join(f"{kind} {n}" for n, kind in others) or "–",
            ]
        )
    return table(["setting", "right", "taken for"], body)


def main(argv=None):
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks diagnose",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--settings", default=";".join(SETTINGS), help="separated by semicolons")
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--time", action="store_true", help="also time 2 x 10,000 rows")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    parser.add_argument("--advice", action="store_true", help="follow the advice on real tasks")
    parser.add_argument("--data", type=Path, default=DEFAULT, help="data of --advice")
    parser.add_argument("--seeds", type=int, default=2, help="draws of each task of --advice")
    options = parser.parse_args(argv)
    if options.advice:
        return _follow_advice(options)
    names = [name.strip() for name in options.settings.split(";") if name.strip()]
    unknown = [name for name in names if name not in SETTINGS]
    if unknown:
        parser.error(f"no such settings: {unknown}; there are {list(SETTINGS)}")
    rows = []
    for name in names:
        rows.append(kinds_of(name, options.draws, first_seed=options.first_seed))
        print(rows[-1], file=sys.stderr, flush=True)
        if options.json:  # a long run that is stopped keeps what it has
            run = {"diagnose_rows": rows, "conditions": conditions()}
            options.json.write_text(json.dumps(run, indent=1))
    if options.time:
        run = {"diagnose_rows": rows, "conditions": conditions(), "seconds": seconds_of_large()}
        print(f"2 x 10,000 x 50: {run['seconds']:.1f} s")
        if options.json:
            options.json.write_text(json.dumps(run, indent=1))
    print(kind_table(rows))


def _follow_advice(options):
    """Run the tasks of --advice and print both tables."""

    def say(rows):
        print(rows[-1], file=sys.stderr, flush=True)
        if options.json:  # a long run that is stopped keeps what it has
            run = {"advice_rows": rows, "conditions": conditions(), "seeds": options.seeds}
            options.json.write_text(json.dumps(run, indent=1))

    rows = _advice.run(options, say)
    print(_advice.summary(rows))
    print()
    print(_advice.task_table(rows))


if __name__ == "__main__":
    main()
