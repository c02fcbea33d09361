"""ComBat and domain-invariant PLS beside the packages that their users know."""

import contextlib
import io

import numpy as np

from skda import ComBatTransformer, DIPLSRegressor

from .._case import Case


def combat(n, d, sites, version):
    """Fit and transform, with a covariate; the objective is the mean square of what comes out.

    It agrees with neuroHarmonize to six digits but for "gam", where the penalties are chosen
    otherwise. combatlearn shrinks a feature's effects over sites, and not a site's over features.
    """
    rng = np.random.default_rng(0)
    site = rng.integers(0, sites, n)
    age = rng.uniform(20, 80, n)
    X = rng.normal(size=(n, d)) + np.outer(np.sin(age / 12.0), rng.normal(size=d))
    X = X * rng.uniform(0.5, 2.0, (sites, d))[site] + rng.normal(size=(sites, d))[site]
    both = np.column_stack([X, age])
    params = {
        "linear": {"covariates": [d]},
        "gam": {"smooth_covariates": [d]},
        "covbat": {"covariates": [d], "covariance_components": 0.95},
    }[version]

    def size(harmonised):
        return float(np.mean(harmonised**2))

    def ours():
        moved = ComBatTransformer(**params).fit_transform(both, sample_domain=site)
        return size(moved[:, :d])

    def neuroharmonize():
        import pandas as pd
        from neuroHarmonize import harmonizationLearn

        table = pd.DataFrame({"SITE": site.astype(str), "age": age})
        smooth = ["age"] if version == "gam" else []
        with contextlib.redirect_stdout(io.StringIO()):
            return size(harmonizationLearn(X.copy(), table, smooth_terms=smooth, seed=0)[1])

    def combatlearn():
        import pandas as pd
        from combatlearn.sklearn_api import ComBat

        method = {"linear": "fortin", "gam": "gam", "covbat": "chen"}[version]
        table = pd.DataFrame({"age": age})
        model = ComBat(pd.Series(site.astype(str)), continuous_covariates=table, method=method)
        return size(model.fit_transform(pd.DataFrame(X)).to_numpy())

    contenders = {"skda": ours, "neuroHarmonize": neuroharmonize, "combatlearn": combatlearn}
    if version == "covbat":  # neuroHarmonize has none
        del contenders["neuroHarmonize"]
    return contenders


def dipls(n, d, targets):
    """Fit; the objective is the length of the coefficients of the first target."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=((1 + targets) * n, d)) @ rng.normal(size=(d, d)) / d
    y = X[:, 0] - X[:, 1]
    ids = np.repeat([1, *range(-2, -2 - targets, -1)], n)
    parts = [X[ids == i] - X[ids == i].mean(axis=0) for i in dict.fromkeys(ids.tolist())]
    centered = (y[:n] - y[:n].mean())[:, None]

    def ours():
        model = DIPLSRegressor(4, reg=10.0, per_target=True).fit(X, y, sample_domain=ids)
        # The first target has the largest id, and ids are sorted.
        return float(np.linalg.norm(np.atleast_2d(model.coef_)[-1]))

    def diplslib():
        from diPLSlib.functions import dipals

        regs, rows = (10.0,) * 4, [part.copy() for part in parts[1:]]
        found = dipals(parts[0], centered, parts[0], rows, 4, regs, target_domain=1)
        return float(np.linalg.norm(found[0]))

    return {"skda": ours, "diPLSlib": diplslib}


def sizes(version):
    """Small for "gam": neuroHarmonize takes two seconds for each feature of 1,000 rows."""
    n, d = (300, 10) if version == "gam" else (1000, 30)
    return ({"n": n, "d": d, "sites": 8, "version": version},)


CASES = [
    *(
        Case("combat", version, sizes(version), combat, 1 if version == "gam" else 5)
        for version in ("linear", "gam", "covbat")
    ),
    Case("combat", "dipls", ({"n": 200, "d": 100, "targets": 2},), dipls, 3),
]
