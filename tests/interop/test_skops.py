"""Pipelines that adapt, saved by skops: files that cannot run code on loading.

That each estimator survives is tested in tests/test_skops.py.
"""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skda import (
    ConsensusClassifier,
    CORALTransformer,
    GaussianWeighter,
    ImportanceWeightedEstimator,
    PerDomain,
    adapt_to,
    make_domain_pipeline,
)
from skda.conformal import ConformalClassifier
from skda.model_selection import DomainStratifiedKFold

io = pytest.importorskip("skops.io")

pytestmark = pytest.mark.usefixtures("routing")


# Parts of scikit-learn and NumPy that skops does not trust without being told, either.
OURS = ("skda.", "sklearn.", "numpy.")


def loaded(model):
    """Save and load, trusting our types, and return what else would have to be trusted, too."""
    dumped = io.dumps(model)
    types = io.get_untrusted_types(data=dumped)
    return io.loads(dumped, trusted=types), [name for name in types if not name.startswith(OURS)]


def pipeline(last=None):
    return make_domain_pipeline(
        StandardScaler(),
        CORALTransformer(match_mean=True, direction="to_source"),
        LogisticRegression() if last is None else last,
    )


def test_a_pipeline_predicts_the_same_and_goes_on_learning(domains, tmp_path):
    X, y, d = domains
    model = pipeline().fit(X, y, sample_domain=d)
    io.dump(model, tmp_path / "model.skops")
    types = io.get_untrusted_types(file=tmp_path / "model.skops")
    again = io.load(tmp_path / "model.skops", trusted=types)
    assert_array_equal(
        again.predict_proba(X, sample_domain=d), model.predict_proba(X, sample_domain=d)
    )
    rows, ids = X[d < 0] + 1.0, np.full(60, -5)
    assert_array_equal(
        adapt_to(again, rows, sample_domain=ids).predict_proba(rows, sample_domain=ids),
        adapt_to(model, rows, sample_domain=ids).predict_proba(rows, sample_domain=ids),
    )


# Built in the test, where routing is on.
HOLDERS = {
    "search": lambda: GridSearchCV(
        pipeline(),
        {"coraltransformer__strength": [0.0, 1.0]},
        cv=DomainStratifiedKFold(2, shuffle=True, random_state=0),
    ),
    "weights": lambda: ImportanceWeightedEstimator(LogisticRegression(), GaussianWeighter()),
    "consensus": lambda: ConsensusClassifier(
        {"source only": LogisticRegression(), "coral": pipeline()}, check_need=False
    ),
    "conformal": lambda: ConformalClassifier(pipeline(), random_state=0),
    "columns": lambda: make_domain_pipeline(
        make_column_transformer((MinMaxScaler(), [0]), remainder="passthrough"),
        PerDomain(StandardScaler(with_mean=False)),
        LogisticRegression(),
    ),
}


@pytest.mark.parametrize("kind", HOLDERS)
def test_what_holds_pipelines_survives(kind, domains):
    X, y, d = domains
    model = HOLDERS[kind]().fit(X, y, sample_domain=d)
    again, others = loaded(model)
    assert not others
    assert_array_equal(again.predict(X[d < 0]), model.predict(X[d < 0]))


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_a_booster_inside_survives(library, domains):
    boosters = pytest.importorskip(library)
    X, y, d = domains
    inner = (
        boosters.LGBMClassifier(n_estimators=3, n_jobs=1, verbose=-1)
        if library == "lightgbm"
        else boosters.XGBClassifier(n_estimators=3, n_jobs=1)
    )
    model = pipeline(inner).fit(X, y, sample_domain=d)
    again, others = loaded(model)
    # What of the library is to be trusted is between it and skops.
    assert all(name.split(".")[0] in (library, "collections") for name in others), others
    assert_array_equal(again.predict_proba(X[d < 0]), model.predict_proba(X[d < 0]))
