"""Numbers of the page of benchmarks, for the figures that show them."""

from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "benchmarks.md"


def number(cell):
    """Return our number of a cell, which stands first."""
    return float(cell.split()[0].replace("−", "-"))
