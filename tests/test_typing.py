"""Public signatures are typed in full and agree with the docstrings; `make lint` runs mypy."""

import inspect
import re
from importlib import import_module
from importlib.resources import files

import pytest

import skda

numpydoc = pytest.importorskip("numpydoc.docscrape")


def public_objects():
    """Yield the name and the object of every public class and function."""
    modules = {"skda": list(skda._MODULE_OF)}
    modules |= {f"skda.{m}": import_module(f"skda.{m}").__all__ for m in skda._SUBPACKAGES}
    for module, names in modules.items():
        for name in names:
            try:
                yield f"{module}.{name}", getattr(import_module(module), name)
            except ImportError:
                continue  # an extra that is not installed


def is_ours(function):
    return str(getattr(function, "__module__", "")).startswith("skda")


def public_functions():
    """Yield name, function and the docstring of its parameters, the methods of classes too."""
    for name, value in public_objects():
        if not inspect.isclass(value):
            yield name, value, value
            continue
        if is_ours(value.__init__):
            yield name, value.__init__, value
        for method, member in inspect.getmembers(value, callable):
            if is_ours(member) and not method.startswith("_"):
                yield f"{name}.{method}", member, member


def untyped(function):
    """Return what of a signature has no type."""
    signature = inspect.signature(function)
    missing = [
        name
        for name, parameter in signature.parameters.items()
        if parameter.annotation is parameter.empty and name not in ("self", "cls")
    ]
    needs_return = function.__name__ != "__init__"
    return missing + ["return"] * (needs_return and signature.return_annotation is signature.empty)


def test_every_public_signature_is_typed():
    found = {name: untyped(function) for name, function, _ in public_functions()}
    assert len(found) > 400
    assert not {name: missing for name, missing in found.items() if missing}


def options(text):
    """Return the quoted options in a type."""
    return set(re.findall(r"[\"'](\w[\w-]*)[\"']", text))


def disagreements(function, documented):
    """Yield the parameters whose docstring names other options than the type."""
    parameters = inspect.signature(function).parameters
    for entry in numpydoc.NumpyDocString(inspect.getdoc(documented))["Parameters"]:
        annotation = str(getattr(parameters.get(entry.name), "annotation", ""))
        described = entry.type.partition("default=")[0]
        if "Literal" in annotation and options(annotation) != options(described):
            yield entry.name, annotation, described


def test_types_name_the_options_of_the_docstring():
    found = {name: list(disagreements(*pair)) for name, *pair in public_functions()}
    assert not {name: wrong for name, wrong in found.items() if wrong}


def test_missing_types_and_other_options_are_seen():
    def scale(X, mode: 'Literal["mean", "none"]' = "mean"):  # noqa: F821
        """Scale.

        Parameters
        ----------
        X : array-like
            Rows.
        mode : {"mean", "median"}, default="mean"
            How.
        """

    assert untyped(scale) == ["X", "return"]
    assert [name for name, *_ in disagreements(scale, scale)] == ["mode"]


def test_type_checkers_are_shown_every_public_module():
    text = (files("skda") / "__init__.py").read_text("utf-8")
    shown = text.partition("if TYPE_CHECKING:")[2].partition("\n\n")[0]
    assert set(re.findall(r"from \.(\w+) import \*", shown)) == set(skda._PUBLIC)
    assert re.search(r"from \. import (.*)", shown)[1].split(", ") == skda._SUBPACKAGES


def test_the_package_says_that_it_is_typed():
    assert (files("skda") / "py.typed").is_file()
