"""Templates of a method's tests: subclass one in the method's test file, and fill in what it asks.

    class TestMyMethod(TransformerTemplate):
        estimator = MyMethodTransformer()
        bad_params = {"reg": [-1.0, "much", np.nan]}

        def shift(self, seed):
            return make_covariate_shift(200, random_state=seed)

A template holds what is asked of every method of a family and of no other: that bad parameters
are named, that the method beats the unadapted model on the shift that it is for, and that this
test would fail if the method did nothing. What holds for every estimator is in tests/checks.py.
"""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression, Ridge

from skda import ImportanceWeightedEstimator, make_domain_pipeline


@pytest.mark.usefixtures("routing")
class MethodTemplate:
    """What the templates share."""

    estimator: BaseEstimator
    """The method with the parameters to test it with."""
    bad_params: dict
    """Values that ``fit`` must refuse, by parameter; the error must name the parameter."""
    gain = 0.05
    """By how much the target score of the adapted model exceeds the unadapted one, on average."""
    seeds = range(3)
    model: BaseEstimator = LogisticRegression()
    """What is fitted on source rows, unadapted, and behind a map or with weights."""

    def shift(self, seed):
        """Return X, y (target labels included) and sample_domain of the shift it is for."""
        raise NotImplementedError

    def adapted(self, estimator):
        """Return a predictor that adapts with this estimator."""
        return estimator

    def disabled(self, monkeypatch):
        """Return an estimator whose adaptation is switched off."""
        raise NotImplementedError

    def target_scores(self, estimator):
        """Return the scores on target rows, over the seeds; no target label is learnt from."""
        scores = []
        for seed in self.seeds:
            X, y, d = self.shift(seed)
            target = d < 0
            hidden = y.astype(float)
            hidden[target] = np.nan
            model = self.adapted(clone(estimator))
            model.fit(X, hidden, sample_domain=d)
            scores.append(model.score(X[target], y[target]))
        return np.array(scores)

    def unadapted_scores(self):
        """Return the scores on target rows of the model fitted on source rows."""
        scores = []
        for seed in self.seeds:
            X, y, d = self.shift(seed)
            fitted = clone(self.model).fit(X[d >= 0], y[d >= 0])
            scores.append(fitted.score(X[d < 0], y[d < 0]))
        return np.array(scores)

    def test_bad_parameters_are_named(self):
        X, y, d = self.shift(0)
        for name, values in self.bad_params.items():
            for value in values:
                broken = clone(self.estimator).set_params(**{name: value})
                with pytest.raises((ValueError, TypeError), match=name.rpartition("__")[2]):
                    broken.fit(X, y, sample_domain=d)

    def test_it_beats_the_unadapted_model_on_its_shift(self):
        gains = self.target_scores(self.estimator) - self.unadapted_scores()
        assert gains.mean() > self.gain, gains

    def test_disabled_it_does_not(self, monkeypatch):
        gains = self.target_scores(self.disabled(monkeypatch)) - self.unadapted_scores()
        assert gains.mean() < self.gain, gains


class TransformerTemplate(MethodTemplate):
    """A map of rows, tested in front of a model fitted on source rows."""

    def adapted(self, estimator):
        return make_domain_pipeline(estimator, clone(self.model))

    def disabled(self, monkeypatch):
        monkeypatch.setattr(type(self.estimator), "_map", lambda self, X, domain, backend: X)
        return self.estimator


class WeighterTemplate(MethodTemplate):
    """A weighter, tested inside ImportanceWeightedEstimator."""

    model = Ridge()

    def adapted(self, estimator):
        return ImportanceWeightedEstimator(self.model, estimator)

    def disabled(self, monkeypatch):
        return None  # ImportanceWeightedEstimator without a weighter: all weights are one

    def target_scores(self, estimator):
        if estimator is None:
            return self.unadapted_scores()
        return super().target_scores(estimator)

    def test_weights_have_mean_one_and_are_not_negative(self):
        X, _, d = self.shift(0)
        weights = np.asarray(clone(self.estimator).fit(X, sample_domain=d).weights_)
        assert weights.min() >= 0
        assert weights.mean() == pytest.approx(1.0)


class PredictorTemplate(MethodTemplate):
    """A classifier or regressor; `off` are the parameters under which it does not adapt."""

    off: dict

    def disabled(self, monkeypatch):
        return clone(self.estimator).set_params(**self.off)


class DeepTemplate(PredictorTemplate):
    """A net: with a weight of zero it is the source-only network, which is what it must beat."""

    off = {"alignment_weight": 0.0}

    def unadapted_scores(self):
        return self.target_scores(clone(self.estimator).set_params(**self.off))


class ScorerTemplate:
    """A scorer for models of an unlabeled target: it must rank a good model above a bad one."""

    scorer: BaseEstimator

    def models(self, seed):
        """Return X, y, sample_domain, a model that is good on the target and one that is bad."""
        raise NotImplementedError

    seeds = range(3)

    def test_it_ranks_the_better_model_first(self):
        for seed in self.seeds:
            X, y, d, good, bad = self.models(seed)
            scores = [self.scorer(model, X, y, sample_domain=d) for model in (good, bad)]
            assert np.isfinite(scores).all()
            assert scores[0] > scores[1]

    def test_target_labels_change_nothing(self):
        X, y, d, good, _ = self.models(0)
        other = y.copy()
        other[d < 0] = np.random.default_rng(0).permutation(y[d < 0])
        found = [self.scorer(good, X, labels, sample_domain=d) for labels in (y, other)]
        assert found[0] == found[1]
