"""Every constructor parameter is exercised by a test that names its class."""

import ast
import dataclasses
import inspect
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator

import skda

ROOT = Path(__file__).parent

# Parameters that a subpackage's classes share are tested once for the family, on any of them.
SHARED_BY = 3


def public_estimators():
    """Every public class that has parameters, by name; records of results have fields."""
    found = {}
    for name in dir(skda):
        thing = _import(skda, name)
        if inspect.isclass(thing) and issubclass(thing, BaseEstimator):
            found[name] = thing
    for module_name in skda._SUBPACKAGES:
        module = getattr(skda, module_name)
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isclass(thing) and not dataclasses.is_dataclass(thing):
                found[name] = thing
    return found


def _import(module, name):
    try:
        return getattr(module, name)
    except ImportError:
        return None  # an extra that is not installed


def words_of(path):
    """Return the names, keywords and texts of a test file: what it may exercise."""
    words = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.keyword) and node.arg:
            words.add(node.arg)
        elif isinstance(node, ast.Name):
            words.add(node.id)
        elif isinstance(node, ast.Attribute):
            words.add(node.attr)
        elif isinstance(node, ast.alias):
            words.add(node.name)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            words |= set(node.value.replace("=", " ").replace("__", " ").split())
    return words


WORDS = {path: words_of(path) for path in sorted(ROOT.rglob("*.py")) if path.name != "checks.py"}
ESTIMATORS = public_estimators()


def parameters(cls):
    """Return the parameters of a class beside those that only collect others."""
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    signature = inspect.signature(cls.__init__).parameters
    return [n for n, p in signature.items() if n != "self" and p.kind not in kinds]


def family(cls):
    """Return the public classes of the same subpackage."""
    package = cls.__module__.rpartition(".")[0]
    return [c for c in ESTIMATORS.values() if c.__module__.rpartition(".")[0] == package]


def stem(cls):
    """Return what a classifier and its regressor have in common in their names."""
    return cls.__name__.removesuffix("Classifier").removesuffix("Regressor")


def untested(cls):
    """Return the parameters of a class that no test exercises."""
    missing = []
    for name in parameters(cls):
        sharers = [c for c in family(cls) if name in parameters(c)]
        if len(sharers) < SHARED_BY:
            sharers = [c for c in sharers if stem(c) == stem(cls)] or [cls]
        names = {c.__name__ for c in sharers}
        if not any(name in words and names & words for words in WORDS.values()):
            missing.append(name)
    return missing


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
def test_every_parameter_is_exercised(name):
    assert not untested(ESTIMATORS[name])


def test_a_parameter_without_a_test_is_found():
    name = "tried_" + "nowhere"  # in two parts, or this file would exercise it

    class CORALTransformer(BaseEstimator):
        def __init__(self, **params):
            pass

    parameter = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY)
    CORALTransformer.__init__.__signature__ = inspect.Signature([parameter])
    assert untested(CORALTransformer) == [name]
