"""A typed program of a user, which runs and which mypy accepts (`make lint`)."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

import skda
from skda import (
    CORALTransformer,
    ImportanceWeightedEstimator,
    KMMWeighter,
    LabelShiftClassifier,
    QuantileTransportTransformer,
    stack_domains,
)
from skda.datasets import make_covariate_shift
from skda.metrics import mmd


def two_domains(seed: int | np.random.RandomState = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return make_covariate_shift(30, 30, random_state=seed)


def accuracy(strength: float) -> float:
    X, y, sample_domain = two_domains()
    coral: CORALTransformer = CORALTransformer(strength=strength, reg="ledoit-wolf")
    coral = coral.fit(X, sample_domain=sample_domain)
    aligned = coral.transform(X, sample_domain=sample_domain)
    source = sample_domain >= 0
    model = LogisticRegression().fit(aligned[source], y[source])
    return float(model.score(aligned[~source], y[~source]))


def test_a_transformer_is_used_as_typed() -> None:
    assert 0.0 <= accuracy(0.5) <= 1.0


def test_estimators_of_scikit_learn_and_of_ours_go_into_meta_estimators() -> None:
    X, y, sample_domain = two_domains(np.random.RandomState(0))
    weighted = ImportanceWeightedEstimator(LogisticRegression(), KMMWeighter(gamma="scale"))
    weighted.fit(X, y, sample_domain=sample_domain)
    inner: ImportanceWeightedEstimator = ImportanceWeightedEstimator(Ridge(), weighter=None)
    assert inner.weighter is None
    assert weighted.predict(X).shape == y.shape
    score: float = weighted.score(X, y)
    assert score > 0.4


def test_lists_and_frames_are_rows() -> None:
    pandas = pytest.importorskip("pandas")
    rows = [[0.0, 1.0], [1.0, 0.0], [2.0, 1.0], [1.0, 3.0]]
    ids = [1, 1, -2, -2]
    quantiles = QuantileTransportTransformer(direction="to_source")
    from_lists = quantiles.fit(rows, sample_domain=ids).transform(rows, sample_domain=ids)
    frame = pandas.DataFrame(rows, columns=["a", "b"])
    from_frame = quantiles.fit(frame, sample_domain=ids).transform(frame, sample_domain=ids)
    assert np.allclose(from_lists, from_frame)


def test_functions_return_what_they_are_typed_to() -> None:
    X, y, sample_domain = two_domains()
    distance: float = mmd(X[sample_domain >= 0], X[sample_domain < 0], gamma="median")
    assert distance >= 0.0
    _, labels, ids = stack_domains(X[:5], y[:5], X[5:9])
    assert labels is not None
    assert ids.sum() == 5 - 4 * 2 or len(ids) == len(labels)
    settings: dict[str, object] = skda.get_config()
    with skda.config_context(backend="numpy"):
        assert skda.get_config() != settings


def test_fit_returns_the_class_itself() -> None:
    X, y, sample_domain = two_domains()
    model: LabelShiftClassifier = LabelShiftClassifier(LogisticRegression(), method="em")
    model = model.fit(X, y, sample_domain=sample_domain)
    proba = model.predict_proba(X)
    assert proba.shape == (len(X), 2)
