"""Each scorer against a few lines of arithmetic on fixed arrays."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LinearRegression, LogisticRegression

from skda import metrics
from skda.metrics._weighted import deep_embedded_risk, importance_weighted_risk

from .conftest import Recite, ReciteValue


def entropy(p):
    return -sum(v * np.log(v) for v in p if v > 0)


def test_entropy_and_information_maximization(probabilities):
    P, y, sample_domain = probabilities
    T = P[14:]
    within = np.mean([entropy(p) for p in T])
    total = entropy(T.mean(axis=0))
    model = Recite().fit()
    for scorer, expected in [
        (metrics.PredictionEntropyScorer(), -within),
        (metrics.InformationMaximizationScorer(), total - within),
        (metrics.InformationMaximizationScorer(diversity=0.5), 0.5 * total - within),
    ]:
        assert_allclose(scorer(model, P, y, sample_domain=sample_domain), expected, rtol=1e-10)


def weight(X):
    return np.exp(3 * X[:, 0])


@pytest.mark.parametrize("classes", [(0, 1, 2), ("a", "b", "c"), (-5, 2, 7)])
@pytest.mark.parametrize("loss", ["zero_one", "log_loss"])
def test_importance_weighted_and_dev(probabilities, classes, loss):
    P, y, sample_domain = probabilities
    S, t, w = P[:14], y[:14], weight(P[:14])
    if loss == "zero_one":
        values = np.array([float(np.argmax(p) != c) for p, c in zip(S, t, strict=True)])
    else:
        eps = np.finfo(float).eps
        values = np.array([-np.log(max(p[c], eps)) for p, c in zip(S, t, strict=True)])
    iw = sum(w * values) / sum(w)
    L = w * values
    cov = np.cov(L, w, ddof=1)
    eta = -cov[0, 1] / cov[1, 1]
    dev = np.mean(L) + eta * np.mean(w) - eta

    model, labels = Recite(classes).fit(), np.asarray(classes)[y]
    options = {"weighter": weight, "loss": loss}
    for scorer, expected in [
        (metrics.ImportanceWeightedScorer(**options), -iw),
        (metrics.DEVScorer(**options), -dev),
    ]:
        value = scorer(model, P, labels, sample_domain=sample_domain)
        assert_allclose(value, expected, rtol=1e-10)


def test_dev_with_equal_weights_is_the_mean_loss():
    loss = np.array([0.0, 1.0, 1.0])
    assert deep_embedded_risk(loss, np.full(3, 2.0)) == pytest.approx(4 / 3)


def test_weighted_risks_converge_to_the_target_risk_under_covariate_shift():
    """x ~ N(0, 1) in the source, N(1, 1) in the target; w(x) = exp(x − 1/2)."""
    rng = np.random.default_rng(0)
    plain, iw, dev = [], [], []
    truth = _target_risk()
    for _ in range(200):
        x = rng.normal(size=1000)
        y = rng.uniform(size=1000) < 1 / (1 + np.exp(-2 * np.sin(2 * x)))
        loss = ((x > 0.3) != y).astype(float)
        w = np.exp(x - 0.5)
        plain.append(loss.mean())
        iw.append(importance_weighted_risk(loss, w))
        dev.append(deep_embedded_risk(loss, w))
    assert abs(np.mean(plain) - truth) > 0.05
    assert abs(np.mean(iw) - truth) < 0.006
    assert abs(np.mean(dev) - truth) < 0.006


def _target_risk(n=2_000_000):
    rng = np.random.default_rng(1)
    x = rng.normal(size=n) + 1
    p = 1 / (1 + np.exp(-2 * np.sin(2 * x)))
    return np.mean(np.where(x > 0.3, 1 - p, p))


def test_dev_has_less_variance_than_plain_weighting():
    rng = np.random.default_rng(0)
    plain, dev = [], []
    for _ in range(200):
        x = rng.normal(size=500)
        loss = (x > 0.5).astype(float)
        w = np.exp(x - 0.5)
        plain.append(np.mean(w * loss))
        dev.append(deep_embedded_risk(loss, w))
    assert np.std(dev) < 0.5 * np.std(plain)


def test_scorer_finds_the_target_risk_with_the_default_weights():
    """End to end, with estimated weights: closer to the target accuracy than the source score."""
    rng = np.random.default_rng(0)
    n = 4000
    X = np.r_[rng.normal(size=(n, 1)), rng.normal(size=(n, 1)) + 1]
    y = (rng.uniform(size=2 * n) < 1 / (1 + np.exp(-2 * np.sin(2 * X[:, 0])))).astype(int)
    sample_domain = np.repeat([1, -2], n)
    model = LogisticRegression().fit(X[:n], y[:n])
    truth = -(model.predict(X[n:]) != y[n:]).mean()
    unweighted = -(model.predict(X[:n]) != y[:n]).mean()
    assert abs(unweighted - truth) > 0.08
    for scorer in (metrics.ImportanceWeightedScorer(), metrics.DEVScorer()):
        assert abs(scorer(model, X, y, sample_domain=sample_domain) - truth) < 0.03


def test_circular_validation_equals_a_double_fit_by_hand(routing, pipeline, moved):
    X, y, sample_domain = moved
    pipeline.fit(X, y, sample_domain=sample_domain)
    there = pipeline.predict(X[sample_domain < 0])
    back_y = y.copy()
    back_y[sample_domain < 0] = there
    back = clone(pipeline).fit(X, back_y, sample_domain=np.where(sample_domain < 0, 1, -1))
    expected = np.mean(back.predict(X[sample_domain > 0]) == y[sample_domain > 0])
    scorer = metrics.CircularValidationScorer()
    assert scorer(pipeline, X, y, sample_domain=sample_domain) == expected


def test_circular_validation_of_a_plain_regressor():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    sample_domain = np.tile([1, -2], 20)
    s, t = sample_domain > 0, sample_domain < 0
    model = LinearRegression().fit(X[s], y[s])
    back = LinearRegression().fit(X[t], model.predict(X[t]))
    scorer = metrics.CircularValidationScorer()
    assert_allclose(
        scorer(model, X, y, sample_domain=sample_domain), back.score(X[s], y[s]), rtol=1e-10
    )


def test_circular_validation_of_a_constant_is_the_share_of_that_class(moved):
    X, y, sample_domain = moved
    model = LogisticRegression(C=1e-9).fit(X, y | (np.arange(len(y)) > 5))
    value = metrics.CircularValidationScorer()(model, X, y, sample_domain=sample_domain)
    assert value == np.mean(y[sample_domain > 0] == 1)


def test_soft_neighborhood_density(probabilities):
    P, y, sample_domain = probabilities
    T = P[14:]
    unit = T / np.linalg.norm(T, axis=1, keepdims=True)
    densities = []
    for i in range(len(T)):
        s = np.exp(np.delete(unit @ unit[i], i) / 0.05)
        densities.append(entropy(s / s.sum()))
    scorer = metrics.SoftNeighborhoodDensityScorer()
    value = scorer(Recite().fit(), P, y, sample_domain=sample_domain)
    assert_allclose(value, np.mean(densities), rtol=1e-10)


def test_soft_neighborhood_density_does_not_depend_on_the_tiles(monkeypatch):
    P = np.random.default_rng(0).dirichlet([1, 1, 1], size=50)
    whole = metrics._structure.soft_neighborhood_density(P, 0.05)
    monkeypatch.setattr(
        metrics._structure, "row_tiles", lambda n, *_, **__: [slice(i, i + 7) for i in (0, 7, 14)]
        + [slice(21, 50)],
    )  # fmt: skip
    assert_allclose(metrics._structure.soft_neighborhood_density(P, 0.05), whole, rtol=1e-12)


def test_batch_nuclear_norm(probabilities):
    P, y, sample_domain = probabilities
    T = P[14:]
    expected = np.sqrt(np.linalg.eigvalsh(T.T @ T)).sum() / np.sqrt(len(T) * 3)
    value = metrics.BatchNuclearNormScorer()(Recite().fit(), P, y, sample_domain=sample_domain)
    assert_allclose(value, expected, rtol=1e-10)


def test_batch_nuclear_norm_is_one_for_certain_even_predictions():
    P = np.repeat(np.eye(3), 5, axis=0)
    assert metrics._structure.relative_nuclear_norm(P) == pytest.approx(1.0)
    assert metrics._structure.relative_nuclear_norm(np.full((15, 3), 1 / 3)) < 0.6


def test_class_cluster_finds_separated_classes_and_not_shuffled_ones():
    rng = np.random.default_rng(0)
    P = np.repeat(np.eye(3), 20, axis=0) * 0.8 + 0.05 * rng.uniform(size=(60, 3))
    sample_domain, model = np.full(60, -1), Recite().fit()
    for measure, expected in (("ami", 1.0), ("silhouette", 0.95)):
        scorer = metrics.ClassClusterScorer(measure=measure)
        assert scorer(model, P, sample_domain=sample_domain) >= expected - 0.05
    mixed = P.copy()
    mixed[::2] = mixed[::2, [1, 2, 0]]

    class Wrong(Recite):
        def predict(self, X):
            return rng.integers(0, 3, len(X))

    wrong = Wrong().fit()
    for measure in ("ami", "silhouette"):
        scorer = metrics.ClassClusterScorer(measure=measure)
        assert scorer(wrong, P, sample_domain=sample_domain) < 0.1


def test_class_cluster_equals_scikit_learn_on_the_mapped_features(routing, pipeline, moved):
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_mutual_info_score, silhouette_score

    X, y, sample_domain = moved
    pipeline.fit(X, y, sample_domain=sample_domain)
    T = X[sample_domain < 0]
    clusters = KMeans(2, n_init=10, random_state=0).fit_predict(T)
    predicted = pipeline.predict(T)
    for measure, expected in (
        ("ami", adjusted_mutual_info_score(predicted, clusters)),
        ("silhouette", silhouette_score(T, predicted)),
    ):
        scorer = metrics.ClassClusterScorer(measure=measure)
        assert_allclose(scorer(pipeline, X, y, sample_domain=sample_domain), expected, rtol=1e-10)


def test_mixval_equals_mixing_by_hand(probabilities):
    P, y, sample_domain = probabilities
    T, predicted = P[14:], P[14:].argmax(axis=1)
    same, other = metrics._mixval.partners(predicted, np.random.RandomState(3))
    expected = []
    for partner, alike in ((same, True), (other, False)):
        hits = []
        for i, j in enumerate(partner):
            if j < 0:
                continue
            assert i != j and (predicted[i] == predicted[j]) == alike
            hits.append(np.argmax(0.55 * T[i] + 0.45 * T[j]) == predicted[i])
        expected.append(np.mean(hits))
    model = Recite().fit()
    for pairs, value in (
        ("intra", expected[0]),
        ("inter", expected[1]),
        ("both", np.mean(expected)),
    ):
        scorer = metrics.MixValScorer(pairs=pairs, random_state=3)
        assert_allclose(scorer(model, P, y, sample_domain=sample_domain), value, rtol=1e-10)


def test_labeled_target_scorer_uses_the_labeled_target_rows_only(probabilities):
    P, y, sample_domain = probabilities
    model, known = Recite().fit(), y.copy()
    known[16:] = -1  # rows 14 and 15 are labeled
    expected = np.mean(P[14:16].argmax(axis=1) == y[14:16])
    for labels in (
        known,
        np.where(known < 0, np.nan, known),
        [None if v < 0 else v for v in known],
    ):
        scorer = metrics.LabeledTargetScorer()
        assert scorer(model, P, labels, sample_domain=sample_domain) == expected


@pytest.mark.parametrize("metric", ["neg_log_loss", "balanced_accuracy", "roc_auc_ovr"])
def test_named_metrics_are_scikit_learns(probabilities, metric):
    from sklearn.metrics import get_scorer

    P, y, sample_domain = probabilities
    model = Recite().fit()
    y[:3] = y[14:17] = [0, 1, 2]
    for scorer, side in (
        (metrics.SourceScorer(metric), sample_domain > 0),
        (metrics.LabeledTargetScorer(metric), sample_domain < 0),
    ):
        expected = get_scorer(metric)(model, P[side], y[side])
        assert_allclose(scorer(model, P, y, sample_domain=sample_domain), expected, rtol=1e-12)


def test_source_scorer_tells_a_scorer_the_domains(routing, pipeline, moved):
    X, y, sample_domain = moved
    pipeline.fit(X, y, sample_domain=sample_domain)
    s = sample_domain > 0
    from sklearn.metrics import log_loss, roc_auc_score

    P = pipeline.predict_proba(X[s], sample_domain=sample_domain[s])
    value = metrics.SourceScorer("neg_log_loss")(pipeline, X, y, sample_domain=sample_domain)
    assert_allclose(value, -log_loss(y[s], P), rtol=1e-12)
    as_target = pipeline.predict_proba(X[s])
    assert abs(log_loss(y[s], as_target) - log_loss(y[s], P)) > 0.1  # the domains matter here
    auc = metrics.SourceScorer("roc_auc")(pipeline, X, y, sample_domain=sample_domain)
    assert_allclose(auc, roc_auc_score(y[s], P[:, 1]))


def test_metric_function_and_scorer_function_are_distinguished(probabilities):
    from sklearn.metrics import accuracy_score, f1_score, make_scorer

    P, y, sample_domain = probabilities
    model = Recite().fit()

    def macro(y_true, y_pred):
        return f1_score(y_true, y_pred, average="macro")

    def constant(estimator, X, y):
        return float(len(X))

    options = {"sample_domain": sample_domain}
    a = metrics.SourceScorer(macro)(model, P, y, **options)
    b = metrics.SourceScorer(make_scorer(macro))(model, P, y, **options)
    assert a == b
    assert metrics.SourceScorer(constant)(model, P, y, **options) == 14.0
    assert metrics.SourceScorer(accuracy_score)(model, P, y, **options) == np.mean(
        P[:14].argmax(axis=1) == y[:14]
    )
    with pytest.raises(TypeError, match="metric must be the name"):
        metrics.SourceScorer(3)(model, P, y, **options)


def test_exact_zeros_and_unknown_classes_give_finite_losses(probabilities):
    P, y, sample_domain = probabilities
    y = y.copy()
    y[5] = 7  # a class that the model does not know
    scorer = metrics.ImportanceWeightedScorer(loss="log_loss", weighter=weight)
    assert np.isfinite(scorer(Recite().fit(), P, y, sample_domain=sample_domain))


@pytest.mark.parametrize(
    ("scorer", "message"),
    [
        (metrics.InformationMaximizationScorer(diversity=-1), "diversity must be"),
        (metrics.SoftNeighborhoodDensityScorer(temperature=0), "temperature must be"),
        (metrics.ClassClusterScorer(measure="nmi"), "measure must be"),
        (metrics.InformationMaximizationScorer(diversity=np.inf), "diversity must be"),
        (metrics.SoftNeighborhoodDensityScorer(temperature=np.inf), "temperature must be"),
        (metrics.SoftNeighborhoodDensityScorer(temperature="cold"), "temperature must be"),
        (metrics.MixValScorer(share=0.5), r"share must be a number in \(0.5, 1\)"),
        (metrics.MixValScorer(share="half"), "share must be a number"),
        (metrics.CircularValidationScorer(metric="accuracy"), "metric must be a function"),
        (metrics.DEVScorer(weighter="kmm"), "weighter must be"),
        (metrics.MixValScorer(pairs="all"), "pairs must be"),
        (metrics.DEVScorer(loss="hinge"), "loss must be one of .*; got 'hinge'. Or pass None"),
        (metrics.DEVScorer(loss=lambda y, p: 1.0), "one number per row"),
        (metrics.DEVScorer(features="raw"), "features must be"),
        (metrics.DEVScorer(weighter=lambda X: -X[:, 0]), "finite weights >= 0"),
        (metrics.DEVScorer(weighter=lambda X: X), "one weight per source row"),
    ],
    ids=lambda v: v if isinstance(v, str) else type(v).__name__,
)
def test_bad_parameters_are_refused_in_words(scorer, message, probabilities):
    P, y, sample_domain = probabilities
    with pytest.raises(ValueError, match=message):
        scorer(Recite().fit(), P, y, sample_domain=sample_domain)


@pytest.mark.parametrize("name", [n for n in metrics.__all__ if n.endswith("Scorer")])
def test_a_single_class_gives_a_number(name, probabilities):
    _, _, sample_domain = probabilities
    model, P, y = Recite(("only",)).fit(), np.ones((30, 1)), np.repeat("only", 30)
    assert np.isfinite(getattr(metrics, name)()(model, P, y, sample_domain=sample_domain))


def test_probabilities_that_are_not_numbers_are_refused(probabilities):
    P, y, sample_domain = probabilities
    P = P.copy()
    P[20] = np.nan
    with pytest.raises(ValueError, match="NaN or infinity from predict_proba"):
        metrics.PredictionEntropyScorer()(Recite().fit(), P, y, sample_domain=sample_domain)


def test_regression_losses(probabilities):
    P, _, sample_domain = probabilities
    y, model = P[:, 1], ReciteValue().fit()
    options = {"sample_domain": sample_domain}
    error, w = (P[:14, 0] - y[:14]), weight(P[:14])
    for loss, values in ((None, error**2), ("absolute_error", np.abs(error))):
        iw = metrics.ImportanceWeightedScorer(weighter=weight, loss=loss)(model, P, y, **options)
        assert_allclose(iw, -(w @ values) / w.sum(), rtol=1e-10)
        dev = metrics.DEVScorer(weighter=weight, loss=loss)(model, P, y, **options)
        assert_allclose(dev, -deep_embedded_risk(values, w), rtol=1e-10)


def test_weighter_objects_are_fitted_on_the_mapped_features(routing, pipeline, moved):
    class MeanWeighter(ClassifierMixin, BaseEstimator):
        def fit(self, X, y=None, *, sample_domain=None):
            self.weights_ = np.exp(X[sample_domain > 0] @ np.ones(2) / 9)
            return self

    X, y, sample_domain = moved
    pipeline.fit(X, y, sample_domain=sample_domain)
    s = sample_domain > 0
    wrong = pipeline.predict(X[s], sample_domain=sample_domain[s]) != y[s]
    for features, Z in (("mapped", X[s] + pipeline[0].step_), ("input", X[s])):
        scorer = metrics.ImportanceWeightedScorer(weighter=MeanWeighter(), features=features)
        expected = -np.average(wrong, weights=np.exp(Z.sum(axis=1) / 9))
        assert_allclose(scorer(pipeline, X, y, sample_domain=sample_domain), expected, rtol=1e-10)
