"""Measure every estimator as it comes, on all pairs of the shared data, against source-only.

    python -m benchmarks defaults --json defaults.json --markdown defaults.md
    python -m benchmarks defaults --methods CORALTransformer,KMMWeighter --families heart,adult
    python -m benchmarks defaults --params 'CORALTransformer:{"reg": 0.1}' --leave-one-family-out
    python -m benchmarks defaults --read one.json two.json --leave-one-family-out

A transformer stands between StandardScaler and a plain learner, a weighter weights that learner's
rows, a classifier or regressor follows the scaler; all have their default parameters. Source-only
is the same pipeline without the method. Scores are accuracy in points, and R² x 100 not below
-100: R² is 0 for the mean and 100 for no error on every data set, as no ratio of errors is, and
below -100 one useless model is not better than another. Means are over seeds, then over the pairs
of a family, then over families, so that no data set decides alone.

Methods that learn from target labels get a few of them, and are scored on the other target rows,
beside source-only, target-only (the few rows alone) and the pooled model, with the same learner.

Variants of an estimator are measured side by side on the same rows. --params takes
'Estimator:{"parameter": value}', also 'name=Estimator:{...}', or a JSON file that holds
{"name": {"estimator": "Estimator", "params": {...}}}. A parameter of the estimator around a
weighter begins with "weighted__". For a parameter that is a learner, name one: "linear", "tree",
"neighbors" or "boosting". With --params only the estimators named there are run, each also with its
defaults, unless --methods names more.

--leave-one-family-out chooses the best variant of each estimator on all families but one, and
reports its gain on the one left out. In the choice a family counts ten points at most.
"""

import argparse
import inspect
import json
import signal
import sys
import time
import warnings
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import sklearn
from joblib import Parallel, delayed, parallel_config
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from threadpoolctl import threadpool_limits

import skda
from skda import ImportanceWeightedEstimator, TrainOnSource, make_domain_pipeline

from . import _default_tables as tables
from ._conditions import conditions
from ._data import DEFAULT
from ._pairs import CLASSIFICATION, REGRESSION, draw, find_pairs

# Public estimators that have no row of their own, and why.
_AUGMENTERS = (
    "BatchEffectAugmenter",
    "DomainRandomizationAugmenter",
    "FeatureDropoutAugmenter",
    "GaussianNoiseAugmenter",
    "MixupAugmenter",
    "SpectralDistortionAugmenter",
)
LEFT_OUT = {
    "TrainOnSource": "it is source-only",
    "ConformalClassifier": "it predicts what its estimator does; see the conformal benchmark",
    "ConformalRegressor": "it predicts what its estimator does; see the conformal benchmark",
    "WeightedCalibratedClassifier": "it calibrates probabilities, and accuracy is measured",
    "PerDomain": "it has no default; around StandardScaler it is DomainScaler",
    "ImportanceWeightedEstimator": "it is measured around every weighter",
    "AugmentedEstimator": "it has no default: the user says what varies between domains",
    **dict.fromkeys(_AUGMENTERS, "it changes rows for AugmentedEstimator"),
    "ViewFusionClassifier": "it has no default views; see heart-views",
    "ViewFusionRegressor": "it has no default views; see heart-views",
    "AttributeZeroShotClassifier": "it needs attributes of the classes, which no data set has",
}
FEW_PER_CLASS, FEW_ROWS = 10, 40  # labeled target rows of a classification and of a regression
MOST_LABELED = 1 / 3  # of a small target; the others are for the score
WORST_R2 = -1.0
TIME_LIMIT = 60.0  # seconds of processor time for one fit with its predictions
WEIGHTED = "weighted__"

LEARNERS = {
    "linear": {CLASSIFICATION: LogisticRegression(max_iter=1000), REGRESSION: Ridge()},
    "tree": {
        CLASSIFICATION: DecisionTreeClassifier(max_depth=3, random_state=0),
        REGRESSION: DecisionTreeRegressor(max_depth=3, random_state=0),
    },
    "neighbors": {CLASSIFICATION: KNeighborsClassifier(1), REGRESSION: KNeighborsRegressor(5)},
    "boosting": {
        CLASSIFICATION: HistGradientBoostingClassifier(max_iter=50, random_state=0),
        REGRESSION: HistGradientBoostingRegressor(max_iter=50, random_state=0),
    },
}


@dataclass(frozen=True)
class Variant:
    """An estimator and the parameters that differ from its defaults."""

    name: str
    estimator: str
    params: dict = field(default_factory=dict)


class TookTooLong(Exception):
    """A fit passed the time limit."""


# Which estimators there are


