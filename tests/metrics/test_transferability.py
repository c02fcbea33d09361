"""Measures of transferability against their definitions, and the sources that they rank."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge

from skda import stack_domains
from skda.metrics import h_score, leep, logme, rank_sources


def features_and_labels(seed=0, n=60, d=4):
    rng = np.random.default_rng(seed)
    F = rng.normal(size=(n, d))
    return F, (F[:, 0] + 0.8 * rng.normal(size=n) > 0).astype(int)


def largest_evidence(F, y):
    """The largest log density of y under N(0, I/beta + FF'/alpha), per row, by a general solver."""

    def minus(log):
        covariance = np.eye(len(y)) / np.exp(log[1]) + F @ F.T / np.exp(log[0])
        return -multivariate_normal.logpdf(y, cov=covariance) / len(y)

    starts = ([0.0, 0.0], [3.0, 1.0])
    return max(-minimize(minus, start, method="Nelder-Mead").fun for start in starts)


@pytest.mark.parametrize("d", [2, 4, 80])
def test_logme_is_the_largest_evidence(d):
    F, y = features_and_labels(d=d)
    wanted = np.mean([largest_evidence(F, (y == code).astype(float)) for code in (0, 1)])
    assert logme(F, y) == pytest.approx(wanted, abs=2e-4)
    numbers = F[:, 0] + 0.3 * np.random.default_rng(1).normal(size=60)
    found = logme(F, numbers, regression=True)
    assert found == pytest.approx(largest_evidence(F, numbers), abs=2e-4)


def test_logme_stays_finite_where_everything_or_nothing_is_explained():
    F, y = features_and_labels()
    assert np.isfinite(logme(F, 3.0 * F[:, 0], regression=True))
    assert logme(F, 3.0 * F[:, 0], regression=True) > logme(F, y.astype(float), regression=True)
    for dull in (np.zeros((60, 2)), np.ones((60, 1))):
        assert np.isfinite(logme(dull, y))
    assert np.isfinite(logme(F, np.zeros(60), regression=True))


def test_h_score_is_the_trace_of_linear_discriminant_analysis():
    F, _ = features_and_labels(n=90)
    y = np.repeat(["a", "b", "c"], 30)
    F[:30] += 2.0
    lda = LinearDiscriminantAnalysis(solver="eigen").fit(F, y)
    # Eigenvalues of within^-1 between; those of total^-1 between are e / (1 + e).
    centered = F - F.mean(axis=0)
    total = centered.T @ centered / 90
    between = total - lda.covariance_
    wanted = np.trace(np.linalg.solve(total, between))
    assert h_score(F, y, shrinkage=False) == pytest.approx(wanted)
    assert 0 < h_score(F, y) < wanted
    doubled = np.column_stack([F, F[:, 0]])  # of no full rank
    assert h_score(doubled, y, shrinkage=False) == pytest.approx(wanted)


def test_shrinkage_keeps_noise_from_looking_good():
    rng = np.random.default_rng(0)
    F, y = rng.normal(size=(30, 25)), rng.integers(0, 2, 30)
    assert h_score(F, y, shrinkage=False) > 0.7
    assert h_score(F, y) < 0.3


def test_leep_by_loops():
    rng = np.random.default_rng(0)
    proba, y = rng.dirichlet(np.ones(4), size=30), rng.integers(0, 3, 30)
    total = 0.0
    for i in range(30):
        inside = 0.0
        for z in range(4):
            joint = sum(proba[j, z] for j in range(30) if y[j] == y[i]) / 30
            inside += joint / (proba[:, z].sum() / 30) * proba[i, z]
        total += np.log(inside)
    assert leep(proba, y) == pytest.approx(total / 30)


def test_leep_of_a_right_and_of_a_useless_source():
    y = np.arange(40) % 2
    assert leep(np.eye(3)[2 * y], y) == pytest.approx(0.0)  # the source's classes are others
    assert leep(np.full((40, 2), 0.5), y) == pytest.approx(np.log(0.5))


def test_bad_input_is_named():
    F, y = features_and_labels()
    for measure in (logme, h_score, leep):
        with pytest.raises(ValueError, match="two classes or more"):
            measure(np.full((5, 2), 0.5), np.ones(5, dtype=int))
        with pytest.raises(ValueError, match="inconsistent"):
            measure(F, y[:-1])
    with pytest.raises(ValueError, match="proba must be class probabilities"):
        leep(F, y)
    with pytest.raises(ValueError, match="regression"):
        logme(F, y, regression="yes")
    with pytest.raises(ValueError, match="shrinkage"):
        h_score(F, y, shrinkage=0.5)


def three_sources(seed):
    """The first source follows the target, the second in part, the third not at all."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(4, 150, 5))
    directions = np.zeros((4, 5))
    directions[[0, 3], 0] = 1.0
    directions[1, :2] = 0.7
    directions[2, 2] = 1.0
    y = np.einsum("ijk,ik->ij", X, directions) + 0.3 * rng.normal(size=(4, 150))
    return X, y


@pytest.mark.parametrize("measure", ["logme", "h_score", "leep"])
@pytest.mark.parametrize("model", [LogisticRegression(), RandomForestClassifier(random_state=0)])
def test_sources_are_ranked_by_how_well_they_suit(measure, model):
    X, y = three_sources(0)
    y = np.where(y > 0, "yes", "no")
    few = y[3].astype(object)
    few[60:] = None
    rows, labels, d = stack_domains(list(X[:3]), list(y[:3]), X[3], few)
    ranking = rank_sources(model, rows, labels, sample_domain=d, measure=measure)
    assert [rank.source for rank in ranking] == [1, 2, 3]
    assert ranking[0].score > ranking[1].score > ranking[2].score


def test_rows_without_a_label_take_no_part():
    X, y = three_sources(0)
    few = np.where(np.arange(150) < 60, (y[3] > 0).astype(int), -1)
    sources = [(part > 0).astype(int) for part in y[:3]]
    d = np.repeat([1, 2, 3, -4], 150)
    rows, labels = X.reshape(-1, 5), np.concatenate([*sources, few])
    found = rank_sources(LogisticRegression(), rows, labels, sample_domain=d)
    known = np.r_[:510]
    wanted = rank_sources(LogisticRegression(), rows[known], labels[known], sample_domain=d[known])
    assert found == wanted


def test_sources_of_numbers_are_ranked_by_the_evidence():
    X, y = three_sources(1)
    few = np.where(np.arange(150) < 40, y[3], np.nan)
    rows, labels, d = stack_domains(list(X[:3]), list(y[:3]), X[3], few)
    assert [r.source for r in rank_sources(Ridge(), rows, labels, sample_domain=d)] == [1, 2, 3]
    with pytest.raises(ValueError, match="'logme' for a regressor"):
        rank_sources(Ridge(), rows, labels, sample_domain=d, measure="leep")


def test_bad_input_of_the_ranking_is_named():
    X, y = three_sources(0)
    y = (y > 0).astype(int)
    rows, labels, d = stack_domains(list(X[:3]), list(y[:3]), X[3])
    with pytest.raises(ValueError, match="needs labeled target rows"):
        rank_sources(LogisticRegression(), rows, labels, sample_domain=d)
    with pytest.raises(ValueError, match="measure must be one of"):
        rank_sources(LogisticRegression(), rows, labels, sample_domain=d, measure="best")
    with pytest.raises(ValueError, match="has no target rows"):
        rank_sources(LogisticRegression(), X[0], y[0], sample_domain=np.ones(150, dtype=int))
