"""Simulated measurements at several sites, harmonised by ComBat and its kin, here and elsewhere.

What every row is without site effects is known, so that packages can be judged and not only
compared.
"""

from importlib.util import find_spec

import numpy as np
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from skda import ComBatTransformer, DomainScaler, make_domain_pipeline

from .._data import origin
from .._task import Task, target_accuracy
from . import heart_disease, music

N_SITES, N_ROWS, N_FEATURES, N_DRAWS = 5, 40, 12, 3
AGE, SEX, SCANNER = N_FEATURES, N_FEATURES + 1, N_FEATURES + 2
COVARIATES = [AGE, SEX]
FIRST = 1  # id of the first of the sources
PAIRS = ["line", "curve", "scanners", "covariances"]


def draw(kind, seed):
    """Rows with age, sex and scanner, their sites, and the rows without site effects."""
    rng = np.random.default_rng(seed)
    n, d = N_SITES * N_ROWS, N_FEATURES
    site = np.repeat(np.arange(N_SITES), N_ROWS)
    # The last site, the target, is of older people.
    age = rng.uniform(20, 70, n) + 10.0 * (site == N_SITES - 1)
    sex, scanner = rng.integers(0, 2, n), rng.integers(0, 3, n)
    effect = np.sin(age / 12.0) * 1.5 if kind == "curve" else age / 25.0
    base = np.outer(effect, rng.normal(size=d)) + np.outer(sex, rng.normal(size=d))
    shared, own = rng.normal(size=(n, 2)), rng.normal(size=(n, d))
    loadings = rng.normal(size=(2, d))
    strength = np.ones(n)
    if kind == "covariances":
        strength = rng.uniform(0.2, 2.0, N_SITES)[site]
    truth = base + shared @ loadings + own
    X = base + (shared * strength[:, None]) @ loadings + own
    for labels, used in ((site, True), (scanner, kind == "scanners")):
        for name in np.unique(labels) if used else ():
            rows = labels == name
            X[rows] = X[rows] * rng.uniform(0.7, 1.5, d) + rng.normal(size=d) * 2.0
    sample_domain = np.where(site == N_SITES - 1, -1, site)
    return np.column_stack([X, age, sex, scanner]), sample_domain, truth


def distance(harmonised, truth):
    """Root mean square of what is not an offset or gain of a feature, over its spread.

    Packages put rows in the same units up to a common offset and gain of each feature, which no
    method can know.
    """
    left = []
    for x, t in zip(harmonised.T, truth.T, strict=True):
        left.append(1.0 - np.corrcoef(x, t)[0, 1] ** 2)
    return float(np.sqrt(np.mean(left)))


def over_draws(harmonise):
    """Mean distance to the rows without site effects; ``harmonise(X, ids)`` returns features."""

    def score(X, y, sample_domain):
        found = []
        for seed in range(N_DRAWS):
            rows, ids, truth = draw(PAIRS[int(y)], seed)
            found.append(distance(harmonise(rows, ids), truth))
        return float(np.mean(found))

    return score


def ours(**params):
    """ComBat of skda with these parameters."""

    def harmonise(X, ids):
        # The scanner is no feature where it is no batch.
        used = X if "nested_batches" in params else X[:, :SCANNER]
        return ComBatTransformer(**params).fit_transform(used, sample_domain=ids)[:, :N_FEATURES]

    return harmonise


def of_neuroharmonize(**params):
    """neuroHarmonize with age and sex as covariates."""

    def harmonise(X, ids):
        import contextlib
        import io

        import pandas as pd
        from neuroHarmonize import harmonizationLearn

        table = {"SITE": [f"site {i}" for i in ids], "age": X[:, AGE], "sex": X[:, SEX]}
        with contextlib.redirect_stdout(io.StringIO()):
            features = X[:, :N_FEATURES].copy()
            return harmonizationLearn(features, pd.DataFrame(table), seed=0, **params)[1]

    return harmonise


def of_combatlearn(method, *, nested=False, **params):
    """ComBat of combatlearn with age and sex as covariates."""

    def harmonise(X, ids):
        import pandas as pd
        from combatlearn.sklearn_api import ComBat, NestedComBat

        sites = [f"site {i}" for i in ids]
        table = pd.DataFrame({"age": X[:, AGE], "sex": X[:, SEX]})
        params_ = params | {"continuous_covariates": table, "method": method}
        if nested:
            batches = pd.DataFrame(
                {"scanner": X[:, SCANNER].astype(int).astype(str), "site": sites}
            )
            combat = NestedComBat(batches, optimize_order=False, **params_)
        else:
            combat = ComBat(pd.Series(sites), **params_)
        return combat.fit_transform(pd.DataFrame(X[:, :N_FEATURES])).to_numpy()

    return harmonise


