"""Tables of a run of ``python -m benchmarks defaults``: means over families, and the best variant.

A row of figures is one variant on one draw of one pair. Gains are means over draws, then over the
pairs of a family, then over families.
"""

from collections import Counter, defaultdict

import numpy as np

from ._markdown import signed, table

POINT = 1.0  # a pair is helped or harmed by more than this
# Most points, either way, that a family counts in the choice of a variant. On the spectrometers a
# method gains 160 points of R² where source-only is useless, and would choose for all data sets.
CAP = 10.0
KINDS = ("classification", "regression")
AGAINST = {"source_only": "source-only", "target_only": "target-only", "pooled": "pooled"}


def joined(runs):
    """Rows of several runs; of a variant on a draw that stands twice the last counts."""
    found = {}
    for run in runs:
        for row in run["default_rows"]:
            found[row["variant"], row["family"], row["kind"], row["pair"], row["seed"]] = row
    return list(found.values())


def by_variant(rows):
    """Rows of each variant, in the order of the run."""
    found = defaultdict(list)
    for row in rows:
        found[row["variant"]].append(row)
    return found


def pair_gains(rows, against="source_only"):
    """Mean gain over draws by (family, kind, pair)."""
    found = defaultdict(list)
    for row in rows:
        if "score" in row:
            place = row["family"], row["kind"], row["pair"]
            found[place].append(row["score"] - row[against])
    return {place: float(np.mean(gains)) for place, gains in found.items()}


def family_gains(gains):
    """Mean gain over pairs by (family, kind)."""
    found = defaultdict(list)
    for (family, kind, _), gain in gains.items():
        found[family, kind].append(gain)
    return {place: float(np.mean(values)) for place, values in found.items()}


def mean_gain(gains, kind=None):
    """Mean over families of the gains by pair, of one kind of task; NaN where there is none."""
    families = [g for (_, k), g in family_gains(gains).items() if kind in (None, k)]
    return float(np.mean(families)) if families else float("nan")


def capped_mean(gains):
    """Mean over families, each of which counts ``CAP`` points at most."""
    families = [float(np.clip(g, -CAP, CAP)) for g in family_gains(gains).values()]
    return float(np.mean(families)) if families else float("nan")


def summary(rows, against="source_only"):
    """Figures of one variant: mean gains, worst pair, pairs helped and harmed, and seconds."""
    gains = pair_gains(rows, against)
    scored = [row for row in rows if "score" in row]
    worst = min(gains, key=gains.get, default=None)
    return {
        **{kind: mean_gain(gains, kind) for kind in KINDS},
        "capped": capped_mean(gains),
        "worst": gains.get(worst, float("nan")),
        "worst_pair": "" if worst is None else f"{worst[0]} {worst[2]}",
        "helped": sum(gain > POINT for gain in gains.values()),
        "harmed": sum(gain < -POINT for gain in gains.values()),
        "pairs": len(gains),
        "warned": float(np.mean([bool(r["warnings"]) for r in scored])) if scored else 0.0,
        "seconds": float(np.mean([r["seconds"] for r in scored])) if scored else float("nan"),
        "families": family_gains(gains),
    }


def summary_table(groups, against="source_only"):
    """One line per variant, the largest gain first."""
    lines = {name: summary(rows, against) for name, rows in groups.items()}
    lines = {name: s for name, s in lines.items() if s["pairs"]}
    body = [
        [
            name,
            *(signed(s[column]) for column in (*KINDS, "capped")),
            f"{signed(s['worst'])} ({s['worst_pair']})",
            f"{s['helped']}/{s['pairs']}",
            f"{s['harmed']}/{s['pairs']}",
            f"{100 * s['warned']:.0f} %",
            f"{s['seconds']:.2f}",
        ]
        for name, s in sorted(lines.items(), key=lambda item: -item[1]["capped"])
    ]
    header = ["", *KINDS, "capped", "worst pair", "helped", "harmed", "warned", "seconds"]
    return table(header, body)


def family_table(groups, kind, against="source_only"):
    """Gain by family, one line per variant; empty where no variant has such pairs."""
    gains = {n: family_gains(pair_gains(rows, against)) for n, rows in groups.items()}
    families = list(dict.fromkeys(f for own in gains.values() for f, k in own if k == kind))
    body = [
        [name, *(signed(own.get((f, kind), float("nan"))) for f in families)]
        for name, own in gains.items()
        if any(k == kind for _, k in own)
    ]
    return table(["", *families], body) if body else ""


def notes(groups):
    """What was not measured, and why."""
    lines = []
    for name, rows in groups.items():
        counts = Counter((row["kind"], row["note"]) for row in rows if "note" in row)
        for (kind, note), count in counts.most_common(3):
            lines.append(f"* {name}, {count} draws of {kind}: {' '.join(note.split())}")
    return "\n".join(lines)


