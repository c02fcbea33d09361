"""Every public docstring is complete, in numpydoc's form; doctests run its examples."""

import inspect
import io
import re
from importlib import import_module

import pytest

import skda

validate = pytest.importorskip("numpydoc.validate")

# Layout, summary, parameters in order and described, returns described, See Also described.
CHECKS = {
    *("GL03", "GL05", "GL06", "GL07", "GL08", "SS01", "SS02", "SS03", "SS04", "SS06"),
    *("PR01", "PR02", "PR03", "PR04", "PR05", "PR06", "PR07", "PR09", "PR10"),
    *("RT01", "RT03", "RT05", "YD01", "SA02", "SA03", "SA04"),
}

# What reStructuredText misreads in prose; numpydoc sees to the rest (``coef_ : array``).
MISREAD = re.compile(
    r"Undefined substitution|Inline (literal|interpreted)|Unexpected indentation"
    r"|without a blank line|Unknown target name: \"\d"
)


def public_names():
    """Yield the dotted name of every public class, method and function of ours."""
    modules = {"skda": list(skda._MODULE_OF)}
    modules |= {
        f"skda.{module_name}": import_module(f"skda.{module_name}").__all__
        for module_name in skda._SUBPACKAGES
    }
    for module, names in modules.items():
        for name in names:
            try:
                value = getattr(import_module(module), name)
            except ImportError:
                continue  # an extra that is not installed
            yield f"{module}.{name}"
            if inspect.isclass(value):
                for method, member in inspect.getmembers(value, callable):
                    ours = str(getattr(member, "__module__", "")).startswith("skda")
                    if ours and not method.startswith("_"):
                        yield f"{module}.{name}.{method}"


@pytest.mark.parametrize("name", sorted(set(public_names())))
def test_docstring_is_complete(name):
    found = validate.validate(name)["errors"]
    assert not [f"{code}: {text}" for code, text in found if code in CHECKS]


@pytest.mark.parametrize("name", [n for n in public_names() if n.split(".")[-1][0].isupper()])
def test_class_has_an_example(name):
    if name != "skda.DomainWarning":
        assert ">>> " in inspect.getdoc(validate.Validator._load_obj(name))


@pytest.mark.parametrize("name", sorted(set(public_names())))
def test_docstring_is_valid_markup(name):
    core = pytest.importorskip("docutils.core")
    text = inspect.getdoc(validate.Validator._load_obj(name))
    messages = io.StringIO()
    core.publish_doctree(text, settings_overrides={"report_level": 2, "warning_stream": messages})
    assert not [line for line in messages.getvalue().splitlines() if MISREAD.search(line)]
