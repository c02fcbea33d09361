"""Importance weights: KMM, KLIEP and RuLSIF, searches included, beside SKADA and ADAPT.

Objectives are of the weights found. KMM: squared MMD of the weighted source to the target, smaller
is better. KLIEP: mean log-weight of fresh target rows, larger is better. RuLSIF: the least-squares
criterion on fresh rows of both domains, smaller is better.
"""

import numpy as np

from skda import KLIEPWeighter, KMMWeighter, RuLSIFWeighter
from skda._numerics._kernels import kernel_matrix, kernel_mean, kernel_row_means, resolve_gamma

from .._case import Case

ALPHA = 0.1


def rows(n, d, seed=0):
    """Source N(0, I), and a target that is narrower and moved along one axis; source first."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2 * n, d))
    X[n:] *= 0.8
    X[n:, 0] += 1.0
    return X, np.repeat([1, -2], n)


def kmm(n, d, width):
    X, sample_domain = rows(n, d)
    S, T = X[:n], X[n:]
    gamma = width * resolve_gamma("median", X, random_state=0)
    K, cross = kernel_matrix(S, gamma=gamma), kernel_row_means(S, T, gamma=gamma)
    constant = kernel_mean(T, T, gamma=gamma)

    def mmd2(beta):
        beta = np.ravel(beta)
        return float(beta @ K @ beta / n**2 - 2.0 * beta @ cross / n + constant)

    def ours():
        model = KMMWeighter(gamma=gamma, reg=0.0, min_effective_size=None).fit(
            X, sample_domain=sample_domain
        )
        return mmd2(model.beta_)

    def skada_kmm():
        from skada import KMMReweightAdapter

        model = KMMReweightAdapter(gamma=gamma).fit(X, sample_domain=sample_domain)
        return mmd2(model.source_weights_)

    def adapt_kmm():
        from adapt.instance_based import KMM

        model = KMM(Xt=T, kernel="rbf", gamma=gamma, max_size=n, verbose=0)
        return mmd2(model.fit_weights(S, T))

    works = {"skda": ours, "skada": skada_kmm}
    return works | {"adapt": adapt_kmm} if n <= 1_000 else works  # ADAPT: minutes at 4,000


def candidates(X):
    median = resolve_gamma("median", X, random_state=0)
    return [median * 10.0 ** (half / 2) for half in range(-4, 5)]


def kliep(n, d):
    X, sample_domain = rows(n, d)
    S, T = X[:n], X[n:]
    fresh = rows(n, d, seed=1)[0][n:]
    gammas = candidates(X)

    def likelihood(gamma, centers, coef):
        normalizer = np.mean(kernel_matrix(S, centers, gamma=gamma) @ coef)
        return float(np.log(kernel_matrix(fresh, centers, gamma=gamma) @ coef / normalizer).mean())

    def ours():
        model = KLIEPWeighter(gamma=gammas, random_state=0, min_effective_size=None).fit(
            X, sample_domain=sample_domain
        )
        return likelihood(model.gamma_, model.centers_, model.coef_)

    def adapt_kliep():
        from adapt.instance_based import KLIEP

        model = KLIEP(Xt=T, kernel="rbf", gamma=gammas, verbose=0, random_state=0)
        model.fit_weights(S, T)
        return likelihood(model.best_params_["gamma"], model.centers_, np.ravel(model.alphas_))

    return {"skda": ours, "adapt": adapt_kliep}


def rulsif(n, d):
    X, sample_domain = rows(n, d)
    S, T = X[:n], X[n:]
    fresh = rows(n, d, seed=1)[0]
    gammas, regs = candidates(X), [10.0 ** (half / 2) for half in range(-6, 3)]

    def criterion(gamma, centers, coef):
        w = np.ravel(kernel_matrix(fresh, centers, gamma=gamma) @ coef)
        w_s, w_t = w[:n], w[n:]
        value = 0.5 * ALPHA * np.mean(w_t**2) + 0.5 * (1 - ALPHA) * np.mean(w_s**2)
        return float(value - np.mean(w_t))

    def ours():
        model = RuLSIFWeighter(
            alpha=ALPHA, gamma=gammas, reg=regs, random_state=0, min_effective_size=None
        )
        model.fit(X, sample_domain=sample_domain)
        return criterion(model.gamma_, model.centers_, model.coef_)

    def adapt_rulsif():
        from adapt.instance_based import RULSIF

        model = RULSIF(
            Xt=T, kernel="rbf", gamma=gammas, lambdas=regs, alpha=ALPHA, verbose=0, random_state=0
        )
        model.fit_weights(S, T)
        return criterion(model.best_params_["k"]["gamma"], model.centers_, model.thetas_)

    return {"skda": ours, "adapt": adapt_rulsif}


SMALL = {"n": 1_000, "d": 50, "width": 1.0}
SIZES = ({"n": 2_000, "d": 50}, {"n": 4_000, "d": 50})

CASES = [
    Case(
        "instance",
        "KMM",
        (SMALL, *({**size, "width": width} for width in (1.0, 0.1, 10.0) for size in SIZES)),
        kmm,
        3,
    ),
    Case("instance", "KLIEP with its search", SIZES, kliep, 2),
    Case("instance", "RuLSIF with its search", SIZES, rulsif, 2),
]
