"""compare puts candidates and the source-only model through the same parts and scorers."""

import pickle
import re
import warnings

import numpy as np
import pytest
import sklearn
from joblib import parallel_config
from numpy.testing import assert_allclose
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import FitFailedWarning
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, get_scorer, make_scorer
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from sklearn.svm import SVC, LinearSVC

from skda import (
    CORALTransformer,
    DomainScaler,
    DomainWarning,
    PerDomain,
    TCATransformer,
    TrAdaBoostClassifier,
    TrainOnSource,
    encode_domains,
    make_domain_pipeline,
)
from skda._core._routing import DomainRouting
from skda.metrics import InformationMaximizationScorer, LabeledTargetScorer, SourceScorer
from skda.model_selection import (
    DomainShuffleSplit,
    DomainStratifiedKFold,
    compare,
    iter_target_domains,
    plot_comparison,
)
from skda.model_selection._compare import PartResult
from skda.model_selection._source_only import (
    fitted_on_source,
    hide_target_labels,
    source_only_of,
    without_adaptation,
)

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
        options = {"params": {"sample_domain": sample_domain}, "cv": cv, "scoring": scoring}
        found = cross_validate(coral(), X, y, **options)
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


def inside(step):
    return type(step.estimator) if isinstance(step, TrainOnSource) else type(step)


def test_source_only_is_the_first_candidate_without_its_adapting_steps():
    plain = source_only_of(coral())
    assert [inside(step) for _, step in plain.steps] == [StandardScaler, LogisticRegression]
    assert all(isinstance(step, TrainOnSource) for _, step in plain.steps)
    assert isinstance(source_only_of(LogisticRegression()), TrainOnSource)
    assert source_only_of(CORALTransformer()) is None
    assert hide_target_labels(coral()).steps[0][0] == "standardscaler"


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (PerDomain(MinMaxScaler()), MinMaxScaler()),
        (DomainScaler(), StandardScaler()),
        (DomainScaler(with_std=False), StandardScaler(with_std=False)),
        (DomainScaler(robust=True), RobustScaler(unit_variance=True)),
        (TrainOnSource(SelectKBest(k=2), use_target_labels=True), SelectKBest(k=2)),
        (StandardScaler(), StandardScaler()),
        (Pipeline([("a", DomainScaler()), ("b", CORALTransformer())]),
         Pipeline([("a", StandardScaler())])),
        (FeatureUnion([("a", DomainScaler()), ("b", StandardScaler())]),
         FeatureUnion([("a", StandardScaler()), ("b", StandardScaler())])),
        (ColumnTransformer([("a", PerDomain(MinMaxScaler()), [0]), ("b", CORALTransformer(), [1])]),
         ColumnTransformer([("a", MinMaxScaler(), [0]), ("b", "passthrough", [1])])),
    ],
    ids=lambda step: type(step).__name__,
)  # fmt: skip
def test_a_step_gives_way_to_its_counterpart_without_domains(step, expected):
    assert repr(without_adaptation(step)) == repr(expected)
    plain = source_only_of(make_domain_pipeline(step, SVC()))
    assert repr(plain[0]) == repr(TrainOnSource(expected))


def test_a_step_that_is_left_out_and_makes_features_of_its_own_is_reported():
    model = make_domain_pipeline(StandardScaler(), TCATransformer(2, kernel="rbf"), SVC())
    with pytest.warns(DomainWarning, match=r"leaves out TCATransformer.*Pass source_only="):
        assert len(source_only_of(model).steps) == 2
    assert without_adaptation(CORALTransformer()) == "passthrough"  # warnings are errors here


@pytest.mark.parametrize("scaler", [PerDomain(StandardScaler()), DomainScaler()])
def test_without_a_shift_scaling_per_domain_shows_no_gain(scaler):
    """Features of very different units: without a scaler the source-only row would be chance."""
    rng = np.random.default_rng(0)
    y, sample_domain = rng.integers(0, 2, 300), np.repeat([1, -2], 150)
    X = (rng.normal(size=(300, 4)) + 1.5 * y[:, None] * [1, 1, 0, 0]) * [1, 1, 1000, 1000]
    candidates = {
        "it": make_domain_pipeline(scaler, SVC()),
        "truth": TrainOnSource(Pipeline([("scale", StandardScaler()), ("svc", SVC())])),
    }
    options = {"scoring": {"t": LabeledTargetScorer()}, "cv": 3}
    found = compare(candidates, X, y, sample_domain, **options)["t", "mean"]
    assert found["source only"] == found["truth"] > 0.8
    assert abs(found["it"] - found["source only"]) < 0.05


