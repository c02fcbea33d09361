"""Comparisons, trainings, iterations, plans and streams in pictures; what all displays share."""

import builtins
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

from skda import (
    ConsensusClassifier,
    ImportanceWeightedEstimator,
    JDATransformer,
    JDOTClassifier,
    JDOTRegressor,
    KLIEPWeighter,
    KMMWeighter,
    LinearTransportTransformer,
    MEDAClassifier,
    OptimalTransportTransformer,
    OTLabelPropagationClassifier,
    TJMTransformer,
    TrAdaBoostClassifier,
)
from skda.inspection import (
    ComparisonDisplay,
    ConvergenceDisplay,
    DomainsDisplay,
    DriftDisplay,
    TrainingCurveDisplay,
    TransportPlanDisplay,
    WeightsDisplay,
)
from skda.model_selection import GuardedSearchCV
from skda.monitoring import DriftMonitor

pd = pytest.importorskip("pandas")
pyplot = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    y = np.tile(["a", "b"], 25)
    ids = np.repeat([1, -2], [30, 20])
    X = (
        rng.normal(size=(50, 2)) * 0.4
        + 2.0 * (y[:, None] == "b")
        + [0.8, -0.5] * (ids < 0)[:, None]
    )
    return X, y, ids


# Comparison of candidates


def table_of(values):
    columns = pd.MultiIndex.from_product([["acc", "dev"], ["mean", "std", "rank"]])
    return pd.DataFrame(values, index=["source only", "coral"], columns=columns)


def test_a_table_has_its_means_with_one_deviation_and_the_best_marked():
    table = table_of([[0.6, 0.1, 2, -1.0, 0.2, 1], [0.8, 0.05, 1, -2.0, 0.3, 2]])
    display = ComparisonDisplay.from_table(table)
    assert display.names == ["source only", "coral"] and list(display.scores) == ["acc", "dev"]
    assert_allclose(display.intervals["acc"], [[0.5, 0.7], [0.75, 0.85]])
    assert display.chosen == {"acc": 1, "dev": 0}
    assert len(display.axes_) == 2 and display.ax_.yaxis_inverted()
    assert display.ax_.lines[0].get_xdata() == [0.6, 0.6], "the source-only model"
    both = pd.concat({"x": table, "y": table + 0.2}, names=["target", "candidate"])
    averaged = ComparisonDisplay.from_table(both, scorers="acc", plot=False)
    assert_allclose(averaged.scores["acc"], [0.7, 0.9])
    assert_allclose(averaged.intervals["acc"][0], [0.6, 0.8])
    table["acc", "mean"] = np.nan
    assert ComparisonDisplay.from_table(table, plot=False).chosen["acc"] is None


def test_a_guarded_search_shows_gains_with_the_interval_of_the_chosen():
    search = SimpleNamespace(
        results_={"name": ["source only", "coral"], "gain": np.array([0.0, 9.0])},
        best_index_=1,
        gain_interval_=(2.0, 15.0),
    )
    display = ComparisonDisplay.from_estimator(search)
    (title,) = display.scores
    assert display.chosen == {title: 1}
    assert_array_equal(display.intervals[title], [[np.nan, np.nan], [2.0, 15.0]])
    search.best_index_, search.gain_interval_ = 0, (0.0, 0.0)
    assert np.isnan(ComparisonDisplay.from_estimator(search).intervals[title]).all()


def test_fitted_searches_and_a_consensus_are_read_as_they_are(rows):
    X, y, ids = rows
    plain = LogisticRegression()
    candidates = {"plain": plain, "scaled": LogisticRegression(C=0.1)}
    seen = y.astype(object)
    seen[40:] = None
    guarded = GuardedSearchCV(candidates, random_state=0).fit(X, seen, sample_domain=ids)
    shown = ComparisonDisplay.from_estimator(guarded, plot=False)
    assert shown.names == list(guarded.estimators_)
    assert shown.chosen["gain over source only"] == guarded.best_index_
    consensus = ConsensusClassifier(candidates).fit(X, y, sample_domain=ids)
    shown = ComparisonDisplay.from_estimator(consensus, plot=False)
    assert shown.names == list(consensus.estimators_)
    assert_allclose(shown.scores["weight"], consensus.weights_)
    search = GridSearchCV(plain, {"C": [0.1, 1.0]}, cv=2).fit(X, y)
    shown = ComparisonDisplay.from_estimator(search, plot=False)
    assert shown.names == ["C=0.1", "C=1.0"] and shown.chosen == {"score": search.best_index_}


