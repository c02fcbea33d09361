"""A cluster of two worker processes on this machine, and a table with several domains."""

import warnings

import numpy as np
import pytest

pytest.importorskip("dask.array")
pytest.importorskip("dask.dataframe")


@pytest.fixture(scope="session")
def cluster():
    """A client of two worker processes, each with one thread, on the loopback interface."""
    distributed = pytest.importorskip("distributed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        local = distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            memory_limit=None,
        )
        client = distributed.Client(local, set_as_default=False)
        yield client
        client.close()
        local.close()


@pytest.fixture(params=["in this thread", "on a cluster"])
def anywhere(request):
    """Run the test under dask's synchronous scheduler, then on the cluster."""
    import dask

    if request.param == "in this thread":
        with dask.config.set(scheduler="synchronous"):
            yield
    else:
        client = request.getfixturevalue("cluster")
        with client.as_current(), dask.config.set(scheduler=client):
            yield


@pytest.fixture(scope="session")
def table():
    """Rows of two sources and two targets with classes, in mixed order."""
    rng = np.random.default_rng(0)
    n, d = 300, 4
    ids = rng.choice([1, 2, -3, -5], n)
    y = (rng.random(n) < np.where(ids >= 0, 0.5, 0.3)).astype(int)
    X = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 1.5 * y[:, None]
    for i in (2, -3, -5):
        rows = ids == i
        X[rows] = X[rows] @ (np.eye(d) + 0.3 * rng.normal(size=(d, d))) + 0.3 * rng.normal(size=d)
    return X, y, ids
