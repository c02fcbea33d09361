"""MAPIE around a fitted pipeline that adapts, beside our own sets and intervals."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from skda import CORALTransformer, make_domain_pipeline, stack_domains
from skda.conformal import ConformalClassifier, ConformalRegressor

pytest.importorskip("mapie", minversion="1.0")

from mapie.classification import CrossConformalClassifier, SplitConformalClassifier
from mapie.regression import (
    JackknifeAfterBootstrapRegressor,
    SplitConformalRegressor,
)

pytestmark = pytest.mark.usefixtures("routing")

LEVEL = 0.8


@pytest.fixture(scope="module")
def data():
    """Two classes in other units in the target, of which 60 rows calibrate and 400 are tested."""
    rng = np.random.default_rng(0)
    ys, yt = rng.integers(0, 2, 150), rng.integers(0, 2, 460)
    Xs, Xt = (rng.normal(size=(len(y), 2)) + 1.5 * y[:, None] for y in (ys, yt))
    Xt = Xt * [[0.5, 2.0]] + [[3.0, -3.0]]
    X, y, d = stack_domains(Xs, ys, Xt[:60])
    return X, y, d, (Xt[:60], yt[:60]), (Xt[60:], yt[60:])


def pipeline(last):
    return make_domain_pipeline(StandardScaler(), CORALTransformer(match_mean=True), last)


def coverage(sets, y):
    return sets[np.arange(len(y)), y].mean()


def test_sets_around_a_fitted_pipeline_hold_on_target_rows(data):
    X, y, d, (X_calib, y_calib), (X_test, y_test) = data
    model = pipeline(LogisticRegression()).fit(X, y, sample_domain=d)
    theirs = SplitConformalClassifier(model, confidence_level=LEVEL, prefit=True)
    labels, sets = theirs.conformalize(X_calib, y_calib).predict_set(X_test)
    assert_array_equal(labels, model.predict(X_test))
    assert coverage(sets[:, :, 0], y_test) == pytest.approx(LEVEL, abs=0.12)
    # Ours, calibrated by the same rows, asks for as much.
    known = y.copy()
    known[d < 0] = y_calib
    ours = ConformalClassifier(
        pipeline(LogisticRegression()),
        alpha=1 - LEVEL,
        use_target_labels=True,
        target_share=1,
        random_state=0,
    ).fit(X, known, sample_domain=d)
    assert coverage(ours.predict_set(X_test), y_test) == pytest.approx(LEVEL, abs=0.12)
    assert (ours.predict_set(X_test) == sets[:, :, 0]).mean() > 0.8


def test_source_rows_calibrate_the_last_step_after_their_own_map(data):
    X, y, d, _, (X_test, y_test) = data
    model = pipeline(LogisticRegression()).fit(X, y, sample_domain=d)
    maps, last = model[:-1], model[-1]
    X_source, y_source = X[d > 0], y[d > 0].astype(int)
    mapped = SplitConformalClassifier(last, confidence_level=LEVEL, prefit=True)
    mapped.conformalize(maps.transform(X_source, sample_domain=d[d > 0]), y_source)
    right = coverage(mapped.predict_set(maps.transform(X_test))[1][:, :, 0], y_test)
    assert right == pytest.approx(LEVEL, abs=0.12)
    # Around the pipeline they would be mapped as target rows, and the sets become all classes.
    whole = SplitConformalClassifier(model, confidence_level=LEVEL, prefit=True)
    whole.conformalize(X_source, y_source)
    wrong = coverage(whole.predict_set(X_test)[1][:, :, 0], y_test)
    assert wrong > right + 0.05


def test_it_fits_the_pipeline_itself(data):
    X, y, d, (X_calib, y_calib), (X_test, _) = data
    theirs = SplitConformalClassifier(
        pipeline(LogisticRegression()), confidence_level=LEVEL, prefit=False
    )
    theirs.fit(X, y, fit_params={"sample_domain": d}).conformalize(X_calib, y_calib)
    model = pipeline(LogisticRegression()).fit(X, y, sample_domain=d)
    assert_array_equal(theirs.predict(X_test), model.predict(X_test))


def test_their_folds_do_not_cut_sample_domain(data):
    X, y, d, (_, y_calib), _ = data
    known = y.copy()
    known[d < 0] = y_calib
    theirs = CrossConformalClassifier(pipeline(LogisticRegression()), cv=3)
    with pytest.raises(ValueError, match=r"one value per row of X; got 210 values for \d+ rows"):
        theirs.fit_conformalize(X, known.astype(int), fit_params={"sample_domain": d})


def test_their_bootstrap_parts_rows_from_their_domains(data):
    # What the guide warns of. When this fails, MAPIE has learnt to cut metadata: say so there.
    X, y, d, (_, y_calib), _ = data
    known = np.where(d < 0, 0.0, y)
    known[d < 0] = y_calib
    seen = []

    class Recording(Ridge):
        def fit(self, X, y, sample_weight=None, marks=None):
            seen.append((X[:, 0].copy(), marks))
            return super().fit(X, y)

    JackknifeAfterBootstrapRegressor(Recording(), resampling=20).fit_conformalize(
        X, known, fit_params={"marks": X[:, 0]}
    )
    assert any(len(rows) == len(marks) and (rows != marks).any() for rows, marks in seen)


def test_intervals_around_a_fitted_pipeline(data):
    X, _, d, (X_calib, _), (X_test, _) = data
    rng = np.random.default_rng(1)
    values = np.where(d > 0, X.sum(axis=1), np.nan) + 0.3 * rng.normal(size=len(d))
    y_calib = (X_calib - [[3, -3]]) / [[0.5, 2.0]] @ [1.0, 1.0] + 0.3 * rng.normal(size=60)
    y_test = (X_test - [[3, -3]]) / [[0.5, 2.0]] @ [1.0, 1.0] + 0.3 * rng.normal(size=400)
    model = pipeline(Ridge()).fit(X, values, sample_domain=d)
    theirs = SplitConformalRegressor(model, confidence_level=LEVEL, prefit=True)
    points, intervals = theirs.conformalize(X_calib, y_calib).predict_interval(X_test)
    assert_allclose(points, model.predict(X_test))
    inside = (intervals[:, 0, 0] <= y_test) & (y_test <= intervals[:, 1, 0])
    assert inside.mean() == pytest.approx(LEVEL, abs=0.12)
    known = values.copy()
    known[d < 0] = y_calib
    ours = ConformalRegressor(
        pipeline(Ridge()), alpha=1 - LEVEL, use_target_labels=True, target_share=1, random_state=0
    ).fit(X, known, sample_domain=d)
    low, high = ours.predict_interval(X_test).T
    assert ((low <= y_test) & (y_test <= high)).mean() == pytest.approx(LEVEL, abs=0.12)