def test_comparison_marks_the_candidate_that_is_named():
    scores = {"accuracy": [0.5, 0.7]}
    lines = {}
    for reference in ("plain", None):
        display = ComparisonDisplay(["plain", "coral"], scores, reference=reference)
        lines[reference] = [tuple(line.get_xdata()) for line in display.plot().ax_.lines]
    assert (0.5, 0.5) in [tuple(map(float, x)) for x in lines["plain"] if len(x) == 2]
    assert len(lines[None]) < len(lines["plain"])


def test_comparison_refuses_what_it_cannot_show():
    with pytest.raises(ValueError, match="search must be a fitted search"):
        ComparisonDisplay.from_estimator(StandardScaler())
    with pytest.raises(ValueError, match="table must be what compare returned"):
        ComparisonDisplay.from_table([[1.0]])
    for wrong, message in (
        ({"scores": {"acc": [1.0]}}, r"must have shape \(2,\)"),
        ({"scores": {}}, "scores must be a dict"),
        ({"scores": {"acc": [1.0, 2.0]}, "chosen": 2}, "chosen must be a position from 0 to 1"),
        ({"scores": {"acc": [1.0, 2.0]}, "intervals": {"acc": [1.0]}}, r"must have shape \(2, 2\)"),
    ):
        with pytest.raises(ValueError, match=message):
            ComparisonDisplay(["a", "b"], **wrong)


def _texts(ax):
    """All words in a picture."""
    return " ".join(
        text.get_text() for text in ax.figure.findobj(lambda part: hasattr(part, "get_text"))
    )


# Training


def test_training_curves_are_those_of_the_history():
    first = {"epoch": 1, "train_loss": 2.0, "domain_accuracy": 0.9, "dur": 0.1}
    net = SimpleNamespace(history_=[first, {"epoch": 2, "train_loss": 1.0}])
    display = TrainingCurveDisplay.from_estimator(net)
    assert display.losses["train_loss"].tolist() == [2.0, 1.0] and len(display.losses) == 1
    assert_array_equal(display.accuracies["domain_accuracy"], [0.9, np.nan])
    assert len(display.axes_) == 2 and display.axes_[1].get_ylabel() == "accuracy"
    ax = pyplot.subplots()[1]
    twin = TrainingCurveDisplay.from_estimator(net, ax=ax)
    assert twin.ax_ is ax and twin.axes_[1].bbox.bounds == ax.bbox.bounds
    drawn = [text.get_text() for text in twin.axes_[1].get_legend().get_texts()]
    assert drawn == ["train_loss", "domain_accuracy"]


def test_training_refuses_what_it_cannot_show():
    for net in (StandardScaler(), SimpleNamespace(history_=[])):
        with pytest.raises(ValueError, match="net must be a fitted net"):
            TrainingCurveDisplay.from_estimator(net)
    with pytest.raises(ValueError, match="one value for each of 2 epochs"):
        TrainingCurveDisplay([1, 2], {"train_loss": [1.0]})
    with pytest.raises(ValueError, match="epochs must be"):
        TrainingCurveDisplay([], {"train_loss": []})
    with pytest.raises(ValueError, match="losses must be a dict"):
        TrainingCurveDisplay([1], [1.0])


# Iterations


