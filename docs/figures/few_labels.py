"""Figures of the pages about a few target labels."""

import numpy as np
from sklearn.datasets import make_blobs, make_moons
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import NearestCentroid
from sklearn.tree import DecisionTreeClassifier

from skda import (
    CORALTransformer,
    DomainScaler,
    GraphLabelPropagationClassifier,
    ImportanceWeightedEstimator,
    MultiTaskTransferRegressor,
    PrototypicalNetworkClassifier,
    RegularizedTransferRegressor,
    TrAdaBoostClassifier,
    make_domain_pipeline,
    stack_domains,
)
from skda.datasets import load_digits_scanners
from skda.model_selection import GuardedSearchCV, query_rows

from ._style import FAINT, GOOD, INK, SOURCE, TARGET, panels, show_rows


def few_target_labels():
    """Accuracy by the number of target labels, where a part of the source is wrong."""
    tree = DecisionTreeClassifier(max_depth=3, random_state=0)
    models = {
        "pooled": ImportanceWeightedEstimator(tree, None, use_target_labels=True),
        "balanced": ImportanceWeightedEstimator(
            tree, None, use_target_labels=True, target_share=0.5
        ),
        "TrAdaBoost": TrAdaBoostClassifier(tree, n_estimators=20, random_state=0),
        "target labels alone": tree,
    }
    counts, scores = [10, 30, 100, 300], {name: [] for name in models}
    for count in counts:
        draws = [_scores_with(models, count, seed) for seed in range(3)]
        for name in models:
            scores[name].append(np.mean([draw[name] for draw in draws]))
    figure, ax = panels("accuracy on the other target rows, mean of three draws")
    for name, color, style in (
        ("pooled", SOURCE, "o--"),
        ("balanced", TARGET, "s-"),
        ("TrAdaBoost", GOOD, "^-"),
        ("target labels alone", FAINT, "d:"),
    ):
        ax.plot(counts, scores[name], style, color=color, label=name)
    ax.set(xscale="log", xlabel="labeled target rows", ylim=(0.45, 1))
    ax.set_xticks(counts, counts)
    ax.legend()
    return figure


def _scores_with(models, count, seed):
    """Return the accuracy of each model with so many target labels."""
    rng = np.random.default_rng(seed)
    X_source, X_target = rng.uniform(-1, 1, (400, 2)), rng.uniform(-1, 1, (800, 2))
    y_true = (X_target.sum(axis=1) > 0).astype(int)
    y_source = (X_source.sum(axis=1) > 0).astype(int)
    wrong_here = X_source[:, 0] > 0.3
    y_source[wrong_here] = 1 - y_source[wrong_here]
    few = np.where(np.arange(800) < count, y_true, -1)
    X, y, sample_domain = stack_domains(X_source, y_source, X_target, few)
    scores = {}
    for name, model in models.items():
        if hasattr(model, "get_metadata_routing") and not isinstance(model, DecisionTreeClassifier):
            model.fit(X, y, sample_domain=sample_domain)
        else:
            model.fit(X_target[:count], y_true[:count])
        scores[name] = model.score(X_target[count:], y_true[count:])
    return scores


def model_based():
    """R² by the number of target labels: the source model, target labels alone, and transfer."""
    rng = np.random.default_rng(0)
    w = rng.normal(size=20)
    X_source, X_target = rng.normal(size=(500, 20)), rng.normal(size=(800, 20))
    y_source = X_source @ w
    y_target = X_target @ (w + 0.4 * rng.normal(size=20)) + 1.0 + 0.1 * rng.normal(size=800)
    handed_over = Ridge().fit(X_source, y_source)
    counts, rest = [5, 10, 15, 20, 30, 50], slice(300, None)
    alone, transferred = [], []
    for count in counts:
        few = slice(0, count)
        own = Ridge().fit(X_target[few], y_target[few])
        alone.append(own.score(X_target[rest], y_target[rest]))
        model = RegularizedTransferRegressor(handed_over).fit(X_target[few], y_target[few])
        transferred.append(model.score(X_target[rest], y_target[rest]))
    figure, ax = panels("R² on other target rows")
    ax.axhline(handed_over.score(X_target[rest], y_target[rest]), color=SOURCE, linestyle="--")
    ax.plot([], [], "--", color=SOURCE, label="source model")
    ax.plot(counts, alone, "d:", color=FAINT, label="target labels alone")
    ax.plot(counts, transferred, "^-", color=GOOD, label="transfer")
    ax.set(xlabel="labeled target rows", ylim=(0, 1.02))
    ax.legend()
    return figure


