"""What `import skda` costs, and how its public names are found."""

import json
import subprocess
import sys
from importlib import import_module

import pytest

import skda

HEAVY = {"torch", "skorch", "cupy", "ot", "pandas", "polars", "matplotlib", "dask", "distributed"}


def in_a_new_python(code):
    """Run `code` in a fresh interpreter and return what it leaves in `result`."""
    code = f"import sys, json, time\n{code}\nprint(json.dumps(result))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_import_loads_nothing_that_sklearn_pipeline_does_not():
    loaded = in_a_new_python("before = set(sys.modules); import skda; result = list(sys.modules)")
    of_pipeline = in_a_new_python("import sklearn.pipeline; result = list(sys.modules)")
    extra = {name for name in set(loaded) - set(of_pipeline) if name.split(".")[0] != "skda"}
    assert not extra


def test_import_takes_less_time_than_sklearn_pipeline():
    took = "start = time.perf_counter(); import {}; result = time.perf_counter() - start"
    ours = min(in_a_new_python(took.format("skda")) for _ in range(2))
    theirs = in_a_new_python(took.format("sklearn.pipeline"))
    assert ours < theirs


def test_public_names_of_the_base_installation_load_nothing_heavy():
    code = "import skda; [getattr(skda, name) for name in skda.__all__ + skda._SUBPACKAGES]"
    loaded = in_a_new_python(f"{code}\nresult = list(sys.modules)")
    # scikit-learn itself imports pandas where it is installed (1.9)
    of_pipeline = in_a_new_python("import sklearn.pipeline; result = list(sys.modules)")
    assert not HEAVY.intersection(loaded) - set(of_pipeline)


@pytest.mark.parametrize("module_name", sorted(skda._PUBLIC))
def test_public_names_are_those_of_the_module(module_name):
    if module_name in skda._EXTRAS:
        pytest.importorskip("torch")
        pytest.importorskip("skorch")
    names, module = skda._PUBLIC[module_name], import_module(f"skda.{module_name}")
    assert names == sorted(names)
    for name in names:
        assert getattr(skda, name) is getattr(module, name)
    if not module_name.startswith("_"):
        assert set(names) == set(module.__all__)


def test_dir_and_all_list_the_public_names():
    assert set(skda._MODULE_OF) | set(skda._SUBPACKAGES) <= set(dir(skda))
    assert set(skda.__all__) <= set(skda._MODULE_OF)
    assert len(skda._MODULE_OF) == sum(len(names) for names in skda._PUBLIC.values())


def test_subpackages_can_be_reached_by_name():
    assert in_a_new_python(
        "import skda; result = skda.instance_based.KMMWeighter is skda.KMMWeighter"
    )


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'skda' has no attribute 'CORAL'"):
        skda.CORAL  # noqa: B018
    assert not hasattr(skda, "CORAL")


def missing(module):
    def import_module_without_torch(name):
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    return import_module_without_torch


def test_deep_name_without_torch_names_the_extra(monkeypatch):
    monkeypatch.setitem(skda._MODULE_OF, "SomeNet", "deep")
    monkeypatch.setattr(skda, "import_module", missing("torch"))
    with pytest.raises(ImportError, match=r"skda.SomeNet needs torch.*pip install 'skda\[deep\]'"):
        skda.SomeNet  # noqa: B018


def test_a_fault_of_our_own_is_not_taken_for_a_missing_extra(monkeypatch):
    monkeypatch.setitem(skda._MODULE_OF, "SomeNet", "deep")
    monkeypatch.setattr(skda, "import_module", missing("skda._lost"))
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'skda._lost'"):
        skda.SomeNet  # noqa: B018
