"""On real data that are not shipped: what is claimed of few target labels and of priors."""

import numpy as np
import pytest

from benchmarks._data import DEFAULT
from benchmarks.tasks import heart_disease, mushrooms
from skda import DomainWarning, LabelShiftClassifier


def load(module, pair):
    """Rows of a task, or skip."""
    if not module._pairs(DEFAULT):
        pytest.skip(f"no files of {module.__name__} in {DEFAULT}; set SKDA_DATA")
    return module._load(DEFAULT, pair)


def test_tradaboost_errs_no_more_than_pooling_on_mushrooms():
    rows = load(mushrooms, "tapering>enlarging")
    assert mushrooms.plain(mushrooms.SVM, "source")(*rows) == pytest.approx(26.1, abs=0.3)
    pooled = mushrooms.plain(mushrooms.SVM, "pooled")(*rows)
    assert pooled == pytest.approx(5.5, abs=0.1)
    assert mushrooms.boosted(mushrooms.SVM)(*rows) <= pooled + 0.1  # its solver's tolerance
    pooled = mushrooms.plain(mushrooms.TREE, "pooled")(*rows)
    assert mushrooms.boosted(mushrooms.TREE)(*rows) < 0.6 * pooled


def test_class_share_of_another_hospital_is_found():
    X, y, d = load(heart_disease, "Clev>Hung")
    X, target = heart_disease.prepared(X, d), d < 0
    model = LabelShiftClassifier().fit(X, np.where(target, -1, y), sample_domain=d)
    assert model.target_priors_[1] == pytest.approx(y[target].mean(), abs=0.03)
    assert model.score(X[target], y[target]) > model.estimator_.score(X[target], y[target])


def test_priors_that_would_make_everyone_healthy_are_refused():
    X, y, d = load(heart_disease, "VA>Hung")
    X, target = heart_disease.prepared(X, d), d < 0
    with pytest.warns(DomainWarning, match="do not explain the target"):
        model = LabelShiftClassifier(random_state=0).fit(X, y, sample_domain=d)
    assert model.score(X[target], y[target]) == model.estimator_.score(X[target], y[target])
    with pytest.warns(DomainWarning, match="no rows of the classes"):
        believed = LabelShiftClassifier(check_fit=False, random_state=0).fit(X, y, sample_domain=d)
    assert believed.score(X[target], y[target]) < model.score(X[target], y[target]) - 0.1
