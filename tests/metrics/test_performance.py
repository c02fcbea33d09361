"""Estimated performance: formulas by hand, which shifts are known and refused, and the labels."""

import json
import warnings

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeClassifier
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    log_loss,
    mean_absolute_error,
    roc_auc_score,
    root_mean_squared_error,
)
from sklearn.model_selection import GridSearchCV

import skda
from skda import CORALTransformer, datasets, make_domain_pipeline
from skda.instance_based import GaussianWeighter
from skda.metrics import estimate_performance
from skda.metrics._performance_evidence import balance_of, comparable_features, smooth_weights
from skda.metrics._performance_methods import (
    expected_estimate,
    posteriors_of,
    prior_weights,
    threshold_estimate,
    weighted_estimate,
)
from skda.metrics._performance_outputs import Outputs
from skda.metrics._performance_values import (
    Rows,
    labeled_interval,
    largest_loss,
    soft_rows,
    value_of,
)
from skda.model_selection import query_rows

SCIKIT_LEARN = {
    "accuracy": lambda y, p, P, w: accuracy_score(y, p, sample_weight=w),
    "balanced_accuracy": lambda y, p, P, w: balanced_accuracy_score(y, p, sample_weight=w),
    "log_loss": lambda y, p, P, w: log_loss(y, P, sample_weight=w),
}
PAIRS = {
    2: {
        "f1": lambda y, p, P, w: f1_score(y, p, sample_weight=w),
        "roc_auc": lambda y, p, P, w: roc_auc_score(y, P[:, 1], sample_weight=w),
    },
    3: {
        "f1": lambda y, p, P, w: f1_score(y, p, sample_weight=w, average="macro"),
        "roc_auc": lambda y, p, P, w: np.mean(
            [roc_auc_score(y == k, P[:, k], sample_weight=w) for k in range(3)]
        ),
    },
}


def random_rows(n_classes, n=60, seed=0):
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.ones(n_classes), size=n)
    y = np.array([rng.choice(n_classes, p=p) for p in P])
    return Rows(y, P.argmax(axis=1), P, rng.uniform(0.2, 2, size=n))


def random_outputs(n_classes=2):
    source, target = random_rows(n_classes), random_rows(n_classes, seed=1)
    empty = np.empty(0, dtype=int)
    return Outputs(source, target, empty, np.arange(n_classes), None, None)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "log_loss", "f1", "roc_auc"])
def test_metrics_of_weighted_rows_are_scikit_learns(metric, n_classes):
    rows = random_rows(n_classes)
    wanted = (SCIKIT_LEARN | PAIRS[n_classes])[metric](*rows)
    assert value_of(metric, rows, n_classes) == pytest.approx(wanted)


def test_errors_of_numbers_are_scikit_learns():
    rng = np.random.default_rng(0)
    y, p, w = rng.normal(size=(3, 20))
    rows = Rows(y, p, None, np.abs(w))
    assert value_of("mae", rows, 0) == pytest.approx(
        mean_absolute_error(y, p, sample_weight=np.abs(w))
    )
    assert value_of("rmse", rows, 0) == pytest.approx(
        root_mean_squared_error(y, p, sample_weight=np.abs(w))
    )


def test_what_is_expected_is_the_mean_over_labels_that_are_drawn():
    rows = random_rows(2, n=6)
    soft = soft_rows(rows.predicted, rows.proba, rows.proba)
    # All 64 labelings of six rows, each with its probability.
    expected = 0.0
    for number in range(64):
        y = (number >> np.arange(6)) & 1
        probability = rows.proba[np.arange(6), y].prod()
        expected += probability * accuracy_score(y, rows.predicted)
    assert value_of("accuracy", soft, 2) == pytest.approx(expected)


