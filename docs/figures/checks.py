"""Figures of the pages about choosing, estimating and watching a model."""

import numpy as np
from sklearn.linear_model import Ridge

from benchmarks._excerpts import tables_of
from skda import ConformalRegressor, DomainClassifierWeighter, stack_domains
from skda.monitoring import DriftMonitor

from ._style import FAINT, GOOD, INK, SOURCE, TARGET, panels, show_bars
from ._tables import PAGE, number


def choosing_without_labels():
    """Mean and worst gain of the model that each score chooses, from the page of benchmarks."""
    table = tables_of(PAGE.read_text("utf-8"))["selection-tasks"]
    gains = {
        scorer: [number(row[scorer]) for row in table.values() if row[scorer] not in ("", "–")]
        for scorer in next(iter(table.values()))
    }
    order = sorted(gains, key=lambda name: np.mean(gains[name]))
    figure, ax = panels("gain over the source model, a point for each task", height=4.4, width=7)
    for at, name in enumerate(order):
        ax.plot(gains[name], [at] * len(gains[name]), "o", color=SOURCE, alpha=0.45, markersize=4)
        ax.plot(np.mean(gains[name]), at, "D", color=TARGET)
    ax.plot([], [], "D", color=TARGET, label="mean")
    ax.axvline(0, color=FAINT)
    ax.set(yticks=range(len(order)), yticklabels=order, xlabel="points of accuracy on the target")
    ax.legend(loc="lower right")
    return figure


def performance_estimate():
    """Mean error of estimates of the accuracy on real targets, from the page of benchmarks."""
    row = tables_of(PAGE.read_text("utf-8"))["performance-classification"]["mean of families"]
    errors = {name: number(cell) for name, cell in row.items()}
    errors = dict(sorted(errors.items(), key=lambda item: item[1]))
    figure, ax = panels("mean error of the estimated accuracy, real data")
    colors = {"auto": GOOD, "source": TARGET}
    show_bars(ax, errors, colors=colors, limits=(0, 1.15 * max(errors.values())))
    return figure


def intervals():
    """Intervals over the feature that shifted, without and with weights."""
    rng = np.random.default_rng(3)

    def measured(X):
        return X[:, 0] + np.exp(X[:, 0] / 2) * rng.normal(size=len(X))

    X_source, X_target = rng.normal(size=(500, 3)), rng.normal([0.8, 0, 0], 1, size=(1000, 3))
    y_target = measured(X_target)
    X, y, sample_domain = stack_domains(X_source, measured(X_source), X_target[:500])
    X_new, y_new = X_target[500:], y_target[500:]
    order = np.argsort(X_new[:, 0])
    figure, axes = panels("", "", sharey=True)
    weighters = {"no weights": None, "weights": DomainClassifierWeighter(random_state=0)}
    for ax, (name, weighter) in zip(axes, weighters.items(), strict=True):
        model = ConformalRegressor(Ridge(), weighter, alpha=0.1, random_state=0)
        model.fit(X, y, sample_domain=sample_domain)
        low, high = model.predict_interval(X_new).T
        inside = (low <= y_new) & (y_new <= high)
        # The other two features move the bounds by little: a line through them shows the band.
        for bound in (low, high):
            line = np.polyval(np.polyfit(X_new[:, 0], bound, 1), X_new[order, 0])
            ax.plot(X_new[order, 0], line, color=INK, linewidth=1)
        ax.scatter(X_new[inside, 0], y_new[inside], s=6, color=SOURCE, alpha=0.5, linewidth=0)
        ax.scatter(X_new[~inside, 0], y_new[~inside], s=18, color=TARGET, marker="x", linewidth=1)
        ax.set_title(f"{name}: {inside.mean():.0%} inside, 90 % promised")
        ax.set_xlabel("the feature that shifted")
    return figure


def monitoring():
    """The evidence of a drift monitor, row by row, with a change at row 600."""
    rng = np.random.default_rng(0)
    monitor = DriftMonitor(random_state=0).fit(rng.normal(size=(500, 10)))
    rows = rng.normal(size=(660, 10))
    rows[600:, 3] += 1.0
    for start in range(0, len(rows), 10):
        monitor.update(rows[start : start + 10])
    figure, ax = panels("evidence that some sensor of ten has changed")
    ax.plot(*monitor.trace_, color=SOURCE)
    ax.axhline(monitor.threshold_, color=TARGET, linestyle="--")
    ax.text(0, 1.6 * monitor.threshold_, "alarm", color=TARGET)
    ax.axvline(600, color=FAINT, linestyle=":")
    ax.text(592, 0.2, "change", color=FAINT, ha="right")
    ax.plot(monitor.alarm_row_, monitor.threshold_, "o", color=TARGET)
    ax.set(yscale="log", xlabel="row of the stream", ylabel="evidence")
    return figure
