"""Parts of the page of figures that the user guide shows, so that nobody types a figure.

An excerpt is a table made of cells of the tables of ``docs/benchmarks.md``. The report writes all
of them at the end of that page, in comments, and a page of the guide includes one by its name:

    ```{include} ../benchmarks.md
    :start-after: "<!-- excerpt NAME:"
    :end-before: "end of excerpt -->"
    ```
"""

import re

import numpy as np

from ._markdown import table

ALL = "mean over all columns"
BEGIN, END = "<!-- excerpt {}:", "end of excerpt -->"


def tables_of(page):
    """Cells of the first table under each ``###`` heading: by heading, row and column."""
    found = {}
    for part in re.split(r"(?m)^### ", page)[1:]:
        name, _, text = part.partition("\n")
        lines = re.findall(r"(?m)^\|(.*)\|$", re.split(r"\n\n(?=Chosen:|## )", text)[0])
        rows = [[cell.strip() for cell in line.split("|")] for line in lines]
        if rows:
            columns = rows[0][1:]
            found[name] = {r[0]: dict(zip(columns, r[1:], strict=True)) for r in rows[2:]}
    return found


def cell(row, column):
    """Text of a cell without the flag of a shortfall; the mean of a row to the digits it has."""
    if column != ALL:
        return row[column].replace(" **!**", "")
    first = [text.split()[0] for text in row.values()]
    digits = len(first[0].partition(".")[2])
    return f"{np.mean([float(text) for text in first]):.{digits}f}"


def grid(name, columns=None, rows=None, *, corner="", renamed=None):
    """A part of one table. ``columns`` and ``rows`` give the titles by what stands on the page.

    None is all of them, as they stand but for the rows ``renamed``.
    """

    def write(tables):
        own = tables[name]
        titles = columns or {column: column for column in next(iter(own.values()))}
        labels = rows or {row: row for row in own} | (renamed or {})
        body = [[label, *(cell(own[row], c) for c in titles)] for row, label in labels.items()]
        return table([corner, *titles.values()], body)

    return write


def by_pair(sources, pairs):
    """Pairs down; across, rows of several tables: ``(table, row)`` by title."""

    def write(tables):
        body = [
            [label, *(cell(tables[name][row], pair) for name, row in sources.values())]
            for pair, label in pairs.items()
        ]
        return table(["", *sources], body)

    return write


def by_learner(name, pair, learners, methods):
    """Learners down, methods across, of a table whose rows are called by both."""

    def write(tables):
        body = [
            [label, *(cell(tables[name][f"{learner} {method}"], pair) for method in methods)]
            for learner, label in learners.items()
        ]
        return table(["", *methods.values()], body)

    return write


