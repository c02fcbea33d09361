"""What an estimator is fitted on: source rows and their copies, with the same total weight."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

import skda
from skda import (
    AugmentedEstimator,
    BatchEffectAugmenter,
    CORALTransformer,
    DomainRandomizationAugmenter,
    DomainWarning,
    EasyTLClassifier,
    FeatureDropoutAugmenter,
    GaussianNoiseAugmenter,
    MixupAugmenter,
    SpectralDistortionAugmenter,
    make_domain_pipeline,
)
from tests.templates import PredictorTemplate

ALL = [
    GaussianNoiseAugmenter(),
    FeatureDropoutAugmenter(),
    MixupAugmenter(1.0),
    DomainRandomizationAugmenter(),
    BatchEffectAugmenter(),
    SpectralDistortionAugmenter(),
]


class Recorder(BaseEstimator):
    """Keeps what it is fitted on."""

    def fit(self, X, y, sample_weight=None, groups=None):
        self.X_, self.y_, self.weight_, self.groups_ = X, y, sample_weight, groups
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X):
        return np.zeros(len(X))


class RecordingClassifier(ClassifierMixin, Recorder):
    pass


class RecordingRegressor(RegressorMixin, Recorder):
    pass


@pytest.fixture
def data():
    """Three classes in unequal proportions on two sources and a target."""
    rng = np.random.default_rng(0)
    ids = rng.permutation(np.repeat([1, 2, -3], [21, 12, 15]))
    y = rng.choice(3, size=48, p=[0.6, 0.3, 0.1])
    return rng.normal(size=(48, 4)) + y[:, None], y, ids


def recorded(estimator, data, augmenters, n_copies=2, **params):
    X, y, ids = data
    model = AugmentedEstimator(estimator, augmenters, n_copies=n_copies, random_state=0)
    return model.fit(X, y, sample_domain=ids, **params).estimator_


@pytest.mark.parametrize("augmenter", ALL, ids=repr)
def test_rows_are_there_as_they_are_and_each_label_keeps_its_weight(data, augmenter):
    X, y, ids = data
    weight = np.random.default_rng(1).uniform(size=48)
    found = recorded(RecordingClassifier(), data, [augmenter], sample_weight=weight)
    source = ids > 0
    np.testing.assert_array_equal(found.X_[: source.sum()], X[source])
    np.testing.assert_array_equal(found.y_[: source.sum()], y[source])
    for label in range(3):
        wanted = weight[source & (y == label)].sum()
        assert found.weight_[found.y_ == label].sum() == pytest.approx(wanted)
    assert found.weight_[: source.sum()] == pytest.approx(weight[source] / 3)
    assert not (found.X_[:, None] == X[None, ~source]).all(axis=2).any()


def test_mixed_labels_come_to_a_classifier_with_the_weights_of_the_mixture(data):
    X, y, ids = data
    found = recorded(RecordingClassifier(), data, [MixupAugmenter(1.0)], n_copies=1)
    n = (ids > 0).sum()
    augmenter = MixupAugmenter(1.0).fit(X, sample_domain=ids)
    new, partner, weight = augmenter.augment(X[ids > 0], sample_domain=ids[ids > 0], random_state=0)
    own = y[ids > 0]
    for i in range(n):
        same = (found.X_[n:] == new[i]).all(axis=1)
        wanted = np.zeros(3)
        wanted[own[i]] += weight[i] / 2
        wanted[own[partner[i]]] += (1 - weight[i]) / 2
        counted = np.bincount(found.y_[n:][same], found.weight_[n:][same], minlength=3)
        np.testing.assert_allclose(counted, wanted)


def test_mixed_values_come_to_a_regressor_and_keep_the_mean(data):
    X, _, ids = data
    y = X @ [1.0, 2.0, 3.0, 4.0]
    outputs = np.column_stack([y, -y])
    found = recorded(RecordingRegressor(), (X, outputs, ids), [MixupAugmenter(1.0)] * 2)
    np.testing.assert_allclose(found.X_ @ [1.0, 2.0, 3.0, 4.0], found.y_[:, 0])
    weight = np.random.default_rng(1).uniform(size=48)
    found = recorded(RecordingRegressor(), (X, y, ids), [MixupAugmenter()], sample_weight=weight)
    source = ids > 0
    assert found.weight_.sum() == pytest.approx(weight[source].sum())
    wanted = np.average(y[source], weights=weight[source])
    assert np.average(found.y_, weights=found.weight_) == pytest.approx(wanted)


@pytest.mark.parametrize("estimator", [LogisticRegression(), Ridge(), LinearRegression()], ids=repr)
def test_without_copies_it_is_the_plain_estimator(data, estimator):
    X, y, ids = data
    plain = clone(estimator).fit(X[ids > 0], y[ids > 0])
    for augmenters, n_copies in (([GaussianNoiseAugmenter(9.0)], 0), ([], 3), ((), 0)):
        model = AugmentedEstimator(estimator, augmenters, n_copies=n_copies)
        model.fit(X, y, sample_domain=ids)
        np.testing.assert_array_equal(model.coef_, plain.coef_)


@pytest.mark.parametrize("estimator", [LogisticRegression(tol=1e-10), Ridge()], ids=repr)
def test_copies_without_a_change_are_the_plain_estimator(data, estimator):
    X, y, ids = data
    plain = clone(estimator).fit(X[ids > 0], y[ids > 0])
    still = [GaussianNoiseAugmenter(0.0), MixupAugmenter(0.0), FeatureDropoutAugmenter(0.0)]
    model = AugmentedEstimator(estimator, still, n_copies=3).fit(X, y, sample_domain=ids)
    np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-5, atol=1e-8)


@pytest.mark.filterwarnings("ignore::skda.DomainWarning")
def test_the_seed_decides(data):
    first, second, other = (
        AugmentedEstimator(Ridge(), ALL, random_state=seed).fit(data[0], data[1]).coef_
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_an_estimator_without_weights_gets_copies_unless_they_count_differently(data):
    X, y, ids = data
    model = AugmentedEstimator(KNeighborsClassifier(), [GaussianNoiseAugmenter()], n_copies=3)
    assert model.fit(X, y, sample_domain=ids).n_samples_fit_ == 4 * (ids > 0).sum()
    with pytest.raises(ValueError, match="must take sample_weight"):
        model.set_params(augmenters=[MixupAugmenter()]).fit(X, y, sample_domain=ids)
    with pytest.raises(ValueError, match="must take sample_weight"):
        model.set_params(augmenters=[]).fit(X, y, np.ones(48), sample_domain=ids)


@pytest.mark.parametrize("bad", [GaussianNoiseAugmenter(), [GaussianNoiseAugmenter], ["noise"]])
def test_augmenters_must_be_a_list_of_objects(data, bad):
    with pytest.raises(ValueError, match="augmenters must be a list of augmenters"):
        recorded(Ridge(), data, bad)


def test_n_copies_must_be_a_number_and_source_rows_be_there(data):
    with pytest.raises(ValueError, match="n_copies must be an integer of at least 0"):
        recorded(Ridge(), data, [GaussianNoiseAugmenter()], n_copies=-1)
    X, y, _ = data
    with pytest.raises(ValueError, match="has no source rows"):
        AugmentedEstimator(Ridge()).fit(X, y, sample_domain=np.full(48, -2))


def test_a_user_writes_augmenters_of_fit_and_augment(data):
    class Negated(BaseEstimator):
        def fit(self, X, y=None, *, sample_domain=None):
            assert y[sample_domain < 0].dtype.kind == "f" and np.isnan(y[sample_domain < 0]).all()
            return self

        def augment(self, X, *, sample_domain=None, random_state=None):
            assert (sample_domain >= 0).all()
            return -X

    X, _, ids = data
    found = recorded(RecordingClassifier(), data, [Negated()], n_copies=1)
    np.testing.assert_array_equal(found.X_[(ids > 0).sum() :], -X[ids > 0])


# Metadata


def test_copies_have_the_groups_and_metadata_of_their_row(data):
    ids = data[2]
    groups = np.arange(48) // 3
    found = recorded(RecordingClassifier(), data, [GaussianNoiseAugmenter()], groups=groups)
    np.testing.assert_array_equal(found.groups_, np.tile(groups[ids > 0], 3))


@pytest.mark.parametrize("routing_on", [False, True])
def test_a_search_inside_keeps_a_row_and_its_copies_in_one_fold(data, routing_on):
    X, y, ids = data

    class Watched(GroupKFold):
        def split(self, X, y=None, groups=None):
            seen.append(groups)
            yield from super().split(X, y, groups)

    seen = []
    inner = KNeighborsClassifier()
    search = GridSearchCV(inner, {"n_neighbors": [1, 3]}, cv=Watched(3), error_score="raise")
    model = AugmentedEstimator(search, [FeatureDropoutAugmenter(0.0)], n_copies=2)
    with sklearn.config_context(enable_metadata_routing=routing_on):
        model.fit(X, y, sample_domain=ids)
    np.testing.assert_array_equal(seen[0], np.tile(np.flatnonzero(ids > 0), 3))
    # Copies in other folds would make one neighbor perfect.
    assert model.cv_results_["mean_test_score"][0] < 0.9
    by_rows = GridSearchCV(inner, {"n_neighbors": [1]}, cv=3)
    leaky = AugmentedEstimator(by_rows, [FeatureDropoutAugmenter(0.0)], n_copies=2)
    assert leaky.fit(X, y, sample_domain=ids).best_score_ > 0.9


def test_a_pipeline_gets_weights_where_its_last_step_asks(data):
    X, y, ids = data
    model = AugmentedEstimator(
        make_pipeline(StandardScaler(), LogisticRegression()), [MixupAugmenter()]
    )
    with sklearn.config_context(enable_metadata_routing=True):
        model.estimator[0].set_fit_request(sample_weight=False)
        model.estimator[-1].set_fit_request(sample_weight=True)
        assert model.fit(X, y, sample_domain=ids).predict(X).shape == (48,)
    with pytest.raises(ValueError, match="enable_metadata_routing"):
        model.fit(X, y, sample_domain=ids)


# Estimators that know domains


def test_an_estimator_that_knows_domains_gets_target_rows_as_they_are(data):
    X, y, ids = data
    y = np.where(ids < 0, np.nan, y)

    class Aware(skda._core._routing.DomainRouting, RecordingClassifier):
        def fit(self, X, y, sample_weight=None, *, sample_domain=None):
            self.ids_ = sample_domain
            return super().fit(X, y, sample_weight)

    for routing_on in (False, True):
        with sklearn.config_context(enable_metadata_routing=routing_on):
            found = recorded(Aware(), (X, y, ids), [GaussianNoiseAugmenter()])
        np.testing.assert_array_equal(found.X_[:48], X)
        np.testing.assert_array_equal(found.y_[:48], y)
        np.testing.assert_array_equal(found.ids_, [*ids, *ids[ids > 0], *ids[ids > 0]])
        assert found.weight_.sum() == pytest.approx(48)
        np.testing.assert_allclose(found.weight_[:48][ids < 0], 1.0)


@pytest.mark.usefixtures("routing")
def test_alignment_inside_takes_source_copies_and_target_rows(data):
    X, y, ids = data
    pipe = make_domain_pipeline(CORALTransformer(), LogisticRegression())
    model = AugmentedEstimator(pipe, [GaussianNoiseAugmenter(0.0)], n_copies=1)
    model.fit(X, y, sample_domain=ids)
    plain = clone(pipe).fit(X, y, sample_domain=ids)
    # The pipeline asks for no weights, so that a row counts as two against the penalty.
    assert model.estimator_[0].n_features_in_ == 4
    assert (model.predict(X[ids < 0]) == plain.predict(X[ids < 0])).mean() > 0.8


def test_without_routing_a_pipeline_of_domains_is_refused_in_words(data):
    pipe = make_pipeline(CORALTransformer(), LogisticRegression())
    with pytest.raises(ValueError, match="enable_metadata_routing=True"):
        recorded(pipe, data, [GaussianNoiseAugmenter()])
    found = recorded(EasyTLClassifier(), data, [GaussianNoiseAugmenter()])
    assert found.classes_.tolist() == [0, 1, 2]


# Containers


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_with_text_and_gaps_go_through(data, library):
    X, y, ids = data
    columns = {"a": X[:, 0].copy(), "n": np.arange(48), "sex": np.where(X[:, 1] > 0, "f", "m")}
    columns["a"][3] = np.nan
    frame = pd.DataFrame(columns) if library == "pandas" else pl.DataFrame(columns)
    found = recorded(RecordingClassifier(), (frame, y, ids), [GaussianNoiseAugmenter()])
    assert type(found.X_) is type(frame) and list(found.X_.columns) == list(columns)
    n = (ids > 0).sum()
    assert found.X_["sex"].to_list() == 3 * frame["sex"].to_numpy()[ids > 0].tolist()
    first = found.X_["n"].to_numpy()
    np.testing.assert_array_equal(first[:n], np.flatnonzero(ids > 0))
    assert (first[n:] != np.tile(first[:n], 2)).all()


def test_labels_of_text_and_missing_values_in_arrays_go_through(data):
    X, y, ids = data
    X = X.copy()
    X[::5, 1] = np.nan
    names = np.array(["healthy", "ill", "unclear"], dtype=object)[y]
    names[ids < 0] = None
    model = AugmentedEstimator(
        HistGradientBoostingClassifier(max_iter=3), [MixupAugmenter()], random_state=0
    )
    model.fit(X, names, sample_domain=ids)
    assert model.classes_.tolist() == ["healthy", "ill", "unclear"]
    assert model.predict(X).dtype.kind == "U"


def test_fit_without_domains_takes_all_rows_as_source(data):
    X, y, _ = data
    with pytest.warns(DomainWarning):
        model = AugmentedEstimator(RecordingClassifier(), [GaussianNoiseAugmenter()]).fit(X, y)
    assert len(model.estimator_.X_) == 96
    assert model.augmenters_[0].spread_.shape == (4,)


# What each is for


class AugmentationTemplate(PredictorTemplate):
    """One informative feature that differs on the target, and weaker ones that do not."""

    bad_params = {"n_copies": [-1, 0.5]}
    off = {"n_copies": 0}
    gain = 0.1

    def shift(self, seed):
        rng = np.random.default_rng(seed)
        ids = np.repeat([1, -2], 150)
        y = rng.integers(0, 2, 300)
        X = (2 * y[:, None] - 1) * np.array([1.5, 0.8, 0.8, 0.8])
        X += rng.normal(size=(300, 4)) * [0.5, 1.0, 1.0, 1.0]
        return self.moved(X, ids < 0, rng), y, ids


def augmented(*augmenters):
    return AugmentedEstimator(LogisticRegression(), list(augmenters), n_copies=8, random_state=0)


class TestRandomization(AugmentationTemplate):
    estimator = augmented(DomainRandomizationAugmenter())

    def moved(self, X, target, rng):
        X[target, 0] -= 4.0
        return X


class TestDropout(AugmentationTemplate):
    estimator = augmented(FeatureDropoutAugmenter(0.7))

    def moved(self, X, target, rng):
        X[target, 0] = 1.0  # broken: the sensor shows the same value always
        return X


class TestNoise(AugmentationTemplate):
    estimator = augmented(GaussianNoiseAugmenter(3.0))
    gain = 0.03

    def moved(self, X, target, rng):
        X[target, 0] = 4.0 * rng.normal(size=target.sum())
        return X


class TestBatchEffects(AugmentationTemplate):
    estimator = augmented(BatchEffectAugmenter(3.0, n_batches=12, columns=[0, 1]))

    def moved(self, X, target, rng):
        X[target] += [-4.0, 2.0, 0.0, 0.0]
        return X


class TestSpectra(PredictorTemplate):
    """Another amplification and base line of the second instrument."""

    estimator = AugmentedEstimator(
        Ridge(1e-3),
        [SpectralDistortionAugmenter(1.0, scatter=0.0, shift=0.5)],
        n_copies=10,
        random_state=0,
    )
    model = Ridge(1e-3)
    bad_params = {"n_copies": [-1]}
    off = {"n_copies": 0}
    gain = 0.3

    def shift(self, seed):
        rng = np.random.default_rng(seed)
        channels = np.linspace(-1, 1, 30)
        peaks = np.exp(-((channels - np.array([[-0.4], [0.1], [0.5]])) ** 2) / 0.05)
        amounts = rng.uniform(0.5, 1.5, size=(120, 3))
        ids = np.repeat([1, -2], 60)
        X = amounts @ peaks + 0.01 * rng.normal(size=(120, 30))
        X[ids < 0] += 0.5 + 0.5 * channels
        return X, amounts[:, 0], ids


class TestMixup(PredictorTemplate):
    """A tree knows steps only, and the target lies between two sources."""

    estimator = AugmentedEstimator(
        DecisionTreeRegressor(random_state=0),
        [MixupAugmenter(1.0, partners="across")],
        n_copies=8,
        random_state=0,
    )
    model = DecisionTreeRegressor(random_state=0)
    bad_params = {"n_copies": [-1]}
    off = {"n_copies": 0}
    gain = 0.2

    def shift(self, seed):
        rng = np.random.default_rng(seed)
        ids = np.repeat([1, 2, -3], 60)
        X = rng.normal(size=(180, 2)) * 0.5 + np.repeat([-2.0, 2.0, 0.0], 60)[:, None]
        return X, X @ [1.0, 0.5], ids
