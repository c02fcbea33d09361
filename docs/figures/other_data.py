"""Figures of the pages about columns, pairs, views, later sites and large tables."""

import time

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from skda import (
    ColumnBridgeTransformer,
    CORALTransformer,
    DirectStandardizationTransformer,
    LinearTransportTransformer,
    ViewFusionClassifier,
    adapt_to,
    make_domain_pipeline,
    stack_domains,
)

from ._style import FAINT, GOOD, INK, SOURCE, TARGET, panels, show_bars
from ._tables import PAGE, number


def other_columns():
    """The marker that one hospital does not measure, predicted and true."""
    rng = np.random.default_rng(0)
    burden = rng.normal(size=800)
    frame = pd.DataFrame(
        {
            "age": 60 + 8 * burden + rng.normal(0, 12, 800),
            "crp": 5 + 2 * burden + rng.normal(0, 3, 800),
            "leukocytes": 7 + burden + rng.normal(0, 2, 800),
            "marker": 20 + 9 * burden + rng.normal(0, 4, 800),
        }
    )
    truth = frame["marker"][:400]
    y = (burden[:400] > 0).astype(int)
    X, _, sample_domain = stack_domains(
        frame[:400].drop(columns="marker"), y, frame[400:], join="outer"
    )
    bridge = ColumnBridgeTransformer().fit(X, sample_domain=sample_domain)
    filled = bridge.transform(X, sample_domain=sample_domain)
    predicted = np.asarray(filled)[:400, list(X.columns).index("marker")]
    figure, ax = panels("a marker that the source has not measured", height=3.4, width=4.8)
    ax.scatter(truth, predicted, s=14, color=SOURCE, alpha=0.5, linewidth=0)
    ends = [truth.min(), truth.max()]
    ax.plot(ends, ends, ":", color=FAINT)
    ax.set(xlabel="true value", ylabel="predicted by the bridge")
    return figure


def paired_rows():
    """Spectra of the same samples on two instruments, before and after standardization."""
    rng = np.random.default_rng(0)
    channels = np.linspace(0, 1, 60)
    peaks = np.exp(-((channels - np.array([[0.2], [0.5], [0.8]])) ** 2) / 0.02)
    amounts = rng.uniform(0.5, 2.0, size=(50, 3))

    def measured(gain, base):
        noise = 0.003 * rng.normal(size=(50, 60))
        return gain * amounts @ peaks + base * channels + noise

    on_a, on_b = measured(1.0, 0.0), measured(1.3, 0.4)
    X = np.concatenate([on_a, on_b])
    sample_domain = np.repeat([1, -2], 50)
    pair_id = np.concatenate([np.arange(50), np.where(np.arange(50) < 10, np.arange(50), -1)])
    standard = DirectStandardizationTransformer()
    standard.fit(X, sample_domain=sample_domain, pair_id=pair_id)
    mapped = standard.transform(X, sample_domain=sample_domain)
    figure, axes = panels("as measured", "standardized by ten pairs", sharey=True)
    for ax, rows in zip(axes, (X, mapped), strict=True):
        for domain, color, style in ((1, SOURCE, "-"), (-2, TARGET, "--")):
            chosen = rows[sample_domain == domain][20:25]
            ax.plot(channels, chosen.T, style, color=color, linewidth=1.2)
        ax.set(xlabel="channel", xticks=[])
    axes[0].plot([], [], "-", color=SOURCE, label="instrument A")
    axes[0].plot([], [], "--", color=TARGET, label="instrument B")
    axes[0].legend()
    return figure


def views():
    """Accuracy of each view and of both, with and without adaptation."""
    rng = np.random.default_rng(0)

    def patients(n, gain=1.0, offset=0.0):
        y = rng.integers(2, size=n)
        lab = gain * (rng.normal(size=(n, 2)) + y[:, None]) + offset
        form = rng.normal(size=(n, 2)) + 0.8 * y[:, None]
        return pd.DataFrame(np.hstack([lab, form]), columns=["crp", "iron", "pain", "sleep"]), y

    X_here, y_here = patients(400)
    X_there, y_there = patients(800, gain=3.0, offset=10.0)
    X, y, sample_domain = stack_domains(X_here, y_here, X_there)
    columns = {"lab": ["crp", "iron"], "form": ["pain", "sleep"]}
    scores = {}
    for strength, name in ((0.0, "not adapted"), (1.0, "laboratory adapted")):
        coral = CORALTransformer(strength=strength)
        lab = make_domain_pipeline(coral, LogisticRegression())
        fusion = ViewFusionClassifier(
            views=columns, estimators={"lab": lab, "form": LogisticRegression()}
        ).fit(X, y, sample_domain=sample_domain)
        for view, used in (("laboratory", columns["lab"]), ("form", columns["form"])):
            if strength or view == "laboratory":
                scores[f"{view} alone, {name}"] = fusion.score(X_there[used], y_there)
        scores[f"both, {name}"] = fusion.score(X_there, y_there)
    scores = {
        name.replace("form alone, laboratory adapted", "form alone"): value
        for name, value in scores.items()
    }
    figure, ax = panels("accuracy at the second hospital")
    show_bars(ax, scores, colors={"both, laboratory adapted": GOOD}, limits=(0, 1))
    return figure


