"""scikit-learn's ensembles around models that adapt: an error that helps, or the right model.

They re-encode labels before they fit what is inside them, so that a mark of missing labels
becomes a class, and soft votes are counted for the wrong classes (accuracy .02).
"""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier

from skda import (
    CORALTransformer,
    TrainOnSource,
    make_domain_pipeline,
)
from skda._core._encoded_mark import check_no_encoded_mark
from skda.model_selection import DomainStratifiedKFold
from tests import checks

pytestmark = pytest.mark.usefixtures("routing")

RULE = (
    r"a class on all target rows that no source row has; got .* on all \d+\..*re-encoded.*"
    r"skda\.ensemble\.ConsensusClassifier.*make_domain_pipeline\(.*VotingClassifier\(\.\.\.\)\).*NaN"
)


@pytest.fixture
def shifted():
    """Two classes, the target moved; its labels are known."""
    rng = np.random.default_rng(0)
    y, sample_domain = rng.integers(0, 2, 120), np.repeat([1, -2], 60)
    X = rng.normal(size=(120, 3)) + 3.0 * y[:, None] + (sample_domain < 0)[:, None]
    return X, y, sample_domain


def adapting(predictor=None):
    predictor = LogisticRegression() if predictor is None else predictor
    return make_domain_pipeline(CORALTransformer(match_mean=True), predictor)


def folds():
    return DomainStratifiedKFold(3)


def stacking():
    final = TrainOnSource(LogisticRegression())
    return StackingClassifier([("a", adapting())], final, cv=folds())


RE_ENCODING = {
    "hard vote": lambda: VotingClassifier([("a", adapting()), ("b", adapting())]),
    "soft vote": lambda: VotingClassifier([("a", adapting())], voting="soft"),
    "bagging": lambda: BaggingClassifier(adapting(), n_estimators=3, random_state=0),
    "stacking": stacking,
    "one against the rest": lambda: OneVsRestClassifier(adapting()),
    "pairs": lambda: OneVsOneClassifier(adapting()),
    "calibrated at once": lambda: CalibratedClassifierCV(adapting(), cv=folds(), ensemble=False),
}
# Here the models inside see the classes in random groups, and no mark.
GROUPING = {"codes": lambda: OutputCodeClassifier(adapting(), random_state=0)}
CALIBRATING = {
    "calibrated": lambda: CalibratedClassifierCV(adapting(), cv=folds()),
    "tuned threshold": lambda: TunedThresholdClassifierCV(adapting(), cv=folds(), thresholds=9),
}
by_name = "ensemble"


@pytest.mark.filterwarnings("ignore:Number of classes in training fold")
@pytest.mark.parametrize(by_name, RE_ENCODING)
def test_a_re_encoded_mark_is_refused_with_a_way_out(ensemble, shifted):
    X, y, sample_domain = shifted
    with pytest.raises(ValueError, match=RULE):
        RE_ENCODING[ensemble]().fit(
            X, np.where(sample_domain < 0, -1, y), sample_domain=sample_domain
        )


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")
@pytest.mark.parametrize("mark", [np.nan, None])
@pytest.mark.parametrize(by_name, [*RE_ENCODING, *GROUPING, *CALIBRATING, "fixed threshold"])
def test_the_mark_of_stack_domains_is_refused_by_every_ensemble(ensemble, mark, shifted):
    X, y, sample_domain = shifted
    labels = y.astype(object if mark is None else float)
    labels[sample_domain < 0] = mark
    others = {"fixed threshold": lambda: FixedThresholdClassifier(adapting())}
    with pytest.raises((TypeError, ValueError), match=r"NaN|label type|not supported|binary"):
        (RE_ENCODING | GROUPING | CALIBRATING | others)[ensemble]().fit(
            X, labels, sample_domain=sample_domain
        )


@pytest.mark.parametrize(by_name, [*sorted(RE_ENCODING.keys() - {"calibrated at once"}), *GROUPING])
def test_known_target_labels_are_not_learnt_from(ensemble, shifted):
    X, y, sample_domain = shifted
    flipped = np.where(sample_domain < 0, 1 - y, y)
    models = [
        (RE_ENCODING | GROUPING)[ensemble]().fit(X, labels, sample_domain=sample_domain)
        for labels in (y, flipped)
    ]
    X_target = X[sample_domain < 0]
    np.testing.assert_array_equal(*(model.predict(X_target) for model in models))
    assert models[0].score(X_target, y[sample_domain < 0]) > 0.9


