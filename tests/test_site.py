"""The tools that build the site: formulas, the flowchart, the overview of the benchmarks."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("sphinx")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "docs"))

import api_pages
import benchmark_pages
import flowchart
import mathml
from docutils import nodes

CHART = """\
Is it raining?
  yes: Take an umbrella, a large one | rain | skda.Umbrella, skda.Hat
  no:
Is it cold?
  yes: Take a coat | cold
"""


def test_flowchart_is_read_as_it_is_written():
    (first, answers), (second, _) = flowchart.parse(CHART)
    assert (first, second) == ("Is it raining?", "Is it cold?")
    assert answers[0].words == "yes" and answers[0].page == "rain"
    assert answers[0].names == ["skda.Umbrella", "skda.Hat"]
    assert answers[1].advice == ""


def test_flowchart_has_its_links_and_says_in_words_what_it_draws():
    picture = flowchart.draw(
        flowchart.parse(CHART), "What to wear", lambda kind, target: f"{kind}/{target}.html"
    )
    for address in ("page/rain.html", "name/skda.Umbrella.html", "name/skda.Hat.html"):
        assert f'<a href="{address}">' in picture
    assert "<title" in picture and "What to wear" in picture
    assert "yes: Take an umbrella, a large one; no: next question." in picture
    assert picture == flowchart.draw(
        flowchart.parse(CHART), "What to wear", lambda kind, target: f"{kind}/{target}.html"
    )


def test_flowchart_breaks_lines_that_are_too_long():
    lines = flowchart.wrapped("one two three four", 9 * flowchart.LETTER)
    assert lines == ["one two", "three", "four"]


@pytest.mark.parametrize(
    "tex", [r"\sum_i \Big( x_i \Big)", r"a \\ b", r"\textstyle\sum_i x_i", "‖x‖^2"]
)
def test_formulas_of_our_pages_become_mathml(tex):
    assert mathml.to_mathml(nodes.math(tex, tex), as_block=True).startswith("<math")


def test_a_formula_that_cannot_be_read_is_a_warning(monkeypatch):
    warned = []
    monkeypatch.setattr(mathml.logger, "warning", lambda *args, **kwargs: warned.append(args))
    assert mathml.to_mathml(nodes.math("", r"\nonsense"), as_block=False).startswith("<code>")
    assert warned


def test_times_of_the_overview_are_those_of_the_slowest_size():
    text = """\
### toy: fit

| size |  | seconds | times ours |
| --- | ---: | ---: | ---: |
| n=10 | skda | 1 | 1 |
|  | skada | 9 | 9 |
| n=20 | skda | 2 | 1 |
|  | pot plain | 4 | 2 |
|  | pot log | 3 | 1.5 |
|  | floor | 1 | 0.5 |
"""
    assert benchmark_pages.compared_times(text) == [("toy: fit", "n=20", 2.0, {"POT": 1.5})]


def test_scores_of_the_overview_are_those_with_a_published_figure():
    text = """\
### toy

|  | a>b | b>a |
| --- | ---: | ---: |
| SVM | 50.1 (50.0) | 61.0 |
| KMM | 14.3 ± 0.2 (21.8) **!** | 70.0 |
"""
    found = benchmark_pages.compared_scores(text)
    assert found == [("toy", 50.1, 50.0, False), ("toy", 14.3, 21.8, True)]


def test_every_part_of_the_benchmarks_is_a_page(tmp_path):
    (tmp_path / "stale.md").write_text("old")
    benchmark_pages.write_benchmark_pages(tmp_path)
    _, parts = benchmark_pages.parts(benchmark_pages.PAGE.read_text("utf-8"))
    assert len(parts) > 10 and not (tmp_path / "stale.md").exists()
    for title in parts:
        page = (tmp_path / f"{benchmark_pages.file_name(title)}.md").read_text("utf-8")
        assert page.startswith(f"# {title}\n") and "<!-- excerpt" not in page
    assert "${" not in benchmark_pages.overview()


def test_pages_of_the_api_lead_to_the_guide():
    counts = api_pages.guide_pages()
    line = api_pages.guide_line("instance_based", "LabelShiftClassifier", counts)
    assert ":doc:`/user_guide/label_shift`" in line
    assert api_pages.guide_line("deep", "NoSuchName", counts) == (
        "\nUser guide: :doc:`/user_guide/deep`.\n"
    )


def test_every_picture_of_a_page_has_a_function():
    docs = benchmark_pages.DOCS
    figures = "".join(path.read_text("utf-8") for path in (docs / "figures").glob("[!_]*.py"))
    for page in [docs / "index.md", *(docs / "user_guide").glob("*.md")]:
        for line in page.read_text("utf-8").splitlines():
            if line.startswith("```{picture}"):
                assert f"def {line.split()[-1]}():" in figures, page


def test_links_that_lead_nowhere_are_found(tmp_path):
    pytest.importorskip("playwright")
    import check_site

    for name in ("one.html", "two.html"):
        (tmp_path / name).write_text("<p>")
    one, two = ((tmp_path / name).as_uri() for name in ("one.html", "two.html"))
    links = {f"{two}#there", f"{two}#gone", f"{two}?q=1", f"{one}x", "https://elsewhere.org/x"}
    found = check_site.broken_links({one: (set(), links), two: ({"there"}, set())})
    assert sorted(link.split(": ")[1] for _, link in found) == sorted([f"{two}#gone", f"{one}x"])
