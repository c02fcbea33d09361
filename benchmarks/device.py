"""Time the array methods on a GPU, beside NumPy and beside what the device can do.

    python -m benchmarks device
    python -m benchmarks device --device cuda:1 --json device.json
    python -m benchmarks device --device cpu --scale 0.05      (torch on the CPU: a rehearsal)

The device's own copy bandwidth and matrix-product rate are measured in the same run; each step is
given as a multiple of NumPy's speed and as a share of the product rate, counting the operations
of its leading products and factorizations only.
"""

import argparse
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np

from skda import CORALTransformer, KMMWeighter, OptimalTransportTransformer, TCATransformer
from skda._array._devices import find_backend
from skda._numerics._covariance import covariance
from skda._numerics._kernels import kernel_matrix

from ._conditions import conditions


def wait_for(backend):
    """Return a function that waits until the device has done its work."""
    name = backend.xp.__name__.rpartition(".")[2]
    if name == "torch" and backend.device.type == "cuda":
        import torch

        return lambda: torch.cuda.synchronize(backend.device)
    if name == "cupy":
        import cupy

        return cupy.cuda.get_current_stream().synchronize
    return lambda: None


def best_seconds(work, wait, repeats=5):
    """Shortest of several runs after a warm-up, the device idle before and after."""
    work()
    seconds = []
    for _ in range(repeats):
        wait()
        start = time.perf_counter()
        work()
        wait()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def two_domains(n, d):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2 * n, d))
    X[n:] = X[n:] * np.linspace(0.5, 2.0, d) + 0.3
    return X, np.repeat([1, -2], n)


def steps(scale):
    """Yield name, rows, the work on rows of a backend, and its leading operations."""

    def sized(n):
        return max(int(n * scale), 100)

    n, d = sized(20_000), 50
    X, ids = two_domains(n // 2, d)
    yield f"kernel matrix, {n} rows", X, lambda X: kernel_matrix(X, gamma=0.01), 2 * n**2 * d
    n, d = sized(500_000), 512
    X, ids = two_domains(n // 2, d)
    yield f"covariance, {n} x {d}", X, covariance, 2 * n * d**2

    def fit_transform(make, ids):
        return lambda X: make().fit_transform(X, sample_domain=ids)

    yield (
        f"CORAL, {n} x {d}",
        X,
        fit_transform(CORALTransformer, ids),
        3 * n * d**2 + 2 * 9 * d**3,
    )
    n = sized(8_000)
    X, ids = two_domains(n // 2, 50)
    yield (
        f"TCA, {n} rows, 30 components",
        X,
        fit_transform(lambda: TCATransformer(n_components=30, reg=1.0, kernel="rbf"), ids),
        2 * n**2 * (50 + 30 * 10),
    )
    yield (
        f"Sinkhorn, 2 x {n // 2} rows",
        X,
        fit_transform(lambda: OptimalTransportTransformer(reg=0.1, marginal_reg=None), ids),
        2 * (n // 2) ** 2 * (50 + 100),
    )
    yield (
        f"KMM, 2 x {n // 2} rows",
        X,
        lambda X, ids=ids: KMMWeighter(reg=0.0, min_effective_size=None).fit(X, sample_domain=ids),
        2 * (n // 2) ** 2 * 50 + (n // 2) ** 3 / 3,
    )


def deep_steps(device, scale):
    """Yield name and a fit of a few epochs on a device."""
    from skda import DANClassifier, DeepCORALClassifier

    X, ids = two_domains(max(int(20_000 * scale), 200), 50)
    y = (X[:, 0] > 0).astype(np.int64)
    for make in (DeepCORALClassifier, DANClassifier):
        net = make(max_epochs=3, batch_size=512, device=str(device), random_state=0)
        yield f"{make.__name__}, 3 epochs", lambda net=net: net.fit(X, y, sample_domain=ids)


def ceilings(backend, wait, scale):
    """Copy bandwidth (GB/s, read and written) and product rate (GFLOP/s) by dtype."""
    n = max(int(8_192 * scale), 512)
    found = {}
    for name in ("float32", "float64"):
        A = backend.asarray(np.random.default_rng(0).normal(size=(n, n)), getattr(backend.xp, name))
        found[name] = {
            "copy_gb_s": 2 * A.itemsize * n * n / best_seconds(lambda A=A: A + 0, wait) / 1e9,
            "matmul_gflop_s": 2 * n**3 / best_seconds(lambda A=A: A @ A, wait) / 1e9,
        }
    return found


def present(device):
    """Places to run on: torch and CuPy where they see the device."""
    backends = []
    for backend in ("torch", "cupy"):
        if device == "cpu" and backend == "cupy":
            continue
        try:
            backends.append(find_backend(backend, device))
        except (ImportError, ValueError) as error:
            print(error)
    return backends


def device_name(backend):
    """What the device is called."""
    if "cuda" not in str(backend).lower():
        return str(backend)
    import torch

    return torch.cuda.get_device_name(0)


def main(argv=None):
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks device",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--device", default="cuda", help="device of torch and CuPy")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full sizes")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args(argv)
    backends = present(options.device)
    if not backends:
        print(f"There is no device {options.device!r} here, so there is nothing to measure.")
        return
    where = conditions(device=device_name(backends[0]))
    print(json.dumps(where))
    found = {
        str(backend): ceilings(backend, wait_for(backend), options.scale) for backend in backends
    }
    for name, rates in found.items():
        print(f"{name}: {json.dumps(rates)}")
    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, X, work, flops in steps(options.scale):
            host = best_seconds(lambda X=X, work=work: work(X), lambda: None, repeats=1)
            print(f"{name:<34}numpy {host:9.4f} s", flush=True)
            for backend in backends:
                for dtype in ("float32", "float64"):
                    moved = backend.asarray(X, getattr(backend.xp, dtype))
                    spent = best_seconds(lambda t=moved, w=work: w(t), wait_for(backend))
                    share = flops / spent / 1e9 / found[str(backend)][dtype]["matmul_gflop_s"]
                    rows.append(
                        {
                            "step": name,
                            "backend": str(backend),
                            "dtype": dtype,
                            "seconds": spent,
                            "numpy_seconds": host,
                            "times_numpy": host / spent,
                            "share_of_matmul": share,
                        }
                    )
                    print(
                        f"{'':<34}{backend!s} {dtype} {spent:9.4f} s, {host / spent:7.1f} x numpy, "
                        f"{100 * share:5.1f} % of the product rate",
                        flush=True,
                    )
        for name, work in deep_steps(backends[0].device, options.scale):
            spent = best_seconds(work, wait_for(backends[0]), repeats=1)
            rows.append({"step": name, "backend": str(backends[0]), "seconds": spent})
            print(f"{name:<34}{backends[0]} {spent:9.4f} s", flush=True)
    if options.json:
        figures = {"conditions": where, "ceilings": found, "device_rows": rows}
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
