"""Weighters that learn from batches of either side."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal
from sklearn.linear_model import SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier

from skda import DomainClassifierWeighter, DomainWarning, GaussianWeighter
from skda._array._backend import to_numpy

# Steps of the default learning rate are far too long at first.
STEADY = {"loss": "log_loss", "learning_rate": "constant", "eta0": 0.01, "random_state": 0}
FASTER = STEADY | {"eta0": 0.1}  # for one pass over few rows


def rows(seed=0, n=150):
    rng = np.random.default_rng(seed)
    X, d = rng.normal(size=(2 * n, 3)), np.repeat([1, -2], n)
    X[n:] = 0.8 * X[n:] + 0.4
    order = rng.permutation(2 * n)
    return X[order], d[order]


def chunks(d, seed, *, one_sided):
    """Split the rows at random; a chunk has one row at least and the first ones both sides."""
    rng = np.random.default_rng(seed)
    cuts = np.sort(rng.integers(20, len(d), 6))
    parts = [part for part in np.split(np.arange(len(d)), cuts) if len(part)]
    if not one_sided:
        return parts
    return [part[side] for part in parts for side in (d[part] > 0, d[part] < 0) if side.any()]


@pytest.mark.parametrize("reg", ["ledoit-wolf", "oas", 0.1])
@pytest.mark.parametrize("one_sided", [False, True])
def test_gaussian_weights_of_batches_are_those_of_all_rows(reg, one_sided):
    X, d = rows()
    options = {"reg": reg, "min_effective_size": None, "exponent": 0.7, "clip": 5.0}
    once = GaussianWeighter(**options).fit(X, sample_domain=d)
    for seed in range(3):
        stream = GaussianWeighter(**options)
        for part in chunks(d, seed, one_sided=one_sided):
            stream.partial_fit(X[part], sample_domain=d[part])
        np.testing.assert_array_equal(stream.source_rows_, X[d > 0])
        np.testing.assert_allclose(stream.weights_, once.weights_, rtol=1e-10)
        np.testing.assert_allclose(stream.predict_weights(X), once.predict_weights(X), rtol=1e-10)
        assert stream.n_rows_seen_ == {"source": 150, "target": 150}


def test_gaussian_weights_forget_as_weighted_rows_would():
    X, d = rows()
    source, target = X[d > 0], X[d < 0]
    stream = GaussianWeighter(reg=0.1, min_effective_size=None, forgetting_factor=0.5)
    stream.partial_fit(source, sample_domain=d[d > 0])
    assert (stream.weights_ == 1).all()  # no target yet
    batches = [target, target + 0.5, target * 0.7]
    for batch in batches:
        stream.partial_fit(batch, sample_domain=d[d < 0])

    def log_density(values, weights):
        mean = np.average(values, axis=0, weights=weights)
        centered = values - mean
        C = (centered.T * weights) @ centered / (weights.sum() - 1.0) + 0.1 * np.eye(3)
        return multivariate_normal(mean, C).logpdf(source)

    # Source rows came once, and nothing new has made them older.
    logs = log_density(np.concatenate(batches), np.repeat([0.25, 0.5, 1.0], len(target)))
    expected = np.exp(logs - log_density(source, np.ones(len(source))))
    np.testing.assert_allclose(stream.weights_, expected / expected.mean(), rtol=1e-9)


def test_gaussian_batches_on_every_backend(xp):
    X, d = rows(n=40)
    options = {"min_effective_size": None}
    once = GaussianWeighter(**options).fit(X, sample_domain=d)
    stream = GaussianWeighter(**options)
    for part in chunks(d, 0, one_sided=True):
        stream.partial_fit(xp.asarray(X[part]), sample_domain=d[part])
    np.testing.assert_allclose(to_numpy(stream.weights_), once.weights_, rtol=2e-4)


def test_a_side_of_one_row_has_no_covariance():
    X, d = rows()
    stream = GaussianWeighter().partial_fit(X[d > 0], sample_domain=d[d > 0])
    with pytest.raises(ValueError, match="the target has 1"):
        stream.partial_fit(X[d < 0][:1], sample_domain=[-2])
    assert stream.n_rows_seen_["target"] == 0
    with pytest.raises(ValueError, match="forgetting_factor must be"):
        stream.set_params(forgetting_factor=1.5).partial_fit(X, sample_domain=d)


def test_batches_without_domains_warn_and_weigh_nothing():
    X, _ = rows()
    with pytest.warns(DomainWarning, match="without sample_domain"):
        stream = GaussianWeighter().partial_fit(X)
    assert (stream.weights_ == 1).all() and len(stream.weights_) == len(X)


@pytest.mark.parametrize("kind", [np.asarray, lambda X: pd.DataFrame(X, columns=list("abc"))])
def test_an_incremental_classifier_sees_the_batches_in_turn(kind):
    X, d = rows()
    inner = SGDClassifier(**STEADY)
    stream = DomainClassifierWeighter(inner, min_effective_size=None)
    by_hand = SGDClassifier(**STEADY)
    for part in chunks(d, 0, one_sided=True):
        stream.partial_fit(kind(X[part]), sample_domain=d[part])
        by_hand.partial_fit(kind(X[part]), (d[part] < 0).astype(int), classes=[0, 1])
    logs = by_hand.predict_log_proba(kind(X[d > 0]))
    odds = np.exp(logs[:, 1] - logs[:, 0])
    np.testing.assert_allclose(stream.weights_, odds / odds.mean())
    np.testing.assert_allclose(stream.predict_weights(kind(X[d > 0])), stream.weights_)
    # Where the target is dense, source rows count more.
    assert np.corrcoef(stream.weights_, X[d > 0].sum(axis=1))[0, 1] > 0.5


def test_the_classifier_must_be_incremental():
    X, d = rows()
    stream = DomainClassifierWeighter()
    assert not hasattr(stream, "partial_fit")
    with pytest.raises(AttributeError) as caught:
        stream.partial_fit(X, sample_domain=d)
    assert "needs a classifier that has partial_fit" in str(caught.value.__cause__)


def test_batches_that_tell_the_domains_apart_are_warned_of():
    X, d = rows()
    X[d < 0] += 10.0
    stream = DomainClassifierWeighter(SGDClassifier(**STEADY | {"eta0": 1.0}))
    with pytest.warns(DomainWarning, match="tells the domains apart"):
        for _ in range(3):
            stream.partial_fit(X, sample_domain=d)


def test_a_domain_classifier_forgets_as_weighted_rows_would():
    X, d = rows()
    source, target = X[d > 0], X[d < 0]
    stream = DomainClassifierWeighter(
        GaussianNB(), min_effective_size=None, forgetting_factor=0.5
    ).partial_fit(source, sample_domain=d[d > 0])
    # Of nine batches the first two have faded to a weight below 0.01.
    batches = [target + 0.1 * step for step in range(9)]
    for batch in batches:
        stream.partial_fit(batch, sample_domain=d[d < 0])
    kept = np.concatenate([source, *batches[2:]])
    weights = np.concatenate([np.ones(150), np.repeat(0.5 ** np.arange(6, -1, -1), 150)])
    is_target = np.repeat([0, 1], [150, 7 * 150])
    logs = GaussianNB().fit(kept, is_target, sample_weight=weights).predict_log_proba(source)
    odds = np.exp(logs[:, 1] - logs[:, 0])
    np.testing.assert_allclose(stream.weights_, odds / odds.mean(), rtol=1e-9)
    assert stream.n_rows_seen_ == {"source": 150, "target": 9 * 150}


@pytest.mark.parametrize("inner", [GaussianNB(), SGDClassifier(**FASTER)])
def test_weights_that_forget_follow_a_target_that_drifts(inner):
    rng = np.random.default_rng(0)
    source = rng.normal(size=(400, 2))
    places = np.linspace(-1, 1, 20)  # of the target, batch by batch
    found = {}
    for factor in (1.0, 0.6):
        stream = DomainClassifierWeighter(
            inner, min_effective_size=None, forgetting_factor=factor
        ).partial_fit(source, sample_domain=np.repeat(1, 400))
        for place in places:
            batch = 0.7 * np.random.default_rng(1).normal(size=(60, 2)) + place
            stream.partial_fit(batch, sample_domain=np.repeat(-2, 60))
        found[factor] = np.average(source, axis=0, weights=stream.weights_).mean()
    # The target began at -1 and is at 1 now; all batches together are at 0.
    assert found[0.6] > found[1.0] + 0.2
    assert found[0.6] > 0.6


@pytest.mark.filterwarnings("ignore:.*iterations:UserWarning")
def test_forgetting_needs_a_classifier_that_takes_weights():
    X, d = rows(n=20)
    factor = {"forgetting_factor": 0.5}
    inner = NoWeights(hidden_layer_sizes=(2,), random_state=0)
    DomainClassifierWeighter(inner).partial_fit(X, sample_domain=d)
    with pytest.raises(ValueError, match="takes sample_weight"):
        DomainClassifierWeighter(inner, **factor).partial_fit(X, sample_domain=d)
    with pytest.raises(ValueError, match="forgetting_factor must be"):
        DomainClassifierWeighter(GaussianNB(), forgetting_factor=0).fit(X, sample_domain=d)


class NoWeights(MLPClassifier):
    """A classifier that learns from batches, of equal rows only."""

    def partial_fit(self, X, y, classes=None):
        return super().partial_fit(X, y, classes=classes)
