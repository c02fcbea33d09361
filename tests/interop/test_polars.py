"""polars frames from the first line to the last.

That each estimator gives the same for a polars frame is part of the contract (tests/checks.py).
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skda import (
    CORALTransformer,
    DomainScaler,
    PerDomain,
    TrainOnSource,
    adapt_to,
    encode_domains,
    make_domain_pipeline,
    stack_domains,
)
from skda.conformal import ConformalClassifier
from skda.metrics import LabeledTargetScorer, SourceScorer
from skda.model_selection import DomainStratifiedKFold, compare

pl = pytest.importorskip("polars")

pytestmark = pytest.mark.usefixtures("routing")

FEATURES = ["age", "pressure", "sex"]


def site(name, n_rows, seed):
    rng = np.random.default_rng(seed)
    ill = rng.integers(0, 2, n_rows)
    pressure = rng.normal(size=n_rows) + 2.5 * ill
    return pl.DataFrame(
        {
            "site": [name] * n_rows,
            "age": np.where(np.arange(n_rows) % 9 == 0, None, rng.normal(50, 9, n_rows)).tolist(),
            "pressure": pressure if name == "Bonn" else 0.3 * pressure + 3.0,
            "sex": rng.choice(["f", "m"], n_rows),
            "ill": ill,
        }
    )


@pytest.fixture(scope="module")
def frame():
    return pl.concat([site("Bonn", 60, 0), site("Turin", 50, 1)])


def columns():
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    return make_column_transformer(
        (numbers, ["age", "pressure"]),
        (OneHotEncoder(sparse_output=False), ["sex"]),
        verbose_feature_names_out=False,
    )


def model(**params):
    return make_domain_pipeline(columns(), DomainScaler(**params), LogisticRegression())


def test_columns_of_one_frame_are_all_it_takes(frame):
    X, y = frame[FEATURES], frame["ill"]
    d = pl.Series(encode_domains(frame["site"], target="Turin"))
    target = frame.filter(pl.col("site") == "Turin")
    found = model().fit(X, y, sample_domain=d)
    plain = TrainOnSource(make_pipeline(columns(), LogisticRegression())).fit(X, y, sample_domain=d)
    accuracy = [m.score(target[FEATURES], target["ill"]) for m in (plain, found)]
    assert accuracy[1] > accuracy[0] + 0.2
    by_pandas = model().fit(X.to_pandas(), y.to_pandas(), sample_domain=d.to_pandas())
    assert_allclose(found.predict_proba(X), by_pandas.predict_proba(X.to_pandas()))


@pytest.mark.parametrize("kind", ["String", "Categorical", "Boolean", "Int64", "Float32"])
def test_null_is_a_missing_label(frame, kind):
    X, d = frame[FEATURES], encode_domains(frame["site"], target="Turin")
    dtype = getattr(pl, kind)
    label = frame["ill"].cast(pl.String) if kind == "Categorical" else frame["ill"]
    label = label.cast(dtype)
    hidden = label.to_frame("y").select(
        pl.when(pl.Series(d) > 0).then(pl.col("y")).otherwise(None).alias("y")
    )["y"]
    assert hidden.null_count() == 50
    found = model().fit(X, hidden, sample_domain=d)
    known = model().fit(X, label, sample_domain=d)
    assert_array_equal(found.predict(X), known.predict(X))
    assert_array_equal(found.classes_, known.classes_)
    few = pl.concat([label[:70], hidden[70:]])
    inner = make_pipeline(columns(), LogisticRegression())
    semi = TrainOnSource(inner, use_target_labels=True).fit(X, few, sample_domain=d)
    by_hand = clone(inner).fit(X[:70], frame["ill"][:70].to_numpy())
    assert_allclose(semi.predict_proba(X), by_hand.predict_proba(X))


def test_frames_come_out(frame):
    X, d = frame[FEATURES], encode_domains(frame["site"], target="Turin")
    for step in (DomainScaler(), CORALTransformer(), PerDomain(StandardScaler())):
        maps = make_domain_pipeline(columns(), step).set_output(transform="polars")
        mapped = maps.fit_transform(X, sample_domain=d)
        assert isinstance(mapped, pl.DataFrame)
        assert mapped.columns == ["age", "pressure", "sex_f", "sex_m"]
        assert maps.transform(X, sample_domain=pl.Series(d)).equals(mapped)


def test_tables_of_sites_are_stacked(frame):
    bonn, turin = (frame.filter(pl.col("site") == name) for name in ("Bonn", "Turin"))
    X, y, d = stack_domains(bonn[FEATURES], bonn["ill"], turin[FEATURES])
    assert X.equals(frame[FEATURES])
    assert np.isnan(y[d < 0]).all()
    X, y, d = stack_domains(bonn[FEATURES], bonn["ill"], turin[["age"]], join="outer")
    assert X.columns == FEATURES
    assert X.filter(pl.Series(d) < 0)["sex"].null_count() == 50


def test_searches_and_comparisons_cut_frames(frame):
    X, y = frame[FEATURES], frame["ill"]
    d = pl.Series(encode_domains(frame["site"], target="Turin"))
    folds = DomainStratifiedKFold(2, shuffle=True, random_state=0)
    search = GridSearchCV(
        model(),
        {"domainscaler__strength": [0.0, 1.0]},
        cv=folds,
        scoring=LabeledTargetScorer("accuracy"),
        error_score="raise",
    ).fit(X, y, sample_domain=d)
    assert search.best_params_ == {"domainscaler__strength": 1.0}
    table = compare(
        {"scaled": model()},
        X,
        y,
        sample_domain=d,
        cv=folds,
        scoring={"source": SourceScorer("accuracy")},
    )
    assert np.isfinite(table["source", "mean"]).all()


def test_the_next_site_and_sets(frame):
    X, y = frame[FEATURES], frame["ill"]
    d = encode_domains(frame["site"], target="Turin")
    later = site("Lyon", 40, 2)
    found = make_domain_pipeline(columns(), DomainScaler(), LogisticRegression())
    found.fit(X, y, sample_domain=d)
    ids = pl.Series([-7] * 40)
    found = adapt_to(found, later[FEATURES], sample_domain=ids)
    predicted = found.predict(later[FEATURES], sample_domain=ids)
    assert (predicted == later["ill"].to_numpy()).mean() > 0.7
    sets = ConformalClassifier(model(), random_state=0).fit(X, y, sample_domain=pl.Series(d))
    assert sets.predict_set(X[60:]).shape == (50, 2)


def test_a_query_that_has_not_run_is_refused_in_words(frame):
    X, y = frame[FEATURES], frame["ill"]
    d = encode_domains(frame["site"], target="Turin")
    numbers = frame[["pressure"]]
    with pytest.raises(TypeError, match=r"X must be a table.*LazyFrame.*Pass X\.collect\(\)"):
        CORALTransformer().fit(numbers.lazy(), sample_domain=d)
    with pytest.raises(TypeError, match=r"Pass X\.collect\(\)"):
        TrainOnSource(LogisticRegression()).fit(numbers.lazy(), y, sample_domain=d)
    with pytest.raises(TypeError, match=r"Pass X_source\.collect\(\)"):
        stack_domains(X.lazy(), y, X.lazy())
