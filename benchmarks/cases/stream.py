"""A stream: ``partial_fit`` in batches of rows of one target, after a fit on the source."""

import numpy as np
from sklearn.base import clone

from skda import (
    CORALTransformer,
    DomainScaler,
    GaussianWeighter,
    LinearTransportTransformer,
    QuantileTransportTransformer,
)

from .._case import Case

BATCH = 10_000
N_SOURCE = 10_000


def batches(n, d):
    """A source, and a target of n rows to be cut into batches."""
    rng = np.random.default_rng(0)
    source = rng.normal(size=(N_SOURCE, d))
    return source, rng.normal(size=(n, d)) * np.linspace(0.9, 1.1, d) + 0.05


def stream(n, d):
    source, target = batches(n, d)
    ids = np.full(BATCH, -2)

    def follow(unfitted):
        def work():
            method = clone(unfitted)
            method.partial_fit(source, sample_domain=np.full(N_SOURCE, 1))
            for start in range(0, n, BATCH):
                method.partial_fit(target[start : start + BATCH], sample_domain=ids)

        return work

    def floor():
        scatter = 0.0
        for start in range(0, n, BATCH):
            part = target[start : start + BATCH]
            part = part - part.mean(axis=0)
            scatter = scatter + part.T @ part

    return {
        "skda CORAL": follow(CORALTransformer(direction="to_source")),
        "skda LinearTransport": follow(LinearTransportTransformer(direction="to_source")),
        "skda DomainScaler": follow(DomainScaler()),
        "skda GaussianWeighter": follow(GaussianWeighter(min_effective_size=None)),
        "skda QuantileTransport": follow(
            QuantileTransportTransformer(direction="to_source", n_quantiles=1000)
        ),
        "floor": floor,
    }


CASES = [
    Case("stream", "batches of a target", ({"n": 1_000_000, "d": 10},), stream, 3),
    Case("stream", "more features", ({"n": 500_000, "d": 50},), stream, 3),
]
