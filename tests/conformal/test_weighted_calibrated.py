"""Probabilities calibrated on weighted rows."""

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import LinearSVC

from skda import LabelShiftClassifier, WeightedCalibratedClassifier, stack_domains


def classes(n=90, m=60):
    rng = np.random.default_rng(0)

    def rows(size, priors):
        y = rng.choice(3, size=size, p=priors)
        return rng.normal(size=(size, 2)) + 1.5 * np.eye(3)[y, :2], y

    (Xs, ys), (Xt, yt) = rows(n, [0.6, 0.25, 0.15]), rows(2 * m, [0.1, 0.3, 0.6])
    return *stack_domains(Xs, ys, Xt[:m], yt[:m]), Xt[m:], yt[m:]


@pytest.mark.parametrize("method", ["sigmoid", "isotonic", "temperature"])
def test_calibration_without_weights_is_scikit_learn_s(method):
    X, y, d, X_new, _ = classes(n=200)
    source = d >= 0
    y = np.where(y == 2, 0, y).astype(int)
    fitted = LogisticRegression(C=100).fit(X[:50], y[:50])
    wanted = CalibratedClassifierCV(FrozenEstimator(fitted), method=method)
    wanted = wanted.fit(X[source], y[source]).predict_proba(X_new)
    model = WeightedCalibratedClassifier(fitted, method=method, cv="prefit")
    found = model.fit(X, y, sample_domain=d).predict_proba(X_new)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-9)
    np.testing.assert_array_equal(model.predict(X_new), found.argmax(axis=1))


@pytest.mark.parametrize("inner", [LogisticRegression(), LinearSVC(random_state=0)])
def test_class_weights_move_the_probabilities(inner):
    X, y, d, X_new, y_new = classes(n=300, m=300)
    losses = []
    for weighter in (None, LabelShiftClassifier(random_state=0)):
        model = WeightedCalibratedClassifier(
            estimator=inner, weighter=weighter, cv=2, random_state=0
        )
        proba = model.fit(X, y, sample_domain=d).predict_proba(X_new)
        losses.append(-np.log(proba[np.arange(300), y_new]).mean())
    assert losses[1] < 0.85 * losses[0]


def test_labels_of_the_target_are_calibrated_with_by_name():
    X, y, d, X_new, y_new = classes(n=300, m=300)
    losses = []
    for params in ({}, {"use_target_labels": True, "target_share": 1.0}):
        model = WeightedCalibratedClassifier(
            LogisticRegression(), cv=None, calibration_size=0.3, random_state=0, **params
        )
        proba = model.fit(X, y, sample_domain=d).predict_proba(X_new)
        losses.append(-np.log(proba[np.arange(300), y_new]).mean())
    assert losses[1] < 0.85 * losses[0]
    assert model.n_calibration_ == 90 + 300 and model.n_effective_ == pytest.approx(300)


def test_wrong_calibrations_are_named():
    X, y, d, *_ = classes()
    with pytest.raises(ValueError, match="method must be"):
        WeightedCalibratedClassifier(LinearSVC(), method="platt").fit(X, y, sample_domain=d)
    with pytest.raises(ValueError, match="has neither"):
        WeightedCalibratedClassifier(Ridge()).fit(X, y, sample_domain=d)
    with pytest.raises(ValueError, match="target_share must be"):
        WeightedCalibratedClassifier(LinearSVC(), target_share="auto").fit(X, y, sample_domain=d)
    fitted = LogisticRegression().fit(X, y)
    y[y == 2] = 0
    model = WeightedCalibratedClassifier(fitted, cv="prefit")
    with pytest.raises(ValueError, match=r"No calibration row is of the classes \[2"):
        model.fit(X, y, sample_domain=d)
