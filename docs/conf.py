"""Sphinx configuration."""

import os
import re
import sys
from pathlib import Path

os.environ.setdefault("SCIPY_ARRAY_API", "1")
DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS), str(DOCS.parent)]  # tools of this folder, and the benchmarks

from api_pages import write_api_pages  # noqa: E402
from benchmark_pages import facts, write_benchmark_pages  # noqa: E402

import skda  # noqa: E402
from benchmarks._data import fill_data_home, lessons_without_data  # noqa: E402

write_api_pages(DOCS / "api" / "generated")
write_benchmark_pages(DOCS / "benchmark_details")

# Lessons use public data sets: from a local folder where there is one, else by download. A lesson
# whose data cannot be had is shown without being run.
if fill_data_home(DOCS / "_build" / "data_home"):
    os.environ.setdefault("SCIKIT_LEARN_DATA", str(DOCS / "_build" / "data_home"))
NOT_RUN = "|".join(map(re.escape, lessons_without_data(DOCS.parent / "examples")))

project = "skda"
author = "The skda developers"
copyright = "2026, The skda developers"
version = release = skda.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.extlinks",
    "sphinx.ext.viewcode",
    "myst_parser",
    "numpydoc",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    # Of this folder.
    "benchmark_pages",
    "flowchart",
    "mathml",
    "page_figures",
    "pictures",
]
exclude_patterns = ["_build"]
autosummary_generate = False
html_math_renderer = "mathml"
autodoc_typehints = "none"  # the docstrings name the types, and say more
extlinks = {
    "doi": ("https://doi.org/%s", "doi:%s"),
    "arxiv": ("https://arxiv.org/abs/%s", "arXiv:%s"),
}
myst_enable_extensions = ["attrs_block", "colon_fence", "deflist", "dollarmath", "substitution"]
myst_substitutions = facts()
myst_heading_anchors = 3
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "filename_pattern": rf"[\\/](?!(?:{NOT_RUN})$)plot_\w+\.py$",
    "gallery_dirs": "gallery",
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_signature": False,
    "write_computation_times": False,  # a page that loads scripts from other hosts
    "doc_module": ("skda",),
    "backreferences_dir": "gallery/backreferences",
    "reference_url": {"skda": None},
}

# "On this page" lists fit(), not CORALTransformer.fit(), which its column cuts off.
toc_object_entries_show_parents = "hide"

html_theme = "pydata_sphinx_theme"
html_title = "skda"
html_logo = "_static/logo.svg"
html_favicon = "_static/favicon.svg"
html_static_path = ["_static"]
html_css_files = ["skda.css"]
# Without it the script of the theme complains in the console on a first visit.
html_context = {"default_mode": "auto"}
html_theme_options = {
    "logo": {"text": "skda", "alt_text": "skda, front page"},
    "navigation_with_keys": False,
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "header_links_before_dropdown": 6,
    "navigation_depth": 2,
}
# Where the versions of the site lie side by side is known to the workflow that puts them there.
if "SKDA_DOCS_URL" in os.environ:
    html_theme_options |= {
        "navbar_end": ["version-switcher", "theme-switcher"],
        "switcher": {
            "json_url": os.environ["SKDA_DOCS_URL"] + "/switcher.json",
            "version_match": os.environ["SKDA_DOCS_VERSION"].removeprefix("v"),
        },
        "check_switcher": False,  # the first version is built before there is a list
    }
html_sidebars = {"index": [], "whats_new": [], "developing": []}


def escape_fitted_names(app, what, name, obj, options, lines):
    """Keep reStructuredText from reading ``(n_features_in_,)`` as a link."""
    lines[:] = [re.sub(r"(?<![`\w.])(\w*[a-z])_(?=[,)])", r"\1\\_", line) for line in lines]


def tidy_numpydoc(app, what, name, obj, options, lines):
    """Mend what numpydoc's text would look like on the page.

    An attribute that is a property is written as its name, since there is no page to link to; and
    the initial of an author, "A. Gretton", is kept from beginning a list from A on.
    """
    for at, line in enumerate(lines):
        line = re.sub(r":obj:`(\w+_) <[\w.]+>`", r"**\1**", line)
        lines[at] = re.sub(r"^(\s*\.\. \[\S+\] [A-Z])\. ", r"\1\\. ", line)


def setup(app):
    """Connect the above before and after numpydoc reads the docstring."""
    app.connect("autodoc-process-docstring", escape_fitted_names, priority=0)
    app.connect("autodoc-process-docstring", tidy_numpydoc, priority=900)
