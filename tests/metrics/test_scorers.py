"""What every scorer keeps: same value everywhere, no target labels, refusals in words."""

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skda import CORALTransformer, make_domain_pipeline, metrics
from skda._core._labels import missing_labels
from skda.model_selection import DomainStratifiedKFold

from .conftest import OnSource

SCORERS = [
    value()
    for name, value in vars(metrics).items()
    if name.endswith("Scorer") and name in metrics.__all__
]
LABEL_FREE = [s for s in SCORERS if type(s).__name__ != "LabeledTargetScorer"]
every_scorer = pytest.mark.parametrize("scorer", SCORERS, ids=lambda s: type(s).__name__)
label_free = pytest.mark.parametrize("scorer", LABEL_FREE, ids=lambda s: type(s).__name__)


@every_scorer
def test_same_value_in_grid_search_cross_validate_and_by_hand(scorer, routing, pipeline, moved):
    X, y, sample_domain = moved
    cv = DomainStratifiedKFold(3, shuffle=True, random_state=0)
    by_hand = []
    for train, test in cv.split(X, y, sample_domain=sample_domain):
        fitted = clone(pipeline).fit(X[train], y[train], sample_domain=sample_domain[train])
        by_hand.append(scorer(fitted, X[test], y[test], sample_domain=sample_domain[test]))
    assert np.isfinite(by_hand).all()

    options = {"params": {"sample_domain": sample_domain}, "cv": cv, "error_score": "raise"}
    for scoring in (scorer, {"it": scorer, "too": scorer}):
        result = cross_validate(pipeline, X, y, scoring=scoring, **options)
        key = "test_score" if scoring is scorer else "test_it"
        np.testing.assert_allclose(result[key], by_hand, rtol=1e-12)
    np.testing.assert_allclose(
        cross_val_score(pipeline, X, y, scoring=scorer, **options), by_hand, rtol=1e-12
    )

    search = GridSearchCV(
        pipeline, {"move__strength": [1.0]}, scoring=scorer, cv=cv, error_score="raise", n_jobs=1
    )
    search.fit(X, y, sample_domain=sample_domain)
    found = [search.cv_results_[f"split{i}_test_score"][0] for i in range(3)]
    np.testing.assert_allclose(found, by_hand, rtol=1e-12)
    # a search is scored as the model that it found
    assert scorer(search, X, y, sample_domain=sample_domain) == pytest.approx(
        scorer(search.best_estimator_, X, y, sample_domain=sample_domain)
    )


def masked(y, hide, mark):
    """Labels in which the hidden ones are missing, in each way to write that."""
    if mark == "NaN":
        return np.where(hide, np.nan, y)
    if mark == "-1":
        return np.where(hide, -1, y)
    return np.array([None if hidden else label for hidden, label in zip(hide, y, strict=True)])


every_mark = pytest.mark.parametrize("mark", ["NaN", "-1", "None"])


@every_scorer
@every_mark
def test_every_mark_of_a_missing_label_gives_the_score_of_known_labels(
    scorer, mark, routing, moved
):
    """A third of the target rows keep their label, for the scorer that uses it."""
    X, y, sample_domain = moved
    options = {"sample_domain": sample_domain}
    hide = (sample_domain < 0) & (np.arange(len(y)) % 3 > 0)
    labels = masked(y, hide, mark)
    model = make_domain_pipeline(StandardScaler(), CORALTransformer(), LogisticRegression())
    expected = scorer(clone(model).fit(X, y, **options), X[~hide], y[~hide],
                      sample_domain=sample_domain[~hide])  # fmt: skip
    if scorer in LABEL_FREE:
        expected = scorer(clone(model).fit(X, y, **options), X, y, **options)
    assert scorer(clone(model).fit(X, labels, **options), X, labels, **options) == expected


