"""Work on tiles, spread over the threads that linear algebra may use.

NumPy's exponentials and the products of small tiles run on one thread each. Shared out, they use
all of those that the user grants to linear algebra, by ``OMP_NUM_THREADS`` or by threadpoolctl.
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

_MIN_OPERATIONS = 2e8  # operations from which a pool is worth its start
_turn = threading.Lock()


def _new_turn():
    global _turn
    _turn = threading.Lock()


if hasattr(os, "register_at_fork"):  # the thread that held it may not live on in the child
    os.register_at_fork(after_in_child=_new_turn)


@cache
def _blas():
    return ThreadpoolController().select(user_api="blas")


@contextmanager
def limit_blas_threads(wanted=True):
    """Let linear algebra run on one thread, if so wanted; yield how many it had.

    Several of them are slower where each has little to do, and wait for more of it in the way of
    whatever comes next. The limit holds for the whole process. Within it, and while another thread
    of the process holds it, the number yielded is 1. As all limits of threadpoolctl it should end
    after those that other threads set meanwhile: one that outlives it puts its own state back.
    """
    turn = _turn
    if not (wanted and turn.acquire(blocking=False)):
        yield 1
        return
    try:
        n_threads = max((library.num_threads for library in _blas().lib_controllers), default=1)
        with _blas().limit(limits=1):
            yield n_threads
    finally:
        turn.release()


def run_parallel(work, tasks, *, like, operations=math.inf):
    """Call ``work(task)`` for every task, on NumPy in any order on the threads of linear algebra.

    Worth it for work whose time goes to functions that let go of the interpreter. Of less than
    some milliseconds, told by the number of its arithmetic operations, each task has its turn on
    the calling thread. Where ``like`` is an array of another library, that one has its own threads.
    After an error no further task is begun.
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
            shares = [
                pool.submit(copy_context().run, _drain, work, tasks) for _ in range(n_threads)
            ]
            try:
                for share in shares:
                    share.result()
            finally:  # also where the wait is interrupted
                tasks.clear()


def _drain(work, tasks):
    try:
        while tasks:
            try:
                task = tasks.popleft()  # by one thread alone
            except IndexError:
                return
            work(task)
    except BaseException:
        tasks.clear()
        raise