@pytest.mark.parametrize("given", ["derived", "passed", "named"])
def test_source_only_scales_by_the_source_rows_alone(given):
    """One target feature in other units must not change what the baseline does on the source."""
    rng = np.random.default_rng(0)
    y, sample_domain = rng.integers(0, 2, 300), np.repeat([1, -2], 150)
    X = rng.normal(size=(300, 4)) + 1.5 * y[:, None] * [1, 1, 0, 0]
    candidates = {"it": make_domain_pipeline(StandardScaler(), CORALTransformer(), SVC())}
    options = {"scoring": {"s": SourceScorer()}, "cv": 3}
    baseline = Pipeline([("scale", StandardScaler()), ("svc", SVC())])
    if given == "passed":
        options["source_only"] = baseline
    if given == "named":
        candidates["source only"] = baseline
    values = []
    for factor in (1.0, 100.0):
        Z = X.copy()
        Z[150:, 0] *= factor
        values.append(compare(candidates, Z, y, sample_domain, **options).loc["source only"])
    assert values[0]["s", "mean"] == values[1]["s", "mean"]


def test_a_given_source_only_model_keeps_the_steps_that_know_domains():
    scaler, select = DomainScaler(), TrainOnSource(SelectKBest(k=2))
    steps = [
        ("a", scaler),
        ("b", "passthrough"),
        ("c", select),
        ("d", MinMaxScaler()),
        ("e", SVC()),
    ]
    given = fitted_on_source(Pipeline(steps))
    assert [type(step) for _, step in given.steps] == [
        DomainScaler, str, TrainOnSource, TrainOnSource, TrainOnSource,
    ]  # fmt: skip
    assert [inside(step) for _, step in given.steps[2:]] == [SelectKBest, MinMaxScaler, SVC]
    assert isinstance(fitted_on_source(SVC()), TrainOnSource)


def test_source_only_can_be_given_and_must_be_where_it_is_unknown(turned):
    X, y, sample_domain = turned
    options = {"cv": 3, "scoring": {"target": LabeledTargetScorer()}}

    given = compare(
        {"coral": coral()}, X, y, sample_domain, source_only=LogisticRegression(C=1e-6), **options
    )
    named = compare(
        {"coral": coral(), "source only": LogisticRegression(C=1e-6)},
        X,
        y,
        sample_domain,
        **options,
    )
    pd.testing.assert_frame_equal(given, named)

    class Closed(DomainRouting, ClassifierMixin, BaseEstimator):
        def fit(self, X, y, *, sample_domain=None):
            return self

    with pytest.raises(ValueError, match="Pass source_only="):
        compare({"closed": Closed()}, X, y, sample_domain, **options)
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


def test_each_later_domain_is_compared_with_what_came_before(turned):
    X, y, _ = turned
    years = np.array([2023, 2024, 2025])[np.arange(240) % 3]
    scoring = {"target": LabeledTargetScorer(), "source": SourceScorer()}
    options = {"cv": 3, "scoring": scoring}
    table = compare({"coral": coral()}, X, y, iter_target_domains(years, past_only=True), **options)
    assert table.index.get_level_values("target").unique().tolist() == [2024, 2025]
    # The second year knows the first only: as if the third had not been recorded.
    early = years < 2025
    alone = compare(
        {"coral": coral()}, X[early], y[early], encode_domains(years[early], 2024), **options
    )
    pd.testing.assert_frame_equal(table.loc[2024], alone, check_names=False)


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


