"""Arrays stay where they are, or go where the configuration says, and come back."""

import importlib.util
import os
import pickle
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import array_api_compat
import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from sklearn.base import clone

import skda
from skda import CORALTransformer, config_context, get_config, set_config
from skda._array._backend import (
    Backend,
    backend_of,
    check_foreign_array,
    float_dtype,
    is_foreign_array,
    namespace,
    to_numpy,
)
from skda._array._config import working_backend
from skda._array._devices import find_backend


def test_round_trip_through_every_backend_changes_nothing(xp):
    X = np.arange(6.0).reshape(2, 3)
    there = xp.asarray(X)
    np.testing.assert_array_equal(to_numpy(there), X)
    assert backend_of(there) == (
        Backend() if xp.name == "numpy" else find_backend(xp.name, xp.device)
    )
    assert namespace(there, None, [1]) is xp.xp


def test_an_array_that_is_there_already_is_not_copied(xp):
    X = xp.asarray(np.eye(2))
    assert xp.backend.asarray(X) is X


def test_awkward_numpy_memory_reaches_torch_without_a_warning():
    X = np.arange(6.0).reshape(2, 3)
    X.setflags(write=False)
    for awkward in (X, X[::-1], X.T, X[:, ::2]):
        moved = find_backend("torch", "cpu").asarray(awkward)
        np.testing.assert_array_equal(to_numpy(moved), awkward)


def test_moving_never_lets_a_write_reach_the_users_read_only_array():
    X = np.zeros(3)
    X.setflags(write=False)
    moved = find_backend("torch", "cpu").asarray(X)
    moved += 1
    assert (X == 0).all()


def test_float32_stays_and_the_rest_becomes_float64():
    xp = namespace(torch.zeros(1))
    assert float_dtype(torch.zeros(1, dtype=torch.float32), xp) == torch.float32
    assert float_dtype(torch.zeros(1, dtype=torch.int32), xp) == torch.float64
    assert float_dtype(np.zeros(1, dtype=np.int8), np) == np.float64


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (torch.zeros(3), "Expected 2D array, got 1D array"),
        (torch.zeros(0, 3), r"Found array with 0 sample\(s\)"),
        (torch.zeros(3, 0), r"Found array with 0 feature\(s\)"),
        (torch.tensor([[1.0, float("nan")]]), "contains NaN or infinity"),
        (torch.tensor([[1.0, float("inf")]]), "contains NaN or infinity"),
        (torch.tensor([[1.0 + 1j]]), "Complex data not supported"),
    ],
)
def test_bad_tensors_are_refused_in_scikit_learns_words(X, words):
    with pytest.raises(ValueError, match=words):
        check_foreign_array(X)
    with pytest.raises(ValueError, match=words):
        CORALTransformer().fit(X, sample_domain=[1, -2, 1][: len(X)])


def test_large_but_finite_values_are_not_taken_for_infinity():
    X = torch.full((4, 1), 1e308, dtype=torch.float64)  # their sum overflows
    assert check_foreign_array(X) is X


def test_tensors_that_require_a_gradient_are_read():
    X = torch.eye(4, requires_grad=True)
    assert to_numpy(X).sum() == 4


# Configuration.


def test_context_returns_to_the_former_settings_even_after_an_error():
    before = get_config()
    with pytest.raises(RuntimeError), config_context(backend="torch", device="cpu"):
        assert get_config() == {"backend": "torch", "device": "cpu"}
        raise RuntimeError
    assert get_config() == before


def test_contexts_nest():
    with config_context(backend="torch"):
        with config_context():
            assert get_config()["backend"] is None
        assert get_config()["backend"] == "torch"


def test_set_config_lasts_and_is_of_one_thread_only():
    try:
        set_config(backend="torch")
        assert get_config()["backend"] == "torch"
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(get_config).result()["backend"] is None
    finally:
        set_config()
    assert get_config()["backend"] is None


