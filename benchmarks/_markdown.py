"""Tables of figures in Markdown."""

import numpy as np


def table(header, rows):
    """A Markdown table, the first column to the left."""
    line = ["---"] + ["---:"] * (len(header) - 1)
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in [header, line, *rows])


def signed(value, digits=1):
    """A gain as text with its sign, a dash where there is none."""
    return "–" if np.isnan(value) else f"{value:+.{digits}f}".replace("-", "−")
