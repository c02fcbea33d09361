"""Turn the JSON of real runs into the page of figures of the documentation.

    python -m benchmarks accuracy --json accuracy.json
    python -m benchmarks speed --peers --memory --json speed.json
    python -m benchmarks report accuracy.json speed.json --output docs/benchmarks.md
    python -m benchmarks report defaults.json --update docs/benchmarks.md

Several files of one kind are joined, so that groups can be run one at a time. --update writes into
a page the tables of which a file is given, and keeps the others; "Defaults" is replaced whole.

Tables that the user guide shows stand at the end of the page, in comments; the guide includes them.
"""

import argparse
import itertools
import json
import re
from pathlib import Path

from . import (
    _advice,
    _default_tables,
    backbones,
    conformal,
    consensus,
    diagnose,
    episodes,
    few_shot,
    later_sites,
    model_based,
    multi_task,
    nets,
    nets_choice,
    performance,
    scale,
    selection,
)
from ._conditions import in_words
from ._excerpts import with_excerpts
from ._markdown import table
from .speed import exponents, label

HEAD = """\
# Benchmarks

This page is written by `python -m benchmarks report` from the output of the benchmarks; no figure
in it is typed by hand. Scores are ours, with the published ones in brackets; **!** marks a score
that is worse than the published one by more than the task's tolerance. Speeds are medians of
runs in turns (*times ours*: how much longer than skda); read the ratios, since machines are noisy.
"""
NOTES = Path(__file__).with_name("notes.md")


def score(row):
    """Our score, its spread over seeds, the published one and the flag."""
    digits = row["digits"]
    text = f"{row['score']:.{digits}f}"
    if row["seeds"] > 1:
        text += f" ± {row['spread']:.{digits}f}"
    if row["published"] is not None:
        text += f" ({row['published']:.{digits}f})"
    return text + (" **!**" if row["falls_short"] else "")


def _values(chosen, names):
    """Chosen values in the order of the names, a dash where a method has no such parameter."""
    return (f"{chosen[name]:g}" if name in chosen else "–" for name in names)


def accuracy_part(run):
    """One table per task: methods down, pairs across."""
    parts = []
    for task, rows in itertools.groupby(run["rows"], key=lambda row: row["task"]):
        rows = list(rows)
        pairs = list(dict.fromkeys(row["pair"] for row in rows))
        methods = list(dict.fromkeys(row["method"] for row in rows))
        cells = {(row["method"], row["pair"]): score(row) for row in rows}
        body = [[m, *(cells.get((m, pair), "") for pair in pairs)] for m in methods]
        draws = max(row["seeds"] for row in rows)
        words = run["protocols"][task] + (f"\n±: over {draws} draws." if draws > 1 else "")
        parts.append(f"### {task}\n\n{words}\n\n" + table(["", *pairs], body))
        chosen = {(row["method"], row["pair"]): row["chosen"] for row in rows if row.get("chosen")}
        if chosen:
            names = list(dict.fromkeys(name for own in chosen.values() for name in own))
            body = [
                [m, *("; ".join(_values(chosen.get((m, p), {}), names)) for p in pairs)]
                for m in methods
            ]
            parts.append(f"Chosen: {', '.join(names)}.\n\n" + table(["", *pairs], body))
    return "\n\n".join(parts)


def speed_part(run):
    """One table per case: sizes and contenders down, and how the time of each grows."""
    parts = []
    for (group, case), rows in itertools.groupby(
        run["rows"], key=lambda row: (row["group"], row["case"])
    ):
        rows = list(rows)
        optional = [
            (key, title)
            for key, title in (("objective", "objective"), ("peak_mb", "peak MB"))
            if any(row.get(key) is not None for row in rows)
        ]
        body, before = [], None
        for row in rows:
            size = label(row["size"])
            cells = ["" if size == before else size, row["contender"]]
            cells += [f"{row['seconds']:.3g}", f"{1 / row['ours_over_it']:.3g}"]
            cells += ["" if row.get(k) is None else f"{row[k]:.5g}" for k, _ in optional]
            body.append(cells)
            before = size
        header = ["size", "", "seconds", "times ours"] + [title for _, title in optional]
        parts.append(f"### {group}: {case}\n\n" + table(header, body))
        growth = {}
        for name, size, fixed, power in exponents(rows):
            at = f" at {label(fixed)}" if fixed else ""
            growth.setdefault(name, []).append(f"{size}^{power:.1f}{at}")
        if growth:
            each = "; ".join(f"{name} {', '.join(powers)}" for name, powers in growth.items())
            parts.append(f"Time grows as: {each}.")
    return "\n\n".join(parts)


