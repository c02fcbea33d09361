"""SHAP values of a pipeline that adapts."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from skda import CORALTransformer, make_domain_pipeline, stack_domains

# It imports numba.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("routing"),
    # Of matplotlib, in its colors.
    pytest.mark.filterwarnings("ignore:The set_.* function will be deprecated"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:shap"),
]


@pytest.fixture(scope="module")
def shap():
    return pytest.importorskip("shap")


@pytest.fixture(scope="module")
def data():
    """The second feature means nothing; the units differ in the target."""
    rng = np.random.default_rng(0)
    ys, yt = rng.integers(0, 2, 80), rng.integers(0, 2, 60)
    Xs, Xt = (rng.normal(size=(len(y), 2)) + [[3.0, 0.0]] * y[:, None] for y in (ys, yt))
    Xt = Xt * [[0.5, 2.0]] + [[3.0, -3.0]]
    return *stack_domains(Xs, ys, Xt), Xt


def fitted(last, X, y, d):
    model = make_domain_pipeline(StandardScaler(), CORALTransformer(match_mean=True), last)
    return model.fit(X, y, sample_domain=d)


def test_the_whole_pipeline_is_explained_in_the_features_of_the_target(shap, data):
    X, y, d, X_target = data
    model = fitted(LogisticRegression(), X, y, d)

    def ill(X):
        return model.predict_proba(X)[:, 1]

    explainer = shap.KernelExplainer(ill, X_target[:40])
    values = explainer.shap_values(X_target[40:], silent=True)
    assert_allclose(values.sum(axis=1) + explainer.expected_value, ill(X_target[40:]))
    first, second = np.abs(values).mean(axis=0)
    assert first > 5 * second


def test_the_last_step_is_explained_in_mapped_features(shap, data):
    X, y, d, X_target = data
    model = fitted(LogisticRegression(), X, y, d)
    mapped = model[:-1].transform(X_target)
    # A wrapped linear model shows its coefficients, so that it is taken for one.
    explanation = shap.LinearExplainer(model[-1], mapped)(mapped)
    total = explanation.values.sum(axis=1) + explanation.base_values
    assert_allclose(total, model.decision_function(X_target))


def test_trees_are_taken_out_of_their_wrapper(shap, data):
    X, y, d, X_target = data
    model = fitted(RandomForestClassifier(5, random_state=0), X, y, d)
    explanation = shap.TreeExplainer(model[-1].estimator_)(model[:-1].transform(X_target))
    total = explanation.values.sum(axis=1) + explanation.base_values
    assert_allclose(total, model.predict_proba(X_target), atol=1e-12)
