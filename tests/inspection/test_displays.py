"""Displays compute what they show, draw on given axes, and refuse what they cannot show."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from skda import ImportanceWeightedEstimator, LinearTransportTransformer, NearestNeighborsWeighter
from skda.inspection import (
    DomainsDisplay,
    FeatureShiftDisplay,
    WeightsDisplay,
    plot_domains,
    plot_feature_shift,
    plot_weights,
)

pd = pytest.importorskip("pandas")
pyplot = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    pyplot.close("all")


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    ids = np.repeat([1, -2], [40, 20])
    X = rng.normal(size=(60, 3))
    X[ids < 0, 1] += 4.0
    return X, ids


def test_histograms_are_proportions_of_each_side(rows):
    X, ids = rows
    display = FeatureShiftDisplay.from_rows(X, ids, n_features=2, n_bins=5, plot=False)
    assert next(iter(display.histograms)) == "x1" and len(display.histograms) == 2
    for edges, source, target in display.histograms.values():
        assert len(edges) == 6
        assert_allclose([source.sum(), target.sum()], 1.0)
    display = plot_feature_shift(X, ids)
    assert display.axes_[0].get_title().startswith("x1:")


def test_categories_gaps_and_constants_have_histograms():
    table = pd.DataFrame({"a": ["u", "v", "u", "w"], "b": [1.0, np.nan, 2.0, 2.0], "c": [5.0] * 4})
    display = plot_feature_shift(table, [1, 1, -2, -2])
    names, source, target = display.histograms["a"]
    assert names[0] == "u" and source[0] == target[0] == 0.5
    assert display.histograms["b"][1].sum() == 0.5  # the gap is in no bin
    assert display.histograms["c"][1].sum() == 1.0


def test_axes_that_are_given_are_used(rows):
    X, ids = rows
    figure, axes = pyplot.subplots(1, 2)
    display = plot_feature_shift(X, ids, n_features=2, ax=axes)
    assert display.axes_ == list(axes) and display.figure_ is figure
    with pytest.raises(ValueError, match="ax must hold 3 axes"):
        plot_feature_shift(X, ids, n_features=3, ax=axes)
    one = pyplot.subplots()[1]
    assert plot_domains(X, ids, ax=one).axes_ == [one]


def test_a_map_that_keeps_the_features_is_shown_in_the_same_plane(rows):
    X, ids = rows
    mapping = LinearTransportTransformer().fit(X, sample_domain=ids)
    display = plot_domains(X, ids, map=mapping)
    assert len(display.axes_) == 2

    def gap(points):
        return np.linalg.norm(points[ids >= 0].mean(axis=0) - points[ids < 0].mean(axis=0))

    assert gap(display.after) < 0.05 * gap(display.before)
    still = DomainsDisplay.from_rows(X, ids, map=Identity(), plot=False)
    assert_allclose(still.after, still.before)


class Identity:
    def transform(self, X):
        return X


def test_maps_of_scikit_learn_and_rows_of_any_kind_are_shown(rows):
    X, ids = rows
    scaler = StandardScaler().fit(X)
    assert DomainsDisplay.from_rows(X, ids, map=scaler, plot=False).after.shape == (60, 2)
    table = pd.DataFrame(X, columns=list("abc")).assign(d=["u", "v", "w"] * 20)
    assert DomainsDisplay.from_rows(table, ids, plot=False).before.shape == (60, 2)
    assert DomainsDisplay.from_rows(sparse.csr_array(X), ids, plot=False).before.shape == (60, 2)
    single = DomainsDisplay.from_rows(X[:, :1], ids, plot=False).before
    assert single.shape == (60, 2) and not single[:, 1].any()
    with pytest.raises(ValueError, match="map must be a fitted transformer"):
        plot_domains(X, ids, map="pca")


def test_points_and_histograms_that_fit_nothing_are_refused(rows):
    X, ids = rows
    with pytest.raises(ValueError, match=r"before must be finite numbers of shape \(60, 2\)"):
        DomainsDisplay(X, ids)
    with pytest.raises(ValueError, match=r"after must be finite numbers of shape \(60, 2\)"):
        DomainsDisplay(X[:, :2], ids, after=X[:5, :2])
    table = FeatureShiftDisplay.from_rows(X, ids, plot=False).table
    for histograms in ({}, {"x9": ([0, 1], [1.0], [1.0])}):
        with pytest.raises(ValueError, match="histograms must be a dict"):
            FeatureShiftDisplay(table, histograms)


def test_weights_of_a_weighter_and_of_what_holds_one(rows):
    X, ids = rows
    X[ids < 0, 1] -= 3.5  # so that the domains overlap
    weighter = NearestNeighborsWeighter().fit(X, sample_domain=ids)
    display = plot_weights(weighter)
    assert_allclose(display.weights, weighter.weights_ / weighter.weights_.mean())
    assert len(display.axes_) == 2
    model = ImportanceWeightedEstimator(LogisticRegression(), NearestNeighborsWeighter())
    model.fit(X, X[:, 0] > 0, sample_domain=ids)
    assert_allclose(plot_weights(model).weights, display.weights)
    assert WeightsDisplay([2.0, 2.0]).effective_sample_size == 2.0


@pytest.mark.parametrize("weights", [[1.0, -1.0], [0.0, 0.0], [[1.0]], [np.nan, 1.0]])
def test_weights_that_are_none_are_refused(weights):
    with pytest.raises(ValueError, match="weights must"):
        WeightsDisplay(weights)


def test_an_estimator_without_weights_is_refused():
    with pytest.raises(ValueError, match="weights_"):
        plot_weights(StandardScaler())
