"""Corn samples on three near-infrared spectrometers: a calibration of one used on another."""

import numpy as np
from scipy.io import loadmat
from sklearn.cross_decomposition import PLSRegression

from skda import DIPLSRegressor, stack_domains

from .._data import origin
from .._task import Task

N_SEEDS = 10


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
    )
]