@every_mark
def test_circular_validation_hides_the_source_labels_on_the_way_back(mark, moved, routing):
    """A model that would find source labels among its training labels scores no better."""
    X, y, sample_domain = moved
    seen = []

    class Watching(OnSource):
        def fit(self, X, y, *, sample_domain=None):
            seen.append(missing_labels(y)[np.asarray(sample_domain) < 0].all())
            return super().fit(X, y, sample_domain=sample_domain)

    labels = masked(y, sample_domain < 0, mark)
    model = Watching(LogisticRegression()).fit(X, labels, sample_domain=sample_domain)
    metrics.CircularValidationScorer()(model, X, labels, sample_domain=sample_domain)
    assert seen == [True, True]


@label_free
def test_target_labels_do_not_change_the_score(scorer, routing, pipeline, moved):
    X, y, sample_domain = moved
    pipeline.fit(X, y, sample_domain=sample_domain)
    hidden = np.where(sample_domain < 0, -1, y)
    nothing = np.array([None if d < 0 else v for d, v in zip(sample_domain, y, strict=True)])
    scores = [scorer(pipeline, X, t, sample_domain=sample_domain) for t in (y, hidden, nothing)]
    assert scores[0] == scores[1] == scores[2]


@every_scorer
def test_names_of_domains_and_of_classes_do_not_change_the_score(scorer, routing, pipeline, moved):
    X, y, sample_domain = moved
    text = np.array(["no", "yes"])[y]
    a = scorer(clone(pipeline).fit(X, y, sample_domain=sample_domain), X, y,
               sample_domain=sample_domain)  # fmt: skip
    ids = np.where(sample_domain < 0, -9, 0)
    b = scorer(clone(pipeline).fit(X, text, sample_domain=ids), X, text, sample_domain=ids)
    assert a == pytest.approx(b, rel=1e-9)


@every_scorer
def test_plain_classifier_is_scored(scorer, moved):
    X, y, sample_domain = moved
    source = sample_domain > 0
    model = LogisticRegression().fit(X[source], y[source])
    assert np.isfinite(scorer(model, X, y, sample_domain=sample_domain))


@every_scorer
def test_pandas_rows_are_scored_as_arrays_are(scorer, moved):
    pd = pytest.importorskip("pandas")
    X, y, sample_domain = moved
    frame = pd.DataFrame(X, columns=["a", "b"])
    source = sample_domain > 0
    model = LogisticRegression().fit(frame[source], y[source])
    plain = LogisticRegression().fit(X[source], y[source])
    value = scorer(model, frame, pd.Series(y), sample_domain=pd.Series(sample_domain))
    assert value == pytest.approx(scorer(plain, X, y, sample_domain=sample_domain))


@every_scorer
def test_without_sample_domain_the_error_says_what_to_do(scorer, moved):
    X, y, _ = moved
    model = LogisticRegression().fit(X, y)
    with pytest.raises(ValueError, match=r"needs sample_domain.*enable_metadata_routing"):
        scorer(model, X, y)


@every_scorer
def test_what_is_no_estimator_or_no_rows_is_refused_in_words(scorer, moved):
    X, y, sample_domain = moved
    model = LogisticRegression().fit(X, y)
    for estimator in (None, "model", CORALTransformer()):
        with pytest.raises(ValueError, match="has no predict"):
            scorer(estimator, X, y, sample_domain=sample_domain)
    with pytest.raises(ValueError, match="X is None"):
        scorer(model, None, y, sample_domain=sample_domain)
    with pytest.raises(ValueError, match="y must not be complex"):
        scorer(model, X, y * 1j, sample_domain=sample_domain)


@every_scorer
def test_a_fold_without_the_rows_it_needs_is_refused(scorer, moved):
    X, y, _ = moved
    model = LogisticRegression().fit(X, y)
    side = {"source": -1, "target": 1}[scorer._needs[-1]]
    with pytest.raises(ValueError, match="DomainStratifiedKFold"):
        scorer(model, X, y, sample_domain=np.full(len(X), side))


