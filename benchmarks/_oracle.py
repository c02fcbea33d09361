"""The protocol of SKADA-Bench: its splits, and the parameters that target labels would choose."""

import warnings

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import ParameterGrid, StratifiedShuffleSplit


def splits(y, sample_domain, n_splits=5):
    """Yield train and test rows: a fifth of each class of each domain is held out.

    The benchmark draws its splits in this way, so that they are the same to the row.
    """
    pairs = np.stack([y, sample_domain], axis=1)
    stratum = np.unique(pairs, axis=0, return_inverse=True)[1].ravel()
    yield from StratifiedShuffleSplit(n_splits, test_size=0.2, random_state=0).split(pairs, stratum)


def target_scores(model, X, y, sample_domain, train, test):
    """Fractions of target rows of the test part that a model of the train part gets right.

    One number, or one of each member of a :class:`FirstComponents`. A model that cannot be fitted
    has none right, which in the benchmark too is what keeps a candidate from being chosen.
    """
    hidden = np.where(sample_domain < 0, -1, y)
    rows = test[sample_domain[test] < 0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", UserWarning)  # fewer components than asked for
        try:
            model.fit(X[train], hidden[train], sample_domain=sample_domain[train])
        except ValueError:  # such as labels carried over that are all of one class
            return np.zeros(1)
    predictions = (
        model.say(X[rows]) if isinstance(model, FirstComponents) else [model.predict(X[rows])]
    )
    return np.array([(labels == y[rows]).mean() for labels in predictions])


def oracle(make_model, grid=None, *, n_inner=5):
    """Score of the candidate that target labels would choose, the upper limit of any scorer.

    Candidates are compared on `n_inner` splits of the train part of five outer splits. The best is
    fitted to all of that part and scored on the test part.
    """
    candidates = list(ParameterGrid(grid or {}))

    def one(X, y, sample_domain):
        return np.mean(
            [
                outer_score(X, y, sample_domain, train, test)
                for train, test in splits(y, sample_domain)
            ]
        )

    def outer_score(X, y, sample_domain, train, test):
        best, member = candidates[0], 0
        if len(candidates) > 1 or isinstance(make_model(**best), FirstComponents):
            seen = np.where(sample_domain < 0, -1, y)[train]
            parts = list(splits(seen, sample_domain[train], 5))[:n_inner]
            best_mean = -1.0
            for params in candidates:
                means = np.mean(
                    [
                        target_scores(make_model(**params), X, y, sample_domain, train[i], train[j])
                        for i, j in parts
                    ],
                    axis=0,
                )
                if means.max() > best_mean:
                    best, member, best_mean = params, int(means.argmax()), means.max()
        return target_scores(make_model(**best), X, y, sample_domain, train, test)[member]

    return lambda data_sets: np.mean([one(*rows) for rows in data_sets])


def with_target_labels(make_model):
    """Score of a model of the labeled target rows, which adaptation does not have."""

    def one(X, y, sample_domain):
        parts = [
            [rows[sample_domain[rows] < 0] for rows in pair] for pair in splits(y, sample_domain)
        ]
        return np.mean(
            [make_model().fit(X[i], y[i]).score(X[j], y[j]) for i, j in parts],
        )

    return lambda data_sets: np.mean([one(*rows) for rows in data_sets])


class FirstComponents(BaseEstimator):
    """Models of the first 1, 2, ... components of one alignment, which is fitted once."""

    def __init__(self, transformer, final, counts):
        self.transformer = transformer
        self.final = final
        self.counts = counts

    def fit(self, X, y, *, sample_domain):
        """Fit the alignment to all rows, and the models to the source's."""
        source = sample_domain >= 0
        Z = self.transformer.fit(X, sample_domain=sample_domain).transform(
            X, sample_domain=sample_domain
        )
        self.models_ = [clone(self.final).fit(Z[source, :k], y[source]) for k in self.counts]
        return self

    def say(self, X):
        """Return the labels that each model gives target rows."""
        Z = self.transformer.transform(X, sample_domain=np.full(len(X), -2))
        return [model.predict(Z[:, :k]) for model, k in zip(self.models_, self.counts, strict=True)]