def test_methods_keep_their_course_and_it_is_drawn(rows):
    X, y, ids = rows
    jda = JDATransformer(n_components=2, kernel="linear").fit(X, y, sample_domain=ids)
    assert jda.label_changes_[0] == 20 and len(jda.label_changes_) in (jda.n_iter_, jda.n_iter_ - 1)
    assert (jda.label_changes_[-1] == 0) == (jda.n_iter_ < jda.max_iter)
    meda = MEDAClassifier(n_components=1, n_neighbors=3).fit(X, y, sample_domain=ids)
    assert len(meda.label_changes_) == meda.n_iter_
    assert (meda.label_changes_[-1] == 0) == (meda.n_iter_ < meda.max_iter)
    tjm = TJMTransformer(n_components=2, max_iter=4).fit(X, sample_domain=ids)
    assert len(tjm.changes_) == tjm.n_iter_ and tjm.changes_[0] == 1.0
    kmm = KMMWeighter().fit(X, sample_domain=ids)
    assert len(kmm.kkt_residuals_) == kmm.n_iter_ + 1
    assert kmm.kkt_residuals_[-1] == kmm.kkt_residual_ <= kmm.tol
    quick = KMMWeighter(solver="nystroem", n_basis=10).fit(X, sample_domain=ids)
    assert len(quick.kkt_residuals_) == quick.n_iter_ + 1
    assert quick.kkt_residuals_[-1] == quick.kkt_residual_
    kliep = KLIEPWeighter(gamma=1.0).fit(X, sample_domain=ids)
    assert kliep.gaps_[-1] == kliep.gap_ <= kliep.tol
    jdot = JDOTClassifier().fit(X, y, sample_domain=ids)
    titles = {
        jda: "pseudo-labels that change",
        meda: "pseudo-labels that change",
        tjm: "largest relative change",
        kmm: "KKT residual",
        kliep: "distance from the optimum",
        jdot: "objective",
    }
    for estimator, title in titles.items():
        display = ConvergenceDisplay.from_estimator(estimator, plot=estimator is kmm)
        assert list(display.traces) == [title]
    drawn = ConvergenceDisplay.from_estimator(kmm)
    assert drawn.ax_.get_yscale() == "log"
    assert_array_equal(drawn.ax_.lines[0].get_ydata(), kmm.kkt_residuals_)
    inner = ImportanceWeightedEstimator(LogisticRegression(), KMMWeighter())
    inner.fit(X, y, sample_domain=ids)
    shown = ConvergenceDisplay.from_estimator(inner, plot=False)
    assert list(shown.traces) == ["KKT residual"]


def test_boosting_has_two_courses(rows):
    X, y, ids = rows
    model = TrAdaBoostClassifier(n_estimators=3, random_state=0).fit(X, y, sample_domain=ids)
    display = ConvergenceDisplay.from_estimator(model)
    assert_array_equal(display.traces["error on labeled target rows"], model.estimator_errors_)
    assert len(display.axes_) == len(display.traces) == 2
    assert display.ax_.lines[0].get_xdata()[0] == 1


def test_courses_named_so_have_logarithmic_axes():
    display = ConvergenceDisplay({"gap": [1.0, 0.1], "changes": [3, 0]}, logarithmic=["gap"])
    scales = [ax.get_yscale() for ax in display.plot().axes_]
    assert scales == ["log", "linear"]


def test_convergence_refuses_what_it_cannot_show():
    for estimator in (StandardScaler(), SimpleNamespace(objectives_=[])):
        with pytest.raises(ValueError, match="one of the attributes"):
            ConvergenceDisplay.from_estimator(estimator)
    with pytest.raises(ValueError, match="traces must be a dict"):
        ConvergenceDisplay([1.0])
    with pytest.raises(ValueError, match="one value for each iteration"):
        ConvergenceDisplay({"objective": []})


# Transport plans


def test_the_plan_is_the_one_that_moved_the_rows(rows):
    X, y, ids = rows
    transport = OptimalTransportTransformer(reg=0.2, marginal_reg=None)
    moved = transport.fit_transform(X, y, sample_domain=ids)
    plan = transport.transport_plan(X, y, sample_domain=ids)
    assert plan.shape == (30, 20) and plan.sum() == pytest.approx(1.0)
    images = plan @ X[ids < 0] / plan.sum(axis=1, keepdims=True)
    assert_allclose(images, moved[ids >= 0], atol=1e-5)
    back = OptimalTransportTransformer(reg=0.2, marginal_reg=None, direction="to_source")
    moved = back.fit_transform(X, y, sample_domain=ids)
    plan = back.transport_plan(X, sample_domain=ids)
    images = plan.T @ X[ids >= 0] / plan.sum(axis=0)[:, None]
    assert_allclose(images, moved[ids < 0], atol=1e-5)


