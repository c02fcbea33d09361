"""Write the API pages from `__all__`, so that a new public name appears by itself."""

import inspect
from importlib import import_module

import skda

TITLES = {
    "_array": "Configuration",
    "_core": "Domains",
    "pipeline": "Pipelines",
    "instance_based": "Instance-based methods",
    "feature_based": "Feature-based methods",
    "model_based": "Model-based methods",
    "relation_based": "Relation-based methods",
    "augmentation": "Augmentation",
    "deep": "Deep methods",
    "conformal": "Sets, intervals and calibrated probabilities",
    "metrics": "Metrics and scorers",
    "model_selection": "Model selection",
    "inspection": "Inspection",
    "monitoring": "Monitoring",
    "datasets": "Data sets",
    "dask": "Large tables",
}

SUBPACKAGE_PAGE = """\
{title}
{line}

{summary}

.. currentmodule:: {module}

.. autosummary::

{table}

.. toctree::
   :hidden:

{pages}
"""

CLASS_PAGE = """\
{name}
{line}

.. currentmodule:: {module}

.. autoclass:: {name}
   :members: {members}
"""

FUNCTION_PAGE = """\
{name}
{line}

.. currentmodule:: {module}

.. autofunction:: {name}
"""


def subpackages():
    """Yield (subpackage, module to import from, public names), in the order of the titles."""
    named = {subpackage: ("skda", names) for subpackage, names in skda._PUBLIC.items()}
    for subpackage in skda._SUBPACKAGES:
        if subpackage not in named:
            named[subpackage] = (f"skda.{subpackage}", import_module(f"skda.{subpackage}").__all__)
    for subpackage in sorted(named, key=[*TITLES, *named].index):
        yield subpackage, *named[subpackage]


def own_methods(cls):
    """Names of the public methods that are ours; scikit-learn documents its own."""
    return [
        name
        for name, member in inspect.getmembers(cls, callable)
        if not name.startswith("_") and str(getattr(member, "__module__", "")).startswith("skda")
    ]


def object_page(module, name):
    """Return the page of one public name."""
    value, line = getattr(import_module(module), name), "=" * len(name)
    if not inspect.isclass(value):
        return FUNCTION_PAGE.format(name=name, line=line, module=module)
    members = ", ".join(own_methods(value))
    return CLASS_PAGE.format(name=name, line=line, module=module, members=members)


def subpackage_page(subpackage, module, names):
    """Return the page that lists a subpackage's public names."""
    title = TITLES.get(subpackage, subpackage)
    summary = import_module(f"skda.{subpackage}").__doc__.split("\n\n")[0]
    return SUBPACKAGE_PAGE.format(
        title=title,
        line="=" * len(title),
        summary="" if subpackage.startswith("_") else summary,
        module=module,
        table="\n".join(f"   {name}" for name in names),
        pages="\n".join(f"   {module}.{name}" for name in names),
    )


def write_api_pages(folder):
    """Write a page per subpackage and per public name into `folder`, and remove what is stale."""
    pages = {}
    for position, (subpackage, module, names) in enumerate(subpackages()):
        pages[f"{position:02}_{subpackage.strip('_')}.rst"] = subpackage_page(
            subpackage, module, names
        )
        for name in names:
            pages[f"{module}.{name}.rst"] = object_page(module, name)

    folder.mkdir(parents=True, exist_ok=True)
    for stale in set(folder.iterdir()) - {folder / name for name in pages}:
        stale.unlink()
    for name, text in pages.items():
        page = folder / name
        if not page.exists() or page.read_text("utf-8") != text:  # unchanged pages are not rebuilt
            page.write_text(text, "utf-8")
