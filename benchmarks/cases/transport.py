"""Optimal transport beside POT and SKADA: exact plans, Sinkhorn, JDOT."""

import warnings

import numpy as np
from sklearn.linear_model import LogisticRegression

from skda import JDOTClassifier, LinearTransportTransformer, OptimalTransportTransformer
from skda._numerics._sinkhorn import sinkhorn_plan
from skda._numerics._transport import cost_matrix, cost_unit, exact_plan

from .._case import Case


def costs(n, d):
    """Cost matrix between two Gaussian domains, its median being 1."""
    rng = np.random.default_rng(0)
    M = cost_matrix(rng.normal(size=(n, d)), rng.normal(size=(n, d)) + 0.5)
    return M / cost_unit(M, "median")


def misplaced(P):
    """Share of the mass that is not where uniform marginals want it."""
    n, m = P.shape
    return np.abs(P.sum(1) - 1 / n).sum() + np.abs(P.sum(0) - 1 / m).sum()


def exact(n, d):
    M = costs(n, d)

    def pot():
        import ot

        return ot.emd2([], [], M, numItermax=10**9)

    return {"skda": lambda: exact_plan(M).cost, "pot": pot}


def entropic(n, d, reg):
    """The misplaced mass is printed beside the time: POT stops at a limit of iterations too."""
    M = costs(n, d)

    def ours():
        return misplaced(sinkhorn_plan(M, reg=reg, max_iter=20_000).coupling)

    def pot(method):
        def work():
            import ot

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                # POT measures the error of one side by its 2-norm; ours is 1e-6 in the 1-norm.
                return misplaced(
                    ot.sinkhorn([], [], M, reg, method, numItermax=3_000, stopThr=1e-6 / np.sqrt(n))
                )

        return work

    works = {"skda": ours, "pot sinkhorn (plain)": pot("sinkhorn")}
    if (
        reg >= 0.1
    ):  # below, the stabilized solver returns plans without mass, the other takes minutes
        works |= {f"pot {name}": pot(name) for name in ("sinkhorn_stabilized", "sinkhorn_log")}
    return works


def joint(n, d):
    """Both with exact plans, a logistic regression and mean-normalized costs."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 2 * n)
    X = rng.normal(size=(2 * n, d))
    X[:, :2] += y[:, None] * [1.0, 0.7]
    X[n:] = X[n:] @ (np.eye(d) + 0.15 * rng.normal(size=(d, d))) + 0.5
    sample_domain = np.repeat([1, -2], n)
    base = LogisticRegression(C=0.01)

    def ours():
        model = JDOTClassifier(base, cost_scale="mean", reg=None).fit(
            X, y, sample_domain=sample_domain
        )
        return model.objectives_[-1]

    def skada():
        from skada import JDOTClassifier as Peer

        model = Peer(base)
        model.fit(X, y, sample_domain=sample_domain)
        return model.lst_loss_ot_[-1]

    return {"skda": ours, "skada": skada}


def mapped(n, d, reg):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2 * n, d))
    X[n:] = X[n:] * 1.5 + 0.5
    sample_domain = np.repeat([1, -2], n)

    def ours():
        OptimalTransportTransformer(reg=reg, marginal_reg=None).fit_transform(
            X, sample_domain=sample_domain
        )

    def pot():
        import ot

        if reg is None:
            peer = ot.da.EMDTransport(norm="median", max_iter=10**9)
        else:
            peer = ot.da.SinkhornTransport(reg_e=reg, norm="median", max_iter=20_000, tol=1e-8)
        peer.fit(Xs=X[:n], Xt=X[n:]).transform(Xs=X[:n])

    def skada():
        from skada import EntropicOTMappingAdapter, OTMappingAdapter

        if reg is None:
            peer = OTMappingAdapter(norm="median", max_iter=10**9)
        else:
            peer = EntropicOTMappingAdapter(reg_e=reg, norm="median", max_iter=20_000, tol=1e-8)
        peer.fit_transform(X, sample_domain=sample_domain)

    return {"skda": ours, "pot": pot, "skada": skada}


def linear(n, d):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2 * n, d))
    X[n:] = X[n:] * 1.5 + 0.5
    sample_domain = np.repeat([1, -2], n)

    def ours():
        LinearTransportTransformer().fit_transform(X, sample_domain=sample_domain)

    def pot():
        import ot

        A, b = ot.gaussian.empirical_bures_wasserstein_mapping(X[:n], X[n:])
        X[:n] @ A + b

    return {"skda": ours, "pot": pot}


CASES = [
    Case("transport", "exact plan", ({"n": 1_000, "d": 50}, {"n": 2_000, "d": 50}), exact, 3),
    Case(
        "transport",
        "Sinkhorn to a misplaced mass of 1e-6",
        tuple({"n": 2_000, "d": 50, "reg": reg} for reg in (1.0, 0.1, 0.03, 0.01)),
        entropic,
        1,
    ),
    Case(
        "transport",
        "map of the source",
        ({"n": 2_000, "d": 50, "reg": None}, {"n": 2_000, "d": 50, "reg": 0.1}),
        mapped,
        3,
    ),
    Case("transport", "linear map", ({"n": 20_000, "d": 128},), linear, 3),
    Case("transport", "JDOT", ({"n": 2_000, "d": 50},), joint, 1),
]