@pytest.mark.parametrize(by_name, CALIBRATING)
def test_known_target_labels_calibrate_as_the_guide_says(ensemble, shifted):
    """A leak that no estimator inside can see: the guide names these two."""
    X, y, sample_domain = shifted
    flipped = np.where(sample_domain < 0, 1 - y, y)
    models = [
        CALIBRATING[ensemble]().fit(X, labels, sample_domain=sample_domain)
        for labels in (y, flipped)
    ]
    if ensemble == "tuned threshold":
        assert models[0].best_threshold_ != models[1].best_threshold_
    else:
        found = [model.predict_proba(X[sample_domain < 0]) for model in models]
        assert np.abs(found[0] - found[1]).max() > 0.1


def test_boosting_around_says_that_it_passes_no_domains(shifted):
    X, y, sample_domain = shifted
    with pytest.raises(TypeError, match="sample_domain"):
        AdaBoostClassifier(adapting()).fit(X, y, sample_domain=sample_domain)


def test_a_vote_of_regressors_is_right_and_bagging_refuses_missing_values(shifted):
    X, _, sample_domain = shifted
    y = np.where(sample_domain < 0, np.nan, X[:, 0])
    one = adapting(Ridge()).fit(X, y, sample_domain=sample_domain)
    vote = VotingRegressor([("a", adapting(Ridge())), ("b", adapting(Ridge()))])
    vote.fit(X, y, sample_domain=sample_domain)
    np.testing.assert_allclose(vote.predict(X), one.predict(X))
    with pytest.raises(ValueError, match="NaN"):
        BaggingRegressor(adapting(Ridge())).fit(X, y, sample_domain=sample_domain)


# The rule, in every classifier of the package and at its edges.


@pytest.mark.parametrize(
    "estimator",
    [e for e in checks.all_estimators() if is_classifier(e)],
    ids=lambda estimator: type(estimator).__name__,
)
def test_every_classifier_refuses_a_class_of_the_target_alone(estimator):
    X, y, sample_domain = checks.make_data(estimator)
    with pytest.raises(ValueError, match=RULE):
        clone(estimator).fit(X, np.where(sample_domain < 0, 2, y), sample_domain=sample_domain)


@pytest.mark.parametrize(
    "labels",
    [
        [0, 1, 2, 2],
        ["a", "b", "?", "?"],
        np.array(["a", "b", "?", "?"], dtype=object),
        [False, False, True, True],
        [0.0, 1.0, -1.0, -1.0],
        np.array([0, 1, 255, 255], dtype=np.uint8),
        [[0], [1], [2], [2]],
        torch.tensor([0, 1, 2, 2]),
        pd.Series(["a", "b", "c", "c"], dtype="category"),
    ],
    ids=str,
)
def test_a_class_of_the_target_alone_is_found_among_labels_of_any_kind(labels):
    ids = np.array([1, 1, -2, -3])
    with pytest.raises(ValueError, match=RULE):
        check_no_encoded_mark(LogisticRegression(), labels, ids)


@pytest.mark.parametrize(
    "labels",
    [
        [0, 1, -1, -1],
        [0, 1, np.nan, np.nan],
        [0, 1, None, None],
        pd.Series([0, 1, pd.NA, pd.NA], dtype="Int64"),
        [0, 1, 2, -1],
        [0, 1, 2, 3],
        [0, 1, 2, 0],
        [0, 1, 1, 1],
        [-1, 1, -1, -1],
        [[0, 1], [1, 0], [2, 2], [2, 2]],
    ],
    ids=str,
)
def test_marks_and_classes_of_the_source_pass(labels):
    check_no_encoded_mark(LogisticRegression(), labels, np.array([1, 1, -2, -2]))


def test_numbers_of_a_regression_and_rows_of_one_side_pass():
    check_no_encoded_mark(Ridge(), [0, 1, 2, 2], np.array([1, 1, -2, -2]))
    check_no_encoded_mark(LogisticRegression(), [2, 2], np.array([-2, -2]))
    check_no_encoded_mark(LogisticRegression(), [0, 1], np.array([1, 1]))


def test_a_transformer_that_ignores_labels_does_not_read_them(shifted):
    X, y, sample_domain = shifted
    CORALTransformer().fit(X, np.where(sample_domain < 0, 2, y), sample_domain=sample_domain)
