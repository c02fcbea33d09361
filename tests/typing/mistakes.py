"""Mistakes of a user, each of which mypy reports. Nobody runs them.

`make lint` has mypy complain about a `type: ignore` that it does not need, so a mistake that is
no longer seen is an error there.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression

import skda
from skda import CORALTransformer, ImportanceWeightedEstimator, KMMWeighter, LabelShiftClassifier
from skda.metrics import mmd

X, ids = np.zeros((4, 2)), np.array([1, 1, -2, -2])


def misspelled_names() -> None:
    skda.CoralTransformer()  # type: ignore[attr-defined]
    CORALTransformer(stregnth=0.5)  # type: ignore[call-arg]
    skda.metrics.mmdd(X, X)  # type: ignore[attr-defined]


def wrong_types_of_parameters() -> None:
    CORALTransformer(strength="full")  # type: ignore[arg-type]
    CORALTransformer(match_mean="no")  # type: ignore[arg-type]
    KMMWeighter(max_iter="many")  # type: ignore[arg-type]


def options_that_do_not_exist() -> None:
    CORALTransformer(reg="ledoit")  # type: ignore[arg-type]
    LabelShiftClassifier(LogisticRegression(), method="bbsee")  # type: ignore[arg-type]
    skda.set_config(backend="jax")  # type: ignore[arg-type]
    mmd(X, X, gamma="mean")  # type: ignore[arg-type]


def positions_for_what_has_a_name() -> None:
    CORALTransformer(0.5)  # type: ignore[call-arg]
    CORALTransformer().fit(X, None, ids)  # type: ignore[call-arg]


def things_that_are_no_rows_and_no_ids() -> None:
    CORALTransformer().fit(3)  # type: ignore[arg-type]
    CORALTransformer().fit(X, sample_domain="target")  # type: ignore[arg-type]


def things_that_are_no_estimators() -> None:
    ImportanceWeightedEstimator("logistic")  # type: ignore[arg-type]
    ImportanceWeightedEstimator(LogisticRegression(), 3)  # type: ignore[arg-type]


def results_taken_for_something_else() -> None:
    distance: str = mmd(X, X)  # type: ignore[assignment]
    aligned: bool = skda.stack_domains(X, ids, X)  # type: ignore[assignment]
    print(distance, aligned)
