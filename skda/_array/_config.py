"""Where the arithmetic runs: a thread-local setting, shaped like scikit-learn's own."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from scipy import sparse

from ._backend import backend_of
from ._devices import find_backend

_DEFAULTS = {"backend": None, "device": None}
# As in scikit-learn: a setting in one thread must not move the arithmetic of another.
_thread = threading.local()


def _current():
    # A thread-local object is empty in every new thread.
    if not hasattr(_thread, "config"):
        _thread.config = dict(_DEFAULTS)
    return _thread.config


def get_config() -> dict[str, Any]:
    """Return the current settings of skda.

    Returns
    -------
    config : dict
        ``backend``: None (compute where the data are), "numpy", "torch" or "cupy".
        ``device``: None (the backend's default) or a device of that backend.

    See Also
    --------
    set_config : Change the settings of this thread.
    config_context : Change them for a block of code.

    Examples
    --------
    >>> import skda
    >>> skda.get_config()
    {'backend': None, 'device': None}
    """
    # A copy, so that editing it changes no setting.
    return dict(_current())


def set_config(
    *,
    backend: Literal["numpy", "torch", "cupy", "array_api_strict"] | None = None,
    device: Any = None,
) -> None:
    """Choose where skda computes, for this thread, until changed again.

    Parameters
    ----------
    backend : {"numpy", "torch", "cupy", "array_api_strict"} or None, default=None
        Library that does the arithmetic. None computes where the data are: torch tensors in
        torch, CuPy arrays in CuPy, everything else in NumPy. Results come back as what came in.
    device : str or device object or None, default=None
        Device of that backend, for example ``"cuda"`` or ``"cuda:1"``. None is the backend's
        default device. Needs `backend`.

    Raises
    ------
    ImportError
        If the backend is not installed.
    ValueError
        If the backend is unknown or does not see the device; the message lists what it sees.

    See Also
    --------
    config_context : The same for a block of code only.

    Notes
    -----
    The setting is thread-local, as scikit-learn's is: other threads keep the defaults.

    Examples
    --------
    >>> import skda
    >>> skda.set_config(backend="numpy")
    >>> skda.get_config()["backend"]
    'numpy'
    >>> skda.set_config()
    """
    if backend is not None or device is not None:
        find_backend(backend, device)  # fail here rather than in a later fit
    _current().update(backend=backend, device=device)


@contextmanager
def config_context(
    *,
    backend: Literal["numpy", "torch", "cupy", "array_api_strict"] | None = None,
    device: Any = None,
) -> Iterator[None]:
    """Choose where skda computes inside a ``with`` block.

    Parameters
    ----------
    backend : {"numpy", "torch", "cupy", "array_api_strict"} or None, default=None
        Library that does the arithmetic, see :func:`set_config`.
    device : str or device object or None, default=None
        Device of that backend, see :func:`set_config`.

    Yields
    ------
    None
        Nothing; the former settings return at the end of the block, also after an error.

    See Also
    --------
    set_config : The same without a block.

    Notes
    -----
    Estimators that scikit-learn clones inside the block (every search and cross-validation
    clones) carry the setting to the worker processes of ``n_jobs``. Threads started inside the
    block do not see it.

    Examples
    --------
    >>> import skda
    >>> with skda.config_context(backend="numpy"):
    ...     skda.get_config()["backend"]
    'numpy'
    """
    former = get_config()
    set_config(backend=backend, device=device)
    try:
        yield
    finally:
        _current().update(former)


def carry_config(estimator):
    """Note on a fresh clone the settings under which it was made, for worker processes."""
    # Worker processes begin with the defaults; scikit-learn clones in the parent and fits there.
    if _current() != _DEFAULTS:
        estimator._carried_config = (os.getpid(), get_config())


def config_for(estimator):
    """Return the settings that hold for a call of this estimator.

    They are this thread's, except in a worker process with default settings: there the note left
    by the parent process counts. The process id keeps a note that was saved to disk from acting.
    """
    pid, config = getattr(estimator, "_carried_config", (None, None))
    if config is not None and _current() == _DEFAULTS and os.getppid() == pid:
        return config
    return _current()


def working_backend(x, estimator=None):
    """Return the backend in which the arithmetic on x runs: the configured one, or x's own."""
    config = config_for(estimator)
    # Sparse matrices are SciPy's wherever the arithmetic on dense rows runs.
    if config["backend"] is None or sparse.issparse(x):
        return backend_of(x)
    return find_backend(config["backend"], config["device"])