def device_part(run):
    """One table: steps down."""
    body = [
        [
            row["step"],
            row["backend"],
            row.get("dtype", ""),
            f"{row['seconds']:.3g}",
            f"{row['times_numpy']:.1f}" if "times_numpy" in row else "",
            f"{100 * row['share_of_matmul']:.0f} %" if "share_of_matmul" in row else "",
        ]
        for row in run["device_rows"]
    ]
    header = ["", "backend", "precision", "seconds", "times NumPy", "share of the product rate"]
    return table(header, body)


def defaults_part(run):
    """Gains of every estimator as it comes, and how they were measured."""
    how = run["options"]
    words = f"""\
Every estimator with default parameters in the plainest pipeline (standardized rows, the method,
logistic regression or ridge) against the same pipeline without the method, in points of accuracy
or of R² x 100, not below -100. At most {how["rows"]} rows of the source and of the target,
{how["seeds"]} draws of each pair; means over the pairs of a data set, then over data sets.
*helped*, *harmed*: pairs that gain or lose more than a point. *warned*: fits with a warning."""
    return f"{words}\n\n{_default_tables.report(run['default_rows']).strip()}"


def nets_part(run):
    """Gains and accuracies of the deep classifiers by default, one section per kind of task."""
    how = run["options"]
    words = f"""\
Gain of the deep classifiers over two source-only networks, in points of target accuracy: *former*,
the network of the release before (Adam, no batch normalization, rows standardized over both
domains), and *present*, source-only under the present defaults. At most {how["rows"]:,} rows of a
domain; draws of each task, and seeds: {how["seeds"]}. Of one draw, differences of two or three
points mean nothing. Seconds are those of the processor. The simulated tasks need no data. The
factors of the losses were chosen on draws of 640 rows of nine of these tasks, SHOT's normalization
on these very rows and AaD's decay on draws of six tasks, so that other data will gain less."""
    parts = [words]
    for title, tables in nets.parts_of(run["net_rows"]):
        name = "nets-label-shifted" if title.startswith("Label") else "nets"
        parts += [f"### {name}\n\n{tables[0]}", f"### {name}-accuracy\n\n{tables[1]}"]
    return "\n\n".join(parts)


def nets_choice_part(run):
    """What scores without target labels choose among nets and their weights."""
    rows = run["choice_rows"]
    n_tasks = len({row["task"] for row in rows})
    n_draws = len({row["seed"] for row in rows})
    n_candidates = len({row["candidate"] for row in rows})
    n_methods = len(nets_choice.METHODS)
    weights = ", ".join(f"{weight:g}" for weight in nets_choice.WEIGHTS)
    return f"""\
### nets-choice

{n_tasks} tasks of *nets*, {n_draws} draw(s) of each, {n_candidates} candidates: the source-only net
and {n_methods} methods at weights {weights}. A quarter of the source's rows is held out for the
scorers. Accuracy on the target (%), its gain over the source-only net, and tasks that lose more
than half a point.

{nets_choice.choice_table(rows)}

### nets-choice-weights

Each method at its default weight, at the one under which it predicts the target with least
entropy, and at its best one.

{nets_choice.method_table(rows)}"""


def selection_part(run):
    """What the choices of each scorer are worth: means, and gains on each task."""
    judged, point = run["judged"], selection.POINT
    return f"""\
### selection

Means over {len(judged)} tasks, {run["seeds"]} draws of each, in accuracy points. Regret: what is
missing to the best candidate; gain: over never adapting; better / worse: tasks with a gain above
{point} or below -{point}. The mean rank of four: {"; ".join(selection.TOGETHER)}.

{selection.mean_table(judged)}

### selection-tasks

Gain on each task.

{selection.gain_table(judged)}"""


def consensus_part(run):
    """What rules gain that combine the candidates instead of choosing one."""
    rows = run["consensus_rows"]
    n_tasks = len({(row["family"], row["task"]) for row in rows})
    return f"""\
### rules

{n_tasks} tasks, {run["seeds"]} draws of each, the candidates of `default_candidates` around the
{run["learner"]} learner, without target labels. Accuracy points over the source-only model: mean
over tasks and over data sets, the worst task, and tasks that lose / gain more than
{consensus.POINT:g} point. {consensus.harmed(rows)}

{consensus.rule_table(rows)}

### rules-labels

The consensus, kept only if a sign test at {consensus.ALPHA} on labels of target rows decides for
it; {consensus.N_DRAWS} draws of the labels in each task, of all rows or of those where both differ.

{consensus.label_table(rows)}

### rules-families

{consensus.family_table(rows)}"""


def later_sites_part(run):
    """Gains on sites that come after the fit."""
    return f"""\
A model of all other sites, never refitted, on one that came later; its map learns the new site from
all rows of it, 100 or 20 of them (mean of {run["draws"]} draws), without labels. Gain in accuracy
points over the same model without a map; the first row is its accuracy. *worst*: the worst site;
*harmed*: sites that lose more than {later_sites.POINT:g} point, of {len(run["site_rows"])}.

{later_sites.site_table(run["site_rows"])}"""


