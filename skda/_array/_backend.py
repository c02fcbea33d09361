"""Where arrays live and how they move: the one module that knows NumPy, torch and CuPy by name.

Everything numeric is written against the Python array API, on the namespace that
:func:`namespace` returns. Input validation asks for the :class:`Backend` of an estimator once.
"""

from dataclasses import dataclass
from typing import Any

import array_api_compat as compat
import numpy as np
from array_api_compat import numpy as np_compat


def namespace(*arrays):
    """Return the array-API namespace of these arrays; NumPy's for lists, frames and None."""
    # Lists, frames and sparse matrices have no namespace of their own.
    known = [x for x in arrays if compat.is_array_api_obj(x)]
    return compat.array_namespace(*known) if known else np_compat


def is_foreign_array(x):
    """Return whether x is an array of a library other than NumPy (torch, CuPy, strict…)."""
    return compat.is_array_api_obj(x) and not isinstance(x, np.ndarray | np.generic)


def to_numpy(x):
    """Return x as a NumPy array on the host, without a copy where that is possible."""
    if compat.is_torch_array(x):
        # numpy() refuses tensors with gradients and tensors on a GPU.
        return x.detach().cpu().numpy()
    if compat.is_cupy_array(x):
        return x.get()
    if is_foreign_array(x) and hasattr(x, "to_device"):
        xp = compat.array_namespace(x)
        if hasattr(xp, "Device"):  # array_api_strict: only its CPU device converts
            x = x.to_device(xp.Device("CPU_DEVICE"))
    return np.asarray(x)


@dataclass(frozen=True)
class Backend:
    """A namespace and one of its devices: where arrays are, or where arithmetic runs."""

    xp: Any = np_compat
    device: Any = None

    def asarray(self, x, dtype=None):
        """Return x (of any library) as an array here, moved or cast only where needed."""
        # Within a library only the device may differ; between libraries arrays go by way of the
        # host.
        if compat.is_array_api_obj(x) and compat.array_namespace(x) is self.xp:
            if self.device is not None and compat.device(x) != self.device:
                x = compat.to_device(x, self.device)
        else:
            x = to_numpy(x)
            if self.xp is not np_compat:
                # torch warns about read-only memory and refuses negative strides
                x = np.require(x, requirements=["C", "W"])
            x = self.xp.asarray(x, device=self.device)
        if dtype is not None and x.dtype != dtype:
            x = self.xp.astype(x, dtype)
        return x

    def __str__(self):
        # The wrapped namespaces are called array_api_compat.torch and so on.
        name = self.xp.__name__.removeprefix("array_api_compat.")
        return name if self.device is None else f"{name} on {self.device}"

    @property
    def is_numpy(self):
        """Whether this is the host's NumPy."""
        return self.xp is np_compat


def backend_of(x):
    """Return the backend that x lives in; host NumPy for lists, frames and sparse matrices."""
    if is_foreign_array(x):
        return Backend(compat.array_namespace(x), compat.device(x))
    return Backend()


def float_dtype(x, xp):
    """Return the floating dtype in which to work on x: float32 stays, the rest is float64."""
    # By name, since dtypes of different libraries are never equal.
    name = str(getattr(x, "dtype", "float64")).rsplit(".", 1)[-1]
    return xp.float32 if name == "float32" else xp.float64


def check_foreign_array(x, *, name="X", min_samples=1, allow_nan=False):
    """Check a two-dimensional array of real, finite numbers that is not NumPy's.

    With ``allow_nan`` missing values pass, infinite ones do not.

    scikit-learn's ``check_array`` would turn it into NumPy, so the rules that it applies to
    NumPy arrays are applied here, in the same words.
    """
    xp = compat.array_namespace(x)
    if x.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got {x.ndim}D array instead ({name} has shape {tuple(x.shape)}). "
            "Reshape your data, one row per sample."
        )
    n, d = x.shape
    if n < min_samples:
        raise ValueError(
            f"Found array with {n} sample(s) (shape={(n, d)}) while a minimum of {min_samples} "
            "is required."
        )
    if d < 1:
        raise ValueError(
            f"Found array with 0 feature(s) (shape={(n, d)}) while a minimum of 1 is required."
        )
    if xp.isdtype(x.dtype, "complex floating"):
        raise ValueError(f"Complex data not supported: {name} has dtype {x.dtype}.")
    dtype = float_dtype(x, xp)
    if "mps" in str(compat.device(x)):  # no float64 on Apple's GPUs
        dtype = xp.float32
    x = x if x.dtype == dtype else xp.astype(x, dtype)
    # The sum needs no temporary of the size of x; a sum that overflows is checked entry by entry.
    if not bool(xp.isfinite(xp.sum(x))) and not bool(xp.all(_is_allowed(x, xp, allow_nan))):
        raise ValueError(f"Input {name} contains NaN or infinity. Impute or drop those rows first.")
    return x


def _is_allowed(x, xp, allow_nan):
    """Return which entries may be there: finite ones, and missing ones where they are allowed."""
    return xp.isfinite(x) | xp.isnan(x) if allow_nan else xp.isfinite(x)


def as_like(host, like):
    """Copy a host array to the namespace, device and dtype of ``like``."""
    return backend_of(like).asarray(host, like.dtype)


def device_of(x):
    """Device of x, for the creation functions of its namespace."""
    return backend_of(x).device


def itemsize(x) -> int:
    """Bytes of one entry of a floating-point array."""
    return namespace(x).finfo(x.dtype).bits // 8


def _eps(x) -> float:
    return float(namespace(x).finfo(x.dtype).eps)
