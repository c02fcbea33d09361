"""What scikit-learn's own scorers do with stacked domains, as the guide's table says.

No estimator inside a search can tell that one is used, so that skda cannot warn: what can be done
is to say it, and to see that what is said stays true.
"""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_validate

from skda import CORALTransformer, make_domain_pipeline
from skda.metrics import LabeledTargetScorer, SourceScorer
from skda.model_selection import DomainStratifiedKFold

pytestmark = pytest.mark.usefixtures("routing")

CV = DomainStratifiedKFold(3)
STRENGTHS = {"coraltransformer__strength": [0.0, 1.0]}


def function(estimator, X, y):
    return float(np.mean(estimator.predict(X) == y))


OF_SKLEARN = {
    "name": "accuracy",
    "list": ["accuracy"],
    "dict": {"accuracy": "accuracy"},
    "make_scorer": make_scorer(accuracy_score),
    "function": function,
}
OF_SKDA = {"default": None, "source": SourceScorer("accuracy")}


@pytest.fixture
def moved():
    """The target is stretched and moved; its labels are known."""
    rng = np.random.default_rng(0)
    y, sample_domain = rng.integers(0, 2, 180), np.repeat([1, -2], 90)
    X = rng.normal(size=(180, 3)) + 1.5 * y[:, None]
    X[90:] = X[90:] * [3.0, 1.0, 0.3] + 2.0
    return X, y, sample_domain


def model(strength=1.0):
    coral = CORALTransformer(match_mean=True, strength=strength)
    return make_domain_pipeline(coral, LogisticRegression())


def searched(scoring, X, y, sample_domain):
    """Return the score of each strength, and which of them was chosen."""
    refit = "accuracy" if isinstance(scoring, list | dict) else True
    search = GridSearchCV(model(), STRENGTHS, scoring=scoring, cv=CV, refit=refit)
    search.fit(X, y, sample_domain=sample_domain)
    name = "mean_test_accuracy" if isinstance(scoring, list | dict) else "mean_test_score"
    return search.cv_results_[name], search.best_index_


def by_hand(X, y, sample_domain, *, domains, learnt=None):
    """Return the accuracy on all rows, predicted with their domains or all as target rows."""
    learnt = y if learnt is None else learnt
    scores = []
    for train, test in CV.split(X, learnt, sample_domain=sample_domain):
        fitted = model().fit(X[train], learnt[train], sample_domain=sample_domain[train])
        given = {"sample_domain": sample_domain[test]} if domains else {}
        scores.append(np.mean(fitted.predict(X[test], **given) == y[test]))
    return np.mean(scores)


@pytest.mark.parametrize("scoring", OF_SKDA)
def test_scores_of_skda_do_not_see_target_labels(scoring, moved):
    X, y, sample_domain = moved
    found = [
        searched(OF_SKDA[scoring], X, labels, sample_domain)[0]
        for labels in (
            y,
            np.where(sample_domain < 0, 1 - y, y),
            np.where(sample_domain < 0, -1, y),
            np.where(sample_domain < 0, np.nan, y),
        )
    ]
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


@pytest.mark.parametrize("scoring", OF_SKLEARN)
def test_others_count_every_row_as_a_target_row_with_its_label(scoring, moved):
    X, y, sample_domain = moved
    found = searched(OF_SKLEARN[scoring], X, y, sample_domain)[0]
    as_target = by_hand(X, y, sample_domain, domains=False)
    assert found[1] == pytest.approx(as_target)
    assert as_target < by_hand(X, y, sample_domain, domains=True) - 0.1
    flipped = searched(OF_SKLEARN[scoring], X, np.where(sample_domain < 0, 1 - y, y), sample_domain)
    assert abs(flipped[0] - found).max() > 0.1


@pytest.mark.parametrize("scoring", OF_SKLEARN)
def test_a_mark_of_minus_one_counts_as_a_mistake(scoring, moved):
    X, y, sample_domain = moved
    marked = np.where(sample_domain < 0, -1, y)
    found = searched(OF_SKLEARN[scoring], X, marked, sample_domain)[0]
    assert found[1] == pytest.approx(by_hand(X, marked, sample_domain, domains=False))
    assert found.max() <= 0.5  # half of the rows are target rows


@pytest.mark.filterwarnings("ignore:Scoring failed", "ignore:invalid value encountered in cast")
@pytest.mark.parametrize("scoring", [name for name in OF_SKLEARN if name != "function"])
@pytest.mark.parametrize("mark", [np.nan, None])
def test_the_mark_of_stack_domains_makes_the_score_nan(scoring, mark, moved):
    X, y, sample_domain = moved
    marked = y.astype(object if mark is None else float)
    marked[sample_domain < 0] = mark
    with pytest.warns(UserWarning, match="test scores are non-finite"):
        found, best = searched(OF_SKLEARN[scoring], X, marked, sample_domain)
    assert np.isnan(found).all() and best == 0
    with pytest.raises((TypeError, ValueError), match=r"NaN|NoneType"):
        cross_validate(
            model(), X, marked, scoring=OF_SKLEARN[scoring], cv=CV, error_score="raise",
            params={"sample_domain": sample_domain},
        )  # fmt: skip


def test_labeled_target_scorer_is_the_way_to_use_target_labels(moved):
    X, y, sample_domain = moved
    found, best = searched(LabeledTargetScorer("accuracy"), X, y, sample_domain)
    assert best == 1 and found[1] > found[0] + 0.05
    assert searched("accuracy", X, y, sample_domain)[1] == 0  # though all labels are known


def test_cross_val_predict_predicts_every_row_as_a_target_row(moved):
    X, y, sample_domain = moved
    options = {"cv": CV, "params": {"sample_domain": sample_domain}}
    found = cross_val_predict(model(), X, y, **options)
    assert np.mean(found == y) == pytest.approx(by_hand(X, y, sample_domain, domains=False))
    source = sample_domain >= 0
    assert np.mean(found[source] == y[source]) < 0.8
    expected = np.empty_like(y)
    for train, test in CV.split(X, y, sample_domain=sample_domain):
        fitted = model().fit(X[train], y[train], sample_domain=sample_domain[train])
        expected[test] = fitted.predict(X[test])
    np.testing.assert_array_equal(found, expected)
