"""TCA and JDA beside other packages, beside one another, and beside their kernel matrix alone."""

import numpy as np

from skda import JDATransformer, TCATransformer
from skda._numerics._kernels import kernel_matrix

from .._case import Case

GAMMA = 0.01


def rows(n, d):
    """Two domains of n rows with two classes; the target is moved and stretched."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 2 * n)
    X = rng.normal(size=(2 * n, d))
    X[:, 0] += 3 * y
    X[n:] = X[n:] * np.linspace(0.7, 1.5, d) + 0.5
    return X, y, np.repeat([1, -2], n)


def gap(Z, n):
    """Length of the difference of the domain means, in standard deviations."""
    return float(np.linalg.norm((Z[:n].mean(axis=0) - Z[n:].mean(axis=0)) / Z.std(axis=0)))


def tca(n, d):
    """TCA as a whole; the figure is the gap that it leaves between the domains."""
    X, _, sample_domain = rows(n, d)

    def ours():
        model = TCATransformer(10, gamma=GAMMA, reg=1.0, kernel="rbf")
        return gap(model.fit_transform(X, sample_domain=sample_domain), n)

    def skada_tca():
        from skada import TransferComponentAnalysisAdapter

        model = TransferComponentAnalysisAdapter(n_components=10, kernel="rbf", mu=1.0)
        Z = model.fit_transform(X, sample_domain=sample_domain)
        return gap(np.asarray(Z), n)

    def adapt_tca():
        from adapt.feature_based import TCA

        model = TCA(n_components=10, mu=1.0, kernel="rbf", gamma=GAMMA, Xt=X[n:], verbose=0)
        Zs = model.fit_transform(X[:n], X[n:])
        return gap(np.vstack([Zs, model.transform(X[n:], domain="tgt")]), n)

    return {"skda": ours, "skada": skada_tca, "adapt": adapt_tca}


def growth(n, d):
    """TCA at n rows a domain beside TCA at half of them, and beside the kernel matrix alone."""
    X, _, sample_domain = rows(n, d)
    half = np.r_[: n // 2, n : n + n // 2]
    model = TCATransformer(10, gamma=GAMMA, reg=1.0, kernel="rbf")

    def half_the_rows():
        return gap(model.fit_transform(X[half], sample_domain=sample_domain[half]), n // 2)

    def kernel():
        kernel_matrix(X, gamma=GAMMA)

    return {
        "skda": lambda: gap(model.fit_transform(X, sample_domain=sample_domain), n),
        "half the rows": half_the_rows,
        "floor kernel": kernel,
    }


def nystroem(n, d, n_basis):
    """Nyström TCA beside the kernel block between all rows and the basis."""
    X, _, sample_domain = rows(n, d)
    model = TCATransformer(
        10, gamma=GAMMA, reg=1.0, solver="nystroem", n_basis=n_basis, random_state=0, kernel="rbf"
    )
    basis = X[:: 2 * n // n_basis][:n_basis]

    def kernel_block():
        kernel_matrix(X, basis, gamma=GAMMA)

    def fit():
        model.fit(X, sample_domain=sample_domain)

    return {
        "skda fit": fit,
        "skda fit and transform": lambda: gap(
            model.fit_transform(X, sample_domain=sample_domain), n
        ),
        "floor kernel block": kernel_block,
    }


def jda(n, d):
    """JDA with ten rounds, of which none is saved by early stopping, beside one TCA."""
    X, y, sample_domain = rows(n, d)
    y = np.random.default_rng(1).permutation(y)  # pseudo-labels that do not settle

    def ours():
        model = JDATransformer(10, gamma=GAMMA, reg=1.0, max_iter=10)
        model.fit_transform(X, y, sample_domain=sample_domain)
        return model.n_iter_

    def one_tca():
        TCATransformer(10, gamma=GAMMA, reg=1.0, kernel="rbf").fit_transform(
            X, sample_domain=sample_domain
        )

    return {"skda": ours, "skda TCA": one_tca}


CASES = [
    Case("feature", "TCA", ({"n": 2000, "d": 50},), tca, repeats=1),
    Case("feature", "TCA, twice the rows", ({"n": 4000, "d": 50},), growth, repeats=3),
    Case("feature", "Nyström TCA", ({"n": 100_000, "d": 50, "n_basis": 200},), nystroem, repeats=3),
    Case("feature", "JDA, ten rounds", ({"n": 2000, "d": 50},), jda, repeats=3),
]
