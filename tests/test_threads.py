"""Tasks on the threads of linear algebra: all are done, alike on any number of them."""

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from skda._kernels import kernel_apply, kernel_matrix
from skda._threads import for_each, one_blas_thread

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

    for_each(work, range(20), like=HOST)
    assert sorted(done) == list(range(20))
    assert len(names) == 2


@pytest.mark.usefixtures("two_threads")
def test_linear_algebra_has_one_thread_within_and_all_of_them_after():
    within = []
    for_each(lambda _: within.extend(blas_threads()), range(8), like=HOST)
    assert set(within) == {1}
    assert 2 in blas_threads()


@pytest.mark.usefixtures("two_threads")
def test_an_error_of_a_task_reaches_the_caller_and_leaves_nothing_behind():
    def work(i):
        if i == 13:
            raise ValueError("thirteen")

    with pytest.raises(ValueError, match="thirteen"):
        for_each(work, range(20), like=HOST)
    assert 2 in blas_threads()
    with one_blas_thread() as n_threads:
        assert n_threads == 2


@pytest.mark.usefixtures("two_threads")
def test_tasks_within_tasks_run_on_the_thread_they_are_on():
    inner = []
    for_each(
        lambda _: for_each(lambda _: inner.append(threading.active_count()), range(8), like=HOST),
        range(8),
        like=HOST,
    )
    assert len(inner) == 64
    assert max(inner) <= threading.active_count() + 2


@pytest.mark.usefixtures("two_threads")
def test_settings_of_the_calling_thread_hold_in_the_others():
    seen = []
    with np.errstate(over="ignore", under="raise"):
        for_each(lambda _: seen.append(np.geterr()["under"]), range(8), like=HOST)
    assert set(seen) == {"raise"}


def test_few_tasks_and_other_libraries_stay_on_the_calling_thread(xp):
    names = []
    for_each(lambda _: names.append(threading.current_thread().name), range(3), like=HOST)
    assert set(names) == {threading.current_thread().name}
    foreign = xp.asarray(np.zeros(1))
    if not isinstance(foreign, np.ndarray):
        for_each(lambda _: names.append(threading.current_thread().name), range(20), like=foreign)
        assert set(names) == {threading.current_thread().name}


@pytest.mark.parametrize("kernel", ["rbf", "laplacian", "poly"])
def test_kernels_are_the_same_on_one_thread_and_on_two(kernel):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(1200, 3)), rng.normal(size=(900, 3))
    results = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads, "blas"):
            results.append(
                (
                    kernel_matrix(X, kernel=kernel, gamma=0.3),
                    kernel_matrix(X, Y, kernel=kernel, gamma=0.3),
                    kernel_apply(X, Y, np.ones(900), kernel=kernel, gamma=0.3),
                )
            )
    for one, two in zip(*results, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-13)