METHODS = {
    "not harmonised": lambda X, ids: X[:, :N_FEATURES],
    "ComBat": ours(covariates=COVARIATES),
    "ComBat, splines": ours(covariates=COVARIATES, smooth_covariates=[AGE]),
    "ComBat, nested": ours(covariates=COVARIATES, nested_batches=[SCANNER]),
    "CovBat": ours(covariates=COVARIATES, covariance_components=0.95),
}
if find_spec("neuroHarmonize"):
    METHODS |= {
        "neuroHarmonize": of_neuroharmonize(),
        "neuroHarmonize GAM": of_neuroharmonize(smooth_terms=["age"]),
    }
if find_spec("combatlearn"):
    METHODS |= {
        "combatlearn": of_combatlearn("fortin"),
        "combatlearn GAM": of_combatlearn("gam", smooth_terms=["age"]),
        "combatlearn nested": of_combatlearn("fortin", nested=True),
        "combatlearn CovBat": of_combatlearn("chen", covbat_cov_thresh=0.95),
    }


def _load(data, pair):
    return None, np.array(PAIRS.index(pair)), None


AGE_AND_SEX = [0, 1]  # columns of the heart data
SITE_METHODS = {
    "source only": None,
    "DomainScaler": DomainScaler(),
    "ComBat": ComBatTransformer(),
    "ComBat, first site": ComBatTransformer(reference=FIRST),
    "CovBat": ComBatTransformer(covariance_components=0.95),
}
COVARIATE_METHODS = {
    "ComBat, age and sex": ComBatTransformer(covariates=AGE_AND_SEX),
    "ComBat, age smooth": ComBatTransformer(covariates=[1], smooth_covariates=[0]),
    "CovBat, age and sex": ComBatTransformer(covariates=AGE_AND_SEX, covariance_components=0.95),
}


def on_sites(transformer):
    """Accuracy (%) on the target of a logistic regression of all other sites."""

    def make():
        steps = [] if transformer is None else [clone(transformer)]
        return make_domain_pipeline(*steps, StandardScaler(), LogisticRegression(max_iter=1000))

    return target_accuracy(make)


def others_as_sources(site, target):
    """Return ids of rows: -1 at the target, and FIRST and on at the other sites."""
    sources = {name: k + FIRST for k, name in enumerate(i for i in np.unique(site) if i != target)}
    return np.array([sources.get(i, -1) for i in site])


def _load_hospital(data, pair):
    names = list(heart_disease.HOSPITALS)
    parts = [heart_disease._read(data, name) for name in names]
    X = SimpleImputer(strategy="median").fit_transform(np.concatenate([rows for rows, _ in parts]))
    y = np.concatenate([labels for _, labels in parts])
    site = np.repeat(range(len(parts)), [len(labels) for _, labels in parts])
    return X, y, others_as_sources(site, names.index(pair[1:]))


def _load_noise(data, pair):
    X, y, site = music.read(data)
    return X, y, others_as_sources(site, 1 + music.NOISES.index(pair[1:]))


_AS_FITTED = (
    "the target, all others are sources;\nno target labels. Harmonised, standardized, logistic "
    "regression; accuracy (%) on the target rows of\nthe fit."
)

TASKS = [
    Task(
        name="harmonization-hospitals",
        protocol=(
            "Heart disease, 10 columns, gaps filled with the median of all rows. Each hospital is "
            + _AS_FITTED
        ),
        pairs=lambda data: (
            [f">{name}" for name in heart_disease.HOSPITALS]
            if (data / "uci_heart_disease").exists()
            else []
        ),
        load=_load_hospital,
        methods={k: on_sites(m) for k, m in (SITE_METHODS | COVARIATE_METHODS).items()},
        origin=origin("uci_heart_disease"),
    ),
    Task(
        name="harmonization-noises",
        protocol="Music, 57 features; recordings under each of four noises are " + _AS_FITTED,
        pairs=lambda data: music.PAIRS if (data / music.FOLDER).exists() else [],
        load=_load_noise,
        methods={k: on_sites(m) for k, m in SITE_METHODS.items()},
        origin=origin(music.FOLDER),
    ),
    Task(
        name="harmonization",
        protocol=(
            f"{N_FEATURES} simulated features of {N_SITES} sites with {N_ROWS} rows each, with an "
            "offset and a gain of every\nfeature at every site; age (in a line or a curve) and sex "
            "act on them, and the last site is older.\nscanners: three scanners at every site have "
            "offsets and gains too. covariances: what features\nshare is of another strength at "
            "every site. Square root of 1 - r² with the rows without site\neffects, r by feature; "
            f"{N_DRAWS} draws. neuroHarmonize 2.5.2, combatlearn 2.3.0."
        ),
        pairs=lambda data: PAIRS,
        load=_load,
        methods={name: over_draws(harmonise) for name, harmonise in METHODS.items()},
        digits=3,
        tolerance=0.05,
        higher_is_better=False,
    ),
]