@pytest.mark.parametrize("weighted", [False, True])
def test_confidence_based_estimates_by_hand(weighted):
    outputs = random_outputs()
    weights = outputs.source.weights if weighted else np.ones(60)
    odds = [
        np.log(P[:, 1] / P[:, 0])[:, None] for P in (outputs.source.proba, outputs.target.proba)
    ]
    model = LogisticRegression(C=10).fit(
        odds[0], outputs.source.true, sample_weight=weights / weights.mean()
    )
    calibrated = model.predict_proba(odds[1])
    wanted = calibrated[np.arange(60), outputs.target.predicted].mean()
    posterior = posteriors_of(outputs, weights if weighted else None)[1]
    assert expected_estimate(outputs, "accuracy", posterior) == pytest.approx(wanted, abs=1e-3)


def test_a_threshold_lets_as_many_source_rows_through_as_are_right():
    outputs = random_outputs(3)
    source, _ = posteriors_of(outputs)
    same = outputs.source.true == outputs.source.predicted
    swapped = Outputs(*[outputs.source] * 2, *[outputs.labeled, outputs.classes, None, None])
    found = threshold_estimate(swapped, source, source)
    assert found == pytest.approx(same.mean(), abs=1 / 60 + 1e-9)


def test_class_weights_are_ratios_of_priors():
    outputs = random_outputs(3)
    weights, target = prior_weights(outputs, posteriors_of(outputs)[1])
    source = np.bincount(outputs.source.true) / 60
    assert weights == pytest.approx((target / source)[outputs.source.true])
    assert weighted_estimate(outputs, "accuracy", np.ones(60)) == pytest.approx(
        np.mean(outputs.source.true == outputs.source.predicted)
    )


def test_f1_interval_is_that_of_a_proportion():
    rows = random_rows(2)._replace(weights=np.ones(60))
    low, high = labeled_interval("f1", rows, 2, confidence=0.9, bound=None)
    right = int(((rows.true == 1) & (rows.predicted == 1)).sum())
    limits = binomtest(right, int(((rows.true == 1) | (rows.predicted == 1)).sum()))
    limits = limits.proportion_ci(0.9, method="exact")
    assert (low, high) == pytest.approx(
        (2 * limits.low / (1 + limits.low), 2 * limits.high / (1 + limits.high))
    )
    assert low < f1_score(rows.true, rows.predicted) < high


