"""The README and the user guide run as they are printed."""

import contextlib
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README, FRONT = ROOT / "README.md", ROOT / "docs" / "index.md"
GUIDE = sorted((ROOT / "docs" / "user_guide").glob("*.md"))
# Pages that take several seconds or more: `make test-slow`.
SLOW = ("choosing_without_labels", "deep", "episodes_and_graphs", "let_it_decide", "pictures")
# Each part of it needs another package, so that tests/interop runs the parts one by one.
IN_PARTS = ("other_packages",)
PAGES = [
    pytest.param(page, id=page.stem, marks=[pytest.mark.slow] if page.stem in SLOW else [])
    for page in [ROOT / "README.md", *sorted((ROOT / "docs" / "user_guide").glob("*.md"))]
    if page.stem not in IN_PARTS
]
PAGES.append(pytest.param(FRONT, id="front page"))
FENCE = re.compile(r"^```python\n(.*?)^```\n(?:\n?```text\n(.*?)^```)?", re.DOTALL | re.MULTILINE)


def without_layout(text):
    """Return the words of a text, whatever the spaces and line breaks between them."""
    return text.split()


@pytest.mark.parametrize("page", PAGES)
def test_code_on_the_page_runs_and_prints_what_it_says(page, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    for code, expected in FENCE.findall(page.read_text("utf-8")):
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                exec(compile(code, str(page), "exec"), namespace)
        except ImportError as error:
            pytest.skip(f"needs an extra: {error}")
        if expected:
            assert without_layout(printed.getvalue()) == without_layout(expected), code


def test_figures_of_a_page_are_those_of_the_code_above_them(tmp_path, monkeypatch):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import page_figures

    draw = "```python\nimport matplotlib.pyplot as plt\nn = 2\nplt.subplots(figsize=(n, 1))\n```\n"
    ask = "```{drawn} Nothing in a frame\nA *caption*.\n```\n"
    text = page_figures.with_figures(draw + ask + draw.replace("n, 1", "2 * n, 1") + ask,
                                     "guide/page", tmp_path)  # fmt: skip
    files = [tmp_path / f"guide_page_{i}.png" for i in (1, 2)]
    assert text.startswith(draw)
    assert f"```{{figure}} {files[0]}\n:alt: Nothing in a frame\n:width: 192px\n" in text
    assert f"{{figure}} {files[1]}" in text and ":width: 384px" in text
    assert [pyplot.imread(file).shape[:2] for file in files] == [(150, 300), (150, 600)]
    assert not pyplot.get_fignums()
    with pytest.raises(ValueError, match="no figure is drawn by the code above 'Nothing"):
        page_figures.with_figures("```python\nn = 1\n```\n" + ask, "page", tmp_path)
    assert page_figures.with_figures("plain", "page", tmp_path) == "plain"


def test_front_page_prints_what_the_readme_prints():
    # One pair of numbers for newcomers; the guide says why other pages have others.
    printed = FENCE.findall(FRONT.read_text("utf-8"))[0][1]
    assert re.findall(r"0\.\d\d", printed) == re.findall(
        r"0\.\d\d", FENCE.findall(README.read_text("utf-8"))[0][1]
    )


def test_every_page_of_the_guide_has_a_picture():
    # Tables of names, a moving bar and other people's packages leave nothing to draw.
    bare = ("index", "migrating_from_adapt", "migrating_from_skada", "other_packages", "progress")
    shown = re.compile(r"^```\{(picture|drawn|flowchart|figure|image)\}", re.MULTILINE)
    assert not [
        page.stem
        for page in GUIDE
        if page.stem not in bare and not shown.search(page.read_text("utf-8"))
    ]


def test_every_page_of_the_guide_stands_in_its_table_of_contents():
    listed = (ROOT / "docs" / "user_guide" / "index.md").read_text("utf-8").splitlines()
    assert [page.stem for page in GUIDE if page.stem not in [*listed, "index"]] == []


def test_example_of_the_readme_is_short():
    code, expected = FENCE.findall((ROOT / "README.md").read_text("utf-8"))[0]
    assert expected
    # Two calls by hand, and the one that decides for itself.
    assert len([line for line in code.splitlines() if line.strip()]) <= 15


def test_readme_names_only_what_exists():
    import skda

    text = (ROOT / "README.md").read_text("utf-8")
    named = re.findall(r"`([A-Z]\w+(?:Transformer|Classifier|Regressor|Weighter|Estimator))`", text)
    assert named
    for name in named:
        assert hasattr(skda, name), name


def test_whats_new_names_every_public_name():
    import skda

    text = (ROOT / "docs" / "whats_new.md").read_text("utf-8")
    names = {f"skda.{name}" for name in skda._MODULE_OF}
    for module_name in skda._SUBPACKAGES:
        names |= {f"skda.{module_name}.{name}" for name in getattr(skda, module_name).__all__}
    assert not [name for name in sorted(names) if f"`~{name}`" not in text]
