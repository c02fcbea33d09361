"""The guide page on other packages runs as it is printed: each part where its package is there."""

import contextlib
import io
import re

import pytest

from tests.test_docs import FENCE, ROOT, without_layout

TEXT = (ROOT / "docs" / "user_guide" / "other_packages.md").read_text("utf-8")
FIRST, *PARTS = re.split(r"^## ", TEXT, flags=re.MULTILINE)
# These import torch, numba or a database.
SLOW = ("SKADA", "SHAP", "MLflow")


@pytest.mark.filterwarnings("ignore:The set_.* function will be deprecated")  # SHAP
@pytest.mark.filterwarnings("ignore:::mlflow")
@pytest.mark.filterwarnings("ignore:::sqlalchemy")
@pytest.mark.parametrize(
    "part",
    [
        pytest.param(
            part,
            id=re.match(r"\w+", part)[0],
            marks=[pytest.mark.slow] if part.startswith(SLOW) else [],
        )
        for part in PARTS
    ],
)
def test_code_of_a_part_runs_and_prints_what_it_says(part, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    blocks = FENCE.findall(FIRST) + FENCE.findall(part)
    assert len(blocks) > 1
    for code, expected in blocks:
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                exec(compile(code, "other_packages.md", "exec"), namespace)
        except ImportError as error:
            pytest.skip(f"needs another package: {error}")
        assert without_layout(printed.getvalue()) == without_layout(expected), code
