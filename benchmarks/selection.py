"""How well do label-free scorers choose? ``python -m benchmarks.selection [tasks] [--data DIR]``.

Every candidate (methods x strengths, and the source-only model) is cross-validated on source and
target rows without target labels, under every scorer. Then the target labels are looked at: a
scorer is as good as the accuracy of the candidate that it chose.

Printed per task and scorer: the Spearman correlation of the scores with target accuracy over the
candidates; the regret, target accuracy lost against the best candidate; and the gain, target
accuracy won against never adapting. All in accuracy points.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import sklearn
from scipy.io import loadmat
from scipy.stats import rankdata, spearmanr
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_validate
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import skda
from skda import datasets, make_domain_pipeline, metrics
from skda.model_selection import DomainStratifiedKFold

from ._data import DEFAULT

TRUTH = "target accuracy"
SCORERS = {
    "source": metrics.SourceScorer(),
    "importance weighted": metrics.ImportanceWeightedScorer(),
    "DEV": metrics.DEVScorer(),
    "entropy": metrics.PredictionEntropyScorer(),
    "information": metrics.InformationMaximizationScorer(),
    "nuclear norm": metrics.BatchNuclearNormScorer(),
    "neighborhood": metrics.SoftNeighborhoodDensityScorer(),
    "clusters, AMI": metrics.ClassClusterScorer(),
    "clusters, silhouette": metrics.ClassClusterScorer("silhouette"),
    "MixVal": metrics.MixValScorer(),
    "circular": metrics.CircularValidationScorer(),
    TRUTH: metrics.LabeledTargetScorer(),
}
# The candidate with the best mean rank under these, which look at different things.
TOGETHER = ("DEV", "information", "clusters, AMI", "circular")
NEVER = "never adapt"

# ---------------------------------------------------------------------------------------------
# Candidates
# ---------------------------------------------------------------------------------------------


def candidates(classifier, first, n_features):
    """Return pipelines by name: source-only, and each method at several strengths."""

    def pipe(*adapt, last=classifier):
        return make_domain_pipeline(*first, *adapt, last)

    found = {"source only": pipe()}
    for strength in (0.25, 0.5, 0.75, 1.0):
        for reg in (1e-2, 1.0):
            found[f"CORAL {strength} {reg}"] = pipe(
                skda.CORALTransformer(strength=strength, reg=reg)
            )
    for strength in (0.5, 1.0):
        found[f"linear transport {strength}"] = pipe(
            skda.LinearTransportTransformer(strength=strength, reg=1e-2)
        )
    for reg in (None, 0.05, 0.5):
        found[f"optimal transport {reg}"] = pipe(skda.OptimalTransportTransformer(reg=reg))
    found["optimal transport, classes"] = pipe(
        skda.OptimalTransportTransformer(reg=0.05, class_reg=0.1)
    )
    found["domain scaler"] = pipe(skda.DomainScaler())
    for k in (1,) if n_features <= 2 else (2, 5) if n_features <= 10 else (5, 15, 30):
        found[f"subspace alignment {k}"] = lambda k=k: pipe(
            skda.SubspaceAlignmentTransformer(n_components=k)
        )
        found[f"TCA {k}"] = lambda k=k: pipe(skda.TCATransformer(n_components=k))
    for name, weighter in (
        ("KMM", lambda: skda.KMMWeighter(reg=0.0)),
        ("RuLSIF", lambda: skda.RuLSIFWeighter()),
        ("domain classifier", lambda: skda.DomainClassifierWeighter()),
    ):
        found[f"weights, {name}"] = lambda weighter=weighter: pipe(
            last=skda.ImportanceWeightedEstimator(classifier, weighter())
        )
    return {name: make() if callable(make) else make for name, make in found.items()}


# ---------------------------------------------------------------------------------------------
# Tasks: (X, y, sample_domain) with all labels, the classifier, and steps before the adaptation
# ---------------------------------------------------------------------------------------------

LOGISTIC = LogisticRegression(max_iter=1000)


def simulated(make, **options):
    """Return a loader of one simulated shift."""

    def load(data, seed):
        X, y, sample_domain = make(160, 160, task="binary", random_state=seed, **options)
        forest = RandomForestClassifier(50, min_samples_leaf=5, random_state=seed)
        return X, y, sample_domain, forest, ()

    return load


def heart(source, target):
    """Return a loader of two hospitals; -9 and ? are missing, the median is filled in."""

    def load(data, seed):
        rows = []
        for name in (source, target):
            path = data / "uci_heart_disease" / f"processed.{name}.data"
            rows.append(np.genfromtxt(path, delimiter=",", missing_values="?"))
        X = [r[:, :10] for r in rows]
        y = [(r[:, 13] > 0).astype(int) for r in rows]
        fill = np.nanmedian(X[0], axis=0)
        X = [np.where(np.isnan(x), fill, x) for x in X]
        return *skda.stack_domains(X[0], y[0], X[1], y[1]), LOGISTIC, (StandardScaler(),)

    return load


def mushrooms(source, target):
    """Return a loader of mushrooms with one shape of stalk and with the other, 600 of each."""

    def load(data, seed):
        path = data / "mushrooms" / "agaricus-lepiota.data"
        table = np.genfromtxt(path, delimiter=",", dtype=str, skip_header=1, autostrip=True)
        y, shape = (table[:, 0] == "p").astype(int), table[:, 10]
        Z = OneHotEncoder(sparse_output=False).fit_transform(table[:, 1:])
        rng = np.random.default_rng(seed)
        a, b = (
            rng.choice(np.flatnonzero(shape == s), 600, replace=False) for s in (source, target)
        )
        return *skda.stack_domains(Z[a], y[a], Z[b], y[b]), LOGISTIC, ()

    return load


def digits(source, target):
    """Return a loader of handwritten digits of two collections, 600 of each, 256 pixels."""

    def load(data, seed):
        found = np.load(data / "mnist_usps" / "mnist_usps.npz")
        rng, parts = np.random.default_rng(seed), []
        for name in (source, target):
            X, y = found[f"X_{name}"], found[f"y_{name}"].ravel().astype(int)
            rows = rng.choice(len(X), 600, replace=False)
            X = X[rows] / np.linalg.norm(X[rows], axis=1, keepdims=True)
            parts += [X, y[rows]]
        return *skda.stack_domains(*parts), LogisticRegression(C=30, max_iter=1000), (PCA(40),)

    return load


def office(source, target):
    """Return a loader of SURF features of two collections, rows to unit sum, z-scored each."""
    files = {"A": "amazon_SURF_L10.mat", "C": "Caltech10_SURF_L10.mat"}

    def load(data, seed):
        parts = []
        for name in (source, target):
            found = loadmat(data / "office_caltech10_surf" / files[name])
            X = found["fts"].astype(float)
            X /= X.sum(axis=1, keepdims=True)
            parts += [StandardScaler().fit_transform(X), found["labels"].ravel().astype(int)]
        steps = (PCA(40, random_state=0), StandardScaler())
        return *skda.stack_domains(*parts), LogisticRegression(C=0.1, max_iter=1000), steps

    return load


TASKS = {
    "covariate shift": simulated(datasets.make_covariate_shift, noise=0.6),
    "label shift": simulated(datasets.make_label_shift, noise=0.8),
    "conditional shift": simulated(datasets.make_conditional_shift, noise=0.8),
    "subspace shift": simulated(datasets.make_subspace_shift, noise=0.4),
    "heart: Cleveland to Hungary": heart("cleveland", "hungarian"),
    "heart: Cleveland to VA": heart("cleveland", "va"),
    "heart: Hungary to Switzerland": heart("hungarian", "switzerland"),
    "mushrooms: enlarging to tapering": mushrooms("e", "t"),
    "mushrooms: tapering to enlarging": mushrooms("t", "e"),
    "digits: USPS to MNIST": digits("usps", "mnist"),
    "digits: MNIST to USPS": digits("mnist", "usps"),
    "office: Caltech to Amazon": office("C", "A"),
    "office: Amazon to Caltech": office("A", "C"),
}

# ---------------------------------------------------------------------------------------------
# The study
# ---------------------------------------------------------------------------------------------


def study(X, y, sample_domain, models, *, seed, n_splits=3):
    """Return the mean score of each candidate (row) under each scorer (column)."""
    cv = DomainStratifiedKFold(n_splits, shuffle=True, random_state=seed)
    scores = np.full((len(models), len(SCORERS)), np.nan)
    with sklearn.config_context(enable_metadata_routing=True), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # solvers that stop early, on purpose, in weak candidates
        for i, model in enumerate(models.values()):
            found = cross_validate(
                model,
                X,
                y,
                scoring=SCORERS,
                cv=cv,
                params={"sample_domain": sample_domain},
                error_score="raise",
            )
            scores[i] = [found[f"test_{name}"].mean() for name in SCORERS]
    return scores


def judge(scores):
    """Return correlation, regret and gain of each scorer; the first candidate does not adapt."""
    truth = scores[:, -1]
    columns = dict(zip(SCORERS, scores.T, strict=True))
    columns["mean rank of four"] = sum(rankdata(columns[name]) for name in TOGETHER)
    columns[NEVER] = np.zeros(len(truth))  # a tie goes to the first, which does not adapt
    rows = {}
    for name, column in columns.items():
        chosen = truth[np.argmax(column)]
        constant = np.ptp(column) == 0 or np.ptp(truth) == 0
        rho = 0.0 if constant else spearmanr(column, truth)[0]
        rows[name] = (rho, 100 * (truth.max() - chosen), 100 * (chosen - truth[0]))
    return rows


def main(argv=None):
    """Run the tasks that are named, or all, and print the tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="*", help="parts of task names; none: all")
    parser.add_argument("--data", type=Path, default=DEFAULT)
    parser.add_argument("--seeds", type=int, default=2, help="number of draws and splits per task")
    parser.add_argument("--candidates", action="store_true", help="print each candidate's accuracy")
    options = parser.parse_args(argv)
    judged = {}
    for name, load in TASKS.items():
        if options.tasks and not any(part in name for part in options.tasks):
            continue
        start, found = time.perf_counter(), []
        for seed in range(options.seeds):
            try:
                X, y, sample_domain, classifier, first = load(options.data, seed)
            except FileNotFoundError as error:
                print(f"{name}: skipped, {error.filename} is not there", flush=True)
                break
            models = candidates(classifier, first, X.shape[1])
            scores = study(X, y, sample_domain, models, seed=seed)
            found.append(judge(scores))
            if options.candidates:
                for model, row in zip(models, scores, strict=True):
                    print(f"    {model:30s} {100 * row[-1]:5.1f}")
        if not found:
            continue
        judged[name] = {s: np.mean([f[s] for f in found], axis=0) for s in found[0]}
        best = judged[name][TRUTH]
        print(
            f"\n{name}: {len(models)} candidates, best {best[2]:+.1f} points over source-only, "
            f"{time.perf_counter() - start:.0f} s\n",
            flush=True,
        )
        print_table(judged[name])
    if len(judged) > 1:
        mean = {s: np.mean([rows[s] for rows in judged.values()], axis=0) for s in best}
        worst = {s: min(rows[s][2] for rows in judged.values()) for s in best}
        print(f"\nMean over {len(judged)} tasks, and the worst gain in a task\n")
        print_table(mean, worst)


def print_table(rows, worst=None):
    """Print a Markdown table, best regret first."""
    print("| scorer | Spearman | regret | gain |" + (" worst gain |" if worst else ""))
    print("| --- | ---: | ---: | ---: |" + (" ---: |" if worst else ""))
    for name, (rho, regret, gain) in sorted(rows.items(), key=lambda item: item[1][1]):
        end = f" {worst[name]:+.1f} |" if worst else ""
        print(f"| {name} | {rho:+.2f} | {regret:.1f} | {gain:+.1f} |{end}", flush=True)


if __name__ == "__main__":
    main()
