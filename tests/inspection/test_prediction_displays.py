"""Confusion matrices and reliability diagrams of both domains: their numbers, and bad input."""

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from skda import DomainScaler, make_domain_pipeline
from skda.inspection import DomainCalibrationDisplay, DomainConfusionDisplay
from skda.inspection._reliability import reliability, wilson_interval

pyplot = pytest.importorskip("matplotlib.pyplot")

Y = np.array(["a", "a", "b", "b", "a", "b", "b", "b"])
PREDICTED = np.array(["a", "a", "b", "a", "b", "b", "b", "a"])
IDS = np.array([1, 1, 1, 2, -3, -3, -4, -4])


@pytest.fixture(autouse=True)
def close_figures():
    yield
    pyplot.close("all")


class Recorder(ClassifierMixin, BaseEstimator):
    """Predicts what its rows hold, and keeps the domains it is given."""

    def __init__(self, classes=("a", "b")):
        self.classes = classes
        self.classes_ = np.array(classes)
        self.seen = []

    def fit(self, X, y):
        return self

    def predict(self, X, sample_domain=None):
        self.seen.append(sample_domain)
        return self.classes_[np.asarray(X)[:, 0].astype(int)]

    def predict_proba(self, X, sample_domain=None):
        self.seen.append(sample_domain)
        return np.asarray(X)[:, 1:]


def rows_that_say(predicted):
    return np.array([[0.0 if name == "a" else 1.0, 0.5, 0.5] for name in predicted])


# Confusion matrices


def test_each_side_has_its_own_counts():
    display = DomainConfusionDisplay.from_predictions(
        Y, PREDICTED, sample_domain=IDS, normalize=None
    )
    assert display.labels.tolist() == ["a", "b"]
    assert_array_equal(display.confusion_matrices["source"], [[2, 0], [1, 1]])
    assert_array_equal(display.confusion_matrices["target"], [[0, 1], [1, 2]])
    assert display.accuracies == {"source": 0.75, "target": 0.5}
    titles = [ax.get_title() for ax in display.axes_]
    assert titles == ["source: accuracy 0.75", "target: accuracy 0.50"]
    assert [text.get_text() for text in display.ax_.texts] == ["2", "0", "1", "1"]


@pytest.mark.parametrize(
    ("normalize", "source"),
    [
        ("true", [[1, 0], [0.5, 0.5]]),
        ("pred", [[2 / 3, 0], [1 / 3, 1]]),
        ("all", [[0.5, 0], [0.25, 0.25]]),
    ],
)
def test_numbers_are_parts_of_what_was_asked_for(normalize, source):
    display = DomainConfusionDisplay.from_predictions(
        Y, PREDICTED, sample_domain=IDS, normalize=normalize, plot=False
    )
    assert_allclose(display.confusion_matrices["source"], source)


def test_domains_can_have_matrices_of_their_own_and_rows_weights():
    display = DomainConfusionDisplay.from_predictions(
        Y,
        PREDICTED,
        sample_domain=IDS,
        per_domain=True,
        sample_weight=np.arange(8.0),
        normalize=None,
        plot=False,
    )
    assert list(display.counts) == ["source 1", "source 2", "target -3", "target -4"]
    assert_array_equal(display.counts["target -4"], [[0, 0], [7, 6]])
    assert display.counts["source 2"][1, 0] == 3.0


def test_classes_can_be_named_and_those_without_rows_are_zero():
    display = DomainConfusionDisplay.from_predictions(
        Y, PREDICTED, sample_domain=IDS, labels=["c", "b", "a"], plot=False
    )
    assert_array_equal(display.confusion_matrices["source"][0], [0, 0, 0])
    names = list("abcdefghij")
    many = DomainConfusionDisplay({"source": np.eye(10)}, labels=names).plot()
    assert [text.get_text() for text in many.ax_.texts] == ["100"] * 10, "no zeros, percent"


def test_rows_are_predicted_as_rows_of_their_domain_and_unlabeled_ones_left_out():
    model, y = Recorder(), Y.astype(object)
    y[6] = None
    display = DomainConfusionDisplay.from_estimator(
        model, rows_that_say(PREDICTED), y, sample_domain=IDS, plot=False
    )
    assert_array_equal(model.seen[0], np.delete(IDS, 6))
    assert display.counts["target"].sum() == 3 and display.accuracies["source"] == 0.75