LR, HGB = "logistic regression", "gradient boosting"
SHIFTS = {name: name for name in ("covariate", "label", "conditional", "subspace")}
BRACKETED = ("source only", "CORAL", "LinOT", "MapOT")
EXCERPTS = {
    "selection": grid("selection", corner="scorer"),
    "rules": grid("rules", corner="rule"),
    "rules-labels": grid("rules-labels", corner="labels"),
    "several-tasks": grid(
        "several-tasks",
        {name: name for name in ("all pupils", "within a school", "splits")},
        corner="method",
    ),
    "rules-families": grid("rules-families", corner="data set"),
    "kinds": grid("kinds", corner="setting"),
    "advice": grid("advice", corner="way"),
    "selection-tasks": grid(
        "selection-tasks",
        {
            "all target labels": "best",
            "circular": "circular",
            "information": "information",
            "clusters, AMI": "clusters, AMI",
            "DEV": "DEV",
            "importance weighted": "weighted",
            "source": "source",
            "MixVal": "MixVal",
            "mean rank of four": "four",
        },
        corner="task",
    ),
    "heart-weights": grid(
        "heart-disease-balanced",
        {"Clev>Hung": "Hungary", "Clev>Switz": "Switzerland", "Clev>VA": "VA", ALL: "all pairs"},
        {
            "LR source only": f"{LR}, source only",
            "LR RuLSIF": "… RuLSIF",
            "LR ULSIF": "… uLSIF",
            "LR NearestNeighbors": "… nearest neighbors",
            "LR KernelDensity": "… kernel density",
            "LR KLIEP": "… KLIEP",
            "LR DomainClassifier": "… domain classifier",
            "LR KMM, reg 1": "… KMM",
            "LR Gaussian": "… Gaussian",
            "LR KMM": "… KMM, `reg=0`",
            "LR 5 % labeled, pooled": "… 5 % of the target labeled, pooled",
            "LR 5 % labeled, balanced": "… 5 % of the target labeled, balanced",
            "HGB source only": f"{HGB}, source only",
            "HGB ULSIF": "… uLSIF, the best of the weighters",
            "HGB 5 % labeled, pooled": "… 5 % of the target labeled, pooled",
            "HGB 5 % labeled, balanced": "… 5 % of the target labeled, balanced",
        },
    ),
    "wine-weights": grid(
        "wine-quality",
        {"red>white": "red → white", "white>red": "white → red"},
        {
            "ridge, source only": "ridge, source only",
            "ridge, KMM, reg 1": "… KMM",
            "ridge, kernel density": "… kernel density",
            "ridge, uLSIF": "… uLSIF",
            "ridge, RuLSIF": "… RuLSIF",
            "ridge, KMM": "… KMM, `reg=0`",
            "ridge, 5 % labeled, balanced": "… balanced, 5 % of the target labeled",
            "boosting, source only": f"{HGB}, source only",
            "boosting, uLSIF": "… uLSIF",
            "boosting, domain classifier": "… domain classifier",
            "boosting, 5 % labeled, balanced": "… balanced, 5 % of the target labeled",
        },
    ),
    "simulated-weights": grid(
        "skada-simulated",
        SHIFTS,
        {
            "source only": "source only",
            "density RW": "kernel densities",
            "Gaussian RW": "Gaussian",
            "Disc RW": "domain classifier",
            "KLIEP": "KLIEP",
            "KMM, reg 1": "KMM",
            "KMM": "KMM, `reg=0`",
            "NN RW": "nearest neighbors",
            "label shift": "label shift, not weights",
        },
    ),
    "simulated-alignment": grid(
        "skada-simulated",
        SHIFTS,
        {name: name for name in BRACKETED}
        | {"MapOT, strengths": "MapOT, strength in the grid"}
        | {name: name for name in ("EntOT", "ClassRegOT", "SA", "TCA", "OTLabelProp", "JDOT")}
        | {"target labels": "labels of the target"},
    ),
    "mushrooms-alignment": grid(
        "skada-mushrooms",
        {"enl>tap": "enlarging to tapering", "tap>enl": "back"},
        {name: name for name in (*BRACKETED, "EntOT", "ClassRegOT", "SA", "TCA")},
    ),
    "shifts": grid(
        "shifts",
        renamed={
            "OptimalTransport, unbalanced 1": "OptimalTransport, marginal_reg 1",
            "SubspaceAlignment": "SubspaceAlignment, one axis",
            "TCA": "TCA, two components",
        },
    ),
    "music": grid(
        "music",
        {f">{name}": name for name in ("buccaneer2", "destroyerengine", "f16", "factory2")},
        {
            "source only": "source only",
            "TCA": "TCA, sources as one",
            "Sinkhorn, sources as one": "entropic transport, sources as one",
            "Sinkhorn": "entropic transport, a map for each",
            "LinearTransport": "LinearTransport, a map for each",
            "DomainScaler": "DomainScaler, each by itself",
        },
        corner="target",
    ),
    "label-shift-heart": by_pair(
        {
            "accuracy": ("heart-disease-accuracy", "LR source only"),
            "accuracy, corrected": ("heart-disease-accuracy", "LR label shift em"),
            "balanced accuracy": ("heart-disease-balanced", "LR source only"),
            "balanced accuracy, corrected": ("heart-disease-balanced", "LR label shift em"),
        },
        {
            "Clev>Hung": "Cleveland → Hungary",
            "Clev>Switz": "Cleveland → Switzerland",
            "Clev>VA": "Cleveland → Long Beach",
            "Hung>Switz": "Hungary → Switzerland",
            "VA>Hung": "Long Beach → Hungary",
        },
    ),
    "backbones": grid("backbones"),
    "few-shot": grid("few-shot-1", corner="1 label per class"),
    "few-shot-gains": grid("few-shot-gains", corner="labels per class"),
    "few-shots": grid("few shots of unseen classes"),
    "graphs": grid("graph convolution", corner="target accuracy"),
    "few-labels-mushrooms": by_learner(
        "mushrooms",
        "tapering>enlarging",
        {"SVM": "linear SVM", "tree": "tree of depth 3", "linear": f"{LR}, C = 0.01"},
        {
            "source": "source",
            "target": "target labels",
            "pooled": "pooled",
            "balanced": "balanced",
            "TrAdaBoost": "TrAdaBoost",
            "TrAdaBoost soft": "soft errors",
        },
    ),
}


def with_excerpts(page):
    """The page with its excerpts at the end; those whose tables are not there are left out."""
    page = page.split(BEGIN.partition("{}")[0])[0].rstrip() + "\n"
    tables, parts = tables_of(page), [page.rstrip()]
    for name, write in EXCERPTS.items():
        try:
            text = write(tables)
        except KeyError:  # a page of a part of the runs
            continue
        parts.append(f"{BEGIN.format(name)}\n\n{text}\n\n{END}")
    return "\n\n".join(parts) + "\n"
