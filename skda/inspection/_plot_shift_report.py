"""The figure of a shift report."""

import numpy as np
from sklearn.metrics import roc_curve

from ._pictures import feature_values, paired_histogram, project
from ._plot_axes import SOURCE_COLOR, TARGET_COLOR, draw_histogram, draw_points, pyplot

_N_BINS, _N_FEATURES = 20, 3
FIGURE_SIZE = (7, 7.5)  # inches: on a page of text it is not scaled down


def new_figure():
    """Return an empty figure of the size of a report."""
    return pyplot("ShiftReport.plot").figure(figsize=FIGURE_SIZE, layout="constrained")


def draw_report(report, figure):
    """Draw all panels of a report in a figure."""
    curves = report.curves
    *top, bottom = figure.add_gridspec(3, 1, height_ratios=(1.1, 1.1, 0.8))
    roc, scores, priors, plane = (
        figure.add_subplot(spec) for line in top for spec in line.subgridspec(1, 2)
    )
    ids = np.repeat([1, -1], [len(curves["Zs"]), len(curves["Zt"])])
    _draw_roc(roc, curves["scores"], ids)
    draw_histogram(scores, paired_histogram(curves["scores"], ids, _N_BINS))
    scores.set_title("probability of the target", fontsize=9)
    scores.legend(frameon=False, fontsize=8)
    _draw_priors(priors, curves)
    draw_points(plane, project(np.concatenate([curves["Zs"], curves["Zt"]]), ids)[0], ids)
    plane.set_title("both domains in two dimensions", fontsize=9)
    names = list(report.features.index[:_N_FEATURES])
    values = feature_values(curves["X"], names)
    panels = bottom.subgridspec(1, len(names))
    for spec, name in zip(panels, names, strict=True):
        ax = figure.add_subplot(spec)
        draw_histogram(ax, paired_histogram(values[name], curves["ids"], _N_BINS))
        ax.set_title(f"{name}: KS {report.features.loc[name, 'ks']:.2f}", fontsize=9)
    figure.suptitle(f"Shift report: {report.kind}")


def _draw_roc(ax, scores, ids):
    false, true, _ = roc_curve(ids < 0, scores)
    ax.plot(false, true, color="black")
    ax.plot([0, 1], [0, 1], color="lightgray", zorder=0)
    ax.set(xlabel="source rows taken for target", ylabel="target rows found")
    ax.set_title("classifier of the domains", fontsize=9)
    ax.spines[["top", "right"]].set_visible(False)


def _draw_priors(ax, curves):
    ax.set_title("class proportions", fontsize=9)
    ax.spines[["top", "right"]].set_visible(False)
    if curves["priors"] is None:
        ax.text(0.5, 0.5, "no labels", ha="center", va="center", transform=ax.transAxes)
        ax.set(xticks=[], yticks=[])
        return
    source, target, interval = (curves["priors"][key] for key in ("source", "target", "interval"))
    places = np.arange(len(source))
    ax.bar(places - 0.2, source, 0.4, color=SOURCE_COLOR)
    ax.bar(places + 0.2, target, 0.4, color="white", edgecolor=TARGET_COLOR, hatch="///")
    ax.vlines(places + 0.2, interval[:, 0], interval[:, 1], color="black")
    ax.set_xticks(places, [str(name) for name in curves["classes"]], fontsize=8)
