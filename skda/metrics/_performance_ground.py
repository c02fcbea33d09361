"""Weights for each kind of shift, whether they hold, and the estimates that follow."""

import numpy as np

from .._numerics._em_priors import corrected_proba
from ._performance_candidates import mean_probabilities
from ._performance_evidence import balance_of, comparable_features, smooth_weights
from ._performance_methods import (
    expected_estimate,
    loss_estimate,
    posteriors_of,
    predicted_losses,
    prior_weights,
    threshold_estimate,
    weighted_estimate,
)
from ._performance_values import value_of


class Ground:
    """Weights for each kind of shift, whether they hold, and the estimates that follow."""

    def __init__(self, outputs, metric, given_weights, rng):
        self.outputs, self.metric, self.rng = outputs, metric, rng
        source = outputs.source
        self.evidence = {
            "n_source": len(source.true),
            "n_target": len(outputs.target.true),
            "n_labeled": len(outputs.labeled),
        }
        self.posteriors = None
        self.weights = {"none": np.ones(len(source.true))}
        if outputs.classes is not None:
            self.posteriors = posteriors_of(outputs)
            self.weights["label"], priors = prior_weights(outputs, self.posteriors[1])
            self.evidence["target_priors"] = priors.tolist()
        self._features = comparable_features(*_numbers(outputs))
        if given_weights is None:
            given_weights = smooth_weights(*self._features, rng)
        self.weights["covariate"] = given_weights
        self._balance = {}

    def balance(self, kind):
        """Return how far weights for one kind of shift make the domains alike, computed once."""
        if kind not in self._balance:
            found = balance_of(*self._features, self.weights[kind], self.rng)
            self._balance[kind] = found
            self.evidence.setdefault("balance", {})[kind] = {
                **found._asdict(),
                "holds": bool(found.holds),
            }
        return self._balance[kind]

    def assumption(self):
        """Return the first assumption that holds, the simplest first; "unknown" if none does."""
        return next((kind for kind in self.weights if self.balance(kind).holds), "unknown")

    def own_candidates(self):
        """Return class probabilities of the target rows by models that see them otherwise."""
        source, target = _numbers(self.outputs)
        true, n_classes = self.outputs.source.true, self.outputs.n_classes
        if len(np.unique(true)) == 1:
            return self.posteriors[1]
        return mean_probabilities(source, true, target, n_classes, self.rng)

    def estimate(self, method, outputs=None, rows=slice(None)):
        """Return the value by one method, of all rows or of a bootstrap sample of them."""
        outputs = self.outputs if outputs is None else outputs
        covariate = self.weights["covariate"][rows]
        if method == "source":
            return value_of(self.metric, outputs.source, outputs.n_classes)
        if method == "weighted":
            return weighted_estimate(outputs, self.metric, covariate)
        if method == "dle":
            return loss_estimate(self.metric, self.losses[1])
        weights = covariate if method == "pape" else None
        source, target = posteriors_of(outputs, weights)
        if method == "atc":
            return threshold_estimate(outputs, source, target)
        if method == "label_shift":
            return weighted_estimate(outputs, self.metric, prior_weights(outputs, target)[0])
        return expected_estimate(outputs, self.metric, target)

    def target_posterior(self, method):
        """Return class probabilities of the target rows under what a method assumes."""
        if method in ("weighted", "pape"):
            return posteriors_of(self.outputs, self.weights["covariate"])[1]
        if method != "label_shift":
            return self.posteriors[1]
        source = np.bincount(self.outputs.source.true, minlength=self.outputs.n_classes)
        present = source > 0
        priors = np.array(self.evidence["target_priors"])
        ratio = np.divide(priors * source.sum(), source, out=np.zeros(len(source)), where=present)
        return corrected_proba(self.posteriors[1], ratio)

    @property
    def losses(self):
        """Predicted losses of source and target rows, learnt once."""
        if not hasattr(self, "_losses"):
            weights = self.weights["covariate"]
            self._losses = predicted_losses(self.outputs, self.metric, weights, self.rng)
        return self._losses


def _numbers(outputs):
    """Return features as numbers; of rows that are none, what the model says of them."""
    if outputs.X_source is not None:
        return outputs.X_source, outputs.X_target
    said = [
        rows.predicted[:, None] if rows.proba is None else rows.proba
        for rows in (outputs.source, outputs.target)
    ]
    return tuple(np.asarray(of, dtype=float) for of in said)
