"""Callbacks of scikit-learn 1.9 on our estimators: order of the hooks, progress bars, scores."""

import importlib.util
import pickle
import sys
import time
import warnings

import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skda
from skda._core import _callbacks
from skda.ensemble import AutoAdaptClassifier, ConsensusClassifier, ConsensusRegressor
from skda.metrics import InformationMaximizationScorer, LabeledTargetScorer, SourceScorer
from skda.model_selection import DomainStratifiedKFold, GuardedSearchCV, compare

callback = pytest.importorskip("sklearn.callback")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

NET = {"module__hidden": 4, "max_epochs": 2, "random_state": 0}


def candidates():
    return alone_and_aligned(LogisticRegression())


def regressors():
    return alone_and_aligned(Ridge())


def alone_and_aligned(model):
    alone = skda.TrainOnSource(model)
    return {"source only": alone, "coral": make_pipeline(skda.CORALTransformer(), alone)}


# An estimator, the tasks of its fit with the largest number of tasks within, and the names of the
# tasks that offer a fitted copy.
CASES = {
    "DANN": (skda.DANNClassifier(**NET), {"fit": 1, "training": 2}, "epoch"),
    "DAN regression": (skda.DANRegressor(**NET), {"fit": 1, "training": 2}, "epoch"),
    "SHOT": (
        skda.SHOTClassifier(**NET, adaptation_epochs=3),
        {"fit": 2, "training": 2, "adaptation": 3},
        "epoch",
    ),
    "prototypes": (
        skda.PrototypicalNetworkClassifier(random_state=0, n_episodes=3, n_query=2, n_shot=2),
        {"fit": 2, "training": 1},
        None,
    ),
    "JDA": (skda.JDATransformer(2, max_iter=4), {"fit": 4}, "round"),
    "TJM": (skda.TJMTransformer(2, max_iter=3), {"fit": 3}, "round"),
    "MEDA": (skda.MEDAClassifier(2, max_iter=4), {"fit": 4}, "round"),
    "JDOT": (skda.JDOTClassifier(max_iter=3), {"fit": 3}, "round"),
    "JDOT regression": (skda.JDOTRegressor(max_iter=3), {"fit": 3}, "round"),
    "OT, lpl1": (
        skda.OptimalTransportTransformer(class_reg=0.5),
        {"fit": 1, "map of a domain": 10},
        None,
    ),
    "OT, batches": (
        skda.OptimalTransportTransformer(
            class_reg=0.5, class_penalty="l1l2", batch_size=15, random_state=0
        ),
        {"fit": 1, "map of a domain": 2, "batch": 20},
        None,
    ),
    "KMM": (skda.KMMWeighter(max_iter=50), {"fit": 50}, None),
    "KMM, basis": (
        skda.KMMWeighter(solver="nystroem", n_basis=10, max_iter=50, random_state=0),
        {"fit": 50},
        None,
    ),
    "KLIEP": (
        skda.KLIEPWeighter(max_iter=20, random_state=0),
        {"fit": 2, "choice of gamma": 9, "coefficients": 20},
        None,
    ),
    "TrAdaBoost": (skda.TrAdaBoostClassifier(n_estimators=3, random_state=0), {"fit": 3}, "round"),
    "TrAdaBoost of many": (
        skda.MultiSourceTrAdaBoostClassifier(n_estimators=3, stop_early=False, random_state=0),
        {"fit": 3},
        "round",
    ),
    "TrAdaBoost.R2": (
        skda.TrAdaBoostRegressor(n_estimators=3, random_state=0),
        {"fit": 3},
        "round",
    ),
    "two-stage": (
        skda.TwoStageTrAdaBoostRegressor(n_steps=2, n_estimators=2, cv=2, random_state=0),
        {"fit": 2},
        "step",
    ),
    "consensus": (ConsensusClassifier(candidates()), {"fit": 2}, None),
    "consensus regression": (ConsensusRegressor(regressors()), {"fit": 2}, None),
    "guarded search": (GuardedSearchCV(candidates(), random_state=0), {"fit": 2}, None),
    "auto": (AutoAdaptClassifier(candidates=candidates()), {"fit": 1}, None),
    "source only": (skda.TrainOnSource(LogisticRegression()), {"fit": 1}, None),
    "weighted": (skda.ImportanceWeightedEstimator(LogisticRegression()), {"fit": 2}, None),
    "by domain": (skda.PerDomain(StandardScaler()), {"fit": 2}, None),
    "no rounds": (skda.CORALTransformer(), {"fit": 0}, None),
}


