"""The directive ``flowchart``: questions with answers, drawn as a picture with links.

The text is the picture's only source:

    Is it raining?
      yes: Take an umbrella | umbrellas | skda.Umbrella, skda.Hat
      no:
    Is it cold?
      yes: Take a coat | coats

A question stands at the margin, its answers below it. An answer leads to advice (words, a page,
names of the API) or, where nothing follows it, to the next question. Questions go down the left
side and advice stands to their right, so that the picture needs no layout program and reads as a
list. Color carries no meaning: a question has round ends, advice has corners, and all answers are
words.
"""

import html
import re
from dataclasses import dataclass, field

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)

# Lengths in units of the picture, of which a letter of the text is about LETTER wide.
LETTER, LINE, PADDING, GAP = 7.4, 19, 12, 26
QUESTION_WIDTH, ANSWER_WIDTH, ADVICE_WIDTH = 284, 134, 396


@dataclass
class Answer:
    """One answer to a question: its words, and what it leads to."""

    words: str
    advice: str = ""
    page: str = ""
    names: list = field(default_factory=list)


def parse(text):
    """Return questions with their answers, in order."""
    questions = []
    for line in filter(str.strip, text.splitlines()):
        if not line.startswith(" "):
            questions.append((line.strip(), []))
            continue
        words, _, rest = line.strip().partition(":")
        advice, page, names = ([part.strip() for part in rest.split("|")] + ["", "", ""])[:3]
        names = [name.strip() for name in names.split(",") if name.strip()]
        questions[-1][1].append(Answer(words, advice, page, names))
    return questions


def wrapped(words, width):
    """Return lines of words that fit into a width."""
    lines = [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".strip()
        if len(longer) * LETTER <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def text_at(x, y, lines, css=""):
    """Return lines of text below one another."""
    spans = "".join(
        f'<tspan x="{x}" y="{y + LINE * row}">{html.escape(line)}</tspan>'
        for row, line in enumerate(lines)
    )
    return f'<text class="{css}">{spans}</text>'


def link(address, inside):
    """Return what is inside as a link, if there is an address."""
    return f'<a href="{html.escape(address)}">{inside}</a>' if address else inside


def rows_of_names(names):
    """Return names in rows that fit into a box."""
    rows, width = [[]], 0
    for name in names:
        own = (len(name.rpartition(".")[2]) + 2) * LETTER
        if rows[-1] and width + own > ADVICE_WIDTH:
            rows.append([])
            width = 0
        rows[-1].append(name)
        width += own
    return [row for row in rows if row]


def advice_box(answer, top, address_of):
    """Return the box of one answer, and its height."""
    left = QUESTION_WIDTH + ANSWER_WIDTH
    title, rows = wrapped(answer.advice, ADVICE_WIDTH - 2 * PADDING), rows_of_names(answer.names)
    height = 2 * PADDING + LINE * (len(title) + len(rows)) - 4
    x, y = left + PADDING, top + PADDING + 11
    page = address_of("page", answer.page) if answer.page else ""
    parts = [
        f'<rect class="advice" x="{left}" y="{top}" width="{ADVICE_WIDTH}" height="{height}"/>',
        link(page, text_at(x, y, title, "title")),
    ]
    for row, names in enumerate(rows, len(title)):
        links = ", ".join(link(address_of("name", name), name.split(".")[-1]) for name in names)
        parts.append(f'<text x="{x}" y="{y + LINE * row}">{links}</text>')
    return "".join(parts), height


def question_row(question, answers, top, address_of):
    """Return a question with its advice, where the question ends, and where its row ends."""
    lines = wrapped(question, QUESTION_WIDTH - 4 * PADDING)
    height = LINE * len(lines) + 2 * PADDING - 4
    parts = [
        f'<rect class="question" x="4" y="{top}" width="{QUESTION_WIDTH - 8}" '
        f'height="{height}" rx="{min(height / 2, 24)}"/>',
        text_at(4 + PADDING * 1.3, top + PADDING + 11, lines),
    ]
    below = top
    for answer in (answer for answer in answers if answer.advice):
        box, box_height = advice_box(answer, below, address_of)
        middle = below + min(box_height, height) / 2
        # The first answer leaves the question at its side, further ones from below.
        start = f"M{QUESTION_WIDTH - 4} {middle}"
        if below > top:
            start = f"M{QUESTION_WIDTH - 40} {top + height} V{middle}"
        parts += [
            f'<path d="{start} H{QUESTION_WIDTH + ANSWER_WIDTH - 3}"/>',
            text_at(QUESTION_WIDTH + 4, middle - 5, [answer.words], "answer"),
            box,
        ]
        below += box_height + 8
    return parts, top + height, max(top + height, below - 8)


def draw(questions, title, address_of):
    """Return the SVG of a flowchart."""
    body, top = [], 4
    for question, answers in questions:
        parts, end, row_end = question_row(question, answers, top, address_of)
        body += parts
        top = row_end + GAP
        for onward in [answer.words for answer in answers if not answer.advice][:1]:
            x = QUESTION_WIDTH // 3
            body.append(f'<path d="M{x} {end} V{top - 3}"/>')
            body.append(text_at(x + 8, top - 9, [onward], "answer"))
    width, height = QUESTION_WIDTH + ANSWER_WIDTH + ADVICE_WIDTH + 6, top - GAP + 6
    return (
        f'<svg class="flowchart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'aria-labelledby="flowchart-title flowchart-description">'
        f'<title id="flowchart-title">{html.escape(title)}</title>'
        f'<desc id="flowchart-description">{html.escape(in_words(questions))}</desc>'
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path class="head" d="M0 0 L8 4 L0 8 z"/></marker></defs>'
        f"{''.join(body)}</svg>"
    )


def in_words(questions):
    """Return the flowchart as sentences, for those who cannot see it."""
    return " ".join(
        f"{question} "
        + "; ".join(f"{one.words}: {one.advice or 'next question'}" for one in answers)
        + "."
        for question, answers in questions
    )


class flowchart(nodes.General, nodes.Element):
    """A flowchart on a page."""


class Flowchart(SphinxDirective):
    """Keep the questions until the addresses of the pages are known."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self):
        """Return the node."""
        node = flowchart(title=self.arguments[0], questions=parse("\n".join(self.content)))
        self.set_source_info(node)
        return [node]


def visit_flowchart(translator, node):
    """Write the picture, with the addresses of pages and of names of the API."""
    builder, docname = translator.builder, translator.builder.current_docname
    folder = re.sub(r"[^/]*$", "", docname)

    def address_of(kind, target):
        found = f"{folder}{target}" if kind == "page" else f"api/generated/{target}"
        if found not in builder.env.found_docs:
            logger.warning("flowchart links to %s, which does not exist", found, location=node)
            return ""
        return builder.get_relative_uri(docname, found)

    picture = draw(node["questions"], node["title"], address_of)
    translator.body.append(f'<div class="flowchart-frame" tabindex="0">{picture}</div>')
    raise nodes.SkipNode


def setup(app):
    """Register the directive."""
    app.add_directive("flowchart", Flowchart)
    app.add_node(flowchart, html=(visit_flowchart, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
