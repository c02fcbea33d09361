"""Figures of the pages that explain methods without target labels."""

import numpy as np
from sklearn.datasets import make_blobs
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from benchmarks._excerpts import tables_of
from skda import (
    AugmentedEstimator,
    CORALTransformer,
    DANClassifier,
    DeepSourceOnlyClassifier,
    DomainRandomizationAugmenter,
    DomainScaler,
    ImportanceWeightedEstimator,
    LabelShiftClassifier,
    OptimalTransportTransformer,
    RuLSIFWeighter,
    TCATransformer,
    datasets,
    stack_domains,
)

from ._style import FAINT, GOOD, INK, SOURCE, TARGET, panels, show_bars, show_rows
from ._tables import PAGE, number

GENERATORS = {
    "covariate": datasets.make_covariate_shift,
    "label": datasets.make_label_shift,
    "conditional": datasets.make_conditional_shift,
    "subspace": datasets.make_subspace_shift,
}


def four_shifts():
    """The four simulated shifts."""
    figure, axes = panels(*(f"{name} shift" for name in GENERATORS), height=2.5)
    for ax, make in zip(axes, GENERATORS.values(), strict=True):
        X, y, sample_domain = make(150, 150, noise=0.2, random_state=0)
        show_rows(ax, X, sample_domain, y, legend=ax is axes[0])
    return figure


def what_shifted():
    """How often the diagnosis names the right kind, from the page of benchmarks."""
    table = tables_of(PAGE.read_text("utf-8"))["kinds"]
    settings = {f"{kind} shift": f"{kind}, noise" for kind in GENERATORS}
    settings["no shift"] = "no shift, split"
    right = {name: number(table[row]["right"]) for name, row in settings.items()}
    figure, ax = panels("draws of 100 whose kind diagnose names")
    show_bars(ax, right, digits=0, limits=(0, 110))
    return figure


def which_alignment():
    """Gains of alignments over no alignment on four shifts, from the page of benchmarks."""
    table = tables_of(PAGE.read_text("utf-8"))["shifts"]
    methods = {
        "DomainScaler": "DomainScaler",
        "CORAL, match_mean": "CORAL, match_mean",
        "LinearTransport": "linear transport",
        "LinearTransport, strength 0.5": "linear transport, half",
        "OptimalTransport": "optimal transport",
        "OptimalTransport, strength 0.5": "optimal transport, half",
        "TCA": "TCA",
    }
    before = np.array([number(table["source only"][kind]) for kind in GENERATORS])
    gains = np.array([[number(table[m][kind]) for kind in GENERATORS] for m in methods]) - before
    figure, ax = panels("points of accuracy over no alignment", height=3.2, width=6.6)
    ax.imshow(100 * gains, cmap="PuOr", vmin=-60, vmax=60, aspect="auto")
    for (i, j), gain in np.ndenumerate(100 * gains):
        text = f"{round(gain):+d}".replace("-", "−")
        ink = "#ffffff" if abs(gain) > 40 else "#101418"
        ax.text(j, i, text, ha="center", va="center", color=ink, fontsize=9)
    ax.set_xticks(range(4), [f"{kind}\nshift" for kind in GENERATORS])
    ax.set_yticks(range(len(methods)), methods.values())
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return figure


def instance_based():
    """A straight line for a parabola, without and with weights, and the weights."""
    rng = np.random.default_rng(0)
    X_source, X_target = rng.normal(0, 1, (300, 1)), rng.normal(1.5, 0.3, (300, 1))
    X, y, sample_domain = stack_domains(X_source, X_source[:, 0] ** 2, X_target)
    weighter = RuLSIFWeighter(min_effective_size=None, random_state=0)
    figure, (left, right) = panels("fitted lines; size of a point: its weight", "weights")
    grid = np.linspace(-2.5, 3, 50)[:, None]
    for used, style, name in ((None, "--", "unweighted"), (weighter, "-", "weighted")):
        model = ImportanceWeightedEstimator(LinearRegression(), used)
        model.fit(X, y, sample_domain=sample_domain)
        left.plot(grid[:, 0], model.predict(grid), style, color=INK, label=name)
    weights = weighter.fit(X, sample_domain=sample_domain).weights_
    left.scatter(X_source[:, 0], X_source[:, 0] ** 2, s=3 + 6 * weights, color=SOURCE, alpha=0.6)
    left.plot(X_target[:, 0], np.full(300, -0.7), "|", color=TARGET, alpha=0.5)
    left.set(ylim=(-1, 6), xlabel="feature (ticks: target rows)", ylabel="label")
    left.legend(loc="upper left")
    right.hist(X_target[:, 0], bins=25, color=TARGET, alpha=0.5, density=True, label="target")
    right.hist(X_source[:, 0], bins=25, color=SOURCE, alpha=0.4, density=True, label="source")
    right.hist(
        X_source[:, 0],
        bins=25,
        weights=weights,
        density=True,
        histtype="step",
        color=INK,
        label="source, weighted",
    )
    right.set(xlabel="feature", yticks=[])
    right.legend(loc="upper left")
    return figure