@pytest.mark.parametrize("metric", ["balanced_accuracy", "f1", "roc_auc", "log_loss"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_intervals_of_few_labels_hold(metric, n_classes):
    everything = random_rows(n_classes, n=2000)._replace(weights=np.ones(2000))
    truth = value_of(metric, everything, n_classes)
    bound = largest_loss(metric, everything.predicted, everything.proba, everything.true)
    rng, held = np.random.default_rng(0), 0
    for _ in range(60):
        some = everything.take(rng.choice(2000, size=15, replace=False))
        low, high = labeled_interval(metric, some, n_classes, confidence=0.9, bound=bound)
        held += low <= truth <= high
    assert held >= 50  # of 54 expected, less two standard errors


# Which shift is it?


def shifted(shift, n=250, seed=0, **options):
    if shift == "no":
        return datasets.make_covariate_shift(n, n, gamma=0, random_state=seed, **options)
    return getattr(datasets, f"make_{shift}_shift")(n, n, random_state=seed, **options)


@pytest.fixture(scope="module")
def found():
    """Truth and estimate of a linear model under each shift, without target labels."""
    results = {}
    for shift in ("no", "covariate", "label", "conditional", "subspace"):
        X, y, d = shifted(shift, noise=0.3 if shift == "label" else 0.0)
        model = LogisticRegression().fit(X[d > 0], y[d > 0])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            estimate = estimate_performance(
                model, X, np.where(d < 0, -1, y), d, n_bootstrap=20, random_state=0
            )
        truth = model.score(X[d < 0], y[d < 0])
        results[shift] = truth, estimate, [str(one.message) for one in caught]
    return results


@pytest.mark.parametrize(
    ("shift", "assumption"), [("no", "none"), ("covariate", "covariate"), ("label", "label")]
)
def test_a_shift_that_leaves_traces_is_named_and_the_estimate_is_close(found, shift, assumption):
    truth, estimate, messages = found[shift]
    assert estimate.verdict.known and estimate.verdict.assumption == assumption
    assert abs(estimate.value - truth) < 0.08
    low, high = estimate.interval
    assert low <= estimate.value <= high
    assert not messages


def test_the_source_score_would_have_been_far_off_under_covariate_shift(found):
    truth, estimate, _ = found["covariate"]
    X, y, d = shifted("covariate")
    source = LogisticRegression().fit(X[d > 0], y[d > 0]).score(X[d > 0], y[d > 0])
    assert abs(source - truth) > 2 * abs(estimate.value - truth)


@pytest.mark.parametrize("shift", ["conditional", "subspace"])
def test_a_shift_that_cannot_be_estimated_is_refused(found, shift):
    _, estimate, messages = found[shift]
    assert not estimate.verdict.known and estimate.verdict.assumption == "unknown"
    assert np.isnan(estimate.interval).all()
    assert any("cannot be known" in message for message in messages)


def test_an_estimate_reads_and_serializes(found):
    estimate = found["label"][1]
    fields = json.loads(json.dumps(estimate.to_dict()))
    assert fields["value"] == estimate.value and fields["verdict"]["known"] is True
    assert "evidence" not in repr(estimate) and "label shift" in str(estimate)
    assert estimate.evidence["balance"]["none"]["auc"] > 0.6
    assert "no interval" in str(found["subspace"][1])


def test_balance_without_weights_sees_what_weights_remove():
    X, _, d = shifted("covariate")
    S, T = comparable_features(X[d > 0], X[d < 0])
    rng = np.random.RandomState(0)
    assert not balance_of(S, T, np.ones(len(S)), rng).holds
    assert balance_of(S, T, smooth_weights(S, T, rng), rng).holds


def test_many_features_with_gaps_become_twenty():
    X = np.random.default_rng(0).normal(size=(60, 30))
    X[3, 4] = np.nan
    S, T = comparable_features(X[:40], X[40:])
    assert S.shape == (40, 20) and T.shape == (20, 20)
    assert np.isfinite(S).all()


# How it is estimated


@pytest.mark.parametrize("method", ["weighted", "cbpe", "pape", "atc", "label_shift"])
def test_each_method_where_nothing_shifted(method):
    X, y, d = shifted("no", n=100, noise=0.6)
    model = LogisticRegression().fit(X[d > 0], y[d > 0])
    hidden = np.where(d < 0, np.nan, y)
    estimate = estimate_performance(
        model, X, hidden, d, method=method, cv=3, n_bootstrap=10, random_state=0
    )
    assert estimate.method == method and estimate.verdict.assumption == "none"
    assert abs(estimate.value - model.score(X[d < 0], y[d < 0])) < 0.15


@pytest.mark.parametrize("metric", ["mae", "rmse"])
@pytest.mark.parametrize("method", ["weighted", "dle"])
def test_losses_of_numbers(metric, method):
    X, y, d = shifted("covariate", n=120, task="regression")
    model = LinearRegression().fit(X[d > 0], y[d > 0])
    score = {"mae": mean_absolute_error, "rmse": root_mean_squared_error}[metric]
    truth, before = (score(y[side], model.predict(X[side])) for side in (d < 0, d > 0))
    estimate = estimate_performance(
        model, X, np.where(d < 0, np.nan, y), d, metric=metric, method=method, random_state=0
    )
    assert abs(estimate.value - truth) < 0.5 * abs(before - truth)
    assert estimate.interval[0] < estimate.value < estimate.interval[1]


def test_a_model_that_adapts_is_judged_on_its_mapped_rows():
    X, y, d = shifted("no", n=80, noise=0.5)
    X[d < 0] += 5.0
    hidden = np.where(d < 0, np.nan, y)
    with skda_routing():
        model = make_domain_pipeline(CORALTransformer(match_mean=True), LogisticRegression())
        model.fit(X, hidden, sample_domain=d)
        estimate = estimate_performance(model, X, hidden, d, cv=3, n_bootstrap=10, random_state=0)
    assert estimate.verdict.assumption == "none"


def skda_routing():
    import sklearn

    return sklearn.config_context(enable_metadata_routing=True)


def test_source_rows_that_a_model_learned_from_do_not_flatter_it():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(120, 3)), rng.integers(2, size=120)
    d = np.repeat([1, -1], 60)
    model = RandomForestClassifier(10, random_state=0).fit(X[:60], y[:60])
    hidden = np.where(d < 0, -1, y)
    kwargs = {"method": "weighted", "weighter": lambda X: np.ones(len(X)), "n_bootstrap": 10}
    refitted = estimate_performance(model, X, hidden, d, random_state=0, **kwargs)
    as_it_is = estimate_performance(model, X, hidden, d, cv=None, random_state=0, **kwargs)
    assert refitted.value < 0.7 and as_it_is.value > 0.9


def test_weights_of_a_weighter_and_of_a_search():
    X, y, d = shifted("covariate", n=80)
    hidden = np.where(d < 0, -1, y)
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2).fit(X[d > 0], y[d > 0])
    kwargs = {"method": "weighted", "random_state": 0}
    with pytest.warns(UserWarning, match="cannot be known"):  # the target is no Gaussian
        estimate = estimate_performance(search, X, hidden, d, weighter=GaussianWeighter(), **kwargs)
    weights = GaussianWeighter().fit(X, sample_domain=d).weights_
    size = weights.sum() ** 2 / (weights**2).sum()
    found = estimate.evidence["balance"]["covariate"]
    assert found["effective_size"] == pytest.approx(size)


