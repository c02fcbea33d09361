"""Samplers, as imbalanced-learn has them, are found wherever they would break domains or weights.

What their own pipelines make of it is tested in tests/interop, where the package is installed.
"""

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skda import (
    CORALTransformer,
    ImportanceWeightedEstimator,
    TrAdaBoostClassifier,
    TrainOnSource,
    make_domain_pipeline,
)
from skda._core._samplers import sampler_in
from skda.ensemble._candidates import _split
from skda.model_selection._source_only import fitted_on_source, hide_target_labels, source_only_of


class Twice(BaseEstimator):
    """A sampler that repeats all rows."""

    def fit_resample(self, X, y):
        return np.repeat(X, 2, axis=0), np.repeat(y, 2, axis=0)


def with_sampler():
    # scikit-learn's class stands for theirs, which is a subclass of it.
    return Pipeline(
        [("scale", StandardScaler()), ("twice", Twice()), ("model", LogisticRegression())]
    )


@pytest.mark.parametrize(
    ("estimator", "found"),
    [
        (Twice(), "Twice"),
        (with_sampler(), "Twice"),
        (GridSearchCV(with_sampler(), {}), "Twice"),
        (TrainOnSource(with_sampler()), "Twice"),
        (LogisticRegression(), None),
        (Pipeline([("scale", StandardScaler()), ("model", LogisticRegression())]), None),
    ],
)
def test_samplers_are_found_inside(estimator, found):
    assert sampler_in(estimator) == found


def test_a_sampler_is_no_step_of_a_domain_pipeline(routing):
    with pytest.raises(ValueError, match=r"got Twice, a sampler.*make_pipeline\(Twice"):
        make_domain_pipeline(StandardScaler(), Twice(), LogisticRegression())
    model = make_domain_pipeline(CORALTransformer(), with_sampler())
    assert isinstance(model[-1], TrainOnSource)


@pytest.mark.parametrize("weighted", [ImportanceWeightedEstimator, TrAdaBoostClassifier])
def test_weights_cannot_pass_a_sampler(weighted, domains):
    X, y, d = domains
    with pytest.raises(ValueError, match="got Twice inside, a sampler that adds or drops rows"):
        weighted(with_sampler()).fit(X, y, sample_domain=d)


def test_a_pipeline_with_a_sampler_is_wrapped_whole(routing):
    for wrapped in (hide_target_labels, fitted_on_source, source_only_of):
        model = wrapped(with_sampler())
        assert isinstance(model, TrainOnSource), wrapped
        assert [name for name, _ in model.estimator.steps] == ["scale", "twice", "model"]


def test_the_sampler_stays_with_the_predictor():
    before, last = _split(with_sampler())
    assert [type(step) for step in before] == [StandardScaler]
    assert [name for name, _ in last.steps] == ["twice", "model"]
    plain = Pipeline([("scale", StandardScaler()), ("model", LogisticRegression())])
    assert isinstance(_split(plain)[1], LogisticRegression)