def test_supervised_transfer_is_not_carried_back_by_default(turned):
    X, y, sample_domain = turned
    hide = (sample_domain < 0) & (np.arange(240) % 4 > 0)
    model = TrAdaBoostClassifier(LogisticRegression(), n_estimators=3)
    table = compare({"boosted": model}, X, np.where(hide, np.nan, y), sample_domain, cv=3)
    scorers = table.columns.get_level_values(0).unique().tolist()
    assert "circular" not in scorers and "target" in scorers
    assert np.isfinite(table.to_numpy(dtype=float)).all()


def test_a_scorer_that_cannot_apply_says_why(turned):
    X, y, sample_domain = turned
    scoring = {"im": InformationMaximizationScorer(), "source": SourceScorer()}
    options = {"scoring": scoring, "cv": 3}
    with pytest.raises(ValueError, match="LinearSVC has no predict_proba"):
        compare({"svm": LinearSVC()}, X, y, sample_domain, error_score="raise", **options)
    with pytest.warns(DomainWarning, match=r"'im' has no value for any.*3 of 3.*no predict_proba"):
        table = compare({"svm": LinearSVC()}, X, y, sample_domain, **options)
    assert table["im"].isna().all(axis=None) and table["source"].notna().all(axis=None)


class FailsOnOddRows(ClassifierMixin, BaseEstimator):
    """Cannot be fitted when the first row is marked."""

    def fit(self, X, y):
        if (X[:, 0] > 1e6).any():
            raise RuntimeError("the marked row is there")
        self.inner_ = LogisticRegression().fit(X, y)
        self.classes_ = self.inner_.classes_
        return self

    def predict(self, X):
        return self.inner_.predict(X)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_candidate_that_fails_does_not_stop_the_others(turned, n_jobs):
    """In threads, which start faster than processes; what is returned from those is pickled."""
    X, y, sample_domain = turned
    X = X.copy()
    X[0, 0] = 1e7
    candidates = {"coral": make_domain_pipeline(LogisticRegression()), "odd": FailsOnOddRows()}
    options = {"scoring": {"source": SourceScorer()}, "cv": 3, "n_jobs": n_jobs}
    with (
        parallel_config("threading"),
        pytest.warns(FitFailedWarning, match=r"candidate 'odd' failed in 2 of 3.*the marked row"),
    ):
        table = compare(candidates, X, y, sample_domain, **options)
    assert np.isnan(table.loc["odd"].to_numpy(dtype=float)).all()
    assert table.loc[["source only", "coral"], ("source", "rank")].tolist() == [1, 1]
    options["n_jobs"] = None
    with pytest.raises(RuntimeError, match="the marked row"):
        compare(candidates, X, y, sample_domain, error_score="raise", **options)
    options["source_only"] = FailsOnOddRows()
    X[:, 0] = 1e7
    with pytest.raises(ValueError, match=r"Every candidate failed.*the marked row"):
        compare({"odd": FailsOnOddRows()}, X, y, sample_domain, **options)


def test_a_scorer_that_fails_on_one_candidate_leaves_the_others_their_values(turned):
    X, y, sample_domain = turned
    candidates = {"plain": LogisticRegression(), "svm": LinearSVC()}
    scoring = {"im": InformationMaximizationScorer(), "source": SourceScorer()}
    with pytest.warns(UserWarning, match=r"Scorer 'im' on candidate 'svm' failed in 3 of 3"):
        table = compare(candidates, X, y, sample_domain, scoring=scoring, cv=3)
    assert table["im", "mean"].isna().tolist() == [False, False, True]
    assert table["source"].notna().all(axis=None)


def test_a_part_in_which_no_candidate_can_be_fitted_is_not_left_out(turned):
    X, y, sample_domain = turned
    X = X.copy()
    parts = list(DomainStratifiedKFold(2).split(X, y, sample_domain=sample_domain))
    X[parts[0][0], 0] = 1e7
    options = {"cv": parts, "scoring": {"source": SourceScorer()}}
    with pytest.warns(FitFailedWarning, match="1 of 2 parts, so that its mean is NaN"):
        table = compare({"odd": FailsOnOddRows()}, X, y, sample_domain, **options)
    assert table["source", "mean"].isna().all()


