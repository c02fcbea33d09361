"""What the weighting tasks share: the weighters, and a score on part of the rows, by seed."""

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from skda import (
    DomainClassifierWeighter,
    GaussianWeighter,
    ImportanceWeightedEstimator,
    KernelDensityWeighter,
    KLIEPWeighter,
    KMMWeighter,
    NearestNeighborsWeighter,
    RuLSIFWeighter,
    ULSIFWeighter,
)

WEIGHTERS = {
    "source only": None,
    "KMM": KMMWeighter(reg=0.0, min_effective_size=None),
    "KMM, reg 1": KMMWeighter(reg=1.0, min_effective_size=None),
    "KLIEP": KLIEPWeighter(random_state=0, min_effective_size=None),
    "uLSIF": ULSIFWeighter(random_state=0, min_effective_size=None),
    "RuLSIF": RuLSIFWeighter(random_state=0, min_effective_size=None),
    "domain classifier": DomainClassifierWeighter(random_state=0, min_effective_size=None),
    "Gaussian": GaussianWeighter(min_effective_size=None),
    "kernel density": KernelDensityWeighter(min_effective_size=None),
    "nearest neighbors": NearestNeighborsWeighter(min_effective_size=None),
}


def part_of(sample_domain, seed, share=0.8):
    """Indices of a share of the rows of each domain, in row order."""
    rng = check_random_state(seed)
    parts = [np.flatnonzero(sample_domain == domain) for domain in np.unique(sample_domain)]
    return np.sort(np.concatenate([rng.permutation(p)[: int(share * len(p))] for p in parts]))


def score_of(model, metric):
    """Fit on 80 % of the rows of both domains, score the predictions for all target rows."""

    def score(X, y, sample_domain, seed):
        rows, target = part_of(sample_domain, seed), sample_domain < 0
        fitted = clone(model).fit(X[rows], y[rows], sample_domain=sample_domain[rows])
        return metric(y[target], fitted.predict(X[target]))

    return score


def balanced_score_of(estimator, metric, missing, share=0.05, target_share=0.5):
    """Label a share of the target rows, let them weigh as much as the source; score the others.

    With ``target_share=None`` they are pooled with the source, each row weighing the same.
    """

    def score(X, y, sample_domain, seed):
        target = np.flatnonzero(sample_domain < 0)
        labeled = check_random_state(seed).permutation(target)[: int(share * len(target))]
        others = np.setdiff1d(target, labeled)
        seen = y.astype(float) if missing is np.nan else y.copy()
        seen[others] = missing
        model = ImportanceWeightedEstimator(
            clone(estimator), None, use_target_labels=True, target_share=target_share
        )
        model.fit(X, seen, sample_domain=sample_domain)
        return metric(y[others], model.predict(X[others]))

    return score


def weighted(estimators, metric):
    """Every weighter with every estimator, by a name of both."""
    return {
        f"{name}, {weighter_name}": score_of(
            ImportanceWeightedEstimator(estimator, weighter), metric
        )
        for name, estimator in estimators.items()
        for weighter_name, weighter in WEIGHTERS.items()
    }
