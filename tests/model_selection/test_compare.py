"""compare puts candidates and the source-only model through the same parts and scorers."""

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from skda import CORALTransformer, TrainOnSource, make_domain_pipeline
from skda._core._routing import DomainRouting
from skda.metrics import InformationMaximizationScorer, LabeledTargetScorer, SourceScorer
from skda.model_selection import (
    DomainShuffleSplit,
    DomainStratifiedKFold,
    compare,
    iter_target_domains,
    plot_comparison,
)
from skda.model_selection._compare import hide_target_labels, source_only_of

pd = pytest.importorskip("pandas")

pytestmark = pytest.mark.usefixtures("routing")


@pytest.fixture
def turned():
    """Classes along one axis; the target is stretched and turned; target labels are known."""
    rng = np.random.default_rng(0)
    n = 120
    y, sample_domain = rng.integers(0, 2, 2 * n), np.repeat([1, -2], n)
    X = rng.normal(size=(2 * n, 3)) * [1.0, 0.3, 0.3]
    X[:, 0] += 3.0 * y
    X[n:] = X[n:] @ np.array([[0.1, 1.0, 0], [-1.0, 0.1, 0], [0, 0, 1.0]])
    return X, y, sample_domain


def coral(strength=1.0):
    return make_domain_pipeline(
        StandardScaler(), CORALTransformer(strength=strength), LogisticRegression()
    )


def test_table_has_mean_spread_and_rank_of_every_scorer(turned):
    X, y, sample_domain = turned
    table = compare({"coral": coral(), "half": coral(0.5)}, X, y, sample_domain, cv=3)
    assert table.index.tolist() == ["source only", "coral", "half"]
    scorers = ["source", "importance weighted", "information", "mixval", "circular", "target"]
    assert table.columns.get_level_values(0).unique().tolist() == scorers
    assert table["target"].columns.tolist() == ["mean", "std", "rank"]
    assert np.isfinite(table.to_numpy(dtype=float)).all()
    best = table["target", "mean"].idxmax()
    assert table.loc[best, ("target", "rank")] == 1


def test_values_are_those_of_cross_validate(turned):
    X, y, sample_domain = turned
    cv = DomainShuffleSplit(3, random_state=0)
    scoring = {"im": InformationMaximizationScorer(), "target": LabeledTargetScorer()}
    table = compare({"coral": coral()}, X, y, sample_domain, scoring=scoring, cv=cv)
    with sklearn.config_context(enable_metadata_routing=True):
        told = {"params": {"sample_domain": sample_domain}, "cv": cv, "scoring": scoring}
        found = cross_validate(coral(), X, y, **told)
    for scorer in scoring:
        assert_allclose(table.loc["coral", (scorer, "mean")], found[f"test_{scorer}"].mean())
        assert_allclose(table.loc["coral", (scorer, "std")], found[f"test_{scorer}"].std())


def test_plain_candidates_do_not_see_target_labels(turned):
    X, y, sample_domain = turned
    candidates = {
        "classifier": LogisticRegression(),
        "pipeline": Pipeline([("select", SelectKBest(k=2)), ("it", LogisticRegression())]),
        "half wrapped": Pipeline([("a", CORALTransformer()), ("it", LogisticRegression())]),
    }
    scoring = {"im": InformationMaximizationScorer(), "source": SourceScorer()}
    known = compare(candidates, X, y, sample_domain, scoring=scoring, cv=3)
    hidden = np.where(sample_domain < 0, -1, y)
    masked = compare(candidates, X, hidden, sample_domain, scoring=scoring, cv=3)
    pd.testing.assert_frame_equal(known, masked)


def test_source_only_is_the_first_candidate_without_its_adapting_steps():
    plain = source_only_of(coral())
    assert [type(step) for _, step in plain.steps] == [StandardScaler, TrainOnSource]
    assert isinstance(source_only_of(LogisticRegression()), TrainOnSource)
    assert source_only_of(CORALTransformer()) is None
    assert hide_target_labels(coral()).steps[0][0] == "standardscaler"