def test_results_travel_between_processes():
    result = PartResult({"source": np.nan}, {"source": "ValueError: no labels"}, "RuntimeError: no")
    assert repr(pickle.loads(pickle.dumps(result))) == repr(result)


def test_an_interrupt_stops_the_comparison(turned):
    X, y, sample_domain = turned

    class Interrupted(FailsOnOddRows):
        def fit(self, X, y):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare({"it": Interrupted()}, X, y, sample_domain, cv=3)


@pytest.mark.parametrize(("mark", "n_labeled"), [(np.nan, 2), (-1, 5), (None, 10)], ids=str)
def test_few_labeled_target_rows_are_enough_for_the_default_scorers(turned, mark, n_labeled):
    """With 2 labels in 5 folds three folds have none, and are left out of the mean."""
    X, y, sample_domain = turned
    hide = (sample_domain < 0) & ~np.isin(np.arange(240), 120 + 7 * np.arange(n_labeled))
    labels = y.astype(object if mark is None else type(mark))
    labels[hide] = mark
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        table = compare({"coral": coral()}, X, labels, sample_domain)
    assert np.isfinite(table.to_numpy(dtype=float)).all()
    texts = [str(w.message) for w in caught if issubclass(w.category, DomainWarning)]
    if n_labeled >= 5:
        assert not texts
    else:
        assert len(texts) == 1
        assert re.search(r"'target' has no value.*in 3 of 5 parts.*no target row", texts[0])


def test_five_labels_of_two_hundred_are_enough_wherever_they_stand():
    options = {"scoring": {"target": LabeledTargetScorer()}, "error_score": "raise"}
    for seed in range(10):
        rng = np.random.default_rng(seed)
        y, sample_domain = rng.integers(0, 2, 260), np.repeat([1, -2], [60, 200])
        X = rng.normal(size=(260, 2)) + 2.0 * y[:, None]
        hidden = np.setdiff1d(np.arange(60, 260), 60 + rng.choice(200, 5, replace=False))
        labels = y.astype(float)
        labels[hidden] = np.nan
        table = compare({"it": LogisticRegression()}, X, labels, sample_domain, **options)
        assert np.isfinite(table.to_numpy(dtype=float)).all()


def test_every_mark_of_a_missing_label_gives_the_same_table(turned):
    X, y, sample_domain = turned
    known = compare({"coral": coral()}, X, y, sample_domain, cv=3)
    for mark in (np.nan, -1, None):
        labels = y.astype(object if mark is None else type(mark))
        labels[sample_domain < 0] = mark
        table = compare({"coral": coral()}, X, labels, sample_domain, cv=3)
        pd.testing.assert_frame_equal(table, known[table.columns], check_exact=True)


@pytest.mark.parametrize(
    "scoring",
    [
        "accuracy",
        ["accuracy"],
        {},
        {"accuracy": "accuracy"},
        {"accuracy": get_scorer("accuracy")},
        {"im": InformationMaximizationScorer(), "accuracy": make_scorer(accuracy_score)},
        InformationMaximizationScorer(),
    ],
    ids=str,
)
def test_scoring_that_would_use_target_labels_is_refused(turned, scoring):
    X, y, sample_domain = turned
    with pytest.raises(ValueError, match=r"scoring.*LabeledTargetScorer\('accuracy'\)"):
        compare({"coral": coral()}, X, y, sample_domain, scoring=scoring)


@pytest.mark.parametrize(
    "scoring",
    ["accuracy", ["accuracy"], {"a": "accuracy"}, make_scorer(accuracy_score)],
    ids=["name", "list", "dict", "make_scorer"],
)
def test_a_search_among_the_candidates_that_would_use_target_labels_is_named(turned, scoring):
    X, y, sample_domain = turned
    grid = {"coraltransformer__strength": [0.0, 1.0]}
    refit = "a" if isinstance(scoring, dict) else "accuracy" if isinstance(scoring, list) else True
    search = GridSearchCV(coral(), grid, scoring=scoring, cv=DomainStratifiedKFold(2), refit=refit)
    options = {"scoring": {"im": InformationMaximizationScorer()}, "cv": 2}
    options["source_only"] = LogisticRegression()
    for candidate in (search, Pipeline([("it", search)])):
        with pytest.warns(DomainWarning, match=r"'found'.*scoring=.*SourceScorer\('accuracy'\)"):
            compare({"found": candidate}, X, y, sample_domain, **options)


