"""The array namespaces, devices and precisions that tests run on."""

from importlib.util import find_spec

import numpy as np

from skda._array._backend import Backend, to_numpy
from skda._array._devices import find_backend


class TestedBackend:
    """An array namespace, device and precision to run a test on."""

    def __init__(self, name, device=None, dtype="float64"):
        self.name, self.device, self.dtype = name, device, dtype
        self.backend = Backend() if name == "numpy" else find_backend(name, device)
        self.xp = self.backend.xp

    def asarray(self, x, dtype=None):
        """Move a NumPy array here, floats in this backend's precision."""
        x = np.asarray(x)
        if dtype is None and x.dtype.kind == "f":
            dtype = getattr(self.xp, self.dtype)
        return self.backend.asarray(x, dtype)

    @property
    def rtol(self):
        """Relative tolerance that the precision allows."""
        return 1e-3 if self.dtype == "float32" else 1e-7

    to_numpy = staticmethod(to_numpy)

    def __repr__(self):
        return "-".join(str(part) for part in (self.name, self.device, self.dtype) if part)


def _gpu(name):
    try:
        find_backend(name, "cuda")
    except (ImportError, ValueError):
        return False
    return True


BACKENDS = [
    ("numpy", None, "float64"),
    ("torch", "cpu", "float64"),
    ("torch", "cpu", "float32"),
    ("array_api_strict", "device1", "float64"),  # the device that NumPy cannot read
]
BACKENDS += [(name, "cuda", "float64") for name in ("torch", "cupy") if _gpu(name)]
BACKENDS = [backend for backend in BACKENDS if find_spec(backend[0])]
