"""CORAL: fit_transform beside its arithmetic, dense, wide and sparse, and in single precision."""

import numpy as np
from scipy import sparse

from skda import CORALTransformer

from .._case import Case


def rows(n, d, dtype="float64"):
    """Two domains with different covariances, source first."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2 * n, d)).astype(dtype)
    X[n:] *= np.linspace(0.5, 2.0, d, dtype=dtype)
    return X, np.repeat([1, -2], n)


def dense(n, d):
    X, sample_domain = rows(n, d)

    def ours():
        CORALTransformer(match_mean=False).fit_transform(X, sample_domain=sample_domain)

    def floor():
        roots = [np.linalg.eigh(part.T @ part).eigenvectors for part in (X[:n], X[n:])]
        X[:n] @ roots[0]

    def skada_coral():
        from skada import CORALAdapter

        CORALAdapter().fit_transform(X, sample_domain=sample_domain)

    def adapt_coral():
        from adapt.feature_based import CORAL

        model = CORAL(verbose=0, lambda_=1.0)
        model.fit_transform(X[:n], X[n:])

    return {
        "skda": ours,
        "floor": floor,
        "skada": skada_coral,
        "adapt": adapt_coral,
    }


def precision(n, d):
    works = {}
    for dtype in ("float32", "float64"):
        X, sample_domain = rows(n, d, dtype)

        def work(X=X, sample_domain=sample_domain):
            CORALTransformer(match_mean=False).fit_transform(X, sample_domain=sample_domain)

        works[f"skda {dtype}"] = work
    return works


def bag_of_words(n, d, density):
    X = sparse.random(2 * n, d, density=density, format="csr", random_state=0)
    sample_domain = np.repeat([1, -2], n)

    def ours():
        CORALTransformer(match_mean=False).fit_transform(X, sample_domain=sample_domain)

    return {"skda": ours}


CASES = [
    Case("coral", "dense", ({"n": 20_000, "d": 128}, {"n": 20_000, "d": 512}), dense),
    Case("coral", "float32 against float64", ({"n": 20_000, "d": 512},), precision),
    Case("coral", "sparse", ({"n": 2_000, "d": 20_000, "density": 0.005},), bag_of_words, 1),
]
