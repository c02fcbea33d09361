"""Sphinx configuration."""

import os
import re
import sys
from pathlib import Path

os.environ.setdefault("SCIPY_ARRAY_API", "1")
DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS), str(DOCS.parent)]

from api_pages import write_api_pages  # noqa: E402

import skda  # noqa: E402
from benchmarks._data import fill_data_home, lessons_without_data  # noqa: E402

write_api_pages(DOCS / "api" / "generated")

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
    "sphinx.ext.mathjax",
    "myst_parser",
    "page_figures",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build"]
autosummary_generate = False
extlinks = {
    "doi": ("https://doi.org/%s", "doi:%s"),
    "arxiv": ("https://arxiv.org/abs/%s", "arXiv:%s"),
}
myst_enable_extensions = ["deflist", "dollarmath"]
myst_heading_anchors = 3
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "filename_pattern": rf"[\\/](?!(?:{NOT_RUN})$)plot_\w+\.py$",
    "gallery_dirs": "gallery",
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_signature": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "skda"
html_theme_options = {
    "navigation_with_keys": False,
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"whats_new": [], "developing": []}


def escape_fitted_names(app, what, name, obj, options, lines):
    """Keep reStructuredText from reading ``(n_features_in_,)`` as a link."""
    lines[:] = [re.sub(r"(?<![`\w.])(\w*[a-z])_(?=[,)])", r"\1\\_", line) for line in lines]


def setup(app):
    """Connect the above before numpydoc reads the docstring."""
    app.connect("autodoc-process-docstring", escape_fitted_names, priority=0)