def guarded_search():
    """The interval of the gain as labels come in, until the search leaves the source model."""
    X, y, sample_domain = load_digits_scanners(random_state=0)
    hidden = np.where(sample_domain < 0, np.nan, y)
    candidates = {
        name: make_domain_pipeline(
            PCA(30, random_state=0), mapping, LogisticRegression(max_iter=300)
        )
        for name, mapping in (("coral", CORALTransformer()), ("scaler", DomainScaler()))
    }
    search = GuardedSearchCV(candidates, alpha=0.1).fit(X, hidden, sample_domain=sample_domain)
    rows = query_rows(search, X, n=25, sample_domain=sample_domain, random_state=0)
    counts, low, high, adapted = [], [], [], []
    for row in rows.indices:
        search.update(X[[row]], y[[row]])
        counts.append(search.n_labels_)
        low.append(search.gain_interval_[0])
        high.append(search.gain_interval_[1])
        adapted.append(search.best_name_ != "source only")
    figure, ax = panels("gain over the source model, as the labels come in")
    low, high, adapted = np.array(low, float), np.array(high, float), np.array(adapted)
    ax.fill_between(counts, low, high, color=SOURCE, alpha=0.3, label="interval of the gain")
    ax.axhline(0, color=FAINT)
    if adapted.any():
        ax.axvline(counts[int(np.argmax(adapted))], color=GOOD, label="from here on it adapts")
    ax.set(xlabel="labels of target rows where the candidates differ", ylabel="points")
    ax.legend(loc="lower right")
    return figure


def relation_based():
    """Labels that flow along target rows from six labeled ones."""
    X_source, y_source = make_moons(300, noise=0.05, random_state=0)
    X_target, y_target = make_moons(300, noise=0.05, random_state=1)
    X_target = X_target @ [[0.8, 0.6], [-0.6, 0.8]]
    few = np.where(np.arange(300) < 6, y_target, -1)
    X, y, sample_domain = stack_domains(X_source, y_source, X_target, few)
    plain = LogisticRegression().fit(X_source, y_source)
    model = GraphLabelPropagationClassifier(10, alpha=0.95, target_priors="source")
    model.fit(X, y, sample_domain=sample_domain)
    figure, axes = panels("", "")
    for ax, one, name in ((axes[0], plain, "source only"), (axes[1], model, "propagation")):
        show_rows(ax, X_target, np.full(300, -1), one.predict(X_target))
        ax.scatter(*X_target[:6].T, s=110, facecolor="none", edgecolor=INK, linewidth=1.3)
        ax.set_title(f"{name}: {one.score(X_target[6:], y_target[6:]):.0%} right")
    return figure


def episodes_and_graphs():
    """New classes by two labels each, by class means and by a prototypical network."""
    rng = np.random.default_rng(0)
    centers = 3 * rng.normal(size=(16, 2))
    X, y = make_blobs(1600, centers=centers, cluster_std=0.4, random_state=0)
    X = np.c_[X, 3 * rng.normal(size=(1600, 10))]
    X_target, y_target = X[y >= 11] + 0.3, y[y >= 11]
    scores = {"class means of raw rows": [], "prototypical network": []}
    shots = [1, 2, 5, 10]
    few = np.full(len(y_target), -1)
    for label in range(11, 16):
        few[np.flatnonzero(y_target == label)[:2]] = label
    stacked = stack_domains(X[y < 11], y[y < 11], X_target, few)
    net = PrototypicalNetworkClassifier(n_shot=2, n_episodes=200, lr=0.003, random_state=0)
    net.fit(stacked[0], stacked[1], sample_domain=stacked[2])
    for n_shot in shots:
        support = np.full(len(y_target), -1)
        for label in range(11, 16):
            support[np.flatnonzero(y_target == label)[:n_shot]] = label
        known = support >= 0
        raw = NearestCentroid().fit(X_target[known], support[known])
        net.set_support(X_target, support)
        scores["class means of raw rows"].append(raw.score(X_target[~known], y_target[~known]))
        scores["prototypical network"].append(net.score(X_target[~known], y_target[~known]))
    figure, ax = panels("accuracy on five classes that the source does not have")
    for (name, values), color, style in zip(
        scores.items(), (SOURCE, GOOD), ("o--", "^-"), strict=True
    ):
        ax.plot(shots, values, style, color=color, label=name)
    ax.set(xlabel="labels of each class", ylim=(0, 1))
    ax.legend()
    return figure


def several_tasks():
    """R² of one model for all sites, of one model for each, and of both together."""
    figure, ax = panels("R² on new rows of twenty sites")
    counts, scores = [6, 10, 15, 25, 50, 100], {"pooled": [], "separate": [], "multi-task": []}
    for count in counts:
        rng = np.random.default_rng(0)
        site = np.repeat(np.arange(20), count + 50)
        w = np.array([1.5, -1.0, 1.0, 0.5, 0.0]) + 0.4 * rng.normal(size=(20, 5))
        X = rng.normal(size=(len(site), 5))
        noise = rng.normal(size=len(site))
        y = (X * w[site]).sum(axis=1) + rng.normal(size=20)[site] + noise
        known = np.arange(len(site)) % (count + 50) < count
        new = (X[~known], y[~known])
        scores["pooled"].append(Ridge().fit(X[known], y[known]).score(*new))
        for name, model in (
            ("separate", MultiTaskTransferRegressor(sharing=0.0)),
            ("multi-task", MultiTaskTransferRegressor()),
        ):
            model.fit(X[known], y[known], sample_domain=site[known])
            scores[name].append(model.score(*new, sample_domain=site[~known]))
    for (name, values), color, style in zip(
        scores.items(), (SOURCE, TARGET, GOOD), ("o--", "s:", "^-"), strict=True
    ):
        ax.plot(counts, values, style, color=color, label=name)
    ax.set(xscale="log", xlabel="labeled rows of a site", ylim=(0, 1))
    ax.set_xticks(counts, counts)
    ax.minorticks_off()
    ax.legend()
    return figure
