"""`skda.show_versions` and `python -m skda` report what is there, and never fail."""

import importlib
import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

import skda
from skda.__main__ import main
from skda._array import _devices, _show_versions

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
PROJECT = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]


def names_of(requirements):
    return [re.match(r"[\w-]+", requirement).group() for requirement in requirements]


@pytest.fixture
def printed(capsys):
    """What `show_versions` printed, as one dict of names and values."""
    skda.show_versions()
    lines = [line.partition(": ") for line in capsys.readouterr().out.splitlines()]
    return {name.strip(): value for name, colon, value in lines if colon}


def test_versions_are_those_that_are_imported(printed):
    import numpy
    import sklearn

    assert printed["skda"] == skda.__version__
    assert printed["numpy"] == numpy.__version__
    assert printed["scikit-learn"] == sklearn.__version__
    assert printed["python"].startswith(sys.version.split()[0])


def test_settings_and_libraries_of_threads_are_printed(printed):
    assert printed["metadata routing"] == "False"
    assert printed["backend"] == "None"
    assert int(printed["num_threads"]) >= 1


def test_every_requirement_of_users_is_listed():
    assert names_of(PROJECT["dependencies"]) == _show_versions._REQUIRED
    extras = PROJECT["optional-dependencies"]
    for extra in ["deep", "cuda12", "cuda13", "plot", "neighbors", "dask"]:
        assert set(names_of(extras[extra])) <= set(_show_versions._OPTIONAL)


def test_a_package_that_is_not_installed_reads_none():
    assert _show_versions._versions(["no-such-package-of-ours"]) == {
        "no-such-package-of-ours": None
    }


class FakeTorch:
    cuda = SimpleNamespace(device_count=lambda: 2)
    backends = SimpleNamespace(mps=SimpleNamespace(is_available=lambda: True))


def test_devices_of_torch_are_listed(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "torch" or None)
    monkeypatch.setattr(importlib, "import_module", lambda name: FakeTorch)
    found = _devices.visible_devices()
    assert found == {"torch": ["cpu", "cuda:0", "cuda:1", "mps"], "cupy": None}
    assert _show_versions._devices()["cupy"] == "not installed"


def test_without_torch_nothing_is_imported(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(importlib, "import_module", lambda name: pytest.fail(f"imports {name}"))
    assert _devices.visible_devices() == {"torch": None, "cupy": None}


def test_a_library_that_does_not_import_is_reported_with_its_error(monkeypatch):
    def broken(name):
        raise OSError("libcudart.so.12: cannot open shared object file")

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True)
    monkeypatch.setattr(importlib, "import_module", broken)
    assert _show_versions._devices()["torch"] == (
        "not usable: OSError: libcudart.so.12: cannot open shared object file"
    )


def test_a_library_without_a_device_reads_none(monkeypatch):
    monkeypatch.setattr(_show_versions, "visible_devices", lambda: {"cupy": []})
    assert _show_versions._devices() == {"cupy": "none"}


def test_python_m_skda_version_prints_the_version():
    command = [sys.executable, "-m", "skda", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"skda {skda.__version__}\n"


def test_the_command_prints_all_versions(capsys):
    main([])
    assert "Required packages:" in capsys.readouterr().out


def test_the_command_that_is_installed_is_the_module():
    module_name, _, function_name = PROJECT["scripts"]["skda"].partition(":")
    assert getattr(importlib.import_module(module_name), function_name) is main