def test_candidates_give_evidence():
    X, y, d = shifted("subspace", n=60)
    y = np.array(["no", "yes"])[y]
    hidden = np.where(d < 0, None, y.astype(object))
    models = {"one": LogisticRegression(), "two": RidgeClassifier()}
    for one in models.values():
        one.fit(X[d > 0], y[d > 0])
    with pytest.warns(UserWarning, match="cannot be known"):
        estimate = estimate_performance(
            models["one"], X, hidden, d, candidates=models, random_state=0
        )
    P = models["one"].predict_proba(X[d < 0])
    other = models["two"].predict(X[d < 0])[:, None] == models["two"].classes_
    wanted = ((P + other) / 2)[np.arange(60), P.argmax(axis=1)].mean()
    assert estimate.evidence["agreement"] == pytest.approx(wanted)


# With labels


@pytest.fixture(scope="module")
def labeled():
    X, y, d = shifted("conditional", n=100)
    y = y.astype(float)
    model = LogisticRegression().fit(X[d > 0], y[d > 0])
    some = np.flatnonzero(d < 0)[np.random.default_rng(0).permutation(100)[:20]]
    few = np.where(d > 0, y, np.nan)
    few[some] = y[some]
    return model, X, y, few, d, some


def test_labels_give_the_exact_interval(labeled):
    model, X, y, few, d, some = labeled
    estimate = estimate_performance(model, X, few, d, random_state=0)
    right = int((model.predict(X[some]) == y[some]).sum())
    assert estimate.method == "labels" and estimate.verdict.assumption == "labels"
    assert estimate.value == right / 20
    wanted = binomtest(right, 20).proportion_ci(0.9, method="exact")
    assert estimate.interval == pytest.approx(tuple(wanted))


@pytest.mark.parametrize("metric", ["accuracy", "log_loss"])
def test_joined_with_predicted_losses(labeled, metric):
    model, X, y, few, d, _ = labeled
    estimate = estimate_performance(
        model, X, few, d, metric=metric, method="joined", random_state=0
    )
    P = model.predict_proba(X[d < 0])
    truth = {"accuracy": model.score(X[d < 0], y[d < 0]), "log_loss": log_loss(y[d < 0], P)}
    low, high = estimate.interval
    assert low <= truth[metric] <= high
    assert low < estimate.value < high


