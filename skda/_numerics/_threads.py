"""Work on tiles, spread over the threads that linear algebra may use.

NumPy's exponentials and the products of small tiles run on one thread each. Run in parallel, they
use as many threads as the user allows to linear algebra, by ``OMP_NUM_THREADS`` or threadpoolctl.
"""

import math
import os
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from functools import cache

from threadpoolctl import ThreadpoolController

from .._array._backend import backend_of

_MIN_OPERATIONS = 2e8  # arithmetic operations (some milliseconds) from which a pool pays off
_limit_lock = threading.Lock()  # held by the one thread that limits linear algebra


def _renew_lock():
    global _limit_lock
    _limit_lock = threading.Lock()


if hasattr(os, "register_at_fork"):  # the thread that held the lock does not exist in the child
    os.register_at_fork(after_in_child=_renew_lock)


@cache
def _blas():
    return ThreadpoolController().select(user_api="blas")


@contextmanager
def limit_blas_threads(enabled=True):
    """Let linear algebra run on one thread, if enabled; yield how many it had.

    Several BLAS threads are slower than one on small problems, and idle threads busy-wait and delay
    what follows. The limit holds for the whole process. Inside it, and while another thread of the
    process holds it, the number yielded is 1. Limits that other threads set meanwhile with
    threadpoolctl should end before this one does: threadpoolctl restores the state that it found
    when a limit began, so that one which ends later would restore this limit.
    """
    lock = _limit_lock  # the same object is released, even if a fork replaces the global one
    if not (enabled and lock.acquire(blocking=False)):
        yield 1
        return
    try:
        n_threads = max((library.num_threads for library in _blas().lib_controllers), default=1)
        with _blas().limit(limits=1):
            yield n_threads
    finally:
        lock.release()


def run_parallel(work, tasks, *, like, operations=math.inf):
    """Call ``work(task)`` for every task, in any order, on the threads of linear algebra.

    Only pays off for tasks that release the GIL. If the estimated number of arithmetic operations
    is below `_MIN_OPERATIONS`, all tasks run on the calling thread. So they do where ``like`` is
    an array of another library than NumPy, which has its own threads. After an error no further
    task is started.
    """
    tasks = deque(tasks)
    if len(tasks) < 2 or not backend_of(like).is_numpy:
        _drain(work, tasks)
        return
    with limit_blas_threads() as n_threads:
        n_threads = min(n_threads, len(tasks))
        if n_threads == 1 or operations < _MIN_OPERATIONS:
            _drain(work, tasks)
            return
        with ThreadPoolExecutor(n_threads) as pool:
            futures = [
                pool.submit(copy_context().run, _drain, work, tasks) for _ in range(n_threads)
            ]
            try:
                for future in futures:
                    future.result()
            finally:  # also after KeyboardInterrupt: the pool's exit waits for running tasks only
                tasks.clear()


def _drain(work, tasks):
    try:
        while tasks:
            try:
                task = tasks.popleft()  # atomic: another thread may have taken the last one
            except IndexError:
                return
            work(task)
    except BaseException:
        tasks.clear()
        raise