def conformal_part(run):
    """How often sets and intervals hold the truth on the target."""
    rows, parts = run["conformal_rows"], []
    if rows["simulated"]:
        parts.append(f"""\
### conformal

{conformal.N} source rows and as many target rows without labels; {run["draws"]} draws; asked for is
a coverage of {1 - conformal.ALPHA:g} on {conformal.N} new target rows. Coverage: mean and standard
deviation over draws. Size: median length, or mean number of classes (median over draws).
*unbounded*: infinite intervals, or sets of all classes. crepes has no weights in this version;
puncc is given our weights of new rows as a function.

{conformal.simulated_table(rows["simulated"])}""")
    if rows["real"]:
        parts.append(f"""\
### conformal-real

At most {conformal.REAL_ROWS} rows of the source and of the target, {run["draws"]} draws of each
pair; ridge or logistic regression on standardized rows. Coverage on target rows without a label,
means over the pairs of a data set; the pair of the lowest coverage; pairs whose coverage is off
{1 - conformal.ALPHA:g} by more than .03; size relative to that without weights or labels, median
over pairs. {conformal.N_LABELS} target rows have a label, or half of the target if it has fewer
than {2 * conformal.N_LABELS} rows.

{conformal.real_table(rows["real"])}""")
    return "\n\n".join(parts)


def few_shot_part(run):
    """Accuracies with few labels per class, or the settings that were tried for the defaults."""
    size = f"at most {run['rows']} rows of the source and of the target, {run['draws']} draws"
    words = f"""\
Every feature is standardized in each domain; {size}. 1, 3 or 5 target rows of each class have a
label, accuracy (%) on the other target rows. Linear models are logistic regressions: of the source,
of the labeled target rows, of both together ("pooled"). Gains are over pooled training, means over
pairs, then over data sets; a pair is harmed that loses more than a point."""
    if run["grid"]:
        words = f"""\
The settings that were tried for the defaults: {size}, all numbers of labels. "left out": the
setting that is best on the other data sets, each of which counts {few_shot.CAP:g} points at most,
and its gain over pooled training on that one."""
    return f"{words}\n\n{few_shot.report(run['shot_rows'], grid=run['grid'])}"


def backbones_part(run):
    """Two tables: accuracies and times."""
    return backbones.report(run["backbone_rows"])


def episodes_part(run):
    """Two tables: few shots and graphs."""
    return episodes.report(**run["episode_rows"])


def model_based_part(run):
    """What methods that start from a source model gain over the target labels alone."""
    labels, rows = run["labels"], run["model_based_rows"]
    return f"""\
### {model_based.title(labels)}

Gains over the linear model of the labeled target rows alone, in points of accuracy or of R² x 100
not below -100, by data set; *mean* is over data sets. *rank*: mean over pairs and draws, 0 the best
of all methods and 1 the last. Scores are on target rows without a label. Self-training and gradual
self-training use no target label.

{model_based.report(rows, labels)}"""


def multi_task_part(run):
    """Explained variance of exam scores with every school a task."""
    return f"""\
### several-tasks

Exam scores of 15,362 pupils of 139 schools, 28 features; random splits with three quarters of each
school to learn from; explained variance (%) on the others, over all pupils, and as a mean of that
within each school. *ridge*: penalties by generalized cross-validation; *sharing, alpha*: medians of
what was chosen; the nets have ten epochs. Published figures, in italics, are of support vector
regression and of Bayesian networks on the same protocol with other splits; we have them from two
summaries of the paper that agree, and these do not say over which rows the variance is taken.

{multi_task.school_table(run["school_rows"])}"""


def performance_part(run):
    """How far estimates of performance are from the truth, and how often intervals hold."""
    where, simulated = run["conditions"], performance.SIMULATED_ROWS
    return f"""\
Mean absolute errors of what `estimate_performance` says of a source-only model, in accuracy, or in
mean absolute error over the standard deviation of the values. Simulated: {simulated} rows of each
domain; *refused*: draws in which nothing is said to be known; *held*: intervals of level
{performance.LEVEL:g} that hold the truth. Real: at most {where["rows"]} rows of a domain,
{where["seeds"]} draw(s) of a pair, without target labels; *source* is cross-validation there.

{performance.report(run)}"""