def test_a_pipeline_is_predicted_by_domain_while_routing_is_off():
    rng = np.random.default_rng(0)
    y = np.tile([0, 1], 20)
    ids = np.repeat([1, -2], 20)
    X = rng.normal(size=(40, 2)) * 0.1 + y[:, None] + 9.0 * (ids[:, None] < 0)
    with sklearn.config_context(enable_metadata_routing=True):
        model = make_domain_pipeline(DomainScaler(), LogisticRegression())
        model.fit(X, y, sample_domain=ids)
    assert not sklearn.get_config()["enable_metadata_routing"]
    found = y.astype(float)
    found[-4:] = np.nan
    display = DomainConfusionDisplay.from_estimator(model, X, found, sample_domain=ids)
    assert display.accuracies == {"source": 1.0, "target": 1.0}
    assert display.labels.tolist() == [0, 1] and display.labels.dtype.kind == "i"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y_pred": PREDICTED[:5]}, "y_pred must have one label per row"),
        ({"sample_domain": np.ones(8)}, "sample_domain has no target rows"),
        ({"normalize": "rows"}, "normalize must be one of"),
        ({"per_domain": "no"}, "per_domain must be True or False"),
        ({"sample_weight": -np.ones(8)}, "sample_weight must be 8 finite numbers"),
        ({"y_true": np.stack([Y, Y], 1)}, "y must be one-dimensional"),
        ({"y_true": [*Y[:4], None, None, None, None]}, "no row of target has one"),
    ],
)
def test_confusion_refuses_what_it_cannot_show(change, message):
    given = {"y_true": Y, "y_pred": PREDICTED, "sample_domain": IDS} | change
    with pytest.raises(ValueError, match=message):
        DomainConfusionDisplay.from_predictions(**given)


def test_confusion_refuses_wrong_matrices_estimators_and_rows():
    with pytest.raises(ValueError, match=r"must be a matrix of shape \(2, 2\)"):
        DomainConfusionDisplay({"source": np.ones((3, 3))}, labels=["a", "b"])
    with pytest.raises(ValueError, match="counts must be a dict"):
        DomainConfusionDisplay(np.ones((2, 2)), labels=["a", "b"])
    X = rows_that_say(PREDICTED)
    with pytest.raises(ValueError, match="fitted classifier with predict"):
        DomainConfusionDisplay.from_estimator(StandardScaler(), X, Y, sample_domain=IDS)
    with pytest.raises(ValueError, match="X and y must have as many rows"):
        DomainConfusionDisplay.from_estimator(Recorder(), X[:3], Y, sample_domain=IDS)


# Reliability diagrams


def test_bins_hold_mean_probability_frequency_and_part():
    p, happened = np.array([0.1, 0.2, 0.8, 0.9]), np.array([False, True, True, True])
    found = reliability(p, happened, np.array([1.0, 1.0, 1.0, 3.0]), n_bins=2, strategy="uniform")
    assert_allclose(found.predicted, [0.15, 0.875])
    assert_allclose(found.observed, [0.5, 1.0])
    assert_allclose(found.part, [1 / 3, 2 / 3])
    assert found.error == pytest.approx(0.35 / 3 + 0.125 * 2 / 3)
    halves = reliability(p**4, happened, np.ones(4), n_bins=2, strategy="quantile")
    assert_allclose(halves.part, [0.5, 0.5])
    # The right end of a bin belongs to it, and 0 and 1 to the outermost ones.
    ends = reliability(np.array([0.0, 0.5, 1.0]), happened[:3], np.ones(3), n_bins=2,
                       strategy="uniform")  # fmt: skip
    assert_allclose(ends.part, [2 / 3, 1 / 3])


@pytest.mark.parametrize("proportion", [0.0, 0.3, 1.0])
def test_wilson_interval_solves_its_equation(proportion):
    n = 17.0
    low, high = wilson_interval(proportion, n)
    assert 0 <= low <= proportion <= high <= 1
    for limit in {low, high} - {0.0, 1.0}:
        assert (proportion - limit) ** 2 == pytest.approx(1.6449**2 * limit * (1 - limit) / n)


