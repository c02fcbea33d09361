"""What all figures share: their axes, their colors and marks, the error without matplotlib."""

import numpy as np

# Blue and orange differ to nearly everyone; forms and lines say the same for those who see gray.
SOURCE_COLOR, TARGET_COLOR = "tab:blue", "tab:orange"
SOURCE_MARK, TARGET_MARK = "o", "^"
# Okabe and Ito's colors without yellow, which is pale on white.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
MARKS = ("o", "^", "s", "D", "v", "P", "X")
TITLE_SIZE, TEXT_SIZE = 10, 8


def pyplot(name):
    """Return matplotlib's pyplot, or raise an error that says how to get it."""
    try:
        from matplotlib import pyplot as found
    except ImportError as error:
        raise ImportError(f"{name} needs matplotlib: pip install 'skda[plot]'") from error
    return found


def axes_of(ax, name, n, *, size=(3.2, 2.6), n_columns=3, share_y=False):
    """Return n axes: those that were passed, or those of a new figure."""
    if ax is not None:
        given = list(np.ravel(np.asarray(ax, dtype=object)))
        if not all(hasattr(one, "get_figure") and hasattr(one, "plot") for one in given):
            raise ValueError(f"ax must be axes of matplotlib, or None for a figure; got {ax!r}.")
        if len(given) < n:
            raise ValueError(
                f"ax must hold {n} axes for as many panels; got {len(given)}. Make them with "
                f"plt.subplots(1, {n})[1]."
            )
        return given[:n]
    across = min(n, n_columns)
    down = -(-n // across)
    figure, axes = pyplot(name).subplots(
        down,
        across,
        figsize=(size[0] * across, size[1] * down),
        layout="constrained",
        sharey=share_y,
        squeeze=False,
    )
    for spare in axes.flat[n:]:
        figure.delaxes(spare)
    return list(axes.flat[:n])


def style_of(i):
    """Return color, line and mark of the i-th curve, so that no two differ by color alone."""
    return {
        "color": COLORS[i % len(COLORS)],
        "linestyle": LINES[i % len(LINES)],
        "marker": MARKS[i % len(MARKS)],
    }


def open_frame(*axes):
    """Take away the upper and the right line around each of the axes."""
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)


def draw_histogram(ax, histogram):
    """Draw paired histograms, of numbers as steps and of categories as bars."""
    edges, source, target = histogram
    if isinstance(edges, list):
        places = range(len(edges))
        ax.bar([i - 0.2 for i in places], source, 0.4, color=SOURCE_COLOR, label="source")
        ax.bar(
            [i + 0.2 for i in places],
            target,
            0.4,
            color="white",
            edgecolor=TARGET_COLOR,
            hatch="///",
            label="target",
        )
        ax.set_xticks(list(places), edges, rotation=30, ha="right", fontsize=7)
    else:
        ax.stairs(source, edges, color=SOURCE_COLOR, fill=True, alpha=0.4, label="source")
        ax.stairs(target, edges, color=TARGET_COLOR, label="target", linewidth=1.5)
    open_frame(ax)


def draw_points(ax, points, ids):
    """Draw the rows of both domains, the smaller dots on top of none in particular."""
    for side, color, mark, label in (
        (ids >= 0, SOURCE_COLOR, SOURCE_MARK, "source"),
        (ids < 0, TARGET_COLOR, TARGET_MARK, "target"),
    ):
        ax.scatter(
            *points[side].T, s=9, alpha=0.5, color=color, marker=mark, label=label, linewidths=0
        )
    ax.set(xticks=[], yticks=[])