def advice_part(run):
    """What following the advice of a diagnosis gains."""
    n = _advice.N_LABELS
    return f"""\
### advice

The first estimator that the advice of `skda.inspection.diagnose` names, with its defaults, on the
tasks of `benchmarks selection`, {run["seeds"]} draw(s) of each, in accuracy points over the
source-only model; a task is harmed or helped from {_advice.POINT} points. *Share*: of the gain of
the best candidate there, which all target labels choose and which learns from none; *capped*: no
task counts more than its best candidate. With {n} random target labels the diagnosis reads them,
and so do advised methods that learn from target labels. All scores are on the other target rows.

{_advice.summary(run["advice_rows"])}

### advice-tasks

The last column is the source-only model trained on the source and these {n} rows.

{_advice.task_table(run["advice_rows"])}"""


def diagnose_part(run):
    """Which kinds of shift a diagnosis names."""
    seconds = run.get("seconds")
    timed = f" 2 x 10,000 rows with 50 features take {seconds:.1f} s." if seconds else ""
    return f"""\
### kinds

Draws of the simulated shifts, 2 x {diagnose.N_ROWS} rows and {diagnose.N_LABELS} labels of random
target rows, as they come and with the noise of the published benchmark: how many were given the
right kind by `skda.inspection.diagnose`, and what the others were taken for.{timed}

{diagnose.kind_table(run["diagnose_rows"])}"""


PARTS = (
    ("Accuracy", "protocols", accuracy_part),
    ("Defaults", "default_rows", defaults_part),
    ("Nets at their defaults", "net_rows", nets_part),
    ("Choosing nets", "choice_rows", nets_choice_part),
    ("Choosing without labels", "judged", selection_part),
    ("Not choosing", "consensus_rows", consensus_part),
    ("Estimated performance", "performance_rows", performance_part),
    ("Later sites", "site_rows", later_sites_part),
    ("Sets and intervals", "conformal_rows", conformal_part),
    ("Kinds of shift", "diagnose_rows", diagnose_part),
    ("Following the advice", "advice_rows", advice_part),
    ("Few labels per class", "shot_rows", few_shot_part),
    ("Model-based methods", "model_based_rows", model_based_part),
    ("Several tasks", "school_rows", multi_task_part),
    ("Networks for tables", "backbone_rows", backbones_part),
    ("Few shots and graphs", "episode_rows", episodes_part),
    ("Speed", "rows", speed_part),
    ("Scale", "scale_rows", scale.scale_part),
    ("On a GPU", "device_rows", device_part),
)


def part_of(run):
    """Which part of the page a run belongs to."""
    return next(title for title, key, _ in PARTS if key in run)


def sections(runs):
    """The parts of the page that these runs belong to, by title, in the order of the page."""
    found = {}
    for title, _, write in PARTS:
        chosen = [run for run in runs if part_of(run) == title]
        if not chosen:
            continue
        parts, before = [f"## {title}"], None
        for run in chosen:
            where = in_words(run["conditions"])
            parts += [write(run)] if where == before else [where, write(run)]
            before = where
        found[title] = "\n\n".join(part.strip() for part in parts)
    return found


def page(runs):
    """The whole page."""
    parts = [HEAD, *sections(runs).values()]
    if NOTES.exists():
        parts.append(NOTES.read_text("utf-8"))
    return with_excerpts("\n\n".join(part.strip() for part in parts))


def with_new_tables(old, new):
    """A part of the page with the tables of a new run; the others are kept as they were measured.

    A table of another day than the part says so itself.
    """
    if old is None or new is None or "\n### " not in old:
        return new or old
    (old_head, *kept), (new_head, *fresh) = (re.split(r"(?m)^### ", part) for part in (old, new))
    where = new_head.partition("\n")[2].strip()
    tables = {section.partition("\n")[0]: section.strip() for section in kept}
    for section in fresh:
        name, _, body = section.strip().partition("\n")
        note = "" if where in old_head else f"\n{where}\n"
        tables[name] = f"{name}\n{note}{body}"
    return "\n\n".join([old_head.strip(), *(f"### {section}" for section in tables.values())])


def updated(text, runs):
    """A page with the tables of these runs instead of its own ones."""
    new, order = sections(runs), [title for title, *_ in PARTS]
    old = re.split(r"(?m)^## ", text)
    kept = {part.partition("\n")[0]: f"## {part.strip()}" for part in old[1:]}
    notes = [part for title, part in kept.items() if title not in order]
    parts = [with_new_tables(kept.get(title), new.get(title)) for title in order]
    return with_excerpts("\n\n".join([old[0].strip(), *filter(None, parts), *notes]))


def main(argv=None):
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks report",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="*", type=Path, help="JSON of runs")
    parser.add_argument("--output", type=Path, help="file to write; the screen if left out")
    parser.add_argument("--update", type=Path, help="page to write into, other parts kept")
    options = parser.parse_args(argv)
    runs = [json.loads(file.read_text()) for file in options.files]
    text = updated(options.update.read_text("utf-8"), runs) if options.update else page(runs)
    output = options.output or options.update
    if output:
        output.write_text(text, "utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