def test_threads_with_different_contexts_do_not_meet():
    barrier, seen = threading.Barrier(2), {}

    def run(name):
        with config_context(backend=name):
            barrier.wait(5)
            seen[name] = get_config()["backend"]
            barrier.wait(5)

    threads = [threading.Thread(target=run, args=(name,)) for name in ("numpy", "torch")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {"numpy": "numpy", "torch": "torch"}


def test_the_configuration_decides_where_numpy_data_are_worked_on():
    X = np.eye(2)
    assert working_backend(X).is_numpy
    with config_context(backend="torch"):
        backend = working_backend(X)
        assert is_foreign_array(backend.asarray(X))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_named_with_what_is():
    with (
        pytest.raises(ValueError, match=r"device='cuda' is not there: torch .* sees \['cpu'\]"),
        config_context(backend="torch", device="cuda"),
    ):
        pass
    assert get_config() == {"backend": None, "device": None}


@pytest.mark.parametrize(
    ("backend", "device", "error", "words"),
    [
        ("jax", None, ValueError, r"backend must be one of \['numpy', 'torch', 'cupy'"),
        (None, "cuda", ValueError, "needs a backend"),
        ("numpy", "cuda", ValueError, r"numpy .* sees \['cpu'\]"),
        ("torch", "nonsense", ValueError, "device='nonsense' is not there"),
    ],
)
def test_impossible_settings_are_refused_when_set(backend, device, error, words):
    with pytest.raises(error, match=words):
        set_config(backend=backend, device=device)


@pytest.mark.skipif(importlib.util.find_spec("cupy") is not None, reason="cupy is installed")
def test_a_backend_that_is_not_installed_is_named_with_its_extra():
    with pytest.raises(ImportError, match=r"pip install skda\[cuda12\]"):
        set_config(backend="cupy")


def where_it_computes(estimator):
    """Name of the namespace that an estimator would use for NumPy rows, in this process."""
    return str(working_backend(np.eye(2), estimator)), os.getpid()


@pytest.mark.slow
def test_a_clone_carries_the_context_to_worker_processes():
    estimator = CORALTransformer()
    with config_context(backend="torch", device="cpu"):
        carried = clone(estimator)
        (backend, pid), (plain, _) = Parallel(n_jobs=2)(
            delayed(where_it_computes)(e) for e in (carried, estimator)
        )
    assert pid != os.getpid()
    assert backend == "torch on cpu"
    assert plain == "numpy"


def test_a_carried_context_does_not_act_where_it_was_not_sent():
    with config_context(backend="torch", device="cpu"):
        carried = clone(CORALTransformer())
    assert where_it_computes(carried)[0] == "numpy"  # the block is over
    stranger = pickle.loads(pickle.dumps(carried))
    stranger._carried_config = (-1, stranger._carried_config[1])  # saved by another process
    assert where_it_computes(stranger)[0] == "numpy"


# The array API as CuPy has it, without a GPU.


def names_used_in_the_package():
    """Every ``xp.name`` and ``xp.linalg.name`` in the source."""
    files = Path(skda.__file__).parent.rglob("*.py")
    text = "\n".join(path.read_text() for path in files if path.parent.name != "_array")
    linalg = set(re.findall(r"\bxp\.linalg\.(\w+)", text))
    return set(re.findall(r"\bxp\.(\w+)", text)) - {"linalg"}, linalg


def names_defined_by_compat(module):
    """What array-api-compat adds to CuPy, read from its source, since importing needs CuPy."""
    source = (Path(array_api_compat.__file__).parent / "cupy" / f"{module}.py").read_text()
    return set(re.findall(r"^ *(?:def )?(\w+)\b *(?:=|\()", source, re.MULTILINE))


# What CuPy 13 itself has under the standard's name, of what is in use here. A function that is new
# to the package is looked up in CuPy's documentation and added.
CUPY_NAMES = set(
    """abs all any argmax argmin concatenate cos diag dtype exp expand_dims expm1 eye flip
    float32 float64 full hypot int64 isfinite isnan linspace log log1p logical_and logical_not
    logical_or max maximum mean min minimum moveaxis prod repeat round searchsorted sin sqrt
    square squeeze stack sum take tan tanh tril triu where __name__""".split()  # noqa: SIM905
)
CUPY_LINALG = {"inv", "solve"}


def test_the_package_uses_only_array_functions_that_cupy_has():
    top, linalg = names_used_in_the_package()
    assert top <= CUPY_NAMES | names_defined_by_compat("_aliases")
    assert linalg <= CUPY_LINALG | names_defined_by_compat("linalg")


def test_the_package_uses_only_array_functions_of_the_standard():
    strict = pytest.importorskip("array_api_strict")
    top, linalg = names_used_in_the_package()
    assert [name for name in sorted(top) if not hasattr(strict, name)] == []
    assert [name for name in sorted(linalg) if not hasattr(strict.linalg, name)] == []