def test_several_sources_have_a_plan_each_and_classes_are_kept_apart(rows):
    X, y, ids = rows
    ids = np.where(np.arange(50) < 10, 3, ids)
    transport = OptimalTransportTransformer(reg=0.5, class_reg=5.0, marginal_reg=None)
    transport.fit(X, y, sample_domain=ids)
    plan = transport.transport_plan(X, y, sample_domain=ids)
    assert_allclose(plan.sum(axis=1), 1 / 30, rtol=1e-3)
    assert_allclose(plan[:10].sum(axis=0), (1 / 3) / 20, rtol=1e-3)
    loose = OptimalTransportTransformer(reg=0.5, marginal_reg=None).fit(X, sample_domain=ids)

    def mixed(plan):
        carried = [plan[y[ids >= 0] == name].sum(axis=0) for name in "ab"]
        return np.minimum(*carried).sum()

    assert mixed(plan) < 0.8 * mixed(loose.transport_plan(X, sample_domain=ids))


def test_plans_of_joint_transport_are_those_of_the_fitted_model(rows):
    X, y, ids = rows
    model = JDOTClassifier(tol=1e-8).fit(X, y, sample_domain=ids)
    plan = model.transport_plan(X, y, sample_domain=ids)
    membership = (y[ids >= 0][:, None] == model.classes_) * 1.0
    carried = plan.T @ membership
    carried /= carried.sum(axis=1, keepdims=True)
    assert_allclose(carried, model.label_distributions_, atol=1e-2)
    values = X @ [1.0, 2.0]
    regressor = JDOTRegressor(tol=1e-8).fit(X, values, sample_domain=ids)
    before = dict(vars(regressor))
    regressor.transport_plan(X, 3.0 * values, sample_domain=ids)
    assert vars(regressor).keys() == before.keys(), "left as it was"
    assert all(vars(regressor)[name] is value for name, value in before.items())
    plan = regressor.transport_plan(X, values, sample_domain=ids)
    assert_allclose(20 * plan.T @ values[ids >= 0], regressor.transported_y_, atol=0.05)
    spread = OTLabelPropagationClassifier().fit(X, y, sample_domain=ids)
    assert spread.transport_plan(X, y, sample_domain=ids).sum() == pytest.approx(1.0)


def test_a_plan_is_shown_by_lines_and_sorted_by_class(rows):
    X, y, ids = rows
    transport = OptimalTransportTransformer(reg=None).fit(X, sample_domain=ids)
    display = TransportPlanDisplay.from_estimator(transport, X, y, sample_domain=ids)
    same = y[ids >= 0][:, None] == y[ids < 0]
    assert display.within_classes == pytest.approx(display.plan[same].sum())
    assert len(display.axes_) == 2
    assert_allclose(display.source, X[ids >= 0])
    lines = display.ax_.collections[0].get_segments()
    assert len(lines) == np.count_nonzero(display.plan)
    image = display.axes_[1].images[0].get_array()
    assert_allclose(image.sum(), 1.0)
    assert_allclose(image[:15, :10].sum() + image[15:, 10:].sum(), display.within_classes)
    few = display.plot(kind="lines", max_lines=5)
    assert len(few.axes_) == 1 and len(few.ax_.collections[0].get_segments()) == 5


def test_labels_that_are_missing_are_those_that_the_plan_carries():
    plan = np.array([[0.3, 0.0, 0.1], [0.1, 0.4, 0.1]])
    points = np.zeros((2, 2)), np.zeros((3, 2))
    display = TransportPlanDisplay(plan, *points, y_source=["a", "b"])
    assert display.y_target.tolist() == ["a", "b", "a"] and display.within_classes is None
    numbers = np.linspace(0, 1, 30)
    plan = np.eye(30)
    display = TransportPlanDisplay(plan, np.zeros((30, 2)), np.zeros((30, 2)), y_source=numbers)
    assert_allclose(display.y_target, numbers)
    assert display.plot(kind="image").ax_.images[0].get_array().shape == (30, 30)
    wide = np.ones((130, 61))
    many = TransportPlanDisplay(wide, np.zeros((130, 2)), np.zeros((61, 2))).plot(kind="image")
    cells = many.ax_.images[0].get_array()
    assert cells.shape == (60, 60) and cells.sum() == pytest.approx(1.0)