def test_binary_curves_are_of_the_second_class_or_of_the_one_asked_for():
    p = np.array([0.2, 0.2, 0.9, 0.9, 0.2, 0.9, 0.9, 0.9])
    display = DomainCalibrationDisplay.from_predictions(Y, p, sample_domain=IDS, n_bins=2)
    assert display.pos_label == "b"
    assert_allclose(display.curves["source"].observed, [0.0, 1.0])
    assert display.expected_calibration_errors["target"] == pytest.approx(0.2 / 4 + 0.1 * 3 / 4)
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend[0] == "source: error 0.15" and len(legend) == 2
    assert display.ax_.get_xlabel() == "probability of class b"
    other = DomainCalibrationDisplay.from_predictions(
        Y, p, sample_domain=IDS, n_bins=2, pos_label="a", plot=False
    )
    assert_allclose(other.curves["source"].predicted, [0.1, 0.8])
    assert other.expected_calibration_errors == pytest.approx(display.expected_calibration_errors)


def test_several_classes_show_whether_the_most_probable_one_is_right():
    P = np.tile([0.6, 0.3, 0.1], (4, 1))
    display = DomainCalibrationDisplay.from_predictions(
        [0, 1, 0, 0], P, sample_domain=[1, 1, -2, -2], classes=[0, 1, 2]
    )
    assert_allclose(display.curves["source"].predicted, [0.6])
    assert_allclose(display.curves["source"].observed, [0.5])
    assert display.expected_calibration_errors == pytest.approx({"source": 0.1, "target": 0.4})
    assert display.ax_.get_ylabel() == "part that is right"
    against_all = DomainCalibrationDisplay.from_predictions(
        [0, 1, 0, 0], P, sample_domain=[1, 1, -2, -2], classes=[0, 1, 2], pos_label=1, plot=False
    )
    assert_allclose(against_all.curves["source"].predicted, [0.3])


def test_weights_of_source_rows_show_what_is_to_be_expected_elsewhere():
    y, p, ids = [1, 0, 1, 0], [0.5, 0.5, 0.5, 0.5], [1, 1, -2, -2]
    display = DomainCalibrationDisplay.from_predictions(
        y, p, sample_domain=ids, sample_weight=[3.0, 1.0, 1.0, 1.0], plot=False
    )
    curve = display.curves["source"]
    assert_allclose(curve.observed, [0.75])
    # As few rows as the weights are worth: wider than of two rows.
    assert_allclose([curve.low[0], curve.high[0]], wilson_interval(0.75, 1.6))


def test_probabilities_of_an_estimator_are_those_of_labeled_rows():
    X = np.column_stack([np.zeros(8), np.linspace(0.9, 0.1, 8), np.linspace(0.1, 0.9, 8)])
    y = Y.astype(object)
    y[7] = None
    model = Recorder()
    display = DomainCalibrationDisplay.from_estimator(
        model, X, y, sample_domain=IDS, per_domain=True, strategy="quantile", n_bins=2
    )
    assert list(display.curves) == ["source 1", "source 2", "target -3", "target -4"]
    assert_array_equal(model.seen[0], IDS[:7])
    assert_allclose(display.curves["target -4"].predicted, X[6, 2])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y_prob": np.ones(5)}, "y_prob must have shape"),
        ({"y_prob": np.full(8, 1.5)}, "y_prob must be probabilities"),
        ({"y_prob": np.full((8, 2), 0.6)}, "y_prob must be probabilities"),
        ({"n_bins": 1}, "n_bins must be an integer of at least 2"),
        ({"strategy": "equal"}, "strategy must be one of"),
        ({"pos_label": "c"}, "pos_label must be one of"),
        ({"sample_weight": np.repeat([1.0, 0.0], 4)}, "zero on all labeled rows of target"),
        ({"per_domain": 1}, "per_domain must be True or False"),
    ],
)
def test_calibration_refuses_what_it_cannot_show(change, message):
    given = {"y_true": Y, "y_prob": np.full(8, 0.5), "sample_domain": IDS} | change
    with pytest.raises(ValueError, match=message):
        DomainCalibrationDisplay.from_predictions(**given)


def test_calibration_refuses_wrong_curves_and_estimators():
    with pytest.raises(ValueError, match="curves must be a dict"):
        DomainCalibrationDisplay({})
    with pytest.raises(ValueError, match="must be five arrays of one length"):
        DomainCalibrationDisplay({"source": ([0.5], [0.5], [0.4], [0.6], [2.0])})
    with pytest.raises(ValueError, match="fitted classifier with predict_proba"):
        DomainCalibrationDisplay.from_estimator(
            StandardScaler(), rows_that_say(Y), Y, sample_domain=IDS
        )
