"""The directive ``picture``: a figure that is computed when the site is built, in light and dark.

The functions are in ``docs/figures``. A figure is drawn again when a file of skda, of
``docs/figures`` or the page of benchmarks is newer than it; with ``-D pictures_redraw=0`` only
where there is none.
"""

import inspect
import time
import warnings
from importlib import import_module
from pathlib import Path

import sklearn
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)
DOCS = Path(__file__).resolve().parent
FOLDER = DOCS / "_build" / "figures"
MODULES = sorted(path.stem for path in (DOCS / "figures").glob("[!_]*.py"))


def functions():
    """Return the functions that draw, by name."""
    found = {}
    for module_name in MODULES:
        module = import_module(f"figures.{module_name}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__ and not name.startswith("_"):
                found[name] = function
    return found


def newest_source():
    """Return when what figures are made of was last changed."""
    files = [*(DOCS.parent / "skda").rglob("*.py"), *(DOCS / "figures").glob("*.py")]
    return max(file.stat().st_mtime for file in [*files, DOCS / "benchmarks.md"])


def draw(name, function):
    """Write the light and the dark version of one figure."""
    import matplotlib.pyplot as plt
    from figures import _style

    with (
        plt.rc_context(_style.SETTINGS),
        sklearn.config_context(enable_metadata_routing=True),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        figure = function()
        light = FOLDER / f"{name}.svg"
        figure.savefig(light, metadata={"Date": None})
        plt.close(figure)
    text = light.read_text("utf-8")
    for color, dark in _style.DARK.items():
        text = text.replace(color, dark)
    light.with_name(f"{name}-dark.svg").write_text(text, "utf-8")


def draw_all(app):
    """Draw what is missing or older than what it is made of."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    newest = newest_source()
    for name, function in functions().items():
        file = FOLDER / f"{name}-dark.svg"
        if file.exists() and (not app.config.pictures_redraw or file.stat().st_mtime > newest):
            continue
        start = time.perf_counter()
        draw(name, function)
        logger.info("drew %s in %.1f s", name, time.perf_counter() - start)


class Picture(SphinxDirective):
    """Show a figure of ``docs/figures``, the version that fits the colors of the page."""

    required_arguments = 1
    has_content = True
    option_spec = {"alt": directives.unchanged_required}

    def run(self):
        """Return the figure with its caption."""
        name = self.arguments[0]
        if name not in functions():
            raise self.error(f"docs/figures has no function {name}.")
        if "alt" not in self.options:
            raise self.error(f"the picture {name} needs an alt text.")
        figure = nodes.figure(classes=["picture"])
        for suffix, only in (("", "in-light"), ("-dark", "in-dark")):
            uri = f"/_build/figures/{name}{suffix}.svg"
            figure += nodes.image(uri=uri, alt=self.options["alt"], classes=[only])
        if self.content:
            caption = nodes.caption()
            for paragraph in self.parse_content_to_nodes():
                caption += paragraph.children
            figure += caption
        self.env.note_dependency(str(FOLDER / f"{name}.svg"))
        return [figure]


def setup(app):
    """Register the directive; figures are drawn before pages are read."""
    app.add_config_value("pictures_redraw", True, "", bool)
    app.add_directive("picture", Picture)
    app.connect("builder-inited", draw_all)
    return {"parallel_read_safe": True}
