"""LightGBM inside our estimators."""

import numpy as np
import pytest

from skda import TrAdaBoostClassifier
from tests.interop import boosting

lightgbm = pytest.importorskip("lightgbm")

SMALL = {
    "n_jobs": 1,
    "n_estimators": 15,
    "learning_rate": 0.3,
    "min_child_samples": 3,
    "num_leaves": 4,
    "verbose": -1,
}


def test_weights_reach_the_trees():
    boosting.check_weights_arrive(lightgbm.LGBMRegressor(**SMALL | {"num_leaves": 2}))


def test_weights_of_the_user_are_multiplied_in():
    boosting.check_weights_of_the_user(lightgbm.LGBMRegressor(**SMALL))


def test_tradaboost_boosts_boosters():
    boosting.check_boosting_of_boosters(lightgbm.LGBMClassifier(**SMALL))


def test_consensus_of_boosters(routing):
    boosting.check_consensus(lightgbm.LGBMClassifier(**SMALL))


def test_missing_values_go_through():
    boosting.check_missing_values(lightgbm.LGBMClassifier(**SMALL))


def test_categories_of_a_data_frame_and_text_labels_go_through():
    pd = pytest.importorskip("pandas")
    X, y, d, X_rest, y_rest = boosting.other_concept()
    kinds = pd.CategoricalDtype(["low", "high"])

    def frame(X):
        side = pd.Series(np.where(X[:, 0] > 0, "high", "low"), dtype=kinds)
        return pd.DataFrame({"side": side, "value": X[:, 1]})

    text = np.where(np.isnan(y), None, np.where(y == 1, "yes", "no").astype(object))
    model = TrAdaBoostClassifier(lightgbm.LGBMClassifier(**SMALL), n_estimators=3)
    model.fit(frame(X), text, sample_domain=d)
    assert model.classes_.tolist() == ["no", "yes"]
    assert model.score(frame(X_rest), np.where(y_rest == 1, "yes", "no")) > 0.7
    # The trees split the category itself: its name is among what they were told.
    assert model.estimators_[0].booster_.pandas_categorical == [["low", "high"]]
