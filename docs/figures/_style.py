"""What all figures share: colors, shapes and the two kinds of panels."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

# Colors that people with any color vision tell apart, and that show on white and on black. DARK has
# what takes their place in the dark version of a figure.
SOURCE, TARGET, GOOD = "#2b7bba", "#e07b1a", "#1a9a76"
INK, FAINT = "#1b1f24", "#8a929a"
DARK = {
    INK: "#dde3e9",
    FAINT: "#8f98a1",
    SOURCE: "#63aee8",
    TARGET: "#f5a652",
    GOOD: "#3cc7a0",
}

SETTINGS = {
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "text.color": INK,
    "font.size": 10,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "legend.frameon": False,
    "legend.fontsize": 9,
    "svg.hashsalt": "skda",
    "svg.fonttype": "path",
}


def panels(*titles, height=2.9, width=None, **options):
    """Return a figure and one axis for each title; a single one is not in a list."""
    width = width or {1: 6.4, 2: 7.4}.get(len(titles), 8.8)
    figure, axes = plt.subplots(
        1, len(titles), figsize=(width, height), layout="constrained", squeeze=False, **options
    )
    for ax, title in zip(axes[0], titles, strict=True):
        ax.set_title(title)
    return figure, axes[0][0] if len(titles) == 1 else axes[0]


def show_rows(ax, X, sample_domain, y=None, *, legend=False):
    """Draw rows: color says the domain, shape the class."""
    for of_domain, color, name in (
        (sample_domain >= 0, SOURCE, "source"),
        (sample_domain < 0, TARGET, "target"),
    ):
        classes = np.zeros(len(X)) if y is None else np.asarray(y)
        for label, marker in zip(np.unique(classes), "o^sDv", strict=False):
            rows = of_domain & (classes == label)
            ax.scatter(*X[rows, :2].T, s=17, marker=marker, alpha=0.6, linewidth=0, color=color)
        ax.scatter([], [], s=22, color=color, label=name)
    ax.set(xticks=[], yticks=[])
    if legend:
        ax.legend(loc="best", handletextpad=0.1)


def show_border(ax, model, *, n=160):
    """Draw the border between two classes of a model of two features."""
    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    grid = np.stack(np.meshgrid(np.linspace(x0, x1, n), np.linspace(y0, y1, n)), axis=-1)
    labels = model.predict(grid.reshape(-1, 2)).reshape(n, n).astype(float)
    ax.contour(grid[..., 0], grid[..., 1], labels, levels=[0.5], colors=INK, linewidths=1.5)
    ax.set(xlim=(x0, x1), ylim=(y0, y1))


def show_bars(ax, values, *, colors=None, digits=2, limits=(0, 1), label=None):
    """Draw horizontal bars by name, the first on top, each with its number."""
    names = list(values)[::-1]
    colors = colors or {}
    ax.barh(names, [values[n] for n in names], color=[colors.get(n, SOURCE) for n in names])
    for row, name in enumerate(names):
        ax.annotate(
            f" {values[name]:.{digits}f}", (max(values[name], 0), row), va="center", fontsize=9
        )
    ax.set(xlim=limits, xlabel=label)
    ax.tick_params(axis="y", length=0)