def later_sites():
    """A third hospital before and after its rows were learned, with the model as it was."""
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=450)
    X = rng.normal(size=(450, 2)) + 3.0 * y[:, None]
    hospital = np.repeat([1, -2, -7], 150)
    X[hospital == -2] = X[hospital == -2] * 2.0 + 5.0
    X[hospital == -7] = X[hospital == -7] * 0.5 - 4.0
    known, later = hospital != -7, hospital == -7
    model = make_domain_pipeline(
        LinearTransportTransformer(direction="to_source"), LogisticRegression()
    ).fit(X[known], y[known], sample_domain=hospital[known])
    adapt_to(model, X[later], sample_domain=-7)
    mapped = model[0].transform(X, sample_domain=hospital)
    figure, axes = panels("as they come", "mapped to hospital A")
    for ax, rows in zip(axes, (X, mapped), strict=True):
        for domain, color, marker, name in (
            (1, SOURCE, "o", "A, the source"),
            (-2, TARGET, "^", "B"),
            (-7, GOOD, "s", "C, came later"),
        ):
            chosen = rows[hospital == domain]
            ax.scatter(*chosen.T, s=12, color=color, marker=marker, alpha=0.55, label=name)
        ax.set(xticks=[], yticks=[])
    axes[0].legend(fontsize=8)
    coef, intercept = model[-1].estimator_.coef_[0], model[-1].estimator_.intercept_[0]
    ends = np.array([-3.0, 6.0])
    axes[1].plot(ends, -(intercept + coef[0] * ends) / coef[1], color=INK)
    axes[1].text(3.8, -2.6, "border of\nthe model", fontsize=8)
    axes[1].set_ylim(-4, 7)
    return figure


def large_tables():
    """Seconds to fit a map on a dask table, by its number of rows."""
    import dask.array as da

    import skda.dask

    counts, seconds = [20_000, 80_000, 320_000, 1_280_000], []
    for count in [counts[0], *counts]:  # the first fit starts dask, and does not count
        rng = da.random.default_rng(0)
        X = rng.normal(size=(count, 10), chunks=(20_000, 10))
        ids = np.repeat([1, -2], count // 2)
        sample_domain = da.from_array(ids, chunks=20_000)
        start = time.perf_counter()
        skda.dask.fit(LinearTransportTransformer(), X, sample_domain=sample_domain)
        seconds.append(time.perf_counter() - start)
    seconds = seconds[1:]
    figure, ax = panels("seconds to fit LinearTransportTransformer, blocks of 20,000 rows")
    ax.plot(counts, seconds, "o-", color=SOURCE)
    ax.plot(counts, seconds[-1] * np.array(counts) / counts[-1], ":", color=FAINT)
    ax.set(xscale="log", yscale="log", xlabel="rows of 10 features", ylabel="seconds")
    ax.set_xticks(counts, [f"{count:,}" for count in counts])
    ax.minorticks_off()
    return figure


def arrays_and_gpus():
    """Time and memory of CORAL in float32 and float64, from the page of benchmarks."""
    text = PAGE.read_text("utf-8").partition("### coral: float32 against float64")[2]
    rows = [
        line.split("|")[2:6] for line in text.partition("###")[0].splitlines() if "skda" in line
    ]
    names = [cells[0].strip().removeprefix("skda ") for cells in rows]
    figure, axes = panels("seconds", "peak memory, MB", height=1.6)
    for ax, at in zip(axes, (1, 3), strict=True):
        values = {name: number(cells[at]) for name, cells in zip(names, rows, strict=True)}
        show_bars(ax, values, limits=(0, 1.25 * max(values.values())))
    return figure