def test_a_search_that_cannot_see_target_labels_is_not(turned):
    X, y, sample_domain = turned
    options = {"scoring": {"source": SourceScorer()}, "cv": 2, "source_only": LogisticRegression()}
    grid = {"coraltransformer__strength": [0.0, 1.0]}
    cv = DomainStratifiedKFold(2)
    candidates = {
        "default": GridSearchCV(coral(), grid, cv=cv),
        "scorer": GridSearchCV(coral(), grid, cv=cv, scoring=InformationMaximizationScorer()),
        "inside": GridSearchCV(LogisticRegression(), {"C": [1.0]}, scoring="accuracy"),
        "step": make_domain_pipeline(
            CORALTransformer(), GridSearchCV(LogisticRegression(), {"C": [1.0]}, scoring="accuracy")
        ),
    }
    table = compare(candidates, X, y, sample_domain, **options)  # warnings are errors here
    assert np.isfinite(table.to_numpy(dtype=float)).all()


def test_functions_can_score(turned):
    X, y, sample_domain = turned
    scoring = {"rows": lambda estimator, X, y: len(X)}
    table = compare({"coral": coral()}, X, y, sample_domain, scoring=scoring, cv=3)
    assert table["rows", "mean"].tolist() == [80, 80]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cv": "a"}, "cv must be a splitter"),
        ({"cv": 1}, "cv must be an integer of at least 2"),
        ({"cv": True}, "cv must be an integer"),
        ({"cv": []}, "cv must be a splitter"),
        ({"error_score": "warn"}, "error_score must be 'raise' or numpy.nan"),
        ({"error_score": 0.0}, "error_score must be 'raise' or numpy.nan"),
    ],
)
def test_bad_parameters_are_refused_in_words(turned, options, message):
    X, y, sample_domain = turned
    with pytest.raises(ValueError, match=message):
        compare({"coral": coral()}, X, y, sample_domain, **options)
    for labels in (None, y[1:]):
        with pytest.raises(ValueError, match="y must have one label per row of X"):
            compare({"coral": coral()}, X, labels, sample_domain)
    with pytest.raises(ValueError, match=r"estimators\['it'\] must be an estimator"):
        compare({"it": LogisticRegression}, X, y, sample_domain)


def test_parts_can_be_given_as_indices_or_masks(turned):
    X, y, sample_domain = turned
    options = {"scoring": {"source": SourceScorer()}}
    parts = list(DomainStratifiedKFold(2).split(X, y, sample_domain=sample_domain))
    masks = [tuple(np.isin(np.arange(240), rows) for rows in part) for part in parts]
    tables = [
        compare({"coral": coral()}, X, y, sample_domain, cv=cv, **options)
        for cv in (DomainStratifiedKFold(2), iter(parts), masks)
    ]
    pd.testing.assert_frame_equal(tables[0], tables[1])
    pd.testing.assert_frame_equal(tables[0], tables[2], rtol=1e-6)


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
    assert [len(ax.collections[1].get_offsets()) for ax in axes] == [2, 2]
    with pytest.raises(ValueError, match="ax must hold 2 axes for as many panels; got 1"):
        plot_comparison(table, ax=axes[:1])
    both = pd.concat({"a": table, "b": table}, names=["target", "candidate"])
    assert len(plot_comparison(both, scorers=["im"])[0].collections[1].get_offsets()) == 2
    assert [ax.get_title() for ax in plot_comparison(table, scorers="source")] == ["source"]
    for scorers in ([], ["target"], "i"):
        with pytest.raises(ValueError, match=r"scorers must name some of \['im', 'source'\]"):
            plot_comparison(table, scorers=scorers)
    for no_table in (None, {}, table["im"]):
        with pytest.raises(ValueError, match="table must be what compare returned"):
            plot_comparison(no_table)
    pyplot.close("all")
