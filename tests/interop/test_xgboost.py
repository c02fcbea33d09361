"""XGBoost inside our estimators."""

import numpy as np
import pytest

from skda import ImportanceWeightedEstimator, TrainOnSource
from tests.interop import boosting

xgboost = pytest.importorskip("xgboost")

SMALL = {"n_jobs": 1, "n_estimators": 15, "max_depth": 2, "learning_rate": 0.3}


def test_weights_reach_the_trees():
    boosting.check_weights_arrive(xgboost.XGBRegressor(**SMALL | {"max_depth": 1}))


def test_weights_of_the_user_are_multiplied_in():
    boosting.check_weights_of_the_user(xgboost.XGBRegressor(**SMALL))


def test_tradaboost_boosts_boosters():
    boosting.check_boosting_of_boosters(xgboost.XGBClassifier(**SMALL))


def test_consensus_of_boosters(routing):
    boosting.check_consensus(xgboost.XGBClassifier(**SMALL))


def test_missing_values_go_through():
    boosting.check_missing_values(xgboost.XGBClassifier(**SMALL))


def test_early_stopping_gets_the_eval_set_that_it_asks_for(routing):
    X, y, d, X_rest, y_rest = boosting.other_concept()
    inner = xgboost.XGBClassifier(**SMALL | {"n_estimators": 200, "early_stopping_rounds": 3})
    inner.set_fit_request(eval_set=True, verbose=True)
    for model in (TrainOnSource(inner), ImportanceWeightedEstimator(inner)):
        model.fit(X, y, sample_domain=d, eval_set=[(X_rest, y_rest)], verbose=False)
        assert model.estimator_.best_iteration < 199
        assert np.isin(model.predict(X_rest), [0, 1]).all()
