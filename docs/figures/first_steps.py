"""Figures of the landing page and of the pages that come first."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skda import (
    AutoAdaptClassifier,
    CORALTransformer,
    LinearTransportTransformer,
    TrainOnSource,
    make_domain_pipeline,
    stack_domains,
)
from skda.datasets import load_digits_scanners
from skda.metrics import InformationMaximizationScorer
from skda.model_selection import DomainStratifiedKFold

from ._style import FAINT, GOOD, INK, SOURCE, TARGET, panels, show_bars, show_border, show_rows


def _moons():
    """Return two moons, and other two that a second instrument has turned, scaled and moved."""
    from sklearn.datasets import make_moons

    X_source, y_source = make_moons(240, noise=0.12, random_state=0)
    X_target, y_target = make_moons(240, noise=0.12, random_state=1)
    X_target = X_target @ np.array([[1.1, 0.45], [-0.5, 0.75]]) + [0.9, -0.9]
    X, _, sample_domain = stack_domains(X_source, y_source, X_target)
    return X, np.concatenate([y_source, y_target]), sample_domain


def landing():
    """A classifier on the rows of another instrument, before and after a map."""
    X, y, sample_domain = _moons()
    target = sample_domain < 0
    mapping = LinearTransportTransformer().fit(X, sample_domain=sample_domain)
    mapped = mapping.transform(X, sample_domain=sample_domain)
    figure, axes = panels("", "", height=3.5, width=8.6, sharex=True, sharey=True)
    for ax, rows, title in ((axes[0], X, "as they come"), (axes[1], mapped, "source rows mapped")):
        model = TrainOnSource(SVC(gamma=1.0, C=10)).fit(rows, y, sample_domain=sample_domain)
        show_rows(ax, rows, sample_domain, y, legend=ax is axes[0])
        show_border(ax, model)
        ax.set_title(f"{title}: {model.score(X[target], y[target]):.0%} of the target right")
    return figure


def first_adaptation():
    """Digits on two scanners, and what a model reads on the second."""
    X, y, sample_domain = load_digits_scanners()
    target = sample_domain < 0
    scores = {}
    for name, step in (("as it is", "passthrough"), ("CORAL", CORALTransformer(match_mean=True))):
        model = make_domain_pipeline(StandardScaler(), step, LogisticRegression(max_iter=1000))
        model.fit(X, y, sample_domain=sample_domain)
        scores[name] = model.score(X[target], y[target])
    figure, axes = panels("scanner 1, source", "scanner 2, target", "right on 2", height=2.3)
    for ax, rows in ((axes[0], X[~target]), (axes[1], X[target])):
        images = np.pad(rows[:8].reshape(2, 4, 8, 8), ((0, 0), (0, 0), (1, 1), (1, 1)))
        images = images.transpose(0, 2, 1, 3).reshape(20, 40)
        ax.imshow(images, cmap="gray", vmin=0, vmax=16)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    show_bars(axes[2], scores, colors={"CORAL": GOOD}, limits=(0, 1.1))
    return figure


def let_it_decide():
    """The accuracy of every candidate of the automatic choice, and of their consensus."""
    X, y, sample_domain = load_digits_scanners(random_state=0)
    few = np.random.default_rng(0).permutation(len(X))[:500]
    X, y, sample_domain = X[few], y[few], sample_domain[few]
    target = sample_domain < 0
    hidden = np.where(target, np.nan, y)
    model = AutoAdaptClassifier().fit(X, hidden, sample_domain=sample_domain)
    fitted = model.consensus_.estimators_
    scores = {name: one.score(X[target], y[target]) for name, one in fitted.items()}
    scores = dict(sorted(scores.items(), key=lambda item: -item[1]))
    scores = {"consensus": model.score(X[target], y[target])} | scores
    figure, ax = panels("accuracy on the target", height=4.6)
    colors = {name: FAINT for name in scores} | {"consensus": GOOD, "source only": TARGET}
    show_bars(ax, scores, colors=colors, limits=(0, 1.1))
    return figure


def rows_and_domains():
    """The three arrays that every estimator takes."""
    rng = np.random.default_rng(0)
    X, y, sample_domain = stack_domains(
        [rng.normal(38, 1, (3, 2)), rng.normal(37, 1, (2, 2))],
        [["no", "yes", "yes"], ["no", "yes"]],
        rng.normal(37, 1, (3, 2)),
    )
    figure, ax = panels("", height=3.2)
    heads = ["X", "", "y", "sample_domain", ""]
    columns = [X[:, 0].round(1), X[:, 1].round(1), y, sample_domain]
    columns.append([f"source {d}" if d >= 0 else f"target {d}" for d in sample_domain])
    for at, (head, column) in enumerate(zip(heads, columns, strict=True)):
        ax.text(at, -0.9, head, ha="center", weight="bold")
        for row, (value, domain) in enumerate(zip(column, sample_domain, strict=True)):
            color = SOURCE if domain >= 0 else TARGET
            if at < 4:
                ax.add_patch(_cell(at, row, color))
            ax.text(at, row, str(value), ha="center", va="center", fontsize=9)
    ax.set(xlim=(-0.6, 4.6), ylim=(len(X) - 0.4, -1.3), xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return figure


def _cell(column, row, color):
    """Return a box of the table."""
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.48, row - 0.45), 0.96, 0.9, color=color, alpha=0.28, linewidth=0)


def pipelines():
    """A search without target labels, and the accuracy that it does not see."""
    X, y, sample_domain = load_digits_scanners(random_state=0)
    target = sample_domain < 0
    hidden = np.where(target, np.nan, y)
    strengths = [0.0, 0.25, 0.5, 0.75, 1.0]
    coral = CORALTransformer(reg=0.1, match_mean=True)
    model = make_domain_pipeline(StandardScaler(), coral, LogisticRegression(max_iter=200))
    search = GridSearchCV(
        model,
        {"coraltransformer__strength": strengths},
        scoring=InformationMaximizationScorer(),
        cv=DomainStratifiedKFold(n_splits=3, shuffle=True, random_state=0),
        refit=False,
    ).fit(X, hidden, sample_domain=sample_domain)
    accuracies = [
        model.set_params(coraltransformer__strength=strength)
        .fit(X, hidden, sample_domain=sample_domain)
        .score(X[target], y[target])
        for strength in strengths
    ]
    figure, (seen, unseen) = panels(
        "what the search sees: no label of the target", "what it chooses: target accuracy"
    )
    seen.plot(strengths, search.cv_results_["mean_test_score"], "o-", color=SOURCE)
    unseen.plot(strengths, accuracies, "^-", color=TARGET)
    best = int(np.argmax(search.cv_results_["mean_test_score"]))
    for ax in (seen, unseen):
        ax.axvline(strengths[best], color=FAINT, linestyle=":")
        ax.set_xlabel("strength of CORAL")
    seen.set_ylabel("information score")
    unseen.set(ylim=(0, 1), ylabel="accuracy")
    return figure


def numbers_differ():
    """The same digits by the rows that are scored, over several draws of the second scanner."""
    seen, unseen = {"as it is": [], "CORAL": []}, {"as it is": [], "CORAL": []}
    steps = {"as it is": "passthrough", "CORAL": CORALTransformer(match_mean=True)}
    for seed in range(5):
        X, y, sample_domain = load_digits_scanners(random_state=seed)
        target = np.flatnonzero(sample_domain < 0)
        new = np.random.default_rng(seed).choice(target, len(target) // 3, replace=False)
        known = np.setdiff1d(np.arange(len(X)), new)
        for name, step in steps.items():
            model = make_domain_pipeline(StandardScaler(), step, LogisticRegression(max_iter=300))
            model.fit(X[known], y[known], sample_domain=sample_domain[known])
            rows = np.intersect1d(known, target)
            seen[name].append(model.score(X[rows], y[rows]))
            unseen[name].append(model.score(X[new], y[new]))
    figure, ax = panels("accuracy on the second scanner, five draws of it")
    for offset, (rows, marker) in enumerate(((seen, "o"), (unseen, "^"))):
        for at, (name, color) in enumerate((("as it is", SOURCE), ("CORAL", GOOD))):
            ax.plot(rows[name], [at + 0.2 * offset] * 5, marker, color=color, alpha=0.8)
    ax.set(yticks=[0.1, 1.1], yticklabels=["as it is", "CORAL"], xlim=(0, 1), ylim=(-0.5, 1.7))
    ax.plot([], [], "o", color=INK, label="rows of the fit")
    ax.plot([], [], "^", color=INK, label="rows that came later")
    ax.legend(loc="upper left")
    return figure


def glossary():
    """The three shifts of one feature with two classes."""
    grid = np.linspace(-4, 7, 400)

    def density(mean):
        return np.exp(-0.5 * (grid - mean) ** 2) / np.sqrt(2 * np.pi)

    source = (0.5 * density(0), 0.5 * density(3))
    weight = np.exp(0.7 * grid) / np.trapezoid(np.exp(0.7 * grid) * sum(source), grid)
    targets = {
        "covariate shift": [part * weight for part in source],
        "label shift": [0.85 * density(0), 0.15 * density(3)],
        "conditional shift": [0.5 * density(1.5), 0.5 * density(4.5)],
    }
    figure, axes = panels(*targets, height=2.3, sharey=True)
    for ax, target in zip(axes, targets.values(), strict=True):
        for part, line in zip(source, ("-", "--"), strict=True):
            ax.plot(grid, part, line, color=SOURCE)
        for part, line in zip(target, ("-", "--"), strict=True):
            ax.plot(grid, part, line, color=TARGET)
        ax.set(xticks=[], yticks=[], xlabel="a feature")
    for name, color in (("source", SOURCE), ("target", TARGET)):
        axes[0].plot([], [], color=color, label=name)
    axes[0].plot([], [], "-", color=FAINT, label="healthy")
    axes[0].plot([], [], "--", color=FAINT, label="ill")
    axes[0].legend(loc="upper left", fontsize=8)
    return figure
