"""What following the advice of a diagnosis gains, on the tasks of ``benchmarks selection``."""

import re
import warnings

import numpy as np
import sklearn
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

import skda
from skda.inspection import diagnose

from . import selection
from ._markdown import signed, table
from .defaults import find_estimators, role

N_LABELS = 30
POINT = 0.5  # a task counts as harmed from here


def advised(advice):
    """Names of the estimators that an advice names, in its order."""
    known = find_estimators(deep=True) | {"ImportanceWeightedEstimator": None}
    known |= {name: None for name in ("AutoAdaptClassifier", "AutoAdaptRegressor")}
    return [word for word in re.findall(r"[A-Za-z]\w+", advice) if word in known]


def follow(advice, classifier, first):
    """The model that the first estimator of an advice makes, with defaults; None: do nothing.

    A map stands before the classifier, a weighter weighs its rows, a method that takes an estimator
    is put around it, and one that is a model of its own takes its place.
    """
    names = advised(advice)
    if not names:
        return None
    made = getattr(skda, names[0])
    if names[0] == "ImportanceWeightedEstimator":
        last = made(classifier, getattr(skda, names[1])())
        return skda.make_domain_pipeline(*first, last)
    if "estimator" in made().get_params():
        return made(estimator=make_pipeline(*first, classifier))
    if role(made()) == "transformer":
        return skda.make_domain_pipeline(*first, made(), classifier)
    return skda.make_domain_pipeline(*first, made())


def measure(name, options, seed):
    """Accuracy of the source-only model, the best candidate and the advised models on one draw."""
    X, y, ids, classifier, first = selection.TASKS[name](options.data, seed)
    target = np.flatnonzero(ids < 0)
    labeled = np.random.default_rng(seed).permutation(target)[:N_LABELS]
    rows = np.setdiff1d(target, labeled)
    hidden = np.where(ids < 0, -1, y.astype(int))
    shown = hidden.copy()
    shown[labeled] = y[labeled].astype(int)

    def accuracy(model, labels):
        fitted = clone(model).fit(X, labels, sample_domain=ids)
        return 100 * float(np.mean(fitted.predict(X[rows], sample_domain=ids[rows]) == y[rows]))

    found = {"task": name, "seed": seed}
    with (
        sklearn.config_context(enable_metadata_routing=True),
        threadpool_limits(1),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        models = selection.candidates(classifier, first, X.shape[1])
        each = {key: accuracy(model, hidden) for key, model in models.items()}
        plain = each["source only"]
        both = np.union1d(np.flatnonzero(ids >= 0), labeled)
        pooled = make_pipeline(*first, classifier).fit(X[both], shown[both])
        found["source"], found["oracle"] = plain, max(each.values()) - plain
        found["pooled"] = 100 * float(np.mean(pooled.predict(X[rows]) == y[rows])) - plain
        for key, labels in (("unlabeled", hidden), ("labeled", shown)):
            report = diagnose(X, labels, ids, random_state=seed)
            model = follow(report["KIND"].advice, classifier, first)
            gain = 0.0 if model is None else accuracy(model, labels) - plain
            words = (advised(report["KIND"].advice) or ["nothing"])[0]
            found[key] = {"kind": report.kind, "advised": words, "gain": gain}
    return found


def run(options, say):
    """Rows of all tasks and draws whose files are there."""
    rows = []
    for name in selection.TASKS:
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            try:
                rows.append(measure(name, options, seed))
            except FileNotFoundError:
                continue
            say(rows)
    return rows


def summary(rows):
    """Mean gain, worst task, tasks harmed and share of the oracle's gain of each way."""
    tasks = list(dict.fromkeys(row["task"] for row in rows))

    def by_task(read):
        return np.array(
            [np.mean([read(row) for row in rows if row["task"] == task]) for task in tasks]
        )

    ways = {
        "best candidate (oracle)": lambda row: row["oracle"],
        "advised, no target labels": lambda row: row["unlabeled"]["gain"],
        f"advised, {N_LABELS} target labels": lambda row: row["labeled"]["gain"],
        f"plain model, trained with {N_LABELS} target labels": lambda row: row["pooled"],
    }
    gains = {name: by_task(read) for name, read in ways.items()}
    oracle = gains["best candidate (oracle)"]
    body = [
        [
            name,
            signed(of.mean()),
            signed(of.min()),
            f"{(of < -POINT).sum()} / {(of > POINT).sum()}",
            f"{100 * of.sum() / oracle.sum():.0f} %",
            f"{100 * np.minimum(of, oracle).sum() / oracle.sum():.0f} %",
        ]
        for name, of in gains.items()
    ]
    header = ["way", "mean gain", "worst task", "harmed / helped", "share", "share, capped"]
    return table(header, body)


def task_table(rows):
    """What was advised on each task, and its gain beside the oracle's."""
    body = []
    for task in dict.fromkeys(row["task"] for row in rows):
        own = [row for row in rows if row["task"] == task]
        cells = [task, signed(np.mean([row["oracle"] for row in own]))]
        for key in ("unlabeled", "labeled"):
            named = ", ".join(dict.fromkeys(row[key]["advised"] for row in own))
            cells += [signed(np.mean([row[key]["gain"] for row in own])), named]
        body.append([*cells, signed(np.mean([row["pooled"] for row in own]))])
    header = ["task", "oracle", "no labels", "advised", f"{N_LABELS} labels", "advised"]
    return table([*header, "plain model with these labels"], body)
