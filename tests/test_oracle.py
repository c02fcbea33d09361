"""The protocol of SKADA-Bench in the benchmarks: its rows, its splits, its choice of parameters."""

import warnings

import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

from benchmarks._oracle import FirstComponents, oracle, splits, target_scores, with_target_labels
from benchmarks.tasks.skada_bench import SHIFTS, TASKS
from skda import CORALTransformer, SubspaceAlignmentTransformer, make_domain_pipeline

# Of skada.datasets.make_shifted_datasets and skada.model_selection.StratifiedDomainShuffleSplit
# 0.6.0 with the benchmark's settings and random_state=3: number of rows, the first and the last,
# the first train rows of the fifth outer split, the first test rows of its fifth inner split.
PUBLISHED = {
    "covariate": (1600, (0.624007, 1.416307), (0.557954, 2.720289), (1129, 491), (683, 469)),
    "label": (1600, (2.262795, 1.766165), (-2.046406, 4.357132), (901, 274), (679, 462)),
    "conditional": (1600, (2.679155, 2.667326), (3.357468, 1.080326), (1224, 1569), (707, 479)),
    "subspace": (2400, (-0.775665, 1.554835), (0.472098, 1.629628), (1106, 1772), (979, 461)),
}


@pytest.mark.parametrize("shift", SHIFTS)
def test_rows_and_splits_are_those_of_the_benchmark(shift):
    n, first, last, outer, inner = PUBLISHED[shift]
    X, y, sample_domain = SHIFTS[shift](3)
    assert len(X) == n
    np.testing.assert_allclose(X[[0, -1]], [first, last], atol=1e-6)
    train, _ = list(splits(y, sample_domain))[4]
    assert tuple(train[:2]) == outer
    seen = np.where(sample_domain < 0, -1, y)[train]
    assert tuple(list(splits(seen, sample_domain[train]))[4][1][:2]) == inner


def three_to_one(n=200, seed=0):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.25).astype(int)
    X = rng.normal(size=(n, 3)) + 2.0 * y[:, None]
    X[n // 2 :] += 1.0
    return X, y, np.repeat([1, -2], n // 2)


class Says(BaseEstimator):
    """A model that says one label, or cannot be fitted."""

    def __init__(self, label):
        self.label = label

    def fit(self, X, y, *, sample_domain):
        assert set(y[sample_domain < 0]) == {-1}  # the target's labels are hidden
        if self.label is None:
            raise ValueError("no")
        return self

    def predict(self, X):
        return np.full(len(X), self.label)


def test_the_oracle_takes_what_the_target_labels_favor_and_never_what_fails():
    X, y, sample_domain = three_to_one()
    score = oracle(Says, {"label": [None, 1, 0]})([(X, y, sample_domain)])
    common = [
        np.mean(y[test[sample_domain[test] < 0]] == 0) for _, test in splits(y, sample_domain)
    ]
    assert score == pytest.approx(np.mean(common))


def test_models_of_the_first_components_are_those_of_pipelines():
    X, y, sample_domain = three_to_one()
    train, test = next(splits(y, sample_domain))
    alignment = SubspaceAlignmentTransformer(3)
    members = FirstComponents(alignment, LogisticRegression(), [3])
    with sklearn.config_context(enable_metadata_routing=True):
        alone = make_domain_pipeline(SubspaceAlignmentTransformer(3), LogisticRegression())
        data = X, y, sample_domain, train, test
        assert target_scores(members, *data) == target_scores(alone, *data)


def test_target_labels_are_worth_more_than_an_alignment():
    data = [three_to_one(n=800)]
    with sklearn.config_context(enable_metadata_routing=True):
        aligned = oracle(
            lambda: make_domain_pipeline(CORALTransformer(match_mean=False), LogisticRegression())
        )(data)
    assert with_target_labels(LogisticRegression)(data) > aligned


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_every_published_row_has_a_method(task):
    assert set(task.published) <= set(task.methods)


def test_a_method_of_the_task_runs_on_few_rows():
    task = next(task for task in TASKS if task.name == "skada-simulated")
    with sklearn.config_context(enable_metadata_routing=True), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert 0.5 < task.methods["NN RW"]([three_to_one()]) <= 1.0