def find_estimators(*, deep=False):
    """Public estimators by name, the deep ones when asked for, without those left out."""
    names = [*skda.__all__]
    if deep:
        from skda import deep as nets

        names += nets.__all__
    found = {name: getattr(skda, name) for name in sorted(names)}
    return {
        name: thing
        for name, thing in found.items()
        if inspect.isclass(thing) and issubclass(thing, BaseEstimator) and name not in LEFT_OUT
    }


def role(estimator):
    """What an estimator is in a pipeline."""
    if is_classifier(estimator):
        return CLASSIFICATION
    if is_regressor(estimator):
        return REGRESSION
    return "transformer" if hasattr(estimator, "transform") else "weighter"


def suits(estimator, kind):
    """Return whether an estimator is made for classification, or for regression.

    Transformers that read labels read classes.
    """
    own = role(estimator)
    if own == "transformer":
        return kind == CLASSIFICATION or estimator._labels == "ignored"
    return own in ("weighter", kind)


def reads_target_labels(estimator):
    """Return whether an estimator is made for a few target labels.

    Feature augmentation reads none itself, but without labeled target rows the copy of the features
    that is the target's own has nothing to learn from.
    """
    augmentation = isinstance(estimator, skda.FeatureAugmentationTransformer)
    return augmentation or estimator._labels == "all"


def default_variants(methods):
    """Each method as it comes; boosting also with the linear learner."""
    for name, make in methods.items():
        yield Variant(name, name)
        estimator = make() if "module" not in inspect.signature(make).parameters else None
        boosts = hasattr(estimator, "estimator") and role(estimator) in (CLASSIFICATION, REGRESSION)
        if boosts and reads_target_labels(estimator):
            yield Variant(f"{name}, linear", name, {"estimator": "linear"})


# Models


def build(variant, kind, seed, learner):
    """The method of a variant, and the pipeline around it that can be fitted to all rows."""
    method = getattr(skda, variant.estimator)()
    outer = {k: v for k, v in variant.params.items() if k.startswith(WEIGHTED)}
    for key, value in variant.params.items():
        if key not in outer:
            known = isinstance(value, str) and key in ("estimator", "classifier")
            method.set_params(**{key: clone(LEARNERS[value][kind]) if known else value})
    last = clone(learner)
    if role(method) == "weighter":
        last = ImportanceWeightedEstimator(last, method)
        last.set_params(**{k.removeprefix(WEIGHTED): v for k, v in outer.items()})
        steps = [last]
    elif role(method) == "transformer":
        few = reads_target_labels(method)
        steps = [method, TrainOnSource(last, use_target_labels=True) if few else last]
    else:
        steps = [method]
    model = make_domain_pipeline(StandardScaler(), *steps)
    seeds = [name for name in model.get_params() if name.endswith("random_state")]
    return method, model.set_params(**dict.fromkeys(seeds, seed))


def score_of(y_true, y_pred, kind):
    """Accuracy in points, or R² x 100, not below ``WORST_R2``."""
    if kind == CLASSIFICATION:
        return 100.0 * float(np.mean(y_true == y_pred))
    return 100.0 * max(float(r2_score(y_true, y_pred)), WORST_R2)


@contextmanager
def time_limit(seconds):
    """Raise TookTooLong when the block takes longer (where the system has such an alarm).

    What counts is the time of the processor, since other work on the machine says nothing about
    the method.
    """

    def ring(signum, frame):
        raise TookTooLong(f"over {seconds:g} s")

    if not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


# One draw


def few_target_rows(y, sample_domain, kind, seed):
    """Indices of the target rows whose labels are given to supervised transfer."""
    rng = np.random.default_rng(1000 + seed)  # other draws than those of the rows
    target = rng.permutation(np.flatnonzero(sample_domain < 0))
    if kind == REGRESSION:
        return np.sort(target[: min(FEW_ROWS, int(MOST_LABELED * len(target)))])
    labels = np.unique(y[target])
    most = min(FEW_PER_CLASS, max(1, int(MOST_LABELED * len(target) / len(labels))))
    return np.sort(np.concatenate([target[y[target] == label][:most] for label in labels]))


