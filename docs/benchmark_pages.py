"""Show ``docs/benchmarks.md`` as an overview and a page for each of its parts.

The file is written by ``python -m benchmarks report`` and stays as it is, one file. On the site it
is an overview, charts and a table of what stands in it (``docs/benchmark_overview.txt``), and its
parts are pages of their own, so that the sidebar lists them.
"""

import re
from pathlib import Path
from string import Template

from benchmarks._excerpts import BEGIN, tables_of

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "benchmarks.md"
OVERVIEW = DOCS / "benchmark_overview.txt"
# Packages whose times stand beside ours, as the tables of speed name them.
MAIN = {"skada": "SKADA", "adapt": "ADAPT", "pot": "POT"}
OTHERS = {name: name for name in ("neuroHarmonize", "combatlearn", "diPLSlib")}
PEERS = MAIN | OTHERS


def file_name(title):
    """Return the name of the page of a part."""
    return re.sub(r"\W+", "_", title.lower()).strip("_")


def parts(text):
    """Return what stands above the parts, and the parts by title."""
    text = text.split(BEGIN.partition("{}")[0])[0]
    head, *found = re.split(r"(?m)^## ", text)
    return head, {part.partition("\n")[0].strip(): part.partition("\n")[2] for part in found}


def page_of(title, body):
    """Return one part as a page: its tables are sections, and links go one folder up."""
    body = re.sub(r"(?m)^###(#*) ", r"##\1 ", body)
    body = body.replace("{doc}`user_guide/", "{doc}`../user_guide/")
    return f"# {title}\n\n{body.strip()}\n"


def timed(body):
    """Return ``{size: {contender: (seconds, times ours)}}`` of one table of speed."""
    sizes = {}
    for line in re.findall(r"(?m)^\|(.*)\|$", body)[2:]:
        size, contender, seconds, times = [cell.strip() for cell in line.split("|")][:4]
        own = sizes.setdefault(size or list(sizes)[-1], {})
        own[contender] = (float(seconds), float(times))
    return sizes


def compared_times(text):
    """Return case, size, seconds of skda and times ours by package, for the slowest size."""
    found = {}
    for case, body in re.findall(r"(?ms)^### (\S+: .*?)\n(.*?)(?=^### |\Z)", text):
        for size, contenders in timed(body).items():
            own = contenders.get("skda", (0.0, 1.0))[0]
            peers = {}
            for contender, (_, times) in contenders.items():
                # Several solvers of one package: the fastest counts.
                package = PEERS.get(contender.split(" ")[0])
                if package:
                    peers[package] = min(times, peers.get(package, times))
            if peers and (case not in found or found[case][2] < own):
                found[case] = (case, size, own, peers)
    return list(found.values())


def compared_scores(text):
    """Return ``(task, ours, published, falls short)`` of each score of the part on accuracy."""
    found = []
    for task, table in tables_of(text).items():
        for row in table.values():
            for cell in row.values():
                match = re.match(r"(-?[\d.]+)(?: ± [\d.]+)? \((-?[\d.]+)\)( \*\*!\*\*)?$", cell)
                if match:
                    short = match[3] is not None
                    found.append((task, float(match[1]), float(match[2]), short))
    return found


def facts():
    """Return the figures that other pages quote, as text."""
    text = PAGE.read_text("utf-8")
    rules = tables_of(text)["rules"]
    default = rules["consensus, check of need (default)"]
    harmed, helped = default["harmed / helped"].split(" / ")
    tasks = re.search(r"### rules\n+(\d+) tasks", text)[1]
    picked = [row["worst task"] for rule, row in rules.items() if rule.startswith("pick")]
    return {
        "tasks": tasks,
        "gain": default["mean gain"].lstrip("+"),
        "worst": default["worst task"].lstrip("−"),
        "harmed": harmed,
        "helped": helped,
        "oracle": rules["best candidate (oracle)"]["mean gain"].lstrip("+"),
        "picked_worst": max((cell.lstrip("−") for cell in picked), key=float),
    }


def time_table(cases):
    """Return the table of times in Markdown."""
    header = ["case", "size", "skda, seconds", *(f"{name}, times ours" for name in MAIN.values())]
    lines = [[*header, "others, times ours"], ["---", "---", *["---:"] * 5]]
    for case, size, own, peers in cases:
        times = [f"{peers[peer]:.3g}" if peer in peers else "" for peer in MAIN.values()]
        others = [f"{peer} {peers[peer]:.3g}" for peer in OTHERS if peer in peers]
        lines.append([case, size, f"{own:.3g}", *times, ", ".join(others)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def overview():
    """Return the page that stands in the place of the file."""
    text = PAGE.read_text("utf-8")
    _, found = parts(text)
    scores = compared_scores(text)
    short = sum(score[3] for score in scores)
    return Template(OVERVIEW.read_text("utf-8")).substitute(
        compared=len(scores),
        reached=len(scores) - short,
        short=short,
        table=time_table(compared_times(found["Speed"])),
        pages="\n".join(f"benchmark_details/{file_name(title)}" for title in found),
        **facts(),
    )


def write_benchmark_pages(folder):
    """Write the page of each part into `folder`, and remove what is stale."""
    _, found = parts(PAGE.read_text("utf-8"))
    pages = {f"{file_name(title)}.md": page_of(title, body) for title, body in found.items()}
    folder.mkdir(parents=True, exist_ok=True)
    for stale in set(folder.iterdir()) - {folder / name for name in pages}:
        stale.unlink()
    for name, text in pages.items():
        page = folder / name
        if not page.exists() or page.read_text("utf-8") != text:  # unchanged pages are not rebuilt
            page.write_text(text, "utf-8")


def show_overview(app, docname, source):
    """Read the overview where Sphinx reads the file."""
    if docname == "benchmarks":
        source[0] = overview()


def setup(app):
    """Connect the above."""
    app.connect("source-read", show_overview)
    return {"parallel_read_safe": True}
