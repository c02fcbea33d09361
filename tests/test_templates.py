"""The templates of tests/templates.py on one method of each family."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from skda import DomainScaler, GaussianWeighter, LabelShiftClassifier, TrainOnSource
from skda.datasets import make_label_shift
from skda.metrics import InformationMaximizationScorer
from tests.templates import (
    DeepTemplate,
    PredictorTemplate,
    ScorerTemplate,
    TransformerTemplate,
    WeighterTemplate,
)


def gains(seed):
    """Two classes; the target's features have another offset and another unit."""
    rng = np.random.default_rng(seed)
    y, d = rng.integers(0, 2, 400), np.repeat([1, -2], 200)
    X = rng.normal(size=(400, 2)) + 2.0 * y[:, None]
    X[d < 0] = 3.0 * X[d < 0] - 5.0
    return X, y, d


class TestDomainScaler(TransformerTemplate):
    estimator = DomainScaler()
    bad_params = {"strength": [-0.1, 2.0, "much"], "with_mean": ["no"], "robust": [np.nan]}
    gain = 0.2

    def shift(self, seed):
        return gains(seed)


class TestGaussianWeighter(WeighterTemplate):
    estimator = GaussianWeighter()
    bad_params = {"reg": [-1.0, "much"], "exponent": [2.0, "all"], "clip": [0.5]}
    gain = 0.1

    def shift(self, seed):
        rng = np.random.default_rng(seed)
        x = np.r_[rng.normal(size=300), rng.normal(1.5, 0.4, size=300)]
        y = x**2 + 0.1 * rng.normal(size=600)  # a line fits only a part of it
        return x[:, None], y, np.repeat([1, -2], 300)


class TestLabelShift(PredictorTemplate):
    estimator = LabelShiftClassifier(LogisticRegression())
    off = {"strength": 0.0}
    bad_params = {"strength": [-1, 2], "method": ["guess"], "max_iter": [0]}
    gain = 0.015

    def shift(self, seed):
        return make_label_shift(600, random_state=seed)


class TestDAN(DeepTemplate):
    bad_params = {"n_kernels": [0], "alignment_weight": [-1.0, "much"]}
    gain = 0.05
    seeds = range(2)

    @property
    def estimator(self):
        skda_deep = pytest.importorskip("skda.deep")
        return skda_deep.DANClassifier(
            alignment_weight=3.0, module__hidden=16, max_epochs=30, lr=0.01, random_state=0
        )

    def shift(self, seed):
        rng = np.random.default_rng(seed)
        y, d = rng.integers(0, 2, 400), np.repeat([1, -2], 200)
        X = rng.normal(size=(400, 2)) + np.outer(4.0 * y, [1, 0])
        X[d < 0] += [1.5, 3.0]
        return X.astype(np.float32), y, d


class TestInformationMaximization(ScorerTemplate):
    scorer = InformationMaximizationScorer()

    def models(self, seed):
        X, y, d = gains(seed)
        X[d < 0] = (X[d < 0] + 5.0) / 3.0
        good = TrainOnSource(LogisticRegression()).fit(X, y, sample_domain=d)
        noise = np.random.default_rng(seed).permutation(y)
        bad = TrainOnSource(LogisticRegression()).fit(X, noise, sample_domain=d)
        return X, y, d, good, bad


def test_a_method_that_does_nothing_fails_the_template():
    class Idle(TestLabelShift):
        estimator = LabelShiftClassifier(LogisticRegression(), strength=0.0)

    with pytest.raises(AssertionError):
        Idle().test_it_beats_the_unadapted_model_on_its_shift()


def test_a_method_that_names_no_parameter_fails_the_template():
    class Careless(DecisionTreeClassifier):
        def fit(self, X, y, *, sample_domain=None):
            return super().fit(X[sample_domain >= 0], y[sample_domain >= 0])

    class Tree(TestLabelShift):
        estimator = Careless(max_depth=2)
        bad_params = {"random_state": [0]}

    with pytest.raises(pytest.fail.Exception):
        Tree().test_bad_parameters_are_named()
