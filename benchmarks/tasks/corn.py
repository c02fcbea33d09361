"""Corn samples on three near-infrared spectrometers: a calibration of one used on another."""

import numpy as np
from scipy.io import loadmat
from sklearn.base import clone
from sklearn.cross_decomposition import PLSRegression

from skda import DIPLSRegressor, KernelDIPLSRegressor, stack_domains

from .._data import origin
from .._task import Task

N_SEEDS = 10
TWO_TARGETS = ("m5>mp5+mp6", "mp6>m5+mp5")


PROPERTIES = ("moisture", "oil", "protein", "starch")


def read(data, source, target, what):
    """Spectra of the same samples on two instruments, and one property of the samples."""
    content = loadmat(data / "corn_nir" / "corn.mat")
    X_source, X_target = (content[f"{name}spec"][0, 0]["data"] for name in (source, target))
    y = content["propvals"][0, 0]["data"][:, PROPERTIES.index(what)]
    return stack_domains(X_source, y, X_target, y)


def _load(data, pair):
    return read(data, *pair.split(">"), "moisture")


def over_splits(make_model, *, plain=False):
    """Mean RMSEP on 20 target samples of a model fitted on the other 60, without target labels."""

    def score(X, y, sample_domain):
        n = len(y) // 2  # the same samples in the same order on both instruments
        errors = []
        for seed in range(N_SEEDS):
            order = np.random.default_rng(seed).permutation(n)
            train, test = order[:60], n + order[60:]
            rows = np.r_[train, train + n]
            if plain:
                model = make_model().fit(X[train], y[train])
            else:
                model = make_model().fit(X[rows], y[rows], sample_domain=sample_domain[rows])
            errors.append(np.sqrt(np.mean((np.ravel(model.predict(X[test])) - y[test]) ** 2)))
        return float(np.mean(errors))

    return score


def _load_three(data, pair):
    """Spectra on a source and on two target instruments, stacked, and the values of the samples."""
    source, targets, what = pair.replace(" ", ">").split(">")
    parts = [read(data, source, target, what) for target in targets.split("+")]
    X, n = [rows for rows, _, _ in parts], len(parts[0][0]) // 2
    values = parts[0][1][:n]
    ids = np.repeat([1, -2, -3], n)
    return np.concatenate([X[0], X[1][n:]]), np.tile(values, 3), ids


def over_two_targets(predict):
    """Mean RMSEP over both targets; ``predict(X, y, ids, new, new_ids)`` learns from 60 samples."""

    def score(X, y, sample_domain):
        n, errors = len(y) // 3, []
        for seed in range(N_SEEDS):
            order = np.random.default_rng(seed).permutation(n)
            rows, new = (
                np.concatenate([part + k * n for k in shift])
                for part, shift in ((order[:60], (0, 1, 2)), (order[60:], (1, 2)))
            )
            known = np.where(sample_domain[rows] > 0, y[rows], np.nan)
            found = predict(X[rows], known, sample_domain[rows], X[new], sample_domain[new])
            squares = (np.ravel(found) - y[new]) ** 2
            errors += [np.sqrt(np.mean(squares[sample_domain[new] == i])) for i in (-2, -3)]
        return float(np.mean(errors))

    return score


def source_model(X, y, ids, new, new_ids):
    """PLS of the source spectra."""
    return PLSRegression(8, scale=False).fit(X[ids > 0], y[ids > 0]).predict(new)


def for_all(model):
    """One model for both targets."""

    def predict(X, y, ids, new, new_ids):
        return clone(model).fit(X, y, sample_domain=ids).predict(new, sample_domain=new_ids)

    return predict


def for_each(model):
    """A model for each target."""

    def predict(X, y, ids, new, new_ids):
        found = np.empty(len(new))
        for i in np.unique(new_ids):
            used, wanted = (ids > 0) | (ids == i), new_ids == i
            fitted = clone(model).fit(X[used], y[used], sample_domain=ids[used])
            found[wanted] = fitted.predict(new[wanted])
        return found

    return predict


TASKS = [
    Task(
        name="corn-moisture",
        protocol=(
            "Moisture from raw spectra, 8 latent variables. 60 samples to fit (with values on the\n"
            "source instrument only), RMSEP on the other 20 on the target instrument, 10 splits."
        ),
        pairs=lambda data: (
            ["m5>mp6", "m5>mp5", "mp6>mp5"] if (data / "corn_nir" / "corn.mat").exists() else []
        ),
        load=_load,
        methods={
            "PLS, source only": over_splits(lambda: PLSRegression(8, scale=False), plain=True),
            "PLS, means moved": over_splits(lambda: DIPLSRegressor(8, reg=0.0)),
            "DIPLS": over_splits(lambda: DIPLSRegressor(8)),
            "DIPLS, reg=1e8": over_splits(lambda: DIPLSRegressor(8, reg=1e8)),
        },
        published={"PLS, source only": {"m5>mp6": 1.69, "mp6>mp5": 0.215}},
        digits=3,
        tolerance=0.05,
        higher_is_better=False,
        origin=origin("corn_nir"),
    ),
    Task(
        name="corn-two-targets",
        protocol=(
            "Raw spectra, 8 latent variables; one source instrument and two targets without "
            "values. 60 samples\nto fit, RMSEP on the other 20, mean of both targets, 10 splits."
        ),
        pairs=lambda data: (
            [f"{pair} {what}" for what in ("moisture", "protein") for pair in TWO_TARGETS]
            if (data / "corn_nir" / "corn.mat").exists()
            else []
        ),
        load=_load_three,
        methods={
            "PLS, source only": over_two_targets(source_model),
            "DIPLS, targets pooled": over_two_targets(for_all(DIPLSRegressor(8))),
            "DIPLS, per_target": over_two_targets(for_all(DIPLSRegressor(8, per_target=True))),
            "DIPLS for each target": over_two_targets(for_each(DIPLSRegressor(8))),
            "KernelDIPLS, per_target": over_two_targets(
                for_all(KernelDIPLSRegressor(8, per_target=True))
            ),
            "KernelDIPLS, means": over_two_targets(
                for_all(KernelDIPLSRegressor(8, criterion="mean"))
            ),
        },
        digits=3,
        tolerance=0.05,
        higher_is_better=False,
        origin=origin("corn_nir"),
    ),
]
