"""Charts of the overview of the benchmarks, from the tables of that page."""

import matplotlib.pyplot as plt
from benchmark_pages import OTHERS, PEERS, compared_scores, compared_times, parts

from ._style import FAINT, GOOD, INK, SOURCE, TARGET, panels
from ._tables import PAGE

MARKS = {"SKADA": ("o", SOURCE), "ADAPT": ("^", TARGET), "POT": ("s", GOOD)}
# Tasks whose scores are errors: less is better there, and no percentage.
ERRORS = ("corn-moisture", "mushrooms", "schools", "students")


def benchmark_times():
    """How many times longer other packages take, a line for each case."""
    cases = compared_times(parts(PAGE.read_text("utf-8"))[1]["Speed"])[::-1]
    figure, ax = panels("times the time of skda", height=0.32 * len(cases) + 1.1, width=7.6)
    ax.axvline(1, color=INK, linewidth=1)
    for at, (_, _, _, peers) in enumerate(cases):
        ax.axhline(at, color=FAINT, linewidth=0.4)
        for package, times in peers.items():
            marker, color = MARKS.get(package, ("D", FAINT))
            ax.plot(times, at, marker, color=color, markersize=7)
    for package, (marker, color) in MARKS.items():
        ax.plot([], [], marker, color=color, label=package)
    others = ", ".join(package for package in PEERS.values() if package in OTHERS)
    ax.plot([], [], "D", color=FAINT, label=others)
    ax.set(xscale="log", yticks=range(len(cases)), yticklabels=[case[0] for case in cases])
    ax.set_xticks([0.5, 1, 2, 5, 10, 20, 50, 100], ["0.5", "1", "2", "5", "10", "20", "50", "100"])
    ax.minorticks_off()
    ax.tick_params(axis="y", length=0)
    figure.legend(loc="outside lower center", ncols=4)
    return figure


def benchmark_accuracy():
    """Our accuracy against the published one, a point for each figure."""
    figure, ax = plt.subplots(figsize=(5.4, 4.6), layout="constrained")
    ax.axline((0, 0), slope=1, color=FAINT, linewidth=1)
    for task, ours, published, short in compared_scores(PAGE.read_text("utf-8")):
        if task in ERRORS:
            continue
        scale = 100 if max(ours, published) <= 1 else 1
        marker, color = ("x", TARGET) if short else ("o", SOURCE)
        alpha = 1 if short else 0.6
        ax.plot(scale * published, scale * ours, marker, color=color, alpha=alpha, markersize=5)
    ax.plot([], [], "o", color=SOURCE, label="reached or passed")
    ax.plot([], [], "x", color=TARGET, label="falls short")
    ax.set(xlabel="published accuracy, %", ylabel="accuracy of skda, %")
    ax.set(xlim=(0, 102), ylim=(0, 102))
    ax.legend(loc="lower right")
    return figure
