"""Do sets and intervals hold on the target as often as they are asked to?

    python -m benchmarks conformal --draws 30 --json conformal.json
    python -m benchmarks conformal --parts real --families heart,wine

Simulated covariate and label shift: 2 x 500 rows, and 500 new target rows by which is judged;
ours without and with estimated weights, beside MAPIE and crepes, which have no weights, and puncc,
which is given our weights as a function (each that is installed: the extra `bench`). Theirs
calibrate with half of the source rows, as ours does with cv=None. Real pairs: the target's
coverage without labels, and with 50 labels of the target.
"""

import argparse
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skda import DomainClassifierWeighter, GaussianWeighter, LabelShiftClassifier, stack_domains
from skda.conformal import ConformalClassifier, ConformalRegressor

from ._conditions import conditions
from ._data import DEFAULT
from ._markdown import table
from ._pairs import REGRESSION, draw, find_pairs

ALPHA = 0.1
N = 500
N_LABELS = 50
REAL_ROWS = 600
FAMILIES = ("heart", "wine", "students", "corn", "schools", "adult")


# Simulated shifts: X, y, sample_domain of the fit, and new rows of the target with their labels


def _stacked(Xs, ys, Xt, yt):
    return *stack_domains(Xs, ys, Xt[:N]), Xt[N:], yt[N:]


def covariate_regression(seed, *, d=5, shift=1.0):
    """Rows move to where labels are noisier and the curve is steeper."""
    rng = np.random.default_rng(seed)
    Xs, Xt = rng.normal(size=(N, d)), rng.normal(size=(2 * N, d))
    Xt[:, 0] += shift

    def label(X):
        noise = 0.3 + 0.7 / (1.0 + np.exp(-2.0 * X[:, 0]))
        return X[:, 0] + np.sin(X[:, -1]) + noise * rng.normal(size=len(X))

    return _stacked(Xs, label(Xs), Xt, label(Xt))


def covariate_far(seed):
    """The same, further away and with more features."""
    return covariate_regression(seed, d=10, shift=1.5)


def covariate_classes(seed, *, d=3):
    """Rows move to where three classes are harder to tell apart."""
    rng = np.random.default_rng(seed)
    Xs, Xt = rng.normal(size=(N, d)), rng.normal(size=(2 * N, d))
    Xt[:, 0] += 1.2

    def label(X):
        sharp = 4.0 / (1.0 + np.exp(2.0 * X[:, :1] - 1.0))
        scores = np.column_stack([np.zeros(len(X)), X[:, 1] + 0.3, X[:, 2] - 0.3]) * sharp
        return np.argmax(scores + rng.gumbel(size=scores.shape), axis=1)

    return _stacked(Xs, label(Xs), Xt, label(Xt))


def label_shift(seed, *, d=2):
    """Three classes in other proportions, the rarest of the source the commonest of the target."""
    rng = np.random.default_rng(seed)
    means = np.zeros((3, d))
    means[1, 0] = means[2, 1] = 1.5

    def rows(n, priors):
        y = rng.choice(3, size=n, p=priors)
        return rng.normal(size=(n, d)) + means[y], y

    return _stacked(*rows(N, [0.7, 0.2, 0.1]), *rows(2 * N, [0.1, 0.3, 0.6]))


SIMULATED = {
    "covariate shift, regression": covariate_regression,
    "the same, far, 10 features": covariate_far,
    "covariate shift, classes": covariate_classes,
    "label shift": label_shift,
}


# Contenders: (coverage, size, part without bound) on new rows


def judged_intervals(intervals, y):
    low, high = np.asarray(intervals).T
    return (
        float(np.mean((low <= y) & (y <= high))),
        float(np.median(high - low)),
        float(np.mean(np.isinf(high))),
    )


def judged_sets(sets, codes):
    sets = np.asarray(sets, dtype=bool)
    rows = np.arange(len(sets))
    return (
        float(sets[rows, codes].mean()),
        float(sets.sum(axis=1).mean()),
        float(sets.all(axis=1).mean()),
    )


def ours(make):
    """A contender from a function that makes a conformal estimator."""

    def run(X, y, ids, X_new, y_new):
        model = make().fit(X, y, sample_domain=ids)
        if hasattr(model, "predict_interval"):
            return judged_intervals(model.predict_interval(X_new), y_new)
        codes = np.searchsorted(model.classes_, y_new)
        return judged_sets(model.predict_set(X_new), codes)

    return run


