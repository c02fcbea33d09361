"""Warnings point at the line of the user, however deep the estimator that warns lies."""

import warnings

import numpy as np
import pytest
import sklearn.pipeline
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_validate

from skda import (
    DomainWarning,
    GFKTransformer,
    ImportanceWeightedEstimator,
    KMMWeighter,
    SubspaceAlignmentTransformer,
    make_domain_pipeline,
    stack_domains,
)


def drawn(gap=0.0):
    rng = np.random.default_rng(0)
    Xs, Xt = rng.normal(size=(60, 3)), rng.normal(size=(60, 3)) + gap
    return stack_domains(Xs, rng.integers(0, 2, 60), Xt, rng.integers(0, 2, 60))


def where(call, category):
    """Return the files that the warnings of a call point at."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return {w.filename for w in caught if issubclass(w.category, category)}


@pytest.mark.parametrize("transformer", [SubspaceAlignmentTransformer(9), GFKTransformer(9)])
@pytest.mark.parametrize("depth", ["alone", "pipeline", "cross-validated"])
def test_too_many_components_are_reported_at_the_users_line(transformer, depth, routing):
    X, y, d = drawn()
    model = make_domain_pipeline(transformer, LogisticRegression())
    cv = StratifiedKFold(2, shuffle=True, random_state=0)
    calls = {
        "alone": lambda: transformer.fit(X, sample_domain=d),
        "pipeline": lambda: model.fit(X, y, sample_domain=d),
        "cross-validated": lambda: cross_validate(model, X, y, cv=cv, params={"sample_domain": d}),
    }
    with sklearn.config_context(enable_metadata_routing=True):
        assert where(calls[depth], UserWarning) == {__file__}


def test_poor_overlap_inside_a_meta_estimator_is_reported_at_the_users_line():
    X, y, d = drawn(gap=30.0)
    model = ImportanceWeightedEstimator(LogisticRegression(), KMMWeighter())
    assert where(lambda: model.fit(X, y, sample_domain=d), DomainWarning) == {__file__}


def test_missing_domains_inside_a_pipeline_are_reported_at_the_users_line():
    X, y, _ = drawn()
    model = sklearn.pipeline.make_pipeline(SubspaceAlignmentTransformer(2), LogisticRegression())
    assert where(lambda: model.fit(X, y), DomainWarning) == {__file__}