def test_labels_of_numbers():
    X, y, d = shifted("conditional", n=100, task="regression")
    model = Ridge().fit(X[d > 0], y[d > 0])
    few = np.where((d > 0) | (np.arange(200) >= 170), y, np.nan)
    truth = mean_absolute_error(y[d < 0], model.predict(X[d < 0]))
    widths = []
    for method in ("labels", "joined"):
        estimate = estimate_performance(model, X, few, d, method=method, random_state=0)
        low, high = estimate.interval
        assert low <= truth <= high
        widths.append(high - low)
    assert max(widths) < 6


def test_queried_rows_count_by_their_probability(labeled):
    model, X, y, _, d, _ = labeled
    target = d < 0
    hidden = np.where(d > 0, y, np.nan)
    rows = query_rows(model, X, n=25, goal="measure", y=hidden, sample_domain=d, random_state=0)
    hidden[rows.indices] = y[rows.indices]
    estimate = estimate_performance(model, X, hidden, d, queried=rows, random_state=0)
    wrong = model.predict(X[rows.indices]) != y[rows.indices]
    assert estimate.value == pytest.approx(1 - rows.mean(wrong))
    truth = model.score(X[target], y[target])
    assert estimate.interval[0] <= truth <= estimate.interval[1]
    with pytest.raises(ValueError, match="queried must name the labeled target rows"):
        estimate_performance(model, X, np.where(rows_left(rows, y), y, np.nan), d, queried=rows)


def rows_left(rows, y):
    kept = np.ones(len(y), dtype=bool)
    kept[rows.indices[:3]] = False
    return kept


# Errors


def test_what_is_refused():
    X, y, d = shifted("no", n=20)
    model = LogisticRegression().fit(X, y)
    hidden = np.where(d < 0, -1, y)
    for kwargs, message in (
        ({"metric": "mae"}, "metrics of classifiers"),
        ({"metric": "precision"}, "metric must be one of"),
        ({"method": "dle"}, "These suit classifiers"),
        ({"method": "guess"}, "method must be one of"),
        ({"method": "labels"}, "needs labeled target rows"),
        ({"method": "atc", "metric": "f1"}, "accuracy only"),
        ({"method": "joined", "metric": "f1"}, "a mean over rows"),
        ({"level": 1.0}, "level"),
        ({"cv": 1}, "cv"),
        ({"n_bootstrap": 1}, "n_bootstrap"),
        ({"weighter": 3}, "weighter must be"),
        ({"candidates": {}}, "got none"),
    ):
        with pytest.raises(ValueError, match=message):
            estimate_performance(model, X, hidden, d, **kwargs)
    with pytest.raises(ValueError, match="model must be a fitted"):
        estimate_performance(3, X, hidden, d)
    with pytest.raises(ValueError, match="no predict_proba"):
        estimate_performance(RidgeClassifier().fit(X, y), X, hidden, d, metric="roc_auc")
    with pytest.raises(ValueError, match="for classifiers"):
        numbers = np.where(d < 0, np.nan, y)
        estimate_performance(Ridge().fit(X, y), X, numbers, d, candidates=[model])
    with pytest.raises(ValueError, match="goal='measure'"):
        estimate_performance(model, X, y, d, queried=[3])


def test_a_classifier_without_probabilities():
    X, y, d = shifted("label", n=100)
    model = RidgeClassifier().fit(X[d > 0], y[d > 0])
    hidden = np.where(d < 0, -1, y)
    estimate = estimate_performance(model, X, hidden, d, n_bootstrap=10, random_state=0)
    assert abs(estimate.value - model.score(X[d < 0], y[d < 0])) < 0.1
    assert skda.metrics.PerformanceVerdict is type(estimate.verdict)
