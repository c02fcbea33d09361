"""CatBoost inside our estimators."""

import numpy as np
import pytest

from skda import ImportanceWeightedEstimator, TrAdaBoostClassifier, TrainOnSource
from tests.interop import boosting

catboost = pytest.importorskip("catboost")

SMALL = {
    "thread_count": 1,
    "n_estimators": 15,
    "max_depth": 2,
    "learning_rate": 0.3,
    "verbose": False,
    "allow_writing_files": False,
}


def test_weights_reach_the_trees():
    boosting.check_weights_arrive(catboost.CatBoostRegressor(**SMALL | {"max_depth": 1}))


def test_weights_of_the_user_are_multiplied_in():
    boosting.check_weights_of_the_user(catboost.CatBoostRegressor(**SMALL))


def test_tradaboost_boosts_boosters():
    boosting.check_boosting_of_boosters(catboost.CatBoostClassifier(**SMALL))


def test_consensus_of_boosters(routing):
    boosting.check_consensus(catboost.CatBoostClassifier(**SMALL))


def test_missing_values_go_through():
    boosting.check_missing_values(catboost.CatBoostClassifier(**SMALL))


def test_early_stopping_gets_the_eval_set_that_it_asks_for():
    # CatBoost cannot ask for metadata (no set_fit_request), so that this needs routing off.
    X, y, d, X_rest, y_rest = boosting.other_concept()
    inner = catboost.CatBoostClassifier(**SMALL | {"n_estimators": 200})
    for model in (TrainOnSource(inner), ImportanceWeightedEstimator(inner)):
        params = {"eval_set": (X_rest, y_rest), "early_stopping_rounds": 3}
        model.fit(X, y, sample_domain=d, **params)
        assert model.estimator_.tree_count_ < 199
        assert np.isin(model.predict(X_rest), [0, 1]).all()


def test_categories_of_a_data_frame_and_text_labels_go_through():
    pd = pytest.importorskip("pandas")
    X, y, d, X_rest, y_rest = boosting.other_concept()

    def frame(X):
        return pd.DataFrame({"side": np.where(X[:, 0] > 0, "high", "low"), "value": X[:, 1]})

    text = np.where(np.isnan(y), None, np.where(y == 1, "yes", "no").astype(object))
    # As a tuple: CatBoost copies lists, and scikit-learn refuses to clone it then.
    inner = catboost.CatBoostClassifier(**SMALL, cat_features=("side",))
    model = TrAdaBoostClassifier(inner, n_estimators=3).fit(frame(X), text, sample_domain=d)
    assert model.classes_.tolist() == ["no", "yes"]
    assert model.score(frame(X_rest), np.where(y_rest == 1, "yes", "no")) > 0.7
    assert model.estimators_[0].get_cat_feature_indices() == [0]
