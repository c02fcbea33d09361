"""What all figures share: their axes, their colors, the error without matplotlib."""

SOURCE_COLOR, TARGET_COLOR = "tab:blue", "tab:orange"


def pyplot(name):
    """Return matplotlib's pyplot, or raise an error that says how to get it."""
    try:
        from matplotlib import pyplot as found
    except ImportError as error:
        raise ImportError(f"{name} needs matplotlib: pip install 'skda[plot]'") from error
    return found


def axes_of(ax, name, n, *, size=(3.2, 2.6), n_columns=3):
    """Return n axes: those that were passed, or those of a new figure."""
    if ax is not None:
        given = list(ax.flat) if hasattr(ax, "flat") else list(ax) if n > 1 else [ax]
        if len(given) < n:
            raise ValueError(f"ax must hold {n} axes for as many panels; got {len(given)}.")
        return given[:n]
    across = min(n, n_columns)
    down = -(-n // across)
    figure, axes = pyplot(name).subplots(
        down,
        across,
        figsize=(size[0] * across, size[1] * down),
        layout="constrained",
        squeeze=False,
    )
    for spare in axes.flat[n:]:
        figure.delaxes(spare)
    return list(axes.flat[:n])


def draw_histogram(ax, histogram):
    """Draw paired histograms, of numbers as steps and of categories as bars."""
    edges, source, target = histogram
    if isinstance(edges, list):
        places = range(len(edges))
        ax.bar([i - 0.2 for i in places], source, 0.4, color=SOURCE_COLOR, label="source")
        ax.bar([i + 0.2 for i in places], target, 0.4, color=TARGET_COLOR, label="target")
        ax.set_xticks(list(places), edges, rotation=30, ha="right", fontsize=7)
    else:
        ax.stairs(source, edges, color=SOURCE_COLOR, fill=True, alpha=0.4, label="source")
        ax.stairs(target, edges, color=TARGET_COLOR, label="target", linewidth=1.5)
    ax.spines[["top", "right"]].set_visible(False)


def draw_points(ax, points, ids):
    """Draw the rows of both domains, the smaller dots on top of none in particular."""
    for side, color, label in (
        (ids >= 0, SOURCE_COLOR, "source"),
        (ids < 0, TARGET_COLOR, "target"),
    ):
        ax.scatter(*points[side].T, s=6, alpha=0.5, color=color, label=label, linewidths=0)
    ax.set(xticks=[], yticks=[])
