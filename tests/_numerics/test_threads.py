"""Tasks on the threads of linear algebra: all are done, alike on any number of them."""

import multiprocessing
import os
import threading
import time

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from skda._numerics import _kernels, _threads
from skda._numerics._threads import limit_blas_threads, run_parallel
from skda.metrics import mmd

HOST = np.zeros(1)


def blas_threads():
    return [
        library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"
    ]


@pytest.fixture
def two_threads():
    with threadpool_limits(2, "blas"):
        if 2 not in blas_threads():
            pytest.skip("linear algebra without threads to share out")
        yield


@pytest.mark.usefixtures("two_threads")
def test_every_task_is_done_once_and_by_two_threads():
    done, names = [], set()
    barrier = threading.Barrier(2, timeout=30)  # would break with a single thread

    def work(i):
        if i < 2:
            barrier.wait()
        names.add(threading.current_thread().name)
        done.append(i)

    run_parallel(work, range(20), like=HOST)
    assert sorted(done) == list(range(20))
    assert len(names) == 2


@pytest.mark.usefixtures("two_threads")
def test_linear_algebra_has_one_thread_within_and_all_of_them_after():
    within = []
    run_parallel(lambda _: within.extend(blas_threads()), range(8), like=HOST)
    assert set(within) == {1}
    assert 2 in blas_threads()


@pytest.mark.usefixtures("two_threads")
def test_an_error_of_a_task_ends_the_work_and_leaves_nothing_behind():
    done = []

    def work(i):
        if i == 3:
            raise ValueError("three")
        time.sleep(0.001)
        done.append(i)

    with pytest.raises(ValueError, match="three"):
        run_parallel(work, range(400), like=HOST)
    assert len(done) < 50
    assert 2 in blas_threads()
    with limit_blas_threads() as n_threads:
        assert n_threads == 2


@pytest.mark.usefixtures("two_threads")
def test_tasks_within_tasks_run_on_the_thread_they_are_on():
    pairs = []

    def outer(_):
        name = threading.current_thread().name
        run_parallel(
            lambda _: pairs.append((name, threading.current_thread().name)), range(8), like=HOST
        )

    run_parallel(outer, range(8), like=HOST)
    assert len(pairs) == 64
    assert all(without == within for without, within in pairs)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_process_forked_during_the_work_has_its_threads():
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    with limit_blas_threads():
        process = context.Process(target=_takes_lock, args=(queue,))
        process.start()
    assert queue.get(timeout=30)
    process.join()


def _takes_lock(queue):
    queue.put(_threads._limit_lock.acquire(blocking=False))


@pytest.mark.usefixtures("two_threads")
def test_settings_of_the_calling_thread_hold_in_the_others():
    seen = []
    with np.errstate(over="ignore", under="raise"):
        run_parallel(lambda _: seen.append(np.geterr()["under"]), range(8), like=HOST)
    assert set(seen) == {"raise"}


@pytest.mark.usefixtures("two_threads")
def test_little_work_and_other_libraries_stay_on_the_calling_thread(xp):
    names = []

    def work(_):
        names.append(threading.current_thread().name)

    run_parallel(work, range(1), like=HOST)
    run_parallel(work, range(20), like=HOST, operations=1e6)
    foreign = xp.asarray(np.zeros(1))
    if not isinstance(foreign, np.ndarray):
        run_parallel(work, range(20), like=foreign)
    assert set(names) == {threading.current_thread().name}


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("kernel", ["rbf", "laplacian", "poly"])
def test_kernels_are_the_same_on_one_thread_and_on_two(kernel, monkeypatch):
    monkeypatch.setattr(_kernels, "_TILE_BYTES", 8192)  # tiles of 32 rows
    monkeypatch.setattr(_threads, "_MIN_OPERATIONS", 0)
    pools = []
    pool = _threads.ThreadPoolExecutor
    monkeypatch.setattr(_threads, "ThreadPoolExecutor", lambda n: pools.append(n) or pool(n))
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(300, 3)), rng.normal(size=(200, 3))
    params = {"kernel": kernel, "gamma": 0.3}

    def figures():
        return (
            _kernels.kernel_matrix(X, **params),
            _kernels.kernel_matrix(X, Y, **params),
            _kernels.kernel_apply(X, Y, np.ones(200), **params),
            mmd(X, Y, **params),
        )

    on_two = figures()
    assert len(pools) >= 4 and set(pools) == {2}
    with threadpool_limits(1, "blas"):
        on_one = figures()
    for one, two in zip(on_one, on_two, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-12)


@pytest.mark.usefixtures("two_threads")
def test_a_kernel_of_the_user_runs_on_the_calling_thread():
    names = []

    def kernel(A, B):
        names.append(threading.current_thread().name)
        return A @ B.T

    X = np.random.default_rng(0).normal(size=(1200, 3))
    mmd(X[:600], X[600:], kernel=kernel)
    _kernels.kernel_row_means(X, X, kernel=kernel)
    assert set(names) == {threading.current_thread().name}