def label_shift():
    """Estimated proportions of a class with intervals, against the true ones."""
    truths, found, low, high = [], [], [], []
    for ratio in (0.1, 0.3, 0.5, 0.7, 0.9):
        X, y, sample_domain = datasets.make_label_shift(400, 400, ratio=ratio, random_state=0)
        truths.append(np.mean(y[sample_domain < 0] == 1))
        model = LabelShiftClassifier(LogisticRegression(), random_state=0)
        model.fit(X, y, sample_domain=sample_domain)
        interval = model.prior_interval(0.9, random_state=0)
        found.append(model.target_priors_[1])
        low.append(interval[1, 0])
        high.append(interval[1, 1])
    figure, ax = panels("proportion of a class in the target", height=3.4, width=4.6)
    ax.plot([0, 1], [0, 1], ":", color=FAINT)
    found = np.array(found)
    ax.errorbar(truths, found, [found - low, high - found], fmt="o", color=TARGET, capsize=3)
    ax.axhline(0.5, color=SOURCE, linestyle="--")
    ax.text(0.02, 0.52, "source", color=SOURCE)
    ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="true", ylabel="estimated, with 90 % interval")
    return figure


def feature_based_transport():
    """What four maps do to the same source rows."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 240)
    rows = rng.normal(size=(240, 2)) * [1.0, 0.25] + np.outer(y, [0.0, 2.2])
    turn = np.array([[0.85, 0.6], [-0.75, 0.7]])
    rows[120:] = rows[120:] @ turn * 0.8 + [3.0, 1.5]
    sample_domain = np.repeat([1, -2], 120)
    maps = {
        "as they come": None,
        "DomainScaler": DomainScaler(),
        "CORAL, match_mean": CORALTransformer(match_mean=True),
        "OptimalTransport": OptimalTransportTransformer(),
    }
    figure, axes = panels(*maps, height=2.5)
    for ax, mapping in zip(axes, maps.values(), strict=True):
        moved = rows
        if mapping is not None:
            moved = mapping.fit_transform(rows, sample_domain=sample_domain)
        show_rows(ax, moved, sample_domain, y, legend=ax is axes[0])
    return figure


def feature_based_spectral():
    """Rows whose target is turned by half a turn, before and after TCA."""
    X, y, sample_domain = datasets.make_subspace_shift(200, 200, random_state=0)
    target = sample_domain < 0
    tca = TCATransformer(2)
    mapped = tca.fit_transform(X, sample_domain=sample_domain)
    figure, axes = panels("", "")
    for ax, rows, name in ((axes[0], X, "two features"), (axes[1], mapped, "two components")):
        nearest = KNeighborsClassifier().fit(rows[~target], y[~target])
        show_rows(ax, rows, sample_domain, y, legend=ax is axes[0])
        ax.set_title(f"{name}: {nearest.score(rows[target], y[target]):.0%} of the target right")
    return figure


def deep():
    """Two components of what a network has learned, without and with alignment."""
    centers = [[0, 0], [4, 0], [0, 4]]
    X_source, y_source = make_blobs(150, centers=centers, cluster_std=0.6, random_state=0)
    X_target, y_target = make_blobs(150, centers=centers, cluster_std=0.6, random_state=1)
    X_target = X_target * [1.0, 0.6] + [1.6, 1.9]
    X, y, sample_domain = stack_domains(X_source, y_source, X_target)
    figure, axes = panels("", "")
    for ax, net in zip(axes, (DeepSourceOnlyClassifier, DANClassifier), strict=True):
        net = net(batch_norm="joint", input_scaling="source", max_epochs=60, random_state=0)
        net.fit(X, y, sample_domain=sample_domain)
        features = PCA(2).fit_transform(net.transform(X, sample_domain=sample_domain))
        show_rows(ax, features, sample_domain, np.r_[y_source, y_target], legend=ax is axes[0])
        score = net.score(X_target, y_target)
        ax.set_title(f"{type(net).__name__}: {score:.0%} right")
    return figure


def augmentation():
    """Accuracy at a new site by how far its sensor is off, without and with augmentation."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 600)
    X = y[:, None] * [2.0, 1.0, 1.0] + rng.normal(size=(600, 3)) * [0.4, 0.8, 0.8]
    site = np.repeat([0, 1, 2], 200)
    clean = X[site == 2].copy()
    X[site == 1, 0] += 3.0
    known = site < 2
    plain = LogisticRegression().fit(X[known], y[known])
    augmented = AugmentedEstimator(
        LogisticRegression(), [DomainRandomizationAugmenter()], n_copies=10, random_state=0
    )
    augmented.fit(X[known], y[known], sample_domain=site[known])
    offsets = np.linspace(-6, 6, 25)
    figure, ax = panels("accuracy at a third site")
    for model, style, color, name in (
        (plain, "--", SOURCE, "plain"),
        (augmented, "-", GOOD, "augmented"),
    ):
        moved = [clean + np.array([offset, 0, 0]) for offset in offsets]
        scores = [model.score(rows, y[site == 2]) for rows in moved]
        ax.plot(offsets, scores, style, color=color, label=name)
    for offset in (0, 3):
        ax.axvline(offset, color=FAINT, linestyle=":")
    ax.text(0.1, 0.42, "site 1", color=FAINT)
    ax.text(3.1, 0.42, "site 2", color=FAINT)
    ax.set(ylim=(0.4, 1), xlabel="offset of the first sensor at the third site")
    ax.legend()
    return figure
