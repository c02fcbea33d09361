"""Boosting with a few target labels, beside the target labels alone, on simulated concept shifts.

    python -m benchmarks.tradaboost --seeds 5

Five kinds of concept shift, 10, 30 and 100 labeled target rows, a tree and a linear learner: 30
settings for the classifiers, 30 for the regressors and 30 for several sources. Printed are the
mean score over the settings (accuracy, or R² not below -1), and on how many settings a method is
worse than the target labels alone by more than a hundredth.
"""

import argparse
import warnings
from collections import defaultdict
from functools import partial

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skda import (
    ImportanceWeightedEstimator,
    MultiSourceTrAdaBoostClassifier,
    TrAdaBoostClassifier,
    TrAdaBoostRegressor,
    TwoStageTrAdaBoostRegressor,
    stack_domains,
)

N_SOURCE, N_TARGET, N_FEATURES = 400, 1000, 4
N_LABELED = (10, 30, 100)
SHIFTS = ("part contrary", "rotated", "noisy source", "contrary", "moved threshold")
WORSE = 0.01


def concept(X, shift, rng, *, source):
    """The score whose sign is the class; the source's differs by the kind of the shift."""
    score = X[:, 0] + X[:, 1]
    if not source:
        return score
    if shift == "part contrary":
        return np.where(X[:, 0] > 0.5, -score, score)
    if shift == "rotated":
        return X[:, 0] - 0.3 * X[:, 1]
    if shift == "noisy source":
        return np.where(rng.random(len(X)) < 0.3, -score, score)
    return -score if shift == "contrary" else score - 1.0


def rows(shift, n_labeled, rng, *, regression=False, n_sources=1):
    """``(X, y, sample_domain, X_rest, y_rest)``; of several sources only the first is shifted."""
    sources = [rng.normal(size=(N_SOURCE, N_FEATURES)) for _ in range(n_sources)]
    scores = [concept(X, shift, rng, source=i == 0) for i, X in enumerate(sources)]
    Xt = rng.normal(size=(N_TARGET, N_FEATURES))
    target = concept(Xt, shift, rng, source=False)
    noise = 0.3 * rng.normal(size=N_TARGET)
    if regression:
        ys, yt, missing = scores, target + noise, np.nan
    else:
        ys, yt, missing = (
            [(s > 0).astype(int) for s in scores],
            (target + noise > 0).astype(int),
            -1,
        )
    few = np.where(np.arange(N_TARGET) < n_labeled, yt, missing)
    X, y, sample_domain = stack_domains(sources, ys, Xt, few)
    return X, y, sample_domain, Xt[n_labeled:], yt[n_labeled:]


class TargetOnly:
    """The labeled target rows alone."""

    def __init__(self, learner):
        self.learner = learner

    def fit(self, X, y, sample_domain):
        """Fit a clone of the learner."""
        labeled = (sample_domain < 0) & (np.isfinite(y) if y.dtype.kind == "f" else y >= 0)
        self.learner = clone(self.learner).fit(X[labeled], y[labeled])
        return self

    def score(self, X, y):
        """Score of the learner."""
        return self.learner.score(X, y)


def weighted(learner, **params):
    """The learner on all labeled rows."""
    return ImportanceWeightedEstimator(learner, use_target_labels=True, **params)


def boosted():
    """Every way to start and to go on."""
    for start in ("uniform", "balanced"):
        for stop in (True, False):
            yield {"initial_weights": start, "stop_early": stop}


def methods(kind):
    """Name and constructor of what is compared."""
    found = {
        "target labels alone": TargetOnly,
        "pooled": weighted,
        "balanced weighting": lambda learner: weighted(learner, target_share=0.5),
    }
    method = {
        "classification": TrAdaBoostClassifier,
        "several sources": MultiSourceTrAdaBoostClassifier,
        "regression": TrAdaBoostRegressor,
    }[kind]
    errors = ("hard", "soft") if kind != "regression" else ("",)
    for params in boosted():
        for error in errors:
            more = params | ({"error": error} if error else {})
            found[named(method, more)] = partial(method, random_state=0, **more)
    if kind == "regression":
        for stop in (True, False):
            more = {"n_steps": 5, "stop_early": stop}
            method = TwoStageTrAdaBoostRegressor
            found[named(method, more)] = partial(method, random_state=0, **more)
    return found


def named(method, params):
    """Name of a method with its parameters."""
    return f"{method.__name__}, " + ", ".join(f"{key}={value}" for key, value in params.items())


def study(kind, seeds):
    """Scores by method and setting."""
    regression = kind == "regression"
    learners = (
        (DecisionTreeRegressor(max_depth=3, random_state=0), Ridge())
        if regression
        else (DecisionTreeClassifier(max_depth=3, random_state=0), LogisticRegression())
    )
    scores = defaultdict(dict)
    for shift in SHIFTS:
        for n_labeled in N_LABELED:
            for learner in learners:
                found = defaultdict(list)
                for seed in range(seeds):
                    rng = np.random.default_rng([seed, n_labeled, SHIFTS.index(shift)])
                    n_sources = 3 if kind == "several sources" else 1
                    X, y, d, X_rest, y_rest = rows(
                        shift, n_labeled, rng, regression=regression, n_sources=n_sources
                    )
                    for name, make in methods(kind).items():
                        model = make(learner).fit(X, y, sample_domain=d)
                        found[name].append(max(model.score(X_rest, y_rest), -1.0))
                setting = (shift, n_labeled, type(learner).__name__)
                for name, values in found.items():
                    scores[name][setting] = float(np.mean(values))
    return scores


def report(kind, scores):
    """Print one line per method."""
    print(f"\n{kind}")
    alone = scores["target labels alone"]
    for name, by_setting in scores.items():
        gains = [value - alone[setting] for setting, value in by_setting.items()]
        print(
            f"{name:75s} {np.mean(list(by_setting.values())):.3f}  worse on "
            f"{sum(gain < -WORSE for gain in gains):2d} of {len(gains)}, by {-min(gains):.3f}"
        )


def main(argv=None):
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="draws of each setting")
    parser.add_argument("--kind", help="classification, regression or several sources")
    options = parser.parse_args(argv)
    warnings.filterwarnings("ignore", category=UserWarning)
    for kind in ("classification", "several sources", "regression"):
        if options.kind in (None, kind):
            report(kind, study(kind, options.seeds))


if __name__ == "__main__":
    main()