def test_transport_refuses_what_it_cannot_show(rows):
    X, _, ids = rows
    fitted = OptimalTransportTransformer(batch_size=10, random_state=0).fit(X, sample_domain=ids)
    with pytest.raises(ValueError, match="with batch_size=10"):
        fitted.transport_plan(X, sample_domain=ids)
    with pytest.raises(ValueError, match="transport_plan needs sample_domain"):
        fitted.transport_plan(X, sample_domain=None)
    with pytest.raises(ValueError, match="with the method transport_plan"):
        TransportPlanDisplay.from_estimator(StandardScaler(), X, sample_domain=ids)
    with pytest.raises(ValueError, match="kind must be one of"):
        TransportPlanDisplay.from_estimator(fitted, X, sample_domain=ids, kind="all")
    with pytest.raises(ValueError, match="no target rows"):
        TransportPlanDisplay.from_estimator(fitted, X, sample_domain=np.ones(50))
    points = np.zeros((2, 2))
    with pytest.raises(ValueError, match="plan must be a matrix"):
        TransportPlanDisplay([[1.0, -1.0]], points[:1], points)
    with pytest.raises(ValueError, match=r"target must be finite numbers of shape \(3, 2\)"):
        TransportPlanDisplay(np.ones((2, 3)), points, points)
    with pytest.raises(ValueError, match="y_source must have one label for each of 2 rows"):
        TransportPlanDisplay(np.eye(2), points, points, y_source=["a"])
    with pytest.raises(ValueError, match="max_lines must be an integer"):
        TransportPlanDisplay(np.eye(2), points, points).plot(max_lines=0)


# Streams


def test_drift_shows_evidence_and_alarm():
    rng = np.random.default_rng(0)
    monitor = DriftMonitor(random_state=0).fit(rng.normal(size=(60, 2)))
    display = DriftDisplay.from_estimator(monitor.update(rng.normal(size=(20, 2))))
    assert display.alarm_row is None and len(display.ax_.lines) == 2
    display = DriftDisplay.from_estimator(monitor.update(rng.normal(size=(80, 2)) + 5.0))
    assert display.alarm_row == monitor.alarm_row_ and display.since == monitor.since_
    assert_array_equal(display.evidence, monitor.trace_[1])
    display = DriftDisplay([1, 2], [1.0, 30.0], 20.0, alarm_row=2, since=1, feature="age")
    assert "age" in _texts(display.plot().ax_)
    with pytest.raises(ValueError, match="monitor must be fitted"):
        DriftDisplay.from_estimator(DriftMonitor())
    with pytest.raises(ValueError, match="lists of one length"):
        DriftDisplay([1, 2], [1.0], 20.0)
    with pytest.raises(ValueError, match="threshold must be a positive number"):
        DriftDisplay([1], [1.0], 0.0)


# What all displays share


def test_a_transformer_shows_rows_before_and_after(rows):
    X, _, ids = rows
    transport = LinearTransportTransformer().fit(X, sample_domain=ids)
    display = DomainsDisplay.from_estimator(transport, X, sample_domain=ids)
    assert display.ax_ is display.axes_[0] and len(display.axes_) == 2
    with pytest.raises(ValueError, match="Use from_rows"):
        DomainsDisplay.from_estimator(None, X, sample_domain=ids)


def test_axes_are_counted_and_checked():
    display = WeightsDisplay([1.0, 2.0, 30.0])
    one = pyplot.subplots()[1]
    with pytest.raises(ValueError, match="ax must hold 2 axes for as many panels; got 1"):
        display.plot(one)
    with pytest.raises(ValueError, match="ax must be axes of matplotlib"):
        display.plot("left")
    drawn = display.plot()
    assert drawn is display and drawn.figure_ is drawn.ax_.figure
    assert drawn.ax_.get_title() == "effective sample size: 1 of 3 rows"


def test_numbers_need_no_matplotlib_and_drawing_says_how_to_get_it(monkeypatch):
    found = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return found(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    display = ConvergenceDisplay({"objective": [2.0, 1.0]})
    with pytest.raises(
        ImportError, match=r"ConvergenceDisplay needs matplotlib: pip install 'skda\["
    ):
        display.plot()