class Draw:
    """The rows of one draw, and what does not depend on the method: fitted once."""

    def __init__(self, pair, data, *, rows, seed, learner):
        self.pair, self.kind, self.seed = pair, pair.kind, seed
        self.X, self.y, self.ids = draw(pair, data, rows=rows, seed=seed)
        self.learner = LEARNERS[learner][pair.kind]
        self.Z = StandardScaler().fit_transform(self.X)
        self.few = few_target_rows(self.y, self.ids, pair.kind, seed)
        self._plain = {}

    def rows_of(self, part):
        """Rows that a plain model is fitted on."""
        source = np.flatnonzero(self.ids >= 0)
        return {"source": source, "target": self.few, "pooled": np.r_[source, self.few]}[part]

    def plain(self, part, learner, rest):
        """Score on the rows of ``rest`` of a plain learner of source, few target rows, or both."""
        key = (part, repr(learner), len(rest))
        if key not in self._plain:
            rows = self.rows_of(part)
            if len(np.unique(self.y[rows])) == 1:
                predicted = np.full(len(rest), self.y[rows[0]])
            else:
                model = clone(learner).fit(self.Z[rows], self.y[rows])
                predicted = model.predict(self.Z[rest])
            self._plain[key] = score_of(self.y[rest], predicted, self.kind)
        return self._plain[key]

    def measure(self, variant):
        """Scores of a variant and of what it is compared with."""
        method, model = build(variant, self.kind, self.seed, self.learner)
        few = reads_target_labels(method)
        target = np.flatnonzero(self.ids < 0)
        rest = np.setdiff1d(target, self.few) if few else target
        missing = -1 if self.kind == CLASSIFICATION else np.nan
        seen = self.y.astype(int if self.kind == CLASSIFICATION else float)
        seen[rest] = missing
        start = time.process_time()
        with warnings.catch_warnings(record=True) as caught, time_limit(TIME_LIMIT):
            warnings.simplefilter("always")
            model.fit(self.X, seen, sample_domain=self.ids)
            predicted = model.predict(self.X[rest])
        row = {
            "seconds": time.process_time() - start,
            "score": score_of(self.y[rest], predicted, self.kind),
            "warnings": sorted({w.category.__name__ for w in caught}),
        }
        learner = self.learner
        if few and role(method) != "transformer":  # what it boosts, by default a tree
            learner = getattr(model[-1], "estimators_", [learner])[0]
        row["source_only"] = self.plain("source", learner, rest)
        if few:
            row["target_only"] = self.plain("target", learner, rest)
            row["pooled"] = self.plain("pooled", learner, rest)
        return row


_slow = set()  # what took too long in this process, by variant and family


def run_draw(pair, data, seed, *, rows, variants, learner):
    """Rows of figures of all variants on one draw of a pair."""
    found = []
    with sklearn.config_context(enable_metadata_routing=True), threadpool_limits(1):
        now = Draw(pair, data, rows=rows, seed=seed, learner=learner)
        for variant in variants:
            if not suits(getattr(skda, variant.estimator)(), pair.kind):
                continue
            about = {"family": pair.family, "kind": pair.kind, "pair": pair.name, "seed": seed}
            row = {"variant": variant.name, "estimator": variant.estimator} | about
            key = (variant.name, pair.family)
            try:
                if key in _slow:
                    raise TookTooLong(f"over {TIME_LIMIT:g} s on another draw")
                row |= now.measure(variant)
            except TookTooLong as error:
                _slow.add(key)
                row["note"] = str(error)
            except Exception as error:  # one method that fails must not end the run
                row["note"] = f"{type(error).__name__}: {str(error)[:200]}"
            found.append(row)
    return found


# The command


def parse_variant(text):
    """Variants of one ``--params``: a JSON file, or ``[name=]Estimator:{...}``."""
    if text.endswith(".json"):
        named = json.loads(Path(text).read_text())
        return [
            Variant(name, one["estimator"], one.get("params", {})) for name, one in named.items()
        ]
    head, _, params = text.partition(":")
    name, _, estimator = head.rpartition("=")
    try:
        params = json.loads(params or "{}")
    except json.JSONDecodeError as error:
        raise SystemExit(
            f"--params {text!r}: what follows the colon is no JSON ({error})."
        ) from None
    values = ", ".join(f"{key}={value}" for key, value in params.items())
    return [Variant(name or f"{estimator} {values}".strip(), estimator, params)]


def chosen_variants(options):
    """What is to be measured, each variant checked before anything is run."""
    known = find_estimators(deep=True) if options.deep else find_estimators()
    extra = [v for text in options.params or () for v in parse_variant(text)]
    wanted = options.methods.split(",") if options.methods else [v.estimator for v in extra]
    names = dict.fromkeys([*wanted, *(v.estimator for v in extra)])
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"no estimator {', '.join(unknown)}; there are {', '.join(known)}")
    variants = [
        *default_variants({n: m for n, m in known.items() if not names or n in names}),
        *extra,
    ]
    if len({v.name for v in variants}) < len(variants):
        raise SystemExit("two variants have one name; name them as in 'name=Estimator:{...}'")
    for variant in extra:
        kind = REGRESSION if role(known[variant.estimator]()) == REGRESSION else CLASSIFICATION
        try:
            with sklearn.config_context(enable_metadata_routing=True):
                build(variant, kind, 0, LEARNERS["linear"][kind])
        except ValueError as error:
            raise SystemExit(f"{variant.name}: {error}") from None
    return variants


