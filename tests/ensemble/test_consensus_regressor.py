"""The middle of the predictions is not moved by a candidate that fails."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.tree import DecisionTreeRegressor

from skda import (
    ConsensusRegressor,
    DIPLSRegressor,
    DomainScaler,
    DomainWarning,
    TrAdaBoostRegressor,
    make_domain_pipeline,
    stack_domains,
)

pytestmark = pytest.mark.usefixtures("routing")


class Says(RegressorMixin, BaseEstimator):
    """A regressor that says of each row what stands in a column of X, and an offset."""

    def __init__(self, column=0, offset=0.0):
        self.column = column
        self.offset = offset

    def fit(self, X, y):
        self.fitted_ = True
        return self

    def predict(self, X):
        return np.asarray(X)[:, self.column] + self.offset


@pytest.fixture
def spoken():
    """Rows whose columns are noisy copies of y, with different noise."""
    rng = np.random.default_rng(0)
    y = rng.normal(size=400)
    X = y[:, None] + rng.normal(size=(400, 4)) * [0.5, 0.5, 0.5, 2.0]
    return X, y, np.repeat([1, -2], 200)


@pytest.fixture
def shifted():
    """Target rows in other units, which scaling per domain takes back."""
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(120, 3)), rng.normal(size=(120, 3))
    weights = [1.0, 2.0, 3.0]
    X, y, d = stack_domains(A, A @ weights, 2 * B + 5, B @ weights)
    return X, y, d


def voters(**offsets):
    return {f"voter {i}": Says(i) for i in range(1, 4)} | {
        name: Says(1, offset) for name, offset in offsets.items()
    }


def error(model, X, y, d):
    return np.mean((model.predict(X[d < 0]) - y[d < 0]) ** 2)


def test_the_median_is_not_moved_by_one_that_fails(spoken):
    X, y, d = spoken
    errors = {
        combine: error(
            ConsensusRegressor(voters(lost=1e6), estimator=Says(0), combine=combine).fit(
                X, y, sample_domain=d
            ),
            X,
            y,
            d,
        )
        for combine in ("median", "trimmed_mean", "mean")
    }
    assert errors["median"] < 0.3
    assert errors["trimmed_mean"] < 0.5
    assert errors["mean"] > 1e6


def test_combinations_are_those_of_numpy(spoken):
    X, y, d = spoken
    values = X[d < 0]
    for combine, expected in (
        ("median", np.median(values, axis=1)),
        ("mean", values.mean(axis=1)),
    ):
        model = ConsensusRegressor(voters(), estimator=Says(0), combine=combine)
        np.testing.assert_allclose(model.fit(X, y, sample_domain=d).predict(values), expected)
    model.set_params(combine="trimmed_mean", trim=0.0).fit(X, y, sample_domain=d)
    np.testing.assert_allclose(model.predict(values), values.mean(axis=1))


def test_principal_gives_the_noisy_one_little_weight(spoken):
    X, y, d = spoken
    model = ConsensusRegressor(voters(), estimator=Says(0), combine="principal")
    model.fit(X, y, sample_domain=d)
    assert model.weights_[3] < 0.2 * model.weights_[:3].min()
    plain = ConsensusRegressor(voters(), estimator=Says(0), combine="mean")
    assert error(model, X, y, d) < error(plain.fit(X, y, sample_domain=d), X, y, d)


def test_duplicates_count_as_one(spoken):
    X, y, d = spoken
    many = voters() | {f"copy {i}": Says(3, 1e-3 * i) for i in range(10)}
    model = ConsensusRegressor(many, estimator=Says(0)).fit(X, y, sample_domain=d)
    np.testing.assert_allclose(model.weights_[3:], 1 / 11)
    assert error(model, X, y, d) < 0.3


def test_target_labels_shift_it_only_when_asked(spoken):
    X, y, d = spoken
    y = y + np.where(d < 0, 10.0, 0.0)
    known = np.where((d > 0) | (np.arange(400) % 10 == 0), y, np.nan)
    blind = ConsensusRegressor(voters(), estimator=Says(0)).fit(X, known, sample_domain=d)
    assert blind.intercept_ == 0.0
    told = ConsensusRegressor(voters(), estimator=Says(0), use_target_labels=True)
    assert told.fit(X, known, sample_domain=d).intercept_ == pytest.approx(10.0, abs=0.5)
    assert error(told, X, y, d) < 0.5 < error(blind, X, y, d)
    told.fit(X, np.where(d > 0, y, np.nan), sample_domain=d)
    assert told.intercept_ == 0.0


def test_as_it_comes_it_helps(shifted):
    X, y, d = shifted
    known = np.where(d < 0, np.nan, y)
    model = ConsensusRegressor().fit(X, known, sample_domain=d)
    source_only = model.estimators_["source only"]
    assert error(model, X, y, d) < 0.1 * error(source_only, X, y, d)
    assert not model.keeps_source_
    assert len(model.table_) == len(model.estimators_) > 8


def test_what_predicts_nan_or_several_outputs_is_left_out(spoken):
    X, y, d = spoken

    class Strange(Says):
        def predict(self, X):
            return np.full((len(X), 2), 1.0) if self.column else np.full(len(X), np.nan)

    candidates = voters() | {"nan": Strange(0), "two": Strange(1)}
    with pytest.warns(DomainWarning) as caught:
        model = ConsensusRegressor(candidates, estimator=Says(0)).fit(X, y, sample_domain=d)
    texts = " ".join(str(w.message) for w in caught)
    assert "NaN or infinity" in texts
    assert "2 outputs" in texts
    assert len(model.estimators_) == 4


def test_candidates_made_for_target_labels_get_them_only_when_asked(shifted):
    X, y, d = shifted
    known = np.where((d > 0) | (np.arange(len(y)) % 5 == 0), y, np.nan)
    boosting = {"boosting": TrAdaBoostRegressor(DecisionTreeRegressor(), n_estimators=3)}
    with pytest.warns(DomainWarning, match="boosting"):
        ConsensusRegressor(boosting, estimator=Ridge()).fit(X, known, sample_domain=d)
    told = ConsensusRegressor(boosting, estimator=Ridge(), use_target_labels=True)
    assert "boosting" in told.fit(X, known, sample_domain=d).estimators_


def test_without_domains_it_is_the_plain_regressor(shifted):
    X, y, _ = shifted
    with pytest.warns(DomainWarning, match="without sample_domain"):
        model = ConsensusRegressor(estimator=Ridge()).fit(X, y)
    np.testing.assert_allclose(model.predict(X), Ridge().fit(X, y).predict(X))
    assert model.keeps_source_


def test_progress_processes_and_pipelines(shifted, capsys):
    X, y, d = shifted
    candidates = {
        "scaler": make_domain_pipeline(DomainScaler(), LinearRegression()),
        "dipls": DIPLSRegressor(n_components=2),
    }
    model = ConsensusRegressor(candidates, n_jobs=2, verbose=True)
    make_domain_pipeline(model).fit(X, np.where(d < 0, np.nan, y), sample_domain=d)
    assert "[3/3] dipls: fitted" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"combine": "vote"}, "combine"),
        ({"trim": 0.5}, "trim"),
        ({"candidates": {"a": LogisticRegression()}}, "must be a regressor"),
        ({"estimator": LogisticRegression()}, "estimator must be a regressor"),
        ({"candidates": 3}, "candidates"),
        ({"verbose": "yes"}, "verbose"),
        ({"n_jobs": 1.5}, "n_jobs"),
        ({"use_target_labels": None}, "use_target_labels"),
    ],
)
def test_bad_parameters_are_named(shifted, params, text):
    X, y, d = shifted
    with pytest.raises(ValueError, match=text):
        ConsensusRegressor(**params).fit(X, y, sample_domain=d)
