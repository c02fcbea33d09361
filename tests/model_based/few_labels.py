"""What the tests of supervised transfer share: some target labels are learnt from."""

import numpy as np
from sklearn.base import clone

from tests.templates import PredictorTemplate


def few(y, d, n_labeled, mark=np.nan):
    """Return y with all but the first labels of target rows missing."""
    hidden = y.astype(float)
    hidden[np.flatnonzero(d < 0)[n_labeled:]] = mark
    return hidden


class FewLabels(PredictorTemplate):
    """Some target labels are learnt from; scores are on the other target rows."""

    n_labeled = 30

    def target_scores(self, estimator):
        scores = []
        for seed in self.seeds:
            X, y, d = self.shift(seed)
            model = clone(estimator).fit(X, few(y, d, self.n_labeled), sample_domain=d)
            rest = np.flatnonzero(d < 0)[self.n_labeled :]
            scores.append(model.score(X[rest], y[rest]))
        return np.array(scores)
