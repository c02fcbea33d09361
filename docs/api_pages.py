"""Write the API pages from `__all__`, so that a new public name appears by itself."""

import inspect
import re
from collections import Counter
from importlib import import_module
from pathlib import Path

import skda

GUIDE = Path(__file__).resolve().parent / "user_guide"
# Pages that name nearly everything, and so explain nothing in particular.
OVERVIEWS = ("glossary", "index", "migrating_from_adapt", "migrating_from_skada")
OVERVIEWS += ("other_packages", "which_alignment", "which_method")
# The pages that are about a subpackage, the first for names that no page has.
HOMES = {
    "_array": ["arrays_and_gpus"],
    "_core": ["rows_and_domains"],
    "pipeline": ["pipelines", "later_sites"],
    "instance_based": ["instance_based", "label_shift", "few_target_labels"],
    "feature_based": [
        "feature_based_transport",
        "feature_based_spectral",
        "other_columns",
        "paired_rows",
    ],
    "model_based": ["model_based", "several_tasks"],
    "relation_based": ["relation_based"],
    "augmentation": ["augmentation"],
    "deep": ["deep", "episodes_and_graphs", "several_tasks", "views"],
    "ensemble": ["let_it_decide", "views"],
    "conformal": ["intervals"],
    "metrics": ["choosing_without_labels", "performance_estimate", "model_based"],
    "model_selection": ["choosing_without_labels", "guarded_search"],
    "inspection": ["what_shifted", "pictures"],
    "monitoring": ["monitoring"],
    "datasets": ["datasets"],
    "dask": ["large_tables"],
}
# How much more a mention on such a page counts than one elsewhere.
AT_HOME = 4

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
    "ensemble": "Deciding and combining",
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

INDEX_GROUP = """\
.. rubric:: {title}

{summary}

.. currentmodule:: {module}

.. autosummary::

{table}

"""

CLASS_PAGE = """\
{name}
{line}
{guide}
.. currentmodule:: {module}

.. autoclass:: {name}
   :members: {members}

.. minigallery:: {module}.{name}
   :add-heading: Examples using {name}
   :heading-level: -
"""

FUNCTION_PAGE = """\
{name}
{line}
{guide}
.. currentmodule:: {module}

.. autofunction:: {name}

.. minigallery:: {module}.{name}
   :add-heading: Examples using {name}
   :heading-level: -
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


def guide_pages():
    """Count, for each name, how often a page of the guide names it; links count twice."""
    counts = {}
    for page in sorted(GUIDE.glob("*.md")):
        if page.stem not in OVERVIEWS:
            text = page.read_text("utf-8")
            links = re.findall(r"\{(?:class|func)\}`[^`]*?([A-Za-z_0-9]+)>?`", text)
            code = re.findall(r"\b([A-Z][A-Za-z_0-9]+)\b(?=[(,\n])", text)
            for name in [*links, *links, *code]:
                counts.setdefault(name, Counter())[page.stem] += 1
    return counts


def guide_line(subpackage, name, counts):
    """Return the line that leads to the pages of the guide that explain a name."""
    homes = HOMES.get(subpackage, [])
    found = Counter()
    for page, count in counts.get(name, {}).items():
        found[page] = count * (AT_HOME if page in homes else 1)
    # A page that names it half as often as the first one explains it too.
    ranked = found.most_common(2)
    pages = [page for page, count in ranked if 2 * count >= ranked[0][1]] or homes[:1]
    if not pages:
        return ""
    links = " and ".join(f":doc:`/user_guide/{page}`" for page in pages)
    return f"\nUser guide: {links}.\n"


def object_page(subpackage, module, name, counts):
    """Return the page of one public name."""
    value, line = getattr(import_module(module), name), "=" * len(name)
    common = {
        "name": name,
        "line": line,
        "module": module,
        "guide": guide_line(subpackage, name, counts),
    }
    if not inspect.isclass(value):
        return FUNCTION_PAGE.format(**common)
    return CLASS_PAGE.format(members=", ".join(own_methods(value)), **common)


def index_group(subpackage, module, names):
    """Return a subpackage's part of the index: its names with their summaries."""
    summary = import_module(f"skda.{subpackage}").__doc__.split("\n\n")[0]
    return INDEX_GROUP.format(
        title=TITLES.get(subpackage, subpackage),
        summary="" if subpackage.startswith("_") else summary,
        module=module,
        table="\n".join(f"   {name}" for name in names),
    )


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
    pages, counts = {"index.inc": ""}, guide_pages()
    for position, (subpackage, module, names) in enumerate(subpackages()):
        pages["index.inc"] += index_group(subpackage, module, names)
        pages[f"{position:02}_{subpackage.strip('_')}.rst"] = subpackage_page(
            subpackage, module, names
        )
        for name in names:
            pages[f"{module}.{name}.rst"] = object_page(subpackage, module, name, counts)

    folder.mkdir(parents=True, exist_ok=True)
    for stale in set(folder.iterdir()) - {folder / name for name in pages}:
        stale.unlink()
    for name, text in pages.items():
        page = folder / name
        if not page.exists() or page.read_text("utf-8") != text:  # unchanged pages are not rebuilt
            page.write_text(text, "utf-8")
