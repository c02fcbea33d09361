"""A plot of the evidence that a monitor has seen."""

import numpy as np


def plot_evidence(monitor, ax=None):
    """Draw the evidence over the rows, the threshold and the alarm; return the axes."""
    if ax is None:
        try:
            from matplotlib import pyplot
        except ImportError as error:
            raise ImportError("plot needs matplotlib: pip install 'skda[plot]'") from error
        ax = pyplot.subplots(layout="constrained")[1]
    rows, values = monitor.trace_
    # Evidence below 1 says nothing, and the logarithm of 0 cannot be drawn.
    ax.plot(rows, np.maximum(values, 1.0), label="evidence")
    ax.axhline(monitor.threshold_, color="black", linestyle="--", label="alarm at")
    if monitor.alarm_:
        feature = next(iter(monitor.features_))
        ax.axvline(monitor.alarm_row_, color="tab:red", label=f"alarm: {feature}")
        ax.axvline(monitor.since_, color="tab:red", linestyle=":", label="change estimated at")
    ax.set_yscale("log")
    ax.set_xlabel("row of the stream")
    ax.set_ylabel("e-value")
    ax.legend()
    return ax