def test_source_only_can_be_given_and_must_be_where_it_is_unknown(turned):
    X, y, sample_domain = turned
    told = {"cv": 3, "scoring": {"target": LabeledTargetScorer()}}

    given = compare(
        {"coral": coral()}, X, y, sample_domain, source_only=LogisticRegression(C=1e-6), **told
    )
    named = compare(
        {"coral": coral(), "source only": LogisticRegression(C=1e-6)}, X, y, sample_domain, **told
    )
    pd.testing.assert_frame_equal(given, named)

    class Closed(DomainRouting, ClassifierMixin, BaseEstimator):
        def fit(self, X, y, *, sample_domain=None):
            return self

    with pytest.raises(ValueError, match="Pass source_only="):
        compare({"closed": Closed()}, X, y, sample_domain, **told)
    with pytest.raises(ValueError, match="estimators must be a dict"):
        compare([coral()], X, y, sample_domain)


def test_each_domain_in_turn_can_be_the_target(turned):
    X, y, _ = turned
    sites = np.array(["a", "b", "c"])[np.arange(240) % 3]
    table = compare(
        {"coral": coral()}, X, y, iter_target_domains(sites), cv=3,
        scoring={"target": LabeledTargetScorer(), "source": SourceScorer()},
    )  # fmt: skip
    assert table.index.names == ["target", "candidate"]
    assert table.index.tolist() == [(s, n) for s in "abc" for n in ("source only", "coral")]


def test_default_scorers_fit_the_candidates(turned):
    X, y, sample_domain = turned
    hidden = np.where(sample_domain < 0, -1, y)
    table = compare({"svm": LinearSVC()}, X, hidden, sample_domain, cv=3)
    scorers = table.columns.get_level_values(0).unique().tolist()
    assert scorers == ["source", "importance weighted", "mixval", "circular"]
    values = np.where(sample_domain < 0, np.nan, X[:, 0])
    table = compare({"ridge": Ridge()}, X, values, sample_domain, cv=3)
    scorers = table.columns.get_level_values(0).unique().tolist()
    assert scorers == ["source", "importance weighted", "dev", "circular"]


def test_a_scorer_that_cannot_apply_says_why(turned):
    X, y, sample_domain = turned
    scoring = {"im": InformationMaximizationScorer()}
    with pytest.raises(ValueError, match="LinearSVC has no predict_proba"):
        compare({"svm": LinearSVC()}, X, y, sample_domain, scoring=scoring, cv=3)


def test_several_metrics_and_refit_by_name(turned):
    X, y, sample_domain = turned
    sklearn.set_config(enable_metadata_routing=True)
    scoring = {
        "im": InformationMaximizationScorer(),
        "source": SourceScorer(),
        "target": LabeledTargetScorer(),
    }
    search = GridSearchCV(
        coral(), {"coraltransformer__strength": [0.0, 0.5, 1.0]}, scoring=scoring, refit="im",
        cv=DomainStratifiedKFold(3, shuffle=True, random_state=0), error_score="raise",
    ).fit(X, y, sample_domain=sample_domain)  # fmt: skip
    assert search.best_index_ == np.argmax(search.cv_results_["mean_test_im"])
    table = compare({"searched": search}, X, y, sample_domain, scoring=scoring, cv=2,
                    source_only=LogisticRegression())  # fmt: skip
    assert np.isfinite(table.to_numpy(dtype=float)).all()


def test_plot_shows_every_candidate_under_every_scorer(turned):
    pytest.importorskip("matplotlib")
    from matplotlib import pyplot

    X, y, sample_domain = turned
    scoring = {"im": InformationMaximizationScorer(), "source": SourceScorer()}
    table = compare({"coral": coral()}, X, y, sample_domain, cv=3, scoring=scoring)
    axes = plot_comparison(table)
    assert [ax.get_title() for ax in axes] == ["im", "source"]
    assert [len(ax.patches) for ax in axes] == [2, 2]
    with pytest.raises(ValueError, match="one axes per scorer, 2; got 1"):
        plot_comparison(table, ax=axes[:1])
    both = pd.concat({"a": table, "b": table}, names=["target", "candidate"])
    assert len(plot_comparison(both, scorers=["im"])[0].patches) == 2
    pyplot.close("all")