def halves(X, y, ids):
    """Source rows to fit on and to calibrate with."""
    X, y = X[ids >= 0], y[ids >= 0]
    return X[: len(y) // 2], y[: len(y) // 2], X[len(y) // 2 :], y[len(y) // 2 :]


def mapie_intervals(X, y, ids, X_new, y_new):
    from mapie.regression import SplitConformalRegressor

    X_fit, y_fit, X_cal, y_cal = halves(X, y, ids)
    model = SplitConformalRegressor(Ridge().fit(X_fit, y_fit), confidence_level=1 - ALPHA)
    model.conformalize(X_cal, y_cal)
    return judged_intervals(model.predict_interval(X_new)[1][:, :, 0], y_new)


def mapie_sets(X, y, ids, X_new, y_new):
    from mapie.classification import SplitConformalClassifier

    X_fit, y_fit, X_cal, y_cal = halves(X, y.astype(int), ids)
    inner = LogisticRegression().fit(X_fit, y_fit)
    model = SplitConformalClassifier(inner, confidence_level=1 - ALPHA)
    model.conformalize(X_cal, y_cal)
    return judged_sets(model.predict_set(X_new)[1][:, :, 0], y_new)


def crepes_intervals(X, y, ids, X_new, y_new):
    from crepes import WrapRegressor

    X_fit, y_fit, X_cal, y_cal = halves(X, y, ids)
    model = WrapRegressor(Ridge().fit(X_fit, y_fit))
    model.calibrate(X_cal, y_cal)
    return judged_intervals(model.predict_int(X_new, confidence=1 - ALPHA), y_new)


def crepes_sets(by_class):
    def run(X, y, ids, X_new, y_new):
        from crepes import WrapClassifier

        X_fit, y_fit, X_cal, y_cal = halves(X, y.astype(int), ids)
        model = WrapClassifier(LogisticRegression().fit(X_fit, y_fit))
        model.calibrate(X_cal, y_cal, class_cond=by_class)
        sets = model.predict_set(X_new, labels=False, confidence=1 - ALPHA, smoothing=False)
        return judged_sets(sets, y_new)

    return run


def puncc_intervals(X, y, ids, X_new, y_new):
    from deel.puncc.api.prediction import BasePredictor
    from deel.puncc.regression import SplitCP

    X_fit, y_fit, X_cal, y_cal = halves(X, y, ids)
    weighter = DomainClassifierWeighter(min_effective_size=None, random_state=0)
    weighter.fit(X, sample_domain=ids)
    inner = BasePredictor(Ridge().fit(X_fit, y_fit), is_trained=True)
    model = SplitCP(inner, train=False, weight_func=weighter.predict_weights)
    model.fit(X_calib=X_cal, y_calib=y_cal)
    _, low, high = model.predict(X_new, alpha=ALPHA)
    return judged_intervals(np.column_stack([low, high]), y_new)


def _weighters():
    logistic, gaussian = DomainClassifierWeighter(random_state=0), GaussianWeighter()
    return {"no weights": None, "logistic weights": logistic, "Gaussian weights": gaussian}


def contenders(case):
    """Contenders of a simulated case, by name."""
    if case == "label shift":
        return {
            "skda, no weights": ours(lambda: _sets(None)),
            "skda, estimated priors": ours(lambda: _sets(LabelShiftClassifier(random_state=0))),
            "skda, estimated priors, cv=None": ours(
                lambda: _sets(LabelShiftClassifier(random_state=0), cv=None)
            ),
            "skda, estimated priors, APS": ours(
                lambda: _sets(LabelShiftClassifier(random_state=0), method="aps", randomized=True)
            ),
            "MAPIE": mapie_sets,
            "crepes": crepes_sets(False),
            "crepes, by class": crepes_sets(True),
        }
    make = _sets if case.endswith("classes") else _intervals
    found = {
        f"skda, {name}": ours(lambda weighter=weighter: make(weighter))
        for name, weighter in _weighters().items()
    }
    logistic = _weighters()["logistic weights"]
    found["skda, logistic weights, cv=None"] = ours(lambda: make(logistic, cv=None))
    if make is _sets:
        return found | {"MAPIE": mapie_sets, "crepes": crepes_sets(False)}
    return found | {
        "MAPIE": mapie_intervals,
        "crepes": crepes_intervals,
        "puncc, logistic weights": puncc_intervals,
    }


def _sets(weighter, *, cv=5, **params):
    return ConformalClassifier(
        LogisticRegression(), weighter, alpha=ALPHA, cv=cv, random_state=0, **params
    )


def _intervals(weighter, *, cv=5, **params):
    return ConformalRegressor(Ridge(), weighter, alpha=ALPHA, cv=cv, random_state=0, **params)


# Real pairs

REAL = {
    "no weights": dict(weighter=None),
    "logistic weights": dict(weighter=DomainClassifierWeighter(random_state=0)),
    "no weights, 50 labels, target_share=None": dict(
        weighter=None, use_target_labels=True, target_share=None
    ),
    "logistic weights, 50 labels, target_share=None": dict(
        weighter=DomainClassifierWeighter(random_state=0), use_target_labels=True, target_share=None
    ),
    "logistic weights, 50 labels, target_share=.5": dict(
        weighter=DomainClassifierWeighter(random_state=0), use_target_labels=True, target_share=0.5
    ),
    "50 labels": dict(weighter=None, use_target_labels=True),
}


def real_row(pair, data, seed):
    """Coverage and size of each contender on a draw of a real pair."""
    X, y, ids = draw(pair, data, rows=REAL_ROWS, seed=seed)
    rng = np.random.default_rng(seed)
    target = rng.permutation(np.flatnonzero(ids < 0))
    # At least as many rows to judge by as have a label.
    labeled = target[: min(N_LABELS, len(target) // 2)]
    seen = y.astype(float)
    seen[np.setdiff1d(target, labeled)] = np.nan
    new = np.setdiff1d(target, labeled)
    found = {}
    for name, params in REAL.items():
        if pair.kind == REGRESSION:
            inner = make_pipeline(StandardScaler(), Ridge())
            model = ConformalRegressor(inner, alpha=ALPHA, random_state=0, **params)
            model.fit(X, seen, sample_domain=ids)
            found[name] = judged_intervals(model.predict_interval(X[new]), y[new])
        else:
            inner = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
            model = ConformalClassifier(inner, alpha=ALPHA, random_state=0, **params)
            model.fit(X, seen, sample_domain=ids)
            codes = np.searchsorted(model.classes_, y[new])
            found[name] = judged_sets(model.predict_set(X[new]), codes)
    return found


def _quiet(contender, rows):
    """Run a contender without warnings, whose filters a package may have set when imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of infinite intervals: the figures tell
        return contender(*rows)


def run_simulated(draws, rows):
    for case, simulate in SIMULATED.items():
        for name, contender in contenders(case).items():
            start = time.perf_counter()
            try:
                found = [_quiet(contender, simulate(seed)) for seed in range(draws)]
            except ImportError:
                print(f"{name} is not installed", file=sys.stderr)
                continue
            took = (time.perf_counter() - start) / draws
            rows.append({"case": case, "contender": name, "found": found, "seconds": took})
            print(case, name, np.mean(found, axis=0).round(3), file=sys.stderr, flush=True)


def run_real(families, data, draws, rows):
    for pair in find_pairs(data):
        if pair.family not in families:
            continue
        found = [real_row(pair, data, seed) for seed in range(draws)]
        for name in REAL:
            values = [one[name] for one in found]
            rows.append(
                {"family": pair.family, "pair": pair.key, "contender": name} | {"found": values}
            )
        means = [f"{np.mean([one[n] for one in found], axis=0)[0]:.2f}" for n in REAL]
        print(pair.key, *means, file=sys.stderr, flush=True)


def simulated_table(rows):
    """Coverage, size and sets without bound, by case and contender."""
    body, before = [], None
    for row in rows:
        found = np.array(row["found"])
        coverage = f"{found[:, 0].mean():.3f} ± {found[:, 0].std(ddof=1):.3f}"
        size = np.median(found[:, 1])
        case = "" if row["case"] == before else row["case"]
        before = row["case"]
        unbounded = f"{100 * found[:, 2].mean():.1f} %"
        body.append([case, row["contender"], coverage, f"{size:.2f}", unbounded])
    return table(["", "", "coverage", "size", "unbounded"], body)


def real_table(rows):
    """Mean coverage by family and contender, and how many pairs are off by more than .03."""
    families = list(dict.fromkeys(row["family"] for row in rows))
    body = []
    for name in dict.fromkeys(row["contender"] for row in rows):
        own = [row for row in rows if row["contender"] == name]
        coverage = np.array([np.mean(row["found"], axis=0)[0] for row in own])
        plain = [row for row in rows if row["contender"] == "no weights"]
        with np.errstate(invalid="ignore"):
            sizes = [
                np.median(np.array(a["found"])[:, 1]) / np.median(np.array(b["found"])[:, 1])
                for a, b in zip(own, plain, strict=True)
            ]
        by_family = [
            np.mean([c for row, c in zip(own, coverage, strict=True) if row["family"] == f])
            for f in families
        ]
        off = int((np.abs(coverage - (1 - ALPHA)) > 0.03).sum())
        cells = [f"{coverage.min():.3f}", f"{off} of {len(own)}", f"{np.median(sizes):.2f}"]
        body.append([name, *(f"{c:.3f}" for c in by_family), *cells])
    return table(["", *families, "lowest pair", "off by > .03", "size"], body)


def main(argv=None):
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks conformal",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--parts", default="simulated,real", help="only these parts, A,B")
    parser.add_argument("--families", default=",".join(FAMILIES), help="data sets, A,B")
    parser.add_argument("--draws", type=int, default=20, help="draws of each case")
    parser.add_argument("--data", type=Path, default=DEFAULT, help="folder of the data sets")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args(argv)
    simulated, real = [], []
    with sklearn.config_context(enable_metadata_routing=True), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of infinite intervals: the figures tell
        if "simulated" in options.parts:
            run_simulated(options.draws, simulated)
            print(simulated_table(simulated))
        if "real" in options.parts:
            run_real(options.families.split(","), options.data, options.draws, real)
            print(real_table(real) if real else "no data set is there")
    if options.json:
        figures = {"conditions": conditions(), "draws": options.draws}
        figures["conformal_rows"] = {"simulated": simulated, "real": real}
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
