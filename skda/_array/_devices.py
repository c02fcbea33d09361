"""Find the namespace and the device that a user names."""

import importlib.util

from ._backend import Backend

_BACKENDS = ("numpy", "torch", "cupy", "array_api_strict")


def find_backend(backend, device=None):
    """Return the backend that these names stand for, or raise and list what there is."""
    if backend is None:
        raise ValueError(
            f"device={device!r} needs a backend; pass for example backend='torch' beside it."
        )
    if backend not in _BACKENDS:
        raise ValueError(f"backend must be one of {list(_BACKENDS)} or None; got {backend!r}.")
    # Looked for before it is imported, so that the message can name what to install.
    if importlib.util.find_spec(backend) is None:
        extra = {"torch": "skda[deep]", "cupy": "skda[cuda12] (or skda[cuda13])"}
        raise ImportError(
            f"backend={backend!r} is not installed. Install it, for example with "
            f"pip install {extra.get(backend, backend)}."
        )
    # Not at the top: skda works without torch and without CuPy.
    library = importlib.import_module(backend)
    find_device = {"numpy": _numpy_device, "torch": _torch_device, "cupy": _cupy_device}
    if backend not in find_device:  # array_api_strict
        return Backend(library, library.Device(device) if isinstance(device, str) else device)
    xp = importlib.import_module(f"array_api_compat.{backend}")
    return Backend(xp, find_device[backend](library, device))


def visible_devices():
    """Return the devices that torch and CuPy see, by library; None for one not installed."""
    found = {}
    for name, find_devices in {"torch": _torch_devices, "cupy": _cupy_devices}.items():
        if importlib.util.find_spec(name) is None:
            found[name] = None
            continue
        # A library that is installed but broken, by a driver that it does not fit for example, is
        # what a report is written for.
        try:
            found[name] = find_devices(importlib.import_module(name))
        except Exception as error:
            found[name] = f"not usable: {type(error).__name__}: {error}"
    return found


def _no_such_device(library, device, there, hint):
    return ValueError(
        f"device={device!r} is not there: {library.__name__} {library.__version__} sees "
        f"{there}. {hint}"
    )


def _numpy_device(library, device):
    if device not in (None, "cpu"):
        raise _no_such_device(library, device, ["cpu"], "Choose backend='torch' or 'cupy'.")
    return None


def _torch_devices(torch):
    there = ["cpu"] + [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    return there + ["mps"] * torch.backends.mps.is_available()


def _torch_device(torch, device):
    try:
        # torch decides which names it knows; an empty tensor is the way to ask.
        found = torch.empty(0, device=device).device  # None is torch's default device
    except (RuntimeError, AssertionError, TypeError, ValueError) as error:
        hint = "Choose one of these, or install a torch built for your device."
        raise _no_such_device(torch, device, _torch_devices(torch), hint) from error
    return found


def _cupy_devices(cupy):
    try:
        return [f"cuda:{i}" for i in range(cupy.cuda.runtime.getDeviceCount())]
    # Without a driver CuPy raises where it could count zero.
    except cupy.cuda.runtime.CUDARuntimeError:
        return []


def _cupy_device(cupy, device):
    there = _cupy_devices(cupy)
    if device is None:
        wanted = there[0] if there else "cuda"
    elif isinstance(device, str):
        wanted = "cuda:0" if device == "cuda" else device
    else:
        # A device object of CuPy, or its number.
        wanted = f"cuda:{getattr(device, 'id', device)}"
    if wanted not in there:
        hint = "Choose one of these; an empty list means that the driver shows no GPU."
        raise _no_such_device(cupy, device, there, hint)
    return cupy.cuda.Device(int(wanted.removeprefix("cuda:")))