class Recorder:
    """Notes all hooks; a class of its own for those that go on to estimators inside."""

    def __init__(self, asks_to_stop_at=None):
        self.record, self.asks_to_stop_at = [], asks_to_stop_at

    def setup(self, estimator, context):
        self.record.append(("setup", estimator, context, None))

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None):
        self.record.append(("begin", estimator, context, None))

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.record.append(("end", estimator, context, fitted_estimator))
        return context.task_name == self.asks_to_stop_at

    def teardown(self, estimator, context):
        self.record.append(("teardown", estimator, context, None))

    def ended(self, estimator):
        """Return the contexts and copies of the tasks of this class of estimators that ended."""
        return [
            (context, copy)
            for hook, who, context, copy in self.record
            if hook == "end" and type(who) is type(estimator)
        ]


class GoesInside(Recorder):
    max_propagation_depth = None


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    y = np.tile([0, 1], 15)
    X_source = rng.normal(size=(30, 3)) + 2.0 * y[:, None]
    X, _, ids = skda.stack_domains(X_source, y, X_source + np.array([1.0, 0.0, 0.5]))
    return X, np.tile(y, 2), ids


def labels_for(estimator, y, ids):
    """Return labels, missing on the target rows but for a third of them where these are used."""
    y = y.astype(float)
    target = np.flatnonzero(ids < 0)
    if getattr(estimator, "_labels", None) == "all":
        target = target[len(target) // 3 :]
    y[target] = np.nan
    return y


def fit(estimator, rows, *callbacks):
    X, y, ids = rows
    estimator = clone(estimator).set_callbacks(*callbacks)
    return estimator.fit(X, labels_for(estimator, y, ids), sample_domain=ids)


def outputs(estimator, rows):
    X, _, ids = rows
    if hasattr(estimator, "weights_"):
        return np.asarray(estimator.weights_)
    for method in ("predict_proba", "predict", "transform"):
        if hasattr(estimator, method):
            return np.asarray(getattr(estimator, method)(X, sample_domain=ids))
    raise AssertionError(estimator)


@pytest.mark.parametrize("name", CASES)
def test_hooks_come_in_order_and_leave_nothing_behind(name, rows):
    estimator, tasks, offers = CASES[name]
    seen = GoesInside()
    watched, plain = fit(estimator, rows, seen), fit(estimator, rows)
    np.testing.assert_array_equal(outputs(watched, rows), outputs(plain, rows))
    assert vars(watched).keys() - vars(plain).keys() == {"_skl_callbacks"}

    hooks = [hook for hook, *_ in seen.record]
    assert (hooks[0], hooks[1], hooks[-2], hooks[-1]) == ("setup", "begin", "end", "teardown")
    assert hooks.count("setup") == hooks.count("teardown") == 1
    open_tasks = []
    for hook, who, context, _ in seen.record[1:-1]:
        if hook == "begin":
            # Within the task that is open, or in the place of the task that fits an estimator.
            if open_tasks:
                parent = open_tasks[-1][1]
                assert context.parent in (parent, parent.parent)
            open_tasks.append((who, context))
        else:
            assert open_tasks.pop() == (who, context)
    assert not open_tasks

    own = seen.ended(estimator)
    found = {c.task_name: c.max_subtasks for c, _ in own if c.max_subtasks or c.parent is None}
    assert found == tasks
    for context, copy in own:
        assert (copy is not None) == (context.task_name in ("fit", offers))
        assert len(context._children_map) <= (context.max_subtasks or 0)


EARLY = [name for name, (_, _, offers) in CASES.items() if offers]


@pytest.mark.parametrize("name", EARLY)
def test_a_copy_is_as_if_the_fit_had_ended_there_and_stays_so(name, rows):
    estimator, _, offers = CASES[name]
    recorder = Recorder()
    whole = fit(estimator, rows, recorder)
    copies = [copy for context, copy in recorder.ended(estimator) if context.task_name == offers]
    # Kept until now: later rounds have not changed them.
    found = [outputs(copy, rows) for copy in copies]
    assert all(np.isfinite(one).all() for one in found)
    if hasattr(whole, "estimators_") and name != "two-stage":
        assert [len(copy.estimators_) for copy in copies] == [1, 2, 3]
    elif not hasattr(whole, "estimators_") and len(copies) > 1:
        assert any(not np.array_equal(found[0], one) for one in found[1:])
    last = copies[-1]
    # Transformers solve once more, to full accuracy.
    if hasattr(whole, "predict"):
        np.testing.assert_array_equal(found[-1], outputs(whole, rows))
        # Rows of no stated domain are target rows, though the callback was given source rows.
        source = rows[0][rows[2] > 0]
        np.testing.assert_array_equal(last.predict(source), whole.predict(source))
    assert type(last) is type(whole)
    assert last is not whole


@pytest.mark.parametrize(
    "name", ["DANN", "SHOT", "JDA", "TJM", "MEDA", "JDOT", "KMM", "KMM, basis", "TrAdaBoost"]
)
@pytest.mark.filterwarnings("ignore:The weights of KMMWeighter rest on few rows")
def test_a_callback_may_ask_for_no_further_rounds(name, rows):
    estimator = CASES[name][0]
    at = {"DANN": "epoch", "SHOT": "epoch"}.get(name, "step" if "KMM" in name else "round")
    recorder = Recorder(asks_to_stop_at=at)
    fitted = fit(estimator, rows, recorder)
    stages = 2 if name == "SHOT" else 1
    assert [c.task_name for c, _ in recorder.ended(estimator)].count(at) == stages
    outputs(fitted, rows)


@pytest.mark.parametrize("name", ["DANN", "MEDA", "JDOT", "TrAdaBoost", "TrAdaBoost.R2", "SHOT"])
def test_a_scoring_monitor_logs_every_iteration(name, rows):
    estimator, _, offers = CASES[name]
    metric = "r2" if name == "TrAdaBoost.R2" else "accuracy"
    monitor = callback.ScoringMonitor(scoring=metric)
    recorder = Recorder()
    fitted = fit(estimator, rows, monitor, recorder)
    scores = [row[metric] for row in monitor.get_logs().data if row["task_name"] == offers]
    assert len(scores) == [c.task_name for c, _ in recorder.ended(estimator)].count(offers)
    # On the rows that have a label which is learnt from, each in its own domain.
    X, y, ids = rows
    used = ~np.isnan(labels_for(estimator, y, ids))
    predicted = fitted.predict(X[used], sample_domain=ids[used])
    wanted = sklearn.metrics.get_scorer(metric)._score_func(y[used], predicted)
    assert scores[-1] == pytest.approx(wanted)


def test_metrics_that_know_domains_score_all_rows_of_the_fit(rows):
    X, y, ids = rows
    scorers = {
        "source": SourceScorer("accuracy"),
        "target": LabeledTargetScorer("accuracy"),
        "label-free": InformationMaximizationScorer(),
    }
    monitor = callback.ScoringMonitor(scoring=scorers)
    model = skda.DANNClassifier(**NET).set_callbacks(monitor)
    model.fit(X, y, sample_domain=ids)  # target labels are known here, and not learnt from
    logged = monitor.get_logs().data[-1]
    for name, scorer in scorers.items():
        assert logged[name] == pytest.approx(scorer(model, X, y, sample_domain=ids))


def test_rows_that_a_callback_gets_are_those_that_are_learnt_from(rows):
    X, y, ids = rows

    class Rows(Recorder):
        def on_fit_task_end(self, estimator, context, *, X=None, y=None):
            self.rows = X, y

    for estimator, wanted in (
        (skda.MEDAClassifier(2), ids > 0),
        (skda.TrAdaBoostClassifier(n_estimators=1), ids != 0),
    ):
        known = y if wanted.all() else np.where(wanted, y, np.nan)
        got = Rows()
        estimator.set_callbacks(got).fit(X, known, sample_domain=ids)
        np.testing.assert_array_equal(got.rows[0], X[wanted])
        np.testing.assert_array_equal(got.rows[1], y[wanted])


def test_networks_that_one_is_chosen_of_are_fits_inside(rows):
    model = skda.DANNClassifier(**NET, prior_correction="select")
    recorder, monitor = GoesInside(), callback.ScoringMonitor(scoring="accuracy")
    watched, plain = fit(model, rows, recorder, monitor), fit(model, rows)
    np.testing.assert_array_equal(outputs(watched, rows), outputs(plain, rows))
    assert vars(watched).keys() - vars(plain).keys() == {"_skl_callbacks"}
    fits = [c for c, _ in recorder.ended(model) if c.task_name == "fit"]
    assert [c.max_subtasks for c in fits] == [1, 1, 1, 3]
    assert [hook for hook, *_ in recorder.record].count("setup") == 1
    assert len(monitor.get_logs("all")) == 1
    assert len(monitor.get_logs().data) == 3 * (2 + 1) + 1


@pytest.mark.parametrize("name", ["DANN", "JDA", "consensus"])
def test_callbacks_work_under_a_search_and_in_a_pipeline(name, rows):
    X, y, ids = rows
    estimator, recorder = CASES[name][0], GoesInside()
    last = [skda.TrainOnSource(LogisticRegression())] if name == "JDA" else []
    pipeline = make_pipeline(StandardScaler(), estimator, *last)
    grid = {"standardscaler__with_mean": [True, False]}
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = SourceScorer("accuracy")
        search = GridSearchCV(pipeline, grid, cv=DomainStratifiedKFold(2), scoring=scorer)
        search.set_callbacks(recorder).fit(X, labels_for(estimator, y, ids), sample_domain=ids)
    fits = [c for c, _ in recorder.ended(estimator) if c.source_task_name is not None]
    assert len(fits) == 2 * 2 + 1  # two candidates, two folds, and the best one again
    assert {c.source_estimator_name for c in fits} == {"Pipeline"}
    assert len({c.root_uuid for _, _, c, _ in recorder.record}) == 1
    hooks = [hook for hook, *_ in recorder.record]
    assert hooks.count("setup") == hooks.count("teardown") == 1


def test_a_monitor_inside_a_search_logs_each_fit(rows):
    X, y, ids = rows
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = skda.MEDAClassifier(2, max_iter=2).set_callbacks(monitor)
    with sklearn.config_context(enable_metadata_routing=True):
        cv, scorer = DomainStratifiedKFold(2), SourceScorer("accuracy")
        search = GridSearchCV(model, {"reg": [0.1, 1.0]}, cv=cv, scoring=scorer)
        search.fit(X, y, sample_domain=ids)
    log = monitor.get_logs("all")
    assert len(log) == 1
    assert len([row for row in log[0].data if row["task_name"] == "fit"]) == 5


def test_candidates_of_a_comparison_are_watched(rows):
    X, y, ids = rows
    recorder = GoesInside()
    table = compare(candidates(), X, y, ids, cv=2, callbacks=[recorder])
    plain = compare(candidates(), X, y, ids, cv=2)
    assert table.equals(plain)
    roots = [c for hook, _, c, _ in recorder.record if hook == "end" and c.parent is None]
    assert [(c.estimator_name, c.max_subtasks) for c in roots] == [("Comparison", 4)]
    assert len([c for c, _ in recorder.ended(skda.CORALTransformer())]) == 2
    with pytest.raises(ValueError, match="callbacks must be a list or tuple"):
        compare(candidates(), X, y, ids, callbacks=recorder)


def test_tasks_of_candidates_can_go_to_other_processes(rows):
    X, y, ids = rows
    model = ConsensusClassifier(candidates()).set_callbacks(GoesInside())
    with _callbacks.callbacks_of_fit(model):
        _callbacks.begin_fit(model, X, y, ids, n_tasks=2, in_turn=False)
        task = pickle.loads(pickle.dumps(_callbacks.inner_tasks(model, "candidate", 2)[1]))
        inner = skda.CORALTransformer()
        with task.fitting(inner):
            inner.fit(X, sample_domain=ids)
    ended = [who for hook, who, *_ in task.context._callbacks[0].record if hook == "end"]
    assert ended == [inner]
    assert not hasattr(task.caller, "_fit_task")  # which holds the rows


@pytest.mark.slow  # starts processes
@pytest.mark.parametrize("kind", [ConsensusClassifier, GuardedSearchCV])
def test_callbacks_reach_candidates_in_other_processes(kind, rows, tmp_path):
    model = kind(candidates(), n_jobs=2)
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model.candidates["source only"].estimator.set_callbacks(monitor)
    with sklearn.config_context(enable_metadata_routing=True):
        X, y, ids = rows
        recorder = Recorder()
        model.set_callbacks(recorder).fit(X, labels_for(model, y, ids), sample_domain=ids)
    assert set(model.estimators_) == {"source only", "coral"}
    deadline = time.monotonic() + 10
    while not monitor._log and time.monotonic() < deadline:
        time.sleep(0.01)
    assert monitor.get_logs().data


def test_a_failed_fit_lets_go_of_its_callbacks(rows):
    class Fails(Recorder):
        def on_fit_task_end(self, estimator, context):
            raise RuntimeError("enough")

    for estimator in (skda.MEDAClassifier(2), skda.DANNClassifier(**NET)):
        recorder = Fails()
        with pytest.raises(RuntimeError, match="enough"):
            fit_in_place(estimator.set_callbacks(recorder), rows)
        assert recorder.record[-1][0] == "teardown"
        assert not {"_fit_task", "_callback_fit_ctx", "classes_", "net_"} & vars(estimator).keys()
        estimator.set_callbacks()
        fit_in_place(estimator, rows)


def fit_in_place(estimator, rows):
    X, y, ids = rows
    return estimator.fit(X, y, sample_domain=ids)


def test_a_fit_that_goes_on_is_watched_and_a_chunk_is_not(rows):
    X, y, ids = rows
    recorder = Recorder()
    model = skda.DANNClassifier(**NET, warm_start=True).set_callbacks(recorder)
    for n_fits in (1, 2):
        model.fit(X, y, sample_domain=ids)
        assert [c.task_name for c, _ in recorder.ended(model)].count("fit") == n_fits
    model.partial_fit(X, y, sample_domain=ids)
    assert [c.task_name for c, _ in recorder.ended(model)].count("fit") == 2


@pytest.mark.parametrize("name", ["DANN", "JDA", "consensus"])
def test_clones_and_pickles_keep_callbacks_and_nothing_of_a_fit(name, rows):
    monitor = callback.ScoringMonitor(scoring=None)
    monitor_free = clone(CASES[name][0])
    fitted = fit(monitor_free, rows, Recorder())
    assert fitted.get_params().keys() == monitor_free.get_params().keys()
    again = pickle.loads(pickle.dumps(fit(monitor_free, rows)))
    assert not {"_skl_callbacks", "_callback_fit_ctx", "_fit_task"} & vars(again).keys()
    assert clone(monitor_free.set_callbacks(monitor))._skl_callbacks == [monitor]


@pytest.mark.parametrize("name", ["DANN", "KLIEP", "consensus"])
def test_a_progress_bar_shows_the_tasks(name, rows, capsys):
    pytest.importorskip("rich")
    estimator, tasks, _ = CASES[name]
    fit(estimator, rows, callback.ProgressBar())
    shown = capsys.readouterr().out
    assert f"{type(estimator).__name__} - fit" in shown
    assert "100%" in shown
    for task, n_tasks in tasks.items():
        assert not n_tasks or task in shown


def test_without_callbacks_no_context_is_made(rows, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a context was made")

    monkeypatch.setattr(callback.CallbackSupportMixin, "_init_callback_context", refuse)
    for name in ("MEDA", "KMM", "TrAdaBoost"):
        fit(CASES[name][0], rows)


def test_without_the_module_estimators_have_no_callbacks(rows, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.callback", None)
    spec = importlib.util.spec_from_file_location("skda._core._without", _callbacks.__file__)
    absent = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(absent)
    monkeypatch.undo()

    class Estimator(*absent.CALLBACK_SUPPORT, BaseEstimator):
        def fit(self):
            with absent.callbacks_of_fit(self):
                absent.begin_fit(self, [[0.0]], n_tasks=1)
                with absent.subtask(self, "round") as task:
                    task.offer(dict)
                with absent.fitted_inside(self, "inner", self):
                    pass
            return task.stops

    assert not hasattr(Estimator(), "set_callbacks")
    # A search of a later version marks what stands in it, whether that has callbacks or not.
    estimator = Estimator()
    estimator._parent_callback_ctx = object()
    assert estimator.fit() is False
    assert vars(estimator).keys() == {"_parent_callback_ctx"}


def test_a_comparison_without_the_module_says_so(rows, monkeypatch):
    monkeypatch.delattr(callback.CallbackSupportMixin, "set_callbacks")
    X, y, ids = rows
    with pytest.raises(ImportError, match=r"scikit-learn 1\.9"):
        compare(candidates(), X, y, ids, callbacks=[Recorder()])


def test_a_guarded_search_prints_what_it_fits(rows, capsys):
    X, y, ids = rows
    GuardedSearchCV(candidates(), verbose=True).fit(X, y, sample_domain=ids)
    assert capsys.readouterr().out.splitlines() == [
        "[1/2] source only: fitted",
        "[2/2] coral: fitted",
    ]
    with pytest.raises(ValueError, match="verbose must be True or False"):
        GuardedSearchCV(candidates(), verbose=3).fit(X, y, sample_domain=ids)


def test_no_warning_is_hidden_by_a_copy(rows):
    # The copies of rounds are made in silence; the fit itself still warns.
    X, y, ids = rows
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = skda.JDATransformer(50, kernel="linear", max_iter=3).set_callbacks(Recorder())
        model.fit(X, y, sample_domain=ids)
    assert len([one for one in caught if "components" in str(one.message)]) == 1
