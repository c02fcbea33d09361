"""Write formulas as MathML when the site is built, so that no page loads a script to show them.

Browsers draw MathML by themselves, without network. The conversion is that of docutils; a formula
that it cannot read is a warning, and so ends a build with ``-W``.
"""

import re

from docutils.nodes import SkipNode
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

logger = logging.getLogger(__name__)

# What authors write and docutils has no name for, and what says the same.
REWRITTEN = {r"\\(B|b)ig(?![a-zA-Z])": r"\\\1igl", r"\\textstyle\b": "", "‖": r"\\|"}


def to_mathml(node, as_block):
    """Return the MathML of a node, or its source with a warning."""
    tex = node.astext()
    for pattern, replacement in REWRITTEN.items():
        tex = re.sub(pattern, replacement, tex)
    # Sphinx allows a line to end with \\ outside of an environment, docutils does not.
    if as_block and "\\\\" in tex and "\\begin" not in tex:
        tex = f"\\begin{{aligned}}{tex}\\end{{aligned}}"
    try:
        return tex2mathml(tex, as_block=as_block)
    except MathError as error:
        logger.warning("formula cannot be shown: %s: %s", error, tex, location=node)
        return f"<code>{tex}</code>"


def visit_inline(translator, node):
    """Write a formula within a line."""
    translator.body.append(to_mathml(node, as_block=False))
    raise SkipNode


def visit_block(translator, node):
    """Write a formula that stands alone; a wide one scrolls by itself."""
    translator.body.append(f'<div class="formula">{to_mathml(node, as_block=True)}</div>')
    raise SkipNode


def setup(app):
    """Register the renderer, which ``html_math_renderer`` names."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