def needs_target_labels(rows):
    """Return whether the rows are those of a method that gets target labels."""
    return any("target_only" in row for row in rows)


def report(rows, *, leave_one_out=False):
    """All tables of a run, in Markdown."""
    groups = by_variant(rows)
    few = {name: own for name, own in groups.items() if needs_target_labels(own)}
    rest = {name: own for name, own in groups.items() if name not in few}
    parts = []
    if any("score" in row for own in rest.values() for row in own):
        parts += [
            "**Without target labels.** Gain over source-only, mean over families; *capped*: over "
            f"those of both kinds, each counting {CAP:g} points at most.",
            summary_table(rest),
        ]
        for kind in KINDS:
            by_family = family_table(rest, kind)
            if by_family:
                parts += [f"By family, {kind}:", by_family]
    for against, words in AGAINST.items() if few else ():
        parts += [
            f"**With a few target labels.** Gain over {words}, with the same learner.",
            summary_table(few, against),
        ]
    if few:
        for kind in KINDS:
            by_family = family_table(few, kind, "target_only")
            if by_family:
                parts += [f"Over target-only by family, {kind}:", by_family]
    if leave_one_out:
        parts += left_out_parts(groups)
    unmeasured = notes(groups)
    if unmeasured:
        parts += ["Not measured:", unmeasured]
    return "\n\n".join(parts) + "\n"


# The best variant on all families but one


def common_gains(groups, against):
    """Gains by pair of several variants, on the draws on which each has a score."""
    draws = [
        {(r["family"], r["kind"], r["pair"], r["seed"]) for r in rows if "score" in r}
        for rows in groups.values()
    ]
    common = set.intersection(*draws)
    return {
        name: pair_gains(
            [r for r in rows if (r["family"], r["kind"], r["pair"], r["seed"]) in common], against
        )
        for name, rows in groups.items()
    }


def leave_one_family_out(groups, against="source_only"):
    """For each family the variant that is best on the others, and its gain on that family.

    Parameters
    ----------
    groups : dict of str to list of dict
        Rows of each variant of one estimator, the default first.
    against : str
        What gains are measured against.

    Returns
    -------
    lines : list of dict
        By family left out: ``chosen``, its ``gain``, that of the ``default``, and the ``best``
        variant with ``best_gain``. Families whose draws all lack a score have no line.
    """
    gains = common_gains(groups, against)
    first = next(iter(gains))
    lines = []
    for family in dict.fromkeys(place[0] for place in gains[first]):
        others = {
            name: capped_mean({p: g for p, g in own.items() if p[0] != family})
            for name, own in gains.items()
        }
        here = {
            name: mean_gain({p: g for p, g in own.items() if p[0] == family})
            for name, own in gains.items()
        }
        if np.isnan(others[first]):
            continue  # the only family
        chosen, best = max(others, key=others.get), max(here, key=here.get)
        lines.append(
            {
                "family": family,
                "chosen": chosen,
                "gain": here[chosen],
                "default": here[first],
                "best": best,
                "best_gain": here[best],
            }
        )
    return lines


def left_out_parts(groups):
    """Paragraphs and tables of the choice among the variants of each estimator."""
    parts = []
    for estimator in dict.fromkeys(row["estimator"] for rows in groups.values() for row in rows):
        own = {
            name: rows
            for name, rows in groups.items()
            if rows[0]["estimator"] == estimator and any("score" in r for r in rows)
        }
        if len(own) < 2:
            continue
        against = "target_only" if needs_target_labels(next(iter(own.values()))) else "source_only"
        lines = leave_one_family_out(own, against)
        if not lines:
            continue
        means = {name: capped_mean(g) for name, g in common_gains(own, against).items()}
        overall = "; ".join(f"{name} {signed(gain)}" for name, gain in means.items())
        parts += [
            f"**{estimator}, one family left out.** Gain over {AGAINST[against]} on the one left "
            f"out, of the variant that is best on the others. There a family counts {CAP:g} points "
            f"at most; so counted, over all families: {overall}.",
            left_out_table(lines),
        ]
    return parts


def left_out_table(lines):
    """One line per family left out, and their mean."""
    body = [
        [
            line["family"],
            line["chosen"],
            signed(line["gain"]),
            signed(line["default"]),
            f"{line['best']} {signed(line['best_gain'])}",
        ]
        for line in lines
    ]
    if lines:
        mean = [signed(float(np.mean([x[k] for x in lines]))) for k in ("gain", "default")]
        body.append(["mean", "", *mean, ""])
    return table(["left out", "chosen on the others", "gain", "default", "best there"], body)