needs_source = pytest.mark.parametrize(
    "scorer", [s for s in SCORERS if "source" in s._needs], ids=lambda s: type(s).__name__
)


@needs_source
def test_refuses_to_map_source_rows_as_target_rows(scorer, pipeline, moved):
    X, y, sample_domain = moved
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline.fit(X, y, sample_domain=sample_domain)
    with pytest.raises(ValueError, match="enable_metadata_routing=True"):
        scorer(pipeline, X, y, sample_domain=sample_domain)


@needs_source
def test_refuses_a_wrapper_that_does_not_route(scorer, routing, moved):
    X, y, sample_domain = moved

    class WithoutRouting(CalibratedClassifierCV):
        def fit(self, X, y):
            self.estimator.fit(X, y, sample_domain=sample_domain)
            self.classes_ = self.estimator.classes_
            return self

        def predict(self, X):
            return self.estimator.predict(X)

        def get_metadata_routing(self):
            raise NotImplementedError

    model = WithoutRouting(OnSource(LogisticRegression())).fit(X, y)
    with pytest.raises(ValueError, match=r"WithoutRouting.*does not accept sample_domain"):
        scorer(model, X, y, sample_domain=sample_domain)


needs_proba = pytest.mark.parametrize(
    "scorer",
    [s for s in SCORERS if s._classification_only and "Mix" not in type(s).__name__
     and "Cluster" not in type(s).__name__],
    ids=lambda s: type(s).__name__,
)  # fmt: skip


@needs_proba
def test_without_probabilities_the_error_names_a_way_out(scorer, moved):
    X, y, sample_domain = moved
    model = LinearSVC().fit(X, y)
    with pytest.raises(ValueError, match=r"LinearSVC has no predict_proba.*Calibrated"):
        scorer(model, X, y, sample_domain=sample_domain)


@every_scorer
def test_regressors_are_scored_or_refused_in_words(scorer, moved):
    X, _, sample_domain = moved
    y = X @ [1.0, -2.0]
    model = LinearRegression().fit(X, y)
    if scorer._classification_only:
        with pytest.raises(ValueError, match="is defined for classifiers"):
            scorer(model, X, y, sample_domain=sample_domain)
    else:
        y = np.where(sample_domain < 0, np.nan, y) if scorer in LABEL_FREE else y
        assert np.isfinite(scorer(model, X, y, sample_domain=sample_domain))


@needs_source
def test_missing_source_labels_are_refused(scorer, moved):
    X, y, sample_domain = moved
    model = LogisticRegression().fit(X, y)
    holes = y.astype(float)
    holes[0] = np.nan
    with pytest.raises(ValueError, match="label of every source row"):
        scorer(model, X, holes, sample_domain=sample_domain)
    with pytest.raises(ValueError, match="labels of the source rows; y is None"):
        scorer(model, X, sample_domain=sample_domain)


@every_scorer
def test_routing_asks_for_the_domains(scorer):
    assert scorer.get_metadata_routing().score.requests == {"sample_domain": True}
    assert repr(clone(scorer)) == repr(scorer)


@every_scorer
def test_all_equal_predictions_give_a_number(scorer, moved):
    X, y, sample_domain = moved
    model = LogisticRegression(C=1e-9, fit_intercept=True).fit(X, y | (np.arange(len(y)) > 5))
    assert len(np.unique(model.predict(X))) == 1
    assert np.isfinite(scorer(model, X, y, sample_domain=sample_domain))


@every_scorer
def test_single_feature_and_two_rows_a_domain(scorer):
    X = np.array([[0.0], [1.0], [0.2], [0.9]])
    y, sample_domain = np.array([0, 1, 0, 1]), np.array([1, 1, -2, -2])
    model = LogisticRegression(C=100.0).fit(X[:2], y[:2])
    assert np.isfinite(scorer(model, X, y, sample_domain=sample_domain))
