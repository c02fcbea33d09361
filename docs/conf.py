"""Sphinx configuration."""

import os
import re
import sys
from pathlib import Path

os.environ.setdefault("SCIPY_ARRAY_API", "1")
DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS))

from api_pages import write_api_pages  # noqa: E402

import skda  # noqa: E402

write_api_pages(DOCS / "api" / "generated")

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
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build"]
autosummary_generate = False
autodoc_typehints = "none"  # the docstrings name the types, and say more
extlinks = {
    "doi": ("https://doi.org/%s", "doi:%s"),
    "arxiv": ("https://arxiv.org/abs/%s", "arXiv:%s"),
}
myst_enable_extensions = ["deflist", "dollarmath"]
myst_heading_anchors = 3
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
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
