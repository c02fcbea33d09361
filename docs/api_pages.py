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
    "deep": "Deep methods",
    "metrics": "Metrics and scorers",
    "model_selection": "Model selection",
    "inspection": "Inspection",
    "datasets": "Data sets",
}

ROOM_PAGE = """\
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


def rooms():
    """Yield (room, module to import from, public names), in the order of the titles."""
    named = {room: ("skda", names) for room, names in skda._PUBLIC.items()}
    for room in skda._ROOMS:
        if room not in named:
            named[room] = (f"skda.{room}", import_module(f"skda.{room}").__all__)
    for room in sorted(named, key=[*TITLES, *named].index):
        yield room, *named[room]


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


def room_page(room, module, names):
    """Return the page that lists a room's public names."""
    title = TITLES.get(room, room)
    summary = import_module(f"skda.{room}").__doc__.split("\n\n")[0]
    return ROOM_PAGE.format(
        title=title,
        line="=" * len(title),
        summary="" if room.startswith("_") else summary,
        module=module,
        table="\n".join(f"   {name}" for name in names),
        pages="\n".join(f"   {module}.{name}" for name in names),
    )


def write_api_pages(folder):
    """Write a page per room and per public name into `folder`, and remove what is stale."""
    pages = {}
    for backend, (room, module, names) in enumerate(rooms()):
        pages[f"{backend:02}_{room.strip('_')}.rst"] = room_page(room, module, names)
        for name in names:
            pages[f"{module}.{name}.rst"] = object_page(module, name)

    folder.mkdir(parents=True, exist_ok=True)
    for stale in set(folder.iterdir()) - {folder / name for name in pages}:
        stale.unlink()
    for name, text in pages.items():
        page = folder / name
        if not page.exists() or page.read_text("utf-8") != text:  # unchanged pages are not rebuilt
            page.write_text(text, "utf-8")