def chosen_pairs(options):
    """The pairs that are asked for and there."""
    found = find_pairs(options.data)
    families = options.families.split(",") if options.families else None
    unknown = set(families or ()) - {pair.family for pair in found}
    if unknown:
        there = ", ".join(dict.fromkeys(pair.family for pair in found))
        raise SystemExit(
            f"no family {', '.join(sorted(unknown))} in {options.data}; there are {there}"
        )
    return [
        pair
        for pair in found
        if (not families or pair.family in families)
        and (not options.kind or pair.kind == options.kind)
        and (not options.tasks or any(part in pair.key for part in options.tasks.split(",")))
    ]


def measure(variants, pairs, options):
    """Yield the rows found so far, twenty times on the way and at the end, in a fixed order."""
    jobs = [(pair, seed) for pair in pairs for seed in range(options.seeds)]
    how = {"rows": options.rows, "variants": variants, "learner": options.learner}
    rows, start = [], time.perf_counter()
    pair_order = {(p.family, p.kind, p.name): i for i, p in enumerate(pairs)}
    order = {variant.name: i for i, variant in enumerate(variants)}

    def place(row):
        pair = row["family"], row["kind"], row["pair"]
        return order[row["variant"]], pair_order[pair], row["seed"]

    with parallel_config("loky", inner_max_num_threads=1):
        work = Parallel(n_jobs=options.jobs, return_as="generator_unordered", batch_size=1)(
            delayed(run_draw)(pair, options.data, seed, **how) for pair, seed in jobs
        )
        for done, found in enumerate(work, start=1):
            rows += found
            if done % max(1, len(jobs) // 20) == 0 or done == len(jobs):
                spent = time.perf_counter() - start
                print(f"{done}/{len(jobs)} draws, {spent:.0f} s", file=sys.stderr, flush=True)
                yield sorted(rows, key=place)


def write(path, rows, variants, options):
    """Write the figures, and how they were taken, as JSON."""
    figures = {
        "conditions": conditions(),
        "options": {name: getattr(options, name) for name in ("seeds", "rows", "learner")},
        "variants": [asdict(variant) for variant in variants],
        "default_rows": rows,
    }
    path.write_text(json.dumps(figures, indent=1))


def main(argv=None):
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks defaults",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--methods", help="estimators to run, A,B; all by default")
    parser.add_argument("--params", action="append", help="a variant, or a JSON file of variants")
    parser.add_argument("--families", help="only these data sets, A,B")
    parser.add_argument("--tasks", help="only pairs whose name has one of these in it, A,B")
    parser.add_argument("--kind", choices=[CLASSIFICATION, REGRESSION], help="only such pairs")
    parser.add_argument("--seeds", type=int, default=3, help="draws of each pair")
    parser.add_argument("--rows", type=int, default=400, help="most rows of source and of target")
    parser.add_argument("--learner", choices=LEARNERS, default="linear", help="the plain learner")
    parser.add_argument("--deep", action="store_true", help="the networks too")
    parser.add_argument("--jobs", type=int, choices=[1, 2], default=2, help="processes")
    parser.add_argument("--data", type=Path, default=DEFAULT, help="folder of the data sets")
    parser.add_argument("--list", action="store_true", help="list the estimators and the pairs")
    parser.add_argument("--leave-one-family-out", action="store_true", help="choose among variants")
    parser.add_argument("--read", nargs="+", type=Path, help="JSON of earlier runs; runs nothing")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file")
    options = parser.parse_args(argv)
    if options.list:
        print("\n".join(variant.name for variant in chosen_variants(options)))
        print("\n".join(pair.key for pair in chosen_pairs(options)))
        return
    if options.read:
        runs = [json.loads(path.read_text()) for path in options.read]
        rows = tables.joined(runs)
        if options.json:  # all of them as one run, under the conditions of the first
            options.json.write_text(json.dumps(runs[0] | {"default_rows": rows}, indent=1))
    else:
        variants, pairs = chosen_variants(options), chosen_pairs(options)
        if not pairs:
            raise SystemExit("no pair has all of these; --list names them")
        for rows in measure(variants, pairs, options):
            if options.json:  # what is there stays when the run is ended
                write(options.json, rows, variants, options)
    text = tables.report(rows, leave_one_out=options.leave_one_family_out)
    print(text)
    if options.markdown:
        options.markdown.write_text(text)


if __name__ == "__main__":
    main()
