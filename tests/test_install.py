"""A fresh `pip install` of the package and of each extra brings what it promises.

Slow, and it needs a package index, so it runs by name only: ``make test-install``.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.skipif(
    "SKDA_TEST_INSTALL" not in os.environ, reason="slow, needs a package index: make test-install"
)

# What each extra is for, as the first thing that its user does.
USES = {
    "": "import skda; [getattr(skda, name) for name in skda.__all__]",
    "deep": "import skda; skda.DANClassifier(max_epochs=1)",
    "plot": "import matplotlib, skda.model_selection",
    "neighbors": "import pynndescent, skda; skda.GraphLabelPropagationClassifier()",
    "dask": "import skda.dask; skda.dask.fit",
    "bench": "import skada, adapt, skda",
    "interop": "import catboost, imblearn, mapie, mlflow.sklearn, optuna, shap, skrub, xgboost",
}


@pytest.mark.parametrize("extra", USES)
def test_a_fresh_environment_runs_what_the_extra_is_for(extra, tmp_path):
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    python = environment / "bin" / "python"
    wanted = f"{ROOT}[{extra}]" if extra else str(ROOT)
    constraints = ROOT / "constraints-dev.txt"
    install = [python, "-m", "pip", "install", "--quiet", "-c", constraints, wanted]
    subprocess.run([str(part) for part in install], check=True)
    used = subprocess.run(
        [str(python), "-c", USES[extra]], cwd=tmp_path, capture_output=True, text=True
    )
    assert used.returncode == 0, used.stderr[-2000:]
    check = subprocess.run([str(python), "-m", "pip", "check"], capture_output=True, text=True)
    assert check.returncode == 0, check.stdout
