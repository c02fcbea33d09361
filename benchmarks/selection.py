"""How well do label-free scorers choose?

    python -m benchmarks selection
    python -m benchmarks selection heart digits --seeds 1 --candidates
    python -m benchmarks selection --json selection.json

Every candidate (methods x strengths, and the source-only model) is cross-validated on source and
target rows without target labels, under every scorer. Then the target labels are read: a scorer is
as good as the accuracy of the candidate that it chose.

After that come rules that combine candidates instead of choosing one; see
``python -m benchmarks consensus``, which runs them alone.

Printed per task and scorer: the Spearman correlation of the scores with target accuracy over the
candidates; the regret, target accuracy lost against the best candidate; and the gain, target
accuracy won against never adapting. All in accuracy points.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
import sklearn
from scipy.stats import rankdata, spearmanr
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_validate
from sklearn.preprocessing import StandardScaler

import skda
from skda import datasets, make_domain_pipeline, metrics
from skda.model_selection import DomainStratifiedKFold

from . import consensus
from ._conditions import conditions
from ._data import DEFAULT
from ._markdown import signed, table
from .tasks import heart_disease, mnist_usps, mushrooms, office_caltech

TRUTH = "all target labels"
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
N_DRAWN = 600  # rows of a domain that has more


def candidates(classifier, first, n_features):
    """Return pipelines by name: source-only, and each method at several strengths."""

    def pipe(*adapt, last=classifier):
        return make_domain_pipeline(*first, *adapt, last)

    found = {"source only": pipe()}
    for strength in (0.25, 0.5, 0.75, 1.0):
        for reg in (1e-2, 1.0):
            found[f"CORAL {strength} {reg}"] = pipe(
                skda.CORALTransformer(strength=strength, reg=reg, match_mean=False)
            )
    for strength in (0.5, 1.0):
        found[f"linear transport {strength}"] = pipe(
            skda.LinearTransportTransformer(strength=strength, reg=1e-2)
        )
    for reg in (None, 0.05, 0.5):
        found[f"optimal transport {reg}"] = pipe(
            skda.OptimalTransportTransformer(reg=reg, marginal_reg=None)
        )
    found["optimal transport, classes"] = pipe(
        skda.OptimalTransportTransformer(reg=0.05, class_reg=0.1, marginal_reg=None)
    )
    found["domain scaler"] = pipe(skda.DomainScaler())
    for k in (1,) if n_features <= 2 else (2, 5) if n_features <= 10 else (5, 15, 30):
        found[f"subspace alignment {k}"] = pipe(skda.SubspaceAlignmentTransformer(n_components=k))
        found[f"TCA {k}"] = pipe(skda.TCATransformer(n_components=k, reg=1.0, kernel="rbf"))
    for name, weighter in (
        ("KMM", skda.KMMWeighter(reg=0.0, min_effective_size=None)),
        ("RuLSIF", skda.RuLSIFWeighter(min_effective_size=None)),
        ("domain classifier", skda.DomainClassifierWeighter(min_effective_size=None)),
    ):
        found[f"weights, {name}"] = pipe(
            last=skda.ImportanceWeightedEstimator(classifier, weighter)
        )
    return found


# Tasks: ``load(data, seed)`` gives (X, y, sample_domain) with all labels, the classifier, and the
# steps before the adaptation.


def simulated(make, **options):
    """Return a loader of one simulated shift."""

    def load(data, seed):
        X, y, sample_domain = make(160, 160, task="binary", random_state=seed, **options)
        forest = RandomForestClassifier(50, min_samples_leaf=5, random_state=seed)
        return X, y, sample_domain, forest, ()

    return load


def real(module, pair, classifier, *first, n_drawn=None):
    """Return a loader of a pair of an accuracy task, or of as many rows of each domain of it."""

    def load(data, seed):
        X, y, sample_domain = module.TASKS[0].load(data, pair)
        if n_drawn:
            rng = np.random.default_rng(seed)
            sides = (np.flatnonzero(sample_domain > 0), np.flatnonzero(sample_domain < 0))
            kept = np.concatenate([rng.choice(rows, n_drawn, replace=False) for rows in sides])
            X, y, sample_domain = X[kept], y[kept], sample_domain[kept]
        # Gaps of the hospitals: the median of the source.
        X = np.where(np.isnan(X), np.nanmedian(X[sample_domain > 0], axis=0), X)
        return X, y, sample_domain, classifier, first

    return load


LOGISTIC = LogisticRegression(max_iter=1000)
DIGITS = (LogisticRegression(C=30, max_iter=1000), PCA(40))
OBJECTS = (LogisticRegression(C=0.1, max_iter=1000), PCA(40, random_state=0), StandardScaler())
TASKS = {
    "covariate shift": simulated(datasets.make_covariate_shift, noise=0.6),
    "label shift": simulated(datasets.make_label_shift, noise=0.8),
    "conditional shift": simulated(datasets.make_conditional_shift, noise=0.8),
    "subspace shift": simulated(datasets.make_subspace_shift, noise=0.4),
    "heart: Cleveland to Hungary": real(heart_disease, "Clev>Hung", LOGISTIC, StandardScaler()),
    "heart: Cleveland to VA": real(heart_disease, "Clev>VA", LOGISTIC, StandardScaler()),
    "heart: Hungary to Switzerland": real(heart_disease, "Hung>Switz", LOGISTIC, StandardScaler()),
    "mushrooms: enlarging to tapering": real(
        mushrooms, "enlarging>tapering", LOGISTIC, n_drawn=N_DRAWN
    ),
    "mushrooms: tapering to enlarging": real(
        mushrooms, "tapering>enlarging", LOGISTIC, n_drawn=N_DRAWN
    ),
    "digits: USPS to MNIST": real(mnist_usps, "U>M", *DIGITS, n_drawn=N_DRAWN),
    "digits: MNIST to USPS": real(mnist_usps, "M>U", *DIGITS, n_drawn=N_DRAWN),
    "objects: Caltech to Amazon": real(office_caltech, "C>A", *OBJECTS),
    "objects: Amazon to Caltech": real(office_caltech, "A>C", *OBJECTS),
}


def study(X, y, sample_domain, models, *, seed, n_splits=3):
    """Return the mean score of each candidate (row) under each scorer (column)."""
    cv = DomainStratifiedKFold(n_splits, shuffle=True, random_state=seed)
    scores = np.full((len(models), len(SCORERS)), np.nan)
    with warnings.catch_warnings():
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
        rows[name] = (float(rho), 100 * (truth.max() - chosen), 100 * (chosen - truth[0]))
    return rows


def judge_task(load, options):
    """Mean judgment over draws of a task, and the number of candidates; None without its files."""
    found = []
    for seed in range(options.seeds):
        try:
            X, y, sample_domain, classifier, first = load(options.data, seed)
        except FileNotFoundError as error:
            return None, f"skipped, {error.filename} is not there"
        with sklearn.config_context(enable_metadata_routing=True):
            models = candidates(classifier, first, X.shape[1])
            scores = study(X, y, sample_domain, models, seed=seed)
        found.append(judge(scores))
        if options.candidates:
            for model, row in zip(models, scores, strict=True):
                print(f"    {model:30s} {100 * row[-1]:5.1f}")
    mean = {name: np.mean([f[name] for f in found], axis=0).tolist() for name in found[0]}
    best = signed(mean[TRUTH][2])
    return mean, f"{len(models)} candidates, best {best} points over source-only"


# Tables, here and on the page of figures


def task_table(rows):
    """Correlation, regret and gain of each scorer on one task, best regret first."""
    body = [
        [name, signed(rho, 2), f"{regret:.1f}", signed(gain)]
        for name, (rho, regret, gain) in sorted(rows.items(), key=lambda item: item[1][1])
    ]
    return table(["scorer", "Spearman", "regret", "gain"], body)


POINT = 0.5  # a task counts as better or worse from here


def mean_table(judged):
    """Means of each scorer over tasks, and what it does at worst, best regret first."""
    figures = {name: np.array([rows[name] for rows in judged.values()]) for name in scorers(judged)}
    body = [
        [
            name,
            "" if name == NEVER else signed(of[:, 0].mean(), 2),
            f"{of[:, 1].mean():.1f}",
            f"{np.median(of[:, 1]):.1f}",
            signed(of[:, 2].mean()),
            signed(of[:, 2].min()),
            f"{(of[:, 2] > POINT).sum()} / {(of[:, 2] < -POINT).sum()}",
        ]
        for name, of in sorted(figures.items(), key=lambda item: item[1][:, 1].mean())
    ]
    header = ["scorer", "Spearman", "regret", "median regret", "gain", "worst gain"]
    return table([*header, "better / worse"], body)


def gain_table(judged):
    """Gain of each scorer on each task."""
    names = [name for name in scorers(judged) if name != NEVER]
    body = [[task, *(signed(rows[name][2]) for name in names)] for task, rows in judged.items()]
    return table(["task", *names], body)


def scorers(judged):
    """Names of what is judged."""
    return list(next(iter(judged.values())))


def main(argv=None):
    """Run the tasks that are named, or all, and print the tables in Markdown."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks selection",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("tasks", nargs="*", help="parts of task names; none: all")
    parser.add_argument("--data", type=Path, default=DEFAULT)
    parser.add_argument("--seeds", type=int, default=2, help="number of draws and splits per task")
    parser.add_argument("--candidates", action="store_true", help="print each candidate's accuracy")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument(
        "--rules",
        action="store_true",
        help="rules that combine, also if tasks are named",
    )
    options = parser.parse_args(argv)
    judged = {}
    for name, load in TASKS.items():
        if options.tasks and not any(part in name for part in options.tasks):
            continue
        start = time.perf_counter()
        rows, words = judge_task(load, options)
        print(f"\n{name}: {words}, {time.perf_counter() - start:.0f} s\n", flush=True)
        if rows:
            judged[name] = rows
            print(task_table(rows), flush=True)
    if len(judged) > 1:
        print(f"\nMean over {len(judged)} tasks, and the worst gain in a task\n")
        print(mean_table(judged))
    if options.json:
        figures = {"conditions": conditions(), "seeds": options.seeds, "judged": judged}
        options.json.write_text(json.dumps(figures, indent=1))
    if options.rules or not options.tasks:
        print("\nRules that combine the candidates instead, on all pairs of the shared data\n")
        consensus.main(["--data", str(options.data), "--seeds", str(options.seeds)])


if __name__ == "__main__":
    main()
