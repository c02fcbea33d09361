"""Figures of guide pages: what the Python code on the page draws, drawn when the site is built.

A page asks for the figure of the code above it by ::

    ```{drawn} What the figure shows, for those who do not see it
    Caption.
    ```

All Python blocks of the page up to there are run in order, in one namespace, as the tests do.
"""

import contextlib
import io
import re
from pathlib import Path

import sklearn

BLOCK = re.compile(
    r"^```(?P<kind>python|\{drawn\} (?P<alt>[^\n]+))\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE
)
DPI = 150  # sharp on a screen of high resolution, at half of the width in pixels


def with_figures(text, page, folder):
    """Return the text of a page with its figures in place, and draw these.

    Parameters
    ----------
    text : str
        The page.
    page : str
        Its name, which the files begin with.
    folder : pathlib.Path
        Where the files are put.

    Returns
    -------
    text : str
        The page, which refers to the files by their absolute paths.
    """
    if "```{drawn}" not in text:
        return text
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    namespace, count = {"__name__": "__main__"}, 0

    def put(block):
        nonlocal count
        if block["kind"] == "python":
            # Of this block alone: an older figure is not what the page asks for.
            pyplot.close("all")
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(block["body"], page, "exec"), namespace)
            return block[0]
        if not pyplot.get_fignums():
            raise ValueError(f"{page}: no figure is drawn by the code above '{block['alt']}'.")
        count += 1
        file = folder / f"{page.replace('/', '_')}_{count}.png"
        figure = pyplot.gcf()
        figure.savefig(file, dpi=DPI)
        width = round(96 * figure.get_size_inches()[0])
        options = f":alt: {block['alt']}\n:width: {width}px"
        return f"```{{figure}} {file}\n{options}\n\n{block['body']}```"

    try:
        # What a page sets is not for the pages after it.
        with sklearn.config_context():
            return BLOCK.sub(put, text)
    finally:
        pyplot.close("all")


def draw_figures(app, page, source):
    """Put the figures into a page that Sphinx has just read."""
    folder = Path(app.srcdir) / "_build" / "page_figures"
    text = with_figures(source[0], page, folder)
    # Sphinx takes a path that begins with a slash from the folder of the sources.
    source[0] = text.replace(f"{{figure}} {app.srcdir}/", "{figure} /")


def setup(app):
    """Draw before anything else reads the page."""
    app.connect("source-read", draw_figures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
