"""Imports point one way, as the picture in docs/developing.md draws it."""

import ast
from pathlib import Path

import pytest

import skda

ROOT = Path(skda.__file__).parent

# Whom a folder of the package may import, beside itself. What is not listed may be imported by
# nobody: public subpackages do not know each other, but for these.
FOUNDATION = {"_array", "_core", "_numerics"}
MAY_IMPORT = {
    "_array": set(),
    "_core": {"_array"},
    "_numerics": {"_array"},
    "conformal": FOUNDATION | {"metrics", "pipeline"},
    # Whoever records its course draws it by the pictures of inspection.
    "model_selection": FOUNDATION | {"inspection", "metrics", "pipeline"},
    "deep": FOUNDATION | {"inspection"},
    # Applies methods of all kinds to tables in blocks.
    "dask": FOUNDATION | {"feature_based", "inspection", "instance_based"},
    # Aligns a model again by adapt_to when an alarm sounds.
    "monitoring": FOUNDATION | {"inspection", "pipeline"},
    # Reports what the two-sample tests find.
    "inspection": FOUNDATION | {"metrics"},
    # Puts methods of all kinds together.
    "ensemble": FOUNDATION
    | {"feature_based", "instance_based", "metrics", "model_selection", "pipeline"},
}


def modules():
    """Every module of the package, with the absolute names that it imports from the package."""
    for path in sorted(ROOT.rglob("*.py")):
        parts = ("skda", *path.relative_to(ROOT).with_suffix("").parts)
        package = parts[:-1]
        imported = set()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                base = package[: len(package) - (node.level - 1)]
                imported.add(".".join([*base, node.module or ""]).rstrip("."))
                imported |= {".".join([*base, node.module or "", a.name]) for a in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module)
            elif isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
        yield ".".join(parts), {name for name in imported if name.split(".")[0] == "skda"}


MODULES = dict(modules())


def folder(name):
    """Return the folder (or the module) of the package that a dotted name lies in."""
    return name.split(".")[1] if "." in name else ""


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_from_the_layers_below(name):
    here = folder(name)
    if here == "__init__":
        return
    allowed = MAY_IMPORT.get(here, FOUNDATION) | {here}
    # "" is the package itself, which imports nothing before a name is asked for.
    known = {folder(other) for other in MODULES} - {""}
    found = {folder(other) for other in MODULES[name]} & known
    assert found <= allowed, f"{name} imports {sorted(found - allowed)}"


def test_no_modules_import_each_other():
    edges = {name: MODULES[name] & MODULES.keys() - {name} for name in MODULES}

    def visit(name, trail):
        assert name not in trail, " -> ".join([*trail[trail.index(name) :], name])
        if name not in done:
            for other in edges[name]:
                visit(other, [*trail, name])
            done.add(name)

    done = set()
    for name in edges:
        visit(name, [])


def test_a_module_above_the_foundation_is_seen_when_it_is_imported_from_below(monkeypatch):
    monkeypatch.setitem(MODULES, "skda._numerics._kernels", {"skda._core._labels"})
    with pytest.raises(AssertionError, match="_core"):
        test_a_module_imports_only_from_the_layers_below("skda._numerics._kernels")
