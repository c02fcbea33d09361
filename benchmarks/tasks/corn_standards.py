"""Corn samples on three spectrometers, some of them measured on both: calibration transfer."""

from importlib.util import find_spec

import numpy as np
from sklearn.cross_decomposition import PLSRegression

from skda import DIPLSRegressor, DirectStandardizationTransformer, PairedCCATransformer

from .._data import origin
from .._task import Task
from .corn import N_SEEDS, read

N_TRAIN = 60  # samples with a value on the source instrument; the other 20 are predicted
COMPONENTS = 8
STANDARDS = (10, 30)


def over_splits(predict, n_standards):
    """Mean RMSEP on 20 samples on the target instrument, over splits and draws of standards.

    ``predict(on_source, y, standards, on_target, new)`` is given the training spectra and values,
    which of them are standards, their spectra on the target instrument, and the new spectra.
    """

    def score(X, y, sample_domain):
        n = len(y) // 2  # the same samples in the same order on both instruments
        a, b, values = X[:n], X[n:], y[:n]
        errors = []
        for seed in range(N_SEEDS):
            order = np.random.default_rng(seed).permutation(n)
            train, test = order[:N_TRAIN], order[N_TRAIN:]
            standards = np.arange(n_standards)
            found = predict(a[train], values[train], standards, b[train[standards]], b[test])
            errors.append(np.sqrt(np.mean((np.ravel(found) - values[test]) ** 2)))
        return float(np.mean(errors))

    return score


def calibration():
    """PLS on raw spectra, as in the task without standards."""
    return PLSRegression(COMPONENTS, scale=False)


def source_only(on_source, y, standards, on_target, new):
    """The calibration of the source instrument as it is."""
    return calibration().fit(on_source, y).predict(new)


def target_standards(on_source, y, standards, on_target, new):
    """A calibration of the standards alone, whose values are known."""
    model = PLSRegression(min(COMPONENTS, len(standards) - 1), scale=False)
    return model.fit(on_target, y[standards]).predict(new)


def standardized(**params):
    """The source's calibration on standardized target spectra."""

    def predict(on_source, y, standards, on_target, new):
        standardizer = DirectStandardizationTransformer(**params)
        standardizer.fit_pairs(on_source[standards], on_target)
        return calibration().fit(on_source, y).predict(standardizer.transform(new))

    return predict


def canonical(**params):
    """A regression on the canonical components of the standards."""

    def predict(on_source, y, standards, on_target, new):
        cca = PairedCCATransformer(**params).fit_pairs(on_source[standards], on_target)
        scores = cca.transform(on_source, sample_domain=np.ones(len(on_source)))
        model = PLSRegression(scores.shape[1], scale=False).fit(scores, y)
        return model.predict(cca.transform(new))

    return predict


def without_pairs(on_source, y, standards, on_target, new):
    """DIPLS, which gets the standards' target spectra as rows without partners."""
    X = np.concatenate([on_source, on_target])
    ids = np.repeat([1, -2], [len(on_source), len(on_target)])
    values = np.concatenate([y, np.full(len(on_target), np.nan)])
    return DIPLSRegressor(COMPONENTS).fit(X, values, sample_domain=ids).predict(new)


def of_chemotools(name, **params):
    """The source's calibration on target spectra that chemotools has standardized."""

    def predict(on_source, y, standards, on_target, new):
        from chemotools import adaptation

        standardizer = getattr(adaptation, name)(**params)
        standardizer.fit(on_target, X_source=on_source[standards])
        return calibration().fit(on_source, y).predict(standardizer.transform(new))

    return predict


METHODS = {
    "PLS, source only": source_only,
    "PLS of the standards": target_standards,
    "DIPLS, no pairs": without_pairs,
    "DS": standardized(method="ds"),
    "PDS": standardized(method="pds"),
    "PDS, ridge": standardized(method="pds", regression="ridge"),
    "PDS, 2 components": standardized(method="pds", n_components=2),
    "SST": standardized(method="sst"),
    "SST, 5 components": standardized(method="sst", n_components=5),
    "PairedCCA, 8 components": canonical(n_components=8, reg=1e-6),
}
if find_spec("chemotools"):
    METHODS |= {
        "chemotools DS": of_chemotools("DirectStandardization"),
        "chemotools PDS": of_chemotools("PiecewiseDirectStandardization"),
        "chemotools SST": of_chemotools("SpectralSpaceTransform"),
    }


def _load(data, pair):
    source, target, what = pair.replace(" ", ">").split(">")
    return read(data, source, target, what)


TASKS = [
    Task(
        name=f"corn-{n_standards}-standards",
        protocol=(
            f"60 samples with values on the source instrument, {n_standards} of them measured "
            "on both\n(the standards). Raw spectra, PLS of 8 latent variables; RMSEP on the other "
            "20 samples on the\ntarget instrument, 10 splits. All methods as they come unless "
            "stated. chemotools 0.5."
        ),
        pairs=lambda data: (
            [f"{pair} {what}" for what in ("moisture", "protein") for pair in ("m5>mp6", "mp6>mp5")]
            if (data / "corn_nir" / "corn.mat").exists()
            else []
        ),
        load=_load,
        methods={name: over_splits(predict, n_standards) for name, predict in METHODS.items()},
        digits=3,
        tolerance=0.05,
        higher_is_better=False,
        origin=origin("corn_nir"),
    )
    for n_standards in STANDARDS
]
